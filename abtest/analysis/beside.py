"""What a result holds beside the comparison of its metrics: triggered units, engagement and value, drivers.

None of it decides. As everywhere, codes stand here and words in `reports/*.yml`; a thing that was asked for and could
not be computed has a status and a reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from abtest.analysis.interval import Interval

Status = Literal["ok", "no_test"]
Quadrant = Literal["win_win", "trade_off_up", "trade_off_down", "lose_lose", "unclear"]


@dataclass(frozen=True)
class Effect:
    """One effect outside the main comparison. `band`: its intervals hold at every look (else at one)."""

    status: Status
    reason: str | None
    method: str
    absolute: Interval | None = None
    relative: Interval | None = None
    relative_reason: str | None = None
    p_value: float | None = None
    band: bool = False


# Triggered


@dataclass(frozen=True)
class TriggerArm:
    """One variant: exposed units, those whose trigger window is complete, and those of them that were triggered.

    `triggered` is None where a group is smaller than the privacy floor.
    """

    variant: str
    exposed: int
    complete: int
    triggered: int | None


@dataclass(frozen=True)
class TriggerCheck:
    """Whether one treatment and the baseline were triggered alike. `reason`: `too_small` (below the privacy floor),
    `no_units`, `all_or_none` (nothing to test: everybody or nobody was triggered), `rates_differ`."""

    variant: str
    valid: bool
    reason: str | None
    p_value: float | None


@dataclass(frozen=True)
class TriggeredComparison:
    """One treatment against the baseline: among triggered units (`triggered`), the same carried over to all units
    (`diluted`), and among the others, where there should be nothing (`others`, with `others_p` adjusted over all)."""

    variant: str
    control: float | None
    treatment: float | None
    units: int
    triggered: Effect
    diluted: Effect
    others: Effect
    others_p: float | None = None


@dataclass(frozen=True)
class TriggeredMetric:
    metric: str
    comparisons: tuple[TriggeredComparison, ...]


@dataclass(frozen=True)
class Triggered:
    """The analysis of the units that could notice the change. The verdict reads all units, not this."""

    condition: str
    window: str | None
    arms: tuple[TriggerArm, ...]
    checks: tuple[TriggerCheck, ...]
    metrics: tuple[TriggeredMetric, ...]


# Moderators


@dataclass(frozen=True)
class ClearRegion:
    """Values of a moderator from `low` to `high` at which the effect is told from zero; `up`: it is above."""

    low: float
    high: float
    up: bool


@dataclass(frozen=True)
class ModeratorResult:
    """How the effect of one treatment on one goal changes with a number known before exposure.

    `slope` is per unit of the moderator, with the p-value of "it does not change" (`p_adjusted`: over all moderators,
    goals and treatments, by the method of the plan for segments). [low, high] holds all but 1 % of the units on either
    side; `at_low` and `at_high` are the effects there, `regions` where it is clear between, at the critical value
    `critical` that keeps the share of false ones down. `unknown`: units without a value of the moderator.
    """

    moderator: str
    metric: str
    variant: str
    status: Status
    reason: str | None
    units: int
    unknown: int
    slope: Interval | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    low: float | None = None
    high: float | None = None
    at_low: Interval | None = None
    at_high: Interval | None = None
    critical: float | None = None
    regions: tuple[ClearRegion, ...] = ()


# Retention


@dataclass(frozen=True)
class ReturnArm:
    """One variant on one day: units, those that came back, and the share of them; None where that is hidden."""

    variant: str
    units: int
    returned: int | None
    share: float | None


@dataclass(frozen=True)
class ReturnDay:
    """One day after exposure that the plan does not test, for context: differences are neither adjusted nor corrected.

    Without arms the `reason` says why: `immature` (not over for all units before `mature_on`, a date), `small_cell`
    (below the privacy floor), `no_units`. `effects` are per treatment, of shares (0..1).
    """

    day: int
    status: Status
    reason: str | None
    mature_on: str | None = None
    arms: tuple[ReturnArm, ...] = ()
    effects: tuple[tuple[str, Effect], ...] = ()


@dataclass(frozen=True)
class Retention:
    """Metrics of retention that differ in their days only, beside the days that none of them is. `metrics` are (name,
    first day, last day), the last None where it is open."""

    metrics: tuple[tuple[str, int, int | None], ...]
    days: tuple[ReturnDay, ...]


# Engagement and value


@dataclass(frozen=True)
class Region:
    """The joint 95 % region of two effects: half axes, the angle of the longer one (radians from the first metric), and
    the p-value of "no effect on either". The axes mix two units and are for drawing."""

    status: Status
    reason: str | None
    major: float | None = None
    minor: float | None = None
    angle: float | None = None
    p_value: float | None = None


@dataclass(frozen=True)
class Rate:
    """How much of the first metric a unit of the value must be worth for the change to break even.

    `kind` bounded: [low, high]; outside: all but the open interval (low, high), an end of None is infinite; everything:
    the data exclude no rate.
    """

    status: Status
    reason: str | None
    kind: Literal["bounded", "outside", "everything"] | None = None
    estimate: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Together:
    """The joint effect of one treatment on a goal and the value, each as in the main comparison.

    `correlation` is that of the two estimates, from the products of the two metrics unit by unit.
    """

    variant: str
    status: Status
    reason: str | None
    units: int
    goal: Interval | None = None
    value: Interval | None = None
    band: bool = False
    quadrant: Quadrant = "unclear"
    correlation: float | None = None
    region: Region | None = None
    rate: Rate | None = None


@dataclass(frozen=True)
class Association:
    """In one variant: units with both the goal and the value above zero, only one, or neither, and how the two go along.

    None of it where a cell is smaller than the privacy floor (`small_cell`).
    """

    variant: str
    status: Status
    reason: str | None
    cells: tuple[int, int, int, int] | None = None
    phi: Interval | None = None
    odds_ratio: Interval | None = None


@dataclass(frozen=True)
class AssociationChange:
    """The odds ratio of a treatment over that of the baseline."""

    variant: str
    status: Status
    reason: str | None
    ratio: Interval | None = None
    p_value: float | None = None


@dataclass(frozen=True)
class ValueGoal:
    """One goal beside the value."""

    metric: str
    together: tuple[Together, ...]
    associations: tuple[Association, ...] = ()
    changes: tuple[AssociationChange, ...] = ()


@dataclass(frozen=True)
class Value:
    """Goals beside the metric that says what they are worth."""

    metric: str
    goals: tuple[ValueGoal, ...]


# Drivers


@dataclass(frozen=True)
class Driver:
    """Fractions of the variance of the outcome within variants: `share` is what this metric may claim, `alone` what it
    explains by itself, `unique` what is lost without it. `note`: constant or collinear."""

    metric: str
    share: Interval
    alone: float
    unique: float
    note: Literal["constant", "collinear"] | None = None


@dataclass(frozen=True)
class DriverResult:
    """Which metrics go along with `metric` within variants: description, no effect of anything."""

    metric: str
    by: tuple[str, ...]
    status: Status
    reason: str | None
    units: int
    explained: Interval | None = None
    drivers: tuple[Driver, ...] = ()
    interval_reason: str | None = None
