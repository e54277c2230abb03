"""Sections about who people are and what they say: levels and cells, and surveys from who answered to what they said."""

from __future__ import annotations

from dataclasses import dataclass

from abtest.analysis.result import MetricResult
from abtest.metrics.value_counts import NPS_CUTS
from abtest.reports.appendix import Plain
from abtest.reports.bars import Bars, stacked
from abtest.reports.evidence import Evidence
from abtest.reports.looks import look_sentences
from abtest.reports.movement import movement_leads, movement_tables
from abtest.reports.tables import Table, metric_tables
from abtest.reports.text import clean, clip
from abtest.reports.wording import Wording

ADVICE_LIMIT = 300
ALL_PARTS = 0.999
"""Shares that add up to less are not all there are: some were not asked for, or are unknown."""


@dataclass(frozen=True)
class Panel:
    """One metric: its bars (if its parts are a partition), sentences, the table of its parts, and who moved where."""

    title: str
    bars: Bars | None
    says: tuple[str, ...]
    table: Table
    plain: tuple[Plain, ...] = ()


def parts_of(w: Wording, metric: MetricResult) -> list[MetricResult]:
    return [p for p in w.result.with_role("part") if p.part_of == metric.key]


def levels_section(w: Wording) -> tuple[Evidence, tuple[Panel, ...]] | None:
    """Metrics of ladders and crosses that have parts."""
    metrics = [m for m in w.result.metrics if m.movement is not None or (m.kind == "group" and parts_of(w, m))]
    return _section(w, "levels", metrics)


def surveys_section(w: Wording) -> tuple[Evidence, tuple[Panel, ...]] | None:
    """Metrics of surveys: who answered, how the answers are spread, and what changed."""
    metrics = [m for m in w.result.metrics if m.kind == "survey" and m.part_of is None]
    return _section(w, "surveys", metrics)


def _section(w: Wording, name: str, metrics: list[MetricResult]) -> tuple[Evidence, tuple[Panel, ...]] | None:
    if not metrics:
        return None
    words = w.words
    leads = (words(f"{name}.lead"),)
    evidence = Evidence(words(f"sections.{name}.title"), leads, (), read=(words(f"{name}.read"),))
    return evidence, tuple(_panel(w, name, m) for m in metrics)


def _panel(w: Wording, name: str, metric: MetricResult) -> Panel:
    parts = parts_of(w, metric)
    bars = _level_bars(w, metric, parts) if name == "levels" else _answer_bars(w, metric)
    caption = w.words(f"{name}.caption", metric=w.metric(metric), control=w.control)
    own = [metric] if name == "surveys" else []
    table = metric_tables(w, [*parts, *own], "explore", caption, absolute=True)
    says = (*look_sentences(w, metric), *movement_leads(w, metric))
    plain = (*_nps_table(w, metric), *_advice(w, metric, parts), *movement_tables(w, metric))
    return Panel(w.metric(metric), bars, says, table, plain)


def _advice(w: Wording, metric: MetricResult, parts: list[MetricResult]) -> tuple[Plain, ...]:
    """What to do for the units of each cell or level, in the order of the definition."""
    if not metric.advice:
        return ()
    titles = {p.key.removeprefix(f"{metric.key}."): w.metric(p, 40) for p in parts}
    rows = []
    for one in metric.advice:
        text = dict(one.others).get(w.words.language, one.text)
        name = w.words("levels.unknown") if one.cell == "unknown" else titles.get(one.cell, w.name(one.cell, 40))
        rows.append((name, clip(clean(text), ADVICE_LIMIT)))
    columns = (w.words("levels.cell"), w.words("levels.advice"))
    return (Plain(w.words("levels.advised", metric=w.metric(metric)), columns, tuple(rows), frozenset()),)


def _level_bars(w: Wording, metric: MetricResult, parts: list[MetricResult]) -> Bars | None:
    """Parts that together are everybody, from the lowest level up."""
    shares: dict[str, list[float]] = {}
    rungs = [p for p in reversed(parts) if p.key.rpartition(".")[2] not in ("moved_up", "moved_down", "known")]
    for variant in w.result.experiment.variants:
        values = [next((a.value for a in p.arms if a.variant == variant.id), None) for p in rungs]
        if not values or any(v is None for v in values):
            return None
        own = [v for v in values if v is not None]
        if not ALL_PARTS <= sum(own) <= 2 - ALL_PARTS:
            return None
        shares[variant.id] = own
    names = [w.metric(p, 40) for p in rungs]
    return stacked(w, w.words("levels.bars", metric=w.metric(metric)), names, shares)


def _answer_bars(w: Wording, metric: MetricResult) -> Bars | None:
    if not metric.answers:
        return None
    variants = [v for v, _ in metric.answers[0].units]
    totals = {v: sum(dict(one.units)[v] for one in metric.answers) for v in variants}
    shares = {v: [dict(one.units)[v] / totals[v] for one in metric.answers] for v in variants}
    marks = w.marks(metric, [edge for one in metric.answers for edge in (one.low, one.high)])
    names = [
        low if low == high else w.words("parts.range", low=low, high=high)
        for low, high in zip(marks[::2], marks[1::2], strict=True)
    ]
    caption = w.words("surveys.bars", metric=w.metric(metric))
    classes = nps_classes(metric)
    if classes is None:
        return stacked(w, caption, names, shares)
    said = [w.words(f"surveys.nps.{c}") for c in classes]
    named = [w.words("surveys.of_class", answer=n, kind=c) for n, c in zip(names, said, strict=True)]
    return stacked(w, caption, named, shares, said)


def nps_classes(metric: MetricResult) -> tuple[str, ...] | None:
    """The class of each range of answers of a net promoter score; None for other scores, and where few answers made a
    range reach over two classes."""
    if metric.unit_of_value != "points" or not metric.answers:
        return None
    found = tuple((_nps_class(one.low), _nps_class(one.high)) for one in metric.answers)
    return None if any(low != high for low, high in found) else tuple(low for low, _ in found)


def _nps_class(answer: float) -> str:
    return "detractors" if answer <= NPS_CUTS[0] else "passives" if answer <= NPS_CUTS[1] else "promoters"


def _nps_table(w: Wording, metric: MetricResult) -> tuple[Plain, ...]:
    """Answers of each class, and inside it of each score: how many, and which share of the variant."""
    classes = nps_classes(metric)
    if classes is None:
        return ()
    variants = [v for v, _ in metric.answers[0].units]
    totals = {v: sum(dict(one.units)[v] for one in metric.answers) for v in variants}
    marks = w.marks(metric, [edge for one in metric.answers for edge in (one.low, one.high)])
    rows = []
    for kind in reversed(list(dict.fromkeys(classes))):
        own = [i for i, c in enumerate(classes) if c == kind]
        counts = {v: sum(dict(metric.answers[i].units)[v] for i in own) for v in variants}
        rows.append((w.words(f"surveys.nps.{kind}"), *(_counted(w, counts[v], totals[v]) for v in variants)))
        for i in reversed(own):
            low, high = marks[2 * i], marks[2 * i + 1]
            answer = low if low == high else w.words("parts.range", low=low, high=high)
            units = dict(metric.answers[i].units)
            name = w.words("surveys.score", answer=answer)
            rows.append((name, *(_counted(w, units[v], totals[v]) for v in variants)))
    columns = (w.words("surveys.answer"), *(w.variant(v) for v in variants))
    caption = w.words("surveys.scores", metric=w.metric(metric))
    return (Plain(caption, columns, tuple(rows), frozenset(range(1, len(columns)))),)


def _counted(w: Wording, count: int, total: int) -> str:
    return w.words("surveys.counted", n=w.count(count), share=w.share(count / total))
