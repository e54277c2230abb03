"""What a bayesian plan believes before the data, per metric: flat, weak, its own numbers, or what earlier experiments of the
project found for the same definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from abtest.analysis.result import Result
from abtest.language.canonical import metric_hash
from abtest.language.model import Experiment, Project
from abtest.language.plan_model import Prior as PriorPlan
from abtest.stats.bayes import WEAK, Prior, prior_from_history

FEWEST = 10
"""Experiments that a prior from history needs; with fewer it is the weak one."""


@dataclass(frozen=True)
class Priors:
    """`of`: the prior of each metric that has one which is not flat. `count`: how many earlier experiments tell of it."""

    of: Mapping[str, Prior] = field(default_factory=dict)
    count: Mapping[str, int] = field(default_factory=dict)


def priors_of(
    project: Project,
    experiment: Experiment,
    earlier: Mapping[str, Result],
    compute: Callable[[Experiment], Result],
) -> Priors:
    """The priors of an experiment. Only `prior: history` computes anything: experiments that ended before this began.

    What is hoped of the goals is no evidence on anything else, so a prior of one's own and the weak one are those of the
    goals; guardrails and all others are judged by the data alone. `mean` is a change for the better, as `detect` is.
    """
    plan = experiment.plan
    names = [u.name for u in experiment.metrics if u.role != "part"]
    goals = [u.name for u in experiment.metrics if u.role == "goal"]
    if plan.method != "bayesian" or plan.prior.kind == "flat":
        return Priors()
    if plan.prior.kind == "own":
        return Priors({name: own_prior(plan.prior, project.metrics[name].better) for name in goals})
    if plan.prior.kind == "weak":
        return Priors(dict.fromkeys(goals, WEAK))
    found = _history(project, experiment, earlier, compute)
    of, count = {}, {}
    for name in names:
        effects = found.get(name, [])
        # Several treatments of one experiment share their control and their weeks: they are no experiments of their own.
        count[name] = len({before for before, _, _ in effects})
        learnt = prior_from_history([e for _, e, _ in effects], [s for _, _, s in effects])
        learnt = learnt if count[name] >= FEWEST else None
        if learnt is not None or name in goals:
            of[name] = WEAK if learnt is None else learnt
    return Priors(of, count)


def own_prior(prior: PriorPlan, better: str | None) -> Prior:
    """A prior as it stands in a plan, on the relative change of a metric.

    >>> own_prior(PriorPlan("own", 0.02, 0.05), "lower")
    Prior(mean=-0.02, sd=0.05)
    """
    return Prior(-prior.mean if better == "lower" else prior.mean, prior.sd)


def _history(
    project: Project,
    experiment: Experiment,
    earlier: Mapping[str, Result],
    compute: Callable[[Experiment], Result],
) -> dict[str, list[tuple[str, float, float]]]:
    """Effects with their standard errors, of valid experiments that were over, per metric of the same hash."""
    own = {u.name: metric_hash(project.metrics[u.name], project.events) for u in experiment.metrics}
    found: dict[str, list[tuple[str, float, float]]] = {}
    for name, before in sorted(project.experiments.items()):
        over = before.end is not None and experiment.start is not None and before.end < experiment.start
        shared = {u.name for u in before.metrics} & set(own)
        if not over or not shared or before.unit != experiment.unit or before.plan.prior.kind == "history":
            continue
        result = earlier.get(name) or compute(before)
        if not result.decision.valid:
            continue
        for metric in result.metrics:
            if metric.key not in shared or metric.definition_hash != own[metric.key]:
                continue
            for comparison in metric.comparisons:
                lift = comparison.relative
                if lift is not None and lift.se:
                    found.setdefault(metric.key, []).append((name, lift.estimate, lift.se))
    return found
