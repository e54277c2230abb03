"""Guardrails exactly at their margin: the test may say "held" in one of forty, and "broken" in one of forty."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from abtest.stats.margins import ArmData, Better, Equivalence, Margin, MarginTest, equivalence, non_inferiority
from abtest.stats.means import welch
from abtest.stats.moments import Counts, Moments, PairMoments
from abtest.stats.proportions import score
from abtest.stats.ratios import delta
from tests.simulation.case import HEAVY, Case, broken_in_error, held_in_error
from tests.simulation.data import Clicks, mostly_zero, normal, skewed, two_counts, two_means, two_ratios

RELATIVE, ABSOLUTE = Margin("relative", 0.1), Margin("absolute", 1.0)
BOTH = (held_in_error(), broken_in_error())


def guard(margin: Margin, better: Better = "higher") -> Callable[[ArmData, ArmData], MarginTest]:
    """The margin test as the product makes it: an inference first, by the kind of the data."""

    @lru_cache(maxsize=100_000)
    def counts(t: Counts, c: Counts) -> MarginTest:
        return non_inferiority(score(t, c), margin, better, t, c)

    def judge(t: ArmData, c: ArmData) -> MarginTest:
        if isinstance(t, Counts) and isinstance(c, Counts):
            return counts(t, c)
        if isinstance(t, PairMoments) and isinstance(c, PairMoments):
            return non_inferiority(delta(t, c), margin, better, t, c)
        assert isinstance(t, Moments)
        assert isinstance(c, Moments)
        return non_inferiority(welch(t, c), margin, better, t, c)

    return judge


def equal(t: Moments, c: Moments) -> Equivalence:
    return equivalence(welch(t, c), ABSOLUTE, t, c)


SKEWED, REVENUE = skewed(10.0), mostly_zero(0.95, skewed(4.0, mean=20.0))
TAILS = "the mean of the small arm is skewed, so its two tails err unequally"
CASES = (
    Case(
        "margin, welch",
        "10 % less, n = 20 per arm",
        two_means(normal(9, 3), normal(10, 3), 20, 20),
        guard(RELATIVE),
        BOTH,
    ),
    Case(
        "margin, welch",
        "10 % more, lower is better, n = 20",
        two_means(normal(11, 3), normal(10, 3), 20, 20),
        guard(RELATIVE, "lower"),
        BOTH,
    ),
    Case(
        "margin, welch",
        "1 less, n = 20 and 180",
        two_means(normal(9, 3), normal(10, 3), 20, 180),
        guard(ABSOLUTE),
        BOTH,
    ),
    Case(
        "margin, welch",
        "10 % less, skewness 10, n = 200 per arm",
        two_means(SKEWED.times(0.9), SKEWED, 200, 200),
        guard(RELATIVE),
        BOTH,
    ),
    Case(
        "margin, welch",
        "10 % less, skewness 10, split 90/10 of 2000",
        two_means(SKEWED.times(0.9), SKEWED, 200, 1800),
        guard(RELATIVE),
        BOTH,
        TAILS,
    ),
    Case(
        "margin, welch",
        "10 % less, 95 % zeros, n = 2000 per arm",
        two_means(REVENUE.times(0.9), REVENUE, 2000, 2000),
        guard(RELATIVE),
        BOTH,
        **HEAVY,
    ),
    Case(
        "margin, score",
        "10 % less of 20 %, n = 1000 per arm",
        two_counts(0.18, 0.2, 1000, 1000),
        guard(RELATIVE),
        BOTH,
        **HEAVY,
    ),
    Case(
        "margin, score",
        "10 % more of 5 %, lower is better, 90/10 of 1000",
        two_counts(0.055, 0.05, 100, 900),
        guard(RELATIVE, "lower"),
        BOTH,
        **HEAVY,
    ),
    Case(
        "margin, score",
        "2 points less of 10 %, n = 500 per arm",
        two_counts(0.08, 0.1, 500, 500),
        guard(Margin("absolute", 0.02)),
        BOTH,
        **HEAVY,
    ),
    Case(
        "margin, delta",
        "10 % less clicks per view, n = 200 per arm",
        two_ratios(Clicks(0.9), Clicks(), 200, 200),
        guard(RELATIVE),
        BOTH,
    ),
    Case(
        "equivalence",
        "1 more, just not equivalent, n = 100 per arm",
        two_means(normal(11, 3), normal(10, 3), 100, 100),
        equal,
        (held_in_error(0.05),),
    ),
)
