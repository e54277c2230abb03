import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from abtest.stats.distributions import critical_value
from abtest.stats.drivers import (
    Importance,
    bootstrap_importance,
    jackknife_importance,
    relative_importance,
    standardise,
)
from abtest.stats.inference import Estimate

Floats = npt.NDArray[np.float64]

# Brownlee's stack loss data (Brownlee 1965, p. 454; statsmodels.datasets.stackloss, public domain): loss, air flow,
# water temperature, acid concentration of 21 days.
STACKLOSS = np.array([
    [42, 80, 27, 89], [37, 80, 27, 88], [37, 75, 25, 90], [28, 62, 24, 87], [18, 62, 22, 87], [18, 62, 23, 87],
    [19, 62, 24, 93], [20, 62, 24, 93], [15, 58, 23, 87], [14, 58, 18, 80], [14, 58, 18, 89], [13, 58, 17, 88],
    [11, 58, 18, 82], [12, 58, 19, 93], [8, 50, 18, 89], [7, 50, 18, 86], [8, 50, 19, 72], [8, 50, 19, 79],
    [9, 50, 20, 80], [15, 56, 20, 82], [15, 70, 20, 91],
], dtype=np.float64)  # fmt: skip

# R's `swiss` (Mosteller & Tukey 1977, p. 549): fertility, agriculture, examination, education, catholic, infant
# mortality of 47 provinces in 1888.
SWISS = np.array([
    [80.2, 17, 15, 12, 9.96, 22.2], [83.1, 45.1, 6, 9, 84.84, 22.2], [92.5, 39.7, 5, 5, 93.4, 20.2],
    [85.8, 36.5, 12, 7, 33.77, 20.3], [76.9, 43.5, 17, 15, 5.16, 20.6], [76.1, 35.3, 9, 7, 90.57, 26.6],
    [83.8, 70.2, 16, 7, 92.85, 23.6], [92.4, 67.8, 14, 8, 97.16, 24.9], [82.4, 53.3, 12, 7, 97.67, 21],
    [82.9, 45.2, 16, 13, 91.38, 24.4], [87.1, 64.5, 14, 6, 98.61, 24.5], [64.1, 62, 21, 12, 8.52, 16.5],
    [66.9, 67.5, 14, 7, 2.27, 19.1], [68.9, 60.7, 19, 12, 4.43, 22.7], [61.7, 69.3, 22, 5, 2.82, 18.7],
    [68.3, 72.6, 18, 2, 24.2, 21.2], [71.7, 34, 17, 8, 3.3, 20], [55.7, 19.4, 26, 28, 12.11, 20.2],
    [54.3, 15.2, 31, 20, 2.15, 10.8], [65.1, 73, 19, 9, 2.84, 20], [65.5, 59.8, 22, 10, 5.23, 18],
    [65, 55.1, 14, 3, 4.52, 22.4], [56.6, 50.9, 22, 12, 15.14, 16.7], [57.4, 54.1, 20, 6, 4.2, 15.3],
    [72.5, 71.2, 12, 1, 2.4, 21], [74.2, 58.1, 14, 8, 5.23, 23.8], [72, 63.5, 6, 3, 2.56, 18],
    [60.5, 60.8, 16, 10, 7.72, 16.3], [58.3, 26.8, 25, 19, 18.46, 20.9], [65.4, 49.5, 15, 8, 6.1, 22.5],
    [75.5, 85.9, 3, 2, 99.71, 15.1], [69.3, 84.9, 7, 6, 99.68, 19.8], [77.3, 89.7, 5, 2, 100, 18.3],
    [70.5, 78.2, 12, 6, 98.96, 19.4], [79.4, 64.9, 7, 3, 98.22, 20.2], [65, 75.9, 9, 9, 99.06, 17.8],
    [92.2, 84.6, 3, 3, 99.46, 16.3], [79.3, 63.1, 13, 13, 96.83, 18.1], [70.4, 38.4, 26, 12, 5.62, 20.3],
    [65.7, 7.7, 29, 11, 13.79, 20.5], [72.7, 16.7, 22, 13, 11.22, 18.9], [64.4, 17.6, 35, 32, 16.92, 23],
    [77.6, 37.6, 15, 7, 4.97, 20], [67.6, 18.7, 25, 7, 8.65, 19.5], [35, 1.2, 37, 53, 42.34, 18],
    [44.7, 46.6, 16, 29, 50.43, 18.2], [42.8, 27.7, 22, 29, 58.33, 19.3],
])  # fmt: skip


def shares(found: Importance) -> list[float]:
    return [driver.share.estimate for driver in found.drivers]


def total(found: Importance) -> float:
    assert found.r2 is not None
    return found.r2.estimate


def r2_by_least_squares(rows: Floats, chosen: tuple[int, ...]) -> float:
    """R^2 of the first column on the chosen predictors (0, 1, ...), by a regression on the rows."""
    y, design = rows[:, 0], np.column_stack([np.ones(len(rows)), *(rows[:, 1 + j] for j in chosen)])
    residual = y - design @ np.linalg.lstsq(design, y)[0]
    return 1.0 - float(residual @ residual) / float(((y - y.mean()) ** 2).sum())


def shares_by_orders(rows: Floats) -> list[float]:
    """The definition: what each predictor adds when it comes, averaged over all orders."""
    p = rows.shape[1] - 1
    orders = list(itertools.permutations(range(p)))
    fits = {s: r2_by_least_squares(rows, s) for size in range(p + 1) for s in itertools.combinations(range(p), size)}
    gains = np.zeros(p)
    for order in orders:
        for place, j in enumerate(order):
            gains[j] += fits[tuple(sorted(order[: place + 1]))] - fits[tuple(sorted(order[:place]))]
    return list(gains / len(orders))


def sample(seed: int, n: int, p: int) -> Floats:
    """Outcome and p correlated predictors, of different sizes."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, p)) + random.normal(size=(n, 1)) * random.normal(size=p)
    y = x @ random.normal(size=p) + random.normal(size=n) * 2.0
    return np.column_stack([y, x]) * 10.0 ** random.integers(-3, 4, p + 1)


# Reference numbers


def test_stackloss() -> None:
    found = relative_importance(np.cov(STACKLOSS.T))
    assert (found.status, found.reason, found.interval_reason) == ("ok", None, "not_asked")
    assert shares(found) == pytest.approx([0.4684784, 0.3887498, 0.0563488], abs=1e-7)
    assert total(found) == pytest.approx(0.9135769, abs=1e-7)
    assert [driver.alone for driver in found.drivers] == pytest.approx([0.8457809, 0.7665080, 0.1598637], abs=1e-7)


def test_swiss_by_relaimpo() -> None:
    # R, calc.relimp(lm(Fertility ~ ., swiss), type = "lmg"); to eight digits also in Groemping (2006).
    found = relative_importance(np.cov(SWISS.T))
    lmg = [0.0570912207681, 0.1711730289002, 0.2601346786244, 0.1055701503735, 0.1127659229265]
    assert shares(found) == pytest.approx(lmg, abs=1e-12)
    assert total(found) == pytest.approx(0.706735001593, abs=1e-12)


# Independent computation and laws


@pytest.mark.parametrize("p", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_is_the_average_over_all_orders(seed: int, p: int) -> None:
    rows = sample(seed, 40, p)
    found = relative_importance(np.cov(rows.T), n=40)
    assert shares(found) == pytest.approx(shares_by_orders(rows), abs=1e-9)
    everything = tuple(range(p))
    assert total(found) == pytest.approx(r2_by_least_squares(rows, everything), abs=1e-9)
    for j, driver in enumerate(found.drivers):
        rest = tuple(k for k in everything if k != j)
        assert driver.alone == pytest.approx(r2_by_least_squares(rows, (j,)), abs=1e-9)
        assert driver.unique == pytest.approx(total(found) - r2_by_least_squares(rows, rest), abs=1e-9)
        assert driver.note is None


def test_twelve_predictors_take_less_than_a_second() -> None:
    rows = sample(4, 300, 12)
    covariance = np.cov(rows.T)
    found = relative_importance(covariance)
    assert total(found) == pytest.approx(r2_by_least_squares(rows, tuple(range(12))), abs=1e-9)
    assert math.fsum(shares(found)) == pytest.approx(total(found), abs=1e-12)
    # Twelve that are all alike share equally; for these R^2 has a formula.
    alike = np.full((13, 13), 0.5) + 0.5 * np.eye(13)
    equal = relative_importance(alike)
    assert shares(equal) == pytest.approx([12 * 0.25 / (1 + 11 * 0.5) / 12] * 12, abs=1e-12)


small_tables = st.integers(1, 5).flatmap(
    lambda p: st.lists(st.lists(st.integers(1, 5), min_size=p + 1, max_size=p + 1), min_size=2, max_size=12)
).map(lambda rows: np.array(rows, dtype=np.float64))  # fmt: skip


@given(small_tables)
def test_shares_are_parts_of_r2(rows: Floats) -> None:
    # Few rows with few values: constants, duplicates and exact combinations come by themselves.
    found = relative_importance(np.atleast_2d(np.cov(rows.T)))
    if np.ptp(rows[:, 0]) == 0:
        assert (found.status, found.reason, found.r2, found.drivers) == ("undefined", "zero_variance", None, ())
        return
    assert total(found) == pytest.approx(r2_by_least_squares(rows, tuple(range(rows.shape[1] - 1))), abs=1e-9)
    assert math.fsum(shares(found)) == pytest.approx(total(found), abs=1e-12)
    assert shares(found) == pytest.approx(shares_by_orders(rows), abs=1e-9)
    for j, driver in enumerate(found.drivers):
        assert min(driver.share.estimate, driver.alone, driver.unique) >= 0.0
        assert max(driver.share.estimate, driver.alone, driver.unique) <= 1.0
        constant = np.ptp(rows[:, 1 + j]) == 0
        rest = np.delete(rows, [0, 1 + j], axis=1)
        collinear = (
            not constant
            and r2_by_least_squares(np.column_stack([rows[:, 1 + j], rest]), ()) < 1.0
            and (
                r2_by_least_squares(np.column_stack([rows[:, 1 + j], rest]), tuple(range(rest.shape[1]))) > 1.0 - 1e-10
            )
        )
        assert driver.note == ("constant" if constant else "collinear" if collinear else None)
        if constant:
            assert (driver.share.estimate, driver.alone, driver.unique) == (0.0, 0.0, 0.0)
        if collinear:
            assert driver.unique == pytest.approx(0.0, abs=1e-12)


@given(st.integers(0, 10_000), st.integers(2, 6), st.randoms())
def test_names_and_units_do_not_matter(seed: int, p: int, shuffle: object) -> None:
    rows = sample(seed, 30, p)
    order = list(range(p))
    shuffle.shuffle(order)  # type: ignore[attr-defined]
    factors = np.array([-2.0, 1e-6, 1e6, 3.0, -0.1, 50.0, 1.0])[: p + 1]
    here = relative_importance(np.cov(rows.T))
    moved = ((rows + rows.std(axis=0)) * factors)[:, [0, *(1 + j for j in order)]]
    there = relative_importance(np.cov(moved.T))
    assert shares(there) == pytest.approx([shares(here)[j] for j in order], abs=1e-9)
    correlations = relative_importance(np.corrcoef(rows.T))
    assert shares(correlations) == pytest.approx(shares(here), abs=1e-12)


def test_uncorrelated_predictors_keep_what_they_explain_alone() -> None:
    r = np.array([0.6, -0.3, 0.2, 0.0])
    correlation = np.eye(5)
    correlation[0, 1:] = correlation[1:, 0] = r
    found = relative_importance(correlation)
    for driver, expected in zip(found.drivers, r**2, strict=True):
        assert (driver.share.estimate, driver.alone, driver.unique) == pytest.approx((expected,) * 3, abs=1e-15)


def test_a_suppressor() -> None:
    # Unrelated to the outcome by itself, but it removes noise from the other predictor: it still gets a share.
    found = relative_importance(np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 1.0]]))
    assert total(found) == pytest.approx(1.0 / 3.0)
    assert shares(found) == pytest.approx([0.25 + 1.0 / 24.0, 1.0 / 24.0])
    assert found.drivers[1].alone == 0.0


# Collinear and constant predictors


@pytest.mark.parametrize("copies", [2, 3, 11])
def test_duplicates_share_equally(copies: int) -> None:
    rows = sample(5, 50, 2)
    many = np.column_stack([rows, *[rows[:, 1] * 3.0 - 1.0] * (copies - 1)])
    found, once = relative_importance(np.cov(many.T)), relative_importance(np.cov(rows.T))
    same = [0, *range(2, copies + 1)]
    assert total(found) == pytest.approx(total(once), abs=1e-9)
    assert [shares(found)[j] for j in same] == pytest.approx([shares(found)[0]] * copies, abs=1e-9)
    assert math.fsum(shares(found)) == pytest.approx(total(found), abs=1e-12)
    assert [driver.note for driver in found.drivers] == ["collinear" if j in same else None for j in range(copies + 1)]


@pytest.mark.parametrize("noise", 10.0 ** np.arange(-12, 0))
def test_nearly_collinear(noise: float) -> None:
    random = np.random.default_rng(6)
    x, z = random.normal(size=(2, 200))
    rows = np.column_stack([x + 0.5 * z, x, z, x + noise * random.normal(size=200), x + z])
    found = relative_importance(np.cov(rows.T))
    assert total(found) == pytest.approx(1.0, abs=1e-6)
    assert min(shares(found)) > 0.0
    assert math.fsum(shares(found)) == pytest.approx(total(found), abs=1e-12)
    assert shares(found)[0] == pytest.approx(shares(found)[2], abs=2 * noise)


def test_what_two_nearly_equal_predictors_differ_in() -> None:
    # Each alone explains nothing; the difference, a ten-thousandth of their size, is the outcome.
    random = np.random.default_rng(6)
    x, z = random.normal(size=(2, 200))
    found = relative_importance(np.cov(np.column_stack([z, x, x + 1e-4 * z]).T))
    assert total(found) == pytest.approx(1.0, abs=1e-6)
    assert [driver.note for driver in found.drivers] == [None, None]


def test_a_constant_predictor_changes_nothing() -> None:
    rows = sample(7, 50, 3)
    covariance = np.zeros((5, 5))
    covariance[:4, :4] = np.cov(rows.T)
    without, found = relative_importance(np.cov(rows.T)), relative_importance(covariance)
    assert shares(found) == pytest.approx([*shares(without), 0.0], abs=1e-15)
    assert replace(found.drivers[-1], share=Estimate(0.0)) == found.drivers[-1]
    assert [driver.note for driver in found.drivers] == [None, None, None, "constant"]


def test_statuses() -> None:
    assert relative_importance(np.diag([0.0, 1.0, 1.0])) == Importance("undefined", "zero_variance")
    assert relative_importance(np.eye(4), n=4) == Importance("undefined", "not_enough_units")
    assert relative_importance(np.eye(4), n=5).status == "ok"
    nothing = relative_importance(np.diag([1.0, 0.0]))
    assert (nothing.status, total(nothing), shares(nothing)) == ("ok", 0.0, [0.0])


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_tiny_and_huge_units(size: float) -> None:
    covariance = np.cov(STACKLOSS.T)
    assert shares(relative_importance(covariance * size / 1e3)) == pytest.approx(
        shares(relative_importance(covariance)), abs=1e-12
    )
    spread = np.sqrt([size, 1.0, 1.0 / size, 1.0])
    mixed = np.corrcoef(STACKLOSS.T) * np.outer(spread, spread)
    assert shares(relative_importance(mixed)) == pytest.approx(shares(relative_importance(covariance)), abs=1e-9)
    rows = bootstrap_importance(STACKLOSS[:, 0] * size, STACKLOSS[:, 1:] / size, seed=1, replicates=50)
    assert shares(rows) == pytest.approx(shares(relative_importance(covariance)), abs=1e-12)


# Bootstrap


def answers(seed: int, n: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """Answers on 1-5: satisfaction after trust, belonging and something that has nothing to do with it."""
    random = np.random.default_rng(seed)
    trust = random.integers(1, 6, n)
    belonging = np.clip(trust + random.integers(-2, 3, n), 1, 5)
    other = random.integers(1, 6, n)
    satisfied = np.clip((trust + belonging) // 2 + random.integers(-1, 2, n), 1, 5)
    return satisfied, np.column_stack([trust, belonging, other]).astype(np.float64)


@pytest.mark.parametrize("rare", [None, 1, 2, 3])
def test_bootstrap_by_hand(rare: int | None) -> None:
    # With a fourth predictor that is zero but for a day or few: many resamples do not vary in it, and there its share
    # is zero, not rounding.
    table = STACKLOSS if rare is None else np.column_stack([STACKLOSS, np.arange(21) < rare])
    y, x = table[:, 0], table[:, 1:]
    found = bootstrap_importance(y, x, seed=3, alpha=0.1, replicates=200)
    distinct, counts = np.unique(table, axis=0, return_counts=True)
    weights = np.random.default_rng(3).poisson(counts, (200, len(distinct)))
    one_by_one = [relative_importance(np.cov(distinct.T, fweights=w)) for w in weights]
    resampled = np.array([[total(one), *shares(one)] for one in one_by_one])
    low, high = np.quantile(resampled, [0.05, 0.95], axis=0)
    estimates = [found.r2, *(driver.share for driver in found.drivers)]
    for place, estimate in enumerate(estimates):
        assert estimate is not None
        assert (estimate.low, estimate.high) == pytest.approx((low[place], high[place]), abs=1e-9)
        assert estimate.se == pytest.approx(resampled[:, place].std(ddof=1), abs=1e-9)
    assert shares(found) == pytest.approx(shares(relative_importance(np.cov(table.T))), abs=1e-12)
    assert found.interval_reason is None


def test_same_bytes_in_any_order_and_compression() -> None:
    y, x = answers(8, 600)
    rows = bootstrap_importance(y.astype(np.float64), x, seed=11, replicates=100)
    shuffled = np.random.default_rng(9).permutation(600)
    assert bootstrap_importance(y[shuffled].astype(np.float64), x[shuffled], seed=11, replicates=100) == rows
    table, counts = np.unique(np.column_stack([y, x]), axis=0, return_counts=True)
    assert len(table) < 400
    compressed = bootstrap_importance(table[:, 0], table[:, 1:], counts, seed=11, replicates=100)
    assert compressed == rows
    with_empty = np.vstack([table, [[9.0, 9.0, 9.0, 9.0]]])
    assert bootstrap_importance(with_empty[:, 0], with_empty[:, 1:], [*counts, 0], seed=11, replicates=100) == rows
    assert bootstrap_importance(table[:, 0], table[:, 1:], counts, seed=12, replicates=100) != rows


def test_more_replicates_continue_the_same_resamples() -> None:
    # However many resamples are drawn at once, they are the same.
    y, x = answers(8, 300)
    resamples = [bootstrap_importance(y.astype(np.float64), x, seed=5, replicates=r) for r in (99, 100, 101, 250)]
    assert len({shares(found)[0] for found in resamples}) == 1
    lows = [found.drivers[0].share.low for found in resamples]
    assert max(low for low in lows if low is not None) - min(low for low in lows if low is not None) < 0.05


@given(st.integers(0, 1000))
def test_shifted_and_rescaled_columns(seed: int) -> None:
    y, x = answers(seed, 100)
    here = bootstrap_importance(y.astype(np.float64), x, seed=2, replicates=40)
    there = bootstrap_importance(1e9 + 2.0 * y, 7.0 - 4.0 * x, seed=2, replicates=40)
    assert shares(there) == pytest.approx(shares(here), abs=1e-6)


def test_an_interval_for_every_driver() -> None:
    y, x = answers(10, 2000)
    found = bootstrap_importance(y.astype(np.float64), x, seed=1)
    for estimate in (found.r2, *(driver.share for driver in found.drivers)):
        assert estimate is not None
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low < estimate.estimate < estimate.high
    wide = bootstrap_importance(y.astype(np.float64), x, seed=1, alpha=0.01)
    assert (wide.drivers[0].share.low or 0.0) < (found.drivers[0].share.low or 0.0)


def test_constants_and_duplicates_in_the_bootstrap() -> None:
    y, x = answers(10, 200)
    odd = np.column_stack([x[:, 0], np.full(200, 0.1), x[:, 0], x[:, 1]])
    found = bootstrap_importance(y.astype(np.float64), odd, seed=1, replicates=60)
    first, constant, second, last = found.drivers
    assert [driver.note for driver in found.drivers] == ["collinear", "constant", "collinear", None]
    assert constant.share == Estimate(0.0, 0.0, 0.0, 0.0)
    assert first.share.low == pytest.approx(second.share.low, abs=1e-12)
    assert first.share.high == pytest.approx(second.share.high, abs=1e-12)
    assert last.share.estimate > 0.0


def test_a_rare_predictor_is_missing_from_some_resamples() -> None:
    y, x = answers(10, 200)
    rare = np.zeros((200, 1))
    rare[17] = 0.3
    found = bootstrap_importance(y.astype(np.float64), np.hstack([x, rare]), seed=1, replicates=200)
    assert found.drivers[3].share.low == 0.0
    assert found.interval_reason is None


def test_what_the_bootstrap_cannot_do() -> None:
    y, x = answers(10, 40)
    assert bootstrap_importance(y[:4].astype(np.float64), x[:4], seed=1) == Importance("undefined", "not_enough_units")
    assert bootstrap_importance([], np.zeros((0, 3)), seed=1) == Importance("undefined", "not_enough_units")
    assert bootstrap_importance([3.0] * 40, x, seed=1) == Importance("undefined", "zero_variance")
    one_other = bootstrap_importance([1.0] + [0.0] * 39, x, seed=1)
    assert (one_other.status, one_other.interval_reason) == ("ok", "constant_resamples")
    assert one_other.drivers[0].share.low is None
    by_covariance = relative_importance(np.cov(np.vstack([[1.0] + [0.0] * 39, x.T])))
    assert shares(one_other) == pytest.approx(shares(by_covariance), abs=1e-12)


def test_one_resample_without_variation_is_noticed() -> None:
    # Four of 40 units differ: a resample misses all of them 1.8 % of the time.
    y, x, counts = np.array([0.0, 0.0, 0.3]), np.array([1.0, 2.0, 2.0]), np.array([20, 16, 4])
    noticed = 0
    for seed in range(100):
        found = bootstrap_importance(y, x[:, np.newaxis], counts, seed=seed, replicates=40)
        weights = np.random.default_rng(seed).poisson(counts, (40, 3))
        constant = bool((weights[:, 2] == 0).any())
        assert found.interval_reason == ("constant_resamples" if constant else None)
        noticed += constant
    assert 20 < noticed < 80


@given(st.floats(-1e6, 1e6), st.lists(st.integers(1, 1000), min_size=6, max_size=6))
def test_constant_columns_of_any_value(value: float, counts: list[int]) -> None:
    # The mean of equal numbers need not round to them: what is left must not pass for variation.
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    flat = np.full(6, value)
    outcome = bootstrap_importance(flat, x[:, np.newaxis], counts, seed=1, replicates=40)
    assert outcome == Importance("undefined", "zero_variance")
    found = bootstrap_importance(x**2, np.column_stack([x, flat]), counts, seed=1, replicates=40)
    assert found.drivers[1].note == "constant"


def test_wrong_arguments() -> None:
    y, x = [1.0, 2.0, 4.0, 3.0, 5.0], np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [5.0, 2.0], [4.0, 1.0]])
    wrong: list[Callable[[], object]] = [
        lambda: relative_importance(np.array([[1.0]])),
        lambda: relative_importance(np.eye(14)),
        lambda: standardise(np.zeros((0, 0))),
        lambda: standardise(np.ones(3)),
        lambda: standardise(np.ones((2, 3))),
        lambda: standardise(np.array([[1.0, math.nan], [math.nan, 1.0]])),
        lambda: standardise(np.array([[1.0, math.inf], [math.inf, 1.0]])),
        lambda: standardise(np.array([[-1.0, 0.0], [0.0, 1.0]])),
        lambda: standardise(np.array([[1.0, 0.5], [0.4, 1.0]])),
        lambda: standardise(np.array([[1.0, 1.5], [1.5, 1.0]])),
        lambda: standardise(np.array([[0.0, 0.1], [0.1, 1.0]])),
        lambda: standardise(np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])),
        lambda: bootstrap_importance(y, x[:4], seed=1),
        lambda: bootstrap_importance(y, x[:, 0], seed=1),
        lambda: bootstrap_importance(y, np.zeros((5, 0)), seed=1),
        lambda: bootstrap_importance(y, np.zeros((5, 13)), seed=1),
        lambda: bootstrap_importance([*y[:4], math.nan], x, seed=1),
        lambda: bootstrap_importance(y, x, [1, 1, 1, 1], seed=1),
        lambda: bootstrap_importance(y, x, [1, 1, 1, 1, -1], seed=1),
        lambda: bootstrap_importance(y, x, np.full(5, 0.5), seed=1),  # type: ignore[arg-type]
        lambda: bootstrap_importance(y, x, seed=-1),
        lambda: bootstrap_importance(y, x, seed=1, alpha=0.0),
        lambda: bootstrap_importance(y, x, seed=1, replicates=39),
    ]
    for call in wrong:
        with pytest.raises(ValueError):
            call()


# Calibration


def test_coverage_of_the_percentile_intervals() -> None:
    """1500 answers on 1-3 from a known distribution, whose shares are the truth: 5 % of the intervals miss them.

    The third predictor has nothing to do with the outcome. Its true share is not 0 here only because it goes along
    with the others; at 0 itself every interval would miss (see the module).
    """
    runs, units, random = 300, 1500, np.random.default_rng(41)
    cells = np.array(list(itertools.product([1.0, 2.0, 3.0], repeat=4)))
    y, a, b, c = cells.T
    chances = np.exp(-0.7 * (y - 0.6 * a - 0.4 * b) ** 2 - 0.4 * (a - b) ** 2 - 0.6 * (b - c) ** 2)
    chances /= chances.sum()
    truth = relative_importance(np.cov(cells.T, aweights=chances, ddof=0))
    expected = np.array([total(truth), *shares(truth)])
    assert min(expected) > 0.01
    missed = np.zeros(4)
    for run in range(runs):
        counts = random.multinomial(units, chances)
        found = bootstrap_importance(cells[:, 0], cells[:, 1:], counts, seed=run, replicates=400)
        estimates = [found.r2, *(driver.share for driver in found.drivers)]
        missed += [not (e.low <= value <= e.high) for e, value in zip(estimates, expected, strict=True)]  # type: ignore
    low, high = scipy.stats.binom.ppf([0.00005, 0.99995], runs, 0.05)
    assert (low, high) == (3, 32)
    assert ((low <= missed) & (missed <= high)).all(), f"{missed} misses of {runs}, expected {low:.0f} to {high:.0f}"


def test_jackknife_is_tukeys_formula_on_the_roots_of_the_shares() -> None:
    random = np.random.default_rng(2)
    x = random.normal(size=(600, 2)) @ np.array([[1.0, 0.4], [0.0, 1.0]])
    data = np.column_stack([x @ [0.6, 0.2] + random.normal(size=600), x])
    group = random.integers(0, 60, 600)
    left_out = [np.cov(data[group != g].T) for g in range(60)]
    found = jackknife_importance(np.cov(data.T), left_out, n=600)
    roots = []
    for one in left_out:
        alone = relative_importance(one)
        assert alone.r2 is not None
        roots.append(np.sqrt([alone.r2.estimate, *(d.share.estimate for d in alone.drivers)]))
    se = np.sqrt(59 / 60 * ((np.array(roots) - np.mean(roots, axis=0)) ** 2).sum(axis=0))
    assert found.r2 is not None
    for i, estimate in enumerate((found.r2, *(d.share for d in found.drivers))):
        root = np.sqrt(estimate.estimate)
        assert estimate.low == pytest.approx(max(0.0, root - critical_value(0.05, 59) * se[i]) ** 2, rel=1e-9)
        assert estimate.high == pytest.approx((root + critical_value(0.05, 59) * se[i]) ** 2, rel=1e-9)


def test_jackknife_says_why_there_is_no_interval() -> None:
    whole = np.array([[4.0, 1.2], [1.2, 1.0]])
    point = relative_importance(whole)
    assert jackknife_importance(whole, [whole] * 19, n=100) == replace(point, interval_reason="few_groups")
    constant = np.array([[0.0, 0.0], [0.0, 1.0]])
    found = jackknife_importance(whole, [whole] * 29 + [constant], n=100)
    assert found == replace(point, interval_reason="constant_resamples")
    assert jackknife_importance(constant, [constant] * 30, n=100).reason == "zero_variance"
    assert jackknife_importance(whole, [whole] * 30, n=2).reason == "not_enough_units"


def test_jackknife_of_groups_that_do_not_matter_has_no_width() -> None:
    whole = np.array([[4.0, 1.2, 0.8], [1.2, 1.0, 0.5], [0.8, 0.5, 1.0]])
    for driver in jackknife_importance(whole, [whole] * 40, n=1000).drivers:
        assert driver.share.low == pytest.approx(driver.share.estimate)
        assert driver.share.high == pytest.approx(driver.share.estimate)


def test_coverage_of_the_jackknife_intervals() -> None:
    """The same answers in 100 groups of 15, one left out at a time."""
    runs, random = 300, np.random.default_rng(43)
    cells = np.array(list(itertools.product([1.0, 2.0, 3.0], repeat=4)))
    y, a, b, c = cells.T
    chances = np.exp(-0.7 * (y - 0.6 * a - 0.4 * b) ** 2 - 0.4 * (a - b) ** 2 - 0.6 * (b - c) ** 2)
    chances /= chances.sum()
    truth = relative_importance(np.cov(cells.T, aweights=chances, ddof=0))
    expected = np.array([total(truth), *shares(truth)])
    missed = np.zeros(4)
    for _ in range(runs):
        groups = random.multinomial(15, chances, size=100)
        whole = groups.sum(axis=0)
        left_out = [np.cov(cells.T, fweights=whole - group) for group in groups]
        found = jackknife_importance(np.cov(cells.T, fweights=whole), left_out, n=1500)
        estimates = [found.r2, *(driver.share for driver in found.drivers)]
        missed += [not (e.low <= value <= e.high) for e, value in zip(estimates, expected, strict=True)]  # type: ignore
    low, high = scipy.stats.binom.ppf([0.00005, 0.99995], runs, 0.05)
    assert ((low <= missed) & (missed <= high)).all(), f"{missed} misses of {runs}, expected {low:.0f} to {high:.0f}"
