"""A plan tried out on the units that it was made from: split them at random many times, add the planned effects, and count.

All metrics share their splits, so that the whole rule can be counted too, with goals and guardrails as correlated as they
are. The past rarely has as many units as the plan asks for: effects are scaled so that they stand out from the noise as
they would with the planned number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from abtest.analysis.history import Past
from abtest.analysis.plan_found import planning_prior
from abtest.analysis.plan_levels import levels_of, looks_of, power_at
from abtest.analysis.plan_result import MetricPlan, PlanResult, Simulated, Simulation
from abtest.analysis.planning import Planned, split_of
from abtest.language.model import Experiment
from abtest.metrics.crossed import Entry
from abtest.sources.engine import Engine, name
from abtest.sources.units import TABLE
from abtest.stats.bayes import FLAT, z_with_prior
from abtest.stats.rerandomise import UnitColumn, p_values
from abtest.stats.whole import MOST_UNITS, Array

MOST_SPLITS = 10_000


@dataclass(frozen=True)
class _Tried:
    line: MetricPlan
    null: UnitColumn
    shifted: UnitColumn
    good: float
    levels: tuple[float, ...]
    expected: float


def simulate(
    engine: Engine,
    experiment: Experiment,
    plan: PlanResult,
    past: Past,
    planned: Sequence[Planned],
    splits: int,
    seed: int = 0,
) -> Simulation:
    """Power and false positives of every metric, and how often the whole rule held.

    A guardrail has its power where nothing changes, and is called falsely where the margin is just reached: shifted by
    the margin that is the same split. An effect is found on its own side only; a goal is called falsely on either. Needs
    means, shares or ratios of units that were randomised one by one.
    """
    units = plan.units if plan.at_units is None else plan.at_units
    if experiment.cluster is not None:
        return Simulation(splits, reason="clustered")
    if past.units > MOST_UNITS:
        return Simulation(splits, reason="too_many")
    if not units:
        return Simulation(splits, reason="no_size")
    own = experiment.plan if plan.power == experiment.plan.power else replace(experiment.plan, power=plan.power)
    rows = _rows(engine, past, planned)
    share = split_of(experiment)
    tried = []
    for p in planned:
        line = plan.metric(p.use.name)
        if p.measured.source in ("quantile", "survival") or line.asked is None or not p.question.effect:
            continue
        null = _column(rows, past, p)
        counted = int(np.isfinite(null.values).sum())
        # The test on these units has the noise of the past in both arms; that of the plan may differ (shares pooled, a
        # relative margin), and its effect has to stand out as much.
        own_noise = p.measured.variance / p.measured.counted
        plain = replace(p.question.noise, treatment=own_noise, control=own_noise)
        scale = math.sqrt(
            units * share.pair * p.measured.counted / counted * plain.per_unit / p.question.noise.per_unit
        )
        good = -1.0 if line.better == "lower" else 1.0
        kind = "mean" if null.kind == "proportion" else null.kind
        effect = UnitColumn(kind, null.values, null.denominators, shift=good * line.asked * scale)
        alpha = _two_sided(line)
        drift = abs(p.question.effect) / math.sqrt(p.question.noise.per_unit / (units * share.pair))
        prior, z = planning_prior(own, line.role), None
        if prior != FLAT and line.base:
            z = z_with_prior(p.question.effect / drift / line.base, prior, alpha=alpha)
        tried.append(_Tried(line, null, effect, good, levels_of(own, alpha, z), power_at(own, alpha, drift, z)))
    if not tried:
        return Simulation(splits, reason="no_metric")
    looks = looks_of(own)
    order = _order(engine, past)
    asked = [_until(c, order, at) for t in tried for c in (t.null, t.shifted) for at in looks]
    found = p_values(asked, share.share, splits=splits, seed=seed, same=True, signed=True)
    ps = np.stack(found).reshape(len(tried), 2, len(looks), splits)
    called = [np.abs(p) < np.array(t.levels)[:, None] for t, p in zip(tried, ps, strict=True)]
    right = [c & (np.sign(p) == t.good) for t, c, p in zip(tried, called, ps, strict=True)]
    metrics = tuple(
        Simulated(
            t.line.key,
            t.line.alpha or 0.0,
            t.expected,
            *_rate(g[1].any(axis=0)),
            *_rate((c if t.line.sides == 2 else g)[0].any(axis=0)),
        )
        for t, c, g in zip(tried, called, right, strict=True)
    )
    rate, error = None, None
    if len(tried) == len(plan.metrics):
        # At one look everything has to hold at once.
        goals = [g[1] for t, g in zip(tried, right, strict=True) if t.line.role == "goal"]
        held = [g[1] for t, g in zip(tried, right, strict=True) if t.line.role == "guardrail"]
        together = np.ones((len(looks), splits), dtype=bool)
        if goals:
            together &= np.any(goals, axis=0) if plan.rule == "any" else np.all(goals, axis=0)
        for one in held:
            together &= one
        rate, error = _rate(together.any(axis=0))
    more = looks if len(looks) > 1 else ()
    return Simulation(splits, past.units, units, metrics, rate, error, looks=more)


def _two_sided(line: MetricPlan) -> float:
    """The alpha of a two-sided test whose good side is that of the metric."""
    assert line.alpha is not None
    return line.alpha if line.sides == 2 else 2.0 * line.alpha


def _order(engine: Engine, past: Past) -> Array:
    """The place of each unit in the order of entry, in (0, 1]; units in the order of `_rows`."""
    (x,) = engine.numbers(f"SELECT k.x FROM {name(past.values.table)} v JOIN {name(TABLE)} k USING (u) ORDER BY u")
    found = np.empty(len(x))
    found[np.lexsort((np.arange(len(x)), x))] = np.arange(1, len(x) + 1) / len(x)
    return found


def _until(column: UnitColumn, order: Array, at: float) -> UnitColumn:
    """A metric of those who had entered by then."""
    if at >= 1.0:
        return column
    return replace(column, values=np.where(order <= at, column.values, math.nan))


def _rate(called: Any) -> tuple[float, float]:
    """A share of splits and its standard error, which is never less than one split."""
    rate = float(np.mean(called))
    return rate, max(math.sqrt(rate * (1.0 - rate) / len(called)), 1.0 / len(called))


def _rows(engine: Engine, past: Past, planned: Sequence[Planned]) -> dict[str, list[Any]]:
    """The columns of all metrics and of what they are adjusted by, units in one fixed order."""
    wanted = dict.fromkeys(c for p in planned for c in _columns(past, p.use.name))
    table = engine.table(past.values.table).order_by("u")
    rows = engine.fetch(table.select(*wanted))
    return {c: [row[c] for row in rows] for c in wanted}


def _columns(past: Past, name: str) -> list[str]:
    values, entries = past.values, past.covariates.entries.get(name, ())
    own = [values.value[name], *([values.denominator[name]] if name in values.denominator else [])]
    strata = [past.covariates.strata[name]] if name in past.covariates.strata else []
    return [*own, *strata, *(e.column for e in entries)]


def _column(rows: dict[str, list[Any]], past: Past, planned: Planned) -> UnitColumn:
    name = planned.use.name
    values = _numbers(rows[past.values.value[name]])
    below = past.values.denominator.get(name)
    denominators = None if below is None else _numbers(rows[below])
    if planned.measured.unadjusted is not None:
        kind = {"proportion": "proportion", "ratio": "ratio"}.get(planned.measured.source, "mean")
        return UnitColumn(kind, values, denominators)  # type: ignore[arg-type]
    if denominators is not None:
        values = _linear(values, denominators)
    return UnitColumn("mean", _residual(values, _design(rows, past, name)))


def _numbers(column: Sequence[Any]) -> Array:
    return np.array([math.nan if v is None else float(v) for v in column], dtype=np.float64)


def _linear(x: Array, y: Array) -> Array:
    mean = float(np.nanmean(y))
    ratio = float(np.nanmean(x)) / mean
    found: Array = ratio + (x - ratio * y) / mean
    return found


def _design(rows: dict[str, list[Any]], past: Past, name: str) -> Array:
    """What the metric is adjusted by, as numbers: shape (units, covariates)."""
    if name in past.covariates.strata:
        texts = rows[past.covariates.strata[name]]
        return np.stack([_is(texts, t) for t in sorted({str(t) for t in texts})], axis=1)
    found: list[Array] = []
    for entry in past.covariates.entries[name]:
        column = _entry(rows[entry.column], entry)
        if entry.below:
            found[-1] = _linear(found[-1], column)
        else:
            found.append(column)
    return np.stack(found, axis=1)


def _is(texts: Sequence[Any], text: str) -> Array:
    return np.array([float(str(t) == text) for t in texts])


def _entry(column: Sequence[Any], entry: Entry) -> Array:
    if entry.of is not None and entry.value is None:
        return np.array([float(v is None) for v in column])
    if entry.of is not None:
        return np.array([float(v is not None and str(v) == entry.value) for v in column])
    numbers = _numbers(column)
    return np.where(np.isnan(numbers), np.nanmin(numbers), numbers)


def _residual(values: Array, design: Array) -> Array:
    """The values less what a straight line through the covariates leads one to expect, with the mean of the values."""
    known = np.isfinite(values)
    x = design[known] - design[known].mean(axis=0)
    y = values[known] - values[known].mean()
    slopes = np.linalg.lstsq(x, y, rcond=None)[0]
    found = np.full(len(values), math.nan)
    found[known] = values[known] - x @ slopes
    return found
