"""The evidence tables: goals, secondary metrics, guardrails, exploratory metrics and segments, ready to draw.

A table is groups of rows that share one scale. With several treatments a metric becomes a group with one row per
treatment; each row then carries the colour of its treatment beside its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from abtest.analysis.result import ArmValue, Comparison, MetricResult, SegmentGroup, SegmentResult
from abtest.reports.labels import Chip
from abtest.reports.numbers import decimals_for
from abtest.reports.svg import (
    Mark,
    Stripe,
    Tick,
    forest_scale,
    guardrail_scale,
    mark,
    percent,
    stripe,
    ticks,
)
from abtest.reports.text import clip
from abtest.reports.verdict import comparison_of
from abtest.reports.wording import Shown, Wording

NOTE_LIMIT = 160
SWATCHES = 4
MOST_SEGMENT_ROWS = 60
SHORT_LABEL = 16
CLEAR_FIRST = {"worse": 0, "better": 0, "unclear": 1, "flat": 1, "open": 1, "no_test": 2}


@dataclass(frozen=True)
class Row:
    """One comparison in a table. `absent` says in words why there is nothing to draw."""

    head: str
    note: str = ""
    swatch: str = ""
    values: str = ""
    change: str = ""
    interval: str = ""
    absent: str = ""
    extra: str = ""
    aside: str = ""
    tip: str = ""
    tone: str = "flat"
    mark: Mark | None = None
    stripe: Stripe | None = None
    chip: Chip | None = None


@dataclass(frozen=True)
class Group:
    head: str
    tag: str
    note: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Axis:
    """What the header and every row of a plot column draw: ticks with labels, and the margin or planned effect."""

    ticks: tuple[tuple[Tick, str], ...]
    dashed: str = ""
    zone: str = ""


@dataclass(frozen=True)
class Table:
    kind: str
    caption: str
    columns: dict[str, str]
    axis: Axis
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Draft:
    """A row before the scale of its table is known."""

    row: Row
    metric: MetricResult
    shown: Shown | None
    overall: Shown | None = None


def metric_tables(
    w: Wording, metrics: Sequence[MetricResult], kind: str, caption: str, *, absolute: bool = False
) -> Table:
    """Goals, secondary or exploratory metrics on one scale in the unit most rows share; `absolute`: never relative."""
    groups = [_metric_group(w, metric, kind, absolute) for metric in metrics]
    drafts = [draft for _, rows in groups for draft in rows]
    detects = {w.detect(metric) for metric in metrics} - {None} if kind == "goal" else set()
    dashed = next(iter(detects)) if len(detects) == 1 else None
    if kind != "goal":  # goals say it above their table, each with its raw change
        caption = beside_values(w, caption, [c for metric in metrics for c in metric.comparisons])
    return forest(w, kind, caption, groups, drafts, dashed)


def beside_values(w: Wording, caption: str, comparisons: Sequence[Comparison]) -> str:
    """Values stand as they were counted: beside an adjusted change they may even point the other way."""
    if all(c.adjustment is None for c in comparisons):
        return caption
    return w.words("list.space").join([caption, w.words("adjusted.beside_values")])


def _metric_group(w: Wording, metric: MetricResult, kind: str, absolute: bool) -> tuple[Group, list[Draft]]:
    note = _note(w, metric)
    named = w.many
    group = Group(w.metric(metric) if named else "", "", note if named else "", ())
    drafts = []
    for variant in w.treatments:
        comparison = comparison_of(metric, variant)
        shown = None if comparison is None else w.shown(comparison, absolute=absolute)
        state = "no_test" if comparison is None or comparison.status == "no_test" else w.state(comparison)
        head = w.variant(variant) if named else w.metric(metric)
        row = _row(w, metric, metric.arms, comparison, variant, shown, head)
        chip = w.chip("state", state) if kind != "explore" or state == "no_test" else None
        tone = chip.tone if chip else "acc"
        row = replace(row, note="" if named else note, chip=chip, tone=tone, swatch=swatch(w, variant))
        drafts.append(Draft(row, metric, shown))
    return group, drafts


def _note(w: Wording, metric: MetricResult, *extra: str) -> str:
    if metric.role == "part":
        return ""
    base = w.description(metric)
    if not base and not (metric.role == "goal" and len(w.result.goals) == 1):
        # The first sentence of the meaning; the whole of it stands among the definitions, that of a goal in the lead.
        base = w.meaning(metric).partition(". ")[0]
    parts = [clip(base.removesuffix("."), NOTE_LIMIT)] if base else []
    if metric.better == "lower":
        parts.append(w.words("table.lower_better"))
    parts += stamp_notes(w, metric)
    return w.words("table.note_join").join([*parts, *extra])


def stamp_notes(w: Wording, metric: MetricResult) -> list[str]:
    """That a metric was not planned as it stands here."""
    return [w.words(f"table.stamp.{s}") for s in metric.stamps if w.words.has(f"table.stamp.{s}")]


def swatch(w: Wording, variant: str) -> str:
    return f"t{w.treatments.index(variant) % SWATCHES + 1}" if w.many and variant in w.treatments else ""


def _row(
    w: Wording,
    metric: MetricResult,
    arms: Sequence[ArmValue],
    comparison: Comparison | None,
    variant: str,
    shown: Shown | None,
    head: str,
) -> Row:
    control, treatment = w.values(metric, arms, variant)
    values = w.words("table.arrow", control=control, treatment=treatment)
    if comparison is None or shown is None:
        return Row(head, values=values, absent=w.no_test(comparison))
    change = w.change(metric, shown)
    # Guardrails are judged by their margin and segments by the interaction, so this p would say the wrong thing.
    # Read early, labels follow the band, and the p-value of the test at the end would contradict it.
    p = w.p_of(comparison) if arms is metric.arms and metric.role != "guardrail" and not w.early else None
    name = f"{w.metric(metric)}{w.words('list.separator')}{head}" if head != w.metric(metric) else head
    slots = {"name": name, "change": change.estimate, "label": change.label, "interval": change.interval}
    tip = w.words("table.tip_p", p=p, **slots) if p else w.words("table.tip", **slots)
    return Row(head, values=values, change=change.estimate, interval=change.interval, tip=tip)


def forest(
    w: Wording,
    kind: str,
    caption: str,
    groups: Iterable[tuple[Group, list[Draft]]],
    drafts: Sequence[Draft],
    dashed: float | None,
) -> Table:
    """Rows in the unit that most of them share get one scale; the others say that they are not on it."""
    units = [_unit(draft) for draft in drafts if draft.shown is not None]
    # Ties go to the relative scale, so that the choice does not hang on the order of the rows.
    usual = [u for u in units if u not in ("chance", "odds", "hazard")]
    unit = max(sorted(set(usual)), key=lambda u: (usual.count(u), u == "relative"), default="relative")
    on_scale = [d for d in drafts if d.shown is not None and _unit(d) == unit]
    include = [dashed] if dashed is not None and unit == "relative" and on_scale else []
    scale = forest_scale([d.shown.bounds for d in on_scale if d.shown], include)
    finished = []
    for group, rows in groups:
        done = []
        for draft in rows:
            row = draft.row
            if draft.shown is not None and _unit(draft) == unit:
                row = replace(row, mark=mark(scale, draft.shown.bounds))
            elif draft.shown is not None:
                scale_words = f"table.scale.{draft.shown.scale}"
                row = replace(row, aside=w.words(scale_words))
            if draft.overall is not None and draft.overall.relative == (unit == "relative"):
                row = replace(row, stripe=stripe(scale, draft.overall.bounds))
            done.append(row)
        finished.append(replace(group, rows=tuple(done)))
    axis = Axis(labels(w, ticks(scale), unit) if on_scale else (), dashed=scale.at(include[0]) if include else "")
    label = next((w.change(d.metric, d.shown).label for d in drafts if d.shown), w.interval_label())
    return Table(kind, caption, _columns(w, kind, label), axis, tuple(finished))


def _unit(draft: Draft) -> str:
    assert draft.shown is not None
    if draft.shown.scale != "value":
        return draft.shown.scale
    return "relative" if draft.shown.relative else draft.metric.unit_of_value


def labels(w: Wording, found: Sequence[Tick], unit: str) -> tuple[tuple[Tick, str], ...]:
    scaled = unit in ("relative", "share")
    values = [100 * tick.value if scaled else tick.value for tick in found]
    steps = [abs(b - a) for a, b in pairwise(values)] or [1.0]
    decimals = next((d for d in range(7) if abs(round(steps[0], d) - steps[0]) < 1e-9), decimals_for(steps, 0))
    labels = []
    for tick, value in zip(found, values, strict=True):
        decimals_here = 0 if tick.zero else decimals
        if unit in ("relative", "share", "points"):
            text = w.numbers.fixed(value, decimals_here, sign=True)
            labels.append((tick, text if unit != "relative" else w.words("units.percent", n=text)))
        else:
            labels.append((tick, w.quantity(unit, value, decimals_here, sign=True)))
    return tuple(labels)


def _columns(w: Wording, kind: str, label: str) -> dict[str, str]:
    first = {
        "guardrails": "table.guardrail",
        "segments": "table.segment",
        "iterations": "table.iteration",
    }.get(kind, "table.metric")
    if kind == "iterations":  # each had variants of its own
        values = w.words("iterations.values")
        label = w.words("iterations.label_early", level=w.level) if w.early else label
    elif w.many:
        values = w.words("table.values_many", control=w.control)
    else:
        treatment = w.variant(w.treatments[0]) if w.treatments else w.words("table.no_value")
        values = w.words("table.values", control=w.control, treatment=treatment)
    return {
        "first": w.words(first),
        "values": values,
        "change": w.words("table.change", label=_unbroken(label)),
        "plot": w.words("table.margin_plot" if kind == "guardrails" else "table.change_plot"),
        "verdict": w.words("table.verdict") if kind not in ("segments", "explore") else "",
    }


def _unbroken(label: str) -> str:
    """A short label stays on one line, so that a narrow header breaks before it; a long one breaks between words."""
    label = label.replace("-", "\u2011")
    return label.replace(" ", "\u00a0") if len(label) <= SHORT_LABEL else label


# Guardrails


def guardrail_table(w: Wording, metrics: Sequence[MetricResult]) -> Table:
    """Guardrails in units of their margin: right is better, the margin always at the same line."""
    scale = guardrail_scale()
    groups = []
    found_labels: list[str] = []
    for metric in metrics:
        rows = []
        notes: list[str] = []
        for variant in w.treatments:
            comparison = comparison_of(metric, variant)
            margin = comparison.margin if comparison is not None else None
            if margin is not None:
                notes = [w.words("margin.text", margin=w.margin(metric, margin))]
            shown = w.guardrail_shown(comparison) if comparison is not None else None
            head = w.variant(variant) if w.many else w.metric(metric)
            row = _row(w, metric, metric.arms, comparison, variant, shown, head)
            label: str = margin.label if margin is not None and shown is not None else "no_test"
            chip = w.chip("guardrail", label)
            row = replace(row, chip=chip, tone=chip.tone, swatch=swatch(w, variant))
            if margin is not None and margin.effect is not None and shown is not None:
                effect = margin.effect
                found_labels.append(w.change(metric, shown).label)
                row = replace(row, mark=mark(scale, (effect.low, effect.estimate, effect.high)))
            rows.append(row)
        note = _note(w, metric, *notes)
        if not w.many:
            rows = [replace(row, note=note) for row in rows]
        groups.append(Group(w.metric(metric) if w.many else "", "", note if w.many else "", tuple(rows)))
    names = ((-1.0, "axis.margin", "middle"), (0.0, "axis.none", "middle"), (1.5, "axis.better", "end"))
    found = tuple((Tick(scale.at(x), x, x == 0, anchor), w.words(key)) for x, key, anchor in names)
    axis = Axis(found, dashed=scale.at(-1.0), zone=percent(scale.share(-1.0)))
    caption = w.words("guardrails.caption_early" if w.early else "guardrails.caption")
    caption = beside_values(w, caption, [c for metric in metrics for c in metric.comparisons])
    label = next(iter(found_labels), w.interval_label("guardrail"))
    return Table("guardrails", caption, _columns(w, "guardrails", label), axis, tuple(groups))


def by_clarity(w: Wording, metrics: Sequence[MetricResult]) -> list[MetricResult]:
    """Clear metrics first, untested ones last, otherwise in the order they were asked for."""

    def rank(metric: MetricResult) -> int:
        return min((CLEAR_FIRST[w.state(c)] for c in metric.comparisons), default=2)

    return sorted(metrics, key=rank)


# Segments


def segment_tables(w: Wording) -> list[Table]:
    """One table per goal metric: groups by dimension, the overall interval as a stripe behind them."""
    tables = []
    left = MOST_SEGMENT_ROWS
    by_metric: dict[str, list[SegmentResult]] = {}
    for segment in w.result.segments:
        by_metric.setdefault(segment.metric, []).append(segment)
    for key, segments in by_metric.items():
        metric = next((m for m in w.result.metrics if m.key == key), None)
        if metric is None:
            continue
        groups: list[tuple[Group, list[Draft]]] = []
        for segment in segments:
            drafts = [d for group in segment.groups for d in _segment_rows(w, metric, segment, group)][:left]
            left -= len(drafts)
            groups.append((_segment_group(w, segment), drafts))
        caption = w.words("segments.caption", control=w.control, metric=w.metric(metric))
        caption = beside_values(w, caption, [c for s in segments for group in s.groups for c in group.comparisons])
        tables.append(forest(w, "segments", caption, groups, [d for _, rows in groups for d in rows], None))
    return tables


def _segment_group(w: Wording, segment: SegmentResult) -> Group:
    if segment.interaction_p is not None:
        note = w.words("segments.interaction", p=w.p(segment.interaction_p))
        if segment.interaction_p_adjusted is not None and segment.interaction_p_adjusted != segment.interaction_p:
            adjusted = w.words("p.adjusted", p=w.p(segment.interaction_p_adjusted))
            note = w.words("segments.interaction_adjusted", p=w.p(segment.interaction_p), adjusted=adjusted)
    elif segment.interaction_reason is not None:
        reason = segment.interaction_reason
        why = w.words(w.words.known("no_test", reason), reason=w.name(reason))
        note = w.words("segments.no_interaction_why", why=why)
    else:
        note = w.words("segments.no_interaction")
    tag = w.words("segments.registered" if segment.registered else "segments.exploratory")
    return Group(w.words("segments.dimension", dimension=w.name(segment.dimension, 60)), tag, note, ())


def _segment_rows(w: Wording, metric: MetricResult, segment: SegmentResult, group: SegmentGroup) -> list[Draft]:
    label = w.words("segments.hidden") if group.label is None else w.group(group.label)
    rows = []
    for variant in w.treatments:
        # The users of the two arms that the row compares, not those of every arm.
        compared = (w.result.experiment.baseline, variant)
        units = w.units(sum(arm.used for arm in group.arms if arm.variant in compared))
        if group.label is None and segment.merged_groups:
            units = w.words("table.note_join").join([w.words.plural("segments.merged", segment.merged_groups), units])
        comparison = next((c for c in group.comparisons if c.variant == variant), None)
        whole = comparison_of(metric, variant)
        # The always-valid band exists for whole metrics only; a stripe of another kind would mislead.
        shown = w.shown(comparison, band=False) if comparison else None
        overall = w.shown(whole, band=False) if whole else None
        head = w.words("segments.row_of", segment=label, variant=w.variant(variant)) if w.many else label
        row = _row(w, metric, group.arms, comparison, variant, shown, head)
        row = replace(
            row, note=units, tone="acc", swatch=swatch(w, variant), extra=_shrunken(w, metric, group, variant)
        )
        rows.append(Draft(row, metric, shown, overall))
    return rows


def _shrunken(w: Wording, metric: MetricResult, group: SegmentGroup, variant: str) -> str:
    """The effect to read the group by, in the unit of the metric."""
    found = next((s.absolute for s in group.shrunken if s.variant == variant), None)
    if found is None or not w.result.decision.valid:
        return ""
    change = w.change(metric, Shown(found, relative=False, band=False))
    return w.words("segments.shrunken", change=change.estimate, interval=change.interval)
