"""Laws for whatever the analysis may hand over: no renderer fails, and no estimate stands without its interval."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from abtest.analysis.result import DayPoint, Interval, MarginResult, Result, SegmentResult, Trajectory, WeekPoint
from abtest.reports.html import render_html
from abtest.reports.markdown import render_markdown
from abtest.reports.terminal import render_terminal
from abtest.reports.text import columns

from .page import Page
from .samples import build

finite = st.floats(-1e6, 1e6, allow_subnormal=False) | st.sampled_from([0.0, -1.0, 1e-9, 1e-300, 1e15, 0.05])


@st.composite
def intervals(draw: st.DrawFn) -> Interval | None:
    if draw(st.integers(0, 5)) == 0:
        return None
    low, estimate, high = sorted((draw(finite), draw(finite), draw(finite)))
    return Interval(estimate, draw(st.sampled_from([low, low, None])), draw(st.sampled_from([high, high, None])))


@st.composite
def trajectories(draw: st.DrawFn) -> Trajectory:
    days = sorted(draw(st.sets(st.integers(1, 200), min_size=1, max_size=40)))
    whole = st.tuples(finite, finite, finite).map(sorted).map(lambda b: Interval(b[1], b[0], b[2], 0.5))
    points = tuple(DayPoint(day, draw(st.integers(0, 10**7)), draw(whole), draw(intervals())) for day in days)
    weeks = tuple(WeekPoint(k, k, 9, draw(whole), draw(intervals())) for k in range(1, draw(st.integers(1, 4))))
    crossed = draw(st.none() | st.sampled_from(days))
    named = crossed, None if crossed is None else draw(st.sampled_from([None, *(d for d in days if d >= crossed)]))
    return Trajectory("composer", "ok", None, points, weeks, draw(st.integers(0, 300)), *named, draw(st.integers(0, 3)))


@st.composite
def results(draw: st.DrawFn) -> Result:
    verdict = draw(st.sampled_from(["ship", "dont_ship", "keep_running"]))
    base = build(verdict, draw(st.sampled_from(["one_goal", "three_variants"])))
    metrics = []
    for metric in base.metrics[:1] + base.guardrails[:2]:
        comparisons = []
        for comparison in metric.comparisons:
            margin = comparison.margin
            if margin is not None:
                margin = MarginResult(margin.kind, draw(st.floats(1e-6, 1e4)), draw(intervals()), 0.2, margin.label)
            comparisons.append(
                replace(
                    comparison,
                    relative=draw(intervals()),
                    absolute=draw(intervals()),
                    always_valid=draw(intervals()),
                    always_valid_absolute=draw(intervals()),
                    p_value=draw(st.none() | st.floats(0, 1)),
                    p_adjusted=draw(st.none() | st.floats(0, 1)),
                    state=draw(st.sampled_from(["better", "worse", "unclear", "flat", "no_test"])),
                    margin=margin,
                )
            )
        unit = draw(
            st.sampled_from(["share", "count", "ratio", "points", "money EUR", "money XXX", "duration s", "odd"])
        )
        arms = tuple(replace(arm, value=draw(st.none() | finite)) for arm in metric.arms)
        metrics.append(
            replace(
                metric,
                unit_of_value=unit,
                arms=arms,
                comparisons=tuple(comparisons),
                better=draw(st.sampled_from(["higher", "lower", None])),
                detect=draw(st.none() | st.floats(-2, 2)),
                trajectory=(draw(trajectories()),) if metric.role == "goal" and draw(st.booleans()) else (),
            )
        )
    segments: tuple[SegmentResult, ...] = base.segments if draw(st.booleans()) else ()
    return replace(base, metrics=tuple(metrics), segments=segments)


@settings(max_examples=60, deadline=None)
@given(results(), st.integers(40, 140))
def test_every_renderer_copes(result: Result, width: int) -> None:
    html = render_html(result)
    assert html == render_html(Result.from_json(result.to_json()))
    assert len(render_markdown(result).encode()) < 3000
    for line in render_terminal(result, width=width, colour=False).split("\n"):
        assert columns(line) <= min(120, width)
    for text in (Page(html).seen, render_markdown(result)):
        assert "nan" not in text.lower().split()
        assert not re.search(r"\bNone\b(?!\.)", text)


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(), max_size=80))
def test_any_name_makes_a_page_that_can_be_written(name: str) -> None:
    base = build("ship", "no_guardrail")
    metrics = tuple(replace(m, title=name, meaning=name, description=name) for m in base.metrics)
    html = render_html(replace(base, metrics=metrics, experiment=replace(base.experiment, title=name, unit=name)))
    assert html.encode("utf-8")
    assert html.count("<script") == 2
    assert len(Page(html).attributes("id")) == len(set(Page(html).attributes("id")))


def test_a_custom_rule_is_shown_as_it_was_written() -> None:
    base = build("dont_ship", "no_segments")
    rule = ("iterate: when goals are unclear", "ship: when <all> goals are better")
    decision = replace(base.decision, reason="custom_rule", outcome="iterate", custom_rule=rule)
    page = Page(render_html(replace(base, decision=decision)))
    assert "The decision rule of this experiment leads to the outcome “iterate”." in page.seen
    assert all(line in page.seen for line in rule)
