"""Iterations taken together: every number counted again from the effects in the result, by other arithmetic."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2, norm, t

import abtest
from abtest.analysis.across import across_of
from abtest.analysis.lineage import Across, Iteration
from abtest.analysis.result import Result
from abtest.reports.html import render_html
from tests.analysis.faults import write
from tests.analysis.test_iterations import OLDER, change
from tests.reports.page import Page


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    made = write(tmp_path_factory.mktemp("across"))
    change(made, "older.yml", "metrics: {goal: [likes]}", OLDER)
    return abtest.run("x", made)


def ended(
    result: Result, dates: tuple[tuple[str, str], ...], lifts: tuple[float, ...], verdict: str = "ship"
) -> Result:
    """The result with earlier iterations on these dates with these lifts, all over and of the same definition."""
    (one,) = result.iterations
    found = []
    for i, ((start, end), lift) in enumerate(zip(dates, lifts, strict=True)):
        metrics = []
        for m in one.metrics:
            assert m.absolute is None or m.relative is not None
            shown = m.relative and replace(m.relative, estimate=lift)
            metrics.append(replace(m, relative=shown))
        found.append(
            replace(one, experiment=f"e{i}", start=start, end=end, verdict="dont_ship", metrics=tuple(metrics))
        )
    decision = replace(result.decision, verdict=verdict)
    made = replace(result, iterations=tuple(found), decision=decision)
    return replace(made, across=across_of(made, made.iterations))


APART = (("2025-01-06", "2025-01-26"), ("2025-03-03", "2025-03-23"))


def one_of(result: Result, key: str = "likes") -> Across:
    return next(a for a in result.across if a.metric == key)


def effects(result: Result) -> tuple[np.ndarray, np.ndarray]:
    pairs = [next(m for m in i.metrics if m.metric == "likes").relative for i in result.iterations]
    pairs.append(result.metric("likes").comparisons[0].relative)
    assert all(p is not None and p.se is not None for p in pairs)
    return (
        np.array([p.estimate for p in pairs if p is not None]),
        np.array([p.se for p in pairs if p is not None], dtype=float),
    )


def test_pooled_effects_by_other_arithmetic(result: Result) -> None:
    made = ended(result, APART, (0.02, 0.55))
    one, (x, se) = one_of(made), effects(made)
    assert (one.control, one.scale, one.experiments) == ("separate", "relative", ("e0", "e1", "x"))
    w = se**-2.0
    mean, error = np.average(x, weights=w), w.sum() ** -0.5
    assert one.fixed is not None
    assert (one.fixed.estimate, one.fixed.se) == pytest.approx((mean, error))
    assert one.fixed_p == pytest.approx(2 * norm.sf(abs(mean) / error))
    q = float((w * (x - mean) ** 2).sum())
    assert one.q_p_value == pytest.approx(chi2.sf(q, 2))
    tau2 = max(0.0, (q - 2) / (w.sum() - (w**2).sum() / w.sum()))
    assert tau2 > 0.0
    assert one.tau == pytest.approx(math.sqrt(tau2))
    v = 1.0 / (se**2 + tau2)
    mu = np.average(x, weights=v)
    own = math.sqrt(max(1.0, float((v * (x - mu) ** 2).sum()) / 2) / v.sum())
    assert one.random is not None
    assert one.random.low == pytest.approx(mu - t.ppf(0.975, 2) * own)
    assert one.random.high == pytest.approx(mu + t.ppf(0.975, 2) * own)
    assert one.random_p == pytest.approx(2 * t.sf(abs(mu) / own, 2))


def test_the_trend_is_the_weighted_line_and_shrinkage_pulls_to_the_mean(result: Result) -> None:
    made = ended(result, APART, (0.02, 0.55))
    one, (x, se) = one_of(made), effects(made)
    assert one.slope is not None
    slope = np.polyfit(np.arange(3), x, 1, w=1.0 / se)[0]
    assert one.slope.estimate == pytest.approx(slope)
    assert one.random is not None
    assert one.tau is not None
    for pulled, raw, error in zip(one.pulled, x, se, strict=True):
        kept = one.tau**2 / (one.tau**2 + error**2)
        assert pulled.raw.estimate == pytest.approx(raw)
        assert pulled.shrunken.estimate == pytest.approx(one.random.estimate + kept * (raw - one.random.estimate))


def test_the_shipped_effect_less_the_winners_curse(result: Result) -> None:
    """By brute force: the mean of clear estimates around what is left is the estimate itself."""
    made = ended(result, APART, (0.02, 0.55))
    one, (x, se) = one_of(made), effects(made)
    assert result.metric("likes").comparisons[0].state == "better"
    assert one.conditional is not None
    grid = np.linspace(-9.0, 40.0, 400_001)
    density = norm.pdf(grid, one.conditional / se[-1]) * (np.abs(grid) > norm.ppf(0.975))
    assert (grid * density).sum() / density.sum() * se[-1] == pytest.approx(x[-1], rel=1e-3)
    assert one_of(ended(result, APART, (0.02, 0.55), verdict="dont_ship")).conditional is None


def test_overlapping_dates_share_a_control(result: Result) -> None:
    e = result.experiment
    assert e.start is not None
    assert e.end is not None
    made = ended(result, ((e.start, e.end), APART[1]), (0.2, 0.3))
    one, (x, se) = one_of(made), effects(made)
    assert one.control == "shared"
    assert one.random is None
    arm = next(a for a in result.metric("likes").arms if a.variant == e.baseline)
    assert arm.standard_deviation is not None
    assert arm.value is not None
    common = arm.standard_deviation / math.sqrt(arm.used) / arm.value
    v = np.full((3, 3), common**2)
    np.fill_diagonal(v, se**2)
    solved = np.linalg.solve(v, np.stack([np.ones(3), x], axis=1))
    assert one.fixed is not None
    assert one.fixed.estimate == pytest.approx(solved[:, 1].sum() / solved[:, 0].sum())
    assert "Dates overlap" in Page(render_html(made)).seen


def test_what_may_not_be_pooled_is_not(result: Result) -> None:
    made = ended(result, APART, (0.02, 0.55))

    def without(**changed: object) -> tuple[Across, ...]:
        rest: tuple[Iteration, ...] = tuple(replace(i, **changed) for i in made.iterations)  # type: ignore[arg-type]
        return across_of(replace(made, iterations=rest), rest)

    assert without(valid=False) == ()
    assert without(verdict="keep_running") == ()
    assert without(metrics=tuple(replace(m, compared="other_definition") for m in made.iterations[0].metrics)) == ()
    assert across_of(replace(made, decision=replace(made.decision, valid=False)), made.iterations) == ()
    assert {a.metric for a in made.across} == {"likes"}  # goals only, and only where measured twice


def test_it_round_trips_and_reads_in_both_languages(result: Result) -> None:
    made = ended(result, APART, (0.02, 0.55))
    assert Result.from_json(made.to_json()) == made
    assert "across" not in replace(made, across=()).to_json()
    seen = Page(render_html(made)).seen
    assert "Mean of effects that differ" in seen
    assert "Hartung-Knapp, 2 degrees of freedom" in seen
    assert "given that it was shipped" in seen
    two = Page(render_html(ended(result, APART[:1], (0.02,)), language="nl")).seen
    assert "Hartung-Knapp, 1 vrijheidsgraad" in two
