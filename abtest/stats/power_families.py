"""Units for shares, ranks and quantiles: what stands for the variance where a metric is no mean.

Shares have a variance that depends on the share itself, ordinal answers are compared by the odds of a higher one, and a
quantile is as noisy as few units lie near it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import special

from abtest.stats.distributions import check_alpha, critical_value
from abtest.stats.power import Noise, z_sum
from abtest.stats.spending import Sides


def share_noise(treatment: float, control: float, share: float = 0.5) -> Noise:
    """Variances p (1 - p) of both arms; for intervals and tests that do not pool. Raises ValueError outside (0, 1).

    >>> from abtest.stats.power import sample_size
    >>> round(sample_size(share_noise(0.11, 0.10), 0.01) / 2)
    14748
    """
    _check_shares(treatment, control)
    return Noise(treatment * (1.0 - treatment), control * (1.0 - control), share)


def share_sample_size(
    treatment: float,
    control: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    sides: Sides = 2,
    share: float = 0.5,
    inflation: float = 1.0,
) -> float:
    """Units of both arms for the score test, which pools under "no difference" (Fleiss 1981, eq. 3.14).

    (z_alpha sd_0 + z_power sd_1)^2 / (p_t - p_c)^2 with sd_0 from the pooled share, sd_1 from both. Not rounded.

    >>> round(share_sample_size(0.55, 0.5) / 2, 3)
    1564.672
    """
    noise = share_noise(treatment, control, share)
    if treatment == control:
        raise ValueError("no number of units finds a difference of zero")
    z_sum(alpha, power, sides)
    null = _null_noise(treatment, control, share)
    reach = critical_value(2.0 * alpha / sides) * math.sqrt(null.per_unit) + critical_value(
        2.0 * (1.0 - power)
    ) * math.sqrt(noise.per_unit)
    return (reach / (treatment - control)) ** 2 * inflation


def share_power(
    treatment: float, control: float, n_treatment: float, n_control: float, *, alpha: float = 0.05, sides: Sides = 2
) -> float:
    """Power of the score test on the side of the difference, by the normal approximation (Fleiss 1981).

    >>> round(share_power(0.75, 0.5, 76.70692, 76.70692), 5)
    0.9
    """
    check_alpha(alpha)
    units = n_treatment + n_control
    noise = share_noise(treatment, control, n_treatment / units)
    null = _null_noise(treatment, control, n_treatment / units)
    bound = critical_value(2.0 * alpha / sides) * math.sqrt(null.per_unit / units)
    return float(special.ndtr((abs(treatment - control) - bound) / math.sqrt(noise.per_unit / units)))


def arcsine_effect(treatment: float, control: float) -> float:
    """h = 2 asin sqrt(p_t) - 2 asin sqrt(p_c) (Cohen 1988, eq. 6.2.1): a difference of shares with variance 1 per unit.

    For comparison with tools that plan by it: `sample_size(Noise(1, 1), h)`.

    >>> round(arcsine_effect(0.55, 0.5), 7)
    0.1001674
    """
    _check_shares(treatment, control)
    return 2.0 * math.asin(math.sqrt(treatment)) - 2.0 * math.asin(math.sqrt(control))


def shifted(control: Sequence[float], odds_ratio: float) -> tuple[float, ...]:
    """The shares of each answer in the treatment, if the odds of a higher one are `odds_ratio` times the control's.

    `control` has shape (levels,), from the lowest answer up, and sums to 1 (McCullagh 1980, proportional odds).

    >>> [round(p, 4) for p in shifted([0.5, 0.5], 2.0)]
    [0.3333, 0.6667]
    """
    _check_levels(control, odds_ratio)
    found, before, below = [], 0.0, 0.0
    for k, p in enumerate(control):
        below = min(1.0, below + p) if k < len(control) - 1 else 1.0
        here = below / (below + odds_ratio * (1.0 - below))
        found.append(here - before)
        before = here
    return tuple(found)


def ordinal_sample_size(
    control: Sequence[float],
    odds_ratio: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    sides: Sides = 2,
    share: float = 0.5,
    inflation: float = 1.0,
) -> float:
    """Units of both arms for a rank test of ordinal answers (Whitehead 1993, eq. 7), not rounded.

    3 (z_alpha + z_power)^2 / (share (1 - share) ln(OR)^2 (1 - sum p^3)), p the mean shares of the levels over the arms,
    weighted by the split.

    >>> round(ordinal_sample_size([0.1, 0.2, 0.4, 0.2, 0.1], 1.842085) / 2, 1)
    136.8
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"the share of the treatment lies strictly between 0 and 1, got {share!r}")
    treatment = shifted(control, odds_ratio)
    if odds_ratio == 1.0:
        raise ValueError("no number of units finds an odds ratio of 1")
    mean = [share * t + (1.0 - share) * c for t, c in zip(treatment, control, strict=True)]
    spread = 1.0 - math.fsum(p**3 for p in mean)
    if spread <= 0.0:
        raise ValueError("one level holds all answers: nothing can differ")
    reach = z_sum(alpha, power, sides) / math.log(odds_ratio)
    return 3.0 * reach * reach / (share * (1.0 - share) * spread) * inflation


def quantile_noise(at: float, density: float, share: float = 0.5) -> Noise:
    """The variance of one unit for a quantile: q (1 - q) / f^2, f the density of the values there (Woodruff 1952).

    `at` in (0, 1); `density` per unit of the metric, from history. Units that count several times (sessions) multiply
    it by their `design_effect`.

    >>> round(quantile_noise(0.5, 0.3989423).control, 4)
    1.5708
    """
    if not (0.0 < at < 1.0 and 0.0 < density < math.inf):
        raise ValueError(f"need a quantile in (0, 1) and a positive density, got {at!r} and {density!r}")
    variance = at * (1.0 - at) / density**2
    return Noise(variance, variance, share)


def _null_noise(treatment: float, control: float, share: float) -> Noise:
    pooled = share * treatment + (1.0 - share) * control
    return Noise(pooled * (1.0 - pooled), pooled * (1.0 - pooled), share)


def _check_shares(*shares: float) -> None:
    if not all(0.0 < p < 1.0 for p in shares):
        raise ValueError(f"shares lie strictly between 0 and 1, got {shares}")


def _check_levels(control: Sequence[float], odds_ratio: float) -> None:
    if len(control) < 2 or not all(p >= 0.0 for p in control) or abs(math.fsum(control) - 1.0) > 1e-6:
        raise ValueError(f"need shares of two levels or more that sum to 1, got {tuple(control)}")
    if not 0.0 < odds_ratio < math.inf:
        raise ValueError(f"an odds ratio is positive, got {odds_ratio!r}")
