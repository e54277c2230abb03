"""Does an effect last? Early against late, within units; and the effect day by day.

Days of one unit go together, so effects per day cannot be compared as if they were independent. What each unit did late
less what it did early is one number per unit, and Welch's t of these says whether the effect changed. `by_day` fits a
line to the effects of days, for looking at, or as a test where the covariance between days is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from abtest.stats.distributions import two_sided
from abtest.stats.means import welch
from abtest.stats.meta import Trend, trend
from abtest.stats.moments import Moments, PairMoments

Shape = Literal["steady", "fades", "turns", "grows"]
FADED, GROWN = 0.5, 2.0
"""Of the early effect: below the first it has faded, above the second it has grown."""


@dataclass(frozen=True, slots=True)
class EarlyLate:
    """The effects over both parts of the window (treatment minus control), and the p-value of "they are equal", two-sided.

    `shape` compares the sizes only: `fades` where less than half is left (novelty), `turns` where the sign changes,
    `grows` where it at least doubles (primacy, or learning), else `steady`.
    """

    early: float
    late: float
    p_value: float | None
    shape: Shape


def early_late(treatment: PairMoments, control: PairMoments) -> EarlyLate | None:
    """Compare the change from early (x) to late (y) between the variants: difference in differences per unit.

    Sadeghi et al. 2021 (novelty and primacy by difference in differences); the test is Welch's (1947) of y - x. None
    below two units in a variant. Values in the metric's unit, per unit of the experiment.

    >>> from abtest.stats.moments import pair_of
    >>> found = early_late(pair_of([4, 5, 6, 5], [2, 3, 3, 2]), pair_of([2, 3, 2, 1], [2, 3, 3, 1]))
    >>> found.early, found.late, round(found.p_value, 4), found.shape
    (3.0, 0.25, 0.0004, 'fades')
    """
    if min(treatment.n, control.n) < 2:
        return None
    early = treatment.x.mean - control.x.mean
    late = treatment.y.mean - control.y.mean
    test = welch(_change(treatment), _change(control))
    return EarlyLate(early, late, test.p_value, shape_of(early, late))


@dataclass(frozen=True, slots=True)
class DayTrend:
    """Result of `by_day`: the `line` through the effects (see `meta.Trend`), and `first` days less `rest`, with z and p."""

    line: Trend
    contrast: float
    contrast_se: float
    z: float
    p_value: float


def by_day(
    effects: Sequence[float],
    ses: Sequence[float],
    *,
    first: int | None = None,
    logarithm: bool = False,
    covariance: NDArray[np.float64] | None = None,
) -> DayTrend:
    """The effect on day 1, 2, ..., k after exposure: its weighted slope, its Q, and early days against the others.

    Shapes (k,). Only units that were observed for all k days, or those who left are missing from the late ones. The
    line is weighted least squares on the day, or on ln(1 + day) where it levels off. The contrast is the plain mean of
    the `first` days (k // 2 if None) less that of the others. `covariance`, shape (k, k), holds ses^2 on its diagonal:
    days share their units, and without it both tests take them as independent and err. Raises ValueError for fewer than
    two days, a split that leaves one side empty, standard errors that are not positive, no covariance matrix.

    >>> found = by_day([0.12, 0.10, 0.07, 0.06, 0.05, 0.04, 0.05], [0.02] * 7)
    >>> round(found.line.slope.estimate, 6), round(found.line.q, 6), round(found.contrast, 7), round(found.z, 6)
    (-0.0125, 13.0, 0.0466667, 3.05505)
    """
    k = len(effects)
    if len(ses) != k or not all(0.0 < se < math.inf for se in ses):
        raise ValueError(f"need a positive standard error for each of {k} days, got {tuple(ses)}")
    early = k // 2 if first is None else first
    if not 0 < early < k:
        raise ValueError(f"both sides of the split need a day: {early} of {k} come first")
    shared = np.diag(np.square(ses)) if covariance is None else np.asarray(covariance, dtype=np.float64)
    if covariance is not None and not (
        shared.shape == (k, k) and np.allclose(np.diag(shared), np.square(ses), rtol=1e-6, atol=0.0)
    ):
        raise ValueError("the diagonal of the covariance holds the squared standard errors")
    days = np.arange(1.0, k + 1.0)
    line = trend(effects, shared, (np.log1p(days) if logarithm else days).tolist())
    weights = np.where(days <= early, 1.0 / early, -1.0 / (k - early))
    contrast, se = float(weights @ np.asarray(effects)), math.sqrt(float(weights @ shared @ weights))
    return DayTrend(line, contrast, se, contrast / se, two_sided(contrast / se))


def shape_of(early: float, late: float) -> Shape:
    """How an effect moved from `early` to `late`.

    >>> shape_of(1.0, 0.7), shape_of(1.0, 0.3), shape_of(1.0, -0.1), shape_of(-1.0, -2.5)
    ('steady', 'fades', 'turns', 'grows')
    """
    if early * late < 0.0:
        return "turns"
    if abs(late) < FADED * abs(early):
        return "fades"
    return "grows" if abs(late) > GROWN * abs(early) else "steady"


def _change(pair: PairMoments) -> Moments:
    """Of y - x per unit."""
    return Moments(pair.n, pair.y.mean - pair.x.mean, max(0.0, pair.x.m2 + pair.y.m2 - 2.0 * pair.cross))
