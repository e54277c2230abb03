"""Text of a `where` (tests on the rows of a source) to its value.

where := test | test ("and" test)+ | test ("or" test)+ | "(" where ")" | "not" where
test  := PROP CMP value | PROP ["not"] "in" "(" value ("," value)* ")" | PROP "between" value "and" value
       | PROP ["not"] ("contains" | "starts with" | "ends with") TEXT | PROP ("before" | "after") DATE
       | PROP "is" ["not"] ("missing" | "true" | "false")
"""

from __future__ import annotations

from abtest.language.conditions import RowAll, RowAny, RowNot, RowTest, TestOperator, Value, Where
from abtest.language.expressions import MAX_DEPTH, mixed
from abtest.language.measures import MAX_NODES, TIME_UNITS, exact_number
from abtest.language.tokens import Cursor, SyntaxProblem
from abtest.problems import quoted

_COMPARE: dict[str, TestOperator] = {
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
    "=": "=",
    "==": "=",
    "!=": "!=",
    "<>": "!=",
}


def parse_where(text: str) -> Where:
    """The row tests written in `text`. Raises SyntaxProblem with a span.

    >>> parse_where("page_type = article and seconds >= 30 s")  # doctest: +ELLIPSIS
    RowAll(parts=(RowTest(prop='page_type', ...), RowTest(prop='seconds', ...)))
    """
    cursor = Cursor(text, hyphens=True)
    if cursor.ended:
        raise SyntaxProblem("E113", "nothing is written here", (0, 1), "Example:  country in (ES, MX)")
    where = _where(cursor, 0)
    if not cursor.ended:
        if cursor.source.count("(") > cursor.source.count(")"):
            raise _split(cursor)
        raise SyntaxProblem(
            "E113",
            f"the tests should end before {cursor.found()}",
            cursor.now.at,
            'Join tests with "and" or "or"; quote text that holds spaces.',
        )
    return where


def _split(cursor: Cursor) -> SyntaxProblem:
    return SyntaxProblem(
        "E120",
        f'the "(" is never closed: {quoted(cursor.source)}. YAML may have split your list at a comma',
        (cursor.source.find("("), len(cursor.source)),
        "Put the condition on its own line, or quote it:  'country in (US, CA)'",
    )


def _where(cursor: Cursor, depth: int) -> Where:
    if depth > MAX_DEPTH:
        raise SyntaxProblem("E115", f"nested deeper than {MAX_DEPTH} levels", cursor.now.at)
    start = cursor.now.at[0]
    parts = [_part(cursor, depth)]
    joiner = cursor.now.text if cursor.is_word("and", "or") else ""
    while cursor.is_word("and", "or"):
        if cursor.now.text != joiner:
            raise mixed(cursor, start)
        cursor.next()
        parts.append(_part(cursor, depth))
        if len(parts) > MAX_NODES:
            raise SyntaxProblem("E115", f"more than {MAX_NODES} tests", cursor.now.at, "Use  prop in (…)")
    if len(parts) == 1:
        return parts[0]
    return RowAll(tuple(parts)) if joiner == "and" else RowAny(tuple(parts))


def _part(cursor: Cursor, depth: int) -> Where:
    if depth > MAX_DEPTH:
        raise SyntaxProblem("E115", f"nested deeper than {MAX_DEPTH} levels", cursor.now.at)
    if cursor.take_word("not"):
        return RowNot(_part(cursor, depth + 1))
    if cursor.take_symbol("("):
        inner = _where(cursor, depth + 1)
        if cursor.ended:
            raise _split(cursor)
        cursor.expect_symbol(")", 'to close the "("')
        return inner
    return _test(cursor)


def _test(cursor: Cursor) -> RowTest:
    start = cursor.now.at[0]
    prop = _prop(cursor)
    if cursor.is_symbol(*_COMPARE):
        operator = _COMPARE[cursor.next().text]
        return RowTest(prop, operator, (_value(cursor),), at=(start, cursor.last_end()))
    if cursor.take_word("is"):
        negated = cursor.take_word("not") is not None
        word = cursor.take_word("missing", "true", "false")
        if word is None:
            raise SyntaxProblem(
                "E113", f'expected missing, true or false after "is", found {cursor.found()}', cursor.now.at
            )
        return RowTest(prop, word.text, (), negated, (start, cursor.last_end()))  # type: ignore[arg-type]
    negated = cursor.take_word("not") is not None
    if cursor.take_word("in"):
        cursor.expect_symbol("(", 'after "in"')
        values = [_value(cursor)]
        while cursor.take_symbol(","):
            values.append(_value(cursor))
            if len(values) > 1000:
                raise SyntaxProblem("E115", "more than 1,000 values in a list", cursor.now.at)
        if cursor.ended:
            raise _split(cursor)
        cursor.expect_symbol(")", "after the list")
        return RowTest(prop, "not in" if negated else "in", tuple(values), at=(start, cursor.last_end()))
    word = cursor.take_word("contains", "starts", "ends", "matches")
    if word is not None:
        if word.text in ("starts", "ends") and not cursor.take_word("with"):
            raise SyntaxProblem("E113", f'expected "with" after "{word.text}"', cursor.now.at)
        if word.text == "matches":
            raise SyntaxProblem(
                "E190",
                "matches cannot be computed by this version of abtest",
                word.at,
                "Use contains, starts with, ends with or in ( … ).",
            )
        operator2: TestOperator = (
            "contains" if word.text == "contains" else ("starts with" if word.text == "starts" else "ends with")
        )
        return RowTest(prop, operator2, (_value(cursor),), negated, (start, cursor.last_end()))
    if not negated and cursor.take_word("between"):
        low = _value(cursor)
        if not cursor.take_word("and"):
            raise SyntaxProblem("E113", f'expected "and" between the two bounds, found {cursor.found()}', cursor.now.at)
        return RowTest(prop, "between", (low, _value(cursor)), at=(start, cursor.last_end()))
    word = cursor.take_word("before", "after") if not negated else None
    if word is not None:
        value = _value(cursor)
        if value.kind != "date":
            raise SyntaxProblem(
                "E113", f'expected a date after "{word.text}"', value.at, "Example:  signup after 2026-01-31"
            )
        return RowTest(prop, word.text, (value,), at=(start, cursor.last_end()))  # type: ignore[arg-type]
    raise SyntaxProblem(
        "E113",
        f'expected a comparison after "{prop}", found {cursor.found()}',
        cursor.now.at,
        "Example:  country in (ES, MX)",
    )


def _prop(cursor: Cursor) -> str:
    """A property name, or a path `a.b`; a quoted segment may hold anything."""
    parts = [_segment(cursor)]
    while cursor.take_symbol("."):
        parts.append(_segment(cursor))
    return ".".join(parts)


def _segment(cursor: Cursor) -> str:
    prefix = "$" if cursor.take_symbol("$") else ""
    if cursor.now.kind not in ("word", "text"):
        raise SyntaxProblem("E113", f"expected a property, found {cursor.found()}", cursor.now.at)
    token = cursor.next()
    return prefix + (f"'{token.text}'" if token.kind == "text" and "." in token.text else token.text)


def _value(cursor: Cursor) -> Value:
    token = cursor.now
    sign = 1.0
    if cursor.is_symbol("-"):
        cursor.next()
        sign = -1.0
        token = cursor.now
    if token.kind == "number":
        cursor.next()
        unit = None
        number = sign * float(exact_number(token))
        if cursor.now.kind == "word" and cursor.now.text in TIME_UNITS:
            number = float(exact_number(token) * int(sign) * TIME_UNITS[cursor.next().text])
            unit = "duration"
        elif cursor.now.kind == "word" and cursor.now.text.isupper() and len(cursor.now.text) == 3:
            unit = cursor.next().text
        text = ("-" if sign < 0 else "") + token.text
        return Value("number", text, number, unit, (token.at[0], cursor.last_end()))
    if sign > 0 and token.kind == "date":
        cursor.next()
        return Value("date", token.text, at=token.at)
    if sign > 0 and token.kind in ("text", "word"):
        cursor.next()
        return Value("text", token.text, at=token.at)
    raise SyntaxProblem("E113", f"expected a value, found {cursor.found()}", token.at)
