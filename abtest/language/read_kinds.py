"""The kinds of metrics from YAML to values: what each is made of, in its long and its short form."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from abtest.language import values
from abtest.language.conditions import Atom, Condition, Measure, Term
from abtest.language.expressions import parse_condition
from abtest.language.fields import Fields, read_text
from abtest.language.measures import parse_measure
from abtest.language.model import (
    Column,
    Funnel,
    GroupUse,
    Quantile,
    RatioPart,
    Step,
    Window,
    Written,
)
from abtest.language.read_conditions import condition_node
from abtest.language.tokens import SyntaxProblem, tokens
from abtest.language.yaml import Map, Node, Seq, Text
from abtest.problems import Problems, quoted

KINDS = (
    "did", "amount", "ratio", "quantile", "funnel", "time_to", "group", "survey", "retention", "churn", "column",
)  # fmt: skip
MAX_STEPS = 12
_COLUMN = re.compile(r"([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)")
_ID = r"[a-z][a-z0-9_]{0,63}"


def read_kind(kind: str, fields: Fields, problems: Problems, written: list[Written]) -> dict[str, Any] | None:
    """The fields of `Metric` that a kind sets, or None after reporting what is wrong."""
    readers = {
        "did": _did, "amount": _amount, "ratio": _ratio, "quantile": _quantile, "funnel": _funnel, "time_to": _time_to,
        "group": _group, "survey": _survey, "retention": _retention, "churn": _churn, "column": _column_kind,
    }  # fmt: skip
    return readers[kind](fields, problems, written)


def _did(fields: Fields, problems: Problems, written: list[Written]) -> dict[str, Any] | None:
    condition = condition_node(fields.node_of("did"), fields.what, problems, written)
    return None if condition is None else {"condition": condition}


def _time_to(fields: Fields, problems: Problems, written: list[Written]) -> dict[str, Any] | None:
    condition = condition_node(fields.node_of("time_to"), fields.what, problems, written)
    return None if condition is None else {"condition": condition}


def _amount(fields: Fields, problems: Problems, written: list[Written]) -> dict[str, Any] | None:
    measure: Measure | None = piece(fields, "amount", parse_measure, written)
    return None if measure is None else {"measure": measure}


def _column_kind(fields: Fields, problems: Problems, written: list[Written]) -> dict[str, Any] | None:
    column: Column | None = piece(fields, "column", _column, written)
    return None if column is None else {"column": column}


def piece(fields: Fields, key: str, reader: Any, written: list[Written]) -> Any:
    """The value of `key` through a parser, remembered with its text."""
    part = fields.read(key, reader, required=True)
    node = fields.node.get(key)
    if part is not None and isinstance(node, Text):
        written.append(Written(part, node))
    return part


def _column(text: str) -> Column:
    match = _COLUMN.fullmatch(text.strip())
    if match is None:
        raise SyntaxProblem(
            "E137",
            f"expected SOURCE.COLUMN, found {quoted(text)}",
            (0, max(1, len(text))),
            "Example:  column: shop.revenue",
        )
    return Column(match[1], match[2])


def _ratio(fields: Fields, problems: Problems, written: list[Written]) -> dict[str, Any] | None:
    """`{of: A, to: B}`, or in short `A / B`."""
    node = fields.node_of("ratio")
    if isinstance(node, Text):
        halves = read_text(node, _halves, problems)
        if halves is None:
            return None
        texts = [Text(node.value[a:b], node.span(a, b), node.plain, node.style) for a, b in halves]
        parts = [read_text(text, _ratio_part, problems) for text in texts]
        written += [Written(p, t) for p, t in zip(parts, texts, strict=True) if p is not None]
        return None if None in parts else {"parts": tuple(parts)}
    node_map = fields.map("ratio")
    if node_map is None:
        return None
    inner = Fields(node_map, f"ratio of {fields.what}", problems)
    of = piece(inner, "of", _ratio_part, written)
    to = piece(inner, "to", _ratio_part, written)
    inner.done()
    return {"parts": (of, to)} if of is not None and to is not None else None


def _halves(text: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where numerator and denominator stand in `A / B`."""
    bars = [t.at[0] for t in tokens(text) if t.kind == "symbol" and t.text == "/"]
    if len(bars) != 1:
        raise SyntaxProblem(
            "E113",
            f"a ratio is one part divided by another, found {quoted(text)}",
            (0, max(1, len(text))),
            "Example:  ratio: {of: sum(purchase.revenue), to: purchase}",
        )
    bar = bars[0]
    left, right = text[:bar].rstrip(), text[bar + 1 :]
    start = bar + 1 + len(right) - len(right.lstrip())
    return (0, len(left)), (start, len(text))


def _ratio_part(text: str) -> RatioPart:
    """A measure, a condition counted per block, or `source.column`; a bare event is its count."""
    if _COLUMN.fullmatch(text.strip()):
        return _column(text)
    try:
        return parse_measure(text)
    except SyntaxProblem:
        return parse_condition(text)


def _quantile(fields: Fields, problems: Problems, written: list[Written]) -> dict[str, Any] | None:
    example = "Example:  quantile: {of: page_load.seconds, at: 95%, across: events}"
    if isinstance(fields.node_of("quantile"), Text):
        problems.error("E121", f"quantile of {fields.what} is a map", fields.place("quantile"), example)
        return None
    node = fields.map("quantile")
    if node is None:
        return None
    inner = Fields(node, f"quantile of {fields.what}", problems)
    across: Any = inner.choice("across", ("events", "units"))
    at = inner.read("at", values.fraction, required=True)
    readers = {"events": _of_events, "units": _of_units}
    measure: Measure | None = None
    if across is not None:
        measure = piece(inner, "of", readers[across], written)
    else:
        inner.node_of("of")
        if not inner.has("across"):
            inner.missing("across", "across: events  of all page loads, say;  across: units  of one value per unit")
    inner.done()
    if at is not None and not 0 < at < 1:
        problems.error("E130", "a quantile lies between 0% and 100%", inner.place("at"), "Example:  at: 95%")
        return None
    if measure is None or across is None or at is None:
        return None
    return {"measure": measure, "quantile": Quantile(at, across)}


def _of_events(text: str) -> Measure:
    """`page_load.seconds`: a property of each event."""
    match = re.fullmatch(rf"({_ID})\.({_ID})", text.strip())
    if match is None:
        raise SyntaxProblem(
            "E137",
            f"expected EVENT.PROPERTY, found {quoted(text)}",
            (0, max(1, len(text))),
            "Example:  {of: page_load.seconds, at: 95%, across: events}.  For values of units write  across: units",
        )
    at = (0, len(text))
    return Measure((Term(1.0, Atom("sum", match[1], match[2], None, at, text.index(match[1])), None, at),), at)


def _of_units(text: str) -> Measure:
    if re.fullmatch(rf"{_ID}\.{_ID}", text.strip()):
        raise SyntaxProblem(
            "E137",
            f"the value of a unit needs a function: {quoted(text)}",
            (0, max(1, len(text))),
            f"Write  sum({text.strip()}),  or  across: events",
        )
    return parse_measure(text)


def _funnel(fields: Fields, problems: Problems, written: list[Written]) -> dict[str, Any] | None:
    """`{steps: […], within: …}`, or in short `a, b, c` with the other keys beside it."""
    node = fields.node_of("funnel")
    if isinstance(node, Text):
        inner, spans = fields, _listed(node.value)[: MAX_STEPS + 1]
        steps = [Step(node.value[a:b], node.value[a:b]) for a, b in spans]
        places = [Text(node.value[a:b], node.span(a, b), node.plain, node.style) for a, b in spans]
    else:
        if isinstance(node, Seq):
            listed = ", ".join(item.value for item in node.items if isinstance(item, Text))[:80]
            hint = f"Write  funnel: {{steps: [{listed}]}}"
            problems.error("E121", f"funnel of {fields.what} is a map", node.place, hint)
            return None
        node_map = fields.map("funnel")
        if node_map is None:
            return None
        inner = Fields(node_map, f"funnel of {fields.what}", problems)
        steps, places = _steps(inner, problems, MAX_STEPS + 1)
        for key in ("steps", "within", "from", "same", "different"):
            outside = fields.node.key(key)
            if outside is not None:
                fields.asked[key] = None
                hint = "Example:  funnel: {steps: [cart_add, purchase], within: 1 day}"
                problems.error("E124", f"{fields.what}: `{key}` stands inside `funnel`", outside.place, hint)
    within = inner.read("within", values.seconds)
    start = inner.choice("from", ("exposure", "first step"))
    same, different = inner.text("same"), inner.text("different")
    if inner is not fields:
        inner.done()
    for step, text in zip(steps, places, strict=True):
        if not re.fullmatch(_ID, step.event):
            hint = "A step is one event; give it a `where` under `events` to narrow it."
            problems.error("E137", f"expected an event as a step, found {quoted(step.event)}", text.place, hint)
            return None
    if not 2 <= len(steps) <= MAX_STEPS:
        if steps and not fields.was_split():
            place = places[0].place if len(steps) == 1 else places[MAX_STEPS].place
            counted = "1 step" if len(steps) == 1 else f"more than {MAX_STEPS} steps"
            hint = "For one event write  did: EVENT" if len(steps) == 1 else ""
            problems.error("E116", f"a funnel of {counted}; it has 2 to {MAX_STEPS}", place, hint)
        elif not steps and inner.has("steps"):
            problems.error("E116", f"a funnel of no steps; it has 2 to {MAX_STEPS}", inner.place("steps"))
        return None
    names = [s.name for s in steps]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        hint = f"Name them:  steps: [{{first: {twice}}}, {{again: {twice}}}]"
        problems.error("E116", f"two steps are called {quoted(twice)}", places[-1].place, hint)
        return None
    if start == "exposure" and within is None:
        if not inner.has("within"):
            message = f"{fields.what}: `from: exposure` needs `within`"
            problems.error("E108", message, inner.place("from"), "Add  within: 1 day")
        return None
    funnel = Funnel(tuple(steps), within, start == "exposure", same, different)
    written += [Written(funnel, text) for text in places]
    return {"funnel": funnel}


def _listed(text: str) -> list[tuple[int, int]]:
    """Where the names of a list with commas stand."""
    found, start = [], 0
    for item in text.split(","):
        begin = start + len(item) - len(item.lstrip())
        found.append((begin, begin + len(item.strip())))
        start += len(item) + 1
    return found


def _steps(inner: Fields, problems: Problems, most: int) -> tuple[list[Step], list[Text]]:
    node = inner.node_of("steps")
    steps: list[Step] = []
    places: list[Text] = []
    if node is None:
        inner.missing("steps", "Example:  steps: [product_view, cart_add, purchase]")
        return steps, places
    items: tuple[Node, ...] = node.items if isinstance(node, Seq) else (node,)
    for item in items[:most]:
        if isinstance(item, Text):
            steps.append(Step(item.value, item.value))
            places.append(item)
        elif isinstance(item, Map) and len(item.entries) == 1 and isinstance(item.entries[0][1], Text):
            key, value = item.entries[0]
            assert isinstance(value, Text)
            if not values.is_id(key.value):
                problems.error("E130", f"{quoted(key.value)} is not a name for a step", key.place)
            steps.append(Step(key.value, value.value))
            places.append(value)
        else:
            problems.error("E121", "a step is an event, or {NAME: EVENT}", item.place, "Example:  {bought: purchase}")
    return steps, places


def _group(fields: Fields, problems: Problems, written: list[Written]) -> dict[str, Any] | None:
    """`group: ID` with one of `is`, `at_least`, `as`."""
    name = fields.text("group", required=True)
    keys = [k for k in ("is", "at_least", "as") if fields.has(k)]
    for key in ("is", "at_least", "as"):
        fields.asked[key] = None
    if len(keys) != 1:
        problems.error(
            "E124",
            f"{fields.what}: a metric of a group needs one of is, at_least, as",
            fields.place(keys[1] if keys else "group"),
            "Examples:  is: regular   at_least: regular   as: rank   as: share",
        )
        return None
    if keys[0] == "as":
        how: Any = fields.choice("as", ("rank", "degrees", "share"))
        use = None if how is None or name is None else GroupUse(name, how)
    else:
        cell = fields.text(keys[0])
        form: Any = keys[0]
        use = None if cell is None or name is None else GroupUse(name, form, cell)
    return None if use is None else {"group": use}


def _survey(fields: Fields, problems: Problems, written: list[Written]) -> dict[str, Any] | None:
    name = fields.text("survey", required=True)
    return None if name is None else {"survey": name}


def _retention(fields: Fields, problems: Problems, written: list[Written]) -> dict[str, Any] | None:
    condition = condition_node(fields.node_of("retention"), fields.what, problems, written)
    for key in ("day", "days", "from_day"):
        fields.asked[key] = None
    keys = [k for k in ("day", "days", "from_day") if fields.has(k)]
    if fields.has("over"):
        problems.error(
            "E124",
            f"{fields.what}: a retention says its days itself",
            fields.place("over"),
            "Remove `over`." if keys else "Write  day: 7,  days: 7-13  or  from_day: 7  instead.",
        )
    elif len(keys) != 1:
        problems.error(
            "E124",
            f"{fields.what}: a retention needs one of day, days, from_day",
            fields.place(keys[1] if keys else "retention"),
            "Examples:  day: 7   days: 7-13   from_day: 7",
        )
    if len(keys) != 1:
        return None
    window: Window | None = fields.read(keys[0], lambda t: values.retention_window(keys[0], t))
    return None if condition is None or window is None else {"condition": condition, "window": window}


def _churn(fields: Fields, problems: Problems, written: list[Written]) -> dict[str, Any] | None:
    """No event in the last `silent` days of the unit's own window."""
    condition: Condition | None = piece(fields, "churn", _silence, written)
    silent = fields.read("silent", values.day_count)
    if not fields.has("silent"):
        fields.missing("silent", "Example:  silent: 14 days")
    window: Window | None = fields.read("over", values.window)
    if condition is None or silent is None:
        return None
    if window is None or window.days is None or window.tick != "day" or window.end or window.before:
        if window is not None or not fields.has("over"):
            place = fields.place("over" if fields.has("over") else "churn")
            hint = "Set  over: first 28 days"
            problems.error("E305", f"{fields.what}: churn needs a window of fixed length after exposure", place, hint)
        return None
    if silent >= window.days:
        what = f"silent for {silent} days in a window of {window.days}"
        hint = f"Set  over: first {2 * silent} days"
        problems.error("E302", f"{fields.what}: {what} leaves no time to be active", fields.place("silent"), hint)
        return None
    assert window.last is not None
    return {"condition": condition, "window": replace(window, first=window.last - silent + 1)}


def _silence(text: str) -> Condition:
    clean = text.strip()
    if not re.fullmatch(_ID, clean):
        raise SyntaxProblem(
            "E137",
            f"churn takes one event, found {quoted(text)}",
            (0, max(1, len(text))),
            "Example:  churn: app_open",
        )
    return parse_condition(f"no {clean}")
