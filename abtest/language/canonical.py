"""The canonical form of a definition and its hash: what it means, without how it was written.

Events are inlined (their source, names and tests), titles and owners are left out, sugar is gone, and what may be
listed in any order is sorted. Two definitions with one hash give the same number for every unit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date
from typing import Any

from abtest.language.conditions import (
    All,
    AnyOf,
    AtLeast,
    Atom,
    Attribute,
    Compare,
    Condition,
    Measure,
    Not,
    Operator,
    Rank,
    RowAll,
    RowAny,
    RowNot,
    RowTest,
    Spread,
    Value,
    Where,
    atoms_of,
    attributes_of,
)
from abtest.language.model import Column, Event, Experiment, Metric, Project, RatioPart

_NOT_MEANING = frozenset({
    "title", "description", "owner", "tags", "examples", "version", "margin", "better", "name", "condition", "measure",
    "parts", "rank", "known", "among", "window", "cap", "group", "survey", "status", "use", "uses", "dimension", "phase",
    "show", "part_of", "test", "cannot", "origin", "guardrail",
})  # fmt: skip
_DEFAULTS = {"clock": "date", "per_unit": "tick", "rolling": False, "tick": "day", "end": False}
"""What need not be said, so that later additions to the language leave older hashes alone."""
_TURNED: dict[Operator, Operator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}


def plain(value: Any, leave_out: frozenset[str] = frozenset()) -> Any:
    """JSON values of frozen dataclasses, tagged with their class so that different shapes cannot collide.

    Fields that do not count for equality (places, spans, texts) do not count here either.
    """
    if is_dataclass(value) and not isinstance(value, type):
        entries = {
            f.name: plain(getattr(value, f.name)) for f in fields(value) if f.compare and f.name not in leave_out
        }
        return {"is": type(value).__name__, **{k: v for k, v in entries.items() if v not in (None, [], "")}}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    if isinstance(value, date):
        return value.isoformat()
    return value


def digest(value: Any) -> str:
    """16 hexadecimal digits of the SHA-256 of the canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def normal(condition: Condition) -> Condition:
    """`and` and `or` flattened and ordered, so that the order in which an analyst lists clauses does not count."""
    match condition:
        case All(parts):
            return _joined(parts, All)
        case AnyOf(parts):
            return _joined(parts, AnyOf)
        case AtLeast(1, parts):
            return _joined(parts, AnyOf)
        case AtLeast(count, parts) if count == len(parts):
            return _joined(parts, All)
        case AtLeast(count, parts):
            return AtLeast(count, tuple(sorted((normal(p) for p in parts), key=_key)))
        case Not(part):
            inner = normal(part)
            return inner.part if isinstance(inner, Not) else Not(inner)
        case Attribute(source, test):
            found = normal_where(test)
            assert isinstance(found, RowTest)
            return Attribute(source, found)
        case Spread(part):
            return replace(condition, part=normal(part))
        case Compare(left, operator, right):
            if right.atoms and not left.atoms:
                return Compare(normal_measure(right), _TURNED[operator], normal_measure(left))
            return Compare(normal_measure(left), operator, normal_measure(right))


def normal_measure(measure: Measure) -> Measure:
    """The terms of a sum in one order."""
    return Measure(tuple(sorted(measure.terms, key=_key)))


def _joined(parts: tuple[Condition, ...], kind: type[All] | type[AnyOf]) -> Condition:
    found: dict[str, Condition] = {}
    for part in parts:
        inner = normal(part)
        for piece in inner.parts if isinstance(inner, kind) else (inner,):
            found[_key(piece)] = piece
    ordered = tuple(found[k] for k in sorted(found))
    return ordered[0] if len(ordered) == 1 else kind(ordered)


def normal_where(where: Where) -> Where:
    """Row tests likewise; a number counts by its value, not by how it was written (`1 min`, `60 s`)."""
    match where:
        case RowTest(_, operator, values):
            plainer = [Value(v.kind, "" if v.kind == "number" else v.text, v.number, v.unit) for v in values]
            if operator in ("in", "not in"):
                plainer = [v for _, v in sorted({_key(v): v for v in plainer}.items())]
            return replace(where, values=tuple(plainer))
        case RowNot(part):
            inner = normal_where(part)
            return inner.part if isinstance(inner, RowNot) else RowNot(inner)
        case RowAll(parts) | RowAny(parts):
            kind = type(where)
            found: dict[str, Where] = {}
            for part in parts:
                inner = normal_where(part)
                for piece in inner.parts if isinstance(inner, kind) else (inner,):
                    found[_key(piece)] = piece
            ordered = tuple(found[k] for k in sorted(found))
            return ordered[0] if len(ordered) == 1 else kind(ordered)


def _key(value: Any) -> str:
    return json.dumps(plain(value), sort_keys=True)


def metric_atoms(metric: Metric) -> tuple[Atom, ...]:
    """Every number that a metric is made of, in order of appearance."""
    found: dict[Atom, None] = {}
    among = metric.among.condition if metric.among is not None else None
    for part in (metric.condition, metric.measure, *(metric.parts or ()), metric.rank, metric.known, among):
        if isinstance(part, Measure):
            found.update(dict.fromkeys(part.atoms))
        elif isinstance(part, Rank):
            found.update((a, None) for p in part.parts for a in atoms_of(p))
        elif part is not None and not isinstance(part, Column):
            found.update(dict.fromkeys(atoms_of(part)))
    return tuple(found)


def metric_attributes(metric: Metric) -> tuple[Attribute, ...]:
    """Every attribute of units that a metric tests in its conditions."""
    parts = (metric.condition, *(metric.parts or ()), *(metric.rank.parts if metric.rank else ()), metric.known)
    found = [a for p in parts if p is not None and not isinstance(p, (Measure, Column)) for a in attributes_of(p)]
    return tuple(dict.fromkeys(found))


def events_of(metric: Metric) -> tuple[str, ...]:
    """The names of all events that a metric reads, in order of appearance."""
    names = dict.fromkeys(a.event for a in metric_atoms(metric))
    if metric.funnel is not None:
        names |= dict.fromkeys(step.event for step in metric.funnel.steps)
    if metric.starting_at is not None:
        names[metric.starting_at] = None
    return tuple(names)


def canonical_metric(metric: Metric, events: Mapping[str, Event]) -> dict[str, Any]:
    """What the hash covers: the kind, the normalised condition, windows, and every event spelled out."""
    form = plain(metric, _NOT_MEANING)
    if metric.kind in ("retention", "churn") or (metric.kind == "group" and metric.condition is not None):
        form["kind"] = "did"
    form["window"] = _short(plain(metric.window))
    if metric.cap is not None:
        form["cap"] = metric.cap.size if metric.cap.of == "value" else str(metric.cap)
    for key, part in (("condition", metric.condition), ("measure", metric.measure), ("known", metric.known)):
        if part is not None:
            form[key] = plain(_normal_part(part))
    if metric.parts is not None:
        form["parts"] = [plain(_normal_part(p)) for p in metric.parts]
    if metric.rank is not None:
        form["degrees" if metric.rank.degrees else "rank"] = [plain(normal(p)) for p in metric.rank.parts]
    if metric.funnel is not None:
        form["funnel"]["steps"] = [step.event for step in metric.funnel.steps]
    if metric.among is not None:
        among = metric.among
        where = None if among.where is None else plain(normal_where(among.where))
        condition = None if among.condition is None else plain(normal(among.condition))
        form["among"] = {"source": among.source, "where": where, "condition": condition, "days": among.days}
    form["events"] = {name: _canonical_event(events[name]) for name in sorted(events_of(metric)) if name in events}
    return _short({k: v for k, v in form.items() if v not in (None, [], {})})


def _short(form: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in form.items() if k not in _DEFAULTS or v != _DEFAULTS[k]}


def _normal_part(part: RatioPart) -> RatioPart:
    if isinstance(part, Column):
        return part
    return normal_measure(part) if isinstance(part, Measure) else normal(part)


def _canonical_event(event: Event) -> dict[str, Any]:
    where = normal_where(event.where) if event.where is not None else None
    form = {"source": event.source, "names": sorted(set(event.names)), "where": plain(where)}
    more = {"units": event.units, "nth": event.nth, "once": event.once, "survey": event.survey}
    more |= {"before_exposure": event.before_exposure or None}
    return form | {k: plain(v) for k, v in more.items() if v}


def metric_hash(metric: Metric, events: Mapping[str, Event]) -> str:
    return digest(canonical_metric(metric, events))


def experiment_hash(project: Project, experiment: Experiment) -> str:
    """Of everything that decides the numbers: the experiment, its metrics and the sources."""
    metrics = {u.name: canonical_metric(project.metrics[u.name], project.events) for u in experiment.metrics}
    sources = {name: plain(source) for name, source in sorted(project.sources.items())}
    return digest(
        {
            "experiment": plain(experiment),
            "metrics": metrics,
            "sources": sources,
            "timezone": project.timezone,
            "adjust": _adjusting(project, experiment),
            **_triggered(project, experiment),
        }
    )


def _triggered(project: Project, experiment: Experiment) -> dict[str, Any]:
    """The trigger with its events spelled out; nothing without one, so that other hashes stay as they are."""
    trigger = experiment.trigger
    if trigger is None:
        return {}
    events = sorted({a.event for a in atoms_of(trigger.condition)} & set(project.events))
    return {
        "trigger": {
            "when": plain(normal(trigger.condition)),
            "events": {e: _canonical_event(project.events[e]) for e in events},
        }
    }


def _adjusting(project: Project, experiment: Experiment) -> dict[str, Any]:
    """By what the metrics are adjusted; the metrics that only serve that, spelled out."""
    named = {u.name: project.metrics[u.name].adjust for u in experiment.metrics}
    before = sorted({n for a in named.values() if a is not None for n in a.metrics})
    return {
        "default": project.default_adjust,
        "metrics": {name: plain(adjust) for name, adjust in sorted(named.items()) if adjust is not None},
        "tests": {u.name: t for u in experiment.metrics if (t := project.metrics[u.name].test) is not None},
        "before": {n: canonical_metric(project.metrics[n], project.events) for n in before},
    }


def plan_hash(experiment: Experiment) -> str:
    """Of what must be fixed before the data are seen: metrics with roles and margins, plan, dates, rule."""
    fixed = (
        experiment.metrics,
        experiment.plan,
        experiment.decide,
        experiment.start,
        experiment.end,
        experiment.baseline,
    )
    beside = [x for x in (experiment.trigger, experiment.value) if x is not None]
    return digest(plain((*fixed, *beside)))
