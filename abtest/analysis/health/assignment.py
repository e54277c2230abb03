"""Who is in which variant, and since when: what chance alone decides, and what must therefore be alike everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from abtest.analysis import thresholds as t
from abtest.analysis.health.table import Reason, not_run
from abtest.analysis.result import HealthCheck, HealthLevel, Number
from abtest.language.model import Experiment
from abtest.stats.means import welch
from abtest.stats.moments import from_sums
from abtest.stats.multiplicity import benjamini_hochberg
from abtest.stats.srm import anytime_srm, srm
from abtest.stats.tables import homogeneity, merge_rare

Facts = dict[str, Number | str | None]


def check_srm(
    experiment: Experiment, units: Mapping[str, int], clusters: Mapping[str, int] | None = None, running: bool = False
) -> HealthCheck:
    """Sample ratio mismatch: what was randomised, units or whole clusters, per variant against the planned shares.

    While the experiment is `running` somebody may look every day, so that it fails by a p-value that holds at all looks.
    """
    observed = [(units if clusters is None else clusters).get(v.id, 0) for v in experiment.variants]
    shares = [v.share or 0.0 for v in experiment.variants]
    total = sum(observed)
    test = srm(observed, shares)
    if test.p_value is None or test.max_deviation is None or min(s * total for s in shares if s > 0) < t.SRM_EXPECTED:
        return not_run("srm", "experiment", None, "not_enough_units" if clusters is None else "not_enough_clusters")
    level: HealthLevel = "pass"
    p = max(test.p_value, anytime_srm(observed, shares)) if running else test.p_value
    if p < experiment.plan.srm_alpha and test.max_deviation >= t.SRM_DEVIATION:
        level = "fail"
    elif test.p_value < t.SRM_NOTE:
        level = "note"
    words: Facts = {
        "observed": " : ".join(f"{n:,}" for n in observed),
        "expected": " : ".join(f"{100 * s:g}%" for s in shares),
        "p_value": p if level == "fail" else test.p_value,
        "statistic": test.statistic,
        "max_deviation": test.max_deviation,
    }
    words |= {} if clusters is None else {"clusters": total}
    return HealthCheck("srm", "experiment", None, level, None, words)


def check_srm_within(
    key: str,
    subject: str | None,
    groups: Sequence[tuple[str, Sequence[int]]],
    experiment: Experiment,
    overall: HealthLevel,
) -> HealthCheck:
    """The split within each day of exposure or each group of a segment, Benjamini-Hochberg over them.

    Fails only where the whole split is off as well: then it says where. `groups`: name and units per variant.
    """
    shares = [v.share or 0.0 for v in experiment.variants]
    least = min((s for s in shares if s > 0), default=0.0)
    large = [(name, counts) for name, counts in groups if sum(counts) * least >= t.SRM_EXPECTED]
    if len(large) < 2:
        return not_run(key, "experiment", subject, "not_enough_groups")
    adjusted = benjamini_hochberg([srm(counts, shares).p_value for _, counts in large])
    p, worst = min((p, name) for p, (name, _) in zip(adjusted, large, strict=True) if p is not None)
    level: HealthLevel = "pass"
    if p < experiment.plan.srm_alpha and overall in ("note", "fail"):
        level = "fail"
    elif p < t.SRM_NOTE:
        level = "note"
    group = "day_on" if key == "srm_by_day" else "group"
    return HealthCheck(
        key, "experiment", subject, level, None, {"p_value": p, group: worst or None, "groups": len(large)}
    )


def check_mixed(mixed: int, exposed: int, dropped: bool) -> HealthCheck:
    """Units that saw more than one variant."""
    share = mixed / exposed if exposed else 0.0
    level: HealthLevel = "fail" if share > t.MIXED_FAIL and dropped else "note" if share > t.MIXED_NOTE else "pass"
    return HealthCheck("mixed_exposure", "experiment", None, level, None, {"share": share, "count": mixed})


def check_mixed_first(
    first: Mapping[str, int], experiment: Experiment, exposed: int, dropped: bool, has_time: bool
) -> HealthCheck:
    """Which variant did mixed units see first? If a second, independent draw mixed them, then each variant v of share s
    comes first in proportion to s (1 - s). Units whose first moment names two variants do not count."""
    if not has_time:
        return not_run("mixed_first", "experiment", None, "no_time")
    counts = [first.get(v.id, 0) for v in experiment.variants]
    shares = [v.share or 0.0 for v in experiment.variants]
    weights = [s * (1 - s) for s in shares]
    total = sum(counts)
    if sum(weights) <= 0 or total * min(w for w in weights if w > 0) / sum(weights) < t.SRM_EXPECTED:
        return not_run("mixed_first", "experiment", None, "few_mixed")
    p = srm(counts, weights).p_value
    assert p is not None
    level: HealthLevel = "pass"
    if p < t.MIXED_FIRST_FAIL_P and total > t.MIXED_NOTE * exposed and dropped:
        level = "fail"
    elif p < t.MIXED_FIRST_NOTE_P:
        level = "note"
    facts: Facts = {"p_value": p, "observed": " : ".join(f"{n:,}" for n in counts)}
    return HealthCheck("mixed_first", "experiment", None, level, None, facts)


def check_before_start(count: int, has_dates: bool) -> HealthCheck:
    if not has_dates:
        return not_run("exposure_before_start", "experiment", None, "no_time")
    return HealthCheck("exposure_before_start", "experiment", None, "note" if count else "pass", None, {"count": count})


def check_unknown_variant(rows: int, keys: Sequence[str]) -> HealthCheck:
    """Exposures to variants that the experiment does not declare: a forgotten arm, or another experiment's."""
    values: Facts = {"count": rows, "keys": ", ".join(keys)}
    return HealthCheck("unknown_variant", "experiment", None, "note" if rows else "pass", None, values)


def check_timing(per_day: Mapping[int, Sequence[int]], experiment: Experiment) -> HealthCheck:
    """The mean day of first exposure, treatments against the baseline: a variant that began later, or ended earlier, is
    measured on other days. `per_day`: units per variant by day."""
    names = [v.id for v in experiment.variants]
    origin = min(per_day, default=0)
    moments = {
        v: from_sums(
            sum(n[i] for n in per_day.values()),
            0,
            sum((d - origin) * n[i] for d, n in per_day.items()),
            sum((d - origin) ** 2 * n[i] for d, n in per_day.items()),
        )
        for i, v in enumerate(names)
    }
    tests = [welch(moments[v.id], moments[experiment.baseline]) for v in experiment.treatments]
    found = [(x.p_value, x.absolute.estimate) for x in tests if x.p_value is not None and x.absolute is not None]
    if not found:
        reason: Reason = "one_day" if len(per_day) == 1 else "not_enough_units"
        return not_run("exposure_timing", "experiment", None, reason)
    p, difference = min(found)
    p = min(1.0, p * len(found))
    level: HealthLevel = "pass"
    if p < t.TIMING_FAIL_P and abs(difference) >= t.TIMING_DIFFERENCE:
        level = "fail"
    elif p < t.TIMING_NOTE_P:
        level = "note"
    return HealthCheck("exposure_timing", "experiment", None, level, None, {"p_value": p, "gap_days": abs(difference)})


def check_allocation(per_day: Mapping[int, Sequence[int]], variants: int) -> HealthCheck:
    """Whether the shares of the variants stay the same over the days of exposure; rare days are tested together."""
    rows = [[counts[i] for _, counts in sorted(per_day.items())] for i in range(variants)]
    if len(per_day) < 2 or not all(map(sum, rows)):
        return not_run("allocation", "experiment", None, "one_day")
    merged, _ = merge_rare(rows)
    test = homogeneity(merged)
    if test.p_value is None or test.cramers_v is None:
        return not_run("allocation", "experiment", None, "not_enough_units")
    level: HealthLevel = "note" if test.p_value < t.ALLOCATION_P and test.cramers_v >= t.ALLOCATION_V else "pass"
    return HealthCheck("allocation", "experiment", None, level, None, {"p_value": test.p_value})


def check_carry_over(previous: str, table: Sequence[Sequence[int]]) -> HealthCheck:
    """Variants of the previous experiment (rows) by those of this one (columns): they must not know of each other."""
    test = homogeneity(merge_rare(table)[0])
    if test.p_value is None or test.cramers_v is None or test.reason == "small_expected":
        return not_run("carry_over", "experiment", previous, "not_enough_units")
    level: HealthLevel = "pass"
    if test.p_value < t.CARRY_FAIL_P and test.cramers_v >= t.CARRY_V:
        level = "fail"
    elif test.p_value < t.CARRY_NOTE_P:
        level = "note"
    units = sum(map(sum, table))
    return HealthCheck("carry_over", "experiment", previous, level, None, {"p_value": test.p_value, "units": units})
