"""Shares, correlations and what can be found, of one past: from counts and moments to what is shown."""

from __future__ import annotations

from abtest.analysis.arms import Arm, value_of
from abtest.analysis.interval import Interval, interval_of
from abtest.analysis.past_model import Came, Stability
from abtest.analysis.states import Overlap, Pairs
from abtest.stats.moments import Counts
from abtest.stats.power import Noise, detectable
from abtest.stats.proportions import score, wilson
from abtest.stats.ratios import ratio_arm
from abtest.stats.tradeoff import fisher_interval


def share(part: int, whole: int, alpha: float = 0.05) -> Interval:
    """A share with Wilson's interval."""
    return Interval(part / whole, *wilson(Counts(part, whole), alpha=alpha))


def came_back(found: Overlap, min_cell: int) -> Came | None:
    """Of those in and of those out, and the difference (Mee 1984); None where either has fewer than `min_cell` units."""
    if min(found.inside, found.outside) < max(1, min_cell):
        return None
    difference = score(Counts(found.inside_back, found.inside), Counts(found.outside_back, found.outside)).absolute
    shown = interval_of(difference)
    assert shown is not None
    return Came(share(found.inside_back, found.inside), share(found.outside_back, found.outside), shown)


def stability(found: Pairs, min_cell: int) -> Stability | None:
    """How alike two neighbouring periods are; None where either answer has fewer than `min_cell` units in the first."""
    inside, outside = found.both + found.first, found.second + found.neither
    least = max(1, min_cell)
    if found.units < least:
        return None
    stays = share(found.both, inside) if inside >= least else None
    enters = share(found.second, outside) if outside >= least else None
    agreement = found.agreement if stays is not None and enters is not None else None
    return Stability(agreement, stays, enters, found.units)


def correlation(r: float, n: int, alpha: float = 0.05) -> Interval:
    """A correlation with Fisher's interval."""
    found = fisher_interval(r, n, alpha=alpha)
    return Interval(found.estimate, found.low, found.high)


def mean_of(arm: Arm) -> float | None:
    """The value of a metric over everyone; a quantile is none."""
    return None if arm.quantile is not None else value_of(arm)


def variance_of(arm: Arm) -> float | None:
    """Of one unit: n times the squared error of the mean, or of the ratio; None below two units or without a mean."""
    if arm.quantile is not None or arm.used < 2 or mean_of(arm) is None:
        return None
    if arm.pair is not None:
        return ratio_arm(arm.pair).variance * arm.used
    return None if arm.moments is None else arm.moments.variance


def smallest_change(arm: Arm, units: float, alpha: float, power: float) -> float | None:
    """What `units` in two equal variants would find, in the metric's unit; None without any variance."""
    variance = variance_of(arm)
    if not variance or units <= 0.0:
        return None
    return detectable(Noise(variance, variance), units, alpha=alpha, power=power)
