"""Adjusted and raw effects side by side: by what each was adjusted, and what that was worth."""

from __future__ import annotations

from dataclasses import replace

from abtest.analysis.result import Adjustment, Comparison, MetricResult
from abtest.reports.appendix import Plain
from abtest.reports.coined import UNKNOWN
from abtest.reports.text import clean, clip
from abtest.reports.wording import Wording


def adjusted_comparisons(w: Wording) -> list[tuple[MetricResult, Comparison, Adjustment]]:
    return [(m, c, c.adjustment) for m in w.result.metrics for c in m.comparisons if c.adjustment is not None]


def adjusted_table(w: Wording) -> Plain:
    """One row per adjusted effect; effects only where they may be shown, and not before the planned end."""
    words = w.words
    shown = w.result.decision.valid and not w.early
    names = ["table.metric", "adjusted.by", "adjusted.worth", *(("adjusted.with", "adjusted.without") if shown else ())]
    rows = []
    for metric, comparison, adjustment in adjusted_comparisons(w):
        name = w.metric(metric, 60)
        if w.many:
            name = words("segments.row_of", segment=name, variant=w.variant(comparison.variant))
        cells = [name, by(w, metric, comparison), worth(w, adjustment)]
        if shown:
            cells += [effect(w, metric, adjusted(comparison)), effect(w, metric, raw(comparison))]
        rows.append(tuple(cells))
    return Plain(words("adjusted.caption"), tuple(words(n) for n in names), tuple(rows), frozenset({2, 3, 4}))


def by(w: Wording, metric: MetricResult, comparison: Comparison) -> str:
    """The covariates in words."""
    adjustment = comparison.adjustment
    assert adjustment is not None
    if comparison.method == "post_stratified":
        return w.words("adjusted.strata")
    names = [
        w.words("adjusted.itself") if label == metric.key else clip(clean(label), 40)
        for label in adjustment.covariates
        if not label.endswith(UNKNOWN)
    ]
    text = w.join(names)
    if adjustment.unknown > 0.0:
        known = w.share(1.0 - adjustment.unknown)
        text = w.words("adjusted.partly", list=text, known=known)
    return text


def worth(w: Wording, adjustment: Adjustment) -> str:
    return w.words("adjusted.times", n=w.numbers.fixed(adjustment.traffic, 2))


def raw(comparison: Comparison) -> Comparison:
    """The comparison as it would be without adjustment, for display."""
    adjustment = comparison.adjustment
    assert adjustment is not None
    return replace(
        comparison,
        absolute=adjustment.raw_absolute,
        relative=adjustment.raw_relative,
        p_value=adjustment.raw_p_value,
        always_valid=None,
        always_valid_absolute=None,
    )


def adjusted(comparison: Comparison) -> Comparison:
    """The comparison with adjustment and without what was believed before: a prior is no part of the adjustment."""
    believed = comparison.believed
    if believed is None or believed.data_absolute is None:
        return comparison
    return replace(comparison, absolute=believed.data_absolute, relative=believed.data_relative)


def effect(w: Wording, metric: MetricResult, comparison: Comparison) -> str:
    shown = w.shown(comparison)
    if shown is None:
        return w.words("table.no_value")
    change = w.change(metric, shown)
    return w.words("adjusted.effect", change=change.estimate, interval=change.interval)


def adjusted_facts(w: Wording) -> list[str]:
    """What was adjusted and what was not, in sentences for the method section."""
    words = w.words
    found = adjusted_comparisons(w)
    asked = [c for m in w.result.metrics if m.part_of is None for c in m.comparisons]
    texts = []
    if found:
        texts.append(words("adjusted.fact", n=w.count(len(found)), total=w.count(len(asked))))
        texts += [words(f"adjusted.method.{m}") for m in dict.fromkeys(c.method for _, c, _ in found)]
    reasons: dict[str, list[str]] = {}
    for metric in w.result.metrics:
        why = next((c.unadjusted for c in metric.comparisons if c.unadjusted is not None), None)
        if why is not None:
            reasons.setdefault(why, []).append(w.metric(metric))
    texts += [words(f"adjusted.why.{why}", list=w.join(names)) for why, names in reasons.items()]
    return texts


def goal_lead(w: Wording, metric: MetricResult) -> str | None:
    """For the goal: what adjustment was worth, and the change without it."""
    comparison = next((c for c in metric.comparisons if c.variant == w.result.decision.variant), None)
    if comparison is None or comparison.adjustment is None:
        return None
    slots = {"by": by(w, metric, comparison), "worth": worth(w, comparison.adjustment)}
    if w.early:
        return w.words("adjusted.goal_early", **slots)
    return w.words("adjusted.goal", effect=effect(w, metric, raw(comparison)), **slots)
