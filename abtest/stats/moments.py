"""Per-arm summaries of a metric: everything a mean, a ratio or a proportion needs, and no row of data.

The unit of observation is the randomisation unit (a user, a cluster). Sums of squares are kept as deviations from the
mean, never as raw sums: with values around 1e9 the textbook `sum(v**2) - n * mean**2` loses every digit of the
variance.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Values = Sequence[float] | npt.NDArray[np.float64]
Exact = int | float | Decimal | Fraction


@dataclass(frozen=True, slots=True)
class Moments:
    """One metric in one arm.

    `n` units; `mean` in the metric's unit; `m2` and `m3` sums of squared and cubed deviations from the mean.
    `top_share` holds pairs (fraction of units, share of the total that these largest units hold), `histogram` pairs
    (value, number of units), `pairs` the cross products sum((x - mean_x)(y - mean_y)) with other metrics by name.
    Raises ValueError for a negative n or m2 and for anything not finite: a NaN must not travel.

    >>> Moments(n=3, mean=2.0, m2=2.0).variance
    1.0
    """

    n: int
    mean: float
    m2: float
    m3: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    top_share: tuple[tuple[float, float], ...] | None = None
    histogram: tuple[tuple[float, int], ...] | None = None
    pairs: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if self.n < 0:
            raise ValueError(f"n must not be negative, got {self.n}")
        parts = (self.mean, self.m2, self.m3, self.minimum, self.maximum)
        if not all(part is None or math.isfinite(part) for part in parts):
            raise ValueError(f"moments must be finite, got {parts}")
        if self.m2 < 0.0:
            raise ValueError(f"a sum of squares must not be negative, got {self.m2}")

    @property
    def total(self) -> float:
        """Sum of the values, in the metric's unit."""
        return self.n * self.mean

    @property
    def variance(self) -> float:
        """Sample variance (divisor n - 1). Raises ValueError for fewer than two units, where there is none."""
        if self.n < 2:
            raise ValueError(f"a variance needs two units, got {self.n}")
        return self.m2 / (self.n - 1)

    @property
    def variance_of_mean(self) -> float:
        """variance / n: the squared standard error. Raises ValueError for fewer than two units."""
        return self.variance / self.n

    @property
    def standard_error(self) -> float:
        """Standard error of the mean. Raises ValueError for fewer than two units."""
        return math.sqrt(self.variance_of_mean)

    @property
    def skewness(self) -> float | None:
        """g1 = (m3/n) / (m2/n)**1.5 (population form), or None without a third moment or without variation."""
        if self.m3 is None or self.m2 == 0.0:
            return None
        spread = math.sqrt(self.m2 / self.n)
        # Divided step by step: spread**3 alone underflows for metrics measured in tiny units.
        g1 = self.m3 / self.n / spread / spread / spread
        return g1 if math.isfinite(g1) else None


@dataclass(frozen=True, slots=True)
class PairMoments:
    """A ratio metric in one arm: numerator `x`, denominator `y`, both per unit, over the same `n` units.

    `cross` is sum((x - mean_x)(y - mean_y)). Raises ValueError if the parts disagree about n or are not finite.
    """

    n: int
    x: Moments
    y: Moments
    cross: float

    def __post_init__(self) -> None:
        if not self.n == self.x.n == self.y.n:
            raise ValueError(f"both parts of a ratio cover the same units, got {self.n}, {self.x.n}, {self.y.n}")
        if not math.isfinite(self.cross):
            raise ValueError(f"moments must be finite, got cross={self.cross}")


@dataclass(frozen=True, slots=True)
class Counts:
    """A proportion in one arm: `successes` of `n` units. Raises ValueError unless 0 <= successes <= n.

    >>> Counts(56, 70).rate
    0.8
    """

    successes: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.n:
            raise ValueError(f"need 0 <= successes <= n, got {self.successes} of {self.n}")

    @property
    def rate(self) -> float:
        """successes / n, in [0, 1]. Raises ValueError without units."""
        if self.n == 0:
            raise ValueError("a rate needs at least one unit")
        return self.successes / self.n

    @property
    def moments(self) -> Moments:
        """The same arm as a 0/1 metric, for methods that treat a proportion as a mean (adjusted, sequential)."""
        return from_sums(self.n, 0, self.successes, self.successes, self.successes)


@dataclass(frozen=True, slots=True)
class Sums:
    """Exact integer sums of q = (value - shift) * scale over the units of one arm: sum q, sum q^2, sum q^3."""

    shift: Exact
    s1: int
    s2: int
    s3: int | None = None
    scale: int | Fraction = 1


def moments_of(values: Values, *, top: Sequence[float] = ()) -> Moments:
    """Moments of one value per unit, by the corrected two-pass algorithm (Chan, Golub & LeVeque 1983, eq. 1.7).

    `values` has shape (n,). Sums are correctly rounded, so the result does not depend on the order of the values.
    `top` names fractions of units in (0, 1] whose share of the total is wanted; a share exists only for a positive
    total of non-negative values. Raises ValueError for values that are not finite or whose squares overflow.

    >>> moments_of([1e9, 1e9 + 1, 1e9 + 2]).variance
    1.0
    >>> moments_of([0, 0, 1, 9], top=[0.25]).top_share
    ((0.25, 0.9),)
    """
    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 1:
        raise ValueError(f"need one value per unit, got an array of shape {data.shape}")
    n = len(data)
    if n == 0:
        return Moments(n=0, mean=0.0, m2=0.0, m3=0.0)
    if not np.isfinite(data).all():
        raise ValueError("values must be finite")
    low, high = float(data.min()), float(data.max())
    shares = _top_shares(data, top) if top and low >= 0.0 and high > 0.0 else None
    if low == high:
        # The mean of n equal floats need not round back to them; without this a constant metric would show a variance
        # of 1e-34 and with it an enormous t.
        return Moments(n=n, mean=low, m2=0.0, m3=0.0, minimum=low, maximum=high, top_share=shares)
    try:
        mean = math.fsum(data) / n
        with np.errstate(over="ignore", under="ignore"):
            deviation = data - mean
            residue = math.fsum(deviation) / n
            squares = math.fsum(deviation**2)
            cubes = math.fsum(deviation**3)
    except OverflowError:
        raise ValueError("values are too large to be squared and summed") from None
    # `residue` is what rounding the mean left over; the second terms move the sums to the unrounded mean.
    m2 = max(0.0, squares - n * residue**2)
    m3 = cubes - 3.0 * residue * squares + 2.0 * n * residue**3
    return Moments(n=n, mean=mean, m2=m2, m3=m3, minimum=low, maximum=high, top_share=shares)


def merge(a: Moments, b: Moments) -> Moments:
    """Moments of two disjoint groups of units together (Chan, Golub & LeVeque 1983; third moment: Pebay 2008, eq. 1.3).

    Top shares and pairs cannot be merged from what they keep (the largest units, the other metric's mean are not in
    there) and are dropped.

    >>> merge(moments_of([1, 2]), moments_of([3, 4, 5])).m2
    10.0
    """
    if a.n == 0 or b.n == 0:
        kept = b if a.n == 0 else a
        return Moments(kept.n, kept.mean, kept.m2, kept.m3, kept.minimum, kept.maximum, histogram=kept.histogram)
    n = a.n + b.n
    delta = b.mean - a.mean
    m3 = None
    if a.m3 is not None and b.m3 is not None:
        m3 = a.m3 + b.m3 + delta**3 * (a.n / n) * (b.n / n) * (a.n - b.n) + 3.0 * delta * (a.n * b.m2 - b.n * a.m2) / n
    return Moments(
        n=n,
        mean=a.mean + delta * (b.n / n),
        m2=a.m2 + b.m2 + delta**2 * (a.n * b.n / n),
        m3=m3,
        minimum=None if a.minimum is None or b.minimum is None else min(a.minimum, b.minimum),
        maximum=None if a.maximum is None or b.maximum is None else max(a.maximum, b.maximum),
        histogram=_merge_histograms(a.histogram, b.histogram),
    )


def from_sums(
    n: int,
    shift: Exact,
    s1: int,
    s2: int,
    s3: int | None = None,
    scale: int | Fraction = 1,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Moments:
    """Moments from exact integer sums of q_i = (value_i - shift) * scale, in rational arithmetic until the last step.

    Integer sums do not depend on threads or on the order of rows, so neither do the moments: each returned float is
    the correctly rounded exact value. Raises ValueError for sums that no data can have (n * s2 < s1**2).

    >>> from_sums(3, 10**9, s1=3, s2=5) == from_sums(3, 0, 3 * 10**9 + 3, 3 * 10**18 + 6 * 10**9 + 5)
    True
    """
    return _from_sums(n, Sums(shift, s1, s2, s3, scale), minimum, maximum)


def pair_of(xs: Values, ys: Values) -> PairMoments:
    """Numerators `xs` and denominators `ys`, one pair per unit, each of shape (n,). Raises ValueError if they differ.

    >>> pair_of([3, 0, 5], [5, 2, 8]).cross
    15.0
    """
    x, y = moments_of(xs), moments_of(ys)
    if x.n != y.n:
        raise ValueError(f"need as many numerators as denominators, got {x.n} and {y.n}")
    if x.n == 0:
        return PairMoments(n=0, x=x, y=y, cross=0.0)
    with np.errstate(over="ignore", under="ignore"):
        dx = np.asarray(xs, dtype=np.float64) - x.mean
        dy = np.asarray(ys, dtype=np.float64) - y.mean
        products = dx * dy
    cross = math.fsum(products) - math.fsum(dx) * math.fsum(dy) / x.n
    return PairMoments(n=x.n, x=x, y=y, cross=cross)


def merge_pairs(a: PairMoments, b: PairMoments) -> PairMoments:
    """Pair moments of two disjoint groups of units together (Chan, Golub & LeVeque 1983).

    >>> merge_pairs(pair_of([3, 0], [5, 2]), pair_of([5], [8])).cross
    15.0
    """
    n = a.n + b.n
    between = 0.0
    if a.n and b.n:
        between = (b.x.mean - a.x.mean) * (b.y.mean - a.y.mean) * (a.n * b.n / n)
    return PairMoments(n=n, x=merge(a.x, b.x), y=merge(a.y, b.y), cross=a.cross + b.cross + between)


def pair_from_sums(n: int, x: Sums, y: Sums, cross: int) -> PairMoments:
    """Pair moments from exact integer sums; `cross` is the sum of q_x * q_y. See `from_sums`.

    >>> pair_from_sums(3, Sums(0, 8, 34), Sums(0, 15, 93), cross=55).cross
    15.0
    """
    if n == 0:
        return PairMoments(n=0, x=_from_sums(0, x), y=_from_sums(0, y), cross=0.0)
    centred = Fraction(n * cross - x.s1 * y.s1, n * x.scale * y.scale)
    return PairMoments(n=n, x=_from_sums(n, x), y=_from_sums(n, y), cross=float(centred))


def _from_sums(n: int, sums: Sums, minimum: float | None = None, maximum: float | None = None) -> Moments:
    s1, s2, s3, scale = sums.s1, sums.s2, sums.s3, sums.scale
    if scale <= 0:
        raise ValueError(f"scale must be positive, got {scale}")
    if n == 0:
        if s1 or s2 or s3:
            raise ValueError(f"no units but sums {s1}, {s2}, {s3}")
        return Moments(n=0, mean=0.0, m2=0.0, m3=None if s3 is None else 0.0)
    if n * s2 < s1 * s1:
        raise ValueError(f"no data have these sums: n={n}, s1={s1}, s2={s2}")
    mean = Fraction(sums.shift) + Fraction(s1, n * scale)
    m2 = Fraction(n * s2 - s1 * s1, n * scale**2)
    m3 = None if s3 is None else float(Fraction(n * n * s3 - 3 * n * s1 * s2 + 2 * s1**3, n * n * scale**3))
    return Moments(n=n, mean=float(mean), m2=float(m2), m3=m3, minimum=minimum, maximum=maximum)


def _top_shares(data: npt.NDArray[np.float64], fractions: Sequence[float]) -> tuple[tuple[float, float], ...]:
    if not all(0.0 < fraction <= 1.0 for fraction in fractions):
        raise ValueError(f"fractions of units lie in (0, 1], got {tuple(fractions)}")
    ordered = np.sort(data)[::-1]
    total = math.fsum(ordered)
    # At least one unit: "the top 0.1 %" of 200 units is the largest one.
    return tuple((f, math.fsum(ordered[: max(1, math.ceil(f * len(data)))]) / total) for f in fractions)


def _merge_histograms(
    a: tuple[tuple[float, int], ...] | None, b: tuple[tuple[float, int], ...] | None
) -> tuple[tuple[float, int], ...] | None:
    if a is None or b is None:
        return None
    counts = dict(a)
    for value, units in b:
        counts[value] = counts.get(value, 0) + units
    return tuple(sorted(counts.items()))
