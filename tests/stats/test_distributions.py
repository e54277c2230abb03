import math

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from abtest.stats.distributions import chi_square_upper, critical_value, normal_upper, t_upper, two_sided


@given(st.floats(-30, 30), st.floats(0.5, 1e6))
def test_tails_equal_the_survival_functions_of_scipy_stats(t: float, df: float) -> None:
    assert t_upper(t, df) == pytest.approx(scipy.stats.t.sf(t, df), rel=1e-9)
    assert normal_upper(t) == pytest.approx(scipy.stats.norm.sf(t), rel=1e-12)


@given(st.floats(1e-12, 0.999), st.floats(1, 1e6))
def test_critical_values_give_back_their_alpha(alpha: float, df: float) -> None:
    assert two_sided(critical_value(alpha, df), df) == pytest.approx(alpha, rel=1e-8)
    assert two_sided(critical_value(alpha)) == pytest.approx(alpha, rel=1e-11)


def test_infinite_degrees_of_freedom_are_the_normal() -> None:
    assert t_upper(1.3, math.inf) == normal_upper(1.3)
    assert critical_value(0.05, math.inf) == critical_value(0.05)


def test_far_tails_do_not_become_zero() -> None:
    assert two_sided(12.0) == pytest.approx(3.552964e-33, rel=1e-6)  # 2 Phi(-12)
    assert critical_value(1e-20) == pytest.approx(9.336, abs=1e-3)
    # An alpha beyond the range of the quantile makes the interval endless, never turned around.
    assert all(critical_value(1e-300, df) > 1e9 for df in (1.0, 3.0, 5.0, 7.0, 10.0))


def test_chi_square_tail() -> None:
    assert chi_square_upper(22.774369, 1) == pytest.approx(scipy.stats.chi2.sf(22.774369, 1), rel=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, math.nan])
def test_alpha_outside_the_unit_interval_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        critical_value(alpha)


def test_degrees_of_freedom_must_be_positive() -> None:
    for df in (0.0, -1.0):
        with pytest.raises(ValueError, match="degrees of freedom"):
            t_upper(1.0, df)
        with pytest.raises(ValueError, match="degrees of freedom"):
            critical_value(0.05, df)
