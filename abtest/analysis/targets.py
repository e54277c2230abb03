"""What shipping would bring: the value per unit of each variant, times the units that there will be.

The units to come are read off the exposures: as many new ones a day as in the last two weeks of enrolment. That is a
projection and no estimate, so only the value per unit has an interval; where there were no two weeks, the analyst says
how many units to expect, or nothing is said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from abtest.analysis.arms import Arm
from abtest.analysis.interval import Interval
from abtest.analysis.projections import State, TargetResult, TargetValue
from abtest.language.beside_model import Target
from abtest.language.model import Experiment
from abtest.stats.distributions import critical_value
from abtest.stats.moments import Moments
from abtest.stats.proportions import wilson

HISTORY_DAYS = 14
"""Of enrolment, two of each weekday: fewer do not tell how many new units a day brings."""
LONGEST_DAYS = 3653
"""Ten years: nobody believes a projection that goes further."""
MONTH_DAYS = 365.25 / 12
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Enrolment:
    """Units first exposed per day (days since 1970), and the last day that counts."""

    per_day: Mapping[int, int]
    last: int

    @property
    def units(self) -> int:
        return sum(self.per_day.values())

    @property
    def new_a_day(self) -> float | None:
        """Over the last two weeks; None where enrolment was shorter."""
        if not self.per_day or self.last - min(self.per_day) + 1 < HISTORY_DAYS:
            return None
        return sum(n for day, n in self.per_day.items() if self.last - HISTORY_DAYS < day <= self.last) / HISTORY_DAYS


def enrolment_of(experiment: Experiment, per_day: Mapping[int, int]) -> Enrolment:
    """The last day of exposures may be half a day where more are to come, so that it counts only once enrolment is over."""
    last = max(per_day, default=0)
    until = experiment.enroll_until or experiment.end
    over = until is not None and last >= (until - EPOCH).days
    return Enrolment(per_day, last if over else last - 1)


def targets_of(
    experiment: Experiment, arms: Mapping[str, Mapping[str, Arm]], enrolment: Enrolment
) -> tuple[TargetResult, ...]:
    """One result per number to reach, in the order they are written. Of whole clusters no interval is made."""
    found = []
    for target in experiment.targets:
        alpha = experiment.plan.alpha
        each = {v: value_of(arm, alpha) for v, arm in arms[target.metric].items() if not arm.clustered}
        own = {v: i for v, i in each.items() if i is not None}
        if target.reach is not None and target.by is not None:
            found.append(_by_date(target, target.reach, target.by, own, enrolment))
        if target.monthly is not None:
            found.append(_monthly(target, target.monthly, own, enrolment))
    return tuple(found)


def value_of(arm: Arm, alpha: float) -> Interval | None:
    """The mean of a variant with its own interval: Wilson's for yes or no, else Student's. None below two units."""
    if arm.counts is not None and arm.counts.n:
        return Interval(arm.counts.rate, *wilson(arm.counts, alpha=alpha))
    if arm.moments is None or arm.moments.n < 2:
        return None
    return _mean(arm.moments, alpha)


def _mean(moments: Moments, alpha: float) -> Interval:
    half = critical_value(alpha, moments.n - 1) * moments.standard_error
    return Interval(moments.mean, moments.mean - half, moments.mean + half, moments.standard_error)


def _by_date(
    target: Target, number: float, by: date, own: Mapping[str, Interval], enrolment: Enrolment
) -> TargetResult:
    rate, seen = enrolment.new_a_day, enrolment.units
    result = TargetResult(target.metric, number, by.isoformat(), None, seen, rate, target.units is not None)
    if target.units is None and rate is None:
        return replace(result, reason="no_history")
    if not own:
        return replace(result, reason="no_value")
    ahead = (by - EPOCH).days - enrolment.last
    units = target.units if target.units is not None else seen + (rate or 0.0) * max(0, ahead)
    moving = None if target.units is not None else rate
    values = tuple(
        TargetValue(v, total := _times(i, units), _state(total, number), _date(number, i.estimate, moving, enrolment))
        for v, i in own.items()
    )
    return replace(result, units=units, values=values)


def _monthly(target: Target, number: float, own: Mapping[str, Interval], enrolment: Enrolment) -> TargetResult:
    rate = enrolment.new_a_day
    result = TargetResult(target.metric, number, None, None, enrolment.units, rate)
    if rate is None:
        return replace(result, reason="no_history")
    if not own:
        return replace(result, reason="no_value")
    units = rate * MONTH_DAYS
    values = tuple(TargetValue(v, total := _times(i, units), _state(total, number)) for v, i in own.items())
    return replace(result, units=units, values=values)


def _times(value: Interval, units: float) -> Interval:
    low, high = (None if bound is None else bound * units for bound in (value.low, value.high))
    return Interval(value.estimate * units, low, high)


def _state(total: Interval, number: float) -> State:
    if total.low is not None and total.low >= number:
        return "reached"
    return "missed" if total.high is not None and total.high < number else "open"


def _date(number: float, value: float, rate: float | None, enrolment: Enrolment) -> str | None:
    """When the estimate gets there, at the present pace; units that are there already count at once."""
    if rate is None or value <= 0.0:
        return None
    lacking = number / value - enrolment.units
    if lacking > 0.0 and (rate <= 0.0 or lacking / rate > LONGEST_DAYS):
        return None
    days = math.ceil(lacking / rate) if lacking > 0.0 else 0
    return (EPOCH + timedelta(days=enrolment.last + days)).isoformat()
