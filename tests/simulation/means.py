"""Means: Welch's t and Fieller's lift, from well-behaved metrics to those where they fail."""

from typing import Unpack

from abtest.stats.means import welch
from tests.simulation.case import HEAVY, Case, Sizes, covers_difference, covers_lift, false_alarm
from tests.simulation.data import Spread, mostly_zero, normal, skewed, two_means

SKEWED = skewed(10.0)
REVENUE = mostly_zero(0.95, skewed(4.0, mean=20.0))
SLOW_SKEW = "the mean of few units of a skewed metric is itself skewed"
ASYMMETRIC = "unequal arms: the skewness of the two means no longer cancels"
TOO_FEW_BUYERS = "hardly anybody has a value: 20 units are one buyer"


def same(name: str, spread: Spread, n_t: int, n_c: int, comment: str = "", **more: Unpack[Sizes]) -> Case:
    """Both arms from one distribution."""
    return Case("welch", name, two_means(spread, spread, n_t, n_c), welch, (false_alarm(),), comment, **more)


def better(name: str, spread: Spread, n_t: int, n_c: int, comment: str = "", **more: Unpack[Sizes]) -> Case:
    """The treatment has 10 % more of everything."""
    truth = covers_difference(0.1 * spread.mean), covers_lift(0.1)
    drawn = two_means(spread.times(1.1), spread, n_t, n_c)
    return Case("welch", f"{name}, lift 10 %", drawn, welch, truth, comment, **more)


CASES = (
    same("normal, n = 20 per arm", normal(10, 3), 20, 20),
    better("normal, n = 20 per arm", normal(10, 3), 20, 20),
    same("normal, n = 1000 per arm", normal(10, 3), 1000, 1000),
    Case(
        "welch",
        "normal, sd 3 and 1, n = 12 and 40",
        two_means(normal(5, 3), normal(5, 1), 12, 40),
        welch,
        (false_alarm(),),
    ),
    better(
        "normal, control mean 3 se from zero, n = 20", normal(2, 3), 20, 20, "lifts are shown where they have bounds"
    ),
    same("normal, split 90/10 of 1000", normal(10, 3), 100, 900),
    better("normal, split 90/10 of 1000", normal(10, 3), 100, 900),
    same("skewness 10, n = 20 per arm", SKEWED, 20, 20, SLOW_SKEW),
    better("skewness 10, n = 20 per arm", SKEWED, 20, 20, SLOW_SKEW),
    same("skewness 10, n = 200 per arm", SKEWED, 200, 200),
    better("skewness 10, n = 200 per arm", SKEWED, 200, 200, SLOW_SKEW),
    same("skewness 10, n = 2000 per arm", SKEWED, 2000, 2000, **HEAVY),
    better("skewness 10, n = 2000 per arm", SKEWED, 2000, 2000, **HEAVY),
    better(
        "skewness 10, n = 35500 per arm",
        SKEWED,
        35_500,
        35_500,
        "355 x 10^2 units, the advice of the check",
        replications=4_000,
        fast=10,
        batch=20,
    ),
    same("skewness 10, split 90/10 of 2000", SKEWED, 200, 1800, ASYMMETRIC, fast=200),
    better("skewness 10, split 90/10 of 2000", SKEWED, 200, 1800, ASYMMETRIC, fast=200),
    same("95 % zeros, n = 20 per arm", REVENUE, 20, 20, TOO_FEW_BUYERS),
    better("95 % zeros, n = 20 per arm", REVENUE, 20, 20, TOO_FEW_BUYERS),
    same("95 % zeros, n = 200 per arm", REVENUE, 200, 200),
    better("95 % zeros, n = 200 per arm", REVENUE, 200, 200),
    same("95 % zeros, n = 5000 per arm", REVENUE, 5000, 5000, **HEAVY),
    better("95 % zeros, n = 5000 per arm", REVENUE, 5000, 5000, **HEAVY),
    same("95 % zeros, split 90/10 of 2000", REVENUE, 200, 1800, ASYMMETRIC, fast=200),
)
