"""The looks of a plan as two-sided p-values of ordinary tests: below which one each look calls a difference."""

from __future__ import annotations

import math

from scipy import special

from abtest.language.model import Plan
from abtest.stats.distributions import critical_value
from abtest.stats.group_sequential import boundaries, power_of
from abtest.stats.sequential import critical, hybrid, hybrid_critical, kappa_at
from abtest.stats.spending import Spending

LOOKS_AT_WILL = 10
"""Looks that are tried of a plan that may be read at any time: after every tenth of its units."""


def looks_of(plan: Plan) -> tuple[float, ...]:
    """The looks that are tried, as shares of the planned units."""
    if plan.method == "group_sequential" and plan.looks:
        return tuple(plan.looks)
    if plan.method in ("sequential", "hybrid"):
        return tuple((k + 1) / LOOKS_AT_WILL for k in range(LOOKS_AT_WILL))
    return (1.0,)


def levels_of(plan: Plan, alpha: float, critical_z: float | None = None) -> tuple[float, ...]:
    """The p-value of each look (`looks_of`) for a two-sided test at `alpha` (one-sided: twice its alpha), by the method of the
    plan. `critical_z`: of a credible interval, how many standard errors the estimate has to be from zero."""
    at = looks_of(plan)
    if critical_z is not None:
        return (_p(critical_z),)
    if plan.method == "group_sequential" and plan.looks:
        bounds = boundaries(at, alpha, _spending(plan)).bounds
        return tuple(_p(b) for b in bounds)
    if plan.method == "sequential":
        return tuple(_p(critical(kappa_at(t, 1.0, alpha), alpha)) for t in at)
    if plan.method == "hybrid":
        parts = hybrid(alpha, plan.monitoring)
        bounds = tuple(hybrid_critical(parts, kappa_at(t, 1.0, parts.monitoring), at_end=t == at[-1]) for t in at)
        return tuple(_p(b) for b in bounds)
    return (alpha,)


def power_at(plan: Plan, alpha: float, drift: float, critical_z: float | None = None) -> float:
    """The chance to call an effect whose estimate is expected `drift` standard errors from zero at the end. For plans that
    may be read at any time that of the last look alone, which is the least."""
    if plan.method == "group_sequential" and plan.looks:
        return power_of(boundaries(looks_of(plan), alpha, _spending(plan)), drift)
    last = critical_value(levels_of(plan, alpha)[-1]) if critical_z is None else critical_z
    return float(special.ndtr(drift - last))


def _spending(plan: Plan) -> Spending:
    return Spending(plan.spending.name, plan.spending.gamma)


def _p(bound: float) -> float:
    return 0.0 if math.isinf(bound) else min(1.0, 2.0 * float(special.ndtr(-bound)))
