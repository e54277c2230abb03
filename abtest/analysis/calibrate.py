"""How often does each test call a difference where there is none? Random splits of the project's own units.

Units (or whole clusters) of all variants are put together and split at random again and again, so nothing differs but
chance. Means, shares and ratios are tested in all splits at once (`stats/rerandomise.py`), adjusted ones from exact sums
of each split, every other test by the code of the report itself on the rows of each split. A metric's rate is off when
alpha lies outside its exact bounds, corrected over the metrics.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from abtest.analysis import thresholds as t
from abtest.analysis.arm_table import arms_by_variant
from abtest.analysis.calibrate_units import Trial, trials_of
from abtest.analysis.codec import encode
from abtest.analysis.compare import Setting, compare, estimator_of
from abtest.analysis.left_out import left_out
from abtest.analysis.prepare import Progress, metrics_of, prepare
from abtest.analysis.run import Options
from abtest.analysis.sharing import engine_of
from abtest.language.model import Experiment, Metric, MetricUse, Project
from abtest.metrics.crossed import find_covariates
from abtest.metrics.sums import binary_metrics, grids
from abtest.problems import Problem, UserError, quoted
from abtest.stats.rerandomise import count_band, error_rate, exact_bounds

SCHEMA = "abtest.calibration/1"
LEAST_UNITS = 20
"""Units (or clusters) in all; below it a split says nothing."""
LEAST_SPLITS, MOST_SPLITS = 100, 100_000
BINS = 10
Verdict = Literal["fine", "off", "no_test"]
Shape = Literal["many", "few"]


@dataclass(frozen=True)
class Calibrated:
    """One metric. `called` of `tested` splits had p < alpha; `low` and `high` bound the true rate, corrected over metrics.

    `p_value`: how rare so many (or few) calls are, both sides and all metrics counted. `covered`: the share of intervals
    that hold zero, None for tests without an interval. `bins` counts p-values in tenths, `band` is the exact 99 % band
    of each count. With status `no_test` the `reason` says why, and the rest is None.
    """

    metric: str
    title: str
    role: str
    estimator: str
    status: Verdict
    reason: str | None
    method: str | None = None
    units: int = 0
    splits: int = 0
    tested: int = 0
    called: int | None = None
    rate: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    shape: Shape | None = None
    covered: float | None = None
    bins: tuple[int, ...] = ()
    band: tuple[int, int] | None = None


@dataclass(frozen=True)
class Calibration:
    """Every metric of an experiment. `error` is the Monte-Carlo standard error of a rate that is alpha; `level` how
    sure the bounds are over all metrics together; `share` of units goes to treatment; `clustered`: clusters were split."""

    schema: str
    experiment: str
    title: str
    unit: str
    alpha: float
    level: float
    splits: int
    seed: int
    share: float
    units: int
    clustered: bool
    error: float
    metrics: tuple[Calibrated, ...]

    @property
    def off(self) -> tuple[Calibrated, ...]:
        return tuple(m for m in self.metrics if m.status == "off")

    @property
    def tried(self) -> tuple[Calibrated, ...]:
        return tuple(m for m in self.metrics if m.status != "no_test")

    def to_json(self) -> str:
        """Canonical text: the same input gives the same bytes."""
        return json.dumps(encode(self), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def calibrate(
    project: Project,
    experiment: Experiment,
    *,
    splits: int = t.SPLITS,
    seed: int | None = None,
    options: Options | None = None,
    progress: Progress = lambda _: None,
    notice: Progress = lambda _: None,
) -> Calibration:
    """`notice` gets what of the files could not be used.

    Raises UserError (exit 3) where the data cannot be used, has too few units, or no metric can be tested.
    """
    if not LEAST_SPLITS <= splits <= MOST_SPLITS:
        hint = f"Between {LEAST_SPLITS:,} and {MOST_SPLITS:,}."
        raise UserError([Problem("E002", f"--splits {splits:,} is not possible", None, hint)], exit_code=2)
    used = seed_of(experiment.id) if seed is None else seed
    metrics = metrics_of(project, experiment)
    uses = {u.name: u for u in experiment.metrics}
    uses |= {m.name: MetricUse(m.name, "part") for m in metrics if m.part_of is not None}
    given = options or Options()
    with engine_of(project, given.threads, given.memory) as engine:
        found = prepare(engine, project, experiment, progress)
        for line in left_out(engine, found, experiment.exposure_source.partition(" by ")[0]):
            notice(line)
        values = found.values(engine, found.plan(project.timezone))
        grid, binary = grids(engine, values), binary_metrics(engine, values, metrics)
        covariates = find_covariates(engine, values, found.covariates)
        arms = arms_by_variant(engine, values, experiment, metrics, covariates, grid, binary)
        setting = Setting(replace(experiment.plan, method="fixed"), early=False, progress=1.0)
        methods = {}
        for metric in metrics:
            own = arms[metric.name]
            tried = [compare(metric, uses[metric.name], v.id, own[v.id], own[experiment.baseline], setting) for v in experiment.treatments]  # fmt: skip
            methods[metric.name] = tried
        progress(f"{splits:,} splits")
        units, share, trials = trials_of(engine, values, experiment, metrics, methods, covariates, binary, splits, used, progress)  # fmt: skip
    if units < LEAST_UNITS:
        what = "clusters" if experiment.cluster else "units"
        told = f"{quoted(experiment.id)} has {units:,} {what}, too few to split"
        raise _unusable("E430", told, experiment, f"It takes {LEAST_UNITS} at least.")
    alpha = experiment.plan.alpha
    many = max(1, sum(trial.reason is None for trial in trials))
    rows = tuple(
        row_of(metric, uses[metric.name], estimator_of(metric, arms[metric.name]), trial, alpha, many)
        for metric, trial in zip(metrics, trials, strict=True)
    )
    if not any(r.status != "no_test" for r in rows):
        reasons = Counter(r.reason or "" for r in rows)
        said = ", ".join(f"{reason} ({n})" for reason, n in sorted(reasons.items()))
        told = f"no metric of {quoted(experiment.id)} can be tested: {said}"
        raise _unusable("E431", told, experiment, "The report of  abtest run  says why, metric by metric.")
    error = math.sqrt(alpha * (1.0 - alpha) / splits)
    return Calibration(
        SCHEMA, experiment.id, experiment.title, experiment.unit, alpha, 1.0 - t.CALIBRATION_P, splits, used, share, units,
        experiment.cluster is not None, error, rows,
    )  # fmt: skip


def seed_of(experiment: str) -> int:
    """Of the id, so that the same experiment is split in the same way."""
    return int.from_bytes(hashlib.sha256(experiment.encode()).digest()[:8], "big")


def row_of(metric: Metric, use: MetricUse, estimator: str, trial: Trial, alpha: float, many: int) -> Calibrated:
    """What the splits of one metric say, of `many` that are tried."""
    own = (metric.name, metric.title, use.role, estimator)
    reason = trial.reason
    p = np.asarray(trial.p_values)
    tested = int(np.isfinite(p).sum())
    if reason is None and tested < len(p) / 2:
        reason = trial.why_not or "no_test"
    if reason is not None:
        return Calibrated(*own, "no_test", reason, trial.method, trial.units)
    called = int((p < alpha).sum())
    low, high = exact_bounds(called, tested, t.CALIBRATION_P / many)
    _, _, too_many, too_few = error_rate(called, tested, alpha)
    shape: Shape | None = "many" if low > alpha else "few" if high < alpha else None
    rare = min(1.0, 2.0 * many * min(too_many, too_few))
    bins = np.histogram(p[np.isfinite(p)], BINS, (0.0, 1.0))[0]
    return Calibrated(
        *own, "off" if shape else "fine", None, trial.method, trial.units, len(p), tested, called, called / tested, low, high,
        rare, shape, trial.covered, tuple(int(n) for n in bins), count_band(tested, 1.0 / BINS, 0.01),
    )  # fmt: skip


def _unusable(code: str, told: str, experiment: Experiment, hint: str) -> UserError:
    return UserError([Problem(code, told, experiment.place, hint)], exit_code=3)
