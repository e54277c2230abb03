"""Functions, missing values, caps and quantiles, worked by hand."""

from __future__ import annotations

from fractions import Fraction

from .judging import MICROSECOND, X, at, codes, judge_all, many, on, pair, quantile_of, reason, row, value
from .oracle import Row

WEEK = "over: first 7 days"


def bought(*amounts: str | None, day: int = 1) -> list[Row]:
    """Purchases, one a minute."""
    return [on(day, "buy", f"12:{k:02d}", amount=amount) for k, amount in enumerate(amounts)]


def test_first_and_last_are_of_the_rows_that_have_the_property() -> None:
    happened = bought(None, "3", "5", "4", None)
    assert value(f"did: first(buy.amount) = 3\n{WEEK}", happened) == 1
    assert value(f"did: last(buy.amount) = 4\n{WEEK}", happened) == 1
    for function in ("first", "last"):
        assert value(f"did: {function}(buy.amount) != 3\n{WEEK}", bought(None)) == 0


def test_at_equal_times_the_smaller_is_first_and_the_larger_last() -> None:
    same = [on(1, "buy", amount=amount) for amount in ("5", "3", "4")]
    assert value(f"amount: first(buy.amount)\nmissing: drop\n{WEEK}", same) == 3
    assert value(f"amount: last(buy.amount)\nmissing: drop\n{WEEK}", same) == 5
    #  in a source of dates the whole date is one time
    sales = [on(1, "sale", amount="2"), on(1, "sale", amount="9"), on(2, "sale", amount="1"), on(2, "sale", amount="7")]
    assert value(f"amount: first(sale.amount)\nmissing: drop\n{WEEK}", sales) == 2
    assert value(f"amount: last(sale.amount)\nmissing: drop\n{WEEK}", sales) == 7


def test_distinct_numbers_count_by_value_and_text_as_text() -> None:
    happened = [*bought("0.3", "0.30", None, "1"), *(on(2, "buy", kind=kind) for kind in ("7", "007", "7", "a", None))]
    assert value(f"amount: distinct(buy.amount)\n{WEEK}", happened) == 2
    assert value(f"amount: distinct(buy.kind)\n{WEEK}", happened) == 3
    devices = [on(1, "like", device="a"), on(2, "like", device="b"), on(3, "like", device="a"), on(4, "like")]
    assert value(f"amount: distinct(like.device)\n{WEEK}", devices) == 2
    assert value(f"amount: distinct(like.device) + distinct(buy.kind)\n{WEEK}", []) == 0


def test_sessions_in_which_something_happened() -> None:
    #  10:00 like, 10:30 open | 11:01 open | 12:00 like     likes lie in 2 of 3 sessions
    happened = [on(1, n, c) for n, c in (("like", "10:00"), ("open", "10:30"), ("open", "11:01"), ("like", "12:00"))]
    assert value(f"amount: sessions(like)\n{WEEK}", happened) == 2
    #  any row of the source keeps a session going, also of another name
    bridged = [on(1, "like", "10:00"), on(1, "post", "10:30"), on(1, "like", "11:00")]
    assert value(f"amount: sessions(like)\n{WEEK}", bridged) == 1
    assert value(f"amount: sessions(like)\n{WEEK}", [bridged[0], bridged[2]]) == 2
    #  the one that began before the exposure holds the like after it
    over_x = [row("2026-03-05 21:50", "open"), row("2026-03-05 22:10", "like")]
    assert value(f"amount: sessions(like)\n{WEEK}", over_x) == 1


def test_days_since_counts_to_the_last_day_of_the_block() -> None:
    text = "amount: days_since(like)\nmissing: {}\n" + WEEK
    assert value(text.format("drop"), many("like", 1, 4)) == 2
    assert value(text.format("drop"), many("like", 6, 7)) == 0
    assert value(text.format("30"), []) == 30
    assert reason(text.format("drop")) == "missing"
    assert value("amount: days_since(like)\nmissing: zero", many("like", 1), through="2026-03-20") == 14
    assert value("did: days_since(like) <= 1\nper: week\nover: first 14 days", many("like", 5, 11)) == Fraction(1, 2)
    #  elapsed: the last of 48 hours lies in stretch 1, and 23:00 on the 6th too
    elapsed = "amount: days_since(like)\nmissing: drop\nover: first 48 hours"
    assert value(elapsed, [on(1, "like", "21:00")]) == 1
    assert value(elapsed, [on(1, "like", "23:00")]) == 0


def test_days_are_stretches_of_24_hours_on_the_elapsed_clock() -> None:
    #  6 March 21:59 and 22:01: one date, two stretches
    happened = [on(1, "like", "21:59"), on(1, "like", "22:01")]
    assert value("amount: days(like)\nover: first 3 days", happened) == 1
    assert value("amount: days(like)\nover: first 3 days\nclock: elapsed", happened) == 2
    assert value("amount: days(like)\nover: first 72 hours", happened) == 2


def test_missing_says_what_nothing_counts() -> None:
    text = "amount: mean(buy.amount)\nmissing: {}\n" + WEEK
    assert value(text.format("drop"), bought("1", "2", None)) == Fraction(3, 2)
    assert reason(text.format("drop"), bought(None)) == "missing"
    assert value(text.format("zero"), bought(None)) == 0
    assert value(text.format("-2.5"), []) == Fraction(-5, 2)
    assert codes(f"amount: mean(buy.amount)\n{WEEK}") == ["E315"]
    assert codes(f"amount: like\nmissing: zero\n{WEEK}") == ["E315"]


def test_blocks_without_a_value_are_left_out_or_filled() -> None:
    #  week 0: 4, week 1: nothing, week 2: 8, week 3: nothing
    happened = [*bought("4", day=1), *bought("8", day=15)]
    text = "amount: max(buy.amount)\nper: week\nover: first 28 days\nmissing: {}\nvalue: {}"
    dropped = {how: value(text.format("drop", how), happened) for how in ("mean", "sum", "min", "max", "last")}
    assert dropped == {"mean": 6, "sum": 12, "min": 4, "max": 8, "last": 8}
    zeroes = {how: value(text.format("zero", how), happened) for how in ("mean", "sum", "min", "max", "last")}
    assert zeroes == {"mean": 3, "sum": 12, "min": 0, "max": 8, "last": 0}
    assert reason(text.format("drop", "sum")) == "missing"
    sessions = f"amount: max(buy.amount)\nper: session\nmissing: {{}}\n{WEEK}"
    assert pair(sessions.format("drop"), [*happened, *many("like", 3)]) == (4, 1)
    assert pair(sessions.format("1"), [*happened, *many("like", 3)]) == (5, 2)


def spent(**amounts: int) -> list[Row]:
    return [on(1, "buy", unit=unit, amount=str(amount)) for unit, amount in amounts.items()]


UNITS = dict.fromkeys(("u", "v", "w", "y"), X)


def test_a_percentile_caps_at_the_smallest_value_with_enough_below() -> None:
    #  0 2 4 9 (y is silent): half of them are <= 2; of those that are not zero, half are <= 4 (2 of 3)
    happened = spent(u=2, v=4, w=9)

    def capped(cap: str) -> list[Fraction | None]:
        found = judge_all(f"amount: sum(buy.amount)\ncap: {cap}\n{WEEK}", happened, UNITS)
        return [found[unit].value for unit in UNITS]

    assert capped("50%") == [2, 2, 2, 0]
    assert capped("50% of nonzero") == [2, 4, 4, 0]
    assert capped("75%") == [2, 4, 4, 0]
    assert capped("76%") == [2, 4, 9, 0]
    assert capped("3") == [2, 3, 3, 0]


def test_a_cap_of_nothing_caps_nothing() -> None:
    found = judge_all(f"amount: sum(buy.amount)\ncap: 99% of nonzero\n{WEEK}", [], UNITS)
    assert {v.value for v in found.values()} == {0}


def test_a_cap_comes_after_the_fold() -> None:
    happened = [*spent(u=8, v=2), on(8, "buy", unit="v", amount="2")]
    found = judge_all("amount: sum(buy.amount)\nper: week\nover: first 14 days\ncap: 50%", happened, {"u": X, "v": X})
    assert [found["u"].value, found["v"].value] == [2, 2]  # weekly means 4 and 2


def test_quantiles_of_events_are_of_every_row_in_the_window() -> None:
    happened = [on(1, "buy", f"12:0{k}", "u", amount=a) for k, a in enumerate(("1", "2", None, "3"))]
    happened += [on(1, "buy", unit="v", amount="10"), on(9, "buy", unit="v", amount="99")]
    text = f"quantile: {{of: buy.amount, at: 50%, across: events}}\n{WEEK}"
    both = {"u": X, "v": X}

    def at_percent(percent: str) -> tuple[object, int]:
        return quantile_of(text.replace("50%", percent), happened, both)

    #  1 2 3 10 stand at 12.5, 37.5, 62.5 and 87.5 %
    assert at_percent("37.5%") == (2, 4)
    assert at_percent("50%") == (Fraction(5, 2), 4)
    assert at_percent("75%") == (Fraction(13, 2), 4)
    assert at_percent("95%") == (10, 4)
    assert at_percent("1%") == (1, 4)
    assert quantile_of(text, [], both) == (None, 0)
    assert value(text, happened) == 3  # how many of its events have a value


def test_equal_values_stand_in_the_middle_of_their_share() -> None:
    #  0 0 0 6: 0 stands at 37.5 %, 6 at 87.5 %; half way, at 50 %, is a quarter of the way
    found = quantile_of(f"quantile: {{of: like, at: 50%, across: units}}\n{WEEK}", many("like", 1, each=6), UNITS)
    assert found == (Fraction(3, 2), 4)


def test_quantiles_of_units_are_of_their_values() -> None:
    happened = spent(u=2, v=4, w=9)
    text = f"quantile: {{of: sum(buy.amount), at: 50%, across: units}}\n{WEEK}"
    assert quantile_of(text, happened, UNITS) == (3, 4)  # 0 2 4 9: halfway between 2 and 4
    text = f"quantile: {{of: max(buy.amount), at: 50%, across: units}}\nmissing: drop\n{WEEK}"
    assert quantile_of(text, happened, UNITS) == (4, 3)


def test_a_microsecond_decides_a_session() -> None:
    start = at("2026-03-06 10:00")
    half_an_hour = at("2026-03-06 10:30") - start
    for shift, often in ((0, 1), (1, 2)):
        happened = [Row("u", "like", start), Row("u", "like", start + half_an_hour + shift * MICROSECOND)]
        assert value(f"amount: sessions(like)\n{WEEK}", happened) == often
