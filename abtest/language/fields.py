"""Reading maps strictly: known keys only, every value typed, every problem placed, reading goes on after each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import zip_longest
from typing import TypeVar

from abtest.language.suggest import did_you_mean, near_key
from abtest.language.tokens import LATER_HINT, SyntaxProblem, later_message
from abtest.language.yaml import BLOCK_OF_TEXT, Map, Node, Seq, Text
from abtest.problems import Place, Problem, Problems, quoted

T = TypeVar("T")


def later(problems: Problems, what: str, place: Place, hint: str = "") -> None:
    """What the language knows and this version cannot compute."""
    problems.error("E190", later_message(what), place, hint or LATER_HINT)


def _looks_split(key: Text, value: Node, flow: bool) -> bool:
    """Whether a key is the tail of a text that YAML cut at a comma inside braces."""
    if key.value.startswith(("of (", "(")) or key.value.endswith(")"):
        return True
    return flow and key.plain and isinstance(value, Text) and value.plain and not value.value


class Fields:
    """The entries of one map. Ask for keys, then call `done()` to report the unknown ones."""

    def __init__(self, node: Map, what: str, problems: Problems, known: Iterable[str] = ()) -> None:
        self.node = node
        self.what = what
        self.problems = problems
        self.asked: dict[str, None] = dict.fromkeys(known)
        self.missed: dict[str, Problem] = {}

    def node_of(self, key: str) -> Node | None:
        self.asked[key] = None
        return self.node.get(key)

    def has(self, key: str) -> bool:
        return self.node.get(key) is not None

    def place(self, key: str) -> Place:
        node = self.node.get(key)
        return node.place if node is not None else self.node.place

    def text(self, key: str, *, required: bool = False) -> str | None:
        node = self.node_of(key)
        if node is None:
            if required:
                self.missing(key)
            return None
        if isinstance(node, Text):
            return node.value
        self.problems.error("E121", f"{key} of {self.what} takes one value", node.place)
        return None

    def read(self, key: str, reader: Callable[[str], T], *, required: bool = False) -> T | None:
        """The value of `key` through `reader`, whose SyntaxProblem becomes a placed problem."""
        node = self.node_of(key)
        if node is None:
            if required:
                self.missing(key)
            return None
        if isinstance(node, Text):
            return read_text(node, reader, self.problems)
        if not (isinstance(node, Seq) and self.split_list(node.items)):
            self.problems.error("E121", f"{key} of {self.what} takes one value", node.place)
        return None

    def choice(self, key: str, choices: Iterable[str], *, required: bool = False) -> str | None:
        options = tuple(choices)
        value = self.text(key, required=required)
        if value is None or value in options:
            return value
        self.problems.error(
            "E122",
            f"{key} of {self.what} is {quoted(value)}",
            self.place(key),
            did_you_mean(value, options, "Possible"),
        )
        return None

    def texts(self, key: str) -> tuple[Text, ...]:
        """A list of texts; one text counts as a list of one."""
        node = self.node_of(key)
        if node is None:
            return ()
        if isinstance(node, Text):
            return (node,)
        if isinstance(node, Seq):
            for item in node.items:
                if not isinstance(item, Text):
                    self.problems.error("E121", f"{key} of {self.what} is a list of names", item.place)
            return tuple(item for item in node.items if isinstance(item, Text))
        self.problems.error("E121", f"{key} of {self.what} is a list", node.place)
        return ()

    def map(self, key: str, *, required: bool = False) -> Map | None:
        node = self.node_of(key)
        if node is None:
            if required:
                self.missing(key)
            return None
        if isinstance(node, Map):
            return node
        self.problems.error("E121", f"{key} of {self.what} is a map", node.place)
        return None

    def missing(self, key: str, hint: str = "") -> None:
        self.asked[key] = None
        self.missed[key] = Problem("E108", f"{self.what} has no `{key}`", self.node.place, hint)
        self.problems.error("E108", self.missed[key].message, self.node.place, hint)

    def split_list(self, items: tuple[Node, ...]) -> bool:
        """Report items such as `country in (US` and `CA)`: YAML cut one condition at its comma."""
        for item, after in zip_longest(items, items[1:]):
            if isinstance(item, Text) and item.plain and item.value.count("(") > item.value.count(")"):
                whole = f"{item.value}, {after.value}" if isinstance(after, Text) else item.value
                self.problems.error(
                    "E120",
                    f"your list was split at a comma: {quoted(item.value)}",
                    item.place,
                    f"Put the condition on its own line, or quote it:  '{whole[:80]}'",
                )
                return True
        return False

    def done(self, later_keys: Iterable[str] = ()) -> None:
        """Report unknown keys; those in `later_keys` belong to the language but not to this version."""
        later_keys = frozenset(later_keys)
        for key, node in self.node:
            if key.value in self.asked:
                continue
            if key.value in later_keys:
                later(self.problems, f"`{key.value}` of {self.what}", key.place)
            elif not self.split_key(key, node, self.node.flow):
                # `variations` is the missing `variants`: that is one mistake.
                missed = self.missed.pop(near_key(key.value, self.asked) or "", None)
                if missed in self.problems.found:
                    self.problems.found.remove(missed)
                self.problems.error(
                    "E102",
                    f"unknown key {quoted(key.value)} in {self.what}",
                    key.place,
                    did_you_mean(key.value, self.asked, "Keys here", keys=True),
                )

    def was_split(self) -> bool:
        """Whether YAML cut one of the values at its comma, so that its tail arrived as a key."""
        return any(key.value not in self.asked and _looks_split(key, node, self.node.flow) for key, node in self.node)

    def split_key(self, key: Text, node: Node, flow: bool) -> bool:
        """Report a key that is the tail of a value, once a line."""
        if not _looks_split(key, node, flow):
            return False
        if not self._said_split(key.place.line):
            self.problems.error(
                "E120",
                f"your value was split at a comma: {quoted(key.value)} arrived as a key",
                key.place,
                "Put the condition on its own line instead of inside { }.",
            )
        return True

    def _said_split(self, line: int) -> bool:
        """The first half of a split value has been reported already."""
        return any(p.code == "E120" and p.place and p.place.line == line for p in self.problems.found[-5:])


def read_text(node: Text, reader: Callable[[str], T], problems: Problems) -> T | None:
    """`reader(node.value)`; a SyntaxProblem is reported at its span."""
    if node.style in (">", "|") and not node.value.strip():
        written = node.place.excerpt[node.place.column - 1 :].strip()
        problems.error(
            "E110",
            BLOCK_OF_TEXT.replace(">", node.style),
            node.place,
            f"Start with the event:  like {written}" if node.style == ">" else "Write the text below it, indented.",
        )
        return None
    try:
        return reader(node.value)
    except SyntaxProblem as e:
        problems.error(e.code, e.message, node.span(*e.at), e.hint)
        return None
