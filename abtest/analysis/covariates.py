"""Which covariates the metrics of an experiment have, and which of them the data can tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from abtest.language.canonical import events_of
from abtest.language.model import Event, Experiment, Metric, Moderator, Project
from abtest.metrics.covariates import Covariate, NotAdjusted, covariates_of
from abtest.sources.events import Log
from abtest.sources.units import Exposed

Found = dict[str, tuple[Covariate, ...]]
Without = dict[str, NotAdjusted]


def find_covariates(metrics: Iterable[Metric], project: Project, experiment: Experiment) -> tuple[Found, Without]:
    """By what each metric is adjusted, or why not; parts of metrics aside. Explored metrics only if they say so."""
    roles = {u.name: u.role for u in experiment.metrics}
    found: Found = {}
    without: Without = {}
    for metric in metrics:
        if metric.part_of is not None:
            continue
        own: tuple[Covariate, ...] | NotAdjusted = "explored"
        if roles.get(metric.name) != "explore" or metric.adjust is not None:
            own = covariates_of(metric, project, experiment.unit)
            if isinstance(own, tuple) and experiment.cluster is not None:
                own = "clustered"
        if isinstance(own, tuple):
            found[metric.name] = own
        else:
            without[metric.name] = own
    return found, without


def with_history(
    covariates: Found, events: Mapping[str, Event], logs: Mapping[str, Log], exposed: Exposed
) -> tuple[Found, Without]:
    """The covariates without those for which no log reaches back far enough for any unit."""
    kept: Found = {}
    lost: Without = {}
    for name, found in covariates.items():
        own = tuple(c for c in found if c.metric is None or _reaches(c.metric, events, logs, exposed))
        if own:
            kept[name] = own
        else:
            lost[name] = "no_history"
    return kept, lost


def _reaches(metric: Metric, events: Mapping[str, Event], logs: Mapping[str, Log], exposed: Exposed) -> bool:
    if exposed.last is None:
        return False
    # Answers have no first date before which nobody could have answered.
    read = [logs[events[e].source].first for e in events_of(metric) if events[e].survey is None]
    if not read or metric.window.first is None:
        return True
    return max(read) <= exposed.last + metric.window.first


def attribute_columns(covariates: Found, moderators: Iterable[Moderator] = ()) -> dict[tuple[str, str], str]:
    """Attributes (source, property) by which metrics are adjusted or their effects may differ, with the column that holds
    them."""
    found = dict.fromkeys((c.source, c.prop) for own in covariates.values() for c in own if c.metric is None)
    found |= dict.fromkeys((m.source, m.prop) for m in moderators)
    return {key: f"c_{i}" for i, key in enumerate(found)}
