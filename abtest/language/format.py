"""One canonical form of a YAML file of ours, which says the same in fewer ways.

What is written how:

- Two spaces of indentation, lists below their key indented too, one space after `:` and `-`, none at the end of a line.
  No blank line at the start of a block, at most one between entries.
- A condition has single spaces around its operators. One or two clauses are a text, more are a list under `all:` or
  `any:`, one clause a line; lists of one or two texts become a text again. A spread that is not in parentheses is never
  moved. A condition with a comma never stands inside braces, where YAML would cut it.
- `{ … }` and `[ … ]` stay on one line up to 100 columns and become blocks beyond; blocks stay blocks. A text that YAML
  has cut at its commas, as in `[purchase(revenue: 20, tax: 2)]`, stays in one line.
- Quotes only where YAML needs them, or where another reader of YAML would see a number, a date or a truth (`'off'`).
- The keys of a metric: title, description, what it measures, when, how it counts, what is better, who owns it, examples
  (`KEYS`). Definitions and all other keys keep their order; so do metrics with comments between their keys, because such
  a comment may be about all that follows it, and metrics with keys that are unknown here.
- Every comment stays with what it is about (see `layout.py`).

Nothing is written that means something else: the new text is read again and compared value by value, conditions by
what they mean; comments are counted; and formatting it once more must change nothing. When any of this fails, which
would be a mistake of ours, the file stays as it is and `Formatted.refused` says why.
"""

from __future__ import annotations

from dataclasses import dataclass

from abtest.language.condition_text import Path, clauses, joined, role_of, spaced, words
from abtest.language.expressions import parse_condition
from abtest.language.layout import Branch, Entry, Layout, Leaf, read_layout
from abtest.language.read_conditions import condition_node
from abtest.language.tokens import SyntaxProblem
from abtest.language.write_text import write_layout
from abtest.language.yaml import Map, Node, Seq, Text, parse_yaml
from abtest.problems import Problems, quoted

KEYS = (
    "title", "description", "uses",
    "did", "amount", "ratio", "quantile", "funnel", "time_to", "group", "survey", "retention", "churn", "column",
    "day", "days", "from_day", "silent", "is", "at_least", "as", "from", "same", "different",
    "per", "over", "clock", "starting_at", "within", "value", "unit", "among", "cap", "missing", "adjust", "immature",
    "show", "test", "better", "margin", "dimension", "phase", "owner", "tags", "status", "use", "version", "examples",
)  # fmt: skip
MAX_CLAUSES = 2
_JOINED = 72
_JOINERS = {"and": "all", "or": "any"}
_FORMS = (["all"], ["any"], ["none"], ["at_least", "of"])


@dataclass(frozen=True, slots=True)
class Formatted:
    """The text in its canonical form; `refused` is the reason why it is still the old one."""

    text: str
    refused: str = ""


def format_yaml(text: str, name: str, problems: Problems) -> Formatted | None:
    """The canonical form of a file, or None after reporting why it cannot be read.

    >>> print(format_yaml("metrics:\\n    m: {did: like>=5, per:  week}", "m.yml", Problems()).text, end="")
    metrics:
      m: {did: like >= 5, per: week}
    """
    before = parse_yaml(text, name, problems)
    if before is None or problems.errors or _cut(before, (), problems):
        return None
    new = _once(text)
    refused = _changed(text, before, new)
    return Formatted(text, refused) if refused else Formatted(new)


def _once(text: str) -> str:
    layout = read_layout(text)
    if layout.root is not None:
        layout.root.opens = True
        _arrange(layout.root, (), experiment=any(e.key and e.key.value == "experiment" for e in layout.root.entries))
    return write_layout(layout)


# Arranging -------------------------------------------------------------------------------------------------------


def _arrange(branch: Branch, path: Path, *, experiment: bool) -> None:
    for entry in branch.entries:
        inside = (*path, entry.key.value) if entry.key is not None else path
        role = role_of(inside, experiment=experiment)
        if role == "condition":
            entry.value = _condition(entry.value) if _readable(entry.value) else _tidied(entry.value)
        elif role == "text" and isinstance(entry.value, Leaf):
            entry.value = _text(entry.value)
        elif isinstance(entry.value, Branch):
            _arrange(entry.value, inside, experiment=experiment)
        elif entry.value.style in ("'", '"') and entry.value.start[0] != entry.value.end[0]:
            entry.value.wraps = True
    if len(path) == 2 and path[0] == "metrics" and branch.is_map:
        _order(branch)


def _order(branch: Branch) -> None:
    """The keys of a metric in our order; comments beside a key go with it, one above the first key stays there."""
    known = {key: number for number, key in enumerate(KEYS)}
    keys = [entry.key.value if entry.key is not None else "" for entry in branch.entries]
    if not all(key in known for key in keys) or any(entry.before for entry in branch.entries[1:]):
        return
    ordered = sorted(branch.entries, key=lambda e: known[e.key.value if e.key is not None else ""])
    if ordered == branch.entries:
        return
    above, branch.entries[0].before = branch.entries[0].before, []
    for entry in ordered:
        entry.gap = False
    ordered[0].before = above
    branch.entries = ordered


def _text(leaf: Leaf) -> Leaf:
    """A text of tokens with its spaces in order; one with a comma does not stand in braces."""
    if not leaf.value.strip() or words(leaf.value) is None:
        return leaf
    value = spaced(leaf.value)
    return Leaf(value, "", leaf.start, leaf.end, wraps=True, opens="," in value)


def _readable(node: Leaf | Branch) -> bool:
    """Whether this version knows what a condition means; only then can a list be seen to mean the same as a text."""
    if isinstance(node, Branch):
        keys = sorted(entry.key.value if entry.key is not None else "" for entry in node.entries)
        if keys not in _FORMS:
            return False
        lists = [e.value for e in node.entries if e.key is not None and e.key.value != "at_least"]
        return all(
            isinstance(listed, Branch) and not listed.is_map and all(_readable(item.value) for item in listed.entries)
            for listed in lists
        )
    try:
        parse_condition(node.value)
    except SyntaxProblem:
        return False
    return True


def _tidied(node: Leaf | Branch) -> Leaf | Branch:
    """A condition that cannot be read: its spaces in order, and nothing else."""
    if isinstance(node, Leaf):
        return _text(node)
    for entry in node.entries:
        entry.value = _tidied(entry.value)
    return node


def _condition(node: Leaf | Branch) -> Leaf | Branch:
    if isinstance(node, Leaf):
        found = clauses(node.value)
        if found is None or len(found[1]) <= MAX_CLAUSES:
            return _text(node)
        items = [Entry(None, _condition(Leaf(part, "", node.start, node.end))) for part in found[1]]
        listed = Branch(False, True, node.start, node.end, opens=True, entries=items)
        key = Leaf(_JOINERS[found[0]], "", node.start, node.start)
        return Branch(True, True, node.start, node.end, opens=True, entries=[Entry(key, listed)])
    short = _short(node)
    if short is not None:
        return short
    for entry in node.entries:
        if isinstance(entry.value, Branch) and not entry.value.is_map:
            entry.value.opens = True
            for item in entry.value.entries:
                item.value = _condition(item.value)
    node.opens = True
    return node


def _short(node: Branch) -> Leaf | None:
    """`{all: [a, b]}` as `a and b`, unless comments stand inside."""
    if not node.is_map or len(node.entries) != 1 or node.foot:
        return None
    entry = node.entries[0]
    joiner = {value: key for key, value in _JOINERS.items()}.get(entry.key.value if entry.key else "")
    listed = entry.value
    if joiner is None or not isinstance(listed, Branch) or listed.is_map or listed.foot or entry.before or entry.beside:
        return None
    items = listed.entries
    texts = tuple(item.value.value for item in items if isinstance(item.value, Leaf))
    if not 1 <= len(items) <= MAX_CLAUSES or len(texts) < len(items) or any(i.before or i.beside for i in items):
        return None
    parts = tuple(spaced(text) for text in texts)
    found = joined(joiner, parts)
    many = any(len((clauses(part) or ("", ()))[1]) > MAX_CLAUSES for part in parts)
    if many or len(found) > _JOINED:
        return None
    return _text(Leaf(found, "", node.start, node.end))


# Keeping the meaning ---------------------------------------------------------------------------------------------


def _cut(node: Node, path: Path, problems: Problems) -> bool:
    """Report texts that YAML cut at a comma inside braces: in their pieces, nobody can put them right."""
    if not isinstance(node, Map) or path[2:3] == ("examples",):
        return False
    for key, value in node:
        inside = (*path, key.value)
        role = role_of(inside, experiment=path == () and node.get("experiment") is not None) or role_of(inside)
        items = value.items if isinstance(value, Seq) else (value,)
        torn = any(isinstance(i, Text) and i.plain and i.value.count("(") != i.value.count(")") for i in items)
        alone = node.flow and key.plain and isinstance(value, Text) and value.plain and not value.value
        if alone or (role is not None and torn and (node.flow or isinstance(value, Seq))):
            hint = "Put the condition on its own line instead of inside { }."
            problems.error("E120", f"your value was split at a comma: {quoted(key.value)}", key.place, hint)
            return True
        if any(_cut(item, inside, problems) for item in items):
            return True
    return False


def _changed(text: str, before: Map, new: str) -> str:
    """What the new text would change, in words; nothing when it means the same."""
    problems = Problems()
    after = parse_yaml(new, "", problems)
    if after is None or problems.errors:
        return "the new text cannot be read"
    different = _different(before, after, (), experiment=before.get("experiment") is not None)
    if different is not None:
        return f"the new text would not mean the same: {quoted(' › '.join(different) or 'the file')}"
    if _comments(text) != _comments(new):
        return "a comment would be lost"
    if _once(new) != new:
        return "formatting it twice would not be the same as once"
    return ""


def _different(before: Node, after: Node, path: Path, *, experiment: bool) -> Path | None:
    """The path of the first value that differs; conditions are compared by what they mean."""
    role = role_of(path, experiment=experiment)
    if role == "condition":
        return None if _same_condition(before, after) else path
    if isinstance(before, Text) and isinstance(after, Text):
        same = before.value == after.value or (role == "text" and words(before.value) == words(after.value) is not None)
        return None if same else path
    if isinstance(before, Map) and isinstance(after, Map):
        keys, others = [k.value for k, _ in before], [k.value for k, _ in after]
        moved = len(path) == 2 and path[0] == "metrics"
        if keys != others and not (moved and sorted(keys) == sorted(others)):
            return path
        by_key = {key.value: value for key, value in after}
        for key, value in before:
            found = _different(value, by_key[key.value], (*path, key.value), experiment=experiment)
            if found is not None:
                return found
        return None
    if isinstance(before, Seq) and isinstance(after, Seq) and len(before.items) == len(after.items):
        pairs = zip(before.items, after.items, strict=True)
        return next((p for a, b in pairs if (p := _different(a, b, path, experiment=experiment)) is not None), None)
    return path


def _same_condition(before: Node, after: Node) -> bool:
    problems, others = Problems(), Problems()
    old, new = condition_node(before, "", problems, []), condition_node(after, "", others, [])
    if old is not None or new is not None:
        return old == new
    # Neither can be read: then nothing but spaces may differ.
    return _flat(before) == _flat(after)


def _flat(node: Node) -> object:
    if isinstance(node, Text):
        found = words(node.value)
        return found if found is not None else node.value
    if isinstance(node, Seq):
        return [_flat(item) for item in node.items]
    return [(key.value, _flat(value)) for key, value in node]


def _comments(text: str) -> list[str]:
    layout: Layout = read_layout(text)
    found = [note.text for note in layout.notes]
    stack = [layout.root] if layout.root is not None else []
    while stack:
        branch = stack.pop()
        found += [note.text for note in branch.foot]
        for entry in branch.entries:
            found += [*(note.text for note in entry.before), *entry.beside]
            if isinstance(entry.value, Branch):
                stack.append(entry.value)
    return sorted(found)
