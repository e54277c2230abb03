"""Experiments that randomise whole clusters: each metric as its sums over clusters, and the test that these get."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from abtest.analysis.result import Clustering
from abtest.language.model import Metric
from abtest.metrics.clusters import ClusterRows, ClusterSums, Scale, cluster_rows, cluster_table, size_sums
from abtest.metrics.sums import ArmSums, Column, Grid
from abtest.metrics.units import Values
from abtest.sources.engine import Engine
from abtest.stats.clusters import (
    MANY,
    ClusterArm,
    Spread,
    cluster_arms,
    cluster_contrast,
    design_effect,
    intra_cluster_correlation,
)
from abtest.stats.contrast import Arm, contrast
from abtest.stats.inference import Inference, no_test
from abtest.stats.moments import PairMoments, Sums, pair_from_sums
from abtest.stats.ratios import ratio_arm


@dataclass(frozen=True)
class Clusters:
    """One metric in one arm of clusters: `pair` are the sums of values and the sizes (denominators, for ratios) over
    the `number` of clusters with units, `worth` that number in equal clusters.

    `arm` are the clusters themselves, where an arm of the comparison is worth few; None with `odd`, a cluster whose
    denominator no size can be. `below`: of ratios, the sums of denominators and the numbers of units. `spread` describes how alike units of one cluster are.
    """

    number: int
    worth: float
    pair: PairMoments
    spread: Spread
    below: PairMoments | None = None
    arm: ClusterArm | None = field(default=None, compare=False)
    odd: bool = False


def clustered_arms(
    engine: Engine,
    values: Values,
    metrics: Iterable[Metric],
    sums: Mapping[tuple[Any, int], Mapping[str, ArmSums]],
    by: str | None,
    grid: Mapping[str, Grid],
) -> dict[tuple[Any, int], dict[str, Clusters]]:
    """Per (segment value, variant) and metric: its clusters. Quantiles have none: a sum tells nothing of them."""
    summed = [m for m in metrics if m.quantile is None]
    cluster_table(engine, values, summed, by, grid)
    found: dict[tuple[Any, int], dict[str, Clusters]] = {}
    for metric in summed:
        own = {
            key: _clusters(c, sums[key][metric.name]) for key, c in size_sums(engine, values, metric, by, grid).items()
        }
        # Not their number: a variance of few clusters needs each of them, however many small ones stand beside.
        if any(c.worth < MANY for c in own.values()):
            rows = cluster_rows(engine, values, metric, by, grid)
            own = {key: _with_rows(c, rows[key]) for key, c in own.items()}
        for key, clusters in own.items():
            found.setdefault(key, {})[metric.name] = clusters
    return found


def _clusters(sums: ClusterSums, arm: ArmSums) -> Clusters:
    number = sum(s.clusters for s in sums.sizes)
    x = _Whole(sums.value)
    y = _Whole(sums.below or Scale(Fraction(1), Fraction(0)))
    totals = [0, 0, 0, 0, 0]
    for s in sums.sizes:
        own = (
            x.sum(s.units, s.clusters, s.x),
            x.squares(s.units, s.clusters, s.x, s.xx),
            y.sum(s.units, s.clusters, s.y),
            y.squares(s.units, s.clusters, s.y, s.yy),
            x.products(y, s.units, s.clusters, s.x, s.y, s.xy),
        )
        totals = [total + more for total, more in zip(totals, own, strict=True)]
    sx, sxx, sy, syy, sxy = totals
    pair = pair_from_sums(number, Sums(0, sx, sxx, scale=x.scale), Sums(0, sy, syy, scale=y.scale), sxy)
    ratio = Fraction(sx * y.scale, sy * x.scale) if sums.below is not None and sy else Fraction(0)
    spread = _spread(sums, arm, x, y, ratio)
    below = None
    if sums.below is not None:
        sizes = Sums(0, spread.units, spread.size_squares)
        each = sum(s.units * y.sum(s.units, s.clusters, s.y) for s in sums.sizes)
        below = pair_from_sums(number, Sums(0, sy, syy, scale=y.scale), sizes, each)
    return Clusters(number, sy * sy / syy if syy else 0.0, pair, spread, below)


def _spread(sums: ClusterSums, arm: ArmSums, x: _Whole, y: _Whole, r: Fraction) -> Spread:
    """How units vary within and between clusters; for a ratio their numerators less what their denominators lead one
    to expect (its linearised value, in units of the numerator)."""
    units = sum(s.units * s.clusters for s in sums.sizes)
    size_squares = sum(s.units * s.units * s.clusters for s in sums.sizes)
    number = sum(s.clusters for s in sums.sizes)
    total, means = Fraction(0), Fraction(0)
    for s in sums.sizes:
        xx = Fraction(x.squares(s.units, s.clusters, s.x, s.xx), x.scale**2)
        total += Fraction(x.sum(s.units, s.clusters, s.x), x.scale)
        if r:
            xy = Fraction(x.products(y, s.units, s.clusters, s.x, s.y, s.xy), x.scale * y.scale)
            yy = Fraction(y.squares(s.units, s.clusters, s.y, s.yy), y.scale**2)
            total -= r * Fraction(y.sum(s.units, s.clusters, s.y), y.scale)
            xx += r * r * yy - 2 * r * xy
        means += xx / s.units
    return Spread(number, units, size_squares, total, means, _squares(arm, r))


def _squares(arm: ArmSums, r: Fraction) -> Fraction:
    """Sum over units of (x - r y)^2."""
    assert arm.value is not None
    sx, sxx = _moments(arm.value, arm.used)
    if not r or arm.denominator is None or arm.cross is None:
        return sxx
    sy, syy = _moments(arm.denominator, arm.used)
    v, w = arm.value, arm.denominator
    shift_x, shift_y = Fraction(v.shift), Fraction(w.shift)
    sxy = Fraction(arm.cross, v.scale * w.scale) + shift_x * sy + shift_y * sx - arm.used * shift_x * shift_y
    return sxx - 2 * r * sxy + r * r * syy


def _moments(column: Column, n: int) -> tuple[Fraction, Fraction]:
    """Sums of values and of their squares over `n` units."""
    shift, s1 = Fraction(column.shift), Fraction(column.s1, column.scale)
    return shift * n + s1, shift * shift * n + 2 * shift * s1 + Fraction(column.s2, column.scale**2)


class _Whole:
    """Sums of clusters as multiples of 1 / scale, whatever their shift."""

    def __init__(self, by: Scale) -> None:
        self.scale = math.lcm(by.shift.denominator, by.step.denominator)
        self.a, self.b = int(by.shift * self.scale), int(by.step * self.scale)

    def one(self, units: int, s: int) -> int:
        return self.a * units + self.b * s

    def sum(self, units: int, clusters: int, s: int) -> int:
        return self.a * units * clusters + self.b * s

    def squares(self, units: int, clusters: int, s: int, ss: int) -> int:
        shift = self.a * units
        return shift * shift * clusters + 2 * shift * self.b * s + self.b * self.b * ss

    def products(self, other: _Whole, units: int, clusters: int, x: int, y: int, xy: int) -> int:
        a, c = self.a * units, other.a * units
        return a * c * clusters + a * other.b * y + c * self.b * x + self.b * other.b * xy


def _with_rows(clusters: Clusters, rows: ClusterRows) -> Clusters:
    x = _Whole(rows.value)
    sums = [Fraction(x.one(n, s), x.scale) for n, s, _ in rows.rows]
    if rows.below is None:
        arm = ClusterArm(tuple(float(s) for s in sums), tuple(n for n, _, _ in rows.rows))
        return replace(clusters, arm=arm)
    y = _Whole(rows.below)
    sizes = [y.one(n, s) for n, _, s in rows.rows]
    # Denominators such as hours are no whole numbers; numerator and denominator in smaller units have the same ratio.
    smaller = y.scale // math.gcd(y.scale, *sizes)
    odd = any(n < 0 or (n == 0 and s != 0) for s, n in zip(sums, sizes, strict=True))
    if odd:
        return replace(clusters, odd=True)
    whole = tuple(n * smaller // y.scale for n in sizes)
    return replace(clusters, arm=ClusterArm(tuple(float(s * smaller) for s in sums), whole))


def cluster_test(t: Clusters, c: Clusters, alpha: float, critical: float | None) -> Inference:
    """The effect, by the delta method over clusters or, where an arm is worth few, by `cluster_contrast`."""
    if t.pair.y.total == 0.0 or c.pair.y.total == 0.0:
        return no_test("zero_denominator", "cluster")
    if _large(t, c):
        return contrast(*_arms(t, c), method="cluster", alpha=alpha, critical=critical)
    if t.arm is None or c.arm is None:
        return no_test("odd_denominator", "cluster_cr2")
    return cluster_contrast(t.arm, c.arm, alpha=alpha, critical=critical)


def cluster_margin_arms(t: Clusters, c: Clusters) -> tuple[Arm, Arm]:
    """The two arms as `cluster_test` compares them."""
    return _arms(t, c)


def _large(t: Clusters, c: Clusters) -> bool:
    return min(t.worth, c.worth) >= MANY


def _arms(t: Clusters, c: Clusters) -> tuple[Arm, Arm]:
    if _large(t, c):
        return ratio_arm(t.pair), ratio_arm(c.pair)
    assert t.arm is not None
    assert c.arm is not None
    return cluster_arms(t.arm, c.arm)


def clustering_of(t: Clusters, c: Clusters) -> Clustering:
    """What a reader wants to know of the clusters of a comparison."""
    alike = intra_cluster_correlation(t.spread, c.spread)
    effect = None
    if alike.rho is not None and alike.mean_size is not None:
        effect = design_effect(alike.mean_size, alike.rho, alike.size_cv or 0.0)
    return Clustering(c.number, t.number, c.worth, t.worth, alike.mean_size, alike.rho, alike.reason, effect)
