"""The decision over all combinations of states: exactly one verdict each, as committed in verdicts.csv."""

from __future__ import annotations

import csv
import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from abtest.analysis.decide import Clock, decide, decide_variant
from abtest.analysis.result import Equivalence, HealthCheck
from abtest.language.model import DecideRule
from tests.analysis.builders import check, comparison, goal, guardrail, metric

TABLE = Path(__file__).with_name("verdicts.csv")
GOALS = ("better", "worse", "unclear", "no_test")
LABELS = ("held", "held_but_worse", "not_shown", "worse_not_shown", "broken", "no_test")
HEALTH: dict[str, tuple[HealthCheck, ...]] = {
    "passed": (check("pass"),),
    "note": (check("note"), check("note", "g1")),
    "failed": (check("fail"),),
    "failed for a goal": (check("fail", "g1"),),
    "failed elsewhere": (check("fail", "other"),),
}
TIME = {"early, fixed": Clock(False, False), "early, sequential": Clock(False, True), "reached": Clock(True, False)}
Row = tuple[str, str, str, str, str, str, str, str]


def rows() -> Iterator[Row]:
    """Every state of two goals x two guardrails x health x time with its verdict and reason."""
    pairs = itertools.combinations_with_replacement
    for (g1, g2), (r1, r2), health, time in itertools.product(pairs(GOALS, 2), pairs(LABELS, 2), HEALTH, TIME):
        metrics = (goal(g1), goal(g2, "g2"), guardrail(r1), guardrail(r2, "r2"))  # type: ignore[arg-type]
        found = decide_variant("new", metrics, HEALTH[health], TIME[time])
        yield g1, g2, r1, r2, health, time, found.verdict, found.reason


def test_every_combination_has_its_committed_verdict() -> None:
    """Set ABTEST_WRITE_VERDICTS=1 to write the table anew, and read the difference before you commit it."""
    found = list(rows())
    if os.environ.get("ABTEST_WRITE_VERDICTS"):
        with TABLE.open("w", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(("goal 1", "goal 2", "guardrail 1", "guardrail 2", "health", "time", "verdict", "reason"))
            writer.writerows(found)
    with TABLE.open(newline="") as handle:
        committed = [tuple(row) for row in csv.reader(handle)][1:]
    assert len(found) == 10 * 21 * 5 * 3
    assert len({row[:6] for row in found}) == len(found)
    assert found == committed


def test_the_order_of_metrics_does_not_matter() -> None:
    for g1, g2, r1, r2, health, time, verdict, reason in rows():
        metrics = (guardrail(r2), goal(g2), guardrail(r1, "r2"), goal(g1, "g2"))  # type: ignore[arg-type]
        checks = HEALTH[health]
        assert decide_variant("new", metrics, checks, TIME[time]).verdict == verdict, (g1, g2, r1, r2, health, reason)


def test_the_rule_as_predicates() -> None:
    """The same rule written a second time as six predicates, of which exactly one holds in every state."""
    for g1, g2, r1, r2, health, time, verdict, reason in rows():
        goals, labels = (g1, g2), (r1, r2)
        failed = health in ("failed", "failed for a goal")
        too_early = time == "early, fixed"
        early = time == "early, sequential"
        worse = "worse" in goals
        better = "better" in goals and not worse
        broken = "broken" in labels
        held = all(x in ("held", "held_but_worse") for x in labels)
        dead = all(g == "no_test" for g in goals)
        live = not failed and not too_early
        harm = worse or broken
        predicates = {
            ("dont_decide", "health_failed"): failed,
            ("keep_running", "too_early"): not failed and (too_early or (early and not harm and not (better and held))),
            ("dont_ship", "goal_worse"): live and worse,
            ("dont_ship", "guardrail_broken"): live and broken and not worse,
            ("ship", "goal_better"): live and better and held,
            ("dont_decide", "no_test"): live and not early and not harm and dead,
            ("dont_ship", "guardrail_not_shown"): live and not early and not harm and better and not held,
            ("dont_ship", "no_clear_gain"): live and not early and not harm and not better and not dead,
        }
        true = [code for code, holds in predicates.items() if holds]
        assert true == [(verdict, reason)], (g1, g2, r1, r2, health, time)


def test_no_goal_better_never_ships_and_a_broken_guardrail_never_ships() -> None:
    for g1, g2, r1, r2, _, _, verdict, _ in rows():
        if verdict == "ship":
            assert "better" in (g1, g2)
            assert "worse" not in (g1, g2)
            assert {r1, r2} <= {"held", "held_but_worse"}


def test_the_best_treatment_speaks_for_the_experiment() -> None:
    metrics = (
        metric(
            "g1",
            "goal",
            comparison("better", variant="a", lift=0.03),
            comparison("better", variant="b", lift=0.05),
            comparison("worse", variant="c", lift=-0.05),
        ),
    )
    found = decide(("a", "b", "c"), metrics, (), Clock(True, False))
    assert (found.verdict, found.variant) == ("ship", "b")
    assert [d.verdict for d in found.by_variant] == ["ship", "ship", "dont_ship"]


def test_the_largest_gain_is_the_largest_fall_when_lower_is_better() -> None:
    metrics = (
        replace(
            metric(
                "g1",
                "goal",
                comparison("better", variant="a", lift=-0.03),
                comparison("better", variant="b", lift=-0.05),
            ),
            better="lower",
        ),
    )
    assert decide(("a", "b"), metrics, (), Clock(True, False)).variant == "b"


def test_health_goes_first_for_every_treatment() -> None:
    metrics = (metric("g1", "goal", comparison("better", variant="a"), comparison("worse", variant="b")),)
    found = decide(("a", "b"), metrics, (check("fail"),), Clock(True, False))
    assert (found.verdict, found.reason, found.valid) == ("dont_decide", "health_failed", False)


RULES = (
    DecideRule("roll_back", "dont_ship", "or", (("any", "guardrail", "harmed"), ("any", "goal", "worse")), ""),
    DecideRule("ship", "ship", "and", (("every", "goal", "better"), ("every", "guardrail", "safe")), ""),
    DecideRule("iterate", "dont_ship", "and", (), ""),
)


@pytest.mark.parametrize(
    ("goals", "label", "outcome", "verdict"),
    [
        (("better", "better"), "held", "ship", "ship"),
        (("better", "unclear"), "held", "iterate", "dont_ship"),
        (("better", "better"), "worse_not_shown", "roll_back", "dont_ship"),
        (("worse", "better"), "held", "roll_back", "dont_ship"),
        (("better", "better"), "not_shown", "iterate", "dont_ship"),
    ],
)
def test_a_rule_of_ones_own(goals: tuple[str, str], label: str, outcome: str, verdict: str) -> None:
    metrics = (goal(goals[0]), goal(goals[1], "g2"), guardrail(label))  # type: ignore[arg-type]
    found = decide_variant("new", metrics, (), Clock(True, False), RULES)
    assert (found.outcome, found.verdict, found.reason) == (outcome, verdict, "custom_rule")


def test_a_rule_of_ones_own_waits_for_the_end_and_for_health_too() -> None:
    metrics = (goal("better"), guardrail("held"))
    assert decide_variant("new", metrics, (), Clock(False, False), RULES).verdict == "keep_running"
    assert decide_variant("new", metrics, (check("fail"),), Clock(True, False), RULES).verdict == "dont_decide"


def test_flat_needs_to_be_shown_by_a_test_of_equivalence() -> None:
    rules = (
        DecideRule("stop", "dont_ship", "and", (("every", "goal", "flat"),), ""),
        DecideRule("wait", "keep_running", "and", (), ""),
    )
    inside = metric("g1", "goal", replace(comparison("unclear", lift=0.0), equivalence=Equivalence(0.02, 0.01, True)))
    outside = metric("g1", "goal", replace(comparison("unclear"), equivalence=Equivalence(0.02, 0.2, False)))
    assert decide_variant("new", (inside,), (), Clock(True, False), rules).outcome == "stop"
    assert decide_variant("new", (outside,), (), Clock(True, False), rules).outcome == "wait"


def test_the_engagement_trap_as_predicates() -> None:
    """Goal, a guardrail of value with its state and label, another guardrail: a trap is a better goal beside a worse
    value, and never ships."""
    states = ("better", "worse", "unclear", "no_test")
    for g, state, label, other, (time, clock) in itertools.product(states, states, LABELS, LABELS, TIME.items()):
        money = replace(guardrail(label, "money"), comparisons=(replace(comparison(state, label)),))  # type: ignore[arg-type]
        metrics = (goal(g), money, guardrail(other))  # type: ignore[arg-type]
        found = decide_variant("new", metrics, (), clock, value=("money",))
        without = decide_variant("new", metrics, (), clock)
        trapped = g == "better" and state == "worse" and time != "early, fixed"
        if trapped:
            assert (found.verdict, found.reason) == ("dont_ship", "engagement_trap")
            assert next(line for line in found.rules if line.code == "value").metrics == ("money",)
        else:
            assert (found.verdict, found.reason) == (without.verdict, without.reason)


def test_a_rule_of_ones_own_cannot_ship_a_trap() -> None:
    rules = (
        DecideRule("go", "ship", "and", (("any", "goal", "better"),), ""),
        DecideRule("no", "dont_ship", "and", (), ""),
    )
    money = replace(guardrail("held", "money"), comparisons=(comparison("worse", "held_but_worse"),))
    found = decide_variant("new", (goal("better"), money), (), Clock(True, False), rules, ("money",))
    assert (found.verdict, found.reason, found.outcome) == ("dont_ship", "engagement_trap", "go")
    found = decide_variant("new", (goal("better"), money), (), Clock(True, False), rules)
    assert (found.verdict, found.reason) == ("ship", "custom_rule")


def test_a_worse_goal_of_value_is_a_worse_goal() -> None:
    metrics = (goal("better"), goal("worse", "money"))
    found = decide_variant("new", metrics, (), Clock(True, False), value=("money",))
    assert (found.verdict, found.reason) == ("dont_ship", "goal_worse")
