import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.integrate
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from abtest.stats.distributions import critical_value, two_sided
from abtest.stats.dunnett import dunnett_critical, dunnett_lambdas, dunnett_p
from abtest.stats.multiplicity import holm

from .vectors import case

HALF = math.sqrt(0.5)

# The example of scipy.stats.dunnett (Dunnett 1955: blood counts).
CONTROL = [7.40, 8.50, 7.20, 8.24, 9.84, 8.32]
DRUG_A = [9.76, 8.80, 7.68, 9.36]
DRUG_B = [12.80, 9.68, 12.16, 9.20, 10.55]

lambdas_list = st.lists(st.floats(0.0, 0.999), min_size=1, max_size=5)
degrees = st.one_of(st.just(math.inf), st.sampled_from([1.0, 2.5, 9.0, 60.0, 4000.0]))


def one_way(control: list[float], *treatments: list[float]) -> tuple[list[float], tuple[float, ...], float]:
    """t values, lambdas and degrees of freedom with the pooled variance of all arms."""
    arms = [np.array(arm) for arm in (control, *treatments)]
    df = sum(len(arm) - 1 for arm in arms)
    pooled = sum(((arm - arm.mean()) ** 2).sum() for arm in arms) / df
    variances = [float(pooled / len(arm)) for arm in arms]
    t = [
        float(arm.mean() - arms[0].mean()) / math.sqrt(v + variances[0])
        for arm, v in zip(arms[1:], variances[1:], strict=True)
    ]
    return t, dunnett_lambdas(variances[1:], variances[0]), float(df)


def tail_by_quadrature(c: float, lambdas: list[float]) -> float:
    """P(max |Z| > c) by adaptive quadrature of the upper tail, broken where the integrand bends."""

    def integrand(x: float) -> float:
        inside = 0.0
        for value in lambdas:
            own = math.sqrt((1 - value) * (1 + value))
            beyond = scipy.stats.norm.cdf((value * x - c) / own) + scipy.stats.norm.cdf((-value * x - c) / own)
            inside += math.log1p(-beyond) if beyond < 1 else -math.inf
        return float(-math.expm1(inside) * scipy.stats.norm.pdf(x))

    breaks = sorted({0.0, *(value * c for value in lambdas), c, c + 10.0})
    parts = [
        scipy.integrate.quad(integrand, a, b, epsabs=0, epsrel=1e-10, limit=200)[0]
        for a, b in itertools.pairwise(breaks)
        if b > a
    ]
    return 2 * math.fsum(parts)


# Reference numbers


def test_printed_constants_for_large_arms() -> None:
    for k, constant in ((2, 2.2121), (3, 2.3490), (4, 2.4418)):
        assert dunnett_critical([HALF] * k) == pytest.approx(constant, abs=5e-5)


def test_printed_table_with_few_degrees_of_freedom() -> None:
    # Dunnett 1964 table, two-sided, 5 %, equal arms.
    for df, k, constant in ((5, 2, 3.03), (10, 3, 2.76), (20, 5, 2.73), (60, 9, 2.77)):
        assert dunnett_critical([HALF] * k, 0.05, df) == pytest.approx(constant, abs=0.0051)


def test_scipy_example() -> None:
    t, lambdas, df = one_way(CONTROL, DRUG_A, DRUG_B)
    assert t == pytest.approx([0.857032, 3.693752], abs=1e-6)
    assert dunnett_p(t, lambdas, df) == pytest.approx((0.6201, 0.0059), abs=2e-4)
    reference = scipy.stats.dunnett(DRUG_A, DRUG_B, control=CONTROL, rng=np.random.default_rng(1))
    assert dunnett_p(t, lambdas, df) == pytest.approx(reference.pvalue, abs=2e-3)
    # Half-width of its simultaneous interval for drug A.
    limits = reference.confidence_interval(0.95)
    se = (np.mean(DRUG_A) - np.mean(CONTROL)) / t[0]
    assert dunnett_critical(lambdas, 0.05, df) * se == pytest.approx((limits.high[0] - limits.low[0]) / 2, abs=5e-3)


def test_published_vector() -> None:
    found = case("dunnett", "dunnett_matlab")
    t, lambdas, df = one_way(found["input"]["control"], *found["input"]["treatments"])
    assert t == pytest.approx(found["expected"]["statistic"], abs=5e-5)
    p = dunnett_p(t, lambdas, df)
    assert p == pytest.approx(found["expected"]["p_value"], abs=found["tolerance"] / 10)
    # The smallest, 4.727e-6 by Matlab's quasi-random integration, to its accuracy.
    assert p[0] == pytest.approx(4.727e-6, rel=5e-3)


def test_scipy_on_random_designs() -> None:
    random = np.random.default_rng(31)
    for _ in range(6):
        arms = [random.normal(random.normal(0, 0.6), 1, random.integers(3, 25)).tolist() for _ in range(4)]
        t, lambdas, df = one_way(*arms)
        reference = scipy.stats.dunnett(*arms[1:], control=arms[0], rng=random)
        assert dunnett_p(t, lambdas, df) == pytest.approx(reference.pvalue, abs=2e-3)


# Independent integrals


@pytest.mark.parametrize("c", [0.01, 0.7, 2.3, 5.0, 8.0, 20.0, 36.0])
def test_normal_tail_to_full_relative_accuracy(c: float) -> None:
    for lambdas in ([HALF, HALF, HALF], [0.1, 0.5, 0.9], [0.0, 0.99], [0.9999, 0.3]):
        p = dunnett_p([c] + [0.0] * (len(lambdas) - 1), lambdas)[0]
        assert p == pytest.approx(tail_by_quadrature(c, lambdas), rel=1e-8)


@pytest.mark.parametrize(("df", "c"), [(1.0, 3.0), (3.0, 0.4), (3.0, 50.0), (12.0, 3.7), (12.0, 400.0), (500.0, 2.5)])
def test_finite_degrees_of_freedom(df: float, c: float) -> None:
    lambdas = [0.3, 0.8]
    chi = scipy.stats.chi(df)

    def integrand(log_s: float) -> float:
        s = math.exp(log_s)
        tail = dunnett_p([c * s, 0.0], lambdas)[0]
        assert tail is not None
        return float(tail * chi.pdf(s * math.sqrt(df)) * math.sqrt(df) * s)

    peak = -0.5 * math.log1p(c * c / df)
    expected = sum(
        scipy.integrate.quad(integrand, a, b, epsabs=0, epsrel=1e-9, limit=200)[0]
        for a, b in ((peak - 40 / df - 1, peak), (peak, 0.01), (0.01, 1.5))
    )
    assert dunnett_p([c, 0.0], lambdas, df)[0] == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("df", [1.0, 4.0, 30.0, 1e4, 1e9, math.inf])
@pytest.mark.parametrize("c", [0.3, 2.0, 6.0, 25.0])
def test_a_control_that_is_all_the_noise(df: float, c: float) -> None:
    # lambda = 1: all comparisons are the same one, so there is nothing to adjust.
    assert dunnett_p([c, c, c], [1.0, 1.0, 1.0], df)[0] == pytest.approx(two_sided(c, df), rel=1e-7)


@pytest.mark.parametrize("c", [0.3, 2.0, 6.0, 25.0])
def test_a_control_without_noise(c: float) -> None:
    # lambda = 0: independent comparisons, Sidak.
    expected = -math.expm1(3 * math.log1p(-two_sided(c)))
    assert dunnett_p([c, 0.0, 0.0], [0.0, 0.0, 0.0])[0] == pytest.approx(expected, rel=1e-10)


def test_far_tail() -> None:
    c = critical_value(1e-12)
    for p in dunnett_p([c, -c, 0.0], [HALF] * 3):
        assert p is not None
    # Three rare events that hardly ever coincide: Bonferroni to 3e-5, from below.
    adjusted = dunnett_p([c, 0.0, 0.0], [HALF] * 3)[0]
    assert adjusted is not None
    assert 3e-12 * (1 - 1e-4) < adjusted < 3e-12
    assert adjusted == pytest.approx(tail_by_quadrature(c, [HALF] * 3), rel=1e-8)
    assert dunnett_p([37.0, 0.0], [HALF, HALF])[0] == pytest.approx(2 * two_sided(37.0), rel=1e-9)
    assert dunnett_p([1e300, -math.inf], [HALF, HALF], 5) == (0.0, 0.0)
    assert dunnett_p([0.0, 1e-300], [HALF, HALF], 5) == (1.0, 1.0)


# Laws


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(0, 1)), min_size=1, max_size=6), degrees)
def test_between_the_raw_and_the_independent_value(rows: list[tuple[float, float]], df: float) -> None:
    t, lambdas = [a for a, _ in rows], [b for _, b in rows]
    bonferroni = [min(1.0, len(t) * two_sided(one, df)) for one in t]
    for one, p, bound in zip(t, dunnett_p(t, lambdas, df), bonferroni, strict=True):
        assert p is not None
        assert two_sided(one, df) <= p <= bound * (1 + 1e-12)


@given(lambdas_list, degrees, st.floats(1e-4, 0.5), st.floats(0.1, 6.0))
def test_p_value_and_interval_agree(lambdas: list[float], df: float, alpha: float, t: float) -> None:
    c = dunnett_critical(lambdas, alpha, df)
    p = dunnett_p([t] + [0.0] * (len(lambdas) - 1), lambdas, df)[0]
    assert p is not None
    assume(abs(p / alpha - 1) > 1e-9)
    assert (p < alpha) == (t > c)
    at_c = dunnett_p([c] + [0.0] * (len(lambdas) - 1), lambdas, df)[0]
    assert at_c == pytest.approx(alpha, rel=1e-9)


@given(lambdas_list, degrees, st.randoms())
@settings(max_examples=40)
def test_order_sign_and_untested_arms_do_not_matter(lambdas: list[float], df: float, random: Any) -> None:
    t = [random.uniform(-4, 4) for _ in lambdas]
    places = list(range(len(t)))
    random.shuffle(places)
    p = dunnett_p(t, lambdas, df)
    assert dunnett_p([-t[i] for i in places], [lambdas[i] for i in places], df) == tuple(p[i] for i in places)
    assert dunnett_p([*t, None], [*lambdas, 0.3], df) == (*p, None)


@given(lambdas_list, degrees)
@settings(max_examples=40)
def test_one_more_treatment_never_helps(lambdas: list[float], df: float) -> None:
    few = dunnett_critical(lambdas, 0.05, df)
    assert dunnett_critical([*lambdas, 0.5], 0.05, df) >= few * (1 - 1e-10)
    assert few <= critical_value(-math.expm1(math.log1p(-0.05) / len(lambdas)), df)


def test_at_least_as_sharp_as_holm_for_the_best_of_equals() -> None:
    p = [two_sided(z) for z in (2.3, 1.0, 0.2, -1.4)]
    best, holm_best = dunnett_p([2.3, 1.0, 0.2, -1.4], [HALF] * 4)[0], holm(p)[0]
    assert best is not None
    assert holm_best is not None
    assert best < holm_best


def test_fifty_unequal_treatments() -> None:
    lambdas = np.linspace(0.05, 0.97, 50).tolist()
    t = np.linspace(0.0, 6.0, 50).tolist()
    for df in (2.0, 17.5, math.inf):
        p = dunnett_p(t, lambdas, df)
        assert all(a is not None and b is not None and b <= a * (1 + 1e-12) for a, b in itertools.pairwise(p))
        c = dunnett_critical(lambdas, 0.05, df)
        assert dunnett_p([c] + [0.0] * 49, lambdas, df)[0] == pytest.approx(0.05, rel=1e-9)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=5), st.floats(1e-6, 1e6), st.integers(-900, 900))
def test_lambdas_have_no_unit(variances: list[float], control: float, power: int) -> None:
    lambdas = dunnett_lambdas(variances, control)
    for v, value in zip(variances, lambdas, strict=True):
        assert value**2 == pytest.approx(control / (control + v), rel=1e-12)
    scaled = dunnett_lambdas(
        [math.ldexp(v, 2 * (power // 2)) for v in variances], math.ldexp(control, 2 * (power // 2))
    )
    assert scaled == pytest.approx(lambdas, rel=1e-12)


def test_lambdas_from_sizes() -> None:
    # n_i / (n_i + n_0) when the variances per unit are equal.
    assert dunnett_lambdas([1 / 30, 1 / 90], 1 / 60) == pytest.approx((math.sqrt(30 / 90), math.sqrt(90 / 150)))
    assert dunnett_lambdas([0.0, 1e300, 1e308], 1e308) == pytest.approx((1.0, 1.0, HALF))
    assert dunnett_lambdas([1.0], 0.0) == (0.0,)


# Calibration


def test_any_false_alarm_by_simulation() -> None:
    # 20 000 null experiments, five treatments of 40 against a control of 15, common variance estimated: the band holds
    # .9999 of a binomial at 5 %.
    random, runs = np.random.default_rng(32), 20_000
    sizes, control_size = np.full(5, 40), 15
    df = int(sizes.sum() + control_size - 6)
    means: npt.NDArray[np.float64] = random.normal(size=(runs, 5)) / np.sqrt(sizes)
    control = random.normal(size=(runs, 1)) / np.sqrt(control_size)
    s = np.sqrt(random.chisquare(df, (runs, 1)) / df)
    t = (means - control) / (s * np.sqrt(1 / sizes + 1 / control_size))
    c = dunnett_critical(dunnett_lambdas((1 / sizes).tolist(), 1 / control_size), 0.05, df)
    alarms = int((np.abs(t).max(axis=1) > c).sum())
    low, high = scipy.stats.binom.ppf([0.00005, 0.99995], runs, 0.05)
    assert low <= alarms <= high


# Bad input


def test_programming_errors() -> None:
    with pytest.raises(ValueError, match="one lambda per statistic"):
        dunnett_p([1.0], [0.5, 0.5])
    with pytest.raises(ValueError, match="statistics"):
        dunnett_p([math.nan], [0.5])
    for value in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="lambdas"):
            dunnett_p([1.0], [value])
    for df in (0.5, -1.0, math.nan):
        with pytest.raises(ValueError, match="degrees of freedom"):
            dunnett_p([1.0, 2.0], [0.5, 0.5], df)
    for alpha in (0.0, 1.0, 1e-200):
        with pytest.raises(ValueError, match="alpha"):
            dunnett_critical([0.5, 0.5], alpha)
    with pytest.raises(ValueError, match="at least one"):
        dunnett_critical([])
    for variances, control in (([0.0], 0.0), ([-1.0], 1.0), ([math.inf], 1.0), ([1.0], math.nan)):
        with pytest.raises(ValueError, match="variance"):
            dunnett_lambdas(variances, control)
    assert dunnett_p([], []) == ()
    assert dunnett_p([None], [0.5]) == (None,)
