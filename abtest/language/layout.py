"""What a person sees in a YAML file: values with their positions, comments and blank lines.

`yaml.py` keeps what a file means and refuses what is not allowed; this tree is built from a file that it has accepted,
so that `format.py` can write the file again with every comment beside what it is about.

A comment at the end of a line belongs to what ends, or else begins, on that line; comments right below it in the same
column go on with it. A comment on a line of its own stands before the next entry, unless it is indented deeper than
that entry: then it ends the block above whose indentation it has (often a key that somebody switched off).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_HEADER = re.compile(r"[|>][-+0-9]{0,2}")

Position = tuple[int, int]


@dataclass(slots=True)
class Note:
    """A comment on a line of its own, and whether a blank line stands above it."""

    text: str
    gap: bool


@dataclass(slots=True)
class Leaf:
    """A text. `lines` holds one over several lines as it was written, without its indentation.

    `wraps`: its spaces may become line ends, which folds it into the same text again. `opens`: it never stands in braces.
    """

    value: str
    style: str = ""
    start: Position = (0, 0)
    end: Position = (0, 0)
    lines: tuple[str, ...] = ()
    wraps: bool = False
    opens: bool = False


@dataclass(slots=True)
class Branch:
    """A map or a list. `flow`: written in braces or brackets. `pair`: a map in a list without braces, as `[a: 1]`.

    `opens`: it becomes a block, however short it is.
    """

    is_map: bool
    flow: bool
    start: Position = (0, 0)
    end: Position = (0, 0)
    pair: bool = False
    opens: bool = False
    entries: list[Entry] = field(default_factory=list)
    foot: list[Note] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """A key with its value, or an item of a list, and the comments about it: above, and at the end of its line."""

    key: Leaf | None
    value: Leaf | Branch
    gap: bool = False
    before: list[Note] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    column: int | None = None

    @property
    def start(self) -> Position:
        return self.key.start if self.key is not None else self.value.start


@dataclass(slots=True)
class Layout:
    """A whole file. Without a root it holds nothing but comments."""

    root: Branch | None
    notes: list[Note] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Comment:
    at: Position
    text: str
    own_line: bool


@dataclass(frozen=True, slots=True)
class _Seen:
    """An entry in reading order, with the entries and the collections that it is in, outermost first."""

    entry: Entry
    path: tuple[Entry, ...]
    inside: tuple[Branch, ...]


def read_layout(text: str) -> Layout:
    """The layout of a text that `parse_yaml` accepts.

    >>> layout = read_layout("a: 1  # one\\n# about b\\nb: 2\\n")
    >>> [(e.beside, [n.text for n in e.before]) for e in layout.root.entries]
    [(['# one'], []), ([], ['# about b'])]
    """
    lines = text.splitlines()
    events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
    leaves: list[Leaf] = []
    root: Branch | None = None
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            node = _node(next(events), events, lines, leaves)
            root = node if isinstance(node, Branch) else None
    comments = _comments(lines, leaves)
    blank = [not line.strip() for line in lines]
    if root is None:
        return Layout(None, [Note(c.text, _gap(c.at, blank)) for c in comments])
    seen = list(_walk(root, (), ()))
    for one in seen:
        one.entry.gap = not one.inside[-1].flow and _gap(one.entry.start, blank)
    _attach(comments, seen, root, blank)
    return Layout(root)


def _gap(at: Position, blank: list[bool]) -> bool:
    return at[0] > 0 and blank[at[0] - 1]


def _node(event: Any, events: Iterator[Any], lines: list[str], leaves: list[Leaf]) -> Leaf | Branch:
    start, end = (event.start_mark.line, event.start_mark.column), (event.end_mark.line, event.end_mark.column)
    if isinstance(event, yaml.ScalarEvent):
        leaf = Leaf(event.value, event.style or "", start, end)
        leaf.lines = _lines(leaf, lines)
        leaves.append(leaf)
        return leaf
    is_map = isinstance(event, yaml.MappingStartEvent)
    branch = Branch(is_map, bool(event.flow_style), start, end)
    branch.pair = branch.flow and is_map and lines[start[0]][start[1] : start[1] + 1] != "{"
    stop: Any = yaml.MappingEndEvent if is_map else yaml.SequenceEndEvent
    while not isinstance(event := next(events), stop):
        key = _node(event, events, lines, leaves) if is_map else None
        value = _node(next(events) if is_map else event, events, lines, leaves)
        assert key is None or isinstance(key, Leaf)
        branch.entries.append(Entry(key, value))
    # A block ends for YAML where the next thing begins; for a reader, with its last entry.
    branch.end = (event.end_mark.line, event.end_mark.column) if branch.flow else branch.entries[-1].value.end
    return branch


def _lines(leaf: Leaf, lines: list[str]) -> tuple[str, ...]:
    """A text over several lines as written. A block of text keeps its own indentation, the rest has none."""
    first, last = leaf.start[0], leaf.end[0]
    if leaf.style not in ("|", ">"):
        if leaf.style or first == last:
            return ()
        middle = (line.strip() for line in lines[first + 1 : last])
        return (lines[first][leaf.start[1] :].strip(), *middle, lines[last][: leaf.end[1]].strip())
    body = lines[first + 1 : last + (1 if leaf.end[1] else 0)]
    full = next((line for line in body if line.strip(" ")), "")
    wanted = next((line for line in leaf.value.split("\n") if line.strip(" ")), "")
    indent = max(0, len(full) - len(full.lstrip(" ")) - (len(wanted) - len(wanted.lstrip(" "))))
    found = [line[indent:] for line in body]
    match = _HEADER.match(lines[first], leaf.start[1])
    header = match[0] if match else leaf.style
    if "+" not in header:
        while found and not found[-1].strip(" "):
            found.pop()
    # The last line of a file may lack its line end, and with it the text.
    chomp = "-" if not leaf.value.endswith("\n") else "+" if "+" in header else ""
    deeper = wanted.startswith(" ") or (bool(found) and found[0] != "" and not found[0].strip(" "))
    return (f"{leaf.style}{'2' if deeper else ''}{chomp}", *found)


def _comments(lines: list[str], leaves: list[Leaf]) -> list[_Comment]:
    """Between texts there are only marks such as `- [ , : }`, so each # that is in no text begins a comment."""
    covered: dict[int, list[tuple[int, float]]] = {}
    for leaf in leaves:
        (first, column), (last, stop) = leaf.start, leaf.end
        for number in range(first, min(last + 1, len(lines))):
            begin = column if number == first else 0
            end: float = stop if number == last else float("inf")
            if number == first and leaf.style in ("|", ">"):
                match = _HEADER.match(lines[first], column)
                end = match.end() if match else column + 1
            covered.setdefault(number, []).append((begin, end))
    found = []
    for number, line in enumerate(lines):
        at = line.find("#")
        for begin, end in covered.get(number, ()):
            if at < begin:
                break
            if at < end:
                at = -1 if end >= len(line) else line.find("#", int(end))
        if at >= 0:
            found.append(_Comment((number, at), line[at:].rstrip(), not line[:at].strip()))
    return found


def _walk(branch: Branch, path: tuple[Entry, ...], inside: tuple[Branch, ...]) -> Iterator[_Seen]:
    for entry in branch.entries:
        yield _Seen(entry, (*path, entry), (*inside, branch))
        if isinstance(entry.value, Branch):
            yield from _walk(entry.value, (*path, entry), (*inside, branch))


def _attach(comments: list[_Comment], seen: list[_Seen], root: Branch, blank: list[bool]) -> None:
    starts = [one.entry.start for one in seen]
    going_on: tuple[Position, Entry] | None = None
    floor: tuple[int, Branch | None] | None = None
    for comment in comments:
        index = bisect_left(starts, comment.at)
        before = seen[index - 1] if index else None
        after = seen[index] if index < len(seen) else None
        line, column = comment.at
        if comment.own_line and going_on and going_on[0] == (line - 1, column) and _column(after) != column:
            going_on[1].beside.append(comment.text)
            going_on = (comment.at, going_on[1])
            continue
        going_on = None
        entry = None if comment.own_line or before is None else _beside(comment.at, before)
        if entry is not None:
            entry.column = column if not entry.beside else entry.column
            entry.beside.append(comment.text)
            going_on = (comment.at, entry)
            continue
        empty = before.entry.value if before is not None else None
        if before is not None and isinstance(empty, Branch) and not empty.entries and comment.at < empty.end:
            before.entry.before.append(Note(comment.text, False))  # brackets with nothing but a comment
            continue
        # What once left a block cannot come back into it.
        last = floor[1] if floor and floor[0] == index else root
        block = _ended(comment.at, before, after, root) if last is not None else None
        if block is not None and last is not None and before is not None and last is not root:
            depth = before.inside.index
            block = block if depth(block) <= depth(last) else last
        floor = (index, block)
        note = Note(comment.text, _gap(comment.at, blank))
        if block is not None:
            block.foot.append(note)
        elif after is not None:
            after.entry.before.append(note)
        else:
            root.foot.append(note)


def _column(seen: _Seen | None) -> int | None:
    if seen is None:
        return None
    return seen.entry.start[1] if seen.entry.key is not None else seen.inside[-1].start[1]


def _beside(at: Position, before: _Seen) -> Entry | None:
    """The entry that a comment at the end of a line is about; None when nothing ends or begins there."""
    ending = []
    for entry in before.path:
        value = entry.value
        block = isinstance(value, Branch) and not value.flow
        end = (value.start[0], 0) if isinstance(value, Leaf) and value.style in ("|", ">") else value.end
        if end[0] == at[0] and end <= at and (entry.start[0] == at[0] or not block):
            ending.append(entry)
    if ending:
        return ending[0]
    return next((e for e in reversed(before.path) if e.start[0] == at[0]), None)


def _ended(at: Position, before: _Seen | None, after: _Seen | None, root: Branch) -> Branch | None:
    """The collection that a comment on its own line closes; None when it stands before the next entry."""
    target = after.inside[-1] if after is not None else root
    if before is None or before.entry.value is target:
        return None
    for branch in reversed(before.inside):
        if branch is target:
            return None
        if branch.flow:
            if at < branch.end:
                return branch
        elif at[1] > target.start[1] and at[1] >= branch.start[1]:
            return branch
    return None
