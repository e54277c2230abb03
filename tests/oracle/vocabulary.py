"""What random definitions may speak of: the events, surveys, groups and attributes of one random project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Word:
    """An event. `dates`: its source has no times. `others`: its rows belong to the unit of another column.

    `in_window`: it is counted once in the window of the metric.
    """

    name: str
    source: str
    dates: bool = False
    others: bool = False
    in_window: bool = False


@dataclass(frozen=True)
class Vocabulary:
    words: tuple[Word, ...]
    surveys: tuple[str, ...] = ()
    dated_surveys: tuple[str, ...] = ()
    attributes: bool = False
    looks_back: str | None = None
    sessions: bool = True
    days_since: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(w.name for w in self.words)

    @property
    def sessioned(self) -> tuple[str, ...]:
        """Events of which sessions can be asked: sessions are of the unit of the row, and need times."""
        return tuple(w.name for w in self.words if self.sessions and not w.dates and not w.others)

    @property
    def answers(self) -> tuple[str, ...]:
        return (*self.surveys, *self.dated_surveys)

    def only(self, fits: Callable[[Word], bool]) -> Vocabulary:
        return replace(self, words=tuple(w for w in self.words if fits(w)))

    def timed(self) -> Vocabulary:
        """For the elapsed clock."""
        return replace(self.only(lambda w: not w.dates), dated_surveys=())

    def in_sessions(self) -> Vocabulary:
        """For blocks that are sessions: one source with times, rows of the unit itself, no answers."""
        plain = self.only(lambda w: w.source == "app" and not w.others and not w.in_window)
        return replace(plain, surveys=(), dated_surveys=(), looks_back=None, days_since=False)

    def of_devices(self) -> Vocabulary:
        """For finer units."""
        return replace(self.only(lambda w: not w.others and not w.in_window), surveys=(), dated_surveys=())

    def looking_back(self, period: str | None) -> Vocabulary:
        return replace(self, looks_back=period)
