"""What number one unit contributes to a metric: slow, one unit at a time, with exact fractions.

This is the second opinion against the compiled plan. It shares the parsed definition (`abtest.language`) with it and
nothing else: no engine, no tables, no floating sums. The parts: `log.py` (values, who takes part, completeness),
`row_tests.py`, `history.py` (which rows an event is), `clocks.py` (ticks and blocks), `timeline.py` (numbers and
conditions over a block), `kinds.py` (windows, maturity, kinds).

**Units.** The local date of an instant is its date in the project's time zone. A unit takes part when it was exposed
in [start, end] (local dates, both inclusive). Otherwise, first reason that fits: `before_start` (any exposure before
the start), `outside` (none in the range), `late` (the first one in the range is after `enroll_until`), `mixed` (two
variants in the range; with the policy `first` the earliest exposure decides, at equal times the smaller key).
x is the instant of the first exposure in the range, D its local date.

**Completeness.** The last complete date of a source is its `complete_through`; or else, for a source of dates, its
last date; or else the local date of its latest row, less the days that it needs to settle, less one. Every row of the
source counts for that, of any name and any unit. T of a metric is the earliest of these over the events sources it
reads (condition, steps, starting point, `among`); never over answers. A metric that reads answers alone takes the
earliest over all events sources. Likewise the first date of what a metric reads is the latest of the first dates.

**Rows.** A row belongs to an event when its name is one of the event's names (no names: every row of the source) and
it passes the event's `where`. A missing property passes no test, negated or not, except `is missing`; `not (...)` in
front of tests is plain negation. With `unit: {user: owner}` it belongs to the unit in that column alone; it lies in no
session of that unit. `nth: N` keeps the N-th row of the unit in all history, by time, then by the rest of the row.
`count_once: P per period` keeps the first row of the unit in each local day, hour of the wall clock, ISO week, month
or session and for each value of P, separately before and after exposure. `count_once: P` does so in the metric's
window, and takes nothing away outside it. Rows without P, or without a session, count each. A row counts for a unit
when its time is >= x (source of dates: its date is >= D) and its date <= T.

**Answers.** A row of a source of answers is an answer when enough of it is filled in (`need` of the items). Its raw
answer is the number, the place of the label from 1, or the mean of the items, reversed ones turned (low + high - v).
Its score: nps 100 from 9, -100 up to 6, else 0; `top N` and `share of` 1 or 0; `mean` the answer.

**Clocks.** A tick is a local date, numbered from D; on the elapsed clock 24 hours, one hour or one minute from x:
tick = floor((time - x) / length), and a source of dates is refused. A tick is complete when it ends at or before the
end of T. Only complete ticks exist. `before`, `last` and `lifetime` are made of dates on any clock. A day, in `days`
and `days_since`, is a date, or 24 hours on the elapsed clock.

**Windows.** Fixed: `immature` unless the last tick is complete; `immature: keep` takes the complete ticks so far. Open:
up to T. `last N days`: the N dates that end with T, for units with D <= the first, others are immature. `before N`:
dates D-N to D-1, all rows; `missing` when the first date of what is read is later. `lifetime`: all rows up to T, for
units with D <= T.

**Starting point.** a is the first row of the event at or after x; of all history, but not earlier than x, if it may
come before exposure. It must lie on days 0..N-1 of `within: N days` and not after T. The window counts from a as it
would from x, and only rows at or after a count. A unit is mature when the window of the latest possible a is
complete: dates N-1 + last, on the elapsed clock N days + last + 1 ticks. Without a the value is 0 (pairs: 0 and 0;
time_to: the length of the window).

**Blocks.** `per` cuts the window into blocks of P ticks from its first tick; a block is complete when its last tick is;
the others do not exist. Without `per` the whole window is one block. Calendar: ISO weeks or months all of whose dates
lie in the window and are <= T. Rolling N: one block for each day d of the window with N-1 days of it before.
`ago`: block i - k, or the union over a range, with all its rows, before exposure too. A block i is not evaluated when
block i - K starts before the first date of what the metric reads, K the most blocks that it looks back.

**Sessions.** The rows of a unit in a source, of any name, in all history: a new one after more than 30 minutes without
a row; or what the column of sessions says, none when it is empty. A session is a block when its first row is not
before x and lies on a tick of the window; its rows up to the end of the tick after that count, so the tick after the
window must be complete. The value is a pair (sum over sessions, sessions); sessions without a value that are dropped are in
neither.

**Values over a block.** count; sum (0 over nothing); days and sessions with at least one row; distinct values (numbers
by value, the rest as text; ids too); mean, min, max; first and last by time, at equal times the smaller and the larger
value; days_since = last day of the block - day of the last row. Rows whose property is missing add nothing but to
count, days, sessions, days_since. A comparison in which a function has no value is false, whatever its operator. A
spread cuts its block into sub-blocks from the first tick, judges each by its own rows, and compares the number that
hold with its count. Only whole sub-blocks are cut; "every" of none is false. An attribute is tested on the unit's row
of its table; a unit without a row has no properties.

**Kinds.** did, retention, churn, groups: without `per` 1 or 0; with it the fold of the truths of the n blocks (share
k/n, ever, always, count k, streak = longest run, last; a threshold gives 1 or 0). amount, rank (how many rungs are
reached): the value, or mean, sum, min, max or last of the blocks. ratio: a pair; over each block a measure adds its
value and a condition 1 where it holds. funnel: 1 when rows exist, one for each step, neighbours different rows, in
order of time (equal times are ordered), each at most `within` after the one before (`from: exposure`: the first so
after x or D; n dates are n times 24 hours), all with one present value of `same`, neighbours with different present
values of `different`. time_to: the first tick d such that the condition holds on the window's ticks up to d, less the
first tick; the length of the window when there is none. quantile across events: the number of values (`quantiles` has
the quantile). A finer unit (device): the pair (sum of the values of its devices, devices); devices are those of any
row of the sources read, in the window, after exposure, and without a value they are dropped or filled like units.

**No value of a block.** `missing: N` puts N in its place; `drop` leaves the block out. A block in which `known` does not
hold is left out. Blocks not evaluated are left out; a unit that has one is missing where the fold needs equal numbers
of blocks (all but share, mean, last). A unit without any block is `missing`, never 0.

**After all units.** `cap: N` is min(value, N). `cap: p%` is the smallest value v such that at least p of the values of
all units of all variants (`of nonzero`: that are not 0) are <= v. A quantile, per variant, is the mid-quantile: straight
lines between the points (value, share of values below it + half the share of values equal to it), flat outside.

**Among.** Units that do not pass are not in the result. A condition over N days before exposure sees all rows of dates
D-N to D-1; where an events source that it reads starts later it does not pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction
from itertools import pairwise

from abtest.language.canonical import events_of, metric_atoms
from abtest.language.conditions import Atom
from abtest.language.model import Cap, Event, Metric

from .history import History
from .kinds import Facts, belongs, contribution, event_values
from .log import (
    Assignment,
    Attributes,
    Exposure,
    Property,
    Row,
    Setting,
    Source,
    UnitValue,
    first_date,
    instant,
    last_complete_date,
    local_date,
    units,
)
from .row_tests import number
from .timeline import Start

__all__ = [
    "Attributes", "Exposure", "Property", "Row", "Setting", "Source", "UnitValue", "atoms", "complete_through",
    "evaluate", "first_date", "instant", "last_complete_date", "local_date", "quantiles", "units",
]  # fmt: skip


def sources_read(metric: Metric, events: Mapping[str, Event], sources: Mapping[str, Source]) -> set[str]:
    """The events sources that a metric reads; all of them when it reads answers alone."""
    read = {events[name].source for name in events_of(metric)}
    logs = {name for name, source in sources.items() if not source.answers}
    return read & logs or logs


def complete_through(
    metric: Metric, events: Mapping[str, Event], sources: Mapping[str, Source], rows: Iterable[Row], setting: Setting
) -> date:
    """T of a metric."""
    rows = tuple(rows)
    read = sources_read(metric, events, sources)
    return min(last_complete_date(name, sources[name], rows, setting) for name in read)


def atoms(metric: Metric) -> tuple[Atom, ...]:
    """Every atom of a definition."""
    return metric_atoms(metric)


def evaluate(
    metric: Metric,
    events: Mapping[str, Event],
    sources: Mapping[str, Source],
    rows: Iterable[Row],
    exposures: Iterable[Exposure],
    setting: Setting,
    attributes: Attributes | None = None,
) -> dict[str, UnitValue]:
    """The contribution of every unit that takes part and that the metric is about."""
    facts = _facts(metric, events, sources, rows, setting, attributes)
    found: dict[str, UnitValue] = {}
    for unit, variant, exposed in _exposed(facts, exposures, setting):
        value, denominator, reason = contribution(facts, unit, exposed)
        found[unit] = UnitValue(variant, value, denominator, reason)
    return found if metric.cap is None else _capped(found, metric.cap)


def quantiles(
    metric: Metric,
    events: Mapping[str, Event],
    sources: Mapping[str, Source],
    rows: Iterable[Row],
    exposures: Iterable[Exposure],
    setting: Setting,
    attributes: Attributes | None = None,
) -> dict[str, tuple[Fraction | None, int]]:
    """The quantile of each variant, and of how many events (or units) it is; None of none."""
    assert metric.quantile is not None
    facts = _facts(metric, events, sources, rows, setting, attributes)
    found: dict[str, list[Fraction]] = {}
    for unit, variant, exposed in _exposed(facts, exposures, setting):
        own = found.setdefault(variant, [])
        if metric.quantile.across == "events":
            own += event_values(facts, unit, exposed)
        else:
            value = contribution(facts, unit, exposed)[0]
            own += [] if value is None else [value]
    at = metric.quantile.at
    return {variant: (mid_quantile(values, at), len(values)) for variant, values in found.items()}


def percentile(values: Iterable[Fraction], at: float) -> Fraction | None:
    """The smallest value v with at least the share `at` of the values <= v.

    >>> percentile([Fraction(n) for n in (4, 1, 3, 2)], 0.5), percentile([Fraction(n) for n in (4, 1, 3, 2)], 0.51)
    (Fraction(2, 1), Fraction(3, 1))
    """
    ordered = sorted(values)
    return ordered[max(1, math.ceil(number(at) * len(ordered))) - 1] if ordered else None


def mid_quantile(values: Sequence[Fraction], at: float) -> Fraction | None:
    """Straight lines between (value, share below it + half the share equal to it); flat outside.

    >>> mid_quantile([Fraction(n) for n in (4, 1, 3, 2)], 0.5), mid_quantile([Fraction(n) for n in (0, 0, 0, 6)], 0.5)
    (Fraction(5, 2), Fraction(3, 2))
    """
    if not values:
        return None
    ordered, size = sorted(set(values)), len(values)
    shares = [Fraction(2 * sum(v < one for v in values) + sum(v == one for v in values), 2 * size) for one in ordered]
    wanted = number(at)
    if wanted <= shares[0]:
        return ordered[0]
    for (low, below), (high, above) in pairwise(zip(ordered, shares, strict=True)):
        if wanted <= above:
            return low + (wanted - below) / (above - below) * (high - low)
    return ordered[-1]


def _facts(
    metric: Metric,
    events: Mapping[str, Event],
    sources: Mapping[str, Source],
    rows: Iterable[Row],
    setting: Setting,
    attributes: Attributes | None,
) -> Facts:
    if metric.kind == "column":
        raise NotImplementedError("a column has no timeline")
    history = History(rows, events, sources, setting)
    through = complete_through(metric, events, sources, (r for _, r in history.rows), setting)
    since = max(history.since(name) for name in sources_read(metric, events, sources))
    return Facts(metric, history, through, since, setting.timezone, attributes or {})


def _exposed(facts: Facts, exposures: Iterable[Exposure], setting: Setting) -> list[tuple[str, str, Start]]:
    """Every unit that takes part and that the metric is about."""
    found = []
    for unit, assignment in units(exposures, setting).items():
        exposed = _start(assignment)
        if exposed is not None and (facts.metric.among is None or belongs(facts, facts.metric.among, unit, exposed)):
            assert assignment.variant is not None
            found.append((unit, assignment.variant, exposed))
    return found


def _start(assignment: Assignment) -> Start | None:
    if assignment.reason is not None:
        return None
    assert assignment.at is not None
    assert assignment.day is not None
    return Start(assignment.at, assignment.day)


def _capped(found: dict[str, UnitValue], cap: Cap) -> dict[str, UnitValue]:
    most: Fraction | None = number(cap.size)
    if cap.of != "value":
        values = [u.value for u in found.values() if u.value is not None]
        most = percentile([v for v in values if v or cap.of == "all"], cap.size)
    if most is None:
        return found
    return {unit: u if u.value is None else replace(u, value=min(u.value, most)) for unit, u in found.items()}
