"""Simulated people and what they do, in both worlds.

Both variants draw from the same people and the same days. What a composer adds are extra events at the rates of
`TRUTH`, and what it takes away are events that happen without it; both are drawn for everybody and applied only to those
who saw it. So each person has a value in both worlds (`Records`), and the effect in these very people is known exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from abtest.demo.seasons import DAYS, ENROLMENT, HISTORY, WINDOW

UNREACHED, MIXED = 0.06, 0.0006
"""People who do not open the app while enrolment is open; people who saw both variants."""

Numbers = npt.NDArray[np.int64]
Fractions = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

COUNTRIES = (("ES", "MX", "IT", "PT", "FR", ""), (0.46, 0.21, 0.14, 0.10, 0.08, 0.01))
PLANS = (("free", "plus", "pro"), (0.80, 0.16, 0.04))
PLATFORMS = (("android", "ios", "web"), (0.57, 0.36, 0.07))
_WEEKDAYS = np.array([0.94, 0.92, 0.95, 0.98, 1.06, 1.20, 1.16])
_DRIFT = 0.0025
_HOURS = np.array(
    [6, 3, 2, 1, 1, 2, 6, 18, 30, 26, 22, 24, 30, 36, 38, 30, 26, 28, 36, 46, 58, 66, 52, 22], dtype=float
)


class Records(NamedTuple):
    """What the generator knows of each enrolled person, in both worlds. It never reaches a file."""

    variant: Numbers
    """(people,) 0 = off, 1 = on: what they saw first."""
    mixed: Flags
    """(people,) saw both variants, and is therefore left out of the analysis."""
    off: Mapping[str, Numbers]
    """(people, 28) events per day since exposure had they seen `off`; `revenue` in cents."""
    on: Mapping[str, Numbers]
    """The same had they seen the new variant."""


class People(NamedTuple):
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


class Cells(NamedTuple):
    """Active days of people, and the sessions in them: `first` and `sessions` say where those of a cell stand."""

    user: Numbers
    day: Numbers
    first: Numbers
    sessions: Numbers
    second: Fractions
    """(sessions,) seconds after local midnight at which a session starts."""


class Rows(NamedTuple):
    """Rows of one event."""

    event: str
    user: Numbers
    day: Numbers
    second: Fractions
    cents: Numbers


class Worlds(NamedTuple):
    """Rows of everybody with the old composer (`base`), rows that the new one would add, and, by event, which of `base`
    it would take away."""

    base: list[Rows]
    extra: list[Rows]
    lost: Mapping[str, Flags]


def people_of(draw: np.random.Generator, users: int, ids: tuple[int, int]) -> People:
    """`users` people who meet the flag, and some who do not; numbers of their ids are among `ids` (first, how many)."""
    total = users + round(UNREACHED * users)
    activity = np.exp(draw.normal(-0.18, 0.6, total))
    social = draw.normal(0, 1, total)
    plan = draw.choice(3, total, p=PLANS[1])
    platform = draw.choice(3, total, p=PLATFORMS[1])
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
    return People(
        enrolled=users,
        ids=np.char.add("u", draw.choice(ids[1], total, replace=False).astype(np.int64).__add__(ids[0]).astype(str)),
        country=draw.choice(6, total, p=COUNTRIES[1]),
        plan=plan,
        platform=platform,
        tenure=np.minimum(draw.exponential(420, total), 2_000).astype(np.int64) + 1,
        entry=draw.choice(ENROLMENT, total, p=[0.27, 0.19, 0.14, 0.11, 0.10, 0.11, 0.08]),
        variant=draw.integers(0, 2, total),
        mixed=mixed,
        rates=rates,
        activity=activity,
    )


def cells_of(draw: np.random.Generator, people: People) -> Cells:
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
    return Cells(user, day, first, sessions, second)


def happenings(draw: np.random.Generator, people: People, cells: Cells, truth: Mapping[str, float]) -> Worlds:
    """Everybody's rows with the old composer, and what the new one does to them."""
    weekend = np.where(cells.day % 7 >= 5, 1.25, 0.9)
    exposed = _exposed(people, cells.user, cells.day)
    opens = np.repeat(np.arange(len(cells.user)), cells.sessions)
    base = [Rows("app_open", cells.user[opens], cells.day[opens], cells.second, np.zeros(len(opens), np.int64))]
    extra, lost = [], {}
    for event, rates in people.rates.items():
        if event == "app_open":
            continue
        rate = rates[cells.user] * (weekend if event in ("photo_post", "share") else 1.0)
        rows = _rows(draw, event, cells, draw.poisson(rate))
        base.append(rows)
        effect = truth.get(event, 0.0)
        if effect > 0:
            extra.append(_rows(draw, event, cells, draw.poisson(effect * rate * exposed)))
        elif effect < 0:
            lost[event] = _exposed(people, rows.user, rows.day) & (draw.random(len(rows.user)) < -effect)
    return Worlds(base, extra, lost)


def _exposed(people: People, user: Numbers, day: Numbers) -> Flags:
    found: Flags = (user < people.enrolled) & (day >= people.entry[user])
    return found


def _rows(draw: np.random.Generator, event: str, cells: Cells, counts: Numbers) -> Rows:
    """`counts` events per cell, each some minutes into one of the sessions of its day."""
    cell = np.repeat(np.arange(len(counts)), counts)
    session = cells.first[cell] + (draw.random(len(cell)) * cells.sessions[cell]).astype(np.int64)
    second = np.minimum(cells.second[session] + 5 + draw.exponential(200, len(cell)), 86_399)
    prices = np.exp(draw.normal(1.95, 0.9, len(cell))) if event == "purchase" else np.zeros(len(cell))
    return Rows(event, cells.user[cell], cells.day[cell], second, np.round(100 * prices).astype(np.int64))


def seen(people: People, worlds: Worlds) -> list[Rows]:
    """The rows that get into the log: each person's, of the world that they were in."""
    base, new = worlds.base, people.variant == 1
    kept = [
        _only(rows, ~(worlds.lost[rows.event] & new[rows.user])) if rows.event in worlds.lost else rows for rows in base
    ]
    return [kept[0], *(_only(rows, new[rows.user]) for rows in worlds.extra), *kept[1:]]


def _only(rows: Rows, keep: Flags) -> Rows:
    return Rows(rows.event, rows.user[keep], rows.day[keep], rows.second[keep], rows.cents[keep])


def records_of(people: People, worlds: Worlds) -> Records:
    """What each person did in both worlds."""
    off = _counted(people, worlds.base)
    added, lost = (
        _counted(people, worlds.extra),
        _counted(people, [_only(r, worlds.lost[r.event]) for r in worlds.base if r.event in worlds.lost]),
    )
    on = {e: days + added.get(e, 0) - lost.get(e, 0) for e, days in off.items()}
    return Records(people.variant[: people.enrolled], people.mixed[: people.enrolled], off, on)


def _counted(people: People, every: list[Rows]) -> dict[str, Numbers]:
    found: dict[str, Numbers] = {}
    for rows in every:
        found[rows.event] = _per_day(people, rows, None)
        if rows.event == "purchase":
            found["revenue"] = _per_day(people, rows, rows.cents)
    return found


def _per_day(people: People, rows: Rows, weights: Numbers | None) -> Numbers:
    """(people, 28) counts, or sums of `weights`, by day since exposure."""
    since = rows.day - people.entry[rows.user]
    keep = (rows.user < people.enrolled) & (since >= 0) & (since < WINDOW)
    place = rows.user[keep] * WINDOW + since[keep]
    found = np.bincount(place, None if weights is None else weights[keep], people.enrolled * WINDOW)
    return np.rint(found).astype(np.int64).reshape(people.enrolled, WINDOW)
