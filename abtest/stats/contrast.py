"""Two arms that each boil down to one estimate with one variance: the common core of means and ratios.

Anything that can name its estimate, the variance of that estimate and its degrees of freedom per arm (a mean, a
linearised ratio, an adjusted mean) gets its test, its two intervals and its margins from here.
"""

import math
from dataclasses import dataclass

from abtest.stats.distributions import critical_value, two_sided
from abtest.stats.inference import Estimate, Inference, no_test
from abtest.stats.lift import fieller


@dataclass(frozen=True, slots=True)
class Arm:
    """`value`, the variance of that value (a squared standard error, >= 0), its degrees of freedom (> 0, or inf)."""

    value: float
    variance: float
    df: float = math.inf


def satterthwaite(vt: float, df_t: float, vc: float, df_c: float) -> float:
    """Degrees of freedom of a sum of two independent variance estimates (Satterthwaite 1946; Welch 1947).

    `vt`, `vc` >= 0 are the variances, not both zero. The result lies between min(df) and df_t + df_c.

    >>> satterthwaite(1.0, 9, 1.0, 9)
    18.0
    """
    # In shares of the total: the squares of very small variances would underflow to 0/0.
    share = vt / (vt + vc)
    return 1.0 / (share**2 / df_t + (1.0 - share) ** 2 / df_c) if math.isfinite(df_t + df_c) else math.inf


def contrast(
    treatment: Arm,
    control: Arm,
    *,
    method: str,
    alpha: float = 0.05,
    critical: float | None = None,
    cov: float = 0.0,
) -> Inference:
    """Difference and lift of two arms with intervals at level 1 - alpha and the two-sided p-value of the difference.

    `cov` is the covariance of the two values (arms that share an adjustment). `critical` replaces the t quantile, for
    example by an always-valid boundary (see `sequential`); the p-value is then None. No variance in both arms: status
    `no_test`, reason `zero_variance`, with the point estimates.

    >>> contrast(Arm(10.8, 0.441), Arm(10.0, 0.4), method="welch").p_value.__round__(6)
    0.383016
    """
    difference = treatment.value - control.value
    variance = treatment.variance + control.variance - 2.0 * cov
    if variance <= 0.0:
        return no_test("zero_variance", method, difference, point_lift(treatment.value, control.value))
    se = math.sqrt(variance)
    df = satterthwaite(treatment.variance, treatment.df, control.variance, control.df)
    statistic = difference / se
    quantile = critical_value(alpha, df) if critical is None else critical
    lift = fieller(treatment.value, treatment.variance, control.value, control.variance, quantile, cov)
    return Inference(
        status="ok",
        reason=None,
        method=method,
        absolute=Estimate(difference, difference - quantile * se, difference + quantile * se, se),
        relative=lift if isinstance(lift, Estimate) else None,
        relative_reason=None if isinstance(lift, Estimate) else lift,
        statistic=statistic,
        df=df if math.isfinite(df) else None,
        p_value=two_sided(statistic, df) if critical is None else None,
        critical=quantile,
    )


def normal_inference(estimate: float, se: float, *, method: str, alpha: float, beyond: str) -> Inference:
    """One estimate with a known standard error `se` > 0 and no baseline to be relative to: z, its p-value and interval.

    `beyond` is the reason where z or a bound is beyond the largest float.

    >>> normal_inference(1.0, 0.5, method="z", alpha=0.05, beyond="too_large").p_value.__round__(6)
    0.0455
    """
    quantile = critical_value(alpha)
    if not (math.isfinite(estimate / se) and math.isfinite(abs(estimate) + quantile * se)):
        return no_test(beyond, method, relative_reason="no_baseline")
    return Inference(
        status="ok",
        reason=None,
        method=method,
        absolute=Estimate(estimate, estimate - quantile * se, estimate + quantile * se, se),
        relative_reason="no_baseline",
        statistic=estimate / se,
        p_value=two_sided(estimate / se),
        critical=quantile,
    )


def point_lift(treatment: float, control: float) -> float | None:
    """treatment / control - 1, or None where the control is not above zero.

    >>> point_lift(3.0, 2.0)
    0.5
    """
    if control <= 0.0:
        return None
    lift = (treatment - control) / control
    return lift if math.isfinite(lift) else None
