"""Counts the errors of cases, in batches that may run in any process and in any order.

Each batch has a generator of its own, seeded by the names of the case and of the set and its number: the same numbers
on one processor or two, and none changes when a case is added elsewhere. The short set draws other experiments than
the full one, so that comparing them is a second experiment and not the same one again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.random import Generator

from tests.simulation.case import Case, Measure
from tests.simulation.notes import says

NOTED = 300
"""Experiments that are asked for the product's notes."""


@dataclass(frozen=True)
class Tally:
    """`hits` of `tested` replications, of `runs` in all: the others had no test or no interval."""

    hits: int = 0
    tested: int = 0
    runs: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.hits + other.hits, self.tested + other.tested, self.runs + other.runs)


def generator(*words: object) -> Generator:
    text = " | ".join(str(word) for word in words)
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))


def count(case: Case, purpose: str, number: int, size: int) -> tuple[Tally, ...]:
    """One batch, one tally per measure."""
    found = [[0, 0, 0] for _ in case.measures]
    for experiment in case.draw(generator(case.name, purpose, number), size):
        judged = case.infer(*experiment)
        for tally, measure in zip(found, case.measures, strict=True):
            hit = measure.hit(judged)
            tally[2] += 1
            if hit is not None:
                tally[1] += 1
                tally[0] += hit
    return tuple(Tally(*tally) for tally in found)


def batches(case: Case, replications: int) -> list[tuple[int, int]]:
    """(number, size) of the batches that make up the replications."""
    whole, rest = divmod(replications, case.batch)
    return [*((i, case.batch) for i in range(whole)), *([(whole, rest)] if rest else [])]


def run(case: Case, purpose: str, replications: int) -> tuple[tuple[Measure, Tally], ...]:
    """All measures of one case, here and now."""
    total = tuple(Tally() for _ in case.measures)
    for number, size in batches(case, replications):
        total = tuple(a + b for a, b in zip(total, count(case, purpose, number, size), strict=True))
    return tuple(zip(case.measures, total, strict=True))


def notes(case: Case) -> str:
    size = min(NOTED, case.batch)
    return says(case.draw(generator(case.name, "notes"), size))


Result = TypeVar("Result")


def each(function: Callable[..., Result], jobs: Sequence[tuple[object, ...]]) -> Iterator[Result]:
    """Results in the order of the jobs, made on up to two processors."""
    workers = min(2, os.cpu_count() or 1)
    if workers == 1:
        yield from (function(*job) for job in jobs)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(function, *zip(*jobs, strict=True))
