"""The schema has the keys and choices that the readers ask for: no fewer, no more, and per kind of metric."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

from abtest.language import project as project_module
from abtest.language import yaml as yaml_module
from abtest.language.fields import Fields
from abtest.language.read_kinds import KINDS
from abtest.language.schema import _WORDS, KINDS_OF_METRICS, MAPS, schema

from .projects import read
from .whole_language import EVENTS, METRICS, PROJECT, WHOLE

MAP_OF = {
    r"project": "project", r"privacy": "privacy", r"catalogue": "catalogue", r"source \w+": "source", r"columns of source \w+": "columns",
    r"time": "time", r"property \w+": "property", r"event \w+": "event", r"survey \w+": "survey", r"group \w+": "group",
    r"metric \w+": "metric", r"ratio of metric \w+": "ratio", r"quantile of metric \w+": "quantile",
    r"funnel of metric \w+": "funnel", r"the condition of .*": "condition", r"an example of metric \w+": "example",
    r"experiment \w+": "experiment", r"exposure": "exposure", r"variant \w+": "variant", r"dates": "dates",
    r"population": "population", r"metrics of the experiment": "roles",
    r"(goal|guardrail|secondary|explore) \w+": "use", r"plan": "plan", r"spending": "spending", r"prior": "prior",
    r"correct": "correct", r"decide \w+": "outcome",
    r"drivers": "drivers", r"target \w+": "target",
}  # fmt: skip
"""What the readers call a map in their messages, and what the schema calls it."""
REFUSED = {("project", "week_starts"): {"sunday"}}
"""Choices that the readers know in order to refuse them with a reason."""


def map_of(what: str) -> str:
    (found,) = {name for pattern, name in MAP_OF.items() if re.fullmatch(pattern, what)}
    return found


class Heard:
    """What the readers asked for while they read the whole language."""

    def __init__(self) -> None:
        self.keys: dict[str, set[str]] = defaultdict(set)
        self.choices: dict[tuple[str, str], set[str]] = defaultdict(set)


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Heard:
    found = Heard()
    done, choice = Fields.done, Fields.choice

    def listen(self: Fields, later_keys: Iterable[str] = ()) -> None:
        done(self, later_keys)
        name = map_of(self.what)
        asked = set(self.asked)
        if name == "columns" and self.what == "columns of source form":
            asked &= set(MAPS["columns"])  # every other column of answers is a question
        found.keys[name] |= asked

    def listen_choice(self: Fields, key: str, choices: Iterable[str], *, required: bool = False) -> str | None:
        options = tuple(choices)
        name = map_of(self.what)
        found.choices[name, key] |= set(options) - REFUSED.get((name, key), set())
        return choice(self, key, options, required=required)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Fields, "done", listen)
        patch.setattr(Fields, "choice", listen_choice)
        _, problems = read(tmp_path_factory.mktemp("whole"), WHOLE)
    assert [str(p) for p in problems.errors] == []
    return found


def test_every_map_has_the_keys_that_its_reader_asks_for(heard: Heard) -> None:
    asked = dict(heard.keys)
    for name, maps in (("metric", ("events", "sources")), ("group", ("events", "sources")), ("survey", ("sources",))):
        asked[name] = asked[name] | {"uses", *maps}  # read before the definition, with the catalogue
    assert {name: sorted(keys) for name, keys in asked.items()} == {n: sorted(keys) for n, keys in MAPS.items()}


def test_every_closed_choice_has_the_words_of_its_reader(heard: Heard) -> None:
    ours = {
        (name, key): set(shape["enum"]) for name, keys in MAPS.items() for key, shape in keys.items() if "enum" in shape
    }
    assert ours == dict(heard.choices)


def test_no_reader_of_maps_is_unknown_here() -> None:
    """Every `Fields(…)` of the package reads a map that has a name above."""
    folder = Path(project_module.__file__).parent
    found = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Fields":
                found.add(ast.unparse(node.args[1]))
    fixed = {text.strip("'") for text in found if text.startswith("'")}
    assert fixed == {
        "project",
        "privacy",
        "catalogue",
        "time",
        "exposure",
        "dates",
        "population",
        "plan",
        "correct",
        "spending",
        "prior",
        "drivers",
    } | {"metrics of the experiment"}
    assert found - {repr(text) for text in fixed} == {
        "what",  # source, event, survey, group, metric, experiment
        "f'columns of {fields.what}'", "f'property {key.value}'", "f'variant {key.value}'", "f'decide {key.value}'",
        "f'{role} {key.value}'", "f'ratio of {fields.what}'", "f'quantile of {fields.what}'",
        "f'funnel of {fields.what}'", "f'{ONE_OF[section]} {name}'", "f'the condition of {what}'", "f'an example of {what}'",
    }  # fmt: skip
    assert {map_of(text) for text in fixed} <= set(MAPS)


def test_definitions_take_the_keys_of_their_map() -> None:
    whole = schema()["$defs"]
    for name, keys in MAPS.items():
        if name in ("metric", "condition", "group", "event", "experiment", "project"):
            continue
        assert set(whole[name]["properties"]) == set(keys)
        assert whole[name]["additionalProperties"] is False
    assert set(whole["project_file"]["properties"]["project"]["properties"]) == set(MAPS["project"])
    assert set(whole["experiment_file"]["properties"]) == set(MAPS["experiment"])
    for name in ("metric", "condition", "group", "event"):
        forms = whole[name].get("oneOf") or whole[name].get("anyOf") or []
        if name in ("metric", "group"):
            forms = [whole[name]["then"], *whole[name]["else"]["oneOf"]]
        assert set().union(*(form.get("properties", {}) for form in forms)) == set(MAPS[name])
        assert all(form["additionalProperties"] is False for form in forms if "properties" in form)


FORMS = {
    "did": ["did: like, over: first 28 days"],
    "amount": ["amount: like, over: first 28 days", "amount: max(purchase.size), over: first 28 days"],
    "ratio": ["ratio: {of: like, to: app_open}, over: first 28 days"],
    "quantile": [
        "quantile: {of: sum(article_read.seconds), at: 95%, across: units}, over: first 28 days",
        "quantile: {of: max(article_read.seconds), at: 95%, across: units}, over: first 28 days",
    ],
    "funnel": ["funnel: 'photo_post, like', over: first 28 days"],
    "time_to": ["time_to: like, over: first 28 days"],
    "group": [
        "group: level, over: first 28 days",
        "group: level, is: regular, over: first 28 days",
        "group: recent, is: active",
    ],
    "survey": ["survey: nps, over: first 28 days"],
    "retention": ["retention: like", "retention: like, day: 7"],
    "churn": ["churn: like, over: first 28 days", "churn: like, silent: 14 days, over: first 28 days"],
    "column": ["column: shop.paid"],
}
"""Definitions to which each key is added in turn."""
ADDED = {
    "per": ["week"], "clock": ["elapsed"], "starting_at": ["app_open, within: 7 days"], "value": ["share, per: week", "mean, per: week"],
    "within": ["7 days", "7 days, starting_at: app_open"], "unit": ["device", "user"], "among": ["people.plan = free"],
    "better": ["higher"], "margin": ["2%"], "cap": ["500"], "missing": ["zero"], "adjust": ["none"],
    "test": ["welch", "score", "woodruff", "delta", "rmst"],
    "immature": ["drop"], "show": ["histogram", "dose"], "title": ["x"], "description": ["x"], "owner": ["x"],
    "cannot": ["x"], "origin": ["x"], "guardrail": ["spending"],
    "status": ["draft"], "use": ["listed"], "dimension": ["x"], "phase": ["x"], "version": ["1"], "tags": ["[a]"],
    "examples": ["[{when: nothing, expect: 0}]"], "over": ["first 28 days"], "day": ["7"], "days": ["7-13"],
    "from_day": ["7"], "silent": ["7 days"], "is": ["regular"], "at_least": ["regular"], "as": ["rank"],
    "from": ["first step"], "same": ["article"], "different": ["article"],
}  # fmt: skip


def test_each_kind_of_metric_takes_the_keys_that_fit_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key belongs to a kind if some definition of that kind can have it; the readers and rules say which."""
    monkeypatch.setattr(project_module, "MAX_METRICS", 10**6)
    monkeypatch.setattr(project_module, "MAX_PROBLEMS", 10**6)
    monkeypatch.setattr(yaml_module, "MAX_NODES", 10**6)
    assert set(FORMS) == set(KINDS) == set(KINDS_OF_METRICS)
    assert set(ADDED) == set(MAPS["metric"]) - set(KINDS) - {"uses", "events", "sources"}
    lines: list[tuple[str, str, str]] = []
    for kind, bases in FORMS.items():
        for key, texts in ADDED.items():
            for base in bases:
                for text in texts:
                    rest = ", ".join(p for p in base.split(", ") if not p.startswith(f"{key}: "))
                    rest = rest.replace(", per: week", "") if "per:" in text else rest
                    lines.append((kind, key, f"  z{len(lines)}: {{{rest}, {key}: {text}}}"))
    mapped = PROJECT.replace("units: {user: uid}", "units: {user: uid, device: d}").replace(
        "files: shop.csv, units: {user: id}", "files: shop.csv, units: {user: id, device: d}"
    )
    files = {
        "abtest.yml": mapped + EVENTS + METRICS,
        "metrics/z.yml": "\n".join(["metrics:", *(x[2] for x in lines), ""]),
    }
    _, problems = read(tmp_path, files)
    assert {p.place.file for p in problems.errors if p.place} == {"metrics/z.yml"}
    bad = {p.place.line - 2 for p in problems.errors if p.place}
    fits: dict[str, set[str]] = defaultdict(set)
    for number, (kind, key, _) in enumerate(lines):
        if number not in bad:
            fits[kind].add(key)
    assert {k: sorted(v) for k, v in fits.items()} == {
        kind: sorted((*keys, *_WORDS)) for kind, keys in KINDS_OF_METRICS.items()
    }
