"""One comparison adjusted by what was known before exposure: which method, and both results side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from abtest.analysis.result import Unadjusted
from abtest.language.model import Metric
from abtest.metrics.crossed import Covariates, Crossed, Entry, crossed_sums, unit_rows
from abtest.metrics.sums import ArmSums, Column, Grid, arm_sums
from abtest.metrics.units import Values
from abtest.sources.engine import Engine
from abtest.stats.adjust import Adjusted, cuped, lin, usable_covariates
from abtest.stats.matrix import Array, MomentMatrix, chosen, linearised, matrix_from_sums
from abtest.stats.moments import Counts, Moments, Sums, from_sums
from abtest.stats.strata import merged_strata, post_stratified

SMALL_ARM = 50
"""Units; below it Lin's estimate with the HC2 variance (MacKinnon & White 1985) instead of formulas for large arms."""
UNEQUAL = 1.5
"""Ratio of the arms' sizes above which each arm gets a slope of its own (Freedman 2008; Lin 2013)."""
NO_TEXT = ""
"""The stratum of units whose text is not known; those that are begin with "="."""
FEW_CONVERSIONS = 25
"""Yes-or-no metrics with fewer units than this on either side keep their score test: the normal approximation that
adjustment needs is poor there, and the gain small."""


@dataclass(frozen=True)
class Covaried:
    """A metric in one arm with its covariates: `matrix` has the metric (a ratio linearised) first, `labels` name the
    others. `rows` are the units themselves in a small arm, `strata` the arm within each value of a text."""

    matrix: MomentMatrix | None = None
    labels: tuple[str, ...] = ()
    missing: int = 0
    rows: Array | None = field(default=None, compare=False)
    strata: tuple[tuple[str, Moments], ...] = ()


def covaried(sums: ArmSums, crossed: Crossed, rows: Sequence[Sequence[float]] | None = None) -> Covaried | None:
    """The covariates of one arm from exact sums; None without units, or if a ratio has no denominator there."""
    if sums.value is None or not sums.used:
        return None
    below = [sums.denominator] if sums.denominator is not None else []
    columns = [_sums(c) for c in (sums.value, *below, *crossed.columns)]
    products = dict(crossed.products)
    if below:
        assert sums.cross is not None
        products[0, 1] = sums.cross
    matrix = matrix_from_sums(sums.used, columns, products)
    data: Array | None = None if rows is None else np.array(rows, dtype=np.float64)
    return covaried_of(matrix, crossed.entries, bool(below), crossed.missing, data)


def covaried_of(
    matrix: MomentMatrix, entries: Sequence[Entry], ratio: bool, missing: int = 0, rows: Array | None = None
) -> Covaried | None:
    """One arm from the moments of the metric (and its denominator, of a `ratio`) and of the entries; None where a
    denominator is zero."""
    labels = tuple(e.label for e in entries if not e.below)
    for x, y in _ratios(int(ratio), entries):
        if matrix.mean[y] == 0.0:
            return None
        matrix = linearised(matrix, x, y)
        rows = None if rows is None else _linearised_rows(rows, x, y)
    return Covaried(matrix, labels, missing, rows)


def covaried_arms(
    engine: Engine,
    values: Values,
    covariates: Covariates,
    sums: Mapping[tuple[Any, int], Mapping[str, ArmSums]],
    by: str | None,
    grid: Mapping[str, Grid],
    small: bool = False,
) -> dict[tuple[Any, int], dict[str, Covaried]]:
    """Per (segment value, variant) and metric: its covariates. With `small`, arms of few units come as rows too."""
    found: dict[tuple[Any, int], dict[str, Covaried]] = {}
    for key, own in crossed_sums(engine, values, covariates, by, grid).items():
        for name, crossed in own.items():
            arm = sums[key][name]
            rows = None
            if small and by is None and 2 <= arm.used < SMALL_ARM:
                rows = unit_rows(engine, values, name, crossed.entries, key[1])
            with_covariates = covaried(arm, crossed, rows)
            if with_covariates is not None:
                found.setdefault(key, {})[name] = with_covariates
    return found


def stratified_arms(
    engine: Engine, values: Values, covariates: Covariates, metrics: Iterable[Metric], grid: Mapping[str, Grid]
) -> dict[tuple[Any, int], dict[str, Covaried]]:
    """Metrics that are adjusted by one text alone: their moments within each of its values."""
    found: dict[tuple[Any, int], dict[str, Covaried]] = {}
    for column in sorted(set(covariates.strata.values())):
        own = tuple(m for m in metrics if covariates.strata.get(m.name) == column)
        table = arm_sums(engine, values, own, column, grid, frozenset())
        for metric in own:
            parts: dict[int, list[tuple[str, Moments]]] = {}
            for (value, variant), row in table.items():
                moments = moments_from(row[metric.name])
                if moments is not None:
                    parts.setdefault(variant, []).append((NO_TEXT if value is None else f"={value}", moments))
            for variant, strata in parts.items():
                found.setdefault((None, variant), {})[metric.name] = Covaried(strata=tuple(sorted(strata)))
    return found


def moments_from(sums: ArmSums) -> Moments | None:
    """The moments of a mean; None without units."""
    value = sums.value
    if value is None or not sums.used:
        return None
    return from_sums(sums.used, value.shift, value.s1, value.s2, scale=value.scale)


def _ratios(below: int, entries: Sequence[Entry]) -> list[tuple[int, int]]:
    """Where numerators and denominators stand, the last ones first, so that the others keep their places."""
    found = [(0, 1)] if below else []
    found += [(i + below, i + 1 + below) for i, entry in enumerate(entries) if entry.below]
    return list(reversed(found))


def _linearised_rows(rows: Array, x: int, y: int) -> Array:
    mean = rows[:, y].mean()
    ratio = rows[:, x].mean() / mean
    values = rows.copy()
    values[:, x] = ratio + (rows[:, x] - ratio * rows[:, y]) / mean
    return np.delete(values, y, axis=1)


def _sums(column: Column) -> Sums:
    return Sums(column.shift, column.s1, column.s2, scale=column.scale)


@dataclass(frozen=True)
class Adjusting:
    """What was made of the covariates: the two arms, the method, labels of what was used and what was not."""

    arms: Adjusted
    method: str
    used: tuple[str, ...]
    unused: tuple[str, ...]
    missing: float


def adjusted(
    treatment: Covaried | None, control: Covaried | None, counts: tuple[Counts | None, Counts | None]
) -> Adjusting | Unadjusted:
    """The adjusted arms, or why they stay as they are."""
    if treatment is None or control is None:
        return "no_units"
    if any(c is not None and min(c.successes, c.n - c.successes) < FEW_CONVERSIONS for c in counts):
        return "few_conversions"
    if treatment.strata or control.strata:
        return _stratified(dict(treatment.strata), dict(control.strata))
    assert treatment.matrix is not None
    assert control.matrix is not None
    kept = usable_covariates((treatment.matrix, control.matrix))
    smaller, larger = sorted((treatment.matrix.n, control.matrix.n))
    if not kept:
        return "few_units" if smaller < 20 else "no_variation"
    entries = (0, *(k + 1 for k in kept))
    t, c = (chosen(a.matrix, entries) for a in (treatment, control) if a.matrix is not None)
    if smaller < SMALL_ARM:
        arms = lin(_small(treatment, t, entries), _small(control, c, entries))
        method = "lin_hc2"
    elif larger > UNEQUAL * smaller:
        arms, method = lin(t, c), "lin"
    else:
        arms, method = cuped(t, c), "cuped"
    if arms is None:
        return "no_variation"
    used = tuple(treatment.labels[k] for k in kept)
    unused = tuple(name for i, name in enumerate(treatment.labels) if i not in kept)
    missing = (treatment.missing + control.missing) / (smaller + larger)
    return Adjusting(arms, method, used, unused, missing)


def _small(arm: Covaried, matrix: MomentMatrix, entries: tuple[int, ...]) -> MomentMatrix | Array:
    return matrix if arm.rows is None else arm.rows[:, list(entries)]


def _stratified(treatment: Mapping[str, Moments], control: Mapping[str, Moments]) -> Adjusting | Unadjusted:
    nothing = Moments(0, 0.0, 0.0, 0.0)
    names = sorted({*treatment, *control})
    pairs = merged_strata([(treatment.get(n, nothing), control.get(n, nothing)) for n in names])
    arms = post_stratified(pairs)
    if arms is None:
        return "no_variation"
    return Adjusting(arms, "post_stratified", (), (), 0.0)
