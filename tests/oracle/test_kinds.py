"""Funnels, times, groups and surveys, worked by hand."""

from __future__ import annotations

from fractions import Fraction

from .judging import MICROSECOND, X, at, codes, judge, judge_all, many, on, pair, reason, value
from .oracle import Row

WEEK = "over: first 7 days"


def shop(steps: str = "open, like, buy", **more: str) -> str:
    lines = [f"  {key.rstrip('_')}: {text}" for key, text in more.items()]
    return "\n".join(["funnel:", f"  steps: [{steps}]", *lines, WEEK])


def clicked(*steps: tuple[str, str], **more: str) -> list[Row]:
    return [on(1, name, clock, **more) for name, clock in steps]


def test_a_chain_of_steps_in_order_of_time() -> None:
    assert value(shop(), clicked(("open", "10:00"), ("like", "10:01"), ("buy", "10:02"))) == 1
    assert value(shop(), clicked(("like", "10:00"), ("open", "10:01"), ("buy", "10:02"))) == 0
    assert (
        value(shop(), clicked(("open", "10:00"), ("like", "10:00"), ("buy", "10:00"))) == 1
    )  # equal times are ordered
    assert value(shop(), [on(0, "open", "21:00"), *clicked(("like", "10:00"), ("buy", "10:01"))]) == 0
    assert reason(shop(), through="2026-03-10") == "immature"


def test_a_chain_exists_although_the_first_match_leads_nowhere() -> None:
    #  open 10:00, open 11:00, like 11:30: within an hour only from the second
    happened = clicked(("open", "10:00"), ("open", "11:00"), ("like", "11:30"))
    assert value(shop("open, like", within="1 hour"), happened) == 1
    assert value(shop("open, like", within="1 hour"), [happened[0], happened[2]]) == 0


def test_neighbours_are_different_rows() -> None:
    again = "{first: like}, {again: like}"
    assert value(shop(again), clicked(("like", "10:00"))) == 0
    assert value(shop(again), clicked(("like", "10:00"), ("like", "10:00"))) == 1
    #  steps that are not neighbours may share a row, at one time
    assert value(shop("{a: like}, {b: open}, {c: like}"), clicked(("like", "10:00"), ("open", "10:00"))) == 1


def test_within_is_exact_and_counts_from_the_step_before() -> None:
    start = at("2026-03-06 10:00")
    hour = at("2026-03-06 11:00") - start

    def chain(*times: object) -> list[Row]:
        return [Row("u", name, time) for name, time in zip(("open", "like", "buy"), times, strict=True)]  # type: ignore[arg-type]

    text = shop(within="1 hour")
    assert value(text, chain(start, start + hour, start + 2 * hour)) == 1
    assert value(text, chain(start, start + hour, start + 2 * hour + MICROSECOND)) == 0


def test_from_exposure_the_first_step_is_in_time_too() -> None:
    text = shop("open, like", within="2 hours", from_="exposure")
    soon = [on(0, "open", "23:59"), on(1, "like", "01:00")]
    late = [on(1, "open", "00:01"), on(1, "like", "01:00")]
    assert [value(text, soon), value(text, late)] == [1, 0]
    assert value(shop("open, like", within="2 hours", from_="first step"), late) == 1


def test_dates_are_multiples_of_24_hours() -> None:
    text = shop("visit, sale", within="1 day")
    assert value(text, [on(1, "visit"), on(2, "sale")]) == 1
    assert value(text, [on(1, "visit"), on(3, "sale")]) == 0
    assert value(text, [on(2, "visit"), on(2, "sale")]) == 1
    from_exposure = shop("visit, sale", within="1 day", from_="exposure")
    assert value(from_exposure, [on(1, "visit"), on(1, "sale")]) == 1  # from the date of exposure
    assert value(from_exposure, [on(2, "visit"), on(2, "sale")]) == 0


def test_all_rows_share_a_property_and_neighbours_differ_in_one() -> None:
    def chain(*values: tuple[str | None, str | None]) -> list[Row]:
        names = ("open", "like", "buy")
        return [on(1, n, f"10:0{i}", kind=k, device=d) for i, (n, (k, d)) in enumerate(zip(names, values, strict=True))]

    same, different = shop(same="kind"), shop(different="device")
    assert value(same, chain(("a", None), ("a", None), ("a", None))) == 1
    assert value(same, chain(("a", None), ("a", None), ("b", None))) == 0
    assert value(same, chain(("a", None), (None, None), ("a", None))) == 0
    assert value(different, chain((None, "p"), (None, "t"), (None, "p"))) == 1  # neighbours only
    assert value(different, chain((None, "p"), (None, "p"), (None, "t"))) == 0
    assert value(different, chain((None, "p"), (None, "t"), (None, None))) == 0
    mixed = [
        *clicked(("open", "10:00"), kind="a"),
        *clicked(("like", "10:01"), kind="b"),
        *clicked(("buy", "10:02"), kind="a"),
    ]
    assert value(same, mixed) == 0
    assert value(same, [*mixed, *clicked(("like", "10:01"), kind="a")]) == 1


# Times ---------------------------------------------------------------------------------------------------------------


def test_the_time_to_a_condition_is_the_first_tick_on_which_it_holds() -> None:
    text = "time_to: like >= 3\n" + WEEK
    assert value(text, many("like", 1, 3, 4)) == 4
    assert value(text, many("like", 0, each=3)) == 7  # noon of day 0 lies before the exposure
    assert value(text, [on(0, "like", "23:00")] * 3) == 0
    assert value(text, many("like", 1, 3)) == 7
    assert value("time_to: like and post\nover: days 3-9", [on(3, "like"), on(5, "post")]) == 2
    assert value("time_to: like\nover: first 48 hours", [on(1, "like", "00:30")]) == 2
    assert value("time_to: like\nover: first 90 minutes", [on(0, "like", "22:05:59")]) == 5
    assert reason(text, many("like", 1, each=3), "2026-03-10") == "immature"
    assert codes("time_to: like < 3\n" + WEEK) == ["E317"]


# Groups --------------------------------------------------------------------------------------------------------------

SUPER = [*many("like", 1, each=5), *many("post", 1, each=2)]


def test_a_unit_stands_on_the_first_rung_that_holds() -> None:
    def standing(*happened: Row) -> list[str]:
        rungs = ("super", "regular", "explorer", "dormant")
        return [r for r in rungs if value(f"group: level\nis: {r}\n{WEEK}", happened)]

    assert standing(*SUPER) == ["super"]
    assert standing(*many("like", 1, each=2), *many("open", 1)) == ["regular"]
    assert standing(*many("open", 1)) == ["explorer"]
    assert standing() == ["dormant"]


def test_rungs_and_above_ranks_and_shares() -> None:
    assert value(f"group: level\nat_least: regular\n{WEEK}", SUPER) == 1
    assert value(f"group: level\nat_least: regular\n{WEEK}", many("open", 1)) == 0
    #  super without an app_open: rungs 3, 2 and 1 are reached, as whoever meets a rung stands above those below
    assert value(f"group: level\nas: rank\n{WEEK}", SUPER) == 3
    assert value(f"group: level\nas: rank\n{WEEK}", []) == 0
    #  week 0: super, week 1: explorer: mean 2, sum 4; not dormant in both
    weeks = "per: week\nover: first 14 days"
    both = [*SUPER, *many("open", 8)]
    assert value(f"group: level\nas: rank\n{weeks}", both) == 2
    assert value(f"group: level\nas: rank\n{weeks}\nvalue: sum", both) == 4
    assert value(f"group: level\nas: share\n{weeks}", both) == 1
    assert value(f"group: level\nis: explorer\n{weeks}\nvalue: last", both) == 1


def test_who_climbs_needs_every_rung_below() -> None:
    def rank(*names: str) -> Fraction | None:
        return value(f"group: climb\nas: rank\n{WEEK}", [on(1, name) for name in names])

    assert [rank(), rank("open"), rank("like"), rank("open", "like"), rank("open", "post")] == [0, 1, 0, 2, 1]
    assert rank("open", "like", "post") == 3
    assert value(f"group: climb\nis: first\n{WEEK}", [on(1, "open"), on(1, "post")]) == 1


def answer(day: int, clock: str = "12:00", unit: str = "u", **codes: str | None) -> Row:
    return on(day, "trust" if "q1" in codes else "nps", clock, unit, **codes)


def test_cells_of_a_cross_are_over_units_whose_letters_are_known() -> None:
    over = "over: first 28 days"
    buyer, fan, critic = many("buy", 1), [answer(2, score="9")], [answer(2, score="3")]
    assert value(f"group: fan\nis: FA\n{over}", [*buyer, *fan]) == 1
    assert value(f"group: fan\nis: FA\n{over}", [*buyer, *critic]) == 0
    assert value(f"group: fan\nis: F_\n{over}", [*buyer, *critic]) == 1
    assert reason(f"group: fan\nis: FA\n{over}", buyer) == "missing"
    assert reason(f"group: fan\nis: __\n{over}", []) == "missing"
    assert value(f"group: fan\nis: __\n{over}", critic) == 1


# Surveys -------------------------------------------------------------------------------------------------------------


def test_scores_of_answers() -> None:
    def scored(survey: str, **codes: str) -> Fraction | None:
        return value(f"survey: {survey}\n{WEEK}", [answer(1, **codes)])

    assert [scored("nps", score=str(n)) for n in (0, 6, 7, 8, 9, 10)] == [-100, -100, 0, 0, 100, 100]
    assert [scored("happy", score=str(n)) for n in (8, 9, 10)] == [0, 1, 1]
    assert [scored("missed", feel=label) for label in ("very", "somewhat", "not")] == [1, 0, 0]


def test_items_are_averaged_with_reversed_ones_turned() -> None:
    text = f"survey: trust\n{WEEK}"
    #  5, 4, turned 2 -> 4, 3: 16 / 4
    assert value(text, [answer(1, q1="5", q2="4", q3="2", q4="3")]) == 4
    #  three of four (ceil(2 * 4 / 3) = 3 are needed): 5, 4, turned 1 -> 5
    assert value(text, [answer(1, q1="5", q2="4", q3="1", q4=None)]) == Fraction(14, 3)
    assert reason(text, [answer(1, q1="5", q2=None, q3="1", q4=None)]) == "missing"


def test_which_answer_of_a_unit_counts() -> None:
    given = [answer(1, "10:00", score="10"), answer(3, "10:00", score="7"), answer(2, "10:00", score="2")]
    assert value(f"survey: nps\n{WEEK}", given) == 0
    assert value(f"survey: first_nps\n{WEEK}", given) == 100
    assert value(f"survey: mean_nps\n{WEEK}", given) == 0
    assert value(f"survey: mean_nps\n{WEEK}", given[:2]) == 50
    #  at equal times the last is the larger, the first the smaller
    tie = [answer(1, score="10"), answer(1, score="2")]
    assert [value(f"survey: {s}\n{WEEK}", tie) for s in ("nps", "first_nps")] == [100, -100]


def test_answers_before_exposure_or_after_the_window_are_none() -> None:
    assert reason(f"survey: nps\n{WEEK}", [answer(0, "21:59", score="10"), answer(7, score="10")]) == "missing"
    assert value(f"survey: nps\n{WEEK}", [answer(0, "22:00", score="10")]) == 100
    assert reason("survey: nps", [answer(9, score="9")], "2026-03-13") == "missing"


def test_raw_answers_in_conditions() -> None:
    text = f"did: answer({{}}) {{}}\n{WEEK}"
    assert value(text.format("nps", ">= 9"), [answer(1, score="9")]) == 1
    assert value(text.format("nps", "< 9"), []) == 0  # no answer: every comparison is false
    assert value(text.format("missed", "<= 2"), [answer(1, feel="somewhat")]) == 1
    assert value(text.format("trust", "= 4"), [answer(1, q1="5", q2="4", q3="2", q4="3")]) == 1
    assert value(text.format("mean_nps", "= 6"), [answer(1, score="10"), answer(2, score="2")]) == 1
    assert value(f"amount: answer(nps)\nmissing: drop\n{WEEK}", [answer(1, score="7")]) == 7


def test_answers_alone_are_complete_when_the_events_are() -> None:
    #  the answers do not end, the events do: with T = 10 March the 7 days are not over
    text = f"survey: nps\n{WEEK}"
    assert judge(text, [answer(1, score="9")], through="2026-03-10").reason == "immature"
    assert judge(text, [answer(1, score="9")], through="2026-03-11").value == 100


def test_answers_of_units_are_their_own() -> None:
    found = judge_all(f"survey: nps\n{WEEK}", [answer(1, unit="v", score="9")], {"u": X, "v": X})
    assert [found["u"].reason, found["v"].value] == ["missing", 100]
    assert pair(f"ratio: {{of: answer(nps) >= 9, to: answer(nps) >= 0}}\n{WEEK}", [answer(1, score="9")]) == (1, 1)
