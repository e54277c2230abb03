"""Tests on the properties of a row or of a unit, and comparisons of exact numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from abtest.language.conditions import RowAll, RowAny, RowNot, RowTest, Value, Where

from .log import Property


def passes(where: Where, props: Mapping[str, Property]) -> bool:
    match where:
        case RowAll(parts):
            return all(passes(p, props) for p in parts)
        case RowAny(parts):
            return any(passes(p, props) for p in parts)
        case RowNot(part):
            return not passes(part, props)
        case RowTest():
            value = props.get(where.prop)
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
            return holds(value, ">=", given[0]) and holds(value, "<=", given[1])
        case "before":
            return holds(value, "<", given[0])
        case "after":
            return holds(value, ">", given[0])
        case "contains":
            return str(given[0]) in str(value)
        case "starts with":
            return str(value).startswith(str(given[0]))
        case "ends with":
            return str(value).endswith(str(given[0]))
        case "matches":
            return re.search(str(given[0]), str(value)) is not None
        case "missing":
            raise AssertionError("decided by the caller")
        case _:
            return holds(value, test.operator, given[0])


def _literal(literal: Value, like: Decimal | str) -> Decimal | str:
    """The literal as the type of the property: 5 is a number beside a number, and text beside text."""
    if isinstance(like, str):
        return literal.text
    if literal.kind != "number":
        raise ValueError(f"text {literal.text!r} beside a number")
    return Decimal(repr(literal.number))


def holds(left: Decimal | str | Fraction, operator: str, right: Decimal | str | Fraction) -> bool:
    """left operator right; both are numbers or both are text."""
    order = (left > right) - (left < right)  # type: ignore[operator]
    truth = {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0, "=": order == 0, "!=": order != 0}
    return truth[operator]


def number(value: float) -> Fraction:
    """A number of the definition, exactly as a person wrote it: 0.1 is one tenth."""
    return Fraction(Decimal(repr(value)))
