"""Splits that share labels: each is a random split by itself, sums are exact, and the number of calls varies as stated."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from abtest.stats.means import welch
from abtest.stats.moments import moments_of, pair_of
from abtest.stats.ratios import delta
from abtest.stats.rerandomise import UnitColumn, p_values, split_sums
from abtest.stats.splits import TOGETHER, blocks_of, common, may_share, rows_of, split_labels, treated_sums
from abtest.stats.whole import FINE, LEVELS, MOST_UNITS, Grid, WholeColumns, grid_of

MANY, SPLITS = 66_000, 512
EVERY = np.ones(MANY, dtype=np.bool_)


@pytest.mark.parametrize(
    ("n", "share", "splits", "shared"),
    [
        (3001, 0.37, 9, False),
        (3001, 0.5, 9, False),
        (66_001, 0.5, 300, True),
        (66_001, 0.25, 140, True),
        (700, 0.1, 200, True),
    ],
)
def test_sums_are_exact_and_those_of_the_labels(n: int, share: float, splits: int, shared: bool) -> None:
    draw = np.random.default_rng(2)
    x, y = draw.integers(0, 2**16, n), draw.integers(0, 2**32, n)
    x[:2], y[:2] = (0, LEVELS), (0, FINE)
    columns = WholeColumns()
    grids = [grid_of(x.astype(float), fine=True), grid_of(y.astype(float), fine=True)]
    assert [len(g.halves) for g in grids] == [1, 2]
    at = columns.moments_of(np.ones(n, dtype=np.bool_), grids)
    found = treated_sums(columns, share, splits=splits, seed=5, shared=shared)
    labels = split_labels(n, share, splits=splits, seed=5, shared=shared)
    high, low = y >> 16, y & LEVELS
    for row, who in list(zip(found, labels, strict=True))[:: max(1, splits // 6)]:
        xs, highs, lows = x[who].astype(object), high[who].astype(object), low[who].astype(object)
        assert int(row[at.n]) == int(who.sum())
        assert [int(row[i]) for i in at.first[1]] == [sum(highs), sum(lows)]
        assert int(row[at.products[0][0][0][0]]) == sum(xs * xs)
        assert int(row[at.products[1][1][0][1]]) == int(row[at.products[1][1][1][0]]) == sum(highs * lows)
        n_t, first, products = at.read(row)
        ys = 65536 * highs + lows
        assert float(n_t) == who.sum()
        np.testing.assert_allclose(first, [float(sum(xs)), float(sum(ys))], rtol=1e-14)
        xx, xy, yy = (float(sum(a * b)) for a, b in ((xs, xs), (xs, ys), (ys, ys)))
        np.testing.assert_allclose(products, [[xx, xy], [xy, yy]], rtol=1e-14)
    rows = rows_of(splits) if shared else splits
    assert labels.mean() == pytest.approx(share, abs=6 * math.sqrt(share * (1 - share) / n / rows))


def test_the_sums_of_blocks_are_all_sums() -> None:
    x = np.random.default_rng(4).integers(0, 2**16, 1003)
    columns = WholeColumns()
    columns.moments_of(np.ones(1003, dtype=np.bool_), [Grid((x.astype(np.uint16),), 0.0, 1.0)])
    np.testing.assert_array_equal(columns.by_block(128).sum(axis=0), columns.by_block(1)[0])
    np.testing.assert_array_equal(columns.by_block(10)[3], columns.block(slice(3, None, 10)).sum(axis=1))


def test_each_split_by_itself_labels_every_unit_anew() -> None:
    labels = split_labels(MANY, 0.5, splits=SPLITS, seed=1, shared=True)
    signs = labels * 2.0 - 1.0
    # Neighbours, and units of one block, have nothing to do with each other in any split.
    for lag in (1, blocks_of(MANY)):
        assert abs((signs[:, lag:] * signs[:, :-lag]).mean()) < 5 / math.sqrt(SPLITS * MANY / TOGETHER)
    # Each unit is treated as often as not, and each split treats half.
    assert abs(labels.mean(axis=0) - 0.5).max() < 6 / math.sqrt(4 * SPLITS / TOGETHER)
    assert abs(labels.mean(axis=1) - 0.5).max() < 6 / math.sqrt(4 * MANY)


@pytest.mark.parametrize("splits", [200, 512, 1000])
def test_two_splits_meet_in_one_block_at_most(splits: int) -> None:
    blocks, rows = blocks_of(MANY), rows_of(splits)
    labels = split_labels(blocks * 40, 0.5, splits=splits, seed=1, shared=True)
    seen: dict[tuple[int, bytes], list[int]] = {}
    for b in range(blocks):
        for s in range(splits):
            seen.setdefault((b, labels[s, b::blocks].tobytes()), []).append(s)
    groups = [tuple(g) for g in seen.values()]
    assert max(map(len, groups)) == -(-splits // rows) <= TOGETHER
    meetings = [pair for g in groups for pair in combinations(g, 2)]
    assert len(set(meetings)) == len(meetings) > 0
    assert len(groups) == blocks * rows


def test_few_splits_share_nothing() -> None:
    assert (rows_of(100), rows_of(131)) == (100, 131)
    np.testing.assert_array_equal(np.unique(split_labels(700, 0.5, splits=120, shared=True), axis=0).shape, (120, 700))


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.2])
def test_two_sided_calls_go_together_as_the_bivariate_normal_has_it(alpha: float) -> None:
    """The bound holds at every level, and is nearly reached around 10 %."""
    for r in (0.02, 0.05, 0.1):
        cut = norm.isf(alpha / 2)
        table = multivariate_normal([0, 0], [[1, r], [r, 1]])
        both = 2 * (table.cdf([-cut, -cut]) + alpha / 2 - table.cdf([-cut, cut]))
        exact = (both - alpha**2) / (alpha * (1 - alpha))
        weights = np.zeros(2)
        weights[0] = r
        assert exact <= 1.01 * common(weights, together=2)
        if alpha == 0.1:
            assert exact >= 0.97 * common(weights, together=2)


def test_the_number_of_calls_varies_as_it_says() -> None:
    """60 times 20 independent metrics: the variance ratio has a Monte-Carlo error of 4 %."""
    draw, called = np.random.default_rng(9), []
    for seed in range(60):
        values = [UnitColumn("mean", draw.normal(0.0, 1.0, MANY)) for _ in range(20)]
        called += [int((p < 0.05).sum()) for p in p_values(values, 0.5, splits=SPLITS, seed=seed)]
    ratio = float(np.var(called)) / (SPLITS * 0.05 * 0.95)
    assert ratio == pytest.approx(1.0 + common(np.full(128, 1 / 128)), abs=4 * math.sqrt(2 / 1200))
    assert np.mean(called) == pytest.approx(SPLITS * 0.05, abs=4 * math.sqrt(SPLITS * 0.0475 / 1200))


@pytest.mark.parametrize("how", ["shift", "signed"])
def test_calls_of_an_effect_or_of_a_side_never_share(how: str) -> None:
    """They go together with r, not r^2: shared labels would more than double the variance of a power."""
    x = np.random.default_rng(3).normal(0.0, 1.0, MANY)
    grid = grid_of(x)
    values = grid.low + grid.step * grid.q
    column = UnitColumn("mean", x, shift=0.02 if how == "shift" else 0.0)
    (p,) = p_values([column], 0.5, splits=300, seed=4, signed=how == "signed")
    who = split_labels(MANY, 0.5, splits=300, seed=4)[217]
    found = welch(moments_of(values[who] + column.shift), moments_of(values[~who]))
    assert found.absolute is not None
    assert abs(p[217]) == pytest.approx(found.p_value, rel=1e-9)
    assert bool(p[217] < 0.0) == (how == "signed" and found.absolute.estimate < 0.0)


def test_a_metric_of_few_units_has_labels_of_its_own_in_every_split() -> None:
    draw = np.random.default_rng(3)
    even = draw.normal(0.0, 1.0, MANY)
    few = np.where(draw.random(MANY) < 2e-4, draw.gamma(1.0, 1.0, MANY), 0.0)
    both = p_values([UnitColumn("mean", even), UnitColumn("mean", few)], 0.5, splits=300, seed=4)
    for column, p, shared in ((even, both[0], True), (few, both[1], False)):
        np.testing.assert_array_equal(p, p_values([UnitColumn("mean", column)], 0.5, splits=300, seed=4)[0])
        grid = grid_of(column)
        values = grid.low + grid.step * grid.q
        who = split_labels(MANY, 0.5, splits=300, seed=4, shared=shared)[207]
        assert p[207] == pytest.approx(welch(moments_of(values[who]), moments_of(values[~who])).p_value, rel=1e-6)


def test_the_same_splits_for_all_are_shared_by_all_or_none() -> None:
    draw = np.random.default_rng(8)
    even = draw.normal(0.0, 1.0, MANY)
    few = np.where(np.arange(MANY) < 4, np.arange(MANY), 0.0)
    for other, shared in ((even + draw.normal(0.0, 1.0, MANY), True), (few, False)):
        columns = [UnitColumn("mean", even), UnitColumn("mean", other)]
        found = p_values(columns, 0.5, splits=300, seed=3, same=True)
        who = split_labels(MANY, 0.5, splits=300, seed=3, shared=shared)[205]
        for column, p in zip(columns, found, strict=True):
            expected = welch(moments_of(column.values[who]), moments_of(column.values[~who])).p_value
            assert p[205] == pytest.approx(expected, rel=1e-2)


def test_who_may_share() -> None:
    even, one = np.full(128, 3.0), np.zeros(128)
    one[5] = 1.0
    assert may_share(even)
    assert may_share(np.zeros(128)), "what does not vary is never called"
    assert not may_share(one)
    assert blocks_of(1000) == 0


def test_what_is_left_of_a_ratio_or_an_adjustment_says_whether_splits_may_share() -> None:
    """y is even, and x is half of it but for sixty units: they are all that a ratio tests."""
    draw = np.random.default_rng(6)
    y = 1.0 + draw.poisson(20.0, MANY)
    x = 0.5 * y
    x[:: MANY // 60] += 10.0
    ratio = UnitColumn("ratio", x, y)
    (p,) = p_values([ratio], 0.5, splits=300, seed=2)
    who = split_labels(MANY, 0.5, splits=300, seed=2)[280]
    assert p[280] == pytest.approx(delta(pair_of(x[who], y[who]), pair_of(x[~who], y[~who])).p_value, rel=1e-6)
    columns = WholeColumns()
    grids = [grid_of(x, fine=True), grid_of(y, fine=True)]
    at = columns.moments_of(EVERY, grids)
    for contrast, shared in (([0.0, 1.0], True), ([grids[0].step, -0.5], False)):
        _, treated = split_sums(columns, at, 0.5, lambda _, c=contrast: np.array(c), splits=300, seed=2)
        labels = split_labels(MANY, 0.5, splits=300, seed=2, shared=shared)
        np.testing.assert_array_equal(treated[:, at.n], labels.sum(axis=1))


@pytest.mark.parametrize("giant", [1e5, 1e6])
def test_a_giant_does_not_make_another_metric_of_a_ratio(giant: float) -> None:
    """One robot with the usual rate of clicks: rounded to 16 bits of its range, all others would be noise."""
    draw = np.random.default_rng(7)
    views = draw.poisson(20.0, 4000).astype(float)
    views[17] = giant
    clicks = draw.binomial(views.astype(int), 0.3).astype(float)
    for x, y in ((clicks, views), (clicks + draw.normal(0.0, 0.1, 4000), views + 0.25)):
        (p,) = p_values([UnitColumn("ratio", x, y)], 0.5, splits=40, seed=3)
        labels = split_labels(4000, 0.5, splits=40, seed=3)
        exact = [delta(pair_of(x[w], y[w]), pair_of(x[~w], y[~w])).p_value for w in labels]
        np.testing.assert_allclose(p, np.array(exact, dtype=float), rtol=1e-3)


@given(st.lists(st.one_of(st.none(), st.floats(-1e300, 1e300), st.floats(0, 1), st.integers(-9, 70_000)), min_size=1, max_size=30), st.booleans())  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_a_grid_is_half_a_step_away_at_most(values: list[float | None], fine: bool) -> None:
    column = np.array([math.nan if v is None else float(v) for v in values])
    grid = grid_of(column, fine=fine)
    known = np.isfinite(column)
    assert not grid.q[~known].any()
    if math.isfinite(grid.step) and grid.step > 1e-300:
        reach = np.abs(grid.low + grid.step * grid.q[known] - column[known])
        assert (reach <= 0.5001 * grid.step + 1e-12 * np.abs(column[known])).all()
    whole = column[known]
    if len(whole) and (whole == np.rint(whole)).all() and whole.max() - whole.min() <= LEVELS:
        np.testing.assert_array_equal(grid.low + grid.step * grid.q[known], whole)
        assert len(grid.halves) == 1


def test_columns_that_cannot_be_summed_exactly_are_refused() -> None:
    columns = WholeColumns()
    assert columns.add(np.zeros(5, dtype=np.uint16)) == 0
    with pytest.raises(ValueError, match="one length of at most 1,000,000 units, got 6"):
        columns.add(np.zeros(6, dtype=np.uint16))
    with pytest.raises(ValueError, match="one length"):
        WholeColumns().add(np.zeros(MOST_UNITS + 1, dtype=np.uint16))
    assert columns.add(np.zeros(5, dtype=np.uint16)) == 0, "the same column is kept once"
