"""The canonical form of a definition and its hash: what it means, without how it was written.

Events are inlined (their source, names and tests), titles and owners are left out, sugar is gone because the values
of `conditions.py` have none. Two definitions with one hash give the same number for every unit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any

from abtest.language.conditions import All, AnyOf, AtLeast, Compare, Condition, Measure, Not, Spread, atoms_of
from abtest.language.model import Event, Experiment, Metric, Project

_NOT_MEANING = frozenset({"place", "at", "title", "description", "owner", "tags", "examples", "text", "version", "margin", "better", "name"})


def plain(value: Any, leave_out: frozenset[str] = frozenset({"place", "at", "text"})) -> Any:
    """JSON values of frozen dataclasses, tagged with their class so that different shapes cannot collide."""
    if is_dataclass(value) and not isinstance(value, type):
        entries = {f.name: plain(getattr(value, f.name), leave_out) for f in fields(value) if f.name not in leave_out}
        return {"is": type(value).__name__, **{k: v for k, v in entries.items() if v not in (None, [], "")}}
    if isinstance(value, Mapping):
        return {str(k): plain(v, leave_out) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(v, leave_out) for v in value]
    if isinstance(value, date):
        return value.isoformat()
    return value


def digest(value: Any) -> str:
    """16 hexadecimal digits of the SHA-256 of the canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def normal(condition: Condition) -> Condition:
    """`and` and `or` flattened and ordered, so that the order in which an analyst lists clauses does not count."""
    match condition:
        case All(parts):
            return All(_flat(parts, All))
        case AnyOf(parts):
            return AnyOf(_flat(parts, AnyOf))
        case AtLeast(count, parts):
            return AtLeast(count, tuple(sorted((normal(p) for p in parts), key=_key)))
        case Not(part):
            inner = normal(part)
            return inner.part if isinstance(inner, Not) else Not(inner)
        case Spread(part, operator, count, days):
            return Spread(normal(part), operator, count, days)
        case Compare():
            return condition


def _flat(parts: tuple[Condition, ...], kind: type[All] | type[AnyOf]) -> tuple[Condition, ...]:
    found: dict[str, Condition] = {}
    for part in parts:
        inner = normal(part)
        for piece in inner.parts if isinstance(inner, kind) else (inner,):
            found[_key(piece)] = piece
    return tuple(found[k] for k in sorted(found))


def _key(condition: Condition) -> str:
    return json.dumps(plain(condition), sort_keys=True)


def events_of(metric: Metric) -> tuple[str, ...]:
    """The names of all events that a metric reads, in order of appearance."""
    names: dict[str, None] = {}
    for part in (metric.condition, metric.measure, *(metric.parts or ())):
        if isinstance(part, Measure):
            names.update((a.event, None) for a in part.atoms)
        elif isinstance(part, (Compare, All, AnyOf, Not, AtLeast, Spread)):
            names.update((a.event, None) for a in atoms_of(part))
    return tuple(names)


def canonical_metric(metric: Metric, events: Mapping[str, Event]) -> dict[str, Any]:
    """What the hash covers: the kind, the normalised condition, windows, and every event spelled out."""
    form = plain(metric, _NOT_MEANING)
    if metric.condition is not None:
        form["condition"] = plain(normal(metric.condition))
    if metric.parts is not None:
        form["parts"] = [
            plain(normal(p)) if isinstance(p, (Compare, All, AnyOf, Not, AtLeast, Spread)) else plain(p) for p in metric.parts
        ]
    form["events"] = {
        name: {"source": events[name].source, "names": sorted(events[name].names), "where": plain(events[name].where)}
        for name in sorted(events_of(metric))
        if name in events
    }
    return {k: v for k, v in form.items() if v not in (None, [], {})}


def metric_hash(metric: Metric, events: Mapping[str, Event]) -> str:
    return digest(canonical_metric(metric, events))


def experiment_hash(project: Project, experiment: Experiment) -> str:
    """Of everything that decides the numbers: the experiment, its metrics and the sources."""
    metrics = {u.name: canonical_metric(project.metrics[u.name], project.events) for u in experiment.metrics}
    sources = {name: plain(source) for name, source in sorted(project.sources.items())}
    return digest({"experiment": plain(experiment), "metrics": metrics, "sources": sources, "timezone": project.timezone})


def plan_hash(experiment: Experiment) -> str:
    """Of what must be fixed before the data are seen: metrics with roles and margins, plan, dates, rule."""
    fixed = (experiment.metrics, experiment.plan, experiment.decide, experiment.start, experiment.end, experiment.baseline)
    return digest(plain(fixed))
