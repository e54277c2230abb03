"""The exported files of a season, with what real exports have: retries, test robots, odd clocks, broken lines."""

from __future__ import annotations

import gzip
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from abtest.demo.people import COUNTRIES, PLANS, PLATFORMS, Cells, Fractions, Numbers, People, Rows
from abtest.demo.seasons import DAYS, HISTORY, OFF, WEEKS, ZONE, Season

REPEATED, STRANGE = 0.005, 5_000
"""Rows sent twice, as a share; one row in so many by a test robot, without a user, with a clock at 1970 (each)."""
PEOPLE = "user_id;country;plan;platform;signup_date"
EVALUATIONS = "evaluated_at,flag,variation,user_id"
_LOG_COLUMNS = "event_id,ts,user_id,event,platform,revenue"


def people_lines(season: Season, people: People) -> list[str]:
    """A line per person, for the file of everybody."""
    lines = []
    for i, user in enumerate(people.ids):
        signup = season.start - timedelta(days=int(people.tenure[i]))
        names = (COUNTRIES[0][people.country[i]], PLANS[0][people.plan[i]], PLATFORMS[0][people.platform[i]])
        lines.append(f"{user};{';'.join(names)};{signup}")
    return lines


def instants(start: date, day: Numbers, second: Fractions) -> Numbers:
    """Milliseconds since 1970 of a local clock time; an hour that daylight saving skips moves forward, and of an
    hour that comes twice it is the first."""
    past = 7 * HISTORY
    dates = [start + timedelta(days=d) for d in range(-past, DAYS + 1)]
    midnight = np.array([int(datetime(d.year, d.month, d.day, tzinfo=ZONE).timestamp()) for d in dates])
    short = (np.diff(midnight) - 86_400)[day + past]
    elapsed = np.where(second >= 3 * 3600, second + short, second)
    found: Numbers = midnight[day + past] * 1000 + (1000 * elapsed).astype(np.int64)
    return found


def evaluation_lines(season: Season, draw: np.random.Generator, people: People, cells: Cells) -> list[str]:
    """The log of the flag service: a row whenever the app asks, just before a session; mostly it remembers."""
    opens = np.repeat(np.arange(len(cells.user)), cells.sessions)
    user, day, time = cells.user[opens], cells.day[opens], instants(season.start, cells.day[opens], cells.second)
    enters = (user < people.enrolled) & (day == people.entry[user])
    first = enters & (time == np.minimum.reduceat(time, cells.first)[opens])
    again = (user < people.enrolled) & (day >= people.entry[user]) & ~first & (draw.random(len(user)) < 0.06)
    other = draw.random(len(user)) < 0.012
    switch = first & people.mixed[user]
    nobody = draw.choice(np.flatnonzero(first), 9, replace=False)
    shown, names = people.variant[user], np.array([OFF, season.on])
    parts = [
        (time[first] - 40, season.flag, names[shown[first]], people.ids[user[first]]),
        (time[again] - 40, season.flag, names[shown[again]], people.ids[user[again]]),
        (time[switch] + 90_000_000, season.flag, names[1 - shown[switch]], people.ids[user[switch]]),
        (time[nobody] + 700, season.flag, names[shown[nobody]], np.full(len(nobody), "")),
        (time[other] - 30, "dark-mode", np.array(["off", "on"])[user[other] % 2], people.ids[user[other]]),
    ]
    rows = (
        f"{_iso(t)},{flag},{v},{u}"
        for times, flag, vs, us in parts
        for t, v, u in zip(times.tolist(), vs, us, strict=True)
    )
    return sorted(rows)


def _iso(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone(ZONE)
    return moment.isoformat(timespec="milliseconds")


def app_log(
    season: Season, draw: np.random.Generator, people: People, seen: list[Rows]
) -> tuple[dict[str, bytes], int]:
    """The app log of a season by week as gzipped CSV, and its number of rows."""
    import pyarrow as pa

    events = [r.event for r in seen]
    event = np.repeat(np.arange(len(seen)), [len(r.user) for r in seen])
    user, day, second, cents = (np.concatenate([rows[column] for rows in seen]) for column in range(1, 5))
    instant = instants(season.start, day, second)
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
    platform[robots] = len(PLATFORMS[0])
    user[nobody] = len(people.ids)
    time[clocks] %= 86_400_000  # phones that think it is 1970
    week = day[source[order]] // 7
    weeks = range(-HISTORY, WEEKS)
    jobs = [
        _Week(*(f[order[week == w]] for f in (season.rows + number, time, user, event, platform, cents))) for w in weeks
    ]
    cuts = [
        np.sort(draw.integers(0, len(job.number), season.broken // len(weeks) + (i < season.broken % len(weeks))))
        for i, job in enumerate(jobs)
    ]
    ids = pa.array([*people.ids.tolist(), ""])
    with ThreadPoolExecutor(2) as pool:
        packed = list(pool.map(lambda job, cut: _week_file(ids, events, job, cut), jobs, cuts))
    return {
        f"exports/app_log/{_week_name(season.start, w)}.csv.gz": data for w, data in zip(weeks, packed, strict=True)
    }, len(order) + season.broken


class _Week(NamedTuple):
    """Rows of one file, in its order; all but `number`, `time` and `cents` are positions in lists of names."""

    number: Numbers
    time: Numbers
    user: Numbers
    event: Numbers
    platform: Numbers
    cents: Numbers


def _week_name(start: date, week: int) -> str:
    year, number, _ = (start + timedelta(weeks=week)).isocalendar()
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
        pa.array([*PLATFORMS[0], "e2e"]).take(pa.array(rows.platform)),
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
