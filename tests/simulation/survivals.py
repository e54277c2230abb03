"""Days until something happens, for people who came on different days and are watched for 14 to 28 of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.random import Generator

from abtest.stats.inference import Inference
from abtest.stats.survival import Lifetable, log_rank, rmst
from tests.simulation.case import Case, covers_difference, covers_lift, false_alarm

TAU = 14.0
SMALL = "the large-sample variance is a little too small for 20 people"


def tables(
    hazard_t: float, hazard_c: float, n_t: int, n_c: int
) -> Callable[[Generator, int], Iterator[tuple[Lifetable, Lifetable]]]:
    """The same chance of the event on each day."""

    def one(random: Generator, hazard: float, n: int) -> Lifetable:
        day, watched = random.geometric(hazard, n), random.integers(14, 29, n)
        seen = day <= watched
        events = np.bincount(day[seen], minlength=29)
        censored = np.bincount(watched[~seen], minlength=29)
        days = np.flatnonzero(events + censored)
        return Lifetable(
            tuple(days.astype(float).tolist()), tuple(events[days].tolist()), tuple(censored[days].tolist())
        )

    def draw(random: Generator, runs: int) -> Iterator[tuple[Lifetable, Lifetable]]:
        return ((one(random, hazard_t, n_t), one(random, hazard_c, n_c)) for _ in range(runs))

    return draw


def restricted(hazard: float) -> float:
    """The true mean of min(day, 14)."""
    return float((1.0 - (1.0 - hazard) ** TAU) / hazard)


def by_rmst(t: Lifetable, c: Lifetable) -> Inference:
    return rmst(t, c, TAU)


FEWER, USUAL = 0.04, 0.05
EFFECT = restricted(FEWER) - restricted(USUAL)
LATER = covers_difference(EFFECT), covers_lift(EFFECT / restricted(USUAL))
CASES = (
    Case("log-rank", "5 % a day, n = 20 per arm", tables(USUAL, USUAL, 20, 20), log_rank, (false_alarm(),)),
    Case(
        "log-rank", "5 % a day, n = 200 per arm", tables(USUAL, USUAL, 200, 200), log_rank, (false_alarm(),), fast=250
    ),
    Case(
        "log-rank",
        "0.3 % a day, n = 200 per arm (95 % without event)",
        tables(0.003, 0.003, 200, 200),
        log_rank,
        (false_alarm(),),
    ),
    Case(
        "log-rank",
        "5 % a day, n = 20 and 180",
        tables(USUAL, USUAL, 20, 180),
        log_rank,
        (false_alarm(),),
        "too few events in the small arm for its normal quantile",
    ),
    Case("rmst", "5 % a day, 14 days, n = 20 per arm", tables(USUAL, USUAL, 20, 20), by_rmst, (false_alarm(),), SMALL),
    Case(
        "rmst",
        "5 % a day, 14 days, n = 200 per arm",
        tables(USUAL, USUAL, 200, 200),
        by_rmst,
        (false_alarm(),),
        fast=250,
    ),
    Case("rmst", "5 % a day, 14 days, n = 20 and 180", tables(USUAL, USUAL, 20, 180), by_rmst, (false_alarm(),), SMALL),
    Case(
        "rmst", "4 % and 5 % a day, 14 days, n = 200 per arm", tables(FEWER, USUAL, 200, 200), by_rmst, LATER, fast=250
    ),
)
