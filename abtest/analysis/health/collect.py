"""All checks of one experiment, in the order of the table; what cannot be looked at says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from abtest.analysis import cluster_checks
from abtest.analysis.about import data_through
from abtest.analysis.arms import Arm
from abtest.analysis.beside import Triggered
from abtest.analysis.compare import Setting
from abtest.analysis.dates import iso
from abtest.analysis.decide import Clock
from abtest.analysis.health import (
    asked,
    assignment,
    calibration,
    comparability,
    days,
    logs,
    others,
    over_time,
    plan,
    values,
)
from abtest.analysis.health.table import COUNTS_UNITS, Reason, completed
from abtest.analysis.prepare import Prepared
from abtest.analysis.result import HealthCheck, Ledger, MetricResult, SegmentResult
from abtest.analysis.stamped import Drift
from abtest.language.model import Experiment, Metric, Project
from abtest.metrics.returns import without_returns
from abtest.metrics.sums import Grid
from abtest.metrics.units import Values
from abtest.sources.engine import Engine
from abtest.sources.units import BEFORE_START, MIXED, TABLE, USED, day_number
from abtest.stats.power import power_per_metric

DECIDING = ("goal", "guardrail")


@dataclass(frozen=True)
class Findings:
    """What a run has found when its checks begin."""

    engine: Engine
    project: Project
    experiment: Experiment
    prepared: Prepared
    values: Values
    grid: Mapping[str, Grid]
    binary: frozenset[str]
    definitions: Mapping[str, Metric]
    metrics: tuple[MetricResult, ...]
    arms: Mapping[str, Mapping[str, Arm]]
    segments: tuple[SegmentResult, ...]
    ledgers: tuple[Ledger, ...]
    clock: Clock
    setting: Setting
    triggered: Triggered | None = None
    drift: Drift | None = None


def health_checks(f: Findings) -> tuple[HealthCheck, ...]:
    """Every check of the table, at least once each."""
    reasons: dict[str, Reason] = {}
    found = _exposures(f, reasons)
    found += _logs(f, reasons)
    found += _plan(f, reasons)
    found += _metrics(f, reasons)
    found += _beside(f, reasons)
    if f.prepared.clusters is not None:
        found = [c for c in found if c.key not in COUNTS_UNITS]
        reasons |= dict.fromkeys(COUNTS_UNITS, "clustered")
    return completed(found, reasons)


def _exposures(f: Findings, reasons: dict[str, Reason]) -> list[HealthCheck]:
    e, exposed = f.experiment, f.prepared.exposed
    ids = [v.id for v in e.variants]
    units = {v: sum(n for s, i, n in exposed.units if s == USED and i == k) for k, v in enumerate(ids)}
    everybody = sum(n for s, _, n in exposed.units if s in (USED, MIXED))
    mixed = sum(n for s, _, n in exposed.units if s == MIXED)
    early = sum(n for s, _, n in exposed.units if s == BEFORE_START)
    clusters = f.prepared.clusters
    counted = None if clusters is None else {ids[i]: n for i, n in clusters.by_variant}
    overall = assignment.check_srm(e, units, counted, running=not f.clock.reached)
    first = asked.mixed_by_first(f.engine, ids) if mixed and exposed.has_time else {}
    found = [
        overall,
        assignment.check_mixed(mixed, everybody, e.mixed == "drop"),
        assignment.check_mixed_first(first, e, everybody, e.mixed == "drop", exposed.has_time),
        assignment.check_before_start(early, e.start is not None and exposed.has_time),
        assignment.check_unknown_variant(*f.prepared.undeclared),
    ]
    if clusters is None:
        reasons |= dict.fromkeys(("cluster_split", "cluster_alone", "cluster_counts"), "no_cluster")
    else:
        found.append(cluster_checks.check_split(clusters))
        alone = cluster_checks.check_alone(clusters)
        found.append(alone or HealthCheck("cluster_alone", "experiment", None, "pass", None, {}))
    for segment, groups in asked.split_by_group(f.engine, f.values, e).items():
        found.append(assignment.check_srm_within("srm_by_segment", segment, groups, e, overall.level))
    if not e.segments:
        reasons["srm_by_segment"] = "no_segments"
    if not exposed.has_time:
        reasons |= dict.fromkeys(
            ("srm_by_day", "exposure_days", "exposure_step", "exposure_timing", "allocation"), "no_time"
        )
        return found
    per_day = asked.exposed_by_day(f.engine, len(ids))
    totals = {day: sum(counts) for day, counts in per_day.items()}
    by_day = [(iso(day) or "", counts) for day, counts in sorted(per_day.items())]
    start = day_number(e.start) if e.start else None
    return [
        *found,
        assignment.check_srm_within("srm_by_day", None, by_day, e, overall.level),
        days.check_exposure_days(totals, start, _enrolled_until(f)),
        days.check_exposure_step(totals),
        assignment.check_timing(per_day, e),
        assignment.check_allocation(per_day, len(ids)),
    ]


def _enrolled_until(f: Findings) -> int | None:
    """The last day on which units should have come in, as far as the data reach."""
    e = f.experiment
    ends = [log.last for log in f.prepared.logs.values()]
    if e.enroll_until is None or not ends:
        return None
    last = day_number(e.enroll_until)
    return min([last, max(ends), *([day_number(e.as_of)] if e.as_of else [])])


def _logs(f: Findings, reasons: dict[str, Reason]) -> list[HealthCheck]:
    e, exposed = f.experiment, f.prepared.exposed
    ids = [v.id for v in e.variants]
    units = {v: sum(n for s, i, n in exposed.units if s == USED and i == k) for k, v in enumerate(ids)}
    found: list[HealthCheck] = []
    if e.exposure_source not in f.prepared.logs:
        steps = dict(exposed.row_steps)
        lost = sum(steps.get(s, 0) for s in ("unparsable", "no_id", "bad_time"))
        found.append(logs.check_row_loss(e.exposure_source, lost, exposed.rows))
        found += logs.check_notes(e.exposure_source, dict(exposed.notes))
    newest, asked_until = _newest(f), _last_needed(f)
    for source, log in sorted(f.prepared.logs.items()):
        ledger = next(x for x in reversed(f.ledgers) if x.source == source and x.kind == "rows")
        lost = sum(s.count for s in ledger.steps if s.step in ("unparsable", "no_id", "bad_time"))
        by_units = asked.log_by_units(f.engine, log.table, ids)
        found.append(logs.check_row_loss(source, lost, log.rows))
        losses = by_units.losses if e.cluster is None else asked.losses_by_cluster(f.engine, log.table, ids)
        found.append(logs.check_unit_loss(source, losses, e.baseline))
        found += logs.check_notes(source, dict(log.notes))
        if f.project.sources[source.partition(" by ")[0]].kind == "answers":
            continue  # nobody answers every day
        covered = logs.check_coverage(source, log.first, exposed.first, exposed.last)
        found += [covered] if covered is not None else []
        found.append(logs.check_silent(source, by_units.seen, units))
        found.append(logs.check_heavy(source, by_units))
        if newest is not None and exposed.first is not None:
            found.append(logs.check_freshness(source, log.last, newest))
            found.append(logs.check_arms_lag(source, by_units.last, by_units.seen))
            as_of = None if e.as_of is None else day_number(e.as_of)
            through = min(d for d in (log.last, asked_until, as_of) if d is not None)
            found.append(days.check_time_gaps(source, dict(log.per_day), max(log.first, exposed.first), through))
    for event, rows in f.prepared.seen.items():
        unseen = logs.check_event_seen(event, f.prepared.events[event].source, rows)
        found += [unseen] if unseen is not None else []
    noted = {check.key for check in found}
    quiet = [*logs.NOTED, *(["event_seen"] if f.prepared.seen else [])]
    found += [HealthCheck(key, "experiment", None, "pass", None, {}) for key in quiet if key not in noted]
    without = (
        "unit_loss",
        "coverage",
        "silent_units",
        "heavy_hitters",
        "freshness",
        "arms_lag",
        "time_gaps",
        "event_seen",
    )
    reasons |= dict.fromkeys(without, "no_log" if not f.prepared.logs else "no_time")
    return found


def _newest(f: Findings) -> int | None:
    """The last day of which anything is known; exposures after the end, of a later rollout, say nothing."""
    if f.experiment.as_of is not None:
        return day_number(f.experiment.as_of)
    kinds = {s: f.project.sources[s.partition(" by ")[0]].kind for s in f.prepared.logs}
    known = [log.last for s, log in f.prepared.logs.items() if kinds[s] != "answers"]
    exposed, end = f.prepared.exposed.last, f.experiment.end
    if exposed is not None:
        known.append(exposed if end is None else min(exposed, day_number(end)))
    return max(known, default=None)


def _last_needed(f: Findings) -> int | None:
    """The last day of any unit's window; None where windows have no end. What a log holds or lacks later is of no
    concern."""
    last = without_returns(f.prepared.plan(f.project.timezone)).last_day
    if last is None or not f.prepared.exposed.has_time:
        return None
    entered = f.engine.one(f"SELECT max(x_day) FROM {TABLE} WHERE status = {USED}")[0]
    return None if entered is None else int(entered) + last


def _plan(f: Findings, reasons: dict[str, Reason]) -> list[HealthCheck]:
    opened = any(not f.definitions[m.key].window.fixed for m in f.metrics if m.role == "goal")
    run, planned = f.clock.days_run, f.clock.days_planned
    if run is not None and planned is not None and not opened:
        run = min(run, planned)  # open windows go on to the end of the data, the others do not
    found = [plan.check_runtime(run, opened), plan.check_peeking(f.clock, f.experiment.plan.alpha)]
    if f.drift is None:
        reasons["config_drift"] = "no_lock"
    else:
        found.append(plan.check_drift(f.drift.changes, f.drift.first_look or iso(data_through(f.prepared))))
    if f.triggered is None:
        reasons["dilution"] = "no_trigger"
        return found
    arms = f.triggered.arms
    met = [a.triggered for a in arms if a.triggered is not None]
    if len(met) < len(arms) or not sum(a.complete for a in arms):
        reasons["dilution"] = "not_enough_units"
        return found
    return [*found, plan.check_dilution(sum(a.complete for a in arms), sum(met))]


def _metrics(f: Findings, reasons: dict[str, Reason]) -> list[HealthCheck]:
    e = f.experiment
    deciding = [m for m in f.metrics if m.role in DECIDING]
    each = power_per_metric(e.plan.power, sum(m.role == "guardrail" for m in deciding))
    found: list[HealthCheck] = []
    for metric in deciding:
        found += values.metric_checks(metric, f.definitions[metric.key], f.arms[metric.key], e.baseline)
        if f.prepared.clusters is not None and metric.estimator != "quantile":
            found.append(cluster_checks.check_number(metric, f.arms[metric.key]))
        sized = plan.check_power(metric, f.clock, each)
        found += [sized] if sized is not None else []
    found += comparability.pre_period_checks({m.key: f.arms[m.key] for m in deciding}, e.baseline)
    answered = {
        m.part_of: f.arms[m.key]
        for m in f.metrics
        if m.part_of is not None and m.key.rpartition(".")[2] in ("answered", "known")
    }
    found += comparability.response_checks(answered)
    found += comparability.dominance_checks(f.segments, {m.key: m for m in f.metrics})
    halves = over_time.halves_by_variant(f.engine, f.values, e, f.prepared, f.grid)
    found += over_time.novelty_checks(halves, e.baseline)
    if f.prepared.clusters is None:
        found += calibration.calibration_checks(f.engine, f.values, e, f.metrics)
    reasons |= {
        "novelty": "no_halves" if f.prepared.exposed.has_time else "no_time",
        "aa_calibration": "no_calibration",
        "power": "too_early" if not f.clock.reached else "no_detect",
        "pre_period": "no_covariate",
        "response": "no_survey",
        "dominance": "no_segments" if not e.segments else "not_clear",
        "twyman": "not_clear",
        "largest_unit": "not_clear",
        "denominator_shift": "no_ratio",
        "denominator_noise": "no_ratio",
        "leverage": "no_mean",
        "skewness": "no_mean",
        "maturity": "no_time",
    }
    return found


def _beside(f: Findings, reasons: dict[str, Reason]) -> list[HealthCheck]:
    e = f.experiment
    found: list[HealthCheck] = []
    previous = others.carry_over(f.engine, f.project, e, f.prepared)
    if isinstance(previous, str):
        reasons["carry_over"] = previous
    else:
        found.append(previous)
    definitions = tuple(f.definitions.values())
    crossings = others.concurrent(
        f.engine, f.project, e, f.prepared, f.values, definitions, f.grid, f.binary, f.setting, f.project.min_cell
    )
    reasons["concurrent"] = "no_other"
    reasons["mechanism"] = "not_clear" if e.mechanism else "no_mechanism"
    found += comparability.mechanism_checks(f.metrics, e.mechanism, e.plan.alpha)
    return found + comparability.concurrent_checks(crossings)
