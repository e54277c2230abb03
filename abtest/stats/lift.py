"""Relative effects: intervals for treatment / control - 1.

Fieller's interval is the one that is shown: it contains 0 exactly when the absolute test does not reject, because both
ask the same question, "is m_t - (1 + L) m_c zero?", at L = 0. The delta and log intervals are here for comparison with
other tools; they can disagree with the absolute test.
"""

import math
from dataclasses import dataclass
from typing import Literal

from abtest.stats.inference import Estimate

LiftReason = Literal["control_not_positive", "treatment_not_positive", "lift_undefined"]


@dataclass(frozen=True, slots=True)
class FiellerSet:
    """All lifts L that the test of m_t - (1 + L) m_c = 0 does not reject.

    `bounded`: the interval [low, high]. `outside`: everything except the open interval (low, high), where the control
    mean is not distinguishable from zero but the two means are far apart; an end may be infinite. `everything`: every
    lift fits the data.
    """

    kind: Literal["bounded", "outside", "everything"]
    low: float
    high: float


def fieller_set(mt: float, vt: float, mc: float, vc: float, critical: float, cov: float = 0.0) -> FiellerSet:
    """Fieller's confidence set for the lift (Fieller 1954, eq. 4), bounded or not.

    `mt`, `mc` are the arm means, `vt`, `vc` the squared standard errors, `cov` the covariance of the two means,
    `critical` the quantile. The set holds all L with |m_t - (1 + L) m_c| <= critical * se(L), which is a quadratic
    inequality a L^2 - 2 b L + c <= 0.

    >>> fieller_set(10.8, 0.441, 1.0, 0.4, 1.96).kind
    'outside'
    """
    z2 = critical * critical
    # A lift has no unit: dividing everything by one size keeps the products below from overflowing or vanishing. A
    # power of two, so that no digit changes.
    size = max(abs(mt), abs(mc), math.sqrt(vt), math.sqrt(vc))
    if size == 0.0:
        return FiellerSet("everything", -math.inf, math.inf)
    size = math.ldexp(1.0, math.frexp(size)[1] - 1)
    mt, mc, vt, vc, cov = mt / size, mc / size, vt / size / size, vc / size / size, cov / size / size
    difference = mt - mc
    # In terms of the difference, not of the ratio: a root near 1 minus 1 would lose the digits of a small lift, and
    # `c` has the sign of the absolute test to the last bit, which makes the two agree by construction.
    a = mc * mc - z2 * vc
    b = difference * mc - z2 * (cov - vc)
    c = difference * difference - z2 * (vt + vc - 2.0 * cov)
    discriminant = z2 * (mc * mc * vt - 2.0 * mt * mc * cov + mt * mt * vc - z2 * (vt * vc - cov * cov))
    if discriminant < 0.0:
        if a <= 0.0:
            return FiellerSet("everything", -math.inf, math.inf)
        discriminant = 0.0
    root = math.sqrt(discriminant)
    if a == 0.0:
        # The limit of "outside": one end of the excluded gap has gone to infinity.
        if b == 0.0:
            return FiellerSet("everything", -math.inf, math.inf)
        end = c / (2.0 * b)
        return FiellerSet("outside", -math.inf, end) if b > 0.0 else FiellerSet("outside", end, math.inf)
    q = b + math.copysign(root, b)
    first = q / a
    second = c / q if q != 0.0 else first
    low, high = min(first, second), max(first, second)
    return FiellerSet("bounded" if a > 0.0 else "outside", low, high)


def fieller(
    mt: float, vt: float, mc: float, vc: float, critical: float, cov: float = 0.0
) -> Estimate | Literal["control_not_positive", "lift_undefined"]:
    """Lift with Fieller's interval, or the reason why there is none.

    Arguments as for `fieller_set`. A control mean of zero or below gives `control_not_positive`: "20 % more than -3"
    is read in two opposite ways. A control mean that cannot be told from zero (critical^2 * vc >= mc^2) gives
    `lift_undefined`: the set of lifts has no bounds. `se` is the delta-method standard error, for orientation.

    >>> lift = fieller(10.8, 0.441, 10.0, 0.4, 1.959964)
    >>> round(lift.low, 6), round(lift.high, 6)
    (-0.092068, 0.285776)
    >>> fieller(10.8, 0.441, 1.0, 0.4, 1.959964)
    'lift_undefined'
    """
    if mc <= 0.0:
        return "control_not_positive"
    found = fieller_set(mt, vt, mc, vc, critical, cov)
    if found.kind != "bounded":
        return "lift_undefined"
    low, high, estimate = found.low, found.high, (mt - mc) / mc
    if not (math.isfinite(low) and math.isfinite(high) and math.isfinite(estimate)):
        # A control mean of 1e-300 or so: the division overflows, and nobody can act on such a lift anyway.
        return "lift_undefined"
    return Estimate(estimate, low, high, _delta_se(mt, vt, mc, vc, cov))


def delta_lift(
    mt: float, vt: float, mc: float, vc: float, critical: float, cov: float = 0.0
) -> Estimate | Literal["control_not_positive"]:
    """Lift with the delta-method interval L +- critical * se, se^2 = (vt - 2 R cov + R^2 vc) / mc^2 with R = mt / mc.

    The first-order Taylor variance of a ratio (e.g. Deng, Knoblich & Lu 2018, eq. 4). For comparison with other tools.

    >>> round(delta_lift(10.8, 0.441, 10.0, 0.4, 1.959964).se, 7)
    0.0952659
    """
    if mc <= 0.0:
        return "control_not_positive"
    estimate, se = (mt - mc) / mc, _delta_se(mt, vt, mc, vc, cov)
    return Estimate(estimate, estimate - critical * se, estimate + critical * se, se)


def log_lift(
    mt: float, vt: float, mc: float, vc: float, critical: float, cov: float = 0.0
) -> Estimate | Literal["control_not_positive", "treatment_not_positive"]:
    """Lift with the interval made symmetric on the log scale: exp(log(mt/mc) +- critical * se_log) - 1.

    se_log^2 = vt/mt^2 + vc/mc^2 - 2 cov/(mt mc) (delta method on the logarithm; Katz et al. 1978). Needs both means
    above zero. `se` of the result is the delta-method standard error of the lift itself.

    >>> lift = log_lift(10.8, 0.441, 10.0, 0.4, 1.959964)
    >>> round(lift.low, 6), round(lift.high, 6)
    (-0.091469, 0.28383)
    """
    if mc <= 0.0:
        return "control_not_positive"
    if mt <= 0.0:
        return "treatment_not_positive"
    half = critical * math.sqrt(max(0.0, vt / mt**2 + vc / mc**2 - 2.0 * cov / (mt * mc)))
    centre = math.log(mt / mc)
    return Estimate(
        (mt - mc) / mc, math.expm1(centre - half), math.expm1(centre + half), _delta_se(mt, vt, mc, vc, cov)
    )


def _delta_se(mt: float, vt: float, mc: float, vc: float, cov: float) -> float:
    ratio = mt / mc
    return math.sqrt(max(0.0, vt - 2.0 * ratio * cov + ratio * ratio * vc)) / mc
