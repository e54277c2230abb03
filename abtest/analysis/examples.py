"""`examples:` of metrics through the same plan as real logs: a tiny log of one unit each, and the value it must give."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abtest.language.canonical import events_of
from abtest.language.model import Event, Example, Metric, Project
from abtest.metrics.plan import atoms_in, event_parts, make_plan
from abtest.metrics.units import unit_values
from abtest.problems import Problem
from abtest.sources.engine import Engine, name, open_engine
from abtest.sources.events import Log

_DAY_0 = 20_000
"""Any date; examples speak of days after exposure only."""


@dataclass(frozen=True)
class Outcome:
    """One example as run. `got` is None when the unit would not count."""

    metric: str
    number: int
    example: Example
    got: float | None
    passed: bool


@dataclass(frozen=True)
class _Case:
    metric: Metric
    number: int
    example: Example


def problems_in_examples(project: Project) -> list[Problem]:
    """Examples that name what the metric does not read."""
    found = []
    for metric in project.metrics.values():
        read = set(events_of(metric))
        for example in metric.examples:
            for event in example.events:
                if event.event not in project.events:
                    from abtest.language.suggest import did_you_mean

                    found.append(
                        Problem(
                            "E201",
                            f'no event "{event.event}" (example of {metric.name})',
                            example.place,
                            did_you_mean(event.event, read or project.events),
                        )
                    )
        if metric.examples and not read:
            found.append(
                Problem(
                    "E138", f"metric {metric.name} reads a column and can have no examples", metric.examples[0].place
                )
            )
    return found


def run_examples(project: Project, metrics: Iterable[Metric]) -> tuple[Outcome, ...]:
    """Every example of the metrics, in order. Call `problems_in_examples` first."""
    cases = [_Case(m, i + 1, e) for m in metrics for i, e in enumerate(m.examples)]
    engine = open_engine(Path(project.root))
    try:
        results: dict[int, float | None] = {}
        fixed = [c for c in cases if c.metric.window.fixed]
        if fixed:
            end = max(
                max((e.day for c in fixed for e in c.example.events), default=0),
                max(c.metric.window.last or 0 for c in fixed),
            )
            results |= _values(engine, project, fixed, end)
        for case in cases:
            if not case.metric.window.fixed:
                # An open window ends with the data: the end of the example's last day, in whole blocks.
                per = case.metric.per or 1
                last = max((e.day for e in case.example.events), default=0) - case.metric.window.first
                end = case.metric.window.first + (max(0, last) // per + 1) * per - 1
                results |= _values(engine, project, [case], end)
    finally:
        engine.close()
    return tuple(
        Outcome(c.metric.name, c.number, c.example, results[id(c)], _same(c.example, results[id(c)])) for c in cases
    )


def _values(engine: Engine, project: Project, cases: list[_Case], end: int) -> dict[int, float | None]:
    metrics = tuple(dict.fromkeys(c.metric for c in cases))
    events = {n: project.events[n] for m in metrics for n in events_of(m)}
    through = {e.source: _DAY_0 + end for e in events.values()}
    plan = make_plan(metrics, project.events, through)
    engine.sql(
        "CREATE OR REPLACE TEMP TABLE units (uid VARCHAR, u INTEGER, variant TINYINT, x BIGINT, x_day INTEGER, status TINYINT)"
    )
    engine.sql(
        "INSERT INTO units VALUES " + ", ".join(f"('{i}', {i}, 0, NULL, {_DAY_0}, 0)" for i in range(len(cases)))
    )
    logs = {
        s: _log(engine, s, {n: e for n, e in events.items() if e.source == s}, metrics, cases, through[s])
        for s in through
    }
    values = unit_values(engine, plan, metrics, logs, {}, {})
    found: dict[int, float | None] = {}
    table = {
        row[0]: row
        for row in engine.rows(
            f"SELECT u, {', '.join(name(c) for c in (*values.value.values(), *values.denominator.values()))} FROM {name(values.table)}"
        )
    }
    order = [*values.value.values(), *values.denominator.values()]
    for i, case in enumerate(cases):
        row = dict(zip(order, table[i][1:], strict=True))
        value = row[values.value[case.metric.name]]
        if case.metric.name in values.denominator:
            below = row[values.denominator[case.metric.name]]
            value = value / below if value is not None and below else None
        found[id(case)] = value
    return found


def _log(
    engine: Engine,
    source: str,
    events: Mapping[str, Event],
    metrics: tuple[Metric, ...],
    cases: list[_Case],
    through: int,
) -> Log:
    """The narrow rows of all examples for one source."""
    props = sorted(
        {
            a.prop
            for m in metrics
            for p in event_parts(m)
            for a in atoms_in(p)
            if a.prop is not None and a.event in events
        }
    )
    names = sorted(events)
    flags = ", ".join(f"{name('is_' + n)} BOOLEAN" for n in names)
    numbers = "".join(f", {name('p_' + p)} DOUBLE" for p in props)
    table = f"rows_{source}"
    engine.sql(
        f"CREATE OR REPLACE TEMP TABLE {name(table)} (u INTEGER, d INTEGER, day INTEGER, step VARCHAR, times INTEGER, {flags}{numbers})"
    )
    rows: list[str] = []
    for i, case in enumerate(cases):
        for event in case.example.events:
            if event.event not in events:
                continue
            given: dict[str, Any] = {k: _number(v) for k, v in event.properties}
            cells = [
                str(i),
                str(event.day),
                str(_DAY_0 + event.day),
                "NULL",
                str(event.count),
                *("true" if n == event.event else "false" for n in names),
            ]
            cells += ["NULL" if given.get(p) is None else repr(given[p]) for p in props]
            rows.append(f"({', '.join(cells)})")
    if rows:
        engine.sql(f"INSERT INTO {name(table)} VALUES {', '.join(rows)}")
        engine.sql(
            f"CREATE OR REPLACE TEMP TABLE {name(table)} AS SELECT * EXCLUDE (times) FROM (SELECT *, unnest(range(times)) FROM {name(table)})"
        )
    return Log(source, table, len(rows), 0, through, _DAY_0, through, True, "", ())


def _number(text: str) -> float | None:
    """`20`, `20 EUR`, `1.5 s`; words are no numbers."""
    match = re.match(r"-?\d+(\.\d+)?", text.strip())
    return float(match.group()) if match else None


def _same(example: Example, got: float | None) -> bool:
    """Equal to the digits that were written: 33% fits one third."""
    if math.isnan(example.expect):
        return got is None
    if got is None:
        return False
    digits = re.search(r"\.(\d+)", example.text)
    places = (len(digits[1]) if digits else 0) + (2 if "%" in example.text else 0)
    slack = 0.5 * 10.0**-places if ("%" in example.text or digits) else 0.0
    return abs(got - example.expect) <= slack + 1e-9
