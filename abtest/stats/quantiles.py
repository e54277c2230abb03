"""Quantiles of two arms ("the 90th percentile of page loads"), where the randomisation unit owns several events.

The share of events at or below the quantile is a ratio metric over units, so its variance comes from unit sums. Read
off the same distribution a little below and above the quantile, that uncertainty of the share becomes one of the value
(Woodruff 1952). No density is estimated and no row is kept: an engine delivers one pair of unit sums and three
quantiles per arm. For a quantile across units, every unit has one event, its value.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abtest.stats.contrast import Arm, contrast, point_lift
from abtest.stats.distributions import critical_value
from abtest.stats.inference import Inference, no_test
from abtest.stats.moments import PairMoments, Values, pair_of
from abtest.stats.ratios import ratio_arm

# How many standard errors of the share the probes lie from the quantile. This is a bandwidth, not the level of the
# test: it is the same for every alpha and for always-valid bands, so that an engine need not know of them.
REACH = critical_value(0.05)


@dataclass(frozen=True, slots=True)
class Quantile:
    """The quantile `at` (a fraction, 0 < at < 1) of a metric in one arm.

    `pair` holds, per unit, x = the number of its events with a value <= `value` and y = the number of its events.
    `value` is the quantile in the metric's unit, None without events. `low` and `high` are the quantiles of the same
    events at `probe_levels(at, pair)`, and may be left out where that is None. All three are mid-quantiles (see
    `mid_quantile`); where hardly any events tie, any usual definition will do. Raises ValueError for numbers that are
    missing, not finite or not in order.
    """

    at: float
    pair: PairMoments
    value: float | None = None
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        _check_level(self.at)
        if (self.value is None) != (self.pair.y.mean == 0.0):
            raise ValueError(f"there is a quantile just if there are events, got {self.value} of {self.pair.y.total}")
        if probe_levels(self.at, self.pair) is not None and (self.low is None or self.high is None):
            raise ValueError("the quantiles at the probe levels are missing")
        read = [number for number in (self.low, self.value, self.high) if number is not None]
        if not all(math.isfinite(number) for number in read) or read != sorted(read):
            raise ValueError(f"need low <= value <= high, got {self.low}, {self.value}, {self.high}")


def mid_quantile(at: float, values: Values, counts: Sequence[int] | npt.NDArray[np.int64]) -> float:
    """The quantile `at` of a histogram: `values` distinct and ascending, `counts` > 0 events each, both of shape (k,).

    Straight lines between the points (value, share of events below it + half the share of events equal to it), flat
    outside (Ma, Genton & Parzen 2011, Annals of the Institute of Statistical Mathematics 63, 227-243). The usual
    sample quantile of values with many ties jumps from one value to the next, is nowhere near normal, and a test made
    of it can raise a false alarm every second time; this one moves smoothly. Raises ValueError without events.

    >>> mid_quantile(0.5, [1, 2, 3], [10, 10, 10])
    2.0
    >>> round(mid_quantile(0.5, [1, 2, 3], [1, 2, 5]), 4)
    2.5714
    """
    _check_level(at)
    events = np.asarray(counts, dtype=np.int64)
    if len(events) == 0:
        raise ValueError("a quantile needs at least one event")
    middle = (np.cumsum(events) - events / 2.0) / events.sum()
    return float(np.interp(at, middle, np.asarray(values, dtype=np.float64)))


def quantile_of(at: float, values: Values, sizes: Sequence[int] | npt.NDArray[np.int64]) -> Quantile:
    """The quantile of an arm from its rows: what an engine is to deliver.

    `values` of all events, unit after unit, shape (events,); `sizes` says how many of them each unit owns, shape (n,),
    0 for a unit without events. Raises ValueError for values that are not finite and sizes that do not add up.

    >>> found = quantile_of(0.5, [1, 2, 3, 2, 3, 4], sizes=[2, 1, 0, 3])
    >>> found.value, found.pair.n, found.pair.x.total, found.pair.y.total
    (2.5, 4, 3.0, 6.0)
    """
    _check_level(at)
    events, owned = np.asarray(values, dtype=np.float64), np.asarray(sizes, dtype=np.int64)
    if len(events) != owned.sum() or (owned < 0).any():
        raise ValueError(f"need as many values as the units own, got {len(events)} and {owned.sum()}")
    if not np.isfinite(events).all():
        raise ValueError("values must be finite")
    if len(events) == 0:
        return Quantile(at, pair_of(np.zeros(len(owned)), np.zeros(len(owned))))
    distinct, counts = np.unique(events, return_counts=True)
    value = mid_quantile(at, distinct, counts)
    owner = np.repeat(np.arange(len(owned)), owned)
    below = np.bincount(owner[events <= value], minlength=len(owned))
    pair = pair_of(below.astype(np.float64), owned.astype(np.float64))
    levels = probe_levels(at, pair)
    if levels is None:
        return Quantile(at, pair, value)
    return Quantile(at, pair, value, *(mid_quantile(level, distinct, counts) for level in levels))


def share_sd(at: float, pair: PairMoments) -> float:
    """Standard error of the share of events at or below the quantile `at`; see `Quantile` for `pair`.

    The delta-method error of a ratio (Deng, Knoblich & Lu 2018, eq. 4), but not below sqrt(at (1 - at) / events), that
    of independent events: where many events tie at the top, the share is 1 and shows no variance at all. Raises
    ValueError below two units and without events.

    >>> round(share_sd(0.5, pair_of([2, 0, 1, 1], [2, 2, 1, 3])), 6)
    0.228218
    """
    _check_level(at)
    return max(math.sqrt(ratio_arm(pair).variance), math.sqrt(at * (1.0 - at) / pair.y.total))


def probe_levels(at: float, pair: PairMoments) -> tuple[float, float] | None:
    """The levels `at` -+ 1.96 `share_sd`, at which the quantile is to be read once more for its standard error.

    The outer interval with pre-adjustment of Deng, Knoblich & Lu (2018, section 4.2). None where there are none:
    without events, with fewer than two units, or where a level leaves (0, 1) because too few units lie beyond the
    quantile. For independent events the last happens up to about 3.84 max(at / (1 - at), (1 - at) / at) of them, 380
    for a 99th percentile.

    >>> low, high = probe_levels(0.9, pair_of([1] * 90 + [0] * 10, [1] * 100))
    >>> round(low, 4), round(high, 4)
    (0.8409, 0.9591)
    >>> probe_levels(0.99, pair_of([1] * 99 + [0], [1] * 100)) is None
    True
    """
    _check_level(at)
    if pair.n < 2 or pair.y.mean == 0.0:
        return None
    half = REACH * share_sd(at, pair)
    low, high = at - half, at + half
    return (low, high) if low > 0.0 and high < 1.0 else None


def quantile_arm(quantile: Quantile) -> Arm:
    """The quantile with its squared standard error, ((high - low) / (2 * 1.96))^2, and n - 1 degrees of freedom.

    Source: Woodruff 1952; Deng, Knoblich & Lu 2018, section 4. Raises ValueError where `probe_levels` are None.

    >>> arm = quantile_arm(Quantile(0.9, pair_of([1] * 90 + [0] * 10, [1] * 100), 4.0, 3.5, 4.9))
    >>> arm.value, round(arm.variance, 4), arm.df
    (4.0, 0.1276, 99)
    """
    if quantile.value is None or probe_levels(quantile.at, quantile.pair) is None:
        raise ValueError("too few units or events for a standard error of the quantile")
    assert quantile.low is not None  # both were checked when it was made
    assert quantile.high is not None
    se = (quantile.high - quantile.low) / (2.0 * REACH)
    return Arm(quantile.value, se * se, quantile.pair.n - 1)


def quantile_contrast(
    treatment: Quantile, control: Quantile, *, alpha: float = 0.05, critical: float | None = None
) -> Inference:
    """Compare one quantile of two arms: standard errors from the outer interval, Welch's test, Fieller's lift.

    The difference is in the metric's unit, the lift a fraction. `critical` replaces the t quantile; the p-value is
    then None. Statuses: `no_units`, `zero_denominator` (units without any event), `one_unit`, `not_enough_units` (too
    few beyond the quantile, see `probe_levels`), `zero_variance` (ties: in each arm the three quantiles are one value).
    Raises ValueError for two different quantiles.

    >>> pair = pair_of([1] * 90 + [0] * 10, [1] * 100)
    >>> result = quantile_contrast(Quantile(0.9, pair, 4.6, 4.2, 5.5), Quantile(0.9, pair, 4.0, 3.5, 4.9))
    >>> round(result.absolute.estimate, 4), round(result.absolute.se, 4), round(result.p_value, 4)
    (0.6, 0.4874, 0.2198)
    """
    if treatment.at != control.at:
        raise ValueError(f"need the same quantile in both arms, got {treatment.at} and {control.at}")
    if treatment.pair.n == 0 or control.pair.n == 0:
        return no_test("no_units", "quantile")
    if treatment.value is None or control.value is None:
        return no_test("zero_denominator", "quantile")
    lift = point_lift(treatment.value, control.value)
    if treatment.pair.n == 1 or control.pair.n == 1:
        return no_test("one_unit", "quantile", treatment.value - control.value, lift)
    if any(probe_levels(arm.at, arm.pair) is None for arm in (treatment, control)):
        return no_test("not_enough_units", "quantile", treatment.value - control.value, lift)
    arms = quantile_arm(treatment), quantile_arm(control)
    return contrast(*arms, method="quantile", alpha=alpha, critical=critical)


def _check_level(at: float) -> None:
    if not 0.0 < at < 1.0:
        raise ValueError(f"a quantile lies strictly between 0 and 1, got {at!r}")
