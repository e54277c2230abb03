"""Random splits of units, and sums over those that each split treats, as one matrix product per block of units.

Units are dealt into blocks like cards, and every split labels the units of every block at random. Where there are many
units, the labels of a block serve several splits: each takes one of its labellings, and no two splits take the same ones
but in a few blocks. So each split by itself is one in which every unit was labelled anew, for a fraction of the work, and
what two splits have in common is bounded (`common`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abtest.stats.whole import Array, WholeColumns

TOGETHER = 4
"""Splits that share a labelling of a block, where that is allowed."""
_BLOCKS = 128
_LEAST_BLOCK = 512
_LABELS = 2**20
"""Labels of a block that are in memory at once."""
_ALLOWED = 0.02
_CORRELATION = 0.5525
"""Of two-sided calls at 5 %, for z-values with a small correlation r: this times r^2 (the second Hermite term,
(z phi(z))^2 * 2 / (.05 * .95) at z = 1.96)."""


def blocks_of(n: int) -> int:
    """Into how many blocks n units are dealt, where a labelling serves several splits; 0 for too few units."""
    return _BLOCKS if n >= _BLOCKS * _LEAST_BLOCK else 0


def common(weights: Array) -> Array:
    """By how much the number of calls varies more than that of independent splits, as a share of its variance.

    `weights`, shape (blocks, k): the share of each block in the variance of each column. Two splits with the same labels
    in a block have z-values with a correlation of its weight, and in each block a split meets TOGETHER - 1 others.

    >>> round(float(common(np.full((128, 1), 1 / 128))[0]), 4)
    0.0129
    """
    found: Array = _CORRELATION * (TOGETHER - 1) * np.square(weights).sum(axis=0)
    return found


def may_share(deviations: Array) -> bool:
    """Whether splits may share labels: calls then vary by 2 % more at most (1 % in standard errors) in every column.

    `deviations`, shape (blocks, k): sums of squared deviations. A column whose variance is that of few units does not
    allow it: those units would have the same labels again and again.
    """
    total = deviations.sum(axis=0)
    varies = total > 0.0
    return bool((common(deviations[:, varies] / total[varies]) <= _ALLOWED).all())


def treated_sums(
    columns: WholeColumns,
    share: float,
    *,
    splits: int,
    seed: int,
    together: int = 1,
    wanted: Sequence[int] | None = None,
) -> Array:
    """Sums over those that each split treats, (splits, sums); of the `wanted` ones alone, or of all.

    Every unit is treated with probability `share`, by itself. `together`: splits that share the labels of a block (1: none
    do). The same input gives the same sums on every machine.

    >>> ones = WholeColumns()
    >>> _ = ones.sum_of(ones.add(np.ones(1000, dtype=np.uint16)))
    >>> treated_sums(ones, 0.5, splits=3, seed=0).shape
    (3, 1)
    """
    found = np.zeros((splits, len(columns if wanted is None else wanted)))
    for part, labels, chosen in _dealt(columns.units, share, splits, seed, together):
        sums = labels.astype(np.float64) @ columns.block(part, wanted).T
        found += sums if chosen is None else sums[chosen]
    return found


def split_labels(n: int, share: float, *, splits: int, seed: int = 0, together: int = 1) -> NDArray[np.bool_]:
    """Who is treated in each split of `treated_sums`: shape (splits, n).

    >>> split_labels(4, 0.5, splits=2).shape
    (2, 4)
    """
    found = np.zeros((splits, n), dtype=np.bool_)
    for part, labels, chosen in _dealt(n, share, splits, seed, together):
        found[:, part] = labels if chosen is None else labels[chosen]
    return found


def _dealt(
    n: int, share: float, splits: int, seed: int, together: int
) -> Iterator[tuple[slice, NDArray[np.uint8], NDArray[np.int64] | None]]:
    """Per block: which units it has, labellings of them (rows, units), and which of these each split takes (None: in order).

    Units are dealt out one by one, so that a block holds no neighbours: those who came on one day, or from one country.
    """
    rows = -(-splits // together)
    blocks = _BLOCKS if together > 1 else max(1, -(-n * rows // _LABELS))
    draw = np.random.Generator(np.random.PCG64(seed))
    chosen = _choice(splits, rows, blocks, seed) if together > 1 else None
    for b in range(min(blocks, n)):
        part = slice(b, None, blocks)
        size = len(range(b, n, blocks))
        yield part, _labels(draw, rows, size, share), None if chosen is None else chosen[b]


def _choice(splits: int, rows: int, blocks: int, seed: int) -> NDArray[np.int64]:
    """Which labelling each split takes in each block, (blocks, splits): every one equally often, in an order of its own."""
    draw = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, blocks])))
    times = -(-splits // rows)
    # Orders by sorting raw bits: the stream of bits is fixed for good, that of shuffles is not.
    bits = np.frombuffer(draw.bytes(8 * blocks * times * rows), np.dtype("<u8")).reshape(blocks, times, rows)
    found: NDArray[np.int64] = np.argsort(bits, axis=2, kind="stable").reshape(blocks, times * rows)[:, :splits]
    return found


def _labels(draw: np.random.Generator, rows: int, size: int, share: float) -> NDArray[np.uint8]:
    """1 for treated: single bits where the share is one half, else uniform numbers of 8 bits where it is such a fraction,
    else of 16."""
    count = rows * size
    if share == 0.5:
        bits = np.frombuffer(draw.bytes(-(-count // 8)), np.uint8)
        return np.unpackbits(bits, count=count).reshape(rows, size)
    dtype: Any = np.uint8 if (share * 256).is_integer() else np.dtype("<u2")
    width = np.dtype(dtype).itemsize
    limit = min(256**width - 1, max(1, round(share * 256**width)))
    drawn = np.frombuffer(draw.bytes(count * width), dtype)
    found: NDArray[np.uint8] = (drawn < limit).view(np.uint8).reshape(rows, size)
    return found


def check_share(share: float) -> None:
    """Raises ValueError for a share outside (0, 1)."""
    if not (math.isfinite(share) and 0.0 < share < 1.0):
        raise ValueError(f"a share lies strictly between 0 and 1, got {share!r}")
