"""What the method of a plan costs: how many times the units of one look at the end."""

from __future__ import annotations

from abtest.language.model import Plan
from abtest.stats.group_sequential import boundaries
from abtest.stats.group_sequential import inflation as group_inflation
from abtest.stats.power import z_sum
from abtest.stats.sequential import hybrid, inflation
from abtest.stats.spending import Spending


def inflation_of(plan: Plan, alpha: float, power: float) -> float:
    """How many times more units looking early costs, for a two-sided test at `alpha` (one-sided: twice its alpha)."""
    if plan.method == "sequential":
        return inflation(alpha, power)
    if plan.method == "group_sequential" and plan.looks:
        return group_inflation(boundaries(plan.looks, alpha, Spending(plan.spending.name, plan.spending.gamma)), power)
    if plan.method == "hybrid":
        # At the end the test has what is left of alpha; what is found early comes on top.
        return (z_sum(hybrid(alpha, plan.monitoring).final, power) / z_sum(alpha, power)) ** 2
    return 1.0
