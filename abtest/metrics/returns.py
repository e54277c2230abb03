"""Coming back on one day after another: what a metric of retention says on days 1, 3, 7, 14 and 28.

Every day is a hidden metric of its own, with the condition, units and clock of the metric that was asked for, so that one
scan serves all of them. Metrics that differ in their days only share theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from abtest.language.conditions import Spread, walk
from abtest.language.model import Metric, Window
from abtest.metrics.plan import Plan, Task

DAYS = (1, 3, 7, 14, 28)
RETURN = "return: "
"""How the names of the hidden metrics begin."""


@dataclass(frozen=True)
class Returns:
    """Metrics of retention that differ in their days only, and the hidden metrics of the days that none of them is."""

    asked: tuple[Metric, ...]
    days: tuple[tuple[int, Metric], ...]


def returns_of(metrics: Iterable[Metric]) -> tuple[Returns, ...]:
    """The days to show beside every metric of retention whose days are counted from one start."""
    found: dict[Metric, list[Metric]] = {}
    for metric in metrics:
        if _counts_days(metric):
            found.setdefault(_same(metric), []).append(metric)
    made = []
    for same, asked in found.items():
        own = {m.window for m in asked}
        days = tuple(
            (day, replace(same, name=f"{RETURN}{asked[0].name} {day}", window=Window(day, day)))
            for day in DAYS
            if Window(day, day) not in own
        )
        made.append(Returns(tuple(asked), days))
    return tuple(made)


def without_returns(plan: Plan) -> Plan:
    """The plan as it was asked for: rows that only the other days of a retention read are not needed for it."""

    def kept(tasks: tuple[Task, ...]) -> tuple[Task, ...]:
        return tuple(t for t in tasks if not t.metric.name.startswith(RETURN))

    return replace(plan, tasks=kept(plan.tasks))


def _counts_days(metric: Metric) -> bool:
    timed = metric.window.tick == "day" and not metric.window.end and metric.clock in ("date", "elapsed")
    # "On two days of the second week" has no answer on one day alone.
    spread = metric.condition is not None and any(isinstance(c, Spread) for c in walk(metric.condition))
    return not spread and metric.kind == "retention" and timed and metric.unit is None and metric.part_of is None


def _same(metric: Metric) -> Metric:
    """The metric without its days and without all that does not change who counts and for what."""
    return Metric(
        "",
        "retention",
        condition=metric.condition,
        clock=metric.clock,
        starting_at=metric.starting_at,
        within=metric.within,
        among=metric.among,
        unit_of_value=metric.unit_of_value,
    )
