"""Proportions of two arms: one score test with both of its intervals, and the reference intervals of other tools."""

import math

from abtest.stats.contrast import point_lift
from abtest.stats.distributions import critical_value, two_sided
from abtest.stats.inference import Estimate, Inference, no_test
from abtest.stats.moments import Counts
from abtest.stats.score_family import Interval, koopman, mee, miettinen_nurminen, pooled_z

__all__ = ["miettinen_nurminen", "newcombe", "score", "wald", "wilson"]


def score(treatment: Counts, control: Counts, *, alpha: float = 0.05) -> Inference:
    """The pooled z-test with Mee's interval for the difference and Koopman's for the lift.

    All three invert the same score test, so p < alpha exactly when 0 lies outside both intervals. Intervals exist at
    0 of n and n of n too. `absolute` is in shares (0.01 = one percentage point), `se` the unpooled standard error, for
    orientation. A control without a success has no lift (`control_not_positive`); `koopman` still bounds the ratio
    from below. Status `no_test`, `no_units` if an arm is empty. For an interval by another critical value (sequential,
    adjusted) treat the proportion as a mean: `welch(t.moments, c.moments, critical=...)`.

    >>> result = score(Counts(56, 70), Counts(48, 80))
    >>> round(result.p_value, 6), round(result.absolute.low, 4), round(result.relative.low, 4)
    (0.008045, 0.0533, 0.0798)
    """
    if treatment.n == 0 or control.n == 0:
        return no_test("no_units", "score")
    statistic = pooled_z(treatment, control)
    difference = treatment.rate - control.rate
    low, high = mee(treatment, control, alpha=alpha)
    lift = point_lift(treatment.rate, control.rate)
    relative = None
    if lift is not None:
        ratio_low, ratio_high = koopman(treatment, control, alpha=alpha)
        relative = Estimate(
            lift,
            ratio_low - 1.0,
            None if ratio_high is None else ratio_high - 1.0,
            math.sqrt(_variance(treatment) + (1.0 + lift) ** 2 * _variance(control)) / control.rate,
        )
    return Inference(
        status="ok",
        reason=None,
        method="score",
        absolute=Estimate(difference, low, high, math.sqrt(_variance(treatment) + _variance(control))),
        relative=relative,
        relative_reason=None if relative is not None else "control_not_positive",
        statistic=statistic,
        p_value=two_sided(statistic),
        critical=critical_value(alpha),
    )


def wilson(counts: Counts, *, alpha: float = 0.05) -> Interval:
    """Score interval for one proportion, within [0, 1] (Wilson 1927). Raises ValueError without units.

    >>> low, high = wilson(Counts(0, 10))
    >>> round(low, 6), round(high, 6)
    (0.0, 0.277533)
    """
    p, n, z = counts.rate, counts.n, critical_value(alpha)
    shrink = 1.0 + z * z / n
    centre = (p + z * z / (2 * n)) / shrink
    half = z * math.sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n)) / shrink
    # At 0 of n and n of n the end is exact; rounding must not move it to 1e-17 or past 1.
    low = 0.0 if counts.successes == 0 else centre - half
    high = 1.0 if counts.successes == n else centre + half
    return low, high


def newcombe(treatment: Counts, control: Counts, *, alpha: float = 0.05) -> Interval:
    """Hybrid score interval for p_t - p_c, method 10 of Newcombe 1998. For reference; not dual to the pooled z.

    >>> low, high = newcombe(Counts(56, 70), Counts(48, 80))
    >>> round(low, 4), round(high, 4)
    (0.0524, 0.3339)
    """
    pt, pc = treatment.rate, control.rate
    low_t, high_t = wilson(treatment, alpha=alpha)
    low_c, high_c = wilson(control, alpha=alpha)
    return pt - pc - math.hypot(pt - low_t, high_c - pc), pt - pc + math.hypot(high_t - pt, pc - low_c)


def wald(treatment: Counts, control: Counts, *, alpha: float = 0.05) -> Interval:
    """p_t - p_c +- z * unpooled standard error. For reference: it has no width at 0 of n and may leave [-1, 1].

    >>> low, high = wald(Counts(56, 70), Counts(48, 80))
    >>> round(low, 4), round(high, 4)
    (0.0575, 0.3425)
    """
    difference = treatment.rate - control.rate
    half = critical_value(alpha) * math.sqrt(_variance(treatment) + _variance(control))
    return difference - half, difference + half


def _variance(counts: Counts) -> float:
    return counts.rate * (1.0 - counts.rate) / counts.n
