"""Curves of both variants: how long units wait, how many reach each dose, and how values are spread.

Places across are percentages and heights pixels, lines lie in a frame of 1000 by `HEIGHT` that is stretched without
scaling strokes, and no text is in that frame. Every number stands in the table of the fold-out, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from abtest.analysis.result import Bin, Curve, CurvePoint, Interval, MetricResult
from abtest.reports.appendix import Plain
from abtest.reports.looks import curve_table, share_text
from abtest.reports.svg import Scale, Tick, percent, ticks
from abtest.reports.tables import labels, swatch
from abtest.reports.wording import Wording

WIDTH, HEIGHT, STRIP = 1000.0, 200.0, 64.0
AIR = 0.06
MOST_CHARTS = 12
MOST_LABELS = 6
DOMINANT = 0.5
"""The share of zeros from which they are told in words: drawn, they would flatten all the rest."""
Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One variant, or the difference: a path, the region of its intervals ("" without), and the points themselves."""

    name: str
    tone: str
    path: str
    band: str
    dots: tuple[tuple[str, str], ...] = ()
    filled: bool = False


@dataclass(frozen=True)
class Panel:
    """A plot of `height` px: lines over ticks, `zero` the height of no difference ("" without)."""

    height: int
    up: tuple[tuple[Tick, str], ...]
    series: tuple[Series, ...]
    zero: str = ""
    name: str = ""


@dataclass(frozen=True)
class Hit:
    """Where a pointer or an arrow key finds the numbers of one place."""

    x: str
    width: str
    tip: str


@dataclass(frozen=True)
class Chart:
    """`label` is the finding in one sentence, for those who do not see the figure."""

    caption: str
    label: str
    across: tuple[tuple[Tick, str], ...]
    across_name: str
    panels: tuple[Panel, ...]
    legend: tuple[tuple[str, str], ...]
    hits: tuple[Hit, ...]
    table: Plain
    summary: str


def waiting_charts(w: Wording) -> tuple[Chart, ...]:
    """How many are still waiting, as steps with bands; none early, when one look is not yet to be read."""
    return tuple(_waiting(w, m, c) for m, c in _curves(w, "survival"))[:MOST_CHARTS]


def dose_charts(w: Wording) -> tuple[Chart, ...]:
    """How many reach each dose, above the difference with its band."""
    return tuple(_dose(w, m, c) for m, c in _curves(w, "dose"))[:MOST_CHARTS]


def spread_charts(w: Wording, table: dict[str, Plain]) -> tuple[Chart, ...]:
    """How values are spread: the control filled, the treatments as outlines. `table` per metric."""
    if not w.result.decision.valid:
        return ()
    found = (_spread(w, m, table[m.key]) for m in w.result.metrics if m.histogram and m.key in table)
    return tuple(c for c in found if c is not None)[:MOST_CHARTS]


def _curves(w: Wording, kind: str) -> list[tuple[MetricResult, Curve]]:
    if not w.result.decision.valid or w.early:
        return []
    return [(m, c) for m in w.result.metrics for c in m.curves if c.points and c.kind == kind]


def _tone(w: Wording, variant: str) -> str:
    return "t0" if variant == w.result.experiment.baseline else swatch(w, variant) or "t1"


def _place(x: Scale, y: Scale, point: Point, height: float) -> str:
    across, up = (min(1.0, max(0.0, s.share(v))) for s, v in zip((x, y), point, strict=True))
    return f"{WIDTH * across:.1f} {height * (1.0 - up):.1f}"


def line(x: Scale, y: Scale, points: Sequence[Point], height: float) -> str:
    """A path through points.

    >>> line(Scale(0.0, 2.0), Scale(0.0, 1.0), [(0.0, 1.0), (2.0, 0.5)], 100.0)
    'M0.0 0.0L1000.0 50.0'
    """
    return "M" + "L".join(_place(x, y, p, height) for p in points)


def stairs(points: Sequence[Point]) -> list[Point]:
    """The corners of a step function that takes each value from its place on.

    >>> stairs([(0.0, 1.0), (2.0, 0.6), (3.0, 0.5)])
    [(0.0, 1.0), (2.0, 1.0), (2.0, 0.6), (3.0, 0.6), (3.0, 0.5)]
    """
    found = list(points[:1])
    for before, after in itertools.pairwise(points):
        found += [(after[0], before[1]), after]
    return found


def region(x: Scale, y: Scale, low: Sequence[Point], high: Sequence[Point], height: float) -> str:
    """The closed path between two lines."""
    return line(x, y, [*high, *reversed(low)], height) + "Z"


def _bounds(points: Sequence[tuple[float, Interval]]) -> tuple[list[Point], list[Point]]:
    """Low and high ends where there are both; a point without an interval is its own."""
    low = [(at, i.estimate if i.low is None else i.low) for at, i in points]
    high = [(at, i.estimate if i.high is None else i.high) for at, i in points]
    return low, high


def _scale(values: Sequence[float], least: float | None = None, most: float | None = None) -> Scale:
    low, high = min(values), max(values)
    air = AIR * (high - low) or 0.01
    low, high = low - air, high + air
    return Scale(low if least is None else max(least, low), high if most is None else min(most, high))


def _upright(scale: Scale, found: Sequence[tuple[Tick, str]]) -> tuple[tuple[Tick, str], ...]:
    """Ticks of the upright axis: `x` is their place from the top."""
    return tuple((Tick(percent(1.0 - scale.share(t.value)), t.value, t.zero, t.anchor), text) for t, text in found)


def _shares(w: Wording, scale: Scale) -> tuple[tuple[Tick, str], ...]:
    return _upright(scale, [(t, w.share(round(t.value, 9))) for t in ticks(scale, 4)])


def _across(w: Wording, metric: MetricResult, scale: Scale) -> tuple[tuple[Tick, str], ...]:
    found = ticks(scale, MOST_LABELS - 1)
    return tuple(zip(found, w.marks(metric, [t.value for t in found]), strict=True))


def _legend(w: Wording, variants: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((_tone(w, v), w.variant(v)) for v in variants)


def _hits(
    w: Wording, scale: Scale, names: Sequence[str], points: Sequence[CurvePoint], variant: str
) -> tuple[Hit, ...]:
    """The strip of each point reaches half way to its neighbours."""
    at = [min(1.0, max(0.0, scale.share(p.at))) for p in points]
    ends = [0.0, *((a + b) / 2 for a, b in itertools.pairwise(at)), 1.0]
    found = []
    for i, (name, point) in enumerate(zip(names, points, strict=True)):
        slots = {"control": w.control, "variant": w.variant(variant), "at": name}
        shares = {"a": w.share(point.control.estimate), "b": w.share(point.treatment.estimate)}
        found.append(Hit(percent(ends[i]), percent(ends[i + 1] - ends[i]), w.words("chart.tip", **slots, **shares)))
    return tuple(found)


def _waiting(w: Wording, metric: MetricResult, curve: Curve) -> Chart:
    points = curve.points
    # The last value is held for a while, so that it can be seen.
    end = (1.0 + AIR) * points[-1].at or 1.0
    x = Scale(0.0, end)
    arms = ([(p.at, p.control) for p in points], [(p.at, p.treatment) for p in points])
    ends = [v for own in arms for side in _bounds(own) for _, v in side]
    y = _scale([*ends, 1.0], 0.0, 1.0)
    series = []
    for variant, own in zip((w.result.experiment.baseline, curve.variant), arms, strict=True):
        whole = [(0.0, Interval(1.0, 1.0, 1.0)), *own, (end, own[-1][1])]
        low, high = (stairs(side) for side in _bounds(whole))
        path = line(x, y, stairs([(at, i.estimate) for at, i in whole]), HEIGHT)
        series.append(Series(w.variant(variant), _tone(w, variant), path, region(x, y, low, high, HEIGHT)))
    last = points[-1]
    (at,) = w.marks(metric, [last.at])
    label = w.words(
        "chart.waiting",
        metric=w.metric(metric), at=at, control=w.control, variant=w.variant(curve.variant),
        a=share_text(w, last.control), b=share_text(w, last.treatment),
    )  # fmt: skip
    names = w.marks(metric, [p.at for p in points])
    return Chart(
        caption=w.words("curve.survival.caption", metric=w.metric(metric)),
        label=label,
        across=_across(w, metric, x),
        across_name=w.words("chart.after"),
        panels=(Panel(int(HEIGHT), _shares(w, y), tuple(series), name=w.words("chart.still_waiting")),),
        legend=_legend(w, (w.result.experiment.baseline, curve.variant)),
        hits=_hits(w, x, names, points, curve.variant),
        table=curve_table(w, metric, curve),
        summary=w.words("chart.numbers"),
    )


def _dose(w: Wording, metric: MetricResult, curve: Curve) -> Chart:
    points = curve.points
    spots = [p.at for p in points]
    x = _scale(spots)
    y = _scale([v for p in points for v in (p.control.estimate, p.treatment.estimate)], 0.0, 1.0)
    series = []
    for variant, own in (
        (w.result.experiment.baseline, [(p.at, p.control.estimate) for p in points]),
        (curve.variant, [(p.at, p.treatment.estimate) for p in points]),
    ):
        series.append(Series(w.variant(variant), _tone(w, variant), line(x, y, own, HEIGHT), "", _dots(x, y, own)))
    panels = [Panel(int(HEIGHT), _shares(w, y), tuple(series), name=w.words("chart.at_least"))]
    apart = [(p.at, p.difference) for p in points if p.difference is not None]
    clear = [p for p in points if p.difference is not None and _clear(p.difference)]
    if apart:
        low, high = _bounds(apart)
        d = _scale([v for side in (low, high) for _, v in side] + [0.0])
        middle = [(at, i.estimate) for at, i in apart]
        one = Series("", _tone(w, curve.variant), line(x, d, middle, STRIP), region(x, d, low, high, STRIP), _dots(x, d, middle))  # fmt: skip
        up = _upright(d, labels(w, ticks(d, 3), "share"))
        panels.append(Panel(int(STRIP), up, (one,), percent(1.0 - d.share(0.0)), w.words("curve.difference")))
    names = w.marks(metric, spots)
    slots = {"metric": w.metric(metric), "variant": w.variant(curve.variant), "control": w.control}
    if clear:
        first, last = (names[points.index(p)] for p in (clear[0], clear[-1]))
        label = w.words("chart.dose_clear" if len(clear) > 1 else "chart.dose_once", low=first, high=last, **slots)
    else:
        label = w.words("chart.dose_unclear", low=names[0], high=names[-1], **slots)
    return Chart(
        caption=w.words("curve.dose.caption", metric=w.metric(metric)),
        label=label,
        across=_across(w, metric, x),
        across_name=w.metric(metric, 40),
        panels=tuple(panels),
        legend=_legend(w, (w.result.experiment.baseline, curve.variant)),
        hits=_hits(w, x, names, points, curve.variant),
        table=curve_table(w, metric, curve),
        summary=w.words("chart.numbers"),
    )


def _dots(x: Scale, y: Scale, points: Sequence[Point]) -> tuple[tuple[str, str], ...]:
    return tuple((x.at(at), percent(1.0 - y.share(value))) for at, value in points)


def _clear(of: Interval) -> bool:
    return (of.low is not None and of.low > 0.0) or (of.high is not None and of.high < 0.0)


def _spread(w: Wording, metric: MetricResult, table: Plain) -> Chart | None:
    """Bins side by side in equal widths; None where there is but one to draw."""
    bins = list(metric.histogram)
    variants = [v for v, _ in bins[0].units]
    shares = {v: [n / sum(dict(b.units)[v] for b in bins) for n in (dict(b.units)[v] for b in bins)] for v in variants}
    labelled = [row[0] for row in table.rows]
    zeros = ""
    if bins[0].low == bins[0].high == 0.0 and max(own[0] for own in shares.values()) >= DOMINANT:
        said = [w.words("chart.of_variant", share=w.share(own[0]), variant=w.variant(v)) for v, own in shares.items()]
        zeros = w.words("chart.zeros", list=w.join(said))
        bins, labelled = bins[1:], labelled[1:]
        shares = {v: own[1:] for v, own in shares.items()}
    if len(bins) < 2:
        return None
    x = Scale(0.0, float(len(bins)))
    y = Scale(0.0, (1.0 + AIR) * max(max(own) for own in shares.values()))
    series = []
    for v, own in shares.items():
        walk = [(0.0, 0.0)]
        for i, share in enumerate(own):
            walk += [(float(i), share), (i + 1.0, share)]
        path = line(x, y, [*walk, (float(len(bins)), 0.0)], HEIGHT)
        series.append(Series(w.variant(v), _tone(w, v), path, "", (), v == w.result.experiment.baseline))
    hits = []
    for i, name in enumerate(labelled):
        said = [w.words("chart.of_variant", share=w.share(own[i]), variant=w.variant(v)) for v, own in shares.items()]
        tip = w.words("chart.bin_tip", at=name, list=w.join(said))
        hits.append(Hit(percent(i / len(bins)), percent(1 / len(bins)), tip))
    caption = w.words("parts.spread", metric=w.metric(metric))
    return Chart(
        caption=w.words("list.space").join([caption + ".", zeros]) if zeros else caption,
        label=w.words("chart.spread", metric=w.metric(metric), list=w.join(_middles(w, metric, variants))),
        across=_places(w, metric, bins),
        across_name=w.metric(metric, 40),
        panels=(Panel(int(HEIGHT), _shares(w, y), tuple(series), name=w.words("chart.share")),),
        legend=_legend(w, variants),
        hits=tuple(hits),
        table=table,
        summary=w.words("chart.numbers"),
    )


def _middles(w: Wording, metric: MetricResult, variants: Sequence[str]) -> list[str]:
    values = {a.variant: w.value(metric, a.value) for a in metric.arms}
    return [w.words("chart.average", variant=w.variant(v), value=values.get(v, "")) for v in variants]


def _places(w: Wording, metric: MetricResult, bins: Sequence[Bin]) -> tuple[tuple[Tick, str], ...]:
    """Where some of the bins begin, or under the middle of those with one value; as many as there is room for."""
    step = max(1, -(-len(bins) // MOST_LABELS))
    names = w.marks(metric, [one.low for one in bins])
    found = []
    for i in range(0, len(bins), step):
        middle = 0.5 if bins[i].low == bins[i].high else 0.0
        found.append((Tick(percent((i + middle) / len(bins)), bins[i].low, False, "middle"), names[i]))
    return tuple(found)
