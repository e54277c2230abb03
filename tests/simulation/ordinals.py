"""Ordered answers: Brunner-Munzel, Mann-Whitney and proportional odds on Likert scales."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Unpack

import numpy as np
from numpy.random import Generator

from abtest.stats.ordinal import Categories, brunner_munzel, mann_whitney
from abtest.stats.proportional_odds import proportional_odds
from tests.simulation.case import HEAVY, Case, Measure, Sizes, false_alarm

LEVELS = (1.0, 2.0, 3.0, 4.0, 5.0)
USUAL, WIDE, SKEWED = (0.1, 0.2, 0.4, 0.2, 0.1), (0.35, 0.1, 0.1, 0.1, 0.35), (0.02, 0.02, 0.06, 0.2, 0.7)


def answers(
    p_t: Sequence[float], p_c: Sequence[float], n_t: int, n_c: int
) -> Callable[[Generator, int], Iterator[tuple[Categories, Categories]]]:
    def draw(random: Generator, runs: int) -> Iterator[tuple[Categories, Categories]]:
        counts = random.multinomial(n_t, p_t, runs).tolist(), random.multinomial(n_c, p_c, runs).tolist()
        return ((Categories(LEVELS, tuple(t)), Categories(LEVELS, tuple(c))) for t, c in zip(*counts, strict=True))

    return draw


def shifted(probabilities: Sequence[float], odds: float) -> tuple[float, ...]:
    """Higher answers by this ratio of odds at every cut."""
    below = np.cumsum(probabilities)[:-1]
    moved = np.concatenate(([0.0], below / (below + odds * (1 - below)), [1.0]))
    return tuple(np.diff(moved).tolist())


def superiority(p_t: Sequence[float], p_c: Sequence[float]) -> float:
    """P(treatment > control) + P(equal) / 2."""
    return sum(a * b * (1.0 if i > j else 0.5 if i == j else 0.0) for i, a in enumerate(p_t) for j, b in enumerate(p_c))


def covers(truth: float, words: str) -> Measure:
    def hit(found: Any) -> bool | None:
        if found.status == "no_test" or found.low is None or found.high is None:
            return None
        return bool(found.low <= truth <= found.high)

    return Measure(words, 0.95, hit, errors=False)


def case(
    method: str,
    infer: Callable[..., Any],
    name: str,
    drawn: Any,
    *measures: Measure,
    comment: str = "",
    **more: Unpack[Sizes],
) -> Case:
    sizes: Sizes = {"fast": 300, **more}
    return Case(method, name, drawn, infer, measures or (false_alarm(),), comment, **sizes)


BETTER = shifted(USUAL, 1.8)
EQUAL = "tests that both arms answer exactly alike, which is not so here"
PROBABILITY = covers(superiority(BETTER, USUAL), "covers P(higher)")
CASES = (
    case("brunner-munzel", brunner_munzel, "five answers, n = 20 per arm", answers(USUAL, USUAL, 20, 20)),
    case("brunner-munzel", brunner_munzel, "five answers, n = 100 per arm", answers(USUAL, USUAL, 100, 100)),
    case("brunner-munzel", brunner_munzel, "70 % top answers, n = 20 per arm", answers(SKEWED, SKEWED, 20, 20)),
    case("brunner-munzel", brunner_munzel, "five answers, n = 20 and 180", answers(USUAL, USUAL, 20, 180)),
    case("brunner-munzel", brunner_munzel, "same middle, other spread, n = 20 and 180", answers(WIDE, USUAL, 20, 180)),
    case(
        "brunner-munzel",
        brunner_munzel,
        "odds 1.8 times, n = 100 per arm",
        answers(BETTER, USUAL, 100, 100),
        PROBABILITY,
    ),
    case("mann-whitney", mann_whitney, "five answers, n = 20 per arm", answers(USUAL, USUAL, 20, 20)),
    case(
        "mann-whitney",
        mann_whitney,
        "same middle, other spread, n = 20 and 180",
        answers(WIDE, USUAL, 20, 180),
        comment=EQUAL,
    ),
    case(
        "proportional odds", proportional_odds, "five answers, n = 20 per arm", answers(USUAL, USUAL, 20, 20), **HEAVY
    ),
    case(
        "proportional odds",
        proportional_odds,
        "odds 1.8 times, n = 100 per arm",
        answers(BETTER, USUAL, 100, 100),
        covers(1.8, "covers the odds ratio"),
        **HEAVY,
    ),
)
