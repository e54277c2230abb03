"""Does the effect depend on a number that was known before exposure, and for which of its values is it clear?

A line in each arm: the difference of their slopes says by how much the effect changes per unit of the moderator
(age, tenure), the difference of their heights what it is at any value. From the metric's moments per value of the
moderator the errors are just those that rows would give, because leverage depends on the moderator alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from abtest.stats.distributions import critical_value, two_sided
from abtest.stats.heterogeneity import JohnsonNeyman, Region, johnson_neyman
from abtest.stats.inference import Estimate, Status
from abtest.stats.moments import Moments, merge
from abtest.stats.multiplicity import benjamini_hochberg

Grouped = Sequence[tuple[float, Moments]]
POINTS = 101


@dataclass(frozen=True, slots=True)
class Moderation:
    """Result of `moderation`.

    `status` "no_test" with a `reason`: `not_enough_units` (fewer than three in an arm, or one that alone decides a slope),
    `constant` (one value of the moderator in an arm), `zero_variance` (the metric lies on two lines without any error).
    `slope`: by how much the effect changes per unit of the moderator, with its t, `df` and p. `height` is the effect at
    `centre`, `height_se` its error, `cov` that of height and slope.
    """

    status: Status
    reason: str | None
    units: int
    slope: Estimate | None = None
    statistic: float | None = None
    df: float | None = None
    p_value: float | None = None
    centre: float = 0.0
    height: float = 0.0
    height_se: float = 0.0
    cov: float = 0.0


def moderation(control: Grouped, treatment: Grouped, *, alpha: float = 0.05) -> Moderation:
    """The coefficient of treatment x moderator in least squares, with HC2 errors (MacKinnon & White 1985) and n - 4 df.

    Each arm is a sequence of (value of the moderator, moments of the metric among the units with it), values in any
    order. HC2 divides each squared residual by one less its leverage, so that small and unequal arms keep their level.

    >>> from abtest.stats.moments import moments_of
    >>> c = [(1.0, moments_of([2.0, 3.0])), (2.0, moments_of([3.0, 5.0])), (4.0, moments_of([4.0, 7.0]))]
    >>> t = [(1.0, moments_of([2.0, 4.0])), (3.0, moments_of([7.0, 9.0])), (4.0, moments_of([12.0, 10.0]))]
    >>> found = moderation(c, t)
    >>> round(found.slope.estimate, 6), round(found.slope.se, 6), round(found.p_value, 6)
    (1.678571, 0.692192, 0.041524)
    """
    arms = [[(x, m) for x, m in arm if m.n > 0] for arm in (control, treatment)]
    units = sum(m.n for arm in arms for _, m in arm)
    if any(sum(m.n for _, m in arm) < 3 for arm in arms):
        return Moderation("no_test", "not_enough_units", units)
    if any(len({x for x, _ in arm}) < 2 for arm in arms):
        return Moderation("no_test", "constant", units)
    # In shares of the range around its middle, so that neither dates in seconds nor tiny fractions lose digits.
    low, high = min(x for arm in arms for x, _ in arm), max(x for arm in arms for x, _ in arm)
    centre, size = low / 2.0 + high / 2.0, high / 2.0 - low / 2.0
    if not (math.isfinite(size) and size > 0.0):
        return Moderation("no_test", "constant", units)
    lines = [_line([((x - centre) / size, m) for x, m in arm]) for arm in arms]
    if lines[0] is None or lines[1] is None:
        return Moderation("no_test", "not_enough_units", units)
    (a_c, b_c, vaa_c, vab_c, vbb_c), (a_t, b_t, vaa_t, vab_t, vbb_t) = lines[0], lines[1]
    slope, se = (b_t - b_c) / size, math.sqrt(vbb_c + vbb_t) / size
    if not (se > 0.0 and vaa_c + vaa_t > 0.0):
        return Moderation("no_test", "zero_variance", units)
    df = float(units - 4)
    half = critical_value(alpha, df) * se
    return Moderation(
        status="ok",
        reason=None,
        units=units,
        slope=Estimate(slope, slope - half, slope + half, se),
        statistic=slope / se,
        df=df,
        p_value=two_sided(slope / se, df),
        centre=centre,
        height=a_t - a_c,
        height_se=math.sqrt(vaa_c + vaa_t),
        cov=(vab_c + vab_t) / size,
    )


def effect_at(found: Moderation, value: float, *, critical: float) -> Estimate:
    """The effect at one value of the moderator, with the interval of a critical value.

    Raises ValueError without a test.
    """
    if found.slope is None or found.slope.se is None:
        raise ValueError("there is no line")
    x = value - found.centre
    estimate = found.height + found.slope.estimate * x
    variance = found.height_se**2 + 2.0 * x * found.cov + (x * found.slope.se) ** 2
    se = math.sqrt(max(0.0, variance))
    return Estimate(estimate, estimate - critical * se, estimate + critical * se, se)


def false_discovery_critical(z: Sequence[float], *, alpha: float = 0.05, df: float = math.inf) -> float:
    """The critical value at which statistics `z` of many values of moderators make a share of at most `alpha` false ones.

    The largest p-value that Benjamini & Hochberg (1995) reject sets it: alpha k / m for the k-th of m (Esarey & Sumner
    2018, section 3). Where they reject none it is that of alpha / m. Raises ValueError without statistics.

    >>> round(false_discovery_critical([1.0, 3.0, 2.2, 2.5]), 4)
    2.0803
    """
    if not z:
        raise ValueError("need at least one statistic")
    p = [two_sided(one, df) for one in z]
    kept = sum(q is not None and q <= alpha for q in benjamini_hochberg(p))
    return critical_value(alpha * max(1, kept) / len(z), df)


def statistics_along(found: Moderation, low: float, high: float) -> tuple[float, ...]:
    """Effect over error at 101 equally spaced values of the moderator from `low` to `high`."""
    values = [low + (high - low) * i / (POINTS - 1) for i in range(POINTS)]
    at = [effect_at(found, value, critical=0.0) for value in values]
    return tuple(e.estimate / e.se for e in at if e.se)


def clear_regions(found: Moderation, low: float, high: float, *, critical: float) -> tuple[Region, ...]:
    """The values from `low` to `high` at which the effect is told from zero (Johnson & Neyman 1936).

    Raises ValueError without a test.
    """
    if found.slope is None or found.slope.se is None:
        raise ValueError("there is no line")
    solved: JohnsonNeyman = johnson_neyman(
        found.height,
        found.slope.estimate,
        found.height_se**2,
        found.slope.se**2,
        found.cov,
        low=low - found.centre,
        high=high - found.centre,
        critical=critical,
    )
    return tuple(
        Region(min(high, max(low, r.low + found.centre)), min(high, max(low, r.high + found.centre)), r.sign)
        for r in solved.regions
    )


def inner_range(grouped: Sequence[Grouped], *, share: float = 0.01, at_least: int = 1) -> tuple[float, float] | None:
    """The values of the moderator between which all but `share` of the units on either side lie, over all arms.

    At least `at_least` units lie on each end or beyond it, so that no end is that of a few units. None with too few units.

    >>> from abtest.stats.moments import moments_of
    >>> inner_range([[(float(x), moments_of([0.0])) for x in range(1, 301)]])
    (3.0, 298.0)
    """
    counts: dict[float, int] = {}
    for arm in grouped:
        for x, m in arm:
            counts[x] = counts.get(x, 0) + m.n
    total = sum(counts.values())
    beyond = max(math.ceil(share * total), at_least)
    if 2 * beyond > total:
        return None
    ends = []
    for order in (sorted(counts), sorted(counts, reverse=True)):
        seen = 0
        for x in order:
            seen += counts[x]
            if seen >= beyond:
                ends.append(x)
                break
    return (ends[0], ends[1]) if ends[0] <= ends[1] else None


def _line(arm: Grouped) -> tuple[float, float, float, float, float] | None:
    """Height at 0, slope, and the HC2 covariance matrix of the two (height, both, slope)."""
    whole = Moments(0, 0.0, 0.0)
    for _, m in arm:
        whole = merge(whole, m)
    n = whole.n
    middle = math.fsum(m.n / n * x for x, m in arm)
    spread = math.fsum(m.n * (x - middle) ** 2 for x, m in arm)
    slope = math.fsum(m.n * (x - middle) * (m.mean - whole.mean) for x, m in arm) / spread
    weights = []
    for x, m in arm:
        left = 1.0 - (1.0 / n + (x - middle) ** 2 / spread)
        if left < 1e-9:
            return None
        missed = m.mean - whole.mean - slope * (x - middle)
        weights.append((x - middle, (m.m2 + m.n * missed * missed) / left))
    aa = math.fsum(w for _, w in weights) / n / n
    ab = math.fsum(d * w for d, w in weights) / n / spread
    bb = math.fsum(d * d * w for d, w in weights) / spread / spread
    # From the middle of the arm to 0.
    return whole.mean - slope * middle, slope, aa - 2 * middle * ab + middle * middle * bb, ab - middle * bb, bb
