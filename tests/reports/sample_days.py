"""Goals with their way over days, made by hand: a band that narrows, in the unit of a lift and in that of the metric."""

from __future__ import annotations

from dataclasses import replace

from abtest.analysis.result import DayPoint, Interval, MetricResult, Result, Trajectory, WeekPoint

FIRST, LAST = 7, 28


def band(day: int, estimate: float, half: float) -> Interval:
    width = half * (LAST / day) ** 0.5
    return Interval(estimate, estimate - width, estimate + width, width / 3)


def trajectory(variant: str, estimate: float, half: float, control: float, lift: bool = True) -> Trajectory:
    """One whose band ends `half` wide; without a lift on its first two days, where its interval has no bounds."""
    points = tuple(
        DayPoint(
            day,
            9000 * (day - FIRST + 1),
            band(day, estimate * control, half * control),
            band(day, estimate, half) if lift and day > FIRST + 1 else None,
        )
        for day in range(FIRST, LAST + 1)
    )
    out = [p.day for p in points if p.absolute.low is not None and p.absolute.low > 0]
    weeks = tuple(
        WeekPoint(
            k, k, 50000, band(LAST, estimate * control, half * control), band(LAST, estimate, half) if lift else None
        )
        for k in (1, 2, 3)
    )
    day = out[0] if out else None
    return Trajectory(variant, "ok", None, points, (*weeks, replace(weeks[0], first=4, last=5)), FIRST - 1, day, day, 2)


def over_days(result: Result) -> Result:
    """The result with a way over days for each goal and treatment; a second goal has none, and says why."""

    def with_days(i: int, goal: MetricResult) -> MetricResult:
        variants = [c.variant for c in goal.comparisons]
        if i == 1:
            return replace(goal, trajectory=tuple(Trajectory(v, "no_test", "open_window") for v in variants))
        made = tuple(
            trajectory(v, 0.04 - 0.03 * k, 0.02, goal.arms[0].value or 1.0, goal.unit_of_value != "points")
            for k, v in enumerate(variants)
        )
        return replace(goal, trajectory=made)

    goals = {g.key: with_days(i, g) for i, g in enumerate(result.goals)}
    return replace(result, metrics=tuple(goals.get(m.key, m) for m in result.metrics))
