"""Who comes back on which day: the days around those that the plan tests, for context.

They are counted as the metric itself is, in the same units and from the same start. A day that is not over for every
unit is not shown: its rate would be that of the early ones. Nor is one from which a few units could be told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from abtest.analysis.arm_table import arms_by_variant
from abtest.analysis.arms import Arm
from abtest.analysis.beside import Effect, Retention, ReturnArm, ReturnDay
from abtest.analysis.compare import Setting, compare
from abtest.analysis.dates import iso
from abtest.language.model import Experiment, Metric, MetricUse
from abtest.metrics.crossed import Covariates
from abtest.metrics.plan import Plan, last_day
from abtest.metrics.returns import Returns
from abtest.metrics.sums import Grid
from abtest.metrics.units import Values
from abtest.sources.engine import Engine


def retention_of(
    engine: Engine,
    values: Values,
    experiment: Experiment,
    returns: Sequence[Returns],
    grid: Mapping[str, Grid],
    setting: Setting,
    plan: Plan,
    last_exposure: int | None,
    min_cell: int,
) -> tuple[Retention, ...]:
    """Every metric of retention with the other days; where clusters were randomised, they are what is compared."""
    hidden = tuple(h for one in returns for _, h in one.days)
    if not returns:
        return ()
    binary = frozenset(h.name for h in hidden)
    arms = arms_by_variant(engine, values, experiment, hidden, Covariates({}, {}), grid, binary)
    ends = {t.metric.name: last_day(t.chain) for t in plan.tasks if t.metric.name in arms}
    found = []
    for one in returns:
        asked = tuple((m.name, m.window.first or 0, m.window.last) for m in one.asked)
        days = tuple(
            _day(day, h, arms[h.name], experiment, setting, _date(last_exposure, ends[h.name]), min_cell)
            for day, h in one.days
        )
        found.append(Retention(asked, days))
    return tuple(found)


def _date(last_exposure: int | None, day: int) -> str | None:
    return None if last_exposure is None else iso(last_exposure + day)


def _day(
    day: int,
    metric: Metric,
    arms: Mapping[str, Arm],
    experiment: Experiment,
    setting: Setting,
    mature_on: str | None,
    min_cell: int,
) -> ReturnDay:
    if any(a.immature for a in arms.values()):
        return ReturnDay(day, "no_test", "immature", mature_on)
    if any(a.counts is None for a in arms.values()):
        return ReturnDay(day, "no_test", "no_units")
    if any(_small(a, min_cell) for a in arms.values()):
        return ReturnDay(day, "no_test", "small_cell")
    control = arms[experiment.baseline]
    effects = tuple((v.id, _effect(metric, v.id, arms[v.id], control, setting)) for v in experiment.treatments)
    return ReturnDay(day, "ok", None, None, tuple(_arm(v, a) for v, a in arms.items()), effects)


def _small(arm: Arm, min_cell: int) -> bool:
    """Whether the units that came back, or those that did not, are few."""
    assert arm.counts is not None
    yes, no = arm.counts.successes, arm.counts.n - arm.counts.successes
    return 0 < yes < min_cell or 0 < no < min_cell


def _arm(variant: str, arm: Arm) -> ReturnArm:
    assert arm.counts is not None
    return ReturnArm(variant, arm.counts.n, arm.counts.successes, arm.counts.successes / arm.counts.n)


def _effect(metric: Metric, variant: str, treatment: Arm, control: Arm, setting: Setting) -> Effect:
    """The difference of the shares: at one look, or early and in a sequential plan by the band for every look."""
    found = compare(metric, MetricUse(metric.name, "explore"), variant, treatment, control, setting)
    banded = setting.early or setting.every_look
    absolute = found.always_valid_absolute if banded else found.absolute
    if found.status == "ok" and absolute is None:
        return Effect("no_test", None, found.method)
    p_value = None if banded else found.p_value
    return Effect(found.status, found.reason, found.method, absolute, p_value=p_value, band=banded)
