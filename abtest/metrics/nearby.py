"""The definitions close to a goal: the same words with one number a step or two up or down.

Each is a hidden metric with the units, window and clock of the goal, so that one scan serves all of them. A number that
nobody wrote (`like` is `like >= 1`) is no choice that could have been another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from abtest.language.model import Metric
from abtest.language.thresholds import Cell, Lattice, Threshold, neighbours

NEARBY = "nearby: "
"""How the names of the hidden metrics begin."""


@dataclass(frozen=True)
class Close:
    """One definition: number `threshold` of the goal (its place among those that move) is `value` instead."""

    threshold: int
    value: float
    label: str
    metric: Metric


@dataclass(frozen=True)
class Nearby:
    """A goal and what is close to it; the definition as it is written is not among `cells`."""

    goal: Metric
    thresholds: tuple[Threshold, ...]
    cells: tuple[Close, ...]


def nearby_of(goals: Iterable[Metric]) -> tuple[Nearby, ...]:
    """The neighbours of every goal that holds a written number.

    >>> from abtest.language.expressions import parse_condition
    >>> goal = Metric("m", "did", condition=parse_condition("photo_post >= 2 and like"), per=7)
    >>> [c.label for c in nearby_of([goal])[0].cells]
    ['photo_post >= 1', 'photo_post >= 3', 'photo_post >= 4']
    """
    found = []
    for goal in goals:
        around = None if goal.quantile is not None or goal.part_of is not None else neighbours(goal)
        if around is None or around.thresholds[0].bare:
            continue
        cells = [c for c in around.cells if c != around.written]
        made = tuple(_close(goal, around, cell, k) for k, cell in enumerate(cells))
        if made:
            found.append(Nearby(goal, around.thresholds, made))
    return tuple(found)


def _close(goal: Metric, around: Lattice, cell: Cell, number: int) -> Close:
    moved = next(i for i, t in enumerate(around.thresholds) if cell.values[i] != t.value)
    value = cell.values[moved]
    metric = replace(cell.metric, name=f"{NEARBY}{goal.name} {number}", show=None)
    return Close(moved, value, around.thresholds[moved].label(value), metric)
