"""Where the data end, when a few clocks are wrong by years."""

from __future__ import annotations

import itertools

STRAY = ((30, 0.01), (365, 0.25))
"""(days, share): later rows are taken to be stray (a clock set to 2099) when they come after so many days without
any row and are at most this share of all rows."""


def dense_end(per_day: list[tuple[int, int]], stray: tuple[tuple[int, float], ...] = STRAY) -> int:
    """The last date of the data, without a few stray rows far in the future. `per_day`: (date, rows), in order.

    >>> dense_end([(1, 50), (2, 60), (9000, 1)]), dense_end([(1, 50), (60, 50)])
    (2, 60)
    """
    total = sum(n for _, n in per_day)
    later = total
    for (day, count), (following, _) in itertools.pairwise(per_day):
        later -= count
        if any(following - day > gap and later <= share * total for gap, share in stray):
            return day
    return per_day[-1][0]
