import itertools
import math
from typing import Literal

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from abtest.stats.contrast import Arm, contrast
from abtest.stats.distributions import t_upper
from abtest.stats.inference import Inference
from abtest.stats.lift import fieller_set
from abtest.stats.margins import (
    Better,
    Margin,
    MarginTest,
    equivalence,
    guardrail_state,
    non_inferiority,
)
from abtest.stats.means import mean_arm, welch
from abtest.stats.moments import Counts, Moments, PairMoments, moments_of, pair_of
from abtest.stats.proportions import score
from abtest.stats.ratios import delta, ratio_arm

from .samples import RATIO_CONTROL, RATIO_TREATMENT, SLEEP_1, SLEEP_2, counts, moments, pairs

betters: st.SearchStrategy[Better] = st.sampled_from(["higher", "lower"])
kinds: st.SearchStrategy[Literal["relative", "absolute"]] = st.sampled_from(["relative", "absolute"])
alphas = st.sampled_from([0.01, 0.05, 0.2])
sizes = st.floats(0.001, 0.95)


def large_proportions(margin: Margin, alpha: float = 0.05) -> tuple[Inference, MarginTest]:
    # p_c .10, p_t .098, 10 000 per arm, unpooled variances, normal quantile.
    t, c = Arm(0.098, 0.098 * 0.902 / 10_000), Arm(0.10, 0.10 * 0.90 / 10_000)
    inference = contrast(t, c, method="wald", alpha=alpha)
    return inference, non_inferiority(inference, margin, "higher", t, c)


def test_absolute_vector() -> None:
    inference, test = large_proportions(Margin("absolute", 0.01), alpha=0.10)
    assert inference.absolute is not None
    assert inference.absolute.se == pytest.approx(0.004223695, abs=1e-9)
    assert inference.absolute.low == pytest.approx(-0.008947, abs=1e-6)  # the one-sided 95 % bound
    assert test.p_value == pytest.approx(0.029107, abs=1e-6)
    assert test.p_value == pytest.approx(t_upper(1.894076, math.inf), abs=1e-6)
    assert (test.estimate, test.low) == pytest.approx((-0.2, -0.8947), abs=1e-4)


def test_relative_vector() -> None:
    _, test = large_proportions(Margin("relative", 0.05))
    assert test.p_value == pytest.approx(0.233178, abs=1e-6)
    assert test.estimate == pytest.approx(-0.4)
    assert guardrail_state(test) == "not_shown"


def test_equivalence_vector() -> None:
    # statsmodels ttost_ind(g2, g1, -3, 3, usevar="unequal")
    t, c = moments_of(SLEEP_2), moments_of(SLEEP_1)
    result = equivalence(welch(t, c), Margin("absolute", 3.0), t, c)
    assert result.p_value == pytest.approx(0.0559789, abs=1e-7)
    assert result.lower.p_value == pytest.approx(t_upper(5.394004, 17.776474), rel=1e-5)
    assert result.upper.p_value == pytest.approx(t_upper(1.672377, 17.776474), rel=1e-5)


def test_lower_is_better_is_its_own_hypothesis() -> None:
    # Refunds: control 10, treatment 11, margin 20 %. The hypothesis is 1.2 * 10 - 11 > 0; negating all values and
    # testing "higher is better" would test -11 - 0.8 * -10 = -3 > 0 or, with the sign put right, another variance.
    t, c = Moments(100, 11.0, 99 * 16.0), Moments(100, 10.0, 99 * 9.0)
    inference = welch(t, c)
    test = non_inferiority(inference, Margin("relative", 0.2), "lower", t, c)
    assert inference.df is not None
    assert test.p_value == pytest.approx(t_upper(1.0 / math.sqrt(0.16 + 1.44 * 0.09), inference.df), rel=1e-12)
    assert test.estimate == pytest.approx(-0.5)


def check_duality(test: MarginTest, alpha: float) -> None:
    """The interval and the one-sided tests say the same at the margin, from both of its sides."""
    assert test.status == "ok"
    assert test.p_value is not None
    if min(abs(test.p_value - alpha / 2), abs(1.0 - test.p_value - alpha / 2)) < 1e-9:
        return  # on the edge itself rounding decides
    assert (test.low is not None and test.low > -1.0) == (test.p_value < alpha / 2)
    assert (test.high is not None and test.high < -1.0) == (1.0 - test.p_value < alpha / 2)
    state = guardrail_state(test)
    assert (state in ("held", "held_but_worse")) == (test.p_value < alpha / 2)
    assert (state == "broken") == (1.0 - test.p_value < alpha / 2)


@given(moments(), moments(positive_mean=True), kinds, sizes, betters, alphas)
def test_duality_for_means(
    t: Moments, c: Moments, kind: Literal["relative", "absolute"], size: float, better: Better, alpha: float
) -> None:
    # Noise up to 100 around means from 0.01: many of these lifts are unbounded.
    inference = welch(t, c, alpha=alpha)
    event(f"{kind}, lift {'bounded' if inference.relative else 'unbounded'}")
    check_duality(non_inferiority(inference, Margin(kind, size), better, t, c), alpha)


@given(st.floats(-8, 8), st.floats(0.1, 1.0), st.floats(0.05, 2.0), st.floats(0.1, 1.0), sizes, betters, st.just(0.05))
def test_duality_where_the_lift_is_a_line_with_a_gap(
    mt: float, vt: float, mc: float, vc: float, size: float, better: Better, alpha: float
) -> None:
    t, c = Arm(mt, vt), Arm(mc, vc)
    inference = contrast(t, c, method="welch", alpha=alpha)
    assert inference.critical is not None
    assume(fieller_set(mt, vt, mc, vc, inference.critical).kind == "outside")
    test = non_inferiority(inference, Margin("relative", size), better, t, c)
    check_duality(test, alpha)
    # And "worse than no change" is never claimed against the absolute test, unless the margin itself is broken.
    if test.high is not None and test.high < 0.0 and guardrail_state(test) != "broken":
        assert inference.p_value is not None
        assert inference.p_value < alpha


@given(
    st.floats(-8, 8), st.floats(0.1, 1.0), st.floats(0.05, 9.0), st.floats(0.1, 1.0), st.floats(-0.9, 0.9), kinds, sizes
)
def test_duality_with_a_shared_adjustment(
    mt: float, vt: float, mc: float, vc: float, rho: float, kind: Literal["relative", "absolute"], size: float
) -> None:
    t, c, cov = Arm(mt, vt), Arm(mc, vc), rho * math.sqrt(vt * vc)
    inference = contrast(t, c, method="adjusted", cov=cov)
    for better in ("higher", "lower"):
        check_duality(non_inferiority(inference, Margin(kind, size), better, t, c, cov=cov), 0.05)


@given(pairs(), pairs(), kinds, sizes, betters, alphas)
def test_duality_for_ratios(
    t: PairMoments,
    c: PairMoments,
    kind: Literal["relative", "absolute"],
    size: float,
    better: Better,
    alpha: float,
) -> None:
    check_duality(non_inferiority(delta(t, c, alpha=alpha), Margin(kind, size), better, t, c), alpha)


@given(counts(), counts(), kinds, sizes, betters, alphas)
def test_duality_for_proportions(
    t: Counts, c: Counts, kind: Literal["relative", "absolute"], size: float, better: Better, alpha: float
) -> None:
    assume(kind == "absolute" or t.successes + c.successes > 0)
    check_duality(non_inferiority(score(t, c, alpha=alpha), Margin(kind, size), better, t, c), alpha)


def test_duality_for_every_small_table() -> None:
    for n1, n2 in itertools.product((1, 4, 9), repeat=2):
        for x1, x2 in itertools.product(range(n1 + 1), range(n2 + 1)):
            t, c = Counts(x1, n1), Counts(x2, n2)
            inference = score(t, c, alpha=0.2)
            for size, better in itertools.product((0.05, 0.4), ("higher", "lower")):
                for kind in ("absolute", "relative"):
                    if kind == "absolute" or x1 + x2:
                        test = non_inferiority(inference, Margin(kind, size), better, t, c)  # type: ignore[arg-type]
                        check_duality(test, 0.2)


@given(moments(positive_mean=True), moments(positive_mean=True), kinds, sizes, sizes, betters)
def test_a_larger_margin_is_easier_for_means(
    t: Moments, c: Moments, kind: Literal["relative", "absolute"], one: float, other: float, better: Better
) -> None:
    inference = welch(t, c)
    small, large = (
        non_inferiority(inference, Margin(kind, size), better, t, c).p_value for size in sorted((one, other))
    )
    assert small is not None
    assert large is not None
    assert large <= small * (1 + 1e-9)


@given(counts(), counts(), kinds, sizes, sizes, betters)
def test_a_larger_margin_is_easier_for_proportions(
    t: Counts, c: Counts, kind: Literal["relative", "absolute"], one: float, other: float, better: Better
) -> None:
    assume(kind == "absolute" or t.successes + c.successes > 0)
    inference = score(t, c)
    small, large = (
        non_inferiority(inference, Margin(kind, size), better, t, c).p_value for size in sorted((one, other))
    )
    assert small is not None
    assert large is not None
    assert large <= small + 1e-9


@given(moments(), moments(positive_mean=True), st.floats(0.001, 50.0), alphas)
def test_equivalence_is_the_interval_within_the_margin(t: Moments, c: Moments, size: float, alpha: float) -> None:
    inference = welch(t, c, alpha=2 * alpha)
    result = equivalence(inference, Margin("absolute", size), t, c)
    assert inference.absolute is not None
    assert inference.absolute.low is not None
    assert inference.absolute.high is not None
    assert result.p_value is not None
    assume(abs(result.p_value - alpha) > 1e-9)
    assert (result.p_value < alpha) == (-size < inference.absolute.low and inference.absolute.high < size)


@pytest.mark.parametrize(
    "low, high, state",
    [
        (-0.5, 0.5, "held"),
        (-0.5, 0.0, "held"),
        (-0.9, -0.1, "held_but_worse"),
        (-1.0, 0.2, "not_shown"),
        (-1.0, -0.2, "worse_not_shown"),
        (-3.0, -1.0, "worse_not_shown"),
        (-3.0, -1.1, "broken"),
        (None, None, "not_shown"),
        (None, -0.5, "worse_not_shown"),
        (None, -2.0, "broken"),
        (-0.5, None, "held"),
    ],
)
def test_states(low: float | None, high: float | None, state: str) -> None:
    assert guardrail_state(MarginTest("ok", None, 0.0, low, high, 0.5)) == state


def test_unbounded_lift_keeps_the_test() -> None:
    # A control mean of 0.5 with standard error 1: no lift. The treatment is so high that no loss of 20 % is in doubt.
    t, c = Arm(10.0, 1.0), Arm(0.5, 1.0)
    inference = contrast(t, c, method="welch")
    assert inference.relative_reason == "lift_undefined"
    test = non_inferiority(inference, Margin("relative", 0.2), "higher", t, c)
    assert test.p_value is not None
    assert test.p_value < 1e-6
    assert (test.high, guardrail_state(test)) == (None, "held")
    # For refunds the same data break the margin.
    assert guardrail_state(non_inferiority(inference, Margin("relative", 0.2), "lower", t, c)) == "broken"
    # Nothing can be said when the treatment is as uncertain as the control.
    t = Arm(0.6, 1.0)
    test = non_inferiority(contrast(t, c, method="welch"), Margin("relative", 0.2), "higher", t, c)
    assert (test.low, test.high, guardrail_state(test)) == (None, None, "not_shown")
    assert test.p_value is not None
    assert test.p_value > 0.025


def test_no_test() -> None:
    t, c = moments_of([1.0, 1.0]), moments_of([2.0, 2.0])
    constant = non_inferiority(welch(t, c), Margin("relative", 0.1), "higher", t, c)
    assert (constant.status, constant.reason, constant.estimate) == ("no_test", "zero_variance", -5.0)
    assert guardrail_state(constant) == "no_test"
    worse = non_inferiority(welch(t, c), Margin("absolute", 0.5), "lower", t, c)
    assert (worse.estimate, worse.low, worse.p_value) == (2.0, None, None)
    zero = moments_of([0.0, 0.0])
    assert non_inferiority(welch(zero, zero), Margin("relative", 0.1), "higher", zero, zero).estimate is None
    empty = moments_of([])
    assert non_inferiority(welch(empty, c), Margin("absolute", 0.1), "higher", empty, c).reason == "no_units"
    assert equivalence(welch(t, c), Margin("absolute", 0.1), t, c).p_value is None
    none = Counts(0, 0)
    assert non_inferiority(score(none, none), Margin("absolute", 0.1), "higher", none, none).reason == "no_units"


def test_arms_that_move_as_one_leave_nothing_to_test_at_their_margin() -> None:
    t, c = Arm(1.0, 0.25), Arm(1.0, 1.0)  # correlation 1: m_t - m_c / 2 has no variance
    test = non_inferiority(contrast(t, c, method="adjusted", cov=0.5), Margin("relative", 0.5), "higher", t, c, cov=0.5)
    assert (test.status, test.reason) == ("no_test", "zero_variance")


def test_a_relative_margin_needs_a_positive_control() -> None:
    t, c = moments_of([1.0, 2.0]), moments_of([-1.0, 1.0])
    test = non_inferiority(welch(t, c), Margin("relative", 0.1), "higher", t, c)
    assert (test.status, test.reason) == ("no_test", "control_not_positive")
    assert non_inferiority(welch(t, c), Margin("absolute", 0.1), "higher", t, c).status == "ok"
    nothing = Counts(0, 50)
    test = non_inferiority(score(nothing, nothing), Margin("relative", 0.1), "higher", nothing, nothing)
    assert (test.status, test.reason) == ("no_test", "control_not_positive")
    some = Counts(20, 50)
    test = non_inferiority(score(some, nothing), Margin("relative", 0.1), "lower", some, nothing)
    assert (test.estimate, test.low, guardrail_state(test)) == (None, None, "broken")


def test_every_kind_of_arm_is_accepted() -> None:
    t, c = moments_of(SLEEP_2), moments_of(SLEEP_1)
    margin = Margin("absolute", 1.0)
    assert non_inferiority(welch(t, c), margin, "higher", t, c) == non_inferiority(
        welch(t, c), margin, "higher", mean_arm(t), mean_arm(c)
    )
    rt, rc = pair_of(*RATIO_TREATMENT), pair_of(*RATIO_CONTROL)
    assert non_inferiority(delta(rt, rc), margin, "lower", rt, rc) == non_inferiority(
        delta(rt, rc), margin, "lower", ratio_arm(rt), ratio_arm(rc)
    )
    # Proportions whose interval was made as a mean (adjusted, sequential) are tested as means.
    pt, pc = Counts(40, 100), Counts(50, 100)
    as_mean = welch(pt.moments, pc.moments)
    assert non_inferiority(as_mean, margin, "higher", pt, pc) == non_inferiority(
        as_mean, margin, "higher", pt.moments, pc.moments
    )


def test_an_always_valid_interval_has_no_p_value_of_its_own() -> None:
    t, c = moments_of(SLEEP_2), moments_of(SLEEP_1)
    test = non_inferiority(welch(t, c, critical=3.0), Margin("absolute", 4.0), "higher", t, c)
    assert test.p_value is None
    assert test.low is not None
    assert guardrail_state(test) == "held"


@pytest.mark.parametrize("size", [0.0, -0.1, math.nan, math.inf])
def test_a_margin_is_positive(size: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        Margin("relative", size)


def test_margins_that_allow_everything_are_refused() -> None:
    t, c = Counts(5, 10), Counts(5, 10)
    with pytest.raises(ValueError, match="margin"):
        non_inferiority(score(t, c), Margin("relative", 1.0), "higher", t, c)
    with pytest.raises(ValueError, match="margin"):
        non_inferiority(score(t, c), Margin("absolute", 1.0), "lower", t, c)
    assert non_inferiority(score(t, c), Margin("relative", 1.5), "lower", t, c).status == "ok"
