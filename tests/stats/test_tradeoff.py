import math

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import assume, given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import Table2x2

from abtest.stats.inference import Estimate
from abtest.stats.means import welch
from abtest.stats.moments import Moments, PairMoments, pair_of
from abtest.stats.tradeoff import (
    EngagedBuyers,
    JointEffect,
    association,
    compare_associations,
    ellipse,
    exchange_rate,
    fisher_interval,
    joint_effect,
    quadrant,
    utility,
)

from .test_calibration import assert_calibrated


@st.composite
def joints(draw: st.DrawFn) -> JointEffect:
    s_e, s_r = draw(st.floats(0.05, 3.0)), draw(st.floats(0.05, 3.0))
    rho = draw(st.floats(-0.95, 0.95))
    return JointEffect(draw(st.floats(-5, 5)), draw(st.floats(-5, 5)), s_e**2, s_r**2, rho * s_e * s_r)


tables = st.builds(EngagedBuyers, *[st.integers(0, 60)] * 4)


def matrix(joint: JointEffect) -> np.ndarray:
    return np.array([[joint.var_engagement, joint.cov], [joint.cov, joint.var_revenue]])


def effect(joint: JointEffect) -> np.ndarray:
    return np.array([joint.engagement, joint.revenue])


def test_joint_effect_is_the_covariance_matrix() -> None:
    random = np.random.default_rng(1)
    t, c = random.multivariate_normal([1, 2], [[1, 0.6], [0.6, 2]], 30).T, random.normal(size=(2, 40))
    joint = joint_effect(pair_of(t[0], t[1]), pair_of(c[0], c[1]))
    assert joint is not None
    assert matrix(joint) == pytest.approx(np.cov(t) / 30 + np.cov(c) / 40, rel=1e-9)
    assert effect(joint) == pytest.approx(t.mean(1) - c.mean(1), rel=1e-9)
    assert joint_effect(pair_of([1.0], [1.0]), pair_of(c[0], c[1])) is None


@given(joints(), st.floats(0.001, 0.5))
def test_ellipse(joint: JointEffect, alpha: float) -> None:
    region = ellipse(joint, alpha=alpha, points=36)
    inverse = np.linalg.inv(matrix(joint))
    quantile = scipy.stats.chi2.isf(alpha, 2)
    points = np.array(region.points) - effect(joint)
    assert np.einsum("ij,jk,ik->i", points, inverse, points) == pytest.approx(np.full(36, quantile), rel=1e-6)
    values, vectors = np.linalg.eigh(matrix(joint))
    assert (region.minor, region.major) == pytest.approx(tuple(np.sqrt(quantile * values)), rel=1e-6)
    assert region.angle is not None
    if values[1] - values[0] > 1e-3 * values[1]:
        axis = np.array([math.cos(region.angle), math.sin(region.angle)])
        assert abs(axis @ vectors[:, 1]) == pytest.approx(1.0, abs=1e-6)
    wald = effect(joint) @ inverse @ effect(joint)
    assert region.statistic == pytest.approx(wald, rel=1e-6, abs=1e-12)
    assert region.p_value == pytest.approx(scipy.stats.chi2.sf(wald, 2), rel=1e-4, abs=1e-300)


def test_chi_square_of_the_design() -> None:
    assert ellipse(JointEffect(0.0, 0.0, 1.0, 1.0, 0.0)).major == pytest.approx(math.sqrt(5.991465), abs=1e-6)


def test_ellipse_holds_the_truth() -> None:
    random = np.random.default_rng(61)
    p: list[float | None] = []
    for _ in range(1000):
        t, c = random.normal(2.0, 1.0, (2, 150)), random.normal(2.0, 2.0, (2, 200))
        joint = joint_effect(pair_of(t[0], t[0] + t[1]), pair_of(c[0], c[0] + c[1]))
        assert joint is not None
        p.append(ellipse(joint, points=1).p_value)
    assert_calibrated(p, 0.05)


@given(joints(), st.floats(-3, 3), st.floats(-3, 3))
def test_utility(joint: JointEffect, w_e: float, w_r: float) -> None:
    assume(abs(w_e) + abs(w_r) > 0.01)
    weights = np.array([w_e, w_r])
    result = utility(joint, w_e, w_r)
    assert result.absolute is not None
    assert result.absolute.estimate == pytest.approx(weights @ effect(joint), rel=1e-9, abs=1e-12)
    assert result.absolute.se == pytest.approx(math.sqrt(weights @ matrix(joint) @ weights), rel=1e-6)
    assert result.relative_reason == "no_baseline"


def test_utility_of_rows_is_welch_of_the_sum() -> None:
    random = np.random.default_rng(2)
    t, c = random.normal(size=(2, 30)), random.normal(size=(2, 40))
    joint = joint_effect(pair_of(t[0], t[1]), pair_of(c[0], c[1]))
    assert joint is not None
    summed = [pair_of(0.5 * a[0] + 3 * a[1], a[0]).x for a in (t, c)]
    mine, reference = utility(joint, 0.5, 3.0), welch(*summed)
    assert mine.absolute is not None
    assert reference.absolute is not None
    assert mine.statistic == pytest.approx(reference.statistic, rel=1e-9)


@given(joints(), st.floats(-20, 20))
def test_exchange_rate_holds_the_rates_that_break_even(joint: JointEffect, rate: float) -> None:
    found = exchange_rate(joint)
    utility_there = utility(joint, 1.0, rate)
    assert utility_there.p_value is not None
    assume(abs(utility_there.p_value - 0.05) > 1e-6)
    low = -math.inf if found.low is None else found.low
    high = math.inf if found.high is None else found.high
    inside = {"everything": True, "bounded": low <= rate <= high, "outside": not low < rate < high}
    assert found.kind is not None
    assert inside[found.kind] == (utility_there.p_value > 0.05)
    if joint.revenue != 0.0:
        assert found.estimate == pytest.approx(-joint.engagement / joint.revenue)


@given(joints(), st.sampled_from([0.25, 8.0]), st.sampled_from([0.5, 1024.0]))
def test_units_of_measurement(joint: JointEffect, a: float, b: float) -> None:
    scaled = JointEffect(
        a * joint.engagement,
        b * joint.revenue,
        a * a * joint.var_engagement,
        b * b * joint.var_revenue,
        a * b * joint.cov,
    )
    assert ellipse(scaled).p_value == pytest.approx(ellipse(joint).p_value, rel=1e-6)
    one, two = exchange_rate(joint), exchange_rate(scaled)
    assert one.kind == two.kind
    if one.kind == "bounded" and one.low is not None:
        assert two.low == pytest.approx(one.low * a / b, rel=1e-6, abs=1e-9)


def test_exchange_rate_kinds_and_statuses() -> None:
    assert exchange_rate(JointEffect(1.0, 0.0, 0.01, 0.01, 0.0)).kind == "outside"
    assert exchange_rate(JointEffect(1.0, 0.0, 0.01, 0.01, 0.0)).estimate is None
    nothing = exchange_rate(JointEffect(0.1, 0.1, 1.0, 1.0, 0.0))
    assert (nothing.kind, nothing.low, nothing.high) == ("everything", None, None)
    fixed = exchange_rate(JointEffect(1.0, -0.5, 0.0, 0.01, 0.0))
    assert (fixed.status, fixed.reason, fixed.estimate) == ("no_test", "zero_variance", 2.0)
    assert exchange_rate(JointEffect(1e300, 1e-300, 1.0, 1.0, 0.0)).reason == "too_large"
    assert exchange_rate(JointEffect(1e300, 1e-9, 1.0, 1.0, 0.0)).reason == "too_large"
    for scale in (1e-150, 1e150):
        found = exchange_rate(JointEffect(scale, -0.5, 0.04 * scale**2, 0.01, 0.0))
        assert found.low == pytest.approx(1.1044 * scale, rel=1e-4)


def test_extreme_effects() -> None:
    assert ellipse(JointEffect(1.0, 1.0, 0.0, 1.0, 0.0)).reason == "zero_variance"
    assert ellipse(JointEffect(1.0, 1.0, 1.0, 1.0, 1.0)).reason == "collinear"
    far = ellipse(JointEffect(1e200, 0.0, 1e-20, 1.0, 0.0))
    assert (far.statistic, far.p_value) == (None, 0.0)
    thin = ellipse(JointEffect(1.0, 1.0, 1e-280, 1e280, 0.0))
    assert (thin.major, thin.minor) == pytest.approx((2.447747e140, 2.447747e-140), rel=1e-6)
    assert utility(JointEffect(1.0, 1.0, 1.0, 1.0, -1.0), 1.0, 1.0).reason == "zero_variance"
    assert utility(JointEffect(1.0, 1.0, 0.0, 0.0, 0.0), 1.0, 1.0).reason == "zero_variance"
    assert utility(JointEffect(1.0, 1.0, 1.0, 1.0, 0.0), 0.0, 0.0).reason == "zero_variance"
    assert utility(JointEffect(1e300, 1.0, 1.0, 1.0, 0.0), 1e300, 0.0).reason == "too_large"
    one_sided = utility(JointEffect(1.0, 1.0, 0.0, 1.0, 0.0), 1.0, 1.0)
    assert one_sided.statistic == pytest.approx(2.0)


def test_bad_input() -> None:
    for numbers in ((0.0, 0.0, -1.0, 1.0, 0.0), (0.0, 0.0, 1.0, 1.0, 1.1), (math.nan, 0.0, 1.0, 1.0, 0.0)):
        with pytest.raises(ValueError):
            JointEffect(*numbers)
    with pytest.raises(ValueError, match="alpha"):
        ellipse(JointEffect(0.0, 0.0, 1.0, 1.0, 0.0), alpha=1.0)
    with pytest.raises(ValueError, match="weights"):
        utility(JointEffect(0.0, 0.0, 1.0, 1.0, 0.0), math.inf, 1.0)
    with pytest.raises(ValueError, match="counts"):
        EngagedBuyers(1, -1, 0, 0)


def test_quadrants() -> None:
    up, down, flat = Estimate(1.0, 0.5, 1.5), Estimate(-1.0, -1.5, -0.5), Estimate(0.1, -0.5, 0.7)
    assert quadrant(up, up) == "win_win"
    assert quadrant(up, down) == "trade_off_up"
    assert quadrant(down, up) == "trade_off_down"
    assert quadrant(down, down) == "lose_lose"
    assert quadrant(down, up, engagement_better="lower") == "win_win"
    assert quadrant(down, up, engagement_better="lower", revenue_better="lower") == "trade_off_up"
    for unclear in (flat, None, Estimate(1.0), Estimate(1.0, 0.0, 2.0)):
        assert quadrant(unclear, up) == quadrant(down, unclear) == "unclear"


@given(tables)
def test_association_is_scipy_and_statsmodels(table: EngagedBuyers) -> None:
    cells = np.array([[table.both, table.engaged_only], [table.buyer_only, table.neither]])
    assume((cells > 0).all())
    found, reference = association(table), Table2x2(cells, shift_zeros=False)
    chi2 = scipy.stats.chi2_contingency(cells, correction=False)
    assert found.statistic == pytest.approx(chi2.statistic, rel=1e-9, abs=1e-12)
    assert found.p_value == pytest.approx(chi2.pvalue, rel=1e-9)
    assert found.odds_ratio is not None
    assert found.odds_ratio.estimate == pytest.approx(reference.oddsratio, rel=1e-9)
    assert (found.odds_ratio.low, found.odds_ratio.high) == pytest.approx(reference.oddsratio_confint(), rel=1e-9)
    assert found.odds_ratio.se == pytest.approx(reference.log_oddsratio_se, rel=1e-9)
    assert found.phi is not None
    expanded = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], cells.ravel(), axis=0).T
    assert found.phi.estimate == pytest.approx(np.corrcoef(expanded)[0, 1], abs=1e-9)
    assert not found.corrected


@given(tables)
def test_error_of_phi_is_the_delta_method(table: EngagedBuyers) -> None:
    cells = np.array([table.both, table.engaged_only, table.buyer_only, table.neither], dtype=float)
    assume((cells > 0).all())

    def phi(p: np.ndarray) -> float:
        a, b, c, d = p
        return float((a * d - b * c) / math.sqrt((a + b) * (c + d) * (a + c) * (b + d)))

    p = cells / cells.sum()
    gradient = np.array([(phi(p + s) - phi(p - s)) / 2e-6 for s in 1e-6 * np.eye(4)])
    variance = (gradient**2 * p).sum() - (gradient * p).sum() ** 2
    found = association(table).phi
    assert found is not None
    assert found.se == pytest.approx(math.sqrt(variance / cells.sum()), rel=1e-4)
    assert found.low is not None
    assert found.high is not None
    assert -1.0 < found.low < found.estimate < found.high < 1.0


@given(tables)
def test_relabelling(table: EngagedBuyers) -> None:
    # "Engaged" and "buyer" change places, or "engaged" and "not engaged".
    swapped = EngagedBuyers(table.both, table.buyer_only, table.engaged_only, table.neither)
    turned = EngagedBuyers(table.buyer_only, table.neither, table.both, table.engaged_only)
    one, two, three = association(table), association(swapped), association(turned)
    assert one.reason == two.reason == three.reason
    if one.phi is not None and two.phi is not None and three.phi is not None:
        assert two.phi.estimate == pytest.approx(one.phi.estimate, abs=1e-12)
        assert three.phi.estimate == pytest.approx(-one.phi.estimate, abs=1e-12)
        assert one.odds_ratio is not None
        assert three.odds_ratio is not None
        assert three.odds_ratio.estimate == pytest.approx(1.0 / one.odds_ratio.estimate)


def test_empty_cells() -> None:
    perfect = association(EngagedBuyers(10, 0, 0, 20))
    assert perfect.phi == Estimate(1.0)
    assert perfect.corrected
    assert perfect.odds_ratio is not None
    assert perfect.odds_ratio.estimate == pytest.approx(10.5 * 20.5 / 0.25)
    one = association(EngagedBuyers(5, 0, 7, 20))
    assert one.odds_ratio is not None
    assert one.odds_ratio.estimate == pytest.approx(5.5 * 20.5 / (0.5 * 7.5))
    assert association(EngagedBuyers(0, 0, 0, 0)).reason == "no_units"
    for table in (EngagedBuyers(5, 7, 0, 0), EngagedBuyers(5, 0, 7, 0), EngagedBuyers(0, 0, 1, 1)):
        assert association(table).reason == "empty_margin"
        assert compare_associations(table, EngagedBuyers(1, 2, 3, 4)).reason == "empty_margin"
        assert compare_associations(EngagedBuyers(1, 2, 3, 4), table).reason == "empty_margin"
    huge = association(EngagedBuyers(10**60, 10**60, 10**60, 10**60))
    assert huge.phi is not None
    assert huge.phi.estimate == 0.0


@given(tables, tables)
def test_comparison_is_the_log_odds_interaction(t: EngagedBuyers, c: EngagedBuyers) -> None:
    result, back = compare_associations(t, c), compare_associations(c, t)
    assert result.status == back.status
    if result.status == "ok":
        one, two = association(t).odds_ratio, association(c).odds_ratio
        assert one is not None
        assert two is not None
        assert one.se is not None
        assert two.se is not None
        z = math.log(one.estimate / two.estimate) / math.hypot(one.se, two.se)
        assert result.statistic == pytest.approx(z, rel=1e-9, abs=1e-9)
        assert back.p_value == pytest.approx(result.p_value, rel=1e-9)


def test_logistic_regression() -> None:
    # The interaction of the saturated model is the difference of the log odds ratios.
    t, c = (40, 60, 20, 80), (30, 70, 20, 80)
    rows = np.repeat([(a, e, b) for a in (1, 0) for e in (1, 0) for b in (1, 0)], [*t, *c], axis=0)
    arm, engaged, buyer = rows.T
    fit = sm.Logit(buyer, np.column_stack([np.ones(len(rows)), arm, engaged, arm * engaged])).fit(disp=0)
    result = compare_associations(EngagedBuyers(*t), EngagedBuyers(*c))
    assert result.absolute is not None
    assert result.absolute.estimate == pytest.approx(fit.params[3], rel=1e-6)
    assert result.p_value == pytest.approx(fit.pvalues[3], rel=1e-6)


def test_false_alarms() -> None:
    random = np.random.default_rng(62)
    shares = [0.15, 0.25, 0.2, 0.4]
    # The same odds ratio with other margins.
    odds = 0.15 * 0.4 / (0.25 * 0.2)
    a, b, c = 0.3, 0.15, 0.2
    d = odds * b * c / a
    total = a + b + c + d
    t, k = (
        random.multinomial(600, shares, 2000),
        random.multinomial(500, [a / total, b / total, c / total, d / total], 2000),
    )
    same = [
        compare_associations(EngagedBuyers(*x), EngagedBuyers(*y)).p_value
        for x, y in zip(t.tolist(), k.tolist(), strict=True)
    ]
    assert_calibrated(same, 0.05)
    truth = (0.15 * 0.4 - 0.25 * 0.2) / math.sqrt(0.4 * 0.6 * 0.35 * 0.65)
    miss: list[float | None] = []
    for row in t.tolist():
        phi = association(EngagedBuyers(*row)).phi
        assert phi is not None
        assert phi.low is not None
        assert phi.high is not None
        miss.append(1.0 if phi.low <= truth <= phi.high else 0.0)
    assert_calibrated(miss, 0.05)


@given(st.integers(2, 5000), st.integers(2, 5000), st.floats(-0.99, 0.99))
def test_moments_make_a_valid_joint_effect(n: int, m: int, rho: float) -> None:
    t, c = (
        PairMoments(k, Moments(k, 1.0, 2.0 * k), Moments(k, 3.0, 5.0 * k), rho * k * math.sqrt(10.0)) for k in (n, m)
    )
    joint = joint_effect(t, c)
    assert joint is not None
    assert joint.correlation == pytest.approx(rho)


@given(st.integers(4, 60), st.integers(0, 10_000), st.floats(0.01, 0.4))
def test_the_interval_of_a_correlation_is_scipys(n: int, seed: int, alpha: float) -> None:
    x, y = np.random.default_rng(seed).normal(size=(2, n))
    known = scipy.stats.pearsonr(x, y)
    found = fisher_interval(float(known.statistic), n, alpha=alpha)
    assert (found.low, found.high) == pytest.approx(known.confidence_interval(1.0 - alpha), rel=1e-9, abs=1e-12)
