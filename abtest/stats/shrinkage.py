"""What is left of an effect that was chosen because it looked large.

Whoever ships what came out significant ships overestimates: the estimate had to be lucky to be chosen. For a whole
program of experiments, `heterogeneity.shrink` pulls each to their common mean, and `program` sets raw and shrunken side
by side; `winners_curse` corrects the sum of what was shipped; `conditional_estimate` corrects one effect that is only
shown because it was significant; `type_errors` says before the start how bad it can get.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from abtest.stats.distributions import critical_value, normal_upper
from abtest.stats.heterogeneity import shrink
from abtest.stats.inference import Estimate, Status
from abtest.stats.roots import expand, root
from abtest.stats.spending import Sides


@dataclass(frozen=True, slots=True)
class Program:
    """Result of `program`: per experiment the shrunken estimate with its interval, in the order they came in.

    `kept` is the share of the raw distance to `centre` that is believed, in [0, 1]; `tau` the standard deviation of
    true effects. `reason` `few_groups` (status ok): below ten experiments tau is little more than a guess.
    """

    status: Status
    reason: str | None
    effects: tuple[Estimate, ...] = ()
    kept: tuple[float, ...] = ()
    centre: float | None = None
    tau: float | None = None


@dataclass(frozen=True, slots=True)
class Shipped:
    """Result of `winners_curse`: the `raw` sum of the shipped effects, the expected `excess` in it, and what remains."""

    count: int
    raw: float
    excess: float
    corrected: float


@dataclass(frozen=True, slots=True)
class TypeErrors:
    """Result of `type_errors`: the power; `sign`, P(wrong sign | significant); `magnitude`, E|estimate| / |effect| of these."""

    power: float
    sign: float
    magnitude: float


def program(effects: Sequence[float], ses: Sequence[float], *, alpha: float = 0.05) -> Program:
    """Empirical-Bayes estimates of a program of experiments on one metric, by `heterogeneity.shrink` (Morris 1983).

    Shapes (k,), one unit. The intervals are mean -+ z total_sd, which count what is not known of centre and tau.
    Statuses and errors as `shrink`.

    >>> found = program([.03, -.01, .05, 0, .02, -.02, .04, .01], [0.02] * 8)
    >>> [round(e.estimate, 6) for e in found.effects[:3]], round(found.kept[0], 6)
    ([0.02, 0.006667, 0.026667], 0.333333)
    """
    found = shrink(effects, ses)
    if found.status == "no_test" or found.tau is None:
        return Program(found.status, found.reason)
    z = critical_value(alpha)
    shown = tuple(
        Estimate(mean, mean - z * sd, mean + z * sd, sd) for mean, sd in zip(found.means, found.total_sds, strict=True)
    )
    kept = tuple((found.tau / math.hypot(found.tau, se)) ** 2 for se in ses)
    return Program(found.status, found.reason, shown, kept, found.centre, found.tau)


def winners_curse(estimates: Sequence[float], ses: Sequence[float], cuts: Sequence[float] | float) -> Shipped:
    """The sum of the effects that were shipped, less what it is too large by on average (Lee & Shen 2018, eq. 3).

    All experiments, shipped or not, shapes (k,); shipped are those with estimate > cut * se (turn the sign where lower
    is better). The excess is sum over *all* of se phi((cut se - estimate) / se): an experiment that just missed could
    have been shipped as well. The estimates stand in for the true effects in it, so some of the excess remains: 29 %
    where true effects lie at the cut; far from it a little too much is taken off. `cuts` in standard errors, one for
    all or one each, e.g. 1.96. Raises ValueError for lengths that differ, standard errors that are not positive.

    >>> found = winners_curse([2.5], [1.0], 1.96)
    >>> round(found.excess, 6), round(found.corrected, 6)
    (0.344818, 2.155182)
    """
    x, s = np.asarray(estimates, dtype=np.float64), np.asarray(ses, dtype=np.float64)
    if x.shape != s.shape or x.ndim != 1 or (not isinstance(cuts, float | int) and len(cuts) != len(x)):
        raise ValueError(f"need one standard error and one cut per estimate, got {len(s)} for {len(x)}")
    if not (np.isfinite(x).all() and np.isfinite(s).all() and (s > 0.0).all()):
        raise ValueError("need finite estimates with positive standard errors")
    c = np.broadcast_to(np.asarray(cuts, dtype=np.float64), x.shape)
    chosen = x > c * s
    excess = math.fsum((s * np.exp(-0.5 * (c - x / s) ** 2) / math.sqrt(2.0 * math.pi)).tolist())
    raw = math.fsum(x[chosen].tolist())
    return Shipped(int(chosen.sum()), raw, excess, raw - excess)


def conditional_estimate(estimate: float, se: float, cut: float = 1.959963985, *, sides: Sides = 2) -> float:
    """The effect under which an estimate that is shown only if significant would be this large (Zhong & Prentice 2008).

    Maximum likelihood given selection: the theta with E[X | X > cut] = x (one side) or E[X | |X| > cut] = x (two), in
    standard errors. Close to the cut it falls far: with one side below any bound. Raises ValueError where the estimate
    is not beyond the cut, se <= 0 or cut < 0.

    >>> round(conditional_estimate(2.5, 1.0, 1.96, sides=1), 5), round(conditional_estimate(2.5, 1.0, 1.96), 5)
    (1.03307, 1.13783)
    """
    if not (0.0 < se < math.inf and cut >= 0.0):
        raise ValueError(f"need a positive standard error and a cut of at least 0, got {se!r} and {cut!r}")
    z = estimate / se
    if not (z > cut or (sides == 2 and z < -cut)):
        raise ValueError(f"nothing was selected: z = {z:.3f} is not beyond {cut:.3f}")
    if sides == 2 and z < 0.0:
        return -conditional_estimate(-estimate, se, cut)

    def distance(theta: float) -> float:
        return (_mean_above(theta, cut) if sides == 1 else _mean_beyond(theta, cut)) - z

    if sides == 2:
        return se * root(distance, 0.0, z)
    return se * root(distance, *expand(distance, z, -1.0))


def type_errors(effect: float, se: float, *, alpha: float = 0.05) -> TypeErrors:
    """Of a two-sided test with this true effect: power, and sign and size of what comes out significant.

    Gelman & Carlin 2014, in closed form: with l = |effect| / se, power = Phi(l - z) + Phi(-l - z), sign = Phi(-l - z) /
    power, magnitude = (l (Phi(l - z) - Phi(-l - z)) + phi(l - z) + phi(l + z)) / (l power). `effect` is a plausible one,
    not the estimate. Raises ValueError for an effect of 0 or se <= 0.

    >>> found = type_errors(2.0, 8.1)
    >>> round(found.power, 4), round(found.sign, 4), round(found.magnitude, 2)
    (0.057, 0.2396, 9.54)
    """
    if not (0.0 < se < math.inf and math.isfinite(effect) and effect != 0.0):
        raise ValueError(f"need an effect other than 0 and a positive standard error, got {effect!r} and {se!r}")
    size, z = abs(effect) / se, critical_value(alpha)
    right, wrong = normal_upper(z - size), normal_upper(size + z)
    total = size * (right - wrong) + _phi(size - z) + _phi(size + z)
    return TypeErrors(right + wrong, wrong / (right + wrong), total / (size * (right + wrong)))


def _mean_above(theta: float, cut: float) -> float:
    """E[X | X > cut] for X ~ N(theta, 1), by the inverse Mills ratio."""
    a = cut - theta
    if a > 50.0:
        # theta and the ratio nearly cancel; their sum by the asymptotic series of the ratio.
        return cut + 1.0 / a - 2.0 / a**3 + 10.0 / a**5
    return theta + math.sqrt(2.0 / math.pi) / float(special.erfcx(a / math.sqrt(2.0)))


def _mean_beyond(theta: float, cut: float) -> float:
    """E[X | |X| > cut] for X ~ N(theta, 1)."""
    right, wrong = normal_upper(cut - theta), normal_upper(cut + theta)
    return theta + (_phi(cut - theta) - _phi(cut + theta)) / (right + wrong)


def _phi(z: float) -> float:
    return math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
