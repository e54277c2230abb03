"""Definitions over time: what a definition says, key by key, and what has changed since a result was made.

The hash tells whether the meaning changed; the texts tell how. Both are kept in every result.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from abtest.language.canonical import events_of, metric_hash
from abtest.language.model import Among, Event, Metric, Project
from abtest.language.where_text import where_text
from abtest.problems import Problem, Problems

Definition = tuple[tuple[str, str], ...]


def spelled(metric: Metric, events: Mapping[str, Event]) -> Definition:
    """Every key that gives a metric its meaning, with its text; events by their names and tests.

    >>> from abtest.language.model import Metric, Window
    >>> spelled(Metric("m", "amount", window=Window(0, 6)), {})
    (('amount', ''), ('over', 'first 7 days'))
    """
    found = dict(metric.text)
    if metric.group is not None:
        found["group"] = f"{metric.group.group} {metric.group.how} {metric.group.cell or ''}".strip()
    if metric.survey is not None:
        found["survey"] = metric.survey
    if metric.per is not None:
        found["per"] = _per(metric)
    if metric.column is None:
        found["over"] = str(metric.window)
    plain = {
        "clock": None if metric.clock == "date" else metric.clock,
        "starting_at": metric.starting_at,
        "within": None if metric.within is None else f"{metric.within} days",
        "value": None if metric.fold is None else str(metric.fold),
        "unit": metric.unit,
        "among": _among(metric.among),
        "cap": None if metric.cap is None else str(metric.cap),
        "missing": None if metric.missing is None or metric.survey else _missing(metric.missing.value),
        "immature": "keep" if metric.immature == "keep" else None,
    }
    if metric.quantile is not None:
        plain |= {"at": f"{100 * metric.quantile.at:g}%", "across": metric.quantile.across}
    if metric.funnel is not None:
        within = metric.funnel.within
        plain |= {
            "within": None if within is None else f"{within} s",
            "same": metric.funnel.same,
            "different": metric.funnel.different,
        }
        plain["from"] = "exposure" if metric.funnel.from_exposure else None
    found |= {key: text for key, text in plain.items() if text is not None}
    for name in events_of(metric):
        if name in events and events[name].survey is None:
            found[f"event {name}"] = _event(events[name])
    return tuple(found.items())


def _per(metric: Metric) -> str:
    if metric.per_unit != "tick":
        return metric.per_unit
    length = f"{metric.per} {metric.window.tick}s"
    named = {"1 days": "day", "7 days": "week", "1 hours": "hour"}.get(length, length)
    return f"rolling {length}" if metric.rolling else named


def _among(among: Among | None) -> str | None:
    if among is None:
        return None
    return where_text(among.where) if among.where is not None else f"a condition before {among.days} days"


def _missing(value: float | None) -> str:
    return "drop" if value is None else f"{value:g}"


def _event(event: Event) -> str:
    text = " or ".join(event.names) or "every row"
    text += f" of {event.source}"
    text += f" where {where_text(event.where)}" if event.where is not None else ""
    text += f", number {event.nth}" if event.nth is not None else ""
    if event.once is not None:
        text += f", once per {event.once.prop}" + (f" per {event.once.period}" if event.once.period else "")
    return text


def changes(before: Sequence[tuple[str, str]], now: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """What differs between two definitions, each as `old -> new`; of a long condition only the clause that differs.

    >>> changes([("did", "photo >= 2 and like >= 4")], [("did", "photo >= 2 and like >= 5"), ("per", "week")])
    ('like >= 4 -> like >= 5', 'per: (none) -> week')
    """
    old, new = dict(before), dict(now)
    found = []
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) == new.get(key):
            continue
        if key in old and key in new and key not in ("per", "over", "value", "clock"):
            a, b = _clauses(old[key]), _clauses(new[key])
            gone = [c for c in a if c not in b] or ["(none)"]
            come = [c for c in b if c not in a] or ["(none)"]
            prefix = f"{key}: " if key.startswith("event ") else ""
            found.append(f"{prefix}{' and '.join(gone)} -> {' and '.join(come)}")
        else:
            found.append(f"{key}: {old.get(key, '(none)')} -> {new.get(key, '(none)')}")
    return tuple(found)


def _clauses(text: str) -> list[str]:
    """The clauses of a condition; a text with parentheses or `or` stays whole."""
    if "(" in text or " or " in text:
        return [text]
    return [c.strip() for c in re.split(r"\band\b|;", text)]


@dataclass(frozen=True)
class Known:
    """A metric as a result remembers it."""

    name: str
    hash: str
    version: int | None
    definition: Definition


def check_versions(project: Project, known: Sequence[Known], problems: Problems) -> tuple[str, ...]:
    """Report metrics whose meaning changed while their version did not. Gives notes on what else differs.

    Metrics that are gone, and metrics whose version was raised, are notes.
    """
    notes = []
    for old in known:
        metric = project.metrics.get(old.name)
        if metric is None:
            notes.append(f"{old.name} is no longer defined")
            continue
        if metric_hash(metric, project.events) == old.hash:
            continue
        said = "; ".join(changes(old.definition, spelled(metric, project.events))) or "in something else"
        if metric.version is not None and metric.version > (old.version or 1):
            notes.append(f"{old.name} changed meaning and is version {metric.version} now: {said}")
            continue
        following = (old.version or metric.version or 1) + 1
        problem = Problem(
            "E361", f"{old.name} changed meaning: {said}", metric.at("version"), f"Set  version: {following}"
        )
        problems.found.append(problem)
    return tuple(notes)
