"""A project with everything that stands beside the main comparison, and one row per user of what it should find."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

START = date(2026, 3, 2)
END = START + timedelta(days=27)
BEFORE = 35

PROJECT = f"""\
project: {{name: beside, timezone: UTC}}
sources:
  app:
    kind: events
    files: app.csv
    columns: {{event: name, time: day}}
    units: {{user: uid}}
    properties: {{total: {{from: total, type: money EUR}}}}
    complete_through: {END}
  flags: {{kind: exposures, files: flags.csv, columns: {{variant: variant, time: day}}, units: {{user: uid}}}}
  people:
    kind: attributes
    files: people.csv
    units: {{user: uid}}
    properties: {{country: country, plan: plan}}
    known: before_exposure
events: {{like: like, buy: buy, saw: saw_composer, post: post}}
"""
METRICS = """\
metrics:
  likes: {amount: like, over: first 14 days, better: higher}
  posts: {amount: post, over: first 14 days, better: higher}
  liker: {did: like >= 4, over: first 14 days, better: higher}
  spent: {amount: sum(buy.total), over: first 14 days, better: higher, margin: 30%}
  per_post: {ratio: like / post, over: first 14 days, better: higher}
  later: {amount: like, over: first 20 days, better: higher}
  typical: {quantile: {of: like, at: 50%, across: units}, over: first 14 days, better: higher}
"""


@dataclass(frozen=True)
class World:
    """How users behave: `lift` is the factor of likes for triggered users of the treatment (for `everybody` if so),
    `spend` that of purchases, `leaky` the share of its other users that trigger all the same."""

    units: int = 1200
    arms: int = 2
    lift: float = 1.4
    spend: float = 1.0
    by_country: bool = False
    leaky: float = 0.0
    everybody: bool = False
    likes: float = 1.0
    seed: int = 3
    days: int = 7


def write(
    folder: Path,
    experiment: str,
    world: World = World(),
    *,
    metrics: str = METRICS,
    roles: str = "goal: [likes], guardrail: [spent]",
    shuffle: int | None = None,
    project: str = "",
    end: date = END,
) -> Path:
    """The project and its three exports."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(world.seed)
    events: list[tuple[str, str, str, str]] = []
    flags, people = [], []
    for u in range(world.units):
        arm = "abcd"[(u * 61) % world.arms]
        exposed = START + timedelta(days=int(random.integers(0, world.days)))
        taste = float(random.gamma(2.0, 0.2))
        country = ["AT", "BR", "CZ", "DE"][int(random.integers(0, 4))]
        flags.append((f"u{u}", arm, exposed.isoformat()))
        people.append((f"u{u}", country, "pro" if random.random() < 0.3 else "free"))
        triggers = random.random() < min(0.9, 0.2 + taste)
        if world.leaky and arm != "a":
            triggers = triggers or bool(random.random() < world.leaky)
        first_seen = int(random.integers(0, 14))
        lift = 1.0
        if arm != "a" and (triggers or world.everybody):
            lift = world.lift
            if world.by_country:
                lift = {"AT": 0.5, "BR": 1.0, "CZ": 1.4, "DE": 2.2}[country]
        for n in range((END - START).days + BEFORE + 1):
            day = START + timedelta(days=n - BEFORE)
            after = day >= exposed
            now = lift if after else 1.0
            if triggers and (day - exposed).days == first_seen:
                events.append((f"u{u}", "saw_composer", day.isoformat(), ""))
            events += [(f"u{u}", "like", day.isoformat(), "")] * int(random.poisson(taste * now * world.likes))
            events += [(f"u{u}", "post", day.isoformat(), "")] * int(random.poisson(0.5 * taste))
            for _ in range(int(random.poisson(0.1 * taste * (world.spend if arm != "a" and after else 1.0)))):
                events.append((f"u{u}", "buy", day.isoformat(), f"{random.gamma(2.0, 5.0):.2f}"))
    tables = {
        "app.csv": pd.DataFrame(events, columns=["uid", "name", "day", "total"]),
        "flags.csv": pd.DataFrame(flags, columns=["uid", "variant", "day"]),
        "people.csv": pd.DataFrame(people, columns=["uid", "country", "plan"]),
    }
    for name, table in tables.items():
        mixed = table if shuffle is None else table.sample(frac=1, random_state=shuffle)
        mixed.to_csv(folder / name, index=False)
    variants = "".join(f"  v{key}: {{key: {key}}}\n" for key in "abcd"[: world.arms])
    (folder / "abtest.yml").write_text(PROJECT + project, encoding="utf-8")
    (folder / "metrics.yml").write_text(metrics, encoding="utf-8")
    (folder / "x.yml").write_text(
        f"experiment: x\nowner: team\nhypothesis: More.\nunit: user\nexposure: {{source: flags}}\nvariants:\n{variants}"
        f"baseline: va\ndates: {{start: {START}, end: {end}}}\nmetrics: {{{roles}}}\n{experiment}",
        encoding="utf-8",
    )
    return folder


def users(folder: Path) -> pd.DataFrame:
    """Per user: arm (`t` 0 or 1), attributes, what it did in 14 days after and 28 before exposure, and whether it was
    triggered in those 14."""
    events = pd.read_csv(folder / "app.csv", parse_dates=["day"])
    flags = pd.read_csv(folder / "flags.csv", parse_dates=["day"]).rename(columns={"day": "exposed"})
    both = events.merge(flags, on="uid")
    both["n"] = (both.day - both.exposed).dt.days
    after, past = both[both.n.between(0, 13)], both[both.n.between(-28, -1)]
    found = flags.merge(pd.read_csv(folder / "people.csv"), on="uid").set_index("uid")
    for name, column in (("like", "likes"), ("post", "posts"), ("saw_composer", "saw")):
        found[column] = after[after.name == name].groupby("uid").size()
        found[f"{column}_before"] = past[past.name == name].groupby("uid").size()
    found["spent"] = after.groupby("uid").total.sum()
    found["spent_before"] = past.groupby("uid").total.sum()
    found = found.fillna(0)
    found["triggered"] = found.saw >= 1
    found["liker"] = (found.likes >= 4).astype(float)
    found["t"] = (found.variant != "a").astype(float)
    return found
