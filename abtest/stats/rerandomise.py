"""Does a test keep its error rate on these very units? Split them at random again and again, and count what it calls.

After a random split of the same units nothing differs but chance, so a test at level alpha should call a difference in a
share alpha of splits, whatever the distribution of the values (the randomisation hypothesis: Fisher 1935, section 21;
A/A tests: Kohavi, Tang & Xu 2020, ch. 19). Far more says that its p-values are too small here, far fewer that it is
blind: one giant among the units does that.

All splits of all metrics are one matrix product, labels times values (`splits`). Values are whole numbers on a grid
(`whole`), so that every sum is exact and no digit depends on the order of addition.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from abtest.stats.distributions import check_alpha
from abtest.stats.splits import blocks_of, check_share, may_share, treated_sums
from abtest.stats.whole import MOST_UNITS, Array, Grid, MomentSums, WholeColumns, grid_of

Kind = Literal["mean", "proportion", "ratio"]
SPLITS = 512


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


def p_values(
    columns: Sequence[UnitColumn],
    share: float,
    *,
    splits: int = SPLITS,
    seed: int = 0,
    same: bool = False,
    signed: bool = False,
) -> tuple[Array, ...]:
    """The two-sided p-value of every split (`splits`,) per column; NaN where there is no test.

    `signed`: negative where the treatment is below the control. Splits of many units share labels in the columns that
    allow it and have no shift (`splits.may_share`); calls on one side, or of an effect, vary more then than they seem to,
    so they never do for signed ones. `same`: split i is one and the same in every column. Raises ValueError for a share
    outside (0, 1), columns of different length, or more than a million units.
    """
    check_share(share)
    sizes = {len(c.values) for c in columns} | {len(c.denominators) for c in columns if c.denominators is not None}
    if len(sizes) > 1 or max(sizes, default=0) > MOST_UNITS:
        raise ValueError(f"columns need one length of at most {MOST_UNITS:,} units, got {sorted(sizes)}")
    whole = WholeColumns()
    placed = [_place(whole, c) for c in columns]
    if not placed:
        return ()
    blocks = 0 if signed else blocks_of(whole.units)
    by_block = whole.by_block(blocks or 1)
    total = by_block.sum(axis=0)
    shared = np.array([blocks > 0 and p.shift == 0.0 and may_share(_deviations(p, by_block)) for p in placed])
    if same and not shared.all():
        shared[:] = False
    found: list[Array] = [np.zeros(0)] * len(placed)
    for together in (True, False):
        here: list[int] = np.flatnonzero(shared == together).tolist()
        if here:
            wanted = sorted({at for i in here for at in placed[i].sums.all})
            treated = np.zeros((splits, len(total)))
            treated[:, wanted] = treated_sums(whole, share, splits=splits, seed=seed, shared=together, wanted=wanted)
            for i in here:
                p, below = _p(columns[i].kind, placed[i], treated, total - treated)
                found[i] = np.where(below, -p, p) if signed else p
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where the sums of one metric stand, with value = low + step q of each part."""

    sums: MomentSums
    low: tuple[float, ...]
    step: tuple[float, ...]
    shift: float


def _place(whole: WholeColumns, column: UnitColumn) -> _Placed:
    parts = [column.values] if column.denominators is None else [column.values, column.denominators]
    counts = np.all(np.isfinite(parts), axis=0)
    every = bool(counts.all())
    grids, lows, steps, units = [], [], [], []
    for part in parts:
        known = part if every else np.where(counts, part, math.nan)
        if column.kind == "proportion":
            grid = Grid((np.nan_to_num(known).astype(np.uint16),), 0.0, 1.0)
        else:
            grid = grid_of(known, fine=len(parts) > 1)
        grids.append(grid)
        # No test here depends on the unit of measurement, and squares of 1e80 would overflow.
        ends = np.abs(known[counts] if not every else known)
        unit = float(ends.max(initial=0.0)) or 1.0
        # Means are only compared, and beside a large offset their difference would drown.
        lows.append(grid.low / unit if len(parts) > 1 else 0.0)
        steps.append(grid.step / unit)
        units.append(unit)
    shift = column.shift / units[0] * (units[1] if len(units) > 1 else 1.0)
    return _Placed(whole.moments_of(counts, grids), tuple(lows), tuple(steps), shift)


def _deviations(placed: _Placed, by_block: Array) -> Array:
    """Of what is tested: the values, or numerator less ratio times denominator."""
    step = np.array(placed.step)
    if len(step) == 1:
        return placed.sums.deviations(by_block, step)
    n, first, _ = placed.sums.read(by_block.sum(axis=0))
    means = np.array(placed.low) + step * first / max(1.0, float(n))
    ratio = means[0] / means[1] if means[1] else 0.0
    return placed.sums.deviations(by_block, step * np.array([1.0, -ratio]))


def split_sums(
    columns: WholeColumns,
    moments: MomentSums,
    share: float,
    contrast: Callable[[Array], Array],
    *,
    splits: int = SPLITS,
    seed: int = 0,
) -> tuple[Array, Array]:
    """What `columns` sums over all units (sums,) and over those treated in each split (splits, sums).

    `contrast` makes of the sums over all units what is tested, as a sum of the columns of `moments` in units of q (k,):
    splits share labels where that allows it (`splits.may_share`).

    >>> columns = WholeColumns()
    >>> moments = columns.moments_of(np.ones(1000, dtype=bool), [grid_of(np.arange(1000.0))])
    >>> total, treated = split_sums(columns, moments, 0.5, lambda _: np.ones(1), splits=3)
    >>> [int(sums) for sums in moments.read(total)[1]], treated.shape
    ([499500], (3, 3))
    """
    blocks = blocks_of(columns.units)
    by_block = columns.by_block(blocks or 1)
    total = by_block.sum(axis=0)
    shared = blocks > 0 and may_share(moments.deviations(by_block, contrast(total)))
    return total, treated_sums(columns, share, splits=splits, seed=seed, shared=shared)


def _p(kind: Kind, placed: _Placed, treated: Array, control: Array) -> tuple[Array, NDArray[np.bool_]]:
    """The two-sided p-value of each split, and whether the treatment is below the control."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "proportion":
            return _pooled_z(placed, treated, control)
        one, other = (_arm(placed, sums) for sums in (treated, control))
        variance = one[1] + other[1]
        t = (one[0] - other[0] + placed.shift) / np.sqrt(variance)
        df = variance**2 / (one[1] ** 2 / one[2] + other[1] ** 2 / other[2])
        tested = (one[2] > 0) & (other[2] > 0) & (variance > 0)
        found: Array = np.where(tested, 2.0 * special.stdtr(np.where(tested, df, 1.0), -np.abs(t)), math.nan)
        return found, t < 0.0


def _pooled_z(placed: _Placed, treated: Array, control: Array) -> tuple[Array, NDArray[np.bool_]]:
    n, k = placed.sums.n, placed.sums.first[0][0]
    n_t, n_c, k_t, k_c = treated[:, n], control[:, n], treated[:, k], control[:, k]
    pooled = (k_t + k_c) / (n_t + n_c)
    z = (k_t / n_t - k_c / n_c) / np.sqrt(pooled * (1.0 - pooled) * (1.0 / n_t + 1.0 / n_c))
    found: Array = np.where(np.isfinite(z), 2.0 * special.ndtr(-np.abs(z)), math.nan)
    return found, z < 0.0


def _arm(placed: _Placed, sums: Array) -> tuple[Array, Array, Array]:
    """The estimate of one arm, its squared standard error and degrees of freedom, per split."""
    n, first, products = placed.sums.read(sums)
    low, step = np.array(placed.low), np.array(placed.step)
    means = low + step * first / n[:, None]
    around = np.outer(step, step) * (products - first[:, :, None] * first[:, None, :] / n[:, None, None])
    if len(step) == 1:
        return means[:, 0], around[:, 0, 0] / (n - 1) / n, n - 1
    ratio = means[:, 0] / means[:, 1]
    spread = around[:, 0, 0] - 2.0 * ratio * around[:, 0, 1] + ratio**2 * around[:, 1, 1]
    return ratio, np.maximum(0.0, spread) / (n - 1) / n / means[:, 1] ** 2, n - 1
