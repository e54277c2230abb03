"""How the values of a metric are spread: units per value or per range of values, in every variant."""

from __future__ import annotations

import math
from itertools import pairwise

from abtest.analysis.result import Bin
from abtest.language.model import Metric
from abtest.metrics.units import Values
from abtest.sources.engine import Engine, name

MOST_BINS = 30


def histogram(
    engine: Engine,
    values: Values,
    metric: Metric,
    variants: tuple[str, ...],
    min_cell: int,
    cuts: tuple[float, ...] = (),
) -> tuple[Bin, ...]:
    """One bin per value, or up to 30 equal ranges; neighbours are merged until no cell tells of fewer than `min_cell`.

    Empty when even all units together are too few. No bin reaches over one of the `cuts` (the last value of a class), as
    long as every class has enough units.
    """
    column = name(values.value[metric.name])
    table = name(values.table)
    found = engine.one(f"SELECT min({column}), max({column}), count(DISTINCT {column}) FROM {table}")
    if found[0] is None:
        return ()
    low, high, distinct = float(found[0]), float(found[1]), int(found[2])
    if distinct <= MOST_BINS:
        width, index = 0.0, f"dense_rank() OVER (ORDER BY {column})"
    else:
        width = (high - low) / MOST_BINS
        index = f"least({MOST_BINS - 1}, CAST(floor(({column} - {low!r}) / {width!r}) AS INTEGER))"
    rows = engine.rows(
        f"SELECT i, min(v), max(v), variant, count(*) FROM (SELECT variant, {column} AS v, {index} AS i FROM {table} "
        f"WHERE {column} IS NOT NULL) GROUP BY i, variant ORDER BY i, variant"
    )
    bins: dict[int, Bin] = {}
    for i, least, most, variant, count in rows:
        before = bins.get(int(i), Bin(math.inf, -math.inf, tuple((v, 0) for v in variants)))
        units = tuple((v, n + (int(count) if v == variants[int(variant)] else 0)) for v, n in before.units)
        bins[int(i)] = Bin(min(before.low, float(least)), max(before.high, float(most)), units)
    return within([bins[i] for i in sorted(bins)], min_cell, cuts)


def within(bins: list[Bin], min_cell: int, cuts: tuple[float, ...]) -> tuple[Bin, ...]:
    """Merged bins, class by class; over all of them where a class has too few units of its own.

    >>> bins = [Bin(v, v, (("a", n),)) for v, n in ((5.0, 9), (6.0, 4), (7.0, 4), (8.0, 30))]
    >>> [(b.low, b.high) for b in within(bins, 10, (6.0,))], [(b.low, b.high) for b in within(bins, 10, ())]
    ([(5.0, 6.0), (7.0, 8.0)], [(5.0, 7.0), (8.0, 8.0)])
    """
    edges = (-math.inf, *cuts, math.inf)
    classes = [[b for b in bins if low < b.low <= high] for low, high in pairwise(edges)]
    apart = [_merged(own, min_cell) for own in classes if own]
    return tuple(b for own in apart for b in own) if all(apart) else _merged(bins, min_cell)


def _merged(bins: list[Bin], min_cell: int) -> tuple[Bin, ...]:
    """Neighbours put together from the top down, until every cell has enough units."""
    done: list[Bin] = []
    for one in reversed(bins):
        if done and not _enough(done[-1], min_cell):
            done[-1] = _together(one, done[-1])
        else:
            done.append(one)
    while len(done) > 1 and not _enough(done[-1], min_cell):
        last = done.pop()
        done[-1] = _together(last, done[-1])
    return tuple(reversed(done)) if done and _enough(done[-1], min_cell) else ()


def _enough(one: Bin, min_cell: int) -> bool:
    return all(n >= min_cell for _, n in one.units)


def _together(lower: Bin, upper: Bin) -> Bin:
    units = tuple((v, n + m) for (v, n), (_, m) in zip(lower.units, upper.units, strict=True))
    return Bin(lower.low, upper.high, units)
