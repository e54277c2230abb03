"""Reading maps strictly: known keys only, every value typed, every problem placed, reading goes on after each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from abtest.language.suggest import did_you_mean
from abtest.language.tokens import SyntaxProblem
from abtest.language.yaml import Map, Node, Seq, Text
from abtest.problems import Place, Problems, quoted

T = TypeVar("T")


class Fields:
    """The entries of one map. Ask for keys, then call `done()` to report the unknown ones."""

    def __init__(self, node: Map, what: str, problems: Problems, known: Iterable[str] = ()) -> None:
        self.node = node
        self.what = what
        self.problems = problems
        self.asked: dict[str, None] = dict.fromkeys(known)

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
        if not isinstance(node, Text):
            split = self._split_by_yaml(node)
            self.problems.error("E120" if split else "E121", f"{key} of {self.what} takes one value" + (f"; {split}" if split else ""), node.place)
            return None
        return read_text(node, reader, self.problems)

    def choice(self, key: str, choices: Iterable[str], *, required: bool = False) -> str | None:
        options = tuple(choices)
        value = self.text(key, required=required)
        if value is None or value in options:
            return value
        self.problems.error("E122", f"{key} of {self.what} is {quoted(value)}", self.place(key), did_you_mean(value, options, "Possible"))
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
        self.problems.error("E108", f"{self.what} has no `{key}`", self.node.place, hint)

    def done(self, later: Iterable[str] = ()) -> None:
        """Report unknown keys; keys in `later` belong to the language but not to this version."""
        for key, node in self.node:
            if key.value in self.asked:
                continue
            if key.value in later:
                self.problems.error(
                    "E190",
                    f"`{key.value}` of {self.what} cannot be computed by this version of abtest",
                    key.place,
                    "It is part of the language; a later version adds it.",
                )
            elif key.value.startswith(("of (", "(")) or key.value.endswith(")") or (isinstance(node, Text) and not node.value and key.plain):
                self.problems.error("E120", f"your value was split at a comma: {quoted(key.value)} arrived as a key", key.place, "Put the condition on its own line instead of inside { }.")
            else:
                self.problems.error("E102", f"unknown key {quoted(key.value)} in {self.what}", key.place, did_you_mean(key.value, self.asked, "Keys here"))

    def _split_by_yaml(self, node: Node) -> str:
        if isinstance(node, Seq) and any(isinstance(i, Text) and i.value.count("(") != i.value.count(")") for i in node.items):
            return "YAML split it at a comma. Put it on its own line, or quote it"
        return ""


def read_text(node: Text, reader: Callable[[str], T], problems: Problems) -> T | None:
    """`reader(node.value)`; a SyntaxProblem is reported at its span."""
    try:
        return reader(node.value)
    except SyntaxProblem as e:
        problems.error(e.code, e.message, node.span(*e.at), e.hint)
        return None
