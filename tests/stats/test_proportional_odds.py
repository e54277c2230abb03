import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st
from statsmodels.miscmodels.ordinal_model import OrderedModel

from abtest.stats.ordinal import Categories, brunner_munzel, categories_of, mann_whitney
from abtest.stats.proportional_odds import OddsRatio, generalized_odds_ratio, proportional_odds, proportionality

from .test_calibration import assert_calibrated
from .test_ordinal import CONTROL, LIKERT, TREATMENT, arms, rows_of, scores

Floats = npt.NDArray[np.float64]

# Odds of answering higher are doubled at both cuts, without any noise.
DOUBLED = Categories((1.0, 2.0, 3.0), (12, 16, 56)), Categories((1.0, 2.0, 3.0), (25, 25, 50))


def of(found: OddsRatio) -> tuple[float, float, float, float]:
    """Log ratio, its standard error, and the bounds of the ratio; all four exist."""
    kept = [number for number in (found.log_ratio, found.se, found.low, found.high) if number is not None]
    assert len(kept) == 4
    return kept[0], kept[1], kept[2], kept[3]


def table(t: Categories, c: Categories) -> tuple[Floats, Floats]:
    """Counts of both arms at the levels that somebody chose."""
    levels = sorted({*rows_of(t), *rows_of(c)})
    both = [np.array([rows_of(arm).count(level) for level in levels], dtype=np.float64) for arm in (t, c)]
    return both[0], both[1]


def probabilities(parameters: Floats, shift: float) -> Floats:
    cuts = np.cumsum(np.concatenate((parameters[:1], np.exp(parameters[1:-1]))))
    return np.diff(np.concatenate(([0.0], 1 / (1 + np.exp(shift - cuts)), [1.0])))


def by_general_search(t: Floats, c: Floats) -> tuple[float, float, Floats, Floats]:
    """Shift, maximum and fitted probabilities by scipy, from the likelihood as the paper has it."""

    def minus(parameters: Floats) -> float:
        p_t, p_c = probabilities(parameters, parameters[-1]), probabilities(parameters, 0.0)
        if min(p_t.min(), p_c.min()) <= 0.0:
            return 1e10
        return -float(t @ np.log(p_t) + c @ np.log(p_c))

    start = np.concatenate(([-1.0], np.full(len(t) - 2, math.log(2.0 / len(t))), [0.0]))
    for _ in range(4):
        start = scipy.optimize.minimize(minus, start, method="Nelder-Mead", options={"maxiter": 400}).x
        start = scipy.optimize.minimize(minus, start, method="BFGS", options={"gtol": 1e-7}).x
    return float(start[-1]), -minus(start), probabilities(start, start[-1]), probabilities(start, 0.0)


# Reference numbers


def test_likert() -> None:
    # statsmodels' OrderedModel, fitted by Newton or Nelder-Mead: .610843046, se .2582667, llf -293.159558988. Its
    # default search stops early, at .6108981 and llf -293.159559101, which is lower: that is no maximum.
    found = proportional_odds(TREATMENT, CONTROL)
    log_ratio, se, low, high = of(found)
    assert log_ratio == pytest.approx(0.610843046, abs=1e-8)
    assert se == pytest.approx(0.2582667, abs=1e-7)
    assert found.ratio == pytest.approx(1.841984, abs=1e-6)
    assert found.log_likelihood == pytest.approx(-293.159558988, abs=1e-8)
    assert (low, high) == pytest.approx((math.exp(log_ratio - 1.959964 * se), math.exp(log_ratio + 1.959964 * se)))
    assert found.p_value == pytest.approx(2 * scipy.stats.norm.sf(log_ratio / se))
    general = generalized_odds_ratio(TREATMENT, CONTROL)
    assert general.ratio == pytest.approx(1.657244, abs=1e-6)


@pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.ConvergenceWarning")
@pytest.mark.parametrize("seed", range(4))
def test_ordered_model_of_statsmodels(seed: int) -> None:
    # Its search ends where the gradient is about 1e-4 and says that it did not converge: five digits, and no higher.
    random = np.random.default_rng(seed)
    levels = int(random.integers(3, 7))
    t, c = random.integers(0, levels, 40) // random.integers(1, 3, 40), random.integers(0, levels, 70)
    found = proportional_odds(categories_of(t.astype(float)), categories_of(c.astype(float)))
    model = OrderedModel(np.concatenate((t, c)), np.repeat([1.0, 0.0], [40, 70])[:, None], distr="logit")
    theirs = model.fit(method="bfgs", gtol=1e-9, disp=False)
    assert of(found)[0] == pytest.approx(theirs.params[0], abs=2e-5)
    assert of(found)[1] == pytest.approx(theirs.bse[0], rel=2e-5)
    assert found.log_likelihood is not None
    assert theirs.llf - 1e-10 <= found.log_likelihood <= theirs.llf + 1e-7


def test_a_ratio_of_exactly_two() -> None:
    found, check = proportional_odds(*DOUBLED), proportionality(*DOUBLED)
    assert found.ratio == pytest.approx(2.0, rel=1e-12)
    assert check.statistic == pytest.approx(0.0, abs=1e-12)
    assert check.p_value == pytest.approx(1.0, abs=1e-6)
    assert (check.df, check.cuts) == (1, (2.0, 3.0))
    assert check.log_odds_ratios == pytest.approx((math.log(2), math.log(2)))


@given(st.lists(st.floats(0.0, 13.0), min_size=4, max_size=4))
def test_two_levels_are_the_2_by_2_table(powers: list[float]) -> None:
    # Also where a billion units meet ten, and where odds differ by 1e26.
    low_t, high_t, low_c, high_c = (int(10**power) for power in powers)
    found = proportional_odds(Categories((0.0, 1.0), (low_t, high_t)), Categories((0.0, 1.0), (low_c, high_c)))
    log_ratio, se, *_ = of(found)
    expected = math.sqrt(1 / low_t + 1 / high_t + 1 / low_c + 1 / high_c)
    assert se == pytest.approx(expected, rel=1e-6)
    odds = math.log(high_t) - math.log(low_t) - math.log(high_c) + math.log(low_c)
    assert abs(log_ratio - odds) < 1e-6 * expected + 1e-12 * abs(odds)
    general = generalized_odds_ratio(Categories((0.0, 1.0), (low_t, high_t)), Categories((0.0, 1.0), (low_c, high_c)))
    assert of(general)[0] == pytest.approx(odds, rel=1e-9, abs=1e-9)
    assert of(general)[1] == pytest.approx(expected, rel=1e-9)


@given(arms(), arms())
def test_delta_method_of_the_generalised_ratio(t: Categories, c: Categories) -> None:
    found = generalized_odds_ratio(t, c)
    assume(found.status == "ok")
    counts = table(t, c)
    shares = [arm / arm.sum() for arm in counts]

    def log_ratio(p: Floats, q: Floats) -> float:
        return math.log(np.tril(np.outer(p, q), -1).sum()) - math.log(np.triu(np.outer(p, q), 1).sum())

    variance, step = 0.0, 1e-6
    for arm in (0, 1):
        slopes = []
        for level in range(len(counts[0])):
            up, down = [p.copy() for p in shares], [p.copy() for p in shares]
            up[arm][level] += step
            down[arm][level] -= step
            slopes.append((log_ratio(*up) - log_ratio(*down)) / (2 * step))
        mean = float(shares[arm] @ slopes)
        variance += float(shares[arm] @ (np.array(slopes) - mean) ** 2) / counts[arm].sum()
    assert of(found)[0] == pytest.approx(log_ratio(*shares), abs=1e-9)
    assert of(found)[1] == pytest.approx(math.sqrt(variance), rel=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_check_by_general_search(seed: int) -> None:
    random = np.random.default_rng(seed + 50)
    t, c = random.integers(8, 40, 4), random.integers(8, 40, 4)
    arms_ = [Categories((1.0, 2.0, 3.0, 4.0), tuple(arm.tolist())) for arm in (t, c)]
    shift, height, p_t, p_c = by_general_search(t.astype(float), c.astype(float))
    found, check = proportional_odds(*arms_), proportionality(*arms_)
    assert of(found)[0] == pytest.approx(shift, abs=1e-4)
    assert found.log_likelihood is not None
    assert found.log_likelihood == pytest.approx(height, abs=1e-6)
    pearson = ((t - t.sum() * p_t) ** 2 / (t.sum() * p_t)).sum() + ((c - c.sum() * p_c) ** 2 / (c.sum() * p_c)).sum()
    assert check.statistic == pytest.approx(pearson, rel=1e-4)
    assert check.p_value == pytest.approx(scipy.stats.chi2.sf(pearson, 2), rel=1e-3)
    cut = np.log((t[2:].sum() * c[:2].sum()) / (t[:2].sum() * c[2:].sum()))
    assert check.log_odds_ratios[1] == pytest.approx(cut)


# Laws

Method = Callable[[Categories, Categories], OddsRatio]
METHODS: tuple[Method, ...] = (proportional_odds, generalized_odds_ratio)


@given(arms(), arms())
def test_the_two_exist_together(t: Categories, c: Categories) -> None:
    one, other = (method(t, c) for method in METHODS)
    assert (one.status, one.reason) == (other.status, other.reason)
    if one.status == "no_test":
        assert one.ratio == other.ratio
        assert one.log_ratio is one.se is one.low is one.p_value is None
    else:
        assert all(math.isfinite(number) for number in of(one))


@given(arms(), arms())
def test_swapping_the_arms_and_turning_the_scale(t: Categories, c: Categories) -> None:
    def turned(arm: Categories) -> Categories:
        return Categories(tuple(-level for level in reversed(arm.levels)), arm.counts[::-1])

    for method in METHODS:
        there = method(t, c)
        assume(there.status == "ok")
        for back in (method(c, t), method(turned(t), turned(c))):
            assert of(back)[0] == pytest.approx(-of(there)[0], rel=1e-9, abs=1e-9)
            assert of(back)[1] == pytest.approx(of(there)[1], rel=1e-9)
            assert of(back)[2] == pytest.approx(1 / of(there)[3], rel=1e-8)
            assert back.p_value == pytest.approx(there.p_value, rel=1e-6)
    assert proportionality(c, t).statistic == pytest.approx(proportionality(t, c).statistic)


@given(arms(), arms())
def test_levels_that_nobody_chose_do_not_count(t: Categories, c: Categories) -> None:
    levels = tuple(float(level) for level in range(-5, 12))
    wide = [Categories(levels, tuple(rows_of(arm).count(level) for level in levels)) for arm in (t, c)]
    for method in (*METHODS, proportionality):
        assert method(*wide) == method(t, c)


@given(arms(), arms(), st.floats(0.001, 0.4))
def test_the_interval_excludes_one_exactly_when_the_test_rejects(t: Categories, c: Categories, alpha: float) -> None:
    for method in (proportional_odds, generalized_odds_ratio):
        found = method(t, c, alpha=alpha)
        if found.p_value is not None and abs(found.p_value - alpha) > 1e-9:
            _, _, low, high = of(found)
            assert (low > 1 or high < 1) == (found.p_value < alpha)


def test_for_small_effects_it_is_wilcoxon() -> None:
    # McCullagh 1980: the score test of the model is Wilcoxon's, and near "no effect" Wald's is the score test.
    n = 10**7
    t = Categories(LIKERT, (n - 9000, 2 * n - 4000, 4 * n, 2 * n + 4000, n + 9000))
    c = Categories(LIKERT, (n, 2 * n, 4 * n, 2 * n, n))
    found, score = proportional_odds(t, c), mann_whitney(t, c)
    assert score.statistic is not None
    assert score.statistic > 2
    assert found.statistic == pytest.approx(score.statistic, rel=1e-5)
    assert generalized_odds_ratio(t, c).statistic == pytest.approx(brunner_munzel(t, c).statistic, rel=1e-4)


def test_own_critical_value() -> None:
    for method in (proportional_odds, generalized_odds_ratio):
        found = method(TREATMENT, CONTROL, critical=3.0)
        log_ratio, se, low, high = of(found)
        assert (found.p_value, found.critical) == (None, 3.0)
        assert (low, high) == pytest.approx((math.exp(log_ratio - 3 * se), math.exp(log_ratio + 3 * se)))
        # No float holds e^1000: no bound rather than an overflow.
        endless = method(TREATMENT, CONTROL, critical=1e4)
        assert (endless.low, endless.high) == (0.0, None)


# The check of the assumption


def test_polarising_is_not_proportional() -> None:
    t, c = Categories(LIKERT, (30, 10, 20, 10, 30)), CONTROL
    check = proportionality(t, c)
    assert check.p_value is not None
    assert check.p_value < 1e-6
    assert proportional_odds(t, c).log_ratio == pytest.approx(0.0, abs=1e-9)
    assert check.log_odds_ratios[0] == pytest.approx(math.log(70 * 10 / 30 / 90))
    assert check.log_odds_ratios[-1] == pytest.approx(-(check.log_odds_ratios[0] or 0.0))


def test_sparse_levels_are_merged() -> None:
    # Smaller arm 20 of 120: five expected units need 30 in both arms together. That is 10 + 25, then 40, then 34;
    # the last level has 11 alone and joins the one before.
    t, c = Categories(LIKERT, (2, 4, 8, 5, 1)), Categories(LIKERT, (8, 21, 32, 29, 10))
    check = proportionality(t, c)
    assert (check.cuts, check.df) == ((3.0, 4.0), 1)
    merged = [Categories((1.0, 3.0, 4.0), (6, 8, 6)), Categories((1.0, 3.0, 4.0), (29, 32, 39))]
    assert proportionality(*merged) == check
    few = proportionality(Categories((1.0, 2.0, 3.0), (2, 4, 3)), Categories((1.0, 2.0, 3.0), (3, 4, 2)))
    assert (few.status, few.reason, few.statistic, few.p_value) == ("no_test", "too_few_levels", None, None)


def test_a_scale_from_0_to_10_keeps_its_levels() -> None:
    scale = tuple(float(level) for level in range(11))
    t, c = Categories(scale, (20,) * 11), Categories(scale, (21,) * 11)
    assert proportionality(t, c).df == 9
    longer = tuple(float(level) for level in range(22))
    assert proportionality(Categories(longer, (20,) * 22), Categories(longer, (21,) * 22)).df == 9


# What cannot be computed, and what is hard to


def test_statuses() -> None:
    nobody = Categories((), ())
    for method in (*METHODS, proportionality):
        for found in (method(nobody, CONTROL), method(CONTROL, Categories(LIKERT, (0,) * 5)), method(nobody, nobody)):
            assert (found.status, found.reason, found.p_value) == ("no_test", "no_units", None)
        same = method(Categories((1.0, 2.0), (4, 0)), Categories((1.0, 2.0), (1, 0)))
        assert (same.status, same.reason) == ("no_test", "zero_variance")
    two = proportionality(Categories((0.0, 1.0), (30, 50)), Categories((0.0, 1.0), (40, 40)))
    assert (two.status, two.reason) == ("no_test", "too_few_levels")
    assert two.log_odds_ratios == pytest.approx((math.log(5 / 3),))


@pytest.mark.parametrize("border", [2.0, 2.5])
def test_separation(border: float) -> None:
    # Disjoint, or with a tie at the border (2.0): the likelihood then still rises without end.
    low, high = Categories((1.0, 2.0), (8, 4)), Categories((border, 5.0), (6, 5))
    for method in METHODS:
        up, down = method(high, low), method(low, high)
        assert (up.status, up.reason, up.ratio) == ("no_test", "separation", None)
        assert (down.status, down.reason, down.ratio) == ("no_test", "separation", 0.0)
    assert proportionality(high, low).reason == "separation"


def test_merging_can_hide_the_overlap() -> None:
    t = Categories((1.0, 2.0, 3.0, 4.0), (0, 1, 0, 60))
    c = Categories((1.0, 2.0, 3.0, 4.0), (60, 0, 1, 0))
    assert proportional_odds(t, c).status == "ok"
    check = proportionality(t, c)
    assert (check.status, check.reason) == ("no_test", "too_few_levels")


@pytest.mark.parametrize("n", [10**3, 10**6, 10**9, 10**12])
def test_one_unit_of_each_arm_on_the_wrong_side(n: int) -> None:
    t = Categories((1.0, 2.0, 3.0, 4.0), (0, 1, 0, n))
    c = Categories((1.0, 2.0, 3.0, 4.0), (n, 0, 1, 0))
    found = proportional_odds(t, c)
    # For large n the ratio is (2 n)^2 to first order, and the information about its log 1/3.
    assert found.ratio == pytest.approx(4.0 * n**2, rel=60 / n + 1e-9)
    assert found.se == pytest.approx(math.sqrt(3), rel=60 / n + 1e-9)
    assert of(generalized_odds_ratio(t, c))[0] == pytest.approx(math.log(n * (n + 2)), rel=1e-12)


@given(st.lists(st.floats(0.0, 9.0), min_size=8, max_size=8), st.integers(0, 3), st.integers(0, 3))
def test_counts_of_all_sizes(powers: list[float], empty_t: int, empty_c: int) -> None:
    counts = [int(10**power) for power in powers]
    counts[empty_t] = counts[4 + empty_c] = 0
    t, c = Categories(LIKERT[:4], tuple(counts[:4])), Categories(LIKERT[:4], tuple(counts[4:]))
    found = proportional_odds(t, c)
    assert found.reason in (None, "separation")
    if found.reason is None:
        # Three units against a million between them: the likelihood is nearly flat, the ratio has no bound to speak of.
        assert all(number is not None and math.isfinite(number) for number in (found.log_ratio, found.se, found.low))
        assert found.high is None or math.isfinite(found.high)
        back = proportional_odds(c, t)
        assert back.log_ratio == pytest.approx(-(found.log_ratio or 0.0), rel=1e-9, abs=1e-9)
    check = proportionality(t, c)
    assert check.reason in (None, "separation", "too_few_levels")


def test_a_small_arm_beside_trillions() -> None:
    # On the large arm the slope of the shift would be the small difference of huge sums.
    levels = tuple(float(level) for level in range(7))
    t = Categories(levels, (5309224525601, 0, 409731, 3027895481705, 0, 27091, 0))
    c = Categories(levels, (0, 8, 110, 4, 8, 449, 40))
    there, back = proportional_odds(t, c), proportional_odds(c, t)
    assert there.log_ratio == pytest.approx(-20.9421031, abs=1e-6)
    assert of(back)[0] == pytest.approx(-of(there)[0], rel=1e-10)


def test_ten_thousand_levels() -> None:
    random = np.random.default_rng(41)
    t, c = (categories_of(random.logistic(shift, 1.0, 5000)) for shift in (0.3, 0.0))
    found = proportional_odds(t, c)
    # The data are from the model with a log ratio of .3, for which the information is close to n / 6 (McCullagh 1980).
    log_ratio, se, *_ = of(found)
    assert se == pytest.approx(math.sqrt(6 / 5000), rel=0.02)
    assert abs(log_ratio - 0.3) < 3 * se
    assert found.statistic == pytest.approx(mann_whitney(t, c).statistic, rel=0.01)
    check = proportionality(t, c)
    assert check.df is not None
    assert 6 <= check.df <= 9
    assert check.p_value is not None
    assert check.p_value > 0.001


def test_wrong_arguments() -> None:
    for method in (proportional_odds, generalized_odds_ratio):
        with pytest.raises(ValueError, match="alpha"):
            method(TREATMENT, CONTROL, alpha=0.0)


# Calibration: with 800 fitted models the band is 18 to 66 alarms

FITS = 800
SHARES = (0.1, 0.2, 0.4, 0.2, 0.1)
# The same answers with the odds of answering higher multiplied by e^.8 at every cut.
SHIFTED = tuple(np.diff([0.0, *scipy.special.expit(scipy.special.logit(np.cumsum(SHARES)[:-1]) - 0.8), 1.0]).tolist())


def test_coverage_of_the_odds_ratio() -> None:
    random = np.random.default_rng(43)
    missed = []
    for t, c in zip(scores(random, 80, SHIFTED, FITS), scores(random, 80, SHARES, FITS), strict=True):
        _, _, low, high = of(proportional_odds(t, c))
        missed.append(0.0 if not low <= math.exp(0.8) <= high else 1.0)
    assert_calibrated(list(missed), 0.05)


def test_generalised_ratio_with_unequal_spread() -> None:
    random = np.random.default_rng(44)
    wide, narrow = (0.35, 0.1, 0.1, 0.1, 0.35), (0.02, 0.13, 0.7, 0.13, 0.02)
    arms_ = zip(scores(random, 40, wide), scores(random, 80, narrow), strict=True)
    assert_calibrated([generalized_odds_ratio(t, c).p_value for t, c in arms_], 0.05)


def test_the_check_under_a_shift() -> None:
    random = np.random.default_rng(45)
    arms_ = zip(scores(random, 60, SHIFTED, FITS), scores(random, 90, SHARES, FITS), strict=True)
    assert_calibrated([proportionality(t, c).p_value for t, c in arms_], 0.05)
