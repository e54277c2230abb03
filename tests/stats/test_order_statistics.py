"""The rank interval and the bootstrap by order statistics, against scipy, a brute-force bootstrap and simulation."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from abtest.stats.inference import Estimate, Inference
from abtest.stats.order_statistics import POINTS, RankInterval, bootstrap_contrast, bootstrap_ranks, rank_interval
from abtest.stats.quantiles import mid_quantile

Floats = npt.NDArray[np.float64]
levels = st.floats(0.001, 0.999)
alphas = st.sampled_from([0.001, 0.01, 0.05, 0.1, 0.3, 0.9])
whole = st.integers(-40, 40).map(float)
orders = st.lists(whole, min_size=2, max_size=25)


def effect(found: Inference) -> Estimate:
    assert found.absolute is not None
    return found.absolute


def estimate_of(treatment: Sequence[float], control: Sequence[float]) -> tuple[float, float]:
    return float(np.median(treatment)), float(np.median(control))


def of_rows(treatment: Floats, control: Floats, at: float, points: int = POINTS) -> Inference:
    """What the product does with sorted rows without ties: the order statistics, and the mid-quantiles."""
    t, c = (x[np.array(bootstrap_ranks(len(x), at, points)) - 1].tolist() for x in (treatment, control))
    ones = [1] * len(treatment), [1] * len(control)
    return bootstrap_contrast(t, c, (mid_quantile(at, treatment, ones[0]), mid_quantile(at, control, ones[1])))


# Reference numbers


def test_median_of_twenty() -> None:
    found = rank_interval(20, 0.5)
    assert (found.low, found.high) == (6, 15)
    assert found.coverage == pytest.approx(0.9586105, abs=1e-7)


def test_published_indices_of_a_ninetieth_percentile() -> None:
    # Schultzberg & Ankargren 2022: of 1000 units, the central 95 % of the bootstrap are the indices 882 to 919.
    ranks = bootstrap_ranks(1000, 0.9)
    assert (ranks[math.floor(0.025 * POINTS)], ranks[POINTS - 1 - math.floor(0.025 * POINTS)]) == (882, 919)
    assert tuple(scipy.stats.binom.ppf([0.025, 0.975], 1001, 0.9)) == (882, 919)


def test_published_table_of_the_median() -> None:
    # David & Nagaraja 2003, and any table of the sign test: ranks l and n + 1 - l at 95 %; below six units there are none.
    lower = {6: 1, 8: 1, 9: 2, 10: 2, 12: 3, 15: 4, 25: 8, 30: 10}
    for n, low in lower.items():
        assert rank_interval(n, 0.5).low == low
        assert rank_interval(n, 0.5).high == n + 1 - low
    assert rank_interval(5, 0.5) == RankInterval(None, None, 1.0)


# scipy


@given(n=st.integers(1, 3000), at=levels, alpha=alphas)
def test_rank_interval_is_the_narrowest_by_scipy(n: int, at: float, alpha: float) -> None:
    found, b = rank_interval(n, at, alpha=alpha), scipy.stats.binom(n, at)
    slack = 1e-9
    assert found.low is None or b.cdf(found.low - 1) <= alpha / 2 + slack
    assert b.cdf(found.low or 0) > alpha / 2 - slack
    assert found.high is None or b.sf(found.high - 1) <= alpha / 2 + slack
    assert b.sf((found.high or n + 1) - 2) > alpha / 2 - slack
    missed = (b.cdf(found.low - 1) if found.low else 0.0) + (b.sf(found.high - 1) if found.high else 0.0)
    assert found.coverage == pytest.approx(1 - missed, abs=1e-12)
    assert found.coverage >= 1 - alpha


@given(n=st.integers(1, 3000), at=levels, points=st.integers(2, 600))
def test_bootstrap_ranks_are_those_of_scipy(n: int, at: float, points: int) -> None:
    expected = scipy.stats.binom.ppf((np.arange(points) + 0.5) / points, n + 1, at).astype(int)
    found = bootstrap_ranks(n, at, points)
    if expected[0] < 1 or expected[-1] > n:
        assert found == (min(max(int(expected[points // 2]), 1), n),)
    else:
        assert len(found) == points
        # scipy's search may step to the next index where a level is hit to the last digit.
        assert np.abs(np.subtract(found, expected)).max() <= 1
        assert np.mean(np.not_equal(found, expected)) < 0.01


@pytest.mark.parametrize("n", [10**6, 10**7, 10**8])
@pytest.mark.parametrize("alpha", [0.05, 1e-12, 1e-300])
def test_many_units_and_tiny_levels(n: int, alpha: float) -> None:
    # The binomial distribution of scipy.special (bdtr) is off by .001 at ten million units and by .1 at a hundred.
    found, b = rank_interval(n, 0.999, alpha=alpha), scipy.stats.binom(n, 0.999)
    assert found.low is not None
    assert found.high is not None
    assert b.cdf(found.low - 1) <= alpha / 2 < b.cdf(found.low)
    assert b.sf(found.high - 1) <= alpha / 2 < b.sf(found.high - 2)


# Laws


@given(n=st.integers(1, 400), eighths=st.integers(1, 7), alpha=alphas)
def test_upside_down(n: int, eighths: int, alpha: float) -> None:
    one, other = (rank_interval(n, e / 8, alpha=alpha) for e in (eighths, 8 - eighths))
    assert one.low == (None if other.high is None else n + 1 - other.high)
    assert one.high == (None if other.low is None else n + 1 - other.low)
    assert one.coverage == pytest.approx(other.coverage, abs=1e-12)


@given(n=st.integers(1, 400), at=levels, alpha=alphas)
def test_a_smaller_alpha_is_no_narrower(n: int, at: float, alpha: float) -> None:
    wide, narrow = rank_interval(n, at, alpha=alpha / 3), rank_interval(n, at, alpha=alpha)
    assert (wide.low or 0) <= (narrow.low or 0)
    assert (wide.high or n + 1) >= (narrow.high or n + 1)


@given(orders, orders, whole, alphas)
def test_p_value_and_interval_agree(t: list[float], c: list[float], shift: float, alpha: float) -> None:
    # Any estimate, even one that the order statistics contradict.
    found = bootstrap_contrast(t, c, (shift, 0.0), alpha=alpha)
    if found.status == "no_test":
        assert (found.reason, len({a - b for a in t for b in c})) == ("zero_variance", 1)
        return
    assert found.p_value is not None
    low, high = effect(found).low, effect(found).high
    outside = (low is not None and low > 0.0) or (high is not None and high < 0.0)
    assert outside == (found.p_value < alpha)
    assert low is None or low <= shift
    assert high is None or high >= shift
    assert (low is None) == (high is None) == (1.0 / len(t) / len(c) >= alpha)


@given(orders, orders, alphas)
def test_swapped_arms_shifted_and_scaled_values(t: list[float], c: list[float], alpha: float) -> None:
    medians = estimate_of(t, c)
    found = bootstrap_contrast(t, c, medians, alpha=alpha)
    swapped = bootstrap_contrast(c, t, (medians[1], medians[0]), alpha=alpha)
    scaled = bootstrap_contrast(
        [8 * x + 3 for x in t], [8 * x + 3 for x in c], (8 * medians[0], 8 * medians[1]), alpha=alpha
    )
    again = bootstrap_contrast(t[::-1], c[::-1], medians, alpha=alpha)
    assert again == found
    assert found.p_value == swapped.p_value == scaled.p_value
    one, two, eight = effect(found), effect(swapped), effect(scaled)
    assert (one.low, one.high) == tuple(None if b is None else -b for b in (two.high, two.low))
    assert (eight.low, eight.high) == tuple(None if b is None else 8 * b for b in (one.low, one.high))
    if one.se is not None:
        assert two.se == pytest.approx(one.se)
        assert eight.se == pytest.approx(8 * one.se)


@given(orders, orders)
def test_the_share_by_counting_pairs(t: list[float], c: list[float]) -> None:
    found = bootstrap_contrast(t, c, (1.0, 0.0))
    if found.status == "ok":
        against = sum(a - b <= 0 for a in t for b in c)
        assert found.p_value == pytest.approx(min(1.0, 2 * max(0.5, against) / len(t) / len(c)))


# Brute force


def test_against_resampling_the_rows() -> None:
    random = np.random.default_rng(3)
    t, c, at = np.sort(random.exponential(1.5, 300)), np.sort(random.exponential(1.0, 250)), 0.75
    draws = []
    for x in (t, c):
        # Poisson weights, row by row: the value at which the cumulated weight passes the level.
        weights = np.cumsum(random.poisson(1.0, (20_000, len(x))), axis=1)
        place = (weights < at * weights[:, -1:]).sum(axis=1)
        draws.append(x[np.minimum(place, len(x) - 1)])
    differences = draws[0] - draws[1]
    found = of_rows(t, c, at)
    low, high = effect(found).low, effect(found).high
    assert low is not None
    assert high is not None
    # What lies beyond the ends is 2.5 % of the replicates each; the indices are a large-sample law, hence one point.
    assert np.mean(differences < low) == pytest.approx(0.025, abs=0.01)
    assert np.mean(differences > high) == pytest.approx(0.025, abs=0.01)
    assert effect(found).se == pytest.approx(np.std(differences), rel=0.03)


def test_all_pairs_of_points_stand_for_random_indices() -> None:
    # The exact distribution of the difference for values 1..n: two binomial indices. The ends are off by .1 % in level.
    n, at = 800, 0.6
    ranks = bootstrap_ranks(n, at)
    found = bootstrap_contrast([float(r) for r in ranks], [float(r) for r in ranks], (0.25, 0.0))
    index = scipy.stats.binom(n + 1, at).pmf(np.arange(n + 2))
    cumulated = np.cumsum(np.convolve(index, index[::-1]))  # of differences from -(n + 1)
    low, high = effect(found).low, effect(found).high
    assert low is not None
    assert high is not None
    assert low == -high
    at_low = int(low) + n + 1
    assert cumulated[at_low - 1] - 0.001 <= 0.025 <= cumulated[at_low] + 0.001
    assert effect(found).se == pytest.approx(math.sqrt(2 * (n + 1) * at * (1 - at)), rel=0.005)


# Calibration

RUNS = 2000


def band(rate: float, runs: int = RUNS) -> tuple[float, float]:
    """Between these lie at least .9999 of the counts."""
    low, high = scipy.stats.binom.ppf([0.00005, 0.99995], runs, rate)
    return float(low), float(high)


@pytest.mark.parametrize(("n", "at"), [(20, 0.5), (37, 0.9), (400, 0.9)])
def test_the_rank_interval_covers_as_often_as_it_says(n: int, at: float) -> None:
    found = rank_interval(n, at)
    assert found.low is not None
    assert found.high is not None
    x = np.sort(np.random.default_rng(21).exponential(size=(RUNS, n)), axis=1)
    truth = -math.log1p(-at)
    covered = int(((x[:, found.low - 1] <= truth) & (truth < x[:, found.high - 1])).sum())
    low, high = band(found.coverage)
    assert low <= covered <= high


def alarms(n: int, at: float, times: float = 1.0) -> int:
    random = np.random.default_rng(22)
    found = [of_rows(times * t, c, at, points=51) for t, c in np.sort(random.exponential(size=(RUNS, 2, n)))]
    return sum(f.p_value is not None and f.p_value < 0.05 for f in found)


@pytest.mark.parametrize(("n", "at"), [(15, 0.5), (80, 0.9), (200, 0.5)])
def test_false_alarms_are_no_more_than_promised(n: int, at: float) -> None:
    # Few units: percentiles of a bootstrap of quantiles are wide (Hall & Martin 1988), so only the upper end binds.
    count = alarms(n, at)
    assert 5 <= count <= band(0.05)[1]


def test_false_alarms_of_many_units_are_as_promised() -> None:
    low, high = band(0.05)
    assert low <= alarms(1000, 0.5) <= high


def test_what_is_there_is_found() -> None:
    assert alarms(200, 0.5, 1.6) > 0.7 * RUNS


# Few units, ties, extreme numbers, bad input


def test_how_many_units_a_bootstrap_needs() -> None:
    for at, least in ((0.5, 9), (0.9, 63), (0.1, 63), (0.99, 665)):
        assert len(bootstrap_ranks(least, at)) == POINTS
        assert len(bootstrap_ranks(least - 1, at)) == 1
    assert bootstrap_ranks(1, 0.5) == (1,)
    assert bootstrap_ranks(10, 0.999) == (10,)
    assert bootstrap_ranks(10, 0.001) == (1,)


def test_one_unit_per_arm_is_no_evidence() -> None:
    ranks = bootstrap_ranks(1, 0.5)
    found = bootstrap_contrast([50.0 for _ in ranks], [3.0 for _ in ranks], (50.0, 3.0))
    assert (found.status, found.reason, found.p_value) == ("no_test", "not_enough_units", None)
    assert effect(found) == Estimate(47.0)
    assert bootstrap_contrast((), [1.0, 2.0], (0.0, 1.5)).reason == "not_enough_units"


def test_ties() -> None:
    found = bootstrap_contrast([2.0] * 401, [1.0] * 401, (2.0, 1.0))
    assert (found.status, found.reason) == ("no_test", "zero_variance")
    # Whole numbers: the mid-quantiles differ by less than one, the order statistics hardly at all.
    found = bootstrap_contrast([1.0] * 399 + [2.0] * 2, [1.0] * 401, (1.2, 1.1))
    assert effect(found).low == 0.0
    assert effect(found).high == pytest.approx(0.1)
    assert found.p_value == 1.0


def test_where_pairs_are_too_few_for_alpha_there_are_no_bounds() -> None:
    found = bootstrap_contrast([5.0, 6.0, 7.0], [1.0, 2.0, 3.0], (6.0, 2.0))
    assert found.p_value == pytest.approx(1 / 9)
    assert (effect(found).low, effect(found).high) == (None, None)
    assert effect(bootstrap_contrast([5.0, 6.0, 7.0], [1.0, 2.0, 3.0], (6.0, 2.0), alpha=0.12)).low == 2.0


@pytest.mark.parametrize("size", [5e-324, 1e-300, 1.0, 1e300, 7e306])
def test_large_and_small_values(size: float) -> None:
    t, c = [size * k for k in range(3, 13)], [-size * k for k in range(10)]
    found = bootstrap_contrast(t, c, (7.0 * size, -4.0 * size))
    one = bootstrap_contrast([float(k) for k in range(3, 13)], [-float(k) for k in range(10)], (7.0, -4.0))
    assert found.p_value == one.p_value == pytest.approx(0.01)
    low, se = effect(one).low, effect(one).se
    assert low is not None
    assert se is not None
    assert effect(found).low == pytest.approx(low * size, rel=1e-12)
    assert effect(found).se == pytest.approx(se * size, rel=1e-12, abs=5e-324)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, 1.7e308])
def test_values_without_a_difference(wrong: float) -> None:
    for t, estimate in (([wrong, 1.0], (1.0, 0.0)), ([1.0, 2.0], (wrong, 0.0))):
        with pytest.raises(ValueError, match="finite"):
            bootstrap_contrast(t, [0.0, 1.0], estimate)


def test_bad_input() -> None:
    for n, at in ((0, 0.5), (-3, 0.5), (10, 0.0), (10, 1.0), (10, math.nan)):
        with pytest.raises(ValueError, match="level strictly between 0 and 1"):
            rank_interval(n, at)
        with pytest.raises(ValueError, match="level strictly between 0 and 1"):
            bootstrap_ranks(n, at)
    for points in (1, 0, -5):
        with pytest.raises(ValueError, match="two points"):
            bootstrap_ranks(10, 0.5, points)
    for alpha in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="alpha"):
            rank_interval(10, 0.5, alpha=alpha)
        with pytest.raises(ValueError, match="alpha"):
            bootstrap_contrast([1.0, 2.0], [1.0, 3.0], (1.5, 2.0), alpha=alpha)
