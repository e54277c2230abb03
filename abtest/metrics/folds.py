"""Blocks of a unit to its one value: share, ever, always, last, count, streak; mean, sum, min, max of an amount.

A unit's blocks are those from `lo` to `hi` (bounds that depend on where its counting starts alone). Blocks without
events are not in the table; they have the value at zero. Where a block without events has no value at all (a mean of
nothing, an unknown letter), it is left out of the fold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from abtest.language.conditions import Attribute, Measure, Rank
from abtest.language.model import Part
from abtest.language.silence import OPERATORS, zero_truth
from abtest.metrics import calendar
from abtest.metrics.plan import Chain, Task, empty_is_missing, ticks_per_day
from abtest.metrics.truth import DECIMALS, Block, zero_value

Lookup = Callable[[Attribute], Any]


def bounds(x: Any, chain: Chain) -> tuple[Any, Any]:
    """The first and the last block of a unit that starts counting at `x`; none when the last lies before the first."""
    import ibis

    known = complete_ticks(x, chain)
    if chain.style in ("week", "month"):
        unit: Any = chain.style
        first = calendar.index(x + ((chain.first or 0) - 1), unit) + 1
        stop = ibis.literal(chain.end) if chain.last is None else ibis.least(x + chain.last + 1, chain.end)
        if chain.since is not None:
            first = ibis.greatest(first, calendar.index_of(chain.since - 1, unit) + 1 + chain.back)
        return first, calendar.index(stop, unit) - 1
    per = chain.blocks[-1]
    start = chain.first or 0
    inside = known - start if chain.last is None else ibis.least(known - start, chain.last - start + 1)
    if chain.style == "rolling":
        return ibis.literal(0), inside - per
    first = ibis.literal(0)
    if chain.since is not None and chain.back:
        # Block i looks back to i - back, which starts at x + first + (i - back) * per.
        ticks = _ticks_since(x, chain)
        first = ibis.greatest(0, chain.back - (ticks + start) // per)
    return first, inside // per - 1


def _ticks_since(x: Any, chain: Chain) -> Any:
    """Whole ticks from the first date of the data to where counting starts."""
    assert chain.since is not None
    if not chain.grid.elapsed:
        return x - chain.since
    from abtest.sources.times import DAY

    return (x - chain.since * DAY) // chain.grid.length


def complete_ticks(x: Any, chain: Chain) -> Any:
    """How many ticks of a unit are complete."""
    known = (chain.end - x) // chain.grid.length
    if chain.grid.sub == "session":
        known = known - ticks_per_day(chain)
    return known


def block_value(block: Block, task: Task, part: Part) -> Any:
    """The value of one block; NULL where it has none."""
    import ibis

    length = block.chain.length
    value = block.value(part, length)
    missing = task.metric.missing
    if empty_is_missing(part) and missing is not None and missing.value is not None:
        value = value.fill_null(missing.value)
    if task.metric.known is not None:
        value = ibis.ifelse(block.truth(task.metric.known, length), value, ibis.null("int32"))
    return value


def silent_value(task: Task, part: Part, lookup: Lookup) -> Any:
    """The value of a silent block, should it have one: a number, or an expression per unit; None where it never has."""
    value = zero_value(part, task.chain.length, lookup)
    if value is None and task.metric.missing is not None:
        return task.metric.missing.value
    return value


def silent_known(task: Task, part: Part, lookup: Lookup) -> Any:
    """Whether a silent block has a value, as 0 or 1 (an expression where attributes decide)."""
    if silent_value(task, part, lookup) is None:
        return 0
    if task.metric.known is None:
        return 1
    truth = zero_truth(task.metric.known, task.chain.length, lookup)
    return int(truth) if isinstance(truth, bool) else truth.cast("int32")


def _counts_values(task: Task, part: Part) -> bool:
    """Whether blocks can be without a value, so that those with one must be counted."""
    missing = task.metric.missing
    drops = empty_is_missing(part) and (missing is None or missing.value is None)
    return drops or task.metric.known is not None


def _is_zero(value: Any) -> bool:
    return isinstance(value, (int, float)) and value == 0


def unit_columns(block: Block, task: Task, prefix: str) -> dict[str, Any]:
    """Aggregates per unit over its blocks, as differences from a silent unit. Grouped by `u` in one query per chain."""
    chain, table = task.chain, block.table

    def lookup(attribute: Attribute) -> Any:
        return table[block.attributes[attribute]].fill_null(False)

    columns: dict[str, Any] = {}
    inside = _inside(table, chain)
    for number, part in enumerate(task.parts):
        value = block_value(block, task, part)
        alias = f"{prefix}_{number}"
        if chain.style == "whole":
            columns |= {alias: value.max(), f"{alias}_n": table.count().cast("int32")}
            continue
        # Parts of a unit, such as sessions, are only those that are there.
        parts = chain.style == "parts"
        known = 0 if parts else silent_known(task, part, lookup)
        zero = 0 if parts else silent_value(task, part, lookup)
        silent = 0 if zero is None or _is_zero(known) or _is_zero(zero) else zero * known
        counted = value.fill_null(0) if parts or _counts_values(task, part) else value
        change = counted if _is_zero(silent) else counted - silent
        if isinstance(part, Measure):
            # Floating sums depend on the order of rows; whole numbers of 10^-9 do not.
            change = (change * DECIMALS).round().cast("decimal(38, 0)")
        total = change.sum(where=inside)
        # Engines widen sums of whole numbers to 128 bits; a number of blocks needs 32.
        columns[alias] = total if isinstance(part, Measure) else total.cast("int32")
        if parts or _counts_values(task, part):
            here = value.notnull().cast("int32")
            columns[f"{alias}_n"] = (here if _is_zero(known) else here - known).sum(where=inside).cast("int32")
        if chain.per and task.metric.fold is not None:
            columns |= _fold_columns(task, value, change, zero, table, inside, alias)
    return columns


def _inside(table: Any, chain: Chain) -> Any:
    """Whether a block counts for its unit."""
    import ibis

    if not chain.per:
        return ibis.literal(True)
    low, high = bounds(table.x, chain)
    return (table.i >= low) & (table.i <= high)


def _fold_columns(
    task: Task, value: Any, change: Any, zero: Any, table: Any, inside: Any, alias: str
) -> dict[str, Any]:
    chain, fold = task.chain, task.metric.fold
    assert fold is not None
    match fold.name:
        case "last" if zero is None:
            return {f"{alias}_last": value.argmax(table.i, where=inside & value.notnull())}
        case "last":
            return {f"{alias}_last": change.sum(where=inside & (table.i == bounds(table.x, chain)[1]))}
        case "min" | "max":
            return {f"{alias}_edge": getattr(value, fold.name)(where=inside), f"{alias}_present": inside.sum()}
        case _:
            return {}


def streak_tables(block: Block, task: Task, alias: str) -> dict[str, Any]:
    """Per unit the longest run of true blocks, as tables of `u` and one column.

    Where silence is false, runs are islands of true blocks (`alias`); where silence is true, they are the gaps between
    false ones, with an edge before the first block and one after the last (`alias`_gap). Where attributes decide what
    silence is, both are needed.
    """
    silent = silent_value(task, task.parts[0], lambda a: block.table[block.attributes[a]].fill_null(False))
    found: dict[str, Any] = {}
    if not isinstance(silent, int) or not silent:
        found[alias] = _islands(block, task, alias)
    if not isinstance(silent, int) or silent:
        found[f"{alias}_gap"] = _gaps(block, task, f"{alias}_gap")
    return found


def _islands(block: Block, task: Task, alias: str) -> Any:
    import ibis

    table = block.table
    truth = block_value(block, task, task.parts[0]).fill_null(0) == 1
    hits = table.filter(truth & _inside(table, task.chain)).select("u", "i")
    island = hits.mutate(island=hits.i - ibis.row_number().over(ibis.window(group_by=hits.u, order_by=hits.i)))
    runs = island.group_by("u", "island").agg(run=island.count())
    return runs.group_by("u").agg(**{alias: runs.run.max()})


def _gaps(block: Block, task: Task, alias: str) -> Any:
    import ibis

    table = block.table
    truth = block_value(block, task, task.parts[0]).fill_null(0) == 1
    misses = table.filter((~truth) & _inside(table, task.chain)).select("u", "i", "x")
    window = ibis.window(group_by=misses.u, order_by=misses.i)
    gaps = misses.mutate(gap=misses.i - misses.i.lag().over(window).fill_null(-1) - 1)
    ends = gaps.group_by("u").agg(inner=gaps.gap.max(), tail=bounds(gaps.x.max(), task.chain)[1] - gaps.i.max())
    return ends.select("u", **{alias: ibis.greatest(ends.inner, ends.tail)})


def _streak(joined: Any, streak: str, blocks: Any, zero: Any) -> Any:
    """The longest run of a unit."""
    import ibis

    if isinstance(zero, int):
        return joined[f"{streak}_gap"].fill_null(blocks) if zero else joined[streak].fill_null(0)
    return ibis.ifelse(zero == 1, joined[f"{streak}_gap"].fill_null(blocks), joined[streak].fill_null(0))


def value_of(joined: Any, x: Any, task: Task, prefix: str, streak: str | None, lookup: Lookup) -> tuple[Any, ...]:
    """The unit's value(s) as float64 from the joined aggregates (NULL for silent units); eligibility is not judged.

    `x` is where the unit's counting starts. Levels are counted as whole numbers and become degrees here, at the end.
    """
    values = _values_of(joined, x, task, prefix, streak, lookup)
    part = task.parts[0]
    return (values[0] * part.each, *values[1:]) if isinstance(part, Rank) and part.degrees else values


def _values_of(joined: Any, x: Any, task: Task, prefix: str, streak: str | None, lookup: Lookup) -> tuple[Any, ...]:
    import ibis

    chain, metric = task.chain, task.metric
    values = []
    for number, part in enumerate(task.parts):
        alias = f"{prefix}_{number}"
        total = joined[alias]
        if chain.style == "parts":
            count = joined[f"{alias}_n"].fill_null(0).cast("float64")
            summed = total.fill_null(0).cast("float64")
            summed = summed / DECIMALS if isinstance(part, Measure) else summed
            if metric.kind != "ratio":
                return summed, count
            values.append(summed)
            continue
        zero, known = silent_value(task, part, lookup), silent_known(task, part, lookup)
        if chain.style == "whole":
            values.append(ibis.ifelse(joined[f"{alias}_n"].isnull(), _of_silence(zero, known), total.cast("float64")))
            continue
        low, high = bounds(x, chain)
        blocks = _positive(high - low + 1)
        if isinstance(part, Measure):
            total = total.cast("float64") / DECIMALS
        held = total.fill_null(0)
        if zero is not None and not _is_zero(zero) and not _is_zero(known):
            held = held + blocks * (zero * known)
        counts = _counts_values(task, part)
        count = blocks
        if counts:
            count = joined[f"{alias}_n"].fill_null(0)
            count = count if _is_zero(known) else count + blocks * known
        if metric.kind == "ratio" or metric.fold is None:
            values.append(held.cast("float64"))
        else:
            found = _folded(joined, task, held, count, zero, alias, streak)
            values.append(_or_missing(found, count) if counts else found)
    return tuple(values)


def _of_silence(zero: Any, known: Any) -> Any:
    """The value of a unit without any events, NULL where it has none."""
    import ibis

    if zero is None or _is_zero(known):
        return ibis.null("float64")
    value = ibis.literal(float(zero)) if isinstance(zero, (int, float)) else zero.cast("float64")
    return value if isinstance(known, int) else ibis.ifelse(known == 1, value, ibis.null("float64"))


def _positive(number: Any) -> Any:
    import ibis

    return ibis.greatest(number, 0).cast("int32")


def _or_missing(value: Any, count: Any) -> Any:
    import ibis

    return ibis.ifelse(count > 0, value, ibis.null("float64"))


def _folded(joined: Any, task: Task, held: Any, blocks: Any, zero: Any, alias: str, streak: str | None) -> Any:
    import ibis

    metric = task.metric
    assert metric.fold is not None
    name, op, number = metric.fold.name, metric.fold.operator, metric.fold.number
    per_block = blocks.nullif(0).cast("float64")
    if op is not None and number is not None:
        compare = OPERATORS[op]
        if name == "share":
            left = ((held.cast("float64") - blocks.cast("float64") * number) * DECIMALS).round()
            return compare(left, 0).cast("float64")
        counted = held if name == "count" else _streak(joined, streak or "", blocks, zero)
        return compare(counted.cast("float64"), number).cast("float64")
    match name:
        case "share" | "mean":
            return held.cast("float64") / per_block
        case "ever":
            return (held >= 1).cast("float64")
        case "always":
            return (held == blocks).cast("float64")
        case "count" | "sum":
            return held.cast("float64")
        case "streak":
            return _streak(joined, streak or "", blocks, zero).cast("float64")
        case "last" if zero is None:
            return joined[f"{alias}_last"].cast("float64")
        case "last":
            last = joined[f"{alias}_last"].fill_null(0).cast("float64")
            return (last / DECIMALS if isinstance(task.parts[0], Measure) else last) + zero
        case "min" | "max":
            edge, present = joined[f"{alias}_edge"], joined[f"{alias}_present"].fill_null(0)
            if zero is None:
                return edge.cast("float64")
            both = ibis.least(edge, zero) if name == "min" else ibis.greatest(edge, zero)
            return ibis.ifelse(edge.isnull(), zero, ibis.ifelse(present < blocks, both, edge)).cast("float64")


def eligible(joined: Any, x: Any, x_exposed: Any, task: Task) -> tuple[Any, Any]:
    """(mature, has a value): whether the whole window lies in the data, and whether there is anything to judge.

    `x_exposed` is where counting would start at exposure: who is left out depends on exposure alone.
    """
    import ibis

    chain, metric = task.chain, task.metric
    mature: Any = ibis.literal(True)
    known = complete_ticks(x_exposed, chain)
    if chain.origin is not None:
        mature = x_exposed <= chain.origin
    elif chain.last is not None and metric.immature == "drop":
        mature = known > chain.last + wait(chain)
    judged: Any = ibis.literal(True)
    if chain.per:
        low, high = bounds(x, chain)
        judged = high >= low
        constant = metric.fold is not None and metric.fold.name not in ("share", "last", "mean")
        if chain.back and constant:
            judged = judged & (low == 0)
    elif chain.origin is None and (chain.first or 0) >= 0:
        judged = complete_ticks(x, chain) > (chain.first or 0)
    if chain.last is not None and chain.last < 0 and chain.since is not None:
        judged = x + chain.first >= chain.since
    return mature, judged


def wait(chain: Chain) -> int:
    """The ticks in which a starting point may still come."""
    if chain.grid.anchor is None:
        return 0
    # A date holds the start, however late; on the elapsed clock the start may come within the last of these ticks.
    return chain.grid.within * ticks_per_day(chain) if chain.grid.elapsed else chain.grid.within - 1
