"""Which test a comparison gets: one value that answers for the effect, its intervals and its margin.

Everything that is shown of a comparison comes from one `Procedure`, so that p-value, both intervals and the state of a
guardrail cannot contradict each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from abtest.analysis.adjusting import Adjusting, adjusted
from abtest.analysis.arms import Arm
from abtest.analysis.clustering import Clusters, cluster_margin_arms, cluster_test, clustering_of
from abtest.analysis.result import Clustering, Unadjusted
from abtest.language.model import Metric
from abtest.stats import contrast as contrasts
from abtest.stats import margins
from abtest.stats.inference import Inference, no_test
from abtest.stats.margins import MarginTest
from abtest.stats.means import welch
from abtest.stats.moments import Counts, Moments, PairMoments
from abtest.stats.proportions import score
from abtest.stats.quantiles import Quantile, quantile_arm, quantile_contrast
from abtest.stats.ratios import delta

ArmData = Moments | PairMoments | Counts | Quantile
Infer = Callable[[float, float | None], Inference]
Hold = Callable[[Inference, margins.Margin, Literal["higher", "lower"]], MarginTest]


@dataclass(frozen=True)
class Procedure:
    """`infer(alpha, critical)` is the effect, with intervals at 1 - alpha or by a critical value of the caller's;
    `hold(inference, margin, better)` the test against a margin, None where there is none."""

    infer: Infer
    hold: Hold | None = None
    adjusting: Adjusting | None = None
    unadjusted: Unadjusted | None = None
    clustering: Clustering | None = None


def data_of(arm: Arm) -> ArmData | None:
    return arm.quantile or arm.counts or arm.pair or arm.moments


def procedure_of(metric: Metric, treatment: Arm, control: Arm) -> Procedure:
    """The test that fits the kind of data, adjusted where there is something to adjust by."""
    if treatment.clustered and control.clustered:
        return _clustered_procedure(treatment, control)
    raw = raw_procedure(treatment, control)
    if treatment.covaried is None and control.covaried is None:
        return raw
    found = adjusted(treatment.covaried, control.covaried, (treatment.counts, control.counts))
    if not isinstance(found, Adjusting):
        return Procedure(raw.infer, raw.hold, None, found)
    return _adjusted_test(found)


def raw_procedure(treatment: Arm, control: Arm) -> Procedure:
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
    )


def _ratio_test(t: PairMoments, c: PairMoments) -> Procedure:
    return Procedure(
        lambda alpha, critical: delta(t, c, alpha=alpha, critical=critical),
        lambda inference, margin, better: margins.non_inferiority(inference, margin, better, t, c),
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

    return Procedure(infer, hold)


def _adjusted_test(found: Adjusting) -> Procedure:
    t, c, cov = found.arms.treatment, found.arms.control, found.arms.cov

    def infer(alpha: float, critical: float | None) -> Inference:
        return contrasts.contrast(t, c, method=found.method, alpha=alpha, critical=critical, cov=cov)

    def hold(inference: Inference, margin: margins.Margin, better: Literal["higher", "lower"]) -> MarginTest:
        return margins.non_inferiority(inference, margin, better, t, c, cov=cov)

    return Procedure(infer, hold, found)
