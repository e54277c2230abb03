"""Watching for harm while an experiment runs: is any goal or guardrail getting worse, beyond chance at every look?

One-sided always-valid bands ("has it got worse?"), with alpha shared over all goals and guardrails of all treatments
(Bonferroni). This decides nothing in a plan with one look: whether to stop for harm is for people to say, and stopping for
harm never makes a false "better".
"""

from __future__ import annotations

from collections.abc import Sequence

from abtest.analysis.reading import Setting
from abtest.analysis.result import Comparison, MetricResult
from abtest.stats.sequential import optimal_kappa, p_value_one_sided

WATCHED = ("goal", "guardrail")


def worsening(metrics: Sequence[MetricResult], setting: Setting) -> dict[str, tuple[str, ...]]:
    """Per treatment, the goals and guardrails that are getting worse; every treatment that has any of them is a key.
    Empty at the planned end, where the decision itself says it."""
    if setting.at_end:
        return {}
    watched = [(m, c, z) for m in metrics if m.role in WATCHED for c in m.comparisons if (z := _z(m, c)) is not None]
    found: dict[str, tuple[str, ...]] = {c.variant: () for _, c, _ in watched}
    alpha = setting.plan.alpha / max(1, len(watched))
    kappa = optimal_kappa(min(0.49, 2.0 * alpha)) * max(setting.progress, 1e-6)
    for metric, comparison, z in watched:
        if p_value_one_sided(z, kappa) < alpha:
            found[comparison.variant] = (*found[comparison.variant], metric.key)
    return found


def _z(metric: MetricResult, comparison: Comparison) -> float | None:
    """How many standard errors it is on the bad side."""
    effect = comparison.always_valid_absolute or comparison.absolute
    if comparison.status != "ok" or effect is None or not effect.se:
        return None
    return effect.estimate / effect.se * (1.0 if metric.better == "lower" else -1.0)
