"""`plan`: how an experiment is read, when it may be looked at, and with which error rates."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from abtest.language import values
from abtest.language.fields import Fields
from abtest.language.model import Plan
from abtest.language.plan_model import METHODS, Prior, Spending
from abtest.language.tokens import SyntaxProblem
from abtest.language.yaml import Map, Seq, Text
from abtest.problems import Problems, quoted

GOAL_CORRECTIONS = ("holm", "bonferroni", "hochberg", "dunnett", "none")
SECONDARY_CORRECTIONS = ("bh", "by", "holm", "hochberg", "bonferroni", "none")
MOST_LOOKS = 50
STEEPEST = 20.0
"""Of the parameter of Hwang, Shih and DeCani: beyond it all is spent at the start, or all at the end."""
_ONLY = {
    "looks": ("group_sequential",), "spending": ("group_sequential",), "units": ("group_sequential",),
    "monitoring": ("hybrid",), "prior": ("bayesian",),
}  # fmt: skip
T = TypeVar("T")


def read_plan(fields: Fields, problems: Problems) -> Plan:
    node = fields.map("plan")
    if node is None:
        return Plan()
    inner = Fields(node, "plan", problems)
    default = Plan()
    method: Any = inner.choice("method", METHODS) or "fixed"
    for key, methods in _ONLY.items():
        if method not in methods and inner.has(key):
            message = f"{key} belongs to method: {methods[0]}, and this plan is {method}"
            problems.error("E416", message, inner.place(key), f"Write  method: {methods[0]},  or leave {key} out.")
    goal, secondary, segments = _corrections(inner, problems, method)
    lift: Any = inner.choice("lift", ("fieller", "delta", "log")) or "fieller"
    plan = Plan(
        method=method,
        alpha=inner.read("alpha", values.fraction) or default.alpha,
        guardrail_alpha=inner.read("guardrail_alpha", values.fraction) or default.guardrail_alpha,
        power=inner.read("power", values.fraction) or default.power,
        detect=inner.read("detect", values.fraction),
        correct_goal=goal,
        correct_secondary=secondary,
        srm_alpha=inner.read("srm_alpha", values.fraction) or default.srm_alpha,
        lift=lift,
        correct_segments=segments,
        looks=_looks(inner, problems, method),
        spending=_spending(inner, problems),
        units=inner.read("units", values.whole),
        monitoring=_given(inner.read("monitoring", values.fraction), default.monitoring),
        prior=_prior(inner, problems),
    )
    inner.done()
    for key, value in (("alpha", plan.alpha), ("guardrail_alpha", plan.guardrail_alpha), ("srm_alpha", plan.srm_alpha)):
        if not 0 < value < 0.5:
            problems.error("E416", f"{key} is {100 * value:g}%; it must lie between 0% and 50%", inner.place(key))
    if not 0 < plan.monitoring < 1:
        message = (
            f"monitoring is {100 * plan.monitoring:g}%; it is the part of alpha for looking early, between 0% and 100%"
        )
        problems.error("E416", message, inner.place("monitoring"), "Write  monitoring: 20%")
    if plan.units == 0:
        problems.error("E416", "units is 0; it is how many units the plan waits for", inner.place("units"))
    return plan


def _given(value: T | None, default: T) -> T:
    return default if value is None else value


def _corrections(plan: Fields, problems: Problems, method: str) -> tuple[Any, Any, Any]:
    bayesian = method == "bayesian"
    goal: Any = "none" if bayesian else "holm"
    secondary: Any = "none"
    segments: Any = "bh"
    correct = plan.map("correct")
    if correct is None:
        return goal, secondary, segments
    families = Fields(correct, "correct", problems)
    goal = families.choice("goal", GOAL_CORRECTIONS) or goal
    secondary = families.choice("secondary", SECONDARY_CORRECTIONS) or secondary
    segments = families.choice("segments", ("bh", "none")) or "bh"
    families.done()
    for key, chosen in (("goal", goal), ("secondary", secondary)):
        if bayesian and chosen != "none":
            message = f"correct {key}: {chosen} adjusts p-values, and a bayesian plan has none"
            problems.error("E416", message, families.place(key), "Leave it out, or write  method: fixed")
    return goal, secondary, segments


def _looks(plan: Fields, problems: Problems, method: str) -> tuple[float, ...]:
    """`looks: 5` are five equal steps; `looks: [25%, 50%, 100%]` says when."""
    node = plan.node_of("looks")
    if node is None:
        if method == "group_sequential":
            problems.error(
                "E416",
                "method: group_sequential plans its looks, and this plan has none",
                plan.place("method"),
                "Write  looks: 5  or  looks: [25%, 50%, 75%, 100%]",
            )
        return ()
    if isinstance(node, Text):
        count = plan.read("looks", values.whole) or 0
        if not 1 <= count <= MOST_LOOKS:
            problems.error("E416", f"a plan has 1 to {MOST_LOOKS} looks, found {quoted(node.value)}", node.place)
            return ()
        return tuple(k / count for k in range(1, count + 1))
    found = [_read(item, values.fraction, problems) for item in node.items] if isinstance(node, Seq) else []
    times = tuple(t for t in found if t is not None)
    if len(times) != len(found) or not times:
        if not found:
            problems.error("E121", "looks is a number or a list of percentages", node.place, "Write  looks: 5")
        return ()
    if len(times) > MOST_LOOKS or any(b <= a for a, b in zip((0.0, *times), times, strict=False)) or times[-1] != 1.0:
        problems.error(
            "E416",
            "looks go up from look to look and end at 100%: " + ", ".join(f"{100 * t:g}%" for t in times),
            node.place,
            "Example:  looks: [25%, 50%, 100%]",
        )
        return ()
    return times


def _read(node: Any, reader: Callable[[str], T], problems: Problems) -> T | None:
    if not isinstance(node, Text):
        problems.error("E121", "expected one value here", node.place)
        return None
    try:
        return reader(node.value)
    except SyntaxProblem as e:
        problems.error(e.code, e.message, node.place, e.hint)
        return None


def _spending(plan: Fields, problems: Problems) -> Spending:
    """`obrien_fleming`, `pocock`, or `{hwang_shih_decani: -4}`."""
    node = plan.node_of("spending")
    if node is None:
        return Spending()
    if isinstance(node, Map):
        inner = Fields(node, "spending", problems)
        gamma = inner.read("hwang_shih_decani", _signed)
        inner.done()
        if gamma is None:
            return Spending()
        if abs(gamma) > STEEPEST:
            problems.error(
                "E416",
                f"hwang_shih_decani: {gamma:g} cannot be met: it lies between -{STEEPEST:g} and {STEEPEST:g}",
                inner.place("hwang_shih_decani"),
                "-4 is close to obrien_fleming, 1 to pocock.",
            )
            return Spending()
        return Spending("hwang_shih_decani", gamma)
    name: Any = plan.choice("spending", ("obrien_fleming", "pocock", "hwang_shih_decani")) or "obrien_fleming"
    return Spending(name)


def _signed(text: str) -> float:
    if not re.fullmatch(r"-?\d{1,4}(\.\d{1,6})?", text):
        raise SyntaxProblem("E130", f"expected a number, found {quoted(text)}", (0, max(1, len(text))))
    return float(text)


def _signed_share(text: str) -> float:
    return -values.fraction(text[1:].strip()) if text.startswith("-") else values.fraction(text)


def _prior(plan: Fields, problems: Problems) -> Prior:
    """`flat`, `weak`, `history`, or `{mean: 0%, sd: 5%}` of the relative change."""
    node = plan.node_of("prior")
    if node is None:
        return Prior()
    if not isinstance(node, Map):
        kind: Any = plan.choice("prior", ("flat", "weak", "history")) or "flat"
        return Prior(kind)
    inner = Fields(node, "prior", problems)
    mean = inner.read("mean", _signed_share) or 0.0
    sd = inner.read("sd", values.fraction, required=True)
    inner.done()
    if sd == 0.0:
        problems.error(
            "E416",
            "a prior with sd 0% is sure of the effect before the data, and would not listen to any",
            inner.place("sd"),
            "Write how far effects usually are from the mean, such as  sd: 5%",
        )
        return Prior()
    return Prior("own", mean, sd or 0.0) if sd else Prior()
