"""Random projects: definitions as YAML text, logs as CSV, and the same rows as values for the oracle.

`make_case` turns a stream of choices into a project. The stream is hypothesis (`projects()`, which shrinks: choice 0
is always the plainest) or a seeded `random.Random` (`seeded(n)`, which is fast). Every definition obeys the rules of
the language, so a project that does not load is a bug of one of the two.

Left out, because nobody has said what they mean: two variants at the same instant under `mixed_exposure: first`;
`settle` on a source of dates; sessions of sources of dates; sessions of events that belong to the unit of another
column; such events, starting points and lifetimes per device; a funnel of instants and dates; `count_once` in the
window for sessions and devices; `unit: session`; `days_since` in sessions. Where one row of several at one time
counts (`nth`, `count_once`), these are equal but for their names.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from abtest.language.model import Metric, Project
from abtest.language.project import load_project

from .choices import Choices
from .log import Attributes, Exposure, Property, Row, Setting, Source, UnitValue, local_date
from .oracle import evaluate, quantiles
from .project_text import Drawn, project_yaml
from .rows import (
    APP_NAMES,
    BYSTANDERS,
    FORM,
    LONG,
    MICROSECOND,
    UNITS,
    Log,
    answers,
    as_logged,
    exposures,
    lengths_in,
    levelled,
    moment,
    person,
    pulse,
    rows,
)

SHIFTS = {  # where clocks change in 2026, and quiet days
    "UTC": (date(2026, 3, 2), date(2026, 12, 28)),
    "Europe/Madrid": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Asia/Kolkata": (date(2026, 3, 29), date(2026, 2, 27)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
}
VARIANTS = (("control", "off"), ("treat", "v3"), ("bold", "v-4 b"))
ATTRIBUTES = ("plan", "age", "staff", "joined")
QUESTIONS = {FORM: ("score", "feel"), LONG: ("q1", "q2", "q3", "q4")}
STYLES = ("Z", "offset", "epoch us")


@lru_cache
def _below(n: int) -> st.SearchStrategy[int]:
    return st.integers(0, n - 1)


@st.composite
def projects(draw: st.DrawFn) -> Case:
    """Random projects with logs."""
    return make_case(Choices(lambda n: draw(_below(n))))


def seeded(seed: int) -> Case:
    """The project of a number, without hypothesis."""
    return make_case(Choices(random.Random(seed).randrange))


def smaller(case: Case, wrong: Callable[[Case], bool]) -> Case:
    """A case with as few rows and exposures as still go wrong. The definitions stay.

    Much faster than hypothesis's own shrinking when `wrong` runs a whole engine.
    """
    for field_name in ("rows", "exposures"):
        size = len(getattr(case, field_name))
        while size:
            position = 0
            while position < len(items := getattr(case, field_name)):
                changes: Any = {field_name: (*items[:position], *items[position + size :])}
                less = replace(case, **changes)
                if wrong(less):
                    case = less
                else:
                    position += size
            size //= 2
    return case


# A project with its logs -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A project as text, and everything that the oracle needs to judge it.

    `logs`: the sources of events. `forms`: how the times of the answers are written; they are rows like all others.
    """

    project_yaml: Mapping[str, str]
    rows: tuple[Row, ...]
    exposures: tuple[Exposure, ...]
    setting: Setting
    logs: tuple[Log, ...]
    exposure_style: str = "Z"
    people: Mapping[str, Mapping[str, Property]] = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)
    loaded: list[Project] = field(default_factory=list, compare=False, repr=False)

    @property
    def sources(self) -> dict[str, Source]:
        forms = {name: Source(answers=True, date_only=style == "date") for name, style in self.forms.items()}
        return {log.name: log.facts for log in self.logs} | forms

    @property
    def attributes(self) -> Attributes:
        return {"people": self.people}

    @property
    def experiment(self) -> str:
        return "x"

    @property
    def metrics(self) -> dict[str, Metric]:
        """The metrics of the experiment; the others of the project lie before exposure."""
        project = self.project()
        return {use.name: project.metrics[use.name] for use in project.experiments[self.experiment].metrics}

    def values(self, metric: Metric) -> dict[str, UnitValue]:
        """What every unit contributes, by the oracle."""
        events = self.project().events
        return evaluate(metric, events, self.sources, self.rows, self.exposures, self.setting, self.attributes)

    def quantiles(self, metric: Metric) -> dict[str, tuple[Fraction | None, int]]:
        """The quantile of every variant and of how many values it is, by the oracle."""
        events = self.project().events
        return quantiles(metric, events, self.sources, self.rows, self.exposures, self.setting, self.attributes)

    def files(self) -> dict[str, str]:
        """Every file of the project folder, definitions and logs."""
        found = dict(self.project_yaml)
        zone = self.setting.timezone
        for log in self.logs:
            lines = [_cells(r, log, zone) for r in self.rows if r.source == log.name]
            sid = ("sid",) if log.facts.sessions else ()
            header = ("uid", "at", "amt", "kind", "item", "dev", "own", *sid, *_named(log, "name"))
            found[f"logs/{log.name}.csv"] = _csv(header, lines)
        for name, style in self.forms.items():
            filled = [r for r in self.rows if r.source == name]
            lines = [(r.unit, written(r.at, style, zone), *_texts(r.props, QUESTIONS[name])) for r in filled]
            found[f"logs/{name}.csv"] = _csv(("uid", "at", *QUESTIONS[name]), lines)
        shown = [(e.unit, e.variant, written(e.at, self.exposure_style, zone)) for e in self.exposures]
        found["logs/flags.csv"] = _csv(("uid", "variant", "at"), shown)
        known = [(unit, *_texts(props, ATTRIBUTES)) for unit, props in self.people.items()]
        found["logs/people.csv"] = _csv(("uid", *ATTRIBUTES), known)
        return found

    def write(self, folder: Path) -> Path:
        """The project folder on disk; gives back its root."""
        for name, text in self.files().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        return folder

    def project(self) -> Project:
        """The project as the language reads it. Raises UserError when a definition is refused."""
        if not self.loaded:
            with TemporaryDirectory() as folder:
                self.loaded.append(load_project(self.write(Path(folder))))
        return self.loaded[0]


def written(at: datetime | date, style: str, timezone: str) -> str:
    if not isinstance(at, datetime):
        return at.isoformat()
    if style == "epoch us":
        return str((at - datetime(1970, 1, 1, tzinfo=UTC)) // MICROSECOND)
    if style == "offset":
        return at.astimezone(ZoneInfo(timezone)).isoformat()
    text = at.replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def _cells(row: Row, log: Log, timezone: str) -> tuple[str, ...]:
    props = _texts(row.props, ("amount", "kind", "item"))
    session = (row.session or "",) if log.facts.sessions else ()
    ids = _texts(row.ids, ("device", "own"))
    return row.unit, written(row.at, log.style, timezone), *props, *ids, *session, *_named(log, row.name)


def _texts(values: Mapping[str, Property], names: Iterable[str]) -> tuple[str, ...]:
    return tuple("" if (v := values.get(n)) is None else str(v) for n in names)


def _named(log: Log, name: str) -> tuple[str, ...]:
    """A log of one event has no column of names."""
    return () if log.constant else (name,)


def _csv(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return out.getvalue()


def make_case(c: Choices) -> Case:
    zone = c.of(tuple(SHIFTS))
    start = c.of(SHIFTS[zone]) - timedelta(days=c.below(10))
    end = start + timedelta(days=c.below(14))
    enroll_until = start + timedelta(days=c.below((end - start).days + 1)) if c.maybe(30) else None
    setting = Setting(zone, start, end, enroll_until, "first" if c.maybe(20) else "drop")
    variants = VARIANTS[: c.of((2, 2, 3))]
    logs = _logs(c, start)
    forms = {FORM: c.of((*STYLES, "date")), LONG: c.of((*STYLES, "date"))}
    drawn, texts = project_yaml(c, Drawn(setting, logs, forms, variants))
    lengths = lengths_in(texts["abtest.yml"])
    shown, found, people = _people(c, setting, drawn, [key for _, key in variants], lengths)
    kept: list[Row] = []
    for log in drawn.logs:
        last = moment(c, _last_day(c, setting, log, shown, lengths), zone)
        since = start - timedelta(days=c.of((3, 45, 10, 25, 5)))
        own_rows = [r for r in found if r.source == log.name] + pulse(log, since, last, zone)
        kept += [as_logged(r, log, zone) for r in own_rows if _at(r) <= last]
    for name, style in forms.items():
        sheet = Log(name, Source(date_only=style == "date"), (), style)
        kept += [as_logged(r, sheet, zone) for r in found if r.source == name]
    return Case(
        project_yaml=texts,
        rows=c.shuffled(levelled(kept, drawn.logs)),
        exposures=c.shuffled(shown),
        setting=setting,
        logs=drawn.logs,
        exposure_style=c.of(STYLES),
        people=people,
        forms=forms,
    )


def _last_day(c: Choices, setting: Setting, log: Log, shown: Sequence[Exposure], lengths: Sequence[timedelta]) -> date:
    """The date of the last row: anywhere, or where the window of somebody is about to be complete."""
    if c.maybe(40):
        return setting.start + timedelta(days=c.between(6, 70))
    end = (
        local_date(c.of(shown).at, setting.timezone)
        + c.of(lengths)
        + timedelta(days=log.facts.settle + c.between(0, 2))
    )
    return max(end, setting.start + timedelta(days=3))


def _people(
    c: Choices, setting: Setting, drawn: Drawn, keys: Sequence[str], lengths: Sequence[timedelta]
) -> tuple[list[Exposure], list[Row], dict[str, dict[str, Property]]]:
    """Units with their exposures, rows, answers and attributes, and bystanders."""
    zone = setting.timezone
    shown: list[Exposure] = []
    found: list[Row] = []
    people: dict[str, dict[str, Property]] = {}
    for unit in UNITS[: c.of((1, 4, 8, 12, 12, 12))]:
        own = exposures(c, unit, keys, setting)
        shown += own
        found += rows(c, unit, min(e.at for e in own), drawn.logs, zone, lengths)
        found += answers(c, unit, min(e.at for e in own), zone)
        if not c.maybe(20):
            people[unit] = person(c)
    for unit in BYSTANDERS[: c.below(3)]:
        found += rows(c, unit, moment(c, setting.start, zone), drawn.logs, zone)
        people[unit] = person(c)
    return shown, found, people


def _logs(c: Choices, start: date) -> tuple[Log, ...]:
    app = Log("app", _facts(c, start, date_only=False, sessions=c.maybe(35)), APP_NAMES, c.of(STYLES))
    second = c.weighted(none=30, timed=30, dates=40)
    if second == "none":
        return (app,)
    dates = second == "dates"
    constant = "visit" if c.maybe(40) else None
    names = ("visit",) if constant else ("visit", "read")
    style = "date" if dates else c.of(STYLES)
    facts = _facts(c, start, date_only=dates, sessions=not dates and c.maybe(35))
    return app, Log("web", facts, names, style, constant)


def _facts(c: Choices, start: date, *, date_only: bool, sessions: bool) -> Source:
    settle = 0 if date_only or not c.maybe(30) else c.between(1, 3)
    through = start + timedelta(days=c.between(2, 60)) if c.maybe(15) else None
    return Source(settle, date_only, through, sessions)


def _at(row: Row) -> datetime:
    assert isinstance(row.at, datetime)
    return row.at


def definitions(cases: Iterable[Case]) -> int:
    return sum(len(case.project().metrics) for case in cases)
