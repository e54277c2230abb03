"""The rows of one log in SQL: one row per readable line, with what became of it.

Columns: `u` (unit, NULL when not exposed), `variant`, `d` (local date minus date of exposure), `day` (local date),
`step` (why the row does not count, NULL when it does), one flag `is_<event>` per event that a metric needs, one value
`p_<property>` per property; where a metric asks for them `instant` (µs UTC), the session `s` with the date and instant
of its first row (`s_day`, `s_instant`), and ids of finer units `q_<unit>`. Units without rows are in `units`.

Layers, each a query around the one before, and only where it is needed: rows as read, duplicates, local dates, history
(the n-th row, sessions), units, rows that count once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from abtest.language.conditions import Where
from abtest.language.model import Event, Source, Survey
from abtest.sources.clock import Clock
from abtest.sources.engine import name, text
from abtest.sources.read import Raw
from abtest.sources.rows import kept_sql, property_sql, where_sql
from abtest.sources.surveys import answer_sql, score_sql
from abtest.sources.times import HOUR, local_sql, month_sql, week_sql
from abtest.sources.units import MIXED, STATUS_NAMES, TABLE

GAP = 30 * 60 * 1_000_000
"""A session ends when nothing happens for longer than this (µs)."""


@dataclass(frozen=True)
class Needs:
    """What the metrics of a run read of one log.

    `props`: declared properties as numbers or text. `instant`: the instant of each row; `sessions`: its session; `subs`:
    finer units, whose ids become `q_<unit>`. `detail`: every row's instant is kept for explanations of single units.
    """

    events: Mapping[str, Event]
    props: frozenset[str] = frozenset()
    instant: bool = False
    sessions: bool = False
    subs: tuple[str, ...] = ()
    detail: bool = False


@dataclass(frozen=True)
class Rows:
    """How one log becomes its table. `numeric`: paths of text that are read as numbers."""

    source: Source
    raw: Raw
    clock: Clock
    unit: str
    uid: str
    zone: str
    needs: Needs
    surveys: tuple[Survey, ...]
    numeric: tuple[str, ...]
    codes: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        # The name of a row is compared once and becomes a number; each event is then a test on that number.
        names = sorted({n for e in self.needs.events.values() for n in e.names})
        object.__setattr__(self, "codes", {n: i for i, n in enumerate(names)})

    @property
    def events(self) -> list[tuple[str, Event]]:
        return sorted(self.needs.events.items())

    @property
    def numbered(self) -> list[tuple[str, Event]]:
        return [(n, e) for n, e in self.events if e.nth is not None]

    @property
    def once(self) -> list[tuple[str, Event]]:
        return [(n, e) for n, e in self.events if e.once is not None and e.once.period is not None]

    @property
    def sessions(self) -> bool:
        return self.needs.sessions or any(e.once and e.once.period == "session" for _, e in self.once)

    @property
    def instants(self) -> bool:
        return self.needs.instant or self.needs.detail

    def sql(self) -> str:
        query = self._read()
        keys = _dedupe_columns(self.source, self.raw, self.unit, self.uid, self._event_name())
        if keys:
            query = self._repeated(query, len(keys))
        day = "given_day" if self.clock.date_only else self.clock.day
        query = f"SELECT *, {day} AS day FROM ({query})"
        if self.numbered or self.sessions:
            query = self._history(query, bool(keys))
        query = self._with_units(query, bool(keys))
        return self._counted_once(query) if self.once else query

    def _event_name(self) -> str:
        if self.source.event is not None:
            return self.raw.text(self.source.event)
        return text(self.source.event_constant or "")

    def _values(self) -> dict[str, str]:
        """Columns of the rows as read, beside id, time and name: tests of events, properties, finer units, session."""
        found: dict[str, str] = {}
        for event_name, event in self.events:
            if event.where is not None:
                found[f"w_{event_name}"] = self._test(event.where)
        for prop in self.source.properties:
            if prop.name in self.needs.props:
                found[f"p_{prop.name}"] = property_sql(prop, self.raw)
        for unit, path in self.source.units:
            if unit in self.needs.props and f"p_{unit}" not in found:
                found[f"p_{unit}"] = self.raw.text(path)
            if unit in self.needs.subs:
                found[f"q_{unit}"] = self.raw.text(path)
        for survey in self.surveys:
            answer = answer_sql(survey, self.source, self.raw)
            found[f"p_{survey.name}.answer"] = f"CAST({answer} AS DOUBLE)"
            found[f"p_{survey.name}.score"] = f"CAST({score_sql(survey, answer)} AS DOUBLE)"
        if self.sessions and self.source.session is not None:
            found["session_id"] = self.raw.text(self.source.session)
        return found

    def _test(self, where: Where) -> str:
        return where_sql(where, self.source, self.raw)

    def _read(self) -> str:
        given_day = self.clock.day if self.clock.date_only else "NULL"
        whens = " ".join(f"WHEN {text(n)} THEN {i}" for n, i in self.codes.items())
        code = f"CASE {self._event_name()} {whens} END" if self.codes else "NULL"
        extra = "".join(f", {sql} AS {name(alias)}" for alias, sql in self._values().items())
        if self.numeric:
            named = "true" if any(not e.names for _, e in self.events) else "code IS NOT NULL"
            bad = " OR ".join(self.raw.unreadable(p) for p in self.numeric)
            extra += f", ({named} AND ({bad})) AS bad_number"
        keys = _dedupe_columns(self.source, self.raw, self.unit, self.uid, self._event_name())
        extra += "".join(f", {sql} AS dedupe_{i}" for i, sql in enumerate(keys))
        return (
            f"SELECT {self.uid} AS uid, {self.clock.instant} AS instant, {given_day} AS given_day, "
            f"{kept_sql(self.source, self.raw)} AS wanted, CAST({code} AS SMALLINT) AS code{extra} FROM {name(self.raw.table)}"
        )

    def _ties(self) -> list[str]:
        """What orders rows of one time, so that the order of the file does not matter."""
        return ["code", *(name(c) for c in self._values())]

    def _properties(self) -> list[str]:
        """The properties of rows, in the order of their names."""
        return [name(c) for c in sorted(self._values()) if c.startswith("p_")]

    def _repeated(self, query: str, keys: int) -> str:
        """Mark all but the first of rows with one key: first by time, then by everything else."""
        partition = ", ".join(f"dedupe_{i}" for i in range(keys))
        known = " AND ".join(f"dedupe_{i} IS NOT NULL" for i in range(keys))
        order = ", ".join(["instant", "given_day", "uid", *self._ties()])
        unusable = "uid IS NULL OR NOT wanted OR coalesce(instant, given_day) IS NULL"
        return (
            f"SELECT *, ({known}) AND row_number() OVER (PARTITION BY {partition}, {unusable} ORDER BY {order}) > 1 "
            f"AS repeated FROM ({query})"
        )

    def _history(self, query: str, repeats: bool) -> str:
        """Over all rows of a unit: the rank of each row among those of an event, and its session."""
        fresh = " AND NOT repeated" if repeats else ""
        query = f"SELECT *, (uid IS NOT NULL AND day IS NOT NULL AND wanted{fresh}) AS usable FROM ({query})"
        order = ", ".join(["instant", "day", "code", *self._properties()])
        ranks = "".join(
            f", row_number() OVER (PARTITION BY uid, usable AND {self._is(n, e)} ORDER BY {order}) AS {name('n_' + n)}"
            for n, e in self.numbered
        )
        if not self.sessions:
            return f"SELECT *{ranks} FROM ({query})"
        if self.source.session is not None:
            number = "CASE WHEN usable THEN session_id END"
            query = f"SELECT *{ranks}, {number} AS s FROM ({query})"
        else:
            gap = f"instant - lag(instant) OVER (PARTITION BY uid, usable ORDER BY instant) > {GAP}"
            query = f"SELECT *{ranks}, CAST(coalesce({gap}, true) AS INTEGER) AS starts FROM ({query})"
            number = "CASE WHEN usable THEN sum(starts) OVER (PARTITION BY uid, usable ORDER BY instant RANGE UNBOUNDED PRECEDING) END"
            query = f"SELECT * EXCLUDE (starts), CAST({number} AS VARCHAR) AS s FROM ({query})"
        over = "OVER (PARTITION BY uid, s)"
        return f"SELECT *, min(day) {over} AS s_day, min(instant) {over} AS s_instant FROM ({query})"

    def _is(self, event_name: str, event: Event) -> str:
        """Whether a row is this event, but for `nth` and `count_once`."""
        if event.survey is not None:
            return f"({name(f'p_{event.survey.name}.score')} IS NOT NULL)"
        named = "true"
        if event.names:
            listed = ", ".join(str(self.codes[n]) for n in event.names)
            named = f"coalesce(code IN ({listed}), false)"
        return named if event.where is None else f"({named} AND {name('w_' + event_name)})"

    def _flag(self, event_name: str, event: Event) -> str:
        found = self._is(event_name, event)
        return found if event.nth is None else f"({found} AND usable AND {name('n_' + event_name)} = {event.nth})"

    def _with_units(self, query: str, repeats: bool) -> str:
        """Join the exposed units, and say of every row what becomes of it."""
        flags = {f"is_{n}": self._flag(n, e) for n, e in self.events}
        values = self._values()
        kept = [name(c) for c in values if c.startswith(("p_", "q_"))]
        kept += ["instant"] if self.instants or self.once else []
        kept += ["code"] if any(e.once is not None for _, e in self.events) else []
        kept += ["s", "s_day", "s_instant"] if self.sessions else []
        kept += ["bad_number"] if self.numeric else []
        columns = "".join(f", {sql} AS {name(alias)}" for alias, sql in flags.items())
        columns += "".join(f", r.{c}" for c in kept)
        plain = not any(c.startswith("w_") for c in values) and all(e.names and e.nth is None for _, e in self.events)
        is_any = "r.code IS NOT NULL" if plain else " OR ".join(flags.values()) or "false"
        before = "CASE WHEN r.instant IS NOT NULL AND k.x IS NOT NULL THEN r.instant < k.x ELSE r.day < k.x_day END"
        statuses = " ".join(f"WHEN k.status = {s} THEN {text(w)}" for s, w in STATUS_NAMES.items())
        repeated = "r.repeated" if repeats else "false"
        print_ = "".join(f", r.{c}" for c in ["code", *(name(c) for c in values if c != "session_id")])
        return (
            f"SELECT CASE WHEN k.status = 0 THEN k.u END AS u, CASE WHEN k.status <> {MIXED} THEN k.variant END AS variant, "
            f"CAST(r.day - k.x_day AS INTEGER) AS d, CAST(r.day AS INTEGER) AS day, "
            f"CASE WHEN r.uid IS NULL THEN 'no_id' WHEN r.day IS NULL THEN 'bad_time' WHEN NOT r.wanted THEN 'ignored' WHEN {repeated} THEN 'duplicate' "
            f"WHEN k.uid IS NULL THEN 'unassigned' {statuses} WHEN {before} THEN 'before_exposure' WHEN NOT ({is_any}) THEN 'no_event' END AS step, "
            f"hash(r.uid, r.instant, r.day{print_}) AS print{columns} "
            f"FROM ({query}) r LEFT JOIN {TABLE} k USING (uid)"
        )

    def _counted_once(self, query: str) -> str:
        """Of rows that count once in a stretch of time, all but the first are not the event."""
        changed = []
        for event_name, event in self.once:
            once = event.once
            assert once is not None
            prop = name(f"p_{once.prop}")
            flag = name(f"is_{event_name}")
            partition = f"u, {flag}, step = 'before_exposure', {self._stretch(once.period or 'day')}, {prop}"
            order = ", ".join(["instant", "day", "code", *self._properties()])
            first = f"row_number() OVER (PARTITION BY {partition} ORDER BY {order}) = 1"
            alone = f"{prop} IS NULL OR s IS NULL" if once.period == "session" else f"{prop} IS NULL"
            changed.append(f"({flag} AND ({alone} OR {first})) AS {flag}")
        return f"SELECT * REPLACE ({', '.join(changed)}) FROM ({query})"

    def _stretch(self, period: str) -> str:
        """The number of the hour, day, week or month of a row, or its session."""
        if period == "hour":
            return "day" if self.clock.date_only else f"(({local_sql('instant', self.zone)}) // {HOUR})"
        return {"day": "day", "week": week_sql("day"), "month": month_sql("day"), "session": "s"}[period]


def _dedupe_columns(source: Source, raw: Raw, unit: str, uid: str, event_name: str) -> list[str]:
    found = []
    for key in source.dedupe:
        if key == "id" and source.id is not None:
            found.append(raw.text(source.id))
        elif key == "event":
            found.append(event_name)
        elif key == "time" and source.time is not None:
            found.append(raw.text(source.time.path))
        elif key == unit or source.unit_path(key) is not None:
            found.append(uid if key == unit else raw.text(source.unit_path(key) or ""))
        elif key in ("variant", "flag"):
            found.append(raw.text((source.variant if key == "variant" else source.flag) or ""))
        else:
            prop = source.property(key)
            assert prop is not None
            found.append(raw.text(prop.path))
    return found
