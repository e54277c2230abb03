"""Proportions: the pooled z with Mee's and Koopman's intervals. With few possible outcomes no test can be exact."""

from functools import lru_cache
from typing import Unpack

from abtest.stats.proportions import score
from tests.simulation.case import HEAVY, Case, Sizes, covers_difference, covers_lift, false_alarm
from tests.simulation.data import two_counts

# The same two counts come up again and again.
remembered = lru_cache(maxsize=100_000)(score)
COARSE = "few outcomes are possible, so the rate jumps past 5 % or stays below"


def same(name: str, p: float, n_t: int, n_c: int, comment: str = "", **more: Unpack[Sizes]) -> Case:
    return Case("score", name, two_counts(p, p, n_t, n_c), remembered, (false_alarm(),), comment, **more)


def better(name: str, p_t: float, p_c: float, n_t: int, n_c: int, comment: str = "", **more: Unpack[Sizes]) -> Case:
    truth = covers_difference(p_t - p_c), covers_lift(p_t / p_c - 1)
    return Case("score", name, two_counts(p_t, p_c, n_t, n_c), remembered, truth, comment, **more)


CASES = (
    same("5 %, n = 20 per arm (95 % zeros)", 0.05, 20, 20, COARSE),
    same("50 %, n = 20 per arm", 0.5, 20, 20, COARSE),
    same("5 %, n = 200 per arm", 0.05, 200, 200, COARSE, fast=150),
    same("1 %, n = 1000 per arm", 0.01, 1000, 1000, COARSE, fast=120),
    same("20 %, n = 1000 per arm", 0.2, 1000, 1000, **HEAVY),
    same("5 %, split 90/10 of 1000", 0.05, 100, 900, COARSE, fast=150),
    same("20 %, split 90/10 of 5000", 0.2, 500, 4500, **HEAVY),
    better("5 % to 15 %, n = 20 per arm", 0.15, 0.05, 20, 20, COARSE),
    better("50 % to 60 %, n = 20 per arm", 0.6, 0.5, 20, 20, COARSE),
    better("5 % to 10 %, n = 200 per arm", 0.10, 0.05, 200, 200),
    better("20 % to 25 %, n = 1000 per arm", 0.25, 0.20, 1000, 1000, **HEAVY),
    better("5 % to 8 %, split 90/10 of 1000", 0.08, 0.05, 100, 900, fast=150),
)
