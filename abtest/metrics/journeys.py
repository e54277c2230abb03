"""Funnels and times: values that depend on the order of rows, not on blocks. One table of `u` and a number each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from abtest.language.model import Event, Funnel
from abtest.language.silence import zero_truth
from abtest.metrics.folds import complete_ticks
from abtest.metrics.plan import Chain, Task, atom_counters, task_atoms
from abtest.metrics.ticks import Ticks, counted_event, empty, grid_rows, rolled
from abtest.metrics.truth import Block, Need, active_days
from abtest.sources.engine import Engine
from abtest.sources.events import Log
from abtest.sources.times import DAY

SECOND = 1_000_000


def same_journey(one: Task, other: Task) -> bool:
    """Whether one funnel is the beginning of the other, so that both are read off one table."""
    a, b = one.metric.funnel, other.metric.funnel
    assert a is not None
    assert b is not None
    rest = (a.within, a.from_exposure, a.same, a.different) == (b.within, b.from_exposure, b.same, b.different)
    shorter = min(len(a.steps), len(b.steps))
    events = [s.event for s in a.steps[:shorter]] == [s.event for s in b.steps[:shorter]]
    return rest and events and one.chain == other.chain


def funnel_depth(engine: Engine, task: Task, logs: Mapping[str, Log], events: Mapping[str, Event]) -> Any:
    """Per unit how many steps of the funnel were reached: `u`, `depth`. A unit that is not there reached none."""
    funnel = task.metric.funnel
    assert funnel is not None
    rows = _step_rows(engine, task, funnel, logs, events)
    before = "r0"
    first = rows.f0
    if funnel.from_exposure:
        first = first & (rows.t - rows.start <= (funnel.within or 0) * SECOND)
    if funnel.same is not None:
        rows = rows.filter(rows.same.notnull())
    rows = rows.mutate(r0=first)
    for number in range(1, len(funnel.steps)):
        rows = rows.mutate(**{f"r{number}": _reached(rows, funnel, rows[f"f{number}"], rows[before])})
        before = f"r{number}"
    import ibis

    depth: Any = ibis.literal(0)
    for number in range(len(funnel.steps)):
        depth = ibis.ifelse(rows[f"r{number}"], number + 1, depth)
    rows = rows.mutate(reached=depth)
    return rows.group_by("u").agg(depth=rows.reached.max().cast("int32"))


def _reached(rows: Any, funnel: Funnel, is_step: Any, before: Any) -> Any:
    """The rows of a step that follow a row of the step before, itself not included; equal times follow each other."""
    import ibis

    group = [rows.u, rows.same] if funnel.same is not None else [rows.u]
    reach = None if funnel.within is None else funnel.within * SECOND
    window = ibis.range_window(group_by=group, order_by=rows.t, preceding=reach, following=0)
    mark = before.cast("int32")
    others = mark.sum().over(window) - mark
    found = is_step & (others > 0)
    if funnel.different is not None:
        prop = ibis.ifelse(before, rows.different, ibis.null("string"))
        unlike = (prop.min().over(window) != rows.different) | (prop.max().over(window) != rows.different)
        found = found & unlike.fill_null(False)
    return found.fill_null(False)


def _step_rows(engine: Engine, task: Task, funnel: Funnel, logs: Mapping[str, Log], events: Mapping[str, Event]) -> Any:
    """All rows of all steps in the window: `u`, `t` and `start` (µs), one flag per step, `same` and `different`."""
    import ibis

    names = [step.event for step in funnel.steps]
    sources = sorted({events[n].source for n in names})
    dates = any(logs[s].date_only for s in sources)
    stacked: Any = None
    for source in sources:
        rows = in_window(grid_rows(engine, task.chain.grid, logs[source], False), task.chain)
        own = [n for n in names if events[n].source == source]
        flag_of: dict[str, str] = {}
        for event in dict.fromkeys(own):
            rows, flag_of[event] = counted_event(rows, events[event], task.chain.first or 0)
        hit = rows[flag_of[own[0]]]
        for event in own[1:]:
            hit = hit | rows[flag_of[event]]
        rows = rows.filter(hit)
        if dates:
            columns: dict[str, Any] = {
                "t": rows.day.cast("int64") * DAY,
                "start": (rows.day - rows.d).cast("int64") * DAY,
            }
        else:
            units = engine.table("units")
            start = units.select(u3=units.u, x3=units.x)
            rows = rows.join(start, rows.u == start.u3)
            columns = {"t": rows.instant, "start": rows.x3}
        no = ibis.literal(False)
        flags = {f"f{i}": rows[flag_of[n]] if n in own else no for i, n in enumerate(names)}
        for key, prop in (("same", funnel.same), ("different", funnel.different)):
            if prop is not None:
                columns[key] = rows[f"p_{prop}"].cast("string")
        part = rows.select("u", **columns, **flags)
        stacked = part if stacked is None else stacked.union(part)
    return stacked


def in_window(rows: Any, chain: Chain) -> Any:
    """The rows (or ticks) that lie in the window, as far as it is complete."""
    if chain.origin is not None:
        rows = rows.mutate(d=(rows.x + rows.d - chain.origin).cast("int32"), x=chain.origin)
    rows = rows.filter(rows.d < complete_ticks(rows.x, chain))
    if chain.first is not None:
        rows = rows.filter(rows.d >= chain.first)
    return rows if chain.last is None else rows.filter(rows.d <= chain.last)


def time_table(ticks: Ticks, task: Task, events: Mapping[str, Event], alias: str) -> Any:
    """Per unit the first tick by whose end the condition holds, counted from the window's first: `u`, `alias`.

    Counters run up over the window; numbers of distinct values by the tick on which each was first seen.
    """
    import ibis

    chain = task.chain
    counters = tuple(dict.fromkeys(c for a in task_atoms(task) for c in atom_counters(a, chain, events)))
    names: dict[Need, str] = {}
    table = in_window(ticks.table, chain)
    plain = [c for c in counters if c.kind != "distinct"]
    columns: dict[str, Any] = {"u": table.u, "d": table.d, "x": table.x}
    for counter in plain:
        names[Need(counter)] = f"b{len(names)}"
        columns[names[Need(counter)]] = table[ticks.aliases[counter]]
    for atom in task_atoms(task):
        if atom.function == "days":
            count = atom_counters(atom, chain, events)[0]
            if count.kind != "count":
                continue
            names[Need(active_days(count))] = f"b{len(names)}"
            columns[names[Need(active_days(count))]] = (table[ticks.aliases[count]] > 0).cast("int32")
    pieces = [(table.select(**columns), tuple(names))]
    for counter in counters:
        if counter.kind == "distinct":
            seen = in_window(ticks.values[counter], chain)
            new = seen.group_by("u", "v").agg(d=seen.d.min(), x=seen.x.max())
            alias_new = names.setdefault(Need(counter), f"b{len(names)}")
            counted = new.group_by("u", "d").agg(x=new.x.max(), **{alias_new: new.count().cast("int32")})
            pieces.append((counted, (Need(counter),)))
    merged = _stacked(pieces, names)
    window = ibis.window(group_by=merged.u, order_by=merged.d, preceding=None, following=0)
    running: dict[str, Any] = {}
    for need, name in names.items():
        column = merged[name]
        running[name] = column.max().over(window) if need.counter.kind == "max" else column.sum().over(window)
    table = merged.select("u", "d", "x", **running)
    block = Block(table, names, ticks.scales, {}, {}, chain, events)
    condition = task.metric.condition
    assert condition is not None
    hits = table.filter(block.truth(condition, None))
    first = chain.first or 0
    return hits.group_by("u").agg(**{alias: (hits.d.min() - first).cast("int32")})


def _stacked(pieces: list[tuple[Any, tuple[Need, ...]]], names: Mapping[Need, str]) -> Any:
    """Pieces of the same units and ticks as one row each."""
    if len(pieces) == 1:
        return pieces[0][0]
    stacked: Any = None
    for table, own in pieces:
        columns: dict[str, Any] = {"u": table.u, "d": table.d.cast("int32"), "x": table.x.cast("int64")}
        for need, name in names.items():
            value, whole = empty(need.counter)
            columns[name] = (table[name] if need in own else value).cast(whole)
        part = table.select(**columns)
        stacked = part if stacked is None else stacked.union(part)
    totals = {}
    for need, name in names.items():
        counted = need.counter.kind == "distinct"
        totals[name] = stacked[name].sum().cast("int32") if counted else rolled(stacked, stacked[name], need.counter)
    return stacked.group_by("u", "d").agg(x=stacked.x.max(), **totals)


def never(task: Task) -> int:
    """The value of a unit that does nothing: the window's length, or 0 when the condition asks for nothing."""
    chain, condition = task.chain, task.metric.condition
    assert condition is not None
    assert chain.last is not None
    return 0 if zero_truth(condition, None) else chain.last - (chain.first or 0) + 1
