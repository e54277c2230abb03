"""Exact sums per cluster of units that were randomised together, and of those sums over clusters.

One query makes a table of clusters for all metrics: how many units have a value, and the sum of their values (and
denominators) as whole numbers (`sums.py`). What leaves the engine are sums over all clusters with equally many units:
a few numbers per size, whatever the number of clusters, and enough for means, ratios and the correlation within
clusters. Only where an arm is worth few clusters the clusters themselves are wanted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from abtest.language.model import Metric
from abtest.metrics.sums import Grid, as_whole
from abtest.metrics.units import Values
from abtest.sources.clusters import CLUSTERS
from abtest.sources.engine import Engine

TABLE = "cluster_sums"
_BITS = 61
"""Sums of clusters keep this many bits, so that their squares over all clusters fit a decimal of 38 digits."""


@dataclass(frozen=True)
class Scale:
    """A cluster of `n` units whose whole numbers add up to `s` has the sum shift * n + step * s."""

    shift: Fraction
    step: Fraction

    def total(self, n: int, s: int) -> Fraction:
        return self.shift * n + self.step * s


@dataclass(frozen=True)
class SameSize:
    """All clusters of one arm with `units` units each: how many, and sums over them of x, y, their squares and product.

    `x` are the sums of values, `y` those of denominators (0 without), in whole numbers.
    """

    units: int
    clusters: int
    x: int
    xx: int
    y: int = 0
    yy: int = 0
    xy: int = 0


@dataclass(frozen=True)
class ClusterSums:
    """One metric in one variant (of one segment), by size of cluster; `below` is the scale of denominators."""

    value: Scale
    below: Scale | None
    sizes: tuple[SameSize, ...]


@dataclass(frozen=True)
class ClusterRows:
    """The same as one row per cluster, in a fixed order: units, sum of values, sum of denominators."""

    value: Scale
    below: Scale | None
    rows: tuple[tuple[int, int, int], ...]


def cluster_table(
    engine: Engine, values: Values, metrics: Iterable[Metric], by: str | None, grid: Mapping[str, Grid]
) -> None:
    """Materialise the sums of all metrics per (segment value,) variant and cluster. One query."""
    table = engine.table(values.table)
    clusters = engine.table(CLUSTERS).select(ku="u", cluster="cluster")
    joined = table.join(clusters, table.u == clusters.ku)
    columns: dict[str, Any] = {}
    for metric in metrics:
        v = values.value[metric.name]
        columns[f"{v}_n"] = joined[v].count()
        for c in _columns(values, metric):
            columns[f"{c}_s"] = as_whole(joined[c], grid[c].shift, grid[c].scale).sum()
    keys = ["variant", "cluster"] if by is None else [by, "variant", "cluster"]
    engine.keep(TABLE, joined.group_by(keys).agg(**columns))


def _columns(values: Values, metric: Metric) -> list[str]:
    return [
        values.value[metric.name],
        *([values.denominator[metric.name]] if metric.name in values.denominator else []),
    ]


def size_sums(
    engine: Engine, values: Values, metric: Metric, by: str | None, grid: Mapping[str, Grid]
) -> dict[tuple[Any, int], ClusterSums]:
    """The clusters of one metric per (segment value, variant), by their size."""
    table = engine.table(TABLE)
    columns = _columns(values, metric)
    table = table.filter(table[f"{columns[0]}_n"] > 0)
    ends = {c: table[f"{c}_s"].cast("float64").abs().max() for c in columns}
    most = engine.fetch(table.agg(n=table.count(), **ends))[0]
    clusters = int(most["n"])
    if not clusters:
        return {}
    drop = {c: _bits_to_drop(float(most[c] or 0.0), clusters) for c in columns}
    whole = [_without_bits(table[f"{c}_s"], drop[c]) for c in columns]
    scales = [_scale(grid[c], drop[c]) for c in columns]
    asked: dict[str, Any] = {"clusters": table.count(), "x": whole[0].sum(), "xx": (whole[0] * whole[0]).sum()}
    if len(columns) == 2:
        asked |= {"y": whole[1].sum(), "yy": (whole[1] * whole[1]).sum(), "xy": (whole[0] * whole[1]).sum()}
    keys: dict[str, Any] = {"units": table[f"{columns[0]}_n"], "variant": table.variant}
    keys |= {} if by is None else {"value": table[by]}
    found: dict[tuple[Any, int], list[SameSize]] = {}
    for row in engine.fetch(table.group_by(**keys).agg(**asked)):
        sums = {name: int(row[name]) for name in asked}
        found.setdefault((row.get("value"), int(row["variant"])), []).append(SameSize(int(row["units"]), **sums))
    below = scales[1] if len(scales) == 2 else None
    return {
        key: ClusterSums(scales[0], below, tuple(sorted(sizes, key=lambda s: s.units))) for key, sizes in found.items()
    }


def cluster_rows(
    engine: Engine, values: Values, metric: Metric, by: str | None, grid: Mapping[str, Grid]
) -> dict[tuple[Any, int], ClusterRows]:
    """The clusters of one metric per (segment value, variant), one by one; for arms that are worth few clusters."""
    table = engine.table(TABLE)
    columns = _columns(values, metric)
    table = table.filter(table[f"{columns[0]}_n"] > 0)
    wanted: dict[str, Any] = {"cluster": table.cluster, "units": table[f"{columns[0]}_n"], "variant": table.variant}
    wanted |= {name: table[f"{c}_s"] for name, c in zip("xy", columns, strict=False)}
    wanted |= {} if by is None else {"value": table[by]}
    found: dict[tuple[Any, int], list[tuple[int, tuple[int, int, int]]]] = {}
    for row in engine.fetch(table.select(**wanted)):
        own = (int(row["units"]), int(row["x"]), int(row.get("y") or 0))
        found.setdefault((row.get("value"), int(row["variant"])), []).append((int(row["cluster"]), own))
    scales = [_scale(grid[c], 0) for c in columns]
    below = scales[1] if len(scales) == 2 else None
    return {key: ClusterRows(scales[0], below, tuple(own for _, own in sorted(rows))) for key, rows in found.items()}


def across_segments(engine: Engine, by: str) -> bool:
    """Whether a cluster has units in several groups of a segment; then the groups are not independent."""
    table = engine.table(TABLE)
    groups = table.group_by("cluster").agg(n=table[by].nunique() + table[by].isnull().any().cast("int64"))
    return bool(engine.fetch(groups.agg(most=groups.n.max()))[0]["most"] not in (None, 0, 1))


def _bits_to_drop(largest: float, clusters: int) -> int:
    if largest <= 0.0:
        return 0
    return max(0, math.ceil(math.log2(largest) + math.log2(clusters) / 2) - _BITS)


def _without_bits(number: Any, bits: int) -> Any:
    if not bits:
        return number.cast("decimal(38, 0)")
    return (number.cast("float64") / 2.0**bits).round().cast("decimal(38, 0)")


def _scale(grid: Grid, dropped: int) -> Scale:
    return Scale(Fraction(grid.shift), Fraction(2**dropped) / Fraction(grid.scale))
