"""The commands as people and jobs call them: outputs, exit codes, help, and what is imported for it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from abtest.analysis.result import Result
from abtest.cli.main import COMMANDS
from tests.command import abtest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "abtest", *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_run_writes_three_files_and_says_where(tmp_path: Path) -> None:
    done = abtest("run", "--no-lock", "--project", str(EXAMPLES / "watch-time"), "--out", str(tmp_path))
    assert done.code == 0
    assert done.out.startswith("SHIP  New player")
    folder = tmp_path / "player_v2"
    assert sorted(p.name for p in folder.iterdir()) == ["report.html", "result.json", "summary.md"]
    assert Result.from_json((folder / "result.json").read_text()).decision.verdict == "ship"
    assert "report.html" in done.out


def test_run_takes_ids_files_and_formats(tmp_path: Path) -> None:
    file = EXAMPLES / "visitors" / "experiments" / "landing_page.yml"
    done = abtest("run", str(file), "--no-lock", "--out", str(tmp_path), "--format", "json", "--quiet")
    assert (done.code, done.out) == (0, "")
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["result.json"]


@pytest.mark.parametrize(
    ("fail_on", "code"), [("dont_ship", 10), ("dont_ship,keep_running", 10), ("keep_running", 0), ("dont_decide", 0)]
)
def test_fail_on_turns_verdicts_into_exit_codes(tmp_path: Path, fail_on: str, code: int) -> None:
    """Both experiments of the project are `dont_ship`; a loss is a result, not an error, unless one says so."""
    done = abtest(
        "run", "--no-lock", "--project", str(EXAMPLES / "visitors"), "--out", str(tmp_path), "--fail-on", fail_on, "-q"
    )
    assert done.code == code
    assert len(list(tmp_path.rglob("report.html"))) == 2


def test_usage_mistakes_have_exit_code_2_and_suggest(tmp_path: Path) -> None:
    project = str(EXAMPLES / "visitors")
    for words, said in (
        (
            ("run", "landing_pge", "--project", project),
            'E205 no experiment "landing_pge"\n  Did you mean "landing_page"',
        ),
        (
            ("run", "--fail-on", "dont_shp", "--project", project),
            'E002 --fail-on "dont_shp"\n  Did you mean "dont_ship"',
        ),
        (("run", "--format", "pdf", "--project", project), 'E002 --format "pdf"'),
        (("explain", "bougt", "--project", project), 'E204 no metric "bougt"\n  Did you mean "bought"'),
        (("rn",), "no command 'rn'. Did you mean \"run\"?"),
        (("check", str(tmp_path / "nowhere")), "E100 no folder"),
    ):
        done = abtest(*words)
        assert done.code == 2, words
        assert said in done.err


def test_check_counts_what_it_read_and_strict_counts_warnings(tmp_path: Path) -> None:
    assert (
        abtest("check", str(EXAMPLES / "visitors")).out
        == "no mistakes: 2 sources, 0 events, 5 metrics, 2 experiments\n"
    )
    (tmp_path / "abtest.yml").write_text(
        "sources:\n  a: {kind: events, files: x.csv, columns: {event: e, time: t}, units: {user: u}}\nevents: {like: like}\nmetrics: {m: {did: like}}\n"
    )
    assert abtest("check", str(tmp_path)).code == 0
    assert abtest("check", str(tmp_path), "--strict").code == 1


def test_test_says_which_example_fails_and_how(tmp_path: Path) -> None:
    assert abtest("init", str(tmp_path)).code == 0
    file = tmp_path / "metrics" / "engagement.yml"
    file.write_text(file.read_text().replace("expect: 25%", "expect: 50%"))
    done = abtest("test", "--project", str(tmp_path))
    assert done.code == 1
    assert "engaged_weeks, example 1: expected 50%, got 25%" in done.out
    assert "1 of 2 examples pass" in done.out


def test_explain_shows_one_user_event_by_event(tmp_path: Path) -> None:
    done = abtest("explain", "watch_time", "--unit", "1708", "--project", str(EXAMPLES / "watch-time"))
    assert done.code == 0
    assert "Exposed  2026-01-01 to control" in done.out
    assert done.out.count("watched  minutes") == 7
    missing = abtest("explain", "watch_time", "--unit", "nobody", "--project", str(EXAMPLES / "watch-time"))
    assert (missing.code, missing.err.splitlines()[0]) == (2, 'E515 user "nobody" is not in the exposures of player_v2')


def test_init_never_overwrites(tmp_path: Path) -> None:
    assert abtest("init", str(tmp_path)).code == 0
    again = abtest("init", str(tmp_path))
    assert again.code == 2
    assert "already holds" in again.err
    assert abtest("check", str(tmp_path)).code == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_an_example_that_can_be_copied(command: str) -> None:
    done = abtest(command, "--help")
    assert done.code == 0
    assert "Example" in done.out
    assert f"abtest {command}" in done.out


def test_python_dash_m_and_version() -> None:
    assert run("--version").stdout.startswith("abtest ")
    assert "run" in run("--help").stdout


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["explain", "--help"], ["check", "examples/visitors"]]
)
def test_help_and_check_import_no_engine_and_no_scipy_stats(words: list[str]) -> None:
    code = (
        "import sys; sys.argv = ['abtest', *sys.argv[1:]]\n"
        "from abtest.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', [m for m in ('scipy', 'scipy.stats', 'pandas', 'ibis', 'duckdb', 'jinja2', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=EXAMPLES.parent, check=True
    )
    assert done.stdout.rstrip().endswith("LOADED []")


def test_run_never_imports_scipy_stats(tmp_path: Path) -> None:
    code = "import sys, abtest; abtest.run('player_v2', 'examples/watch-time'); print('scipy.stats' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=EXAMPLES.parent, check=True)
    assert done.stdout.strip() == "False"


def test_no_colour_and_no_progress_without_a_terminal(tmp_path: Path) -> None:
    done = run("run", "--no-lock", "--project", str(EXAMPLES / "watch-time"), "--out", str(tmp_path))
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == ""


def test_the_summary_fits_into_a_comment(tmp_path: Path) -> None:
    abtest("run", "--no-lock", "--project", str(EXAMPLES / "visitors"), "--out", str(tmp_path), "-q")
    for summary in tmp_path.rglob("summary.md"):
        text = summary.read_text()
        assert text.startswith("## ⛔ Don’t ship: ")
        assert len(text.encode()) < 3000
    result = json.loads((tmp_path / "landing_page" / "result.json").read_text())
    assert result["schema"] == "abtest.result/1"


def test_progress_is_shown_on_a_terminal_and_only_there(tmp_path: Path) -> None:
    import os
    import pty

    ours, theirs = pty.openpty()
    words = ["run", "--no-lock", "--project", str(EXAMPLES / "watch-time"), "--out", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "abtest", *words],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        cwd=EXAMPLES.parent,
        env={**os.environ, "TERM": "xterm", "PYTHONPATH": str(EXAMPLES.parent)},
    )
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
    except OSError:  # the other end is closed
        pass
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"New player: metrics" in seen
    assert "\x1b" not in out
    os.close(ours)


def test_quiet_keeps_what_was_wrong_with_the_files(tmp_path: Path) -> None:
    """`--quiet` prints nothing but problems, and a broken line is one."""
    folder = tmp_path / "p"
    shutil.copytree(EXAMPLES / "visitors", folder)
    log = next(folder.glob("visitors.csv"))
    lines = log.read_text("utf-8").splitlines()
    log.write_text("\n".join([*lines, '"broken']) + "\n", "utf-8")
    done = abtest("run", "landing_page", "--no-lock", "--project", str(folder), "-q")
    assert done.out == ""
    assert f"visitors.csv:{len(lines) + 1}:" in done.err
