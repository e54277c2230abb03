"""The iterations of a feature, first to last: what changed, what it did, how it was decided."""

from __future__ import annotations

from abtest.analysis.interval import Interval
from abtest.analysis.lineage import DefinitionChange, Iteration, IterationMetric
from abtest.analysis.result import MetricResult
from abtest.reports.across import across_leads, across_read, across_table
from abtest.reports.appendix import Plain
from abtest.reports.evidence import Evidence
from abtest.reports.labels import Chip
from abtest.reports.tables import Draft, Group, Row, Table, beside_values, forest
from abtest.reports.text import clean, clip
from abtest.reports.verdict import comparison_of
from abtest.reports.wording import Shown, Wording

CHANGES_LIMIT, DEFINITION_LIMIT = 160, 60
MOST_KEYS = 3
"""Of a definition that was another then."""


def iterations_section(w: Wording) -> Evidence | None:
    """Nothing for an experiment that goes back to none."""
    before = w.result.iterations
    if not before:
        return None
    words = w.words
    leads = [words.plural("iterations.lead", len(before) + 1, name=_own_name(w), verdicts=_verdicts(w))]
    leads.append(words("iterations.care"))
    leads += across_leads(w)
    return Evidence(
        words("sections.iterations.title"),
        tuple(leads),
        (_effects(w),),
        (_timeline(w), *across_table(w)),
        read=(words("iterations.read"), *across_read(w)),
    )


def _own_name(w: Wording) -> str:
    return w.name(w.result.experiment.title or w.result.experiment.id, 60)


def _name(w: Wording, one: Iteration) -> str:
    return w.name(one.title or one.experiment, 60)


def _verdict(w: Wording, verdict: str | None, why: str | None, reason: str | None) -> str:
    if verdict is None:
        return _unread(w, reason)
    word = w.words(f"verdict.{verdict}.word")
    key = w.words.known("iterations.why", why or "other")
    return w.words("iterations.verdict", verdict=word, why=w.words(key)) if why else word


def _unread(w: Wording, reason: str | None) -> str:
    """Why an iteration could not be computed."""
    return w.words("iterations.missing") if reason == "missing" else w.words("iterations.unread", code=w.name(reason or ""))  # fmt: skip


def _verdicts(w: Wording) -> str:
    """One clause per earlier iteration, then this one."""
    said = [(_name(w, i), _verdict(w, i.verdict, i.why, i.reason)) for i in w.result.iterations]
    decision = w.result.decision
    said.append((_own_name(w), _verdict(w, decision.verdict, decision.reason, None)))
    return w.words("list.clauses").join(w.words("iterations.clause", name=n, verdict=v) for n, v in said)


def _timeline(w: Wording) -> Plain:
    words, e = w.words, w.result.experiment
    rows = []
    for one in w.result.iterations:
        units = w.units(one.units) if one.verdict is not None else words("table.no_value")
        rows.append(
            (_name(w, one), _dates(w, one.start, one.end), units, _changes(w, one.changes), _verdict(w, one.verdict, one.why, one.reason))
        )  # fmt: skip
    decision = w.result.decision
    rows.append(
        (
            words("iterations.this", name=_own_name(w)),
            _dates(w, e.start, e.end),
            w.units(w.total_units),
            _changes(w, e.changes),
            _verdict(w, decision.verdict, decision.reason, None),
        )
    )
    columns = ("iterations.column", "iterations.dates", "iterations.units", "iterations.changes", "iterations.decision")
    return Plain(words("iterations.timeline"), tuple(words(c) for c in columns), tuple(rows), frozenset({2}))


def _dates(w: Wording, start: str | None, end: str | None) -> str:
    return w.dates(start, end) if start and end else w.words("table.no_value")


def _changes(w: Wording, changes: tuple[str, ...]) -> str:
    said = w.words("list.clauses").join(clean(c) for c in changes)
    return clip(said, CHANGES_LIMIT) if said else w.words("iterations.no_changes")


def _effects(w: Wording) -> Table:
    """A group per goal and guardrail, a row per iteration."""
    groups = []
    for metric in (*w.result.goals, *w.result.guardrails):
        drafts = []
        for one in w.result.iterations:
            found = next((m for m in one.metrics if m.metric == metric.key), None)
            drafts.append(_row(w, metric, one, found))
        drafts.append(_own_row(w, metric))
        tag = w.words(f"role.{metric.role}")
        groups.append((Group(w.metric(metric), tag, "", ()), drafts))
    compared = [c for m in (*w.result.goals, *w.result.guardrails) for c in m.comparisons]
    caption = beside_values(w, w.words("iterations.caption"), compared)
    return forest(w, "iterations", caption, groups, [d for _, rows in groups for d in rows], None)


def _row(w: Wording, metric: MetricResult, one: Iteration, found: IterationMetric | None) -> Draft:
    name = _name(w, one)
    note = _note(w, one.variant_title, one.title)
    absent = _absent(w, one, found)
    if absent or found is None:
        return Draft(Row(name, note, values=w.words("table.no_value"), absent=absent), metric, None)
    relative = _bounded(found.relative) and not (_in_its_unit(w, metric) and _bounded(found.absolute))
    interval = found.relative if relative else found.absolute
    assert interval is not None
    shown = Shown(interval, relative, False)
    values = w.words("table.arrow", control=w.value(metric, found.control), treatment=w.value(metric, found.treatment))
    chip = _chip(w, found.state, found.label, final=one.verdict != "keep_running")
    return _drawn(w, metric, name, note, values, shown, chip)


def _in_its_unit(w: Wording, metric: MetricResult) -> bool:
    """Whether a guardrail is judged by a margin in its own unit, so that its changes are shown in that too."""
    own = comparison_of(metric, w.result.decision.variant)
    return own is not None and own.margin is not None and own.margin.kind == "absolute"


def _chip(w: Wording, state: str, label: str | None, *, final: bool) -> Chip:
    return w.chip("guardrail", label, final=final) if label is not None else w.chip("state", state, final=final)


def _note(w: Wording, variant: str, title: str) -> str:
    """The treatment that the row speaks of, unless it is called as the experiment is."""
    return "" if not variant or variant == title else w.name(variant, 40)


def _bounded(interval: Interval | None) -> bool:
    return interval is not None and (interval.low is not None or interval.high is not None)


def _absent(w: Wording, one: Iteration, found: IterationMetric | None) -> str:
    """Why there is nothing to draw; empty where there is."""
    words = w.words
    if one.verdict is None:
        return _unread(w, one.reason)
    if not one.valid:
        return words("iterations.not_valid")
    if found is None or found.compared == "absent":
        return words("iterations.absent")
    if found.compared == "other_definition":
        changed = [_changed(w, c) for c in found.changed[:MOST_KEYS]]
        return words("iterations.other_definition", changed=words("list.clauses").join(changed) or words("iterations.elsewhere"))  # fmt: skip
    return "" if _bounded(found.relative) or _bounded(found.absolute) else words("iterations.no_test")


def _changed(w: Wording, change: DefinitionChange) -> str:
    before, now = (
        w.words("iterations.nothing") if text is None else clip(clean(text), DEFINITION_LIMIT)
        for text in (change.before, change.now)
    )
    return w.words("iterations.changed", key=w.name(change.key), before=before, now=now)


def _own_row(w: Wording, metric: MetricResult) -> Draft:
    decision = w.result.decision
    comparison = comparison_of(metric, decision.variant)
    shown = None if comparison is None else w.guardrail_shown(comparison)
    name = w.words("iterations.this", name=_own_name(w))
    if comparison is None or shown is None:
        return Draft(Row(name, values=w.words("table.no_value"), absent=w.no_test(comparison)), metric, None)
    label = comparison.margin.label if comparison.margin is not None else None
    note = _note(w, w.variant(decision.variant), w.result.experiment.title)
    control, treatment = w.values(metric, metric.arms, decision.variant)
    values = w.words("table.arrow", control=control, treatment=treatment)
    return _drawn(w, metric, name, note, values, shown, _chip(w, w.state(comparison), label, final=False))


def _drawn(w: Wording, metric: MetricResult, name: str, note: str, values: str, shown: Shown, chip: Chip) -> Draft:
    change = w.change(metric, shown)
    tip = w.words("table.tip", name=name, change=change.estimate, label=change.label, interval=change.interval)
    row = Row(
        name, note, values=values, change=change.estimate, interval=change.interval, tip=tip, tone=chip.tone, chip=chip
    )
    return Draft(row, metric, shown)
