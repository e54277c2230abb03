"""Examples of an entry that fit a project.

Examples also tell what must *not* count: a like is no purchase. A shop without likes has no such event, so what speaks of it
is left out, and the shop can use the entry all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from abtest.language.catalogue import entries, vocabulary
from abtest.language.catalogue_names import HAPPENING
from abtest.language.yaml import Map, Node, Seq, Text


def fitting(node: Map, has: Callable[[str], bool]) -> Map:
    """The entry with those examples whose events and surveys the project has; `has` is asked for `event`,
    `event.property` and `survey` in the words of the catalogue. A property that the project does not have is taken out."""
    return replace(node, entries=tuple((k, _examples(v, has) if k.value == "examples" else v) for k, v in node.entries))


def _examples(node: Node, has: Callable[[str], bool]) -> Node:
    if not isinstance(node, Seq):
        return node
    return replace(node, items=tuple(_without(item, has) for item in node.items if _known(item, has)))


def _known(example: Node, has: Callable[[str], bool]) -> bool:
    words = {*vocabulary().events, *entries("surveys")}
    return all(has(word) for word in _happenings(_when(example)) if word in words)


def _when(example: Node) -> Node | None:
    return example.get("when") if isinstance(example, Map) else None


def _happenings(node: Node | None) -> Iterator[str]:
    """The names of all that happens."""
    if isinstance(node, Text):
        match = HAPPENING.fullmatch(node.value)
        if match is not None:
            yield match[1]
    elif isinstance(node, Seq):
        for item in node.items:
            yield from _happenings(item)
    elif isinstance(node, Map):
        for _, value in node:
            yield from _happenings(value)


def _without(example: Node, has: Callable[[str], bool]) -> Node:
    if not isinstance(example, Map):
        return example
    return replace(
        example, entries=tuple((k, _stripped(v, has) if k.value == "when" else v) for k, v in example.entries)
    )


def _stripped(node: Node, has: Callable[[str], bool]) -> Node:
    if isinstance(node, Text):
        return replace(node, value=_happening(node.value, has))
    if isinstance(node, Seq):
        return replace(node, items=tuple(_stripped(item, has) for item in node.items))
    return replace(node, entries=tuple((key, _stripped(value, has)) for key, value in node.entries))


def _happening(text: str, has: Callable[[str], bool]) -> str:
    """`purchase(revenue = 20) x2` is `purchase x2` where a purchase has no revenue."""
    match = HAPPENING.fullmatch(text)
    if match is None or match[2] is None or match[1] not in vocabulary().events:
        return text
    kept = [p.strip() for p in match[2].split(",") if has(f"{match[1]}.{p.partition('=')[0].strip()}")]
    return f"{match[1]}{'(' + ', '.join(kept) + ')' if kept else ''}{match[3]}"
