from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.stats.adjust import usable_covariates
from abtest.stats.matrix import MomentMatrix, chosen, linearised, matrix_from_sums, matrix_of, merge_matrices
from abtest.stats.moments import Sums, pair_of
from abtest.stats.ratios import ratio_arm

from .samples import RATIO_CONTROL, eighths

rows = st.lists(st.tuples(eighths, eighths, eighths), min_size=2, max_size=30)


@given(rows)
def test_against_numpy(data: Any) -> None:
    found = matrix_of(data)
    assert found.covariance == pytest.approx(np.cov(np.array(data).T), rel=1e-9, abs=1e-9)
    assert found.mean == pytest.approx(tuple(np.mean(data, axis=0)), rel=1e-12, abs=1e-12)


@given(rows, rows)
def test_shards_merged_equal_one_pass(a: Any, b: Any) -> None:
    together, merged = matrix_of([*a, *b]), merge_matrices(matrix_of(a), matrix_of(b))
    assert merged.n == together.n
    assert merged.mean == pytest.approx(together.mean, abs=1e-9)
    assert np.array(merged.cross) == pytest.approx(np.array(together.cross), rel=1e-9, abs=1e-6)


@given(rows, st.randoms())
def test_order_of_rows_changes_no_digit(data: Any, random: Any) -> None:
    shuffled = list(data)
    random.shuffle(shuffled)
    assert matrix_of(shuffled) == matrix_of(data)


@given(rows, st.integers(-(10**9), 10**9))
def test_from_exact_sums(data: Any, shift: int) -> None:
    whole = [[round(8 * v) for v in row] for row in data]
    columns = list(zip(*whole, strict=True))
    sums = [Sums(shift, sum(c), sum(q * q for q in c), scale=8) for c in columns]
    products = {
        (i, j): sum(a * b for a, b in zip(columns[i], columns[j], strict=True))
        for i in range(3)
        for j in range(i + 1, 3)
    }
    found = matrix_from_sums(len(data), sums, products)
    assert found.cross == matrix_from_sums(len(data), [Sums(0, s.s1, s.s2, scale=8) for s in sums], products).cross
    assert np.array(found.cross) == pytest.approx(np.array(matrix_of(data).cross), rel=1e-9, abs=1e-9)
    assert found.mean == pytest.approx(tuple(shift + m for m in matrix_of(data).mean), rel=1e-12, abs=1e-12)


def test_a_mean_of_a_billion_keeps_its_variance() -> None:
    found = matrix_of([[1e9, 1e9 + 2], [1e9 + 1, 1e9 + 1], [1e9 + 2, 1e9]])
    assert found.cross == ((2.0, -2.0), (-2.0, 2.0))


def test_a_ratio_is_a_mean_of_linearised_values() -> None:
    x, y = RATIO_CONTROL
    found = linearised(matrix_of([[7.0, a, b] for a, b in zip(x, y, strict=True)]), 1, 2)
    arm = ratio_arm(pair_of(x, y))
    assert found.mean[1] == pytest.approx(arm.value, rel=1e-12)
    assert found.covariance[1, 1] / found.n == pytest.approx(arm.variance, rel=1e-12)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MomentMatrix(-1, (), ()), "negative"),
        (lambda: MomentMatrix(2, (1.0,), ()), "1 x 1"),
        (lambda: MomentMatrix(2, (float("nan"),), ((1.0,),)), "finite"),
        (lambda: matrix_of([]), "at least one vector"),
        (lambda: linearised(matrix_of([[1.0, 0.0], [2.0, 0.0]]), 0, 1), "sums to zero"),
        (lambda: MomentMatrix(1, (1.0,), ((0.0,),)).covariance, "two units"),
    ],
)
def test_what_is_no_matrix(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_no_units_and_chosen_entries() -> None:
    assert matrix_from_sums(0, [Sums(0, 0, 0)], {}) == MomentMatrix(0, (0.0,), ((0.0,),))
    one = matrix_of([[1.0, 2.0], [3.0, 5.0]])
    assert merge_matrices(one, MomentMatrix(0, (0.0, 0.0), ((0.0, 0.0), (0.0, 0.0)))) == one
    assert chosen(one, (1,)).cross == ((4.5,),)


@pytest.mark.parametrize("seed", range(8))
def test_one_unit_with_all_of_a_denominator_has_no_ratio_to_vary(seed: int) -> None:
    """What rounding leaves of a variance of zero must be no covariate: divided by it, any effect comes out."""
    random = np.random.default_rng(seed)
    x, y = np.zeros(100), np.zeros(100)
    x[7], y[7] = round(random.lognormal(3, 1), 2), 1
    found = linearised(matrix_of(np.column_stack((random.normal(size=100), x, y))), 1, 2)
    assert found.cross[1] == (0.0, 0.0)
    assert usable_covariates([found, found]) == ()
