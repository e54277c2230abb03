"""Planned looks, the hybrid of looking and one test at the end, and intervals for the mean of few experiments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.random import Generator

from abtest.stats.group_sequential import boundaries
from abtest.stats.means import welch
from abtest.stats.meta import IntervalKind, Pooled, random_effects
from abtest.stats.sequential import hybrid, hybrid_critical, kappa_at
from abtest.stats.spending import OBRIEN_FLEMING, POCOCK, Spending
from tests.simulation.case import Case, Measure, Sizes, happens
from tests.simulation.data import normal, skewed
from tests.simulation.looks import LOOKS, Path, growing

FIVE = (20, 40, 60, 80, 100)
"""Looks of the hundred at which the five planned ones lie."""
PARTS = hybrid()
HYBRID = [
    hybrid_critical(PARTS, kappa_at(look, LOOKS, PARTS.monitoring), at_end=look == LOOKS)
    for look in range(1, LOOKS + 1)
]


SHARES = [(100 + 10 * (look - 1)) / (100 + 10 * (LOOKS - 1)) for look in FIVE]
"""Of the planned units: 100 per arm at first and 10 more each time make 290 at look 20, and 1090 at the end."""


def crosses(spending: Spending) -> Callable[[Path], bool]:
    """Whether z crosses the boundary at any of five looks; the plan is in units, as it would be."""
    bounds = boundaries(SHARES, 0.05, spending).bounds

    def judge(path: Path) -> bool:
        zs = [welch(*path[look - 1]).statistic for look in FIVE]
        return any(z is not None and abs(z) >= b for z, b in zip(zs, bounds, strict=True))

    return judge


def hybrid_alarm(path: Path) -> bool:
    zs = [welch(t, c).statistic for t, c in path]
    return any(z is not None and abs(z) > b for z, b in zip(zs, HYBRID, strict=True))


MEAN = 0.3


def experiments(k: int, tau: float) -> Callable[[Generator, int], Iterator[tuple[list[float], list[float]]]]:
    """k effects around 0.3 that differ by tau, with errors from 0.5 to 1.5: the last is three times as noisy as the first."""
    ses = np.linspace(0.5, 1.5, k)

    def draw(random: Generator, runs: int) -> Iterator[tuple[list[float], list[float]]]:
        effects = random.normal(MEAN, np.hypot(tau, ses), (runs, k))
        return ((row, ses.tolist()) for row in effects.tolist())

    return draw


def pooled(interval: IntervalKind) -> Callable[[list[float], list[float]], Pooled]:
    return lambda effects, ses: random_effects(effects, ses, interval=interval)


def _covers(found: Pooled) -> bool | None:
    if found.effect is None or found.effect.low is None or found.effect.high is None:
        return None
    return found.effect.low <= MEAN <= found.effect.high


COVERS = Measure("covers the mean effect", 0.95, _covers, errors=False, promise="at least")
SAME, SKEWED = normal(10, 3), skewed(10.0)
LOOKED: Sizes = {"replications": 10_000, "fast": 100, "batch": 100}
EXACT = happens("false alarm at any look", 0.05)
POOLED: Sizes = {"replications": 20_000, "fast": 500, "batch": 500}


def planned(name: str, spending: Spending, spread: Any = SAME, scenario: str = "normal", comment: str = "") -> Case:
    words = f"{scenario}, {name}, 290 to 1090 units per arm"
    return Case(
        "group sequential, 5 looks",
        words,
        growing(spread, spread, 100, 10),
        crosses(spending),
        (EXACT,),
        comment,
        **LOOKED,
    )


def meta(k: int, tau: float, interval: IntervalKind, comment: str = "") -> Case:
    words = "Hartung and Knapp" if interval == "hartung_knapp" else "normal interval"
    name = f"{k} experiments, {words}, effects differ by {tau:g}, errors 0.5 to 1.5"
    return Case("mean of experiments", name, experiments(k, tau), pooled(interval), (COVERS,), comment, **POOLED)


GUARD = "never narrower than the normal interval, so too wide where effects hardly differ"
NARROW = "why it is not the default"
CASES = (
    planned("O'Brien-Fleming", OBRIEN_FLEMING),
    planned("Pocock", POCOCK),
    planned("Hwang-Shih-DeCani -4", Spending("hwang_shih_decani", -4.0)),
    planned("Hwang-Shih-DeCani 1", Spending("hwang_shih_decani", 1.0)),
    planned("Pocock", POCOCK, SKEWED, "skewness 10"),
    Case(
        "hybrid, 100 looks",
        "normal, 1 % for looking, 4 % at the end",
        growing(SAME, SAME, 100, 10),
        hybrid_alarm,
        (happens("false alarm at any look", 0.05, "at most"),),
        "both parts overlap, and the part for looking is a bound",
        **LOOKED,
    ),
    *(meta(k, 1.0, "hartung_knapp", GUARD) for k in (3, 5, 10)),
    *(meta(k, 0.0, "hartung_knapp", GUARD) for k in (3, 10)),
    *(meta(k, 1.0, "normal", NARROW) for k in (3, 5, 10)),
)
