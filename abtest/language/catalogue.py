"""The shipped catalogue: its entries, the words that they use, and `uses: abtest/NAME`, overridden key by key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from abtest.language.read_kinds import KINDS
from abtest.language.suggest import nearest
from abtest.language.words import Wording, wording_of
from abtest.language.yaml import Map, Node, Seq, Text, parse_yaml
from abtest.problems import Place, Problems, quoted
from abtest.shipped import shipped

PREFIX = "abtest/"
VOCABULARY = "vocabulary.yml"
SECTIONS = ("metrics", "groups", "surveys")
ONE_OF = {"metrics": "metric", "groups": "group", "surveys": "survey"}
_OF_KIND = {"retention": ("day", "days", "from_day"), "group": ("is", "at_least", "as"), "churn": ("silent",)}

_OF_VALUES = frozenset({"value", "cap", "missing", "show"})
"""What fits one kind of value only."""
_WORDS = frozenset({
    "uses", "title", "description", "cannot", "origin", "guardrail", "owner", "better", "margin", "tags", "status",
    "use", "dimension", "phase", "show", "events", "sources", "names", "advice", "questions",
})  # fmt: skip
"""What does not change the number."""
_OF_NAMES = frozenset({"source", "answer", "take", "need"})
"""Where the answers of a survey stand in one's own files: its words stay true."""
MAPS = ("events", "sources")


@dataclass(frozen=True)
class Word:
    """An event or a source that entries speak of, or (with a dot in its name) a property; `type` as in `sources`."""

    name: str
    meaning: Wording
    type: str = ""


@dataclass(frozen=True)
class Vocabulary:
    """The words of all entries, by the names they go by in the catalogue."""

    events: Mapping[str, Word] = field(default_factory=dict)
    sources: Mapping[str, Word] = field(default_factory=dict)


@lru_cache(maxsize=1)
def _files() -> dict[str, Map]:
    found = {}
    for file in sorted(shipped("metrics").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".yml"):
            tree = parse_yaml(file.read_text("utf-8"), f"abtest/{file.name}", Problems())
            if tree is not None:
                found[file.name] = tree
    return found


def files_of_entries() -> dict[str, Map]:
    """The files of the catalogue by name."""
    return {name: tree for name, tree in _files().items() if name != VOCABULARY}


@lru_cache(maxsize=3)
def entries(section: str = "metrics") -> dict[str, Map]:
    """Every metric (or group, or survey) of the catalogue by name, as YAML."""
    found: dict[str, Map] = {}
    for tree in files_of_entries().values():
        listed = tree.get(section)
        for key, node in listed if isinstance(listed, Map) else ():
            if isinstance(node, Map):
                found[key.value] = node
    return found


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """What the names in the entries mean."""
    tree = _files().get(VOCABULARY)
    parts: dict[str, dict[str, Word]] = {}
    for section in MAPS:
        listed = tree.get(section) if tree is not None else None
        entries_of = listed.entries if isinstance(listed, Map) else ()
        parts[section] = {key.value: _word(key.value, node) for key, node in entries_of if isinstance(node, Map)}
    return Vocabulary(parts["events"], parts["sources"] | {w.name: w for w in _asked()})


def _asked() -> list[Word]:
    """The questions of all surveys, as `form.recommend`."""
    found: list[Word] = []
    for survey in entries("surveys").values():
        source, questions = survey.get("source"), survey.get("questions")
        if isinstance(source, Text) and isinstance(questions, Map):
            named = ((f"{source.value}.{key.value}", node) for key, node in questions)
            found += [_word(name, node, "question") for name, node in named if isinstance(node, Map)]
    return found


def _word(name: str, node: Map, of_type: str = "") -> Word:
    wording = wording_of(Map(tuple((k, v) for k, v in node if k.value != "type"), node.place), name, Problems())
    kind = node.get("type")
    return Word(name, wording or Wording(name), kind.value if isinstance(kind, Text) else of_type)


def from_catalogue(name: str, node: Map, problems: Problems, section: str = "metrics") -> Map | None:
    """The entry with the keys of `node` in place of its own; None after reporting that there is no such entry.

    A kind written in `node` replaces the kind of the entry, with everything that belongs to it. The version and the
    examples of the entry do not carry over once the definition is changed.
    """
    uses = node.get("uses")
    assert uses is not None
    wanted = uses.value if isinstance(uses, Text) else ""
    known = entries(section)
    entry = known.get(wanted.removeprefix(PREFIX)) if wanted.startswith(PREFIX) else None
    if entry is None:
        message = f"{ONE_OF[section]} {name}: no entry {quoted(wanted)} in the catalogue"
        problems.error("E207", message, uses.place, _other_entries(wanted, section))
        return None
    own = {key.value for key, _ in node}
    dropped = own | {"uses", *MAPS}
    if own & set(KINDS):
        dropped |= set(KINDS) | {k for keys in _OF_KIND.values() for k in keys}
        if not any(entry.get(kind) is not None for kind in own & set(KINDS)):
            dropped |= _OF_VALUES
    for kind, keys in _OF_KIND.items():
        if entry.get(kind) is not None and own & set(keys):
            dropped |= set(keys)
    if own & {"ladder", "cross"}:
        dropped |= {"ladder", "otherwise", "climb"} if "cross" in own else {"cross"}
        dropped |= {"names", "advice"}
    if own & {"answer", "items"}:
        dropped |= {"answer", "items", "reversed", "questions"}
    if own - _WORDS - (_OF_NAMES if section == "surveys" else set()):
        # What the entry says of itself would not be true of another definition.
        dropped |= {"examples", "version", "title", "description", "cannot", "origin"}
    kept = [(key, placed(value, uses.place)) for key, value in entry if key.value not in dropped]
    return Map((*kept, *((k, v) for k, v in node if k.value not in ("uses", *MAPS))), node.place)


def _other_entries(wanted: str, section: str) -> str:
    """What may have been meant."""
    short, known = wanted.removeprefix(PREFIX), entries(section)
    elsewhere = next((s for s in SECTIONS if s != section and short in entries(s)), None)
    if elsewhere is not None and wanted.startswith(PREFIX):
        return f"It is one of the {elsewhere} of the catalogue. Use it under  {elsewhere}:"
    near = nearest(short, known) if wanted else None
    first = "retention_d7" if section == "metrics" else next(iter(known), "NAME")
    hint = f"Write  uses: {PREFIX}{near}" if near else f"Example:  uses: {PREFIX}{first}"
    more = f", … ({len(known) - 6} more)" if len(known) > 6 else ""
    return f"{hint}   Catalogue: {', '.join(list(known)[:6])}{more}"


def placed(node: Node, place: Place) -> Node:
    """The node as if it stood at `place`: what is wrong with an entry here is wrong where it is used."""
    if isinstance(node, Text):
        return replace(node, place=place, more=())
    if isinstance(node, Seq):
        return replace(node, place=place, items=tuple(placed(item, place) for item in node.items))
    return replace(node, place=place, entries=tuple((_text_at(k, place), placed(v, place)) for k, v in node.entries))


def _text_at(text: Text, place: Place) -> Text:
    return replace(text, place=place, more=())
