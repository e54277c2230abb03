"""Text of a `where` (tests on the rows of a source) to its value.

where := test | test ("and" test)+ | test ("or" test)+ | "(" where ")" | "not" where      (tests: `row_test.py`)
"""

from __future__ import annotations

from abtest.language.conditions import RowAll, RowAny, RowNot, Where
from abtest.language.expressions import MAX_DEPTH, mixed
from abtest.language.measures import MAX_NODES
from abtest.language.row_test import never_closed, read_test
from abtest.language.tokens import Cursor, SyntaxProblem


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
            raise never_closed(cursor)
        raise SyntaxProblem(
            "E113",
            f"the tests should end before {cursor.found()}",
            cursor.now.at,
            'Join tests with "and" or "or"; quote text that holds spaces.',
        )
    return where


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
            raise never_closed(cursor)
        cursor.expect_symbol(")", 'to close the "("')
        return inner
    return read_test(cursor)
