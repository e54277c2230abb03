"""The score test of two proportions at any difference or ratio, and the intervals that invert it.

One family: the pooled z-test is the score test at difference 0 and at ratio 1, Mee's interval holds all differences
that the test does not reject, Koopman's all ratios. So the p-value and both intervals cannot contradict each other,
which Wald, Newcombe and unpooled z do (5 of 56 against 0 of 29). The tests at a margin come from here as well.

The intervals are found by bisection on "is this value rejected?", which needs no finite function values at the ends
(0 of n, n of n), where the score statistic jumps to infinity.
"""

import math
from collections.abc import Callable

from abtest.stats.distributions import critical_value
from abtest.stats.moments import Counts

Interval = tuple[float, float]


def pooled_z(treatment: Counts, control: Counts) -> float:
    """The usual z with the pooled rate under "no difference"; 0 if every unit of both arms did the same.

    >>> round(pooled_z(Counts(56, 70), Counts(48, 80)), 6)
    2.650172
    """
    pooled = (treatment.successes + control.successes) / (treatment.n + control.n)
    variance = pooled * (1.0 - pooled) * (1.0 / treatment.n + 1.0 / control.n)
    return (treatment.rate - control.rate) / math.sqrt(variance) if variance > 0.0 else 0.0


def difference_z(treatment: Counts, control: Counts, difference: float) -> float:
    """Score statistic of H0: p_t - p_c = difference, for a difference in (-1, 1) (Mee 1984, eq. 2).

    Above zero when the observed difference is larger. Infinite only where H0 contradicts the data outright.

    >>> round(difference_z(Counts(98, 1000), Counts(100, 1000), -0.01), 6)
    0.598557
    """
    if difference == 0.0:
        return pooled_z(treatment, control)
    gap = treatment.rate - control.rate - difference
    return _standardise(gap, _difference_variance(treatment, control, difference))


def ratio_z(treatment: Counts, control: Counts, ratio: float) -> float:
    """Score statistic of H0: p_t = ratio * p_c, for a ratio > 0 (Koopman 1984; Gart & Nam 1988).

    Above zero when the observed ratio is larger; 0 when neither arm has a success.

    >>> round(ratio_z(Counts(36, 40), Counts(16, 80), 2.94), 3)
    1.959
    """
    if ratio == 1.0:
        return pooled_z(treatment, control)
    gap = treatment.rate - ratio * control.rate
    return _standardise(gap, _ratio_variance(treatment, control, ratio))


def mee(treatment: Counts, control: Counts, *, alpha: float = 0.05) -> Interval:
    """Score interval for p_t - p_c, within [-1, 1] (Mee 1984).

    >>> low, high = mee(Counts(56, 70), Counts(48, 80))
    >>> round(low, 4), round(high, 4)
    (0.0533, 0.3377)
    """
    return _invert_difference(treatment, control, critical_value(alpha), 1.0)


def miettinen_nurminen(treatment: Counts, control: Counts, *, alpha: float = 0.05) -> Interval:
    """Mee's interval with the variance inflated by N / (N - 1), N all units (Miettinen & Nurminen 1985, eq. 8).

    For comparison with other tools; it is not dual to the pooled z-test. Needs two units in all.

    >>> low, high = miettinen_nurminen(Counts(56, 70), Counts(48, 80))
    >>> round(low, 4), round(high, 4)
    (0.0528, 0.3382)
    """
    n = treatment.n + control.n
    return _invert_difference(treatment, control, critical_value(alpha), n / (n - 1))


def koopman(treatment: Counts, control: Counts, *, alpha: float = 0.05) -> tuple[float, float | None]:
    """Score interval for p_t / p_c (Koopman 1984). `high` is None (no bound) when the control has no success.

    Without a success in either arm every ratio fits: (0, None).

    >>> low, high = koopman(Counts(36, 40), Counts(16, 80))
    >>> round(low, 3), round(high, 3)
    (2.94, 7.152)
    >>> koopman(Counts(0, 10), Counts(0, 20))
    (0.0, None)
    """
    critical = critical_value(alpha)

    def accepted(ratio: float) -> bool:
        return abs(ratio_z(treatment, control, ratio)) <= critical

    if treatment.successes == control.successes == 0:
        return 0.0, None
    if control.successes == 0:
        # Every large ratio is accepted; the lower bound is found from a start that is.
        inside = 1.0
        while not accepted(inside):
            inside *= 2.0
        return _ratio_low(accepted, inside), None
    observed = treatment.rate / control.rate
    low = 0.0 if treatment.successes == 0 else _ratio_low(accepted, observed)
    inside, outside = observed, max(1.0, observed)
    while accepted(outside):
        inside, outside = outside, 2.0 * outside
    return low, _edge(accepted, inside, outside)


def constrained_rates(treatment: Counts, control: Counts, difference: float) -> tuple[float, float]:
    """Maximum-likelihood rates (p_t, p_c) given p_t - p_c = difference (Miettinen & Nurminen 1985, appendix).

    `difference` lies in [-1, 1]. Both rates lie in [0, 1].

    >>> p_t, p_c = constrained_rates(Counts(5, 10), Counts(5, 10), 0.2)
    >>> round(p_t, 6), round(p_c, 6)
    (0.6, 0.4)
    """
    x1, n1, x2, n2 = treatment.successes, treatment.n, control.successes, control.n
    n, x = n1 + n2, x1 + x2
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    # The likelihood equation is a cubic in p_c with three real roots; the trigonometric solution picks the right one.
    l2 = ((n1 + 2 * n2) * difference - n - x) / n
    l1 = ((n2 * difference - n - 2 * x2) * difference + x) / n
    l0 = x2 * difference * (1.0 - difference) / n
    q = (l2 / 3.0) ** 3 - l1 * l2 / 6.0 + l0 / 2.0
    r = math.copysign(math.sqrt(max(0.0, (l2 / 3.0) ** 2 - l1 / 3.0)), q)
    cosine = min(1.0, max(-1.0, q / r**3)) if r**3 != 0.0 else 0.0
    p = 2.0 * r * math.cos((math.pi + math.acos(cosine)) / 3.0) - l2 / 3.0
    p = _polish(x1, n1, x2, n2, difference, min(high, max(low, p)), low, high)
    return min(1.0, max(0.0, p + difference)), p


def _polish(x1: int, n1: int, x2: int, n2: int, difference: float, start: float, low: float, high: float) -> float:
    # Where two roots of the cubic nearly meet (rates near 0 or 1) its cosine loses half of the digits: a rate of 1e-8
    # is then mostly rounding. Newton on the log-likelihood, which is concave, brings them back; bisection takes over
    # where a step leaves the bracket. As a rule one step is enough.
    p, below, above = start, low, high
    for _ in range(100):
        slope, bend = _likelihood_slope(x1, n1, x2, n2, p, difference)
        if slope == 0.0:
            break
        if slope > 0.0:
            below = p
        else:
            above = p
        step = p + slope / bend if math.isfinite(slope) else math.nan
        if not below < step < above:
            end = above if slope > 0.0 else below
            if end in (low, high) and slope * _likelihood_slope(x1, n1, x2, n2, end, difference)[0] > 0.0:
                return end  # still rising at the end of the range: the maximum is there
            step = 0.5 * (below + above)
        if abs(step - p) <= 1e-15 * abs(p):
            break
        p = step
    return p


def _likelihood_slope(x1: int, n1: int, x2: int, n2: int, p: float, difference: float) -> tuple[float, float]:
    """First derivative of the log-likelihood in p_c, and minus the second; infinite where the likelihood is zero."""
    slope, bend = 0.0, 0.0
    for count, rate, sign in (
        (x1, p + difference, 1.0),
        (n1 - x1, 1.0 - p - difference, -1.0),
        (x2, p, 1.0),
        (n2 - x2, 1.0 - p, -1.0),
    ):
        if count == 0:
            continue
        if rate <= 0.0:
            return sign * math.inf, math.inf
        slope += sign * count / rate
        bend += count / rate / rate
    return slope, bend


def _difference_variance(treatment: Counts, control: Counts, difference: float) -> float:
    p_t, p_c = constrained_rates(treatment, control, difference)
    return p_t * (1.0 - p_t) / treatment.n + p_c * (1.0 - p_c) / control.n


def _ratio_variance(treatment: Counts, control: Counts, ratio: float) -> float:
    x1, n1, x2, n2 = treatment.successes, treatment.n, control.successes, control.n
    # The likelihood equation given p_t = ratio * p_c is a quadratic in p_c; its smaller root, written without the
    # difference of two nearly equal numbers.
    b = n1 * ratio + x1 + n2 + x2 * ratio
    root = math.sqrt(max(0.0, b * b - 4.0 * (n1 + n2) * ratio * (x1 + x2)))
    p_c = min(1.0, 1.0 / ratio, 2.0 * (x1 + x2) / (b + root))
    p_t = min(1.0, ratio * p_c)
    return p_t * (1.0 - p_t) / n1 + ratio * ratio * p_c * (1.0 - p_c) / n2


def _standardise(gap: float, variance: float) -> float:
    if gap == 0.0:
        return 0.0
    return gap / math.sqrt(variance) if variance > 0.0 else math.copysign(math.inf, gap)


def _invert_difference(treatment: Counts, control: Counts, critical: float, inflation: float) -> Interval:
    bound = critical * math.sqrt(inflation)
    observed = treatment.rate - control.rate

    def accepted(difference: float) -> bool:
        return abs(difference_z(treatment, control, difference)) <= bound

    ends = []
    for limit in (-1.0, 1.0):
        if accepted(limit):
            ends.append(limit)
        # Starting at zero when it lies on the way puts it on the right side of the bound, whatever bisection rounds.
        elif observed * limit < 0.0:
            ends.append(_edge(accepted, 0.0, limit) if accepted(0.0) else _edge(accepted, observed, 0.0))
        else:
            ends.append(_edge(accepted, observed, limit))
    return ends[0], ends[1]


def _ratio_low(accepted: Callable[[float], bool], inside: float) -> float:
    # As for differences, the ratio 1 is asked first if it lies on the way.
    if inside > 1.0:
        return _edge(accepted, 1.0, 0.0) if accepted(1.0) else _edge(accepted, inside, 1.0)
    return _edge(accepted, inside, 0.0)


def _edge(accepted: Callable[[float], bool], inside: float, outside: float) -> float:
    """The last accepted value between `inside` (accepted) and `outside` (rejected, never evaluated)."""
    for _ in range(200):
        middle = 0.5 * (inside + outside)
        if abs(inside - outside) <= 4e-16 * abs(middle) or middle in (inside, outside):
            break
        if accepted(middle):
            inside = middle
        else:
            outside = middle
    return inside
