"""Whole clusters (villages, teams, classes) are randomised, the units inside them are measured.

Units of one cluster resemble each other, so the clusters are the observations and their number decides, not that of
the units. The effect is the difference of the unit-weighted means; its error comes from the cluster sums, as for a
ratio metric. With few clusters that error is too small on average and its distribution has fatter tails than Welch's
t allows for; where an arm is worth fewer than 40 equal clusters a bias-reduced variance (CR2) with its own degrees of
freedom takes over, below 5 clusters there is no test. What can still go wrong: one or two giant clusters, or clusters whose size goes with the
outcome (small villages differ from large ones); no formula repairs a mean that hangs on three clusters.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from abtest.stats.contrast import Arm, contrast, point_lift
from abtest.stats.inference import Inference, Status, no_test
from abtest.stats.moments import PairMoments, Values, pair_of
from abtest.stats.ratios import ratio_arm

# Fewer clusters than FEW in an arm: no test. Worth fewer equal ones than MANY: CR2, not the large-sample variance.
FEW = 5
MANY = 40


@dataclass(frozen=True, slots=True)
class ClusterArm:
    """One arm: per cluster the sum of its unit values and the number of its units, both of shape (G,).

    `squares` is the sum of the squared values of all units of the arm, an exact integer or fraction if there is one;
    only the intra-cluster correlation needs it. For a ratio metric (clicks per view) the "units" are what its
    denominator counts. Raises ValueError for sums that no data can have.
    """

    sums: tuple[float, ...]
    sizes: tuple[int, ...]
    squares: int | float | Fraction | None = None

    def __post_init__(self) -> None:
        if len(self.sums) != len(self.sizes):
            raise ValueError(f"need one size per cluster, got {len(self.sums)} sums and {len(self.sizes)} sizes")
        if not all(math.isfinite(value) for value in self.sums):
            raise ValueError("sums of clusters must be finite")
        if not all(size >= 0 and float(size).is_integer() for size in self.sizes):
            raise ValueError("sizes are numbers of units, whole and not negative")
        # Counts of an array overflow silently when they are squared; Python's own do not.
        object.__setattr__(self, "sizes", tuple(int(size) for size in self.sizes))
        if isinstance(self.squares, np.integer):
            object.__setattr__(self, "squares", int(self.squares))
        if any(size == 0 and value != 0.0 for value, size in zip(self.sums, self.sizes, strict=True)):
            raise ValueError("a cluster without units has a sum that is not zero")
        if self.squares is None:
            return
        if not math.isfinite(self.squares) or self.squares < 0:
            raise ValueError(f"a sum of squares is not negative, got {self.squares}")
        if spread_of(self).within < -Fraction(1, 10**9) * Fraction(self.squares):
            raise ValueError("the sum of squares is smaller than the cluster means allow")

    @property
    def clusters(self) -> int:
        """Number of clusters with at least one unit; the empty ones tell nothing and do not count anywhere."""
        return sum(size > 0 for size in self.sizes)

    @property
    def effective_clusters(self) -> float:
        """How many clusters of one size the arm is worth, N^2 / sum(N_g^2) (Kish 1965): at most their number."""
        squares = sum(size * size for size in self.sizes)
        return self.units**2 / squares if squares else 0.0

    @property
    def units(self) -> int:
        """Number of units."""
        return sum(self.sizes)

    @property
    def pair(self) -> PairMoments:
        """Sums and sizes over the clusters with units, as the two parts of a ratio metric."""
        filled = [(value, size) for value, size in zip(self.sums, self.sizes, strict=True) if size > 0]
        return pair_of([value for value, _ in filled], [float(size) for _, size in filled])


@dataclass(frozen=True, slots=True)
class Spread:
    """What the intra-cluster correlation of an arm is made from: `clusters` with units, `units`, and sums over clusters
    of N_g^2 (`size_squares`), Y_g (`total`) and Y_g^2 / N_g (`means`); `squares` is the sum over units of their squares.
    """

    clusters: int
    units: int
    size_squares: int
    total: Fraction
    means: Fraction
    squares: int | float | Fraction

    @property
    def within(self) -> Fraction:
        """Sum of squares of the units around the mean of their cluster."""
        return Fraction(self.squares) - self.means

    @property
    def between(self) -> Fraction:
        """Sum of squares of the cluster means around the mean of the arm, weighted by units."""
        return self.means - self.total**2 / self.units


@dataclass(frozen=True, slots=True)
class IntraCluster:
    """Result of `intra_cluster_correlation`: `rho` at most 1, below 0 if clusters differ less than chance would have it.

    `mean_size` units per cluster, and `size_cv`, the coefficient of variation of the sizes (population form), are what
    `design_effect` asks for.
    """

    status: Status
    reason: str | None
    rho: float | None = None
    mean_size: float | None = None
    size_cv: float | None = None


def clusters_of(values: Values, owners: Sequence[int] | npt.NDArray[np.int64]) -> ClusterArm:
    """An arm from its rows: `values` of all units and the number 0, 1, ... of each one's cluster, both of shape (n,).

    >>> clusters_of([1, 2, 4, 8], owners=[0, 0, 1, 1])
    ClusterArm(sums=(3.0, 12.0), sizes=(2, 2), squares=85.0)
    """
    data, owner = np.asarray(values, dtype=np.float64), np.asarray(owners, dtype=np.int64)
    if data.shape != owner.shape or data.ndim != 1:
        raise ValueError(f"need one owner per value, got shapes {data.shape} and {owner.shape}")
    with np.errstate(over="ignore", under="ignore"):
        squares = data**2
    return ClusterArm(
        sums=tuple(np.bincount(owner, weights=data).tolist()),
        sizes=tuple(np.bincount(owner).tolist()),
        squares=math.fsum(squares),
    )


def cluster_contrast(
    treatment: ClusterArm, control: ClusterArm, *, alpha: float = 0.05, critical: float | None = None
) -> Inference:
    """Difference and lift of the unit-weighted means of two arms of clusters.

    If both arms are worth 40 equal clusters or more, method `cluster`: the delta-method variance of the ratio of sums over
    clusters, which is the cluster-robust CR0 times G / (G - 1), with G - 1 degrees of freedom per arm (Deng, Knoblich &
    Lu 2018, eq. 4). Otherwise, method `cluster_cr2`: see `cr2_arm`. The degrees of freedom of the arms are combined as
    Welch does. `critical` replaces the t quantile; the p-value is then None. Statuses: `no_units`, `few_clusters`
    (fewer than 5 with units in an arm), `zero_variance`.

    >>> t = ClusterArm((12, 9, 20, 7, 15, 11), (4, 3, 6, 2, 5, 3))
    >>> c = ClusterArm((8, 7, 16, 5, 9, 10), (4, 3, 6, 2, 5, 4))
    >>> result = cluster_contrast(t, c)
    >>> result.method, round(result.absolute.estimate, 4), round(result.absolute.se, 4), round(result.p_value, 5)
    ('cluster_cr2', 0.9257, 0.2024, 0.00221)
    """
    method = _method(treatment, control)
    if treatment.units == 0 or control.units == 0:
        return no_test("no_units", method)
    if min(treatment.clusters, control.clusters) < FEW:
        value_t, value_c = _mean(treatment), _mean(control)
        return no_test("few_clusters", method, value_t - value_c, point_lift(value_t, value_c))
    return contrast(*cluster_arms(treatment, control), method=method, alpha=alpha, critical=critical)


def cluster_arms(treatment: ClusterArm, control: ClusterArm) -> tuple[Arm, Arm]:
    """The two arms as `cluster_contrast` compares them, for margins (`non_inferiority` takes them as they are).

    Both get the small-sample variance if one is worth fewer than 40 equal clusters. Raises ValueError with fewer than two
    clusters with units in an arm.

    >>> t, c = ClusterArm((2, 4, 3), (1, 1, 1)), ClusterArm((1, 2, 3), (1, 1, 1))
    >>> cluster_arms(t, c)[0].value
    3.0
    """
    if _method(treatment, control) == "cluster":
        return ratio_arm(treatment.pair), ratio_arm(control.pair)
    return cr2_arm(treatment), cr2_arm(control)


def cr2_arm(arm: ClusterArm) -> Arm:
    """The mean of an arm with the bias-reduced variance CR2 and its degrees of freedom (Bell & McCaffrey 2002).

    With two arms and no covariates the matrices of the general method collapse. Let h_g = N_g / N be a cluster's share
    of the arm's units and r_g = Y_g - mean N_g its summed residual; then

    - variance = sum(r_g^2 / (1 - h_g)) / N^2, unbiased if units are independent and vary alike;
    - df = 1 / (sum(h_g^2) + sum(u_g^2)^2 - sum(u_g^4)) with u_g^2 = h_g^2 / (1 - h_g), from matching two moments of
      that variance under the same assumption (Satterthwaite); equal clusters give G - 1, one giant among them near 1.

    Raises ValueError with fewer than two clusters with units.

    >>> cr2_arm(ClusterArm((1, 2, 3, 6), (1, 1, 1, 1)))
    Arm(value=3.0, variance=1.1666666666666667, df=3.0)
    >>> round(cr2_arm(ClusterArm((1, 2, 3, 60), (1, 1, 1, 20))).df, 2)
    1.2
    """
    if arm.clusters < 2:
        raise ValueError(f"a variance needs two clusters with units, got {arm.clusters}")
    filled = [(value, size) for value, size in zip(arm.sums, arm.sizes, strict=True) if size > 0]
    units, value = arm.units, _mean(arm)
    squares, first, second, fourth = [], [], [], []
    for total, size in filled:
        share = size / units
        rest = (units - size) / units
        residual = total - value * size
        # What rounding leaves over where all clusters have the same mean must not become a variance.
        if abs(residual) <= 8.0 * sys.float_info.epsilon * (abs(total) + abs(value) * size):
            residual = 0.0
        # Divided before it is squared: sums of clusters may be near the largest float.
        squares.append((residual / units) ** 2 / rest if abs(residual) / units < 1e150 else math.inf)
        first.append(share * share)
        second.append(share * share / rest)
        fourth.append((share * share / rest) ** 2)
    variance = math.fsum(squares)
    if not math.isfinite(variance):
        raise ValueError("values are too large to be squared and summed")
    off_diagonal = max(0.0, math.fsum(second) ** 2 - math.fsum(fourth))
    return Arm(value, variance, _whole(1.0 / (math.fsum(first) + off_diagonal)))


def intra_cluster_correlation(treatment: ClusterArm | Spread, control: ClusterArm | Spread) -> IntraCluster:
    """How alike units of one cluster are: one-way analysis of variance within arms (Donner & Klar 2000, section 6.1.1).

    rho = (B - W) / (B + (m0 - 1) W), B and W the mean squares between clusters of the same arm (G - 2 degrees of
    freedom) and within clusters (N - G), m0 = (N - sum over arms of sum(N_g^2) / N_arm) / (G - 2). An effect of the
    treatment does not count as likeness. Statuses: `no_units`, `few_clusters` (fewer than 3 in all), `one_unit` (no
    cluster has two), `zero_variance`. Raises ValueError if an arm lacks its sum of squares.

    >>> t = clusters_of([1, 2, 2, 5, 6, 7], owners=[0, 0, 0, 1, 1, 1])
    >>> c = clusters_of([2, 2, 3, 4, 4, 5], owners=[0, 0, 0, 1, 1, 1])
    >>> round(intra_cluster_correlation(t, c).rho, 6)
    0.917051
    """
    arms = [arm for arm in map(spread_of, (treatment, control)) if arm.units > 0]
    if not arms:
        return IntraCluster("no_test", "no_units")
    units, clusters = sum(arm.units for arm in arms), sum(arm.clusters for arm in arms)
    mean_size = units / clusters
    size_cv = math.sqrt(Fraction(sum(arm.size_squares for arm in arms) * clusters, units**2) - 1)
    between_df, within_df = clusters - len(arms), units - clusters
    if between_df < 1 or clusters < 3:
        return IntraCluster("no_test", "few_clusters", None, mean_size, size_cv)
    if within_df < 1:
        return IntraCluster("no_test", "one_unit", None, mean_size, size_cv)
    # Rational until the last step: both mean squares are small differences of large sums.
    between = sum((arm.between for arm in arms), Fraction(0)) / between_df
    within = sum((max(Fraction(0), arm.within) for arm in arms), Fraction(0)) / within_df
    typical = (units - sum(Fraction(arm.size_squares, arm.units) for arm in arms)) / between_df
    total = between + (typical - 1) * within
    # Below the rounding of a floating sum of squares there is nothing to be seen; exact sums show everything.
    rounded = (Fraction(arm.squares) for arm in arms if isinstance(arm.squares, float))
    noise = sum(rounded, Fraction(0)) * Fraction(16 * sys.float_info.epsilon)
    if total <= 0 or between * between_df + within * within_df <= noise:
        return IntraCluster("no_test", "zero_variance", None, mean_size, size_cv)
    return IntraCluster("ok", None, float((between - within) / total), mean_size, size_cv)


def spread_of(arm: ClusterArm | Spread) -> Spread:
    """The sums that the intra-cluster correlation needs. Raises ValueError without the sum of squares.

    >>> spread_of(ClusterArm((3.0, 12.0), (2, 2), 85.0)).within
    Fraction(17, 2)
    """
    if isinstance(arm, Spread):
        return arm
    if arm.squares is None:
        raise ValueError("the intra-cluster correlation needs the sums of squares")
    filled = [(Fraction(value), size) for value, size in zip(arm.sums, arm.sizes, strict=True) if size > 0]
    return Spread(
        clusters=len(filled),
        units=arm.units,
        size_squares=sum(size * size for _, size in filled),
        total=sum((value for value, _ in filled), Fraction(0)),
        means=sum((value * value / size for value, size in filled), Fraction(0)),
        squares=arm.squares,
    )


def design_effect(mean_size: float, rho: float, size_cv: float = 0.0) -> float:
    """How many times the variance of independent units: 1 + ((1 + cv^2) m - 1) rho (Eldridge, Ashby & Kerry 2006).

    `mean_size` m >= 1 units per cluster, `size_cv` their coefficient of variation, `rho` the intra-cluster correlation;
    a negative estimate is taken for 0, because a plan should not count on it. Divide the number of units by it to get
    the number of independent units they are worth.

    >>> round(design_effect(20, 0.05), 6), round(design_effect(20, 0.05, 0.5), 6)
    (1.95, 2.2)
    """
    if not (mean_size >= 1.0 and math.isfinite(mean_size)):
        raise ValueError(f"clusters have at least one unit on average, got {mean_size!r}")
    if not -1.0 <= rho <= 1.0:
        raise ValueError(f"a correlation lies in [-1, 1], got {rho!r}")
    if not (size_cv >= 0.0 and math.isfinite(size_cv)):
        raise ValueError(f"a coefficient of variation is not negative, got {size_cv!r}")
    return 1.0 + ((1.0 + size_cv * size_cv) * mean_size - 1.0) * max(0.0, rho)


def _method(treatment: ClusterArm, control: ClusterArm) -> str:
    # Not their plain number: with sizes as uneven as those of towns, the large-sample test of 40 clusters an arm raises
    # 7 to 12 false alarms in a hundred instead of 5, CR2 about 6.
    return "cluster" if min(treatment.effective_clusters, control.effective_clusters) >= MANY else "cluster_cr2"


def _mean(arm: ClusterArm) -> float:
    try:
        return math.fsum(arm.sums) / arm.units
    except OverflowError:
        return math.fsum(value / arm.units for value in arm.sums)


def _whole(df: float) -> float:
    # Equal clusters have G - 1; rounding should not print 8.999999.
    nearest = round(df)
    return float(nearest) if nearest >= 1 and abs(df - nearest) <= 1e-9 * nearest else df
