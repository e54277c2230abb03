"""Columns of whole numbers of 16 bits, and sums of their products over parts of the units.

Kept small: a column of a million units takes two megabytes, and its square or its product with another one is made for
a block of units when it is summed. All sums are exact: products of two columns, summed over a million units, fit the 53
bits of a float, so no digit depends on the order of addition.
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
LEVELS = 2**16 - 1


def whole_numbers(column: Array) -> tuple[Whole, float, float]:
    """Values on a grid of 16 bits: (q, low, step), value = low + step q up to half a step. NaN becomes 0.

    >>> whole_numbers(np.array([1.0, 3.0, np.nan]))[0].tolist()
    [0, 65535, 0]
    """
    low, top = float(np.fmin.reduce(column, initial=np.inf)), float(np.fmax.reduce(column, initial=-np.inf))
    if not top > low:
        return np.zeros(len(column), dtype=np.uint16), low if top == low else 0.0, 1.0
    step = (top - low) / LEVELS
    # Where the step overflows or vanishes there is no grid to stand on, and nothing varies.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = column - low
        found /= step
    np.rint(found, out=found)
    np.copyto(found, 0.0, where=~np.isfinite(found))
    return found.astype(np.uint16), low, step


@dataclass(frozen=True, slots=True)
class MomentSums:
    """Where the sums stand that the moments of k columns need: of units `n`, of each column (k,), of products (k, k)."""

    n: int
    first: tuple[int, ...]
    products: tuple[tuple[int, ...], ...]

    @property
    def second(self) -> tuple[int, ...]:
        return tuple(row[i] for i, row in enumerate(self.products))

    @property
    def all(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys((self.n, *self.first, *(at for row in self.products for at in row))))

    def deviations(self, by_block: Array) -> Array:
        """Sums of squared deviations from the mean of all units, by block: (blocks, k) from (blocks, sums)."""
        n = by_block[:, self.n]
        found = []
        for first, second in zip(self.first, self.second, strict=True):
            mean = by_block[:, first].sum() / max(1.0, n.sum())
            found.append(by_block[:, second] - 2.0 * mean * by_block[:, first] + mean * mean * n)
        return np.stack(found, axis=1)


class WholeColumns:
    """Columns and what is summed of them: a column itself, or the product of two. Each is kept once."""

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

    def moments_of(self, counts: NDArray[np.bool_], columns: Sequence[Whole]) -> MomentSums:
        """Have the moments of `columns` summed over the units that count. Columns are 0 where a unit does not."""
        places = [self.add(column) for column in columns]
        products = tuple(tuple(self.sum_of(i, j) for j in places) for i in places)
        return MomentSums(self.sum_of(self.add(counts.astype(np.uint16))), tuple(map(self.sum_of, places)), products)

    def block(self, part: slice, wanted: Sequence[int] | None = None) -> Array:
        """What is summed, for some units: shape (sums, units of the part)."""
        asked = list(self._summed) if wanted is None else [list(self._summed)[i] for i in wanted]
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
