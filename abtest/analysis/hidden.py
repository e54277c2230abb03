"""The metrics nobody asked for by name and that come with what was asked: who is among whom, segments, values before
exposure, halves of windows, other days of a retention, definitions close to a goal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from abtest.analysis.covariates import Found, Without, find_covariates
from abtest.language.model import Experiment, Metric, Project
from abtest.language.resolve_beside import trigger_metric
from abtest.metrics.halves import Halves, halves_of
from abtest.metrics.movement import has_movement, movement_metrics
from abtest.metrics.nearby import Nearby, nearby_of
from abtest.metrics.needs import among_metric, segment_metrics
from abtest.metrics.returns import Returns, returns_of
from abtest.metrics.value_counts import raw_answer


@dataclass(frozen=True)
class Hidden:
    """`metrics` are all of them, the others say what they are for."""

    metrics: tuple[Metric, ...]
    covariates: Found = field(default_factory=dict)
    unadjusted: Without = field(default_factory=dict)
    halves: dict[str, Halves] = field(default_factory=dict)
    returns: tuple[Returns, ...] = ()
    nearby: tuple[Nearby, ...] = ()


def hidden_of(
    project: Project, experiment: Experiment, metrics: tuple[Metric, ...], whole: bool, robust: bool
) -> Hidden:
    """What comes with `metrics`; unless `whole`, only what their own values need. `robust`: the neighbours of goals too."""
    among = tuple(h for h in (among_metric(m) for m in metrics) if h is not None)
    splits = tuple(h for s in experiment.segments for h in segment_metrics(s, project.groups, project.surveys))
    if not whole:
        return Hidden((*among, *splits))
    covariates, unadjusted = find_covariates(metrics, project, experiment)
    before = dict.fromkeys(c.metric for found in covariates.values() for c in found if c.metric is not None)
    raw = (r for r in (raw_answer(m) for m in metrics) if r is not None)
    trigger = (trigger_metric(experiment.trigger),) if experiment.trigger is not None else ()
    moved = _moved(project, experiment, metrics)
    halves = _halves(metrics, experiment)
    both = (m for h in halves.values() for m in (h.early, h.late))
    returns = returns_of(metrics)
    days = (m for one in returns for _, m in one.days)
    goals = {u.name for u in experiment.metrics if u.role == "goal"}
    nearby = nearby_of(m for m in metrics if m.name in goals) if robust else ()
    close = (c.metric for one in nearby for c in one.cells)
    every = (*among, *splits, *trigger, *before, *raw, *moved, *both, *days, *close)
    return Hidden(every, covariates, unadjusted, halves, returns, nearby)


def _moved(project: Project, experiment: Experiment, metrics: Iterable[Metric]) -> tuple[Metric, ...]:
    """Where units stood before exposure and after, for metrics of a whole group. Clusters have no test of it."""
    if experiment.cluster is not None:
        return ()
    groups, surveys = project.groups, project.surveys
    wanted = ((m, groups[m.group.group]) for m in metrics if m.group is not None and has_movement(m))
    return tuple(h for m, group in wanted for h in movement_metrics(m, group, surveys))


def _halves(metrics: Iterable[Metric], experiment: Experiment) -> dict[str, Halves]:
    """Of goals and guardrails that have some; where clusters were randomised, units cannot be compared."""
    deciding = {u.name for u in experiment.metrics if u.role in ("goal", "guardrail")}
    if experiment.cluster is not None:
        return {}
    found = ((m.name, halves_of(m)) for m in metrics if m.name in deciding)
    return {name_: halves for name_, halves in found if halves is not None}
