"""A layout as text: two spaces of indentation, one value a line, quotes only where YAML needs them.

Lines are put together with the comments beside them; a comment keeps its column, or moves two spaces behind a text
that has grown, and then its neighbours in the same column move with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from abtest.language.layout import Branch, Entry, Layout, Leaf, Note

WIDTH = 100
STEP = "  "

_PLAIN = re.compile(r"[\w$(/].*")
_RESOLVER: Any = yaml.resolver.Resolver()
_TEXT = "tag:yaml.org,2002:str"


@dataclass(slots=True)
class _Line:
    text: str
    comments: list[str]
    column: int | None = None


def write_layout(layout: Layout) -> str:
    """The file as text, ending in one line end.

    >>> from abtest.language.layout import read_layout
    >>> print(write_layout(read_layout("a:   'x'   # why\\nb: {c:  1}")), end="")
    a: x     # why
    b: {c: 1}
    """
    out: list[_Line] = []
    if layout.root is None:
        _notes(layout.notes, "", out, first=True)
    else:
        _entries(layout.root, "", out)
    return _rendered(out)


def one_line(node: Leaf | Branch, *, flow: bool = True) -> str:
    """A value in flow style, whatever its length."""
    if isinstance(node, Leaf):
        return _scalar(node, flow)
    texts = []
    for entry in node.entries:
        value = one_line(entry.value)
        if entry.key is not None:
            value = f"{_key(entry.key, True)}: {value}" if value or node.pair else _key(entry.key, True)
        texts.append(value)
    inside = ", ".join(texts)
    if node.pair:
        return inside
    return f"{{{inside}}}" if node.is_map else f"[{inside}]"


def opened(node: Leaf | Branch) -> bool:
    """Whether a value cannot stand on one line: a comment inside, or a condition that has a comma or many clauses."""
    if isinstance(node, Leaf):
        return node.opens
    if node.opens or not node.flow or node.foot:
        return True
    return any(e.before or e.beside or opened(e.value) for e in node.entries)


def quoted_text(text: str, *, flow: bool = False) -> str:
    """A text as YAML: plain if it can be, else in single quotes, else in double quotes.

    >>> quoted_text("no crash"), quoted_text("a: b"), quoted_text("it's: so")
    ('no crash', "'a: b'", '"it\\'s: so"')
    """
    if _can_be_plain(text, flow):
        return text
    if not text.isprintable():
        return '"' + "".join(_escaped(c) for c in text) + '"'
    if "'" in text and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def _scalar(leaf: Leaf, flow: bool) -> str:
    if leaf.style == "" and not leaf.wraps and "\n" not in leaf.value:
        # What was plain may stay plain, also where our own rule is stricter than YAML.
        return leaf.value
    if leaf.style and not leaf.wraps and _typed(leaf.value):
        # Text for us either way, but not for other readers of YAML: somebody quoted it on purpose.
        return "'" + leaf.value + "'"
    return quoted_text(leaf.value, flow=flow)


def _key(leaf: Leaf, flow: bool) -> str:
    return _scalar(leaf, flow) or "''"


def _typed(text: str) -> bool:
    """Whether YAML would take the plain text for something else: `off`, `1.0`, `2026-01-01`, `~`."""
    return text.isprintable() and _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)) != _TEXT


def _can_be_plain(text: str, flow: bool) -> bool:
    if not _PLAIN.fullmatch(text) or text[-1:] in (" ", ":") or ": " in text or " #" in text:
        return False
    if flow and (":" in text or any(c in ",[]{}" for c in text)):
        return False
    return text.isprintable()


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char in "\n\t":
        return {"\n": "\\n", "\t": "\\t"}[char]
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


# Lines -----------------------------------------------------------------------------------------------------------


def _entries(branch: Branch, indent: str, out: list[_Line]) -> None:
    first = True
    for entry in branch.entries:
        lines = _entry(entry, indent, branch.is_map)
        _notes(entry.before, indent, out, first=first)
        if entry.gap and (entry.before or not first):
            _gap(out)
        out += lines
        first = False
    _notes(branch.foot, indent, out, first=first)


def _notes(notes: list[Note], indent: str, out: list[_Line], *, first: bool) -> None:
    for note in notes:
        if note.gap and not first:
            _gap(out)
        out.append(_Line("", [indent + note.text], len(indent)))
        first = False


def _gap(out: list[_Line]) -> None:
    # A text that keeps its last line ends (`|+`) would take a blank line for one more.
    if out and (out[-1].text or out[-1].comments):
        out.append(_Line("", []))


def _entry(entry: Entry, indent: str, in_map: bool) -> list[_Line]:
    """The lines of one entry; may add to the comments above it what would stand between a dash and its value."""
    value = entry.value
    head = indent + (f"{_key(entry.key, False)}:" if entry.key is not None else "-")
    column = entry.column
    lines: list[_Line] = []
    if isinstance(value, Leaf):
        lines = [_Line(text, []) for text in _leaf(value, head, indent)]
    elif not value.entries:
        lines = [_Line(f"{head} {one_line(value)}", [])]
        entry.before += value.foot
    elif not opened(value) and (len(text := f"{head} {one_line(value)}") <= WIDTH or _torn(value)):
        lines = [_Line(text, [])]
    else:
        if value.flow:
            column = None  # where the comment stood, there is nothing any more
        if in_map:
            lines = [_Line(head, [])]
            _entries(value, indent + STEP, lines)
        else:
            _entries(value, indent + STEP, lines)
            gap = False
            while not lines[0].text:
                above = lines.pop(0)
                entry.before += [Note(text.strip(), gap) for text in above.comments]
                gap = not above.comments
            lines[0].text = f"{head} {lines[0].text.lstrip(' ')}"
    if entry.beside:
        # A comment would end a plain text, so it stands behind its last line; a block of text has it at its top.
        plain = isinstance(value, Leaf) and not value.style and not value.wraps
        line = lines[-1 if plain else 0]
        if line.comments:
            entry.before += [Note(text, False) for text in entry.beside]
        else:
            line.comments, line.column = entry.beside, column
    return lines


def _torn(branch: Branch) -> bool:
    """Whether YAML cut a text of this list at its commas, as it does with `[purchase(revenue: 20, tax: 2)]`."""
    values = [entry.value for entry in branch.entries]
    return any(
        v.pair if isinstance(v, Branch) else not v.style and v.value.count("(") != v.value.count(")") for v in values
    )


def _leaf(leaf: Leaf, head: str, indent: str) -> list[str]:
    if leaf.lines and not leaf.wraps:
        return [f"{head} {leaf.lines[0]}", *((indent + STEP + line) if line else "" for line in leaf.lines[1:])]
    text = f"{head} {_scalar(leaf, False)}".rstrip(" ")
    if not leaf.wraps or len(text) <= WIDTH:
        return [text]
    folded = _folded(leaf.value, WIDTH - len(indent) - len(STEP))
    return [text] if folded is None else [f"{head} >-", *(indent + STEP + line for line in folded)]


def _folded(text: str, width: int) -> list[str] | None:
    """Lines that YAML folds into the same text again, or None."""
    words = text.split(" ")
    if not all(words) or not text.isprintable():
        return None
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines if len(lines) > 1 else None


def _rendered(lines: list[_Line]) -> str:
    """The lines with their comments. Neighbours whose comments stood in one column keep one column."""
    columns: list[int | None] = [None] * len(lines)
    start = 0
    while start < len(lines):
        stop = start + 1
        line = lines[start]
        if line.comments and line.text:
            while stop < len(lines) and lines[stop].text and lines[stop].comments and lines[stop].column == line.column:
                stop += 1
            group = lines[start:stop]
            if line.column is None:
                wanted = [len(one.text) + 2 for one in group]
            else:
                wanted = [max(line.column, *(len(one.text) + 2 for one in group))] * len(group)
            columns[start:stop] = wanted
        start = stop
    out: list[str] = []
    for line, column in zip(lines, columns, strict=True):
        if not line.comments:
            out.append(line.text)
        elif not line.text:
            out += line.comments
        else:
            out.append(f"{line.text:<{column}}{line.comments[0]}")
            out += [f"{'':<{column}}{comment}" for comment in line.comments[1:]]
    return "".join(f"{line}\n" for line in out)
