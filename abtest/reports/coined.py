"""What the analysis says in words of its own, in the language of the report.

A result is one value for all languages. Its few English words (definitions, windows, names of parts, counts with
their marks) are read here and said anew; what people wrote themselves stays as it is.
"""

from __future__ import annotations

import re

from abtest.analysis.result import MetricResult
from abtest.reports.language import Words

UNKNOWN_GROUP = "(unknown)"
UNKNOWN = " unknown"
"""How the label of a covariate ends that says of which units another one is not known."""
_LENGTH = re.compile(r"(first|before|last) (\d+) (day|hour|minute)s?")
_DAY = re.compile(r"day (\d+)")
_DAYS = re.compile(r"days (\d+)-(\d+)")
_FROM = re.compile(r"from\sday\s(\d+)")
_NUMBER = re.compile(r"\d[\d,]*(?:\.(\d+))?")


def meaning(words: Words, metric: MetricResult) -> str:
    """The definition in plain words; in English where the result does not have it in this language."""
    return dict(metric.meanings).get(words.language, metric.meaning)


def window(words: Words, text: str) -> str:
    """A window as the analysis writes it.

    >>> from abtest.reports.language import load
    >>> window(load("en"), "first 28 days"), window(load("nl"), "first 28 days"), window(load("nl"), "days 7-13")
    ('first 28 days', 'eerste 28 dagen', 'dag 7 tot en met 13')
    """
    if found := _LENGTH.fullmatch(text):
        return words.plural(f"window.{found[1]}.{found[3]}", int(found[2]))
    if found := _DAY.fullmatch(text):
        return words("window.day", n=found[1])
    if found := _DAYS.fullmatch(text):
        return words("window.days", first=found[1], last=found[2])
    if found := _FROM.fullmatch(text):
        return words("window.from", n=found[1])
    return words(f"window.{text}") if text in ("whole", "lifetime") else text


def told(words: Words, metric: MetricResult, key: str, english: str | None) -> str:
    """What a definition says of itself under a key, in the language of the report where it is given in that."""
    return next((text for lang, k, text in metric.told if lang == words.language and k == key), english or "")


def title(words: Words, metric: MetricResult) -> str:
    """The title of a metric; parts that the analysis names itself are named by the words file."""
    written = told(words, metric, "title", metric.title) or metric.key
    if metric.part_of is None:
        return written
    part = metric.key.removeprefix(f"{metric.part_of}.")
    # A step, rung or cell may have the same name, and then it is a word of whoever wrote it.
    own = ("answered", "known") if metric.kind == "did" else ("moved_up", "moved_down")
    return words(f"parts.named.{part}") if part in own and written == part.replace("_", " ") else written


def split(words: Words, text: str) -> str:
    """Counts or shares side by side, with the marks of the language.

    >>> from abtest.reports.language import load
    >>> split(load("nl"), "3,240 : 3,222"), split(load("nl"), "33.3333% : 66.6667%")
    ('3.240 : 3.222', '33,3333% : 66,6667%')
    """
    if "e" in text:
        return text  # a share too small for digits

    def write(found: re.Match[str]) -> str:
        return words.numbers.fixed(float(found[0].replace(",", "")), len(found[1] or ""))

    return _NUMBER.sub(write, text)
