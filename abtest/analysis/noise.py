"""How noisy one metric is in the past: the variance per unit, what adjustment takes out of it and clusters add to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from abtest.analysis.arms import Arm
from abtest.analysis.clustering import cluster_margin_arms
from abtest.analysis.procedures import data_of, procedure_of, raw_procedure
from abtest.analysis.thresholds import NPS_ANSWERS
from abtest.language.model import Metric
from abtest.language.statistical_tests import OF_RANKS
from abtest.stats.moments import Counts, PairMoments
from abtest.stats.quantiles import Quantile, probe_levels, quantile_arm

NoiseSource = Literal["mean", "proportion", "ratio", "quantile", "survival"]
NOTHING = "nothing"
"""Why a metric is not adjusted that has nothing to be adjusted by."""
UNSIZED = (*OF_RANKS, "log_rank")
"""Tests whose effect is no difference of values, so that `detect` does not say how large it is."""


@dataclass(frozen=True)
class Measured:
    """One metric over everyone in the past: `base` value, `variance` of one unit that counts (metric's unit squared).

    `kept` is the share of the variance that adjustment leaves (1: none), `design_effect` what clusters multiply it by.
    `counted`: the share of all units that count, once their windows are over. `unknown`: the share of them for whom what
    the metric is adjusted by is not known. `unadjusted` says why it is not adjusted.
    """

    source: NoiseSource
    base: float
    variance: float
    used: int
    counted: float
    kept: float = 1.0
    design_effect: float = 1.0
    unknown: float = 0.0
    unadjusted: str | None = None
    clusters: float | None = None
    mature: float = 1.0


def measure(metric: Metric, arm: Arm, units: int) -> Measured | str:
    """The noise of a metric among `units` of the past, or a code that says why it cannot be planned."""
    if metric.test in UNSIZED:
        return "test"
    data = data_of(arm)
    if data is None:
        return "no_units" if not arm.exposed else "no_mature_units" if arm.immature == arm.exposed else "all_missing"
    if metric.unit_of_value == "points" and arm.used < NPS_ANSWERS:
        return "few_answers"
    if arm.used < 2:
        return "one_unit"
    if isinstance(data, Quantile):
        if arm.clustered:
            return "clustered_quantile"
        if data.value is None or probe_levels(data.at, data.pair) is None:
            return "no_density"
        base, squared = quantile_arm(data).value, quantile_arm(data).variance
    else:
        raw = procedure_of(metric, arm, arm, True) if metric.test == "rmst" else raw_procedure(arm, arm, True)
        if raw.arms is None:
            return "zero_denominator"
        base, squared = raw.arms[1].value, raw.arms[1].variance
    if not squared > 0.0:
        return "zero_variance"
    mature = arm.exposed - arm.immature
    found = Measured(
        source=_source(metric, data),
        base=base,
        variance=squared * arm.used,
        used=arm.used,
        counted=arm.exposed / units * arm.used / mature,
        mature=mature / arm.exposed,
    )
    return _clustered(found, arm) if arm.clustered else _adjusted(found, metric, arm)


def _source(metric: Metric, data: object) -> NoiseSource:
    if isinstance(data, Quantile):
        return "quantile"
    if metric.test == "rmst":
        return "survival"
    return "proportion" if isinstance(data, Counts) else "ratio" if isinstance(data, PairMoments) else "mean"


def _adjusted(found: Measured, metric: Metric, arm: Arm) -> Measured:
    """Both arms of a test would look like the past: what adjustment does to their difference, it will do again."""
    procedure = procedure_of(metric, arm, arm, True)
    if procedure.adjusting is None:
        return replace(found, unadjusted=procedure.unadjusted or NOTHING)
    adjusting = procedure.adjusting
    return replace(found, kept=min(1.0, adjusting.arms.variance_ratio), unknown=adjusting.missing)


def _clustered(found: Measured, arm: Arm) -> Measured | str:
    own = arm.clusters
    if own is None or own.pair.y.total == 0.0:
        return "zero_denominator"
    if own.odd:
        return "odd_denominator"
    if own.number < 2:
        return "one_cluster"
    between = cluster_margin_arms(own, own)[1].variance * arm.used
    if not between > 0.0:
        return "zero_variance"
    return replace(found, design_effect=between / found.variance, clusters=float(own.number))
