"""Engagement against value: both changes of one treatment as a point in a plane, with the region that the data fit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from abtest.analysis.beside import Together
from abtest.analysis.result import MetricResult
from abtest.reports.svg import Scale, Tick, ticks
from abtest.reports.tables import labels
from abtest.reports.wording import Wording

REACH = math.sqrt(-2.0 * math.log(0.05))
"""Of the 95 % region, in standard errors: chi-square with two degrees of freedom (`stats.tradeoff.ellipse`)."""
POINTS = 72
AIR = 0.06
LEAST = 0.3
"""Of the longer side of an axis, for the shorter."""
SIZE = 1000
"""Of the plane in units of its path, both ways; it is stretched to the figure."""
MOST_PLANES = 4


@dataclass(frozen=True)
class Plane:
    """`path` of the region in a square of `SIZE`; `x` and `y` of the point and of "no change", in percent. `corners` are
    the four quadrants in words, from the top left clockwise; `trap` is the corner of the engagement trap."""

    caption: str
    path: str
    dot: tuple[str, str]
    zero: tuple[str, str]
    across: tuple[tuple[Tick, str], ...]
    up: tuple[tuple[Tick, str], ...]
    corners: tuple[str, str, str, str]
    trap: int
    across_name: str
    up_name: str
    tone: str


def planes(w: Wording) -> tuple[Plane, ...]:
    """One figure per goal and treatment whose joint region exists; none before the planned end, which has no region."""
    found = w.result.value
    if found is None or w.early:
        return ()
    value = w.result.metric(found.metric)
    made = (_plane(w, w.result.metric(g.metric), value, t) for g in found.goals for t in g.together)
    return tuple(p for p in made if p is not None)[:MOST_PLANES]


def _plane(w: Wording, goal: MetricResult, value: MetricResult, of: Together) -> Plane | None:
    region = of.region
    if of.status != "ok" or of.band or region is None or region.status != "ok" or of.correlation is None:
        return None
    if of.goal is None or of.value is None or not of.goal.se or not of.value.se:
        return None
    up = _scale(of.goal.estimate, REACH * of.goal.se)
    across = _scale(of.value.estimate, REACH * of.value.se)
    outline = [
        (across.share(x), up.share(y))
        for x, y in outline_of(of.value.estimate, of.goal.estimate, of.value.se, of.goal.se, of.correlation)
    ]
    names = {"goal": w.metric(goal, 40), "value": w.metric(value, 40)}
    caption = w.words("plane.caption", variant=w.variant(of.variant), level=w.level, **names)
    return Plane(
        caption=caption,
        path=_path(outline),
        dot=(across.at(of.value.estimate), _from_top(up, of.goal.estimate)),
        zero=(across.at(0.0), _from_top(up, 0.0)),
        across=labels(w, ticks(across, 4), value.unit_of_value),
        up=tuple((_turned(up, t), label) for t, label in labels(w, ticks(up, 4), goal.unit_of_value)),
        corners=_corners(w, goal, value),
        trap=_trap(goal, value),
        across_name=w.words("plane.axis", metric=w.metric(value, 40)),
        up_name=w.words("plane.axis", metric=w.metric(goal, 40)),
        tone={"win_win": "good", "lose_lose": "bad", "trade_off_up": "bad", "trade_off_down": "warn"}.get(
            of.quadrant, "flat"
        ),
    )


def outline_of(x: float, y: float, se_x: float, se_y: float, correlation: float) -> list[tuple[float, float]]:
    """The ellipse of two estimates: all points within `REACH` standard errors, their correlation taken into account.

    >>> points = outline_of(0.0, 0.0, 1.0, 2.0, 0.5)
    >>> round(max(p[0] for p in points), 3), round(max(p[1] for p in points), 3)
    (2.448, 4.895)
    """
    apart = math.sqrt(max(0.0, (1.0 - correlation) * (1.0 + correlation)))
    found = []
    for step in range(POINTS):
        turn = 2.0 * math.pi * step / POINTS
        along, rest = math.cos(turn), math.sin(turn)
        found.append((x + REACH * se_x * along, y + REACH * se_y * (correlation * along + apart * rest)))
    return found


def _scale(estimate: float, reach: float) -> Scale:
    """From no change to the far end of the region, with some air, and room for the quadrants that it leaves empty."""
    low, high = min(0.0, estimate - reach), max(0.0, estimate + reach)
    low, high = min(low, -LEAST * high), max(high, -LEAST * low)
    air = AIR * (high - low)
    return Scale(low - air, high + air)


def _path(outline: list[tuple[float, float]]) -> str:
    places = [f"{SIZE * x:.1f} {SIZE * (1.0 - y):.1f}" for x, y in outline]
    return f"M{'L'.join(places)}Z"


def _from_top(scale: Scale, value: float) -> str:
    return Scale(-scale.high, -scale.low).at(-value)


def _turned(scale: Scale, tick: Tick) -> Tick:
    """A tick of the upright axis: `x` is then its place from the top."""
    return Tick(_from_top(scale, tick.value), tick.value, tick.zero, tick.anchor)


def _corners(w: Wording, goal: MetricResult, value: MetricResult) -> tuple[str, str, str, str]:
    def corner(up: bool, right: bool) -> str:
        better_goal = up != (goal.better == "lower")
        better_value = right != (value.better == "lower")
        key = {(True, True): "both", (True, False): "trap", (False, True): "value", (False, False): "neither"}
        return w.words(f"plane.corner.{key[better_goal, better_value]}")

    return corner(True, False), corner(True, True), corner(False, True), corner(False, False)


def _trap(goal: MetricResult, value: MetricResult) -> int:
    """Which corner, from the top left clockwise, has more engagement and less value."""
    up, left = goal.better != "lower", value.better != "lower"
    return {(True, True): 0, (True, False): 1, (False, False): 2, (False, True): 3}[up, left]
