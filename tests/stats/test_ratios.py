import math
from collections.abc import Sequence

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from abtest.stats.contrast import Arm
from abtest.stats.inference import Estimate
from abtest.stats.means import welch
from abtest.stats.moments import PairMoments, moments_of, pair_of
from abtest.stats.ratios import delta, effective_units, equal_ratios, ratio_arm

from .samples import RATIO_CONTROL, RATIO_TREATMENT, pairs


def linearised(x: Sequence[float], y: Sequence[float]) -> list[float]:
    ratio, mean = sum(x) / sum(y), sum(y) / len(y)
    return [(a - ratio * b) / mean for a, b in zip(x, y, strict=True)]


def test_vector() -> None:
    # The standard error equals session-level OLS with cluster-robust errors per user (statsmodels, cov_type="cluster",
    # no correction: .0615950) times sqrt(10/9).
    t, c = pair_of(*RATIO_TREATMENT), pair_of(*RATIO_CONTROL)
    assert ratio_arm(c).value == pytest.approx(0.5660377, abs=1e-7)
    assert ratio_arm(c).variance == pytest.approx(0.00285238, abs=1e-8)
    assert ratio_arm(t).value == pytest.approx(0.7358491, abs=1e-7)
    assert ratio_arm(t).variance == pytest.approx(0.00136311, abs=1e-8)
    result = delta(t, c)
    assert result.absolute is not None
    assert result.relative is not None
    assert result.absolute.estimate == pytest.approx(0.1698113, abs=1e-7)
    assert result.absolute.se == pytest.approx(0.0649268, abs=1e-7)
    assert result.relative.estimate == pytest.approx(0.30, abs=1e-7)
    assert result.relative.se == pytest.approx(0.1389237, abs=1e-7)


def test_cluster_robust_regression_by_hand() -> None:
    # Per arm the sandwich (CR0) variance of a mean over sessions, clusters = users: sum(e_u^2) / sessions^2, where e_u
    # is the user's summed residual. Times G/(G-1) it is the delta-method variance.
    for x, y in (RATIO_CONTROL, RATIO_TREATMENT):
        residual = np.array(x) - sum(x) / sum(y) * np.array(y)
        cr0 = (residual**2).sum() / sum(y) ** 2
        assert ratio_arm(pair_of(x, y)).variance == pytest.approx(cr0 * 10 / 9, rel=1e-12)


def test_it_is_welch_on_the_linearised_values() -> None:
    result = delta(pair_of(*RATIO_TREATMENT), pair_of(*RATIO_CONTROL))
    mean_of = [moments_of(linearised(*arm)) for arm in (RATIO_TREATMENT, RATIO_CONTROL)]
    reference = welch(*mean_of)
    assert result.absolute is not None
    assert reference.absolute is not None
    assert result.df == pytest.approx(reference.df, rel=1e-12)
    assert result.absolute.se == pytest.approx(reference.absolute.se, rel=1e-12)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=2, max_size=30))
def test_denominator_one_is_the_mean(rows: list[tuple[int, int]]) -> None:
    x = [float(a) for a, _ in rows]
    arm = ratio_arm(pair_of(x, [1.0] * len(x)))
    mean = moments_of(x)
    assert arm.value == pytest.approx(mean.mean)
    assert arm.variance == pytest.approx(mean.variance / mean.n, rel=1e-9, abs=1e-15)


@given(pairs(), pairs(), st.floats(0.001, 0.3))
def test_lift_excludes_zero_exactly_when_the_absolute_test_rejects(
    t: PairMoments, c: PairMoments, alpha: float
) -> None:
    result = delta(t, c, alpha=alpha)
    assert result.p_value is not None
    assume(abs(result.p_value - alpha) > 1e-9)
    if result.relative is not None and result.relative.low is not None and result.relative.high is not None:
        assert (result.relative.low > 0 or result.relative.high < 0) == (result.p_value < alpha)


@given(pairs(), pairs())
def test_swapping_the_arms(t: PairMoments, c: PairMoments) -> None:
    there, back = delta(t, c), delta(c, t)
    assert there.absolute is not None
    assert back.absolute is not None
    assert back.absolute.estimate == -there.absolute.estimate
    assert back.p_value == pytest.approx(there.p_value)


def test_statuses() -> None:
    good, zero = pair_of([1, 2, 4], [2, 2, 5]), pair_of([0, 0, 0], [0, 0, 0])
    assert (delta(zero, good).reason, delta(good, zero).reason) == ("zero_denominator", "zero_denominator")
    assert delta(good, zero).absolute is None
    assert delta(pair_of([], []), good).reason == "no_units"
    single = delta(pair_of([1], [2]), good)
    assert (single.status, single.reason) == ("no_test", "one_unit")
    assert single.absolute == Estimate(0.5 - 7 / 9)
    same = delta(pair_of([0.1, 0.2, 0.3], [1, 2, 3]), pair_of([0.3, 0.6], [3, 6]))
    assert (same.status, same.reason) == ("no_test", "zero_variance")
    for broken in (pair_of([1], [1]), zero):
        with pytest.raises(ValueError):
            ratio_arm(broken)


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=30), st.floats(1e-3, 1e3))
def test_the_same_ratio_for_every_unit_is_no_variance(y: list[int], ratio: float) -> None:
    arm = ratio_arm(pair_of([ratio * v for v in y], [float(v) for v in y]))
    assert arm == Arm(arm.value, 0.0, len(y) - 1)
    assert arm.value == pytest.approx(ratio)


def test_own_critical_value() -> None:
    result = delta(pair_of(*RATIO_TREATMENT), pair_of(*RATIO_CONTROL), critical=3.0)
    assert result.p_value is None
    assert result.absolute is not None
    assert result.absolute.high == pytest.approx(0.1698113 + 3 * 0.0649268, abs=1e-6)
    assert not math.isnan(result.absolute.estimate)


@given(st.lists(st.booleans(), min_size=2, max_size=60), st.lists(st.booleans(), min_size=2, max_size=60))
def test_equal_ratios_of_shares_is_the_chi_square_of_the_table(one: list[bool], other: list[bool]) -> None:
    arms = [np.array(a, dtype=float) for a in (one, other)]
    found = equal_ratios(*(pair_of(a, np.ones_like(a)) for a in arms))
    if len({*one, *other}) == 1:
        assert found is None
        return
    table = [[a.sum(), (1 - a).sum()] for a in arms]
    assert found == pytest.approx(scipy.stats.chi2_contingency(table, correction=False).pvalue, rel=1e-7, abs=1e-14)


def test_equal_ratios_needs_units_a_denominator_and_spread() -> None:
    good = pair_of([1.0, 0.0, 2.0], [2.0, 2.0, 3.0])
    assert equal_ratios(good, pair_of([1.0], [1.0])) is None
    assert equal_ratios(good, pair_of([1.0, 1.0], [0.0, 0.0])) is None
    assert equal_ratios(pair_of([1.0, 2.0], [2.0, 4.0]), pair_of([3.0, 2.0], [6.0, 4.0])) is None
    assert equal_ratios(good, good) == 1.0


def test_an_arm_that_lacks_a_rare_numerator_does_not_alarm() -> None:
    """4 of 100 against none of 40: the other arm's spread alone would call that a clear difference."""
    many, few = pair_of([1.0] * 4 + [0.0] * 96, [10.0] * 100), pair_of([0.0] * 40, [10.0] * 40)
    alone, pooled = delta(few, many).p_value, equal_ratios(few, many)
    assert alone is not None
    assert pooled is not None
    assert alone < 0.05 < pooled


@given(st.lists(st.floats(0.1, 1e3), min_size=1, max_size=30))
def test_effective_units_lie_between_one_and_all(values: list[float]) -> None:
    found = effective_units(moments_of(values))
    assert 1 - 1e-9 <= found <= len(values) * (1 + 1e-9)
    assert effective_units(moments_of([0.0])) == 0.0
