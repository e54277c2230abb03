"""Triggered units, engagement and value, and drivers of the photo app, in every state that they can have."""

from __future__ import annotations

from dataclasses import replace

from abtest.analysis import beside as b
from abtest.analysis.interval import Interval
from abtest.analysis.result import Result, SegmentResult, Shrunken


def beside(result: Result) -> Result:
    """The result with everything that can stand beside it, shown for its own goals and the first guardrail."""
    early = not result.experiment.reached_end
    treatments = [v.id for v in result.experiment.variants if v.id != result.experiment.baseline]
    value = result.guardrails[0].key if result.guardrails else result.metrics[-1].key
    keys = [g.key for g in result.goals]
    return replace(
        result,
        triggered=_triggered(treatments, result.experiment.baseline, keys, value, early),
        value=b.Value(
            value, tuple(_goal(k, i, treatments, result.experiment.baseline, early) for i, k in enumerate(keys))
        ),
        drivers=_drivers(value, [m.key for m in result.metrics if m.role == "secondary"][:2]),
        segments=tuple(_shrunk(s, treatments) for s in result.segments),
        moderators=_moderated(keys, treatments),
    )


def _effect(estimate: float, half: float, band: bool, control: float = 0.1284) -> b.Effect:
    absolute = Interval(
        control * estimate, control * (estimate - half), control * (estimate + half), control * half / 2
    )
    relative = Interval(estimate, estimate - half, estimate + half, half / 2)
    return b.Effect("ok", None, "welch", absolute, relative, None, 0.012, band)


def _none(reason: str) -> b.Effect:
    return b.Effect("no_test", reason, "none")


def _triggered(treatments: list[str], control: str, goals: list[str], other: str, early: bool) -> b.Triggered:
    arms = [b.TriggerArm(v, 107_000, 106_000, 41_234) for v in (control, *treatments)]
    checks = [b.TriggerCheck(v, True, None, 0.37) for v in treatments]
    if len(treatments) > 1:
        checks[-1] = b.TriggerCheck(treatments[-1], False, "rates_differ", 1e-7)
        arms[-1] = replace(arms[-1], triggered=None)
    metrics = []
    for key in goals:
        full = [
            b.TriggeredComparison(
                v, 0.31, 0.33, 82_000, _effect(0.071, 0.03, early), _effect(0.032, 0.013, early),
                _effect(0.002, 0.02, False), 0.88,
            )
            for v in treatments
        ]  # fmt: skip
        metrics.append(b.TriggeredMetric(key, tuple(full)))
    hidden = [b.TriggeredComparison(v, None, None, 0, *[_none("beyond_trigger")] * 3) for v in treatments]
    differ = [replace(c, diluted=_none("others_differ"), others_p=0.001) for c in metrics[0].comparisons]
    metrics += [b.TriggeredMetric(other, tuple(hidden)), replace(metrics[0], comparisons=tuple(differ))]
    return b.Triggered("(saw_composer >= 1)", "first 14 days", tuple(arms), tuple(checks), tuple(metrics))


QUADRANTS: tuple[b.Quadrant, ...] = ("trade_off_up", "unclear", "win_win", "lose_lose", "trade_off_down")


def _goal(key: str, number: int, treatments: list[str], control: str, early: bool) -> b.ValueGoal:
    rates = (
        b.Rate("ok", None, "bounded", 0.0061, 0.0023, 0.0122),
        b.Rate("ok", None, "outside", 0.04, -0.2, 0.01),
        b.Rate("ok", None, "everything", -0.01),
        b.Rate("ok", None, "outside", 0.04, None, 0.01),
        b.Rate("no_test", "zero_variance"),
    )
    together = [
        b.Together(
            v, "ok", None, 214_000, Interval(0.0053, 0.0031, 0.0076, 0.0011), Interval(-0.87, -1.4, -0.34, 0.27), early,
            QUADRANTS[(number + i) % 5], 0.21, b.Region("ok", None, 0.66, 0.0027, 1.57, 0.0004), rates[(number + i) % 5],
        )
        for i, v in enumerate(treatments)
    ]  # fmt: skip
    if number == 2:
        together[0] = b.Together(treatments[0], "no_test", "not_enough_units", 12)
    odds = (Interval(0.31, 0.3, 0.32, 0.005), Interval(3.9, 3.8, 4.1, 0.02))
    within = [b.Association(v, "ok", None, (9_120, 18_300, 21_400, 58_180), *odds) for v in (control, *treatments)]
    if len(treatments) > 1:
        within[-1] = b.Association(treatments[-1], "no_test", "small_cell")
    changes = [b.AssociationChange(v, "ok", None, Interval(0.97, 0.9, 1.04, 0.04), 0.4) for v in treatments]
    changes[-1] = b.AssociationChange(treatments[-1], "ok", None, Interval(0.8, 0.7, 0.9, 0.04), 0.004)
    return b.ValueGoal(key, tuple(together), tuple(within), tuple(changes))


def _drivers(of: str, by: list[str]) -> b.DriverResult:
    made = [
        b.Driver(by[0], Interval(0.181, 0.174, 0.188, 0.003), 0.22, 0.09),
        b.Driver(by[1], Interval(0.07, 0.064, 0.076, 0.003), 0.16, 0.0, "collinear"),
    ]
    return b.DriverResult(of, tuple(by), "ok", None, 201_334, Interval(0.251, 0.243, 0.259, 0.004), tuple(made))


def _moderated(goals: list[str], treatments: list[str]) -> tuple[b.ModeratorResult, ...]:
    """Every goal along two numbers: one with regions on both sides, one without any; and one that could not be made."""
    made = []
    for key in goals:
        for v in treatments:
            low, high = Interval(-0.012, -0.019, -0.005, 0.003), Interval(0.021, 0.013, 0.029, 0.003)
            slope = Interval(0.00063, 0.0004, 0.00086, 0.0001)
            regions = (b.ClearRegion(18.0, 31.4, False), b.ClearRegion(40.2, 70.0, True))
            made += [
                b.ModeratorResult(
                    "age", key, v, "ok", None, 210_000, 431, slope, 1e-7, 2e-7, 18.0, 70.0, low, high, 2.1, regions
                ),
                b.ModeratorResult(
                    "<i>income</i>",
                    key,
                    v,
                    "ok",
                    None,
                    210_431,
                    0,
                    replace(slope, low=-0.001),
                    0.2,
                    0.2,
                    9_000.0,
                    250_000.0,
                    high,
                    high,
                    2.9,
                ),
                b.ModeratorResult("tenure", key, v, "no_test", "constant", 210_000, 0),
            ]
    return tuple(made)


def _shrunk(segment: SegmentResult, treatments: list[str]) -> SegmentResult:
    groups = [
        replace(g, shrunken=tuple(Shrunken(v, Interval(0.0051, 0.0032, 0.007, 0.001)) for v in treatments))
        for g in segment.groups
    ]
    p = segment.interaction_p
    return replace(segment, groups=tuple(groups), interaction_p_adjusted=None if p is None else min(1.0, 2 * p))
