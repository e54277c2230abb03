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
"""Splits that share a labelling of a block at most."""
_BLOCKS = 128
_LEAST_BLOCK = 512
_PRIME = 131
"""The first prime above the number of blocks: no fewer labellings than that, or two splits would meet twice."""
_LABELS = 2**20
"""Labels that are in memory at once."""
_ALLOWED = 0.02
_CORRELATION = 0.64
"""Two-sided calls at level alpha, of z-values with a small correlation r, have a correlation of 2 (z phi(z))^2 / (alpha (1
- alpha)) r^2 (the second Hermite term): .28 r^2 at 1 %, .5525 r^2 at 5 %, and never more than this."""


def blocks_of(n: int) -> int:
    """Into how many blocks n units are dealt, where a labelling serves several splits; 0 for too few units."""
    return _BLOCKS if n >= _BLOCKS * _LEAST_BLOCK else 0


def rows_of(splits: int) -> int:
    """How many labellings a block has where splits share them: a prime, or as many as splits where that saves nothing.

    >>> rows_of(100), rows_of(512), rows_of(4096)
    (100, 131, 1031)
    """
    found = max(_PRIME, -(-splits // TOGETHER))
    while any(found % d == 0 for d in range(2, math.isqrt(found) + 1)):
        found += 1
    return min(found, splits)


def common(weights: Array, together: int = TOGETHER) -> float:
    """By how much the number of calls varies more than that of independent splits, at most, as a share of its variance.

    `weights`, shape (blocks,): the share of each block in the variance of a metric. Two splits that meet in a block (they
    meet in one at most) have z-values with a correlation of its weight, and in each block a split meets `together` - 1
    others. For two-sided calls only: calls of an effect, or on one side, go together much more.

    >>> round(common(np.full(128, 1 / 128)), 4)
    0.015
    """
    return float(_CORRELATION * (together - 1) * np.square(weights).sum())


def may_share(deviations: Array) -> bool:
    """Whether splits may share labels: calls then vary by 2 % more at most (1 % in standard errors).

    `deviations`, shape (blocks,): sums of squared deviations of a metric. One whose variance is that of few units does not
    allow it: those units would have the same labels again and again.
    """
    total = float(deviations.sum())
    return not total > 0.0 or common(np.maximum(0.0, deviations) / total) <= _ALLOWED


def treated_sums(
    columns: WholeColumns,
    share: float,
    *,
    splits: int,
    seed: int,
    shared: bool = False,
    wanted: Sequence[int] | None = None,
) -> Array:
    """Sums over those that each split treats, (splits, sums); of the `wanted` ones alone, or of all.

    Every unit is treated with probability `share`, by itself. `shared`: several splits share the labels of a block. The
    same input gives the same sums on every machine.

    >>> ones = WholeColumns()
    >>> _ = ones.sum_of(ones.add(np.ones(1000, dtype=np.uint16)))
    >>> treated_sums(ones, 0.5, splits=3, seed=0).shape
    (3, 1)
    """
    found = np.zeros((splits, len(columns if wanted is None else wanted)))
    for part, labels, chosen in _dealt(columns.units, share, splits, seed, shared):
        block = columns.block(part, wanted).T
        sums = np.concatenate([some.astype(np.float64) @ block for some in labels])
        found += sums[chosen]
    return found


def split_labels(n: int, share: float, *, splits: int, seed: int = 0, shared: bool = False) -> NDArray[np.bool_]:
    """Who is treated in each split of `treated_sums`: shape (splits, n).

    >>> split_labels(4, 0.5, splits=2).shape
    (2, 4)
    """
    found = np.zeros((splits, n), dtype=np.bool_)
    for part, labels, chosen in _dealt(n, share, splits, seed, shared):
        found[:, part] = np.concatenate(list(labels))[chosen]
    return found


def _dealt(
    n: int, share: float, splits: int, seed: int, shared: bool
) -> Iterator[tuple[slice, Iterator[NDArray[np.uint8]], NDArray[np.int64]]]:
    """Per block: which units it has, labellings of them (some rows at a time, units), and which one each split takes.

    Units are dealt out one by one, so that a block holds no neighbours: those who came on one day, or from one country.
    """
    rows = rows_of(splits) if shared else splits
    blocks = _BLOCKS if shared else max(1, -(-n * rows // _LABELS))
    draw = np.random.Generator(np.random.PCG64(seed))
    split = np.arange(splits)
    for b in range(min(blocks, n)):
        size = len(range(b, n, blocks))
        at_once = max(1, _LABELS // size)
        labels = (_labels(draw, min(at_once, rows - done), size, share) for done in range(0, rows, at_once))
        # The lines of a finite plane: two splits of different rounds take the same row in one block at most, as the
        # difference of their rounds has an inverse modulo a prime.
        yield slice(b, None, blocks), labels, (split % rows + split // rows * b) % rows


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
