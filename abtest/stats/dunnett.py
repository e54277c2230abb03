"""Several treatments against one control: adjusted p-values and simultaneous intervals (Dunnett 1955).

All comparisons share the control, so their errors move together: an unlucky control makes every treatment look good.
Dunnett's method knows this correlation and is therefore sharper than Bonferroni or Holm on the same question, and it
has simultaneous intervals, `estimate_i +- dunnett_critical(...) * se_i`, that agree with its p-values. It answers "is
any treatment different from the control?", not "do the treatments differ from each other?". What can go wrong: leaving
out treatments that were run (the family is all of them), and small arms with very different variances, where one `df`
for all comparisons is an approximation (the smallest of the Welch degrees of freedom is the cautious choice).

Everything is a one-dimensional integral by fixed nodes (two nested ones with finite `df`), so the same input gives the
same bytes; and it integrates the upper tail itself, so that p-values of 1e-12 and 1e-200 keep their digits.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.stats.distributions import check_alpha, critical_value, two_sided

Floats = npt.NDArray[np.float64]

# exp(-37) is the rounding error of 1: what lies further out than this does not change a sum.
NEGLIGIBLE = 37.0
# The normal tail beyond is smaller than the smallest double.
REACH = 38.6
# Above this the chi distribution is a point as far as doubles can tell.
LARGEST_DF = 1e13
# Quantiles of t with few degrees of freedom overflow somewhere below.
SMALLEST_ALPHA = 1e-100


def dunnett_lambdas(variances: Sequence[float], control: float) -> tuple[float, ...]:
    """lambda_i = sqrt(v_c / (v_i + v_c)), so that comparisons i and j correlate by lambda_i * lambda_j.

    `variances` are the squared standard errors of the treatments' means, `control` that of the control's mean. With
    equal variances per unit lambda_i^2 = n_i / (n_i + n_0) (Dunnett 1955, eq. 3). Raises ValueError for a negative or
    infinite variance, and where both are zero: there is no test then, so leave that arm out.

    >>> [round(value, 6) for value in dunnett_lambdas([1.0, 3.0], 1.0)]
    [0.707107, 0.5]
    """
    if not all(math.isfinite(v) and v >= 0.0 for v in (*variances, control)):
        raise ValueError(f"variances must be finite and not negative, got {tuple(variances)} and {control}")
    if control == 0.0 and 0.0 in variances:
        raise ValueError("a treatment and the control both have no variance: there is nothing to test")
    # By square roots: sums of variances near the largest double would overflow.
    return tuple(math.sqrt(control) / math.hypot(math.sqrt(v), math.sqrt(control)) for v in variances)


def dunnett_p(
    statistics: Sequence[float | None], lambdas: Sequence[float], df: float = math.inf
) -> tuple[float | None, ...]:
    """Two-sided p-values adjusted for all comparisons at once, in the order they came in.

    `statistics` are the t or z values of treatment minus control, `lambdas` as from `dunnett_lambdas`, `df` >= 1 the
    degrees of freedom of the common variance estimate, or inf. The value of treatment i is P(max_j |T_j| >= |t_i|)
    (Dunnett 1964; single step). It is never below the unadjusted p-value, never above Sidak's, and below alpha exactly
    when |t_i| > `dunnett_critical`. None (no test) stays None and does not count. Raises ValueError for a NaN, for
    lambdas outside [0, 1] and for df < 1.

    >>> half = math.sqrt(0.5)
    >>> [round(p, 6) for p in dunnett_p([2.2121, -1.0], [half, half])]
    [0.050003, 0.502028]
    """
    if len(statistics) != len(lambdas):
        raise ValueError(f"need one lambda per statistic, got {len(lambdas)} and {len(statistics)}")
    if any(t is not None and math.isnan(t) for t in statistics):
        raise ValueError(f"statistics must be numbers, got {tuple(statistics)}")
    tested = [value for t, value in zip(statistics, lambdas, strict=True) if t is not None]
    tail = _tail(tested, df)
    return tuple(None if t is None else tail(abs(t)) for t in statistics)


def dunnett_critical(lambdas: Sequence[float], alpha: float = 0.05, df: float = math.inf) -> float:
    """The c with P(max_j |T_j| > c) = alpha: `estimate_j +- c * se_j` cover all true differences at level 1 - alpha.

    `lambdas` and `df` as for `dunnett_p`. Lies between the quantiles of one comparison and of Sidak. Raises ValueError
    for an alpha outside [1e-100, 1) and without a comparison. Source: Dunnett 1955; the printed constants for many units
    and equal arms are 2.2121, 2.3490, 2.4418 for 2, 3, 4 treatments.

    >>> round(dunnett_critical([math.sqrt(0.5)] * 3), 4)
    2.349
    """
    check_alpha(alpha)
    if alpha < SMALLEST_ALPHA:
        raise ValueError(f"alpha must not lie below {SMALLEST_ALPHA}, got {alpha!r}")
    if not lambdas:
        raise ValueError("need at least one treatment")
    tail = _tail(lambdas, df)
    low = critical_value(alpha, df)
    if len(lambdas) == 1:
        return low
    high = critical_value(_sidak(alpha, 1.0 / len(lambdas)), df)
    return _solve(lambda c: math.log(tail(c)) - math.log(alpha), low, high)


def _tail(lambdas: Sequence[float], df: float) -> Callable[[float], float]:
    """c -> P(max_j |T_j| >= c), kept between the p-value of one comparison and Sidak's bound (Sidak 1967)."""
    if not all(0.0 <= value <= 1.0 for value in lambdas):
        raise ValueError(f"lambdas lie in [0, 1], got {tuple(lambdas)}")
    if not df >= 1.0:
        raise ValueError(f"degrees of freedom must be at least 1, got {df!r}")
    distinct, repeats = np.unique(np.asarray(lambdas, dtype=np.float64), return_counts=True)
    normal = partial(_normal_tail, lambdas=distinct, repeats=repeats)
    joint = normal if df > LARGEST_DF else _averaged(normal, df)

    def tail(c: float) -> float:
        single = two_sided(c, df)
        if single in (0.0, 1.0) or len(lambdas) == 1:
            return single
        return min(max(joint(c), single), _sidak(single, len(lambdas)))

    return tail


def _sidak(p: float, tests: float) -> float:
    """1 - (1 - p)^tests, the chance of any of `tests` independent events; with 1 / tests the way back. p < 1.

    >>> round(_sidak(0.05, 2), 6)
    0.0975
    """
    return -math.expm1(tests * math.log1p(-p))


def _normal_tail(c: float, lambdas: Floats, repeats: npt.NDArray[np.int64]) -> float:
    """P(max_j |Z_j| >= c) for Z_j = sqrt(1 - lambda_j^2) e_j + lambda_j x, with x the error of the control.

    Given x the comparisons are independent; the integral over x is twice that over x > 0.
    """
    own = np.sqrt((1.0 - lambdas) * (1.0 + lambdas))
    # Below 1e-9 an error of one's own is no longer told from none, and division stays finite.
    own = np.maximum(own, 1e-9)
    x, weights = _nodes(c, float(lambdas[0]), float(lambdas[-1]), float(own.min()))
    shift = lambdas[:, None] * x
    beyond = special.ndtr((shift - c) / own[:, None]) + special.ndtr((-shift - c) / own[:, None])
    # 1 - prod(1 - beyond) without forming 1 - small: full relative accuracy however far out.
    with np.errstate(divide="ignore"):
        some = -np.expm1((repeats[:, None] * np.log1p(-np.minimum(beyond, 1.0))).sum(axis=0))
    # Sums instead of `@`, whose digits may depend on the number of threads.
    return float(2.0 * (weights * some * np.exp(-0.5 * x * x)).sum() / math.sqrt(2.0 * math.pi))


def _nodes(c: float, smallest: float, largest: float, own: float) -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes in panels that get finer towards x = c.

    Given |Z| > c, x is near lambda * c; where lambda is close to 1 the integrand steps at x = c / lambda within a
    width of `own`, which the grading resolves.
    """
    low, high = max(0.0, smallest * c - 9.0), largest * c + 9.0
    width = min(1.5, own)
    offsets = [0.0]
    while offsets[-1] < max(c - low, high - c):
        offsets.append(offsets[-1] + min(1.5, max(width, 0.7 * offsets[-1])))
    steps = np.array(offsets)
    edges = np.unique(np.clip(np.concatenate([c - steps, c + steps, [low, high]]), low, high))
    at, weight = _gauss()
    half = 0.5 * np.diff(edges)[:, None]
    return (edges[:-1, None] + half * (1.0 + at)).ravel(), (half * weight).ravel()


@cache
def _gauss() -> tuple[Floats, Floats]:
    at, weight = special.roots_legendre(20)
    return at, weight


def _averaged(normal: Callable[[float], float], df: float) -> Callable[[float], float]:
    """c -> E normal(c s), s the estimated standard deviation in units of the true one: sqrt(chi-square / df).

    y = log s has a density proportional to exp(df * (y - exp(2y) / 2)). It is analytic, so the trapezoidal rule
    converges exponentially (Trefethen & Weideman 2014), and wherever its lattice starts: here log(c s) takes whole
    multiples of `step`, so that different c share their inner integrals.
    """
    # Error below exp(-36): optimising the strip of analyticity for each df, the step may be no longer than this.
    step = 1.0 / math.sqrt(4.0 * df + 70.0)
    right = math.sqrt(NEGLIGIBLE / df)
    left = right + NEGLIGIBLE / df
    norm = _density(step * np.arange(-math.ceil(left / step), math.ceil(right / step) + 1.0), df).sum()
    inner = cache(lambda place: normal(math.exp(step * place)))

    def tail(c: float) -> float:
        # Large |T| come from a small s: the tail exp(-(c s)^2 / 2) moves the peak of the integrand down to this y.
        peak = -math.log(math.hypot(1.0, c / math.sqrt(df)))
        low, high = peak - left + math.log(c), min(right + math.log(c), math.log(REACH))
        places = range(math.floor(low / step), math.ceil(high / step) + 1)
        if not places:
            return 0.0
        density = _density(step * np.array(places, dtype=np.float64) - math.log(c), df)
        return float((density * np.array([inner(place) for place in places])).sum() / norm)

    return tail


def _density(y: Floats, df: float) -> Floats:
    return np.asarray(np.exp(df * (y - 0.5 * np.expm1(2.0 * y))), dtype=np.float64)


def _solve(f: Callable[[float], float], low: float, high: float) -> float:
    """The root of a decreasing function in [low, high], by regula falsi with the Illinois step (Dowell & Jarratt 1971).

    It keeps the root between two ends and, as log tails are nearly parabolas, needs about six steps.
    """
    above, below = f(low), f(high)
    if above <= 0.0 or below >= 0.0:
        return low if above <= 0.0 else high
    side = 0
    while high - low > 4e-15 * high:
        middle = (low * below - high * above) / (below - above)
        value = f(middle) if low < middle < high else 0.0
        if value == 0.0:
            return min(high, max(low, middle))
        if value > 0.0:
            low, above, below = middle, value, below * (0.5 if side > 0 else 1.0)
            side = 1
        else:
            high, below, above = middle, value, above * (0.5 if side < 0 else 1.0)
            side = -1
    return 0.5 * (low + high)
