import math

import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from abtest.stats.contrast import Arm, contrast, point_lift, satterthwaite
from abtest.stats.inference import Estimate, Inference
from abtest.stats.means import mean_arm, welch
from abtest.stats.moments import Moments, moments_of

from .samples import SLEEP_1, SLEEP_2, columns, eighths, moments


def interval(result: Inference) -> tuple[float, float]:
    assert result.absolute is not None
    assert result.absolute.low is not None
    assert result.absolute.high is not None
    return result.absolute.low, result.absolute.high


def test_sleep() -> None:
    # R: t.test(extra ~ group, data = sleep)
    result = welch(moments_of(SLEEP_1), moments_of(SLEEP_2))
    assert result.statistic == pytest.approx(-1.860813, abs=1e-6)
    assert result.df == pytest.approx(17.776474, abs=1e-6)
    assert result.p_value == pytest.approx(0.07939414, abs=1e-8)
    assert interval(result) == pytest.approx((-3.3654832, 0.2054832), abs=1e-7)


def test_absolute_p_of_the_lift_vector() -> None:
    # m_c 10, s_c^2 400, m_t 10.8, s_t^2 441, 1000 per arm; .383016 with the normal, .401046 by the delta method.
    result = contrast(Arm(10.8, 0.441), Arm(10.0, 0.4), method="welch")
    assert result.p_value == pytest.approx(0.383016, abs=1e-6)
    assert result.df is None


@given(columns, columns)
def test_agrees_with_scipy_stats(t: list[float], c: list[float]) -> None:
    assume(max(t) > min(t) and max(c) > min(c))  # scipy warns about a constant arm
    reference = scipy.stats.ttest_ind(t, c, equal_var=False)
    result = welch(moments_of(t), moments_of(c))
    assert result.statistic == pytest.approx(reference.statistic, rel=1e-9, abs=1e-12)
    assert result.df == pytest.approx(reference.df, rel=1e-9)
    assert result.p_value == pytest.approx(reference.pvalue, rel=1e-7)
    ci = reference.confidence_interval()
    assert interval(result) == pytest.approx((ci.low, ci.high), rel=1e-8, abs=1e-9)


@given(moments(), moments(positive_mean=True), st.floats(0.001, 0.3))
def test_lift_excludes_zero_exactly_when_the_absolute_test_rejects(t: Moments, c: Moments, alpha: float) -> None:
    result = welch(t, c, alpha=alpha)
    assert result.p_value is not None
    assume(abs(result.p_value - alpha) > 1e-9)
    low, high = interval(result)
    assert (low > 0 or high < 0) == (result.p_value < alpha)
    if result.relative is None:
        assert result.relative_reason == "lift_undefined"
    else:
        assert result.relative.low is not None
        assert result.relative.high is not None
        assert (result.relative.low > 0 or result.relative.high < 0) == (result.p_value < alpha)


@given(moments(), moments())
def test_swapping_the_arms_flips_the_sign_and_nothing_else(t: Moments, c: Moments) -> None:
    there, back = welch(t, c), welch(c, t)
    low, high = interval(there)
    assert interval(back) == pytest.approx((-high, -low), rel=1e-12, abs=1e-12)
    assert back.p_value == pytest.approx(there.p_value, rel=1e-9)
    assert back.df == pytest.approx(there.df)


@given(columns, columns, st.integers(1, 8), eighths)
def test_change_of_unit_and_origin(t: list[float], c: list[float], factor: int, offset: float) -> None:
    assume(max(t) > min(t) or max(c) > min(c))
    plain = welch(moments_of(t), moments_of(c))
    moved = welch(moments_of([offset + factor * v for v in t]), moments_of([offset + factor * v for v in c]))
    low, high = interval(plain)
    assert interval(moved) == pytest.approx((factor * low, factor * high), rel=1e-9, abs=1e-9)
    assert moved.p_value == pytest.approx(plain.p_value, rel=1e-7)


def test_no_test_but_an_estimate() -> None:
    # "No variation" is no evidence of "no effect": status and point estimate, no interval and no p-value.
    constant = welch(moments_of([3.0, 3.0]), moments_of([2.0, 2.0, 2.0]))
    assert (constant.status, constant.reason, constant.p_value) == ("no_test", "zero_variance", None)
    assert constant.absolute == Estimate(1.0, None, None, None)
    assert constant.relative == Estimate(0.5, None, None, None)
    zeros = welch(moments_of([0.0] * 5), moments_of([0.0] * 5))
    assert (zeros.status, zeros.reason, zeros.relative) == ("no_test", "zero_variance", None)
    assert zeros.absolute == Estimate(0.0)
    single = welch(moments_of([3.0]), moments_of([2.0, 4.0]))
    assert (single.status, single.reason, single.absolute) == ("no_test", "one_unit", Estimate(0.0))
    empty = welch(moments_of([]), moments_of([2.0, 4.0]))
    assert (empty.status, empty.reason, empty.absolute) == ("no_test", "no_units", None)


def test_one_constant_arm_is_still_tested() -> None:
    result = welch(moments_of([1.0, 2.0, 3.0]), moments_of([0.0, 0.0, 0.0]))
    assert result.status == "ok"
    assert result.df == 2.0
    assert result.relative_reason == "control_not_positive"


def test_a_critical_value_of_the_callers_own() -> None:
    t, c = moments_of(SLEEP_1), moments_of(SLEEP_2)
    result = welch(t, c, critical=3.0)
    assert result.absolute is not None
    assert result.absolute.se is not None
    low, high = interval(result)
    assert (high - low) / 2 == pytest.approx(3.0 * result.absolute.se)
    assert (result.p_value, result.critical) == (None, 3.0)


def test_shared_adjustment_enters_through_the_covariance() -> None:
    result = contrast(Arm(2.0, 0.5, 10), Arm(1.0, 0.5, 10), method="adjusted", cov=0.25)
    assert result.absolute is not None
    assert result.absolute.se == pytest.approx(math.sqrt(0.5))
    assert contrast(Arm(2.0, 0.5), Arm(1.0, 0.5), method="adjusted", cov=0.5).reason == "zero_variance"


@given(st.floats(1e-300, 1e300), st.floats(1e-300, 1e300), st.integers(1, 10**6), st.integers(1, 10**6))
def test_degrees_of_freedom_stay_between_their_bounds(vt: float, vc: float, dt: int, dc: int) -> None:
    df = satterthwaite(vt, dt, vc, dc)
    assert min(dt, dc) * (1 - 1e-12) <= df <= (dt + dc) * (1 + 1e-12)


def test_infinite_degrees_of_freedom() -> None:
    assert satterthwaite(1.0, math.inf, 1.0, math.inf) == math.inf
    assert point_lift(1.0, 1e-320) is None
    assert mean_arm(Moments(2, 1.0, 2.0)) == Arm(1.0, 1.0, 1)
