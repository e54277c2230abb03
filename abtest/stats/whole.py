"""Columns on a grid of whole numbers, and sums of their products over parts of the units.

A column is kept in 16 bits, or in two such halves where it has to be fine, and its square or its product with another
one is made for a block of units when it is summed. So a million units take two megabytes, and all sums are exact:
products of two halves, summed over a million units, fit the 53 bits of a float, so no digit depends on the order of
addition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Whole = NDArray[np.uint16]
MOST_UNITS = 1_000_000
"""Squares of 16 bits, summed over this many units, still fit the 53 bits of a float."""
LEVELS, FINE = 2**16 - 1, 2**32 - 1
_HALF = 65536.0


@dataclass(frozen=True, slots=True)
class Grid:
    """A column as low + step q, with q in one column of 16 bits, or in two: 65536 times the first, and the second."""

    halves: tuple[Whole, ...]
    low: float
    step: float

    @property
    def q(self) -> Array:
        """The whole numbers; what was NaN is 0."""
        return _joined([half.astype(np.float64) for half in self.halves])


def grid_of(column: Array, *, fine: bool = False) -> Grid:
    """A column on a grid, NaN as 0. Whole numbers that lie less than 65,536 apart stay what they are.

    Others are rounded to 1/65,535 of their range, which is enough for their mean and variance; not for what is left of
    them when another column is taken off (a ratio, an adjustment), where `fine` rounds to 2^-32 of the range.

    >>> grid_of(np.array([1.0, 3.0, np.nan])).halves[0].tolist(), grid_of(np.array([0.0, 0.5])).halves[0].tolist()
    ([0, 2, 0], [0, 65535])
    """
    low, top = float(np.fmin.reduce(column, initial=np.inf)), float(np.fmax.reduce(column, initial=-np.inf))
    if not top > low:
        return Grid((np.zeros(len(column), dtype=np.uint16),), low if top == low else 0.0, 1.0)
    # Where the range overflows, or a step vanishes, there is no grid to stand on, and nothing varies.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        off = column - low
        known = np.isfinite(off)
        np.copyto(off, 0.0, where=~known)
        exact = top - low <= (FINE if fine else LEVELS) and bool((np.rint(off) == off).all())
        levels = FINE if fine else LEVELS
        step = 1.0 if exact else (top - low) / levels
        if not exact:
            off /= step
            np.rint(off, out=off)
            np.copyto(off, 0.0, where=~np.isfinite(off))
    if not fine or (exact and top - low <= LEVELS):
        return Grid((off.astype(np.uint16),), low, step)
    q = off.astype(np.uint32)
    return Grid(((q >> 16).astype(np.uint16), (q & LEVELS).astype(np.uint16)), low, step)


@dataclass(frozen=True, slots=True)
class MomentSums:
    """Where the sums stand that the moments of k columns need: of units `n`, of the halves of each column, and of the
    products of all halves."""

    n: int
    first: tuple[tuple[int, ...], ...]
    products: tuple[tuple[tuple[tuple[int, ...], ...], ...], ...]

    @property
    def all(self) -> tuple[int, ...]:
        found = [self.n, *(at for part in self.first for at in part)]
        found += [at for row in self.products for cell in row for line in cell for at in line]
        return tuple(dict.fromkeys(found))

    def read(self, sums: Array) -> tuple[Array, Array, Array]:
        """From sums, shape (..., sums): units (...), of q of each column (..., k), of products (..., k, k)."""
        first = np.stack([_joined([sums[..., at] for at in part]) for part in self.first], axis=-1)
        products = np.stack(
            [
                np.stack([_joined([_joined([sums[..., at] for at in line]) for line in cell]) for cell in row], axis=-1)
                for row in self.products
            ],
            axis=-2,
        )
        return sums[..., self.n], first, products

    def deviations(self, by_block: Array, contrast: Array) -> Array:
        """Squared deviations of a sum of columns, `contrast` (k,) in units of q, from its mean over all units, summed by
        block: (blocks,) from (blocks, sums)."""
        n, first, products = self.read(by_block)
        mean = float(first.sum(axis=0) @ contrast) / max(1.0, float(n.sum()))
        found: Array = (products @ contrast) @ contrast - 2.0 * mean * (first @ contrast) + mean * mean * n
        return found


class WholeColumns:
    """Columns of 16 bits and what is summed of them: a column itself, or the product of two. Each is kept once."""

    def __init__(self) -> None:
        self._columns: list[Whole] = []
        self._known: dict[bytes, int] = {}
        self._summed: dict[tuple[int, ...], int] = {}

    def __len__(self) -> int:
        return len(self._summed)

    @property
    def units(self) -> int:
        return len(self._columns[0]) if self._columns else 0

    def add(self, column: Whole) -> int:
        """The number of a column, for `sum_of`. Raises ValueError for another length, or too many units for exact sums."""
        if len(column) > MOST_UNITS or (self._columns and len(column) != self.units):
            raise ValueError(f"columns need one length of at most {MOST_UNITS:,} units, got {len(column)}")
        key = column.tobytes()
        if key not in self._known:
            self._known[key] = len(self._columns)
            self._columns.append(column)
        return self._known[key]

    def sum_of(self, *columns: int) -> int:
        """Where the sum of a column, or of the product of two, will stand."""
        return self._summed.setdefault(tuple(sorted(columns)), len(self._summed))

    def moments_of(self, counts: NDArray[np.bool_], grids: Sequence[Grid]) -> MomentSums:
        """Have the moments of columns summed over the units that count. Their q is 0 where a unit does not."""
        places = [[self.add(half) for half in grid.halves] for grid in grids]
        products = tuple(
            tuple(tuple(tuple(self.sum_of(i, j) for j in other) for i in one) for other in places) for one in places
        )
        first = tuple(tuple(self.sum_of(i) for i in one) for one in places)
        return MomentSums(self.sum_of(self.add(counts.astype(np.uint16))), first, products)

    def block(self, part: slice, wanted: Sequence[int] | None = None) -> Array:
        """What is summed, for some units: shape (sums, units of the part)."""
        keys = list(self._summed)
        asked = keys if wanted is None else [keys[i] for i in wanted]
        here = {i: self._columns[i][part].astype(np.float64) for i in dict.fromkeys(i for key in asked for i in key)}
        found = np.empty((len(asked), len(self._columns[0][part])))
        for row, key in zip(found, asked, strict=True):
            if len(key) == 1:
                row[:] = here[key[0]]
            else:
                np.multiply(here[key[0]], here[key[1]], out=row)
        return found

    def by_block(self, blocks: int) -> Array:
        """Sums over units b, b + blocks, b + 2 blocks, ... for each b: shape (blocks, sums)."""
        found = np.zeros((blocks, len(self)))
        for key, at in self._summed.items():
            values = self._columns[key[0]].astype(np.float64)
            if len(key) > 1:
                values *= self._columns[key[1]]
            whole = len(values) // blocks * blocks
            found[:, at] = values[:whole].reshape(-1, blocks).sum(axis=0)
            found[: len(values) - whole, at] += values[whole:]
        return found


def _joined(halves: Sequence[Array]) -> Array:
    """The sum of a column from those of its halves."""
    return halves[0] if len(halves) == 1 else _HALF * halves[0] + halves[1]
