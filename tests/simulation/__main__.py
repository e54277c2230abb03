"""`python -m tests.simulation`: the full set, and `docs/calibration.md` from it. Same numbers on any machine."""

from __future__ import annotations

import argparse
import time
from collections import defaultdict

from tests.simulation import pipeline, runner
from tests.simulation.registry import BY_NAME, CASES
from tests.simulation.runner import Tally
from tests.simulation.table import PAGE, pipeline_rows, render, rows_of

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
    share = parser.parse_args().share
    begin = time.perf_counter()
    jobs = []
    for case in CASES:
        batches = runner.batches(case, max(1, round(share * case.replications)))
        jobs += [(case.name, batches[i : i + 10]) for i in range(0, len(batches), 10)]
    totals: dict[str, list[tuple[Tally, ...]]] = defaultdict(list)
    for (name, _), part in zip(jobs, runner.each(chunk, jobs), strict=True):
        totals[name].append(part)
    print(f"cases: {time.perf_counter() - begin:.0f} s", flush=True)
    says = dict(zip(BY_NAME, runner.each(told, [(name,) for name in BY_NAME]), strict=True))
    rows = []
    for case in CASES:
        tallies = [sum(parts, Tally()) for parts in zip(*totals[case.name], strict=True)]
        rows += rows_of(case, zip(case.measures, tallies, strict=True), says[case.name])
    worlds = max(2, round(share * pipeline.WORLDS))
    found = list(runner.each(pipeline.world, [(i, FULL, pipeline.FULL) for i in range(worlds)]))
    page = render(rows + pipeline_rows(found))
    print(f"with the pipeline: {time.perf_counter() - begin:.0f} s")
    if share < 1:
        print(page)
    else:
        PAGE.write_text(page, "utf-8")
        print(f"wrote {PAGE.relative_to(PAGE.parents[1])}")


if __name__ == "__main__":
    main()
