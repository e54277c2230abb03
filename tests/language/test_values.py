"""Every reader of a value: what it takes, and what it says of the rest."""

import contextlib
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.language import values
from abtest.language.examples import _expected, _moment
from abtest.language.model import Cap, Fold, Margin, Missing, Window
from abtest.language.read_sources import property_type
from abtest.language.tokens import SyntaxProblem
from abtest.language.values import Period

GOOD: list[tuple[Callable[[str], Any], dict[str, Any]]] = [
    (
        values.fraction,
        {"5%": 0.05, "14.3%": 0.143, "0.1 %": 0.001, "100%": 1.0, "0%": 0.0, "33.3%": 0.333, "99.99%": 0.9999},
    ),
    (values.whole, {"0": 0, "7": 7, "123456789": 123456789}),
    (values.number, {"5": 5.0, "-2.5": -2.5, "0.1": 0.1}),
    (
        values.cap,
        {
            "500": Cap(500.0),
            "0.5": Cap(0.5),
            "99%": Cap(0.99, "all"),
            " 99.9 % ": Cap(0.999, "all"),
            "50%": Cap(0.5, "all"),
            "99% of nonzero": Cap(0.99, "nonzero"),
            "95%  of  nonzero": Cap(0.95, "nonzero"),
        },
    ),
    (values.missing, {"zero": Missing(0.0), "drop": Missing(None), "3": Missing(3.0), "-1.5": Missing(-1.5)}),
    (
        values.seconds,
        {
            "1 day": 86_400,
            "2 weeks": 1_209_600,
            "36 hours": 129_600,
            "30 min": 1_800,
            "90 minutes": 5_400,
            "1 h": 3_600,
        },
    ),
    (
        values.ticks,
        {"1 day": (1, "day"), "6 hours": (6, "hour"), "90 min": (90, "minute"), "10080 h": (10_080, "hour")},
    ),
    (values.calendar_date, {"2026-03-02": date(2026, 3, 2), "2024-02-29": date(2024, 2, 29)}),
    (values.timezone_name, {z: z for z in ("UTC", "Europe/Madrid", "America/Argentina/Buenos_Aires", "Etc/GMT+5")}),
    (values.day_count, {"1 day": 1, "28 days": 28, "2 weeks": 14, "1 week": 7, "4weeks": 28, "3660 days": 3660}),
    (
        values.window,
        {
            "whole": Window(),
            "first 28 days": Window(0, 27),
            "first 4 weeks": Window(0, 27),
            "first 1 day": Window(0, 0),
            "days 7-13": Window(7, 13),
            "days 7 – 13": Window(7, 13),
            " days  0-0 ": Window(0, 0),
            "day 0": Window(0, 0),
            "day 7": Window(7, 7),
            "from day 7": Window(7, None),
            "from day 0": Window(),
            "lifetime": Window(None),
            "last 7 days": Window(-6, 0, end=True),
            "last 1 day": Window(0, 0, end=True),
            "last 2 weeks": Window(-13, 0, end=True),
            "before 28 days": Window(-28, -1),
            "before 1 day": Window(-1, -1),
            "first 48 hours": Window(0, 47, "hour"),
            "first 90 minutes": Window(0, 89, "minute"),
        },
    ),
    (
        values.period,
        {
            "day": Period(1, "day"),
            "week": Period(7, "day"),
            "7 days": Period(7, "day"),
            "2 weeks": Period(14, "day"),
            "30 days": Period(30, "day"),
            "1 day": Period(1, "day"),
            "hour": Period(1, "hour"),
            "month": Period(1, "month"),
            "session": Period(1, "session"),
            "rolling 7 days": Period(7, "day", rolling=True),
            "rolling 2 weeks": Period(14, "day", rolling=True),
        },
    ),
    (
        values.fold,
        {
            **{n: Fold(n) for n in ("share", "ever", "always", "last", "count", "streak", "mean", "sum", "min", "max")},
            "share >= 75%": Fold("share", ">=", 0.75),
            "share>=14.3%": Fold("share", ">=", 0.143),
            "count >= 3": Fold("count", ">=", 3.0),
            "count == 3": Fold("count", "=", 3.0),
            "streak < 2": Fold("streak", "<", 2.0),
        },
    ),
    (
        values.margin,
        {
            "2%": Margin("relative", 0.02),
            "0.5 %": Margin("relative", 0.005),
            "14.3%": Margin("relative", 0.143),
            "0.5 points": Margin("absolute", 0.5),
            "3 EUR": Margin("absolute", 3.0),
            "2s": Margin("absolute", 2.0),
            "7": Margin("absolute", 7.0),
        },
    ),
    (
        property_type,
        {
            "number": ("number", None, 1.0),
            "flag": ("flag", None, 1.0),
            "money EUR": ("money", "EUR", 1.0),
            "duration": ("duration", "s", 1.0),
            "duration  ms": ("duration", "s", 0.001),
            "duration h": ("duration", "s", 3600.0),
        },
    ),
    (_expected, {"25%": 0.25, "14.3%": 0.143, "3": 3.0, "-1.5": -1.5, "yes": 1.0, "false": 0.0}),
    (_moment, {"day 0": (0, None), "day 3 09:00": (3, 540), "day 12  23:59": (12, 1439), "day -3": (-3, None)}),
]

WINDOWS = "Examples:  first 28 days, days 7-13, day 7, from day 7, last 7 days, whole, lifetime"
PERIODS = "Examples:  day, week, 14 days, month, session, rolling 7 days"
BAD: list[tuple[Callable[[str], Any], dict[str, tuple[str, str]]]] = [
    (
        values.fraction,
        {
            "5": ("E130", "Write it with the sign:  5%"),
            "0.05": ("E130", "Write it with the sign:  5%"),
            "0.125": ("E130", "Write it with the sign:  12.5%"),
            "-5%": ("E130", "Write it with the sign:  5%"),
            "": ("E130", "Write it with the sign:  5%"),
            "five": ("E130", "Write it with the sign:  5%"),
            "5,5%": ("E130", "Write it with the sign:  5%"),
            "9" * 40 + "%": ("E130", "Write it with the sign:  5%"),
        },
    ),
    (values.whole, dict.fromkeys(("", "1.5", "-1", "seven", "1e3", "1234567890"), ("E130", ""))),
    (values.number, dict.fromkeys(("", "1,5", "1e3", "99%", "inf", "nan", "9" * 400), ("E130", ""))),
    (
        values.cap,
        {
            "100%": ("E309", "Example:  cap: 99%"),
            "40% of nonzero": ("E309", "Example:  cap: 99%"),
            "0%": ("E309", "Example:  cap: 99%"),
            "99% of non-zero": ("E130", "Example:  cap: 99% of nonzero"),
            "99% of users": ("E130", "Examples:  cap: 500   cap: 99%   cap: 99% of nonzero"),
            "p99": ("E130", "Examples:  cap: 500   cap: 99%   cap: 99% of nonzero"),
            "high": ("E130", "Examples:  cap: 500   cap: 99%   cap: 99% of nonzero"),
        },
    ),
    (
        values.missing,
        dict.fromkeys(("", "0%", "none", "nan", "1,5"), ("E130", "Examples:  missing: drop   missing: zero")),
    ),
    (
        values.seconds,
        dict.fromkeys(("", "1 month", "soon", "1.5 days"), ("E133", "Examples:  30 minutes, 6 hours, 1 day")),
    ),
    (
        values.calendar_date,
        {
            "2026/04/12": ("E131", "Write  2026-04-12"),
            "2026-4-2": ("E131", "Write  2026-04-02"),
            "2026-04-12 10:00": ("E131", "Write  2026-04-12"),
            "2026-02-30": ("E131", "There is no such day."),
            "12.04.2026": ("E131", "Write year-month-day:  2026-03-02"),
            "20260412": ("E131", "Write year-month-day:  2026-03-02"),
            "tomorrow": ("E131", "Write year-month-day:  2026-03-02"),
            "": ("E131", "Write year-month-day:  2026-03-02"),
        },
    ),
    (
        values.timezone_name,
        dict.fromkeys(
            ("", "Madrid", "+02:00", "../etc/passwd", "Europe", "a\x00b", "é"),
            ("E132", "Use an IANA name:  Europe/Madrid, America/Bogota, UTC"),
        ),
    ),
    (
        values.day_count,
        {
            "28": ("E133", "Write  28 days"),
            "0 days": ("E133", ""),
            "9999 days": ("E133", ""),
            "1 month": ("E133", "Examples:  28 days, 2 weeks"),
            "1.5 days": ("E133", "Examples:  28 days, 2 weeks"),
            "48 hours": ("E133", "Write  2 days"),
            "90 minutes": ("E133", "Write  1 day"),
        },
    ),
    (
        values.window,
        {
            "week 2": ("E301", "Write  days 7-13  for the second week"),
            "week 0": ("E301", "Write  days 0-6  for the first week"),
            "week 12": ("E301", "Write  days 77-83  for the 12th week"),
            "weeks 2-3": ("E301", "Write  days 7-20  for weeks 2 to 3 after exposure"),
            "28 days": ("E133", "Write  first 28 days"),
            "days 28": ("E133", "Write  day 28  for that day alone, or  first 28 days"),
            "days 13-7": ("E133", "Write  days 7-13"),
            "day 4000": ("E133", ""),
            "from day 99999": ("E133", ""),
            "first 0 days": ("E133", ""),
            "first week": ("E133", "Examples:  28 days, 2 weeks, 6 hours"),
            "first 99999 hours": ("E133", "Use days for longer windows."),
            "last 6 hours": ("E133", "Write  1 day"),
            "before 6 hours": ("E133", "Write  1 day"),
            "before": ("E133", WINDOWS),
            "before exposure": ("E133", "Examples:  28 days, 2 weeks"),
            "hours 0-6": ("E133", WINDOWS),
            "forever": ("E133", WINDOWS),
            "": ("E133", WINDOWS),
        },
    ),
    (
        values.period,
        {
            "weekly": ("E133", "Write  per: week"),
            "daily": ("E133", "Write  per: day"),
            "days": ("E133", "Write  per: day"),
            "hours": ("E133", "Write  per: hour"),
            "monthly": ("E133", "Write  per: month"),
            "2 hours": ("E133", PERIODS),
            "2 months": ("E133", PERIODS),
            "rolling week": ("E133", "Write  per: rolling 7 days"),
            "rolling 7": ("E133", "Write  per: rolling 7 days"),
            "rolling month": ("E133", PERIODS),
            "minute": ("E133", PERIODS),
            "7": ("E133", PERIODS),
            "": ("E133", PERIODS),
        },
    ),
    (
        values.fold,
        {
            "": ("E134", "Known: always, count, ever, last, max, mean, … (4 more)"),
            "alwys": ("E134", 'Did you mean "always"?  Known: always, count, ever, last, max, mean, … (4 more)'),
            "share >= 0.75": ("E134", "Example:  share >= 75%"),
            "count >= 75%": ("E134", "Example:  count >= 3"),
            "ever >= 2": ("E134", ""),
            "count >= -1": ("E134", 'Did you mean "count"?  Known: always, count, ever, last, max, mean, … (4 more)'),
        },
    ),
    (
        values.margin,
        {
            "-2%": ("E135", "A margin has no sign; it is how much worse is still tolerable:  2%"),
            "− 2 points": ("E135", "A margin has no sign; it is how much worse is still tolerable:  2 points"),
            "0%": ("E135", "A margin is above zero: no experiment can show that nothing at all was lost."),
            "€3": ("E135", "Write  3 EUR"),
            "3 $": ("E135", "Write  3 USD"),
            "small": ("E135", "Examples:  2% (of the baseline), 0.5 points"),
            "": ("E135", "Examples:  2% (of the baseline), 0.5 points"),
        },
    ),
    (property_type, dict.fromkeys(("", "int", "money", "money euro", "duration days"), ("E136", "*"))),
    (_expected, dict.fromkeys(("", "a lot", "25 %%", "1/4"), ("E138", "Examples:  25%   3   missing"))),
    (
        _moment,
        dict.fromkeys(
            ("", "day", "day - 1", "day 3 24:00", "day 3 9", "week 1"), ("E138", "Examples:  day 0   day 3 09:00")
        ),
    ),
]


@pytest.mark.parametrize(
    ("reader", "text", "value"),
    [pytest.param(r, t, v, id=f"{r.__name__}-{t}") for r, table in GOOD for t, v in table.items()],
)
def test_what_is_taken(reader: Callable[[str], Any], text: str, value: Any) -> None:
    assert reader(text) == value


@pytest.mark.parametrize(
    ("reader", "text", "code", "hint"),
    [pytest.param(r, t, *said, id=f"{r.__name__}-{t[:20]}") for r, table in BAD for t, said in table.items()],
)
def test_what_is_refused(reader: Callable[[str], Any], text: str, code: str, hint: str) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        reader(text)
    assert caught.value.code == code
    assert hint in ("*", caught.value.hint)


def test_a_missing_value_is_a_value_of_examples() -> None:
    assert _expected("missing") != _expected("missing")


@pytest.mark.parametrize(
    ("key", "text", "window"),
    [("day", "7", Window(7, 7)), ("days", "7-13", Window(7, 13)), ("from_day", "7", Window(7, None))],
)
def test_days_of_a_retention(key: str, text: str, window: Window) -> None:
    assert values.retention_window(key, text) == window


@pytest.mark.parametrize(
    ("key", "text", "hint"),
    [
        ("day", "7-13", "Write  days: 7-13"),
        ("from_day", "7-13", "Write  days: 7-13"),
        ("days", "7", "Write  day: 7  or a range such as  days: 7-13"),
        ("days", "13-7", "Write  days 7-13"),
        ("day", "seven", "Example:  day: 7"),
        ("day", "99999", ""),
    ],
)
def test_days_that_are_none(key: str, text: str, hint: str) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        values.retention_window(key, text)
    assert (caught.value.code, caught.value.hint) == ("E133", hint)


@pytest.mark.parametrize("text", ["a", "a1_b", "a" * 64])
def test_a_name(text: str) -> None:
    assert values.is_id(text)


@pytest.mark.parametrize("text", ["", "A", "1a", "a-b", "a b", "a" * 65, "a\n", "é"])
def test_no_name(text: str) -> None:
    assert not values.is_id(text)


@given(st.integers(0, 365), st.integers(0, 365))
def test_a_window_reads_as_it_is_written(first: int, more: int) -> None:
    for window in (
        Window(first, first + more),
        Window(first, None),
        Window(-more, 0, end=True),
        Window(-more - 1, -1),
        Window(0, more, "hour"),
        Window(0, more + 1, "minute"),
        Window(None),
    ):
        assert values.window(str(window)) == window


@given(st.integers(5000, 9999), st.sampled_from(["", " of nonzero"]))
def test_a_cap_reads_as_it_is_written(hundredths: int, of: str) -> None:
    cap = values.cap(f"{hundredths // 100}.{hundredths % 100:02}%{of}")
    assert values.cap(str(cap)) == cap


@given(st.integers(0, 9999))
def test_percentages_are_exact(thousandths: int) -> None:
    """The float nearest to the fraction, not a percentage divided by 100 in floating point."""
    text = f"{thousandths // 1000}.{thousandths % 1000:03}"
    assert values.fraction(f"{text}%") == thousandths / 100_000


@given(st.sampled_from([r for r, _ in GOOD]), st.text(max_size=30))
def test_any_text_is_taken_or_refused(reader: Callable[[str], Any], text: str) -> None:
    """Nothing else is raised."""
    with contextlib.suppress(SyntaxProblem):
        reader(text)
