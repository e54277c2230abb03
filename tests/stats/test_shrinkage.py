"""What selection does to estimates: published numbers, simulated programs whose truth is known, and laws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from abtest.stats.heterogeneity import shrink
from abtest.stats.shrinkage import conditional_estimate, program, type_errors, winners_curse

CUT = 1.959963985


def test_a_program() -> None:
    effects = [0.03, -0.01, 0.05, 0, 0.02, -0.02, 0.04, 0.01]
    found = program(effects, [0.02] * 8)
    expected = (0.02, 0.006667, 0.026667, 0.01, 0.016667, 0.003333, 0.023333, 0.013333)
    assert [e.estimate for e in found.effects] == pytest.approx(expected, abs=1e-6)
    assert found.kept == pytest.approx([1 / 3] * 8)
    assert (found.status, found.reason) == ("ok", "few_groups")
    assert [e.se for e in found.effects] == list(shrink(effects, [0.02] * 8).total_sds)
    assert program([0.1], [0.1]).reason == "one_group"


def test_intervals_of_a_program_hold_the_truths() -> None:
    """200 programs of 30 experiments, 6000 intervals at 95 %: between 93 and 97 % hold (see the page for fewer)."""
    random = np.random.default_rng(1)
    held = total = 0
    for _ in range(200):
        truths = random.normal(0.01, 0.02, 30)
        found = program((truths + random.normal(0, 0.02, 30)).tolist(), [0.02] * 30)
        for truth, shown in zip(truths, found.effects, strict=True):
            assert shown.low is not None
            assert shown.high is not None
            held += shown.low <= truth <= shown.high
            total += 1
    assert 0.93 < held / total < 0.97


def test_lee_and_shen() -> None:
    found = winners_curse([2.5], [1.0], 1.96)
    assert found.excess == pytest.approx(0.344818, abs=1e-6)
    assert (found.count, found.raw) == (1, 2.5)
    # One that was not shipped adds to what the sum is too large by, not to the sum.
    more = winners_curse([2.5, 1.5], [1.0, 1.0], [1.96, 1.96])
    assert (more.count, more.raw) == (1, 2.5)
    assert more.excess > found.excess


def test_what_lee_and_shen_leave() -> None:
    """20,000 programs of 10. The raw sum is too large by sum phi(c - a), a the true effects (their eq. 2). With estimates
    in place of a, N(a, 1), it takes off sum phi((c - a) / sqrt 2) / sqrt 2. Both within 4 Monte-Carlo errors."""
    random = np.random.default_rng(2)
    truths = np.linspace(-1.0, 3.0, 10)
    x = random.normal(truths, 1.0, (20_000, 10))
    true_sums = (truths * (x > CUT)).sum(axis=1)
    found = [winners_curse(row.tolist(), [1.0] * 10, CUT) for row in x]
    too_large = scipy.stats.norm.pdf(CUT - truths).sum()
    taken = scipy.stats.norm.pdf(CUT - truths, scale=math.sqrt(2)).sum()
    raw = np.array([f.raw for f in found]) - true_sums
    corrected = np.array([f.corrected for f in found]) - true_sums
    assert raw.mean() == pytest.approx(too_large, abs=4 * raw.std() / math.sqrt(len(x)))
    assert corrected.mean() == pytest.approx(too_large - taken, abs=4 * corrected.std() / math.sqrt(len(x)))
    assert 0 < corrected.mean() < 0.2 * raw.mean()


def test_conditional_estimates() -> None:
    assert conditional_estimate(2.5, 1.0, 1.96, sides=1) == pytest.approx(1.033066, abs=1e-6)
    assert conditional_estimate(2.5, 1.0, 1.96) == pytest.approx(1.137831, abs=1e-6)
    # A true effect of 1 looks like this where it is significant.
    assert scipy.stats.truncnorm.mean(0.96, np.inf, loc=1.0) == pytest.approx(2.493194, abs=1e-6)
    assert conditional_estimate(2.493194, 1.0, 1.96, sides=1) == pytest.approx(1.0, abs=1e-5)


@given(st.floats(0.0, 4.0), st.floats(0.01, 8.0), st.floats(0.1, 10.0))
def test_conditional_estimates_solve_their_equation(cut: float, over: float, se: float) -> None:
    z = cut + over
    one = conditional_estimate(z * se, se, cut, sides=1) / se
    a, b = cut - one, np.inf
    # scipy's truncated normal loses its digits far from the cut.
    if a < 30:
        assert scipy.stats.truncnorm.mean(a, b, loc=one) == pytest.approx(z, rel=1e-6)
    two = conditional_estimate(z * se, se, cut) / se
    weights = scipy.stats.norm.sf(cut - two), scipy.stats.norm.cdf(-cut - two)
    up = two + scipy.stats.norm.pdf(cut - two) / weights[0]
    down = two - scipy.stats.norm.pdf(cut + two) / weights[1] if weights[1] > 0 else 0.0
    assert (weights[0] * up + weights[1] * down) / sum(weights) == pytest.approx(z, rel=1e-6)
    assert one <= two + 1e-9 <= z + 2e-9
    assert conditional_estimate(-z * se, se, cut) == pytest.approx(-two * se)


@given(st.floats(1e-6, 0.02))
def test_just_beyond_the_cut_it_is_far_below(over: float) -> None:
    one = conditional_estimate(CUT + over, 1.0, CUT, sides=1)
    # E[X | X > c] - c is nearly 1 / (c - theta) far out.
    assert CUT - one == pytest.approx(1 / over, rel=0.05)


def test_a_large_effect_stays_as_it_is() -> None:
    assert conditional_estimate(12.0, 1.0) == pytest.approx(12.0, abs=1e-9)
    assert conditional_estimate(12.0, 1.0, sides=1) == pytest.approx(12.0, abs=1e-9)


def test_gelman_and_carlin() -> None:
    found = type_errors(2.0, 8.1)
    assert found.power == pytest.approx(0.0570, abs=5e-5)
    assert found.sign == pytest.approx(0.2396, abs=5e-5)
    assert found.magnitude == pytest.approx(9.54, abs=5e-3)


@pytest.mark.parametrize("effect", [0.3, 1.0, 2.8, -2.8])
def test_type_errors_by_simulation(effect: float) -> None:
    x = np.random.default_rng(6).normal(effect, 1.0, 2_000_000)
    chosen = x[np.abs(x) > CUT]
    found = type_errors(effect, 1.0)
    assert len(chosen) / len(x) == pytest.approx(found.power, abs=5e-4 * 4)
    assert (np.sign(chosen) != np.sign(effect)).mean() == pytest.approx(
        found.sign, abs=4 * 0.5 / math.sqrt(len(chosen))
    )
    error = np.abs(chosen).std() / math.sqrt(len(chosen)) / abs(effect)
    assert np.abs(chosen).mean() / abs(effect) == pytest.approx(found.magnitude, abs=4 * error)


@given(st.floats(0.01, 20), st.floats(0.01, 10))
def test_more_power_less_exaggeration(effect: float, se: float) -> None:
    one, other = type_errors(effect, se), type_errors(1.1 * effect, se)
    assert other.power >= one.power * (1 - 1e-12)
    assert other.magnitude <= one.magnitude * (1 + 1e-9)
    assert other.sign <= one.sign * (1 + 1e-9)
    assert one.magnitude >= 1 - 1e-9
    assert type_errors(-effect, se) == one


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: winners_curse([1.0], [1.0, 2.0], 1.96), "per estimate"),
        (lambda: winners_curse([1.0], [1.0], [1.0, 2.0]), "per estimate"),
        (lambda: winners_curse([1.0], [0.0], 1.96), "positive"),
        (lambda: conditional_estimate(1.0, 1.0), "nothing was selected"),
        (lambda: conditional_estimate(-3.0, 1.0, sides=1), "nothing was selected"),
        (lambda: conditional_estimate(3.0, 0.0), "standard error"),
        (lambda: type_errors(0.0, 1.0), "other than 0"),
    ],
)
def test_what_was_not_selected(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
