"""One metric, treatment against baseline: the test that fits its kind, its state, and its margin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from abtest.analysis.adjusting import Adjusting
from abtest.analysis.arms import Arm, value_of
from abtest.analysis.believed import believed_margin, believed_of
from abtest.analysis.interval import interval_of
from abtest.analysis.procedures import Procedure, procedure_of, raw_procedure
from abtest.analysis.reading import Setting as Setting
from abtest.analysis.reading import read_now
from abtest.analysis.result import Adjustment, ArmValue, Comparison, Equivalence, Interval, MarginResult, State
from abtest.language.model import Margin, Metric, MetricUse
from abtest.stats import margins
from abtest.stats.inference import Inference

Estimator = Literal["mean", "proportion", "ratio", "quantile"]


def estimator_of(metric: Metric, arms: Mapping[str, Arm]) -> Estimator:
    if metric.quantile is not None:
        return "quantile"
    if metric.pooled:
        return "ratio"
    return "proportion" if any(a.counts is not None for a in arms.values()) else "mean"


def compare(
    metric: Metric,
    use: MetricUse,
    variant: str,
    treatment: Arm,
    control: Arm,
    setting: Setting,
    detect: float | None = None,
) -> Comparison:
    """The comparison without its adjusted p-value and, for what the plan corrects, without its final state.

    `detect`: the smallest relative change worth acting on, against which equivalence is tested.
    """
    plan = setting.plan
    alpha = 2 * plan.guardrail_alpha if use.role == "guardrail" else plan.alpha
    procedure = procedure_of(metric, treatment, control, use.role == "guardrail")
    read = read_now(procedure, setting, alpha, metric.name)
    if metric.unit_of_value == "points":
        # A score such as NPS is an absolute number: 20 % more of 3 points says nothing.
        read = read.without_lift("score")
    believed = believed_of(read.fixed, plan, setting.prior(metric.name), value_of(control), metric.better, alpha)
    # Read early, a bayesian plan is judged by the band like a fixed one, and tells its belief beside it.
    by_belief = believed is not None and not setting.early
    if believed is not None and by_belief:
        read = replace(read, shown=believed.inference, judged=believed.inference, p=None)
    fixed, shown, judged, p, band = read.fixed, read.shown, read.judged, read.p, read.band
    margin = None
    if use.role == "guardrail" and use.margin:
        if by_belief:
            margin = believed_margin(use.margin, judged, metric.better or "higher")
        else:
            margin = _margin(metric, use.margin, judged, procedure)
    return Comparison(
        variant=variant,
        status=fixed.status,
        reason=fixed.reason,
        method=fixed.method,
        absolute=interval_of(shown.absolute),
        relative=interval_of(shown.relative),
        relative_reason=shown.relative_reason if shown.relative is None else None,
        statistic=fixed.statistic,
        df=fixed.df,
        p_value=fixed.p_value if setting.early else p,
        p_adjusted=None,
        state=state_of(metric, judged, 0.0 if by_belief else p, plan.alpha),
        margin=margin,
        always_valid=interval_of(band.relative) if band is not None else None,
        always_valid_absolute=interval_of(band.absolute) if band is not None else None,
        adjustment=None if procedure.adjusting is None else _adjustment(procedure.adjusting, treatment, control, alpha),
        unadjusted=procedure.unadjusted,
        scale=procedure.scale,
        equivalence=None
        if detect is None or metric.unit_of_value == "points"
        else inside(judged, detect)
        if by_belief
        else equivalence(procedure, judged, detect, plan.alpha),
        clustering=procedure.clustering,
        believed=None if believed is None else believed.told,
    )


def inside(judged: Inference, detect: float) -> Equivalence | None:
    """Whether a credible interval lies within the smallest change worth acting on."""
    found = judged.relative
    if found is None or found.low is None or found.high is None:
        return None
    return Equivalence(detect, None, -detect < found.low and found.high < detect)


def equivalence(procedure: Procedure, judged: Inference, detect: float, alpha: float) -> Equivalence | None:
    """Is the effect shown to be smaller than `detect`, either way? Two one-sided tests at alpha (Schuirmann 1987); by
    a band, whether all of it lies inside."""
    if procedure.hold is None or not 0.0 < detect < 1.0:
        return None
    margin = margins.Margin("relative", detect)
    sides = [procedure.hold(judged, margin, better) for better in ("higher", "lower")]
    if any(side.status != "ok" for side in sides):
        return None
    p_values = [side.p_value for side in sides if side.p_value is not None]
    if len(p_values) == 2:
        return Equivalence(detect, max(p_values), max(p_values) < alpha)
    return Equivalence(detect, None, all(side.low is not None and side.low > -1.0 for side in sides))


def _adjustment(found: Adjusting, treatment: Arm, control: Arm, alpha: float) -> Adjustment:
    """What the effect was adjusted by, beside the raw effect."""
    raw = raw_procedure(treatment, control).infer(alpha, None)
    ratio = found.arms.variance_ratio
    return Adjustment(
        covariates=found.used,
        unused=found.unused,
        unknown=found.missing,
        traffic=1.0 / ratio if ratio > 0.0 else 1.0,
        control=found.arms.control.value,
        treatment=found.arms.treatment.value,
        raw_absolute=interval_of(raw.absolute),
        raw_relative=interval_of(raw.relative),
        raw_p_value=raw.p_value,
    )


def state_of(metric: Metric, inference: Inference, p: float | None, alpha: float) -> State:
    """Better or worse: the interval on one side of zero and p below alpha; the direction of a metric without `better`
    is up."""
    if inference.status != "ok" or inference.absolute is None:
        return "no_test"
    low, high = inference.absolute.low, inference.absolute.high
    if p is None or p >= alpha:
        return "unclear"
    if low is None and high is None and inference.p_value is not None:
        # A test with a p-value and no interval speaks by its sign.
        low = high = inference.absolute.estimate
    if low is not None and low > 0:
        return "worse" if metric.better == "lower" else "better"
    if high is not None and high < 0:
        return "better" if metric.better == "lower" else "worse"
    return "unclear"


def _margin(metric: Metric, margin: Margin, inference: Inference, procedure: Procedure) -> MarginResult:
    if procedure.hold is None:
        return MarginResult(margin.kind, margin.size, None, None, "no_test")
    found = procedure.hold(inference, margins.Margin(margin.kind, margin.size), metric.better or "higher")
    effect = None if found.estimate is None else Interval(found.estimate, found.low, found.high)
    return MarginResult(margin.kind, margin.size, effect, found.p_value, margins.guardrail_state(found))


def arm_value(variant: str, arm: Arm) -> ArmValue:
    deviation = total = None
    if arm.quantile is None and arm.pair is not None:
        total = arm.pair.x.total
    elif arm.quantile is None and arm.moments is not None:
        total = arm.moments.total
        deviation = arm.moments.variance**0.5 if arm.moments.n > 1 else None
    return ArmValue(
        variant, arm.exposed, arm.used, arm.immature, arm.missing, value_of(arm), deviation, total, arm.capped
    )


def flat(comparison: Comparison) -> bool:
    """Whether the effect is shown to be smaller than the smallest change worth acting on."""
    return comparison.equivalence is not None and comparison.equivalence.shown
