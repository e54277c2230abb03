"""A condition as its author could have written it; reading the text again gives the same condition."""

from __future__ import annotations

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
    Spread,
    Term,
)
from abtest.language.where_text import where_text

ANSWERS = ".answers"
_PERIODS = {1: ("day", "days"), 7: ("week", "weeks")}


def expression_text(condition: Condition) -> str:
    """The text of a condition.

    >>> from abtest.language.expressions import parse_condition
    >>> expression_text(parse_condition("photo_post>=2 and (like between 2 and 5 or no crash)"))
    'photo_post >= 2 and (like between 2 and 5 or no crash)'
    """
    match condition:
        case Compare():
            return _compare_text(condition)
        case Attribute(source, test):
            return f"{source}.{where_text(test)}"
        case Not(part):
            return f"not {_enclosed(part, (All, AnyOf, Spread))}"
        case All((Compare(low, _, first), Compare(_, _, second))) if _is_between(condition):
            return f"{measure_text(low)} between {measure_text(first)} and {measure_text(second)}"
        case All(parts):
            return " and ".join(_enclosed(p, (All, AnyOf, Spread)) for p in parts)
        case AnyOf(parts):
            return " or ".join(_enclosed(p, (All, AnyOf, Spread)) for p in parts)
        case AtLeast(count, parts):
            return f"at least {count} of ({', '.join(expression_text(p) for p in parts)})"
        case Spread(part, operator, count, days):
            sign = "" if operator == ">=" else f"{operator} "
            often = "every" if count is None else f"{sign}{count}"
            return f"{_enclosed(part, (All, AnyOf, Not, Spread))} on {often} {period_word(days, count or 1)}"


def period_word(days: int, count: float) -> str:
    """`day`, `days`, `week` or `weeks`."""
    return _PERIODS[days][count != 1]


def measure_text(measure: Measure) -> str:
    """The text of a measure.

    >>> from abtest.language.measures import parse_measure
    >>> measure_text(parse_measure("like+2*comment - sum(purchase.revenue)  1 week ago"))
    'like + 2 * comment - sum(purchase.revenue) 1 week ago'
    """
    text = ""
    for term in measure.terms:
        sign = "-" if term.coefficient < 0 else "+"
        text += f" {sign} " if text else "-" if sign == "-" else ""
        text += term_text(term)
    return text


def term_text(term: Term) -> str:
    """A term without its sign.

    >>> term_text(Term(-0.25, None, "%")), term_text(Term(90.0, None, "duration")), term_text(Term(2.0, None, "EUR"))
    ('25%', '90 s', '2 EUR')
    """
    size = abs(term.coefficient)
    if term.atom is not None:
        return atom_text(term.atom) if size == 1 else f"{_number(size)} * {atom_text(term.atom)}"
    if term.unit == "%":
        return f"{_number(100 * size)}%"
    unit = {"duration": "s"}.get(term.unit or "", term.unit)
    return _number(size) if unit is None else f"{_number(size)} {unit}"


def atom_text(atom: Atom) -> str:
    """The text of an atom; the answers to a survey by the name of the survey."""
    if atom.event.endswith(ANSWERS):
        text = f"answer({atom.event.removesuffix(ANSWERS)})"
    elif atom.function == "count":
        text = atom.event
    else:
        text = f"{atom.function}({atom.event}{f'.{atom.prop}' if atom.prop else ''})"
    if atom.ago is None:
        return text
    first, last, period = atom.ago.first, atom.ago.last, atom.ago.period
    span = f"{first}" if first == last else f"{first}-{last}"
    return f"{text} {span} {period}{'s' if last != 1 else ''} ago"


def _compare_text(compare: Compare) -> str:
    left, right = compare.left, compare.right
    only = left.terms[0]
    plain = len(left.terms) == 1 and only.coefficient == 1 and only.atom is not None and only.atom.function == "count"
    if plain and compare.operator == "=" and right == Measure((Term(0.0, None),)) and not _of_answers(left):
        return f"no {measure_text(left)}"
    if plain and is_bare(compare) and right.constant == 1:
        return measure_text(left)
    return f"{measure_text(left)} {compare.operator} {measure_text(right)}"


def is_bare(compare: Compare) -> bool:
    """Whether an event alone stands for it: `like` is `like >= 1`."""
    return compare.left.at == compare.right.at != (0, 0)


def _of_answers(measure: Measure) -> bool:
    return any(a.event.endswith(ANSWERS) for a in measure.atoms)


def _is_between(condition: Condition) -> bool:
    match condition:
        case All((Compare(low, ">=", first), Compare(high, "<=", second))):
            return low == high and not (first.atoms or second.atoms)
    return False


def _enclosed(condition: Condition, kinds: tuple[type, ...]) -> str:
    text = expression_text(condition)
    return f"({text})" if isinstance(condition, kinds) and not _is_between(condition) else text


def _number(value: float) -> str:
    return f"{value:.15g}"
