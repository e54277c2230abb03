"""Randomised clusters of very unequal size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Unpack

from numpy.random import Generator

from abtest.stats.clusters import ClusterArm, cluster_contrast
from tests.simulation.case import HEAVY, Case, Sizes, covers_difference, covers_lift, false_alarm
from tests.simulation.data import Clusters


def arms(
    treatment: Clusters, control: Clusters, n_t: int, n_c: int
) -> Callable[[Generator, int], Iterator[tuple[ClusterArm, ClusterArm]]]:
    def one(random: Generator, arm: Clusters, runs: int, n: int) -> Iterator[ClusterArm]:
        sums, sizes = arm.draw(random, (runs, n))
        for own, size in zip(sums.tolist(), sizes.astype(int).tolist(), strict=True):
            yield ClusterArm(tuple(own), tuple(size))

    def draw(random: Generator, runs: int) -> Iterator[tuple[ClusterArm, ClusterArm]]:
        return zip(one(random, treatment, runs, n_t), one(random, control, runs, n_c), strict=True)

    return draw


def same(n_t: int, n_c: int, name: str, comment: str = "", **more: Unpack[Sizes]) -> Case:
    return Case(
        "clusters", name, arms(Clusters(), Clusters(), n_t, n_c), cluster_contrast, (false_alarm(),), comment, **more
    )


TAIL = "log-normal sizes: some cluster is always a giant"
GIANT = "one giant cluster among few decides the mean of its arm"
CASES = (
    same(5, 5, "unequal clusters, 5 per arm", GIANT),
    same(10, 10, "unequal clusters, 10 per arm", GIANT),
    same(20, 20, "unequal clusters, 20 per arm", TAIL),
    same(40, 40, "unequal clusters, 40 per arm", TAIL),
    same(20, 180, "unequal clusters, split 90/10 of 200", TAIL, fast=250),
    Case(
        "clusters",
        "unequal clusters, 40 per arm, lift 10 %",
        arms(Clusters(1.1), Clusters(), 40, 40),
        cluster_contrast,
        (covers_difference(1.0), covers_lift(0.1)),
    ),
    same(200, 200, "unequal clusters, 200 per arm", TAIL, **HEAVY),
)
