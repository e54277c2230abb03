"""What number one unit contributes to a metric: slow, one unit at a time, with exact fractions.

This is the second opinion against the compiled plan. It shares the parsed definition (`abtest.language`) with it and
nothing else: no engine, no tables, no floating sums.

**Units.** The local date of an instant is its date in the project's time zone. A unit takes part when it was exposed
in [start, end] (local dates, both inclusive). Otherwise, first reason that fits: `before_start` (any exposure before
the start), `outside` (none in the range), `late` (the first one in the range is after `enroll_until`), `mixed` (two
variants in the range; with the policy `first` the earliest exposure decides, at equal times the smaller key).
x is the instant of the first exposure in the range, D its local date.

**Completeness.** The last complete date of a source is its `complete_through`; or else, for a source of dates, its
last date; or else the local date of its latest row, less the days that it needs to settle, less one. Every row of the
source counts for that, of any name and any unit. T of a metric is the earliest of these over the sources it reads.

**Rows.** A row belongs to an event when its name is one of the event's names (no names: every row of the source) and
it passes the event's `where`. A missing property passes no test, negated or not, except `is missing`; `not (...)` in
front of tests is plain negation. A row counts for a unit when its time is >= x (source of dates: its date is >= D).
Its day number is its local date minus D. Only days of the window count, and only dates <= T.

**Blocks.** `per` cuts the window into blocks of P days from its first day. A block is complete when its last date is
<= T; the others do not exist. Without `per` the whole window is one block; an open window ends at T.

**Values over a block.** count; sum (0 over nothing); days = distinct dates with at least one row; mean, min, max. Rows
whose property is missing add nothing to the last four but `days`. A comparison in which a mean, min or max is taken
over nothing is false, whatever its operator. A spread cuts its block into sub-blocks from the first day, judges each
by its own rows, and compares the number that hold with its count. Only whole sub-blocks are cut; "every" of none is
false.

**Kinds.** did: without `per` 1 or 0; with it the fold of the truths of the n complete blocks (share k/n, ever, always,
count k, streak = longest run, last; a threshold gives 1 or 0). amount: the measure over the window; with `per`
mean, sum, min, max or last of the measures of the blocks. ratio: a pair; over each complete block (or the window) a
measure adds its value and a condition 1 where it holds. retention: did over its window. `cap`: min(value, cap).

**No value.** `immature`: a fixed window that ends after T, unless `immature: keep`, which takes the complete dates or
blocks so far. `missing`: no complete block, or no complete date in the window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal
from zoneinfo import ZoneInfo

from abtest.language.conditions import (
    All,
    AnyOf,
    AtLeast,
    Atom,
    Compare,
    Condition,
    Measure,
    Not,
    RowAll,
    RowAny,
    RowNot,
    RowTest,
    Spread,
    Value,
    Where,
    atoms_of,
)
from abtest.language.model import Column, Event, Fold, Metric

Property = Decimal | str | None


@dataclass(frozen=True)
class Row:
    """One row of an events source. `at` is an aware instant, or a plain date in a source of dates."""

    unit: str
    name: str
    at: datetime | date
    props: Mapping[str, Property] = field(default_factory=dict)
    source: str = "app"


@dataclass(frozen=True)
class Exposure:
    """One row of the exposure log; `variant` is the key as it stands there."""

    unit: str
    variant: str
    at: datetime


@dataclass(frozen=True)
class Source:
    """What the meaning needs to know about an events source."""

    settle: int = 0
    date_only: bool = False
    complete_through: date | None = None


@dataclass(frozen=True)
class Setting:
    """The experiment around the metric. Dates are local and inclusive."""

    timezone: str
    start: date
    end: date
    enroll_until: date | None = None
    mixed: Literal["drop", "first"] = "drop"


@dataclass(frozen=True)
class Assignment:
    """Where a unit belongs. With a `reason` it takes no part."""

    variant: str | None
    at: datetime | None
    day: date | None
    reason: Literal["before_start", "outside", "late", "mixed"] | None = None


@dataclass(frozen=True)
class UnitValue:
    """What one unit contributes: a value, a pair (ratio), or the reason why nothing."""

    variant: str
    value: Fraction | None
    denominator: Fraction | None = None
    reason: Literal["immature", "missing"] | None = None


def instant(wall: datetime, timezone: str) -> datetime:
    """The instant of a time on the wall: in a gap of daylight saving it moves forward, in a fold it is the first.

    >>> instant(datetime(2026, 3, 29, 2, 30), "Europe/Madrid").isoformat()
    '2026-03-29T01:30:00+00:00'
    """
    return wall.replace(tzinfo=ZoneInfo(timezone), fold=0).astimezone(UTC)


def local_date(at: datetime | date, timezone: str) -> date:
    return at.astimezone(ZoneInfo(timezone)).date() if isinstance(at, datetime) else at


def units(exposures: Iterable[Exposure], setting: Setting) -> dict[str, Assignment]:
    """Every unit of the exposure log, and what becomes of it."""
    seen: dict[str, list[Exposure]] = {}
    for exposure in exposures:
        seen.setdefault(exposure.unit, []).append(exposure)
    return {unit: _assignment(own, setting) for unit, own in sorted(seen.items())}


def _assignment(exposures: list[Exposure], setting: Setting) -> Assignment:
    dates = [local_date(e.at, setting.timezone) for e in exposures]
    if any(day < setting.start for day in dates):
        return Assignment(None, None, None, "before_start")
    inside = [e for e, day in zip(exposures, dates, strict=True) if day <= setting.end]
    if not inside:
        return Assignment(None, None, None, "outside")
    first = min(inside, key=lambda e: (e.at, e.variant))
    day = local_date(first.at, setting.timezone)
    if setting.enroll_until is not None and day > setting.enroll_until:
        return Assignment(None, first.at, day, "late")
    if setting.mixed == "drop" and len({e.variant for e in inside}) > 1:
        return Assignment(None, first.at, day, "mixed")
    return Assignment(first.variant, first.at, day)


# Completeness ------------------------------------------------------------------------------------------------------


def last_complete_date(name: str, source: Source, rows: Iterable[Row], setting: Setting) -> date:
    """The last date through which a source is complete; the beginning of time when it has no rows."""
    if source.complete_through is not None:
        return source.complete_through
    dates = [local_date(r.at, setting.timezone) for r in rows if r.source == name]
    if not dates:
        return date.min
    if source.date_only:
        return max(dates) - timedelta(days=source.settle)
    return max(dates) - timedelta(days=source.settle + 1)


def complete_through(
    metric: Metric, events: Mapping[str, Event], sources: Mapping[str, Source], rows: Iterable[Row], setting: Setting
) -> date:
    """T of a metric."""
    rows = tuple(rows)
    read = {events[atom.event].source for atom in atoms(metric)}
    return min(last_complete_date(name, sources[name], rows, setting) for name in read)


def atoms(metric: Metric) -> tuple[Atom, ...]:
    """Every atom of a definition."""
    found: list[Atom] = []
    for part in (metric.condition, metric.measure, *(metric.parts or ())):
        if isinstance(part, Measure):
            found += part.atoms
        elif part is not None and not isinstance(part, Column):
            found += atoms_of(part)
    return tuple(found)


# Rows --------------------------------------------------------------------------------------------------------------


def passes(where: Where, row: Row) -> bool:
    match where:
        case RowAll(parts):
            return all(passes(p, row) for p in parts)
        case RowAny(parts):
            return any(passes(p, row) for p in parts)
        case RowNot(part):
            return not passes(part, row)
        case RowTest():
            value = row.props.get(where.prop)
            if where.operator == "missing":
                return (value is None) != where.negated
            return value is not None and _test(where, value) != where.negated


def _test(test: RowTest, value: Decimal | str) -> bool:
    given = [_literal(v, value) for v in test.values]
    match test.operator:
        case "true":
            return str(value).lower() in ("true", "1")
        case "false":
            return str(value).lower() in ("false", "0")
        case "in":
            return value in given
        case "not in":
            return value not in given
        case "between":
            return _holds(value, ">=", given[0]) and _holds(value, "<=", given[1])
        case "before":
            return _holds(value, "<", given[0])
        case "after":
            return _holds(value, ">", given[0])
        case "contains":
            return str(given[0]) in str(value)
        case "starts with":
            return str(value).startswith(str(given[0]))
        case "ends with":
            return str(value).endswith(str(given[0]))
        case "missing":
            raise AssertionError("decided by the caller")
        case _:
            return _holds(value, test.operator, given[0])


def _literal(literal: Value, like: Decimal | str) -> Decimal | str:
    """The literal as the type of the property: 5 is a number beside a number, and text beside text."""
    if isinstance(like, str):
        return literal.text
    if literal.kind != "number":
        raise ValueError(f"text {literal.text!r} beside a number")
    return Decimal(repr(literal.number))


def _holds(left: Decimal | str | Fraction, operator: str, right: Decimal | str | Fraction) -> bool:
    """left operator right; both are numbers or both are text."""
    order = (left > right) - (left < right)  # type: ignore[operator]
    truth = {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0, "=": order == 0, "!=": order != 0}
    return truth[operator]


def number(value: float) -> Fraction:
    """A number of the definition, exactly as a person wrote it: 0.1 is one tenth."""
    return Fraction(Decimal(repr(value)))


# One unit ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Timeline:
    """The rows of one unit that count, each with its day number, and the last complete day number."""

    rows: tuple[tuple[int, Row], ...]
    events: Mapping[str, Event]
    last_day: int

    def of(self, event: str, days: range) -> list[tuple[int, Row]]:
        e = self.events[event]
        return [
            (day, row)
            for day, row in self.rows
            if day in days
            and row.source == e.source
            and (not e.names or row.name in e.names)
            and (e.where is None or passes(e.where, row))
        ]

    def atom(self, atom: Atom, days: range) -> Fraction | None:
        """The value of an atom over a block; None for a mean, min or max over nothing."""
        found = self.of(atom.event, days)
        if atom.function == "count":
            return Fraction(len(found))
        if atom.function == "days":
            return Fraction(len({day for day, _ in found}))
        assert atom.prop is not None
        numbers = [Fraction(Decimal(p)) for _, row in found if (p := row.props.get(atom.prop)) is not None]
        if atom.function == "sum":
            return sum(numbers, Fraction(0))
        if not numbers:
            return None
        if atom.function == "mean":
            return sum(numbers, Fraction(0)) / len(numbers)
        return min(numbers) if atom.function == "min" else max(numbers)

    def measure(self, measure: Measure, days: range) -> Fraction | None:
        total = Fraction(0)
        for term in measure.terms:
            value = Fraction(1) if term.atom is None else self.atom(term.atom, days)
            if value is None:
                return None
            total += number(term.coefficient) * value
        return total

    def truth(self, condition: Condition, days: range) -> bool:
        match condition:
            case Compare(left, operator, right):
                one, other = self.measure(left, days), self.measure(right, days)
                return one is not None and other is not None and _holds(one, operator, other)
            case All(parts):
                return all(self.truth(p, days) for p in parts)
            case AnyOf(parts):
                return any(self.truth(p, days) for p in parts)
            case Not(part):
                return not self.truth(part, days)
            case AtLeast(count, parts):
                return sum(self.truth(p, days) for p in parts) >= count
            case Spread(part, operator, count, size):
                truths = [self.truth(part, block) for block in _blocks(days, size)]
                if count is None:
                    return bool(truths) and all(truths)
                return _holds(Fraction(sum(truths)), operator, Fraction(count))

    def amount(self, part: Measure | Condition, days: range) -> Fraction:
        """What a block adds to an amount or to one side of a ratio."""
        if not isinstance(part, Measure):
            return Fraction(self.truth(part, days))
        value = self.measure(part, days)
        if value is None:
            raise ValueError("a mean, min or max of nothing is not an amount")
        return value


def _blocks(days: range, size: int) -> list[range]:
    """The whole blocks of `size` days in `days`, from its first day."""
    return [range(first, first + size) for first in range(days.start, days.stop - size + 1, size)]


def evaluate(
    metric: Metric,
    events: Mapping[str, Event],
    sources: Mapping[str, Source],
    rows: Iterable[Row],
    exposures: Iterable[Exposure],
    setting: Setting,
) -> dict[str, UnitValue]:
    """The contribution of every unit that takes part."""
    rows = tuple(rows)
    _refuse(metric)
    through = complete_through(metric, events, sources, rows, setting)
    found: dict[str, UnitValue] = {}
    for unit, assignment in units(exposures, setting).items():
        if assignment.reason is None:
            assert assignment.variant is not None
            timeline = _timeline(unit, assignment, rows, events, through, setting)
            value, denominator, reason = _value(metric, timeline)
            found[unit] = UnitValue(assignment.variant, value, denominator, reason)
    return found


def _refuse(metric: Metric) -> None:
    """The definitions whose meaning is not written above."""
    if metric.kind == "column":
        raise NotImplementedError("a column has no timeline")
    for part in (metric.measure, *(metric.parts or ())):
        if isinstance(part, Measure) and any(a.function in ("mean", "min", "max") for a in part.atoms):
            raise NotImplementedError("an amount of means, minima or maxima needs a value for nothing")


def _timeline(
    unit: str, assignment: Assignment, rows: Iterable[Row], events: Mapping[str, Event], through: date, setting: Setting
) -> Timeline:
    assert assignment.at is not None
    assert assignment.day is not None
    counted = []
    for row in rows:
        day = local_date(row.at, setting.timezone)
        after = row.at >= assignment.at if isinstance(row.at, datetime) else day >= assignment.day
        if row.unit == unit and after and day <= through:
            counted.append(((day - assignment.day).days, row))
    return Timeline(tuple(counted), events, (through - assignment.day).days)


Contribution = tuple[Fraction | None, Fraction | None, Literal["immature", "missing"] | None]


def _value(metric: Metric, timeline: Timeline) -> Contribution:
    window = metric.window
    if window.last is not None and metric.immature == "drop" and timeline.last_day < window.last:
        return None, None, "immature"
    last = timeline.last_day if window.last is None else min(window.last, timeline.last_day)
    days = range(window.first, last + 1)
    if metric.per is None or metric.kind == "retention":
        blocks = [days] if len(days) else []
    else:
        blocks = _blocks(days, metric.per)
    if not blocks:
        return None, None, "missing"
    if metric.kind == "ratio":
        assert metric.parts is not None
        of, to = (_total(timeline, part, blocks) for part in metric.parts)
        return of, to, None
    part = metric.condition if metric.condition is not None else metric.measure
    assert part is not None
    values = [timeline.amount(part, block) for block in blocks]
    value = values[0] if metric.per is None or metric.kind == "retention" else fold(metric.fold, values)
    return value if metric.cap is None else min(value, number(metric.cap)), None, None


def _total(timeline: Timeline, part: Measure | Condition | Column, blocks: list[range]) -> Fraction:
    assert not isinstance(part, Column)
    return sum((timeline.amount(part, block) for block in blocks), Fraction(0))


def fold(how: Fold | None, values: list[Fraction]) -> Fraction:
    """The values of the complete blocks, in order and at least one, to one number. A truth is 1 or 0."""
    assert how is not None
    value = FOLDS[how.name](values)
    if how.operator is None:
        return value
    assert how.number is not None
    return Fraction(_holds(value, how.operator, number(how.number)))


def streak(truths: list[Fraction]) -> Fraction:
    """The longest run of ones.

    >>> streak([Fraction(t) for t in (1, 0, 1, 1, 0)])
    Fraction(2, 1)
    """
    longest = run = 0
    for truth in truths:
        run = run + 1 if truth else 0
        longest = max(longest, run)
    return Fraction(longest)


def mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


FOLDS: dict[str, Callable[[list[Fraction]], Fraction]] = {
    "share": mean,
    "ever": max,
    "always": min,
    "last": lambda values: values[-1],
    "count": lambda values: sum(values, Fraction(0)),
    "streak": streak,
    "mean": mean,
    "sum": lambda values: sum(values, Fraction(0)),
    "min": min,
    "max": max,
}
