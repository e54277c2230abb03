"""Days on which something should have happened and nothing did, and weeks on which far too much did."""

from __future__ import annotations

from collections.abc import Mapping

from abtest.analysis import thresholds as t
from abtest.analysis.dates import iso
from abtest.analysis.health.table import not_run
from abtest.analysis.result import HealthCheck

NEAR = 3
"""Days on either side that say what to expect."""


def empty_days(per_day: Mapping[int, int], first: int, last: int) -> list[int]:
    """Dates in first..last without anything, where the days around would lead to expect at least GAP_EXPECTED.

    A weekday that is always empty is a habit, not a gap.
    """
    if last - first < NEAR:
        return []
    gaps = []
    for day in range(first, last + 1):
        if per_day.get(day, 0):
            continue
        near = _near(per_day, day, first, last)
        if near and sum(near) / len(near) >= t.GAP_EXPECTED and not _never(per_day, day, first, last):
            gaps.append(day)
    return gaps


def _near(per_day: Mapping[int, int], day: int, first: int, last: int) -> list[int]:
    """What the nearest days with anything hold, at most NEAR on each side of the gap that `day` is part of."""
    found = []
    for step in (-1, 1):
        at = day
        while first <= at <= last and not per_day.get(at, 0):
            at += step
        found += [per_day.get(at + step * i, 0) for i in range(NEAR) if first <= at + step * i <= last]
    return found


def _never(per_day: Mapping[int, int], day: int, first: int, last: int) -> bool:
    same = range(first + (day - first) % 7, last + 1, 7)
    return len(same) >= 2 and not any(per_day.get(d, 0) for d in same)


def check_exposure_days(per_day: Mapping[int, int], start: int | None, until: int | None) -> HealthCheck:
    """Days of enrolment on which no unit was exposed for the first time. `until`: the declared end of enrolment, or the
    end of the data before it; without one the last exposure."""
    if not per_day:
        return not_run("exposure_days", "experiment", None, "no_time")
    first = min(per_day) if start is None else start
    last = max(per_day) if until is None else max(until, max(per_day))
    gaps = empty_days(per_day, first, last)
    facts = {"count": len(gaps), "first": iso(gaps[0]) if gaps else None}
    return HealthCheck("exposure_days", "experiment", None, "note" if gaps else "pass", None, facts)


def check_exposure_step(per_day: Mapping[int, int]) -> HealthCheck:
    """A week with at least twice the new units of the week before it."""
    if not per_day or max(per_day) - min(per_day) < 13:
        return not_run("exposure_step", "experiment", None, "no_time" if not per_day else "two_weeks")
    steps = []
    for day in range(min(per_day) + 7, max(per_day) - 5):
        before = sum(per_day.get(day - 7 + i, 0) for i in range(7))
        after = sum(per_day.get(day + i, 0) for i in range(7))
        if after >= t.STEP_UNITS and after >= t.STEP_FACTOR * before:
            steps.append((after / max(1, before), -day))
    if not steps:
        return HealthCheck("exposure_step", "experiment", None, "pass", None, {"factor": None, "first": None})
    factor, day = max(steps)
    facts = {"factor": factor, "first": iso(-day)}
    return HealthCheck("exposure_step", "experiment", None, "note", None, facts)


def check_time_gaps(source: str, per_day: Mapping[int, int], first: int, last: int) -> HealthCheck:
    """Days of the experiment without any row of a log."""
    gaps = empty_days(per_day, first, last)
    facts = {"count": len(gaps), "first": iso(gaps[0]) if gaps else None}
    return HealthCheck("time_gaps", "experiment", source, "note" if gaps else "pass", None, facts)
