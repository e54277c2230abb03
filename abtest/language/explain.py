"""A definition in plain words, complete enough to compute the metric by hand. Words live in reports/explain.<language>.yml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from abtest.language.canonical import events_of
from abtest.language.conditions import (
    All,
    AnyOf,
    AtLeast,
    Atom,
    Compare,
    Condition,
    Measure,
    Not,
    RowAll,
    RowAny,
    RowNot,
    RowTest,
    Spread,
    Where,
)
from abtest.language.model import Column, Event, Metric, RatioPart
from abtest.shipped import shipped


@lru_cache(maxsize=8)
def _load(language: str) -> dict[str, Any]:
    import yaml

    words: dict[str, Any] = yaml.safe_load(shipped("reports").joinpath(f"explain.{language}.yml").read_text("utf-8"))
    return words


class Explainer:
    """Phrases of one language."""

    def __init__(self, language: str = "en") -> None:
        self.words = _load(language)

    def say(self, key: str, **slots: Any) -> str:
        return str(self.words[key]).format(**slots)

    def meaning(self, metric: Metric, unit: str = "user") -> str:
        """The first sentence: what number a unit gets."""
        window = self._window(metric)
        if metric.column is not None:
            return self.say("column", unit=unit, column=metric.column.name, source=metric.column.source)
        if metric.parts is not None:
            return self._ratio(metric, metric.parts, unit, window)
        blocks = self._blocks(metric) if metric.per is not None else ""
        if metric.measure is not None:
            text = self.measure(metric.measure)
            if metric.per is None or metric.fold is None:
                return self.say("amount", unit=unit, text=text, window=window)
            return self.say(f"amount_{metric.fold.name}", unit=unit, text=text, blocks=blocks, window=window)
        assert metric.condition is not None
        text = self.condition(metric.condition)
        if metric.per is None or metric.fold is None:
            return self.say("did", unit=unit, window=window, text=text)
        fold = metric.fold
        if fold.operator is None:
            return self.say(fold.name, unit=unit, blocks=blocks, window=window, text=text)
        number = f"{100 * (fold.number or 0):g}%" if fold.name == "share" else f"{fold.number:g}"
        operator = self.words["operators"][fold.operator]
        return self.say(f"threshold_{fold.name}", unit=unit, blocks=blocks, window=window, text=text, operator=operator, number=number)

    def rules(self, metric: Metric, zone: str, unit: str = "user") -> tuple[str, ...]:
        """The sentences that follow: clock, cap, who is left out, direction."""
        found = []
        if metric.kind == "column" or (metric.parts and isinstance(metric.parts[0], Column)):
            found.append(self.say("missing_column", Unit=unit.capitalize()))
        else:
            found.append(self.say("clock", zone=zone))
            found.append(self.say("silent", Unit=unit.capitalize()))
            if metric.immature == "keep":
                found.append(self.say("immature_keep", Unit=unit.capitalize()))
            elif metric.window.fixed:
                found.append(self.say("immature", Unit=unit.capitalize()))
            if metric.per is not None and (not metric.window.fixed or metric.immature == "keep"):
                found.append(self.say("incomplete", unit=unit))
        if metric.cap is not None:
            found.append(self.say("cap", cap=f"{metric.cap:g}"))
        if metric.better is not None:
            found.append(self.say(f"better_{metric.better}"))
        return tuple(found)

    def events(self, metric: Metric, events: Mapping[str, Event]) -> tuple[str, ...]:
        """One line per event: which rows it means."""
        found = []
        for name in events_of(metric):
            event = events[name]
            if event.names:
                names = self.words["name_or"].join(event.names)
                line = self.say("event_names", event=name, source=event.source, names=names)
            else:
                line = self.say("event_all", event=name, source=event.source)
            found.append(self.say("event_where", text=line, where=where_text(event.where)) if event.where is not None else line)
        return tuple(found)

    def _window(self, metric: Metric) -> str:
        window = metric.window
        if window.fixed:
            return self.say("window_fixed", window=str(window))
        return self.say("window_open") if window.first == 0 else self.say("window_from", day=window.first)

    def _blocks(self, metric: Metric) -> str:
        assert metric.per is not None
        kind = {1: "day", 7: "week"}.get(metric.per, "other")
        days = metric.window.days
        if days is None:
            return self.say(f"blocks_open_{kind}", length=metric.per)
        return self.say(f"blocks_fixed_{kind}", n=days // metric.per, length=metric.per)

    def _ratio(self, metric: Metric, parts: tuple[RatioPart, RatioPart], unit: str, window: str) -> str:
        of, to = parts
        if isinstance(of, Column) and isinstance(to, Column):
            return self.say("ratio_columns", unit=unit, of=of.name, to=to.name, source=of.source)
        return self.say("ratio", unit=unit, window=window, of=self._part(metric, of), to=self._part(metric, to))

    def _part(self, metric: Metric, part: RatioPart) -> str:
        if isinstance(part, Column):
            return part.name
        if isinstance(part, Measure):
            return self.measure(part)
        if metric.per is not None:
            return self.say("ratio_blocks", blocks=self._blocks(metric), text=self.condition(part))
        return self.say("ratio_count", text=self.condition(part))

    def condition(self, condition: Condition) -> str:
        match condition:
            case Compare():
                return self._compare(condition)
            case All(parts):
                return str(self.words["all"]).join(self._inner(p) for p in parts)
            case AnyOf(parts):
                return str(self.words["any"]).join(self._inner(p) for p in parts)
            case Not(part):
                return self.say("not", text=self.condition(part))
            case AtLeast(count, parts):
                return self.say("at_least_of", n=count, text="; ".join(self.condition(p) for p in parts))
            case Spread():
                return self._spread(condition)

    def _inner(self, condition: Condition) -> str:
        text = self.condition(condition)
        return f"({text})" if isinstance(condition, (All, AnyOf)) else text

    def _spread(self, spread: Spread) -> str:
        kind = {1: "day", 7: "week"}.get(spread.days, "other")
        text = self._inner(spread.part)
        period = str(self.words["period"][kind]).format(n=spread.days)
        periods = period if spread.count == 1 else str(self.words["periods"][kind]).format(n=spread.days)
        if spread.count is None:
            return self.say("spread_every", period=period, text=text)
        if spread.operator == ">=":
            return self.say("spread_at_least", n=spread.count, periods=periods, text=text)
        if spread.operator == "=":
            return self.say("spread_exactly", n=spread.count, periods=periods, text=text)
        return self.say("spread_other", operator=self.words["operators"][spread.operator], n=spread.count, periods=periods, text=text)

    def _compare(self, compare: Compare) -> str:
        left, right = compare.left, compare.right
        only = left.terms[0]
        if len(left.terms) == 1 and only.coefficient == 1.0 and only.atom is not None and only.atom.function == "count" and not right.atoms:
            n = right.constant
            event = only.atom.event
            whole = f"{n:g}"
            if n == 0 and compare.operator in ("=", "<="):
                return self.say("count_none", event=event)
            if n == 1 and compare.operator == ">=":
                return self.say("count_at_least_1", event=event)
            key = {">=": "count_at_least", "<=": "count_at_most", ">": "count_more", "<": "count_less", "=": "count_exactly", "!=": "count_not"}
            return self.say(key[compare.operator], event=event, n=whole)
        operator = self.words["operators"][compare.operator]
        return self.say("compare", left=self.measure(left), operator=operator, right=self.measure(right))

    def measure(self, measure: Measure) -> str:
        found = []
        for i, term in enumerate(measure.terms):
            size = abs(term.coefficient)
            if term.atom is None:
                text = f"{size:g}" + (f" {'s' if term.unit == 'duration' else term.unit}" if term.unit and term.unit != "%" else "")
            else:
                text = self._atom(term.atom)
                if size != 1.0:
                    text = self.say("times", n=f"{size:g}", text=text)
            if term.coefficient < 0:
                text = self.say("minus", text=text)
            found.append(text if i == 0 or term.coefficient < 0 else self.say("plus", text=text))
        return " ".join(found)

    def _atom(self, atom: Atom) -> str:
        return str(self.words["functions"][atom.function]).format(event=atom.event, prop=atom.prop)


def where_text(where: Where | None) -> str:
    """A `where` as its author could have written it."""
    match where:
        case None:
            return ""
        case RowTest():
            return _test_text(where)
        case RowNot(part):
            return f"not ({where_text(part)})"
        case RowAll(parts):
            return " and ".join(f"({where_text(p)})" if isinstance(p, RowAny) else where_text(p) for p in parts)
        case RowAny(parts):
            return " or ".join(f"({where_text(p)})" if isinstance(p, RowAll) else where_text(p) for p in parts)


def _test_text(test: RowTest) -> str:
    values = [v.text for v in test.values]
    match test.operator:
        case "missing" | "true" | "false":
            return f"{test.prop} is {'not ' if test.negated else ''}{test.operator}"
        case "in" | "not in":
            return f"{test.prop} {test.operator} ({', '.join(values)})"
        case "between":
            return f"{test.prop} between {values[0]} and {values[1]}"
        case _:
            return f"{test.prop} {'not ' if test.negated else ''}{test.operator} {values[0]}"
