import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from abtest.stats.inference import Estimate, Inference
from abtest.stats.margins import Margin, non_inferiority
from abtest.stats.moments import pair_of
from abtest.stats.quantiles import (
    Quantile,
    mid_quantile,
    probe_levels,
    quantile_arm,
    quantile_contrast,
    quantile_of,
    share_sd,
)

from .samples import columns

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Seconds of six users' page loads, made up: one user without any, one with most, values that tie.
LOADS = [[1.0, 4.0, 4.0], [2.0], [], [0.5, 3.0, 8.0, 9.0, 4.0, 2.0, 2.5], [1.5, 6.0], [3.0, 3.0, 5.0]]


def of(at: float, units: Sequence[Sequence[float]]) -> Quantile:
    return quantile_of(at, [value for unit in units for value in unit], [len(unit) for unit in units])


def across(at: float, values: Sequence[float] | Floats) -> Quantile:
    """Across units: every unit has one value."""
    return quantile_of(at, values, [1] * len(values))


def mid_quantile_by_hand(at: float, values: Sequence[float]) -> Fraction:
    level, n = Fraction(at), len(values)
    points = [
        (Fraction(v), Fraction(2 * sum(w < v for w in values) + sum(w == v for w in values), 2 * n))
        for v in sorted(set(values))
    ]
    if level <= points[0][1]:
        return points[0][0]
    for (v, low), (w, high) in pairwise(points):
        if level <= high:
            return v + (level - low) / (high - low) * (w - v)
    return points[-1][0]


def share_sd_by_hand(at: float, units: Sequence[Sequence[float]]) -> float:
    everything = [value for unit in units for value in unit]
    quantile = mid_quantile_by_hand(at, everything)
    below = [sum(value <= quantile for value in unit) for unit in units]
    share, n = Fraction(sum(below), len(everything)), len(units)
    residuals = [x - share * len(unit) for x, unit in zip(below, units, strict=True)]
    delta = float(sum(r * r for r in residuals) * n / (n - 1)) / len(everything) ** 2
    return math.sqrt(max(delta, at * (1 - at) / len(everything)))


# Reference numbers


def test_growthbook_quantile_of_units() -> None:
    # GrowthBook's tests of QuantileStatistic: n 11054, 90th percentile, variance 10.0864 (times n - 1, to 2 digits).
    pair = pair_of([1.0] * 9949 + [0.0] * 1105, [1.0] * 11054)
    arm = quantile_arm(Quantile(0.9, pair, 7.157987489967789, 7.098780136176828, 7.217194843758751))
    assert arm.variance * 11053 == pytest.approx(10.0864, abs=0.005)
    assert (arm.value, arm.df) == (7.157987489967789, 11053)


def test_growthbook_variance_of_a_clustered_share() -> None:
    # The same tests, QuantileClusteredStatistic: sums 10 and 4, squares 52 and 10, products 22, two clusters: 0.5625.
    assert share_sd(0.9, pair_of([4, 6], [1, 3])) ** 2 == pytest.approx(0.5625, rel=1e-12)


def test_exponential_scores() -> None:
    # x_i = -ln(1 - (i - .5)/1000): the mid-quantile at p is close to -ln(1 - p), and the standard error to the theory
    # sqrt(p (1 - p) / n) / f = sqrt(.09 / 1000) / .1 = .0948683.
    values = -np.log(1 - (np.arange(1, 1001) - 0.5) / 1000)
    found = across(0.9, values)
    half = 1.959964 * math.sqrt(0.9 * 0.1 / 999)  # the sample variance, divisor n - 1
    assert found.value == pytest.approx(-math.log(0.1), abs=1e-4)
    assert found.low == pytest.approx(-math.log(0.1 + half), abs=1e-4)
    assert found.high == pytest.approx(-math.log(0.1 - half), abs=1e-4)
    assert math.sqrt(quantile_arm(found).variance) == pytest.approx(0.0948683, rel=0.02)
    # Ranks 881, 900 and 919 (computed with numpy): .0976328.
    ranks = Quantile(0.9, found.pair, 2.297598, 2.124439, 2.507152)
    assert math.sqrt(quantile_arm(ranks).variance) == pytest.approx(0.0976328, abs=1e-6)


@pytest.mark.parametrize("at", [0.5, 0.6, 0.7])
def test_clustered_events_by_hand(at: float) -> None:
    everything = [value for unit in LOADS for value in unit]
    found, sd = of(at, LOADS), share_sd_by_hand(at, LOADS)
    assert found.pair.n == 6
    assert share_sd(at, found.pair) == pytest.approx(sd, rel=1e-12)
    levels = probe_levels(at, found.pair)
    assert levels is not None
    assert levels == pytest.approx((at - 1.959963985 * sd, at + 1.959963985 * sd))
    expected = [float(mid_quantile_by_hand(p, everything)) for p in (levels[0], at, levels[1])]
    assert [found.low, found.value, found.high] == pytest.approx(expected, rel=1e-12)
    se = (expected[2] - expected[0]) / (2 * 1.959963985)
    arm = quantile_arm(found)
    assert (arm.value, arm.df) == (found.value, 5)
    assert arm.variance == pytest.approx(se * se)


def test_contrast_by_hand() -> None:
    t, c = of(0.5, LOADS), of(0.5, [[value * 2 for value in unit] for unit in LOADS])
    result = quantile_contrast(t, c)
    assert t.value is not None
    assert result.absolute is not None
    assert result.relative is not None
    se = math.sqrt(quantile_arm(t).variance * 5)
    assert (result.method, result.status, result.reason) == ("quantile", "ok", None)
    assert result.absolute.estimate == pytest.approx(-t.value)
    assert result.relative.estimate == pytest.approx(-0.5)
    assert result.absolute.se == pytest.approx(se)
    assert result.df == pytest.approx(25 / (1 / 5 + 16 / 5))  # Welch, variances 1 : 4, 5 degrees of freedom each
    assert result.p_value == pytest.approx(2 * scipy.stats.t.sf(t.value / se, result.df))


# The mid-quantile


@given(columns, st.floats(0.01, 0.99))
def test_mid_quantile_by_hand(values: list[float], at: float) -> None:
    distinct, counts = np.unique(values, return_counts=True)
    expected = float(mid_quantile_by_hand(at, values))
    assert mid_quantile(at, distinct, counts) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(st.lists(st.integers(-800, 800), min_size=1, max_size=30, unique=True), st.floats(0.01, 0.99))
def test_without_ties_it_is_hazen(values: list[int], at: float) -> None:
    ordered = [float(v) for v in sorted(values)]
    hazen = float(np.quantile(ordered, at, method="hazen"))
    assert mid_quantile(at, ordered, [1] * len(ordered)) == pytest.approx(hazen, abs=1e-9)


@given(columns)
def test_the_median_of_symmetric_values_is_their_centre(values: list[float]) -> None:
    distinct, counts = np.unique([*values, *(-v for v in values)], return_counts=True)
    assert mid_quantile(0.5, distinct, counts) == pytest.approx(0.0, abs=1e-9)


def test_events_at_the_quantile_count_as_below() -> None:
    found = of(0.5, [[1.0, 2.0], [2.0, 3.0, 2.0], [1.0, 3.0]])
    assert (found.value, found.pair.x.total, found.pair.y.total) == (2.0, 5.0, 7.0)


# Probes


def test_how_many_units_a_quantile_needs() -> None:
    def reachable(n: int, at: float) -> bool:
        below = round(n * at)
        return probe_levels(at, pair_of([1.0] * below + [0.0] * (n - below), [1.0] * n)) is not None

    assert (reachable(300, 0.99), reachable(400, 0.99)) == (False, True)
    assert (reachable(300, 0.01), reachable(400, 0.01)) == (False, True)
    assert (reachable(30, 0.9), reachable(40, 0.9)) == (False, True)
    # At the maximum the share is 1 and its own variance 0, which is not certainty.
    assert probe_levels(0.99, pair_of([1.0] * 50, [1.0] * 50)) is None


def test_events_of_one_user_are_not_independent() -> None:
    units = [[float(user)] * 10 for user in range(100)]
    alone, clustered = across(0.5, [float(user) for user in range(100)]), of(0.5, units)
    assert clustered.value == alone.value
    assert quantile_arm(clustered) == quantile_arm(alone)
    apart = across(0.5, [value for unit in units for value in unit])
    assert quantile_arm(clustered).variance > 9 * quantile_arm(apart).variance


def test_a_full_top_value_is_no_certainty() -> None:
    # 89 ones and 11 twos: the usual 90th percentile is 2 and every event lies at or below it. The share has no
    # variance, but its probe at .841 still sees the ones.
    found = across(0.9, [1.0] * 89 + [2.0] * 11)
    assert found.low is not None
    assert found.value is not None
    assert found.low < found.value <= 2.0
    assert share_sd(0.9, pair_of([1.0] * 100, [1.0] * 100)) == pytest.approx(0.03)


# Laws


@st.composite
def arms(draw: st.DrawFn) -> Quantile:
    n, at = draw(st.integers(2, 50)), draw(st.sampled_from([0.25, 0.5, 0.75]))
    y = [draw(st.integers(1, 5)) * 10.0 for _ in range(4)] * n
    x = [at * v + shift for v, shift in zip(y, [1.0, -1.0, 2.0, -2.0] * n, strict=True)]
    pair = pair_of(x, y)
    low, value, high = sorted(draw(st.tuples(*[st.floats(-100.0, 100.0)] * 3)))
    assume(high - low > 1e-3 and probe_levels(at, pair) is not None)
    return Quantile(at, pair, value, low, high)


@st.composite
def couples(draw: st.DrawFn) -> tuple[Quantile, Quantile]:
    t, c = draw(arms()), draw(arms())
    assume(t.at == c.at)
    return t, c


rows = st.lists(st.lists(st.integers(-800, 800).map(lambda k: k / 8), max_size=6), min_size=8, max_size=20)


def absolute(inference: Inference) -> Estimate:
    assert inference.absolute is not None
    return inference.absolute


@given(rows, rows, st.integers(-80, 80).map(lambda k: k / 8))
def test_shifting_both_arms_changes_nothing(t: list[list[float]], c: list[list[float]], shift: float) -> None:
    here = quantile_contrast(of(0.5, t), of(0.5, c))
    moved = quantile_contrast(*(of(0.5, [[v + shift for v in unit] for unit in arm]) for arm in (t, c)))
    assert (moved.status, moved.reason) == (here.status, here.reason)
    if here.status == "ok":
        assert absolute(moved).estimate == pytest.approx(absolute(here).estimate, abs=1e-9)
        assert absolute(moved).se == pytest.approx(absolute(here).se, abs=1e-9)


@given(rows, rows, st.sampled_from([0.25, 4.0, 1024.0]))
def test_another_unit_of_the_metric(t: list[list[float]], c: list[list[float]], scale: float) -> None:
    here = quantile_contrast(of(0.5, t), of(0.5, c))
    there = quantile_contrast(*(of(0.5, [[v * scale for v in unit] for unit in arm]) for arm in (t, c)))
    assert (there.status, there.p_value, there.relative) == (here.status, here.p_value, here.relative)
    if here.absolute is not None:
        assert absolute(there).estimate == absolute(here).estimate * scale


@given(couples())
def test_swapping_the_arms(couple: tuple[Quantile, Quantile]) -> None:
    there, back = quantile_contrast(*couple), quantile_contrast(*reversed(couple))
    assert absolute(back).estimate == -absolute(there).estimate
    assert absolute(back).low == pytest.approx(-(absolute(there).high or 0.0))
    assert back.p_value == pytest.approx(there.p_value)


@given(couples(), st.floats(0.001, 0.4), st.floats(1.01, 2.0))
def test_a_higher_alpha_is_a_narrower_interval(couple: tuple[Quantile, Quantile], alpha: float, factor: float) -> None:
    wide = absolute(quantile_contrast(*couple, alpha=alpha))
    narrow = absolute(quantile_contrast(*couple, alpha=alpha * factor))
    assert wide.low is not None
    assert wide.high is not None
    assert narrow.low is not None
    assert narrow.high is not None
    assert wide.low < narrow.low <= narrow.high < wide.high
    assert wide.se == narrow.se


@given(couples(), st.floats(0.001, 0.3))
def test_intervals_exclude_zero_exactly_when_the_test_rejects(couple: tuple[Quantile, Quantile], alpha: float) -> None:
    result = quantile_contrast(*couple, alpha=alpha)
    assert result.p_value is not None
    assume(abs(result.p_value - alpha) > 1e-9)
    for found in (result.absolute, result.relative):
        if found is not None and found.low is not None and found.high is not None:
            assert (found.low > 0 or found.high < 0) == (result.p_value < alpha)


def test_own_critical_value() -> None:
    t, c = of(0.5, LOADS), of(0.5, [[value + 1 for value in unit] for unit in LOADS])
    result = quantile_contrast(t, c, critical=3.0)
    assert (result.p_value, result.critical) == (None, 3.0)
    assert absolute(result).high == pytest.approx(-1 + 3 * (absolute(result).se or 0.0))


def test_margins_take_the_arms() -> None:
    rng = np.random.default_rng(5)
    t, c = across(0.9, rng.exponential(1.02, 2000)), across(0.9, rng.exponential(1.0, 2000))
    result = quantile_contrast(t, c)
    assert result.relative is not None
    test = non_inferiority(result, Margin("relative", 0.2), "lower", quantile_arm(t), quantile_arm(c))
    assert test.estimate == pytest.approx(-result.relative.estimate / 0.2)
    assert test.low == pytest.approx(-(result.relative.high or 0.0) / 0.2)
    assert test.p_value is not None
    assert test.low is not None
    assert (test.low > -1) == (test.p_value < 0.025)


# What cannot be computed


def test_statuses() -> None:
    good = of(0.5, LOADS)
    nobody, silent, single = of(0.5, []), of(0.5, [[], []]), of(0.5, [[1.0, 2.0]])
    for broken, reason in ((nobody, "no_units"), (silent, "zero_denominator")):
        for result in (quantile_contrast(broken, good), quantile_contrast(good, broken)):
            assert (result.status, result.reason, result.absolute) == ("no_test", reason, None)
    assert good.value is not None
    one = quantile_contrast(single, good)
    assert (one.status, one.reason) == ("no_test", "one_unit")
    assert one.absolute == Estimate(1.5 - good.value)
    assert one.relative == Estimate((1.5 - good.value) / good.value)
    tail = of(0.95, LOADS)
    few = quantile_contrast(tail, tail)
    assert (few.status, few.reason, few.absolute) == ("no_test", "not_enough_units", Estimate(0.0))
    same = quantile_contrast(across(0.5, [3.0] * 20), across(0.5, [2.0] * 30))
    assert (same.status, same.reason, same.absolute) == ("no_test", "zero_variance", Estimate(1.0))
    assert same.relative == Estimate(0.5)


def test_one_constant_arm_is_still_a_test() -> None:
    result = quantile_contrast(across(0.5, [3.0] * 20), across(0.5, [float(v) for v in range(20)]))
    assert result.status == "ok"
    assert result.df == pytest.approx(19)


def test_wrong_arguments() -> None:
    pair = pair_of([1.0, 0.0, 2.0, 2.0], [1.0, 1.0, 2.0, 3.0])
    nothing = pair_of([0.0, 0.0], [0.0, 0.0])
    good = of(0.5, LOADS)
    wrong: list[Callable[[], object]] = [
        lambda: Quantile(0.0, pair, 1.0, 1.0, 1.0),
        lambda: Quantile(1.0, pair, 1.0, 1.0, 1.0),
        lambda: Quantile(0.5, pair),
        lambda: Quantile(0.5, nothing, 1.0),
        lambda: Quantile(0.5, pair, 1.0),
        lambda: Quantile(0.5, pair, 1.0, 0.5),
        lambda: Quantile(0.5, pair, 1.0, 0.5, 0.9),
        lambda: Quantile(0.5, pair, 1.0, 1.1, 1.2),
        lambda: Quantile(0.5, pair, math.nan, 0.5, 1.5),
        lambda: Quantile(0.5, pair, 1.0, 0.5, math.inf),
        lambda: mid_quantile(0.5, [], []),
        lambda: mid_quantile(1.5, [1.0], [1]),
        lambda: quantile_of(0.5, [*range(20), math.inf], [1] * 21),
        lambda: quantile_of(0.5, [1.0, 2.0], [1, 2]),
        lambda: quantile_of(0.5, [], [1, -1]),
        lambda: share_sd(0.5, nothing),
        lambda: share_sd(0.5, pair_of([1.0], [2.0])),
        lambda: quantile_arm(of(0.5, [[], []])),
        lambda: quantile_arm(of(0.95, LOADS)),
        lambda: quantile_contrast(good, of(0.6, LOADS)),
    ]
    for call in wrong:
        with pytest.raises(ValueError):
            call()


# Calibration: exact bands, as in test_calibration

RUNS = 2000
UNITS = 400


def page_loads(random: np.random.Generator, slower: float) -> tuple[Floats, Ints]:
    """Half of the users make 3 loads on average and half, with a faster line, 9; users differ, and so do loads."""
    heavy = random.random(UNITS) < 0.5
    sizes = 1 + random.poisson(np.where(heavy, 8.0, 2.0))
    user = random.normal(np.where(heavy, 0.0, 0.5), 0.6)
    return slower * np.exp(np.repeat(user, sizes) + random.normal(0.0, 0.8, sizes.sum())), sizes


def true_p90() -> float:
    """Of all loads: 3/12 of them lognormal(.5, 1) and 9/12 lognormal(0, 1), as .36 + .64 = 1."""
    low, high = 0.0, 100.0
    while high - low > 1e-10:
        middle = (low + high) / 2.0
        cdf = scipy.stats.norm.cdf(math.log(middle) - np.array([0.5, 0.0])) @ np.array([0.25, 0.75])
        low, high = (middle, high) if cdf < 0.9 else (low, middle)
    return low


def assert_coverage(
    simulate: Callable[[], tuple[Quantile, Quantile]], difference: float, lift: float, alphas: Sequence[float]
) -> None:
    """As many of the `RUNS` intervals as promised leave out the true difference, and the true lift."""
    absolute, relative = dict.fromkeys(alphas, 0), dict.fromkeys(alphas, 0)
    for _ in range(RUNS):
        arms = simulate()
        for alpha in alphas:
            result = quantile_contrast(*arms, alpha=alpha)
            absolute[alpha] += not covers(result.absolute, difference)
            relative[alpha] += not covers(result.relative, lift)
    for missed in (absolute, relative):
        for alpha in alphas:
            low, high = scipy.stats.binom.ppf([0.00005, 0.99995], RUNS, alpha)
            assert low <= missed[alpha] <= high, f"{missed} misses of {RUNS}, expected {low:.0f} to {high:.0f}"


def covers(found: Estimate | None, truth: float) -> bool:
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    return found.low <= truth <= found.high


def test_coverage_of_the_p90_of_page_loads() -> None:
    random, truth = np.random.default_rng(21), true_p90()
    assert_coverage(
        lambda: (quantile_of(0.9, *page_loads(random, 1.1)), quantile_of(0.9, *page_loads(random, 1.0))),
        0.1 * truth,
        0.1,
        [0.05, 0.2],
    )


def test_coverage_of_the_p90_across_units() -> None:
    random, truth = np.random.default_rng(22), math.exp(scipy.stats.norm.ppf(0.9))
    assert_coverage(
        lambda: (across(0.9, random.lognormal(0.1, 1.0, UNITS)), across(0.9, random.lognormal(0.0, 1.0, UNITS))),
        math.expm1(0.1) * truth,
        math.expm1(0.1),
        [0.05],
    )


def test_no_false_alarms_from_whole_seconds() -> None:
    # With the usual sample quantile of the same rounded loads, every fourth of these tests would raise an alarm.
    random, alarms = np.random.default_rng(23), 0

    def rounded() -> Quantile:
        values, sizes = page_loads(random, 1.0)
        return quantile_of(0.9, np.ceil(values), sizes)

    for _ in range(RUNS):
        p_value = quantile_contrast(rounded(), rounded()).p_value
        alarms += p_value is not None and p_value < 0.05
    assert alarms <= scipy.stats.binom.ppf(0.99995, RUNS, 0.05)
