"""Text of a measure to its value: `like + 2 * comment`, `sum(purchase.revenue)`, `30 min`.

measure := product (("+" | "-") product)*      product := [NUMBER "*"] atom | NUMBER [UNIT]
atom    := EVENT [ago] | FUNCTION "(" EVENT ["." PROPERTY] ")" [ago] | "answer" "(" SURVEY ")"
ago     := N ["-" M] ("hour" | "day" | "week" | "month" | "period") "ago"
"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Literal, get_args

from abtest.language.conditions import Ago, Atom, Function, Measure, Term
from abtest.language.suggest import did_you_mean
from abtest.language.tokens import Cursor, SyntaxProblem, Token

MAX_NODES = 64
CURRENCY = re.compile(r"(?!AND\b)[A-Z]{3}")
FUNCTIONS: dict[str, Function] = {str(f): f for f in get_args(Function)}
_OF_EVENTS = frozenset({"count", "days", "sessions", "days_since", "answer"})
"""Functions of an event alone; the others are of a property."""
_PERIODS: dict[str, Literal["hour", "day", "week", "month", "period"]] = {
    "hour": "hour", "hours": "hour", "day": "day", "days": "day", "week": "week", "weeks": "week",
    "month": "month", "months": "month", "period": "period", "periods": "period",
}  # fmt: skip
MAX_AGO = 400
RESERVED = frozenset({"and", "or", "not", "no", "at", "least", "of", "on", "in", "every", "between", "ago", "is"})
# Exact, so that 9 ms is 0.009 and not the nearest neighbour of 9 * 0.001.
TIME_UNITS = {
    u: Decimal(n)
    for u, n in {
        "ms": "0.001",
        "s": "1",
        "sec": "1",
        "seconds": "1",
        "min": "60",
        "minutes": "60",
        "h": "3600",
        "hours": "3600",
    }.items()
}


def parse_measure(text: str) -> Measure:
    """The measure written in `text`. Raises SyntaxProblem with a span.

    >>> parse_measure("like + 2 * comment") == parse_measure("count(like)+2*comment")
    True
    """
    cursor = Cursor(text)
    refuse_nothing(cursor)
    measure = read_measure(cursor)
    if cursor.is_symbol("<", "<=", ">", ">=", "=", "==", "!=", "<>"):
        hint = f"A yes or no is  did: {' '.join(text.split())[:60]}"
        raise SyntaxProblem(
            "E113", f"a number is wanted here; {cursor.found()} makes it a yes or no", cursor.now.at, hint
        )
    finish(cursor)
    return measure


def refuse_nothing(cursor: Cursor) -> None:
    if cursor.ended:
        raise SyntaxProblem("E113", "nothing is written here", (0, 1), "Example:  photo_post >= 2 and like >= 5")


def finish(cursor: Cursor) -> None:
    """Nothing may follow; say what is wrong with what does."""
    if cursor.ended:
        return
    token = cursor.now
    if cursor.is_symbol(","):
        raise SyntaxProblem(
            "E113", 'a comma outside "at least N of ( … )"', token.at, 'Join conditions with "and" or "or".'
        )
    if cursor.is_symbol(")"):
        raise SyntaxProblem("E113", 'a ")" without its "("', token.at)
    hint = ""
    if token.kind == "number":
        hint = "A comparison goes between:  like >= 5"
        if any(t.text == "ago" for t in cursor.all[cursor.index :]):
            hint = "`ago` stands right behind the event:  like 1 week ago >= 5"
    elif token.kind == "word" and token.text.lower() in RESERVED:
        hint = f"Write  {token.text.lower()}  in lower case." if token.text.lower() != token.text else ""
    elif token.kind == "word":
        hint = 'Join conditions with "and" or "or".'
    raise SyntaxProblem("E113", f"the condition should end before {cursor.found()}", token.at, hint)


def exact_number(token: Token) -> Decimal:
    """The number of a token, without rounding and within reason."""
    if (
        len(token.text) > 30
        or abs(float(token.text)) > 1e15
        or (float(token.text) != 0 and abs(float(token.text)) < 1e-12)
    ):
        raise SyntaxProblem("E113", f"{token.text[:30]} is out of range", token.at, "Numbers go up to 10^15.")
    return Decimal(token.text)


def read_measure(cursor: Cursor) -> Measure:
    start = cursor.now.at[0]
    sign = -1.0 if cursor.take_symbol("-") else 1.0
    terms = [_product(cursor, sign)]
    while cursor.is_symbol("+", "-"):
        sign = -1.0 if cursor.next().text == "-" else 1.0
        terms.append(_product(cursor, sign))
        if len(terms) > MAX_NODES:
            raise SyntaxProblem("E115", f"a measure of more than {MAX_NODES} terms", terms[-1].at, "Split it.")
    if cursor.is_symbol("*", "/"):
        raise SyntaxProblem(
            "E113",
            "a measure is a sum of terms; only a number may multiply an event",
            cursor.now.at,
            "Example:  like + 2 * comment.  A quotient is `ratio: {of: …, to: …}`",
        )
    return Measure(tuple(terms), (start, cursor.last_end()))


def _product(cursor: Cursor, sign: float) -> Term:
    token = cursor.now
    if token.kind == "number":
        cursor.next()
        exact = exact_number(token) * int(sign)
        number = float(exact)
        if cursor.take_symbol("*"):
            atom = _atom(cursor)
            return Term(number, atom, None, (token.at[0], atom.at[1]))
        if cursor.take_symbol("%"):
            return Term(float(exact / 100), None, "%", (token.at[0], cursor.last_end()))
        if cursor.now.kind == "word" and (cursor.now.text in TIME_UNITS or CURRENCY.fullmatch(cursor.now.text)):
            unit = cursor.next().text
            return Term(
                float(exact * TIME_UNITS.get(unit, 1)),
                None,
                "duration" if unit in TIME_UNITS else unit,
                (token.at[0], cursor.last_end()),
            )
        return Term(number, None, None, token.at)
    atom = _atom(cursor)
    return Term(sign, atom, None, atom.at)


def _atom(cursor: Cursor) -> Atom:
    start = cursor.now.at[0]
    if cursor.now.kind == "word" and cursor.peek().text == "(":
        atom = _call(cursor)
    else:
        atom = read_event(cursor, "")
        if cursor.is_symbol("."):
            raise SyntaxProblem(
                "E113",
                "a property needs a function around it",
                (start, cursor.peek().at[1]),
                f"Example:  sum({atom.event}.{cursor.peek().text or 'revenue'})",
            )
    ago = read_ago(cursor)
    return atom if ago is None else replace(atom, ago=ago, at=(start, cursor.last_end()))


def _call(cursor: Cursor) -> Atom:
    start = cursor.now.at[0]
    name = cursor.now.text
    if name not in FUNCTIONS:
        raise SyntaxProblem(
            "E113", f'"{name}" is not a function of an event', cursor.now.at, did_you_mean(name, FUNCTIONS)
        )
    function = FUNCTIONS[cursor.next().text]
    cursor.next()
    event = read_event(cursor, f"inside {name}( )")
    prop = None
    if cursor.take_symbol("."):
        if cursor.now.kind != "word":
            raise SyntaxProblem("E113", f'expected a property after ".", found {cursor.found()}', cursor.now.at)
        prop = cursor.next().text
    cursor.expect_symbol(")", f"after {name}( … ")
    at = (start, cursor.last_end())
    if prop is None and function not in _OF_EVENTS:
        example = f"{name}({event.event}.{'article' if name == 'distinct' else 'revenue'})"
        raise SyntaxProblem("E113", f"{name}( ) needs a property", at, f"Example:  {example}")
    if prop is not None and function in _OF_EVENTS:
        what = "a survey" if function == "answer" else "an event"
        raise SyntaxProblem("E113", f"{name}( ) takes {what} alone", at, f"Write {name}({event.event})")
    return Atom(function, event.event, prop, None, at, event.name_at)


def read_ago(cursor: Cursor) -> Ago | None:
    """`1 week ago`, `1-7 days ago`, or nothing."""
    ahead = 3 if cursor.peek().text == "-" else 1
    if cursor.now.kind != "number" or cursor.peek(ahead + 1).text != "ago" or cursor.peek(ahead).kind != "word":
        return None
    start = cursor.now.at[0]
    first = _blocks_back(cursor)
    last = first
    if cursor.take_symbol("-"):
        last = _blocks_back(cursor)
    word = cursor.next()
    cursor.next()
    at = (start, cursor.last_end())
    if word.text not in _PERIODS:
        raise SyntaxProblem(
            "E113", f'expected days, weeks or months before "ago", found "{word.text}"', word.at,
            "Examples:  app_open 1 week ago   app_open 1-7 days ago",
        )  # fmt: skip
    if not 1 <= first <= last <= MAX_AGO:
        hint = f"Write  {last}-{first} {word.text} ago" if last < first else "The present block needs no `ago`."
        hint = f"At most {MAX_AGO} blocks are looked back." if last > MAX_AGO else hint
        raise SyntaxProblem("E117", f"{cursor.source[at[0] : at[1]]} is no stretch of time before now", at, hint)
    return Ago(first, last, _PERIODS[word.text])


def _blocks_back(cursor: Cursor) -> int:
    token = cursor.now
    if token.kind != "number" or not token.text.isdigit() or len(token.text) > 6:
        raise SyntaxProblem("E113", f'expected a whole number before "ago", found {cursor.found()}', token.at)
    return int(cursor.next().text)


def read_event(cursor: Cursor, where: str) -> Atom:
    token = cursor.now
    if token.kind != "word" or token.text in RESERVED:
        place = f" {where}" if where else ""
        hint = ""
        if token.kind == "symbol" and cursor.index and cursor.all[cursor.index - 1].text == "=":
            hint = f"Write  {token.text}=" if token.text in "<>" else ""
        elif token.kind == "symbol" and not cursor.index:
            hint = f"Start with the event:  like {cursor.source[:40]}"
        elif token.kind in ("text", "date"):
            hint = "Tests of properties stand in `where` of an event:  purchase: {event: order, where: country = ES}"
        raise SyntaxProblem("E113", f"expected an event{place}, found {cursor.found()}", token.at, hint)
    cursor.next()
    return Atom("count", token.text, None, None, token.at, token.at[0])
