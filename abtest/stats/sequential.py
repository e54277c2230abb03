"""Always-valid inference: one interval that may be looked at after every day without spending any error.

The mixture sequential probability ratio test, the asymptotic confidence sequence and the generalised always-valid
interval are one and the same formula in kappa, the information at this look in units of the mixture's own precision:

    kappa = n * rho^2 = optimal_kappa(alpha) * n / n_planned

`n_planned` (N*) is the sample size at which the band is to be narrowest, fixed before the start. Only the ratio
n / n_planned enters, so both may count units per arm or in total, or be information fractions V* / V, as long as they
count the same. The band is valid at every n, whatever N* was; N* only decides where it is tight.

The critical value goes in as `critical=` of `welch` and `delta`. The normal approximation behind it wants about 100
units per arm before the first look.
"""

import math

from scipy import special

from abtest.stats.distributions import check_alpha


def optimal_kappa(alpha: float) -> float:
    """The kappa at which `critical(kappa, alpha)` is smallest: -W_{-1}(-alpha^2 / e) - 1 (Waudby-Smith et al. 2024).

    For a one-sided boundary take `optimal_kappa(2 * alpha)`.

    >>> round(optimal_kappa(0.05), 6)
    8.211968
    """
    check_alpha(alpha)
    return -float(special.lambertw(-alpha * alpha / math.e, k=-1).real) - 1.0


def closed_form_kappa(alpha: float) -> float:
    """The usual closed-form approximation of `optimal_kappa`: -2 ln(alpha) + ln(1 - 2 ln(alpha)).

    Its band is wider by 0.003 % at alpha = 0.05; here to compare with tools that use it.

    >>> round(closed_form_kappa(0.05), 6)
    7.936155
    """
    check_alpha(alpha)
    bits = -2.0 * math.log(alpha)
    return bits + math.log1p(bits)


def kappa_at(n: float, n_planned: float, alpha: float) -> float:
    """kappa at a look with `n` of `n_planned` units (see the module for what may be counted).

    >>> round(kappa_at(2500, 5000, 0.05), 6)
    4.105984
    """
    if n <= 0 or n_planned <= 0:
        raise ValueError(f"sample sizes must be positive, got {n} of {n_planned}")
    return optimal_kappa(alpha) * n / n_planned


def critical(kappa: float, alpha: float) -> float:
    """Two-sided always-valid critical value: sqrt((1 + k)/k * (2 ln(1/alpha) + ln(1 + k))).

    `estimate +- critical * se` covers the truth at all looks at once with probability 1 - alpha (Robbins 1970, normal
    mixture; Johari et al. 2022). Raises ValueError unless kappa > 0.

    >>> round(critical(5.0, 0.05), 6)
    3.05612
    """
    check_alpha(alpha)
    _check_kappa(kappa)
    return math.sqrt((1.0 + kappa) / kappa * (math.log1p(kappa) - 2.0 * math.log(alpha)))


def critical_one_sided(kappa: float, alpha: float) -> float:
    """One-sided always-valid critical value: sqrt((1 + k)/k * 2 ln(1 + sqrt(1 + k)/(2 alpha))).

    For "has it got worse?" at every look with error alpha (Howard et al. 2021; Waudby-Smith et al. 2024). Slightly
    conservative: an upper bound, in closed form, of the exact boundary of the half-normal mixture.

    >>> round(critical_one_sided(closed_form_kappa(0.10), 0.05), 6)
    2.779094
    """
    check_alpha(alpha)
    _check_kappa(kappa)
    return math.sqrt((1.0 + kappa) / kappa * 2.0 * math.log1p(math.sqrt(1.0 + kappa) / (2.0 * alpha)))


def p_value(z: float, kappa: float) -> float:
    """Two-sided always-valid p at this look: min(1, sqrt(1 + k) exp(-z^2 k / (2 (1 + k)))).

    Below alpha exactly when |z| > `critical(kappa, alpha)`. `z` is estimate / se. This is the current p, not the
    smallest so far.

    >>> round(p_value(0.1 / 0.002**0.5, 5.0), 6)
    0.304997
    """
    _check_kappa(kappa)
    log_p = 0.5 * math.log1p(kappa) - z * z * kappa / (2.0 * (1.0 + kappa))
    return math.exp(min(0.0, log_p))


def p_value_one_sided(z: float, kappa: float) -> float:
    """One-sided always-valid p for "the effect is above zero": below alpha exactly when z > `critical_one_sided`.

    >>> p_value_one_sided(-3.0, 5.0)
    1.0
    """
    _check_kappa(kappa)
    if z <= 0.0:
        return 1.0
    exponent = z * z * kappa / (2.0 * (1.0 + kappa))
    # log(expm1(x)), written so that it neither overflows nor loses small x.
    log_odds = exponent + math.log(-math.expm1(-exponent)) if exponent > 0.0 else -math.inf
    return math.exp(min(0.0, 0.5 * math.log1p(kappa) - math.log(2.0) - log_odds))


def _check_kappa(kappa: float) -> None:
    if not (kappa > 0.0 and math.isfinite(kappa)):
        raise ValueError(f"kappa must be positive and finite, got {kappa!r}")
