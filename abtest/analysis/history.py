"""The past of a project as one variant: everybody who was seen then, measured as an experiment would measure them.

A unit enters at its first row (or its first `by` event) within the dates asked for, as if it had been exposed there;
windows, maturity, populations and adjustment mean what they mean in an experiment. Or units enter as they entered an
earlier experiment, all its variants together. Nothing after the last date is read, so that a plan can be made anew
without a look at what the experiment found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from abtest.analysis.arm_table import arms_by_variant
from abtest.analysis.arms import Arm
from abtest.analysis.dates import iso
from abtest.analysis.left_out import left_out
from abtest.analysis.prepare import Prepared, Progress, prepare
from abtest.language.canonical import events_of
from abtest.language.conditions import RowAll, RowTest, Value, Where
from abtest.language.model import Experiment, Metric, MetricUse, Project, Source, Variant
from abtest.metrics.crossed import Covariates, find_covariates
from abtest.metrics.needs import for_unit
from abtest.metrics.plan import Plan
from abtest.metrics.sums import Grid, binary_metrics, grids
from abtest.metrics.units import Values
from abtest.problems import data_error, quoted
from abtest.sources.engine import Engine
from abtest.sources.units import AFTER_ENROLMENT, TABLE, USED, day_number

EVERYONE = "everyone"


@dataclass(frozen=True)
class Past:
    """What the engine holds of a past, until the next one is read.

    `arms`: each metric over everyone. `entered`: (day number, units whose first row fell on it), of days with any.
    `start`, `end`: first and last day number on which units could enter; `through`: the last complete one.
    """

    experiment: Experiment
    metrics: tuple[Metric, ...]
    arms: Mapping[str, Arm]
    units: int
    entered: tuple[tuple[int, int], ...]
    start: int
    end: int
    through: int
    source: str
    prepared: Prepared
    plan: Plan
    values: Values
    grid: Mapping[str, Grid]
    binary: frozenset[str]
    covariates: Covariates

    @property
    def days(self) -> int:
        """Days on which units could enter."""
        return self.end - self.start + 1


def read_past(
    engine: Engine,
    project: Project,
    metrics: Sequence[Metric],
    unit: str,
    *,
    start: date | None = None,
    end: date | None = None,
    of: Experiment | None = None,
    by: str | None = None,
    like: Experiment | None = None,
    adjusted: bool = True,
    progress: Progress = lambda _: None,
) -> Past:
    """Everyone who was seen between `start` and `end`, and `metrics` over them.

    `of`: the experiment that is planned: its population and clusters hold, and without `end` the past ends on the day
    before it starts. `by`: the event at which a unit enters; without it, at any row of the log that the metrics read
    most. `like`: an experiment whose exposures let units enter instead, on its dates. `adjusted`: with what metrics are
    adjusted by. Metrics may be definitions of the caller's own.

    Raises UserError (exit 3) where there is no past: no log with times of the unit, or nobody seen in the dates.
    """
    source = _log(project, metrics, unit, by) if like is None else project.sources[like.exposure_source]
    if like is not None:
        start, end = start or like.start, end or min((d for d in (like.as_of, like.end) if d is not None), default=None)
    if like is not None and source.time is None:
        raise data_error(
            "E520",
            f"{quoted(like.id)} does not tell when a {unit} entered: source {quoted(source.name)} has no time",
            "Name an experiment whose exposures have a time, or let units enter at an event with  --by.",
        )
    if of is not None and of.start is not None:
        # What came after the start is none of the plan's business, unless dates are asked for.
        before = date.fromordinal(of.start.toordinal() - 1)
        end = before if end is None or (like is not None and end > before) else end
    base = source.name.partition(" by ")[0]
    entry = replace(source, name=f"{base} by entry", kind="exposures")
    everyone = (Variant(EVERYONE, EVERYONE, None, EVERYONE),)
    asked = {m.name: m if adjusted else replace(m, adjust=None) for m in metrics}
    past = Experiment(
        id="past",
        title="past",
        unit=unit,
        exposure_source=entry.name,
        flag=None,
        variants=everyone,
        baseline=EVERYONE,
        metrics=tuple(MetricUse(name, "secondary") for name in asked),
        exposure_where=_event_test(project, source, by),
        start=start,
        end=end,
        as_of=end,
        only=None if of is None else of.only,
        exclude=None if of is None else of.exclude,
        cluster=None if of is None else of.cluster,
    )
    if like is None:
        entry = replace(entry, variant=None, flag=None)
    else:
        # With its variants, so that units are left out as they were: who saw two, who came too early or too late.
        past = replace(
            past,
            flag=like.flag,
            variants=like.variants,
            baseline=like.baseline,
            exposure_where=like.exposure_where,
            enroll_until=like.enroll_until,
            mixed=like.mixed,
        )
    own = replace(
        project,
        sources={**project.sources, entry.name: entry},
        metrics={**project.metrics, **asked},
        default_adjust=project.default_adjust if adjusted else 0,
    )
    found = prepare(engine, own, past, progress, strict=False)
    engine.notices.update(dict.fromkeys(left_out(engine, found, base)))
    if like is not None:
        seen = {variant for _, variant, n in found.exposed.units if n}
        for k, variant in enumerate(like.variants):
            if k not in seen:
                told = f"W504 {like.id}: nobody in {base} saw variant {quoted(variant.key)}"
                engine.notices[told] = None
        engine.sql(f"UPDATE {TABLE} SET variant = 0 WHERE variant IS NOT NULL")
        past = replace(past, variants=everyone, baseline=EVERYONE)
    return _measured(engine, own, past, found, tuple(for_unit(m, unit) for m in asked.values()), progress)


def _measured(
    engine: Engine,
    project: Project,
    past: Experiment,
    found: Prepared,
    metrics: tuple[Metric, ...],
    progress: Progress,
) -> Past:
    complete = min((log.last_complete for log in found.logs.values()), default=None)
    if complete is not None:
        # Nobody enters on a day of which the log tells only a part.
        engine.sql(f"UPDATE {TABLE} SET status = {AFTER_ENROLMENT} WHERE status = {USED} AND x_day > {complete}")
    entered = tuple(
        (int(day), int(n))
        for day, n in engine.rows(f"SELECT x_day, count(*) FROM units WHERE status = {USED} GROUP BY 1 ORDER BY 1")
    )
    if not entered:
        raise _nobody(past, found)
    plan = found.plan(project.timezone)
    progress("metrics")
    values = found.values(engine, plan)
    grid = grids(engine, values)
    every = found.metrics
    binary = binary_metrics(engine, values, every)
    covariates = find_covariates(engine, values, found.covariates)
    table = arms_by_variant(engine, values, past, every, covariates, grid, binary)
    seen = entered[-1][0] if found.exposed.last is None else found.exposed.last
    through = seen if complete is None else complete
    first = entered[0][0] if past.start is None else day_number(past.start)
    last = through if past.end is None else min(through, day_number(past.end))
    return Past(
        experiment=past,
        metrics=metrics,
        arms={name: by_variant[EVERYONE] for name, by_variant in table.items()},
        units=sum(n for _, n in entered),
        entered=entered,
        start=first,
        end=max(first, last),
        through=through,
        source=past.exposure_source.partition(" by ")[0],
        prepared=found,
        plan=plan,
        values=values,
        grid=grid,
        binary=binary,
        covariates=covariates,
    )


def _log(project: Project, metrics: Sequence[Metric], unit: str, by: str | None) -> Source:
    """The log in which units are first seen."""
    if by is not None:
        return project.sources[project.events[by].source]
    reads = [project.events[e].source for m in metrics for e in events_of(m)]
    logs = [
        s
        for s in project.sources.values()
        if s.kind == "events" and s.time is not None and s.unit_path(unit) is not None
    ]
    if not logs:
        raise data_error(
            "E520",
            f"no log tells when a {unit} was first seen",
            f"History needs a source of kind events with a time and  units: {{{unit}: COLUMN}}.",
        )
    return max(logs, key=lambda s: reads.count(s.name))


def _event_test(project: Project, source: Source, by: str | None) -> Where | None:
    """That a row is the event at which units enter."""
    if by is None:
        return None
    event = project.events[by]
    tests: list[Where] = []
    if event.names and source.event is not None:
        tests.append(RowTest(source.event, "in", tuple(Value("text", n) for n in event.names)))
    if event.where is not None:
        tests.append(event.where)
    return None if not tests else tests[0] if len(tests) == 1 else RowAll(tuple(tests))


def _nobody(past: Experiment, found: Prepared) -> Exception:
    log = past.exposure_source.partition(" by ")[0]
    first, last = found.exposed.first, found.exposed.last
    reach = f"; its rows are of {iso(first)} to {iso(last)}" if first is not None else ""
    dates = " to ".join(str(d) for d in (past.start, past.end) if d is not None)
    asked = f" in {dates}" if past.start and past.end else f" before {past.end}" if past.end else ""
    return data_error(
        "E521",
        f"there is no history: source {quoted(log)} shows no {past.unit}{asked}{reach}",
        "The past is read from some weeks of log, before the experiment if there is one; give dates that the log covers.",
    )
