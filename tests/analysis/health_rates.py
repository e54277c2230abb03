"""How often do the checks alarm where nothing is wrong? Measured on A/A experiments, and written down.

Two measurements: whole experiments, from files to `Result` (`through_files`), and, for the checks that test a
hypothesis, counts and moments drawn under it straight into the check (`from_counts`), which is fast enough to see rates
of one in a thousand. `python -m tests.analysis.health_rates` measures both anew and writes `health_rates.json`, which
`docs/health.md` is made from; that takes a quarter of an hour.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

import numpy as np

import abtest
from abtest.analysis.adjusting import Covaried
from abtest.analysis.arms import Arm
from abtest.analysis.health import assignment, calibration, comparability, days, logs, over_time, values
from abtest.analysis.result import HealthCheck
from abtest.analysis.run import Options, analyse
from abtest.language.model import Experiment, Variant
from abtest.stats.matrix import MomentMatrix
from abtest.stats.moments import Counts, Moments, PairMoments, pair_of
from abtest.stats.rerandomise import UnitColumn, error_rates
from tests.analysis.builders import goal
from tests.analysis.faults import write

Rates = dict[str, dict[str, int]]
"""Per check: in how many experiments it ran, carried a note, and failed (in any of its subjects)."""
FILE = Path(__file__).with_name("health_rates.json")
EXPERIMENT = Experiment(
    "x", "X", "user", "flags", None, (Variant("a", "a", 0.5, "A"), Variant("b", "b", 0.5, "B")), "a", ()
)
IDS = ("a", "b")


def counted(results: Iterable[Iterable[HealthCheck]]) -> Rates:
    found: dict[str, Counter[str]] = {}
    for checks in results:
        levels: dict[str, set[str]] = {}
        for check in checks:
            levels.setdefault(check.key, set()).add(check.level)
        for key, seen in levels.items():
            tally = found.setdefault(key, Counter(ran=0, note=0, fail=0))
            tally["ran"] += seen != {"not_run"}
            tally["note"] += "note" in seen
            tally["fail"] += "fail" in seen
    return {key: dict(tally) for key, tally in found.items()}


def through_files(n: int, first_seed: int = 1000) -> Rates:
    """Checks of `n` A/A experiments of the project of `faults.py`, each with its own seed."""

    def experiments() -> Iterable[Iterable[HealthCheck]]:
        for seed in range(first_seed, first_seed + n):
            with TemporaryDirectory() as folder:
                project = abtest.load(write(Path(folder), lift=0.0, seed=seed))
                yield analyse(project, project.experiments["x"], options=Options(threads=1), iterations=False).health

    return counted(experiments())


# Counts and moments under the hypothesis


def from_counts(n: int, seed: int = 1) -> Rates:
    """Each check of `DRAWN` on `n` draws."""
    draw = np.random.default_rng(seed)
    return counted([check] for make in DRAWN for check in (make(draw) for _ in range(n)))


def _halves(draw: np.random.Generator, *sizes: int) -> list[list[int]]:
    firsts = draw.binomial(sizes, 0.5)
    return [[int(k), size - int(k)] for k, size in zip(firsts, sizes, strict=True)]


def _by_day(draw: np.random.Generator, days_: int = 21) -> dict[int, list[int]]:
    """New units, fewer every day, from 120 down to 25."""
    totals = draw.poisson(20 + 100 * 0.85 ** np.arange(days_))
    return {20000 + d: pair for d, pair in enumerate(_halves(draw, *(int(n) for n in totals)))}


def _whole(draw: np.random.Generator) -> HealthCheck:
    (pair,) = _halves(draw, 1000)
    return assignment.check_srm(EXPERIMENT, dict(zip(IDS, pair, strict=True)))


def _within(key: str, sizes: tuple[int, ...]) -> Callable[[np.random.Generator], HealthCheck]:
    def make(draw: np.random.Generator) -> HealthCheck:
        pairs = _halves(draw, *sizes)
        whole = assignment.check_srm(EXPERIMENT, {v: sum(p[i] for p in pairs) for i, v in enumerate(IDS)})
        groups = [(f"2026-03-{i + 1:02}", p) for i, p in enumerate(pairs)]
        return assignment.check_srm_within(key, None, groups, EXPERIMENT, whole.level)

    return make


def _first(draw: np.random.Generator) -> HealthCheck:
    (pair,) = _halves(draw, 100)
    return assignment.check_mixed_first(dict(zip(IDS, pair, strict=True)), EXPERIMENT, 5000, True, True)


def _timing(draw: np.random.Generator) -> HealthCheck:
    return assignment.check_timing(_by_day(draw), EXPERIMENT)


def _allocation(draw: np.random.Generator) -> HealthCheck:
    return assignment.check_allocation(_by_day(draw), 2)


def _carried(draw: np.random.Generator) -> HealthCheck:
    return assignment.check_carry_over("older", _halves(draw, 480, 520))


def _exposure_days(draw: np.random.Generator) -> HealthCheck:
    totals = {d: sum(n) for d, n in _by_day(draw).items()}
    return days.check_exposure_days(totals, 20000, 20020)


def _exposure_step(draw: np.random.Generator) -> HealthCheck:
    return days.check_exposure_step({d: sum(n) for d, n in _by_day(draw).items()})


def _gaps(draw: np.random.Generator) -> HealthCheck:
    rows = dict(enumerate(int(k) for k in draw.poisson(15, 35)))
    return days.check_time_gaps("app", rows, 0, 34)


def _moments(x: np.ndarray) -> Moments:
    return Moments(len(x), float(x.mean()), float(((x - x.mean()) ** 2).sum()))


def _lossy(draw: np.random.Generator, units: int = 300) -> PairMoments:
    """Rows of units that are active to very different degrees, each of which loses its own share of them."""
    rows = 1 + draw.negative_binomial(1.0, 0.1, units)
    lost = draw.binomial(rows, draw.beta(0.5, 9.5, units)).astype(float)
    y = rows.astype(float)
    return PairMoments(units, _moments(lost), _moments(y), float(((lost - lost.mean()) * (y - y.mean())).sum()))


def _loss(draw: np.random.Generator) -> HealthCheck:
    return logs.check_unit_loss("app", {v: _lossy(draw) for v in IDS}, "a")


def _silent(draw: np.random.Generator) -> HealthCheck:
    seen = {v: int(draw.binomial(500, 0.9)) for v in IDS}
    return logs.check_silent("app", seen, dict.fromkeys(IDS, 500))


def _lag(draw: np.random.Generator) -> HealthCheck:
    """Units with a row on one of the last days, the later the more."""
    last: dict[int, dict[str, int]] = {}
    for v in IDS:
        ends, n = np.unique(34 - np.minimum(34, draw.geometric(0.15, 300) - 1), return_counts=True)
        for day, k in zip(ends, n, strict=True):
            last.setdefault(int(day), {})[v] = int(k)
    return logs.check_arms_lag("app", last, dict.fromkeys(IDS, 300))


def _missing(draw: np.random.Generator) -> HealthCheck:
    arms = {v: Arm(500, 500 - k, 0, k) for v, k in zip(IDS, map(int, draw.binomial(500, 0.03, 2)), strict=True)}
    found = values._missing(goal("unclear"), arms)
    assert found is not None
    return found


def _denominator(draw: np.random.Generator) -> HealthCheck:
    arms = {v: Arm(300, 300, 0, 0, None, None, _lossy(draw)) for v in IDS}
    found = values._denominator(goal("unclear"), arms, "a")
    assert found is not None
    return found


def _before(draw: np.random.Generator) -> HealthCheck:
    """Three metrics adjusted by one skewed number each; the worst of their checks."""
    arms: dict[str, dict[str, Arm]] = {}
    for metric in ("m1", "m2", "m3"):
        for v in IDS:
            m = _moments(draw.gamma(1.0, 1.0, 250))
            matrix = MomentMatrix(250, (0.0, m.mean), ((0.0, 0.0), (0.0, m.m2)))
            arms.setdefault(metric, {})[v] = Arm(250, 250, 0, 0, covaried=Covaried(matrix, (metric,)))
    found = comparability.pre_period_checks(arms, "a")
    return max(found, key=lambda c: ("pass", "note", "fail").index(c.level))


def _over_time(draw: np.random.Generator) -> HealthCheck:
    """Three metrics whose halves go together, by the taste of each unit; the worst of their checks."""

    def arm() -> PairMoments:
        taste = draw.gamma(2.0, 1.0, 250)
        return pair_of(draw.poisson(taste).astype(float), draw.poisson(taste).astype(float))

    found = over_time.novelty_checks(
        {m: over_time.OverTime(7, {v: arm() for v in IDS}) for m in ("m1", "m2", "m3")}, "a"
    )
    return max(found, key=lambda c: ("pass", "note").index(c.level))


def _calibrated(draw: np.random.Generator) -> HealthCheck:
    """Two metrics whose tests are sound: a normal one, and a share."""
    columns = [
        UnitColumn("mean", draw.normal(0, 1, 250)),
        UnitColumn("proportion", (draw.random(250) < 0.4).astype(float)),
    ]
    rates = error_rates(columns, 0.5, seed=int(draw.integers(2**63)))
    found = [calibration.check(f"m{i}", rate, 0.05, 2) for i, rate in enumerate(rates)]
    return max(found, key=lambda c: ("pass", "note").index(c.level))


def _response(draw: np.random.Generator) -> HealthCheck:
    arms = {v: Arm(400, 400, 0, 0, None, None, None, Counts(int(k), 400)) for v, k in zip(IDS, draw.binomial(400, 0.4, 2), strict=True)}  # fmt: skip
    return comparability.response_checks({"nps": arms})[0]


DRAWN: tuple[Callable[[np.random.Generator], HealthCheck], ...] = (
    _whole, _within("srm_by_day", (120, 90, 70, 60, 50, 45, 40, 38, 36, 34, 32, 30, 30, 30)), _within("srm_by_segment", (500, 300, 200)),
    _first, _timing, _allocation, _carried, _exposure_days, _exposure_step, _gaps, _loss, _silent, _lag, _missing, _denominator,
    _before, _response, _over_time, _calibrated,
)  # fmt: skip


class Measured(TypedDict):
    n: int
    checks: Rates


def read() -> dict[str, Measured]:
    """What was measured last, whole experiments first."""
    found: dict[str, Measured] = json.loads(FILE.read_text("utf-8"))
    return {way: found[way] for way in ("through_files", "from_counts")}


if __name__ == "__main__":
    whole, drawn = (int(x) for x in sys.argv[1:3]) if len(sys.argv) == 3 else (240, 20000)
    measured = {
        "through_files": {"n": whole, "checks": through_files(whole)},
        "from_counts": {"n": drawn, "checks": from_counts(drawn)},
    }
    FILE.write_text(json.dumps(measured, indent=1, sort_keys=True) + "\n", "utf-8")
