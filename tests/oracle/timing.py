"""Random windows, clocks and blocks as YAML text, always within the rules of the language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .choices import Choices
from .vocabulary import Vocabulary

PERIODS = {1: "day", 7: "week"}


@dataclass(frozen=True)
class Timing:
    """Lines of a definition, and what they allow the rest of it.

    `block`: the days on which a condition is judged, where a spread can cut them. `finest`: only days. `blocks`: how
    many there are, where every unit has as many.
    """

    lines: tuple[str, ...]
    words: Vocabulary
    block: int | None = None
    finest: bool = False
    blocks: int | None = None
    recurring: bool = False
    sessions: bool = False
    fixed: bool = False

    @property
    def can_keep(self) -> bool:
        last = any(line.startswith("over: last") for line in self.lines)
        return self.fixed and not self.sessions and not last

    def kept(self, c: Choices, percent: int = 25) -> Timing:
        """Now and then with immature units kept; then a window without blocks has no spread."""
        if not self.can_keep or not c.maybe(percent):
            return self
        return replace(self, lines=(*self.lines, "immature: keep"), block=self.block if self.recurring else None)


def recurring(c: Choices, words: Vocabulary, *, steady: bool = False) -> Timing:
    """With `per`. `steady`: as many blocks for every unit."""
    calendar = {} if steady else {"calendar": 28}
    clock = c.weighted(date=44, elapsed=18, **calendar, rolling=9, sessions=0 if steady else 16)
    if clock == "calendar":
        return _calendar(c, words)
    if clock == "rolling":
        return _rolling(c, words, steady)
    if clock == "sessions":
        return _sessions(c, words)
    if clock == "elapsed":
        return _elapsed(c, words, steady)
    per = c.of((7, 1, 2, 14, 7, 1, 3, 21, 28, 14, 28, 14))
    window, days, can_anchor = _window(c, per, steady=steady)
    return _anchored(c, _made(c, words, per, window, days, can_anchor), can_anchor)


def single(c: Choices, words: Vocabulary, *, fixed: bool = False, anchor: bool = True, odd: bool = True) -> Timing:
    """Without `per`. `fixed`: equally long for every unit. `odd`: the last days, or a lifetime, may be drawn."""
    clock = c.weighted(date=70, elapsed=30)
    if clock == "elapsed" and c.maybe(60):
        unit = c.of(("hour", "minute"))
        length = c.between(1, 72 if unit == "hour" else 240)
        line = f"over: first {length} {unit}{'s' * (length != 1)}"
        found = Timing((line,), words.timed(), fixed=True)
        return _anchored(c, found, anchor)
    window, days, can_anchor = _window(c, None, steady=fixed, odd=odd and clock == "date")
    lines = (*window, *(["clock: elapsed"] if clock == "elapsed" else []))
    found = Timing(lines, words.timed() if clock == "elapsed" else words, days, fixed=days is not None)
    return _anchored(c, found, anchor and can_anchor)


def before(c: Choices, words: Vocabulary) -> Timing:
    """Days before exposure, at times in blocks."""
    per = c.of((None, None, 7, 1))
    days = 7 * c.between(1, 4) if per else c.of((28, 14, 7, 10, 1))
    lines = (f"over: before {days} day{'s' * (days > 1)}", *_per(per))
    return Timing(lines, words, per or days, blocks=days // (per or days), recurring=per is not None)


def _made(
    c: Choices,
    words: Vocabulary,
    per: int,
    window: Sequence[str],
    days: int | None,
    back: bool,
    more: tuple[str, ...] = (),
) -> Timing:
    looks = PERIODS.get(per, "period") if back else None
    blocks = None if days is None else days // per
    return Timing(
        (*_per(per), *window, *more),
        words.looking_back(looks),
        per,
        blocks=blocks,
        recurring=True,
        fixed=days is not None,
    )


def _per(per: int | None) -> list[str]:
    return [] if per is None else [f"per: {PERIODS.get(per, f'{per} days')}"]


def _calendar(c: Choices, words: Vocabulary) -> Timing:
    per, shortest = c.of(
        (("week", 7), ("month", 28), ("month", 28), ("day", 1), ("week", 7), ("month", 28), ("month", 31))
    )
    how = c.weighted(first=45, days=25, whole=20, from_day=10)
    days = shortest * c.between(1, 3) + c.below(9)
    if how == "first":
        window = [f"over: first {days} day{'s' * (days > 1)}"]
    elif how == "days":
        first = c.between(0, 9)
        window = [f"over: days {first}-{first + days}"]
    else:
        window = ["over: whole"] if how == "whole" else [f"over: from day {c.between(0, 9)}"]
    lines = (f"per: {per}", *window, "clock: calendar")
    block = 7 if per == "week" else None
    return Timing(lines, words.looking_back(per), block, recurring=True, fixed=how in ("first", "days"))


def _rolling(c: Choices, words: Vocabulary, steady: bool) -> Timing:
    per = c.of((7, 3, 2, 14, 28))
    if not steady and c.maybe(30):
        return Timing((f"per: rolling {per} days",), words, per, finest=True, recurring=True)
    days = per + c.between(0, 14)
    first = c.below(5)
    window = f"over: days {first}-{first + days - 1}" if first else f"over: first {days} days"
    return Timing((f"per: rolling {per} days", window), words, per, True, days - per + 1, recurring=True, fixed=True)


def _sessions(c: Choices, words: Vocabulary) -> Timing:
    window, days, _ = _window(c, None, steady=False, odd=False)
    return Timing(("per: session", *window), words.in_sessions(), recurring=True, sessions=True, fixed=days is not None)


def _elapsed(c: Choices, words: Vocabulary, steady: bool) -> Timing:
    timed = words.timed()
    tick = c.weighted(day=40, hour=35, minute=25)
    if tick == "day":
        per = c.of((7, 1, 2, 14, 1))
        window, days, can_anchor = _window(c, per, steady=steady, last=False)
        return _anchored(c, _made(c, timed, per, window, days, can_anchor, ("clock: elapsed",)), can_anchor)
    if tick == "minute":
        hours = c.between(1, 6)
        lines: tuple[str, ...] = ("per: hour", f"over: first {60 * hours} minutes")
        looks, blocks = "hour", hours
    elif c.maybe(60):
        how = c.of(("hours", "days", "days a-b"))
        blocks = c.between(1, 30) if how == "hours" else 24 * c.between(1, 2)
        first = c.below(4)
        if how == "hours":
            window_text = f"over: first {blocks} hour{'s' * (blocks > 1)}"
        elif how == "days":
            window_text = f"over: first {blocks // 24} day{'s' * (blocks > 24)}"
        else:
            window_text = f"over: days {first}-{first + blocks // 24 - 1}"
        lines, looks = ("per: hour", window_text, "clock: elapsed"), "hour"
    else:
        per, blocks = c.of((1, 2)), c.between(1, 3)
        lines, looks = (
            (f"per: {'day' if per == 1 else '2 days'}", f"over: first {24 * per * blocks} hours"),
            ("day" if per == 1 else "period"),
        )
    found = Timing(lines, timed.looking_back(looks), blocks=blocks, recurring=True, fixed=True)
    return _anchored(c, found, True)


def _anchored(c: Choices, timing: Timing, can: bool) -> Timing:
    """Now and then the window starts at an event; then nothing looks back."""
    if not can or not timing.words.names or not c.maybe(20):
        return timing
    name = "entry" if c.maybe(60) and "entry" in timing.words.names else c.of(timing.words.names)
    within = c.of((7, 1, 3, 14))
    lines = (*timing.lines, f"starting_at: {name}", f"within: {within} day{'s' * (within > 1)}")
    return replace(timing, lines=lines, words=timing.words.looking_back(None))


def _window(
    c: Choices, per: int | None, *, steady: bool, odd: bool = True, last: bool = True
) -> tuple[list[str], int | None, bool]:
    """`over`, its number of days (None when open), and whether it starts at the exposure."""
    open_ones = {} if steady else {"whole": 18, "from_day": 12}
    one_day = {"day": 10} if per in (None, 1) else {}
    odd_ones = {"last": 8} if odd and last else {}
    if per is None and odd and not steady:
        odd_ones["lifetime"] = 24
    how = c.weighted(first=32, days=26, **one_day, **open_ones, **odd_ones)
    if how == "whole":
        return ([] if c.maybe(50) else ["over: whole"]), None, True
    if how == "from_day":
        return [f"over: from day {c.between(0, 9)}"], None, True
    if how == "lifetime":
        return ["over: lifetime"], None, False
    if how == "day":
        return [f"over: day {c.between(0, 12)}"], 1, True
    if per is None:
        days = c.of((7, 14, 1, 2, 3, 10, 21, 28))
    else:
        days = per * c.between(1, 14 if per == 1 else 5 if per <= 3 else 4 if per <= 7 else 2)
    text = f"{days // 7} weeks" if days % 7 == 0 and c.maybe(30) else f"{days} day{'s' * (days > 1)}"
    if how in ("first", "last"):
        return [f"over: {how} {text}"], days, how == "first"
    first = c.between(0, 9)
    return [f"over: days {first}-{first + days - 1}"], days, True
