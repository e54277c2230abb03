"""Definitions to one plan: which counters all metrics need together, each once, and how they are stacked.

Three values carry it. A `Grid` says what time is: local dates or hours from exposure, counted from which start. A
`Counter` is a number per unit and tick of a grid (how many likes, how much revenue). A `Chain` is a window of a grid cut
into blocks, finest first: `article_read >= 4 on 2 days`, `per: week`, `over: first 28 days` is the chain days 0-27 in
blocks of 1 and of 7 days. Metrics with equal chains share their tables, so one more metric adds columns, not scans.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from abtest.language.conditions import EMPTY_IS_NOTHING, Atom, Compare, Condition, Measure, Rank, Spread, walk
from abtest.language.model import Column, Event, Metric, Part, RatioPart, Tick
from abtest.sources.times import DAY, day_start

CounterKind = Literal["count", "sum", "known", "min", "max", "first", "last", "last_tick", "distinct"]
Style = Literal["whole", "blocks", "rolling", "week", "month", "parts"]
TICKS: Mapping[Tick, int] = {"day": DAY, "hour": DAY // 24, "minute": DAY // 1440}
DATE = "$date"
"""As a property: the day of a row, where ticks are shorter or those of a session."""
LONG_AGO = -1_000_000
"""A tick before all others."""
SESSION = "$session"
"""As a property: the session of a row."""


@dataclass(frozen=True)
class Counter:
    """A number per unit and tick. `known` counts the rows whose property is there (for means); `last_tick` is the tick
    of the last row; `distinct` holds the values themselves. `every`: rows before exposure too. `once_from`: for events
    that count once in a window, the window's first tick."""

    kind: CounterKind
    event: str
    prop: str | None = None
    every: bool = False
    once_from: int | None = None


@dataclass(frozen=True)
class Grid:
    """What a tick is and where counting starts. `anchor` is an event within so many days; `sub` splits units into their
    sessions or devices, those that show in `logs`."""

    tick: Tick = "day"
    elapsed: bool = False
    anchor: str | None = None
    within: int = 0
    sub: str | None = None
    logs: tuple[str, ...] = ()

    @property
    def length(self) -> int:
        """Of a tick, in days (date) or µs (elapsed): what `Chain.end` is counted in."""
        return TICKS[self.tick] if self.elapsed else 1


@dataclass(frozen=True)
class Chain:
    """Ticks `first`..`last` of a grid (None: without end, or start) in blocks of `blocks` ticks, finest first.

    The last entry is folded (`style` says how it lies: the whole window, blocks, rolling, calendar, or the parts of a
    unit such as sessions). `end` is the first date (or instant) that is not complete in the sources that the metrics
    read; `since` their first one, where the past matters. `back` is how many blocks are looked back. `origin`: ticks
    count from this date for every unit (windows that end with the data).
    """

    grid: Grid
    first: int | None
    last: int | None
    blocks: tuple[int, ...]
    style: Style
    end: int
    through: int
    since: int | None = None
    back: int = 0
    origin: int | None = None

    @property
    def per(self) -> bool:
        return self.style not in ("whole", "parts")

    @property
    def length(self) -> int | None:
        """Of a block in ticks; None for open windows, months and parts."""
        if self.style == "week":
            return 7
        return self.blocks[-1] if self.blocks and self.style != "month" else None


@dataclass(frozen=True)
class Task:
    """One metric on its chain. `parts` are what is computed per block: one, or numerator and denominator."""

    metric: Metric
    chain: Chain
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Extent:
    """Of one log: its first date and its last complete date (days since 1970)."""

    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """The whole run: counters by grid and log, tasks in order of the metrics, and what does not come from counters.

    `columns` are metrics of per-unit tables, `funnels` and `times` (time_to) have tables of their own, `spots` are
    quantiles across events.
    """

    counters: tuple[tuple[Grid, tuple[tuple[str, tuple[Counter, ...]], ...]], ...]
    tasks: tuple[Task, ...]
    columns: tuple[Metric, ...]
    funnels: tuple[Task, ...] = ()
    times: tuple[Task, ...] = ()
    spots: tuple[Task, ...] = ()

    @property
    def chains(self) -> tuple[Chain, ...]:
        return tuple(dict.fromkeys(t.chain for t in self.tasks))

    @property
    def all_tasks(self) -> tuple[Task, ...]:
        return (*self.tasks, *self.funnels, *self.times, *self.spots)

    @property
    def last_day(self) -> int | None:
        """The last day after exposure that anything reads; None when a window is open or not counted from exposure."""
        chains = [t.chain for t in self.all_tasks]
        if any(c.last is None or c.origin is not None for c in chains):
            return None
        return max((last_day(c) for c in chains), default=None)


def last_day(chain: Chain) -> int:
    """The last day after exposure (at the latest) that a fixed window reads."""
    grid = chain.grid
    assert chain.last is not None
    if grid.elapsed:
        return -(-(chain.last + 1) * grid.length // DAY) + grid.within
    return chain.last + max(0, grid.within - 1) + (1 if grid.sub == "session" else 0)


def event_parts(metric: Metric) -> tuple[Part, ...]:
    """What a metric computes from events: its condition, measure or rank, or the two parts of its ratio."""
    parts: Iterable[RatioPart | Rank | None] = (metric.condition, metric.measure, metric.rank, *(metric.parts or ()))
    return tuple(p for p in parts if p is not None and not isinstance(p, Column))


def conditions_in(part: Part) -> tuple[Condition, ...]:
    if isinstance(part, Rank):
        return part.parts
    return () if isinstance(part, Measure) else (part,)


def atoms_in(part: Part) -> tuple[Atom, ...]:
    if isinstance(part, Measure):
        return part.atoms
    found = (
        a
        for condition in conditions_in(part)
        for c in walk(condition)
        if isinstance(c, Compare)
        for m in (c.left, c.right)
        for a in m.atoms
    )
    return tuple(dict.fromkeys(found))


def spreads_of(part: Part) -> tuple[Spread, ...]:
    """The spreads of a part, inside ones first."""
    found = [s for c in conditions_in(part) for s in walk(c) if isinstance(s, Spread)]
    return tuple(reversed(found))


def empty_is_missing(part: Part) -> bool:
    """Whether a part has no value over no events."""
    return isinstance(part, Measure) and any(a.function in EMPTY_IS_NOTHING for a in part.atoms)


def counters_of(atom: Atom, every: bool, once_from: int | None = None) -> tuple[Counter, ...]:
    """The counters from which an atom follows. `every`: rows before exposure count too."""
    event, prop = atom.event, atom.prop

    def counter(kind: CounterKind, of: str | None = prop) -> Counter:
        return Counter(kind, event, of, every, once_from)

    match atom.function:
        case "count" | "days":
            return (counter("count", None),)
        case "sum" | "min" | "max" | "first" | "last" | "distinct":
            return (counter(atom.function),)
        case "sessions":
            return (counter("distinct", SESSION),)
        case "days_since":
            return (counter("last_tick", None),)
        case "mean":
            return (counter("sum"), counter("known"))
        case "answer":
            raise ValueError("answers are resolved to events before a plan is made")


def atom_counters(atom: Atom, chain: Chain, events: Mapping[str, Event]) -> tuple[Counter, ...]:
    """The counters of an atom within a chain."""
    once = events[atom.event].once
    once_from = None
    if once is not None and once.period is None:
        once_from = LONG_AGO if chain.first is None else chain.first
    if atom.function == "days" and (chain.grid.tick != "day" or chain.grid.sub == "session"):
        return (Counter("distinct", atom.event, DATE, every(atom, chain), once_from),)
    return counters_of(atom, every(atom, chain), once_from)


def ticks_per_day(chain: Chain) -> int:
    return DAY // chain.grid.length if chain.grid.elapsed else 1


def every(atom: Atom, chain: Chain) -> bool:
    """Whether an atom counts rows before exposure too."""
    return atom.ago is not None or chain.first is None or (chain.last is not None and chain.last < 0)


def sources_of(metric: Metric, events: Mapping[str, Event]) -> tuple[str, ...]:
    """The logs that a metric reads."""
    from abtest.language.canonical import events_of

    return tuple(sorted({events[name].source for name in events_of(metric)}))


def make_plan(
    metrics: Iterable[Metric],
    events: Mapping[str, Event],
    extents: Mapping[str, Extent],
    zone: str = "UTC",
    dating: Iterable[str] | None = None,
) -> Plan:
    """The plan of all metrics. `events` name the log in which they stand, `extents` how far each log reaches.

    Answers come when they come: a metric is as complete as the logs of events allow, and only where there are none as
    its answers do. `dating` are the logs that may say so, all of them without it: a log that only serves adjustment dates
    nothing.
    """
    known = set(extents) if dating is None else set(dating)
    counters: dict[Grid, dict[str, dict[Counter, None]]] = {}
    found: dict[str, list[Task]] = {"tasks": [], "funnels": [], "times": [], "spots": []}
    columns: list[Metric] = []
    answers = {e.source for e in events.values() if e.survey is not None}
    for metric in metrics:
        parts = event_parts(metric)
        if not parts and metric.funnel is None:
            columns.append(metric)
            continue
        own = [s for s in sources_of(metric, events) if s not in answers]
        read = own or [s for s in extents if s in known and s not in answers] or list(sources_of(metric, events))
        # Answers have no first date before which nobody could have answered.
        first = max((extents[s].first for s in own), default=LONG_AGO)
        reach = Extent(first, min(extents[s].last for s in read))
        task = Task(metric, chain_of(metric, reach, zone), parts)
        if task.chain.grid.sub is not None:
            logs = tuple(sorted({events[a.event].source for a in task_atoms(task)}))
            task = replace(task, chain=replace(task.chain, grid=replace(task.chain.grid, logs=logs)))
        kind = "spots" if metric.quantile is not None and metric.quantile.across == "events" else "tasks"
        kind = {"funnel": "funnels", "time_to": "times"}.get(metric.kind, kind)
        found[kind].append(task)
        if kind in ("tasks", "times"):
            for atom in task_atoms(task):
                log = counters.setdefault(task.chain.grid, {}).setdefault(events[atom.event].source, {})
                log.update((c, None) for c in atom_counters(atom, task.chain, events))
    ordered = tuple(
        (grid, tuple((log, tuple(own)) for log, own in sorted(logs.items()))) for grid, logs in counters.items()
    )
    return Plan(
        ordered, tuple(found["tasks"]), tuple(columns), *(tuple(found[k]) for k in ("funnels", "times", "spots"))
    )


def task_atoms(task: Task) -> tuple[Atom, ...]:
    """Every atom that a task needs, those of its `known` too."""
    parts = (*task.parts, *((task.metric.known,) if task.metric.known is not None else ()))
    return tuple(dict.fromkeys(a for p in parts for a in atoms_in(p)))


def grid_of(metric: Metric) -> Grid:
    elapsed = metric.clock == "elapsed"
    sub = "session" if metric.per_unit == "session" else metric.unit
    return Grid(metric.window.tick, elapsed, metric.starting_at, metric.within or 0, sub)


def chain_of(metric: Metric, reach: Extent, zone: str) -> Chain:
    window, grid = metric.window, grid_of(metric)
    first, last = window.first, window.last
    origin = None
    if window.end:
        assert first is not None
        origin = reach.last + first
        first, last = 0, -first
    spreads = {s.days for p in event_parts(metric) for s in spreads_of(p)}
    style: Style = "whole"
    outer = window.days
    if grid.sub is not None:
        style, outer = "parts", None if grid.sub == "session" else window.days
    elif metric.per is not None:
        style, outer = "blocks", metric.per
        if metric.clock == "calendar" and (metric.per_unit == "month" or metric.per == 7):
            style = "month" if metric.per_unit == "month" else "week"
        elif metric.rolling:
            style = "rolling"
    blocks = sorted(spreads | ({outer} if outer is not None else set()))
    back = max((a.ago.last for p in event_parts(metric) for a in atoms_in(p) if a.ago is not None), default=0)
    end = day_start(reach.last + 1, zone) if grid.elapsed else reach.last + 1
    past = back > 0 or window.before
    return Chain(grid, first, last, tuple(blocks), style, end, reach.last, reach.first if past else None, back, origin)
