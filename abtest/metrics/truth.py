"""Conditions and measures as engine expressions over one block.

The engine only sees blocks in which something happened. A silent block has the value of the definition at zero
(`abtest.language.silence`): `no crash` is true, `like >= 5` is false. Folding therefore sums the differences from it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from abtest.language.conditions import (
    Ago,
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
from abtest.language.model import Event, Part
from abtest.language.silence import OPERATORS, zero_measure, zero_rank, zero_truth
from abtest.metrics import calendar
from abtest.metrics.plan import Chain, Counter, atom_counters, ticks_per_day

DECIMALS = 1e9
"""Sums of several terms are compared to nine decimals, so that 0.1 + 0.2 >= 0.3 holds as written."""


@dataclass(frozen=True)
class Need:
    """A counter of the block itself, or of the blocks `ago`."""

    counter: Counter
    ago: Ago | None = None


def active_days(count: Counter) -> Counter:
    """The counter of ticks on which a counter of rows is above zero."""
    return Counter("known", count.event, "$days", count.every, count.once_from)


@dataclass(frozen=True)
class Block:
    """The columns of one block table: counters, the true sub-blocks of spreads, and tests of attributes.

    `inner`: the length of the block, where it is one that a spread judges.
    """

    table: Any
    names: Mapping[Need, str]
    scales: Mapping[Counter, int]
    spreads: Mapping[Spread, str]
    attributes: Mapping[Attribute, str]
    chain: Chain
    events: Mapping[str, Event]
    inner: int | None = None

    def atom(self, atom: Atom) -> Any:
        """The value of an atom; NULL where it has none."""
        table = self.table
        counters = atom_counters(atom, self.chain, self.events)
        need = Need(counters[0], atom.ago)
        if atom.function == "days" and counters[0].kind == "count":
            return table[self.names[Need(active_days(counters[0]), atom.ago)]]
        if atom.function == "days_since":
            per_day = ticks_per_day(self.chain)
            if per_day == 1:
                return self.last_tick() - table[self.names[need]]
            return self.last_tick() // per_day - table[self.names[need]] // per_day
        if atom.function not in ("sum", "mean"):
            return table[self.names[need]]
        scale = self.scales[counters[0]]
        whole = table[self.names[need]].cast("float64")
        summed = whole / float(10**scale) if scale >= 0 else whole * float(10**-scale)
        if atom.function == "sum":
            return summed
        return summed / table[self.names[Need(counters[1], atom.ago)]].nullif(0).cast("float64")

    def last_tick(self) -> Any:
        """The last tick of the block."""
        chain, table = self.chain, self.table
        if self.inner is not None:
            # Days of the calendar are dates, all others count from the first tick of the window.
            start = -table.x if chain.style in ("week", "month") else (chain.first or 0)
            return (table.i + 1) * self.inner - 1 + start
        if chain.style == "rolling":
            return table.i + ((chain.first or 0) + chain.blocks[-1] - 1)
        if chain.style == "blocks":
            return (table.i + 1) * chain.blocks[-1] + ((chain.first or 0) - 1)
        if chain.style in ("week", "month"):
            unit: Any = chain.style
            return calendar.first_date(table.i + 1, unit) - 1 - table.x
        known = (chain.end - table.x) // chain.grid.length - 1
        if chain.last is None:
            return known
        import ibis

        return ibis.least(known, chain.last)

    def measure(self, measure: Measure) -> Any:
        import ibis

        value: Any = None
        for term in measure.terms:
            part: Any = ibis.literal(term.coefficient) if term.atom is None else self.atom(term.atom)
            if term.atom is not None and term.coefficient != 1.0:
                part = part * term.coefficient
            value = part if value is None else value + part
        return value

    def truth(self, condition: Condition, length: int | None) -> Any:
        """A boolean, never NULL, for a block of `length` ticks (None: open window, which has no spreads)."""
        match condition:
            case Compare(left, op, right):
                compare = OPERATORS[op]
                if len(left.terms) + len(right.terms) > 2 and any(
                    a.function in ("sum", "mean") or _fractional(m) for m in (left, right) for a in m.atoms
                ):
                    return compare(((self.measure(left) - self.measure(right)) * DECIMALS).round(), 0).fill_null(False)
                return compare(self.measure(left), self.measure(right)).fill_null(False)
            case Attribute():
                return self.table[self.attributes[condition]].fill_null(False)
            case All(parts):
                return _reduce(operator.and_, [self.truth(p, length) for p in parts])
            case AnyOf(parts):
                return _reduce(operator.or_, [self.truth(p, length) for p in parts])
            case Not(part):
                return ~self.truth(part, length)
            case AtLeast(count, parts):
                return _reduce(operator.add, [self.truth(p, length).cast("int32") for p in parts]) >= count
            case Spread(part, op, count, days):
                assert length is not None
                blocks = length // days
                held = self.table[self.spreads[condition]] + self.silent(part, days) * blocks
                return OPERATORS[op](held, blocks if count is None else count)

    def silent(self, condition: Condition, length: int | None) -> Any:
        """The truth of a condition without events, as 0 or 1; an expression where attributes decide."""
        truth = zero_truth(condition, length, lambda a: self.table[self.attributes[a]].fill_null(False))
        return int(truth) if isinstance(truth, bool) else truth.cast("int32")

    def value(self, part: Part, length: int | None) -> Any:
        """A measure, or a truth or rank as a whole number."""
        if isinstance(part, Measure):
            return self.measure(part)
        if isinstance(part, Rank):
            return _reduce(operator.add, [self.truth(p, length).cast("int32") for p in part.parts])
        return self.truth(part, length).cast("int32")


def zero_value(part: Part, length: int | None, attribute: Callable[[Attribute], Any]) -> Any:
    """The value of a silent block: a number, an expression per unit, or None when it has none."""
    if isinstance(part, Measure):
        return zero_measure(part)
    if isinstance(part, Rank):
        return zero_rank(part, length, attribute)
    truth = zero_truth(part, length, attribute)
    return int(truth) if isinstance(truth, bool) else truth.cast("int32")


def _fractional(measure: Measure) -> bool:
    return any(t.coefficient != int(t.coefficient) for t in measure.terms)


def _reduce(join: Callable[[Any, Any], Any], parts: list[Any]) -> Any:
    value = parts[0]
    for part in parts[1:]:
        value = join(value, part)
    return value
