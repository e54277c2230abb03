"""The table of all checks: number in the design, scope, the worst level a check may have, and thresholds.

A check fails only over what is fixed before treatment, or over the pipeline. What units did after exposure may be the
very effect that the experiment looks for: it gives a note at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from abtest.analysis import thresholds
from abtest.analysis.result import HealthCheck

Scope = Literal["experiment", "metric"]
Nature = Literal["before", "pipeline", "after", "plan"]
Reason = Literal[
    "no_time", "no_data", "not_applicable", "not_enough_units", "not_enough_groups", "few_mixed", "one_day", "two_weeks",
    "no_segments", "no_covariate", "no_log", "too_early", "no_detect", "no_survey", "not_clear", "no_ratio", "no_mean",
    "no_previous", "other_source", "no_other", "no_halves", "no_calibration", "no_lock", "no_mechanism", "no_trigger",
    "no_cluster", "clustered", "not_enough_clusters",
]  # fmt: skip
"""Why a check was not run."""


@dataclass(frozen=True)
class Check:
    """One kind of check. `nature`: it looks at what is fixed before treatment, at the pipeline, at what units did after
    exposure, or at the plan. `limits`: names in `thresholds`."""

    number: int
    key: str
    scope: Scope
    nature: Nature
    worst: Literal["note", "fail"]
    limits: tuple[str, ...] = ()

    @property
    def thresholds(self) -> tuple[tuple[str, float], ...]:
        return tuple((name, getattr(thresholds, name)) for name in self.limits)


CHECKS: tuple[Check, ...] = (
    Check(1, "srm", "experiment", "before", "fail", ("SRM_NOTE", "SRM_DEVIATION")),
    Check(2, "srm_by_day", "experiment", "before", "fail", ("SRM_NOTE", "SRM_EXPECTED")),
    Check(2, "srm_by_segment", "experiment", "before", "fail", ("SRM_NOTE", "SRM_EXPECTED")),
    Check(3, "mixed_exposure", "experiment", "pipeline", "fail", ("MIXED_NOTE", "MIXED_FAIL")),
    Check(3, "mixed_first", "experiment", "pipeline", "fail", ("MIXED_FIRST_NOTE_P", "MIXED_FIRST_FAIL_P", "MIXED_NOTE")),
    Check(4, "exposure_before_start", "experiment", "pipeline", "note"),
    Check(4, "unknown_variant", "experiment", "pipeline", "note"),
    Check(4, "exposure_days", "experiment", "pipeline", "note", ("GAP_EXPECTED",)),
    Check(4, "exposure_step", "experiment", "pipeline", "note", ("STEP_FACTOR", "STEP_UNITS")),
    Check(5, "exposure_timing", "experiment", "before", "fail", ("TIMING_NOTE_P", "TIMING_FAIL_P", "TIMING_DIFFERENCE")),
    Check(6, "pre_period", "metric", "before", "fail", ("PRE_NOTE_P", "PRE_FAIL_P", "PRE_UNITS")),
    Check(7, "row_loss", "experiment", "pipeline", "note", ("ROW_LOSS_NOTE",)),
    Check(7, "unit_loss", "experiment", "pipeline", "fail", ("LOSS_NOTE_P", "LOSS_FAIL_P", "LOSS_DIFFERENCE", "LOSS_UNITS")),
    Check(7, "silent_units", "experiment", "after", "note", ("SILENT_NOTE_P", "SILENT_DIFFERENCE")),
    Check(7, "missing_units", "metric", "after", "note", ("MISSING_NOTE", "MISSING_NOTE_P")),
    Check(7, "bad_number", "experiment", "pipeline", "note"),
    Check(7, "outside_scale", "experiment", "pipeline", "note"),
    Check(7, "late_or_future", "experiment", "pipeline", "note"),
    Check(7, "event_seen", "experiment", "pipeline", "note"),
    Check(7, "coverage", "experiment", "pipeline", "fail"),
    Check(8, "denominator_shift", "metric", "after", "note", ("DENOMINATOR_P",)),
    Check(8, "denominator_noise", "metric", "after", "note", ("DENOMINATOR_NOISE",)),
    Check(9, "twyman", "metric", "after", "note", ("LIFT_TWYMAN", "Z_TWYMAN", "VARIANCE_TWYMAN")),
    Check(10, "leverage", "metric", "after", "note", ("LEVERAGE_NOTE",)),
    Check(10, "largest_unit", "metric", "after", "note", ("LEVERAGE_CHANGE",)),
    Check(10, "skewness", "metric", "after", "note", ("SKEW_FACTOR",)),
    Check(11, "novelty", "metric", "after", "note", ("NOVELTY_P",)),
    Check(12, "runtime", "experiment", "plan", "note", ("DAYS_ADVISED",)),
    Check(12, "maturity", "metric", "plan", "note"),
    Check(13, "peeking", "experiment", "plan", "note"),
    Check(14, "power", "metric", "plan", "note"),
    Check(15, "dilution", "experiment", "after", "note", ("DILUTION_NOTE",)),
    Check(16, "allocation", "experiment", "before", "note", ("ALLOCATION_P", "ALLOCATION_V")),
    Check(17, "min_counts", "metric", "plan", "note", ("UNITS_ADVISED", "CONVERSIONS_ADVISED")),
    Check(18, "concurrent", "metric", "after", "note", ("CONCURRENT_P",)),
    Check(19, "heavy_hitters", "experiment", "after", "note", ("HEAVY_TOP", "HEAVY_SHARE", "HEAVY_PER_DAY")),
    Check(20, "freshness", "experiment", "pipeline", "note", ("LAG_DAYS",)),
    Check(20, "arms_lag", "experiment", "pipeline", "fail", ("ARMS_LAG_NOTE", "ARMS_LAG_FAIL")),
    Check(20, "time_gaps", "experiment", "pipeline", "note", ("GAP_EXPECTED",)),
    Check(21, "aa_calibration", "metric", "pipeline", "note", ("SPLITS", "CALIBRATION_P")),
    Check(22, "carry_over", "experiment", "before", "fail", ("CARRY_NOTE_P", "CARRY_FAIL_P", "CARRY_V")),
    Check(23, "config_drift", "experiment", "plan", "note"),
    Check(24, "cluster_split", "experiment", "pipeline", "fail", ("SPLIT_NOTE", "MIXED_NOTE", "MIXED_FAIL")),
    Check(24, "cluster_alone", "experiment", "pipeline", "note"),
    Check(24, "cluster_counts", "metric", "plan", "note"),
    Check(25, "dominance", "metric", "after", "note", ("DOMINANCE_SHARE", "DOMINANCE_UNITS", "DOMINANCE_P")),
    Check(26, "response", "metric", "after", "note", ("RESPONSE_P",)),
    Check(27, "mechanism", "metric", "after", "note"),
)  # fmt: skip

COUNTS_UNITS = (
    "srm_by_day", "srm_by_segment", "mixed_first", "exposure_timing", "allocation", "pre_period", "silent_units",
    "carry_over", "response", "concurrent", "skewness", "leverage", "largest_unit", "dominance", "missing_units", "arms_lag",
    "novelty", "aa_calibration",
)  # fmt: skip
"""Checks that take units as independent, which those of one cluster are not."""

_PLACE = {check.key: i for i, check in enumerate(CHECKS)}


def not_run(key: str, scope: Scope, subject: str | None, reason: Reason) -> HealthCheck:
    return HealthCheck(key, scope, subject, "not_run", reason)


def completed(found: Sequence[HealthCheck], reasons: Mapping[str, Reason]) -> tuple[HealthCheck, ...]:
    """All checks in the order of the table; what could not be looked at stands there as not run, with its reason."""
    seen = {check.key for check in found}
    lacking = [not_run(c.key, c.scope, None, reasons.get(c.key, "not_applicable")) for c in CHECKS if c.key not in seen]
    return tuple(sorted((*found, *lacking), key=lambda c: _PLACE[c.key]))
