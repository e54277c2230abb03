"""Ticks and blocks: how one unit's time is numbered, and where its blocks lie."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from abtest.language.model import Metric, Tick

from .log import Moment, local_date, start_of

DAY = timedelta(days=1)
LENGTH = {"day": DAY, "hour": timedelta(hours=1), "minute": timedelta(minutes=1)}
NEVER = -(10**9)


@dataclass(frozen=True)
class Clock:
    """Numbers the ticks from an instant that lies on `day`: local dates, or stretches of `length`."""

    start: datetime
    day: date
    timezone: str
    length: timedelta | None = None

    def tick(self, at: Moment) -> int:
        if self.length is None:
            return (local_date(at, self.timezone) - self.day).days
        if not isinstance(at, datetime):
            raise ValueError("a source of dates has no hours, so the elapsed clock cannot count them")
        return (at - self.start) // self.length

    def last_complete(self, through: date) -> int:
        """The last tick that ends at or before the end of a date."""
        if self.length is None:
            return (through - self.day).days
        if through == date.min:
            return NEVER
        return (start_of(through + DAY, self.timezone) - self.start) // self.length - 1

    def date_of(self, tick: int) -> date:
        """The local date on which a tick starts."""
        if self.length is None:
            return self.day + tick * DAY
        return local_date(self.start + tick * self.length, self.timezone)

    def day_of(self, tick: int) -> int:
        """The number of the day (a date, or 24 hours) in which a tick lies."""
        return tick if self.length is None else tick * self.length // DAY

    def ticks_in(self, days: int) -> int:
        return days if self.length is None else days * DAY // self.length


def clock_of(metric: Metric, start: datetime, day: date, timezone: str) -> Clock:
    """The clock of a metric. `before N days`, `last N days` and `lifetime` are made of dates whatever it says."""
    window = metric.window
    dates = window.before or window.end or window.first is None
    elapsed = (metric.clock == "elapsed" or window.tick != "day") and not dates
    return Clock(start, day, timezone, _length(window.tick) if elapsed else None)


def _length(tick: Tick) -> timedelta:
    return LENGTH[tick]


@dataclass(frozen=True)
class Grid:
    """All blocks of one unit, before, in and after the window; block 0 is the first of the window.

    On the calendar block 0 is the week or month in which day 0 lies.
    """

    first: int
    size: int
    step: int
    months: date | None = None

    def span(self, number: int) -> range:
        """The ticks of a block."""
        if self.months is None:
            first = self.first + number * self.step
            return range(first, first + self.size)
        return range(
            (_month(self.months, number) - self.months).days, (_month(self.months, number + 1) - self.months).days
        )

    def inside(self, ticks: range) -> list[int]:
        """The numbers of the blocks that lie wholly in `ticks`."""
        number, found = 0, []
        while len(ticks) and self.span(number).start < ticks.stop:
            span = self.span(number)
            if span.start >= ticks.start and span.stop <= ticks.stop:
                found.append(number)
            number += 1
        return found


def _month(day: date, ahead: int) -> date:
    """The first of the month `ahead` months later.

    >>> _month(date(2026, 1, 31), 1), _month(date(2026, 1, 31), -1)
    (datetime.date(2026, 2, 1), datetime.date(2025, 12, 1))
    """
    months = day.year * 12 + day.month - 1 + ahead
    return date(months // 12, months % 12 + 1, 1)


def grid_of(metric: Metric, clock: Clock, ticks: range) -> Grid:
    """The blocks of `per`, or the whole window as the only block."""
    if metric.per is None:
        return Grid(ticks.start, len(ticks), max(1, len(ticks)))
    if metric.rolling and metric.window.tick != "day":
        raise NotImplementedError("rolling blocks of hours")
    if metric.per_unit == "month":
        return Grid(0, 0, 0, clock.day)
    if metric.clock == "calendar" and metric.per == 7:
        return Grid(-clock.day.weekday(), 7, 7)
    return Grid(ticks.start, metric.per, 1 if metric.rolling else metric.per)


Reason = Literal["immature", "missing"]
