"""Text of a condition to its value: a recursive-descent parser with spans. Measures stand in `measures.py`.

condition := unit | unit ("and" unit)+ | unit ("or" unit)+
unit      := "not" unit | base [spread]
base      := "(" condition ")" [ago] | "no" EVENT [ago] | "at least" N "of" "(" condition ("," condition)* ")"
           | measure CMP measure | measure "between" NUMBER "and" NUMBER | EVENT [ago] | SOURCE "." test
spread    := ("on" | "in") ([CMP] N | "every") PERIOD
"""

from __future__ import annotations

import re
from dataclasses import replace

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
    Operator,
    Spread,
    Term,
    at_least_one_of,
    atoms_of,
    attributes_of,
    mapped_atoms,
    walk,
)
from abtest.language.measures import MAX_NODES, RESERVED, finish, read_ago, read_event, read_measure, refuse_nothing
from abtest.language.row_test import read_test
from abtest.language.tokens import Cursor, SyntaxProblem
from abtest.problems import quoted

MAX_DEPTH = 8

_PERIODS = {"day": 1, "days": 1, "week": 7, "weeks": 7}
_COMPARE: dict[str, Operator] = {
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
    "=": "=",
    "==": "=",
    "!=": "!=",
    "<>": "!=",
}


def parse_condition(text: str) -> Condition:
    """The condition written in `text`. Raises SyntaxProblem with a span.

    >>> parse_condition("photo_post >= 2 and like >= 5") == parse_condition("(photo_post >= 2) and like>=5")
    True
    """
    cursor = Cursor(text)
    refuse_nothing(cursor)
    condition = _condition(cursor, 0)
    finish(cursor)
    if sum(1 for _ in walk(condition)) > MAX_NODES:
        raise SyntaxProblem("E115", f"a condition of more than {MAX_NODES} parts", (0, len(text)), "Split it.")
    return condition


def _condition(cursor: Cursor, depth: int) -> Condition:
    if depth > MAX_DEPTH:
        raise SyntaxProblem("E115", f"nested deeper than {MAX_DEPTH} levels", cursor.now.at)
    start = cursor.now.at[0]
    first, first_bare = _unit(cursor, depth)
    if not cursor.is_word("and", "or"):
        return first
    joiner = cursor.now.text
    parts = [first]
    bare = [first_bare]
    while cursor.is_word("and", "or"):
        if cursor.now.text != joiner:
            raise mixed(cursor, start)
        cursor.next()
        part, part_bare = _unit(cursor, depth)
        parts.append(part)
        bare.append(part_bare)
    at = (start, cursor.last_end())
    for part, loose in zip(parts, bare, strict=True):
        if loose:
            raise _loose_spread(cursor, part, parts, joiner)
    return All(tuple(parts), at) if joiner == "and" else AnyOf(tuple(parts), at)


def mixed(cursor: Cursor, start: int) -> SyntaxProblem:
    """`a and b or c`: say which readings there are."""
    at = cursor.now.at
    head = cursor.source[start : at[0]].strip()
    rest = cursor.source[at[1] :].strip()
    word, other = cursor.now.text, "and" if cursor.now.text == "or" else "or"
    left, _, right = head.rpartition(f" {other} ")
    short = left and len(head + rest) < 90 and not set("()") & set(head + rest) and f" {other} " not in rest
    readings = f"({head}) {word} {rest}   |   {left} {other} ({right} {word} {rest})"
    hint = readings if short else "Put parentheses around one of the two readings."
    return SyntaxProblem("E111", '"and" and "or" side by side. Which one is meant?', at, hint)


def _loose_spread(cursor: Cursor, part: Condition, parts: list[Condition], joiner: str) -> SyntaxProblem:
    """`a and b on 2 days`: does the spread cover both?"""
    whole = cursor.source[part.at[0] : part.at[1]].strip()
    found = re.search(r"\b(on|in)\b[^()]*$", whole)
    split = found.start() if found else len(whole)
    inner, spread = whole[:split].strip(), whole[split:].strip()
    others = [cursor.source[p.at[0] : p.at[1]].strip() for p in parts if p is not part]
    everything = f" {joiner} ".join(cursor.source[p.at[0] : p.at[1]].strip() if p is not part else inner for p in parts)
    hint = f"Write  ({everything}) {spread}  or put it in parentheses alone:  ({whole})"
    return SyntaxProblem(
        "E112",
        f'"{spread}" after "{inner}": does it also cover "{others[0]}"?',
        (part.at[0] + split, part.at[1]),
        hint if len(hint) < 200 else "Put it in parentheses with what it covers.",
    )


def _unit(cursor: Cursor, depth: int) -> tuple[Condition, bool]:
    """A unit, and whether it ends in a spread that no parentheses enclose."""
    start = cursor.now.at[0]
    if cursor.take_word("not"):
        if depth >= MAX_DEPTH:
            raise SyntaxProblem("E115", f"nested deeper than {MAX_DEPTH} levels", cursor.now.at)
        part, bare = _unit(cursor, depth + 1)
        if bare:
            whole = cursor.source[part.at[0] : part.at[1]].strip()
            raise SyntaxProblem(
                "E112",
                '"not" before a spread: what does it turn around?',
                (start, cursor.last_end()),
                f"Write not ({whole}), or put the part before the spread in parentheses with not.",
            )
        return Not(part, (start, cursor.last_end())), False
    base = _base(cursor, depth)
    if cursor.is_word("on", "in"):
        spread = _spread(cursor, base, start)
        if cursor.is_word("on", "in"):
            raise SyntaxProblem(
                "E112",
                "two spreads in a row",
                cursor.now.at,
                "Put the inner one in parentheses:  (app_open on 3 days) in 2 weeks",
            )
        return spread, True
    return base, False


def _base(cursor: Cursor, depth: int) -> Condition:
    start = cursor.now.at[0]
    if cursor.is_symbol("("):
        cursor.next()
        inner = _condition(cursor, depth + 1)
        cursor.expect_symbol(")", 'to close the "("')
        return _looked_back(cursor, inner, start)
    if cursor.take_word("no"):
        event = read_event(cursor, 'after "no"')
        event = replace(event, ago=read_ago(cursor), at=(event.at[0], cursor.last_end()))
        return Compare(
            Measure((Term(1.0, event, None, event.at),), event.at),
            "=",
            Measure((Term(0.0, None),)),
            (start, event.at[1]),
        )
    if _is_attribute(cursor):
        source = cursor.next().text
        cursor.next()
        test = read_test(cursor)
        return Attribute(source, test, (start, cursor.last_end()))
    if cursor.is_word("at") and cursor.peek().text == "least":
        return _at_least(cursor, depth)
    measure = read_measure(cursor)
    if cursor.is_symbol(*_COMPARE):
        operator = _COMPARE[cursor.next().text]
        right = read_measure(cursor)
        return Compare(measure, operator, right, (start, cursor.last_end()))
    if cursor.take_word("between"):
        low = read_measure(cursor)
        if not cursor.take_word("and"):
            raise SyntaxProblem(
                "E113",
                f'expected "and" between the two bounds, found {cursor.found()}',
                cursor.now.at,
                "Example:  like between 2 and 5",
            )
        high = read_measure(cursor)
        at = (start, cursor.last_end())
        return All((Compare(measure, ">=", low, at), Compare(measure, "<=", high, at)), at)
    only = measure.terms[0]
    if len(measure.terms) == 1 and only.coefficient == 1.0 and only.atom is not None and only.atom.function == "count":
        return at_least_one_of(only.atom, (start, cursor.last_end()))
    written = cursor.source[start : cursor.last_end()]
    hint = "Example:  sum(purchase.revenue) >= 20"
    if not measure.atoms and cursor.now.kind == "word" and cursor.now.text not in RESERVED:
        hint = f"Write  {cursor.now.text} >= {written}"
    elif cursor.now.kind == "number" and measure.atoms:
        hint = f"Write  {written} >= {cursor.now.text}"
    elif cursor.is_symbol(")") and len(measure.terms) > 1:
        hint = f"Parentheses hold conditions; write  {written} >= 5"
    raise SyntaxProblem(
        "E113", f"expected a comparison after {quoted(written)}, found {cursor.found()}", cursor.now.at, hint
    )


def _is_attribute(cursor: Cursor) -> bool:
    """`people.plan = free`: a word, a point and a property, where no function may stand."""
    return (
        cursor.now.kind == "word"
        and cursor.now.text not in RESERVED
        and cursor.peek().text == "."
        and cursor.peek(2).kind in ("word", "text")
        and cursor.peek(3).kind != "end"
    )


def _looked_back(cursor: Cursor, condition: Condition, start: int) -> Condition:
    """`(like >= 2 and photo_post) 1 week ago`: every number inside is that of the earlier blocks."""
    ago = read_ago(cursor)
    if ago is None:
        return condition
    at = (start, cursor.last_end())
    if any(a.ago is not None for a in atoms_of(condition)):
        raise SyntaxProblem("E117", "`ago` inside `ago`", at, "Say once how far to look back.")
    if any(isinstance(c, Spread) for c in walk(condition)) or attributes_of(condition):
        what = "a spread" if any(isinstance(c, Spread) for c in walk(condition)) else "an attribute"
        raise SyntaxProblem("E117", f"`ago` behind {what}", at, "It goes with counts, sums and the like.")

    def back(atom: Atom) -> Atom:
        return replace(atom, ago=ago)

    return mapped_atoms(condition, back)


def _at_least(cursor: Cursor, depth: int) -> Condition:
    start = cursor.next().at[0]
    cursor.next()
    count = _whole_number(cursor, 'after "at least"')
    if not cursor.take_word("of"):
        raise SyntaxProblem(
            "E113",
            f'expected "of" after "at least {count}", found {cursor.found()}',
            cursor.now.at,
            "Example:  at least 2 of (post, comment >= 3, share)",
        )
    cursor.expect_symbol("(", 'after "of"')
    parts = [_condition(cursor, depth + 1)]
    while cursor.take_symbol(","):
        parts.append(_condition(cursor, depth + 1))
    if cursor.ended:
        raise SyntaxProblem(
            "E120",
            'the list after "at least" is never closed; YAML may have split it at a comma',
            (start, cursor.now.at[1]),
            "Put the condition on its own line instead of inside { }.",
        )
    cursor.expect_symbol(")", "after the list")
    at = (start, cursor.last_end())
    if not 1 <= count <= len(parts):
        raise SyntaxProblem("E116", f"at least {count} of a list of {len(parts)}", at)
    return AtLeast(count, tuple(parts), at)


def _spread(cursor: Cursor, part: Condition, start: int) -> Spread:
    cursor.next()
    operator: Operator = ">="
    count: int | None
    if cursor.take_word("every"):
        operator, count = "=", None
        days = _period(cursor, 1)
    else:
        if cursor.is_symbol(*_COMPARE):
            operator = _COMPARE[cursor.next().text]
        if cursor.is_word("at") and cursor.peek().text == "least":
            cursor.next()
            cursor.next()
        count = _whole_number(cursor, "in the spread")
        days = _period(cursor, 1)
    return Spread(part, operator, count, days, (start, cursor.last_end()))


def _period(cursor: Cursor, minimum: int) -> int:
    token = cursor.now
    if token.kind == "word" and token.text in _PERIODS:
        cursor.next()
        return _PERIODS[token.text]
    if token.kind == "word" and token.text in ("session", "sessions"):
        hint = "Write  sessions(app_open) >= 2"
        raise SyntaxProblem("E113", "a spread counts days or weeks, not sessions", token.at, hint)
    raise SyntaxProblem(
        "E113", f"expected days or weeks, found {cursor.found()}", token.at, "Example:  article_read >= 4 on 2 days"
    )


def _whole_number(cursor: Cursor, where: str) -> int:
    token = cursor.now
    if token.kind != "number" or not token.text.isdigit() or len(token.text) > 6:
        raise SyntaxProblem("E113", f"expected a whole number {where}, found {cursor.found()}", token.at)
    cursor.next()
    return int(token.text)
