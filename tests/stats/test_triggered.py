import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import assume, given
from hypothesis import strategies as st

from abtest.stats.contrast import Arm
from abtest.stats.means import welch
from abtest.stats.moments import Moments, merge, moments_of
from abtest.stats.triggered import TriggeredArm, complement_check, dilute, diluted, trigger_rate

from .samples import moments
from .test_calibration import assert_calibrated


def arm(mean: float, rest: float = 1.0) -> TriggeredArm:
    """A fifth of 100,000 units, with variance 4; variance 2 in the others."""
    return TriggeredArm(Moments(20_000, mean, 4.0 * 19_999), Moments(80_000, rest, 2.0 * 79_999))


def test_vector() -> None:
    t, c = arm(2.06), arm(2.0)
    result = diluted(t, c)
    assert trigger_rate(t, c) == 0.2
    assert result.absolute is not None
    assert result.relative is not None
    assert welch(t.triggered, c.triggered).relative is not None
    assert result.absolute.estimate == pytest.approx(0.012, abs=1e-12)
    assert result.absolute.se == pytest.approx(0.0040, abs=1e-6)
    assert result.relative.estimate == pytest.approx(0.01, abs=1e-9)
    # The test of all units: the same effect with an error of .0071554 (the design's number takes a mean of 2 in both
    # arms; with 2.06 in one the spread between triggered units and others is a little larger).
    everybody = welch(merge(t.triggered, t.others), merge(c.triggered, c.others))
    assert everybody.absolute is not None
    assert everybody.absolute.estimate == pytest.approx(0.012, abs=1e-12)
    alike = welch(merge(c.triggered, c.others), merge(c.triggered, c.others))
    assert alike.absolute is not None
    assert alike.absolute.se == pytest.approx(0.0071554, abs=1e-6)
    # The lift of the triggered units times the rate is something else.
    assert welch(t.triggered, c.triggered).relative.estimate * 0.2 == pytest.approx(0.006)  # type: ignore[union-attr]


def test_lift_error_is_the_delta_method() -> None:
    # Independent: the gradient of r (t - c) / (r c + (1 - r) u), numerically.
    r, values, variances = 0.3, np.array([2.2, 2.0, 0.7]), np.array([0.01, 0.02, 0.005])

    def lift(v: np.ndarray) -> float:
        return float(r * (v[0] - v[1]) / (r * v[1] + (1 - r) * v[2]))

    steps = 1e-6 * np.eye(3)
    gradient = np.array([(lift(values + s) - lift(values - s)) / 2e-6 for s in steps])
    found = dilute(Arm(2.2, 0.01), Arm(2.0, 0.02), Arm(0.7, 0.005), r).relative
    assert found is not None
    assert found.estimate == pytest.approx(lift(values), rel=1e-12)
    assert found.se == pytest.approx(math.sqrt((gradient**2 * variances).sum()), rel=1e-6)


def test_regression_on_triggered_units() -> None:
    random = np.random.default_rng(3)
    t, c, rest = random.normal(3, 1, 50), random.normal(2.5, 2, 70), random.normal(1, 1, (2, 90))
    y, x = np.concatenate([t, c]), np.concatenate([np.ones(50), np.zeros(70)])
    fit = sm.OLS(y, sm.add_constant(x)).fit(cov_type="HC2")
    result = diluted(TriggeredArm(moments_of(t), moments_of(rest[0])), TriggeredArm(moments_of(c), moments_of(rest[1])))
    assert result.absolute is not None
    assert result.absolute.estimate == pytest.approx(0.4 * fit.params[1], rel=1e-9)
    assert result.absolute.se == pytest.approx(0.4 * fit.bse[1], rel=1e-9)


@given(moments(positive_mean=True), moments(positive_mean=True), moments(positive_mean=True), moments(), st.booleans())
def test_the_test_is_that_of_the_triggered_units(
    t: Moments, c: Moments, rest_c: Moments, rest_t: Moments, strict: bool
) -> None:
    alpha = 0.01 if strict else 0.2
    result = diluted(TriggeredArm(t, rest_t), TriggeredArm(c, rest_c), alpha=alpha)
    base = welch(t, c, alpha=alpha)
    assert (result.p_value, result.df, result.statistic) == (base.p_value, base.df, base.statistic)
    assert result.p_value is not None
    assume(abs(result.p_value - alpha) > 1e-6)
    for estimate in (result.absolute, result.relative):
        if estimate is not None:
            assert estimate.low is not None
            assert estimate.high is not None
            assert (estimate.low > 0 or estimate.high < 0) == (result.p_value < alpha)


@given(moments(positive_mean=True), moments(positive_mean=True))
def test_everybody_triggered_is_welch(t: Moments, c: Moments) -> None:
    nobody = Moments(0, 0.0, 0.0)
    result, base = diluted(TriggeredArm(t, nobody), TriggeredArm(c, nobody)), welch(t, c)
    assert (result.absolute, result.relative, result.p_value) == (base.absolute, base.relative, base.p_value)


def test_statuses() -> None:
    nobody, one, some = Moments(0, 0.0, 0.0), Moments(1, 2.0, 0.0), Moments(9, 3.0, 4.0)
    full = TriggeredArm(some, some)
    assert trigger_rate(TriggeredArm(nobody, nobody), TriggeredArm(nobody, nobody)) is None
    assert diluted(TriggeredArm(nobody, nobody), TriggeredArm(nobody, nobody)).reason == "no_units"
    assert diluted(TriggeredArm(nobody, some), full).reason == "no_units"
    single = diluted(TriggeredArm(one, some), full)
    assert single.reason == "one_unit"
    assert single.absolute is not None
    assert single.absolute.estimate == pytest.approx(10 / 28 * -1.0)
    constant = TriggeredArm(Moments(9, 1.0, 0.0), some)
    assert diluted(constant, constant).reason == "zero_variance"
    for others, reason in ((nobody, "no_units"), (one, "one_unit")):
        result = diluted(full, TriggeredArm(some, others))
        assert (result.status, result.relative, result.relative_reason) == ("ok", None, reason)
    assert diluted(full, TriggeredArm(some, Moments(9, -9.0, 4.0))).relative_reason == "control_not_positive"
    assert diluted(full, TriggeredArm(some, Moments(9, 3.0, 1e6))).relative_reason == "lift_undefined"
    still = dilute(Arm(2.0, 0.0), Arm(1.0, 0.0), Arm(1.0, 0.1), 0.5)
    assert still.relative is not None
    assert (still.reason, still.relative.estimate, still.relative.low) == ("zero_variance", 0.5, None)
    assert dilute(Arm(2.0, 0.0), Arm(1.0, 0.0), Arm(-9.0, 0.1), 0.5).relative is None
    for rate in (0.0, 1.1, -0.1, math.nan):
        with pytest.raises(ValueError, match="rate"):
            dilute(Arm(1.0, 1.0), Arm(1.0, 1.0), None, rate)


def test_own_critical_value() -> None:
    result = diluted(arm(2.06), arm(2.0), critical=3.0)
    assert result.p_value is None
    assert result.absolute is not None
    assert result.absolute.high == pytest.approx(0.024, abs=1e-6)


def test_complement() -> None:
    clean = complement_check(arm(2.06), arm(2.0))
    assert (clean.method, clean.p_value) == ("complement", 1.0)
    leaking = complement_check(arm(2.06, 1.05), arm(2.0))
    assert leaking.p_value is not None
    assert leaking.p_value < 1e-9
    assert complement_check(TriggeredArm(Moments(9, 1.0, 1.0), Moments(0, 0.0, 0.0)), arm(2.0)).reason == "no_units"


def test_coverage_of_the_diluted_lift() -> None:
    # Counted as alarms: runs whose interval misses the true lift, 0.3 (2.2 - 2) / (0.3 * 2 + 0.7 * 0.5).
    random = np.random.default_rng(51)
    truth, alarms = 0.06 / 0.95, []
    for _ in range(1000):
        t, c = random.normal(2.2, 1.0, 60), random.normal(2.0, 1.5, 60)
        rest = random.exponential(0.5, (2, 140))
        found = diluted(
            TriggeredArm(moments_of(t), moments_of(rest[0])), TriggeredArm(moments_of(c), moments_of(rest[1]))
        ).relative
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        alarms.append(0.0 if truth < found.low or truth > found.high else 1.0)
    assert_calibrated(list(alarms), 0.05)


def test_beyond_the_largest_float() -> None:
    far = dilute(Arm(1.7e308, 1.0), Arm(-1.7e308, 1.0), Arm(1.0, 1.0), 0.5)
    assert (far.status, far.reason) == ("no_test", "too_large")
