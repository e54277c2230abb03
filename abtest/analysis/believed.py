"""What is believed of an effect after the data, for bayesian plans: the posterior in place of the test.

The estimate and its standard error are those of the test that fits; the prior speaks of the relative change. Where a
metric has no lift (a score, a baseline near zero), only a flat prior has a meaning, and it is used. Where it has one, the
absolute change is the relative one times the control value, so that both say the same of zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from abtest.analysis.interval import interval_of
from abtest.analysis.result import Believed, Interval, MarginResult
from abtest.language.model import Margin, Plan
from abtest.stats import margins
from abtest.stats.bayes import (
    FLAT,
    Posterior,
    Prior,
    chance_to_win,
    credible_interval,
    expected_loss,
    posterior,
)
from abtest.stats.distributions import critical_value
from abtest.stats.inference import Estimate, Inference
from abtest.stats.margins import MarginTest


@dataclass(frozen=True)
class Belief:
    """`inference`: the posterior in the place of estimate and interval; `told` what the result keeps of it."""

    inference: Inference
    told: Believed


def believed_of(
    fixed: Inference,
    plan: Plan,
    prior: Prior,
    control: float | None,
    better: Literal["higher", "lower"] | None,
    alpha: float,
) -> Belief | None:
    """The posterior of a bayesian plan; None for other plans, and where the test has no estimate."""
    if plan.method != "bayesian" or fixed.status != "ok" or fixed.absolute is None or not fixed.absolute.se:
        return None
    lift = fixed.relative
    relative: Posterior | None = None
    if lift is not None and lift.se:
        relative = posterior(lift.estimate, lift.se, prior)
    if relative is not None and control:
        absolute = Posterior(relative.mean * abs(control), relative.sd * abs(control))
    else:
        absolute = posterior(fixed.absolute.estimate, fixed.absolute.se)
    judged = relative if relative is not None else absolute
    loss = expected_loss(judged, better or "higher")
    told = Believed(
        scale="relative" if relative is not None else "absolute",
        mean=judged.mean,
        sd=judged.sd,
        low=credible_interval(judged, 1.0 - alpha)[0],
        high=credible_interval(judged, 1.0 - alpha)[1],
        chance=chance_to_win(judged, better or "higher"),
        loss_ship=loss.ship,
        loss_keep=loss.keep,
        prior_mean=None if relative is None or prior == FLAT else prior.mean,
        prior_sd=None if relative is None or prior == FLAT else prior.sd,
        data_absolute=interval_of(fixed.absolute),
        data_relative=interval_of(fixed.relative),
    )
    shown = replace(
        fixed,
        method="posterior",
        absolute=_estimate(absolute, alpha),
        relative=None if relative is None else _estimate(relative, alpha),
        relative_reason=fixed.relative_reason if relative is None else None,
        statistic=None,
        df=None,
        p_value=None,
        critical=critical_value(alpha),
    )
    return Belief(shown, told)


def _estimate(found: Posterior, alpha: float) -> Estimate:
    low, high = credible_interval(found, 1.0 - alpha)
    return Estimate(found.mean, low, high, found.sd)


def believed_margin(margin: Margin, judged: Inference, better: Literal["higher", "lower"]) -> MarginResult:
    """The credible interval in units of the margin: right is better, -1 is the margin."""
    found = judged.relative if margin.kind == "relative" else judged.absolute
    if judged.status != "ok" or found is None or found.low is None or found.high is None:
        return MarginResult(margin.kind, margin.size, None, None, "no_test")
    sign = -1.0 if better == "lower" else 1.0
    ends = sorted((sign * found.low / margin.size, sign * found.high / margin.size))
    centre = sign * found.estimate / margin.size
    label = margins.guardrail_state(MarginTest("ok", None, centre, ends[0], ends[1]))
    return MarginResult(margin.kind, margin.size, Interval(centre, ends[0], ends[1], None), None, label)
