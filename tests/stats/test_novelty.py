"""Early against late: the test is scipy's of the unit differences, and the laws of a contrast hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from abtest.stats.moments import PairMoments, pair_of
from abtest.stats.novelty import early_late, shape_of

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
