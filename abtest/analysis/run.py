"""One experiment from files to `Result`: prepare, compute, compare, check, decide."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

from abtest.analysis.about import experiment_info, plan_info, provenance
from abtest.analysis.adjusting import covaried_arms, stratified_arms
from abtest.analysis.arms import Arm, arm_of
from abtest.analysis.clustering import clustered_arms
from abtest.analysis.compare import Setting, arm_value, compare, estimator_of
from abtest.analysis.dates import iso
from abtest.analysis.decide import Clock, decide
from abtest.analysis.drivers import drivers_of
from abtest.analysis.families import corrected
from abtest.analysis.health import Findings, health_checks
from abtest.analysis.health.asked import exposed_by_day
from abtest.analysis.histogram import histogram
from abtest.analysis.iterations import iterations_of
from abtest.analysis.ledgers import exposure_ledger, log_ledger, table_ledger, unit_ledger
from abtest.analysis.looks import beside_of, curves_of, group_test, rank_look
from abtest.analysis.prepare import Prepared, Progress, metrics_of, prepare
from abtest.analysis.projections import TargetResult
from abtest.analysis.quantiles import ordered_of, quantile_of, ranked_of
from abtest.analysis.reliability import reliability_of
from abtest.analysis.result import (
    SCHEMA,
    Comparison,
    Interval,
    Ledger,
    MetricResult,
    Result,
    Unadjusted,
)
from abtest.analysis.segments import split_goals
from abtest.analysis.sharing import engine_of
from abtest.analysis.stamped import drift_of
from abtest.analysis.targets import enrolment_of, targets_of
from abtest.analysis.triggered import triggered_units
from abtest.analysis.value import value_beside
from abtest.language.canonical import events_of, metric_hash
from abtest.language.explain import Explainer
from abtest.language.lock_model import Lock
from abtest.language.model import Experiment, Metric, MetricUse, Project
from abtest.language.versions import spelled
from abtest.metrics.crossed import find_covariates
from abtest.metrics.plan import Plan, event_parts, last_day
from abtest.metrics.sums import arm_sums, binary_metrics, grids
from abtest.metrics.units import Values
from abtest.metrics.value_counts import needs_counts, raw_answer, value_counts
from abtest.sources.engine import Engine
from abtest.sources.units import USED, day_number

NO_HISTORY: Unadjusted = "no_history"


@dataclass(frozen=True)
class Options:
    threads: int | None = None
    memory: str | None = None
    command: str = ""


def analyse(
    project: Project,
    experiment: Experiment,
    *,
    options: Options = Options(),
    progress: Progress = lambda _: None,
    notice: Progress = lambda _: None,
    earlier: Mapping[str, Result] | None = None,
    stamp: Lock | None = None,
    engine: Engine | None = None,
) -> Result:
    """The result of one experiment. Raises UserError (exit 3) when the data cannot be used.

    The iterations before it are computed too; results that are there already come as `earlier`, by id. `stamp`: the plan
    that the caller is about to stamp, where the project holds no lock of it yet. Several experiments of a project can
    share an open `engine` (`engine_of`), so that logs are read once; else each has its own.

    `notice` gets what only a person at the files needs, such as the line number of a broken row; the result itself
    does not depend on the order of rows.
    """
    with nullcontext(engine) if engine is not None else engine_of(project, options.threads, options.memory) as shared:
        result = analyse_alone(
            project, experiment, options=options, progress=progress, notice=notice, stamp=stamp, engine=shared
        )

        def compute(before: Experiment) -> Result:
            def step(what: str) -> None:
                progress(f"{before.title}: {what}")

            return analyse_alone(project, before, options=options, progress=step, engine=shared)

        return replace(result, iterations=iterations_of(project, experiment, result.metrics, earlier or {}, compute))


def analyse_alone(
    project: Project,
    experiment: Experiment,
    *,
    options: Options = Options(),
    progress: Progress = lambda _: None,
    notice: Progress = lambda _: None,
    stamp: Lock | None = None,
    engine: Engine | None = None,
) -> Result:
    """As `analyse`, without a look at iterations before."""
    with nullcontext(engine) if engine is not None else engine_of(project, options.threads, options.memory) as used:
        return _Run(used, project, experiment, options, progress, notice, stamp).result()


class _Run:
    def __init__(
        self,
        engine: Engine,
        project: Project,
        experiment: Experiment,
        options: Options,
        progress: Progress,
        notice: Progress,
        stamp: Lock | None,
    ) -> None:
        self.engine, self.project, self.experiment = engine, project, experiment
        self.options, self.progress, self.notice = options, progress, notice
        self.metrics: tuple[Metric, ...] = metrics_of(project, experiment)
        self.uses: dict[str, MetricUse] = {u.name: u for u in experiment.metrics}
        self.uses |= {m.name: MetricUse(m.name, "part") for m in self.metrics if m.part_of is not None}
        self.definitions = {m.name: m for m in self.metrics}
        self.ids = tuple(v.id for v in experiment.variants)
        self.drift = drift_of(project, experiment, stamp)

    def result(self) -> Result:
        found = prepare(self.engine, self.project, self.experiment, self.progress)
        for line in found.notices:
            self.notice(line)
        plan = found.plan(self.project.timezone)
        self.progress("metrics")
        values = found.values(self.engine, plan)
        grid = grids(self.engine, values)
        binary = binary_metrics(self.engine, values, self.metrics)
        self.covariates = find_covariates(self.engine, values, found.covariates)
        lost = (n for n in found.covariates if n not in self.covariates.entries and n not in self.covariates.strata)
        self.unadjusted: dict[str, Unadjusted] = {**found.unadjusted, **dict.fromkeys(lost, NO_HISTORY)}
        by_variant = self._arms(values, grid, binary)
        self.caps = values.caps
        self.spread = {
            m.name: histogram(self.engine, values, m, self.ids, self.project.min_cell)
            for m in self.metrics
            if m.show == "histogram"
        }
        self.progress("statistics")
        clock, setting, last_exposure = self._clock(found, plan, by_variant)
        metrics = tuple(self._metric(m, by_variant[m.name], setting, plan, last_exposure) for m in self.metrics)
        metrics = tuple(self._with_reliability(m, found) for m in metrics)
        metrics = tuple(self._with_groups(self._with_ranks(m, values), by_variant) for m in metrics)
        metrics = self._corrected(metrics, by_variant, setting)
        ledgers = self._ledgers(found, plan)
        segments = split_goals(
            self.engine,
            values,
            self.experiment,
            self.metrics,
            grid,
            binary,
            setting,
            self.project.min_cell,
            self.covariates,
        )
        shared = (self.engine, values, self.experiment, self.metrics)
        triggered = triggered_units(*shared, grid, binary, setting, self.project.min_cell)
        checks = health_checks(
            Findings(
                self.engine,
                self.project,
                self.experiment,
                found,
                values,
                grid,
                binary,
                self.definitions,
                metrics,
                by_variant,
                segments,
                ledgers,
                clock,
                setting,
                triggered,
                self.drift,
            )
        )
        decision = decide(
            [v.id for v in self.experiment.treatments], metrics, checks, clock, self.experiment.decide, self._value()
        )
        return Result(
            schema=SCHEMA,
            experiment=experiment_info(self.project, self.experiment, found, clock, metrics),
            plan=plan_info(self.experiment.plan),
            decision=decision,
            metrics=metrics,
            segments=segments,
            health=checks,
            ledgers=ledgers,
            provenance=provenance(self.project, self.experiment, found, self.options.command),
            min_cell=self.project.min_cell,
            warnings=(),
            triggered=triggered,
            value=value_beside(*shared, metrics, self.covariates, grid, self.project.min_cell),
            targets=self._targets(by_variant),
            drivers=drivers_of(*shared[:3], grid, self.project.min_cell),
        )

    def _arms(self, values: Values, grid: Any, binary: frozenset[str]) -> dict[str, dict[str, Arm]]:
        """Per metric, per variant; a variant without units (they were all left out) has an empty arm."""
        sums = arm_sums(self.engine, values, self.metrics, None, grid, binary)
        rows = [sums.get((None, i), {}) for i in range(len(self.ids))]
        found = {
            m.name: {v: arm_of(row[m.name]) if row else Arm(0, 0, 0, 0) for v, row in zip(self.ids, rows, strict=True)}
            for m in self.metrics
        }
        covaried = covaried_arms(self.engine, values, self.covariates, sums, None, grid, small=True)
        for key, strata in stratified_arms(self.engine, values, self.covariates, self.metrics, grid).items():
            covaried.setdefault(key, {}).update(strata)
        for (_, i), own in covaried.items():
            for name_, with_covariates in own.items():
                arm = found[name_][self.ids[i]]
                found[name_][self.ids[i]] = replace(arm, covaried=with_covariates)
        if self.experiment.cluster is not None:
            clusters = clustered_arms(self.engine, values, self.metrics, sums, None, grid)
            for i, v in enumerate(self.ids):
                for name_, by_id in found.items():
                    by_id[v] = replace(by_id[v], clusters=clusters.get((None, i), {}).get(name_), clustered=True)
        for metric in self.metrics:
            if metric.quantile is not None:
                for i, v in enumerate(self.ids):
                    cut = quantile_of(self.engine, values, metric, i)
                    ordered = ordered_of(self.engine, values, metric, i) if metric.test == "bootstrap" else ()
                    found[metric.name][v] = replace(found[metric.name][v], quantile=cut, ordered=ordered)
            if needs_counts(metric):
                for (_, i), pairs in value_counts(self.engine, values, raw_answer(metric) or metric).items():
                    found[metric.name][self.ids[i]] = replace(found[metric.name][self.ids[i]], values=pairs)
        return found

    def _clock(
        self, found: Prepared, plan: Plan, by_variant: Mapping[str, Mapping[str, Arm]]
    ) -> tuple[Clock, Setting, int | None]:
        experiment = self.experiment
        units = sum(n for s, _, n in found.exposed.units if s == USED)
        last_exposure = self.engine.one(f"SELECT max(x_day) FROM units WHERE status = {USED}")[0]
        sequential = experiment.plan.method == "sequential"
        through = min((log.last_complete for log in found.logs.values()), default=None)
        if not found.exposed.has_time:
            return Clock(True, sequential, units=units), Setting(experiment.plan, False, 1.0), None
        if through is None:
            through = found.exposed.last
        immature = sum(
            a.immature
            for u in experiment.metrics
            if u.role in ("goal", "guardrail")
            for a in by_variant[u.name].values()
        )
        run = planned = None
        ended = True
        progress = 1.0
        if experiment.start is not None and experiment.end is not None and through is not None:
            start, end = day_number(experiment.start), day_number(experiment.end)
            run, planned = max(0, through - start + 1), end - start + 1
            ended = through >= end
            progress = min(1.0, run / planned)
        elif found.exposed.first is not None and through is not None:
            run = max(0, through - found.exposed.first + 1)
        reached = ended and immature == 0
        clock = Clock(reached, sequential, run, planned, experiment.end.isoformat() if experiment.end else None, units)
        return clock, Setting(experiment.plan, not reached and not sequential, progress), last_exposure

    def _targets(self, by_variant: Mapping[str, Mapping[str, Arm]]) -> tuple[TargetResult, ...]:
        if not self.experiment.targets:
            return ()
        per_day = {day: sum(n) for day, n in exposed_by_day(self.engine, len(self.ids)).items()}
        return targets_of(self.experiment, by_variant, enrolment_of(self.experiment, per_day))

    def _metric(
        self, metric: Metric, by_variant: Mapping[str, Arm], setting: Setting, plan: Plan, last_exposure: int | None
    ) -> MetricResult:
        use = self.uses[metric.name]
        control = by_variant[self.experiment.baseline]
        explainer = Explainer("en", self.project)
        meaning = " ".join(
            (
                explainer.meaning(metric, self.experiment.unit),
                *explainer.rules(metric, self.project.timezone, self.experiment.unit),
            )
        )
        chain = next((t.chain for t in plan.all_tasks if t.metric.name == metric.name), None)
        mature_on = None
        if (
            chain is not None
            and chain.last is not None
            and chain.origin is None
            and last_exposure is not None
            and any(a.immature for a in by_variant.values())
        ):
            mature_on = iso(last_exposure + last_day(chain))
        return MetricResult(
            key=metric.name,
            title=metric.title,
            description=metric.description,
            role=use.role,
            kind=metric.kind,
            unit_of_value=metric.unit_of_value if not any(a.counts for a in by_variant.values()) else "share",
            better=metric.better,
            estimator=estimator_of(metric, by_variant),
            window=None if chain is None else str(metric.window),
            meaning=meaning,
            definition_hash=metric_hash(metric, self.project.events),
            version=metric.version,
            owner=metric.owner,
            arms=tuple(arm_value(v, by_variant[v]) for v in self.ids),
            comparisons=tuple(
                self._comparison(metric, use, v.id, by_variant[v.id], control, setting)
                for v in self.experiment.treatments
            ),
            detect=self._detect(use),
            stamps=(*_stamps(metric), *(self.drift.stamps(metric.name) if self.drift else ())),
            mature_on=mature_on,
            part_of=metric.part_of,
            dimension=None if metric.part_of else metric.dimension,
            phase=None if metric.part_of else metric.phase,
            tags=() if metric.part_of else metric.tags,
            cap=self.caps.get(metric.name),
            histogram=self.spread.get(metric.name, ()),
            definition=() if metric.part_of else spelled(metric, self.project.events),
            beside=()
            if self.experiment.cluster
            else beside_of(metric, by_variant, self.experiment.baseline, self.experiment.plan.alpha),
            curves=()
            if self.experiment.cluster
            else curves_of(
                metric, by_variant, self.experiment.baseline, self.experiment.plan.alpha, self.project.min_cell
            ),
        )

    def _comparison(
        self, metric: Metric, use: MetricUse, variant: str, treatment: Arm, control: Arm, setting: Setting
    ) -> Comparison:
        found = compare(metric, use, variant, treatment, control, setting, self._detect(use))
        return replace(found, unadjusted=found.unadjusted or self.unadjusted.get(metric.name))

    def _with_reliability(self, metric: MetricResult, found: Prepared) -> MetricResult:
        """For a scale of several items: do they measure one thing?"""
        name_ = self.definitions[metric.key].survey
        survey = None if name_ is None or metric.part_of else self.project.surveys.get(name_)
        if survey is None or len(survey.columns) < 2 or survey.source not in found.raws:
            return metric
        source = self.project.sources[survey.source]
        looked = reliability_of(self.engine, survey, source, found.raws[survey.source], self.experiment.unit)
        return replace(metric, beside=(*metric.beside, looked))

    def _with_ranks(self, metric: MetricResult, values: Values) -> MetricResult:
        """For a quantile across units: the interval of each variant that ranks alone give."""
        definition = self.definitions[metric.key]
        if definition.quantile is None or definition.quantile.across != "units" or self.experiment.cluster is not None:
            return metric
        found = []
        for i, variant in enumerate(self.ids):
            ranked = ranked_of(self.engine, values, definition, i, self.experiment.plan.alpha)
            value = next(a.value for a in metric.arms if a.variant == variant)
            found.append(rank_look(variant, value, ranked))
        return replace(metric, beside=(*metric.beside, *found))

    def _with_groups(self, metric: MetricResult, by_variant: Mapping[str, Mapping[str, Arm]]) -> MetricResult:
        """A group is first asked as a whole, where every unit stands in just one of its cells."""
        definition = self.definitions[metric.key]
        if definition.group is None or definition.part_of is not None or definition.per is not None or self.experiment.cluster:  # fmt: skip
            return metric
        cells = tuple(
            m.name for m in self.metrics if m.part_of == metric.key and m.group is not None and m.group.how == "is"
        )
        if len(cells) < 2:
            return metric
        tested = group_test({cell: by_variant[cell] for cell in cells}, cells)
        return replace(metric, beside=(*metric.beside, *tested))

    def _value(self) -> tuple[str, ...]:
        """The metrics against which goals are weighed: the one that `value` names, else guardrails in money or of
        phase `value`."""
        if self.experiment.value is not None:
            return (self.experiment.value,)
        return tuple(
            u.name
            for u in self.experiment.metrics
            if u.role == "guardrail"
            and (
                self.definitions[u.name].phase == "value" or self.definitions[u.name].unit_of_value.startswith("money")
            )
        )

    def _detect(self, use: MetricUse) -> float | None:
        """The smallest relative change worth acting on; the plan speaks of goals."""
        return use.detect if use.detect is not None else self.experiment.plan.detect if use.role == "goal" else None

    def _corrected(
        self, metrics: tuple[MetricResult, ...], by_variant: Mapping[str, Mapping[str, Arm]], setting: Setting
    ) -> tuple[MetricResult, ...]:
        """Goals and secondary metrics, each family over all treatments, by the method of the plan."""
        plan, baseline = self.experiment.plan, self.experiment.baseline

        def wider(metric: str, variant: str, alpha: float) -> tuple[Interval | None, Interval | None]:
            arms = by_variant[metric]
            at_level = replace(setting, plan=replace(plan, alpha=alpha))
            use = replace(self.uses[metric], margin=None)
            again = compare(self.definitions[metric], use, variant, arms[variant], arms[baseline], at_level)
            return again.relative, again.absolute

        for role, method in (("goal", plan.correct_goal), ("secondary", plan.correct_secondary)):
            family = corrected([m for m in metrics if m.role == role], baseline, method, plan.alpha, wider)
            done = {m.key: m for m in family}
            metrics = tuple(done.get(m.key, m) for m in metrics)
        return metrics

    def _ledgers(self, found: Prepared, plan: Plan) -> tuple[Ledger, ...]:
        exposure = exposure_ledger(self.experiment.exposure_source, found.exposed, self.experiment)
        ledgers = [unit_ledger(found.exposed, self.experiment), exposure]
        for source, log in sorted(found.logs.items()):
            fixed = [t.chain for t in plan.all_tasks if source in {found.events[a].source for a in events_of(t.metric)}]
            # A row is lost to immaturity only when no metric of this source can use its unit.
            shortest = min((last_day(c) for c in fixed if c.last is not None and c.origin is None), default=None)
            open_ended = any(c.last is None or c.origin is not None for c in fixed)
            open_ended = open_ended or any(t.metric.immature == "keep" for t in plan.all_tasks)
            below = None if shortest is None or open_ended else log.last_complete - shortest
            ledgers.append(log_ledger(self.engine, log, self.experiment, plan.last_day, log.last_complete, below))
        ledgers += [table_ledger(t) for s, t in sorted(found.tables.items()) if s != self.experiment.exposure_source]
        return tuple(ledgers)


def _stamps(metric: Metric) -> tuple[str, ...]:
    found = []
    if (event_parts(metric) or metric.funnel) and not metric.window.fixed:
        found.append("open_window")
    if metric.immature == "keep":
        found.append("immature_kept")
    if metric.pooled:
        found.append("denominator_may_move")
    if metric.cap is not None:
        found.append("capped")
    return tuple(found)
