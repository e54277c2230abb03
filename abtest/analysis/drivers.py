"""Drivers: which metrics go along with one metric from unit to unit, and how much of its variance is whose.

Within variants only, so that the effect of the treatment is not in it. A description of how behaviour goes together,
never a cause. The error comes from groups of units left out one at a time; what leaves the engine are their sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

import numpy as np

from abtest.analysis.beside import Driver, DriverResult
from abtest.analysis.interval import Interval, interval_of
from abtest.language.model import Experiment
from abtest.metrics.joint import JointSums, joint_sums, minus, plus
from abtest.metrics.sums import Grid
from abtest.metrics.units import Values
from abtest.sources.engine import Engine
from abtest.stats.drivers import Matrix, jackknife_importance
from abtest.stats.matrix import matrix_from_sums
from abtest.stats.moments import Sums

UNITS_PER_DRIVER = 10
"""With fewer, R^2 says more about the number of metrics than about the units."""


def drivers_of(
    engine: Engine, values: Values, experiment: Experiment, grid: Mapping[str, Grid], min_cell: int
) -> DriverResult | None:
    """The drivers that the experiment asks for; None without."""
    asked = experiment.drivers
    if asked is None:
        return None
    columns = [values.value[n] for n in (asked.of, *asked.by)]
    if any(c not in grid for c in columns):
        return DriverResult(asked.of, asked.by, "no_test", "all_missing", 0)
    buckets = joint_sums(engine, values, columns, grid, buckets=True)
    arms = {v: reduce(plus, (s for (w, _), s in buckets.items() if w == v)) for v, _ in buckets}
    units = sum(a.n for a in arms.values())
    if units == 0:
        return DriverResult(asked.of, asked.by, "no_test", "all_missing", 0)
    if units < max(min_cell, UNITS_PER_DRIVER * (len(asked.by) + 1)):
        return DriverResult(asked.of, asked.by, "no_test", "not_enough_units", units if units >= min_cell else 0)
    left_out = []
    for bucket in sorted({b for _, b in buckets}):
        rest = {v: minus(a, buckets[v, bucket]) if (v, bucket) in buckets else a for v, a in arms.items()}
        left_out.append(_within(rest.values()))
    found = jackknife_importance(_within(arms.values()), left_out, n=units, alpha=experiment.plan.alpha)
    if found.status != "ok":
        return DriverResult(asked.of, asked.by, "no_test", found.reason, units)
    return DriverResult(
        asked.of,
        asked.by,
        "ok",
        None,
        units,
        interval_of(found.r2),
        tuple(
            Driver(name, interval_of(d.share) or Interval(0.0, None, None), d.alone, d.unique, d.note)
            for name, d in zip(asked.by, found.drivers, strict=True)
        ),
        found.interval_reason,
    )


def _within(arms: Iterable[JointSums]) -> Matrix:
    """Covariances within variants: products of deviations from the mean of the own variant, over all of them."""
    cross, freedom = None, 0
    for arm in arms:
        if arm.n:
            made = matrix_from_sums(
                arm.n, [Sums(c.shift, c.s1, c.s2, scale=c.scale) for c in arm.columns], arm.products
            )
            own = np.array(made.cross)
            cross = own if cross is None else cross + own
            freedom += arm.n - 1
    assert cross is not None
    found: Matrix = cross / max(1, freedom)
    return found
