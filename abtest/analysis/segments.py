"""Goals split by attributes known before exposure, with the test of whether effects differ at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

from abtest.analysis.adjusting import Covaried, covaried_arms
from abtest.analysis.arms import Arm, arm_of
from abtest.analysis.clustering import Clusters, clustered_arms
from abtest.analysis.compare import Setting, arm_value, compare
from abtest.analysis.privacy import hidden_groups
from abtest.analysis.result import ArmValue, Comparison, Interval, SegmentGroup, SegmentResult, Shrunken
from abtest.language.model import Experiment, Metric, MetricUse
from abtest.metrics.clusters import across_segments
from abtest.metrics.crossed import Covariates
from abtest.metrics.sums import ArmSums, Grid, arm_sums
from abtest.metrics.units import Values
from abtest.metrics.value_counts import Counted, needs_counts, value_counts
from abtest.sources.engine import Engine, name
from abtest.stats.distributions import chi_square_upper, critical_value
from abtest.stats.heterogeneity import cochran_q, shrink
from abtest.stats.multiplicity import benjamini_hochberg

MAX_GROUPS = 20
UNKNOWN = "(unknown)"
FEWEST_UNITS = 30
"""Per variant; Cochran's Q takes errors as known, and with less it alarms too often. Smaller groups are shown untested."""


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
    names = tuple(m for m, _ in goals)
    tables = {s.name: arm_sums(engine, values, names, f"s_{s.name}", grid, binary) for s in experiment.segments}
    kept_apart = _hidden(engine, values, experiment, [m for m in names if m.quantile is None], tables, min_cell)
    for segment in experiment.segments:
        table = tables[segment.name]
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
                hidden = kept_apart[metric.name][segment.name]
                split = _split(segment.name, metric, use, experiment, parts, setting, hidden)
                if across:  # groups that share clusters are not independent, as the test of their differences assumes
                    split = replace(split, interaction_p=None, interaction_reason="clustered")
                found.append(split)
    return corrected_interactions(found, experiment.plan.correct_segments)


def _split(
    dimension: str,
    metric: Metric,
    use: MetricUse,
    experiment: Experiment,
    parts: Parts,
    setting: Setting,
    not_shown: frozenset[str],
) -> SegmentResult:
    labels = sorted({_label(k) for k, _ in parts.table})
    groups: list[SegmentGroup] = []
    hidden = len(not_shown)
    for label in labels:
        if label in not_shown:
            continue
        cells = {v.id: parts.arm(label, i, metric.name) for i, v in enumerate(experiment.variants)}
        groups.append(
            _group(label, metric, use, experiment, {k: a for k, a in cells.items() if a is not None}, setting)
        )
    groups.sort(key=lambda g: (-sum(a.used for a in g.arms), g.label or ""))
    hidden += max(0, len(groups) - MAX_GROUPS)
    groups = groups[:MAX_GROUPS]
    p, reason = interaction(groups, experiment)
    shrunk = with_shrunken(groups, experiment, setting.plan.alpha)
    return SegmentResult(dimension, metric.name, shrunk, hidden, p, reason, True)


def _hidden(
    engine: Engine,
    values: Values,
    experiment: Experiment,
    metrics: Sequence[Metric],
    tables: Mapping[str, Mapping[tuple[Any, int], Mapping[str, ArmSums]]],
    min_cell: int,
) -> dict[str, dict[str, frozenset[str]]]:
    """Per metric and segment, the groups that must not be shown: small ones, and those by which small ones could be had."""
    variants = range(len(experiment.variants))
    segments: dict[str, dict[str, dict[str, tuple[int, ...]]]] = {m.name: {} for m in metrics}
    for segment, table in tables.items():
        labels = sorted({_label(k) for k, _ in table})
        for metric in metrics:
            used = {(_label(k), i): row[metric.name].used for (k, i), row in table.items()}
            segments[metric.name][segment] = {g: tuple(used.get((g, i), 0) for i in variants) for g in labels}
    crossed = _crossed_units(engine, values, metrics, tuple(tables), len(variants))
    return {m.name: hidden_groups(segments[m.name], crossed[m.name], min_cell) for m in metrics}


def _crossed_units(
    engine: Engine, values: Values, metrics: Sequence[Metric], segments: Sequence[str], variants: int
) -> dict[str, dict[tuple[str, str], dict[tuple[str, str], tuple[int, ...]]]]:
    """Units with a value per pair of groups, for every pair of segments, in both orders."""
    found: dict[str, dict[tuple[str, str], dict[tuple[str, str], tuple[int, ...]]]] = {m.name: {} for m in metrics}
    if not metrics:
        return found
    counts = ", ".join(f"count({name(values.value[m.name])})" for m in metrics)
    for one, other in combinations(segments, 2):
        rows = engine.rows(
            f"SELECT {name(f's_{one}')}, {name(f's_{other}')}, variant, {counts} FROM {name(values.table)} "
            "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        )
        for i, metric in enumerate(metrics):
            cells: dict[tuple[str, str], list[int]] = {}
            for a, b, variant, *used in rows:
                cells.setdefault((_label(a), _label(b)), [0] * variants)[int(variant)] += int(used[i])
            there = {pair: tuple(n) for pair, n in cells.items()}
            found[metric.name][one, other] = there
            found[metric.name][other, one] = {(b, a): n for (a, b), n in there.items()}
    return found


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


def interaction(groups: Sequence[SegmentGroup], experiment: Experiment) -> tuple[float | None, str | None]:
    """Cochran's Q over the absolute effects of the groups (all treatments pooled): do they differ more than by chance?

    Chi-square with (groups - 1) per treatment (Cochran 1954).
    """
    total, freedom = 0.0, 0
    for treatment in experiment.treatments:
        effects = _effects(groups, treatment.id)
        found = cochran_q([e.estimate for e in effects.values()], [e.se or 0.0 for e in effects.values()])
        if found.reason == "too_far_apart":
            return None, found.reason
        if found.q is not None and found.df is not None:
            total += found.q
            freedom += found.df
    if freedom == 0:
        return None, "not_enough_groups"
    return chi_square_upper(total, freedom), None


def _effects(groups: Sequence[SegmentGroup], variant: str) -> dict[int, Interval]:
    """The absolute effects with an error, of groups that are not tiny, by the place of the group."""
    found = {}
    for place, group in enumerate(groups):
        comparison = next(c for c in group.comparisons if c.variant == variant)
        if (
            comparison.absolute is not None
            and comparison.absolute.se
            and min(a.used for a in group.arms) >= FEWEST_UNITS
        ):
            found[place] = comparison.absolute
    return found


def with_shrunken(groups: Sequence[SegmentGroup], experiment: Experiment, alpha: float) -> tuple[SegmentGroup, ...]:
    """Every group with its empirical-Bayes effects, per treatment; none where fewer than two groups have an effect."""
    made: dict[int, list[Shrunken]] = {}
    half = critical_value(alpha)
    for treatment in experiment.treatments:
        effects = _effects(groups, treatment.id)
        found = shrink([e.estimate for e in effects.values()], [e.se or 0.0 for e in effects.values()])
        for place, mean, sd in zip(effects, found.means, found.total_sds, strict=found.status == "ok"):
            interval = Interval(mean, mean - half * sd, mean + half * sd, sd)
            made.setdefault(place, []).append(Shrunken(treatment.id, interval))
    return tuple(replace(g, shrunken=tuple(made.get(i, ()))) for i, g in enumerate(groups))


def corrected_interactions(found: Sequence[SegmentResult], method: Literal["bh", "none"]) -> tuple[SegmentResult, ...]:
    """The interaction tests of all splits and goals as one family (Benjamini & Hochberg 1995)."""
    if method == "none":
        return tuple(found)
    adjusted = benjamini_hochberg([s.interaction_p for s in found])
    return tuple(replace(s, interaction_p_adjusted=p) for s, p in zip(found, adjusted, strict=True))
