"""What a definition is for a block in which nothing happened: `no crash` is true, `like >= 5` is false."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from abtest.language.conditions import (
    EMPTY_IS_NOTHING,
    All,
    AnyOf,
    AtLeast,
    Attribute,
    Compare,
    Condition,
    Measure,
    Not,
    Rank,
    Spread,
)

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne,
}  # fmt: skip


def zero_measure(measure: Measure) -> float | None:
    """The measure of a block without events: its constants; None when a function in it has no value over nothing."""
    if any(a.function in EMPTY_IS_NOTHING for a in measure.atoms):
        return None
    return measure.constant


def zero_truth(condition: Condition, length: int | None, attribute: Callable[[Attribute], Any] | None = None) -> Any:
    """The truth of a condition for a block of `length` days without events (None: open, and without spreads).

    `attribute` gives the truth of a test of an attribute: a bool, or anything with `&`, `|` and `~`. Without it, and
    without such tests, the answer is a bool.
    """
    match condition:
        case Compare(left, op, right):
            a, b = zero_measure(left), zero_measure(right)
            return a is not None and b is not None and bool(OPERATORS[op](a, b))
        case Attribute():
            if attribute is None:
                raise ValueError("the truth of an attribute is known per unit only")
            return attribute(condition)
        case All(parts):
            return _all([zero_truth(p, length, attribute) for p in parts])
        case AnyOf(parts):
            return _negated(_all([_negated(zero_truth(p, length, attribute)) for p in parts]))
        case Not(part):
            return _negated(zero_truth(part, length, attribute))
        case AtLeast(count, parts):
            return number_true([zero_truth(p, length, attribute) for p in parts]) >= count
        case Spread(part, op, count, days):
            assert length is not None
            blocks = length // days
            held = zero_truth(part, days, attribute)
            held = (blocks if held else 0) if isinstance(held, bool) else held.cast("int32") * blocks
            return OPERATORS[op](held, blocks if count is None else count)


def zero_rank(rank: Rank, length: int | None, attribute: Callable[[Attribute], Any] | None = None) -> Any:
    """How many parts of a rank hold without events."""
    return number_true([zero_truth(p, length, attribute) for p in rank.parts])


def number_true(truths: list[Any]) -> Any:
    """How many of the truths hold; an int when all are bools."""
    total: Any = sum(t for t in truths if isinstance(t, bool))
    for truth in truths:
        if not isinstance(truth, bool):
            total = truth.cast("int32") + total
    return total


def _negated(truth: Any) -> Any:
    return not truth if isinstance(truth, bool) else ~truth


def _all(truths: list[Any]) -> Any:
    """`and` over bools and expressions; a plain bool where the bools decide."""
    if any(t is False for t in truths):
        return False
    left = [t for t in truths if t is not True]
    if not left:
        return True
    value = left[0]
    for truth in left[1:]:
        value = value & truth
    return value
