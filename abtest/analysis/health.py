"""Trust checks. Only what is fixed before treatment, or is pipeline, may fail; behaviour after exposure gives notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from abtest.analysis import thresholds as t
from abtest.analysis.arms import Arm
from abtest.analysis.dates import iso
from abtest.analysis.result import HealthCheck, HealthLevel, MetricResult
from abtest.language.model import Experiment, Metric
from abtest.stats.means import welch
from abtest.stats.moments import PairMoments
from abtest.stats.ratios import delta
from abtest.stats.srm import srm


def check_srm(
    experiment: Experiment, units: Mapping[str, int], clusters: Mapping[str, int] | None = None
) -> HealthCheck:
    """Sample ratio mismatch: what was randomised, units or whole clusters, per variant against the planned shares."""
    observed = [(units if clusters is None else clusters).get(v.id, 0) for v in experiment.variants]
    shares = [v.share or 0.0 for v in experiment.variants]
    total = sum(observed)
    test = srm(observed, shares)
    if test.p_value is None or test.max_deviation is None or min(s * total for s in shares if s > 0) < 5:
        return HealthCheck(
            "srm", "experiment", None, "not_run", "not_enough_units" if clusters is None else "not_enough_clusters"
        )
    level: HealthLevel = "pass"
    if test.p_value < experiment.plan.srm_alpha and test.max_deviation >= t.SRM_DEVIATION:
        level = "fail"
    elif test.p_value < t.SRM_NOTE:
        level = "note"
    words: dict[str, int | float | str | None] = {
        "observed": " : ".join(f"{n:,}" for n in observed),
        "expected": " : ".join(f"{100 * s:g}%" for s in shares),
        "p_value": test.p_value,
        "statistic": test.statistic,
        "max_deviation": test.max_deviation,
    }
    words |= {} if clusters is None else {"clusters": total}
    return HealthCheck("srm", "experiment", None, level, None, words)


def check_mixed(mixed: int, exposed: int, dropped: bool) -> HealthCheck:
    """Units that saw more than one variant."""
    share = mixed / exposed if exposed else 0.0
    level: HealthLevel = "fail" if share > t.MIXED_FAIL and dropped else "note" if share > t.MIXED_NOTE else "pass"
    return HealthCheck("mixed_exposure", "experiment", None, level, None, {"share": share, "count": mixed})


def check_before_start(count: int, has_dates: bool) -> HealthCheck:
    if not has_dates:
        return HealthCheck("exposure_before_start", "experiment", None, "not_run", "no_time")
    return HealthCheck("exposure_before_start", "experiment", None, "note" if count else "pass", None, {"count": count})


def check_unit_loss(source: str, losses: Mapping[str, PairMoments], baseline: str) -> HealthCheck:
    """Share of rows lost (bad time, duplicates), compared per unit: rows of one unit are not independent."""
    control = losses.get(baseline)
    worst: tuple[float, float] | None = None
    for variant, pair in losses.items():
        if variant == baseline or control is None:
            continue
        found = delta(pair, control)
        if found.p_value is not None and found.absolute is not None and (worst is None or found.p_value < worst[0]):
            worst = (found.p_value, found.absolute.estimate)
    if worst is None:
        return HealthCheck("unit_loss", "experiment", source, "pass", None, {"p_value": None, "share": 0.0})
    p, difference = worst
    level: HealthLevel = "pass"
    if p < t.LOSS_FAIL_P and abs(difference) >= t.LOSS_DIFFERENCE:
        level = "fail"
    elif p < t.LOSS_NOTE_P:
        level = "note"
    return HealthCheck("unit_loss", "experiment", source, level, None, {"p_value": p, "share": difference})


def check_row_loss(source: str, dropped: int, rows: int) -> HealthCheck:
    share = dropped / rows if rows else 0.0
    return HealthCheck(
        "row_loss",
        "experiment",
        source,
        "note" if share > t.ROW_LOSS_NOTE else "pass",
        None,
        {"dropped": dropped, "share": share},
    )


_TIME_NOTES = ("without_zone", "stray_future", "gap", "fold")


def check_notes(source: str, notes: Mapping[str, int]) -> list[HealthCheck]:
    """What reading a source had to repair: times (no zone, far in the future), and values that are no numbers."""
    found = []
    times: dict[str, int | float | str | None] = {k: notes[k] for k in _TIME_NOTES if notes.get(k)}
    if times:
        total = sum(notes[k] for k in times)
        found.append(HealthCheck("late_or_future", "experiment", source, "note", None, {"count": total, **times}))
    return found + [
        HealthCheck(key, "experiment", source, "note", None, {"count": notes[key]})
        for key in ("bad_number", "outside_scale")
        if notes.get(key)
    ]


def check_coverage(source: str, first: int, exposed_first: int | None, exposed_last: int | None) -> HealthCheck | None:
    """Whether a log begins early enough: before its first row silence is not a zero but a hole. Days since 1970."""
    if exposed_first is None or exposed_last is None:
        return None
    days = first - exposed_first
    level: HealthLevel = "fail" if first > exposed_last else "note" if days > 1 else "pass"
    values: dict[str, int | float | str | None] = {"days": max(0, days), "first": iso(first)}
    return HealthCheck("coverage", "experiment", source, level, None, values)


def check_unknown_variant(rows: int, keys: Sequence[str]) -> HealthCheck:
    """Exposures to variants that the experiment does not declare: a forgotten arm, or another experiment's."""
    values: dict[str, int | float | str | None] = {"count": rows, "keys": ", ".join(keys)}
    return HealthCheck("unknown_variant", "experiment", None, "note" if rows else "pass", None, values)


def check_event_seen(event: str, source: str, rows: int) -> HealthCheck | None:
    """An event that no row of the log is: its names exist, but its `where` never holds."""
    if rows:
        return None
    return HealthCheck("event_seen", "experiment", event, "note", None, {"count": 0, "source": source})


def check_runtime(days: int | None, open_windows: bool) -> HealthCheck:
    """Two weeks at least; whole weeks where windows are open (a fixed window weighs weekdays alike for everybody)."""
    if days is None:
        return HealthCheck("runtime", "experiment", None, "not_run", "no_time")
    level: HealthLevel = "pass" if days >= t.DAYS_ADVISED and (days % 7 == 0 or not open_windows) else "note"
    return HealthCheck("runtime", "experiment", None, level, None, {"days": days, "whole_weeks": days // 7})


def metric_checks(
    metric: MetricResult, definition: Metric, arms: Mapping[str, Arm], baseline: str
) -> list[HealthCheck]:
    """Checks of one deciding metric: maturity, counts, skewness, size of the change, and a moving denominator."""
    found = [_maturity(metric), _counts(metric, arms), _plausible(metric)]
    clustered = any(a.clustered for a in arms.values())
    if metric.estimator == "mean" and not clustered:  # clusters are averages, and their number has a check of its own
        found.append(_skew(metric, arms))
    if definition.kind == "ratio":
        found.append(_denominator(metric, arms, baseline))
    return [f for f in found if f is not None]


def _maturity(metric: MetricResult) -> HealthCheck | None:
    if metric.window is None:
        return None
    exposed = sum(a.exposed for a in metric.arms)
    immature = sum(a.immature for a in metric.arms)
    share = immature / exposed if exposed else 0.0
    return HealthCheck(
        "maturity",
        "metric",
        metric.key,
        "note" if immature else "pass",
        None,
        {"share_immature": share, "mature_on": metric.mature_on},
    )


def _counts(metric: MetricResult, arms: Mapping[str, Arm]) -> HealthCheck:
    units = min((a.used for a in arms.values()), default=0)
    hits = min(
        (min(a.counts.successes, a.counts.n - a.counts.successes) for a in arms.values() if a.counts),
        default=t.CONVERSIONS_ADVISED,
    )
    level: HealthLevel = "note" if units < t.UNITS_ADVISED or hits < t.CONVERSIONS_ADVISED else "pass"
    return HealthCheck(
        "min_counts",
        "metric",
        metric.key,
        level,
        None,
        {"units": units, "conversions": hits if metric.estimator == "proportion" else None},
    )


def _plausible(metric: MetricResult) -> HealthCheck | None:
    lifts = [
        abs(c.relative.estimate)
        for c in metric.comparisons
        if c.relative is not None and c.state in ("better", "worse")
    ]
    if not lifts:
        return None
    return HealthCheck(
        "twyman", "metric", metric.key, "note" if max(lifts) > t.LIFT_TWYMAN else "pass", None, {"lift": max(lifts)}
    )


def _skew(metric: MetricResult, arms: Mapping[str, Arm]) -> HealthCheck | None:
    need, units = 0.0, 0
    for arm in arms.values():
        skewness = arm.moments.skewness if arm.moments is not None and arm.moments.n > 1 else None
        if skewness is not None and t.SKEW_FACTOR * skewness**2 >= need:
            need, units = t.SKEW_FACTOR * skewness**2, arm.used
    if not units:
        return None
    return HealthCheck(
        "skewness",
        "metric",
        metric.key,
        "note" if units < need else "pass",
        None,
        {"needed": round(need), "units": units},
    )


def _denominator(metric: MetricResult, arms: Mapping[str, Arm], baseline: str) -> HealthCheck | None:
    p_values = [_denominator_p(arm, arms[baseline]) for variant, arm in arms.items() if variant != baseline]
    known = [p for p in p_values if p is not None]
    if not known:
        return None
    return HealthCheck(
        "denominator_shift",
        "metric",
        metric.key,
        "note" if min(known) < t.DENOMINATOR_P else "pass",
        None,
        {"p_value": min(known)},
    )


def _denominator_p(arm: Arm, control: Arm) -> float | None:
    if arm.clustered:
        t, c = (a.clusters.below if a.clusters is not None else None for a in (arm, control))
        return None if t is None or c is None else delta(t, c).p_value
    if arm.pair is None or control.pair is None:
        return None
    return welch(arm.pair.y, control.pair.y).p_value


def summary(checks: Sequence[HealthCheck]) -> dict[str, int]:
    return {level: sum(c.level == level for c in checks) for level in ("pass", "note", "fail", "not_run")}
