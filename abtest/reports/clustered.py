"""Experiments that randomised whole clusters: how many there were, and how alike units of one cluster are."""

from __future__ import annotations

from abtest.analysis.result import Clustering, Comparison, MetricResult
from abtest.reports.appendix import Plain
from abtest.reports.wording import Wording


def clustered_comparisons(w: Wording) -> list[tuple[MetricResult, Comparison, Clustering]]:
    return [(m, c, c.clustering) for m in w.result.metrics for c in m.comparisons if c.clustering is not None]


def cluster_facts(w: Wording) -> list[str]:
    """Why clusters are compared, and by which tests, in sentences for the method section."""
    cluster = w.result.experiment.cluster
    if cluster is None:
        return []
    slots = {"cluster": w.name(cluster, 60), "units": w.unit_name}
    texts = [w.words("clustered.fact", **slots)]
    methods = dict.fromkeys(c.method for _, c, _ in clustered_comparisons(w) if c.status == "ok")
    texts += [w.words(f"clustered.method.{m}") for m in methods]
    if any(clustering.icc is not None for _, _, clustering in clustered_comparisons(w)):
        texts.append(w.words("clustered.alike", **slots))
    return texts


def cluster_table(w: Wording) -> Plain:
    """One row per comparison: clusters of both variants, what they are worth, likeness within, and the design effect."""
    words, none = w.words, w.words("table.no_value")
    names = (
        "table.metric",
        "clustered.clusters",
        "clustered.worth",
        "clustered.size",
        "clustered.icc",
        "clustered.deff",
    )
    rows = []
    for metric, comparison, found in clustered_comparisons(w):
        name = w.metric(metric, 60)
        if w.many:
            name = words("segments.row_of", segment=name, variant=w.variant(comparison.variant))
        rows.append(
            (
                name,
                words("clustered.pair", control=w.count(found.control), treatment=w.count(found.treatment)),
                words(
                    "clustered.pair",
                    control=w.numbers.fixed(found.control_worth, 1),
                    treatment=w.numbers.fixed(found.treatment_worth, 1),
                ),
                none if found.mean_size is None else w.numbers.fixed(found.mean_size, 1),
                none if found.icc is None else w.numbers.fixed(found.icc, 3),
                none if found.design_effect is None else w.numbers.fixed(found.design_effect, 2),
            )
        )
    return Plain(words("clustered.caption"), tuple(words(n) for n in names), tuple(rows), frozenset(range(1, 6)))
