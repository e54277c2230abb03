"""What the app's own log does not know of the people of the last test: the customer file, filled-in forms, and a log of
what other systems saw of them (the shop, the community, service, mail).

It comes from a stream of random numbers of its own, after everything else, so that it disturbs nothing. No composer
does anything to it: all of it hangs on who people are, alike in both variants. One hidden trait, how fond they are of
the app, holds it together: the fond answer more often and kindlier, buy more, and bring others.
"""

from __future__ import annotations

import gzip
import io
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np

from abtest.demo.exports import instants
from abtest.demo.people import Cells, Flags, Fractions, Numbers, People, Rows
from abtest.demo.seasons import DAYS, HISTORY, Season

LOG = "ts,user_id,event,feature,stars,seconds,revenue"
CUSTOMERS = "user_id,contract,subscription,member,direct_debit"
FEATURES = ("album", "collage", "crop", "filter", "map", "print", "story", "tag")
THEMES = ("praise", "question", "wish", "complaint")
SCALES = "recommend satisfied fan_close fan_proud fan_doubt promise_clear knowledge_clear trust_clear"
NEEDS = "need_safety need_belonging need_esteem need_growth"
COMMON = (*SCALES.split(), *NEEDS.split(), "theme", "recommend_from_1")
"""Questions of every form; the last two are open to skipping."""
BLOCKS = {
    "b2b": "b2b_understands b2b_delivers b2b_partner b2b_forward b2b_replace",
    "b2c": "b2c_fits b2c_glad b2c_follow b2c_miss b2c_same",
    "club": "club_mine club_people club_say club_help club_fee",
    "cause": "cause_heart cause_spent cause_part cause_tell cause_habit",
    "trust": "trust_word trust_open trust_mine trust_catch",
    "belong": "belong_us belong_home belong_missed belong_outside",
    "self": "self_shows self_seen self_way self_hide",
    "experience": "exp_easy exp_joy exp_help exp_effort",
    "significance": "sig_daily sig_choice sig_effort sig_nothing",
}
"""Statements of which the last is turned around. Each form shows one of the first four sets, by what brings its reader
here (work, home, the club, a good cause), and half of the others, by lot."""
SEVEN = ("b2b", "cause")
FORMS = ",".join(("answered_at", "user_id", *COMMON, *" ".join(BLOCKS.values()).split()))

LAPSED = 0.13
_ON_DAYS = {  # per active day and person, how much more for one standard deviation of fondness, and spread (log)
    "lead": (0.055, 0.3, 0.5),
    "edit": (0.10, 0.4, 1.2),
    "feature_used": (0.28, 0.2, 0.9),
    "review": (0.014, 0.5, 0.6),
    "rating": (0.030, 0.3, 0.6),
    "feedback": (0.020, 0.2, 0.6),
    "invite": (0.032, 0.4, 0.7),
    "idea": (0.014, 0.6, 0.6),
}
_ANY_DAY = {
    "complaint": (0.0050, -0.4, 0.6),
    "event_visit": (0.0090, 0.2, 0.6),
    "service_contact": (0.0110, 0.0, 0.6),
    "notification": (0.10, 0.0, 0.4),
    "order": (0.042, 0.45, 0.9),
}


class Relations(NamedTuple):
    """Three files: the log as gzipped CSV, and lines of the other two."""

    log: bytes
    forms: list[str]
    customers: list[str]


def relations_of(
    season: Season, draw: np.random.Generator, people: People, cells: Cells, logged: list[Rows]
) -> Relations:
    """The files of one season; `logged` is what the app log holds of it."""
    fond = _fondness(draw, people)
    log = _log_file(season, draw, people, _happened(draw, people, cells, logged, fond))
    return Relations(log, _forms(season, draw, people, fond), _customers(draw, people, fond))


def _fondness(draw: np.random.Generator, people: People) -> Fractions:
    """(people,) about standard normal; partly it shows in visits and photos."""
    visits = (np.log(people.activity) + 0.18) / 0.6
    photos = (np.log(people.rates["photo_post"] / 0.44) + 0.29) / np.hypot(0.62, 0.45)
    found: Fractions = 0.4 * visits + 0.4 * photos + np.sqrt(1 - 2 * 0.4**2) * draw.normal(0, 1, len(visits))
    return found


class _Part(NamedTuple):
    """Rows of one event of the log; what an event does not say is left empty."""

    event: str
    user: Numbers
    day: Numbers
    second: Fractions
    said: tuple[str, Any] = ("", None)
    """The column of what it says, and per row what."""


def _happened(
    draw: np.random.Generator, people: People, cells: Cells, logged: list[Rows], fond: Fractions
) -> list[_Part]:
    total = len(people.ids)
    own = np.bincount(cells.user, minlength=total)  # active days of each person, which stand together
    begin = np.cumsum(own) - own

    def rate(of: tuple[float, float, float]) -> Fractions:
        level, by_fondness, spread = of
        found: Fractions = level * np.exp(by_fondness * fond + draw.normal(0, spread, total))
        return found

    def on_days(event: str, rates: Fractions) -> _Part:
        user = np.repeat(np.arange(total), draw.poisson(rates * own))
        cell = begin[user] + (draw.random(len(user)) * own[user]).astype(np.int64)
        second = np.minimum(cells.second[cells.first[cell]] + 5 + draw.exponential(200, len(cell)), 86_399)
        return _Part(event, user, cells.day[cell], second)

    def any_day(event: str, rates: Fractions) -> _Part:
        past = np.minimum(7 * HISTORY, people.tenure)
        user = np.repeat(np.arange(total), draw.poisson(rates * (DAYS + past)))
        day = np.floor(draw.random(len(user)) * (DAYS + past[user])).astype(np.int64) - past[user]
        return _Part(event, user, day, draw.uniform(8 * 3600, 22 * 3600, len(user)))

    found = {event: on_days(event, rate(of)) for event, of in _ON_DAYS.items()}
    found |= {event: any_day(event, rate(of)) for event, of in _ANY_DAY.items()}
    found["order"] = _with_lapsed(draw, found["order"], people)
    app: dict[str, Any] = {}
    for rows in logged:  # a composer that adds rows has two parts of one event
        app[rows.event] = _joined(app[rows.event], rows) if rows.event in app else rows
    found["feature_used"] = _says(
        found["feature_used"], "feature", draw.choice(FEATURES, len(found["feature_used"].user))
    )
    rated = found["rating"].user
    stars = np.clip(np.round(3.7 + 0.8 * fond[rated] + draw.normal(0, 0.8, len(rated))), 1, 5).astype(np.int64)
    found["rating"] = _says(found["rating"], "stars", stars)
    bought = found["order"]
    cents = np.round(100 * np.exp(draw.normal(2.6, 0.7, len(bought.user)))).astype(np.int64)
    return [
        *(part for event, part in found.items() if event not in ("order", "notification")),
        _orders(bought, cents, app["purchase"]),
        _notified(draw, found["notification"], app["notification_open"]),
        _read(draw, app["article_read"]),
        *(
            _received(draw, e, app["photo_post"], share)
            for e, share in (("like_received", 0.35), ("comment_received", 0.12))
        ),
        *_joining(draw, people, cells, fond, begin, own),
    ]


def _says(part: _Part, column: str, what: Any) -> _Part:
    return part._replace(said=(column, what))


def _joined(first: Rows, second: Rows) -> Rows:
    return Rows(first.event, *(np.concatenate([a, b]) for a, b in zip(first[1:], second[1:], strict=True)))


def _with_lapsed(draw: np.random.Generator, orders: _Part, people: People) -> _Part:
    """Some bought much and stopped when the test began; nothing of the test made them."""
    lapsed = draw.random(len(people.ids)) < LAPSED
    kept = np.flatnonzero(~lapsed[orders.user])
    past = np.minimum(7 * HISTORY, people.tenure)
    user = np.repeat(np.arange(len(lapsed)), draw.poisson(0.28 * lapsed * past))
    day = -1 - np.floor(draw.random(len(user)) * past[user]).astype(np.int64)
    second = draw.uniform(8 * 3600, 22 * 3600, len(user))
    new = [np.concatenate([a[kept], b]) for a, b in zip(orders[1:4], (user, day, second), strict=True)]
    return _Part(orders.event, new[0], new[1], new[2])


def _orders(shop: _Part, cents: Numbers, app: Rows) -> _Part:
    """All that was bought: in the shop, and in the app."""
    user, day = np.concatenate([shop.user, app.user]), np.concatenate([shop.day, app.day])
    paid = np.concatenate([cents, app.cents])
    return _Part("order", user, day, np.concatenate([shop.second, app.second]), ("revenue", paid / 100))


def _notified(draw: np.random.Generator, ignored: _Part, opened: Rows) -> _Part:
    """A notification some minutes before each opened one, and those that nobody opened."""
    before = np.maximum(opened.second - 20 - draw.exponential(240, len(opened.user)), 1)
    columns = ((ignored.user, opened.user), (ignored.day, opened.day), (ignored.second, before))
    user, day, second = (np.concatenate(pair) for pair in columns)
    return _Part("notification", user, day, second)


def _read(draw: np.random.Generator, read: Rows) -> _Part:
    """The seconds of reading of a day, in one row."""
    key, number = np.unique(read.user * 1000 + read.day + 500, return_counts=True)
    user, day = key // 1000, key % 1000 - 500
    seconds = np.round(number * np.exp(draw.normal(4.4, 0.5, len(key)))).astype(np.int64)
    return _Part("reading", user, day, np.full(len(key), 86_340.0), ("seconds", seconds))


def _received(draw: np.random.Generator, event: str, photos: Rows, share: float) -> _Part:
    """What others gave for photos, on the day that these were posted."""
    heard = np.flatnonzero(draw.random(len(photos.user)) < share)
    second = np.minimum(photos.second[heard] + draw.exponential(3600, len(heard)), 86_399)
    return _Part(event, photos.user[heard], photos.day[heard], second)


def _joining(
    draw: np.random.Generator, people: People, cells: Cells, fond: Fractions, begin: Numbers, own: Numbers
) -> list[_Part]:
    """The community, which opened with the test: some make an account there on an active day, and find friends."""
    before = np.bincount(cells.user[cells.day < people.entry[cells.user]], minlength=len(fond))
    after = own - before
    joins = np.flatnonzero((draw.random(len(fond)) < 1 / (1 + np.exp(-fond))) & (after > 0))
    cell = (begin + before)[joins] + (draw.random(len(joins)) ** 2 * after[joins]).astype(np.int64)
    day, second = cells.day[cell], np.minimum(cells.second[cells.first[cell]] + 400, 86_300)
    friends = np.repeat(np.arange(len(joins)), draw.poisson(9 * np.exp(draw.normal(-0.2, 0.8, len(joins)))))
    later = np.floor(draw.exponential(4, len(friends))).astype(np.int64)
    inside = day[friends] + later < DAYS
    friends, later = friends[inside], later[inside]
    at = np.where(later == 0, second[friends] + 60, draw.uniform(8 * 3600, 22 * 3600, len(friends)))
    return [_Part("signup", joins, day, second), _Part("friend_added", joins[friends], day[friends] + later, at)]


def _log_file(season: Season, draw: np.random.Generator, people: People, parts: list[_Part]) -> bytes:
    import pyarrow as pa
    from pyarrow import csv

    sizes = [len(p.user) for p in parts]
    event = np.repeat(np.arange(len(parts)), sizes)
    user, day, second = (np.concatenate([p[column] for p in parts]) for column in (1, 2, 3))
    time = instants(season.start, day, second)
    order = np.lexsort((user, time))

    def column(name: str) -> Any:
        pieces = [
            pa.array(p.said[1]).cast(pa.string()) if p.said[0] == name else pa.nulls(n, pa.string())
            for p, n in zip(parts, sizes, strict=True)
        ]
        return pa.concat_arrays(pieces).take(pa.array(order)).fill_null("")

    names = LOG.split(",")
    columns = [
        pa.array(time[order]),
        pa.array(people.ids).take(pa.array(user[order])),
        pa.array([p.event for p in parts]).take(pa.array(event[order])),
        *(column(name) for name in names[3:]),
    ]
    out = io.BytesIO()
    out.write(f"{LOG}\n".encode())
    options = csv.WriteOptions(include_header=False, quoting_style="none")
    csv.write_csv(pa.table(columns, names=names), out, options)
    return gzip.compress(out.getvalue(), compresslevel=4, mtime=0)


def _forms(season: Season, draw: np.random.Generator, people: People, fond: Fractions) -> list[str]:
    """Filled-in forms: some fill one in before the test, some in the four weeks after they enter, many never."""
    willing = 1 / (1 + np.exp(-(0.7 + 0.5 * fond)))
    lines = []
    for before, share in ((True, 0.5), (False, 1.0)):
        answers = draw.random(len(fond)) < share * willing
        answers &= people.tenure > 7 * HISTORY if before else True
        who = np.flatnonzero(answers)
        day = -draw.integers(1, 7 * HISTORY, len(who)) if before else people.entry[who] + draw.integers(1, 28, len(who))
        lines += _answers(season, draw, people, fond, who, day)
    return sorted(lines)


def _answers(
    season: Season, draw: np.random.Generator, people: People, fond: Fractions, who: Numbers, day: Numbers
) -> list[str]:
    n, warm = len(who), fond[who]

    def scale(low: int, high: int, level: float, asked: Flags | None = None, turned: bool = False) -> list[str]:
        """Codes as text: `level` is where on the scale (0 to 1) the middle person stands."""
        at = level + 0.17 * feeling + 0.10 * draw.normal(0, 1, n)
        code = low + np.clip(np.round((1 - at if turned else at) * (high - low)), 0, high - low).astype(np.int64)
        given = draw.random(n) > 0.02
        told: list[str] = np.where(given if asked is None else given & asked, code.astype(str), "").tolist()
        return told

    feeling = 0.85 * warm + 0.5 * draw.normal(0, 1, n)
    columns = [
        scale(0, 10, 0.78),
        scale(1, 5, 0.72),
        scale(1, 5, 0.62),
        scale(1, 5, 0.58),
        scale(1, 5, 0.58, None, True),
    ]
    columns += [scale(1, 5, level) for level in (0.78, 0.74, 0.70, 0.84, 0.72, 0.68, 0.64)]
    likely = np.array([0.4, 0.2, 0.25, 0.15])
    theme = np.array(THEMES)[np.searchsorted(np.cumsum(likely), np.clip(draw.random(n) - 0.08 * feeling, 0, 0.999))]
    columns.append(np.where(draw.random(n) < 0.5, theme, "").tolist())
    columns.append(scale(1, 10, 0.72, draw.random(n) < 0.35))
    reason = draw.choice(4, n, p=[0.2, 0.4, 0.2, 0.2])
    for number, (block, items) in enumerate(BLOCKS.items()):
        feeling = 0.7 * warm + 0.7 * draw.normal(0, 1, n)
        asked = reason == number if number < 4 else draw.random(n) < 0.5
        names = items.split()
        columns += [scale(1, 7 if block in SEVEN else 5, 0.62, asked, item == names[-1]) for item in names]
    dates = [(season.start + timedelta(days=d)).isoformat() for d in day.tolist()]
    return [",".join(row) for row in zip(dates, people.ids[who].tolist(), *columns, strict=True)]


def _customers(draw: np.random.Generator, people: People, fond: Fractions) -> list[str]:
    """Four of five are in the customer file, as it stood before the test."""
    known = np.flatnonzero(draw.random(len(fond)) < 0.8)
    tie = 1 / (1 + np.exp(-0.5 * fond[known]))
    flags = [(draw.random(len(known)) < 2 * share * tie).astype(int).tolist() for share in (0.20, 0.42, 0.36, 0.35)]
    rows = zip(people.ids[known].tolist(), *flags, strict=True)
    return sorted(",".join(map(str, row)) for row in rows)
