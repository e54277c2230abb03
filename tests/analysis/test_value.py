"""Engagement and value: from YAML to report, recounted from the rows with numpy, scipy and statsmodels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import Table2x2

import abtest
from abtest.analysis.beside import Association, Together, ValueGoal
from abtest.analysis.result import Comparison, Result
from abtest.reports.beside import value_section
from abtest.reports.wording import Wording
from abtest.reports.write import render
from tests.analysis.besides import END, METRICS, World, users, write

VALUE = "value: spent\n"
ROLES = "goal: [likes, liker, per_post, typical], guardrail: [spent], secondary: [posts]"


def goal(result: Result, metric: str = "likes") -> ValueGoal:
    assert result.value is not None
    return next(g for g in result.value.goals if g.metric == metric)


def together(result: Result, metric: str = "likes") -> Together:
    return goal(result, metric).together[0]


def main(result: Result, metric: str) -> Comparison:
    return result.metric(metric).comparisons[0]


def unadjusted(folder: Path) -> Path:
    text = (folder / "abtest.yml").read_text("utf-8").replace("timezone: UTC", "timezone: UTC, default_adjust: none", 1)
    (folder / "abtest.yml").write_text(text, encoding="utf-8")
    return folder


def covariance(found: pd.DataFrame, first: pd.Series, second: pd.Series) -> float:
    """Of the two differences of means: that of the values in each arm over its units."""
    arms = [found.t == t for t in (0, 1)]
    return float(sum(np.cov(first[a], second[a])[0, 1] / a.sum() for a in arms))


def left_over(found: pd.DataFrame, metric: str) -> pd.Series:
    """The metric less its slope, within arms, on itself before exposure."""
    within = found.groupby("t")[[metric, f"{metric}_before"]].transform(lambda x: x - x.mean())
    slope = (within[metric] * within[f"{metric}_before"]).sum() / (within[f"{metric}_before"] ** 2).sum()
    return found[metric] - slope * found[f"{metric}_before"]


def test_joint_effect_without_adjustment(tmp_path: Path) -> None:
    folder = unadjusted(write(tmp_path, VALUE, roles=ROLES))
    result, found = abtest.run("x", folder), users(folder)
    of = together(result)
    assert (of.status, of.units) == ("ok", len(found))
    e, r = main(result, "likes").absolute, main(result, "spent").absolute
    assert (of.goal, of.value) == (e, r)
    assert e is not None
    assert r is not None
    assert e.se is not None
    assert r.se is not None
    cov = covariance(found, found.likes, found.spent)
    assert of.correlation == pytest.approx(cov / e.se / r.se, rel=1e-9)
    d = np.array([e.estimate, r.estimate])
    matrix = np.array([[e.se**2, cov], [cov, r.se**2]])
    assert of.region is not None
    assert of.region.p_value == pytest.approx(stats.chi2.sf(d @ np.linalg.inv(matrix) @ d, 2), rel=1e-6)
    sizes = np.sqrt(np.linalg.eigvalsh(matrix) * stats.chi2.ppf(0.95, 2))
    assert (of.region.minor, of.region.major) == (pytest.approx(sizes[0], rel=1e-9), pytest.approx(sizes[1], rel=1e-9))


def test_joint_effect_of_what_adjustment_leaves(tmp_path: Path) -> None:
    folder = write(tmp_path, VALUE, roles=ROLES)
    result, found = abtest.run("x", folder), users(folder)
    assert [main(result, m).method for m in ("likes", "spent")] == ["cuped", "cuped"]
    of = together(result)
    e, r = main(result, "likes").absolute, main(result, "spent").absolute
    assert (of.goal, of.value) == (e, r)
    cov = covariance(found, left_over(found, "likes"), left_over(found, "spent"))
    assert of.correlation == pytest.approx(cov / e.se / r.se, rel=1e-9)  # type: ignore[union-attr, operator]
    plain = covariance(found, found.likes, found.spent)
    assert abs(cov) < 0.8 * abs(plain)


def test_a_ratio_is_linearised(tmp_path: Path) -> None:
    folder = unadjusted(write(tmp_path, VALUE, roles=ROLES))
    result, found = abtest.run("x", folder), users(folder)
    line = pd.Series(0.0, index=found.index)
    for t in (0, 1):
        own = found[found.t == t]
        ratio = own.likes.sum() / own.posts.sum()
        line[own.index] = (own.likes - ratio * own.posts) / own.posts.mean()
    e, r = main(result, "per_post").absolute, main(result, "spent").absolute
    cov = covariance(found, line, found.spent)
    assert together(result, "per_post").correlation == pytest.approx(cov / e.se / r.se, rel=1e-9)  # type: ignore[union-attr, operator]
    assert {a.reason for a in goal(result, "per_post").associations} == {"ratio"}


def test_units_without_one_of_the_metrics(tmp_path: Path) -> None:
    """A goal among some users only: those without it add nothing to the covariance of the two estimates."""
    metrics = METRICS.replace(
        "over: first 14 days, better: higher}", "over: first 14 days, better: higher, among: plan = free}", 1
    )
    folder = unadjusted(write(tmp_path, VALUE, metrics=metrics))
    result, found = abtest.run("x", folder), users(folder)
    free = found[found.plan == "free"]
    assert main(result, "likes").absolute is not None
    assert result.metric("likes").arms[0].used == (free.t == 0).sum()
    cov = sum(np.cov(free[free.t == t].likes, free[free.t == t].spent)[0, 1] / (found.t == t).sum() for t in (0, 1))
    e, r = main(result, "likes").absolute, main(result, "spent").absolute
    assert together(result).units == len(free)
    assert together(result).correlation == pytest.approx(cov / e.se / r.se, rel=1e-9)  # type: ignore[union-attr, operator]


@pytest.mark.parametrize(
    ("world", "quadrant"),
    [
        (World(lift=2.0, spend=0.2), "trade_off_up"),
        (World(lift=2.0, spend=3.0), "win_win"),
        (World(lift=0.4, spend=3.0), "trade_off_down"),
        (World(lift=0.4, spend=0.2), "lose_lose"),
        (World(lift=1.0), "unclear"),
    ],
)
def test_quadrants_and_break_even(tmp_path: Path, world: World, quadrant: str) -> None:
    result = abtest.run("x", write(tmp_path, VALUE, world))
    of = together(result)
    assert of.quadrant == quadrant
    assert of.rate is not None
    assert of.goal is not None
    assert of.value is not None
    assert of.rate.estimate == pytest.approx(-of.goal.estimate / of.value.estimate, rel=1e-12)
    text = render(result, "html", "en").replace("\u00a0", " ")
    if quadrant.startswith("trade_off"):
        assert of.rate.kind == "bounded"
        # At its ends the sum of both effects, at that rate, is just told from zero.
        for w in (of.rate.low, of.rate.high):
            assert w is not None
            e, r, rho = of.goal.se or 0, of.value.se or 0, of.correlation or 0
            se = np.sqrt(e**2 + 2 * w * rho * e * r + (w * r) ** 2)
            assert abs((of.goal.estimate + w * of.value.estimate) / se) == pytest.approx(
                stats.norm.ppf(0.975), rel=1e-6
            )
        assert "One was gained at the price of the other." in text
    if quadrant == "unclear":
        assert "is not clear, since at least one change is not" in text
        assert of.rate.kind in ("outside", "everything")


def test_engaged_by_buyer_within_each_variant(tmp_path: Path) -> None:
    folder = write(tmp_path, VALUE, roles=ROLES)
    result, found = abtest.run("x", folder), users(folder)
    tables = {}
    for key, t in (("va", 0), ("vb", 1)):
        own = found[found.t == t]
        both = pd.crosstab(own.likes < 4, own.spent <= 0).to_numpy()
        tables[key] = Table2x2(both.astype(float), shift_zeros=False)
        of = next(a for a in goal(result, "liker").associations if a.variant == key)
        assert of.cells == tuple(both.ravel())
        assert of.phi is not None
        assert of.phi.estimate == pytest.approx(np.corrcoef(own.likes >= 4, own.spent > 0)[0, 1], rel=1e-9)
        assert of.odds_ratio is not None
        assert of.odds_ratio.estimate == pytest.approx(tables[key].oddsratio, rel=1e-9)
        low, high = tables[key].oddsratio_confint()
        assert (of.odds_ratio.low, of.odds_ratio.high) == (pytest.approx(low, rel=1e-6), pytest.approx(high, rel=1e-6))
    (change,) = goal(result, "liker").changes
    difference = tables["vb"].log_oddsratio - tables["va"].log_oddsratio
    z = difference / np.hypot(tables["vb"].log_oddsratio_se, tables["va"].log_oddsratio_se)
    assert change.ratio is not None
    assert change.ratio.estimate == pytest.approx(np.exp(difference), rel=1e-9)
    assert change.p_value == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-6)


def test_small_cells_are_not_shown_nor_what_would_give_them_away(tmp_path: Path) -> None:
    folder = write(tmp_path, VALUE, World(units=300))
    result, found = abtest.run("x", folder), users(folder)
    smallest = pd.crosstab([found.t, found.likes > 0], found.spent > 0).loc[0].to_numpy().min()
    assert smallest < 10
    of = next(a for a in goal(result).associations if a.variant == "va")
    assert of == Association("va", "no_test", "small_cell")
    assert [(c.status, c.reason, c.ratio) for c in goal(result).changes] == [("no_test", "small_cell", None)]
    assert "fewer than 10 in a cell, not shown" in render(result, "html", "en")


def test_what_cannot_be_said_has_a_reason(tmp_path: Path) -> None:
    result = abtest.run("x", write(tmp_path / "a", VALUE, roles=ROLES))
    assert (together(result, "typical").status, together(result, "typical").reason) == ("no_test", "kind")
    assert {a.reason for a in goal(result, "typical").associations} == {"kind"}
    few = abtest.run("x", write(tmp_path / "b", VALUE, World(units=40)))
    assert (together(few).status, together(few).reason) == ("no_test", "not_enough_units")
    constant = METRICS.replace("sum(buy.total)", "0 * sum(buy.total)")
    none = abtest.run("x", write(tmp_path / "c", VALUE, World(units=200), metrics=constant))
    assert (together(none).status, together(none).reason) == ("no_test", "zero_variance")
    assert {a.reason for a in goal(none).associations} == {"small_cell"}
    assert abtest.run("x", write(tmp_path / "d", "", World(units=40))).value is None


def test_two_metrics_that_determine_each_other(tmp_path: Path) -> None:
    metrics = METRICS + "  twice: {amount: 2 * like, over: first 14 days, better: higher, margin: 30%}\n"
    folder = unadjusted(
        write(tmp_path, "value: twice\n", World(units=300), metrics=metrics, roles="goal: [likes], guardrail: [twice]")
    )
    of = together(abtest.run("x", folder))
    assert of.correlation == pytest.approx(1.0, abs=1e-9)
    assert of.region is not None
    assert (of.region.status, of.region.reason) == ("no_test", "collinear")


def test_before_the_planned_end_nothing_is_read_but_bands(tmp_path: Path) -> None:
    folder = write(
        tmp_path, VALUE, World(spend=0.5), roles="goal: [liker], guardrail: [spent]", end=END.replace(month=4, day=30)
    )
    result = abtest.run("x", folder)
    of = together(result, "liker")
    assert of.band
    assert of.goal == main(result, "liker").always_valid_absolute
    section = value_section(Wording(result))
    assert section is not None
    assert section.leads[0].startswith("So far ")
    assert section.plain[0].rows[0][4:] == ("open until the end", "open until the end")
    assert section.leads[-1].endswith("is open until the planned end.")


def test_a_sequential_plan_has_no_region_for_one_look(tmp_path: Path) -> None:
    folder = write(tmp_path, f"{VALUE}plan: {{method: sequential}}\n", roles="goal: [liker], guardrail: [spent]")
    result = abtest.run("x", folder)
    assert together(result, "liker").band
    assert together(result, "liker").goal == main(result, "liker").absolute
    section = value_section(Wording(result))
    assert section is not None
    assert section.plain[0].rows[0][4:] == ("not made for every look", "not made for every look")
    assert section.leads[-1].endswith("is not said in a plan that may be read at every look.")


def test_lower_is_better(tmp_path: Path) -> None:
    """Fewer likes would be better here: raising them and spending is then a trade-off, with a positive rate."""
    metrics = METRICS.replace(
        "amount: like, over: first 14 days, better: higher", "amount: like, over: first 14 days, better: lower", 1
    )
    result = abtest.run("x", write(tmp_path, VALUE, World(lift=2.0, spend=3.0), metrics=metrics))
    assert together(result).quadrant == "trade_off_down"
    section = value_section(Wording(result))
    assert section is not None
    rate, _, rest = section.plain[0].rows[0][5].partition(" ")
    assert float(rate) > 0
    assert rest.startswith("(")


def test_round_trip_and_same_bytes(tmp_path: Path) -> None:
    first = abtest.run("x", write(tmp_path / "a", VALUE, World(units=400), roles=ROLES), threads=1)
    second = abtest.run("x", write(tmp_path / "b", VALUE, World(units=400), roles=ROLES, shuffle=3), threads=8)
    assert first.to_json() == second.to_json()
    assert render(first, "html", "en") == render(second, "html", "en")
    assert Result.from_json(first.to_json()) == first
