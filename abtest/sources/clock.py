"""The time column of a source to two numbers per row: an instant (µs UTC) and a local date (days since 1970)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from abtest.language.model import Source
from abtest.problems import data_error, quoted
from abtest.sources.engine import Engine, name
from abtest.sources.read import Raw, type_is
from abtest.sources.times import DAY, EARLIEST, LATEST, day_sql, instant_sql

_ZONE = r"(?i)\d{2}:\d{2}.*([+-]\d{2}(:?\d{2})?|z|utc)$"
_EPOCHS = {"epoch s": 1_000_000, "epoch ms": 1_000, "epoch us": 1}
_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "text": "written dates"}


@dataclass(frozen=True)
class Clock:
    """SQL of a source's time. With `date_only`, `instant` is NULL for every row and only `day` counts."""

    instant: str
    day: str
    date_only: bool
    zone: str
    without_zone: int = 0


def clock_of(engine: Engine, source: Source, raw: Raw, zone: str) -> Clock:
    """How to read the time of this source. Raises UserError when one file mixes units of time."""
    assert source.time is not None
    path, how = source.time.path, source.time.format
    column = name(raw.columns[path])
    own_zone = source.timezone or zone
    if how == "day number":
        assert source.time.day_1 is not None
        first = (source.time.day_1 - date(1970, 1, 1)).days
        number = f"TRY_CAST({column} AS DOUBLE)"
        whole = f"(CASE WHEN {number} = floor({number}) AND abs({number}) < 100000 THEN CAST({number} AS INTEGER) END)"
        return Clock("CAST(NULL AS BIGINT)", f"({whole} + {first - 1})", True, own_zone)
    if type_is(raw, path, "DATE"):
        return Clock("CAST(NULL AS BIGINT)", f"date_diff('day', DATE '1970-01-01', {column})", True, own_zone)
    if type_is(raw, path, "TIMESTAMP WITH TIME ZONE"):
        return _timed(f"epoch_us({column})", own_zone, zone)
    if type_is(raw, path, "TIMESTAMP"):
        wall = f"epoch_us(CAST({column} AS TIMESTAMP))"
        return _timed(instant_sql(wall, own_zone) if source.timezone else wall, own_zone, zone)
    if how in _EPOCHS:
        return _timed(_epoch(column, _EPOCHS[how]), own_zone, zone)
    if not type_is(raw, path, "VARCHAR"):
        return _epoch_auto(engine, source, raw, column, own_zone, zone)
    trimmed = f"trim({column})"
    if how == "date":
        return Clock("CAST(NULL AS BIGINT)", _date_sql(trimmed), True, own_zone)
    numeric = f"regexp_full_match({trimmed}, '-?[0-9]+([.][0-9]+)?([eE][+]?[0-9]+)?')"
    dates, numbers, zoned, local = engine.one(
        f"SELECT count(*) FILTER (length(t) <= 10 AND TRY_CAST(t AS DATE) IS NOT NULL), count(*) FILTER ({numeric.replace(trimmed, 't')}), "
        f"count(*) FILTER (regexp_matches(t, '{_ZONE}')), "
        f"count(*) FILTER (length(t) > 10 AND NOT regexp_matches(t, '{_ZONE}') AND TRY_CAST(t AS TIMESTAMP) IS NOT NULL) "
        f"FROM (SELECT {trimmed} AS t FROM {name(raw.table)})"
    )
    if how in ("auto", "epoch auto") and numbers and numbers >= max(dates, zoned, local):
        if (dates or zoned or local) and how == "auto":
            raise _mixed(source, raw, {"epoch numbers": numbers, "written times": dates + zoned + local})
        return _epoch_auto(engine, source, raw, column, own_zone, zone)
    if dates and not zoned and not local:
        return Clock("CAST(NULL AS BIGINT)", _date_sql(trimmed), True, own_zone)
    if numbers and how == "auto" and numbers > 0.01 * (numbers + dates + zoned + local):
        raise _mixed(source, raw, {"epoch numbers": numbers, "written times": dates + zoned + local})
    written = f"CASE WHEN regexp_matches({trimmed}, '{_ZONE}') THEN epoch_us(TRY_CAST({trimmed} AS TIMESTAMPTZ)) ELSE {instant_sql(f'epoch_us(TRY_CAST({trimmed} AS TIMESTAMP))', own_zone)} END"
    clock = _timed(written, own_zone, zone)
    return Clock(clock.instant, clock.day, False, own_zone, 0 if source.timezone else local + dates)


def _date_sql(value: str) -> str:
    day = f"date_diff('day', DATE '1970-01-01', TRY_CAST({value} AS DATE))"
    return f"(CASE WHEN {day} BETWEEN {EARLIEST // DAY} AND {LATEST // DAY} THEN CAST({day} AS INTEGER) END)"


def _timed(instant: str, own_zone: str, zone: str) -> Clock:
    sane = f"(CASE WHEN ({instant}) BETWEEN {EARLIEST} AND {LATEST} THEN CAST(({instant}) AS BIGINT) END)"
    return Clock(sane, day_sql("instant", zone), False, own_zone)


def _epoch(column: str, factor: int) -> str:
    return f"CAST(round(TRY_CAST({column} AS DECIMAL(30, 6)) * {factor}) AS HUGEINT)"


def _epoch_auto(engine: Engine, source: Source, raw: Raw, column: str, own_zone: str, zone: str) -> Clock:
    """Epoch numbers by magnitude; one file has one unit, otherwise somebody must say which."""
    value = f"TRY_CAST({column} AS DOUBLE)"
    seconds, millis, micros = engine.one(
        f"SELECT count(*) FILTER (v >= 9e8 AND v < 1e11), count(*) FILTER (v >= 9e11 AND v < 1e14), count(*) FILTER (v >= 9e14 AND v < 1e17) "
        f"FROM (SELECT {value} AS v FROM {name(raw.table)})"
    )
    seen = {k: v for k, v in (("s", seconds), ("ms", millis), ("us", micros)) if v}
    if len(seen) > 1:
        raise _mixed(source, raw, {_NAMES[k]: v for k, v in seen.items()})
    unit = next(iter(seen), "s")
    return _timed(_epoch(column, _EPOCHS[f"epoch {unit}"]), own_zone, zone)


def _mixed(source: Source, raw: Raw, seen: dict[str, int]) -> Exception:
    assert source.time is not None
    counts = ", ".join(
        f"{count:,} rows in {what}" for what, count in sorted(seen.items(), key=lambda kv: (-kv[1], kv[0]))
    )
    return data_error(
        "E507",
        f"source {source.name}: the times in {quoted(source.time.path)} of {raw.files.what} are in mixed units: {counts}",
        "Say which is right, and the others are set aside as bad times:  time: {from: …, as: epoch ms}",
        source.place,
    )
