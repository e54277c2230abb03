"""Early against late: the test is scipy's of the unit differences, and the laws of a contrast hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, ttest_ind
from statsmodels.regression.linear_model import WLS

from abtest.stats.moments import PairMoments, pair_of
from abtest.stats.novelty import by_day, early_late, shape_of

ROWS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=3, max_size=40)


def pair(rows: list[tuple[int, int]]) -> PairMoments:
    return pair_of([float(a) for a, _ in rows], [float(b) for _, b in rows])


@given(ROWS, ROWS)
def test_the_test_is_welchs_of_the_change_of_each_unit(
    treatment: list[tuple[int, int]], control: list[tuple[int, int]]
) -> None:
    found = early_late(pair(treatment), pair(control))
    assert found is not None
    changes = [np.array([b - a for a, b in rows], dtype=float) for rows in (treatment, control)]
    if max(np.ptp(c) for c in changes) == 0:
        assert found.p_value is None
        return
    reference = ttest_ind(*changes, equal_var=False)
    assert found.p_value == pytest.approx(reference.pvalue, rel=1e-7, abs=1e-12)


@given(ROWS, ROWS, st.integers(-9, 9))
def test_what_is_equal_in_both_halves_cancels(
    treatment: list[tuple[int, int]], control: list[tuple[int, int]], lift: int
) -> None:
    """A constant effect changes early and late effects alike, and says nothing of time."""
    plain = early_late(pair(treatment), pair(control))
    lifted = early_late(pair([(a + lift, b + lift) for a, b in treatment]), pair(control))
    assert plain is not None
    assert lifted is not None
    assert lifted.early - plain.early == pytest.approx(lift, abs=1e-9)
    assert lifted.late - plain.late == pytest.approx(lift, abs=1e-9)
    if plain.p_value is None or lifted.p_value is None:
        assert plain.p_value == lifted.p_value
    else:
        assert lifted.p_value == pytest.approx(plain.p_value, rel=1e-6, abs=1e-12)


@given(st.floats(-100, 100), st.floats(-100, 100))
def test_the_shape_does_not_know_which_variant_is_which(early: float, late: float) -> None:
    assert shape_of(early, late) == shape_of(-early, -late)
    assert shape_of(early, early) == "steady"


def test_nobody_to_compare() -> None:
    assert early_late(pair([(1, 2)]), pair([(1, 2), (2, 3)])) is None


EFFECTS, SES = [0.12, 0.10, 0.07, 0.06, 0.05, 0.04, 0.05], [0.02] * 7
DAYS = st.lists(st.tuples(st.integers(-40, 40).map(lambda k: k / 8), st.floats(0.1, 5.0)), min_size=2, max_size=15)


def test_a_week_that_fades() -> None:
    found = by_day(EFFECTS, SES, first=3)
    slope = found.line.slope
    assert (slope.estimate, slope.se) == pytest.approx((-0.0125, 0.0037796), abs=1e-7)
    assert (found.line.z, found.line.p_value) == pytest.approx((-3.307189, 0.00094237), abs=1e-6)
    assert (found.line.q, found.line.p_any) == pytest.approx((13.0, 0.043036), abs=1e-6)
    assert (found.contrast, found.z) == pytest.approx((0.0466667, 3.055050), abs=1e-6)
    assert found.p_value == pytest.approx(2 * norm.sf(3.055050), abs=1e-7)
    # What fades and then stays is nearer to a line in ln(1 + day).
    assert by_day(EFFECTS, SES, logarithm=True).line.q_rest < found.line.q_rest


@given(DAYS, st.floats(-3, 3), st.booleans())
def test_the_line_of_days(days: list[tuple[float, float]], shift: float, logarithm: bool) -> None:
    effects, ses = [e for e, _ in days], [s for _, s in days]
    found = by_day(effects, ses, logarithm=logarithm)
    x = np.arange(1, len(days) + 1)
    design = np.column_stack([np.ones(len(days)), np.log1p(x) if logarithm else x])
    reference = WLS(effects, design, weights=1 / np.square(ses)).fit()
    assert found.line.slope.estimate == pytest.approx(reference.params[1], rel=1e-6, abs=1e-8)
    assert found.line.slope.se == pytest.approx(reference.normalized_cov_params[1, 1] ** 0.5, rel=1e-7)
    # An effect that is larger by as much every day has no other trend.
    moved = by_day([e + shift for e in effects], ses, logarithm=logarithm)
    assert moved.line.z == pytest.approx(found.line.z, rel=1e-6, abs=1e-7)
    assert moved.z == pytest.approx(found.z, rel=1e-6, abs=1e-7)


def test_days_that_share_their_units() -> None:
    """2000 experiments without a trend, days correlated by 0.6: with the covariance 5 % alarm, without it other than 5."""
    random = np.random.default_rng(24)
    covariance = 0.04 * (0.6 + 0.4 * np.eye(7))
    draws = random.multivariate_normal(np.full(7, 0.3), covariance, 2000)
    ses = [0.2] * 7
    right = sum(by_day(row.tolist(), ses, covariance=covariance).line.p_value < 0.05 for row in draws)
    wrong = sum(by_day(row.tolist(), ses).line.p_value < 0.05 for row in draws)
    # 64 to 140 holds .9999 of the binomial at 5 %.
    assert 64 <= right <= 140
    assert wrong < 64


def test_days_that_cannot_be() -> None:
    for effects, ses, first in (([1.0], [1.0], None), (EFFECTS, SES, 7), (EFFECTS, SES, 0)):
        with pytest.raises(ValueError, match="both sides"):
            by_day(effects, ses, first=first)
    with pytest.raises(ValueError, match="standard error for each"):
        by_day(EFFECTS, SES[1:])
    with pytest.raises(ValueError, match="diagonal"):
        by_day(EFFECTS, SES, covariance=np.eye(7))
