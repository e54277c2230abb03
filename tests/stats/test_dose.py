import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from abtest.stats.distributions import critical_value, two_sided
from abtest.stats.dose import DoseCurve, dose_curve, dose_thresholds, sup_critical, sup_exceedance
from abtest.stats.moments import Counts
from abtest.stats.proportions import score

from .test_calibration import RUNS, assert_calibrated

Cells = list[tuple[float, int]]


def histogram(values: npt.NDArray[Any]) -> Cells:
    distinct, units = np.unique(values, return_counts=True)
    return list(zip(distinct.astype(float).tolist(), units.tolist(), strict=True))


@st.composite
def histograms(draw: st.DrawFn) -> Cells:
    units = draw(st.lists(st.integers(0, 400), min_size=2, max_size=5))
    return [(float(value), count) for value, count in enumerate(units)]


def by_forward_density(critical: float, correlations: list[float], size: int = 601) -> float:
    """1 - the mass that never left: the density of the chain, stepped forward on an even Simpson grid."""
    grid = np.linspace(-critical, critical, size)
    weights = np.ones(size)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    weights *= (grid[1] - grid[0]) / 3.0
    density = scipy.stats.norm.pdf(grid)
    for rho in correlations:
        step = math.sqrt(1.0 - rho * rho)
        density = scipy.stats.norm.pdf((grid[:, None] - rho * grid) / step) / step @ (weights * density)
    return 1.0 - float(weights @ density)


# The largest of a Markov chain


@pytest.mark.parametrize(
    "alpha, looks, expected",
    [
        # Pocock's constants (Jennison & Turnbull 2000, table 2.1): equally spaced looks are correlated by sqrt(j / k).
        (0.10, 5, 2.122),
        (0.10, 10, 2.270),
        (0.05, 2, 2.178),
        (0.05, 3, 2.289),
        (0.05, 4, 2.361),
        (0.05, 5, 2.413),
        (0.05, 10, 2.555),
        (0.05, 20, 2.672),
        (0.01, 5, 2.986),
        (0.01, 10, 3.117),
    ],
)
def test_pococks_constants(alpha: float, looks: int, expected: float) -> None:
    correlations = [math.sqrt(k / (k + 1)) for k in range(1, looks)]
    assert sup_critical(alpha, correlations) == pytest.approx(expected, abs=5.001e-4)


@settings(max_examples=30)
@given(st.integers(1, 50), st.floats(1e-12, 0.5))
def test_independent_ones_are_sidaks(many: int, alpha: float) -> None:
    single = -math.expm1(math.log1p(-alpha) / many)
    assert sup_critical(alpha, [0.0] * (many - 1)) == pytest.approx(critical_value(single), rel=1e-9)


@given(st.integers(0, 49), st.floats(1e-300, 0.9))
def test_the_same_one_again_costs_nothing(copies: int, alpha: float) -> None:
    assert sup_critical(alpha, [1.0] * copies) == pytest.approx(critical_value(alpha), rel=1e-9)


@pytest.mark.parametrize("rho", [0.05, 0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("critical", [0.3, 1.0, 2.5, 4.0])
def test_two_of_them_by_the_bivariate_normal(critical: float, rho: float) -> None:
    # P(|Z1| > c or |Z2| > c), with Owen's T function behind scipy's bivariate normal.
    normal = scipy.stats.multivariate_normal(cov=[[1.0, rho], [rho, 1.0]])
    inside = normal.cdf([critical, critical], lower_limit=[-critical, -critical])
    assert sup_exceedance(critical, [rho]) == pytest.approx(1.0 - inside, abs=1e-9)


@pytest.mark.parametrize("critical", [0.5, 1.5, 2.2, 3.3])
def test_chains_by_forward_density(critical: float) -> None:
    random = np.random.default_rng(31)
    for length in (2, 5, 12):
        correlations = random.uniform(0.0, 0.998, length).tolist()
        expected = by_forward_density(critical, correlations)
        assert sup_exceedance(critical, correlations) == pytest.approx(expected, abs=1e-8)


def test_monte_carlo_of_nested_shares() -> None:
    # The covariance S_k (1 - S_j) of nested indicators, j <= k, drawn without the Markov property.
    share = np.array([0.9, 0.7, 0.65, 0.4, 0.2, 0.05, 0.01])
    covariance = np.minimum.outer(share, share) * (1 - np.maximum.outer(share, share))
    sd = np.sqrt(np.diag(covariance))
    draws = np.random.default_rng(32).multivariate_normal(np.zeros(7), covariance / np.outer(sd, sd), 200_000)
    odds = share / (1 - share)
    critical = sup_critical(0.05, [math.sqrt(b / a) for a, b in pairwise(odds)])
    alarms = int((np.abs(draws).max(axis=1) > critical).sum())
    low, high = scipy.stats.binom.ppf([0.00005, 0.99995], len(draws), 0.05)
    assert low <= alarms <= high
    # Bonferroni and no correction would be far outside.
    assert not low <= (np.abs(draws).max(axis=1) > critical_value(0.05 / 7)).sum() <= high


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(1e-6, 0.3))
def test_between_one_test_and_bonferroni(correlations: list[float], alpha: float) -> None:
    critical = sup_critical(alpha, correlations)
    assert critical_value(alpha) - 1e-9 <= critical <= critical_value(alpha / (len(correlations) + 1)) + 1e-9
    assert sup_exceedance(critical, correlations) == pytest.approx(alpha, rel=1e-6)


@given(st.lists(st.floats(0, 0.999), min_size=1, max_size=8), st.floats(0.1, 6.0), st.floats(0, 1))
def test_lower_correlations_make_a_larger_maximum(correlations: list[float], critical: float, factor: float) -> None:
    lower = [correlations[0] * factor, *correlations[1:]]
    assert sup_exceedance(critical, lower) >= sup_exceedance(critical, correlations) * (1.0 - 1e-9)
    backwards = correlations[::-1]
    assert sup_exceedance(critical, backwards) == pytest.approx(sup_exceedance(critical, correlations), rel=1e-7)


def test_correlations_next_to_one_are_on_the_safe_side() -> None:
    one, floor, independent = (sup_critical(0.05, [rho] * 49) for rho in (1.0, 0.9999999, 0.0))
    assert one == pytest.approx(1.959964, abs=1e-6)
    assert one < floor < one + 0.15 < independent


def test_far_out() -> None:
    correlations = [0.999, 0.9, 0.5] * 5
    before = 1.0
    for critical in (5.0, 8.0, 15.0, 25.0, 37.0):
        found = sup_exceedance(critical, correlations)
        assert two_sided(critical) < found <= 16 * two_sided(critical)
        assert found < before
        before = found
    assert before < 1e-295
    assert sup_critical(1e-300, correlations) == pytest.approx(37.1, abs=0.2)
    assert (sup_exceedance(1e300, correlations), sup_exceedance(0.0, correlations)) == (0.0, 1.0)


@pytest.mark.parametrize("rho", [-0.1, 1.1, math.nan])
def test_no_correlation(rho: float) -> None:
    with pytest.raises(ValueError, match="correlations"):
        sup_exceedance(2.0, [rho])


# The curve


def test_correlations_are_those_of_the_indicators() -> None:
    random = np.random.default_rng(33)
    t, c = random.poisson(2.0, 300), random.poisson(2.2, 500)
    curve = dose_curve(histogram(t), histogram(c), [1, 2, 4, 5])
    indicators = [(np.r_[t, c] >= k).astype(float) for k in (1, 2, 4, 5)]
    correlations = [float(np.corrcoef(a, b)[0, 1]) for a, b in pairwise(indicators)]
    assert curve.critical == pytest.approx(sup_critical(0.05, correlations), rel=1e-9)
    assert curve.statistic is not None
    assert curve.p_value == pytest.approx(sup_exceedance(curve.statistic, correlations), rel=1e-9)


def test_every_point_is_the_score_test() -> None:
    random = np.random.default_rng(34)
    t, c = random.poisson(2.4, 400), random.poisson(2.0, 300)
    curve = dose_curve(histogram(t), histogram(c), [1, 2, 3, 5], alpha=0.1)
    assert (curve.status, curve.reason, curve.left_out) == ("ok", None, ())
    assert curve.critical is not None
    largest = 0.0
    for point in curve.points:
        arms = [Counts(int((values >= point.threshold).sum()), len(values)) for values in (t, c)]
        alone, together = score(*arms, alpha=0.1), score(*arms, alpha=two_sided(curve.critical))
        assert alone.absolute is not None
        assert alone.statistic is not None
        assert together.absolute is not None
        assert (point.treatment, point.control) == (arms[0].rate, arms[1].rate)
        assert point.difference == alone.absolute.estimate
        assert (point.pointwise_low, point.pointwise_high) == (alone.absolute.low, alone.absolute.high)
        assert (point.low, point.high) == (together.absolute.low, together.absolute.high)
        assert point.low < point.pointwise_low < point.difference < point.pointwise_high < point.high
        largest = max(largest, abs(alone.statistic))
    assert curve.statistic == largest


def test_one_threshold_is_one_proportion() -> None:
    curve = dose_curve([(0, 14), (1, 56)], [(0, 32), (1, 48)], [1])
    single = score(Counts(56, 70), Counts(48, 80))
    assert single.absolute is not None
    (point,) = curve.points
    assert (point.low, point.high) == (point.pointwise_low, point.pointwise_high)
    assert (point.low, point.high) == pytest.approx((0.0533, 0.3377), abs=5e-5)  # Newcombe 1998, table II, Mee
    assert curve.p_value == pytest.approx(single.p_value)
    assert curve.critical == critical_value(0.05)


@settings(max_examples=30)
@given(histograms(), histograms(), st.sampled_from([0.001, 0.05, 0.3]))
def test_p_and_the_band_agree(t: Cells, c: Cells, alpha: float) -> None:
    curve = dose_curve(t, c, alpha=alpha)
    if curve.status == "ok":
        assert curve.p_value is not None
        assume(abs(curve.p_value - alpha) > 1e-6)
        assert any(not point.low <= 0.0 <= point.high for point in curve.points) == (curve.p_value < alpha)
        for point in curve.points:
            assert -1.0 <= point.low <= point.difference <= point.high <= 1.0
            assert point.low <= point.pointwise_low
            assert point.high >= point.pointwise_high


@settings(max_examples=30)
@given(histograms(), histograms())
def test_swapping_the_arms(t: Cells, c: Cells) -> None:
    there, back = dose_curve(t, c), dose_curve(c, t)
    assert (there.status, there.reason, there.critical) == (back.status, back.reason, back.critical)
    assert there.p_value == pytest.approx(back.p_value)
    for a, b in zip(there.points, back.points, strict=True):
        assert (a.threshold, a.treatment, a.difference) == (b.threshold, b.control, -b.difference)
        assert (a.low, a.high) == pytest.approx((-b.high, -b.low), abs=1e-9)


@settings(max_examples=30)
@given(histograms(), histograms(), st.sampled_from([(0.5, -3.0), (1e-300, 0.0), (1e300, 0.0)]))
def test_only_the_order_of_values_matters(t: Cells, c: Cells, change: tuple[float, float]) -> None:
    def moved(cells: Cells) -> Cells:
        return [(value * change[0] + change[1], units) for value, units in cells]

    plain, found = dose_curve(t, c), dose_curve(moved(t), moved(c))
    assert [point.threshold for point in found.points] == [p.threshold * change[0] + change[1] for p in plain.points]
    assert (found.status, found.p_value, found.critical) == (plain.status, plain.p_value, plain.critical)
    assert [(p.low, p.high) for p in found.points] == [(p.low, p.high) for p in plain.points]


@settings(max_examples=30)
@given(histograms(), histograms(), histograms(), st.randoms())
def test_shards_in_any_order_are_one_pass(a: Cells, b: Cells, c: Cells, random: Any) -> None:
    together: dict[float, int] = {}
    for value, units in a + b:
        together[value] = together.get(value, 0) + units
    shards = a + b
    random.shuffle(shards)
    assert dose_curve(shards, c) == dose_curve(list(together.items()), c)


# Thresholds


def test_enough_units_on_both_sides() -> None:
    # 100 and 300 units: at the pooled share the smaller arm must expect ten, that is forty in both arms together.
    t, c = [(0.0, 50), (1.0, 40), (2.0, 9), (3.0, 1)], [(0.0, 149), (1.0, 120), (2.0, 20), (3.0, 11)]
    assert dose_thresholds(t, c) == (1.0, 2.0)
    curve = dose_curve(t, c, [-1, 0, 0.5, 1, 2, 3, 4])
    assert [point.threshold for point in curve.points] == [0.5, 1, 2]
    assert curve.left_out == tuple((k, "not_enough_units") for k in (-1, 0, 3, 4))
    # 0.5 and 1 are the same question and cost one.
    assert curve.critical == pytest.approx(dose_curve(t, c, [1, 2]).critical, rel=1e-12)
    assert dose_curve(t, c).left_out == ()
    # 41 units at or above 2 in both arms; two less would be too few.
    assert dose_thresholds(t, [(0.0, 151), (1.0, 120), (2.0, 18), (3.0, 11)]) == (1.0,)


@settings(max_examples=30)
@given(histograms(), histograms(), st.integers(2, 6))
def test_chosen_thresholds(t: Cells, c: Cells, most: int) -> None:
    every, some = dose_thresholds(t, c), dose_thresholds(t, c, most)
    assert set(some) <= set(every) <= {value for value, units in t + c if units}
    assert len(some) <= most
    assert list(some) == sorted(some)
    assert some == dose_thresholds(c, t, most)
    if every:
        assert (some[0], some[-1]) == (every[0], every[-1])
        assert dose_curve(t, c).status == "ok"
        assert dose_curve(t, c, every) == dose_curve(t, c)


def test_fifty_thresholds_of_very_many_values() -> None:
    random = np.random.default_rng(35)
    t, c = random.lognormal(0, 2, 4000), random.lognormal(0, 2, 4000)
    curve = dose_curve(histogram(t), histogram(c))
    assert 45 <= len(curve.points) <= 50
    shares = np.array([(p.treatment + p.control) / 2 for p in curve.points])
    steps = np.diff(np.log(shares / (1 - shares)))
    assert (steps < 0).all()
    # Evenly spread: about 12 in all from ten units below to ten above, each step 0.24 give or take the gaps of the tail.
    assert np.abs(steps[5:-5] / steps[5:-5].mean() - 1).max() < 0.1
    assert curve.critical is not None
    assert 2.5 < curve.critical < critical_value(0.05 / 50)


def test_statuses() -> None:
    good: Cells = [(0.0, 50), (1.0, 50)]
    for arms in (([], good), (good, []), ([(1.0, 0)], good)):
        assert dose_curve(*arms) == dose_curve(*arms, [1.0]) == DoseCurve("no_test", "no_units")
    assert dose_curve([(0.0, 1)], good) == DoseCurve("no_test", "not_enough_units")
    assert dose_curve([(2.0, 80)], [(2.0, 90)]) == DoseCurve("no_test", "not_enough_units")
    asked = dose_curve(good, good, [5.0])
    assert asked == DoseCurve("no_test", "not_enough_units", left_out=((5.0, "not_enough_units"),))
    same = dose_curve(good, good)
    assert (same.statistic, same.p_value) == (0.0, 1.0)


def test_complete_separation_and_huge_counts() -> None:
    apart = dose_curve([(5.0, 10**15)], [(0.0, 10**15)])
    (point,) = apart.points
    assert (point.difference, apart.p_value) == (1.0, 0.0)
    assert 0.999999 < point.low <= point.high == 1.0
    tiny = dose_curve([(0.0, 10**18), (1.0, 10**9 + 10**6)], [(0.0, 10**18), (1.0, 10**9)])
    assert tiny.statistic == pytest.approx(10**6 / math.sqrt(2e9), rel=1e-3)
    assert tiny.points[0].low > 0.0
    strict = dose_curve([(0.0, 500), (1.0, 300), (2.0, 200)], [(0.0, 600), (1.0, 300), (2.0, 100)], alpha=1e-300)
    assert strict.points[0].low < -0.5


@pytest.mark.parametrize("thresholds", [[], [2, 1], [1, 1], [math.nan], [math.inf], list(range(51))])
def test_no_thresholds(thresholds: list[float]) -> None:
    with pytest.raises(ValueError, match="threshold"):
        dose_curve([(0.0, 50), (1.0, 50)], [(0.0, 50), (1.0, 50)], thresholds)


def test_bad_calls() -> None:
    good: Cells = [(0.0, 50), (1.0, 50)]
    broken: list[list[tuple[float, Any]]] = [[(math.nan, 1)], [(math.inf, 1)], [(1.0, -1)], [(1.0, 2.5)]]
    for cells in broken:
        with pytest.raises(ValueError, match="histogram"):
            dose_curve(cells, good)
    with pytest.raises(ValueError, match="at least two"):
        dose_thresholds(good, good, 1)
    for alpha in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="alpha"):
            dose_curve(good, good, alpha=alpha)


# Calibration


def test_calibration_with_unequal_arms_and_a_long_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    # The p-value needs neither intervals nor the critical value, which take nearly all of the time.
    monkeypatch.setattr("abtest.stats.dose.mee", lambda *arms, alpha: (-1.0, 1.0))
    monkeypatch.setattr("abtest.stats.dose.sup_critical", lambda alpha, correlations: 3.0)
    random = np.random.default_rng(36)
    p = []
    for _ in range(RUNS):
        t, c = random.negative_binomial(0.6, 0.15, 250), random.negative_binomial(0.6, 0.15, 600)
        p.append(dose_curve(histogram(t), histogram(c), [1, 2, 3, 5, 8, 12]).p_value)
    assert_calibrated(p, 0.05)


def test_the_band_covers_all_true_differences() -> None:
    # Both the mean and the shape differ, so that the pooled correlations are those of neither arm.
    random = np.random.default_rng(37)
    thresholds = [1, 3, 5, 8]
    truth = {
        k: float(scipy.stats.poisson.sf(k - 1, 3.0) - scipy.stats.nbinom.sf(k - 1, 0.8, 0.8 / 4.8)) for k in thresholds
    }
    covered: list[float | None] = []
    for _ in range(150):
        t, c = random.poisson(3.0, 300), random.negative_binomial(0.8, 0.8 / 4.8, 300)
        points = dose_curve(histogram(t), histogram(c), thresholds).points
        # 1 for a band that holds the truth everywhere, 0 (an alarm) for one that does not.
        covered.append(float(all(point.low <= truth[int(point.threshold)] <= point.high for point in points)))
    assert_calibrated(covered, 0.05)
