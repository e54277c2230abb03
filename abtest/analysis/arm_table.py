"""Every metric in every variant: its sums, and whatever its own test needs besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from abtest.analysis.adjusting import covaried_arms, stratified_arms
from abtest.analysis.arms import Arm, arm_of
from abtest.analysis.clustering import clustered_arms
from abtest.analysis.quantiles import ordered_of, quantile_of
from abtest.language.model import Experiment, Metric
from abtest.metrics.crossed import Covariates
from abtest.metrics.sums import Grid, arm_sums
from abtest.metrics.units import Values
from abtest.metrics.value_counts import needs_counts, raw_answer, value_counts
from abtest.sources.engine import Engine


def arms_by_variant(
    engine: Engine,
    values: Values,
    experiment: Experiment,
    metrics: tuple[Metric, ...],
    covariates: Covariates,
    grid: Mapping[str, Grid],
    binary: frozenset[str],
) -> dict[str, dict[str, Arm]]:
    """Per metric, per variant; a variant without units (they were all left out) has an empty arm."""
    ids = tuple(v.id for v in experiment.variants)
    sums = arm_sums(engine, values, metrics, None, grid, binary)
    rows = [sums.get((None, i), {}) for i in range(len(ids))]
    found = {
        m.name: {v: arm_of(row[m.name]) if row else Arm(0, 0, 0, 0) for v, row in zip(ids, rows, strict=True)}
        for m in metrics
    }
    covaried = covaried_arms(engine, values, covariates, sums, None, grid, small=True)
    for key, strata in stratified_arms(engine, values, covariates, metrics, grid).items():
        covaried.setdefault(key, {}).update(strata)
    for (_, i), own in covaried.items():
        for name_, with_covariates in own.items():
            arm = found[name_][ids[i]]
            found[name_][ids[i]] = replace(arm, covaried=with_covariates)
    if experiment.cluster is not None:
        clusters = clustered_arms(engine, values, metrics, sums, None, grid)
        for i, v in enumerate(ids):
            for name_, by_id in found.items():
                by_id[v] = replace(by_id[v], clusters=clusters.get((None, i), {}).get(name_), clustered=True)
    for metric in metrics:
        if metric.quantile is not None:
            for i, v in enumerate(ids):
                cut = quantile_of(engine, values, metric, i)
                ordered = ordered_of(engine, values, metric, i) if metric.test == "bootstrap" else ()
                found[metric.name][v] = replace(found[metric.name][v], quantile=cut, ordered=ordered)
        if needs_counts(metric):
            for (_, i), pairs in value_counts(engine, values, raw_answer(metric) or metric).items():
                found[metric.name][ids[i]] = replace(found[metric.name][ids[i]], values=pairs)
    return found
