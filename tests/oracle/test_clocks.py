"""Clocks and blocks, worked by hand (docs/decisions/0007-the-whole-language.md)."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest

from .judging import MICROSECOND, X, at, codes, judge_all, many, on, pair, reason, row, value
from .oracle import Row

HALF = Fraction(1, 2)


def test_worked_example_on_three_clocks() -> None:
    #  exposed Thu 5 Mar 22:00, first 14 days, per week
    #  date      5 ....... 11|12 ....... 18|                 n = 2, mature with the 18th
    #  elapsed   Thu 5 22:00 .. Thu 12 22:00 .. Thu 19 22:00 n = 2, mature with the 19th
    #  calendar       Mon 9 ... Sun 15                       n = 1 (5-8 and 16-18 are no whole weeks)
    text = "did: like\nper: week\nover: first 14 days\nclock: {}"
    clocks = ("date", "elapsed", "calendar")

    def on_each(*walls: str) -> list[Fraction | None]:
        return [value(text.format(clock), [row(wall, "like") for wall in walls]) for clock in clocks]

    assert on_each("2026-03-12 21:59") == [HALF, HALF, 1]
    assert on_each("2026-03-12 21:59", "2026-03-11 10:00") == [1, HALF, 1]  # two weeks, or both in the first
    assert on_each("2026-03-12 21:59", "2026-03-12 22:00") == [HALF, 1, 1]
    assert on_each("2026-03-19 21:59") == [0, HALF, 0]
    assert on_each("2026-03-08 23:59", "2026-03-16 00:00") == [1, 1, 0]
    assert on_each("2026-03-05 21:59") == [0, 0, 0]  # before exposure
    assert [reason(text.format(c), through="2026-03-17") for c in clocks] == ["immature", "immature", "immature"]
    assert [reason(text.format(c), through="2026-03-18") for c in clocks] == [None, "immature", None]
    assert [reason(text.format(c), through="2026-03-19") for c in clocks] == [None, None, None]


def test_an_elapsed_day_is_24_hours_from_the_exposure() -> None:
    #  x ........ x + 24 h ........ x + 48 h       day 1 = [24 h, 48 h)
    x = at(X)
    text = "amount: like\nover: day 1\nclock: elapsed"
    edges = [x + timedelta(hours=24) - MICROSECOND, x + timedelta(hours=24), x + timedelta(hours=48) - MICROSECOND]
    for moment, counts in zip([*edges, x + timedelta(hours=48)], (0, 1, 1, 0), strict=True):
        assert value(text, [Row("u", "like", moment)]) == counts


def test_elapsed_hours_and_minutes() -> None:
    #  x .. x + 90 min           like at + 89:59.999999 yes, at + 90:00 no
    x = at(X)
    one = [Row("u", "like", x + timedelta(minutes=90) - shift) for shift in (MICROSECOND, timedelta(0))]
    assert value("amount: like\nover: first 90 minutes", one) == 1
    assert value("amount: like\nover: first 2 hours", one) == 2
    #  per hour of the first 3: hours 1 (the first row) and 1 (the second): 1 of 3
    assert value("did: like\nover: first 3 hours\nper: hour", one) == Fraction(1, 3)
    assert value("did: like\nper: hour\nclock: elapsed\nover: first 1 day", one) == Fraction(1, 24)
    assert value("amount: like\nper: day\nover: first 48 hours\nvalue: max", one) == 2
    assert codes("did: like\nper: hour\nover: first 1 day") == ["E310"]


def test_a_tick_is_complete_when_it_ends_by_the_end_of_the_last_complete_date() -> None:
    #  x = 5 Mar 22:00, first 2 hours end at midnight sharp: complete with the 5th; 3 hours with the 6th
    assert reason("did: like\nover: first 2 hours", through="2026-03-05") is None
    assert reason("did: like\nover: first 3 hours", through="2026-03-05") == "immature"
    assert reason("did: like\nover: first 3 hours", through="2026-03-06") is None
    #  open window: with T = 6 Mar one stretch of 24 hours (to the 6th, 22:00) is complete; rows of the second do not count
    happened = [row("2026-03-06 21:00", "like"), row("2026-03-06 23:00", "like")]
    assert value("amount: like\nclock: elapsed", happened, through="2026-03-06") == 1
    assert reason("amount: like\nclock: elapsed", happened, "2026-03-05") == "missing"
    assert value("amount: like", happened, through="2026-03-06") == 2


def test_elapsed_days_ignore_changes_of_clocks() -> None:
    #  28 Mar 12:00 to 29 Mar 13:00 (summer time since 2:00) are 24 hours; by the date it is day 1
    happened = [row("2026-03-29 12:59", "like")]
    late = "2026-03-15 12:00"
    assert value("did: like\nover: day 13\nclock: elapsed", happened, late) == 1
    assert value("did: like\nover: day 14\nclock: elapsed", happened, late) == 0
    assert value("did: like\nover: day 14", happened, late) == 1


def test_a_source_of_dates_has_no_hours() -> None:
    with pytest.raises(ValueError, match="no hours"):
        value("did: visit\nover: first 2 days\nclock: elapsed", [on(1, "visit")])


def test_calendar_months_lie_wholly_in_the_window() -> None:
    #  5 Mar ... 31|1 Apr ... 30|1 May ...    first 62 days end on 5 May: April is the only whole month
    text = "did: like\nper: month\nclock: calendar\nover: first 62 days"
    assert value(text, [row("2026-03-31 23:59", "like"), row("2026-05-01 00:00", "like")]) == 0
    assert value(text, [row("2026-04-01 00:00", "like")]) == 1
    assert value(text, [row("2026-04-30 23:59", "like")]) == 1
    #  an open window until 15 June: April and May
    text = "did: like\nper: month\nclock: calendar"
    assert value(text, [row("2026-04-30 10:00", "like")], through="2026-06-15") == HALF
    assert value(text, [row("2026-04-30 10:00", "like")], through="2026-05-30") == 1
    assert reason(text, through="2026-04-29") == "missing"
    assert codes("did: like\nper: month\nover: first 62 days") == ["E310"]
    assert codes("did: like\nper: month\nclock: calendar\nover: first 62 days\nvalue: ever") == ["E305"]


def test_a_calendar_block_may_begin_on_day_0() -> None:
    #  exposed Monday 9 March at 12:00: its week counts, but only what follows the exposure
    text = "amount: like\nper: week\nclock: calendar\nover: first 7 days"
    happened = [row("2026-03-09 11:00", "like"), row("2026-03-09 13:00", "like")]
    assert value(text, happened, "2026-03-09 12:00") == 1
    assert reason(text, happened, x="2026-03-10 12:00") == "missing"  # no whole week in 7 days from a Tuesday


def test_rolling_blocks_end_on_each_day_that_has_enough_before_it() -> None:
    #  first 4 days, rolling 3: days 0-2 and 1-3
    text = "did: like\nper: rolling 3 days\nover: first 4 days\nvalue: {}"
    assert value(text.format("count"), [on(0, "like", "23:00")]) == 1
    assert value(text.format("count"), many("like", 1)) == 2
    assert value(text.format("share"), many("like", 3)) == HALF
    open_ended = "did: like\nper: rolling 3 days"
    assert value(open_ended, many("like", 1), through="2026-03-09") == Fraction(2, 3)  # days 0-2, 1-3, 2-4
    assert reason(open_ended, through="2026-03-06") == "missing"
    assert value("did: like on 2 days\nper: rolling 3 days\nover: first 4 days", many("like", 1, 3)) == HALF


def test_sessions_are_cut_after_more_than_30_minutes() -> None:
    #  10:00  10:30:00 | 11:00:00.000001        one session of two rows, then a new one
    happened = [on(1, "like", "10:00"), on(1, "post", "10:30"), on(1, "like", "11:00:00.000001")]
    assert pair("did: post\nper: session\nover: first 7 days", happened) == (1, 2)
    assert pair("did: like\nper: session\nover: first 7 days", happened) == (2, 2)
    assert pair("amount: like\nper: session\nover: first 7 days", [*happened, on(1, "like", "10:05")]) == (3, 2)
    assert pair("did: like\nper: session\nover: first 7 days", []) == (0, 0)
    assert pair("ratio: {of: like, to: post >= 1}\nper: session\nover: first 7 days", happened) == (2, 1)


def test_a_session_begins_after_the_exposure_and_may_run_past_midnight() -> None:
    #  21:50 | x 22:00 | 22:10        began before the exposure: no session of the window
    crossing = [row("2026-03-05 21:50", "like"), row("2026-03-05 22:10", "like")]
    assert pair("did: like\nper: session\nover: first 7 days", crossing) == (0, 0)
    #  day 6 23:50, day 7 00:10 00:30: one session of day 6; a session that begins on day 7 is none
    night = [on(6, "open", "23:50"), on(7, "open", "00:10"), on(7, "like", "00:30"), on(7, "like", "12:00")]
    assert pair("amount: like\nper: session\nover: first 7 days", night) == (1, 1)
    #  half an hour by half an hour from day 1, 23:30, to day 3: its rows count up to the end of day 2
    long = [
        on(1, "open", "23:30"),
        *(on(2, "like", f"{h:02d}:{m}") for h in range(24) for m in ("00", "30")),
        on(3, "like", "00:00"),
    ]
    assert pair("amount: like\nper: session\nover: first 7 days", long) == (48, 1)
    #  it needs day 7 to be complete
    assert reason("did: like\nper: session\nover: first 7 days", night, "2026-03-11") == "immature"
    assert reason("did: like\nper: session\nover: first 7 days", night, "2026-03-12") is None
    #  open: sessions that begin before T
    assert pair("did: like\nper: session", night, through="2026-03-12") == (1, 1)
    assert pair("did: like\nper: session", night, through="2026-03-13") == (2, 2)


def test_sessions_of_a_column() -> None:
    #  s1 10:00, s2 10:01, s1 15:00, none 15:01
    happened = [on(1, "page", "10:00", sid="s1", kind="a"), on(1, "page", "10:01", sid="s2")]
    happened += [on(1, "page", "15:00", sid="s1"), on(1, "page", "15:01")]
    assert pair("did: page >= 2\nper: session\nover: first 7 days", happened) == (1, 2)
    assert value("amount: sessions(page)\nover: first 7 days", happened) == 2


def test_a_finer_unit_gives_sums_over_devices() -> None:
    #  phone: 3 likes; tablet: opened only; a row without a device counts nowhere; the old phone only before exposure
    happened = [*(on(1, "like", f"10:0{k}", device="phone") for k in range(3)), on(2, "open", device="tablet")]
    happened += [on(2, "like"), on(-1, "like", device="old"), on(9, "like", device="new")]
    assert pair("did: like >= 2\nunit: device\nover: first 7 days", happened) == (1, 2)
    assert pair("amount: like\nunit: device\nover: first 7 days", happened) == (3, 2)
    assert pair("amount: like\nunit: device\nover: first 7 days", []) == (0, 0)
    assert pair("amount: max(buy.amount)\nmissing: drop\nunit: device\nover: first 7 days", [
        *happened, on(3, "buy", device="phone", amount="5"),
    ]) == (5, 1)  # fmt: skip


def test_a_unit_without_exposure_is_in_no_result() -> None:
    assert judge_all("did: like\nover: first 7 days", [on(1, "like", unit="v")], {"u": X}).keys() == {"u"}
