"""Exact tests against enumeration in rational arithmetic, against scipy where scipy is right, and their laws."""

import itertools
import math
from fractions import Fraction
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from abtest.stats import exact
from abtest.stats.exact import Alternative, barnard, boschloo, exact_score, fisher
from abtest.stats.inference import Estimate, Inference
from abtest.stats.moments import Counts
from abtest.stats.score_family import difference_z, mee, pooled_z

from .samples import counts

Floats = npt.NDArray[np.float64]
Region = npt.NDArray[np.bool_]

ALTERNATIVES: tuple[Alternative, ...] = ("two-sided", "less", "greater")


def binomial(n: int, rates: Floats) -> Floats:
    return np.asarray(scipy.stats.binom.pmf(np.arange(n + 1), n, rates[:, None]))


def largest(region: Region, difference: float = 0.0, points: int = 4001) -> float:
    """The largest probability of a set of tables over a fine grid of rates."""
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    rates = low + (high - low) * np.sin(np.linspace(0, math.pi / 2, points)) ** 2
    n1, n2 = (size - 1 for size in region.shape)
    first = binomial(n1, np.clip(rates + difference, 0, 1))
    return float(((first @ region) * binomial(n2, rates)).sum(axis=1).max())


def signed_square(x1: int, n1: int, x2: int, n2: int) -> Fraction:
    """sign(z) z^2 of the pooled z, without rounding."""
    gap, pooled = Fraction(x1, n1) - Fraction(x2, n2), Fraction(x1 + x2, n1 + n2)
    return abs(gap) * gap / (pooled * (1 - pooled) * (Fraction(1, n1) + Fraction(1, n2))) if gap else Fraction(0)


@cache
def squares(n1: int, n2: int) -> npt.NDArray[np.object_]:
    return np.array([[signed_square(i, n1, j, n2) for j in range(n2 + 1)] for i in range(n1 + 1)])


def barnard_by_fractions(t: Counts, c: Counts, alternative: Alternative) -> float:
    z = squares(t.n, c.n)
    z = {"two-sided": abs(z), "greater": z, "less": -z}[alternative]
    return largest(np.array(z >= z[t.successes, c.successes], dtype=np.bool_))


def boschloo_by_fractions(t: Counts, c: Counts) -> float:
    """One-sided "less"."""

    def fisher_less(i: int, j: int) -> Fraction:
        total = i + j
        ways = sum(math.comb(t.n, k) * math.comb(c.n, total - k) for k in range(max(0, total - c.n), i + 1))
        return Fraction(ways, math.comb(t.n + c.n, total))

    p = np.array([[fisher_less(i, j) for j in range(c.n + 1)] for i in range(t.n + 1)])
    return largest(np.array(p <= p[t.successes, c.successes], dtype=np.bool_))


def fisher_by_fractions(t: Counts, c: Counts) -> float:
    total = t.successes + c.successes
    ways = {k: math.comb(t.n, k) * math.comb(c.n, total - k) for k in range(max(0, total - c.n), min(t.n, total) + 1)}
    rarer = sum(count for count in ways.values() if count <= ways[t.successes])
    return float(Fraction(rarer, sum(ways.values())))


def score_p_by_enumeration(t: Counts, c: Counts, difference: float) -> float:
    """The exact p-value of one difference with the score statistic of `score_family`, table by table."""
    z = np.array(
        [[difference_z(Counts(i, t.n), Counts(j, c.n), difference) for j in range(c.n + 1)] for i in range(t.n + 1)]
    )
    observed = abs(z[t.successes, c.successes])
    return largest(np.asarray(abs(z) >= observed - 1e-9 * max(1.0, observed)), difference)


def ends(result: Inference) -> tuple[float, float]:
    assert result.absolute is not None
    assert result.absolute.low is not None
    assert result.absolute.high is not None
    return result.absolute.low, result.absolute.high


# Reference numbers


def test_vectors() -> None:
    assert fisher(Counts(3, 4), Counts(1, 4)) == pytest.approx(0.4857143, abs=1e-7)
    assert boschloo(Counts(7, 15), Counts(12, 15), "less") == pytest.approx(0.034109, abs=5e-7)


def test_barnard_where_scipy_loses_a_tie() -> None:
    # scipy prints .034077. 3 of 15 against 8 of 15 is the mirror image of 7 of 15 against 12 of 15, so its z is the
    # same, but scipy's rounding puts it 4e-16 below and leaves the table out of the sum.
    t, c = Counts(7, 15), Counts(12, 15)
    assert squares(15, 15)[3, 8] == squares(15, 15)[7, 12]
    assert barnard(t, c, "less") == pytest.approx(barnard_by_fractions(t, c, "less"), rel=1e-6)
    assert barnard(t, c, "less") == pytest.approx(0.0341092, abs=5e-7)
    without = np.array(squares(15, 15) <= squares(15, 15)[7, 12], dtype=np.bool_)
    without[3, 8] = False
    assert largest(without) == pytest.approx(0.034077, abs=5e-7)


def test_suissa_and_shuster() -> None:
    # Epinephrine in children (Perondi et al. 2004), 7 of 34 against 1 of 34: .0281 by Suissa & Shuster's method.
    assert barnard(Counts(7, 34), Counts(1, 34)) == pytest.approx(0.0281, abs=5e-5)
    assert fisher(Counts(7, 34), Counts(1, 34)) == pytest.approx(0.0544, abs=5e-5)


def test_closed_form_interval() -> None:
    # 1 of 1 against 0 of 1: no other table is as far off once d < 0, so p(d) = max (1 + d)^2 / 4 = .05.
    low, high = ends(exact_score(Counts(1, 1), Counts(0, 1)))
    assert low == pytest.approx(2 * math.sqrt(0.05) - 1, abs=1e-6)
    assert high == 1.0
    # 5 of 5 against 0 of 5 at a difference where it alone is in the region: ((1 + d) / 2)^10 = alpha.
    result = exact_score(Counts(5, 5), Counts(0, 5), alpha=1e-4)
    assert ends(result)[0] == pytest.approx(2 * 1e-4**0.1 - 1, abs=1e-6)
    assert result.p_value == pytest.approx(2 / 2**10, rel=1e-10)


# Independent enumerations


@given(counts(largest=14), counts(largest=14), st.sampled_from(ALTERNATIVES))
@settings(max_examples=30)
def test_barnard_by_fractions(t: Counts, c: Counts, alternative: Alternative) -> None:
    assert barnard(t, c, alternative) == pytest.approx(barnard_by_fractions(t, c, alternative), rel=1e-5)


@given(counts(largest=12), counts(largest=12))
@settings(max_examples=30)
def test_boschloo_by_fractions(t: Counts, c: Counts) -> None:
    less, greater = boschloo_by_fractions(t, c), boschloo_by_fractions(c, t)
    assert boschloo(t, c, "less") == pytest.approx(less, rel=1e-5)
    assert boschloo(t, c, "greater") == pytest.approx(greater, rel=1e-5)
    assert boschloo(t, c) == pytest.approx(min(1.0, 2 * min(less, greater)), rel=1e-5)


@given(counts(largest=300), counts(largest=300))
def test_fisher_by_fractions(t: Counts, c: Counts) -> None:
    assert fisher(t, c) == pytest.approx(fisher_by_fractions(t, c), rel=1e-9)


def test_scipy() -> None:
    # scipy's search of the rates can stop short and its sums can lose ties, so it is a lower bound; mostly it is equal.
    random = np.random.default_rng(41)
    equal = 0
    for _ in range(12):
        n1, n2 = (int(n) for n in random.integers(3, 30, 2))
        t, c = Counts(int(random.integers(0, n1 + 1)), n1), Counts(int(random.integers(0, n2 + 1)), n2)
        table = [[t.successes, c.successes], [t.n - t.successes, c.n - c.successes]]
        assert fisher(t, c) == pytest.approx(scipy.stats.fisher_exact(table)[1], rel=1e-9)
        theirs = scipy.stats.barnard_exact(table).pvalue, scipy.stats.boschloo_exact(table, "less").pvalue
        ours = barnard(t, c), boschloo(t, c, "less")
        for mine, reference in zip(ours, theirs, strict=True):
            assert mine >= reference * (1 - 1e-6)
            equal += mine == pytest.approx(reference, rel=1e-5)
    assert equal >= 20


@pytest.mark.parametrize(("t", "c"), [((3, 9), (5, 7)), ((0, 6), (2, 12)), ((8, 8), (3, 8)), ((1, 10), (6, 10))])
def test_p_values_at_any_difference_by_enumeration(t: tuple[int, int], c: tuple[int, int]) -> None:
    treatment, control = Counts(*t), Counts(*c)
    differences = np.array([-0.9, -0.348, -0.004, 0.0, 0.052, 0.3, 0.664, 0.99])
    found = exact._p_values(treatment, control, differences)
    expected = [score_p_by_enumeration(treatment, control, float(d)) for d in differences]
    assert found == pytest.approx(expected, rel=2e-5)


def test_ends_of_the_interval_by_enumeration() -> None:
    treatment, control = Counts(6, 9), Counts(2, 11)
    low, high = ends(exact_score(treatment, control))
    assert score_p_by_enumeration(treatment, control, low) >= 0.05 * (1 - 1e-5)
    assert score_p_by_enumeration(treatment, control, high) >= 0.05 * (1 - 1e-5)
    beyond = [low - step for step in (1e-6, 0.01, 0.05, 0.2)] + [high + step for step in (1e-6, 0.01, 0.05, 0.15)]
    assert all(score_p_by_enumeration(treatment, control, d) < 0.05 for d in beyond)


# Error rates, by enumeration of every table


@pytest.mark.parametrize(("n1", "n2"), [(20, 20), (15, 40)])
def test_false_alarms_never_exceed_alpha(n1: int, n2: int) -> None:
    # By symmetry (failures for successes) half of the tables are enough.
    p = np.empty((n1 + 1, n2 + 1))
    for i, j in itertools.product(range(n1 + 1), range(n2 + 1)):
        if (i, j) <= (n1 - i, n2 - j):
            p[i, j] = p[n1 - i, n2 - j] = barnard(Counts(i, n1), Counts(j, n2))
    for alpha in (0.01, 0.05, 0.1):
        error = largest(np.asarray(p < alpha), points=20_001)
        assert error <= alpha
        # Not by never rejecting.
        assert error > 0.6 * alpha
    # `exact_score` rejects only where Barnard does; at the edge of the region it is asked itself.
    near = [(i, j) for i, j in zip(*np.nonzero((p > 0.03) & (p < 0.05)), strict=True)][:2]
    for i, j in near:
        result = exact_score(Counts(int(i), n1), Counts(int(j), n2))
        assert result.p_value is not None
        assert result.p_value >= p[i, j]


def test_the_score_test_does_exceed_alpha() -> None:
    # Why this module exists: ten units against a hundred, judged by the normal distribution.
    z = np.array([[pooled_z(Counts(i, 10), Counts(j, 100)) for j in range(101)] for i in range(11)])
    assert largest(np.asarray(abs(z) > 1.959964)) > 0.08


def test_the_interval_covers_by_enumeration() -> None:
    n1, n2, alpha = 4, 5, 0.1
    bounds = np.empty(((n1 + 1) * (n2 + 1), 2))
    for place in range(len(bounds) // 2):
        # The table of failures for successes stands as far from the end, and has the mirrored interval.
        i, j = divmod(place, n2 + 1)
        bounds[place] = ends(exact_score(Counts(i, n1), Counts(j, n2), alpha=alpha))
        bounds[-1 - place] = -bounds[place, ::-1]
    rates = np.linspace(0.0, 1.0, 41)
    first, second = binomial(n1, rates), binomial(n2, rates)
    for a, b in itertools.product(range(41), range(41)):
        d = rates[a] - rates[b]
        covers = (bounds[:, 0] <= d + 1e-9) & (d - 1e-9 <= bounds[:, 1])
        assert np.outer(first[a], second[b]).ravel()[covers].sum() >= 1 - alpha - 1e-9


# Laws


@given(counts(largest=15), counts(largest=15), st.sampled_from([0.01, 0.05, 0.1, 0.2, 0.5]))
@settings(max_examples=8)
def test_p_value_and_interval_agree(t: Counts, c: Counts, alpha: float) -> None:
    result = exact_score(t, c, alpha=alpha)
    low, high = ends(result)
    assert result.p_value is not None
    assert (low > 0 or high < 0) == (result.p_value < alpha)
    assert -1 <= low <= t.rate - c.rate <= high <= 1
    assert barnard(t, c) * (1 - 1e-9) <= result.p_value <= 1


@pytest.mark.parametrize("alpha_at", [1 - 1e-9, 1 + 1e-9])
def test_they_agree_next_to_the_p_value(alpha_at: float) -> None:
    for t, c in ((Counts(9, 15), Counts(10, 40)), (Counts(6, 9), Counts(2, 11))):
        p = exact_score(t, c).p_value
        assert p is not None
        low, high = ends(exact_score(t, c, alpha=p * alpha_at))
        assert (low > 0 or high < 0) == (alpha_at > 1)


@given(counts(largest=12), counts(largest=12))
@settings(max_examples=3)
def test_swapping_arms_and_success_for_failure(t: Counts, c: Counts) -> None:
    here, swapped = exact_score(t, c), exact_score(c, t)
    failed = exact_score(*(Counts(arm.n - arm.successes, arm.n) for arm in (t, c)))
    low, high = ends(here)
    assert swapped.p_value == pytest.approx(here.p_value, rel=1e-9)
    assert failed.p_value == pytest.approx(here.p_value, rel=1e-6)
    assert ends(swapped) == pytest.approx((-high, -low), abs=1e-8)
    assert ends(failed) == pytest.approx((-high, -low), abs=1e-6)


@given(counts(largest=40), counts(largest=40), st.sampled_from(ALTERNATIVES))
def test_symmetries_of_the_named_tests(t: Counts, c: Counts, alternative: Alternative) -> None:
    opposite: dict[Alternative, Alternative] = {"two-sided": "two-sided", "less": "greater", "greater": "less"}
    failed_t, failed_c = (Counts(arm.n - arm.successes, arm.n) for arm in (t, c))
    for test in (barnard, boschloo):
        p = test(t, c, alternative)
        assert 0 <= p <= 1
        assert test(c, t, opposite[alternative]) == pytest.approx(p, rel=1e-6)
        assert test(failed_t, failed_c, opposite[alternative]) == pytest.approx(p, rel=1e-6)
    assert fisher(t, c) == pytest.approx(fisher(c, t), rel=1e-9)
    assert fisher(t, c) == pytest.approx(fisher(failed_t, failed_c), rel=1e-9)


@given(counts(largest=40), counts(largest=40))
def test_boschloo_is_never_above_one_sided_fisher(t: Counts, c: Counts) -> None:
    total = t.successes + c.successes
    fisher_less = scipy.stats.hypergeom.cdf(t.successes, t.n + c.n, total, t.n)
    assert boschloo(t, c, "less") <= fisher_less * (1 + 1e-7)


def test_no_clash_with_the_score_interval_for_larger_arms() -> None:
    t, c = Counts(60, 150), Counts(40, 150)
    assert ends(exact_score(t, c)) == pytest.approx(mee(t, c), abs=0.01)


# Small, large and empty


def test_nothing_to_tell() -> None:
    assert exact_score(Counts(0, 0), Counts(1, 3)).reason == "no_units"
    assert exact_score(Counts(1, 3), Counts(0, 0)).reason == "no_units"
    large = exact_score(Counts(20, 201), Counts(3, 10))
    assert (large.status, large.reason) == ("no_test", "too_many_units")
    assert large.absolute == Estimate(20 / 201 - 0.3)
    assert barnard(Counts(0, 0), Counts(1, 3)) == boschloo(Counts(1, 3), Counts(0, 0)) == 1.0
    assert fisher(Counts(0, 0), Counts(0, 0)) == 1.0


def test_all_or_nobody() -> None:
    for successes in (0, 1):
        result = exact_score(Counts(5 * successes, 5), Counts(9 * successes, 9))
        assert (result.status, result.p_value, result.statistic) == ("ok", 1.0, 0.0)
        low, high = ends(result)
        assert -1 < low < 0 < high < 1
    assert exact_score(Counts(0, 5), Counts(0, 9)).relative_reason == "control_not_positive"
    assert exact_score(Counts(0, 5), Counts(1, 9)).relative_reason == "no_exact_interval"
    opposite = exact_score(Counts(200, 200), Counts(0, 200))
    assert opposite.p_value == pytest.approx(2.0 * 0.5**400, rel=1e-9)
    assert ends(opposite)[1] == 1.0
    single = exact_score(Counts(1, 1), Counts(0, 1))
    assert single.p_value == pytest.approx(0.5)


def test_fisher_of_very_large_arms() -> None:
    # Of rare successes each falls to either arm like a coin.
    coin = scipy.stats.binomtest(1_000, 2_200).pvalue
    assert fisher(Counts(1_000, 10**9), Counts(1_200, 10**9)) == pytest.approx(coin, rel=2e-5)
    coin = scipy.stats.binomtest(3, 12).pvalue
    assert fisher(Counts(3, 10**10), Counts(9, 10**10)) == pytest.approx(coin, rel=1e-8)
    assert fisher(Counts(0, 10**6), Counts(10**6, 10**6)) == 0.0
    assert fisher(Counts(5 * 10**8, 10**9), Counts(5 * 10**8, 10**9)) == 1.0
    assert 0.0 < fisher(Counts(0, 450), Counts(450, 450)) < 1e-260


def test_too_large_to_enumerate() -> None:
    for test in (barnard, boschloo):
        for t, c in ((Counts(1, 1000), Counts(1, 1000)), (Counts(1, 1), Counts(5, 30_000))):
            with pytest.raises(ValueError, match="at most"):
                test(t, c)
        assert test(Counts(400, 998), Counts(400, 999)) > 0.9
        with pytest.raises(ValueError, match="alternative"):
            test(Counts(1, 2), Counts(1, 2), "both")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="alpha"):
        exact_score(Counts(1, 2), Counts(1, 2), alpha=1.0)
