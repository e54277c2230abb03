"""What a report says about numbers on which the change may depend."""

from __future__ import annotations

from dataclasses import replace

from abtest.reports.html import render_html
from abtest.reports.language import load

from .page import Page
from .sample_beside import beside
from .samples import build


def seen(html: str) -> str:
    return " ".join(Page(html).seen.replace("\u00a0", " ").replace("\u2060", "").split())


def test_a_sentence_each_and_where_the_change_is_clear() -> None:
    base = beside(build("ship", "one_goal"))
    text = seen(render_html(base))
    assert "rises with age: by +0.06 points (+0.04 to +0.09 points) for each one more (adjusted p < 0.0001)" in text
    assert "The change is clearly below zero from 18 to 31; above zero from 40 to 70." in text
    assert "depends on <i>income</i> is not clear" in text
    assert "At no value from 9,000 to 250,000 is the change clear by itself." in text
    assert "depends on tenure could not be tested: it has one value only in a variant, or nearly so." in text
    assert "Units whose number is not known are left out." in text
    assert load("en")("moderators.method") in text
    alone = seen(render_html(replace(base, segments=())))
    assert "rises with age" in alone
    assert "Segments" in alone


def test_every_reason_has_words() -> None:
    base = beside(build("ship", "one_goal"))
    for reason in ("kind", "ratio", "not_enough_units", "constant", "zero_variance", "of a newer engine"):
        rows = tuple(replace(m, status="no_test", reason=reason) for m in base.moderators[:1])
        assert "could not be tested: " in seen(render_html(replace(base, moderators=rows, segments=()))), reason


def test_nothing_is_read_early_or_at_every_look_or_where_a_check_failed() -> None:
    early = seen(render_html(beside(build("keep_running", "one_goal"))))
    assert "How the change depends on age, <i>income</i> and tenure is open until the planned end." in early
    base = beside(build("ship", "one_goal"))
    every = seen(render_html(replace(base, plan=replace(base.plan, method="sequential"))))
    assert "is not said in a plan that may be read at every look" in every
    for text in (early, every, seen(render_html(beside(build("dont_decide", "one_goal"))))):
        assert "rises with age" not in text
        assert "from 40 to 70" not in text
