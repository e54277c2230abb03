"""The smallest change that a metric finds after each week: by its test, against its own margin, or by what is believed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from abtest.language.model import Plan
from abtest.stats.bayes import FLAT, WEAK, Prior, detectable_with_prior, inflation
from abtest.stats.power import Noise, detectable_lift
from abtest.stats.sizing import ready


def planning_prior(plan: Plan, role: str) -> Prior:
    """The prior on the relative change for the better that a goal is planned with; `history` is not read for a plan, and
    counts as weak."""
    if plan.method != "bayesian" or role != "goal" or plan.prior.kind == "flat":
        return FLAT
    return Prior(plan.prior.mean, plan.prior.sd) if plan.prior.kind == "own" else WEAK


def prior_inflation(prior: Prior, relative: float | None, alpha: float, power: float) -> float | None:
    """What the prior costs a goal that shall find this relative change; None where the prior alone would find it."""
    return 1.0 if prior == FLAT or not relative else inflation(relative, prior, alpha=alpha, power=power)


def by_margin(
    noise: Noise, base: float, curve: Sequence[float], *, alpha: float, power: float, traffic: float, follow_up: int,
    inflation: float, lower: bool,
) -> tuple[float | None, ...]:  # fmt: skip
    """The smallest relative margin that can be shown to hold, in the metric's unit. `noise` is that of both arms as they
    are: the margin itself scales the control's part, so that it solves m^2 = a + b (1 -+ m)^2."""
    found: list[float | None] = []
    for complete in ready(curve, follow_up):
        lift = None
        if complete > 0.0:
            lift = detectable_lift(
                noise, base, complete * traffic, alpha=alpha, power=power, sides=1, inflation=inflation, rise=lower
            )
        found.append(None if lift is None else abs(lift) * base)
    return tuple(found)


def by_belief(
    noise: Noise, base: float, curve: Sequence[float], prior: Prior, *, alpha: float, power: float, traffic: float,
    follow_up: int,
) -> tuple[float | None, ...]:  # fmt: skip
    """The smallest change whose credible interval leaves zero, in the metric's unit; `prior` is on the relative change."""
    found: list[float | None] = []
    for complete in ready(curve, follow_up):
        change = None
        if complete > 0.0:
            se = math.sqrt(noise.per_unit / (complete * traffic)) / base
            change = detectable_with_prior(se, prior, alpha=alpha, power=power) * base
        found.append(change)
    return tuple(found)
