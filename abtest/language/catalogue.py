"""`uses: abtest/NAME`: a metric of the shipped catalogue, overridden key by key."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from abtest.language.read_kinds import KINDS
from abtest.language.suggest import nearest
from abtest.language.yaml import Map, Node, Seq, Text, parse_yaml
from abtest.problems import Place, Problems, quoted
from abtest.shipped import shipped

PREFIX = "abtest/"
_OF_KIND = {"retention": ("day", "days", "from_day"), "group": ("is", "at_least", "as"), "churn": ("silent",)}

_OF_VALUES = frozenset({"value", "cap", "missing", "show"})
"""What fits one kind of value only."""
_WORDS = frozenset({
    "uses", "title", "description", "owner", "better", "margin", "tags", "status", "use", "dimension", "phase", "show",
})  # fmt: skip
"""What does not change the number."""


@lru_cache(maxsize=1)
def entries() -> dict[str, Map]:
    """Every metric of the catalogue by name, as YAML."""
    found: dict[str, Map] = {}
    for file in sorted(shipped("metrics").iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".yml"):
            continue
        tree = parse_yaml(file.read_text("utf-8"), f"abtest/{file.name}", Problems())
        metrics = tree.get("metrics") if tree is not None else None
        for key, node in metrics if isinstance(metrics, Map) else ():
            if isinstance(node, Map):
                found[key.value] = node
    return found


def from_catalogue(name: str, node: Map, problems: Problems) -> Map | None:
    """The entry with the keys of `node` in place of its own; None after reporting that there is no such entry.

    A kind written in `node` replaces the kind of the entry, with everything that belongs to it. The version and the
    examples of the entry do not carry over once the definition is changed.
    """
    uses = node.get("uses")
    assert uses is not None
    wanted = uses.value if isinstance(uses, Text) else ""
    entry = entries().get(wanted.removeprefix(PREFIX)) if wanted.startswith(PREFIX) else None
    if entry is None:
        near = nearest(wanted.removeprefix(PREFIX), entries()) if wanted else None
        hint = f"Write  uses: {PREFIX}{near}" if near else f"Example:  uses: {PREFIX}retention_d7"
        more = f", … ({len(entries()) - 6} more)" if len(entries()) > 6 else ""
        hint += f"   Catalogue: {', '.join(list(entries())[:6])}{more}"
        problems.error("E207", f"metric {name}: no entry {quoted(wanted)} in the catalogue", uses.place, hint)
        return None
    own = {key.value for key, _ in node}
    dropped = own | {"uses"}
    if own & set(KINDS):
        dropped |= set(KINDS) | {k for keys in _OF_KIND.values() for k in keys}
        if not any(entry.get(kind) is not None for kind in own & set(KINDS)):
            dropped |= _OF_VALUES
    for kind, keys in _OF_KIND.items():
        if entry.get(kind) is not None and own & set(keys):
            dropped |= set(keys)
    if own - _WORDS:
        # What the entry says of itself would not be true of another definition.
        dropped |= {"examples", "version", "title", "description"}
    kept = [(key, _placed(value, uses.place)) for key, value in entry if key.value not in dropped]
    return Map((*kept, *((k, v) for k, v in node if k.value != "uses")), node.place)


def _placed(node: Node, place: Place) -> Node:
    """The node as if it stood at `place`: what is wrong with an entry here is wrong where it is used."""
    if isinstance(node, Text):
        return replace(node, place=place, more=())
    if isinstance(node, Seq):
        return replace(node, place=place, items=tuple(_placed(item, place) for item in node.items))
    return replace(node, place=place, entries=tuple((_text_at(k, place), _placed(v, place)) for k, v in node.entries))


def _text_at(text: Text, place: Place) -> Text:
    return replace(text, place=place, more=())
