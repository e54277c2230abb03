"""Moments of several numbers per unit together: a metric and what it is adjusted by, in one arm.

Adjustment, ratios and trade-offs are all functions of means and cross products. As in `moments`, products are kept as
deviations from the means, so that values around 1e9 keep their digits, and exact integer sums of an engine become them
in rational arithmetic.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from abtest.stats.moments import Sums

Array = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class MomentMatrix:
    """`n` units of a vector with p entries: `mean` (p,) and `cross` (p, p), sums of products of deviations.

    Raises ValueError for shapes that do not fit and for anything not finite.

    >>> MomentMatrix(3, (2.0,), ((2.0,),)).covariance
    array([[1.]])
    """

    n: int
    mean: tuple[float, ...]
    cross: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        p = len(self.mean)
        if self.n < 0:
            raise ValueError(f"n must not be negative, got {self.n}")
        if len(self.cross) != p or any(len(row) != p for row in self.cross):
            raise ValueError(f"need {p} x {p} cross products")
        if not all(math.isfinite(x) for x in (*self.mean, *(x for row in self.cross for x in row))):
            raise ValueError("moments must be finite")

    @property
    def covariance(self) -> Array:
        """Sample covariance matrix (divisor n - 1), shape (p, p). Raises ValueError for fewer than two units."""
        if self.n < 2:
            raise ValueError(f"a covariance needs two units, got {self.n}")
        return np.array(self.cross) / (self.n - 1)


def matrix_of(rows: Sequence[Sequence[float]] | Array) -> MomentMatrix:
    """The matrix of `rows`, shape (n, p): one vector per unit. Correctly rounded sums, so order does not matter.

    >>> matrix_of([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]).cross
    ((2.0, 4.0), (4.0, 8.0))
    """
    data = np.asarray(rows, dtype=np.float64)
    if data.ndim != 2 or len(data) == 0:
        raise ValueError(f"need at least one vector per unit, got an array of shape {data.shape}")
    n, p = data.shape
    mean = [math.fsum(data[:, j]) / n for j in range(p)]
    centred = data - np.array(mean)
    left = [math.fsum(centred[:, j]) for j in range(p)]
    cross = [[math.fsum(centred[:, i] * centred[:, j]) - left[i] * left[j] / n for j in range(p)] for i in range(p)]
    return MomentMatrix(n, tuple(mean), tuple(tuple(row) for row in cross))


def merge_matrices(a: MomentMatrix, b: MomentMatrix) -> MomentMatrix:
    """The matrix of two disjoint groups of units together (Chan, Golub & LeVeque 1983, for vectors).

    >>> merge_matrices(matrix_of([[1.0], [2.0]]), matrix_of([[3.0], [4.0], [5.0]])).cross
    ((10.0,),)
    """
    if a.n == 0 or b.n == 0:
        return b if a.n == 0 else a
    n = a.n + b.n
    delta = np.array(b.mean) - np.array(a.mean)
    mean = np.array(a.mean) + delta * (b.n / n)
    cross = np.array(a.cross) + np.array(b.cross) + np.outer(delta, delta) * (a.n * b.n / n)
    return MomentMatrix(n, tuple(mean.tolist()), tuple(tuple(row) for row in cross.tolist()))


def matrix_from_sums(n: int, columns: Sequence[Sums], products: Mapping[tuple[int, int], int]) -> MomentMatrix:
    """The matrix from exact integer sums: `columns` as in `from_sums`, `products[i, j]` (i < j) the sums of q_i * q_j.

    >>> matrix_from_sums(3, [Sums(0, 6, 14), Sums(0, 12, 56)], {(0, 1): 28}).cross
    ((2.0, 4.0), (4.0, 8.0))
    """
    p = len(columns)
    if n == 0:
        return MomentMatrix(0, (0.0,) * p, ((0.0,) * p,) * p)
    mean = tuple(float(Fraction(c.shift) + Fraction(c.s1, n * c.scale)) for c in columns)
    cross = [[0.0] * p for _ in range(p)]
    for i, one in enumerate(columns):
        for j in range(i, p):
            other = columns[j]
            both = one.s2 if i == j else products[i, j]
            exact = Fraction(n * both - one.s1 * other.s1, n * one.scale * other.scale)
            cross[i][j] = cross[j][i] = float(exact)
    return MomentMatrix(n, mean, tuple(tuple(row) for row in cross))


def linearised(matrix: MomentMatrix, x: int, y: int) -> MomentMatrix:
    """Two entries, numerator `x` and denominator `y` of a ratio R, replaced by one: l = R + (x - R y) / mean(y).

    Its mean is the ratio and its variance / n that of the ratio (Deng, Knoblich & Lu 2018, eq. 4), so that every method
    for means does for ratios. It stands where `x` stood. Raises ValueError for a denominator that sums to zero.

    >>> ratio = linearised(matrix_of([[1.0, 2.0], [2.0, 4.0], [4.0, 6.0]]), 0, 1)
    >>> round(ratio.mean[0], 6), len(ratio.mean)
    (0.583333, 1)
    """
    if matrix.mean[y] == 0.0:
        raise ValueError("the denominator sums to zero")
    p = len(matrix.mean)
    ratio = matrix.mean[x] / matrix.mean[y]
    turn = np.eye(p)
    turn[x] = 0.0
    turn[x, x], turn[x, y] = 1.0 / matrix.mean[y], -ratio / matrix.mean[y]
    keep = [i for i in range(p) if i != y]
    before = np.array(matrix.cross)
    turned = turn @ before @ turn.T
    # If every unit has the same ratio, what is left of its variance is rounding; taken for a covariate it would be
    # divided by. `ratio_arm` has the same guard.
    parts = (before[x, x], -2.0 * ratio * before[x, y], ratio * ratio * before[y, y])
    if math.fsum(parts) <= 16.0 * sys.float_info.epsilon * sum(abs(part) for part in parts):
        turned[x, :] = turned[:, x] = 0.0
    cross = turned[np.ix_(keep, keep)]
    mean = [ratio if i == x else matrix.mean[i] for i in keep]
    return MomentMatrix(matrix.n, tuple(mean), tuple(tuple(row) for row in cross.tolist()))


def chosen(matrix: MomentMatrix, entries: Sequence[int]) -> MomentMatrix:
    """Only these entries, in this order.

    >>> chosen(matrix_of([[1.0, 5.0, 2.0], [2.0, 5.0, 4.0]]), (0, 2)).mean
    (1.5, 3.0)
    """
    return MomentMatrix(
        matrix.n,
        tuple(matrix.mean[i] for i in entries),
        tuple(tuple(matrix.cross[i][j] for j in entries) for i in entries),
    )
