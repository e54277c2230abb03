import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from abtest.stats.means import welch
from abtest.stats.moments import Moments
from abtest.stats.sequential import (
    closed_form_kappa,
    critical,
    critical_one_sided,
    kappa_at,
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
