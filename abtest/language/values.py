"""Text to typed values: percentages, dates, durations, windows, folds and margins, each with its own message."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from abtest.language.model import Fold, Margin, Window
from abtest.language.suggest import did_you_mean
from abtest.language.tokens import LATER_HINT, SyntaxProblem, later_message
from abtest.problems import quoted

_NUMBER = r"\d{1,15}(?:\.\d{1,15})?"
_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FOLDS = ("share", "ever", "always", "last", "count", "streak", "mean", "sum", "min", "max")
_DAYS = {"day": 1, "days": 1, "week": 7, "weeks": 7}
MAX_DAYS = 3660


def _bad(code: str, message: str, text: str, hint: str = "") -> SyntaxProblem:
    return SyntaxProblem(code, message, (0, max(1, len(text))), hint)


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def _not_yet(what: str, text: str, hint: str = LATER_HINT) -> SyntaxProblem:
    return _bad("E190", later_message(what), text, hint)


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


def cap(text: str) -> float:
    """The value of `cap`: a number in the unit of the metric."""
    if re.fullmatch(rf"{_NUMBER}\s*%( of nonzero)?", text):
        raise _not_yet("a cap in percent", text, "Write the number itself:  cap: 500")
    return number(text)


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
    match = re.fullmatch(r"(\d{1,4})\s*(days?|weeks?)", text)
    if match is None:
        finer = re.fullmatch(r"(\d{1,5})\s*(?:(min|minutes?)|h|hours?)", text)
        if finer:
            days = max(1, -(-int(finer[1]) // (1440 if finer[2] else 24)))
            hint = f"Use whole days:  {days} day{'s' if days > 1 else ''}"
            raise _not_yet("a window of minutes or hours", text, hint)
        hint = f"Write  {text} days" if re.fullmatch(r"\d{1,4}", text) else "Examples:  28 days, 2 weeks"
        raise _bad("E133", f"expected a number of days, found {quoted(text)}", text, hint)
    days = int(match[1]) * _DAYS[match[2]]
    if not 1 <= days <= MAX_DAYS:
        raise _bad("E133", f"{days} days; a window has 1 to {MAX_DAYS}", text)
    return days


def window(text: str) -> Window:
    """The value of `over`.

    >>> window("first 28 days"), window("days 7-13"), window("whole")
    (Window(first=0, last=27), Window(first=7, last=13), Window(first=0, last=None))
    """
    clean = " ".join(text.split())
    if clean == "whole":
        return Window()
    if clean.startswith("first "):
        return Window(0, day_count(clean.removeprefix("first ")) - 1)
    match = re.fullmatch(r"days? (\d{1,9})(?:\s*[-–]\s*(\d{1,9}))?|from day (\d{1,9})", clean)
    if match and (match[2] or match[3] or clean.startswith("day ")):
        first = int(match[1] or match[3])
        last = None if match[3] else int(match[2] or first)
        if last is not None and last < first:
            raise _bad("E133", f"days {first}-{last} ends before it starts", text, f"Write  days {last}-{first}")
        if max(first, last or 0) > MAX_DAYS:
            raise _bad("E133", f"a window ends at day {MAX_DAYS} at the latest", text)
        return Window(first, last)
    if re.match(r"(last|before|lifetime)\b", clean):
        available = "Available:  whole, first N days, days N-M, day N, from day N"
        raise _not_yet(f"over: {clean.split()[0]}", text, available)
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
    hint = "Examples:  first 28 days, days 7-13, day 7, from day 7, whole"
    if re.fullmatch(r"\d{1,4} (days?|weeks?)", clean):
        hint = f"Write  first {clean}"
    elif re.fullmatch(r"days \d{1,4}", clean):
        hint = f"Write  day {clean.split()[1]}  for that day alone, or  first {clean.split()[1]} days"
    return _bad("E133", f"expected a window, found {quoted(clean)}", text, hint)


def retention_window(key: str, text: str) -> Window:
    """The value of `day`, `days` or `from_day` of a retention.

    >>> retention_window("days", "7-13"), retention_window("from_day", "7")
    (Window(first=7, last=13), Window(first=7, last=None))
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


def period(text: str) -> int:
    """The value of `per`, in days."""
    clean = " ".join(text.split())
    if clean in ("day", "week"):
        return _DAYS[clean]
    if re.match(r"(hour|month|session|rolling)\b", clean):
        raise _not_yet(f"per: {clean.split()[0]}", text, "Available:  day, week, N days")
    try:
        return day_count(clean)
    except SyntaxProblem:
        meant = {"daily": "day", "weekly": "week", "days": "day", "weeks": "week"}.get(clean)
        hint = f"Write  per: {meant}" if meant else "Examples:  day, week, 14 days"
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
