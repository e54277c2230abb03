"""A project whose log reaches back before exposure, and what its effects are by pandas and statsmodels alone."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm

START = date(2026, 3, 2)
BEFORE = 40
"""Days of log before the first exposure."""

PROJECT = """\
project: {{name: covaried, timezone: UTC{more}}}
sources:
  app:
    kind: events
    files: app.csv
    columns: {{event: name, time: day}}
    units: {{user: uid}}
    properties: {{revenue: {{from: total, type: money EUR}}}}
    complete_through: {through}
  flags:
    kind: exposures
    files: flags.csv
    columns: {{variant: variant, time: day}}
    units: {{user: uid}}
  people:
    kind: attributes
    files: people.csv
    units: {{user: uid}}
    properties: {{age: {{from: age, type: number}}, plan: plan, vip: {{from: vip, type: flag}}}}
    known: before_exposure
events: {{like: like, buy: buy, open: open}}
metrics:
{metrics}
"""
EXPERIMENT = """\
experiment: x
unit: user
exposure: {{source: flags}}
variants: {{control: {{key: a, share: {share}%}}, new: {{key: b, share: {rest}%}}}}
baseline: control
dates: {{start: {start}, end: {end}}}
metrics:
  goal: [{names}]
"""
METRICS = """\
  likes: {amount: like, over: first 14 days, better: higher}
"""


def write(
    folder: Path,
    metrics: str = METRICS,
    *,
    units: int = 400,
    share: int = 50,
    before: int = BEFORE,
    more: str = "",
    seed: int = 5,
) -> Path:
    """Users with a taste of their own, exposed on the first seven days; those of `b` like a little more."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    first = START - timedelta(days=before)
    end = START + timedelta(days=27)
    names = ", ".join(
        line.split(":")[0].strip() for line in metrics.splitlines() if line.startswith("  ") and line[2] != " "
    )
    project = PROJECT.format(metrics=metrics.rstrip(), more=more, through=end)
    experiment = EXPERIMENT.format(share=share, rest=100 - share, start=START, end=end, names=names)
    (folder / "abtest.yml").write_text(project, encoding="utf-8")
    (folder / "x.yml").write_text(experiment, encoding="utf-8")
    events, flags, people = [], [], []
    for u in range(units):
        arm = "a" if (u * 61) % 100 < share else "b"
        exposed = START + timedelta(days=int(random.integers(0, 7)))
        taste = random.gamma(2.0, 0.15)
        flags.append((f"u{u}", arm, exposed.isoformat()))
        plan = ["free", "plus", "pro"][int(random.integers(0, 3))]
        people.append((f"u{u}", round(20 + 30 * taste + random.normal(0, 3), 1), plan, int(taste > 0.3)))
        for n in range((end - first).days + 1):
            day = first + timedelta(days=n)
            lift = 1.15 if arm == "b" and day >= exposed else 1.0
            rate = taste * lift * (1.3 if plan == "pro" else 1.0)
            for name, often in (("like", rate), ("open", 0.4), ("buy", 0.15 * rate)):
                for _ in range(int(random.poisson(often))):
                    total = f"{random.gamma(2.0, 5.0):.2f}" if name == "buy" else ""
                    events.append((f"u{u}", name, day.isoformat(), total))
    pd.DataFrame(events, columns=["uid", "name", "day", "total"]).to_csv(folder / "app.csv", index=False)
    pd.DataFrame(flags, columns=["uid", "variant", "day"]).to_csv(folder / "flags.csv", index=False)
    pd.DataFrame(people, columns=["uid", "age", "plan", "vip"]).to_csv(folder / "people.csv", index=False)
    return folder


def frame(folder: Path) -> pd.DataFrame:
    """One row per user: arm, attributes, and counts of likes and opens in 14 days after and 28 days before exposure.

    `known`: the log holds all 28 days before.
    """
    events = pd.read_csv(folder / "app.csv", parse_dates=["day"])
    flags = pd.read_csv(folder / "flags.csv", parse_dates=["day"]).rename(columns={"day": "exposed"})
    both = events.merge(flags, on="uid")
    both["n"] = (both.day - both.exposed).dt.days
    after, past = both[both.n.between(0, 13)], both[both.n.between(-28, -1)]
    users = flags.merge(pd.read_csv(folder / "people.csv"), on="uid").set_index("uid")
    for name in ("like", "open"):
        users[f"{name}_after"] = after[after.name == name].groupby("uid").size()
        users[f"{name}_before"] = past[past.name == name].groupby("uid").size()
    users["spent_after"] = after.groupby("uid").total.sum()
    users["spent_before"] = past.groupby("uid").total.sum()
    users = users.fillna(0)
    users["known"] = (users.exposed - events.day.min()).dt.days >= 28
    users["t"] = (users.variant == "b").astype(float)
    return users


def ancova(users: pd.DataFrame, y: str, covariates: list[str]) -> tuple[float, float]:
    """Effect and slope of the first covariate."""
    x = sm.add_constant(users[["t", *covariates]].astype(float))
    fit: Any = sm.OLS(users[y], x).fit()
    return float(fit.params["t"]), float(fit.params[covariates[0]])
