import itertools
import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import assume, given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import SquareTable, StratifiedTable

from abtest.stats.tables import homogeneity, mean_shift, merge_rare, stratified, symmetry

from .test_calibration import assert_calibrated

FAN = [[150, 85, 70, 80, 140, 105, 180, 190], [120, 80, 60, 90, 150, 100, 200, 200]]

# Job satisfaction (columns) by income (rows), for women and men (Agresti 2002, table 7.8).
SATISFACTION = [
    [[1, 3, 11, 2], [2, 3, 17, 3], [0, 1, 8, 5], [0, 2, 4, 2]],
    [[1, 1, 2, 1], [0, 3, 5, 1], [0, 0, 7, 3], [0, 1, 9, 6]],
]


def grids(rows: int, columns: int, largest: int = 40) -> st.SearchStrategy[list[list[int]]]:
    row = st.lists(st.integers(0, largest), min_size=columns, max_size=columns)
    return st.lists(row, min_size=rows, max_size=rows)


shapes = st.tuples(st.integers(2, 4), st.integers(2, 5))


def test_fan() -> None:
    result = homogeneity(FAN)
    assert result.statistic == pytest.approx(6.618135, abs=1e-6)
    assert result.p_value == pytest.approx(0.469691, abs=1e-6)
    assert (result.status, result.reason, result.df) == ("ok", None, 7)


@given(shapes.flatmap(lambda shape: grids(*shape)))
def test_homogeneity_is_scipy(table: list[list[int]]) -> None:
    found = homogeneity(table)
    used = np.array(table)
    used = used[used.sum(1) > 0][:, used.sum(0) > 0]
    if min(used.shape) < 2:
        assert found.status == "no_test"
        return
    reference = scipy.stats.chi2_contingency(used, correction=False)
    assert found.statistic == pytest.approx(reference.statistic, rel=1e-9, abs=1e-12)
    assert found.df == reference.dof
    assert found.p_value == pytest.approx(reference.pvalue, rel=1e-9)
    assert found.smallest_expected == pytest.approx(reference.expected_freq.min())
    assert found.cramers_v == pytest.approx(
        scipy.stats.contingency.association(used, method="cramer"), rel=1e-9, abs=1e-9
    )
    rare = reference.expected_freq.min() < 1 or (reference.expected_freq < 5).mean() > 0.2
    assert found.reason == ("small_expected" if rare else None)


@given(shapes.flatmap(lambda shape: grids(*shape)))
def test_order_of_arms_and_cells(table: list[list[int]]) -> None:
    turned = [list(row) for row in zip(*table, strict=True)]
    other = [row[::-1] for row in table[::-1]]
    assert homogeneity(table).p_value == pytest.approx(homogeneity(other).p_value)
    assert homogeneity(table).cramers_v == pytest.approx(homogeneity(turned).cramers_v)
    padded = [[0, *row] for row in table] + [[0] * (len(table[0]) + 1)]
    assert homogeneity(padded) == homogeneity(table)


def test_homogeneity_statuses_and_extremes() -> None:
    assert homogeneity([]).reason == homogeneity([[0, 0], [0, 0]]).reason == "no_units"
    assert homogeneity([[3, 4], [0, 0]]).reason == "one_row"
    assert homogeneity([[3, 0], [4, 0]]).reason == "one_column"
    assert homogeneity([[1, 0], [0, 1]]).cramers_v == 1.0
    same = homogeneity([[10**150, 3 * 10**150], [2 * 10**150, 6 * 10**150]])
    assert (same.statistic, same.p_value, same.cramers_v) == (0.0, 1.0, 0.0)
    far = homogeneity([[10**150, 0], [0, 10**150]])
    assert (far.p_value, far.cramers_v) == (0.0, 1.0)
    many = homogeneity([[7 + (i * j) % 5 for j in range(40)] for i in range(50)])
    assert many.df == 49 * 39
    for bad in ([[1, 2], [3]], [[-1, 2], [3, 4]], [[1.5, 2], [3, 4]]):
        with pytest.raises(ValueError):
            homogeneity(bad)  # type: ignore[arg-type]


def test_merging() -> None:
    assert merge_rare(FAN) == (tuple(tuple(row) for row in FAN), ())
    # Column 0 is empty, 2 rare; together still rare, so the smallest of the others joins.
    merged, names = merge_rare([[0, 50, 1, 20, 40], [0, 48, 2, 25, 45]])
    assert names == (0, 2, 3)
    assert merged == ((50, 40, 21), (48, 45, 27))
    assert homogeneity(merged).reason is None
    # An arm of three units is too small for any cell.
    assert merge_rare([[50, 40], [1, 2]])[0] == ((90,), (3,))
    assert merge_rare([[0, 0]]) == (((0, 0),), ())
    assert merge_rare([[3], [4]]) == (((3,), (4,)), ())


@given(shapes.flatmap(lambda shape: grids(*shape, largest=15)))
def test_merging_keeps_the_units_and_makes_them_enough(table: list[list[int]]) -> None:
    merged, names = merge_rare(table)
    assert [sum(row) for row in merged] == [sum(row) for row in table]
    assert len(merged[0]) == len(table[0]) - max(0, len(names) - 1)
    found = homogeneity(merged)
    if found.status == "ok":
        assert found.smallest_expected is not None
        assert found.smallest_expected >= 5.0 - 1e-9


def test_false_alarms_of_homogeneity_and_after_merging() -> None:
    random = np.random.default_rng(71)
    shares = np.array([0.4, 0.3, 0.2, 0.05, 0.03, 0.02])
    pairs = list(zip(random.multinomial(300, shares, 2000), random.multinomial(200, shares, 2000), strict=True))
    assert_calibrated([homogeneity([a.tolist(), b.tolist()]).p_value for a, b in pairs], 0.05)
    few = list(zip(random.multinomial(100, shares, 2000), random.multinomial(80, shares, 2000), strict=True))
    assert_calibrated([homogeneity(merge_rare([a.tolist(), b.tolist()])[0]).p_value for a, b in few], 0.05)


@given(st.integers(2, 5).flatmap(lambda size: grids(size, size)))
def test_symmetry_is_statsmodels(table: list[list[int]]) -> None:
    pairs = [(table[i][j], table[j][i]) for i, j in itertools.combinations(range(len(table)), 2)]
    assume(all(a + b > 0 for a, b in pairs))
    reference = SquareTable(np.array(table, dtype=float), shift_zeros=False).symmetry(method="bowker")
    found = symmetry(table)
    assert found.statistic == pytest.approx(reference.statistic, rel=1e-9, abs=1e-12)
    assert found.df == reference.df
    assert found.p_value == pytest.approx(reference.pvalue, rel=1e-9)
    assert symmetry([list(row) for row in zip(*table, strict=True)]) == found


def test_symmetry_of_two_cells_is_mcnemar() -> None:
    result = symmetry([[101, 59], [121, 33]])
    assert result.statistic == pytest.approx((59 - 121) ** 2 / 180)
    assert (result.df, result.reason) == (1, None)


def test_symmetry_statuses() -> None:
    assert symmetry([[5, 0], [0, 7]]).reason == "no_moves"
    assert symmetry([[0, 0], [0, 0]]).reason == symmetry([]).reason == "no_units"
    assert symmetry([[5, 3], [2, 7]]).reason == "small_expected"
    # Nobody moved between the first and the last cell: one pair less.
    assert symmetry([[9, 12, 0], [15, 9, 20], [0, 14, 9]]).df == 2
    assert symmetry([[0, 10**150], [10**150, 0]]).statistic == 0.0
    with pytest.raises(ValueError, match="square"):
        symmetry([[1, 2, 3], [4, 5, 6]])


def test_false_alarms_of_symmetry() -> None:
    random = np.random.default_rng(72)
    shares = np.array([[0.2, 0.1, 0.05], [0.1, 0.2, 0.08], [0.05, 0.08, 0.14]]).ravel()
    draws = random.multinomial(400, shares, 2000).reshape(-1, 3, 3)
    assert_calibrated([symmetry(table.tolist()).p_value for table in draws], 0.05)


def test_satisfaction() -> None:
    # General association: R's `mantelhaen.test` and SAS; mean scores with 1, 3, 4, 5: SAS (Agresti 2002, section 7.5).
    general = stratified(SATISFACTION)
    assert general.statistic == pytest.approx(10.2001, abs=5e-5)
    assert general.p_value == pytest.approx(0.3345, abs=5e-5)
    assert (general.df, general.reason) == (9, "small_expected")
    means = stratified(SATISFACTION, scores=[1, 3, 4, 5])
    assert means.statistic == pytest.approx(9.0342, abs=5e-5)
    assert means.p_value == pytest.approx(0.0288, abs=5e-5)
    assert means.df == 3


@given(st.lists(grids(2, 2), min_size=1, max_size=5))
def test_two_by_two_is_mantel_haenszel(strata: list[list[list[int]]]) -> None:
    assume(all(min(np.array(t).sum(0).min(), np.array(t).sum(1).min()) > 0 for t in strata))
    reference = StratifiedTable([np.array(t) for t in strata], shift_zeros=False).test_null_odds(correction=False)
    for found in (stratified(strata), stratified(strata, scores=[0.0, 3.0])):
        assert found.statistic == pytest.approx(reference.statistic, rel=1e-7, abs=1e-9)
        assert found.p_value == pytest.approx(reference.pvalue, rel=1e-6)
        assert found.df == 1


def test_covariance_by_shuffling_every_unit() -> None:
    # The exact permutation covariance of a small table, by listing all assignments of 6 units to the arms.
    cells = [0, 0, 1, 1, 1, 2]
    tables = []
    for first in itertools.combinations(range(6), 2):
        for second in itertools.combinations([i for i in range(6) if i not in first], 2):
            arm = [0 if i in first else 1 if i in second else 2 for i in range(6)]
            tables.append(np.histogram2d(arm, cells, bins=3)[0].astype(int))
    free = np.array([table[:2, :2].ravel() for table in tables], dtype=float)
    inverse = np.linalg.inv(np.cov(free.T, ddof=0))
    for table, row in zip(tables, free, strict=True):
        deviation = row - free.mean(0)
        found = stratified([table.tolist()])
        assert found.statistic == pytest.approx(deviation @ inverse @ deviation, rel=1e-9, abs=1e-9)
        assert found.df == 4


@given(grids(3, 4))
def test_one_stratum_is_pearson(table: list[list[int]]) -> None:
    found, reference = stratified([table]), homogeneity(table)
    n = sum(map(sum, table))
    if reference.statistic is None or n < 2:
        assert found.status == "no_test"
        return
    assert found.df == reference.df
    assert found.statistic == pytest.approx(reference.statistic * (n - 1) / n, rel=1e-6, abs=1e-9)


@given(st.lists(grids(2, 4), min_size=1, max_size=4), st.integers(-50, 50), st.sampled_from([0.25, -3.0, 1024.0]))
def test_scores_have_no_unit_and_arms_no_order(strata: list[list[list[int]]], shift: int, scale: float) -> None:
    scores = [0.0, 1.0, 3.0, 3.0]
    one = stratified(strata, scores=scores)
    two = stratified([t[::-1] for t in reversed(strata)], scores=[scale * s + shift for s in scores])
    assert (one.status, one.reason, one.df) == (two.status, two.reason, two.df)
    if one.statistic is not None:
        assert two.statistic == pytest.approx(one.statistic, rel=1e-6, abs=1e-9)


def test_mean_scores_of_rows() -> None:
    # One stratum, two arms: (n - 1) r^2 of arm and score over the units.
    table, scores = [[10, 20, 5], [6, 15, 14]], np.array([0.0, 2.0, 3.0])
    arm = np.repeat([0, 1], [35, 35])
    score = np.concatenate([np.repeat(scores, row) for row in table])
    expected = 69 * np.corrcoef(arm, score)[0, 1] ** 2
    assert stratified([table], scores=scores.tolist()).statistic == pytest.approx(expected, rel=1e-9)


def test_stratified_statuses() -> None:
    assert stratified([]).reason == stratified([[[0, 0], [0, 0]]]).reason == "no_units"
    apart = [[[3, 4], [0, 0]], [[0, 0], [5, 6]]]
    assert stratified(apart).reason == "no_overlap"
    assert stratified([[[3, 0], [4, 0]], [[0, 3], [0, 9]]]).reason == "no_overlap"
    for odd in ([1 / 3, 1 / 3, 1 / 3], [0.1, 0.1, 7.0]):
        assert stratified([[[3, 4, 0], [7, 9, 0]]], scores=odd).reason == "no_overlap"
    large = stratified([[[10**14, 10**14], [10**14, 10**14]]])
    assert (large.statistic, large.p_value) == (0.0, 1.0)
    # A stratum of one unit and one without any change nothing.
    table = [[12, 9], [8, 15]]
    assert stratified([table, [[1, 0], [0, 0]], [[0, 0], [0, 0]]]).statistic == stratified([table]).statistic
    for strata, scores in (
        ([table, [[1, 2, 3], [4, 5, 6]]], None),
        ([table], [1.0]),
        ([table], [1.0, math.nan]),
    ):
        with pytest.raises(ValueError):
            stratified(strata, scores=scores)


@pytest.mark.parametrize("scores", [None, [0.0, 1.0, 2.0]])
def test_false_alarms_with_uneven_strata(scores: list[float] | None) -> None:
    # The arms differ in where their units start, and not in where they go from there.
    random = np.random.default_rng(73)
    after = [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]]
    sizes = [(80, 40), (50, 50), (30, 60)]
    draws = [[random.multinomial(n, share, 1000) for n in pair] for pair, share in zip(sizes, after, strict=True)]
    p = [stratified([[arm[i].tolist() for arm in pair] for pair in draws], scores=scores).p_value for i in range(1000)]
    assert_calibrated(p, 0.05)


@given(st.lists(grids(2, 3), min_size=1, max_size=4), st.sampled_from([[0.0, 1.0, 2.0], [-3.0, 0.5, 0.5]]))
def test_shift_is_the_test_of_mean_scores(strata: list[list[list[int]]], scores: list[float]) -> None:
    found, reference = mean_shift(strata, scores), stratified(strata, scores=scores)
    assert found.status == reference.status
    if found.statistic is None or reference.statistic is None:
        return
    assert found.statistic**2 == pytest.approx(reference.statistic, rel=1e-9, abs=1e-12)
    assert found.p_value == pytest.approx(reference.p_value, rel=1e-6, abs=1e-9)
    mirrored = mean_shift([t[::-1] for t in strata], scores)
    assert found.absolute is not None
    assert mirrored.absolute is not None
    assert mirrored.absolute.estimate == pytest.approx(-found.absolute.estimate, abs=1e-12)
    # p and interval are one test.
    assert found.absolute.low is not None
    assert found.absolute.high is not None
    assert (found.p_value is not None and found.p_value < 0.05) == (
        found.absolute.low > 0.0 or found.absolute.high < 0.0
    )


def test_shift_is_the_slope_of_the_arm_with_an_intercept_per_stratum() -> None:
    """The reference: least squares from rows by statsmodels."""
    strata, scores = [[[30, 15, 5], [20, 18, 12]], [[10, 20, 30], [6, 18, 34]], [[4, 0, 1], [9, 2, 7]]], [0.0, 1.0, 4.0]
    rows = [
        (arm, stratum, score)
        for stratum, table in enumerate(strata)
        for arm, counts in enumerate(table)
        for count, score in zip(counts, scores, strict=True)
        for _ in range(count)
    ]
    arm, stratum, score = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    x = np.column_stack([arm, *[(stratum == k) for k in range(3)]])
    fitted: Any = sm.OLS(score, x.astype(float)).fit()
    found = mean_shift(strata, scores)
    assert found.absolute is not None
    assert found.absolute.estimate == pytest.approx(fitted.params[0], rel=1e-10)


def test_shift_statuses() -> None:
    assert mean_shift([], [0.0, 1.0]).reason == mean_shift([[[0, 0], [0, 0]]], [0.0, 1.0]).reason == "no_units"
    assert mean_shift([[[3, 4], [0, 0]], [[0, 0], [5, 6]]], [0.0, 1.0]).reason == "no_overlap"
    assert mean_shift([[[3, 0], [4, 0]]], [0.0, 1.0]).reason == "no_overlap"
    assert mean_shift([[[3, 4], [7, 9]]], [2.0, 2.0]).reason == "no_overlap"
    for strata, scores in (
        ([[[1, 2]]], [0.0, 1.0]),
        ([[[1, 2], [3, 4]]], [0.0]),
        ([[[1, 2], [3, 4]]], [0.0, math.inf]),
    ):
        with pytest.raises(ValueError):
            mean_shift(strata, scores)
