"""A whole experiment's size and its weeks: by the parts, by simulation, and laws of the curve."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from abtest.stats.power import Noise, sample_size
from abtest.stats.sizing import Question, detectable_by_week, joint_size, ready, weeks_for

NOISE = Noise(4.0, 4.0)
curves = st.lists(st.integers(0, 500), min_size=7, max_size=60).map(lambda steps: np.cumsum(steps).tolist())


def goal(effect: float, name: str = "goal") -> Question:
    return Question(name, "goal", NOISE, effect)


def guardrail(margin: float, name: str = "guardrail") -> Question:
    return Question(name, "guardrail", NOISE, margin)


def test_two_goals_and_three_guardrails() -> None:
    found = joint_size(
        [goal(0.2, "a"), goal(0.1, "b"), *(guardrail(0.1, f"g{i}") for i in range(3))], guardrail_alpha=0.05
    )
    assert [n.alpha for n in found.needs] == [0.025, 0.025, 0.05, 0.05, 0.05]
    assert [n.power for n in found.needs] == pytest.approx([0.95] * 5)
    assert [n.sides for n in found.needs] == [2, 2, 1, 1, 1]
    assert found.driver == "b"
    assert found.units == pytest.approx(sample_size(NOISE, 0.1, alpha=0.025, power=0.95))


def test_where_every_goal_has_to_be_better_each_takes_a_share_of_beta() -> None:
    questions = [goal(0.2, "a"), goal(0.1, "b"), guardrail(0.1)]
    found = joint_size(questions, every=True)
    assert [n.power for n in found.needs] == pytest.approx([1 - 0.2 / 3] * 3)
    assert [n.alpha for n in found.needs] == [0.025, 0.025, 0.025]
    assert joint_size(questions[::2], every=True) == joint_size(questions[::2])


def test_the_decision_has_its_power() -> None:
    """One goal and three guardrails at the joint size, all with the effects planned for: at least 80 % ship."""
    found = joint_size([goal(0.2), *(guardrail(0.2, f"g{i}") for i in range(3))])
    se = math.sqrt(NOISE.per_unit / found.units)
    z = np.random.default_rng(22).normal(0.2 / se, 1.0, (50_000, 4))
    ships = (z[:, 0] > scipy.stats.norm.isf(0.025)) & (z[:, 1:] > scipy.stats.norm.isf(0.025)).all(axis=1)
    # Independent metrics of equal need do a little better than the bound: .95^4.
    assert ships.mean() == pytest.approx(0.95**4, abs=0.01)
    assert ships.mean() > 0.8


def test_checks_that_may_stop_it() -> None:
    plain, checked = joint_size([goal(0.2)]), joint_size([goal(0.2)], lost=0.05)
    assert plain.needs[0].power == pytest.approx(0.8)
    assert checked.needs[0].power == pytest.approx(0.85)
    assert joint_size([guardrail(0.1)]).needs[0].power == pytest.approx(0.8)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.05, 1.0)), min_size=1, max_size=6), st.floats(0.05, 1.0))
def test_one_more_guardrail_never_makes_it_smaller(parts: list[tuple[bool, float]], margin: float) -> None:
    questions = [goal(e, str(i)) if g else guardrail(e, str(i)) for i, (g, e) in enumerate(parts)]
    before, after = joint_size(questions), joint_size([*questions, guardrail(margin, "new")])
    assert after.units >= before.units * (1 - 1e-12)
    assert before.units == max(n.units for n in before.needs)


def test_weeks_by_hand() -> None:
    curve = [10 * d for d in range(1, 29)]
    assert ready(curve) == (70, 140, 210, 280)
    assert ready(curve, follow_up=7) == (0, 70, 140, 210)
    assert ready(curve, follow_up=3) == (40, 110, 180, 250)
    assert weeks_for(70, curve) == 1
    assert weeks_for(70.5, curve) == 2
    assert weeks_for(70.5, curve, traffic=0.5) == 3
    assert weeks_for(70.5, curve, follow_up=14) == 4
    assert weeks_for(281, curve) is None


def test_days_are_not_linear() -> None:
    # A product whose users all come in the first week finds no more in the fourth.
    curve = [1000] * 28
    assert weeks_for(1001, curve) is None
    assert len(set(detectable_by_week(NOISE, curve))) == 1


@given(curves, st.floats(1, 5000), st.integers(0, 20))
def test_weeks_and_effects_agree(curve: list[int], units: float, follow_up: int) -> None:
    week = weeks_for(units, curve, follow_up=follow_up)
    effects = detectable_by_week(NOISE, curve, follow_up=follow_up)
    assert len(effects) == len(curve) // 7
    shown = [e for e in effects if e is not None]
    assert shown == sorted(shown, reverse=True)
    if week is not None:
        effect = effects[week - 1]
        assert effect is not None
        assert sample_size(NOISE, effect) >= units * (1 - 1e-9)
        earlier = effects[week - 2] if week > 1 else None
        assert earlier is None or sample_size(NOISE, earlier) < units * (1 + 1e-9)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: joint_size([]), "at least one"),
        (lambda: joint_size([goal(0.1)], lost=0.2), "checks"),
        (lambda: ready([1, 2, 3]), "shorter than a week: 3 days"),
        (lambda: ready([]), "shorter than a week"),
        (lambda: ready([1, 2, 3, 4, 5, 6, 5]), "never falls"),
        (lambda: ready([1.0] * 7, follow_up=-1), "follow-up"),
        (lambda: weeks_for(1, [1] * 7, traffic=0.0), "traffic"),
        (lambda: detectable_by_week(NOISE, [1] * 7, traffic=2.0), "traffic"),
    ],
)
def test_what_cannot_be_planned(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
