"""Geometry of the plots: scales, ticks and marks in percent of the width. No words and no colours here.

Positions are percentages, so text inside a plot never scales and a plot fills whatever cell it stands in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

AIR = 0.06
GUARDRAIL_LOW, GUARDRAIL_HIGH = -1.5, 1.5
# An interval this many times wider than the typical one is clipped with an arrow; else it flattens all the others.
OUTLIER = 5.0
# Below this span there is nothing to see, and round steps would underflow.
SMALLEST = 1e-9
# An interval that lies outside altogether leaves a stub at the edge, behind its arrow.
STUB = 0.06


def percent(share: float) -> str:
    """A position as SVG writes it.

    >>> percent(1 / 3), percent(0.5)
    ('33.33%', '50%')
    """
    text = f"{100 * share:.2f}".rstrip("0").rstrip(".")
    return ("0" if text == "-0" else text) + "%"


@dataclass(frozen=True)
class Scale:
    """A linear scale from data to the width of a plot."""

    low: float
    high: float

    def share(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def at(self, value: float) -> str:
        return percent(min(1.0, max(0.0, self.share(value))))

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Mark:
    """An interval with its estimate. `dot` is empty when the estimate lies outside; arrows mark clipped ends."""

    left: str
    right: str
    dot: str
    arrow_left: bool
    arrow_right: bool


@dataclass(frozen=True)
class Tick:
    x: str
    value: float
    zero: bool
    anchor: str


@dataclass(frozen=True)
class Stripe:
    x: str
    width: str


Bounds = tuple[float | None, float, float | None]


def forest_scale(rows: Sequence[Bounds], include: Sequence[float] = ()) -> Scale:
    """One scale for a table: all intervals, zero, whatever must be seen, and some air.

    >>> forest_scale([(2.0, 4.0, 6.0)])
    Scale(low=-0.36, high=6.36)
    """
    reach = [max(abs(bound) for bound in row if bound is not None) for row in rows]
    cap = OUTLIER * median(reach) if len(reach) >= 3 else math.inf
    if cap == 0:
        cap = math.inf
    values = [max(-cap, min(cap, bound)) for row in rows for bound in row if bound is not None]
    values += [0.0, *include]
    low, high = min(values), max(values)
    if high - low < SMALLEST:
        low, high = -1.0, 1.0
    air = AIR * (high - low)
    return Scale(round(low - air, 12), round(high + air, 12))


def mark(scale: Scale, bounds: Bounds) -> Mark:
    """Where an interval and its dot are drawn; an open bound runs to the edge with an arrow.

    >>> mark(Scale(0.0, 10.0), (2.0, 4.0, None))
    Mark(left='20%', right='100%', dot='40%', arrow_left=False, arrow_right=True)
    """
    low, estimate, high = bounds
    left_open = low is None or low < scale.low
    right_open = high is None or high > scale.high
    left = 0.0 if low is None else min(scale.share(low), 1 - STUB)
    right = 1.0 if high is None else max(scale.share(high), STUB)
    return Mark(
        left=percent(max(0.0, left)),
        right=percent(min(1.0, right)),
        dot=scale.at(estimate) if scale.holds(estimate) else "",
        arrow_left=left_open,
        arrow_right=right_open,
    )


def stripe(scale: Scale, bounds: Bounds) -> Stripe:
    """The overall interval as a band behind the rows."""
    low, _, high = bounds
    start = 0.0 if low is None else min(1.0, max(0.0, scale.share(low)))
    end = 1.0 if high is None else min(1.0, max(0.0, scale.share(high)))
    return Stripe(percent(start), percent(end - start))


def step_size(span: float, most: int) -> float:
    """The smallest round step (1, 2, 2.5 or 5 times a power of ten) that gives at most `most` ticks.

    >>> step_size(8.6, 4), step_size(0.31, 5)
    (2.5, 0.1)
    """
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1.0, 2.0, 2.5, 5.0, 10.0):
        if factor * power >= rough * (1 - 1e-9):
            return round(factor * power, 12)
    return round(10 * power, 12)


def ticks(scale: Scale, most: int = 4) -> tuple[Tick, ...]:
    """Round values inside the scale, zero always among them where the scale holds it."""
    step = step_size(scale.high - scale.low, most)
    first, last = math.ceil(scale.low / step - 1e-9), math.floor(scale.high / step + 1e-9)
    found = []
    for i in range(first, last + 1):
        value = round(i * step, 12)
        found.append(Tick(scale.at(value), value, i == 0, "middle"))
    return tuple(found)


def guardrail_scale() -> Scale:
    """Units of the margin, the same for every guardrail, so that all margins fall on one line."""
    return Scale(GUARDRAIL_LOW, GUARDRAIL_HIGH)
