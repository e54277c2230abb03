"""The decision: from states and labels to exactly one verdict with a reason, and the rule checked line by line.

Order of the default rule (Schultzberg, Ankargren & Franberg 2024, with the planned end made explicit):

1. a failed health check: don't decide, effects are not to be read;
2. a fixed plan before its end: keep running, always;
3. a goal worse, the engagement trap, or a guardrail broken: don't ship;
4. a goal better, none worse, every guardrail held: ship;
5. before the end (sequential plan): keep running;
6. at the end: don't ship, because a guardrail is not shown to hold, or because there is no clear gain.

The engagement trap (mission S17: engagement up, sales down): a goal got better while a metric of value got worse, even
within its margin. It is never "ship", whatever a rule of one's own says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from abtest.analysis.compare import flat
from abtest.analysis.result import Comparison, Decision, HealthCheck, MetricResult, RuleLine, VariantDecision, Verdict
from abtest.language.model import DecideRule

HELD = ("held", "held_but_worse")


@dataclass(frozen=True)
class Clock:
    """Where the experiment stands: `reached` = planned end passed and every unit mature (or data without time);
    `sequential`: the plan may decide now, before that; `looks`: how many of them are kept, this one among them."""

    reached: bool
    sequential: bool
    days_run: int | None = None
    days_planned: int | None = None
    end: str | None = None
    units: int = 0
    looks: int = 0


def decide_variant(
    variant: str,
    metrics: Sequence[MetricResult],
    health: Sequence[HealthCheck],
    clock: Clock,
    rules: Sequence[DecideRule] = (),
    value: Sequence[str] = (),
    worsening: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> VariantDecision:
    """The verdict for one treatment. Exactly one for any combination of states (tests enumerate them).

    `value` names the metrics of value, such as revenue, against which goals are weighed; `worsening` per treatment what
    is getting worse while the experiment runs, which is told and decides nothing.
    """
    lines = _lines(variant, metrics, health, clock, value)
    if variant in worsening:
        worse = tuple(worsening[variant])
        watched = tuple(m.key for m, _ in (*_of(metrics, "goal", variant), *_of(metrics, "guardrail", variant)))
        lines = (*lines[:-1], RuleLine("watch", not worse, worse or watched), lines[-1])
    verdict, reason, outcome = _verdict(variant, metrics, health, clock, rules, value)
    return VariantDecision(variant, verdict, reason, lines, outcome)


def _of(metrics: Sequence[MetricResult], role: str, variant: str) -> list[tuple[MetricResult, Comparison]]:
    return [(m, c) for m in metrics if m.role == role for c in m.comparisons if c.variant == variant]


def _verdict(
    variant: str,
    metrics: Sequence[MetricResult],
    health: Sequence[HealthCheck],
    clock: Clock,
    rules: Sequence[DecideRule],
    value: Sequence[str],
) -> tuple[Verdict, str, str | None]:
    goals = _of(metrics, "goal", variant)
    guardrails = _of(metrics, "guardrail", variant)
    if any(h.level == "fail" and h.scope == "experiment" for h in health) or _metric_failed(health, goals, guardrails):
        return "dont_decide", "health_failed", None
    if not clock.reached and not clock.sequential:
        return "keep_running", "too_early", None
    trapped = bool(trap(variant, metrics, value))
    if rules:
        for rule in rules:
            if _holds(rule, variant, metrics):
                if trapped and rule.verdict == "ship":
                    return "dont_ship", "engagement_trap", rule.outcome
                return rule.verdict, "custom_rule", rule.outcome
        return "dont_ship", "custom_rule", None
    states = [c.state for _, c in goals]
    labels = [c.margin.label if c.margin else "no_test" for _, c in guardrails]
    if "worse" in states:
        return "dont_ship", "goal_worse", None
    if trapped:
        return "dont_ship", "engagement_trap", None
    if "broken" in labels:
        return "dont_ship", "guardrail_broken", None
    held = all(label in HELD for label in labels)
    if "better" in states and held:
        return "ship", "goal_better", None
    if not clock.reached:
        return "keep_running", "too_early", None
    if all(s == "no_test" for s in states):
        return "dont_decide", "no_test", None
    return ("dont_ship", "guardrail_not_shown", None) if "better" in states else ("dont_ship", "no_clear_gain", None)


def trap(variant: str, metrics: Sequence[MetricResult], value: Sequence[str]) -> tuple[str, ...]:
    """The metrics of value that got worse while a goal got better: the engagement trap. Empty where it is none.

    A goal that is itself of value is no trap for another one: both are goals, and one got worse.
    """
    if not any(c.state == "better" for m, c in _of(metrics, "goal", variant) if m.key not in value):
        return ()
    return tuple(
        m.key
        for m in metrics
        if m.key in value and m.role != "goal"
        for c in m.comparisons
        if c.variant == variant and c.state == "worse"
    )


def _metric_failed(health: Sequence[HealthCheck], *groups: list[tuple[MetricResult, Comparison]]) -> bool:
    """A failed check of one metric only matters where the decision reads that metric."""
    deciding = {m.key for group in groups for m, _ in group}
    return any(h.level == "fail" and h.scope == "metric" and h.subject in deciding for h in health)


def _holds(rule: DecideRule, variant: str, metrics: Sequence[MetricResult]) -> bool:
    if not rule.tests:
        return True
    results = []
    for quantifier, name, state in rule.tests:
        if quantifier == "metric":
            found = [_is(m, c, state) for m in metrics if m.key == name for c in m.comparisons if c.variant == variant]
            results.append(any(found))
            continue
        found = [_is(m, c, state) for m, c in _of(metrics, name, variant)]
        results.append({"any": any(found), "every": all(found), "no": not any(found)}[quantifier])
    return all(results) if rule.joiner == "and" else any(results)


def _is(metric: MetricResult, comparison: Comparison, state: str) -> bool:
    label = comparison.margin.label if comparison.margin else None
    match state:
        case "safe":
            return label in HELD
        case "harmed":
            return label in ("broken", "worse_not_shown")
        case "flat":
            return comparison.state == "unclear" and flat(comparison)
        case "unclear":
            return comparison.state in ("unclear", "no_test") and not flat(comparison)
        case _:
            return comparison.state == state


def _lines(
    variant: str,
    metrics: Sequence[MetricResult],
    health: Sequence[HealthCheck],
    clock: Clock,
    value: Sequence[str],
) -> tuple[RuleLine, ...]:
    """The default rule line by line; it is shown beside a user's own rule too."""
    goals = _of(metrics, "goal", variant)
    guardrails = _of(metrics, "guardrail", variant)
    states = [c.state for _, c in goals]
    labels = [c.margin.label if c.margin else "no_test" for _, c in guardrails]
    counted = {s: states.count(s) for s in ("better", "worse", "unclear", "no_test")}
    goal = RuleLine("goals", counted["better"] > 0 and counted["worse"] == 0, tuple(m.key for m, _ in goals), counted)
    lines = [goal]
    if guardrails:
        tally: dict[str, int | float | str | None] = {
            "held": labels.count("held"), "held_but_worse": labels.count("held_but_worse"),
            "not_shown": labels.count("not_shown") + labels.count("worse_not_shown"),
            "broken": labels.count("broken"), "no_test": labels.count("no_test"), "total": len(labels),
        }  # fmt: skip
        lines.append(RuleLine("guardrails", all(x in HELD for x in labels), tuple(m.key for m, _ in guardrails), tally))
    weighed = tuple(m.key for m in metrics if m.key in value and m.role != "goal")
    if weighed:
        worse = trap(variant, metrics, value)
        lines.append(RuleLine("value", not worse, worse or weighed))
    levels = [h.level for h in health]
    checks: dict[str, int | float | str | None] = {
        "passed": levels.count("pass"), "notes": levels.count("note"), "failed": levels.count("fail"), "not_run": levels.count("not_run"),
    }  # fmt: skip
    lines.append(RuleLine("health", "fail" not in levels, (), checks))
    run: dict[str, int | float | str | None] = {
        "days_run": clock.days_run,
        "days_planned": clock.days_planned,
        "units": clock.units,
        "end": clock.end,
    }
    lines.append(RuleLine("runtime", clock.reached, (), run))
    return tuple(lines)


_RANK: Mapping[Verdict, int] = {"ship": 0, "keep_running": 1, "dont_ship": 2, "dont_decide": 3}


def decide(
    treatments: Sequence[str],
    metrics: Sequence[MetricResult],
    health: Sequence[HealthCheck],
    clock: Clock,
    rules: Sequence[DecideRule] = (),
    value: Sequence[str] = (),
    worsening: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Decision:
    """The verdict of the experiment: ship if any treatment ships, else keep running if any should, else don't ship.

    With several treatments to ship the headline speaks of the one with the largest gain in the first goal; treatments
    are not tested against each other.
    """
    each = tuple(decide_variant(v, metrics, health, clock, rules, value, worsening) for v in treatments)
    failed = [d for d in each if d.reason == "health_failed"]
    best = (
        failed[0]
        if failed
        else min(each, key=lambda d: (_RANK[d.verdict], -_gain(d.variant, metrics), treatments.index(d.variant)))
    )
    return Decision(
        verdict=best.verdict,
        reason=best.reason,
        variant=best.variant,
        valid=best.reason != "health_failed",
        rules=best.rules,
        by_variant=each,
        outcome=best.outcome,
        custom_rule=tuple(f"{r.outcome}: {r.text}" for r in rules),
    )


def _gain(variant: str, metrics: Sequence[MetricResult]) -> float:
    """The change in the first goal, better upwards; relative where there is a lift."""
    for metric in metrics:
        if metric.role != "goal":
            continue
        for comparison in metric.comparisons:
            if comparison.variant == variant:
                effect = comparison.relative or comparison.absolute
                if effect is not None:
                    return -effect.estimate if metric.better == "lower" else effect.estimate
        break
    return float("-inf")
