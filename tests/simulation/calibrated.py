"""`abtest calibrate` itself: how often it calls a sound test off."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.random import Generator

from abtest.analysis.calibrate import row_of
from abtest.analysis.calibrate_units import Trial
from abtest.analysis.thresholds import CALIBRATION_P, SPLITS
from abtest.language.model import Metric, MetricUse
from abtest.stats.rerandomise import UnitColumn, p_values
from abtest.stats.whole import Array
from tests.simulation.case import Case, Sizes, happens

METRICS = 5


def columns(n: int) -> Callable[[Generator, int], Iterator[tuple[list[UnitColumn], int]]]:
    """Five independent metrics of n units with values near normal, for which Welch's t keeps its rate, and a seed."""

    def draw(random: Generator, runs: int) -> Iterator[tuple[list[UnitColumn], int]]:
        for _ in range(runs):
            values: list[Array] = [random.standard_normal(n, dtype=np.float32).astype(float) for _ in range(METRICS)]
            yield [UnitColumn("mean", v) for v in values], int(random.integers(2**32))

    return draw


def any_off(found: list[UnitColumn], seed: int) -> bool:
    ps = p_values(found, 0.5, splits=SPLITS, seed=seed)
    rows = (
        row_of(Metric("m", "amount"), MetricUse("m", "goal"), "mean", Trial("welch", 1, p), 0.05, METRICS) for p in ps
    )
    return any(row.status == "off" for row in rows)


ANY = happens("any of five sound metrics is off", CALIBRATION_P, "at most")
MANY: Sizes = {"replications": 4_000, "fast": 80, "batch": 40}
CASES = (
    Case("calibrate", "512 splits of 4,000 units", columns(4_000), any_off, (ANY,), "exact bounds, corrected over metrics", **MANY),
    Case("calibrate", "512 splits of 66,000 units, four share labels", columns(66_000), any_off, (ANY,), "exact bounds, corrected over metrics", **MANY),
)  # fmt: skip
