"""The time column of a source to two numbers per row: an instant (µs UTC) and a local date (days since 1970)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from abtest.language.model import Source
from abtest.problems import UserError, data_error, quoted
from abtest.sources.engine import Engine, name
from abtest.sources.read import Raw, type_is
from abtest.sources.times import DAY, EARLIEST, FIRST_YEAR, LAST_READ, LATEST, day_sql, instant_sql

_ZONE = r"(?i)\d{2}:\d{2}.*([+-]\d{2}(:?\d{2})?|z|utc)$"
_ODD_WORDS = r"[A-Za-z]{2,}|/|\["
"""Zones by name, AM and PM: the engine would read such a time and silently leave the word out."""
_EPOCHS = {"epoch s": 1_000_000, "epoch ms": 1_000, "epoch us": 1}
_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


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
    numeric = "regexp_full_match(t, '-?[0-9]+([.][0-9]+)?([eE][+]?[0-9]+)?')"
    has_zone = f"regexp_matches(t, '{_ZONE}')"
    dates, numbers, zoned, local, spaced, odd = engine.one(
        f"SELECT count(*) FILTER (length(t) <= 10 AND TRY_CAST(t AS DATE) IS NOT NULL), count(*) FILTER ({numeric}), "
        f"count(*) FILTER ({has_zone}), count(*) FILTER (length(t) > 10 AND NOT {has_zone} AND TRY_CAST(t AS TIMESTAMP) IS NOT NULL), "
        "count(*) FILTER (contains(t, ' +') OR contains(t, ' -')), "
        "count(*) FILTER (contains(t, '/') OR contains(t, '[') OR ends_with(t, 'M') OR ends_with(t, 'm') OR ends_with(t, 'T')) "
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
    # "2026-03-05 10:00:00 +0000": the engine wants no blank before the zone.
    joined = f"regexp_replace({trimmed}, ' ([+-])', '\\1')" if spaced else trimmed
    unknown = f" WHEN regexp_matches({trimmed}, '{_ODD_WORDS}') THEN NULL" if odd else ""
    written = (
        f"CASE WHEN regexp_matches({trimmed}, '{_ZONE}') THEN epoch_us(TRY_CAST({joined} AS TIMESTAMPTZ)){unknown} "
        f"ELSE {instant_sql(f'epoch_us(TRY_CAST({trimmed} AS TIMESTAMP))', own_zone)} END"
    )
    clock = _timed(written, own_zone, zone)
    return Clock(clock.instant, clock.day, False, own_zone, 0 if source.timezone else local + dates)


def _date_sql(value: str) -> str:
    day = f"date_diff('day', DATE '1970-01-01', TRY_CAST({value} AS DATE))"
    return f"(CASE WHEN {day} BETWEEN {EARLIEST // DAY} AND {LATEST // DAY} THEN CAST({day} AS INTEGER) END)"


def _timed(instant: str, own_zone: str, zone: str) -> Clock:
    sane = f"(CASE WHEN ({instant}) BETWEEN {EARLIEST} AND {LATEST} THEN CAST(({instant}) AS BIGINT) END)"
    return Clock(sane, day_sql("instant", zone), False, own_zone)


def _epoch(column: str, factor: int) -> str:
    """`factor` 0 means nanoseconds, which are finer than what is kept."""
    if factor == 0:
        return f"CAST(TRY_CAST({column} AS DECIMAL(30, 6)) AS HUGEINT) // 1000"
    return f"CAST(round(TRY_CAST({column} AS DECIMAL(30, 6)) * {factor}) AS HUGEINT)"


def _epoch_auto(engine: Engine, source: Source, raw: Raw, column: str, own_zone: str, zone: str) -> Clock:
    """Epoch numbers by magnitude; one file has one unit, otherwise somebody must say which."""
    value = f"TRY_CAST({column} AS DOUBLE)"
    ranges = {"s": "9e8 AND v < 1e11", "ms": "9e11 AND v < 1e14", "us": "9e14 AND v < 1e17", "ns": "9e17 AND v < 1e20"}
    counts = engine.one(
        f"SELECT {', '.join(f'count(*) FILTER (v >= {r})' for r in ranges.values())} FROM (SELECT {value} AS v FROM {name(raw.table)})"
    )
    seen = {k: int(v) for k, v in zip(ranges, counts, strict=True) if v}
    if len(seen) > 1:
        raise _mixed(source, raw, {_NAMES[k]: v for k, v in seen.items()})
    unit = next(iter(seen), "s")
    return _timed(_epoch(column, _EPOCHS.get(f"epoch {unit}", 0)), own_zone, zone)


def _mixed(source: Source, raw: Raw, seen: dict[str, int]) -> UserError:
    assert source.time is not None
    ordered = sorted(seen.items(), key=lambda kv: (-kv[1], kv[0]))
    counts = ", ".join(f"{count:,} {'row' if count == 1 else 'rows'} in {what}" for what, count in ordered)
    how = next((k for k, v in _FORMAT_WORDS.items() if v == ordered[0][0]), "epoch auto")
    return data_error(
        "E507",
        f"source {source.name}: the times in {quoted(source.time.path)} of {raw.files.what} are in mixed units: {counts}",
        f"Say which is right, and the others are set aside as bad times:  time: {{from: {source.time.path}, as: {how}}}",
        source.place,
    )


_FORMAT_WORDS = {
    "epoch s": "seconds", "epoch ms": "milliseconds", "epoch us": "microseconds", "iso": "written times",
}  # fmt: skip


def unreadable(engine: Engine, source: Source, raw: Raw) -> UserError:
    """No row has a time: an example of what stands there, and what would be read."""
    assert source.time is not None
    path, how = source.time.path, source.time.format
    example = engine.one(f"SELECT min({raw.text(path)}) FROM {name(raw.table)}")[0]
    message = f"source {source.name}: no row of {raw.files.what} has a time in {quoted(path)} that can be read"
    if example is None:
        return data_error("E510", f"{message}: it is always empty", "", source.place)
    return data_error(
        "E510", f"{message}, such as {quoted(example)}", _time_hint(path, how, str(example)), source.place
    )


def _time_hint(path: str, how: str, example: str) -> str:
    number = re.fullmatch(r"(\d+)(\.\d+)?", example)
    digits = len(number[1]) if number else 0
    unit = {10: "epoch s", 13: "epoch ms", 16: "epoch us"}.get(digits)
    if unit is not None and how != unit:
        return f"Such numbers look like  time: {{from: {path}, as: {unit}}}"
    if how.startswith("epoch") or how == "day number":
        return f"It is declared as {how}; without  as:  the format is found by itself."
    if re.match(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}", example):
        return "Dates are read year first, 2026-03-05: a day and a month that are mixed up cannot be noticed."
    year = re.match(r"(\d{4})-", example)
    if year and not FIRST_YEAR <= int(year[1]) <= LAST_READ:
        return f"Years from {FIRST_YEAR} to {LAST_READ} are read; others are taken for faults of the export."
    return "Times are read as 2026-03-05 14:30:00, with or without a zone such as +01:00, or as epoch numbers."
