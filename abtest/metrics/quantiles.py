"""Order statistics of one metric in one variant, read off the engine: mid-quantiles and the sums under their error."""

from __future__ import annotations

from dataclasses import dataclass

from abtest.language.model import Metric
from abtest.metrics.units import Values
from abtest.sources.engine import Engine, name


@dataclass(frozen=True)
class Spots:
    """The values of a quantile in one variant: `rows` is SQL with `u` and `v`, `units` how many units it is about."""

    rows: str
    units: int


def spots_of(engine: Engine, values: Values, metric: Metric, variant: int) -> Spots:
    """The values of all events, or of all units, of the mature units in a variant."""
    table, column = name(values.table), name(values.value[metric.name])
    here = f"variant = {int(variant)} AND {column} IS NOT NULL"
    units = int(engine.one(f"SELECT count(*) FROM {table} WHERE {here}")[0])
    if metric.name in values.spots:
        spots = name(values.spots[metric.name])
        return Spots(f"SELECT u, v FROM {spots} WHERE u IN (SELECT u FROM {table} WHERE {here})", units)
    return Spots(f"SELECT u, {column} AS v FROM {table} WHERE {here}", units)


def read_levels(engine: Engine, spots: Spots, levels: tuple[float, ...]) -> tuple[float, ...]:
    """The mid-quantiles at the levels (Ma, Genton & Parzen 2011): straight lines between the points (value, share of
    values below it + half the share of equal ones), flat outside. Empty without values.

    Counts are whole numbers, so the same values give the same digits in any order.
    """
    asked = ", ".join(f"({level!r})" for level in levels)
    rows = engine.rows(
        f"WITH h AS (SELECT v, count(*) AS c FROM ({spots.rows}) GROUP BY v), "
        "m AS (SELECT v, (sum(c) OVER (ORDER BY v) - c / 2.0) / sum(c) OVER () AS mid FROM h), "
        "s AS (SELECT *, lead(v) OVER (ORDER BY v) AS v2, lead(mid) OVER (ORDER BY v) AS mid2 FROM m), "
        f"l(p) AS (VALUES {asked}) "
        "SELECT p, arg_max(v, mid) FILTER (mid <= p), max(mid) FILTER (mid <= p), arg_max(v2, mid) FILTER (mid <= p), "
        "arg_max(mid2, mid) FILTER (mid <= p), min(v) FROM s, l GROUP BY p ORDER BY p"
    )
    found = {float(p): _between(float(p), *rest) for p, *rest in rows if rest[-1] is not None}
    return tuple(found[level] for level in levels) if found else ()


def _between(
    level: float, low: float | None, at: float | None, high: float | None, to: float | None, least: float
) -> float:
    if low is None or at is None:
        return least
    if high is None or to is None:
        return low
    return low + (level - at) / (to - at) * (high - low)


def pair_sums(engine: Engine, spots: Spots, value: float) -> tuple[int, int, int, int, int]:
    """Over units, sums of x, x^2, y, y^2 and xy: x events at or below the value, y events. Units without any add 0."""
    row = engine.one(
        "SELECT sum(x), sum(x * x), sum(y), sum(y * y), sum(x * y) FROM "
        f"(SELECT u, CAST(count(*) FILTER (v <= {value!r}) AS HUGEINT) AS x, CAST(count(*) AS HUGEINT) AS y "
        f"FROM ({spots.rows}) GROUP BY u)"
    )
    one, two, three, four, five = (int(n or 0) for n in row)
    return one, two, three, four, five


def read_ranks(engine: Engine, spots: Spots, ranks: tuple[int, ...]) -> tuple[float, ...]:
    """The values at ranks (from 1) of the sorted values."""
    wanted = ", ".join(str(int(rank)) for rank in sorted(set(ranks)))
    rows = engine.rows(
        f"SELECT rank, v FROM (SELECT v, row_number() OVER (ORDER BY v) AS rank FROM ({spots.rows})) WHERE rank IN ({wanted})"
    )
    found = {int(rank): float(value) for rank, value in rows}
    return tuple(found[rank] for rank in ranks)
