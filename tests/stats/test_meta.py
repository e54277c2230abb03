"""Pooling experiments: metafor's BCG trials, statsmodels, a direct search of the likelihood, least squares, laws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.regression.linear_model import GLS
from statsmodels.stats.meta_analysis import combine_effects

from abtest.stats.meta import (
    common_effect,
    cumulative,
    fixed_effect,
    leave_one_out,
    random_effects,
    reml_tau,
    shared_control,
    trend,
)

from .test_heterogeneity import BCG_EFFECTS, BCG_SES

rows = st.lists(st.tuples(st.integers(-800, 800).map(lambda k: k / 8), st.floats(0.01, 100.0)), min_size=2, max_size=30)
few = st.lists(st.tuples(st.integers(-80, 80).map(lambda k: k / 8), st.floats(0.5, 3.0)), min_size=2, max_size=8)


def split(pairs: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [e for e, _ in pairs], [s for _, s in pairs]


def test_bcg_fixed() -> None:
    found = fixed_effect(BCG_EFFECTS, BCG_SES)
    assert found.effect is not None
    assert (found.effect.estimate, found.effect.se) == pytest.approx((-0.430285, 0.040499), abs=1e-6)
    assert found.q == pytest.approx(152.233008, abs=1e-6)
    assert found.df == 12
    assert found.i_squared == pytest.approx(0.921173, abs=1e-6)
    assert found.tau is None


def test_bcg_random() -> None:
    # metafor: rma(method = "DL"), test = "z" and "knha".
    normal = random_effects(BCG_EFFECTS, BCG_SES, interval="normal")
    assert normal.effect is not None
    assert normal.tau is not None
    assert normal.tau**2 == pytest.approx(0.308760, abs=1e-6)
    assert (normal.effect.estimate, normal.effect.se) == pytest.approx((-0.714117, 0.178742), abs=1e-6)
    assert (normal.effect.low, normal.effect.high) == pytest.approx((-1.064445, -0.363789), abs=1e-6)
    assert normal.prediction == pytest.approx((-1.9988, 0.5706), abs=5e-5)
    adjusted = random_effects(BCG_EFFECTS, BCG_SES)
    assert adjusted.effect is not None
    assert adjusted.effect.se == pytest.approx(0.180697, abs=1e-6)
    assert (adjusted.effect.low, adjusted.effect.high) == pytest.approx((-1.107821, -0.320413), abs=1e-6)
    assert adjusted.prediction == normal.prediction


def test_bcg_reml() -> None:
    found = random_effects(BCG_EFFECTS, BCG_SES, spread="reml", interval="normal")
    assert found.effect is not None
    assert found.tau is not None
    assert found.tau**2 == pytest.approx(0.313243, abs=1e-6)
    assert (found.effect.estimate, found.effect.se) == pytest.approx((-0.714532, 0.179782), abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_statsmodels(seed: int) -> None:
    random = np.random.default_rng(seed)
    ses = random.uniform(0.5, 3.0, 9)
    effects = random.normal(1.0, 3.0, 9) + random.normal(0.0, ses)
    reference = combine_effects(effects, ses**2, method_re="chi2", use_t=True)
    found = random_effects(effects.tolist(), ses.tolist())
    assert found.effect is not None
    assert found.tau is not None
    assert reference.tau2 > 0
    assert found.tau**2 == pytest.approx(reference.tau2, rel=1e-9)
    assert found.effect.estimate == pytest.approx(reference.mean_effect_re, rel=1e-9)
    # statsmodels has Hartung and Knapp's factor without the guard.
    factor = max(1.0, math.sqrt(reference.scale_hksj_re))
    assert found.effect.se == pytest.approx(reference.sd_eff_w_re * factor, rel=1e-9)
    low, high = found.effect.low, found.effect.high
    assert low is not None
    assert high is not None
    assert high - low == pytest.approx(2 * scipy.stats.t.ppf(0.975, 8) * found.effect.se, rel=1e-9)


@given(few)
def test_reml_is_the_top_of_the_likelihood(pairs: list[tuple[float, float]]) -> None:
    """The restricted likelihood as the density of k - 1 contrasts, by another route than the formula of the code."""
    effects, ses = (np.array(x) for x in split(pairs))
    k = len(effects)
    contrasts = np.eye(k)[1:] - np.eye(k)[0]

    def loss(tau: float) -> float:
        covariance = contrasts @ np.diag(ses**2 + tau**2) @ contrasts.T
        return -float(scipy.stats.multivariate_normal.logpdf(contrasts @ effects, np.zeros(k - 1), covariance))

    found = reml_tau(effects.tolist(), ses.tolist())
    others = [0.0, *np.geomspace(1e-3, 40, 120)]
    assert loss(found) <= min(loss(t) for t in others) + 1e-7
    nearby = scipy.optimize.minimize_scalar(loss, bounds=(found * 0.9, found * 1.1 + 1e-6), method="bounded")
    assert loss(found) <= nearby.fun + 1e-7


@given(rows, st.sampled_from(["dersimonian_laird", "reml"]))
def test_laws_of_pooling(pairs: list[tuple[float, float]], spread: Any) -> None:
    effects, ses = split(pairs)
    found = random_effects(effects, ses, spread=spread)
    assert found.effect is not None
    assert found.p_value is not None
    assert found.tau is not None
    low, high, mid = found.effect.low, found.effect.high, found.effect.estimate
    assert low is not None
    assert high is not None
    assert min(effects) - 1e-9 <= mid <= max(effects) + 1e-9
    if abs(found.p_value - 0.05) > 1e-9:
        assert (found.p_value < 0.05) == (not low <= 0.0 <= high)
    normal = random_effects(effects, ses, spread=spread, interval="normal")
    assert normal.effect is not None
    assert normal.effect.low is not None
    # The guard: never narrower than the ordinary interval.
    assert low <= normal.effect.low + 1e-12
    if len(effects) >= 3:
        assert found.prediction is not None
        assert found.prediction[1] - found.prediction[0] >= 2 * 1.959963984 * found.tau
    else:
        assert found.prediction is None
    # The order of experiments says nothing; a change of unit changes the unit.
    mirrored = random_effects(effects[::-1], ses[::-1], spread=spread)
    doubled = random_effects([2 * e for e in effects], [2 * s for s in ses], spread=spread)
    assert mirrored.effect is not None
    assert doubled.effect is not None
    assert mirrored.effect.estimate == pytest.approx(mid, rel=1e-6, abs=1e-9)
    assert doubled.effect.estimate == pytest.approx(2 * mid, rel=1e-6, abs=1e-9)


def test_one_and_none() -> None:
    one = random_effects([0.3], [0.1])
    assert (one.status, one.reason, one.k) == ("no_test", "one_experiment", 1)
    assert one.effect is not None
    assert (one.effect.low, one.effect.high) == pytest.approx((0.3 - 0.1959964, 0.3 + 0.1959964), abs=1e-6)
    assert random_effects([], []).reason == "no_experiments"
    assert random_effects([1e300, 0.0], [1e-300, 1e-300]).reason == "too_far_apart"
    assert common_effect([0.3], np.array([[0.01]])).reason == "one_experiment"


def test_as_they_came_in_and_without_each() -> None:
    steps, without = cumulative(BCG_EFFECTS, BCG_SES), leave_one_out(BCG_EFFECTS, BCG_SES)
    assert [s.k for s in steps] == list(range(1, 14))
    assert steps[-1] == random_effects(BCG_EFFECTS, BCG_SES)
    assert steps[0].reason == "one_experiment"
    assert [w.k for w in without] == [12] * 13
    assert without[-1] == steps[-2]
    reference = combine_effects(np.array(BCG_EFFECTS[1:]), np.array(BCG_SES[1:]) ** 2, method_re="chi2")
    assert without[0].effect is not None
    assert without[0].effect.estimate == pytest.approx(reference.mean_effect_re)
    assert leave_one_out([], []) == ()


def test_a_shared_control_by_simulation() -> None:
    """Three versions, one control: the stated covariance is the true one, and the pooled error that of the estimate."""
    random = np.random.default_rng(25)
    arms = random.normal(0, [0.3, 0.4, 0.5], (200_000, 3))
    differences = arms - random.normal(0, 0.2, (200_000, 1))
    ses = np.hypot([0.3, 0.4, 0.5], 0.2).tolist()
    covariance = shared_control(ses, 0.2)
    assert np.cov(differences.T) == pytest.approx(covariance, abs=0.004)
    weights = np.linalg.inv(covariance).sum(axis=0)
    found = common_effect(differences[0].tolist(), covariance)
    assert found.effect is not None
    assert found.effect.estimate == pytest.approx(float(weights @ differences[0]) / weights.sum())
    assert found.effect.se == pytest.approx((differences @ weights / weights.sum()).std(), rel=0.01)


@given(few)
def test_independent_effects_are_the_fixed_effect(pairs: list[tuple[float, float]]) -> None:
    effects, ses = split(pairs)
    one, other = common_effect(effects, np.diag(np.square(ses))), fixed_effect(effects, ses)
    assert one.effect is not None
    assert other.effect is not None
    assert one.effect.estimate == pytest.approx(other.effect.estimate, rel=1e-9, abs=1e-12)
    assert one.effect.se == pytest.approx(other.effect.se, rel=1e-9)
    assert one.q == pytest.approx(other.q, rel=1e-7, abs=1e-9)


@given(few, st.floats(0.0, 0.45))
def test_common_and_trend_are_least_squares(pairs: list[tuple[float, float]], control_se: float) -> None:
    effects, ses = split(pairs)
    covariance = shared_control(ses, control_se)
    k = len(effects)
    flat = GLS(effects, np.ones((k, 1)), sigma=covariance).fit()
    common = common_effect(effects, covariance)
    assert common.effect is not None
    assert common.effect.estimate == pytest.approx(flat.params[0], rel=1e-7, abs=1e-9)
    line = GLS(effects, np.column_stack([np.ones(k), np.arange(1, k + 1)]), sigma=covariance).fit()
    found = trend(effects, covariance)
    assert found.slope.estimate == pytest.approx(line.params[1], rel=1e-6, abs=1e-8)
    assert found.slope.se == pytest.approx(math.sqrt(line.normalized_cov_params[1, 1]), rel=1e-7)
    # All that effects differ by is the line and what it leaves.
    assert common.q == pytest.approx(found.q_trend + found.q_rest, rel=1e-6, abs=1e-7)
    assert found.q == pytest.approx(found.q_trend + found.q_rest, rel=1e-9, abs=1e-9)


def test_days() -> None:
    found = trend([0.12, 0.10, 0.07, 0.06, 0.05, 0.04, 0.05], np.diag(np.full(7, 0.02**2)))
    assert found.slope.estimate == pytest.approx(-0.0125, abs=1e-9)
    assert found.slope.se == pytest.approx(0.0037796, abs=1e-7)
    assert found.z == pytest.approx(-3.307189, abs=1e-6)
    assert found.p_value == pytest.approx(0.00094237, abs=1e-8)
    assert (found.q, found.p_any) == pytest.approx((13.0, 0.043036), abs=1e-6)
    assert found.df_rest == 5
    assert found.p_rest == pytest.approx(scipy.stats.chi2.sf(found.q_rest, 5))


def test_a_trend_elsewhere() -> None:
    two = trend([1.0, 3.0], np.diag([1.0, 1.0]), [10.0, 12.0])
    assert two.slope.estimate == pytest.approx(1.0)
    assert (two.q_rest, two.df_rest, two.p_rest) == (0.0, 0, None)
    assert two.z**2 == pytest.approx(2.0)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: fixed_effect([1.0], [0.0]), "positive"),
        (lambda: random_effects([1.0, math.nan], [1.0, 1.0]), "finite"),
        (lambda: reml_tau([1.0], [1.0]), "two experiments"),
        (lambda: shared_control([1.0, 2.0], 1.0), "noisier"),
        (lambda: common_effect([1.0, 2.0], np.eye(3)), "covariance for each pair"),
        (lambda: common_effect([1.0, 2.0], np.array([[1.0, 1.0], [1.0, 1.0]])), "no covariance matrix"),
        (lambda: common_effect([1.0, 2.0], np.array([[1.0, 0.5], [0.0, 1.0]])), "symmetric"),
        (lambda: common_effect([1.0, 2.0], np.diag([1.0, 0.0])), "positive variances"),
        (lambda: trend([1.0], np.eye(1)), "two effects"),
        (lambda: trend([1.0, 2.0], np.eye(2), [3.0, 3.0]), "places that differ"),
    ],
)
def test_what_cannot_be_pooled(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
