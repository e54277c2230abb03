"""Narrow rows to ticks: one row per unit and tick of a grid with its counters, the ground of every block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from abtest.language.model import Event
from abtest.metrics.plan import DATE, SESSION, Counter, Grid
from abtest.sources.engine import Engine
from abtest.sources.events import Log
from abtest.sources.times import DAY

BEFORE = "before_exposure"


@dataclass(frozen=True)
class Ticks:
    """`table` has `u`, `d` (tick), `x` (where the unit's counting starts, in the measure of `Chain.end`), for parts of
    units `part`, and one column per counter; `scales` are powers of ten of sums. `values` are tables of the values of each
    `distinct` counter."""

    grid: Grid
    table: Any
    aliases: Mapping[Counter, str]
    scales: Mapping[Counter, int]
    values: Mapping[Counter, Any]

    @property
    def keys(self) -> tuple[str, ...]:
        return ("u", "part") if self.grid.sub is not None else ("u",)


def happened(rows: Any, counter: Counter) -> Any:
    """Which rows a counter counts."""
    found = rows[f"is_{counter.event}"]
    return found if counter.every else found & rows.step.isnull()


def grid_rows(engine: Engine, grid: Grid, log: Log, every: bool) -> Any:
    """The rows of a log that may count, with `d` and `x` of the grid (and `part` for parts of units).

    Parts of units exist through any of their rows, so these keep rows that are no event too.
    """
    import ibis

    rows = engine.table(log.table)
    wanted = ["no_event"] if grid.sub is not None else []
    wanted += [BEFORE] if every else []
    rows = rows.filter(
        rows.u.notnull() & (rows.step.isnull() | rows.step.isin(wanted) if wanted else rows.step.isnull())
    )
    x_day = rows.day - rows.d
    if not grid.elapsed and grid.anchor is None and grid.sub is None:
        return rows.mutate(x=x_day)
    units = engine.table("units")
    start = units.select(u1=units.u, x_at=units.x)
    rows = rows.mutate(x_date=x_day)
    rows = rows.join(start, rows.u == start.u1).drop("u1")
    day, instant = rows.day, rows.instant if "instant" in rows.columns else None
    if grid.sub == "session":
        rows = rows.filter(rows.s.notnull() & (rows.day <= rows.s_day + 1)).mutate(part=rows.s)
        early = ibis.ifelse(
            rows.s_instant.notnull() & rows.x_at.notnull(), rows.s_instant < rows.x_at, rows.s_day < rows.x_date
        )
        rows = rows.filter(~early)
        day, instant = rows.s_day, rows.s_instant
    elif grid.sub is not None:
        rows = rows.mutate(part=rows[f"q_{grid.sub}"])
        rows = rows.filter(rows.part.notnull())
        day, instant = rows.day, rows.instant if "instant" in rows.columns else None
    if grid.anchor is not None:
        anchors = engine.table(anchor_table(grid))
        anchors = anchors.select(u2=anchors.u, a_day=anchors.a_day, a_at=anchors.a_at)
        rows = rows.join(anchors, rows.u == anchors.u2)
        late = ibis.ifelse(
            rows.instant.notnull() & rows.a_at.notnull(), rows.instant >= rows.a_at, rows.day >= rows.a_day
        )
        rows = rows.filter(late)
        day, instant, date, at = rows.day, rows.instant, rows.a_day, rows.a_at
    else:
        date, at = rows.x_date, rows.x_at
    if grid.elapsed:
        return rows.mutate(d=((instant - at) // grid.length).cast("int32"), x=at)
    return rows.mutate(d=(day - date).cast("int32"), x=date)


def anchor_table(grid: Grid) -> str:
    return f"anchor_{grid.anchor}_{grid.within}{'_elapsed' if grid.elapsed else ''}"


def keep_anchor(engine: Engine, grid: Grid, event: Event, log: Log) -> None:
    """The table of starting points: `u`, `a_day`, `a_at` (NULL in a source of dates) of the units that reach theirs."""
    import ibis

    rows = engine.table(log.table)
    counted = rows.step.isnull() | (rows.step == BEFORE) if event.before_exposure else rows.step.isnull()
    rows = rows.filter(rows.u.notnull() & counted & rows[f"is_{grid.anchor}"])
    rows = rows.mutate(x_day=rows.day - rows.d)
    units = engine.table("units")
    start = units.select(u1=units.u, x_at=units.x)
    rows = rows.join(start, rows.u == start.u1)
    # A start before exposure is moved to exposure.
    rows = rows.mutate(
        a_at=ibis.ifelse(rows.instant < rows.x_at, rows.x_at, rows.instant),
        a_day=ibis.ifelse(rows.day < rows.x_day, rows.x_day, rows.day),
    )
    first = rows.group_by("u").agg(
        a_day=rows.a_day.min(), a_at=rows.a_at.min(), x_day=rows.x_day.max(), x_at=rows.x_at.max()
    )
    soon = first.a_at - first.x_at < grid.within * DAY if grid.elapsed else first.a_day - first.x_day < grid.within
    first = first.filter(soon & (first.a_day <= log.last_complete))
    engine.keep(anchor_table(grid), first.select("u", "a_day", "a_at"))


def tick_tables(
    engine: Engine,
    grid: Grid,
    number: int,
    counters: tuple[tuple[str, tuple[Counter, ...]], ...],
    logs: Mapping[str, Log],
    events: Mapping[str, Event],
    scales: Mapping[Counter, int],
    last: int | None,
) -> Ticks:
    """The ticks of one grid, materialised. `last`: the last day after exposure that anything reads."""
    every = [c for _, own in counters for c in own]
    aliases = {c: f"c{i}" for i, c in enumerate(dict.fromkeys(every))}
    tables: list[tuple[Any, tuple[Counter, ...]]] = []
    values: dict[Counter, Any] = {}
    for log, own in counters:
        rows = grid_rows(engine, grid, logs[log], any(c.every for c in own))
        if last is not None and not grid.elapsed and grid.anchor is None:
            rows = rows.filter(rows.d <= last)
        if any(c.once_from is not None for c in own):
            rows, own_counters = _once_in_window(rows, own, events)
        else:
            own_counters = dict.fromkeys(own)
        for counter in own:
            if counter.kind == "distinct":
                values[counter] = _values(
                    engine, rows, counter, own_counters, grid, f"values_{number}_{aliases[counter]}"
                )
        tables.append((_tick_table(rows, own, own_counters, aliases, scales, grid), own))
    table = engine.keep(f"ticks_{number}", _union(tables, aliases, grid))
    return Ticks(grid, table, aliases, scales, values)


def _once_in_window(
    rows: Any, counters: tuple[Counter, ...], events: Mapping[str, Event]
) -> tuple[Any, dict[Counter, str | None]]:
    """A flag per event that counts once in a window: its first row there with each value of the property."""
    import ibis

    found: dict[Counter, str | None] = {}
    flags: dict[tuple[str, int, bool], str] = {}
    for counter in counters:
        if counter.once_from is None:
            found[counter] = None
            continue
        key = (counter.event, counter.once_from, counter.every)
        if key not in flags:
            flags[key] = f"o{len(flags)}"
            once = events[counter.event].once
            assert once is not None
            prop = rows[f"p_{once.prop}"]
            here = rows[f"is_{counter.event}"] & rows.step.isnull() & (rows.d >= counter.once_from)
            order = [rows[c] for c in ("day", "instant", "code") if c in rows.columns]
            order += [rows[c] for c in sorted(rows.columns) if c.startswith("p_")]
            rank = ibis.row_number().over(ibis.window(group_by=[rows.u, here, prop], order_by=order))
            kept = here & (prop.isnull() | (rank == 0))
            if counter.every:
                outside = ~(rows.step.isnull() & (rows.d >= counter.once_from))
                kept = kept | (rows[f"is_{counter.event}"] & outside)
            rows = rows.mutate(**{flags[key]: kept})
        found[counter] = flags[key]
    return rows, found


def counted_event(rows: Any, event: Event, since: int, every: bool = False) -> tuple[Any, str]:
    """The rows with a flag of those that count as an event in a window that begins on tick `since`."""
    counter = Counter("count", event.name, None, every, since)
    if event.once is None or event.once.period is not None:
        return rows, f"is_{event.name}"
    rows, flags = _once_in_window(rows, (counter,), {event.name: event})
    flag = flags[counter]
    assert flag is not None
    return rows.rename({f"{flag}_{event.name}": flag}), f"{flag}_{event.name}"


def _counted(rows: Any, counter: Counter, flags: Mapping[Counter, str | None]) -> Any:
    flag = flags.get(counter)
    return happened(rows, counter) if flag is None else rows[flag]


def _values(
    engine: Engine, rows: Any, counter: Counter, flags: Mapping[Counter, str | None], grid: Grid, table: str
) -> Any:
    """Which values a unit shows on which ticks."""
    value = rows.s if counter.prop == SESSION else rows.d if counter.prop == DATE else rows[f"p_{counter.prop}"]
    keys = ["u", "part"] if grid.sub is not None else ["u"]
    seen = rows.filter(_counted(rows, counter, flags) & value.notnull())
    columns = {k: seen[k] for k in (*keys, "d", "x")}
    shown = seen.s if counter.prop == SESSION else None
    if counter.prop == DATE and grid.sub == "session":
        # The ticks of a session are that of its first row; the days of its rows are their own.
        shown = (seen.instant - seen.x) // DAY if grid.elapsed else seen.day
    elif counter.prop == DATE:
        shown = seen.d // (DAY // grid.length)
    elif shown is None:
        shown = seen[f"p_{counter.prop}"]
    return engine.keep(table, seen.select(**columns, v=shown).distinct())


def _tick_table(
    rows: Any,
    counters: tuple[Counter, ...],
    flags: Mapping[Counter, str | None],
    aliases: Mapping[Counter, str],
    scales: Mapping[Counter, int],
    grid: Grid,
) -> Any:
    """Sums are whole numbers of 10^-scale, hence exact in any order."""
    columns: dict[str, Any] = {"x": rows.x.max()}
    for counter in counters:
        counted = _counted(rows, counter, flags)
        if counter.kind == "count":
            columns[aliases[counter]] = rows.count(where=counted).cast("int32")
        elif counter.kind == "last_tick":
            columns[aliases[counter]] = rows.d.max(where=counted).cast("int32")
        elif counter.kind != "distinct":
            number = rows[f"p_{counter.prop}"]
            columns[aliases[counter]] = _aggregate(rows, number, counter, counted, scales)
    keys = ["u", "part", "d"] if grid.sub is not None else ["u", "d"]
    return rows.group_by(keys).agg(**columns)


def _aggregate(rows: Any, number: Any, counter: Counter, counted: Any, scales: Mapping[Counter, int]) -> Any:
    if counter.kind == "sum":
        whole = (number * 10.0 ** scales[counter]).round().cast("int64")
        return whole.sum(where=counted).fill_null(0).cast("int64")
    if counter.kind == "known":
        return number.count(where=counted).cast("int32")
    if counter.kind in ("first", "last"):
        at = rows.instant if "instant" in rows.columns else rows.day
        there = counted & number.notnull()
        order = [at, number] if counter.kind == "first" else [at.desc(), number.desc()]
        return number.first(where=there, order_by=order)
    return getattr(number, counter.kind)(where=counted)


def rolled(table: Any, column: Any, counter: Counter, key: str = "d") -> Any:
    """A counter over several ticks. Engines widen sums of whole numbers; counts stay narrow, they are many."""
    if counter.kind in ("min", "max"):
        return getattr(column, counter.kind)()
    if counter.kind == "last_tick":
        return column.max()
    if counter.kind == "first":
        return column.argmin(table[key], where=column.notnull())
    if counter.kind == "last":
        return column.argmax(table[key], where=column.notnull())
    return column.sum().cast("int32") if counter.kind in ("count", "known") else column.sum()


def empty(counter: Counter) -> tuple[Any, str]:
    """The value of a counter where nothing happened, and its type."""
    import ibis

    if counter.kind in ("min", "max", "first", "last"):
        return ibis.null("float64"), "float64"
    if counter.kind == "last_tick":
        return ibis.null("int32"), "int32"
    return ibis.literal(0, "int32"), "int64" if counter.kind == "sum" else "int32"


def _union(tables: list[tuple[Any, tuple[Counter, ...]]], aliases: Mapping[Counter, str], grid: Grid) -> Any:
    """One table of all logs; a counter of another log is zero (or NULL for extremes)."""
    if len(tables) == 1:
        return tables[0][0]
    keys = ("u", "part", "d") if grid.sub is not None else ("u", "d")
    every = [c for _, counters in tables for c in counters if c.kind != "distinct"]
    parts = []
    for table, counters in tables:
        columns: dict[str, Any] = {k: table[k] for k in (*keys, "x")}
        for counter in every:
            value, whole = empty(counter)
            columns[aliases[counter]] = (table[aliases[counter]] if counter in counters else value).cast(whole)
        parts.append(table.select(**columns))
    joined = parts[0]
    for part in parts[1:]:
        joined = joined.union(part)
    totals = {aliases[c]: rolled(joined, joined[aliases[c]], c) for c in every}
    return joined.group_by(list(keys)).agg(x=joined.x.max(), **totals)
