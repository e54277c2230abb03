"""Text to typed values: percentages, dates, durations, windows, folds and margins, each with its own message."""

from __future__ import annotations

import re
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from abtest.language.model import Fold, Margin, Window
from abtest.language.tokens import SyntaxProblem

_NUMBER = r"\d+(?:\.\d+)?"
_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FOLDS = ("share", "ever", "always", "last", "count", "streak", "mean", "sum", "min", "max")
_DAYS = {"day": 1, "days": 1, "week": 7, "weeks": 7}
MAX_DAYS = 3660


def _bad(code: str, message: str, text: str, hint: str = "") -> SyntaxProblem:
    return SyntaxProblem(code, message, (0, max(1, len(text))), hint)


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def fraction(text: str) -> float:
    """`5%` -> 0.05. A bare number is refused: 5 and 0.05 are too easily confused."""
    match = re.fullmatch(rf"({_NUMBER})\s*%", text)
    if match is None:
        raise _bad("E130", f"expected a percentage, found {text[:40]!r}", text, "Write it with the sign:  5%")
    return _exact_percent(match[1])


def _exact_percent(digits: str) -> float:
    """digits / 100 without a second rounding: "5" -> 0.05."""
    from decimal import Decimal

    return float(Decimal(digits) / 100)


def whole(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise _bad("E130", f"expected a whole number, found {text[:40]!r}", text)
    return int(text)


def number(text: str) -> float:
    if not re.fullmatch(rf"-?{_NUMBER}", text):
        raise _bad("E130", f"expected a number, found {text[:40]!r}", text)
    return float(text)


def calendar_date(text: str) -> date:
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise _bad("E131", f"expected a date, found {text[:40]!r}", text, "Write year-month-day:  2026-03-02") from None


def timezone_name(text: str) -> str:
    try:
        if not re.fullmatch(r"[A-Za-z][\w+/-]*", text):
            raise ValueError
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise _bad("E132", f"no time zone {text[:40]!r}", text, "Use an IANA name:  Europe/Madrid, America/Bogota, UTC") from None
    return text


def day_count(text: str) -> int:
    """`28 days` or `2 weeks` in days."""
    match = re.fullmatch(r"(\d{1,4})\s*(days?|weeks?)", text)
    if match is None:
        finer = re.fullmatch(r"\d+\s*(minutes?|hours?|min|h)", text)
        if finer:
            raise _bad("E190", "a window of minutes or hours cannot be computed by this version of abtest", text, "Use whole days:  first 1 day")
        raise _bad("E133", f"expected a number of days, found {text[:40]!r}", text, "Examples:  28 days, 2 weeks")
    days = int(match[1]) * _DAYS[match[2]]
    if not 1 <= days <= MAX_DAYS:
        raise _bad("E133", f"{days} days; a window has 1 to {MAX_DAYS}", text)
    return days


def window(text: str) -> Window:
    """The value of `over`.

    >>> window("first 28 days"), window("days 7-13"), window("whole")
    (Window(first=0, last=27), Window(first=7, last=13), Window(first=0, last=None))
    """
    text = " ".join(text.split())
    if text == "whole":
        return Window()
    if text.startswith("first "):
        return Window(0, day_count(text.removeprefix("first ")) - 1)
    match = re.fullmatch(r"days (\d{1,4})\s*[-–]\s*(\d{1,4})", text)
    if match:
        first, last = int(match[1]), int(match[2])
        if last < first:
            raise _bad("E133", f"days {first}-{last} ends before it starts", text)
        if last > MAX_DAYS:
            raise _bad("E133", f"a window ends at day {MAX_DAYS} at the latest", text)
        return Window(first, last)
    match = re.fullmatch(r"day (\d{1,4})", text)
    if match:
        return Window(int(match[1]), int(match[1]))
    match = re.fullmatch(r"from day (\d{1,4})", text)
    if match:
        return Window(int(match[1]), None)
    week = re.fullmatch(r"weeks? (\d+)", text)
    if week:
        n = max(1, int(week[1]))
        ordinal = {1: "first", 2: "second", 3: "third"}.get(n, f"{n}th")
        raise _bad("E301", f'"{text}" is ambiguous (vendors start at 0 or 1)', text, f"Write days {7 * n - 7}-{7 * n - 1} for the {ordinal} week")
    if re.match(r"(last|before|lifetime)\b", text):
        raise _bad("E190", f'over: {text.split()[0]} cannot be computed by this version of abtest', text, "Available:  whole, first N days, days N-M, day N, from day N")
    raise _bad("E133", f"expected a window, found {text[:60]!r}", text, "Examples:  first 28 days, days 7-13, day 7, from day 7, whole")


def period(text: str) -> int:
    """The value of `per`, in days."""
    text = " ".join(text.split())
    if text in ("day", "week"):
        return _DAYS[text]
    if re.match(r"(hour|month|session|rolling)\b", text):
        raise _bad("E190", f"per: {text.split()[0]} cannot be computed by this version of abtest", text, "Available:  day, week, N days")
    try:
        return day_count(text)
    except SyntaxProblem:
        raise _bad("E133", f"expected a period, found {text[:40]!r}", text, "Examples:  day, week, 14 days") from None


def fold(text: str) -> Fold:
    """The value of `value`: a fold, or a fold against a threshold."""
    match = re.fullmatch(rf"([a-z]+)\s*(?:(<=|>=|!=|==|<|>|=)\s*({_NUMBER})\s*(%?))?", text)
    if match is None or match[1] not in _FOLDS:
        from abtest.language.suggest import did_you_mean

        raise _bad("E134", f"no way to fold blocks called {text[:40]!r}", text, did_you_mean(text.split()[0] if text.split() else "", _FOLDS))
    name: Any = match[1]
    if match[2] is None:
        return Fold(name)
    if name not in ("share", "count", "streak"):
        raise _bad("E134", f"a threshold goes with share, count or streak, not with {name}", text)
    if (name == "share") != (match[4] == "%"):
        hint = "share >= 75%" if name == "share" else f"{name} >= 3"
        raise _bad("E134", f"the threshold of {name} is {'a percentage' if name == 'share' else 'a number of blocks'}", text, f"Example:  {hint}")
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
        minus = clean.startswith(("-", "−"))
        hint = "A margin has no sign; it is how much worse is still tolerable." if minus else "Examples:  2% (of the baseline), 0.5 points"
        raise _bad("E135", f"expected a margin, found {text[:40]!r}", text, hint)
    if match[2] == "%":
        return Margin("relative", _exact_percent(match[1]), clean)
    return Margin("absolute", float(match[1]), clean)


def margin_unit(margin: Margin) -> str:
    """The unit written behind an absolute margin ("" when none)."""
    found = re.fullmatch(rf"{_NUMBER}\s*([A-Za-z]*)", margin.text)
    return found[1] if found else ""
