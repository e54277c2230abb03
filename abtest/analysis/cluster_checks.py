"""Trust checks of experiments that randomise whole clusters: whole they must be, and many enough."""

from __future__ import annotations

from collections.abc import Mapping

from abtest.analysis import thresholds as t
from abtest.analysis.arms import Arm
from abtest.analysis.result import HealthCheck, HealthLevel, MetricResult
from abtest.sources.clusters import Clustered
from abtest.stats.clusters import MANY


def check_split(found: Clustered) -> HealthCheck:
    """Clusters whose units are in several variants. `share`: units in such clusters, which may hear of the other
    variant; `stray`: units that are not in the variant of most of their cluster, so that somebody assigned them apart."""
    share = found.split / found.units if found.units else 0.0
    stray = found.stray / found.units if found.units else 0.0
    level: HealthLevel = "pass"
    if stray > t.MIXED_FAIL:
        level = "fail"
    elif share > t.SPLIT_NOTE or stray > t.MIXED_NOTE:
        level = "note"
    values: dict[str, int | float | str | None] = {
        "share": share,
        "stray_share": stray,
        "count": found.split,
        "clusters": found.clusters,
    }
    return HealthCheck("cluster_split", "experiment", None, level, None, values)


def check_alone(found: Clustered) -> HealthCheck | None:
    """Clusters of one unit each are no clusters: probably the attribute is another name of the unit."""
    if not found.clusters or found.singles < found.clusters:
        return None
    return HealthCheck("cluster_alone", "experiment", None, "note", None, {"clusters": found.clusters})


def check_number(metric: MetricResult, arms: Mapping[str, Arm]) -> HealthCheck:
    """Clusters are what is counted. Where an arm is worth fewer than 40 equal ones a small-sample correction carries
    the interval, and its size says how much one cluster can do."""
    number = min((a.clusters.number if a.clusters is not None else 0 for a in arms.values()), default=0)
    worth = min((a.clusters.worth if a.clusters is not None else 0.0 for a in arms.values()), default=0.0)
    level: HealthLevel = "note" if worth < MANY else "pass"
    values: dict[str, int | float | str | None] = {"clusters": number, "worth": round(worth, 1)}
    return HealthCheck("cluster_counts", "metric", metric.key, level, None, values)
