from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.analysis.result import Result
from abtest.reports.markdown import escape, render_markdown

from .page import scrambled
from .samples import SHAPES, build, nasty

PIPE = re.compile(r"(?<!\\)\|")


def test_same_result_same_bytes_and_small(sample: Result) -> None:
    text = render_markdown(sample)
    assert text == render_markdown(Result.from_json(sample.to_json()))
    assert len(text.encode()) < 3000


def test_the_summary_of_a_clear_gain() -> None:
    lines = render_markdown(build("ship", "one_goal")).split("\n")
    assert lines[0] == "## ✅ Ship: Photo composer v3"
    assert lines[2].startswith("Photo composer v3 raised Engaged users by about 4% (95% interval +2.4% to +5.9%)")
    assert "| goal | **Engaged users** | **+4.1%** | +2.4% to +5.9% | **Better** |" in lines
    assert "| guardrail | Upload latency, p95 | +1.7% | +0.9% to +2.5% | Held, but worse (margin +5%) |" in lines
    end = "Not covered: what happens after the window in which everybody is followed (first 28 days)."
    assert f"Plan with the low end of the interval, +2.4%. {end}" in lines


def test_only_what_is_shipped_is_planned_with() -> None:
    """A goal may be better and the verdict still be against it: then no line tells how to plan with the gain."""
    base = build("ship", "one_goal")
    against = replace(base, decision=replace(base.decision, verdict="dont_ship", reason="guardrail_broken"))
    assert "Plan with" in render_markdown(base)
    assert "Plan with" not in render_markdown(against)


@pytest.mark.parametrize("make", [nasty, lambda: build("ship", "three_goals")])
def test_every_row_of_the_table_has_five_cells(make: object) -> None:
    text = render_markdown(make())  # type: ignore[operator]
    rows = [line for line in text.split("\n") if line.startswith("|")]
    assert len(rows) > 5
    assert {len(PIPE.findall(row)) for row in rows} == {6}


def test_names_cannot_mark_up_mention_or_link() -> None:
    text = render_markdown(nasty())
    assert "<script" not in text.replace("\\<", "")
    assert not re.search(r"(?<!\\)\]\(", text)
    assert not re.search(r"@\w", text)
    assert not re.search(r"https?://", text)
    assert "**bold**" not in text


@given(st.text(max_size=60))
def test_escaped_names_hold_no_open_markup(name: str) -> None:
    text = escape(" ".join(name.split()))
    assert not PIPE.search(text)
    assert not re.search(r"(?<!\\)[`*_\[\]<>]", text.replace("\\\\", ""))


@given(st.text(max_size=40))
def test_any_title_leaves_the_table_whole(name: str) -> None:
    base = build("ship", "no_guardrail")
    metrics = tuple(replace(m, title=name) for m in base.metrics)
    rows = [line for line in render_markdown(replace(base, metrics=metrics)).split("\n") if line.startswith("|")]
    assert {len(PIPE.findall(row.replace("\\\\", ""))) for row in rows} == {6}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_invalid_result_shows_no_effect(shape: str) -> None:
    result = build("dont_decide", shape)
    assert render_markdown(result) == render_markdown(scrambled(result))
    assert "|" not in render_markdown(result)


def test_many_metrics_are_cut_and_counted() -> None:
    base = build("ship", "one_goal")
    extra = tuple(replace(base.metric("photos"), key=f"m{i}", title=f"Metric number {i}") for i in range(80))
    text = render_markdown(replace(base, metrics=base.metrics + extra))
    assert len(text.encode()) < 3000
    assert re.search(r"\d+ more rows are in the full report\.", text)
