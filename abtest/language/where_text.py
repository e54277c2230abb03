"""A `where` as its author could have written it; reading the text again gives the same tests."""

from __future__ import annotations

import re

from abtest.language.conditions import RowAll, RowAny, RowNot, RowTest, Value, Where

_WORD = re.compile(r"[^\W\d](?:\w|(?<=\w)-(?=\w))*")
_WORDS = frozenset(
    {"and", "or", "not", "in", "is", "between", "contains", "starts", "ends", "matches", "before", "after"}
)


def where_text(where: Where | None) -> str:
    """The text of a `where`.

    >>> from abtest.language.where import parse_where
    >>> where_text(parse_where("page_type=article and (seconds >= 1 min or country in ('ES','New York'))"))
    "page_type = article and (seconds >= 60 s or country in (ES, 'New York'))"
    """
    match where:
        case None:
            return ""
        case RowTest():
            return _test_text(where)
        case RowNot(part):
            return f"not ({where_text(part)})"
        case RowAll(parts):
            return " and ".join(_inner(p) for p in parts)
        case RowAny(parts):
            return " or ".join(_inner(p) for p in parts)


def _inner(where: Where) -> str:
    text = where_text(where)
    return f"({text})" if isinstance(where, (RowAll, RowAny)) else text


def _test_text(test: RowTest) -> str:
    values = [value_text(v) for v in test.values]
    prop, turned = _prop_text(test.prop), "not " if test.negated else ""
    match test.operator:
        case "missing" | "true" | "false":
            return f"{prop} is {turned}{test.operator}"
        case "in" | "not in":
            return f"{prop} {test.operator} ({', '.join(values)})"
        case "between":
            return f"{prop} between {values[0]} and {values[1]}"
        case _:
            return f"{prop} {turned}{test.operator} {values[0]}"


def value_text(value: Value) -> str:
    if value.kind == "number":
        if value.unit is None:
            return value.text
        return f"{value.number:.15g} {'s' if value.unit == 'duration' else value.unit}"
    if value.kind == "date" or (_WORD.fullmatch(value.text) and value.text not in _WORDS):
        return value.text
    return _quoted(value.text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _prop_text(prop: str) -> str:
    """A path segment by segment; a segment that is no plain word is quoted."""
    return ".".join(_segment_text(s) for s in re.findall(r"\$?'(?:[^']|'')*'|[^.]+", prop))


def _segment_text(segment: str) -> str:
    prefix, bare = ("$", segment[1:]) if segment.startswith("$") else ("", segment)
    if bare.startswith("'") or (_WORD.fullmatch(bare) and bare not in _WORDS):
        return prefix + bare
    return prefix + _quoted(bare)
