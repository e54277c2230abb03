"""Parts of a result that belong to plans which look early, or believe: frozen values of the JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from abtest.analysis.interval import Interval
from abtest.language.model import Correction
from abtest.language.plan_model import Method


@dataclass(frozen=True)
class Believed:
    """The posterior of one effect: N(mean, sd^2) on `scale` (lifts are fractions), with its credible interval, the chance
    that the change is good, and what is lost on average by shipping and by keeping. The prior is None where it is flat.
    `data_absolute`, `data_relative`: what the data say without it.
    """

    scale: Literal["relative", "absolute"]
    mean: float
    sd: float
    low: float
    high: float
    chance: float
    loss_ship: float
    loss_keep: float
    prior_mean: float | None = None
    prior_sd: float | None = None
    data_absolute: Interval | None = None
    data_relative: Interval | None = None


@dataclass(frozen=True)
class PlanInfo:
    method: Method
    alpha: float
    guardrail_alpha: float
    power: float
    detect: float | None
    correct_goal: Correction
    srm_alpha: float
    correct_secondary: Correction = "none"
    lift: Literal["fieller", "delta", "log"] = "fieller"
    correct_segments: Literal["bh", "none"] = "bh"
    planned_looks: tuple[float, ...] = ()
    spending: str = "obrien_fleming"
    gamma: float = -4.0
    units: int | None = None
    monitoring: float = 0.2
    prior: str = "flat"
    prior_mean: float | None = None
    prior_sd: float | None = None
    prior_from: int | None = None


@dataclass(frozen=True)
class LookInfo:
    """One look: the last complete date of its data, the share of the planned days, how far the plan was (a fraction), what
    each metric had, and where it is tested: the boundary of the first goal in standard errors, with the part of alpha
    that is spent by then."""

    through: str
    progress: float
    fraction: float
    units: tuple[tuple[str, int], ...]
    final: bool = False
    bound: float | None = None
    spent: float | None = None


@dataclass(frozen=True)
class LooksInfo:
    """All looks so far. `planned`: this run is a look of the plan; `next_at`: the fraction at which the next is due;
    `fraction`: how far the plan is now."""

    taken: tuple[LookInfo, ...]
    planned: bool
    fraction: float
    next_at: float | None = None
