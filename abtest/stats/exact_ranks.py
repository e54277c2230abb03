"""The exact p-value of the Wilcoxon-Mann-Whitney test from counts, with and without ties.

Given all answers together, every choice of who belongs to which arm is equally likely if the arms are draws from one
distribution. The choices are counted answer by answer, never listed: 100 units have 1e29 of them, and the count takes a
tenth of a second.
"""

import math
from itertools import accumulate

import numpy as np

from abtest.stats.ordinal import Categories, align

MOST_UNITS = 50
"""Per arm, up to which the exact test is made; above, the normal approximation is off by less than 0.005."""


def exact_rank_p(treatment: Categories, control: Categories) -> float | None:
    """Twice the smaller tail of U over all assignments of units to arms, at most 1 (Mann & Whitney 1947; ties: Lehmann
    1975, ch. 1, section 4).

    None where an arm is empty or has more than `MOST_UNITS` units.

    >>> from abtest.stats.ordinal import categories_of
    >>> exact_rank_p(categories_of([1.1, 2.2, 3.3]), categories_of([4.4, 5.5, 6.6, 7.7])).__round__(6)
    0.057143
    """
    n_t, n_c = treatment.n, control.n
    if not (0 < n_t <= MOST_UNITS and 0 < n_c <= MOST_UNITS):
        return None
    own, others = align(treatment, control)
    tied = [int(a) + int(b) for a, b in zip(own.counts, others.counts, strict=True)]
    # Twice the mid-rank, less the 2 that every unit has, is a whole number: 2 (units below) + (units tied) - 1.
    ranks = [2 * below + d - 1 for d, below in zip(tied, accumulate(tied, initial=0), strict=False)]
    seen = sum(int(a) * rank for a, rank in zip(own.counts, ranks, strict=True))
    highest = sorted((rank for d, rank in zip(tied, ranks, strict=True) for _ in range(d)), reverse=True)[:n_t]
    width = sum(highest) + 1
    # ways[k, s]: in how many ways k of the units so far have the sum s.
    ways = np.zeros((n_t + 1, width))
    ways[0, 0] = 1.0
    for d, rank in zip(tied, ranks, strict=True):
        before, ways = ways, ways.copy()
        for chosen in range(1, min(d, n_t) + 1):
            shift = chosen * rank
            if shift < width:
                ways[chosen:, shift:] += math.comb(d, chosen) * before[: n_t + 1 - chosen, : width - shift]
    last = ways[n_t]
    tails = float(last[: seen + 1].sum()), float(last[seen:].sum())
    return min(1.0, 2.0 * min(tails) / float(last.sum()))
