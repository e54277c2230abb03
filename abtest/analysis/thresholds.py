"""Every threshold of the health checks, in one place, with where it comes from."""

from __future__ import annotations

SRM_NOTE = 0.01
"""Note below this p-value; fail needs `srm_alpha` of the plan and the deviation floor."""
SRM_DEVIATION = 0.001
"""Share points. Below it an imbalance is too small to bias anything, however certain (Statsig's convention)."""
MIXED_NOTE, MIXED_FAIL = 0.001, 0.01
SPLIT_NOTE = 0.05
"""Share of units in clusters that span several variants (table C, check 24); those astray in them count as mixed."""
LOSS_NOTE_P, LOSS_FAIL_P = 0.01, 0.001
LOSS_DIFFERENCE = 0.01
"""A difference in row loss below one point between variants never fails."""
ROW_LOSS_NOTE = 0.01
DAYS_ADVISED = 14
UNITS_ADVISED, CONVERSIONS_ADVISED = 100, 25
LIFT_TWYMAN = 0.5
"""Twyman's law: a change of half the baseline is more often an error than a success (Kohavi, Tang & Xu 2020, ch. 3)."""
SKEW_FACTOR = 355.0
"""n >= 355 * skewness^2 per arm for a usable normal approximation (Kohavi et al. 2014, section 4)."""
DENOMINATOR_P = 0.05
