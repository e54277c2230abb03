"""The section about other numbers in the definition: would the conclusion on a goal be another?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from abtest.analysis.result import ArmValue, Comparison, MetricResult, NearbyCell, Robustness
from abtest.reports.evidence import Evidence
from abtest.reports.tables import Draft, Group, Row, Table, beside_values, forest, swatch
from abtest.reports.verdict import comparison_of
from abtest.reports.wording import Wording

LABEL_LIMIT = 60
CLEAR = ("better", "worse")


def robustness_section(w: Wording) -> Evidence | None:
    """Per goal: what the neighbourhood says in words, and its effects number by number."""
    known = {m.key: m for m in w.result.goals}
    found = [(known[r.metric], r) for r in w.result.robustness if r.metric in known and r.cells]
    if not found:
        return None
    leads = [text for goal, r in found for text in _leads(w, goal, r)]
    leads.append(w.words("robustness.context"))
    tables = tuple(_table(w, goal, r) for goal, r in found)
    return Evidence(w.words("sections.robustness.title"), tuple(leads), tables, read=(w.words("robustness.read"),))


def _leads(w: Wording, goal: MetricResult, r: Robustness) -> list[str]:
    """One conclusion per treatment, or why there is none."""
    if not r.concluded:
        return [w.words("robustness.early" if w.early else "robustness.grouped", goal=w.metric(goal))]
    said = []
    for variant in w.treatments:
        comparison = comparison_of(goal, variant)
        if comparison is None or comparison.status == "no_test":
            continue
        name = w.metric(goal)
        if w.many:
            name = w.words("interval.named", metric=name, variant=w.variant(variant))
        said += _conclusions(w, name, w.state(comparison), variant, r)
    return said


def _conclusions(w: Wording, goal: str, written: str, variant: str, r: Robustness) -> list[str]:
    """Flips first, then what is lost or found, then what is only lost by looking at many; else that all is the same."""
    by_kind: dict[str, list[str]] = {}
    shown = 0
    for cell in r.cells:
        comparison = _of(cell, variant)
        if comparison is None or comparison.status == "no_test":
            continue
        shown += 1
        kind = _kind(written, comparison.state, dict(cell.alone)[variant])
        if kind != "same":
            by_kind.setdefault(kind, []).append(_label(w, cell))
    slots = {"goal": goal, "state": w.label("state", written), "n": w.count(shown), "compared": w.count(r.compared)}
    if not shown:
        return [w.words("robustness.none", **slots)]
    said = [
        w.words(f"robustness.{kind}", list=w.words("robustness.or").join(by_kind[kind]), **slots)
        for kind in ("flips_better", "flips_worse", "becomes_better", "becomes_worse", "lost", "several")
        if kind in by_kind
    ]
    return said or [w.words.plural(f"robustness.same.{'clear' if written in CLEAR else 'unclear'}", shown, **slots)]


def _kind(written: str, state: str, alone: str) -> str:
    """What another definition does to the conclusion. `state` holds for the whole neighbourhood at once, `alone` would
    hold if nothing else had been looked at."""
    if state in CLEAR and state != written:
        return f"{'flips' if written in CLEAR else 'becomes'}_{state}"
    if written in CLEAR and state != written:
        return "several" if alone == written else "lost"
    return "same"


def _table(w: Wording, goal: MetricResult, r: Robustness) -> Table:
    """Number by number, from low to high, with the definition as written in its place."""
    groups: list[tuple[Group, list[Draft]]] = []
    for k, (label, value) in enumerate(r.thresholds):
        rows = [(value, w.name(label, LABEL_LIMIT), [_written(w, goal, v) for v in w.treatments])]
        rows += [
            (c.value, _label(w, c), [_draft(w, goal, r, c, v) for v in w.treatments])
            for c in r.cells
            if c.threshold == k
        ]
        if len(rows) == 1:
            continue
        drafts: list[Draft] = []
        for _, head, own in sorted(rows, key=lambda row: row[0]):
            if not w.many:
                drafts += [replace(d, row=replace(d.row, head=head)) for d in own]
                continue
            named = [replace(d, row=replace(d.row, head=w.variant(v))) for d, v in zip(own, w.treatments, strict=True)]
            note = own[0].row.note
            groups.append((Group(head, "", note, ()), [replace(d, row=replace(d.row, note="")) for d in named]))
        if not w.many:
            groups.append((Group("", "", "", ()), drafts))
    caption = w.words("robustness.caption", goal=w.metric(goal), control=w.control, compared=w.count(r.compared))
    caption = beside_values(w, caption, goal.comparisons)
    table = forest(w, "robustness", caption, groups, [d for _, own in groups for d in own], None)
    label = w.words("robustness.label_band" if w.early or not r.concluded else "robustness.label", level=w.level)
    columns = {"first": w.words("robustness.definition"), "change": w.words("table.change", label=label)}
    if not r.concluded:
        columns["verdict"] = ""
    return replace(table, columns={**table.columns, **columns})


def _written(w: Wording, goal: MetricResult, variant: str) -> Draft:
    """The goal itself, as in its own section."""
    comparison = comparison_of(goal, variant)
    draft = _drawn(w, goal, goal.arms, comparison, variant)
    state = "no_test" if comparison is None or comparison.status == "no_test" else w.state(comparison)
    chip = w.chip("state", state)
    row = replace(draft.row, note=w.words("robustness.written"), chip=chip, tone=chip.tone)
    return replace(draft, row=row)


def _draft(w: Wording, goal: MetricResult, r: Robustness, cell: NearbyCell, variant: str) -> Draft:
    comparison = _of(cell, variant)
    if comparison is None:
        values, why = w.words("table.no_value"), w.words("robustness.small", n=w.count(w.result.min_cell))
        return Draft(Row("", "", swatch(w, variant), values, absent=why), goal, None)
    draft = _drawn(w, goal, cell.arms, comparison, variant)
    if not r.concluded or draft.shown is None:
        return replace(draft, row=replace(draft.row, tone="acc"))
    chip = w.chip("state", w.state(comparison))
    alone = dict(cell.alone)[variant]
    note = w.words("robustness.alone") if alone in CLEAR and comparison.state not in CLEAR else ""
    return replace(draft, row=replace(draft.row, note=note, chip=chip, tone=chip.tone))


def _drawn(
    w: Wording, goal: MetricResult, arms: Sequence[ArmValue], comparison: Comparison | None, variant: str
) -> Draft:
    control, treatment = w.values(goal, arms, variant)
    values = w.words("table.arrow", control=control, treatment=treatment)
    row = Row("", "", swatch(w, variant), values)
    shown = None if comparison is None else w.shown(comparison)
    if comparison is None or shown is None:
        return Draft(replace(row, absent=w.no_test(comparison)), goal, None)
    change = w.change(goal, shown)
    tip = w.words("table.tip", name=w.metric(goal), change=change.estimate, label=change.label, interval=change.interval)  # fmt: skip
    return Draft(replace(row, change=change.estimate, interval=change.interval, tip=tip), goal, shown)


def _of(cell: NearbyCell, variant: str) -> Comparison | None:
    return next((c for c in cell.comparisons if c.variant == variant), None)


def _label(w: Wording, cell: NearbyCell) -> str:
    return w.name(cell.label, LABEL_LIMIT)
