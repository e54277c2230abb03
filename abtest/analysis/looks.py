"""Other looks at a metric beside its own test: ranks, waiting times, doses, and whole tables of groups.

None of them decides. They use the values one by one (`Arm.values`), or the parts of a group, and show no number from
which a cell below `min_cell` units could be told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from abtest.analysis.arms import Arm
from abtest.analysis.chosen_tests import categories, lifetable
from abtest.analysis.interval import interval_of
from abtest.analysis.quantiles import RankedQuantile
from abtest.analysis.result import Beside, Curve, CurvePoint, Interval
from abtest.language.model import Metric
from abtest.metrics.value_counts import Counted
from abtest.stats.dose import dose_curve
from abtest.stats.ordinal import brunner_munzel
from abtest.stats.proportional_odds import proportional_odds, proportionality
from abtest.stats.survival import Lifetable, Step, kaplan_meier, log_rank
from abtest.stats.tables import homogeneity

Arms = Mapping[str, Arm]


def beside_of(metric: Metric, arms: Arms, baseline: str, alpha: float) -> tuple[Beside, ...]:
    """Ranks of surveys and ladders, and the whole curve of waiting times."""
    if any(a.values is None for a in arms.values()):
        return ()
    found: list[Beside] = []
    for variant, arm in arms.items():
        if variant == baseline:
            continue
        if metric.kind == "survey" or (metric.group is not None and metric.group.ranked):
            found += _ranks(variant, arm, arms[baseline], alpha)
        elif metric.kind == "time_to":
            found += _waits(variant, arm, arms[baseline], float(metric.window.days or 0), alpha)
    return tuple(found)


def _ranks(variant: str, treatment: Arm, control: Arm, alpha: float) -> list[Beside]:
    t, c = categories(treatment), categories(control)
    assert t is not None
    assert c is not None
    test = brunner_munzel(t, c, alpha=alpha)
    chance = None if test.probability is None else Interval(test.probability, test.low, test.high, test.se)
    values = {"win_odds": test.win_odds}
    found = [
        Beside(
            "brunner_munzel", variant, test.status, test.reason, chance, test.statistic, test.df, test.p_value, values
        )
    ]
    odds = proportional_odds(t, c, alpha=alpha)
    fit = proportionality(t, c)
    ratio = None if odds.ratio is None else Interval(odds.ratio, odds.low, odds.high, odds.se)
    found.append(
        Beside(
            "proportional_odds", variant, odds.status, odds.reason, ratio, odds.statistic, None, odds.p_value,
            {"proportional_p": fit.p_value},
        )
    )  # fmt: skip
    return found


def _waits(variant: str, treatment: Arm, control: Arm, never: float, alpha: float) -> list[Beside]:
    t, c = lifetable(treatment, never), lifetable(control, never)
    assert t is not None
    assert c is not None
    test = log_rank(t, c, alpha=alpha)
    ratio = test.hazard_ratio
    estimate = interval_of(ratio)
    values = {"observed": test.observed, "expected": test.expected}
    return [Beside("log_rank", variant, test.status, test.reason, estimate, test.statistic, 1.0, test.p_value, values)]


def group_test(arms: Mapping[str, Arms], cells: tuple[str, ...]) -> tuple[Beside, ...]:
    """All cells of a group at once: do the variants differ anywhere? `arms` per cell and variant.

    Asked first, so that of eight cells not one is picked out that differs by chance.
    """
    counts = [[arms[cell][variant].counts for cell in cells] for variant in next(iter(arms.values()))]
    if any(c is None for row in counts for c in row):
        return ()
    test = homogeneity([[c.successes for c in row if c is not None] for row in counts])
    values = {"cramers_v": test.cramers_v, "smallest_expected": test.smallest_expected}
    return (Beside("homogeneity", None, test.status, test.reason, None, test.statistic, test.df, test.p_value, values),)


def rank_look(variant: str, value: float | None, ranked: RankedQuantile | None) -> Beside:
    """The quantile of one variant with the interval that its ranks give."""
    if value is None or ranked is None:
        return Beside("rank_interval", variant, "no_test", "not_enough_units")
    found = Interval(value, ranked.low, ranked.high)
    return Beside("rank_interval", variant, "ok", None, found, values={"coverage": ranked.coverage})


def curves_of(metric: Metric, arms: Arms, baseline: str, alpha: float, min_cell: int) -> tuple[Curve, ...]:
    """Doses where the definition asks to show how values are spread, survival for waiting times."""
    if any(a.values is None for a in arms.values()):
        return ()
    found: list[Curve] = []
    for variant, arm in arms.items():
        if variant == baseline:
            continue
        if metric.kind == "time_to":
            found.append(_survival(variant, arm, arms[baseline], float(metric.window.days or 0), alpha, min_cell))
        elif metric.show is not None:
            found.append(_dose(variant, arm, arms[baseline], alpha, min_cell))
    return tuple(found)


def _dose(variant: str, treatment: Arm, control: Arm, alpha: float, min_cell: int) -> Curve:
    curve = dose_curve(treatment.values or (), control.values or (), alpha=alpha)
    shown = told_doses([p.threshold for p in curve.points], treatment.values or (), control.values or (), min_cell)
    points = tuple(
        CurvePoint(
            p.threshold,
            Interval(p.control, None, None),
            Interval(p.treatment, None, None),
            Interval(p.difference, p.low, p.high),
        )
        for p in curve.points
        if p.threshold in shown
    )
    return Curve("dose", variant, points, curve.status, curve.reason, curve.p_value)


def told_doses(thresholds: Sequence[float], treatment: Counted, control: Counted, min_cell: int) -> frozenset[float]:
    """Thresholds between which, above which and below which each arm has enough units to be shown, or none at all. The
    band and the p-value are those of all thresholds."""
    found: list[float] = []
    above = [[sum(n for v, n in arm if v >= t) for t in thresholds] for arm in (treatment, control)]
    everybody = [sum(n for _, n in arm) for arm in (treatment, control)]
    known = [0, 0]
    for i in reversed(range(len(thresholds))):
        here = [arm[i] for arm in above]
        apart = [n - k for n, k in zip(here, known, strict=True)]
        rest = [n - k for n, k in zip(everybody, here, strict=True)]
        if min(apart) >= min_cell and all(n == 0 or n >= min_cell for n in rest):
            found.append(thresholds[i])
            known = here
    return frozenset(found)


def _survival(variant: str, treatment: Arm, control: Arm, never: float, alpha: float, min_cell: int) -> Curve:
    tables = [lifetable(arm, never) for arm in (control, treatment)]
    assert tables[0] is not None
    assert tables[1] is not None
    if not (tables[0].n and tables[1].n):
        return Curve("survival", variant, (), "no_test", "no_units")
    steps = [kaplan_meier(table, alpha=alpha) for table in tables if table is not None]
    points = tuple(
        CurvePoint(at, _at(steps[0], at), _at(steps[1], at)) for at in _times(tables[0], tables[1], min_cell)
    )
    return Curve("survival", variant, points) if points else Curve("survival", variant, (), "no_test", "no_events")


def _times(control: Lifetable, treatment: Lifetable, min_cell: int) -> list[float]:
    """Times between which each arm has enough events, so that none of a few units can be told from the curve."""
    events = [dict(zip(t.times, t.events, strict=True)) for t in (control, treatment)]
    found, since = [], [0, 0]
    for at in sorted({*events[0], *events[1]}):
        since = [n + e.get(at, 0) for n, e in zip(since, events, strict=True)]
        if min(since) >= min_cell:
            found.append(at)
            since = [0, 0]
    return found


def _at(steps: tuple[Step, ...], at: float) -> Interval:
    last = next((s for s in reversed(steps) if s.time <= at), None)
    return Interval(1.0, None, None) if last is None else Interval(last.survival, last.low, last.high)
