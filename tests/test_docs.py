"""Every command and every YAML block of README and docs is run, so that they cannot drift from the code.

Pages that show what a command prints are replayed in a folder of their own, and every word that they show must come.
A line of three dots stands for any lines; line breaks of the page do not count. When the product says something new,
`python -m tests.test_docs` writes it into the pages; read the diff.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import textwrap
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import pytest

from abtest.analysis.examples import problems_in_examples, run_examples
from abtest.language.project import read_project
from abtest.language.read_kinds import KINDS as METRIC_KINDS
from abtest.language.yaml import parse_yaml
from abtest.problems import Problems
from tests.command import Done, abtest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
KINDS = [p for p in sorted((ROOT / "docs" / "kinds").glob("*.md")) if p.name != "README.md"]
FIRST = ROOT / "docs" / "first-metric.md"
REPLAYED = [FIRST, *KINDS]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"`([\w/-]+\.yml)`[^\n`]*:\n\n\Z")
DOTS = "..."
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
        if page == FIRST:
            continue  # its files change while it is replayed
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


@lru_cache(maxsize=1)
def demo() -> Path:
    """The project that `abtest demo` writes, made once for all pages."""
    folder = Path(mkdtemp(prefix="abtest-docs-")) / "demo"
    done = abtest("demo", str(folder))
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="module", autouse=True)
def _no_demo_stays() -> Iterator[None]:
    yield
    if demo.cache_info().currsize:
        shutil.rmtree(demo().parent)


def run(command: str) -> Done:
    """One command of a page, in the present folder."""
    words = shlex.split(command, comments=True)
    if words[0] == "cd":
        os.chdir(words[1])
        return Done(0, "", "")
    assert words[0] == "abtest", command
    if words[1] == "demo":
        shutil.copytree(demo(), words[2])
        return Done(0, "", "")
    return abtest(*words[1:])


def test_the_commands_of_the_readme_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = []
    for page, text in blocks("console"):
        for line in text.splitlines() if page == "README.md" else ():
            if line.startswith("$ abtest"):
                done = run(line.removeprefix("$ "))
                assert done.code == 0, (line, done.err)
                ran.append(line.split()[2])
    assert {"init", "check", "test", "explain", "demo", "run"} <= set(ran)
    assert (tmp_path / "demo" / "out" / "composer_v3" / "report.html").is_file()


def replay(page: Path, seen: Callable[[str, str, Done], None]) -> None:
    """Do in the present folder what a page says: write its files, run its commands; `seen` gets each command, the output
    that the page shows, and what came."""
    text = page.read_text("utf-8")
    place = Path("abtest.yml")
    for block in BLOCK.finditer(text):
        kind, body = block[1], block[2]
        if kind == "yaml":
            named = FILE.search(text[: block.start()])
            place = Path(named[1]) if named else place
            place.parent.mkdir(exist_ok=True)
            place.write_text(edited(place.read_text("utf-8"), body) if body.startswith(" ") else body, "utf-8")
        elif kind == "console":
            for command, shown in commands(body):
                seen(command, shown, run(command))


def commands(body: str) -> list[tuple[str, str]]:
    """The commands of a block, each with the lines shown below it."""
    parts = re.split(r"^\$ (.*)\n", body, flags=re.MULTILINE)
    assert parts[0] == "", body
    return list(zip(parts[1::2], parts[2::2], strict=True))


def edited(text: str, lines: str) -> str:
    """A file with these lines: each in the place of the one with its key, or else after the line before it."""
    found, at = text.splitlines(), 0
    for line in lines.splitlines():
        same = next((i for i, old in enumerate(found) if _key(old) == _key(line)), None)
        if same is None:
            at += 1
            found.insert(at, line)
        else:
            at, found[same] = same, line
    return "\n".join(found) + "\n"


def _key(line: str) -> str:
    """What stays when a line is edited: its key, or what happens in an example."""
    return line.partition(", expect")[0] if line.lstrip().startswith("- ") else line.partition(":")[0]


def said(done: Done) -> str:
    return done.out + done.err


def shows(shown: str, came: str) -> bool:
    """Whether the words shown are those that came, dots standing for any."""
    parts = [" ".join(p.split()) for p in re.split(r"^\.\.\.$", shown, flags=re.MULTILINE)]
    return re.fullmatch(r"\s?.*\s?".join(map(re.escape, parts)), " ".join(came.split()), re.DOTALL) is not None


@pytest.mark.parametrize("page", REPLAYED, ids=lambda p: p.stem)
def test_pages_show_what_comes(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def seen(command: str, shown: str, done: Done) -> None:
        wrong = re.search(r" E\d{3} |: expected ", shown) is not None
        assert done.code == (1 if wrong else 0), (command, said(done))
        if shown:
            assert shows(shown, said(done)), f"$ {command}\n{said(done)}"

    replay(page, seen)


def test_every_kind_has_a_page_of_a_screen_and_a_half() -> None:
    assert {p.stem for p in KINDS} == {*METRIC_KINDS, "time"}
    index = (ROOT / "docs" / "kinds" / "README.md").read_text("utf-8")
    for page in KINDS:
        assert f"({page.name})" in index, page.name
        assert len(page.read_text("utf-8").splitlines()) <= 92, page.name


def test_dots_stand_for_lines_and_nothing_else_is_left_out() -> None:
    assert shows("a b\nc\n", "a  b c")
    assert not shows("a\n", "a b")
    assert shows("a\n...\nd\n", "a b c d")
    assert shows("a\n...\n", "a b")
    assert not shows("b\n...\n", "a b")


def test_the_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text())) - {"each"}:
        assert f"\n{target}:" in makefile, target


def test_links_of_the_docs_lead_somewhere() -> None:
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), (page.name, target)
            if anchor:
                there = (page.parent / target if target else page).read_text("utf-8")
                headings = [
                    re.sub(r"[^\w -]", "", h).lower().replace(" ", "-")
                    for h in re.findall(r"^#+ (.*)", there, re.MULTILINE)
                ]
                assert anchor in headings, (page.name, target, anchor)


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


def write_what_comes(page: Path) -> None:
    """The page with the output of the present version: as much of it as is shown, long lines folded."""
    text = page.read_text("utf-8")
    at = 0

    def seen(command: str, shown: str, done: Done) -> None:
        nonlocal text, at
        at = text.index(f"$ {command}\n{shown}", at) + len(command) + 3
        if shown and not shows(shown, said(done)):
            came = said(done).rstrip("\n").splitlines()
            folded = [
                "\n".join(textwrap.wrap(x, 100, subsequent_indent=x[: len(x) - len(x.lstrip())] + "  ")) for x in came
            ]
            if shown.splitlines()[-1] == DOTS and "  Events" in folded:
                folded = [*folded[: folded.index("  Events") - 1], DOTS]
            text = text[:at] + "\n".join(folded) + "\n" + text[at + len(shown) :]

    with TemporaryDirectory() as folder:
        os.chdir(folder)
        replay(page, seen)
        os.chdir(ROOT)
    page.write_text(text, "utf-8")


if __name__ == "__main__":
    for replayed in REPLAYED:
        write_what_comes(replayed)
