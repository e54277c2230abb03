"""The goal section over days: its sentence, where things are drawn, and every number of the plot as text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from abtest.analysis.result import DayPoint, Interval, Result, Trajectory
from abtest.reports.html import render_html
from abtest.reports.trajectory import HEIGHT, figures, trajectory_leads
from abtest.reports.wording import Wording

from .page import Page
from .sample_days import FIRST, LAST, over_days
from .samples import build


@pytest.fixture
def result() -> Result:
    return over_days(build("ship", "one_goal"))


def changed(result: Result, **fields: object) -> Result:
    goal = result.goals[0]
    path = replace(goal.trajectory[0], **fields)  # type: ignore[arg-type]
    return replace(result, metrics=(replace(goal, trajectory=(path,)), *result.metrics[1:]))


@pytest.mark.parametrize(
    ("crossed", "since", "says"),
    [
        (16, 16, "first left zero on day 16 and has stayed clear of it up to day 28"),
        (12, 20, "first left zero on day 12, came back, and has been clear of it since day 20"),
        (12, None, "first left zero on day 12, but lies on zero again on day 28"),
        (None, None, "has not left zero up to day 28"),
    ],
)
def test_the_lead_says_when_the_band_left_zero(
    result: Result, crossed: int | None, since: int | None, says: str
) -> None:
    (lead,) = trajectory_leads(Wording(changed(result, crossed=crossed, clear_since=since)))
    assert says in lead
    assert says in Page(render_html(changed(result, crossed=crossed, clear_since=since))).seen


def test_what_is_drawn_lies_where_the_numbers_say(result: Result) -> None:
    (figure,) = figures(Wording(result))
    path = result.goals[0].trajectory[0]
    ys = {text: float(y) for y, text, _ in figure.up}
    zero, (name, top) = ys["0%"], next((text, y) for text, y in ys.items() if text.startswith("+"))
    per = (zero - top) / (float(name.strip("+%")) / 100)
    line = [tuple(map(float, p.split(","))) for p in figure.line.split()]
    lifts = [(p.day, p.relative) for p in path.points if p.relative is not None]
    assert len(line) == len(lifts) == LAST - FIRST - 1
    for (x, y), (day, lift) in zip(line, lifts, strict=True):
        assert x == pytest.approx(1000 * (day - 1) / (LAST - 1), abs=0.1)
        assert y == pytest.approx(zero - per * lift.estimate, abs=0.2)
    assert float(figure.planned) == pytest.approx(zero - per * 0.025, abs=0.2)
    high, low = ([tuple(map(float, p.split(","))) for p in edge.split()] for edge in figure.edges)
    assert all(a[1] < b[1] < c[1] for a, b, c in zip(high, line, low, strict=True))
    # What comes after the first third lies in the plot, and so does zero.
    assert all(0 <= y <= HEIGHT for edge in (high, low) for _, y in edge[len(edge) // 3 + 1 :])
    assert figure.since is not None
    assert figure.since.text == f"day {path.clear_since}"
    assert float(figure.wait.rstrip("%")) == pytest.approx(100 * (FIRST - 1.5) / (LAST - 1), abs=0.01)


def test_every_number_of_the_plot_is_text_as_well(result: Result) -> None:
    html = render_html(result)
    page = Page(html)
    (figure,) = figures(Wording(result))
    assert len(figure.spots) == len(figure.numbers.rows)
    for spot, row in zip(figure.spots, figure.numbers.rows, strict=True):
        assert all(part in spot.tip for part in row)
        assert " ".join(row) in page.seen
    assert figure.label in page.attributes("aria-label")
    assert figure.label in page.attributes("data-label")
    assert "Week 1 50,000 +4.0%" in page.seen
    assert "Weeks 4–5 50,000 +4.0%" in page.seen
    assert html.count('class="plot kb" role="group"') == 1
    assert "style=" not in re.sub(r"<style>.*?</style>|<script.*?</script>", "", html, flags=re.DOTALL)


def test_weeks_carry_no_label_and_no_colour_of_good_or_bad(result: Result) -> None:
    (figure,) = figures(Wording(result))
    assert figure.weeks is not None
    (group,) = figure.weeks.groups
    assert {row.tone for row in group.rows} == {"acc"}
    assert all(row.chip is None for row in group.rows)


def test_a_failed_check_hides_it(result: Result) -> None:
    failed = replace(result, decision=replace(result.decision, valid=False))
    assert figures(Wording(failed)) == ()
    assert trajectory_leads(Wording(failed)) == []
    assert "left zero" not in Page(render_html(failed)).seen


def test_several_goals_and_treatments_are_named() -> None:
    three = over_days(build("ship", "three_goals"))
    leads = trajectory_leads(Wording(three))
    assert leads[0].startswith("Engaged users: The always-valid")
    assert leads[1].startswith("Not shown over days: ")
    assert leads[1].endswith("since its window does not end a fixed time after exposure.")
    many = over_days(build("ship", "three_variants"))
    titles = [f.title for f in figures(Wording(many))]
    assert titles[0].startswith("Engaged users (Composer v3): Above zero from day")
    assert titles[1] == "Engaged users (Quick share): Not clear of zero by day 28"
    assert [f.swatch for f in figures(Wording(many))] == ["t1", "t2"]


def test_a_score_is_drawn_in_points_and_a_fall_below_zero() -> None:
    three = over_days(build("ship", "three_goals"))
    nps = next(f for f in figures(Wording(three)) if "NPS" in f.title)
    assert nps.planned == ""
    assert not any("%" in text for _, text, _ in nps.up)
    base = over_days(build("ship", "one_goal"))
    fallen = tuple(
        DayPoint(p.day, p.units, Interval(-p.absolute.estimate, -(p.absolute.high or 0), -(p.absolute.low or 0)))
        for p in base.goals[0].trajectory[0].points
    )
    (figure,) = figures(Wording(changed(base, points=fallen)))
    assert figure.title.startswith("Below zero from day")
    assert figure.since is not None
    assert figure.since.edge == "0"


def test_one_day_has_no_curve_and_each_reason_a_sentence() -> None:
    base = over_days(build("ship", "one_goal"))
    path = base.goals[0].trajectory[0]
    assert figures(Wording(changed(base, points=path.points[-1:]))) == ()
    for language in ("en", "nl"):
        w = Wording(base, language)
        for reason in ("no_time", "no_dates", "clustered", "quantile", "open_window", "immature_kept", "chosen_test", "few_units"):  # fmt: skip
            none = Trajectory(path.variant, "no_test", reason)  # type: ignore[arg-type]
            goal = replace(base.goals[0], trajectory=(none,))
            (lead,) = trajectory_leads(Wording(replace(base, metrics=(goal, *base.metrics[1:])), language))
            assert w.words(f"trajectory.none.{reason}") in lead


def test_early_the_weeks_are_called_a_single_look() -> None:
    early = over_days(build("keep_running", "one_goal"))
    (figure,) = figures(Wording(early))
    assert figure.weeks is not None
    assert "95% interval for a single look" in figure.weeks.columns["change"]
    assert "the plan decides" not in figure.read[0]
