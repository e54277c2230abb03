"""Effects adjusted by what units did before exposure: from YAML to result, counted a second time with pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import abtest
from abtest.analysis.result import Comparison, Result
from abtest.reports.write import render
from abtest.stats.adjust import lin
from tests.analysis.covaried import ancova, frame, write


def comparison(result: Result, name: str = "likes") -> Comparison:
    return result.metric(name).comparisons[0]


def effect(found: Comparison) -> float:
    assert found.absolute is not None
    return found.absolute.estimate


def test_by_default_the_same_metric_before(tmp_path: Path) -> None:
    folder = write(tmp_path)
    found = comparison(abtest.run("x", folder))
    users = frame(folder)
    assert found.method == "cuped"
    assert effect(found) == pytest.approx(ancova(users, "like_after", ["like_before"])[0], rel=1e-9)
    adjustment = found.adjustment
    assert adjustment is not None
    assert adjustment.covariates == ("likes",)
    assert adjustment.unknown == 0
    assert adjustment.treatment - adjustment.control == pytest.approx(effect(found), rel=1e-12)
    raw = users[users.t == 1].like_after.mean() - users[users.t == 0].like_after.mean()
    assert adjustment.raw_absolute is not None
    assert adjustment.raw_absolute.estimate == pytest.approx(raw, rel=1e-9)
    assert adjustment.traffic > 1.5
    assert found.absolute is not None
    assert found.absolute.se == pytest.approx(adjustment.raw_absolute.se / adjustment.traffic**0.5, rel=1e-9)
    assert found.relative is not None
    assert found.relative.estimate == pytest.approx(adjustment.treatment / adjustment.control - 1, rel=1e-12)


def test_recurring_shares_ratios_money_and_yes_or_no(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        "  weeks: {did: like >= 2, per: week, over: first 14 days, better: higher}\n"
        "  per_open: {ratio: {of: like, to: open}, over: first 14 days, better: higher}\n"
        "  spent: {amount: sum(buy.revenue), over: first 14 days, better: higher}\n"
        "  liker: {did: like >= 4, over: first 14 days, better: higher}\n"
        "  back: {retention: like, day: 7, better: higher}\n",
        units=600,
    )
    result = abtest.run("x", folder)
    users = frame(folder)
    for name in ("weeks", "per_open", "spent", "liker", "back"):
        assert comparison(result, name).method == "cuped", name
        assert comparison(result, name).adjustment is not None, name
    assert effect(comparison(result, "spent")) == pytest.approx(
        ancova(users, "spent_after", ["spent_before"])[0], rel=1e-9
    )
    # A ratio, linearised in each arm, by the linearised ratio before (Deng et al. 2013, appendix B).
    for when in ("after", "before"):
        users[f"r_{when}"] = 0.0
        for t in (0, 1):
            own = users.t == t
            x, y = users.loc[own, f"like_{when}"], users.loc[own, f"open_{when}"]
            ratio = x.sum() / y.sum()
            users.loc[own, f"r_{when}"] = ratio + (x - ratio * y) / y.mean()
    assert effect(comparison(result, "per_open")) == pytest.approx(ancova(users, "r_after", ["r_before"])[0], rel=1e-9)


def test_units_without_history_get_an_indicator(tmp_path: Path) -> None:
    folder = write(tmp_path, before=24, units=500)
    found = comparison(abtest.run("x", folder))
    users = frame(folder)
    assert 0.2 < users.known.mean() < 0.8
    users["x"] = users.like_before.where(users.known, 0)
    users["m"] = (~users.known).astype(float)
    assert effect(found) == pytest.approx(ancova(users, "like_after", ["x", "m"])[0], rel=1e-9)
    assert found.adjustment is not None
    assert found.adjustment.covariates == ("likes", "likes unknown")
    assert found.adjustment.unknown == pytest.approx(1 - users.known.mean())


@pytest.mark.parametrize(
    ("metrics", "more", "before", "why"),
    [
        ("  likes: {amount: like, over: first 14 days, better: higher, adjust: none}\n", "", 40, "off"),
        ("  likes: {amount: like, over: first 14 days, better: higher}\n", ", default_adjust: none", 40, "off"),
        ("  likes: {amount: like, over: first 14 days, better: higher}\n", "", 0, "no_history"),
        (
            "  likes: {amount: like, over: first 14 days, better: higher}\n",
            ", default_adjust: 60 days",
            40,
            "no_history",
        ),
        (
            "  likes: {quantile: {of: like, at: 50%, across: units}, over: first 14 days, better: higher}\n",
            "",
            40,
            "kind",
        ),
        ("  likes: {did: like >= 40, over: first 14 days, better: higher}\n", "", 40, "few_conversions"),
    ],
)
def test_why_an_effect_is_not_adjusted(tmp_path: Path, metrics: str, more: str, before: int, why: str) -> None:
    found = comparison(abtest.run("x", write(tmp_path, metrics, more=more, before=before)))
    assert (found.adjustment, found.unadjusted) == (None, why)
    assert found.method in ("welch", "quantile", "exact")


def test_another_length_of_history(tmp_path: Path) -> None:
    folder = write(tmp_path, more=", default_adjust: 14 days", before=20)
    assert comparison(abtest.run("x", folder)).method == "cuped"


def test_by_attributes_and_named_metrics(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        "  likes: {amount: like, over: first 14 days, better: higher, adjust: [opens_before, people.age, people.vip]}\n"
        "  opens_before: {amount: open, over: before 28 days}\n",
    )
    text = (folder / "x.yml").read_text(encoding="utf-8").replace("goal: [likes, opens_before]", "goal: [likes]")
    (folder / "x.yml").write_text(text, encoding="utf-8")
    found = comparison(abtest.run("x", folder))
    expected = ancova(frame(folder), "like_after", ["open_before", "age", "vip"])[0]
    assert effect(found) == pytest.approx(expected, rel=1e-9)
    assert found.adjustment is not None
    assert found.adjustment.covariates == ("opens_before", "people.age", "people.vip")


def test_one_text_alone_makes_strata(tmp_path: Path) -> None:
    folder = write(tmp_path, "  likes: {amount: like, over: first 14 days, better: higher, adjust: people.plan}\n")
    found = comparison(abtest.run("x", folder))
    users = frame(folder)
    strata = [
        (len(g) / len(users)) * (g[g.t == 1].like_after.mean() - g[g.t == 0].like_after.mean())
        for _, g in users.groupby("plan")
    ]
    assert found.method == "post_stratified"
    assert effect(found) == pytest.approx(sum(strata), rel=1e-9)


def test_a_text_among_others_makes_yes_or_no_covariates(tmp_path: Path) -> None:
    metrics = "  likes: {amount: like, over: first 14 days, better: higher, adjust: [people.plan, people.age]}\n"
    folder = write(tmp_path, metrics)
    found = comparison(abtest.run("x", folder))
    users = frame(folder)
    for plan in ("free", "plus"):
        users[plan] = (users.plan == plan).astype(float)
    users["pro"] = (users.plan == "pro").astype(float)
    # Any two of three plans span the same.
    assert effect(found) == pytest.approx(ancova(users, "like_after", ["free", "plus", "age"])[0], rel=1e-9)
    assert found.adjustment is not None
    assert len([c for c in found.adjustment.covariates if c.startswith("people.plan = ")]) == 2


def arms_of(users: Any) -> tuple[Any, Any]:
    t, c = (users[users.t == t][["like_after", "like_before"]].to_numpy(dtype=float) for t in (1, 0))
    return t, c


def test_small_arms_and_unequal_ones_have_slopes_of_their_own(tmp_path: Path) -> None:
    small = write(tmp_path / "small", units=60)
    found = comparison(abtest.run("x", small))
    expected = lin(*arms_of(frame(small)))
    assert expected is not None
    assert found.method == "lin_hc2"
    assert found.absolute is not None
    variance = expected.treatment.variance + expected.control.variance - 2 * expected.cov
    assert effect(found) == pytest.approx(expected.treatment.value - expected.control.value, rel=1e-9)
    assert found.absolute.se == pytest.approx(variance**0.5, rel=1e-9)
    unequal = comparison(abtest.run("x", write(tmp_path / "unequal", share=80)))
    assert unequal.method == "lin"


def test_a_handful_of_units_is_not_adjusted(tmp_path: Path) -> None:
    found = comparison(abtest.run("x", write(tmp_path, units=14)))
    assert (found.adjustment, found.unadjusted, found.method) == (None, "few_units", "welch")


def test_order_of_rows_and_threads_change_no_byte(tmp_path: Path) -> None:
    for size in (60, 300):
        folder = write(tmp_path / f"{size}", units=size, before=24)
        one = abtest.run("x", folder, threads=1)
        path = folder / "app.csv"
        head, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        np.random.default_rng(3).shuffle(lines)
        path.write_text(head + "".join(lines), encoding="utf-8")
        other = abtest.run("x", folder, threads=8)
        assert render(one, ("json", "html"), "en") == render(other, ("json", "html"), "en")


def test_a_guardrail_and_a_sequential_plan_use_the_adjusted_effect(tmp_path: Path) -> None:
    metrics = "  likes: {amount: like, over: first 14 days, better: higher}\n"
    folder = write(tmp_path, metrics + "  opens: {amount: open, over: first 14 days, better: higher}\n")
    path = folder / "x.yml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "plan: {method: sequential}\n", encoding="utf-8")
    found = comparison(abtest.run("x", folder))
    assert found.always_valid_absolute is not None
    assert found.always_valid_absolute.estimate == pytest.approx(
        ancova(frame(folder), "like_after", ["like_before"])[0], rel=1e-9
    )
    guarded = text.replace("goal: [likes, opens]", "goal: [opens]\n  guardrail: [{likes: {margin: 10%}}]")
    path.write_text(guarded, encoding="utf-8")
    held = comparison(abtest.run("x", folder)).margin
    assert held is not None
    assert held.effect is not None
    adjusted = comparison(abtest.run("x", folder)).adjustment
    assert adjusted is not None
    assert held.effect.estimate == pytest.approx((adjusted.treatment / adjusted.control - 1) / 0.10, rel=1e-9)
