"""One metric on its past, before an experiment is built on it: how common, how noisy, how steady, when it is known, what
change can be found with it, and what it goes along with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from abtest.analysis.arms import Arm
from abtest.analysis.dates import iso
from abtest.analysis.histogram import histogram
from abtest.analysis.history import EVERYONE, Past, read_past
from abtest.analysis.interval import Interval
from abtest.analysis.lab import EVERYTHING, Asked, no_complete_window
from abtest.analysis.looked_at import about_of, history_of, mean_with, unit_of, weeks_of_entry, weeks_of_periods
from abtest.analysis.noise import NOTHING, measure
from abtest.analysis.past_model import (
    PREVIEW_SCHEMA,
    Came,
    Correlate,
    Known,
    Mde,
    PreviewResult,
    Spread,
    Stability,
    Week,
)
from abtest.analysis.plan_past import follow_up_of, later, lead_of, looks_back
from abtest.analysis.prepare import Progress
from abtest.analysis.shares import came_back, correlation, mean_of, smallest_change, stability, variance_of
from abtest.analysis.states import RETENTION_DAYS, States, count_overlaps, count_pairs, retention_of, states_of
from abtest.language.canonical import events_of
from abtest.language.model import Metric, Project
from abtest.metrics.covariates import covariates_of
from abtest.metrics.joint import joint_sums
from abtest.metrics.needs import for_unit
from abtest.metrics.plan import last_day
from abtest.problems import data_error
from abtest.sources.engine import Engine
from abtest.stats.matrix import matrix_from_sums
from abtest.stats.moments import Sums
from abtest.stats.sizing import ready

MOST_PERIODS = 13
"""Of a recurring condition: a quarter of weeks."""
MOST_CORRELATES = 20
WEEKS_SHOWN = (1, 2, 3, 4, 6, 8, 12, 16, 26, 52)


def run_preview(
    engine: Engine, project: Project, metric: Metric, asked: Asked = EVERYTHING, progress: Progress = lambda _: None
) -> PreviewResult:
    """What is known of `metric` before any experiment.

    Raises UserError (exit 3) where there is no history of its unit, or one shorter than its window.
    """
    unit = asked.unit or unit_of(project, metric)
    own = for_unit(metric, unit)
    states = states_of(own, MOST_PERIODS)
    retained = retention_of(own, project, unit)
    others = _others(project, own, unit)
    hidden = [*(states.metrics if states is not None else ()), *([retained] if retained is not None else [])]
    past = read_past(
        engine,
        project,
        [own, *others, *hidden],
        unit,
        start=asked.start,
        end=asked.end,
        of=asked.before,
        adjusted=False,
        progress=progress,
    )
    arm = past.arms[own.name]
    if not arm.used:
        raise no_complete_window(own, past)
    progress("preview")
    min_cell = project.min_cell
    if arm.used < min_cell:
        raise data_error(
            "E524",
            f"{own.name} cannot be previewed: fewer units of the history count for it than may be shown (`privacy.min_cell`)",
            "Take a longer history, or a metric that more units have a value of.",
            own.place,
        )
    history = history_of(past, arm, asked.before)
    weeks, by_period = _weeks(engine, past, own, states, min_cell)
    steady, plain, held = _steady(engine, past, states, min_cell)
    came, back = _came(engine, past, states, retained is not None, min_cell)
    moments = arm.moments
    variance = variance_of(arm)
    spread = _spread(engine, past, own, min_cell)
    correlates = _correlates(engine, past, own, others)
    found = PreviewResult(
        PREVIEW_SCHEMA,
        about_of(project, own, unit, states),
        history,
        mean_with(arm),
        None if variance is None else variance**0.5,
        spread[0].share if spread and spread[0].low == spread[0].high == 0.0 else None,
        None if moments is None else moments.skewness,
        spread,
        _mature_days(past, own),
        weeks,
        "period" if by_period else "entry",
        steady,
        None if states is None else states.how,
        plain,
        held,
        came,
        RETENTION_DAYS,
        back,
        _mde(past, arm, history.alpha, history.power),
        correlates,
        min_cell,
    )
    return _with_adjustment(engine, project, own, unit, asked, past, found, progress)


def _with_adjustment(
    engine: Engine,
    project: Project,
    metric: Metric,
    unit: str,
    asked: Asked,
    past: Past,
    found: PreviewResult,
    progress: Progress,
) -> PreviewResult:
    """What adjustment by the time before would take out, measured on units that enter once the log is old enough."""
    covariates = covariates_of(metric, project, unit)
    if not isinstance(covariates, tuple) or not found.mde:
        return found
    chain = next((t.chain for t in past.plan.all_tasks if t.metric.name == metric.name), None)
    lead = lead_of(past, looks_back(covariates), follow_up_of(chain)) if asked.start is None else 0
    start = later(past, lead) if lead else asked.start
    own = read_past(
        engine, project, [metric], unit, start=start, end=asked.end, of=asked.before, adjusted=True, progress=progress
    )
    measured = measure(metric, own.arms[metric.name], own.units)
    if isinstance(measured, str) or measured.clusters is not None:
        return found
    if measured.unadjusted is not None:
        why = measured.unadjusted if measured.unadjusted != NOTHING else own.prepared.unadjusted.get(metric.name)
        return replace(found, unadjusted=why)
    sharper = measured.kept**0.5
    mde = tuple(
        replace(m, adjusted=m.absolute * sharper, adjusted_relative=m.relative and m.relative * sharper)
        for m in found.mde
    )
    return replace(found, mde=mde, kept=measured.kept, kept_from=iso(own.start))


def _others(project: Project, metric: Metric, unit: str) -> list[Metric]:
    """Other metrics that read no other logs, one number per unit each."""
    logs = {project.events[e].source for e in events_of(metric)}

    def alike(other: Metric) -> bool:
        reads = events_of(other)
        plain = not other.pooled and other.quantile is None and other.among is None and other.survey is None
        same = bool(reads) and {project.events[e].source for e in reads} <= logs
        return plain and same and other.name != metric.name and not (other.group is not None and other.group.whole)

    if metric.pooled or metric.quantile is not None:
        return []
    found = (for_unit(m, unit) for m in project.metrics.values())
    return [m for m in found if alike(m)][:MOST_CORRELATES]


def _mature_days(past: Past, metric: Metric) -> int | None:
    """Days from entry until the value is known."""
    chain = next((t.chain for t in past.plan.all_tasks if t.metric.name == metric.name), None)
    return None if chain is None or chain.last is None or chain.origin is not None else last_day(chain) + 1


def _weeks(
    engine: Engine, past: Past, metric: Metric, states: States | None, min_cell: int
) -> tuple[tuple[Week, ...], bool]:
    """By periods where a condition recurs, else by weeks of entry."""
    if states is not None and states.how == "blocks" and metric.starting_at is None:
        return weeks_of_periods(engine, past, states, min_cell), True
    if metric.quantile is not None:
        return (), False
    return weeks_of_entry(engine, past, metric, min_cell), False


def _steady(
    engine: Engine, past: Past, states: States | None, min_cell: int
) -> tuple[Known, Interval | None, Stability | None]:
    """How alike the last two periods are: as numbers, and, where they are a yes or no, who stays."""
    if states is None or len(states.metrics) < 2:
        return "no_window", None, None
    before, after = states.metrics[-2:]
    r = _correlation(engine, past, before.name, after.name)
    if r is None:
        return "too_short", None, None
    yes_or_no = before.yes_or_no
    held = stability(count_pairs(engine, past.values, [states])[0], min_cell) if yes_or_no else None
    return "ok", r[0], held


def _came(engine: Engine, past: Past, states: States | None, asked: bool, min_cell: int) -> tuple[Known, Came | None]:
    if states is None or not asked:
        return ("no_window" if states is None else "no_events"), None
    found = count_overlaps(engine, past.values, [states])[0]
    if not found.inside + found.outside:
        return "too_short", None
    return "ok", came_back(found, min_cell)


def _spread(engine: Engine, past: Past, metric: Metric, min_cell: int) -> tuple[Spread, ...]:
    if metric.pooled or metric.quantile is not None:
        return ()
    bins = histogram(engine, past.values, metric, (EVERYONE,), min_cell)
    total = sum(n for one in bins for _, n in one.units)
    return tuple(Spread(one.low, one.high, sum(n for _, n in one.units) / total) for one in bins)


def _mde(past: Past, arm: Arm, alpha: float, power: float) -> tuple[Mde, ...]:
    """After whole weeks of entering, everyone's window complete."""
    mean = mean_of(arm)
    counts = dict(past.entered)
    cumulative, total = [], 0
    for day in range(past.start, past.end + 1):
        total += counts.get(day, 0)
        cumulative.append(float(total))
    if len(cumulative) < 7 or not arm.exposed:
        return ()
    counted = arm.used / max(1, arm.used + arm.missing)
    found = []
    for week, entered in enumerate(ready(cumulative), 1):
        units = entered * counted
        absolute = smallest_change(arm, units, alpha, power)
        if absolute is None or (week not in WEEKS_SHOWN):
            continue
        relative = None if not mean else absolute / abs(mean)
        found.append(Mde(week, round(units), absolute, relative))
    return tuple(found)


def _correlates(engine: Engine, past: Past, metric: Metric, others: Sequence[Metric]) -> tuple[Correlate, ...]:
    """The others, the most alike first."""
    found = []
    for other in others:
        r = _correlation(engine, past, metric.name, other.name)
        if r is not None:
            found.append(Correlate(other.name, other.title, *r))
    return tuple(sorted(found, key=lambda c: (-abs(c.r.estimate), c.key)))


def _correlation(engine: Engine, past: Past, one: str, other: str) -> tuple[Interval, int] | None:
    """Pearson's, over units with a value of both; None where either does not vary."""
    columns = [past.values.value[one], past.values.value[other]]
    sums = joint_sums(engine, past.values, columns, past.grid).get((0, 0))
    if sums is None or sums.n < 3:
        return None
    matrix = matrix_from_sums(sums.n, [Sums(c.shift, c.s1, c.s2, scale=c.scale) for c in sums.columns], sums.products)
    (a, ab), (_, b) = matrix.cross
    if a <= 0.0 or b <= 0.0:
        return None
    return correlation(ab / (a * b) ** 0.5, sums.n), sums.n
