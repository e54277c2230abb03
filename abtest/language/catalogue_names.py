"""Entries of the catalogue in one's own names: which events and sources an entry needs, and the entry with others.

The texts of an entry are changed before they are read, so that everything that follows speaks of the project's own
events. Only words of the catalogue's vocabulary are changed, where an event or a source may stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from abtest.language.catalogue import Vocabulary, entries, vocabulary
from abtest.language.tokens import SyntaxProblem, Token, tokens
from abtest.language.yaml import Map, Node, Seq, Text

_CONDITIONS = frozenset({
    "did", "amount", "ratio", "quantile", "funnel", "time_to", "retention", "churn", "starting_at", "among", "ladder",
    "cross",
})  # fmt: skip
"""Keys below which texts are conditions, measures or events."""
_QUESTIONS = frozenset({"answer", "items", "reversed"})
HAPPENING = re.compile(r"\s*([a-z][a-z0-9_]*)(?:\s*\(([^()]*)\))?(.*)", re.DOTALL)


@dataclass(frozen=True)
class Names:
    """Own names by those of the catalogue: of events and sources, and of properties as `purchase.revenue: total`."""

    events: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def over(self, other: Names) -> Names:
        """These names, and those of `other` for all else."""
        return Names({**other.events, **self.events}, {**other.sources, **self.sources})


@dataclass(frozen=True)
class Needs:
    """What the definition of an entry speaks of, each once, in order of appearance. Properties are `event.property`."""

    events: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    surveys: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def needs_of_entry(node: Map) -> Needs:
    """The words of the vocabulary, the surveys and the groups that a definition names."""
    words = vocabulary()
    events: dict[str, None] = {}
    sources: dict[str, None] = {}
    surveys: dict[str, None] = {}

    def look(text: str) -> str:
        for found in _spots(text, words):
            target = {"event": events, "source": sources, "survey": surveys}[found.kind]
            target[found.name] = None
            if found.prop:
                target[f"{found.name}.{found.prop}"] = None
        return text

    _changed(node, look)
    groups = node.get("group")
    survey = node.get("survey")
    if isinstance(survey, Text):
        surveys[survey.value] = None
    source = node.get("source")
    if isinstance(source, Text) and source.value in words.sources:
        sources[source.value] = None
        for question in _questions(node):
            sources[f"{source.value}.{question}"] = None
    return Needs(tuple(events), tuple(sources), tuple(surveys), (groups.value,) if isinstance(groups, Text) else ())


def _questions(node: Map) -> list[str]:
    found: list[str] = []
    for key in ("answer", "items"):
        value = node.get(key)
        listed = value.items if isinstance(value, Seq) else (value,)
        found += [t.value for t in listed if isinstance(t, Text)]
    return found


def in_own_names(node: Map, names: Names, own: frozenset[str] = frozenset()) -> Map:
    """The definition with the names of the project. What stands under the keys `own` was written in it already."""
    if not names.events and not names.sources:
        return node
    words = vocabulary()
    entry = _changed(node, lambda text: _renamed(text, words, names), own)
    source = node.get("source")
    found = []
    for key, value in entry:
        if key.value in own:
            pass
        elif key.value == "examples":
            value = _examples(value, names)
        elif isinstance(source, Text) and key.value == "source":
            value = _each(value, lambda text: names.sources.get(text, text))
        elif isinstance(source, Text) and key.value in _QUESTIONS:
            value = _each(value, lambda text: names.sources.get(f"{source.value}.{text}", text))
        elif isinstance(source, Text) and key.value == "questions" and isinstance(value, Map):
            value = _keys(value, lambda text: names.sources.get(f"{source.value}.{text}", text))
        found.append((key, value))
    return replace(entry, entries=tuple(found))


def _changed(node: Map, change: Callable[[str], str], own: frozenset[str] = frozenset()) -> Map:
    """The definition with every text of a condition changed."""
    return replace(
        node,
        entries=tuple(
            (key, _each(value, change) if key.value in _CONDITIONS - own else value) for key, value in node.entries
        ),
    )


def _each(node: Node, change: Callable[[str], str]) -> Node:
    if isinstance(node, Text):
        return replace(node, value=change(node.value))
    if isinstance(node, Seq):
        return replace(node, items=tuple(_each(item, change) for item in node.items))
    return replace(node, entries=tuple((key, _each(value, change)) for key, value in node.entries))


def _keys(node: Map, change: Callable[[str], str]) -> Map:
    return replace(node, entries=tuple((replace(key, value=change(key.value)), value) for key, value in node.entries))


@dataclass(frozen=True)
class _Spot:
    """Where a name stands in a text, and the property behind it."""

    kind: str
    name: str
    at: tuple[int, int]
    prop: str = ""
    prop_at: tuple[int, int] = (0, 0)


def _spots(text: str, words: Vocabulary) -> list[_Spot]:
    """The names in a text, in order."""
    try:
        listed = tokens(text, hyphens=True)
    except SyntaxProblem:
        return []
    found = []
    for i, token in enumerate(listed[:-1]):
        before, after = listed[i - 1] if i else None, listed[i + 1]
        if token.kind != "word" or (before is not None and before.text == "."):
            continue
        prop = listed[i + 2] if after.text == "." and i + 2 < len(listed) else None
        kind = _kind(token, before, listed[i - 2] if i > 1 else None, after, words)
        if kind:
            found.append(
                _Spot(kind, token.text, token.at, prop.text if prop else "", prop.at if prop else (0, 0)),
            )
    return found


def _kind(token: Token, before: Token | None, function: Token | None, after: Token, words: Vocabulary) -> str:
    if before is not None and before.text == "(" and function is not None and function.text == "answer":
        return "survey"
    if after.text == "(":
        return ""
    if token.text in words.events:
        return "event"
    return "source" if token.text in words.sources and after.text == "." else ""


def _renamed(text: str, words: Vocabulary, names: Names) -> str:
    pieces, at = [], 0
    for spot in _spots(text, words):
        own = {"event": names.events, "source": names.sources}.get(spot.kind, {})
        pieces += [text[at : spot.at[0]], own.get(spot.name, spot.name)]
        at = spot.at[1]
        if spot.prop:
            pieces += [text[at : spot.prop_at[0]], own.get(f"{spot.name}.{spot.prop}", spot.prop)]
            at = spot.prop_at[1]
    return "".join((*pieces, text[at:]))


def _examples(node: Node, names: Names) -> Node:
    """The same small logs, with the events and properties of the project."""
    if isinstance(node, Seq):
        return replace(node, items=tuple(_examples(item, names) for item in node.items))
    if not isinstance(node, Map):
        return node
    found = []
    for key, value in node:
        if key.value == "when" and isinstance(value, Map):
            value = replace(
                value, entries=tuple((day, _each(what, lambda t: _happening(t, names))) for day, what in value)
            )
        elif key.value == "with" and isinstance(value, Map):
            value = _keys(value, lambda text: _attribute(text, names))
        found.append((key, value))
    return replace(node, entries=tuple(found))


def _attribute(text: str, names: Names) -> str:
    source, _, prop = text.partition(".")
    return f"{names.sources.get(source, source)}.{names.sources.get(text, prop)}"


def _happening(text: str, names: Names) -> str:
    """`purchase(revenue = 20) x2` in own names; answers go by the name of their survey."""
    match = HAPPENING.fullmatch(text)
    if match is None:
        return text
    event, inside, rest = match[1], match[2], match[3]
    survey = entries("surveys").get(event)
    source = survey.get("source") if survey is not None else None
    own = names.sources if isinstance(source, Text) else names.events
    before = source.value if isinstance(source, Text) else event
    if inside is not None:
        pairs = []
        for pair in inside.split(","):
            prop, sign, value = pair.partition("=" if "=" in pair else ":")
            pairs.append(f"{own.get(f'{before}.{prop.strip()}', prop.strip())} {sign} {value.strip()}")
        inside = f"({', '.join(pairs)})"
    name = event if isinstance(source, Text) else names.events.get(event, event)
    return f"{name}{inside or ''}{rest}"
