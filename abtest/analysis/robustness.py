"""How much the conclusion about a goal hangs on the numbers in its definition, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from abtest.analysis.comparison import ArmValue, Comparison, State


@dataclass(frozen=True)
class NearbyCell:
    """A definition with one number changed: that of `threshold` (its place in `Robustness.thresholds`) is `value`.

    `label` is the changed part as it reads in a definition: "like >= 6". `comparisons` hold at the level of the whole
    neighbourhood; `alone` are the (variant, state) that each treatment would have if only this definition were tested.
    Both are empty where `status` says why nothing is shown.
    """

    threshold: int
    value: float
    label: str
    status: Literal["ok", "no_test"]
    reason: str | None = None
    arms: tuple[ArmValue, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    alone: tuple[tuple[str, State], ...] = ()


@dataclass(frozen=True)
class Robustness:
    """The neighbourhood of one goal. `thresholds` are (label as written, number) of the numbers that move.

    The intervals of all `compared` effects (definitions shown or not, times treatments) hold at once: each is at the level
    `alpha` = plan.alpha / compared (Bonferroni, which needs no assumption about how the definitions overlap).
    `concluded` is False where the intervals may not be read as conclusions: before the end of a plan that decides at its
    end, or where they are wider than the goal's own for a reason that has nothing to do with the definition.
    """

    metric: str
    thresholds: tuple[tuple[str, float], ...]
    cells: tuple[NearbyCell, ...]
    compared: int
    alpha: float
    concluded: bool
