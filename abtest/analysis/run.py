"""One experiment from files to `Result`: prepare, compute, compare, check, decide."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace

from abtest.analysis.about import advice_of, experiment_info, meanings, plan_info, provenance
from abtest.analysis.across import across_of
from abtest.analysis.arm_table import arms_by_variant
from abtest.analysis.arms import Arm
from abtest.analysis.clock import standing_of, told_looks
from abtest.analysis.compare import Setting, arm_value, compare, estimator_of
from abtest.analysis.dates import iso
from abtest.analysis.decide import decide
from abtest.analysis.drivers import drivers_of
from abtest.analysis.families import corrected
from abtest.analysis.health import Findings, health_checks
from abtest.analysis.health.asked import exposed_by_day
from abtest.analysis.histogram import histogram
from abtest.analysis.iterations import iterations_of
from abtest.analysis.ledgers import ledgers_of
from abtest.analysis.looks import beside_of, curves_of, group_test, rank_look
from abtest.analysis.moderators import moderated_goals
from abtest.analysis.movement import movement_of
from abtest.analysis.prepare import Prepared, Progress, metrics_of, prepare
from abtest.analysis.priors import Priors, priors_of
from abtest.analysis.projections import TargetResult
from abtest.analysis.quantiles import ranked_of
from abtest.analysis.reliability import reliability_of
from abtest.analysis.result import (
    SCHEMA,
    Comparison,
    Interval,
    MetricResult,
    PlanInfo,
    Result,
    Unadjusted,
)
from abtest.analysis.returns import retention_of
from abtest.analysis.robust import robustness_of
from abtest.analysis.segments import split_goals
from abtest.analysis.sharing import engine_of
from abtest.analysis.stamped import drift_of
from abtest.analysis.targets import enrolment_of, targets_of
from abtest.analysis.trajectories import trajectories
from abtest.analysis.triggered import triggered_units
from abtest.analysis.value import value_beside
from abtest.analysis.worsening import worsening
from abtest.language.canonical import metric_hash
from abtest.language.lock_model import Lock
from abtest.language.model import Experiment, Metric, MetricUse, Project
from abtest.language.versions import spelled
from abtest.metrics.crossed import find_covariates
from abtest.metrics.movement import has_movement
from abtest.metrics.plan import Plan, event_parts, last_day
from abtest.metrics.sums import binary_metrics, grids
from abtest.metrics.units import Values
from abtest.metrics.value_counts import answer_classes, raw_answer
from abtest.sources.engine import Engine
from abtest.stats.bayes import FLAT

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
    iterations: bool = True,
) -> Result:
    """The result of one experiment. Raises UserError (exit 3) when the data cannot be used.

    The `iterations` before it and the definitions close to its goals are computed too; results that are there already come as
    `earlier`, by id. `stamp`: the plan that the caller is about to stamp, where the project holds no lock of it yet.
    Several experiments of a project can share an open `engine` (`engine_of`), so that logs are read once; else each has
    its own. Without `iterations` neither is computed.

    `notice` gets what only a person at the files needs, such as the line number of a broken row; the result itself
    does not depend on the order of rows.
    """
    with nullcontext(engine) if engine is not None else engine_of(project, options.threads, options.memory) as shared:

        def compute(before: Experiment) -> Result:
            def step(what: str) -> None:
                progress(f"{before.title}: {what}")

            return analyse(project, before, options=options, progress=step, engine=shared, iterations=False)

        priors = priors_of(project, experiment, earlier or {}, compute)
        result = _Run(shared, project, experiment, options, progress, notice, stamp, priors, iterations).result()
        if not iterations:
            return result
        before = iterations_of(project, experiment, result.metrics, earlier or {}, compute)
        return replace(result, iterations=before, across=across_of(result, before))


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
        priors: Priors,
        nearby: bool,
    ) -> None:
        self.nearby = nearby
        self.engine, self.project, self.experiment = engine, project, experiment
        self.options, self.progress, self.notice = options, progress, notice
        self.metrics: tuple[Metric, ...] = metrics_of(project, experiment)
        self.uses: dict[str, MetricUse] = {u.name: u for u in experiment.metrics}
        self.uses |= {m.name: MetricUse(m.name, "part") for m in self.metrics if m.part_of is not None}
        self.definitions = {m.name: m for m in self.metrics}
        self.ids = tuple(v.id for v in experiment.variants)
        self.drift = drift_of(project, experiment, stamp)
        self.priors = priors

    def result(self) -> Result:
        found = prepare(self.engine, self.project, self.experiment, self.progress, nearby=self.nearby)
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
        by_variant = arms_by_variant(self.engine, values, self.experiment, self.metrics, self.covariates, grid, binary)
        self.caps = values.caps
        self.spread = {
            m.name: histogram(self.engine, values, m, self.ids, self.project.min_cell)
            for m in self.metrics
            if m.show == "histogram"
        }
        self.answers = {
            m.name: histogram(
                self.engine, values, raw_answer(m) or m, self.ids, self.project.min_cell, answer_classes(m)
            )
            for m in self.metrics
            if m.survey is not None and m.part_of is None
        }
        self.progress("statistics")
        kept = self.project.looks.get(self.experiment.id, ())
        standing = standing_of(self.engine, self.experiment, found, by_variant, kept, self.priors.of)
        clock, setting, last_exposure = standing.clock, standing.setting, standing.last_exposure
        metrics = tuple(self._metric(m, by_variant[m.name], setting, plan, last_exposure) for m in self.metrics)
        metrics = tuple(self._with_reliability(m, found) for m in metrics)
        metrics = tuple(self._with_groups(self._with_ranks(m, values), by_variant) for m in metrics)
        metrics = tuple(self._with_movement(m, values) for m in metrics)
        metrics = self._corrected(metrics, by_variant, setting)
        ledgers = ledgers_of(self.engine, self.experiment, found, plan)
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
        over_days = trajectories(
            *shared, self.covariates, grid, binary, setting, plan, by_variant, self.project.min_cell
        )
        metrics = tuple(replace(m, trajectory=over_days.get(m.key, ())) for m in metrics)
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
        ids, rules = [v.id for v in self.experiment.treatments], self.experiment.decide
        decision = decide(ids, metrics, checks, clock, rules, self._value(), worsening(metrics, setting))
        return Result(
            schema=SCHEMA,
            experiment=experiment_info(self.project, self.experiment, found, clock, metrics),
            plan=self._plan_info(),
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
            moderators=moderated_goals(*shared, grid, binary, self.project.min_cell),
            looks=told_looks(self.experiment, standing),
            retention=retention_of(
                *shared[:3], found.returns, grid, setting, plan, last_exposure, self.project.min_cell
            ),
            robustness=robustness_of(
                *shared[:3], found.nearby, self.covariates, grid, binary, setting, by_variant, self.project.min_cell
            ),
        )

    def _plan_info(self) -> PlanInfo:
        goal = next((u.name for u in self.experiment.metrics if u.role == "goal"), "")
        return plan_info(self.experiment.plan, self.priors.of.get(goal, FLAT), self.priors.count.get(goal))

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
        told = meanings(self.project, metric, self.experiment.unit)
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
            meaning=told["en"],
            meanings=tuple((k, v) for k, v in told.items() if k != "en"),
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
            cannot=None if metric.part_of else metric.cannot,
            told=() if metric.part_of else metric.translated,
            advice=advice_of(self.project, metric),
            cap=self.caps.get(metric.name),
            histogram=self.spread.get(metric.name, ()),
            answers=self.answers.get(metric.name, ()),
            definition=() if metric.part_of else spelled(metric, self.project.events),
            beside=()
            if self.experiment.cluster
            else beside_of(metric, by_variant, self.experiment.baseline, self.experiment.plan.alpha),
            curves=()
            if self.experiment.cluster
            else curves_of(
                metric,
                by_variant,
                self.experiment.baseline,
                self.experiment.plan.alpha,
                self.project.min_cell,
                self.spread.get(metric.name, ()),
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

    def _with_movement(self, metric: MetricResult, values: Values) -> MetricResult:
        """For a metric of a whole group: from which level to which its units moved."""
        definition = self.definitions[metric.key]
        if not has_movement(definition):
            return metric
        assert definition.group is not None
        group = self.project.groups[definition.group.group]
        shown = movement_of(self.engine, values, definition, group, self.experiment, self.project.min_cell)
        return replace(metric, movement=shown)

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
