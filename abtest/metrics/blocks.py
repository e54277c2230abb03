"""Narrow rows to days, days to blocks, blocks to units: the tables under every metric, as Ibis expressions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from abtest.language.conditions import Condition, Measure, Spread, walk
from abtest.metrics.plan import Chain, Counter, Plan, Task, atoms_in
from abtest.metrics.truth import Block, zero_truth


def _rolled(column: Any, counter: Counter) -> Any:
    """A daily counter over several days. Engines widen sums of whole numbers; counts stay narrow, they are many."""
    if counter.kind in ("min", "max"):
        return getattr(column, counter.kind)()
    return column.sum().cast("int32") if counter.kind in ("count", "known") else column.sum()


@dataclass(frozen=True)
class Days:
    """The table of unit x day: `table` has u, d, day and one column per counter; `scales` are powers of ten."""

    table: Any
    aliases: Mapping[Counter, str]
    scales: Mapping[Counter, int]


def aliases_of(plan: Plan) -> dict[Counter, str]:
    return {c: f"c{i}" for i, c in enumerate(dict.fromkeys(c for _, found in plan.counters for c in found))}


def day_table(
    rows: Any,
    counters: tuple[Counter, ...],
    aliases: Mapping[Counter, str],
    scales: Mapping[Counter, int],
    last: int | None,
) -> Any:
    """Unit x day from the narrow rows of one source; sums are whole numbers of 10^-scale, hence exact in any order."""
    rows = rows.filter(rows.step.isnull())
    rows = rows.filter(rows.d <= last) if last is not None else rows
    columns: dict[str, Any] = {"day": rows.day.max()}
    for counter in counters:
        happened = rows[f"is_{counter.event}"]
        if counter.kind == "count":
            value = rows.count(where=happened).cast("int32")
        else:
            number = rows[f"p_{counter.prop}"]
            if counter.kind == "sum":
                value = (
                    (number * 10.0 ** scales[counter])
                    .round()
                    .cast("int64")
                    .sum(where=happened)
                    .fill_null(0)
                    .cast("int64")
                )
            elif counter.kind == "known":
                value = number.count(where=happened).cast("int32")
            else:
                value = getattr(number, counter.kind)(where=happened)
        columns[aliases[counter]] = value
    return rows.group_by("u", "d").agg(**columns)


def union_days(tables: list[tuple[Any, tuple[Counter, ...]]], aliases: Mapping[Counter, str]) -> Any:
    """One unit x day table of all sources; a counter of another source is zero (or NULL for extremes)."""
    if len(tables) == 1:
        return tables[0][0]
    import ibis

    every = [c for _, counters in tables for c in counters]
    parts = []
    for table, counters in tables:
        columns: dict[str, Any] = {"u": table.u, "d": table.d, "day": table.day}
        for counter in every:
            alias = aliases[counter]
            empty = ibis.null("float64") if counter.kind in ("min", "max") else ibis.literal(0, "int32")
            whole = "float64" if counter.kind in ("min", "max") else "int64" if counter.kind == "sum" else "int32"
            columns[alias] = (table[alias] if counter in counters else empty).cast(whole)
        parts.append(table.select(**columns))
    joined = parts[0]
    for part in parts[1:]:
        joined = joined.union(part)
    totals = {aliases[c]: _rolled(joined[aliases[c]], c) for c in every}
    return joined.group_by("u", "d").agg(day=joined.day.max(), **totals)


def spreads_in(part: Condition | Measure) -> tuple[Spread, ...]:
    """The spreads of a part, inside ones first."""
    if isinstance(part, Measure):
        return ()
    return tuple(reversed([s for s in walk(part) if isinstance(s, Spread)]))


def block_table(days: Days, chain: Chain, tasks: list[Task]) -> Block:
    """Unit x block of one chain with everything that the truth of its tasks needs, complete dates only.

    The table has `u`, `i` (number of the block, 0 for a whole window) and `x` (date of exposure).
    """
    parts = [p for t in tasks for p in t.parts]
    counters = tuple(dict.fromkeys(c for p in parts for a in atoms_in(p) for c in _needed(a)))
    active = {
        e: f"y{i}"
        for i, e in enumerate(dict.fromkeys(a.event for p in parts for a in atoms_in(p) if a.function == "days"))
    }
    spreads = {s: f"t{i}" for i, s in enumerate(dict.fromkeys(s for p in parts for s in spreads_in(p)))}
    source = days.table
    table = source.filter(source.d >= chain.first, source.day <= chain.through)
    if chain.last is not None:
        table = table.filter(table.d <= chain.last)
    table = table.mutate(i=table.d - chain.first, x=table.day - table.d)
    table = table.mutate(
        **{alias: (table[days.aliases[Counter("count", event)]] > 0).cast("int32") for event, alias in active.items()}
    )
    done: dict[Spread, str] = {}
    size = 1
    for length in chain.blocks or (None,):
        if length != 1:
            keys: dict[str, Any] = {"u": table.u}
            whole_window = not chain.per and (length is None or length == chain.blocks[-1])
            if not whole_window:
                assert length is not None
                keys["i"] = (table.i // (length // size)).cast("int32")
            totals: dict[str, Any] = {days.aliases[c]: _rolled(table[days.aliases[c]], c) for c in counters}
            totals |= {alias: table[alias].sum().cast("int32") for alias in (*active.values(), *done.values())}
            table = table.group_by(**keys).agg(x=table.x.max(), **totals)
            if whole_window:
                table = table.mutate(i=0)
            size = length or 1
        for spread, alias in spreads.items():
            if spread.days == length:
                block = Block(table, days.aliases, days.scales, active, done)
                silent = int(zero_truth(spread.part, length))
                table = table.mutate(**{alias: block.truth(spread.part, length).cast("int32") - silent})
                done[spread] = alias
    return Block(table, days.aliases, days.scales, active, done)


def _needed(atom: Any) -> tuple[Counter, ...]:
    from abtest.metrics.plan import counters_of

    return counters_of(atom)
