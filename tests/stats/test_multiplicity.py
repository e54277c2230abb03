from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.stats.multiplicity import holm

from .vectors import cases

p_values = st.lists(st.floats(0, 1), max_size=12)


@pytest.mark.parametrize("case", cases("multiplicity"), ids=lambda case: case["id"])
def test_published_vectors(case: Any) -> None:
    assert holm(case["input"]["p_values"]) == pytest.approx(case["expected"]["adjusted"], abs=case["tolerance"])


def test_benjamini_hochberg_1995() -> None:
    # The 15 p-values of Benjamini & Hochberg (1995); Holm by statsmodels 0.14 `multipletests`.
    p = [1e-4, 4e-4, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1]
    adjusted = holm(p)
    assert adjusted[:5] == pytest.approx((0.0015, 0.0056, 0.0247, 0.114, 0.2211), abs=1e-12)
    assert adjusted[5] == pytest.approx(0.278, abs=1e-12)
    assert sum(a is not None and a < 0.05 for a in adjusted) == 3


def test_two_close_p_values() -> None:
    assert holm([0.04, 0.045]) == pytest.approx((0.08, 0.08))


@given(p_values)
def test_untested_metrics_do_not_count(p: list[float]) -> None:
    with_gaps: list[float | None] = [None, *p, None]
    assert holm(with_gaps) == (None, *holm(p), None)


@given(p_values, st.randoms())
def test_order_of_goals_does_not_matter(p: list[float], random: Any) -> None:
    places = list(range(len(p)))
    random.shuffle(places)
    assert holm([p[i] for i in places]) == tuple(holm(p)[i] for i in places)


@given(p_values)
def test_between_the_raw_and_the_bonferroni_value(p: list[float]) -> None:
    for raw, adjusted in zip(p, holm(p), strict=True):
        assert adjusted is not None
        assert raw <= adjusted <= min(1.0, len(p) * raw)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_no_probability(p: float) -> None:
    with pytest.raises(ValueError, match="p-values"):
        holm([p])
