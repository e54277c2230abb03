"""A small project and units on timelines, for tests of the oracle that are worked by hand.

Definitions are read from YAML, names and all, so the language takes part. Everything happens in Madrid; the usual unit
`u` is exposed on Thursday 5 March 2026 at 22:00, so day 1 is Friday 6 March and the next Monday, the 9th, is day 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from abtest.language.model import Metric, Project
from abtest.language.project import load_project, read_project

from .oracle import Attributes, Exposure, Property, Row, Setting, Source, UnitValue, evaluate, instant, quantiles

MADRID = "Europe/Madrid"
MICROSECOND = timedelta(microseconds=1)
SETTING = Setting(MADRID, date(2026, 3, 2), date(2026, 3, 15))
X = "2026-03-05 22:00"
PROJECT = """
project: {name: judged, timezone: Europe/Madrid, data: logs}
sources:
  app:
    kind: events
    files: app.csv
    columns: {event: name, time: at}
    units: {user: uid, device: device}
    properties: {amount: {from: amount, type: number}, kind: kind}
  site:
    kind: events
    files: site.csv
    columns: {event: name, time: at, session: sid}
    units: {user: uid}
    properties: {amount: {from: amount, type: number}, kind: kind}
  web:
    kind: events
    files: web.csv
    columns: {event: name, time: {from: day, as: date}}
    units: {user: uid}
    properties: {amount: {from: amount, type: number}, kind: kind}
  people:
    kind: attributes
    files: people.csv
    units: {user: uid}
    properties: {plan: plan, age: {from: age, type: number}}
    known: before_exposure
  form: {kind: answers, files: form.csv, units: {user: uid}, columns: {time: at, score: score, feel: feel}}
  long_form: {kind: answers, files: long.csv, units: {user: uid}, columns: {time: at, q1: q1, q2: q2, q3: q3, q4: q4}}
  flags: {kind: exposures, files: flags.csv, units: {user: uid}, columns: {variant: variant, time: at}}
events:
  open: {event: open, source: app}
  like: {event: like, source: app}
  post: {event: post, source: app}
  buy: {event: buy, source: app}
  signup: {event: signup, source: app, before_exposure: ok}
  first_buy: {event: buy, source: app, nth: 1}
  third_like: {event: like, source: app, nth: 3}
  read_daily: {event: read, source: app, count_once: kind per day}
  read_weekly: {event: read, source: app, count_once: kind per week}
  read_hourly: {event: read, source: app, count_once: kind per hour}
  read_monthly: {event: read, source: app, count_once: kind per month}
  read_session: {event: read, source: app, count_once: kind per session}
  read_once: {event: read, source: app, count_once: kind}
  liked: {event: like, source: app, unit: {user: owner}}
  page: {event: page, source: site}
  visit: {event: visit, source: web}
  sale: {event: sale, source: web}
surveys:
  nps: {source: form, answer: score, scale: 0-10, score: nps}
  first_nps: {source: form, answer: score, scale: 0-10, score: nps, take: first}
  mean_nps: {source: form, answer: score, scale: 0-10, score: nps, take: mean}
  happy: {source: form, answer: score, scale: 0-10, score: top 2}
  missed: {source: form, answer: feel, scale: [very, somewhat, not], score: share of very}
  trust: {source: long_form, items: [q1, q2, q3, q4], scale: 1-5, reversed: [q3], score: mean}
groups:
  level:
    ladder: {super: like >= 5 and post >= 2, regular: like >= 2, explorer: open}
    otherwise: dormant
  climb:
    climb: every
    ladder: {third: post, second: like, first: open}
    otherwise: none
  fan:
    cross: {F: buy, A: answer(nps) >= 9}
    over: first 28 days
"""


@lru_cache(maxsize=500)
def _load(text: str) -> tuple[Project, tuple[str, ...]]:
    with TemporaryDirectory() as folder:
        (Path(folder) / "abtest.yml").write_text(PROJECT + "metrics:\n  m:\n" + text, encoding="utf-8")
        project, problems = read_project(Path(folder))
        if not problems.errors:
            project = load_project(Path(folder))
    return project, tuple(p.code for p in problems.errors)


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def project_with(text: str) -> Project:
    project, codes = _load(_indented(text))
    assert not codes, codes
    return project


def metric(text: str) -> Metric:
    return project_with(text).metrics["m"]


def codes(text: str) -> list[str]:
    """The codes of what the language has against a definition."""
    return list(_load(_indented(text))[1])


def at(wall: str, zone: str = MADRID) -> datetime:
    return instant(datetime.fromisoformat(wall), zone)


def row(wall: str, name: str, unit: str = "u", **more: str | None) -> Row:
    """A row at a local time, or of a date. `sid` is its session, `device` and `owner` are ids."""
    numbers = {k: None if v is None else Decimal(v) for k, v in more.items() if k == "amount"}
    props: dict[str, Property] = {
        **numbers,
        **{k: v for k, v in more.items() if k not in ("amount", "sid", "device", "owner")},
    }
    ids = {k: v for k, v in more.items() if k in ("device", "owner")}
    source = {"page": "site", "visit": "web", "sale": "web", "nps": "form", "trust": "long_form"}.get(name, "app")
    when = date.fromisoformat(wall) if source == "web" else at(wall)
    return Row(unit, name, when, props, source, more.get("sid"), ids)


def on(day: int, name: str, clock: str = "12:00", unit: str = "u", **more: str | None) -> Row:
    """A row on a day after the usual exposure (day 0 is 5 March)."""
    when = date(2026, 3, 5) + timedelta(days=day)
    return row(str(when) if name in ("visit", "sale") else f"{when} {clock}", name, unit, **more)


def many(name: str, *days: int, each: int = 1) -> list[Row]:
    """Rows at noon, and one second apart."""
    return [on(day, name, f"12:00:{k:02d}") for day in days for k in range(each)]


def sources(through: str) -> dict[str, Source]:
    day = date.fromisoformat(through)
    return {
        "app": Source(complete_through=day),
        "site": Source(complete_through=day, sessions=True),
        "web": Source(complete_through=day, date_only=True),
        "form": Source(answers=True),
        "long_form": Source(answers=True),
    }


OLD = [Row("nobody", "nothing", at("2025-06-01 12:00"), {}, source) for source in ("app", "site")]
OLD += [Row("nobody", "nothing", date(2025, 6, 1), {}, "web")]
"""Rows of somebody else that make every log begin in June 2025."""


def judge_all(
    text: str,
    happened: Sequence[Row],
    exposed: Mapping[str, str | datetime],
    through: str = "2026-12-31",
    attributes: Attributes | None = None,
    since: str | None = None,
) -> dict[str, UnitValue]:
    """What units contribute, exposed to `a` each at a local time. `since`: the first date of the logs."""
    project = project_with(text)
    shown = [Exposure(u, "a", at(x) if isinstance(x, str) else x) for u, x in exposed.items()]
    first = OLD
    if since is not None:
        first = [row(since + " 00:00", "nothing", "nobody"), Row("nobody", "", date.fromisoformat(since), {}, "web")]
    rows = (*first, *happened)
    return evaluate(project.metrics["m"], project.events, sources(through), rows, shown, SETTING, attributes)


def judge(text: str, happened: Sequence[Row], x: str | datetime = X, through: str = "2026-12-31") -> UnitValue:
    return judge_all(text, happened, {"u": x}, through)["u"]


def value(text: str, happened: Sequence[Row], x: str | datetime = X, through: str = "2026-12-31") -> Fraction | None:
    return judge(text, happened, x, through).value


def pair(
    text: str, happened: Sequence[Row], x: str | datetime = X, through: str = "2026-12-31"
) -> tuple[object, object]:
    found = judge(text, happened, x, through)
    return found.value, found.denominator


def reason(text: str, happened: Sequence[Row] = (), through: str = "2026-12-31", x: str | datetime = X) -> str | None:
    return judge(text, happened, x, through).reason


def quantile_of(text: str, happened: Sequence[Row], exposed: Mapping[str, str]) -> tuple[object, int]:
    project = project_with(text)
    shown = [Exposure(unit, "a", at(x)) for unit, x in exposed.items()]
    found = quantiles(project.metrics["m"], project.events, sources("2026-12-31"), [*OLD, *happened], shown, SETTING)
    return found["a"]
