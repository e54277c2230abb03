"""`trigger`, `drivers` and `targets` of an experiment from YAML to values. What they name is resolved in `resolve_beside.py`."""

from __future__ import annotations

import re
from dataclasses import replace

from abtest.language import values
from abtest.language.beside_model import Drivers, Target, Trigger
from abtest.language.expressions import parse_condition
from abtest.language.fields import Fields
from abtest.language.model import Window
from abtest.language.tokens import SyntaxProblem
from abtest.language.yaml import Map, Text
from abtest.problems import Place, Problems, quoted

FEWEST, MOST = 2, 12
"""Drivers: one alone has nothing to share with, and nobody can read a ranking of more than twelve."""


def read_trigger(fields: Fields) -> Trigger | None:
    """`trigger: (saw_composer)` or `trigger: (saw_composer >= 1) in first 7 days`."""
    found = fields.read("trigger", _trigger)
    node = fields.node_of("trigger")
    return replace(found, place=node.place, node=node) if found is not None and isinstance(node, Text) else None


def _trigger(text: str) -> Trigger:
    match = re.fullmatch(r"\s*(\(.*\))(?:\s+in\s+(.+?))?\s*", text, re.DOTALL)
    if match is None:
        alone = text.partition(" in ")[0].strip()
        raise SyntaxProblem(
            "E113",
            f"a trigger is a condition in parentheses, found {quoted(text)}",
            (0, max(1, len(text))),
            f"Write  trigger: ({alone})  or  trigger: ({alone}) in first 7 days",
        )
    window = Window()
    if match[2] is not None:
        window = values.window(match[2])
        if window.first != 0 or window.last is None or window.end or window.tick != "day":
            raise SyntaxProblem(
                "E321",
                f"a trigger counts from exposure in whole days, found {quoted(match[2])}",
                match.span(2),
                f"Write  trigger: {match[1]} in first 7 days",
            )
    # Places of the condition count from the start of the text.
    condition = parse_condition(" " * match.start(1) + match[1])
    return Trigger(condition, window, " ".join(text.split()))


def read_drivers(fields: Fields, problems: Problems) -> Drivers | None:
    """`drivers: {of: METRIC, by: [METRIC, METRIC, …]}`."""
    node = fields.map("drivers")
    if node is None:
        return None
    inner = Fields(node, "drivers", problems)
    of, by = inner.text("of", required=True), inner.texts("by")
    if not inner.has("by"):
        inner.missing("by")
    inner.done()
    names = [t.value for t in by]
    twice = next((t for i, t in enumerate(by) if t.value in names[:i]), None)
    if twice is not None:
        problems.error("E418", f"drivers by: {quoted(twice.value)} stands twice", twice.place)
    itself = next((t for t in by if t.value == of), None)
    if itself is not None:
        problems.error("E418", f"drivers by: {quoted(itself.value)} cannot explain itself", itself.place)
    if of is None or not by or twice is not None or itself is not None:
        return None
    if not FEWEST <= len(by) <= MOST:
        hint = "Fewer, or scales made of several." if len(by) > MOST else "Name at least two."
        message = f"drivers by: {len(by)} {'metric' if len(by) == 1 else 'metrics'}; {FEWEST} to {MOST} can be compared"
        problems.error("E418", message, inner.place("by"), hint)
        return None
    places: list[tuple[str, Place]] = [(of, inner.place("of")), *((t.value, t.place) for t in by)]
    return Drivers(of, tuple(names), tuple(places))


def read_targets(fields: Fields, problems: Problems) -> tuple[Target, ...]:
    """`targets: {METRIC: {reach: 60000, by: 2026-12-31, monthly: 5000, units: 250000}}`."""
    node = fields.map("targets")
    found = []
    for key, value in node or ():
        name = key.value
        what = f"target {name}"
        if not isinstance(value, Map):
            problems.error("E121", f"{what} is {{reach: 60000, by: 2026-12-31}}", value.place)
            continue
        inner = Fields(value, what, problems)
        reach, monthly, units = (inner.read(k, _above_zero) for k in ("reach", "monthly", "units"))
        by = inner.read("by", values.calendar_date)
        inner.done()
        if not inner.has("reach") and not inner.has("monthly"):
            inner.missing(
                "reach", "How much by when:  {reach: 60000, by: 2026-12-31},  or how much a month:  {monthly: 5000}"
            )
        for one, other in (("reach", "by"), ("by", "reach")):
            if inner.has(one) and not inner.has(other):
                inner.missing(other, "A number to reach and the date belong together.")
        if units is not None and not inner.has("reach"):
            message = f"units of {what} are those by a date, and it names none"
            problems.error("E419", message, inner.place("units"), "Add  reach  and  by,  or leave  units  out.")
        found.append(Target(key.value, reach, by, monthly, units, key.place))
    return tuple(found)


def _above_zero(text: str) -> float:
    number = values.number(text.replace(",", "").replace("_", ""))
    if not number > 0:
        raise SyntaxProblem("E120", f"{quoted(text)} is not above zero", (0, max(1, len(text))))
    return number
