"""Formatting changes no meaning, loses no comment, and does the same twice as once, whatever the file."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abtest.language import format as formatting
from abtest.language.canonical import canonical_metric, experiment_hash, plan_hash
from abtest.language.condition_text import clauses
from abtest.language.format import Formatted, format_yaml
from abtest.language.model import Project
from abtest.language.project import load_project
from abtest.language.yaml import parse_yaml
from abtest.problems import Problems
from tests.effort import calls_of
from tests.oracle.generate import seeded

from .projects import FILES, write
from .test_format import COMMENTS, RULES, formatted, metric
from .test_fuzz import HOSTILE, MOST_CALLS, SCRAPS, edited
from .whole_language import WHOLE

ROOT = Path(__file__).parents[2]
YAML = sorted(
    f.relative_to(ROOT).as_posix()
    for folder in ("examples", "templates", "metrics", "reports", "tests")
    for f in (ROOT / folder).rglob("*.y*ml")
)
IN_DOCS = [
    (f"{page.name}:{number}", block)
    for page in (*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md")
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
]


# Nothing changes its meaning -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", YAML)
def test_every_file_of_the_repository(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    if name.startswith("tests/") and parse_yaml(text, name, Problems()) is None:
        return  # tests may hold broken files on purpose
    once = formatted(text, name)
    assert formatted(once, name) == once


@pytest.mark.parametrize(("place", "block"), IN_DOCS)
def test_every_block_of_the_documents(place: str, block: str) -> None:
    if parse_yaml(block, place, Problems()) is None:
        return  # a part of a file, shown alone
    once = formatted(block, place)
    assert formatted(once, place) == once


def meanings(project: Project) -> dict[str, object]:
    """Everything that decides a number, by name."""
    return {
        **{f"metric {m.name}": (canonical_metric(m, project.events), m) for m in project.metrics.values()},
        **{f"experiment {e.id}": (experiment_hash(project, e), plan_hash(e)) for e in project.experiments.values()},
        **{f"event {name}": event for name, event in project.events.items()},
        **{f"source {name}": source for name, source in project.sources.items()},
        "groups": project.groups,
        "surveys": project.surveys,
        "warnings": len(project.warnings),
    }


def test_the_whole_language_means_the_same(tmp_path: Path) -> None:
    before = load_project(write(tmp_path / "a" / "x", WHOLE))
    files = {name: formatted(text, name) for name, text in WHOLE.items()}
    assert meanings(load_project(write(tmp_path / "b" / "x", files))) == meanings(before)


def test_the_projects_of_the_repository_mean_the_same(tmp_path: Path) -> None:
    for number, folder in enumerate(("examples/visitors", "examples/watch-time", "templates/demo", "templates/init")):
        before = load_project(ROOT / folder)
        files = {name: formatted((ROOT / folder / name).read_text(encoding="utf-8")) for name in before.files}
        after = load_project(write(tmp_path / f"{number}" / before.root.name, files))
        assert meanings(after) == meanings(before)


@settings(max_examples=max(1, settings().max_examples // 4))
@given(st.integers(0, 100_000))
def test_any_project_means_the_same_and_keeps_its_comments(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    case = seeded(seed)
    c = random.Random(seed)
    folder = tmp_path_factory.getbasetemp() / "formats"
    messy = {name: untidy(text, c) for name, text in case.project_yaml.items()}
    before = load_project(write(folder, {**case.files(), **messy}))
    tidy = {name: formatted(text, name) for name, text in messy.items()}
    for name, text in tidy.items():
        assert formatted(text, name) == text
        assert about(text) == about(messy[name])
    assert meanings(load_project(write(folder, tidy))) == meanings(before)


def untidy(text: str, c: random.Random) -> str:
    """The same definitions as a careless hand may write them, with numbered comments."""
    out: list[str] = []
    number = 0
    wide = c.random() < 0.3
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        body = line.strip()
        if c.random() < 0.3:
            body = re.sub(r" (>=|<=|!=|<|>|\*) ", r"\1", body)
        if c.random() < 0.2:
            body = body.replace(" and ", "  and ").replace(", ", " ,  ")
        space = " " * (2 * indent if wide else indent)
        if c.random() < 0.15:
            number += 1
            out.append(f"{space}# n{number}")
        if c.random() < 0.1:
            out += [""] * c.randint(1, 3)
        if c.random() < 0.15:
            number += 1
            body += " " * c.randint(1, 9) + f"# n{number}"
        out.append(space + body + " " * c.choice((0, 0, 2)))
    return c.choice(("\n", "\r\n")).join(out) + c.choice(("", "\n", "\n\n"))


def about(text: str) -> dict[str, str]:
    """Each comment and the key that it stands beside, or above; "item" for what has no key."""
    found: dict[str, str] = {}
    waiting: list[str] = []
    for line in text.splitlines():
        body, _, comment = line.partition("# ")
        if not body.strip():
            waiting += [comment.strip()] if comment else []
            continue
        key = re.match(r"\s*(?:- )?([\w ]+?)\s*:", body)
        name = key[1] if key and not body.lstrip().startswith("- ") else "item"
        found |= dict.fromkeys(waiting, name)
        waiting = []
        if comment:
            found[comment.strip()] = name
    return found | dict.fromkeys(waiting, "end")


# Whatever comes ------------------------------------------------------------------------------------------------------


@given(
    edited((*FILES.values(), *(after for _, after in (*RULES.values(), *COMMENTS.values()))))
    | SCRAPS
    | st.text(max_size=80)
)
def test_any_text_is_formatted_or_left_alone(text: str) -> None:
    problems = Problems()
    result = format_yaml(text, "m.yml", problems)
    if result is None:
        assert problems.errors
    elif result.refused:
        assert result.text == text
    else:
        assert format_yaml(result.text, "m.yml", Problems()) == Formatted(result.text)


COSTLY = (
    "many keys", "the same key", "deep lists", "deep blocks", "one long line", "long folded text", "many aliases",
    "many names", "nothing but quotes", "nothing but dashes",
)  # fmt: skip


@pytest.mark.parametrize("name", COSTLY)
def test_a_hostile_file_costs_little(name: str) -> None:
    calls_of(lambda: format_yaml(HOSTILE[name], "m.yml", Problems()), 2 * MOST_CALLS)


SPLIT = {
    "a list of conditions": "metrics:\n  m: {did: at least 3 of (post, comment, like), per: week}\n",
    "values in braces": "events:\n  e: {event: x, where: country in (US, CA)}\n",
    "items of a list": metric("did: {all: [at least 2 of (a, b), c, d]}"),
    "in an experiment": "experiment: x\npopulation: {only: country in (US, CA)}\n",
}


@pytest.mark.parametrize("case", SPLIT)
def test_a_text_that_yaml_cut_at_a_comma_is_reported(case: str) -> None:
    problems = Problems()
    assert format_yaml(SPLIT[case], "m.yml", problems) is None
    assert [p.code for p in problems.errors] == ["E120"]
    assert problems.errors[0].place is not None


def test_a_file_that_cannot_be_read_is_reported() -> None:
    problems = Problems()
    assert format_yaml("metrics: [", "m.yml", problems) is None
    assert [p.code for p in problems.errors] == ["E101"]


def wrong_number(text: str) -> str:
    return text.replace("5", "6")


def wrong_joiner(text: str) -> tuple[str, tuple[str, ...]] | None:
    found = clauses(text)
    return ("or", found[1]) if found else None


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("spaced", wrong_number, 'the new text would not mean the same: "metrics › m › did"'),
        ("clauses", wrong_joiner, 'the new text would not mean the same: "metrics › m › did"'),
        ("write_layout", lambda _: metric("did: like >= 5 and a and b"), "a comment would be lost"),
        ("write_layout", lambda _: metric("did: like"), 'the new text would not mean the same: "metrics › m › did"'),
        ("write_layout", lambda _: "metrics: {}\n", 'the new text would not mean the same: "metrics"'),
        ("write_layout", lambda _: "", 'the new text would not mean the same: "the file"'),
        ("write_layout", lambda _: "metrics: [", "the new text cannot be read"),
    ],
)
def test_a_mistake_of_ours_leaves_the_file_alone(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable[[str], object], said: str
) -> None:
    text = metric("did:   like >= 5 and a and b  # c")
    monkeypatch.setattr(formatting, name, wrong)
    assert format_yaml(text, "m.yml", Problems()) == Formatted(text, said)


def test_a_text_that_would_change_again_leaves_the_file_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = iter(("a: 1\n", "a:  1\n"))
    monkeypatch.setattr(formatting, "write_layout", lambda _: next(texts))
    said = "formatting it twice would not be the same as once"
    assert format_yaml("a:   1\n", "m.yml", Problems()) == Formatted("a:   1\n", said)
