"""A condition from YAML: one text, or the list form {all: […]}, {any: […]}, {none: […]}, {at_least: N, of: […]}."""

from __future__ import annotations

from abtest.language import values
from abtest.language.conditions import All, AnyOf, AtLeast, Condition, Not, walk
from abtest.language.expressions import parse_condition
from abtest.language.fields import Fields, read_text
from abtest.language.measures import MAX_NODES
from abtest.language.model import Written
from abtest.language.yaml import Node, Seq, Text
from abtest.problems import Problems


def condition_node(node: Node | None, what: str, problems: Problems, written: list[Written]) -> Condition | None:
    """A condition as text, or in the list form {all: […]}, {any: […]}, {none: […]}, {at_least: N, of: […]}."""
    if node is None:
        return None
    condition = _node(node, what, problems, written)
    if condition is None or isinstance(node, Text):
        return condition
    if sum(1 for _ in walk(condition)) > MAX_NODES:
        problems.error("E115", f"the condition of {what} has more than {MAX_NODES} parts", node.place, "Split it.")
        return None
    return condition


def _node(node: Node, what: str, problems: Problems, written: list[Written]) -> Condition | None:
    if isinstance(node, Text):
        part = read_text(node, parse_condition, problems)
        if part is not None:
            written.append(Written(part, node))
        return part
    if isinstance(node, Seq):
        problems.error(
            "E121",
            f"the condition of {what} is a list",
            node.place,
            "Say how it joins:  {all: [ … ]}  or  {any: [ … ]}",
        )
        return None
    fields = Fields(node, f"the condition of {what}", problems, ("all", "any", "none", "at_least", "of"))
    keys = [k for k in ("all", "any", "none", "of") if fields.has(k)]
    if len(keys) != 1:
        before = len(problems.found)
        fields.done()
        if len(problems.found) == before:
            problems.error(
                "E123", f"the condition of {what} needs one of all, any, none, or at_least with of", node.place
            )
        return None
    listed = fields.node_of(keys[0])
    items = listed.items if isinstance(listed, Seq) else ()
    count = fields.read("at_least", values.whole)
    fields.done()
    if not items:
        problems.error(
            "E121",
            f"{keys[0]} takes a list of conditions",
            listed.place if listed else node.place,
            f"Example:  {{{keys[0]}: [like >= 5, share]}}",
        )
        return None
    if fields.split_list(items):
        return None
    if len(items) > MAX_NODES:
        problems.error("E115", f"{what} lists {len(items):,} conditions; at most {MAX_NODES} are read", node.place)
        return None
    parts = [_node(item, what, problems, written) for item in items]
    good = tuple(p for p in parts if p is not None)
    if len(good) != len(parts):
        return None
    if keys[0] == "of":
        if count is None:
            fields.missing("at_least")
            return None
        if not 1 <= count <= len(good):
            problems.error("E116", f"at least {count} of a list of {len(good)}", fields.place("at_least"))
            return None
        return AtLeast(count, good)
    if keys[0] == "none":
        return Not(AnyOf(good) if len(good) > 1 else good[0])
    if len(good) == 1:
        return good[0]
    return All(good) if keys[0] == "all" else AnyOf(good)
