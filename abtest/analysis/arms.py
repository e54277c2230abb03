"""Exact sums of the metrics floor to the `Moments`, `PairMoments` and `Counts` that every test is made from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from abtest.analysis.adjusting import Covaried
from abtest.analysis.clustering import Clusters
from abtest.metrics.sums import ArmSums
from abtest.stats.moments import Counts, Moments, PairMoments, Sums, from_sums, pair_from_sums
from abtest.stats.quantiles import Quantile


@dataclass(frozen=True)
class Arm:
    """One metric in one variant (of one segment): exposed = used + immature + missing.

    `moments` for means, `pair` for ratios; `counts` too when the metric is a yes or no, `quantile` when it is one. All
    None without used units. `covaried`: with what it is adjusted by. `values`: units per
    value, `ordered`: order statistics of a quantile, where a test needs them. `clustered`: whole clusters were
    randomised, and `clusters` are theirs, None for quantiles and without used units.
    """

    exposed: int
    used: int
    immature: int
    missing: int
    capped: int | None = None
    moments: Moments | None = None
    pair: PairMoments | None = None
    counts: Counts | None = None
    quantile: Quantile | None = None
    covaried: Covaried | None = None
    values: tuple[tuple[float, int], ...] | None = None
    ordered: tuple[float, ...] = ()
    clusters: Clusters | None = None
    clustered: bool = False


def value_of(arm: Arm) -> float | None:
    """The mean, rate or ratio of the units that count, or the quantile; None without any."""
    if arm.quantile is not None:
        return arm.quantile.value
    if arm.pair is not None:
        return arm.pair.x.mean / arm.pair.y.mean if arm.pair.y.mean else None
    return None if arm.moments is None else arm.moments.mean


def arm_of(sums: ArmSums) -> Arm:
    """The arm in rational arithmetic, correctly rounded at the end."""
    arm = Arm(sums.exposed, sums.used, sums.immature, sums.missing, sums.capped)
    value = sums.value
    if value is None:
        return arm
    if sums.denominator is not None and sums.cross is not None:
        below = sums.denominator
        x = Sums(value.shift, value.s1, value.s2, scale=value.scale)
        y = Sums(below.shift, below.s1, below.s2, scale=below.scale)
        return replace(arm, pair=pair_from_sums(sums.used, x, y, sums.cross))
    moments = from_sums(
        sums.used, value.shift, value.s1, value.s2, scale=value.scale, minimum=value.low, maximum=value.high
    )
    if value.coarse is not None:
        rough = from_sums(sums.used, value.shift, *value.coarse, scale=value.coarse_scale)
        moments = replace(moments, m3=rough.m3)
    counts = Counts(round(moments.mean * sums.used), sums.used) if sums.binary else None
    return replace(arm, moments=moments, counts=counts)
