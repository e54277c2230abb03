"""The value of one unit: windows, maturity and blocks first, then what each kind makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction

from abtest.language.conditions import Atom, Condition, Measure, Rank, atoms_of
from abtest.language.model import Among, Column, Fold, Metric

from .clocks import NEVER, Clock, Grid, Reason, clock_of, grid_of
from .history import History, Hit, Session, same_value
from .log import Attributes, local_date
from .row_tests import holds, number, passes
from .timeline import Block, Start, Timeline, first_hit, seconds_between, timeline

Part = Measure | Condition | Rank
Contribution = tuple[Fraction | None, Fraction | None, Reason | None]
STEADY = ("share", "last", "mean")


@dataclass(frozen=True)
class Facts:
    """What all units of a metric have in common: its T, and the first date of what it reads."""

    metric: Metric
    history: History
    through: date
    since: date
    timezone: str
    attributes: Attributes

    @property
    def pooled(self) -> bool:
        """Whether the value is a pair."""
        metric = self.metric
        return metric.kind == "ratio" or metric.per_unit == "session" or self.finer

    @property
    def finer(self) -> bool:
        return self.metric.unit not in (None, self.history.setting.unit)


@dataclass(frozen=True)
class Judged:
    """A unit whose window can be judged."""

    timeline: Timeline
    window: range
    blocks: tuple[Block, ...]
    left_out: bool
    """Whether a block was not evaluated, as it looks back to before the first date of the data."""


def judge(facts: Facts, unit: str, exposed: Start) -> Judged | Contribution:
    """The window and blocks of a unit, or what it contributes without them."""
    metric = facts.metric
    clock = clock_of(metric, exposed.at, exposed.day, facts.timezone)
    counts_from = exposed
    if metric.starting_at is not None:
        late = _anchor_too_late(metric, clock, facts.through)
        if late is not None:
            return None, None, late
        anchor = _anchor(facts, unit, exposed, clock)
        if anchor is None:
            return _not_done(facts)
        counts_from = anchor
        clock = clock_of(metric, anchor.at, anchor.day, facts.timezone)
    ticks = _window(facts, clock, exposed)
    if isinstance(ticks, str):
        return None, None, ticks
    grid = grid_of(metric, clock, ticks)
    read = ticks if metric.per_unit != "session" else range(ticks.start, ticks.stop + 1)
    steps = metric.funnel.steps if metric.funnel is not None else ()
    names = {a.event for a in _atoms(metric)} | {s.event for s in steps}
    line = timeline(
        unit, facts.history, names, clock, grid, read, exposed, counts_from, facts.through, facts.attributes
    )
    blocks = _blocks(facts, line, grid, ticks, exposed)
    back = max((a.ago.last for a in _atoms(metric) if a.ago is not None), default=0)
    evaluated = tuple(
        b for b in blocks if not back or clock.date_of(grid.span((b.number or 0) - back).start) >= facts.since
    )
    return Judged(line, ticks, evaluated, len(evaluated) < len(blocks))


def _window(facts: Facts, clock: Clock, exposed: Start) -> range | Reason:
    """The ticks of the window that are complete, at least one; or why the unit has no value."""
    metric, window = facts.metric, facts.metric.window
    complete = clock.last_complete(facts.through)
    if window.end:
        assert window.first is not None
        ticks = range(complete + window.first, complete + 1)
        return ticks if ticks.start >= 0 else "immature"
    if window.first is None:
        return range(NEVER, complete + 1) if complete >= 0 else "missing"
    if metric.per_unit == "session":
        complete -= 1
    if window.last is not None and complete < window.last and metric.immature == "drop":
        return "immature"
    if window.before and clock.date_of(window.first) < facts.since:
        return "missing"
    last = complete if window.last is None else min(complete, window.last)
    return range(window.first, last + 1) if last >= window.first else "missing"


def _blocks(facts: Facts, line: Timeline, grid: Grid, ticks: range, exposed: Start) -> list[Block]:
    metric = facts.metric
    everything = metric.window.before or metric.window.first is None
    if metric.per is None:
        return [Block(ticks, 0, None, everything)]
    if metric.per_unit == "session":
        return _sessions(facts, line, ticks, exposed)
    return [Block(grid.span(n), n, None, everything) for n in grid.inside(ticks)]


def _sessions(facts: Facts, line: Timeline, ticks: range, exposed: Start) -> list[Block]:
    """The sessions whose first row lies in the window, each with its rows up to the tick after that of the first."""
    history = facts.history
    sources = {history.events[a.event].source for a in _atoms(facts.metric)}
    found = []
    for source in sources:
        first: dict[Session, datetime | date] = {}
        for row_number, session in history.sessions(source, line.unit).items():
            at = history.rows[row_number][1].at
            first[session] = min(first.get(session, at), at)
        for session, at in first.items():
            after = at >= exposed.at if isinstance(at, datetime) else at >= exposed.day
            tick = line.clock.tick(at)
            if after and tick in ticks:
                found.append(Block(range(tick, tick + 2), None, session))
    return found


# Starting points -----------------------------------------------------------------------------------------------------


def _anchor_too_late(metric: Metric, clock: Clock, through: date) -> Reason | None:
    """Maturity must not depend on when the anchor came: every anchor that counts has its whole window."""
    complete = clock.last_complete(through)
    assert metric.within is not None
    if metric.window.last is not None and metric.immature == "drop":
        # On the elapsed clock an anchor may come anywhere in the last tick, so its window ends one tick later.
        latest = clock.ticks_in(metric.within) - (clock.length is None) + metric.window.last
        return "immature" if complete < latest else None
    return "missing" if complete < 0 else None


def _anchor(facts: Facts, unit: str, exposed: Start, clock: Clock) -> Start | None:
    metric, history = facts.metric, facts.history
    assert metric.starting_at is not None
    assert metric.within is not None
    before = history.events[metric.starting_at].before_exposure
    found = first_hit(history, metric.starting_at, unit, exposed, before, facts.timezone)
    if found is None or found.day > facts.through or clock.tick(found.at) >= clock.ticks_in(metric.within):
        return None
    return found


def _not_done(facts: Facts) -> Contribution:
    """A unit that does not reach its starting point in time."""
    metric = facts.metric
    if facts.pooled:
        return Fraction(0), Fraction(0), None
    if metric.kind == "time_to":
        assert metric.window.days is not None
        return Fraction(metric.window.days), None, None
    return Fraction(0), None, None


# Kinds ---------------------------------------------------------------------------------------------------------------


def contribution(facts: Facts, unit: str, exposed: Start) -> Contribution:
    """What one unit contributes, before caps."""
    found = judge(facts, unit, exposed)
    if not isinstance(found, Judged):
        return found
    metric = facts.metric
    if metric.kind == "funnel":
        return Fraction(_funnel(metric, found, exposed)), None, None
    if metric.kind == "time_to":
        return _time_to(metric, found), None, None
    if metric.quantile is not None and metric.quantile.across == "events":
        return Fraction(len(_values(metric, found))), None, None
    if not found.blocks and metric.per_unit != "session":
        return None, None, "missing"
    if metric.kind == "ratio":
        assert metric.parts is not None
        of, to = (_total(found, part) for part in metric.parts)
        return of, to, None
    part = _part(metric)
    if facts.finer:
        return _devices(facts, found, part)
    values = _block_values(metric, found.timeline, found.blocks, part)
    if metric.per_unit == "session":
        return sum(values, Fraction(0)), Fraction(len(values)), None
    if not values:
        return None, None, "missing"
    if metric.per is None:
        return values[0], None, None
    if found.left_out and metric.fold is not None and metric.fold.name not in STEADY:
        return None, None, "missing"
    return fold(metric.fold, values), None, None


def _part(metric: Metric) -> Part:
    part = metric.condition if metric.condition is not None else metric.measure or metric.rank
    assert part is not None
    return part


def _block_values(metric: Metric, line: Timeline, blocks: tuple[Block, ...], part: Part) -> list[Fraction]:
    """The values of the blocks that have one; `missing` may give the others one."""
    found = []
    for block in blocks:
        if metric.known is not None and not line.truth(metric.known, block):
            continue
        value = line.value(part, block)
        if value is None:
            assert metric.missing is not None
            if metric.missing.value is None:
                continue
            value = number(metric.missing.value)
        found.append(value)
    return found


def _total(found: Judged, part: Part | Column) -> Fraction:
    assert not isinstance(part, Column)
    total = Fraction(0)
    for block in found.blocks:
        value = found.timeline.value(part, block)
        assert value is not None
        total += value
    return total


def _devices(facts: Facts, found: Judged, part: Part) -> Contribution:
    """Sum over the devices of a unit, and their number."""
    metric, history, line = facts.metric, facts.history, found.timeline
    kind = metric.unit or ""
    (block,) = found.blocks
    sources = {history.events[a.event].source for a in _atoms(metric)}
    devices = set()
    for hit in history.devices(line.unit, kind, sources):
        at = hit.row.at
        after = at >= line.clock.start if isinstance(at, datetime) else at >= line.clock.day
        if after and line.clock.tick(at) in block.ticks and local_date(at, facts.timezone) <= facts.through:
            devices.add(hit.row.ids[kind])
    values = [v for d in devices for v in _block_values(metric, line.only(kind, str(d)), found.blocks, part)]
    return sum(values, Fraction(0)), Fraction(len(values)), None


def _time_to(metric: Metric, found: Judged) -> Fraction:
    assert metric.condition is not None
    first, stop = found.window.start, found.window.stop
    hit = (d for d in range(first, stop) if found.timeline.truth(metric.condition, Block(range(first, d + 1))))
    return Fraction(next(hit, stop) - first)


def event_values(facts: Facts, unit: str, exposed: Start) -> list[Fraction]:
    """The values of every row, for a quantile across events."""
    found = judge(facts, unit, exposed)
    return _values(facts.metric, found) if isinstance(found, Judged) else []


def _values(metric: Metric, found: Judged) -> list[Fraction]:
    assert metric.measure is not None
    (atom,) = metric.measure.atoms
    assert atom.prop is not None
    hits = (p.hit for p in found.timeline.of(atom.event, found.blocks[0]))
    return [n for h in hits if (n := h.number_of(atom.prop)) is not None]


def _funnel(metric: Metric, found: Judged, exposed: Start) -> bool:
    """Whether rows r1, r2, … of the steps exist in order of time, with all that the funnel asks of them."""
    funnel = metric.funnel
    assert funnel is not None
    block = found.blocks[0]
    steps = [[p.hit for p in found.timeline.of(s.event, block)] for s in funnel.steps]
    within = None if funnel.within is None else timedelta(seconds=funnel.within)

    def opens(hit: Hit) -> bool:
        if not funnel.from_exposure or within is None:
            return True
        at = hit.row.at
        return (at - exposed.at if isinstance(at, datetime) else at - exposed.day) <= within

    def follows(earlier: Hit, later: Hit) -> bool:
        waited = seconds_between(earlier, later)
        return (
            later.number != earlier.number
            and waited >= timedelta(0)
            and (within is None or waited <= within)
            and (funnel.same is None or same_value(earlier, later, funnel.same) is True)
            and (funnel.different is None or same_value(earlier, later, funnel.different) is False)
        )

    reached = [hit for hit in steps[0] if opens(hit)]
    for step in steps[1:]:
        reached = [later for later in step if any(follows(earlier, later) for earlier in reached)]
    return bool(reached)


def fold(how: Fold | None, values: list[Fraction]) -> Fraction:
    """The values of the blocks that count, in order and at least one, to one number. A truth is 1 or 0."""
    assert how is not None
    value = FOLDS[how.name](values)
    if how.operator is None:
        return value
    assert how.number is not None
    return Fraction(holds(value, how.operator, number(how.number)))


def streak(truths: list[Fraction]) -> Fraction:
    """The longest run of ones.

    >>> streak([Fraction(t) for t in (1, 0, 1, 1, 0)])
    Fraction(2, 1)
    """
    longest = run = 0
    for truth in truths:
        run = run + 1 if truth else 0
        longest = max(longest, run)
    return Fraction(longest)


def mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


FOLDS: dict[str, Callable[[list[Fraction]], Fraction]] = {
    "share": mean,
    "ever": max,
    "always": min,
    "last": lambda values: values[-1],
    "count": lambda values: sum(values, Fraction(0)),
    "streak": streak,
    "mean": mean,
    "sum": lambda values: sum(values, Fraction(0)),
    "min": min,
    "max": max,
}


# Among ---------------------------------------------------------------------------------------------------------------


def belongs(facts: Facts, among: Among, unit: str, exposed: Start) -> bool:
    """Whether a unit is one of those that a metric is about."""
    if among.where is not None:
        return passes(among.where, facts.attributes[among.source].get(unit, {}))
    assert among.condition is not None
    clock = Clock(exposed.at, exposed.day, facts.timezone)
    ticks = range(-among.days, 0)
    names = {a.event for a in atoms_of(among.condition)}
    sources = {facts.history.events[n].source for n in names}
    events = [s for s in sources if not facts.history.sources[s].answers]
    if any(facts.history.since(s) > clock.date_of(ticks.start) for s in events):
        return False
    logs = events or [n for n, s in facts.history.sources.items() if not s.answers]
    if logs and clock.date_of(-1) > facts.history.complete(logs):
        return False  # the days before are not over in the log
    grid = Grid(ticks.start, among.days, among.days)
    line = timeline(unit, facts.history, names, clock, grid, ticks, exposed, exposed, facts.through, facts.attributes)
    return line.truth(among.condition, Block(ticks, everything=True))


def _atoms(metric: Metric) -> list[Atom]:
    """The atoms that are computed per block (so not those of `among`)."""
    found: list[Atom] = []
    for part in (
        metric.condition,
        metric.measure,
        *(metric.parts or ()),
        metric.known,
        *(metric.rank.parts if metric.rank else ()),
    ):
        if isinstance(part, Measure):
            found += part.atoms
        elif part is not None and not isinstance(part, Column):
            found += atoms_of(part)
    return found
