"""What a condition is: frozen values that the parser makes and everything else reads.

Spans (`at`) say where in the text a part stands; they do not count for equality, so two spellings of one condition
are equal values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

Operator = Literal["<", "<=", ">", ">=", "=", "!="]
Function = Literal[
    "count", "sum", "mean", "min", "max", "first", "last", "distinct", "days", "sessions", "days_since", "answer",
]  # fmt: skip
EMPTY_IS_NOTHING: frozenset[Function] = frozenset({"mean", "min", "max", "first", "last", "days_since", "answer"})
"""Functions that have no value over no events; all others are zero then."""
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Ago:
    """Blocks counted back from the present one, both inclusive: `1-7 days ago` is Ago(1, 7, "day").

    `period` is what was written; it must be the block of `per`, so it does not count for equality.
    """

    first: int
    last: int
    period: Literal["hour", "day", "week", "month", "period"] = field(default="period", compare=False)


@dataclass(frozen=True, slots=True)
class Atom:
    """One number of one unit in one period: `like`, `sum(purchase.revenue)`, `days(app_open) 1 week ago`.

    For `answer(nps)` the event is the name of the survey, until names are resolved.
    """

    function: Function
    event: str
    prop: str | None = None
    ago: Ago | None = None
    at: Span = field(default=(0, 0), compare=False)
    name_at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Term:
    """`coefficient * atom`, or a constant when `atom` is None; `unit` is the unit written behind a constant."""

    coefficient: float
    atom: Atom | None
    unit: str | None = None
    at: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Measure:
    """A sum of terms."""

    terms: tuple[Term, ...]
    at: Span = field(default=(0, 0), compare=False)

    @property
    def atoms(self) -> tuple[Atom, ...]:
        return tuple(t.atom for t in self.terms if t.atom is not None)

    @property
    def constant(self) -> float:
        return sum(t.coefficient for t in self.terms if t.atom is None)


@dataclass(frozen=True, slots=True)
class Compare:
    left: Measure
    operator: Operator
    right: Measure
    at: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Condition, ...]
    at: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Condition, ...]
    at: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition
    at: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """True when at least `count` of `parts` are."""

    count: int
    parts: tuple[Condition, ...]
    at: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Spread:
    """True when `part`, judged on each block of `days` days alone, holds in a number of blocks that fits.

    `count` None means every block.
    """

    part: Condition
    operator: Operator
    count: int | None
    days: int
    at: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A test on a property of the unit itself, known before exposure: `people.plan = free`."""

    source: str
    test: RowTest
    at: Span = field(default=(0, 0), compare=False)


Condition = Compare | All | AnyOf | Not | AtLeast | Spread | Attribute


@dataclass(frozen=True, slots=True)
class Rank:
    """How many of `parts` hold, as a number: the rung of a ladder. `degrees`: of 100 for all of them."""

    parts: tuple[Condition, ...]
    degrees: bool = False

    @property
    def each(self) -> float:
        """What a part counts."""
        return 100 / len(self.parts) if self.degrees else 1


def at_least_one(event: str, at: Span = (0, 0)) -> Compare:
    """The condition that a bare event stands for."""
    return at_least_one_of(Atom("count", event, at=at), at)


def at_least_one_of(atom: Atom, at: Span = (0, 0)) -> Compare:
    """The condition that a bare atom stands for, such as `app_open 1 week ago`."""
    return Compare(Measure((Term(1.0, atom),), at), ">=", Measure((Term(1.0, None),), at), at)


def children(condition: Condition) -> tuple[Condition, ...]:
    match condition:
        case Compare() | Attribute():
            return ()
        case Not(part) | Spread(part):
            return (part,)
        case All(parts) | AnyOf(parts) | AtLeast(_, parts):
            return parts


def walk(condition: Condition) -> Iterator[Condition]:
    """The condition and everything inside it, outside first."""
    yield condition
    for part in children(condition):
        yield from walk(part)


def mapped(condition: Condition, change: Callable[[Compare], Condition]) -> Condition:
    """The condition with every comparison changed."""
    match condition:
        case Compare():
            return change(condition)
        case Attribute():
            return condition
        case Not(part) | Spread(part):
            return replace(condition, part=mapped(part, change))
        case All(parts) | AnyOf(parts) | AtLeast(_, parts):
            return replace(condition, parts=tuple(mapped(p, change) for p in parts))


def atoms_of(condition: Condition) -> tuple[Atom, ...]:
    """Every atom in order of appearance, each once."""
    found = (a for c in walk(condition) if isinstance(c, Compare) for m in (c.left, c.right) for a in m.atoms)
    return tuple(dict.fromkeys(found))


def with_atoms(measure: Measure, change: Callable[[Atom], Atom]) -> Measure:
    """The measure with every atom changed."""
    return replace(
        measure, terms=tuple(t if t.atom is None else replace(t, atom=change(t.atom)) for t in measure.terms)
    )


def mapped_atoms(condition: Condition, change: Callable[[Atom], Atom]) -> Condition:
    """The condition with every atom changed."""
    return mapped(condition, lambda c: replace(c, left=with_atoms(c.left, change), right=with_atoms(c.right, change)))


def attributes_of(condition: Condition) -> tuple[Attribute, ...]:
    """Every test of an attribute, each once."""
    return tuple(dict.fromkeys(c for c in walk(condition) if isinstance(c, Attribute)))


def joined(parts: tuple[Condition, ...], kind: type[All] | type[AnyOf]) -> Condition:
    """All or any of the parts; one part stands for itself."""
    return parts[0] if len(parts) == 1 else kind(parts)


# Tests on the rows of a source -----------------------------------------------------------------------------------

TestOperator = Literal[
    "<", "<=", ">", ">=", "=", "!=", "in", "not in", "between", "contains", "starts with", "ends with", "matches",
    "before", "after", "missing", "true", "false",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Value:
    """A literal in a `where`: a number with an optional unit, a date, or text."""

    kind: Literal["number", "text", "date"]
    text: str
    number: float = 0.0
    unit: str | None = None
    at: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class RowTest:
    """One test on one property of one row; `negated` turns it around (a missing value never passes either way)."""

    prop: str
    operator: TestOperator
    values: tuple[Value, ...] = ()
    negated: bool = False
    at: Span = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class RowAll:
    parts: tuple[Where, ...]


@dataclass(frozen=True, slots=True)
class RowAny:
    parts: tuple[Where, ...]


@dataclass(frozen=True, slots=True)
class RowNot:
    part: Where


Where = RowTest | RowAll | RowAny | RowNot


def row_tests(where: Where) -> Iterator[RowTest]:
    match where:
        case RowTest():
            yield where
        case RowNot(part):
            yield from row_tests(part)
        case RowAll(parts) | RowAny(parts):
            for part in parts:
                yield from row_tests(part)
