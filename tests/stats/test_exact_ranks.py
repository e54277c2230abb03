"""The exact test of ranks: against scipy without ties, against every permutation with them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from abtest.stats.exact_ranks import MOST_UNITS, exact_rank_p
from abtest.stats.ordinal import Categories, categories_of, mann_whitney

few = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=6)


@given(st.permutations(range(30)), st.integers(1, 29), st.integers(2, 30))
def test_without_ties_it_is_scipy(order: list[int], cut: int, units: int) -> None:
    values = [float(x) for x in order[:units]]
    t, c = values[: min(cut, units - 1)], values[min(cut, units - 1) :]
    expected = scipy.stats.mannwhitneyu(t, c, method="exact").pvalue
    assert exact_rank_p(categories_of(t), categories_of(c)) == pytest.approx(expected, rel=1e-10)


two_or_more = st.lists(st.integers(0, 5).map(float), min_size=2, max_size=6)


@given(two_or_more, two_or_more)
def test_with_ties_it_is_every_permutation(t: list[float], c: list[float]) -> None:
    def u(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        ranks = scipy.stats.rankdata(np.concatenate([x, y], axis=axis), axis=axis)
        return ranks[..., : x.shape[axis]].sum(axis=axis)

    found = scipy.stats.permutation_test((t, c), u, permutation_type="independent", n_resamples=np.inf, vectorized=True)
    assert exact_rank_p(categories_of(t), categories_of(c)) == pytest.approx(found.pvalue, rel=1e-10)


@given(few, few)
def test_arms_and_direction_do_not_matter(t: list[float], c: list[float]) -> None:
    found = exact_rank_p(categories_of(t), categories_of(c))
    assert exact_rank_p(categories_of(c), categories_of(t)) == pytest.approx(found, rel=1e-10)
    turned = [[-x for x in arm] for arm in (t, c)]
    assert exact_rank_p(categories_of(turned[0]), categories_of(turned[1])) == pytest.approx(found, rel=1e-10)


def test_it_never_errs_more_often_than_it_says() -> None:
    """All 252 ways to share ten answers with ties out: p is at most a in no more than a of them."""
    from itertools import combinations

    answers = [1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 4.0, 4.0, 5.0, 5.0]
    p = []
    for chosen in combinations(range(10), 5):
        t = [answers[i] for i in chosen]
        c = [answers[i] for i in range(10) if i not in chosen]
        p.append(exact_rank_p(categories_of(t), categories_of(c)) or 0.0)
    for alpha in (0.01, 0.05, 0.1, 0.3):
        assert sum(x <= alpha + 1e-12 for x in p) / len(p) <= alpha + 1e-12


def test_the_largest_is_near_the_normal_and_fast() -> None:
    random = np.random.default_rng(3)
    t, c = random.normal(0.3, 1, MOST_UNITS), random.normal(0, 1, MOST_UNITS)
    found = exact_rank_p(categories_of(t), categories_of(c))
    assert found == pytest.approx(scipy.stats.mannwhitneyu(t, c, method="exact").pvalue, rel=1e-9)
    assert found == pytest.approx(mann_whitney(categories_of(t), categories_of(c)).p_value, abs=0.002)


def test_empty_and_large_arms_have_none() -> None:
    one = Categories((1.0,), (1,))
    assert exact_rank_p(Categories((), ()), one) is None
    assert exact_rank_p(one, Categories((1.0, 2.0), (30, 21))) is None
    assert exact_rank_p(one, one) == 1.0
