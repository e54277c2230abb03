"""The cumulative effect per day and by week: counted unit by unit, equal to the goal at the end, silent on small cells."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import abtest
from abtest.analysis.result import Comparison, DayPoint, Interval, Result, Trajectory
from abtest.analysis.trajectories import FIRST_LOOK, Block, joined, left_zero, merged, weeks_of
from abtest.metrics.cohorts import Change
from abtest.metrics.sums import ArmSums, Column
from abtest.stats.sequential import critical, optimal_kappa
from tests.analysis.clustered import write as write_clusters
from tests.analysis.over_days import DAYS, METRICS, THREE, WINDOW, Unit, effect, units_of, write

ADJUSTED = """\
  likes: {amount: like, over: first 7 days, better: higher}
  weeks: {did: like >= 4, per: week, over: first 7 days, better: higher}
  spent: {amount: sum(buy.revenue), over: first 7 days, better: higher}
  by_plan: {amount: like, adjust: people.plan, over: first 7 days, better: higher}
  per_open: {ratio: {of: like, to: open}, over: first 7 days, better: higher}
  short: {amount: like, adjust: none, over: first 3 days, better: higher}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("days") / "project")


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    return abtest.run("x", folder)


def only(result: Result, name: str) -> Trajectory:
    (found,) = result.metric(name).trajectory
    return found


def comparison(result: Result, name: str) -> Comparison:
    return result.metric(name).comparisons[0]


@pytest.mark.parametrize("name", ["likes", "yes", "per_open"])
def test_every_day_is_what_counting_units_gives(folder: Path, result: Result, name: str) -> None:
    units = units_of(folder)
    found = only(result, name)
    assert found.status == "ok"
    days = [p.day for p in found.points]
    assert days == list(range(days[0], DAYS + WINDOW))
    for point in found.points:
        n, estimate, se = effect(name, units, "b", point.day)
        assert point.units == n
        assert point.absolute.estimate == pytest.approx(estimate, rel=1e-9, abs=1e-12)
        assert point.absolute.se == pytest.approx(se, rel=1e-9)
        kappa = optimal_kappa(0.05) * min(1.0, point.day / DAYS)
        assert point.absolute.low is not None
        assert point.absolute.low == pytest.approx(estimate - critical(kappa, 0.05) * se, rel=1e-9, abs=1e-12)
    assert found.waiting == WINDOW - 1
    first = min(d for d in range(1, 60) if all(len(own) >= FIRST_LOOK for own in _arms(units, d)))
    assert days[0] == first


def _arms(units: list[Unit], day: int) -> list[list[Unit]]:
    return [[u for u in units if u[0] == v and u[1] + WINDOW <= day] for v in "ab"]


def test_weeks_are_those_of_entry(folder: Path, result: Result) -> None:
    units = units_of(folder)
    weeks = only(result, "likes").weeks
    assert [(w.first, w.last) for w in weeks] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    for week in weeks:
        own = [u for u in units if u[1] // 7 + 1 == week.first]
        n, estimate, se = effect("likes", own, "b", 1000)
        assert week.units == n
        assert week.absolute.estimate == pytest.approx(estimate, rel=1e-9)
        assert week.absolute.se == pytest.approx(se, rel=1e-9)
    assert sum(w.units for w in weeks) == only(result, "likes").points[-1].units


@pytest.mark.parametrize("plan", ["method: fixed", "method: sequential"])
def test_the_last_point_is_the_goal_to_the_last_bit(plan: str, tmp_path: Path) -> None:
    """For every way of adjusting; as long as the plan is read early, its band is the goal's own as well."""
    for through in (DAYS + WINDOW - 2, 22):
        result = abtest.run("x", write(tmp_path / f"{through}", ADJUSTED, through=through, plan=plan))
        for goal in result.goals:
            (found,), (own,) = goal.trajectory, goal.comparisons
            last = found.points[-1].absolute
            band = own.absolute if plan.endswith("sequential") else own.always_valid_absolute
            assert own.absolute is not None
            assert (last.estimate, last.se) == (own.absolute.estimate, own.absolute.se), goal.key
            assert found.points[-1].units == sum(a.used for a in goal.arms)
            if band is not None:
                assert last == band, goal.key
                assert found.points[-1].relative == (own.relative if plan.endswith("sequential") else own.always_valid)
        methods = {c.method for g in result.goals for c in g.comparisons}
        assert methods == {"cuped", "post_stratified", "welch"}


def test_a_day_is_what_a_run_with_the_data_of_that_day_shows(tmp_path: Path) -> None:
    """Adjusted with the slopes of that day; the end of the log is all that differs."""
    whole = abtest.run("x", write(tmp_path / "whole", ADJUSTED))
    for through in (19, 25):
        day = through + 1
        then = abtest.run("x", write(tmp_path / f"{through}", ADJUSTED, through=through))
        for goal in whole.goals:
            point = next(p for p in goal.trajectory[0].points if p.day == day)
            own = comparison(then, goal.key).always_valid_absolute
            assert own is not None
            # The whole numbers have another scale where later values are larger.
            for ours, theirs in ((point.absolute.estimate, own.estimate), (point.absolute.low, own.low)):
                assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12), goal.key


def test_it_goes_through_json_and_is_the_same_with_any_threads(folder: Path, result: Result) -> None:
    assert Result.from_json(result.to_json()) == result
    assert '"trajectory"' in result.to_json()
    assert abtest.run("x", folder, threads=1).to_json() == abtest.run("x", folder, threads=8).to_json()


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ("{quantile: {of: like, at: 50%, across: units}, over: first 7 days}", "quantile"),
        ("{did: like, over: lifetime}", "open_window"),
        ("{did: like, over: last 7 days}", "open_window"),
        ("{amount: like, over: first 7 days, immature: keep}", "immature_kept"),
        ("{amount: like, over: first 7 days, test: brunner_munzel}", "chosen_test"),
        ("{amount: like, over: first 34 days}", "few_units"),
    ],
)
def test_who_gets_none_and_why(definition: str, reason: str, tmp_path: Path) -> None:
    text = f"  m: {definition[:-1]}, adjust: none, better: higher}}\n"
    if "quantile" in text or "test:" in text:
        text = text.replace(", adjust: none", "")
    found = only(abtest.run("x", write(tmp_path, text, units=800)), "m")
    assert (found.status, found.reason, found.points) == ("no_test", reason, ())


def test_without_dates_there_is_no_band(tmp_path: Path) -> None:
    result = abtest.run("x", write(tmp_path, dates=False, units=600))
    assert {t.reason for g in result.goals for t in g.trajectory} == {"no_dates"}


def test_treatments_have_one_each(tmp_path: Path) -> None:
    folder = write(tmp_path, METRICS.splitlines()[0] + "\n", variants=THREE, units=2000)
    found = abtest.run("x", folder).metric("likes").trajectory
    assert [t.variant for t in found] == ["new", "other"]
    units = units_of(folder)
    for one, arm in zip(found, "bc", strict=True):
        for point in one.points[:: len(one.points) - 1]:
            n, estimate, _ = effect("likes", units, arm, point.day)
            assert (point.units, point.absolute.estimate) == (n, pytest.approx(estimate, rel=1e-9))


def test_no_difference_of_points_tells_of_a_small_cell(tmp_path: Path) -> None:
    """Days 10 to 12 and the last one bring a handful of units: they are shown with others."""
    folder = write(tmp_path, METRICS.splitlines()[0] + "\n", quiet_days=(9, 10, 11, 27), min_cell=10, units=1200)
    found = only(abtest.run("x", folder), "likes")
    assert found.merged >= 3
    arms = {day: [len(own) for own in _arms(units_of(folder), day)] for day in range(1, DAYS + WINDOW)}
    cuts = [p.units for p in found.points]
    for before, after in pairwise(cuts):
        assert after == before or after - before >= 20
    day_of = {sum(own): own for own in arms.values()}
    for before, after in pairwise(dict.fromkeys(cuts)):
        gained = [b - a for a, b in zip(day_of[before], day_of[after], strict=True)]
        assert min(gained) >= 10
    shown = {0, *cuts, cuts[-1]}
    total = 0
    for week in found.weeks[:-1]:
        total += week.units
        assert min(abs(total - cut) for cut in shown) == 0 or total < cuts[0]


def change(n: int) -> Change | None:
    column = Column(0.0, 1, n, n)
    return None if n == 0 else Change(ArmSums(n, n, 0, 0, None, column, None, None, False))


counts = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25)), min_size=1, max_size=30)


@given(counts, st.integers(1, 12))
def test_merged_days_hold_everybody_and_enough(days: list[tuple[int, int]], least: int) -> None:
    steps = [Block(d + 1, d // 7 + 1, 1, (change(a), change(b))) for d, (a, b) in enumerate(days)]
    blocks = merged(steps, least)
    used = [[0 if c is None else c.sums.used for c in b.changes] for b in blocks]
    for i in range(2):
        assert sum(u[i] for u in used) == sum(d[i] for d in days)
    assert sum(b.days for b in blocks) == len(days)
    assert [b.day for b in blocks] == sorted({b.day for b in blocks})
    counted = [i for i in range(2) if any(d[i] for d in days)]
    if len(blocks) > 1:
        assert all(u[i] >= least for u in used for i in counted)
    assert blocks[-1].day == len(days)
    weeks = weeks_of(blocks, least, (0, 1))
    assert weeks[0][0] <= weeks[0][1]
    assert all(b[0] == a[1] + 1 for a, b in pairwise(weeks))
    assert joined(list(blocks), lambda b: True) == list(blocks)


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=20))
def test_the_day_of_leaving_zero(sides: list[int]) -> None:
    points = []
    for day, side in enumerate(sides, start=1):
        low = {-1: -3.0, 0: -1.0, 1: 1.0}[side]
        points.append(DayPoint(day, 10, Interval(low + 1.0, low, low + 2.0, 0.5)))
    crossed, since = left_zero(points)
    clear = [side != 0 for side in sides]
    assert crossed == (clear.index(True) + 1 if any(clear) else None)
    if since is None:
        assert not clear[-1]
    else:
        assert all(clear[since - 1 :])
        assert since == 1 or not clear[since - 2]


@pytest.mark.parametrize(
    ("enrol", "window", "planned"), [(28, 7, 28), (28, 7, 34), (7, 28, 35), (28, 28, 28), (56, 1, 56)]
)
def test_the_band_leaves_zero_by_chance_less_often_than_planned(enrol: int, window: int, planned: int) -> None:
    """kappa counts dates and the units come in as they complete: at every look together the error stays below 5 %."""
    random = np.random.default_rng(enrol * 100 + window)
    paths = 20_000
    steps = random.normal(size=(paths, enrol))
    n = np.arange(1, enrol + 1)
    z = np.cumsum(steps, axis=1) / np.sqrt(n)
    days = n + window - 1
    limits = [critical(optimal_kappa(0.05) * min(1.0, d / planned), 0.05) for d in days]
    wrong = float(np.mean((np.abs(z) > np.array(limits)).any(axis=1)))
    assert wrong + 3 * math.sqrt(0.05 * 0.95 / paths) < 0.05


def test_clustered_and_timeless_data_say_so(tmp_path: Path) -> None:
    clustered = abtest.run("x", write_clusters(tmp_path / "clusters"))
    assert {t.reason for g in clustered.goals for t in g.trajectory} == {"clustered"}
    frame = pd.DataFrame({"group": ["A", "B"] * 300, "bought": [0, 1, 1, 0, 1, 1] * 100})
    timeless = abtest.compare(frame, variant="group", control="A", metrics={"bought": "proportion"})
    assert {t.reason for g in timeless.goals for t in g.trajectory} == {"no_time"}
