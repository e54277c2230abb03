"""Where every row and every unit went: one ledger per file and one of the units, each adding up to what was read."""

from __future__ import annotations

from typing import Any

from abtest.analysis.prepared import Prepared
from abtest.analysis.result import Ledger, LedgerStep
from abtest.language.canonical import events_of
from abtest.language.model import Experiment
from abtest.metrics.plan import Plan, last_day
from abtest.metrics.returns import without_returns
from abtest.sources.engine import Engine, name
from abtest.sources.events import Log
from abtest.sources.tables import UnitTable
from abtest.sources.units import STATUS_NAMES, USED, Exposed

LOG_STEPS = (
    "unparsable",
    "no_id",
    "bad_time",
    "ignored",
    "duplicate",
    "unassigned",
    "before_start",
    "after_enrolment",
    "mixed",
    "excluded",
    "no_cluster",
    "before_exposure",
    "after_window",
    "immature",
    "no_event",
    "used",
)


def log_ledger(
    engine: Engine, log: Log, experiment: Experiment, last: int | None, through: int, immature_below: int | None
) -> Ledger:
    """Every row of a log by what became of it. `last`: last day that any window reads; rows of units exposed after
    `immature_below` cannot count for any metric yet."""
    late = f"WHEN day > {through} {f'OR d > {last}' if last is not None else ''} THEN 'after_window'"
    young = f"WHEN day - d > {immature_below} THEN 'immature'" if immature_below is not None else ""
    rows = engine.rows(
        f"SELECT CASE WHEN step IS NOT NULL THEN step {late} {young} ELSE 'used' END AS s, variant, count(*) FROM {name(log.table)} GROUP BY 1, 2"
    )
    totals: dict[str, int] = {"unparsable": log.unparsable}
    split: dict[str, dict[int, int]] = {}
    for step, variant, count in rows:
        totals[step] = totals.get(step, 0) + int(count)
        if variant is not None:
            split.setdefault(step, {})[int(variant)] = int(count)
    return Ledger(log.source, "rows", log.rows, _steps(LOG_STEPS, totals, split, experiment), log.notes)


def exposure_ledger(source: str, exposed: Exposed, experiment: Experiment) -> Ledger:
    totals = dict(exposed.row_steps)
    steps = tuple(
        LedgerStep(s, n, exposed.rows_by_variant if s == "used" else ())
        for s, n in exposed.row_steps
        if n or s == "used"
    )
    assert sum(totals.values()) == exposed.rows
    return Ledger(source, "rows", exposed.rows, steps, exposed.notes)


def unit_ledger(exposed: Exposed, experiment: Experiment) -> Ledger:
    """Every exposed unit: left out, and why, or used."""
    totals: dict[str, int] = {}
    split: dict[str, dict[int, int]] = {}
    for status, variant, count in exposed.units:
        step = "used" if status == USED else STATUS_NAMES[status]
        totals[step] = totals.get(step, 0) + count
        if variant is not None and step != "mixed":
            split.setdefault(step, {})[variant] = split.get(step, {}).get(variant, 0) + count
    order = ("before_start", "after_enrolment", "mixed", "excluded", "no_cluster", "used")
    return Ledger(experiment.unit, "units", sum(totals.values()), _steps(order, totals, split, experiment))


def table_ledger(table: UnitTable) -> Ledger:
    totals = {
        "unparsable": table.unparsable,
        "no_id": table.without_id,
        "ignored": table.ignored,
        "unassigned": table.unassigned,
    }
    used = table.rows - sum(totals.values())
    steps = tuple(LedgerStep(s, n) for s, n in {**totals, "used": used}.items() if n or s == "used")
    return Ledger(table.source, "rows", table.rows, steps)


def _steps(
    order: tuple[str, ...], totals: dict[str, int], split: dict[str, dict[int, int]], experiment: Experiment
) -> tuple[LedgerStep, ...]:
    found = []
    for step in order:
        count = totals.get(step, 0)
        if not count and step != "used":
            continue
        by_variant: Any = ()
        if step in split:
            by_variant = tuple((v.id, split[step].get(i, 0)) for i, v in enumerate(experiment.variants))
        found.append(LedgerStep(step, count, by_variant))
    return tuple(found)


def ledgers_of(engine: Engine, experiment: Experiment, found: Prepared, plan: Plan) -> tuple[Ledger, ...]:
    """Units, exposures, every log and every table of an experiment."""
    exposure = exposure_ledger(experiment.exposure_source, found.exposed, experiment)
    ledgers = [unit_ledger(found.exposed, experiment), exposure]
    asked = {m.name for m in found.metrics}
    last = without_returns(plan).last_day
    for source, log in sorted(found.logs.items()):
        own = [t for t in plan.all_tasks if t.metric.name in asked]
        fixed = [t.chain for t in own if source in {found.events[a].source for a in events_of(t.metric)}]
        # A row is lost to immaturity only when no metric of this source can use its unit.
        shortest = min((last_day(c) for c in fixed if c.last is not None and c.origin is None), default=None)
        open_ended = any(c.last is None or c.origin is not None for c in fixed)
        open_ended = open_ended or any(t.metric.immature == "keep" for t in own)
        below = None if shortest is None or open_ended else log.last_complete - shortest
        ledgers.append(log_ledger(engine, log, experiment, last, log.last_complete, below))
    ledgers += [table_ledger(t) for s, t in sorted(found.tables.items()) if s != experiment.exposure_source]
    return tuple(ledgers)
