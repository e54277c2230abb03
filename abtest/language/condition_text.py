"""Conditions as text, from their tokens alone: spaces, clauses, and where in a file they stand.

Nothing here knows what a condition means, so whatever the language learns to read passes through unharmed: between
tokens that no rule names, the author's own spacing stays.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Literal

from abtest.language.measures import CURRENCY, FUNCTIONS, TIME_UNITS
from abtest.language.tokens import SyntaxProblem, Token, tokens

Role = Literal["condition", "text"]
Path = tuple[str, ...]

_LISTS = frozenset({"all", "any", "none", "of"})
_CONDITIONS = frozenset({"did", "retention", "time_to"})
_TEXTS = frozenset({"amount", "ratio", "among", "funnel"})
_OPERATORS = frozenset({"<", "<=", ">", ">=", "=", "!=", "*", "+", "-", "/"})
_SAME = {"==": "=", "<>": "!="}
_GROUPING = frozenset({"and", "or", "not", "no", "of", "in", "between", "before", "after"})


def role_of(path: Path, *, experiment: bool = False) -> Role | None:
    """What a value is: a condition (a text or `all:`/`any:` lists), another text made of tokens, or None of these.

    >>> role_of(("metrics", "engaged", "did")), role_of(("metrics", "engaged", "title"))
    ('condition', None)
    """
    if experiment:
        found = path in {("exposure", "where"), ("population", "only"), ("population", "exclude")}
        return "text" if found else None
    named = 4 if path[:1] == ("groups",) else 3  # a rung may be called `none`
    while len(path) > named and path[-1] in _LISTS:
        path = path[:-1]
    match path:
        case ("metrics", _, key) if key in _CONDITIONS:
            return "condition"
        case ("groups", _, "ladder" | "cross", _):
            return "condition"
        case ("metrics", _, key) if key in _TEXTS:
            return "text"
        case ("metrics", _, "ratio" | "quantile", "of" | "to"):
            return "text"
        case ("sources" | "events", _, "where") | ("sources", _, "ignore", _):
            return "text"
    return None


@lru_cache(maxsize=1024)
def _tokens(text: str) -> tuple[Token, ...]:
    # Words keep their hyphens: `follow-unfollow` stays as written, and so does a value such as `free-tier`.
    return tokens(text, hyphens=True)[:-1]


def words(text: str) -> tuple[str, ...] | None:
    """The tokens, quotes included, without anything that spacing changes; None for a text that has none.

    >>> words("like>=5") == words("like  >=  5")
    True
    """
    try:
        return tuple(_written(text, token) for token in _tokens(text))
    except SyntaxProblem:
        return None


def spaced(text: str) -> str:
    """The text with one space where there should be one. Text that cannot be read stays as it is.

    >>> spaced("photo_post>=2  and (like - unlike>= 5) on 2 days and app_open 1-7 days ago")
    'photo_post >= 2 and (like - unlike >= 5) on 2 days and app_open 1-7 days ago'
    """
    try:
        found = _tokens(text)
    except SyntaxProblem:
        return text
    parts: list[str] = []
    unary = tight = False
    for before, token in pairwise((None, *found)):
        assert token is not None
        if before is not None:
            gap = text[before.at[1] : token.at[0]] != ""
            # A sign stands close to its number, and a range such as 1-7 stays closed.
            close = unary or tight
            parts.append(" " if not close and _space(before, token, gap) else "")
        unary = token.text == "-" and token.kind == "symbol" and _starts(before)
        tight = not unary and _range(text, token)
        if tight and parts and parts[-1] == " ":
            parts.pop()
        parts.append(_written(text, token))
    result = "".join(parts)
    return result if words(result) == words(text) else text


def _written(text: str, token: Token) -> str:
    raw = text[token.at[0] : token.at[1]]
    return _SAME.get(raw, raw) if token.kind == "symbol" else raw


def _starts(before: Token | None) -> bool:
    """Whether what follows begins a value, so that a minus there is a sign."""
    if before is None or before.text in _SAME:
        return True
    if before.kind == "word":
        return before.text in _GROUPING
    return before.kind == "symbol" and (before.text in _OPERATORS or before.text in ("(", ","))


def _range(text: str, token: Token) -> bool:
    start, end = token.at
    around = text[start - 1 : start], text[end : end + 1]
    return token.kind == "symbol" and token.text == "-" and all(a and not a.isspace() for a in around)


def _space(before: Token, after: Token, gap: bool) -> bool:
    left = _SAME.get(before.text, before.text) if before.kind == "symbol" else ""
    right = _SAME.get(after.text, after.text) if after.kind == "symbol" else ""
    if right in (",", ")") or left in ("(", "."):
        return False
    if left == "$":
        return gap
    if right == ".":
        return gap and before.kind not in ("word", "text")
    if right == "%":
        return gap and before.kind != "number"
    if left in _OPERATORS or right in _OPERATORS or left == ",":
        return True
    if right == "(":
        return before.text in _GROUPING if before.kind == "word" and _known(before.text) else gap
    if after.kind == "word" and before.kind == "number":
        return gap or after.text in TIME_UNITS or CURRENCY.fullmatch(after.text) is not None
    if left == ")" or after.kind == "text" or before.kind == "text":
        return not right or gap
    return gap


def _known(word: str) -> bool:
    return word in _GROUPING or word in FUNCTIONS


def clauses(text: str) -> tuple[str, tuple[str, ...]] | None:
    """`and` or `or` and the texts that it joins; None when there is one clause, or no list that means the same.

    >>> clauses("a >= 1 and b between 2 and 5 and (c or d)")
    ('and', ('a >= 1', 'b between 2 and 5', 'c or d'))
    """
    try:
        found = _tokens(text)
    except SyntaxProblem:
        return None
    depth = between = start = 0
    joiner = ""
    parts: list[str] = []
    for before, token, after in zip((None, *found), found, (*found[1:], None), strict=False):
        if token.kind == "symbol":
            depth += (token.text == "(") - (token.text == ")")
        if token.kind != "word" or depth or (before is not None and before.text == "."):
            continue
        if token.text == "between":
            between += 1
        elif token.text == "and" and between:
            between -= 1
        elif token.text in ("and", "or"):
            if joiner not in ("", token.text):
                return None
            joiner = token.text
            parts.append(text[start : token.at[0]].strip())
            start = token.at[1]
        elif token.text in ("on", "in") and (after is None or after.text != "("):
            return None  # a spread beside a joiner: whether it covers all or the last is not for us to say
    parts.append(text[start:].strip())
    if not joiner or depth or not all(parts):
        return None
    return joiner, tuple(_bare(part) for part in parts)


def _bare(text: str) -> str:
    """The text without parentheses around all of it.

    >>> _bare("(a or b)"), _bare("(a) or (b)")
    ('a or b', '(a) or (b)')
    """
    found = _tokens(text)
    if len(found) < 3 or found[0].text != "(" or found[0].kind != "symbol":
        return text
    depth = 0
    for token in found[:-1]:
        if token.kind == "symbol":
            depth += (token.text == "(") - (token.text == ")")
        if depth == 0:
            return text
    return text[found[0].at[1] : found[-1].at[0]].strip()


def joined(joiner: str, parts: tuple[str, ...]) -> str:
    """One text of several clauses, in parentheses where they are more than a comparison or an event.

    >>> joined("and", ("a >= 1", "b or c"))
    'a >= 1 and (b or c)'
    """
    if len(parts) == 1:
        return parts[0]
    return f" {joiner} ".join(part if _simple(part) else f"({part})" for part in parts)


def _simple(text: str) -> bool:
    """No two words side by side outside parentheses, but for `no crash` and `1 week ago`."""
    try:
        found = _tokens(text)
    except SyntaxProblem:
        return False
    depth = 0
    for before, token in pairwise((None, *found)):
        assert token is not None
        if token.kind == "symbol":
            depth += (token.text == "(") - (token.text == ")")
        side_by_side = before is not None and before.kind == token.kind == "word"
        if depth == 0 and side_by_side and before is not None and before.text != "no" and token.text != "ago":
            return False
        if depth == 0 and token.kind == "word" and token.text in ("and", "or", "on", "in", "between"):
            return False
    return bool(found)
