import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from abtest.stats.srm import CONCENTRATIONS, anytime_srm, log_bayes_factor, sequential_srm, srm

from .vectors import case


def test_kohavi_tang_xu_chapter_21() -> None:
    result = srm([821588, 815482], [0.5, 0.5])
    assert result.statistic == pytest.approx(22.774369, abs=1e-6)
    assert result.p_value == pytest.approx(1.8218e-06, abs=1e-10)  # the book prints 1.8E-6
    assert result.df == 1


@pytest.mark.parametrize(
    "observed, statistic, p",
    [([5000, 5200], 3.921569, 0.0476704), ([333500, 332000, 334500], 9.5, 0.0086517)],
)
def test_chi_square_vectors(observed: list[int], statistic: float, p: float) -> None:
    result = srm(observed, [1.0] * len(observed))
    assert result.statistic == pytest.approx(statistic, abs=1e-6)
    assert result.p_value == pytest.approx(p, abs=1e-7)


def test_tea_tasting_normal_without_correction() -> None:
    vector = case("srm", "tea_normal_nocorr")
    result = srm([vector["input"]["control"], vector["input"]["treatment"]], [0.5, 0.5])
    assert result.p_value == pytest.approx(vector["expected"]["p_value"], abs=vector["tolerance"])


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.floats(0.05, 1.0)), min_size=2, max_size=6).filter(
        lambda arms: any(count for count, _ in arms)
    )
)
def test_agrees_with_scipy_stats(arms: list[tuple[int, float]]) -> None:
    observed, shares = [count for count, _ in arms], [share for _, share in arms]
    expected = [share / sum(shares) * sum(observed) for share in shares]
    reference = scipy.stats.chisquare(observed, expected, sum_check=False)
    result = srm(observed, shares)
    assert result.statistic == pytest.approx(reference.statistic, rel=1e-9, abs=1e-9)
    assert result.p_value == pytest.approx(reference.pvalue, rel=1e-7, abs=1e-300)
    assert result.max_deviation == pytest.approx(
        max(abs(o - e) for o, e in zip(observed, expected, strict=True)) / sum(observed), abs=1e-12
    )


def test_arms_without_share_do_not_count_unless_somebody_is_in_them() -> None:
    assert srm([5000, 5200, 0], [0.5, 0.5, 0.0]) == srm([5000, 5200], [0.5, 0.5])
    leaked = srm([5000, 5200, 1], [0.5, 0.5, 0.0])
    assert (leaked.status, leaked.reason, leaked.p_value, leaked.statistic) == ("ok", "units_without_share", 0.0, None)
    assert sequential_srm([5000, 5200, 1], [0.5, 0.5, 0.0]) == 0.0
    assert sequential_srm([5000, 5200, 0], [0.5, 0.5, 0.0]) == sequential_srm([5000, 5200], [0.5, 0.5])


def test_nothing_to_test() -> None:
    assert (srm([0, 0], [1, 1]).status, srm([0, 0], [1, 1]).reason) == ("no_test", "no_units")
    assert (srm([7, 0], [1, 0]).status, srm([7, 0], [1, 0]).reason) == ("no_test", "one_arm")
    assert sequential_srm([0, 0], [1, 1]) == 1.0


@pytest.mark.parametrize(
    "observed, shares, k, expected",
    [
        # Lindon & Malek 2022, equation for the Bayes factor evaluated with scipy's gammaln, a separate program.
        ([821588, 815482], [0.5, 0.5], 2.0, 4.458785),
        ([821588, 815482], [0.5, 0.5], 100.0, 6.532368),
        ([821588, 815482], [0.5, 0.5], 10_000.0, 8.765972),
        ([10000, 10400], [0.5, 0.5], 2.0, -0.814263),
        ([10000, 10400], [0.5, 0.5], 100.0, 1.238884),
        ([10000, 10400], [0.5, 0.5], 10_000.0, 2.075796),
        ([5000, 5200], [0.5, 0.5], 10_000.0, 0.638603),
    ],
)
def test_sequential_vectors(observed: list[int], shares: list[float], k: float, expected: float) -> None:
    assert log_bayes_factor(observed, shares, concentration=k) == pytest.approx(expected, abs=1e-6)


def test_sequential_p_values() -> None:
    assert sequential_srm([821588, 815482], [0.5, 0.5]) == pytest.approx(1.5595e-4, abs=1e-8)
    assert sequential_srm([5000, 5200], [0.5, 0.5]) == pytest.approx(0.52803, abs=1e-5)


@pytest.mark.parametrize("n", [0, 1, 5, 12])
def test_the_bayes_factor_is_a_martingale(n: int) -> None:
    # Summed over all arm sizes under the configured shares its mean is 1: this is what makes the p-value always valid.
    mean = math.fsum(
        scipy.stats.binom.pmf(x, n, 0.3) * math.exp(log_bayes_factor([x, n - x], [0.3, 0.7], concentration=5.0))
        for x in range(n + 1)
    )
    assert mean == pytest.approx(1.0, rel=1e-10)


def test_impossible_input_is_refused() -> None:
    for observed, shares in (([1], [0.5, 0.5]), ([-1, 2], [1, 1]), ([1, 2], [0, 0]), ([1, 2], [-1, 2])):
        with pytest.raises(ValueError):
            srm(observed, shares)
    with pytest.raises(ValueError, match="concentration"):
        sequential_srm([1, 2], [1, 1], concentration=0.0)


@given(st.lists(st.integers(0, 5000), min_size=2, max_size=4))
def test_the_mean_of_factors_lies_between_them(observed: list[int]) -> None:
    shares = [1.0] * len(observed)
    each = [sequential_srm(observed, shares, concentration=c) for c in CONCENTRATIONS]
    assert min(each) * (1 - 1e-9) <= anytime_srm(observed, shares) <= min(1.0, len(each) * min(each)) * (1 + 1e-9)


def test_a_look_every_day_keeps_the_error_rate() -> None:
    """28 looks at a sound split of 100 units a day: chi-square fails more often than it says, this does not."""
    draw = np.random.default_rng(8)
    n = 2000
    counts = draw.binomial(100, 0.5, (n, 28)).cumsum(axis=1)
    total = 100 * np.arange(1, 29)
    chi = (2 * counts - total) ** 2 / total
    naive = (chi > 10.827566).any(axis=1).mean()
    found = sum(
        any(anytime_srm([int(k), int(m - k)], [0.5, 0.5]) < 0.01 for k, m in zip(row, total, strict=True))
        for row in counts[:400]
    )
    assert naive > 0.004
    assert found <= binom.ppf(0.9999, 400, 0.01)
