"""Units: of an atom, of a comparison and of a metric's value, and whether a margin is given in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from abtest.language import values
from abtest.language.conditions import Atom, Compare, Measure, mapped
from abtest.language.measures import TIME_UNITS
from abtest.language.model import Column, Event, Margin, Metric, Property, RatioPart, Source
from abtest.problems import Place, Problems, quoted


def atom_unit(atom: Atom, prop: Property) -> str:
    """`EUR`, `duration`, `%` for a share of flags, "" for plain numbers."""
    if prop.type == "money":
        return prop.unit or ""
    if prop.type == "duration":
        return "duration"
    return "%" if prop.type == "flag" and atom.function != "sum" else ""


def unit_name(unit: str) -> str:
    names = {"duration": "a duration", "%": "a percentage", "": "a plain number"}
    return names.get(unit, f"money {unit}")


def unit_of_value(metric: Metric, events: Mapping[str, Event], sources: Mapping[str, Source]) -> str:
    """`share` for yes/no and shares of blocks, `money EUR`, `duration s`, else `number`."""
    if metric.kind == "time_to":
        return {"day": "days", "hour": "hours", "minute": "minutes"}[metric.window.tick]
    if metric.condition is not None or metric.funnel is not None:
        counted = metric.fold is not None and metric.fold.operator is None and metric.fold.name in ("count", "streak")
        return "number" if counted else "share"
    if metric.survey is not None:
        survey = events[f"{metric.survey}.answers"].survey
        assert survey is not None
        return {"nps": "points", "mean": "number"}.get(survey.score, "share")
    if metric.rank is not None:
        return "number"
    if metric.parts is not None:
        if not any(isinstance(p, (Measure, Column)) for p in metric.parts):
            return "share"
        of, to = (_part_unit(p, events, sources) for p in metric.parts)
        return of if of != to else "number"
    part = metric.measure or metric.column
    return _part_unit(part, events, sources) if part is not None else "number"


def _part_unit(part: RatioPart, events: Mapping[str, Event], sources: Mapping[str, Source]) -> str:
    if isinstance(part, Measure):
        found = next((a for a in part.atoms if a.prop is not None and a.function != "distinct"), None)
        if found is None and any(a.function == "days_since" for a in part.atoms):
            return "days"
        if found is None or found.prop is None:
            return "number"
        prop = sources[events[found.event].source].property(found.prop)
        return "number" if prop is None or prop.type == "flag" else _display_unit(prop)
    if isinstance(part, Column):
        return _display_unit(sources[part.source].property(part.name))
    return "number"


def _display_unit(prop: Property | None) -> str:
    if prop is None or prop.type == "number":
        return "number"
    if prop.type == "flag":
        return "share"
    return f"{prop.type} {prop.unit}" if prop.unit else prop.type


def margin_fits(margin: Margin, metric: Metric, place: Place, problems: Problems) -> Margin:
    """An absolute margin in the unit of the value; `points` are hundredths of a share, durations are seconds."""
    if margin.kind == "relative":
        return margin
    unit, wanted = values.margin_unit(margin), metric.unit_of_value
    if wanted == "share":
        if unit != "points":
            problems.error(
                "E405",
                f"the margin {quoted(margin.text)} of {metric.name}: a share worsens by points or by percent",
                place,
                f"Write  margin: {margin.size:g} points  or  margin: {margin.size:g}%",
            )
        return replace(margin, size=margin.size / 100)
    suffix = wanted.split()[-1] if " " in wanted else ""
    if wanted in ("points", "days", "hours", "minutes") and unit in (wanted, wanted[:-1]):
        return margin
    if wanted in ("points", "days", "hours", "minutes"):
        suffix = wanted
    if wanted.startswith("duration") and unit in TIME_UNITS:
        return replace(margin, size=float(values.exact(margin) * TIME_UNITS[unit]))
    if unit == suffix:
        return margin
    if metric.column is not None and unit == "points":
        name, source = metric.column.name, metric.column.source
        problems.error(
            "E405",
            f"the margin {quoted(margin.text)} of {metric.name}: points belong to a yes or no, and {source}.{name} is not declared as one",
            place,
            f"Declare it:  sources: {source}: properties: {{{name}: {{from: {name}, type: flag}}}}",
        )
        return margin
    problems.error(
        "E405",
        f"the margin {quoted(margin.text)} of {metric.name} is not in its unit, {_value_name(wanted)}",
        place,
        f"Write  margin: {margin.size:g} {suffix}".rstrip() + f"  or  margin: {margin.size:g}%",
    )
    return margin


def _value_name(unit: str) -> str:
    return "a plain number" if unit == "number" else unit


def with_units(metric: Metric, events: Mapping[str, Event], sources: Mapping[str, Source]) -> Metric:
    """Plain numbers compared with money or durations get the unit: `>= 20` and `>= 20 EUR` are one definition."""

    def completed(compare: Compare) -> Compare:
        unit = next((u for m in (compare.left, compare.right) for u in _units(m, events, sources) if u), None)
        if unit is None:
            return compare
        left, right = (_in_unit(m, unit) for m in (compare.left, compare.right))
        return replace(compare, left=left, right=right)

    changed = metric
    if metric.condition is not None:
        changed = replace(changed, condition=mapped(metric.condition, completed))
    if metric.rank is not None:
        changed = replace(
            changed, rank=replace(metric.rank, parts=tuple(mapped(p, completed) for p in metric.rank.parts))
        )
    if metric.known is not None:
        changed = replace(changed, known=mapped(metric.known, completed))
    if metric.among is not None and metric.among.condition is not None:
        changed = replace(changed, among=replace(metric.among, condition=mapped(metric.among.condition, completed)))
    if metric.parts is not None:
        of, to = (p if isinstance(p, (Measure, Column)) else mapped(p, completed) for p in metric.parts)
        changed = replace(changed, parts=(of, to))
    return changed


def _units(measure: Measure, events: Mapping[str, Event], sources: Mapping[str, Source]) -> list[str]:
    found = []
    for atom in measure.atoms:
        found_in = sources[events[atom.event].source]
        prop = found_in.property(atom.prop) if atom.prop is not None and atom.function != "distinct" else None
        found.append(atom_unit(atom, prop) if prop is not None else "")
    return found


def _in_unit(measure: Measure, unit: str) -> Measure:
    if measure.atoms or unit == "%":
        return measure
    return replace(measure, terms=tuple(replace(t, unit=t.unit or unit) for t in measure.terms))
