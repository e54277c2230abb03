"""What to believe about an effect: a normal posterior, the chance to win, and what a wrong choice would cost.

The estimate is taken as normal around the effect with a known standard error, and the prior is normal or flat, so that
the posterior is normal as well. A posterior may be looked at any time, but acting on it at the first good moment raises
false alarms as any early reading does: nothing here keeps an error rate over many looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from abtest.stats.distributions import critical_value, normal_upper
from abtest.stats.heterogeneity import GROUPS_FOR_A_SPREAD, shrink
from abtest.stats.margins import Better
from abtest.stats.roots import root

_PANEL = 24
_CUTS = (-9.0, -6.0, -4.0, -2.5, -1.25, 0.0, 1.25, 2.5, 4.0, 6.0, 9.0)


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed before: the effect is N(mean, sd^2), in its unit; for lifts as fractions. `sd` inf is flat."""

    mean: float = 0.0
    sd: float = math.inf


FLAT = Prior()
WEAK = Prior(0.0, 0.3)
"""For lifts: two of three below 30 %, either way."""


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is believed after: N(mean, sd^2), in the unit of the effect."""

    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class Loss:
    """What is lost on average, >= 0 and in the unit of the effect: by shipping where it hurts, by keeping where it helps."""

    ship: float
    keep: float


@dataclass(frozen=True, slots=True)
class Best:
    """Of several arms: the chance of each to be the best, and what is lost on average by choosing it."""

    chances: tuple[float, ...]
    losses: tuple[float, ...]


def posterior(estimate: float, se: float, prior: Prior = FLAT) -> Posterior:
    """Precisions add: 1 / sd^2 = 1 / prior.sd^2 + 1 / se^2, the mean weighs by them (Gelman et al. 2013, eq. 2.11).

    Raises ValueError for se <= 0 and for a prior with no variance: it would not listen to any data.

    >>> found = posterior(0.08, 0.0952659, Prior(0.0, 0.3))
    >>> round(found.mean, 7), round(found.sd, 7)
    (0.0726718, 0.0907978)
    """
    if not (0.0 < se < math.inf and math.isfinite(estimate)):
        raise ValueError(f"need a finite estimate and a positive standard error, got {estimate!r} and {se!r}")
    if not (prior.sd > 0.0 and math.isfinite(prior.mean)):
        raise ValueError(f"a prior needs a finite mean and a standard deviation above zero, got {prior}")
    if math.isinf(prior.sd):
        return Posterior(estimate, se)
    # The share of the data, in ratios that neither overflow nor vanish.
    largest = max(se, prior.sd)
    share = (prior.sd / largest) ** 2 / ((prior.sd / largest) ** 2 + (se / largest) ** 2)
    return Posterior(share * estimate + (1.0 - share) * prior.mean, math.sqrt(share) * se)


def on_absolute(prior: Prior, control_mean: float) -> Prior:
    """A prior on the lift as one on the difference: both numbers times |control mean|.

    >>> on_absolute(WEAK, -20.0)
    Prior(mean=0.0, sd=6.0)
    """
    if not (math.isfinite(control_mean) and control_mean != 0.0):
        raise ValueError(f"a lift needs a control mean that is not zero, got {control_mean!r}")
    return Prior(prior.mean * abs(control_mean), prior.sd * abs(control_mean))


def prior_from_history(effects: Sequence[float], ses: Sequence[float]) -> Prior | None:
    """The distribution of earlier effects of the metric, by `heterogeneity.shrink`: mean and spread with its own error.

    Shape (k,), one unit (lifts for lifts). None below ten experiments, or where they vary no more than their errors:
    the history then cannot say how large effects are, and a weak prior is the honest choice. The spread of a new effect
    is sqrt(tau^2 + centre_se^2). Raises ValueError as `shrink` does.

    >>> prior_from_history([0.03, -0.01, 0.05, 0.0], [0.02] * 4) is None
    True
    """
    if len(effects) < GROUPS_FOR_A_SPREAD:
        return None
    found = shrink(effects, ses)
    if found.tau is None or found.centre is None or found.centre_se is None or found.tau == 0.0:
        return None
    return Prior(found.centre, math.hypot(found.tau, found.centre_se))


def chance_to_win(found: Posterior, better: Better = "higher") -> float:
    """P(the effect is good): Phi(mean / sd), or the other side where lower is better.

    >>> round(chance_to_win(Posterior(0.08, 0.0952659)), 6)
    0.799477
    """
    return normal_upper(-_good(found, better) / found.sd)


def expected_loss(found: Posterior, better: Better = "higher") -> Loss:
    """E max(-effect, 0) if it ships, E max(effect, 0) if it does not (Stucchio 2015): sd phi(m / sd) -+ m Phi(-+ m / sd).

    >>> loss = expected_loss(Posterior(0.08, 0.0952659))
    >>> round(loss.ship, 7), round(loss.keep, 7)
    (0.0106709, 0.0906709)
    """
    z = _good(found, better) / found.sd
    return Loss(found.sd * _unit_loss(z), found.sd * _unit_loss(-z))


def credible_interval(found: Posterior, level: float = 0.95) -> tuple[float, float]:
    """The middle `level` of the posterior, equal tails. Raises ValueError for a level outside (0, 1).

    >>> low, high = credible_interval(Posterior(0.08, 0.0952659))
    >>> round(low, 6), round(high, 6)
    (-0.106718, 0.266718)
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"a level lies strictly between 0 and 1, got {level!r}")
    half = critical_value(1.0 - level) * found.sd
    return found.mean - half, found.mean + half


def detectable_with_prior(se: float, prior: Prior, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The true effect whose credible interval leaves zero, on its side, with `power`: (z sqrt(1 + r) + z_power) se - r m,
    with r = se^2 / prior.sd^2 and the prior's mean m counted towards the effect.

    The posterior mean has to exceed z posterior sds (Spiegelhalter, Abrams & Myles 2004, chapter 6, a hybrid of both
    schools: the prior judges, the power is for one true effect). With a flat prior it is `power.minimum_detectable`. Never
    below 0. Raises ValueError for se <= 0 and a power outside (1/2, 1).

    >>> round(detectable_with_prior(0.02, Prior(0.0, 0.02)), 5), round(detectable_with_prior(0.02, FLAT), 5)
    (0.07227, 0.05603)
    """
    if not (0.0 < se < math.inf and 0.5 < power < 1.0):
        raise ValueError(f"need a positive standard error and a power in (1/2, 1), got {se!r} and {power!r}")
    return max(0.0, (z_with_prior(se, prior, alpha=alpha) + critical_value(2.0 * (1.0 - power))) * se)


def z_with_prior(se: float, prior: Prior, *, alpha: float = 0.05) -> float:
    """How many standard errors from zero an estimate has to be for its credible interval to leave zero on its side:
    z sqrt(1 + r) - r m / se with r = se^2 / prior.sd^2; the prior's mean m counts towards the effect.

    >>> round(z_with_prior(0.02, Prior(0.0, 0.02)), 5)
    2.77181
    """
    r = 0.0 if math.isinf(prior.sd) else (se / prior.sd) ** 2
    return critical_value(alpha) * math.sqrt(1.0 + r) - (r * prior.mean / se if r else 0.0)


def inflation(effect: float, prior: Prior, *, alpha: float = 0.05, power: float = 0.8) -> float | None:
    """How many times the units of an ordinary test it takes to find `effect` by a credible interval
    (`detectable_with_prior`). None where the prior alone would find it. Raises ValueError for an effect <= 0.

    >>> round(inflation(0.05, Prior(0.0, 0.02)), 4), inflation(0.05, FLAT)
    (1.3878, 1.0)
    """
    if not 0.0 < effect < math.inf:
        raise ValueError(f"an effect to be found is positive, got {effect!r}")
    plain = effect / (critical_value(alpha) + critical_value(2.0 * (1.0 - power)))

    def beyond(se: float) -> float:
        return detectable_with_prior(se, prior, alpha=alpha, power=power) - effect

    if math.isinf(prior.sd):
        return 1.0
    top = plain
    while beyond(top) < 0.0:
        top *= 2.0
        if top > 1e3 * max(prior.sd, plain):
            return None
    return (plain / root(beyond, 1e-9 * plain, top)) ** 2


def best_of(arms: Sequence[Posterior], better: Better = "higher") -> Best:
    """The chance of each of k arms to be the best, and E[best - arm], by quadrature without random numbers.

    chance_i = integral of phi_i(x) prod_{j != i} Phi((x - m_j) / s_j) dx over panels cut where any arm bends; correct to
    about 1e-9. The arms must be independent: give the arms themselves, the control among them, and not differences that
    share one control (from differences with a flat prior: the control is `Posterior(0, its own se)`, each arm the
    difference with the arm's own se). Raises ValueError for no arms or an sd that is not positive.

    >>> found = best_of([Posterior(0.0, 1.0), Posterior(1.0, 1.0)])
    >>> [round(chance, 6) for chance in found.chances]
    [0.23975, 0.76025]
    """
    if not arms or not all(0.0 < arm.sd < math.inf and math.isfinite(arm.mean) for arm in arms):
        raise ValueError(f"need arms with finite means and standard deviations above zero, got {tuple(arms)}")
    sign = 1.0 if better == "higher" else -1.0
    # In units of the largest sd around the largest mean, so that no scale overflows.
    scale = max(arm.sd for arm in arms)
    top = max(sign * arm.mean for arm in arms)
    means = np.array([(sign * arm.mean - top) / scale for arm in arms])
    sds = np.array([arm.sd / scale for arm in arms])
    cuts = np.unique((means[:, None] + sds[:, None] * np.array(_CUTS)).ravel())
    nodes, weights = special.roots_legendre(_PANEL)
    halves = np.diff(cuts) / 2.0
    x = (cuts[:-1, None] + halves[:, None] * (nodes + 1.0)).ravel()
    w = (halves[:, None] * weights).ravel()
    z = (x[None, :] - means[:, None]) / sds[:, None]
    logs = special.log_ndtr(z)
    density = np.exp(-0.5 * z * z + (logs.sum(axis=0) - logs)) / (sds[:, None] * math.sqrt(2.0 * math.pi))
    masses = density @ w
    chances = masses / masses.sum()
    largest = float((density * x) @ w @ np.ones(len(arms)) / masses.sum())
    losses = tuple(max(0.0, scale * (largest - float(mean))) for mean in means)
    return Best(tuple(float(chance) for chance in chances), losses)


def _good(found: Posterior, better: Better) -> float:
    return found.mean if better == "higher" else -found.mean


def _unit_loss(z: float) -> float:
    """E max(-X, 0) for X ~ N(z, 1): phi(z) - z Phi(-z), without cancellation far out."""
    if z > 0.0:
        # Scaled by phi(z), so that far out the difference is taken of numbers near 1 and does not drown.
        mills = math.sqrt(math.pi / 2.0) * float(special.erfcx(z / math.sqrt(2.0)))
        return math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi) * max(0.0, 1.0 - z * mills)
    return math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi) - z * normal_upper(z)
