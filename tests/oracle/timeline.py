"""What one unit did in one block: numbers, and whether conditions hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fractions import Fraction

from abtest.language.conditions import (
    All,
    AnyOf,
    AtLeast,
    Atom,
    Attribute,
    Compare,
    Condition,
    Measure,
    Not,
    Rank,
    Spread,
)

from .clocks import Clock, Grid
from .history import History, Hit, Session, counted_once, distinct, first_of_each
from .log import Attributes, from_then_on, local_date, start_of
from .row_tests import holds, number, passes


@dataclass(frozen=True)
class Block:
    """Ticks to look at. `number` of the grid, for looking back; `everything`: rows before exposure count too."""

    ticks: range
    number: int | None = None
    session: Session | None = None
    everything: bool = False


@dataclass(frozen=True)
class Start:
    """An instant from which rows count, and its local date."""

    at: datetime
    day: date


@dataclass(frozen=True)
class Placed:
    """A hit with its tick. `after`: it counts, as it does not lie before the exposure (or the anchor)."""

    hit: Hit
    tick: int
    after: bool


@dataclass(frozen=True)
class Timeline:
    """The rows of one unit, on a clock."""

    unit: str
    clock: Clock
    grid: Grid
    placed: Mapping[str, tuple[Placed, ...]]
    attributes: Attributes
    device: tuple[str, str] | None = None

    def of(self, event: str, block: Block) -> list[Placed]:
        return [
            p
            for p in self.placed[event]
            if p.tick in block.ticks
            and (p.after or block.everything)
            and (block.session is None or p.hit.session == block.session)
            and (self.device is None or p.hit.row.ids.get(self.device[0]) == self.device[1])
        ]

    def only(self, kind: str, device: str) -> Timeline:
        """The rows of one device alone."""
        return replace(self, device=(kind, device))

    def atom(self, atom: Atom, block: Block) -> Fraction | None:
        """The value of an atom over a block; None for what has no value over nothing."""
        if atom.ago is not None:
            assert block.number is not None
            earliest, latest = (self.grid.span(block.number - back) for back in (atom.ago.last, atom.ago.first))
            earlier = Block(range(earliest.start, latest.stop), everything=True)
            return self.atom(replace(atom, ago=None), earlier)
        found = self.of(atom.event, block)
        days = [self.clock.day_of(p.tick) for p in found]
        match atom.function:
            case "count":
                return Fraction(len(found))
            case "days":
                return Fraction(len(set(days)))
            case "sessions":
                return Fraction(len({p.hit.session for p in found} - {None}))
            case "days_since":
                if block.session is not None:
                    raise NotImplementedError("a session has no last day")
                return Fraction(self.clock.day_of(block.ticks[-1]) - max(days)) if days else None
            case _:
                assert atom.prop is not None
                return _of_property(atom.function, atom.prop, [p.hit for p in found])

    def measure(self, measure: Measure, block: Block) -> Fraction | None:
        total = Fraction(0)
        for term in measure.terms:
            value = Fraction(1) if term.atom is None else self.atom(term.atom, block)
            if value is None:
                return None
            total += number(term.coefficient) * value
        return total

    def truth(self, condition: Condition, block: Block) -> bool:
        match condition:
            case Compare(left, operator, right):
                one, other = self.measure(left, block), self.measure(right, block)
                return one is not None and other is not None and holds(one, operator, other)
            case Attribute(source, test):
                return passes(test, self.attributes[source].get(self.unit, {}))
            case All(parts):
                return all(self.truth(p, block) for p in parts)
            case AnyOf(parts):
                return any(self.truth(p, block) for p in parts)
            case Not(part):
                return not self.truth(part, block)
            case AtLeast(count, parts):
                return sum(self.truth(p, block) for p in parts) >= count
            case Spread(part, operator, count, size):
                pieces = [replace(block, ticks=ticks, number=None) for ticks in _pieces(block.ticks, size)]
                truths = [self.truth(part, piece) for piece in pieces]
                if count is None:
                    return bool(truths) and all(truths)
                return holds(Fraction(sum(truths)), operator, Fraction(count))

    def value(self, part: Measure | Condition | Rank, block: Block) -> Fraction | None:
        """What a block is worth: a number, 1 or 0 of a condition, or the number of rungs reached (of 100 degrees)."""
        if isinstance(part, Measure):
            return self.measure(part, block)
        if isinstance(part, Rank):
            held = Fraction(sum(self.truth(p, block) for p in part.parts))
            return held * Fraction(100, len(part.parts)) if part.degrees else held
        return Fraction(self.truth(part, block))


def _pieces(ticks: range, size: int) -> list[range]:
    """The whole blocks of `size` ticks, from the first tick."""
    return [range(first, first + size) for first in range(ticks.start, ticks.stop - size + 1, size)]


def _of_property(function: str, prop: str, hits: list[Hit]) -> Fraction | None:
    if function == "distinct":
        return Fraction(distinct(hits, prop))
    having = [(h, n) for h in hits if (n := h.number_of(prop)) is not None]
    numbers = [n for _, n in having]
    if function == "sum":
        return sum(numbers, Fraction(0))
    if not having:
        return None
    match function:
        case "mean":
            return sum(numbers, Fraction(0)) / len(numbers)
        case "min":
            return min(numbers)
        case "max":
            return max(numbers)
        case "first":
            first = min(h.row.at for h, _ in having)
            return min(n for h, n in having if h.row.at == first)
        case "last":
            last = max(h.row.at for h, _ in having)
            return max(n for h, n in having if h.row.at == last)
    raise NotImplementedError(function)


def timeline(
    unit: str,
    history: History,
    names: Iterable[str],
    clock: Clock,
    grid: Grid,
    window: range,
    exposed: Start,
    counts_from: Start,
    through: date,
    attributes: Attributes,
) -> Timeline:
    """The rows of `names` up to a date, counted once where their event says so."""
    placed: dict[str, tuple[Placed, ...]] = {}
    for name in names:
        once = history.events[name].once
        hits = history.hits(name, unit)
        if once is not None and once.period is not None:
            hits = counted_once(hits, once, exposed.at, exposed.day, clock.timezone)
        hits = [h for h in hits if local_date(h.row.at, clock.timezone) <= through]
        every = [Placed(h, clock.tick(h.row.at), from_then_on(h.row, counts_from.at, counts_from.day)) for h in hits]
        if once is not None and once.period is None:
            inside = [p for p in every if p.after and p.tick in window]
            kept = {h.number for h in first_of_each([p.hit for p in inside], once.prop)}
            every = [p for p in every if p not in inside or p.hit.number in kept]
        placed[name] = tuple(every)
    return Timeline(unit, clock, grid, placed, attributes)


def first_hit(history: History, name: str, unit: str, exposed: Start, before: bool, timezone: str) -> Start | None:
    """The first row of an event at or after exposure; with `before` of all history, but not earlier than exposure."""
    hits = history.hits(name, unit)
    if not before:
        hits = [h for h in hits if from_then_on(h.row, exposed.at, exposed.day)]
    if not hits:
        return None
    at = hits[0].row.at
    if not isinstance(at, datetime):
        at = exposed.at if at <= exposed.day else start_of(at, timezone)
    at = max(at, exposed.at)
    return Start(at, local_date(at, timezone))


def seconds_between(earlier: Hit, later: Hit) -> timedelta:
    """The time between two rows; a difference of n dates is n times 24 hours."""
    one, other = earlier.row.at, later.row.at
    if isinstance(one, datetime) != isinstance(other, datetime):
        raise NotImplementedError("an instant and a date have no order")
    return other - one  # type: ignore[operator]
