"""What the product itself says about such data: the health notes, by its own checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from abtest.analysis.arms import Arm
from abtest.analysis.compare import arm_value, estimator_of
from abtest.analysis.health import metric_checks
from abtest.language.model import Metric
from abtest.stats.moments import Counts, Moments, PairMoments
from abtest.stats.quantiles import Quantile
from tests.analysis import builders

OFTEN = 0.1
"""Notes in fewer of the experiments are not told."""


def notes_of(treatment: Any, control: Any) -> set[str]:
    """Keys of the notes about one comparison of moments, counts, pairs or quantiles; none for other data."""
    arms = {"control": _arm(control), "new": _arm(treatment)}
    pooled = isinstance(control, PairMoments)
    definition = Metric("m", "ratio" if pooled else "amount")
    quantile = isinstance(control, Quantile)
    result = replace(
        builders.metric("m", "goal"),
        estimator="quantile" if quantile else estimator_of(definition, arms),
        arms=tuple(arm_value(v, a) for v, a in arms.items()),
    )
    return {check.key for check in metric_checks(result, definition, arms, "control") if check.level == "note"}


def says(drawn: Iterable[tuple[Any, ...]]) -> str:
    """How often which note is shown, e.g. `skewness` 97 %; empty where the draws are no two arms."""
    seen: Counter[str] = Counter()
    total = 0
    for experiment in drawn:
        if len(experiment) != 2 or not all(
            isinstance(arm, Moments | Counts | PairMoments | Quantile) for arm in experiment
        ):
            return ""
        total += 1
        seen.update(notes_of(*experiment))
    told = [(key, count / total) for key, count in sorted(seen.items()) if count >= OFTEN * total]
    return ", ".join(f"`{key}`" if share == 1 else f"`{key}` {100 * share:.0f} %" for key, share in told)


def _arm(data: Moments | Counts | PairMoments | Quantile) -> Arm:
    if isinstance(data, Quantile):
        return Arm(data.pair.n, data.pair.n, 0, 0, quantile=data)
    if isinstance(data, PairMoments):
        return Arm(data.n, data.n, 0, 0, pair=data)
    if isinstance(data, Counts):
        return Arm(data.n, data.n, 0, 0, moments=data.moments, counts=data)
    return Arm(data.n, data.n, 0, 0, moments=data)
