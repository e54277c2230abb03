import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from abtest.stats.multiplicity import (
    benjamini_hochberg,
    benjamini_yekutieli,
    bonferroni,
    fcr_alpha,
    fcr_level,
    hochberg,
    holm,
)

from .vectors import cases

Adjust = Callable[[Sequence[float | None]], tuple[float | None, ...]]

p_values = st.lists(st.floats(0, 1), max_size=12)

# By the name in statsmodels.
METHODS: dict[str, Adjust] = {
    "bonferroni": bonferroni,
    "holm": holm,
    "simes-hochberg": hochberg,
    "fdr_bh": benjamini_hochberg,
    "fdr_by": benjamini_yekutieli,
}
EVERY = pytest.mark.parametrize("adjust", METHODS.values(), ids=METHODS)


def method_of(case: Any) -> Adjust:
    first = case["method"].split(" (")[0]
    return {
        "Bonferroni": bonferroni,
        "Holm": holm,
        "Hochberg": hochberg,
        "Hochberg step-up": hochberg,
        "Benjamini-Hochberg": benjamini_hochberg,
        "Benjamini-Yekutieli": benjamini_yekutieli,
    }[first]


@pytest.mark.parametrize("case", cases("multiplicity"), ids=lambda case: case["id"])
def test_published_vectors(case: Any) -> None:
    adjusted = method_of(case)(case["input"]["p_values"])
    assert adjusted == pytest.approx(case["expected"]["adjusted"], abs=case["tolerance"])


def test_benjamini_hochberg_1995() -> None:
    # The 15 p-values of Benjamini & Hochberg (1995); Holm by statsmodels 0.14 `multipletests`.
    p = [1e-4, 4e-4, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1]
    adjusted = holm(p)
    assert adjusted[:5] == pytest.approx((0.0015, 0.0056, 0.0247, 0.114, 0.2211), abs=1e-12)
    assert adjusted[5] == pytest.approx(0.278, abs=1e-12)
    rejected = [sum(a is not None and a < 0.05 for a in adjust(p)) for adjust in METHODS.values()]
    assert rejected == [3, 3, 3, 4, 3]


def test_two_close_p_values() -> None:
    assert holm([0.04, 0.045]) == pytest.approx((0.08, 0.08))
    assert hochberg([0.04, 0.045]) == (0.045, 0.045)
    assert benjamini_yekutieli([0.04, 0.045]) == pytest.approx((0.0675, 0.0675))


@pytest.mark.parametrize("name", METHODS)
def test_statsmodels(name: str) -> None:
    random = np.random.default_rng(21)
    for size in range(1, 30):
        p = random.beta(0.3, 1.0, size)
        assert METHODS[name](p.tolist()) == pytest.approx(multipletests(p, method=name)[1], rel=1e-12)


@EVERY
@given(p_values)
def test_untested_metrics_do_not_count(adjust: Adjust, p: list[float]) -> None:
    with_gaps: list[float | None] = [None, *p, None]
    assert adjust(with_gaps) == (None, *adjust(p), None)


@EVERY
@given(p_values, st.randoms())
def test_order_of_goals_does_not_matter(adjust: Adjust, p: list[float], random: Any) -> None:
    places = list(range(len(p)))
    random.shuffle(places)
    assert adjust([p[i] for i in places]) == tuple(adjust(p)[i] for i in places)


@given(p_values)
def test_between_the_raw_and_the_bonferroni_value(p: list[float]) -> None:
    for raw, adjusted, bound in zip(p, holm(p), bonferroni(p), strict=True):
        assert adjusted is not None
        assert bound == min(1.0, len(p) * raw)
        assert raw <= adjusted <= bound


@given(p_values)
def test_each_method_is_sharper_than_the_one_it_refines(p: list[float]) -> None:
    rows = zip(p, benjamini_hochberg(p), hochberg(p), holm(p), benjamini_yekutieli(p), strict=True)
    for raw, bh, step_up, step_down, by in rows:
        assert bh is not None
        assert step_up is not None
        assert step_down is not None
        assert by is not None
        assert raw <= bh <= step_up * (1 + 1e-12)
        assert step_up <= step_down * (1 + 1e-12)
        assert bh <= by <= 1.0


@EVERY
@given(st.lists(st.floats(0, 1), min_size=2, max_size=12))
def test_a_larger_p_value_is_never_better(adjust: Adjust, p: list[float]) -> None:
    ordered = [value for value in adjust(sorted(p)) if value is not None]
    assert all(a <= b for a, b in itertools.pairwise(ordered))


@EVERY
def test_tiny_p_values_keep_their_digits(adjust: Adjust) -> None:
    first, second, last = adjust([1e-300, 1e-200, 1.0])
    assert first is not None
    assert second is not None
    assert 1e-300 <= first <= 6e-300
    assert 1e-200 <= second <= 6e-200
    assert last == 1.0
    assert adjust([0.0, None]) == (0.0, None)
    assert adjust([]) == ()


@EVERY
@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_no_probability(adjust: Adjust, p: float) -> None:
    with pytest.raises(ValueError, match="p-values"):
        adjust([p])


def test_level_after_selection() -> None:
    assert fcr_level(0.05, selected=3, tests=10) == pytest.approx(0.985, abs=1e-15)
    # z 2.432379 of 5-statistics, B16.
    assert scipy.stats.norm.isf(fcr_alpha(0.05, 3, 10) / 2) == pytest.approx(2.432379, abs=5e-7)
    assert fcr_alpha(0.05, 10, 10) == 0.05
    for selected, tests in ((0, 10), (11, 10), (-1, 10)):
        with pytest.raises(ValueError, match="selected"):
            fcr_alpha(0.05, selected, tests)
    with pytest.raises(ValueError, match="alpha"):
        fcr_level(1.0, 1, 2)


@given(st.lists(st.floats(-8, 8), min_size=1, max_size=20), st.floats(0.01, 0.3))
def test_intervals_of_what_was_selected_exclude_zero(z: list[float], alpha: float) -> None:
    # What BH selects among m has p <= R alpha / m, so its interval at fcr_alpha excludes zero.
    p = [float(2 * scipy.stats.norm.sf(abs(one))) for one in z]
    chosen = [
        one
        for one, adjusted in zip(p, benjamini_hochberg(p), strict=True)
        if adjusted is not None and adjusted <= alpha
    ]
    for one in chosen:
        assert one <= fcr_alpha(alpha, len(chosen), len(p)) * (1 + 1e-12)


def test_error_rates_by_simulation() -> None:
    # 4000 families of ten tests, seven of them null, correlated .5 through a shared control. The bands are those of
    # one-sided binomial (any false call) and of a mean within four standard errors (share of false calls).
    random, families, alpha = np.random.default_rng(22), 4000, 0.1
    z = (random.normal(size=(families, 10)) + random.normal(size=(families, 1))) / np.sqrt(2)
    z[:, 7:] += 3.0
    p = 2 * scipy.stats.norm.sf(np.abs(z))
    for name, adjust in METHODS.items():
        called = np.array([[a is not None and a <= alpha for a in adjust(row)] for row in p.tolist()])
        false = called[:, :7].sum(axis=1)
        if name.startswith("fdr"):
            share = false / np.maximum(1, called.sum(axis=1))
            assert share.mean() <= 0.7 * alpha + 4 * share.std() / np.sqrt(families)
        else:
            assert (false > 0).sum() <= scipy.stats.binom.ppf(0.9999, families, alpha)
            assert (false > 0).mean() > 0.02
