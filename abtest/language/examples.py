"""`examples:` of a metric: a tiny log of one unit and the value it must give.

- {when: {day 0: photo_post x2, day 3 09:00: [like x5, purchase(revenue: 20)]}, expect: 25%}
- {when: {day 0: purchase(revenue = 20)}, expect: 20}
- {when: {day -3: app_open, day 2: nps(answer = 9)}, with: {people.plan: free}, expect: yes}

Days may lie before exposure (day -3). What has no time of day happens at noon, one second after what is listed before
it. Answers are written under the name of their survey. Day 0 is a Monday, the first of a month of 31 days, and exposure
at its midnight.
"""

from __future__ import annotations

import re
from decimal import Decimal

from abtest.language.fields import Fields, read_text
from abtest.language.model import Example, ExampleEvent
from abtest.language.tokens import SyntaxProblem
from abtest.language.yaml import Map, Node, Seq, Text
from abtest.problems import Problems, quoted

_WHEN = re.compile(r"day (-?\d{1,4})(?:\s+(\d{1,2}):(\d{2}))?")
_WHAT = re.compile(r"([a-z][a-z0-9_]*)\s*(?:\(([^()]*)\))?\s*(?:x\s*(\d{1,5}))?")
_FORM = "Example:  {when: {day 0: photo_post x2, day 3: like x5}, expect: 25%}"


def read_examples(fields: Fields, problems: Problems) -> tuple[Example, ...]:
    node = fields.node_of("examples")
    if node is None:
        return ()
    if not isinstance(node, Seq):
        problems.error("E121", f"examples of {fields.what} is a list", node.place, _FORM)
        return ()
    return tuple(e for e in (_example(item, fields.what, problems) for item in node.items) if e is not None)


def _example(node: Node, what: str, problems: Problems) -> Example | None:
    if not isinstance(node, Map):
        problems.error("E121", f"an example of {what} is a map", node.place, _FORM)
        return None
    fields = Fields(node, f"an example of {what}", problems)
    expect = fields.read("expect", _expected, required=True)
    when = fields.node_of("when")
    events: list[ExampleEvent] = []
    if isinstance(when, Map):
        for key, value in when:
            moment = read_text(key, _moment, problems)
            listed = _rejoined(value.items) if isinstance(value, Seq) else [value]
            if not all(isinstance(item, Text) for item in listed):
                problems.error("E138", "events of an example are names such as `like x5`", value.place, _FORM)
                continue
            for item in listed:
                assert isinstance(item, Text)
                if moment is not None:
                    events += read_text(item, lambda t, m=moment: _happenings(t, m), problems) or ()  # type: ignore[misc]
    elif when is None or (isinstance(when, Text) and when.value in ("", "nothing")):
        pass
    else:
        problems.error("E138", "`when` says on which day what happened", when.place, _FORM)
    given: list[tuple[str, str]] = []
    attributes = fields.map("with")
    for key, value in attributes or ():
        if isinstance(value, Text) and re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", key.value):
            given.append((key.value, value.value))
        else:
            hint = "Example:  with: {people.plan: free}"
            problems.error("E138", "`with` gives the unit attributes, SOURCE.PROPERTY: VALUE", key.place, hint)
    fields.done()
    if expect is None:
        return None
    text = fields.text("expect") or ""
    return Example(tuple(events), expect, text, tuple(given), node.place)


def _rejoined(items: tuple[Node, ...]) -> list[Node]:
    """YAML reads `purchase(revenue: 20, tax: 2)` in a flow list as maps split at the comma; put it together again."""
    found: list[Node] = []
    for item in items:
        if isinstance(item, Map) and len(item.entries) == 1 and isinstance(item.entries[0][1], Text):
            key, value = item.entries[0]
            assert isinstance(value, Text)
            item = Text(f"{key.value}: {value.value}", key.place, False, "|")
        before = found[-1] if found else None
        if isinstance(before, Text) and isinstance(item, Text) and before.value.count("(") > before.value.count(")"):
            found[-1] = Text(f"{before.value}, {item.value}", before.place, False, "|")
        else:
            found.append(item)
    return found


def _expected(text: str) -> float:
    match = re.fullmatch(r"(-?\d{1,15}(?:\.\d{1,15})?)\s*(%?)", text.strip())
    if match is None:
        if text.strip() in ("missing", "true", "false", "yes", "no"):
            return {"missing": float("nan"), "true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}[text.strip()]
        raise SyntaxProblem(
            "E138", f"expected a value, found {quoted(text)}", (0, max(1, len(text))), "Examples:  25%   3   missing"
        )
    return float(Decimal(match[1]) / (100 if match[2] else 1))


def _moment(text: str) -> tuple[int, int | None]:
    match = _WHEN.fullmatch(text.strip())
    if match is None or (match[2] and (int(match[2]) > 23 or int(match[3]) > 59)):
        raise SyntaxProblem(
            "E138", f"expected a day, found {quoted(text)}", (0, max(1, len(text))), "Examples:  day 0   day 3 09:00"
        )
    return int(match[1]), int(match[2]) * 60 + int(match[3]) if match[2] else None


def _happenings(text: str, moment: tuple[int, int | None]) -> tuple[ExampleEvent, ...]:
    """One name with optional properties and a count."""
    match = _WHAT.fullmatch(text.strip())
    if match is None:
        raise SyntaxProblem(
            "E138",
            f"expected an event, found {quoted(text)}",
            (0, max(1, len(text))),
            "Examples:  like x5   purchase(revenue: 20)",
        )
    properties: list[tuple[str, str]] = []
    for pair in (match[2] or "").split(","):
        if not pair.strip():
            continue
        name, colon, value = pair.partition("=" if "=" in pair else ":")
        if not colon:
            raise SyntaxProblem("E138", f"expected `property: value`, found {quoted(pair.strip())}", (0, len(text)))
        properties.append((name.strip(), value.strip()))
    return (ExampleEvent(moment[0], moment[1], match[1], int(match[3] or 1), tuple(properties)),)
