"""The section about coming back: the days that the plan tests, and the days around them for context."""

from __future__ import annotations

from dataclasses import replace

from abtest.analysis.beside import Effect, Retention, ReturnDay
from abtest.analysis.result import ArmValue, MetricResult
from abtest.reports.charts import Chart, waiting_charts
from abtest.reports.evidence import Evidence
from abtest.reports.tables import Draft, Group, Row, Table, beside_values, forest, swatch
from abtest.reports.verdict import comparison_of
from abtest.reports.wording import Shown, Wording

TESTED = ("goal", "secondary", "guardrail")
"""Roles that the plan tests; what is explored has no label."""


def retention_section(w: Wording) -> tuple[Evidence, tuple[Chart, ...]] | None:
    """Rates of return by day, and curves of waiting times; None without either."""
    found = [one for one in w.result.retention if _known(w, one)]
    charts = waiting_charts(w)
    if not found and not charts:
        return None
    words = w.words
    key = "both" if found and charts else "days" if found else "waits"
    leads = [text for one in found for text in _leads(w, one)]
    if found:
        leads.append(words("retention.context"))
    if charts:
        leads += [chart.label for chart in charts]
        leads.append(words("retention.waits"))
    tables = tuple(_table(w, one) for one in found)
    read = [words("retention.read")] if found else []
    read += [words("retention.read_waits")] if charts else []
    return Evidence(words(f"retention.title.{key}"), tuple(leads), tables, read=tuple(read)), charts


def _known(w: Wording, of: Retention) -> list[MetricResult]:
    asked = {name for name, _, _ in of.metrics}
    return [m for m in w.result.metrics if m.key in asked]


def _leads(w: Wording, of: Retention) -> list[str]:
    """What the days say that the plan tests."""
    said = []
    for metric in _known(w, of):
        if metric.role not in TESTED:
            continue
        for variant in w.treatments:
            draft = _asked(w, metric, variant)
            name = w.metric(metric)
            if w.many:
                name = w.words("interval.named", metric=name, variant=w.variant(variant))
            if draft.shown is None or draft.row.chip is None:
                said.append(w.words("retention.untested", metric=name, why=draft.row.absent))
                continue
            change = w.change(metric, draft.shown)
            slots = {"change": change.estimate, "label": change.label, "interval": change.interval}
            said.append(w.words("retention.lead", metric=name, state=draft.row.chip.word, **slots))
    return said


def _table(w: Wording, of: Retention) -> Table:
    known = {m.key: m for m in _known(w, of)}
    like = next(iter(known.values()))
    rows: list[tuple[tuple[int, float], str, list[Draft]]] = []
    for name, first, last in of.metrics:
        if name in known:
            head = _day_name(w, first, last)
            drafts = [_asked(w, known[name], v) for v in w.treatments]
            rows.append(((first, float("inf") if last is None else last), head, drafts))
    for one in of.days:
        drafts = [_context(w, like, one, v) for v in w.treatments]
        rows.append(((one.day, one.day), _day_name(w, one.day, one.day), drafts))
    groups = []
    for _, head, drafts in sorted(rows, key=lambda r: r[0]):
        note = drafts[0].row.note
        if not w.many:
            drafts = [replace(d, row=replace(d.row, head=head)) for d in drafts]
            groups.append((Group("", "", "", ()), drafts))
        else:
            pairs = zip(drafts, w.treatments, strict=True)
            drafts = [replace(d, row=replace(d.row, head=w.variant(v), note="")) for d, v in pairs]
            groups.append((Group(head, "", note, ()), drafts))
    caption = w.words("retention.caption_early" if w.early else "retention.caption", control=w.control)
    caption = beside_values(w, caption, [c for m in known.values() for c in m.comparisons])
    table = forest(w, "retention", caption, groups, [d for _, own in groups for d in own], None)
    return replace(table, columns={**table.columns, "first": w.words("retention.day")})


def _day_name(w: Wording, first: int, last: int | None) -> str:
    if last is None:
        return w.words("retention.from_day", first=w.count(first))
    key = "one_day" if first == last else "days"
    return w.words(f"retention.{key}", first=w.count(first), last=w.count(last))


def _asked(w: Wording, metric: MetricResult, variant: str) -> Draft:
    """The row of a metric itself, with the label that it has elsewhere; none where it is only explored."""
    comparison = comparison_of(metric, variant)
    shown = None if comparison is None else w.shown(comparison, absolute=True)
    control, treatment = w.values(metric, metric.arms, variant)
    values = w.words("table.arrow", control=control, treatment=treatment)
    role = "tested" if metric.role in TESTED else "explored"
    note = w.words(f"retention.{role}", metric=w.metric(metric))
    if comparison is None or shown is None:
        return Draft(Row("", note, swatch(w, variant), values, absent=w.no_test(comparison)), metric, None)
    chip = None
    if metric.role == "guardrail":
        chip = w.chip("guardrail", comparison.margin.label) if comparison.margin is not None else None
    elif metric.role in TESTED:
        chip = w.chip("state", w.state(comparison))
    change = w.change(metric, shown)
    tip = w.words("table.tip", name=w.metric(metric), change=change.estimate, label=change.label, interval=change.interval)  # fmt: skip
    row = Row("", note, swatch(w, variant), values, change.estimate, change.interval, tip=tip)
    return Draft(replace(row, chip=chip, tone=chip.tone if chip else "acc"), metric, shown)


def _context(w: Wording, like: MetricResult, of: ReturnDay, variant: str) -> Draft:
    """A day that the plan does not test: in the colour of the treatment, without a label."""
    metric = replace(like, role="explore")
    note = w.words("retention.context_day")
    effect = dict(of.effects).get(variant)
    if of.status != "ok" or effect is None:
        return Draft(Row("", note, swatch(w, variant), w.words("table.no_value"), absent=_why(w, of)), metric, None)
    arms = [ArmValue(a.variant, a.units, a.units, 0, 0, a.share) for a in of.arms]
    control, treatment = w.values(metric, arms, variant)
    row = Row("", note, swatch(w, variant), w.words("table.arrow", control=control, treatment=treatment), tone="acc")
    why = _untold(w, effect)
    if why is not None or effect.absolute is None:
        return Draft(replace(row, absent=why or w.no_test(None)), metric, None)
    shown = Shown(effect.absolute, False, effect.band)
    change = w.change(metric, shown)
    name = _day_name(w, of.day, of.day)
    tip = w.words("table.tip", name=name, change=change.estimate, label=change.label, interval=change.interval)
    return Draft(replace(row, change=change.estimate, interval=change.interval, tip=tip), metric, shown)


def _untold(w: Wording, effect: Effect) -> str | None:
    if effect.status != "ok":
        reason = effect.reason or "unknown"
        return w.words(w.words.known("no_test", reason), reason=w.name(reason))
    if effect.absolute is None or (effect.absolute.low is None and effect.absolute.high is None):
        return w.words("interval.none")
    return w.words("beside.open") if w.early and not effect.band else None


def _why(w: Wording, of: ReturnDay) -> str:
    if of.reason == "immature" and of.mature_on is not None:
        return w.words("retention.immature", date=w.date(of.mature_on))
    if of.reason == "small_cell":
        return w.words("retention.small", n=w.count(w.result.min_cell))
    reason = of.reason or "unknown"
    return w.words(w.words.known("no_test", reason), reason=w.name(reason))
