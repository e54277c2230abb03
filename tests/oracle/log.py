"""The values that the oracle reads: rows, exposures, sources; who takes part; and how far the data are complete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal
from zoneinfo import ZoneInfo

Property = Decimal | str | None
Attributes = Mapping[str, Mapping[str, Mapping[str, Property]]]
"""By source, unit and property."""
Moment = datetime | date


@dataclass(frozen=True)
class Row:
    """One row of a source. `at` is an aware instant, or a plain date in a source of dates.

    `session`: what the source's column of sessions says. `ids`: other ids in the row, by unit (device) or by column
    (the owner of what was liked).
    """

    unit: str
    name: str
    at: Moment
    props: Mapping[str, Property] = field(default_factory=dict)
    source: str = "app"
    session: str | None = None
    ids: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Exposure:
    """One row of the exposure log; `variant` is the key as it stands there."""

    unit: str
    variant: str
    at: datetime


@dataclass(frozen=True)
class Source:
    """What the meaning needs to know about a source. `sessions`: a column says which session a row belongs to."""

    settle: int = 0
    date_only: bool = False
    complete_through: date | None = None
    sessions: bool = False
    answers: bool = False


@dataclass(frozen=True)
class Setting:
    """The experiment around the metric. Dates are local and inclusive."""

    timezone: str
    start: date
    end: date
    enroll_until: date | None = None
    mixed: Literal["drop", "first"] = "drop"
    unit: str = "user"


@dataclass(frozen=True)
class Assignment:
    """Where a unit belongs. With a `reason` it takes no part."""

    variant: str | None
    at: datetime | None
    day: date | None
    reason: Literal["before_start", "outside", "late", "mixed"] | None = None


@dataclass(frozen=True)
class UnitValue:
    """What one unit contributes: a value, a pair (ratio), or the reason why nothing."""

    variant: str
    value: Fraction | None
    denominator: Fraction | None = None
    reason: Literal["immature", "missing"] | None = None


def instant(wall: datetime, timezone: str) -> datetime:
    """The instant of a time on the wall: in a gap of daylight saving it moves forward, in a fold it is the first.

    >>> instant(datetime(2026, 3, 29, 2, 30), "Europe/Madrid").isoformat()
    '2026-03-29T01:30:00+00:00'
    """
    return wall.replace(tzinfo=ZoneInfo(timezone), fold=0).astimezone(UTC)


def start_of(day: date, timezone: str) -> datetime:
    """Local midnight."""
    return instant(datetime.combine(day, time(0)), timezone)


def local_date(at: Moment, timezone: str) -> date:
    return at.astimezone(ZoneInfo(timezone)).date() if isinstance(at, datetime) else at


def from_then_on(row: Row, at: datetime, day: date) -> bool:
    """Whether a row counts from an instant on, which lies on `day`: sources of dates count from the date."""
    return row.at >= at if isinstance(row.at, datetime) else row.at >= day


def units(exposures: Iterable[Exposure], setting: Setting) -> dict[str, Assignment]:
    """Every unit of the exposure log, and what becomes of it."""
    seen: dict[str, list[Exposure]] = {}
    for exposure in exposures:
        seen.setdefault(exposure.unit, []).append(exposure)
    return {unit: _assignment(own, setting) for unit, own in sorted(seen.items())}


def _assignment(exposures: list[Exposure], setting: Setting) -> Assignment:
    dates = [local_date(e.at, setting.timezone) for e in exposures]
    if any(day < setting.start for day in dates):
        return Assignment(None, None, None, "before_start")
    inside = [e for e, day in zip(exposures, dates, strict=True) if day <= setting.end]
    if not inside:
        return Assignment(None, None, None, "outside")
    first = min(inside, key=lambda e: (e.at, e.variant))
    day = local_date(first.at, setting.timezone)
    if setting.enroll_until is not None and day > setting.enroll_until:
        return Assignment(None, first.at, day, "late")
    if setting.mixed == "drop" and len({e.variant for e in inside}) > 1:
        return Assignment(None, first.at, day, "mixed")
    return Assignment(first.variant, first.at, day)


def last_complete_date(name: str, source: Source, rows: Iterable[Row], setting: Setting) -> date:
    """The last date through which a source is complete; the beginning of time when it has no rows."""
    if source.complete_through is not None:
        return source.complete_through
    latest = max((r.at for r in rows if r.source == name), default=None)
    if latest is None:
        return date.min
    day = local_date(latest, setting.timezone)
    return day - timedelta(days=source.settle if source.date_only else source.settle + 1)


def first_date(name: str, rows: Iterable[Row], setting: Setting) -> date:
    """The date of the earliest row of a source; the end of time when it has none."""
    earliest = min((r.at for r in rows if r.source == name), default=None)
    return date.max if earliest is None else local_date(earliest, setting.timezone)
