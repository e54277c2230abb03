"""Names in events and metrics to what they name: sources, events, properties, and the units of their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from abtest.language import values
from abtest.language.conditions import Atom, Compare, Measure, row_tests, walk
from abtest.language.metric_units import atom_unit, margin_fits, unit_name, unit_of_value, with_units
from abtest.language.model import Column, Event, Metric, Property, Source, Written
from abtest.language.suggest import did_you_mean
from abtest.problems import Place, Problems, quoted

Broken = frozenset[str]
"""Names whose own definition has a problem; what follows from that is not said again."""


def resolve_events(
    events: Mapping[str, Event], sources: Mapping[str, Source], broken_sources: Broken, problems: Problems
) -> dict[str, Event]:
    """Events with their source filled in. A file of one event declares it by itself."""
    logs = {n: s for n, s in sources.items() if s.kind == "events"}
    found: dict[str, Event] = {}
    for name, event in events.items():
        source = event.source or (next(iter(logs)) if len(logs) == 1 and not broken_sources else "")
        if source in logs:
            _check_event(event, logs[source], problems)
            found[name] = replace(event, source=source)
        elif not broken_sources:
            problems.error("E202", *_no_source(event, source, logs, sources))
    for source_name, log in logs.items():
        constant = log.event_constant
        if constant and values.is_id(constant) and constant not in found:
            found[constant] = Event(constant, source_name, (constant,), None, log.place)
    return found


def _no_source(
    event: Event, source: str, logs: Mapping[str, Source], sources: Mapping[str, Source]
) -> tuple[str, Place, str]:
    if source in sources:
        kind = sources[source].kind
        return f"event {event.name}: source {source} holds {kind}, not events", event.place, ""
    if source:
        hint = did_you_mean(source, logs, "Sources of events")
        return f"event {event.name}: no source of events {quoted(source)}", event.place, hint
    if logs:
        hint = f"Add  source: {' | '.join(sorted(logs))}"
        return f"event {event.name} does not say from which source", event.place, hint
    hint = "Declare one:  sources: {app: {kind: events, files: …, columns: {event: …, time: …}, units: {user: …}}}"
    return f"event {event.name} has no source: the project has no source of kind events", event.place, hint


def _check_event(event: Event, log: Source, problems: Problems) -> None:
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
) -> Metric | None:
    """The metric with its unit of value, or None when it names what does not exist (reported, unless that is broken)."""
    names = _Names(metric, events, sources, broken_events, broken_sources, problems)
    for piece in metric.written:
        names.check(piece)
    if not names.fine:
        return None
    metric = with_units(replace(metric, unit_of_value=unit_of_value(metric, events, sources)), events, sources)
    if metric.margin is not None:
        margin_fits(metric.margin, metric, metric.margin_place or metric.place, problems)
    return metric


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
        else:
            for inner in walk(part):
                if isinstance(inner, Compare):
                    self._compare(inner, piece)

    def _compare(self, compare: Compare, piece: Written) -> None:
        """Money against money of one currency, durations against durations; a plain constant goes with anything."""
        left, right = self._measure(compare.left, piece), self._measure(compare.right, piece)
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
        event = self.events.get(atom.event)
        if event is None:
            self.fine = False
            if atom.event not in self.broken_events:
                hint = did_you_mean(atom.event, self.events) or "Declare it under  events:"
                self.error("E201", f"no event {quoted(atom.event)}", piece.span(_event_span(atom)), hint)
            return None
        if atom.prop is None:
            return ""
        source = self.sources[event.source]
        prop = source.property(atom.prop)
        if prop is None:
            declare = (
                f"Declare it:  sources: {source.name}: properties: {{{atom.prop}: {{from: COLUMN, type: number}}}}"
            )
            hint = did_you_mean(atom.prop, _by_name(source), "Properties") or declare
            message = f"event {atom.event} has no property {quoted(atom.prop)}"
            self.error("E210", message, piece.span(_prop_span(atom)), hint)
            return None
        if prop.type in ("text", "date"):
            self.error(
                "E211",
                f"{atom.function}({atom.event}.{atom.prop}): {atom.prop} is {prop.type}, not a number",
                piece.span(_prop_span(atom)),
                f"Declare it in source {source.name}:  {atom.prop}: {{from: {prop.path}, type: number}}",
            )
            return None
        return atom_unit(atom, prop)

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
