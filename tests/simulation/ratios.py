"""Ratios: numerators and denominators of one user move together. Clusters are units that own several people."""

from typing import Unpack

from abtest.stats.ratios import delta
from tests.simulation.case import HEAVY, Case, Sizes, covers_difference, covers_lift, false_alarm
from tests.simulation.data import Clicks, Clusters, two_ratios

FEW = "the variance of a ratio of few units is a little too small"


def same(name: str, arm: Clicks | Clusters, n_t: int, n_c: int, comment: str = "", **more: Unpack[Sizes]) -> Case:
    return Case("delta", name, two_ratios(arm, arm, n_t, n_c), delta, (false_alarm(),), comment, **more)


def better(
    name: str,
    t: Clicks | Clusters,
    c: Clicks | Clusters,
    n_t: int,
    n_c: int,
    size: float,
    comment: str = "",
    **more: Unpack[Sizes],
) -> Case:
    """`size` is the true ratio of the control; the treatment has 10 % more."""
    truth = covers_difference(0.1 * size), covers_lift(0.1)
    return Case("delta", f"{name}, lift 10 %", two_ratios(t, c, n_t, n_c), delta, truth, comment, **more)


CLICKS, MORE_CLICKS = Clicks(), Clicks(1.1)
RARE, MORE_RARE = Clicks(away=0.95), Clicks(1.1, away=0.95)
CASES = (
    same("clicks per view, n = 20 per arm", CLICKS, 20, 20, FEW),
    better("clicks per view, n = 20 per arm", MORE_CLICKS, CLICKS, 20, 20, CLICKS.ratio, FEW),
    same("clicks per view, n = 200 per arm", CLICKS, 200, 200),
    better("clicks per view, n = 200 per arm", MORE_CLICKS, CLICKS, 200, 200, CLICKS.ratio),
    same("clicks per view, n = 2000 per arm", CLICKS, 2000, 2000, **HEAVY),
    same("clicks per view, split 90/10 of 1000", CLICKS, 100, 900, fast=250),
    better("clicks per view, split 90/10 of 1000", MORE_CLICKS, CLICKS, 100, 900, CLICKS.ratio, fast=250),
    same(
        "95 % of users without a view, n = 200 per arm",
        RARE,
        200,
        200,
        "10 users per arm have a view; 200 are counted, and nothing is noted",
    ),
    better("95 % of users without a view, n = 2000 per arm", MORE_RARE, RARE, 2000, 2000, CLICKS.ratio, **HEAVY),
    same("unequal clusters, 10 per arm", Clusters(), 10, 10, FEW),
    same("unequal clusters, 40 per arm", Clusters(), 40, 40, "see clusters for what is done about it"),
    better("unequal clusters, 40 per arm", Clusters(1.1), Clusters(), 40, 40, 10.0),
    same("unequal clusters, 200 per arm", Clusters(), 200, 200),
    same("unequal clusters, split 90/10 of 200", Clusters(), 20, 180, FEW),
)
