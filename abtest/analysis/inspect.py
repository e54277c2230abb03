"""One unit under the glass: exposure, window, every event counted or rejected and why, each block's truth, the value.

The only place that reads single units; it is for the terminal of the analyst, never for an output file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from abtest.analysis.dates import iso
from abtest.analysis.prepare import Progress, prepare
from abtest.language.canonical import events_of
from abtest.language.conditions import Measure
from abtest.language.model import Experiment, Metric, Project
from abtest.metrics.blocks import Days, aliases_of, block_table
from abtest.metrics.plan import Task, make_plan
from abtest.metrics.truth import zero_measure, zero_truth
from abtest.metrics.units import _scales, unit_values
from abtest.problems import Problem, UserError, quoted
from abtest.sources.engine import Engine, name, open_engine, text
from abtest.sources.files import data_folder
from abtest.sources.units import STATUS_NAMES, USED


@dataclass(frozen=True)
class SeenEvent:
    """One row of the unit: when (local), day after exposure, which events it is, and why it does not count."""

    when: str
    day: int | None
    events: tuple[str, ...]
    properties: tuple[tuple[str, float | None], ...]
    rejected: str | None


@dataclass(frozen=True)
class SeenBlock:
    first: str
    last: str
    value: float
    complete: bool


@dataclass(frozen=True)
class Inspection:
    unit: str
    variant: str | None
    status: str
    exposed: str | None
    window: str
    through: str
    value: float | None
    reason: str | None
    events: tuple[SeenEvent, ...]
    blocks: tuple[SeenBlock, ...]


def inspect_unit(
    project: Project, experiment: Experiment, metric: Metric, unit: str, progress: Progress = lambda _: None
) -> Inspection:
    """What `metric` sees of one unit of `experiment`. Raises UserError (exit 2) when the unit was never exposed."""
    engine = open_engine(data_folder(project))
    try:
        prepared = prepare(engine, project, experiment, progress, (metric,), detail=True)
        row = engine.rows(f"SELECT u, variant, x, x_day, status FROM units WHERE uid = {text(unit)}")
        if not row:
            raise UserError(
                [
                    Problem(
                        "E515",
                        f"{experiment.unit} {quoted(unit)} is not in the exposures of {experiment.id}",
                        None,
                        "Ids are compared as text, exactly as the export writes them.",
                    )
                ],
                exit_code=2,
            )
        u, variant, instant, x_day, status = row[0]
        through = {n: log.last_complete for n, log in prepared.logs.items()}
        plan = make_plan((metric,), project.events, through)
        values = unit_values(engine, plan, (metric,), prepared.logs, {}, prepared.outcomes)
        value, reason = _value(engine, values, metric, int(u))
        chain = plan.tasks[0].chain if plan.tasks else None
        last = None if chain is None or chain.last is None else x_day + chain.last
        seen: list[SeenEvent] = []
        for log in prepared.logs.values():
            seen += _events(
                engine,
                log.table,
                metric,
                int(u) if status == USED else None,
                unit,
                project,
                chain.first if chain else 0,
                chain.last if chain else None,
                log.last_complete,
            )
        return Inspection(
            unit=unit,
            variant=None if variant is None else experiment.variants[int(variant)].id,
            status="used" if status == USED else STATUS_NAMES[int(status)],
            exposed=_moment(instant, project.timezone) or iso(x_day),
            window=str(metric.window)
            if chain is None
            else f"{iso(x_day + chain.first)} to {iso(last) or 'the end of the data'}",
            through=iso(min(through.values())) or "" if through else "",
            value=value,
            reason=reason,
            events=tuple(sorted(seen, key=lambda e: (e.when, e.events))),
            blocks=_blocks(engine, plan.tasks[0], prepared.logs, plan, int(u), int(x_day))
            if plan.tasks and status == USED
            else (),
        )
    finally:
        engine.close()


def _value(engine: Engine, values: Any, metric: Metric, u: int) -> tuple[float | None, str | None]:
    columns = [values.value[metric.name]] + (
        [values.denominator[metric.name]] if metric.name in values.denominator else []
    )
    mature = values.mature.get(metric.name)
    rows = engine.rows(
        f"SELECT {', '.join(name(c) for c in columns)}, {name(mature) if mature else 'true'} FROM {name(values.table)} WHERE u = {u}"
    )
    if not rows:
        return None, "left_out"
    *numbers, complete = rows[0]
    if numbers[0] is None:
        return None, "missing" if complete else "immature"
    if len(numbers) == 2:
        return (numbers[0] / numbers[1], None) if numbers[1] else (None, "zero_denominator")
    return numbers[0], None


def _events(
    engine: Engine,
    table: str,
    metric: Metric,
    u: int | None,
    unit: str,
    project: Project,
    first: int,
    last: int | None,
    through: int,
) -> list[SeenEvent]:
    if u is None:
        return []
    columns = engine.columns(table)
    flags = [c for c in columns if c.startswith("is_")]
    numbers = [c for c in columns if c.startswith("p_")]
    rows = engine.rows(
        f"SELECT instant, day, d, step, {', '.join(name(c) for c in (*flags, *numbers))} FROM {name(table)} WHERE u = {u}"
    )
    found = []
    for instant, day, d, step, *rest in rows:
        names = tuple(f.removeprefix("is_") for f, hit in zip(flags, rest, strict=False) if hit)
        if not names:
            continue
        why = step
        if why is None and d < first:
            why = "before_window"
        if why is None and (day > through or (last is not None and d > last)):
            why = "after_window"
        properties = tuple(
            (c.removeprefix("p_"), v) for c, v in zip(numbers, rest[len(flags) :], strict=True) if v is not None
        )
        found.append(SeenEvent(_moment(instant, project.timezone) or iso(day) or "", d, names, properties, why))
    return found


def _blocks(engine: Engine, task: Task, logs: Any, plan: Any, u: int, x_day: int) -> tuple[SeenBlock, ...]:
    """The value of each block of `per`, silent ones included."""
    chain = task.chain
    if not chain.per:
        return ()
    days = Days(engine.table("unit_days"), aliases_of(plan), _scales(engine, plan, logs))
    block = block_table(days, chain, [task])
    length = chain.blocks[-1]
    part = task.parts[0]
    if isinstance(part, Measure):
        expression, silent = block.measure(part), zero_measure(part) or 0.0
    else:
        expression, silent = block.truth(part, length).cast("int32"), int(zero_truth(part, length))
    rows = engine.fetch(block.table.filter(block.table.u == u).select(i=block.table.i, v=expression))
    known = {int(r["i"]): float(r["v"]) for r in rows if r["v"] is not None}
    count = (
        (chain.last - chain.first + 1) // length
        if chain.last is not None
        else max(0, (chain.through - x_day - chain.first + 1) // length)
    )
    found = []
    for i in range(min(count, 400)):
        first = x_day + chain.first + i * length
        last = first + length - 1
        found.append(SeenBlock(iso(first) or "", iso(last) or "", known.get(i, float(silent)), last <= chain.through))
    return tuple(found)


def _moment(instant: int | None, zone: str) -> str | None:
    if instant is None:
        return None
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")


def experiment_with(project: Project, metric: Metric) -> Experiment | None:
    """The experiment to take the exposures from: the first that uses the metric, else the first."""
    using = [e for e in project.experiments.values() if metric.name in {u.name for u in e.metrics}]
    every = using or list(project.experiments.values())
    return every[0] if every else None


def reads(metric: Metric) -> tuple[str, ...]:
    return events_of(metric)
