"""Many questions at once: p-values of a family adjusted by the method of the plan, and what that means for states.

Goals over all treatments are one family, secondary metrics another. Guardrails are none: all of them must hold, so
the chance of shipping with a broken one is that of a single test (Berger 1982). What a false discovery rate selects
gets intervals that are wide enough for having been selected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from abtest.analysis.result import Comparison, Correction, Interval, MetricResult
from abtest.stats.dunnett import dunnett_p
from abtest.stats.multiplicity import (
    benjamini_hochberg,
    benjamini_yekutieli,
    bonferroni,
    fcr_alpha,
    hochberg,
    holm,
)

BY_P = {
    "holm": holm,
    "hochberg": hochberg,
    "bonferroni": bonferroni,
    "bh": benjamini_hochberg,
    "by": benjamini_yekutieli,
}
DISCOVERY = ("bh", "by")
Wider = Callable[[str, str, float], tuple[Interval | None, Interval | None]]
"""(metric, variant, alpha) to the relative and the absolute interval at that alpha."""


def corrected(
    metrics: Sequence[MetricResult], baseline: str, method: Correction, alpha: float, wider: Wider | None = None
) -> tuple[MetricResult, ...]:
    """The metrics of one family with adjusted p-values, and states that need them below alpha."""
    if method == "none":
        return tuple(metrics)
    found = iter(_adjusted(metrics, baseline, method))
    done = [replace(m, comparisons=tuple(_judged(c, next(found), alpha) for c in m.comparisons)) for m in metrics]
    if method not in DISCOVERY or wider is None:
        return tuple(done)
    every = [c for m in done for c in m.comparisons if c.p_adjusted is not None]
    chosen = sum(c.p_adjusted is not None and c.p_adjusted < alpha for c in every)
    if not chosen:
        return tuple(done)
    level = fcr_alpha(alpha, chosen, len(every))
    return tuple(
        replace(m, comparisons=tuple(_selected(m.key, c, alpha, level, wider) for c in m.comparisons)) for m in done
    )


def _adjusted(metrics: Sequence[MetricResult], baseline: str, method: Correction) -> list[float | None]:
    if method == "dunnett":
        return [p for m in metrics for p in _dunnett(m, baseline, len(metrics))]
    return list(BY_P[method]([c.p_value for m in metrics for c in m.comparisons]))


def _dunnett(metric: MetricResult, baseline: str, goals: int) -> list[float | None]:
    """Dunnett over the treatments of one metric, Bonferroni over metrics.

    The correlation of two treatments comes from the control they share: lambda^2 = n_t / (n_t + n_c).
    """
    used = {a.variant: a.used for a in metric.arms}
    control = used.get(baseline, 0)
    if any(c.p_value is not None and c.statistic is None for c in metric.comparisons):
        return [None if p is None else min(1.0, p * goals) for p in bonferroni([c.p_value for c in metric.comparisons])]
    tested = [c for c in metric.comparisons if c.p_value is not None and c.statistic is not None]
    lambdas = [(used[c.variant] / (used[c.variant] + control)) ** 0.5 for c in tested]
    dfs = [c.df for c in tested if c.df is not None]
    found = iter(
        dunnett_p([c.statistic for c in tested], lambdas, df=max(1.0, min(dfs)))
        if dfs
        else dunnett_p([c.statistic for c in tested], lambdas)
    )
    adjusted: list[float | None] = []
    for comparison in metric.comparisons:
        p = next(found) if comparison in tested else None
        adjusted.append(None if p is None else min(1.0, max(p, comparison.p_value or 0.0) * goals))
    return adjusted


def _judged(comparison: Comparison, p: float | None, alpha: float) -> Comparison:
    state = comparison.state
    if state in ("better", "worse") and (p is None or p >= alpha):
        state = "unclear"
    return replace(comparison, p_adjusted=p, state=state)


def _selected(metric: str, comparison: Comparison, alpha: float, level: float, wider: Wider) -> Comparison:
    if comparison.p_adjusted is None or comparison.p_adjusted >= alpha:
        return comparison
    relative, absolute = wider(metric, comparison.variant, level)
    return replace(comparison, selected=relative, selected_absolute=absolute)
