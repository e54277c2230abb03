"""Windows, starting points and looking back, worked by hand (docs/decisions/0007-the-whole-language.md)."""

from __future__ import annotations

from fractions import Fraction

from .judging import X, codes, judge_all, many, on, pair, reason, row, value

HALF = Fraction(1, 2)


def test_the_last_days_end_with_the_last_complete_date() -> None:
    #  D = 5 ... |14 . . . . . 20 = T|        last 7 days are the 14th to the 20th
    happened = [row("2026-03-13 23:59", "like"), row("2026-03-20 10:00", "like"), row("2026-03-21 10:00", "like")]
    assert value("amount: like\nover: last 7 days", happened, through="2026-03-20") == 1
    #  exposed on the 14th: in (from the exposure on); on the 15th: immature
    happened = [row("2026-03-14 11:00", "like"), row("2026-03-14 13:00", "like")]
    assert value("amount: like\nover: last 7 days", happened, "2026-03-14 12:00", "2026-03-20") == 1
    assert reason("amount: like\nover: last 7 days", happened, "2026-03-20", "2026-03-15 12:00") == "immature"
    assert value("did: like\nper: day\nover: last 7 days", happened, through="2026-03-20") == Fraction(1, 7)


def test_the_days_before_exposure() -> None:
    #  |2 3 4| D = 5      before 3 days, all of them, and nothing of the 5th
    happened = [row("2026-03-01 23:59", "like"), row("2026-03-02 00:00", "like"), row("2026-03-04 23:59", "like")]
    happened += [row("2026-03-05 10:00", "like"), row("2026-03-06 10:00", "like")]
    text = "amount: like\nover: before 3 days"
    assert value(text, happened) == 2
    assert value(text + "\nclock: elapsed", happened) == 2
    assert value("did: like\nper: day\nover: before 3 days", happened) == Fraction(2, 3)
    #  the log begins on the 3rd: missing; on the 2nd: complete
    assert judge_all(text, happened[2:], {"u": X}, since="2026-03-03")["u"].reason == "missing"
    assert judge_all(text, happened[1:], {"u": X}, since="2026-03-02")["u"].value == 2


def test_a_lifetime_is_every_row_up_to_the_last_complete_date() -> None:
    happened = [row("2025-12-24 10:00", "like"), row("2026-03-06 10:00", "like"), row("2026-03-08 10:00", "like")]
    assert value("amount: like\nover: lifetime", happened, through="2026-03-07") == 2
    assert reason("amount: like\nover: lifetime", happened, "2026-03-04") == "missing"


def test_a_window_may_start_at_an_event() -> None:
    #  x on day 0; open on day 2: days 2, 3 and 4 count, from the open on
    text = "amount: like\nover: first 3 days\nstarting_at: open\nwithin: 7 days"
    happened = [on(1, "like"), on(2, "like", "11:00"), on(2, "open", "12:00"), on(2, "like", "13:00")]
    happened += [on(4, "like", "23:59"), on(5, "like", "00:00"), on(5, "open")]
    assert value(text, happened) == 2
    #  never, or on day 7: not done
    assert value(text, [on(1, "like"), on(7, "open"), on(7, "like", "13:00")]) == 0
    assert value("did: no like\nover: first 3 days\nstarting_at: open\nwithin: 7 days", []) == 0
    ratio = "ratio: {of: like, to: open}\nover: first 3 days\nstarting_at: open\nwithin: 7 days"
    assert pair(ratio, []) == (0, 0)
    assert pair(ratio, happened) == (2, 1)
    assert codes("did: like\nover: first 3 days\nstarting_at: open") == ["E316"]


def test_an_anchored_unit_is_mature_when_the_latest_anchor_would_be() -> None:
    #  within 7 days, first 3 days: the latest window is days 6-8 (the 13th)
    text = "amount: like\nover: first 3 days\nstarting_at: open\nwithin: 7 days"
    assert reason(text, [on(0, "open", "23:00")], "2026-03-12") == "immature"
    assert reason(text, [on(0, "open", "23:00")], "2026-03-13") is None
    #  elapsed: the latest anchor comes just before 12 March 22:00; 3 hours later it is the 13th
    text = "amount: like\nover: first {} hours\nstarting_at: open\nwithin: 7 days"
    assert reason(text.format(2), through="2026-03-12") is None
    assert reason(text.format(3), through="2026-03-12") == "immature"
    assert reason(text.format(3), through="2026-03-13") is None


def test_elapsed_windows_count_from_the_anchor() -> None:
    happened = [on(1, "open", "10:00"), on(1, "like", "11:59"), on(1, "like", "12:00")]
    assert value("amount: like\nover: first 2 hours\nstarting_at: open\nwithin: 2 days", happened) == 1
    #  within 1 day ends at 6 March 22:00
    late = [on(1, "open", "22:00"), on(1, "like", "22:30")]
    assert value("amount: like\nover: first 2 hours\nstarting_at: open\nwithin: 1 day", late) == 0
    assert value("amount: like\nover: first 2 hours\nstarting_at: open\nwithin: 2 days", late) == 1


def test_an_anchor_before_exposure_is_clipped_to_it() -> None:
    #  signup is declared `before_exposure: ok`
    text = "amount: like\nover: first 2 days\nstarting_at: signup\nwithin: 7 days"
    assert value(text, [on(-9, "signup"), on(0, "like", "21:00"), on(0, "like", "23:00"), on(2, "like")]) == 1
    assert value(text, [on(3, "signup"), on(3, "like", "11:00"), on(4, "like"), on(5, "like")]) == 1
    assert value(text.replace("signup", "open"), [on(-9, "open"), on(0, "like", "23:00")]) == 0


def test_an_open_window_runs_from_the_anchor() -> None:
    text = "amount: like\nstarting_at: open\nwithin: 7 days"
    happened = [on(1, "like"), on(2, "open"), on(3, "like"), on(4, "like")]
    assert value(text, happened, through="2026-03-08") == 1
    assert value(text, happened, through="2026-03-06") == 0  # the anchor lies after T, so there is none
    assert reason(text, happened, "2026-03-04") == "missing"


def test_blocks_and_times_count_from_the_anchor() -> None:
    text = "did: like\nper: day\nover: first 2 days\nstarting_at: open\nwithin: 7 days"
    assert value(text, [on(3, "open"), on(4, "like")]) == HALF
    text = "time_to: like\nover: first 5 days\nstarting_at: open\nwithin: 7 days"
    assert value(text, [on(3, "open"), on(4, "like")]) == 1
    assert value(text, [on(3, "open")]) == 5
    assert value(text, [on(3, "like")]) == 5


# Looking back --------------------------------------------------------------------------------------------------------


def test_looking_back_reads_the_blocks_before() -> None:
    #  |-7..-1|E......|7.....13|
    text = "did: open and open 1 week ago\nper: week\nover: first 14 days"
    assert value(text, many("open", -3, 3)) == HALF
    assert value(text, many("open", 3, 9)) == HALF
    assert value(text, many("open", -3, 3, 9)) == 1
    assert value("amount: open 1 week ago\nper: week\nover: first 14 days\nvalue: sum", many("open", -3, -2, 3, 9)) == 3


def test_the_whole_of_day_0_is_looked_back_at() -> None:
    #  on day 0 at 10:00, before the exposure: not day 0's own, but yesterday's of day 1
    happened = [on(0, "like", "10:00")]
    text = "amount: like{}\nper: day\nover: first 2 days\nvalue: sum"
    assert value(text.format(""), happened) == 0
    assert value(text.format(" 1 day ago"), happened) == 1
    #  elapsed: block 0 begins with the exposure, so 10:00 lies in block -1, of which block 0 is a day later
    assert value(text.format(" 1 day ago") + "\nclock: elapsed", happened) == 1
    assert value("did: like 1 day ago\nper: day\nover: day 1\nclock: elapsed", happened) == 0


def test_a_range_is_the_union_of_its_blocks() -> None:
    #  day 5 sees days 2, 3 and 4
    text = "did: {} 1-3 days ago\nper: day\nover: day 5"
    assert [value(text.format("like"), many("like", d)) for d in (1, 2, 4, 5)] == [0, 1, 1, 0]
    assert value("did: like 1-3 days ago >= 3\nper: day\nover: day 5", many("like", 2, 3, 4)) == 1
    assert value("did: no like 2-3 days ago\nper: day\nover: day 5", many("like", 4)) == 1
    assert value("did: mean(buy.amount) 1-3 days ago = 2\nper: day\nover: day 5", [
        on(2, "buy", amount="1"), on(4, "buy", amount="3"),
    ]) == 1  # fmt: skip


def test_blocks_that_look_back_before_the_data_are_not_evaluated() -> None:
    #  the log begins on day -7: week 0 looks back 1 week and is evaluated; looking back 2, only week 1 is
    happened = many("open", 3, 9)
    one = "did: open 1 week ago\nper: week\nover: first 14 days\nvalue: {}"
    two = "did: open and no like 2 weeks ago\nper: week\nover: first 14 days\nvalue: {}"

    def judged(text: str) -> tuple[object, str | None]:
        found = judge_all(text, happened, {"u": X}, since="2026-02-26")["u"]
        return found.value, found.reason

    assert judged(one.format("share")) == (HALF, None)
    assert judged(one.format("count")) == (1, None)
    assert judged(two.format("share")) == (1, None)
    assert judged(two.format("last")) == (1, None)
    assert judged(two.format("count")) == (None, "missing")
    assert judged("did: open and no like 3 weeks ago\nper: week\nover: first 14 days") == (None, "missing")
    ratio = "ratio: {of: open and open 1 week ago, to: no like 2 weeks ago}\nper: week\nover: first 14 days"
    found = judge_all(ratio, happened, {"u": X}, since="2026-02-26")["u"]
    assert [found.value, found.denominator] == [1, 1]


def test_the_calendar_looks_back_at_its_own_blocks() -> None:
    #  week of Mon 9 March: a week ago is 2-8 March, which holds the exposure
    text = "did: like 1 week ago\nper: week\nclock: calendar\nover: first 14 days"
    assert value(text, [row("2026-03-02 00:00", "like")]) == 1
    assert value(text, [row("2026-03-01 23:59", "like")]) == 0
    month = "did: like 1 month ago\nper: month\nclock: calendar\nover: first 62 days"
    assert value(month, [row("2026-03-01 00:00", "like")]) == 1
    assert value(month, [row("2026-02-28 23:59", "like")]) == 0


def test_blocks_of_a_later_window_go_on_backwards() -> None:
    #  over days 3-16 per week: block -1 is days -4 to 2
    text = "did: like 1 week ago\nper: week\nover: days 3-9"
    assert [value(text, many("like", d)) for d in (-5, -4, 2, 3)] == [0, 1, 1, 0]
