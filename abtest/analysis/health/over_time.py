"""Does the effect of a metric last? The second half of its window against the first, within units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from abtest.analysis import thresholds as t
from abtest.analysis.prepared import Prepared
from abtest.analysis.result import HealthCheck, HealthLevel, Number
from abtest.language.model import Experiment
from abtest.metrics.joint import joint_sums
from abtest.metrics.sums import Grid
from abtest.metrics.units import Values
from abtest.sources.engine import Engine
from abtest.stats.moments import PairMoments, Sums, pair_from_sums
from abtest.stats.multiplicity import benjamini_hochberg
from abtest.stats.novelty import EarlyLate, early_late


@dataclass(frozen=True)
class OverTime:
    """One metric: per variant the moments of (first half, second half) of its units, over `days` days each."""

    days: int
    arms: Mapping[str, PairMoments]


def halves_by_variant(
    engine: Engine, values: Values, experiment: Experiment, found: Prepared, grid: Mapping[str, Grid]
) -> dict[str, OverTime]:
    """Of every metric with halves: units with a value of the metric itself, so that all count in both halves."""
    made = {}
    for name, halves in found.halves.items():
        columns = [values.value[halves.early.name], values.value[halves.late.name], values.value[name]]
        arms = {}
        for (variant, _), sums in joint_sums(engine, values, columns, grid).items():
            early, late = (Sums(c.shift, c.s1, c.s2, scale=c.scale) for c in sums.columns[:2])
            arms[experiment.variants[variant].id] = pair_from_sums(sums.n, early, late, sums.products[0, 1])
        made[name] = OverTime(halves.days, arms)
    return made


def novelty_checks(metrics: Mapping[str, OverTime], baseline: str) -> list[HealthCheck]:
    """One family over metrics and treatments. What is reported of a metric is its clearest change of all variants."""
    looked: list[tuple[str, str, EarlyLate]] = []
    for name, own in metrics.items():
        control = own.arms.get(baseline)
        for variant, arm in own.arms.items():
            if variant == baseline or control is None:
                continue
            found = early_late(arm, control)
            if found is not None and found.p_value is not None:
                looked.append((name, variant, found))
    adjusted = benjamini_hochberg([e.p_value for _, _, e in looked])
    clearest: dict[str, tuple[float, str, EarlyLate]] = {}
    for (name, variant, effect), p in zip(looked, adjusted, strict=True):
        assert p is not None
        if name not in clearest or p < clearest[name][0]:
            clearest[name] = (p, variant, effect)
    return [_check(name, metrics[name].days, *found) for name, found in clearest.items()]


def _check(name: str, days: int, p: float, variant: str, effect: EarlyLate) -> HealthCheck:
    level: HealthLevel = "note" if p < t.NOVELTY_P and effect.shape != "steady" else "pass"
    facts: dict[str, Number | str | None] = {"p_value": p, "half_days": days}
    if level == "note":
        facts |= {"shape": effect.shape, "variant": variant, "early": effect.early, "late": effect.late}
    return HealthCheck("novelty", "metric", name, level, None, facts)
