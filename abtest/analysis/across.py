"""The iterations of a feature taken together: a common effect, the mean of effects that differ, their trend, and what is
left of an effect that was chosen because it looked large.

Only goals, only where the definition has the same hash, only iterations that are over and whose data can be trusted.
Each effect is against the control of its own time, so it is effects that are pooled here, never versions that are
compared as if they had been randomised against each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Literal

import numpy as np

from abtest.analysis.interval import Interval, interval_of
from abtest.analysis.lineage import Across, Iteration, Pulled
from abtest.analysis.result import Comparison, MetricResult, Result
from abtest.stats.distributions import critical_value
from abtest.stats.meta import Floats, common_effect, fixed_effect, random_effects, shared_control, trend
from abtest.stats.shrinkage import conditional_estimate, program

Scale = Literal["relative", "absolute"]


@dataclass(frozen=True)
class _Effect:
    """One iteration of a metric, with its dates."""

    experiment: str
    start: str | None
    end: str | None
    relative: Interval | None
    absolute: Interval | None


def across_of(result: Result, iterations: Sequence[Iteration]) -> tuple[Across, ...]:
    """Per goal; nothing for an experiment that goes back to none, or where no goal was measured twice."""
    if not iterations or not result.decision.valid:
        return ()
    found = (_across(result, metric, iterations) for metric in result.metrics if metric.role == "goal")
    return tuple(one for one in found if one is not None)


def _across(result: Result, metric: MetricResult, iterations: Sequence[Iteration]) -> Across | None:
    effects = [e for i in iterations if (e := _earlier(i, metric.key)) is not None]
    own = _own(result, metric)
    effects += [own] if own is not None else []
    pairs, scale = _numbers(effects, metric.unit_of_value == "points")
    if len(pairs) < 2:
        return None
    names = tuple(e.experiment for e in effects)
    x, se = [e for e, _ in pairs], [s for _, s in pairs]
    alpha = result.plan.alpha
    overlap = _overlapping(effects)
    base = Across(metric.key, "ok", None, scale, names, "shared" if overlap else "separate")
    if overlap:
        control = _control_se(result, metric, scale)
        covariance = _shared(se, control)
        if covariance is None:
            return _without(base)
        pooled, line = common_effect(x, covariance, alpha=alpha), trend(x, covariance, alpha=alpha)
        random = None
    else:
        pooled, line = fixed_effect(x, se, alpha=alpha), trend(x, np.diag(np.square(se)), alpha=alpha)
        random = random_effects(x, se, alpha=alpha)
    if pooled.effect is None:
        return None
    pulled = program(x, se, alpha=alpha) if not overlap else None
    raw = [e.relative if scale == "relative" else e.absolute for e in effects]
    shrunk = tuple(
        Pulled(e.experiment, shown, interval_of(mean))
        for e, shown, mean in zip(effects, raw, pulled.effects if pulled is not None else (), strict=False)
        if shown is not None
    )
    return Across(
        metric.key, "ok", None, scale, names, base.control, interval_of(pooled.effect), pooled.p_value,
        None if random is None or random.effect is None else interval_of(random.effect),
        None if random is None else random.p_value, None if random is None else random.tau, pooled.q_p_value,
        pooled.i_squared, interval_of(line.slope), line.p_value, shrunk,
        _conditional(result, metric, own, effects, (x[-1], se[-1]), alpha),
    )  # fmt: skip


def _without(base: Across) -> Across:
    """Overlapping dates and no error of the control to allow for."""
    return Across(base.metric, "no_test", "overlapping", base.scale, base.experiments, base.control)


def _earlier(one: Iteration, key: str) -> _Effect | None:
    found = next((m for m in one.metrics if m.metric == key), None)
    if found is None or found.compared != "same" or not one.valid or one.verdict in (None, "keep_running"):
        return None
    return _Effect(one.experiment, one.start, one.end, found.relative, found.absolute)


def _own(result: Result, metric: MetricResult) -> _Effect | None:
    e, comparison = result.experiment, _comparison(result, metric)
    if comparison is None or comparison.status != "ok" or result.decision.verdict == "keep_running":
        return None
    return _Effect(e.id, e.start, e.end, comparison.relative, comparison.absolute)


def _comparison(result: Result, metric: MetricResult) -> Comparison | None:
    return next((c for c in metric.comparisons if c.variant == result.decision.variant), None)


def _numbers(effects: list[_Effect], score: bool) -> tuple[list[tuple[float, float]], Scale]:
    """(effect, standard error) of each, all as changes in percent, or all in the unit of the metric. Effects without an
    error leave the list."""
    scales: tuple[Scale, ...] = ("absolute",) if score else ("relative", "absolute")
    for scale in scales:
        found = [(e, _number(e, scale)) for e in effects]
        if all(number is not None for _, number in found):
            return [number for _, number in found if number is not None], scale
    kept = [(e, number) for e, number in found if number is not None]
    effects[:] = [e for e, _ in kept]
    return [number for _, number in kept], scale


def _number(effect: _Effect, scale: Scale) -> tuple[float, float] | None:
    shown = effect.relative if scale == "relative" else effect.absolute
    return (shown.estimate, shown.se) if shown is not None and shown.se else None


def _overlapping(effects: Sequence[_Effect]) -> bool:
    """Whether two of them ran on the same dates, so that the same units may have been control in both. Unknown dates
    are taken for overlapping."""
    if any(e.start is None or e.end is None for e in effects):
        return True
    spans = sorted((date.fromisoformat(e.start or ""), date.fromisoformat(e.end or "")) for e in effects)
    return any(later[0] <= before[1] for before, later in pairwise(spans))


def _control_se(result: Result, metric: MetricResult, scale: Scale) -> float | None:
    """The standard error of the control's mean, for lifts as a share of it."""
    arm = next((a for a in metric.arms if a.variant == result.experiment.baseline), None)
    if arm is None or arm.value is None or not arm.used:
        return None
    spread = arm.standard_deviation
    if spread is None and metric.estimator == "proportion":
        spread = math.sqrt(max(0.0, arm.value * (1.0 - arm.value)))
    if spread is None or (scale == "relative" and not arm.value):
        return None
    return spread / math.sqrt(arm.used) / (abs(arm.value) if scale == "relative" else 1.0)


def _shared(se: Sequence[float], control: float | None) -> Floats | None:
    """As if all units of the control were control every time: the most that their effects can have in common."""
    return None if control is None or not control < min(se) else shared_control(se, control)


def _conditional(
    result: Result,
    metric: MetricResult,
    own: _Effect | None,
    effects: Sequence[_Effect],
    last: tuple[float, float],
    alpha: float,
) -> float | None:
    """What is left of this experiment's effect, given that it is only shipped because it came out clear."""
    comparison = _comparison(result, metric)
    if own is None or effects[-1] is not own or result.decision.verdict != "ship":
        return None
    if comparison is None or comparison.state != "better":
        return None
    cut = critical_value(alpha)
    return conditional_estimate(*last, cut) if abs(last[0] / last[1]) > cut else None
