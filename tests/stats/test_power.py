import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower

from abtest.stats.power import minimum_detectable, power_per_metric


def test_the_design_with_three_guardrails() -> None:
    # B18: .95^4 = .8145 keeps 80 %, the printed .9333^4 = .7588 does not.
    each = power_per_metric(0.8, 3)
    assert each == pytest.approx(0.95)
    assert each**4 == pytest.approx(0.8145, abs=1e-4)
    assert each**4 >= 0.8 > 0.9333**4


@given(st.floats(0.5, 0.99), st.integers(0, 20))
def test_the_decision_keeps_its_power(power: float, guardrails: int) -> None:
    each = power_per_metric(power, guardrails)
    assert power <= each < 1
    assert each ** (guardrails + 1) >= power - 1e-12  # independent metrics do no worse than the union bound


def test_by_simulation() -> None:
    """Goal and three guardrails, each with an effect that it finds with its own power: at least 80 % ship."""
    random = np.random.default_rng(5)
    each = power_per_metric(0.8, 3)
    shift = scipy.stats.norm.ppf(0.975) + scipy.stats.norm.ppf(each)
    common = random.normal(size=(20_000, 1)) * 0.6
    found = shift + common + 0.8 * random.normal(size=(20_000, 4)) > scipy.stats.norm.ppf(0.975)
    assert found.all(axis=1).mean() > 0.8


@pytest.mark.parametrize("power", [0.6, 0.8, 0.95])
def test_what_is_found_is_what_statsmodels_plans_for(power: float) -> None:
    n = 500
    d = NormalIndPower().solve_power(nobs1=n, alpha=0.05, power=power, alternative="two-sided")
    assert minimum_detectable((2 / n) ** 0.5, power, critical=1.959964) == pytest.approx(d, rel=2e-3)


@pytest.mark.parametrize("power", [0.0, 1.0, float("nan")])
def test_no_power(power: float) -> None:
    with pytest.raises(ValueError, match="power"):
        power_per_metric(power, 1)
    with pytest.raises(ValueError, match="power"):
        minimum_detectable(1.0, power, critical=2.0)
