"""States as word, colour and icon: which code gets which look, in one place for every output."""

from __future__ import annotations

from dataclasses import dataclass

# The tone and the icon of each code; the word comes from the words file.
TONES = {
    "better": ("good", "good"),
    "worse": ("bad", "bad"),
    "unclear": ("flat", "flat"),
    "flat": ("flat", "flat"),
    "open": ("flat", "none"),
    "no_test": ("flat", "none"),
    "held": ("good", "good"),
    "held_but_worse": ("warn", "warn"),
    "not_shown": ("warn", "warn"),
    "worse_not_shown": ("bad", "warn"),
    "broken": ("bad", "bad"),
    "pass": ("good", "good"),
    "note": ("warn", "warn"),
    "fail": ("bad", "bad"),
    "not_run": ("flat", "none"),
    "ship": ("good", "ship"),
    "dont_ship": ("bad", "dont_ship"),
    "keep_running": ("warn", "keep_running"),
    "dont_decide": ("bad", "dont_decide"),
}


@dataclass(frozen=True)
class Chip:
    """A state as word, colour and icon, so that none of the three carries the meaning alone."""

    word: str
    tone: str
    icon: str
