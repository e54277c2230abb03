"""How a comparison is read now: at the end by its test, at any look by a band, at a planned look by its boundary, or by
what is believed after the data.

Every way ends in one critical value for the estimate and its standard error, so that it composes with whatever made
them: means, ratios, adjusted values, clusters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from abtest.analysis.plan_looks import Schedule
from abtest.analysis.procedures import Procedure, with_lift
from abtest.language.model import Plan
from abtest.stats.bayes import FLAT, Prior
from abtest.stats.group_sequential import boundaries
from abtest.stats.inference import Inference
from abtest.stats.sequential import critical, hybrid, optimal_kappa, p_value
from abtest.stats.spending import Spending, spent
from abtest.stats.stopped import repeated_p

NOT_TESTED = 38.0
"""Standard errors of a look that may spend nothing yet: an interval so wide excludes nothing."""


@dataclass(frozen=True)
class Setting:
    """How this run tests. `early`: read before its end by a plan that decides only there (or between planned looks);
    `progress`: the share of the plan in the data; `at_end`: the planned end is reached; `looks`: of a group sequential
    plan, what each metric had at its looks so far."""

    plan: Plan
    early: bool
    progress: float
    at_end: bool = True
    looks: Mapping[str, Schedule] = field(default_factory=dict)
    priors: Mapping[str, Prior] = field(default_factory=dict)
    """Of a bayesian plan, on the relative change of each metric; flat where none stands here."""

    def prior(self, metric: str) -> Prior:
        return self.priors.get(metric, FLAT)

    @property
    def every_look(self) -> bool:
        """Whether what is shown holds at every look, and is no test of the end."""
        method = self.plan.method
        return method == "sequential" or (method in ("hybrid", "group_sequential") and not self.at_end)


@dataclass(frozen=True)
class Read:
    """`shown` is what stands in the report, `judged` what states are read from, `p` belongs to `judged`; `band` holds at
    every look, where there is one."""

    fixed: Inference
    shown: Inference
    judged: Inference
    p: float | None
    band: Inference | None = None

    def without_lift(self, reason: str) -> Read:
        """The same with absolute numbers only."""
        bare = (replace(i, relative=None, relative_reason=reason) for i in (self.fixed, self.shown, self.judged))
        fixed, shown, judged = bare
        band = None if self.band is None else replace(self.band, relative=None, relative_reason=reason)
        return Read(fixed, shown, judged, self.p, band)


def read_now(procedure: Procedure, setting: Setting, alpha: float, metric: str) -> Read:
    """The comparison as it stands, by the method of the plan."""
    plan = setting.plan
    fixed = with_lift(procedure.infer(alpha, None), procedure, plan.lift)
    if plan.method == "group_sequential" and not setting.early and metric in setting.looks:
        return _at_a_look(procedure, fixed, setting, alpha, setting.looks[metric])
    share = plan.monitoring if plan.method == "hybrid" else 1.0
    if not (setting.early or setting.every_look or plan.method == "hybrid"):
        return Read(fixed, fixed, fixed, fixed.p_value)
    band, band_p = always_valid(procedure, share * alpha, setting.progress)
    band = with_lift(band, procedure, plan.lift)
    if plan.method == "hybrid" and setting.at_end:
        return _hybrid_end(procedure, fixed, alpha, setting, band_p)
    p = None if band_p is None else min(1.0, band_p / share)
    return Read(fixed, band if setting.every_look else fixed, band, p, band)


def always_valid(procedure: Procedure, alpha: float, progress: float) -> tuple[Inference, float | None]:
    """The same estimate with a band that holds at every look, tightest at the planned end, and its p-value."""
    kappa = optimal_kappa(alpha) * max(progress, 1e-6)
    band = procedure.infer(alpha, critical(kappa, alpha))
    if band.status != "ok" or band.absolute is None or not band.absolute.se:
        return band, None
    return band, p_value(band.absolute.estimate / band.absolute.se, kappa)


def _hybrid_end(procedure: Procedure, fixed: Inference, alpha: float, setting: Setting, band_p: float | None) -> Read:
    """What is left of alpha, in one ordinary test. p is that of both parts together: below alpha just when the part
    that found it is below its own."""
    plan = setting.plan
    final = with_lift(procedure.infer(hybrid(alpha, plan.monitoring).final, None), procedure, plan.lift)
    found = [] if final.p_value is None else [final.p_value / (1.0 - plan.monitoring)]
    found += [] if band_p is None else [band_p / plan.monitoring]
    crossed = band_p is not None and band_p < plan.monitoring * alpha
    if crossed and (final.p_value is None or final.p_value >= (1.0 - plan.monitoring) * alpha):
        band, _ = always_valid(procedure, plan.monitoring * alpha, setting.progress)
        final = with_lift(band, procedure, plan.lift)
    return Read(fixed, final, final, min(1.0, *found) if found else None)


def _at_a_look(procedure: Procedure, fixed: Inference, setting: Setting, alpha: float, looks: Schedule) -> Read:
    """The repeated interval of this look, and the repeated p (Jennison & Turnbull 1989)."""
    bound = bound_of(looks, alpha, _spending(setting.plan))
    shown = with_lift(procedure.infer(alpha, min(bound, NOT_TESTED)), procedure, setting.plan.lift)
    if shown.status != "ok" or shown.absolute is None or not shown.absolute.se or math.isinf(bound):
        return Read(fixed, shown, shown, None)
    p = repeated_p(
        shown.absolute.estimate / shown.absolute.se,
        looks.information,
        _spending(setting.plan),
        final=looks.final,
        schedule=looks.fractions,
    )
    return Read(fixed, replace(shown, p_value=p), replace(shown, p_value=p), p)


def _spending(plan: Plan) -> Spending:
    return Spending(plan.spending.name, plan.spending.gamma)


def boundary(looks: Schedule, plan: Plan) -> tuple[float | None, float | None]:
    """The boundary of the last look for tests at alpha, and the part of alpha that is spent by then; None where it may
    not test."""
    bound = bound_of(looks, plan.alpha, _spending(plan))
    if bound == float("inf"):
        return None, None
    return bound, plan.alpha if looks.final else spent(looks.fractions[-1], plan.alpha, _spending(plan))


@lru_cache(maxsize=256)
def bound_of(looks: Schedule, alpha: float, spending: Spending) -> float:
    """The boundary of the last look, in standard errors; infinite where it may not test."""
    if not looks.information or not (looks.final or spent(looks.fractions[-1], alpha, spending) > 0.0):
        return float("inf")
    found = boundaries(looks.information, alpha, spending, final=looks.final, schedule=looks.fractions)
    return found.bounds[-1]
