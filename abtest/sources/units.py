"""Exposures to units: who saw which variant first, and who is left out and why.

The table `units` has one row per exposed unit: `uid` (text), `u` (dense integer in the order of uid), `variant`
(position in the experiment), `x` (instant of the first exposure, µs UTC), `x_day` (its local date), `status`.
Start every count from here: a unit without events is a zero, not an absence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from abtest.language.model import Experiment, Source
from abtest.language.read_sources import ROW_NUMBER
from abtest.language.suggest import nearest
from abtest.problems import data_error, quoted
from abtest.sources.clock import Clock, clock_of, unreadable
from abtest.sources.engine import Engine, name, printable, reading, text
from abtest.sources.read import Raw
from abtest.sources.rows import where_sql
from abtest.sources.stray import dense_end

USED, BEFORE_START, AFTER_ENROLMENT, MIXED, EXCLUDED, NO_CLUSTER = range(6)
STATUS_NAMES = {
    BEFORE_START: "before_start",
    AFTER_ENROLMENT: "after_enrolment",
    MIXED: "mixed",
    EXCLUDED: "excluded",
    NO_CLUSTER: "no_cluster",
}
TABLE = "units"
_EPOCH = date(1970, 1, 1)
_STRAY = ((365, 0.25),)
"""As for logs, but people may well enter late, so only clocks that are wrong by years count as stray."""


def day_number(day: date) -> int:
    return (day - _EPOCH).days


def unit_sql(source: Source, unit: str, raw: Raw) -> str:
    path = source.unit_path(unit)
    assert path is not None
    return "row_id" if path == ROW_NUMBER else raw.text(path)


@dataclass(frozen=True)
class Exposed:
    """What reading the exposures found: counts of rows by step, and of units by status and variant."""

    row_steps: tuple[tuple[str, int], ...]
    rows_by_variant: tuple[tuple[str, int], ...]
    units: tuple[tuple[int, int | None, int], ...]
    rows: int
    has_time: bool
    first: int | None
    last: int | None
    fingerprint: str
    notes: tuple[tuple[str, int], ...] = ()


def read_units(
    engine: Engine,
    source: Source,
    raw: Raw,
    experiment: Experiment,
    zone: str,
    last_day: int | None,
    every_variant: bool = True,
) -> Exposed:
    """Build the table `units`. `last_day` (from `as_of`) makes later exposures invisible.

    `every_variant`: a variant without units makes the data unusable. Raises UserError (exit 3).
    """
    with reading(engine, raw.files.what):
        return _read_units(engine, source, raw, experiment, zone, last_day, every_variant)


def _read_units(
    engine: Engine,
    source: Source,
    raw: Raw,
    experiment: Experiment,
    zone: str,
    last_day: int | None,
    every_variant: bool,
) -> Exposed:
    if raw.rows == 0:
        raise data_error(
            "E501",
            f"source {source.name.partition(' by ')[0]}: {raw.files.what} holds no rows",
            "Export it again.",
            source.place,
        )
    clock = (
        clock_of(engine, source, raw, zone)
        if source.time is not None
        else Clock("CAST(NULL AS BIGINT)", "CAST(NULL AS INTEGER)", True, zone)
    )
    _exposure_rows(engine, source, raw, experiment, clock)
    stray = _stray(engine) if source.time is not None else 0
    if every_variant:
        _known_variants(engine, source, raw, experiment)
    has_time = source.time is not None
    start = day_number(experiment.start) if experiment.start and has_time else None
    end = day_number(experiment.end) if experiment.end and has_time else None
    if last_day is not None and has_time:
        end = last_day if end is None else min(end, last_day)
    in_range = " AND ".join([f"day >= {start}"] * (start is not None) + [f"day <= {end}"] * (end is not None)) or "true"
    if source.kind == "outcomes":
        _one_row_per_unit(engine, source, raw)
    until = day_number(experiment.enroll_until) if experiment.enroll_until and has_time else None
    late = f"min(day) FILTER (good) > {until}" if until is not None else "false"
    early = (
        f"count(*) FILTER (variant IS NOT NULL AND day < {start}) > 0"
        if start is not None and source.variant is not None
        else "false"
    )
    mixed = "count(DISTINCT variant) FILTER (good) > 1" if experiment.mixed == "drop" else "false"
    engine.sql(
        f"CREATE OR REPLACE TEMP TABLE {TABLE} AS SELECT *, CAST(row_number() OVER (ORDER BY uid) AS INTEGER) AS u FROM ("
        f"SELECT uid, CAST(arg_min(variant, (instant, day, variant)) FILTER (good) AS TINYINT) AS variant, min(instant) FILTER (good) AS x, "
        f"CAST(min(day) FILTER (good) AS INTEGER) AS x_day, "
        f"CAST(CASE WHEN {early} THEN {BEFORE_START} WHEN {late} THEN {AFTER_ENROLMENT} WHEN {mixed} THEN {MIXED} ELSE {USED} END AS TINYINT) AS status "
        f"FROM (SELECT *, variant IS NOT NULL AND ({in_range}) AS good FROM exposure_rows WHERE step IS NULL) "
        f"GROUP BY uid HAVING count(*) FILTER (good) > 0 OR ({early}))"
    )
    if every_variant:
        _no_empty_variant(engine, experiment)
    return _summary(engine, experiment, raw, start, end, has_time, clock, stray)


def _exposure_rows(engine: Engine, source: Source, raw: Raw, experiment: Experiment, clock: Clock) -> None:
    uid = unit_sql(source, experiment.unit, raw)
    # A log that names no variants puts everyone into the only one (`analysis/history.py`).
    key = text(experiment.variants[0].key) if source.variant is None else raw.text(source.variant)
    number = " ".join(f"WHEN {text(v.key)} THEN {i}" for i, v in enumerate(experiment.variants))
    keep = [where_sql(w, source, raw) for w in (source.where, experiment.exposure_where) if w is not None]
    drop = [where_sql(w, source, raw) for _, w in source.ignore]
    wanted = " AND ".join([*keep, *(f"NOT {d}" for d in drop)]) or "true"
    flag = f"{raw.text(source.flag)} = {text(experiment.flag)}" if source.flag and experiment.flag else "true"
    bad_time = "day IS NULL" if source.time is not None else "false"
    day = clock.day if clock.date_only else "NULL"
    inner = f"SELECT {uid} AS uid, {key} AS key, {clock.instant} AS instant, {day} AS given_day, ({wanted}) AS wanted, coalesce({flag}, false) AS mine FROM {name(raw.table)}"
    outer = f"SELECT *, {'given_day' if clock.date_only else clock.day} AS day FROM ({inner})"
    engine.sql(
        "CREATE OR REPLACE TEMP TABLE exposure_rows AS SELECT uid, key, instant, CAST(day AS INTEGER) AS day, "
        f"CASE key {number} END AS variant, "
        f"CASE WHEN uid IS NULL THEN 'no_id' WHEN {bad_time} THEN 'bad_time' WHEN NOT wanted THEN 'ignored' WHEN NOT mine THEN 'other_flag' END AS step "
        f"FROM ({outer})"
    )


def _stray(engine: Engine) -> int:
    """Set exposures aside that a wrong clock dates years after all others; how many."""
    per_day = engine.rows("SELECT day, count(*) FROM exposure_rows WHERE step IS NULL GROUP BY 1 ORDER BY 1")
    if not per_day:
        return 0
    dense = dense_end([(int(d), int(n)) for d, n in per_day], _STRAY)
    count = sum(int(n) for d, n in per_day if d > dense)
    if count:
        engine.sql(f"UPDATE exposure_rows SET step = 'bad_time' WHERE step IS NULL AND day > {dense}")
    return count


def _known_variants(engine: Engine, source: Source, raw: Raw, experiment: Experiment) -> None:
    """Every declared key must appear; otherwise say which keys do."""
    left = engine.one("SELECT count(*), count(*) FILTER (step IS NULL) FROM exposure_rows")
    if left[1] == 0:
        steps = engine.rows("SELECT step, count(*) FROM exposure_rows GROUP BY 1 ORDER BY 2 DESC, 1")
        if steps and steps[0][0] == "other_flag" and source.flag:
            flags = engine.rows(
                f"SELECT coalesce({raw.text(source.flag)}, '(none)'), count(*) FROM {name(raw.table)} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 6"
            )
            near = nearest(experiment.flag or "", [f for f, _ in flags])
            seen = ", ".join(f"{printable(f, 60)} {n:,}" for f, n in flags)
            raise data_error(
                "E409",
                f"flag {quoted(experiment.flag)} never appears in source {source.name} (seen: {seen})",
                f"Did you mean {quoted(near)}?" if near else "",
                experiment.flag_place,
            )
        if steps and steps[0][0] == "bad_time" and steps[0][1] == left[0]:
            raise unreadable(engine, source, raw)
        why = ", ".join(f"{n:,} {_STEP_WORDS.get(s, s)}" for s, n in steps)
        raise data_error("E409", f"source {source.name} has no usable exposure: {why}", place=source.place)
    counts = dict(engine.rows("SELECT coalesce(key, ''), count(*) FROM exposure_rows WHERE step IS NULL GROUP BY 1"))
    for variant in experiment.variants:
        if variant.key in counts:
            continue
        ordered = sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))[:6]
        seen = ", ".join(f"{printable(k, 60) or '(empty)'} {n:,}" for k, n in ordered)
        near = nearest(variant.key, [k for k in counts if k not in {v.key for v in experiment.variants}])
        where = f"flag {experiment.flag}" if experiment.flag else f"source {source.name}"
        raise data_error(
            "E410",
            f"variant key {quoted(variant.key)} never appears in {where} (seen: {seen})",
            f"Did you mean {quoted(near)}?" if near else "",
            variant.place,
        )


_STEP_WORDS = {
    "no_id": "rows without an id",
    "bad_time": "rows with a bad time",
    "ignored": "ignored rows",
    "other_flag": "rows of other flags",
}


def _one_row_per_unit(engine: Engine, source: Source, raw: Raw) -> None:
    doubles, extra = engine.one(
        "SELECT count(*), coalesce(sum(n - 1), 0) FROM (SELECT uid, count(*) AS n FROM exposure_rows WHERE step IS NULL GROUP BY uid HAVING count(*) > 1)"
    )
    if doubles:
        have = "1 unit has" if doubles == 1 else f"{doubles:,} units have"
        raise data_error(
            "E511",
            f"source {source.name}: {have} more than one row in {raw.files.what} ({extra:,} {'row' if extra == 1 else 'rows'} too many)",
            "A source of outcomes has one row per unit; a log with many rows is  kind: events.",
            source.place,
        )


def _summary(
    engine: Engine,
    experiment: Experiment,
    raw: Raw,
    start: int | None,
    end: int | None,
    has_time: bool,
    clock: Clock,
    stray: int,
) -> Exposed:
    early = f"WHEN day < {start} THEN 'before_start' " if start is not None else ""
    late = f"WHEN day > {end} THEN 'after_end' " if end is not None else ""
    position = f"CASE WHEN variant IS NULL THEN 'unknown_variant' {early}{late}ELSE 'used' END"
    steps = dict(engine.rows(f"SELECT coalesce(step, {position}), count(*) FROM exposure_rows GROUP BY 1"))
    order = ("no_id", "bad_time", "ignored", "other_flag", "unknown_variant", "before_start", "after_end", "used")
    row_steps = (("unparsable", raw.unparsable), *((s, int(steps.get(s, 0))) for s in order))
    used = dict(
        engine.rows(
            f"SELECT variant, count(*) FROM exposure_rows WHERE step IS NULL AND variant IS NOT NULL AND {position} = 'used' GROUP BY 1"
        )
    )
    by_variant = tuple((v.id, int(used.get(i, 0))) for i, v in enumerate(experiment.variants))
    units = tuple(
        (int(s), None if v is None else int(v), int(n))
        for s, v, n in engine.rows(f"SELECT status, variant, count(*) FROM {TABLE} GROUP BY 1, 2 ORDER BY 1, 2")
    )
    first, last = engine.one("SELECT min(day), max(day) FROM exposure_rows WHERE step IS NULL")
    print_ = engine.one(
        "SELECT sum(CAST(hash(uid, key, instant, day, step) AS HUGEINT)) % 18446744073709551616 FROM exposure_rows"
    )[0]
    notes = tuple((k, n) for k, n in (("without_zone", clock.without_zone), ("stray_future", stray)) if n)
    return Exposed(row_steps, by_variant, units, raw.rows, has_time, first, last, f"{int(print_ or 0):016x}", notes)


def _no_empty_variant(engine: Engine, experiment: Experiment) -> None:
    units = engine.rows(f"SELECT status, variant, count(*) FROM {TABLE} GROUP BY 1, 2 ORDER BY 1, 2")
    for i, variant in enumerate(experiment.variants):
        if not any(s == USED and v == i for s, v, _ in units):
            lost = ", ".join(
                f"{n:,} {STATUS_NAMES[s].replace('_', ' ')}" for s, v, n in units if s != USED and (v == i or v is None)
            )
            raise data_error(
                "E410",
                f"variant {variant.id} has no units left{f' ({lost})' if lost else ''}",
                "Check the dates and the exposure log.",
                variant.place,
            )
