"""`metrics` from YAML to values. The rules that a definition must obey stand in `metric_rules.py`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from abtest.language import values
from abtest.language.conditions import All, AnyOf, AtLeast, Condition, Measure, Not
from abtest.language.examples import read_examples
from abtest.language.expressions import parse_condition
from abtest.language.fields import Fields, later, read_text
from abtest.language.measures import RESERVED, parse_measure
from abtest.language.metric_rules import check_metric
from abtest.language.model import Column, Fold, Metric, RatioPart, Window, Written
from abtest.language.tokens import SyntaxProblem
from abtest.language.yaml import Map, Node, Seq, Text
from abtest.problems import Problems, quoted

KINDS = ("did", "amount", "ratio", "retention", "column")
LATER_KINDS = ("quantile", "funnel", "time_to", "group", "survey", "churn")
_LATER = (
    *LATER_KINDS, "starting_at", "clock", "unit", "among", "missing", "adjust", "show", "status", "dimension", "phase", "uses",
)  # fmt: skip
_KEYS = (
    "per", "over", "value", "better", "margin", "cap", "immature", "title", "description", "owner", "version", "tags",
    "examples", "day", "days", "from_day",
)  # fmt: skip
_OF_LATER_KINDS = ("within", "silent", "is", "as", "at_least", "at", "across", "steps", "same", "different")
_COLUMN = re.compile(r"([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)")


def read_metric(name: str, node: Node, problems: Problems) -> Metric | None:
    """The metric, or None after reporting why not."""
    what = f"metric {name}"
    if not isinstance(node, Map):
        problems.error("E121", f"{what} is a map", node.place, f"Example:  {name}: {{did: like >= 5, per: week}}")
        return None
    if name in RESERVED:
        problems.error("E130", f"{quoted(name)} is a word of the language", node.place)
    fields = Fields(node, what, problems, KINDS)
    kinds = [k for k in KINDS if fields.has(k)]
    if len(kinds) != 1:
        _no_single_kind(fields, kinds)
        return None
    kind: Any = kinds[0]
    written: list[Written] = []
    condition: Condition | None = None
    measure: Measure | None = None
    parts: tuple[RatioPart, RatioPart] | None = None
    column: Column | None = None
    window = fields.read("over", values.window)
    retention_window: Window | None = None
    if kind == "did":
        condition = _condition_node(fields.node_of("did"), what, problems, written)
    elif kind == "amount":
        measure = _piece(fields, "amount", parse_measure, written)
    elif kind == "ratio":
        parts = _ratio(fields, written)
    elif kind == "column":
        column = _piece(fields, "column", _column, written)
    else:
        condition, retention_window = _retention(fields, written)
    read = any(part is not None for part in (condition, measure, parts, column))
    clock = fields.text("clock")
    if clock not in (None, "date"):
        later(problems, f"clock: {clock}", fields.place("clock"), "Available:  date")
    better: Any = fields.choice("better", ("higher", "lower"))
    immature: Any = fields.choice("immature", ("drop", "keep")) or "drop"
    metric = Metric(
        name=name,
        kind=kind,
        condition=condition,
        measure=measure,
        parts=parts,
        column=column,
        window=retention_window or window or Window(),
        per=fields.read("per", values.period),
        fold=fields.read("value", values.fold),
        better=better,
        margin=fields.read("margin", values.margin),
        cap=fields.read("cap", values.cap),
        immature=immature,
        title=fields.text("title") or name.replace("_", " ").capitalize(),
        description=fields.text("description"),
        owner=fields.text("owner"),
        version=fields.read("version", values.whole),
        tags=tuple(t.value for t in fields.texts("tags")),
        examples=read_examples(fields, problems),
        written=tuple(written),
        margin_place=fields.place("margin") if fields.has("margin") else None,
        place=written[0].text.place if written else node.place,
    )
    fields.done(_LATER)
    if not read or (kind == "retention" and retention_window is None):
        return None
    unread = any(fields.has(key) and value is None for key, value in (("over", window), ("per", metric.per)))
    if not unread:  # the rules would judge a window that nobody wrote
        check_metric(metric, fields, problems)
    return _with_default_fold(metric)


def _no_single_kind(fields: Fields, kinds: list[str]) -> None:
    """None of the kinds, or several; kinds of later versions are told apart from unknown words."""
    unknown = [k for k in LATER_KINDS if fields.has(k)]
    if unknown and not kinds:
        key = fields.node.key(unknown[0])
        later(fields.problems, f"`{unknown[0]}`", key.place if key else fields.node.place)
        return
    if kinds:
        second = fields.node.key(kinds[1])
        fields.problems.error(
            "E123",
            f"{fields.what} has {' and '.join(f'`{k}`' for k in kinds)}; it is one number, so it has one of them",
            second.place if second else fields.node.place,
            "Split it into several metrics. Conditions join inside one `did`:  like >= 5 and share",
        )
        return
    fields.asked |= dict.fromkeys((*_KEYS, *_OF_LATER_KINDS))
    before = len(fields.problems.found)
    fields.done(_LATER)
    if len(fields.problems.found) == before:
        fields.problems.error(
            "E123",
            f"{fields.what} does not say what it measures",
            fields.node.place,
            f"It needs one of  {', '.join(KINDS)}.  Example:  did: like >= 5",
        )


def _piece(fields: Fields, key: str, reader: Any, written: list[Written]) -> Any:
    """The value of `key` through a parser, remembered with its text."""
    part = fields.read(key, reader, required=True)
    node = fields.node.get(key)
    if part is not None and isinstance(node, Text):
        written.append(Written(part, node))
    return part


def _condition_node(node: Node | None, what: str, problems: Problems, written: list[Written]) -> Condition | None:
    """A condition as text, or in the list form {all: […]}, {any: […]}, {none: […]}, {at_least: N, of: […]}."""
    if node is None:
        return None
    if isinstance(node, Text):
        part = read_text(node, parse_condition, problems)
        if part is not None:
            written.append(Written(part, node))
        return part
    if isinstance(node, Seq):
        problems.error(
            "E121",
            f"the condition of {what} is a list",
            node.place,
            "Say how it joins:  {all: [ … ]}  or  {any: [ … ]}",
        )
        return None
    fields = Fields(node, f"the condition of {what}", problems, ("all", "any", "none", "at_least", "of"))
    keys = [k for k in ("all", "any", "none", "of") if fields.has(k)]
    if len(keys) != 1:
        before = len(problems.found)
        fields.done()
        if len(problems.found) == before:
            problems.error(
                "E123", f"the condition of {what} needs one of all, any, none, or at_least with of", node.place
            )
        return None
    listed = fields.node_of(keys[0])
    items = listed.items if isinstance(listed, Seq) else ()
    count = fields.read("at_least", values.whole)
    fields.done()
    if not items:
        problems.error(
            "E121",
            f"{keys[0]} takes a list of conditions",
            listed.place if listed else node.place,
            f"Example:  {{{keys[0]}: [like >= 5, share]}}",
        )
        return None
    if fields.split_list(items):
        return None
    parts = [_condition_node(item, what, problems, written) for item in items]
    good = tuple(p for p in parts if p is not None)
    if len(good) != len(parts):
        return None
    if keys[0] == "of":
        if count is None:
            fields.missing("at_least")
            return None
        if not 1 <= count <= len(good):
            problems.error("E116", f"at least {count} of a list of {len(good)}", fields.place("at_least"))
            return None
        return AtLeast(count, good)
    if keys[0] == "none":
        return Not(AnyOf(good) if len(good) > 1 else good[0])
    if len(good) == 1:
        return good[0]
    return All(good) if keys[0] == "all" else AnyOf(good)


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


def _ratio(fields: Fields, written: list[Written]) -> tuple[RatioPart, RatioPart] | None:
    node = fields.map("ratio")
    if node is None:
        return None
    inner = Fields(node, f"ratio of {fields.what}", fields.problems)
    of = _piece(inner, "of", _ratio_part, written)
    to = _piece(inner, "to", _ratio_part, written)
    inner.done()
    return (of, to) if of is not None and to is not None else None


def _ratio_part(text: str) -> RatioPart:
    """A measure, a condition counted per block, or `source.column`; a bare event is its count."""
    if _COLUMN.fullmatch(text.strip()):
        return _column(text)
    try:
        return parse_measure(text)
    except SyntaxProblem:
        return parse_condition(text)


def _retention(fields: Fields, written: list[Written]) -> tuple[Condition | None, Window | None]:
    condition = _condition_node(fields.node_of("retention"), fields.what, fields.problems, written)
    for key in ("day", "days", "from_day"):
        fields.asked[key] = None
    keys = [k for k in ("day", "days", "from_day") if fields.has(k)]
    if fields.has("over"):
        fields.problems.error(
            "E124",
            f"{fields.what}: a retention says its days itself",
            fields.place("over"),
            "Remove `over`." if keys else "Write  day: 7,  days: 7-13  or  from_day: 7  instead.",
        )
    elif len(keys) != 1:
        fields.problems.error(
            "E124",
            f"{fields.what}: a retention needs one of day, days, from_day",
            fields.place(keys[1] if keys else "retention"),
            "Examples:  day: 7   days: 7-13   from_day: 7",
        )
    if len(keys) != 1:
        return condition, None
    return condition, fields.read(keys[0], lambda t: values.retention_window(keys[0], t))


def _with_default_fold(metric: Metric) -> Metric:
    if metric.per is None or metric.fold is not None:
        return metric
    default = {"did": Fold("share"), "amount": Fold("mean")}.get(metric.kind)
    return replace(metric, fold=default) if default else metric
