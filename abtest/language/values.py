"""Text to typed values: percentages, dates, durations, windows, folds and margins, each with its own message."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from abtest.language.model import Cap, Fold, Margin, Missing, Tick, Window
from abtest.language.suggest import did_you_mean
from abtest.language.tokens import SyntaxProblem
from abtest.problems import quoted

_NUMBER = r"\d{1,15}(?:\.\d{1,15})?"
_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FOLDS = ("share", "ever", "always", "last", "count", "streak", "mean", "sum", "min", "max")
_DAYS = {"day": 1, "days": 1, "week": 7, "weeks": 7}
MAX_DAYS = 3660
MAX_TICKS = 10_080
"""Hours and minutes are for short windows: a week of minutes."""


def _bad(code: str, message: str, text: str, hint: str = "") -> SyntaxProblem:
    return SyntaxProblem(code, message, (0, max(1, len(text))), hint)


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def fraction(text: str) -> float:
    """`5%` -> 0.05. A bare number is refused: 5 and 0.05 are too easily confused."""
    match = re.fullmatch(rf"({_NUMBER})\s*%", text)
    if match is None:
        bare = re.fullmatch(_NUMBER, text)
        percent = "5%" if bare is None else f"{text}%"
        if bare and 0 < float(text) < 1:
            percent = f"{100 * Decimal(text):f}".rstrip("0").rstrip(".") + "%"
        raise _bad("E130", f"expected a percentage, found {quoted(text)}", text, f"Write it with the sign:  {percent}")
    return _exact_percent(match[1])


def _exact_percent(digits: str) -> float:
    """digits / 100 without a second rounding: "5" -> 0.05."""
    return float(Decimal(digits) / 100)


def whole(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise _bad("E130", f"expected a whole number, found {quoted(text)}", text)
    return int(text)


def number(text: str) -> float:
    if not re.fullmatch(rf"-?{_NUMBER}", text):
        raise _bad("E130", f"expected a number, found {quoted(text)}", text)
    return float(text)


def cap(text: str) -> Cap:
    """The value of `cap`: a number in the unit of the metric, or a percentile over all variants.

    >>> str(cap("500")), str(cap("99% of nonzero"))
    ('500', '99% of nonzero')
    """
    match = re.fullmatch(rf"({_NUMBER})\s*%(\s+of\s+nonzero)?", text.strip())
    if match is None:
        if text.strip().endswith("zero"):
            raise _bad("E130", f"expected a cap, found {quoted(text)}", text, "Example:  cap: 99% of nonzero")
        if not re.fullmatch(rf"-?{_NUMBER}", text):
            hint = "Examples:  cap: 500   cap: 99%   cap: 99% of nonzero"
            raise _bad("E130", f"expected a cap, found {quoted(text)}", text, hint)
        return Cap(number(text))
    size = _exact_percent(match[1])
    if not 0.5 <= size < 1:
        hint = "Example:  cap: 99%"
        raise _bad("E309", f"cap {text} is no upper end: a percentile from 50% to below 100%", text, hint)
    return Cap(size, "nonzero" if match[2] else "all")


def missing(text: str) -> Missing:
    """The value of `missing`: zero, drop, or a number."""
    if text in ("zero", "drop"):
        return Missing(0.0 if text == "zero" else None)
    if not re.fullmatch(rf"-?{_NUMBER}", text):
        hint = "Examples:  missing: drop   missing: zero"
        raise _bad("E130", f"expected zero, drop or a number, found {quoted(text)}", text, hint)
    return Missing(float(text))


def calendar_date(text: str) -> date:
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise _bad("E131", f"expected a date, found {quoted(text)}", text, _date_hint(text)) from None


def _date_hint(text: str) -> str:
    """The date that was meant, where its order of year, month and day is certain."""
    match = re.fullmatch(r"([0-9]{4})\D([0-9]{1,2})\D([0-9]{1,2})(?:[T ].*)?", text)
    if match:
        try:
            return f"Write  {date(int(match[1]), int(match[2]), int(match[3]))}"
        except ValueError:
            return "There is no such day."
    return "Write year-month-day:  2026-03-02"


def timezone_name(text: str) -> str:
    try:
        if not re.fullmatch(r"[A-Za-z][\w+/-]*", text):
            raise ValueError
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise _bad(
            "E132", f"no time zone {quoted(text)}", text, "Use an IANA name:  Europe/Madrid, America/Bogota, UTC"
        ) from None
    return text


def day_count(text: str) -> int:
    """`28 days` or `2 weeks` in days."""
    length, tick = ticks(text, "28 days, 2 weeks")
    if tick != "day":
        days = max(1, -(-length // (1440 if tick == "minute" else 24)))
        hint = f"Write  {days} day{'s' * (days > 1)}"
        raise _bad("E133", f"{quoted(text)}: whole days are counted here", text, hint)
    return length


def day_count_or_none(text: str) -> int:
    """As `day_count`; `none` is 0."""
    return 0 if text.strip() == "none" else day_count(text)


def ticks(text: str, examples: str = "28 days, 2 weeks, 6 hours") -> tuple[int, Tick]:
    """A length of time in days, or in hours or minutes.

    >>> ticks("2 weeks"), ticks("36 hours")
    ((14, 'day'), (36, 'hour'))
    """
    match = re.fullmatch(r"(\d{1,6})\s*(days?|weeks?|h|hours?|min|minutes?)", " ".join(text.split()))
    if match is None:
        hint = f"Write  {text} days" if re.fullmatch(r"\d{1,4}", text) else f"Examples:  {examples}"
        raise _bad("E133", f"expected a length of time, found {quoted(text)}", text, hint)
    count = int(match[1])
    if match[2] in _DAYS:
        days = count * _DAYS[match[2]]
        if not 1 <= days <= MAX_DAYS:
            raise _bad("E133", f"{days} days; a window has 1 to {MAX_DAYS}", text)
        return days, "day"
    tick: Tick = "hour" if match[2].startswith("h") else "minute"
    if not 1 <= count <= MAX_TICKS:
        raise _bad("E133", f"{quoted(text)}; {MAX_TICKS} {tick}s at most", text, "Use days for longer windows.")
    return count, tick


def seconds(text: str) -> int:
    """A length of time in seconds.

    >>> seconds("1 day"), seconds("30 minutes")
    (86400, 1800)
    """
    count, tick = ticks(text, "30 minutes, 6 hours, 1 day")
    return count * {"day": 86_400, "hour": 3_600, "minute": 60}[tick]


def window(text: str) -> Window:
    """The value of `over`.

    >>> window("first 28 days"), window("last 7 days").end, str(window("before 28 days"))
    (Window(first=0, last=27, tick='day', end=False), True, 'before 28 days')
    """
    clean = " ".join(text.split())
    if clean in ("whole", "lifetime"):
        return Window() if clean == "whole" else Window(None)
    word, _, rest = clean.partition(" ")
    if word == "first" and rest:
        length, tick = ticks(rest)
        return Window(0, length - 1, tick)
    if word == "last" and rest:
        return Window(1 - day_count(rest), 0, end=True)
    if word == "before" and rest:
        return Window(-day_count(rest), -1)
    match = re.fullmatch(r"days? (\d{1,9})(?:\s*[-–]\s*(\d{1,9}))?|from day (\d{1,9})", clean)
    if match and (match[2] or match[3] or clean.startswith("day ")):
        first = int(match[1] or match[3])
        last = None if match[3] else int(match[2] or first)
        if last is not None and last < first:
            raise _bad("E133", f"days {first}-{last} ends before it starts", text, f"Write  days {last}-{first}")
        if max(first, last or 0) > MAX_DAYS:
            raise _bad("E133", f"a window ends at day {MAX_DAYS} at the latest", text)
        return Window(first, last)
    raise _bad_window(clean, text)


def _bad_window(clean: str, text: str) -> SyntaxProblem:
    week = re.fullmatch(r"weeks? (\d{1,3})(?:\s*[-–]\s*(\d{1,3}))?", clean)
    if week:
        first, last = max(1, int(week[1])), max(1, int(week[2] or week[1]))
        ordinal = {1: "first", 2: "second", 3: "third"}.get(first, f"{first}th")
        what = f"the {ordinal} week" if first == last else f"weeks {first} to {last} after exposure"
        return _bad(
            "E301",
            f"{quoted(clean)} is ambiguous (vendors start at 0 or 1)",
            text,
            f"Write  days {7 * first - 7}-{7 * last - 1}  for {what}",
        )
    hint = "Examples:  first 28 days, days 7-13, day 7, from day 7, last 7 days, whole, lifetime"
    if re.fullmatch(r"\d{1,4} (days?|weeks?)", clean):
        hint = f"Write  first {clean}"
    elif re.fullmatch(r"days \d{1,4}", clean):
        hint = f"Write  day {clean.split()[1]}  for that day alone, or  first {clean.split()[1]} days"
    return _bad("E133", f"expected a window, found {quoted(clean)}", text, hint)


def retention_window(key: str, text: str) -> Window:
    """The value of `day`, `days` or `from_day` of a retention.

    >>> str(retention_window("days", "7-13")), str(retention_window("from_day", "7"))
    ('days 7-13', 'from day 7')
    """
    wanted = r"\d{1,9}\s*[-–]\s*\d{1,9}" if key == "days" else r"\d{1,9}"
    clean = " ".join(text.split())
    if not re.fullmatch(wanted, clean):
        hint = "Example:  days: 7-13" if key == "days" else f"Example:  {key}: 7"
        if re.fullmatch(r"\d{1,9}", clean):
            hint = f"Write  day: {clean}  or a range such as  days: 7-13"
        elif re.fullmatch(r"\d{1,9}\s*[-–]\s*\d{1,9}", clean):
            hint = f"Write  days: {clean}"
        message = f"expected {'days from-to' if key == 'days' else 'the number of a day'}, found {quoted(text)}"
        raise _bad("E133", message, text, hint)
    return window(f"{'from day' if key == 'from_day' else key} {clean}")


@dataclass(frozen=True)
class Period:
    """The value of `per` as written: `size` of `unit`."""

    size: int
    unit: Literal["day", "hour", "month", "session"]
    rolling: bool = False


def period(text: str) -> Period:
    """The value of `per`.

    >>> period("week"), period("rolling 7 days")
    (Period(size=7, unit='day', rolling=False), Period(size=7, unit='day', rolling=True))
    """
    clean = " ".join(text.split())
    if clean in ("day", "week"):
        return Period(_DAYS[clean], "day")
    if clean in ("hour", "month", "session"):
        unit: Any = clean
        return Period(1, unit)
    rolling = clean.startswith("rolling ")
    try:
        return Period(day_count(clean.removeprefix("rolling ")), "day", rolling)
    except SyntaxProblem:
        meant = {"daily": "day", "weekly": "week", "days": "day", "weeks": "week", "hourly": "hour", "monthly": "month",
                 "months": "month", "sessions": "session", "hours": "hour"}.get(clean)  # fmt: skip
        size = re.fullmatch(r"rolling (?:(\d{1,4})|week)", clean)
        meant = f"rolling {size[1] or 7} days" if size else meant
        hint = f"Write  per: {meant}" if meant else "Examples:  day, week, 14 days, month, session, rolling 7 days"
        raise _bad("E133", f"expected a period, found {quoted(text)}", text, hint) from None


def fold(text: str) -> Fold:
    """The value of `value`: a fold, or a fold against a threshold."""
    match = re.fullmatch(rf"([a-z]+)\s*(?:(<=|>=|!=|==|<|>|=)\s*({_NUMBER})\s*(%?))?", text)
    if match is None or match[1] not in _FOLDS:
        raise _bad(
            "E134",
            f"no way to fold blocks called {quoted(text)}",
            text,
            did_you_mean(text.split()[0] if text.split() else "", _FOLDS),
        )
    name: Any = match[1]
    if match[2] is None:
        return Fold(name)
    if name not in ("share", "count", "streak"):
        raise _bad("E134", f"a threshold goes with share, count or streak, not with {name}", text)
    if (name == "share") != (match[4] == "%"):
        hint = "share >= 75%" if name == "share" else f"{name} >= 3"
        raise _bad(
            "E134",
            f"the threshold of {name} is {'a percentage' if name == 'share' else 'a number of blocks'}",
            text,
            f"Example:  {hint}",
        )
    threshold = _exact_percent(match[3]) if match[4] else float(match[3])
    operator: Any = "=" if match[2] == "==" else match[2]
    return Fold(name, operator, threshold)


def margin(text: str) -> Margin:
    """`2%` is relative to the baseline; `0.5 points`, `3 EUR`, `2 s` are absolute.

    >>> margin("2%"), margin("0.5 points")
    (Margin(kind='relative', size=0.02, text='2%'), Margin(kind='absolute', size=0.5, text='0.5 points'))
    """
    clean = " ".join(text.split())
    match = re.fullmatch(rf"({_NUMBER})\s*(%|[A-Za-z]*)", clean)
    if match is None or float(match[1]) <= 0:
        hint = "Examples:  2% (of the baseline), 0.5 points"
        symbol = re.fullmatch(rf"([€$£])\s*({_NUMBER})|({_NUMBER})\s*([€$£])", clean)
        if clean.startswith(("-", "−", "+", "±")):
            hint = f"A margin has no sign; it is how much worse is still tolerable:  {clean.lstrip('-−+± ')}"
        elif match is not None:
            hint = "A margin is above zero: no experiment can show that nothing at all was lost."
        elif symbol:
            currency = {"€": "EUR", "$": "USD", "£": "GBP"}[symbol[1] or symbol[4]]
            hint = f"Write  {symbol[2] or symbol[3]} {currency}"
        raise _bad("E135", f"expected a margin, found {quoted(text)}", text, hint)
    if match[2] == "%":
        return Margin("relative", _exact_percent(match[1]), clean)
    return Margin("absolute", float(match[1]), clean)


def margin_unit(margin: Margin) -> str:
    """The unit written behind an absolute margin ("" when none)."""
    found = re.fullmatch(rf"{_NUMBER}\s*([A-Za-z]*)", margin.text)
    return found[1] if found else ""


def exact(margin: Margin) -> Decimal:
    """The number of a margin as written, without rounding."""
    found = re.match(_NUMBER, margin.text)
    return Decimal(found[0]) if found else Decimal(margin.size)
