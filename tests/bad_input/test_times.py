"""Times: everything that is read, and what is said about the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.bad_input.small import APP, LIKES, Small, at, ledger, moment, totals

READ = "Times are read as 2026-03-05 14:30:00, with or without a zone such as +01:00, or as epoch numbers."


def _times(small: Small, write: Callable[[datetime], str], table: str = "app") -> Small:
    rows, column = (small.app, 1) if table == "app" else (small.flags, 3)
    for row in rows:
        row[column] = write(moment(row[column]))
    return small


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%dT%H:%M:%S+00:00", "%Y-%m-%dT%H:%M:%S+0000", "%Y-%m-%d %H:%M:%S+00", "%Y-%m-%d %H:%M:%S +0000",
        "%Y-%m-%d %H:%M:%S.000 +00:00", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%dT%H:%M:%S.123456789Z", "%Y-%m-%dT%H:%MZ",
    ],
)  # fmt: skip
def test_written_times_with_a_zone(small: Small, form: str) -> None:
    assert ledger(_times(small, lambda t: t.strftime(form)).same(), "app") == APP


def test_offsets_are_heeded(small: Small) -> None:
    _times(small, lambda t: (t + timedelta(hours=5, minutes=30)).strftime("%Y-%m-%d %H:%M:%S +0530"))
    assert ledger(small.same(), "app") == APP


def test_times_without_a_zone_are_noted(small: Small) -> None:
    _times(small, lambda t: t.strftime("%Y-%m-%d %H:%M:%S"))
    assert ledger(small.same(), "app") == {**APP, "(without_zone)": 325}


def test_times_without_a_zone_are_local_times(small: Small) -> None:
    """Madrid is an hour ahead: events at the minute of exposure now stand before it."""
    _times(small.yaml("timezone: UTC", "timezone: Europe/Madrid"), lambda t: t.strftime("%Y-%m-%d %H:%M:%S"))
    assert ledger(small.works(), "app") == {
        "read": 325, "before_exposure": 2, "after_window": 93, "used": 230, "(without_zone)": 325,
    }  # fmt: skip


def test_a_declared_zone_needs_no_note(small: Small) -> None:
    small.yaml("dedupe: id, keep first", "dedupe: id, keep first\n    timezone: Europe/Madrid")
    _times(small, lambda t: (t + timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S"))
    assert ledger(small.same(), "app") == APP


@pytest.mark.parametrize(
    "factor", [1, 1_000, 1_000_000, 1_000_000_000], ids=["seconds", "milliseconds", "microseconds", "nanoseconds"]
)
@pytest.mark.parametrize("form", ["{:d}", "{:.12E}"])
def test_epoch_numbers_by_magnitude(small: Small, factor: int, form: str) -> None:
    assert ledger(_times(small, lambda t: form.format(int(t.timestamp()) * factor)).same(), "app") == APP


def test_fractions_of_seconds(small: Small) -> None:
    assert ledger(_times(small, lambda t: f"{t.timestamp():.3f}").same(), "app") == APP


def test_dates_and_day_numbers(small: Small) -> None:
    dated = _times(small, lambda t: t.strftime("%Y-%m-%d")).same()
    assert ledger(dated, "app") == APP
    small.yaml("time: at, id", "time: {from: at, as: day number, day_1: 2026-03-02}, id")
    first = moment("2026-03-02T00:00:00Z")
    _times(small, lambda t: str((t.replace(tzinfo=first.tzinfo) - first).days + 1)).put("app.csv", small.text("app"))
    assert totals(small.same(), "likes") == totals(dated, "likes") == LIKES


def test_day_numbers_are_whole(small: Small) -> None:
    small.yaml("time: at, id", "time: {from: at, as: day number, day_1: 2026-03-02}, id")
    for i, row in enumerate(small.app):
        row[1] = f"{moment(row[1]).day - 1}{'.5' if i % 10 == 0 else '.0'}"
    assert ledger(small.works(), "app")["bad_time"] == 33


@pytest.mark.parametrize("share", [1, 30], ids=["one", "a tenth"])
def test_the_year_2099_is_set_aside_and_does_not_move_the_end(small: Small, share: int) -> None:
    healthy = small.same()["experiment"]["data_through"]
    for row in small.app[:share]:
        row[1] = "2099-01-01T00:00:00Z"
    small.put("app.csv", small.text("app"))
    result = small.works()
    assert result["experiment"]["data_through"] == healthy == "2026-03-15"
    assert {k: v for k, v in ledger(result, "app").items() if "_" in k and k != "after_window"} == {
        "bad_time": share,
        "(stray_future)": share,
    }


def test_exposures_in_2099_are_set_aside(small: Small) -> None:
    small.flags[5][3] = "2099-01-01T00:00:00Z"
    small.yaml("dates: {start: 2026-03-02, end: 2026-03-15}\n", "")
    result = small.works()
    assert ledger(result, "flags") == {"read": 40, "bad_time": 1, "used": 39, "(stray_future)": 1}
    assert result["experiment"]["fully_mature_on"] is None


def test_times_before_1990_are_bad_times(small: Small) -> None:
    for row in small.app[:3]:
        row[1] = "1970-01-01T00:00:00Z"
    small.app[4][1] = "infinity"
    assert ledger(small.works(), "app")["bad_time"] == 4


@pytest.mark.parametrize(
    ("write", "counts", "how"),
    [
        (
            lambda i, t: str(int(t.timestamp()) * (1000 if i % 3 else 1)),
            "216 rows in milliseconds, 109 rows in seconds",
            "epoch ms",
        ),
        (
            lambda i, t: str(int(t.timestamp()) * (1000 if i else 1)),
            "324 rows in milliseconds, 1 row in seconds",
            "epoch ms",
        ),
        (
            lambda i, t: t.isoformat() if i % 3 == 0 else str(int(t.timestamp())),
            "216 rows in epoch numbers, 109 rows in written times",
            "epoch auto",
        ),
    ],
)
def test_mixed_units_of_time(small: Small, write: Callable[[int, datetime], str], counts: str, how: str) -> None:
    for i, row in enumerate(small.app):
        row[1] = write(i, moment(row[1]))
    small.fails(
        3,
        at(
            "app",
            f'E507 source app: the times in "at" of app.csv are in mixed units: {counts}',
            f"Say which is right, and the others are set aside as bad times:  time: {{from: at, as: {how}}}",
        ),
    )
    small.yaml("time: at, id", f"time: {{from: at, as: {how}}}, id")
    assert ledger(small.works(), "app")["bad_time"] in (1, 109)


def test_times_of_which_a_part_cannot_be_read(small: Small) -> None:
    for row in small.app[::10]:
        row[1] = "yesterday"
    assert ledger(small.works(), "app")["bad_time"] == 33


@pytest.mark.parametrize(
    ("form", "example", "hint"),
    [
        ("yesterday", "yesterday", READ),
        ("%Y%m%d", "20260302", READ),
        ("%Y-%m-%d %H:%M:%S Europe/Madrid", "2026-03-02 08:46:00 Europe/Madrid", READ),
        ("%Y-%m-%d %I:%M:%S PM", "2026-03-02 05:53:00 PM", READ),
        (
            "%m/%d/%Y %H:%M",
            "03/02/2026 08:46",
            "Dates are read year first, 2026-03-05: a day and a month that are mixed up cannot be noticed.",
        ),
        (
            "1970-01-%d %H:%M:%S",
            "1970-01-02 08:46:00",
            "Years from 1990 to 2199 are read; others are taken for faults of the export.",
        ),
        ("", None, ""),
    ],
)
@pytest.mark.parametrize("table", ["app", "flags"])
def test_times_that_cannot_be_read(small: Small, form: str, example: Any, hint: str, table: str) -> None:
    _times(small, lambda t: t.strftime(form), table)
    such = (
        f', such as "{min(r[1 if table == "app" else 3] for r in getattr(small, table))}"'
        if form
        else ": it is always empty"
    )
    assert example is None or table == "flags" or example in such
    small.fails(
        3, at(table, f'E510 source {table}: no row of {table}.csv has a time in "at" that can be read{such}', hint)
    )


@pytest.mark.parametrize("how", ["epoch s", "iso"])
def test_a_format_that_does_not_fit(small: Small, how: str) -> None:
    small.yaml("time: at, id", f"time: {{from: at, as: {how}}}, id")
    _times(small, lambda t: str(int(t.timestamp()) * 1000))
    example = min(r[1] for r in small.app)
    small.fails(
        3,
        at(
            "app",
            f'E510 source app: no row of app.csv has a time in "at" that can be read, such as "{example}"',
            "Such numbers look like  time: {from: at, as: epoch ms}",
        ),
    )
