"""CUPED, Lin and post-stratification: vectors of the design (D1), statsmodels, laws, and what goes wrong."""

import math
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import assume, given
from hypothesis import strategies as st

from abtest.stats.adjust import Adjusted, cuped, lin, usable_covariates
from abtest.stats.contrast import contrast
from abtest.stats.matrix import linearised, matrix_of, merge_matrices
from abtest.stats.means import mean_arm, welch
from abtest.stats.moments import moments_of
from abtest.stats.strata import merged_strata, post_stratified

from .samples import RATIO_CONTROL, RATIO_TREATMENT, eighths
from .test_calibration import assert_calibrated

X_C, Y_C = list(range(1, 11)), [2, 3, 3, 6, 5, 8, 7, 10, 9, 12]
X_T, Y_T = list(range(2, 12)), [4, 4, 6, 7, 8, 8, 11, 11, 12, 15]
W_C, W_T = [1, 0, 0, 1, 0, 1, 0, 1, 0, 1], [1, 0, 1, 0, 1, 0, 1, 0, 0, 1]


def rows(*columns: Any) -> Any:
    return np.column_stack(columns).astype(float)


T1, C1 = rows(Y_T, X_T), rows(Y_C, X_C)
T2, C2 = rows(Y_T, X_T, W_T), rows(Y_C, X_C, W_C)


def effect(found: Adjusted | None) -> tuple[float, float]:
    assert found is not None
    variance = found.treatment.variance + found.control.variance - 2 * found.cov
    return found.treatment.value - found.control.value, math.sqrt(variance)


def test_cuped_of_the_design() -> None:
    raw = welch(moments_of(Y_T), moments_of(Y_C))
    assert (raw.statistic, raw.p_value) == pytest.approx((1.359009, 0.191044), abs=1e-6)
    found = cuped(matrix_of(T1), matrix_of(C1), plain=True)
    assert effect(found) == pytest.approx((0.9939394, 0.3807002), abs=1e-6)
    assert found is not None
    assert found.theta == pytest.approx((1.1060606,), abs=1e-6)
    assert (found.treatment.value, found.control.value) == pytest.approx((8.046970, 7.053030), abs=1e-6)
    lift = contrast(found.treatment, found.control, method="cuped", cov=found.cov).relative
    assert lift is not None
    assert (lift.estimate, lift.se) == pytest.approx((0.1409237, 0.0576869), abs=1e-6)


def test_two_covariates_of_the_design() -> None:
    found = cuped(matrix_of(T2), matrix_of(C2), plain=True)
    assert effect(found) == pytest.approx((0.9939394, 0.2259287), abs=1e-6)
    assert found is not None
    assert found.theta == pytest.approx((1.1060606, 1.3), abs=1e-6)
    assert effect(lin(T2, C2, superpopulation=False)) == pytest.approx((0.9982843, 0.1990000), abs=1e-6)


def test_lin_of_the_design() -> None:
    t, c = matrix_of(T1), matrix_of(C1)
    assert effect(lin(t, c, superpopulation=False)) == pytest.approx((0.9939394, 0.3952368), abs=1e-6)
    assert effect(lin(t, c)) == pytest.approx((0.9939394, 0.4026713), abs=1e-6)
    assert effect(lin(T1, C1, superpopulation=False)) == pytest.approx((0.9939394, 0.4030308), abs=1e-6)


def test_a_ratio_adjusted_by_the_ratio_before() -> None:
    pre_c = [2, 1, 4, 2, 1, 3, 5, 1, 1, 6], [4, 2, 7, 4, 3, 5, 8, 4, 2, 9]
    pre_t = [3, 1, 4, 1, 2, 4, 5, 2, 1, 7], [5, 3, 7, 3, 4, 6, 8, 5, 2, 9]
    arms = []
    for post, pre in ((RATIO_TREATMENT, pre_t), (RATIO_CONTROL, pre_c)):
        arms.append(linearised(linearised(matrix_of(rows(*post, *pre)), 2, 3), 0, 1))
    found = cuped(*arms, plain=True)
    assert effect(found) == pytest.approx((0.1457358, 0.0479826), abs=1e-6)
    assert found is not None
    assert found.theta == pytest.approx((0.6828705,), abs=1e-6)


def test_strata_of_the_design() -> None:
    strata = []
    for high in (False, True):
        t = [y for x, y in zip(X_T, Y_T, strict=True) if (x > 5.5) == high]
        c = [y for x, y in zip(X_C, Y_C, strict=True) if (x > 5.5) == high]
        strata.append((moments_of(t), moments_of(c)))
    assert effect(post_stratified(strata, superpopulation=False)) == pytest.approx((1.5508333, 0.8935001), abs=1e-6)
    assert effect(post_stratified(strata))[1] > 0.8935001


@st.composite
def experiments(draw: st.DrawFn) -> tuple[Any, Any]:
    arms = []
    for _ in range(2):
        size = draw(st.integers(12, 40))
        seed = draw(st.integers(0, 2**32 - 1))
        random = np.random.default_rng(seed)
        x = random.normal(5, 2, (size, 2))
        y = 3 + x @ [draw(st.floats(-2, 2)), 0.5] + random.normal(0, 1, size)
        arms.append(rows(y, x))
    return arms[0], arms[1]


def design(t: Any, c: Any) -> tuple[Any, Any]:
    """The response, and: constant, treatment, covariates centred at their pooled mean."""
    both = np.vstack((t, c))
    arm = np.repeat([1.0, 0.0], [len(t), len(c)])
    x = both[:, 1:] - both[:, 1:].mean(axis=0)
    return both[:, 0], np.column_stack((np.ones(len(both)), arm, x))


@given(experiments())
def test_cuped_is_ancova(arms: Any) -> None:
    t, c = arms
    fit = sm.OLS(*design(t, c)).fit()
    found = cuped(matrix_of(t), matrix_of(c))
    assert effect(found)[0] == pytest.approx(fit.params[1], rel=1e-9, abs=1e-9)
    assert found is not None
    assert found.theta == pytest.approx(tuple(fit.params[2:]), rel=1e-7, abs=1e-9)


def test_with_equal_noise_the_error_is_that_of_ancova() -> None:
    # The second arm mirrors the first one's residuals, so that both arms have the same residual variance.
    random = np.random.default_rng(4)
    x, e = random.normal(0, 1, 30), random.normal(0, 1, 30)
    e -= np.polyval(np.polyfit(x, e, 1), x)
    t, c = rows(2 + x + e, x), rows(1 + x - e, x + 0.3)
    fit = sm.OLS(*design(t, c)).fit()
    assert effect(cuped(matrix_of(t), matrix_of(c)))[1] == pytest.approx(fit.bse[1], rel=1e-9)


@given(experiments())
def test_lin_is_the_interacted_regression_with_hc2(arms: Any) -> None:
    t, c = arms
    y, x = design(t, c)
    fit = sm.OLS(y, np.column_stack((x, x[:, 1:2] * x[:, 2:]))).fit(cov_type="HC2")
    found = lin(t, c, superpopulation=False)
    assert effect(found) == pytest.approx((fit.params[1], fit.bse[1]), rel=1e-7, abs=1e-9)
    assert effect(lin(matrix_of(t), matrix_of(c)))[0] == pytest.approx(fit.params[1], rel=1e-7, abs=1e-9)


@given(experiments(), st.sampled_from([cuped, lin]))
def test_useless_covariates_change_nothing(arms: Any, method: Any) -> None:
    t, c = arms
    plain = method(matrix_of(t), matrix_of(c))
    wider = [matrix_of(rows(a, a[:, 1] * 3 - 2, np.full(len(a), 7.1))) for a in arms]
    found = method(*wider)
    assert found.kept == plain.kept == (0, 1)
    assert effect(found) == pytest.approx(effect(plain), rel=1e-9)


@given(experiments(), eighths, st.sampled_from([0.125, 8.0, 1024.0]), st.sampled_from([cuped, lin]))
def test_units_of_measurement_do_not_matter(arms: Any, shift: float, scale: float, method: Any) -> None:
    t, c = arms
    plain = effect(method(matrix_of(t), matrix_of(c)))
    moved = effect(method(*(matrix_of(rows(a[:, 0] * scale + shift, a[:, 1:] * 4 - shift)) for a in arms)))
    assert moved == pytest.approx((plain[0] * scale, plain[1] * scale), rel=1e-6, abs=1e-6)


@given(experiments(), st.sampled_from([cuped, lin]))
def test_arms_swapped(arms: Any, method: Any) -> None:
    t, c = (matrix_of(a) for a in arms)
    forth, back = effect(method(t, c)), effect(method(c, t))
    assert back == pytest.approx((-forth[0], forth[1]), rel=1e-9, abs=1e-9)


@given(experiments(), st.sampled_from([cuped, lin]))
def test_the_ratio_of_variances(arms: Any, method: Any) -> None:
    t, c = arms
    found = method(matrix_of(t), matrix_of(c))
    raw = mean_arm(moments_of(t[:, 0])).variance + mean_arm(moments_of(c[:, 0])).variance
    assert found.variance_ratio == pytest.approx(effect(found)[1] ** 2 / raw, rel=1e-9)


@given(experiments())
def test_shards(arms: Any) -> None:
    t, c = arms
    merged = merge_matrices(matrix_of(t[:7]), matrix_of(t[7:]))
    one, other = cuped(merged, matrix_of(c)), cuped(matrix_of(t), matrix_of(c))
    assert effect(one) == pytest.approx(effect(other), rel=1e-9)


@given(experiments(), st.randoms())
def test_order_of_rows_changes_no_digit(arms: Any, random: Any) -> None:
    t, c = arms
    places = list(range(len(t)))
    random.shuffle(places)
    assert lin(t[places], c) == lin(t, c)


@given(st.floats(-1e300, 1e300), st.sampled_from([1e-300, 1e-150, 1.0, 1e140]))
def test_extreme_sizes(start: float, size: float) -> None:
    assume(abs(start) < 1e12 * size or start == 0)
    t = matrix_of(T1 * size + start) if size != 1e-300 else matrix_of(T1 * size)
    c = matrix_of(C1 * size + start) if size != 1e-300 else matrix_of(C1 * size)
    found = cuped(t, c)
    assert found is None or all(math.isfinite(v) for v in (found.cov, found.treatment.value, found.control.variance))


def test_what_cannot_be_adjusted() -> None:
    alone = matrix_of([[1.0, 2.0]])
    assert cuped(alone, alone) is None
    constant = matrix_of([[1.0, 0.1], [2.0, 0.1], [4.0, 0.1]])
    assert cuped(constant, constant) is None
    assert lin(T1[:1], C1) is None
    assert post_stratified([(moments_of([1, 2]), moments_of([1, 2]))]) is None
    assert post_stratified([(moments_of([1]), moments_of([1, 2])), (moments_of([1, 2]), moments_of([1, 2]))]) is None
    with pytest.raises(ValueError, match="same covariates"):
        cuped(matrix_of(T1), matrix_of(C2))


def test_a_constant_metric_keeps_its_value() -> None:
    t, c = rows([3.0] * 10, X_T), rows([3.0] * 10, X_C)
    found = cuped(matrix_of(t), matrix_of(c))
    assert effect(found) == (0.0, 0.0)
    assert found is not None
    assert contrast(found.treatment, found.control, method="cuped", cov=found.cov).reason == "zero_variance"


def test_no_more_covariates_than_units_bear() -> None:
    random = np.random.default_rng(1)
    wide = matrix_of(random.normal(size=(45, 31)))
    assert usable_covariates([wide, wide]) == (0, 1, 2, 3)
    many = matrix_of(random.normal(size=(1000, 31)))
    assert len(usable_covariates([many, many])) == 20


def test_small_strata_are_merged() -> None:
    def arm(n: int) -> Any:
        return moments_of([float(i) for i in range(n)])

    found = merged_strata([(arm(30), arm(30)), (arm(2), arm(20)), (arm(3), arm(9))])
    assert [(t.n, c.n) for t, c in found] == [(35, 59)]
    assert merged_strata([]) == ()


def test_calibration_with_few_units_and_several_covariates() -> None:
    random = np.random.default_rng(21)
    p_values: dict[Any, list[float | None]] = {cuped: [], lin: [], "hc2": []}
    for _ in range(2000):
        arms = []
        for size in (20, 25):
            x = random.normal(0, 1, (size, 2))
            arms.append(rows(x[:, 0] + random.normal(0, 1, size), x))
        matrices = [matrix_of(a) for a in arms]
        for name, found in (
            (cuped, cuped(*matrices)),
            (lin, lin(*matrices)),
            ("hc2", lin(*arms)),
        ):
            assert found is not None
            p_values[name].append(contrast(found.treatment, found.control, method="x", cov=found.cov).p_value)
    assert_calibrated(p_values[cuped], 0.05)
    assert_calibrated(p_values["hc2"], 0.05)


def test_calibration_of_lin_with_unequal_arms_and_slopes() -> None:
    random = np.random.default_rng(22)
    p_values: list[float | None] = []
    for _ in range(2000):
        arms = []
        for size, slope in ((300, 2.0), (60, 0.5)):
            x = random.normal(0, 1, (size, 1))
            arms.append(matrix_of(rows(slope * x[:, 0] + random.normal(0, 1, size), x)))
        found = lin(*arms)
        assert found is not None
        p_values.append(contrast(found.treatment, found.control, method="lin", cov=found.cov).p_value)
    assert_calibrated(p_values, 0.05)
