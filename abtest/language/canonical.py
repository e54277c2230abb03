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
    Compare,
    Condition,
    Measure,
    Not,
    Operator,
    RowAll,
    RowAny,
    RowNot,
    RowTest,
    Spread,
    Value,
    Where,
    atoms_of,
)
from abtest.language.model import Column, Event, Experiment, Metric, Project, RatioPart

_NOT_MEANING = frozenset(
    {"title", "description", "owner", "tags", "examples", "version", "margin", "better", "name", "condition", "measure", "parts"}
)  # fmt: skip
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


def events_of(metric: Metric) -> tuple[str, ...]:
    """The names of all events that a metric reads, in order of appearance."""
    names: dict[str, None] = {}
    for part in (metric.condition, metric.measure, *(metric.parts or ())):
        if isinstance(part, Measure):
            names.update((a.event, None) for a in part.atoms)
        elif part is not None and not isinstance(part, Column):
            names.update((a.event, None) for a in atoms_of(part))
    return tuple(names)


def canonical_metric(metric: Metric, events: Mapping[str, Event]) -> dict[str, Any]:
    """What the hash covers: the kind, the normalised condition, windows, and every event spelled out."""
    form = plain(metric, _NOT_MEANING)
    if metric.kind == "retention":
        form["kind"] = "did"
    for key, part in (("condition", metric.condition), ("measure", metric.measure)):
        if part is not None:
            form[key] = plain(_normal_part(part))
    if metric.parts is not None:
        form["parts"] = [plain(_normal_part(p)) for p in metric.parts]
    form["events"] = {name: _canonical_event(events[name]) for name in sorted(events_of(metric)) if name in events}
    return {k: v for k, v in form.items() if v not in (None, [], {})}


def _normal_part(part: RatioPart) -> RatioPart:
    if isinstance(part, Column):
        return part
    return normal_measure(part) if isinstance(part, Measure) else normal(part)


def _canonical_event(event: Event) -> dict[str, Any]:
    where = normal_where(event.where) if event.where is not None else None
    return {"source": event.source, "names": sorted(set(event.names)), "where": plain(where)}


def metric_hash(metric: Metric, events: Mapping[str, Event]) -> str:
    return digest(canonical_metric(metric, events))


def experiment_hash(project: Project, experiment: Experiment) -> str:
    """Of everything that decides the numbers: the experiment, its metrics and the sources."""
    metrics = {u.name: canonical_metric(project.metrics[u.name], project.events) for u in experiment.metrics}
    sources = {name: plain(source) for name, source in sorted(project.sources.items())}
    return digest(
        {"experiment": plain(experiment), "metrics": metrics, "sources": sources, "timezone": project.timezone}
    )


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
    return digest(plain(fixed))
