"""Order statistics: the interval of one quantile, and the bootstrap of a difference of two without resampling.

For independent units the rank of the true quantile is binomial, whatever the values are. That gives an interval for one
arm that is valid for any distribution, and it is also what a bootstrap of a quantile amounts to: the replicate is the
order statistic at a binomial index, so drawing rows is not needed (Schultzberg & Ankargren 2022). Here nothing is drawn
at all: each arm is represented by order statistics at equally probable indices, and all pairs are compared.

What can go wrong: events of one unit are not independent (use `quantiles`, which respects units); ties make the
difference lumpy; an extreme quantile of few units has no interval.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from abtest.stats.distributions import check_alpha
from abtest.stats.inference import Estimate, Inference, no_test

POINTS = 401
"""Order statistics per arm in the bootstrap: the ends of a 95 % interval are then off by less than .1 % in level."""


@dataclass(frozen=True, slots=True)
class RankInterval:
    """The order statistics `low` and `high` (ranks from 1; None: there is none) hold the quantile with probability
    `coverage`, at least 1 - alpha when both are given."""

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
    if n < 1 or not 0.0 < at < 1.0:
        raise ValueError(f"need units and a level strictly between 0 and 1, got {n} and {at!r}")
    first, cumulated = _binomial_cdf(n, at)
    below = first + int(np.searchsorted(cumulated, alpha / 2.0, side="right"))  # how many k have P(B <= k) <= alpha / 2
    low = below if below > first else None
    above = first + int(np.searchsorted(cumulated, 1.0 - alpha / 2.0, side="left")) + 1
    high = above if above <= n else None
    left = float(cumulated[low - 1 - first]) if low is not None else 0.0
    right = float(cumulated[high - 1 - first]) if high is not None else 1.0
    return RankInterval(low, high, right - left)


def bootstrap_ranks(n: int, at: float, points: int = POINTS) -> tuple[int, ...]:
    """Ranks (from 1) of `points` equally probable order statistics of the bootstrap distribution of a quantile.

    The replicate of the quantile `at` is the order statistic with a binomial (n + 1, at) index (Schultzberg & Ankargren
    2022); these are the indices at the levels (i + 1/2) / points. Non-decreasing, within 1..n.

    >>> ranks = bootstrap_ranks(1000, 0.9)
    >>> ranks[10], ranks[200], ranks[390]
    (882, 901, 919)
    """
    if n < 1 or not 0.0 < at < 1.0:
        raise ValueError(f"need units and a level strictly between 0 and 1, got {n} and {at!r}")
    first, cumulated = _binomial_cdf(n + 1, at)
    levels = (np.arange(points) + 0.5) / points
    return tuple(np.clip(first + np.searchsorted(cumulated, levels), 1, n).tolist())


def bootstrap_contrast(
    treatment: Sequence[float], control: Sequence[float], estimate: tuple[float, float], *, alpha: float = 0.05
) -> Inference:
    """The difference of two quantiles from the order statistics at `bootstrap_ranks`, one sequence per arm.

    `estimate` holds the quantiles (treatment, control). The interval is that of the percentiles of all differences, the
    p-value twice the smaller share of them on one side of zero, so that p < alpha just when 0 lies outside. No lift.
    Method "bootstrap". Reason `not_enough_units` without order statistics.

    >>> found = bootstrap_contrast([5.0, 6.0, 7.0], [1.0, 2.0, 3.0], (6.0, 2.0))
    >>> found.absolute.estimate, found.p_value < 0.2
    (4.0, True)
    """
    check_alpha(alpha)
    if not treatment or not control:
        return no_test("not_enough_units", "bootstrap")
    differences = np.sort(np.subtract.outer(np.asarray(treatment, float), np.asarray(control, float)).ravel())
    total = len(differences)
    # Half a pair as the least: no share of a finite number of pairs is evidence for zero.
    lower = max(0.5, float(np.searchsorted(differences, 0.0, side="right"))) / total
    upper = max(0.5, total - float(np.searchsorted(differences, 0.0, side="left"))) / total
    p_value = min(1.0, 2.0 * min(lower, upper))
    cut = math.floor(alpha / 2.0 * total)
    low, high = float(differences[cut]), float(differences[total - 1 - cut])
    return Inference(
        status="ok",
        reason=None,
        method="bootstrap",
        absolute=Estimate(estimate[0] - estimate[1], low, high, float(np.std(differences))),
        relative_reason="no_lift",
        p_value=p_value,
    )


def _binomial_cdf(n: int, at: float) -> tuple[int, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """The first k, and P(B <= k) from there on, as far as these are neither 0 nor 1 to twelve standard deviations."""
    reach = 12.0 * math.sqrt(n * at * (1.0 - at)) + 40.0
    first, last = max(0, math.floor(n * at - reach)), min(n, math.ceil(n * at + reach))
    return first, np.asarray(special.bdtr(np.arange(first, last + 1, dtype=np.float64), n, at), dtype=np.float64)
