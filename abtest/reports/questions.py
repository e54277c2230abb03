"""The four questions about engagement, answered from what was measured, or honestly left open."""

from __future__ import annotations

from abtest.analysis.beside import Association
from abtest.analysis.result import MetricResult
from abtest.reports.appendix import Plain
from abtest.reports.evidence import Evidence
from abtest.reports.text import clip
from abtest.reports.verdict import comparison_of
from abtest.reports.wording import Wording

TAGGED = "question_"
MOST_METRICS = 4
"""Whose definition is said; a report may have dozens."""
MEANING_LIMIT = 200


def questions_section(w: Wording) -> Evidence | None:
    """For experiments whose metrics say which question they answer, or that name a value or drivers."""
    result = w.result
    asked = any(t.startswith(TAGGED) for m in result.metrics for t in m.tags)
    if not asked and result.value is None and result.drivers is None:
        return None
    words = w.words
    answers = {"what": _what(w), "how": _how(w), "buying": _buying(w), "worth": _worth(w)}
    rows = tuple((words(f"questions.{q}"), words("list.space").join(a)) for q, a in answers.items())
    columns = (words("questions.columns.question"), words("questions.columns.answer"))
    table = Plain(words("questions.caption"), columns, rows, frozenset())
    return Evidence(
        words("sections.questions.title"), (words("questions.lead"),), (), (table,), read=(words("questions.read"),)
    )


def _tagged(w: Wording, question: str) -> list[MetricResult]:
    return [m for m in w.result.metrics if f"{TAGGED}{question}" in m.tags]


def _once(metrics: list[MetricResult]) -> list[MetricResult]:
    return list({m.key: m for m in metrics}.values())


def _what(w: Wording) -> list[str]:
    """The goals, and what else says what engagement is, by their definitions."""
    metrics = _once([*w.result.goals, *_tagged(w, "what")])[:MOST_METRICS]
    return [
        w.words("questions.defined", metric=w.metric(m), meaning=clip(w.meaning(m).partition(". ")[0], MEANING_LIMIT) + ".")
        for m in metrics
    ]  # fmt: skip


def _how(w: Wording) -> list[str]:
    """Every form of expression by how it moved."""
    forms = _once([*_tagged(w, "how"), *(m for m in w.result.metrics if m.dimension), *w.result.goals])
    if w.early:
        return [w.words("questions.wait")]
    by_state: dict[str, list[str]] = {}
    for metric in forms:
        comparison = comparison_of(metric, w.result.decision.variant)
        state = "no_test" if comparison is None or comparison.status != "ok" else w.state(comparison)
        if metric.role == "explore" and state != "no_test":
            state = "explored"
        by_state.setdefault({"flat": "unclear", "no_test": "untested"}.get(state, state), []).append(w.metric(metric))
    said = ("better", "worse", "unclear", "explored", "untested")
    return [w.words(f"questions.{s}", metrics=w.join(by_state[s])) for s in said if s in by_state]


def _buying(w: Wording) -> list[str]:
    found, cluster = w.result.value, w.result.experiment.cluster
    network = (
        w.words("questions.network", cluster=w.name(cluster, 40))
        if cluster
        else w.words("questions.network_open", units=w.unit_name)
    )
    if found is None:
        return [w.words("questions.buying_open"), network]
    value = w.result.metric(found.metric)
    variant = w.result.decision.variant
    comparison = comparison_of(value, variant)
    shown = None if comparison is None else w.shown(comparison)
    if comparison is None or shown is None:
        return [w.no_test(comparison), network]
    change = w.change(value, shown)
    slots = {"value": w.metric(value), "change": change.estimate, "label": change.label, "interval": change.interval}
    slots["state"] = w.label("state", w.state(comparison)).lower()
    answers = [w.words("questions.bought", **slots)]
    along = [a for g in found.goals for a in g.associations if a.variant == variant and a.odds_ratio is not None]
    if along and not w.early:
        answers.append(_along(w, along[0]))
    return [*answers, network]


def _along(w: Wording, of: Association) -> str:
    assert of.odds_ratio is not None
    low, high = of.odds_ratio.low, of.odds_ratio.high
    also = "more" if low is not None and low > 1 else "less" if high is not None and high < 1 else "open"
    ratio = w.numbers.fixed(of.odds_ratio.estimate, 2)
    return w.words(
        "questions.along", variant=w.variant(of.variant), also=w.words(f"questions.also.{also}"), ratio=ratio
    )


def _worth(w: Wording) -> list[str]:
    found = w.result.drivers
    if found is None or found.status != "ok" or not found.drivers:
        return [w.words("questions.worth_open")]
    ranked = sorted(found.drivers, key=lambda d: -d.share.estimate)
    names = [w.metric(w.result.metric(d.metric)) for d in ranked]
    slots = {
        "metric": w.metric(w.result.metric(found.metric)),
        "first": names[0],
        "share": w.share(ranked[0].share.estimate),
    }
    if len(names) == 1:
        return [w.words("questions.one_driver", **slots)]
    return [w.words("questions.drivers", others=w.join(names[1:]), **slots)]
