import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from abtest.stats.moments import (
    Counts,
    Moments,
    PairMoments,
    Sums,
    from_sums,
    merge,
    merge_pairs,
    moments_of,
    pair_from_sums,
    pair_of,
)

from .samples import SLEEP_1, columns, eighths

FIELDS = ("mean", "m2", "m3")


def close(a: Moments, b: Moments, values: list[float], tolerance: float = 1e-12) -> None:
    """Equal up to rounding, measured against the size that each moment can have in these data."""
    assert (a.n, a.minimum, a.maximum) == (b.n, b.minimum, b.maximum)
    width = (max(values) - min(values)) if values else 0.0
    size = max((abs(v) for v in values), default=0.0)
    for name, scale in zip(FIELDS, (size, a.n * width**2, a.n * width**3), strict=True):
        assert getattr(a, name) == pytest.approx(getattr(b, name), rel=0, abs=tolerance * scale + 1e-300)


def test_large_offset_keeps_the_variance_exactly() -> None:
    assert moments_of([1e9, 1e9 + 1, 1e9 + 2]).variance == 1.0
    assert from_sums(3, 0, 3 * 10**9 + 3, 3 * 10**18 + 6 * 10**9 + 5).variance == 1.0
    a, b = moments_of([1e9, 1e9 + 1]), moments_of([1e9 + 2])
    assert merge(a, b).variance == 1.0


def test_a_constant_metric_has_no_variance_at_all() -> None:
    assert moments_of([0.1] * 3).m2 == 0.0  # 0.1 + 0.1 + 0.1 is not 3 * 0.1
    assert moments_of([0.1] * 3).mean == 0.1


def test_agrees_with_numpy_and_scipy() -> None:
    m = moments_of(SLEEP_1)
    assert m.mean == pytest.approx(np.mean(SLEEP_1), rel=1e-14)
    assert m.variance == pytest.approx(np.var(SLEEP_1, ddof=1), rel=1e-14)
    assert m.skewness == pytest.approx(scipy.stats.skew(SLEEP_1), rel=1e-12)
    assert m.standard_error == pytest.approx(scipy.stats.sem(SLEEP_1), rel=1e-14)
    assert m.variance_of_mean == pytest.approx(m.standard_error**2)
    assert m.total == pytest.approx(7.5)
    assert (m.minimum, m.maximum) == (-1.6, 3.7)


@given(columns, st.integers(1, 29))
def test_merging_shards_equals_one_pass(values: list[float], cut: int) -> None:
    a, b = moments_of(values[:cut]), moments_of(values[cut:])
    close(merge(a, b), moments_of(values), values)


@given(columns, st.randoms())
def test_order_of_rows_does_not_change_a_bit(values: list[float], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert moments_of(shuffled) == moments_of(values)


@given(columns, st.integers(-100, 100))
def test_exact_sums_equal_the_pass_over_values(values: list[float], shift: int) -> None:
    q = [int((v - shift) * 8) for v in values]
    exact = from_sums(
        len(q),
        shift,
        sum(q),
        sum(x**2 for x in q),
        sum(x**3 for x in q),
        scale=8,
        minimum=min(values),
        maximum=max(values),
    )
    close(exact, moments_of(values), values)


@given(columns, st.integers(-(10**6), 10**6))
def test_exact_sums_do_not_depend_on_the_shift(values: list[float], shift: int) -> None:
    def at(k: int) -> Moments:
        q = [int((v - k) * 8) for v in values]
        return from_sums(len(q), k, sum(q), sum(x**2 for x in q), sum(x**3 for x in q), scale=8)

    assert at(shift) == at(0)


def test_decimal_and_fraction_shifts_are_taken_exactly() -> None:
    assert from_sums(2, Decimal("0.1"), 1, 1, scale=10).mean == 0.15
    assert from_sums(3, Fraction(1, 3), 0, 0).mean == 1 / 3


@given(columns, st.integers(1, 8), eighths)
def test_affine_change_of_unit(values: list[float], factor: int, offset: float) -> None:
    a, b = moments_of(values), moments_of([offset + factor * v for v in values])
    moved = Moments(
        n=a.n,
        mean=offset + factor * a.mean,
        m2=factor**2 * a.m2,
        m3=factor**3 * (a.m3 or 0.0),
        minimum=b.minimum,
        maximum=b.maximum,
    )
    close(moved, b, [offset + factor * v for v in values], 1e-11)


@given(st.lists(st.tuples(eighths, eighths), min_size=2, max_size=30), st.integers(1, 29))
def test_pairs_merge_and_come_from_sums(rows: list[tuple[float, float]], cut: int) -> None:
    xs, ys = [x for x, _ in rows], [y for _, y in rows]
    whole = pair_of(xs, ys)
    merged = merge_pairs(pair_of(xs[:cut], ys[:cut]), pair_of(xs[cut:], ys[cut:]))
    qx, qy = [int(8 * (x - 5)) for x in xs], [int(8 * y) for y in ys]
    summed = pair_from_sums(
        len(rows),
        Sums(5, sum(qx), sum(q * q for q in qx), scale=8),
        Sums(0, sum(qy), sum(q * q for q in qy), scale=8),
        cross=sum(a * b for a, b in zip(qx, qy, strict=True)),
    )
    scale = len(rows) * (max(xs) - min(xs)) * (max(ys) - min(ys))
    for other in (merged, summed):
        assert other.n == whole.n
        assert other.cross == pytest.approx(whole.cross, rel=0, abs=1e-12 * scale)
        assert other.x.mean == pytest.approx(whole.x.mean, abs=1e-12)
        assert other.y.m2 == pytest.approx(whole.y.m2, rel=1e-12, abs=1e-12)


def test_cross_product_is_numpys_covariance() -> None:
    xs, ys = SLEEP_1, [v * v for v in SLEEP_1]
    assert pair_of(xs, ys).cross / 9 == pytest.approx(np.cov(xs, ys)[0, 1], rel=1e-13)


def test_merge_keeps_what_can_be_merged_and_drops_the_rest() -> None:
    a = Moments(2, 1.5, 0.5, histogram=((1.0, 1), (2.0, 1)), pairs=(("revenue", 3.0),), top_share=((0.5, 0.7),))
    b = Moments(1, 2.0, 0.0, histogram=((2.0, 1),))
    both = merge(a, b)
    assert both.histogram == ((1.0, 1), (2.0, 2))
    assert (both.pairs, both.top_share, both.m3, both.minimum) == ((), None, None, None)
    assert merge(a, moments_of([])) == Moments(2, 1.5, 0.5, histogram=a.histogram)
    assert merge(moments_of([]), moments_of([])).n == 0
    assert merge(a, Moments(1, 2.0, 0.0)).histogram is None


def test_top_shares() -> None:
    assert moments_of([1, 1, 1, 97], top=[0.001, 0.5]).top_share == ((0.001, 0.97), (0.5, 0.98))
    assert moments_of([-1, 2], top=[0.5]).top_share is None  # a share of a total needs parts of one sign
    assert moments_of([0, 0], top=[0.5]).top_share is None
    with pytest.raises(ValueError, match="fractions"):
        moments_of([1, 2], top=[0.0])


def test_empty_arms() -> None:
    assert moments_of([]) == from_sums(0, 0, 0, 0, 0) == Moments(0, 0.0, 0.0, 0.0)
    assert from_sums(0, 0, 0, 0).m3 is None
    assert pair_of([], []) == pair_from_sums(0, Sums(0, 0, 0, 0), Sums(0, 0, 0, 0), 0)
    assert moments_of([]).skewness is None
    assert merge_pairs(pair_of([], []), pair_of([1], [2])).n == 1


@pytest.mark.parametrize(
    "broken",
    [
        lambda: moments_of([1.0, math.nan]),
        lambda: moments_of([math.inf]),
        lambda: moments_of([1e308, 1e308, -1e308]),
        lambda: moments_of([1e200, -1e200]),
        lambda: moments_of(np.zeros((2, 2))),
        lambda: Moments(-1, 0.0, 0.0),
        lambda: Moments(1, math.nan, 0.0),
        lambda: Moments(1, 0.0, -1.0),
        lambda: Moments(1, 0.0, 0.0).variance,
        lambda: from_sums(2, 0, 10, 1),
        lambda: from_sums(0, 0, 1, 1),
        lambda: from_sums(1, 0, 1, 1, scale=0),
        lambda: pair_of([1, 2], [1]),
        lambda: PairMoments(2, Moments(2, 0.0, 0.0), Moments(1, 0.0, 0.0), 0.0),
        lambda: PairMoments(1, Moments(1, 0.0, 0.0), Moments(1, 0.0, 0.0), math.nan),
        lambda: Counts(3, 2),
        lambda: Counts(-1, 2),
        lambda: Counts(0, 0).rate,
    ],
)
def test_impossible_input_is_refused(broken: object) -> None:
    with pytest.raises(ValueError):
        broken()  # type: ignore[operator]


def test_counts_as_a_zero_one_metric() -> None:
    m = Counts(3, 10).moments
    assert (m.mean, m.m2) == (0.3, 2.1)
    assert m.skewness == pytest.approx(scipy.stats.skew([1] * 3 + [0] * 7))


def test_skewness_of_extreme_units_is_no_crash() -> None:
    assert moments_of([0.0, 0.0, 1e-100]).skewness == pytest.approx(1 / math.sqrt(2))
    assert Moments(3, 0.0, 1e-300, m3=1e300).skewness is None
    assert Moments(3, 0.0, 1.0).skewness is None
