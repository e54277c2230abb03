"""What preview and lab say alike: which metric, over which past, and how much holds week by week."""

from __future__ import annotations

from dataclasses import replace

from abtest.analysis.about import meanings
from abtest.analysis.arms import Arm, arm_of
from abtest.analysis.dates import iso
from abtest.analysis.history import Past
from abtest.analysis.interval import Interval
from abtest.analysis.past_model import About, History, Week
from abtest.analysis.shares import mean_of, share, variance_of
from abtest.analysis.states import States, held_by_week
from abtest.language.model import Experiment, Metric, Project
from abtest.metrics.needs import for_unit
from abtest.metrics.sums import arm_sums
from abtest.sources.engine import Engine, name
from abtest.sources.units import TABLE
from abtest.stats.distributions import critical_value


def unit_of(project: Project, metric: Metric) -> str:
    """Of what the metric is asked: the unit of the experiments that use it, else that of the first log."""
    using = [e.unit for e in project.experiments.values() if metric.name in {u.name for u in e.metrics}]
    every = [*using, *(e.unit for e in project.experiments.values())]
    every += [unit for s in project.sources.values() if s.kind == "events" for unit, _ in s.units]
    return every[0] if every else "user"


def about_of(project: Project, metric: Metric, unit: str, states: States | None) -> About:
    told = meanings(project, for_unit(metric, unit), unit)
    return About(
        metric.name,
        metric.title,
        told["en"],
        tuple((k, v) for k, v in told.items() if k != "en"),
        unit,
        metric.kind,
        "share" if metric.yes_or_no else metric.unit_of_value,
        metric.better,
        str(metric.window),
        metric.window.days if metric.window.fixed else None,
        None if states is None else states.length,
        "periods" if metric.per is not None and not metric.yes_or_no else "units",
    )


def history_of(past: Past, arm: Arm, before: Experiment | None) -> History:
    plan = None if before is None else before.plan
    return History(
        past.source,
        iso(past.start) or "",
        iso(past.end) or "",
        iso(past.through) or "",
        None if before is None else before.id,
        past.units,
        arm.used,
        arm.immature,
        arm.missing,
        0.05 if plan is None else plan.alpha,
        0.8 if plan is None else plan.power,
    )


def weeks_of_periods(engine: Engine, past: Past, states: States, min_cell: int) -> tuple[Week, ...]:
    """The share of periods that hold, by the calendar week in which they began."""
    found = held_by_week(engine, past.values, states)
    return tuple(
        Week(iso(monday) or "", n, share(held, n)) if n >= min_cell else Week(iso(monday) or "", None, None)
        for monday, (n, held) in found.items()
    )


def weeks_of_entry(engine: Engine, past: Past, metric: Metric, min_cell: int) -> tuple[Week, ...]:
    """The mean of a metric by the calendar week in which units entered."""
    table = f"{past.values.table}_weeks"
    engine.sql(
        f"CREATE OR REPLACE TEMP TABLE {name(table)} AS SELECT v.*, x.x_day - ((x.x_day + 3) % 7) AS week "
        f"FROM {name(past.values.table)} v JOIN {name(TABLE)} x ON x.u = v.u"
    )
    values = replace(past.values, table=table)
    sums = arm_sums(engine, values, (metric,), "week", past.grid, past.binary)
    found = []
    for (monday, _), by_metric in sorted(sums.items(), key=lambda item: int(item[0][0])):
        arm = arm_of(by_metric[metric.name])
        if arm.used:
            enough = arm.used >= max(2, min_cell)
            found.append(Week(iso(int(monday)) or "", arm.used if enough else None, mean_with(arm) if enough else None))
    return tuple(found)


def mean_with(arm: Arm, alpha: float = 0.05) -> Interval | None:
    """The mean (or ratio) of an arm with its interval: Wilson's for shares, else normal."""
    mean, variance = mean_of(arm), variance_of(arm)
    if mean is None:
        return None
    if arm.counts is not None:
        return share(arm.counts.successes, arm.counts.n, alpha)
    if variance is None:
        return Interval(mean, None, None)
    half = critical_value(alpha, arm.used - 1) * (variance / arm.used) ** 0.5
    return Interval(mean, mean - half, mean + half)
