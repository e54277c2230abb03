"""Exact tests of two small proportions: never above 5 %, whatever the rate is."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Unpack

from abtest.stats.exact import barnard, boschloo, exact_score, fisher
from abtest.stats.moments import Counts
from tests.simulation.case import HEAVY, Case, Measure, Sizes, covers_difference, false_alarm, happens
from tests.simulation.data import two_counts

remembered = lru_cache(maxsize=100_000)(exact_score)
BOUND = "the largest p over all rates, so most rates stay below"


def alarm(p_value: Callable[[Counts, Counts], float]) -> Callable[[Counts, Counts], bool]:
    known = lru_cache(maxsize=100_000)(p_value)
    return lambda t, c: known(t, c) < 0.05


def exact(name: str, p_t: float, p_c: float, n_t: int, n_c: int, measure: Measure, **more: Unpack[Sizes]) -> Case:
    return Case("exact score", name, two_counts(p_t, p_c, n_t, n_c), remembered, (measure,), BOUND, **more)


def named(method: str, p_value: Callable[[Counts, Counts], float]) -> Case:
    measure = happens("false alarm, p < 0.05", 0.05, "at most")
    drawn = two_counts(0.2, 0.2, 20, 20)
    return Case(method, "20 %, n = 20 per arm", drawn, alarm(p_value), (measure,), BOUND, **HEAVY)


AT_MOST = false_alarm(promise="at most")
# A tenth of a second per pair of counts: the full set only, where few pairs are possible.
SLOW: Sizes = {"fast": 0}
CASES = (
    exact("5 %, n = 20 per arm (95 % zeros)", 0.05, 0.05, 20, 20, AT_MOST, **SLOW),
    exact("50 %, n = 8 per arm", 0.5, 0.5, 8, 8, AT_MOST, fast=3),
    exact("20 %, n = 4 and 16", 0.2, 0.2, 4, 16, AT_MOST, **SLOW),
    exact("20 % to 60 %, n = 8 per arm", 0.6, 0.2, 8, 8, covers_difference(0.4, "at least"), **SLOW),
    named("barnard", barnard),
    named("boschloo", boschloo),
    named("fisher", fisher),
)
