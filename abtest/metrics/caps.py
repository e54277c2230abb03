"""Caps: values above a number, or above a percentile over all variants together, count as that number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from abtest.language.model import Metric
from abtest.sources.engine import Engine, name


def rank_at(at: float, count: int) -> int:
    """The rank (from 1) of the smallest of `count` sorted values with at least a share `at` of them at or below it.

    >>> rank_at(0.95, 100), rank_at(0.5, 3), rank_at(0.1, 1)
    (95, 2, 1)
    """
    return min(count, max(1, math.ceil(Fraction(repr(at)) * count)))


def value_at(engine: Engine, column: str, table: str, where: str, at: float) -> float | None:
    """The value at a share of the sorted values: exact, and the same whatever the order of rows."""
    count = int(engine.one(f"SELECT count({column}) FILTER ({where}) FROM {table}")[0])
    if not count:
        return None
    rank = rank_at(at, count)
    found = engine.one(
        f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL AND ({where}) ORDER BY 1 LIMIT 1 OFFSET {rank - 1}"
    )
    return float(found[0])


def apply_caps(
    engine: Engine, table: str, metrics: tuple[Metric, ...], value: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, float]]:
    """Cap the columns of the table in place. Gives the columns that say which values were cut, and the numbers."""
    flags: dict[str, str] = {}
    caps: dict[str, float] = {}
    replaced: list[str] = []
    added: list[str] = []
    for metric in metrics:
        if metric.cap is None:
            continue
        column = name(value[metric.name])
        top: float | None = metric.cap.size
        if metric.cap.of != "value":
            where = f"{column} <> 0" if metric.cap.of == "nonzero" else "true"
            top = value_at(engine, column, name(table), where, metric.cap.size)
        if top is None:
            continue
        caps[metric.name] = top
        flags[metric.name] = f"k_{value[metric.name]}"
        added.append(f"coalesce({column} > {top!r}, false) AS {name(flags[metric.name])}")
        replaced.append(f"CASE WHEN {column} > {top!r} THEN {top!r} ELSE {column} END AS {column}")
    if replaced:
        engine.sql(
            f"CREATE OR REPLACE TEMP TABLE {name(table)} AS "
            f"SELECT * REPLACE ({', '.join(replaced)}), {', '.join(added)} FROM {name(table)}"
        )
    return flags, caps
