"""The size that a group sequential plan is expected to take, and its power, by simulation from YAML.

How often each method errs over all its looks stands in docs/calibration.md (`tests/simulation/plans.py`, `sizes.py`).
"""

from __future__ import annotations

import numpy as np
import pytest

from abtest.stats.group_sequential import boundaries, drift_for, expected_information
from abtest.stats.spending import Spending
from tests.simulation.data import normal
from tests.simulation.looks import Path, growing
from tests.simulation.plans import excludes, judged, plan_of, settings

LOOKS, EACH, TRIALS = 5, 400, 1500


def first_call(text: str, path: Path) -> int | None:
    """The first look at which the judged interval leaves zero."""
    found = (k for k, look in enumerate(settings(text, path)) if excludes(judged(*look).absolute, 0.0))
    return next(found, None)


@pytest.mark.parametrize(
    "text", ["{method: group_sequential, looks: 5}", "{method: group_sequential, looks: 5, spending: pocock}"]
)
def test_power_and_expected_size_are_those_that_the_plan_is_sized_for(text: str) -> None:
    design = boundaries(plan_of(text).looks, 0.05, Spending(plan_of(text).spending.name))
    drift = drift_for(design, 0.8)
    effect = drift * (2.0 / (LOOKS * EACH)) ** 0.5
    draw = growing(normal(effect, 1.0), normal(0.0, 1.0), EACH, EACH, LOOKS)
    found = [first_call(text, path) for (path,) in draw(np.random.default_rng(7), TRIALS)]
    power = sum(k is not None for k in found) / TRIALS
    assert abs(power - 0.8) < 4 * (0.8 * 0.2 / TRIALS) ** 0.5
    sizes = np.array([(LOOKS if k is None else k + 1) / LOOKS for k in found])
    assert abs(sizes.mean() - expected_information(design, drift)) < 4 * sizes.std() / TRIALS**0.5
