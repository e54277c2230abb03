"""A small, safe subset of YAML with the exact position of every character.

Only maps, lists and text. Nothing is typed here (`on`, `1e3` and `2026-01-01` stay text until our schema reads
them), so no YAML boolean can bite. Anchors, aliases, tags, merge keys, duplicate keys, several documents and tabs are
problems, which also bounds the cost: without aliases a file cannot grow when it is read. The tree is built from the
event stream, iteratively, so that depth cannot exhaust the stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from abtest.problems import Place, Problems, quoted

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_NODES = 50_000

BLOCK_OF_TEXT = 'YAML reads a value that starts with ">" as a block of text'

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one file, by line, so that problems can show it."""

    name: str
    lines: tuple[str, ...]

    def place(self, line: int, column: int, length: int = 1) -> Place:
        """A place from counts that start at 0."""
        text = self.lines[line] if line < len(self.lines) else ""
        return Place(self.name, line + 1, column + 1, max(1, length), text)


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar. `plain` is False when it was quoted or written as a block; `more` are its lines after the first."""

    value: str
    place: Place
    plain: bool
    style: str = ""
    more: tuple[str, ...] = ()

    def span(self, start: int, end: int) -> Place:
        """The place of the characters start..end of the value, also where YAML folds lines or doubles quotes."""
        found = _positions(self, (start, max(start, end - 1)))
        if found is None:
            return self.place
        (line, column), (last_line, last_column) = found
        text = (self.place.excerpt, *self.more)[line]
        stop = last_column + 1 if last_line == line else len(text.rstrip())
        return Place(self.place.file, self.place.line + line, column + 1, max(1, stop - column), text)


def _positions(scalar: Text, wanted: tuple[int, int]) -> list[tuple[int, int]] | None:
    """Line and column of characters of the value, by reading value and source side by side; None when they differ.

    An index at the end of the value stands behind its last character.
    """
    lines = (scalar.place.excerpt, *scalar.more)
    line, column = 0, scalar.place.column - 1
    if scalar.style in ("|", ">"):
        line, column = 1, 0
    elif scalar.style:
        column += 1
    found: dict[int, tuple[int, int]] = {}
    for index, char in enumerate(scalar.value[: wanted[1] + 1]):
        if char.isspace():
            found[index] = (line, min(column, len(lines[line]))) if line < len(lines) else (line, 0)
            while line < len(lines) and (column >= len(lines[line]) or lines[line][column].isspace()):
                line, column = (line + 1, 0) if column >= len(lines[line]) else (line, column + 1)
            continue
        while line < len(lines) and (column >= len(lines[line]) or (column == 0 and lines[line][0] == " ")):
            # The indentation of a block or of a continued line.
            text = lines[line]
            line, column = (line + 1, 0) if column >= len(text) else (line, len(text) - len(text.lstrip()) or 1)
        if line >= len(lines) or lines[line][column] != char:
            return None
        found[index] = (line, column)
        column += 2 if char == scalar.style == "'" else 1
    end = (line, column) if line < len(lines) else (len(lines) - 1, len(lines[-1]))
    return [found.get(index, end) for index in wanted]


@dataclass(frozen=True, slots=True)
class Seq:
    items: tuple[Node, ...]
    place: Place
    flow: bool = False


@dataclass(frozen=True, slots=True)
class Map:
    entries: tuple[tuple[Text, Node], ...]
    place: Place
    flow: bool = False

    def get(self, key: str) -> Node | None:
        return next((node for k, node in self.entries if k.value == key), None)

    def key(self, key: str) -> Text | None:
        return next((k for k, _ in self.entries if k.value == key), None)

    def __iter__(self) -> Iterator[tuple[Text, Node]]:
        return iter(self.entries)


Node = Text | Seq | Map


@dataclass(slots=True)
class _Open:
    """A collection being built."""

    is_map: bool
    start: Any
    items: list[Node] = field(default_factory=list)


def read_yaml(path: Path, name: str, problems: Problems) -> Map | None:
    """The top map of a file, or None after reporting why not. An empty file is an empty map."""
    where = Place(name, 1, 1)
    try:
        if not path.is_file():
            problems.error("E100", f"cannot read {quoted(name)}: it is no ordinary file", where)
            return None
        size = path.stat().st_size
        if size > MAX_BYTES:
            problems.error("E105", f"this file has {size:,} bytes; at most {MAX_BYTES:,} are read", where, "Split it.")
            return None
        raw = path.read_bytes()
    except OSError as e:
        problems.error("E100", f"cannot read {quoted(name)}: {e.strerror or e}", where)
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = raw[: e.start].count(b"\n") + 1
        column = e.start - (raw.rfind(b"\n", 0, e.start) + 1) + 1
        problems.error("E106", "this file is not UTF-8 text", Place(name, line, column), "Save it as UTF-8.")
        return None
    return parse_yaml(text, name, problems)


def parse_yaml(text: str, name: str, problems: Problems) -> Map | None:
    """Like `read_yaml`, from text."""
    if len(text) > MAX_BYTES:
        problems.error(
            "E105", f"this file has {len(text):,} characters; at most {MAX_BYTES:,} are read", Place(name, 1, 1)
        )
        return None
    source = Source(name, tuple(text.splitlines()))
    builder = _Builder(source, problems)
    tree = builder.build(text)
    if builder.broken:
        return None
    if tree is None:
        return Map((), Place(name, 1, 1))
    if not isinstance(tree, Map):
        problems.error("E101", "a file starts with a map such as `metrics:` or `experiment:`", tree.place)
        return None
    return tree


class _Builder:
    def __init__(self, source: Source, problems: Problems) -> None:
        self.source = source
        self.problems = problems
        self.broken = False

    def build(self, text: str) -> Node | None:
        for number, line in enumerate(self.source.lines):
            indent = re.match(r"[ ]*\t", line)
            if indent and line.strip():
                self.problems.error(
                    "E103",
                    "a tab in the indentation",
                    self.source.place(number, indent.end() - 1),
                    "YAML indents with spaces.",
                )
        stack: list[_Open] = []
        done: list[Node] = []
        documents = 0
        try:
            for number, event in enumerate(yaml.parse(text, Loader=_Loader)):
                if number > MAX_NODES:
                    self._error("E105", f"more than {MAX_NODES:,} values in one file", event, "Split it.")
                    self.broken = True
                    return None
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        self._error("E104", "a second document in one file", event, "Remove the line `---`.")
                        self.broken = True
                        return None
                elif isinstance(event, yaml.AliasEvent):
                    self._error(
                        "E104",
                        "an alias (*name) is not allowed",
                        event,
                        "Write the value out; definitions are shared by name.",
                    )
                    self.broken = True
                    return None
                elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                    self._plain(event)
                    if len(stack) >= MAX_DEPTH:
                        self._error("E105", f"nested deeper than {MAX_DEPTH} levels", event)
                        self.broken = True
                        return None
                    stack.append(_Open(isinstance(event, yaml.MappingStartEvent), event))
                elif isinstance(event, yaml.ScalarEvent):
                    self._plain(event)
                    self._put(stack, done, self._text(event))
                elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                    self._put(stack, done, self._close(stack.pop(), event))
        except yaml.YAMLError as e:
            self.broken = True
            self._broken(e)
            return None
        except UnicodeEncodeError:
            self.broken = True
            self.problems.error("E106", "this file is not UTF-8 text", self.source.place(0, 0), "Save it as UTF-8.")
            return None
        return done[0] if done else None

    def _put(self, stack: list[_Open], done: list[Node], node: Node) -> None:
        (stack[-1].items if stack else done).append(node)

    def _close(self, opened: _Open, end: Any) -> Node:
        """A list or map. Its place is `[ … ]` or `{ … }` itself; else, under a key, that key; else its first item."""
        start = opened.start
        flow = bool(start.flow_style)
        length = end.end_mark.column - start.start_mark.column if end.end_mark.line == start.start_mark.line else 1
        place = self.source.place(start.start_mark.line, start.start_mark.column, length if flow else 1)
        if not opened.is_map:
            return Seq(tuple(opened.items), place, flow)
        entries: list[tuple[Text, Node]] = []
        seen: dict[str, Text] = {}
        for key, value in zip(opened.items[::2], opened.items[1::2], strict=True):
            if not isinstance(key, Text):
                self.problems.error(
                    "E101", "a key must be text", key.place, 'A text that starts with "{" or "[" needs quotes.'
                )
                continue
            if key.value == "<<" and key.plain:
                self.problems.error("E104", "merge keys (<<) are not allowed", key.place, "Write the keys out.")
                continue
            if key.value in seen:
                first = seen[key.value].place
                self.problems.error(
                    "E107",
                    f"key {quoted(key.value)} is written twice",
                    key.place,
                    f"The first is in line {first.line}.",
                )
                continue
            seen[key.value] = key
            if not isinstance(value, Text) and not value.flow:
                value = replace(value, place=key.place)
            entries.append((key, value))
        if entries and not flow:
            place = entries[0][0].place
        return Map(tuple(entries), place, flow)

    def _text(self, event: Any) -> Text:
        style = event.style or ""
        first, last = event.start_mark.line, event.end_mark.line
        return Text(event.value, self._place(event), style == "", style, self.source.lines[first + 1 : last + 1])

    def _plain(self, event: Any) -> None:
        if event.anchor is not None:
            self._error("E104", "an anchor (&name) is not allowed", event, "Definitions are shared by name.")
        if event.tag is not None and event.tag != "!":
            self._error("E104", f"a tag ({event.tag[:40]}) is not allowed", event, "Every value is plain text.")

    def _place(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        if end.line == start.line:
            return self.source.place(start.line, start.column, end.column - start.column)
        text = self.source.lines[start.line] if start.line < len(self.source.lines) else ""
        return self.source.place(start.line, start.column, len(text.rstrip()) - start.column)

    def _error(self, code: str, message: str, event: Any, hint: str = "") -> None:
        self.problems.error(code, message, self._place(event), hint)

    def _broken(self, error: yaml.YAMLError) -> None:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = min(mark.line, max(0, len(self.source.lines) - 1)) if mark else 0
        text = self.source.lines[line] if line < len(self.source.lines) else ""
        folded = re.search(r"(?:[:,[-]\s+|\[)(>[^,}\]]*)", text)
        if folded and folded[1].strip("> +-0123456789"):
            place = self.source.place(line, folded.start(1), len(folded[1].rstrip()))
            self.problems.error("E110", BLOCK_OF_TEXT, place, f"Start with the event:  like {folded[1].strip()}")
            return
        reason = getattr(error, "problem", None) or "it cannot be read"
        if "special characters" in str(reason) or "control characters" in str(reason):
            reason = "a control character"
        if any(p.code == "E103" and p.place and p.place.line == line + 1 for p in self.problems.found):
            return
        opening = getattr(error, "context_mark", None)
        context = str(getattr(error, "context", None) or "")
        if opening is not None and ("flow" in context or "quoted" in context):
            what = "quote" if "quoted" in context else "bracket"
            comma = ", or a comma is missing after it" if what == "bracket" else ""
            place = self.source.place(opening.line, opening.column)
            listed = what == "bracket" and re.search(r"\([^()]*,", place.excerpt)
            hint = "A condition with commas does not go inside { }: put it on a line of its own." if listed else ""
            self.problems.error("E101", f"this {what} is never closed{comma}", place, hint)
            return
        column = mark.column if mark else 0
        self.problems.error(
            "E101",
            f"this is not valid YAML: {str(reason)[:120]}",
            self.source.place(line, column),
            _yaml_hint(text, str(reason)),
        )


def _yaml_hint(line: str, reason: str) -> str:
    if "mapping values are not allowed" in reason:
        return "A value that holds `: ` needs quotes."
    if "\t" in line:
        return "YAML indents with spaces, not with tabs."
    return "Check the indentation, quotes and brackets of this line and the one above."
