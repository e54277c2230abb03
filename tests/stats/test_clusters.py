import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
import scipy.linalg
import scipy.stats
import statsmodels.api as sm
from hypothesis import assume, given
from hypothesis import strategies as st

from abtest.stats.clusters import (
    ClusterArm,
    cluster_arms,
    cluster_contrast,
    clusters_of,
    cr2_arm,
    design_effect,
    intra_cluster_correlation,
)
from abtest.stats.margins import Margin, non_inferiority
from abtest.stats.means import welch
from abtest.stats.moments import moments_of
from abtest.stats.ratios import delta, ratio_arm

from .samples import RATIO_CONTROL, RATIO_TREATMENT
from .test_calibration import assert_calibrated

Floats = npt.NDArray[np.float64]
Owners = npt.NDArray[np.int64]


def drawn(random: np.random.Generator, sizes: Sequence[int], rho: float = 0.3) -> tuple[Floats, Owners]:
    owners = np.repeat(np.arange(len(sizes)), sizes)
    likeness = random.normal(0.0, math.sqrt(rho), len(sizes))[owners]
    return 5.0 + likeness + random.normal(0.0, math.sqrt(1.0 - rho), len(owners)), owners


def matrix_cr2(values: Floats, owners: Owners) -> tuple[float, float]:
    """CR2 variance and Bell-McCaffrey degrees of freedom of a mean, by the matrices of the general method."""
    n = len(values)
    design = np.ones((n, 1))
    bread = np.linalg.inv(design.T @ design)
    hat = design @ bread @ design.T
    residuals = values - hat @ values
    columns, meat = [], 0.0
    for g in np.unique(owners):
        rows = owners == g
        block = np.eye(rows.sum()) - hat[np.ix_(rows, rows)]
        adjust = np.linalg.inv(scipy.linalg.sqrtm(block).real)
        weights = adjust @ design[rows] @ bread[:, 0]
        meat += float(weights @ residuals[rows]) ** 2
        columns.append((np.eye(n) - hat)[:, rows] @ weights)
    gram = np.array(columns) @ np.array(columns).T
    return meat, float(np.trace(gram) ** 2 / (gram**2).sum())


@pytest.mark.parametrize("sizes", [[3, 3, 3, 3, 3], [1, 2, 9, 4, 7, 2], [1, 1, 1, 1, 30], [2, 5, 4, 4, 3, 8, 1, 12]])
def test_cr2_is_the_matrix_one(sizes: list[int]) -> None:
    values, owners = drawn(np.random.default_rng(sum(sizes)), sizes)
    variance, df = matrix_cr2(values, owners)
    arm = cr2_arm(clusters_of(values, owners))
    assert arm.value == pytest.approx(values.mean(), rel=1e-12)
    assert arm.variance == pytest.approx(variance, rel=1e-10)
    assert arm.df == pytest.approx(df, rel=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_large_sample_variance_is_the_cluster_robust_regression(seed: int) -> None:
    # An intercept per arm; statsmodels' correction G/(G-1) (N-1)/(N-k) is G/(G-1) for k = 1.
    random = np.random.default_rng(seed)
    arms, references = [], []
    for clusters in (60, 80):
        values, owners = drawn(random, random.integers(3, 8, clusters).tolist())
        fit = sm.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": owners})
        arms.append(clusters_of(values, owners))
        references.append((float(fit.params[0]), float(fit.bse[0])))
    (mt, st_), (mc, sc) = references
    result = cluster_contrast(*arms)
    assert result.method == "cluster"
    assert result.absolute is not None
    assert result.absolute.estimate == pytest.approx(mt - mc, rel=1e-9)
    assert result.absolute.se == pytest.approx(math.hypot(st_, sc), rel=1e-9)


def test_the_vector_of_the_ratio_method() -> None:
    # The same ten users with their sessions as ten clusters with their units (statsmodels: .0615950 sqrt(10/9)).
    t, c = (ClusterArm(tuple(x), tuple(y)) for x, y in (RATIO_TREATMENT, RATIO_CONTROL))
    assert ratio_arm(t.pair).variance + ratio_arm(c.pair).variance == pytest.approx(0.0649268**2, rel=1e-5)
    result = cluster_contrast(t, c)
    assert result.method == "cluster_cr2"
    assert result.absolute is not None
    assert result.relative is not None
    assert result.absolute.estimate == pytest.approx(0.1698113, abs=1e-7)
    assert result.relative.estimate == pytest.approx(0.30, abs=1e-7)


def test_design_effect_vectors() -> None:
    assert design_effect(20, 0.05) == pytest.approx(1.95, abs=1e-12)
    assert design_effect(20, 0.05, 0.5) == pytest.approx(2.20, abs=1e-12)
    assert design_effect(1, 0.9) == 1.0
    assert design_effect(20, -0.05) == 1.0
    for bad in ((0.5, 0.1), (math.inf, 0.1), (20, 1.5), (20, 0.1, -1.0), (20, math.nan), (math.nan, 0.1)):
        with pytest.raises(ValueError):
            design_effect(*bad)


@pytest.mark.parametrize("clusters", [6, 60])
def test_equal_clusters_are_welch_on_their_means(clusters: int) -> None:
    random = np.random.default_rng(clusters)
    means = random.normal(3.0, 1.0, (2, clusters))
    arms = [ClusterArm(tuple((4.0 * row).tolist()), (4,) * clusters) for row in means]
    result, reference = cluster_contrast(*arms), welch(moments_of(means[0]), moments_of(means[1]))
    assert result.absolute is not None
    assert reference.absolute is not None
    assert result.absolute.se == pytest.approx(reference.absolute.se, rel=1e-9)
    assert result.df == pytest.approx(reference.df, rel=1e-9)
    assert result.p_value == pytest.approx(reference.p_value, rel=1e-8)


def test_where_the_methods_meet() -> None:
    for count, size, method in ((39, 5, "cluster_cr2"), (40, 5, "cluster")):
        arm = ClusterArm(tuple(float(i % 7) for i in range(count)), (size,) * count)
        assert cluster_contrast(arm, arm).method == method
    # Fifty clusters of which one holds half of the units are worth four.
    uneven = ClusterArm(tuple(float(i % 7) for i in range(50)), (49,) + (1,) * 49)
    assert uneven.effective_clusters == pytest.approx(98**2 / (49**2 + 49))
    assert cluster_contrast(uneven, uneven).method == "cluster_cr2"
    # The larger arm alone does not decide, and both arms are treated alike.
    few = ClusterArm((1.0, 3.0, 2.0, 5.0, 4.0), (1, 2, 1, 3, 2))
    many = ClusterArm(tuple(float(i % 7) for i in range(80)), (1, 2) * 40)
    assert cluster_arms(few, many) == (cr2_arm(few), cr2_arm(many))
    # With many equal clusters the two are one.
    assert cr2_arm(many).variance == pytest.approx(ratio_arm(many.pair).variance, rel=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_correlation_is_the_analysis_of_variance(seed: int) -> None:
    random = np.random.default_rng(seed)
    arms, columns, outcome = [], [], []
    for clusters in (4, 6):
        values, owners = drawn(random, random.integers(1, 9, clusters).tolist())
        arms.append(clusters_of(values + 3.0 * len(arms), owners))
        columns.append(owners)
        outcome.append(values)
    labels = np.concatenate([columns[0], columns[1] + 4])
    y = np.concatenate(outcome)
    arm_dummy = np.concatenate([np.zeros(len(columns[0])), np.ones(len(columns[1]))])
    small = sm.OLS(y, sm.add_constant(arm_dummy)).fit()
    full = sm.OLS(y, (labels[:, None] == np.arange(10)[None, :]).astype(float)).fit()
    between, within = (small.ssr - full.ssr) / 8, full.ssr / (len(y) - 10)
    typical = (len(y) - sum((np.bincount(c) ** 2).sum() / len(c) for c in columns)) / 8
    result = intra_cluster_correlation(*arms)
    assert result.rho == pytest.approx((between - within) / (between + (typical - 1) * within), rel=1e-9)
    sizes = np.bincount(labels)
    assert result.mean_size == pytest.approx(sizes.mean())
    assert result.size_cv == pytest.approx(sizes.std() / sizes.mean())


def test_correlation_of_large_values_and_both_ends() -> None:
    base = [1, 2, 2, 5, 6, 7]
    owners = [0, 0, 0, 1, 1, 1]
    small = intra_cluster_correlation(clusters_of(base, owners), clusters_of(base, owners))
    sums, squares = (3 * 10**9 + 5, 3 * 10**9 + 18), sum((10**9 + v) ** 2 for v in base)
    large = ClusterArm(tuple(float(s) for s in sums), (3, 3), squares)
    assert intra_cluster_correlation(large, large).rho == pytest.approx(small.rho, rel=1e-12)
    alike = clusters_of([1, 1, 2, 2, 5, 5], [0, 0, 1, 1, 2, 2])
    assert intra_cluster_correlation(alike, alike).rho == 1.0
    # Every cluster has the same mean: the least there is, -1 / (m - 1).
    opposed = clusters_of([1, 3, 1, 3, 1, 3], [0, 0, 1, 1, 2, 2])
    assert intra_cluster_correlation(opposed, opposed).rho == -1.0


def test_correlation_statuses() -> None:
    empty = ClusterArm((), (), 0)
    one = clusters_of([1, 2], [0, 0])
    assert intra_cluster_correlation(empty, empty).reason == "no_units"
    assert intra_cluster_correlation(one, one).reason == "few_clusters"
    assert intra_cluster_correlation(empty, clusters_of([1, 2, 3, 5], [0, 0, 1, 1])).reason == "few_clusters"
    single = clusters_of([1, 2, 3], [0, 1, 2])
    assert intra_cluster_correlation(single, single).reason == "one_unit"
    constant = clusters_of([0.1] * 7, [0, 0, 0, 1, 1, 2, 2])
    assert intra_cluster_correlation(constant, constant).reason == "zero_variance"
    with pytest.raises(ValueError, match="squares"):
        intra_cluster_correlation(ClusterArm((1.0,), (1,)), single)


def test_correlation_is_recovered() -> None:
    random = np.random.default_rng(21)
    found = []
    for _ in range(150):
        arms = [clusters_of(*drawn(random, random.integers(5, 36, 20).tolist(), rho=0.1)) for _ in range(2)]
        found.append(intra_cluster_correlation(*arms).rho)
    rho = np.array(found, dtype=float)
    assert abs(rho.mean() - 0.1) < 4.0 * rho.std() / math.sqrt(len(rho))


def test_statuses() -> None:
    good = ClusterArm((1.0, 3.0, 2.0, 5.0, 4.0), (1, 2, 1, 3, 2))
    four = ClusterArm((1.0, 3.0, 2.0, 5.0, 0.0), (1, 2, 1, 3, 0))
    assert cluster_contrast(ClusterArm((), ()), good).reason == "no_units"
    assert cluster_contrast(good, ClusterArm((0.0,) * 9, (0,) * 9)).reason == "no_units"
    refused = cluster_contrast(four, good)
    assert (refused.status, refused.reason) == ("no_test", "few_clusters")
    assert refused.absolute is not None
    assert refused.absolute.estimate == pytest.approx(11 / 7 - 15 / 9)
    assert refused.relative is not None
    constant = ClusterArm((0.1, 0.2, 0.3, 0.7, 0.4), (1, 2, 3, 7, 4))
    assert cluster_contrast(constant, constant).reason == "zero_variance"
    assert cluster_contrast(constant, good).status == "ok"
    with pytest.raises(ValueError, match="two clusters"):
        cr2_arm(ClusterArm((1.0,), (1,)))


def test_empty_clusters_change_nothing() -> None:
    t = ClusterArm((1.0, 3.0, 2.0, 5.0, 4.0), (1, 2, 1, 3, 2))
    padded = ClusterArm((1.0, 0.0, 3.0, 2.0, 5.0, 4.0), (1, 0, 2, 1, 3, 2))
    assert cluster_contrast(padded, t) == cluster_contrast(t, t)
    large = ClusterArm((1.0, 3.0) * 30, (1, 2) * 30)
    assert cluster_contrast(ClusterArm((0.0, *large.sums), (0, *large.sizes)), large) == cluster_contrast(large, large)


def test_bad_input() -> None:
    for arguments in (
        ((1.0,), (1, 2)),
        ((math.nan,), (1,)),
        ((1.0,), (-1,)),
        ((1.0,), (1.5,)),
        ((1.0,), (math.inf,)),
        ((1.0,), (0,)),
        ((1.0,), (1,), -1.0),
        ((4.0,), (2,), 7.9),
        ((4.0,), (2,), math.inf),
    ):
        with pytest.raises(ValueError):
            ClusterArm(*arguments)
    with pytest.raises(ValueError, match="owner"):
        clusters_of([1.0, 2.0], [0])
    assert ClusterArm((4.0,), (2,), Fraction(8)).squares == 8


@pytest.mark.parametrize("scale", [1e-140, 1e140])
def test_extreme_values(scale: float) -> None:
    t = ClusterArm((1.0, 3.0, 2.0, 5.0, 4.0), (1, 2, 1, 3, 2))
    c = ClusterArm((1.0, 2.0, 2.0, 4.0, 4.0), (1, 2, 1, 3, 3))
    scaled = [ClusterArm(tuple(scale * v for v in arm.sums), arm.sizes) for arm in (t, c)]
    result, reference = cluster_contrast(*scaled), cluster_contrast(t, c)
    assert result.p_value == pytest.approx(reference.p_value, rel=1e-9)
    assert result.relative is not None
    assert reference.relative is not None
    assert result.relative.low == pytest.approx(reference.relative.low, rel=1e-6)


def test_beyond_the_largest_square() -> None:
    huge = ClusterArm((1e300, 3e300, 2e300, 5e300, 4e300), (1, 2, 1, 3, 2))
    with pytest.raises(ValueError, match="too large"):
        cluster_contrast(huge, huge)
    tiny = ClusterArm((1e-300, 3e-300, 2e-300, 5e-300, 4e-300), (1, 2, 1, 3, 2))
    assert cluster_contrast(tiny, tiny).reason == "zero_variance"
    # Four clusters are refused before anything is squared.
    few = ClusterArm((1e308, 1e308, 1e308, 1e308), (1, 1, 1, 1))
    assert cluster_contrast(few, few).reason == "few_clusters"


def test_own_critical_value_and_margins() -> None:
    t = ClusterArm((11.0, 30.0, 21.0, 50.0, 44.0), (1, 2, 1, 3, 2))
    c = ClusterArm((10.0, 28.0, 22.0, 45.0, 41.0), (1, 2, 1, 3, 2))
    result = cluster_contrast(t, c, critical=3.0)
    assert (result.p_value, result.critical) == (None, 3.0)
    margin = non_inferiority(cluster_contrast(t, c), Margin("relative", 0.1), "higher", *cluster_arms(t, c))
    assert margin.status == "ok"
    assert margin.low is not None
    assert margin.p_value is not None
    assert (margin.low > -1.0) == (margin.p_value < 0.025)


arms = st.lists(st.tuples(st.integers(-200, 200).map(lambda k: k / 8), st.integers(1, 40)), min_size=5, max_size=50)


def arm_of(rows: list[tuple[float, int]]) -> ClusterArm:
    return ClusterArm(tuple(value for value, _ in rows), tuple(size for _, size in rows))


@given(arms, arms)
def test_order_of_clusters_and_arms(t: list[tuple[float, int]], c: list[tuple[float, int]]) -> None:
    there = cluster_contrast(arm_of(t), arm_of(c))
    shuffled = sorted(t, key=lambda row: (row[1] * 7919) % 101)
    again = cluster_contrast(arm_of(shuffled), arm_of(c))
    back = cluster_contrast(arm_of(c), arm_of(t))
    assert there.status == again.status == back.status
    assume(there.p_value is not None)
    assert again.p_value == pytest.approx(there.p_value, rel=1e-9)
    assert back.p_value == pytest.approx(there.p_value, rel=1e-9)


@given(arms, arms, st.integers(-50, 50), st.sampled_from([0.25, 2.0, 64.0]))
def test_affine_change_of_the_values(
    t: list[tuple[float, int]], c: list[tuple[float, int]], shift: int, scale: float
) -> None:
    moved = [ClusterArm(tuple(scale * v + shift * n for v, n in rows), tuple(n for _, n in rows)) for rows in (t, c)]
    result, reference = cluster_contrast(*moved), cluster_contrast(arm_of(t), arm_of(c))
    assume(reference.p_value is not None and reference.p_value > 1e-12)
    assert result.p_value == pytest.approx(reference.p_value, rel=1e-5)
    assert result.df == pytest.approx(reference.df, rel=1e-5)


@given(arms, arms, st.floats(0.001, 0.3))
def test_interval_and_p_value_agree(t: list[tuple[float, int]], c: list[tuple[float, int]], alpha: float) -> None:
    result = cluster_contrast(arm_of(t), arm_of(c), alpha=alpha)
    assume(result.status == "ok")
    assert result.p_value is not None
    assert result.absolute is not None
    assume(abs(result.p_value - alpha) > 1e-9)
    assert result.absolute.low is not None
    assert result.absolute.high is not None
    assert (result.absolute.low > 0 or result.absolute.high < 0) == (result.p_value < alpha)


@given(arms)
def test_degrees_of_freedom_and_variance_stay_in_their_bounds(rows: list[tuple[float, int]]) -> None:
    arm = arm_of(rows)
    found = cr2_arm(arm)
    assert 1.0 - 1e-9 <= found.df <= arm.clusters - 1 + 1e-9
    # Never below the plain sandwich.
    units, mean = arm.units, sum(arm.sums) / arm.units
    plain = sum((v - mean * n) ** 2 for v, n in rows) / units**2
    assert found.variance >= plain * (1.0 - 1e-9) - 1e-20


RUNS = 1000


def alarms(seed: int, counts: tuple[int, int], sizes: str, *, plain: bool = False) -> list[float | None]:
    random = np.random.default_rng(seed)
    p = []
    for _ in range(RUNS):
        pair = []
        for count in counts:
            units = random.integers(5, 36, count)
            if sizes == "towns":
                units = np.maximum(1, random.lognormal(2.5, 1.5, count).round()).astype(np.int64)
            # Sums of units with an intra-cluster correlation of 0.1.
            sums = units * random.normal(0.0, math.sqrt(0.1), count) + random.normal(0.0, np.sqrt(0.9 * units))
            pair.append(ClusterArm(tuple(sums.tolist()), tuple(units.tolist())))
        p.append(delta(pair[0].pair, pair[1].pair).p_value if plain else cluster_contrast(*pair).p_value)
    return p


@pytest.mark.parametrize(("seed", "counts"), [(31, (6, 6)), (32, (12, 12)), (33, (6, 12)), (34, (45, 45))])
def test_false_alarms_with_unequal_sizes(seed: int, counts: tuple[int, int]) -> None:
    assert_calibrated(alarms(seed, counts, "villages"), 0.05)


def test_false_alarms_with_sizes_like_those_of_towns() -> None:
    # Where it fails: a log-normal with sigma 1.5 puts half of the units into one or two of 12 clusters, and CR2 then
    # raises 6.6 false alarms in a hundred (20,000 runs), the large-sample test 17.
    low, high = scipy.stats.binom.ppf([0.00005, 0.99995], RUNS, 0.066)
    assert low <= sum(p is not None and p < 0.05 for p in alarms(35, (12, 12), "towns")) <= high
    assert sum(p is not None and p < 0.05 for p in alarms(35, (12, 12), "towns", plain=True)) > 120
