"""What a report says about movement between levels, and when it says nothing yet."""

from __future__ import annotations

from dataclasses import replace

from abtest.reports.html import render_html
from abtest.reports.language import load

from .page import Page
from .sample_movement import NONE, moved
from .samples import build


def seen(html: str) -> str:
    return " ".join(Page(html).seen.replace("\u00a0", " ").split())


def test_a_sentence_per_metric_and_treatment_and_a_matrix_per_variant() -> None:
    result = moved(build("ship", "three_variants"))
    text = seen(render_html(result))
    words = load("en")
    assert "end +0.01 levels higher than those in Control on average (+0.01 to +0.02, p = 0.0001" in text
    assert "could not be tested" in text
    assert "They end in other cells (p < 0.0001)." in text
    assert "Which cells they end in does not clearly differ either (p = 0.80)." in text
    assert "so this speaks of those who answered" in text
    assert text.count("how many went from which level before exposure (rows)") == 6
    assert "21,004" in text
    assert "“hidden”: fewer than 10, or a number from which such a one could be worked out." in text
    assert "not known" in text
    assert "are left out, because no log reaches back far enough for them." in text
    assert words("movement.method") in text
    assert words("movement.method_cross") in text
    assert "<b>visitor</b>" in text  # as text, not as markup


def test_every_reason_has_a_sentence() -> None:
    base = moved(build("ship", "three_variants"))
    metric = base.metrics[-1]
    for reason in NONE:
        assert metric.movement is not None
        shown = replace(metric, movement=replace(metric.movement, reason=reason))
        text = seen(render_html(replace(base, metrics=(*base.metrics[:-1], shown))))
        assert "no movement from before is shown" in text, reason


def test_nothing_is_read_before_the_end_or_at_every_look() -> None:
    early = seen(render_html(moved(build("keep_running", "one_goal"))))
    assert "who moved from which level to which is open until the planned end" in early
    assert "21,004" not in early
    base = moved(build("ship", "one_goal"))
    every = seen(render_html(replace(base, plan=replace(base.plan, method="sequential"))))
    assert "is not said in a plan that may be read at every look" in every
    assert "not made for every look" in every
    assert "Bowker" not in every


def test_nothing_is_shown_where_a_check_failed() -> None:
    failed = moved(build("dont_decide", "one_goal"))
    assert not failed.decision.valid
    text = seen(render_html(failed))
    assert "21,004" not in text
    assert "levels higher" not in text
