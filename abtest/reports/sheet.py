"""A page about a past, before it is a page: sections of sentences, tables and grids. HTML and terminal show the same."""

from __future__ import annotations

from dataclasses import dataclass

from abtest.analysis.interval import Interval
from abtest.analysis.past_model import About, History
from abtest.reports.language import Words
from abtest.reports.numbers import by_size
from abtest.reports.svg import Mark, Scale, Tick, forest_scale, mark, ticks
from abtest.reports.text import clean

SHADES = 6


@dataclass(frozen=True)
class Axis:
    """Under the plots of a table: where labels stand."""

    ticks: tuple[tuple[Tick, str], ...]
    zone: str = ""
    dashed: str = ""


@dataclass(frozen=True)
class Table:
    """`right`: columns of numbers; `code`: columns of YAML. `plots`: an interval per row, on `axis`."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    right: tuple[int, ...] = ()
    code: tuple[int, ...] = ()
    plots: tuple[Mark | None, ...] = ()
    axis: Axis | None = None


@dataclass(frozen=True)
class Square:
    """One cell of a grid: its number, its shade (l0 to l5, or empty), and what a pointer over it says."""

    text: str
    shade: str
    tip: str
    written: bool = False


@dataclass(frozen=True)
class Heat:
    """A grid: a row per value of the first threshold, a column per value of the second. `corner`: what all columns share."""

    caption: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Square, ...]], ...]


@dataclass(frozen=True)
class Part:
    """A section. `warnings` stand out."""

    name: str
    title: str
    leads: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    heats: tuple[Heat, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    kicker: str
    title: str
    page: str
    subs: tuple[str, ...]
    parts: tuple[Part, ...]
    footer: str


class Say:
    """Words and numbers of one past in one language."""

    def __init__(self, words: Words, about: About, history: History, min_cell: int) -> None:
        self.words, self.about, self.history, self.min_cell = words, about, history, min_cell
        self.numbers = words.numbers
        known = words.known("randomised", about.unit)
        self.unit = words(f"{known}.name", unit=clean(about.unit)).lower()
        self.single = words(f"{known}.single", unit=clean(about.unit))

    def __call__(self, key: str, /, **slots: str) -> str:
        return self.words(f"past.{key}", **{"unit": self.unit, **slots})

    def listed(self, key: str) -> tuple[str, ...]:
        return tuple(text.format(unit=self.unit) for text in self.words.get(f"past.{key}"))

    def whole(self, number: float) -> str:
        return self.numbers.integer(number)

    def percent(self, share: float | None, decimals: int = 1) -> str:
        return self("none") if share is None else self.numbers.fixed(100 * share, decimals) + "%"

    def plain(self, value: float | None, decimals: int = 2) -> str:
        return self("none") if value is None else self.numbers.fixed(value, decimals)

    def amount(self, value: float | None) -> str:
        """A value in the unit of the metric."""
        if value is None:
            return self("none")
        unit = self.about.unit_of_value
        if unit == "share":
            return self.percent(value, 1 if abs(value) >= 0.001 or value == 0 else 2)
        shown = self.numbers.fixed(value, by_size(value))
        suffix = {"duration s": "s", "number": ""}.get(unit, unit.removeprefix("money "))
        return f"{shown} {suffix}".rstrip()

    def change(self, value: float) -> str:
        """A change in the unit of the metric; of shares in points."""
        if self.about.unit_of_value != "share":
            return self.amount(value)
        return self("points", n=self.numbers.fixed(100 * value, 1 if value >= 0.0095 else 2))

    def bounds(self, found: Interval, show: str = "percent") -> str:
        """The two ends of an interval."""
        low, high = (self.shown(end, show) for end in (found.low, found.high))
        return self("to", low=low, high=high)

    def shown(self, value: float | None, show: str) -> str:
        """A number as a `percent`, as an `amount` of the metric, or `plain`."""
        if show == "percent":
            return self.percent(value)
        return self.amount(value) if show == "amount" else self.plain(value)

    def points(self, value: float | None) -> str:
        return self("none") if value is None else self.numbers.fixed(100 * value, 1, sign=True)

    def day(self, iso: str) -> str:
        year, month, day = iso.split("-")
        months = self.words.get("format.months")
        return self.words("format.date", day=str(int(day)), month=months[int(month) - 1], year=year)

    def subs(self) -> tuple[str, ...]:
        """What is looked at, for the head of the page."""
        h = self.history
        found = [
            self(
                "sub", source=clean(h.source), start=self.day(h.start), end=self.day(h.end),
                units=self.whole(h.units), used=self.whole(h.used),
            )
        ]  # fmt: skip
        if h.before is not None:
            found.append(self("before", id=clean(h.before)))
        if h.immature:
            found.append(self("immature", n=self.whole(h.immature)))
        return tuple(found)

    def title(self) -> str:
        return clean(self.about.title)

    def meaning(self) -> str:
        return dict(self.about.meanings).get(self.words.language, self.about.meaning)

    def definition(self) -> Part:
        return Part("definition", self("nav.definition"), (self.meaning(), self("entry")))

    def missing(self, why: str, days: int) -> str:
        return self(f"unavailable.{why}", days=str(days))

    def why_unadjusted(self, code: str) -> str:
        """Why a metric has no adjustment."""
        return self.words(self.words.known("planning.unadjusted", code), code=code)

    def forest(self, intervals: list[Interval | None], labels: str) -> tuple[tuple[Mark | None, ...], Axis]:
        """The plots of a column of intervals, and their axis."""
        known = [(i.low, i.estimate, i.high) for i in intervals if i is not None]
        scale: Scale = forest_scale(known)
        axis = Axis(tuple((t, self.shown(t.value, labels)) for t in ticks(scale, 3)))
        return tuple(None if i is None else mark(scale, (i.low, i.estimate, i.high)) for i in intervals), axis


def shade(value: float, low: float, high: float) -> str:
    """The place of a value in the ramp from `low` to `high`.

    >>> shade(0.0, 0.0, 1.0), shade(0.5, 0.0, 1.0), shade(1.0, 0.0, 1.0), shade(2.0, 2.0, 2.0)
    ('l0', 'l3', 'l5', 'l0')
    """
    if high <= low:
        return "l0"
    return f"l{min(SHADES - 1, int(SHADES * (value - low) / (high - low)))}"
