"""The iterations of a feature: the experiments that this one goes back to, each with what changed and what it did.

Every earlier experiment of the project is computed from its own logs as it was declared, so that the table never rests
on remembered numbers. Effects stand side by side only where the metric has the same definition (by hash); different
users and dates make even those a comparison to be made with care.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from abtest.analysis.interval import Interval
from abtest.analysis.lineage import DefinitionChange, Iteration, IterationMetric
from abtest.analysis.result import Comparison, MetricResult, Result
from abtest.language.model import Experiment, Project
from abtest.problems import UserError

MISSING = "missing"
"""The reason of an iteration that the project does not hold."""
MOST_ITERATIONS = 12
"""Earlier ones that are looked at; each is a run of its own."""


def chain_of(project: Project, experiment: Experiment) -> tuple[Experiment, ...]:
    """The experiments that this one goes back to, the latest first."""
    found: list[Experiment] = []
    before = experiment.iteration_of
    while before is not None and before in project.experiments and len(found) < MOST_ITERATIONS:
        earlier = project.experiments[before]
        if earlier in found or earlier.id == experiment.id:
            break
        found.append(earlier)
        before = earlier.iteration_of
    return tuple(found)


def iterations_of(
    project: Project,
    experiment: Experiment,
    metrics: tuple[MetricResult, ...],
    known: Mapping[str, Result],
    compute: Callable[[Experiment], Result],
) -> tuple[Iteration, ...]:
    """Earlier iterations, the first of all first. `known` results are taken as they are; `compute` makes the others."""
    found = []
    for earlier in chain_of(project, experiment):
        try:
            result = known[earlier.id] if earlier.id in known else compute(earlier)
        except UserError as error:
            reason = error.problems[0].code if error.problems else "unknown"
            found.append(Iteration(earlier.id, earlier.title, earlier.changes, reason=reason))
            continue
        found.append(_iteration(result, metrics))
    oldest = (experiment, *chain_of(project, experiment))[-1]
    if oldest.iteration_of is not None and oldest.iteration_of not in project.experiments:
        found.append(Iteration(oldest.iteration_of, oldest.iteration_of, reason=MISSING))
    return tuple(reversed(found))


def _iteration(earlier: Result, metrics: tuple[MetricResult, ...]) -> Iteration:
    e, decision = earlier.experiment, earlier.decision
    deciding = [m for m in metrics if m.role in ("goal", "guardrail")]
    return Iteration(
        e.id, e.title, e.changes, e.start, e.end, sum(v.units for v in e.variants), decision.variant,
        next((v.title for v in e.variants if v.id == decision.variant), ""), decision.verdict, decision.reason,
        decision.valid, tuple(_metric(m, earlier) for m in deciding),
    )  # fmt: skip


def _metric(now: MetricResult, earlier: Result) -> IterationMetric:
    then = next((m for m in earlier.metrics if m.key == now.key), None)
    if then is None:
        return IterationMetric(now.key, "absent")
    if then.definition_hash != now.definition_hash:
        return IterationMetric(now.key, "other_definition", changed=changed_definition(then, now))
    comparison = next((c for c in then.comparisons if c.variant == earlier.decision.variant), None)
    if comparison is None or comparison.status != "ok":
        return IterationMetric(now.key, "same")
    values = {a.variant: a.value for a in then.arms}
    absolute, relative = _shown(comparison, earlier.early)
    label = comparison.margin.label if comparison.margin is not None else None
    return IterationMetric(
        now.key, "same", absolute, relative, comparison.state, values.get(earlier.experiment.baseline),
        values.get(comparison.variant), label,
    )  # fmt: skip


def _shown(comparison: Comparison, early: bool) -> tuple[Interval | None, Interval | None]:
    """What the report of that experiment showed: the band where it was read before its end."""
    if early and (comparison.always_valid_absolute is not None or comparison.always_valid is not None):
        return comparison.always_valid_absolute, comparison.always_valid
    return comparison.absolute, comparison.relative


def changed_definition(then: MetricResult, now: MetricResult) -> tuple[DefinitionChange, ...]:
    """What differs, key by key, in the order of the present definition."""
    before, after = dict(then.definition), dict(now.definition)
    return tuple(
        DefinitionChange(key, before.get(key), after.get(key))
        for key in dict.fromkeys((*after, *before))
        if before.get(key) != after.get(key)
    )
