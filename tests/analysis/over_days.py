"""A project whose units enter on each of 28 days, and every day's effect from unit values by plain Python, one unit at a
time: who is complete by that day, the mean of each variant, the standard error. Slow, and obviously right."""

from __future__ import annotations

import csv
import math
import random
from datetime import date, timedelta
from pathlib import Path

START = date(2026, 3, 2)
DAYS = 28
WINDOW = 7

PROJECT = """\
project: {{name: days, timezone: UTC, privacy: {{min_cell: {min_cell}}}}}
sources:
  app:
    kind: events
    files: app.csv
    columns: {{event: name, time: day}}
    units: {{user: uid}}
    properties: {{revenue: {{from: total, type: money EUR}}}}
    complete_through: {through}
  flags: {{kind: exposures, files: flags.csv, columns: {{variant: variant, time: day}}, units: {{user: uid}}}}
  people:
    kind: attributes
    files: people.csv
    units: {{user: uid}}
    properties: {{plan: plan}}
    known: before_exposure
events: {{like: like, buy: buy, open: open}}
metrics:
{metrics}
"""
EXPERIMENT = """\
experiment: x
unit: user
exposure: {{source: flags}}
variants: {variants}
baseline: control
{dates}
plan: {{{plan}}}
metrics:
  goal: [{names}]
"""
METRICS = """\
  likes: {amount: like, adjust: none, over: first 7 days, better: higher}
  yes: {did: like >= 4, adjust: none, over: first 7 days, better: higher}
  per_open: {ratio: {of: like, to: open}, adjust: none, over: first 7 days, better: higher}
"""
TWO = "{control: {key: a, share: 50%}, new: {key: b, share: 50%}}"
THREE = "{control: {key: a, share: 40%}, new: {key: b, share: 30%}, other: {key: c, share: 30%}}"


def write(
    folder: Path,
    metrics: str = METRICS,
    *,
    units: int = 1500,
    days: int = DAYS,
    through: int | None = None,
    variants: str = TWO,
    lift: float = 1.25,
    min_cell: int = 10,
    dates: bool = True,
    plan: str = "method: fixed, detect: 10%",
    quiet_days: tuple[int, ...] = (),
    seed: int = 3,
) -> Path:
    """Users enter on one of `days` days (few of them on `quiet_days`); the log reaches 28 days back. `through`: the last
    complete day of the log, counted from the start as day 0; by default all windows are complete."""
    draw = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    last = days + WINDOW - 2 if through is None else through
    names = ", ".join(line.split(":")[0].strip() for line in metrics.splitlines() if line[2:3] != " ")
    text = PROJECT.format(metrics=metrics.rstrip(), min_cell=min_cell, through=START + timedelta(days=last))
    (folder / "abtest.yml").write_text(text, "utf-8")
    planned = f"dates: {{start: {START}, end: {START + timedelta(days=days - 1)}}}" if dates else ""
    (folder / "x.yml").write_text(EXPERIMENT.format(names=names, variants=variants, dates=planned, plan=plan), "utf-8")
    keys = "abc" if "key: c" in variants else "ab"
    app, flags, people = [], [], []
    for u in range(units):
        arm = keys[int(draw.random() * len(keys))]
        entered = int(draw.random() * days)
        while entered in quiet_days and draw.random() > 0.04:
            entered = int(draw.random() * days)
        taste = draw.gammavariate(3.0, 0.2)
        if entered <= last:
            flags.append((f"u{u}", arm, START + timedelta(days=entered)))
        people.append((f"u{u}", draw.choice(["free", "plus", "pro"])))
        # Drawn to the end whatever the export holds, so that an earlier export is the beginning of a later one.
        for n in range(-28, days + WINDOW):
            rate = taste * (lift if arm != "a" and n >= entered else 1.0)
            did = ["like"] * poisson(draw, rate) + ["open"] * poisson(draw, 0.4)
            spent = f"{draw.gammavariate(2.0, 5.0):.2f}" if draw.random() < 0.1 * rate else ""
            if n <= last:
                day = START + timedelta(days=n)
                app += [(f"u{u}", name, day, "") for name in did]
                app += [(f"u{u}", "buy", day, spent)] if spent else []
    for file, head, rows in (
        ("app.csv", ("uid", "name", "day", "total"), app),
        ("flags.csv", ("uid", "variant", "day"), flags),
        ("people.csv", ("uid", "plan"), people),
    ):
        with (folder / file).open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows([head, *rows])
    return folder


def poisson(draw: random.Random, rate: float) -> int:
    found, left = 0, draw.expovariate(1.0)
    while left < rate:
        found += 1
        left += draw.expovariate(1.0)
    return found


Unit = tuple[str, int, int, int]
"""Variant, day of entry from the start, likes and opens in the window."""


def units_of(folder: Path) -> list[Unit]:
    """Everybody, with what they did within seven days of entering."""
    with (folder / "flags.csv").open(encoding="utf-8") as file:
        entered = {r["uid"]: (r["variant"], date.fromisoformat(r["day"])) for r in csv.DictReader(file)}
    did = {uid: {"like": 0, "open": 0, "buy": 0} for uid in entered}
    with (folder / "app.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            since = (date.fromisoformat(row["day"]) - entered[row["uid"]][1]).days
            if 0 <= since < WINDOW:
                did[row["uid"]][row["name"]] += 1
    return [(v, (day - START).days, did[uid]["like"], did[uid]["open"]) for uid, (v, day) in entered.items()]


def complete(units: list[Unit], variant: str, day: int) -> list[Unit]:
    """Those of a variant whose window ends on day `day` of the experiment (1: the first) or before."""
    return [u for u in units if u[0] == variant and u[1] + WINDOW <= day]


def value(metric: str, unit: Unit) -> float:
    return float(unit[2] >= 4) if metric == "yes" else float(unit[2])


def mean_and_variance(values: list[float]) -> tuple[float, float]:
    """The mean and its squared standard error."""
    mean = math.fsum(values) / len(values)
    return mean, math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values)


def of_arm(metric: str, units: list[Unit]) -> tuple[float, float]:
    """A value of one arm and its variance; a ratio by the delta method, unit by unit."""
    if metric != "per_open":
        return mean_and_variance([value(metric, u) for u in units])
    likes, opens = (math.fsum(u[i] for u in units) for i in (2, 3))
    ratio, mean = likes / opens, opens / len(units)
    _, variance = mean_and_variance([(u[2] - ratio * u[3]) / mean for u in units])
    return ratio, variance


def effect(metric: str, units: list[Unit], treatment: str, day: int) -> tuple[int, float, float]:
    """Units, difference and its standard error on one day."""
    arms = [complete(units, v, day) for v in (treatment, "a")]
    (t, var_t), (c, var_c) = (of_arm(metric, own) for own in arms)
    return sum(map(len, arms)), t - c, math.sqrt(var_t + var_c)
