"""What a project reads, as frozen values: sources, their columns, events and surveys.

Each definition carries the place where it stands, which does not count for equality.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from abtest.language.conditions import Where
from abtest.language.words import Translated, Wording
from abtest.language.yaml import Text
from abtest.problems import Place

SourceKind = Literal["events", "exposures", "attributes", "outcomes", "answers"]
PropertyType = Literal["number", "text", "flag", "date", "money", "duration"]
TimeFormat = Literal["auto", "iso", "date", "day number", "epoch auto", "epoch s", "epoch ms", "epoch us"]
NOWHERE = Place("", 1, 1)


def nowhere() -> Place:
    return NOWHERE


@dataclass(frozen=True)
class Property:
    """A typed column of a source. `factor` turns the stored number into the declared unit (ms -> s is 0.001)."""

    name: str
    path: str
    type: PropertyType
    unit: str | None = None
    factor: float = 1.0
    place: Place = field(default_factory=nowhere, compare=False)


@dataclass(frozen=True)
class TimeColumn:
    path: str
    format: TimeFormat = "auto"
    day_1: date | None = None


@dataclass(frozen=True)
class Source:
    """One kind of exported file. Paths are column names, or dotted paths into nested records.

    `units` maps a unit (`user`) to its path; "row number" means that each row is a unit of its own.
    """

    name: str
    kind: SourceKind
    files: tuple[str, ...]
    units: tuple[tuple[str, str], ...]
    event: str | None = None
    event_constant: str | None = None
    id: str | None = None
    variant: str | None = None
    flag: str | None = None
    session: str | None = None
    time: TimeColumn | None = None
    properties: tuple[Property, ...] = ()
    where: Where | None = None
    ignore: tuple[tuple[str, Where], ...] = ()
    dedupe: tuple[str, ...] = ()
    settle: int = 0
    complete_through: date | None = None
    timezone: str | None = None
    known_before_exposure: bool = False
    place: Place = field(default_factory=nowhere, compare=False)

    def property(self, name: str) -> Property | None:
        return next((p for p in self.properties if p.name == name), None)

    def unit_path(self, unit: str) -> str | None:
        return dict(self.units).get(unit)


@dataclass(frozen=True)
class Once:
    """Rows with one value of `prop` count once: per local hour, day, week (Monday) or month, per session, or, without
    `period`, once in the window of the metric. Rows without the property count each."""

    prop: str
    period: Literal["hour", "day", "week", "month", "session"] | None = None


@dataclass(frozen=True)
class Event:
    """Rows of an events source that count as one happening. `names` empty: every row of the source.

    `units` says in which column the unit of this event stands, where that is not the unit of its row. `nth`: only the
    n-th such row of a unit in all its history. `before_exposure`: as a starting point it may lie before exposure.
    `survey`: the rows are the answers to this survey; they have the properties `answer` and `score`.
    """

    name: str
    source: str
    names: tuple[str, ...]
    where: Where | None = None
    units: tuple[tuple[str, str], ...] = ()
    nth: int | None = None
    once: Once | None = None
    before_exposure: bool = False
    survey: Survey | None = None
    place: Place = field(default_factory=nowhere, compare=False)
    where_text: Text | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Survey:
    """Answers to one question, or to several items of one scale.

    `low`, `high`: the scale of numbers; `labels`: the scale of words, in order. `score`: "mean", "nps", "top" (the
    `top` best answers count 1) or "share" (of `label`). `need` of the items must be answered. `take`: which answer of
    a unit counts within the window. `questions`: what each of the columns asked.
    """

    name: str
    source: str
    columns: tuple[str, ...]
    items: bool
    score: Literal["mean", "nps", "top", "share"]
    low: int | None = None
    high: int | None = None
    labels: tuple[str, ...] = ()
    top: int = 0
    label: str | None = None
    reversed: tuple[str, ...] = ()
    need: int = 1
    take: Literal["last", "first", "mean"] = "last"
    place: Place = field(default_factory=nowhere, compare=False)
    title: str = field(default="", compare=False)
    description: str | None = field(default=None, compare=False)
    cannot: str | None = field(default=None, compare=False)
    origin: str | None = field(default=None, compare=False)
    questions: tuple[tuple[str, Wording], ...] = field(default=(), compare=False)
    translated: Translated = field(default=(), compare=False)

    @property
    def event(self) -> str:
        """The event that its answers are: no name that anybody can write, so it clashes with none."""
        return f"{self.name}.answers"
