"""Ticks to blocks: one row per unit and block of a chain, with everything that the truth of its tasks needs.

A block table is put together from pieces with equal keys: counters rolled up from ticks, numbers of distinct values,
and, for `ago`, the same of earlier blocks moved forward. Pieces are stacked and grouped, so none needs a join.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from abtest.language.conditions import Ago, Atom, Attribute, Spread, attributes_of
from abtest.language.model import Event
from abtest.metrics import calendar
from abtest.metrics.plan import Chain, Counter, Task, atom_counters, spreads_of, task_atoms, ticks_per_day
from abtest.metrics.ticks import Ticks, empty, rolled
from abtest.metrics.truth import Block, Need, active_days


@dataclass(frozen=True)
class Attributes:
    """The per-unit table of tests of attributes: `u` and one boolean column per test."""

    table: Any
    columns: Mapping[Attribute, str]


@dataclass
class _Piece:
    """A table with `u` (and `part`), `i`, `x` and the columns in `needs`."""

    table: Any
    needs: tuple[Need, ...]
    extra: tuple[str, ...] = ()


@dataclass
class _Builder:
    ticks: Ticks
    chain: Chain
    events: Mapping[str, Event]
    atoms: tuple[Atom, ...]
    spreads: tuple[Spread, ...]
    attributes: Attributes | None
    names: dict[Need, str] = field(default_factory=dict)
    done: dict[Spread, str] = field(default_factory=dict)

    def name(self, need: Need) -> str:
        return self.names.setdefault(need, f"b{len(self.names)}")


def block_table(
    ticks: Ticks, chain: Chain, tasks: list[Task], events: Mapping[str, Event], attributes: Attributes | None
) -> Block:
    """Unit x block of one chain, complete ticks only.

    The table has the keys of the grid, `i` (number of the block: 0 for a whole window, absolute on the calendar) and
    `x` (where counting starts).
    """
    atoms = tuple(dict.fromkeys(a for t in tasks for a in task_atoms(t)))
    spreads = tuple(dict.fromkeys(s for t in tasks for p in t.parts for s in spreads_of(p)))
    build = _Builder(ticks, chain, events, atoms, spreads, attributes)
    present = tuple(a for a in atoms if a.ago is None)
    table = _climbed(build, present)
    pieces = [table]
    for ago in dict.fromkeys(a.ago for a in atoms if a.ago is not None):
        pieces += _earlier(build, tuple(a for a in atoms if a.ago == ago), ago)
    merged = _merged(build, pieces)
    return Block(_known(merged, attributes), build.names, ticks.scales, build.done, _columns(attributes), chain, events)


def _columns(attributes: Attributes | None) -> Mapping[Attribute, str]:
    return {} if attributes is None else attributes.columns


def _known(table: Any, attributes: Attributes | None) -> Any:
    """The table with the tests of attributes of each unit."""
    if attributes is None:
        return table
    right = attributes.table
    right = right.select(u9=right.u, **{c: right[c] for c in attributes.columns.values()})
    return table.left_join(right, table.u == right.u9).drop("u9")


def _source(build: _Builder, table: Any, lagged: bool) -> Any:
    """The ticks (or values) of the window, with `i` counting ticks of it; for `ago` also those before."""
    chain = build.chain
    if chain.origin is not None:
        moved = table.x + table.d - chain.origin
        table = table.mutate(d=moved.cast("int32"), x=chain.origin)
    complete = (chain.end - table.x) // chain.grid.length
    if build.chain.grid.sub == "session":
        complete = complete - ticks_per_day(chain)
    table = table.filter(table.d < complete)
    if chain.first is not None and not lagged:
        table = table.filter(table.d >= chain.first)
    if chain.last is not None:
        table = table.filter(table.d <= chain.last)
    if chain.style in ("week", "month"):
        return table.mutate(i=(table.x + table.d).cast("int32"))
    return table.mutate(i=table.d - (chain.first or 0))


def _climbed(build: _Builder, atoms: tuple[Atom, ...]) -> _Piece:
    """The present blocks: level by level from ticks to the last block, each with its distinct values and spreads."""
    chain, ticks = build.chain, build.ticks
    counters = tuple(dict.fromkeys(c for a in atoms for c in atom_counters(a, chain, build.events)))
    plain = tuple(c for c in counters if c.kind != "distinct")
    table = _source(build, ticks.table, lagged=False)
    columns: dict[str, Any] = {k: table[k] for k in (*ticks.keys, "d", "i", "x")}
    for counter in plain:
        columns[build.name(Need(counter))] = table[ticks.aliases[counter]]
    needs = [Need(c) for c in plain]
    for count in _active(build, atoms):
        needs.append(Need(active_days(count)))
        columns[build.name(needs[-1])] = (table[ticks.aliases[count]] > 0).cast("int32")
    piece = _Piece(table.select(**columns), tuple(needs))
    size: int | None = 1
    levels = _levels(chain)
    for level, length in levels:
        piece = _rolled_up(build, piece, level, length, size)
        inside = {s for s in build.spreads if s.days == length} if level == "blocks" else set()
        last = (level, length) == levels[-1]
        distinct = [c for c in counters if c.kind == "distinct"]
        if distinct and (inside or last):
            parts = [_distinct(build, c, level, length) for c in distinct]
            piece = _Piece(_merged(build, [piece, *parts]), (*piece.needs, *(Need(c) for c in distinct)), piece.extra)
        for spread in (s for s in build.spreads if s in inside):
            assert length is not None
            known = build.attributes if attributes_of(spread.part) else None
            table = _known(piece.table, known)
            block = Block(table, build.names, ticks.scales, build.done, _columns(known), chain, build.events, length)
            alias = f"t{len(build.done)}"
            held = block.truth(spread.part, length).cast("int32") - block.silent(spread.part, length)
            found = table.mutate(**{alias: held}).drop(*_columns(known).values())
            piece = _Piece(found, piece.needs, (*piece.extra, alias))
            build.done[spread] = alias
        if distinct and inside and not last:
            # Numbers of distinct values do not add up; the next level counts them anew.
            piece = _Piece(piece.table, tuple(n for n in piece.needs if n.counter.kind != "distinct"), piece.extra)
        size = length
    return piece


def _active(build: _Builder, atoms: tuple[Atom, ...]) -> list[Counter]:
    """The counters of rows whose ticks above zero are days with the event."""
    counters = [atom_counters(a, build.chain, build.events)[0] for a in atoms if a.function == "days"]
    return [c for c in dict.fromkeys(counters) if c.kind == "count"]


def _levels(chain: Chain) -> list[tuple[str, int | None]]:
    """The steps from ticks upward: (how, length)."""
    finer: list[tuple[str, int | None]] = [("blocks", n) for n in chain.blocks[:-1]]
    last = chain.blocks[-1] if chain.blocks else None
    match chain.style:
        case "blocks":
            return [*finer, ("blocks", last)]
        case "whole":
            return [*finer, ("whole", last)]
        case "parts":
            return [*finer, ("whole", last)]
        case style:
            return [*finer, (style, last)]


def _index(table: Any, level: str, length: int | None, size: int) -> Any:
    """The block in which a row of the level below lies."""
    if level == "whole":
        return table.i * 0
    if level == "week":
        return calendar.index(table.i, "week") if size == 1 else table.i
    if level == "month":
        return calendar.index(table.i, "month")
    assert length is not None
    return table.i // (length // size)


def _spread_out(table: Any, length: int) -> Any:
    """Each tick in each of the rolling blocks that hold it; block i covers ticks i..i + length - 1."""
    import ibis

    out = table.mutate(k=ibis.range(0, length).unnest())
    out = out.mutate(i=(out.i - out.k).cast("int32"))
    return out.filter(out.i >= 0).drop("k")


def _rolled_up(build: _Builder, piece: _Piece, level: str, length: int | None, size: int | None) -> _Piece:
    table = piece.table
    if level == "rolling":
        assert length is not None
        table = _spread_out(table, length)
    elif level == "blocks" and length == 1:
        return piece
    else:
        table = table.mutate(i=_index(table, level, length, size or 1).cast("int32"))
    return _Piece(_grouped(build, table, piece), piece.needs, piece.extra)


def _grouped(build: _Builder, table: Any, piece: _Piece) -> Any:
    columns: dict[str, Any] = {"x": table.x.max(), "d": table.d.max()}
    for need in piece.needs:
        alias = build.names[need]
        columns[alias] = rolled(table, table[alias], need.counter)
    for alias in piece.extra:
        columns[alias] = table[alias].sum().cast("int32")
    return table.group_by([*build.ticks.keys, "i"]).agg(**columns)


def _distinct(build: _Builder, counter: Counter, level: str, length: int | None, ago: Ago | None = None) -> _Piece:
    """How many different values each block shows."""
    table = _source(build, build.ticks.values[counter], lagged=ago is not None)
    if level == "rolling":
        assert length is not None
        table = _spread_out(table, length)
    else:
        table = table.mutate(i=_index(table, level, length, 1).cast("int32"))
    if ago is not None:
        table = _forward(table, ago)
    need = Need(counter, ago)
    alias = build.name(need)
    found = table.group_by([*build.ticks.keys, "i"]).agg(
        x=table.x.max(), d=table.d.max(), **{alias: table.v.nunique().cast("int32")}
    )
    return _Piece(found, (need,))


def _forward(table: Any, ago: Ago) -> Any:
    """What lies in block j counts for the blocks that look back at it."""
    import ibis

    out = table.mutate(k=ibis.range(ago.first, ago.last + 1).unnest())
    return out.mutate(i=(out.i + out.k).cast("int32")).drop("k")


def _earlier(build: _Builder, atoms: tuple[Atom, ...], ago: Ago) -> list[_Piece]:
    """The blocks `ago` back, moved to the block that looks at them."""
    chain, ticks = build.chain, build.ticks
    level, length = _levels(chain)[-1]
    counters = tuple(dict.fromkeys(c for a in atoms for c in atom_counters(a, chain, build.events)))
    plain = tuple(c for c in counters if c.kind != "distinct")
    pieces = [_distinct(build, c, level, length, ago) for c in counters if c.kind == "distinct"]
    if plain:
        table = _source(build, ticks.table, lagged=True)
        columns: dict[str, Any] = {k: table[k] for k in (*ticks.keys, "d", "i", "x")}
        for counter in plain:
            columns[build.name(Need(counter, ago))] = table[ticks.aliases[counter]]
        needs = [Need(c, ago) for c in plain]
        for count in _active(build, atoms):
            needs.append(Need(active_days(count), ago))
            columns[build.name(needs[-1])] = (table[ticks.aliases[count]] > 0).cast("int32")
        table = table.select(**columns)
        table = table.mutate(i=_index(table, level, length, 1).cast("int32"))
        piece = _Piece(table, tuple(needs))
        moved = _forward(_grouped(build, table, piece), ago)
        pieces.append(_Piece(_grouped(build, moved, piece), piece.needs))
    if chain.style == "blocks":
        pieces = [_Piece(p.table.filter(p.table.i >= 0), p.needs) for p in pieces]
    return pieces


def _merged(build: _Builder, pieces: list[_Piece]) -> Any:
    """The pieces side by side: stacked with empty columns where they have none, then grouped."""
    if len(pieces) == 1:
        return pieces[0].table
    needs = tuple(dict.fromkeys(n for p in pieces for n in p.needs))
    extra = tuple(dict.fromkeys(e for p in pieces for e in p.extra))
    keys = (*build.ticks.keys, "i")
    stacked: Any = None
    for piece in pieces:
        columns: dict[str, Any] = {k: piece.table[k] for k in build.ticks.keys}
        columns |= {k: piece.table[k].cast("int32") for k in ("i", "d")}
        columns["x"] = piece.table.x.cast("int64")
        for need in needs:
            value, whole = empty(need.counter)
            columns[build.names[need]] = (piece.table[build.names[need]] if need in piece.needs else value).cast(whole)
        for alias in extra:
            columns[alias] = piece.table[alias].cast("int32") if alias in piece.extra else _zero()
        part = piece.table.select(**columns)
        stacked = part if stacked is None else stacked.union(part)
    totals: dict[str, Any] = {"x": stacked.x.max(), "d": stacked.d.max()}
    for need in needs:
        alias = build.names[need]
        # Each block has a number of distinct values in one piece only, and zero in the others.
        counted = need.counter.kind == "distinct"
        totals[alias] = stacked[alias].sum().cast("int32") if counted else rolled(stacked, stacked[alias], need.counter)
    totals |= {alias: stacked[alias].sum().cast("int32") for alias in extra}
    return stacked.group_by(list(keys)).agg(**totals)


def _zero() -> Any:
    import ibis

    return ibis.literal(0, "int32")
