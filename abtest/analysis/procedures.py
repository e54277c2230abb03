"""Which test a comparison gets: one value that answers for the effect, its intervals and its margin.

Everything that is shown of a comparison comes from one `Procedure`, so that p-value, both intervals and the state of a
guardrail cannot contradict each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from abtest.analysis.adjusting import Adjusting, adjusted
from abtest.analysis.arms import Arm
from abtest.analysis.chosen_tests import CHOSEN, ON_ANSWERS, SCALES, lifetable, log_rank_of, rmst_of, wants_exact
from abtest.analysis.clustering import Clusters, cluster_margin_arms, cluster_test, clustering_of
from abtest.analysis.result import Clustering, Scale, Unadjusted
from abtest.analysis.thresholds import NPS_ANSWERS
from abtest.language.model import Metric
from abtest.stats import contrast as contrasts
from abtest.stats import margins
from abtest.stats.inference import Inference, no_test
from abtest.stats.lift import delta_lift, log_lift
from abtest.stats.margins import MarginTest
from abtest.stats.means import mean_arm, welch
from abtest.stats.moments import Counts, Moments, PairMoments
from abtest.stats.proportions import score
from abtest.stats.quantiles import Quantile, quantile_arm, quantile_contrast
from abtest.stats.ratios import delta, ratio_arm
from abtest.stats.survival import rmst_arm

ArmData = Moments | PairMoments | Counts | Quantile
Infer = Callable[[float, float | None], Inference]
Hold = Callable[[Inference, margins.Margin, Literal["higher", "lower"]], MarginTest]


@dataclass(frozen=True)
class Procedure:
    """`infer(alpha, critical)` is the effect, with intervals at 1 - alpha or by a critical value of the caller's;
    `hold(inference, margin, better)` the test against a margin, None where there is none. `scale` says what the effect
    is a difference of, `arms` are the two values with their variances and covariance, where there are such.
    """

    infer: Infer
    hold: Hold | None = None
    adjusting: Adjusting | None = None
    unadjusted: Unadjusted | None = None
    scale: Scale = "value"
    arms: tuple[contrasts.Arm, contrasts.Arm, float] | None = None
    clustering: Clustering | None = None


def data_of(arm: Arm) -> ArmData | None:
    return arm.quantile or arm.counts or arm.pair or arm.moments


def procedure_of(metric: Metric, treatment: Arm, control: Arm, guarded: bool = False) -> Procedure:
    """The test that fits the kind of data, adjusted where there is something to adjust by; or the one asked for.

    `guarded`: a margin will be asked about, which exact tests cannot answer.
    """
    if metric.unit_of_value == "points" and 0 < min(treatment.used, control.used) < NPS_ANSWERS:
        return Procedure(lambda alpha, critical: no_test("few_answers", "none"))
    if treatment.clustered and control.clustered:
        return _clustered_procedure(treatment, control)
    if metric.test is not None:
        return replace(_asked_for(metric, treatment, control), unadjusted="test")
    raw = raw_procedure(treatment, control, guarded)
    if treatment.covaried is None and control.covaried is None:
        return raw
    found = adjusted(treatment.covaried, control.covaried, (treatment.counts, control.counts))
    if not isinstance(found, Adjusting):
        return replace(raw, unadjusted=found)
    return _adjusted_test(found)


def _asked_for(metric: Metric, treatment: Arm, control: Arm) -> Procedure:
    """The test that the definition names."""
    test = metric.test or ""
    if data_of(treatment) is None or data_of(control) is None:
        return raw_procedure(treatment, control)
    if test in ON_ANSWERS and (treatment.counts is None or control.counts is None):
        return Procedure(lambda alpha, critical: no_test("not_yes_or_no", test))
    if test == "welch":
        t, c = (a.counts.moments if a.counts is not None else a.moments for a in (treatment, control))
        return _mean_test(t, c) if t is not None and c is not None else raw_procedure(treatment, control)
    never = float(metric.window.days or 0)
    chosen = {"rmst": rmst_of(never), "log_rank": log_rank_of(never), **CHOSEN}.get(test)
    if chosen is None:
        return raw_procedure(treatment, control, guarded=True)
    procedure = Procedure(
        lambda alpha, critical: chosen(treatment, control, alpha, critical), scale=SCALES.get(test, "value")
    )
    if test != "rmst":
        return procedure
    tables = lifetable(treatment, never), lifetable(control, never)
    if tables[0] is None or tables[1] is None:
        return procedure
    if min(table.n for table in tables if table is not None) < 2:
        return procedure
    return _contrast_test("rmst", rmst_arm(tables[0], never), rmst_arm(tables[1], never), 0.0)


def raw_procedure(treatment: Arm, control: Arm, guarded: bool = False) -> Procedure:
    """The test without adjustment."""
    t, c = data_of(treatment), data_of(control)
    if t is None or c is None:
        reason = _why_empty(treatment if t is None else control)
        return Procedure(lambda alpha, critical: no_test(reason, "none"))
    if isinstance(t, Quantile) and isinstance(c, Quantile):
        return _quantile_test(t, c)
    if isinstance(t, PairMoments) and isinstance(c, PairMoments):
        return _ratio_test(t, c)
    if isinstance(t, Counts) and isinstance(c, Counts):
        if not guarded and wants_exact(t, c):
            return Procedure(lambda alpha, critical: CHOSEN["exact"](treatment, control, alpha, critical))
        return _proportion_test(t, c)
    assert isinstance(t, (Moments, Counts))
    assert isinstance(c, (Moments, Counts))
    return _mean_test(*(a.moments if isinstance(a, Counts) else a for a in (t, c)))


def _clustered_procedure(treatment: Arm, control: Arm) -> Procedure:
    """Clusters are the observations, whatever the metric."""
    if data_of(treatment) is None or data_of(control) is None:
        return raw_procedure(treatment, control)
    t, c = treatment.clusters, control.clusters
    if t is None or c is None:
        # The order statistics of units say nothing of how clusters vary.
        return Procedure(lambda alpha, critical: no_test("clustered", "none"))
    return _cluster_test(t, c)


def _cluster_test(t: Clusters, c: Clusters) -> Procedure:
    def hold(inference: Inference, margin: margins.Margin, better: Literal["higher", "lower"]) -> MarginTest:
        if inference.status != "ok":
            return MarginTest("no_test", inference.reason)
        return margins.non_inferiority(inference, margin, better, *cluster_margin_arms(t, c))

    return Procedure(lambda alpha, critical: cluster_test(t, c, alpha, critical), hold, clustering=clustering_of(t, c))


def _why_empty(arm: Arm) -> str:
    if arm.exposed == 0:
        return "no_units"
    return "no_mature_units" if arm.immature == arm.exposed else "all_missing"


def _mean_test(t: Moments, c: Moments) -> Procedure:
    return Procedure(
        lambda alpha, critical: welch(t, c, alpha=alpha, critical=critical),
        lambda inference, margin, better: margins.non_inferiority(inference, margin, better, t, c),
        arms=(mean_arm(t), mean_arm(c), 0.0) if min(t.n, c.n) > 1 else None,
    )


def _ratio_test(t: PairMoments, c: PairMoments) -> Procedure:
    return Procedure(
        lambda alpha, critical: delta(t, c, alpha=alpha, critical=critical),
        lambda inference, margin, better: margins.non_inferiority(inference, margin, better, t, c),
        arms=(ratio_arm(t), ratio_arm(c), 0.0) if min(t.n, c.n) > 1 and t.y.mean and c.y.mean else None,
    )


def _quantile_test(t: Quantile, c: Quantile) -> Procedure:
    def hold(inference: Inference, margin: margins.Margin, better: Literal["higher", "lower"]) -> MarginTest:
        if inference.status != "ok":
            return MarginTest("no_test", inference.reason)
        return margins.non_inferiority(inference, margin, better, quantile_arm(t), quantile_arm(c))

    return Procedure(lambda alpha, critical: quantile_contrast(t, c, alpha=alpha, critical=critical), hold)


def _proportion_test(t: Counts, c: Counts) -> Procedure:
    """The score test; by a critical value of the caller's, the proportions are means."""

    def infer(alpha: float, critical: float | None) -> Inference:
        return score(t, c, alpha=alpha) if critical is None else welch(t.moments, c.moments, critical=critical)

    def hold(inference: Inference, margin: margins.Margin, better: Literal["higher", "lower"]) -> MarginTest:
        data = (t, c) if inference.method == "score" else (t.moments, c.moments)
        return margins.non_inferiority(inference, margin, better, *data)

    arms = (mean_arm(t.moments), mean_arm(c.moments), 0.0) if min(t.n, c.n) > 1 else None
    return Procedure(infer, hold, arms=arms)


def _adjusted_test(found: Adjusting) -> Procedure:
    return replace(
        _contrast_test(found.method, found.arms.treatment, found.arms.control, found.arms.cov), adjusting=found
    )


def _contrast_test(method: str, t: contrasts.Arm, c: contrasts.Arm, cov: float) -> Procedure:
    """Two values with their variances."""

    def infer(alpha: float, critical: float | None) -> Inference:
        return contrasts.contrast(t, c, method=method, alpha=alpha, critical=critical, cov=cov)

    def hold(inference: Inference, margin: margins.Margin, better: Literal["higher", "lower"]) -> MarginTest:
        return margins.non_inferiority(inference, margin, better, t, c, cov=cov)

    return Procedure(infer, hold, arms=(t, c, cov))


def with_lift(inference: Inference, procedure: Procedure, how: Literal["fieller", "delta", "log"]) -> Inference:
    """The inference with the interval of its lift made another way, for those who ask for it."""
    if how == "fieller" or procedure.arms is None or inference.status != "ok" or inference.critical is None:
        return inference
    t, c, cov = procedure.arms
    make = delta_lift if how == "delta" else log_lift
    found = make(t.value, t.variance, c.value, c.variance, inference.critical, cov)
    if isinstance(found, str):
        return replace(inference, relative=None, relative_reason=found)
    return replace(inference, relative=found, relative_reason=None)
