"""Goals split by attributes known before exposure, with the test of whether effects differ at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from abtest.analysis.adjusting import Covaried, covaried_arms
from abtest.analysis.arms import Arm, arm_of
from abtest.analysis.clustering import Clusters, clustered_arms
from abtest.analysis.compare import Setting, arm_value, compare
from abtest.analysis.result import ArmValue, Comparison, SegmentGroup, SegmentResult
from abtest.language.model import Experiment, Metric, MetricUse
from abtest.metrics.clusters import across_segments
from abtest.metrics.crossed import Covariates
from abtest.metrics.sums import ArmSums, Grid, arm_sums
from abtest.metrics.units import Values
from abtest.metrics.value_counts import Counted, needs_counts, value_counts
from abtest.sources.engine import Engine
from abtest.stats.distributions import chi_square_upper

MAX_GROUPS = 20
UNKNOWN = "(unknown)"


@dataclass(frozen=True)
class Parts:
    """What there is of one metric per (segment value, variant): sums, covariates, clusters (None: units were
    randomised), and units per value where a test needs them."""

    table: Mapping[tuple[Any, int], Mapping[str, ArmSums]]
    covaried: Mapping[tuple[Any, int], Mapping[str, Covaried]]
    clusters: Mapping[tuple[Any, int], Mapping[str, Clusters]] | None
    counted: Mapping[tuple[Any, int], Counted]

    def arm(self, label: str, variant: int, metric: str) -> Arm | None:
        for key, row in self.table.items():
            if key[1] == variant and _label(key[0]) == label:
                return replace(
                    arm_of(row[metric]),
                    covaried=self.covaried.get(key, {}).get(metric),
                    clusters=(self.clusters or {}).get(key, {}).get(metric),
                    clustered=self.clusters is not None,
                    values=self.counted.get(key),
                )
        return None


def split_goals(
    engine: Engine,
    values: Values,
    experiment: Experiment,
    metrics: tuple[Metric, ...],
    grid: Mapping[str, Grid],
    binary: frozenset[str],
    setting: Setting,
    min_cell: int,
    covariates: Covariates,
) -> tuple[SegmentResult, ...]:
    """Every goal by every segment of the experiment. Groups with a cell below `min_cell` units are counted, not shown."""
    goals = [(next(m for m in metrics if m.name == u.name), u) for u in experiment.metrics if u.role == "goal"]
    found: list[SegmentResult] = []
    for segment in experiment.segments:
        table = arm_sums(engine, values, tuple(m for m, _ in goals), f"s_{segment.name}", grid, binary)
        own = Covariates({m.name: covariates.entries[m.name] for m, _ in goals if m.name in covariates.entries})
        covaried = covaried_arms(engine, values, own, table, f"s_{segment.name}", grid)
        counted = {
            m.name: value_counts(engine, values, m, f"s_{segment.name}")
            for m, _ in goals
            if m.test is not None and needs_counts(m)
        }
        clusters: dict[tuple[Any, int], dict[str, Clusters]] | None = None
        across = False
        if experiment.cluster is not None:
            column = f"s_{segment.name}"
            clusters = clustered_arms(engine, values, [m for m, _ in goals], table, column, grid)
            across = across_segments(engine, column)
        for metric, use in goals:
            if metric.quantile is None:  # a quantile is read off all its values, not off sums
                parts = Parts(table, covaried, clusters, counted.get(metric.name, {}))
                split = _split(segment.name, metric, use, experiment, parts, setting, min_cell)
                if across:  # groups that share clusters are not independent, as the test of their differences assumes
                    split = replace(split, interaction_p=None, interaction_reason="clustered")
                found.append(split)
    return tuple(found)


def _split(
    dimension: str,
    metric: Metric,
    use: MetricUse,
    experiment: Experiment,
    parts: Parts,
    setting: Setting,
    min_cell: int,
) -> SegmentResult:
    labels = sorted({_label(k) for k, _ in parts.table})
    groups: list[SegmentGroup] = []
    hidden = 0
    for label in labels:
        cells = {v.id: parts.arm(label, i, metric.name) for i, v in enumerate(experiment.variants)}
        if any(a is None or a.used < min_cell for a in cells.values()):
            hidden += 1
            continue
        groups.append(
            _group(label, metric, use, experiment, {k: a for k, a in cells.items() if a is not None}, setting)
        )
    groups.sort(key=lambda g: (-sum(a.used for a in g.arms), g.label or ""))
    hidden += max(0, len(groups) - MAX_GROUPS)
    groups = groups[:MAX_GROUPS]
    p, reason = interaction(groups, experiment)
    return SegmentResult(dimension, metric.name, tuple(groups), hidden, p, reason, True)


def _label(value: Any) -> str:
    return UNKNOWN if value is None else str(value)


def _group(
    label: str, metric: Metric, use: MetricUse, experiment: Experiment, cells: Mapping[str, Arm], setting: Setting
) -> SegmentGroup:
    control = cells[experiment.baseline]
    comparisons: tuple[Comparison, ...] = tuple(
        replace(compare(metric, replace(use, margin=None), v.id, cells[v.id], control, setting), margin=None)
        for v in experiment.treatments
    )
    values: tuple[ArmValue, ...] = tuple(arm_value(v.id, cells[v.id]) for v in experiment.variants)
    return SegmentGroup(label, values, comparisons)


def interaction(groups: list[SegmentGroup], experiment: Experiment) -> tuple[float | None, str | None]:
    """Cochran's Q over the absolute effects of the groups (all treatments pooled): do they differ more than by chance?

    Q = sum w (e - weighted mean)^2 with w = 1/se^2, chi-square with (groups - 1) per treatment (Cochran 1954).
    """
    total, freedom = 0.0, 0
    for treatment in experiment.treatments:
        effects = []
        for group in groups:
            comparison = next(c for c in group.comparisons if c.variant == treatment.id)
            if comparison.absolute is not None and comparison.absolute.se:
                effects.append((comparison.absolute.estimate, comparison.absolute.se**-2))
        if len(effects) < 2:
            continue
        weight = sum(w for _, w in effects)
        mean = sum(e * w for e, w in effects) / weight
        total += sum(w * (e - mean) ** 2 for e, w in effects)
        freedom += len(effects) - 1
    if freedom == 0:
        return None, "not_enough_groups"
    return chi_square_upper(total, freedom), None
