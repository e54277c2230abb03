"""Time and size: how long the experiment ran, whether it is read before its end, and what it could have found."""

from __future__ import annotations

from collections.abc import Sequence

from abtest.analysis import thresholds as t
from abtest.analysis.comparison import Comparison
from abtest.analysis.decide import Clock
from abtest.analysis.health.table import not_run
from abtest.analysis.result import HealthCheck, HealthLevel, Interval, MetricResult, Number
from abtest.language.plan_text import Change
from abtest.stats.distributions import critical_value
from abtest.stats.peeking import MOST_LOOKS, naive_error
from abtest.stats.power import minimum_detectable

MOST_CHANGES = 6
"""Changes of the plan that are told; the rest is counted."""


def check_runtime(days: int | None, open_windows: bool) -> HealthCheck:
    """Two weeks at least; whole weeks where windows are open (a fixed window weighs weekdays alike for everybody)."""
    if days is None:
        return not_run("runtime", "experiment", None, "no_time")
    level: HealthLevel = "pass" if days >= t.DAYS_ADVISED and (days % 7 == 0 or not open_windows) else "note"
    return HealthCheck("runtime", "experiment", None, level, None, {"days": days, "whole_weeks": days // 7})


def check_peeking(clock: Clock, alpha: float) -> HealthCheck:
    """A plan read before its end. The price named is that of the looks that are kept; where this is the first of them,
    that of a look on every day so far."""
    if clock.days_run is None:
        return not_run("peeking", "experiment", None, "no_time")
    if clock.sequential or clock.reached:
        return HealthCheck("peeking", "experiment", None, "pass", None, {"share": None})
    kept = clock.looks >= 2
    looks = min(MOST_LOOKS, clock.looks if kept else max(1, clock.days_run))
    facts: dict[str, Number | str | None] = {
        "kept" if kept else "looks": looks,
        "share": naive_error(looks, alpha),
        "share_plan": alpha,
    }
    return HealthCheck("peeking", "experiment", None, "note", None, facts)


def check_power(metric: MetricResult, clock: Clock, power: float) -> HealthCheck | None:
    """The smallest change that this data would find (its standard error says so) against the one planned for; a note
    where no change is clear, since unclear must not be read as unchanged.

    On the absolute scale, as a share of the control value: (half the interval + z_power se) / |control|. `power` is that
    of this metric; guardrails are counted in it (`power_per_metric`).
    """
    control = next((a.value for a in metric.arms if a.variant not in {c.variant for c in metric.comparisons}), None)
    sizes = [_detectable(own, power) for c in metric.comparisons if (own := _data(c)) is not None]
    known = [s for s in sizes if s is not None]
    if metric.detect is None or not clock.reached or not control or not known:
        return None
    found = max(known) / abs(control)
    clear = any(c.state in ("better", "worse") for c in metric.comparisons)
    level: HealthLevel = "note" if found > metric.detect and not clear else "pass"
    facts: dict[str, Number | str | None] = {"share_found": found, "share_detect": metric.detect}
    if clear and found > metric.detect:
        facts["share_short"] = found
    return HealthCheck("power", "metric", metric.key, level, None, facts)


def _data(comparison: Comparison) -> Interval | None:
    """What the data say, without a prior."""
    believed = comparison.believed
    return comparison.absolute if believed is None else believed.data_absolute


def _detectable(interval: Interval, power: float) -> float | None:
    if interval.low is None or interval.high is None:
        return None
    half = (interval.high - interval.low) / 2
    se = interval.se or half / critical_value(0.05)
    return minimum_detectable(se, power, critical=half / se) if se > 0 else None


def check_dilution(units: int, triggered: int) -> HealthCheck:
    """The share of units that meet the trigger; the change among all units is that much smaller."""
    share = triggered / units if units else 0.0
    level: HealthLevel = "note" if share < t.DILUTION_NOTE else "pass"
    return HealthCheck("dilution", "experiment", None, level, None, {"share": share})


def check_drift(changes: Sequence[Change], first_look: str | None) -> HealthCheck:
    """The plan against its stamp. Never more than a note: an edit says nothing of the data, whatever it does to the
    error rates; a person must judge it. `deciding` counts changes of goals, guardrails, margins and error rates."""
    deciding = sum(c.rank == 0 for c in changes)
    facts: dict[str, Number | str | None] = {"count": len(changes), "first_look_on": first_look}
    if not changes:
        return HealthCheck("config_drift", "experiment", None, "pass", None, facts)
    facts |= {f"change_{i}": c.text for i, c in enumerate(changes[:MOST_CHANGES], 1)}
    facts |= {"deciding": deciding or None, "more": max(0, len(changes) - MOST_CHANGES) or None}
    return HealthCheck("config_drift", "experiment", None, "note", None, facts)
