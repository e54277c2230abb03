"""`metrics` from YAML to values, with the rules that one definition alone must obey."""

from __future__ import annotations

import re
from typing import Any

from abtest.language import values
from abtest.language.conditions import All, AnyOf, AtLeast, Compare, Condition, Measure, Not, Spread, Term, walk
from abtest.language.examples import read_examples
from abtest.language.expressions import RESERVED, parse_condition, parse_measure
from abtest.language.fields import Fields, read_text
from abtest.language.model import Column, Fold, Metric, RatioPart, Window
from abtest.language.tokens import SyntaxProblem
from abtest.language.yaml import Map, Node, Seq, Text
from abtest.problems import Place, Problems, quoted

KINDS = ("did", "amount", "ratio", "retention", "column")
LATER_KINDS = ("quantile", "funnel", "time_to", "group", "survey", "churn")
_LATER = (*LATER_KINDS, "starting_at", "clock", "unit", "among", "missing", "adjust", "show", "status", "dimension", "phase", "uses")
_DID_FOLDS = ("share", "ever", "always", "last", "count", "streak")
_AMOUNT_FOLDS = ("mean", "sum", "min", "max", "last")
_COLUMN = re.compile(r"([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)")


def read_metric(name: str, node: Node, problems: Problems) -> Metric | None:
    what = f"metric {name}"
    if not isinstance(node, Map):
        problems.error("E121", f"{what} is a map", node.place, "Example:  engaged: {did: like >= 5, per: week}")
        return None
    if name in RESERVED:
        problems.error("E130", f"{quoted(name)} is a word of the language", node.place)
    fields = Fields(node, what, problems, KINDS)
    kinds = [k for k in KINDS if fields.has(k)]
    if len(kinds) != 1:
        later = [k for k in LATER_KINDS if fields.has(k)]
        if later and not kinds:
            key = node.key(later[0])
            problems.error("E190", f"`{later[0]}` cannot be computed by this version of abtest", key.place if key else node.place)
        else:
            found = f"it has {' and '.join(kinds)}" if kinds else "it has none"
            problems.error("E123", f"{what} needs exactly one of {', '.join(KINDS)}; {found}", node.place)
            fields.done(_LATER)
        return None
    kind: Any = kinds[0]
    window_given = fields.has("over")
    window = fields.read("over", values.window) or Window()
    per = fields.read("per", values.period)
    fold = fields.read("value", values.fold)
    condition: Condition | None = None
    measure: Measure | None = None
    parts: tuple[RatioPart, RatioPart] | None = None
    column: Column | None = None
    retention_window: Window | None = None
    ok = True
    if kind == "did":
        condition = _condition_node(fields.node_of("did"), what, problems)
        ok = condition is not None
    elif kind == "amount":
        measure = fields.read("amount", parse_measure)
        ok = measure is not None and _has_atoms(measure, fields, "amount", problems)
    elif kind == "ratio":
        parts = _ratio(fields, what, problems)
        ok = parts is not None
    elif kind == "column":
        column = fields.read("column", _column)
        ok = column is not None
    else:
        condition, retention_window = _retention(fields, what, problems)
        ok = condition is not None and retention_window is not None
        window = retention_window or window
        if window_given:
            problems.error("E124", f"{what}: a retention says its window itself", fields.place("over"), "Remove `over`.")
    clock = fields.text("clock")
    if clock not in (None, "date"):
        problems.error("E190", f"clock: {clock} cannot be computed by this version of abtest", fields.place("clock"), "Available:  date")
    better: Any = fields.choice("better", ("higher", "lower"))
    margin = fields.read("margin", values.margin)
    cap = fields.read("cap", values.number)
    immature: Any = fields.choice("immature", ("drop", "keep")) or "drop"
    metric = Metric(
        name=name,
        kind=kind,
        condition=condition,
        measure=measure,
        parts=parts,
        column=column,
        window=window,
        per=per,
        fold=fold,
        better=better,
        margin=margin,
        cap=cap,
        immature=immature,
        title=fields.text("title") or name.replace("_", " ").capitalize(),
        description=fields.text("description"),
        owner=fields.text("owner"),
        version=fields.read("version", values.whole),
        tags=tuple(t.value for t in fields.texts("tags")),
        examples=read_examples(fields, problems),
        text=_source_text(fields, kind),
        place=_definition_place(node, kind),
    )
    fields.done(_LATER)
    if not ok:
        return None
    _check(metric, fields, problems)
    return _with_default_fold(metric)


def _definition_place(node: Map, kind: str) -> Place:
    """Where the condition or measure stands; problems of names point into it."""
    value = node.get(kind)
    return value.place if isinstance(value, Text) else node.place


def _source_text(fields: Fields, kind: str) -> tuple[tuple[str, str], ...]:
    """The definition as written, for explanations."""
    node = fields.node.get(kind)
    if isinstance(node, Text):
        return ((kind, node.value),)
    if isinstance(node, Map):
        return tuple((key.value, value.value) for key, value in node if isinstance(value, Text))
    return ()


def _condition_node(node: Node | None, what: str, problems: Problems) -> Condition | None:
    """A condition as text, or in the list form {all: […]}, {any: […]}, {none: […]}, {at_least: N, of: […]}."""
    if node is None:
        return None
    if isinstance(node, Text):
        return read_text(node, parse_condition, problems)
    if isinstance(node, Seq):
        problems.error("E121", f"the condition of {what} is a list", node.place, "Say how it joins:  {all: [ … ]}  or  {any: [ … ]}")
        return None
    fields = Fields(node, f"the condition of {what}", problems, ("all", "any", "none", "at_least", "of"))
    keys = [k for k in ("all", "any", "none", "of") if fields.has(k)]
    if len(keys) != 1:
        fields.done()
        if not any(p.place and p.place.line >= node.place.line for p in problems.errors[-1:]):
            problems.error("E123", f"the condition of {what} needs one of all, any, none, or at_least with of", node.place)
        return None
    listed = fields.node_of(keys[0])
    items = listed.items if isinstance(listed, Seq) else ()
    if not items:
        problems.error("E121", f"{keys[0]} takes a list of conditions", listed.place if listed else node.place)
        return None
    parts = [_condition_node(item, what, problems) for item in items]
    count = fields.read("at_least", values.whole)
    fields.done()
    good = tuple(p for p in parts if p is not None)
    if len(good) != len(parts):
        return None
    if keys[0] == "of":
        if count is None:
            fields.missing("at_least")
            return None
        if not 1 <= count <= len(good):
            problems.error("E116", f"at least {count} of a list of {len(good)}", node.place)
            return None
        return AtLeast(count, good)
    if keys[0] == "none":
        return Not(AnyOf(good) if len(good) > 1 else good[0])
    if len(good) == 1:
        return good[0]
    return All(good) if keys[0] == "all" else AnyOf(good)


def _has_atoms(measure: Measure, fields: Fields, key: str, problems: Problems) -> bool:
    if measure.atoms:
        return True
    problems.error("E137", f"{key} of {fields.what} names no event", fields.place(key))
    return False


def _column(text: str) -> Column:
    match = _COLUMN.fullmatch(text.strip())
    if match is None:
        raise SyntaxProblem("E137", f"expected SOURCE.COLUMN, found {text[:60]!r}", (0, max(1, len(text))), "Example:  column: shop.revenue")
    return Column(match[1], match[2])


def _ratio(fields: Fields, what: str, problems: Problems) -> tuple[RatioPart, RatioPart] | None:
    node = fields.map("ratio")
    if node is None:
        return None
    inner = Fields(node, f"ratio of {what}", problems)
    of = inner.read("of", _ratio_part, required=True)
    to = inner.read("to", _ratio_part, required=True)
    inner.done()
    return (of, to) if of is not None and to is not None else None


def _ratio_part(text: str) -> RatioPart:
    """A measure, a condition counted per block, or `source.column`; a bare event is its count."""
    if _COLUMN.fullmatch(text.strip()):
        return _column(text)
    try:
        measure = parse_measure(text)
    except SyntaxProblem:
        return parse_condition(text)
    if not measure.atoms:
        raise SyntaxProblem("E137", "a part of a ratio names an event", (0, max(1, len(text))))
    return measure


def _retention(fields: Fields, what: str, problems: Problems) -> tuple[Condition | None, Window | None]:
    condition = _condition_node(fields.node_of("retention"), what, problems)
    keys = [k for k in ("day", "days", "from_day") if fields.has(k)]
    for key in ("day", "days", "from_day"):
        fields.asked[key] = None
    if len(keys) != 1:
        problems.error("E124", f"{what}: a retention needs one of day, days, from_day", fields.place("retention"), "Examples:  day: 7   days: 7-13   from_day: 7")
        return condition, None
    prefix = {"day": "day", "days": "days", "from_day": "from day"}[keys[0]]
    return condition, fields.read(keys[0], lambda t: values.window(f"{prefix} {t}"))


def _with_default_fold(metric: Metric) -> Metric:
    from dataclasses import replace

    if metric.per is None or metric.fold is not None:
        return metric
    default = {"did": Fold("share"), "amount": Fold("mean")}.get(metric.kind)
    return replace(metric, fold=default) if default else metric


def _check(metric: Metric, fields: Fields, problems: Problems) -> None:
    """The window and fold rules of one definition."""
    what, window, per, fold = f"metric {metric.name}", metric.window, metric.per, metric.fold
    if metric.kind == "column" or any(isinstance(p, Column) for p in metric.parts or ()):
        for key in ("over", "per", "value"):
            if fields.has(key):
                problems.error("E306", f"{key} of {what}: a column has no time of its own", fields.place(key), "Remove it, or measure events instead.")
        if metric.parts and not all(isinstance(p, Column) for p in metric.parts):
            problems.error("E307", f"{what} mixes a column and events in one ratio", fields.place("ratio"))
    if fold is not None and per is None and fields.has("value"):
        problems.error("E303", f"value: {fold} of {what} folds blocks, but there is no `per`", fields.place("value"), "Add  per: week")
    allowed = {"did": _DID_FOLDS, "amount": _AMOUNT_FOLDS}.get(metric.kind, ())
    if fold is not None and per is not None and fold.name not in allowed:
        hint = f"Possible here:  {', '.join(allowed)}" if allowed else "Remove `value`."
        problems.error("E304", f"value: {fold.name} does not fit {metric.kind}", fields.place("value"), hint)
    if fold is not None and metric.kind == "amount" and fold.operator is not None:
        problems.error("E304", "an amount has no threshold", fields.place("value"), "For yes or no, write the comparison in `did`.")
    if fold is not None and fold.name in ("ever", "always", "count", "streak") and not window.fixed and metric.kind == "did":
        problems.error("E305", f"value: {fold.name} over an open window grows with time in the test", fields.place("value"), "Set  over: first 28 days,  or use  value: share")
    if fold is not None and fold.name in ("sum", "min", "max") and not window.fixed and metric.kind == "amount":
        problems.error("E305", f"value: {fold.name} over an open window grows with time in the test", fields.place("value"), "Set  over: first 28 days,  or use  value: mean")
    if per is not None and window.days is not None and window.days % per:
        down, up = window.days // per * per, (window.days // per + 1) * per
        best = down if down else up
        start = window.first
        written = f"first {best} days" if start == 0 else f"days {start}-{start + best - 1}"
        problems.error("E308", f"{window} is not a whole number of {_period_name(per)} ({window.days} / {per})", fields.place("over" if fields.has("over") else "per"), f"Use  over: {written}")
    if metric.cap is not None and (metric.kind in ("did", "retention")):
        problems.error("E309", f"cap of {what}: a condition is 0, 1 or a share and needs none", fields.place("cap"))
    if metric.cap is not None and metric.cap <= 0:
        problems.error("E309", f"cap of {what} must be above zero", fields.place("cap"))
    if metric.cap is not None and metric.kind == "ratio":
        problems.error("E190", "a cap on a ratio cannot be computed by this version of abtest", fields.place("cap"))
    conditions = [metric.condition] if metric.condition else [p for p in metric.parts or () if isinstance(p, (Compare, All, AnyOf, Not, AtLeast, Spread))]
    for condition in conditions:
        _check_spreads(condition, metric, fields, problems)
        _check_constant(condition, fields, metric, problems)
    if not window.fixed and metric.kind in ("did", "amount", "retention") and per is None:
        problems.warn("W306", f"{what} has an open window: units exposed later had less time", fields.place(metric.kind), "Set  over: first 28 days")


def _period_name(days: int) -> str:
    return {1: "days", 7: "weeks"}.get(days, f"blocks of {days} days")


def _check_spreads(condition: Condition, metric: Metric, fields: Fields, problems: Problems, outer: int | None = None) -> None:
    """Nested spreads get strictly finer and divide exactly; the outermost block is `per`, or the window."""
    node = fields.node.get(metric.kind)
    place = node.span(*condition.at) if isinstance(node, Text) else fields.place(metric.kind)
    block = outer if outer is not None else metric.per if metric.per is not None else metric.window.days
    if isinstance(condition, Spread):
        name = _period_name(condition.days).removesuffix("s") if condition.days in (1, 7) else f"{condition.days} days"
        if block is None:
            problems.error("E302", f'"on … {_period_name(condition.days)}" over an open window grows with time in the test', place, "Set  per: week  or  over: first 28 days")
            return
        if condition.days >= block:
            is_per = "the period" if outer is not None else ("per" if metric.per is not None else "the window")
            use = "per: week" if condition.days == 1 else "over: first 28 days"
            problems.error("E302", f'"on … {_period_name(condition.days)}" needs a period coarser than a {name}; {is_per} is {_length(block)}', place, f"Use  {use}")
            return
        if block % condition.days:
            problems.error("E302", f"{_length(block)} is not a whole number of {_period_name(condition.days)}", place)
            return
        blocks = block // condition.days
        if condition.count is not None and condition.operator in (">=", "=", ">") and condition.count + (condition.operator == ">") > blocks:
            problems.error("E302", f"{_length(block)} has only {blocks} {_period_name(condition.days)}; {condition.count} can never be reached", place)
        _check_spreads(condition.part, metric, fields, problems, condition.days)
        return
    match condition:
        case Not(part):
            _check_spreads(part, metric, fields, problems, outer)
        case All(parts) | AnyOf(parts) | AtLeast(_, parts):
            for part in parts:
                _check_spreads(part, metric, fields, problems, outer)
        case _:
            pass


def _length(days: int) -> str:
    return {1: "a day", 7: "a week"}.get(days, f"{days} days")


def _check_constant(condition: Condition, fields: Fields, metric: Metric, problems: Problems) -> None:
    for part in walk(condition):
        if isinstance(part, Compare) and not part.left.atoms and not part.right.atoms:
            problems.error("E137", "a comparison of two numbers, with no event", fields.place(metric.kind))


def constant(value: float) -> Measure:
    return Measure((Term(value, None),))
