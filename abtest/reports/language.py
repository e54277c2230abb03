"""The words of a report, read from `reports/<language>.yml`, and the order of its sections."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from string import Formatter
from typing import Any

import yaml

from abtest.reports.numbers import Numbers
from abtest.shipped import languages as languages
from abtest.shipped import shipped


class UnknownLanguageError(ValueError):
    """No words file exists for the language that was asked for."""


class MissingWordError(KeyError):
    """A key or a slot that the words file does not have: a programming error, found by the tests."""


class Words:
    """Sentences by dotted key, with named slots.

    >>> words = load("en")
    >>> words("limits.loss", low="−3.1%", high="−0.2%")
    'How large the loss really is: the data fit anything from −3.1% to −0.2%.'
    """

    def __init__(self, language: str, tree: Mapping[str, Any]) -> None:
        self.language = language
        self._tree = tree

    @property
    def numbers(self) -> Numbers:
        """How this language writes numbers.

        >>> load("en").numbers.fixed(1234.5, 1), load("nl").numbers.fixed(1234.5, 1)
        ('1,234.5', '1.234,5')
        """
        return Numbers(self("format.decimal"), self("format.thousands"))

    def get(self, key: str) -> Any:
        """The raw entry at a dotted key, or None."""
        node: Any = self._tree
        for part in key.split("."):
            if not isinstance(node, Mapping) or part not in node:
                return None
            node = node[part]
        return node

    def has(self, key: str) -> bool:
        return self.get(key) is not None

    def __call__(self, key: str, /, **slots: str | None) -> str:
        """The sentence at `key`; where it is a list, the first one whose slots are all known."""
        entry = self.get(key)
        options = entry if isinstance(entry, list) else [entry]
        known = {name: value for name, value in slots.items() if value is not None}
        for option in options:
            if isinstance(option, str) and _slots(option) <= known.keys():
                return option.format_map(known)
        raise MissingWordError(f"{self.language}.yml has no sentence {key!r} for the slots {sorted(known)}")

    def plural(self, key: str, n: int, /, **slots: str | None) -> str:
        """The form of `key` for `n`: none, one, two or other, as far as the words file tells them apart."""
        form = {0: "none", 1: "one", 2: "two"}.get(n, "other")
        if not self.has(f"{key}.{form}"):
            form = "other"
        return self(f"{key}.{form}", **{"n": str(n), **slots})

    def known(self, key: str, code: str, fallback: str = "other") -> str:
        """`key.code` if the words file knows the code, else `key.other`: a newer engine never breaks a report."""
        safe = re.fullmatch(r"[A-Za-z0-9_]+", code)
        return f"{key}.{code}" if safe and self.has(f"{key}.{code}") else f"{key}.{fallback}"


def _slots(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


@cache
def load(language: str) -> Words:
    """The words of one language. Raises `UnknownLanguageError` that names the ones that exist."""
    if language not in languages():
        raise UnknownLanguageError(f"no report language {language!r}; there is {', '.join(languages())}")
    text = (shipped("reports") / f"{language}.yml").read_text(encoding="utf-8")
    return Words(language, yaml.safe_load(text))


@cache
def outline(name: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The groups of sections of one outline, in their fixed order."""
    raw = yaml.safe_load((shipped("reports") / f"{name}.yml").read_text(encoding="utf-8"))
    return tuple((group["name"], tuple(group["sections"])) for group in raw["groups"])
