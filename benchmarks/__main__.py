"""`python -m benchmarks`: `abtest run` against LIMIT, the least that any tool with per-user numbers must do.

LIMIT is one GROUP BY user over the same file in the same engine. Both run in fresh processes, in turns; each line is
the median of the ratios of the pairs. Times are for orientation, ratios are the result.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.definitions import write_project
from benchmarks.workload import write_workload

LIMIT = """
import time, duckdb
con = duckdb.connect()
t = time.perf_counter()
con.execute("SELECT uid, count(*), sum(value), max(ts) FROM read_parquet('events.parquet') GROUP BY uid").fetchnumpy()
print(time.perf_counter() - t)
"""
RUN = """
import time
from pathlib import Path
from abtest.analysis.run import analyse
from abtest.language.project import load_project
from abtest.reports.html import render_html
import abtest.stats.means, duckdb, ibis
ibis.duckdb
project = load_project(Path("."))
t = time.perf_counter()
result = analyse(project, project.experiments["bench"])
engine = time.perf_counter() - t
page = render_html(result)
print(engine, time.perf_counter() - t, len(page))
"""


def child(arguments: list[str], folder: Path) -> tuple[list[float], float, float]:
    """Numbers printed, wall seconds and peak resident megabytes of a fresh process."""
    start = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(arguments, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"{arguments[:3]} failed")
    numbers = (
        [float(x) for x in text.split()]
        if text.strip().replace(".", "").replace(" ", "").replace("e-", "").isdigit()
        else []
    )
    return numbers, wall, usage.ru_maxrss / 1024


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def engine_ratio(folder: Path, metrics: int, pairs: int, kinds: bool = False) -> dict[str, float]:
    write_project(folder, metrics, kinds)
    rows = []
    for _ in range(pairs):
        (limit,), _, limit_rss = child(python(LIMIT), folder)
        (engine, whole, size), _, rss = child(python(RUN), folder)
        rows.append((engine / limit, whole / limit, limit, engine, rss, size, limit_rss))
    columns = list(zip(*rows, strict=True))
    return {
        "engine_over_limit": statistics.median(columns[0]),
        "lowest": min(columns[0]),
        "highest": max(columns[0]),
        "with_report_over_limit": statistics.median(columns[1]),
        "limit_seconds": statistics.median(columns[2]),
        "engine_seconds": statistics.median(columns[3]),
        "peak_mb": max(columns[4]),
        "limit_peak_mb": max(columns[6]),
        "report_kb": columns[5][0] / 1000,
    }


def start_up(folder: Path, pairs: int) -> dict[str, float]:
    """Whole processes against `python -c pass`: how long a person or a hook waits before anything happens."""
    write_project(folder, 50)
    commands = {
        "--help": [sys.executable, "-m", "abtest", "--help"],
        "check of 50 metrics": [sys.executable, "-m", "abtest", "check"],
        "run of the smallest log": [sys.executable, "-m", "abtest", "run", "--quiet"],
    }
    found: dict[str, float] = {}
    for name, command in commands.items():
        ratios, times = [], []
        for _ in range(pairs):
            _, bare, _ = child(python("pass"), folder)
            _, wall, _ = child(command, folder)
            ratios.append(wall / bare)
            times.append(wall)
        found[f"{name} over python"] = statistics.median(ratios)
        found[f"{name} seconds"] = statistics.median(times)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", default="1000000,10000000", help="sizes of the log (default: %(default)s)")
    parser.add_argument("--metrics", default="10,50", help="numbers of metrics (default: %(default)s)")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of runs per line (default: %(default)s)")
    parser.add_argument("--folder", default=".bench", help="where the logs are kept (default: %(default)s)")
    parser.add_argument("--kinds", action="store_true", help="half of the metrics of the rest of the language")
    parser.add_argument("--kernels", action="store_true", help="only the statistics, against the same from rows")
    parser.add_argument("--trajectory", action="store_true", help="only 28 days against the last of them")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    if options.kernels:
        from benchmarks.kernels import measure

        measure()
        return
    if options.trajectory:
        from benchmarks.trajectory import measure as measure_days

        measure_days(Path(options.folder).resolve(), tuple(int(x) for x in options.events.split(",")))
        return
    results: dict[str, dict[str, float]] = {}
    for events in (int(x) for x in options.events.split(",")):
        folder = write_workload(Path(options.folder).resolve() / str(events), events)
        for metrics in (int(x) for x in options.metrics.split(",")):
            of = " of all kinds" if options.kinds else ""
            found = engine_ratio(folder, metrics, options.pairs, options.kinds)
            results[f"{events:,} events, {metrics} metrics{of}"] = found
    tiny = write_workload(Path(options.folder).resolve() / "10000", 10_000)
    results["start-up"] = start_up(tiny, options.pairs)
    if options.json:
        print(json.dumps(results, indent=1))
        return
    for name, row in results.items():
        print(name)
        for key, value in row.items():
            print(f"  {key.replace('_', ' '):28} {value:10.2f}")


if __name__ == "__main__":
    main()
