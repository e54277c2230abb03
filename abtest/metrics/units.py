"""The table of unit values: one row per unit in the experiment, one column (or two) per metric.

It lives in the engine and never comes to Python. NULL means that the unit does not count for the metric; `m_<n>` says
whether its window was complete, `g_<n>` whether the unit is among those that the metric is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from abtest.language.conditions import Attribute
from abtest.language.model import Column, Event, Metric
from abtest.metrics.blocks import Attributes, block_table
from abtest.metrics.caps import apply_caps
from abtest.metrics.folds import complete_ticks, eligible, streak_tables, unit_columns, value_of
from abtest.metrics.journeys import funnel_depth, in_window, never, same_journey, time_table
from abtest.metrics.plan import LONG_AGO, Chain, Counter, Grid, Plan, Task, every
from abtest.metrics.ticks import Ticks, anchor_table, counted_event, grid_rows, keep_anchor, tick_tables
from abtest.metrics.truth import Block
from abtest.problems import Problem, UserError
from abtest.sources.engine import Engine
from abtest.sources.events import Log
from abtest.sources.units import USED

TABLE = "unit_values"
DAY = "x_day"
"""The column of the table that says on which local date a unit was first exposed."""
_DIGITS = 12
_TOO_LARGE = 10.0**_DIGITS
"""Beyond it one row would round all others to more than whole numbers."""
_MANY = "> "


@dataclass(frozen=True)
class Values:
    """Where the values of each metric stand: `value`, `denominator` (pairs), `mature`, `among` and `capped` are column
    names; `caps` the numbers at which percentiles cut; `spots` the tables of single events of quantiles; `attributes` the
    columns of attributes (source, property) by which metrics are adjusted."""

    table: str
    value: Mapping[str, str]
    denominator: Mapping[str, str]
    mature: Mapping[str, str]
    capped: Mapping[str, str] = field(default_factory=dict)
    among: Mapping[str, str] = field(default_factory=dict)
    caps: Mapping[str, float] = field(default_factory=dict)
    spots: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Inputs:
    """What stands in the engine: logs by name, and per-unit columns as (table, column).

    `attributes` are tests in conditions and `among` those of whole metrics, with the truth of a unit without a row.
    `pre` names hidden metrics by which units are among others (1 = among). `covariates` are attributes (source,
    property) that metrics are adjusted by.
    """

    logs: Mapping[str, Log]
    events: Mapping[str, Event]
    segments: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    outcomes: Mapping[Column, tuple[str, str]] = field(default_factory=dict)
    attributes: Mapping[Attribute, tuple[str, str, bool]] = field(default_factory=dict)
    among: Mapping[str, tuple[str, str, bool]] = field(default_factory=dict)
    pre: Mapping[str, str] = field(default_factory=dict)
    covariates: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)


def unit_values(engine: Engine, plan: Plan, metrics: tuple[Metric, ...], inputs: Inputs) -> Values:
    """Materialise the table."""
    return _Maker(engine, plan, metrics, inputs).values()


def metric_blocks(engine: Engine, plan: Plan, metrics: tuple[Metric, ...], inputs: Inputs, task: Task) -> Block:
    """The block table of one task, for a look at single units; `unit_values` must have been called before."""
    maker = _Maker(engine, plan, metrics, inputs)
    return block_table(maker.ticks()[task.chain.grid], task.chain, [task], inputs.events, maker.attributes)


class _Maker:
    def __init__(self, engine: Engine, plan: Plan, metrics: tuple[Metric, ...], inputs: Inputs) -> None:
        self.engine, self.plan, self.metrics, self.inputs = engine, plan, metrics, inputs
        self.names = {t.metric.name: f"f{i}" for i, t in enumerate(plan.all_tasks)}
        self.streaks: dict[str, str] = {}
        self.pieces: list[
            tuple[str, str, Any]
        ] = []  # (key among the units, key of the piece, table), joined at the end
        self.spots: dict[str, str] = {}
        self.attributes = self._attribute_table()

    def values(self) -> Values:
        for grid in dict.fromkeys(t.chain.grid for t in self.plan.all_tasks):
            if grid.anchor is not None:
                event = self.inputs.events[grid.anchor]
                keep_anchor(self.engine, grid, event, self.inputs.logs[event.source])
        ticks = self.ticks()
        for number, chain in enumerate(self.plan.chains):
            self._fold(number, ticks[chain.grid], [t for t in self.plan.tasks if t.chain == chain])
        for task in self.plan.times:
            alias = self.names[task.metric.name]
            table = time_table(ticks[task.chain.grid], task, self.inputs.events, alias)
            self._piece(f"time_{alias}", table, alias)
        self._funnels()
        for task in self.plan.spots:
            self._spot(task)
        return self._select()

    def ticks(self) -> dict[Grid, Ticks]:
        scales = _scales(self.engine, self.plan, self.inputs.logs)
        return {
            grid: tick_tables(
                self.engine, grid, i, counters, self.inputs.logs, self.inputs.events, scales, self.plan.last_day
            )
            for i, (grid, counters) in enumerate(self.plan.counters)
        }

    def _attribute_table(self) -> Attributes | None:
        """`u` and the truth of every test of an attribute; the truth without a row stands in for missing rows."""
        wanted = self.inputs.attributes
        if not wanted:
            return None
        units = self.engine.table("units")
        joined = units.select("u", "uid")
        columns: dict[str, Any] = {}
        found: dict[Attribute, str] = {}
        tables = sorted({table for table, _, _ in wanted.values()})
        for i, table in enumerate(tables):
            right = self.engine.table(table)
            own = {a: c for a, (t, c, _) in wanted.items() if t == table}
            piece = right.select(**{f"k{i}": right.uid}, **{f"a{i}_{c}": right[c] for c in own.values()})
            joined = joined.left_join(piece, joined.uid == piece[f"k{i}"])
        for number, (attribute, (table, column, absent)) in enumerate(wanted.items()):
            found[attribute] = f"z{number}"
            columns[f"z{number}"] = joined[f"a{tables.index(table)}_{column}"].fill_null(absent)
        return Attributes(self.engine.keep("unit_attributes", joined.select("u", **columns)), found)

    def _piece(self, name: str, table: Any, alias: str) -> None:
        self.pieces.append(("u", f"{alias}_u", self.engine.keep(name, table.rename({f"{alias}_u": "u"}))))

    def _fold(self, number: int, ticks: Ticks, tasks: list[Task]) -> None:
        block = block_table(ticks, tasks[0].chain, tasks, self.inputs.events, self.attributes)
        columns: dict[str, Any] = {}
        for task in tasks:
            columns |= unit_columns(block, task, self.names[task.metric.name])
        folded = block.table.group_by("u").agg(**columns).rename({f"u{number}": "u"})
        self.pieces.append(("u", f"u{number}", self.engine.keep(f"folds_{number}", folded)))
        for task in tasks:
            if task.metric.fold is not None and task.metric.fold.name == "streak":
                alias = f"{self.names[task.metric.name]}_run"
                self.streaks[task.metric.name] = alias
                for name, table in streak_tables(block, task, alias).items():
                    self._piece(name, table, name)

    def _funnels(self) -> None:
        """One table per journey; a funnel that is the beginning of another is read off the same."""
        done: list[tuple[Task, str]] = []
        longest = sorted(self.plan.funnels, key=lambda t: -len(t.metric.funnel.steps if t.metric.funnel else ()))
        for task in longest:
            shared = next((alias for other, alias in done if same_journey(task, other)), None)
            if shared is None:
                shared = self.names[task.metric.name]
                table = funnel_depth(self.engine, task, self.inputs.logs, self.inputs.events)
                self._piece(f"funnel_{shared}", table.rename({shared: "depth"}), shared)
                done.append((task, shared))
            self.names[task.metric.name] = shared

    def _spot(self, task: Task) -> None:
        """The values of single events of a quantile, and how many each unit has."""
        measure = task.metric.measure
        assert measure is not None
        atom = measure.atoms[0]
        alias = self.names[task.metric.name]
        log = self.inputs.logs[self.inputs.events[atom.event].source]
        chain = task.chain
        past = every(atom, chain)
        rows = in_window(grid_rows(self.engine, chain.grid, log, past), chain)
        since = LONG_AGO if chain.first is None else chain.first
        rows, flag = counted_event(rows, self.inputs.events[atom.event], since, past)
        rows = rows.filter(rows[flag] & rows[f"p_{atom.prop}"].notnull())
        kept = self.engine.keep(f"spot_{alias}", rows.select("u", v=rows[f"p_{atom.prop}"]))
        self.spots[task.metric.name] = f"spot_{alias}"
        counted = kept.group_by("u").agg(**{alias: kept.count().cast("int32")})
        self._piece(f"spots_{alias}", counted, alias)

    def _tables(self) -> list[tuple[str, str, Any]]:
        """The per-unit tables with the columns that are wanted of them."""
        wanted: dict[str, dict[str, str]] = {}
        for dimension, (table, column) in self.inputs.segments.items():
            wanted.setdefault(table, {})[f"s_{dimension}"] = column
        for i, (table, column) in enumerate(self.inputs.outcomes.values()):
            wanted.setdefault(table, {})[f"o{i}"] = column
        for i, (table, column, _) in enumerate(self.inputs.among.values()):
            wanted.setdefault(table, {})[f"g{i}"] = column
        for i, (table, column) in enumerate(self.inputs.covariates.values()):
            wanted.setdefault(table, {})[f"c{i}"] = column
        found: list[tuple[str, str, Any]] = []
        for number, (table, columns) in enumerate(sorted(wanted.items())):
            right = self.engine.table(table)
            key = f"uid{number}"
            piece = right.select(**{key: right.uid}, **{alias: right[column] for alias, column in columns.items()})
            found.append(("uid", key, piece))
        return found

    def _joined(self) -> Any:
        """Every unit with all pieces, and where each grid starts to count for it."""
        units = self.engine.table("units")
        joined = units.filter(units.status == USED).select("uid", "u", "variant", "x", "x_day")
        pieces = [*self.pieces, *self._tables()]
        if self.attributes is not None:
            pieces.append(("u", "zu", self.attributes.table.rename(zu="u")))
        for grid in dict.fromkeys(t.chain.grid for t in self.plan.all_tasks):
            if grid.anchor is not None:
                key = anchor_table(grid)
                anchors = self.engine.table(key).rename({f"{key}_u": "u", f"{key}_day": "a_day", f"{key}_at": "a_at"})
                if f"{key}_u" not in {other for _, other, _ in pieces}:
                    pieces.append(("u", f"{key}_u", anchors))
        for key, other, piece in pieces:
            joined = joined.left_join(piece, joined[key] == piece[other])
        return joined

    def _start(self, joined: Any, chain: Chain) -> tuple[Any, Any]:
        """Where counting starts for a unit, and where it would start at exposure.

        What starts after the last complete date has not started for this metric.
        """
        import ibis

        grid = chain.grid
        exposed = joined.x if grid.elapsed else joined.x_day
        if grid.anchor is None:
            return exposed, exposed
        key = anchor_table(grid)
        day, at = joined[f"{key}_day"], joined[f"{key}_at"]
        start = at if grid.elapsed else day
        return ibis.ifelse(day <= chain.through, start, ibis.null("int64")), exposed

    def _numbers(self, joined: Any, task: Task) -> tuple[tuple[Any, ...], Any]:
        """The value(s) of a metric, NULL where a unit has none, and whether its window is complete."""
        import ibis

        metric, alias = task.metric, self.names[task.metric.name]
        x, exposed = self._start(joined, task.chain)

        def lookup(attribute: Attribute) -> Any:
            assert self.attributes is not None
            return joined[self.attributes.columns[attribute]].fill_null(False)

        if metric.funnel is not None:
            numbers: tuple[Any, ...] = ((joined[alias].fill_null(0) >= len(metric.funnel.steps)).cast("float64"),)
        elif metric.kind == "time_to":
            numbers = (joined[alias].fill_null(never(task)).cast("float64"),)
        elif task in self.plan.spots:
            numbers = (joined[alias].fill_null(0).cast("float64"),)
        else:
            numbers = value_of(joined, x, task, alias, self.streaks.get(metric.name), lookup)
        mature, judged = eligible(joined, x, exposed, task)
        if task.chain.grid.anchor is not None:
            # Who never gets to the starting point has not done it.
            idle = float(never(task)) if metric.kind == "time_to" else 0.0
            numbers = tuple(ibis.ifelse(x.isnull(), idle, n) for n in numbers)
            judged = ibis.ifelse(x.isnull(), complete_ticks(exposed, task.chain) > 0, judged)
        return tuple(ibis.ifelse(mature & judged, n, ibis.null("float64")) for n in numbers), mature

    def _among(self, joined: Any, metric: Metric) -> Any | None:
        if metric.name in self.inputs.among:
            i = list(self.inputs.among).index(metric.name)
            return joined[f"g{i}"].fill_null(self.inputs.among[metric.name][2])
        return None

    def _select(self) -> Values:
        import ibis

        joined = self._joined()
        aliases = {column: f"o{i}" for i, column in enumerate(self.inputs.outcomes)}
        tasks = {t.metric.name: t for t in self.plan.all_tasks}
        columns: dict[str, Any] = {}
        found: dict[str, dict[str, str]] = {k: {} for k in ("value", "denominator", "mature", "among")}
        index = {m.name: i for i, m in enumerate(self.metrics)}
        numbers_of: dict[str, tuple[Any, ...]] = {}
        mature_of: dict[str, Any] = {}
        for metric in self.metrics:
            if metric.name in tasks:
                numbers_of[metric.name], mature_of[metric.name] = self._numbers(joined, tasks[metric.name])
            else:
                parts = [metric.column] if metric.column is not None else list(metric.parts or ())
                numbers_of[metric.name] = tuple(
                    joined[aliases[p]].cast("float64") for p in parts if isinstance(p, Column)
                )
        for metric in self.metrics:
            i, numbers = index[metric.name], numbers_of[metric.name]
            among = self._among(joined, metric)
            if metric.name in self.inputs.pre:
                among = (numbers_of[self.inputs.pre[metric.name]][0] == 1).fill_null(False)
            if among is not None:
                columns[f"g_{i}"] = among
                found["among"][metric.name] = f"g_{i}"
                numbers = tuple(ibis.ifelse(among, n, ibis.null("float64")) for n in numbers)
            if metric.name in mature_of:
                columns[f"m{i}"] = mature_of[metric.name]
                found["mature"][metric.name] = f"m{i}"
            if len(numbers) == 2:
                both = numbers[0].notnull() & numbers[1].notnull()
                columns[f"v{i}"], columns[f"w{i}"] = (ibis.ifelse(both, n, ibis.null("float64")) for n in numbers)
                found["denominator"][metric.name] = f"w{i}"
            else:
                columns[f"v{i}"] = numbers[0]
            found["value"][metric.name] = f"v{i}"
        splits = [f"s_{d}" for d in self.inputs.segments]
        attributes = {key: f"c{i}" for i, key in enumerate(self.inputs.covariates)}
        for column in attributes.values():
            columns[column] = joined[column] if joined[column].type().is_string() else joined[column].cast("float64")
        self.engine.keep(TABLE, joined.select("u", "variant", DAY, *splits, **columns))
        capped, caps = apply_caps(self.engine, TABLE, self.metrics, found["value"])
        return Values(
            TABLE,
            found["value"],
            found["denominator"],
            found["mature"],
            capped,
            found["among"],
            caps,
            self.spots,
            attributes,
        )


def _too_large(what: str, largest: float, rows: int) -> UserError:
    row = "1 row has a value" if rows == 1 else f"{rows:,} rows have values"
    told = (
        f"{what}: {row} beyond {_TOO_LARGE:,.0f} (up to {largest:.3g}), beside which all others would be rounded away"
    )
    hint = "Leave such rows out with  ignore:  in the source, or export the value in a larger unit."
    return UserError([Problem("E519", told, None, hint)], exit_code=3)


def _scales(engine: Engine, plan: Plan, logs: Mapping[str, Log]) -> dict[Counter, int]:
    """Powers of ten by which properties become whole numbers: twelve digits below the largest value of the run.

    A property has one scale over all its counters, so that sums of one property can be compared exactly.
    """
    import math

    every = [(log, c) for _, own in plan.counters for log, counters in own for c in counters]
    wanted = {(log, c.prop) for log, c in every if c.prop is not None and c.kind == "sum"}
    found: dict[tuple[str, str | None], int] = {}
    for log in sorted({s for s, _ in wanted}):
        table = engine.table(logs[log].table)
        props = sorted(p for s, p in wanted if s == log and p is not None)
        used = table.filter(table.step.isnull() | (table.step == "before_exposure"))
        asked = {p: used[f"p_{p}"].abs().max() for p in props}
        asked |= {f"{_MANY}{p}": (used[f"p_{p}"].abs() > _TOO_LARGE).sum() for p in props}
        largest = engine.fetch(used.agg(**asked))[0]
        for prop in props:
            top = largest[prop] or 1.0
            if top > _TOO_LARGE:
                raise _too_large(f"{log}.{prop}", float(top), int(largest[f"{_MANY}{prop}"]))
            found[(log, prop)] = max(-6, min(9, _DIGITS - math.ceil(math.log10(top) if top > 0 else 0)))
    return {c: found.get((log, c.prop), 0) for log, c in every}
