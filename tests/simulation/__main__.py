"""`python -m tests.simulation`: the full set, and `docs/calibration.md` from it. Same numbers on any machine.

`--only NAME` runs the methods whose name contains NAME and puts their sections into the page, which is then the same as
that of a full run, as every case has draws of its own. It says nothing on whether the others still hold.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict

from tests.simulation import pipeline, runner
from tests.simulation.registry import BY_NAME, CASES
from tests.simulation.runner import Tally
from tests.simulation.table import PAGE, merge, pipeline_rows, render, rows_of

FULL = "full"


def chunk(name: str, numbers: list[tuple[int, int]]) -> tuple[Tally, ...]:
    """Some batches of one case, for a worker process."""
    total: tuple[Tally, ...] = tuple(Tally() for _ in BY_NAME[name].measures)
    for number, size in numbers:
        total = tuple(a + b for a, b in zip(total, runner.count(BY_NAME[name], FULL, number, size), strict=True))
    return total


def told(name: str) -> str:
    return runner.notes(BY_NAME[name])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the replications; below 1 nothing is written")
    parser.add_argument(
        "--only", default="", metavar="NAME", help="methods with NAME in their name, without the pipeline"
    )
    arguments = parser.parse_args()
    share, only = arguments.share, arguments.only
    cases = [case for case in CASES if only in case.method]
    begin = time.perf_counter()
    jobs = []
    for case in cases:
        batches = runner.batches(case, max(1, round(share * case.replications)))
        jobs += [(case.name, batches[i : i + 10]) for i in range(0, len(batches), 10)]
    totals: dict[str, list[tuple[Tally, ...]]] = defaultdict(list)
    for (name, _), part in zip(jobs, runner.each(chunk, jobs), strict=True):
        totals[name].append(part)
    print(f"cases: {time.perf_counter() - begin:.0f} s", flush=True)
    names = [case.name for case in cases]
    says = dict(zip(names, runner.each(told, [(name,) for name in names]), strict=True))
    rows = []
    for case in cases:
        tallies = [sum(parts, Tally()) for parts in zip(*totals[case.name], strict=True)]
        rows += rows_of(case, zip(case.measures, tallies, strict=True), says[case.name])
    if only:
        page = merge(PAGE.read_text("utf-8"), rows, [case.method for case in CASES])
        write(page, share)
        return
    worlds = max(2, round(share * pipeline.WORLDS))
    found = list(runner.each(pipeline.world, [(i, FULL, pipeline.FULL) for i in range(worlds)]))
    page = render(rows + pipeline_rows(found))
    print(f"with the pipeline: {time.perf_counter() - begin:.0f} s")
    write(page, share)


def write(page: str, share: float) -> None:
    if share < 1:
        print(page)
    else:
        PAGE.write_text(page, "utf-8")
        print(f"wrote {PAGE.relative_to(PAGE.parents[1])}")


if __name__ == "__main__":
    main()
