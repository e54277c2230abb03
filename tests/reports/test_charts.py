"""Curves and bars: their geometry is that of the numbers, every number is text too, and nothing is drawn too soon."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.analysis.beside import Effect, Retention, ReturnArm, ReturnDay
from abtest.analysis.histogram import within
from abtest.analysis.result import Bin, Curve, CurvePoint, Interval, MetricResult, Result
from abtest.reports.appendix import Plain
from abtest.reports.charts import HEIGHT, WIDTH, dose_charts, line, region, spread_charts, stairs, waiting_charts
from abtest.reports.html import render_html
from abtest.reports.language import load
from abtest.reports.people import nps_classes
from abtest.reports.svg import Scale
from abtest.reports.wording import Wording

from .page import Page
from .samples import build


def seen(html: str) -> str:
    return " ".join(Page(html).seen.replace("\u00a0", " ").replace("\u2060", "").split())


def places(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)]


def _point(at: float, control: float, treatment: float, band: float | None, apart: float | None) -> CurvePoint:
    def own(x: float) -> Interval:
        return Interval(x, None, None) if band is None else Interval(x, x - band, x + band)

    difference = None if apart is None else Interval(treatment - control, treatment - control - apart, treatment - control + apart)  # fmt: skip
    return CurvePoint(at, own(control), own(treatment), difference)


WAITING = Curve("survival", "composer", (_point(0.0, 0.75, 0.7, 0.02, None), _point(5.0, 0.5, 0.4, 0.03, None)))
DOSE = Curve(
    "dose",
    "composer",
    (_point(1.0, 0.8, 0.81, None, 0.02), _point(4.0, 0.4, 0.45, None, 0.02), _point(9.0, 0.1, 0.13, None, 0.02)),
    p_value=0.001,
)
SPREAD = tuple(
    Bin(v, v, (("control", a), ("composer", b))) for v, a, b in ((0.0, 600, 550), (1.0, 300, 330), (2.0, 100, 120))
)
SCORES = tuple(
    Bin(lo, hi, (("control", a), ("composer", b)))
    for lo, hi, a, b in (
        (0.0, 4.0, 20, 15),
        (5.0, 6.0, 30, 25),
        (7.0, 8.0, 40, 45),
        (9.0, 9.0, 50, 60),
        (10.0, 10.0, 60, 55),
    )
)
EFFECT = Effect("ok", None, "score", Interval(0.01, 0.002, 0.018, 0.004))
DAYS = Retention(
    (("retained", 7, 7),),
    (
        ReturnDay(1, "ok", None, None, (ReturnArm("control", 1000, 580, 0.58), ReturnArm("composer", 1000, 590, 0.59)), (("composer", EFFECT),)),
        ReturnDay(3, "no_test", "small_cell"),
        ReturnDay(28, "no_test", "immature", "2026-06-08"),
    ),
)  # fmt: skip


def drawn(verdict: str = "ship") -> Result:
    """The photo app with a curve of each kind, days of return, and answers to a net promoter score."""
    base = build(verdict, "one_goal")
    like = base.with_role("secondary")[0]

    def one(key: str, **more: object) -> MetricResult:
        return replace(like, key=key, title=key.capitalize(), role="explore", stamps=(), **more)  # type: ignore[arg-type]

    made = (
        one("waits", kind="time_to", unit_of_value="duration days", curves=(WAITING,)),
        one("posts", curves=(DOSE,), histogram=SPREAD),
        replace(base.goals[0], key="retained", title="Retained", kind="retention", role="secondary", histogram=()),
        one("score", kind="survey", unit_of_value="points", answers=SCORES),
    )
    return replace(base, metrics=(*base.metrics, *made), retention=(DAYS,))


def test_a_waiting_curve_is_a_staircase_through_its_numbers() -> None:
    (chart,) = waiting_charts(Wording(drawn()))
    control, treatment = chart.panels[0].series
    assert (control.tone, treatment.tone) == ("t0", "t1")
    found = places(control.path)
    tops = {round(y / HEIGHT, 9) for _, y in found}
    low, high = 0.37, 1.0  # the lowest bound is 0.4 - 0.03, with 6 % of air below
    floor = low - 0.06 * (high - low)
    assert tops == {round(round(HEIGHT * (1 - (v - floor) / (high - floor)), 1) / HEIGHT, 9) for v in (1.0, 0.75, 0.5)}
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in itertools.pairwise(found))
    assert found[-1][0] == WIDTH
    assert found[-3][0] < WIDTH  # the last value is held for a while, so that it can be seen
    ys = [y for _, y in places(treatment.band)]
    inside = [y for _, y in places(treatment.path)]
    assert min(ys) <= min(inside) <= max(inside) <= max(ys)


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 1)), min_size=1, max_size=9))
def test_stairs_keep_every_value_until_the_next(points: list[tuple[float, float]]) -> None:
    points = sorted(points)
    found = stairs(points)
    assert [p for p in points if p not in found] == []
    assert len(found) == 2 * len(points) - 1
    for i, (before, after) in enumerate(itertools.pairwise(points)):
        assert found[2 * i + 1] == (after[0], before[1])


def test_lines_and_regions_lie_in_their_frame() -> None:
    unit = Scale(0.0, 1.0)
    assert line(unit, unit, [(-1.0, 2.0), (2.0, -1.0)], 64.0) == "M0.0 0.0L1000.0 64.0"
    shape = region(unit, unit, [(0.0, 0.25), (1.0, 0.25)], [(0.0, 0.75), (1.0, 0.75)], 64.0)
    assert shape == "M0.0 16.0L1000.0 16.0L1000.0 48.0L0.0 48.0Z"


def test_a_dose_curve_has_the_difference_below_it_and_says_where_it_is_clear() -> None:
    (chart,) = dose_charts(Wording(drawn()))
    shares, apart = chart.panels
    assert [len(s.dots) for s in shares.series] == [3, 3]
    zero = float(apart.zero.rstrip("%"))
    dots = [float(y.rstrip("%")) for _, y in apart.series[0].dots]
    assert all(y < zero for y in dots)  # the differences are above zero, that is higher up
    assert dots[1] == min(dots)
    assert chart.label == "Posts: Treatment and Control clearly differ in places from 4 to 9."


def test_zeros_that_dominate_are_said_and_not_drawn() -> None:
    w = Wording(drawn())
    text = seen(render_html(drawn()))
    assert "At zero, and not drawn: 60% of Control and 55% of Treatment." in text
    few = tuple(replace(b, units=(("control", 100), ("composer", 100))) for b in SPREAD)
    result = drawn()
    metrics = tuple(replace(m, histogram=few) if m.histogram else m for m in result.metrics)
    assert "not drawn" not in seen(render_html(replace(result, metrics=metrics)))
    (chart,) = spread_charts(w, {"posts": Plain("", ("",), (("0",), ("1",), ("2",)))})
    assert len(chart.hits) == 2
    assert chart.panels[0].series[0].filled
    assert not chart.panels[0].series[1].filled


def test_every_number_of_a_figure_is_in_its_table() -> None:
    html = render_html(drawn())
    text = seen(html)
    for part in ("75% (73% to 77%)", "40% (37% to 43%)", "+5.0 (+3.0 to +7.0)", "81%", "13%"):
        assert part in text, part
    for tip in re.findall(r'class="hit" x=[^>]* data-tip="([^"]*)"', html):
        for number in re.findall(r"\d+(?:\.\d+)?%", tip):
            assert number in text, tip
    assert len(re.findall(r'<svg class="p h200" role="img" aria-label="[^"]+"', html)) == 3
    assert " style=" not in html


def test_early_or_after_a_failed_check_no_curve_is_drawn() -> None:
    early = render_html(drawn("keep_running"))
    assert 'id="retention"' in early
    assert "Share still waiting" not in early
    assert "Difference, in points" not in early
    failed = render_html(drawn("dont_decide"))
    assert 'id="retention"' not in failed
    assert 'id="distribution"' not in failed


# Retention


def section(html: str, name: str) -> str:
    return html.partition(f'<section id="{name}"')[2].partition("</section>")[0]


def test_only_the_day_that_the_plan_tests_is_coloured() -> None:
    html = section(render_html(drawn()), "retention")
    rows = dict(re.findall(r'<th scope="row">([^<]*)<.*?<td class="ch (\w+)"', html))
    assert rows["Day 1"] == "acc"
    assert rows["Day 7"] == "good"
    assert html.count('class="chip') == 1
    assert html.count("context, not corrected") == 3


def test_an_explored_day_has_no_label_either() -> None:
    result = drawn()
    metrics = tuple(replace(m, role="explore") if m.key == "retained" else m for m in result.metrics)
    html = section(render_html(replace(result, metrics=metrics)), "retention")  # type: ignore[arg-type]
    assert 'class="chip' not in html
    assert "explored without a label" in html
    assert set(re.findall(r'<td class="ch (\w+)"', html)) == {"acc"}


def test_hidden_days_say_why() -> None:
    text = seen(render_html(drawn()))
    assert "not over for everybody yet; from 8 June 2026 it is" in text
    assert "hidden: fewer than 10 units in one cell" in text


def test_a_fixed_interval_is_not_read_before_the_end() -> None:
    html = section(render_html(drawn("keep_running")), "retention")
    assert "+1.00\u00a0points" in section(render_html(drawn()), "retention")
    assert "+1.00\u00a0points" not in html
    assert load("en")("beside.open") in html
    one = replace(DAYS.days[0], effects=(("composer", replace(EFFECT, band=True)),))
    banded = replace(drawn("keep_running"), retention=(replace(DAYS, days=(one,)),))
    assert "+1.00\u00a0points" in section(render_html(banded), "retention")


def test_retention_survives_json() -> None:
    assert Result.from_json(drawn().to_json()) == drawn()


# Answers


def test_a_net_promoter_score_is_drawn_by_class() -> None:
    html = section(render_html(drawn()), "surveys")
    shades = re.findall(r'<rect class="(l\d)" x=', html)
    assert shades == ["l0", "l0", "l3", "l5", "l5"] * 2
    text = seen(html)
    for said in ("Detractors (6 or less)", "Passives (7 or 8)", "Promoters (9 or 10)"):
        assert said in text
    assert "110 (55%)" in text  # promoters of the control: 50 + 60 of 200
    assert "60 (30%)" in text  # those of them who said 10


def test_a_range_over_two_classes_is_not_called_by_one() -> None:
    result = drawn()
    merged = (Bin(0.0, 7.0, SCORES[0].units), *SCORES[3:])
    score = replace(result.metric("score"), answers=merged)
    assert nps_classes(score) is None
    assert nps_classes(replace(score, answers=SCORES)) == ("detractors", "detractors", "passives", "promoters", "promoters")  # fmt: skip
    metrics = tuple(score if m.key == "score" else m for m in result.metrics)
    html = section(render_html(replace(result, metrics=metrics)), "surveys")
    assert "Promoters" not in html
    assert "0 to 7" in html


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=11, max_size=11), st.integers(1, 20))
def test_classes_of_answers_keep_all_units_and_hide_small_cells(counts: Sequence[tuple[int, int]], floor: int) -> None:
    bins = [Bin(float(i), float(i), (("a", a), ("b", b))) for i, (a, b) in enumerate(counts) if a or b]
    found = within(bins, floor, (6.0, 8.0))
    assert all(n >= floor for b in found for _, n in b.units)
    for arm in (0, 1):
        total = sum(b.units[arm][1] for b in found)
        assert total in (0, sum(c[arm] for c in counts))
    classes = [[c for i, c in enumerate(counts) if low < i <= high] for low, high in ((-1, 6), (6, 8), (8, 10))]
    if all(min(map(sum, zip(*own, strict=True))) >= floor for own in classes):
        assert all(not (b.low <= cut < b.high) for b in found for cut in (6.0, 8.0))


@pytest.mark.parametrize("language", ["en", "nl"])
def test_same_result_same_bytes(language: str) -> None:
    assert render_html(drawn(), language=language) == render_html(drawn(), language=language)
