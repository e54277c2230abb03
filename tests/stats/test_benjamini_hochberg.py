"""Benjamini-Hochberg against its paper's example, and its laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.stats.multiplicity import benjamini_hochberg, holm

# The fifteen p-values of Benjamini & Hochberg 1995, section 3.2 (reproduced with statsmodels multipletests).
PAPER = (
    0.0001,
    0.0004,
    0.0019,
    0.0095,
    0.0201,
    0.0278,
    0.0298,
    0.0344,
    0.0459,
    0.3240,
    0.4262,
    0.5719,
    0.6528,
    0.7590,
    1.0,
)
P_VALUES = st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=12)


def test_the_example_of_the_paper() -> None:
    adjusted = benjamini_hochberg(PAPER)
    assert adjusted[:6] == pytest.approx((0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.063857), abs=5e-7)
    assert sum(p is not None and p < 0.05 for p in adjusted) == 4


@given(P_VALUES)
def test_between_the_raw_value_and_holm(p_values: list[float | None]) -> None:
    for raw, found, strict in zip(p_values, benjamini_hochberg(p_values), holm(p_values), strict=True):
        assert (raw is None) == (found is None)
        if raw is not None and found is not None and strict is not None:
            assert raw <= found <= strict + 1e-12


@given(P_VALUES)
def test_the_order_of_the_tests_does_not_matter(p_values: list[float | None]) -> None:
    assert benjamini_hochberg(p_values[::-1]) == benjamini_hochberg(p_values)[::-1]
