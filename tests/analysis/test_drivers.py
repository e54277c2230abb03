"""Drivers: from YAML to report, recounted from the rows: all orders of the metrics, one regression after the other."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import abtest
from abtest.analysis.beside import DriverResult
from abtest.analysis.result import Result
from abtest.reports.beside import drivers_section
from abtest.reports.wording import Wording
from abtest.reports.write import render
from tests.analysis.besides import METRICS, World, users, write

BY = ("likes", "posts", "liker")
DRIVERS = "drivers: {of: spent, by: [likes, posts, liker]}\n"
ROLES = "goal: [likes, liker], guardrail: [spent], secondary: [posts]"


def drivers(result: Result) -> DriverResult:
    assert result.drivers is not None
    return result.drivers


def within(found: pd.DataFrame) -> pd.DataFrame:
    """Deviations from the mean of the own arm."""
    columns = ["spent", *BY]
    return found[columns] - found.groupby("t")[columns].transform("mean")


def r2(found: pd.DataFrame, by: tuple[str, ...]) -> float:
    return float(sm.OLS(found.spent, found[list(by)]).fit().rsquared) if by else 0.0


def shares(found: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """R^2, then what each adds on average over all orders."""
    total = dict.fromkeys(BY, 0.0)
    orders = list(permutations(BY))
    known = {frozenset(o[:k]): r2(found, o[:k]) for o in orders for k in range(len(BY) + 1)}
    for order in orders:
        for k, name in enumerate(order):
            total[name] += known[frozenset(order[: k + 1])] - known[frozenset(order[:k])]
    return np.array([known[frozenset(BY)], *(total[n] / len(orders) for n in BY)])


def test_shares_are_those_of_all_orders(tmp_path: Path) -> None:
    folder = write(tmp_path, DRIVERS, roles=ROLES)
    found, data = drivers(abtest.run("x", folder)), within(users(folder))
    assert (found.status, found.metric, found.by, found.units) == ("ok", "spent", BY, len(data))
    wanted = shares(data)
    assert found.explained is not None
    assert [found.explained.estimate, *(d.share.estimate for d in found.drivers)] == pytest.approx(
        list(wanted), rel=1e-6
    )
    for driver in found.drivers:
        rest = tuple(n for n in BY if n != driver.metric)
        assert driver.alone == pytest.approx(r2(data, (driver.metric,)), rel=1e-6)
        assert driver.unique == pytest.approx(r2(data, BY) - r2(data, rest), rel=1e-6)
        assert driver.note is None
    assert sum(d.share.estimate for d in found.drivers) == pytest.approx(found.explained.estimate, rel=1e-9)


def test_intervals_leave_out_one_group_of_ids_at_a_time(tmp_path: Path) -> None:
    folder = write(tmp_path, DRIVERS, World(units=500), roles=ROLES)
    found, data = drivers(abtest.run("x", folder)), users(folder)
    rows = duckdb.execute("SELECT CAST(hash(u) % 100 AS INTEGER) FROM (SELECT unnest($1) AS u)", [list(data.index)])
    bucket = np.array([b for (b,) in rows.fetchall()])
    left_out = np.sqrt([shares(within(data[bucket != b])) for b in sorted(set(bucket))])
    g = len(left_out)
    se = np.sqrt((g - 1) / g * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    root, reach = np.sqrt(shares(within(data))), stats.t.ppf(0.975, g - 1)
    assert found.explained is not None
    for i, interval in enumerate((found.explained, *(d.share for d in found.drivers))):
        assert interval.low == pytest.approx(max(0.0, root[i] - reach * se[i]) ** 2, rel=1e-5, abs=1e-12)
        assert interval.high == pytest.approx((root[i] + reach * se[i]) ** 2, rel=1e-5)
        assert interval.se == pytest.approx(2 * root[i] * se[i], rel=1e-5)


def test_the_effect_of_the_treatment_is_not_in_it(tmp_path: Path) -> None:
    """Arms that differ a lot in both metrics, which hardly go along within an arm."""
    folder = write(tmp_path, DRIVERS, World(lift=6.0, spend=6.0, everybody=True), roles=ROLES)
    found, data = drivers(abtest.run("x", folder)), users(folder)
    columns = ["spent", *BY]
    mixed = data[columns] - data[columns].mean()
    assert found.explained is not None
    assert found.explained.estimate == pytest.approx(r2(within(data), BY), rel=1e-6)
    assert found.explained.estimate < 0.8 * r2(mixed, BY)


def test_constant_and_collinear_metrics(tmp_path: Path) -> None:
    metrics = (
        METRICS
        + "  twice: {amount: 2 * like, over: first 14 days, better: higher}\n"
        + "  nothing: {amount: 0 * like, over: first 14 days, better: higher}\n"
    )
    asked = "drivers: {of: spent, by: [likes, twice, nothing]}\n"
    roles = "goal: [likes], guardrail: [spent], secondary: [twice, nothing]"
    result = abtest.run("x", write(tmp_path, asked, World(units=400), metrics=metrics, roles=roles))
    likes, twice, nothing = drivers(result).drivers
    assert (likes.note, twice.note, nothing.note) == ("collinear", "collinear", "constant")
    assert likes.share.estimate == pytest.approx(twice.share.estimate, rel=1e-6)
    assert (nothing.share.estimate, nothing.share.low, nothing.alone) == (0.0, None, 0.0)
    section = drivers_section(Wording(result))
    assert section is not None
    assert [row[0] for row in section.plain[0].rows] == [
        "Likes (follows from the others)", "Twice (follows from the others)", "Nothing (does not vary)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("units", "change", "reason"),
    [
        (36, {}, "not_enough_units"),
        (200, {"sum(buy.total)": "0 * sum(buy.total)"}, "zero_variance"),
        (
            200,
            {"over: first 14 days, better: higher, margin": "over: first 60 days, better: higher, margin"},
            "all_missing",
        ),
    ],
)
def test_what_cannot_be_computed_has_a_reason(tmp_path: Path, units: int, change: dict[str, str], reason: str) -> None:
    metrics = METRICS
    for before, after in change.items():
        metrics = metrics.replace(before, after)
    result = abtest.run("x", write(tmp_path, DRIVERS, World(units=units), metrics=metrics, roles=ROLES))
    assert (drivers(result).status, drivers(result).reason) == ("no_test", reason)
    assert (drivers(result).explained, drivers(result).drivers) == (None, ())
    section = drivers_section(Wording(result))
    assert section is not None
    assert section.leads[0].startswith("What goes along with Spent could not be computed: ")
    assert "reason “" not in section.leads[0]
    assert section.plain == ()


def test_few_units_still_have_intervals(tmp_path: Path) -> None:
    result = abtest.run("x", write(tmp_path, DRIVERS, World(units=44), roles=ROLES))
    found = drivers(result)
    assert found.status == "ok"
    assert found.interval_reason is None
    assert all(d.share.low is not None for d in found.drivers)


def test_twelve_drivers(tmp_path: Path) -> None:
    names = [f"m{i}" for i in range(12)]
    metrics = METRICS + "".join(
        f"  {n}: {{amount: like + {i} * post, over: first {2 + i} days, better: higher}}\n" for i, n in enumerate(names)
    )
    asked = f"drivers: {{of: spent, by: [{', '.join(names)}]}}\n"
    roles = f"goal: [likes], guardrail: [spent], explore: [{', '.join(names)}]"
    result = abtest.run("x", write(tmp_path, asked, World(units=600), metrics=metrics, roles=roles))
    found = drivers(result)
    assert found.explained is not None
    assert sum(d.share.estimate for d in found.drivers) == pytest.approx(found.explained.estimate, rel=1e-9)
    assert found.explained.low is not None


def test_it_is_labelled_as_a_description(tmp_path: Path) -> None:
    result = abtest.run("x", write(tmp_path, DRIVERS, World(units=300), roles=ROLES))
    section = drivers_section(Wording(result))
    assert section is not None
    assert "no evidence of causes" in section.leads[1]
    assert section.plain[0].caption.endswith("Descriptive.")
    assert abtest.run("x", write(tmp_path / "b", "", World(units=300))).drivers is None


def test_round_trip_and_same_bytes(tmp_path: Path) -> None:
    first = abtest.run("x", write(tmp_path / "a", DRIVERS, World(units=400), roles=ROLES), threads=1)
    second = abtest.run("x", write(tmp_path / "b", DRIVERS, World(units=400), roles=ROLES, shuffle=3), threads=8)
    assert first.to_json() == second.to_json()
    assert render(first, "html", "en") == render(second, "html", "en")
    assert Result.from_json(first.to_json()) == first
