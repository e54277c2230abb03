"""The iterations of a feature taken together, in words: pooled effects, their trend, raw beside shrunken effects."""

from __future__ import annotations

from collections.abc import Iterator

from abtest.analysis.interval import Interval
from abtest.analysis.lineage import Across
from abtest.reports.appendix import Plain
from abtest.reports.wording import Shown, Wording

_Row = tuple[str, str, str, str, str]


def across_leads(w: Wording) -> list[str]:
    """Which iterations are taken together, and whether their effects count as independent."""
    together = dict.fromkeys((a.control, a.experiments) for a in w.result.across)
    return [
        w.words(f"iterations.across.{control}", list=w.join([_title(w, e) for e in experiments]))
        for control, experiments in together
    ]


def across_table(w: Wording) -> tuple[Plain, ...]:
    """One table over all goals that were measured twice by the same definition."""
    rows = [row for one in w.result.across for row in _rows(w, one)]
    if not rows:
        return ()
    keys = ("metric", "what", "estimate", "interval", "note")
    columns = tuple(w.words(f"iterations.across.columns.{k}", level=w.level) for k in keys)
    return (Plain(w.words("iterations.across.caption"), columns, tuple(rows), frozenset({2})),)


def _rows(w: Wording, one: Across) -> Iterator[_Row]:
    metric = w.result.metric(one.metric)
    name, none = w.metric(metric), w.words("table.no_value")
    k = len(one.experiments)
    if one.status == "no_test":
        yield name, none, none, none, w.words("iterations.across.overlapping")
        return

    def row(what: str, interval: Interval, note: str) -> _Row:
        change = w.change(metric, Shown(interval, one.scale == "relative", False))
        return name, what, change.estimate, change.interval, note

    if one.fixed is not None:
        note = w.words("iterations.across.fixed_note", k=str(k), differ=_differ(w, one))
        yield row(w.words("iterations.across.fixed"), one.fixed, note)
    if one.random is not None:
        note = w.words.plural("iterations.across.random_note", k, df=str(k - 1))
        yield row(w.words("iterations.across.random"), one.random, note)
    if one.slope is not None and one.slope_p is not None:
        note = w.words("iterations.across.slope_note", k=str(k), p=w.p(one.slope_p))
        yield row(w.words("iterations.across.slope"), one.slope, note)
    for at, pulled in enumerate(one.pulled):
        title = _title(w, pulled.experiment)
        raw = w.change(metric, Shown(pulled.raw, one.scale == "relative", False))
        note = w.words("iterations.across.measured", change=raw.estimate, interval=raw.interval)
        yield row(w.words("iterations.across.shrunken", name=title), pulled.shrunken, note)
        if at == k - 1 and one.conditional is not None:
            left = Interval(one.conditional, one.conditional, one.conditional)
            found = row(w.words("iterations.across.conditional", name=title), left, "")
            yield (*found[:3], none, w.words("iterations.across.conditional_note"))


def _title(w: Wording, experiment: str) -> str:
    own = w.result.experiment
    titles = {i.experiment: i.title for i in w.result.iterations} | {own.id: own.title}
    return w.name(titles.get(experiment) or experiment, 40)


def across_read(w: Wording) -> tuple[str, ...]:
    """How to read effects that were pulled."""
    k = max((len(a.pulled) for a in w.result.across), default=0)
    return (w.words("iterations.across.shrunken_note", k=str(k)),) if k else ()


def _differ(w: Wording, one: Across) -> str:
    if one.q_p_value is None:
        return w.words("iterations.across.differ.unknown")
    clear = "clear" if one.q_p_value < w.result.plan.alpha else "unclear"
    return w.words(f"iterations.across.differ.{clear}", p=w.p(one.q_p_value))
