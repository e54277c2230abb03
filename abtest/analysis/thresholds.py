"""Every threshold of the health checks, and of what is refused, in one place, with where it comes from. Without a source it is our proposal."""

from __future__ import annotations

SRM_NOTE = 0.01
"""Note below this p-value; fail needs `srm_alpha` of the plan and the deviation floor."""
SRM_DEVIATION = 0.001
"""Share points. Below it an imbalance is too small to bias anything, however certain (Statsig's convention)."""
SRM_EXPECTED = 5
"""Units that every variant must be expected to have, for the chi-square of a day or segment (Cochran 1954)."""
MIXED_NOTE, MIXED_FAIL = 0.001, 0.01
SPLIT_NOTE = 0.05
"""Share of units in clusters that span several variants (table C, check 24); those astray in them count as mixed."""
MIXED_FIRST_NOTE_P, MIXED_FIRST_FAIL_P = 0.01, 0.001
"""Which variant did mixed units see first? Fails only where mixed units are more than MIXED_NOTE of all."""
GAP_EXPECTED = 10.0
"""Rows (or units) that the three days on either side lead to expect on an empty day; by chance it is then empty once
in e^10 = 22,000 days."""
STEP_FACTOR, STEP_UNITS = 2.0, 100
"""New units of one week against the week before: people are met once, so their number falls, and seldom doubles."""
TIMING_NOTE_P, TIMING_FAIL_P = 0.01, 0.001
TIMING_DIFFERENCE = 0.1
"""Days. A smaller difference in the mean day of exposure never fails."""
PRE_NOTE_P, PRE_FAIL_P = 0.05, 0.001
"""After Benjamini-Hochberg over all metrics and what they are adjusted by."""
PRE_UNITS = 10.0
"""A difference before exposure never fails where the smaller variant should be made by fewer units than this, as if of equal
weight: the mean of so few is too skewed for small p-values."""
LOSS_NOTE_P, LOSS_FAIL_P = 0.01, 0.001
LOSS_DIFFERENCE = 0.01
"""A difference in row loss below one point between variants never fails."""
LOSS_UNITS = 10.0
"""Nor does one where the smaller variant should have fewer units than this that lose rows: so few are never normal."""
ROW_LOSS_NOTE = 0.01
MISSING_NOTE, MISSING_NOTE_P = 0.05, 0.01
SILENT_NOTE_P, SILENT_DIFFERENCE = 0.001, 0.02
"""Units without any row. A treatment that brings people back moves this too, but seldom by two points."""
DENOMINATOR_P = 0.05
DENOMINATOR_NOISE = 0.1
"""se / mean of a denominator, below which the delta method is good enough (section B4)."""
LIFT_TWYMAN = 0.5
"""Twyman's law: a change of half the baseline is more often an error than a success (Kohavi, Tang & Xu 2020, ch. 3)."""
Z_TWYMAN, VARIANCE_TWYMAN = 8.0, 3.0
NOVELTY_P = 0.05
"""After Benjamini-Hochberg over metrics; and less than half, the other sign, or more than double (`stats/novelty.py`)."""
SPLITS, CALIBRATION_P = 512, 0.01
"""Random splits of the units, and how rare their number of calls must be by chance, over all metrics (exact binomial)."""
LEVERAGE_NOTE = 0.05
LEVERAGE_CHANGE = 0.5
"""Share of a clear change that goes with the largest unit of each variant."""
SKEW_FACTOR = 355.0
"""n >= 355 * skewness^2 per arm for a usable normal approximation (Kohavi et al. 2014, section 4)."""
DAYS_ADVISED = 14
ALLOCATION_P, ALLOCATION_V = 0.001, 0.02
"""Shares by day of exposure: p-value, and Cramer's V below which a change of shares moves no average."""
UNITS_ADVISED, CONVERSIONS_ADVISED = 100, 25
DILUTION_NOTE = 0.2
"""Share of units that meet the trigger."""
CONCURRENT_P = 0.01
"""After Benjamini-Hochberg over other experiments and goals."""
HEAVY_TOP, HEAVY_SHARE, HEAVY_PER_DAY = 0.001, 0.2, 1000
"""The top 0.1 % of units, the share of rows that is too much for them, and rows per day that no person makes."""
LAG_DAYS = 1
ARMS_LAG_NOTE, ARMS_LAG_FAIL = 10.0, 30.0
"""Units that would be seen after the last row of a variant, were it like the others; by chance none of 10 is seen once
in 22,000 experiments."""
CARRY_NOTE_P, CARRY_FAIL_P, CARRY_V = 0.01, 0.001, 0.01
DOMINANCE_SHARE, DOMINANCE_UNITS, DOMINANCE_P = 0.8, 0.5, 0.05
"""One group carries 80 % of the change with less than half of the units, and the groups clearly differ."""
NPS_ANSWERS = 30
"""Per variant; with fewer a net promoter score is noise, and not compared (design, section D)."""
RESPONSE_P = 0.05
"""After Benjamini-Hochberg over surveys."""
