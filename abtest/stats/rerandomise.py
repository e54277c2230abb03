"""Does a test keep its error rate on these very units? Split them at random again and again, and count what it calls.

After a random split of the same units nothing differs but chance, so a test at level alpha should call a difference in a
share alpha of splits, whatever the distribution of the values (the randomisation hypothesis: Fisher 1935, section 21;
A/A tests: Kohavi, Tang & Xu 2020, ch. 19). Far more says that its p-values are too small here, far fewer that it is
blind: one giant among the units does that.

All splits of all metrics are one matrix product, labels times values. Values are whole numbers of 16 bits, so that every
sum is exact and no digit depends on the order of addition.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from abtest.stats.distributions import check_alpha

Array = NDArray[np.float64]
Kind = Literal["mean", "proportion", "ratio"]
SPLITS = 512
MOST_UNITS = 1_000_000
"""Squares of 16 bits, summed over this many units, still fit the 53 bits of a float."""
_LEVELS = 2**16 - 1
_CHUNK = 512
_BLOCK = 16 * _CHUNK
"""Units per matrix product: small ones cost threads more to share out than to compute."""


@dataclass(frozen=True, slots=True)
class UnitColumn:
    """One metric over n units: `values` (n,), NaN where a unit does not count, and for ratios their `denominators`.

    `kind` says which test is tried: Welch's t of means, the pooled z of proportions (values 0 and 1), delta of ratios.
    `shift`, in the metric's unit, is an effect that every split adds to the treatment, for power; not for proportions,
    whose variance would change (plan those as means).
    """

    kind: Kind
    values: Array
    denominators: Array | None = None
    shift: float = 0.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.shift) or (self.shift and self.kind == "proportion"):
            raise ValueError(f"a shift is finite and not of a proportion, got {self.shift!r} of a {self.kind}")


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """In how many of `splits` the test `called` a difference; `low` and `high` bound the true rate (exact, 95 %).

    `too_many` and `too_few`: the chance of that many calls or more (or fewer), were the rate alpha (binomial).
    """

    units: int
    splits: int
    called: int
    low: float
    high: float
    too_many: float
    too_few: float

    @property
    def rate(self) -> float:
        return self.called / self.splits


def error_rates(
    columns: Sequence[UnitColumn], share: float, *, alpha: float = 0.05, splits: int = SPLITS, seed: int = 0
) -> tuple[ErrorRate, ...]:
    """The error rate of each column's test when every unit goes to treatment with probability `share`.

    All columns have the same units in the same order, at most a million. Splits in which a test cannot be made (an arm
    without units, no variation) count as not called. The same input gives the same answer on every machine.

    >>> even = UnitColumn("mean", np.arange(1000.0) % 7)
    >>> giant = UnitColumn("mean", np.append(np.zeros(999), 1e6))
    >>> [0.02 < r.rate < 0.08 for r in error_rates([even, giant], 0.5)]
    [True, False]
    """
    found = zip(columns, p_values(columns, share, splits=splits, seed=seed), strict=True)
    counted = ((int(np.isfinite(c.values).sum()), int((p < alpha).sum())) for c, p in found)
    return tuple(ErrorRate(units, splits, called, *error_rate(called, splits, alpha)) for units, called in counted)


def error_rate(called: int, splits: int, alpha: float) -> tuple[float, float, float, float]:
    """Exact 95 % bounds of a rate (Clopper & Pearson 1934), and P(X >= called), P(X <= called) for X ~ Bin(splits, alpha).

    >>> [round(v, 4) for v in error_rate(5, 100, 0.05)]
    [0.0164, 0.1128, 0.564, 0.616]
    """
    check_alpha(alpha)
    low, high = exact_bounds(called, splits, 0.05)
    return low, high, float(special.bdtrc(called - 1, splits, alpha)) if called else 1.0, float(special.bdtr(called, splits, alpha))  # fmt: skip


def exact_bounds(called: int, splits: int, missed: float) -> tuple[float, float]:
    """Bounds that miss the true rate with probability `missed` at most (Clopper & Pearson 1934).

    >>> [round(v, 4) for v in exact_bounds(5, 100, 0.05)]
    [0.0164, 0.1128]
    """
    check_alpha(missed)
    low = float(special.betaincinv(called, splits - called + 1, missed / 2.0)) if called else 0.0
    high = float(special.betaincinv(called + 1, splits - called, 1.0 - missed / 2.0)) if called < splits else 1.0
    return low, high


def count_band(n: int, share: float, missed: float) -> tuple[int, int]:
    """The counts between which a binomial (n, share) one lies but for `missed` / 2 at most on each side.

    >>> count_band(512, 0.1, 0.01)
    (35, 69)
    """
    check_alpha(missed)
    at = np.arange(n + 1)
    below = special.bdtr(at, n, share)
    low = int(np.searchsorted(below, missed / 2.0, side="right"))
    return low, int(np.searchsorted(below, 1.0 - missed / 2.0, side="left"))


def p_values(columns: Sequence[UnitColumn], share: float, *, splits: int = SPLITS, seed: int = 0) -> tuple[Array, ...]:
    """The two-sided p-value of every split (`splits`,) per column; NaN where there is no test.

    Raises ValueError for a share outside (0, 1), columns of different length, or more than a million units.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"a share lies strictly between 0 and 1, got {share!r}")
    sizes = {len(c.values) for c in columns} | {len(c.denominators) for c in columns if c.denominators is not None}
    if len(sizes) > 1 or max(sizes, default=0) > MOST_UNITS:
        raise ValueError(f"columns need one length of at most {MOST_UNITS:,} units, got {sorted(sizes)}")
    matrix = _Matrix()
    placed = [_place(matrix, c) for c in columns]
    total, treated = _sums(matrix.columns, share, splits, seed)
    return tuple(_p(c.kind, p, treated, total - treated) for c, p in zip(columns, placed, strict=True))


class _Matrix:
    """Columns to be summed, each kept once however many metrics need it."""

    def __init__(self) -> None:
        self.columns: list[Array] = []
        self._known: dict[bytes, int] = {}

    def add(self, column: Array) -> int:
        key = column.tobytes()
        if key not in self._known:
            self._known[key] = len(self.columns)
            self.columns.append(column)
        return self._known[key]


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where the sums of one metric stand: units, then (first, second) per part and the cross sum; value = low + step q."""

    n: int
    first: tuple[int, ...]
    second: tuple[int, ...]
    cross: int
    low: tuple[float, ...]
    step: tuple[float, ...]
    shift: float


def _place(matrix: _Matrix, column: UnitColumn) -> _Placed:
    parts = [column.values] if column.denominators is None else [column.values, column.denominators]
    counts = np.all(np.isfinite(parts), axis=0)
    whole, lows, steps, units = [], [], [], []
    for part in parts:
        known = part[counts]
        low, top = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
        step = (top - low) / _LEVELS if top > low else 1.0
        if column.kind == "proportion":
            low, step = 0.0, 1.0
        whole.append(np.where(counts, np.rint((np.where(counts, part, low) - low) / step), 0.0))
        # No test here depends on the unit of measurement, and squares of 1e80 would overflow.
        unit = max(abs(low), abs(top)) or 1.0
        lows.append(low / unit)
        steps.append(step / unit)
        units.append(unit)
    cross = matrix.add(whole[0] * whole[1]) if len(whole) > 1 else -1
    first, second = tuple(matrix.add(w) for w in whole), tuple(matrix.add(w * w) for w in whole)
    shift = column.shift / units[0] * (units[1] if len(units) > 1 else 1.0)
    return _Placed(matrix.add(counts.astype(np.float64)), first, second, cross, tuple(lows), tuple(steps), shift)


def _sums(columns: Sequence[Array], share: float, splits: int, seed: int) -> tuple[Array, Array]:
    """Sums over all units (k,) and over those that each split treats (splits, k)."""
    if not columns:
        return np.zeros(0), np.zeros((splits, 0))
    values = np.stack(columns, axis=1)
    treated = np.zeros((splits, len(columns)))
    block, filled, start = np.empty((splits, _BLOCK)), 0, 0
    for _, labels in _labels(len(values), share, splits, seed):
        block[:, filled : filled + labels.shape[1]] = labels
        filled += labels.shape[1]
        if filled == _BLOCK or start + filled == len(values):
            treated += block[:, :filled] @ values[start : start + filled]
            start, filled = start + filled, 0
    return values.sum(axis=0), treated


def split_sums(columns: Sequence[Array], share: float, *, splits: int = SPLITS, seed: int = 0) -> tuple[Array, Array]:
    """Sums of columns, each of shape (n,), over all units (k,) and over those treated in each split (splits, k).

    The splits are those of `p_values` with the same seed. Exact for whole numbers whose sums stay below 2^53.

    >>> total, treated = split_sums([np.ones(1000)], 0.5, splits=3)
    >>> int(total[0]), treated.shape
    (1000, (3, 1))
    """
    return _sums(columns, share, splits, seed)


def split_labels(n: int, share: float, *, splits: int = SPLITS, seed: int = 0) -> NDArray[np.bool_]:
    """Who is treated in each split of `p_values` and `split_sums`: shape (splits, n).

    >>> split_labels(4, 0.5, splits=2).shape
    (2, 4)
    """
    found = [labels for _, labels in _labels(n, share, splits, seed)]
    return np.concatenate(found, axis=1) if found else np.zeros((splits, 0), dtype=np.bool_)


def whole_numbers(column: Array) -> tuple[Array, float, float]:
    """Finite values on a grid of 16 bits: (q, low, step), value = low + step q up to half a step.

    >>> whole_numbers(np.array([1.0, 3.0]))[0].tolist()
    [0.0, 65535.0]
    """
    low, top = float(column.min()), float(column.max())
    step = (top - low) / _LEVELS if top > low else 1.0
    return np.rint((column - low) / step), low, step


def _labels(n: int, share: float, splits: int, seed: int) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Who is treated, in chunks of units: uniform numbers of 8 bits where the share is such a fraction, else of 16."""
    draw = np.random.Generator(np.random.PCG64(seed))
    dtype: Any = np.uint8 if (share * 256).is_integer() else np.dtype("<u2")
    width = np.dtype(dtype).itemsize
    limit = min(256**width - 1, max(1, round(share * 256**width)))
    for start in range(0, n, _CHUNK):
        size = min(_CHUNK, n - start)
        drawn = np.frombuffer(draw.bytes(splits * size * width), dtype).reshape(splits, size)
        yield start, drawn < limit


def _p(kind: Kind, placed: _Placed, treated: Array, control: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "proportion":
            return _pooled_z(placed, treated, control)
        one, other = (_arm(placed, sums) for sums in (treated, control))
        variance = one[1] + other[1]
        t = (one[0] - other[0] + placed.shift) / np.sqrt(variance)
        df = variance**2 / (one[1] ** 2 / one[2] + other[1] ** 2 / other[2])
        tested = (one[2] > 0) & (other[2] > 0) & (variance > 0)
        found: Array = np.where(tested, 2.0 * special.stdtr(np.where(tested, df, 1.0), -np.abs(t)), math.nan)
        return found


def _pooled_z(placed: _Placed, treated: Array, control: Array) -> Array:
    n_t, n_c = treated[:, placed.n], control[:, placed.n]
    k_t, k_c = treated[:, placed.first[0]], control[:, placed.first[0]]
    pooled = (k_t + k_c) / (n_t + n_c)
    z = (k_t / n_t - k_c / n_c) / np.sqrt(pooled * (1.0 - pooled) * (1.0 / n_t + 1.0 / n_c))
    found: Array = np.where(np.isfinite(z), 2.0 * special.ndtr(-np.abs(z)), math.nan)
    return found


def _arm(placed: _Placed, sums: Array) -> tuple[Array, Array, Array]:
    """The estimate of one arm, its squared standard error and degrees of freedom, per split."""
    n = sums[:, placed.n]
    means, squares = [], []
    for first, second, low, step in zip(placed.first, placed.second, placed.low, placed.step, strict=True):
        means.append(low + step * sums[:, first] / n)
        squares.append(step * step * (sums[:, second] - sums[:, first] ** 2 / n))
    if len(means) == 1:
        return means[0], squares[0] / (n - 1) / n, n - 1
    ratio = means[0] / means[1]
    q_x, q_y = (sums[:, i] for i in placed.first)
    cross = placed.step[0] * placed.step[1] * (sums[:, placed.cross] - q_x * q_y / n)
    around = np.maximum(0.0, squares[0] - 2.0 * ratio * cross + ratio**2 * squares[1])
    return ratio, around / (n - 1) / n / means[1] ** 2, n - 1
