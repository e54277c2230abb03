"""The rows of one unit, event by event: names, tests, whose row it is, n-th, once, sessions and answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from abtest.language.model import Event, Once, Survey

from .log import Property, Row, Setting, Source, first_date, from_then_on, last_complete_date, local_date
from .row_tests import passes

GAP = timedelta(minutes=30)
Session = tuple[str, object]


@dataclass(frozen=True)
class Hit:
    """A row of an event. `answers`: what an answer to a survey counts, by name of the number."""

    row: Row
    number: int
    session: Session | None
    answers: Mapping[str, Fraction] = field(default_factory=dict)

    def value(self, prop: str) -> Property | Fraction:
        """A property; or an id of the row, by unit."""
        if prop in self.answers:
            return self.answers[prop]
        if prop in self.row.props:
            return self.row.props[prop]
        return self.row.ids.get(prop)

    def number_of(self, prop: str) -> Fraction | None:
        value = self.value(prop)
        if value is None:
            return None
        assert not isinstance(value, str)
        return Fraction(value)


class History:
    """All rows of all sources, ready to be asked for the hits of one unit."""

    def __init__(
        self, rows: Iterable[Row], events: Mapping[str, Event], sources: Mapping[str, Source], setting: Setting
    ) -> None:
        self.rows = tuple(enumerate(rows))
        self.events, self.sources, self.setting = events, sources, setting
        self.own: dict[str, list[tuple[int, Row]]] = defaultdict(list)
        for number, row in self.rows:
            self.own[row.unit].append((number, row))
        self._owned: dict[str, dict[str | None, list[tuple[int, Row]]]] = {}
        self._since: dict[str, date] = {}
        self._sessions: dict[tuple[str, str], dict[int, Session]] = {}

    def hits(self, name: str, unit: str) -> list[Hit]:
        """The rows of an event that belong to a unit, in order of time; `nth` and `where` are done."""
        event = self.events[name]
        owner = dict(event.units).get(self.setting.unit)
        found = []
        for number, row in self.own[unit] if owner is None else self._rows_of(owner, unit):
            if row.source != event.source:
                continue
            if event.names and row.name not in event.names:
                continue
            if event.where is not None and not passes(event.where, row.props):
                continue
            answers = None if event.survey is None else _answered(event.survey, row.props)
            if event.survey is not None and answers is None:
                continue
            session = None if owner is not None else self.sessions(row.source, unit).get(number)
            found.append(Hit(row, number, session, answers or {}))
        found.sort(key=lambda h: _order(h.row))
        return found if event.nth is None else found[event.nth - 1 : event.nth]

    def _rows_of(self, column: str, unit: str) -> list[tuple[int, Row]]:
        """The rows that name a unit in a column."""
        if column not in self._owned:
            found = self._owned[column] = defaultdict(list)
            for number, row in self.rows:
                found[row.ids.get(column)].append((number, row))
        return self._owned[column][unit]

    def sessions(self, source: str, unit: str) -> dict[int, Session]:
        """The session of each row of a unit in a source, by number of the row."""
        key = source, unit
        if key not in self._sessions:
            rows = [(n, r) for n, r in self.own[unit] if r.source == source]
            by_column = source in self.sources and self.sources[source].sessions
            self._sessions[key] = _named(source, rows) if by_column else _cut(source, rows)
        return self._sessions[key]

    def since(self, source: str) -> date:
        """The first date of a source."""
        if source not in self._since:
            self._since[source] = first_date(source, (row for _, row in self.rows), self.setting)
        return self._since[source]

    def complete(self, sources: Iterable[str]) -> date:
        """The last date that is complete in all these sources."""
        rows = [row for _, row in self.rows]
        return min(last_complete_date(s, self.sources[s], rows, self.setting) for s in sources)

    def devices(self, unit: str, kind: str, sources: set[str]) -> list[Hit]:
        """Every row of a unit in some sources that names a device (or whatever `kind` is)."""
        return [
            Hit(row, number, None)
            for number, row in self.own[unit]
            if row.source in sources and row.ids.get(kind) is not None
        ]


def _order(row: Row) -> tuple[Any, ...]:
    """By time, then by name, then by the properties in the order of their names, missing ones last."""
    return row.at, row.name, tuple((v is None, 0 if v is None else v) for _, v in sorted(row.props.items()))


def _named(source: str, rows: Sequence[tuple[int, Row]]) -> dict[int, Session]:
    return {number: (source, row.session) for number, row in rows if row.session is not None}


def _cut(source: str, rows: Sequence[tuple[int, Row]]) -> dict[int, Session]:
    """A new session starts after more than 30 minutes without a row."""
    found: dict[int, Session] = {}
    before: Row | None = None
    count = 0
    for number, row in sorted(rows, key=lambda pair: pair[1].at):
        if before is not None and row.at - before.at > GAP:  # type: ignore[operator]
            count += 1
        found[number] = (source, count)
        before = row
    return found


def counted_once(hits: Sequence[Hit], once: Once, at: datetime, day: date, timezone: str) -> list[Hit]:
    """Rows with one value of a property count once per period, separately before and after exposure.

    `hits` are in order of time. Rows without the property, or without a session, count each.
    """
    seen: set[object] = set()
    found = []
    for hit in hits:
        value, period = _same(hit.value(once.prop)), _period(hit, once, timezone)
        if value is not None and period is not None:
            key = value, period, from_then_on(hit.row, at, day)
            if key in seen:
                continue
            seen.add(key)
        found.append(hit)
    return found


def _period(hit: Hit, once: Once, timezone: str) -> object:
    """What the period of a row is called; None when it has none."""
    day = local_date(hit.row.at, timezone)
    match once.period:
        case "session":
            return hit.session
        case "hour":
            at = hit.row.at
            return (day, at.astimezone(ZoneInfo(timezone)).hour) if isinstance(at, datetime) else day
        case "week":
            return day.isocalendar()[:2]
        case "month":
            return day.year, day.month
        case _:
            return day


def first_of_each(hits: Sequence[Hit], prop: str) -> list[Hit]:
    """The first row of each value of a property; rows without it count each."""
    seen: set[object] = set()
    found = []
    for hit in hits:
        value = _same(hit.value(prop))
        if value is None or value not in seen:
            found.append(hit)
        if value is not None:
            seen.add(value)
    return found


def _same(value: Property | Fraction) -> object:
    """Values by which two rows are told apart: numbers by value, the rest as text."""
    return Fraction(value) if isinstance(value, Decimal) else value


def distinct(hits: Iterable[Hit], prop: str) -> int:
    return len({_same(v) for h in hits if (v := h.value(prop)) is not None})


def same_value(one: Hit, other: Hit, prop: str) -> bool | None:
    """Whether two rows have one value of a property; None when one of them has none."""
    left, right = _same(one.value(prop)), _same(other.value(prop))
    return None if left is None or right is None else left == right


# Answers -------------------------------------------------------------------------------------------------------------


def _answered(survey: Survey, props: Mapping[str, Property]) -> dict[str, Fraction] | None:
    """The raw answer and its score; None when too little of the form was filled in."""
    codes = []
    for column in survey.columns:
        given = props.get(column)
        if given is None or given == "":
            continue
        if survey.labels:
            codes.append(Fraction(survey.labels.index(str(given)) + 1))
            continue
        code = Fraction(Decimal(given))
        assert survey.low is not None
        assert survey.high is not None
        if code.denominator != 1 or not survey.low <= code <= survey.high:
            raise ValueError(f"{given} is outside {survey.low}-{survey.high}")
        codes.append(survey.low + survey.high - code if column in survey.reversed else code)
    if len(codes) < survey.need:
        return None
    answer = sum(codes, Fraction(0)) / len(codes)
    return {f"{survey.name}.answer": answer, f"{survey.name}.score": _score(survey, answer)}


def _score(survey: Survey, answer: Fraction) -> Fraction:
    match survey.score:
        case "nps":
            return Fraction(100 if answer >= 9 else -100 if answer <= 6 else 0)
        case "top":
            assert survey.labels or survey.high is not None
            good = answer <= survey.top if survey.labels else answer > (survey.high or 0) - survey.top
            return Fraction(good)
        case "share":
            return Fraction(survey.labels[int(answer) - 1] == survey.label)
        case _:
            return answer
