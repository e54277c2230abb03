"""An experiment file from YAML to a value. Names of metrics and sources are resolved in `resolve.py`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from abtest.language import values
from abtest.language.clusters import read_cluster
from abtest.language.conditions import Attribute
from abtest.language.expressions import parse_condition
from abtest.language.fields import Fields, read_text
from abtest.language.model import DecideRule, Experiment, Margin, MetricUse, Segment, Variant
from abtest.language.read_beside import read_drivers, read_moderators, read_targets, read_trigger
from abtest.language.read_plan import read_plan
from abtest.language.suggest import did_you_mean
from abtest.language.tokens import SyntaxProblem
from abtest.language.where import parse_where
from abtest.language.yaml import Map, Seq, Text
from abtest.problems import Place, Problems, quoted

ROLES = ("goal", "guardrail", "secondary", "explore")
STATES = ("better", "worse", "flat", "unclear", "safe", "harmed")
_LATER = ("decision", "uses", "common_window", "phases")
_DEFAULT_VERDICTS: dict[str, Any] = {
    "ship": "ship", "roll_back": "dont_ship", "dont_ship": "dont_ship", "keep_running": "keep_running", "iterate": "dont_ship",
}  # fmt: skip


def read_experiment(node: Map, problems: Problems) -> Experiment | None:
    name_node = node.get("experiment")
    name = name_node.value if isinstance(name_node, Text) else ""
    what = f"experiment {name[:64]}"
    fields = Fields(node, what, problems, ("experiment",))
    if not values.is_id(name):
        problems.error(
            "E130",
            f"{quoted(name)} is not a name for an experiment",
            name_node.place if name_node else node.place,
            "Lower case letters, digits and _:  feed_ranker_v3",
        )
        name = ""
    unit = fields.text("unit", required=True)
    exposure_source, flag, exposure_where, flag_place = _exposure(fields, problems)
    variants = _variants(fields, problems)
    baseline = fields.text("baseline", required=True)
    if baseline is not None and variants and baseline not in [v.id for v in variants]:
        problems.error(
            "E411",
            f"baseline {quoted(baseline)} is not a variant",
            fields.place("baseline"),
            next((f"It is the key of one; write  baseline: {v.id}" for v in variants if v.key == baseline), "")
            or did_you_mean(baseline, [v.id for v in variants], "Variants"),
        )
    dates = _dates(fields, problems)
    population = fields.map("population")
    only = exclude = None
    if population is not None:
        inner = Fields(population, "population", problems)
        only, exclude = inner.read("only", parse_where), inner.read("exclude", parse_where)
        inner.done()
    metrics = _metrics(fields, problems)
    plan = read_plan(fields, problems)
    mechanism = fields.texts("mechanism")
    mixed: Any = fields.choice("mixed_exposure", ("drop", "first")) or "drop"
    experiment = Experiment(
        id=name,
        title=fields.text("title") or name.replace("_", " ").capitalize(),
        unit=unit or "",
        exposure_source=exposure_source,
        flag=flag,
        variants=variants,
        baseline=baseline or "",
        metrics=metrics,
        exposure_where=exposure_where,
        flag_place=flag_place,
        owner=fields.text("owner"),
        hypothesis=fields.text("hypothesis"),
        start=dates.get("start"),
        enroll_until=dates.get("enroll_until"),
        end=dates.get("end"),
        as_of=fields.read("as_of", values.calendar_date),
        only=only,
        exclude=exclude,
        mixed=mixed,
        cluster=read_cluster(fields),
        segments=_segments(fields, problems),
        plan=plan,
        decide=_decide(fields, problems),
        trigger=read_trigger(fields),
        value=fields.text("value"),
        drivers=read_drivers(fields, problems),
        targets=read_targets(fields, problems),
        moderators=read_moderators(fields, problems),
        mechanism=tuple(dict.fromkeys(t.value for t in mechanism)),
        iteration_of=fields.text("iteration_of"),
        changes=tuple(t.value for t in fields.texts("changes")),
        place=name_node.place if name_node else node.place,
        places=(*_places(node), *((f"mechanism.{t.value}", t.place) for t in mechanism)),
    )
    fields.done(_LATER)
    if not experiment.owner:
        problems.warn("W401", f"{what} has no owner", experiment.place)
    if not experiment.hypothesis:
        problems.warn("W401", f"{what} has no hypothesis", experiment.place)
    return experiment


def _places(node: Map) -> tuple[tuple[str, Place], ...]:
    found = []
    for key, value in node:
        found.append((key.value, value.place))
        if isinstance(value, Map) and key.value in ("exposure", "decide"):
            found += [(f"{key.value}.{inner.value}", entry.place) for inner, entry in value]
    return tuple(found)


def _exposure(fields: Fields, problems: Problems) -> tuple[str, str | None, Any, Place]:
    node = fields.map("exposure", required=True)
    if node is None:
        return "", None, None, fields.node.place
    inner = Fields(node, "exposure", problems)
    source = inner.text("source", required=True) or ""
    flag, where = inner.text("flag"), inner.read("where", parse_where)
    inner.done()
    return source, flag, where, inner.place("flag")


def _variants(fields: Fields, problems: Problems) -> tuple[Variant, ...]:
    node = fields.map("variants", required=True)
    if node is None:
        return ()
    found: list[Variant] = []
    unread = False
    for key, value in node:
        if not values.is_id(key.value):
            problems.error(
                "E130",
                f"{quoted(key.value)} is not a name for a variant",
                key.place,
                "Lower case letters, digits and _; the text in the log goes into `key`.",
            )
            continue
        title = key.value.replace("_", " ").capitalize()
        if isinstance(value, Text):
            found.append(Variant(key.value, value.value, None, title, key.place))
            continue
        if not isinstance(value, Map):
            problems.error("E121", f"variant {key.value} is {{key: …, share: 50%}}", value.place)
            continue
        inner = Fields(value, f"variant {key.value}", problems)
        log_key = inner.text("key") or key.value
        share = inner.read("share", values.fraction)
        unread = unread or (share is None and inner.has("share"))
        found.append(Variant(key.value, log_key, share, inner.text("title") or title, key.place))
        inner.done()
    if len(node.entries) < 2:
        problems.error("E412", "an experiment compares at least two variants", node.place)
    first: dict[str, Variant] = {}
    for variant in found:
        before = first.setdefault(variant.key, variant)
        if before is not variant:
            problems.error(
                "E412",
                f"variants {before.id} and {variant.id} have the same key {quoted(variant.key)}",
                variant.place,
                "`key` is the text by which the log tells them apart.",
            )
    shares = [v.share for v in found]
    if unread or len(found) < len(node.entries):
        pass  # reported already; without that share nothing can be said of the others
    elif any(s is not None for s in shares):
        if any(s is None for s in shares):
            problems.error("E412", "some variants have a share and some have none", node.place)
        elif abs(sum(s for s in shares if s is not None) - 1) > 1e-9:
            total = 100 * sum(s for s in shares if s is not None)
            hint = "Leave all shares out for equal groups." if len(set(shares)) == 1 else ""
            problems.error("E412", f"the shares add up to {total:g}%, not to 100%", node.place, hint)
    elif found:
        found = [replace(v, share=1 / len(found)) for v in found]
        problems.warn("W412", "the variants have no shares; equal shares are assumed", node.place)
    return tuple(found)


def _dates(fields: Fields, problems: Problems) -> dict[str, Any]:
    node = fields.map("dates")
    if node is None:
        return {}
    inner = Fields(node, "dates", problems)
    found = {key: inner.read(key, values.calendar_date) for key in ("start", "enroll_until", "end")}
    inner.done()
    start, until, end = found["start"], found["enroll_until"], found["end"]
    if start is None or end is None:
        for key in ("start", "end"):
            if not inner.has(key):
                inner.missing(key)
    elif end < start:
        problems.error("E413", f"end {end} lies before start {start}", inner.place("end"))
    elif until is not None and not start <= until <= end:
        problems.error("E413", f"enroll_until {until} lies outside {start} to {end}", inner.place("enroll_until"))
    return found


def _metrics(fields: Fields, problems: Problems) -> tuple[MetricUse, ...]:
    node = fields.map("metrics", required=True)
    if node is None:
        return ()
    inner = Fields(node, "metrics of the experiment", problems, ROLES)
    found: list[MetricUse] = []
    for role in ROLES:
        listed = inner.node_of(role)
        if listed is None:
            continue
        items = listed.items if isinstance(listed, Seq) else (listed,)
        for item in items:
            found += _use(item, role, problems)
    inner.done()
    seen: dict[str, MetricUse] = {}
    for use in found:
        if use.name in seen:
            problems.error(
                "E414",
                f"metric {quoted(use.name)} stands twice in this experiment",
                use.place,
                f"It is already a {seen[use.name].role}.",
            )
        seen.setdefault(use.name, use)
    goal = inner.node_of("goal")
    unread = isinstance(goal, Map) or (isinstance(goal, Seq) and len(goal.items) > 0)
    if not unread and not any(u.role == "goal" for u in found):
        problems.error("E415", "an experiment needs a goal", node.place, "Example:  metrics: {goal: [engaged_weeks]}")
    return tuple(seen.values())


def _use(item: Any, role: Any, problems: Problems) -> list[MetricUse]:
    if isinstance(item, Text):
        return [MetricUse(item.value, role, place=item.place)]
    if not isinstance(item, Map):
        problems.error("E121", f"{role} is a list of metrics", item.place)
        return []
    found = []
    for key, value in item:
        if not isinstance(value, Map):
            hint = f"Write  {role}: [{{{key.value}: {{margin: 2%}}}}]"
            problems.error("E121", f"{key.value} in {role} takes a map", value.place, hint)
            continue
        inner = Fields(value, f"{role} {key.value}", problems)
        margin: Margin | None = inner.read("margin", values.margin)
        detect = inner.read("detect", values.fraction)
        found.append(MetricUse(key.value, role, margin, detect, key.place, inner.place("margin") if margin else None))
        inner.done()
    return found


def _segments(fields: Fields, problems: Problems) -> tuple[Segment, ...]:
    found = []
    for text in fields.texts("segments"):
        segment = read_text(text, lambda t: _segment(t), problems)
        if segment is not None:
            found.append(replace(segment, place=text.place))
    return tuple(found)


def _segment(text: str) -> Segment:
    """`country`, `people.country`, `people.age > 30`, `engagement_level before 28 days`, `(like >= 5) before 28 days`."""
    clean = " ".join(text.split())
    match = re.fullmatch(r"(\(.*\)|[a-z][a-z0-9_]*) before (\d+ \w+)", clean)
    if match is None:
        if not re.fullmatch(r"[\w$' .]+", clean):
            found = _attribute_test(clean)
            if found is None:
                raise _behaviour(clean)
            return Segment(clean, found.source, found.test.prop, test=found.test)
        source, dot, prop = clean.rpartition(".")
        return Segment(prop if dot else clean, source, prop or clean)
    days = values.day_count(match[2])
    if match[1].startswith("("):
        own = _attribute_test(match[1])
        if own is not None:
            raise _no_days(match[1][1:-1].strip())
        return Segment(clean, "", "", parse_condition(match[1]), days=days)
    return Segment(f"{match[1]}_before", "", "", group=match[1], days=days)


def _attribute_test(text: str) -> Attribute | None:
    """`people.age > 30`: a test of what the unit is."""
    try:
        condition = parse_condition(text)
    except SyntaxProblem:
        return None
    return condition if isinstance(condition, Attribute) else None


def _no_days(test: str) -> SyntaxProblem:
    return SyntaxProblem(
        "E137",
        f"segment {quoted(test)} is a test of what the unit is, which has no days",
        (0, max(1, len(test))),
        f"Write  segments: [{test}]",
    )


def _behaviour(text: str) -> SyntaxProblem:
    """A segment that is neither a name nor a condition in parentheses before exposure."""
    condition, before, days = text.partition(" before ")
    shown = condition if condition.startswith("(") else f"({condition})"
    if not before:
        alone = re.match(r"\(.*\)", shown)
        return SyntaxProblem(
            "E311",
            f"segment {quoted(text)} is what units do after exposure, so its groups would no longer be comparable",
            (0, max(1, len(text))),
            f"Known before exposure is fine:  '{alone[0] if alone else shown} before 28 days'",
        )
    return SyntaxProblem(
        "E113",
        f"a segment is an attribute, a group or a condition before exposure, found {quoted(text)}",
        (0, max(1, len(text))),
        f"Write  '{shown} before {days or '28 days'}'",
    )


def _decide(fields: Fields, problems: Problems) -> tuple[DecideRule, ...]:
    node = fields.map("decide")
    if node is None:
        return ()
    found: list[DecideRule] = []
    for key, value in node:
        when: Text | None = value if isinstance(value, Text) else None
        verdict = _DEFAULT_VERDICTS.get(key.value)
        if isinstance(value, Map):
            inner = Fields(value, f"decide {key.value}", problems)
            when_node = inner.node_of("when")
            when = when_node if isinstance(when_node, Text) else None
            verdict = inner.choice("verdict", ("ship", "dont_ship", "keep_running", "dont_decide")) or verdict
            inner.done()
        if when is None:
            problems.error("E121", f"decide {key.value} is a rule such as `any guardrail is harmed`", value.place)
            continue
        if verdict is None:
            problems.error(
                "E417",
                f"which verdict is {quoted(key.value)}?",
                key.place,
                f"Write  {key.value}: {{when: {when.value[:60]}, verdict: dont_ship}}",
            )
            continue
        parsed = read_text(when, _rule, problems)
        if parsed is not None:
            found.append(DecideRule(key.value, verdict, parsed[0], parsed[1], when.value))
    if found and found[-1].tests:
        problems.error("E417", "the last rule of decide must be `otherwise`", node.place)
    if any(not r.tests for r in found[:-1]):
        problems.error("E417", "rules after `otherwise` are never reached", node.place)
    return tuple(found)


def _rule(text: str) -> tuple[Any, tuple[tuple[str, str, str], ...]]:
    clean = " ".join(text.split())
    if clean == "otherwise":
        return "and", ()
    joiners = set(re.findall(r" (and|or) ", clean))
    if len(joiners) > 1:
        raise SyntaxProblem(
            "E111", '"and" and "or" side by side. Which one is meant?', (0, len(text)), "Use two outcomes."
        )
    joiner = joiners.pop() if joiners else "and"
    tests = []
    for part in clean.split(f" {joiner} "):
        match = re.fullmatch(r"(?:(any|every|no) (goal|guardrail|secondary)|([a-z][a-z0-9_]*)) is (\w+)", part)
        if match is None:
            raise SyntaxProblem(
                "E417",
                f"cannot read {quoted(part)}",
                (0, len(text)),
                "Examples:  every goal is better   any guardrail is harmed   revenue is worse",
            )
        if match[4] not in STATES:
            raise SyntaxProblem(
                "E417", f"no state {quoted(match[4])}", (0, len(text)), did_you_mean(match[4], STATES, "States")
            )
        tests.append((match[1] or "metric", match[2] or match[3], match[4]))
    return joiner, tuple(tests)
