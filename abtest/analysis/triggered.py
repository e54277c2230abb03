"""The units that could notice the change, beside the comparison of all units.

A trigger is known after exposure, so it must not depend on the variant; two checks stand in front of every number. The
shares of triggered units must not differ between the variants: if they do, the triggered units are not comparable, and
no effect is given. And the others must not differ: if they do, the trigger misses units, and nothing is carried over
to everybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from abtest.analysis.arms import Arm, arm_of
from abtest.analysis.beside import (
    Effect,
    TriggerArm,
    TriggerCheck,
    Triggered,
    TriggeredComparison,
    TriggeredMetric,
)
from abtest.analysis.compare import Setting, arm_value
from abtest.analysis.interval import interval_of
from abtest.analysis.procedures import raw_procedure
from abtest.analysis.reading import always_valid
from abtest.language.model import Experiment, Metric
from abtest.language.resolve_beside import TRIGGER, reach
from abtest.metrics.sums import ArmSums, Grid, arm_sums
from abtest.metrics.units import Values
from abtest.sources.engine import Engine, name
from abtest.stats.inference import Estimate, Inference
from abtest.stats.means import mean_arm
from abtest.stats.multiplicity import holm
from abtest.stats.sequential import critical, optimal_kappa
from abtest.stats.tables import homogeneity
from abtest.stats.triggered import TriggeredArm, complement_check, dilute, trigger_rate

Sums = Mapping[tuple[Any, int], Mapping[str, ArmSums]]


@dataclass(frozen=True)
class _Halves:
    """One metric in one variant: triggered units, the others, both."""

    triggered: Arm
    others: Arm

    def small(self, min_cell: int) -> bool:
        """Whether one of them tells of fewer units than may be shown; the two add up to what is shown elsewhere."""
        return any(0 < a.used < min_cell for a in (self.triggered, self.others))


def triggered_units(
    engine: Engine,
    values: Values,
    experiment: Experiment,
    metrics: Sequence[Metric],
    grid: Mapping[str, Grid],
    binary: frozenset[str],
    setting: Setting,
    min_cell: int,
) -> Triggered | None:
    """Goals and secondary metrics among triggered units; None when the experiment has no trigger."""
    trigger = experiment.trigger
    if trigger is None:
        return None
    roles = {u.name: u.role for u in experiment.metrics}
    wanted = tuple(m for m in metrics if roles.get(m.name) in ("goal", "secondary"))
    counts = _counts(engine, values)
    checks = tuple(_check(experiment, counts, v.id, min_cell) for v in experiment.treatments)
    found = tuple(m for m in wanted if m.quantile is None)
    sums = arm_sums(engine, values, found, values.value[TRIGGER], grid, binary)
    made = tuple(_metric(m, sums, experiment, checks, setting, min_cell) for m in wanted)
    shown = [TriggerArm(v.id, *_shown(counts.get(i, (0, 0, 0)), min_cell)) for i, v in enumerate(experiment.variants)]
    window = None if trigger.window.last is None else str(trigger.window)
    return Triggered(
        trigger.text.rpartition(")")[0] + ")", window, tuple(shown), checks, _complements(made, setting.plan.alpha)
    )


def _counts(engine: Engine, values: Values) -> dict[int, tuple[int, int, int]]:
    """Per variant: exposed units, those whose trigger is known, those triggered."""
    column = name(values.value[TRIGGER])
    rows = engine.rows(
        f"SELECT variant, count(*), count({column}), count(*) FILTER ({column} = 1) FROM {name(values.table)} "
        "GROUP BY variant ORDER BY variant"
    )
    return {int(v): (int(n), int(known), int(yes)) for v, n, known, yes in rows}


def _small(counts: tuple[int, int, int], min_cell: int) -> bool:
    _, known, yes = counts
    return 0 < yes < min_cell or 0 < known - yes < min_cell


def _shown(counts: tuple[int, int, int], min_cell: int) -> tuple[int, int, int | None]:
    exposed, known, yes = counts
    return exposed, known, None if _small(counts, min_cell) else yes


def _check(
    experiment: Experiment, counts: Mapping[int, tuple[int, int, int]], variant: str, min_cell: int
) -> TriggerCheck:
    """The shares of triggered units in one treatment and the baseline, by Pearson's chi-square.

    Given the sizes of the variants, which the sample split check looks at, this is the ratio test of the triggered.
    """
    ids = [v.id for v in experiment.variants]
    pair = [counts.get(ids.index(v), (0, 0, 0)) for v in (experiment.baseline, variant)]
    if any(known == 0 for _, known, _ in pair):
        return TriggerCheck(variant, False, "no_units", None)
    if any(_small(c, min_cell) for c in pair):
        return TriggerCheck(variant, False, "too_small", None)
    found = homogeneity([[yes, known - yes] for _, known, yes in pair])
    if found.p_value is None:
        return TriggerCheck(variant, True, "all_or_none", None)
    differ = found.p_value < experiment.plan.srm_alpha
    return TriggerCheck(variant, not differ, "rates_differ" if differ else None, found.p_value)


def _metric(
    metric: Metric,
    sums: Sums,
    experiment: Experiment,
    checks: Sequence[TriggerCheck],
    setting: Setting,
    min_cell: int,
) -> TriggeredMetric:
    trigger = experiment.trigger
    assert trigger is not None
    last = reach(metric)
    beyond = trigger.window.last is not None and (last is None or last > trigger.window.last)
    why = "kind" if metric.quantile is not None else "beyond_trigger" if beyond else None
    halves = {}
    if metric.quantile is None:
        halves = {v.id: _halves(sums, i, metric.name) for i, v in enumerate(experiment.variants)}
    made = []
    for check in checks:
        reason = why if check.valid else check.reason
        if reason is None and any(halves[v].small(min_cell) for v in (experiment.baseline, check.variant)):
            reason = "too_small"
        if reason is not None:
            none = Effect("no_test", reason, "none")
            made.append(TriggeredComparison(check.variant, None, None, 0, none, none, none))
        else:
            pair = halves[check.variant], halves[experiment.baseline]
            made.append(_comparison(metric, check.variant, *pair, setting))
    return TriggeredMetric(metric.name, tuple(made))


def _halves(sums: Sums, variant: int, metric: str) -> _Halves:
    def arm(triggered: int) -> Arm:
        row = next((r for (v, i), r in sums.items() if i == variant and v is not None and int(v) == triggered), None)
        return Arm(0, 0, 0, 0) if row is None else arm_of(row[metric])

    return _Halves(arm(1), arm(0))


def _comparison(
    metric: Metric, variant: str, treatment: _Halves, control: _Halves, setting: Setting
) -> TriggeredComparison:
    values = [arm_value(variant, half.triggered).value for half in (control, treatment)]
    alpha, banded = setting.plan.alpha, setting.early or setting.every_look
    procedure = raw_procedure(treatment.triggered, control.triggered)
    fixed = procedure.infer(alpha, None)
    band, band_p = always_valid(procedure, alpha, setting.progress)
    found = band if banded else fixed
    p_value = band_p if setting.every_look else fixed.p_value
    triggered = replace(_effect(found, banded), p_value=p_value)
    others = _others(treatment, control, alpha)
    return TriggeredComparison(
        variant,
        values[0],
        values[1],
        treatment.triggered.used + control.triggered.used,
        triggered,
        _diluted(metric, treatment, control, found, setting, banded),
        others,
    )


def _others(treatment: _Halves, control: _Halves, alpha: float) -> Effect:
    """The comparison of the units that were not triggered: an A/A test."""
    pair = _moments(treatment), _moments(control)
    if pair[0] is not None and pair[1] is not None:
        if not (pair[0].others.n and pair[1].others.n):
            return Effect("no_test", "no_others", "complement")
        return _effect(complement_check(pair[0], pair[1], alpha=alpha), False)
    if not (treatment.others.used and control.others.used):
        return Effect("no_test", "no_others", "complement")
    return _effect(raw_procedure(treatment.others, control.others).infer(alpha, None), False)


def _moments(halves: _Halves) -> TriggeredArm | None:
    """Both halves as means; None for ratios and without units."""
    from abtest.stats.moments import Moments

    if halves.triggered.moments is None or halves.others.pair is not None:
        return None
    return TriggeredArm(halves.triggered.moments, halves.others.moments or Moments(0, 0.0, 0.0))


def _diluted(
    metric: Metric, treatment: _Halves, control: _Halves, found: Inference, setting: Setting, banded: bool
) -> Effect:
    """The triggered effect carried over to all units: the absolute one times the trigger rate, with its own lift."""
    if metric.pooled:
        return Effect("no_test", "ratio", "triggered")
    t, c = _moments(treatment), _moments(control)
    if found.status != "ok" or found.absolute is None or t is None or c is None:
        return Effect("no_test", found.reason or "no_units", "triggered")
    rate = trigger_rate(t, c)
    assert rate is not None
    alpha = setting.plan.alpha
    boundary = critical(optimal_kappa(alpha) * max(setting.progress, 1e-6), alpha) if banded else None
    others = mean_arm(c.others) if c.others.n >= 2 else None
    made = dilute(mean_arm(t.triggered), mean_arm(c.triggered), others, rate, alpha=alpha, critical=boundary)
    # The interval of a share is that of its score test, as among the triggered; its lift is made from means, and is
    # left out where the two would disagree about zero.
    absolute = _times(found.absolute, rate)
    relative = made.relative if _sign(made.relative) == _sign(absolute) else None
    reason = made.relative_reason or ("lift_undefined" if relative is None else None)
    return Effect("ok", None, "triggered", interval_of(absolute), interval_of(relative), reason, found.p_value, banded)


def _times(estimate: Estimate, rate: float) -> Estimate:
    low, high, se = (None if x is None else rate * x for x in (estimate.low, estimate.high, estimate.se))
    return Estimate(rate * estimate.estimate, low, high, se)


def _sign(estimate: Estimate | None) -> int:
    if estimate is None:
        return 0
    return int(estimate.low is not None and estimate.low > 0) - int(estimate.high is not None and estimate.high < 0)


def _effect(found: Inference, band: bool) -> Effect:
    return Effect(
        found.status,
        found.reason,
        found.method,
        interval_of(found.absolute),
        interval_of(found.relative),
        found.relative_reason if found.relative is None else None,
        found.p_value,
        band,
    )


def _complements(metrics: Sequence[TriggeredMetric], alpha: float) -> tuple[TriggeredMetric, ...]:
    """The A/A tests of the others as one family (Holm); where one alarms, nothing is carried over to everybody."""
    rows = [c for m in metrics for c in m.comparisons]
    adjusted = iter(holm([c.others.p_value for c in rows]))
    found = []
    for metric in metrics:
        made = []
        for comparison in metric.comparisons:
            p = next(adjusted)
            diluted = comparison.diluted
            if p is not None and p < alpha and diluted.status == "ok":
                diluted = Effect("no_test", "others_differ", diluted.method)
            made.append(replace(comparison, others_p=p, diluted=diluted))
        found.append(replace(metric, comparisons=tuple(made)))
    return tuple(found)
