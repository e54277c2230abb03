"""Where in the distribution an effect sits: the share of units with at least k, P(X >= k), for every k and both arms.

A mean says that posts per user went up; the dose curve says whether more people posted at all or whether a few heavy
users posted even more. Each threshold is a proportion with its score interval (as in `proportions`). Reading off the
threshold that looks best among fifty would find something in every A/A test; the band is wider than the intervals, by
just so much that it holds the true differences at all thresholds at once with probability 1 - alpha.

What can go wrong: choosing thresholds after a look at the differences, and reading the pointwise intervals as if there
were only one. Far in the tail nothing can be said, and those thresholds are left out.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.stats.distributions import check_alpha, critical_value, two_sided
from abtest.stats.inference import Status
from abtest.stats.moments import Counts
from abtest.stats.score_family import mee, pooled_z

Floats = npt.NDArray[np.float64]
Histogram = Iterable[tuple[float, int]]

# Each arm must be able to expect this many units at or above a threshold, and this many below it.
ENOUGH_UNITS = 10
MOST_THRESHOLDS = 50

# Grids of the integration: nodes per length of a step, and nodes at most.
NODES_PER_STEP, MOST_NODES = 2.0, 256
# Shorter steps of the chain, in standard deviations, are taken as so long: see `sup_exceedance`.
SHORTEST_STEP = 0.03
# Beyond it the normal tail is below the smallest float.
FARTHEST = 38.5


@dataclass(frozen=True, slots=True)
class DosePoint:
    """Units with at least `threshold`: their share in each arm, and `difference` = treatment - control.

    `low` and `high` bound the difference together with all other points of the curve, `pointwise_low` and
    `pointwise_high` this one alone. Shares lie in [0, 1], differences and bounds in [-1, 1].
    """

    threshold: float
    treatment: float
    control: float
    difference: float
    low: float
    high: float
    pointwise_low: float
    pointwise_high: float


@dataclass(frozen=True, slots=True)
class DoseCurve:
    """The points of the curve, thresholds ascending.

    `status` is "ok", or "no_test" with a `reason`: `no_units` (an arm is empty), `not_enough_units` (at no threshold
    are there enough). `left_out` holds pairs (threshold, reason) of thresholds that were asked for and have no point;
    the reason is `not_enough_units`. `statistic` is the largest |z| of all points, `p_value` the two-sided probability
    of such a maximum if the arms do not differ anywhere: below alpha exactly when the band leaves out 0 somewhere.
    `critical` is the value that the band was made with.
    """

    status: Status
    reason: str | None
    points: tuple[DosePoint, ...] = ()
    left_out: tuple[tuple[float, str], ...] = ()
    statistic: float | None = None
    p_value: float | None = None
    critical: float | None = None


class _Survivors:
    """Units at or above a threshold, from a histogram. Exact integers, whatever the counts."""

    def __init__(self, histogram: Histogram) -> None:
        cells = sorted(histogram)
        for value, units in cells:
            if not math.isfinite(value) or not isinstance(units, int) or units < 0:
                raise ValueError(f"a histogram holds pairs (finite value, units as an int >= 0), got {(value, units)}")
        self.values = [value for value, units in cells if units]
        self.below = [0, *accumulate(units for _, units in cells if units)]
        self.n = self.below[-1]

    def at_least(self, threshold: float) -> Counts:
        return Counts(self.n - self.below[bisect_left(self.values, threshold)], self.n)


def dose_curve(
    treatment: Histogram, control: Histogram, thresholds: Sequence[float] | None = None, *, alpha: float = 0.05
) -> DoseCurve:
    """Differences of P(X >= k) at all `thresholds`, with a band that holds them all with probability 1 - alpha.

    Histograms are pairs (value, units), as in `Moments.histogram`: one value per unit, units without any included as
    0. `thresholds` ascend, at most 50 of them; by default those of `dose_thresholds`. A threshold is left out where one
    of the arms must expect, at the pooled share, fewer than ten units at or above it or fewer than ten below it. The
    rule looks at both arms together, so that it cannot prefer thresholds with a difference.

    Each interval inverts the score test (Mee 1984). Under "no difference anywhere" the z of two thresholds j <= k are
    correlated by sqrt(S_k (1 - S_j) / (S_j (1 - S_k))), S the pooled share (the indicators are nested), which makes
    them a Markov chain; the critical value is the exact quantile of the largest |z| in it, see `sup_critical`. Raises
    ValueError for thresholds or histograms that are none.

    >>> curve = dose_curve([(0, 500), (1, 300), (2, 150), (3, 50)], [(0, 560), (1, 290), (2, 110), (3, 40)], [1, 2, 3])
    >>> round(curve.critical, 4), round(curve.p_value, 4)
    (2.3613, 0.0094)
    >>> [(p.threshold, round(p.difference, 3), round(p.low, 3), round(p.high, 3)) for p in curve.points]
    [(1, 0.06, 0.007, 0.112), (2, 0.05, 0.01, 0.09), (3, 0.01, -0.012, 0.033)]
    """
    check_alpha(alpha)
    arms = _Survivors(treatment), _Survivors(control)
    if thresholds is not None:
        _check_thresholds(thresholds)
    if 0 in (arms[0].n, arms[1].n):
        return DoseCurve("no_test", "no_units")
    asked = _spread_thresholds(*arms, MOST_THRESHOLDS) if thresholds is None else tuple(thresholds)
    used = tuple(k for k in asked if _enough(*arms, k))
    left_out = tuple((k, "not_enough_units") for k in asked if k not in used)
    if not used:
        return DoseCurve("no_test", "not_enough_units", left_out=left_out)
    counts = [(arms[0].at_least(k), arms[1].at_least(k)) for k in used]
    correlations = _correlations([t.successes + c.successes for t, c in counts], arms[0].n + arms[1].n)
    critical = sup_critical(alpha, correlations)
    largest = max(abs(pooled_z(t, c)) for t, c in counts)
    # The level at which one interval alone has the critical value of the band.
    level = two_sided(critical)
    points = tuple(
        DosePoint(k, t.rate, c.rate, t.rate - c.rate, *mee(t, c, alpha=level), *mee(t, c, alpha=alpha))
        for k, (t, c) in zip(used, counts, strict=True)
    )
    return DoseCurve("ok", None, points, left_out, largest, sup_exceedance(largest, correlations), critical)


def dose_thresholds(treatment: Histogram, control: Histogram, most: int = MOST_THRESHOLDS) -> tuple[float, ...]:
    """Thresholds for a dose curve: all observed values with enough units on both sides, or `most` spread among them.

    Spread evenly in the log odds of the pooled share, so that neighbours are equally correlated and the ends of the
    distribution get as much detail as its middle. `most` is at least 2. Both arms count alike: the choice knows nothing
    of the effect.

    >>> dose_thresholds([(0, 50), (1, 30), (2, 20)], [(0, 55), (1, 30), (2, 10), (9, 5)])
    (1, 2)
    """
    if most < 2:
        raise ValueError(f"a choice of thresholds needs room for at least two, got {most}")
    return _spread_thresholds(_Survivors(treatment), _Survivors(control), most)


def sup_exceedance(critical: float, correlations: Sequence[float]) -> float:
    """P(max |Z_k| > critical) for standard normal Z_1, Z_2, ... that form a Markov chain.

    `correlations`, each in [0, 1], are those of neighbours; there is one less than there are Z. Found by recursive
    numerical integration as for group-sequential boundaries (Armitage, McPherson & Rowe 1969), backwards: from
    q_k(x) = P(a later one exceeds | Z_k = x), q_(k-1) is one integral. All terms are positive, so that small
    probabilities keep their digits, nine or more.

    A correlation of 1 is the same variable again and costs nothing. One above 0.99955 (a step of 0.03 standard
    deviations, or of critical / 128 if that is longer) would need an ever finer grid and is lowered to that. Lower
    correlations make the maximum larger (Royen 2014), so this errs to the safe side, by little at the usual levels and
    never past Bonferroni. Raises ValueError for a correlation outside [0, 1].

    >>> round(sup_exceedance(1.959964, []), 6)
    0.05
    >>> round(sup_exceedance(1.959964, [0.0]), 6) == round(1 - 0.95**2, 6)
    True
    """
    if not all(0.0 <= rho <= 1.0 for rho in correlations):
        raise ValueError(f"correlations of nested shares lie in [0, 1], got {tuple(correlations)}")
    if critical <= 0.0:
        return 1.0
    if critical >= FARTHEST:
        return 0.0
    shortest = max(SHORTEST_STEP, critical * NODES_PER_STEP / MOST_NODES)
    steps = [max(shortest, math.sqrt(1.0 - rho * rho)) for rho in correlations if rho < 1.0]
    # The chain is symmetric, so half of the line will do. The grid of a variable follows its narrower neighbour.
    grids = [_half_line(critical, min(a, b)) for a, b in pairwise([1.0, *steps, 1.0])]
    later = np.zeros(len(grids[-1][0]))
    for k in range(len(steps) - 1, -1, -1):
        (x, _), (y, weights), step = grids[k], grids[k + 1], steps[k]
        centre = math.sqrt(1.0 - step * step) * x
        density = (_bell((y - centre[:, None]) / step) + _bell((y + centre[:, None]) / step)) / step
        beyond = special.ndtr((centre - critical) / step) + special.ndtr((-centre - critical) / step)
        # Not a matrix product: its last digits would depend on the number of threads.
        later = beyond + np.sum(density * (weights * later), axis=1)
    x, weights = grids[0]
    return min(1.0, 2.0 * (float(special.ndtr(-critical)) + float(np.sum(weights * later * _bell(x)))))


def sup_critical(alpha: float, correlations: Sequence[float]) -> float:
    """The c with P(max |Z_k| > c) = alpha; see `sup_exceedance`.

    Between the critical value of one test and that of Bonferroni. Pocock's constant for five equally spaced looks:

    >>> round(sup_critical(0.05, [math.sqrt(k / (k + 1)) for k in range(1, 5)]), 3)
    2.413
    """
    low = critical_value(alpha)
    # Beyond Bonferroni's, because the normal tail falls faster than its density.
    high = math.sqrt(low * low + 2.0 * math.log(1 + sum(rho < 1.0 for rho in correlations)))

    def excess(critical: float) -> float:
        return math.log(max(sup_exceedance(critical, correlations), 5e-324)) - math.log(alpha)

    # Regula falsi on the logarithm, which is nearly straight; the end that stays is halved (Illinois).
    at_low, at_high, kept = excess(low), excess(high), 0
    middle = high
    while at_low > 0.0 > at_high and high - low > 1e-12 * high:
        middle = (low * at_high - high * at_low) / (at_high - at_low)
        at_middle = excess(middle)
        if abs(at_middle) < 1e-10:
            break
        if at_middle > 0.0:
            low, at_low = middle, at_middle
            at_high, kept = (0.5 * at_high if kept == 1 else at_high), 1
        else:
            high, at_high = middle, at_middle
            at_low, kept = (0.5 * at_low if kept == -1 else at_low), -1
    return middle if at_low > 0.0 else low


def _correlations(at_least: Sequence[int], n: int) -> list[float]:
    """Of neighbouring thresholds, from the units at or above each (descending, none 0, none n) of n in all."""
    return [math.sqrt(upper * (n - lower) / (lower * (n - upper))) for lower, upper in pairwise(at_least)]


def _enough(treatment: _Survivors, control: _Survivors, threshold: float) -> bool:
    n = treatment.n + control.n
    above = treatment.at_least(threshold).successes + control.at_least(threshold).successes
    return min(treatment.n, control.n) * min(above, n - above) >= ENOUGH_UNITS * n


def _spread_thresholds(treatment: _Survivors, control: _Survivors, most: int) -> tuple[float, ...]:
    values = [k for k in sorted({*treatment.values, *control.values}) if _enough(treatment, control, k)]
    if len(values) <= most:
        return tuple(values)
    n = treatment.n + control.n
    above = [treatment.at_least(k).successes + control.at_least(k).successes for k in values]
    log_odds = [math.log((n - x) / x) for x in above]
    wanted = np.linspace(log_odds[0], log_odds[-1], most)
    after = np.searchsorted(log_odds, wanted).clip(1, len(values) - 1)
    nearest = {i - 1 if w - log_odds[i - 1] <= log_odds[i] - w else i for i, w in zip(after, wanted, strict=True)}
    return tuple(values[i] for i in sorted(nearest))


def _check_thresholds(thresholds: Sequence[float]) -> None:
    if not 1 <= len(thresholds) <= MOST_THRESHOLDS:
        raise ValueError(f"a dose curve has 1 to {MOST_THRESHOLDS} thresholds, got {len(thresholds)}")
    if not all(math.isfinite(k) for k in thresholds) or any(b <= a for a, b in pairwise(thresholds)):
        raise ValueError(f"thresholds must be finite and ascending, got {tuple(thresholds)}")


def _bell(z: Floats) -> Floats:
    return np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def _half_line(end: float, step: float) -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes and weights on (0, end) for functions that bend over a length of `step`."""
    size = min(MOST_NODES, 8 * math.ceil(max(16.0, NODES_PER_STEP * end / step) / 8.0))
    nodes, weights = _legendre(size)
    return 0.5 * end * (nodes + 1.0), 0.5 * end * weights


@lru_cache
def _legendre(size: int) -> tuple[Floats, Floats]:
    nodes, weights = special.roots_legendre(size)
    return nodes, weights
