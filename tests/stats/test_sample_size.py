"""Sizes, detectable effects and power: published numbers, statsmodels, simulation, and that they are one equation."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower, TTestIndPower

from abtest.stats.power import (
    Noise,
    design_effect,
    detectable,
    detectable_lift,
    per_arm,
    power_to_find,
    sample_size,
    t_power,
    t_sample_size,
    z_sum,
)
from abtest.stats.power_families import (
    arcsine_effect,
    ordinal_sample_size,
    quantile_noise,
    share_noise,
    share_power,
    share_sample_size,
    shifted,
)
from abtest.stats.sequential import critical, inflation, optimal_kappa

from .vectors import case, cases

ONE = Noise(1.0, 1.0)
noises = st.builds(
    Noise, st.floats(0.1, 100), st.floats(0.1, 100), st.floats(0.05, 0.95), st.floats(-0.9, 0.9), st.floats(0.5, 5)
)
powers = st.floats(0.55, 0.99)


def other_tail(alpha: float, power: float) -> float:
    """Rejecting on the wrong side: other tools count it as power, this package does not."""
    return float(scipy.stats.norm.cdf(-scipy.stats.norm.isf(alpha / 2) - z_sum(alpha, power)))


@pytest.mark.parametrize("identifier", ["pwr_2p_55_50", "pwr_2p_10_5"])
def test_arcsine(identifier: str) -> None:
    vector = case("power", identifier)
    given_, expected = vector["input"], vector["expected"]
    h = arcsine_effect(given_["p1"], given_["p2"])
    assert h == pytest.approx(expected["h"], abs=1e-7)
    # The power that has the package's size by both tails is .8 by one tail and the other: the sizes then are equal.
    own = NormalIndPower().solve_power(effect_size=h, power=0.8 + other_tail(0.05, 0.8), alpha=0.05)
    assert sample_size(ONE, h) / 2 == pytest.approx(own, rel=1e-7)
    assert sample_size(ONE, h) / 2 == pytest.approx(expected["n_per_arm"], rel=1e-5)


def test_arms_of_unequal_size() -> None:
    vector = case("power", "pwr_2p2n")
    n1, n2 = vector["input"]["n1"], vector["input"]["n2"]
    found = power_to_find(Noise(1.0, 1.0, n1 / (n1 + n2)), 0.2, n1 + n2)
    assert found == pytest.approx(vector["expected"]["power"], abs=1e-6)
    vector = case("power", "pwr_2p2n_solve")
    n1, n2 = vector["input"]["n1"], vector["expected"]["n2"]
    assert power_to_find(Noise(1.0, 1.0, n1 / (n1 + n2)), 0.2, n1 + n2) == pytest.approx(0.8, abs=2e-6)


@pytest.mark.parametrize("identifier", ["pwr_t_n30", "pwr_t_d05", "pwr_t_d033"])
def test_students_t(identifier: str) -> None:
    vector = case("power", identifier)
    given_, expected = vector["input"], vector["expected"]
    if "power" in expected:
        n = given_["n_per_arm"]
        assert t_power(given_["d"], n, n) == pytest.approx(expected["power"], abs=1e-6)
    else:
        assert t_sample_size(given_["d"]) == pytest.approx(expected["n_per_arm"], abs=vector["tolerance"])


@pytest.mark.parametrize("d", [0.2, 0.8, 2.0, 0.05])
def test_students_t_in_statsmodels(d: float) -> None:
    assert t_sample_size(d) == pytest.approx(TTestIndPower().solve_power(d, alpha=0.05, power=0.8), rel=1e-6)
    if d == 0.2:
        assert t_sample_size(d) == pytest.approx(393.4057, abs=1e-4)
        assert sample_size(ONE, d) / 2 == pytest.approx(392.4430, abs=2e-3)


def test_students_t_nears_the_normal() -> None:
    assert t_sample_size(0.001) - sample_size(ONE, 0.001) / 2 == pytest.approx(1.959964**2 / 4, abs=1e-3)
    assert t_sample_size(0.003) - sample_size(ONE, 0.003) / 2 == pytest.approx(1.959964**2 / 4, abs=1e-2)
    assert t_power(50.0, 2, 2) == pytest.approx(1.0)


@pytest.mark.parametrize("vector", [c for c in cases("power") if c["id"].startswith("gpower")], ids=lambda c: c["id"])
def test_gpower(vector: Any) -> None:
    given_, expected = vector["input"], vector["expected"]
    variance = given_.get("variance", 0.34 * 0.66)
    effect, alpha = given_["mde"], given_["alpha"]
    if "n_total" in expected:
        found = sample_size(Noise(variance, variance), effect, alpha=alpha, power=given_["power"])
        assert found == pytest.approx(expected["n_total"], rel=vector["tolerance"])
        verified = float(re.sub(r"closed form ([\d.]+).*", r"\1", vector["verified"]))
        assert found == pytest.approx(verified, rel=1e-5)
    else:
        n1, n2 = given_["n1"], given_["n2"]
        found = power_to_find(Noise(variance, variance, n1 / (n1 + n2)), effect, n1 + n2, alpha=alpha)
        assert found == pytest.approx(expected["power"], abs=vector["tolerance"])
        assert found == pytest.approx(float(vector["verified"]), abs=5e-5)


def test_power_prop_test() -> None:
    vector = case("power", "power_prop_test_55_50")
    assert share_sample_size(0.55, 0.5) / 2 == pytest.approx(vector["expected"]["n_per_arm"], abs=1e-3)
    assert share_sample_size(0.11, 0.10) / 2 == pytest.approx(14_751, abs=1)
    assert sample_size(share_noise(0.11, 0.10), 0.01) / 2 == pytest.approx(14_748, abs=1)


@pytest.mark.parametrize("identifier", ["R_2indep_75_50", "stata_550", "stata_ratio2"])
def test_power_of_shares(identifier: str) -> None:
    vector = case("power", identifier)
    given_ = vector["input"]
    p1, p2, n = given_["p1"], given_["p2"], given_.get("n_per_arm")
    n1, n2 = given_.get("n1", n), given_.get("n2", n)
    pooled = (n1 * p1 + n2 * p2) / (n1 + n2)
    sd_0 = math.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))
    sd_1 = math.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
    # The peers count rejecting on the wrong side as well.
    wrong = scipy.stats.norm.cdf((-1.959963985 * sd_0 - abs(p2 - p1)) / sd_1)
    found = share_power(p2, p1, n2, n1) + wrong
    assert found == pytest.approx(vector["expected"]["power"], abs=1e-6)


@pytest.mark.parametrize("identifier", ["spotify_ss_binary", "spotify_ss_mean"])
def test_many_arms_and_metrics(identifier: str) -> None:
    # Largest of two comparisons, at alpha over 2 comparisons and 2 metrics, one-sided; the arm of a fifth decides.
    vector = case("power", identifier)
    given_ = vector["input"]
    effect = given_["baseline"] * given_["rel_mde"]
    control, treatment, _ = (w / sum(given_["weights"]) for w in given_["weights"])
    variance = given_["variance"]
    moved = (given_["baseline"] + effect) * (1 - given_["baseline"] - effect) if "binary" in identifier else variance
    noise = Noise(moved, variance, treatment / (treatment + control))
    found = sample_size(noise, effect, alpha=0.01 / 4, sides=1) / (treatment + control)
    assert found == pytest.approx(vector["expected"]["n_total"], rel=1e-5)


def test_rules_of_thumb() -> None:
    # Kohavi et al. 2009, with 16 for 2 (z_alpha + z_power)^2 = 15.7: 121,600 and 409,600 per arm.
    exact = 2 * z_sum(0.05, 0.8) ** 2
    conversion = Noise(0.05 * 0.95, 0.05 * 0.95)
    assert sample_size(conversion, 0.05 * 0.05) / 2 * 16 / exact == pytest.approx(121_600)
    assert sample_size(Noise(900.0, 900.0), 3.75 * 0.05) / 2 * 16 / exact == pytest.approx(409_600)


def test_guardrail() -> None:
    noise = share_noise(0.1, 0.1)
    assert sample_size(noise, 0.01, sides=1) / 2 == pytest.approx(11_129, abs=1)
    assert sample_size(noise, 0.01, sides=1, power=0.95) / 2 == pytest.approx(19_480, abs=1)


def test_relative() -> None:
    noise = Noise(400.0, 400.0)
    assert detectable_lift(noise, 10.0, 2000) == pytest.approx(0.289078, abs=1e-6)
    assert detectable(noise, 2000) / 10 == pytest.approx(0.250581, abs=1e-6)
    # No solution at n <= k^2 sd^2 / mean^2 per arm: 31.4.
    edge = z_sum(0.05, 0.8) ** 2 * 4
    assert detectable_lift(noise, 10.0, 2 * edge) is None
    assert detectable_lift(noise, 10.0, 2.01 * edge) is not None


@given(noises, st.floats(0.5, 20), st.floats(50, 1e7), st.booleans())
def test_the_relative_effect_solves_its_equation(noise: Noise, mean: float, units: float, rise: bool) -> None:
    lift = detectable_lift(noise, mean, units, rise=rise)
    k = z_sum(0.05, 0.8)
    if lift is None:
        # Even an endless rise (a fall by all) is within its own error.
        assert k**2 * noise.factor * noise.control / (1 - noise.share) / units >= mean**2 or not rise
        return
    v_t = noise.treatment * noise.factor / noise.share / units
    v_c = noise.control * noise.factor / (1 - noise.share) / units
    se = math.sqrt(v_t + (1 + lift) ** 2 * v_c) / mean
    assert abs(lift) == pytest.approx(k * se, rel=1e-7)
    assert (lift > 0) == rise


@given(noises, st.floats(0.01, 10), powers, st.floats(0.001, 0.2), st.sampled_from([1, 2]))
def test_size_effect_and_power_are_one_equation(
    noise: Noise, effect: float, power: float, alpha: float, sides: Any
) -> None:
    n = sample_size(noise, effect, alpha=alpha, power=power, sides=sides)
    assert detectable(noise, n, alpha=alpha, power=power, sides=sides) == pytest.approx(effect, rel=1e-9)
    assert power_to_find(noise, -effect, n, alpha=alpha, sides=sides) == pytest.approx(power, rel=1e-7)
    more = sample_size(noise, effect, alpha=alpha, power=power, sides=sides, inflation=1.3)
    assert more == pytest.approx(1.3 * n)
    assert detectable(noise, more, alpha=alpha, power=power, sides=sides, inflation=1.3) == pytest.approx(effect)


@given(st.floats(0.1, 10), st.floats(0.1, 10))
def test_the_best_split_goes_by_standard_deviations(a: float, b: float) -> None:
    best = Noise(a * a, b * b, a / (a + b)).per_unit
    assert best == pytest.approx((a + b) ** 2)
    assert all(Noise(a * a, b * b, s).per_unit >= best * (1 - 1e-12) for s in (0.1, 0.3, 0.5, 0.7, 0.9))


def test_adjustment_and_clusters() -> None:
    assert Noise(1.0, 1.0, correlation=0.5).per_unit == pytest.approx(0.75 * ONE.per_unit)
    assert Noise(1.0, 1.0, correlation=-0.7).per_unit == pytest.approx(0.51 * ONE.per_unit)
    assert Noise(1.0, 1.0, design_effect=design_effect(20, 0.05)).per_unit == pytest.approx(1.95 * ONE.per_unit)
    assert design_effect(20, 0.05, 0.5) == pytest.approx(2.2)
    assert design_effect(1, 0.5) == 1.0


def test_always_valid_inflation_gives_the_power() -> None:
    n = sample_size(ONE, 0.1, inflation=inflation())
    assert power_to_find(ONE, 0.1, n, critical=critical(optimal_kappa(0.05), 0.05)) == pytest.approx(0.8)


def test_ordinal() -> None:
    shares = [0.1, 0.2, 0.4, 0.2, 0.1]
    assert ordinal_sample_size(shares, 1.842085) / 2 == pytest.approx(136.8, abs=0.05)
    # The mirror has the same size, and one arm twice as large takes more.
    assert ordinal_sample_size(shares, 1 / 1.842085) == pytest.approx(ordinal_sample_size(shares, 1.842085))
    assert ordinal_sample_size(shares, 1.8, share=2 / 3) > ordinal_sample_size(shares, 1.8)


def test_ordinal_by_simulation() -> None:
    """At the size for 80 %, Mann-Whitney finds it in 80 of 100: 2000 experiments, within 4 of their standard errors."""
    shares = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
    n = round(ordinal_sample_size(shares.tolist(), 1.842085) / 2)
    random = np.random.default_rng(21)
    runs = 2000
    control = random.choice(5, (runs, n), p=shares)
    treatment = random.choice(5, (runs, n), p=shifted(shares.tolist(), 1.842085))
    found = scipy.stats.mannwhitneyu(treatment, control, axis=1, method="asymptotic", use_continuity=False)
    assert (found.pvalue < 0.05).mean() == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / runs))


@given(st.lists(st.floats(0.05, 1), min_size=2, max_size=7), st.floats(0.1, 10))
def test_shifted_answers_have_the_odds(weights: list[float], odds_ratio: float) -> None:
    shares = [w / math.fsum(weights) for w in weights]
    moved = shifted(shares, odds_ratio)
    assert math.fsum(moved) == pytest.approx(1.0)
    for k in range(1, len(shares)):
        above, was = math.fsum(moved[k:]), math.fsum(shares[k:])
        assert above / (1 - above) == pytest.approx(odds_ratio * was / (1 - was), rel=1e-6)


def test_quantiles_by_simulation() -> None:
    """The variance of the median of 500 normal values, times 500, is q (1 - q) / f^2."""
    medians = np.median(np.random.default_rng(9).standard_normal((20_000, 500)), axis=1)
    assert quantile_noise(0.5, scipy.stats.norm.pdf(0)).control == pytest.approx(500 * medians.var(), rel=0.04)


def test_rounding_up() -> None:
    assert per_arm(784.886, 0.5) == (393, 393)
    assert per_arm(1000.0, 0.1) == (100, 900)
    assert per_arm(1000.1, 0.1) == (101, 901)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: Noise(0.0, 0.0), "not both zero"),
        (lambda: Noise(1.0, math.inf), "variances"),
        (lambda: Noise(1.0, 1.0, 1.0), "share of the treatment"),
        (lambda: Noise(1.0, 1.0, 0.5, 1.0), "correlation"),
        (lambda: Noise(1.0, 1.0, 0.5, 0.0, 0.0), "design effect"),
        (lambda: sample_size(ONE, 0.0), "no number of units"),
        (lambda: sample_size(ONE, 1.0, power=0.4), "power"),
        (lambda: sample_size(ONE, 1.0, inflation=0.0), "inflation"),
        (lambda: detectable(ONE, 0.0), "units"),
        (lambda: detectable(ONE, 1.0, inflation=-1.0), "inflation"),
        (lambda: detectable_lift(ONE, 0.0, 10.0), "control mean"),
        (lambda: power_to_find(ONE, 1.0, 0.0), "units"),
        (lambda: t_power(0.5, 1, 1), "two units in each arm"),
        (lambda: design_effect(0.5, 0.1), "size of 1"),
        (lambda: share_noise(0.0, 0.5), "strictly between"),
        (lambda: share_sample_size(0.5, 0.5), "difference of zero"),
        (lambda: shifted([1.0], 2.0), "two levels"),
        (lambda: shifted([0.5, 0.5], 0.0), "odds ratio"),
        (lambda: ordinal_sample_size([0.5, 0.5], 1.0), "odds ratio of 1"),
        (lambda: ordinal_sample_size([1.0, 0.0], 2.0), "one level"),
        (lambda: ordinal_sample_size([0.5, 0.5], 2.0, share=0.0), "share of the treatment"),
        (lambda: quantile_noise(1.0, 1.0), "quantile"),
    ],
)
def test_what_cannot_be_planned(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
