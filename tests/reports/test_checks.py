"""Trust checks in words: what was repaired, what is missing, and when there is nothing to read yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from abtest.analysis.health.table import CHECKS
from abtest.analysis.result import ArmValue, HealthCheck, LedgerStep, Result
from abtest.reports.appendix import ledger_tables, method_facts
from abtest.reports.health import EFFECT_CHECKS, check_text, check_texts, health_text
from abtest.reports.html import render_html
from abtest.reports.limits import limits
from abtest.reports.markdown import render_markdown
from abtest.reports.sections import build_page
from abtest.reports.terminal import render_terminal
from abtest.reports.wording import Wording

from .page import Page
from .sample_parts import untested
from .samples import build, samples


def said(key: str, level: str, values: dict[str, Any] | None, subject: str | None = None) -> str:
    w = Wording(build("ship", "one_goal"))
    return check_text(w, HealthCheck(key, "experiment", subject, level, None, values))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (27, "27 days, which is 3 full weeks and 6 days: not every weekday counts equally often."),
        (10, "10 days, which is 1 full week and 3 days: not every weekday counts equally often."),
        (8, "8 days, which is 1 full week and 1 day: not every weekday counts equally often."),
        (7, "7 days, exactly 1 full week: over more weeks, one unusual week weighs less."),
        (5, "5 days, less than a full week: some weekdays are not in the data."),
        (1, "1 day, less than a full week: some weekdays are not in the data."),
    ],
)
def test_weeks_and_days(days: int, expected: str) -> None:
    assert said("runtime", "note", {"days": days, "whole_weeks": days // 7}) == expected


def test_a_long_enough_run() -> None:
    assert said("runtime", "pass", {"days": 28, "whole_weeks": 4}) == "28 days: 4 full weeks"
    assert said("runtime", "pass", {"days": 27, "whole_weeks": 3}) == "27 days: 3 full weeks and 6 days"


def test_source_notes() -> None:
    two = said("late_or_future", "note", {"count": 15, "without_zone": 12, "fold": 3})
    assert two == (
        "12 times without a zone, read in the time zone of the project; "
        "3 local times that the clock change repeats, taken as the first."
    )
    assert said("late_or_future", "note", {"count": 1, "stray_future": 1}).startswith("1 time far beyond the end")
    many = said("bad_number", "note", {"count": 1061}, "orders")
    assert many.startswith("1,061 values are not numbers and count as missing (no number at all)")
    assert said("bad_number", "note", {"count": 1}, "orders").startswith("1 value is not a number")
    unknown = said("unknown_variant", "note", {"count": 4, "keys": "C, beta"})
    assert unknown == (
        "4 rows of the exposures name a variant that the experiment does not declare, and are left out: C, beta."
    )
    assert said("unknown_variant", "pass", {"count": 0, "keys": ""}) == "None."
    assert said("event_seen", "note", {"count": 0, "source": "app"}, "share").startswith("No row of app is this event")
    late = said("coverage", "note", {"days": 3, "first": "2026-05-07"}, "app")
    assert late.startswith("It begins on 7 May 2026, 3 days after the first exposure")
    assert said("row_loss", "pass", {"dropped": 1, "share": 0.1}) == "1 row"
    assert said("row_loss", "pass", {"dropped": 0, "share": 0.0}) == "None of note."


def test_the_ledger_shows_words_and_no_codes() -> None:
    base = build("ship", "one_goal")
    steps = (
        "no_id",
        "other_flag",
        "unknown_variant",
        "before_start",
        "after_end",
        "excluded",
        "after_enrolment",
        "used",
    )
    notes = ("without_zone", "stray_future", "gap", "fold", "bad_number", "odd_note")
    rows = replace(
        base.ledgers[0], steps=tuple(LedgerStep(s, 1) for s in steps), notes=tuple((note, 2) for note in notes)
    )
    units = replace(base.ledgers[1], steps=tuple(LedgerStep(s, 1) for s in ("excluded", "odd_step", "used")))
    cells = [row[0] for table in ledger_tables(Wording(replace(base, ledgers=(rows, units)))) for row in table.rows]
    assert not [cell for cell in cells if "_" in cell]
    assert len(set(cells)) == len(cells) - 1  # both ledgers end with what was used


def test_equal_checks_of_several_metrics_share_a_line() -> None:
    base = build("ship", "one_goal")
    values = {"share_immature": 0.0116, "mature_on": "2026-06-08"}
    again = HealthCheck("maturity", "metric", "revenue", "note", None, values)
    other = HealthCheck("maturity", "metric", "abuse", "note", None, {**values, "share_immature": 0.5})
    result = replace(base, health=(*base.health, again, other))
    w = Wording(result)
    names = [check.name for check in health_text(w).calls]
    assert "Complete windows: Engaged users and Revenue per user" in names
    assert "Complete windows: Abuse reports" in names
    assert "3 carry a note" not in health_text(w).lead
    assert "4 carry a note" in health_text(w).lead  # every check is counted, whatever shares a line
    assert render_terminal(result, colour=False).count("Complete windows") == 2


def test_checks_of_sources_stay_apart() -> None:
    base = build("ship", "one_goal")
    two = tuple(HealthCheck("bad_number", "experiment", s, "note", None, {"count": 3}) for s in ("a", "b"))
    found = check_texts(Wording(replace(base, health=two)))
    assert [check.name for _, check in found] == ["Values that are not numbers: a", "Values that are not numbers: b"]


def test_checks_that_passed_alike_share_a_line_and_so_do_reasons_not_to_run() -> None:
    base = build("ship", "one_goal")
    passed = tuple(HealthCheck("time_gaps", "experiment", s, "pass", None, {"count": 0}) for s in ("a", "b"))
    waiting = tuple(
        HealthCheck(key, "metric", None, "not_run", reason)
        for key, reason in (
            ("novelty", "no_time"),
            ("aa_calibration", "no_time"),
            ("response", "no_survey"),
        )
    )
    text = health_text(Wording(replace(base, health=(*passed, *waiting))))
    assert [c.name for c in text.passed] == ["Gaps in the log: a and b"]
    assert [(c.name, c.text) for c in text.not_run] == [
        ("Effect over time, Calibration of the metrics", "The data carry no time."),
        ("Who answers", "No survey is read."),
    ]
    assert len(text.all) == 4


def test_a_failed_check_says_what_usually_causes_it_and_what_to_do() -> None:
    seen = Page(render_html(build("dont_decide", "one_goal"))).seen
    assert "Find where units are lost or added" in seen
    assert "Find where units are lost or added" not in Page(render_html(build("ship", "one_goal"))).seen


def test_new_values_in_words() -> None:
    assert said("srm_by_day", "note", {"p_value": 0.004, "day_on": "2026-03-07"}).startswith(
        "The split is off on 7 March 2026"
    )
    assert said("freshness", "note", {"lag": 3, "first": "2026-03-07"}, "shop") == (
        "Its last row is of 7 March 2026, 3 days before the end of the other data."
    )
    assert said("exposure_days", "note", {"count": 1, "first": "2026-03-07"}).startswith(
        "Nobody came in on 7 March 2026"
    )
    assert "Control has no rows" in said(
        "arms_lag", "fail", {"variant": "control", "first": "2026-03-07", "expected": 40}
    )
    assert "differ in Engaged users before" in said(
        "pre_period", "note", {"p_value": 0.01, "covariate": "engaged_users"}
    )
    assert said("peeking", "note", {"looks": 10, "share": 0.193, "share_plan": 0.05}).count("19.3%") == 1
    assert "top 0.1% of units make 31% of the rows" in said("heavy_hitters", "note", {"top_share": 0.31, "heavy": None})


def test_checks_of_effects_are_checks_and_stay_hidden_when_a_check_failed() -> None:
    assert {c.key for c in CHECKS} >= EFFECT_CHECKS
    base = build("dont_decide", "one_goal")
    tell = HealthCheck(
        "dominance",
        "metric",
        "engaged_users",
        "note",
        None,
        {"share": 0.9, "group": "Atlantis", "segment": "continent"},
    )
    result = replace(base, health=(*base.health, tell))
    for text in (Page(render_html(result)).seen, render_markdown(result), render_terminal(result, colour=False)):
        assert "Atlantis" not in text
    valid = build("ship", "one_goal")
    assert "Atlantis" in Page(render_html(replace(valid, health=(*valid.health, tell)))).seen


def nobody() -> Result:
    """Three thousand users, and no window is complete."""
    base = build("keep_running", "one_goal")
    metrics = tuple(
        replace(
            m,
            arms=tuple(ArmValue(arm.variant, 1500, 0, 1500, 0, None) for arm in m.arms),
            comparisons=tuple(untested(c.variant, "no_mature_units") for c in m.comparisons),
        )
        for m in base.metrics
    )
    checks = (
        HealthCheck("srm", "experiment", None, "pass", None, {"p_value": 0.8}),
        HealthCheck("maturity", "metric", "engaged_users", "note", None, {"share_immature": 1.0, "mature_on": None}),
        HealthCheck("min_counts", "metric", "engaged_users", "note", None, {"units": 0, "conversions": 0}),
    )
    variants = tuple(replace(v, units=1500) for v in base.experiment.variants)
    return replace(
        base, metrics=metrics, health=checks, segments=(), experiment=replace(base.experiment, variants=variants)
    )


def test_nothing_to_read_yet() -> None:
    result = nobody()
    w = Wording(result)
    text = health_text(w)
    assert text.lead.startswith(
        "There is nothing to read yet: no window is complete yet. 1 of 3 checks passed, 2 carry"
    )
    assert [check.text for check in text.calls] == [
        "No window is complete yet.",
        "0 users in the smallest variant: nothing can be computed yet.",
    ]
    assert "Whether Engaged users changed: none of the 3,000 users has completed the window yet." in limits(w)
    for seen in (Page(render_html(result)).seen, render_markdown(result), render_terminal(result, colour=False)):
        assert "100%" not in seen
        assert "The data can be trusted" not in seen
        assert "Only 0" not in seen


def test_nobody_has_a_value() -> None:
    base = nobody()
    metrics = tuple(
        replace(m, arms=tuple(replace(a, immature=0, missing=a.immature) for a in m.arms)) for m in base.metrics
    )
    assert any(
        "none of the 3,000 users has a value" in text for text in limits(Wording(replace(base, metrics=metrics)))
    )


@pytest.mark.parametrize(
    ("windows", "part"),
    [
        (("first 21 days",), "(first 21 days)"),
        (("first 21 days", "days 7-13"), "(first 21 days and days 7-13)"),
        (("whole",), "after 28 days of data"),
        (("first 21 days", "from day 3"), "after 28 days of data"),
        ((None,), "after 28 days of data"),
    ],
)
def test_what_lies_beyond_the_time_that_is_seen(windows: tuple[str | None, ...], part: str) -> None:
    base = build("ship", "one_goal")
    goals = tuple(replace(base.goals[0], key=f"g{i}", window=window) for i, window in enumerate(windows))
    result = replace(base, metrics=(*goals, *base.metrics[1:]))
    assert any(part in text for text in limits(Wording(result)))
    assert part.removesuffix(" of data") in render_markdown(result)


def test_a_gain_that_is_not_shipped_is_not_planned_with() -> None:
    base = build("ship", "one_goal")
    against = replace(base, decision=replace(base.decision, verdict="dont_ship", reason="guardrail_broken"))
    assert limits(Wording(against))[0] == "How large the gain really is: the data fit anything from +2.4% to +5.9%."


def test_segments_count_the_two_arms_that_are_compared() -> None:
    rows = build_page(Wording(build("ship", "three_variants"))).evidence["segments"].tables[0].groups[0].rows
    assert [row.note for row in rows[:2]] == ["109,640 users", "109,640 users"]
    merged = build_page(Wording(build("ship", "three_variants"))).evidence["segments"].tables[0].groups[1].rows
    assert merged[-1].note == "3 small groups merged; 58,560 users"


def test_the_threshold_of_the_splits_is_named() -> None:
    def lead(result: Result) -> str:
        return build_page(Wording(result)).evidence["segments"].leads[0].replace("\u00a0", " ")

    base = build("ship", "one_goal")
    raw = replace(base, segments=tuple(replace(s, interaction_p=0.045) for s in base.segments))
    near = replace(raw, segments=tuple(replace(s, interaction_p_adjusted=0.09) for s in raw.segments))
    assert lead(near) == (
        "The change does not clearly differ between the groups of any split; "
        "that would need an adjusted p < 0.05 in one of 2 tests (Benjamini–Hochberg)."
    )
    clear = replace(near, segments=(replace(near.segments[0], interaction_p_adjusted=0.03), near.segments[1]))
    assert lead(clear) == (
        "The change differs between the groups of Platform (adjusted p < 0.05; 2 tests, Benjamini–Hochberg)."
    )
    assert lead(replace(near, segments=near.segments[:1])) == (
        "The change differs between the groups of Platform (p < 0.05)."
    )
    plain = replace(raw, plan=replace(raw.plan, correct_segments="none"))
    assert lead(plain) == (
        "The change differs between the groups of Platform and Market (p < 0.05). "
        "The 2 tests are not adjusted for their number, so one may look clear by chance."
    )


def test_raw_and_adjusted_p_of_a_split_and_shrunken_changes_stand_side_by_side() -> None:
    result = samples()["beside-ship-one_goal"]
    page = build_page(Wording(result)).evidence["segments"]
    group = page.tables[0].groups[1]
    assert group.note.replace("\u00a0", " ") == "difference between groups: p = 0.21, adjusted p = 0.42"
    assert group.rows[0].extra.replace("\u00a0", " ") == "shrunken +0.51 points (+0.32 to +0.70 points)"
    assert "shrunken" in page.leads[1]


def test_the_method_takes_no_side_on_units_seen_in_several_variants() -> None:
    text = " ".join(dict(method_facts(Wording(build("ship", "one_goal"))))["Who is counted"])
    assert "met first" not in text
    assert "each counted in one variant" in text


def test_titles_keep_their_case_in_sentences() -> None:
    base = build("ship", "one_goal")
    goal = replace(base.goals[0], title="Instagram shares")
    text = render_markdown(replace(base, metrics=(goal, *base.metrics[1:])))
    assert "raised Instagram shares by about 4%" in text
    assert "instagram" not in text


def test_points_are_named_in_the_terminal() -> None:
    text = render_terminal(build("ship", "one_goal"), width=120, colour=False)
    line = next(line for line in text.split("\n") if "Crash-free sessions" in line)
    assert "−0.01 points  −0.06 to +0.04" in line


def test_an_interval_is_not_broken_in_the_card() -> None:
    lines = dict(build_page(Wording(build("ship", "one_goal"))).card.lines)
    assert "(+0.31\u00a0to\u00a0+0.75\u00a0points)" in lines["Difference"] or "\u00a0to\u00a0" in lines["Difference"]
    label = build_page(Wording(build("keep_running", "one_goal"))).evidence["goal"].tables[0].columns["change"]
    assert label == "Change (95% always\u2011valid band)"


def drift(**values: Any) -> str:
    return said("config_drift", "note", {"first_look_on": None, "deciding": None, "more": None, **values})


def test_changes_of_the_plan_are_named_and_the_rest_is_counted() -> None:
    one = drift(count=1, change_1="power: 80% -> 90%", first_look_on="2026-05-07")
    assert one == "One thing was changed after the first look (data through 7 May 2026): power: 80% → 90%."
    many = {f"change_{i}": f"change {i}" for i in range(1, 7)}
    strong = drift(count=9, deciding=2, more=3, **many)
    assert strong.startswith("9 things were changed after the first look: change 1; change 2; ")
    assert "; change 6; and 3 more. A goal, a guardrail, its margin or an error rate is among them: " in strong
    assert drift(count=7, more=1, **many).endswith("; change 6; and one more.")
    assert (
        said("config_drift", "pass", {"count": 0, "first_look_on": "2026-05-07"})
        == "As stamped with data through 7 May 2026."
    )
    assert said("config_drift", "pass", {"count": 0, "first_look_on": None}) == "As stamped."
    assert drift(count=2) == "2 things were changed after the first look."


def test_what_a_lock_says_is_shown_as_text_only() -> None:
    """The old side of a change comes from a file that anybody may have written."""
    base = build("ship", "one_goal")
    text = "only: country = '\u202e<script>alert(1)</script>\n\x1b[31m' -> (none)"
    check = HealthCheck("config_drift", "experiment", None, "note", None, {"count": 1, "change_1": text})
    result = replace(base, health=(check,))
    page = render_html(result)
    assert "<script>alert" not in page
    assert "alert(1)" in Page(page).seen
    assert "\x1b" not in render_terminal(result, colour=False)
    assert "\u202e" not in Page(page).seen


@pytest.mark.parametrize(
    ("stamp", "words"), [("added_later", "added after the start"), ("changed_later", "changed after the start")]
)
def test_a_metric_that_was_not_planned_so_is_marked_in_every_role(stamp: str, words: str) -> None:
    base = build("ship", "one_goal")
    for role in ("goal", "guardrail", "secondary", "explore"):
        marked = tuple(replace(m, stamps=(stamp,)) if m.role == role else m for m in base.metrics)
        if marked == base.metrics:
            continue
        result = replace(base, metrics=marked)
        assert words in Page(render_html(result)).seen, role
        assert words not in Page(render_html(base)).seen
        if role in ("goal", "guardrail"):
            assert f"({words})" in render_markdown(result)
