"""Other looks beside the main test: ranks of answers as they were given, agreement of items, whole groups, curves."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

import abtest
from abtest.analysis.looks import told_doses
from abtest.analysis.result import Beside, MetricResult, Result
from abtest.reports.html import render_html
from tests.analysis.kinds import write_project


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("kinds") / "project")


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    return abtest.run("kinds", folder)


@pytest.fixture(scope="module")
def answers(folder: Path) -> pd.DataFrame:
    """The last answer of every unit within 14 days, by variant."""
    form = pd.read_csv(folder / "form.csv", parse_dates=["at"])
    flags = pd.read_csv(folder / "flags.csv", parse_dates=["at"]).rename(columns={"at": "x"})
    both = form.merge(flags, on="uid")
    days = (both["at"].dt.normalize() - both["x"].dt.normalize()).dt.days
    both = both[(both["at"] >= both["x"]) & (days < 14)].sort_values("at")
    return both.groupby("uid").last()


def look(metric: MetricResult, method: str) -> Beside:
    return next(b for b in metric.beside if b.method == method)


def test_nps_is_ranked_by_the_answers_and_not_by_the_score(result: Result, answers: pd.DataFrame) -> None:
    found = look(result.metric("nps"), "brunner_munzel")
    control, treatment = (answers[answers.variant == v].q1 for v in ("a", "b"))
    expected = scipy.stats.brunnermunzel(control, treatment)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.estimate is not None
    wins = np.mean([(t > c) + (t == c) / 2 for t in treatment for c in control])
    assert found.estimate.estimate == pytest.approx(wins, rel=1e-9)


def test_a_score_has_no_percentage(result: Result) -> None:
    comparison = result.metric("nps").comparisons[0]
    assert (comparison.relative, comparison.relative_reason) == (None, "score")


def test_the_items_of_a_scale(folder: Path, result: Result) -> None:
    form = pd.read_csv(folder / "form.csv").merge(pd.read_csv(folder / "flags.csv")[["uid", "variant"]], on="uid")
    items = pd.DataFrame({"a": form.q2, "b": form.q3, "c": 6 - form.q4})
    centred = items - items.groupby(form.variant).transform("mean")
    s = centred.T @ centred / (len(items) - 2)
    k = 3
    alpha = k / (k - 1) * (1 - np.trace(s) / s.to_numpy().sum())
    found = look(result.metric("trust"), "cronbach_alpha")
    assert found.estimate is not None
    assert found.estimate.estimate == pytest.approx(alpha, rel=1e-9)
    assert found.values is not None
    assert (found.values["items"], found.values["answers"]) == (3, len(items))
    assert found.values["band"] in ("negative", "unusable")  # drawn at random


def test_a_group_is_asked_as_a_whole(result: Result) -> None:
    metric = result.metric("cells")
    found = look(metric, "homogeneity")
    parts = [m for m in result.metrics if m.part_of == "cells" and m.key != "cells.known"]
    table = [
        [round((a.value or 0) * a.used) for m in parts for a in m.arms if a.variant == v] for v in ("control", "new")
    ]
    seen = np.array(table)[:, np.array(table).sum(0) > 0]
    expected = scipy.stats.chi2_contingency(seen, correction=False)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6)
    assert found.df == expected.dof


def test_the_page_shows_them_without_labels(result: Result) -> None:
    page = render_html(result)
    assert "Other looks at these metrics" in page
    assert "chance to be higher" in page
    assert "over 3 items" in page
    assert "share of units still waiting" in page or not result.metric("waiting").curves[0].points


def test_json_round_trip(result: Result) -> None:
    assert Result.from_json(result.to_json()) == result


def test_the_quantile_of_a_variant_by_ranks(tmp_path: Path) -> None:
    from abtest.stats.order_statistics import rank_interval
    from tests.analysis.covaried import frame, write

    folder = write(
        tmp_path,
        "  middle: {quantile: {of: like, at: 50%, across: units}, over: first 14 days, better: higher}\n",
        units=300,
    )
    result = abtest.run("x", folder)
    looks = {b.variant: b for b in result.metric("middle").beside}
    users = frame(folder)
    for variant, t in (("control", 0), ("new", 1)):
        ordered = np.sort(users[users.t == t].like_after.to_numpy())
        ranks = rank_interval(len(ordered), 0.5)
        assert ranks.low is not None
        assert ranks.high is not None
        found = looks[variant].estimate
        assert found is not None
        assert (found.low, found.high) == (ordered[ranks.low - 1], ordered[ranks.high - 1])
        assert looks[variant].values == {"coverage": ranks.coverage}
    assert "exact coverage 95" in render_html(result)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=12),
    st.integers(1, 20),
)
def test_no_few_units_can_be_told_from_a_dose_curve(counts: list[tuple[int, int]], floor: int) -> None:
    arms = [tuple((float(v), pair[i]) for v, pair in enumerate(counts) if pair[i]) for i in (0, 1)]
    thresholds = [float(v) for v in range(1, len(counts))]
    shown = sorted(told_doses(thresholds, arms[0], arms[1], floor))
    for arm in arms:
        ends = [-1.0, *shown, float(len(counts))]
        cells = [sum(n for v, n in arm if low <= v < high) for low, high in pairwise(ends)]
        if shown:
            assert all(n >= floor for n in cells[1:])
            assert cells[0] == 0 or cells[0] >= floor
    if all(n >= floor for pair in counts for n in pair):
        assert shown == thresholds
