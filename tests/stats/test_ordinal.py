import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from abtest.stats.ordinal import (
    Categories,
    Pairs,
    Superiority,
    align,
    brunner_munzel,
    categories_of,
    mann_whitney,
    merge_categories,
    pairs_of,
    standings,
)

from .samples import columns
from .test_calibration import RUNS, assert_calibrated
from .vectors import case, cases

LIKERT = (1.0, 2.0, 3.0, 4.0, 5.0)
CONTROL = Categories(LIKERT, (10, 20, 40, 20, 10))
TREATMENT = Categories(LIKERT, (5, 15, 35, 28, 17))

# R's help page of wilcox.test: permeability of human placentas at term and at 12 to 26 weeks (Hollander & Wolfe 1973).
TERM = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
EARLY = [1.15, 0.88, 0.90, 0.74, 1.21]


@st.composite
def arms(draw: st.DrawFn) -> Categories:
    levels = sorted(draw(st.sets(st.integers(-3, 6), min_size=1, max_size=7)))
    counts = draw(st.lists(st.integers(0, 12), min_size=len(levels), max_size=len(levels)))
    return Categories(tuple(float(level) for level in levels), tuple(counts))


def rows_of(arm: Categories) -> list[float]:
    return [level for level, count in zip(arm.levels, arm.counts, strict=True) for _ in range(count)]


def scores(random: np.random.Generator, n: int, shares: Sequence[float], runs: int = RUNS) -> list[Categories]:
    levels = tuple(float(level) for level in range(1, len(shares) + 1))
    return [Categories(levels, tuple(counts.tolist())) for counts in random.multinomial(n, shares, runs)]


def of(found: Superiority) -> tuple[float, float, float, float]:
    """Probability, its bounds and its standard error; all four exist."""
    numbers = (found.probability, found.low, found.high, found.se)
    kept = [number for number in numbers if number is not None]
    assert len(kept) == 4
    return kept[0], kept[1], kept[2], kept[3]


def by_mid_ranks(t: list[float], c: list[float], alpha: float) -> dict[str, float]:
    """Brunner & Munzel as the paper writes it, from overall and within-arm mid-ranks of the rows."""
    n_t, n_c = len(t), len(c)
    overall = scipy.stats.rankdata([*c, *t])
    rank_c, rank_t = overall[:n_c], overall[n_c:]
    probability = (rank_t.mean() - rank_c.mean()) / (n_t + n_c) + 0.5

    def spread(rank: Any, rows: list[float]) -> float:
        within = scipy.stats.rankdata(rows)
        return float(((rank - within - rank.mean() + (len(rows) + 1) / 2) ** 2).sum() / (len(rows) - 1))

    s_t, s_c = spread(rank_t, t), spread(rank_c, c)
    se = math.sqrt(s_c / (n_c * n_t**2) + s_t / (n_t * n_c**2))
    df = (n_c * s_c + n_t * s_t) ** 2 / ((n_c * s_c) ** 2 / (n_c - 1) + (n_t * s_t) ** 2 / (n_t - 1))
    half = scipy.stats.t.isf(alpha / 2, df) * se
    return {
        "probability": probability,
        "low": probability - half,
        "high": probability + half,
        "se": se,
        "df": df,
        "statistic": (probability - 0.5) / se,
    }


# Reference numbers


def test_lumley_pain_scores() -> None:
    given_, expected = case("nonparametric", "bm_lumley")["input"], case("nonparametric", "bm_lumley")["expected"]
    found = brunner_munzel(categories_of(given_["y"]), categories_of(given_["x"]))
    probability, low, high, _ = of(found)
    assert found.statistic == pytest.approx(expected["statistic"], abs=1e-9)
    assert found.p_value == pytest.approx(expected["p_value"], abs=1e-9)
    assert found.df == pytest.approx(17.682842, abs=1e-6)
    assert probability == pytest.approx(expected["prob_superiority"], abs=1e-6)
    assert (low, high) == pytest.approx(expected["ci"], abs=1e-7)


@pytest.mark.parametrize(
    "name, arms_", [("bm_munzel_hauschke", ("active", "new")), ("bm_matrix", ("group2", "group1"))]
)
def test_published_tables(name: str, arms_: tuple[str, str]) -> None:
    vector = case("nonparametric", name)
    counts = [vector["input"][arm] for arm in arms_]
    levels = tuple(float(level) for level in range(len(counts[0])))
    found = brunner_munzel(*(Categories(levels, tuple(arm)) for arm in counts))
    expected, tolerance = vector["expected"], vector["tolerance"]
    probability, low, high, _ = of(found)
    assert found.statistic == pytest.approx(expected["statistic"], abs=tolerance)
    assert found.p_value == pytest.approx(expected["p_value"], abs=tolerance)
    assert found.df == pytest.approx(expected["df"], abs=5e-4)  # one of them is printed with three digits
    assert probability == pytest.approx(expected["prob"], abs=tolerance)
    assert (low, high) == pytest.approx(expected["ci"], abs=tolerance)


@pytest.mark.parametrize(
    "vector", [v for v in cases("nonparametric") if v["id"].startswith("mwu")], ids=lambda vector: vector["id"]
)
def test_mann_whitney_of_r(vector: Any) -> None:
    # R and scipy correct for continuity, we do not: the correction is put back here, with our standard deviation.
    x, y = vector["input"]["x"], vector["input"]["y"]
    found = mann_whitney(categories_of(x), categories_of(y))
    assert found.probability is not None
    assert found.statistic is not None
    u, middle = found.probability * len(x) * len(y), len(x) * len(y) / 2
    assert u == pytest.approx(vector["expected"]["U"], abs=1e-9)
    if u == middle:
        assert (found.statistic, found.p_value, vector["expected"]["p_value"]) == (0.0, 1.0, 1.0)
    else:
        sd = (u - middle) / found.statistic
        corrected = 2 * scipy.stats.norm.sf((abs(u - middle) - 0.5) / sd)
        assert corrected == pytest.approx(vector["expected"]["p_value"], abs=vector["tolerance"])


def test_placentas() -> None:
    # The exact test of R (W = 35, one-sided p = .1272061) is not ours; its statistic is.
    pairs = pairs_of(categories_of(TERM), categories_of(EARLY))
    assert (pairs.wins, pairs.losses, pairs.ties) == (35.0, 15.0, 0.0)
    assert mann_whitney(categories_of(TERM), categories_of(EARLY)).probability == pytest.approx(0.7)


def test_likert() -> None:
    found = brunner_munzel(TREATMENT, CONTROL)
    probability, low, high, _ = of(found)
    assert probability == pytest.approx(0.593, abs=1e-12)
    assert found.p_value == pytest.approx(0.0168338, abs=1e-7)
    assert (low, high) == pytest.approx((0.516925, 0.669075), abs=1e-6)
    assert found.win_odds == pytest.approx(1.457002, abs=1e-6)
    other = mann_whitney(TREATMENT, CONTROL)
    assert (other.probability, other.win_odds) == (found.probability, found.win_odds)
    assert other.p_value == pytest.approx(0.0181573, abs=1e-7)
    assert (other.low, other.high, other.se, other.df, other.critical) == (None, None, None, None, None)


# Against other implementations


@given(arms(), arms(), st.sampled_from([0.01, 0.05, 0.2]))
def test_counts_give_what_mid_ranks_of_rows_give(t: Categories, c: Categories, alpha: float) -> None:
    found = brunner_munzel(t, c, alpha=alpha)
    assume(found.status == "ok")
    expected = by_mid_ranks(rows_of(t), rows_of(c), alpha)
    assert found.probability == pytest.approx(expected["probability"], rel=1e-12)
    assert found.se == pytest.approx(expected["se"], rel=1e-9)
    assert found.df == pytest.approx(expected["df"], rel=1e-9)
    assert found.statistic == pytest.approx(expected["statistic"], rel=1e-9, abs=1e-12)
    assert found.low == pytest.approx(max(0.0, expected["low"]), rel=1e-9, abs=1e-12)
    assert found.high == pytest.approx(min(1.0, expected["high"]), rel=1e-9)
    theirs = scipy.stats.brunnermunzel(rows_of(c), rows_of(t))
    assert found.statistic == pytest.approx(theirs.statistic, rel=1e-9, abs=1e-12)
    assert found.p_value == pytest.approx(theirs.pvalue, rel=1e-8)


@given(arms(), arms())
def test_mann_whitney_of_scipy(t: Categories, c: Categories) -> None:
    found = mann_whitney(t, c)
    assume(found.status == "ok")
    theirs = scipy.stats.mannwhitneyu(rows_of(t), rows_of(c), use_continuity=False, method="asymptotic")
    assert found.probability == pytest.approx(theirs.statistic / (t.n * c.n), rel=1e-12)
    assert found.p_value == pytest.approx(theirs.pvalue, rel=1e-8)


@given(arms(), arms())
def test_every_pair_is_looked_at(t: Categories, c: Categories) -> None:
    rows = [(a, b) for a in rows_of(t) for b in rows_of(c)]
    wins, losses = sum(a > b for a, b in rows), sum(a < b for a, b in rows)
    pairs = pairs_of(t, c)
    assert pairs == Pairs(wins, losses, len(rows) - wins - losses)
    if rows:
        exact = Fraction(2 * wins + len(rows) - wins - losses, 2 * len(rows))
        assert pairs.probability == pytest.approx(float(exact), rel=1e-15)
        assert pairs.win_odds == (pytest.approx(float(exact / (1 - exact))) if exact < 1 else None)


# Laws


@given(columns)
def test_counting_rows(values: list[float]) -> None:
    assert rows_of(categories_of(values)) == sorted(values)


@given(arms(), arms())
def test_aligned_arms_are_the_same_arms(t: Categories, c: Categories) -> None:
    a, b = align(t, c)
    assert a.levels == b.levels == tuple(sorted({*t.levels, *c.levels}))
    assert (rows_of(a), rows_of(b)) == (rows_of(t), rows_of(c))
    assert brunner_munzel(a, b) == brunner_munzel(t, c)
    assert mann_whitney(a, b) == mann_whitney(t, c)


@given(columns, columns, columns)
def test_shards_merged_are_one_pass(one: list[float], other: list[float], control: list[float]) -> None:
    merged = merge_categories(categories_of(one), categories_of(other))
    assert merged == categories_of([*one, *other])
    whole, left, right = (pairs_of(arm, categories_of(control)) for arm in (merged, *map(categories_of, (one, other))))
    assert whole.wins == left.wins + right.wins


@given(arms(), arms())
def test_only_the_order_of_the_levels_matters(t: Categories, c: Categories) -> None:
    t, c = align(t, c)
    stretched = tuple(math.copysign(abs(level) ** 90 * 1e200, level) for level in t.levels)
    for method in (brunner_munzel, mann_whitney):
        assert method(Categories(stretched, t.counts), Categories(stretched, c.counts)) == method(t, c)


@given(arms(), arms())
def test_swapping_the_arms(t: Categories, c: Categories) -> None:
    there, back = brunner_munzel(t, c), brunner_munzel(c, t)
    assert (there.status, there.reason) == (back.status, back.reason)
    if there.status == "ok":
        assert there.statistic is not None
        assert back.statistic == -there.statistic
        assert back.p_value == pytest.approx(there.p_value, rel=1e-12)
        assert of(back)[0] == pytest.approx(1 - of(there)[0], abs=1e-15)
        assert of(back)[1] == pytest.approx(1 - of(there)[2], abs=1e-15)
    assert mann_whitney(c, t).p_value == mann_whitney(t, c).p_value


@given(arms(), arms())
def test_turning_the_scale_round(t: Categories, c: Categories) -> None:
    def turned(arm: Categories) -> Categories:
        return Categories(tuple(-level for level in reversed(arm.levels)), arm.counts[::-1])

    for method in (brunner_munzel, mann_whitney):
        there, back = method(t, c), method(turned(t), turned(c))
        assert back.reason == there.reason
        assert back.statistic == (None if there.statistic is None else pytest.approx(-there.statistic))
        assert back.p_value == (None if there.p_value is None else pytest.approx(there.p_value))


@given(arms(), arms(), st.floats(0.0005, 0.5))
def test_the_interval_excludes_one_half_exactly_when_the_test_rejects(
    t: Categories, c: Categories, alpha: float
) -> None:
    found = brunner_munzel(t, c, alpha=alpha)
    assume(found.p_value is not None and abs(found.p_value - alpha) > 1e-9)
    probability, low, high, _ = of(found)
    assert (low > 0.5 or high < 0.5) == (found.p_value is not None and found.p_value < alpha)
    assert 0.0 <= low <= probability <= high <= 1.0


@given(arms(), arms(), st.floats(0.001, 0.4), st.floats(1.01, 2.0))
def test_a_higher_alpha_is_no_wider(t: Categories, c: Categories, alpha: float, factor: float) -> None:
    wide, narrow = brunner_munzel(t, c, alpha=alpha), brunner_munzel(t, c, alpha=alpha * factor)
    assume(wide.status == "ok")
    assert of(wide)[1] <= of(narrow)[1]
    assert of(wide)[2] >= of(narrow)[2]


def test_own_critical_value() -> None:
    found = brunner_munzel(TREATMENT, CONTROL, critical=3.0)
    assert (found.p_value, found.critical) == (None, 3.0)
    probability, low, high, se = of(found)
    assert (low, high) == pytest.approx((probability - 3 * se, probability + 3 * se))


def test_an_interval_that_would_leave_the_range_is_cut() -> None:
    found = brunner_munzel(categories_of([3, 4, 5, 6]), categories_of([1, 2, 3, 4]), alpha=0.01)
    probability, low, high, _ = of(found)
    assert high == 1.0
    assert 0.0 < low < probability < 1.0


# What cannot be computed, and what is hard to


def test_statuses() -> None:
    nobody, one = Categories((), ()), Categories((2.0,), (1,))
    same = Categories((2.0, 3.0), (7, 0))
    for method in (brunner_munzel, mann_whitney):
        for empty in (nobody, Categories(LIKERT, (0,) * 5)):
            for found in (method(empty, CONTROL), method(CONTROL, empty), method(empty, empty)):
                assert (found.status, found.reason, found.probability) == ("no_test", "no_units", None)
        found = method(same, one)
        assert (found.status, found.reason, found.probability) == ("no_test", "zero_variance", 0.5)
        assert found.win_odds == 1.0
    for found in (brunner_munzel(one, CONTROL), brunner_munzel(one, Categories((1.0, 2.0), (1, 1)))):
        assert (found.status, found.reason) == ("no_test", "one_unit")
        assert found.p_value is found.low is found.statistic is None
    assert brunner_munzel(one, CONTROL).probability == pytest.approx((10 + 20 / 2) / 100)
    assert mann_whitney(one, CONTROL).status == "ok"


def test_separation() -> None:
    low, high = Categories((1.0, 2.0), (8, 4)), Categories((3.0, 5.0), (6, 5))
    found, back = brunner_munzel(high, low), brunner_munzel(low, high)
    assert (found.status, found.reason, found.probability, found.win_odds) == ("no_test", "separation", 1.0, None)
    assert (back.status, back.reason, back.probability, back.win_odds) == ("no_test", "separation", 0.0, 0.0)
    assert mann_whitney(high, low).p_value == pytest.approx(
        scipy.stats.mannwhitneyu(rows_of(high), rows_of(low), use_continuity=False, method="asymptotic").pvalue
    )
    # A tie at the border is not separation, and one arm without variation is no obstacle.
    assert brunner_munzel(Categories((3.0, 5.0), (6, 5)), Categories((1.0, 3.0), (8, 4))).status == "ok"
    assert brunner_munzel(Categories((2.0,), (6,)), Categories((1.0, 3.0), (8, 4))).df == pytest.approx(11)


def test_a_billion_units_that_hardly_overlap() -> None:
    # One unit of each arm beyond the other's nearest: of n^2 + 2n + 1 pairs one is lost, none tied.
    n = 10**9
    t, c = Categories((1.0, 2.0, 3.0, 4.0), (0, 1, 0, n)), Categories((1.0, 2.0, 3.0, 4.0), (n, 0, 1, 0))
    found = brunner_munzel(t, c)
    exact = Fraction(1, (n + 1) ** 2)
    assert found.win_odds == pytest.approx(float((1 - exact) / exact), rel=1e-12)
    # The placements of an arm: n times 1, once n / (n + 1). Their variance is 1 / (n + 1)^3.
    variance = 2 * Fraction(1, (n + 1) ** 4)
    assert found.se == pytest.approx(math.sqrt(variance), rel=1e-9, abs=0.0)
    assert found.p_value == 0.0
    assert mann_whitney(t, c).p_value == 0.0


def test_placements_that_differ_in_the_last_digits() -> None:
    # Against exact arithmetic. Deviations from a mean that is rounded to a float would be wrong by a factor of 1e10.
    counts_t, counts_c = (0, 4, 0, 950782539264829), (888188011411389, 0, 8, 0)
    n_t, n_c = sum(counts_t), sum(counts_c)
    squared = Fraction(0)
    for arm, n, other, m in ((counts_t, n_t, counts_c, n_c), (counts_c, n_c, counts_t, n_t)):
        placements = [Fraction(2 * sum(other[:level]) + other[level], 2 * m) for level in range(4)]
        mean = sum(Fraction(count, n) * placement for count, placement in zip(arm, placements, strict=True))
        spread = sum(count * (placement - mean) ** 2 for count, placement in zip(arm, placements, strict=True))
        squared += Fraction(spread, (n - 1) * n)
    found = brunner_munzel(Categories(LIKERT[:4], counts_t), Categories(LIKERT[:4], counts_c))
    assert found.se == pytest.approx(math.sqrt(squared), rel=1e-9, abs=0.0)


def test_nearly_everything_tied() -> None:
    n = 10**12
    t, c = Categories((1.0, 2.0), (n - 300, 300)), Categories((1.0, 2.0), (n - 200, 200))
    # With two levels the probability is 1/2 + half the difference of the shares, and the test that of the shares.
    z = 100 / math.sqrt(500 * (1 - 500 / (2 * n)) * (2 * n - 1) / (2 * n))
    assert mann_whitney(t, c).statistic == pytest.approx(z, rel=1e-9)
    assert brunner_munzel(t, c).statistic == pytest.approx(100 / math.sqrt(500), rel=1e-6)


def test_ten_thousand_levels() -> None:
    random = np.random.default_rng(31)
    t, c = random.normal(0.05, 1.0, 6000), random.normal(0.0, 1.2, 4000)
    found, theirs = brunner_munzel(categories_of(t), categories_of(c)), scipy.stats.brunnermunzel(c, t)
    assert (found.statistic, found.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-9)
    usual = scipy.stats.mannwhitneyu(t, c, use_continuity=False, method="asymptotic")
    assert mann_whitney(categories_of(t), categories_of(c)).p_value == pytest.approx(usual.pvalue, rel=1e-9)


def test_standings_of_an_empty_arm() -> None:
    t, c = standings(Categories((), ()), CONTROL)
    assert (t.counts.tolist(), c.below.tolist(), c.above.tolist()) == ([0.0] * 5, [0.0] * 5, [0.0] * 5)


def test_wrong_arguments() -> None:
    half: Any = 0.5
    wrong: list[Callable[[], object]] = [
        lambda: Categories((1.0, 2.0), (1,)),
        lambda: Categories((2.0, 1.0), (1, 1)),
        lambda: Categories((1.0, 1.0), (1, 1)),
        lambda: Categories((1.0, math.inf), (1, 1)),
        lambda: Categories((math.nan,), (1,)),
        lambda: Categories((1.0, 2.0), (1, -1)),
        lambda: Categories((1.0,), (half,)),
        lambda: Categories((1.0, 2.0), (2**53, 1)),
        lambda: Categories((1.0, 2.0), (2**63, 2**63)),
        lambda: categories_of([1.0, math.nan]),
        lambda: categories_of(np.ones((2, 2))),
        lambda: brunner_munzel(TREATMENT, CONTROL, alpha=1.0),
    ]
    for attempt in wrong:
        with pytest.raises(ValueError):
            attempt()


# Calibration

WIDE, NARROW = (0.35, 0.1, 0.1, 0.1, 0.35), (0.02, 0.13, 0.7, 0.13, 0.02)


def test_brunner_munzel_with_unequal_spread() -> None:
    random = np.random.default_rng(32)
    arms_ = zip(scores(random, 40, WIDE), scores(random, 80, NARROW), strict=True)
    assert_calibrated([brunner_munzel(t, c).p_value for t, c in arms_], 0.05)


def test_coverage_far_from_one_half() -> None:
    random = np.random.default_rng(33)
    high, low = (0.05, 0.1, 0.2, 0.3, 0.35), (0.35, 0.3, 0.2, 0.1, 0.05)
    truth = sum(p * (sum(low[:i]) + low[i] / 2) for i, p in enumerate(high))
    missed = [
        0.0 if not low_ <= truth <= high_ else 1.0
        for _, low_, high_, _ in (
            of(brunner_munzel(t, c)) for t, c in zip(scores(random, 50, high), scores(random, 50, low), strict=True)
        )
    ]
    assert_calibrated(list(missed), 0.05)


def test_mann_whitney_when_nothing_differs() -> None:
    random = np.random.default_rng(34)
    arms_ = zip(scores(random, 40, NARROW), scores(random, 80, NARROW), strict=True)
    assert_calibrated([mann_whitney(t, c).p_value for t, c in arms_], 0.05)
