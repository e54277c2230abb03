"""Would the conclusion be another if the definition had asked for one like more? Every goal beside its neighbours.

The intervals of a neighbourhood hold at once, and each definition has the test and the covariates of the goal, so that
only the definition differs. Nothing of this enters the verdict: the definition was chosen before the data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from abtest.analysis.arm_table import arms_by_variant
from abtest.analysis.arms import Arm
from abtest.analysis.compare import Setting, arm_value, compare
from abtest.analysis.result import Comparison
from abtest.analysis.robustness import NearbyCell, Robustness
from abtest.language.model import Experiment, Metric, MetricUse
from abtest.metrics.crossed import Covariates
from abtest.metrics.nearby import Close, Nearby
from abtest.metrics.sums import Grid
from abtest.metrics.units import Values
from abtest.sources.engine import Engine

Arms = Mapping[str, Arm]


def robustness_of(
    engine: Engine,
    values: Values,
    experiment: Experiment,
    found: Sequence[Nearby],
    covariates: Covariates,
    grid: Mapping[str, Grid],
    binary: frozenset[str],
    setting: Setting,
    written: Mapping[str, Arms],
    min_cell: int,
) -> tuple[Robustness, ...]:
    """Every goal with its neighbours; `written` are the arms of the goals themselves. A bayesian plan has no p-values
    and its prior speaks of one definition, so nothing is shown for it."""
    if not found or setting.plan.method == "bayesian":
        return ()
    copies = {c.metric.name: one.goal.name for one in found for c in one.cells}
    own = Covariates(
        {name: covariates.entries[goal] for name, goal in copies.items() if goal in covariates.entries},
        {name: covariates.strata[goal] for name, goal in copies.items() if goal in covariates.strata},
    )
    yes_or_no = frozenset(name for name, goal in copies.items() if goal in binary)
    metrics = tuple(c.metric for one in found for c in one.cells)
    arms = arms_by_variant(engine, values, experiment, metrics, own, grid, yes_or_no)
    return tuple(_robustness(one, arms, written[one.goal.name], experiment, setting, min_cell) for one in found)


def _robustness(
    one: Nearby, arms: Mapping[str, Arms], written: Arms, experiment: Experiment, setting: Setting, min_cell: int
) -> Robustness:
    # Boundaries of planned looks belong to the goal alone; for its neighbours a band for any look takes their place.
    grouped = setting.plan.method == "group_sequential"
    plan = replace(setting.plan, method="sequential") if grouped else setting.plan
    compared = len(one.cells) * len(experiment.treatments)
    each = replace(setting, plan=replace(plan, alpha=plan.alpha / compared))
    single = replace(setting, plan=plan)
    hidden = _too_close(one, arms, written, min_cell)
    cells = tuple(
        NearbyCell(c.threshold, c.value, c.label, "no_test", "small_cell")
        if c.metric.name in hidden
        else _cell(c, arms[c.metric.name], experiment, each, single)
        for c in one.cells
    )
    thresholds = tuple((t.label(t.value), t.value) for t in one.thresholds)
    return Robustness(
        one.goal.name, thresholds, cells, compared, plan.alpha / compared, not setting.early and not grouped
    )


def _cell(of: Close, arms: Arms, experiment: Experiment, each: Setting, single: Setting) -> NearbyCell:
    control = arms[experiment.baseline]
    comparisons, alone = [], []
    for v in experiment.treatments:
        comparisons.append(_compared(of.metric, v.id, arms[v.id], control, each))
        alone.append((v.id, _compared(of.metric, v.id, arms[v.id], control, single).state))
    values = tuple(arm_value(v, a) for v, a in arms.items())
    return NearbyCell(of.threshold, of.value, of.label, "ok", None, values, tuple(comparisons), tuple(alone))


def _compared(metric: Metric, variant: str, treatment: Arm, control: Arm, setting: Setting) -> Comparison:
    found = compare(metric, MetricUse(metric.name, "explore"), variant, treatment, control, setting)
    return replace(found, adjustment=None, unadjusted=None)


def _too_close(one: Nearby, arms: Mapping[str, Arms], written: Arms, min_cell: int) -> frozenset[str]:
    """Definitions from which, or from whose difference with the next one, a few units could be told: those with five likes
    are those with at least five less those with at least six. Outwards from the definition as it is written."""
    hidden = set()
    for k, threshold in enumerate(one.thresholds):
        own = [c for c in one.cells if c.threshold == k]
        below = sorted((c for c in own if c.value < threshold.value), key=lambda c: -c.value)
        above = sorted((c for c in own if c.value > threshold.value), key=lambda c: c.value)
        for side in (below, above):
            last = written
            for close in side:
                here = arms[close.metric.name]
                if any(_few(here[v], last[v], min_cell) for v in here):
                    hidden.add(close.metric.name)
                else:
                    last = here
    return frozenset(hidden)


def _few(here: Arm, last: Arm, min_cell: int) -> bool:
    if here.counts is not None:
        yes, no = here.counts.successes, here.counts.n - here.counts.successes
        if 0 < yes < min_cell or 0 < no < min_cell:
            return True
    total, before = arm_value("", here).total, arm_value("", last).total
    return total is not None and before is not None and 0 < abs(total - before) < min_cell
