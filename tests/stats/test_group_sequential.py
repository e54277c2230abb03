"""Group sequential boundaries: published tables, an independent Monte-Carlo, and laws of spending."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from abtest.stats.group_sequential import (
    GroupDesign,
    boundaries,
    bounds_for,
    classical,
    drift_for,
    exits,
    expected_information,
    inflation,
    power_of,
)
from abtest.stats.peeking import naive_error
from abtest.stats.spending import OBRIEN_FLEMING, POCOCK, Sides, Spending, spent

FIVE = (0.2, 0.4, 0.6, 0.8, 1.0)
RUNS = 200_000


def hsd(gamma: float) -> Spending:
    return Spending("hwang_shih_decani", gamma)


spendings = st.one_of(st.just(OBRIEN_FLEMING), st.just(POCOCK), st.floats(-8, 4).map(hsd))
looks = st.lists(st.integers(1, 40), min_size=1, max_size=6, unique=True).map(lambda ks: [k / 40 for k in sorted(ks)])


@lru_cache(maxsize=4)
def walks(times: tuple[float, ...]) -> np.ndarray:
    """z at each look without an effect, of RUNS experiments."""
    steps = np.diff([0.0, *times])
    score = np.cumsum(np.random.default_rng(15).standard_normal((RUNS, len(times))) * np.sqrt(steps), axis=1)
    return np.asarray(score / np.sqrt(times))


def first_exits(design: GroupDesign, drift: float = 0.0) -> list[int]:
    """How many of RUNS simulated experiments stop at each look; the last number: those that never do."""
    z = walks(design.times) + drift * np.sqrt(design.times)
    over = (np.abs(z) if design.sides == 2 else z) >= np.array(design.bounds)
    at = np.where(over.any(axis=1), over.argmax(axis=1), len(design.times))
    return np.bincount(at, minlength=len(design.times) + 1).tolist()


@pytest.mark.parametrize(
    "spending, expected",
    [
        (OBRIEN_FLEMING, (4.8769, 3.3570, 2.6803, 2.2898, 2.0310)),
        (POCOCK, (2.4380, 2.4268, 2.4102, 2.3966, 2.3860)),
        (hsd(-4), (3.2527, 2.9860, 2.6917, 2.3737, 2.0253)),
        (hsd(-2), (2.8903, 2.7085, 2.5141, 2.3150, 2.1100)),
        (hsd(1), (2.4487, 2.4190, 2.3984, 2.3912, 2.3948)),
    ],
)
def test_published_boundaries(spending: Spending, expected: tuple[float, ...]) -> None:
    # R packages ldbounds and gsDesign, two-sided 5 %.
    assert boundaries(FIVE, 0.05, spending).bounds == pytest.approx(expected, abs=1e-4)


def test_published_boundaries_at_unequal_looks() -> None:
    assert boundaries([0.3, 0.5, 1]).bounds == pytest.approx((3.9286, 2.9656, 1.9686), abs=1e-4)


def test_spent_by_obrien_fleming() -> None:
    assert [spent(t, 0.05) for t in FIVE] == pytest.approx([1e-6, 0.000788, 0.007616, 0.024424, 0.05], abs=5e-7)
    # The one-sided formula at the whole alpha, a usual mistake, would give 4.383 at the first look.
    assert boundaries([0.2]).bounds[0] == pytest.approx(4.8769, abs=1e-4)


@pytest.mark.parametrize("shape, constant, factor", [(0.5, 2.413176, 1.229), (0.0, 2.040073, 1.028)])
def test_classical_constants(shape: float, constant: float, factor: float) -> None:
    # Jennison & Turnbull 2000, tables 2.1 to 2.4: five looks, two-sided 5 %, power 80 %.
    design = classical(5, shape=shape)
    assert design.bounds[-1] == pytest.approx(constant, abs=1e-6)
    assert inflation(design) == pytest.approx(factor, abs=5e-4)
    assert design.cumulative[-1] == pytest.approx(0.05, abs=1e-9)


@pytest.mark.parametrize("looks, constant", [(2, 2.178), (3, 2.289), (4, 2.361), (10, 2.555), (20, 2.672)])
def test_pocock_for_other_numbers_of_looks(looks: int, constant: float) -> None:
    # Jennison & Turnbull 2000, table 2.1.
    assert classical(looks).bounds[0] == pytest.approx(constant, abs=6e-4)


@pytest.mark.parametrize("spending, factor", [(OBRIEN_FLEMING, 1.0247), (POCOCK, 1.2124), (hsd(-4), 1.0254)])
def test_inflation(spending: Spending, factor: float) -> None:
    assert inflation(boundaries(FIVE, 0.05, spending)) == pytest.approx(factor, abs=5e-4)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("spending", [OBRIEN_FLEMING, POCOCK, hsd(-4)])
@pytest.mark.parametrize("drift", [0.0, 1.0, 2.8, 5.0])
def test_where_it_stops_by_simulation(spending: Spending, sides: Sides, drift: float) -> None:
    """Counts per look are binomial around the computed probabilities; each band holds .99999 of it."""
    design = boundaries((0.1, 0.25, 0.7, 1.0), 0.05, spending, sides=sides)
    found = exits(design, drift)
    for count, up, down in zip(first_exits(design, drift), found.upper, found.lower, strict=False):
        low, high = scipy.stats.binom.ppf([5e-6, 1 - 5e-6], RUNS, up + down)
        assert low <= count <= high


def test_expected_information_by_simulation() -> None:
    design = boundaries(FIVE)
    stops = first_exits(design, 2.8)
    at = np.repeat([*FIVE, 1.0], stops)
    assert expected_information(design, 2.8) == pytest.approx(at.mean(), abs=5 * at.std() / math.sqrt(RUNS))


@settings(max_examples=30)
@given(looks, spendings, st.floats(0.001, 0.4), st.sampled_from([1, 2]))
def test_spends_just_what_it_may(times: list[float], spending: Spending, alpha: float, sides: Sides) -> None:
    design = boundaries(times, alpha, spending, sides=sides)
    found = exits(design)
    used = np.cumsum(np.add(found.upper, found.lower))
    tested = np.isfinite(design.bounds)
    assert used[tested] == pytest.approx(np.array(design.cumulative)[tested], rel=1e-6, abs=1e-9)
    assert np.all(used <= np.array(design.cumulative) * (1 + 1e-6) + 1e-9)
    if sides == 2:
        assert found.upper == pytest.approx(found.lower, rel=1e-9, abs=1e-15)


@settings(max_examples=30)
@given(looks, spendings)
def test_later_looks_do_not_change_earlier_boundaries(times: list[float], spending: Spending) -> None:
    whole = boundaries(times, 0.05, spending).bounds
    for k in range(1, len(times)):
        assert boundaries(times[:k], 0.05, spending).bounds == pytest.approx(whole[:k], abs=1e-7)


@settings(max_examples=30)
@given(looks, spendings, st.floats(0.0, 6.0))
def test_mirrored_effects_stop_by_mirrored_boundaries(times: list[float], spending: Spending, drift: float) -> None:
    design = boundaries(times, 0.05, spending)
    up, down = exits(design, drift), exits(design, -drift)
    assert up.upper == pytest.approx(down.lower, abs=1e-12)
    assert up.lower == pytest.approx(down.upper, abs=1e-12)
    # A larger effect is found at least as often.
    assert power_of(design, drift + 0.1) >= power_of(design, drift) - 1e-9


def test_one_look_is_the_fixed_test() -> None:
    assert boundaries([1.0]).bounds[0] == pytest.approx(1.959963985, abs=1e-8)
    assert boundaries([1.0], 0.025, POCOCK, sides=1).bounds[0] == pytest.approx(1.959963985, abs=1e-8)
    assert inflation(boundaries([1.0]), 0.8) == pytest.approx(1.0, abs=1e-5)
    assert drift_for(boundaries([1.0], sides=1), 0.8) == pytest.approx(1.6448536 + 0.8416212, abs=1e-6)


@pytest.mark.parametrize("looks", [2, 5, 20])
def test_naive_looks_as_the_peeking_check_has_them(looks: int) -> None:
    times = tuple(k / looks for k in range(1, looks + 1))
    found = exits(GroupDesign(times, (1.959963985,) * looks, (), 0.05, 2))
    assert sum(found.upper) + sum(found.lower) == pytest.approx(naive_error(looks), abs=1e-8)


def test_overrun_and_underrun() -> None:
    planned = boundaries([0.5, 1.0])
    over = boundaries([0.5, 1.2])
    assert over.cumulative == planned.cumulative
    # More information since the first look: less in common with it, so a slightly higher bound for the same error.
    assert planned.bounds[1] < over.bounds[1] < 1.9775
    under = boundaries([0.5, 0.8], final=True)
    assert under.cumulative[-1] == 0.05
    assert under.bounds[1] < boundaries([0.5, 0.8]).bounds[1]
    for design in (over, under):
        found = exits(design)
        assert sum(found.upper) + sum(found.lower) == pytest.approx(0.05, abs=1e-9)


def test_a_look_with_next_to_nothing_is_not_tested() -> None:
    # At 1 % of the information O'Brien & Fleming would spend 1e-111.
    early = boundaries([0.01, 0.5, 1.0])
    assert early.bounds[0] == math.inf
    assert early.bounds[1:] == boundaries([0.5, 1.0]).bounds
    twice = boundaries([0.5, 0.50001, 1.0], 0.05, POCOCK)
    assert twice.bounds[1] == math.inf
    found = exits(twice)
    assert sum(found.upper) + sum(found.lower) == pytest.approx(0.05, abs=1e-9)


def test_many_looks() -> None:
    times = tuple(k / 100 for k in range(1, 101))
    found = exits(boundaries(times, 0.05, POCOCK))
    assert sum(found.upper) + sum(found.lower) == pytest.approx(0.05, abs=1e-8)


@pytest.mark.parametrize(
    "times, message",
    [
        ([], "at least one look"),
        ([0.5, 0.5], "look 2 has no more information"),
        ([0.5, 0.4, 1.0], "look 2 has no more information"),
        ([0.0, 1.0], "positive"),
        ([0.5, math.nan], "positive"),
        ([0.5, 1.0, 1.1], "nothing is left to spend"),
    ],
)
def test_looks_that_cannot_be(times: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        boundaries(times)


def test_boundaries_that_cannot_be_met() -> None:
    with pytest.raises(ValueError, match="must not fall"):
        bounds_for([0.5, 1.0], [0.04, 0.03])
    with pytest.raises(ValueError, match="strictly between"):
        bounds_for([0.5, 1.0], [0.5, 1.5])
    with pytest.raises(ValueError, match="per look"):
        bounds_for([0.5, 1.0], [0.05])
    with pytest.raises(ValueError, match="look 2 brings no information"):
        boundaries([0.5, 0.500001], final=True)
    with pytest.raises(ValueError, match="gamma"):
        boundaries([0.5, 1.0], 0.05, hsd(1e4))
    with pytest.raises(ValueError, match="alpha"):
        boundaries([1.0], 0.0)
    with pytest.raises(ValueError, match="look and a shape"):
        classical(0)
    with pytest.raises(ValueError, match="power"):
        drift_for(boundaries([1.0]), 0.04)
    with pytest.raises(ValueError, match="fraction"):
        spent(-0.1, 0.05)
