"""The plan as a page and in a terminal: every state of it in every language, safe and the same each time."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from abtest.analysis.plan_result import SCHEMA, Caution, MetricPlan, PlanResult, Simulated, Simulation
from abtest.analysis.planning import REASONS
from abtest.reports.language import languages, load
from abtest.reports.plan_page import render_plan
from abtest.reports.plan_terminal import render_plan_terminal
from abtest.reports.text import columns

GOAL = MetricPlan(
    "likes", "Likes <b>", "goal", "higher", "number", "first 7 days", None, "mean", 10.0, 4.0, 900, 1.0, 0.64, None, None,
    0.05, None, None, 0.5, 0.05, 2, 0.9, 1.0, 6, 2690.4, 3, (None, 0.9, 0.45, 0.4),
)  # fmt: skip
GUARDRAIL = MetricPlan(
    "revenue", "Revenue", "guardrail", "higher", "money EUR", "first 7 days", None, "ratio", 2.0, 9.0, 900, 0.8, None,
    "test", 2.4, None, "relative", 0.1, 0.2, 0.025, 1, 0.9, 1.915, 6, 1000.0, 2, (None, 0.3, 0.2, 0.1),
)  # fmt: skip
CANNOT = MetricPlan("nps", "Score", "guardrail", "higher", "points", "", "few_answers")
PLAN = PlanResult(
    SCHEMA, "next", "Next </script><script>alert(1)</script>", "user", None, "log", None, "2026-01-01", "2026-01-22", 22,
    1000, (300.0, 600.0, 900.0, 1000.0), 1.0, (("a", "Old, long", 0.5), ("b", "New", 0.5)), "fixed", 0.05, 0.025, 0.8,
    "any", (GOAL, GUARDRAIL, CANNOT), 2690.4, "likes", 3, "likes", 4,
    cautions=(Caution("not_covered", "nps"), Caution("unknown_before", "likes", 0.3), Caution("unknown_before", "revenue", 0.3), Caution("short", None, 22.0)),
)  # fmt: skip
TRIED = Simulation(1000, 1000, 2690.4, (Simulated("likes", 0.05, 0.9, 0.88, 0.0103, 0.05, 0.0069),), 0.85, 0.0113)
STATES = {
    "sized": PLAN,
    "beyond": replace(PLAN, weeks=None, metrics=(replace(GOAL, weeks=None), GUARDRAIL)),
    "weeks": replace(PLAN, at_weeks=2, at_units=500.0, units=None, driver=None, weeks=None, slowest=None),
    "nothing_over": replace(PLAN, at_weeks=1, at_units=0.0, units=None, driver=None, weeks=None, slowest=None),
    "tried": replace(PLAN, simulation=TRIED, traffic=0.5, by="open", rule="every"),
    "not_tried": replace(PLAN, simulation=Simulation(100, reason="clustered"), clusters=40.0),
    "no_weeks": replace(PLAN, metrics=(replace(GOAL, detectable=(None, None), asked=None, detect=None),)),
}


def text_of(page: str) -> str:
    body = re.sub(r"<(script|style|template)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("state", STATES)
def test_every_state_in_every_language(state: str, language: str) -> None:
    plan = STATES[state]
    page = render_plan(plan, language=language)
    assert page == render_plan(plan, language=language)
    assert "<script>alert" not in page
    assert "style=" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    assert "Likes &lt;b&gt;" in page
    text = render_plan_terminal(plan, width=80, colour=False, language=language, page="out/next/plan.html")
    assert max(columns(line) for line in text.splitlines()) <= 80
    assert "out/next/plan.html" in text


def test_what_the_page_says() -> None:
    said = text_of(render_plan(STATES["tried"]))
    for part in (
        "3 weeks", "2,692 users in all, 1,346 Old, long and 1,346 New.", "Likes &lt;b&gt; decides the size.",
        "50%", "open in log", "every goal better, all guardrails held", "change of 5% (0.50)", "margin of 10% (€0.20)",
        "leaves 64% of the variance", "not adjusted (it has a test of its own)", "clusters multiply the variance by 2.40",
        "looks cost 1.92 times", "Not planned: the history has too few answers for a score.",
        "88.0% ± 1.0%", "in 85.0% ± 1.1% of splits (planned: at least 80%)",
        "of 30% nothing is known from before", "The history has 22 days",
    ):  # fmt: skip
        assert part in said, part
    assert said.count("nothing is known from before") == 1  # two metrics, one sentence
    assert "More than 4 weeks" in text_of(render_plan(STATES["beyond"]))
    assert "no more than 1,000 users within 4 weeks" in text_of(render_plan(STATES["beyond"]))
    assert "2 weeks: 500 users with complete windows" in text_of(render_plan(STATES["weeks"]))
    assert "No window is complete by then" in text_of(render_plan(STATES["nothing_over"]))
    assert "Not simulated: units of one cluster cannot be split." in text_of(render_plan(STATES["not_tried"]))


def test_the_json_in_the_page_is_the_plan() -> None:
    page = render_plan(PLAN)
    found = re.search(r'<script type="application/json" id="plan">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    assert json.loads(found[1]) == json.loads(PLAN.to_json())


@pytest.mark.parametrize("language", languages())
def test_every_reason_and_caution_has_words(language: str) -> None:
    words = load(language)
    assert [r for r in REASONS if not words.has(f"planning.reasons.{r}")] == []
    codes = ("not_covered", "open_window", "few_mature", "unknown_before", "few_clusters", "beyond", "few_units", "short", "rule", "sequential")  # fmt: skip
    assert [c for c in codes if not words.has(f"planning.cautions.{c}")] == []
