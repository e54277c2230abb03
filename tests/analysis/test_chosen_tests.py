"""Every test that `test:` can ask for, from two arms and from files, against scipy and statsmodels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.proportion import confint_proportions_2indep

import abtest
from abtest.analysis.arms import Arm
from abtest.analysis.compare import Setting, compare
from abtest.analysis.looks import curves_of
from abtest.analysis.result import Comparison
from abtest.language.model import Metric, MetricUse, Plan, Window
from abtest.language.statistical_tests import TESTS, fitting_tests
from abtest.stats.exact_ranks import exact_rank_p
from abtest.stats.moments import Counts, Moments
from abtest.stats.ordinal import categories_of
from tests.analysis.covaried import frame, write
from tests.analysis.test_rulings import mean_arm, share_arm

FIXED = Setting(Plan(), early=False, progress=1.0)
EARLY = Setting(Plan(), early=True, progress=0.4)


def compared(treatment: Arm, control: Arm, test: str | None, setting: Setting = FIXED, **more: object) -> Comparison:
    metric = replace(Metric("m", "amount", better="higher", test=test), **more)  # type: ignore[arg-type]
    return compare(metric, MetricUse("m", "goal"), "new", treatment, control, setting, 0.05)


def with_values(data: list[float]) -> Arm:
    values, counts = np.unique(data, return_counts=True)
    moments = Moments(len(data), float(np.mean(data)), float(np.var(data)) * len(data))
    pairs = tuple((float(v), int(n)) for v, n in zip(values, counts, strict=True))
    return Arm(len(data), len(data), 0, 0, moments=moments, values=pairs)


LOW = [1.0, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 1, 1]
HIGH = [3.0, 3, 4, 3, 1, 2, 3, 1, 1, 5, 4]


@pytest.mark.parametrize(("test", "by"), [("fisher", scipy.stats.fisher_exact), ("boschloo", None), ("barnard", None)])
def test_exact_tests_have_a_p_value_and_no_interval(test: str, by: object) -> None:
    found = compared(share_arm(9, 12), share_arm(3, 12), test)
    table = [[9, 3], [3, 9]]
    expected = {
        "fisher": scipy.stats.fisher_exact(table).pvalue,
        "boschloo": scipy.stats.boschloo_exact(np.transpose(table), n=256).pvalue,
        "barnard": scipy.stats.barnard_exact(np.transpose(table), n=256).pvalue,
    }[test]
    assert found.p_value == pytest.approx(expected, rel=1e-4)
    assert found.absolute is not None
    assert (found.absolute.low, found.absolute.high) == (None, None)
    assert found.state == ("better" if found.p_value is not None and found.p_value < 0.05 else "unclear")


def test_a_prototype_gets_the_exact_test_by_itself_and_a_large_test_the_score() -> None:
    small = compared(share_arm(9, 10), share_arm(7, 10), None)
    assert small.method == "exact"
    assert small.relative_reason == "no_exact_interval"
    assert compared(share_arm(500, 1000), share_arm(450, 1000), None).method == "score"
    assert compared(share_arm(3, 1000), share_arm(1, 1000), None).method == "score"  # too many to enumerate


def test_a_guardrail_keeps_the_score_test_which_knows_margins() -> None:
    from abtest.language.model import Margin

    use = MetricUse("m", "guardrail", Margin("absolute", 0.1))
    found = compare(Metric("m", "did", better="higher"), use, "new", share_arm(9, 10), share_arm(8, 10), FIXED)
    assert found.method == "score"
    assert found.margin is not None
    assert found.margin.label == "not_shown"


@pytest.mark.parametrize(("test", "name"), [("newcombe", "newcomb"), ("miettinen_nurminen", None)])
def test_intervals_of_other_tools_on_request(test: str, name: str | None) -> None:
    found = compared(share_arm(56, 70), share_arm(48, 80), test)
    assert found.method == test
    assert found.absolute is not None
    if name is not None:
        low, high = confint_proportions_2indep(56, 70, 48, 80, method=name, compare="diff", correction=False)
        assert (found.absolute.low, found.absolute.high) == pytest.approx((low, high), abs=1e-6)
    else:
        assert (found.absolute.low, found.absolute.high) == pytest.approx((0.0528, 0.3382), abs=5e-5)


def test_ranks() -> None:
    found = compared(with_values(HIGH), with_values(LOW), "brunner_munzel")
    expected = scipy.stats.brunnermunzel(LOW, HIGH)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert (found.scale, found.method, found.state) == ("chance", "brunner_munzel", "better")
    assert found.absolute is not None
    assert found.absolute.estimate == pytest.approx(0.788961 - 0.5, abs=1e-6)
    by_sum = compared(with_values(HIGH), with_values(LOW), "mann_whitney")
    assert by_sum.p_value == exact_rank_p(categories_of(HIGH), categories_of(LOW))
    assert by_sum.state == "better"
    small = compared(with_values([3.1, 4.7, 2.9, 5.5]), with_values([1.0, 2.0, 4.0, 0.5, 0.1]), "mann_whitney")
    expected = scipy.stats.mannwhitneyu([3.1, 4.7, 2.9, 5.5], [1.0, 2.0, 4.0, 0.5, 0.1], method="exact")
    assert small.p_value == pytest.approx(expected.pvalue, rel=1e-12)
    many = compared(with_values(HIGH * 5), with_values(LOW * 4), "mann_whitney")
    expected = scipy.stats.mannwhitneyu(HIGH * 5, LOW * 4, method="asymptotic", use_continuity=False)
    assert many.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    odds = compared(with_values(HIGH), with_values(LOW), "proportional_odds")
    assert odds.scale == "odds"
    assert odds.relative is not None
    assert odds.relative.estimate > 1
    assert odds.state == "better"


def test_waiting_times() -> None:
    soon, late = [0.0] * 30 + [2.0] * 30 + [7.0] * 40, [0.0] * 15 + [3.0] * 25 + [7.0] * 60
    more = {"kind": "time_to", "window": Window(0, 6)}
    mean = compared(with_values(soon), with_values(late), "rmst", **more)
    assert mean.method == "rmst"
    assert mean.absolute is not None
    assert mean.absolute.estimate == pytest.approx(np.mean(soon) - np.mean(late))
    assert mean.state == "worse"  # shorter, and here higher is better
    curve = compared(with_values(soon), with_values(late), "log_rank", **more)
    logrank = scipy.stats.logrank(
        scipy.stats.CensoredData(uncensored=[x for x in soon if x < 7], right=[x for x in soon if x >= 7]),
        scipy.stats.CensoredData(uncensored=[x for x in late if x < 7], right=[x for x in late if x >= 7]),
    )
    assert curve.p_value == pytest.approx(logrank.pvalue, rel=1e-9)
    assert curve.scale == "hazard"
    assert curve.state == "worse"


@pytest.mark.parametrize("test", [t for t in TESTS if t not in ("woodruff", "bootstrap", "delta", "rmst", "log_rank")])
def test_every_test_has_a_band_before_the_end_or_says_why_not(test: str) -> None:
    arms = (share_arm(60, 100), share_arm(40, 100))
    if test in ("brunner_munzel", "mann_whitney", "proportional_odds"):
        arms = (with_values(HIGH * 4), with_values(LOW * 4))
    found = compared(*arms, test, EARLY)
    assert found.status == "ok"
    assert found.always_valid_absolute is not None
    assert found.absolute is not None
    if found.absolute.low is not None and found.absolute.high is not None and test not in ("exact", "newcombe"):
        band = found.always_valid_absolute
        assert band.low is not None
        assert band.high is not None
        assert band.high - band.low > found.absolute.high - found.absolute.low


def test_a_test_of_yes_or_no_on_other_numbers() -> None:
    found = compared(mean_arm(3.0), mean_arm(2.9), "exact")
    assert (found.status, found.reason, found.state) == ("no_test", "not_yes_or_no", "no_test")


def test_too_many_values_for_ranks() -> None:
    found = compared(mean_arm(3.0), mean_arm(2.9), "brunner_munzel")
    assert (found.status, found.reason) == ("no_test", "too_many_values")


def test_welch_on_shares_and_the_lift_by_other_ways() -> None:
    arms = share_arm(300, 1000), share_arm(250, 1000)
    assert compared(*arms, "welch").method == "welch"
    for how in ("fieller", "delta", "log"):
        found = compared(mean_arm(10.8, 21, 1000), mean_arm(10, 20, 1000), None, Setting(Plan(lift=how), False, 1.0))  # type: ignore[arg-type]
        assert found.relative is not None
        assert found.relative.low == pytest.approx(
            {"fieller": -0.0922, "delta": -0.1068, "log": -0.0915}[how], abs=5e-4
        )
        assert found.p_value == pytest.approx(0.3831, abs=5e-4)


def test_equivalence_needs_both_sides() -> None:
    near = compared(mean_arm(10.01, 1.0, 4000), mean_arm(10.0, 1.0, 4000), None)
    assert near.equivalence is not None
    assert near.equivalence.shown
    wide = compared(mean_arm(10.01, 30.0, 4000), mean_arm(10.0, 30.0, 4000), None)
    assert wide.equivalence is not None
    assert not wide.equivalence.shown
    # Two one-sided tests at 5 % are the 90 % interval of the lift inside (-5 %, 5 %).
    edge = compared(mean_arm(10.0, 9.4, 4000), mean_arm(10.0, 9.4, 4000), None)
    ninety = compare(
        Metric("m", "amount"), MetricUse("m", "goal"), "new", mean_arm(10.0, 9.4, 4000), mean_arm(10.0, 9.4, 4000),
        Setting(Plan(alpha=0.1), False, 1.0),
    )  # fmt: skip
    assert edge.equivalence is not None
    assert ninety.relative is not None
    assert ninety.relative.low is not None
    assert ninety.relative.high is not None
    assert edge.equivalence.shown == (ninety.relative.low > -0.05 and ninety.relative.high < 0.05)


def test_every_test_fits_some_metric() -> None:
    did = Metric("m", "did", condition=None)
    made = [did, Metric("m", "time_to"), Metric("m", "column"), Metric("m", "ratio"), Metric("m", "amount")]
    fitting = {t for m in made for t in fitting_tests(m)} | {"woodruff", "bootstrap"}
    assert fitting == set(TESTS)


def test_from_files(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        "  spread: {amount: like, over: first 14 days, better: higher, test: brunner_munzel, show: dose}\n"
        "  few: {did: like >= 25, over: first 14 days, better: higher, test: fisher}\n"
        "  middle: {quantile: {of: like, at: 50%, across: units}, over: first 14 days, better: higher, test: bootstrap}\n"
        "  wait: {time_to: like, over: first 14 days, better: lower, test: log_rank}\n"
        "  mean_wait: {time_to: like, over: first 14 days, better: lower}\n",
        units=600,
    )
    result = abtest.run("x", folder)
    users = frame(folder)
    t, c = (users[users.t == arm].like_after for arm in (1, 0))
    found = {m.key: m.comparisons[0] for m in result.metrics}
    assert all(found[name].unadjusted == "test" for name in ("spread", "few", "middle", "wait"))
    assert found["spread"].p_value == pytest.approx(scipy.stats.brunnermunzel(c, t).pvalue, rel=1e-9)
    table = [[(t >= 25).sum(), (t < 25).sum()], [(c >= 25).sum(), (c < 25).sum()]]
    assert found["few"].p_value == pytest.approx(scipy.stats.fisher_exact(table).pvalue, rel=1e-9)
    random = np.random.default_rng(0)
    draws = [np.sort(x.to_numpy())[np.clip(random.binomial(len(x) + 1, 0.5, 200_000), 1, len(x)) - 1] for x in (t, c)]
    low, high = np.percentile(draws[0] - draws[1], [2.5, 97.5])
    middle = found["middle"].absolute
    assert middle is not None
    assert (middle.low, middle.high) == pytest.approx((low, high), abs=1.0)  # whole likes
    spread = result.metric("spread")
    dose = spread.curves[0]
    assert dose.kind == "dose"
    for point in dose.points:
        assert point.treatment.estimate == pytest.approx((t >= point.at).mean())
        assert point.control.estimate == pytest.approx((c >= point.at).mean())
        assert point.difference is not None
        assert point.difference.low is not None
        assert point.difference.low < point.difference.estimate
    survival = result.metric("mean_wait").curves[0]
    assert survival.kind == "survival"
    still = [p.control.estimate for p in survival.points]
    assert still == sorted(still, reverse=True)
    assert {b.method for b in result.metric("mean_wait").beside} == {"log_rank"}
    assert result.metric("mean_wait").beside[0].p_value == pytest.approx(found["wait"].p_value)


def test_survival_shows_nothing_of_a_few_units() -> None:
    values = (*tuple((float(day), 3) for day in range(10)), (14.0, 50))
    arm = Arm(80, 80, 0, 0, moments=Moments(80, 1.0, 1.0), values=values)
    metric = Metric("m", "time_to", window=Window(0, 13))
    curve = curves_of(metric, {"control": arm, "new": arm}, "control", 0.05, 10)[0]
    assert [p.at for p in curve.points] == [3.0, 7.0]  # four days of three each
    few = Arm(5, 5, 0, 0, moments=Moments(5, 1.0, 1.0), values=((1.0, 2), (14.0, 3)))
    assert curves_of(metric, {"control": few, "new": few}, "control", 0.05, 10)[0].reason == "no_events"


def test_no_units_at_all() -> None:
    empty = Arm(0, 0, 0, 0)
    for test in (None, "exact", "brunner_munzel", "rmst"):
        found = compared(empty, mean_arm(1.0), test)
        assert (found.status, found.reason) == ("no_test", "no_units")


def test_a_handful_of_units() -> None:
    counts = Counts(1, 1)
    one = Arm(1, 1, 0, 0, moments=counts.moments, counts=counts)
    assert compared(one, one, None).status == "ok"  # exact
    assert compared(with_values([1.0]), with_values([2.0, 3.0]), "brunner_munzel").status == "no_test"
