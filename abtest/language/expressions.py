"""Text of a condition or measure to its value: a recursive-descent parser with spans.

Grammar, without the parts that later work adds (`ago`, sessions, survey answers):

    condition := unit | unit ("and" unit)+ | unit ("or" unit)+
    unit      := "not" unit | base [spread]
    base      := "(" condition ")" | "no" EVENT | "at least" N "of" "(" condition ("," condition)* ")"
               | measure CMP measure | measure "between" NUMBER "and" NUMBER | EVENT
    measure   := product (("+" | "-") product)*      product := [NUMBER "*"] atom | NUMBER [UNIT]
    spread    := ("on" | "in") ([CMP] N | "every") PERIOD
"""

from __future__ import annotations

from abtest.language.conditions import (
    All,
    AnyOf,
    AtLeast,
    Atom,
    Compare,
    Condition,
    Function,
    Measure,
    Not,
    Operator,
    Span,
    Spread,
    Term,
    at_least_one,
    walk,
)
from abtest.language.tokens import Cursor, SyntaxProblem

MAX_NODES = 64
MAX_DEPTH = 8

FUNCTIONS: dict[str, Function] = {"count": "count", "sum": "sum", "mean": "mean", "min": "min", "max": "max", "days": "days"}
LATER_FUNCTIONS = ("distinct", "first", "last", "sessions", "days_since", "answer")
RESERVED = frozenset({"and", "or", "not", "no", "at", "least", "of", "on", "in", "every", "between", "ago", "is"})
TIME_UNITS = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "seconds": 1.0, "min": 60.0, "minutes": 60.0, "h": 3600.0, "hours": 3600.0}
_PERIODS = {"day": 1, "days": 1, "week": 7, "weeks": 7}
_COMPARE: dict[str, Operator] = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "=": "=", "==": "=", "!=": "!=", "<>": "!="}
_NOT_A_FUNCTION = "a function of an event"


def parse_condition(text: str) -> Condition:
    """The condition written in `text`. Raises SyntaxProblem with a span.

    >>> parse_condition("photo_post >= 2 and like >= 5") == parse_condition("(photo_post >= 2) and like>=5")
    True
    """
    cursor = Cursor(text)
    _no_empty(cursor)
    condition = _condition(cursor, 0)
    _finish(cursor)
    if sum(1 for _ in walk(condition)) > MAX_NODES:
        raise SyntaxProblem("E115", f"a condition of more than {MAX_NODES} parts", (0, len(text)), "Split it.")
    return condition


def parse_measure(text: str) -> Measure:
    """The measure written in `text`, such as `like + 2 * comment` or `sum(purchase.revenue)`."""
    cursor = Cursor(text)
    _no_empty(cursor)
    measure = _measure(cursor)
    _finish(cursor)
    if len(measure.terms) > MAX_NODES:
        raise SyntaxProblem("E115", f"a measure of more than {MAX_NODES} terms", (0, len(text)))
    return measure


def _no_empty(cursor: Cursor) -> None:
    if cursor.now.kind == "end":
        raise SyntaxProblem("E113", "nothing is written here", (0, 1), "Example:  photo_post >= 2 and like >= 5")


def _finish(cursor: Cursor) -> None:
    if cursor.now.kind == "end":
        return
    token = cursor.now
    if cursor.is_symbol(","):
        raise SyntaxProblem("E113", 'a comma outside "at least N of ( … )"', token.at, 'Join conditions with "and" or "or".')
    if cursor.is_symbol(")"):
        raise SyntaxProblem("E113", 'a ")" without its "("', token.at)
    if token.kind == "word" and (token.text == "ago" or (token.text.isidentifier() and cursor.peek().text == "ago")):
        raise _later("looking back (`ago`)", token.at)
    hint = ""
    if token.kind == "number":
        hint = "A comparison goes between:  like >= 5"
    elif token.kind == "word" and token.text not in RESERVED:
        hint = 'Join conditions with "and" or "or".'
    raise SyntaxProblem("E113", f"the condition should end before {cursor.found()}", token.at, hint)


def _later(what: str, at: Span) -> SyntaxProblem:
    return SyntaxProblem("E190", f"{what} cannot be computed by this version of abtest", at, "It is part of the language; a later version adds it.")


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
            _mixed(cursor, start)
        cursor.next()
        part, part_bare = _unit(cursor, depth)
        parts.append(part)
        bare.append(part_bare)
    at = (start, cursor.last_end())
    for part, loose in zip(parts, bare, strict=True):
        if loose:
            _loose_spread(cursor, part, parts, joiner)
    return All(tuple(parts), at) if joiner == "and" else AnyOf(tuple(parts), at)


def _mixed(cursor: Cursor, start: int) -> None:
    """`a and b or c`: say which readings there are."""
    at = cursor.now.at
    head = cursor.source[start : at[0]].strip()
    rest = cursor.source[at[1] :].strip()
    word, other = cursor.now.text, "and" if cursor.now.text == "or" else "or"
    left, _, right = head.rpartition(f" {other} ")
    hint = f"({head}) {word} {rest}   |   {left} {other} ({right} {word} {rest})" if left and len(head + rest) < 90 else "Put parentheses around one of the two readings."
    raise SyntaxProblem("E111", '"and" and "or" side by side. Which one is meant?', at, hint)


def _loose_spread(cursor: Cursor, part: Condition, parts: list[Condition], joiner: str) -> None:
    assert isinstance(part, Spread)
    inner = cursor.source[part.part.at[0] : part.part.at[1]].strip()
    whole = cursor.source[part.at[0] : part.at[1]].strip()
    spread = whole[len(inner) :].strip()
    others = [cursor.source[p.at[0] : p.at[1]].strip() for p in parts if p is not part]
    hint = f"Write ({inner} {joiner} {f' {joiner} '.join(others)}) {spread}, or put it in parentheses alone: ({whole})"
    message = f'"{spread}" after "{inner}": does it also cover "{others[0]}"?'
    raise SyntaxProblem("E112", message, (part.part.at[1], part.at[1]), hint if len(hint) < 200 else "Put it in parentheses with what it covers.")


def _unit(cursor: Cursor, depth: int) -> tuple[Condition, bool]:
    """A unit, and whether it ends in a spread that no parentheses enclose."""
    start = cursor.now.at[0]
    if cursor.take_word("not"):
        if depth >= MAX_DEPTH:
            raise SyntaxProblem("E115", f"nested deeper than {MAX_DEPTH} levels", cursor.now.at)
        part, bare = _unit(cursor, depth + 1)
        if bare:
            whole = cursor.source[part.at[0] : part.at[1]].strip()
            raise SyntaxProblem("E112", '"not" before a spread: what does it turn around?', (start, cursor.last_end()), f"Write not ({whole}), or put the part before the spread in parentheses with not.")
        return Not(part, (start, cursor.last_end())), False
    base = _base(cursor, depth)
    if cursor.is_word("on", "in"):
        spread = _spread(cursor, base, start)
        if cursor.is_word("on", "in"):
            raise SyntaxProblem("E112", "two spreads in a row", cursor.now.at, "Put the inner one in parentheses:  (app_open on 3 days) in 2 weeks")
        return spread, True
    return base, False


def _base(cursor: Cursor, depth: int) -> Condition:
    start = cursor.now.at[0]
    if cursor.is_symbol("("):
        cursor.next()
        inner = _condition(cursor, depth + 1)
        cursor.expect_symbol(")", 'to close the "("')
        return inner
    if cursor.take_word("no"):
        event = _event(cursor, 'after "no"')
        return Compare(Measure((Term(1.0, event, None, event.at),), event.at), "=", Measure((Term(0.0, None),)), (start, event.at[1]))
    if cursor.is_word("at") and cursor.peek().text == "least":
        return _at_least(cursor, depth)
    measure = _measure(cursor)
    if cursor.is_symbol(*_COMPARE):
        operator = _COMPARE[cursor.next().text]
        right = _measure(cursor)
        return Compare(measure, operator, right, (start, cursor.last_end()))
    if cursor.take_word("between"):
        low = _measure(cursor)
        if not cursor.take_word("and"):
            raise SyntaxProblem("E113", f'expected "and" between the two bounds, found {cursor.found()}', cursor.now.at, "Example:  like between 2 and 5")
        high = _measure(cursor)
        at = (start, cursor.last_end())
        return All((Compare(measure, ">=", low, at), Compare(measure, "<=", high, at)), at)
    only = measure.terms[0]
    if len(measure.terms) == 1 and only.coefficient == 1.0 and only.atom is not None and only.atom.function == "count":
        return at_least_one(only.atom.event, (start, cursor.last_end()))
    raise SyntaxProblem("E113", f"expected a comparison after {cursor.source[start : cursor.last_end()]!r}, found {cursor.found()}", cursor.now.at, "Example:  sum(purchase.revenue) >= 20")


def _at_least(cursor: Cursor, depth: int) -> Condition:
    start = cursor.next().at[0]
    cursor.next()
    count = _whole_number(cursor, 'after "at least"')
    if not cursor.take_word("of"):
        raise SyntaxProblem("E113", f'expected "of" after "at least {count}", found {cursor.found()}', cursor.now.at, "Example:  at least 2 of (post, comment >= 3, share)")
    cursor.expect_symbol("(", 'after "of"')
    parts = [_condition(cursor, depth + 1)]
    while cursor.take_symbol(","):
        parts.append(_condition(cursor, depth + 1))
    if cursor.now.kind == "end":
        raise SyntaxProblem("E120", 'the list after "at least" is never closed; YAML may have split it at a comma', (start, cursor.now.at[1]), "Put the condition on its own line instead of inside { }.")
    cursor.expect_symbol(")", "after the list")
    at = (start, cursor.last_end())
    if not 1 <= count <= len(parts):
        raise SyntaxProblem("E116", f"at least {count} of a list of {len(parts)}", at)
    return AtLeast(count, tuple(parts), at)


def _measure(cursor: Cursor) -> Measure:
    start = cursor.now.at[0]
    sign = -1.0 if cursor.take_symbol("-") else 1.0
    terms = [_product(cursor, sign)]
    while cursor.is_symbol("+", "-"):
        sign = -1.0 if cursor.next().text == "-" else 1.0
        terms.append(_product(cursor, sign))
    if cursor.is_symbol("*", "/"):
        raise SyntaxProblem("E113", "a measure is a sum of terms; only a number may multiply an event", cursor.now.at, "Example:  like + 2 * comment.  A quotient is `ratio: {of: …, to: …}`")
    return Measure(tuple(terms), (start, cursor.last_end()))


def _product(cursor: Cursor, sign: float) -> Term:
    token = cursor.now
    if token.kind == "number":
        cursor.next()
        number = sign * float(token.text)
        if cursor.take_symbol("*"):
            atom = _atom(cursor)
            return Term(number, atom, None, (token.at[0], atom.at[1]))
        if cursor.take_symbol("%"):
            return Term(number / 100.0, None, "%", (token.at[0], cursor.last_end()))
        if cursor.now.kind == "word" and (cursor.now.text in TIME_UNITS or cursor.now.text.isupper()):
            unit = cursor.next().text
            return Term(number * TIME_UNITS.get(unit, 1.0), None, "duration" if unit in TIME_UNITS else unit, (token.at[0], cursor.last_end()))
        return Term(number, None, None, token.at)
    atom = _atom(cursor)
    return Term(sign, atom, None, atom.at)


def _atom(cursor: Cursor) -> Atom:
    start = cursor.now.at[0]
    if cursor.now.kind == "word" and cursor.peek().text == "(":
        name = cursor.now.text
        if name in LATER_FUNCTIONS:
            raise _later(f"{name}( )", cursor.now.at)
        if name not in FUNCTIONS:
            from abtest.language.suggest import did_you_mean

            raise SyntaxProblem("E113", f'"{name}" is not {_NOT_A_FUNCTION}', cursor.now.at, did_you_mean(name, FUNCTIONS))
        function = FUNCTIONS[cursor.next().text]
        cursor.next()
        event = _event(cursor, f"inside {name}( )")
        prop = None
        if cursor.take_symbol("."):
            if cursor.now.kind != "word":
                raise SyntaxProblem("E113", f'expected a property after ".", found {cursor.found()}', cursor.now.at)
            prop = cursor.next().text
        cursor.expect_symbol(")", f"after {name}( … ")
        at = (start, cursor.last_end())
        if prop is None and function not in ("count", "days"):
            raise SyntaxProblem("E113", f"{name}( ) needs a property", at, f"Example:  {name}({event.event}.revenue)")
        if prop is not None and function in ("count", "days"):
            raise SyntaxProblem("E113", f"{name}( ) takes an event alone", at, f"Write {name}({event.event})")
        _not_ago(cursor)
        return Atom(function, event.event, prop, at)
    event = _event(cursor, "")
    if cursor.is_symbol("."):
        raise SyntaxProblem("E113", "a property needs a function around it", (start, cursor.peek().at[1]), f"Example:  sum({event.event}.{cursor.peek().text or 'revenue'})")
    _not_ago(cursor)
    return event


def _not_ago(cursor: Cursor) -> None:
    """`app_open 1 week ago`: part of the language, not of this version; better said than misread."""
    ahead = 0
    while cursor.peek(ahead).kind == "number" or cursor.peek(ahead).text == "-":
        ahead += 1
    if 0 < ahead <= 3 and cursor.peek(ahead + 1).text == "ago":
        raise _later("looking back (`ago`)", (cursor.now.at[0], cursor.peek(ahead + 1).at[1]))


def _event(cursor: Cursor, where: str) -> Atom:
    token = cursor.now
    if token.kind != "word" or token.text in RESERVED:
        place = f" {where}" if where else ""
        hint = "A condition starts with an event:  like >= 5" if token.kind == "symbol" else ""
        raise SyntaxProblem("E113", f"expected an event{place}, found {cursor.found()}", token.at, hint)
    cursor.next()
    return Atom("count", token.text, None, token.at)


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
    inner = part if part.at != (0, 0) else part
    return Spread(inner, operator, count, days, (start, cursor.last_end()))


def _period(cursor: Cursor, minimum: int) -> int:
    token = cursor.now
    if token.kind == "word" and token.text in _PERIODS:
        cursor.next()
        return _PERIODS[token.text]
    if token.kind == "word" and token.text in ("hour", "hours", "month", "months", "session", "sessions"):
        raise _later(f"a spread over {token.text}", token.at)
    raise SyntaxProblem("E113", f"expected days or weeks, found {cursor.found()}", token.at, "Example:  article_read >= 4 on 2 days")


def _whole_number(cursor: Cursor, where: str) -> int:
    token = cursor.now
    if token.kind != "number" or not token.text.isdigit() or len(token.text) > 6:
        raise SyntaxProblem("E113", f"expected a whole number {where}, found {cursor.found()}", token.at)
    cursor.next()
    return int(token.text)
