"""Moderators: against least squares from rows by statsmodels, and the laws of the values where an effect is clear."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import assume, given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from abtest.stats.inference import Estimate
from abtest.stats.moderator import (
    Grouped,
    Moderation,
    clear_regions,
    effect_at,
    false_discovery_critical,
    inner_range,
    moderation,
    statistics_along,
)
from abtest.stats.moments import moments_of

from .test_calibration import assert_calibrated

Row = tuple[float, float]


def grouped(rows: list[Row]) -> Grouped:
    return [(x, moments_of([y for z, y in rows if z == x])) for x in {x for x, _ in rows}]


def ols(control: list[Row], treatment: list[Row]) -> Any:
    rows = [(0.0, *r) for r in control] + [(1.0, *r) for r in treatment]
    t, x, y = (np.array(c) for c in zip(*rows, strict=True))
    return sm.OLS(y, np.column_stack([np.ones(len(t)), t, x, t * x])).fit(cov_type="HC2", use_t=True)


@st.composite
def arms(draw: st.DrawFn) -> list[Row]:
    """Units in pairs of one age each, so that no unit decides a slope alone."""
    whole = st.integers(-9, 30).map(float)
    pairs = draw(
        st.lists(st.tuples(st.sampled_from([18.0, 20.0, 31.5, 47.0, 66.0]), whole, whole), min_size=3, max_size=20)
    )
    return [(x, y) for x, *both in pairs for y in both]


@given(arms(), arms())
def test_it_is_least_squares_from_rows(control: list[Row], treatment: list[Row]) -> None:
    found = moderation(grouped(control), grouped(treatment))
    if any(len({x for x, _ in arm}) < 2 for arm in (control, treatment)):
        assert found.reason == "constant"
        return
    if found.status != "ok":
        assert found.reason == "zero_variance"
        return
    fit = ols(control, treatment)
    assume(fit.bse[3] > 1e-6)
    assert found.slope is not None
    assert found.slope.estimate == pytest.approx(fit.params[3], rel=1e-8, abs=1e-9)
    assert found.slope.se == pytest.approx(fit.bse[3], rel=1e-7)
    assert found.p_value == pytest.approx(fit.pvalues[3], rel=1e-6, abs=1e-9)
    assert found.slope.low == pytest.approx(fit.conf_int()[3][0], rel=1e-6, abs=1e-7)
    contrast = np.array([0.0, 1.0, 0.0, 40.0])
    at = effect_at(found, 40.0, critical=2.0)
    assert at.estimate == pytest.approx(contrast @ fit.params, rel=1e-8, abs=1e-8)
    assert at.se == pytest.approx(math.sqrt(contrast @ fit.cov_params() @ contrast), rel=1e-6)


def test_the_vector_of_the_design() -> None:
    """b1 = -.5, b3 = .2, v1 = .04, v3 = .0025, c = -.007: roots .787950 and 4.022482."""
    known = Moderation("ok", None, 500, Estimate(0.2, se=0.05), 4.0, 496.0, 1e-4, 0.0, -0.5, 0.2, -0.007)
    first, second = clear_regions(known, 0.0, 10.0, critical=1.959963985)
    assert (first.low, first.sign, second.high, second.sign) == (0.0, -1, 10.0, 1)
    assert first.high == pytest.approx(0.787950, abs=1e-6)
    assert second.low == pytest.approx(4.022482, abs=1e-6)
    # The same line seen from another centre.
    moved = Moderation(
        "ok",
        None,
        500,
        Estimate(0.2, se=0.05),
        4.0,
        496.0,
        1e-4,
        3.0,
        0.1,
        math.sqrt(0.04 - 0.042 + 0.0225),
        -0.007 + 0.0075,
    )
    assert clear_regions(moved, 0.0, 10.0, critical=1.959963985)[0].high == pytest.approx(0.787950, abs=1e-6)


@given(arms(), arms(), st.sampled_from([1.5, 2.0, 3.0]))
def test_regions_are_where_the_interval_leaves_zero(control: list[Row], treatment: list[Row], critical: float) -> None:
    found = moderation(grouped(control), grouped(treatment))
    assume(found.status == "ok")
    regions = clear_regions(found, 18.0, 66.0, critical=critical)
    for value in np.linspace(18.0, 66.0, 49):
        at = effect_at(found, float(value), critical=critical)
        assert at.se is not None
        if abs(abs(at.estimate) - critical * at.se) < 1e-6 * (1.0 + abs(at.estimate)):
            continue
        own = [r for r in regions if r.low <= value <= r.high]
        assert bool(own) == (abs(at.estimate) > critical * at.se)
        assert all(r.sign == (1 if at.estimate > 0 else -1) for r in own)


@given(arms(), arms(), st.sampled_from([1e-6, 0.5, 1e6]), st.sampled_from([0.0, 1e3, -7.0]))
def test_units_of_the_moderator_do_not_matter(
    control: list[Row], treatment: list[Row], size: float, shift: float
) -> None:
    found = moderation(grouped(control), grouped(treatment))
    assume(found.status == "ok")
    moved = [[(size * (x + shift), y) for x, y in arm] for arm in (control, treatment)]
    other = moderation(grouped(moved[0]), grouped(moved[1]))
    assert other.statistic == pytest.approx(found.statistic, rel=1e-6, abs=1e-9)
    swapped = moderation(grouped(treatment), grouped(control))
    assert swapped.statistic == pytest.approx(-(found.statistic or 0.0), rel=1e-9, abs=1e-12)


@given(st.lists(st.floats(-6, 6), min_size=1, max_size=60), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_critical_value_rejects_what_benjamini_hochberg_does(z: list[float], alpha: float) -> None:
    p = 2 * scipy.stats.norm.sf(np.abs(z))
    rejected = multipletests(p, alpha, method="fdr_bh")[0]
    critical = false_discovery_critical(z, alpha=alpha)
    for one, wanted in zip(z, rejected, strict=True):
        if abs(abs(one) - critical) > 1e-9:
            assert (abs(one) > critical) == wanted


def test_statuses() -> None:
    plain = [(x, moments_of([1.0, 2.0, 4.0])) for x in (1.0, 2.0)]
    assert moderation(plain, [(3.0, moments_of([1.0, 2.0, 5.0]))]).reason == "constant"
    assert moderation(plain, [(3.0, moments_of([1.0]))]).reason == "not_enough_units"
    alone = [(1.0, moments_of([1.0, 2.0, 3.0])), (9.0, moments_of([4.0]))]
    assert moderation(plain, alone).reason == "not_enough_units"
    exact = [(x, moments_of([x, x])) for x in (1.0, 2.0, 3.0)]
    assert moderation(exact, exact).reason == "zero_variance"
    assert inner_range([plain], at_least=4) is None
    assert inner_range([plain], at_least=3) == (1.0, 2.0)
    for wrong in (lambda: false_discovery_critical([]), lambda: effect_at(moderation(exact, exact), 1.0, critical=2.0)):
        with pytest.raises(ValueError):
            wrong()


def test_false_alarms_with_unequal_spread() -> None:
    """2,000 experiments of 40 and 60 units without any difference of slopes, where the spread grows with the moderator."""
    random = np.random.default_rng(11)
    p = []
    for _ in range(2000):
        pair = []
        for n in (40, 60):
            x = random.integers(0, 12, n).astype(float)
            pair.append(list(zip(x.tolist(), (x + random.normal(0, 1 + x / 3)).tolist(), strict=True)))
        p.append(moderation(grouped(pair[0]), grouped(pair[1])).p_value)
    assert_calibrated(p, 0.05)


def test_clear_regions_are_seldom_false() -> None:
    """Without any effect, few experiments show a region at the false-discovery value; pointwise many more would."""
    random = np.random.default_rng(12)
    shown, pointwise = 0, 0
    for _ in range(1000):
        pair = [
            [(float(a), b) for a, b in zip(random.integers(18, 70, 200), random.normal(size=200), strict=True)]
            for _ in "ct"
        ]
        found = moderation(grouped(pair[0]), grouped(pair[1]))
        z = statistics_along(found, 19.0, 68.0)
        shown += max(map(abs, z)) > false_discovery_critical(z)
        pointwise += max(map(abs, z)) > 1.96
    assert shown / 1000 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)
    assert pointwise / 1000 > 0.09
