"""An estimate with its interval: the smallest piece of a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

from abtest.stats.inference import Estimate


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval. `low` or `high` is None where the interval is unbounded or could not be made."""

    estimate: float
    low: float | None
    high: float | None
    se: float | None = None


@overload
def interval_of(found: Estimate) -> Interval: ...
@overload
def interval_of(found: Estimate | None) -> Interval | None: ...
def interval_of(found: Estimate | None) -> Interval | None:
    """What a result holds of an estimate of the statistics floor."""
    return None if found is None else Interval(found.estimate, found.low, found.high, found.se)
