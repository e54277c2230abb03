"""Definitions to one plan: which daily counters all metrics need together, each once, and how they are stacked.

Two values carry it. A `Counter` is a number per unit and day (how many likes, how much revenue). A `Chain` is a
window cut into blocks, finest first: `article_read >= 4 on 2 days`, `per: week`, `over: first 28 days` is the chain
days 0-27 in blocks of 1 and of 7 days. Metrics with equal chains share their tables, so one more metric adds columns,
not scans.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from abtest.language.conditions import Atom, Compare, Condition, Measure, Spread, walk
from abtest.language.model import Column, Event, Metric, RatioPart

CounterKind = Literal["count", "sum", "known", "min", "max"]


@dataclass(frozen=True)
class Counter:
    """A number per unit and day. `known` counts the rows whose property is there (for means)."""

    kind: CounterKind
    event: str
    prop: str | None = None


@dataclass(frozen=True)
class Chain:
    """Days `first`..`last` after exposure in blocks of `blocks` days, finest first; the last entry is folded.

    `per` False: the last block is the whole window (or, with no blocks, an open window). `through` is the last
    complete date (days since 1970) of the sources that the metrics of this chain read.
    """

    first: int
    last: int | None
    blocks: tuple[int, ...]
    per: bool
    through: int


@dataclass(frozen=True)
class Task:
    """One metric on its chain. `parts` are what is computed per block: one, or numerator and denominator."""

    metric: Metric
    chain: Chain
    parts: tuple[Condition | Measure, ...]


@dataclass(frozen=True)
class Plan:
    """The whole run: counters by source, tasks in order of the metrics, and the columns of per-unit tables."""

    counters: tuple[tuple[str, tuple[Counter, ...]], ...]
    tasks: tuple[Task, ...]
    columns: tuple[Metric, ...]

    @property
    def chains(self) -> tuple[Chain, ...]:
        return tuple(dict.fromkeys(t.chain for t in self.tasks))

    @property
    def last_day(self) -> int | None:
        """The last day after exposure that any chain reads; None when a window is open."""
        ends = [c.last for c in self.chains]
        return None if any(e is None for e in ends) else max((e for e in ends if e is not None), default=None)


def event_parts(metric: Metric) -> tuple[Condition | Measure, ...]:
    """What a metric computes from events: its condition, its measure, or the two parts of its ratio."""
    parts: Iterable[RatioPart | None] = (metric.condition, metric.measure, *(metric.parts or ()))
    return tuple(p for p in parts if p is not None and not isinstance(p, Column))


def atoms_in(part: Condition | Measure) -> tuple[Atom, ...]:
    if isinstance(part, Measure):
        return part.atoms
    return tuple(a for c in walk(part) if isinstance(c, Compare) for m in (c.left, c.right) for a in m.atoms)


def counters_of(atom: Atom) -> tuple[Counter, ...]:
    """The daily counters from which an atom follows."""
    match atom.function:
        case "count" | "days":
            return (Counter("count", atom.event),)
        case "sum":
            return (Counter("sum", atom.event, atom.prop),)
        case "mean":
            return (Counter("sum", atom.event, atom.prop), Counter("known", atom.event, atom.prop))
        case "min" | "max":
            return (Counter(atom.function, atom.event, atom.prop),)


def sources_of(metric: Metric, events: Mapping[str, Event]) -> tuple[str, ...]:
    names = (events[a.event].source for p in event_parts(metric) for a in atoms_in(p))
    return tuple(sorted(set(names)))


def make_plan(metrics: Iterable[Metric], events: Mapping[str, Event], through: Mapping[str, int]) -> Plan:
    """The plan of all metrics. `through` maps each source of events to its last complete date."""
    counters: dict[str, dict[Counter, None]] = {}
    tasks: list[Task] = []
    columns: list[Metric] = []
    for metric in metrics:
        parts = event_parts(metric)
        if not parts:
            columns.append(metric)
            continue
        for part in parts:
            for atom in atoms_in(part):
                source = counters.setdefault(events[atom.event].source, {})
                source.update((c, None) for c in counters_of(atom))
        tasks.append(Task(metric, chain_of(metric, min(through[s] for s in sources_of(metric, events))), parts))
    ordered = tuple((name, tuple(found)) for name, found in sorted(counters.items()))
    return Plan(ordered, tuple(tasks), tuple(columns))


def chain_of(metric: Metric, through: int) -> Chain:
    window = metric.window
    spreads = {
        s.days for p in event_parts(metric) if not isinstance(p, Measure) for s in walk(p) if isinstance(s, Spread)
    }
    outer = metric.per if metric.per is not None else window.days
    blocks = sorted(spreads | ({outer} if outer is not None else set()))
    return Chain(window.first, window.last, tuple(blocks), metric.per is not None, through)
