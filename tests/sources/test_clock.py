"""How the time of a source is found out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from abtest.language.model import Source, TimeColumn
from abtest.problems import UserError
from abtest.sources.clock import clock_of
from abtest.sources.engine import Engine, open_engine, text
from abtest.sources.files import Files
from abtest.sources.read import Raw


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    opened = open_engine(tmp_path_factory.mktemp("data"), threads=1)
    yield opened
    opened.close()


def read(
    engine: Engine, values: list[str | None], time: TimeColumn, kind: str = "VARCHAR", zone: str | None = None
) -> list[Any]:
    """(instant, day) of each value in a column of this SQL type; the last entry is how many had no zone."""
    listed = ", ".join(f"({i}, CAST({'NULL' if v is None else text(v)} AS {kind}))" for i, v in enumerate(values))
    engine.sql(f"CREATE OR REPLACE TEMP TABLE raw_s AS SELECT * FROM (VALUES {listed}) AS v(i, c0)")
    raw = Raw("raw_s", {"t": "c0"}, {"t": kind}, len(values), 0, None, Files("s", "csv", (Path("s.csv"),), ("s.csv",)))
    source = Source("s", "events", ("s.csv",), (), time=time, timezone=zone)
    clock = clock_of(engine, source, raw, "Europe/Madrid")
    inner = f"SELECT i, {clock.instant} AS instant, {clock.day if clock.date_only else 'NULL'} AS given FROM raw_s"
    day = "given" if clock.date_only else clock.day
    return [*engine.rows(f"SELECT instant, {day} FROM ({inner}) ORDER BY i"), clock.without_zone]


def both(moment: str, day: str | None = None) -> tuple[int, int]:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    local = date.fromisoformat(day or moment[:10])
    return int(at.timestamp()) * 1_000_000, (local - date(1970, 1, 1)).days


NIGHT = both("2026-03-05T23:30:00", "2026-03-06")  # after midnight in Madrid


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-05T23:30:00Z", "2026-03-05 23:30:00+00", "2026-03-05 23:30:00 +0000", "2026-03-06T01:30:00+02:00",
        "2026-03-05 18:30:00 -0500", "2026-03-05 23:30:00 UTC", "1772753400", "1772753400000", "1772753400000000",
        "1772753400000000000", "1772753400.0", "1.7727534E9", " 2026-03-05T23:30:00Z ",
    ],
)  # fmt: skip
def test_one_instant_written_in_many_ways(engine: Engine, value: str) -> None:
    assert read(engine, [value, None], TimeColumn("t")) == [NIGHT, (None, None), 0]


@pytest.mark.parametrize("kind", ["BIGINT", "DOUBLE", "DECIMAL(20, 3)", "UBIGINT"])
def test_epoch_numbers_of_any_type(engine: Engine, kind: str) -> None:
    assert read(engine, ["1772753400000", None], TimeColumn("t"), kind) == [NIGHT, (None, None), 0]


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_S", "TIMESTAMP WITH TIME ZONE"])
def test_timestamps_are_utc_unless_a_zone_is_declared(engine: Engine, kind: str) -> None:
    assert read(engine, ["2026-03-05 23:30:00"], TimeColumn("t"), kind)[0] == NIGHT


def test_a_declared_zone(engine: Engine) -> None:
    for kind in ("VARCHAR", "TIMESTAMP"):
        assert read(engine, ["2026-03-06 00:30:00"], TimeColumn("t"), kind, "Europe/Madrid") == [NIGHT, 0]


def test_text_without_a_zone_is_local_and_counted(engine: Engine) -> None:
    assert read(engine, ["2026-03-06 00:30:00", "2026-03-05T23:30:00Z"], TimeColumn("t")) == [NIGHT, NIGHT, 1]


def test_dates_have_no_instant(engine: Engine) -> None:
    day = both("2026-03-05")[1]
    for kind in ("VARCHAR", "DATE"):
        assert read(engine, ["2026-03-05", None], TimeColumn("t"), kind) == [(None, day), (None, None), 0]
    assert read(engine, ["4", "4.0", "4.5", "x", "-1"], TimeColumn("t", "day number", date(2026, 3, 2))) == [
        (None, day), (None, day), (None, None), (None, None), (None, day - 5), 0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        "1970-01-01T00:00:00Z", "1989-12-31T23:59:59Z", "2200-01-02T00:00:00Z", "infinity",
        "2026-02-30T10:00:00Z", "2026-03-05 10:00:00 PM", "2026-03-05 10:00:00 Europe/Madrid", "?",
    ],
)  # fmt: skip
def test_times_that_are_set_aside(engine: Engine, value: str) -> None:
    assert read(engine, ["2026-03-05T23:30:00Z", value], TimeColumn("t"))[:2] == [NIGHT, (None, None)]


def test_a_declared_unit_sets_the_others_aside(engine: Engine) -> None:
    assert read(engine, ["1772753400", "1772753400000"], TimeColumn("t", "epoch ms"))[:2] == [(None, None), NIGHT]


@pytest.mark.parametrize(
    "values",
    [
        ["1772753400", "1772753400000"],
        ["1772753400000", "1772753400000000"],
        ["1772753400000", "1772753400000", "2026-03-05T23:30:00Z"],
    ],
)
def test_mixed_units_are_never_guessed(engine: Engine, values: list[str]) -> None:
    with pytest.raises(UserError, match=r"E507 source s: the times in \"t\" of s.csv are in mixed units"):
        read(engine, values, TimeColumn("t"))
