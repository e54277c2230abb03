"""`abtest metrics`: the table, the JSON, and what is used where."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import Done, abtest

ROOT = Path(__file__).parents[2]
PROJECT = """\
project: {name: shop}
sources:
  log: {kind: events, files: log.csv, columns: {event: name, time: at}, units: {user: id}, properties: {price: price}}
  flags: {kind: exposures, files: flags.csv, columns: {variant: v, time: at}, units: {user: id}}
  people: {kind: attributes, files: people.csv, units: {user: id}, properties: {plan: plan}, known: before_exposure}
events:
  like: {event: like, source: log}
metrics:
  likers: {did: like, over: first 28 days, better: higher, owner: feed-team, title: People who like, tags: [core]}
  likes: {amount: like, over: first 28 days, better: higher, margin: 3%}
  idle: {did: no like, over: first 28 days, version: 2, description: Nobody looks at it.}
"""
EXPERIMENT = """\
experiment: {name}
owner: someone
hypothesis: something
unit: user
exposure: {{source: flags}}
variants: {{a: {{key: a, share: 50%}}, b: {{key: b, share: 50%}}}}
baseline: a
dates: {{start: 2026-03-02, end: 2026-04-12}}
metrics: {{{metrics}}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "abtest.yml").write_text(PROJECT)
    (tmp_path / "experiments").mkdir()
    for name, metrics in {"first": "goal: [likers], guardrail: [likes]", "second": "goal: [likers]"}.items():
        (tmp_path / "experiments" / f"{name}.yml").write_text(EXPERIMENT.format(name=name, metrics=metrics))
    return tmp_path


def listed(done: Done) -> list[dict[str, object]]:
    assert done.code == 0
    metrics: list[dict[str, object]] = json.loads(done.out)["metrics"]
    return metrics


def test_the_table_on_a_pipe(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    done = abtest("metrics", str(project))
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "metric  kind    owner      used by                      meaning",
        "likers  did     feed-team  first (goal), second (goal)  1 if, in the first 28 days after first exposure (days 0 to 27)…",
        "likes   amount             first (guardrail)            the number of like events, in the first 28 days after first…",
        "idle    did                not used                     1 if, in the first 28 days after first exposure (days 0 to 27)…",
        "",
        "3 metrics, 1 not used",
    ]


def test_lines_fit_the_width(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for width in (70, 80, 100, 140, 400):
        monkeypatch.setenv("COLUMNS", str(width))
        assert max(len(line) for line in abtest("metrics", str(project)).out.splitlines()) <= width
    assert "(days 0 to 27), they did like at least once; otherwise 0." in abtest("metrics", str(project)).out


def test_unused_lists_what_no_experiment_uses(project: Path) -> None:
    done = abtest("metrics", str(project), "--unused")
    assert done.code == 0
    assert [line.split()[:3] for line in done.out.splitlines()[:2]] == [
        ["metric", "kind", "meaning"],
        ["idle", "did", "1"],
    ]
    assert "likers" not in done.out
    assert [m["name"] for m in listed(abtest("metrics", str(project), "--unused", "--json"))] == ["idle"]
    (project / "abtest.yml").write_text(
        "".join(line for line in PROJECT.splitlines(keepends=True) if "idle" not in line)
    )
    assert abtest("metrics", str(project), "--unused").out == "every metric is used\n"
    assert listed(abtest("metrics", str(project), "--unused", "--json")) == []


def test_json_has_everything_in_full(project: Path) -> None:
    done = abtest("metrics", str(project), "--json")
    likers, likes, idle = listed(done)
    assert json.loads(done.out)["schema"] == "abtest.metrics/1"
    assert json.loads(done.out)["project"] == "shop"
    assert likers["used"] == [{"experiment": "first", "role": "goal"}, {"experiment": "second", "role": "goal"}]
    assert likes["used"] == [{"experiment": "first", "role": "guardrail"}]
    assert str(likers["meaning"]).startswith("For each user: 1 if, in the first 28 days")
    assert str(idle["meaning"]).startswith("For each unit: 1 if")
    assert (likers["owner"], likers["title"], likers["tags"]) == ("feed-team", "People who like", ["core"])
    assert (idle["used"], idle["version"], idle["description"]) == ([], 2, "Nobody looks at it.")
    assert (idle["status"], idle["better"], idle["owner"]) == (None, None, None)
    assert (likers["file"], likers["line"], likers["kind"]) == ("abtest.yml", 9, "did")
    assert len(str(likers["hash"])) == 16
    shown = abtest("explain", "likers", "--project", str(project)).out
    assert str(likers["hash"]) in shown


def test_a_metric_that_others_are_adjusted_by_is_not_idle(project: Path) -> None:
    file = project / "abtest.yml"
    text = PROJECT.replace("margin: 3%", "margin: 3%, adjust: [idle]").replace(
        "{did: no like, over: first 28 days,", "{amount: like, over: before 28 days,"
    )
    file.write_text(text)
    by_name = {str(m["name"]): m for m in listed(abtest("metrics", str(project), "--json"))}
    assert by_name["idle"]["used"] == [{"experiment": "first", "role": "adjust"}]


def test_status_has_a_column_when_a_metric_has_one(project: Path) -> None:
    file = project / "abtest.yml"
    file.write_text(PROJECT.replace("version: 2", "version: 2, status: draft"))
    lines = abtest("metrics", str(project)).out.splitlines()
    assert lines[0].split() == ["metric", "kind", "owner", "status", "used", "by", "meaning"]
    assert lines[3].split()[:3] == ["idle", "did", "draft"]


def test_a_project_without_metrics(tmp_path: Path) -> None:
    (tmp_path / "abtest.yml").write_text("project: {name: empty}\n")
    assert abtest("metrics", str(tmp_path)).out == "0 metrics\n"
    assert abtest("metrics", str(tmp_path), "--unused").out == "no metrics\n"
    assert listed(abtest("metrics", str(tmp_path), "--json")) == []


def test_mistakes(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a long name would be clipped in the message
    missing = abtest("metrics", "nowhere")
    assert (missing.code, missing.err) == (2, 'E100 no folder "nowhere"\n')
    (project / "abtest.yml").write_text(PROJECT.replace("did: like", "did: lik"))
    broken = abtest("metrics", str(project), "--json")
    assert (broken.code, broken.out) == (1, "")
    assert 'E201 no event "lik"' in broken.err


def test_names_cannot_rewrite_the_screen(project: Path) -> None:
    (project / "abtest.yml").write_text(PROJECT.replace("owner: feed-team", 'owner: "\\e[31mfeed\\nteam"'))
    done = abtest("metrics", str(project))
    assert "\x1b" not in done.out
    assert "[31mfeed team" in done.out


def test_a_table_on_a_terminal(project: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "abtest", "metrics", str(project)],
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "90", "PYTHONPATH": str(ROOT)},
    )
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
    except OSError:  # the other end is closed
        pass
    _, err = process.communicate(timeout=60)
    os.close(ours)
    assert (process.returncode, err) == (0, "")
    assert b"\x1b[1m" in seen
    assert b"first (goal), second (goal)" in seen
    assert b"3 metrics, 1 not used" in seen


def test_metrics_imports_no_engine_and_no_statistics() -> None:
    code = (
        "import sys; sys.argv = ['abtest', 'metrics', 'examples/visitors', '--json']\n"
        "from abtest.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', [m for m in ('scipy', 'pandas', 'ibis', 'duckdb', 'jinja2', 'numpy', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.rstrip().endswith("LOADED []")
