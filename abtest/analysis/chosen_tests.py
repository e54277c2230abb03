"""The tests that a metric asks for with `test:`, and the exact test that small yes-or-no metrics get by themselves.

Each is a function of two arms that gives an `Inference`. Those that cannot be read at another critical value than their
own (exact tests, the bootstrap) have no always-valid band: before the planned end the means are shown in their place.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from abtest.analysis.arms import Arm
from abtest.analysis.result import Scale
from abtest.stats import exact, proportions
from abtest.stats.distributions import critical_value, two_sided
from abtest.stats.exact_ranks import exact_rank_p
from abtest.stats.inference import Estimate, Inference, no_test
from abtest.stats.means import welch
from abtest.stats.moments import Counts
from abtest.stats.order_statistics import bootstrap_contrast
from abtest.stats.ordinal import Categories, brunner_munzel, mann_whitney
from abtest.stats.proportional_odds import proportional_odds
from abtest.stats.quantiles import quantile_contrast
from abtest.stats.survival import Lifetable, log_rank, rmst

Chosen = Callable[[Arm, Arm, float, float | None], Inference]
FEW_EXPECTED = 5.0
"""Expected units in a cell of the two by two table; below it the score test's normal approximation is poor (Cochran
1954) and the exact test takes its place."""


def wants_exact(treatment: Counts, control: Counts) -> bool:
    """Whether a comparison of two shares is small enough for the exact test, and needs it."""
    if min(treatment.n, control.n) == 0 or max(treatment.n, control.n) > exact.LARGEST_ARM:
        return False
    pooled = (treatment.successes + control.successes) / (treatment.n + control.n)
    return min(treatment.n, control.n) * min(pooled, 1.0 - pooled) < FEW_EXPECTED


def _exact(t: Arm, c: Arm, alpha: float, critical: float | None) -> Inference:
    assert t.counts is not None
    assert c.counts is not None
    if critical is not None:
        return welch(t.counts.moments, c.counts.moments, critical=critical)
    return exact.exact_score(t.counts, c.counts, alpha=alpha)


def _by_p(name: str, p_of: Callable[[Counts, Counts], float]) -> Chosen:
    """An exact test with a p-value and no interval of its own."""

    def infer(t: Arm, c: Arm, alpha: float, critical: float | None) -> Inference:
        assert t.counts is not None
        assert c.counts is not None
        if critical is not None:
            return welch(t.counts.moments, c.counts.moments, critical=critical)
        if min(t.counts.n, c.counts.n) == 0:
            return no_test("no_units", name)
        difference = t.counts.rate - c.counts.rate
        small = (t.counts.n + 1) * (c.counts.n + 1) <= exact.LARGEST_TABLE
        if name != "fisher" and not (small and t.counts.n + c.counts.n <= exact.LARGEST_UNITS):
            return no_test("too_many_units", name, difference)
        p = p_of(t.counts, c.counts)
        return Inference("ok", None, name, Estimate(difference), None, "no_exact_interval", p_value=p)

    return infer


def _interval_of(name: str, interval: Callable[..., tuple[float, float]]) -> Chosen:
    """The score test beside another tool's interval of the difference."""

    def infer(t: Arm, c: Arm, alpha: float, critical: float | None) -> Inference:
        assert t.counts is not None
        assert c.counts is not None
        level = alpha if critical is None else two_sided(critical)
        found = proportions.score(t.counts, c.counts, alpha=level)
        if found.status != "ok" or found.absolute is None:
            return found
        low, high = interval(t.counts, c.counts, alpha=level)
        absolute = Estimate(found.absolute.estimate, low, high, found.absolute.se)
        return Inference(
            "ok", None, name, absolute, found.relative, found.relative_reason, found.statistic, None, found.p_value
        )

    return infer


def categories(arm: Arm) -> Categories | None:
    """How many units have each value."""
    if arm.values is None:
        return None
    return Categories(tuple(v for v, _ in arm.values), tuple(n for _, n in arm.values))


def lifetable(arm: Arm, never: float) -> Lifetable | None:
    """Waiting times by length; who has waited `never` had no event."""
    if arm.values is None:
        return None
    return Lifetable(
        tuple(v for v, _ in arm.values),
        tuple(0 if v >= never else n for v, n in arm.values),
        tuple(n if v >= never else 0 for v, n in arm.values),
    )


def _brunner_munzel(t: Arm, c: Arm, alpha: float, critical: float | None) -> Inference:
    found = _both(t, c)
    if found is None:
        return no_test("too_many_values", "brunner_munzel")
    test = brunner_munzel(*found, alpha=alpha, critical=critical)
    if test.status != "ok" or test.probability is None:
        half = None if test.probability is None else test.probability - 0.5
        return no_test(test.reason or "no_units", "brunner_munzel", half)
    low, high = (None if b is None else b - 0.5 for b in (test.low, test.high))
    absolute = Estimate(test.probability - 0.5, low, high, test.se)
    return Inference(
        "ok", None, "brunner_munzel", absolute, None, "no_lift", test.statistic, test.df, test.p_value, test.critical
    )


def _mann_whitney(t: Arm, c: Arm, alpha: float, critical: float | None) -> Inference:
    if critical is not None:
        return _brunner_munzel(t, c, alpha, critical)
    found = _both(t, c)
    if found is None:
        return no_test("too_many_values", "mann_whitney")
    test = mann_whitney(*found)
    if test.status != "ok" or test.probability is None:
        return no_test(test.reason or "no_units", "mann_whitney")
    absolute = Estimate(test.probability - 0.5)
    exactly = exact_rank_p(*found)
    p = test.p_value if exactly is None else exactly
    return Inference("ok", None, "mann_whitney", absolute, None, "no_lift", test.statistic, None, p)


def _proportional_odds(t: Arm, c: Arm, alpha: float, critical: float | None) -> Inference:
    found = _both(t, c)
    if found is None:
        return no_test("too_many_values", "proportional_odds")
    test = proportional_odds(*found, alpha=alpha, critical=critical)
    if test.status != "ok" or test.ratio is None or test.log_ratio is None:
        return no_test(test.reason or "no_units", "proportional_odds")
    absolute = _log_interval(test.log_ratio, test.se, test.critical)
    relative = Estimate(
        test.ratio - 1.0, None if test.low is None else test.low - 1.0, None if test.high is None else test.high - 1.0
    )
    return Inference(
        "ok", None, "proportional_odds", absolute, relative, None, test.statistic, None, test.p_value, test.critical
    )


def _log_interval(estimate: float, se: float | None, critical: float | None) -> Estimate:
    if se is None or critical is None:
        return Estimate(estimate)
    return Estimate(estimate, estimate - critical * se, estimate + critical * se, se)


def _both(t: Arm, c: Arm) -> tuple[Categories, Categories] | None:
    one, other = categories(t), categories(c)
    return None if one is None or other is None else (one, other)


def rmst_of(never: float) -> Chosen:
    """The restricted mean of the waiting time within the window."""

    def infer(t: Arm, c: Arm, alpha: float, critical: float | None) -> Inference:
        one, other = lifetable(t, never), lifetable(c, never)
        if one is None or other is None:
            return no_test("too_many_values", "rmst")
        return rmst(one, other, never, alpha=alpha, critical=critical)

    return infer


def log_rank_of(never: float) -> Chosen:
    """The log-rank test, and Peto's ratio of hazards: above 1 the treatment has its events earlier."""

    def infer(t: Arm, c: Arm, alpha: float, critical: float | None) -> Inference:
        one, other = lifetable(t, never), lifetable(c, never)
        if one is None or other is None:
            return no_test("too_many_values", "log_rank")
        test = log_rank(one, other, alpha=alpha if critical is None else two_sided(critical))
        if test.status != "ok" or test.variance is None or test.variance <= 0.0:
            return no_test(test.reason or "no_events", "log_rank")
        assert test.observed is not None
        assert test.expected is not None
        log_ratio, se = (test.observed - test.expected) / test.variance, 1.0 / math.sqrt(test.variance)
        quantile = critical_value(alpha) if critical is None else critical
        # A larger hazard is a shorter wait: turned, so that more still means longer.
        absolute = _log_interval(-log_ratio, se, quantile)
        relative = None
        if test.hazard_ratio is not None:
            bounds = tuple(None if b is None else math.expm1(b) for b in (absolute.low, absolute.high))
            relative = Estimate(math.expm1(-log_ratio), *bounds)
        p = test.p_value if critical is None else None
        z = (test.observed - test.expected) * se
        return Inference("ok", None, "log_rank", absolute, relative, test.hazard_ratio_reason, -z, None, p, quantile)

    return infer


def _bootstrap(t: Arm, c: Arm, alpha: float, critical: float | None) -> Inference:
    assert t.quantile is not None
    assert c.quantile is not None
    if critical is not None or t.quantile.value is None or c.quantile.value is None:
        return quantile_contrast(t.quantile, c.quantile, alpha=alpha, critical=critical)
    return bootstrap_contrast(t.ordered, c.ordered, (t.quantile.value, c.quantile.value), alpha=alpha)


CHOSEN: dict[str, Chosen] = {
    "exact": _exact,
    "fisher": _by_p("fisher", exact.fisher),
    "barnard": _by_p("barnard", exact.barnard),
    "boschloo": _by_p("boschloo", exact.boschloo),
    "newcombe": _interval_of("newcombe", proportions.newcombe),
    "miettinen_nurminen": _interval_of("miettinen_nurminen", proportions.miettinen_nurminen),
    "brunner_munzel": _brunner_munzel,
    "mann_whitney": _mann_whitney,
    "proportional_odds": _proportional_odds,
    "bootstrap": _bootstrap,
}
ON_ANSWERS = ("exact", "fisher", "barnard", "boschloo", "newcombe", "miettinen_nurminen", "score")
SCALES: dict[str, Scale] = {
    "brunner_munzel": "chance", "mann_whitney": "chance", "proportional_odds": "odds", "log_rank": "hazard",
}  # fmt: skip
"""On what scale an effect stands that is no difference of values."""
