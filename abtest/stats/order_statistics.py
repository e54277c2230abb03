"""Order statistics: the interval of one quantile, and the bootstrap of a difference of two without resampling.

For independent units the rank of the true quantile is binomial, whatever the values are. That gives an interval for one
arm that is valid for any distribution, and it is also what a bootstrap of a quantile amounts to: the replicate is the
order statistic at a binomial index, so drawing rows is not needed (Schultzberg & Ankargren 2022). Here nothing is drawn
at all: each arm is represented by order statistics at equally probable indices, and all pairs are compared.

What can go wrong: events of one unit are not independent (use `quantiles`, which respects units); ties make the
difference lumpy and the interval as coarse as the values; an extreme quantile of few units has no interval, and no
bootstrap either, since there is no value beyond the last one to stand for the tail.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.stats.distributions import check_alpha
from abtest.stats.inference import Estimate, Inference, no_test

Floats = npt.NDArray[np.float64]
POINTS = 401
"""Order statistics per arm in the bootstrap: the ends of a 95 % interval are then off by less than .1 % in level."""


@dataclass(frozen=True, slots=True)
class RankInterval:
    """The order statistics `low` and `high` (ranks from 1; None: there is none) hold the quantile with probability
    `coverage`, at least 1 - alpha. Where values tie, the ends belong to the interval and the probability is a bound."""

    low: int | None
    high: int | None
    coverage: float


def rank_interval(n: int, at: float, *, alpha: float = 0.05) -> RankInterval:
    """Ranks of the order statistics between which the quantile `at` of `n` independent units lies.

    P(x_(l) <= quantile < x_(u)) = P(l <= B <= u - 1) for B binomial (n, at) (David & Nagaraja 2003, section 7.1), at most
    alpha / 2 on each side; the narrowest such pair. Raises ValueError for n < 1 and levels outside (0, 1).

    >>> found = rank_interval(20, 0.5)
    >>> found.low, found.high, round(found.coverage, 7)
    (6, 15, 0.9586105)
    """
    check_alpha(alpha)
    _check(n, at)
    first, left, right = _binomial_tails(n, at, alpha / 2.0)
    below = int(np.searchsorted(left, alpha / 2.0, side="right"))  # of how many k is P(B <= k) small enough
    above = len(right) - int(np.searchsorted(right[::-1], alpha / 2.0, side="right"))  # the first small P(B > k)
    low = first + below if below else None
    high = first + above + 1 if first + above + 1 <= n else None
    missed = (float(left[below - 1]) if low is not None else 0.0) + (float(right[above]) if high is not None else 0.0)
    return RankInterval(low, high, 1.0 - missed)


def bootstrap_ranks(n: int, at: float, points: int = POINTS) -> tuple[int, ...]:
    """Ranks (from 1) of `points` equally probable order statistics of the bootstrap distribution of a quantile.

    The replicate of the quantile `at` is the order statistic with a binomial (n + 1, at) index (Schultzberg & Ankargren
    2022); these are the indices at the levels (i + 1/2) / points, non-decreasing, within 1..n. Where one of them would lie
    outside, too few units are beyond the quantile for a bootstrap: then there is only the middle rank, a tuple of one.
    401 points need 9 units for the median, 63 for a 90th percentile, 665 for a 99th. Raises ValueError for n < 1, fewer
    than two points and levels outside (0, 1).

    >>> ranks = bootstrap_ranks(1000, 0.9)
    >>> ranks[10], ranks[200], ranks[390]
    (882, 901, 919)
    >>> bootstrap_ranks(5, 0.9)
    (5,)
    """
    _check(n, at)
    if points < 2:
        raise ValueError(f"need at least two points, got {points}")
    levels = (np.arange(points) + 0.5) / points
    first, left, _ = _binomial_tails(n + 1, at, 0.5 / points)
    ranks = first + np.searchsorted(left, levels)
    if ranks[0] < 1 or ranks[-1] > n:
        return (min(max(int(ranks[points // 2]), 1), n),)
    return tuple(ranks.tolist())


def bootstrap_contrast(
    treatment: Sequence[float], control: Sequence[float], estimate: tuple[float, float], *, alpha: float = 0.05
) -> Inference:
    """The difference of two quantiles from the order statistics at `bootstrap_ranks`, one sequence per arm.

    `estimate` holds the quantiles (treatment, control). The interval is that of the percentiles of all differences, drawn
    out to the estimate where ties leave it outside. The p-value is twice the share of differences that are not on the
    estimate's side of zero, but that of half a pair at least, so that p < alpha just when 0 lies outside. No lift. Method
    "bootstrap". No bounds where alpha is too small for that many pairs. Reasons: `not_enough_units` (an arm with fewer
    than two order statistics), `zero_variance` (ties: all differences are one value). Raises ValueError for values that
    are not finite, or so large that their difference is not.

    >>> found = bootstrap_contrast([5.0, 6.0, 7.0] * 5, [1.0, 2.0, 3.0] * 5, (6.0, 2.0))
    >>> found.absolute.estimate, found.absolute.low, found.absolute.high, round(found.p_value, 4)
    (4.0, 2.0, 6.0, 0.0044)
    """
    check_alpha(alpha)
    t, c = np.asarray(treatment, dtype=np.float64), np.asarray(control, dtype=np.float64)
    largest = float(np.max(np.abs(np.concatenate((t, c, estimate)))))
    if not largest <= sys.float_info.max / 2.0:  # a NaN is not, either
        raise ValueError("values must be finite, and so must their differences")
    difference = estimate[0] - estimate[1]
    if min(len(t), len(c)) < 2:
        return no_test("not_enough_units", "bootstrap", difference, relative_reason="no_lift")
    # By a power of two near the largest value, so that the squares under the standard error neither overflow nor vanish.
    size = math.ldexp(1.0, math.frexp(largest)[1] - 1) if largest > 0.0 else 1.0
    differences = np.sort(np.subtract.outer(t / size, c / size).ravel())
    if differences[0] == differences[-1]:
        return no_test("zero_variance", "bootstrap", difference, relative_reason="no_lift")
    total = len(differences)
    not_above = total if difference <= 0.0 else int(np.searchsorted(differences, 0.0, side="right"))
    not_below = total if difference >= 0.0 else total - int(np.searchsorted(differences, 0.0, side="left"))
    cut = math.floor(alpha / 2.0 * total) + 1
    while cut >= 0 and _p_value(cut, total) >= alpha:
        cut -= 1
    low = high = None
    if cut >= 0:
        low = min(difference, float(differences[cut]) * size)
        high = max(difference, float(differences[total - 1 - cut]) * size)
    return Inference(
        status="ok",
        reason=None,
        method="bootstrap",
        absolute=Estimate(difference, low, high, float(np.std(differences)) * size),
        relative_reason="no_lift",
        p_value=_p_value(min(not_above, not_below), total),
    )


def _p_value(count: int, total: int) -> float:
    """Twice a share of pairs; half a pair at least, since no share of a finite number of pairs is evidence for zero."""
    return min(1.0, 2.0 * max(0.5, float(count)) / total)


def _check(n: int, at: float) -> None:
    if n < 1 or not 0.0 < at < 1.0:
        raise ValueError(f"need units and a level strictly between 0 and 1, got {n} and {at!r}")


def _binomial_tails(n: int, at: float, smallest: float) -> tuple[int, Floats, Floats]:
    """The first k, and P(B <= k) and P(B > k) from there on, for B binomial (n, at).

    Only as far from the mean as either can be `smallest` or more: Bernstein's inequality bounds the tails beyond.
    """
    bits = 1.0 - math.log(smallest)
    reach = math.sqrt(2.0 * bits * n * at * (1.0 - at)) + bits + 1.0
    first, last = max(0, math.floor(n * at - reach)), min(n, math.ceil(n * at + reach))
    k = np.arange(first, last + 1, dtype=np.float64)
    # Not special.bdtr: it is off by .001 at ten million units and by .1 at a hundred million. No unit is above n.
    beyond = np.maximum(n - k, 1.0)
    left = np.where(k < n, special.betaincc(k + 1.0, beyond, at), 1.0)
    right = np.where(k < n, special.betainc(k + 1.0, beyond, at), 0.0)
    # Rounding must not make them turn back: they are searched.
    return first, np.maximum.accumulate(left), np.minimum.accumulate(right)
