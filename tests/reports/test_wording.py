from __future__ import annotations

from dataclasses import replace

import pytest

from abtest.analysis.result import Interval, Result
from abtest.reports.limits import facts, limits
from abtest.reports.numbers import Numbers
from abtest.reports.svg import Scale, forest_scale, mark, ticks
from abtest.reports.text import clean, clip, columns, fit, isolate
from abtest.reports.verdict import rule_lines, sentence
from abtest.reports.wording import Shown, Wording

from .samples import build, samples


def text_of(result: Result, key: str, interval: Interval, *, relative: bool = True) -> tuple[str, str]:
    w = Wording(result)
    change = w.change(result.metric(key), Shown(interval, relative, False))
    return change.estimate.replace("\u00a0", " "), change.interval.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (Interval(0.0413, 0.0238, 0.0588), ("+4.1%", "+2.4% to +5.9%")),
        (Interval(-0.004, -0.033, 0.025), ("−0.4%", "−3.3% to +2.5%")),
        (Interval(0.011, 0.0003, 0.02), ("+1.10%", "+0.03% to +2.00%")),
        (Interval(0.0, -0.01, 0.01), ("0.0%", "−1.0% to +1.0%")),
        (Interval(12.5, 2.0, None), ("+1,250.0%", "+200.0% or more")),
        (Interval(0.1, None, 0.2), ("+10.0%", "+20.0% or less")),
    ],
)
def test_changes_carry_signs_units_and_enough_decimals(interval: Interval, expected: tuple[str, str]) -> None:
    assert text_of(build("ship", "one_goal"), "engaged_users", interval) == expected


@pytest.mark.parametrize(
    ("key", "interval", "expected"),
    [
        ("engaged_users", Interval(0.0053, 0.0031, 0.0075), ("+0.53 points", "+0.31 to +0.75 points")),
        ("nps_guard", Interval(0.5, -2.1, 3.1), ("+0.5 points", "−2.1 to +3.1 points")),
        ("revenue", Interval(-0.008, -0.063, 0.048), ("−$0.008", "−$0.063 to +$0.048")),
        ("latency", Interval(36.0, 19.0, 53.5), ("+36.0 ms", "+19.0 ms to +53.5 ms")),
    ],
)
def test_absolute_changes_are_in_the_unit_of_the_metric(
    key: str, interval: Interval, expected: tuple[str, str]
) -> None:
    assert text_of(build("ship", "one_goal"), key, interval, relative=False) == expected


def test_margins_have_the_sign_of_the_bad_direction() -> None:
    result = build("ship", "one_goal")
    w = Wording(result)
    found = {}
    for metric in result.guardrails:
        margin = metric.comparisons[0].margin
        assert margin is not None
        found[metric.key] = w.margin(metric, margin).replace("\u00a0", " ")
    assert found == {
        "revenue": "−4%",
        "latency": "+5%",
        "crash_free": "−0.1 points",
        "abuse": "+8%",
        "nps_guard": "−4 points",
    }


SENTENCES = {
    "ship-one_goal": "Photo composer v3 raised Engaged users by about 4% (95% interval +2.4% to +5.9%), "
    "and all five guardrails held.",
    "ship-no_guardrail": "Photo composer v3 raised Engaged users by about 4% (95% interval +2.4% to +5.9%); "
    "no guardrail was set.",
    "ship-three_variants": "Composer v3 raised Engaged users by about 4% (95% interval +2.4% to +5.9%), "
    "and all five guardrails held.",
    "dont_ship-one_goal": "Photo composer v3 lowered Engaged users by about 3% (95% interval −4.7% to −1.5%), "
    "which is a change for the worse.",
    "dont_ship-no_segments": "No clear gain after the full 28 days: the data fit a change in Engaged users "
    "between −0.6% and +3.0%.",
    "dont_ship-three_goals": "Upload latency, p95 broke its margin of +5%, whatever Engaged users gained.",
    "keep_running-one_goal": "Too early to tell: after 15 of 28 days, the data fit a change in Engaged users "
    "between −0.9% and +5.1%.",
    "dont_decide-one_goal": "A health check failed: the groups differ in size more than chance explains. "
    "No result can be trusted until this is fixed.",
    "zero": "No goal could be tested: no units in at least one variant.",
}


@pytest.mark.parametrize("name", SENTENCES)
def test_the_verdict_in_one_sentence(name: str) -> None:
    assert sentence(Wording(samples()[name])) == SENTENCES[name]


def test_a_result_without_time_says_no_days() -> None:
    result = replace(samples()["no_time"], decision=build("dont_ship", "no_segments").decision)
    assert sentence(Wording(result)).startswith("No clear gain: the data fit")


def test_the_rule_line_by_line() -> None:
    lines = [(line.chip.tone, line.text) for line in rule_lines(Wording(build("ship", "one_goal")))]
    assert lines == [
        ("good", "Goal met: the interval lies above zero (+2.4% to +5.9%)"),
        ("good", "Guardrails: 5 of 5 held; worse within its margin: Upload latency, p95"),
        ("good", "Health: 12 of 14 checks passed, 2 notes, 0 failed, 1 not run"),
        ("good", "Ran as planned: 28 of 28 days, 214,306 users"),
    ]


def test_read_early_nothing_is_decided_and_the_end_is_named() -> None:
    lines = [(line.chip.tone, line.text) for line in rule_lines(Wording(build("keep_running", "one_goal")))]
    assert lines[0] == ("flat", "Goal: open, the band still contains zero (−0.9% to +5.1%)")
    assert lines[3] == ("flat", "Planned end: 31 May 2026, 13 days to go; decide then, not earlier")


def test_read_early_without_a_band_a_clear_state_stays_open() -> None:
    base = build("keep_running", "one_goal")
    bare = replace(base.goals[0].comparisons[0], always_valid=None, always_valid_absolute=None)
    w = Wording(replace(base, metrics=(replace(base.goals[0], comparisons=(bare,)), *base.metrics[1:])))
    assert bare.state == "better"
    assert w.state(bare) == "open"
    shown = w.shown(bare)
    assert shown is not None
    assert "single look" in w.change(base.goals[0], shown).label


def test_two_to_four_limits_always(sample: Result) -> None:
    found = limits(Wording(sample))
    assert 2 <= len(found) <= 4
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("ship-one_goal", "may be as small as +2.4%"),
        ("ship-one_goal", "each of the 214,306 users is followed for a fixed time only (first 28 days)"),
        ("dont_ship-no_segments", "fits both a small rise and a small fall (−0.6% to +3.0%)"),
        ("ship-three_variants", "Each was compared with Control alone"),
        ("ship-no_guardrail", "no guardrail was set"),
        ("no_time", "the data carry no time"),
        ("dont_decide-one_goal", "they can be wrong in either direction"),
        ("dont_ship-one_goal", "the data fit anything from −4.7% to −1.5%"),
    ],
)
def test_what_the_result_does_not_tell(name: str, part: str) -> None:
    assert any(part in text for text in limits(Wording(samples()[name])))


def test_facts_that_are_not_known_are_not_listed() -> None:
    names = [name for name, _ in facts(Wording(samples()["no_time"]))]
    assert names == ["Users", "Split", "Confidence"]
    assert ("Dates", "4 – 31 May 2026") in facts(Wording(build("ship", "one_goal")))


def test_numbers_of_another_language() -> None:
    dutch = Numbers(",", ".")
    assert dutch.fixed(-214306.25, 1) == "−214.306,2"
    assert dutch.trimmed(2.50) == "2,5"


def test_small_numbers_round_to_a_zero_without_sign() -> None:
    assert Numbers().fixed(-0.0001, 2, sign=True) == "0.00"


def test_clean_text_has_no_controls() -> None:
    assert clean("a\r\n\tb\x00\x9b31m\u202ec\ud800") == "a b 31mc"
    assert clip("word " * 10, 12) == "word word…"
    assert isolate("abc") == "abc"
    assert isolate("שלום") == "\u2068שלום\u2069"
    assert (columns("日本"), columns("é"), columns("e\u0301")) == (4, 1, 1)
    assert fit("日本語", 5) == "日本…"


def test_a_wild_interval_does_not_flatten_the_others() -> None:
    rows = [(-0.01, 0.0, 0.01), (0.0, 0.01, 0.02), (-0.01, 0.01, 0.03), (-9.0, 1.0, 11.0)]
    scale = forest_scale(rows)
    assert scale.high < 0.2
    wild = mark(scale, rows[3])
    assert (wild.left, wild.right, wild.dot) == ("0%", "100%", "")
    assert wild.arrow_left
    assert wild.arrow_right


def test_ticks_are_round_and_include_zero() -> None:
    found = ticks(Scale(-0.013, 0.061))
    assert [tick.value for tick in found] == [0.0, 0.02, 0.04, 0.06]
    assert [tick.zero for tick in found] == [True, False, False, False]


def test_a_scale_without_spread_still_works() -> None:
    scale = forest_scale([(0.0, 0.0, 0.0)])
    assert scale.low < 0 < scale.high
    assert ticks(scale)


def test_whole_values_of_one_column_have_no_decimals() -> None:
    """A histogram of days once listed 1.00, 2.00 and "7.00 to 22.0"."""
    result = build("ship", "one_goal")
    w = Wording(result)
    counted = replace(result.metrics[0], unit_of_value="count")
    assert w.marks(counted, [0.0, 1.0, 22.0, 1200.0]) == ("0", "1", "22", "1,200")
    assert w.marks(counted, [0.0, 1.5]) == (w.value(counted, 0.0), w.value(counted, 1.5))
    share = replace(counted, unit_of_value="share")
    assert w.marks(share, [0.0, 1.0]) == (w.value(share, 0.0), w.value(share, 1.0))
