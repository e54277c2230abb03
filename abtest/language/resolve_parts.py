"""Names in the parts of a metric beside its condition: starting point, units it is among, adjustment, steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from abtest.language.canonical import events_of, metric_atoms
from abtest.language.conditions import RowNot, RowTest, Where, row_tests
from abtest.language.model import Among, Column, Event, Metric, Property, Source
from abtest.language.suggest import did_you_mean
from abtest.problems import Place, Problems, quoted


def unit_tables(sources: Mapping[str, Source]) -> dict[str, Source]:
    """Sources with one row per unit."""
    return {n: s for n, s in sources.items() if s.kind in ("attributes", "outcomes")}


def home_of(
    prop: str, sources: Mapping[str, Source], what: str, place: Place, problems: Problems, source: str = ""
) -> Source | None:
    """The one table of attributes that declares `prop`, or None after reporting."""
    tables = unit_tables(sources)
    if source and source not in tables:
        hint = did_you_mean(source, tables, "Sources of attributes")
        problems.error("E203", f"{what}: no source of attributes {quoted(source)}", place, hint)
        return None
    homes = [s for n, s in tables.items() if s.property(prop) is not None and (not source or n == source)]
    if not homes:
        known: dict[str, Property] = {p.name: p for s in tables.values() for p in s.properties}
        hint = did_you_mean(prop, known, "Attributes") or "Declare it in a source of  kind: attributes"
        problems.error("E210", f"{what}: no attribute {quoted(prop)}", place, hint)
        return None
    if len(homes) > 1:
        names = sorted(s.name for s in homes)
        hint = f"Write  {names[0]}.{prop}"
        problems.error("E210", f"{what}: attribute {quoted(prop)} exists in {' and '.join(names)}", place, hint)
        return None
    return homes[0]


def resolve_among(
    metric: Metric, events: Mapping[str, Event], sources: Mapping[str, Source], problems: Problems, tables: Problems
) -> Among | None:
    """`among` with its source; attributes only, or behaviour before exposure. What is wrong with tables goes to
    `tables`."""
    among = metric.among
    if among is None or among.where is None:
        return among
    place = metric.at("among")
    homes: dict[str, Source] = {}
    for test in row_tests(among.where):
        source, prop = split_path(test.prop, sources)
        if not source and prop in events:
            _after_exposure(metric, prop, place, problems)
            return None
        home = home_of(prop, sources, f"among of {metric.name}", place, tables, source)
        if home is None:
            return None
        homes[home.name] = home
    if len(homes) > 1:
        message = f"among of {metric.name} tests attributes of {' and '.join(sorted(homes))}"
        problems.error("E210", message, place, "Take all of them from one source.")
        return None
    home = next(iter(homes.values()))
    _known_before(home, f"among of {metric.name}", place, problems)
    return replace(among, where=without_source(among.where, sources), source=home.name)


def _after_exposure(metric: Metric, event: str, place: Place, problems: Problems) -> None:
    problems.error(
        "E311",
        f'among: "{event}" counts what happens after exposure, so the variants would no longer be comparable',
        place,
        f"Use a ratio or a funnel. Known before exposure is fine:  among: plan = free   among: ({event}) before 28 days",
    )


def split_path(path: str, sources: Mapping[str, Source]) -> tuple[str, str]:
    """`people.plan` as source and property, where such a source exists."""
    source, point, prop = path.partition(".")
    return (source, prop) if point and source in sources else ("", path)


def without_source(where: Where, sources: Mapping[str, Source]) -> Where:
    """The tests with `plan` for `people.plan`."""
    if isinstance(where, RowTest):
        return replace(where, prop=split_path(where.prop, sources)[1])
    if isinstance(where, RowNot):
        return replace(where, part=without_source(where.part, sources))
    return replace(where, parts=tuple(without_source(p, sources) for p in where.parts))


def _known_before(source: Source, what: str, place: Place, problems: Problems) -> None:
    if not source.known_before_exposure:
        problems.warn(
            "W314",
            f"{what}: is {source.name} known before the exposure?",
            place,
            f"If so, say  known: before_exposure  in source {source.name}; if not, the variants are not comparable.",
        )


def check_names(
    metric: Metric,
    events: Mapping[str, Event],
    sources: Mapping[str, Source],
    metrics: Mapping[str, Metric],
    broken_metrics: frozenset[str],
    problems: Problems,
    tables: Problems,
) -> bool:
    """Starting point, steps, units and adjustment name what exists; False after reporting what does not."""
    before = len(problems.errors) + len(tables.errors)
    if metric.starting_at is not None and (metric.starting_at not in events or "." in metric.starting_at):
        hint = did_you_mean(metric.starting_at, declared(events))
        problems.error("E201", f"no event {quoted(metric.starting_at)}", metric.at("starting_at"), hint)
    if metric.unit is not None:
        _check_unit(metric, events, sources, problems)
    if metric.per_unit == "session":
        atoms = metric_atoms(replace(metric, among=None))
        read = sorted({events[a.event].source for a in atoms if a.event in events})
        if any(a.function == "answer" for a in atoms):
            message = f"{metric.name} asks for answers, which belong to no session"
            problems.error("E313", message, metric.at("per"), "Use  over  without  per: session")
        elif len(read) > 1:
            message = f"{metric.name} judges sessions by events of {' and '.join(read)}"
            problems.error("E313", message, metric.at("per"), "A session lies in one source.")
    if metric.funnel is not None:
        homes = dict.fromkeys(events[s.event].source for s in metric.funnel.steps if s.event in events)
        for key, prop in (("same", metric.funnel.same), ("different", metric.funnel.different)):
            for name in homes:
                source = sources.get(name)
                if prop is not None and source is not None and not has_property(source, prop):
                    known = {p.name: p for p in source.properties}
                    hint = did_you_mean(prop, known, "Properties")
                    message = f"{key} of the funnel: source {name} declares no property {quoted(prop)}"
                    problems.error("E210", message, _place(metric, "funnel", key), hint)
    if metric.adjust is not None:
        _check_adjust(metric, sources, metrics, broken_metrics, problems, tables)
    if metric.use is not None and metric.use not in metrics and metric.use not in broken_metrics:
        hint = did_you_mean(metric.use, metrics, "Metrics")
        problems.error("E204", f"use of {metric.name}: no metric {quoted(metric.use)}", metric.at("use"), hint)
    return len(problems.errors) + len(tables.errors) == before


def declared(events: Mapping[str, Event]) -> dict[str, Event]:
    """The events that somebody wrote; answers to surveys are not among them."""
    return {n: e for n, e in events.items() if e.survey is None}


def _place(metric: Metric, key: str, inner: str) -> Place:
    """Where an inner key or an item stands; in a short form, where the key itself does."""
    places = dict(metric.places)
    return places.get(f"{key}.{inner}") or places.get(inner) or metric.at(key)


def has_property(source: Source, prop: str) -> bool:
    """A declared property, or a unit whose id can be read like one."""
    return source.property(prop) is not None or source.unit_path(prop) is not None


def _check_unit(metric: Metric, events: Mapping[str, Event], sources: Mapping[str, Source], problems: Problems) -> None:
    unit = metric.unit or ""
    homes = {events[e].source for e in events_of(metric) if e in events}
    homes |= {p.source for p in (metric.column, *(metric.parts or ())) if isinstance(p, Column)}
    for name in sorted(homes & set(sources)):
        source = sources[name]
        if unit != "session" and source.unit_path(unit) is None:
            hint = did_you_mean(unit, dict(source.units), f"Units of {name}")
            problems.error("E312", f"{metric.name}: source {name} has no unit {quoted(unit)}", metric.at("unit"), hint)


def _check_adjust(
    metric: Metric,
    sources: Mapping[str, Source],
    metrics: Mapping[str, Metric],
    broken_metrics: frozenset[str],
    problems: Problems,
    tables: Problems,
) -> None:
    assert metric.adjust is not None
    if metric.kind == "quantile" and (metric.adjust.metrics or metric.adjust.attributes):
        message = f"adjust of {metric.name}: a quantile is compared as it is; means, shares and ratios are adjusted"
        problems.error("E311", message, metric.at("adjust"), "Write  adjust: none")
        return
    for name in metric.adjust.metrics:
        place = _place(metric, "adjust", name)
        other = metrics.get(name)
        if other is None and name in broken_metrics:
            continue
        if other is None:
            hint = did_you_mean(name, metrics, "Metrics")
            problems.error("E204", f"adjust of {metric.name}: no metric {quoted(name)}", place, hint)
        elif not other.window.before:
            message = f"adjust of {metric.name}: {name} looks at  over: {other.window},  after exposure"
            hint = "Define one with  over: before 28 days"
            problems.error("E311", message, place, hint)
        elif other.kind == "quantile":
            message = f"adjust of {metric.name}: {name} is a quantile, which no single unit has"
            problems.error("E311", message, place, "Use an amount, a yes or no, or a ratio.")
    for source_name, prop in metric.adjust.attributes:
        place = _place(metric, "adjust", f"{source_name}.{prop}")
        home = home_of(prop, sources, f"adjust of {metric.name}", place, tables, source_name)
        declared_as = home.property(prop) if home is not None else None
        if home is None or declared_as is None:
            continue
        if declared_as.type == "date":
            message = (
                f"adjust of {metric.name}: {source_name}.{prop} is a date; numbers, yes or no, and texts can be used"
            )
            tables.error("E311", message, place, "Export it as a number of days.")
            continue
        _known_before(home, f"adjust of {metric.name}", place, tables)
