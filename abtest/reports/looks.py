"""Other looks at a metric: ranks, whole tables, waiting times and doses. They explain and carry no label."""

from __future__ import annotations

from abtest.analysis.result import Beside, Curve, Interval, MetricResult
from abtest.reports.appendix import Plain
from abtest.reports.numbers import decimals_for
from abtest.reports.wording import Wording

IN_PANELS = ("group", "survey")
"""Kinds of metrics that have a section of their own, where their looks are told in sentences."""


def beside_table(w: Wording) -> Plain | None:
    """One row per look; None where there is none, a check failed, or the plan is read early: these have no band."""
    if not w.result.decision.valid or w.early:
        return None
    rows = [(m, b) for m in w.result.metrics if m.kind not in IN_PANELS for b in m.beside]
    if not rows:
        return None
    names = ("table.metric", "looks.look", "looks.result", "method.p")
    cells = tuple(_row(w, metric, one) for metric, one in rows)
    return Plain(w.words("looks.caption"), tuple(w.words(n) for n in names), cells, frozenset({3}))


def look_sentences(w: Wording, metric: MetricResult) -> tuple[str, ...]:
    """What other looks say of one metric, in sentences; none where `beside_table` has none."""
    if not w.result.decision.valid or w.early:
        return ()
    said = []
    for one in metric.beside:
        _, look, result, p = _row(w, metric, one)
        key = "looks.sentence" if one.p_value is None else "looks.sentence_p"
        said.append(w.words(key, look=look, result=result, p=p))
    return tuple(said)


def _row(w: Wording, metric: MetricResult, one: Beside) -> tuple[str, ...]:
    name = w.metric(metric, 60)
    if one.variant is not None and (w.many or one.method == "rank_interval"):
        name = w.words("segments.row_of", segment=name, variant=w.variant(one.variant))
    look = w.words(f"looks.{one.method}.name")
    if one.status == "no_test":
        why = w.words(w.words.known("no_test", one.reason or "other"), reason=w.name(one.reason or ""))
        return (name, look, w.words("looks.none", why=why), w.words("table.no_value"))
    result = _ranked(w, metric, one) if one.method == "rank_interval" else _result(w, one)
    return (name, look, result, w.p_alone(one.p_value))


def _result(w: Wording, one: Beside) -> str:
    estimate = one.estimate
    if one.method == "cronbach_alpha" and estimate is not None:
        return _reliability(w, one)
    if estimate is None or estimate.low is None or estimate.high is None:
        return w.words(f"looks.{one.method}.plain")
    chance = one.method == "brunner_munzel"

    def write(value: float) -> str:
        return w.share(value) if chance else w.numbers.fixed(value, 2)

    slots = {"estimate": write(estimate.estimate), "low": write(estimate.low), "high": write(estimate.high)}
    return w.words(f"looks.{one.method}.result", **slots)


def _ranked(w: Wording, metric: MetricResult, one: Beside) -> str:
    estimate, coverage = one.estimate, (one.values or {}).get("coverage")
    assert estimate is not None
    return w.words(
        "looks.rank_interval.result",
        estimate=w.value(metric, estimate.estimate),
        low=w.value(metric, estimate.low),
        high=w.value(metric, estimate.high),
        coverage=w.share(float(coverage or 0.0)),
    )


def _reliability(w: Wording, one: Beside) -> str:
    values, estimate = one.values or {}, one.estimate
    assert estimate is not None
    text = w.words(
        "looks.cronbach_alpha.result",
        estimate=w.numbers.fixed(estimate.estimate, 2),
        low=None if estimate.low is None else w.numbers.fixed(estimate.low, 2),
        high=None if estimate.high is None else w.numbers.fixed(estimate.high, 2),
        band=w.words(f"looks.cronbach_alpha.band.{values.get('band')}"),
        items=w.count(int(values.get("items") or 0)),
    )
    suspects = str(values.get("suspects") or "")
    if not suspects:
        return text
    turned = w.words("looks.cronbach_alpha.suspects", list=w.name(suspects, 120))
    return w.words("list.space").join([text, turned])


def curve_table(w: Wording, metric: MetricResult, curve: Curve) -> Plain:
    """A dose or waiting time as a table: the numbers of its figure."""
    words = w.words
    names = [words(f"curve.{curve.kind}.at"), w.control, w.variant(curve.variant)]
    rows = []
    marks = w.marks(metric, [point.at for point in curve.points])
    for at, point in zip(marks, curve.points, strict=True):
        row = [at, share_text(w, point.control), share_text(w, point.treatment)]
        if point.difference is not None:
            row.append(_difference(w, point.difference.estimate, point.difference.low, point.difference.high))
        rows.append(tuple(row))
    if curve.kind == "dose":
        names.append(words("curve.difference"))
    p = "" if curve.p_value is None else words("curve.anywhere", p=w.p(curve.p_value))
    caption = words(f"curve.{curve.kind}.caption", metric=w.metric(metric))
    caption = words("list.space").join([caption, p]) if p else caption
    return Plain(caption, tuple(names), tuple(rows), frozenset(range(1, len(names))))


def share_text(w: Wording, of: Interval) -> str:
    """A share with its interval, where it has one."""
    if of.low is None or of.high is None:
        return w.share(of.estimate)
    both = w.words("interval.both", low=w.share(of.low), high=w.share(of.high))
    return w.words("adjusted.effect", change=w.share(of.estimate), interval=both)


def _difference(w: Wording, estimate: float, low: float | None, high: float | None) -> str:
    # As many decimals as it takes to tell a bound from zero.
    decimals = decimals_for([100 * x for x in (estimate, low, high) if x is not None], 1)

    def points(value: float) -> str:
        return w.numbers.fixed(100 * value, decimals, sign=True)

    if low is None or high is None:
        return w.words("units.points", n=points(estimate))
    return w.words("curve.points", n=points(estimate), low=points(low), high=points(high))


def selected_table(w: Wording) -> Plain | None:
    """The wider intervals of secondary metrics that a false discovery rate picked out."""
    if not w.result.decision.valid or w.early:
        return None
    rows = []
    for metric in w.result.metrics:
        for comparison in metric.comparisons:
            interval = comparison.selected or comparison.selected_absolute
            if interval is None:
                continue
            from dataclasses import replace

            wide = replace(comparison, relative=comparison.selected, absolute=comparison.selected_absolute)
            shown = w.shown(wide)
            if shown is None:
                continue
            change = w.change(metric, shown)
            name = w.metric(metric, 60)
            if w.many:
                name = w.words("segments.row_of", segment=name, variant=w.variant(comparison.variant))
            rows.append((name, change.estimate, change.interval))
    if not rows:
        return None
    names = ("table.metric", "selected.change", "selected.interval")
    return Plain(w.words("selected.caption"), tuple(w.words(n) for n in names), tuple(rows), frozenset({1, 2}))


def equivalence_lead(w: Wording, metric: MetricResult) -> str | None:
    """For a goal without a clear change: is it shown to be too small to matter?"""
    comparison = next((c for c in metric.comparisons if c.variant == w.result.decision.variant), None)
    if comparison is None or comparison.equivalence is None or comparison.state != "unclear":
        return None
    if not w.result.decision.valid or w.early:
        return None
    found = comparison.equivalence
    size = w.detect_text(found.size).lstrip("+")
    return w.words("equivalence.shown" if found.shown else "equivalence.not_shown", size=size)
