"""An interval that may be shown, and what it is in words."""

from __future__ import annotations

from dataclasses import dataclass

from abtest.analysis.interval import Interval


@dataclass(frozen=True)
class Shown:
    """The interval that may be shown for a comparison: relative or absolute, ordinary or always valid."""

    interval: Interval
    relative: bool
    band: bool
    scale: str = "value"

    @property
    def bounds(self) -> tuple[float | None, float, float | None]:
        return self.interval.low, self.interval.estimate, self.interval.high


@dataclass(frozen=True)
class Change:
    """A shown interval in words.

    `bare_interval` leaves out the word for points; `size` is the rounded estimate without sign, for "by about".
    """

    estimate: str
    interval: str
    bare_interval: str
    low: str | None
    high: str | None
    label: str
    size: str
