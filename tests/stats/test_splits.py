"""Splits that share labels: each is a random split by itself, sums are exact, and the number of calls varies as stated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from abtest.stats.means import welch
from abtest.stats.moments import moments_of
from abtest.stats.rerandomise import UnitColumn, p_values, split_sums
from abtest.stats.splits import TOGETHER, blocks_of, common, may_share, split_labels, treated_sums
from abtest.stats.whole import LEVELS, MOST_UNITS, WholeColumns, whole_numbers

MANY = 66_000


def columns_of(*values: np.ndarray) -> WholeColumns:
    columns = WholeColumns()
    columns.moments_of(np.ones(len(values[0]), dtype=np.bool_), [v.astype(np.uint16) for v in values])
    return columns


@pytest.mark.parametrize(
    ("n", "share", "splits", "together"),
    [(3001, 0.37, 9, 1), (3001, 0.5, 9, 1), (66_001, 0.5, 10, 4), (66_001, 0.25, 6, 4), (700, 0.1, 5, 4)],
)
def test_sums_are_exact_and_those_of_the_labels(n: int, share: float, splits: int, together: int) -> None:
    draw = np.random.default_rng(2)
    x, y = draw.integers(0, 2**16, n), draw.integers(0, 2**16, n)
    columns = WholeColumns()
    at = columns.moments_of(np.ones(n, dtype=np.bool_), [x.astype(np.uint16), y.astype(np.uint16)])
    found = treated_sums(columns, share, splits=splits, seed=5, together=together)
    labels = split_labels(n, share, splits=splits, seed=5, together=together)
    for row, who in zip(found, labels, strict=True):
        xs, ys = x[who].astype(object), y[who].astype(object)
        assert int(row[at.n]) == int(who.sum())
        assert int(row[at.first[1]]) == sum(ys)
        assert int(row[at.second[0]]) == sum(xs * xs)
        assert int(row[at.products[0][1]]) == int(row[at.products[1][0]]) == sum(xs * ys)
    assert labels.mean() == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / n / splits * together))


def test_the_sums_of_blocks_are_all_sums() -> None:
    x = np.random.default_rng(4).integers(0, 2**16, 1003)
    columns = columns_of(x)
    np.testing.assert_array_equal(columns.by_block(128).sum(axis=0), columns.by_block(1)[0])
    np.testing.assert_array_equal(columns.by_block(10)[3], columns.block(slice(3, None, 10)).sum(axis=1))


def test_each_split_by_itself_labels_every_unit_anew() -> None:
    labels = split_labels(MANY, 0.5, splits=64, seed=1, together=TOGETHER)
    blocks = blocks_of(MANY)
    rows = {labels[s, b::blocks].tobytes() for s in range(64) for b in range(blocks)}
    assert len(rows) == blocks * 64 // TOGETHER
    # Neighbours, and units of one block, have nothing to do with each other in any split.
    signs = labels * 2.0 - 1.0
    for lag in (1, blocks):
        assert abs((signs[:, lag:] * signs[:, :-lag]).mean()) < 5 / math.sqrt(64 * MANY / TOGETHER)


def test_two_splits_share_the_labels_of_few_blocks() -> None:
    labels = split_labels(MANY, 0.5, splits=64, seed=1, together=TOGETHER)
    blocks = blocks_of(MANY)
    same = [
        sum(np.array_equal(labels[a, b::blocks], labels[z, b::blocks]) for b in range(blocks))
        for a in range(64)
        for z in range(a)
    ]
    assert sum(same) == blocks * 64 * (TOGETHER - 1) // 2
    assert max(same) <= 30


def test_the_correlation_of_two_calls_is_that_of_the_bivariate_normal() -> None:
    for r in (0.05, 0.1):
        cut = norm.isf(0.025)
        table = multivariate_normal([0, 0], [[1, r], [r, 1]])
        both = 2 * (table.cdf([-cut, -cut]) + 0.025 - table.cdf([-cut, cut]))
        exact = (both - 0.05**2) / (0.05 * 0.95)
        weights = np.zeros((2, 1))
        weights[0] = r
        assert float(common(weights)[0]) / (TOGETHER - 1) == pytest.approx(exact, rel=0.05)


def test_the_number_of_calls_varies_as_it_says() -> None:
    """100 times 20 independent metrics: the variance ratio has a Monte-Carlo error of 3 %."""
    draw, splits, called = np.random.default_rng(9), 128, []
    for seed in range(100):
        values = [UnitColumn("mean", draw.normal(0.0, 1.0, MANY)) for _ in range(20)]
        called += [int((p < 0.05).sum()) for p in p_values(values, 0.5, splits=splits, seed=seed)]
    ratio = float(np.var(called)) / (splits * 0.05 * 0.95)
    assert ratio == pytest.approx(1.0 + float(common(np.full((128, 1), 1 / 128))[0]), abs=4 * math.sqrt(2 / 2000))
    assert np.mean(called) == pytest.approx(splits * 0.05, abs=4 * math.sqrt(splits * 0.0475 / 2000))


def test_a_metric_of_few_units_has_labels_of_its_own_in_every_split() -> None:
    draw = np.random.default_rng(3)
    even = draw.normal(0.0, 1.0, MANY)
    few = np.where(draw.random(MANY) < 2e-4, draw.gamma(1.0, 1.0, MANY), 0.0)
    both = p_values([UnitColumn("mean", even), UnitColumn("mean", few)], 0.5, splits=32, seed=4)
    for column, p, together in ((even, both[0], TOGETHER), (few, both[1], 1)):
        np.testing.assert_array_equal(p, p_values([UnitColumn("mean", column)], 0.5, splits=32, seed=4)[0])
        q, low, step = whole_numbers(column)
        grid = low + step * q.astype(np.float64)
        who = split_labels(MANY, 0.5, splits=32, seed=4, together=together)[7]
        assert p[7] == pytest.approx(welch(moments_of(grid[who]), moments_of(grid[~who])).p_value, rel=1e-6)


def test_the_same_splits_for_all_are_shared_by_all_or_none() -> None:
    draw = np.random.default_rng(8)
    even = draw.normal(0.0, 1.0, MANY)
    few = np.where(np.arange(MANY) < 4, np.arange(MANY), 0.0)
    for other, together in ((even + draw.normal(0.0, 1.0, MANY), TOGETHER), (few, 1)):
        columns = [UnitColumn("mean", even), UnitColumn("mean", other)]
        found = p_values(columns, 0.5, splits=8, seed=3, same=True)
        who = split_labels(MANY, 0.5, splits=8, seed=3, together=together)[5]
        for column, p in zip(columns, found, strict=True):
            expected = welch(moments_of(column.values[who]), moments_of(column.values[~who])).p_value
            assert p[5] == pytest.approx(expected, rel=1e-2)


def test_who_may_share() -> None:
    even, one = np.full((128, 1), 3.0), np.zeros((128, 1))
    one[5] = 1.0
    assert may_share(even)
    assert may_share(np.hstack([even, np.zeros((128, 1))])), "what does not vary has no say"
    assert not may_share(one)
    assert not may_share(np.hstack([even, one]))
    assert blocks_of(1000) == 0


def test_adjusted_sums_share_only_where_all_columns_may() -> None:
    draw = np.random.default_rng(6)
    x = draw.integers(0, 2**16, MANY).astype(np.uint16)
    y = np.where(np.arange(MANY) < 3, LEVELS, 0).astype(np.uint16)
    every = np.ones(MANY, dtype=np.bool_)
    for parts, together in (((x,), TOGETHER), ((x, y), 1)):
        columns = WholeColumns()
        at = columns.moments_of(every, parts)
        _, treated = split_sums(columns, at, 0.5, splits=12, seed=2)
        labels = split_labels(MANY, 0.5, splits=12, seed=2, together=together)
        np.testing.assert_array_equal(treated[:, at.n], labels.sum(axis=1))


@given(st.lists(st.one_of(st.none(), st.floats(-1e300, 1e300), st.floats(0, 1)), min_size=1, max_size=30))
@settings(max_examples=200, deadline=None)
def test_a_grid_is_half_a_step_away_at_most(values: list[float | None]) -> None:
    column = np.array([math.nan if v is None else v for v in values])
    q, low, step = whole_numbers(column)
    known = np.isfinite(column)
    assert not q[~known].any()
    if math.isfinite(step) and step > 1e-300:
        reach = np.abs(low + step * q[known] - column[known])
        assert (reach <= 0.5001 * step + 1e-12 * np.abs(column[known])).all()


def test_columns_that_cannot_be_summed_exactly_are_refused() -> None:
    columns = columns_of(np.zeros(5))
    with pytest.raises(ValueError, match="one length of at most 1,000,000 units, got 6"):
        columns.add(np.zeros(6, dtype=np.uint16))
    with pytest.raises(ValueError, match="one length"):
        WholeColumns().add(np.zeros(MOST_UNITS + 1, dtype=np.uint16))
    assert columns.add(np.zeros(5, dtype=np.uint16)) == 0, "the same column is kept once"
