"""The JSON Schema takes every valid file of the repository, refuses the usual mistakes, and explains every key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from abtest.language import schema_shapes as shapes
from abtest.language import values
from abtest.language.catalogue import VOCABULARY
from abtest.language.examples import _expected
from abtest.language.project import SECTIONS
from abtest.language.read_experiment import _rule
from abtest.language.read_sources import _dedupe, _once, property_type
from abtest.language.read_surveys import _score
from abtest.language.schema import MAPS, PARTS, schema, schema_text
from abtest.language.tokens import SyntaxProblem
from tests.oracle.generate import seeded
from tests.test_docs import blocks

from .projects import EVENTS, EXPERIMENT, METRICS, PROJECT
from .typed_yaml import OLD, Core, typed
from .whole_language import WHOLE

ROOT = Path(__file__).parents[2]
FOLDERS = ("examples", "templates", "metrics", "tests/definitions/project", "tests/language/explained")
WHOLE_FILE = re.compile(rf"(#.*\n)*({'|'.join(SECTIONS)}|experiment):")
BOTH = Draft202012Validator(schema())
ONE = {part: Draft202012Validator(schema(part)) for part in PARTS}


def files() -> Iterator[tuple[str, str]]:
    """Every YAML that the readers accept, with a name."""
    for folder in FOLDERS:
        for path in sorted(set((ROOT / folder).rglob("*.y*ml")) - {ROOT / "metrics" / VOCABULARY}):
            yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")
    for number, (page, text) in enumerate(blocks("yaml")):
        if WHOLE_FILE.match(text):  # other blocks show a part of a file
            yield f"{page} {number}", text
    for name, text in (*WHOLE.items(), ("p", PROJECT), ("e", EVENTS), ("m", METRICS), ("x", EXPERIMENT)):
        yield f"tests {name}", text


def mistakes(text: str, loader: Any = Core, validator: Draft202012Validator = BOTH) -> list[str]:
    """What the schema says of a file."""
    found = typed(text, loader)
    return [f"{list(e.absolute_path)}: {e.message[:300]}" for e in validator.iter_errors(found or {})]


@pytest.mark.parametrize("part", [None, *PARTS])
def test_it_is_a_schema_and_always_the_same_bytes(part: Any) -> None:
    text = schema_text(part)
    Draft202012Validator.check_schema(json.loads(text))
    assert text == schema_text(part)
    assert json.loads(text) == schema(part)
    defined = set(schema(part)["$defs"])
    assert {r.removeprefix("#/$defs/") for r in _values_of(schema(part), "$ref")} <= defined


@pytest.mark.parametrize(("name", "text"), list(files()), ids=lambda x: x if len(x) < 60 else "")
@pytest.mark.parametrize("loader", [Core, OLD], ids=["1.2", "1.1"])
def test_every_file_of_the_repository_is_valid(name: str, text: str, loader: Any) -> None:
    assert mistakes(text, loader) == []
    assert mistakes(text, loader, ONE["experiment" if "experiment" in typed(text) else "project"]) == []


@pytest.mark.parametrize("seed", range(0, 100, 10))
def test_random_projects_are_valid(seed: int) -> None:
    for number in range(seed, seed + 10):
        for text in seeded(number).project_yaml.values():
            assert mistakes(text) == []


def test_what_has_only_been_begun_is_valid() -> None:
    for text in ("", "metrics:\n", "project: {}\n", "sources:\nevents:\n"):
        assert mistakes(text) == []


def project(text: str) -> str:
    return f"{PROJECT}{EVENTS}{text}"


METRIC_MISTAKES = {
    "an unknown key": "did: like, prefered: higher",
    "a wrong choice": "did: like, better: up",
    "a kind twice": "did: like, amount: like",
    "a kind twice beside uses": "uses: abtest/retention_d7, did: like, amount: like",
    "no kind": "over: first 28 days",
    "an entry that is not in the catalogue": "uses: abtest/retention_d8",
    "a key of another kind": "did: like, day: 7",
    "a key inside the kind": "'funnel': {steps: [like, photo_post]}, within: 1 day",
    "a recurring retention": "retention: like, day: 7, per: week",
    "two days of a retention": "retention: like, day: 7, from_day: 7",
    "a retention without days": "retention: like",
    "a group without a part": "group: level",
    "a week number": "did: like, over: week 2",
    "a window without a word": "did: like, over: 28 days",
    "a window that is a number": "did: like, over: 28",
    "an adverb as period": "did: like, per: weekly",
    "a fold that does not exist": "did: like, per: week, value: often",
    "a threshold without its sign": "did: like, per: week, value: share >= 0.75",
    "a signed margin": "did: like, margin: -2%",
    "a margin of nothing": "did: like, margin: 0",
    "a cap in words": "amount: like, cap: p99",
    "a cap on a condition": "did: like, cap: 500",
    "an anchor without an end": "did: like, starting_at: app_open",
    "a list where conditions join": "did: [like, photo_post]",
    "an unknown list form": "did: {every: [like, photo_post]}",
    "at least without its list": "did: {at_least: 2}",
    "a funnel of one step": "funnel: {steps: [like]}",
    "a quantile as a bare number": "quantile: {of: page_load.seconds, at: 0.95, across: events}",
    "a version in words": "did: like, version: two",
    "an example without an end": "did: like, examples: [{when: nothing}]",
    "an example of no day": "did: like, examples: [{when: {monday: like}, expect: yes}]",
}


@pytest.mark.parametrize("text", METRIC_MISTAKES.values(), ids=METRIC_MISTAKES)
def test_mistakes_in_metrics_are_refused(text: str) -> None:
    assert mistakes(project("metrics: {m: {did: like}}\n")) == []
    assert mistakes(project(f"metrics: {{m: {{{text}}}}}\n"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("sources:", "source:"),
        ("kind: events", "kind: event"),
        ("    kind: events\n", ""),
        ("units: {user: user_id}", "unit: {user: user_id}"),
        ("units: {user: user_id}", "units: {User: user_id}"),
        ("action, time: at", "action"),
        ("columns: {event: action, time: at}", "columns: {time: at}"),
        ("columns: {event: action, time: at}", "columns: {event: action, time: at}\n    event: click"),
        ("columns: {event: action, time: at}", "columns: {event: action, time: at, day: x}"),
        ("columns: {event: action, time: at}", "columns: {event: action, time: {from: at, as: unix}}"),
        ("files: app/*.csv", "files: ../app.csv"),
        ("files: app/*.csv", "files: https://example.org/app.csv"),
        ("type: money EUR", "type: money euro"),
        ("timezone: Europe/Madrid", "timezone: 'Madrid time'"),
        ("known: before_exposure", "known: yes"),
        ("known: before_exposure", "known: before_exposure, settle: 2 days"),
        ("{event: page_view, where:", "{events: page_view, where:"),
        ("  crash: app_crash", "  and: app_crash"),
    ],
)
def test_mistakes_in_sources_and_events_are_refused(before: str, after: str) -> None:
    text = project("")
    assert before in text
    assert mistakes(text) == []
    assert mistakes(text.replace(before, after, 1))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("owner:", "onwer:"),
        ("unit: user\n", ""),
        ("baseline: control", "baseline: [control]"),
        ("share: 50%}", "share: 0.5}"),
        ("  dwell: {key: v3, share: 50%}\n", ""),
        ("start: 2026-03-02", "start: 02.03.2026"),
        (", end: 2026-04-12", ""),
        ("goal: [engaged_weeks]", "goals: [engaged_weeks]"),
        ("guardrail: [revenue]", "guardrail: [{revenue: {margin: 2 %%}}]"),
        ("owner: feed-team", "metrics_of: feed-team"),
        ("owner: feed-team", "mixed_exposure: keep"),
        ("owner: feed-team", "plan: {method: fixd}"),
        ("owner: feed-team", "plan: {alpha: 0.05}"),
        ("owner: feed-team", "decide: {ship: every goal is good}"),
        ("owner: feed-team", "decide: {ask_legal: revenue is worse}"),
        ("owner: feed-team", "sources: {}"),
    ],
)
def test_mistakes_in_experiments_are_refused(before: str, after: str) -> None:
    assert before in EXPERIMENT
    assert mistakes(EXPERIMENT) == []
    assert mistakes(EXPERIMENT.replace(before, after, 1))


def test_surveys_and_groups_take_one_form() -> None:
    good = ("surveys: {s: {source: f, answer: q, scale: 1-5, score: mean}}", "groups: {g: {cross: {F: like}}}")
    bad = (
        "surveys: {s: {source: f, answer: q, items: [q], scale: 1-5, score: mean}}",
        "surveys: {s: {source: f, answer: q, scale: 1-5, score: mean, need: 1}}",
        "surveys: {s: {source: f, answer: q, scale: five, score: mean}}",
        "surveys: {s: {source: f, answer: q, scale: 1-5, score: best}}",
        "groups: {g: {cross: {F: like}, otherwise: rest}}",
        "groups: {g: {cross: {money: like}}}",
        "groups: {g: {ladder: {fan: like}}}",
        "groups: {g: {ladder: {fan: like}, cross: {F: like}, otherwise: rest}}",
    )
    assert [mistakes(text) for text in good] == [[], []]
    assert [text for text in bad if not mistakes(text)] == []


def test_every_key_is_explained_and_its_examples_are_valid() -> None:
    whole = schema()
    told = [p for p in _maps_of(whole) if "examples" in p and isinstance(p.get("description"), str)]
    assert len(told) > 150
    for shape in told:
        assert shape["description"].endswith(".")
        assert 10 < len(shape["description"]) < 180
        assert shape["examples"]
        for example in shape["examples"]:
            found = Draft202012Validator({**shape, "$defs": whole["$defs"]}).iter_errors(example)
            assert [e.message for e in found] == [], example
    for name in MAPS:
        for shape in whole["$defs"].get(name, {}).get("properties", {}).values():
            assert "description" in shape or "$ref" in shape


READERS: list[tuple[Callable[[str], Any], shapes.Shape]] = [
    (values.window, shapes.WINDOW),
    (values.period, shapes.PERIOD),
    (values.fold, shapes.FOLD),
    (values.margin, shapes.MARGIN),
    (values.cap, shapes.CAP),
    (values.missing, shapes.MISSING),
    (values.fraction, shapes.PERCENT),
    (values.calendar_date, shapes.DATE),
    (values.day_count, shapes.DAYS),
    (values.seconds, shapes.DURATION),
    (values.whole, shapes.WHOLE),
    (values.timezone_name, shapes.ZONE),
    (lambda text: values.retention_window("days", text), shapes.DAY_RANGE),
    (lambda text: values.retention_window("from_day", text), shapes.DAY_NUMBER),
    (property_type, shapes.TYPE),
    (_once, shapes.ONCE),
    (lambda text: [values.day_count("") for name in _dedupe(text) if not values.is_id(name)], shapes.DEDUPE),
    (_score, shapes.SCORE),
    (_expected, shapes.EXPECT),
    (_rule, shapes.RULE),
]
WORDS = """
first last before day days from whole week weeks month session hour hours rolling minutes ago share count streak ever mean
max >= <= = > < % points EUR s of nonzero zero drop missing yes 0 1 7 13 28 0.5 2026 2026-03-02 2026-02-31 - – -3 99 , keep
id per article UTC Europe/Madrid money number flag duration ms text top nps any every no goal guardrail is better harmed
and or otherwise revenue worse
"""
PIECES = st.lists(st.sampled_from(WORDS.split()), max_size=6)


@pytest.mark.parametrize("number", range(len(READERS)))
@given(pieces=PIECES, glue=st.sampled_from(["", " "]))
def test_no_pattern_refuses_what_the_reader_accepts(number: int, pieces: list[str], glue: str) -> None:
    reader, shape = READERS[number]
    text = glue.join(pieces)
    assert _takes(shape, text) or not _accepted(reader, text)


@pytest.mark.parametrize("number", range(len(READERS)))
@given(data=st.data())
def test_patterns_and_readers_agree_but_for_sizes_and_order(number: int, data: st.DataObject) -> None:
    """What a pattern lets through is refused for its size (3,660 days), order (13-7) or calendar only."""
    reader, shape = READERS[number]
    for pattern in _values_of(shape, "pattern"):
        text = data.draw(st.from_regex(pattern.replace("$", r"\Z"), alphabet=st.characters(codec="ascii")))
        if not _accepted(reader, text):
            with pytest.raises(SyntaxProblem) as refused:
                reader(text)
            assert refused.value.code in ("E131", "E132", "E133", "E136", "E309", "E319"), text


def _takes(shape: shapes.Shape, text: str) -> bool:
    """As text, and as whatever an editor makes of it."""
    try:
        seen = typed(text) if text else ""
    except yaml.YAMLError:
        seen = text
    validator = Draft202012Validator(shape)
    return bool(validator.is_valid(text) and (isinstance(seen, (dict, list)) or validator.is_valid(seen)))


def _accepted(reader: Callable[[str], Any], text: str) -> bool:
    try:
        reader(text)
    except SyntaxProblem:
        return False
    return True


def _maps_of(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for key, value in node.items():
            if key not in ("examples", "enum"):
                yield from _maps_of(value)
    elif isinstance(node, list):
        for item in node:
            yield from _maps_of(item)


def _values_of(node: Any, key: str) -> list[str]:
    return [shape[key] for shape in _maps_of(node) if isinstance(shape.get(key), str)]
