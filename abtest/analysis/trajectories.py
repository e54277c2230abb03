"""The cumulative effect on each goal per day, with the band that holds on all days at once, and the effect by week.

The point of a day is what a report of that day would say: the goal's own procedure over the units whose window was
complete by then, and `always_valid` as the setting makes it. Adjusted effects are adjusted anew each day, with slopes
from that day's units: the last slopes would know the future, and no report could have shown such a number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from abtest.analysis.adjusting import NO_TEXT, Covaried, covaried, moments_from
from abtest.analysis.arms import Arm, arm_of
from abtest.analysis.compare import Setting
from abtest.analysis.interval import interval_of
from abtest.analysis.procedures import Procedure, procedure_of, with_lift
from abtest.analysis.reading import always_valid
from abtest.analysis.result import DayPoint, Interval, NoTrajectory, Trajectory, WeekPoint
from abtest.language.model import Experiment, Metric
from abtest.language.statistical_tests import OF_RANKS, OF_TIMES
from abtest.metrics.cohorts import Change, Cohorts, cohort_sums, plus
from abtest.metrics.crossed import Covariates
from abtest.metrics.plan import Chain, Plan, last_day
from abtest.metrics.sums import Grid
from abtest.metrics.units import Values
from abtest.sources.engine import Engine
from abtest.sources.units import day_number
from abtest.stats.inference import Inference

FIRST_LOOK = 100
"""Units that every variant must have before the first point, and in every week: the band holds for many units
(`stats.sequential`), and a curve over fewer is mostly noise."""
WEEK = 7
ADJUSTED = frozenset({"cuped", "lin", "lin_hc2", "post_stratified"})
Arms = Mapping[str, Mapping[str, Arm]]


@dataclass(frozen=True)
class Block:
    """The units that became complete from the day after the block before up to `day`, per variant. `week`: that in which
    the last of them entered; `days`: of how many days they are."""

    day: int
    week: int
    days: int
    changes: tuple[Change | None, ...]


def trajectories(
    engine: Engine,
    values: Values,
    experiment: Experiment,
    metrics: tuple[Metric, ...],
    covariates: Covariates,
    grid: Mapping[str, Grid],
    binary: frozenset[str],
    setting: Setting,
    plan: Plan,
    by_variant: Arms,
    min_cell: int,
) -> dict[str, tuple[Trajectory, ...]]:
    """Per goal, one for each treatment; all goals from one pass over the units."""
    goals = {u.name for u in experiment.metrics if u.role == "goal"}
    asked = tuple(m for m in metrics if m.name in goals)
    chains = {t.metric.name: t.chain for t in plan.all_tasks}
    refused = {m.name: refusal(m, chains.get(m.name), experiment) for m in asked}
    open_ = tuple(m for m in asked if refused[m.name] is None)
    cohorts = cohort_sums(engine, values, open_, covariates, grid, binary) if open_ else {}
    found: dict[str, tuple[Trajectory, ...]] = {}
    for metric in asked:
        reason = refused[metric.name]
        if reason is not None:
            found[metric.name] = tuple(Trajectory(v.id, "no_test", reason) for v in experiment.treatments)
            continue
        made = _Metric(metric, chains[metric.name], experiment, setting, by_variant[metric.name], min_cell)
        found[metric.name] = made.trajectories(cohorts[metric.name])
    return found


def refusal(metric: Metric, chain: Chain | None, experiment: Experiment) -> NoTrajectory | None:
    """Why a goal has no trajectory, whatever the data are; None where it may have one."""
    if chain is None:
        return "no_time"
    if experiment.start is None or experiment.end is None:
        return "no_dates"
    if experiment.cluster is not None:
        return "clustered"
    if metric.quantile is not None:
        return "quantile"
    if chain.last is None or chain.origin is not None or chain.last < 0:
        return "open_window"
    if metric.immature == "keep":
        return "immature_kept"
    return "chosen_test" if metric.test in (*OF_RANKS, *OF_TIMES) else None


class _Metric:
    def __init__(
        self,
        metric: Metric,
        chain: Chain,
        experiment: Experiment,
        setting: Setting,
        final: Mapping[str, Arm],
        min_cell: int,
    ) -> None:
        assert experiment.start is not None
        assert experiment.end is not None
        self.metric, self.setting, self.final = metric, setting, final
        self.ids = tuple(v.id for v in experiment.variants)
        self.treatments = tuple(v.id for v in experiment.treatments)
        self.baseline = experiment.baseline
        self.start = day_number(experiment.start)
        self.planned = day_number(experiment.end) - self.start + 1
        self.lag, self.through = last_day(chain), chain.through
        self.least, self.min_cell = max(min_cell, FIRST_LOOK), min_cell

    def trajectories(self, cohorts: Cohorts) -> tuple[Trajectory, ...]:
        days: dict[int, list[Change | None]] = {}
        for (exposed, variant), change in cohorts.items():
            days.setdefault(exposed, [None] * len(self.ids))[variant] = change
        steps = [
            Block(self.complete_on(day), (day - self.start) // WEEK + 1, 1, tuple(days[day])) for day in sorted(days)
        ]
        blocks = merged(steps, self.min_cell)
        # Data that end before the plan does: the last look is at its last day, whether or not units came in by then.
        reached = round(min(1.0, self.setting.progress) * self.planned)
        waiting = max(0, steps[0].day - 1) if steps else 0
        hidden = sum(b.days - 1 for b in blocks)
        return tuple(self._one(v, blocks, reached, waiting, hidden) for v in self.treatments)

    def complete_on(self, exposed: int) -> int:
        """The day of the experiment by whose end the units of a day of exposure are complete.

        On the elapsed clock some are so a few hours before; they count a day late at most, and never after the data end.
        """
        return max(1, min(exposed + self.lag, self.through) - self.start + 1)

    def _one(self, variant: str, blocks: Sequence[Block], reached: int, waiting: int, hidden: int) -> Trajectory:
        own = procedure_of(self.metric, self.final[variant], self.final[self.baseline])
        last = self.band(own, 1.0)
        if last.status != "ok":
            return Trajectory(variant, "no_test", "no_test", waiting=waiting)
        adjusted = last.method in ADJUSTED
        points: list[DayPoint] = []
        for day, units, procedure in self.looks(variant, blocks, reached):
            found = self.band(procedure, day / self.planned)
            # Days that could not be estimated in the way of the last one would make a step that no unit made.
            if found.status != "ok" or (found.method in ADJUSTED) != adjusted or not _bounded(found):
                continue
            assert found.absolute is not None
            points.append(DayPoint(day, units, interval_of(found.absolute), interval_of(found.relative)))
        if not points:
            return Trajectory(variant, "no_test", "few_units", waiting=waiting)
        crossed, since = left_zero(points)
        weeks = tuple(self.weeks(variant, blocks, adjusted))
        return Trajectory(variant, "ok", None, tuple(points), weeks, waiting, crossed, since, hidden)

    def looks(self, variant: str, blocks: Sequence[Block], reached: int) -> Iterator[tuple[int, int, Procedure]]:
        """Every date from the first with enough units to the last of the data, or of the last unit that was complete."""
        total: tuple[Change | None, ...] = (None,) * len(self.ids)
        last = max([reached, *(b.day for b in blocks)], default=0)
        procedure, units, left = None, 0, list(blocks)
        for day in range(blocks[0].day if blocks else 1, last + 1):
            fresh = False
            while left and left[0].day <= day:
                total = tuple(map(plus, total, left.pop(0).changes))
                fresh = True
            if fresh:
                treatment, control = self.arms(variant, total)
                units = treatment.used + control.used
                enough = min(treatment.used, control.used) >= self.least
                procedure = procedure_of(self.metric, treatment, control) if enough else None
            if procedure is not None:
                yield day, units, procedure

    def weeks(self, variant: str, blocks: Sequence[Block], adjusted: bool) -> Iterator[WeekPoint]:
        """Weeks of entry, each made of whole blocks; a week of few units is joined to the next, the last to the one
        before."""
        pair = (self.ids.index(variant), self.ids.index(self.baseline))
        for first, last, changes in weeks_of(blocks, self.least, pair):
            treatment, control = self.arms(variant, changes)
            procedure = procedure_of(self.metric, treatment, control)
            found = with_lift(procedure.infer(self.setting.plan.alpha, None), procedure, self.setting.plan.lift)
            if found.status != "ok" or (found.method in ADJUSTED) != adjusted or not _bounded(found):
                continue
            assert found.absolute is not None
            units = treatment.used + control.used
            yield WeekPoint(first, last, units, interval_of(found.absolute), self.relative(found))

    def relative(self, found: Inference) -> Interval | None:
        """A score such as NPS is an absolute number: it has no lift."""
        return None if self.metric.unit_of_value == "points" else interval_of(found.relative)

    def arms(self, variant: str, changes: Sequence[Change | None]) -> tuple[Arm, Arm]:
        by_id = dict(zip(self.ids, changes, strict=True))
        return arm(by_id[variant]), arm(by_id[self.baseline])

    def band(self, procedure: Procedure, progress: float) -> Inference:
        """As `compare` makes it for the last day."""
        plan = self.setting.plan
        alpha = plan.alpha * plan.monitoring if plan.method == "hybrid" else plan.alpha
        found, _ = always_valid(procedure, alpha, min(self.setting.progress, progress))
        found = with_lift(found, procedure, plan.lift)
        return replace(found, relative=None) if self.metric.unit_of_value == "points" else found


def arm(change: Change | None) -> Arm:
    """The units of one variant so far, with what they are adjusted by."""
    if change is None:
        return Arm(0, 0, 0, 0)
    made = arm_of(change.sums)
    if change.strata:
        named = ((NO_TEXT if t is None else f"={t}", moments_from(s)) for t, s in change.strata.items())
        return replace(made, covaried=Covaried(strata=tuple(sorted((t, m) for t, m in named if m is not None))))
    if change.crossed is not None:
        return replace(made, covaried=covaried(change.sums, change.crossed))
    return made


def merged(steps: Sequence[Block], min_cell: int) -> tuple[Block, ...]:
    """Steps joined until each adds `min_cell` units or more in every variant: with the next one, the last with the one
    before. A variant without any units at all hides nothing."""
    variants = range(len(steps[0].changes)) if steps else range(0)
    counted = [i for i in variants if any(s.changes[i] is not None for s in steps)]
    done = joined(steps, lambda b: all(_used(b.changes[i]) >= min_cell for i in counted))
    return tuple(done)


def weeks_of(
    blocks: Sequence[Block], least: int, variants: Sequence[int]
) -> list[tuple[int, int, tuple[Change | None, ...]]]:
    """(first week, last week, changes), each with `least` units or more in each of `variants`."""
    by_week: dict[int, Block] = {}
    for block in blocks:
        by_week[block.week] = _join(by_week[block.week], block) if block.week in by_week else block
    weeks = joined(list(by_week.values()), lambda b: all(_used(b.changes[i]) >= least for i in variants))
    found, first = [], min(by_week, default=1)
    for week in weeks:
        found.append((first, week.week, week.changes))
        first = week.week + 1
    return found


def joined(steps: Sequence[Block], enough: Callable[[Block], bool]) -> list[Block]:
    """Steps joined with the next until there is enough; what is left at the end is joined with the one before."""
    done: list[Block] = []
    waiting: Block | None = None
    for step in steps:
        waiting = step if waiting is None else _join(waiting, step)
        if enough(waiting):
            done.append(waiting)
            waiting = None
    if waiting is not None:
        done[-1:] = [_join(done[-1], waiting)] if done else [waiting]
    return done


def _join(one: Block, other: Block) -> Block:
    changes = tuple(map(plus, one.changes, other.changes))
    return Block(other.day, other.week, one.days + other.days, changes)


def left_zero(points: Sequence[DayPoint]) -> tuple[int | None, int | None]:
    """The first day on which the band lies beside zero, and the day since which it always has."""
    beside = [p.absolute.low is not None and p.absolute.high is not None and not p.absolute.low <= 0.0 <= p.absolute.high for p in points]  # fmt: skip
    crossed = next((p.day for p, out in zip(points, beside, strict=True) if out), None)
    since = None
    for point, out in zip(reversed(points), reversed(beside), strict=True):
        if not out:
            break
        since = point.day
    return crossed, since


def _used(change: Change | None) -> int:
    return 0 if change is None else change.sums.used


def _bounded(found: Inference) -> bool:
    return found.absolute is not None and found.absolute.low is not None and found.absolute.high is not None
