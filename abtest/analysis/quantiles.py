"""Quantile metrics: per variant the quantile, the pair under its error, and the two probes beside it."""

from __future__ import annotations

from dataclasses import dataclass

from abtest.language.model import Metric
from abtest.metrics.quantiles import pair_sums, read_levels, read_ranks, spots_of
from abtest.metrics.units import Values
from abtest.sources.engine import Engine
from abtest.stats.moments import Sums, pair_from_sums
from abtest.stats.order_statistics import bootstrap_ranks, rank_interval
from abtest.stats.quantiles import Quantile, probe_levels


@dataclass(frozen=True)
class RankedQuantile:
    """An interval of one arm's quantile from ranks alone, with its exact coverage."""

    low: float
    high: float
    coverage: float


def quantile_of(engine: Engine, values: Values, metric: Metric, variant: int) -> Quantile | None:
    """The quantile of a metric in a variant; None without units."""
    assert metric.quantile is not None
    at = metric.quantile.at
    spots = spots_of(engine, values, metric, variant)
    if not spots.units:
        return None
    found = read_levels(engine, spots, (at,))
    if not found:
        nothing = Sums(0, 0, 0)
        return Quantile(at, pair_from_sums(spots.units, nothing, nothing, 0))
    x, xx, y, yy, xy = pair_sums(engine, spots, found[0])
    pair = pair_from_sums(spots.units, Sums(0, x, xx), Sums(0, y, yy), xy)
    levels = probe_levels(at, pair)
    if levels is None:
        return Quantile(at, pair, found[0])
    low, high = read_levels(engine, spots, levels)
    return Quantile(at, pair, found[0], low, high)


def ordered_of(engine: Engine, values: Values, metric: Metric, variant: int) -> tuple[float, ...]:
    """The order statistics that stand for the bootstrap distribution of a quantile across units; empty without units."""
    assert metric.quantile is not None
    spots = spots_of(engine, values, metric, variant)
    if not spots.units:
        return ()
    return read_ranks(engine, spots, bootstrap_ranks(spots.units, metric.quantile.at))


def ranked_of(engine: Engine, values: Values, metric: Metric, variant: int, alpha: float) -> RankedQuantile | None:
    """The two order statistics between which the quantile across units lies, whatever the values are; None without
    units, or where so few of them have none on one side."""
    assert metric.quantile is not None
    spots = spots_of(engine, values, metric, variant)
    if not spots.units:
        return None
    ranks = rank_interval(spots.units, metric.quantile.at, alpha=alpha)
    if ranks.low is None or ranks.high is None:
        return None
    low, high = read_ranks(engine, spots, (ranks.low, ranks.high))
    return RankedQuantile(low, high, ranks.coverage)
