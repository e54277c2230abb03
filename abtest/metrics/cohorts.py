"""Exact sums per day of exposure: what changes from day to day, from which every day's total follows by adding up.

A unit counts from the day on which its window is complete, with the value of the whole window. So a unit adds to the
sums once, and the sums of 28 days cost one pass over the units, as those of the last day do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from abtest.language.model import Metric
from abtest.metrics.crossed import Covariates, Crossed, crossed_sums
from abtest.metrics.sums import ArmSums, Column, Grid, arm_sums
from abtest.metrics.units import DAY, Values
from abtest.sources.engine import Engine


@dataclass(frozen=True)
class Change:
    """What the units of one variant that were exposed on some days add to a metric. `strata`: the same per value of the
    text that the metric is adjusted by, None for units without one."""

    sums: ArmSums
    crossed: Crossed | None = None
    strata: Mapping[str | None, ArmSums] = field(default_factory=dict)


Cohorts = dict[tuple[int, int], Change]
"""By (day of exposure in days since 1970, position of the variant), units with a value only."""


def cohort_sums(
    engine: Engine,
    values: Values,
    metrics: tuple[Metric, ...],
    covariates: Covariates,
    grid: Mapping[str, Grid],
    binary: frozenset[str],
) -> dict[str, Cohorts]:
    """The changes of each metric. One query, and one more each for covariates and for every text to adjust by."""
    names = {m.name for m in metrics}
    own = Covariates({k: v for k, v in covariates.entries.items() if k in names})
    sums = arm_sums(engine, values, metrics, DAY, grid, binary)
    crossed = crossed_sums(engine, values, own, DAY, grid)
    found: dict[str, Cohorts] = {m.name: {} for m in metrics}
    for (day, variant), row in sorted(sums.items(), key=lambda item: item[0]):
        for name, arm in row.items():
            if arm.used:
                found[name][int(day), variant] = Change(arm, crossed.get((day, variant), {}).get(name))
    for column in sorted({c for m, c in covariates.strata.items() if m in names}):
        stratified = tuple(m for m in metrics if covariates.strata.get(m.name) == column)
        table = arm_sums(engine, values, stratified, (DAY, column), grid, frozenset())
        parts: dict[tuple[str, int, int], dict[str | None, ArmSums]] = {}
        for ((day, text), variant), row in table.items():
            for name, arm in row.items():
                if arm.used:
                    parts.setdefault((name, int(day), variant), {})[text] = arm
        for (name, day, variant), strata in parts.items():
            found[name][day, variant] = replace(found[name][day, variant], strata=strata)
    return found


def plus(one: Change | None, other: Change | None) -> Change | None:
    """Both together: exact, so that any way of adding up gives the same digits."""
    if one is None or other is None:
        return one or other
    strata = dict(one.strata)
    for text, arm in other.strata.items():
        strata[text] = _arms(strata[text], arm) if text in strata else arm
    crossed = None if one.crossed is None or other.crossed is None else _crossed(one.crossed, other.crossed)
    return Change(_arms(one.sums, other.sums), crossed, strata)


def _arms(a: ArmSums, b: ArmSums) -> ArmSums:
    return ArmSums(
        a.exposed + b.exposed,
        a.used + b.used,
        a.immature + b.immature,
        a.missing + b.missing,
        None if a.capped is None or b.capped is None else a.capped + b.capped,
        _columns(a.value, b.value),
        _columns(a.denominator, b.denominator),
        None if a.cross is None or b.cross is None else a.cross + b.cross,
        a.binary,
    )


def _columns(a: Column | None, b: Column | None) -> Column | None:
    if a is None or b is None:
        return a or b
    coarse = None
    if a.coarse is not None and b.coarse is not None:
        coarse = (a.coarse[0] + b.coarse[0], a.coarse[1] + b.coarse[1], a.coarse[2] + b.coarse[2])
    low = None if a.low is None or b.low is None else min(a.low, b.low)
    high = None if a.high is None or b.high is None else max(a.high, b.high)
    return Column(a.shift, a.scale, a.s1 + b.s1, a.s2 + b.s2, a.coarse_scale, coarse, low, high)


def _crossed(a: Crossed, b: Crossed) -> Crossed:
    columns = tuple(
        Column(x.shift, x.scale, x.s1 + y.s1, x.s2 + y.s2) for x, y in zip(a.columns, b.columns, strict=True)
    )
    products = {pair: product + b.products[pair] for pair, product in a.products.items()}
    return Crossed(a.entries, columns, products, a.missing + b.missing)
