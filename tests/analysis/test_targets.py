"""Targets: the value per unit times the units to come, counted a second time by hand."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from statistics import mean

import pytest

import abtest
from abtest.analysis.arms import Arm
from abtest.analysis.result import Result
from abtest.analysis.targets import Enrolment, enrolment_of, targets_of, value_of
from abtest.language.beside_model import Target
from abtest.language.model import Experiment
from abtest.problems import UserError
from abtest.reports.html import render_html
from abtest.stats.moments import Counts, moments_of
from tests.analysis import health_rates
from tests.analysis.faults import ENROLMENT, START, write
from tests.reports.page import Page

DAY0 = date(1970, 1, 1)
TARGETS = """
targets:
  likes: {reach: 20000, by: 2026-12-31, monthly: 3000}
  likers: {reach: 100, by: 2026-12-31, units: 2_000}
"""


def project(folder: Path, targets: str = TARGETS, users: int = 400) -> Path:
    write(folder, users=users)
    file = folder / "x.yml"
    file.write_text(file.read_text("utf-8") + targets, "utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("targets"))


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    return abtest.run("x", folder)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_totals_are_those_of_a_count_by_hand(folder: Path, result: Result) -> None:
    came = {r["uid"]: date.fromisoformat(r["at"][:10]) for r in rows(folder / "flags.csv") if r["flag"] == "f1"}
    arm = {r["uid"]: r["arm"] for r in rows(folder / "flags.csv") if r["flag"] == "f1"}
    last = START + timedelta(days=ENROLMENT - 1)
    rate = sum(day > last - timedelta(days=14) for day in came.values()) / 14
    likes: Counter[str] = Counter()
    for row in rows(folder / "app.csv"):
        user = row["uid"]
        if row["name"] == "like" and user in came and 0 <= (date.fromisoformat(row["at"][:10]) - came[user]).days < 7:
            likes[user] += 1
    value = mean(likes[u] for u in came if arm[u] == "b")
    by, month = (t for t in result.targets if t.metric == "likes")
    units = len(came) + rate * (date(2026, 12, 31) - last).days
    assert (by.seen, by.per_day, by.units) == (400, pytest.approx(rate), pytest.approx(units))
    new = next(v for v in by.values if v.variant == "new")
    assert new.total.estimate == pytest.approx(value * units, rel=1e-9)
    assert new.on == (last + timedelta(days=int(-(-(20000 / value - 400) // rate)))).isoformat()
    monthly = next(v for v in month.values if v.variant == "new")
    assert monthly.total.estimate == pytest.approx(value * rate * 365.25 / 12, rel=1e-9)
    assert monthly.on is None


def test_units_that_are_given_count_and_no_date_is_said(result: Result) -> None:
    found = next(t for t in result.targets if t.metric == "likers")
    share = next(a.value for a in result.metric("likers").arms if a.variant == "control")
    assert share is not None
    control = next(v for v in found.values if v.variant == "control")
    assert (found.units, found.given, control.on) == (2000, True, None)
    assert control.total.estimate == pytest.approx(2000 * share)


def test_states_follow_from_the_interval() -> None:
    arms = {"likes": {"a": Arm(400, 400, 0, 0, counts=Counts(100, 400), moments=moments_of([0.0, 1.0]))}}
    low, high = (v * 1000 for v in (0.2099, 0.2947))  # Wilson's interval of 100 in 400, with 1,000 units
    for number, state in ((low - 1, "reached"), (low + 1, "open"), (high - 1, "open"), (high + 1, "missed")):
        target = Target("likes", number, date(2027, 1, 1), None, 1000)
        experiment = health_rates.EXPERIMENT
        (found,) = targets_of(_with(experiment, target), arms, Enrolment({}, 0))
        assert found.values[0].state == state


def _with(experiment: Experiment, target: Target) -> Experiment:
    from dataclasses import replace

    return replace(experiment, targets=(target,))


def test_a_short_enrolment_projects_nothing_and_says_so(tmp_path: Path) -> None:
    per_day = dict.fromkeys(range(100, 113), 10)
    assert Enrolment(per_day, 112).new_a_day is None
    assert Enrolment({**per_day, 113: 24}, 113).new_a_day == pytest.approx(11)
    folder = project(tmp_path, "targets:\n  likes: {monthly: 10}\n", users=60)
    log = folder / "flags.csv"
    kept = [line for line in log.read_text("utf-8").splitlines() if ",f1," not in line or "2026-03-1" not in line]
    head = [line for line in kept if ",f1," not in line or line.split(",")[3] < "2026-03-09"]
    log.write_text("\n".join(head) + "\n", "utf-8")
    result = abtest.run("x", folder)
    assert [t.reason for t in result.targets] == ["no_history"]
    if result.decision.valid:
        assert "Say it yourself with" in Page(render_html(result)).seen


def test_the_last_half_day_of_a_running_enrolment_does_not_count() -> None:
    from dataclasses import replace

    per_day = {100: 5, 101: 1}
    running = replace(health_rates.EXPERIMENT, end=DAY0 + timedelta(days=120))
    over = replace(health_rates.EXPERIMENT, enroll_until=DAY0 + timedelta(days=101))
    assert enrolment_of(running, per_day).last == 100
    assert enrolment_of(over, per_day).last == 101


def test_the_interval_of_a_value() -> None:
    found = value_of(Arm(5, 5, 0, 0, moments=moments_of([1.0, 2.0, 3.0, 4.0, 5.0])), 0.05)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((3 - 1.963243, 3 + 1.963243), abs=1e-6)
    assert value_of(Arm(1, 1, 0, 0, moments=moments_of([1.0])), 0.05) is None
    assert value_of(Arm(0, 0, 0, 0), 0.05) is None


def test_it_stands_on_the_page_and_waits_for_the_end(result: Result) -> None:
    assert Result.from_json(result.to_json()) == result
    seen = Page(render_html(result)).seen
    assert "the target is 20,000" in seen
    assert "400 so far" in seen
    from dataclasses import replace

    early = replace(result, experiment=replace(result.experiment, reached_end=False))
    waiting = Page(render_html(early)).seen
    assert "Targets are read at the planned end" in waiting
    assert "400 so far" not in waiting


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("targets:\n  nobody: {monthly: 3}\n", "targets: 'nobody' is not among the metrics of this experiment"),
        ("targets:\n  per_open: {monthly: 3}\n", "targets: per_open cannot be added up over units"),
        ("targets:\n  nps: {monthly: 3}\n", "targets: nps cannot be added up over units"),
        ("targets:\n  likes: {reach: 3}\n", "target likes has no `by`"),
        ("targets:\n  likes: {by: 2026-12-31}\n", "target likes has no `reach`"),
        ("targets:\n  likes: {monthly: 0}\n", "'0' is not above zero"),
        ("targets:\n  likes: {monthly: 3, units: 9}\n", "units of target likes are those by a date, and it names none"),
        ("targets:\n  likes: {reach: 3, by: 2026-03-05}\n", "lies before the end of the experiment"),
        ("targets: [likes]\n", "targets of experiment x is a map"),
        ("targets: {likes: 20}\n", "target likes is {reach: 60000, by: 2026-12-31}"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, text: str, expected: str) -> None:
    folder = project(tmp_path, text, users=20)
    with pytest.raises(UserError) as caught:
        abtest.load(folder)
    assert expected in str(caught.value).replace('"', "'")
    assert "x.yml:" in str(caught.value)
