"""`abtest fmt`: what it writes, what it only shows, and what it leaves alone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from abtest.language import format as formatting
from tests.command import abtest

ROOT = Path(__file__).parents[2]
UNTIDY = "metrics:\n    m: {per:  week,  did: like>=5}   # why\n"
TIDY = "metrics:\n  m: {did: like >= 5, per: week}     # why\n"
OTHER = "events:\n  like: like\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "abtest.yml").write_text(OTHER)
    (tmp_path / "metrics" / "feed.yml").write_text(UNTIDY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_fmt_rewrites_and_then_finds_nothing_to_do(project: Path) -> None:
    done = abtest("fmt")
    assert (done.code, done.err) == (0, "")
    assert done.out == "formatted  metrics/feed.yml\n1 file of 2 formatted\n"
    assert (project / "metrics" / "feed.yml").read_text() == TIDY
    assert abtest("fmt").out == "2 files, nothing to change\n"
    assert sorted(p.name for p in project.rglob("*")) == ["abtest.yml", "feed.yml", "metrics"]


def test_check_lists_what_would_change_and_writes_nothing(project: Path) -> None:
    done = abtest("fmt", "--check")
    assert done.code == 1
    assert done.out == "would change  metrics/feed.yml\n1 file of 2 would change\n"
    assert (project / "metrics" / "feed.yml").read_text() == UNTIDY
    (project / "metrics" / "feed.yml").write_text(TIDY)
    assert abtest("fmt", "--check").code == 0


def test_diff_shows_and_writes_nothing(project: Path) -> None:
    done = abtest("fmt", "--diff")
    assert done.code == 0
    assert done.out.splitlines() == [
        "--- a/metrics/feed.yml",
        "+++ b/metrics/feed.yml",
        "@@ -1,3 +1,3 @@",
        " metrics:",
        "-    m: {per:  week,  did: like>=5}   # why",
        "+  m: {did: like >= 5, per: week}     # why",
        " ",
    ]
    assert (project / "metrics" / "feed.yml").read_text() == UNTIDY
    both = abtest("fmt", "--check", "--diff")
    assert (both.code, both.out) == (1, done.out)


def test_paths_choose_files_and_folders(project: Path) -> None:
    (project / "abtest.yml").write_text("events:\n   like: like\n")
    (project / "experiments").mkdir()
    (project / "experiments" / "x.yml").write_text("experiment:   x\n")
    assert abtest("fmt", "--check", "metrics").out == "would change  metrics/feed.yml\n1 file of 1 would change\n"
    assert "1 file of 1" in abtest("fmt", "--check", "abtest.yml").out
    assert "2 files of 2" in abtest("fmt", "--check", "abtest.yml", "experiments", "./abtest.yml").out
    os.chdir(project / "metrics")
    assert "3 files of 3" in abtest("fmt", "--check").out


def test_a_file_of_no_project_is_formatted_when_it_is_named(tmp_path: Path) -> None:
    alone = tmp_path / "ci.yaml"
    alone.write_text("jobs:\n    test: [a,  b]\n")
    assert abtest("fmt", str(alone)).code == 0
    assert alone.read_text() == "jobs:\n  test: [a, b]\n"


@pytest.mark.parametrize("words", [("nowhere",), ("nowhere.yml",), ("empty",)])
def test_usage_mistakes(project: Path, words: tuple[str, ...]) -> None:
    (project / "empty").mkdir()
    done = abtest("fmt", *words)
    assert done.code == 2
    assert done.err.startswith("E100 no ")
    assert (project / "metrics" / "feed.yml").read_text() == UNTIDY


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("metrics: [", "E101"),
        ("a: &b 1\n", "E104"),
        ("a: 1\na: 2\n", "E107"),
        ("metrics:\n  m: {did: at least 2 of (a, b, c)}\n", "E120"),
        ("\t:\n" * 30_000, "E103"),
        ("\udce9".encode("utf-8", "surrogateescape"), "E106"),
    ],
)
def test_nothing_is_written_when_one_file_has_a_problem(project: Path, text: str | bytes, code: str) -> None:
    bad = project / "metrics" / "bad.yml"
    bad.write_bytes(text if isinstance(text, bytes) else text.encode())
    for words in (("fmt",), ("fmt", "--check"), ("fmt", "--diff")):
        done = abtest(*words)
        assert (done.code, done.out) == (1, "")
        assert f"metrics/bad.yml:1:1 {code}" in done.err or f" {code} " in done.err
        assert done.err.endswith("nothing was written\n")
    assert (project / "metrics" / "feed.yml").read_text() == UNTIDY
    assert len(done.err) < 40_000


def test_line_ends_and_the_byte_order_mark(project: Path) -> None:
    file = project / "metrics" / "feed.yml"
    file.write_bytes(b"\xef\xbb\xbf" + TIDY.replace("\n", "\r\n").encode())
    assert "-metrics:\\r\n" in abtest("fmt", "--diff").out.replace("\\ufeff", "")
    assert "would change  metrics/feed.yml  (its line ends become LF)" in abtest("fmt", "--check").out
    assert "formatted  metrics/feed.yml  (its line ends become LF)" in abtest("fmt").out
    assert file.read_bytes() == TIDY.encode()


def test_permissions_and_links_stay(project: Path) -> None:
    file = project / "metrics" / "feed.yml"
    real = project / "shared.txt"
    file.rename(real)
    real.chmod(0o640)
    file.symlink_to(real)
    assert abtest("fmt").code == 0
    assert file.is_symlink()
    assert real.read_text() == TIDY
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_folder_that_cannot_be_written(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    done = abtest("fmt")
    assert done.code == 2
    assert done.err == 'E003 cannot write "metrics/feed.yml": No space left on device\n'
    assert (project / "metrics" / "feed.yml").read_text() == UNTIDY
    assert sorted(p.name for p in (project / "metrics").iterdir()) == ["feed.yml"]


def test_what_would_change_its_meaning_is_left_and_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "metrics" / "more.yml").write_text("metrics:\n   n: {amount: like}\n")
    monkeypatch.setattr(formatting, "spaced", lambda text: text.replace("5", "6"))
    for words in (("fmt", "--check"), ("fmt",)):
        done = abtest(*words)
        assert done.code == 1
        said = 'left as it is  metrics/feed.yml: the new text would not mean the same: "metrics › m › did"\n'
        assert done.err == said
    assert (project / "metrics" / "feed.yml").read_text() == UNTIDY
    assert (project / "metrics" / "more.yml").read_text() == "metrics:\n  n: {amount: like}\n"


def test_control_characters_do_not_reach_the_terminal(project: Path) -> None:
    (project / "metrics" / "feed.yml").write_text('metrics:\n   m: {did: like, title: "\\e[31m"}\n# \u202e\n')
    done = abtest("fmt", "--diff")
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out


def test_check_agrees_before_and_after(tmp_path: Path) -> None:
    assert abtest("init", str(tmp_path)).code == 0
    before = abtest("check", str(tmp_path)), abtest("test", "--project", str(tmp_path))
    assert abtest("fmt", str(tmp_path)).code == 0
    assert (abtest("check", str(tmp_path)), abtest("test", "--project", str(tmp_path))) == before


def test_fmt_imports_no_engine_and_no_statistics() -> None:
    code = (
        "import sys; sys.argv = ['abtest', 'fmt', '--diff', 'examples/visitors']\n"
        "from abtest.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', [m for m in ('scipy', 'pandas', 'ibis', 'duckdb', 'jinja2', 'numpy', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.rstrip().endswith("LOADED []")
