"""A sum of evidence that grows look by look, and stops at the first boundary it meets.

With information t (1 / se^2, or a fraction of a planned amount) the score B(t) = Z(t) sqrt(t) is a Brownian motion with
the effect as its drift, whatever the estimator was (Scharfstein, Tsiatis & Robins 1997). What has not stopped has a
density between the boundaries, which is carried from look to look by Gauss-Legendre quadrature (Armitage, McPherson &
Rowe 1969; Jennison & Turnbull 2000, chapter 19). All boundaries of looks under way are multiples of this recursion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
REACH = 9.0
"""So many standard deviations from the drift, there is no mass left that counts (1e-19)."""
SHORTEST = 1e-4
"""The smallest step of information, as a share of all of it, that the quadrature resolves."""


@dataclass(frozen=True)
class Going:
    """What has not stopped up to information `t`: `mass` at the points `at` of B(t), both of shape (nodes,)."""

    t: float
    at: Floats
    mass: Floats

    @property
    def total(self) -> float:
        """The probability of not having stopped."""
        return math.fsum(self.mass.tolist())


START = Going(0.0, np.zeros(1), np.ones(1))
"""Before the first look: B(0) = 0 for certain."""


def above(going: Going, t: float, bound: float, drift: float = 0.0) -> float:
    """P(not stopped so far, and B(t) >= bound) for a later t; B(t) and `bound` in score units.

    >>> round(above(START, 4.0, 2.0 * 1.959964), 6)
    0.025
    """
    step = t - going.t
    z = (bound - going.at - drift * step) / math.sqrt(step)
    return float(np.dot(going.mass, special.ndtr(-z)))


def below(going: Going, t: float, bound: float, drift: float = 0.0) -> float:
    """P(not stopped so far, and B(t) <= bound); as `above`.

    >>> below(START, 1.0, 0.0)
    0.5
    """
    step = t - going.t
    z = (bound - going.at - drift * step) / math.sqrt(step)
    return float(np.dot(going.mass, special.ndtr(z)))


def between(going: Going, t: float, low: float, high: float, *, then: float | None = None, drift: float = 0.0) -> Going:
    """Carry on to `t`, keeping what lies between `low` and `high` (either may be infinite).

    `then` is the information of the look after it: the grid must be fine enough for the shorter of both steps. Correct
    to about 1e-10.

    >>> round(between(START, 1.0, -1.959964, 1.959964, then=2.0).total, 6)
    0.95
    """
    step = t - going.t
    spread = REACH * math.sqrt(t)
    low, high = max(low, drift * t - spread), min(high, drift * t + spread)
    if not low < high:
        return Going(t, np.zeros(1), np.zeros(1))
    shorter = math.sqrt(min(step, then - t)) if then is not None else math.sqrt(step)
    nodes, weights = _nodes(_enough((high - low) / shorter))
    half = (high - low) / 2.0
    at = low + half * (nodes + 1.0)
    z = (at[:, None] - going.at[None, :] - drift * step) / math.sqrt(step)
    density = np.exp(-0.5 * z * z) @ going.mass / math.sqrt(2.0 * math.pi * step)
    return Going(t, at, half * weights * density)


def _enough(width: float) -> int:
    """Nodes for a region of so many standard deviations of the step; in few sizes, so that nodes are made once."""
    wanted = 40.0 + 2.5 * width
    return min(4000, math.ceil(40.0 * 1.25 ** math.ceil(math.log(wanted / 40.0, 1.25))))


@lru_cache(maxsize=64)
def _nodes(n: int) -> tuple[Floats, Floats]:
    nodes, weights = special.roots_legendre(n)
    return np.asarray(nodes, dtype=np.float64), np.asarray(weights, dtype=np.float64)
