"""Tables with one row per unit: attributes to split by, and outcomes that are values already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from abtest.language.conditions import RowTest, Where
from abtest.language.model import Source
from abtest.problems import data_error
from abtest.sources.engine import Engine, name, reading, text
from abtest.sources.ids import ids_fit, no_match
from abtest.sources.read import Raw
from abtest.sources.rows import NO, YES, kept_sql, label_sql, not_numbers, property_sql, where_sql
from abtest.sources.units import EXCLUDED, TABLE, USED, unit_sql

NO_TESTS: Mapping[str, Where] = MappingProxyType({})
NO_LABELS: Mapping[str, str] = MappingProxyType({})
NO_SPLITS: Mapping[str, RowTest] = MappingProxyType({})


@dataclass(frozen=True)
class UnitTable:
    """One row per unit: `table` has `uid` and a column per property; counts for the ledger."""

    source: str
    table: str
    rows: int
    unparsable: int
    without_id: int
    ignored: int
    unassigned: int
    fingerprint: str


def read_unit_table(
    engine: Engine,
    source: Source,
    raw: Raw,
    unit: str,
    props: dict[str, str],
    tests: Mapping[str, Where] = NO_TESTS,
    strict: bool = True,
    labels: Mapping[str, str] = NO_LABELS,
    splits: Mapping[str, RowTest] = NO_SPLITS,
) -> UnitTable:
    """Build `table_<source>` with the columns `props` (alias -> property or raw column name), the truth of `tests`, and
    `labels` (alias -> property) and `splits` (alias -> test) as names of groups."""
    if raw.rows == 0 and strict:
        raise data_error(
            "E501", f"source {source.name}: {raw.files.what} holds no rows", "Export it again.", source.place
        )
    with reading(engine, raw.files.what):
        return _read_unit_table(engine, source, raw, unit, props, tests, strict, labels, splits)


def _read_unit_table(
    engine: Engine,
    source: Source,
    raw: Raw,
    unit: str,
    props: dict[str, str],
    tests: Mapping[str, Where],
    strict: bool,
    labels: Mapping[str, str],
    splits: Mapping[str, RowTest],
) -> UnitTable:
    table = f"table_{source.name}"
    columns = ""
    for alias, prop in props.items():
        declared = source.property(prop)
        columns += f", {property_sql(declared, raw) if declared is not None else raw.number(prop)} AS {name(alias)}"
    for alias, prop in labels.items():
        named = source.property(prop)
        assert named is not None  # segments are declared properties
        columns += f", {label_sql(named, raw)} AS {name(alias)}"
    for alias, test in splits.items():
        # Of a unit without the property nothing is known, unless that is what is asked.
        unknown = where_sql(RowTest(test.prop, "missing"), source, raw) if test.operator != "missing" else "FALSE"
        told = f"CASE WHEN {where_sql(test, source, raw)} THEN {text(YES)} ELSE {text(NO)} END"
        columns += f", CASE WHEN NOT coalesce({unknown}, FALSE) THEN {told} END AS {name(alias)}"
    columns += "".join(f", {where_sql(where, source, raw)} AS {name(alias)}" for alias, where in tests.items())
    uid = unit_sql(source, unit, raw)
    kept = kept_sql(source, raw)
    engine.sql(
        f"CREATE OR REPLACE TEMP TABLE {name(table)} AS SELECT DISTINCT * FROM (SELECT {uid} AS uid{columns} FROM {name(raw.table)} WHERE {kept}) WHERE uid IS NOT NULL"
    )
    without, ignored = engine.one(
        f"SELECT count(*) FILTER ({uid} IS NULL), count(*) FILTER ({uid} IS NOT NULL AND NOT {kept}) FROM {name(raw.table)}"
    )
    doubles = engine.one(f"SELECT count(*) FROM (SELECT uid FROM {name(table)} GROUP BY uid HAVING count(*) > 1)")[0]
    if doubles:
        have = "1 unit has" if doubles == 1 else f"{doubles:,} units have"
        raise data_error(
            "E511",
            f"source {source.name}: {have} several rows that contradict each other in {raw.files.what}",
            "Such a source has one row per unit.",
            source.place,
        )
    unassigned = engine.one(
        f"SELECT count(*) FROM {name(raw.table)} r WHERE {uid} IS NOT NULL AND {kept} AND {uid} NOT IN (SELECT uid FROM {TABLE})"
    )[0]
    units = engine.one(f"SELECT count(*) FROM {TABLE}")[0]
    if strict and units and unassigned and unassigned == raw.rows - raw.unparsable - without - ignored:
        raise no_match(engine, source, raw, uid)
    if strict:
        ids_fit(engine, source, raw, uid)
    every = ", ".join(name(a) for a in (*props, *labels, *splits, *tests))
    digest = engine.one(
        f"SELECT sum(CAST(hash(uid{', ' + every if every else ''}) AS HUGEINT)) % 18446744073709551616 FROM {name(table)}"
    )[0]
    return UnitTable(
        source.name, table, raw.rows, raw.unparsable, without, ignored, unassigned, f"{int(digest or 0):016x}"
    )


def unreadable_numbers(engine: Engine, source: Source, raw: Raw, prop: str) -> int:
    """How many values of a numeric column are there but are no numbers. Raises UserError when there are any."""
    declared = source.property(prop)
    path = declared.path if declared is not None else prop
    bad = raw.unreadable(path)
    with reading(engine, raw.files.what):
        count, values, example = engine.one(
            f"SELECT count(*) FILTER ({bad}), count({raw.text(path)}), min({raw.text(path)}) FILTER ({bad}) FROM {name(raw.table)}"
        )
    if count:
        raise not_numbers(source, raw, path, int(count), int(values), str(example))
    return 0


def exclude(engine: Engine, source: Source, raw: Raw, unit: str, only: Where | None, leave_out: Where | None) -> None:
    """Mark units outside the population. A unit without attributes fails `only` and is not caught by `exclude`."""
    with reading(engine, raw.files.what):
        uid = unit_sql(source, unit, raw)
        if only is not None:
            inside = f"SELECT {uid} FROM {name(raw.table)} WHERE {uid} IS NOT NULL AND {kept_sql(source, raw)} AND {where_sql(only, source, raw)}"
            engine.sql(f"UPDATE {TABLE} SET status = {EXCLUDED} WHERE status = {USED} AND uid NOT IN ({inside})")
        if leave_out is not None:
            outside = (
                f"SELECT {uid} FROM {name(raw.table)} WHERE {uid} IS NOT NULL AND {where_sql(leave_out, source, raw)}"
            )
            engine.sql(f"UPDATE {TABLE} SET status = {EXCLUDED} WHERE status = {USED} AND uid IN ({outside})")
