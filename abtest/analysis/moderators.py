"""How effects on goals change with numbers that were known before exposure. Goals with a mean only; it decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from abtest.analysis.arms import arm_of
from abtest.analysis.beside import ClearRegion, ModeratorResult
from abtest.analysis.interval import interval_of
from abtest.language.model import Experiment, Metric, Moderator
from abtest.metrics.sums import ArmSums, Grid, arm_sums
from abtest.metrics.units import Values
from abtest.sources.engine import Engine, name
from abtest.stats.moderator import (
    Grouped,
    Moderation,
    clear_regions,
    effect_at,
    false_discovery_critical,
    inner_range,
    moderation,
    statistics_along,
)
from abtest.stats.multiplicity import benjamini_hochberg

FEWEST_UNITS = 30
"""Per variant with a known value; with fewer the slope rests on single units. As for groups of segments."""
MOST_VALUES = 4000
"""Different values of a moderator; where there are more, they are rounded to as many steps of their range."""
Rows = Mapping[tuple[Any, int], Mapping[str, ArmSums]]


def moderated_goals(
    engine: Engine,
    values: Values,
    experiment: Experiment,
    metrics: Sequence[Metric],
    grid: Mapping[str, Grid],
    binary: frozenset[str],
    min_cell: int,
) -> tuple[ModeratorResult, ...]:
    """A row per moderator, goal and treatment, in the order in which they are written."""
    goals = tuple(next(m for m in metrics if m.name == u.name) for u in experiment.metrics if u.role == "goal")
    means = tuple(m for m in goals if m.quantile is None and not m.pooled)
    found: list[tuple[ModeratorResult, Moderation | None]] = []
    for moderator in experiment.moderators:
        column = _stepped(engine, values, values.attributes[moderator.source, moderator.prop])
        rows: Rows = arm_sums(engine, values, means, column, grid, binary) if means else {}
        for goal in goals:
            for place, variant in enumerate(experiment.variants):
                if variant.id != experiment.baseline:
                    found.append(_one(moderator, goal, variant.id, place, rows, experiment, min_cell))
    adjusted = benjamini_hochberg([row.p_value for row, _ in found])
    method = experiment.plan.correct_segments
    made = [
        (replace(row, p_adjusted=p if method == "bh" else None), line)
        for (row, line), p in zip(found, adjusted, strict=True)
    ]
    return tuple(_with_regions(row, line, made, experiment.plan.alpha) for row, line in made)


def _stepped(engine: Engine, values: Values, column: str) -> str:
    """The column of the moderator, rounded to steps of its range where it has too many values."""
    low, high, distinct = engine.one(
        f"SELECT min({name(column)}), max({name(column)}), count(DISTINCT {name(column)}) FROM {name(values.table)}"
    )
    if int(distinct) <= MOST_VALUES:
        return column
    step = (float(high) - float(low)) / MOST_VALUES
    stepped = f"{column}_steps"
    engine.sql(
        f"CREATE OR REPLACE TEMP TABLE {name(values.table)} AS SELECT *, "
        f"CAST({float(low)!r} + round(({name(column)} - {float(low)!r}) / {step!r}) * {step!r} AS DOUBLE) "
        f"AS {name(stepped)} FROM {name(values.table)}"
    )
    return stepped


def _one(
    moderator: Moderator,
    goal: Metric,
    variant: str,
    place: int,
    rows: Rows,
    experiment: Experiment,
    min_cell: int,
) -> tuple[ModeratorResult, Moderation | None]:
    """One row, without what depends on the others; and its lines, if there are any."""
    control = next(i for i, v in enumerate(experiment.variants) if v.id == experiment.baseline)
    plain = ModeratorResult(moderator.name, goal.name, variant, "no_test", None, 0, 0)
    if goal.quantile is not None or goal.pooled:
        return replace(plain, reason="kind" if goal.quantile is not None else "ratio"), None
    arms = [_grouped(rows, i, goal.name) for i in (control, place)]
    unknown = sum(own[goal.name].used for (x, i), own in rows.items() if x is None and i in (control, place))
    plain = replace(plain, units=sum(m.n for arm in arms for _, m in arm), unknown=unknown)
    ends = inner_range(arms, at_least=min_cell)
    if ends is None or any(sum(m.n for _, m in arm) < FEWEST_UNITS for arm in arms):
        return replace(plain, reason="not_enough_units"), None
    line = moderation(arms[0], arms[1], alpha=experiment.plan.alpha)
    if line.status != "ok" or line.slope is None or ends[0] == ends[1]:
        return replace(plain, reason=line.reason or "constant"), None
    return replace(
        plain, status="ok", slope=interval_of(line.slope), p_value=line.p_value, low=ends[0], high=ends[1]
    ), line


def _grouped(rows: Rows, variant: int, goal: str) -> Grouped:
    found = []
    for (x, i), own in rows.items():
        moments = arm_of(own[goal]).moments
        if x is not None and i == variant and moments is not None:
            found.append((float(x), moments))
    return sorted(found, key=lambda pair: pair[0])


def _with_regions(
    row: ModeratorResult,
    line: Moderation | None,
    all_rows: Sequence[tuple[ModeratorResult, Moderation | None]],
    alpha: float,
) -> ModeratorResult:
    """Where the effect is clear: false regions are held down over all moderators of one goal and treatment together."""
    if line is None or line.df is None or row.low is None or row.high is None:
        return row
    along: list[float] = []
    for other, own in all_rows:
        same = (other.metric, other.variant) == (row.metric, row.variant)
        if same and own is not None and other.low is not None and other.high is not None:
            along += statistics_along(own, other.low, other.high)
    critical = false_discovery_critical(along, alpha=alpha, df=line.df)
    regions = clear_regions(line, row.low, row.high, critical=critical)
    return replace(
        row,
        at_low=interval_of(effect_at(line, row.low, critical=critical)),
        at_high=interval_of(effect_at(line, row.high, critical=critical)),
        critical=critical,
        regions=tuple(ClearRegion(r.low, r.high, r.sign > 0) for r in regions),
    )
