"""Where a monotone function is zero: one solver for boundaries, sizes and adjusted estimates.

`scipy.optimize` has better known ones, but importing it costs as much as the rest of a command's start.
"""

from collections.abc import Callable

MOST_STEPS = 200


def root(f: Callable[[float], float], low: float, high: float, *, tolerance: float = 1e-12) -> float:
    """The x in [low, high] with f(x) = 0, for a continuous f that changes sign there.

    Regula falsi with the Illinois step (Dowell & Jarratt 1971); every third step halves, so that a bent f cannot stall
    it. Stops when the ends are `tolerance` apart, relative to their size or to 1. Raises ValueError unless the signs
    at the ends differ.

    >>> round(root(lambda x: x * x - 2.0, 0.0, 2.0), 9)
    1.414213562
    """
    at_low, at_high = f(low), f(high)
    if at_low == 0.0:
        return low
    if at_high == 0.0:
        return high
    if not at_low * at_high < 0.0:
        raise ValueError(f"no change of sign between {low!r} and {high!r}: {at_low!r} and {at_high!r}")
    side = 0
    for step in range(MOST_STEPS):
        if high - low <= tolerance * max(1.0, abs(low), abs(high)):
            break
        middle = low / 2.0 + high / 2.0 if step % 3 == 2 else (low * at_high - high * at_low) / (at_high - at_low)
        if not low < middle < high:
            middle = low / 2.0 + high / 2.0
        value = f(middle)
        if value == 0.0:
            return middle
        if (value > 0.0) == (at_low > 0.0):
            low, at_low, at_high = middle, value, at_high * (0.5 if side > 0 else 1.0)
            side = 1
        else:
            high, at_high, at_low = middle, value, at_low * (0.5 if side < 0 else 1.0)
            side = -1
    return low / 2.0 + high / 2.0


def expand(f: Callable[[float], float], start: float, step: float) -> tuple[float, float]:
    """Two ends around a root of f, found by walking from `start` with steps that double; `step` has the direction.

    Raises ValueError if there is no change of sign within 2^60 steps.

    >>> low, high = expand(lambda x: x - 10.0, 0.0, 1.0)
    >>> low <= 10.0 <= high
    True
    """
    at_start, here = f(start), start
    for _ in range(60):
        there = here + step
        if f(there) * at_start <= 0.0:
            return min(here, there), max(here, there)
        here, step = there, 2.0 * step
    raise ValueError(f"no root found from {start!r} on")
