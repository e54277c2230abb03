"""Dimensions and phases: which sides of engagement moved, on one scale, and whether anything stands behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from abtest.analysis.interval import Interval
from abtest.analysis.result import Comparison, MetricResult
from abtest.reports.evidence import Evidence
from abtest.reports.tables import Draft, Group, Row, Table, forest
from abtest.reports.text import clip
from abtest.reports.verdict import comparison_of
from abtest.reports.wording import Shown, Wording

PHASES = ("acquisition", "engagement", "retention", "value")
DIMENSIONS = ("cognitive", "emotional", "behavioural", "social")
ANCHORS = ("retention", "value")
"""Phases that say whether more engagement is worth anything."""
By = Literal["dimension", "phase"]


def profile_section(w: Wording) -> Evidence | None:
    """Nothing unless some metrics carry a dimension or a phase."""
    words = w.words
    tables = [_table(w, by) for by in ("dimension", "phase") if any(_tag(m, by) for m in w.result.metrics)]
    if not tables:
        return None
    leads = [words("profile.lead", control=w.control), *_missing(w), *_vanity(w)]
    return Evidence(words("sections.profile.title"), tuple(leads), tuple(tables), read=(words("profile.read"),))


def _tag(metric: MetricResult, by: By) -> str | None:
    return metric.dimension if by == "dimension" else metric.phase


def _missing(w: Wording) -> list[str]:
    """Phases that no metric of the experiment is of, once phases are named at all."""
    have = {m.phase for m in w.result.metrics if m.phase}
    lacking = [p for p in ANCHORS if p not in have] if have else []
    named = [w.words(f"profile.phase.{p}", name=p).lower() for p in lacking]
    return [w.words("profile.missing", phases=w.join(named))] if named else []


def vanity(w: Wording) -> tuple[tuple[MetricResult, ...], bool]:
    """Engagement metrics that got better while nothing of retention or value did, and whether anything of these was
    measured. Only once the labels are final."""
    if w.early or not w.result.decision.valid:
        return (), True
    variant = w.result.decision.variant
    labelled = [m for m in w.result.metrics if m.role != "explore"]
    better = [m for m in labelled if (c := comparison_of(m, variant)) is not None and w.state(c) == "better"]
    value = None if w.result.value is None else w.result.value.metric
    anchors = [m for m in w.result.metrics if m.phase in ANCHORS or m.key == value]
    if any(m in anchors for m in better):
        return (), True
    return tuple(m for m in better if m.phase == "engagement" or "vanity" in m.tags), bool(anchors)


def _vanity(w: Wording) -> list[str]:
    found, measured = vanity(w)
    key = "profile.vanity" if measured else "profile.vanity_open"
    return [w.words(key, metrics=w.join([w.metric(m) for m in found]))] if found else []


def _table(w: Wording, by: By) -> Table:
    order = DIMENSIONS if by == "dimension" else PHASES
    tags = dict.fromkeys(t for m in w.result.metrics if (t := _tag(m, by)))
    ordered = [*(t for t in order if t in tags), *(t for t in tags if t not in order)]
    groups = []
    for tag in ordered:
        name = w.words(w.words.known(f"profile.{by}", tag), name=w.name(tag, 60))
        rows = [d for m in w.result.metrics if _tag(m, by) == tag for d in _rows(w, m)]
        groups.append((Group(name, "", "", ()), rows))
    caption = w.words("profile.caption", by=w.words(f"profile.by.{by}"), control=w.control)
    return forest(w, "explore", caption, groups, [d for _, rows in groups for d in rows], None)


def _rows(w: Wording, metric: MetricResult) -> list[Draft]:
    rows = []
    for variant in w.treatments:
        comparison = comparison_of(metric, variant)
        head = w.metric(metric) if not w.many else w.words("interval.named", metric=w.metric(metric), variant=w.variant(variant))  # fmt: skip
        shown = None if comparison is None else w.shown(comparison, absolute=True)
        if comparison is None or shown is None or shown.scale != "value":
            rows.append(Draft(Row(head, values=w.words("table.no_value"), absent=w.no_test(comparison)), metric, None))
            continue
        rows.append(_row(w, metric, comparison, shown, head))
    return rows


def _row(w: Wording, metric: MetricResult, comparison: Comparison, shown: Shown, head: str) -> Draft:
    spread = control_spread(w.result.experiment.baseline, metric)
    if spread is None:
        return Draft(Row(head, values=_values(w, metric, comparison), absent=w.words("profile.no_sd")), metric, None)
    scaled = Shown(_scaled(shown.interval, spread), False, shown.band)
    unit = replace(metric, unit_of_value=w.words("profile.unit"))
    change = w.change(unit, scaled)
    note = clip(w.description(metric), 100).removesuffix(".")
    tone = "acc" if metric.role == "explore" else w.chip("state", w.state(comparison)).tone
    values = _values(w, metric, comparison)
    tip = w.words("table.tip", name=head, change=change.estimate, label=change.label, interval=change.interval)
    row = Row(head, note, values=values, change=change.estimate, interval=change.interval, tip=tip, tone=tone)
    return Draft(row, unit, scaled)


def _values(w: Wording, metric: MetricResult, comparison: Comparison) -> str:
    control, treatment = w.values(metric, metric.arms, comparison.variant)
    return w.words("table.arrow", control=control, treatment=treatment)


def control_spread(baseline: str, metric: MetricResult) -> float | None:
    """The standard deviation between units of the control; None for ratios and quantiles, or without any variation."""
    arm = next((a for a in metric.arms if a.variant == baseline), None)
    spread = None if arm is None else arm.standard_deviation
    return spread if spread is not None and spread > 0.0 else None


def _scaled(interval: Interval, spread: float) -> Interval:
    parts: Sequence[float | None] = (interval.low, interval.high, interval.se)
    low, high, se = (None if x is None else x / spread for x in parts)
    return Interval(interval.estimate / spread, low, high, se)
