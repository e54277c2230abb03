"""Ratio metrics, sum of numerators / sum of denominators, where the unit of randomisation owns both parts.

A click-through rate per user-assigned experiment is such a ratio: views of one user are not independent, users are.
"""

import math
import sys

from abtest.stats.contrast import Arm, contrast, point_lift
from abtest.stats.distributions import two_sided
from abtest.stats.inference import Inference, no_test
from abtest.stats.moments import Moments, PairMoments


def ratio_arm(pair: PairMoments) -> Arm:
    """The ratio R with its delta-method variance and n - 1 degrees of freedom.

    var(R) = s_l^2 / n with the linearised unit values l_i = (x_i - R y_i) / mean_y (Deng, Knoblich & Lu 2018, eq. 4).
    Raises ValueError below two units or with a denominator that sums to zero.

    >>> from abtest.stats.moments import pair_of
    >>> ratio_arm(pair_of([1, 2, 3], [2, 4, 6]))
    Arm(value=0.5, variance=0.0, df=2)
    """
    if pair.n < 2:
        raise ValueError(f"a variance needs two units, got {pair.n}")
    if _vanishes(pair):
        raise ValueError("the denominator sums to zero")
    ratio = pair.x.mean / pair.y.mean
    parts = (pair.x.m2, -2.0 * ratio * pair.cross, ratio * ratio * pair.y.m2)
    squares = math.fsum(parts)
    # If every unit has the same ratio the three parts cancel and only rounding is left; taken for a variance it would
    # make an enormous t out of nothing.
    if squares <= 16.0 * sys.float_info.epsilon * sum(abs(part) for part in parts):
        squares = 0.0
    variance = squares / (pair.n - 1) / pair.n / pair.y.mean**2
    return Arm(ratio, variance, pair.n - 1)


def _vanishes(pair: PairMoments) -> bool:
    """Whether the mean denominator is zero, or so small that its square is."""
    return pair.y.mean * pair.y.mean == 0.0


def delta(
    treatment: PairMoments, control: PairMoments, *, alpha: float = 0.05, critical: float | None = None
) -> Inference:
    """Compare two ratios: delta-method variances, Welch degrees of freedom of the linearised values, Fieller's lift.

    Sources: Deng, Knoblich & Lu 2018 (eq. 4) for the variance, Satterthwaite 1946 for the degrees of freedom. Units
    without denominator stay in (their x and y are 0). `critical` replaces the t quantile; the p-value is then None.
    Statuses: `no_units`, `zero_denominator`, `one_unit`, `zero_variance`.

    >>> from abtest.stats.moments import pair_of
    >>> result = delta(pair_of([4, 1, 5, 3], [5, 2, 7, 3]), pair_of([3, 0, 5, 2], [5, 2, 8, 3]))
    >>> round(result.absolute.estimate, 6), round(result.absolute.se, 6)
    (0.20915, 0.106402)
    """
    if treatment.n == 0 or control.n == 0:
        return no_test("no_units", "delta")
    if _vanishes(treatment) or _vanishes(control):
        return no_test("zero_denominator", "delta")
    if treatment.n == 1 or control.n == 1:
        rt, rc = treatment.x.mean / treatment.y.mean, control.x.mean / control.y.mean
        return no_test("one_unit", "delta", rt - rc, point_lift(rt, rc))
    return contrast(ratio_arm(treatment), ratio_arm(control), method="delta", alpha=alpha, critical=critical)


def equal_ratios(first: PairMoments, second: PairMoments) -> float | None:
    """The p-value of "both ratios are one", with the spread of both arms pooled around that one ratio (a score test).

    Where the numerator is rare, an arm in which it is missing by chance has no spread of its own, and `delta` then takes
    the other's for all there is; here both share it. With a denominator of 1 and a numerator of 0 or 1 it is Pearson's
    chi-square of the 2 x 2 table (Rao 1948, the score test of a binomial). None below two units, without a denominator
    or without any spread.

    >>> from abtest.stats.moments import pair_of
    >>> ones, none = pair_of([1.0] * 12 + [0.0] * 8, [1.0] * 20), pair_of([1.0] * 5 + [0.0] * 15, [1.0] * 20)
    >>> round(equal_ratios(ones, none), 6)
    0.025161
    """
    arms = (first, second)
    below = [arm.n * arm.y.mean for arm in arms]
    if min(arm.n for arm in arms) < 2 or min(below) <= 0.0:
        return None
    ratio = math.fsum(arm.n * arm.x.mean for arm in arms) / math.fsum(below)
    squares = math.fsum(_around(arm, ratio) for arm in arms)
    n = first.n + second.n
    variance = squares / n * math.fsum(arm.n / b**2 for arm, b in zip(arms, below, strict=True))
    if variance <= 0.0:
        return None
    return two_sided((first.x.mean / first.y.mean - second.x.mean / second.y.mean) / math.sqrt(variance))


def _around(pair: PairMoments, ratio: float) -> float:
    """The sum of (x - ratio y)^2."""
    off = pair.x.mean - ratio * pair.y.mean
    within = pair.x.m2 - 2.0 * ratio * pair.cross + ratio * ratio * pair.y.m2
    return max(0.0, within) + pair.n * off * off


def effective_units(*parts: Moments) -> float:
    """By how many units, as if of equal weight, a total is made: (sum x)^2 / sum x^2 (Kish 1965); 0 without any.

    >>> from abtest.stats.moments import moments_of
    >>> effective_units(moments_of([0.0, 0.0, 5.0, 5.0]))
    2.0
    """
    squares = math.fsum(m.m2 + m.n * m.mean**2 for m in parts)
    return math.fsum(m.n * m.mean for m in parts) ** 2 / squares if squares > 0.0 else 0.0
