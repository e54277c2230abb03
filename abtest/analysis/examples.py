"""`examples:` of metrics through the same plan as real logs: a tiny log of one unit each, and the value it must give."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from abtest.analysis.example_logs import DAY_0, attribute_tables, open_units, read_example_log
from abtest.language.example_rules import problems_in_examples
from abtest.language.metric_model import FINER_UNITS
from abtest.language.model import Example, Metric, Project
from abtest.metrics.needs import among_metric, bound_events, for_unit, needs_of
from abtest.metrics.plan import Extent, chain_of, last_day, make_plan
from abtest.metrics.units import Inputs, unit_values
from abtest.sources.engine import Engine, name, open_engine

_HISTORY = 500
"""Days before exposure that the tiny logs cover."""


@dataclass(frozen=True)
class Outcome:
    """One example as run. `got` is None when the unit would not count."""

    metric: str
    number: int
    example: Example
    got: float | None
    passed: bool


@dataclass(frozen=True)
class Case:
    """One example of one metric, in the unit that the metric is about."""

    metric: Metric
    number: int
    example: Example


def run_examples(project: Project, metrics: Iterable[Metric]) -> tuple[Outcome, ...]:
    """Every example of the metrics, in order. Call `problems_in_examples` first."""
    cases = [Case(_alone(m), i + 1, e) for m in metrics for i, e in enumerate(m.examples)]
    engine = open_engine(Path(project.root))
    results: dict[int, float | None] = {}
    try:
        for end, together in _by_end(cases).items():
            results |= _values(engine, project, together, end)
    finally:
        engine.close()
    return tuple(
        Outcome(c.metric.name, c.number, c.example, results[id(c)], _same(c.example, results[id(c)])) for c in cases
    )


def _by_end(cases: list[Case]) -> dict[int, list[Case]]:
    """Examples whose data may end on the same day, so that one run serves them all."""
    closed = [c for c in cases if _end(c.metric) is not None]
    found: dict[int, list[Case]] = {}
    if closed:
        found[max(_last(closed), max(_end(c.metric) or 0 for c in closed))] = closed
    for case in cases:
        if _end(case.metric) is None:
            found.setdefault(_open_end(case), []).append(case)
    return found


def _alone(metric: Metric) -> Metric:
    """The metric as if its own unit were randomised; parts of units stay parts. A cap at a quantile is one of all units
    together, of which an example knows nothing."""
    if metric.cap is not None and metric.cap.of != "value":
        metric = replace(metric, cap=None)
    return metric if metric.unit is None or metric.unit in FINER_UNITS else for_unit(metric, metric.unit)


def _end(metric: Metric) -> int | None:
    """The last day that a window counted from exposure reads; None for windows that depend on where the data end."""
    if not metric.window.fixed or metric.window.end:
        return None
    return max(0, last_day(chain_of(metric, Extent(DAY_0, DAY_0), "UTC")))


def _last(cases: Iterable[Case]) -> int:
    return max((e.day for c in cases for e in c.example.events), default=0)


def _open_end(case: Case) -> int:
    """An open window ends with the data: the end of the example's last day, in whole blocks."""
    window, last = case.metric.window, max(0, _last([case]))
    if window.end:
        return max(last, (window.days or 1) - 1)
    per = case.metric.per or 1 if case.metric.per_unit == "tick" and window.tick == "day" else 1
    first = window.first or 0
    end = first + (max(0, last - first) // per + 1) * per - 1
    if case.metric.per_unit == "month":
        return (end // 31 + 1) * 31 - 1
    return end + (1 if case.metric.per_unit == "session" else 0)


def _values(engine: Engine, project: Project, cases: list[Case], end: int) -> dict[int, float | None]:
    metrics = tuple(dict.fromkeys(c.metric for c in cases))
    hidden = tuple(h for h in (among_metric(m) for m in metrics) if h is not None)
    every = (*metrics, *hidden)
    events, logs = bound_events(every, project.events, project.sources, "")
    open_units(engine, len(cases))
    through = DAY_0 + end
    found_logs = {
        key: read_example_log(engine, log, needs_of(every, events, log), cases, through) for key, log in logs.items()
    }
    extents = {key: Extent(DAY_0 - _HISTORY, through) for key in found_logs}
    plan = make_plan(every, events, extents)
    attributes, among = attribute_tables(engine, project, every, cases)
    pre = {m.name: f"among of {m.name}" for m in metrics if among_metric(m) is not None}
    values = unit_values(engine, plan, every, Inputs(found_logs, events, {}, {}, attributes, among, pre))
    order = [*values.value.values(), *values.denominator.values(), *values.among.values()]
    rows = engine.rows(f"SELECT u, {', '.join(name(c) for c in order)} FROM {name(values.table)}")
    table = {row[0]: dict(zip(order, row[1:], strict=True)) for row in rows}
    found: dict[int, float | None] = {}
    for i, case in enumerate(cases):
        row = table[i]
        value = row[values.value[case.metric.name]]
        if case.metric.name in values.denominator:
            below = row[values.denominator[case.metric.name]]
            value = value / below if value is not None and below else None
        if case.metric.name in values.among and not row[values.among[case.metric.name]]:
            value = None
        found[id(case)] = value
    return found


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


__all__ = ["Case", "Outcome", "problems_in_examples", "run_examples"]
