"""Many looks at one experiment: bands that stay valid, what reading a fixed test early does, and sample ratios."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Unpack

import numpy as np
from numpy.random import Generator

from abtest.stats.means import welch
from abtest.stats.moments import Moments
from abtest.stats.sequential import critical, kappa_at, p_value_one_sided
from abtest.stats.srm import sequential_srm, srm
from tests.simulation.case import HEAVY, Case, Sizes, false_alarm, happens
from tests.simulation.data import Spread, mostly_zero, normal, skewed

LOOKS = 100
PLANNED = 50
"""The look at which the band is narrowest; the experiment runs on to twice the plan."""
KAPPAS = [kappa_at(look, PLANNED, 0.05) for look in range(1, LOOKS + 1)]
CRITICAL = [critical(kappa, 0.05) for kappa in KAPPAS]
ONE_SIDED = [kappa_at(look, PLANNED, 0.10) for look in range(1, LOOKS + 1)]
Path = list[tuple[Moments, Moments]]


def growing(
    treatment: Spread, control: Spread, first: int, step: int, looks: int = LOOKS
) -> Callable[[Generator, int], Iterator[tuple[Path]]]:
    """Both arms at every look: `first` units per arm, then `step` more each time."""
    sizes = first + step * np.arange(looks)

    def arm(random: Generator, spread: Spread, runs: int) -> Iterator[list[Moments]]:
        values = spread.draw(random, (runs, int(sizes[-1])))
        centre = spread.mean
        sums = np.cumsum(values - centre, axis=1)[:, sizes - 1]
        squares = np.cumsum((values - centre) ** 2, axis=1)[:, sizes - 1]
        means, m2 = sums / sizes, np.maximum(0.0, squares - sums**2 / sizes)
        for row_means, row_m2 in zip((centre + means).tolist(), m2.tolist(), strict=True):
            yield [Moments(int(n), m, s) for n, m, s in zip(sizes, row_means, row_m2, strict=True)]

    def draw(random: Generator, runs: int) -> Iterator[tuple[Path]]:
        arms = arm(random, treatment, runs), arm(random, control, runs)
        return ((list(zip(t, c, strict=True)),) for t, c in zip(*arms, strict=True))

    return draw


def leaves_band(truth: float) -> Callable[[Path], bool]:
    """Whether the always-valid interval loses the true difference at any of the looks."""

    def judge(path: Path) -> bool:
        for (t, c), bound in zip(path, CRITICAL, strict=True):
            found = welch(t, c, critical=bound).absolute
            if (
                found is not None
                and found.low is not None
                and found.high is not None
                and not found.low <= truth <= found.high
            ):
                return True
        return False

    return judge


def peeks(path: Path) -> bool:
    """Whether the fixed test says p < .05 at any of the looks."""
    return any((p := welch(t, c).p_value) is not None and p < 0.05 for t, c in path)


def seems_worse(path: Path) -> bool:
    """Whether the one-sided always-valid test sees a fall at any of the looks."""
    for (t, c), kappa in zip(path, ONE_SIDED, strict=True):
        z = welch(t, c).statistic
        if z is not None and p_value_one_sided(-z, kappa) < 0.05:
            return True
    return False


def looked(
    method: str, name: str, drawn: Any, judge: Callable[[Path], bool], comment: str, **more: Unpack[Sizes]
) -> Case:
    measure = happens("false alarm at any look", 0.05, "at most")
    sizes: Sizes = {"replications": 5_000, "fast": 40, "batch": 100, **more}
    return Case(method, name, drawn, judge, (measure,), comment, **sizes)


def arrivals(shares: Sequence[float], n: int) -> Callable[[Generator, int], Iterator[tuple[tuple[int, ...]]]]:
    def draw(random: Generator, runs: int) -> Iterator[tuple[tuple[int, ...]]]:
        return ((tuple(row),) for row in random.multinomial(n, shares, runs).tolist())

    return draw


def ratio(name: str, shares: Sequence[float], n: int, alpha: float, comment: str = "") -> Case:
    return Case(
        "srm",
        name,
        arrivals(shares, n),
        lambda counts: srm(counts, shares),
        (false_alarm(alpha),),
        comment,
        replications=100_000,
        fast=3_000,
    )


def arriving(random: Generator, runs: int) -> Iterator[tuple[list[list[int]]]]:
    """Units per arm at every look, 200 more each time."""
    treatment = np.cumsum(random.binomial(200, 0.5, (runs, LOOKS)), axis=1)
    total = 200 * np.arange(1, LOOKS + 1)
    return (([[int(t), int(n - t)] for t, n in zip(row, total, strict=True)],) for row in treatment)


def mismatch(path: list[list[int]]) -> bool:
    return any(sequential_srm(counts, (0.5, 0.5)) < 0.05 for counts in path)


SAME, SKEWED, REVENUE = normal(10, 3), skewed(10.0), mostly_zero(0.95, skewed(4.0, mean=20.0))
BOUND = "a bound for any number of looks, so 100 looks stay below it"
CASES = (
    looked(
        "always valid, 100 looks",
        "normal, 100 units per arm at first, 10 more each time",
        growing(SAME, SAME, 100, 10),
        leaves_band(0.0),
        BOUND,
        replications=10_000,
    ),
    looked(
        "always valid, 100 looks",
        "normal, lift 10 %, 100 units at first",
        growing(SAME.times(1.1), SAME, 100, 10),
        leaves_band(1.0),
        BOUND,
    ),
    looked(
        "always valid, 100 looks",
        "normal, 10 units per arm at first",
        growing(SAME, SAME, 10, 10),
        leaves_band(0.0),
        "normal quantiles on few units, the module advises 100",
    ),
    looked(
        "always valid, 100 looks",
        "skewness 10, 100 units per arm at first",
        growing(SKEWED, SKEWED, 100, 10),
        leaves_band(0.0),
        BOUND,
    ),
    looked(
        "always valid, 100 looks",
        "95 % zeros, 100 units per arm at first",
        growing(REVENUE, REVENUE, 100, 10),
        leaves_band(0.0),
        BOUND,
    ),
    looked(
        "always valid, one-sided, 100 looks",
        "normal, 100 units per arm at first",
        growing(SAME, SAME, 100, 10),
        seems_worse,
        BOUND,
    ),
    looked(
        "welch read at 100 looks",
        "normal, 100 units per arm at first",
        growing(SAME, SAME, 100, 10),
        peeks,
        "why a fixed plan read before its end is always Keep running",
    ),
    ratio("50/50 of 100, p < 0.001", (0.5, 0.5), 100, 0.001, "few outcomes are possible"),
    ratio("50/50 of 1000, p < 0.01", (0.5, 0.5), 1000, 0.01),
    ratio("50/50 of 100000, p < 0.001", (0.5, 0.5), 100_000, 0.001),
    ratio(
        "90/10 of 50, p < 0.001", (0.9, 0.1), 50, 0.001, "5 units expected in the small arm, the fewest that are tested"
    ),
    ratio("90/10 of 2000, p < 0.001", (0.9, 0.1), 2000, 0.001),
    ratio("90/10 of 2000, p < 0.01", (0.9, 0.1), 2000, 0.01),
    ratio("three arms of 3000, p < 0.01", (1 / 3, 1 / 3, 1 / 3), 3000, 0.01),
    Case(
        "sequential srm, 100 looks",
        "50/50, 200 units each time",
        arriving,
        mismatch,
        (happens("false alarm at any look", 0.05, "at most"),),
        BOUND,
        **HEAVY,
    ),
)
