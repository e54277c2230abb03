"""More than one number per arm: cells of a table, a whole distribution, two effects together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.random import Generator

from abtest.stats.dose import DoseCurve, dose_curve
from abtest.stats.moments import PairMoments
from abtest.stats.tables import homogeneity, stratified
from abtest.stats.tradeoff import Ellipse, ellipse, joint_effect
from tests.simulation.case import HEAVY, Case, false_alarm, happens
from tests.simulation.data import pairs, skewed

Table = list[list[int]]
Histogram = list[tuple[float, int]]
EIGHT = (0.15, 0.09, 0.07, 0.08, 0.14, 0.1, 0.18, 0.19)
RARE = (0.5, 0.25, 0.15, 0.04, 0.02, 0.02, 0.01, 0.01)


def tables(
    cells: Sequence[float], n: int, strata: int = 0
) -> Callable[[Generator, int], Iterator[tuple[Table | list[Table]]]]:
    """Two arms of `n` in cells of these shares; with `strata`, that many such tables, each turned by a cell."""

    def draw(random: Generator, runs: int) -> Iterator[tuple[Table | list[Table]]]:
        found = [random.multinomial(n, np.roll(cells, k), (runs, 2)).tolist() for k in range(max(1, strata))]
        if not strata:
            return ((table,) for table in found[0])
        return ((list(own),) for own in zip(*found, strict=True))

    return draw


def histograms(mean: float, n: int) -> Callable[[Generator, int], Iterator[tuple[Histogram, Histogram]]]:
    """Posts per user: negative binomial, with many zeros and some who post a lot."""

    def one(random: Generator) -> Histogram:
        values, units = np.unique(random.poisson(mean * random.gamma(0.5, 2.0, n)), return_counts=True)
        return list(zip(values.astype(float).tolist(), units.tolist(), strict=True))

    def draw(random: Generator, runs: int) -> Iterator[tuple[Histogram, Histogram]]:
        return ((one(random), one(random)) for _ in range(runs))

    return draw


def somewhere(curve: DoseCurve) -> bool | None:
    """Whether the band leaves out "no difference" at any threshold."""
    return None if curve.status == "no_test" else any(not p.low <= 0.0 <= p.high for p in curve.points)


def curve(t: Histogram, c: Histogram) -> bool | None:
    return somewhere(dose_curve(t, c))


def two_metrics(random: Generator, runs: int) -> Iterator[tuple[PairMoments, PairMoments]]:
    """Engagement and revenue of 300 units per arm, correlated, skewness 2; nothing differs."""
    arms = []
    for _ in range(2):
        engagement = skewed(2.0).draw(random, (runs, 300))
        arms.append(pairs(engagement, 0.5 * engagement + skewed(2.0).draw(random, (runs, 300))))
    return zip(*arms, strict=True)


def together(t: PairMoments, c: PairMoments) -> Ellipse:
    joint = joint_effect(t, c)
    assert joint is not None
    return ellipse(joint, points=4)


BAND = happens("any threshold differs", 0.05)
CASES = (
    Case("homogeneity", "8 segments, n = 1000 per arm", tables(EIGHT, 1000), homogeneity, (false_alarm(),)),
    Case(
        "homogeneity",
        "8 segments, four of them 1 to 4 %, n = 50 per arm",
        tables(RARE, 50),
        homogeneity,
        (false_alarm(),),
        "the result carries `small_expected`",
    ),
    Case(
        "stratified table",
        "4 answers before and after, n = 50",
        tables((0.4, 0.3, 0.2, 0.1), 50, 4),
        stratified,
        (false_alarm(),),
        **HEAVY,
    ),
    Case(
        "dose curve",
        "0 to 20 posts, n = 500 per arm",
        histograms(2.0, 500),
        curve,
        (BAND,),
        replications=2_000,
        fast=5,
        batch=50,
    ),
    Case("two effects (ellipse)", "correlated, n = 300 per arm", two_metrics, together, (false_alarm(),), fast=250),
)
