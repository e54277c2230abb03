"""What a project measures, as frozen values: windows, folds, kinds, groups and the metric itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from abtest.language.conditions import Condition, Measure, Rank, Span, Where
from abtest.language.source_model import nowhere
from abtest.language.words import Translated, Wording
from abtest.language.yaml import Text
from abtest.problems import Place

MetricKind = Literal[
    "did", "amount", "ratio", "quantile", "funnel", "time_to", "group", "survey", "retention", "churn", "column",
]  # fmt: skip
Clock = Literal["date", "elapsed", "calendar"]
Tick = Literal["day", "hour", "minute"]
FoldName = Literal["share", "ever", "always", "last", "count", "streak", "mean", "sum", "min", "max"]


@dataclass(frozen=True)
class Window:
    """Ticks after exposure, both inclusive; a tick is a day unless `tick` says otherwise, day 0 = the date of exposure.

    `last` None: open until the data end. `first` None: all history. Negative: before exposure. `end`: ticks count from
    the last complete date (0), for units exposed on the first of them or earlier.
    """

    first: int | None = 0
    last: int | None = None
    tick: Tick = "day"
    end: bool = False

    @property
    def fixed(self) -> bool:
        """Equally long for every unit."""
        return self.last is not None and self.first is not None

    @property
    def days(self) -> int | None:
        """Its length in ticks."""
        return None if self.last is None or self.first is None else self.last - self.first + 1

    @property
    def before(self) -> bool:
        """Whether it lies wholly before exposure."""
        return self.last is not None and self.last < 0

    def __str__(self) -> str:
        if self.first is None:
            return "lifetime"
        if self.last is None:
            return "whole" if self.first == 0 else f"from day {self.first}"
        length = self.last - self.first + 1
        if self.end or self.before or self.tick != "day" or (self.first == 0 and self.last > 0):
            word = "last" if self.end else "before" if self.before else "first"
            return f"{word} {length} {self.tick}{'s' * (length != 1)}"
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
class Cap:
    """Values above are set to it: a number, or a percentile (fraction `size`) of all or of the nonzero values."""

    size: float
    of: Literal["value", "all", "nonzero"] = "value"

    def __str__(self) -> str:
        if self.of == "value":
            return f"{self.size:g}"
        return f"{100 * self.size:.10g}%{' of nonzero' if self.of == 'nonzero' else ''}"


@dataclass(frozen=True)
class Missing:
    """What a unit (or block) without a value counts as; `value` None: it is left out."""

    value: float | None


@dataclass(frozen=True)
class Quantile:
    """`at` is a fraction; over all events, or over the values of units."""

    at: float
    across: Literal["events", "units"]


@dataclass(frozen=True)
class Step:
    """One step of a funnel: an event, under the name it is shown with."""

    name: str
    event: str


@dataclass(frozen=True)
class Funnel:
    """Events in order of time. Each at most `within` seconds after the one before (`from_exposure`: the first after
    exposure likewise); all rows share the property `same`, neighbours differ in `different`."""

    steps: tuple[Step, ...]
    within: int | None = None
    from_exposure: bool = False
    same: str | None = None
    different: str | None = None


@dataclass(frozen=True)
class GroupUse:
    """Which part of a group a metric is: one cell or rung (`is`), a rung and all above it, the rank, the rank
    in degrees (the highest rung is 100), or the shares."""

    group: str
    how: Literal["is", "at_least", "rank", "degrees", "share"]
    cell: str | None = None

    @property
    def ranked(self) -> bool:
        """Whether the value is how high a unit stands."""
        return self.how in ("rank", "degrees")

    @property
    def whole(self) -> bool:
        """Whether the metric speaks of all levels or cells, and not of one."""
        return self.ranked or self.how == "share"


@dataclass(frozen=True)
class Ladder:
    """Rungs from the top down; a unit stands on the first that holds, else on `otherwise`. `climb`: a rung counts only
    when all below it hold too."""

    rungs: tuple[tuple[str, Condition], ...]
    otherwise: str
    climb: bool = False


@dataclass(frozen=True)
class Cross:
    """Up to four letters, each true, false or unknown; `names` are titles of cells such as `F_N`."""

    letters: tuple[tuple[str, Condition], ...]
    names: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Group:
    """A partition of units. `timing` holds the `per`, `over` and `clock` that its metrics take over. `advice`: what to do
    for the units of a cell or level, and for those whose cell is `unknown`."""

    name: str
    form: Ladder | Cross
    timing: Timing
    written: tuple[Written, ...] = field(default=(), compare=False)
    title: str = ""
    description: str | None = None
    place: Place = field(default_factory=nowhere, compare=False)
    cannot: str | None = None
    origin: str | None = None
    advice: tuple[tuple[str, Wording], ...] = ()
    translated: Translated = field(default=(), compare=False)


@dataclass(frozen=True)
class Timing:
    """When a metric looks: window, clock, blocks, and where the window starts.

    `per` is the length of a block in ticks of the window; `per_unit` "month" and "session" have no fixed length (then
    `per` is 1). `within`: days after exposure in which `starting_at` must come.
    """

    window: Window | None = None
    clock: Clock = "date"
    per: int | None = None
    per_unit: Literal["tick", "month", "session"] = "tick"
    rolling: bool = False
    starting_at: str | None = None
    within: int | None = None


@dataclass(frozen=True)
class Among:
    """Only units that pass: a test of attributes of `source`, or a condition over the `days` before exposure."""

    where: Where | None = None
    source: str = ""
    condition: Condition | None = None
    days: int = 0


@dataclass(frozen=True)
class Adjust:
    """What the estimate is adjusted by: `metrics` (windows before exposure), `attributes` (source, property), or, with
    neither, nothing. A metric without `adjust` takes the default."""

    metrics: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()


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
    """A tiny log of one unit and the value it must give; `given` are attributes (`people.plan`) of the unit."""

    events: tuple[ExampleEvent, ...]
    expect: float
    text: str
    given: tuple[tuple[str, str], ...] = ()
    place: Place = field(default_factory=nowhere, compare=False)


@dataclass(frozen=True)
class Written:
    """One text of a definition and what it was read as, so that a problem can point to the very word."""

    part: Condition | Measure | Column | Funnel
    text: Text

    def span(self, at: Span) -> Place:
        return self.text.span(*at)


FINER_UNITS = ("session", "device", "browser", "cookie", "visit", "page", "order")
"""Units of which one person has several. Anything else may hold several people, who could see both variants."""


@dataclass(frozen=True)
class Metric:
    """One number per unit. What it is made of depends on `kind`: `condition` (did, retention, churn, time_to, groups),
    `measure` (amount, quantile, survey), `parts` (ratio: numerator and denominator), `rank` (group as rank), `funnel`
    or `column`.

    `cannot`: what it does not tell; `origin`: whose definition it is; `guardrail`: the metric that should stand beside it.
    `known`: the value is missing for units for whom this does not hold (cells of a cross). `part_of`: the metric of
    which this is one part, such as a step of a funnel; nobody wrote it.
    """

    name: str
    kind: MetricKind
    condition: Condition | None = None
    measure: Measure | None = None
    parts: tuple[RatioPart, RatioPart] | None = None
    rank: Rank | None = None
    funnel: Funnel | None = None
    quantile: Quantile | None = None
    column: Column | None = None
    group: GroupUse | None = None
    survey: str | None = None
    known: Condition | None = None
    window: Window = Window()
    clock: Clock = "date"
    per: int | None = None
    per_unit: Literal["tick", "month", "session"] = "tick"
    rolling: bool = False
    starting_at: str | None = None
    within: int | None = None
    fold: Fold | None = None
    unit: str | None = None
    among: Among | None = None
    better: Literal["higher", "lower"] | None = None
    margin: Margin | None = None
    cap: Cap | None = None
    missing: Missing | None = None
    adjust: Adjust | None = None
    test: str | None = None
    immature: Literal["drop", "keep"] = "drop"
    show: Literal["histogram", "dose"] | None = None
    title: str = ""
    description: str | None = None
    cannot: str | None = None
    origin: str | None = None
    guardrail: str | None = None
    translated: Translated = field(default=(), compare=False)
    owner: str | None = None
    version: int | None = None
    status: Literal["draft", "certified", "deprecated"] | None = None
    use: str | None = None
    uses: str | None = None
    dimension: str | None = None
    phase: str | None = None
    tags: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    unit_of_value: str = "number"
    part_of: str | None = None
    written: tuple[Written, ...] = field(default=(), compare=False)
    margin_place: Place | None = field(default=None, compare=False)
    place: Place = field(default_factory=nowhere, compare=False)
    places: tuple[tuple[str, Place], ...] = field(default=(), compare=False)

    def at(self, key: str) -> Place:
        """Where the value of a key stands."""
        return dict(self.places).get(key, self.place)

    @property
    def pooled(self) -> bool:
        """Whether the value of a unit is a pair, numerator and denominator, to be added up over units."""
        return self.kind == "ratio" or self.per_unit == "session" or self.unit in FINER_UNITS

    @property
    def yes_or_no(self) -> bool:
        """Whether the value of a unit (or, when pooled, of each of its parts) is 0 or 1 by definition."""
        if self.kind == "funnel":
            return True
        if self.condition is None or self.kind == "time_to":
            return False
        fold = self.fold
        return self.per is None or fold is None or fold.operator is not None or fold.name in ("ever", "always", "last")

    @property
    def text(self) -> tuple[tuple[str, str], ...]:
        """The definition as written, for messages: its kind, or `of` and `to`, and the text."""
        texts = [w.text.value for w in self.written]
        if self.kind == "ratio":
            return tuple(zip(("of", "to"), texts, strict=False))
        return ((self.kind, "; ".join(texts)),)


RatioPart = Condition | Measure | Column
Part = Condition | Measure | Rank
"""What is computed per block."""
