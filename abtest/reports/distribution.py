"""The section about how values are spread: who has how much, and at which doses the variants differ."""

from __future__ import annotations

from abtest.analysis.result import MetricResult
from abtest.reports.appendix import Plain
from abtest.reports.charts import Chart, dose_charts, spread_charts
from abtest.reports.evidence import Evidence
from abtest.reports.wording import Wording


def distribution_section(w: Wording) -> tuple[Evidence, tuple[Chart, ...]] | None:
    """Histograms and dose curves of metrics whose definition asks for them; read early, histograms alone, as tables."""
    tables = {m.key: _spread(w, m) for m in w.result.metrics if m.histogram}
    spreads, doses = spread_charts(w, tables), dose_charts(w)
    if not tables and not doses:
        return None
    drawn = {chart.table for chart in spreads}
    left = tuple(t for t in tables.values() if t not in drawn)
    leads = [w.words("distribution.lead"), *(chart.label for chart in doses)]
    if doses:
        leads.append(w.words("distribution.band"))
    read = (w.words("distribution.read"),)
    title = w.words("sections.distribution.title")
    return Evidence(title, tuple(leads), (), left, read=read), (*spreads, *doses)


def _spread(w: Wording, metric: MetricResult) -> Plain:
    """How the values of a metric are spread: the share of units per value, or range of values."""
    variants = [v for v, _ in metric.histogram[0].units]
    totals = {v: sum(dict(one.units)[v] for one in metric.histogram) for v in variants}
    rows = []
    marks = w.marks(metric, [edge for one in metric.histogram for edge in (one.low, one.high)])
    for one, low, high in zip(metric.histogram, marks[::2], marks[1::2], strict=True):
        label = low if low == high else w.words("parts.range", low=low, high=high)
        units = dict(one.units)
        rows.append((label, *(w.share(units[v] / totals[v]) for v in variants)))
    columns = (w.words("parts.value"), *(w.variant(v) for v in variants))
    caption = w.words("parts.spread", metric=w.metric(metric))
    return Plain(caption, columns, tuple(rows), frozenset(range(1, len(columns))))
