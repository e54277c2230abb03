"""Text of one test on a property to its value: `country in (ES, MX)`, `seconds >= 30 s`, `path matches '^/a'`.

test := PROP CMP value | PROP ["not"] "in" "(" value ("," value)* ")" | PROP "between" value "and" value
      | PROP ["not"] ("contains" | "starts with" | "ends with" | "matches") TEXT | PROP ("before" | "after") DATE
      | PROP "is" ["not"] ("missing" | "true" | "false")
"""

from __future__ import annotations

import re

from abtest.language.conditions import RowTest, TestOperator, Value
from abtest.language.measures import TIME_UNITS, exact_number
from abtest.language.tokens import Cursor, SyntaxProblem
from abtest.problems import quoted

MAX_PATTERN = 200
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


def never_closed(cursor: Cursor) -> SyntaxProblem:
    """A list that YAML cut at its comma."""
    return SyntaxProblem(
        "E120",
        f'the "(" is never closed: {quoted(cursor.source)}. YAML may have split your list at a comma',
        (cursor.source.find("("), len(cursor.source)),
        "Put the condition on its own line, or quote it:  'country in (US, CA)'",
    )


def read_test(cursor: Cursor) -> RowTest:
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
            raise never_closed(cursor)
        cursor.expect_symbol(")", "after the list")
        return RowTest(prop, "not in" if negated else "in", tuple(values), at=(start, cursor.last_end()))
    word = cursor.take_word("contains", "starts", "ends", "matches")
    if word is not None:
        if word.text in ("starts", "ends") and not cursor.take_word("with"):
            raise SyntaxProblem("E113", f'expected "with" after "{word.text}"', cursor.now.at)
        if word.text == "matches":
            return _matches(cursor, prop, negated, start)
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


def _matches(cursor: Cursor, prop: str, negated: bool, start: int) -> RowTest:
    """A regular expression: short, and without the parts that can take for ever."""
    value = _value(cursor)
    problem = ""
    if len(value.text) > MAX_PATTERN:
        problem = f"a pattern of {len(value.text)} characters; at most {MAX_PATTERN} are read"
    elif re.search(r"\\[1-9]|\(\?(?!:)", value.text):
        problem = "a pattern with a look-around or a back-reference"
    else:
        try:
            re.compile(value.text)
        except (re.error, OverflowError, RecursionError) as e:
            problem = f"a pattern that cannot be read: {e}"
    if problem:
        raise SyntaxProblem("E118", problem, value.at, "Example:  path matches '^/article/[0-9]+$'")
    return RowTest(prop, "matches", (value,), negated, (start, cursor.last_end()))


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
