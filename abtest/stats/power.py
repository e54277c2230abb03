"""How many units it takes to find an effect, which effect so many units find, and the power that each metric needs.

All of it is one equation, effect = (critical + z_power) * se, with the variance per unit known from history. `Noise` is
that variance, with all that makes it smaller (an adjustment) or larger (clusters, an unequal split). `sizing` joins
several metrics and turns units into weeks; `power_families` has shares, ranks and quantiles.

"Ship" asks for a better goal and for every guardrail to hold. Guardrails need no correction of alpha, since all must
hold, but each is one more way to miss a good change: with three guardrails at 80 % each, barely half of all good changes
would get through. The missed chance is therefore shared out (Schultzberg, Ankargren & Franberg 2024).
"""

import math
from dataclasses import dataclass

from scipy import special

from abtest.stats.distributions import check_alpha, critical_value
from abtest.stats.roots import root
from abtest.stats.spending import Sides


@dataclass(frozen=True, slots=True)
class Noise:
    """Variances of one unit in each arm, in the metric's unit squared; for a ratio n * var(R), for a lift over mean^2.

    `share`: of the units of both arms, those in the treatment. `correlation`: with the covariate that the effect is
    adjusted by (CUPED), which takes out its square. `design_effect`: of randomising clusters, see `design_effect`.
    """

    treatment: float
    control: float
    share: float = 0.5
    correlation: float = 0.0
    design_effect: float = 1.0

    def __post_init__(self) -> None:
        if not all(0.0 <= v < math.inf for v in (self.treatment, self.control)) or self.treatment + self.control == 0.0:
            raise ValueError(f"need variances that are not both zero, got {self.treatment!r} and {self.control!r}")
        if not 0.0 < self.share < 1.0:
            raise ValueError(f"the share of the treatment lies strictly between 0 and 1, got {self.share!r}")
        if not -1.0 < self.correlation < 1.0:
            raise ValueError(f"a correlation lies strictly between -1 and 1, got {self.correlation!r}")
        if not 0.0 < self.design_effect < math.inf:
            raise ValueError(f"a design effect is positive, got {self.design_effect!r}")

    @property
    def factor(self) -> float:
        """What adjustment and clusters make of the variance."""
        return (1.0 - self.correlation**2) * self.design_effect

    @property
    def per_unit(self) -> float:
        """n * var(difference), with n units in both arms together."""
        return (self.treatment / self.share + self.control / (1.0 - self.share)) * self.factor


def power_per_metric(power: float, guardrails: int) -> float:
    """The power that the goals together, and each guardrail, need for the decision to have `power`.

    1 - (1 - power) / (guardrails + 1): the union bound over "no goal is found better" and one "not shown to hold" per
    guardrail (Schultzberg, Ankargren & Franberg 2024, section 4; one share for the goals, not none). Raises ValueError
    for a power outside (0, 1) or fewer than no guardrails.

    >>> power_per_metric(0.8, 3)
    0.95
    """
    if not 0.0 < power < 1.0 or guardrails < 0:
        raise ValueError(f"need a power strictly between 0 and 1, got {power!r} and {guardrails} guardrails")
    return 1.0 - (1.0 - power) / (guardrails + 1)


def minimum_detectable(se: float, power: float, *, critical: float) -> float:
    """The true difference that a two-sided test finds with `power`: (critical + z_power) * se, in units of `se`.

    `critical` is the value that the interval was made with, so that it holds for t, bands and corrections alike. Zero
    power beyond chance (power of one half or less) adds nothing. Raises ValueError for a power outside (0, 1).

    >>> round(minimum_detectable(0.1, 0.8, critical=1.959964), 6)
    0.280159
    """
    if not 0.0 < power < 1.0:
        raise ValueError(f"a power lies strictly between 0 and 1, got {power!r}")
    return (critical + (critical_value(2.0 * (1.0 - power)) if power > 0.5 else 0.0)) * se


def sample_size(
    noise: Noise, effect: float, *, alpha: float = 0.05, power: float = 0.8, sides: Sides = 2, inflation: float = 1.0
) -> float:
    """Units of both arms together, not rounded: (z_alpha + z_power)^2 * noise.per_unit / effect^2 * inflation.

    Lachin 1981, eq. 1; to reject on the wrong side is no success and not counted. `effect` in the metric's unit, any
    sign; for a guardrail its margin, with one side. `inflation` is what looking early costs:
    `group_sequential.inflation`, `sequential.inflation`. Round up each arm (`per_arm`). Raises ValueError for an effect
    of zero, an inflation that is not positive, a power outside (1/2, 1).

    >>> round(sample_size(Noise(1.0, 1.0), 0.2) / 2, 4)
    392.444
    """
    if not (math.isfinite(effect) and effect != 0.0):
        raise ValueError(f"no number of units finds an effect of {effect!r}")
    if not 0.0 < inflation < math.inf:
        raise ValueError(f"an inflation is positive, got {inflation!r}")
    return (z_sum(alpha, power, sides) / effect) ** 2 * noise.per_unit * inflation


def per_arm(units: float, share: float) -> tuple[int, int]:
    """Units of treatment and control, each rounded up.

    >>> per_arm(784.886, 0.5), per_arm(1000.0, 0.1)
    ((393, 393), (100, 900))
    """
    # 1000 * (1 - 0.1) is a little above 900 in floating point; such a unit is not needed.
    return math.ceil(units * share * (1.0 - 1e-12)), math.ceil(units * (1.0 - share) * (1.0 - 1e-12))


def detectable(
    noise: Noise, units: float, *, alpha: float = 0.05, power: float = 0.8, sides: Sides = 2, inflation: float = 1.0
) -> float:
    """The difference that `units` in both arms find: the inverse of `sample_size`, in the metric's unit.

    Over the control mean it is the lift that is found, as the p-value of a lift is that of the difference.

    >>> round(detectable(Noise(400.0, 400.0), 2000) / 10.0, 6)
    0.250581
    """
    if not units > 0.0:
        raise ValueError(f"units are positive, got {units!r}")
    if not 0.0 < inflation < math.inf:
        raise ValueError(f"an inflation is positive, got {inflation!r}")
    return z_sum(alpha, power, sides) * math.sqrt(noise.per_unit * inflation / units)


def detectable_lift(
    noise: Noise,
    control_mean: float,
    units: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    sides: Sides = 2,
    inflation: float = 1.0,
    rise: bool = True,
) -> float | None:
    """The lift L that a delta-method interval of the lift finds: it solves |L| = k se(L), as se grows with L.

    With k = z_alpha + z_power and a, b = k^2 times the squared relative errors of treatment and control at L = 0:
    L^2 = a + b (1 + L)^2, so L = (b +- sqrt(b^2 + (1 - b)(a + b))) / (1 - b). None where b >= 1 (no rise is large
    enough: the control mean is too close to zero for so few units), or for a fall below -1. Raises ValueError for a
    control mean <= 0. For tests of the difference see `detectable`.

    >>> round(detectable_lift(Noise(400.0, 400.0), 10.0, 2000), 6)
    0.289078
    >>> detectable_lift(Noise(400.0, 400.0), 10.0, 50) is None
    True
    """
    if not (control_mean > 0.0 and units > 0.0):
        raise ValueError(f"need a positive control mean and units, got {control_mean!r} and {units!r}")
    k2 = z_sum(alpha, power, sides) ** 2 * noise.factor * inflation / units / control_mean**2
    a, b = k2 * noise.treatment / noise.share, k2 * noise.control / (1.0 - noise.share)
    if b >= 1.0:
        return None
    spread = math.sqrt(b * b + (1.0 - b) * (a + b))
    lift = (b + spread if rise else b - spread) / (1.0 - b)
    return lift if lift > -1.0 else None


def power_to_find(
    noise: Noise, effect: float, units: float, *, alpha: float = 0.05, sides: Sides = 2, critical: float | None = None
) -> float:
    """P(the test rejects, on the side of the effect): Phi(|effect| / se - critical).

    `critical` replaces the normal quantile, e.g. by an always-valid bound. The other side is left out: to reject there
    is no success.

    >>> round(power_to_find(Noise(45.0, 45.0), 0.03, 2 * 859896), 5)
    0.83458
    """
    check_alpha(alpha)
    if not units > 0.0:
        raise ValueError(f"units are positive, got {units!r}")
    bound = critical_value(2.0 * alpha / sides) if critical is None else critical
    return float(special.ndtr(abs(effect) / math.sqrt(noise.per_unit / units) - bound))


def t_power(effect: float, treatment: float, control: float, *, alpha: float = 0.05) -> float:
    """Power of the two-sided t-test with pooled variance: both tails of the noncentral t (Cohen 1988).

    `effect` in standard deviations, `treatment` and `control` the units of each arm, at least 2. Needed below some 50 units per arm; above, the normal does.

    >>> round(t_power(0.5, 30, 30), 7)
    0.4778965
    """
    check_alpha(alpha)
    if not min(treatment, control) >= 2.0:
        raise ValueError(f"need two units in each arm, got {treatment!r} and {control!r}")
    df = treatment + control - 2.0
    shift = abs(effect) * math.sqrt(1.0 / (1.0 / treatment + 1.0 / control))
    bound = critical_value(alpha, df)
    # The upper tail of a noncentral t is the lower one of its mirror. The tail on the wrong side is below 1e-17 from
    # 8 on, where scipy may have no number for it.
    wrong = float(special.nctdtr(df, shift, -bound)) if shift < 8.0 else 0.0
    return float(special.nctdtr(df, -shift, -bound)) + wrong


def t_sample_size(effect: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Units per arm for `t_power`, equal arms, not rounded and at least 2. Raises ValueError as `sample_size`.

    >>> round(t_sample_size(0.5), 5)
    63.76561
    """
    normal = sample_size(Noise(1.0, 1.0), effect, alpha=alpha, power=power) / 2.0
    if normal > 1e6:
        return normal + critical_value(alpha) ** 2 / 4.0
    top = normal + 10.0 * critical_value(alpha) ** 2 + 10.0
    if t_power(effect, 2.0, 2.0, alpha=alpha) >= power:
        return 2.0
    return root(lambda n: t_power(effect, n, n, alpha=alpha) - power, 2.0, top, tolerance=1e-11)


def design_effect(mean_size: float, intra_class: float, size_cv: float = 0.0) -> float:
    """How much more units it takes if whole clusters are randomised: 1 + ((1 + cv^2) m - 1) rho (Eldridge et al. 2006).

    `mean_size` units per cluster with coefficient of variation `size_cv`; `intra_class` the correlation of two units of
    one cluster. Raises ValueError for a size below 1, a cv below 0, a correlation outside [0, 1].

    >>> round(design_effect(20, 0.05), 6), round(design_effect(20, 0.05, 0.5), 6)
    (1.95, 2.2)
    """
    if not (mean_size >= 1.0 and 0.0 <= intra_class <= 1.0 and size_cv >= 0.0):
        raise ValueError(f"need a size of 1 or more, rho in [0, 1], cv >= 0, got {(mean_size, intra_class, size_cv)}")
    return 1.0 + ((1.0 + size_cv**2) * mean_size - 1.0) * intra_class


def z_sum(alpha: float, power: float, sides: Sides = 2) -> float:
    """critical + z_power, in standard errors. Raises ValueError for a power outside (1/2, 1).

    >>> round(z_sum(0.05, 0.8), 6)
    2.801585
    """
    check_alpha(alpha)
    if not 0.5 < power < 1.0:
        raise ValueError(f"plan with a power between 1/2 and 1, got {power!r}")
    return critical_value(2.0 * alpha / sides) + critical_value(2.0 * (1.0 - power))
