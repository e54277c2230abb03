"""Whatever is in the files: problems of ours, never another exception, and never a long wait."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.language.examples import read_examples
from abtest.language.explain import Explainer
from abtest.language.expressions import parse_condition
from abtest.language.fields import Fields
from abtest.language.measures import parse_measure
from abtest.language.project import MAX_PROBLEMS, read_project
from abtest.language.tokens import SyntaxProblem
from abtest.language.where import parse_where
from abtest.language.where_text import where_text
from abtest.language.yaml import MAX_BYTES, Map, parse_yaml
from abtest.problems import Problems

from .projects import FILES, write

SECOND = 1.0
CONDITIONS = (
    "photo_post >= 2 and like >= 5",
    "at least 2 of (purchase, sum(purchase.revenue) >= 20 EUR, article_read >= 4 on 2 days)",
    "not ((app_open on 3 days) in every week) or no crash",
    "like + 2 * comment - 0.5 * crash between 2 and 30 min",
)
WHERES = (
    "page_type = article and seconds >= 30 s",
    "country in (ES, 'New York', 3) or not (plan is not missing)",
    "'odd name'.x starts with $ or signup after 2026-01-31",
)
EXAMPLES = ("like x5", "purchase(revenue: 20, tax: 2)", "day 3 09:00", "25%")
ALPHABET = st.sampled_from(
    [*" \n\t:#-[]{}(),.'\"|>&*!%@=<+0123456789aZ\u00e9\u2028\x85\u0661\x00", "and", "or", " on 2 days"]
)

SCRAPS = st.lists(ALPHABET, max_size=60).map("".join)


@st.composite
def edited(draw: st.DrawFn, texts: tuple[str, ...]) -> str:
    """A good text after a few slips of the hand: characters and lines deleted, inserted, swapped, doubled."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(1, 6))):
        by_line = draw(st.booleans())
        parts: list[str] = text.splitlines(keepends=True) if by_line else list(text)
        if not parts:
            break
        i, j = draw(st.integers(0, len(parts) - 1)), draw(st.integers(0, len(parts) - 1))
        match draw(st.sampled_from(("delete", "insert", "swap", "double"))):
            case "delete":
                del parts[i]
            case "insert":
                parts.insert(i, draw(ALPHABET))
            case "swap":
                parts[i], parts[j] = parts[j], parts[i]
            case _:
                parts.insert(j, parts[i])
        text = "".join(parts)
    return text


def timed(work: Callable[[], Any]) -> Any:
    start = time.process_time()
    found = work()
    assert time.process_time() - start < SECOND
    return found


def parsed(parser: Callable[[str], Any], text: str) -> Any:
    """What the parser makes of the text; None when it objects, which it does inside the text."""
    refused: SyntaxProblem | None = None
    found = None
    try:
        found = timed(lambda: parser(text))
    except SyntaxProblem as e:
        refused = e
    if refused is not None:
        assert 0 <= refused.at[0] <= refused.at[1] <= len(text) + 1
        assert refused.message
    return found


@given(edited(CONDITIONS) | SCRAPS | st.text())
def test_a_condition_is_read_or_refused(text: str) -> None:
    condition = parsed(parse_condition, text)
    if condition is not None:
        assert Explainer().condition(condition)
    parsed(parse_measure, text)


@given(edited(WHERES) | SCRAPS | st.text())
def test_a_where_is_read_or_refused(text: str) -> None:
    where = parsed(parse_where, text)
    if where is not None:
        assert where_text(where)


@given(edited(EXAMPLES) | SCRAPS)
def test_examples_are_read_or_refused(text: str) -> None:
    for form in (
        f"examples:\n  - {{when: {{day 0: {text}}}, expect: 1}}",
        f"examples: [{{when: {{{text}: like}}, expect: {text}}}]",
    ):
        problems = Problems()
        node = parse_yaml(form, "m.yml", problems)
        if isinstance(node, Map):
            timed(partial(read_examples, Fields(node, "metric m", problems), problems))


@given(st.binary(max_size=400) | SCRAPS.map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_file(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    root = tmp_path_factory.getbasetemp() / "bytes"
    write(root, FILES)
    (root / "metrics" / "all.yml").write_bytes(raw)
    (root / "experiments" / "ranker_v3.yml").write_bytes(raw)
    shown(root)


@given(edited(tuple(FILES.values())), st.sampled_from(sorted(FILES)))
def test_a_good_project_after_slips_of_the_hand(tmp_path_factory: pytest.TempPathFactory, text: str, name: str) -> None:
    root = write(tmp_path_factory.getbasetemp() / "slips", FILES)
    (root / name).write_text(text, encoding="utf-8", newline="")
    shown(root)


def shown(root: Path) -> Problems:
    """Read and print everything: the places too must exist."""
    problems: Problems = timed(lambda: read_project(root))[1]
    for problem in problems.found:
        assert str(problem)
        if problem.place is not None:
            assert problem.place.line >= 1
            assert problem.place.column >= 1
    return problems


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("like and " * 300 + "like", "E115"),
        (" and ".join(["a"] * 70), "E115"),
        ("(" * 9 + "like" + ")" * 9, "E115"),
        ("not " * 20 + "like", "E115"),
        ("(" * 1900, "E115"),
        ("at least 1 of (" * 12 + "like", "E115"),
        ("like >= " + "9" * 1500, "E113"),
        ("like >= 1e999999999999999999999", "E113"),
        ("like on 9999999 days", "E113"),
    ],
)
def test_limits_of_a_condition(text: str, code: str) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        timed(lambda: parse_condition(text))
    assert caught.value.code == code


@pytest.mark.parametrize(
    "text", ["(" * 1900, "not " * 400 + "a = 1", " and ".join(["a = 1"] * 200), "a in (" + "1," * 990 + "1)"]
)
def test_limits_of_a_where(text: str) -> None:
    parsed(parse_where, text)


HOSTILE = {
    "many keys": "metrics:\n" + "".join(f"  m{i}: {{did: like{i}}}\n" for i in range(30_000)),
    "many unknown keys": "metrics:\n  m:\n" + "".join(f"    k{i}: 1\n" for i in range(60_000)),
    "the same key": "metrics:\n" + "  m: {did: like}\n" * 50_000,
    "tabs": "\t:\n" * 200_000,
    "deep lists": "metrics: " + "[" * 400_000,
    "deep maps": "metrics: " + "{a: " * 200_000,
    "deep blocks": "\n".join(" " * i + "a:" for i in range(1_000)),
    "one long line": "metrics: {m: {did: '" + "x" * 900_000 + "'}}",
    "one long key": "metrics:\n  m: {" + "y" * 100_000 + ": 1}",
    "long folded text": "metrics:\n  m:\n    did: a\n" + "      and b\n" * 80_000,
    "many aliases": "a: &a [x]\nb: [" + "*a, " * 100_000 + "]",
    "many names": "events:\n  like: [" + "a, " * 300_000 + "]",
    "nothing but colons": ":" * 900_000,
    "nothing but questions": "? " * 400_000,
    "nothing but quotes": '"' * 900_001,
    "nothing but dashes": "- " * 400_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_costs_little(name: str, tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "metrics/x.yml": HOSTILE[name]})
    _, problems = timed(lambda: read_project(tmp_path))
    assert problems.errors
    assert len(problems.found) <= MAX_PROBLEMS + 2


def test_a_file_has_a_megabyte_at_most(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "metrics/x.yml": "# " + "x" * MAX_BYTES})
    assert [p.code for p in shown(tmp_path).errors] == ["E105"]
