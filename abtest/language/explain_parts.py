"""Clauses of one language: conditions, measures, tests of rows, numbers and units in words.

Sentences stand in reports/explain.<language>.yml; the code chooses them and fills their slots.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from abtest.language.conditions import (
    Ago,
    All,
    AnyOf,
    AtLeast,
    Atom,
    Attribute,
    Compare,
    Condition,
    Measure,
    Not,
    RowAll,
    RowAny,
    RowNot,
    RowTest,
    Spread,
    Value,
    Where,
)
from abtest.language.where_text import value_text
from abtest.shipped import shipped

ANSWERS = ".answers"
"""How the event ends that the answers to a survey are."""
_TURNABLE = ("contains", "starts with", "ends with", "matches", "missing", "true", "false")


@lru_cache(maxsize=8)
def load(language: str) -> dict[str, Any]:
    """The words of one language."""
    import yaml

    words: dict[str, Any] = yaml.safe_load(shipped("reports").joinpath(f"explain.{language}.yml").read_text("utf-8"))
    return words


class Clauses:
    """Phrases of one language. `decimal` is its decimal sign."""

    def __init__(self, language: str) -> None:
        self.words = load(language)
        self.decimal: str = self.words["decimal"]

    def say(self, *keys: str, **slots: Any) -> str:
        """The phrase under `keys`, its slots filled."""
        phrase: Any = self.words
        for key in keys:
            phrase = phrase[key]
        return str(phrase).format(**slots)

    def counted(self, *keys: str, n: float, **slots: Any) -> str:
        """The phrase for one, or the one for any other number."""
        return self.say(*keys, "one" if n == 1 else "other", n=self.number(n), **slots)

    def number(self, number: float) -> str:
        return f"{number:.12g}".replace(".", self.decimal)

    def percent(self, fraction: float) -> str:
        return f"{self.number(100 * fraction)}%"

    def duration(self, seconds: float) -> str:
        """In the largest unit that makes it a whole number.

        >>> Clauses("en").duration(1800), Clauses("nl").duration(0.5), Clauses("en").duration(172_800)
        ('30 minutes', '0,5 seconden', '2 days of 24 hours')
        """
        for size, name in ((86_400, "whole_day"), (3600, "hour"), (60, "minute")):
            if seconds and seconds % size == 0:
                return self.counted("lengths", name, n=seconds / size)
        return self.counted("lengths", "second", n=seconds)

    def unit(self, name: str) -> dict[str, str]:
        """The slots that name a unit: unit, units, Units, each, for_whom."""
        known = name if name in self.words["units"] and name != "other" else "other"
        found = {key: self.say("units", known, key, unit=name) for key in ("one", "many", "each", "for_whom")}
        return {
            "unit": found["one"],
            "units": found["many"],
            "Units": capital(found["many"]),
            "each": found["each"],
            "for_whom": found["for_whom"],
        }

    # Conditions

    def condition(self, condition: Condition) -> str:
        """A clause with its own subject, such as `they did like at least 5 times`."""
        match condition:
            case Compare():
                count = self._count(condition)
                return self.say("they_did", text=count) if count is not None else self._compare(condition)
            case All(parts):
                return self._joined(parts, self.say("all"))
            case AnyOf(parts):
                return self._joined(parts, self.say("any"))
            case Not(part):
                return self.say("not", text=self._inner(part))
            case AtLeast(count, parts):
                listed = self.listed(parts)
                return self.say("group", text=self.counted("at_least_of", n=count, of=len(parts), text=listed))
            case Spread(part, operator, count, days):
                period, text = "day" if days == 1 else "week", self.condition(part)
                if count is None or (operator, count) == (">=", 1):
                    return self.say("spread", period, "every" if count is None else "once", text=text)
                return self.counted("spread", period, operator, n=count, text=text)
            case Attribute(source, test):
                return self.row_test(test, f"{source}.")

    def listed(self, parts: tuple[Condition, ...]) -> str:
        return self.say("list").join(self.say("item", text=self._inner(p)) for p in parts)

    def _joined(self, parts: tuple[Condition, ...], joiner: str) -> str:
        """Counts of events share one subject: they did a at least once and b at least 5 times."""
        counts = [self._count(p) if isinstance(p, Compare) else None for p in parts]
        if all(c is not None for c in counts):
            return self.say("they_did", text=joiner.join(str(c) for c in counts))
        return joiner.join(self._inner(p) for p in parts)

    def _inner(self, condition: Condition) -> str:
        text = self.condition(condition)
        return self.say("group", text=text) if isinstance(condition, (All, AnyOf, Spread)) else text

    def _count(self, compare: Compare) -> str | None:
        """How often one event happened, when that is all that is compared."""
        only, operator = compare.left.terms[0], compare.operator
        if len(compare.left.terms) > 1 or only.atom is None or only.atom.function != "count" or only.coefficient != 1:
            return None
        if compare.right.atoms or any(t.unit for t in compare.right.terms) or only.atom.event.endswith(ANSWERS):
            return None
        n = compare.right.constant
        key: str = operator
        if (n == 0 and operator in ("=", "<=")) or (n == 1 and operator == "<"):
            key = "none"
        elif n == 0 and operator in (">", "!="):
            key = "once"
        elif n == 1:
            key = {">=": "once", "=": "exactly_once", "<=": "at_most_once", ">": "more_than_once"}.get(
                operator, operator
            )
        text = self.say("counts", key, event=only.atom.event, n=self.number(n))
        return text if only.atom.ago is None else self.say("count_ago", text=text, ago=self._ago(only.atom.ago))

    def _compare(self, compare: Compare) -> str:
        only = compare.left.atoms[0] if len(compare.left.atoms) == 1 else None
        if only is not None and only.function == "count" and only.event.endswith(ANSWERS):
            return self.say("answered", survey=only.event.removesuffix(ANSWERS))  # made by the language, always >= 1
        kind = "compare_measures" if compare.right.atoms else "compare"
        return self.say(kind, compare.operator, left=self.measure(compare.left), right=self.measure(compare.right))

    # Measures

    def measure(self, measure: Measure) -> str:
        """A noun phrase, such as `the sum of revenue over all purchase events`."""
        text = ""
        for i, term in enumerate(measure.terms):
            if term.atom is None:
                part = self._constant(abs(term.coefficient), term.unit)
            else:
                part, size = self._atom(term.atom), abs(term.coefficient)
                part = part if size == 1 else self.say("times", n=self.number(size), text=part)
            if i == 0:
                text = self.say("first_minus", text=part) if term.coefficient < 0 else part
            else:
                text = self.say("minus" if term.coefficient < 0 else "plus", before=text, text=part)
        return text

    def _constant(self, number: float, unit: str | None) -> str:
        if unit == "duration":
            return self.duration(number)
        if unit == "%":
            return self.say("constant", "%", n=self.number(100 * number))
        return self.say("constant", "plain" if unit is None else "money", n=self.number(number), unit=unit)

    def _atom(self, atom: Atom) -> str:
        if atom.event.endswith(ANSWERS) and atom.prop is not None:
            kind = "scores" if atom.prop.endswith(".score") else "answers"
            return self.say(kind, atom.function, survey=atom.event.removesuffix(ANSWERS))
        text = self.say("functions", atom.function, event=atom.event, prop=atom.prop)
        return text if atom.ago is None else self.say("function_ago", text=text, ago=self._ago(atom.ago))

    def _ago(self, ago: Ago) -> str:
        if ago.first == ago.last:
            key = "before" if ago.first == 1 else "back"
        else:
            key = "recent" if ago.first == 1 else "range"
        return self.say("ago", ago.period, key, first=ago.first, n=ago.last)

    # Tests of rows

    def rows(self, where: Where, prefix: str = "") -> str:
        """A clause per test, such as `country is one of ES, MX`."""
        match where:
            case RowTest():
                return self.row_test(where, prefix)
            case RowNot(part):
                return self.say("not", text=self._inner_rows(part, prefix))
            case RowAll(parts):
                return self.say("all").join(self._inner_rows(p, prefix) for p in parts)
            case RowAny(parts):
                return self.say("any").join(self._inner_rows(p, prefix) for p in parts)

    def _inner_rows(self, where: Where, prefix: str) -> str:
        text = self.rows(where, prefix)
        return self.say("group", text=text) if isinstance(where, (RowAll, RowAny)) else text

    def row_test(self, test: RowTest, prefix: str = "") -> str:
        key = f"not {test.operator}" if test.negated and test.operator in _TURNABLE else test.operator
        values = [self._value(v) for v in test.values]
        low = values[0] if test.operator == "between" else self.say("comma").join(values)
        return self.say("rows", key, prop=f"{prefix}{test.prop}", value=low, high=values[-1] if values else "")

    def _value(self, value: Value) -> str:
        if value.kind == "number" and value.unit == "duration":
            return self.duration(value.number)
        text = value_text(value)
        return re.sub(r"(?<=\d)\.(?=\d)", self.decimal, text) if value.kind == "number" else text


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
