"""The demo: reproducible to the byte, and its planted effect comes out of the logs, not out of the generator.

`Records` hold what the generator did to each person in both worlds. From them each metric is computed here a second
time, in a few lines of numpy, and compared with what the pipeline reads from the files: equal per variant, and the
true effect (in these very people) inside the reported interval.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from abtest.analysis.result import MetricResult, Result
from abtest.analysis.run import analyse
from abtest.demo import TRUTH, Demo, write_demo
from abtest.language.model import Project
from abtest.language.project import read_project
from abtest.problems import UserError

Values = npt.NDArray[np.float64]
Days = Mapping[str, npt.NDArray[np.int64]]


def weekly(days: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(people, 28) to (people, 4)."""
    found: npt.NDArray[np.int64] = days.reshape(-1, 4, 7).sum(2)
    return found


def values(days: Days) -> dict[str, tuple[Values, Values]]:
    """Numerator and denominator per person of every metric of the demo, straight from its description."""
    engaged = (weekly(days["photo_post"]) >= 2) & (weekly(days["like"]) >= 5)
    reading = weekly((days["article_read"] >= 4).astype(np.int64)) >= 2
    points = days["like"] + 2 * days["comment"] + 5 * days["share"]
    spent = days["revenue"].sum(1) / 100
    one = np.ones(len(spent))
    return {
        "engaged_weeks": (engaged.mean(1), one),
        "reading_weeks": (reading.mean(1), one),
        "active_days": ((days["app_open"] > 0).sum(1).astype(float), one),
        "photos_per_user": (days["photo_post"].sum(1).astype(float), one),
        "interactions": (weekly(points).mean(1), one),
        "retention_d7": ((days["app_open"][:, 7] > 0).astype(float), one),
        "revenue_per_user": (np.minimum(spent, 100.0), one),
        "order_value": (spent, days["purchase"].sum(1).astype(float)),
        "crash_free_days": ((days["crash"] == 0).mean(1), one),
    }


@dataclass(frozen=True)
class Run:
    demo: Demo
    project: Project
    result: Result

    def metric(self, key: str) -> MetricResult:
        return next(m for m in self.result.metrics if m.key == key)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The demo as `abtest demo` writes it."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    demo = write_demo(folder)
    project, _ = read_project(folder)
    return Run(demo, project, analyse(project, project.experiments["composer_v3"]))


def digests(folder: Path) -> dict[str, str]:
    files = (f for f in sorted(folder.rglob("*")) if f.is_file())
    return {f.relative_to(folder).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write_demo(tmp_path / "a", users=150, seed=7)
    second = write_demo(tmp_path / "b", users=150, seed=7)
    write_demo(tmp_path / "c", users=150, seed=8)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert digests(tmp_path / "a") != digests(tmp_path / "c")
    assert set(first.files) == set(digests(tmp_path / "a"))
    assert first.rows == second.rows


def test_it_is_read_without_problems_and_every_metric_has_two_examples(full: Run) -> None:
    project, problems = read_project(full.demo.folder)
    assert problems.found == []
    assert project.warnings == ()
    for metric in project.metrics.values():
        assert len(metric.examples) == 2, metric.name
        assert metric.owner, metric.name
        assert metric.description, metric.name
        assert metric.better, metric.name
    used = {u.name for u in project.experiments["composer_v3"].metrics}
    assert used == set(project.metrics)


def test_the_two_criteria_stand_there_word_for_word(full: Run) -> None:
    text = (full.demo.folder / "metrics" / "engagement.yml").read_text("utf-8")
    assert "did: photo_post >= 2 and like >= 5\n" in text
    assert "did: article_read >= 4 on 2 days" in text


def test_the_verdict_is_ship(full: Run) -> None:
    result = full.result
    assert (result.decision.verdict, result.decision.reason) == ("ship", "goal_better")
    assert full.metric("engaged_weeks").comparisons[0].state == "better"
    for metric in result.metrics:
        if metric.role == "guardrail":
            margin = metric.comparisons[0].margin
            assert margin is not None
            assert margin.label == "held", metric.key
    assert [h for h in result.health if h.level not in ("pass", "not_run")] == []
    assert (result.experiment.days_run, result.experiment.days_planned) == (35, 35)


def test_values_per_variant_equal_the_records(full: Run) -> None:
    records = full.demo.records
    worlds = (values(records.off), values(records.on))
    for metric in full.result.metrics:
        for number, arm in enumerate(metric.arms):
            seen = (records.variant == number) & ~records.mixed
            of, to = (part[seen] for part in worlds[number][metric.key])
            assert arm.used == seen.sum()
            assert arm.value == pytest.approx(of.sum() / to.sum(), rel=1e-9), (metric.key, arm.variant)


def test_the_true_effect_lies_in_its_interval(full: Run) -> None:
    off, on = values(full.demo.records.off), values(full.demo.records.on)
    for metric in full.result.metrics:
        truth = on[metric.key][0].sum() / on[metric.key][1].sum() - off[metric.key][0].sum() / off[metric.key][1].sum()
        found = metric.comparisons[0].absolute
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        assert found.low <= truth <= found.high, (metric.key, truth, found)


def test_the_planted_rates_are_what_the_people_got(full: Run) -> None:
    off, on = full.demo.records.off, full.demo.records.on
    for event, days in off.items():
        grew = on[event].sum() / days.sum() - 1
        # A sum of Poisson counts: the extra is planted to within four of its standard errors.
        extra = TRUTH.get(event, 0.0)
        assert grew == pytest.approx(extra, abs=4 * np.sqrt(extra / days.sum())), event


def test_the_ledgers_add_up_and_have_something_to_show(full: Run) -> None:
    ledgers = {ledger.source: ledger for ledger in full.result.ledgers}
    for ledger in ledgers.values():
        assert sum(step.count for step in ledger.steps) == ledger.read, ledger.source
    steps = {step.step: step.count for step in ledgers["app_log"].steps}
    assert ledgers["app_log"].read == full.demo.rows
    assert steps["unparsable"] == 6
    expected = {"no_id", "bad_time", "ignored", "duplicate", "unassigned", "mixed", "before_exposure", "after_window"}
    assert expected < set(steps)
    assert 0.004 < steps["duplicate"] / full.demo.rows < 0.006
    assert ledgers["user"].read == full.demo.users
    assert 0 < sum(full.demo.records.mixed) < 0.001 * full.demo.users


def test_the_log_does_not_say_who_saw_what(full: Run) -> None:
    """The effect can only be found by joining the log with the evaluations."""
    lines = gzip.decompress((full.demo.folder / "exports/app_log/2026-W10.csv.gz").read_bytes()).decode().splitlines()
    assert lines[0] == "event_id,ts,user_id,event,platform,revenue"
    names = {line.split(",")[3] for line in lines[1:] if line.count(",") == 5}
    assert names == {*full.project.events, "notification_open"}  # one that no metric needs


def test_the_readme_tells_the_numbers_of_this_demo(full: Run) -> None:
    """Each number that the README gives of the truth is computed from the records; its user id exists."""
    text = (full.demo.folder / "README.md").read_text("utf-8")
    off, on = values(full.demo.records.off), values(full.demo.records.on)

    def mean(world: dict[str, tuple[Values, Values]], key: str, digits: int, scale: float = 1) -> str:
        return f"{scale * world[key][0].mean():.{digits}f}"

    assert f"{mean(off, 'engaged_weeks', 2, 100)} % | {mean(on, 'engaged_weeks', 2, 100)} %" in text
    assert f"{mean(off, 'photos_per_user', 2)} | {mean(on, 'photos_per_user', 2)}" in text
    assert f"{mean(off, 'interactions', 2)} | {mean(on, 'interactions', 2)}" in text
    assert f"{TRUTH['photo_post']:.0%}".replace("%", " %") in text
    assert f"{TRUTH['like']:.0%}".replace("%", " %") in text
    user = re.search(r"--unit (u\d+)", text)
    assert user is not None
    assert f"{user[1]};" in (full.demo.folder / "exports/users.csv").read_text("utf-8")
    for name in re.findall(r"abtest (?:run|explain) (\w+)", text):
        assert name in {**full.project.experiments, **full.project.metrics}


def test_a_folder_with_other_work_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty") as refused:
        write_demo(tmp_path, users=100)
    assert refused.value.exit_code == 2
    assert [f.name for f in tmp_path.iterdir()] == ["notes.txt"]


def test_an_edited_demo_is_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    write_demo(folder, users=100)
    write_demo(folder, users=100)  # unchanged: written again
    (folder / "abtest.yml").write_text("project: {name: mine}\n")
    with pytest.raises(UserError, match="was edited"):
        write_demo(folder, users=100)
    assert (folder / "abtest.yml").read_text() == "project: {name: mine}\n"


@pytest.mark.parametrize("users", [0, 99])
def test_a_demo_of_nobody_is_refused(users: int, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"users": users}
    with pytest.raises(ValueError, match="at least 100"):
        write_demo(tmp_path / "demo", **arguments)


def test_a_small_demo_runs_too(tmp_path: Path) -> None:
    write_demo(tmp_path / "demo", users=400, seed=3)
    project, _ = read_project(tmp_path / "demo")
    result = analyse(project, project.experiments["composer_v3"])
    assert result.experiment.reached_end
    assert all(sum(s.count for s in ledger.steps) == ledger.read for ledger in result.ledgers)
