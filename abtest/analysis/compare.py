"""One metric, treatment against baseline: the test that fits its kind, its state, and its margin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from abtest.analysis.adjusting import Adjusting
from abtest.analysis.arms import Arm
from abtest.analysis.interval import interval_of
from abtest.analysis.procedures import Procedure, procedure_of, raw_procedure, with_lift
from abtest.analysis.result import Adjustment, ArmValue, Comparison, Equivalence, Interval, MarginResult, State
from abtest.language.model import Margin, Metric, MetricUse, Plan
from abtest.stats import margins
from abtest.stats.inference import Inference
from abtest.stats.sequential import critical, optimal_kappa, p_value

Estimator = Literal["mean", "proportion", "ratio", "quantile"]


@dataclass(frozen=True)
class Setting:
    """How this run tests: `early` (a fixed plan read before its end) and `progress`, the share of the plan in the data."""

    plan: Plan
    early: bool
    progress: float


def estimator_of(metric: Metric, arms: Mapping[str, Arm]) -> Estimator:
    if metric.quantile is not None:
        return "quantile"
    if metric.pooled:
        return "ratio"
    return "proportion" if any(a.counts is not None for a in arms.values()) else "mean"


def always_valid(procedure: Procedure, alpha: float, progress: float) -> tuple[Inference, float | None]:
    """The same estimate with a band that holds at every look, tightest at the planned end, and its p-value."""
    kappa = optimal_kappa(alpha) * max(progress, 1e-6)
    band = procedure.infer(alpha, critical(kappa, alpha))
    if band.status != "ok" or band.absolute is None or not band.absolute.se:
        return band, None
    return band, p_value(band.absolute.estimate / band.absolute.se, kappa)


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
    fixed = with_lift(procedure.infer(alpha, None), procedure, plan.lift)
    band, band_p = always_valid(procedure, alpha, setting.progress)
    band = with_lift(band, procedure, plan.lift)
    if metric.unit_of_value == "points":
        # A score such as NPS is an absolute number: 20 % more of 3 points says nothing.
        fixed, band = (replace(i, relative=None, relative_reason="score") for i in (fixed, band))
    judged, p = (band, band_p) if setting.early or plan.method == "sequential" else (fixed, fixed.p_value)
    shown = band if plan.method == "sequential" else fixed
    needs_band = setting.early or plan.method == "sequential"
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
        p_value=p if plan.method == "sequential" else fixed.p_value,
        p_adjusted=None,
        state=state_of(metric, judged, p, plan.alpha),
        margin=_margin(metric, use.margin, judged, procedure) if use.role == "guardrail" and use.margin else None,
        always_valid=interval_of(band.relative) if needs_band else None,
        always_valid_absolute=interval_of(band.absolute) if needs_band else None,
        adjustment=None if procedure.adjusting is None else _adjustment(procedure.adjusting, treatment, control, alpha),
        unadjusted=procedure.unadjusted,
        scale=procedure.scale,
        equivalence=None
        if detect is None or metric.unit_of_value == "points"
        else equivalence(procedure, judged, detect, plan.alpha),
        clustering=procedure.clustering,
    )


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
    value = deviation = total = None
    if arm.quantile is not None:
        value = arm.quantile.value
    elif arm.pair is not None:
        value = arm.pair.x.mean / arm.pair.y.mean if arm.pair.y.mean else None
        total = arm.pair.x.total
    elif arm.moments is not None:
        value = arm.moments.mean
        total = arm.moments.total
        deviation = arm.moments.variance**0.5 if arm.moments.n > 1 else None
    return ArmValue(variant, arm.exposed, arm.used, arm.immature, arm.missing, value, deviation, total, arm.capped)


def flat(comparison: Comparison) -> bool:
    """Whether the effect is shown to be smaller than the smallest change worth acting on."""
    return comparison.equivalence is not None and comparison.equivalence.shown
