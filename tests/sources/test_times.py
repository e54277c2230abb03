"""The offset table against zoneinfo: the same instants and dates for any zone, gaps and folds included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abtest.sources.times import MICRO, day_sql, instant_sql, local_sql, offsets

ZONES = (
    "UTC", "Europe/Madrid", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe",
    "Asia/Tehran", "Africa/Casablanca", "Pacific/Apia", "America/Caracas", "Europe/Dublin", "Pacific/Chatham",
)  # fmt: skip
EPOCH = datetime(1970, 1, 1)
SPAN = (int(datetime(1990, 1, 2, tzinfo=UTC).timestamp()), int(datetime(2059, 12, 30, tzinfo=UTC).timestamp()))
engine = duckdb.connect()


def compute(sql: str, values: list[int]) -> list[int]:
    """The SQL for each value of `t`, in one query: the tables of some zones are long."""
    listed = ", ".join(f"({i}, CAST({value} AS BIGINT))" for i, value in enumerate(values))
    found = engine.execute(f"SELECT {sql} FROM (VALUES {listed}) AS v(i, t) ORDER BY i").fetchall()
    return [int(r[0]) for r in found]


def micros(wall: datetime) -> int:
    return (wall - EPOCH) // timedelta(microseconds=1)


def first_meaning(wall: datetime, zone: str) -> int:
    """The instant of a wall clock by the ruling: forward out of a gap, the first of a fold."""
    aware = wall.replace(tzinfo=ZoneInfo(zone), fold=0)
    return micros(aware.astimezone(UTC).replace(tzinfo=None))


def wall_at(instant: int, zone: str) -> datetime:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def day_of(wall: datetime) -> int:
    return (wall.date() - EPOCH.date()).days


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ZONES), st.lists(st.integers(SPAN[0] * MICRO, SPAN[1] * MICRO), min_size=1, max_size=50))
def test_local_clock_and_date_of_any_instant(zone: str, instants: list[int]) -> None:
    walls = [wall_at(i, zone) for i in instants]
    assert compute(local_sql("t", zone), instants) == [micros(w) for w in walls]
    assert compute(day_sql("t", zone), instants) == [day_of(w) for w in walls]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ZONES), st.lists(st.integers(*SPAN), min_size=1, max_size=50))
def test_instant_of_any_wall_clock(zone: str, seconds: list[int]) -> None:
    walls = [EPOCH + timedelta(seconds=s) for s in seconds]
    assert compute(instant_sql("t", zone), [micros(w) for w in walls]) == [first_meaning(w, zone) for w in walls]


@pytest.mark.parametrize("zone", ZONES)
def test_around_every_change_of_the_clocks(zone: str) -> None:
    shifts = (-7_200, -3_600, -1, 0, 1, 1_800, 3_599, 3_600, 7_200)
    instants = [at + s * MICRO for at, _ in offsets(zone)[1:] for s in shifts] or [0]
    walls = [wall_at(i, zone) for i in instants]
    assert compute(local_sql("t", zone), instants) == [micros(w) for w in walls]
    others = [w + timedelta(seconds=s) for w in walls for s in (0, 1_800, 3_600)]
    assert compute(instant_sql("t", zone), [micros(w) for w in others]) == [first_meaning(w, zone) for w in others]


def test_gap_and_fold_by_hand() -> None:
    gap = datetime(2026, 3, 29, 2, 30)  # Madrid jumps from 2:00 to 3:00
    assert compute(instant_sql("t", "Europe/Madrid"), [micros(gap)]) == [micros(datetime(2026, 3, 29, 1, 30))]
    fold = datetime(2026, 10, 25, 2, 30)  # Madrid has 2:30 twice
    assert compute(instant_sql("t", "Europe/Madrid"), [micros(fold)]) == [micros(datetime(2026, 10, 25, 0, 30))]


def test_a_day_that_does_not_exist() -> None:
    """Samoa left out 30 December 2011."""
    before = micros(datetime(2011, 12, 30, 9, 59, 59))
    days = compute(day_sql("t", "Pacific/Apia"), [before, before + MICRO])
    assert days == [day_of(datetime(2011, 12, 29)), day_of(datetime(2011, 12, 31))]
