"""What stands beside an effect in a result: by what it was adjusted, whether it is shown to be small, how clusters vary,
and other looks at the metric. Part of `result.py`, which is where to import from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from abtest.analysis.interval import Interval

Number = int | float

Scale = Literal["value", "chance", "odds", "hazard"]
"""What an effect is a difference of: values of the metric; the chance that a unit of the treatment is higher than one of
the control, less one half; the log odds of being higher; minus the log hazard of the event."""
Unadjusted = Literal[
    "test", "clustered", "off", "kind", "explored", "no_history", "no_units", "few_conversions", "few_units", "no_variation",
]  # fmt: skip
"""Why an effect is not adjusted: another test was asked for, whole clusters were randomised, it is turned off, has no
meaning for the kind, the metric is only explored, no log reaches back before exposure, or there is too little to adjust
by."""


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests against the smallest relative change worth acting on, `size`; `shown` when both reject."""

    size: float
    p_value: float | None
    shown: bool


@dataclass(frozen=True)
class Beside:
    """A metric looked at by another method than its own; it decides nothing. `variant` None: all variants together.

    `estimate` depends on `method`: the chance that a unit of the treatment is higher (`brunner_munzel`), an odds ratio
    (`proportional_odds`), a hazard ratio (`log_rank`), nothing for tests of whole tables (`homogeneity`).
    """

    method: str
    variant: str | None
    status: Literal["ok", "no_test"]
    reason: str | None
    estimate: Interval | None = None
    statistic: float | None = None
    df: float | None = None
    p_value: float | None = None
    values: Mapping[str, Number | str | None] | None = None


@dataclass(frozen=True)
class TableTest:
    """A chi-square test of counts, without an estimate."""

    status: Literal["ok", "no_test"]
    reason: str | None
    statistic: float | None = None
    df: int | None = None
    p_value: float | None = None


@dataclass(frozen=True)
class MovementArm:
    """One variant: `cells` are units per state before (rows) and after (columns), None where hidden for privacy.

    `units` have both states, the days before exposure of `without_history` are in no log. `up`, `same`, `down` compare
    the two levels (numbers of letters in a cross; units with an unknown one are in none of them); all None where one
    is too small to show. `symmetry`: did as many move one way as back? It compares before with after, which
    nobody randomised.
    """

    variant: str
    units: int
    without_history: int
    cells: tuple[tuple[int | None, ...], ...]
    up: int | None
    same: int | None
    down: int | None
    symmetry: TableTest


@dataclass(frozen=True)
class MovementChange:
    """One treatment against the baseline: differences of the shares that went up, stayed and went down, and, among
    units that started in the same state, by how many levels more they end (`shift`, with its z and p). `anywhere`:
    do they end in other cells at all (crosses only, which have no order)?"""

    variant: str
    up: Interval | None
    same: Interval | None
    down: Interval | None
    status: Literal["ok", "no_test"]
    reason: str | None
    shift: Interval | None = None
    statistic: float | None = None
    p_value: float | None = None
    anywhere: TableTest | None = None


@dataclass(frozen=True)
class Movement:
    """From which level to which: `states` from the lowest rung up, or the cells of a cross and "?" for unknown.

    `days` is how long a level is read, before and after. Without arms the `reason` says why: `no_history`, `timing` (the
    metric's time has no like before exposure), `looks_back`, `clustered`, `no_units`.
    """

    form: Literal["ladder", "cross"]
    states: tuple[str, ...]
    days: int
    status: Literal["ok", "no_test"]
    reason: str | None
    arms: tuple[MovementArm, ...] = ()
    changes: tuple[MovementChange, ...] = ()


@dataclass(frozen=True)
class CurvePoint:
    """Shares of the control and of the treatment at `at`, and the difference between them."""

    at: float
    control: Interval
    treatment: Interval
    difference: Interval | None = None


@dataclass(frozen=True)
class Curve:
    """`dose`: the share of units with at least `at`, with a band of the difference that holds over the whole curve, and
    the p-value of "no difference anywhere". `survival`: the share still without the event after `at`."""

    kind: Literal["dose", "survival"]
    variant: str
    points: tuple[CurvePoint, ...]
    status: Literal["ok", "no_test"] = "ok"
    reason: str | None = None
    p_value: float | None = None


@dataclass(frozen=True)
class Adjustment:
    """What an adjusted effect was adjusted by, and the same effect without (the point of comparison for other tools).

    `covariates` are the names that were used (for `post_stratified` the attribute), `unused` those that added nothing;
    `unknown` is the share of units of which they are not known. `traffic` is the raw variance over the adjusted one: 1.4
    is worth 1.4 times as many units. `control` and `treatment` are the adjusted values.
    """

    covariates: tuple[str, ...]
    unused: tuple[str, ...]
    unknown: float
    traffic: float
    control: float
    treatment: float
    raw_absolute: Interval | None
    raw_relative: Interval | None
    raw_p_value: float | None


@dataclass(frozen=True)
class Clustering:
    """The clusters behind a comparison, where whole clusters were randomised: how many with units each arm has, and how
    many of equal size these are worth.

    `icc` is the correlation of units within clusters (None with `reason` where it cannot be told), `design_effect` how
    many times the variance of independent units; `mean_size` units are in a cluster.
    """

    control: int
    treatment: int
    control_worth: float
    treatment_worth: float
    mean_size: float | None
    icc: float | None
    reason: str | None
    design_effect: float | None
