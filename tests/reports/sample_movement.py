"""Movement between levels, in every state that it can have."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle

from abtest.analysis.interval import Interval
from abtest.analysis.result import Movement, MovementArm, MovementChange, Result, TableTest

LEVELS = ("dormant", "<b>visitor</b>", "regular | fan")
NONE = ("no_history", "timing", "looks_back", "clustered", "no_units", "of a newer engine")


def moved(result: Result) -> Result:
    """A ladder on the first metric, a cross on the second, and a reason on each other."""
    ids = [v.id for v in result.experiment.variants]
    treatments = [v for v in ids if v != result.experiment.baseline]
    made = [ladder(ids, treatments), cross(ids, treatments)]
    reasons = cycle(NONE)
    made += [Movement("ladder", LEVELS, 7, "no_test", next(reasons)) for _ in result.metrics[2:]]
    return replace(result, metrics=tuple(replace(m, movement=x) for m, x in zip(result.metrics, made, strict=False)))


def ladder(ids: list[str], treatments: list[str]) -> Movement:
    cells = ((21_004, 3_120, 102), (2_980, 31_044, 4_009), (None, None, 12_450))
    bowker = TableTest("ok", None, 38.2, 3, 2.5e-8)
    arms = [MovementArm(v, 78_020, 3_111, cells, 7_231, 64_498, 6_291, bowker) for v in ids]
    arms[-1] = replace(arms[-1], up=None, same=None, down=None, symmetry=TableTest("no_test", "small_cell"))
    size = Interval(0.0123, 0.0061, 0.0185, 0.0032)
    rose = Interval(0.0093, 0.0062, 0.0124, 0.0016)
    changes = [MovementChange(v, rose, rose, None, "ok", None, size, 3.8, 0.00012) for v in treatments]
    changes[-1] = replace(changes[-1], up=None, same=None)
    if len(changes) > 1:
        changes[1] = MovementChange(treatments[1], None, None, None, "no_test", "no_overlap")
    return Movement("ladder", LEVELS, 7, "ok", None, tuple(arms), tuple(changes))


def cross(ids: list[str], treatments: list[str]) -> Movement:
    cells = ((120, 0, 40, 61), (0, 0, 0, 0), (30, 0, 900, 44), (50, 0, 71, 2_004))
    test = TableTest("ok", "small_expected", 2.1, 2, 0.35)
    arms = tuple(MovementArm(v, 3_320, 0, cells, 30, 1_020, 40, test) for v in ids)
    down = Interval(-0.04, -0.06, -0.02, 0.01)
    changes = [
        MovementChange(v, down, down, down, "ok", None, down, -4.0, 6e-5, TableTest("ok", None, 1.0, 3, 0.8))
        for v in treatments
    ]
    if len(changes) > 1:
        flat = Interval(0.0, -0.06, 0.06, 0.03)
        other = TableTest("ok", None, 31.0, 3, 1e-6)
        changes[1] = replace(changes[1], shift=flat, statistic=0.0, p_value=1.0, anywhere=other)
    return Movement("cross", ("FN", "F_", "__", "?"), 28, "ok", None, arms, tuple(changes))
