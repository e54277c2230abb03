"""Words of events, and which units a metric is about, worked by hand."""

from __future__ import annotations

from decimal import Decimal

from .judging import X, codes, judge_all, many, on, pair, row, value
from .oracle import Attributes


def test_the_nth_row_of_all_history() -> None:
    #  first_buy is the first ever; here it lies before the exposure
    assert value("did: first_buy\nover: first 7 days", [on(-30, "buy"), on(1, "buy")]) == 0
    assert value("did: first_buy\nover: first 7 days", [on(1, "buy"), on(2, "buy")]) == 1
    assert value("amount: first_buy\nover: lifetime", [on(-30, "buy"), on(1, "buy")]) == 1
    assert [value("did: third_like\nover: day 3", many("like", *days)) for days in ((1, 2, 3), (2, 3, 4), (3,))] == [
        1,
        0,
        0,
    ]


def test_rows_count_once_per_period() -> None:
    #  day 1: a a b -, day 2: a
    happened = [on(1, "read", f"1{k}:00", kind=kind) for k, kind in enumerate(("a", "a", "b", None, None))]
    happened += [on(2, "read", kind="a")]
    assert value("amount: read_daily\nover: first 7 days", happened) == 5  # a, b, two without a kind; a
    assert value("amount: read_weekly\nover: first 7 days", happened) == 4
    assert value("amount: read_once\nover: first 7 days", happened) == 4
    assert value("amount: read_daily\nover: day 2", happened) == 1
    assert value("amount: read_weekly\nover: day 2", happened) == 0  # the first of the ISO week was on day 1
    assert value("amount: read_once\nover: day 2", happened) == 1  # the first in the window


def test_once_before_and_once_after_exposure() -> None:
    #  day 0: a at 21:00 (before) and at 23:00
    happened = [on(0, "read", "21:00", kind="a"), on(0, "read", "21:30", kind="a"), on(0, "read", "23:00", kind="a")]
    assert value("amount: read_daily\nover: first 7 days", happened) == 1
    assert value("amount: read_daily\nover: lifetime", happened) == 2
    assert value("amount: read_once\nover: lifetime", happened) == 3  # nothing is taken away before exposure
    assert value("amount: read_once 1 day ago\nper: day\nover: day 1", happened) == 3


def test_periods_of_count_once_are_of_the_calendar() -> None:
    #  Sunday 8 March 23:59 and Monday the 9th are two ISO weeks; 31 March and 1 April two months
    text = "amount: {}\nover: first 60 days"
    week = [row("2026-03-08 23:59", "read", kind="a"), row("2026-03-09 00:00", "read", kind="a")]
    month = [row("2026-03-31 23:59", "read", kind="a"), row("2026-04-01 00:00", "read", kind="a")]
    hour = [on(1, "read", clock, kind="a") for clock in ("10:00", "10:59:59", "11:00")]
    assert value(text.format("read_weekly"), week) == 2
    assert value(text.format("read_weekly"), month) == 1
    assert value(text.format("read_monthly"), week) == 1
    assert value(text.format("read_monthly"), month) == 2
    assert value(text.format("read_hourly"), hour) == 2
    assert value(text.format("read_session"), hour) == 2  # 10:59:59 comes 59 minutes after 10:00, 11:00 a second later


def test_the_first_row_is_the_one_that_counts() -> None:
    #  day 1: kind a with 5, then with 7
    happened = [on(1, "read", "11:00", kind="a", amount="7"), on(1, "read", "10:00", kind="a", amount="5")]
    assert value("amount: sum(read_daily.amount)\nover: first 7 days", happened) == 5


def test_a_row_may_belong_to_the_unit_of_another_column() -> None:
    #  v likes what u made: `like` is v's, `liked` is u's, from u's exposure on
    happened = [on(0, "like", "21:00", "v", owner="u"), on(1, "like", "10:00", "v", owner="u")]
    happened += [on(1, "like", "11:00", "u", owner="v"), on(1, "like", "12:00", "u")]
    exposed = {"u": X, "v": "2026-03-05 20:00"}
    found = judge_all("amount: liked\nover: first 7 days", happened, exposed)
    assert [found["u"].value, found["v"].value] == [1, 1]
    found = judge_all("amount: like\nover: first 7 days", happened, exposed)
    assert [found["u"].value, found["v"].value] == [2, 2]


# Attributes and among ------------------------------------------------------------------------------------------------

PEOPLE: Attributes = {"people": {"u": {"plan": "free", "age": Decimal(30)}, "v": {"plan": None, "age": Decimal(17)}}}
THREE = {"u": X, "v": X, "w": X}


def test_attributes_in_conditions() -> None:
    def all_of(condition: str) -> list[object]:
        found = judge_all(f"did: {condition}\nover: first 7 days", [], THREE, attributes=PEOPLE)
        return [found[unit].value for unit in ("u", "v", "w")]

    assert all_of("people.plan = free or like") == [1, 0, 0]
    assert all_of("people.plan != paid and no like") == [1, 0, 0]  # a missing plan passes no test
    assert all_of("people.plan is missing and no like") == [0, 1, 1]
    assert all_of("people.age >= 18 and no like") == [1, 0, 0]
    assert all_of("not people.age >= 18 and no like") == [0, 1, 1]


def test_units_that_are_not_among_are_nowhere() -> None:
    def found(among: str, *happened: object, since: str | None = None) -> set[str]:
        text = f"did: like\nover: first 7 days\namong: {among}"
        return set(judge_all(text, list(happened), THREE, attributes=PEOPLE, since=since))  # type: ignore[arg-type]

    assert found("plan = free") == {"u"}
    assert found("people.age < 18") == {"v"}
    assert found("not (plan = free)") == {"v", "w"}
    assert found("plan is missing") == {"v", "w"}
    before = "(like >= 1) before 7 days"
    assert found(before, on(-7, "like", unit="v"), on(-8, "like", unit="u"), on(0, "like", "10:00", "w")) == {"v"}
    assert found("(no like) before 7 days", on(-1, "like", unit="v")) == {"u", "w"}
    #  a log that begins on day -6 cannot say
    assert found("(no like) before 7 days", since="2026-02-27") == set()
    assert found("(no like) before 7 days", since="2026-02-26") == {"u", "v", "w"}


def test_a_cap_is_pooled_over_those_among() -> None:
    happened = [on(1, "like", f"10:0{k}", unit) for unit, often in (("u", 1), ("v", 9)) for k in range(often)]
    text = "amount: like\nover: first 7 days\ncap: 50%"
    assert {u: v.value for u, v in judge_all(text, happened, THREE).items()} == {"u": 1, "v": 1, "w": 0}
    adults = judge_all(text + "\namong: plan is missing", happened, THREE, attributes=PEOPLE)
    assert {u: v.value for u, v in adults.items()} == {"v": 0, "w": 0}


def test_what_happens_after_exposure_is_not_among() -> None:
    assert codes("did: like\nover: first 7 days\namong: like >= 1") == ["E311"]
    assert pair("ratio: {of: like, to: open}\nover: first 7 days", many("like", 1)) == (1, 0)
