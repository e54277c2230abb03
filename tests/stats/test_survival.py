import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from abtest.stats.contrast import Arm
from abtest.stats.distributions import critical_value, two_sided
from abtest.stats.inference import Estimate
from abtest.stats.lift import log_lift
from abtest.stats.means import welch
from abtest.stats.moments import moments_of
from abtest.stats.survival import (
    Lifetable,
    Step,
    default_tau,
    kaplan_meier,
    lifetable_of,
    log_rank,
    merge_lifetables,
    rmst,
    rmst_arm,
)

from .test_calibration import RUNS, assert_calibrated

Row = tuple[float, bool]


def table(rows: list[Row]) -> Lifetable:
    return lifetable_of([time for time, _ in rows], [happened for _, happened in rows])


def printed(text: str, unit: float = 1.0) -> Lifetable:
    """Times as books print them: a plus for units that were censored."""
    return table([(float(word.rstrip("+")) / unit, not word.endswith("+")) for word in text.split()])


# Remission in weeks (Freireich et al. 1963; Cox 1972, table 1).
MERCAPTOPURINE = printed("6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+")
PLACEBO = printed("1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23")

# Days until death in the randomised trial of primary biliary cirrhosis (Fleming & Harrington 1991, appendix D.1),
# transplants censored; in years, as survRM2 takes them.
PENICILLAMINE = printed(
    """41 71 131 140 179 198 223 334 348 388 400 515 533+ 673 694 732+ 737+ 750 762 799 824 839+ 877+ 901+ 904 939+ 971
    980 999 1000 1012 1037 1077 1083 1152 1153+ 1170 1191 1191 1230+ 1234+ 1235 1271+ 1293+ 1297 1302+ 1349+ 1350 1360
    1363+ 1401+ 1408+ 1412+ 1434 1435+ 1447+ 1457+ 1481+ 1492 1525+ 1568+ 1576 1592+ 1614+ 1614+ 1657 1682 1690 1690
    1701+ 1702+ 1741 1765+ 1770+ 1783+ 1810+ 1827 1831+ 1882+ 1908+ 1925 1932+ 1945+ 1951+ 2022+ 2033+ 2055 2081 2105
    2168+ 2170+ 2171+ 2178+ 2224 2255+ 2256 2272+ 2288 2297 2330+ 2332+ 2350+ 2363+ 2365+ 2386 2400 2443+ 2449+ 2475+
    2504+ 2527+ 2540 2555+ 2556+ 2574+ 2580+ 2583 2598 2644+ 2657+ 2689 2692+ 2863+ 2870+ 2944+ 2990+ 2995+ 3050+ 3059+
    3069+ 3086 3098+ 3099+ 3150+ 3222 3239+ 3282 3297+ 3336+ 3458+ 3574 3584 3707+ 3823+ 3850+ 3913+ 3933+ 3992+ 4039+
    4050+ 4079 4191 4232+ 4365+ 4459+ 4467+ 4500+ 4556+""",
    365.25,
)
CIRRHOSIS_PLACEBO = printed(
    """51 77 110 130 186 191 207 216 264 264 304 321 326 460 549 552 597 611 708 733 769 786 788+ 790 797 837+ 850 853 859
    890 930 943 974 994+ 1030+ 1067+ 1080 1084+ 1149+ 1165 1212 1216+ 1216+ 1217 1250+ 1295+ 1300+ 1301+ 1320+ 1321+
    1329+ 1356 1363+ 1413 1418+ 1420+ 1427 1433+ 1434+ 1444 1455+ 1487 1504+ 1536 1542+ 1558+ 1569+ 1615+ 1656+ 1666+
    1677+ 1735+ 1769+ 1776+ 1785+ 1786 1790+ 1832+ 1847 1874+ 1882+ 1967+ 1978+ 1979+ 2050+ 2090 2106+ 2157+ 2176+ 2195+
    2216+ 2221+ 2224+ 2241+ 2294+ 2301+ 2318+ 2357+ 2419 2452+ 2456+ 2466 2468+ 2503 2504+ 2563+ 2573+ 2576+ 2609+ 2615+
    2624+ 2666+ 2713+ 2721+ 2769 2772+ 2796 2797+ 2835+ 2847 2891+ 2976+ 3090 3092+ 3149+ 3170 3244 3255+ 3358 3388+
    3395 3422+ 3428 3445 3445+ 3577+ 3581+ 3611+ 3672+ 3762 3820+ 3839 3853 4025+ 4032+ 4127+ 4184+ 4190+ 4196+ 4256+
    4427+ 4453+ 4509+ 4523+""",
    365.25,
)

rows = st.lists(st.tuples(st.integers(0, 12).map(float), st.booleans()), min_size=1, max_size=25)
several = st.lists(st.tuples(st.integers(0, 12).map(float), st.booleans()), min_size=2, max_size=25)


def columns(rows: list[Row]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    return np.array([time for time, _ in rows]), np.array([int(happened) for _, happened in rows])


def area_by_hand(rows: list[Row], tau: float) -> tuple[Fraction, Fraction]:
    """Restricted mean and its variance straight from the definition, in exact arithmetic."""
    end = Fraction(tau)
    deaths = sorted({Fraction(time) for time, happened in rows if happened and time <= tau})

    def counts(time: Fraction) -> tuple[int, int]:
        return sum(h and t == time for t, h in rows), sum(t >= time for t, _ in rows)

    def survival(time: Fraction) -> Fraction:
        left = Fraction(1)
        for d, y in (counts(death) for death in deaths if death <= time):
            left *= 1 - Fraction(d, y)
        return left

    def area(start: Fraction) -> Fraction:
        points = [start, *(death for death in deaths if start < death < end), end]
        return sum((survival(a) * (b - a) for a, b in pairwise(points)), Fraction(0))

    variance = Fraction(0)
    for death in deaths:
        d, y = counts(death)
        if y > d:
            variance += area(death) ** 2 * Fraction(d, y * (y - d))
    return area(Fraction(0)), variance


# Reference numbers


def test_freireich_curve() -> None:
    steps = kaplan_meier(MERCAPTOPURINE)
    expected = [0.857143, 0.806723, 0.752941, 0.690196, 0.627451, 0.537815, 0.448179]
    assert [step.survival for step in steps] == pytest.approx(expected, abs=1e-6)
    assert [step.time for step in steps] == [6, 7, 10, 13, 16, 22, 23]
    assert [step.at_risk for step in steps] == [21, 17, 15, 12, 11, 7, 6]
    assert [step.events for step in steps] == [3, 1, 1, 1, 1, 1, 1]
    # R's `survfit(conf.type = "log-log")`, as printed with three digits.
    assert [step.low for step in steps] == pytest.approx([0.620, 0.563, 0.503, 0.432, 0.368, 0.268, 0.188], abs=6e-4)
    assert [step.high for step in steps] == pytest.approx([0.952, 0.923, 0.889, 0.849, 0.805, 0.747, 0.680], abs=6e-4)


def test_freireich_log_rank() -> None:
    # lifelines `logrank_test`; R's `survdiff` prints 16.8.
    result = log_rank(MERCAPTOPURINE, PLACEBO)
    assert (result.status, result.reason, result.observed) == ("ok", None, 9)
    assert result.expected == pytest.approx(19.250501, abs=1e-6)
    assert result.variance == pytest.approx(6.256961, abs=1e-6)
    assert result.statistic == pytest.approx(16.792941, abs=1e-6)
    assert result.p_value == pytest.approx(4.168809e-05, rel=1e-6)
    assert result.hazard_ratio is not None
    assert result.hazard_ratio.estimate == pytest.approx(0.194319, abs=1e-6)


@pytest.mark.parametrize(
    "tau, mercaptopurine, placebo, difference",
    [
        (10.0, (9.277311, 0.326769), (6.619048, 0.733012), (2.658263, 0.802549)),
        (20.0, (16.116527, 1.251560), (8.428571, 1.268083), (7.687955, 1.781695)),
    ],
)
def test_freireich_restricted_mean(
    tau: float, mercaptopurine: tuple[float, float], placebo: tuple[float, float], difference: tuple[float, float]
) -> None:
    for arm, expected in ((MERCAPTOPURINE, mercaptopurine), (PLACEBO, placebo)):
        found = rmst_arm(arm, tau)
        assert (found.value, math.sqrt(found.variance)) == pytest.approx(expected, abs=1e-6)
        assert found.df == 20
    result = rmst(MERCAPTOPURINE, PLACEBO, tau)
    assert result.absolute is not None
    assert (result.method, result.status) == ("rmst", "ok")
    assert (result.absolute.estimate, result.absolute.se) == pytest.approx(difference, abs=1e-6)


def test_primary_biliary_cirrhosis() -> None:
    # The vignette of survRM2 1.0: 7.146 (se 0.283), 7.283 (0.295), difference -0.137 (-0.939, 0.665), p 0.738, ratio
    # 0.981 (0.878, 1.096). It uses the normal quantile, and for the ratio the interval of the logarithm.
    treatment, control = rmst_arm(PENICILLAMINE, 10.0), rmst_arm(CIRRHOSIS_PLACEBO, 10.0)
    assert (treatment.value, math.sqrt(treatment.variance)) == pytest.approx((7.146, 0.283), abs=5e-4)
    assert (control.value, math.sqrt(control.variance)) == pytest.approx((7.283, 0.295), abs=5.5e-4)
    z = critical_value(0.05)
    result = rmst(PENICILLAMINE, CIRRHOSIS_PLACEBO, 10.0, critical=z)
    assert result.absolute is not None
    assert result.statistic is not None
    found = (result.absolute.estimate, result.absolute.low, result.absolute.high)
    assert found == pytest.approx((-0.137, -0.939, 0.665), abs=5e-4)
    assert two_sided(result.statistic) == pytest.approx(0.738, abs=5e-4)
    ratio = log_lift(treatment.value, treatment.variance, control.value, control.variance, z)
    assert isinstance(ratio, Estimate)
    assert (ratio.estimate, ratio.low, ratio.high) == pytest.approx((-0.019, -0.122, 0.096), abs=5e-4)
    # R's `survdiff` prints 65 of 63.2 expected, chi-square 0.1, p 0.7.
    test = log_rank(PENICILLAMINE, CIRRHOSIS_PLACEBO)
    assert (test.observed, test.expected, test.p_value) == (
        65,
        pytest.approx(63.2, abs=0.05),
        pytest.approx(0.75, abs=0.05),
    )


# Independent computations


@settings(max_examples=40)
@given(rows)
def test_curve_of_statsmodels(data: list[Row]) -> None:
    times, events = columns(data)
    assume(events.any())
    reference = SurvfuncRight(times, events)
    steps = kaplan_meier(table(data), alpha=0.1)
    assert [step.time for step in steps] == pytest.approx(list(reference.surv_times))
    assert [step.at_risk for step in steps] == list(reference.n_risk)
    assert [step.survival for step in steps] == pytest.approx(list(reference.surv_prob), rel=1e-12, abs=1e-15)
    z = scipy.stats.norm.ppf(0.95)
    for step, left, se in zip(steps, reference.surv_prob, reference.surv_prob_se, strict=True):
        if step.at_risk == step.events:
            assert (step.survival, step.low, step.high) == (0.0, None, None)
            continue
        width = z * se / (left * abs(math.log(left)))
        assert step.low == pytest.approx(left ** math.exp(width), rel=1e-9, abs=1e-12)
        assert step.high == pytest.approx(left ** math.exp(-width), rel=1e-9, abs=1e-12)


@settings(max_examples=40)
@given(several, several)
def test_log_rank_of_statsmodels(t: list[Row], c: list[Row]) -> None:
    result = log_rank(table(t), table(c))
    assume(result.status == "ok")
    (times_t, events_t), (times_c, events_c) = columns(t), columns(c)
    group = np.r_[np.ones(len(t)), np.zeros(len(c))]
    chi_square, p = survdiff(np.r_[times_t, times_c], np.r_[events_t, events_c], group)
    assert result.statistic == pytest.approx(chi_square, rel=1e-9, abs=1e-12)
    assert result.p_value == pytest.approx(p, rel=1e-9)


@given(several, st.integers(1, 24).map(lambda k: k / 2))
def test_restricted_mean_by_hand(data: list[Row], tau: float) -> None:
    arm = table(data)
    last = max(time for time, _ in data)
    assume(tau <= last or not any(time == last and not happened for time, happened in data))
    value, variance = area_by_hand(data, tau)
    found = rmst_arm(arm, tau)
    assert found.value == pytest.approx(float(value), rel=1e-12)
    assert found.variance == pytest.approx(float(variance), rel=1e-9, abs=1e-15)


@given(st.lists(st.integers(0, 30).map(float), min_size=2, max_size=25), st.integers(1, 40).map(float))
def test_without_censoring_it_is_the_mean_of_what_was_seen(times: list[float], tau: float) -> None:
    found = rmst_arm(lifetable_of(times, [True] * len(times)), tau)
    seen = moments_of([min(time, tau) for time in times])
    assert found.value == pytest.approx(seen.mean, rel=1e-12)
    assert found.variance == pytest.approx(seen.m2 / seen.n**2, rel=1e-9, abs=1e-12)
    assert found.df == seen.n - 1


def test_without_censoring_the_test_is_nearly_welch() -> None:
    random = np.random.default_rng(4)
    t, c = random.geometric(0.1, 400).astype(float), random.geometric(0.08, 300).astype(float)
    found = rmst(lifetable_of(t, t > 0), lifetable_of(c, c > 0), 14.0)
    reference = welch(moments_of(np.minimum(t, 14.0)), moments_of(np.minimum(c, 14.0)))
    assert found.df == pytest.approx(reference.df, abs=0.5)
    assert found.p_value == pytest.approx(reference.p_value, rel=0.01)


# Laws


@given(rows, rows)
def test_shards_merged_are_one_pass(a: list[Row], b: list[Row]) -> None:
    assert merge_lifetables(table(a), table(b)) == table(a + b)
    assert merge_lifetables(table(a), Lifetable((), (), ())) == table(a)


@given(rows)
def test_a_life_table_counts_units(data: list[Row]) -> None:
    arm = table(data)
    assert arm.n == len(data)
    assert arm.at_risk == tuple(sum(time >= t for time, _ in data) for t in arm.times)


@settings(max_examples=40)
@given(several, several, st.lists(st.integers(0, 30).map(lambda k: k / 2), max_size=5))
def test_days_without_units_change_nothing(t: list[Row], c: list[Row], empty: list[float]) -> None:
    days = sorted(set(empty))
    nothing = Lifetable(tuple(days), (0,) * len(days), (0,) * len(days))
    arms = table(t), table(c)
    padded = merge_lifetables(arms[0], nothing), merge_lifetables(nothing, arms[1])
    assert kaplan_meier(padded[0]) == kaplan_meier(arms[0])
    assert log_rank(*padded) == log_rank(*arms)
    assert default_tau(*padded) == default_tau(*arms)
    assert rmst(*padded, 3.0) == rmst(*arms, 3.0)
    assert padded[0].follow_up == arms[0].follow_up


@given(rows)
def test_the_curve_falls_within_its_interval(data: list[Row]) -> None:
    steps = kaplan_meier(table(data))
    for before, after in pairwise(steps):
        assert before.survival > after.survival
    for step in steps:
        if step.low is not None and step.high is not None:
            assert 0.0 <= step.low <= step.survival <= step.high <= 1.0
            assert step.low < step.high


@settings(max_examples=40)
@given(several, several)
def test_swapping_the_arms(t: list[Row], c: list[Row]) -> None:
    there, back = log_rank(table(t), table(c)), log_rank(table(c), table(t))
    assert (there.status, there.reason) == (back.status, back.reason)
    assert there.p_value == pytest.approx(back.p_value)
    if there.hazard_ratio is not None:
        assert back.hazard_ratio is not None
        assert there.hazard_ratio.estimate * back.hazard_ratio.estimate == pytest.approx(1.0)
        assert there.hazard_ratio.low * back.hazard_ratio.high == pytest.approx(1.0)
    means, mirrored = rmst(table(t), table(c), 5.0), rmst(table(c), table(t), 5.0)
    assert (means.status, means.p_value) == (mirrored.status, pytest.approx(mirrored.p_value))
    if means.absolute is not None:
        assert mirrored.absolute is not None
        assert mirrored.absolute.estimate == -means.absolute.estimate


@given(several, several, st.floats(0.001, 0.5))
def test_p_and_the_interval_of_the_hazard_ratio_agree(t: list[Row], c: list[Row], alpha: float) -> None:
    result = log_rank(table(t), table(c), alpha=alpha)
    if result.hazard_ratio is not None:
        assert result.p_value is not None
        assert result.hazard_ratio.low is not None
        assert result.hazard_ratio.high is not None
        assume(abs(result.p_value - alpha) > 1e-9)
        assert (result.p_value < alpha) == (not result.hazard_ratio.low <= 1.0 <= result.hazard_ratio.high)


@settings(max_examples=40)
@given(several, several, st.sampled_from([2.0**-60, 0.125, 4.0, 2.0**80]))
def test_the_unit_of_time_does_not_matter(t: list[Row], c: list[Row], unit: float) -> None:
    arms = table(t), table(c)
    scaled = [Lifetable(tuple(time * unit for time in arm.times), arm.events, arm.censored) for arm in arms]
    assert log_rank(*scaled) == log_rank(*arms)
    plain, found = rmst(*arms, 4.0), rmst(*scaled, 4.0 * unit)
    assert (found.status, found.reason, found.p_value) == (plain.status, plain.reason, plain.p_value)
    if plain.absolute is not None:
        assert found.absolute is not None
        assert found.absolute.estimate == plain.absolute.estimate * unit


@settings(max_examples=40)
@given(several, several)
def test_log_rank_knows_only_the_order_of_times(t: list[Row], c: list[Row]) -> None:
    bent = [[(time**3 + 1.0, happened) for time, happened in arm] for arm in (t, c)]
    assert log_rank(table(bent[0]), table(bent[1])) == log_rank(table(t), table(c))


@given(several)
def test_an_arm_against_itself_is_no_difference(data: list[Row]) -> None:
    result = log_rank(table(data), table(data))
    if result.status == "ok":
        assert (result.statistic, result.p_value) == (0.0, 1.0)
        assert result.hazard_ratio is not None
        assert result.hazard_ratio.estimate == 1.0


@given(several, several, st.floats(0.001, 0.5))
def test_lift_excludes_zero_exactly_when_the_difference_does(t: list[Row], c: list[Row], alpha: float) -> None:
    result = rmst(table(t), table(c), 5.0, alpha=alpha)
    if result.p_value is not None and result.relative is not None:
        assume(abs(result.p_value - alpha) > 1e-9)
        assert result.relative.low is not None
        assert result.relative.high is not None
        assert (result.relative.low > 0 or result.relative.high < 0) == (result.p_value < alpha)


# Calibration


def watched(random: np.random.Generator, n: int, daily: float) -> Lifetable:
    """Days to the event with a constant daily chance; half of the units joined late and are watched 5 to 27 days."""
    times = random.geometric(daily, n)
    end = np.where(random.random(n) < 0.5, random.integers(5, 28, n), 28)
    return lifetable_of(np.minimum(times, end), times <= end)


def test_calibration_with_unequal_arms_and_censoring() -> None:
    random = np.random.default_rng(21)
    means: list[float | None] = []
    ranks: list[float | None] = []
    for _ in range(RUNS):
        arms = watched(random, 40, 0.06), watched(random, 60, 0.06)
        means.append(rmst(*arms, 21.0).p_value)
        ranks.append(log_rank(*arms).p_value)
    assert_calibrated(means, 0.05)
    assert_calibrated(ranks, 0.05)


def test_coverage_of_a_true_difference_and_of_the_curve() -> None:
    random = np.random.default_rng(22)
    true = [sum((1 - daily) ** day for day in range(21)) for daily in (0.02, 0.05)]
    # 1 for an interval that holds the truth, 0 (an alarm) for one that does not.
    means: list[float | None] = []
    curves: list[float | None] = []
    for _ in range(RUNS):
        treatment, control = watched(random, 60, 0.02), watched(random, 60, 0.05)
        absolute = rmst(treatment, control, 21.0).absolute
        step = [step for step in kaplan_meier(control) if step.time <= 10.0][-1]
        assert absolute is not None
        assert absolute.low is not None
        assert absolute.high is not None
        assert step.low is not None
        assert step.high is not None
        means.append(float(absolute.low <= true[0] - true[1] <= absolute.high))
        curves.append(float(step.low <= 0.95**10 <= step.high))
    assert_calibrated(means, 0.05)
    assert_calibrated(curves, 0.05)


# Edges


def test_default_tau() -> None:
    assert default_tau(MERCAPTOPURINE, PLACEBO) == 8.0
    assert rmst(MERCAPTOPURINE, PLACEBO) == rmst(MERCAPTOPURINE, PLACEBO, 8.0)
    at_once = Lifetable((0.0, 1.0), (30, 9), (0, 0))
    assert default_tau(at_once, PLACEBO) is None
    assert (rmst(at_once, PLACEBO).status, rmst(at_once, PLACEBO).reason) == ("no_test", "not_enough_units")


def test_how_far_a_curve_is_known() -> None:
    all_gone, some_left = Lifetable((1.0, 2.0), (3, 1), (0, 0)), Lifetable((1.0, 2.0, 9.0), (3, 1, 0), (0, 1, 0))
    assert (all_gone.follow_up, some_left.follow_up) == (math.inf, 2.0)
    assert rmst_arm(all_gone, 1e6) == rmst_arm(all_gone, 2.0) == Arm(1.25, 0.046875, 3)
    assert rmst_arm(some_left, 2.0).value == pytest.approx(1.4)
    assert rmst(all_gone, some_left, 2.0).status == "ok"
    for arms in ((all_gone, some_left), (some_left, all_gone)):
        result = rmst(*arms, 2.5)
        assert (result.status, result.reason, result.absolute) == ("no_test", "tau_beyond_follow_up", None)
    with pytest.raises(ValueError, match="known up to"):
        rmst_arm(some_left, 2.5)


def test_events_at_tau_do_not_count_yet() -> None:
    arm = Lifetable((1.0, 5.0), (1, 3), (0, 6))
    assert rmst_arm(arm, 5.0) == rmst_arm(Lifetable((1.0, 5.0), (1, 0), (0, 9)), 5.0)


def test_statuses() -> None:
    empty, single = Lifetable((), (), ()), Lifetable((3.0,), (1,), (0,))
    for arms in ((empty, PLACEBO), (PLACEBO, empty)):
        assert rmst(*arms).reason == rmst(*arms, 5.0).reason == log_rank(*arms).reason == "no_units"
        assert log_rank(*arms).hazard_ratio_reason == "no_units"
    alone = rmst(single, PLACEBO, 5.0)
    assert (alone.status, alone.reason) == ("no_test", "one_unit")
    assert alone.absolute == Estimate(3.0 - rmst_arm(PLACEBO, 5.0).value)
    with pytest.raises(ValueError, match="two units"):
        rmst_arm(single, 5.0)
    quiet = Lifetable((28.0,), (0,), (50,))
    silent = rmst(quiet, quiet)
    assert (silent.status, silent.reason, silent.absolute) == ("no_test", "zero_variance", Estimate(0.0))
    assert (log_rank(quiet, quiet).status, log_rank(quiet, quiet).reason) == ("no_test", "no_events")
    # Everybody at once, or the event only where one arm alone is left: there is nothing to compare.
    at_once = Lifetable((3.0,), (5,), (0,))
    assert (log_rank(at_once, at_once).reason, rmst(at_once, at_once, 5.0).reason) == ("zero_variance", "zero_variance")
    assert log_rank(Lifetable((1.0,), (0,), (9,)), Lifetable((2.0,), (3,), (6,))).reason == "zero_variance"
    assert kaplan_meier(quiet) == kaplan_meier(empty) == ()
    assert kaplan_meier(at_once) == (Step(3.0, 5, 5, 0.0, None, None),)
    # All events before the start: nobody has any time, and a lift of nothing is undefined.
    dead = Lifetable((0.0,), (20,), (0,))
    result = rmst(PLACEBO, dead, 5.0)
    assert (result.status, result.relative, result.relative_reason) == ("ok", None, "control_not_positive")


def test_one_arm_without_events() -> None:
    quiet = Lifetable((28.0,), (0,), (21,))
    result = rmst(quiet, PLACEBO, 10.0)
    assert result.absolute is not None
    assert result.absolute.estimate == pytest.approx(10.0 - 6.619048, abs=1e-6)
    assert result.df == pytest.approx(20)
    assert log_rank(quiet, PLACEBO).observed == 0


def test_own_critical_value() -> None:
    result = rmst(MERCAPTOPURINE, PLACEBO, 10.0, critical=3.0)
    assert (result.p_value, result.critical) == (None, 3.0)
    assert result.absolute is not None
    assert result.absolute.high == pytest.approx(2.658263 + 3 * 0.802549, abs=3e-6)


def test_a_hazard_ratio_out_of_range() -> None:
    # One treated unit against a thousand: Peto's ratio would be exp(1000).
    result = log_rank(Lifetable((1.0,), (1,), (0,)), Lifetable((2.0,), (0,), (1000,)))
    assert (result.status, result.hazard_ratio, result.hazard_ratio_reason) == ("ok", None, "hazard_ratio_undefined")
    assert result.statistic == pytest.approx(1000.0)


def test_huge_counts() -> None:
    many = 10**17
    rare, gone = Lifetable((1.0, 2.0), (1, 0), (0, many)), Lifetable((1.0, 2.0), (many // 2, 0), (0, many // 2))
    (step,) = kaplan_meier(rare)
    assert step.survival == 1.0
    assert step.low is not None
    assert step.high is not None
    assert step.low <= step.survival <= step.high
    result = log_rank(rare, gone)
    assert result.statistic is not None
    assert math.isfinite(result.statistic)
    assert result.p_value == 0.0  # z is 2e8; the tail ends at 38
    difference = rmst(rare, gone, 2.0)
    assert difference.absolute is not None
    assert difference.absolute.estimate == pytest.approx(0.5)
    assert difference.absolute.se == pytest.approx(0.5 / math.sqrt(many))


def test_a_p_value_below_1e_300() -> None:
    early, late = Lifetable((1.0, 2.0), (700, 0), (0, 700)), Lifetable((1.0, 2.0), (0, 0), (0, 1400))
    far = [
        log_rank(merge_lifetables(early, early), merge_lifetables(late, late)).p_value,
        log_rank(early, late).p_value,
    ]
    assert far[0] is not None
    assert far[1] is not None
    assert 0.0 <= far[0] < far[1] < 1e-100


@pytest.mark.parametrize("unit", [1e-99, 1e98])
def test_extreme_times(unit: float) -> None:
    arms = [
        Lifetable(tuple(t * unit for t in arm.times), arm.events, arm.censored) for arm in (MERCAPTOPURINE, PLACEBO)
    ]
    result = rmst(arms[0], arms[1], 10.0 * unit)
    assert result.absolute is not None
    assert result.absolute.estimate == pytest.approx(2.658263 * unit, rel=1e-6)
    assert result.absolute.se == pytest.approx(0.802549 * unit, rel=1e-6)
    assert result.relative is not None


@pytest.mark.parametrize(
    "times, events, censored",
    [
        ((1.0,), (1, 2), (0,)),
        ((1.0, 1.0), (1, 2), (0, 0)),
        ((2.0, 1.0), (1, 2), (0, 0)),
        ((-1.0,), (1,), (0,)),
        ((math.nan,), (1,), (0,)),
        ((math.inf,), (1,), (0,)),
        ((1e300,), (1,), (0,)),
        ((1e-300,), (1,), (0,)),
        ((1.0,), (-1,), (0,)),
        ((1.0,), (1,), (0.5,)),
    ],
)
def test_no_life_table(times: tuple[float, ...], events: tuple[int, ...], censored: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"life table|a time lies"):
        Lifetable(times, events, censored)


@pytest.mark.parametrize("tau", [0.0, -1.0, math.nan, math.inf])
def test_no_tau(tau: float) -> None:
    with pytest.raises(ValueError, match="a time lies"):
        rmst(MERCAPTOPURINE, PLACEBO, tau)
    with pytest.raises(ValueError, match="a time lies"):
        rmst_arm(MERCAPTOPURINE, tau)


def test_bad_calls() -> None:
    with pytest.raises(ValueError, match="one time and one mark"):
        lifetable_of([1.0, 2.0], [True])
    for alpha in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="alpha"):
            kaplan_meier(PLACEBO, alpha=alpha)
        with pytest.raises(ValueError, match="alpha"):
            log_rank(MERCAPTOPURINE, PLACEBO, alpha=alpha)
        with pytest.raises(ValueError, match="alpha"):
            rmst(MERCAPTOPURINE, PLACEBO, 5.0, alpha=alpha)
