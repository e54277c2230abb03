import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from abtest.stats.distributions import critical_value
from abtest.stats.moments import Counts
from abtest.stats.proportions import miettinen_nurminen, newcombe, score, wald, wilson
from abtest.stats.score_family import constrained_rates, difference_z, koopman, mee, pooled_z, ratio_z

from .samples import counts
from .vectors import case

Interval = Callable[[Counts, Counts], tuple[float, float]]


def arms(x1: int, n1: int, x2: int, n2: int) -> tuple[Counts, Counts]:
    return Counts(x1, n1), Counts(x2, n2)


@pytest.mark.parametrize(
    "method, data, expected",
    [
        # Newcombe 1998, Statistics in Medicine 17, Table II.
        (wald, (56, 70, 48, 80), (0.0575, 0.3425)),
        (newcombe, (56, 70, 48, 80), (0.0524, 0.3339)),
        (mee, (56, 70, 48, 80), (0.0533, 0.3377)),
        (miettinen_nurminen, (56, 70, 48, 80), (0.0528, 0.3382)),
        (newcombe, (9, 10, 3, 10), (0.1705, 0.8090)),
        (mee, (9, 10, 3, 10), (0.1821, 0.8370)),
        (miettinen_nurminen, (9, 10, 3, 10), (0.1700, 0.8406)),
        (newcombe, (5, 56, 0, 29), (-0.0381, 0.1926)),
        (miettinen_nurminen, (5, 56, 0, 29), (-0.0326, 0.1933)),
        (miettinen_nurminen, (0, 10, 0, 20), (-0.1658, 0.2844)),
        (newcombe, (10, 10, 0, 20), (0.6791, 1.0)),
        (miettinen_nurminen, (10, 10, 0, 20), (0.7156, 1.0)),
        (miettinen_nurminen, (10, 10, 0, 10), (0.6636, 1.0)),
    ],
)
def test_newcombes_table(method: Interval, data: tuple[int, int, int, int], expected: tuple[float, float]) -> None:
    # Printed with four decimals: half a unit of the last one.
    assert method(*arms(*data)) == pytest.approx(expected, abs=5.001e-5)


@pytest.mark.parametrize(
    "identifier, method",
    [("newcombe_diff", newcombe), ("wald_diff", wald), ("miettinen_nurminen_diff", miettinen_nurminen)],
)
def test_differences_printed_by_propcis(identifier: str, method: Interval) -> None:
    vector = case("proportion_intervals", identifier)
    treatment, control = Counts(*vector["input"]["treatment"]), Counts(*vector["input"]["control"])
    assert method(treatment, control) == pytest.approx(tuple(vector["expected"]["ci"]), abs=vector["tolerance"])


def test_ratio_vectors() -> None:
    # Koopman 1984 prints 2.94 to 7.15; statsmodels confint_proportions_2indep(compare="ratio", method="score").
    assert koopman(*arms(36, 40, 16, 80)) == pytest.approx((2.940, 7.152), abs=5.001e-4)
    vector = case("proportion_intervals", "koopman_score_ratio")
    treatment, control = Counts(*vector["input"]["treatment"]), Counts(*vector["input"]["control"])
    assert koopman(treatment, control) == pytest.approx(tuple(vector["expected"]["ci"]), abs=vector["tolerance"])


@given(counts(largest=2000), counts(largest=2000))
def test_pooled_z_is_the_chi_square_test(t: Counts, c: Counts) -> None:
    successes = t.successes + c.successes
    assume(0 < successes < t.n + c.n)
    table = [[t.successes, t.n - t.successes], [c.successes, c.n - c.successes]]
    reference = scipy.stats.chi2_contingency(table, correction=False)
    assert pooled_z(t, c) ** 2 == pytest.approx(reference.statistic, rel=1e-9, abs=1e-12)
    assert score(t, c).p_value == pytest.approx(reference.pvalue, rel=1e-8)


def outside(low: float | None, high: float | None, value: float) -> bool:
    return (low is not None and low > value) or (high is not None and high < value)


def assert_one_family(t: Counts, c: Counts, alpha: float) -> None:
    result = score(t, c, alpha=alpha)
    assert result.status == "ok"
    assert result.p_value is not None
    assert result.absolute is not None
    rejected = result.p_value < alpha
    assert outside(result.absolute.low, result.absolute.high, 0.0) == rejected, (t, c)
    low, high = koopman(t, c, alpha=alpha)
    assert outside(low, high, 1.0) == rejected, (t, c)
    if result.relative is not None:
        assert outside(result.relative.low, result.relative.high, 0.0) == rejected
        assert (result.relative.low, result.relative.high) == (low - 1.0, None if high is None else high - 1.0)


def test_p_and_both_intervals_agree_for_every_small_table() -> None:
    for n1, n2 in itertools.product((1, 2, 3, 5, 9, 14), repeat=2):
        for x1, x2 in itertools.product(range(n1 + 1), range(n2 + 1)):
            for alpha in (0.05, 0.3):
                assert_one_family(*arms(x1, n1, x2, n2), alpha)


@given(counts(), counts(), st.sampled_from([0.001, 0.01, 0.05, 0.1, 0.31]))
def test_p_and_both_intervals_agree(t: Counts, c: Counts, alpha: float) -> None:
    assert_one_family(t, c, alpha)


@given(st.integers(0, 40), st.integers(10**5, 10**8), st.integers(0, 40), st.integers(10**5, 10**8))
def test_p_and_both_intervals_agree_for_rare_events(x1: int, n1: int, x2: int, n2: int) -> None:
    assert_one_family(*arms(x1, n1, x2, n2), 0.05)
    assert_one_family(*arms(n1 - x1, n1, n2 - x2, n2), 0.05)


def test_five_of_56_against_none_of_29() -> None:
    # The table on which Newcombe's interval and the unpooled z contradict each other; the score family does not.
    result = score(*arms(5, 56, 0, 29))
    assert result.p_value == pytest.approx(0.0971, abs=5e-4)  # the pooled z is 1.659
    assert result.absolute is not None
    assert result.absolute.low is not None
    assert result.absolute.low < 0.0


@given(counts(), counts(), st.integers(1, 99))
def test_the_intervals_are_exactly_the_accepted_values(t: Counts, c: Counts, step: int) -> None:
    # Inverting a test gives an interval only if what it accepts is connected: checked at points across the range.
    z = critical_value(0.05)
    low, high = mee(t, c)
    difference = step / 50 - 1
    if min(abs(difference - low), abs(difference - high)) > 1e-9:
        assert (abs(difference_z(t, c, difference)) <= z) == (low < difference < high)
    r_low, r_high = koopman(t, c)
    ratio = math.exp(step / 10 - 5)
    if min(abs(ratio - r_low), abs(ratio - (r_high or math.inf))) > 1e-9 * ratio:
        assert (abs(ratio_z(t, c, ratio)) <= z) == (r_low < ratio < (r_high or math.inf))


def log_likelihood(t: Counts, c: Counts, p_t: float, p_c: float) -> float:
    return float(scipy.stats.binom.logpmf(t.successes, t.n, p_t) + scipy.stats.binom.logpmf(c.successes, c.n, p_c))


@given(counts(), counts(), st.floats(-0.99, 0.99))
def test_constrained_rates_maximise_the_likelihood(t: Counts, c: Counts, difference: float) -> None:
    p_t, p_c = constrained_rates(t, c, difference)
    assert 0.0 <= p_c <= 1.0
    assert p_t == pytest.approx(p_c + difference, abs=1e-12)
    grid = np.linspace(max(0.0, -difference), min(1.0, 1.0 - difference), 101)
    best = max(log_likelihood(t, c, float(np.clip(p + difference, 0, 1)), float(np.clip(p, 0, 1))) for p in grid)
    assert log_likelihood(t, c, p_t, p_c) >= best - 1e-9


@given(
    st.integers(0, 50), st.integers(10**4, 10**8), st.integers(0, 50), st.integers(10**4, 10**8), st.floats(-0.9, 0.9)
)
def test_constrained_rates_of_rare_events(x1: int, n1: int, x2: int, n2: int, steps: float) -> None:
    # The derivative of the log-likelihood changes sign around the answer, within a relative 1e-6 of the rate.
    t, c = arms(x1, n1, x2, n2)
    difference = steps * 1e-4
    _, p = constrained_rates(t, c, difference)

    def slope(p_c: float) -> float:
        terms = ((x1, p_c + difference), (x1 - n1, 1 - p_c - difference), (x2, p_c), (x2 - n2, 1 - p_c))
        return math.fsum(count / rate for count, rate in terms if count)

    inner = min(p, p + difference)
    if inner > 1e-12:
        assert slope(p + 1e-6 * inner) < 0.0 < slope(p - 1e-6 * inner)


@given(counts(), counts())
def test_swapping_the_arms(t: Counts, c: Counts) -> None:
    there, back = score(t, c), score(c, t)
    assert there.absolute is not None
    assert back.absolute is not None
    assert there.absolute.low is not None
    assert there.absolute.high is not None
    assert (back.absolute.low, back.absolute.high) == pytest.approx(
        (-there.absolute.high, -there.absolute.low), abs=1e-9
    )
    assert back.p_value == pytest.approx(there.p_value)
    low, high = koopman(t, c)
    back_low, back_high = koopman(c, t)
    if back_high is not None and low > 0:
        assert (low, back_high) == pytest.approx((1 / back_high, 1 / low), rel=1e-8)
    if high is not None and back_low > 0:
        assert high == pytest.approx(1 / back_low, rel=1e-8)


@given(counts(), counts())
def test_counting_failures_instead_of_successes(t: Counts, c: Counts) -> None:
    low, high = mee(t, c)
    mirrored = mee(Counts(t.n - t.successes, t.n), Counts(c.n - c.successes, c.n))
    assert mirrored == pytest.approx((-high, -low), abs=1e-9)


@given(counts(), counts())
def test_intervals_stay_in_range_and_hold_the_estimate(t: Counts, c: Counts) -> None:
    d = t.rate - c.rate
    for low, high in (mee(t, c), newcombe(t, c)):
        assert -1.0 - 1e-12 <= low <= d + 1e-12
        assert d - 1e-12 <= high <= 1.0 + 1e-12
    low, high = wilson(t)
    assert 0.0 <= low <= t.rate <= high <= 1.0
    reference = scipy.stats.binomtest(t.successes, t.n).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_the_edges() -> None:
    nothing = score(*arms(0, 10, 0, 20))
    assert (nothing.status, nothing.statistic, nothing.p_value) == ("ok", 0.0, 1.0)
    assert (nothing.relative, nothing.relative_reason) == (None, "control_not_positive")
    assert nothing.absolute is not None
    assert nothing.absolute.low is not None
    assert -0.3 < nothing.absolute.low < 0.0
    everything = score(*arms(10, 10, 10, 10))
    assert everything.p_value == 1.0
    assert everything.relative is not None
    assert everything.relative.estimate == 0.0
    opposite = score(*arms(10, 10, 0, 10))
    assert opposite.absolute is not None
    assert opposite.absolute.high == 1.0
    low, high = koopman(*arms(10, 10, 0, 10))
    assert high is None
    assert low > 1.0
    lost = score(*arms(0, 10, 10, 10))
    assert lost.relative is not None
    assert lost.relative.low == lost.relative.estimate == -1.0
    assert lost.absolute is not None
    assert lost.absolute.low == -1.0
    assert score(Counts(0, 0), Counts(1, 2)).reason == "no_units"
    assert ratio_z(*arms(0, 5, 0, 5), 2.0) == 0.0
    assert difference_z(*arms(5, 5, 0, 5), 1.0) == 0.0
    assert difference_z(*arms(0, 5, 0, 5), 1.0) == -math.inf


@given(counts(), counts())
def test_nothing_is_nan(t: Counts, c: Counts) -> None:
    result: Any = score(t, c)
    for estimate in (result.absolute, result.relative):
        if estimate is not None:
            for value in (estimate.estimate, estimate.low, estimate.high, estimate.se):
                assert value is None or math.isfinite(value)
    assert 0.0 <= result.p_value <= 1.0
