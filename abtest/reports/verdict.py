"""The verdict in words: one sentence, and the rule line by line."""

from __future__ import annotations

from dataclasses import dataclass

from abtest.analysis.result import Comparison, MetricResult, Result, RuleLine, VariantDecision
from abtest.reports.health import counts, failures
from abtest.reports.labels import Chip
from abtest.reports.wording import Change, Wording


@dataclass(frozen=True)
class RuleText:
    text: str
    chip: Chip


@dataclass(frozen=True)
class Headline:
    """The goal and comparison that the verdict speaks of; `change` is None when none may be shown."""

    metric: MetricResult
    comparison: Comparison | None
    change: Change | None


def comparison_of(metric: MetricResult, variant: str) -> Comparison | None:
    return next((c for c in metric.comparisons if c.variant == variant), None)


def headline(w: Wording, variant: str | None = None, reason: str | None = None) -> Headline | None:
    """The goal that made the decision: a worse one if that was the reason, else a better one, else the first."""
    decision = w.result.decision
    variant = variant or decision.variant
    why = reason or decision.reason
    wanted = {"goal_worse": "worse", "goal_better": "better", "engagement_trap": "better"}.get(why)
    if why == "too_early" and not w.early:
        wanted = "better"
    pairs = [(goal, comparison_of(goal, variant)) for goal in w.result.goals]
    if not pairs:
        return None
    matching = [pair for pair in pairs if pair[1] is not None and pair[1].state == wanted]
    testable = [pair for pair in pairs if pair[1] is not None and pair[1].status == "ok"]
    metric, comparison = (matching or testable or pairs)[0]
    shown = None if comparison is None else w.shown(comparison)
    return Headline(metric, comparison, None if shown is None else w.change(metric, shown))


def low_end(w: Wording, head: Headline) -> str | None:
    """The end of the interval nearest to zero, when the goal is clearly better and the change is to be shipped."""
    if head.comparison is None or head.change is None or w.early or w.state(head.comparison) != "better":
        return None
    if w.result.decision.verdict != "ship":
        return None
    return head.change.high if head.metric.better == "lower" else head.change.low


def sentence(w: Wording, of: VariantDecision | None = None) -> str:
    """The verdict in one sentence, for the experiment or for one of its treatments."""
    decision = w.result.decision
    reason = of.reason if of else decision.reason
    variant = of.variant if of else decision.variant
    outcome = of.outcome if of else decision.outcome
    head = headline(w, variant, reason)
    if not decision.valid or reason == "health_failed":
        return w.words("sentence.health_failed", which=w.join(failures(w)) or None)
    goal = w.metric(head.metric) if head else ""
    change = head.change if head else None
    name = w.variant(variant) if w.many else w.subject
    if reason in ("goal_better", "goal_worse") and head and change and head.comparison:
        return _moved(w, reason, name, head, change, variant)
    if reason in ("guardrail_broken", "guardrail_not_shown"):
        return _guardrails(w, reason, goal, variant)
    if reason == "engagement_trap":
        rules = of.rules if of else decision.rules
        return _trap(w, goal, change, rules, variant)
    experiment = w.result.experiment
    if (
        reason == "too_early"
        and head
        and change
        and head.comparison
        and not w.early
        and w.state(head.comparison) == "better"
    ):
        # The plan may decide now and a goal is better: what is missing is a guardrail.
        missing = [m for m, label in guardrail_labels(w.result, variant) if label not in ("held", "held_but_worse")]
        if missing:
            names = w.join([w.metric(m) for m in missing])
            return w.words("sentence.too_early_held", goal=goal, interval=w.with_interval(change), list=names)
    if reason in ("no_clear_gain", "too_early"):
        run, planned = experiment.days_of_plan, experiment.days_planned
        return w.words(
            f"sentence.{reason}",
            goal=goal,
            low=change.low if change else None,
            high=change.high if change else None,
            days=None if run is None else w.words.plural("rule.runtime.days", run),
            run=None if run is None else w.count(run),
            planned=None if planned is None else w.count(planned),
        )
    if reason == "no_test":
        return w.words("sentence.no_test", why=w.no_test(head.comparison) if head else None)
    if reason == "custom_rule":
        return w.words("sentence.custom_rule", outcome=w.name(outcome) if outcome else None)
    return w.words("sentence.unknown", reason=w.name(reason))


def _moved(w: Wording, reason: str, name: str, head: Headline, change: Change, variant: str) -> str:
    assert head.comparison is not None
    shown = w.shown(head.comparison)
    direction = "up" if shown is not None and shown.interval.estimate > 0 else "down"
    slots = {"name": name, "goal": w.metric(head.metric), "size": change.size, "interval": w.with_interval(change)}
    if reason == "goal_worse":
        return w.words(f"sentence.goal_worse.{direction}", **slots)
    labels = [label for _, label in guardrail_labels(w.result, variant)]
    if not all(label in ("held", "held_but_worse") for label in labels):
        text = w.words(f"sentence.goal_better.plain.{direction}", **slots)
    else:
        n = len(labels)
        text = w.words.plural(f"sentence.goal_better.{direction}", n, guardrails=w.spelled(n), **slots)
    goals = [comparison_of(goal, variant) for goal in w.result.goals]
    if len(goals) > 1:
        better = sum(1 for c in goals if c is not None and w.state(c) == "better")
        count = w.words("sentence.goals_count", better=w.count(better), total=w.count(len(goals)))
        return f"{text} {count}"
    return text


def _trap(w: Wording, goal: str, change: Change | None, rules: tuple[RuleLine, ...], variant: str) -> str:
    """Engagement up, value down: both named with what they did."""
    worse = next((r.metrics for r in rules if r.code == "value"), ())
    metrics = [m for m in w.result.metrics if m.key in worse]
    loss = None
    if len(metrics) == 1:
        comparison = comparison_of(metrics[0], variant)
        shown = None if comparison is None else w.shown(comparison)
        loss = None if shown is None else w.with_interval(w.change(metrics[0], shown))
    return w.words(
        "sentence.engagement_trap",
        goal=goal,
        interval=None if change is None else w.with_interval(change),
        value=w.join([w.metric(m) for m in metrics]),
        loss=loss,
    )


def guardrail_labels(result: Result, variant: str) -> list[tuple[MetricResult, str]]:
    """Every guardrail with its label for one treatment; without a margin result there is no test."""
    found: list[tuple[MetricResult, str]] = []
    for metric in result.guardrails:
        comparison = comparison_of(metric, variant)
        margin = comparison.margin if comparison is not None and comparison.status == "ok" else None
        found.append((metric, margin.label if margin is not None else "no_test"))
    return found


def _guardrails(w: Wording, reason: str, goal: str, variant: str) -> str:
    wanted = ("broken",) if reason == "guardrail_broken" else ("not_shown", "worse_not_shown", "no_test", "broken")
    hit = [metric for metric, label in guardrail_labels(w.result, variant) if label in wanted]
    margins = []
    for metric in hit:
        comparison = comparison_of(metric, variant)
        margin = comparison.margin if comparison else None
        margins.append(w.margin(metric, margin) if margin else w.words("margin.unknown"))
    if len(hit) == 1:
        return w.words(f"sentence.{reason}.one", guardrail=w.metric(hit[0]), margin=margins[0], goal=goal)
    if not hit and w.words.has(f"sentence.{reason}.none"):
        return w.words(f"sentence.{reason}.none", goal=goal)
    names = w.join([w.metric(metric) for metric in hit])
    return w.words(f"sentence.{reason}.other", n=w.count(len(hit)), list=names, goal=goal)


# The rule, line by line


def rule_lines(w: Wording, rules: tuple[RuleLine, ...] | None = None, variant: str | None = None) -> list[RuleText]:
    """Each line of the decision rule with whether it was met; without effects when those are hidden."""
    variant = variant or w.result.decision.variant
    lines, hidden = [], False
    for rule in w.result.decision.rules if rules is None else rules:
        if not w.result.decision.valid and rule.code not in ("health", "runtime"):
            if not hidden:
                lines.append(RuleText(w.words("rule.hidden"), _tick(w, None)))
            hidden = True
            continue
        values = {key: value for key, value in (rule.values or {}).items() if isinstance(value, (int, float))}
        counts_of = {key: int(value) for key, value in values.items()}
        if rule.code == "goals":
            text, met = _goals_line(w, rule, counts_of, variant)
        elif rule.code == "guardrails":
            text, met = _guardrails_line(w, counts_of, variant), rule.met
            if w.early and counts_of.get("broken", 0) == 0:
                met = None
        elif rule.code == "health":
            text, met = health_line(w), rule.met if counts(w.result).total else None
        elif rule.code == "value":
            met = None if w.early else rule.met
            names = w.join([w.metric(m) for m in w.result.metrics if m.key in rule.metrics])
            text = w.words(f"rule.value.{_answer(met)}", list=names)
        elif rule.code == "watch":
            met = False if rule.met is False else None
            names = w.join([w.metric(m) for m in w.result.metrics if m.key in rule.metrics])
            text = w.words(f"rule.watch.{_answer(rule.met)}", list=names)
        elif rule.code == "runtime":
            text, met = _runtime_line(w, rule), None if rule.met is False else rule.met
        else:
            answer = w.words(f"rule.answer.{_answer(rule.met)}")
            text, met = w.words("rule.unknown", code=w.name(rule.code), answer=answer), rule.met
        lines.append(RuleText(text, _tick(w, met)))
    return lines


def _answer(met: bool | None) -> str:
    return "open" if met is None else "met" if met else "unmet"


def _tick(w: Wording, met: bool | None) -> Chip:
    tone = {"met": "good", "unmet": "bad", "open": "flat"}[_answer(met)]
    return Chip(w.words(f"card.rule_{_answer(met)}"), tone, tone)


def _goals_line(w: Wording, rule: RuleLine, n: dict[str, int], variant: str) -> tuple[str, bool | None]:
    goals = [goal for goal in w.result.goals if not rule.metrics or goal.key in rule.metrics]
    met = None if w.early else rule.met
    if len(goals) == 1:
        comparison = comparison_of(goals[0], variant)
        shown = None if comparison is None else w.shown(comparison)
        if comparison is None or shown is None:
            return w.words("rule.goals.one.no_test", why=w.no_test(comparison)), met
        change = w.change(goals[0], shown)
        low, _, high = shown.bounds
        above, below = low is not None and low > 0, high is not None and high < 0
        state = w.state(comparison)
        if w.early:
            form = ("open_clear" if above or below else "open_contains") if shown.band else "open_plain"
        elif state == "worse":
            form = "worse"
        elif state == "better":
            form = "below" if below else "above" if above else "unclear"
        else:
            form = "unclear" if above or below else "contains"
        return w.words(f"rule.goals.one.{form}", interval=change.interval), met
    if w.early:
        return w.words("rule.goals.many.open"), met
    parts = [
        w.words(f"rule.goals.{state}", n=w.count(n[state]))
        for state in ("better", "worse", "unclear", "no_test")
        if n.get(state)
    ]
    form = "met" if rule.met else "unmet"
    return w.words(f"rule.goals.many.{form}", counts=w.join(parts) or w.count(0)), met


def _guardrails_line(w: Wording, n: dict[str, int], variant: str) -> str:
    held = n.get("held", 0) + n.get("held_but_worse", 0)
    total = n.get("total", len(w.result.guardrails))
    if total == 0:
        return w.words("rule.guardrails.none")
    if w.early and not n.get("broken"):
        parts = [w.words("rule.guardrails.open")]
        if n.get("no_test"):
            parts.append(w.words("rule.guardrails.no_test", n=w.count(n["no_test"])))
        return w.words("list.clauses").join(parts)
    parts = [w.words("rule.guardrails.held", held=w.count(held), total=w.count(total))]
    worse = [metric for metric, label in guardrail_labels(w.result, variant) if label == "held_but_worse"]
    if len(worse) == 1:
        parts.append(w.words("rule.guardrails.held_worse_one", metric=w.metric(worse[0])))
    elif worse:
        parts.append(w.words("rule.guardrails.held_worse_other", n=w.count(len(worse))))
    failing = [code for code in ("broken", "not_shown", "no_test") if n.get(code)]
    parts += [w.words(f"rule.guardrails.{code}", n=w.count(n[code])) for code in failing]
    return w.words("list.clauses").join(parts)


def health_line(w: Wording) -> str:
    c = counts(w.result)
    if c.total == 0:
        return w.words("rule.health.none")
    parts = [w.words("rule.health.passed", passed=w.count(c.passed), total=w.count(c.total))]
    if c.notes:
        parts.append(w.words.plural("rule.health.notes", c.notes))
    parts.append(w.words("rule.health.failed", n=w.count(c.failed)))
    if c.not_run:
        parts.append(w.words("rule.health.not_run", n=w.count(c.not_run)))
    return w.words("list.separator").join(parts)


def _runtime_line(w: Wording, rule: RuleLine) -> str:
    experiment = w.result.experiment
    units = w.units(w.total_units)
    if not experiment.has_time:
        return w.words("rule.runtime.no_time", units=units)
    run, planned = experiment.days_of_plan, experiment.days_planned
    slots = {
        "run": None if run is None else w.count(run),
        "planned": None if planned is None else w.count(planned),
        "units": units,
        "end": None if experiment.end is None else w.date(experiment.end),
    }
    if rule.met is False:
        left = planned - run if run is not None and planned is not None else 0
        slots["left"] = w.words.plural("rule.runtime.days", left) if left > 0 else None
        planned_once = w.result.plan.method in ("fixed", "bayesian")
        return w.words("rule.runtime.unmet" if planned_once else "rule.runtime.unmet_looks", **slots)
    return w.words("rule.runtime.met", **slots)
