"""A log of events to the narrow table `rows_<source>` (its columns: `event_rows.py`), and what was found on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from abtest.language.model import Event, Source
from abtest.problems import data_error
from abtest.sources.clock import clock_of, unreadable
from abtest.sources.delimited import MAX_BROKEN_SHARE
from abtest.sources.engine import Engine, name, reading
from abtest.sources.event_rows import Needs, Rows
from abtest.sources.ids import ids_fit, no_match
from abtest.sources.read import Raw
from abtest.sources.rows import not_numbers, where_props
from abtest.sources.stray import dense_end
from abtest.sources.surveys import check_scale
from abtest.sources.units import unit_sql


@dataclass(frozen=True)
class Log:
    """A log as read. `last_complete` is the last whole local date (days since 1970), `first`, `last` the span,
    `per_day` the rows of each date."""

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
    per_day: tuple[tuple[int, int], ...] = ()


def read_log(
    engine: Engine,
    source: Source,
    raw: Raw,
    unit: str,
    zone: str,
    needs: Needs,
    last_day: int | None,
    strict: bool = True,
) -> Log:
    """Build `rows_<source>`. Raises UserError (exit 3) when nothing in the log can be used."""
    with reading(engine, raw.files.what):
        return _read_log(engine, source, raw, unit, zone, needs, last_day, strict)


def _read_log(
    engine: Engine,
    source: Source,
    raw: Raw,
    unit: str,
    zone: str,
    needs: Needs,
    last_day: int | None,
    strict: bool,
) -> Log:
    if raw.rows == 0 and source.kind != "answers":
        raise data_error(
            "E501", f"source {source.name}: {raw.files.what} holds no rows", "Export it again.", source.place
        )
    clock = clock_of(engine, source, raw, zone)
    if clock.date_only and (needs.sessions and source.session is None):
        raise data_error(
            "E516",
            f"source {source.name} has dates only, so its sessions cannot be told apart",
            "Map them:  columns: {session: COLUMN}",
            source.place,
        )
    table = f"rows_{source.name}"
    uid = unit_sql(source, unit, raw)
    events, props = needs.events, set(needs.props)
    surveys = [e.survey for e in events.values() if e.survey is not None]
    numeric = _numeric_paths(source, raw, events, props)
    engine.sql(
        f"CREATE OR REPLACE TEMP TABLE {name(table)} AS "
        + Rows(source, raw, clock, unit, uid, zone, needs, tuple(surveys), numeric).sql()
    )
    notes = [("without_zone", clock.without_zone)] if clock.without_zone else []
    notes += _bad_numbers(engine, source, raw, table, numeric)
    outside = sum(check_scale(engine, survey, source, raw) for survey in surveys)
    notes += [("outside_scale", outside)] if outside else []
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
    if not per_day and source.kind == "answers":
        return Log(source.name, table, raw.rows, raw.unparsable, 0, 0, 0, date_only, "0" * 16, tuple(notes))
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
        tuple(per_day),
    )
