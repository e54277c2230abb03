"""Only some units could notice the change: analyse those, then say what it means for everybody.

A unit is triggered if its experience would differ between the arms, logged in both of them (in the control as "would
have seen it"). Leaving out the others removes noise, not effect. The effect on all units is the triggered one times the
share of triggered units, exactly; the lift is not (triggered units are usually heavier users), so it needs the mean of
the others as well. It all hangs on a trigger that the treatment cannot influence. Two checks tell: the triggered counts
must keep the split of the experiment (`srm`), and the others must not differ between the arms (`complement_check`).
"""

import math
from dataclasses import dataclass, replace

from abtest.stats.contrast import Arm, contrast
from abtest.stats.inference import Estimate, Inference, no_test
from abtest.stats.lift import fieller
from abtest.stats.means import mean_arm, welch
from abtest.stats.moments import Moments


@dataclass(frozen=True, slots=True)
class TriggeredArm:
    """One arm: moments of its triggered units and of its `others`, disjoint; together the units that were assigned."""

    triggered: Moments
    others: Moments


def trigger_rate(treatment: TriggeredArm, control: TriggeredArm) -> float | None:
    """Share of triggered units among all units of both arms, in [0, 1]; None without units.

    >>> some, rest = Moments(n=20, mean=2.0, m2=9.0), Moments(n=80, mean=1.0, m2=9.0)
    >>> trigger_rate(TriggeredArm(some, rest), TriggeredArm(some, rest))
    0.2
    """
    triggered = treatment.triggered.n + control.triggered.n
    units = triggered + treatment.others.n + control.others.n
    return triggered / units if units else None


def diluted(
    treatment: TriggeredArm, control: TriggeredArm, *, alpha: float = 0.05, critical: float | None = None
) -> Inference:
    """The effect on all units, from the triggered ones (Kohavi, Tang & Xu 2020, ch. 20; Deng & Hu 2015).

    absolute = r (m_t - m_c) with r the trigger rate, relative = r (m_t - m_c) / (r m_c + (1 - r) u_c) with m the means
    of triggered units, u_c of the control's others. Test and p-value are those of Welch on the triggered units. The
    rate counts as fixed: the statement is about these units, or others of which the same share will be triggered. The
    lift's interval is Fieller's and knows that both means contain u_c. Statuses as `welch` on the triggered units;
    `relative_reason` besides those of a lift: `no_units`, `one_unit` (the control's others have no mean or no error).

    >>> t = TriggeredArm(Moments(20_000, 2.06, 4.0 * 19_999), Moments(80_000, 1.0, 2.0 * 79_999))
    >>> c = TriggeredArm(Moments(20_000, 2.0, 4.0 * 19_999), Moments(80_000, 1.0, 2.0 * 79_999))
    >>> result = diluted(t, c)
    >>> round(result.absolute.estimate, 6), round(result.absolute.se, 6), round(result.relative.estimate, 6)
    (0.012, 0.004, 0.01)
    """
    rate = trigger_rate(treatment, control)
    base = welch(treatment.triggered, control.triggered, alpha=alpha, critical=critical)
    if base.status == "no_test" or rate is None:
        estimate = None if base.absolute is None or rate is None else rate * base.absolute.estimate
        return no_test(base.reason or "no_units", "triggered", estimate)
    arms = mean_arm(treatment.triggered), mean_arm(control.triggered)
    if rate == 1.0:
        return dilute(*arms, None, 1.0, alpha=alpha, critical=critical)
    if control.others.n < 2:
        found = dilute(*arms, None, rate, alpha=alpha, critical=critical)
        return replace(found, relative_reason="one_unit" if control.others.n else "no_units")
    return dilute(*arms, mean_arm(control.others), rate, alpha=alpha, critical=critical)


def dilute(
    treatment: Arm,
    control: Arm,
    others: Arm | None,
    rate: float,
    *,
    alpha: float = 0.05,
    critical: float | None = None,
    cov: float = 0.0,
) -> Inference:
    """The same from any two arms of triggered units (adjusted means, ratios per unit), `others` of the control's rest.

    `rate` in (0, 1] is the share of triggered units, `cov` the covariance of the two triggered values. Without `others`
    there is a lift only for a rate of 1 (`relative_reason`: `no_units`). Statuses: `zero_variance` as for `contrast`,
    `too_large` (beyond the largest float).

    >>> result = dilute(Arm(2.06, 2e-4), Arm(2.0, 2e-4), Arm(1.0, 2.5e-5), 0.2)
    >>> round(result.relative.estimate, 6), round(result.absolute.low, 6), round(result.relative.low, 6)
    (0.01, 0.00416, 0.003455)
    """
    if not 0.0 < rate <= 1.0:
        raise ValueError(f"a trigger rate lies in (0, 1], got {rate!r}")
    base = contrast(treatment, control, method="triggered", alpha=alpha, critical=critical, cov=cov)
    if base.absolute is None:  # for the type checker: contrast always estimates
        return base
    if base.statistic is not None and not math.isfinite(base.statistic):
        return no_test("too_large", "triggered")
    absolute = _times(base.absolute, rate)
    if rate == 1.0:
        return base
    if others is None:
        return replace(base, absolute=absolute, relative=None, relative_reason="no_units")
    mean = rate * control.value + (1.0 - rate) * others.value
    if base.status == "no_test" or base.critical is None:
        lift = absolute.estimate / mean if mean > 0.0 else None
        return no_test(base.reason or "zero_variance", "triggered", absolute.estimate, lift)
    shared = (1.0 - rate) ** 2 * others.variance
    found = fieller(
        mean + absolute.estimate,
        rate * rate * treatment.variance + shared,
        mean,
        rate * rate * control.variance + shared,
        base.critical,
        rate * rate * cov + shared,
    )
    if isinstance(found, str):
        return replace(base, absolute=absolute, relative=None, relative_reason=found)
    return replace(base, absolute=absolute, relative=found, relative_reason=None)


def complement_check(treatment: TriggeredArm, control: TriggeredArm, *, alpha: float = 0.05) -> Inference:
    """An A/A test on the units that were not triggered: Welch's t, method `complement`.

    They had the same experience in both arms, so an interval that excludes 0 says that the trigger misses units whose
    experience differs, or that it is logged differently in the arms; the diluted effect is then not to be trusted.
    No alarm is no proof: `absolute` shows what could have been seen. Statuses as for `welch`.

    >>> some, rest = Moments(n=20, mean=2.0, m2=9.0), Moments(n=80, mean=1.0, m2=9.0)
    >>> complement_check(TriggeredArm(some, rest), TriggeredArm(some, rest)).p_value
    1.0
    """
    return replace(welch(treatment.others, control.others, alpha=alpha), method="complement")


def _times(estimate: Estimate, rate: float) -> Estimate:
    return Estimate(
        rate * estimate.estimate,
        None if estimate.low is None else rate * estimate.low,
        None if estimate.high is None else rate * estimate.high,
        None if estimate.se is None else rate * estimate.se,
    )
