"""Blocks of a unit to its one value: share, ever, always, last, count, streak; mean, sum, min, max of an amount."""

from __future__ import annotations

from typing import Any

from abtest.language.conditions import Condition, Measure
from abtest.language.model import Metric
from abtest.metrics.plan import Chain, Task
from abtest.metrics.truth import DECIMALS, OPERATORS, Block, zero_measure, zero_truth


def unit_columns(block: Block, task: Task, prefix: str) -> dict[str, Any]:
    """Aggregates per unit over its blocks, as differences from a silent unit. Grouped by `u` in one query per chain."""
    chain, table = task.chain, block.table
    length = chain.blocks[-1] if chain.blocks else None
    inside = _complete(table, chain)
    columns: dict[str, Any] = {}
    for number, part in enumerate(task.parts):
        value = _block_value(block, part, length)
        zero = _zero(part, length)
        change = (value - zero) if zero else value
        if chain.per and isinstance(part, Measure):
            # Floating sums depend on the order of rows; whole numbers of 10^-9 do not.
            change = (change * DECIMALS).round().cast("decimal(38, 0)")
        alias = f"{prefix}_{number}"
        total = change.sum(where=inside) if chain.per else change.sum()
        # Engines widen sums of whole numbers to 128 bits; a number of blocks needs 32.
        columns[alias] = total if isinstance(part, Measure) else total.cast("int32")
        if chain.per and task.metric.fold is not None:
            columns |= _fold_columns(task.metric, value, change, zero, table, chain, inside, alias)
    return columns


def _fold_columns(
    metric: Metric, value: Any, change: Any, zero: float, table: Any, chain: Chain, inside: Any, alias: str
) -> dict[str, Any]:
    assert metric.fold is not None
    match metric.fold.name:
        case "last":
            return {f"{alias}_last": change.sum(where=inside & (table.i == _blocks(table.x, chain) - 1))}
        case "min" | "max":
            return {f"{alias}_edge": getattr(value, metric.fold.name)(where=inside), f"{alias}_present": inside.sum()}
        case _:
            return {}


def streak_table(block: Block, task: Task, alias: str) -> Any:
    """Per unit the longest run of true blocks.

    Where silence is false, runs are islands of true blocks; where silence is true, they are the gaps between false
    ones, with an edge before the first block and one after the last.
    """
    import ibis

    chain, table = task.chain, block.table
    length = chain.blocks[-1]
    part = task.parts[0]
    assert not isinstance(part, Measure)
    truth = block.truth(part, length)
    complete = _complete(table, chain)
    if not zero_truth(part, length):
        hits = table.filter(truth & complete).select("u", "i")
        island = hits.mutate(island=hits.i - ibis.row_number().over(ibis.window(group_by=hits.u, order_by=hits.i)))
        runs = island.group_by("u", "island").agg(run=island.count())
        return runs.group_by("u").agg(**{alias: runs.run.max()})
    misses = table.filter((~truth) & complete).select("u", "i", "x")
    window = ibis.window(group_by=misses.u, order_by=misses.i)
    gaps = misses.mutate(gap=misses.i - misses.i.lag().over(window).fill_null(-1) - 1)
    ends = gaps.group_by("u").agg(inner=gaps.gap.max(), tail=_blocks(gaps.x.max(), chain) - 1 - gaps.i.max())
    return ends.select("u", **{alias: ibis.greatest(ends.inner, ends.tail)})


def value_of(joined: Any, task: Task, prefix: str, streak: str | None) -> tuple[Any, ...]:
    """The unit's value(s) as float64 from the joined aggregates (NULL for silent units); eligibility is not judged."""
    chain, metric = task.chain, task.metric
    length = chain.blocks[-1] if chain.blocks else None
    blocks = _blocks(joined.x_day, chain) if chain.per else None
    values = []
    for number, part in enumerate(task.parts):
        alias = f"{prefix}_{number}"
        zero = _zero(part, length)
        total = joined[alias].fill_null(0)
        if blocks is None:
            values.append((total + zero).cast("float64"))
            continue
        if isinstance(part, Measure):
            total = total.cast("float64") / DECIMALS
        held = total + blocks * zero if zero else total
        if metric.kind == "ratio" or metric.fold is None:
            values.append(held.cast("float64"))
        else:
            values.append(_folded(joined, metric, held, blocks, zero, alias, streak))
    return tuple(values)


def _folded(joined: Any, metric: Metric, held: Any, blocks: Any, zero: float, alias: str, streak: str | None) -> Any:
    import ibis

    assert metric.fold is not None
    name, op, number = metric.fold.name, metric.fold.operator, metric.fold.number
    per_block = blocks.nullif(0).cast("float64")
    if op is not None and number is not None:
        compare = OPERATORS[op]
        if name == "share":
            left = ((held.cast("float64") - blocks.cast("float64") * number) * DECIMALS).round()
            return compare(left, 0).cast("float64")
        counted = held if name == "count" else joined[streak].fill_null(blocks if zero else 0)
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
            return joined[streak].fill_null(blocks if zero else 0).cast("float64")
        case "last":
            last = joined[f"{alias}_last"].fill_null(0)
            return (
                last.cast("float64") / DECIMALS if isinstance(metric.measure, Measure) else last.cast("float64")
            ) + zero
        case "min" | "max":
            edge, present = joined[f"{alias}_edge"], joined[f"{alias}_present"].fill_null(0)
            both = ibis.least(edge, zero) if name == "min" else ibis.greatest(edge, zero)
            return ibis.ifelse(edge.isnull(), zero, ibis.ifelse(present < blocks, both, edge)).cast("float64")


def eligible(joined: Any, metric: Metric, chain: Chain) -> tuple[Any, Any]:
    """(mature, has a value): whether the whole window lies in the data, and whether there is anything to judge."""
    import ibis

    mature: Any = ibis.literal(True)
    if chain.last is not None and metric.immature == "drop":
        mature = joined.x_day + chain.last <= chain.through
    if chain.per:
        return mature, _blocks(joined.x_day, chain) >= 1
    return mature, joined.x_day + chain.first <= chain.through


def _blocks(x: Any, chain: Chain) -> Any:
    """The number of complete blocks of a unit exposed on date `x`."""
    import ibis

    per = chain.blocks[-1]
    known = ((chain.through + 1 - chain.first) - x) // per
    most = ibis.least(known, (chain.last - chain.first + 1) // per) if chain.last is not None else known
    return ibis.greatest(most, 0).cast("int32")


def _complete(table: Any, chain: Chain) -> Any:
    import ibis

    return table.i < _blocks(table.x, chain) if chain.per else ibis.literal(True)


def _block_value(block: Block, part: Condition | Measure, length: int | None) -> Any:
    if isinstance(part, Measure):
        return block.measure(part)
    return block.truth(part, length).cast("int32")


def _zero(part: Condition | Measure, length: int | None) -> float:
    if isinstance(part, Measure):
        return zero_measure(part) or 0.0
    return int(zero_truth(part, length))
