import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower

from abtest.stats.inference import Inference
from abtest.stats.means import welch
from abtest.stats.moments import Moments, merge, moments_of
from abtest.stats.surveys import (
    Reliability,
    cronbach_alpha,
    disattenuated,
    feldt_interval,
    nps_moments,
    nps_respondents,
)

from .test_calibration import assert_calibrated

Floats = npt.NDArray[np.float64]

# Six respondents, three items; the vector of the design, computed there from the formula.
ANSWERS = np.array([[4, 5, 4], [2, 3, 2], [5, 5, 4], [3, 3, 4], [1, 2, 1], [4, 4, 5]], dtype=np.float64)


def scale_of(answers: Floats) -> Reliability:
    return cronbach_alpha(np.atleast_2d(np.cov(answers.T)), n=len(answers))


def equal_items(k: int, correlation: float) -> Floats:
    return np.full((k, k), correlation) + (1.0 - correlation) * np.eye(k)


# Net Promoter Score


def test_nps_vector() -> None:
    c, t = nps_moments(50, 30, 20), nps_moments(130, 40, 30)
    assert (c.mean, t.mean) == (30.0, 50.0)
    assert c.standard_error == pytest.approx(7.849596, abs=1e-6)
    assert t.standard_error == pytest.approx(5.257204, abs=1e-6)
    result = welch(t, c)
    assert result.absolute is not None
    assert result.absolute.estimate == 20.0
    assert result.absolute.se == pytest.approx(9.447452, abs=1e-6)
    assert result.statistic == pytest.approx(2.116973, abs=1e-6)


def test_respondents_vector() -> None:
    # 5 points at a variance of .61 (on -1, 0, 1): 3830.25. Both z to seven digits would give 3830.24.
    assert nps_respondents(5, 6100) == 3831
    z = scipy.stats.norm.ppf(0.975) + scipy.stats.norm.ppf(0.8)
    assert z**2 * 2 * 0.61 / 0.05**2 == pytest.approx(3830.25, abs=0.01)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_nps_from_counts_is_nps_from_rows(promoters: int, passives: int, detractors: int) -> None:
    counts = nps_moments(promoters, passives, detractors)
    rows = moments_of([100.0] * promoters + [0.0] * passives + [-100.0] * detractors)
    assert (counts.n, counts.minimum, counts.maximum) == (rows.n, rows.minimum, rows.maximum)
    assert counts.mean == pytest.approx(rows.mean, rel=1e-12, abs=1e-12)
    assert counts.m2 == pytest.approx(rows.m2, rel=1e-12)
    assert counts.m3 == pytest.approx(rows.m3, rel=1e-9, abs=1e-5)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=5))
def test_nps_shards_merged_are_one_pass(shards: list[tuple[int, int, int]]) -> None:
    merged = Moments(n=0, mean=0.0, m2=0.0, m3=0.0)
    for shard in shards:
        merged = merge(merged, nps_moments(*shard))
    once = nps_moments(*(sum(column) for column in zip(*shards, strict=True)))
    assert (merged.n, merged.minimum, merged.maximum) == (once.n, once.minimum, once.maximum)
    assert merged.mean == pytest.approx(once.mean, abs=1e-9)
    assert merged.m2 == pytest.approx(once.m2, rel=1e-9)


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_exchanging_promoters_and_detractors_mirrors_the_score(up: int, middle: int, down: int) -> None:
    there, back = nps_moments(up, middle, down), nps_moments(down, middle, up)
    assert (back.mean, back.m2) == (-there.mean, there.m2)
    if there.n > 0:
        p, d = up / there.n, down / there.n
        assert there.mean == pytest.approx(100 * (p - d), abs=1e-10)
        assert there.m2 / there.n == pytest.approx(1e4 * (p + d - (p - d) ** 2), rel=1e-9, abs=1e-9)


def test_nps_of_millions_and_of_numpy_integers() -> None:
    many = np.array([3_000_000_000, 2_000_000_000, 1_000_000_000])
    found = nps_moments(*many)
    assert found.mean == pytest.approx(100 / 3, rel=1e-15)
    assert found.m2 / found.n == pytest.approx(1e4 * (2 / 3 - 1 / 9), rel=1e-15)


def test_nps_of_nobody_and_of_one() -> None:
    assert nps_moments(0, 0, 0) == Moments(n=0, mean=0.0, m2=0.0, m3=0.0)
    assert welch(nps_moments(1, 0, 0), nps_moments(5, 5, 5)).reason == "one_unit"
    assert welch(nps_moments(9, 0, 0), nps_moments(7, 0, 0)).reason == "zero_variance"


@given(st.floats(0.5, 100.0), st.floats(1.0, 10_000.0), st.floats(0.001, 0.3), st.floats(0.5, 0.99))
def test_respondents_by_statsmodels(points: float, variance: float, alpha: float, power: float) -> None:
    # One-sided at alpha/2: statsmodels' two-sided power counts significant results on the wrong side, too.
    n = nps_respondents(points, variance, alpha=alpha, power=power)
    effect, oracle = points / math.sqrt(variance), NormalIndPower()
    assert oracle.power(effect, n, alpha / 2, alternative="larger") >= power - 1e-9
    assert n == 2 or oracle.power(effect, n - 1, alpha / 2, alternative="larger") < power + 1e-9


def nps_experiments(seed: int, n: int, shares: Sequence[Sequence[float]], runs: int) -> list[Inference]:
    random = np.random.default_rng(seed)
    t, c = (random.multinomial(n, share, runs) for share in shares)
    return [welch(nps_moments(*a), nps_moments(*b)) for a, b in zip(t, c, strict=True)]


def test_no_false_alarms_of_the_score() -> None:
    results = nps_experiments(31, 300, [(0.45, 0.3, 0.25)] * 2, 2000)
    assert_calibrated([result.p_value for result in results], 0.05)


def test_the_planned_power_is_reached() -> None:
    control, treatment = (0.4, 0.3, 0.3), (0.5, 0.3, 0.2)
    variances = [1e4 * (p + d - (p - d) ** 2) for p, _, d in (control, treatment)]
    n = nps_respondents(20.0, sum(variances) / 2, power=0.8)
    results = nps_experiments(32, n, [treatment, control], 2000)
    found = sum(result.p_value is not None and result.p_value < 0.05 for result in results)
    low, high = scipy.stats.binom.ppf([0.00005, 0.99995], 2000, 0.8)
    assert low <= found <= high


# Cronbach's alpha: reference numbers


def test_alpha_vector() -> None:
    scale = scale_of(ANSWERS)
    assert (scale.status, scale.reason, scale.items, scale.n, scale.band) == ("ok", None, 3, 6, "good")
    assert scale.alpha == pytest.approx(0.9386892, abs=1e-7)
    assert scale.low == pytest.approx(0.7402823, abs=1e-7)
    assert scale.high == pytest.approx(0.9907374, abs=1e-7)


def test_pingouin() -> None:
    # The example in the documentation of pingouin's `cronbach_alpha`: .7734375, interval .336 to .939.
    answers = [[1, 2, 2, 3, 2, 2, 3, 3, 2, 3], [1, 1, 1, 2, 3, 3, 2, 3, 3, 3], [1, 1, 2, 1, 2, 3, 3, 3, 2, 3]]
    scale = scale_of(np.array(answers, dtype=np.float64).T)
    assert scale.alpha == pytest.approx(0.7734375, abs=1e-12)
    assert scale.low == pytest.approx(0.336, abs=5e-4)
    assert scale.high == pytest.approx(0.939, abs=5e-4)


def test_alpha_if_dropped_of_statsbase() -> None:
    # The example in the documentation of Julia's StatsBase, `cronbachalpha`.
    covariance = np.full((4, 4), 6.0)
    np.fill_diagonal(covariance, [10.0, 11.0, 12.0, 13.0])
    scale = cronbach_alpha(covariance, 100)
    assert scale.alpha == pytest.approx(0.8136, abs=5e-5)
    assert scale.alpha_if_dropped == pytest.approx([0.7500, 0.7606, 0.7714, 0.7826], abs=5e-5)


def test_degrees_of_freedom_of_the_interval() -> None:
    # Feldt, Woodruff & Salih (1987), eq. 6 and 7: (n - 1)(k - 1) within. The R package statpsych takes n (k - 1) and
    # prints .7971254 to .8931436 for this case.
    low, high = feldt_interval(0.85, items=7, n=89)
    quantiles = scipy.stats.f.ppf([0.975, 0.025], 88, 88 * 6)
    assert (low, high) == pytest.approx(tuple(1 - 0.15 * quantiles), rel=1e-12)
    other = scipy.stats.f.ppf([0.975, 0.025], 88, 89 * 6)
    assert tuple(1 - 0.15 * other) == pytest.approx((0.7971254, 0.8931436), abs=1e-7)


# Cronbach's alpha: independent computations and laws

answer_tables = st.integers(2, 6).flatmap(
    lambda k: st.lists(st.lists(st.integers(1, 7), min_size=k, max_size=k), min_size=3, max_size=15)
).map(lambda rows: np.array(rows, dtype=np.float64))  # fmt: skip


@given(answer_tables)
def test_alpha_by_analysis_of_variance(answers: Floats) -> None:
    # Hoyt (1941): one minus the mean square of the residuals over that of the respondents.
    n, k = answers.shape
    people = answers.mean(axis=1, keepdims=True)
    residual = answers - people - answers.mean(axis=0) + answers.mean()
    between = k * ((people - answers.mean()) ** 2).sum() / (n - 1)
    scale = scale_of(answers)
    if between < 1e-12:
        assert (scale.status, scale.reason, scale.alpha) == ("undefined", "zero_variance", None)
    else:
        expected = 1.0 - (residual**2).sum() / ((n - 1) * (k - 1)) / between
        assert scale.alpha == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(answer_tables)
def test_items_against_the_rest_by_rows(answers: Floats) -> None:
    scale = scale_of(answers)
    for item in range(answers.shape[1]):
        rest = np.delete(answers, item, axis=1)
        found, dropped = scale.item_rest[item], scale.alpha_if_dropped[item]
        if np.ptp(answers[:, item]) == 0 or np.ptp(rest.sum(axis=1)) == 0:
            assert found is None
        else:
            expected = float(np.corrcoef(answers[:, item], rest.sum(axis=1))[0, 1])
            assert found == pytest.approx(expected, abs=1e-9)
            assert (item in scale.suspects) == (expected < -1e-9)
        if dropped is not None:
            assert dropped == pytest.approx(scale_of(rest).alpha, rel=1e-9, abs=1e-9)
        else:
            assert rest.shape[1] == 1 or np.ptp(rest.sum(axis=1)) == 0


@given(answer_tables, st.sampled_from([2.0**-500, 0.01, -3.0, 2.0**400]), st.randoms())
def test_unit_and_order_of_the_items_do_not_matter(answers: Floats, factor: float, shuffle: object) -> None:
    here = scale_of(answers)
    assume(here.status == "ok")
    order = np.arange(answers.shape[1])
    shuffle.shuffle(order)  # type: ignore[attr-defined]
    there = cronbach_alpha(np.cov(answers.T)[np.ix_(order, order)] * factor * factor, len(answers))
    assert (there.alpha, there.low, there.high) == pytest.approx((here.alpha, here.low, here.high), rel=1e-9, abs=1e-9)
    for place, item in enumerate(order):
        assert there.item_rest[place] == pytest.approx(here.item_rest[item], abs=1e-9)


@pytest.mark.parametrize("k", [2, 3, 10, 40])
@pytest.mark.parametrize("correlation", [0.0, 0.1, 0.5, 0.9])
def test_equal_items_follow_spearman_brown(k: int, correlation: float) -> None:
    scale = cronbach_alpha(equal_items(k, correlation), 50)
    assert scale.alpha == pytest.approx(k * correlation / (1 + (k - 1) * correlation), abs=1e-12)
    rest = math.sqrt(k - 1) * correlation / math.sqrt(1 + (k - 2) * correlation)
    assert scale.item_rest == pytest.approx([rest] * k, abs=1e-12)


@given(st.floats(-3.0, 1.0), st.integers(2, 30), st.integers(2, 2000), st.floats(0.01, 0.999))
def test_the_interval_is_the_set_of_alphas_not_rejected(coefficient: float, k: int, n: int, confidence: float) -> None:
    assume(coefficient < 1.0 - 1e-6)
    low, high = feldt_interval(coefficient, k, n, confidence=confidence)
    assert low < high
    for end, tail in ((low, scipy.stats.f.sf), (high, scipy.stats.f.cdf)):
        ratio = (1.0 - end) / (1.0 - coefficient)
        assert tail(ratio, n - 1, (n - 1) * (k - 1)) == pytest.approx((1.0 - confidence) / 2.0, rel=1e-6)


@given(st.floats(-1.0, 0.99), st.floats(0.5, 0.9))
def test_more_confidence_is_a_wider_interval(coefficient: float, confidence: float) -> None:
    narrow = feldt_interval(coefficient, 4, 30, confidence=confidence)
    wide = feldt_interval(coefficient, 4, 30, confidence=confidence + 0.09)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


# What it is for


def test_an_item_that_was_not_reversed_is_suspected() -> None:
    random = np.random.default_rng(33)
    answers = random.normal(size=(200, 1)) + random.normal(0.0, 0.7, (200, 5))
    good = scale_of(answers)
    assert (good.suspects, good.band) == ((), "good")
    answers[:, 3] *= -1.0
    bad = scale_of(answers)
    assert bad.suspects == (3,)
    assert bad.alpha is not None
    assert bad.alpha < 0.6
    assert bad.alpha_if_dropped[3] == pytest.approx(good.alpha_if_dropped[3])


def test_no_correlation_is_not_a_negative_one() -> None:
    # Two answers with a covariance of 0, which floating point makes -3e-17.
    asked = np.array([[1, 6], [2, 1], [2, 2], [3, 4], [5, 2], [6, 4], [7, 4], [1, 5], [6, 5]], dtype=np.float64)
    scale = scale_of(asked)
    assert scale.alpha == pytest.approx(0.0, abs=1e-12)
    assert (scale.band, scale.suspects) == ("unusable", ())


@pytest.mark.parametrize(
    ("alpha", "band"),
    [
        (-0.2, "negative"),
        (0.01, "unusable"),
        (0.59, "unusable"),
        (0.61, "weak"),
        (0.69, "weak"),
        (0.71, "good"),
        (0.94, "good"),
        (0.96, "redundant"),
    ],
)
def test_bands(alpha: float, band: str) -> None:
    correlation = alpha / (3.0 - 2.0 * alpha)  # Spearman-Brown for three items, solved for the correlation
    scale = cronbach_alpha(equal_items(3, correlation), 100)
    assert scale.alpha == pytest.approx(alpha)
    assert scale.band == band


def test_the_effect_on_what_is_measured() -> None:
    # A trait of variance 1 that the treatment moves by .3, measured by four items with errors of variance 2: d on the
    # mean of the items is .3 / sqrt(1 + 2/4).
    scale = cronbach_alpha(np.full((4, 4), 1.0) + 2.0 * np.eye(4), 1000)
    assert scale.alpha is not None
    assert disattenuated(0.3 / math.sqrt(1.5), scale.alpha) == pytest.approx(0.3, rel=1e-12)
    assert disattenuated(-0.2, 1.0) == -0.2


# What cannot be computed


def test_statuses() -> None:
    one = cronbach_alpha(np.array([[2.0]]), 50)
    assert (one.status, one.reason, one.alpha, one.low, one.band) == ("undefined", "one_item", None, None, None)
    assert (one.item_rest, one.alpha_if_dropped, one.suspects) == ((None,), (None,), ())
    for n, reason in ((0, "no_units"), (1, "one_unit")):
        few = cronbach_alpha(equal_items(3, 0.5), n)
        assert (few.status, few.reason, few.alpha, few.item_rest) == ("undefined", reason, None, (None,) * 3)
    constant = cronbach_alpha(np.zeros((3, 3)), 50)
    assert (constant.reason, constant.item_rest, constant.alpha_if_dropped) == (
        "zero_variance",
        (None,) * 3,
        (None,) * 3,
    )


def test_items_that_cancel() -> None:
    # One item asked twice, the second time turned round: the sum is constant, alpha would be minus infinity.
    asked = np.array([1.1, 2.3, 3.7, 2.9, 4.3])
    scale = scale_of(np.column_stack([asked, 0.3 - asked]))
    assert (scale.status, scale.reason, scale.alpha) == ("undefined", "zero_variance", None)
    assert scale.item_rest == pytest.approx((-1.0, -1.0))
    assert scale.suspects == (0, 1)


def test_a_constant_item() -> None:
    covariance = np.zeros((3, 3))
    covariance[:2, :2] = equal_items(2, 0.5)
    scale = cronbach_alpha(covariance, 50)
    assert scale.alpha == pytest.approx(1.5 * (1.0 - 2.0 / 3.0))
    assert scale.item_rest == (pytest.approx(0.5), pytest.approx(0.5), None)
    assert scale.alpha_if_dropped == (pytest.approx(0.0), pytest.approx(0.0), pytest.approx(2.0 / 3.0))


def test_the_same_item_three_times() -> None:
    scale = cronbach_alpha(np.full((3, 3), 0.1), 10)
    assert (scale.alpha, scale.low, scale.high, scale.band) == (1.0, 1.0, 1.0, "redundant")
    assert scale.item_rest == pytest.approx((1.0,) * 3)


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e300])
def test_tiny_and_huge_units(size: float) -> None:
    scale = cronbach_alpha(equal_items(4, 0.4) * size, 30)
    reference = cronbach_alpha(equal_items(4, 0.4), 30)
    assert (scale.alpha, scale.low) == pytest.approx((reference.alpha, reference.low))
    many = cronbach_alpha(equal_items(40, 0.4) * size * 1e6, 30)
    assert many.alpha == pytest.approx(16.0 / 16.6)
    # Items in units that have nothing to do with each other: the first one is all of the sum.
    spread = np.array([1e150, 1.0, 1e-150])
    odd = cronbach_alpha(equal_items(3, 0.5) * np.outer(spread, spread), 30)
    assert odd.alpha == pytest.approx(0.0, abs=1e-9)
    assert odd.item_rest == pytest.approx((0.5, 0.5, 0.5))


def test_wrong_arguments() -> None:
    wrong: list[Callable[[], object]] = [
        lambda: nps_moments(-1, 0, 5),
        lambda: nps_respondents(0.0, 6000.0),
        lambda: nps_respondents(-5.0, 6000.0),
        lambda: nps_respondents(201.0, 6000.0),
        lambda: nps_respondents(1e-300, 6000.0),
        lambda: nps_respondents(math.nan, 6000.0),
        lambda: nps_respondents(5.0, -1.0),
        lambda: nps_respondents(5.0, 20_001.0),
        lambda: nps_respondents(5.0, math.nan),
        lambda: nps_respondents(5.0, 6000.0, alpha=0.0),
        lambda: nps_respondents(5.0, 6000.0, power=1.0),
        lambda: nps_respondents(5.0, 6000.0, power=0.05),
        lambda: cronbach_alpha(equal_items(3, 0.5), -1),
        lambda: cronbach_alpha(equal_items(3, 0.5), 10, confidence=1.0),
        lambda: cronbach_alpha(equal_items(3, 0.5)[:2], 10),
        lambda: cronbach_alpha(equal_items(3, -0.9), 10),
        lambda: cronbach_alpha(np.array([[1.0, math.nan], [math.nan, 1.0]]), 10),
        lambda: feldt_interval(1.1, 3, 10),
        lambda: feldt_interval(math.nan, 3, 10),
        lambda: feldt_interval(-math.inf, 3, 10),
        lambda: feldt_interval(-1e308, 2, 2),
        lambda: feldt_interval(0.5, 1, 10),
        lambda: feldt_interval(0.5, 3, 1),
        lambda: feldt_interval(0.5, 3, 10, confidence=0.0),
        lambda: disattenuated(0.2, 0.0),
        lambda: disattenuated(0.2, -0.3),
        lambda: disattenuated(0.2, 1.01),
        lambda: disattenuated(math.nan, 0.8),
        lambda: disattenuated(1e300, 1e-300),
    ]
    for call in wrong:
        with pytest.raises(ValueError):
            call()
    with pytest.raises(TypeError):
        nps_moments(0.5, 0, 0)  # type: ignore[arg-type]
    assert nps_respondents(5.0, 0.0) == 2


# Calibration


def test_coverage_of_feldts_interval() -> None:
    """Parallel normal items, for which the interval is exact: each end misses 2.5 % of the time."""
    k, n, runs, random = 3, 8, 2000, np.random.default_rng(34)
    answers = random.normal(size=(runs, n, 1)) + random.normal(0.0, 1.5, (runs, n, k))
    truth = k / (k + 1.5**2)
    found = [scale_of(table) for table in answers]
    band = scipy.stats.binom.ppf([0.00005, 0.99995], runs, 0.025)
    assert tuple(band) == (25, 79)
    assert band[0] <= sum(scale.low is not None and scale.low > truth for scale in found) <= band[1]
    assert band[0] <= sum(scale.high is not None and scale.high < truth for scale in found) <= band[1]
