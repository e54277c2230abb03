"""An estimate with its interval: the smallest piece of a result."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval. `low` or `high` is None where the interval is unbounded or could not be made."""

    estimate: float
    low: float | None
    high: float | None
    se: float | None = None
