"""One metric in one variant, and one treatment against the baseline: the values that every table of effects is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from abtest.analysis.early import Believed
from abtest.analysis.effects import Adjustment, Clustering, Equivalence, Scale, Unadjusted
from abtest.analysis.interval import Interval

State = Literal["better", "worse", "unclear", "flat", "no_test"]
GuardrailLabel = Literal["held", "held_but_worse", "not_shown", "worse_not_shown", "broken", "no_test"]


@dataclass(frozen=True)
class MarginResult:
    """A guardrail against its margin; `effect` is in units of the margin, right is better, -1 is the margin itself."""

    kind: Literal["relative", "absolute"]
    size: float
    effect: Interval | None
    p_value: float | None
    label: GuardrailLabel


@dataclass(frozen=True)
class Comparison:
    """One treatment against the baseline for one metric.

    `state` is judged from `p_adjusted` (where the plan corrects) and the interval, in the direction of `better`.
    `always_valid` is the relative band that stays valid at every look (absolute when the lift is undefined).
    `adjustment` is there when the effect was adjusted, else `unadjusted` says why not. `scale` is not "value" for tests
    that do not compare values. `equivalence`: is it shown to be smaller than the change worth acting on? `selected`: the
    wider intervals of what a false discovery rate picked out (Benjamini & Yekutieli 2005). `clustering`: where
    whole clusters were randomised.
    """

    variant: str
    status: Literal["ok", "no_test"]
    reason: str | None
    method: str
    absolute: Interval | None
    relative: Interval | None
    relative_reason: str | None
    statistic: float | None
    df: float | None
    p_value: float | None
    p_adjusted: float | None
    state: State
    margin: MarginResult | None = None
    always_valid: Interval | None = None
    always_valid_absolute: Interval | None = None
    adjustment: Adjustment | None = None
    unadjusted: Unadjusted | None = None
    scale: Scale = "value"
    equivalence: Equivalence | None = None
    selected: Interval | None = None
    selected_absolute: Interval | None = None
    clustering: Clustering | None = None
    believed: Believed | None = None


@dataclass(frozen=True)
class ArmValue:
    """One metric in one variant: exposed = used + immature + missing. `value` is the mean, rate or ratio of `used`."""

    variant: str
    exposed: int
    used: int
    immature: int
    missing: int
    value: float | None
    standard_deviation: float | None = None
    total: float | None = None
    capped: int | None = None
