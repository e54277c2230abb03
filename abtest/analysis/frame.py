"""A result as a table for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from abtest.analysis.result import Comparison, MetricResult, Result

if TYPE_CHECKING:
    import pandas as pd


def to_pandas(result: Result) -> pd.DataFrame:
    """One row per metric and treatment, in the order of the report. Fractions stay fractions; absent is NaN or None.

    `band_low` and `band_high`: the always-valid band of the effect, by which states before the planned end are judged.
    """
    import pandas

    return pandas.DataFrame([_row(m, c, result) for m in result.metrics for c in m.comparisons])


def _row(metric: MetricResult, comparison: Comparison, result: Result) -> dict[str, Any]:
    arms = {a.variant: a for a in metric.arms}
    control, treatment = arms[result.experiment.baseline], arms[comparison.variant]
    absolute, relative = comparison.absolute, comparison.relative
    return {
        "metric": metric.key,
        "role": metric.role,
        "variant": comparison.variant,
        "control": control.value,
        "treatment": treatment.value,
        "units_control": control.used,
        "units_treatment": treatment.used,
        "effect": None if absolute is None else absolute.estimate,
        "effect_low": None if absolute is None else absolute.low,
        "effect_high": None if absolute is None else absolute.high,
        "lift": None if relative is None else relative.estimate,
        "lift_low": None if relative is None else relative.low,
        "lift_high": None if relative is None else relative.high,
        "band_low": None if comparison.always_valid_absolute is None else comparison.always_valid_absolute.low,
        "band_high": None if comparison.always_valid_absolute is None else comparison.always_valid_absolute.high,
        "p_value": comparison.p_value,
        "p_adjusted": comparison.p_adjusted,
        "method": comparison.method,
        "state": comparison.state,
        "margin": None if comparison.margin is None else comparison.margin.label,
        "reason": comparison.reason,
    }


def notebook(result: Result) -> str:
    """A small HTML table. The whole page is `abtest.reports.html.render_html(result)`."""
    decision = result.decision
    head = f"<p><b>{escape(decision.verdict)}</b> ({escape(decision.reason)}): {escape(result.experiment.title)}</p>"
    if not decision.valid:
        failed = ", ".join(sorted({c.key for c in result.health if c.level == "fail"}))
        return f"{head}<p>Failed checks: {escape(failed)}. Effects are not shown.</p>"
    shown = [
        "metric",
        "role",
        "variant",
        "control",
        "treatment",
        "lift",
        "lift_low",
        "lift_high",
        "p_value",
        "state",
        "margin",
    ]
    return head + str(to_pandas(result)[shown].to_html(index=False, float_format=lambda x: f"{x:.4g}", border=0))
