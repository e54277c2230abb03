"""Clock times: which instant a text, number or date means, and which local date it falls on.

Local times come from the IANA rules of Python's zoneinfo, turned into a short CASE over the few changes of offset in
the years that data can have, so every engine gives the same dates. Ruling: a local time in a gap of daylight saving
moves forward, in a fold it is the first.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

MICRO = 1_000_000
HOUR = 3_600 * MICRO
DAY = 24 * HOUR
# Years that a log can have: before 1990 lie the zeros of several clocks (1970, 1980), which exports write for "unknown".
FIRST_YEAR, LAST_YEAR = 1990, 2060
LAST_READ = 2199
EARLIEST = int(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp()) * MICRO
LATEST = int(datetime(LAST_READ + 1, 1, 1, tzinfo=UTC).timestamp()) * MICRO


@lru_cache(maxsize=64)
def offsets(zone: str) -> tuple[tuple[int, int], ...]:
    """(from instant, offset), both in µs; the first entry holds from the beginning of time.

    >>> len(offsets("UTC")), offsets("Asia/Kolkata")[0][1] // 60_000_000
    (1, 330)
    """
    tz = ZoneInfo(zone)

    def offset(seconds: int) -> int:
        delta = datetime.fromtimestamp(seconds, tz).utcoffset()
        assert delta is not None
        return int(delta.total_seconds())

    start = int(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime(LAST_YEAR, 1, 1, tzinfo=UTC).timestamp())
    found = [(0, offset(start) * MICRO)]
    step = 86_400
    before = offset(start)
    for moment in range(start, end, step):
        now = offset(moment + step)
        if now == before:
            continue
        low, high = moment, moment + step
        while high - low > 1:  # the second at which the clocks change
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == before else (low, middle)
        found.append((high * MICRO, now * MICRO))
        before = now
    return tuple(found)


def _case(moment: str, switches: list[tuple[int, int]], first: int) -> str:
    """A binary tree of comparisons, so that 120 changes cost seven tests per row."""
    if not switches:
        return str(first)
    middle = len(switches) // 2
    at, offset = switches[middle]
    low = _case(moment, switches[:middle], first)
    high = _case(moment, switches[middle + 1 :], offset)
    return f"CASE WHEN {moment} < {at} THEN {low} ELSE {high} END"


def local_sql(instant: str, zone: str) -> str:
    """SQL: µs since 1970 of the local wall clock at an instant (µs UTC)."""
    table = offsets(zone)
    if len(table) == 1:
        return instant if table[0][1] == 0 else f"({instant} + {table[0][1]})"
    return f"({instant} + {_case(instant, list(table[1:]), table[0][1])})"


def instant_sql(wall: str, zone: str) -> str:
    """SQL: the instant (µs UTC) of a local wall clock (µs). Gap: moves forward; fold: the first."""
    table = offsets(zone)
    if len(table) == 1:
        return wall if table[0][1] == 0 else f"({wall} - {table[0][1]})"
    switches = [(at + max(before, after), after) for (_, before), (at, after) in itertools.pairwise(table)]
    return f"({wall} - {_case(wall, switches, table[0][1])})"


def day_sql(instant: str, zone: str) -> str:
    """SQL: the local date of an instant as whole days since 1970-01-01."""
    return f"CAST(({local_sql(instant, zone)}) // {DAY} AS INTEGER)"


def week_sql(day: str) -> str:
    """SQL: the number of the ISO week (Monday to Sunday) of a date; week 0 holds 1970-01-01."""
    return f"(({day} + 3) // 7)"


def month_sql(day: str) -> str:
    """SQL: the number of the month of a date since the year 0."""
    date_ = f"(DATE '1970-01-01' + CAST({day} AS INTEGER))"
    return f"(12 * year({date_}) + month({date_}))"


def day_start(day: int, zone: str) -> int:
    """The instant (µs UTC) at which a local date (days since 1970) begins.

    >>> day_start(0, "UTC"), day_start(20_541, "Europe/Madrid") - 20_541 * DAY == -3600 * MICRO
    (0, True)
    """
    wall = day * DAY
    table = offsets(zone)
    found = table[0][1]
    for (_, before), (at, after) in itertools.pairwise(table):
        if wall >= at + max(before, after):
            found = after
    return wall - found
