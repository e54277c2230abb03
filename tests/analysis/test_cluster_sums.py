"""Sums per cluster where they are large, many, or of denominators that are no whole numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import abtest
from abtest.analysis import clustering
from abtest.analysis.result import Comparison, Result
from tests.analysis.clustered import correlation, frame, recounted, write

PROJECT = """\
project: {name: table}
sources:
  t:
    kind: outcomes
    files: t.csv
    units: {user: uid}
    columns: {variant: variant}
    properties: {village: village}
    known: before_exposure
metrics:
  x: {column: t.x, better: higher}
  x_per_y: {ratio: {of: t.x, to: t.y}, better: higher}
"""
EXPERIMENT = """\
experiment: e
unit: user
cluster: t.village
exposure: {source: t}
variants: {control: {key: a, share: 50%}, new: {key: b, share: 50%}}
baseline: control
metrics: {goal: [x], secondary: [x_per_y]}
"""


def table(villages: int, size: int, *, seed: int = 3, scale: float = 1.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    village = np.repeat(np.arange(villages), size)
    y = np.round(random.gamma(2.0, 1.0, villages * size), 3)
    x = np.round((random.normal(5.0, 1.0, villages)[village] + y + random.normal(0.0, 1.0, len(y))) * scale, 3)
    names = [f"u{i}" for i in range(len(y))]
    variant = np.where(village % 2, "b", "a")
    return pd.DataFrame({"uid": names, "variant": variant, "village": village, "x": x, "y": y})


def run(folder: Path, rows: pd.DataFrame, experiment: str = EXPERIMENT) -> Result:
    (folder / "abtest.yml").write_text(PROJECT, "utf-8")
    (folder / "e.yml").write_text(experiment, "utf-8")
    rows.to_csv(folder / "t.csv", index=False)
    return abtest.run("e", folder)


def users(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(one=1.0, t=(rows.variant == "b").astype(float))


def shown(result: Result, metric: str) -> Comparison:
    return result.metric(metric).comparisons[0]


def agrees(found: Comparison, rows: pd.DataFrame, x: str, y: str, precision: float) -> None:
    fit = recounted(rows, x, y)
    assert found.method == "cluster"
    assert found.absolute is not None
    assert found.absolute.estimate == pytest.approx(fit.effect, rel=precision)
    assert found.absolute.se == pytest.approx(fit.variance**0.5, rel=precision)
    assert found.df == pytest.approx(fit.df, rel=precision)


def test_sums_whose_squares_would_not_fit_lose_bits_and_not_the_result(tmp_path: Path) -> None:
    """200 clusters with sums near 1e18: their squares add up to 4e38, more than a decimal of 38 digits holds."""
    rows = table(200, 500, scale=4e14)
    assert (rows.groupby("village").x.sum() ** 2).sum() > 2e38
    only = EXPERIMENT.replace("goal: [x], secondary: [x_per_y]", "goal: [x_per_y]")
    found = shown(run(tmp_path, rows, only), "x_per_y")
    agrees(found, users(rows), "x", "y", 1e-9)


def test_many_clusters_stay_in_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("clusters were fetched one by one")

    monkeypatch.setattr(clustering, "cluster_rows", never)
    rows = table(24_000, 3)
    found = run(tmp_path, rows)
    agrees(shown(found, "x"), users(rows), "x", "one", 1e-9)
    agrees(shown(found, "x_per_y"), users(rows), "x", "y", 1e-9)
    numbers = shown(found, "x").clustering
    assert numbers is not None
    assert (numbers.control, numbers.treatment) == (12_000, 12_000)
    assert numbers.icc == pytest.approx(correlation(users(rows), "x"), rel=1e-8)


def test_denominators_that_are_no_whole_numbers_get_the_correction_for_few_clusters(tmp_path: Path) -> None:
    """variance = sum(r^2 / (1 - h)) / N^2 with h the share of a cluster in the denominators of its arm."""
    rows = table(16, 12)
    found = shown(run(tmp_path, rows), "x_per_y")
    value, variance = {}, 0.0
    for variant, arm in rows.groupby("variant"):
        sums = arm.groupby("village")[["x", "y"]].sum()
        total = sums.y.sum()
        value[variant] = sums.x.sum() / total
        rest = sums.x - value[variant] * sums.y
        variance += float((rest**2 / (1 - sums.y / total)).sum() / total**2)
    assert found.method == "cluster_cr2"
    assert found.absolute is not None
    assert found.absolute.estimate == pytest.approx(value["b"] - value["a"], rel=1e-10)
    assert found.absolute.se == pytest.approx(variance**0.5, rel=1e-10)


@pytest.mark.parametrize("number", [-40.0, 0.0])
def test_a_denominator_that_no_size_can_be_is_said(tmp_path: Path, number: float) -> None:
    rows = table(16, 12)
    rows.loc[rows.village == 3, "y"] = number
    found = shown(run(tmp_path, rows), "x_per_y")
    assert (found.status, found.reason) == ("no_test", "odd_denominator")


def test_without_any_denominator_there_is_no_test(tmp_path: Path) -> None:
    rows = table(16, 12)
    rows["y"] = 0.0
    found = shown(run(tmp_path, rows), "x_per_y")
    assert (found.status, found.reason) == ("no_test", "zero_denominator")


def test_values_that_are_all_equal_have_no_test(tmp_path: Path) -> None:
    for villages in (16, 200):
        rows = table(villages, 12)
        rows["x"] = 0.1
        found = shown(run(tmp_path, rows), "x")
        assert (found.status, found.reason) == ("no_test", "zero_variance")


def test_missing_values_leave_their_unit_out_of_the_size(tmp_path: Path) -> None:
    rows = table(200, 6)
    rows.loc[rows.index % 7 == 0, "x"] = None
    rows.loc[rows.village == 11, "x"] = None  # a cluster without any value
    found = shown(run(tmp_path, rows), "x")
    agrees(found, users(rows.dropna(subset=["x"])), "x", "one", 1e-9)
    assert found.clustering is not None
    assert (found.clustering.control, found.clustering.treatment) == (100, 99)


def test_the_denominator_is_checked_over_clusters(tmp_path: Path) -> None:
    folder = write(tmp_path)
    found = abtest.run("x", folder)
    note = next(c for c in found.health if (c.key, c.subject) == ("denominator_shift", "likes_per_open"))
    fit = recounted(frame(folder), "open")
    from scipy import stats

    assert note.values is not None
    assert note.values["p_value"] == pytest.approx(
        2 * stats.t.sf(abs(fit.effect) / fit.variance**0.5, fit.df), rel=1e-7
    )


def test_rows_lost_in_two_villages_are_no_alarm(tmp_path: Path) -> None:
    """A test per user would take the forty users of two villages for forty witnesses."""
    folder = write(tmp_path)
    events, people = pd.read_csv(folder / "app.csv"), pd.read_csv(folder / "people.csv")
    lost = set(people[people.village.isin(["village 1", "village 3"])].uid)
    events.loc[events.uid.isin(lost), "day"] = "unknown"
    events.to_csv(folder / "app.csv", index=False)
    found = abtest.run("x", folder)
    check = next(c for c in found.health if (c.key, c.subject) == ("unit_loss", "app"))
    assert check.level == "pass"
    assert check.values is not None
    assert check.values["p_value"] is not None
    (folder / "x.yml").write_text(
        (folder / "x.yml").read_text("utf-8").replace("cluster: people.village\n", ""), "utf-8"
    )
    by_user = next(c for c in abtest.run("x", folder).health if (c.key, c.subject) == ("unit_loss", "app"))
    assert by_user.level != "pass"
