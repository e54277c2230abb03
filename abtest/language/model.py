"""What a project means, as frozen values: sources, events, metrics and experiments, all names resolved.

Times are calendar dates (`datetime.date`) and whole days; fractions are fractions (5 % is 0.05). Each definition
carries the place where it stands, which does not count for equality.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

from abtest.language.conditions import Condition, Measure, Span, Where
from abtest.language.yaml import Text
from abtest.problems import Place

SourceKind = Literal["events", "exposures", "attributes", "outcomes"]
PropertyType = Literal["number", "text", "flag", "date", "money", "duration"]
TimeFormat = Literal["auto", "iso", "date", "day number", "epoch auto", "epoch s", "epoch ms", "epoch us"]
MetricKind = Literal["did", "amount", "ratio", "retention", "column"]
FoldName = Literal["share", "ever", "always", "last", "count", "streak", "mean", "sum", "min", "max"]
NOWHERE = Place("", 1, 1)


def _place() -> Place:
    return NOWHERE


@dataclass(frozen=True)
class Property:
    """A typed column of a source. `factor` turns the stored number into the declared unit (ms -> s is 0.001)."""

    name: str
    path: str
    type: PropertyType
    unit: str | None = None
    factor: float = 1.0
    place: Place = field(default_factory=_place, compare=False)


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
    time: TimeColumn | None = None
    properties: tuple[Property, ...] = ()
    where: Where | None = None
    ignore: tuple[tuple[str, Where], ...] = ()
    dedupe: tuple[str, ...] = ()
    settle: int = 0
    complete_through: date | None = None
    timezone: str | None = None
    known_before_exposure: bool = False
    place: Place = field(default_factory=_place, compare=False)

    def property(self, name: str) -> Property | None:
        return next((p for p in self.properties if p.name == name), None)

    def unit_path(self, unit: str) -> str | None:
        return dict(self.units).get(unit)


@dataclass(frozen=True)
class Event:
    """Rows of an events source that count as one happening. `names` empty: every row of the source."""

    name: str
    source: str
    names: tuple[str, ...]
    where: Where | None = None
    place: Place = field(default_factory=_place, compare=False)
    where_text: Text | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Window:
    """Days after exposure, both inclusive, day 0 = the date of exposure. `last` None: open until the data end."""

    first: int = 0
    last: int | None = None

    @property
    def fixed(self) -> bool:
        return self.last is not None

    @property
    def days(self) -> int | None:
        return None if self.last is None else self.last - self.first + 1

    def __str__(self) -> str:
        if self.last is None:
            return "whole" if self.first == 0 else f"from day {self.first}"
        if self.first == 0 and self.last > 0:
            return f"first {self.last + 1} days"
        return f"day {self.first}" if self.first == self.last else f"days {self.first}-{self.last}"


@dataclass(frozen=True)
class Fold:
    """How the blocks of `per` become one number: `share`, or `count >= 3` with operator and number."""

    name: FoldName
    operator: Literal["<", "<=", ">", ">=", "=", "!="] | None = None
    number: float | None = None

    def __str__(self) -> str:
        if self.operator is None:
            return self.name
        return (
            f"{self.name} {self.operator} {self.number:g}"
            if self.name != "share"
            else f"share {self.operator} {100 * (self.number or 0):g}%"
        )


@dataclass(frozen=True)
class Margin:
    """A tolerated worsening. Relative: a fraction of the baseline. Absolute: in the unit of the metric's value."""

    kind: Literal["relative", "absolute"]
    size: float
    text: str = field(default="", compare=False)


@dataclass(frozen=True)
class Column:
    """A column of an outcomes source as a unit value."""

    source: str
    name: str


@dataclass(frozen=True)
class ExampleEvent:
    """One line of an example: on day `day` at `minute` of the local day, `count` times `event` with properties."""

    day: int
    minute: int | None
    event: str
    count: int
    properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Example:
    events: tuple[ExampleEvent, ...]
    expect: float
    text: str
    place: Place = field(default_factory=_place, compare=False)


@dataclass(frozen=True)
class Written:
    """One text of a definition and what it was read as, so that a problem can point to the very word."""

    part: Condition | Measure | Column
    text: Text

    def span(self, at: Span) -> Place:
        return self.text.span(*at)


@dataclass(frozen=True)
class Metric:
    """One number per unit. Exactly one of `condition`, `measure`, `parts` and `column` is set, by `kind`.

    `parts` of a ratio are numerator and denominator: measures, conditions (counted per block) or columns.
    """

    name: str
    kind: MetricKind
    condition: Condition | None = None
    measure: Measure | None = None
    parts: tuple[RatioPart, RatioPart] | None = None
    column: Column | None = None
    window: Window = Window()
    per: int | None = None
    fold: Fold | None = None
    better: Literal["higher", "lower"] | None = None
    margin: Margin | None = None
    cap: float | None = None
    immature: Literal["drop", "keep"] = "drop"
    title: str = ""
    description: str | None = None
    owner: str | None = None
    version: int | None = None
    tags: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    unit_of_value: str = "number"
    written: tuple[Written, ...] = field(default=(), compare=False)
    margin_place: Place | None = field(default=None, compare=False)
    place: Place = field(default_factory=_place, compare=False)

    @property
    def text(self) -> tuple[tuple[str, str], ...]:
        """The definition as written, for messages: its kind, or `of` and `to`, and the text."""
        texts = [w.text.value for w in self.written]
        if self.kind == "ratio":
            return tuple(zip(("of", "to"), texts, strict=False))
        return ((self.kind, "; ".join(texts)),)


RatioPart = Condition | Measure | Column


@dataclass(frozen=True)
class Variant:
    id: str
    key: str
    share: float | None
    title: str
    place: Place = field(default_factory=_place, compare=False)


@dataclass(frozen=True)
class MetricUse:
    """A metric in an experiment, with what the experiment overrides."""

    name: str
    role: Literal["goal", "guardrail", "secondary", "explore"]
    margin: Margin | None = None
    detect: float | None = None
    place: Place = field(default_factory=_place, compare=False)
    margin_place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Segment:
    """A split by an attribute known before exposure."""

    name: str
    source: str
    prop: str
    place: Place = field(default_factory=_place, compare=False)


@dataclass(frozen=True)
class Plan:
    method: Literal["fixed", "sequential"] = "fixed"
    alpha: float = 0.05
    guardrail_alpha: float = 0.025
    power: float = 0.8
    detect: float | None = None
    correct_goal: Literal["holm", "none"] = "holm"
    correct_secondary: Literal["bh", "holm", "none"] = "none"
    srm_alpha: float = 0.001


@dataclass(frozen=True)
class DecideRule:
    """One named outcome: `tests` are (quantifier or metric, state) joined by `joiner`; empty tests = otherwise."""

    outcome: str
    verdict: Literal["ship", "dont_ship", "keep_running", "dont_decide"]
    joiner: Literal["and", "or"]
    tests: tuple[tuple[str, str, str], ...]
    text: str


@dataclass(frozen=True)
class Experiment:
    id: str
    title: str
    unit: str
    exposure_source: str
    flag: str | None
    variants: tuple[Variant, ...]
    baseline: str
    metrics: tuple[MetricUse, ...]
    exposure_where: Where | None = None
    flag_place: Place = field(default_factory=_place, compare=False)
    owner: str | None = None
    hypothesis: str | None = None
    start: date | None = None
    enroll_until: date | None = None
    end: date | None = None
    as_of: date | None = None
    only: Where | None = None
    exclude: Where | None = None
    mixed: Literal["drop", "first"] = "drop"
    segments: tuple[Segment, ...] = ()
    plan: Plan = Plan()
    decide: tuple[DecideRule, ...] = ()
    iteration_of: str | None = None
    changes: tuple[str, ...] = ()
    place: Place = field(default_factory=_place, compare=False)
    places: tuple[tuple[str, Place], ...] = field(default=(), compare=False)

    def at(self, key: str) -> Place:
        """Where the value of a key stands, such as `unit`, `exposure.source` or `decide.ship`."""
        return dict(self.places).get(key, self.place)

    @property
    def treatments(self) -> tuple[Variant, ...]:
        return tuple(v for v in self.variants if v.id != self.baseline)


@dataclass(frozen=True)
class Project:
    """Everything that the files of one folder define."""

    root: Path
    name: str
    timezone: str
    data: str
    sources: Mapping[str, Source]
    events: Mapping[str, Event]
    metrics: Mapping[str, Metric]
    experiments: Mapping[str, Experiment]
    min_cell: int = 10
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
