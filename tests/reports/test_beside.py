"""What stands beside the comparison, in words: every code has some, and a failed check hides all of it."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from abtest.analysis import beside as b
from abtest.reports.beside import drivers_section, triggered_section, value_section
from abtest.reports.html import render_html
from abtest.reports.language import languages, load
from abtest.reports.sections import build_page
from abtest.reports.wording import Wording

from .page import Page
from .sample_beside import beside
from .samples import build

CHECKS = ("too_small", "no_units", "all_or_none", "rates_differ", "alike", "other")
WHY = (
    "kind", "ratio", "beyond_trigger", "too_small", "small_cell", "no_others", "others_differ", "rates_differ",
    "empty_margin", "collinear", "too_large", "few_groups", "constant_resamples",
)  # fmt: skip
NO_TEST = (
    "no_units",
    "one_unit",
    "zero_variance",
    "all_missing",
    "not_enough_units",
    "not_enough_groups",
    "too_far_apart",
)


@pytest.mark.parametrize("language", languages())
def test_every_code_has_words(language: str) -> None:
    words = load(language)
    keys = [f"triggered.check.{code}" for code in CHECKS]
    keys += [f"beside.why.{code}" for code in WHY] + [f"no_test.{code}" for code in NO_TEST]
    keys += [f"value.{at}{code}" for code in get_args(b.Quadrant) for at in ("", "so_far.")]
    keys += [f"value.rates.{code}" for code in ("bounded", "everything", "outside", "below", "above", "none")]
    keys += [f"drivers.note.{code}" for code in ("constant", "collinear")]
    keys += [f"segments.lead.{at}_clear{how}" for at in ("some", "none") for how in ("", "_bh")]
    keys += [f"method.segments_{how}" for how in ("bh", "none")]
    assert [key for key in keys if not words.has(key)] == []


def test_a_failed_check_hides_all_of_it() -> None:
    failed = beside(build("dont_decide", "one_goal"))
    assert not set(build_page(Wording(failed)).evidence) & {"segments", "triggered", "value", "drivers"}
    seen = Page(render_html(failed)).seen
    for word in ("shrunken", "Among the triggered", "Break-even", "Odds ratio", "Its share"):
        assert word not in seen


def test_nothing_is_shown_that_was_not_asked_for() -> None:
    assert not set(build_page(Wording(build("ship", "one_goal"))).evidence) & {"triggered", "value", "drivers"}


def test_codes_of_a_newer_engine_still_render() -> None:
    base = beside(build("ship", "one_goal"))
    assert base.triggered is not None
    assert base.value is not None
    odd = b.Effect("no_test", "odd.one", "none")
    comparison = replace(base.triggered.metrics[0].comparisons[0], triggered=odd, diluted=odd, others=odd)
    strange = replace(
        base,
        triggered=replace(
            base.triggered,
            checks=(b.TriggerCheck("composer", True, "brand_new", None),),
            metrics=(replace(base.triggered.metrics[0], comparisons=(comparison,)),),
        ),
        value=replace(
            base.value,
            goals=(replace(base.value.goals[0], together=(b.Together("composer", "no_test", "odd.one", 0),)),),
        ),
        drivers=b.DriverResult("likes", ("photos", "comments"), "no_test", "odd.one", 0),
    )
    w = Wording(strange)
    sections = [s for s in (triggered_section(w), value_section(w), drivers_section(w)) if s is not None]
    text = " ".join(
        [*(t for s in sections for t in s.leads), *(c for s in sections for p in s.plain for r in p.rows for c in r)]
    )
    assert len(sections) == 3
    assert text.count("reason “odd.one”") >= 5
    assert "cannot be compared among the triggered" in text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (b.Rate("ok", None, "bounded", 0.0061, 0.0023, 0.0122), "0.61 points (0.23 points to 1.22 points)"),
        (b.Rate("ok", None, "outside", 0.04, -0.2, 0.01), "4.0 points (any but −20.0 points to 1.0 points)"),
        (b.Rate("ok", None, "outside", 0.04, None, 0.01), "4.00 points (1.00 points or more)"),
        (b.Rate("ok", None, "outside", 0.01, 0.04, None), "1.00 points (4.00 points or less)"),
        (b.Rate("ok", None, "everything", 0.04), "any rate fits the data"),
        (b.Rate("ok", None, "bounded", -0.04, -0.05, -0.03), "nothing to trade"),
        (b.Rate("no_test", "zero_variance"), "all values are equal, so nothing varies"),
    ],
)
def test_break_even_rates(rate: b.Rate, text: str) -> None:
    base = beside(build("ship", "one_goal"))
    assert base.value is not None
    goal = base.value.goals[0]
    changed = replace(base.value, goals=(replace(goal, together=(replace(goal.together[0], rate=rate),)),))
    section = value_section(Wording(replace(base, value=changed)))
    assert section is not None
    assert section.plain[0].rows[0][5].replace("\u00a0", " ") == text
