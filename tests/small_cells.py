"""Numbers of units, of all that a result tells one by one, that are above 0 and below its privacy floor.

Besides what is shown itself, differences are taken: between neighbouring points of a curve, between curve and histogram
of one metric, between everybody and the groups of a segment.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from abtest.analysis.effects import Curve
from abtest.analysis.result import Bin, MetricResult, Result

Found = tuple[str, int]
"""Where, and how many units."""


def small_cells(result: Result) -> list[Found]:
    """All of them."""
    cells = [*_segments(result), *_movement(result), *_beside(result)]
    for metric in result.metrics:
        cells += [*_spread(metric), *_survival(metric)]
    return [(where, n) for where, n in cells if 0 < n < result.min_cell]


def told(result: Result) -> set[str]:
    """What kinds of cells there were to look at, so that a search that looks at nothing is seen."""
    cells = [*_segments(result), *_movement(result), *_beside(result)]
    for metric in result.metrics:
        cells += [*_spread(metric), *_survival(metric)]
    return {where.partition(":")[0] for where, _ in cells}


def _segments(result: Result) -> Iterator[Found]:
    for split in result.segments:
        metric = result.metric(split.metric)
        for arm in metric.arms:
            at = f"segment: {split.dimension} of {split.metric} in {arm.variant}"
            shown = [a.used for g in split.groups for a in g.arms if a.variant == arm.variant]
            for n in shown:
                yield at, n
            if shown:
                yield f"{at}, the others", arm.used - sum(shown)


def _movement(result: Result) -> Iterator[Found]:
    for metric in result.metrics:
        for arm in metric.movement.arms if metric.movement is not None else ():
            at = f"movement: {metric.key} in {arm.variant}"
            for n in (*(n for row in arm.cells for n in row), arm.up, arm.same, arm.down):
                if n is not None:
                    yield at, n


def _beside(result: Result) -> Iterator[Found]:
    for goal in result.value.goals if result.value is not None else ():
        for found in goal.associations:
            for n in found.cells or ():
                yield f"association: {goal.metric} in {found.variant}", n
    if result.drivers is not None:
        yield "drivers: units", result.drivers.units
    for arm in result.triggered.arms if result.triggered is not None else ():
        if arm.triggered is not None:
            yield f"triggered: {arm.variant}", arm.triggered
            yield f"triggered: others of {arm.variant}", arm.complete - arm.triggered


def _spread(metric: MetricResult) -> Iterator[Found]:
    """What lies between neighbouring values at which the number of units is told, by the histogram or by the curve."""
    for bins, curves in ((metric.histogram, metric.curves), (metric.answers, ())):
        doses = [c for c in curves if c.kind == "dose"]
        for arm in metric.arms:
            above = {**_of_bins(bins, arm.variant), **_of_doses(doses, arm.variant, arm.used)}
            if not above:
                continue
            steps = [arm.used, *(above[at] for at in sorted(above)), 0]
            for before, after in pairwise(steps):
                yield f"spread: {metric.key} in {arm.variant}", before - after


def _of_bins(bins: tuple[Bin, ...], variant: str) -> dict[float, int]:
    """Units at or above the low end of every bin."""
    counts = [dict(one.units)[variant] for one in bins]
    return {one.low: sum(counts[i:]) for i, one in enumerate(bins)}


def _of_doses(curves: list[Curve], variant: str, n: int) -> dict[float, int]:
    """Units at or above every point; those of the control are told by each curve."""
    found = {}
    for curve in curves:
        for point in curve.points:
            share = point.treatment if variant == curve.variant else point.control
            found[point.at] = round(share.estimate * n)
    return found


def _survival(metric: MetricResult) -> Iterator[Found]:
    """Units whose event lies between neighbouring points, and those who are still without at the last."""
    for curve in (c for c in metric.curves if c.kind == "survival" and c.points):
        for arm in metric.arms:
            shares = [(p.treatment if arm.variant == curve.variant else p.control).estimate for p in curve.points]
            counts = [arm.used, *(round(s * arm.used) for s in shares), 0]
            for before, after in pairwise(counts):
                yield f"survival: {metric.key} in {arm.variant}", before - after
