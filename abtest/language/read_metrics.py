"""`metrics` from YAML to values. Kinds stand in `read_kinds.py`, the rules of a definition in `metric_rules.py`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from abtest.language import values
from abtest.language.conditions import Atom, Measure, Term
from abtest.language.examples import read_examples
from abtest.language.expressions import parse_condition
from abtest.language.fields import Fields
from abtest.language.measures import RESERVED
from abtest.language.metric_rules import check_metric
from abtest.language.model import (
    Adjust,
    Among,
    Clock,
    Cross,
    Fold,
    Group,
    Ladder,
    Metric,
    Missing,
    Survey,
    Timing,
    Window,
    Written,
)
from abtest.language.partition import cell_of, cells_of, levels, with_group
from abtest.language.read_kinds import KINDS, read_kind
from abtest.language.statistical_tests import TESTS
from abtest.language.suggest import did_you_mean
from abtest.language.tokens import SyntaxProblem
from abtest.language.where import parse_where
from abtest.language.words import Words
from abtest.language.yaml import Map, Node, Seq, Text
from abtest.problems import Place, Problems, quoted

_KEYS = (
    "per", "over", "clock", "starting_at", "within", "value", "unit", "among", "better", "margin", "cap", "missing",
    "adjust", "test", "immature", "show", "title", "description", "owner", "status", "use", "dimension", "phase", "version",
    "tags", "examples", "day", "days", "from_day", "silent", "is", "at_least", "as",
)  # fmt: skip
_OF_KINDS = ("at", "across", "steps", "same", "different", "from")
CLOCKS = ("date", "elapsed", "calendar")
_HOUR = {"day": 24, "hour": 1}
_MINUTE = {"day": 1440, "hour": 60, "minute": 1}


@dataclass(frozen=True)
class Context:
    """What metrics may build on. Names in `broken` have been reported already."""

    groups: Mapping[str, Group] = field(default_factory=dict)
    surveys: Mapping[str, Survey] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()


def read_metric(name: str, node: Node, problems: Problems, context: Context = Context()) -> Metric | None:
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
    before = len(problems.found)
    made = read_kind(kind, fields, problems, written)
    _keys_of_other_kinds(kind, fields, problems)
    timing = read_timing(fields, problems, kind)
    better: Any = fields.choice("better", ("higher", "lower"))
    immature: Any = fields.choice("immature", ("drop", "keep")) or "drop"
    show: Any = fields.choice("show", ("histogram", "dose"))
    status: Any = fields.choice("status", ("draft", "certified", "deprecated"))
    words = Words(fields, problems)
    among = _among(fields, written)
    adjust = _adjust(fields, problems)
    metric = Metric(
        name=name,
        kind=kind,
        window=timing.window or Window(),
        clock=timing.clock,
        per=timing.per,
        per_unit=timing.per_unit,
        rolling=timing.rolling,
        starting_at=timing.starting_at,
        within=timing.within,
        fold=fields.read("value", values.fold),
        unit=fields.text("unit"),
        among=among,
        better=better,
        margin=fields.read("margin", values.margin),
        cap=fields.read("cap", values.cap),
        missing=fields.read("missing", values.missing),
        adjust=adjust,
        test=fields.choice("test", TESTS),
        immature=immature,
        show=show,
        title=words.text("title") or name.replace("_", " ").capitalize(),
        description=words.text("description"),
        cannot=words.text("cannot"),
        translated=words.translated,
        origin=fields.text("origin"),
        guardrail=fields.text("guardrail"),
        owner=fields.text("owner"),
        version=fields.read("version", values.whole),
        status=status,
        use=fields.text("use"),
        dimension=fields.text("dimension"),
        phase=fields.text("phase"),
        tags=tuple(t.value for t in fields.texts("tags")),
        examples=read_examples(fields, problems),
        margin_place=fields.place("margin") if fields.has("margin") else None,
        place=written[0].text.place if written else node.place,
        places=_places(node),
    )
    fields.done()
    if made is None:
        return None
    metric = replace(metric, **made, written=tuple(written))
    if metric.group is not None or metric.survey is not None:
        built = _on_group(metric, fields, problems, context) if metric.group else _on_survey(metric, fields, problems, context)  # fmt: skip
        if built is None:
            return None
        metric = built
    unread = len(problems.found) > before and (
        any(fields.has(key) and value is None for key, value in (("over", timing.window), ("per", timing.per)))
        or _clock_unread(fields)
    )
    if not unread:  # the rules would judge a window that nobody wrote
        check_metric(metric, fields, problems)
    return with_default_fold(metric)


_KEYS_OF = {
    "day": "retention", "days": "retention", "from_day": "retention", "silent": "churn", "is": "group",
    "at_least": "group", "as": "group", "at": "quantile", "across": "quantile", "steps": "funnel", "same": "funnel",
    "different": "funnel", "from": "funnel",
}  # fmt: skip


def _keys_of_other_kinds(kind: str, fields: Fields, problems: Problems) -> None:
    """`day` beside `did`: a key that belongs to another kind of metric."""
    for key, owner in _KEYS_OF.items():
        node = fields.node.key(key)
        if node is not None and key not in fields.asked:
            fields.asked[key] = None
            inside = owner == kind
            where = f"stands inside `{kind}`" if inside else f"belongs to metrics of kind {owner}"
            hint = "" if inside else f"Remove it, or write  {owner}: …  instead of  {kind}: …"
            problems.error("E124", f"{fields.what}: `{key}` {where}", node.place, hint)


def _places(node: Map) -> tuple[tuple[str, Place], ...]:
    """Where every value stands, also of the keys and items one level below: `funnel.same`, `adjust.likes_before`."""
    found = []
    for key, value in node:
        found.append((key.value, value.place))
        if isinstance(value, Map):
            found += [(f"{key.value}.{inner.value}", entry.place) for inner, entry in value]
        elif isinstance(value, Seq):
            found += [(f"{key.value}.{item.value}", item.place) for item in value.items if isinstance(item, Text)]
    return tuple(found)


def _on_group(metric: Metric, fields: Fields, problems: Problems, context: Context) -> Metric | None:
    use = metric.group
    assert use is not None
    group = context.groups.get(use.group)
    if group is None:
        if use.group not in context.broken:
            hint = did_you_mean(use.group, context.groups, "Groups") or "Declare it under  groups:"
            problems.error("E204", f"no group {quoted(use.group)}", fields.place("group"), hint)
        return None
    ladder = isinstance(group.form, Ladder)
    if (use.ranked or use.how == "at_least") and not ladder:
        hint = (
            "Write  is: " + "".join(letter for letter, _ in group.form.letters) if isinstance(group.form, Cross) else ""
        )
        place = fields.place("at_least" if use.how == "at_least" else "as")
        problems.error("E318", f"{fields.what}: the cells of {use.group} have no order", place, hint)
        return None
    if use.cell is not None and cell_of(use, group) is None:
        names = (
            levels(group.form)
            if isinstance(group.form, Ladder)
            else cells_of(tuple(letter for letter, _ in group.form.letters))
        )
        what = "rung" if ladder else "cell"
        hint = did_you_mean(use.cell, names, f"{what.capitalize()}s")
        problems.error("E318", f"group {use.group} has no {what} {quoted(use.cell)}", fields.place(use.how), hint)
        return None
    if use.how == "at_least" and isinstance(group.form, Ladder) and use.cell == group.form.otherwise:
        message = f"{fields.what}: everybody stands on {use.cell} or above"
        problems.error("E318", message, fields.place("at_least"), f"Write  at_least: {levels(group.form)[1]}")
        return None
    metric = with_group(metric, group)
    return replace(metric, place=fields.place("group"))


def _on_survey(metric: Metric, fields: Fields, problems: Problems, context: Context) -> Metric | None:
    """The score of the answer that counts; who gave none is missing."""
    assert metric.survey is not None
    survey = context.surveys.get(metric.survey)
    if survey is None:
        if metric.survey not in context.broken:
            hint = did_you_mean(metric.survey, context.surveys, "Surveys") or "Declare it under  surveys:"
            problems.error("E204", f"no survey {quoted(metric.survey)}", fields.place("survey"), hint)
        return None
    atom = Atom(survey.take, survey.event, f"{survey.name}.score")
    return replace(metric, measure=Measure((Term(1.0, atom),)), missing=Missing(None), place=fields.place("survey"))


def read_timing(fields: Fields, problems: Problems, kind: str = "group") -> Timing:
    """`over`, `per`, `clock`, `starting_at` and `within`. Windows and blocks come out in one tick."""
    window = fields.read("over", values.window)
    period = fields.read("per", values.period)
    written_clock: Any = fields.choice("clock", CLOCKS)
    clock: Clock = written_clock or "date"
    starting_at = fields.text("starting_at")
    within = fields.read("within", values.day_count) if kind != "funnel" else None
    if window is not None and window.tick != "day":
        if written_clock in ("date", "calendar"):
            problems.error(
                "E310",
                f"{fields.what}: hours and minutes count from the moment of exposure, not by the clock on the wall",
                fields.place("clock"),
                "Write  clock: elapsed",
            )
        clock = "elapsed"
    if period is None:
        return Timing(window, clock, starting_at=starting_at, within=within)
    if period.unit in ("month", "session"):
        unit: Any = period.unit
        return Timing(window, clock, 1, unit, False, starting_at, within)
    if period.unit == "hour" and _clock_unread(fields):
        clock = "elapsed"
    elif period.unit == "hour" and clock != "elapsed":
        problems.error(
            "E310",
            f"{fields.what}: hours count from the moment of exposure, not by the clock on the wall",
            fields.place("per"),
            "Add  clock: elapsed",
        )
        clock = "elapsed"
    size = period.size
    if period.unit == "hour" and window is not None and (window.end or window.before):
        hint = "Set  over: first 2 days"
        problems.error("E310", f"{fields.what}: hours do not go with  over: {window}", fields.place("per"), hint)
    elif period.unit == "hour":
        window = _in_hours(window or Window())
        size = _MINUTE["hour"] if window.tick == "minute" else 1
    elif window is not None and window.tick != "day":
        size *= _HOUR["day"] if window.tick == "hour" else _MINUTE["day"]
    return Timing(window, clock, size, "tick", period.rolling, starting_at, within)


def _clock_unread(fields: Fields) -> bool:
    """Whether a clock is written that does not exist."""
    node = fields.node.get("clock")
    return node is not None and not (isinstance(node, Text) and node.value in CLOCKS)


def _in_hours(window: Window) -> Window:
    """A window of days in hours, so that hours can be its blocks."""
    if window.tick != "day" or window.end:
        return window
    first = None if window.first is None else 24 * window.first
    last = None if window.last is None else 24 * (window.last + 1) - 1
    return Window(first, last, "hour")


def _among(fields: Fields, written: list[Written]) -> Among | None:
    among: Among | None = fields.read("among", read_among)
    node = fields.node.get("among")
    if among is not None and among.condition is not None and isinstance(node, Text):
        written.append(Written(among.condition, node))
    return among


def read_among(text: str) -> Among:
    """Tests of attributes, or `(CONDITION) before 28 days`."""
    match = re.fullmatch(r"(\s*\(.*\)\s*)before\s+(\d+ \w+)\s*", text, re.DOTALL)
    if match is not None:
        return Among(condition=parse_condition(match[1]), days=values.day_count(match[2]))
    try:
        return Among(where=parse_where(text))
    except SyntaxProblem:
        loose = re.fullmatch(r"(.*\S)\s+before\s+(\d+ \w+)\s*", text, re.DOTALL)
        if _is_condition(loose[1] if loose else text):
            raise _behaviour(text, loose) from None
        raise


def _is_condition(text: str) -> bool:
    try:
        parse_condition(text)
    except SyntaxProblem:
        return False
    return True


def _behaviour(text: str, loose: re.Match[str] | None) -> SyntaxProblem:
    """Units are picked by what they do: before exposure in parentheses, after exposure never."""
    shown = " ".join((loose[1] if loose else text).split())
    if loose:
        hint = f"Write  among: ({shown}) before {loose[2]}"
        return SyntaxProblem("E113", "a condition before exposure stands in parentheses", (0, len(text)), hint)
    return SyntaxProblem(
        "E311",
        f"among: {quoted(shown)} counts what happens after exposure, so the variants would no longer be comparable",
        (0, max(1, len(text))),
        f"Use a ratio or a funnel. Known before exposure is fine:  among: plan = free   among: ({shown}) before 28 days",
    )


def _adjust(fields: Fields, problems: Problems) -> Adjust | None:
    """`none`, or a list of metrics before exposure and attributes (SOURCE.PROPERTY)."""
    found = fields.texts("adjust")
    if not found:
        return None
    if [t.value for t in found] == ["none"]:
        return Adjust()
    metrics, attributes = [], []
    for text in found:
        source, point, prop = text.value.partition(".")
        if not values.is_id(source) or (point and not values.is_id(prop)):
            hint = "Example:  adjust: [likes_before, people.age]"
            message = f"adjust takes metrics and attributes, found {quoted(text.value)}"
            problems.error("E130", message, text.place, hint)
        elif point:
            attributes.append((source, prop))
        else:
            metrics.append(source)
    return Adjust(tuple(metrics), tuple(attributes))


def _no_single_kind(fields: Fields, kinds: list[str]) -> None:
    """None of the kinds, or several."""
    if kinds:
        second = fields.node.key(kinds[1])
        fields.problems.error(
            "E123",
            f"{fields.what} has {' and '.join(f'`{k}`' for k in kinds)}; it is one number, so it has one of them",
            second.place if second else fields.node.place,
            "Split it into several metrics. Conditions join inside one `did`:  like >= 5 and share",
        )
        return
    fields.asked |= dict.fromkeys((*_KEYS, *_OF_KINDS))
    use = fields.node.get("use")
    if isinstance(use, Text) and use.value.startswith("abtest/"):
        message = f"{fields.what}: `use` names a metric instead of a deprecated one; the catalogue is used with `uses`"
        fields.problems.error("E123", message, use.place, f"Write  uses: {use.value}")
        return
    before = len(fields.problems.found)
    fields.done()
    if len(fields.problems.found) == before:
        fields.problems.error(
            "E123",
            f"{fields.what} does not say what it measures",
            fields.node.place,
            f"It needs one of  {', '.join(KINDS)}.  Example:  did: like >= 5",
        )


def with_default_fold(metric: Metric) -> Metric:
    """A recurring condition is a share of blocks, a recurring amount a mean, unless the definition says otherwise."""
    if metric.per is None or metric.fold is not None or metric.kind == "ratio":
        return metric
    if metric.condition is not None:
        return replace(metric, fold=Fold("share"))
    return replace(metric, fold=Fold("mean")) if metric.measure is not None or metric.rank is not None else metric
