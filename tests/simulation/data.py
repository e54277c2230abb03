"""Arms of experiments with a known truth, summarised as the engine delivers them: moments, counts, pairs.

Everything is drawn for many replications at once, shape (runs, units); the summaries are those of `moments_of` and
`pair_of`, without their care for values near 1e9, which do not occur here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from abtest.stats.moments import Counts, Moments, PairMoments

Floats = npt.NDArray[np.float64]
Wholes = npt.NDArray[np.int64]
Shape = tuple[int, int]


@dataclass(frozen=True)
class Spread:
    """How a metric is spread over units: `draw` fills a shape, `mean` is the true mean."""

    mean: float
    draw: Callable[[Generator, Shape], Floats]

    def times(self, factor: float) -> Spread:
        """Everybody's value times a factor: a lift of factor - 1."""
        return Spread(self.mean * factor, lambda random, shape: factor * self.draw(random, shape))


def normal(mean: float, sd: float) -> Spread:
    return Spread(mean, lambda random, shape: random.normal(mean, sd, shape))


def skewed(skewness: float, mean: float = 1.0) -> Spread:
    """Log-normal with this skewness: (w + 2) sqrt(w - 1) with w = exp(sigma^2)."""
    w = float(max(np.roots([1.0, 3.0, 0.0, -4.0 - skewness**2]).real))
    sigma = math.sqrt(math.log(w))
    return Spread(mean, lambda random, shape: random.lognormal(math.log(mean) - sigma**2 / 2, sigma, shape))


def mostly_zero(zeros: float, rest: Spread) -> Spread:
    """A share `zeros` of units with nothing at all, as in revenue."""
    return Spread(
        (1 - zeros) * rest.mean, lambda random, shape: (random.random(shape) >= zeros) * rest.draw(random, shape)
    )


def moments(values: Floats) -> Iterator[Moments]:
    """Of each row of `values`, shape (runs, units)."""
    n = values.shape[1]
    means = values.mean(axis=1)
    off = values - means[:, None]
    squares = (off**2).sum(axis=1)
    cubes = (off**3).sum(axis=1)
    for mean, m2, m3 in zip(means.tolist(), squares.tolist(), cubes.tolist(), strict=True):
        yield Moments(n, mean, m2, m3)


def pairs(x: Floats, y: Floats) -> Iterator[PairMoments]:
    """Of each row of numerators `x` and denominators `y`."""
    n = x.shape[1]
    cross = ((x - x.mean(axis=1, keepdims=True)) * (y - y.mean(axis=1, keepdims=True))).sum(axis=1)
    for one, other, both in zip(moments(x), moments(y), cross.tolist(), strict=True):
        yield PairMoments(n, one, other, both)


def two_means(
    treatment: Spread, control: Spread, n_t: int, n_c: int
) -> Callable[[Generator, int], Iterator[tuple[Moments, Moments]]]:
    def draw(random: Generator, runs: int) -> Iterator[tuple[Moments, Moments]]:
        t, c = treatment.draw(random, (runs, n_t)), control.draw(random, (runs, n_c))
        return zip(moments(t), moments(c), strict=True)

    return draw


def two_counts(
    p_t: float, p_c: float, n_t: int, n_c: int
) -> Callable[[Generator, int], Iterator[tuple[Counts, Counts]]]:
    def draw(random: Generator, runs: int) -> Iterator[tuple[Counts, Counts]]:
        t, c = random.binomial(n_t, p_t, runs).tolist(), random.binomial(n_c, p_c, runs).tolist()
        return ((Counts(a, n_t), Counts(b, n_c)) for a, b in zip(t, c, strict=True))

    return draw


@dataclass(frozen=True)
class Clicks:
    """Clicks per view of users. A fifth look at 20 pages and click on 40 %, the others at 3 and click on 10 %.

    So numerator, denominator and the user's own rate all rise together; the true ratio is 0.2875 `factor`.
    `away` is the share of users without any view.
    """

    factor: float = 1.0
    away: float = 0.0

    @property
    def ratio(self) -> float:
        return self.factor * (0.2 * 20 * 0.4 + 0.8 * 3 * 0.1) / (0.2 * 20 + 0.8 * 3)

    def draw(self, random: Generator, shape: Shape) -> tuple[Floats, Floats]:
        heavy = random.random(shape) < 0.2
        views = random.poisson(np.where(heavy, 20.0, 3.0)) * (random.random(shape) >= self.away)
        clicks = random.binomial(views, self.factor * np.where(heavy, 0.4, 0.1))
        return clicks.astype(np.float64), views.astype(np.float64)


@dataclass(frozen=True)
class Clusters:
    """Sums over clusters (classrooms, cities) of very unequal size: log-normal, mean near 20, a coefficient of
    variation of 1. Each cluster has a level of its own (intraclass correlation 0.08); the true mean is 10 `factor`."""

    factor: float = 1.0

    def draw(self, random: Generator, shape: Shape) -> tuple[Floats, Floats]:
        sigma = math.sqrt(math.log(2.0))
        size = np.maximum(1.0, np.round(random.lognormal(math.log(20.0) - sigma**2 / 2, sigma, shape)))
        level = self.factor * (10.0 + 0.3 * random.standard_normal(shape))
        return size * level + np.sqrt(size) * random.standard_normal(shape), size


def two_ratios(
    treatment: Clicks | Clusters, control: Clicks | Clusters, n_t: int, n_c: int
) -> Callable[[Generator, int], Iterator[tuple[PairMoments, PairMoments]]]:
    def draw(random: Generator, runs: int) -> Iterator[tuple[PairMoments, PairMoments]]:
        t, c = treatment.draw(random, (runs, n_t)), control.draw(random, (runs, n_c))
        return zip(pairs(*t), pairs(*c), strict=True)

    return draw
