"""What a definition says of itself to people, in English and where it is given in Dutch.

`title: Engaged weeks`, or `title: {en: Engaged weeks, nl: Betrokken weken}`. Results speak the English words.
"""

from __future__ import annotations

from dataclasses import dataclass

from abtest.language.fields import Fields
from abtest.language.yaml import Map, Text
from abtest.problems import Problems, quoted

LANGUAGES = ("en", "nl")
Translated = tuple[tuple[str, str, str], ...]
"""Language, key, text: what is written in another language than English."""


@dataclass(frozen=True)
class Wording:
    """One text in English, and in the other languages that it has."""

    en: str
    others: tuple[tuple[str, str], ...] = ()

    def said(self, language: str) -> str:
        """The text in a language; in English where it has no other.

        >>> Wording("Trust", (("nl", "Vertrouwen"),)).said("nl"), Wording("Trust").said("nl")
        ('Vertrouwen', 'Trust')
        """
        return dict(self.others).get(language, self.en)


def read_wording(fields: Fields, key: str, problems: Problems) -> Wording | None:
    """A text for people: one text, or one in each language."""
    node = fields.node_of(key)
    if isinstance(node, Map):
        return wording_of(node, f"{key} of {fields.what}", problems)
    text = fields.text(key)
    return None if text is None else Wording(text)


def wording_of(node: Map, what: str, problems: Problems) -> Wording | None:
    """`{en: …, nl: …}`; None after reporting what is wrong with it."""
    found: dict[str, str] = {}
    before = len(problems.found)
    for language, value in node:
        if language.value not in LANGUAGES:
            hint = f"Languages:  {', '.join(LANGUAGES)}"
            problems.error("E122", f"{what} has no language {quoted(language.value)}", language.place, hint)
        elif not isinstance(value, Text):
            problems.error("E121", f"{what} is one text per language", value.place)
        else:
            found[language.value] = value.value
    if "en" not in found:
        if len(problems.found) == before:
            problems.error("E108", f"{what} has no English text", node.place, "Example:  {en: Trust, nl: Vertrouwen}")
        return None
    return Wording(found.pop("en"), tuple(found.items()))


class Words:
    """Reads the texts of one definition, and remembers those that are not English."""

    def __init__(self, fields: Fields, problems: Problems) -> None:
        self.fields = fields
        self.problems = problems
        self.found: list[tuple[str, str, str]] = []

    def text(self, key: str) -> str | None:
        """The English text of a key."""
        wording = read_wording(self.fields, key, self.problems)
        if wording is None:
            return None
        self.found += [(language, key, text) for language, text in wording.others]
        return wording.en

    def listed(self, key: str) -> tuple[tuple[str, Wording], ...]:
        """A map from names to texts, such as the advice for each cell."""
        node = self.fields.map(key)
        found = []
        for name, value in node or ():
            if isinstance(value, Map):
                wording = wording_of(value, f"{key} {name.value} of {self.fields.what}", self.problems)
            elif isinstance(value, Text):
                wording = Wording(value.value)
            else:
                self.problems.error("E121", f"{key} {name.value} of {self.fields.what} is a text", value.place)
                continue
            if wording is not None:
                found.append((name.value, wording))
        return tuple(found)

    @property
    def translated(self) -> Translated:
        return tuple(self.found)


def told(english: str | None, translated: Translated, key: str, language: str) -> str:
    """What a definition says under a key in a language; in English where it has no other words.

    >>> told("Trust", (("nl", "title", "Vertrouwen"),), "title", "nl")
    'Vertrouwen'
    """
    return next((text for lang, k, text in translated if lang == language and k == key), english or "")
