"""After a stop: simulated stops against their truth, duality with the boundaries, and the fixed test as a limit."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from abtest.stats.group_sequential import boundaries
from abtest.stats.spending import OBRIEN_FLEMING, POCOCK, Sides, Spending
from abtest.stats.stopped import repeated_interval, repeated_p, stagewise

spendings = st.sampled_from([OBRIEN_FLEMING, POCOCK, Spending("hwang_shih_decani", -4.0)])
TIMES = (0.25, 0.5, 1.0)


def test_one_look_is_the_ordinary_test() -> None:
    found = stagewise(boundaries([1.0]), 1, 0.5, 0.2)
    assert found.p_value == pytest.approx(2 * scipy.stats.norm.sf(2.5), rel=1e-9)
    assert found.estimate.estimate == pytest.approx(0.5)
    assert found.estimate.low == pytest.approx(0.5 - 1.959964 * 0.2, abs=1e-6)
    assert found.estimate.high == pytest.approx(0.5 + 1.959964 * 0.2, abs=1e-6)
    assert repeated_p(2.5, [1.0]) == pytest.approx(found.p_value, rel=1e-6)


@pytest.mark.parametrize("sides, alpha", [(1, 0.025), (2, 0.05)])
@pytest.mark.parametrize("truth", [0.0, 2.0])
def test_stagewise_by_simulation(sides: Sides, alpha: float, truth: float) -> None:
    """Estimates lie above the truth as often as below, intervals hold it in 95 of 100, p is uniform without an effect.

    400 stops; each band holds at least .9999 of the binomial.
    """
    design = boundaries(TIMES, alpha, POCOCK, sides=sides)
    random = np.random.default_rng(20)
    runs = 400
    steps = random.standard_normal((runs, 3)) * np.sqrt(np.diff([0.0, *TIMES]))
    z = np.cumsum(steps, axis=1) / np.sqrt(TIMES) + truth * np.sqrt(TIMES)
    above = inside = small = 0
    for path in z:
        over = (np.abs(path) if sides == 2 else path) >= np.array(design.bounds)
        look = int(over.argmax()) if over.any() else 2
        # In units of the drift: estimate = z / sqrt(t), se = 1 / sqrt(t).
        found = stagewise(
            design, look + 1, path[look] / math.sqrt(TIMES[look]), 1 / math.sqrt(TIMES[look]), alpha=alpha
        )
        low, high = found.estimate.low, found.estimate.high
        assert low is not None
        above += found.estimate.estimate > truth
        inside += low <= truth and (high is None or truth <= high)
        small += found.p_value < 0.2
        assert (found.p_value < alpha) == bool(over.any())
    bands = {0.5: above, 1 - alpha: inside, **({0.2: small} if truth == 0.0 else {})}
    for rate, count in bands.items():
        a, b = scipy.stats.binom.ppf([0.00005, 0.99995], runs, rate)
        assert a <= count <= b, (rate, count)


@settings(max_examples=30)
@given(st.integers(1, 3), st.floats(-5, 5), spendings)
def test_stagewise_agrees_with_the_decision_and_with_itself(look: int, z: float, spending: Spending) -> None:
    design = boundaries(TIMES, 0.05, spending)
    crossed = abs(z) >= design.bounds[look - 1]
    assume((crossed or look == 3) and abs(abs(z) - design.bounds[look - 1]) > 1e-6)
    found, mirror = stagewise(design, look, z, 1.0), stagewise(design, look, -z, 1.0)
    low, high = found.estimate.low, found.estimate.high
    assert low is not None
    assert high is not None
    assert low < found.estimate.estimate < high
    assert (found.p_value <= 0.05) == crossed == (not low <= 0.0 <= high)
    assert mirror.p_value == pytest.approx(found.p_value, rel=1e-6)
    assert mirror.estimate.estimate == pytest.approx(-found.estimate.estimate, abs=1e-6)
    # The estimate is pulled towards zero, against the winner's curse.
    assert abs(found.estimate.estimate) <= abs(z) + 1e-6


@settings(max_examples=20)
@given(st.integers(1, 5), st.floats(0.5, 6), spendings, st.sampled_from([1, 2]))
def test_repeated_p_is_dual_to_the_boundary(look: int, z: float, spending: Spending, sides: Sides) -> None:
    times = [k / 5 for k in range(1, look + 1)]
    bound = boundaries(times, 0.05, spending, sides=sides).bounds[-1]
    assume(abs(z - bound) > 1e-4)
    assert (repeated_p(z, times, spending, sides=sides) < 0.05) == (z > bound)


def test_repeated_p_at_the_boundary() -> None:
    for spending in (OBRIEN_FLEMING, POCOCK):
        for k in range(2, 6):
            times = [j / 5 for j in range(1, k + 1)]
            bound = boundaries(times, 0.01, spending).bounds[-1]
            assert repeated_p(-bound, times, spending) == pytest.approx(0.01, rel=1e-5)
    assert repeated_p(0.0, [0.5, 1.0]) == 1.0
    assert repeated_p(-3.0, [0.5, 1.0], sides=1) == 1.0
    assert repeated_p(50.0, [0.5, 1.0]) == 1e-12


def test_repeated_intervals_by_simulation() -> None:
    """All five intervals hold the truth in at least 95 of 100 experiments (and at most 96: the boundary is exact)."""
    times = np.arange(1, 6) / 5
    bounds = boundaries(times.tolist()).bounds
    runs = 4000
    z = np.cumsum(np.random.default_rng(3).standard_normal((runs, 5)) * np.sqrt(0.2), axis=1) / np.sqrt(times)
    held = 0
    for path in z:
        intervals = [repeated_interval(1.0 + 0.1 * value, 0.1, b) for value, b in zip(path, bounds, strict=True)]
        held += all(i.low is not None and i.high is not None and i.low <= 1.0 <= i.high for i in intervals)
    low, high = scipy.stats.binom.ppf([0.00005, 0.99995], runs, 0.95)
    assert low <= held <= high


def test_intervals_without_ends() -> None:
    assert repeated_interval(1.0, 1.0, math.inf).low is None
    one = repeated_interval(1.0, 1.0, 2.0, sides=1)
    assert (one.low, one.high) == (-1.0, None)


def test_nothing_has_stopped() -> None:
    design = boundaries([0.5, 1.0])
    with pytest.raises(ValueError, match="not stopped"):
        stagewise(design, 1, 1.0, 1.0)
    with pytest.raises(ValueError, match="counted from 1"):
        stagewise(design, 3, 1.0, 1.0)
    with pytest.raises(ValueError, match="standard error"):
        stagewise(design, 2, 1.0, 0.0)
    with pytest.raises(ValueError, match="standard error"):
        repeated_interval(1.0, -1.0, 2.0)
