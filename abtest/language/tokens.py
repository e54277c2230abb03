"""Text of a condition to tokens with spans."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from abtest.language.conditions import Span
from abtest.problems import quoted

MAX_LENGTH = 2_000

Kind = Literal["word", "number", "date", "text", "symbol", "end"]

_PATTERN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}(?![\w.]))
  | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
  | (?P<text>'(?:[^']|'')*'|"[^"]*")
  | (?P<word>[^\W\d](?:\w|(?<=\w)-(?=\w))*)
  | (?P<symbol><=|>=|!=|==|<>|[<>=(),.+*%/$-])
    """,
    re.VERBOSE,
)
_PLAIN_WORD = re.compile(r"[^\W\d]\w*")


class SyntaxProblem(Exception):
    """A mistake in the text of a condition: code, sentence, span and hint."""

    def __init__(self, code: str, message: str, at: Span, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.at, self.hint = code, message, at, hint


_HINTS = {
    "'": "Quote text on both sides: 'like this'.",
    '"': "Quote text on both sides: 'like this'.",
    "&": 'Write "and".',
    "|": 'Write "or".',
    "≥": "Write >= .",
    "≤": "Write <= .",
    "≠": "Write != .",
    "!": 'Write "not", or != .',
    "[": "Groups stand in round parentheses ( ).",
    "{": "Groups stand in round parentheses ( ).",
    "@": "Text with other characters needs quotes: 'a@b.example'.",
}
LATER_HINT = "It is part of the language; a later version adds it."


def later_message(what: str) -> str:
    return f"{what} cannot be computed by this version of abtest"


def not_yet(what: str, at: Span, hint: str = LATER_HINT) -> SyntaxProblem:
    """For what the language knows and this version cannot compute."""
    return SyntaxProblem("E190", later_message(what), at, hint)


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    at: Span


def tokens(text: str, *, hyphens: bool = False) -> tuple[Token, ...]:
    """All tokens and a final `end`. With `hyphens`, words may hold them (values in a `where`).

    >>> [t.text for t in tokens("photo_post >= 2 and like")]
    ['photo_post', '>=', '2', 'and', 'like', '']
    """
    if len(text) > MAX_LENGTH:
        raise SyntaxProblem(
            "E115",
            f"a condition of {len(text):,} characters; at most {MAX_LENGTH:,} are read",
            (0, 1),
            "Split it into groups or several metrics.",
        )
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _PATTERN.match(text, position)
        if match is None:
            char = text[position]
            hint = _HINTS.get(char, "")
            raise SyntaxProblem(
                "E114", f"a character that means nothing here: {quoted(char)}", (position, position + 1), hint
            )
        kind = match.lastgroup
        value = match.group()
        if kind == "word" and not hyphens and "-" in value:
            plain = _PLAIN_WORD.match(text, position)
            assert plain is not None
            value = plain.group()
        end = position + len(value)
        if kind == "text":
            quote = value[0]
            found.append(Token("text", value[1:-1].replace(quote * 2, quote), (position, end)))
        elif kind != "space":
            found.append(Token(kind, value, (position, end)))  # type: ignore[arg-type]
        position = end
    found.append(Token("end", "", (len(text), len(text) + 1)))
    return tuple(found)


class Cursor:
    """A position in a list of tokens."""

    def __init__(self, text: str, *, hyphens: bool = False) -> None:
        self.source = text
        self.all = tokens(text, hyphens=hyphens)
        self.index = 0

    @property
    def now(self) -> Token:
        return self.all[self.index]

    @property
    def ended(self) -> bool:
        return self.now.kind == "end"

    def peek(self, ahead: int = 1) -> Token:
        return self.all[min(self.index + ahead, len(self.all) - 1)]

    def next(self) -> Token:
        token = self.now
        self.index = min(self.index + 1, len(self.all) - 1)
        return token

    def is_word(self, *words: str) -> bool:
        return self.now.kind == "word" and self.now.text in words

    def is_symbol(self, *symbols: str) -> bool:
        return self.now.kind == "symbol" and self.now.text in symbols

    def take_word(self, *words: str) -> Token | None:
        return self.next() if self.is_word(*words) else None

    def take_symbol(self, *symbols: str) -> Token | None:
        return self.next() if self.is_symbol(*symbols) else None

    def expect_symbol(self, symbol: str, after: str) -> Token:
        token = self.take_symbol(symbol)
        if token is None:
            raise SyntaxProblem("E113", f'expected "{symbol}" {after}, found {self.found()}', self.now.at)
        return token

    def found(self) -> str:
        return "the end" if self.now.kind == "end" else f'"{self.now.text[:40]}"'

    def last_end(self) -> int:
        return self.all[self.index - 1].at[1] if self.index else 0
