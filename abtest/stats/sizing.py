"""A whole experiment: how many units all goals and guardrails need together, which of them decides it, and how long.

Goals share alpha, guardrails do not; every guardrail and the goals as a whole share what may be missed
(`power.power_per_metric`). The largest of the sizes is that of the experiment. Units become weeks by a curve of how many
different ones had come by each day of the history: it bends, because the same people come back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from abtest.stats.power import Noise, detectable, power_per_metric, sample_size
from abtest.stats.spending import Sides

WEEK = 7


@dataclass(frozen=True, slots=True)
class Question:
    """A goal with the `effect` that it shall find, or a guardrail with its margin as `effect`; in the metric's unit.

    `inflation` is what early looks cost this metric.
    """

    name: str
    role: Literal["goal", "guardrail"]
    noise: Noise
    effect: float
    inflation: float = 1.0


@dataclass(frozen=True, slots=True)
class Need:
    """What one question needs: `units` of both arms together (not rounded), at its own `alpha`, `sides` and `power`."""

    name: str
    units: float
    alpha: float
    sides: Sides
    power: float


@dataclass(frozen=True, slots=True)
class Size:
    """What all need, in the order they came in; `units` is the largest, that of the question `driver`."""

    units: float
    driver: str
    needs: tuple[Need, ...]


def joint_size(
    questions: Sequence[Question],
    *,
    alpha: float = 0.05,
    guardrail_alpha: float = 0.025,
    power: float = 0.8,
    lost: float = 0.0,
    every: bool = False,
) -> Size:
    """The size with which "a goal is better and every guardrail is held" comes out with `power`.

    Goals are tested two-sided at alpha / S, guardrails one-sided at `guardrail_alpha` each, both with power 1 - (beta -
    lost) / (G + 1) (Schultzberg, Ankargren & Franberg 2024). `lost` is the chance that a sound experiment is stopped by
    its own checks (alarms of deterioration and of quality). Sizes are for the goal that has its effect; if all have,
    power is larger. With `every`, all goals have to be better, and each takes a share of beta. Without a goal:
    guardrails only. Raises ValueError for no questions, and for `lost` that leaves nothing of beta.

    >>> goal = Question("likes", "goal", Noise(400.0, 400.0), 0.5)
    >>> size = joint_size([goal, Question("reports", "guardrail", Noise(1.0, 1.0), 0.05)])
    >>> size.driver, round(size.units)
    ('likes', 67248)
    """
    if not questions:
        raise ValueError("need at least one goal or guardrail")
    goals = sum(question.role == "goal" for question in questions)
    if not 0.0 <= lost < 1.0 - power:
        raise ValueError(f"checks may lose a part of what may be missed, {1.0 - power:g}, got {lost!r}")
    shared = len(questions) - 1 - (0 if every else max(0, goals - 1))
    each = power_per_metric(power + lost, shared)
    needs = []
    for question in questions:
        sides: Sides = 2 if question.role == "goal" else 1
        own = alpha / goals if question.role == "goal" else guardrail_alpha
        units = sample_size(
            question.noise, question.effect, alpha=own, power=each, sides=sides, inflation=question.inflation
        )
        needs.append(Need(question.name, units, own, sides, each))
    largest = max(needs, key=lambda need: need.units)
    return Size(largest.units, largest.name, tuple(needs))


def ready(cumulative: Sequence[float], follow_up: int = 0) -> tuple[float, ...]:
    """Units whose window is complete after each whole week: those exposed `follow_up` days before its end.

    `cumulative[d]` counts the different units exposed in the first d + 1 days, shape (days,); it never falls. Raises
    ValueError for a history shorter than a week, a curve that falls, a follow-up below 0.

    >>> ready([10, 20, 30, 35, 40, 45, 50, 52, 54, 56, 58, 60, 62, 64], follow_up=7)
    (0.0, 50.0)
    """
    if len(cumulative) < WEEK:
        raise ValueError(f"the history is shorter than a week: {len(cumulative)} days")
    if follow_up < 0:
        raise ValueError(f"a follow-up has at least 0 days, got {follow_up}")
    if not all(
        0.0 <= earlier <= later < math.inf for earlier, later in zip((0.0, *cumulative), cumulative, strict=False)
    ):
        raise ValueError("a count of different units never falls")
    ends = range(WEEK, len(cumulative) + 1, WEEK)
    return tuple(float(cumulative[end - follow_up - 1]) if end > follow_up else 0.0 for end in ends)


def weeks_for(units: float, cumulative: Sequence[float], *, traffic: float = 1.0, follow_up: int = 0) -> int | None:
    """Whole weeks until `units` are complete, if a share `traffic` of those who come takes part; None: longer than history.

    The curve is not prolonged: how many new people come in a week that nobody has seen is a guess. Raises ValueError as
    `ready` does, and for a share outside (0, 1].

    >>> curve = [100, 190, 270, 340, 400, 450, 500, 540, 575, 605, 630, 650, 665, 680]
    >>> weeks_for(600, curve), weeks_for(700, curve)
    (2, None)
    """
    _check_traffic(traffic)
    for week, complete in enumerate(ready(cumulative, follow_up), 1):
        if complete * traffic >= units:
            return week
    return None


def detectable_by_week(
    noise: Noise,
    cumulative: Sequence[float],
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    sides: Sides = 2,
    inflation: float = 1.0,
    traffic: float = 1.0,
    follow_up: int = 0,
) -> tuple[float | None, ...]:
    """The difference that is found after each whole week of the history (`power.detectable`); None before any unit is complete.

    >>> [round(found, 3) for found in detectable_by_week(Noise(1.0, 1.0), [100.0 * d for d in range(1, 15)])]
    [0.212, 0.15]
    """
    _check_traffic(traffic)
    return tuple(
        detectable(noise, complete * traffic, alpha=alpha, power=power, sides=sides, inflation=inflation)
        if complete > 0.0
        else None
        for complete in ready(cumulative, follow_up)
    )


def _check_traffic(traffic: float) -> None:
    if not 0.0 < traffic <= 1.0:
        raise ValueError(f"the share of traffic lies above 0 and at most at 1, got {traffic!r}")
