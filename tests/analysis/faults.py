"""A small project with everything that health checks look at, sound as it stands, and faults to plant in it.

Every user has a taste of their own, a history of four weeks, an arm in an older and in a concurrent experiment. In the
sound project the new variant raises likes by 30 % and nothing else: a true effect, at which no check may complain.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from abtest.analysis.stamped import new_stamp
from abtest.language.lock import lock_path, lock_text
from abtest.language.project import load_project

START = date(2026, 3, 2)
HISTORY, ENROLMENT, WINDOW = 30, 21, 7
LAST = START + timedelta(days=ENROLMENT + WINDOW - 1)
PROJECT = """
project: {{name: faults, timezone: UTC}}
sources:
  app:
    kind: events
    files: app.csv
    columns: {{event: name, time: at, id: row}}
    units: {{user: uid}}
    properties: {{revenue: {{from: total, type: money EUR}}}}
    dedupe: id, keep first
    complete_through: {last}
  shop: {{kind: events, files: shop.csv, columns: {{event: name, time: day}}, units: {{user: uid}}, complete_through: {last}}}
  flags: {{kind: exposures, files: flags.csv, columns: {{flag: flag, variant: arm, time: at}}, units: {{user: uid}}}}
  people: {{kind: attributes, known: before_exposure, files: people.csv, units: {{user: uid}}, properties: {{country: country}}}}
  crm: {{kind: outcomes, files: crm.csv, units: {{user: uid}}, properties: {{score: {{from: score, type: number}}}}}}
  form: {{kind: answers, files: form.csv, units: {{user: uid}}, columns: {{time: day, score: q1}}, complete_through: {last}}}
events:
  like: {{event: like, source: app}}
  open: {{event: open, source: app}}
  buy: {{event: buy, source: app}}
  visit: {{event: visit, source: shop}}
surveys:
  nps: {{source: form, answer: score, scale: 0-10, score: nps}}
metrics:
  likes: {{amount: like, over: first 7 days, better: higher}}
  per_open: {{ratio: {{of: buy, to: open}}, over: first 7 days, better: higher}}
  spend: {{amount: sum(buy.revenue), over: first 7 days, better: higher, margin: 90%}}
  score: {{column: crm.score, better: higher, margin: 90%}}
  visits: {{amount: visit, over: first 7 days}}
  likers: {{did: like >= 3, over: first 7 days}}
  nps: {{survey: nps, over: first 7 days}}
"""
EXPERIMENT = """
experiment: {name}
owner: us
hypothesis: New is better.
unit: user
exposure: {{source: flags, flag: {flag}}}
variants: {{control: {{key: a, share: 50%}}, new: {{key: b, share: 50%}}}}
baseline: control
dates: {{start: {start}, enroll_until: {until}, end: {end}}}
"""
OWN = """iteration_of: older
segments: [country]
metrics:
  goal: [likes, per_open]
  guardrail: [spend, score]
  secondary: [visits, nps, likers]
mechanism: [likers]
plan: {detect: 60%}
"""
OTHER = "metrics: {goal: [likes]}\n"


@dataclass
class User:
    id: str
    arm: str
    day: int
    country: str
    taste: float
    older: str
    beside: str
    effect: float
    answers: float = 0.5
    later: float | None = None
    """The effect from the fourth day on, where it is another."""


@dataclass
class World:
    """The users, and what is known of them in rows; `said` are changes of the texts of project and experiment."""

    draw: np.random.Generator
    users: list[User] = field(default_factory=list)
    app: list[list[Any]] = field(default_factory=list)
    shop: list[list[Any]] = field(default_factory=list)
    flags: list[list[Any]] = field(default_factory=list)
    form: list[list[Any]] = field(default_factory=list)
    crm: list[list[Any]] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)

    def some(self, rows: Iterable[list[Any]], share: float, arm: str | None = None) -> list[list[Any]]:
        """A random share of rows, of one arm only if it is given. The id is in the first column."""
        arms = {u.id: u.arm for u in self.users}
        return [r for r in rows if (arm is None or arms.get(r[0]) == arm) and self.draw.random() < share]


Change = Callable[[World], None]


@dataclass(frozen=True)
class Fault:
    """`people` changes the users before their rows are made, `rows` changes those; `expected` are (check, subject,
    level), subject None for checks without one."""

    expected: tuple[tuple[str, str | None, str], ...]
    people: Change | None = None
    rows: Change | None = None


def moment(day: int, hour: float = 9.0) -> datetime:
    return datetime(START.year, START.month, START.day) + timedelta(days=day, hours=hour)


def stamp(day: int, hour: float = 9.0) -> str:
    return moment(day, hour).isoformat() + "Z"


def write(folder: Path, faults: Iterable[Fault] = (), *, users: int = 400, lift: float = 0.3, seed: int = 7) -> Path:
    """The project, with all of `faults` planted."""
    w = World(np.random.default_rng(seed))
    for i in range(users):
        arm = "ab"[int(w.draw.integers(2))]
        w.users.append(
            User(
                f"u{i:04d}", arm, int(w.draw.integers(ENROLMENT)), ("es", "nl", "pt")[int(w.draw.integers(3))],
                float(w.draw.uniform(0.4, 0.8)), "ab"[int(w.draw.integers(2))], "ab"[int(w.draw.integers(2))],
                1 + lift if arm == "b" else 1.0,
            )
        )  # fmt: skip
    faults = tuple(faults)
    for fault in faults:
        if fault.people is not None:
            fault.people(w)
    for user in w.users:
        _rows(w, user)
    for fault in faults:
        if fault.rows is not None:
            fault.rows(w)
    return _written(folder, w)


def _rows(w: World, user: User) -> None:
    w.flags.append([user.id, "f1", user.arm, stamp(user.day, 10)])
    w.flags.append([user.id, "f0", user.older, stamp(-25, 10)])
    w.flags.append([user.id, "f2", user.beside, stamp(user.day, 8)])
    days = np.arange(user.day - HISTORY, user.day + WINDOW + 1)
    after = days >= user.day
    later = user.effect if user.later is None else user.later
    effect = np.where(days < user.day + 3, user.effect, later)
    for name, rate in (("like", user.taste * np.where(after, effect, 1.0)), ("open", 0.3), ("buy", user.taste)):
        for day, n in zip(days, w.draw.poisson(rate, len(days)), strict=True):
            for k in range(int(n)):
                total = f"{w.draw.uniform(8, 12):.2f}" if name == "buy" else ""
                at = stamp(int(day), 11 + k % 12)
                w.app.append([user.id, name, at, f"r{len(w.app)}", total])
    for day in days[w.draw.random(len(days)) < 0.3]:
        w.shop.append([user.id, "visit", moment(int(day)).date().isoformat()])
    if w.draw.random() < user.answers:
        w.form.append([user.id, moment(user.day + 3).date().isoformat(), int(w.draw.integers(11))])
    w.crm.append([user.id, "" if w.draw.random() < 0.02 else f"{w.draw.uniform(1, 9):.1f}"])


def _written(folder: Path, w: World) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "app.csv": (["uid", "name", "at", "row", "total"], w.app),
        "shop.csv": (["uid", "name", "day"], w.shop),
        "flags.csv": (["uid", "flag", "arm", "at"], w.flags),
        "form.csv": (["uid", "day", "q1"], w.form),
        "crm.csv": (["uid", "score"], w.crm),
        "people.csv": (["uid", "country"], [[u.id, u.country] for u in w.users]),
    }
    for name, (head, rows) in files.items():
        with (folder / name).open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle).writerows([head, *rows])
    dates = {"start": START, "until": START + timedelta(days=ENROLMENT - 1), "end": LAST}
    older = {"start": START - timedelta(days=28), "until": START - timedelta(days=8), "end": START - timedelta(days=1)}
    texts = {
        "abtest.yml": PROJECT.format(last=LAST),
        "x.yml": EXPERIMENT.format(name="x", flag="f1", **dates) + OWN,
        "older.yml": EXPERIMENT.format(name="older", flag="f0", **older) + OTHER,
        "beside.yml": EXPERIMENT.format(name="beside", flag="f2", **dates) + OTHER,
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    _stamped(folder)
    for name, text in texts.items():
        for old, new in w.said.items():
            text = text.replace(old, new)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def _stamped(folder: Path) -> None:
    """The lock of the sound plan, as its first run left it; what is said otherwise came later."""
    project = load_project(folder)
    path = lock_path(folder, "x")
    path.parent.mkdir(exist_ok=True)
    path.write_text(lock_text(new_stamp(project, project.experiments["x"], LAST.isoformat())), encoding="utf-8")


# The faults


def keep(test: Callable[[World, User], bool]) -> Change:
    """Only users for whom `test` holds are there at all."""

    def change(w: World) -> None:
        w.users = [u for u in w.users if test(w, u)]

    return change


def each(change: Callable[[World, User], None]) -> Change:
    def all_of_them(w: World) -> None:
        for user in w.users:
            change(w, user)

    return all_of_them


def say(old: str, new: str) -> Change:
    def change(w: World) -> None:
        w.said[old] = new

    return change


def _fewer_on_a_day(w: World) -> None:
    """Half of the users come on one day, on which most of the treatment is lost."""
    for u in w.users[::2]:
        u.day = 6
    w.users = [u for u in w.users if u.arm == "a" or u.day != 6 or w.draw.random() < 0.4]


def _fewer_in_spain(w: World, u: User) -> bool:
    return u.arm == "a" or u.country != "es" or w.draw.random() < 0.4


def _late(w: World, u: User) -> None:
    u.day = max(u.day, int(w.draw.integers(ENROLMENT))) if u.arm == "b" else u.day


def _chosen(w: World, u: User) -> None:
    u.arm = "b" if u.taste + w.draw.normal(0, 0.1) > 0.6 else "a"
    u.effect = 1.0


def _ramp(w: World, u: User) -> None:
    u.arm = "b" if w.draw.random() < (0.15 if u.day < 7 else 0.65) else "a"


def _hidden_week(w: World, u: User) -> None:
    u.day += 4 if 9 <= u.day < 13 else 0


def _rush(w: World, u: User) -> None:
    u.day = int(w.draw.integers(14, ENROLMENT)) if w.draw.random() < 0.7 else u.day


def _second_look(w: World, users: list[User], share: float) -> None:
    for u in users:
        if w.draw.random() < share:
            w.flags.append([u.id, "f1", "b" if u.arm == "a" else "a", stamp(u.day, 20)])


def _both_ways(w: World) -> None:
    _second_look(w, w.users, 0.06)


def _one_way(w: World) -> None:
    _second_look(w, [u for u in w.users if u.arm == "a"], 0.12)


def _broken_exposures(w: World) -> None:
    for u in w.users[:8]:
        w.flags.append([u.id, "f1", u.arm, stamp(-2)])
    w.flags += [[f"v{i}", "f1", "c", stamp(3)] for i in range(9)]


def _broken_rows(w: World) -> None:
    for row in w.some(w.app, 0.04):
        row[2] = "yesterday"
    for row in w.some([r for r in w.app if r[1] == "buy"], 0.02):
        row[4] = "EUR 12"
    w.form += [[u.id, moment(u.day + 2).date().isoformat(), 12] for u in w.users[:6]]
    w.app += [[u.id, "open", "2099-01-01T10:00:00Z", f"z{i}", ""] for i, u in enumerate(w.users[:5])]
    w.said["{event: visit, source: shop}"] = "{event: buy, source: app, where: revenue > 1000000}"


def _broken_treatment_rows(w: World) -> None:
    for row in w.some(w.app, 0.08, "b"):
        row[2] = ""


def _ids_do_not_match(w: World) -> None:
    lost = {u.id for u in w.users if u.arm == "b" and w.draw.random() < 0.12}
    for row in w.app:
        row[0] = f"#{row[0]}" if row[0] in lost else row[0]


def _no_score(w: World) -> None:
    for row in w.some(w.crm, 0.15, "b"):
        row[1] = ""


def _begins_late(w: World) -> None:
    w.app = [r for r in w.app if r[2] >= moment(ENROLMENT + 1, 0).isoformat()]


def _more_opens(w: World) -> None:
    since = {u.id: stamp(u.day, 10) for u in w.users}
    rows = w.some([r for r in w.app if r[1] == "open" and r[2] > since.get(r[0], "3")], 0.6, "b")
    w.app += [[u, n, at, f"{row}b", total] for u, n, at, row, total in rows]


def _few_open(w: World) -> None:
    """One user in twenty opens the app at all."""
    those = {u.id for u in w.users[::20]}
    w.app = [r for r in w.app if r[1] != "open" or r[0] in those]


def _whale(w: World) -> None:
    u = next(u for u in w.users[20:] if u.arm == "b")
    w.app.append([u.id, "buy", stamp(u.day + 1), "whale", "90000.00"])


def _robot(w: World) -> None:
    u = w.users[-1]
    w.app = [r for r in w.app if r[0] != u.id]
    w.app += [[u.id, "open", stamp(d, 12), f"bot{d}.{i}", ""] for d in (u.day, u.day + 1) for i in range(1500)]


def _stale_shop(w: World) -> None:
    w.shop = [r for r in w.shop if r[2] < moment(ENROLMENT + WINDOW - 5).date().isoformat()]


def _treatment_log_stops(w: World) -> None:
    end = moment(ENROLMENT - 3, 0).isoformat()
    arms = {u.id: u.arm for u in w.users}
    w.app = [r for r in w.app if arms[r[0]] == "a" or r[2] < end]


def _two_days_lost(w: World) -> None:
    lost = {moment(d).date().isoformat() for d in (8, 9)}
    w.app = [r for r in w.app if r[2][:10] not in lost]


def _same_salt(w: World, u: User) -> None:
    u.older = u.arm if w.draw.random() < 0.6 else u.older


def _crossed(w: World, u: User) -> None:
    u.effect = (2.2 if u.beside == "b" else 0.7) if u.arm == "b" else 1.0


def _only_portugal(w: World, u: User) -> None:
    u.effect = 2.4 if u.arm == "b" and u.country == "pt" else 1.0


def _asked_more(w: World, u: User) -> None:
    u.answers = 0.75 if u.arm == "b" else 0.45


def _huge(w: World, u: User) -> None:
    u.effect = 4.0 if u.arm == "b" else 1.0


def _charm_of_the_new(w: World, u: User) -> None:
    u.effect, u.later = (2.5, 1.0) if u.arm == "b" else (1.0, None)


FAULTS: dict[str, Fault] = {
    "treatment lost": Fault((("srm", None, "fail"),), keep(lambda w, u: u.arm == "a" or w.draw.random() < 0.65)),
    "treatment lost on a day": Fault((("srm_by_day", None, "fail"),), _fewer_on_a_day),
    "treatment lost in a country": Fault((("srm_by_segment", "country", "fail"),), keep(_fewer_in_spain)),
    "variants change": Fault((("mixed_exposure", None, "fail"), ("mixed_first", None, "pass")), rows=_both_ways),
    "moved to the treatment": Fault((("mixed_exposure", None, "fail"), ("mixed_first", None, "fail")), rows=_one_way),
    "rehearsal and a third arm": Fault(
        (("exposure_before_start", None, "note"), ("unknown_variant", None, "note")), rows=_broken_exposures
    ),
    "four days without exposures": Fault((("exposure_days", None, "note"),), each(_hidden_week)),
    "traffic triples": Fault((("exposure_step", None, "note"),), each(_rush)),
    "treatment begins later": Fault((("exposure_timing", None, "fail"), ("allocation", None, "note")), each(_late)),
    "treatment chosen by taste": Fault((("pre_period", "likes", "fail"),), each(_chosen)),
    "broken rows": Fault(
        (
            ("row_loss", "app", "note"), ("bad_number", "app", "note"), ("outside_scale", "form", "note"),
            ("late_or_future", "app", "note"), ("event_seen", "visit", "note"),
        ),
        rows=_broken_rows,
    ),
    "broken rows of the treatment": Fault((("unit_loss", "app", "fail"),), rows=_broken_treatment_rows),
    "ids of the treatment do not match": Fault((("silent_units", "app", "note"),), rows=_ids_do_not_match),
    "scores missing in the treatment": Fault((("missing_units", "score", "note"),), rows=_no_score),
    "log begins after the exposures": Fault((("coverage", "app", "fail"),), rows=_begins_late),
    "treatment opens more": Fault((("denominator_shift", "per_open", "note"),), rows=_more_opens),
    "few users open": Fault((("denominator_noise", "per_open", "note"),), rows=_few_open),
    "few meet the trigger": Fault(
        (("dilution", None, "note"),), say("segments: [country]", "trigger: (buy >= 7) in first 7 days\nsegments: [country]")
    ),
    "all meet the trigger": Fault(
        (("dilution", None, "pass"),), say("segments: [country]", "trigger: (buy >= 2) in first 7 days\nsegments: [country]")
    ),
    "four times as many likes": Fault((("twyman", "likes", "note"),), each(_huge)),
    "one order of 90,000": Fault((("leverage", "spend", "note"), ("skewness", "spend", "note"), ("aa_calibration", "spend", "note")), rows=_whale),
    "the charm of the new": Fault((("novelty", "likes", "note"),), each(_charm_of_the_new)),
    "read after two weeks": Fault(
        (("runtime", None, "note"), ("peeking", None, "note"), ("maturity", "likes", "note")),
        say("iteration_of: older", "as_of: 2026-03-14\niteration_of: older"),
    ),
    "detect far too little": Fault((("power", "per_open", "note"),), say("detect: 60%", "detect: 2%")),
    "slow start": Fault((("allocation", None, "note"), ("exposure_timing", None, "fail")), each(_ramp)),
    "sixty users": Fault((("min_counts", "likes", "note"),), keep(lambda w, u: u.id < "u0060")),
    "another experiment interferes": Fault((("concurrent", "likes", "note"),), each(_crossed)),
    "a robot": Fault((("heavy_hitters", "app", "note"),), rows=_robot),
    "shop exported early": Fault((("freshness", "shop", "note"),), rows=_stale_shop),
    "log of the treatment stops": Fault((("arms_lag", "app", "fail"),), rows=_treatment_log_stops),
    "two days lost": Fault((("time_gaps", "app", "note"),), rows=_two_days_lost),
    "salt of the older experiment": Fault((("carry_over", "older", "fail"),), each(_same_salt)),
    "only one country reacts": Fault((("dominance", "likes", "note"),), each(_only_portugal)),
    "goal without its mechanism": Fault(
        (("mechanism", "likes", "note"),), say("mechanism: [likers]", "mechanism: [visits]")
    ),
    "a margin is widened after the start": Fault(
        (("config_drift", None, "note"),), say("crm.score, better: higher, margin: 90%", "crm.score, better: higher, margin: 95%")
    ),
    "treatment is asked more": Fault((("response", "nps", "note"),), each(_asked_more)),
}  # fmt: skip

LOGS: tuple[tuple[str, ...], ...] = (
    (
        "rehearsal and a third arm", "scores missing in the treatment", "treatment is asked more", "shop exported early",
        "two days lost", "detect far too little", "one order of 90,000",
    ),
    ("treatment opens more", "four times as many likes", "four days without exposures"),
    ("broken rows of the treatment", "variants change", "salt of the older experiment"),
)  # fmt: skip
"""Faults that do not hide each other share a log; each of the others has one of its own."""


def logs() -> tuple[tuple[str, ...], ...]:
    shared = {name for names in LOGS for name in names}
    return (*LOGS, *((name,) for name in FAULTS if name not in shared))
