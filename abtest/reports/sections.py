"""What each section of the page says: leads, tables and cards, derived from the result."""

from __future__ import annotations

from dataclasses import dataclass

from abtest.analysis.result import MetricResult
from abtest.reports.adjusted import goal_lead, worth
from abtest.reports.appendix import Plain
from abtest.reports.beside import drivers_section, triggered_section, value_section
from abtest.reports.charts import Chart
from abtest.reports.distribution import distribution_section
from abtest.reports.evidence import Evidence as Evidence
from abtest.reports.iterations import iterations_section
from abtest.reports.labels import Chip
from abtest.reports.limits import facts, limits
from abtest.reports.looks import IN_PANELS, beside_table, equivalence_lead, selected_table
from abtest.reports.moderators import moderator_leads, moderator_table
from abtest.reports.numbers import decimals_for
from abtest.reports.people import Panel, levels_section, parts_of, surveys_section
from abtest.reports.plan_looks import believed_section, looks_section
from abtest.reports.profile import profile_section
from abtest.reports.questions import questions_section
from abtest.reports.retention import retention_section
from abtest.reports.robustness import robustness_section
from abtest.reports.svg import Mark, forest_scale, mark, ticks
from abtest.reports.tables import (
    Axis,
    by_clarity,
    guardrail_table,
    labels,
    metric_tables,
    segment_tables,
)
from abtest.reports.targets import targets_section
from abtest.reports.text import clip
from abtest.reports.trajectory import trajectory_leads
from abtest.reports.verdict import (
    RuleText,
    comparison_of,
    guardrail_labels,
    headline,
    rule_lines,
    sentence,
)
from abtest.reports.wording import Wording

TEXT_LIMIT = 700


@dataclass(frozen=True)
class TreatmentVerdict:
    name: str
    swatch: str
    chip: Chip
    text: str


@dataclass(frozen=True)
class Card:
    """The verdict card. `number` is empty when no effect may or can be shown; `why` then says so."""

    verdict: str
    chip: Chip
    sentence: str
    outcome: str
    rules: tuple[RuleText, ...]
    goal: str
    number: str
    interval: str
    tip: str
    tone: str
    mark: Mark | None
    axis: Axis | None
    lines: tuple[tuple[str, str], ...]
    why: str
    treatments: tuple[TreatmentVerdict, ...]


@dataclass(frozen=True)
class Page:
    title: str
    heading: str
    hypothesis: str
    lineage: str
    card: Card
    facts: tuple[tuple[str, str], ...]
    limits: tuple[str, ...]
    evidence: dict[str, Evidence]
    panels: dict[str, tuple[Panel, ...]]
    charts: dict[str, tuple[Chart, ...]]

    def has(self, section: str) -> bool:
        return section in ("verdict", "health", "method", "data") or section in self.evidence


def build_page(w: Wording) -> Page:
    """Everything the templates show, except health and the appendix."""
    experiment = w.result.experiment
    name = w.name(experiment.title or experiment.id, 160)
    word = w.words(f"verdict.{w.result.decision.verdict}.word")
    evidence: dict[str, Evidence] = {}
    if w.result.decision.valid:
        builders = {
            "goal": _goal,
            "secondary": _secondary,
            "guardrails": _guardrails,
            "believed": believed_section,
            "robustness": robustness_section,
            "looks": looks_section,
            "explore": _explore,
            "parts": _parts,
            "segments": _segments,
            "profile": profile_section,
            "questions": questions_section,
            "targets": targets_section,
            "iterations": iterations_section,
            "triggered": triggered_section,
            "value": value_section,
            "drivers": drivers_section,
        }
        for key, build in builders.items():
            built = build(w)
            if built is not None:
                evidence[key] = built
    panels: dict[str, tuple[Panel, ...]] = {}
    for key, section in (("levels", levels_section), ("surveys", surveys_section)):
        found = section(w) if w.result.decision.valid else None
        if found is not None:
            evidence[key], panels[key] = found
    charts: dict[str, tuple[Chart, ...]] = {}
    for key, drawn in (("retention", retention_section), ("distribution", distribution_section)):
        figures = drawn(w) if w.result.decision.valid else None
        if figures is not None:
            evidence[key], charts[key] = figures
    lineage = w.words("head.iteration_of", id=w.name(experiment.iteration_of)) if experiment.iteration_of else ""
    return Page(
        title=w.words("head.title", verdict=word, name=w.name(experiment.title or experiment.id)),
        heading=name,
        hypothesis=w.name(experiment.hypothesis, 300) if experiment.hypothesis else "",
        lineage=lineage,
        card=_card(w),
        facts=tuple(facts(w)),
        limits=tuple(limits(w)),
        evidence=evidence,
        panels=panels,
        charts=charts,
    )


def _card(w: Wording) -> Card:
    words, decision = w.words, w.result.decision
    chip = w.chip_of_verdict(decision.verdict)
    head = headline(w)
    goal = ""
    if head is not None:
        slots = {"goal": w.metric(head.metric)}
        key = "card.goal_of" if w.many else "card.goal"
        goal = words(key, **slots, variant=w.variant(decision.variant))
    number = interval = tip = why = ""
    tone, found, axis = "flat", None, None
    lines: list[tuple[str, str]] = []
    if not decision.valid:
        number, why = words("card.hidden"), words("card.hidden_why")
    elif head is not None and head.comparison is not None and head.change is not None:
        comparison, change, metric = head.comparison, head.change, head.metric
        shown = w.shown(comparison)
        assert shown is not None
        number, interval = change.estimate, w.with_interval(change)
        tip = words("table.tip", name=w.metric(metric), change=number, label=change.label, interval=change.interval)
        tone = w.chip("state", w.state(comparison)).tone
        detect = w.detect(metric)
        dashed = detect if shown.relative else None
        scale = forest_scale([shown.bounds], [] if dashed is None else [dashed])
        found = mark(scale, shown.bounds)
        unit = "relative" if shown.relative else metric.unit_of_value
        axis = Axis(labels(w, ticks(scale), unit), dashed="" if dashed is None else scale.at(dashed))
        control, treatment = w.values(metric, metric.arms, comparison.variant)
        lines = [(w.control, control), (w.variant(comparison.variant), treatment)]
        lines += _difference(w, metric, comparison.variant)
        if comparison.adjustment is not None:
            # The change is not just that of the two values above, and a reader who divides them should know why.
            lines.append((words("card.adjusted"), words("card.adjusted_value", worth=worth(w, comparison.adjustment))))
        if detect is not None:
            text = w.detect_text(detect)
            lines.append(
                (words("card.detect"), words("card.detect_value", detect=text) if dashed is not None else text)
            )
        if w.early:
            why = words("card.band_why" if shown.band else "card.one_look_why")
        relative = w.no_relative(comparison)
        if relative:
            why = words("list.space").join(filter(None, [why, words("card.no_interval", why=relative)]))
    elif head is not None:
        number, why = words("state.no_test"), w.no_test(head.comparison)
    treatments = []
    if w.many:
        for of in decision.by_variant:
            index = w.treatments.index(of.variant) if of.variant in w.treatments else 0
            text = sentence(w, of)
            treatments.append(
                TreatmentVerdict(w.variant(of.variant), f"t{index % 4 + 1}", w.chip_of_verdict(of.verdict), text)
            )
    outcome = words("outcome", outcome=w.name(decision.outcome)) if decision.outcome else ""
    return Card(
        verdict=decision.verdict,
        chip=chip,
        sentence=sentence(w),
        outcome=outcome,
        rules=tuple(rule_lines(w)),
        goal=goal,
        number=number,
        interval=interval,
        tip=tip,
        tone=tone,
        mark=found,
        axis=axis,
        lines=tuple(lines),
        why=why,
        treatments=tuple(treatments),
    )


def _difference(w: Wording, metric: MetricResult, variant: str) -> list[tuple[str, str]]:
    """The absolute difference with its interval, beside a relative change."""
    comparison = comparison_of(metric, variant)
    if comparison is None:
        return []
    relative, absolute = w.shown(comparison), w.shown(comparison, absolute=True)
    # Read early, only a band may stand beside a band.
    if relative is None or absolute is None or not relative.relative or relative.band != absolute.band:
        return []
    change = w.change(metric, absolute)
    # The interval stays whole, so that a narrow card breaks before it and not inside it.
    whole = change.interval.replace(" ", "\u00a0")
    return [(w.words("card.absolute"), w.words("card.absolute_value", change=change.estimate, interval=whole))]


def _caption(w: Wording, first: str, metrics: list[MetricResult], adjusted: str | None) -> str:
    text = w.words(first, control=w.control)
    if w.early:
        adjusted = "labels.early" if adjusted is None else f"{adjusted}_early"
    if adjusted is None:
        return text
    return w.words("list.space").join([text, w.words(adjusted, n=w.count(len(metrics)))])


def _goal(w: Wording) -> Evidence | None:
    goals = list(w.result.goals)
    if not goals:
        return None
    leads = []
    meanings: list[tuple[str, str]] = []
    if len(goals) == 1:
        title = w.words("sections.goal.title", goal=w.metric(goals[0]))
        leads.append(clip(w.meaning(goals[0]), TEXT_LIMIT))
    else:
        title = w.words("sections.goal.title_many")
        states = [w.state(c) for g in goals for c in g.comparisons if c.variant == w.result.decision.variant]
        slots = {code: w.count(states.count(code)) for code in ("better", "worse")}
        slots["unclear"] = w.count(len(states) - states.count("better") - states.count("worse"))
        leads.append(w.words("goal.lead_many", total=w.count(len(states)), **slots))
        meanings = [(w.metric(goal), clip(w.meaning(goal), TEXT_LIMIT)) for goal in goals]
    detects = {w.detect(goal) for goal in goals} - {None}
    more = []
    if len(detects) == 1:
        more.append(w.words("goal.lead_detect", detect=w.detect_text(next(iter(detects)) or 0.0)))
    more += [
        w.words("goal.mature_on", goal=w.metric(goal), date=w.date(goal.mature_on)) for goal in goals if goal.mature_on
    ]
    if more:
        leads.append(w.words("list.space").join(more))
    if len(goals) == 1:
        leads += [text for text in (equivalence_lead(w, goals[0]), goal_lead(w, goals[0])) if text is not None]
    leads += trajectory_leads(w)
    shown = [w.shown(c) for goal in goals for c in goal.comparisons]
    banded = any(one is not None and one.band for one in shown)
    method = w.result.plan.correct_goal
    corrected = method != "none" and w.result.plan.method != "bayesian"
    adjusted = f"goal.adjusted_{method}" if (len(goals) > 1 or w.many) and corrected else None
    if w.early and not banded:
        caption = w.words("goal.caption", control=w.control)  # without a band no label is read before the end
    else:
        caption = _caption(w, "goal.caption_band" if banded else "goal.caption", goals, adjusted)
    table = metric_tables(w, goals, "goal", caption)
    label = w.interval_label() if banded else w.words("interval.label", level=w.level)
    read = (w.words("read.text", label=label),)
    return Evidence(title, tuple(leads), (table,), tuple(_arms(w, goal) for goal in goals), tuple(meanings), read)


def _arms(w: Wording, metric: MetricResult) -> Plain:
    """Who was counted for a goal, per variant."""
    keys = ["variant", "exposed", "used", "immature", "missing", "value", "sd"]
    none = w.words("table.no_value")
    rows = []
    for arm in metric.arms:
        sd = none
        if arm.standard_deviation is not None and metric.unit_of_value != "share":
            sd = w.value(metric, arm.standard_deviation)
        elif arm.standard_deviation is not None:
            sd = w.numbers.fixed(arm.standard_deviation, 3)
        counts = (arm.exposed, arm.used, arm.immature, arm.missing)
        rows.append((w.variant(arm.variant), *map(w.count, counts), w.value(metric, arm.value), sd))
    # Columns that say nothing are left out, so that the table fits a phone.
    keep = [i for i in range(len(keys)) if i not in (3, 4, 6) or any(row[i] not in ("0", none) for row in rows)]
    caption = w.words("goal.arms_caption")
    if len(w.result.goals) > 1:
        caption = w.words("health.about", check=caption, subject=w.metric(metric))
    columns = tuple(w.words(f"goal.{keys[i]}") for i in keep)
    return Plain(caption, columns, tuple(tuple(row[i] for i in keep) for row in rows), frozenset(range(1, len(keep))))


def _listed(w: Wording, key: str, names: list[str]) -> list[str]:
    return [w.words(key, list=w.join(names))] if names else []


def _secondary(w: Wording) -> Evidence | None:
    metrics = by_clarity(w, w.result.with_role("secondary"))
    if not metrics:
        return None
    by_state: dict[str, list[str]] = {}
    for metric in metrics:
        for comparison in metric.comparisons:
            state = "no_test" if comparison.status == "no_test" else w.state(comparison)
            state = "unclear" if state == "flat" else state
            name = w.metric(metric)
            if w.many:
                name = w.words("interval.named", metric=name, variant=w.variant(comparison.variant))
            by_state.setdefault(state, []).append(name)
    lists = "secondary.so_far" if w.early else "secondary"
    leads = [
        text
        for state in ("better", "worse", "unclear", "open", "no_test")
        for text in _listed(w, f"{lists}.{state}", by_state.get(state, []))
    ]
    believed = w.result.plan.method == "bayesian" and not w.early
    way = "credible" if believed else w.result.plan.correct_secondary
    adjusted = f"secondary.{way}" if len(metrics) > 1 else None
    caption = _caption(w, "secondary.caption", metrics, adjusted)
    wide = selected_table(w)
    return Evidence(
        w.words("sections.secondary.title"),
        tuple(leads),
        (metric_tables(w, metrics, "secondary", caption),),
        () if wide is None else (wide,),
    )


def _guardrails(w: Wording) -> Evidence | None:
    metrics = list(w.result.guardrails)
    if not metrics:
        return None
    by_label: dict[str, list[str]] = {}
    for variant in w.treatments:
        for metric, label in guardrail_labels(w.result, variant):
            name = w.metric(metric)
            if w.many:
                name = w.words("interval.named", metric=name, variant=w.variant(variant))
            by_label.setdefault(label, []).append(name)
    total = sum(map(len, by_label.values()))
    held = len(by_label.get("held", [])) + len(by_label.get("held_but_worse", []))
    at = "guardrails.so_far" if w.early else "guardrails"
    if held == total:
        leads = [w.words.plural(f"{at}.all_held", total, n=w.spelled(total))]
    else:
        leads = [w.words(f"{at}.some_held", held=w.count(held), total=w.count(total))]
    for label in ("broken", "worse_not_shown", "not_shown", "no_test", "held_but_worse"):
        leads += _listed(w, f"guardrails.{label}", by_label.get(label, []))
    read = (w.words("read.guardrail"),)
    return Evidence(w.words("sections.guardrails.title"), tuple(leads), (guardrail_table(w, metrics),), read=read)


def _explore(w: Wording) -> Evidence | None:
    metrics = list(w.result.with_role("explore"))
    if not metrics:
        return None
    table = metric_tables(w, metrics, "explore", w.words("explore.caption", control=w.control))
    return Evidence(w.words("sections.explore.title"), (w.words("explore.lead"),), (table,))


def _parts(w: Wording) -> Evidence | None:
    """What comes with a metric by itself: steps of a funnel, rungs of a ladder, who answered."""
    parents = [m for m in w.result.metrics if m.kind not in IN_PANELS and parts_of(w, m)]
    tables = []
    for parent in parents:
        parts = parts_of(w, parent)
        parts += [parent] if parent.kind == "funnel" else []
        caption = w.words("parts.caption", metric=w.metric(parent), control=w.control)
        tables.append(metric_tables(w, parts, "explore", caption))
    looks = beside_table(w)
    plain = (*([looks] if looks is not None else []),)
    if not tables and not plain:
        return None
    return Evidence(w.words("sections.parts.title"), (w.words("parts.lead"),), tuple(tables), plain)


def _segments(w: Wording) -> Evidence | None:
    tables = segment_tables(w)
    if not tables:
        return _moderators(w)
    tested = [segment for segment in w.result.segments if segment.interaction_p is not None]
    # The interaction tests of all splits and goals share one error rate, so that many do not make one look clear.
    adjusted = w.result.plan.correct_segments == "bh" and len(tested) > 1
    judged = [(s.dimension, s.interaction_p_adjusted if adjusted else s.interaction_p) for s in tested]
    limit = w.result.plan.alpha
    clear = [dimension for dimension, p in judged if p is not None and p < limit]
    decimals = decimals_for((limit,), 4)
    slots = {"limit": w.words("p.below", p=w.numbers.trimmed(limit, decimals))}
    how = "_bh" if adjusted else ""
    if clear:
        names = w.join([w.name(name, 40) for name in dict.fromkeys(clear)])
        lead = w.words.plural(f"segments.lead.some_clear{how}", len(tested), list=names, **slots)
    elif tested:
        lead = w.words.plural(f"segments.lead.none_clear{how}", len(tested), **slots)
    else:
        lead = w.words("segments.lead.untested")
    leads = [lead]
    if any(group.shrunken for segment in w.result.segments for group in segment.groups):
        leads.append(w.words("segments.shrunken_why"))
    if any(segment.merged_groups for segment in w.result.segments):
        leads.append(w.words("segments.privacy", n=w.count(w.result.min_cell)))
    leads += moderator_leads(w)
    along = moderator_table(w)
    plain = () if along is None else (along,)
    return Evidence(w.words("sections.segments.title"), tuple(leads), tuple(tables), plain)


def _moderators(w: Wording) -> Evidence | None:
    """Moderators without any segment."""
    leads, along = moderator_leads(w), moderator_table(w)
    if not leads:
        return None
    return Evidence(w.words("sections.segments.title"), tuple(leads), (), () if along is None else (along,))
