"""Whatever is in the files: problems of ours, never another exception, and never a long wait."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.language.canonical import metric_hash
from abtest.language.conditions import walk
from abtest.language.examples import read_examples
from abtest.language.explain import Explainer
from abtest.language.expressions import parse_condition
from abtest.language.fields import Fields
from abtest.language.measures import parse_measure
from abtest.language.project import MAX_PROBLEMS, read_project
from abtest.language.read_groups import MAX_PARTS, MAX_RUNGS
from abtest.language.tokens import SyntaxProblem
from abtest.language.where import parse_where
from abtest.language.where_text import where_text
from abtest.language.yaml import MAX_BYTES, Map, parse_yaml
from abtest.problems import Problems
from tests.effort import calls_of

from .projects import FILES, write
from .whole_language import WHOLE

MOST_CALLS = 3_000_000  # about a second of work on an idle core
CONDITIONS = (
    "photo_post >= 2 and like >= 5",
    "at least 2 of (purchase, sum(purchase.revenue) >= 20 EUR, article_read >= 4 on 2 days)",
    "not ((app_open on 3 days) in every week) or no crash",
    "like + 2 * comment - 0.5 * crash between 2 and 30 min",
    "app_open and no app_open 1-7 days ago and (like >= 2 and crash) 8-30 days ago",
    "app_open 1 week ago and app_open <= 0.5 * app_open 1 week ago",
    "like and people.plan in (free, 'trial 2') and not people.age is missing",
    "distinct(message.user) >= 3 and answer(nps) >= 9 and days_since(purchase) < 30 or sessions(like) = 2",
)
WHERES = (
    "page_type = article and seconds >= 30 s",
    "country in (ES, 'New York', 3) or not (plan is not missing)",
    "'odd name'.x starts with $ or signup after 2026-01-31",
    "path matches '^/(article|post)/[0-9]+$' and not (email ends with '@us.example' or size between 2 and 3)",
)
EXAMPLES = ("like x5", "purchase(revenue: 20, tax: 2)", "day 3 09:00", "25%")
ALPHABET = st.sampled_from(
    [*" \n\t:#-[]{}(),.'\"|>&*!%@=<+0123456789aZ\u00e9\u2028\x85\u0661\x00", "and", "or", " on 2 days", " 1 week ago"]
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


def bounded(work: Callable[[], Any]) -> Any:
    return calls_of(work, MOST_CALLS)[0]


def parsed(parser: Callable[[str], Any], text: str) -> Any:
    """What the parser makes of the text; None when it objects, which it does inside the text."""
    refused: SyntaxProblem | None = None
    found = None
    try:
        found = bounded(lambda: parser(text))
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
            bounded(partial(read_examples, Fields(node, "metric m", problems), problems))


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


@given(edited(tuple(WHOLE.values())), st.sampled_from(sorted(WHOLE)))
def test_the_whole_language_after_slips_of_the_hand(
    tmp_path_factory: pytest.TempPathFactory, text: str, name: str
) -> None:
    root = write(tmp_path_factory.getbasetemp() / "whole", WHOLE)
    (root / name).write_text(text, encoding="utf-8", newline="")
    shown(root)


VALUES = {
    "per": ("day", "week", "14 days", "hour", "month", "session", "rolling 7 days", "rolling 40 days"),
    "over": (
        "whole", "first 28 days", "first 10 days", "days 7-13", "day 0", "from day 7", "last 14 days", "last 1 day",
        "before 28 days", "lifetime", "first 48 hours", "first 90 minutes",
    ),
    "clock": ("date", "elapsed", "calendar"),
    "value": (
        "share", "ever", "always", "last", "count", "streak", "mean", "sum", "min", "max", "share >= 75%", "count >= 3",
        "streak < 9",
    ),
    "starting_at": ("app_open", "nobody"),
    "within": ("7 days", "1 day", "6 hours"),
    "unit": ("user", "device", "team", "session"),
    "among": ("plan = free", "people.age > 3 or shop.paid > 2", "purchase", "(like on 2 days) before 14 days"),
    "cap": ("500", "99%", "95% of nonzero", "0"),
    "missing": ("zero", "drop", "2"),
    "adjust": ("none", "[likes_before, people.age]", "[like]"),
    "immature": ("drop", "keep"),
    "margin": ("2%", "0.5 points", "3 EUR", "2 s"),
    "show": ("histogram",),
    "day": ("7", "7-13"),
    "days": ("7-13",),
    "from_day": ("3",),
    "silent": ("14 days", "28 days"),
    "is": ("regular", "FAN", "F__", "customer", "dormant", "active"),
    "at_least": ("regular", "dormant", "explorer"),
    "as": ("rank", "share"),
    "same": ("article",),
}  # fmt: skip
KIND_VALUES = {
    "did": (
        "like", "no crash", "like >= 2 on 3 days", "(like on 2 days) in 2 weeks", "app_open and no like 1 week ago",
        "(like and crash) 1-3 periods ago", "app_open <= 0.5 * app_open 1 day ago", "people.plan = free and like",
        "answer(nps) >= 9", "days_since(like) > 3", "{none: [like, {at_least: 1, of: [crash, no like]}]}",
        "{all: [like on 2 days, purchase]}", "mean(purchase.revenue) > 3 EUR", "sessions(like) >= 2",
    ),
    "amount": ("like", "sum(purchase.revenue)", "mean(purchase.size)", "like 1 week ago", "days(like)", "answer(nps)"),
    "ratio": ("like / crash", "{of: like >= 2, to: app_open}", "{of: shop.paid, to: like}", "{of: like 1 day ago, to: like}"),
    "quantile": (
        "{of: article_read.seconds, at: 95%, across: events}", "{of: sum(purchase.revenue), at: 50%, across: units}",
        "{of: like, at: 50%, across: events}",
    ),
    "funnel": ("'app_open, like'", "{steps: [app_open, {b: purchase}], within: 1 h, from: exposure, same: article}"),
    "time_to": ("like >= 3", "no like", "{all: [like, crash]}", "{none: [like, crash]}", "like on 2 days", "people.age > 3"),
    "group": ("level", "fan", "recent"),
    "survey": ("nps", "trust"),
    "retention": ("app_open", "like on 2 days"),
    "churn": ("app_open",),
    "column": ("shop.paid", "people.age"),
    "uses": ("abtest/retention_d7", "abtest/engaged_weeks"),
}  # fmt: skip
KINDS_OF_VALUES = tuple((kind, value) for kind, values in KIND_VALUES.items() for value in values)
KEY_VALUES = {key: st.sampled_from(values) for key, values in VALUES.items()}
DEFINITIONS = st.tuples(st.sampled_from(KINDS_OF_VALUES), st.fixed_dictionaries({}, optional=KEY_VALUES)).map(
    lambda d: "{" + ", ".join(f"{k}: {v}" for k, v in (d[0], *d[1].items())) + "}"
)


@given(st.lists(DEFINITIONS, min_size=20, max_size=40))
def test_every_key_beside_every_other(tmp_path_factory: pytest.TempPathFactory, definitions: list[str]) -> None:
    """What combination of keys somebody may write: a metric, or problems."""
    text = "metrics:\n" + "".join(f"  m{i}: {d}\n" for i, d in enumerate(definitions))
    root = write(tmp_path_factory.getbasetemp() / "keys", {**WHOLE, "metrics/x.yml": text})
    problems = shown(root)
    assert all(p.code != "E101" for p in problems.found)


def shown(root: Path) -> Problems:
    """Read and print everything: the places too must exist, and what was read has a hash."""
    found = bounded(lambda: read_project(root))
    problems: Problems = found[1]
    for metric in found[0].metrics.values():
        assert metric_hash(metric, found[0].events)
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
        (" and ".join(["a 1 week ago"] * 70), "E115"),
        (" and ".join(["people.plan = free"] * 65), "E115"),
        (" + ".join(["a"] * 65) + " >= 2", "E115"),
        ("a >= " + " + ".join(["a 1 week ago"] * 65), "E115"),
        ("(" * 9 + "like" + " 1 week ago)" * 9, "E115"),
        ("(" * 8 + "like" + ") 1 week ago" * 8, "E117"),
        ("like 1-99999999 days ago", "E113"),
        ("like 999999 days ago", "E117"),
        ("distinct(" * 90 + "a.b" + ")" * 90, "E113"),
    ],
)
def test_limits_of_a_condition(text: str, code: str) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        bounded(lambda: parse_condition(text))
    assert caught.value.code == code


@pytest.mark.parametrize(
    "text", ["(" * 1900, "not " * 400 + "a = 1", " and ".join(["a = 1"] * 200), "a in (" + "1," * 990 + "1)"]
)
def test_limits_of_a_where(text: str) -> None:
    parsed(parse_where, text)


GROUPS = {
    "a tall ladder": (20, lambda i: " and ".join(f"like >= {100 * (20 - i) + j}" for j in range(11)), None),
    "a tall ladder of lists": (
        20,
        lambda i: f"at least 3 of ({', '.join(f'like >= {100 * i + j}' for j in range(11))})",
        None,
    ),
    "a ladder of nested conditions": (
        20,
        lambda i: " and ".join(f"(like >= {i + j} or no crash)" for j in range(3)),
        None,
    ),
    "a ladder of long rungs": (20, lambda i: " and ".join(f"like >= {1000 * i + j}" for j in range(62)), "E115"),
    "a ladder without end": (200, lambda i: f"like >= {i}", "E116"),
}


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_stays_small(name: str, tmp_path: Path) -> None:
    """A metric of a ladder holds its rungs several times over: 20 of them squared at most, and quickly."""
    count, rung, code = GROUPS[name]
    rungs = "".join(f"      r{i}: {rung(i)}\n" for i in range(count))
    uses = ("as: rank", "as: share", "at_least: r5", "is: r7", "is: none_of_them")
    metrics = "".join(f"  m{i}: {{group: g, {use}, over: first 28 days}}\n" for i, use in enumerate(uses))
    group = f"groups:\n  g:\n    per: week\n    ladder:\n{rungs}    otherwise: none_of_them\nmetrics:\n{metrics}"
    project, problems = bounded(lambda: read_project(write(tmp_path, {**FILES, "metrics/g.yml": group})))
    assert [p.code for p in problems.errors] == ([] if code is None else [code])
    for metric in project.metrics.values():
        parts = metric.rank.parts if metric.rank is not None else (metric.condition,) if metric.condition else ()
        assert sum(1 for part in parts for _ in walk(part)) <= MAX_PARTS * MAX_RUNGS
        assert bounded(lambda m=metric: metric_hash(m, project.events))


def test_a_cross_of_answers_stays_small(tmp_path: Path) -> None:
    """Three-valued letters: what is certainly true, certainly false and known are three conditions at most."""
    letters = "".join(
        f"      {letter}: {' and '.join(f'(answer(nps) >= {j} or like >= {i})' for j in range(9))}\n"
        for i, letter in enumerate("FANS")
    )
    group = f"groups:\n  g:\n    over: first 28 days\n    cross:\n{letters}metrics:\n  m: {{group: g, is: F__S}}\n"
    project, problems = bounded(lambda: read_project(write(tmp_path, {**WHOLE, "metrics/g.yml": group})))
    assert problems.errors == ()
    metric = project.metrics["m"]
    assert metric.condition is not None
    assert metric.known is not None
    assert sum(1 for part in (metric.condition, metric.known) for _ in walk(part)) < 8 * MAX_PARTS
    assert bounded(lambda: metric_hash(metric, project.events))


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
    "many metrics of one group": (
        "groups:\n  g: {ladder: {a: like, b: crash}, otherwise: c}\nmetrics:\n"
        + "".join(f"  m{i}: {{group: g, is: d}}\n" for i in range(30_000))
    ),
    "many steps": "metrics:\n  m: {funnel: {steps: [" + "like, " * 45_000 + "]}}",
    "many short steps": "metrics:\n  m:\n    funnel: " + "like, " * 150_000,
    "many rungs": "groups:\n  g:\n    ladder:\n" + "".join(f"      r{i}: like >= {i}\n" for i in range(20_000)),
    "many letters": "groups:\n  g:\n    cross:\n" + "".join(f"      L{i}: like >= {i}\n" for i in range(20_000)),
    "many items": "surveys:\n  s: {source: form, scale: 1-5, score: mean, items: [" + "q, " * 45_000 + "]}",
    "many labels": "surveys:\n  s: {source: form, answer: q, score: mean, scale: ["
    + "".join(f"l{i}, " for i in range(45_000))
    + "]}",
    "many entries of the catalogue": "metrics:\n"
    + "".join(f"  m{i}: {{uses: abtest/none{i}}}\n" for i in range(12_000)),
    "many uses of the catalogue": "metrics:\n"
    + "".join(f"  m{i}: {{uses: abtest/engaged_weeks}}\n" for i in range(12_000)),
    "lists in lists": "metrics:\n  m:\n    did: " + "{all: [" * 19 + "like" + "]}" * 19,
    "a wide list": "metrics:\n  m:\n    did: {any: [" + "like, " * 45_000 + "]}",
    "a pattern": "events:\n  e: {event: a, where: \"page_type matches '"
    + "(a+)+" * 39
    + "$'\"}\nmetrics: {m: {did: x}}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_costs_little(name: str, tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "metrics/x.yml": HOSTILE[name]})
    _, problems = bounded(lambda: read_project(tmp_path))
    assert problems.errors
    assert len(problems.found) <= MAX_PROBLEMS + 2


def test_a_file_has_a_megabyte_at_most(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "metrics/x.yml": "# " + "x" * MAX_BYTES})
    assert [p.code for p in shown(tmp_path).errors] == ["E105"]
