"""Ordered answers of two arms ("bad, fair, good"; 0 to 10), compared without giving the steps between them a size.

The question is: of one unit of each arm, drawn at random, how often is the treatment's answer higher (equal ones count
half)? That probability, and everything here, needs only how many units gave which answer, and only the order of the
levels matters. Brunner & Munzel's test is the default because it stays valid when one arm is more spread out than the
other; Mann & Whitney's then rejects too often or too seldom, since it tests that both arms answer exactly alike. What
can go wrong: below about ten units per arm the normal or t approximation is rough; where the arms do not overlap at all
no variance can be estimated, and where they hardly do it is far too small (see `brunner_munzel`). One answer per
randomisation unit: several answers of one user are not independent.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abtest.stats.contrast import satterthwaite
from abtest.stats.distributions import critical_value, two_sided
from abtest.stats.inference import Status
from abtest.stats.moments import Values

Floats = npt.NDArray[np.float64]

# Counts and their sums up to here are exact as floats.
MOST_UNITS = 2**53


@dataclass(frozen=True, slots=True)
class Categories:
    """One arm: `counts[i]` units answered `levels[i]`.

    `levels` are finite, distinct and ascending; `counts` whole numbers, 0 allowed, together at most 2**53. Both may be
    empty. Raises ValueError otherwise.

    >>> Categories((1.0, 2.0, 3.0), (4, 0, 6)).n
    10
    """

    levels: tuple[float, ...]
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.levels) != len(self.counts):
            raise ValueError(f"need one count per level, got {len(self.levels)} levels and {len(self.counts)} counts")
        levels = np.asarray(self.levels, dtype=np.float64)
        if not np.isfinite(levels).all() or not (levels[1:] > levels[:-1]).all():
            raise ValueError("levels must be finite numbers, distinct and ascending")
        if not all(isinstance(count, (int, np.integer)) for count in self.counts):
            raise ValueError("counts must be whole numbers")
        if any(count < 0 for count in self.counts):
            raise ValueError("counts must not be negative")
        if self.n > MOST_UNITS:
            raise ValueError(f"at most 2**53 units can be counted, got {self.n}")

    @property
    def n(self) -> int:
        """Units in this arm."""
        return sum(int(count) for count in self.counts)


@dataclass(frozen=True, slots=True)
class Superiority:
    """P(treatment > control) + P(equal) / 2 for one random unit of each arm: 1/2 is no difference, 1 is always higher.

    `status` is "ok", or "no_test" with a `reason`: `no_units` (an arm is empty), `one_unit` (an arm of one has no
    variance), `zero_variance` (all units of both arms gave one answer), `separation` (every answer of one arm is above
    every answer of the other: `probability` is 0 or 1, and the Brunner-Munzel variance 0). `low` and `high` lie in
    [0, 1] and are None where there is no interval; `se` is the standard error of `probability`. `win_odds` is
    probability / (1 - probability), made from the counts so that it keeps its digits near 1; None if that is infinite.
    `statistic`, `df`, `p_value` (two-sided for probability = 1/2) and `critical` are as in `Inference`.
    """

    status: Status
    reason: str | None
    method: str
    probability: float | None = None
    low: float | None = None
    high: float | None = None
    se: float | None = None
    win_odds: float | None = None
    statistic: float | None = None
    df: float | None = None
    p_value: float | None = None
    critical: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How the units of one arm stand against the other arm, by level: `counts` of them have `below` units of the other
    arm under them and `above` units over them. All arrays have shape (levels,) and hold whole numbers."""

    counts: Floats
    below: Floats
    above: Floats


@dataclass(frozen=True, slots=True)
class Pairs:
    """All n_t * n_c pairs of a treatment and a control unit: in how many the treatment is higher, lower, equal."""

    wins: float
    losses: float
    ties: float

    @property
    def all(self) -> float:
        """n_t * n_c, a whole number, as a float."""
        return self.wins + self.losses + self.ties

    @property
    def probability(self) -> float:
        """P(treatment > control) + P(equal) / 2."""
        return (self.wins + 0.5 * self.ties) / self.all

    @property
    def advantage(self) -> float:
        """probability - 1/2, without the rounding of a subtraction: swapping the arms turns just the sign."""
        return (self.wins - self.losses) / (2.0 * self.all)

    @property
    def win_odds(self) -> float | None:
        """probability / (1 - probability), or None without a loss or tie (infinite)."""
        against = self.losses + 0.5 * self.ties
        return (self.wins + 0.5 * self.ties) / against if against > 0.0 else None


def categories_of(values: Values) -> Categories:
    """Count the answers of one arm, one per unit, shape (n,). Raises ValueError for values that are not finite.

    >>> categories_of([3, 1, 3, 2, 3])
    Categories(levels=(1.0, 2.0, 3.0), counts=(1, 1, 3))
    """
    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 1 or not np.isfinite(data).all():
        raise ValueError("need one finite answer per unit")
    levels, counts = np.unique(data, return_counts=True)
    return Categories(tuple(levels.tolist()), tuple(counts.tolist()))


def align(treatment: Categories, control: Categories) -> tuple[Categories, Categories]:
    """The same two arms on the levels of both; a level that one arm does not have gets a count of 0 there.

    >>> align(Categories((1.0, 3.0), (5, 2)), Categories((1.0, 2.0), (4, 4)))
    ... # doctest: +NORMALIZE_WHITESPACE
    (Categories(levels=(1.0, 2.0, 3.0), counts=(5, 0, 2)),
     Categories(levels=(1.0, 2.0, 3.0), counts=(4, 4, 0)))
    """
    levels = np.union1d(np.asarray(treatment.levels, dtype=np.float64), np.asarray(control.levels, dtype=np.float64))
    union = tuple(levels.tolist())
    return Categories(union, _spread(treatment, levels)), Categories(union, _spread(control, levels))


def merge_categories(a: Categories, b: Categories) -> Categories:
    """Two disjoint groups of units of the same arm together.

    >>> merge_categories(Categories((1.0, 3.0), (5, 2)), Categories((1.0, 2.0), (4, 4)))
    Categories(levels=(1.0, 2.0, 3.0), counts=(9, 4, 2))
    """
    one, other = align(a, b)
    return Categories(one.levels, tuple(x + y for x, y in zip(one.counts, other.counts, strict=True)))


def standings(treatment: Categories, control: Categories) -> tuple[Standing, Standing]:
    """Treatment against control, and control against treatment, on the levels of both.

    >>> t, c = standings(Categories((1.0, 2.0), (1, 3)), Categories((1.0, 2.0), (2, 2)))
    >>> t.below.tolist(), t.above.tolist()
    ([0.0, 2.0], [2.0, 0.0])
    """
    arms = align(treatment, control)
    counts_t, counts_c = (np.asarray(arm.counts, dtype=np.float64) for arm in arms)
    upto_t, upto_c = np.cumsum(counts_t), np.cumsum(counts_c)
    return (
        Standing(counts_t, upto_c - counts_c, control.n - upto_c),
        Standing(counts_c, upto_t - counts_t, treatment.n - upto_t),
    )


def pairs_of(treatment: Categories, control: Categories) -> Pairs:
    """Wins, losses and ties over all pairs. All 0 if an arm is empty.

    >>> pairs_of(Categories((1.0, 2.0), (1, 3)), Categories((1.0, 2.0), (2, 2)))
    Pairs(wins=6.0, losses=2.0, ties=8.0)
    """
    t, c = standings(treatment, control)
    return Pairs(math.fsum(t.counts * t.below), math.fsum(t.counts * t.above), math.fsum(t.counts * c.counts))


def brunner_munzel(
    treatment: Categories, control: Categories, *, alpha: float = 0.05, critical: float | None = None
) -> Superiority:
    """The probability of superiority with interval and test, also if the arms vary differently.

    Source: Brunner & Munzel 2000, Biometrical Journal 42, 17-25, with the correction of Neubert & Brunner 2007. The
    placement of a unit is the share of the other arm below it (equal ones count half). The probability is the mean
    placement of the treatment's units, and the test is Welch's on the placements of both arms:

        se^2 = var(placements of t) / n_t + var(placements of c) / n_c,   t = (probability - 1/2) / se

    with Satterthwaite's degrees of freedom; the mid-ranks of the paper give the same numbers.

    The interval is probability -+ quantile * se, cut at 0 and 1. It is the one that belongs to the p-value: it excludes
    1/2 exactly when p < alpha. Cutting removes only values that no probability has. An interval on the logit scale
    would stay inside by itself, but it is wider towards 1/2 and can hold 1/2 next to a p of .03, and switching to it
    where the plain one leaves [0, 1] can make a 96 % interval shorter than the 95 % one.

    Do not trust it where the arms hardly overlap: with 11 units per arm and one of each on the wrong side its p is
    5e-21, that of `mann_whitney` 1e-5.

    `critical` replaces the t quantile (always-valid bands); the p-value is then None. Statuses: `no_units`, `one_unit`,
    `zero_variance`, `separation`; see `Superiority`. Under separation `mann_whitney` still has a p-value.

    >>> likert = (1.0, 2.0, 3.0, 4.0, 5.0)
    >>> result = brunner_munzel(Categories(likert, (5, 15, 35, 28, 17)), Categories(likert, (10, 20, 40, 20, 10)))
    >>> round(result.probability, 6), round(result.low, 6), round(result.high, 6), round(result.p_value, 6)
    (0.593, 0.516925, 0.669075, 0.016834)
    """
    method = "brunner_munzel"
    if treatment.n == 0 or control.n == 0:
        return Superiority("no_test", "no_units", method)
    pairs = pairs_of(treatment, control)
    reason = None
    if pairs.wins == pairs.losses == 0.0:
        reason = "zero_variance"
    elif pairs.ties == 0.0 and (pairs.wins == 0.0 or pairs.losses == 0.0):
        reason = "separation"
    elif treatment.n == 1 or control.n == 1:
        reason = "one_unit"
    if reason is not None:
        return Superiority("no_test", reason, method, pairs.probability, win_odds=pairs.win_odds)
    t, c = standings(treatment, control)
    var_t = _placement_variance(t, treatment.n, control.n)
    var_c = _placement_variance(c, control.n, treatment.n)
    se = math.sqrt(var_t + var_c)
    df = satterthwaite(var_t, treatment.n - 1, var_c, control.n - 1)
    quantile = critical_value(alpha, df) if critical is None else critical
    statistic = pairs.advantage / se
    return Superiority(
        status="ok",
        reason=None,
        method=method,
        probability=pairs.probability,
        low=max(0.0, pairs.probability - quantile * se),
        high=min(1.0, pairs.probability + quantile * se),
        se=se,
        win_odds=pairs.win_odds,
        statistic=statistic,
        df=df,
        p_value=two_sided(statistic, df) if critical is None else None,
        critical=quantile,
    )


def mann_whitney(treatment: Categories, control: Categories) -> Superiority:
    """The Wilcoxon-Mann-Whitney test, normal with the variance corrected for ties, without continuity correction.

    Source: Mann & Whitney 1947; for ties Lehmann 1975, Nonparametrics, ch. 1. z = (U - n_t n_c / 2) / sd(U) with
    U = wins + ties / 2 and, N units of which d give the same answer,

        var(U) = n_t n_c / 12 * ((N + 1) - sum(d^3 - d) / (N (N - 1)))

    which is the exact variance if both arms are draws from one distribution. That is what is tested; there is no
    interval, because the variance is not valid for any other probability than 1/2 (and with unequal spread not there).
    Programs that correct for continuity (R and scipy by default) show larger p-values for small arms. Statuses:
    `no_units`, `zero_variance`.

    >>> likert = (1.0, 2.0, 3.0, 4.0, 5.0)
    >>> result = mann_whitney(Categories(likert, (5, 15, 35, 28, 17)), Categories(likert, (10, 20, 40, 20, 10)))
    >>> round(result.probability, 6), round(result.p_value, 7)
    (0.593, 0.0181573)
    """
    method = "mann_whitney"
    if treatment.n == 0 or control.n == 0:
        return Superiority("no_test", "no_units", method)
    pairs = pairs_of(treatment, control)
    if pairs.wins == pairs.losses == 0.0:
        return Superiority("no_test", "zero_variance", method, pairs.probability, win_odds=pairs.win_odds)
    n = treatment.n + control.n
    # N^3 - sum(d^3) is the formula's bracket times N (N - 1), since the d sum to N; in whole numbers, because with
    # nearly all units tied the two terms agree in most digits.
    untied = n**3 - sum(int(tied) ** 3 for tied in merge_categories(treatment, control).counts)
    variance = untied / (12 * treatment.n * control.n * n * (n - 1))
    statistic = pairs.advantage / math.sqrt(variance)
    return Superiority(
        status="ok",
        reason=None,
        method=method,
        probability=pairs.probability,
        win_odds=pairs.win_odds,
        statistic=statistic,
        p_value=two_sided(statistic),
    )


def _spread(arm: Categories, levels: Floats) -> tuple[int, ...]:
    counts = np.zeros(len(levels), dtype=np.int64)
    counts[np.searchsorted(levels, np.asarray(arm.levels, dtype=np.float64))] = arm.counts
    return tuple(counts.tolist())


def _placement_variance(arm: Standing, n: int, others: int) -> float:
    """Squared standard error of the mean placement of an arm of `n` units against `others` units."""
    # below - above = others * (2 placement - 1) is a whole number. Deviations are taken from a whole number near the
    # mean first: with a billion units that hardly overlap, placements differ from 1 in the ninth digit only.
    score = arm.below - arm.above
    score -= round(math.fsum(arm.counts * score) / n)
    deviation = score - math.fsum(arm.counts * score) / n
    return math.fsum(arm.counts * deviation**2) / (n - 1) / n / (2.0 * others) ** 2
