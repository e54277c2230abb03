"""A plan with one look, read before its end: every output shows the band, says so, and calls nothing settled."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from abtest.analysis.result import Result
from abtest.reports import appendix
from abtest.reports.html import render_html
from abtest.reports.markdown import render_markdown
from abtest.reports.sections import build_page
from abtest.reports.terminal import render_terminal
from abtest.reports.wording import Wording

from .page import Page
from .samples import build

BAND = "95% always-valid band"


def clear() -> Result:
    """The early sample with a band clear of zero, and a secondary metric whose fixed test is clear but whose band is not."""
    base = build("keep_running", "one_goal")
    metrics = []
    for m in base.metrics:
        one = m.comparisons[0]
        if m.key == "engaged_users":
            assert one.relative is not None
            one = replace(one, always_valid=replace(one.relative, low=0.004, high=0.05), state="better")
        if m.key == "retention_7":
            one = replace(one, p_value=0.003, p_adjusted=0.006, state="unclear")
        metrics.append(replace(m, comparisons=(one,)))
    return replace(base, metrics=tuple(metrics))


def test_guardrails_show_the_band_everywhere() -> None:
    result = build("keep_running", "one_goal")
    latency = result.metric("latency").comparisons[0]
    assert latency.relative is not None
    assert latency.always_valid is not None
    fixed, band = "+0.9% to +2.5%", "+0.4% to +3.0%"
    html = Page(render_html(result))
    for text in (html.seen, render_markdown(result), render_terminal(result, width=120, colour=False)):
        assert band in text
        assert fixed not in text
        assert BAND in text.replace("\u2011", "-")
    assert not [tip for tip in html.attributes("data-tip") if "95% interval" in tip and "Upload" in tip]
    assert "read from the always-valid band" in html.seen
    assert "4 of 5 held so far." in html.seen
    assert "Not shown to hold: Revenue per user." in html.seen


def test_absolute_margins_show_the_absolute_band() -> None:
    result = build("keep_running", "one_goal")
    crash = result.metric("crash_free")
    shown = Wording(result).guardrail_shown(crash.comparisons[0])
    assert shown is not None
    assert (shown.band, shown.relative) == (True, False)
    assert shown.interval == crash.comparisons[0].always_valid_absolute


def test_a_clear_goal_is_better_so_far() -> None:
    result = clear()
    table = build_page(Wording(result)).evidence["goal"].tables[0]
    chip = table.groups[0].rows[0].chip
    assert chip is not None
    assert (chip.word, chip.tone) == ("Better so far", "good")
    assert "| **Better so far** |" in render_markdown(result)
    assert re.search(r"Engaged users .* Better so far\n", render_terminal(result, width=120, colour=False))
    assert "Better so far" not in render_markdown(build("ship", "one_goal"))


def test_captions_do_not_claim_p_values() -> None:
    evidence = build_page(Wording(clear())).evidence
    for section in ("goal", "secondary"):
        assert "labels are read from the band" in evidence[section].tables[0].caption
    assert "Labels use p-values" not in Page(render_html(clear())).seen
    assert (
        "Labels use p-values" in build_page(Wording(build("ship", "one_goal"))).evidence["secondary"].tables[0].caption
    )


def test_a_small_p_beside_no_clear_change_is_explained() -> None:
    w = Wording(clear())
    table = appendix.tests_table(w)
    assert "so a small p may stand beside “No clear change”" in table.caption
    row = next(row for row in table.rows if row[0] == "Retention, day 7")
    assert row[-2:] == ("0.0030", "0.0060")
    interval = dict(appendix.method_facts(w))["Interval"]
    assert interval == [
        "95% confidence interval, fixed at the planned end; until then the 95% always-valid band is shown."
    ]
    assert appendix.tests_table(Wording(build("ship", "one_goal"))).caption == "Which test did I get, and why"
    # Nor does a tooltip show that p beside the band.
    assert not [tip for tip in Page(render_html(clear())).attributes("data-tip") if "p\u00a0" in tip]


@pytest.mark.parametrize("verdict", ["ship", "keep_running"])
def test_early_is_told_by_the_end_and_not_by_the_verdict(verdict: str) -> None:
    """A rule of the experiment's own may say to keep running after the end; the interval is final then."""
    base = build(verdict, "one_goal")
    w = Wording(replace(base, decision=replace(base.decision, verdict="keep_running", reason="custom_rule")))
    assert w.early == (verdict == "keep_running")


def test_guardrails_with_an_error_rate_of_their_own_say_so() -> None:
    base = build("ship", "one_goal")
    result = replace(base, plan=replace(base.plan, guardrail_alpha=0.05))
    assert "| guardrail, 90% interval | Revenue per user |" in render_markdown(result)
    assert "Guardrails (90% interval)" in render_terminal(result, width=120, colour=False)
    w = Wording(result)
    assert "90%" in build_page(w).evidence["guardrails"].tables[0].columns["change"]
    assert "95%" in build_page(w).evidence["goal"].tables[0].columns["change"]


def test_without_a_band_no_caption_speaks_of_one() -> None:
    base = build("keep_running", "one_goal")
    bare = replace(base.goals[0].comparisons[0], always_valid=None, always_valid_absolute=None)
    result = replace(base, metrics=(replace(base.goals[0], comparisons=(bare,)), *base.metrics[1:]))
    table = build_page(Wording(result)).evidence["goal"].tables[0]
    assert table.caption == "Change against Control."
    assert table.columns["change"] == "Change (95% interval for a single look)"
