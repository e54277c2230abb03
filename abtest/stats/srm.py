"""Sample ratio mismatch: did the arms receive the shares of units that the experiment promised?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import special

from abtest.stats.distributions import chi_square_upper
from abtest.stats.inference import Status


@dataclass(frozen=True, slots=True)
class SrmTest:
    """Result of `srm`.

    `max_deviation` is the largest absolute difference between an arm's observed and expected share of all units, as a
    fraction (0.001 = a tenth of a percentage point). `statistic` is None where it would be infinite: units in an arm
    that was to get none; `p_value` is then exactly 0 and `reason` says `units_without_share`.
    """

    status: Status
    reason: str | None
    statistic: float | None
    df: int | None
    p_value: float | None
    max_deviation: float | None


def srm(observed: Sequence[int], shares: Sequence[float]) -> SrmTest:
    """Pearson's chi-square of the arm sizes against the configured shares (Kohavi, Tang & Xu 2020, ch. 21).

    `observed` and `shares` have one entry per arm; shares are non-negative weights and need not sum to 1. Arms with
    share zero do not count for the degrees of freedom. No units or a single arm with a share: status `no_test`. Raises
    ValueError for lists of different length, negative entries, or no positive share.

    >>> result = srm([821588, 815482], [0.5, 0.5])
    >>> round(result.statistic, 6), f"{result.p_value:.4e}", round(result.max_deviation, 6)
    (22.774369, '1.8218e-06', 0.001865)
    """
    weights = _weights(observed, shares)
    n = sum(observed)
    if n == 0:
        return SrmTest("no_test", "no_units", None, None, None, None)
    deviation = max(abs(count / n - weight) for count, weight in zip(observed, weights, strict=True))
    df = sum(weight > 0.0 for weight in weights) - 1
    if any(count > 0 and weight == 0.0 for count, weight in zip(observed, weights, strict=True)):
        return SrmTest("ok", "units_without_share", None, df, 0.0, deviation)
    if df == 0:
        return SrmTest("no_test", "one_arm", None, None, None, deviation)
    statistic = math.fsum(
        (count - n * weight) ** 2 / (n * weight)
        for count, weight in zip(observed, weights, strict=True)
        if weight > 0.0
    )
    return SrmTest("ok", None, statistic, df, chi_square_upper(statistic, df), deviation)


def sequential_srm(observed: Sequence[int], shares: Sequence[float], *, concentration: float = 10_000.0) -> float:
    """Always-valid p-value of the arm sizes at this look (Lindon & Malek 2022, Dirichlet-multinomial Bayes factor).

    May be computed after every batch of units; it falls below alpha at any time with probability at most alpha if the
    shares are as configured. `concentration` > 0 is the weight of the prior around the shares: large values see small
    imbalances, values near the number of arms only gross ones. Arms with share zero must be empty, or p is 0.

    >>> round(sequential_srm([821588, 815482], [0.5, 0.5]), 8)
    0.00015595
    """
    return math.exp(min(0.0, -log_bayes_factor(observed, shares, concentration=concentration)))


CONCENTRATIONS = (100.0, 1_000.0, 10_000.0)
"""Priors for gross, middling and small imbalances: no single one sees the first among few units and the last among many."""


def anytime_srm(observed: Sequence[int], shares: Sequence[float]) -> float:
    """As `sequential_srm`, by the mean of the Bayes factors of `CONCENTRATIONS`.

    A mean of such factors is one itself (Vovk & Wang 2021, section 4), so the p-value holds at every look too.

    >>> anytime_srm([821588, 815482], [0.5, 0.5]) < 0.001, anytime_srm([500, 330], [0.5, 0.5]) < 0.001
    (True, True)
    """
    logs = [log_bayes_factor(observed, shares, concentration=c) for c in CONCENTRATIONS]
    largest = max(logs)
    if math.isinf(largest):
        return 0.0
    mean = largest + math.log(math.fsum(math.exp(value - largest) for value in logs) / len(logs))
    return math.exp(min(0.0, -mean))


def log_bayes_factor(observed: Sequence[int], shares: Sequence[float], *, concentration: float = 10_000.0) -> float:
    """Natural log of the Bayes factor for "other shares" against "the configured shares" (Lindon & Malek 2022).

    ln G(k) - ln G(k + n) + sum(ln G(k w + x) - ln G(k w)) - sum(x ln w) with G the gamma function, k the
    concentration, w the shares, x the counts. Infinite if there are units in an arm of share zero.

    >>> round(log_bayes_factor([821588, 815482], [0.5, 0.5], concentration=2.0), 6)
    4.458785
    """
    weights = _weights(observed, shares)
    if concentration <= 0.0:
        raise ValueError(f"concentration must be positive, got {concentration!r}")
    if any(count > 0 and weight == 0.0 for count, weight in zip(observed, weights, strict=True)):
        return math.inf
    terms = [float(special.gammaln(concentration)), -float(special.gammaln(concentration + sum(observed)))]
    for count, weight in zip(observed, weights, strict=True):
        if weight > 0.0:
            prior = concentration * weight
            terms += [float(special.gammaln(prior + count)), -float(special.gammaln(prior)), -count * math.log(weight)]
    return math.fsum(terms)


def _weights(observed: Sequence[int], shares: Sequence[float]) -> list[float]:
    if len(observed) != len(shares):
        raise ValueError(f"need one share per arm, got {len(observed)} counts and {len(shares)} shares")
    if any(count < 0 for count in observed):
        raise ValueError(f"counts must not be negative, got {tuple(observed)}")
    total = math.fsum(shares)
    if not (math.isfinite(total) and total > 0.0 and min(shares) >= 0.0):
        raise ValueError(f"shares are non-negative weights with a positive sum, got {tuple(shares)}")
    return [share / total for share in shares]
