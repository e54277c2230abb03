"""Names and texts that come from YAML or data, made safe to show: no control characters, bounded length."""

from __future__ import annotations

import re
import unicodedata

ELLIPSIS = "…"

# Overrides and embeddings can reorder the numbers around a name; isolates are set by ourselves where needed.
_BIDI_CONTROLS = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")
_FSI, _PDI = "\u2068", "\u2069"
_ZERO_WIDTH_JOINER = "\u200d"


def clean(text: str) -> str:
    """One line without control characters.

    >>> clean("a\\n b\\x1b[31m")
    'a b [31m'
    """
    text = _BIDI_CONTROLS.sub("", text)
    kept = (" " if _is_control(char) else char for char in text)
    return " ".join("".join(kept).split())


def _is_control(char: str) -> bool:
    category = unicodedata.category(char)
    # Unpaired surrogates cannot be written as UTF-8, so they leave with the control characters.
    return category in ("Cc", "Cs", "Zl", "Zp") or (category == "Cf" and char != _ZERO_WIDTH_JOINER)


def clip(text: str, limit: int) -> str:
    """At most `limit` characters, cut at a word where one is near, with an ellipsis.

    >>> clip("an unusually long name", 12)
    'an unusually…'
    """
    if len(text) <= limit:
        return text
    # A joiner or a combining mark left at the cut would bind to the ellipsis.
    cut = text[:limit].rstrip(_ZERO_WIDTH_JOINER)
    space = cut.rfind(" ")
    if text[limit] != " " and space > limit * 0.6:
        cut = cut[:space]
    return cut.rstrip(" ,.;:") + ELLIPSIS


def isolate(text: str) -> str:
    """A right-to-left name in isolating marks, so that it does not reorder the numbers beside it."""
    if any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in text):
        return f"{_FSI}{text}{_PDI}"
    return text


def columns(text: str) -> int:
    """Width in terminal columns: wide characters take two, combining ones none."""
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def fit(text: str, width: int, *, right: bool = False) -> str:
    """`text` in exactly `width` columns, clipped or padded."""
    if columns(text) > width:
        out, used = "", 0
        for char in text:
            if used + _columns(char) > width - 1:
                break
            out, used = out + char, used + _columns(char)
        text = out.rstrip(" " + _ZERO_WIDTH_JOINER) + ELLIPSIS
    space = " " * (width - columns(text))
    return space + text if right else text + space
