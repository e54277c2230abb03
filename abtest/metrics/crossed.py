"""Exact sums of covariates and of their products with the metric, beside the sums of the metric itself (`sums.py`).

A unit without a value before exposure (the log does not reach back so far) keeps its place: the covariate then counts
as an arbitrary constant, and a second one says that it is missing. Texts become one yes or no per frequent value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from abtest.metrics.covariates import Covariate
from abtest.metrics.sums import Column, Grid, as_whole
from abtest.metrics.units import Values
from abtest.sources.engine import Engine

MOST_TEXTS = 19
"""Frequent values of a text that get a covariate of their own; all others together are what these are compared with."""


@dataclass(frozen=True)
class Entry:
    """One covariate as a number: `column` of the unit table, or (`of` given) whether it is missing, or equals a text.

    `below`: it is a ratio's denominator, whose numerator stands before it.
    """

    label: str
    column: str
    of: str | None = None
    value: str | None = None
    below: bool = False


@dataclass(frozen=True)
class Crossed:
    """The covariates of one metric: entries, sums per entry, products (i, j) of entries i < j, where 0 is the metric
    (1 its denominator, for ratios) and entries follow. `missing`: used units without a value in any covariate."""

    entries: tuple[Entry, ...]
    columns: tuple[Column, ...]
    products: Mapping[tuple[int, int], int]
    missing: int


@dataclass(frozen=True)
class Covariates:
    """Where the covariates of each metric stand in the unit table; `strata` the text column of metrics with one only."""

    entries: Mapping[str, tuple[Entry, ...]]
    strata: Mapping[str, str] = field(default_factory=dict)


def find_covariates(engine: Engine, values: Values, wanted: Mapping[str, Sequence[Covariate]]) -> Covariates:
    """Each covariate as entries: missing ones get an indicator where units that count lack them."""
    table = engine.table(values.table)
    asked: dict[str, Any] = {}
    columns: dict[str, list[tuple[Covariate, str]]] = {}
    for name, covariates in wanted.items():
        counted = table[values.value[name]].notnull()
        for covariate in covariates:
            own = _column(values, covariate)
            columns.setdefault(name, []).append((covariate, own))
            asked[f"{values.value[name]}_{own}"] = (counted & table[own].isnull()).sum()
            asked[f"{values.value[name]}_{own}_n"] = counted.sum()
    if not asked:
        return Covariates({})
    counts = engine.fetch(table.agg(**asked))[0]
    texts = {own: _frequent(engine, values, own) for found in columns.values() for c, own in found if c.text}
    entries: dict[str, tuple[Entry, ...]] = {}
    strata: dict[str, str] = {}
    for name, found in columns.items():
        if len(found) == 1 and found[0][0].text and name not in values.denominator:
            strata[name] = found[0][1]
            continue
        made: list[Entry] = []
        for covariate, own in found:
            key = f"{values.value[name]}_{own}"
            missing, used = int(counts[key] or 0), int(counts[f"{key}_n"] or 0)
            if missing == used:
                continue
            if covariate.text:
                made += [Entry(f"{covariate.label} = {t}", own, own, t) for t in texts[own]]
            else:
                made.append(Entry(covariate.label, own))
                if covariate.metric is not None and covariate.metric.name in values.denominator:
                    made.append(Entry(covariate.label, values.denominator[covariate.metric.name], below=True))
            if missing:
                made.append(Entry(f"{covariate.label} unknown", own, own))
        if made:
            entries[name] = tuple(made)
    return Covariates(entries, strata)


def _column(values: Values, covariate: Covariate) -> str:
    if covariate.metric is not None:
        return values.value[covariate.metric.name]
    return values.attributes[covariate.source, covariate.prop]


def _frequent(engine: Engine, values: Values, column: str) -> tuple[str, ...]:
    """The most frequent texts, all but the least frequent of them."""
    table = engine.table(values.table)
    known = table.filter(table[column].notnull())
    rows = engine.fetch(known.group_by(column).agg(n=known.count()))
    ordered = sorted(rows, key=lambda r: (-int(r["n"]), str(r[column])))
    return tuple(str(r[column]) for r in ordered[: min(MOST_TEXTS, len(ordered) - 1)])


def crossed_sums(
    engine: Engine, values: Values, covariates: Covariates, by: str | None, grid: Mapping[str, Grid]
) -> dict[tuple[Any, int], dict[str, Crossed]]:
    """All metrics with covariates per (segment value, variant), as `arm_sums`. One query."""
    if not covariates.entries:
        return {}
    table = engine.table(values.table)
    asked: dict[str, Any] = {}
    for name, entries in covariates.entries.items():
        asked |= _sums(table, values, name, entries, grid)
    keys = ["variant"] if by is None else [by, "variant"]
    rows = engine.fetch(table.group_by(keys).agg(**asked))
    return {
        (row[by] if by is not None else None, int(row["variant"])): {
            name: _crossed(row, values, name, entries, grid) for name, entries in covariates.entries.items()
        }
        for row in rows
    }


def number_of(table: Any, entry: Entry, grid: Mapping[str, Grid]) -> Any:
    """The entry as a whole number; 0 where it is missing."""
    column = table[entry.column]
    if entry.of is None:
        g = grid[entry.column]
        return as_whole(column, g.shift, g.scale).fill_null(0)
    flag = column.isnull() if entry.value is None else (column == entry.value).fill_null(False)
    return flag.cast("decimal(38, 0)")


def _metric_columns(values: Values, name: str) -> list[str]:
    below = [values.denominator[name]] if name in values.denominator else []
    return [values.value[name], *below]


def _sums(table: Any, values: Values, name: str, entries: Sequence[Entry], grid: Mapping[str, Grid]) -> dict[str, Any]:
    import ibis

    own = _metric_columns(values, name)
    counted = table[own[0]].notnull()
    numbers = [ibis.ifelse(counted, number_of(table, e, grid), ibis.null("decimal(38, 0)")) for e in entries]
    metric = [as_whole(table[c], grid[c].shift, grid[c].scale) for c in own]
    found: dict[str, Any] = {}
    for i, number in enumerate(numbers):
        found[f"{own[0]}_x{i}"] = number.sum()
        for j, other in enumerate([*metric, *numbers[: i + 1]]):
            found[f"{own[0]}_x{i}_{j}"] = (number * other).sum()
    lacking = [
        table[c].isnull() for c in dict.fromkeys(e.column for e in entries if e.of is not None and e.value is None)
    ]
    if lacking:
        any_lacking = lacking[0]
        for more in lacking[1:]:
            any_lacking = any_lacking | more
        found[f"{own[0]}_lacking"] = (counted & any_lacking).sum()
    return found


def _crossed(
    row: Mapping[str, Any], values: Values, name: str, entries: Sequence[Entry], grid: Mapping[str, Grid]
) -> Crossed:
    own = _metric_columns(values, name)
    first = len(own)
    columns: list[Column] = []
    products: dict[tuple[int, int], int] = {}
    for i, entry in enumerate(entries):
        g = Grid(0.0, 1.0, 1.0) if entry.of is not None else grid[entry.column]
        both = {j: int(row[f"{own[0]}_x{i}_{j}"] or 0) for j in range(first + i + 1)}
        columns.append(Column(g.shift, int(g.scale), int(row[f"{own[0]}_x{i}"] or 0), both.pop(first + i)))
        products |= {(j, first + i): product for j, product in both.items()}
    return Crossed(tuple(entries), tuple(columns), products, int(row.get(f"{own[0]}_lacking") or 0))


def unit_rows(
    engine: Engine, values: Values, name: str, entries: Sequence[Entry], variant: int
) -> list[tuple[float, ...]]:
    """The metric (and denominator) and its covariates of every unit in a variant that counts; for small variants only.

    Missing covariates stand at the lowest value of all units, as in the sums.
    """
    import ibis

    table = engine.table(values.table)
    own = _metric_columns(values, name)
    wanted: dict[str, Any] = {f"c{i}": table[c] for i, c in enumerate(own)}
    for i, entry in enumerate(entries):
        column = table[entry.column]
        if entry.of is None:
            low = table.aggregate(low=column.min()).as_scalar()
            number = ibis.coalesce(column, low)
        else:
            number = column.isnull() if entry.value is None else (column == entry.value).fill_null(False)
        wanted[f"c{len(own) + i}"] = number.cast("float64")
    kept = table.filter((table.variant == variant) & table[own[0]].notnull()).select(**wanted)
    rows = engine.fetch(kept)
    return sorted(tuple(float(v) for v in row.values()) for row in rows)
