"""Answers to surveys: the Net Promoter Score as a metric, and how reliable a scale of several items is.

The Net Promoter Score is a mean of 100, 0 and -100 per respondent, so the tests of means apply to it. It throws away
most of the 0-10 answer and varies a lot: thousands of respondents per arm for a few points. Cronbach's alpha says how
much of the variance of a summed scale its items share. It grows with the number of items, does not show that they
measure one thing, and turns low or negative when an item was not reverse-coded.

Only those who answered are in either. If the variants were answered at different rates, neither compares like with like.
"""

import math
import operator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.stats.distributions import check_alpha, critical_value
from abtest.stats.drivers import Matrix, standardise
from abtest.stats.moments import Moments, from_sums

Band = Literal["negative", "unusable", "weak", "good", "redundant"]

# The variance of a sum of items that cancel each other, as a fraction of the sum of all |covariances|: below this it is
# rounding, and alpha would be a huge negative number made of it.
CANCELLED = 1e-12

# An alpha or a correlation of exactly 0 can come out this far below it, which is no sign of a reversed item.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Reliability:
    """Cronbach's alpha of a scale of `items` items answered completely by `n` respondents.

    `status` is "ok", or "undefined" with a `reason`: `one_item` (alpha needs two), `no_units`, `one_unit`,
    `zero_variance` (the sum of the items does not vary). Then alpha, its interval and `band` are None.

    `alpha` is at most 1 and has no lower bound; `low`, `high` are Feldt's interval. `band`: "negative" (below 0: an item
    is most likely not reverse-coded), "unusable" (below .6), "weak" (below .7), "good", "redundant" (above .95: items
    that say the same). Per item, in their order: `item_rest`, its correlation with the sum of the others, in [-1, 1],
    None where one of the two does not vary; `alpha_if_dropped`, alpha of the others, None where that is undefined.
    """

    status: Literal["ok", "undefined"]
    reason: str | None
    alpha: float | None
    low: float | None
    high: float | None
    items: int
    n: int
    band: Band | None
    item_rest: tuple[float | None, ...]
    alpha_if_dropped: tuple[float | None, ...]

    @property
    def suspects(self) -> tuple[int, ...]:
        """Places of items that run against the rest (`item_rest` below 0): look first whether they need reversing."""
        return tuple(place for place, r in enumerate(self.item_rest) if r is not None and r < -ROUNDING)


def nps_moments(promoters: int, passives: int, detractors: int) -> Moments:
    """One arm's Net Promoter Score as moments of 100, 0, -100 per respondent (Reichheld 2003), for `welch`.

    The mean is the score, in points from -100 to 100; differences are in points too. A lift of a score means nothing,
    as its zero is no zero of anything. Raises ValueError for negative counts.

    >>> nps = nps_moments(promoters=50, passives=30, detractors=20)
    >>> nps.mean, round(nps.standard_error, 6)
    (30.0, 7.849596)
    """
    # As Python's integers: numpy's would overflow in the exact sums of millions of respondents.
    counts = [operator.index(count) for count in (promoters, passives, detractors)]
    if min(counts) < 0:
        raise ValueError(f"counts of respondents must not be negative, got {counts}")
    up, middle, down = counts
    present = [value for value, count in ((-100.0, down), (0.0, middle), (100.0, up)) if count]
    return from_sums(
        sum(counts),
        0,
        s1=100 * (up - down),
        s2=100**2 * (up + down),
        s3=100**3 * (up - down),
        minimum=min(present, default=None),
        maximum=max(present, default=None),
    )


def nps_respondents(points: float, variance: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Respondents per arm to find a difference of `points` between two scores with the chance `power`.

    n = (z_{1-alpha/2} + z_{power})^2 * 2 * variance / points^2, rounded up: the normal approximation for two arms of
    one size (e.g. van Belle 2008, Statistical Rules of Thumb, ch. 2). `points` lies in (0, 200]; `variance`, in squared
    points, is that of one respondent (`Moments.variance` of an earlier survey). These are answers, not invitations:
    divide by the response rate. Raises ValueError for arguments out of range, among them a power not above alpha.

    >>> nps_respondents(points=5, variance=6100)
    3831
    """
    check_alpha(alpha)
    if not alpha < power < 1.0:
        raise ValueError(f"power lies between alpha and 1, got {power!r}")
    if not 0.0 < points <= 200.0:
        raise ValueError(f"a difference of two scores lies in (0, 200] points, got {points!r}")
    if not 0.0 <= variance <= 20_000.0:
        # Half of two respondents at either end: no sample has more.
        raise ValueError(f"the variance of a score lies in [0, 20000] squared points, got {variance!r}")
    root = (critical_value(alpha) + float(special.ndtri(power))) * math.sqrt(2.0 * variance) / points
    if root > 1e9:
        raise ValueError(f"a difference of {points!r} points is too small to plan for")
    return max(2, math.ceil(root**2))


def cronbach_alpha(covariance: Matrix, n: int, *, confidence: float = 0.95) -> Reliability:
    """Reliability of the sum (or mean) of k items from their covariance matrix, shape (k, k), over `n` respondents.

    alpha = k / (k - 1) * (1 - sum of the variances / variance of the sum) (Cronbach 1951), with the interval of Feldt
    (1965); corrected item-rest correlations; alpha without each item. Items are reverse-coded already, and the
    covariances come from respondents who answered all of them. With several arms, pool the covariances within arms: a
    treatment that moves all items would pass for reliability. `confidence` is the level of the interval, in (0, 1).
    Statuses: see `Reliability`. Raises ValueError for a matrix that is no covariance matrix and for a negative n.

    >>> answers = np.array([[4, 5, 4], [2, 3, 2], [5, 5, 4], [3, 3, 4], [1, 2, 1], [4, 4, 5]])
    >>> scale = cronbach_alpha(np.cov(answers.T), n=6)
    >>> round(scale.alpha, 7), round(scale.low, 7), round(scale.high, 7), scale.band
    (0.9386892, 0.7402823, 0.9907374, 'good')
    """
    if n < 0:
        raise ValueError(f"n must not be negative, got {n}")
    _check_confidence(confidence)
    spread, correlation = standardise(covariance)
    k = len(spread)
    if n < 2:
        return _undefined("no_units" if n == 0 else "one_unit", k, n, (None,) * k, (None,) * k)
    others = [np.arange(k) != place for place in range(k)]
    item_rest = tuple(_item_rest(spread, correlation, rest) for rest in others)
    dropped = tuple(_alpha(spread[rest], correlation[np.ix_(rest, rest)]) for rest in others)
    coefficient = _alpha(spread, correlation)
    if coefficient is None:
        return _undefined("one_item" if k == 1 else "zero_variance", k, n, item_rest, dropped)
    low, high = feldt_interval(coefficient, k, n, confidence=confidence)
    return Reliability("ok", None, coefficient, low, high, k, n, _band(coefficient), item_rest, dropped)


def feldt_interval(coefficient: float, items: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a Cronbach's alpha `coefficient` (at most 1) from `items` >= 2 items and `n` >= 2 respondents.

    (1 - true alpha) / (1 - alpha) follows F with n - 1 and (n - 1)(k - 1) degrees of freedom if items are parallel and
    normal (Feldt 1965; Feldt, Woodruff & Salih 1987, eq. 6 and 7). Raises ValueError for arguments out of range.

    >>> low, high = feldt_interval(0.85, items=7, n=89)
    >>> round(low, 4), round(high, 4)
    (0.7971, 0.8932)
    """
    _check_confidence(confidence)
    if not -math.inf < coefficient <= 1.0 or items < 2 or n < 2:
        raise ValueError(f"need alpha <= 1, two items and two respondents, got {coefficient!r}, {items}, {n}")
    tail, df, df_within = (1.0 - confidence) / 2.0, n - 1, (n - 1) * (items - 1)
    # The upper quantile is the inverse of the lower one with the degrees of freedom swapped: asked for 1 - tail it would
    # lose the digits of a small tail.
    upper = 1.0 / float(special.fdtri(df_within, df, tail))
    lower = float(special.fdtri(df, df_within, tail))
    low, high = 1.0 - (1.0 - coefficient) * upper, 1.0 - (1.0 - coefficient) * lower
    if not math.isfinite(low):
        raise ValueError(f"no finite interval around alpha={coefficient!r}")
    return low, high


def disattenuated(effect: float, reliability: float) -> float:
    """The standardised effect (Cohen's d) on what a scale measures, from the one on the scale: d / sqrt(alpha).

    Random error in the answers widens their spread but moves no mean, so that a difference in units of that spread
    looks too small (Spearman 1904; Hunter & Schmidt 2004). Apply it to an estimate and the ends of its interval alike;
    test and p-value stay what they are. `reliability` lies in (0, 1] and is taken as known, which it is not in a small
    sample. Raises ValueError outside that range and for an effect that is or becomes infinite.

    >>> disattenuated(0.2, reliability=0.64)
    0.25
    """
    if not 0.0 < reliability <= 1.0:
        raise ValueError(f"a reliability to divide by lies in (0, 1], got {reliability!r}")
    true = effect / math.sqrt(reliability)
    if not math.isfinite(true):
        raise ValueError(f"no finite effect: {effect!r} at a reliability of {reliability!r}")
    return true


def _check_confidence(confidence: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must lie strictly between 0 and 1, got {confidence!r}")


def _alpha(spread: Matrix, correlation: Matrix) -> float | None:
    """Cronbach's alpha, or None where it is undefined."""
    k = len(spread)
    size = spread.max(initial=0.0)
    if k < 2 or size == 0.0:
        return None
    # Alpha has no unit; relative to the largest spread nothing overflows.
    covariance = correlation * np.outer(spread / size, spread / size)
    total = math.fsum(covariance.flat)
    if total <= CANCELLED * math.fsum(np.abs(covariance).flat):
        return None
    return min(1.0, k / (k - 1) * ((total - math.fsum(np.diagonal(covariance))) / total))


def _item_rest(spread: Matrix, correlation: Matrix, rest: npt.NDArray[np.bool_]) -> float | None:
    """Correlation of the item that `rest` leaves out with the sum of the others, or None where one does not vary."""
    item, size = int(np.flatnonzero(~rest)[0]), spread[rest].max(initial=0.0)
    if spread[item] == 0.0 or size == 0.0:
        return None
    weight = spread[rest] / size
    covariance = correlation[np.ix_(rest, rest)] * np.outer(weight, weight)
    variance = math.fsum(covariance.flat)
    if variance <= CANCELLED * math.fsum(np.abs(covariance).flat):
        return None
    return min(1.0, max(-1.0, math.fsum(correlation[item, rest] * weight) / math.sqrt(variance)))


def _undefined(
    reason: str, k: int, n: int, item_rest: tuple[float | None, ...], dropped: tuple[float | None, ...]
) -> Reliability:
    return Reliability("undefined", reason, None, None, None, k, n, None, item_rest, dropped)


def _band(alpha: float) -> Band:
    if alpha < -ROUNDING:
        return "negative"
    if alpha < 0.6:
        return "unusable"
    if alpha < 0.7:
        return "weak"
    return "good" if alpha <= 0.95 else "redundant"
