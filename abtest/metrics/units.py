"""The table of unit values: one row per unit in the experiment, one column (or two) per metric.

It lives in the engine and never comes to Python. NULL means that the unit does not count for the metric; `m_<n>` says
whether its window was complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from abtest.language.model import Column, Metric
from abtest.metrics.blocks import Days, aliases_of, block_table, day_table, union_days
from abtest.metrics.folds import eligible, streak_table, unit_columns, value_of
from abtest.metrics.plan import Counter, Plan, Task
from abtest.sources.engine import Engine
from abtest.sources.events import Log
from abtest.sources.units import USED

TABLE = "unit_values"
_DIGITS = 12


@dataclass(frozen=True)
class Values:
    """Where the values of each metric stand: `value`, `denominator` (ratios) and `mature` are column names."""

    table: str
    value: Mapping[str, str]
    denominator: Mapping[str, str]
    mature: Mapping[str, str]
    capped: Mapping[str, str]


def unit_values(
    engine: Engine,
    plan: Plan,
    metrics: tuple[Metric, ...],
    logs: Mapping[str, Log],
    segments: Mapping[str, tuple[str, str]],
    outcomes: Mapping[Column, tuple[str, str]],
) -> Values:
    """Materialise the table. `segments` and `outcomes` map to (per-unit table, column)."""
    pieces: list[tuple[str, str, Any]] = []  # (key among the units, key of the piece, table), all joined at the end
    streaks: dict[str, str] = {}
    names = {t.metric.name: f"f{i}" for i, t in enumerate(plan.tasks)}
    if plan.tasks:
        days = _days(engine, plan, logs)
        for number, chain in enumerate(plan.chains):
            tasks = [t for t in plan.tasks if t.chain == chain]
            block = block_table(days, chain, tasks)
            columns: dict[str, Any] = {}
            for task in tasks:
                columns |= unit_columns(block, task, names[task.metric.name])
            folded = block.table.group_by("u").agg(**columns).rename({f"u{number}": "u"})
            pieces.append(("u", f"u{number}", engine.keep(f"folds_{number}", folded)))
            for task in tasks:
                if task.metric.fold is not None and task.metric.fold.name == "streak":
                    alias = f"{names[task.metric.name]}_run"
                    streaks[task.metric.name] = alias
                    runs = streak_table(block, task, alias).rename({f"{alias}_u": "u"})
                    pieces.append(("u", f"{alias}_u", engine.keep(alias, runs)))
    pieces += _tables(engine, segments, outcomes)
    units = engine.table("units")
    joined = units.filter(units.status == USED).select("uid", "u", "variant", "x_day")
    for key, other, piece in pieces:
        joined = joined.left_join(piece, joined[key] == piece[other])
    return _select(engine, joined, plan, metrics, names, streaks, segments, outcomes)


def _days(engine: Engine, plan: Plan, logs: Mapping[str, Log]) -> Days:
    aliases = aliases_of(plan)
    scales = _scales(engine, plan, logs)
    tables = [
        (day_table(engine.table(logs[source].table), counters, aliases, scales, plan.last_day), counters)
        for source, counters in plan.counters
    ]
    return Days(engine.keep("unit_days", union_days(tables, aliases)), aliases, scales)


def _scales(engine: Engine, plan: Plan, logs: Mapping[str, Log]) -> dict[Counter, int]:
    """Powers of ten by which properties become whole numbers: twelve digits below the largest value of the run.

    A property has one scale over all its counters, so that sums of one property can be compared exactly.
    """
    import math

    wanted = {
        (source, c.prop)
        for source, counters in plan.counters
        for c in counters
        if c.prop is not None and c.kind == "sum"
    }
    found: dict[tuple[str, str | None], int] = {}
    for source in sorted({s for s, _ in wanted}):
        table = engine.table(logs[source].table)
        props = sorted(p for s, p in wanted if s == source and p is not None)
        largest = engine.fetch(
            table.filter(table.step.isnull()).agg(**{p: table[f"p_{p}"].abs().max() for p in props})
        )[0]
        for prop in props:
            top = largest[prop] or 1.0
            found[(source, prop)] = max(-6, min(9, _DIGITS - math.ceil(math.log10(top) if top > 0 else 0)))
    return {c: found.get((source, c.prop), 0) for source, counters in plan.counters for c in counters}


def _tables(
    engine: Engine, segments: Mapping[str, tuple[str, str]], outcomes: Mapping[Column, tuple[str, str]]
) -> list[tuple[str, str, Any]]:
    """The per-unit tables with the columns that are wanted of them."""
    wanted: dict[str, dict[str, str]] = {}
    for dimension, (table, column) in segments.items():
        wanted.setdefault(table, {})[f"s_{dimension}"] = column
    for i, (table, column) in enumerate(outcomes.values()):
        wanted.setdefault(table, {})[f"o{i}"] = column
    found: list[tuple[str, str, Any]] = []
    for number, (table, columns) in enumerate(sorted(wanted.items())):
        right = engine.table(table)
        key = f"uid{number}"
        piece = right.select(**{key: right.uid}, **{alias: right[column] for alias, column in columns.items()})
        found.append(("uid", key, piece))
    return found


def _select(
    engine: Engine,
    joined: Any,
    plan: Plan,
    metrics: tuple[Metric, ...],
    names: Mapping[str, str],
    streaks: Mapping[str, str],
    segments: Mapping[str, tuple[str, str]],
    outcomes: Mapping[Column, tuple[str, str]],
) -> Values:
    import ibis

    aliases = {column: f"o{i}" for i, column in enumerate(outcomes)}
    tasks: dict[str, Task] = {t.metric.name: t for t in plan.tasks}
    columns: dict[str, Any] = {}
    value: dict[str, str] = {}
    denominator: dict[str, str] = {}
    mature: dict[str, str] = {}
    capped: dict[str, str] = {}
    for i, metric in enumerate(metrics):
        if metric.name in tasks:
            task = tasks[metric.name]
            numbers = value_of(joined, task, names[metric.name], streaks.get(metric.name))
            complete, judged = eligible(joined, metric, task.chain)
            columns[f"m{i}"] = complete
            mature[metric.name] = f"m{i}"
            numbers = tuple(ibis.ifelse(complete & judged, n, ibis.null("float64")) for n in numbers)
        else:
            parts = [metric.column] if metric.column is not None else list(metric.parts or ())
            numbers = tuple(joined[aliases[p]].cast("float64") for p in parts if isinstance(p, Column))
        if len(numbers) == 2:
            both = numbers[0].notnull() & numbers[1].notnull()
            columns[f"v{i}"], columns[f"w{i}"] = (ibis.ifelse(both, n, ibis.null("float64")) for n in numbers)
            denominator[metric.name] = f"w{i}"
        else:
            number = numbers[0]
            if metric.cap is not None:
                columns[f"k{i}"] = (number > metric.cap).fill_null(False)
                capped[metric.name] = f"k{i}"
                number = ibis.ifelse(number > metric.cap, metric.cap, number)
            columns[f"v{i}"] = number
        value[metric.name] = f"v{i}"
    splits = [f"s_{d}" for d in segments]
    engine.keep(TABLE, joined.select("u", "variant", *splits, **columns))
    return Values(TABLE, value, denominator, mature, capped)
