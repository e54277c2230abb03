"""The figure of engagement against value: its outline is the ellipse of the statistics floor, its corners are named right."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import abtest
from abtest.analysis.result import Result
from abtest.reports.html import render_html
from abtest.reports.plane import SIZE, outline_of, planes
from abtest.reports.wording import Wording
from abtest.stats.tradeoff import JointEffect, ellipse
from tests.analysis.besides import World, write


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    world = World(units=900, everybody=True, lift=1.5, spend=0.5)
    return abtest.run("x", write(tmp_path_factory.mktemp("plane"), "value: spent\n", world))


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(0.1, 9), st.floats(0.1, 9), st.floats(-0.99, 0.99))
def test_the_outline_is_the_ellipse_of_the_statistics_floor(
    x: float, y: float, se_x: float, se_y: float, rho: float
) -> None:
    reference = ellipse(JointEffect(x, y, se_x**2, se_y**2, rho * se_x * se_y))
    for ours, theirs in zip(outline_of(x, y, se_x, se_y, rho), reference.points, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)


def test_the_region_lies_in_the_trap_corner(result: Result) -> None:
    assert result.decision.reason == "engagement_trap"
    (plane,) = planes(Wording(result))
    assert plane.trap == 0
    assert plane.corners[0] == "engagement up, value down"
    assert plane.tone == "bad"
    points = [tuple(map(float, p.split())) for p in re.split("[MLZ]", plane.path) if p]
    zero = [float(z.rstrip("%")) * SIZE / 100 for z in plane.zero]
    assert all(0 <= x < zero[0] and 0 <= y < zero[1] for x, y in points)
    dot = [float(d.rstrip("%")) * SIZE / 100 for d in plane.dot]
    xs, ys = zip(*points, strict=True)
    assert dot[0] == pytest.approx((min(xs) + max(xs)) / 2, abs=1.0)
    assert dot[1] == pytest.approx((min(ys) + max(ys)) / 2, abs=1.0)


def test_a_value_that_should_fall_turns_the_corners(result: Result) -> None:
    metrics = tuple(replace(m, better="lower") if m.key == "spent" else m for m in result.metrics)
    (plane,) = planes(Wording(replace(result, metrics=metrics)))
    assert plane.corners[1] == "engagement up, value down"
    assert plane.trap == 1


def test_it_stands_on_the_page_and_not_before_the_end(result: Result) -> None:
    assert '<figure class="plane bad">' in render_html(result)
    early = replace(result, experiment=replace(result.experiment, reached_end=False))
    assert '<figure class="plane' not in render_html(early)
    invalid = replace(result, decision=replace(result.decision, valid=False))
    assert '<figure class="plane' not in render_html(invalid)


def test_files_stay_small(result: Result, tmp_path: Path) -> None:
    assert len(render_html(result)) < 400_000
