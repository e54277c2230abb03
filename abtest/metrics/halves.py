"""A metric over the first and over the second half of its window: does its effect last, or was it the charm of the new?

Both halves are equally long and whole blocks of `per`; a block in the middle that fits neither belongs to none. Only
metrics whose value over a window is made of its parts can be halved: amounts that add up, and recurring conditions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from abtest.language.conditions import Measure
from abtest.language.model import Metric, Window

EARLY, LATE = "early: ", "late: "
"""How the names of hidden metrics begin."""
LEAST_DAYS = 2
"""Of a half: one day against the next says little."""
_ADD_UP = frozenset({"count", "sum", "days", "distinct", "sessions"})


@dataclass(frozen=True)
class Halves:
    """Two hidden metrics, `early` and `late`, over `days` days each."""

    early: Metric
    late: Metric
    days: int


def halves_of(metric: Metric) -> Halves | None:
    """The halves of a metric; None where it has none."""
    window = metric.window
    first, last = window.first, window.last
    if first is None or last is None or first < 0 or window.end or window.tick != "day" or not _halved(metric):
        return None
    block = metric.per if metric.per is not None else 1
    length = (last - first + 1) // block // 2 * block
    if length < LEAST_DAYS:
        return None
    plain = replace(
        metric, among=None, adjust=None, cap=None, show=None, part_of=None, examples=(), margin=None, immature="drop"
    )
    return Halves(
        replace(plain, name=f"{EARLY}{metric.name}", window=Window(first, first + length - 1)),
        replace(plain, name=f"{LATE}{metric.name}", window=Window(last - length + 1, last)),
        length,
    )


def _halved(metric: Metric) -> bool:
    """Whether the value of a window follows from the values of its parts."""
    timed = metric.per_unit == "tick" and not metric.rolling and metric.clock != "calendar"
    if not timed or metric.unit is not None or metric.known is not None or metric.survey is not None:
        return False
    if metric.kind == "did":
        fold = metric.fold
        return metric.per is not None and (fold is None or (fold.name in ("share", "count") and fold.operator is None))
    if metric.kind != "amount" or not isinstance(metric.measure, Measure):
        return False
    adds = all(a.function in _ADD_UP for a in metric.measure.atoms)
    return adds and (metric.per is None or metric.fold is None or metric.fold.name in ("mean", "sum"))
