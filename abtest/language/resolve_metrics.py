"""Names in events and metrics to what they name: sources, events, properties, and the units of their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from abtest.language import values
from abtest.language.canonical import metric_atoms, metric_attributes
from abtest.language.conditions import (
    Atom,
    Attribute,
    Compare,
    Measure,
    mapped_atoms,
    row_tests,
    walk,
    with_atoms,
)
from abtest.language.metric_units import atom_unit, margin_fits, unit_name, unit_of_value, with_units
from abtest.language.model import Column, Event, Funnel, Metric, Property, RatioPart, Source, Survey, Written
from abtest.language.partition import answer_atom
from abtest.language.resolve_parts import check_names, declared, home_of, resolve_among, unit_tables
from abtest.language.suggest import did_you_mean
from abtest.problems import Place, Problems, quoted

NOTHING: Mapping[str, Any] = MappingProxyType({})
NO_PLACES: Mapping[tuple[str, str], Place] = MappingProxyType({})
Broken = frozenset[str]
"""Names whose own definition has a problem; what follows from that is not said again."""


def resolve_events(
    events: Mapping[str, Event],
    sources: Mapping[str, Source],
    broken_sources: Broken,
    problems: Problems,
    surveys: Mapping[str, Survey] = NOTHING,
    places: Mapping[tuple[str, str], Place] = NO_PLACES,
) -> dict[str, Event]:
    """Events with their source filled in. A file of one event declares it by itself, a survey its answers.

    `places` says where the values of their keys stand, such as ("like", "source") or ("nps.answers", "source").
    """
    logs = {n: s for n, s in sources.items() if s.kind == "events"}
    found: dict[str, Event] = {}
    for name, event in events.items():
        source = event.source or (next(iter(logs)) if len(logs) == 1 and not broken_sources else "")
        if source in logs:
            _check_event(event, logs[source], places, problems)
            found[name] = replace(event, source=source)
        elif not broken_sources:
            problems.error("E202", *_no_source(event, source, logs, sources, places))
    for source_name, log in logs.items():
        constant = log.event_constant
        if constant and values.is_id(constant) and constant not in found:
            found[constant] = Event(constant, source_name, (constant,), place=log.place)
    for survey in surveys.values():
        form = sources.get(survey.source)
        if form is not None and form.kind == "answers":
            found[survey.event] = Event(survey.event, survey.source, (), survey=survey, place=survey.place)
        elif survey.source not in broken_sources:
            forms = {n: s for n, s in sources.items() if s.kind == "answers"}
            hint = did_you_mean(survey.source, forms, "Sources of answers")
            hint = f"Source {form.name} holds {form.kind}." if form is not None else hint
            message = f"survey {survey.name}: no source of answers {quoted(survey.source)}"
            place = places.get((survey.event, "source"), survey.place)
            problems.error("E203", message, place, hint or "Declare one with  kind: answers")
    return found


def _no_source(
    event: Event,
    source: str,
    logs: Mapping[str, Source],
    sources: Mapping[str, Source],
    places: Mapping[tuple[str, str], Place],
) -> tuple[str, Place, str]:
    place = places.get((event.name, "source"), event.place)
    if source in sources:
        kind = sources[source].kind
        return f"event {event.name}: source {source} holds {kind}, not events", place, ""
    if source:
        hint = did_you_mean(source, logs, "Sources of events")
        return f"event {event.name}: no source of events {quoted(source)}", place, hint
    if logs:
        hint = f"Add  source: {' | '.join(sorted(logs))}"
        return f"event {event.name} does not say from which source", event.place, hint
    hint = "Declare one:  sources: {app: {kind: events, files: …, columns: {event: …, time: …}, units: {user: …}}}"
    return f"event {event.name} has no source: the project has no source of kind events", event.place, hint


def _check_event(event: Event, log: Source, places: Mapping[tuple[str, str], Place], problems: Problems) -> None:
    if event.once is not None and log.property(event.once.prop) is None:
        problems.error(
            "E210",
            f"count_once of {event.name}: source {log.name} declares no property {quoted(event.once.prop)}",
            places.get((event.name, "count_once"), event.place),
            did_you_mean(event.once.prop, _by_name(log), "Properties"),
        )
    for unit, _ in event.units:
        if log.unit_path(unit) is None:
            hint = did_you_mean(unit, dict(log.units), f"Units of {log.name}")
            place = places.get((event.name, "unit"), event.place)
            problems.error("E312", f"event {event.name}: source {log.name} has no unit {quoted(unit)}", place, hint)
    if event.names and log.event is None and log.event_constant not in event.names:
        problems.error(
            "E202", f"event {event.name}: every row of {log.name} is {quoted(log.event_constant)}", event.place
        )
    for test in row_tests(event.where) if event.where is not None else ():
        if log.property(test.prop) is None:
            problems.error(
                "E210",
                f"event {event.name}: source {log.name} declares no property {quoted(test.prop)}",
                event.where_text.span(*test.at) if event.where_text else event.place,
                did_you_mean(test.prop, _by_name(log), "Properties")
                or f"Declare it:  sources: {log.name}: properties: {{{test.prop}: COLUMN}}",
            )


def _by_name(source: Source) -> dict[str, Property]:
    return {p.name: p for p in source.properties}


def resolve_metric(
    metric: Metric,
    events: Mapping[str, Event],
    sources: Mapping[str, Source],
    problems: Problems,
    broken_events: Broken = frozenset(),
    broken_sources: Broken = frozenset(),
    metrics: Mapping[str, Metric] = NOTHING,
    broken_metrics: Broken = frozenset(),
) -> Metric | None:
    """The metric with its unit of value, or None when it names what does not exist (reported, unless that is broken)."""
    names = _Names(metric, events, sources, broken_events, broken_sources, problems)
    for piece in metric.written:
        names.check(piece)
    if metric.starting_at is not None and metric.starting_at in broken_events:
        return None
    tables = Problems() if broken_sources else problems  # what a broken source may declare is not missing
    if not check_names(metric, events, sources, metrics, broken_metrics, problems, tables) or not names.fine:
        return None
    if metric.among is not None:
        among = resolve_among(metric, events, sources, problems, tables)
        if among is None:
            return None
        metric = replace(metric, among=among)
    metric = _with_answers(metric, events)
    if any(a.event not in events for a in metric_atoms(metric)):
        return None
    if metric_attributes(metric) and not metric_atoms(metric):
        message = f"metric {metric.name} names no event: it is what the unit is, not what it does"
        problems.error("E137", message, metric.place, "Split by it:  segments: [plan],  or use  among: plan = free")
        return None
    metric = with_units(replace(metric, unit_of_value=unit_of_value(metric, events, sources)), events, sources)
    if metric.margin is not None:
        margin_fits(metric.margin, metric, metric.margin_place or metric.place, problems)
    return metric


def _with_answers(metric: Metric, events: Mapping[str, Event]) -> Metric:
    """`answer(nps)` as the property of an event, everywhere in the metric."""
    if not any(a.function == "answer" for a in metric_atoms(metric)):
        return metric

    def changed(atom: Atom) -> Atom:
        event = events.get(f"{atom.event}.answers")
        if atom.function != "answer" or event is None or event.survey is None:
            return atom
        return answer_atom(atom, event.survey.take)

    def part(value: RatioPart) -> RatioPart:
        if isinstance(value, Column):
            return value
        return with_atoms(value, changed) if isinstance(value, Measure) else mapped_atoms(value, changed)

    fields: dict[str, object] = {}
    if metric.condition is not None:
        fields["condition"] = mapped_atoms(metric.condition, changed)
    if metric.known is not None:
        fields["known"] = mapped_atoms(metric.known, changed)
    if metric.measure is not None:
        fields["measure"] = with_atoms(metric.measure, changed)
    if metric.rank is not None:
        fields["rank"] = replace(metric.rank, parts=tuple(mapped_atoms(p, changed) for p in metric.rank.parts))
    if metric.parts is not None:
        fields["parts"] = (part(metric.parts[0]), part(metric.parts[1]))
    if metric.among is not None and metric.among.condition is not None:
        fields["among"] = replace(metric.among, condition=mapped_atoms(metric.among.condition, changed))
    return replace(metric, **fields)  # type: ignore[arg-type]


class _Names:
    """The names of one metric, looked up one written text after the other."""

    def __init__(
        self,
        metric: Metric,
        events: Mapping[str, Event],
        sources: Mapping[str, Source],
        broken_events: Broken,
        broken_sources: Broken,
        problems: Problems,
    ) -> None:
        self.metric, self.events, self.sources, self.problems = metric, events, sources, problems
        self.broken_events, self.broken_sources = broken_events, broken_sources
        self.fine = True

    def error(self, code: str, message: str, place: Place, hint: str = "") -> None:
        self.fine = False
        self.problems.error(code, message, place, hint)

    def check(self, piece: Written) -> None:
        part = piece.part
        if isinstance(part, Column):
            self._column(part, piece.text.place)
        elif isinstance(part, Measure):
            self._measure(part, piece)
        elif isinstance(part, Funnel):
            self._event(piece.text.value, piece.text.place)
        else:
            for inner in walk(part):
                if isinstance(inner, Compare):
                    self._compare(inner, piece)
                elif isinstance(inner, Attribute):
                    self._attribute(inner, piece)

    def _event(self, name: str, place: Place) -> Event | None:
        """The event of this name; None after reporting (unless it is broken) that there is none."""
        event = self.events.get(name)
        if event is None or event.survey is not None:
            self.fine = False
            if name not in self.broken_events:
                known = declared(self.events)
                table = next((s for s in unit_tables(self.sources).values() if s.property(name) is not None), None)
                hint = did_you_mean(name, known) or "Declare it under  events:"
                hint = f"It is an attribute; write  {table.name}.{name} = …" if table is not None else hint
                hint = f"It is a survey; write  answer({name})" if f"{name}.answers" in self.events else hint
                self.error("E201", f"no event {quoted(name)}", place, hint)
            return None
        return event

    def _attribute(self, test: Attribute, piece: Written) -> None:
        place = piece.span(test.at)
        source = self.sources.get(test.source)
        if test.source in self.broken_sources:
            self.fine = False
        elif source is None and test.source in self.events:
            self._property_of_event(test, piece)
        elif (
            home_of(test.test.prop, self.sources, f"metric {self.metric.name}", place, self.problems, test.source)
            is None
        ):
            self.fine = False

    def _property_of_event(self, test: Attribute, piece: Written) -> None:
        """`purchase.revenue >= 20`: a number needs a function; of anything else, rows are picked under `events`."""
        event = self.events[test.source]
        source = self.sources.get(event.source)
        prop = source.property(test.test.prop) if source is not None else None
        hint = f"Example:  sum({test.source}.{test.test.prop})"
        if prop is not None and prop.type not in ("number", "money", "duration"):
            a, b = test.at
            where = piece.text.value[a:b].partition(".")[2]
            named = event.names[0] if event.names else test.source
            hint = f"Pick the rows under  events:  {{{test.source}_2: {{event: {named}, where: {where}}}}}"
        self.error("E113", "a property of an event needs a function around it", piece.span(test.at), hint)

    def _meant_attribute(self, measure: Measure) -> bool:
        """`plan = free` where `plan` is no event but an attribute: its value is no event either."""
        names = [a.event for a in measure.atoms]
        tables = unit_tables(self.sources).values()
        return bool(names) and names[0] not in self.events and any(t.property(names[0]) is not None for t in tables)

    def _compare(self, compare: Compare, piece: Written) -> None:
        """Money against money of one currency, durations against durations; a plain constant goes with anything."""
        left = self._measure(compare.left, piece)
        if self._meant_attribute(compare.left):
            return
        right = self._measure(compare.right, piece)
        if left is None or right is None or left == right:
            return
        carrier = next((a for m in (compare.left, compare.right) for a in m.atoms if a.prop), None)
        hint = ""
        if carrier is not None and carrier.prop is not None:
            place = compare.left if carrier in compare.left.atoms else compare.right
            own, other = (left, right) if place is compare.left else (right, left)
            hint = f"{carrier.prop} of {carrier.event} is {unit_name(own)}."
            source = self.sources[self.events[carrier.event].source]
            fitting = [p.name for p in source.properties if p.type != "text" and atom_unit(carrier, p) == other]
            if fitting and not (compare.left.atoms and compare.right.atoms):
                hint += f"  For {unit_name(other)} there is {' and '.join(fitting)}."
        self.error("E220", f"comparing {unit_name(left)} with {unit_name(right)}", piece.span(compare.at), hint)

    def _measure(self, measure: Measure, piece: Written) -> str | None:
        """Check every atom; the unit of the measure ("" = plain number, None = nothing to compare with)."""
        units: list[str | None] = []
        for term in measure.terms:
            if term.atom is not None:
                units.append(self._atom(term.atom, piece))
            elif term.unit:
                units.append(term.unit)
        named = list(dict.fromkeys(u for u in units if u is not None))
        if len(named) > 1:
            listed = " and ".join(unit_name(u) for u in named)
            self.error("E220", f"metric {self.metric.name} adds {listed}", piece.span(measure.at))
            return None
        return named[0] if named else None

    def _atom(self, atom: Atom, piece: Written) -> str | None:
        if atom.function == "answer":
            return self._answer(atom, piece)
        if f"{atom.event}" in self.events and self.events[atom.event].survey is not None:
            return ""  # made by the language itself
        event = self.events.get(atom.event) or self._event(atom.event, piece.span(_event_span(atom)))
        if event is None or atom.prop is None:
            return None if event is None else ""
        source = self.sources[event.source]
        prop = source.property(atom.prop)
        if prop is None and atom.function == "distinct" and source.unit_path(atom.prop) is not None:
            return ""
        if prop is None:
            kind = "text" if atom.function == "distinct" else "number"
            declare = (
                f"Declare it:  sources: {source.name}: properties: {{{atom.prop}: {{from: COLUMN, type: {kind}}}}}"
            )
            hint = did_you_mean(atom.prop, _by_name(source), "Properties") or declare
            message = f"event {atom.event} has no property {quoted(atom.prop)}"
            self.error("E210", message, piece.span(_prop_span(atom)), hint)
            return None
        if atom.function == "distinct":
            return ""
        if prop.type in ("text", "date"):
            self.error(
                "E211",
                f"{atom.function}({atom.event}.{atom.prop}): {atom.prop} is {prop.type}, not a number",
                piece.span(_prop_span(atom)),
                f"Count its values:  distinct({atom.event}.{atom.prop}).  If it is one, declare it in source "
                f"{source.name}:  {atom.prop}: {{from: {prop.path}, type: number}}",
            )
            return None
        return atom_unit(atom, prop)

    def _answer(self, atom: Atom, piece: Written) -> str | None:
        if f"{atom.event}.answers" not in self.events:
            self.fine = False
            if f"{atom.event}.answers" not in self.broken_events:
                surveys = {e.survey.name: e for e in self.events.values() if e.survey is not None}
                hint = did_you_mean(atom.event, surveys, "Surveys") or "Declare it under  surveys:"
                self.error("E204", f"no survey {quoted(atom.event)}", piece.span(_event_span(atom)), hint)
            return None
        return ""

    def _column(self, column: Column, place: Place) -> None:
        name = self.metric.name
        tables = {n: s for n, s in self.sources.items() if s.kind == "outcomes"}
        if column.source not in tables:
            self.fine = False
            if column.source in self.broken_sources:
                return
            hint = did_you_mean(column.source, tables, "Sources of outcomes")
            other = self.sources.get(column.source)
            if other is not None:
                hint = f"Source {other.name} holds {other.kind}. For events write  amount: sum(EVENT.{column.name})"
            self.error("E203", f"metric {name}: no source of outcomes {quoted(column.source)}", place, hint)
            return
        table = tables[column.source]
        found = table.property(column.name)
        if found is None and table.properties:
            near = did_you_mean(column.name, _by_name(table), "Declared")
            if near.startswith("Did you mean"):
                message = f"metric {name}: source {column.source} declares no column {quoted(column.name)}"
                self.error("E210", message, place, near)
        if found is not None and found.type in ("text", "date"):
            self.error(
                "E211",
                f"metric {name}: {column.source}.{column.name} is {found.type}, not a number",
                place,
                f"Declare it:  {column.name}: {{from: {found.path}, type: number}}",
            )


def _event_span(atom: Atom) -> tuple[int, int]:
    """Where the event stands in `sum(event.prop)`."""
    return (atom.name_at, atom.name_at + len(atom.event))


def _prop_span(atom: Atom) -> tuple[int, int]:
    return (atom.name_at, atom.name_at + len(atom.event) + 1 + len(atom.prop or ""))
