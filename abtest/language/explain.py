"""A definition in plain words, complete enough to compute the metric by hand. Words live in reports/explain.<language>.yml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from abtest.language.canonical import events_of
from abtest.language.conditions import All, AnyOf, AtLeast, Atom, Compare, Condition, Measure, Not, Spread, walk
from abtest.language.model import Column, Event, Metric, RatioPart
from abtest.language.where_text import where_text
from abtest.shipped import shipped

__all__ = ["Explainer", "where_text"]


@lru_cache(maxsize=8)
def _load(language: str) -> dict[str, Any]:
    import yaml

    words: dict[str, Any] = yaml.safe_load(shipped("reports").joinpath(f"explain.{language}.yml").read_text("utf-8"))
    return words


class Explainer:
    """Phrases of one language."""

    def __init__(self, language: str = "en") -> None:
        self.words = _load(language)

    def say(self, *keys: str, **slots: Any) -> str:
        """The phrase under `keys`, its slots filled."""
        phrase: Any = self.words
        for key in keys:
            phrase = phrase[key]
        return str(phrase).format(**slots)

    def meaning(self, metric: Metric, unit: str = "user") -> str:
        """The first sentence: what number a unit gets."""
        if metric.column is not None:
            key = "column_flag" if metric.unit_of_value == "share" else "column"
            return self.say(key, unit=unit, column=metric.column.name, source=metric.column.source)
        if metric.parts is not None:
            return self._ratio(metric, metric.parts, unit)
        text = self.measure(metric.measure) if metric.measure is not None else ""
        if metric.condition is not None:
            text = self.condition(metric.condition)
        kind = "amount" if metric.measure is not None else "did"
        if metric.per is None or metric.fold is None:
            return self.say(kind, unit=unit, text=text, window=self._window(metric))
        blocks, fold = self._blocks(metric, metric.per), metric.fold
        if kind == "amount":
            return self.say(f"amount_{fold.name}", unit=unit, text=text, blocks=blocks)
        if fold.operator is None:
            return self.say(fold.name, unit=unit, text=text, blocks=blocks)
        size = f"{100 * (fold.number or 0):.12g}%" if fold.name == "share" else f"{fold.number:.12g}"
        number = self.say("number", fold.operator, n=size)
        return self.say(f"threshold_{fold.name}", unit=unit, text=text, blocks=blocks, number=number)

    def rules(self, metric: Metric, zone: str, unit: str = "user") -> tuple[str, ...]:
        """The sentences that follow: unit of the value, clock, silence, who is left out, cap, direction."""
        found = []
        value_unit = metric.unit_of_value.removeprefix("money ").removeprefix("duration ")
        if value_unit != metric.unit_of_value:
            shown = self.say("seconds") if metric.unit_of_value == "duration s" else value_unit
            found.append(self.say("in_unit", unit=shown))
        if metric.kind == "ratio":
            found.append(self.say("ratio_rule", unit=unit))
        if metric.kind == "column" or (metric.parts and isinstance(metric.parts[0], Column)):
            found.append(self.say("missing_column", Unit=unit.capitalize()))
        else:
            found += self._rules_of_time(metric, zone, unit)
        if metric.cap is not None:
            found.append(self.say("cap", cap=f"{metric.cap:.12g}"))
        found.append(self.say(f"better_{metric.better or 'none'}"))
        return tuple(found)

    def _rules_of_time(self, metric: Metric, zone: str, unit: str) -> list[str]:
        slots = {"unit": unit, "Unit": unit.capitalize(), "last": metric.window.last, "zone": zone}
        found = [self.say("clock", **slots), self.say("silent", **slots)]
        if any(a.function in ("mean", "min", "max") for a in _compared(metric)):
            found.append(self.say("nothing"))
        if not metric.window.fixed:
            found.append(self.say("immature_open", **slots))
        else:
            found.append(self.say("immature_keep" if metric.immature == "keep" else "immature_day", **slots))
        if metric.per is not None and (not metric.window.fixed or metric.immature == "keep"):
            found.append(self.say("incomplete", **slots))
        return found

    def events(self, metric: Metric, events: Mapping[str, Event]) -> tuple[str, ...]:
        """One line per event: which rows it means."""
        found = []
        for name in events_of(metric):
            event = events[name]
            key = f"event_{'names' if event.names else 'all'}{'_where' if event.where is not None else ''}"
            names = self.say("name_or").join(event.names)
            found.append(self.say(key, event=name, source=event.source, names=names, where=where_text(event.where)))
        return tuple(found)

    def _window(self, metric: Metric) -> str:
        first, last = metric.window.first, metric.window.last
        if last is None:
            key = "from" if first else "open"
        elif first == last:
            key = "day" if first else "day_0"
        else:
            key = "days" if first else "first"
        return self.say("window", key, first=first, last=last, n=metric.window.days)

    def _blocks(self, metric: Metric, per: int) -> str:
        length = {1: "day", 7: "week"}.get(per, "other")
        days = metric.window.days
        n = days // per if days is not None else None
        kind = "open" if n is None else "one" if n == 1 else "fixed"
        return self.say("blocks", kind, length, n=n, length=per, first=metric.window.first, last=metric.window.last)

    def _ratio(self, metric: Metric, parts: tuple[RatioPart, RatioPart], unit: str) -> str:
        of, to = parts
        if isinstance(of, Column) and isinstance(to, Column):
            return self.say("ratio_columns", unit=unit, of=of.name, to=to.name, source=of.source)
        above, below = (self._part(metric, part, unit) for part in parts)
        if metric.per is not None:
            return self.say("ratio_per", unit=unit, blocks=self._blocks(metric, metric.per), of=above, to=below)
        return self.say("ratio", unit=unit, window=self._window(metric), of=above, to=below)

    def _part(self, metric: Metric, part: RatioPart, unit: str) -> str:
        if isinstance(part, Column):
            return part.name
        if isinstance(part, Measure):
            return self.measure(part)
        return self.say("ratio_units" if metric.per is None else "ratio_blocks", unit=unit, text=self.condition(part))

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
                listed = self.say("list").join(self._inner(p) for p in parts)
                return self.say("group", text=self.say("at_least_of", n=count, of=len(parts), text=listed))
            case Spread(part, operator, count, days):
                key = "every" if count is None else "once" if (operator, count) == (">=", 1) else operator
                return self.say("spread", {1: "day"}.get(days, "week"), key, n=count, text=self.condition(part))

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
        if compare.right.atoms or any(t.unit for t in compare.right.terms):
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
        return self.say("counts", key, event=only.atom.event, n=f"{n:.12g}")

    def _compare(self, compare: Compare) -> str:
        left, right = self.measure(compare.left), self.measure(compare.right)
        return self.say("compare", compare.operator, left=left, right=right)

    def measure(self, measure: Measure) -> str:
        """A noun phrase, such as `the sum of revenue over all purchase events`."""
        text = ""
        for i, term in enumerate(measure.terms):
            size = f"{abs(term.coefficient):.12g}"
            if term.atom is None:
                part = self._constant(abs(term.coefficient), term.unit)
            else:
                part = self._atom(term.atom)
                part = part if abs(term.coefficient) == 1 else self.say("times", n=size, text=part)
            if i == 0:
                text = self.say("first_minus", text=part) if term.coefficient < 0 else part
            else:
                text = self.say("minus" if term.coefficient < 0 else "plus", before=text, text=part)
        return text

    def _constant(self, number: float, unit: str | None) -> str:
        if unit == "%":
            return self.say("constant", "%", n=f"{100 * number:.12g}")
        kind = "plain" if unit is None else "duration" if unit == "duration" else "money"
        return self.say("constant", kind, n=f"{number:.12g}", unit=unit)

    def _atom(self, atom: Atom) -> str:
        return self.say("functions", atom.function, event=atom.event, prop=atom.prop)


def _compared(metric: Metric) -> list[Atom]:
    """The atoms of all comparisons of a metric."""
    found: list[Atom] = []
    for part in (metric.condition, *(metric.parts or ())):
        if part is not None and not isinstance(part, (Measure, Column)):
            found += [a for c in walk(part) if isinstance(c, Compare) for m in (c.left, c.right) for a in m.atoms]
    return found
