"""Random exposures and rows, clustered where the language draws its lines.

Around the exposure and whole hours, days and half hours after it; at midnights, first days of months, Mondays and
changes of clocks; gaps of exactly 30 minutes and a microsecond more; equal times; chains of steps; and up to 40 days
before exposure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from .choices import Choices
from .log import Exposure, Property, Row, Setting, Source, instant, local_date, start_of

MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)
UNITS = ("u1", "u2", "007", "7", "a b", "x,y", "Ü", 'q"t', "u10", "U1", "1e3", "zz")
BYSTANDERS = ("nobody", "none yet")
PULSE = "pulse"
APP_NAMES = ("like clicked", "heart", "post", "order", "open", "Heart")
CHAIN = ("open", "like clicked", "post", "order")
AMOUNTS = tuple(None if a == "" else Decimal(a) for a in ("1", "0", "2", "0.1", "", "0.2", "2.5", "9.99", "-1", "0.30"))
KINDS = ("a", "b", None, "b-c", "Été", "007", "a_c", "abc", "50%_x")
ITEMS = ("i1", "i2", None, "i1", "i 3")
DEVICES = ("d1", "d2", "d1", None)
FORM, LONG = "form", "long"


@dataclass(frozen=True)
class Log:
    """How one source is written. `once`: rows of one time are equal, as only one of them counts."""

    name: str
    facts: Source
    names: tuple[str, ...]
    style: str
    constant: str | None = None
    once: bool = False


def moment(c: Choices, day: date, zone: str) -> datetime:
    """An instant of a local date: noon, its first or last microsecond, where clocks change, or anywhere."""
    how = c.weighted(noon=25, first=15, last=15, change=15, second=15, microsecond=15)
    if how == "noon":
        wall = time(12)
    elif how == "first":
        wall = time(0)
    elif how == "last":
        wall = time(23, 59, 59, 999_999)
    elif how == "change":
        wall = time(c.between(1, 3), c.of((30, 0, 59)))
    elif how == "second":
        return start_of(day, zone) + timedelta(seconds=c.below(82_000))
    else:
        return start_of(day, zone) + timedelta(microseconds=c.below(82_000_000_000))
    return instant(datetime.combine(day, wall), zone)


def exposures(c: Choices, unit: str, keys: Sequence[str], setting: Setting) -> list[Exposure]:
    zone, length = setting.timezone, (setting.end - setting.start).days
    key = c.of(keys)

    def inside() -> datetime:
        return moment(c, setting.start + timedelta(days=c.below(length + 1)), zone)

    first = Exposure(unit, key, inside())
    how = c.weighted(once=56, again=20, mixed=10, before=7, outside=7)
    if how == "again":
        after = moment(c, setting.end + timedelta(days=2), zone)
        return [first, first, Exposure(unit, key, inside()), Exposure(unit, key, after)]
    if how == "mixed":
        other_key = c.of([k for k in keys if k != key])
        other = Exposure(unit, other_key, moment(c, setting.start + timedelta(days=c.below(length + 4)), zone))
        # Which of two variants at one instant came first, nobody can say.
        later = Exposure(unit, other.variant, other.at + MICROSECOND) if other.at == first.at else other
        return [first, later if setting.mixed == "first" else other]
    if how == "before":
        early = c.of((start_of(setting.start, zone) - MICROSECOND, moment(c, setting.start - timedelta(days=3), zone)))
        return [first, Exposure(unit, c.of(keys), early)]
    if how == "outside":
        return [Exposure(unit, key, start_of(setting.end + timedelta(days=1), zone) + timedelta(hours=c.below(40)))]
    return [first]


# Rows of events ------------------------------------------------------------------------------------------------------


def lengths_in(text: str) -> tuple[timedelta, ...]:
    """The lengths of time that definitions speak of, as rows should cluster there.

    >>> [str(length) for length in lengths_in("over: first 2 hours, over: days 3-9, within: 1 week")]
    ['2:00:00', '3 days, 0:00:00', '7 days, 0:00:00', '10 days, 0:00:00']
    """
    units = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": DAY, "week": 7 * DAY}
    found = {
        int(n) * units[u] for n, u in re.findall(r"(?:first|last|within:|silent:) (\d+) (minute|hour|day|week)", text)
    }
    for first, last in re.findall(r"\b(?:days?:?|from_day:|from day) (\d+)(?:-(\d+))?", text):
        found |= {int(first) * DAY, (int(last or first) + 1) * DAY}
    return tuple(sorted(found)) or (DAY,)


def rows(
    c: Choices, unit: str, x: datetime, logs: Sequence[Log], zone: str, lengths: Sequence[timedelta] = (DAY,)
) -> list[Row]:
    found: list[Row] = []
    for number in range(c.of((0, 2, 4, 6, 9, 14, 0))):
        log = c.of(logs)
        times, names = _cluster(c, x, zone, log, lengths)
        amount, kind, item = c.below(len(AMOUNTS)), c.below(len(KINDS)), c.below(len(ITEMS))
        same = c.maybe(60)
        device, owner = c.below(len(DEVICES)), c.of((None, *UNITS[:5]))
        session = c.of((f"s{number}", "s0", "s0", None)) if log.facts.sessions else None
        for i, at in enumerate(times):
            props: dict[str, Property] = {
                "amount": AMOUNTS[(amount + i) % len(AMOUNTS)],
                "kind": KINDS[(kind + (0 if same else i // 3)) % len(KINDS)],
                "item": ITEMS[(item + (0 if same else i // 2)) % len(ITEMS)],
            }
            ids = {"device": DEVICES[(device + (i if same else i // 2)) % len(DEVICES)], "own": owner}
            found.append(Row(unit, names[i % len(names)], at, props, log.name, session, ids))
    return found


def _cluster(
    c: Choices, x: datetime, zone: str, log: Log, lengths: Sequence[timedelta]
) -> tuple[list[datetime], tuple[str, ...]]:
    """Times that belong together, and the names that go around them."""
    day_0 = local_date(x, zone)
    names = (c.of(log.names),)
    how = c.weighted(
        one=14, exposure=10, habit=24, midnight=6, tie=8, chain=24, gaps=8, elapsed=4, before=16, edge=20, follow=12
    )
    match how:
        case "exposure":
            return [x + shift * MICROSECOND for shift in c.of(((0,), (-1, 0, 1), (1,), (-1,), (0, 0)))], names
        case "habit":
            first, step, often = c.between(-1, 8), c.of((1, 2, 3, 7)), c.of((1, 2, 4))
            starts = [start_of(day_0 + timedelta(days=first + step * k), zone) for k in range(c.between(1, 15))]
            habit = c.of((names, names, log.names))
            return [start + timedelta(hours=k) for start in starts for k in range(often)], habit
        case "midnight":
            return [edge + shift for edge in _edges(c, day_0, zone) for shift in (-MICROSECOND, timedelta(0))], names
        case "tie":
            return [moment(c, day_0 + timedelta(days=c.between(-2, 30)), zone)] * 3, c.of((names, log.names))
        case "chain":
            pace = c.of(
                (timedelta(minutes=1), timedelta(0), timedelta(minutes=30), timedelta(hours=1), timedelta(days=1))
            )
            late = c.of((timedelta(0), timedelta(0), MICROSECOND))
            start = c.of((x, x + pace, moment(c, day_0 + timedelta(days=c.between(0, 12)), zone)))
            chain = CHAIN if log.name == "app" else log.names
            return [start + k * (pace + late) for k in range(c.between(2, 9))], chain[c.below(len(chain)) :] + chain
        case "gaps":
            start = c.of((x, x - timedelta(minutes=20), moment(c, day_0 + timedelta(days=c.between(0, 12)), zone)))
            gap = timedelta(minutes=30) + c.of((0, 1)) * MICROSECOND
            often = c.between(2, 5)
            if c.maybe(40):  # past midnight
                start = start_of(day_0 + timedelta(days=c.between(1, 15)), zone) - gap
            return [start + k * gap for k in range(often)], c.of((names, log.names))
        case "elapsed":
            length = c.of((timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)))
            multiple = x + c.between(0, 14) * length
            return [multiple + shift * MICROSECOND for shift in c.of(((0,), (-1, 0), (-1,)))], names
        case "before":
            days = sorted(c.between(1, 40) for _ in range(c.between(1, 6)))
            return [moment(c, day_0 - timedelta(days=d), zone) for d in days], c.of((names, log.names, log.names[-2:]))
        case "edge":  # of a window, by the clock from exposure or by dates
            edge = _edge(c, x, zone, lengths)
            return [edge + shift * MICROSECOND for shift in c.of(((-1, 0), (0,), (-1,)))], c.of((names, log.names))
        case "follow":  # of a window that starts at an event
            anchor = c.of(
                (moment(c, day_0 + timedelta(days=c.between(0, 9)), zone), _edge(c, x, zone, lengths) - MICROSECOND)
            )
            later = _edge(c, anchor, zone, lengths)
            return [anchor, later - MICROSECOND, later], ("open", *names, *names) if log.name == "app" else names
    return [moment(c, day_0 + timedelta(days=c.between(-2, 30)), zone)], names


def _edge(c: Choices, start: datetime, zone: str, lengths: Sequence[timedelta]) -> datetime:
    """A length of time after an instant, or the midnight of that many dates later."""
    length = c.of(lengths)
    if length % DAY or c.maybe(40):
        return start + length
    return start_of(local_date(start, zone) + length, zone)


def _edges(c: Choices, day_0: date, zone: str) -> list[datetime]:
    """A midnight: of any day, of a first of a month, or of a Monday."""
    day = day_0 + timedelta(days=c.between(0, 15))
    how = c.of(("any", "month", "week"))
    if how == "month":
        day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    elif how == "week":
        day += timedelta(days=-day.weekday() % 7)
    return [start_of(day, zone)]


def pulse(log: Log, since: date, last: datetime, zone: str) -> list[Row]:
    """A row each day of somebody who is never exposed, so that no log looks dead before its end."""
    days = (local_date(last, zone) - since).days
    noons = [instant(datetime.combine(since + timedelta(days=d), time(12)), zone) for d in range(days)]
    nothing: dict[str, Property] = {"amount": None, "kind": None, "item": None}
    ids = {"device": None, "own": None}
    return [Row(PULSE, log.names[0], at, nothing, log.name, None, ids) for at in (*noons, last)]


def as_logged(row: Row, log: Log, zone: str) -> Row:
    """The row as its source knows it: with a date alone where the source has no times."""
    return replace(row, at=local_date(row.at, zone)) if log.facts.date_only else row


def levelled(found: Sequence[Row], logs: Sequence[Log]) -> list[Row]:
    """Where one row of several counts, rows of a unit at one time are equal but for their names."""
    once = {log.name for log in logs if log.once}
    first: dict[object, Row] = {}
    level = []
    for row in found:
        if row.source in once:
            like = first.setdefault((row.source, row.unit, row.at), row)
            row = replace(row, props=like.props, session=like.session, ids=like.ids)
        level.append(row)
    return level


# Answers and attributes ----------------------------------------------------------------------------------------------


def answers(c: Choices, unit: str, x: datetime, zone: str) -> list[Row]:
    """Filled-in forms of both surveys, around the exposure."""
    day_0 = local_date(x, zone)
    found = []
    for _ in range(c.of((0, 1, 2, 4, 3))):
        later = moment(c, day_0 + timedelta(days=c.between(0, 12)), zone)
        at = c.of((
            later, later, x, later, x - MICROSECOND, moment(c, day_0 - timedelta(days=c.between(0, 20)), zone),
        ))  # fmt: skip
        feel = c.of(("very", "somewhat", "not", None))
        found.append(Row(unit, "", at, {"score": c.of((*map(str, range(10, -1, -1)), None)), "feel": feel}, FORM))
        if c.maybe(70):
            codes = {f"q{k}": c.of(("1", "5", "3", "2", "4", None)) for k in range(1, 5)}
            found.append(Row(unit, "", at, codes, LONG))
    return found


def person(c: Choices) -> dict[str, Property]:
    """What is known of a unit before exposure."""
    return {
        "plan": c.of(("free", "team", None, "trial")),
        "age": c.of((Decimal(30), Decimal(17), None, Decimal("40"))),
        "staff": c.of(("false", "true", None)),
        "joined": c.of(("2026-01-15", "2026-02-01", "2025-12-31", None)),
    }
