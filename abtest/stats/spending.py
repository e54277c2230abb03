"""How much of alpha may be used up by when: the spending functions of group sequential tests.

A spending function says how much of the error may have been spent by the time a share t of the planned information is
in. It is fixed before the start; when and how often one looks need not be (Lan & DeMets 1983).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy import special

from abtest.stats.distributions import check_alpha

SpendingName = Literal["obrien_fleming", "pocock", "hwang_shih_decani"]
Sides = Literal[1, 2]
STEEPEST = 500.0
"""gamma beyond it is all at the start or all at the end."""


@dataclass(frozen=True, slots=True)
class Spending:
    """A spending function by name; `gamma` belongs to Hwang-Shih-DeCani alone.

    `obrien_fleming` keeps nearly all for the end, `pocock` spends about evenly, gamma = -4 is close to the first, 1 to
    the second, 0 is proportional to the information.
    """

    name: SpendingName = "obrien_fleming"
    gamma: float = -4.0


OBRIEN_FLEMING, POCOCK = Spending("obrien_fleming"), Spending("pocock")


def spent(t: float, alpha: float, spending: Spending = OBRIEN_FLEMING, *, sides: Sides = 2) -> float:
    """The part of `alpha` that may be spent by information fraction t in [0, 1]; above 1 all of it.

    Per side with a = alpha / sides: 2 (1 - Phi(z_{a/2} / sqrt(t))) in the manner of O'Brien & Fleming and
    a ln(1 + (e - 1) t) of Pocock (Lan & DeMets 1983), a (1 - e^{-gamma t}) / (1 - e^{-gamma}) (Hwang, Shih & DeCani
    1990). Two sides spend the double: 4 (1 - Phi(z_{alpha/4} / sqrt(t))), which is not the one-sided formula at the
    whole alpha. Raises ValueError for a t below 0 or not finite, an alpha outside (0, 1), or a gamma beyond 500.

    >>> [round(spent(t, 0.05), 6) for t in (0.2, 0.4, 0.6, 0.8, 1.0)]
    [1e-06, 0.000788, 0.007616, 0.024424, 0.05]
    >>> round(spent(0.5, 0.05, Spending("hwang_shih_decani", 0.0)), 6)
    0.025
    """
    check_alpha(alpha)
    if not 0.0 <= t < math.inf:
        raise ValueError(f"an information fraction is at least 0, got {t!r}")
    if sides not in (1, 2):
        raise ValueError(f"a test has one or two sides, got {sides!r}")
    if t >= 1.0:
        return alpha
    if t == 0.0:
        return 0.0
    return alpha * _share(t, alpha / sides, spending)


def _share(t: float, a: float, spending: Spending) -> float:
    if spending.name == "obrien_fleming":
        return 2.0 * float(special.ndtr(special.ndtri(a / 2.0) / math.sqrt(t))) / a
    if spending.name == "pocock":
        return math.log1p((math.e - 1.0) * t)
    gamma = spending.gamma
    if not abs(gamma) <= STEEPEST:
        raise ValueError(f"gamma lies in -{STEEPEST:g}..{STEEPEST:g}, got {gamma!r}")
    return math.expm1(-gamma * t) / math.expm1(-gamma) if abs(gamma) > 1e-12 else t
