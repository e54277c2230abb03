"""What every comparison of two arms returns: one shape for means, proportions and ratios.

"Could not compute" is a status and a reason here, never a NaN: a NaN compares false with everything and would read as
"no effect" further on.
"""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "no_test"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval.

    `low` and `high` are None where the interval has no bound on that side, or where there is no interval at all
    (status `no_test`). `se` is the standard error belonging to `estimate`; the interval need not be `estimate +- c se`
    (Fieller and score intervals are not).
    """

    estimate: float
    low: float | None = None
    high: float | None = None
    se: float | None = None


@dataclass(frozen=True, slots=True)
class Inference:
    """Treatment against control.

    `status` is "ok", or "no_test" with a `reason`: `no_units` (an arm is empty), `one_unit` (no variance from one),
    `zero_variance` (no variation in either arm), `zero_denominator` (a ratio without a denominator). `absolute` is
    treatment minus control in the metric's unit. `relative` is the lift, treatment / control - 1, as a fraction; where
    it is None, `relative_reason` says why: `control_not_positive`, `lift_undefined` (the control mean cannot be told
    from zero, so the lift has no bounded interval), or the reason for which there is no test.

    `p_value` is two-sided for "no difference", computed on the absolute scale; it is None when the caller brought a
    critical value of their own, because only they know its distribution. `critical` is the value that both intervals
    were made with; `df` the degrees of freedom (None: normal).
    """

    status: Status
    reason: str | None
    method: str
    absolute: Estimate | None = None
    relative: Estimate | None = None
    relative_reason: str | None = None
    statistic: float | None = None
    df: float | None = None
    p_value: float | None = None
    critical: float | None = None


def no_test(
    reason: str,
    method: str,
    absolute: float | None = None,
    relative: float | None = None,
    relative_reason: str | None = None,
) -> Inference:
    """An inference without test and intervals; the point estimates that exist are still given.

    >>> no_test("zero_variance", "welch", absolute=0.5).absolute
    Estimate(estimate=0.5, low=None, high=None, se=None)
    """
    return Inference(
        status="no_test",
        reason=reason,
        method=method,
        absolute=None if absolute is None else Estimate(absolute),
        relative=None if relative is None else Estimate(relative),
        relative_reason=relative_reason or reason,
    )
