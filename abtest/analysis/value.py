"""Engagement and value: each goal beside the metric that says what it is worth.

The two effects are those of the main comparison, adjusted where that is. What is new is how they go together: the
covariance of the two estimates, from products unit by unit, of what adjustment leaves of each. And, within each
variant, whether those who engage are those who buy: association, not effect.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from abtest.analysis.beside import Association, AssociationChange, Rate, Region, Together, Value, ValueGoal
from abtest.analysis.interval import Interval, interval_of
from abtest.analysis.result import Comparison, MetricResult
from abtest.language.model import Experiment, Metric
from abtest.metrics.crossed import Covariates, Entry
from abtest.metrics.joint import JointSums, columns_of, crossed_counts, joint_sums
from abtest.metrics.sums import Grid
from abtest.metrics.units import Values
from abtest.sources.engine import Engine
from abtest.stats.inference import Estimate
from abtest.stats.matrix import MomentMatrix, linearised, matrix_from_sums
from abtest.stats.moments import Sums
from abtest.stats.tradeoff import (
    EngagedBuyers,
    JointEffect,
    association,
    compare_associations,
    ellipse,
    exchange_rate,
    quadrant,
)

FEW_UNITS = 30
"""Both metrics known; with fewer in a variant a joint region means little."""
Array = np.ndarray[Any, np.dtype[np.float64]]


def value_beside(
    engine: Engine,
    values: Values,
    experiment: Experiment,
    metrics: Sequence[Metric],
    results: Sequence[MetricResult],
    covariates: Covariates,
    grid: Mapping[str, Grid],
    min_cell: int,
) -> Value | None:
    """Every goal but the value itself; None when the experiment names no value."""
    if experiment.value is None:
        return None
    definitions = {m.name: m for m in metrics}
    found = {r.key: r for r in results}
    goals = [definitions[u.name] for u in experiment.metrics if u.role == "goal" and u.name != experiment.value]
    made = []
    for goal in goals:
        value = definitions[experiment.value]
        together = _together(engine, values, experiment, (goal, value), found, covariates, grid)
        made.append(ValueGoal(goal.name, together, *_associations(engine, values, experiment, goal, value, min_cell)))
    return Value(experiment.value, tuple(made))


def _together(
    engine: Engine,
    values: Values,
    experiment: Experiment,
    pair: tuple[Metric, Metric],
    results: Mapping[str, MetricResult],
    covariates: Covariates,
    grid: Mapping[str, Grid],
) -> tuple[Together, ...]:
    goal, value = pair
    if goal.quantile is not None:
        return tuple(Together(v.id, "no_test", "kind", 0) for v in experiment.treatments)
    entries = tuple(dict.fromkeys((*covariates.entries.get(goal.name, ()), *covariates.entries.get(value.name, ()))))
    own = [columns_of(values, m.name) for m in pair]
    sums = joint_sums(engine, values, [*own[0], *own[1]], grid, entries=entries)
    ids = [v.id for v in experiment.variants]
    places = [len(c) > 1 for c in own]
    arms = {v: matrix for i, v in enumerate(ids) if (matrix := _matrix(sums.get((i, 0)), places, entries)) is not None}
    labels = [e.label for e in entries if not e.below]
    return tuple(_joint(v.id, experiment.baseline, pair, results, arms, labels) for v in experiment.treatments)


def _matrix(sums: JointSums | None, ratios: Sequence[bool], entries: Sequence[Entry]) -> MomentMatrix | None:
    """Goal, value, then covariates, ratios linearised; None without units, or a ratio without a denominator."""
    if sums is None or sums.n < 2:
        return None
    matrix = matrix_from_sums(sums.n, [Sums(c.shift, c.s1, c.s2, scale=c.scale) for c in sums.columns], sums.products)
    first = 2 + sum(ratios)
    pairs = [(i, i + 1) for i, _ in enumerate(sums.columns) if _below(i + 1, ratios, entries, first)]
    for x, y in reversed(pairs):
        if matrix.mean[y] == 0.0:
            return None
        matrix = linearised(matrix, x, y)
    return matrix


def _below(place: int, ratios: Sequence[bool], entries: Sequence[Entry], first: int) -> bool:
    """Whether the column at this place is the denominator of the one before it."""
    if place >= first:
        return place - first < len(entries) and entries[place - first].below
    return (place == 1 and ratios[0]) or (place == first - 1 and ratios[1])


def _joint(
    variant: str,
    baseline: str,
    pair: tuple[Metric, Metric],
    results: Mapping[str, MetricResult],
    arms: Mapping[str, MomentMatrix],
    labels: Sequence[str],
) -> Together:
    goal, value = (_comparison(results[m.name], variant) for m in pair)
    both = [arms[v] for v in (baseline, variant) if v in arms]
    units = sum(a.n for a in both)
    for comparison in (goal, value):
        if comparison.status != "ok" or comparison.absolute is None:
            return Together(variant, "no_test", comparison.reason or "no_units", units)
    if len(both) < 2 or min(a.n for a in both) < FEW_UNITS:
        return Together(variant, "no_test", "not_enough_units", units)
    first, second = (c.always_valid_absolute or c.absolute for c in (goal, value))
    assert first is not None
    assert second is not None
    used = [c.adjustment.covariates if c.adjustment is not None else () for c in (goal, value)]
    cov = _covariance(
        both, [_places(labels, u) for u in used], [_used(results[m.name], (baseline, variant)) for m in pair]
    )
    joint = _joint_effect(goal, value, cov)
    estimates = [Estimate(i.estimate, i.low, i.high, i.se) for i in (first, second)]
    region, rate = ellipse(joint), exchange_rate(joint)
    return Together(
        variant,
        "ok",
        None,
        units,
        first,
        second,
        goal.always_valid_absolute is not None,
        # Several goals share one error rate, so a goal that is not clear in the end is not clear here.
        quadrant(*estimates, engagement_better=pair[0].better or "higher", revenue_better=pair[1].better or "higher")
        if goal.state in ("better", "worse")
        else "unclear",
        joint.correlation,
        Region(region.status, region.reason, region.major, region.minor, region.angle, region.p_value),
        Rate(rate.status, rate.reason, rate.kind, rate.estimate, rate.low, rate.high),
    )


def _comparison(result: MetricResult, variant: str) -> Comparison:
    return next(c for c in result.comparisons if c.variant == variant)


def _used(result: MetricResult, variants: Sequence[str]) -> list[int]:
    return [next(a.used for a in result.arms if a.variant == v) for v in variants]


def _places(labels: Sequence[str], used: Sequence[str]) -> list[int]:
    """Where the covariates that were used stand in the matrices, after goal and value."""
    return [i + 2 for i, label in enumerate(labels) if label in used]


def _covariance(arms: Sequence[MomentMatrix], used: Sequence[Sequence[int]], units: Sequence[Sequence[int]]) -> float:
    """Covariance of the two differences: per arm that of what adjustment leaves of the two metrics, times the units
    with both over the product of the units of each (units with only one metric add nothing to it).

    The slopes are those of CUPED, one for both arms.
    """
    within: Array = np.array(arms[0].cross) + np.array(arms[1].cross)
    turns = [_turn(within, i, places) for i, places in enumerate(used)]
    parts = []
    for arm, n_goal, n_value in zip(arms, *units, strict=True):
        left = math.fsum(
            a * b * c for a, row in zip(turns[0], arm.cross, strict=True) for b, c in zip(turns[1], row, strict=True)
        )
        parts.append(left / (arm.n - 1) * arm.n / n_goal / n_value)
    return math.fsum(parts)


def _turn(within: Array, place: int, covariates: Sequence[int]) -> list[float]:
    """What a metric is made of once its covariates are taken out."""
    turn = [0.0] * len(within)
    turn[place] = 1.0
    if covariates:
        # In units of their own spread, so that a sum of money and a share are solved for alike.
        at = list(covariates)
        size = np.sqrt(np.diag(within)[at])
        scaled = within[np.ix_(at, at)] / np.outer(size, size)
        for i, slope in zip(at, np.linalg.solve(scaled, within[at, place] / size) / size, strict=True):
            turn[i] = -float(slope)
    return turn


def _joint_effect(goal: Comparison, value: Comparison, cov: float) -> JointEffect:
    """Effects and errors of the main comparison with the covariance; rounding must not carry it past the errors."""
    assert goal.absolute is not None
    assert value.absolute is not None
    first, second = goal.absolute.se or 0.0, value.absolute.se or 0.0
    cov = max(-first * second, min(first * second, cov))
    return JointEffect(goal.absolute.estimate, value.absolute.estimate, first**2, second**2, cov)


# Association


def _associations(
    engine: Engine, values: Values, experiment: Experiment, goal: Metric, value: Metric, min_cell: int
) -> tuple[tuple[Association, ...], tuple[AssociationChange, ...]]:
    why = next(
        (r for m in (goal, value) for r, is_so in (("kind", m.quantile is not None), ("ratio", m.pooled)) if is_so),
        None,
    )
    if why is not None:
        none = tuple(Association(v.id, "no_test", why) for v in experiment.variants)
        return none, tuple(AssociationChange(v.id, "no_test", why) for v in experiment.treatments)
    counts = crossed_counts(engine, values, goal.name, value.name)
    tables = {v.id: EngagedBuyers(*counts.get(i, (0, 0, 0, 0))) for i, v in enumerate(experiment.variants)}
    alpha = experiment.plan.alpha
    within = tuple(_association(v.id, tables[v.id], min_cell, alpha) for v in experiment.variants)
    hidden = {a.variant for a in within if a.reason == "small_cell"}
    control = experiment.baseline
    changes = []
    for v in experiment.treatments:
        if hidden & {v.id, control}:
            changes.append(AssociationChange(v.id, "no_test", "small_cell"))
            continue
        found = compare_associations(tables[v.id], tables[control], alpha=alpha)
        log = found.absolute
        ratio = None
        if log is not None:
            ends = [None if x is None else math.exp(x) for x in (log.low, log.high)]
            ratio = Interval(math.exp(log.estimate), ends[0], ends[1], log.se)
        changes.append(AssociationChange(v.id, found.status, found.reason, ratio, found.p_value))
    return within, tuple(changes)


def _association(variant: str, table: EngagedBuyers, min_cell: int, alpha: float) -> Association:
    cells = (table.both, table.engaged_only, table.buyer_only, table.neither)
    if table.n and min(cells) < min_cell:
        return Association(variant, "no_test", "small_cell")
    found = association(table, alpha=alpha)
    return Association(
        variant,
        found.status,
        found.reason,
        cells if table.n else None,
        interval_of(found.phi),
        interval_of(found.odds_ratio),
    )
