"""What a result says of targets: totals that shipping would bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from abtest.analysis.interval import Interval

State = Literal["reached", "missed", "open"]


@dataclass(frozen=True)
class TargetValue:
    """One variant: the total if all units were like its own, with its interval, against the target. `on`: the date on
    which the estimate gets there; None if not within ten years, or if units are given."""

    variant: str
    total: Interval
    state: State
    on: str | None = None


@dataclass(frozen=True)
class TargetResult:
    """`number` to reach `by` a date, or `a month` (by None). `units`: expected by then (or new in a month), `seen`: in the
    experiment, `per_day`: new ones. `reason`: why there are no values: `no_history`, `no_value`."""

    metric: str
    number: float
    by: str | None
    units: float | None = None
    seen: int = 0
    per_day: float | None = None
    given: bool = False
    reason: str | None = None
    values: tuple[TargetValue, ...] = ()
