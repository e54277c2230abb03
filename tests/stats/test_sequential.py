import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from abtest.stats.means import welch
from abtest.stats.moments import Moments
from abtest.stats.sequential import (
    Side,
    band,
    closed_form_kappa,
    critical,
    critical_one_sided,
    first_crossed,
    hybrid,
    hybrid_critical,
    inflation,
    kappa_at,
    kappa_from_se,
    optimal_kappa,
    p_value,
    p_value_one_sided,
)

kappas = st.floats(1e-3, 1e4)
alphas = st.floats(1e-6, 0.5)


def test_mixture_likelihood_ratio_vector() -> None:
    # Delta .1, sigma 1, 1000 per arm (V = .002), tau^2 = .01, so kappa = 5; by Johari et al.'s formula for Lambda.
    z = 0.1 / math.sqrt(0.002)
    assert 1 / p_value(z, 5.0) == pytest.approx(3.278722, abs=1e-6)
    assert p_value(z, 5.0) == pytest.approx(0.304997, abs=1e-6)
    assert critical(5.0, 0.05) == pytest.approx(3.056120, abs=1e-6)
    assert critical(5.0, 0.05) * math.sqrt(0.002) == pytest.approx(0.136674, abs=1e-6)


@pytest.mark.parametrize(
    "n, expected", [(500, 3.855055), (1000, 3.363888), (5000, 3.035209), (10_000, 3.061477), (50_000, 3.241723)]
)
def test_critical_value_along_an_experiment_planned_for_5000(n: int, expected: float) -> None:
    # These reference values were made with the closed-form kappa at N*.
    assert critical(closed_form_kappa(0.05) * n / 5000, 0.05) == pytest.approx(expected, abs=1e-6)


def test_kappa_at_the_plan() -> None:
    assert optimal_kappa(0.05) == pytest.approx(8.211968, abs=1e-6)
    assert closed_form_kappa(0.05) == pytest.approx(7.936155, abs=1e-6)
    assert kappa_at(5000, 5000, 0.05) == optimal_kappa(0.05)
    assert critical_one_sided(closed_form_kappa(0.10), 0.05) == pytest.approx(2.779094, abs=1e-6)


@given(alphas, st.floats(0.01, 100).filter(lambda factor: abs(factor - 1) > 0.01))
def test_the_optimum_is_one(alpha: float, factor: float) -> None:
    best = optimal_kappa(alpha)
    assert critical(best, alpha) < critical(best * factor, alpha)
    assert critical(best, alpha) <= critical(closed_form_kappa(alpha), alpha)


@given(kappas, alphas)
def test_three_published_forms_are_one_interval(kappa: float, alpha: float) -> None:
    n, rho2 = 1000.0, kappa / 1000.0
    asymptotic = math.sqrt(2 * (n * rho2 + 1) / (n**2 * rho2) * math.log(math.sqrt(n * rho2 + 1) / alpha))
    eta = 1 / rho2
    generalised = math.sqrt((n + eta) * math.log((n + eta) / (eta * alpha**2))) / n
    assert critical(kappa, alpha) / math.sqrt(n) == pytest.approx(asymptotic, rel=1e-12)
    assert critical(kappa, alpha) / math.sqrt(n) == pytest.approx(generalised, rel=1e-12)


@given(kappas, alphas)
def test_p_values_and_critical_values_are_dual(kappa: float, alpha: float) -> None:
    assert p_value(critical(kappa, alpha), kappa) == pytest.approx(alpha, rel=1e-9)
    assert p_value(-critical(kappa, alpha), kappa) == pytest.approx(alpha, rel=1e-9)
    assert p_value_one_sided(critical_one_sided(kappa, alpha), kappa) == pytest.approx(alpha, rel=1e-9)


@given(kappas, alphas)
def test_one_sided_boundary_bounds_the_half_normal_mixture(kappa: float, alpha: float) -> None:
    z = critical_one_sided(kappa, alpha)
    w = kappa / (1 + kappa)
    log_ratio = math.log(2) - 0.5 * math.log1p(kappa) + z * z * w / 2 + special.log_ndtr(z * math.sqrt(w))
    assert log_ratio >= -math.log(alpha) - 1e-9


@given(st.floats(-60, 60), kappas)
def test_p_values_are_probabilities(z: float, kappa: float) -> None:
    assert 0.0 <= p_value(z, kappa) <= 1.0
    assert 0.0 <= p_value_one_sided(z, kappa) <= 1.0
    assert p_value_one_sided(z, kappa) == 1.0 or z > 0


def test_huge_z_neither_overflows_nor_raises() -> None:
    assert p_value(1e6, 8.0) == 0.0
    assert p_value_one_sided(1e6, 8.0) == 0.0
    assert p_value_one_sided(1e-200, 8.0) == 1.0


def test_as_the_critical_value_of_welch() -> None:
    t, c = Moments(1000, 0.1, 999.0), Moments(1000, 0.0, 999.0)
    band = welch(t, c, critical=critical(5.0, 0.05))
    assert band.p_value is None
    assert band.absolute is not None
    assert band.absolute.low == pytest.approx(0.1 - 0.136674, abs=1e-6)


def test_a_hundred_looks_keep_the_error_and_naive_looks_do_not() -> None:
    # 4000 null experiments, 100 looks up to twice the planned size. At a true rate of 5 % fewer than 255 of 4000 cross
    # with probability .9999 (binomial); naive 1.96 crosses in more than a quarter.
    steps = np.random.default_rng(20240501).standard_normal((4000, 100))
    looks = np.arange(1.0, 101.0)
    z = np.abs(np.cumsum(steps, axis=1) / np.sqrt(looks))
    band = np.array([critical(kappa_at(look, 50, 0.05), 0.05) for look in looks])
    assert (z > band).any(axis=1).sum() < 255
    assert (z > 1.96).any(axis=1).sum() > 1000


@pytest.mark.parametrize("kappa", [0.0, -1.0, math.inf, math.nan])
def test_kappa_must_be_positive(kappa: float) -> None:
    for function in (p_value, p_value_one_sided):
        with pytest.raises(ValueError, match="kappa"):
            function(1.0, kappa)
    for boundary in (critical, critical_one_sided):
        with pytest.raises(ValueError, match="kappa"):
            boundary(kappa, 0.05)


def test_sample_sizes_must_be_positive() -> None:
    with pytest.raises(ValueError, match="sample sizes"):
        kappa_at(0, 100, 0.05)


@given(st.floats(-50, 50), st.floats(0.01, 10), kappas, alphas)
def test_bands_hold_zero_just_when_the_test_does_not_reject(
    estimate: float, se: float, kappa: float, alpha: float
) -> None:
    both, above, below = (band(estimate, se, kappa, alpha, side=side) for side in ("both", "above", "below"))
    assert both.low is not None
    assert both.high is not None
    assert (both.low > 0.0 or both.high < 0.0) == (abs(estimate) > critical(kappa, alpha) * se)
    assert above.low is not None
    assert below.high is not None
    assert (above.high, below.low) == (None, None)
    assert (above.low > 0.0) == (estimate > critical_one_sided(kappa, alpha) * se)
    mirror = band(-estimate, se, kappa, alpha, side="below")
    assert mirror.high == -above.low


def test_as_the_band_of_welch() -> None:
    t, c = Moments(1000, 0.1, 999.0), Moments(1000, 0.0, 999.0)
    shown = welch(t, c, critical=critical(5.0, 0.05)).absolute
    assert shown is not None
    assert shown.se is not None
    assert band(shown.estimate, shown.se, 5.0) == shown


def test_kappa_from_the_error() -> None:
    # The error halves with four times the units.
    assert kappa_from_se(2.0, 1.0, 0.05) == pytest.approx(kappa_at(250, 1000, 0.05), rel=1e-12)
    for pair in ((0.0, 1.0), (1.0, math.inf)):
        with pytest.raises(ValueError, match="standard errors"):
            kappa_from_se(*pair, 0.05)
    with pytest.raises(ValueError, match="standard error"):
        band(1.0, 0.0, 1.0)


@given(
    st.lists(st.tuples(st.floats(-8, 8), kappas), min_size=1, max_size=20), st.sampled_from(["both", "above", "below"])
)
def test_the_first_crossing_and_the_running_p(path: list[tuple[float, float]], side: Side) -> None:
    zs, ks = [z for z, _ in path], sorted(k for _, k in path)
    found = first_crossed(zs, ks, 0.05, side=side)
    assert list(found.p_values) == sorted(found.p_values, reverse=True)
    crossed = []
    for k, (z, kappa) in enumerate(zip(zs, ks, strict=True)):
        shown = band(z, 1.0, kappa, 0.05, side=side)
        if (shown.low is not None and shown.low > 0.0) or (shown.high is not None and shown.high < 0.0):
            crossed.append(k)
    assert found.look == (crossed[0] if crossed else None)
    # What was seen does not change when another look is made.
    assert first_crossed(zs[:-1], ks[:-1], 0.05, side=side).p_values == found.p_values[:-1]


def test_no_looks_and_too_few_kappas() -> None:
    assert first_crossed([], []).look is None
    with pytest.raises(ValueError, match="one kappa per look"):
        first_crossed([1.0], [])


@given(st.floats(0.001, 0.4), st.floats(0.05, 0.95))
def test_the_hybrid_shares_alpha(alpha: float, share: float) -> None:
    parts = hybrid(alpha, share)
    assert parts.monitoring + parts.final == pytest.approx(alpha, rel=1e-12)
    kappa = optimal_kappa(parts.monitoring)
    early, end = hybrid_critical(parts, kappa, at_end=False), hybrid_critical(parts, kappa, at_end=True)
    assert end <= early == critical(kappa, parts.monitoring)
    assert special.ndtr(-end) * 2 >= parts.final * (1 - 1e-9)


def test_the_default_hybrid() -> None:
    parts = hybrid()
    assert (parts.monitoring, parts.final) == pytest.approx((0.01, 0.04))
    assert hybrid_critical(parts, 5.0, at_end=True) == pytest.approx(2.0537489, abs=1e-6)
    assert hybrid_critical(parts, 5.0, at_end=True, side="above") == pytest.approx(1.7506861, abs=1e-6)
    with pytest.raises(ValueError, match="share of alpha"):
        hybrid(0.05, 1.0)


@pytest.mark.parametrize("side", ["both", "above"])
def test_the_hybrid_keeps_the_error(side: Side) -> None:
    # 4000 null experiments, 50 looks and the end: at 5 % fewer than 255 cross with probability .9999.
    steps = np.random.default_rng(20240502).standard_normal((4000, 50))
    looks = np.arange(1.0, 51.0)
    z = np.cumsum(steps, axis=1) / np.sqrt(looks)
    parts = hybrid()
    tuned = parts.monitoring * (1 if side == "both" else 2)
    bounds = [hybrid_critical(parts, kappa_at(n, 50, tuned), at_end=n == 50, side=side) for n in looks]
    crossed = ((np.abs(z) if side == "both" else z) > bounds).any(axis=1).sum()
    assert 130 < crossed < 255


def test_what_looking_costs() -> None:
    assert inflation() == pytest.approx(1.915, abs=1e-3)
    # By the definition of power: (inflated) units at which the band rejects in 80 of 100.
    shift = (1.959963985 + 0.841621234) * math.sqrt(inflation())
    assert special.ndtr(shift - critical(optimal_kappa(0.05), 0.05)) == pytest.approx(0.8, abs=1e-9)
    with pytest.raises(ValueError, match="power"):
        inflation(0.05, 0.4)
