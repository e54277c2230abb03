"""Always-valid inference: one interval that may be looked at after every day without spending any error.

The mixture sequential probability ratio test, the asymptotic confidence sequence and the generalised always-valid
interval are one and the same formula in kappa, the information at this look in units of the mixture's own precision:

    kappa = n * rho^2 = optimal_kappa(alpha) * n / n_planned

`n_planned` (N*) is the sample size at which the band is to be narrowest, fixed before the start. Only the ratio
n / n_planned enters, so both may count units per arm or in total, or be information fractions V* / V, as long as they
count the same. The band is valid at every n, whatever N* was; N* only decides where it is tight.

The critical value goes in as `critical=` of `welch` and `delta`; `band` takes the estimate and error of anything else. The
normal approximation behind it wants about 100 units per arm before the first look.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy import special

from abtest.stats.distributions import check_alpha, critical_value
from abtest.stats.inference import Estimate

Side = Literal["both", "above", "below"]


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


def kappa_from_se(se: float, se_planned: float, alpha: float) -> float:
    """kappa from the estimate's own error: optimal_kappa * (se_planned / se)^2, the information fraction in its place.

    For any estimator (adjusted, a ratio, a quantile) whose number of units says too little. `se_planned`, the error
    expected at the planned end, is fixed before the start. Raises ValueError for a standard error that is not positive.

    >>> kappa_from_se(0.2, 0.1, 0.05) == kappa_at(1, 4, 0.05)
    True
    """
    if not (0.0 < se < math.inf and 0.0 < se_planned < math.inf):
        raise ValueError(f"standard errors are positive, got {se!r} and {se_planned!r}")
    return optimal_kappa(alpha) * (se_planned / se) ** 2


def band(estimate: float, se: float, kappa: float, alpha: float = 0.05, *, side: Side = "both") -> Estimate:
    """The always-valid interval of any asymptotically normal estimate: estimate -+ critical * se.

    One-sided, `above` ("is it better?") has a lower end only and excludes zero just when z > `critical_one_sided`;
    `below` ("has it got worse?") is its mirror. kappa of one-sided bands: best tuned at 2 alpha. Raises ValueError for
    se <= 0.

    >>> found = band(0.1, 0.002**0.5, 5.0)
    >>> round(found.low, 6), round(found.high, 6)
    (-0.036674, 0.236674)
    """
    if not 0.0 < se < math.inf:
        raise ValueError(f"a standard error is positive, got {se!r}")
    width = se * (critical(kappa, alpha) if side == "both" else critical_one_sided(kappa, alpha))
    low = estimate - width if side != "below" else None
    return Estimate(estimate, low, estimate + width if side != "above" else None, se)


@dataclass(frozen=True, slots=True)
class Hybrid:
    """Alpha in two parts: `monitoring` at any look, `final` for one ordinary test at the planned end."""

    monitoring: float
    final: float


def hybrid(alpha: float = 0.05, share: float = 0.2) -> Hybrid:
    """Give `share` of alpha to looking early, the rest to the end. By the union bound both together err at most alpha.

    With a fifth for looking, the test at the end is nearly as sharp as a fixed one: 2.05 instead of 1.96 standard
    errors. Raises ValueError for a share outside (0, 1).

    >>> parts = hybrid()
    >>> round(parts.monitoring, 12), round(parts.final, 12)
    (0.01, 0.04)
    """
    check_alpha(alpha)
    if not 0.0 < share < 1.0:
        raise ValueError(f"the share of alpha for looking lies strictly between 0 and 1, got {share!r}")
    return Hybrid(share * alpha, (1.0 - share) * alpha)


def hybrid_critical(parts: Hybrid, kappa: float, *, at_end: bool, side: Side = "both") -> float:
    """The critical value of a look: the band at `monitoring` before the end, the normal quantile of `final` at it.

    `at_end` is true at the one planned end and at no other look; a look after it is monitoring again. kappa as for
    `critical`, tuned at `monitoring` (one side: at twice that). At the end the smaller of both.

    >>> parts = hybrid()
    >>> kappa = kappa_at(100, 100, parts.monitoring)
    >>> round(hybrid_critical(parts, kappa, at_end=False), 3), round(hybrid_critical(parts, kappa, at_end=True), 3)
    (3.572, 2.054)
    """
    always = critical(kappa, parts.monitoring) if side == "both" else critical_one_sided(kappa, parts.monitoring)
    return min(always, critical_value(parts.final if side == "both" else 2.0 * parts.final)) if at_end else always


@dataclass(frozen=True, slots=True)
class Crossing:
    """Result of `first_crossed`: the first look that excludes zero (counted from 0), and `p_values` so far.

    `p_values[k]` is the smallest always-valid p of looks 0 to k: a p that may be read at any time and never rises.
    """

    look: int | None
    p_values: tuple[float, ...]


def first_crossed(
    zs: Sequence[float], kappas: Sequence[float], alpha: float = 0.05, *, side: Side = "both"
) -> Crossing:
    """Walk a path of looks: `zs` are estimate / se, `kappas` their kappas, both of shape (looks,), in order of time.

    A kappa that is made from standard errors may fall a little from look to look; no harm is done. Raises ValueError
    for different lengths.

    >>> found = first_crossed([1.0, 3.5, 2.0], [2.0, 4.0, 8.0])
    >>> found.look, [round(p, 4) for p in found.p_values]
    (1, [1.0, 0.0167, 0.0167])
    """
    check_alpha(alpha)
    if len(zs) != len(kappas):
        raise ValueError(f"need one kappa per look, got {len(kappas)} for {len(zs)} looks")
    sign = -1.0 if side == "below" else 1.0
    smallest, found = 1.0, []
    for z, kappa in zip(zs, kappas, strict=True):
        p = p_value(z, kappa) if side == "both" else p_value_one_sided(sign * z, kappa)
        smallest = min(smallest, p)
        found.append(smallest)
    return Crossing(next((k for k, p in enumerate(found) if p < alpha), None), tuple(found))


def inflation(alpha: float = 0.05, power: float = 0.8) -> float:
    """How many times the units of a fixed test the band needs to find as much at its planned end, in one last look.

    ((critical + z_power) / (z_alpha/2 + z_power))^2. Looks before it add some power, so this is the most it costs.
    Raises ValueError for a power outside (1/2, 1).

    >>> round(inflation(), 3)
    1.915
    """
    if not 0.5 < power < 1.0:
        raise ValueError(f"a power lies strictly between 1/2 and 1, got {power!r}")
    z_power = critical_value(2.0 * (1.0 - power))
    return ((critical(optimal_kappa(alpha), alpha) + z_power) / (critical_value(alpha) + z_power)) ** 2


def _check_kappa(kappa: float) -> None:
    if not (kappa > 0.0 and math.isfinite(kappa)):
        raise ValueError(f"kappa must be positive and finite, got {kappa!r}")
