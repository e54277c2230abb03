"""A project whose villages were randomised as wholes, and what its effects are by pandas and statsmodels alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm

PROJECT = """\
project: {name: clustered, timezone: UTC}
sources:
  app:
    kind: events
    files: app.csv
    columns: {event: name, time: day}
    units: {user: uid}
    properties: {revenue: {from: total, type: money EUR}}
    complete_through: 2026-03-29
  flags:
    kind: exposures
    files: flags.csv
    columns: {variant: variant, time: day}
    units: {user: uid}
  people:
    kind: attributes
    files: people.csv
    units: {user: uid}
    properties: {village: village, plan: plan, region: region, number: {from: number, type: number}, id: uid}
    known: before_exposure
events: {like: like, buy: buy, open: open}
metrics:
  likes: {amount: like, over: first 14 days, better: higher}
  buyer: {did: buy, over: first 14 days, better: higher}
  spent: {amount: sum(buy.revenue), over: first 14 days, better: higher, margin: 20%}
  likes_per_open: {ratio: {of: like, to: open}, over: first 14 days, better: higher}
  spent_per_open: {ratio: {of: sum(buy.revenue), to: open}, over: first 14 days, better: higher}
  top: {quantile: {of: sum(buy.revenue), at: 90%, across: units}, over: first 14 days, better: higher}
"""
EXPERIMENT = """\
experiment: x
unit: user
cluster: people.village
exposure: {source: flags}
variants: {control: {key: a, share: 50%}, new: {key: b, share: 50%}}
baseline: control
dates: {start: 2026-03-02, end: 2026-03-29}
metrics:
  goal: [likes, buyer, likes_per_open]
  guardrail: [spent]
  secondary: [spent_per_open, top]
"""


def write(folder: Path, villages: int = 140, *, seed: int = 7, changed: Mapping[str, str] | None = None) -> Path:
    """Villages of 2 to 24 users with a taste of their own, exposed on one day; every second one is `b`.

    `changed` replaces texts of the experiment or the project.
    """
    folder.mkdir(parents=True, exist_ok=True)
    project, experiment = PROJECT, EXPERIMENT
    for old, new in (changed or {}).items():
        assert (old in project) != (old in experiment), old
        project, experiment = project.replace(old, new), experiment.replace(old, new)
    (folder / "abtest.yml").write_text(project, encoding="utf-8")
    (folder / "x.yml").write_text(experiment, encoding="utf-8")
    random = np.random.default_rng(seed)
    events, flags, people = [], [], []
    number = 0
    for village in range(villages):
        arm = "b" if village % 2 else "a"
        taste = random.gamma(4.0, 0.25)
        for _ in range(int(random.integers(2, 25))):
            user = f"u{number:05d}"
            number += 1
            flags.append((user, arm, "2026-03-02"))
            plan = ["free", "pro"][int(random.integers(0, 2))]
            people.append((user, f"village {village}", plan, f"r{village // 2 % 2}", village))
            own = taste * random.gamma(3.0, 1 / 3) * (1.3 if arm == "b" else 1.0)
            for name, often in (("like", 3 * own), ("open", 2 + own), ("buy", 0.4 * own)):
                for _ in range(int(random.poisson(often))):
                    total = f"{random.gamma(2.0, 5.0):.2f}" if name == "buy" else ""
                    events.append((user, name, f"2026-03-{int(random.integers(2, 16)):02d}", total))
    pd.DataFrame(events, columns=["uid", "name", "day", "total"]).to_csv(folder / "app.csv", index=False)
    pd.DataFrame(flags, columns=["uid", "variant", "day"]).to_csv(folder / "flags.csv", index=False)
    columns = ["uid", "village", "plan", "region", "number"]
    pd.DataFrame(people, columns=columns).to_csv(folder / "people.csv", index=False)
    return folder


def frame(folder: Path) -> pd.DataFrame:
    """One row per user: village, arm, and what they did in 14 days."""
    events = pd.read_csv(folder / "app.csv")
    flags = pd.read_csv(folder / "flags.csv")
    users = flags.merge(pd.read_csv(folder / "people.csv"), on="uid").set_index("uid")
    for name in ("like", "open", "buy"):
        users[name] = events[events.name == name].groupby("uid").size()
    users["spent"] = events.groupby("uid").total.sum()
    users = users.fillna(dict.fromkeys(("like", "open", "buy", "spent"), 0))
    users["buyer"] = (users.buy > 0).astype(float)
    users["one"] = 1.0
    users["t"] = (users.variant == "b").astype(float)
    return users[users.village.notna()]


@dataclass(frozen=True)
class Fit:
    effect: float
    variance: float
    df: float


def recounted(users: pd.DataFrame, x: str, y: str = "one") -> Fit:
    """The ratio of sums of x and y, treatment less control, by cluster-robust least squares within each arm.

    The linearised values of a ratio have its error as the error of their mean; statsmodels' sandwich without correction
    is CR0.
    """
    value, variance, parts = {}, 0.0, []
    for t, arm in users.groupby("t"):
        value[t] = float(arm[x].sum() / arm[y].sum())
        linear = (arm[x] - value[t] * arm[y]) / arm[y].mean()
        fit: Any = sm.OLS(linear.to_numpy(), np.ones(len(arm))).fit(
            cov_type="cluster", cov_kwds={"groups": pd.factorize(arm.village)[0], "use_correction": False}
        )
        clusters = arm.village.nunique()
        own = float(fit.bse[0]) ** 2 * clusters / (clusters - 1)
        variance += own
        parts.append((own, clusters - 1))
    df = variance**2 / sum(v * v / d for v, d in parts)
    return Fit(value[1.0] - value[0.0], variance, df)


def bell_mccaffrey(users: pd.DataFrame, x: str) -> Fit:
    """CR2 and its degrees of freedom for a mean, arm by arm, from the matrices of the general method: the residuals of
    a cluster are multiplied by (I - H_gg)^(-1/2), and the degrees of freedom match two moments if units are alike."""
    value, variance, parts = {}, 0.0, []
    for t, arm in users.groupby("t"):
        n = len(arm)
        z = np.ones((n, 1))
        bread = np.linalg.inv(z.T @ z)
        mean = float(arm[x].mean())
        meat, vectors = 0.0, []
        residual = (arm[x] - mean).to_numpy()
        maker = np.eye(n) - z @ bread @ z.T
        for village in sorted(set(arm.village)):
            inside = (arm.village == village).to_numpy()
            own = z[inside]
            values, axes = np.linalg.eigh(np.eye(int(inside.sum())) - own @ bread @ own.T)
            half = axes @ np.diag(values**-0.5) @ axes.T
            meat += float((own.T @ half @ residual[inside]).item()) ** 2
            vectors.append(maker[:, inside] @ half @ own @ bread[:, 0])
        products = np.array([[a @ b for b in vectors] for a in vectors])
        parts.append((meat * float(bread[0, 0]) ** 2, float(np.trace(products) ** 2 / (products**2).sum())))
        value[t] = mean
        variance += parts[-1][0]
    df = variance**2 / sum(v * v / d for v, d in parts)
    return Fit(value[1.0] - value[0.0], variance, df)


def correlation(users: pd.DataFrame, x: str) -> float:
    """The one-way analysis of variance within arms, from rows."""
    cells = users.groupby(["t", "village"])[x]
    n, clusters, arms = len(users), cells.ngroups, users.t.nunique()
    inside = float(((users[x] - cells.transform("mean")) ** 2).sum()) / (n - clusters)
    arm_mean = users.groupby("t")[x].transform("mean")
    between = float(((cells.transform("mean") - arm_mean) ** 2).sum()) / (clusters - arms)
    sizes = cells.size()
    typical = (n - sum(float((sizes[t] ** 2).sum() / sizes[t].sum()) for t in (0.0, 1.0))) / (clusters - arms)
    return (between - inside) / (between + (typical - 1) * inside)
