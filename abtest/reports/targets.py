"""Targets: what shipping would bring by when, against what was asked for."""

from __future__ import annotations

from abtest.analysis.interval import Interval
from abtest.analysis.projections import TargetResult, TargetValue
from abtest.analysis.result import MetricResult
from abtest.reports.appendix import Plain
from abtest.reports.evidence import Evidence
from abtest.reports.wording import Wording


def targets_section(w: Wording) -> Evidence | None:
    """One sentence per target for the treatment that the report speaks of, and a table of all variants."""
    targets, words = w.result.targets, w.words
    if not targets:
        return None
    title = words("sections.targets.title")
    if w.early:
        return Evidence(title, (words("targets.early"),), ())
    leads = tuple(_lead(w, t) for t in targets)
    rows = [row for t in targets for row in _rows(w, t)]
    tables = (Plain(words("targets.caption"), _columns(w), tuple(rows), frozenset({1, 3})),) if rows else ()
    return Evidence(title, leads, (), tables, read=(words("targets.read"),))


def _metric(w: Wording, target: TargetResult) -> MetricResult:
    return w.result.metric(target.metric)


def _lead(w: Wording, target: TargetResult) -> str:
    metric = _metric(w, target)
    if target.reason is not None:
        return w.words(f"targets.{target.reason}", metric=w.metric(metric))
    chosen = w.result.decision.variant
    value = next((v for v in target.values if v.variant == chosen), None)
    if value is None:
        return w.words("targets.no_value", metric=w.metric(metric))
    key = "targets.lead" if target.by is not None else "targets.lead_month"
    return w.words(
        key,
        variant=w.variant(chosen),
        metric=w.metric(metric),
        total=_total(w, metric, value.total.estimate),
        interval=_interval(w, metric, value.total),
        label=w.words("interval.label", level=w.level),
        number=_total(w, metric, target.number),
        date=w.date(target.by) if target.by is not None else None,
        state=w.words(f"targets.state.{value.state}"),
    )


def _columns(w: Wording) -> tuple[str, ...]:
    label = w.words("interval.label", level=w.level)
    names = ("target", "units", "variant", "total", "when", "state")
    return tuple(w.words(f"targets.columns.{n}", label=label) for n in names)


def _rows(w: Wording, target: TargetResult) -> list[tuple[str, ...]]:
    metric = _metric(w, target)
    number = _total(w, metric, target.number)
    if target.by is not None:
        what = w.words("targets.target_by", metric=w.metric(metric, 60), number=number, date=w.date(target.by))
    else:
        what = w.words("targets.target_month", metric=w.metric(metric, 60), number=number)
    return [
        (what, _units(w, target), w.variant(v.variant), _with_interval(w, metric, v.total), _on(w, target, v), w.words(f"targets.state.{v.state}"))
        for v in target.values
    ]  # fmt: skip


def _units(w: Wording, target: TargetResult) -> str:
    n = w.count(_rounded(target.units or 0.0))
    if target.by is None:
        return w.words("targets.units_month", n=n)
    if target.given:
        return w.words("targets.units_given", n=n)
    rate = w.count(_rounded(target.per_day or 0.0))
    return w.words("targets.units_by", n=n, seen=w.count(target.seen), rate=rate)


def _on(w: Wording, target: TargetResult, value: TargetValue) -> str:
    if target.by is None or target.given:
        return w.words("targets.unknown")
    return w.words("targets.about", date=w.date(value.on)) if value.on is not None else w.words("targets.never")


def _with_interval(w: Wording, metric: MetricResult, total: Interval) -> str:
    return w.words("targets.total", total=_total(w, metric, total.estimate), interval=_interval(w, metric, total))


def _interval(w: Wording, metric: MetricResult, total: Interval) -> str:
    low, high = (None if b is None else _total(w, metric, b) for b in (total.low, total.high))
    return w.words("targets.from_to", low=low, high=high) if low and high else w.words("interval.none")


def _total(w: Wording, metric: MetricResult, total: float) -> str:
    """A total of units, or of the unit that the metric is in, rounded as a projection deserves."""
    rounded = _rounded(total)
    unit = metric.unit_of_value
    return w.quantity(unit, rounded, 0) if unit.startswith(("money", "duration")) else w.count(rounded)


def _rounded(number: float) -> float:
    """To three digits, and to hundreds from ten thousand on.

    >>> _rounded(52_034.0), _rounded(8_127.0), _rounded(431.7)
    (52000.0, 8130.0, 432.0)
    """
    step = 100.0 if abs(number) >= 10_000 else 10.0 if abs(number) >= 1_000 else 1.0
    return round(number / step) * step
