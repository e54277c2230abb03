"""Exact tests of two proportions, for prototypes with a handful of users.

The score test of `proportions` trusts the normal distribution; with ten users against a hundred its 5 % may be 8 %. The
tests here add up binomial probabilities instead. The common rate of both arms is not known, so the largest p-value over
all rates is taken ("unconditional"; Barnard 1945), which keeps the error rate at or below alpha whatever the rate is.
`exact_score` is the one to show: its p-value and its interval cannot contradict each other. Fisher's, Barnard's and
Boschloo's p-values are here for readers who ask for them by name; they come without an interval.

What can go wrong: choosing among the tests after seeing their p-values; reading "not significant" of 10 users per arm
as "no effect" (look at the width of the interval); and large arms, for which the enumeration is refused.
"""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.stats.contrast import point_lift
from abtest.stats.distributions import check_alpha
from abtest.stats.inference import Estimate, Inference, no_test
from abtest.stats.moments import Counts
from abtest.stats.score_family import pooled_z

Alternative = Literal["two-sided", "less", "greater"]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Tables (n_t + 1)(n_c + 1) that the unconditional tests go through.
LARGEST_TABLE = 1_000_000
# Ten against a hundred thousand are few tables, but as many rates to look at as for large arms.
LARGEST_UNITS = 20_000
# `exact_score` asks its test at 500 differences, so it stops earlier; here the score test is good enough.
LARGEST_ARM = 200
# Differences tested: multiples of 1 / LATTICE.
LATTICE = 250
# The first grid of rates finds a maximum to within a few percent; to within this factor for sure.
COARSE = 1.25
# Tables whose statistics differ by less tie; taking them in makes a p-value larger, never smaller.
TIE = 1e-9


def exact_score(treatment: Counts, control: Counts, *, alpha: float = 0.05) -> Inference:
    """Unconditional exact test on the score statistic, and the interval that inverts it (Agresti & Min 2001).

    For a difference d the p-value is the largest, over all pairs of rates d apart, of the probability of a table at
    least as far from d in |Z_d|, the score statistic of Mee 1984. Its value at 0 is Barnard's. The interval runs from
    the smallest to the largest d with a p-value of at least alpha. Between them an exact p-value may dip below alpha,
    as it jumps where tables enter; `p_value` is therefore the largest p-value of 0 and of everything beyond it, seen
    from the observed difference. So p_value < alpha exactly when 0 lies outside the interval, for every alpha, and
    both keep their error rate. Differences are tested on multiples of 0.004, ends then refined.

    `absolute` is in shares (0.01 = one percentage point), `se` the unpooled standard error, `statistic` the pooled z,
    both for orientation. There is no lift interval (`relative_reason` is `no_exact_interval`): inverted for the ratio,
    the test would jump elsewhere and could contradict the p-value. Statuses: `no_units` (an arm is empty),
    `too_many_units` (more than 200 in an arm: use `proportions.score`). Raises ValueError for an alpha outside (0, 1).

    >>> result = exact_score(Counts(9, 10), Counts(3, 10))
    >>> round(result.p_value, 6), round(result.absolute.low, 4), round(result.absolute.high, 4)
    (0.007956, 0.1557, 0.8509)
    """
    check_alpha(alpha)
    if treatment.n == 0 or control.n == 0:
        return no_test("no_units", "exact")
    difference = treatment.rate - control.rate
    if max(treatment.n, control.n) > LARGEST_ARM:
        return no_test("too_many_units", "exact", difference, point_lift(treatment.rate, control.rate))
    lattice = np.unique(np.append(np.arange(-LATTICE, LATTICE + 1) / LATTICE, difference))
    p = _p_values(treatment, control, lattice, alpha)
    # The observed difference has p = 1, so there is always an accepted one.
    accepted = np.flatnonzero(p >= alpha)

    def accepts(differences: Floats) -> npt.NDArray[np.bool_]:
        return _p_values(treatment, control, differences, alpha) >= alpha

    low, high = float(lattice[accepted[0]]), float(lattice[accepted[-1]])
    if low > -1.0:
        low = _edge(accepts, low, lattice[accepted[0] - 1])
    if high < 1.0:
        high = _edge(accepts, high, lattice[accepted[-1] + 1])
    beyond = lattice <= 0.0 if difference > 0.0 else lattice >= 0.0
    highest = beyond & (p * COARSE >= p[beyond].max())
    variance = sum(arm.rate * (1.0 - arm.rate) / arm.n for arm in (treatment, control))
    return Inference(
        status="ok",
        reason=None,
        method="exact",
        absolute=Estimate(difference, low, high, math.sqrt(variance)),
        relative_reason="no_exact_interval" if control.successes else "control_not_positive",
        statistic=pooled_z(treatment, control),
        p_value=1.0 if difference == 0.0 else float(_p_values(treatment, control, lattice[highest]).max()),
    )


def barnard(treatment: Counts, control: Counts, alternative: Alternative = "two-sided") -> float:
    """p-value of the unconditional exact test on the pooled z (Barnard 1945; Suissa & Shuster 1985).

    The largest, over the common rate, of the probability of a z at least as extreme: |z| for "two-sided", z for
    "less" (treatment below control) and "greater". 1 if an arm is empty. Raises ValueError above a million tables
    (n_t + 1)(n_c + 1) or 20,000 units.

    >>> round(barnard(Counts(7, 15), Counts(12, 15), "less"), 6)
    0.034109
    """
    if treatment.n == 0 or control.n == 0:
        return 1.0
    _check_size(treatment, control)
    z = _pooled(np.arange(treatment.n + 1.0)[:, None], treatment.n, np.arange(control.n + 1.0), control.n)
    if alternative == "two-sided":
        z = -np.abs(z)
    elif alternative == "greater":
        z = -z
    elif alternative != "less":
        raise ValueError(f"alternative must be two-sided, less or greater, got {alternative!r}")
    return _unconditional(treatment, control, z <= z[treatment.successes, control.successes] + TIE)


def boschloo(treatment: Counts, control: Counts, alternative: Alternative = "two-sided") -> float:
    """p-value of the unconditional exact test whose statistic is Fisher's one-sided p-value (Boschloo 1970).

    Never above Fisher's one-sided p-value. "two-sided" is twice the smaller of the two one-sided values. 1 if an arm
    is empty. Raises ValueError as `barnard`.

    >>> round(boschloo(Counts(7, 15), Counts(12, 15), "less"), 6)
    0.034109
    """
    if treatment.n == 0 or control.n == 0:
        return 1.0
    _check_size(treatment, control)
    if alternative == "two-sided":
        return min(1.0, 2.0 * min(boschloo(treatment, control, "less"), boschloo(control, treatment, "less")))
    if alternative == "greater":
        return boschloo(control, treatment, "less")
    if alternative != "less":
        raise ValueError(f"alternative must be two-sided, less or greater, got {alternative!r}")
    if treatment.n > control.n:
        # "Fewer successes" is "more failures"; the smaller arm first keeps the table below narrow.
        treatment, control = (Counts(arm.n - arm.successes, arm.n) for arm in (control, treatment))
    given_total = _given_total(treatment.n, control.n)
    successes = np.arange(treatment.n + 1)[:, None]
    totals = successes + np.arange(control.n + 1)
    # Fisher's p-value adds up along tables of the same total; sheared, these stand in one column.
    sheared = np.zeros((treatment.n + 1, treatment.n + control.n + 1))
    sheared[successes, totals] = given_total
    fisher_p = np.cumsum(sheared, axis=0)[successes, totals]
    observed = fisher_p[treatment.successes, control.successes]
    return _unconditional(treatment, control, fisher_p <= observed * (1.0 + TIE))


def fisher(treatment: Counts, control: Counts) -> float:
    """Fisher's two-sided exact p-value (Fisher 1935): tables with the same margins that are no likelier than this one.

    For any number of units. Conditional on the total of successes, so valid but cautious: expect p-values nearly twice
    those of `barnard` for a dozen units per arm. Tables within 1e-7 of the observed probability count as ties. 1 if an
    arm is empty.

    >>> round(fisher(Counts(3, 4), Counts(1, 4)), 4)
    0.4857
    """
    n1, n2, total = treatment.n, control.n, treatment.successes + control.successes
    low, high = max(0, total - n2), min(n1, total)
    if low == high:
        return 1.0
    # From the mode outwards, in sums of log ratios of neighbours: log-gamma of a billion has lost seven digits. Tails
    # are lighter than Bernstein's bound (Hoeffding 1963), which this width takes to the smallest double.
    mode = min(high, max(low, (n1 + 1) * (total + 1) // (n1 + n2 + 2)))
    rate, share = total / (n1 + n2), n1 / (n1 + n2)
    width = 520 + math.ceil(40.0 * math.sqrt(min(n1 * rate * (1.0 - rate), total * share * (1.0 - share))))
    low, high = max(low, mode - width), min(high, mode + width)
    if not low <= treatment.successes <= high:
        return 0.0
    x = np.arange(low, high, dtype=np.float64)
    ratios = np.log((n1 - x) / (x + 1.0)) + np.log((total - x) / (n2 - total + x + 1.0))
    up, down = np.cumsum(ratios[mode - low :]), -np.cumsum(ratios[: mode - low][::-1])
    logs = np.concatenate([down[::-1], [0.0], up])
    weights = np.exp(logs)
    rarer = logs <= logs[treatment.successes - low] + 1e-7
    return min(1.0, float(weights[rarer].sum() / weights.sum()))


def _check_size(treatment: Counts, control: Counts) -> None:
    tables, units = (treatment.n + 1) * (control.n + 1), treatment.n + control.n
    if tables > LARGEST_TABLE or units > LARGEST_UNITS:
        raise ValueError(
            f"exact tests take at most {LARGEST_UNITS} units and {LARGEST_TABLE} tables (n_t + 1)(n_c + 1), "
            f"got {units} and {tables}"
        )


def _log_choose(n: int) -> Floats:
    k = np.arange(n + 1.0)
    return np.asarray(special.gammaln(n + 1.0) - special.gammaln(k + 1.0) - special.gammaln(n - k + 1.0))


def _given_total(n1: int, n2: int) -> Floats:
    """Probability of each table, shape (n1 + 1, n2 + 1), given its total of successes (hypergeometric)."""
    totals = np.arange(n1 + 1)[:, None] + np.arange(n2 + 1)
    return np.asarray(np.exp(_log_choose(n1)[:, None] + _log_choose(n2) - _log_choose(n1 + n2)[totals]))


def _unconditional(treatment: Counts, control: Counts, region: npt.NDArray[np.bool_]) -> float:
    """The largest probability of a set of tables over the common rate of both arms.

    Given the total the probability of the set does not depend on the rate, and the total is binomial: one sum per rate.
    """
    n = treatment.n + control.n
    if region.all():
        return 1.0
    totals = np.arange(treatment.n + 1)[:, None] + np.arange(control.n + 1)
    given = _given_total(treatment.n, control.n)[region]
    share = np.minimum(1.0, np.bincount(totals[region], weights=given, minlength=n + 1))
    log_choose, k = _log_choose(n), np.arange(n + 1.0)

    def probability(rates: Floats) -> Floats:
        if n <= 2000:
            # Sums instead of `@`, whose digits may depend on the number of threads.
            return np.asarray((_binomial(n, log_choose, rates) * share).sum(axis=1))
        found = np.empty(len(rates))
        for i, rate in enumerate(rates):
            # As in `fisher`: outside of this window the binomial is below the smallest double.
            reach = 520 + math.ceil(40.0 * math.sqrt(n * rate * (1.0 - rate)))
            at = slice(max(0, int(n * rate) - reach), int(n * rate) + reach + 1)
            log_pmf = log_choose[at] + special.xlogy(k[at], rate) + special.xlog1py(n - k[at], -rate)
            found[i] = (share[at] * np.exp(log_pmf)).sum()
        return found

    return _largest(probability, 1.0, n)


def _largest(probability: Callable[[Floats], Floats], limit: float, n: int, alpha: float | None = None) -> float:
    """The maximum of a probability over rates in [0, limit]; with `alpha` only as closely as to tell on which side.

    The probability of any set of tables is smooth in the rate at the scale of the standard error. A grid of half of
    that, equally spaced in the angle, sees every peak; those near the highest are then looked at more and more closely.
    """
    angles = np.linspace(0.0, math.pi, 2 + math.ceil(2.0 * math.pi * math.sqrt(n)))
    width, best = angles[1], 0.0
    for _ in range(8):
        values = probability(0.5 * limit * (1.0 - np.cos(angles)))
        best = max(best, float(values.max()))
        if alpha is not None and not best < alpha <= COARSE * best:
            break
        neighbours = np.concatenate([[-1.0], values, [-1.0]])
        peak = (values >= neighbours[:-2]) & (values >= neighbours[2:]) & (COARSE * values >= best)
        # Where the probability is flat everything is a peak; a few of them are enough.
        top = angles[np.flatnonzero(peak)[:8]]
        angles = np.unique(np.clip(top[:, None] + width * np.linspace(-1.0, 1.0, 11), 0.0, math.pi))
        width *= 0.2
    return min(1.0, best)


def _pooled(x1: Floats, n1: int, x2: Floats, n2: int) -> Floats:
    pooled = (x1 + x2) / (n1 + n2)
    variance = pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2)
    # Without any success, or any failure, the gap is zero as well.
    return np.asarray((x1 / n1 - x2 / n2) / np.sqrt(np.where(variance > 0.0, variance, 1.0)))


def _p_values(treatment: Counts, control: Counts, differences: Floats, alpha: float | None = None) -> Floats:
    """The exact p-value of each difference, in [-1, 1]; with `alpha` only as closely as to tell on which side it is."""
    found = np.empty(len(differences))
    inner = np.abs(differences) < 1.0
    for limit in (-1.0, 1.0):
        # Rates of 0 and 1: only one table can happen.
        found[differences == limit] = float(treatment.rate - control.rate == limit)
    if 0.0 in differences:
        found[differences == 0.0] = barnard(treatment, control)
    for sign, first, second in ((1.0, treatment, control), (-1.0, control, treatment)):
        some = inner & (sign * differences > 0.0)
        # In blocks whose intermediate arrays stay in the processor's cache.
        for block in np.array_split(np.flatnonzero(some), 1 + some.sum() * control.n // 4000):
            found[block] = _p_above_zero(first, second, sign * differences[block], alpha)
    return found


def _p_above_zero(first: Counts, second: Counts, differences: Floats, alpha: float | None) -> Floats:
    """As `_p_values`, for differences strictly between 0 and 1."""
    n1, n2 = first.n, second.n
    d = differences[:, None]
    observed = np.abs(_score(np.array(float(first.successes)), n1, np.array(float(second.successes)), n2, d))
    bound = observed - TIE * np.maximum(1.0, observed)
    x2 = np.arange(n2 + 1.0)[None, :]
    # Z_d rises with x1 (Barnard's convexity), so per x2 the region is x1 < low or x1 >= high.
    high = _first(lambda x1: _score(x1, n1, x2, n2, d) >= bound, n1, (len(d), n2 + 1))
    low = _first(lambda x1: _score(x1, n1, x2, n2, d) > -bound, n1, (len(d), n2 + 1))
    choose_1, choose_2 = _log_choose(n1), _log_choose(n2)
    found = np.ones(len(d))
    for i in np.flatnonzero(bound[:, 0] > 0.0):
        difference, below, above = float(differences[i]), low[i], high[i]

        def probability(
            rates: Floats, difference: float = difference, below: Ints = below, above: Ints = above
        ) -> Floats:
            mass = np.zeros((len(rates), n1 + 3))
            mass[:, 1:-1] = _binomial(n1, choose_1, np.minimum(1.0, rates + difference))
            left, right = np.cumsum(mass, axis=1), np.cumsum(mass[:, ::-1], axis=1)[:, ::-1]
            outside = left[:, below] + right[:, above + 1]
            return np.asarray((_binomial(n2, choose_2, rates) * outside).sum(axis=1))

        found[i] = _largest(probability, 1.0 - difference, max(n1, n2), alpha)
    return found


def _binomial(n: int, log_choose: Floats, rates: Floats) -> Floats:
    """Shape (rates, n + 1)."""
    k, p = np.arange(n + 1.0), rates[:, None]
    # A rate of 0 becomes 1e-300, which k = 0 does not feel and k > 0 takes to zero.
    log_p, log_q = np.log(np.maximum(p, 1e-300)), np.log(np.maximum(1.0 - p, 1e-300))
    return np.asarray(np.exp(log_choose + k * log_p + (n - k) * log_q))


def _first(holds: Callable[[Floats], npt.NDArray[np.bool_]], n: int, shape: tuple[int, int]) -> Ints:
    """The smallest x in 0..n from which on something holds, n + 1 where never; by bisection, for all cells at once."""
    low, high = np.zeros(shape, dtype=np.int64), np.full(shape, n + 1, dtype=np.int64)
    for _ in range((n + 1).bit_length()):
        middle = (low + high) // 2
        true = holds(np.minimum(middle, n).astype(np.float64)) | (middle > n)
        high = np.where(true, middle, high)
        low = np.where(true, low, np.minimum(middle + 1, high))
    return high


def _score(x1: Floats, n1: int, x2: Floats, n2: int, d: Floats) -> Floats:
    """Z_d of tables for 0 < d < 1: (p1 - p2 - d) / sqrt(v), v at the likeliest rates with p1 - p2 = d (Mee 1984)."""
    p2 = _constrained(x1, n1, x2, n2, d)
    p1 = p2 + d
    variance = p1 * np.maximum(0.0, 1.0 - p1) / n1 + p2 * (1.0 - p2) / n2
    return np.asarray((x1 / n1 - x2 / n2 - d) / np.sqrt(variance))


def _constrained(x1: Floats, n1: int, x2: Floats, n2: int, d: Floats) -> Floats:
    """The second rate of `score_family.constrained_rates`, for arrays and 0 < d < 1."""
    x1, x2, d = np.broadcast_arrays(x1, x2, d)
    n, x, most = n1 + n2, x1 + x2, 1.0 - d
    l2 = ((n1 + 2 * n2) * d - n - x) / n
    l1 = ((n2 * d - n - 2.0 * x2) * d + x) / n
    l0 = x2 * d * (1.0 - d) / n
    q = (l2 / 3.0) ** 3 - l1 * l2 / 6.0 + l0 / 2.0
    r = np.copysign(np.sqrt(np.maximum(0.0, (l2 / 3.0) ** 2 - l1 / 3.0)), q)
    cosine = np.clip(q / np.where(r == 0.0, 1.0, r) ** 3, -1.0, 1.0)
    p = 2.0 * r * np.cos((math.pi + np.arccos(cosine)) / 3.0) - l2 / 3.0
    # The cosine loses digits near rates of 0 and 1; Newton on the concave log-likelihood brings them back, and tables
    # that tie by symmetry tie again. (1e-9: its own ends are decided below.)
    tiny = 1e-9 * most
    p = np.clip(p, tiny, most - tiny)
    for _ in range(2):
        p1, q1, q = p + d, most - p, 1.0 - p
        parts = x1 / p1, (n1 - x1) / q1, x2 / p, (n2 - x2) / q
        bend = parts[0] / p1 + parts[1] / q1 + parts[2] / p + parts[3] / q
        p = np.clip(p + (parts[0] - parts[1] + parts[2] - parts[3]) / bend, tiny, most - tiny)
    at_zero = (x2 == 0.0) & (x1 / d - (n1 - x1) / most - n2 <= 0.0)
    at_most = (x1 == n1) & (n1 + x2 / most - (n2 - x2) / d >= 0.0)
    return np.where(at_zero, 0.0, np.where(at_most, most, p))


def _edge(accepts: Callable[[Floats], npt.NDArray[np.bool_]], inside: float, outside: float) -> float:
    """The outermost accepted difference between `inside` (accepted) and `outside` (not), to 4e-9."""
    for _ in range(5):
        between = np.linspace(outside, inside, 17)
        first = int(np.argmax(np.append(accepts(between[1:-1]), True))) + 1
        outside, inside = float(between[first - 1]), float(between[first])
    return inside
