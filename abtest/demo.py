"""The demo: a photo app with nine weeks of exported logs, four of them before the test, and an effect that is planted
and stated.

Nothing in the logs says what the answer is. Both variants draw from the same people and the same days; what the new
composer adds are extra photos and likes at the rates of `TRUTH`, drawn for everybody and written only for those who
saw it. So each person has a value in both worlds (`Records`), and the effect in these very people is known exactly.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from abtest.problems import Problem, UserError, quoted
from abtest.shipped import shipped

START = date(2026, 3, 2)
WEEKS = 5
DAYS = 7 * WEEKS
HISTORY = 4
"""Weeks of log before the test, by which effects are adjusted."""
ENROLMENT = 7
"""People enter in the first week, so that each has a full window after it."""
WINDOW = 28
ZONE = ZoneInfo("Europe/Madrid")
FLAG, OFF, ON = "composer-v3", "off", "v3"

TRUTH: Mapping[str, float] = {"photo_post": 0.09, "like": 0.05}
"""What composer v3 adds to the rate of an event, as a fraction. Every other event: nothing."""

MIN_USERS = 100
UNREACHED, MIXED = 0.06, 0.0006
"""People who do not open the app while enrolment is open; people who saw both variants."""
REPEATED, STRANGE, UNPARSABLE = 0.005, 5_000, 6
"""Rows sent twice, as a share; one row in so many by a test robot, without a user, with a clock at 1970 (each);
lines that broke off, in all files together."""

Numbers = npt.NDArray[np.int64]
Fractions = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_WEEKDAYS = np.array([0.94, 0.92, 0.95, 0.98, 1.06, 1.20, 1.16])
_DRIFT = 0.0025
_HOURS = np.array(
    [6, 3, 2, 1, 1, 2, 6, 18, 30, 26, 22, 24, 30, 36, 38, 30, 26, 28, 36, 46, 58, 66, 52, 22], dtype=float
)
_COUNTRIES = (("ES", "MX", "IT", "PT", "FR", ""), (0.46, 0.21, 0.14, 0.10, 0.08, 0.01))
_PLANS = (("free", "plus", "pro"), (0.80, 0.16, 0.04))
_PLATFORMS = (("android", "ios", "web"), (0.57, 0.36, 0.07))
_LOG_COLUMNS = "event_id,ts,user_id,event,platform,revenue"


class Records(NamedTuple):
    """What the generator knows of each enrolled person, in both worlds. It never reaches a file."""

    variant: Numbers
    """(people,) 0 = off, 1 = v3: what they saw first."""
    mixed: Flags
    """(people,) saw both variants, and is therefore left out of the analysis."""
    off: Mapping[str, Numbers]
    """(people, 28) events per day since exposure had they seen `off`; `revenue` in cents."""
    on: Mapping[str, Numbers]
    """The same had they seen `v3`."""


class Demo(NamedTuple):
    """What was written: the folder, its files relative to it, enrolled people, and rows in the app log."""

    folder: Path
    files: tuple[str, ...]
    users: int
    rows: int
    records: Records


class _People(NamedTuple):
    """Everybody in the app; the first `enrolled` of them meet the flag."""

    enrolled: int
    ids: npt.NDArray[np.str_]
    country: Numbers
    plan: Numbers
    platform: Numbers
    tenure: Numbers
    entry: Numbers
    variant: Numbers
    mixed: Flags
    rates: Mapping[str, Fractions]
    activity: Fractions


class _Cells(NamedTuple):
    """Active days of people, and the sessions in them: `first` and `sessions` say where those of a cell stand."""

    user: Numbers
    day: Numbers
    first: Numbers
    sessions: Numbers
    second: Fractions
    """(sessions,) seconds after local midnight at which a session starts."""


class _Rows(NamedTuple):
    """Rows of one event."""

    event: str
    user: Numbers
    day: Numbers
    second: Fractions
    cents: Numbers


def write_demo(folder: Path, *, users: int = 20_000, seed: int = 20260302) -> Demo:
    """Write the demo project with `users` enrolled people. The same seed gives the same bytes.

    A folder that already holds this demo is written again, unless one of its texts was edited; any other folder with
    something in it is refused (UserError, exit code 2).
    """
    if users < MIN_USERS:
        raise ValueError(f"a demo needs at least {MIN_USERS} users, not {users}")
    texts = _texts()
    _may_write(folder, texts)
    draws = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5)]
    people = _people(draws[0], users)
    cells = _cells(draws[1], people)
    base, extra = _happenings(draws[2], people, cells)
    seen = [base[0], *(_only(rows, people.variant[rows.user] == 1) for rows in extra), *base[1:]]
    files = {
        **texts,
        "exports/users.csv": _people_csv(people),
        "exports/flag_evaluations.csv": _evaluations_csv(draws[3], people, cells),
    }
    weeks, rows = _log(draws[4], people, seen)
    for name, content in {**files, **weeks}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Demo(folder, (*files, *weeks), users, rows, _records(people, base, extra))


def _texts() -> dict[str, bytes]:
    root = shipped("templates") / "demo"
    return {
        p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.suffix in (".yml", ".md")
    }


def _may_write(folder: Path, texts: Mapping[str, bytes]) -> None:
    """Never over somebody's work."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError([Problem("E003", f"{quoted(folder.name)} is a file", None, "Name a folder.")], exit_code=2)
    if not any(folder.iterdir()):
        return
    if not (folder / "abtest.yml").is_file():
        message = f"the folder {quoted(folder.name)} is not empty"
        raise UserError([Problem("E003", message, None, "Name a new folder:  abtest demo photo-app")], exit_code=2)
    edited = [n for n, text in texts.items() if (folder / n).is_file() and (folder / n).read_bytes() != text]
    if edited:
        message = f"{quoted(edited[0])} in {quoted(folder.name)} is not what the demo writes; it was edited, or another version wrote it"
        raise UserError([Problem("E003", message, None, "Name a new folder:  abtest demo photo-app-2")], exit_code=2)


# People ----------------------------------------------------------------------------------------------------------


def _people(draw: np.random.Generator, users: int) -> _People:
    total = users + round(UNREACHED * users)
    activity = np.exp(draw.normal(-0.18, 0.6, total))
    social = draw.normal(0, 1, total)
    plan = draw.choice(3, total, p=_PLANS[1])
    platform = draw.choice(3, total, p=_PLATFORMS[1])
    reader = draw.random(total) < 0.24
    buyer = np.where(draw.random(total) < 0.55, draw.gamma(1.6, 1.0, total), 0.0)
    rates = {
        "app_open": np.full(total, 0.0),  # one per session
        "photo_post": 0.44 * np.exp(0.62 * social + draw.normal(0, 0.45, total) - 0.29),
        "like": 1.55 * np.exp(0.62 * social + draw.normal(0, 0.60, total) - 0.37),
        "comment": 0.16 * np.exp(0.5 * social + draw.normal(0, 0.8, total) - 0.44),
        "share": 0.07 * np.exp(draw.normal(0, 1.0, total) - 0.5),
        "article_read": np.where(reader, 2.6, 0.08) * np.exp(draw.normal(0, 0.5, total) - 0.12),
        "purchase": 0.036 * buyer * np.array([0.85, 1.5, 2.2])[plan],
        "notification_open": 0.14 * np.exp(draw.normal(0, 0.7, total) - 0.25),
        "crash": 0.014 * np.array([1.2, 0.7, 0.9])[platform] * draw.gamma(1.0, 1.0, total),
    }
    mixed = np.zeros(total, dtype=bool)
    mixed[draw.choice(users, max(1, round(MIXED * users)), replace=False)] = True
    return _People(
        enrolled=users,
        ids=np.char.add(
            "u", draw.choice(9_000_000, total, replace=False).astype(np.int64).__add__(1_000_000).astype(str)
        ),
        country=draw.choice(6, total, p=_COUNTRIES[1]),
        plan=plan,
        platform=platform,
        tenure=np.minimum(draw.exponential(420, total), 2_000).astype(np.int64) + 1,
        entry=draw.choice(ENROLMENT, total, p=[0.27, 0.19, 0.14, 0.11, 0.10, 0.11, 0.08]),
        variant=draw.integers(0, 2, total),
        mixed=mixed,
        rates=rates,
        activity=activity,
    )


def _people_csv(people: _People) -> bytes:
    lines = ["user_id;country;plan;platform;signup_date"]
    for i, user in enumerate(people.ids):
        signup = START - timedelta(days=int(people.tenure[i]))
        names = (_COUNTRIES[0][people.country[i]], _PLANS[0][people.plan[i]], _PLATFORMS[0][people.platform[i]])
        lines.append(f"{user};{';'.join(names)};{signup}")
    return "\n".join([lines[0], *sorted(lines[1:]), ""]).encode()


# What happens ----------------------------------------------------------------------------------------------------


def _cells(draw: np.random.Generator, people: _People) -> _Cells:
    """Who opens the app on which day, and when. Everybody opens it on the day they enter, and nobody before signing
    up."""
    past = 7 * HISTORY
    days = np.arange(-past, DAYS)
    pace = _WEEKDAYS[days % 7] * (1 + _DRIFT * days)
    active = draw.random((len(people.ids), len(days))) < -np.expm1(-0.52 * people.activity[:, None] * pace)
    active &= days[None, :] >= -people.tenure[:, None]
    active[people.enrolled :, past : past + ENROLMENT] = False
    active[np.arange(people.enrolled), past + people.entry[: people.enrolled]] = True
    user, day = np.nonzero(active)
    day -= past
    sessions = 1 + draw.poisson(0.18 * np.sqrt(people.activity[user]))
    first = np.cumsum(sessions) - sessions
    hours = np.searchsorted(np.cumsum(_HOURS) / _HOURS.sum(), draw.random(sessions.sum()))
    second = np.clip(3600 * hours + draw.uniform(0, 3600, len(hours)), 60, 86_000)
    return _Cells(user, day, first, sessions, second)


def _happenings(draw: np.random.Generator, people: _People, cells: _Cells) -> tuple[list[_Rows], list[_Rows]]:
    """Rows of everybody as if nothing had changed, and the rows that composer v3 would add."""
    weekend = np.where(cells.day % 7 >= 5, 1.25, 0.9)
    exposed = (cells.user < people.enrolled) & (cells.day >= people.entry[cells.user])
    opens = np.repeat(np.arange(len(cells.user)), cells.sessions)
    base = [_Rows("app_open", cells.user[opens], cells.day[opens], cells.second, np.zeros(len(opens), np.int64))]
    extra = []
    for event, rates in people.rates.items():
        if event == "app_open":
            continue
        rate = rates[cells.user] * (weekend if event in ("photo_post", "share") else 1.0)
        base.append(_rows(draw, event, cells, draw.poisson(rate)))
        if event in TRUTH:
            extra.append(_rows(draw, event, cells, draw.poisson(TRUTH[event] * rate * exposed)))
    return base, extra


def _rows(draw: np.random.Generator, event: str, cells: _Cells, counts: Numbers) -> _Rows:
    """`counts` events per cell, each some minutes into one of the sessions of its day."""
    cell = np.repeat(np.arange(len(counts)), counts)
    session = cells.first[cell] + (draw.random(len(cell)) * cells.sessions[cell]).astype(np.int64)
    second = np.minimum(cells.second[session] + 5 + draw.exponential(200, len(cell)), 86_399)
    prices = np.exp(draw.normal(1.95, 0.9, len(cell))) if event == "purchase" else np.zeros(len(cell))
    return _Rows(event, cells.user[cell], cells.day[cell], second, np.round(100 * prices).astype(np.int64))


def _only(rows: _Rows, keep: Flags) -> _Rows:
    return _Rows(rows.event, rows.user[keep], rows.day[keep], rows.second[keep], rows.cents[keep])


def _records(people: _People, base: list[_Rows], extra: list[_Rows]) -> Records:
    off: dict[str, Numbers] = {}
    for rows in base:
        off[rows.event] = _per_day(people, rows, None)
        if rows.event == "purchase":
            off["revenue"] = _per_day(people, rows, rows.cents)
    on = {**off, **{rows.event: off[rows.event] + _per_day(people, rows, None) for rows in extra}}
    return Records(people.variant[: people.enrolled], people.mixed[: people.enrolled], off, on)


def _per_day(people: _People, rows: _Rows, weights: Numbers | None) -> Numbers:
    """(people, 28) counts, or sums of `weights`, by day since exposure."""
    since = rows.day - people.entry[rows.user]
    keep = (rows.user < people.enrolled) & (since >= 0) & (since < WINDOW)
    place = rows.user[keep] * WINDOW + since[keep]
    found = np.bincount(place, None if weights is None else weights[keep], people.enrolled * WINDOW)
    return np.rint(found).astype(np.int64).reshape(people.enrolled, WINDOW)


# Files -----------------------------------------------------------------------------------------------------------


def _instant(day: Numbers, second: Fractions) -> Numbers:
    """Milliseconds since 1970 of a local clock time; an hour that daylight saving skips moves forward."""
    past = 7 * HISTORY
    dates = [START + timedelta(days=d) for d in range(-past, DAYS + 1)]
    midnight = np.array([int(datetime(d.year, d.month, d.day, tzinfo=ZONE).timestamp()) for d in dates])
    short = (np.diff(midnight) - 86_400)[day + past]
    elapsed = np.where(second >= 3 * 3600, second + short, second)
    found: Numbers = midnight[day + past] * 1000 + (1000 * elapsed).astype(np.int64)
    return found


def _evaluations_csv(draw: np.random.Generator, people: _People, cells: _Cells) -> bytes:
    """The log of the flag service: a row whenever the app asks, just before a session; mostly it remembers."""
    opens = np.repeat(np.arange(len(cells.user)), cells.sessions)
    user, day, time = cells.user[opens], cells.day[opens], _instant(cells.day[opens], cells.second)
    enters = (user < people.enrolled) & (day == people.entry[user])
    first = enters & (time == np.minimum.reduceat(time, cells.first)[opens])
    again = (user < people.enrolled) & (day >= people.entry[user]) & ~first & (draw.random(len(user)) < 0.06)
    other = draw.random(len(user)) < 0.012
    switch = first & people.mixed[user]
    nobody = draw.choice(np.flatnonzero(first), 9, replace=False)
    shown, names = people.variant[user], np.array([OFF, ON])
    parts = [
        (time[first] - 40, FLAG, names[shown[first]], people.ids[user[first]]),
        (time[again] - 40, FLAG, names[shown[again]], people.ids[user[again]]),
        (time[switch] + 90_000_000, FLAG, names[1 - shown[switch]], people.ids[user[switch]]),
        (time[nobody] + 700, FLAG, names[shown[nobody]], np.full(len(nobody), "")),
        (time[other] - 30, "dark-mode", np.array(["off", "on"])[user[other] % 2], people.ids[user[other]]),
    ]
    rows = (
        f"{_iso(t)},{flag},{v},{u}"
        for times, flag, vs, us in parts
        for t, v, u in zip(times.tolist(), vs, us, strict=True)
    )
    return "\n".join(["evaluated_at,flag,variation,user_id", *sorted(rows), ""]).encode()


def _iso(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone(ZONE)
    return moment.isoformat(timespec="milliseconds")


def _log(draw: np.random.Generator, people: _People, seen: list[_Rows]) -> tuple[dict[str, bytes], int]:
    """The app log by week as gzipped CSV, with what real exports have: retries, test robots, odd clocks."""
    import pyarrow as pa

    events = [r.event for r in seen]
    event = np.repeat(np.arange(len(seen)), [len(r.user) for r in seen])
    user, day, second, cents = (np.concatenate([rows[column] for rows in seen]) for column in range(1, 5))
    instant = _instant(day, second)
    number, real = np.arange(len(event)), len(event)
    few = max(3, real // STRANGE)
    strange = draw.choice(real, 3 * few, replace=False)
    again = draw.choice(real, round(REPEATED * real), replace=False)
    source = np.concatenate([number, strange, again])  # which row each written row copies
    number = np.concatenate([number, real + np.arange(3 * few), again])  # and the number its id is made of
    late = np.concatenate([np.zeros(real + 3 * few, np.int64), draw.integers(500, 40_000, len(again))])
    order = np.lexsort((number, instant[source] + late))
    user, event, platform, cents, time = (
        user[source],
        event[source],
        people.platform[user[source]],
        cents[source],
        instant[source],
    )
    robots, nobody, clocks = (slice(real + k * few, real + (k + 1) * few) for k in range(3))
    platform[robots] = len(_PLATFORMS[0])
    user[nobody] = len(people.ids)
    time[clocks] %= 86_400_000  # phones that think it is 1970
    week = day[source[order]] // 7
    weeks = range(-HISTORY, WEEKS)
    jobs = [_Week(*(f[order[week == w]] for f in (number, time, user, event, platform, cents))) for w in weeks]
    cuts = [
        np.sort(draw.integers(0, len(job.number), UNPARSABLE // len(weeks) + (i < UNPARSABLE % len(weeks))))
        for i, job in enumerate(jobs)
    ]
    ids = pa.array([*people.ids.tolist(), ""])
    with ThreadPoolExecutor(2) as pool:
        packed = list(pool.map(lambda job, cut: _week_file(ids, events, job, cut), jobs, cuts))
    return {f"exports/app_log/{_week_name(w)}.csv.gz": data for w, data in zip(weeks, packed, strict=True)}, len(
        order
    ) + UNPARSABLE


class _Week(NamedTuple):
    """Rows of one file, in its order; all but `number`, `time` and `cents` are positions in lists of names."""

    number: Numbers
    time: Numbers
    user: Numbers
    event: Numbers
    platform: Numbers
    cents: Numbers


def _week_name(week: int) -> str:
    year, number, _ = (START + timedelta(weeks=week)).isocalendar()
    return f"{year}-W{number:02d}"


def _week_file(ids: Any, events: list[str], rows: _Week, cuts: Numbers) -> bytes:
    import pyarrow as pa
    from pyarrow import csv

    prices, price = np.unique(rows.cents, return_inverse=True)
    columns: list[Any] = [
        pa.array(_event_ids(rows.number)).cast(pa.string()),
        pa.array(rows.time),
        ids.take(pa.array(rows.user)),
        pa.array(events).take(pa.array(rows.event)),
        pa.array([*_PLATFORMS[0], "e2e"]).take(pa.array(rows.platform)),
        pa.array([f"{c // 100}.{c % 100:02d}" if c else "" for c in prices.tolist()]).take(pa.array(price)),
    ]
    table = pa.table(columns, names=_LOG_COLUMNS.split(","))
    options = csv.WriteOptions(include_header=False, quoting_style="none")
    out = io.BytesIO()
    out.write(f"{_LOG_COLUMNS}\n".encode())
    before = 0
    for cut in cuts.tolist():
        csv.write_csv(table.slice(before, cut - before), out, options)
        out.write(f"5e1f00d{cut % 1000:03d},{rows.time[cut]},u40\n".encode())  # an upload that broke off
        before = cut
    csv.write_csv(table.slice(before), out, options)
    return gzip.compress(out.getvalue(), compresslevel=4, mtime=0)


def _event_ids(number: Numbers) -> npt.NDArray[np.bytes_]:
    """Ten hexadecimal digits that look random and never repeat: multiplication by an odd number modulo 2^40."""
    mixed = (number.astype(np.uint64) * np.uint64(0x9E3779B97F)) & np.uint64(2**40 - 1)
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    shifts = np.arange(36, -1, -4, dtype=np.uint64)
    found: npt.NDArray[np.bytes_] = digits[(mixed[:, None] >> shifts) & np.uint64(15)].view("S10").ravel()
    return found
