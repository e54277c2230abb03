"""`python -m benchmarks --trajectory`: the effect on each of 28 days against the effect on the last of them.

Units enter on 28 days and are followed for 7. Both sides start from the same unit values: the final day is one pass over
the units and one comparison per goal, the trajectory the same by day of exposure, added up, with a comparison per day.
The whole run with and without it is the ratio that a user notices, and so is that of the definitions close to goals.
Ratios are medians of pairs in turns, in one process.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from abtest.analysis import run
from abtest.analysis.arm_table import arms_by_variant
from abtest.analysis.procedures import procedure_of
from abtest.analysis.reading import always_valid
from abtest.analysis.result import Result, Trajectory
from abtest.analysis.trajectories import trajectories
from abtest.language.model import Project
from abtest.language.project import load_project
from benchmarks.definitions import HEAD
from benchmarks.workload import EVENTS, write_workload

PAIRS = 7
GOAL = 1.5
METRICS = """
metrics:
  likes: {amount: like, adjust: none, over: first 7 days, better: higher}
  engaged: {did: photo_post >= 1 and like >= 2, per: week, over: first 7 days, better: higher}
  per_open: {ratio: {of: like, to: app_open}, adjust: none, over: first 7 days, better: higher}
"""
EXPERIMENT = """
experiment: bench
unit: user
exposure: {source: flags}
variants: {control: {key: 'off', share: 50%}, new: {key: 'on', share: 50%}}
baseline: control
dates: {start: 2026-03-02, end: 2026-03-29}
metrics: {goal: [likes, engaged, per_open]}
"""


def write(folder: Path, events: int) -> Path:
    """The workload with exposures on 28 days, the log shifted so that each has its week."""
    source = write_workload(folder / str(events), events)
    made = folder / f"{events}-days"
    made.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect()
    # The log is repeated 14 days on, so that the last who enter are still active.
    con.execute(
        f"COPY (SELECT user_id, uid, ts, event, value FROM '{source}/events.parquet' UNION ALL "
        f"SELECT user_id, uid, ts + INTERVAL 14 DAY, event, value FROM '{source}/events.parquet') "
        f"TO '{made}/events.parquet' (FORMAT parquet)"
    )
    con.execute(
        "COPY (SELECT user_id, uid, TIMESTAMP '2026-03-02' + to_days(CAST(hash(user_id) % 28 AS INTEGER)) AS ts, variant "
        f"FROM '{source}/exposures.parquet' ORDER BY user_id) TO '{made}/exposures.parquet' (FORMAT parquet)"
    )
    con.close()
    names = "events:\n" + "".join(f"  {e}: {e}\n" for e in EVENTS)
    (made / "abtest.yml").write_text(HEAD + names + METRICS, "utf-8")
    (made / "bench.yml").write_text(EXPERIMENT, "utf-8")
    return made


def measure(folder: Path, sizes: tuple[int, ...]) -> None:
    """Print the table."""
    for events in sizes:
        project = load_project(write(folder, events))

        def whole(project: Project = project, nearby: bool = True) -> Result:
            return run.analyse(project, project.experiments["bench"], iterations=nearby)

        rows: list[tuple[float, float]] = []
        with _instead(partial(_timed, rows)):
            result = whole()
        runs, close = [], []
        for _ in range(3):
            mine = _seconds(whole)
            close.append(mine / _seconds(partial(whole, nearby=False)))
            with _instead(lambda *_: {}):
                runs.append(mine / _seconds(whole))
        points = len(result.metric("likes").trajectory[0].points)
        ratios = sorted(a / b for a, b in rows)
        line = f"{events:,} events, {points} points of each of 3 goals"
        print(
            f"{line:60} {statistics.median(ratios):5.2f} x  ({ratios[0]:.2f} to {ratios[-1]:.2f})  the last day"
            f" ({statistics.median(b for _, b in rows) * 1000:.0f} ms)   goal {GOAL}"
        )
        print(f"{'  the whole run, with against without':60} {statistics.median(runs):5.2f} x")
        cells = sum(r.compared for r in result.robustness)
        head = f"  the whole run, with {cells} definitions close to goals"
        print(f"{head:60} {statistics.median(close):5.2f} x", flush=True)


def _timed(rows: list[tuple[float, float]], *given: Any) -> dict[str, tuple[Trajectory, ...]]:
    """The trajectories, and beside them the last day alone: from the same unit values, in the same engine."""
    engine, values, experiment, metrics, covariates, grid, binary, setting = given[:8]

    def last() -> None:
        arms = arms_by_variant(engine, values, experiment, metrics, covariates, grid, binary)
        for metric in metrics:
            own = arms[metric.name]
            for variant in experiment.treatments:
                found, _ = always_valid(procedure_of(metric, own[variant.id], own[experiment.baseline]), 0.05, 1.0)
                assert found.status == "ok"

    assert setting.progress > 0.0
    rows += [(_seconds(lambda: trajectories(*given)), _seconds(last)) for _ in range(PAIRS)]
    return trajectories(*given)


@contextmanager
def _instead(other: Callable[..., Any]) -> Iterator[None]:
    """Runs of the block hand their unit values to another function."""
    before = vars(run)["trajectories"]
    vars(run)["trajectories"] = other
    try:
        yield
    finally:
        vars(run)["trajectories"] = before


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
