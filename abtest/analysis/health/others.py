"""Other experiments in the same log of exposures: the one that this iterates on, and those that run beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from abtest.analysis.compare import Setting
from abtest.analysis.health.assignment import check_carry_over
from abtest.analysis.health.table import Reason
from abtest.analysis.prepare import Prepared
from abtest.analysis.result import HealthCheck, SegmentResult
from abtest.analysis.segments import split_goals
from abtest.language.model import Experiment, Metric, Project, Segment
from abtest.metrics.crossed import Covariates
from abtest.metrics.sums import Grid
from abtest.metrics.units import Values
from abtest.sources.clock import clock_of
from abtest.sources.engine import Engine, name, text
from abtest.sources.units import TABLE, USED, day_number, unit_sql

MOST_OTHERS = 10
"""Concurrent experiments that are looked at, by name; each costs a pass over the goals of the table of unit values."""
ARM = "arm of another experiment"
"""The name of the split: no segment can have it."""


def carry_over(engine: Engine, project: Project, experiment: Experiment, found: Prepared) -> HealthCheck | Reason:
    """The check of the previous iteration, or why it cannot be run."""
    previous = project.experiments.get(experiment.iteration_of or "")
    if previous is None:
        return "no_previous"
    if not _readable(experiment, previous, project) or (previous.flag == experiment.flag and previous.end is None):
        return "other_source"
    table = _arms(engine, project, experiment, previous, found)
    counts = [[0] * len(experiment.variants) for _ in previous.variants]
    rows = engine.rows(
        f"SELECT o.arm, k.variant, count(*) FROM {table} o JOIN {TABLE} k USING (u) WHERE k.status = {USED} GROUP BY 1, 2 ORDER BY 1, 2"
    )
    for arm, variant, n in rows:
        counts[int(arm)][int(variant)] = int(n)
    return check_carry_over(previous.id, counts)


def concurrent(
    engine: Engine,
    project: Project,
    experiment: Experiment,
    found: Prepared,
    values: Values,
    metrics: tuple[Metric, ...],
    grid: Mapping[str, Grid],
    binary: frozenset[str],
    setting: Setting,
    min_cell: int,
) -> list[tuple[str, SegmentResult]]:
    """Goals split by the variant of each experiment that runs at the same time on the same units."""
    others = [
        e
        for _, e in sorted(project.experiments.items())
        if _readable(experiment, e, project) and runs_beside(experiment, e)
    ]
    crossings: list[tuple[str, SegmentResult]] = []
    for other in others[:MOST_OTHERS]:
        table = _arms(engine, project, experiment, other, found)
        if not engine.one(f"SELECT count(*) FROM {table}")[0]:
            continue
        titles = " ".join(f"WHEN {i} THEN {text(v.id)}" for i, v in enumerate(other.variants))
        engine.sql(
            f"CREATE OR REPLACE TEMP VIEW crossed_values AS SELECT v.*, CASE o.arm {titles} END AS {name('s_' + ARM)} "
            f"FROM {name(values.table)} v JOIN {table} o USING (u)"
        )
        split = replace(experiment, segments=(Segment(ARM, "", ""),))
        beside = replace(values, table="crossed_values")
        rows = split_goals(engine, beside, split, metrics, grid, binary, setting, min_cell, Covariates({}))
        crossings += [(other.id, row) for row in rows]
        engine.sql("DROP VIEW crossed_values")
    return crossings


def _readable(experiment: Experiment, other: Experiment, project: Project) -> bool:
    """Whether the log of exposures of this experiment tells the variants of the other, for the same kind of unit."""
    source = project.sources[experiment.exposure_source]
    same = other.exposure_source == experiment.exposure_source and other.unit == experiment.unit
    return same and source.flag is not None and other.flag is not None and other.exposure_where is None


def runs_beside(experiment: Experiment, other: Experiment) -> bool:
    """Another flag, and dates that overlap as far as they are known."""
    if other.id == experiment.id or other.flag == experiment.flag:
        return False
    apart = experiment.start and other.end and other.end < experiment.start
    return not (apart or (experiment.end and other.start and experiment.end < other.start))


def _arms(engine: Engine, project: Project, experiment: Experiment, other: Experiment, found: Prepared) -> str:
    """A table `other_arms` of units of this experiment that saw exactly one variant of the other: `u` and `arm`."""
    source = project.sources[experiment.exposure_source]
    raw = found.raws[source.name]
    assert source.variant is not None
    assert source.flag is not None
    arm = " ".join(f"WHEN {text(v.key)} THEN {i}" for i, v in enumerate(other.variants))
    dated, instant, given, day = "true", "NULL", "NULL", "NULL"
    if source.time is not None:
        clock = clock_of(engine, source, raw, project.timezone)
        instant = clock.instant
        given, day = (clock.day, "given_day") if clock.date_only else ("NULL", clock.day)
        between = [f"day >= {day_number(other.start)}"] if other.start else []
        between += [f"day <= {day_number(other.end)}"] if other.end else []
        dated = " AND ".join(between) or "true"
    inner = (
        f"SELECT {unit_sql(source, experiment.unit, raw)} AS uid, CASE {raw.text(source.variant)} {arm} END AS arm, "
        f"{instant} AS instant, {given} AS given_day FROM {name(raw.table)} WHERE {raw.text(source.flag)} = {text(other.flag or '')}"
    )
    engine.sql(
        f"CREATE OR REPLACE TEMP TABLE other_arms AS SELECT k.u, min(o.arm) AS arm FROM (SELECT *, {day} AS day FROM ({inner})) o "
        f"JOIN {TABLE} k USING (uid) WHERE k.status = {USED} AND o.arm IS NOT NULL AND {dated} GROUP BY k.u HAVING count(DISTINCT o.arm) = 1"
    )
    return "other_arms"
