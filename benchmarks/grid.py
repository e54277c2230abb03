"""`python -m benchmarks.grid`: the past of one definition against that of a 5 x 5 grid of thresholds around it.

Both from the files to the moments, in one process each, in turns; the median of the ratios is the result.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.definitions import write_project
from benchmarks.workload import write_workload

PAST = """
import sys, time
from dataclasses import replace
from pathlib import Path
from abtest.analysis.history import read_past
from abtest.analysis.sharing import engine_of
from abtest.language.project import load_project
from abtest.language.thresholds import grid_of, thresholds_of
import ibis
ibis.duckdb
project = load_project(Path("."))
metric = project.metrics["m0"]
size = int(sys.argv[1])
found = thresholds_of(metric)
grid = grid_of(metric, found, tuple(tuple(float(v) for v in range(1, size + 1)) for _ in found))
metrics = [replace(c.metric, name=f"c{i}") for i, c in enumerate(grid.cells)]
t = time.perf_counter()
with engine_of(project) as engine:
    read_past(engine, project, metrics, "user", adjusted=False)
print(time.perf_counter() - t)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_workload(folder, asked.events)
        write_project(folder, 1)
        ratios = []
        for _ in range(asked.repeat):
            one, grid = (_seconds(folder, size) for size in (1, 5))
            ratios.append(grid / one)
            print(f"one definition {one:.2f} s, 25 of them {grid:.2f} s: {grid / one:.2f}")
        print(f"median ratio {statistics.median(ratios):.2f}")


def _seconds(folder: Path, size: int) -> float:
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", PAST, str(size)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": root},
    )
    return float(done.stdout)


if __name__ == "__main__":
    main()
