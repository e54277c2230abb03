"""A project in YAML and a log in which nothing differs: who is in which variant is drawn again for each experiment.

Reading the definitions, the files, the windows, the metrics and the checks is all the product's; only the exposure
file changes between two experiments. 800 people in two weeks: most do little, a few do a lot, a tenth buys, some have
a broken phone that sends rows without a time and sends rows twice. Four in ten answer a survey. The log begins 25 days
before the experiment, so metrics are adjusted by the 28 days before exposure, which those who come first do not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.random import Generator

from abtest.language.model import Project
from abtest.language.project import load_project

PEOPLE = 2_000
START = datetime(2026, 3, 2)
HISTORY = 25
"""Days of log before the start."""
PROJECT = """\
project: {name: nothing_differs, timezone: UTC, data: data}
sources:
  app:
    kind: events
    files: app.csv
    columns: {event: name, time: at, id: row}
    units: {user: uid}
    properties: {revenue: {from: revenue, type: money EUR}, load: {from: load, type: number}}
    dedupe: id, keep first
    complete_through: 2026-03-22
  form:
    kind: answers
    files: form.csv
    units: {user: uid}
    columns: {time: at, score: score}
    complete_through: 2026-03-22
  flags: {kind: exposures, files: flags.csv, columns: {variant: variant, time: at}, units: {user: uid}}
events: {visit: visit, view: view, like: like, purchase: purchase}
surveys:
  nps: {source: form, answer: score, scale: 0-10, score: nps}
metrics:
  likes: {amount: like, over: first 14 days, better: higher, owner: us}
  engaged_weeks: {did: visit and like, per: week, over: first 14 days, better: higher, owner: us}
  likes_per_view: {ratio: {of: like, to: view}, over: first 14 days, better: higher, margin: 10%, owner: us}
  active: {did: days(visit) >= 3, over: first 14 days, better: higher, margin: 10%, owner: us}
  revenue: {amount: sum(purchase.revenue), over: first 14 days, better: higher, margin: 40%, owner: us}
  bought: {did: purchase, over: first 14 days, better: higher}
  order_value: {ratio: {of: sum(purchase.revenue), to: purchase}, over: first 14 days, better: higher}
  churned: {churn: visit, silent: 7 days, over: first 14 days, better: lower}
  first_purchase: {time_to: purchase, over: first 14 days, better: lower}
  load_p90: {quantile: {of: view.load, at: 90%, across: events}, over: first 14 days, better: lower}
  nps: {survey: nps, over: first 14 days, better: higher}
"""
EXPERIMENT = """\
experiment: {name}
owner: us
hypothesis: Nothing differs.
unit: user
exposure: {{source: flags}}
variants: {{{variants}}}
baseline: control
dates: {{start: 2026-03-02, end: 2026-03-22}}
metrics:
  goal: [likes, engaged_weeks, likes_per_view]
  guardrail: [active, revenue]
  secondary: [bought, order_value, churned, load_p90, nps]
"""


@dataclass(frozen=True)
class Design:
    """An experiment by its shares in percent, the control's first."""

    name: str
    title: str
    shares: tuple[int, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple("abcdefghij"[: len(self.shares)])

    @property
    def text(self) -> str:
        names = ("control", *(f"new_{k}" for k in self.keys[1:]))
        variants = [f"{n}: {{key: {k}, share: {s}%}}" for n, k, s in zip(names, self.keys, self.shares, strict=True)]
        return EXPERIMENT.format(name=self.name, variants=", ".join(variants))


DESIGNS = {
    d.name: d
    for d in (
        Design("half", "50/50 of 2000", (50, 50)),
        Design("tenth", "90/10 of 2000", (90, 10)),
        Design("many", "1100 against nine times 100", (55, *(5,) * 9)),
    )
}


def write_world(folder: Path, random: Generator) -> Project:
    """The definitions and a log without exposures; the project as loaded from its YAML."""
    (folder / "data").mkdir(parents=True)
    (folder / "experiments").mkdir()
    (folder / "abtest.yml").write_text(PROJECT, "utf-8")
    for design in DESIGNS.values():
        (folder / "experiments" / f"{design.name}.yml").write_text(design.text, "utf-8")
    seen = _seen(random)
    _write(folder / "data" / "seen.csv", [f"{u},{_at(s)}" for u, s in enumerate(seen)])
    _write(folder / "data" / "app.csv", ["uid,name,at,row,revenue,load", *_log(random, seen)])
    _write(folder / "data" / "form.csv", ["uid,at,score", *_answers(random, seen)])
    return load_project(folder)


def assign(folder: Path, design: Design, random: Generator) -> None:
    """Everybody to a variant, by the shares of the design and nothing else."""
    shares = np.array(design.shares) / sum(design.shares)
    arms = random.choice(len(shares), PEOPLE, p=shares).tolist()
    seen = (folder / "data" / "seen.csv").read_text("utf-8").splitlines()
    rows = [f"{line},{design.keys[arm]}" for line, arm in zip(seen, arms, strict=True)]
    _write(folder / "data" / "flags.csv", ["uid,at,variant", *rows])


def _seen(random: Generator) -> list[float]:
    """Seconds since the start at which each person sees the flag: within the first week."""
    return [float(round(second)) for second in random.uniform(0, 7 * 86_400, PEOPLE)]


def _log(random: Generator, seen: list[float]) -> list[str]:
    activity = np.minimum(0.95, random.gamma(1.2, 0.22, PEOPLE))
    fondness = random.lognormal(0.0, 0.8, PEOPLE)
    phone = random.lognormal(0.0, 0.4, PEOPLE)
    buyer = random.random(PEOPLE) < 0.2
    broken = random.random(PEOPLE) < 0.1
    rows: list[str] = []

    def add(user: int, name: str, second: float, revenue: str = "", load: str = "") -> None:
        lost = broken[user] and random.random() < 0.2
        row = f"{user},{name},{'?' if lost else _at(second)},r{len(rows)},{revenue},{load}"
        rows.append(row)
        if broken[user] and random.random() < 0.1:
            rows.append(row)

    for user in range(PEOPLE):
        # Nothing before the first day of the log, for people who come early.
        before = min(HISTORY + int(seen[user] // 86_400), 31)
        days = np.flatnonzero(random.random(before + 15) < activity[user]) - before
        for day in days.tolist():
            begin = seen[user] + 86_400 * day + float(random.integers(0, 3_600))
            add(user, "visit", begin)
            views = int(random.poisson(2.0))
            for k in range(views):
                add(user, "view", begin + 60 * k, load=f"{random.exponential(phone[user]):.3f}")
            for k in range(int(random.binomial(views, min(0.9, 0.3 * fondness[user])))):
                add(user, "like", begin + 60 * k + 20)
            if buyer[user] and random.random() < 0.2:
                add(user, "purchase", begin + 900, revenue=f"{random.lognormal(3.0, 1.0):.2f}")
    return rows


def _answers(random: Generator, seen: list[float]) -> list[str]:
    who = np.flatnonzero(random.random(PEOPLE) < 0.4).tolist()
    return [f"{u},{_at(seen[u] + 86_400 * random.integers(1, 12))},{random.integers(2, 11)}" for u in who]


def _at(second: float) -> str:
    return (START + timedelta(seconds=float(second))).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", "utf-8")
