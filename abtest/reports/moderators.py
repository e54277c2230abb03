"""How the change depends on numbers known before exposure: a sentence each, and where the change is clear."""

from __future__ import annotations

from collections.abc import Callable

from abtest.analysis.beside import ModeratorResult
from abtest.analysis.interval import Interval
from abtest.analysis.result import MetricResult
from abtest.reports.appendix import Plain
from abtest.reports.beside import whole
from abtest.reports.numbers import by_size, decimals_for
from abtest.reports.wording import Shown, Wording


def moderator_leads(w: Wording) -> list[str]:
    """One sentence per moderator, goal and treatment; before the end, or at every look, one for all."""
    rows = w.result.moderators
    if not rows:
        return []
    if w.early or w.every_look:
        names = w.join([w.name(n, 40) for n in dict.fromkeys(r.moderator for r in rows)])
        return [w.words("moderators.open" if w.early else "moderators.every_look", list=names)]
    return [_sentence(w, row) for row in rows]


def _sentence(w: Wording, row: ModeratorResult) -> str:
    metric = w.result.metric(row.metric)
    name = w.metric(metric)
    if w.many:
        name = w.words("interval.named", metric=name, variant=w.variant(row.variant))
    slots = {"metric": name, "moderator": w.name(row.moderator, 40)}
    if row.status != "ok" or row.slope is None or row.low is None or row.high is None:
        return w.words("moderators.untested", why=_why(w, row.reason), **slots)
    judged = row.p_value if row.p_adjusted is None else row.p_adjusted
    p = "" if judged is None else w.p(judged)
    if row.p_adjusted is not None and row.p_adjusted != row.p_value:
        p = w.words("p.adjusted", p=p)
    clear = judged is not None and judged < w.result.plan.alpha
    way = "unclear" if not clear else "rises" if row.slope.estimate > 0 else "falls"
    text = w.words(f"moderators.{way}", change=_change(w, metric, row.slope), p=p, **slots)
    write = _numbers(w, [row.low, row.high])
    where = w.words("moderators.where", where=_where(w, row))
    if not row.regions:
        where = w.words("moderators.where_none", low=write(row.low), high=write(row.high))
    return w.words("list.space").join([text, where])


def _why(w: Wording, reason: str | None) -> str:
    key = w.words.known("moderators.why", reason or "other")
    return w.words(key, reason=w.name(reason or "")) if w.words.has(key) else w.words("no_test.unknown")


def _where(w: Wording, row: ModeratorResult) -> str:
    """The values at which the change is clear, from the lowest up."""
    assert row.low is not None
    assert row.high is not None
    ends = [x for r in row.regions for x in (r.low, r.high)]
    write = _numbers(w, [*ends, row.low, row.high])
    if not row.regions:
        return w.words("moderators.nowhere", low=write(row.low), high=write(row.high))
    parts = [
        w.words(f"moderators.region.{'above' if r.up else 'below'}", low=write(r.low), high=write(r.high))
        for r in row.regions
    ]
    return w.words("list.clauses").join(parts)


def _numbers(w: Wording, values: list[float]) -> Callable[[float], str]:
    """How values of a moderator are written: all with as many decimals as the largest of them needs."""
    decimals = decimals_for(values, max(0, by_size(max(map(abs, values))) - 1))
    return lambda value: w.numbers.trimmed(value, decimals)


def _change(w: Wording, metric: MetricResult, interval: Interval | None) -> str:
    if interval is None:
        return w.words("table.no_value")
    change = w.change(metric, Shown(interval, relative=False, band=False))
    return w.words("adjusted.effect", change=whole(change.estimate), interval=whole(change.interval))


def moderator_table(w: Wording) -> Plain | None:
    """The change at both ends of the moderator, and per one more; where it is clear stands in the sentence."""
    rows = [r for r in w.result.moderators if r.status == "ok" and r.low is not None and r.high is not None]
    if not rows or w.early or w.every_look or not w.result.decision.valid:
        return None
    cells = []
    for row in rows:
        metric = w.result.metric(row.metric)
        name = w.words("moderators.row", metric=w.metric(metric, 60), moderator=w.name(row.moderator, 40))
        if w.many:
            name = w.words("segments.row_of", segment=name, variant=w.variant(row.variant))
        write = _numbers(w, [row.low or 0.0, row.high or 0.0])
        ends = [
            w.words("moderators.at", value=write(x or 0.0), change=_change(w, metric, change))
            for x, change in ((row.low, row.at_low), (row.high, row.at_high))
        ]
        p = w.p_alone(row.p_value if row.p_adjusted is None else row.p_adjusted)
        cells.append((name, *ends, _change(w, metric, row.slope), p))
    keys = ["moderators.metric", "moderators.low", "moderators.high", "moderators.slope", "method.p"]
    if any(r.p_adjusted is not None and r.p_adjusted != r.p_value for r in rows):
        keys[4] = "method.p_adjusted"
    caption = w.words("moderators.caption", control=w.control, level=w.level)
    unknown = sum(r.unknown for r in rows)
    if unknown:
        caption = w.words("list.space").join([caption, w.words("moderators.unknown")])
    return Plain(caption, tuple(w.words(k) for k in keys), tuple(cells), frozenset({1, 2, 3, 4}))
