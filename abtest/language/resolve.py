"""Names to what they name: events, properties, sources, units and metrics, with suggestions where they fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from abtest.language import values
from abtest.language.canonical import events_of
from abtest.language.conditions import All, AnyOf, AtLeast, Atom, Compare, Condition, Measure, Not, Spread, row_tests, walk
from abtest.language.model import Column, Event, Experiment, Margin, Metric, MetricUse, Property, Segment, Source
from abtest.language.suggest import did_you_mean
from abtest.problems import Place, Problems, quoted


def resolve_events(events: Mapping[str, Event], sources: Mapping[str, Source], problems: Problems) -> dict[str, Event]:
    """Events with their source filled in. A file of one event declares it by itself."""
    logs = {n: s for n, s in sources.items() if s.kind == "events"}
    found: dict[str, Event] = {}
    for name, event in events.items():
        source = event.source or (next(iter(logs)) if len(logs) == 1 else "")
        if not source:
            if logs:
                problems.error("E202", f"event {name} does not say from which source", event.place, f"Add  source: {' | '.join(sorted(logs))}")
            else:
                problems.error("E202", f"event {name} has no source: the project has no source of kind events", event.place)
            continue
        if source not in logs:
            hint = did_you_mean(source, logs, "Sources of events")
            problems.error("E202", f"event {name}: no source of events {quoted(source)}", event.place, hint)
            continue
        log = logs[source]
        if event.names and log.event is None and log.event_constant not in event.names:
            problems.error("E202", f"event {name}: every row of {source} is {quoted(log.event_constant)}", event.place)
        if event.where is not None:
            for test in row_tests(event.where):
                if log.property(test.prop) is None:
                    hint = did_you_mean(test.prop, [p.name for p in log.properties], "Properties")
                    problems.error("E210", f"event {name}: source {source} declares no property {quoted(test.prop)}", event.place, hint or f"Declare it:  sources: {source}: properties: {{{test.prop}: COLUMN}}")
        found[name] = replace(event, source=source)
    for source_name, log in logs.items():
        constant = log.event_constant
        if constant and values.is_id(constant) and constant not in found:
            found[constant] = Event(constant, source_name, (constant,), None, log.place)
    return found


def resolve_metric(metric: Metric, events: Mapping[str, Event], sources: Mapping[str, Source], problems: Problems) -> Metric | None:
    """The metric with its unit of value, or None after reporting what it names that does not exist."""
    before = len(problems.errors)
    for part, place in _parts(metric):
        if isinstance(part, Column):
            _check_column(metric, part, sources, place, problems)
        elif isinstance(part, Measure):
            _check_measure(part, metric, events, sources, place, problems)
        else:
            for inner in walk(part):
                if isinstance(inner, Compare):
                    left = _check_measure(inner.left, metric, events, sources, place, problems)
                    right = _check_measure(inner.right, metric, events, sources, place, problems)
                    _same_unit(left, right, inner, place, problems)
    if len(problems.errors) > before:
        return None
    metric = replace(metric, unit_of_value=_unit_of_value(metric, events, sources))
    if metric.margin is not None:
        _margin_fits(metric.margin, metric, metric.place, problems)
    return metric


def _parts(metric: Metric) -> list[tuple[Condition | Measure | Column, Place]]:
    found = [metric.condition, metric.measure, metric.column, *(metric.parts or ())]
    return [(part, metric.place) for part in found if part is not None]


def _check_column(metric: Metric, column: Column, sources: Mapping[str, Source], place: Place, problems: Problems) -> None:
    tables = {n: s for n, s in sources.items() if s.kind == "outcomes"}
    if column.source not in tables:
        problems.error("E203", f"metric {metric.name}: no source of outcomes {quoted(column.source)}", place, did_you_mean(column.source, tables, "Sources of outcomes"))
        return
    declared = tables[column.source].properties
    found = tables[column.source].property(column.name)
    if declared and found is None and values.is_id(column.name):
        near = did_you_mean(column.name, [p.name for p in declared], "Declared")
        if near.startswith("Did you mean"):
            problems.error("E210", f"metric {metric.name}: source {column.source} declares no column {quoted(column.name)}", place, near)
    if found is not None and found.type in ("text", "date"):
        pass_through = f"Declare it:  {column.name}: {{from: {found.path}, type: number}}"
        problems.error("E211", f"metric {metric.name}: {column.source}.{column.name} is {found.type}, not a number", place, pass_through)


def _check_measure(measure: Measure, metric: Metric, events: Mapping[str, Event], sources: Mapping[str, Source], place: Place, problems: Problems) -> str | None:
    """Check every atom; the unit of the measure ("" = plain number, None = nothing to compare with)."""
    units = []
    for term in measure.terms:
        if term.atom is None:
            if term.unit:
                units.append("duration" if term.unit == "duration" else term.unit)
            continue
        units.append(_check_atom(term.atom, metric, events, sources, place, problems))
    named = {u for u in units if u is not None}
    if len(named) > 1:
        problems.error("E220", f"metric {metric.name} adds {' and '.join(sorted(_unit_name(u) for u in named))}", place)
    return next(iter(named)) if len(named) == 1 else None if not named else ""


def _check_atom(atom: Atom, metric: Metric, events: Mapping[str, Event], sources: Mapping[str, Source], place: Place, problems: Problems) -> str | None:
    at = _atom_place(atom, place)
    event = events.get(atom.event)
    if event is None:
        hint = did_you_mean(atom.event, events)
        problems.error("E201", f"no event {quoted(atom.event)}", at, hint or "Declare it under  events:")
        return None
    if atom.prop is None:
        return ""
    source = sources[event.source]
    prop = source.property(atom.prop)
    if prop is None:
        hint = did_you_mean(atom.prop, [p.name for p in source.properties], "Properties")
        problems.error("E210", f"event {atom.event} has no property {quoted(atom.prop)}", at, hint or f"Declare it:  sources: {source.name}: properties: {{{atom.prop}: {{from: COLUMN, type: number}}}}")
        return None
    if prop.type in ("text", "date"):
        problems.error("E211", f"{atom.function}({atom.event}.{atom.prop}): {atom.prop} is {prop.type}, not a number", at, f"Declare it:  {atom.prop}: {{from: {prop.path}, type: number}}")
        return None
    return _unit(prop)


def _unit(prop: Property) -> str:
    if prop.type == "money":
        return prop.unit or ""
    return "duration" if prop.type == "duration" else ""


def _unit_name(unit: str) -> str:
    return "a duration" if unit == "duration" else f"money {unit}" if unit else "a plain number"


def _same_unit(left: str | None, right: str | None, compare: Compare, place: Place, problems: Problems) -> None:
    """Money against money of one currency, durations against durations; a plain constant goes with anything."""
    constant_only = not compare.right.atoms or not compare.left.atoms
    written = {t.unit for m in (compare.left, compare.right) for t in m.terms if t.atom is None} - {None}
    if left is None or right is None:
        if not (constant_only and written and (left or right) in ("", None)):
            return
    if left != right and left is not None and right is not None:
        problems.error("E220", f"comparing {_unit_name(left)} with {_unit_name(right)}", place)


def _atom_place(atom: Atom, place: Place) -> Place:
    """The atom's own columns when its text can be found in the line of the definition."""
    at = place.excerpt.find(atom.event if atom.prop is None else f"{atom.event}.{atom.prop}")
    if at < 0:
        return place
    return Place(place.file, place.line, at + 1, len(atom.event) + (1 + len(atom.prop) if atom.prop else 0), place.excerpt)


def _unit_of_value(metric: Metric, events: Mapping[str, Event], sources: Mapping[str, Source]) -> str:
    """`share` for yes/no and shares of blocks, `money EUR`, `duration s`, else `number`."""
    if metric.kind in ("did", "retention"):
        counted = metric.fold is not None and metric.fold.operator is None and metric.fold.name in ("count", "streak")
        return "number" if counted else "share"
    if metric.kind == "ratio" and metric.parts is not None:
        units = [_part_unit(p, events, sources) for p in metric.parts]
        if isinstance(metric.parts[0], (Compare, All, AnyOf, Not, AtLeast, Spread)) and isinstance(metric.parts[1], (Compare, All, AnyOf, Not, AtLeast, Spread)):
            return "share"
        return units[0] if units[0] != units[1] else "number"
    part = metric.measure or metric.column
    return _part_unit(part, events, sources) if part is not None else "number"


def _part_unit(part: Condition | Measure | Column, events: Mapping[str, Event], sources: Mapping[str, Source]) -> str:
    if isinstance(part, Measure):
        for atom in part.atoms:
            if atom.prop is not None:
                return _display_unit(sources[events[atom.event].source].property(atom.prop))
        return "number"
    if isinstance(part, Column):
        return _display_unit(sources[part.source].property(part.name))
    return "number"


def _display_unit(prop: Property | None) -> str:
    if prop is None or prop.type == "number":
        return "number"
    if prop.type == "flag":
        return "share"
    return f"{prop.type} {prop.unit}" if prop.unit else prop.type


def _margin_fits(margin: Margin, metric: Metric, place: Place, problems: Problems) -> Margin:
    """An absolute margin in the unit of the value; `points` are hundredths of a share."""
    if margin.kind == "relative":
        return margin
    unit = values.margin_unit(margin)
    wanted = metric.unit_of_value
    if wanted == "share":
        if unit != "points":
            problems.error("E405", f"the margin {quoted(margin.text)} of {metric.name}: a share worsens by points or by percent", place, f"Write  margin: {margin.size:g} points  or  margin: {margin.size:g}%")
        return replace(margin, size=margin.size / 100)
    suffix = wanted.split()[-1] if " " in wanted else ""
    if unit not in (suffix, "" if not suffix else suffix):
        if metric.column is not None and unit == "points":
            name = metric.column.name
            problems.error("E405", f"the margin {quoted(margin.text)} of {metric.name}: points belong to a yes or no, and {metric.column.source}.{name} is not declared as one", place, f"Declare it:  sources: {metric.column.source}: properties: {{{name}: {{from: {name}, type: flag}}}}")
            return margin
        written = f"{margin.size:g} {suffix}".strip()
        problems.error("E405", f"the margin {quoted(margin.text)} of {metric.name} is not in its unit", place, f"Write  margin: {written}  or  margin: {margin.size:g}%")
    return margin


def resolve_experiment(
    experiment: Experiment, sources: Mapping[str, Source], events: Mapping[str, Event], metrics: Mapping[str, Metric], broken: frozenset[str], problems: Problems
) -> Experiment:
    """The experiment with margins in units of the values and segments bound to their sources."""
    _check_exposure(experiment, sources, problems)
    uses = []
    for use in experiment.metrics:
        metric = metrics.get(use.name)
        if metric is None:
            if use.name not in broken:
                problems.error("E204", f"no metric {quoted(use.name)}", use.place, did_you_mean(use.name, metrics, "Metrics") or "Define it under  metrics:")
            continue
        uses.append(_resolve_use(use, metric, problems))
        _check_unit(metric, use, experiment, sources, events, problems)
    segments = tuple(s for s in (_resolve_segment(g, experiment, sources, problems) for g in experiment.segments) if s)
    for rule in experiment.decide:
        for quantifier, name, _ in rule.tests:
            if quantifier == "metric" and name not in {u.name for u in experiment.metrics}:
                problems.error("E417", f"decide {rule.outcome} speaks of {quoted(name)}, which is not in this experiment", experiment.place, did_you_mean(name, [u.name for u in experiment.metrics]))
    if experiment.start is None and any(s.time is not None for s in sources.values()):
        problems.warn("W402", f"experiment {experiment.id} has no dates, although its data have time", experiment.place, "Add  dates: {start: 2026-03-02, end: 2026-03-29}")
    return replace(experiment, metrics=tuple(uses), segments=segments)


def _resolve_use(use: MetricUse, metric: Metric, problems: Problems) -> MetricUse:
    if use.role in ("goal", "guardrail") and metric.better is None:
        problems.error("E403", f"{use.role} {use.name} does not say which direction is better", use.place, f"Add  better: higher  to metric {use.name} ({metric.place.file}:{metric.place.line})")
    margin = use.margin or metric.margin
    if use.role == "guardrail" and margin is None:
        problems.error("E404", f'guardrail {use.name} has no margin, so "held" cannot be decided', use.place, f"Write  {{{use.name}: {{margin: 2%}}}}  with the loss that you would still accept")
    if margin is not None:
        margin = _margin_fits(margin, metric, use.place if use.margin else metric.place, problems)
    return replace(use, margin=margin)


def _check_exposure(experiment: Experiment, sources: Mapping[str, Source], problems: Problems) -> None:
    name = experiment.exposure_source
    source = sources.get(name)
    if source is None:
        if name:
            problems.error("E203", f"no source {quoted(name)} for the exposure", experiment.place, did_you_mean(name, sources, "Sources"))
        return
    if source.variant is None:
        problems.error("E203", f"source {name} maps no variant, so it cannot say who saw what", source.place, "Add  columns: {variant: COLUMN}")
    if experiment.flag is not None and source.flag is None:
        problems.error("E203", f"source {name} maps no flag, so {quoted(experiment.flag)} cannot be found in it", source.place, "Add  columns: {flag: COLUMN}")
    if source.flag is not None and experiment.flag is None:
        problems.error("E203", f"source {name} holds several flags; which one is this experiment?", experiment.place, "Add  exposure: {source: …, flag: NAME}")
    if experiment.unit and source.unit_path(experiment.unit) is None:
        problems.error("E312", f"source {name} has no unit {quoted(experiment.unit)}", source.place, did_you_mean(experiment.unit, dict(source.units), "Units there"))


def _check_unit(metric: Metric, use: MetricUse, experiment: Experiment, sources: Mapping[str, Source], events: Mapping[str, Event], problems: Problems) -> None:
    names = {events[e].source for e in events_of(metric) if e in events}
    names |= {p.source for p in (metric.column, *(metric.parts or ())) if isinstance(p, Column)}
    for name in sorted(names & set(sources)):
        source = sources[name]
        if experiment.unit and source.unit_path(experiment.unit) is None:
            problems.error(
                "E312",
                f"{use.name} cannot be measured per {experiment.unit}: source {name} has no unit {quoted(experiment.unit)}",
                use.place,
                did_you_mean(experiment.unit, dict(source.units), f"Units of {name}"),
            )
        if metric.kind != "column" and source.kind == "events" and source.time is None:
            problems.error("E310", f"{use.name} needs times, and source {name} has none", use.place)
        if source.kind == "events" and sources.get(experiment.exposure_source) is not None and sources[experiment.exposure_source].time is None:
            problems.error("E310", f"{use.name} counts what follows the exposure, and source {experiment.exposure_source} has no time", use.place, "Map the time of the exposure.")


def _resolve_segment(segment: Segment, experiment: Experiment, sources: Mapping[str, Source], problems: Problems) -> Segment | None:
    """`country` or `people.country`, from attributes (or per-unit tables) that know the experiment's unit."""
    tables = {n: s for n, s in sources.items() if s.kind in ("attributes", "outcomes")}
    if segment.source and segment.source not in tables:
        problems.error("E203", f"segment {quoted(f'{segment.source}.{segment.prop}')}: no attributes {quoted(segment.source)}", segment.place, did_you_mean(segment.source, tables, "Attributes"))
        return None
    homes = [n for n, s in tables.items() if s.property(segment.prop) is not None and (not segment.source or n == segment.source)]
    if not homes:
        known = [p.name for s in tables.values() for p in s.properties]
        problems.error("E210", f"no attribute {quoted(segment.prop)} to split by", segment.place, did_you_mean(segment.prop, known, "Attributes") or "Declare it in a source of  kind: attributes")
        return None
    if len(homes) > 1:
        problems.error("E210", f"attribute {quoted(segment.prop)} exists in {' and '.join(sorted(homes))}", segment.place, f"Write  {sorted(homes)[0]}.{segment.prop}")
        return None
    source = sources[homes[0]]
    if experiment.unit and source.unit_path(experiment.unit) is None:
        problems.error("E312", f"segment {segment.prop}: source {source.name} has no unit {quoted(experiment.unit)}", segment.place)
        return None
    if not source.known_before_exposure:
        problems.warn("W314", f"segment {segment.prop}: is it known before the exposure?", segment.place, f"If so, say  known: before_exposure  in source {source.name}; if not, groups are not comparable.")
    return replace(segment, source=source.name)
