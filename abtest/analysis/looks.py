"""Other looks at a metric beside its own test: ranks, waiting times, doses, and whole tables of groups.

None of them decides. They use the values one by one (`Arm.values`), or the parts of a group, and show no number from
which a cell below `min_cell` units could be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from abtest.analysis.arms import Arm
from abtest.analysis.chosen_tests import categories, lifetable
from abtest.analysis.interval import interval_of
from abtest.analysis.privacy import cuts_far_apart
from abtest.analysis.quantiles import RankedQuantile
from abtest.analysis.result import Beside, Bin, Curve, CurvePoint, Interval
from abtest.language.model import Metric
from abtest.stats.dose import dose_curve, dose_thresholds
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


def curves_of(
    metric: Metric, arms: Arms, baseline: str, alpha: float, min_cell: int, bins: tuple[Bin, ...] = ()
) -> tuple[Curve, ...]:
    """Doses where the definition asks to show how values are spread, survival for waiting times. Where `bins` of a
    histogram are shown as well, doses are cut as they are: two cuts close together would tell of the few between."""
    if any(a.values is None for a in arms.values()):
        return ()
    treatments = {v: arm for v, arm in arms.items() if v != baseline}
    if metric.kind == "time_to":
        never = float(metric.window.days or 0)
        tables = {v: table for v, arm in arms.items() if (table := lifetable(arm, never)) is not None}
        times = _times([t for t in tables.values() if t.n], min_cell)
        return tuple(_survival(v, tables[v], tables[baseline], times, alpha) for v in treatments)
    if metric.show is None:
        return ()
    cuts = tuple(b.low for b in bins[1:]) or _cuts(treatments, arms[baseline], min_cell)
    return tuple(_dose(v, arm, arms[baseline], cuts, alpha) for v, arm in treatments.items())


def _cuts(treatments: Arms, control: Arm, min_cell: int) -> tuple[float, ...]:
    """Doses at which enough units of every arm lie apart; the same for all treatments, whose control is one."""
    every = [v for arm in treatments.values() for v in arm.values or ()]
    if not every or not control.values:
        return ()
    arms = [arm.values or () for arm in (control, *treatments.values())]
    return cuts_far_apart(dose_thresholds(_summed(every), control.values), arms, min_cell)


def _summed(values: Iterable[tuple[float, int]]) -> list[tuple[float, int]]:
    found: dict[float, int] = {}
    for value, units in values:
        found[value] = found.get(value, 0) + units
    return sorted(found.items())


def _dose(variant: str, treatment: Arm, control: Arm, cuts: tuple[float, ...], alpha: float) -> Curve:
    if not cuts:
        return Curve("dose", variant, (), "no_test", "not_enough_units")
    curve = dose_curve(treatment.values or (), control.values or (), cuts, alpha=alpha)
    points = tuple(
        CurvePoint(
            p.threshold,
            Interval(p.control, None, None),
            Interval(p.treatment, None, None),
            Interval(p.difference, p.low, p.high),
        )
        for p in curve.points
    )
    return Curve("dose", variant, points, curve.status, curve.reason, curve.p_value)


def _survival(variant: str, treatment: Lifetable, control: Lifetable, times: list[float], alpha: float) -> Curve:
    if not (treatment.n and control.n):
        return Curve("survival", variant, (), "no_test", "no_units")
    steps = [kaplan_meier(table, alpha=alpha) for table in (control, treatment)]
    points = tuple(CurvePoint(at, _at(steps[0], at), _at(steps[1], at)) for at in times)
    return Curve("survival", variant, points) if points else Curve("survival", variant, (), "no_test", "no_events")


def _times(tables: Sequence[Lifetable], min_cell: int) -> list[float]:
    """Times between which every arm has enough events, and after which it has enough units left, or none: so that none of
    a few units can be told from the curve."""
    events = [dict(zip(t.times, t.events, strict=True)) for t in tables]
    left = [t.n for t in tables]
    found: list[float] = []
    since = [0 for _ in tables]
    for at in sorted({at for own in events for at in own}):
        now = [own.get(at, 0) for own in events]
        since = [n + e for n, e in zip(since, now, strict=True)]
        left = [n - e for n, e in zip(left, now, strict=True)]
        if min(since) >= min_cell and all(n == 0 or n >= min_cell for n in left):
            found.append(at)
            since = [0 for _ in tables]
    return found


def _at(steps: tuple[Step, ...], at: float) -> Interval:
    last = next((s for s in reversed(steps) if s.time <= at), None)
    return Interval(1.0, None, None) if last is None else Interval(last.survival, last.low, last.high)
