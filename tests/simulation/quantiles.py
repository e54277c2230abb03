"""Quantiles: across users, across page loads of users, and with ties."""

from collections.abc import Callable, Iterator
from typing import Unpack

import numpy as np
from numpy.random import Generator

from abtest.stats.quantiles import Quantile, quantile_contrast, quantile_of
from tests.simulation.case import HEAVY, Case, Sizes, covers_difference, covers_lift, false_alarm
from tests.simulation.data import Floats, Wholes


def loads(random: Generator, n: int) -> tuple[Floats, Wholes]:
    """Seconds of page loads: 1 to 9 per user, exponential, and slower for some users (Gamma(4), so Lomax overall)."""
    sizes = random.integers(1, 10, n)
    pace = np.repeat(random.gamma(4.0, 0.25, n), sizes)
    return random.exponential(1.0, len(pace)) / pace, sizes


def once(random: Generator, n: int) -> tuple[Floats, Wholes]:
    """One exponential value per user."""
    return random.exponential(1.0, n), np.ones(n, np.int64)


def visits(random: Generator, n: int) -> tuple[Floats, Wholes]:
    """Small whole numbers: Poisson(3) visits per user, so that most values tie."""
    return random.poisson(3.0, n).astype(np.float64), np.ones(n, np.int64)


def arms(
    rows: Callable[[Generator, int], tuple[Floats, Wholes]], at: float, n: int, factor: float = 1.0
) -> Callable[[Generator, int], Iterator[tuple[Quantile, Quantile]]]:
    def draw(random: Generator, runs: int) -> Iterator[tuple[Quantile, Quantile]]:
        for _ in range(runs):
            (t, sizes_t), (c, sizes_c) = rows(random, n), rows(random, n)
            yield quantile_of(at, factor * t, sizes_t), quantile_of(at, c, sizes_c)

    return draw


def case(
    name: str,
    drawn: Callable[[Generator, int], Iterator[tuple[Quantile, Quantile]]],
    comment: str = "",
    *,
    truth: float | None = None,
    **more: Unpack[Sizes],
) -> Case:
    """With `truth`, the control's quantile, the treatment is slower by 10 %."""
    measures = (false_alarm(),) if truth is None else (covers_difference(0.1 * truth), covers_lift(0.1))
    return Case("quantile", name, drawn, quantile_contrast, measures, comment, **more)


def lomax(at: float) -> float:
    """Quantile of `loads`: P(X > x) = (1 + x / 4)^-4, since users have as many loads whatever their pace."""
    return float(4.0 * ((1.0 - at) ** -0.25 - 1.0))


NARROW = "the distance between two order statistics is a rough standard error"
CASES = (
    case("median of users, n = 20 per arm", arms(once, 0.5, 20), NARROW, fast=250),
    case("median of users, n = 200 per arm", arms(once, 0.5, 200), **HEAVY),
    case(
        "90 % of users, n = 20 per arm", arms(once, 0.9, 20), "not enough users beyond the quantile: no test", **HEAVY
    ),
    case("90 % of users, n = 200 per arm", arms(once, 0.9, 200), NARROW, **HEAVY),
    case(
        "90 % of users, n = 1000 per arm, 10 % slower", arms(once, 0.9, 1000, 1.1), truth=-float(np.log(0.1)), **HEAVY
    ),
    case("90 % of page loads, n = 200 users per arm", arms(loads, 0.9, 200), **HEAVY),
    case(
        "90 % of page loads, n = 200 users per arm, 10 % slower", arms(loads, 0.9, 200, 1.1), truth=lomax(0.9), **HEAVY
    ),
    case("median of tied counts, n = 200 per arm", arms(visits, 0.5, 200), **HEAVY),
)
