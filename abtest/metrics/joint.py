"""Exact sums of several metrics together, unit by unit: the covariance of two effects, what goes along with what.

As in `sums.py` every value is a whole number first, so that order of rows and threads change no digit. Only units with
a value of all the metrics are in these sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from abtest.metrics.crossed import Entry, number_of
from abtest.metrics.sums import Column, Grid, as_whole
from abtest.metrics.units import Values
from abtest.sources.engine import Engine, name
from abtest.sources.units import TABLE

BUCKETS = 100
"""Groups of units by the hash of their id, for the error of what has no formula for it."""


@dataclass(frozen=True)
class JointSums:
    """`n` units with a value of everything; sums per column, and products (i, j) of columns i < j."""

    n: int
    columns: tuple[Column, ...]
    products: Mapping[tuple[int, int], int]


def minus(total: JointSums, part: JointSums) -> JointSums:
    """The units of `total` that are not in `part`."""
    columns = tuple(
        Column(a.shift, a.scale, a.s1 - b.s1, a.s2 - b.s2) for a, b in zip(total.columns, part.columns, strict=True)
    )
    return JointSums(total.n - part.n, columns, {k: v - part.products[k] for k, v in total.products.items()})


def plus(one: JointSums, other: JointSums) -> JointSums:
    """The units of both."""
    columns = tuple(
        Column(a.shift, a.scale, a.s1 + b.s1, a.s2 + b.s2) for a, b in zip(one.columns, other.columns, strict=True)
    )
    return JointSums(one.n + other.n, columns, {k: v + other.products[k] for k, v in one.products.items()})


def columns_of(values: Values, metric: str) -> list[str]:
    """The value of a metric, and its denominator if it is a ratio."""
    below = [values.denominator[metric]] if metric in values.denominator else []
    return [values.value[metric], *below]


def joint_sums(
    engine: Engine,
    values: Values,
    columns: Sequence[str],
    grid: Mapping[str, Grid],
    *,
    entries: Sequence[Entry] = (),
    buckets: bool = False,
) -> dict[tuple[int, int], JointSums]:
    """Sums of value columns, then covariates (`entries`), per (variant, bucket); the bucket is 0 without `buckets`.

    A covariate that is missing counts as 0, as in `crossed.py`.
    """
    table = engine.table(_with_buckets(engine, values) if buckets else values.table)
    known = table.filter([table[c].notnull() for c in dict.fromkeys(columns)])
    numbers = [as_whole(known[c], grid[c].shift, grid[c].scale) for c in columns]
    numbers += [number_of(known, e, grid) for e in entries]
    grids = [grid[c] for c in columns]
    grids += [Grid(0.0, 1.0, 1.0) if e.of is not None else grid[e.column] for e in entries]
    asked: dict[str, Any] = {"n": known.count()}
    for i, number in enumerate(numbers):
        asked[f"s{i}"] = number.sum()
        asked |= {f"p{i}_{j}": (number * other).sum() for j, other in enumerate(numbers[i:], start=i)}
    rows = engine.fetch(known.group_by(["variant", "bucket"] if buckets else ["variant"]).agg(**asked))
    found = {}
    for row in rows:
        made = tuple(
            Column(g.shift, int(g.scale), int(row[f"s{i}"]), int(row[f"p{i}_{i}"])) for i, g in enumerate(grids)
        )
        products = {(i, j): int(row[f"p{i}_{j}"]) for i in range(len(grids)) for j in range(i + 1, len(grids))}
        found[int(row["variant"]), int(row["bucket"]) if buckets else 0] = JointSums(int(row["n"]), made, products)
    return dict(sorted(found.items()))


def _with_buckets(engine: Engine, values: Values) -> str:
    """The unit values with a bucket by the hash of the id as text, which no other unit can change."""
    table = f"{values.table}_buckets"
    engine.sql(
        f"CREATE OR REPLACE TEMP TABLE {name(table)} AS SELECT v.*, CAST(hash(x.uid) % {BUCKETS} AS INTEGER) AS bucket "
        f"FROM {name(values.table)} v JOIN {name(TABLE)} x ON x.u = v.u"
    )
    return table


def crossed_counts(engine: Engine, values: Values, first: str, second: str) -> dict[int, tuple[int, int, int, int]]:
    """Per variant: units with both metrics above zero, only the first, only the second, neither; of those that have
    a value of both."""
    a, b = name(values.value[first]), name(values.value[second])
    cells = ", ".join(
        f"count(*) FILTER ({x} AND {y})"
        for x, y in (
            (f"{a} > 0", f"{b} > 0"),
            (f"{a} > 0", f"{b} <= 0"),
            (f"{a} <= 0", f"{b} > 0"),
            (f"{a} <= 0", f"{b} <= 0"),
        )
    )
    rows = engine.rows(
        f"SELECT variant, {cells} FROM {name(values.table)} WHERE {a} IS NOT NULL AND {b} IS NOT NULL "
        "GROUP BY variant ORDER BY variant"
    )
    return {int(v): (int(k), int(m), int(n), int(o)) for v, k, m, n, o in rows}
