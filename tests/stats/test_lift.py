import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from abtest.stats.inference import Estimate
from abtest.stats.lift import delta_lift, fieller, fieller_set, log_lift

Z = 1.959963984540054
means = st.floats(-100, 100)
variances = st.floats(1e-4, 1e3)


def test_fieller_delta_and_log_vector() -> None:
    # m_c 10, s_c^2 400, m_t 10.8, s_t^2 441, 1000 per arm. Fieller's g here is z^2 * 0.4 / 100 = .0153658.
    f = fieller(10.8, 0.441, 10.0, 0.4, Z)
    d = delta_lift(10.8, 0.441, 10.0, 0.4, Z)
    g = log_lift(10.8, 0.441, 10.0, 0.4, Z)
    assert isinstance(f, Estimate)
    assert isinstance(d, Estimate)
    assert isinstance(g, Estimate)
    assert (f.low, f.high) == pytest.approx((-0.092068, 0.285776), abs=1e-6)
    assert d.se == f.se == g.se == pytest.approx(0.0952659, abs=1e-7)
    assert (d.low, d.high) == pytest.approx((-0.106718, 0.266718), abs=1e-6)
    assert (g.low, g.high) == pytest.approx((-0.091469, 0.283830), abs=1e-6)
    assert f.estimate == d.estimate == g.estimate == pytest.approx(0.08)


def test_the_textbook_formula_with_covariance() -> None:
    # Fieller 1954 in its usual form, written for the ratio R, with g = z^2 vc / mc^2.
    mt, vt, mc, vc, cov = 10.8, 0.441, 10.0, 0.4, 0.15
    r, g = mt / mc, Z**2 * vc / mc**2
    centre = r - g * cov / vc
    half = Z / mc * math.sqrt(vt - 2 * r * cov + r**2 * vc - g * (vt - cov**2 / vc))
    f = fieller(mt, vt, mc, vc, Z, cov)
    assert isinstance(f, Estimate)
    assert f.low == pytest.approx((centre - half) / (1 - g) - 1, rel=1e-10)
    assert f.high == pytest.approx((centre + half) / (1 - g) - 1, rel=1e-10)


def test_reasons_instead_of_numbers() -> None:
    assert fieller(1.0, 1.0, 0.0, 1.0, Z) == fieller(1.0, 1.0, -3.0, 1.0, Z) == "control_not_positive"
    assert fieller(1.0, 0.1, 1.0, 1.0, Z) == "lift_undefined"
    assert fieller(1.0, 0.1, 1e-320, 0.0, Z) == "lift_undefined"
    assert delta_lift(1.0, 1.0, 0.0, 1.0, Z) == log_lift(1.0, 1.0, 0.0, 1.0, Z) == "control_not_positive"
    assert log_lift(-1.0, 1.0, 1.0, 1.0, Z) == "treatment_not_positive"


def test_no_noise_in_the_control_is_plain_division() -> None:
    f = fieller(12.0, 0.25, 10.0, 0.0, 2.0)
    assert isinstance(f, Estimate)
    assert (f.low, f.high) == pytest.approx((0.1, 0.3))
    nothing = fieller(0.0, 0.0, 10.0, 0.0, 2.0)
    assert nothing == Estimate(-1.0, -1.0, -1.0, 0.0)


@given(means, variances, means, variances, st.floats(0.5, 5.0), st.floats(-0.9, 0.9), st.floats(-20, 20))
def test_the_set_is_what_the_test_does_not_reject(
    mt: float, vt: float, mc: float, vc: float, critical: float, rho: float, lift: float
) -> None:
    cov = rho * math.sqrt(vt * vc)
    se = math.sqrt(vt - 2 * (1 + lift) * cov + (1 + lift) ** 2 * vc)
    statistic = (mt - (1 + lift) * mc) / se
    assume(abs(abs(statistic) - critical) > 1e-6)
    found = fieller_set(mt, vt, mc, vc, critical, cov)
    inside = found.kind == "everything" or (found.low <= lift <= found.high) == (found.kind == "bounded")
    assert inside == (abs(statistic) <= critical)


@given(st.floats(0.1, 100), variances, st.floats(0.1, 100), variances, st.sampled_from([1e-150, 1e-3, 1e4, 1e150]))
def test_a_lift_has_no_unit(mt: float, vt: float, mc: float, vc: float, unit: float) -> None:
    a = fieller(mt, vt, mc, vc, Z)
    b = fieller(mt * unit, vt * unit * unit, mc * unit, vc * unit * unit, Z)
    assert type(a) is type(b)
    if isinstance(a, Estimate) and isinstance(b, Estimate):
        assume(Z**2 * vc < 0.999 * mc**2)  # closer to 1 the interval is unbounded and every digit is rounding
        assert (b.low, b.high, b.se) == pytest.approx((a.low, a.high, a.se), rel=1e-9, abs=1e-9)


@given(st.floats(1, 100), st.floats(-1e-9, 1e-9))
def test_tiny_lifts_keep_their_digits(mc: float, lift: float) -> None:
    mt = mc + mc * lift
    f = fieller(mt, 1e-24, mc, 1e-24, Z)
    assert isinstance(f, Estimate)
    assert f.estimate == pytest.approx((mt - mc) / mc, rel=1e-12, abs=0)
    assert f.low is not None
    assert f.high is not None
    assert f.low < f.estimate < f.high


def test_the_two_kinds_of_unbounded_sets() -> None:
    assert fieller_set(0.5, 1.0, 0.5, 1.0, Z).kind == "everything"
    assert fieller_set(10.0, 1.0, 0.5, 1.0, Z).kind == "outside"
    assert fieller_set(0.0, 0.0, 0.0, 0.0, Z).kind == "everything"
    # The limit between bounded and unbounded: one end at infinity.
    up, down = fieller_set(10.0, 1.0, 2.0, 1.0, 2.0), fieller_set(-10.0, 1.0, 2.0, 1.0, 2.0)
    assert (up.kind, up.low, down.kind, down.high) == ("outside", -math.inf, "outside", math.inf)
    assert fieller_set(-2.0, 2.0, 2.0, 1.0, 2.0, cov=-1.0).kind == "everything"
