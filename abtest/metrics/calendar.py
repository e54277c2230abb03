"""Weeks and months of dates as whole-number arithmetic in expressions, the same on every engine.

Dates are days since 1970-01-01. Weeks run from Monday to Sunday (ISO 8601); months are counted since the year 0. The
arithmetic of the Gregorian calendar is Hinnant's (2013, "chrono-compatible low-level date algorithms").
"""

from __future__ import annotations

from typing import Any, Literal

_SHIFT = 719_468
"""Days from 0000-03-01, where Hinnant's years begin, to 1970-01-01."""


def index(day: Any, unit: Literal["week", "month"]) -> Any:
    """The number of the week or month of a date."""
    if unit == "week":
        return _div(day + 3, 7)
    shifted = day + _SHIFT
    era = _div(shifted, 146_097)
    of_era = shifted - era * 146_097
    year = _div(of_era - _div(of_era, 1_460) + _div(of_era, 36_524) - _div(of_era, 146_096), 365)
    of_year = of_era - (365 * year + _div(year, 4) - _div(year, 100))
    # Months from March (0) to February (11), then back to January first.
    month = _div(5 * of_year + 2, 153)
    return 12 * (year + era * 400) + month + 2


def first_date(number: Any, unit: Literal["week", "month"]) -> Any:
    """The first date of a week or month, the inverse of `index`."""
    if unit == "week":
        return number * 7 - 3
    march = number - 2
    year = _div(march, 12)
    month = march - year * 12
    era = _div(year, 400)
    of_era_year = year - era * 400
    of_year = _div(153 * month + 2, 5)
    of_era = of_era_year * 365 + _div(of_era_year, 4) - _div(of_era_year, 100) + of_year
    return era * 146_097 + of_era - _SHIFT


def _div(a: Any, b: int) -> Any:
    """Floor division; for plain numbers too, so that tests need no engine."""
    return a // b


def index_of(day: int, unit: Literal["week", "month"]) -> int:
    """`index` of a plain number.

    >>> index_of(20_513, "month") == 12 * 2026 + 2, first_date(12 * 2026 + 2, "month") == 20_513
    (True, True)
    """
    return int(index(day, unit))
