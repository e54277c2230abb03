"""Segments: tests of differences corrected over all splits and goals, and shrunken effects, recounted from the rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

import abtest
from abtest.analysis.result import Result, SegmentResult
from abtest.reports.sections import build_page
from abtest.reports.wording import Wording
from tests.analysis.besides import World, users, write

DIFFERENT = World(by_country=True)
SPLITS = "segments: [country, plan]\n"


def raw(folder: Path, experiment: str = SPLITS, world: World = DIFFERENT, roles: str = "goal: [likes, spent]") -> Path:
    """The project without adjustment, so that effects are differences of means."""
    write(folder, experiment, world, roles=roles)
    text = (folder / "abtest.yml").read_text("utf-8").replace("timezone: UTC", "timezone: UTC, default_adjust: none", 1)
    (folder / "abtest.yml").write_text(text, encoding="utf-8")
    return folder


def effects(found: pd.DataFrame, by: str, metric: str) -> dict[str, tuple[float, float]]:
    """Difference of means and its standard error, per group."""
    result = {}
    for label, group in found.groupby(by):
        t, c = group[group.t == 1][metric], group[group.t == 0][metric]
        result[str(label)] = (t.mean() - c.mean(), float(np.sqrt(t.var() / len(t) + c.var() / len(c))))
    return result


def split(result: Result, dimension: str, metric: str) -> SegmentResult:
    return next(s for s in result.segments if (s.dimension, s.metric) == (dimension, metric))


def q_p(of: dict[str, tuple[float, float]]) -> float:
    e, s = (np.array(x) for x in zip(*of.values(), strict=True))
    pooled = np.average(e, weights=s**-2)
    return float(stats.chi2.sf(np.sum(((e - pooled) / s) ** 2), len(e) - 1))


def test_interaction_tests_are_one_family(tmp_path: Path) -> None:
    result = abtest.run("x", raw(tmp_path))
    found = users(tmp_path)
    keys = [("country", "likes"), ("country", "spent"), ("plan", "likes"), ("plan", "spent")]
    wanted = [q_p(effects(found, d, m)) for d, m in keys]
    adjusted = multipletests(wanted, method="fdr_bh")[1]
    for key, p, q in zip(keys, wanted, adjusted, strict=True):
        assert split(result, *key).interaction_p == pytest.approx(p, rel=1e-6)
        assert split(result, *key).interaction_p_adjusted == pytest.approx(q, rel=1e-6)
    assert wanted[0] < 1e-6
    lead = build_page(Wording(result)).evidence["segments"].leads[0].replace("\u00a0", " ")
    assert lead == "The change differs between the groups of country (adjusted p < 0.05; 4 tests, Benjamini–Hochberg)."


def test_shrunken_effects(tmp_path: Path) -> None:
    """DerSimonian-Laird and Morris's formulas written once more, with numpy."""
    result = abtest.run("x", raw(tmp_path))
    of = effects(users(tmp_path), "country", "likes")
    labels, pairs = list(of), np.array(list(of.values()))
    e, v = pairs[:, 0], pairs[:, 1] ** 2
    w = 1 / v
    q = np.sum(w * (e - np.average(e, weights=w)) ** 2)
    tau2 = max(0.0, (q - len(e) + 1) / (w.sum() - (w**2).sum() / w.sum()))
    assert tau2 > 0
    star = 1 / (v + tau2)
    centre = np.average(e, weights=star)
    keep = tau2 / (tau2 + v)
    r = (len(e) / star.sum()) / (v + tau2)
    sd = np.sqrt(keep * v + (1 - keep) ** 2 * (1 / star.sum() + 2 / max(1, len(e) - 3) * r * (e - centre) ** 2))
    groups = {g.label: g for g in split(result, "country", "likes").groups}
    for i, label in enumerate(labels):
        (found,) = groups[label].shrunken
        assert found.variant == "vb"
        assert found.absolute.estimate == pytest.approx(centre + keep[i] * (e[i] - centre), rel=1e-9)
        assert found.absolute.se == pytest.approx(sd[i], rel=1e-9)
        assert found.absolute.low == pytest.approx(found.absolute.estimate - stats.norm.ppf(0.975) * sd[i], rel=1e-6)
        raw_effect = groups[label].comparisons[0].absolute
        assert raw_effect is not None
        assert abs(found.absolute.estimate - centre) < abs(raw_effect.estimate - centre)


def test_without_a_correction_raw_p_values_judge(tmp_path: Path) -> None:
    folder = raw(tmp_path, f"{SPLITS}plan: {{correct: {{segments: none}}}}\n")
    result = abtest.run("x", folder)
    assert {s.interaction_p_adjusted for s in result.segments} == {None}
    assert result.plan.correct_segments == "none"
    lead = build_page(Wording(result)).evidence["segments"].leads[0]
    assert "The 4 tests are not adjusted for their number" in lead


def test_tiny_groups_are_shown_but_not_tested(tmp_path: Path) -> None:
    """160 users in four countries: groups of some 20 per variant, above the privacy floor and too small for Q."""
    result = abtest.run("x", raw(tmp_path, world=World(units=160, by_country=True), roles="goal: [likes]"))
    country = split(result, "country", "likes")
    assert len(country.groups) >= 3
    assert (country.interaction_p, country.interaction_reason) == (None, "not_enough_groups")
    assert all(g.shrunken == () for g in country.groups)
    assert "difference between groups: not tested, too few groups that are large enough" in " ".join(
        g.note for t in build_page(Wording(result)).evidence["segments"].tables for g in t.groups
    )


def test_several_treatments_share_one_test(tmp_path: Path) -> None:
    result = abtest.run("x", raw(tmp_path, world=World(arms=3, units=1500), roles="goal: [likes]"))
    found = users(tmp_path)
    total, freedom = 0.0, 0
    for key in "bc":
        of = effects(found[found.variant.isin(["a", key])], "country", "likes")
        e, s = (np.array(x) for x in zip(*of.values(), strict=True))
        total += float(np.sum(((e - np.average(e, weights=s**-2)) / s) ** 2))
        freedom += len(e) - 1
    country = split(result, "country", "likes")
    assert country.interaction_p == pytest.approx(float(stats.chi2.sf(total, freedom)), rel=1e-6)
    assert [s.variant for s in country.groups[0].shrunken] == ["vb", "vc"]


def test_the_order_of_rows_and_threads_change_no_byte(tmp_path: Path) -> None:
    first = abtest.run("x", write(tmp_path / "a", SPLITS, World(units=400)), threads=1)
    second = abtest.run("x", write(tmp_path / "b", SPLITS, World(units=400), shuffle=7), threads=8)
    assert first.to_json() == second.to_json()


def test_a_test_of_an_attribute_splits_into_yes_and_no(tmp_path: Path) -> None:
    """Who has no such property is in neither group."""
    tests = "segments: ['people.country in (AT, BR)', people.plan]\n"
    folder = raw(tmp_path, tests)
    found = users(folder)
    people = pd.read_csv(folder / "people.csv")
    people.loc[:99, "country"] = ""
    people.to_csv(folder / "people.csv", index=False)
    result = abtest.run("x", folder)
    found["asked"] = np.where(found.country.isin(["AT", "BR"]), "yes", "no")
    found.loc[[f"u{i}" for i in range(100)], "asked"] = "(unknown)"
    own = split(result, "people.country in (AT, BR)", "likes")
    assert {g.label for g in own.groups} == {"yes", "no", "(unknown)"}
    for group in own.groups:
        rows = found[found.asked == group.label]
        assert [a.used for a in group.arms] == [int((rows.t == t).sum()) for t in (0, 1)]
        effect, error = effects(found, "asked", "likes")[str(group.label)]
        absolute = group.comparisons[0].absolute
        assert absolute is not None
        assert (absolute.estimate, absolute.se) == pytest.approx((effect, error), rel=1e-9)
