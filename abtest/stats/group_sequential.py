"""Group sequential tests: a few planned looks, each with a boundary that spends its share of alpha.

At planned looks they find effects sooner than an always-valid band, which must hold at every moment. Looks are placed by
information fraction t = (planned se / se)^2, for most metrics the share of the planned units. A boundary depends only on
the looks up to its own: earlier ones never change when a look is added or comes at another time.

`stopped` says what to report afterwards; `brownian` is the recursion, correct here to about 1e-8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from abtest.stats.brownian import SHORTEST, START, Going, above, below, between
from abtest.stats.distributions import check_alpha, critical_value
from abtest.stats.roots import expand, root
from abtest.stats.spending import OBRIEN_FLEMING, Sides, Spending, spent

TINY = 2e-9
"""A look that may spend less than this share of alpha is not tested; what it had is left to the next."""
WIDEST = 38.0
"""Beyond so many standard errors a normal tail is zero in floating point."""


@dataclass(frozen=True, slots=True)
class GroupDesign:
    """Looks at information fractions `times`, with `bounds` for z = estimate / se, all of shape (looks,).

    Two sides: stop where |z| >= bound; one side: where z >= bound. A bound of inf means that this look is not tested.
    `cumulative` is the part of `alpha` that is spent by then.
    """

    times: tuple[float, ...]
    bounds: tuple[float, ...]
    cumulative: tuple[float, ...]
    alpha: float
    sides: Sides


@dataclass(frozen=True, slots=True)
class Exits:
    """Probabilities of stopping at each look, by which boundary; `lower` is all 0 for one side."""

    upper: tuple[float, ...]
    lower: tuple[float, ...]


def boundaries(
    times: Sequence[float],
    alpha: float = 0.05,
    spending: Spending = OBRIEN_FLEMING,
    *,
    sides: Sides = 2,
    final: bool = False,
    schedule: Sequence[float] | None = None,
) -> GroupDesign:
    """Boundaries at the looks made so far or planned (Lan & DeMets 1983).

    `schedule`: fractions by which alpha is spent, where they are others than those of the information, such as the
    share of the days (Lan & DeMets 1989); `times` then only says how the looks correlate, in any unit.

    `times`: information fractions, increasing, above 0. A last look above 1 (overrun) spends what is left, at its true
    correlation with the others; `final` says that the last look is the end although it is below 1 (underrun), and it
    spends all. A look with next to nothing to spend, or less than 1e-4 of information after the one before, is not
    tested. Raises ValueError for looks out of order, a look after all is spent, and boundaries that cannot be met.

    >>> design = boundaries([0.2, 0.4, 0.6, 0.8, 1.0])
    >>> [round(bound, 3) for bound in design.bounds]
    [4.877, 3.357, 2.68, 2.29, 2.031]
    """
    _check_times(times)
    by = times if schedule is None else schedule
    if len(by) != len(times):
        raise ValueError(f"need one fraction of the schedule per look, got {len(by)} for {len(times)} looks")
    over = [k for k, t in enumerate(by[:-1], 1) if t >= 1.0]
    if over:
        raise ValueError(f"look {over[0]} is at or after the planned end: nothing is left to spend at later looks")
    allowed = [spent(t, alpha, spending, sides=sides) for t in by]
    if final:
        allowed[-1] = alpha
    return bounds_for(times, allowed, alpha=alpha, sides=sides)


def bounds_for(
    times: Sequence[float], cumulative: Sequence[float], *, alpha: float | None = None, sides: Sides = 2
) -> GroupDesign:
    """Boundaries for errors that somebody chose: `cumulative[k]` is the error spent up to look k, both of shape (looks,).

    `alpha` is the whole of it, where more looks are to come (None: the last of `cumulative`). At look k: find b with
    P(not stopped before, |Z_k| >= b) = cumulative[k] - what earlier looks really spent (Jennison & Turnbull 2000,
    section 7.2; both tails counted exactly). Raises ValueError as `boundaries` does, and for a cumulative error that
    falls, or is not in [0, 1).

    >>> [round(bound, 4) for bound in bounds_for([0.5, 1.0], [0.025, 0.05]).bounds]
    [2.2414, 2.1251]
    """
    _check_times(times)
    if len(cumulative) != len(times):
        raise ValueError(f"need one cumulative error per look, got {len(cumulative)} for {len(times)} looks")
    if not 0.0 < cumulative[-1] < 1.0:
        raise ValueError(f"the whole error lies strictly between 0 and 1, got {cumulative[-1]!r}")
    if any(not later >= earlier for earlier, later in zip((0.0, *cumulative), cumulative, strict=False)):
        raise ValueError(f"boundaries cannot be met: the error spent must not fall, got {tuple(cumulative)}")
    whole = cumulative[-1] if alpha is None else alpha
    going, bounds, used = START, [], 0.0
    pending: tuple[float, float] | None = None
    for k, (t, allowed) in enumerate(zip(times, cumulative, strict=True)):
        rest = allowed - used
        last = times[k - 1] if pending is not None else going.t
        if t - last < SHORTEST or rest < TINY * whole:
            if k == len(times) - 1 and rest > 0.01 * whole:
                raise ValueError(f"boundaries cannot be met: look {k + 1} brings no information after look {k}")
            bounds.append(math.inf)
            continue
        if pending is not None:
            going = _carry(going, *pending, sides, then=t)
        bound = _solve(going, t, rest, sides, k + 1)
        pending = (t, bound)
        bounds.append(bound)
        used = allowed
    return GroupDesign(tuple(times), tuple(bounds), tuple(cumulative), whole, sides)


def classical(looks: int, alpha: float = 0.05, *, shape: float = 0.5, sides: Sides = 2) -> GroupDesign:
    """Equally spaced looks with bounds c (k / K)^(shape - 1/2) (Wang & Tsiatis 1987).

    `shape` 0.5 is Pocock's (1977) constant bound, 0 that of O'Brien & Fleming (1979), for which c is the last bound.
    Raises ValueError below one look or for a shape outside [-1, 1].

    >>> round(classical(5).bounds[-1], 3), round(classical(5, shape=0.0).bounds[-1], 3)
    (2.413, 2.04)
    """
    check_alpha(alpha)
    if looks < 1 or not -1.0 <= shape <= 1.0:
        raise ValueError(f"need at least one look and a shape in [-1, 1], got {looks} and {shape!r}")
    times = tuple(k / looks for k in range(1, looks + 1))

    def design(c: float) -> GroupDesign:
        return GroupDesign(times, tuple(c * t ** (shape - 0.5) for t in times), (), alpha, sides)

    def excess(c: float) -> float:
        found = exits(design(c))
        return math.log(math.fsum(found.upper) + math.fsum(found.lower)) - math.log(alpha)

    made = design(root(excess, *expand(excess, critical_value(2.0 * alpha / sides) if alpha < 0.5 else 0.0, 0.25)))
    found = exits(made)
    sums = [math.fsum(found.upper[:k]) + math.fsum(found.lower[:k]) for k in range(1, looks + 1)]
    return GroupDesign(times, made.bounds, tuple(sums), alpha, sides)


def exits(design: GroupDesign, drift: float = 0.0) -> Exits:
    """Where the experiment stops if the effect is `drift`: the expected z at information fraction 1.

    >>> found = exits(boundaries([0.5, 1.0]))
    >>> round(sum(found.upper), 6), round(sum(found.lower), 6)
    (0.025, 0.025)
    """
    going, upper, lower = START, [0.0] * len(design.times), [0.0] * len(design.times)
    tested = [(k, t, b) for k, (t, b) in enumerate(zip(design.times, design.bounds, strict=True)) if b < math.inf]
    for number, (k, t, bound) in enumerate(tested):
        edge = bound * math.sqrt(t)
        upper[k] = above(going, t, edge, drift)
        lower[k] = below(going, t, -edge, drift) if design.sides == 2 else 0.0
        if number + 1 < len(tested):
            going = _carry(going, t, bound, design.sides, then=tested[number + 1][1], drift=drift)
    return Exits(tuple(upper), tuple(lower))


def power_of(design: GroupDesign, drift: float) -> float:
    """P(stopped by the upper boundary) if the expected z at information fraction 1 is `drift`.

    >>> round(power_of(boundaries([0.2, 0.4, 0.6, 0.8, 1.0]), 2.801585), 4)
    0.7903
    """
    return math.fsum(exits(design, drift).upper)


def drift_for(design: GroupDesign, power: float) -> float:
    """The expected z at information fraction 1 that is found with `power`. Raises ValueError unless alpha < power < 1.

    >>> round(drift_for(boundaries([0.5, 1.0]), 0.8), 4)
    2.8068
    """
    if not design.alpha < power < 1.0:
        raise ValueError(f"need a power between alpha = {design.alpha} and 1, got {power!r}")

    def short(drift: float) -> float:
        return power_of(design, drift) - power

    return root(short, *expand(short, 0.0, 1.0), tolerance=1e-10)


def inflation(design: GroupDesign, power: float = 0.8) -> float:
    """How many times the units of a fixed test are needed at the most, for the same power: (drift / (z_a + z_b))^2.

    (Jennison & Turnbull 2000, section 2.3.) Most experiments with an effect stop before: `expected_information`.

    >>> round(inflation(boundaries([0.2, 0.4, 0.6, 0.8, 1.0])), 4)
    1.0247
    """
    fixed = critical_value(2.0 * design.alpha / design.sides) + _z(power)
    return (drift_for(design, power) / fixed) ** 2


def expected_information(design: GroupDesign, drift: float) -> float:
    """The information fraction at which it stops, on average; without a stop, that of the last look.

    Times `inflation` it is the expected size in units of the fixed test's.

    >>> design = boundaries([0.2, 0.4, 0.6, 0.8, 1.0])
    >>> round(expected_information(design, drift_for(design, 0.8)), 3)
    0.804
    """
    found = exits(design, drift)
    stops = [u + v for u, v in zip(found.upper, found.lower, strict=True)]
    early = math.fsum(t * p for t, p in zip(design.times, stops, strict=True))
    return early + design.times[-1] * max(0.0, 1.0 - math.fsum(stops))


def _z(power: float) -> float:
    """The normal quantile of a power."""
    return critical_value(2.0 * (1.0 - power)) if power >= 0.5 else -critical_value(2.0 * power)


def _carry(going: Going, t: float, bound: float, sides: Sides, *, then: float, drift: float = 0.0) -> Going:
    edge = bound * math.sqrt(t)
    return between(going, t, -edge if sides == 2 else -math.inf, edge, then=then, drift=drift)


def _solve(going: Going, t: float, wanted: float, sides: Sides, look: int) -> float:
    def excess(z: float) -> float:
        edge = z * math.sqrt(t)
        found = above(going, t, edge) + (below(going, t, -edge) if sides == 2 else 0.0)
        return math.log(max(found, 1e-320)) - math.log(wanted)

    lowest = 0.0 if sides == 2 else -WIDEST
    if excess(lowest) <= 0.0:
        raise ValueError(f"boundaries cannot be met: at look {look} more is to be spent than has not stopped yet")
    return root(excess, lowest, WIDEST, tolerance=1e-11)


def _check_times(times: Sequence[float]) -> None:
    if not times:
        raise ValueError("need at least one look")
    if not all(0.0 < t < math.inf for t in times):
        raise ValueError(f"information fractions are positive, got {tuple(times)}")
    late = [k for k in range(1, len(times)) if times[k] <= times[k - 1]]
    if late:
        raise ValueError(f"looks out of order: look {late[0] + 1} has no more information than look {late[0]}")
