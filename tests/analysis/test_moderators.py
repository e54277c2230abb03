"""Moderators from files to result: against least squares of statsmodels from rows, and what cannot be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import abtest
from abtest.analysis import moderators as module
from abtest.analysis.beside import ModeratorResult
from abtest.analysis.result import Result
from abtest.problems import UserError
from tests.analysis.covaried import frame, write

METRICS = """\
  likes: {amount: like, over: first 14 days, better: higher}
  buyers: {did: buy, over: first 14 days, better: higher}
  per_open: {ratio: {of: like, to: open}, over: first 14 days, better: higher}
"""


def project(folder: Path, moderators: str = "[age]", units: int = 400, metrics: str = METRICS) -> Path:
    write(folder, metrics, units=units)
    path = folder / "x.yml"
    path.write_text(path.read_text("utf-8") + f"moderators: {moderators}\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = project(tmp_path_factory.mktemp("moderators"))
    people = pd.read_csv(made / "people.csv")
    people.loc[people.index % 13 == 0, "age"] = np.nan
    people.to_csv(made / "people.csv", index=False)
    return made


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    return abtest.run("x", folder)


def row(result: Result, metric: str) -> ModeratorResult:
    return next(m for m in result.moderators if m.metric == metric)


def fitted(folder: Path, column: str) -> tuple[Any, pd.DataFrame]:
    users = frame(folder).assign(age=pd.read_csv(folder / "people.csv").set_index("uid").age).dropna(subset=["age"])
    users["buyers"] = (users.spent_after > 0).astype(float)
    x = np.column_stack([np.ones(len(users)), users.t, users.age, users.t * users.age])
    return sm.OLS(users[column].to_numpy(), x).fit(cov_type="HC2", use_t=True), users


@pytest.mark.parametrize(("metric", "column"), [("likes", "like_after"), ("buyers", "buyers")])
def test_slopes_and_regions_are_those_of_rows(metric: str, column: str, folder: Path, result: Result) -> None:
    found = row(result, metric)
    fit, users = fitted(folder, column)
    assert found.slope is not None
    assert found.units == len(users)
    assert found.unknown == 400 - len(users)
    assert found.slope.estimate == pytest.approx(fit.params[3], rel=1e-8)
    assert found.slope.se == pytest.approx(fit.bse[3], rel=1e-7)
    assert found.p_value == pytest.approx(fit.pvalues[3], rel=1e-6)
    ages = np.sort(users.age.to_numpy())
    # Ten units, the privacy floor, is more than one percent here.
    assert (found.low, found.high) == (ages[9], ages[-10])
    assert found.at_low is not None
    for end, at in ((found.low, found.at_low), (found.high, found.at_high)):
        contrast = np.array([0.0, 1.0, 0.0, end])
        assert at is not None
        assert at.estimate == pytest.approx(contrast @ fit.params, rel=1e-7)
        assert at.se == pytest.approx(np.sqrt(contrast @ fit.cov_params() @ contrast), rel=1e-6)
    critical = found.critical
    assert critical is not None
    assert critical >= 1.96
    for value in np.linspace(found.low or 0.0, found.high or 0.0, 41):
        contrast = np.array([0.0, 1.0, 0.0, value])
        z = contrast @ fit.params / np.sqrt(contrast @ fit.cov_params() @ contrast)
        inside = [r for r in found.regions if r.low <= value <= r.high]
        if abs(abs(z) - critical) > 1e-6:
            assert bool(inside) == (abs(z) > critical)
            assert all(r.up == (z > 0) for r in inside)


def test_every_goal_has_a_row_or_a_reason(result: Result) -> None:
    assert [(m.metric, m.status, m.reason) for m in result.moderators] == [
        ("likes", "ok", None),
        ("buyers", "ok", None),
        ("per_open", "no_test", "ratio"),
    ]
    adjusted = [m.p_adjusted for m in result.moderators]
    p = [m.p_value for m in result.moderators]
    assert adjusted[0] is not None
    assert adjusted[2] is None
    assert max(a for a in adjusted if a is not None) == max(q for q in p if q is not None)
    assert Result.from_json(result.to_json()) == result


def test_many_values_are_rounded_to_steps(folder: Path, result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VALUES", 60)
    coarse = abtest.run("x", folder)
    found = row(coarse, "likes").slope
    _, users = fitted(folder, "like_after")
    step = (users.age.max() - users.age.min()) / 60
    # Halves away from zero, as the engine rounds.
    age = users.age.min() + np.floor((users.age - users.age.min()) / step + 0.5) * step
    x = np.column_stack([np.ones(len(users)), users.t, age, users.t * age])
    fit: Any = sm.OLS(users.like_after.to_numpy(), x).fit(cov_type="HC2", use_t=True)
    fine = row(result, "likes").slope
    assert found is not None
    assert fine is not None
    assert found.estimate == pytest.approx(fit.params[3], rel=1e-8)
    assert found.se == pytest.approx(fit.bse[3], rel=1e-7)
    assert found.estimate != fine.estimate


def test_one_age_and_few_people_have_a_reason(tmp_path: Path) -> None:
    made = project(tmp_path / "one", units=120)
    people = pd.read_csv(made / "people.csv").assign(age=30)
    people.to_csv(made / "people.csv", index=False)
    assert {m.reason for m in abtest.run("x", made).moderators if m.metric == "likes"} == {"constant"}
    few = project(tmp_path / "few", units=40)
    assert {m.reason for m in abtest.run("x", few).moderators if m.metric == "likes"} == {"not_enough_units"}


@pytest.mark.parametrize(
    ("moderators", "said"),
    [
        ("[plan]", "E418 moderator plan: it is a text, and a moderator is a number"),
        ("[vip]", "E418 moderator vip: it is a flag, and a moderator is a number"),
        ("[agee]", 'E210 moderator agee: no attribute "agee"'),
        ("[age, age]", 'E418 moderators: "age" stands twice'),
        ("[(like >= 5) before 28 days]", "E113 a moderator is an attribute with numbers"),
    ],
)
def test_what_is_no_number_known_before_is_said(moderators: str, said: str, tmp_path: Path) -> None:
    made = project(tmp_path, moderators, units=20)
    with pytest.raises(UserError) as caught:
        abtest.run("x", made)
    text = str(caught.value)
    assert said in text
    assert "x.yml:" in text
