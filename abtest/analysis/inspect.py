"""One unit under the glass: exposure, window, every event counted or rejected and why, each block's truth, the value.

The only place that reads single units; it is for the terminal of the analyst, never for an output file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from abtest.analysis.dates import iso
from abtest.analysis.prepare import Prepared, Progress, prepare
from abtest.language.canonical import events_of
from abtest.language.conditions import Attribute
from abtest.language.model import Experiment, Metric, Project
from abtest.metrics import calendar
from abtest.metrics.folds import block_value, bounds, silent_value
from abtest.metrics.needs import for_unit
from abtest.metrics.plan import Chain, Plan, Task
from abtest.metrics.ticks import anchor_table
from abtest.metrics.units import metric_blocks
from abtest.problems import Problem, UserError, quoted
from abtest.sources.engine import Engine, name, open_engine, text
from abtest.sources.files import data_folder
from abtest.sources.units import STATUS_NAMES, USED

MOST_BLOCKS = 400


@dataclass(frozen=True)
class SeenEvent:
    """One row of the unit: when (local), day after exposure, which events it is, and why it does not count."""

    when: str
    day: int | None
    events: tuple[str, ...]
    properties: tuple[tuple[str, float | str], ...]
    rejected: str | None


@dataclass(frozen=True)
class SeenBlock:
    first: str
    last: str
    value: float | None
    complete: bool


@dataclass(frozen=True)
class Inspection:
    """`window`: first and last moment, None where the data begin or end; None where the starting point is not reached."""

    unit: str
    variant: str | None
    status: str
    exposed: str | None
    window: tuple[str | None, str | None] | None
    through: str
    value: float | None
    reason: str | None
    events: tuple[SeenEvent, ...]
    blocks: tuple[SeenBlock, ...]


@dataclass(frozen=True)
class _Unit:
    """Where the counting of a unit starts: number, date and instant of exposure, and of the starting point."""

    u: int
    x_day: int
    x: int | None
    start_day: int | None
    start: int | None


def inspect_unit(
    project: Project, experiment: Experiment, metric: Metric, unit: str, progress: Progress = lambda _: None
) -> Inspection:
    """What `metric` sees of one unit of `experiment`. Raises UserError (exit 2) when the unit was never exposed."""
    engine = open_engine(data_folder(project))
    metric = for_unit(metric, experiment.unit)
    try:
        found = prepare(engine, project, experiment, progress, (metric,), detail=True)
        row = engine.rows(f"SELECT u, variant, x, x_day, status FROM units WHERE uid = {text(unit)}")
        if not row:
            message = f"{experiment.unit} {quoted(unit)} is not in the exposures of {experiment.id}"
            hint = "Ids are compared as text, exactly as the export writes them."
            raise UserError([Problem("E515", message, None, hint)], exit_code=2)
        u, variant, instant, x_day, status = row[0]
        plan = found.plan(project.timezone)
        values = found.values(engine, plan)
        value, reason = _value(engine, values, metric, int(u))
        task = next((t for t in plan.all_tasks if t.metric.name == metric.name), None)
        who = _start(engine, task, int(u), int(x_day), instant)
        seen = _events(engine, found, task, who, project.timezone) if status == USED and task is not None else []
        through = {n: log.last_complete for n, log in found.logs.items()}
        return Inspection(
            unit=unit,
            variant=None if variant is None else experiment.variants[int(variant)].id,
            status="used" if status == USED else STATUS_NAMES[int(status)],
            exposed=_moment(instant, project.timezone) or iso(x_day),
            window=(None, None) if task is None else _window(task.chain, who, project.timezone),
            through=iso(task.chain.through if task is not None else min(through.values())) or "" if through else "",
            value=value,
            reason=reason,
            events=tuple(sorted(seen, key=lambda e: (e.when, e.events))),
            blocks=_blocks(engine, found, plan, task, who, project.timezone) if task and status == USED else (),
        )
    finally:
        engine.close()


def _value(engine: Engine, values: Any, metric: Metric, u: int) -> tuple[float | None, str | None]:
    columns = [values.value[metric.name]] + (
        [values.denominator[metric.name]] if metric.name in values.denominator else []
    )
    mature, among = values.mature.get(metric.name), values.among.get(metric.name)
    flags = f"{name(mature) if mature else 'true'}, {name(among) if among else 'true'}"
    rows = engine.rows(f"SELECT {', '.join(name(c) for c in columns)}, {flags} FROM {name(values.table)} WHERE u = {u}")
    if not rows:
        return None, "left_out"
    *numbers, complete, belongs = rows[0]
    if numbers[0] is None:
        return None, "not_among" if not belongs else "missing" if complete else "immature"
    if len(numbers) == 2:
        return (numbers[0] / numbers[1], None) if numbers[1] else (None, "zero_denominator")
    return numbers[0], None


def _start(engine: Engine, task: Task | None, u: int, x_day: int, instant: int | None) -> _Unit:
    if task is None or task.chain.grid.anchor is None:
        return _Unit(u, x_day, instant, x_day, instant)
    rows = engine.rows(f"SELECT a_day, a_at FROM {name(anchor_table(task.chain.grid))} WHERE u = {u}")
    day, at = rows[0] if rows else (None, None)
    return _Unit(u, x_day, instant, day, at)


def _origin(chain: Chain, who: _Unit) -> int | None:
    """Where ticks count from: a date, or an instant."""
    if chain.origin is not None:
        return chain.origin
    return who.start if chain.grid.elapsed else who.start_day


def _window(chain: Chain, who: _Unit, zone: str) -> tuple[str | None, str | None] | None:
    origin = _origin(chain, who)
    if origin is None:
        return None
    first = None if chain.first is None else _tick(chain, origin, chain.first, zone, start=True)
    return first, None if chain.last is None else _tick(chain, origin, chain.last, zone)


def _tick(chain: Chain, origin: int, tick: int, zone: str, *, start: bool = False) -> str:
    """The first or the last moment of a tick."""
    if not chain.grid.elapsed:
        return iso(origin + tick) or ""
    return _moment(origin + (tick if start else tick + 1) * chain.grid.length, zone) or ""


def _events(engine: Engine, found: Prepared, task: Task, who: _Unit, zone: str) -> list[SeenEvent]:
    seen: list[SeenEvent] = []
    wanted = set(events_of(task.metric))
    for log in found.logs.values():
        columns = engine.columns(log.table)
        flags = [c for c in columns if c.startswith("is_") and c.removeprefix("is_") in wanted]
        numbers = [c for c in columns if c.startswith("p_")]
        session = "s_day, s_instant" if "s_day" in columns else "NULL, NULL"
        listed = "".join(f", {name(c)}" for c in (*flags, *numbers))
        rows = engine.rows(f"SELECT instant, day, d, step, {session}{listed} FROM {name(log.table)} WHERE u = {who.u}")
        for instant, day, d, step, s_day, s_at, *rest in rows:
            names = tuple(f.removeprefix("is_") for f, hit in zip(flags, rest, strict=False) if hit)
            if not names:
                continue
            moment = (s_at, s_day) if task.chain.grid.sub == "session" else (instant, day)
            why = _rejected(task.chain, who, step, *moment)
            properties = tuple(
                (c.removeprefix("p_").split(".")[-1], v)
                for c, v in zip(numbers, rest[len(flags) :], strict=True)
                if v is not None
            )
            shown = tuple(n.replace(".answers", " (answer)") for n in names)
            seen.append(SeenEvent(_moment(instant, zone) or iso(day) or "", d, shown, properties, why))
    return seen


def _rejected(chain: Chain, who: _Unit, step: str | None, instant: int | None, day: int | None) -> str | None:
    """Why a row counts in no block of the chain."""
    past = chain.first is None or chain.back > 0 or (chain.last is not None and chain.last < 0)
    if step is not None and not (step == "before_exposure" and past):
        return step
    origin = _origin(chain, who)
    if origin is None:
        return "before_start"
    at = instant if chain.grid.elapsed else day
    if at is None:
        return "no_session"
    tick = (at - origin) // chain.grid.length
    if tick >= (chain.end - origin) // chain.grid.length:
        return "after_data"
    if chain.last is not None and tick > chain.last:
        return "after_window"
    if chain.first is not None and tick < chain.first and not chain.back:
        return "before_start" if chain.grid.anchor is not None and tick < 0 else "before_window"
    return None


def _blocks(
    engine: Engine, found: Prepared, plan: Plan, task: Task | None, who: _Unit, zone: str
) -> tuple[SeenBlock, ...]:
    """The value of each block of `per` (or session, or device), silent ones included."""
    import ibis

    assert task is not None
    chain = task.chain
    origin = _origin(chain, who)
    if chain.style == "whole" or origin is None or task not in plan.tasks:
        return ()
    metrics = (*found.metrics, *found.hidden)
    block = metric_blocks(engine, plan, metrics, found.inputs(), task)
    part = task.parts[0]
    own = block.table.filter(block.table.u == who.u)
    shown = own.mutate(v=block_value(block, task, part).cast("float64"))
    if chain.style == "parts":
        rows = engine.fetch(shown.select("part", "v", "d").order_by("d", "part"))
        name_ = chain.grid.sub or ""
        return tuple(
            SeenBlock(
                f"{name_} {r['part']}", _tick(chain, origin, int(r["d"]), zone, start=True), _or_none(r["v"]), True
            )
            for r in rows
        )
    known = {int(r["i"]): _or_none(r["v"]) for r in engine.fetch(shown.select("i", "v"))}
    silent = silent_value(task, part, lambda a: _truth(engine, found, a, who.u))
    units = engine.table("units").filter(lambda t: t.u == who.u)
    low, high = bounds(ibis.literal(origin), chain)
    ends = engine.fetch(units.select(low=low, high=high))[0]
    blocks = range(int(ends["low"]), min(int(ends["high"]) + 1, int(ends["low"]) + MOST_BLOCKS))
    if not isinstance(silent, (int, float)) and silent is not None:
        silent = float(engine.fetch(units.select(v=silent.cast("float64")))[0]["v"])
    return tuple(
        SeenBlock(*_span(chain, origin, i, zone), known.get(i, None if silent is None else float(silent)), True)
        for i in blocks
    )


def _or_none(value: Any) -> float | None:
    return None if value is None else float(value)


def _truth(engine: Engine, found: Prepared, attribute: Attribute, u: int) -> Any:
    """The truth of a test of an attribute for one unit."""
    import ibis

    index = list(found.attributes).index(attribute)
    return ibis.literal(bool(engine.one(f"SELECT z{index} FROM unit_attributes WHERE u = {int(u)}")[0]))


def _span(chain: Chain, origin: int, i: int, zone: str) -> tuple[str, str]:
    """The first and the last date (or moment) of a block."""
    if chain.style in ("week", "month"):
        unit: Any = chain.style
        return iso(calendar.first_date(i, unit)) or "", iso(calendar.first_date(i + 1, unit) - 1) or ""
    length, first = chain.blocks[-1], chain.first or 0
    start = first + (i if chain.style == "rolling" else i * length)
    return _tick(chain, origin, start, zone, start=True), _tick(chain, origin, start + length - 1, zone)


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
