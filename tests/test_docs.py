"""Every command and every YAML block of README and docs is run, so that they cannot drift from the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from abtest.analysis.examples import problems_in_examples, run_examples
from abtest.language.project import read_project
from abtest.language.yaml import parse_yaml
from abtest.problems import Problems
from tests.command import abtest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EVENTS = "sources:\n  app: {kind: events, files: x.csv, columns: {event: e, time: t}, units: {user: u}}\nevents: {photo_post: photo_post, like: like}\n"


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (page.name, text) for page in PAGES for kind, text in BLOCK.findall(page.read_text("utf-8")) if kind == language
    ]


def yaml_projects() -> list[tuple[str, list[str]]]:
    """Each YAML block with the earlier ones of its page that it builds on: a block with `sources:` begins a project,
    later ones add to it; experiments are files of their own that nothing builds on."""
    found: list[tuple[str, list[str]]] = []
    for page in PAGES:
        project: list[str] = []
        for kind, text in BLOCK.findall(page.read_text("utf-8")):
            if kind != "yaml":
                continue
            if "sources:" in text:
                project = []
            found.append((page.name, [*project, text]))
            if "sources:" in text or (project and not text.startswith("experiment:")):
                project.append(text)
    return found


@pytest.mark.parametrize(("page", "texts"), yaml_projects(), ids=lambda x: x if isinstance(x, str) else x[-1][:20])
def test_yaml_blocks_load_verbatim_and_their_examples_pass(page: str, texts: list[str], tmp_path: Path) -> None:
    problems = Problems()
    assert parse_yaml(texts[-1], page, problems) is not None
    assert problems.found == []
    (tmp_path / "experiments").mkdir()
    for number, text in enumerate(texts):
        name = "experiments/x.yml" if text.startswith("experiment:") else f"part_{number}.yml"
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "abtest.yml").write_text("" if "sources:" in texts[0] else EVENTS, "utf-8")
    project, found = read_project(tmp_path)
    assert [str(p) for p in found.errors] == []
    assert len(project.experiments) == sum(text.startswith("experiment:") for text in texts)
    assert problems_in_examples(project) == []
    assert [o for o in run_examples(project, project.metrics.values()) if not o.passed] == []


def test_the_metric_of_the_readme_is_ten_lines() -> None:
    (text,) = [t for page, t in blocks("yaml") if page == "README.md"]
    assert len(text.splitlines()) <= 10


@pytest.mark.parametrize(("page", "text"), blocks("python"), ids=lambda x: x[:20])
def test_python_blocks_run(
    page: str, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    space: dict[str, object] = {}
    exec(compile(text, page, "exec"), space)  # the repository's own documentation
    assert capsys.readouterr().out.startswith("ship ")


def test_the_commands_of_the_readme_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = []
    for page, text in blocks("console"):
        for line in text.splitlines():
            if not line.startswith("$ abtest"):
                continue
            words = shlex.split(line.removeprefix("$ "), comments=True)
            done = abtest(*words[1:])
            assert done.code == 0, (page, line, done.err)
            ran.append(words[1])
    assert {"init", "check", "test", "explain", "demo", "run"} <= set(ran)
    assert (tmp_path / "demo" / "out" / "composer_v3" / "report.html").is_file()


def test_the_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text())) - {"each"}:
        assert f"\n{target}:" in makefile, target


def test_links_of_the_docs_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


def test_the_message_of_the_readme_is_the_real_one(tmp_path: Path) -> None:
    text = next(t for page, t in blocks("text") if page == "README.md")
    (tmp_path / "metrics").mkdir()
    (tmp_path / "abtest.yml").write_text(
        "sources:\n  app: {kind: events, files: x.csv, columns: {event: e, time: t}, units: {user: u}}\n"
        "events: {app_open: a, article_read: b, like: c, photo_post: d, purchase: e}\n"
    )
    (tmp_path / "metrics" / "engagement.yml").write_text(
        "metrics:\n  engaged_weeks:\n    title: Engaged weeks\n    did: photo_pst >= 2 and like >= 5\n    per: week\n    over: first 28 days\n"
    )
    _, found = read_project(tmp_path)
    assert [str(p) for p in found.errors] == [text.rstrip()]
