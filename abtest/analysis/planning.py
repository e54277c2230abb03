"""The plan of an experiment from the project's past: how many units, how many weeks, and which metric decides it.

Every goal and guardrail of the declared decision is measured over everyone who was seen before the start, as the
experiment would measure them. The sizes are joint (`stats.sizing`): alpha is shared by goals, what may be missed by all.
Weeks are read off the curve of different units by day and never beyond its end; windows are added to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal

from abtest.analysis.dates import iso
from abtest.analysis.history import Past
from abtest.analysis.noise import NOTHING, Measured, measure
from abtest.analysis.plan_found import by_belief, by_margin, planning_prior, prior_inflation
from abtest.analysis.plan_inflation import inflation_of as inflation_of
from abtest.analysis.plan_past import SHORT_DAYS, earlier_of, fixed, follow_up_of, own_weeks, past_of
from abtest.analysis.plan_past import Asked as Asked
from abtest.analysis.plan_result import SCHEMA, Caution, MetricPlan, PlanResult
from abtest.analysis.prepare import Progress
from abtest.language.model import Experiment, MetricUse, Project
from abtest.problems import Problem, UserError
from abtest.sources.engine import Engine
from abtest.stats.bayes import FLAT
from abtest.stats.power import Noise, power_per_metric, z_sum
from abtest.stats.power_families import share_sample_size
from abtest.stats.sizing import WEEK, Need, Question, detectable_by_week, joint_size, ready, weeks_for

FEW = 50
"""Units of an arm below which the t-test needs a few more than the normal says."""
FEW_CLUSTERS = 40
UNLIKE = 0.5
"""Share of the past's units with a complete window below which those who came first speak for all."""
UNKNOWN = 0.25
"""Share of units without a past of their own above which the gain of adjustment is understated."""


@dataclass(frozen=True)
class Split:
    """The pair of arms that decides the size: the smallest treatment against control. `pair`: their share of all units,
    `share` that of the treatment among the two; `treatments` how many share alpha."""

    share: float
    pair: float
    treatments: int


@dataclass(frozen=True)
class Planned:
    """A metric that can be planned: its question (in units of the pair of arms), its need, and what was measured."""

    use: MetricUse
    measured: Measured
    question: Question
    follow_up: int


def plan_experiment(
    engine: Engine, project: Project, experiment: Experiment, asked: Asked, progress: Progress = lambda _: None
) -> tuple[PlanResult, Past, tuple[Planned, ...]]:
    """The plan, with the past that it was made from and what was planned, for a simulation.

    Raises UserError: exit 1 for an experiment that says too little, 3 for a past that cannot be used.
    """
    uses = tuple(u for u in experiment.metrics if u.role in ("goal", "guardrail"))
    _enough_said(experiment, uses, asked)
    metrics = [project.metrics[u.name] for u in uses]
    past, lead = past_of(engine, project, experiment, metrics, asked, progress)
    if past.days < WEEK:
        days = "1 day" if past.days == 1 else f"{past.days} days"
        raise UserError(
            [Problem("E522", f"the history is shorter than a week: {days}, {iso(past.start)} to {iso(past.end)}", None,
                     "Weekdays differ, so a plan needs whole weeks; give earlier dates with  --from  and  --to.")],
            exit_code=3,
        )  # fmt: skip
    return _Planner(project, experiment, asked, uses, past, lead).result()


def rule_of(experiment: Experiment) -> tuple[Literal["any", "every"], bool]:
    """Whether any or every goal has to be better to ship, and whether the declared rule says just that."""
    ship = [r for r in experiment.decide if r.verdict == "ship"]
    if not experiment.decide:
        return "any", True
    if len(ship) != 1 or ship[0].joiner != "and" or not ship[0].tests:
        return "any", False
    tests = ship[0].tests
    plain = all(
        (name == "goal" and state == "better" and quantifier in ("any", "every"))
        or (name == "guardrail" and (quantifier, state) in (("every", "safe"), ("no", "harmed")))
        for quantifier, name, state in tests
    )
    every = any(quantifier == "every" and name == "goal" and state == "better" for quantifier, name, state in tests)
    return ("every" if every else "any"), plain


def split_of(experiment: Experiment) -> Split:
    """The comparison that needs most: the smallest treatment against control."""
    shares = dict(shares_of(experiment))
    control = shares[experiment.baseline]
    positive = [shares[v.id] for v in experiment.treatments if shares[v.id] > 0.0]
    smallest = min(positive, default=0.0)
    if not (smallest and control):
        told = "a plan needs a share above 0% for the baseline and for a treatment"
        raise UserError([Problem("E523", told, experiment.place, "Write the planned split, such as  share: 50%.")])
    return Split(smallest / (smallest + control), smallest + control, len(positive))


def shares_of(experiment: Experiment) -> tuple[tuple[str, float], ...]:
    """The share of each variant; equal ones where none are declared."""
    declared = [v.share for v in experiment.variants]
    known = [s for s in declared if s is not None]
    if len(known) != len(declared) or not sum(known):
        return tuple((v.id, 1.0 / len(declared)) for v in experiment.variants)
    return tuple((v.id, s / sum(known)) for v, s in zip(experiment.variants, known, strict=True))


def _enough_said(experiment: Experiment, uses: Sequence[MetricUse], asked: Asked) -> None:
    found = []
    power = asked.power or experiment.plan.power
    if not 0.5 < power < 1.0:
        found.append(
            Problem("E523", f"a plan needs a power between 50% and 100%, got {power:.0%}", experiment.place,
                    "The usual power is 80%.")
        )  # fmt: skip
    for use in uses:
        detect = _detect(experiment, use, asked)
        if use.role == "goal" and not detect and asked.weeks is None:
            found.append(
                Problem("E523", f"goal {use.name} names no change that is worth finding", use.place,
                        "Write  plan: {detect: 5%},  or ask with  --detect 5%.  For a duration that is fixed:  --weeks N")
            )  # fmt: skip
    if found:
        raise UserError(found)


def _detect(experiment: Experiment, use: MetricUse, asked: Asked) -> float | None:
    return asked.detect or use.detect or experiment.plan.detect


class _Planner:
    def __init__(
        self, project: Project, experiment: Experiment, asked: Asked, uses: tuple[MetricUse, ...], past: Past, lead: int
    ) -> None:
        self.lead = lead
        self.project, self.experiment, self.asked, self.uses, self.past = project, experiment, asked, uses, past
        self.plan = experiment.plan if asked.power is None else replace(experiment.plan, power=asked.power)
        self.split = split_of(experiment)
        self.rule, self.plain_rule = rule_of(experiment)
        self.cautions: list[Caution] = []

    def result(self) -> tuple[PlanResult, Past, tuple[Planned, ...]]:
        lines, planned = [], []
        for use in self.uses:
            line, found = self._measured(use)
            lines.append(line)
            planned += [] if found is None else [found]
        if not planned:
            raise UserError(
                [Problem("E524", f"{m.key} cannot be planned: {REASONS.get(m.reason or '', m.reason)}", use.place)
                 for m, use in zip(lines, self.uses, strict=True)],
                exit_code=3,
            )  # fmt: skip
        curve, shown = self._curve(max(p.follow_up for p in planned))
        sized = [p for p in planned if p.question.effect]
        needs = self._needs(sized)
        lines = [self._filled(m, planned, needs, curve) for m in lines]
        return self._whole(tuple(lines), tuple(planned), needs, curve, shown), self.past, tuple(planned)

    def _measured(self, use: MetricUse) -> tuple[MetricPlan, Planned | None]:
        metric = next(m for m in self.past.metrics if m.name == use.name)
        role: Literal["goal", "guardrail"] = "goal" if use.role == "goal" else "guardrail"
        chain = next((t.chain for t in self.past.plan.all_tasks if t.metric.name == metric.name), None)
        closed, follow_up = fixed(chain), follow_up_of(chain)
        line = MetricPlan(
            use.name,
            metric.title,
            role,
            metric.better,
            metric.unit_of_value,
            "" if chain is None else str(metric.window),
            sides=2 if role == "goal" else 1,
            follow_up=follow_up,
        )
        arm = self.past.arms[use.name]
        found = "too_few" if 0 < arm.used < self.project.min_cell else measure(metric, arm, self.past.units)
        if isinstance(found, str):
            self.cautions.append(Caution("not_covered", use.name))
            return replace(line, reason=found), None
        if found.unadjusted == NOTHING:
            found = replace(found, unadjusted=self.past.prepared.unadjusted.get(use.name, NOTHING))
        made = self._question(use, found)
        if isinstance(made, str):
            self.cautions.append(Caution("not_covered", use.name))
            return replace(line, reason=made), None
        if not closed and chain is not None:
            self.cautions.append(Caution("open_window", use.name))
        if found.mature < UNLIKE:
            self.cautions.append(Caution("few_mature", use.name, found.mature))
        if found.unknown > UNKNOWN:
            self.cautions.append(Caution("unknown_before", use.name, found.unknown))
        if found.clusters is not None and found.clusters < FEW_CLUSTERS:
            self.cautions.append(Caution("few_clusters", use.name, found.clusters))
        unit = "share" if found.source == "proportion" else metric.unit_of_value
        line = replace(
            line,
            unit_of_value=unit,
            source=found.source,
            base=found.base,
            deviation=found.variance**0.5,
            units=found.used,
            counted=found.counted,
            kept=None if found.unadjusted is not None or found.clusters is not None else found.kept,
            unadjusted=None if found.clusters is not None else found.unadjusted,
            design_effect=None if found.clusters is None else found.design_effect,
            detect=_detect(self.experiment, use, self.asked) if role == "goal" else None,
            margin_kind=use.margin.kind if use.margin is not None and role == "guardrail" else None,
            margin=use.margin.size if use.margin is not None and role == "guardrail" else None,
            asked=made.effect or None,
        )
        return line, Planned(use, found, made, follow_up)

    def _question(self, use: MetricUse, found: Measured) -> Question | str:
        """What the test will be asked. Units that do not count are paid for too, by a larger variance."""
        role: Literal["goal", "guardrail"] = "goal" if use.role == "goal" else "guardrail"
        better = self.project.metrics[use.name].better
        treatment = control = found.variance / found.counted
        relative = None
        if role == "goal":
            relative = _detect(self.experiment, use, self.asked)
            if relative and self.project.metrics[use.name].unit_of_value == "points":
                return "score"
            effect = 0.0 if not relative else relative * found.base
        else:
            assert use.margin is not None
            relative = use.margin.size if use.margin.kind == "relative" else None
            effect = use.margin.size if relative is None else relative * found.base
            if relative is not None:
                # A relative margin is tested as treatment less (1 -+ margin) times control.
                control *= (1.0 + relative if better == "lower" else 1.0 - relative) ** 2
        if relative and found.base <= 0.0:
            return "base_not_positive"
        alpha, power = self._own(role)
        noise = Noise(
            treatment, control, self.split.share, (1.0 - found.kept) ** 0.5 if found.kept > 0.0 else 0.999999, found.design_effect
        )  # fmt: skip
        if role == "goal" and effect and found.source == "proportion" and found.unadjusted is not None:
            there = found.base + effect if better != "lower" else found.base - effect
            if not 0.0 < there < 1.0:
                return "beyond_share"
            noise = self._score_noise(found, there, effect, alpha, power)
        two_sided = alpha if role == "goal" else 2.0 * alpha
        believed = prior_inflation(planning_prior(self.plan, role), relative, alpha, power)
        if believed is None:
            return "prior"
        return Question(use.name, role, noise, effect, inflation_of(self.plan, two_sided, power) * believed)

    def _score_noise(self, found: Measured, there: float, effect: float, alpha: float, power: float) -> Noise:
        """The score test pools the shares under "no difference": the noise with which the common equation has its size."""
        units = share_sample_size(there, found.base, alpha=alpha, power=power, share=self.split.share)
        per_unit = units * effect**2 / z_sum(alpha, power) ** 2 / found.counted
        w = self.split.share
        return Noise(per_unit * w * (1.0 - w), per_unit * w * (1.0 - w), w)

    def _own(self, role: Literal["goal", "guardrail"]) -> tuple[float, float]:
        """Alpha and power of one metric."""
        goals = sum(u.role == "goal" for u in self.uses)
        others = len(self.uses) - 1 - (0 if self.rule == "every" else max(0, goals - 1))
        power = power_per_metric(self.plan.power, others)
        return (self._goal_alpha() / goals if role == "goal" else self.plan.guardrail_alpha), power

    def _goal_alpha(self) -> float:
        """Of all goals together, in one comparison; what `joint_size` divides by their number."""
        goals = max(1, sum(u.role == "goal" for u in self.uses))
        # A credible interval has no p-value that could be corrected.
        alone = self.plan.correct_goal == "none" or self.plan.method == "bayesian"
        return self.plan.alpha * goals if alone else self.plan.alpha / self.split.treatments

    def _needs(self, sized: Sequence[Planned]) -> dict[str, Need]:
        """What each needs, in units of the whole experiment. Metrics that cannot be planned keep their share of alpha
        and of what may be missed."""
        if not sized:
            return {}
        found: dict[str, Need] = {}
        if len(sized) == len(self.uses):
            size = joint_size(
                [p.question for p in sized],
                alpha=self._goal_alpha(),
                guardrail_alpha=self.plan.guardrail_alpha,
                power=self.plan.power,
                every=self.rule == "every",
            )
            found = {n.name: n for n in size.needs}
        else:
            for p in sized:
                alpha, power = self._own(p.question.role)
                # One question alone, at the alpha and the power that it has among all.
                size = joint_size([p.question], alpha=alpha, guardrail_alpha=alpha, power=power)
                found[p.use.name] = size.needs[0]
        return {name: replace(n, units=n.units / self.split.pair) for name, n in found.items()}

    def _curve(self, follow_up: int) -> tuple[list[float], int]:
        """Different units by day, prolonged by nobody new through the windows of the last; and the weeks that it shows."""
        per_day = dict(self.past.entered)
        days = range(self.past.start, self.past.end + 1)
        curve = [float(n) for n in accumulate(per_day.get(day, 0) for day in days)]
        shown = -(-(len(curve) + follow_up) // WEEK)
        if self.asked.weeks is not None and self.asked.weeks > shown:
            self.cautions.append(Caution("beyond", None, float(shown)))
        weeks = max(shown, self.asked.weeks or 0)
        return curve + [curve[-1]] * (weeks * WEEK - len(curve)), shown

    def _filled(
        self, m: MetricPlan, planned: Sequence[Planned], needs: dict[str, Need], curve: list[float]
    ) -> MetricPlan:
        of = next((p for p in planned if p.use.name == m.key), None)
        if of is None:
            return m
        alpha, power = self._own(m.role)
        need = needs.get(m.key)
        traffic, follow_up = self.asked.traffic, of.follow_up
        weeks = None if need is None else weeks_for(need.units, curve, traffic=traffic, follow_up=follow_up)
        prior = planning_prior(self.plan, m.role)
        noise, base, traffic = of.question.noise, of.measured.base, traffic * self.split.pair
        found: tuple[float | None, ...]
        if m.margin_kind == "relative" and base > 0.0:
            plain = of.measured.variance / of.measured.counted
            found = by_margin(
                replace(noise, treatment=plain, control=plain), base, curve, alpha=alpha, power=power, traffic=traffic,
                follow_up=follow_up, inflation=of.question.inflation, lower=m.better == "lower",
            )  # fmt: skip
        elif prior != FLAT and base > 0.0:
            found = by_belief(noise, base, curve, prior, alpha=alpha, power=power, traffic=traffic, follow_up=follow_up)
        else:
            found = detectable_by_week(
                noise, curve, alpha=alpha, power=power, sides=m.sides, inflation=of.question.inflation, traffic=traffic,
                follow_up=follow_up,
            )  # fmt: skip
        return replace(
            m,
            alpha=alpha,
            power=power,
            inflation=of.question.inflation,
            needed=None if need is None else need.units,
            weeks=weeks,
            detectable=found,
        )

    def _whole(
        self,
        lines: tuple[MetricPlan, ...],
        planned: tuple[Planned, ...],
        needs: dict[str, Need],
        curve: list[float],
        shown: int,
    ) -> PlanResult:
        sized = [m for m in lines if m.needed is not None]
        driver = max(sized, key=lambda m: m.needed or 0.0, default=None)
        late = [m for m in sized if m.weeks is None]
        if driver in late:
            late = [driver]
        slowest = late[0] if late else max(sized, key=lambda m: m.weeks or 0, default=None)
        units = None if driver is None else driver.needed
        weeks = None if slowest is None else slowest.weeks
        shares = shares_of(self.experiment)
        titles = {v.id: v.title or v.id for v in self.experiment.variants}
        if units is not None and units * min(s for _, s in shares) < FEW:
            self.cautions.append(Caution("few_units"))
        if self.past.days < SHORT_DAYS:
            self.cautions.append(Caution("short", None, float(self.past.days)))
        earlier = earlier_of(self.project, self.experiment)
        if self.asked.like is None and self.asked.by is None and earlier is not None:
            self.cautions.append(Caution("earlier", earlier))
        if not self.plain_rule:
            self.cautions.append(Caution("rule"))
        if self.plan.method == "sequential":
            self.cautions.append(Caution("sequential"))
        if self.plan.method == "bayesian" and self.plan.prior.kind == "history":
            self.cautions.append(Caution("prior_history"))
        if units is not None and self.plan.units is not None and self.plan.units < units:
            self.cautions.append(Caution("own_units", None, float(self.plan.units)))
        planned_weeks = own_weeks(self.experiment)
        if units is not None and planned_weeks is not None and (weeks is None or planned_weeks < weeks):
            self.cautions.append(Caution("own_dates", None, float(planned_weeks)))
        clusters = next((p.measured.clusters for p in planned if p.measured.clusters is not None), None)
        at = self.asked.weeks
        longest = max(p.follow_up for p in planned)
        return PlanResult(
            schema=SCHEMA,
            experiment=self.experiment.id,
            title=self.experiment.title,
            unit=self.experiment.unit,
            cluster=None if self.experiment.cluster is None else self.experiment.cluster.prop,
            source=self.past.source,
            by=self.asked.by,
            start=iso(self.past.start) or "",
            end=iso(self.past.end) or "",
            days=self.past.days,
            past_units=self.past.units,
            entered=ready(curve),
            traffic=self.asked.traffic,
            shares=tuple((v, titles[v], s) for v, s in shares),
            method=self.plan.method,
            alpha=self.plan.alpha,
            guardrail_alpha=self.plan.guardrail_alpha,
            power=self.plan.power,
            rule=self.rule,
            metrics=lines,
            units=units,
            driver=None if driver is None else driver.key,
            weeks=weeks,
            slowest=None if slowest is None else slowest.key,
            shown=shown,
            at_weeks=at,
            at_units=None if at is None else ready(curve, longest)[at - 1] * self.asked.traffic,
            clusters=None if clusters is None or units is None else units * clusters / self.past.units,
            cautions=tuple(self.cautions),
            like=None if self.asked.like is None else self.asked.like.id,
            lead=self.lead,
        )


REASONS = {
    "test": "its test compares no difference of values, so that `detect` does not say how large an effect is",
    "no_units": "nobody in the history counts for it",
    "no_mature_units": "the history is shorter than its window; take one that starts earlier with  --from",
    "all_missing": "nobody in the history has a value of it",
    "few_answers": "the history has too few answers for a score",
    "too_few": "fewer units of the history count for it than may be shown (`privacy.min_cell`)",
    "one_unit": "only one unit of the history counts for it",
    "one_cluster": "the history holds only one cluster",
    "clustered_quantile": "a quantile has no size where clusters are randomised",
    "no_density": "too few values of the history lie around the quantile",
    "zero_denominator": "its denominator is zero in the history",
    "odd_denominator": "a cluster has a negative denominator",
    "zero_variance": "it does not vary in the history: all units have the same value",
    "base_not_positive": "its value in the history is not above zero, so a relative change has no size",
    "beyond_share": "the change asked for would leave the range of a share, 0% to 100%",
    "prior": "its prior alone would find the change, with no data at all",
    "score": "a relative change of a score has no meaning, as it can be zero or negative",
}
"""Why a metric cannot be planned, for a problem that stops; reports have words of their own."""
