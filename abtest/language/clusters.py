"""`cluster: people.village`: whole values of an attribute were randomised, and the units inside them are measured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from abtest.language.fields import Fields
from abtest.language.model import Cluster, Experiment, Metric, Source
from abtest.language.resolve_parts import home_of, split_path
from abtest.language.suggest import did_you_mean
from abtest.language.tokens import SyntaxProblem
from abtest.problems import Problems, quoted


def read_cluster(fields: Fields) -> Cluster | None:
    """The attribute as written; its source is found in `resolve_cluster`."""
    found = fields.read("cluster", _attribute)
    return None if found is None else replace(found, place=fields.place("cluster"))


def _attribute(text: str) -> Cluster:
    clean = " ".join(text.split())
    if not re.fullmatch(r"[\w$' .]+", clean):
        raise SyntaxProblem(
            "E113",
            f"a cluster is an attribute of the units, found {quoted(text)}",
            (0, max(1, len(text))),
            "Example:  cluster: people.village",
        )
    return Cluster("", clean)


def resolve_cluster(experiment: Experiment, sources: Mapping[str, Source], problems: Problems) -> Cluster | None:
    """The cluster with its source: a table with one row per unit of the experiment, that says which cluster it is in."""
    cluster = experiment.cluster
    if cluster is None:
        return None
    named, prop = split_path(cluster.prop, sources)
    if not named and "." in prop:  # a source that does not exist
        named, _, prop = prop.partition(".")
    home = home_of(prop, sources, f"cluster {cluster.prop}", cluster.place, problems, named)
    if home is None:
        return None
    own = home.unit_path(experiment.unit)
    if experiment.unit and own is None:
        problems.error(
            "E312",
            f"cluster {cluster.prop}: source {home.name} has no unit {quoted(experiment.unit)}",
            cluster.place,
            did_you_mean(experiment.unit, dict(home.units), f"Units of {home.name}"),
        )
        return None
    declared = home.property(prop)
    if declared is not None and declared.path == own:
        problems.error(
            "E312",
            f"cluster {cluster.prop} is the {experiment.unit} itself, so every {experiment.unit} is a cluster of its own",
            cluster.place,
            "Leave  cluster  out: without it, units are what was randomised.",
        )
        return None
    if not home.known_before_exposure:
        problems.warn(
            "W314",
            f"cluster {cluster.prop}: is it known before the exposure?",
            cluster.place,
            f"If so, say  known: before_exposure  in source {home.name}; if not, units may have moved with the treatment.",
        )
    return replace(cluster, source=home.name, prop=prop)


def refuse_beside_clusters(experiment: Experiment, metrics: Mapping[str, Metric], problems: Problems) -> None:
    """What counts units as independent does not go with clusters: its errors would be too small."""
    for key, present in (
        ("trigger", experiment.trigger is not None),
        ("value", experiment.value is not None),
        ("drivers", experiment.drivers is not None),
        ("targets", bool(experiment.targets)),
    ):
        if present:
            message = f"`{key}` counts {experiment.unit}s one by one, and whole clusters were randomised"
            problems.error("E322", message, experiment.at(key), f"Remove  {key},  or  cluster.")
    for use in experiment.metrics:
        metric = metrics.get(use.name)
        if metric is not None and metric.test is not None:
            message = f"{use.name} asks for the test {metric.test}, and whole clusters are compared by their own"
            problems.warn("W322", message, use.place, f"Remove  test  from metric {use.name}.")
        elif metric is not None and metric.adjust is not None and (metric.adjust.metrics or metric.adjust.attributes):
            message = f"{use.name} says `adjust`, and effects of whole clusters are not adjusted"
            problems.warn("W322", message, use.place, f"Remove  adjust  from metric {use.name}.")
