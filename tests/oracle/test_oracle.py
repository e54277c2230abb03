"""Timelines worked by hand. They fix what the words of a metric mean; docs/decisions/windows.md shows the same ones.

Each definition is read from YAML, so the language takes part. One character of a timeline is one local day unless it
says otherwise: E the day of exposure, | the edge of a block, T the last complete date.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from abtest.language.model import Event, Metric
from abtest.language.read_metrics import read_metric
from abtest.language.where import parse_where
from abtest.language.yaml import parse_yaml
from abtest.problems import Problems

from .oracle import Exposure, Row, Setting, Source, UnitValue, complete_through, evaluate, instant, units

MADRID = "Europe/Madrid"
MICROSECOND = timedelta(microseconds=1)
EVENTS = {
    **{name: Event(name, "app", (name,)) for name in ("open", "like", "post", "buy")},
    "reaction": Event("reaction", "app", ("like", "heart")),
    "anything": Event("anything", "app", ()),
    "big_buy": Event("big_buy", "app", ("buy",), parse_where("amount >= 10")),
    "not_small": Event("not_small", "app", ("buy",), parse_where("not (amount < 10)")),
    "other_kind": Event("other_kind", "app", ("buy",), parse_where("kind != gift")),
    "unpriced": Event("unpriced", "app", ("buy",), parse_where("amount is missing")),
    "visit": Event("visit", "web", ("visit",)),
}
SETTING = Setting(MADRID, date(2026, 3, 2), date(2026, 3, 15))
Happened = Sequence[Row | tuple[str, ...]]  # (local time, name) or (local time, name, amount)


def read(text: str) -> tuple[Metric | None, Problems]:
    problems = Problems()
    node = parse_yaml(text, "m.yml", problems)
    assert node is not None
    return read_metric("m", node, problems), problems


def metric(text: str) -> Metric:
    found, problems = read(text)
    assert found is not None
    assert not problems.errors
    return found


def codes(text: str) -> list[str]:
    return [p.code for p in read(text)[1].errors]


def at(wall: str, zone: str = MADRID) -> datetime:
    return instant(datetime.fromisoformat(wall), zone)


def row(wall: str, name: str, amount: str | None = None, *, zone: str = MADRID) -> Row:
    return Row("u", name, at(wall, zone), {"amount": None if amount is None else Decimal(amount)})


def judge(
    text: str,
    happened: Happened,
    x: str | datetime = "2026-03-05 22:00",
    through: str = "2026-12-31",
    setting: Setting = SETTING,
) -> UnitValue:
    """What one unit, exposed at x, contributes when its log is complete through a date."""
    own = [h if isinstance(h, Row) else row(*h, zone=setting.timezone) for h in happened]
    exposed = at(x, setting.timezone) if isinstance(x, str) else x
    app, web = Source(complete_through=date.fromisoformat(through)), Source(date_only=True, complete_through=date.max)
    return evaluate(metric(text), EVENTS, {"app": app, "web": web}, own, [Exposure("u", "a", exposed)], setting)["u"]


def value(
    text: str, happened: Happened, x: str | datetime = "2026-03-05 22:00", through: str = "2026-12-31"
) -> Fraction | None:
    return judge(text, happened, x, through).value


def reason(text: str, happened: Happened, through: str, x: str = "2026-03-05 22:00") -> str | None:
    found = judge(text, happened, x, through)
    assert (found.value is None) == (found.reason is not None)
    return found.reason


# Ruling 1: completeness ----------------------------------------------------------------------------------------------


def test_ruling_01_the_last_complete_date_lies_before_the_latest_row() -> None:
    #  ... 18 19 20            latest row on the 20th at 15:00: the 20th is not over, T = 19
    #                          latest row on the 20th at 00:00 sharp: the same
    #                          latest row one microsecond earlier: the 19th is not over, T = 18
    #                          settle: 2 days: T = 17
    m = metric("did: like")

    def through(latest: datetime, settle: int = 0) -> date:
        return complete_through(m, EVENTS, {"app": Source(settle)}, [Row("somebody", "post", latest)], SETTING)

    assert through(at("2026-03-20 15:00")) == date(2026, 3, 19)
    assert through(at("2026-03-20 00:00")) == date(2026, 3, 19)
    assert through(at("2026-03-20 00:00") - MICROSECOND) == date(2026, 3, 18)
    assert through(at("2026-03-20 15:00"), settle=2) == date(2026, 3, 17)


def test_ruling_01_settle_counts_dates_across_a_change_of_clocks() -> None:
    #  28 Mar   29 Mar (23 h)   30 Mar   31 Mar 00:30      48 hours before that it is still the 28th, 23:30;
    #                                                      two dates before it is the 29th, so T = 28
    m = metric("did: like")
    assert complete_through(m, EVENTS, {"app": Source(2)}, [row("2026-03-31 00:30", "like")], SETTING) == date(
        2026, 3, 28
    )


def test_ruling_01_completeness_is_per_metric_over_its_sources() -> None:
    #  app:  latest row 20th   -> complete through the 19th
    #  web:  dates, last 17th  -> complete through the 17th
    log = [row("2026-03-20 15:00", "post"), Row("v", "visit", date(2026, 3, 17), {}, "web")]
    sources = {"app": Source(), "web": Source(date_only=True)}

    def through(text: str) -> date:
        return complete_through(metric(text), EVENTS, sources, log, SETTING)

    assert through("did: like") == date(2026, 3, 19)
    assert through("did: visit") == date(2026, 3, 17)
    assert through("did: like and visit") == date(2026, 3, 17)
    assert through("ratio: {of: visit, to: like}") == date(2026, 3, 17)


def test_ruling_01_complete_through_overrides() -> None:
    log = [row("2026-03-20 15:00", "like")]
    sources = {"app": Source(settle=3, complete_through=date(2026, 3, 25))}
    assert complete_through(metric("did: like"), EVENTS, sources, log, SETTING) == date(2026, 3, 25)


# Ruling 2: maturity --------------------------------------------------------------------------------------------------


def test_ruling_02_mature_when_the_whole_window_is_complete() -> None:
    #  day 0         13
    #  5 Mar ....... 18 Mar       T = 17: immature     T = 18: mature
    text = "did: like\nover: first 14 days"
    assert reason(text, [("2026-03-06 10:00", "like")], "2026-03-17") == "immature"
    assert value(text, [("2026-03-06 10:00", "like")], through="2026-03-18") == 1


def test_ruling_02_windows_read_past_the_end_of_the_experiment() -> None:
    #  2 Mar start ... 15 Mar exposed = end ... 28 Mar like (day 13)
    assert value("did: like\nover: first 14 days", [("2026-03-28 10:00", "like")], x="2026-03-15 08:00") == 1


def test_ruling_02_a_unit_does_not_mature_by_what_it_did() -> None:
    #  A like on day 0 decides the truth, yet the window is open: dropped all the same.
    assert reason("did: like\nover: first 14 days", [("2026-03-05 23:00", "like")], "2026-03-10") == "immature"


def test_ruling_02_kept_immature_units_count_what_is_complete() -> None:
    #  5 ......|12 ......|19      T = 13: one of two weeks is complete, and no day of the second counts
    happened = [("2026-03-06 10:00", "like"), ("2026-03-13 10:00", "like"), ("2026-03-14 10:00", "like")]
    recurring = "did: like\nper: week\nover: first 14 days\nimmature: keep\nvalue: {}"
    assert value(recurring.format("share"), happened, through="2026-03-13") == 1
    assert value(recurring.format("count"), happened, through="2026-03-13") == 1
    assert value("amount: like\nover: first 14 days\nimmature: keep", happened, through="2026-03-13") == 2
    assert reason(recurring.format("share"), happened, "2026-03-10") == "missing"
    assert reason("amount: like\nover: first 14 days\nimmature: keep", happened, "2026-03-04") == "missing"


# Ruling 3: who takes part --------------------------------------------------------------------------------------------


def exposures(*seen: tuple[str, str]) -> list[Exposure]:
    return [Exposure("u", variant, at(wall)) for wall, variant in seen]


def fate(*seen: tuple[str, str], setting: Setting = SETTING) -> str | None:
    found = units(exposures(*seen), setting)["u"]
    return found.reason or found.variant


def test_ruling_03_a_later_rollout_does_not_make_control_mixed() -> None:
    #  [2 Mar  a       15 Mar]  20 Mar  b
    assert fate(("2026-03-05 22:00", "a"), ("2026-03-20 10:00", "b")) == "a"
    assert fate(("2026-03-05 22:00", "a"), ("2026-03-15 23:59", "b")) == "mixed"


def test_ruling_03_a_unit_exposed_before_the_start_is_out() -> None:
    #  1 Mar 23:59 a  [2 Mar  a   15 Mar]
    assert fate(("2026-03-01 23:59:59.999999", "a"), ("2026-03-05 22:00", "a")) == "before_start"
    assert fate(("2026-03-02 00:00", "a")) == "a"
    assert fate(("2026-03-15 23:59:59.999999", "a")) == "a"
    assert fate(("2026-03-16 00:00", "a")) == "outside"


def test_ruling_03_enrolment_mixed_exposure_and_the_first_of_many() -> None:
    until = Setting(MADRID, date(2026, 3, 2), date(2026, 3, 15), date(2026, 3, 8))
    first = Setting(MADRID, date(2026, 3, 2), date(2026, 3, 15), mixed="first")
    assert fate(("2026-03-08 23:59", "a"), ("2026-03-10 10:00", "a"), setting=until) == "a"
    assert fate(("2026-03-09 00:00", "a"), setting=until) == "late"
    assert fate(("2026-03-08 10:00", "b"), ("2026-03-07 10:00", "a"), setting=first) == "a"
    twice = units(exposures(("2026-03-07 10:00", "a"), ("2026-03-06 09:00", "a")), SETTING)["u"]
    assert twice.at == at("2026-03-06 09:00")
    assert twice.day == date(2026, 3, 6)


# Ruling 4: blocks ----------------------------------------------------------------------------------------------------


def test_worked_example_exposed_on_a_thursday_evening_in_madrid() -> None:
    #  Thu 5 Mar 22:00   E.......|.......|       first 14 days, per week
    #                    5 ... 11|12 . 18|       n = 2, mature once the data cover the 18th
    text = "did: like\nper: week\nover: first 14 days"
    assert value(text, [("2026-03-05 21:59", "like")]) == 0  # before the exposure
    assert value(text, [("2026-03-11 23:59", "like")]) == Fraction(1, 2)
    assert value(text, [("2026-03-11 23:59", "like"), ("2026-03-12 00:00", "like")]) == 1
    assert value(text, [("2026-03-19 00:00", "like")]) == 0  # the day after the window
    assert reason(text, [], "2026-03-17") == "immature"
    assert value(text, [], through="2026-03-18") == 0


def test_ruling_04_blocks_start_at_the_first_date_of_the_window() -> None:
    #  day 0 1 2 |3 ..... 9|10 ... 16|      over: days 3-16, per week: days 3-9 and 10-16
    text = "did: like\nper: week\nover: days 3-16\nvalue: count"
    assert value(text, [("2026-03-07 10:00", "like")]) == 0  # day 2
    assert value(text, [("2026-03-08 10:00", "like"), ("2026-03-14 10:00", "like")]) == 1  # days 3 and 9: one block
    assert value(text, [("2026-03-14 23:59", "like"), ("2026-03-15 00:00", "like")]) == 2  # days 9 and 10


def test_ruling_04_a_fixed_window_is_a_whole_number_of_periods() -> None:
    assert codes("did: like\nper: week\nover: first 10 days") == ["E308"]
    assert codes("did: like\nper: week\nvalue: ever") == ["E305"]


def test_ruling_04_a_unit_without_a_complete_block_is_missing() -> None:
    #  E.....|      whole, per week: T = 10: six days, no block     T = 11: one block
    text = "did: like\nper: week\nover: whole"
    assert reason(text, [("2026-03-06 10:00", "like")], "2026-03-10") == "missing"
    assert value(text, [("2026-03-06 10:00", "like")], through="2026-03-11") == 1
    assert value(text, [("2026-03-06 10:00", "like")], through="2026-03-17") == 1  # the second week does not exist yet
    assert value(text, [("2026-03-06 10:00", "like")], through="2026-03-18") == Fraction(1, 2)


def test_ruling_04_an_open_window_without_a_complete_day_is_missing() -> None:
    assert reason("did: like", [("2026-03-05 23:00", "like")], "2026-03-04") == "missing"
    assert value("did: like", [("2026-03-05 23:00", "like")], through="2026-03-05") == 1
    assert reason("did: like\nover: from day 2", [], "2026-03-06") == "missing"
    assert value("did: like\nover: from day 2", [], through="2026-03-07") == 0


def test_ruling_04_gaps_move_forward_and_folds_take_the_first() -> None:
    #  Madrid 29 Mar: 02:00 -> 03:00      02:30 does not exist, 03:30 summer time is meant
    #  Madrid 25 Oct: 03:00 -> 02:00      02:30 exists twice, the first is meant
    #  Lord Howe 4 Oct: 02:00 -> 02:30    half an hour
    assert at("2026-03-29 02:30") == at("2026-03-29 03:30")
    assert at("2026-10-25 02:30").isoformat() == "2026-10-25T00:30:00+00:00"
    assert at("2026-10-04 02:15", "Australia/Lord_Howe") == at("2026-10-04 02:45", "Australia/Lord_Howe")


def test_ruling_04_a_day_is_a_local_date_of_23_24_or_25_hours() -> None:
    #  Madrid   Sat 28 Mar  E | Sun 29 (23 h) | Mon 30        day 1 ends 23 hours after it began
    spring = Setting(MADRID, date(2026, 3, 28), date(2026, 3, 28))
    text = "did: like\nover: day 1"
    late, early = [("2026-03-29 23:59", "like")], [("2026-03-30 00:00", "like")]
    assert judge(text, late, "2026-03-28 12:00", setting=spring).value == 1
    assert judge(text, early, "2026-03-28 12:00", setting=spring).value == 0
    #  New York Sat 31 Oct  E | Sun 1 Nov (25 h) | Mon 2
    autumn = Setting("America/New_York", date(2026, 10, 31), date(2026, 10, 31))
    midnight = at("2026-11-01 00:00", autumn.timezone)
    inside = [Row("u", "like", midnight + timedelta(hours=25) - MICROSECOND)]
    beyond = [Row("u", "like", midnight + timedelta(hours=25))]
    assert judge(text, inside, "2026-10-31 12:00", setting=autumn).value == 1
    assert judge(text, beyond, "2026-10-31 12:00", setting=autumn).value == 0
    #  Lord Howe Sat 4 Apr E | Sun 5 Apr (24.5 h)
    island = Setting("Australia/Lord_Howe", date(2026, 4, 4), date(2026, 4, 4))
    midnight = at("2026-04-05 00:00", island.timezone)
    inside = [Row("u", "like", midnight + timedelta(hours=24, minutes=29))]
    assert judge(text, inside, "2026-04-04 12:00", setting=island).value == 1


# Ruling 5: spreads ---------------------------------------------------------------------------------------------------


def likes(*days: int, each: int = 1) -> list[tuple[str, str]]:
    """Likes at noon of days after 6 March (the first full day after the usual exposure is day 1)."""
    return [(f"{date(2026, 3, 5) + timedelta(days=d)} 12:00", "like") for d in days for _ in range(each)]


def test_ruling_05_a_spread_judges_each_day_alone() -> None:
    #  day 1: 4 likes, day 3: 3 likes, day 5: 4 likes        4 likes on 2 days: days 1 and 5
    happened = [*likes(1, 5, each=4), *likes(3, each=3)]
    text = "did: like >= 4 on {}\nper: week\nover: first 7 days"
    assert value(text.format("2 days"), happened) == 1
    assert value(text.format("3 days"), happened) == 0
    assert value(text.format("= 2 days"), happened) == 1
    assert value(text.format("< 2 days"), happened) == 0
    assert value("did: (like >= 3) on 3 days\nover: first 7 days", happened) == 1


def test_ruling_05_a_silent_day_is_a_day() -> None:
    #  day  0 1 2 3 4 5 6
    #       . L . . L . .       no like on 5 days, not on 6; like <= 0 on every day fails
    text = "did: (no like) on {}\nover: first 7 days"
    assert value(text.format("5 days"), likes(1, 4)) == 1
    assert value(text.format("6 days"), likes(1, 4)) == 0
    assert value(text.format("every day"), likes(1, 4)) == 0
    assert value(text.format("every day"), []) == 1


def test_ruling_05_without_per_a_spread_counts_blocks_of_the_window() -> None:
    #  E......|.......|   first 14 days, like in every week; sub-blocks start at the first day of the window
    assert value("did: like in every week\nover: first 14 days", likes(6, 7)) == 1
    assert value("did: like in every week\nover: first 14 days", likes(1, 6)) == 0
    assert value("did: like in every week\nover: days 3-16", likes(6, 7)) == 0  # days 3-9 hold both
    assert value("did: like in every week\nover: days 3-16", likes(9, 10)) == 1


def test_ruling_05_nested_spreads_get_finer() -> None:
    #  week 0: days 1 2 3    week 1: days 8 9    week 2: days 14 15 16    week 3: silent
    text = "did: (like on {} days) in {} weeks\nover: first 28 days"
    happened = likes(1, 2, 3, 8, 9, 14, 15, 16)
    assert value(text.format(3, 2), happened) == 1
    assert value(text.format(3, 3), happened) == 0
    assert value(text.format(2, 3), happened) == 1
    assert value(text.format(2, 4), happened) == 0
    assert value("did: (like on 3 days) in 1 weeks\nper: 14 days\nover: first 28 days", happened) == 1
    assert value("did: (like on 3 days) in 2 weeks\nper: 14 days\nover: first 28 days", happened) == 0


def test_ruling_05_a_spread_stands_in_parentheses_and_divides_its_block() -> None:
    assert codes("did: like >= 4 on 2 days and post\nper: week") == ["E112"]
    assert codes("did: like on 2 days\nper: day") == ["E302"]
    assert codes("did: like in 2 weeks\nover: first 10 days") == ["E302"]
    assert codes("did: like on 2 days\nover: whole") == ["E302"]
    assert codes("did: (like in 1 weeks) on 2 days\nover: first 14 days") == ["E302"]


# Rulings 6, 7 and 9 (more in test_windows.py and test_kinds.py) -------------------------------------------------------


def test_ruling_06_looking_back_is_not_misread() -> None:
    #  E......|7 . . . . 13|       a like on day 3 is a week ago for week 1
    text = "did: like 1 week ago\nper: week\nover: days 7-13"
    since = Row("nobody", "post", at("2026-01-01 00:00"))
    assert value(text, [since, *(row(*h) for h in likes(3))]) == 1
    assert value(text, [since, *(row(*h) for h in likes(8))]) == 0
    assert codes("did: (like 1 day ago) on 2 days\nper: week") == ["E117"]
    assert codes("did: like 1 day ago\nper: week") == ["E117"]
    assert codes("did: like 1 week ago\nover: first 7 days") == ["E117"]


def test_ruling_07_churn_is_silence_at_the_end_of_the_own_window() -> None:
    #  day 0 ... 13 |14 ........ 27|      silent for 14 days of the first 28: nothing on days 14-27
    text = "did: no open\nover: days 14-27"
    assert value(text, [("2026-03-06 10:00", "open"), ("2026-03-18 23:59", "open")]) == 1  # days 1 and 13
    assert value(text, [("2026-03-19 00:00", "open")]) == 0  # day 14
    assert value(text, [("2026-04-02 10:00", "open")]) == 1  # day 28
    assert reason(text, [], "2026-03-31") == "immature"
    churn = "churn: open\nsilent: 14 days\nover: first 28 days"
    assert value(churn, [("2026-03-18 23:59", "open"), ("2026-04-02 10:00", "open")]) == 1
    assert value(churn, [("2026-03-19 00:00", "open")]) == 0


def test_ruling_09_a_chain_exists_in_time_order() -> None:
    happened = [("2026-03-06 10:00", "buy"), ("2026-03-06 11:00", "open"), ("2026-03-06 11:00", "buy")]
    assert value("funnel: open, buy\nover: first 7 days", happened) == 1
    assert value("funnel: open, buy\nover: first 7 days", happened[:2]) == 0
    assert value("time_to: open and buy\nover: first 7 days", happened) == 1
    assert codes("did: buy\nstarting_at: open\nover: first 7 days") == ["E316"]


# Ruling 8: which rows count ------------------------------------------------------------------------------------------


def test_ruling_08_rows_count_from_the_instant_of_exposure() -> None:
    #  x - 1 us   x   x + 1 us
    #     no     yes    yes
    x = at("2026-03-05 22:00:00.123456")
    one = [Row("u", "like", x + shift * MICROSECOND) for shift in (-1, 0, 1)]
    assert value("amount: like\nover: first 1 day", one, x) == 2


def test_ruling_08_dates_alone_count_from_the_date_of_exposure() -> None:
    #  4 Mar   5 Mar (exposed 22:00)   6 Mar       the whole 5th counts: nobody can say what came before 22:00
    log = [Row("u", "visit", date(2026, 3, d), {}, "web") for d in (4, 5, 6)]
    assert value("amount: visit\nover: first 7 days", log) == 2
    assert value("amount: visit\nover: days 1-6", log) == 1


def test_ruling_08_where_comes_first_and_a_missing_value_passes_no_test() -> None:
    #            amount: 20   5   missing
    happened = [("2026-03-06 10:00", "buy", "20"), ("2026-03-06 11:00", "buy", "5"), ("2026-03-06 12:00", "buy")]
    assert value("amount: big_buy\nover: first 7 days", happened) == 1
    assert value("amount: unpriced\nover: first 7 days", happened) == 1
    assert value("amount: not_small\nover: first 7 days", happened) == 2  # `not ( )` turns false around, missing or not
    assert value("amount: other_kind\nover: first 7 days", happened) == 0  # kind != gift, and no row has a kind
    assert value("amount: sum(buy.amount)\nover: first 7 days", happened) == 25
    assert value("did: mean(buy.amount) = 12.5\nover: first 7 days", happened) == 1


# Ruling 10: silence --------------------------------------------------------------------------------------------------


def test_ruling_10_a_silent_unit_has_every_block() -> None:
    #  E......|.......|.......|.......|      nothing at all
    assert value("did: like\nper: week\nover: first 28 days", []) == 0
    assert value("did: no like\nper: week\nover: first 28 days", []) == 1
    assert value("did: no like\nper: week\nover: first 28 days\nvalue: streak", []) == 4
    assert value("amount: like\nper: week\nover: first 28 days", []) == 0
    found = judge("ratio: {of: like, to: no like}\nper: week\nover: first 28 days", [])
    assert found == UnitValue("a", Fraction(0), Fraction(4))


def test_ruling_10_silent_blocks_between_active_ones_count() -> None:
    #  E.L....|.......|..L....|L......|
    text = "did: like\nper: week\nover: first 28 days\nvalue: {}"
    happened = likes(2, 16, 21)
    expected = {"share": Fraction(3, 4), "ever": 1, "always": 0, "last": 1, "count": 3, "streak": 2}
    assert {how: value(text.format(how), happened) for how in expected} == expected
    amounts = {"mean": Fraction(3, 4), "sum": 3, "min": 0, "max": 1, "last": 1}
    amount = "amount: like\nper: week\nover: first 28 days\nvalue: {}"
    assert {how: value(amount.format(how), happened) for how in amounts} == amounts


# Ruling 11: ratios ---------------------------------------------------------------------------------------------------


def test_ruling_11_a_bare_event_is_its_count_and_a_comparison_counts_blocks() -> None:
    #  E LL...|.......|L......|.......|      4 weeks, 3 likes, 2 weeks with a like
    happened = likes(1, 1, 14)

    def pair(of: str, to: str, more: str = "per: week\nover: first 28 days") -> list[Fraction | None]:
        found = judge(f"ratio:\n  of: {of}\n  to: {to}\n{more}", happened)
        return [found.value, found.denominator]

    assert pair("like", "like >= 1") == [3, 2]
    assert pair("like >= 2", "like or no like") == [1, 4]
    assert pair("like", "like >= 1", "over: first 28 days") == [3, 1]
    assert pair("days(like)", "like + 1") == [2, 7]  # a constant comes once per block
    assert value("amount: like", happened) == 3


def test_the_page_of_decisions_names_every_ruling_here_and_no_other() -> None:
    page = (Path(__file__).parents[2] / "docs" / "decisions" / "windows.md").read_text(encoding="utf-8")
    assert set(re.findall(r"test_ruling_\w+", page)) == {name for name in globals() if name.startswith("test_ruling_")}
