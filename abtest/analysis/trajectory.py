"""How the effect on a goal came about, day by day and week by week: part of `result.py`, which is where to import from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from abtest.analysis.interval import Interval

NoTrajectory = Literal[
    "no_time", "no_dates", "clustered", "quantile", "open_window", "immature_kept", "chosen_test", "few_units", "no_test",
]  # fmt: skip
"""Why there is none: the data or the metric know no time, the experiment has no dates that were fixed before, whole
clusters were randomised, the metric is a quantile, its window does not end a fixed time after exposure, units count
before their window is complete, the test asked for needs every value, no day has enough units, or none has a test."""


@dataclass(frozen=True)
class DayPoint:
    """The effect over all units that are complete by the end of `day` (1: the first of the experiment), with the band that
    holds on all days at once. `units`: of the treatment and the baseline."""

    day: int
    units: int
    absolute: Interval
    relative: Interval | None = None


@dataclass(frozen=True)
class WeekPoint:
    """The effect over the units that entered in weeks `first` to `last` of the experiment, with an ordinary interval."""

    first: int
    last: int
    units: int
    absolute: Interval
    relative: Interval | None = None


@dataclass(frozen=True)
class Trajectory:
    """One treatment against the baseline, one goal.

    `waiting`: the days of the experiment on which no unit was complete. `crossed`: the first day on which the band left
    zero; `clear_since`: the day from which it has not come back, None if it lies on zero at the end. Days of few units
    are added to a later one (`merged` of them), so that no difference of points tells of a small cell.
    """

    variant: str
    status: Literal["ok", "no_test"]
    reason: NoTrajectory | None = None
    points: tuple[DayPoint, ...] = ()
    weeks: tuple[WeekPoint, ...] = ()
    waiting: int = 0
    crossed: int | None = None
    clear_since: int | None = None
    merged: int = 0
