"""`abtest run` and the lock: written once, read ever after, and never in the way."""

from __future__ import annotations

import filecmp
import os
import shutil
from pathlib import Path

import pytest

import abtest as package
from abtest.analysis.result import HealthCheck, Result
from abtest.cli.stamp import stamping
from abtest.language.lock import read_locks
from abtest.problems import Problems, UserError
from tests.command import Done, abtest

SOURCE = Path(__file__).parents[2] / "examples" / "watch-time"
SAID = "The plan is stamped in locks/player_v2.yml: commit this file, so that later changes of the plan are told.\n"
OUTPUTS = ["report.html", "result.json", "summary.md"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project of one experiment without a lock."""
    return shutil.copytree(SOURCE, tmp_path / "project", ignore=shutil.ignore_patterns("out", "locks"))


def run(folder: Path, *words: str) -> Done:
    done = abtest("run", "--project", str(folder), *words)
    assert done.code == 0, done.err
    return done


def drift(folder: Path, out: str = "out") -> HealthCheck:
    result = Result.from_json((folder / out / "player_v2" / "result.json").read_text("utf-8"))
    return next(c for c in result.health if c.key == "config_drift")


def edit(folder: Path, old: str, new: str) -> None:
    file = folder / "abtest.yml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def lock_of(folder: Path) -> Path:
    return folder / "locks" / "player_v2.yml"


def test_the_first_run_stamps_the_plan_and_says_so_once(folder: Path) -> None:
    assert run(folder).out.endswith("\n" + SAID)
    before = lock_of(folder).read_bytes()
    assert [p.name for p in (folder / "locks").iterdir()] == ["player_v2.yml"]
    assert os.stat(lock_of(folder)).st_mode & 0o777 == 0o644
    problems = Problems()
    (lock,) = read_locks(folder, ("player_v2",), problems).values()
    assert problems.found == []
    assert lock.first_look == "2026-01-07"
    assert "stamped" not in run(folder).out
    edit(folder, "first 7 days", "first 6 days")
    run(folder)
    assert lock_of(folder).read_bytes() == before


def test_the_run_that_writes_and_the_run_that_reads_give_the_same_bytes(folder: Path) -> None:
    run(folder, "--out", str(folder / "one"))
    run(folder, "--out", str(folder / "two"))
    one, two = folder / "one" / "player_v2", folder / "two" / "player_v2"
    assert filecmp.cmpfiles(one, two, OUTPUTS, shallow=False) == (OUTPUTS, [], [])
    assert drift(folder, "one") == HealthCheck(
        "config_drift", "experiment", None, "pass", None, {"count": 0, "first_look_on": "2026-01-07"}
    )


def test_a_later_change_is_told_and_stamped_on_its_metric(folder: Path) -> None:
    run(folder)
    edit(folder, "first 7 days", "first 6 days")
    done = run(folder)
    found = drift(folder)
    assert (found.level, found.values) == (
        "note",
        {
            "count": 1,
            "deciding": 1,
            "more": None,
            "first_look_on": "2026-01-07",
            "change_1": "definition of watch_time: over: first 7 days -> first 6 days",
        },
    )
    assert "Changes of the plan: One thing was changed after the first look (data through 7 January 2026)" in " ".join(
        done.out.split()
    )
    assert "**Watch time (changed after the start)**" in (folder / "out/player_v2/summary.md").read_text("utf-8")
    assert "changed after the start" in (folder / "out/player_v2/report.html").read_text("utf-8")


def test_a_later_metric_is_stamped_as_added(folder: Path) -> None:
    run(folder)
    edit(folder, "metrics:\n", "metrics:\n  days: {amount: days(watched), over: first 7 days, better: higher}\n")
    file = folder / "experiments" / "player_v2.yml"
    text = file.read_text("utf-8").rstrip()
    assert text.endswith("goal: [watch_time]")
    file.write_text(text + "\n  secondary: [days]\n", "utf-8")
    run(folder)
    result = Result.from_json((folder / "out/player_v2/result.json").read_text("utf-8"))
    assert "added_later" in result.metric("days").stamps
    assert result.metric("watch_time").stamps == ()
    values = drift(folder).values or {}
    assert (values["change_1"], values["deciding"]) == ("secondary days: added", None)
    assert "added after the start" in (folder / "out/player_v2/report.html").read_text("utf-8")


def test_no_lock_writes_none_and_says_so_in_the_check(folder: Path) -> None:
    done = run(folder, "--no-lock")
    assert (done.err, "stamped" in done.out) == ("", False)
    assert not (folder / "locks").exists()
    assert (drift(folder).level, drift(folder).reason) == ("not_run", "no_lock")
    run(folder)
    edit(folder, "first 7 days", "first 6 days")
    run(folder, "--no-lock")  # a lock that is there counts as input all the same
    assert drift(folder).level == "note"


def test_the_python_api_writes_no_file_and_reads_the_lock(folder: Path) -> None:
    def found() -> HealthCheck:
        return next(c for c in package.run("player_v2", folder).health if c.key == "config_drift")

    before = sorted(folder.rglob("*"))
    assert found().reason == "no_lock"
    assert sorted(folder.rglob("*")) == before
    run(folder)
    assert found().level == "pass"
    assert package.run("player_v2", folder).to_json() == (folder / "out/player_v2/result.json").read_text("utf-8")


def test_deleting_the_lock_stamps_anew(folder: Path) -> None:
    run(folder)
    edit(folder, "first 7 days", "first 6 days")
    lock_of(folder).unlink()
    assert run(folder).out.endswith(SAID)
    run(folder)
    assert drift(folder).level == "pass"


def test_a_project_that_cannot_be_written_is_run_and_says_that_it_has_no_stamp(folder: Path, tmp_path: Path) -> None:
    (folder / "locks").write_text("in the way of the folder")
    done = run(folder, "--out", str(folder / "out"))
    assert done.err.startswith("W375 cannot write locks/player_v2.yml: ")
    assert done.err.count("\n") == 1
    assert (drift(folder).level, drift(folder).reason) == ("not_run", "no_lock")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="everything is writable for root")
def test_a_folder_without_permission_is_run_too(folder: Path, tmp_path: Path) -> None:
    folder.chmod(0o555)
    try:
        done = run(folder, "--out", str(tmp_path / "out"))
    finally:
        folder.chmod(0o755)
    assert "W375 cannot write locks/player_v2.yml: Permission denied" in done.err


def test_a_run_that_fails_leaves_nothing(folder: Path) -> None:
    (folder / "watch_result.csv").unlink()
    assert abtest("run", "--project", str(folder)).code == 3
    assert not (folder / "locks").exists()


@pytest.mark.parametrize("command", [("run",), ("check",)])
def test_an_edited_lock_stops_with_its_line(folder: Path, command: tuple[str, ...]) -> None:
    run(folder)
    text = lock_of(folder).read_text("utf-8")
    lock_of(folder).write_text(text.replace("alpha: 5%", "alpha: 10%"), "utf-8")
    where = ("--project", str(folder)) if command == ("run",) else (str(folder),)
    done = abtest(*command, *where)
    assert done.code == 1
    assert done.err.startswith(
        "locks/player_v2.yml:6:7 E373 this lock was edited: its hash is not that of what it says\n"
    )
    assert "delete it: the next run then stamps the plan anew." in done.err


# Writing


def test_what_another_run_wrote_meanwhile_stays(folder: Path) -> None:
    project = package.load(folder)
    with stamping(project, project.experiments["player_v2"], True) as stamp:
        lock_of(folder).write_text("first")
        stamp.keep("2026-01-07")
    assert (stamp.kept, stamp.said) == (False, "")
    assert [(p.name, p.read_text()) for p in (folder / "locks").iterdir()] == [("player_v2.yml", "first")]


def test_a_file_system_without_links(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    run(folder)
    usual = lock_of(folder).read_bytes()
    lock_of(folder).unlink()
    monkeypatch.setattr(os, "link", refuse)
    assert run(folder).out.endswith(SAID)
    assert lock_of(folder).read_bytes() == usual
    assert [p.name for p in (folder / "locks").iterdir()] == ["player_v2.yml"]


def test_a_full_disk_at_the_end_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    project = package.load(folder)
    with stamping(project, project.experiments["player_v2"], True) as stamp:
        monkeypatch.setattr(Path, "write_bytes", full)
        stamp.keep(None)
    assert stamp.said.startswith("W375 cannot write locks/player_v2.yml: No space left on device")
    assert not (folder / "locks").exists()


def test_an_interrupted_run_leaves_nothing(folder: Path) -> None:
    project = package.load(folder)

    def interrupted() -> None:
        with stamping(project, project.experiments["player_v2"], True):
            assert (folder / "locks").exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not (folder / "locks").exists()


def test_a_lock_that_cannot_be_read_is_a_problem(folder: Path) -> None:
    lock_of(folder).parent.mkdir()
    lock_of(folder).write_text("lock_of: player_v2\nformat: 2\n")
    with pytest.raises(
        UserError, match=r"E371 a newer version of abtest wrote this lock \(format 2; this one reads 1\)"
    ):
        package.run("player_v2", folder)


def test_a_run_that_cannot_be_written_stamps_nothing(tmp_path: Path) -> None:
    from tests.analysis.test_methods import write as write_small
    from tests.command import abtest as command

    folder = write_small(tmp_path / "p", "{method: fixed}", "2026-04-02")
    (tmp_path / "taken").write_text("a file where the folder should be")
    done = command("run", "x", "--project", str(folder), "--out", str(tmp_path / "taken"))
    assert done.code == 2
    assert not (folder / "locks" / "x.yml").exists()
    assert not (folder / "looks" / "x.yml").exists()
    assert command("run", "x", "--project", str(folder), "--out", str(tmp_path / "out")).code == 0
    assert (folder / "locks" / "x.yml").exists()
