"""`abtest calibrate`: each split's p-value is that of the report's own test, every metric has a row, the command's codes."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, binomtest, ttest_ind

import abtest as package
from abtest.analysis.calibrate import Calibration, calibrate
from abtest.analysis.calibrate_units import _matrices
from abtest.problems import UserError
from abtest.reports.calibrate import render_page, render_table
from abtest.stats.adjust import cuped
from abtest.stats.contrast import contrast
from abtest.stats.matrix import matrix_of
from abtest.stats.rerandomise import count_band, exact_bounds
from abtest.stats.splits import split_labels
from tests.analysis import clustered, covaried, kinds
from tests.command import abtest
from tests.reports.page import Page


def of(folder: Path, name: str, **options: int) -> Calibration:
    project = package.load(folder)
    return calibrate(project, project.experiments[name], **options)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    return of(kinds.write_project(tmp_path_factory.mktemp("kinds"), people=300), "kinds", splits=100)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return covaried.write(tmp_path_factory.mktemp("covaried"))


def test_every_metric_has_a_row_with_a_rate_or_a_reason(everything: Calibration) -> None:
    assert {m.metric for m in everything.metrics} >= set(kinds.NAMES)
    for m in everything.metrics:
        assert (m.status == "no_test") == (m.reason is not None) == (m.rate is None), m.metric
        if m.rate is not None:
            assert sum(m.bins) == m.tested
            assert m.low is not None
            assert m.high is not None
            assert m.low <= m.rate <= m.high
    tried = {m.estimator for m in everything.tried}
    assert tried == {"mean", "proportion", "ratio", "quantile"}


def test_adjusted_splits_are_the_adjusted_test_on_their_rows() -> None:
    draw = np.random.default_rng(1)
    x = draw.gamma(2.0, 1.0, 600)
    y = x + draw.normal(0.0, 1.0, 600)
    counts = draw.random(600) < 0.9
    found = _matrices([y[counts], x[counts]], counts, False, 0.5, 6, 3)
    for (one, other), who in zip(found, split_labels(600, 0.5, splits=6, seed=3), strict=True):
        rows = [np.stack([y, x], axis=1)[side & counts] for side in (who, ~who)]
        expected = cuped(*(matrix_of(r) for r in rows))
        mine = cuped(one, other)
        assert expected is not None
        assert mine is not None
        p = [contrast(a.treatment, a.control, method="cuped", cov=a.cov).p_value for a in (mine, expected)]
        assert p[0] == pytest.approx(p[1], rel=1e-6)


@pytest.mark.parametrize(("called", "splits", "missed"), [(0, 512, 0.01), (26, 512, 0.0005), (512, 512, 0.01), (3, 100, 0.2)])  # fmt: skip
def test_bounds_and_bands_against_scipy(called: int, splits: int, missed: float) -> None:
    bounds = binomtest(called, splits).proportion_ci(1.0 - missed, method="exact")
    assert exact_bounds(called, splits, missed) == pytest.approx((bounds.low, bounds.high), rel=1e-8)
    low, high = count_band(splits, 0.1, missed)
    assert binom.cdf(low - 1, splits, 0.1) <= missed / 2 < binom.cdf(low, splits, 0.1)
    assert binom.sf(high, splits, 0.1) <= missed / 2 < binom.sf(high - 1, splits, 0.1)


def test_whole_clusters_are_split_and_quantiles_say_why_not(tmp_path: Path) -> None:
    found = of(clustered.write(tmp_path), "x", splits=200)
    rows = {m.metric: m for m in found.metrics}
    assert found.clustered
    assert found.units == 140
    assert rows["likes"].method == "cluster_cr2" or rows["likes"].method == "cluster"
    assert rows["likes"].status == "fine"
    assert (rows["top"].status, rows["top"].reason) == ("no_test", "clustered")


def test_the_command_writes_a_page_and_the_same_bytes(folder: Path) -> None:
    done = abtest("calibrate", "x", "--project", str(folder), "--splits", "200")
    assert done.code == 0, done.err
    assert "Likes" in done.out
    assert "Monte-Carlo error of a rate: 1.54%" in done.out
    out = folder / "out" / "x"
    first = (out / "calibration.json").read_bytes()
    again = abtest("calibrate", "x", "--project", str(folder), "--splits", "200", "--json", "--threads", "1")
    assert again.out.encode() == first
    raw = json.loads(first)
    assert raw["splits"] == 200
    seen = Page((out / "calibration.html").read_text("utf-8")).seen
    assert "Coverage" in seen
    other = abtest("calibrate", "x", "--project", str(folder), "--splits", "200", "--json", "--seed", "4")
    assert json.loads(other.out)["seed"] == 4


def test_a_rate_that_is_off_gives_its_own_exit_code(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With p-values that are a quarter of what they should be."""
    import abtest.analysis.calibrate_units as units

    true = units._trial

    def small(*of: object) -> units.Trial:
        trial = true(*of)  # type: ignore[arg-type]
        return replace(trial, p_values=trial.p_values / 4.0)

    monkeypatch.setattr(units, "_trial", small)
    done = abtest("calibrate", "x", "--project", str(folder))
    assert done.code == 13
    assert "Too many" in done.out


def test_nothing_to_split_is_one_sentence(folder: Path) -> None:
    unknown = abtest("calibrate", "y", "--project", str(folder))
    assert (unknown.code, unknown.err.count("E205")) == (2, 1)
    few = abtest("calibrate", "x", "--project", str(folder), "--splits", "3")
    assert few.code == 2
    assert "--splits 3 is not possible" in few.err


def small(folder: Path, users: int, likes: int) -> Path:
    """One file with a row per user: half of them treated, everyone with as many likes."""
    folder.mkdir()
    rows = [f"u{i},{'ab'[i % 2]},{likes}" for i in range(users)]
    (folder / "users.csv").write_text("\n".join(["user_id,group,likes", *rows]) + "\n")
    (folder / "abtest.yml").write_text(
        "project: {name: small}\nsources:\n  shop:\n    kind: outcomes\n    files: users.csv\n"
        "    units: {user: user_id}\n    columns: {variant: group}\n    properties: {likes: {from: likes, type: number}}\n"
        "metrics:\n  likes: {column: shop.likes, better: higher}\n"
    )
    (folder / "x.yml").write_text(
        "experiment: x\nunit: user\nexposure: {source: shop}\n"
        "variants: {control: {key: a, share: 50%}, new: {key: b, share: 50%}}\nbaseline: control\nmetrics: {goal: [likes]}\n"
    )
    return folder


def test_too_few_units_and_a_metric_without_variance(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="E430") as caught:
        of(small(tmp_path / "few", 12, 7), "x")
    assert caught.value.exit_code == 3
    with pytest.raises(UserError, match=r"E431.*zero_variance"):
        of(small(tmp_path / "flat", 60, 7), "x")


def test_pages_in_both_languages_have_a_row_per_metric(everything: Calibration) -> None:
    for language in ("en", "nl"):
        page = render_page(everything, language=language)
        assert page.count("<tr><th scope=row>") + page.count('<tr><th scope="row">') == len(everything.metrics)
        assert "<script" not in page
        table = render_table(everything, width=80, colour=False, ascii_only=True, language=language)
        assert max(map(len, table.splitlines())) <= 80
        assert table.isascii()


def test_a_plain_mean_against_a_loop_over_scipy() -> None:
    from abtest.stats.rerandomise import UnitColumn, p_values

    x = np.random.default_rng(5).gamma(0.5, 2.0, 2000)
    (found,) = p_values([UnitColumn("mean", x)], 0.5, splits=20, seed=8)
    for p, who in zip(found, split_labels(2000, 0.5, splits=20, seed=8), strict=True):
        assert p == pytest.approx(ttest_ind(x[who], x[~who], equal_var=False).pvalue, abs=2e-3)
        assert not math.isnan(p)
