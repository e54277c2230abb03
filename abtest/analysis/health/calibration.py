"""Does each test keep its error rate on the experiment's own units? They are split at random many times.

The tests are those of the main comparison, without adjustment: means, shares above the smallest counts, ratios. Exact
tests keep their rate by construction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from abtest.analysis import thresholds as t
from abtest.analysis.result import HealthCheck, HealthLevel, MetricResult
from abtest.language.model import Experiment
from abtest.metrics.joint import columns_of
from abtest.metrics.units import Values
from abtest.sources.engine import Engine, name
from abtest.sources.units import TABLE
from abtest.stats.rerandomise import ErrorRate, Kind, UnitColumn, error_rates
from abtest.stats.whole import MOST_UNITS

_KINDS: dict[str, Kind] = {"mean": "mean", "proportion": "proportion", "ratio": "ratio"}


def calibration_checks(
    engine: Engine, values: Values, experiment: Experiment, metrics: Sequence[MetricResult]
) -> list[HealthCheck]:
    """Of goals and guardrails. With several treatments the smallest is split off: there tests fail first."""
    tested = {m.key: kind for m in metrics if (kind := _kind(m)) is not None}
    shares = {v.id: v.share or 0.0 for v in experiment.variants}
    smallest = min((shares[v.id] for v in experiment.treatments if shares[v.id] > 0), default=0.0)
    if not tested or not smallest or not shares[experiment.baseline]:
        return []
    part = shares[experiment.baseline] + smallest
    columns = _columns(engine, values, tested, part / sum(shares.values()))
    alpha = experiment.plan.alpha
    rates = error_rates(columns, smallest / part, alpha=alpha, splits=t.SPLITS, seed=_seed(experiment.id))
    return [check(key, rate, alpha, len(rates)) for key, rate in zip(tested, rates, strict=True)]


def _kind(metric: MetricResult) -> Kind | None:
    """Which test of `rerandomise` is the one of a metric."""
    deciding = metric.role in ("goal", "guardrail")
    tried = any(c.status == "ok" for c in metric.comparisons)
    exact = any("exact" in c.method for c in metric.comparisons)
    return _KINDS.get(metric.estimator) if deciding and tried and not exact else None


def _columns(engine: Engine, values: Values, tested: dict[str, Kind], part: float) -> list[UnitColumn]:
    """The units in an order that their ids alone decide; of several treatments, as many as two variants have."""
    found = [c for key in tested for c in columns_of(values, key)]
    (units,) = engine.one(f"SELECT count(*) FROM {name(values.table)}")
    wanted = min(MOST_UNITS, round(int(units) * part))
    arrays = engine.numbers(
        f"SELECT {', '.join(f'v.{name(c)}' for c in dict.fromkeys(found))} FROM {name(values.table)} v "
        f"JOIN {name(TABLE)} k USING (u) ORDER BY hash(k.uid), k.uid LIMIT {wanted}"
    )
    by_name = dict(zip(dict.fromkeys(found), arrays, strict=True))
    made = []
    for key, kind in tested.items():
        own = [by_name[c] for c in columns_of(values, key)]
        made.append(UnitColumn(kind, own[0], own[1] if kind == "ratio" else None))
    return made


def _seed(experiment: str) -> int:
    return int.from_bytes(hashlib.sha256(experiment.encode()).digest()[:8], "big")


def check(key: str, rate: ErrorRate, alpha: float, tests: int) -> HealthCheck:
    """A note where so many (or few) calls are too rare by chance, whatever the number of metrics (Bonferroni)."""
    many, few = (min(1.0, p * tests) < t.CALIBRATION_P / 2 for p in (rate.too_many, rate.too_few))
    level: HealthLevel = "note" if many or few else "pass"
    facts: dict[str, float | int | str | None] = {
        "called_share": rate.rate, "low_share": rate.low, "high_share": rate.high, "nominal_share": alpha,
        "splits": rate.splits, "units": rate.units,
    }  # fmt: skip
    if level == "note":
        facts["shape"] = "many" if many else "few"
    return HealthCheck("aa_calibration", "metric", key, level, None, facts)
