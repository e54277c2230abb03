"""The check of the plan against its stamp, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import abtest
from abtest.analysis.health.plan import MOST_CHANGES, check_drift
from abtest.analysis.run import analyse
from abtest.analysis.stamped import drift_of, new_stamp
from abtest.language.plan_text import Change
from abtest.language.project import load_project
from tests.analysis.faults import write


def test_six_changes_are_told_and_the_rest_is_counted() -> None:
    changes = [Change(f"goal m{i}: added", 0 if i < 2 else 2, f"m{i}", True) for i in range(9)]
    found = check_drift(changes, "2026-03-29")
    values = dict(found.values or {})
    told = [values.pop(f"change_{i}") for i in range(1, MOST_CHANGES + 1)]
    assert told == [c.text for c in changes[:MOST_CHANGES]]
    assert values == {"count": 9, "deciding": 2, "more": 3, "first_look_on": "2026-03-29"}
    exactly = dict(check_drift(changes[:MOST_CHANGES], None).values or {})
    assert (exactly["more"], exactly["first_look_on"]) == (None, None)


def test_ruling_25_no_change_of_the_plan_fails() -> None:
    changes = [Change("alpha: 5% -> 50%", 0), *(Change(f"goal m{i}: added", 0, f"m{i}", True) for i in range(99))]
    assert check_drift(changes, "2026-03-29").level == "note"
    assert check_drift([], None).level == "pass"


def test_a_drift_turns_no_verdict_and_marks_only_its_metrics(tmp_path: Path) -> None:
    folder = write(tmp_path)
    sound = abtest.run("x", folder)
    file = folder / "x.yml"
    text = file.read_text("utf-8")
    assert "nps, likers]" in text
    file.write_text(text.replace("nps, likers]", "nps, likers, doubled]"), "utf-8")
    project = folder / "abtest.yml"
    project.write_text(project.read_text("utf-8") + "  doubled: {amount: 2 * like, over: first 7 days}\n", "utf-8")
    later = abtest.run("x", folder)
    before, after = sound.decision, later.decision
    assert (after.verdict, after.reason, after.valid) == (before.verdict, before.reason, before.valid)
    assert {m.key for m in later.metrics if "added_later" in m.stamps} == {"doubled"}
    assert not any("changed_later" in m.stamps for m in later.metrics)
    assert [c for c in later.health if c.level == "note"] == [c for c in later.health if c.key == "config_drift"]


def test_a_stamp_about_to_be_kept_says_the_same_as_one_that_was(tmp_path: Path) -> None:
    folder = write(tmp_path)
    kept = analyse(load_project(folder), load_project(folder).experiments["x"])
    (folder / "locks" / "x.yml").unlink()
    project = load_project(folder)
    experiment = project.experiments["x"]
    fresh = analyse(project, experiment, stamp=new_stamp(project, experiment))
    assert fresh.to_json() == kept.to_json()
    assert drift_of(project, experiment, None) is None
