"""The values of one metric: are they there, are there enough, does a single one carry the result, is it too good?"""

from __future__ import annotations

from collections.abc import Mapping

from abtest.analysis import thresholds as t
from abtest.analysis.arms import Arm
from abtest.analysis.result import Comparison, HealthCheck, HealthLevel, MetricResult, Number
from abtest.language.model import Metric
from abtest.stats.means import welch
from abtest.stats.moments import Moments
from abtest.stats.ratios import delta
from abtest.stats.tables import homogeneity

Facts = dict[str, Number | str | None]


def metric_checks(
    metric: MetricResult, definition: Metric, arms: Mapping[str, Arm], baseline: str
) -> list[HealthCheck]:
    """Checks of one deciding metric that need its arms only."""
    found = [_maturity(metric), _counts(metric, arms), _plausible(metric, arms)]
    clustered = any(a.clustered for a in arms.values())
    if metric.estimator == "mean" and not clustered:  # clusters are averages, and their number has a check of its own
        found += [_skew(metric, arms), _leverage(metric, arms), _largest(metric, arms, baseline)]
    if definition.kind == "ratio":
        found.append(_denominator(metric, arms, baseline))
    if definition.survey is None and not clustered:
        found.append(_missing(metric, arms))
    return [f for f in found if f is not None]


def _maturity(metric: MetricResult) -> HealthCheck | None:
    if metric.window is None:
        return None
    exposed = sum(a.exposed for a in metric.arms)
    immature = sum(a.immature for a in metric.arms)
    share = immature / exposed if exposed else 0.0
    level: HealthLevel = "note" if immature else "pass"
    facts: Facts = {"share_immature": share, "mature_on": metric.mature_on}
    return HealthCheck("maturity", "metric", metric.key, level, None, facts)


def _counts(metric: MetricResult, arms: Mapping[str, Arm]) -> HealthCheck:
    units = min((a.used for a in arms.values()), default=0)
    hits = min(
        (min(a.counts.successes, a.counts.n - a.counts.successes) for a in arms.values() if a.counts),
        default=t.CONVERSIONS_ADVISED,
    )
    level: HealthLevel = "note" if units < t.UNITS_ADVISED or hits < t.CONVERSIONS_ADVISED else "pass"
    facts: Facts = {"units": units, "conversions": hits if metric.estimator == "proportion" else None}
    return HealthCheck("min_counts", "metric", metric.key, level, None, facts)


def _clear(metric: MetricResult) -> list[Comparison]:
    return [c for c in metric.comparisons if c.state in ("better", "worse")]


def _plausible(metric: MetricResult, arms: Mapping[str, Arm]) -> HealthCheck | None:
    """Twyman's law, for clear changes: the lift, the distance from zero in standard errors, and a spread that no mere
    shift of the mean explains."""
    clear = _clear(metric)
    lifts = [abs(c.relative.estimate) for c in clear if c.relative is not None]
    far = [abs(c.absolute.estimate) / c.absolute.se for c in clear if c.absolute is not None and c.absolute.se]
    if not lifts and not far:
        return None
    ratio = (
        _variance_ratio(arms, [c.variant for c in clear])
        if metric.estimator == "mean" and not any(a.clustered for a in arms.values())
        else 1.0
    )
    odd = max(lifts, default=0.0) > t.LIFT_TWYMAN or max(far, default=0.0) > t.Z_TWYMAN or ratio > t.VARIANCE_TWYMAN
    facts: Facts = {"lift": max(lifts, default=None), "z": max(far, default=None), "variance_ratio": ratio}
    return HealthCheck("twyman", "metric", metric.key, "note" if odd else "pass", None, facts)


def _variance_ratio(arms: Mapping[str, Arm], variants: list[str]) -> float:
    """The largest variance over the smallest, of variants with a clear change and whatever they are compared with."""
    found = [a.moments.variance for a in arms.values() if a.moments is not None and a.moments.n > 1]
    return max(found) / min(found) if variants and found and min(found) > 0 else 1.0


def _skew(metric: MetricResult, arms: Mapping[str, Arm]) -> HealthCheck | None:
    need, units = 0.0, 0
    for arm in arms.values():
        skewness = arm.moments.skewness if arm.moments is not None and arm.moments.n > 1 else None
        if skewness is not None and t.SKEW_FACTOR * skewness**2 >= need:
            need, units = t.SKEW_FACTOR * skewness**2, arm.used
    if not units:
        return None
    facts: Facts = {"needed": round(need), "units": units}
    return HealthCheck("skewness", "metric", metric.key, "note" if units < need else "pass", None, facts)


def _summed(arm: Arm) -> Moments | None:
    """Moments of values that add up to a total of which a unit has a share: none below zero, in enough units."""
    m = arm.moments
    if m is None or m.maximum is None or m.minimum is None or m.n < t.UNITS_ADVISED:
        return None
    return m if m.minimum >= 0 and m.total > 0 else None


def _leverage(metric: MetricResult, arms: Mapping[str, Arm]) -> HealthCheck | None:
    shares = [m.maximum / m.total for m in map(_summed, arms.values()) if m is not None and m.maximum is not None]
    if not shares or len(shares) < len(arms):
        return None
    level: HealthLevel = "note" if max(shares) > t.LEVERAGE_NOTE else "pass"
    return HealthCheck("leverage", "metric", metric.key, level, None, {"top_share": max(shares)})


def without_largest(m: Moments) -> Moments:
    """The moments without the largest unit, exactly: the deviations it takes along are (x - mean)^2 n / (n - 1).

    >>> from abtest.stats.moments import moments_of
    >>> without_largest(moments_of([1.0, 2.0, 3.0, 10.0]))
    Moments(n=3, mean=2.0, m2=2.0, m3=None, minimum=None, maximum=None, top_share=None, histogram=None, pairs=())
    """
    assert m.maximum is not None
    off = m.maximum - m.mean
    return Moments(m.n - 1, m.mean - off / (m.n - 1), max(0.0, m.m2 - off * off * m.n / (m.n - 1)))


def _largest(metric: MetricResult, arms: Mapping[str, Arm], baseline: str) -> HealthCheck | None:
    """Whether a clear change is still half as large, and on the same side, without the largest unit of each variant."""
    rest = {v: without_largest(a.moments) for v, a in arms.items() if a.moments and a.moments.maximum is not None and a.moments.n > 2}  # fmt: skip
    lost = []
    for c in _clear(metric):
        own, control = arms[c.variant].moments, arms[baseline].moments
        if c.variant not in rest or baseline not in rest or own is None or control is None:
            continue
        whole, part = welch(own, control), welch(rest[c.variant], rest[baseline])
        if whole.absolute is not None and part.absolute is not None and whole.absolute.estimate:
            lost.append(1 - part.absolute.estimate / whole.absolute.estimate)
    if not lost:
        return None
    level: HealthLevel = "note" if max(lost) > t.LEVERAGE_CHANGE else "pass"
    return HealthCheck("largest_unit", "metric", metric.key, level, None, {"lost": max(lost)})


def _denominator(metric: MetricResult, arms: Mapping[str, Arm], baseline: str) -> HealthCheck | None:
    p_values = [_denominator_p(arm, arms[baseline]) for variant, arm in arms.items() if variant != baseline]
    known = [p for p in p_values if p is not None]
    if not known:
        return None
    p = min(1.0, min(known) * len(known))
    level: HealthLevel = "note" if p < t.DENOMINATOR_P else "pass"
    return HealthCheck("denominator_shift", "metric", metric.key, level, None, {"p_value": p})


def _denominator_p(arm: Arm, control: Arm) -> float | None:
    if arm.clustered:
        t, c = (a.clusters.below if a.clusters is not None else None for a in (arm, control))
        return None if t is None or c is None else delta(t, c).p_value
    if arm.pair is None or control.pair is None:
        return None
    return welch(arm.pair.y, control.pair.y).p_value


def _missing(metric: MetricResult, arms: Mapping[str, Arm]) -> HealthCheck | None:
    """Units whose window is complete and that have no value all the same (not zero: none)."""
    table = [(a.used, a.missing) for a in arms.values() if a.used + a.missing]
    if not table:
        return None
    share = sum(b for _, b in table) / sum(a + b for a, b in table)
    p = homogeneity(table).p_value if len(table) > 1 else None
    apart = p is not None and p < t.MISSING_NOTE_P
    level: HealthLevel = "note" if apart or share > t.MISSING_NOTE else "pass"
    facts: Facts = {"share": share, "p_value": p if apart else None}
    return HealthCheck("missing_units", "metric", metric.key, level, None, facts)
