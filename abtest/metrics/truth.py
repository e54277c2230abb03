"""Conditions and measures as engine expressions over one block, and what they are for a block without any event.

The engine only sees blocks in which something happened. A silent block has the value of the definition at zero, which
is known here: `no crash` is true, `like >= 5` is false. Folding therefore sums the differences from that value.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from abtest.language.conditions import All, AnyOf, AtLeast, Atom, Compare, Condition, Measure, Not, Spread
from abtest.metrics.plan import Counter

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne,
}  # fmt: skip
DECIMALS = 1e9
"""Sums of several terms are compared to nine decimals, so that 0.1 + 0.2 >= 0.3 holds as written."""


class Block:
    """The columns of one block table: counters, active days and the true sub-blocks of spreads."""

    def __init__(
        self,
        table: Any,
        aliases: Mapping[Counter, str],
        scales: Mapping[Counter, int],
        days: Mapping[str, str],
        spreads: Mapping[Spread, str],
    ) -> None:
        self.table, self.aliases, self.scales, self.days, self.spreads = table, aliases, scales, days, spreads

    def atom(self, atom: Atom) -> Any:
        """The value of an atom; NULL for min, max and mean over nothing."""
        table = self.table
        if atom.function == "days":
            return table[self.days[atom.event]]
        if atom.function == "count":
            return table[self.aliases[Counter("count", atom.event)]]
        if atom.function in ("min", "max"):
            return table[self.aliases[Counter(atom.function, atom.event, atom.prop)]]
        total = Counter("sum", atom.event, atom.prop)
        summed = (
            table[self.aliases[total]].cast("float64") / float(10 ** self.scales[total])
            if self.scales[total] >= 0
            else table[self.aliases[total]].cast("float64") * float(10 ** -self.scales[total])
        )
        if atom.function == "sum":
            return summed
        known = table[self.aliases[Counter("known", atom.event, atom.prop)]]
        return summed / known.nullif(0).cast("float64")

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
        """A boolean, never NULL, for a block of `length` days (None: open window, which has no spreads)."""
        match condition:
            case Compare(left, op, right):
                compare = OPERATORS[op]
                if len(left.terms) + len(right.terms) > 2 and any(
                    a.function in ("sum", "mean") or _fractional(m) for m in (left, right) for a in m.atoms
                ):
                    return compare(((self.measure(left) - self.measure(right)) * DECIMALS).round(), 0).fill_null(False)
                return compare(self.measure(left), self.measure(right)).fill_null(False)
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
                silent = blocks if zero_truth(part, days) else 0
                held = self.table[self.spreads[condition]] + silent
                return OPERATORS[op](held, blocks if count is None else count)


def _fractional(measure: Measure) -> bool:
    return any(t.coefficient != int(t.coefficient) for t in measure.terms)


def _reduce(join: Callable[[Any, Any], Any], parts: list[Any]) -> Any:
    value = parts[0]
    for part in parts[1:]:
        value = join(value, part)
    return value


def zero_measure(measure: Measure) -> float | None:
    """The measure of a block without events: its constants; None when it has a minimum, maximum or mean."""
    if any(a.function in ("min", "max", "mean") for a in measure.atoms):
        return None
    return measure.constant


def zero_truth(condition: Condition, length: int | None) -> bool:
    """The truth of a condition for a block without events."""
    match condition:
        case Compare(left, op, right):
            a, b = zero_measure(left), zero_measure(right)
            return a is not None and b is not None and bool(OPERATORS[op](a, b))
        case All(parts):
            return all(zero_truth(p, length) for p in parts)
        case AnyOf(parts):
            return any(zero_truth(p, length) for p in parts)
        case Not(part):
            return not zero_truth(part, length)
        case AtLeast(count, parts):
            return sum(zero_truth(p, length) for p in parts) >= count
        case Spread(part, op, count, days):
            assert length is not None
            blocks = length // days
            held = blocks if zero_truth(part, days) else 0
            return bool(OPERATORS[op](held, blocks if count is None else count))
