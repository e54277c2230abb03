"""What to report at a look of a group sequential test, and after it has stopped.

An experiment that stops because its estimate is large has an estimate that is too large, and its ordinary p-value and
interval do not hold. Repeated intervals and p-values hold at every look, stopped or not, and are wide. Once it has
stopped, outcomes can be put in order by when and where it stopped; p-value, interval and median-unbiased estimate
from that order are sharper, and agree with the decision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from abtest.stats.brownian import START, above, below, between
from abtest.stats.distributions import check_alpha
from abtest.stats.group_sequential import GroupDesign, boundaries
from abtest.stats.inference import Estimate
from abtest.stats.roots import expand, root
from abtest.stats.spending import OBRIEN_FLEMING, Sides, Spending

SMALLEST_P = 1e-12
LARGEST_P = 0.99


@dataclass(frozen=True, slots=True)
class Stopped:
    """After the stop: `p_value` of "no effect"; `estimate` is median-unbiased, with its interval and the raw `se`.

    One-sided designs: the p-value of "no better", and an interval without an upper end.
    """

    p_value: float
    estimate: Estimate


def repeated_interval(estimate: float, se: float, bound: float, *, sides: Sides = 2) -> Estimate:
    """estimate -+ bound * se: covers the truth at all looks at once (Jennison & Turnbull 1989).

    `bound` is the design's at this look; inf where it is not tested, which leaves the interval without ends. It
    excludes zero just when the boundary is crossed. One side: the lower end only. Raises ValueError for se <= 0.

    >>> repeated_interval(0.5, 0.125, 2.0)
    Estimate(estimate=0.5, low=0.25, high=0.75, se=0.125)
    """
    _check_se(se)
    if math.isinf(bound):
        return Estimate(estimate, None, None, se)
    return Estimate(estimate, estimate - bound * se, estimate + bound * se if sides == 2 else None, se)


def repeated_p(
    z: float,
    times: Sequence[float],
    spending: Spending = OBRIEN_FLEMING,
    *,
    sides: Sides = 2,
    final: bool = False,
    schedule: Sequence[float] | None = None,
) -> float:
    """The smallest alpha whose boundary this look would have crossed (Jennison & Turnbull 2000, section 9.4).

    `z` at the last of `times`, as in `boundaries`. At most alpha just when the boundary at alpha is crossed. The
    smallest over all looks is valid as well. In [1e-12, 0.99], and 1 where even 0.99 would not do.

    >>> round(repeated_p(2.0310, [0.2, 0.4, 0.6, 0.8, 1.0]), 4)
    0.05
    """
    size = abs(z) if sides == 2 else z

    def distance(log_alpha: float) -> float:
        bound = boundaries(times, math.exp(log_alpha), spending, sides=sides, final=final, schedule=schedule).bounds[-1]
        return min(bound, 1e3) - size

    if distance(math.log(LARGEST_P)) > 0.0:
        return 1.0
    if distance(math.log(SMALLEST_P)) <= 0.0:
        return SMALLEST_P
    return math.exp(root(distance, math.log(SMALLEST_P), math.log(LARGEST_P), tolerance=1e-8))


def stagewise(design: GroupDesign, look: int, estimate: float, se: float, *, alpha: float = 0.05) -> Stopped:
    """p-value, median-unbiased estimate and interval in the stage-wise order (Armitage 1957; Fairbanks & Madsen 1982).

    `look` (1 is the first) is where it stopped: its boundary is crossed there, or it is the last of the design. An
    outcome counts as higher if it crossed the upper boundary earlier, or at the same look with a larger z. With G(d)
    the probability, at effect d, of an outcome at least as high: p = G(0), doubled and the smaller of both ends for two
    sides; the estimate has G = 1/2, the interval G = alpha/2 and 1 - alpha/2 (one side: G = alpha). Raises ValueError
    for a look that is none, se <= 0, or where nothing has stopped.

    >>> from abtest.stats.group_sequential import boundaries
    >>> found = stagewise(boundaries([0.5, 1.0]), 1, 3.2, 1.0)
    >>> round(found.p_value, 5), round(found.estimate.estimate, 3)
    (0.00137, 3.2)
    """
    check_alpha(alpha)
    _check_se(se)
    if not 1 <= look <= len(design.times):
        raise ValueError(f"looks are counted from 1 to {len(design.times)}, got {look}")
    z, bound, t = estimate / se, design.bounds[look - 1], design.times[look - 1]
    size = abs(z) if design.sides == 2 else z
    if size < bound and look < len(design.times):
        raise ValueError(f"not stopped: z = {z:.3f} has not crossed {bound:.3f} at look {look}, and it is not the last")

    def drift_at(level: float) -> float:
        # In terms of G's own log odds, nearly a straight line in the drift.
        def distance(drift: float) -> float:
            upper, lower = _tails(design, look, z, drift)
            return _log(upper) - _log(lower) - (math.log(level) - math.log1p(-level))

        start, step = z / math.sqrt(t), 1.0 / math.sqrt(t)
        return root(distance, *expand(distance, start, -step if distance(start) > 0.0 else step), tolerance=1e-9)

    scale = se * math.sqrt(t)
    middle = drift_at(0.5) * scale
    upper, lower = _tails(design, look, z, 0.0)
    if design.sides == 1:
        return Stopped(upper, Estimate(middle, drift_at(alpha) * scale, None, se))
    ends = drift_at(alpha / 2.0) * scale, drift_at(1.0 - alpha / 2.0) * scale
    return Stopped(min(1.0, 2.0 * min(upper, lower)), Estimate(middle, *ends, se))


def _tails(design: GroupDesign, look: int, z: float, drift: float) -> tuple[float, float]:
    """P(an outcome at least as high as a stop at `look` with z), and P(one at least as low)."""
    going, higher, lower, last = START, [], [], design.times[look - 1]
    tested = [(t, b) for t, b in zip(design.times[: look - 1], design.bounds[: look - 1], strict=True) if b < math.inf]
    for number, (t, bound) in enumerate(tested):
        then = tested[number + 1][0] if number + 1 < len(tested) else last
        edge = bound * math.sqrt(t)
        low = -edge if design.sides == 2 else -math.inf
        higher.append(above(going, t, edge, drift))
        lower.append(below(going, t, low, drift))
        going = between(going, t, low, edge, then=then, drift=drift)
    here = z * math.sqrt(last)
    return (
        math.fsum([*higher, above(going, last, here, drift)]),
        math.fsum([*lower, below(going, last, here, drift)]),
    )


def _log(p: float) -> float:
    return math.log(max(p, 1e-300))


def _check_se(se: float) -> None:
    if not 0.0 < se < math.inf:
        raise ValueError(f"a standard error is positive, got {se!r}")
