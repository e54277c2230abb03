"""The tiny logs of examples as raw tables, read like any other log: sessions, first rows and scores work as they do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from abtest.language.canonical import metric_attributes
from abtest.language.conditions import Attribute, Where
from abtest.language.measures import TIME_UNITS
from abtest.language.model import Event, Metric, Project, Property, Source, TimeColumn
from abtest.sources.engine import Engine, name, text
from abtest.sources.event_rows import Needs
from abtest.sources.events import Log, read_log
from abtest.sources.files import Files
from abtest.sources.read import Raw
from abtest.sources.rows import passes_when_missing, path_of, where_props, where_sql
from abtest.sources.times import DAY

if TYPE_CHECKING:
    from abtest.analysis.examples import Case

DAY_0 = (date(2024, 7, 1) - date(1970, 1, 1)).days
"""Of every example: a Monday, the first of a month of 31 days. Exposure is at its midnight."""
_NOON = DAY // 2
_SECOND = 1_000_000
UNIT = "unit of the example"


def open_units(engine: Engine, count: int) -> None:
    """One exposed unit per example."""
    engine.sql(
        "CREATE OR REPLACE TEMP TABLE units (uid VARCHAR, u INTEGER, variant TINYINT, x BIGINT, x_day INTEGER, status TINYINT)"
    )
    units = ", ".join(f"('{i}', {i}, 0, {DAY_0 * DAY}, {DAY_0}, 0)" for i in range(count))
    engine.sql(f"INSERT INTO units VALUES {units}")


def _raw(engine: Engine, table: str, columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> Raw:
    """A raw table of text, as a CSV file would give."""
    names = ", ".join(f"{name(c)} VARCHAR" for c in columns)
    engine.sql(f"CREATE OR REPLACE TEMP TABLE {name(table)} ({names})")
    cells = [", ".join("NULL" if c is None else text(c) for c in row) for row in rows]
    if cells:
        engine.sql(f"INSERT INTO {name(table)} VALUES {', '.join(f'({c})' for c in cells)}")
    files = Files(table, "csv", (), ("the examples",))
    return Raw(table, {c: c for c in columns}, dict.fromkeys(columns, "VARCHAR"), max(1, len(rows)), 0, None, files)


def read_example_log(engine: Engine, log: Source, needs: Needs, cases: Sequence[Case], through: int) -> Log:
    """The rows of all examples for one log. An event is written by its own name, and passes its own `where`."""
    wanted = sorted(needs.props | set(needs.subs) | {e.once.prop for e in needs.events.values() if e.once is not None})
    questions = sorted({c for e in needs.events.values() if e.survey is not None for c in e.survey.columns})
    columns = ["u", "e", "t", *(f"prop {p}" for p in wanted), "session", *(f"question {q}" for q in questions)]
    rows: list[list[str | None]] = []
    for i, case in enumerate(cases):
        listed: Counter[tuple[int, int | None]] = Counter()
        for event in case.example.events:
            own = _meant(event.event, needs)
            moment = (event.day, event.minute)
            if own is None:
                listed[moment] += event.count
                continue
            given = dict(event.properties)
            for _ in range(event.count):
                minute, place = event.minute, listed[moment]
                listed[moment] += 1
                at = _NOON + place * _SECOND if minute is None else minute * 60 * _SECOND + place
                cells = {"u": str(i), "e": own, "t": str((DAY_0 + event.day) * DAY + at)}
                cells |= {f"prop {p}": _plain(given[p]) for p in wanted if p in given}
                cells |= {"session": given["session"]} if "session" in given else {}
                survey = needs.events[own].survey
                if survey is not None:
                    answers = {survey.columns[0]: given["answer"]} if "answer" in given else given
                    cells |= {f"question {q}": answers[q] for q in survey.columns if q in answers}
                rows.append([cells.get(c) for c in columns])
    # Somebody who is never exposed, so that the log has a row, and reaches as far as it must.
    rows.append([{"u": "nobody", "e": "nothing", "t": str(through * DAY)}.get(c) for c in columns])
    raw = _raw(engine, f"raw {log.name}", columns, rows)
    types = {p.name: p for p in log.properties}
    properties = tuple(
        Property(p, f"prop {p}", types[p].type if p in types else "text", types[p].unit if p in types else None)
        for p in wanted
    )
    properties += tuple(Property(q, f"question {q}", "text") for q in questions)
    own_session = any("session" in dict(e.properties) for c in cases for e in c.example.events)
    source = Source(
        log.name, log.kind, (), ((UNIT, "u"), *((s, f"prop {s}") for s in needs.subs)), event="e",
        session="session" if own_session else None, time=TimeColumn("t", "epoch us"), properties=properties,
    )  # fmt: skip
    events = {n: _by_own_name(e) for n, e in needs.events.items()}
    read = read_log(engine, source, raw, UNIT, "UTC", replace(needs, events=events), None, strict=False)
    return replace(read, last_complete=through, first=DAY_0)


def _by_own_name(event: Event) -> Event:
    names = (event.name,) if event.survey is None else ()
    return replace(event, names=names, where=None, units=())


def _meant(written: str, needs: Needs) -> str | None:
    """The event of this log that an example writes."""
    return next((n for n in (written, f"{written}.answers") if n in needs.events), None)


def _plain(value: str) -> str:
    """`20 EUR` as 20 and `2 min` as 120 seconds; other text as it stands."""
    match = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s+([A-Za-z]+)", value.strip())
    if match is None:
        return value.strip()
    return f"{Decimal(match[1]) * TIME_UNITS.get(match[2], Decimal(1)):f}"


def attribute_tables(
    engine: Engine, project: Project, metrics: Sequence[Metric], cases: Sequence[Case]
) -> tuple[dict[Attribute, tuple[str, str, bool]], dict[str, tuple[str, str, bool]]]:
    """The truth of every test of attributes, from what the examples give their units."""
    tests: dict[tuple[str, Where], str] = {}
    for metric in metrics:
        for attribute in metric_attributes(metric):
            tests.setdefault((attribute.source, attribute.test), f"t_{len(tests)}")
        if metric.among is not None and metric.among.where is not None:
            tests.setdefault((metric.among.source, metric.among.where), f"t_{len(tests)}")
    for home in dict.fromkeys(source for source, _ in tests):
        source = project.sources[home]
        own = {where: column for (other, where), column in tests.items() if other == home}
        paths = sorted({path_of(p, source) for where in own for p in where_props(where)})
        rows = []
        for i, case in enumerate(cases):
            given = {path_of(k.partition(".")[2], source): v for k, v in case.example.given if k.startswith(f"{home}.")}
            if given:
                rows.append([str(i), *(given.get(p) for p in paths)])
        raw = _raw(engine, f"raw {home}", ["uid", *paths], rows)
        columns = ", ".join(f"{where_sql(where, source, raw)} AS {name(column)}" for where, column in own.items())
        engine.sql(
            f"CREATE OR REPLACE TEMP TABLE {name('table_' + home)} AS SELECT uid, {columns} FROM {name(raw.table)}"
        )
    attributes = {
        a: (f"table_{a.source}", tests[(a.source, a.test)], passes_when_missing(a.test))
        for m in metrics
        for a in metric_attributes(m)
    }
    among = {
        m.name: (f"table_{m.among.source}", tests[(m.among.source, m.among.where)], passes_when_missing(m.among.where))
        for m in metrics
        if m.among is not None and m.among.where is not None
    }
    return attributes, among
