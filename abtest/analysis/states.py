"""Where units stand one period after the other: hidden metrics over single blocks of a window, and over what follows it.

A recurring condition is judged in single blocks (weeks) of its window; anything else over the window and over the
equally long one behind it. The 28 days after the window tell who came back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from abtest.language.canonical import events_of, metric_atoms
from abtest.language.conditions import AnyOf, Condition, at_least_one
from abtest.language.model import Metric, Project, Window
from abtest.metrics.units import Values
from abtest.sources.engine import Engine, name
from abtest.sources.units import TABLE

RETENTION_DAYS = 28
HIDDEN = "lab: "
"""How the names of hidden metrics begin."""
RETAINED = f"{HIDDEN}retained"
CHUNK = 20
"""Definitions per query: an engine plans thousands of aggregates at once more slowly than one after the other."""
How = Literal["blocks", "windows"]


@dataclass(frozen=True)
class States:
    """Hidden metrics of one definition, in the order of time, `length` days each. `here` is the place of the period by
    which units are in or out when it is asked who comes back: the last one of the metric's own window."""

    how: How
    metrics: tuple[Metric, ...]
    length: int
    here: int


@dataclass(frozen=True)
class Pairs:
    """Units in both of two neighbouring periods, only in the first, only in the second, in neither."""

    both: int
    first: int
    second: int
    neither: int

    @property
    def units(self) -> int:
        return self.both + self.first + self.second + self.neither

    @property
    def agreement(self) -> float | None:
        """The correlation of two yes-or-no answers (phi; Yule 1912); None where all units answer alike in a period.

        >>> Pairs(30, 10, 10, 50).agreement
        0.5833333333333334
        """
        a, b, c, d = self.both, self.first, self.second, self.neither
        below = (a + b) * (c + d) * (a + c) * (b + d)
        return None if not below else (a * d - b * c) / below**0.5


@dataclass(frozen=True)
class Overlap:
    """Units that were in, those of them that came back; units that were out, those of them."""

    inside: int
    inside_back: int
    outside: int
    outside_back: int


def can_be_followed(metric: Metric) -> bool:
    """Whether its window is a stretch of days after entry that can be moved."""
    window = metric.window
    fixed = window.first is not None and window.last is not None and window.first >= 0 and not window.end
    plain = window.tick == "day" and metric.per_unit == "tick" and metric.clock != "calendar" and metric.unit is None
    part = metric.condition is not None or metric.measure is not None or metric.rank is not None
    return fixed and plain and part and not metric.pooled and metric.quantile is None and metric.survey is None


def states_of(metric: Metric, most: int = 2) -> States | None:
    """The last `most` blocks of a recurring condition; of anything else its window and the next. None where the window
    cannot be moved."""
    if not can_be_followed(metric):
        return None
    first, last = metric.window.first, metric.window.last
    assert first is not None
    assert last is not None
    plain = replace(
        metric, adjust=None, show=None, part_of=None, examples=(), margin=None, test=None, immature="drop", cap=None
    )
    if _recurs(metric):
        assert metric.per is not None
        number = (last - first + 1) // metric.per
        blocks = tuple(
            replace(
                plain,
                name=f"{HIDDEN}{metric.name} block {k}",
                window=Window(first + k * metric.per, first + (k + 1) * metric.per - 1),
                per=None,
                fold=None,
            )
            for k in range(max(0, number - most), number)
        )
        return States("blocks", blocks, metric.per, len(blocks) - 1)
    length = last - first + 1
    now = replace(plain, name=f"{HIDDEN}{metric.name} window")
    later = replace(plain, name=f"{HIDDEN}{metric.name} next", window=Window(first + length, last + length))
    return States("windows", (now, later), length, 0)


def _recurs(metric: Metric) -> bool:
    """A condition that is judged block by block and not made one yes or no of."""
    fold = metric.fold
    return (
        metric.condition is not None
        and metric.per is not None
        and not metric.rolling
        and (fold is None or (fold.operator is None and fold.name in ("share", "count", "streak", "last")))
        and all(a.ago is None for a in metric_atoms(metric))
    )


def retention_of(metric: Metric, project: Project, unit: str) -> Metric | None:
    """Whether a unit did any of the declared events, of the logs that the metric reads, in the 28 days after its window."""
    if not can_be_followed(metric):
        return None
    last = metric.window.last
    assert last is not None
    logs = {project.events[e].source for e in events_of(metric)}
    parts: tuple[Condition, ...] = tuple(
        at_least_one(event.name)
        for event in project.events.values()
        if event.source in logs
        and event.survey is None
        and event.nth is None
        and event.once is None
        and project.sources[event.source].kind == "events"
        and project.sources[event.source].unit_path(unit) is not None
    )
    if not parts:
        return None
    return Metric(
        RETAINED,
        "did",
        condition=parts[0] if len(parts) == 1 else AnyOf(parts),
        window=Window(last + 1, last + RETENTION_DAYS),
        clock=metric.clock,
        starting_at=metric.starting_at,
        within=metric.within,
    )


def count_pairs(engine: Engine, values: Values, states: Sequence[States]) -> list[Pairs]:
    """Units by the last two periods of each of several definitions; those that have both."""
    asked = []
    for one in states:
        before, after = (name(values.value[m.name]) for m in one.metrics[-2:])
        asked.append(_four(f"{before} > 0", f"{after} > 0", f"{before} IS NOT NULL AND {after} IS NOT NULL"))
    return [Pairs(*row) for row in _counted(engine, values, asked)]


def count_overlaps(engine: Engine, values: Values, states: Sequence[States]) -> list[Overlap]:
    """Who came back, of those in and those out in the period at the end of the window of each definition."""
    back = name(values.value[RETAINED])
    asked = []
    for one in states:
        here = name(values.value[one.metrics[one.here].name])
        asked.append(_four(f"{here} > 0", f"{back} > 0", f"{here} IS NOT NULL AND {back} IS NOT NULL"))
    return [
        Overlap(both + first, both, second + no, second) for both, first, second, no in _counted(engine, values, asked)
    ]


def held_by_week(engine: Engine, values: Values, states: States) -> dict[int, tuple[int, int]]:
    """Per calendar week (days since 1970 of its Monday) in which a period began: periods, and those that hold."""
    found: dict[int, tuple[int, int]] = {}
    for metric in states.metrics:
        column = name(values.value[metric.name])
        day = f"(x.x_day + {int(metric.window.first or 0)})"
        monday = f"({day} - (({day} + 3) % 7))"
        rows = engine.rows(
            f"SELECT {monday}, count(*), count(*) FILTER ({column} > 0) FROM {name(values.table)} v "
            f"JOIN {name(TABLE)} x ON x.u = v.u WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 1"
        )
        for week, number, held in rows:
            before = found.get(int(week), (0, 0))
            found[int(week)] = (before[0] + int(number), before[1] + int(held))
    return dict(sorted(found.items()))


def _four(one: str, other: str, known: str) -> str:
    cells = (f"{one} AND {other}", f"{one} AND NOT {other}", f"NOT {one} AND {other}", f"NOT {one} AND NOT {other}")
    return ", ".join(f"count(*) FILTER ({known} AND {cell})" for cell in cells)


def _counted(engine: Engine, values: Values, asked: Sequence[str]) -> list[tuple[int, int, int, int]]:
    found: list[tuple[int, int, int, int]] = []
    for k in range(0, len(asked), CHUNK):
        row = [int(n) for n in engine.one(f"SELECT {', '.join(asked[k : k + CHUNK])} FROM {name(values.table)}")]
        found += [(row[i], row[i + 1], row[i + 2], row[i + 3]) for i in range(0, len(row), 4)]
    return found
