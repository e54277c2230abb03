"""Does an effect last? Early against late, within units.

Days of one unit go together, so effects per day cannot be compared as if they were independent. What each unit did late
less what it did early is one number per unit, and Welch's t of these says whether the effect changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from abtest.stats.means import welch
from abtest.stats.moments import Moments, PairMoments

Shape = Literal["steady", "fades", "turns", "grows"]
FADED, GROWN = 0.5, 2.0
"""Of the early effect: below the first it has faded, above the second it has grown."""


@dataclass(frozen=True, slots=True)
class EarlyLate:
    """The effects over both parts of the window (treatment minus control), and the p-value of "they are equal", two-sided.

    `shape` compares the sizes only: `fades` where less than half is left (novelty), `turns` where the sign changes,
    `grows` where it at least doubles (primacy, or learning), else `steady`.
    """

    early: float
    late: float
    p_value: float | None
    shape: Shape


def early_late(treatment: PairMoments, control: PairMoments) -> EarlyLate | None:
    """Compare the change from early (x) to late (y) between the variants: difference in differences per unit.

    Sadeghi et al. 2021 (novelty and primacy by difference in differences); the test is Welch's (1947) of y - x. None
    below two units in a variant. Values in the metric's unit, per unit of the experiment.

    >>> from abtest.stats.moments import pair_of
    >>> found = early_late(pair_of([4, 5, 6, 5], [2, 3, 3, 2]), pair_of([2, 3, 2, 1], [2, 3, 3, 1]))
    >>> found.early, found.late, round(found.p_value, 4), found.shape
    (3.0, 0.25, 0.0004, 'fades')
    """
    if min(treatment.n, control.n) < 2:
        return None
    early = treatment.x.mean - control.x.mean
    late = treatment.y.mean - control.y.mean
    test = welch(_change(treatment), _change(control))
    return EarlyLate(early, late, test.p_value, shape_of(early, late))


def shape_of(early: float, late: float) -> Shape:
    """How an effect moved from `early` to `late`.

    >>> shape_of(1.0, 0.7), shape_of(1.0, 0.3), shape_of(1.0, -0.1), shape_of(-1.0, -2.5)
    ('steady', 'fades', 'turns', 'grows')
    """
    if early * late < 0.0:
        return "turns"
    if abs(late) < FADED * abs(early):
        return "fades"
    return "grows" if abs(late) > GROWN * abs(early) else "steady"


def _change(pair: PairMoments) -> Moments:
    """Of y - x per unit."""
    return Moments(pair.n, pair.y.mean - pair.x.mean, max(0.0, pair.x.m2 + pair.y.m2 - 2.0 * pair.cross))
