"""Parts of all units: segments with effects that may differ, and experiments that touch only some of the units."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from numpy.random import Generator

from abtest.stats.heterogeneity import Heterogeneity, cochran_q
from abtest.stats.means import welch
from abtest.stats.moments import Moments
from abtest.stats.triggered import TriggeredArm, complement_check, diluted
from tests.simulation.case import Case, covers_difference, covers_lift, false_alarm
from tests.simulation.data import Spread, moments, normal, skewed

Segments = tuple[tuple[Moments, Moments], ...]


def segments(spread: Spread, sizes: tuple[int, ...]) -> Callable[[Generator, int], Iterator[tuple[Segments]]]:
    """The same effect (none) in segments of these sizes per arm."""

    def draw(random: Generator, runs: int) -> Iterator[tuple[Segments]]:
        cells = [[moments(spread.draw(random, (runs, n))) for _ in range(2)] for n in sizes]
        pairs = [zip(t, c, strict=True) for t, c in cells]
        return ((found,) for found in zip(*pairs, strict=True))

    return draw


def interaction(found: Segments) -> Heterogeneity:
    effects = [welch(t, c).absolute for t, c in found]
    return cochran_q([e.estimate for e in effects if e], [e.se for e in effects if e and e.se])


def triggered(
    factor: float, n: int, rest: int
) -> Callable[[Generator, int], Iterator[tuple[TriggeredArm, TriggeredArm]]]:
    """`n` triggered units per arm with a mean of 20, `rest` others with one of 10."""
    some, others = normal(20, 8), normal(10, 4)

    def draw(random: Generator, runs: int) -> Iterator[tuple[TriggeredArm, TriggeredArm]]:
        columns = [
            moments(spread.draw(random, (runs, size)))
            for spread, size in ((some.times(factor), n), (others, rest), (some, n), (others, rest))
        ]
        return ((TriggeredArm(a, b), TriggeredArm(c, d)) for a, b, c, d in zip(*columns, strict=True))

    return draw


CHI_SQUARE = "standard errors count as known, which those of small segments are not"
CASES = (
    Case(
        "segments differ (Cochran)",
        "4 segments, 25 to 100 per arm",
        segments(normal(10, 3), (25, 25, 50, 100)),
        interaction,
        (false_alarm(),),
        CHI_SQUARE,
    ),
    Case(
        "segments differ (Cochran)",
        "4 segments, 250 to 1000 per arm",
        segments(normal(10, 3), (250, 250, 500, 1000)),
        interaction,
        (false_alarm(),),
        fast=200,
    ),
    Case(
        "segments differ (Cochran)",
        "4 segments, skewness 10, 250 to 1000 per arm",
        segments(skewed(10.0), (250, 250, 500, 1000)),
        interaction,
        (false_alarm(),),
        "effect and standard error of a skewed metric move together",
        fast=200,
    ),
    Case(
        "triggered",
        "a fifth triggered, lift 10 % of those, n = 500 per arm",
        triggered(1.1, 100, 400),
        diluted,
        (covers_difference(0.2 * 2.0), covers_lift(0.4 / 12.0)),
        fast=250,
    ),
    Case(
        "triggered", "nothing differs, n = 500 per arm", triggered(1.0, 100, 400), diluted, (false_alarm(),), fast=250
    ),
    Case(
        "triggered",
        "check of the others, n = 500 per arm",
        triggered(1.1, 100, 400),
        complement_check,
        (false_alarm(),),
        fast=250,
    ),
)
