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
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from abtest.language.conditions import Condition, Spread, children
from abtest.language.model import Metric, Project
from abtest.language.project import load_project

from .oracle import Exposure, Row, Setting, Source, atoms, instant, local_date

T = TypeVar("T")

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
COMPARISONS = (">=", "=", ">", "<", "<=", "!=")


class Choices:
    """A stream of choices. 0 is the plainest."""

    def __init__(self, below: Callable[[int], int]) -> None:
        self.below = below

    def between(self, low: int, high: int) -> int:
        return low + self.below(high - low + 1)

    def of(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def maybe(self, percent: int) -> bool:
        return self.below(100) >= 100 - percent

    def weighted(self, **weights: int) -> str:
        rest = self.below(sum(weights.values()))
        for name, weight in weights.items():
            if rest < weight:
                return name
            rest -= weight
        raise AssertionError

    def shuffled(self, items: Iterable[T]) -> tuple[T, ...]:
        listed = list(items)
        seed = self.below(1000)
        if seed:
            random.Random(seed).shuffle(listed)
        return tuple(listed)


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
    return moment(c, start + timedelta(days=c.between(4, 45)), zone)


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
    for _ in range(c.of((0, 1, 2, 3, 4, 6))):
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


def where_text(c: Choices, depth: int = 0) -> str:
    """Tests on the two properties of every source."""
    how = c.weighted(test=70, joined=18, turned=12) if depth < 2 else "test"
    if how == "turned":
        return f"not ({where_text(c, depth + 1)})"
    if how == "joined":
        word = c.of((" and ", " or "))
        return word.join(f"({where_text(c, depth + 1)})" for _ in range(2))
    return c.of((
        "amount > 1", "amount <= 0.3", "amount = 0.1", "amount != 1", "amount >= -1", "amount < 0",
        "amount between 0.1 and 2.5", "amount in (1, 0.30)", "amount not in (0, 2.5)",
        "amount is missing", "amount is not missing",
        "kind = a", "kind != b", "kind in (a, 'b-c')", "kind not in (a, '007')", "kind = '007'", "kind = '7'",
        "kind = b-c", "kind = Été", "kind contains 'a_c'", "kind not contains a", "kind starts with a",
        "kind ends with c", "kind not starts with a", "kind contains '%'", "kind is missing", "kind is not missing",
    ))  # fmt: skip


def metric_yaml(c: Choices, name: str, events: Sequence[str]) -> str:
    """One valid definition. Every metric could be the goal, so every one says what is better."""
    kind = c.weighted(did=46, amount=24, ratio=16, retention=14)
    lines = {"did": _did, "amount": _amount, "ratio": _ratio, "retention": _retention}[kind](c, events)
    return "\n".join([f"  {name}:", *(f"    {line}" for line in lines), "    better: higher"]) + "\n"


def _did(c: Choices, events: Sequence[str]) -> list[str]:
    if not c.maybe(78):
        window, days = _window(c, None)
        keep = days is not None and c.maybe(30)
        return [*_condition_yaml(c, "did", events, days, weeks=not keep), *window, *_immature(keep)]
    per = _per(c)
    how = c.of(("share", "ever", "always", "last", "count", "streak", "share of", "count of", "streak of"))
    constant = how not in ("share", "share of", "last")
    window, days = _window(c, per, constant=constant)
    blocks = (days or 4 * per) // per
    value = how
    if how.endswith(" of"):
        limit = f"{c.of((50, 75, 33.3, 100, 25, 20))}%" if how == "share of" else str(c.between(0, blocks))
        value = f"{how.removesuffix(' of')} {c.of(COMPARISONS)} {limit}"
    written_value = [] if value == "share" and c.maybe(50) else [f"value: {value}"]
    keep = days is not None and c.maybe(25)
    return [*_condition_yaml(c, "did", events, per), *_per_yaml(per), *window, *written_value, *_immature(keep)]


def _amount(c: Choices, events: Sequence[str]) -> list[str]:
    cap = [f"cap: {c.of((3, 1, 2.5, 10))}"] if c.maybe(30) else []
    amount = f"amount: {measure_text(c, events)}"
    keep = c.maybe(25)
    if not c.maybe(75):
        window, days = _window(c, None)
        return [amount, *window, *cap, *_immature(keep and days is not None)]
    per = _per(c)
    how = c.of(("mean", "sum", "min", "max", "last"))
    window, days = _window(c, per, constant=how in ("sum", "min", "max"))
    written_value = [] if how == "mean" and c.maybe(50) else [f"value: {how}"]
    return [amount, *_per_yaml(per), *window, *written_value, *cap, *_immature(keep and days is not None)]


def _ratio(c: Choices, events: Sequence[str]) -> list[str]:
    per = _per(c) if c.maybe(60) else None
    window, days = _window(c, per)
    keep = days is not None and c.maybe(25)
    block = per or days

    def side() -> str:
        if c.maybe(50):
            return condition_text(c, events, block, weeks=per is not None or not keep)
        return measure_text(c, events)

    return ["ratio:", f"  of: {side()}", f"  to: {side()}", *_per_yaml(per), *window, *_immature(keep)]


def _retention(c: Choices, events: Sequence[str]) -> list[str]:
    how = c.weighted(day=40, days=30, from_day=30)
    first = c.between(0, 14)
    length: int | None = 1
    if how == "day":
        line = f"day: {first}"
    elif how == "days":
        length = c.of((2, 7, 14, 21))
        line = f"days: {first}-{first + length - 1}"
    else:
        line, length = f"from_day: {first}", None
    keep = length is not None and c.maybe(25)
    return [*_condition_yaml(c, "retention", events, length, weeks=not keep), line, *_immature(keep)]


def _immature(keep: bool) -> list[str]:
    return ["immature: keep"] if keep else []


def _per(c: Choices) -> int:
    return c.of((7, 1, 2, 14, 7, 1, 3, 21, 5, 14))


def _per_yaml(per: int | None) -> list[str]:
    return [] if per is None else [f"per: {({1: 'day', 7: 'week'}).get(per, f'{per} days')}"]


def _window(c: Choices, per: int | None, *, constant: bool = False) -> tuple[list[str], int | None]:
    """`over`, and its number of days (None when open). With `per`, a whole multiple of it."""
    open_ones = {} if constant else {"whole": 20, "from_day": 15}
    one_day = {"day": 12} if per in (None, 1) else {}
    how = c.weighted(first=35, days=30, **one_day, **open_ones)
    if how == "whole":
        return ([] if c.maybe(50) else ["over: whole"]), None
    if how == "from_day":
        return [f"over: from day {c.between(0, 9)}"], None
    if how == "day":
        return [f"over: day {c.between(0, 12)}"], 1
    if per is None:
        days = c.of((7, 14, 1, 2, 3, 10, 21, 28))
    else:
        days = per * c.between(1, 14 if per == 1 else 5 if per <= 3 else 4 if per <= 7 else 2)
    if how == "first":
        written_days = f"{days // 7} weeks" if days % 7 == 0 and c.maybe(30) else f"{days} day{'s' * (days > 1)}"
        return [f"over: first {written_days}"], days
    first = c.between(0, 9)
    return [f"over: days {first}-{first + days - 1}"], days


# Conditions ----------------------------------------------------------------------------------------------------------


def _condition_yaml(c: Choices, key: str, events: Sequence[str], block: int | None, *, weeks: bool = True) -> list[str]:
    """A condition on one line, or as a list."""
    if not c.maybe(20):
        return [f"{key}: {condition_text(c, events, block, weeks=weeks)}"]
    how = c.of(("all", "any", "none", "of"))
    parts = [condition_text(c, events, block, 1, weeks=weeks) for _ in range(c.between(1, 3))]
    least = [f"  at_least: {c.between(1, len(parts))}"] if how == "of" else []
    return [f"{key}:", *least, f"  {how}:", *(f"    - {part}" for part in parts)]


def condition_text(c: Choices, events: Sequence[str], block: int | None, depth: int = 0, *, weeks: bool = True) -> str:
    """A condition judged on blocks of `block` days (None: no spread is possible); `weeks`: spreads over weeks too."""
    return _condition(c, events, block, depth, weeks)[0]


def _condition(c: Choices, events: Sequence[str], block: int | None, depth: int, weeks: bool) -> tuple[str, bool]:
    """The text, and whether it stands beside `and`, `or` and `not` without parentheses."""
    sizes = [s for s in ((7, 1) if weeks else (1,)) if block is not None and s < block and block % s == 0]
    spread = 0 if not sizes else 60 if depth and block != 7 else 30
    how = c.weighted(compare=55, joined=20, turned=8, least=8, spread=spread) if depth < 3 else "compare"
    if how == "compare":
        return compare_text(c, events), True
    if how == "spread":
        assert block is not None
        return _spread(c, events, block, c.of(sizes), depth), False
    if how == "turned":
        return f"not {_enclosed(_condition(c, events, block, depth + 1, weeks))}", True
    parts = [_condition(c, events, block, depth + 1, weeks) for _ in range(c.between(2, 3))]
    if how == "least":
        return f"at least {c.between(1, len(parts))} of ({', '.join(text for text, _ in parts)})", True
    return c.of((" and ", " or ")).join(map(_enclosed, parts)), False


def _enclosed(part: tuple[str, bool]) -> str:
    text, alone = part
    return text if alone else f"({text})"


def _spread(c: Choices, events: Sequence[str], block: int, size: int, depth: int) -> str:
    if size == 7 and c.maybe(60):
        inner: tuple[str, bool] = _spread(c, events, 7, 1, depth + 1), False
    else:
        inner = _condition(c, events, size, depth + 1, True)
    word, period = c.of(("on", "in")), "day" if size == 1 else "week"
    blocks = block // size
    how = c.of(("", "every", *COMPARISONS))
    if how == "every":
        return f"{_enclosed_for_spread(inner)} {word} every {period}"
    count = c.between(0, blocks - 1) if how == ">" else c.between(0, min(blocks, 4))
    return f"{_enclosed_for_spread(inner)} {word} {how + ' ' if how else ''}{count} {period}{'s' * (count != 1)}"


def _enclosed_for_spread(part: tuple[str, bool]) -> str:
    """`like >= 2 on 2 days` needs no parentheses; `not like on 2 days` is refused."""
    text, alone = part
    return text if alone and not text.startswith("not ") and " and " not in text else f"({text})"


def compare_text(c: Choices, events: Sequence[str]) -> str:
    event = c.of(events)
    how = c.weighted(event=20, count=25, none=8, between=7, sum=10, mean=12, days=6, measure=8, measures=8)
    if how == "event":
        return event
    if how == "none":
        return f"no {event}"
    if how == "between":
        low = c.below(3)
        return f"({event} between {low} and {low + c.below(4)})"
    operator, number = c.of(COMPARISONS), c.of(("1", "2", "0", "3", "5"))
    decimal = c.of(("0.3", "1", "0", "2.5", "10", "0.15", "12.49"))
    if how == "sum":
        return f"sum({event}.amount) {operator} {decimal}"
    if how == "mean":
        plus = f" + {c.of(events)}" if c.maybe(15) else ""
        return f"{c.of(('mean', 'min', 'max'))}({event}.amount){plus} {operator} {decimal}"
    if how == "days":
        return f"days({event}) {operator} {number}"
    if how == "measure":
        return f"{measure_text(c, events)} {operator} {number}"
    if how == "measures":
        return f"{measure_text(c, events)} {operator} {measure_text(c, events)}"
    return f"{event} {operator} {number}"


def measure_text(c: Choices, events: Sequence[str]) -> str:
    """A sum of counts, sums and days, each with a factor; now and then a constant."""
    terms = [_term(c, events) for _ in range(c.of((1, 1, 2, 3)))]
    text = terms[0]
    for term in terms[1:]:
        text += f" {c.of('+-')} {term}"
    return text + c.of(("", "", "", "", " + 1", " - 0.5"))


def _term(c: Choices, events: Sequence[str]) -> str:
    event = c.of(events)
    atom = c.of((event, f"sum({event}.amount)", f"days({event})", f"count({event})"))
    return c.of(("", "", "2 * ", "0.5 * ", "0.1 * ")) + atom


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
