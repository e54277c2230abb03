"""Random projects: definitions as YAML text, logs as CSV, and the same rows as values for the oracle.

`make_case` turns a stream of choices into a project. The stream is hypothesis (`projects()`, which shrinks: choice 0
is always the plainest) or a seeded `random.Random` (`seeded(n)`, which is fast). Every definition obeys the rules of
the language, so a project that does not load is a bug of one of the two.

Three shapes are left out because the language does not yet say what they mean: a spread over weeks without `per` under
`immature: keep`, two variants at the same instant under `mixed_exposure: first`, and `settle` on a source of dates.
"""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from abtest.language.conditions import Condition, Spread, children
from abtest.language.model import Metric, Project
from abtest.language.project import load_project

from .choices import Choices
from .definitions import metric_yaml, where_text
from .oracle import Exposure, Row, Setting, Source, atoms, instant, local_date

MICROSECOND = timedelta(microseconds=1)
SHIFTS = {  # where clocks change in 2026, and quiet days
    "UTC": (date(2026, 3, 2), date(2026, 12, 28)),
    "Europe/Madrid": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Asia/Kolkata": (date(2026, 3, 29), date(2026, 2, 27)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
}
UNITS = ("u1", "u2", "007", "7", "a b", "x,y", "Ü", 'q"t', "u10", "U1", "1e3", "zz")
BYSTANDERS = ("nobody", "none yet")
PULSE = "pulse"
APP_NAMES = ("like clicked", "heart", "post", "order", "open", "Heart")
AMOUNTS = tuple(None if a == "" else Decimal(a) for a in ("1", "0", "2", "0.1", "", "0.2", "2.5", "9.99", "-1", "0.30"))
KINDS = ("a", "b", None, "b-c", "Été", "007", "a_c", "abc", "50%_x")
VARIANTS = (("control", "off"), ("treat", "v3"), ("bold", "v-4 b"))


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
class Log:
    """How one source is written."""

    name: str
    facts: Source
    names: tuple[str, ...]
    style: str
    constant: str | None = None


@dataclass(frozen=True)
class Case:
    """A project as text, and everything that the oracle needs to judge it."""

    project_yaml: Mapping[str, str]
    rows: tuple[Row, ...]
    exposures: tuple[Exposure, ...]
    setting: Setting
    logs: tuple[Log, ...]
    exposure_style: str = "Z"
    loaded: list[Project] = field(default_factory=list, compare=False, repr=False)

    @property
    def sources(self) -> dict[str, Source]:
        return {log.name: log.facts for log in self.logs}

    @property
    def experiment(self) -> str:
        return "x"

    def files(self) -> dict[str, str]:
        """Every file of the project folder, definitions and logs."""
        found = dict(self.project_yaml)
        zone = self.setting.timezone
        for log in self.logs:
            lines = [_cells(r, log, zone) for r in self.rows if r.source == log.name]
            found[f"logs/{log.name}.csv"] = _csv(("uid", "at", "amt", "kind", *_named(log, "name")), lines)
        shown = [(e.unit, e.variant, written(e.at, self.exposure_style, zone)) for e in self.exposures]
        found["logs/flags.csv"] = _csv(("uid", "variant", "at"), shown)
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
    props = ("" if p is None else str(p) for p in (row.props["amount"], row.props["kind"]))
    return row.unit, written(row.at, log.style, timezone), *props, *_named(log, row.name)


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
    exposures: list[Exposure] = []
    rows: list[Row] = []
    horizons = [_horizon(c, start, zone) for _ in logs]
    for unit in UNITS[: c.between(1, len(UNITS))]:
        own = _exposures(c, unit, [key for _, key in variants], setting)
        exposures += own
        rows += _rows(c, unit, min(e.at for e in own), logs, zone)
    for unit in BYSTANDERS[: c.below(3)]:
        rows += _rows(c, unit, moment(c, start, zone), logs, zone)
    kept = []
    for log, last in zip(logs, horizons, strict=True):
        own_rows = [r for r in rows if r.source == log.name] + _pulse(log, start, last, zone)
        kept += [r for r in own_rows if _at(r) <= last]
    in_log = tuple(_as_logged(r, logs, zone) for r in kept)
    return Case(
        project_yaml=_yaml(c, setting, logs, variants),
        rows=c.shuffled(in_log),
        exposures=c.shuffled(exposures),
        setting=setting,
        logs=logs,
        exposure_style=c.of(("Z", "offset", "epoch us")),
    )


def _logs(c: Choices, start: date) -> tuple[Log, ...]:
    app = Log("app", _facts(c, start, date_only=False), APP_NAMES, c.of(("Z", "offset", "epoch us")))
    second = c.weighted(none=30, timed=30, dates=40)
    if second == "none":
        return (app,)
    dates = second == "dates"
    constant = "visit" if c.maybe(40) else None
    names = ("visit",) if constant else ("visit", "read")
    style = "date" if dates else c.of(("Z", "offset", "epoch us"))
    return app, Log("web", _facts(c, start, date_only=dates), names, style, constant)


def _facts(c: Choices, start: date, *, date_only: bool) -> Source:
    settle = 0 if date_only or not c.maybe(30) else c.between(1, 3)
    through = start + timedelta(days=c.between(2, 45)) if c.maybe(15) else None
    return Source(settle, date_only, through)


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
        return _start_of(day, zone) + timedelta(seconds=c.below(82_000))
    else:
        return _start_of(day, zone) + timedelta(microseconds=c.below(82_000_000_000))
    return instant(datetime.combine(day, wall), zone)


def _start_of(day: date, zone: str) -> datetime:
    return instant(datetime.combine(day, time(0)), zone)


def _exposures(c: Choices, unit: str, keys: Sequence[str], setting: Setting) -> list[Exposure]:
    zone, length = setting.timezone, (setting.end - setting.start).days
    key = c.of(keys)

    def inside() -> datetime:
        return moment(c, setting.start + timedelta(days=c.below(length + 1)), zone)

    first = Exposure(unit, key, inside())
    how = c.weighted(once=50, again=20, mixed=12, before=9, outside=9)
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
        early = c.of((_start_of(setting.start, zone) - MICROSECOND, moment(c, setting.start - timedelta(days=3), zone)))
        return [first, Exposure(unit, c.of(keys), early)]
    if how == "outside":
        return [Exposure(unit, key, _start_of(setting.end + timedelta(days=1), zone) + timedelta(hours=c.below(40)))]
    return [first]


# Rows ----------------------------------------------------------------------------------------------------------------


def _horizon(c: Choices, start: date, zone: str) -> datetime:
    """The last row of a source."""
    return moment(c, start + timedelta(days=c.between(6, 55)), zone)


def _pulse(log: Log, start: date, last: datetime, zone: str) -> list[Row]:
    """A row each day of somebody who is never exposed, so that no log looks dead before its end."""
    days = (local_date(last, zone) - start).days
    noons = [instant(datetime.combine(start + timedelta(days=d), time(12)), zone) for d in range(-3, days)]
    return [Row(PULSE, log.names[0], at, {"amount": None, "kind": None}, log.name) for at in (*noons, last)]


def _at(row: Row) -> datetime:
    assert isinstance(row.at, datetime)
    return row.at


def _as_logged(row: Row, logs: Sequence[Log], zone: str) -> Row:
    """The row as its source knows it: with a date alone where the source has no times."""
    facts = next(log.facts for log in logs if log.name == row.source)
    return Row(row.unit, row.name, local_date(row.at, zone), row.props, row.source) if facts.date_only else row


def _rows(c: Choices, unit: str, x: datetime, logs: Sequence[Log], zone: str) -> list[Row]:
    found: list[Row] = []
    day_0 = local_date(x, zone)
    for _ in range(c.of((0, 1, 3, 4, 6, 8))):
        log = c.of(logs)
        name = c.of(log.names)
        amount, kind = c.below(len(AMOUNTS)), c.below(len(KINDS))
        how = c.weighted(one=25, exposure=20, habit=35, midnight=12, tie=8)
        if how == "exposure":
            times = [x + shift * MICROSECOND for shift in c.of(((0,), (-1, 0, 1), (1,), (-1,), (0, 0)))]
        elif how == "habit":
            first, step, often = c.between(-1, 8), c.of((1, 2, 3, 7)), c.of((1, 2, 4))
            starts = [_start_of(day_0 + timedelta(days=first + step * k), zone) for k in range(c.between(1, 15))]
            times = [start + timedelta(hours=k) for start in starts for k in range(often)]
        elif how == "midnight":
            midnight = _start_of(day_0 + timedelta(days=c.between(0, 15)), zone)
            times = [midnight - MICROSECOND, midnight]
        else:
            at = moment(c, day_0 + timedelta(days=c.between(-2, 30)), zone)
            times = [at] * (3 if how == "tie" else 1)
        for i, at in enumerate(times):
            price, label = AMOUNTS[(amount + i) % len(AMOUNTS)], KINDS[(kind + i // 3) % len(KINDS)]
            found.append(Row(unit, name, at, {"amount": price, "kind": label}, log.name))
    return found


# Definitions ---------------------------------------------------------------------------------------------------------


def _yaml(c: Choices, setting: Setting, logs: Sequence[Log], variants: Sequence[tuple[str, str]]) -> dict[str, str]:
    events = _events(c, logs)
    names = [f"m{i}" for i in range(1, c.between(1, 8) + 1)]
    metrics = "".join(metric_yaml(c, name, tuple(events)) for name in names)
    lines = ["project:", "  name: drawn", f"  timezone: {setting.timezone}", "  data: logs", "sources:"]
    for log in logs:
        lines += _source_yaml(log)
    lines += [
        "  flags:", "    kind: exposures", "    files: flags.csv", "    columns: {variant: variant, time: at}",
        "    units: {user: uid}",
        "events:", *(f"  {name}: {text}" for name, text in events.items()),
        "metrics:",
    ]  # fmt: skip
    experiment = _experiment_yaml(setting, variants, names)
    return {"abtest.yml": "\n".join(lines) + "\n" + metrics, "experiments/x.yml": experiment}


def _source_yaml(log: Log) -> list[str]:
    how = {"date": "date", "epoch us": "epoch us", "offset": "iso", "Z": "iso"}[log.style]
    event = f"    event: {log.constant}" if log.constant else None
    columns = f"    columns: {{{'' if log.constant else 'event: name, '}time: {{from: at, as: {how}}}}}"
    facts = log.facts
    lines = [
        f"  {log.name}:", "    kind: events", f"    files: {log.name}.csv", event, columns, "    units: {user: uid}",
        "    properties: {amount: {from: amt, type: number}, kind: kind}",
        f"    settle: {facts.settle} days" if facts.settle else None,
        f"    complete_through: {facts.complete_through}" if facts.complete_through else None,
    ]  # fmt: skip
    return [line for line in lines if line is not None]


def _events(c: Choices, logs: Sequence[Log]) -> dict[str, str]:
    app = {"like": "[like clicked, heart]", "post": "post", "buy": "order", "anything": None}
    web = {"visit": "visit", "any_web": None} if len(logs) > 1 else {}
    found = {name: _event(c, names, "app") for name, names in app.items()}
    return found | {name: _event(c, names, "web") for name, names in web.items()}


def _event(c: Choices, names: str | None, source: str) -> str:
    entries = [f"event: {names}"] if names else []
    entries.append(f"source: {source}")
    if c.maybe(35):
        entries.append(f'where: "{where_text(c)}"')
    return "{" + ", ".join(entries) + "}"


def _experiment_yaml(setting: Setting, variants: Sequence[tuple[str, str]], names: Sequence[str]) -> str:
    until = f", enroll_until: {setting.enroll_until}" if setting.enroll_until else ""
    shares = {2: (50, 50), 3: (34, 33, 33)}[len(variants)]
    half = (len(names) + 1) // 2
    lines = [
        "experiment: x", "owner: somebody", "hypothesis: nothing changes", "unit: user", "exposure: {source: flags}",
        "variants:",
        *(f"  {name}: {{key: {key}, share: {share}%}}" for (name, key), share in zip(variants, shares, strict=True)),
        "baseline: control",
        f"dates: {{start: {setting.start}{until}, end: {setting.end}}}", f"mixed_exposure: {setting.mixed}",
        "metrics:", f"  goal: [{names[0]}]",
        *([f"  secondary: [{', '.join(names[1:half])}]"] if names[1:half] else []),
        *([f"  explore: [{', '.join(names[max(1, half):])}]"] if names[max(1, half) :] else []),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


# What is drawn -------------------------------------------------------------------------------------------------------

LISTED = (
    *(f"kind {k}" for k in ("did", "amount", "ratio", "retention")),
    *(f"did {f}" for f in ("share", "ever", "always", "last", "count", "streak")),
    *(f"did {f} threshold" for f in ("share", "count", "streak")),
    *(f"amount {f}" for f in ("mean", "sum", "min", "max", "last")),
    *(f"spread {s}" for s in ("none", "one", "nested")),
    *(f"per {p}" for p in ("none", "day", "week", "days")),
    *(f"window {w}" for w in ("whole", "first", "days", "day", "from")),
    "immature keep", "cap", "where", "several names", "two sources", "dates alone",
    "ratio of conditions", "ratio of measures",
)  # fmt: skip


def coverage(cases: Iterable[Case]) -> dict[str, float]:
    """Shares of the definitions that show each trait in `LISTED`; traits overlap."""
    counts: Counter[str] = Counter()
    total = 0
    for case in cases:
        project = case.project()
        for metric in project.metrics.values():
            total += 1
            counts.update(_traits(metric, project, case))
    return {trait: counts[trait] / total for trait in LISTED}


def _traits(metric: Metric, project: Project, case: Case) -> set[str]:
    found = {f"kind {metric.kind}", f"window {str(metric.window).split()[0]}"}
    found.add(f"per {({None: 'none', 1: 'day', 7: 'week'}).get(metric.per, 'days')}")
    if metric.fold is not None:
        found.add(f"{metric.kind} {metric.fold.name}{' threshold' if metric.fold.operator else ''}")
    parts = [p for p in (metric.condition, *(metric.parts or ())) if isinstance(p, Condition)]
    depth = max((_depth(p) for p in parts), default=0)
    found.add(f"spread {('none', 'one', 'nested')[min(depth, 2)]}")
    if metric.parts:
        found.add(f"ratio of {'conditions' if len(parts) == 2 else 'measures' if not parts else 'both'}")
    events = [project.events[name] for name in {a.event for a in atoms(metric)}]
    sources = {e.source for e in events}
    marks = {
        "immature keep": metric.immature == "keep",
        "cap": metric.cap is not None,
        "where": any(e.where for e in events),
        "several names": any(len(e.names) > 1 for e in events),
        "two sources": len(sources) > 1,
        "dates alone": any(case.sources[s].date_only for s in sources),
    }
    return found | {mark for mark, shown in marks.items() if shown}


def _depth(condition: Condition) -> int:
    """How many spreads stand inside each other."""
    inner = max((_depth(p) for p in children(condition)), default=0)
    return inner + isinstance(condition, Spread)


def definitions(cases: Iterable[Case]) -> int:
    return sum(len(case.project().metrics) for case in cases)
