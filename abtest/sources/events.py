"""A log of events to the narrow table `rows_<source>`: one row per readable line, with what became of it.

Columns: `u` (unit, NULL when not exposed), `variant`, `d` (local date minus date of exposure), `day` (local date),
`step` (why the row does not count, NULL when it does), one flag `is_<event>` per event that a metric needs, one
number `p_<property>` per property. Units without rows are not here; they are in `units`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from abtest.language.model import Event, Source
from abtest.problems import data_error
from abtest.sources.clock import clock_of, unreadable
from abtest.sources.delimited import MAX_BROKEN_SHARE
from abtest.sources.engine import Engine, name, reading, text
from abtest.sources.ids import ids_fit, no_match
from abtest.sources.read import Raw
from abtest.sources.rows import kept_sql, not_numbers, property_sql, where_props, where_sql
from abtest.sources.stray import dense_end
from abtest.sources.units import MIXED, STATUS_NAMES, TABLE, unit_sql


@dataclass(frozen=True)
class Log:
    """A log as read. `last_complete` is the last whole local date (days since 1970), `first`, `last` the span."""

    source: str
    table: str
    rows: int
    unparsable: int
    last_complete: int
    first: int
    last: int
    date_only: bool
    fingerprint: str
    notes: tuple[tuple[str, int], ...]


def read_log(
    engine: Engine,
    source: Source,
    raw: Raw,
    unit: str,
    zone: str,
    events: Mapping[str, Event],
    props: set[str],
    last_day: int | None,
    detail: bool = False,
    strict: bool = True,
) -> Log:
    """Build `rows_<source>`. `detail` keeps the instant of each row too (for explanations of single units).

    Raises UserError (exit 3) when nothing in the log can be used.
    """
    with reading(engine, raw.files.what):
        return _read_log(engine, source, raw, unit, zone, events, props, last_day, detail, strict)


def _read_log(
    engine: Engine,
    source: Source,
    raw: Raw,
    unit: str,
    zone: str,
    events: Mapping[str, Event],
    props: set[str],
    last_day: int | None,
    detail: bool,
    strict: bool,
) -> Log:
    if raw.rows == 0:
        raise data_error(
            "E501", f"source {source.name}: {raw.files.what} holds no rows", "Export it again.", source.place
        )
    clock = clock_of(engine, source, raw, zone)
    table = f"rows_{source.name}"
    uid = unit_sql(source, unit, raw)
    given_day = clock.day if clock.date_only else "NULL"
    event_name = raw.text(source.event) if source.event is not None else text(source.event_constant or "")
    # The name of a row is compared once and becomes a number; each event is then a test on that number.
    codes = {n: i for i, n in enumerate(sorted({n for e in events.values() for n in e.names}))}
    code = (
        f"CASE {event_name} {' '.join(f'WHEN {text(n)} THEN {i}' for n, i in codes.items())} END" if codes else "NULL"
    )
    flags = {f"is_{n}": _event_sql(e, codes) for n, e in sorted(events.items())}
    tests = {f"w_{n}": where_sql(e.where, source, raw) for n, e in sorted(events.items()) if e.where is not None}
    numbers = {f"p_{p.name}": property_sql(p, raw) for p in source.properties if p.name in props}
    numeric = _numeric_paths(source, raw, events, props)
    extra = "".join(f", {sql} AS {name(alias)}" for alias, sql in {**tests, **numbers}.items())
    if numeric:
        named = "true" if any(not e.names for e in events.values()) else "code IS NOT NULL"
        extra += f", ({named} AND ({' OR '.join(raw.unreadable(p) for p in numeric)})) AS bad_number"
    keys = _dedupe_columns(source, raw, unit, uid, event_name)
    dedupe = "".join(f", {sql} AS dedupe_{i}" for i, sql in enumerate(keys))
    inner = f"SELECT {uid} AS uid, {clock.instant} AS instant, {given_day} AS given_day, {kept_sql(source, raw)} AS wanted, CAST({code} AS SMALLINT) AS code{extra}{dedupe} FROM {name(raw.table)}"
    day = "given_day" if clock.date_only else clock.day
    columns = "".join(f", {sql} AS {name(alias)}" for alias, sql in flags.items())
    columns += "".join(f", r.{name(c)}" for c in numbers) + (", r.instant" if detail else "")
    columns += ", r.bad_number" if numeric else ""
    repeated = "false"
    if keys:
        # "Keep first": by time, then by everything else, so that the order of the file does not matter.
        ties = "".join(f", {name(c)}" for c in ("code", *tests, *numbers))
        partition = ", ".join(f"dedupe_{i}" for i in range(len(keys)))
        known = " AND ".join(f"dedupe_{i} IS NOT NULL" for i in range(len(keys)))
        inner = f"SELECT *, ({known}) AND row_number() OVER (PARTITION BY {partition}, uid IS NULL OR NOT wanted OR coalesce(instant, given_day) IS NULL ORDER BY instant, given_day, uid{ties}) > 1 AS repeated FROM ({inner})"
        repeated = "r.repeated"
    is_any = (
        "r.code IS NOT NULL" if not tests and all(e.names for e in events.values()) else " OR ".join(flags.values())
    )
    before = "CASE WHEN r.instant IS NOT NULL AND k.x IS NOT NULL THEN r.instant < k.x ELSE r.day < k.x_day END"
    statuses = " ".join(f"WHEN k.status = {s} THEN {text(w)}" for s, w in STATUS_NAMES.items())
    engine.sql(
        f"CREATE OR REPLACE TEMP TABLE {name(table)} AS SELECT CASE WHEN k.status = 0 THEN k.u END AS u, CASE WHEN k.status <> {MIXED} THEN k.variant END AS variant, "
        f"CAST(r.day - k.x_day AS INTEGER) AS d, CAST(r.day AS INTEGER) AS day, "
        f"CASE WHEN r.uid IS NULL THEN 'no_id' WHEN r.day IS NULL THEN 'bad_time' WHEN NOT r.wanted THEN 'ignored' WHEN {repeated} THEN 'duplicate' "
        f"WHEN k.uid IS NULL THEN 'unassigned' {statuses} WHEN {before} THEN 'before_exposure' WHEN NOT ({is_any}) THEN 'no_event' END AS step, "
        f"hash(r.uid, r.instant, r.day{''.join(f', r.{name(c)}' for c in ('code', *tests, *numbers))}) AS print{columns} "
        f"FROM (SELECT *, {day} AS day FROM ({inner})) r LEFT JOIN {TABLE} k USING (uid)"
    )
    notes = [("without_zone", clock.without_zone)] if clock.without_zone else []
    notes += _bad_numbers(engine, source, raw, table, numeric)
    return _summary(engine, source, raw, table, uid, clock.date_only, notes, last_day, strict)


def _numeric_paths(source: Source, raw: Raw, events: Mapping[str, Event], props: set[str]) -> tuple[str, ...]:
    """Paths of text whose values are used as numbers."""
    tested = {p for e in events.values() for p in where_props(e.where)}
    found = (
        p.path for p in source.properties if p.name in props | tested and p.type in ("number", "money", "duration")
    )
    return tuple(path for path in dict.fromkeys(found) if path in raw.types and raw.types[path] == "VARCHAR")


def _bad_numbers(
    engine: Engine, source: Source, raw: Raw, table: str, numeric: tuple[str, ...]
) -> list[tuple[str, int]]:
    """A note of the rows whose number cannot be read. Raises UserError when no value of a property is a number."""
    if not numeric:
        return []
    any_, counted = engine.one(
        f"SELECT count(*) FILTER (bad_number), count(*) FILTER (bad_number AND coalesce(step, 'no_event') = 'no_event') FROM {name(table)}"
    )
    for path in numeric if any_ else ():
        bad, good, example = engine.one(
            f"SELECT count(*) FILTER ({raw.unreadable(path)}), count({raw.number(path)}), min({raw.text(path)}) FILTER ({raw.unreadable(path)}) FROM {name(raw.table)}"
        )
        # Such a value is missing and adds nothing to a sum: a few are a note, many are another format of number.
        if bad > MAX_BROKEN_SHARE * (bad + good):
            raise not_numbers(source, raw, path, bad, bad + good, example)
    return [("bad_number", int(counted))] if counted else []


def _event_sql(event: Event, codes: Mapping[str, int]) -> str:
    """Whether a row is this event: its name is one of the event's, and its `where` (column `w_<event>`) holds."""
    named = f"coalesce(r.code IN ({', '.join(str(codes[n]) for n in event.names)}), false)" if event.names else "true"
    return named if event.where is None else f"({named} AND r.{name('w_' + event.name)})"


def _dedupe_columns(source: Source, raw: Raw, unit: str, uid: str, event_name: str) -> list[str]:
    found = []
    for key in source.dedupe:
        if key == "id" and source.id is not None:
            found.append(raw.text(source.id))
        elif key == "event":
            found.append(event_name)
        elif key == "time" and source.time is not None:
            found.append(raw.text(source.time.path))
        elif key == unit or source.unit_path(key) is not None:
            found.append(uid if key == unit else raw.text(source.unit_path(key) or ""))
        elif key in ("variant", "flag"):
            found.append(raw.text((source.variant if key == "variant" else source.flag) or ""))
        else:
            prop = source.property(key)
            assert prop is not None
            found.append(raw.text(prop.path))
    return found


def _summary(
    engine: Engine,
    source: Source,
    raw: Raw,
    table: str,
    uid: str,
    date_only: bool,
    notes: list[tuple[str, int]],
    last_day: int | None,
    strict: bool,
) -> Log:
    per_day = [
        (int(d), int(n))
        for d, n in engine.rows(f"SELECT day, count(*) FROM {name(table)} WHERE day IS NOT NULL GROUP BY 1 ORDER BY 1")
    ]
    if not per_day:
        raise unreadable(engine, source, raw)
    dense = dense_end(per_day)
    stray = sum(n for d, n in per_day if d > dense)
    if stray:
        engine.sql(
            f"UPDATE {name(table)} SET step = 'bad_time' WHERE day > {dense} AND (step IS NULL OR step NOT IN ('no_id'))"
        )
        notes.append(("stray_future", stray))
    if source.complete_through is not None:
        from abtest.sources.units import day_number

        complete = day_number(source.complete_through)
    elif date_only:
        complete = dense - source.settle
    else:
        complete = dense - source.settle - 1
    if last_day is not None:
        complete = min(complete, last_day)
    if strict and engine.one(f"SELECT count(u) FROM {name(table)}")[0] == 0:
        # Rows of units that are left out for another reason are no sign of ids that do not fit.
        known = "count(*) FILTER (variant IS NOT NULL OR step = 'mixed')"
        unassigned, known = engine.one(f"SELECT count(*) FILTER (step = 'unassigned'), {known} FROM {name(table)}")
        if unassigned and not known:
            raise no_match(engine, source, raw, uid)
    if strict:
        ids_fit(engine, source, raw, uid)
    digest = engine.one(f"SELECT sum(CAST(print AS HUGEINT)) % 18446744073709551616 FROM {name(table)}")[0]
    return Log(
        source.name,
        table,
        raw.rows,
        raw.unparsable,
        complete,
        per_day[0][0],
        dense,
        date_only,
        f"{int(digest or 0):016x}",
        tuple(notes),
    )
