"""From which level to which: the table of levels before exposure by levels after, per variant, and what it says.

The variants are compared among units that started alike. Within a variant, before against after is a description: the
season moves levels as well as any treatment. No cell from which a few units could be told is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from abtest.analysis.effects import Movement, MovementArm, MovementChange, TableTest
from abtest.analysis.interval import Interval, interval_of
from abtest.language.model import Experiment, Group, Ladder, Metric
from abtest.metrics.movement import (
    Moves,
    asked,
    length_of,
    moves,
    not_moved,
    scores_of,
    states_of,
)
from abtest.metrics.units import Values
from abtest.sources.engine import Engine
from abtest.stats import tables
from abtest.stats.moments import Counts
from abtest.stats.proportions import score

Cell = tuple[int, int]
Table = tuple[tuple[int, ...], ...]
SMALL = "small_cell"


def movement_of(
    engine: Engine, values: Values, metric: Metric, group: Group, experiment: Experiment, min_cell: int
) -> Movement:
    """What moved, or one reason why that cannot be told."""
    states, days = states_of(group), length_of(metric)
    form: Literal["ladder", "cross"] = "ladder" if isinstance(group.form, Ladder) else "cross"
    reason: str | None = "clustered" if experiment.cluster is not None else not_moved(metric, group)
    if reason is not None:
        return Movement(form, states, days, "no_test", reason)
    if not asked(values, metric):
        return Movement(form, states, days, "no_test", "looks_back")
    found = moves(engine, values, metric, group)
    by_id = {v.id: found.get(i, Moves({}, 0)) for i, v in enumerate(experiment.variants)}
    if not any(one.cells for one in by_id.values()):
        reason = "no_history" if any(one.without_history for one in by_id.values()) else "no_units"
        return Movement(form, states, days, "no_test", reason)
    scores = scores_of(group)
    full = {v: _table(one, len(states)) for v, one in by_id.items()}
    arms = tuple(_arm(v, full[v], by_id[v].without_history, scores, min_cell) for v in full)
    control = experiment.baseline
    alpha = experiment.plan.alpha
    changes = tuple(
        _change(v.id, full[control], full[v.id], arms, control, scores, alpha) for v in experiment.treatments
    )
    return Movement(form, states, days, "ok", None, arms, changes)


def _table(of: Moves, size: int) -> Table:
    return tuple(tuple(of.cells.get((i, j), 0) for j in range(size)) for i in range(size))


def directions(table: Table, scores: Sequence[int | None]) -> dict[str, list[Cell]]:
    """The cells of units that went up, stayed as high as they were, and went down; those of unknown height in none."""
    found: dict[str, list[Cell]] = {"up": [], "same": [], "down": []}
    for i, before in enumerate(scores):
        for j, after in enumerate(scores):
            if before is not None and after is not None:
                found["up" if after > before else "down" if after < before else "same"].append((i, j))
    return found


def _arm(variant: str, table: Table, without_history: int, scores: Sequence[int | None], min_cell: int) -> MovementArm:
    ways = directions(table, scores)
    counts = {way: sum(table[i][j] for i, j in cells) for way, cells in ways.items()}
    told = sum(counts.values())
    shown = told > 0 and all(n == 0 or n >= min_cell for n in counts.values())
    hidden = hidden_cells(table, list(ways.values()), min_cell)
    cells = tuple(tuple(None if (i, j) in hidden else n for j, n in enumerate(row)) for i, row in enumerate(table))
    known = [i for i, s in enumerate(scores) if s is not None]
    moved = TableTest("no_test", SMALL if told else "no_units")
    if shown:
        moved = _plain(tables.symmetry([[table[i][j] for j in known] for i in known]))
    up, same, down = ((counts[way] if shown else None) for way in ("up", "same", "down"))
    return MovementArm(variant, sum(map(sum, table)), without_history, cells, up, same, down, moved)


def _plain(test: tables.TableTest) -> TableTest:
    return TableTest(test.status, test.reason, test.statistic, test.df, test.p_value)


def _change(
    variant: str,
    control: Table,
    treatment: Table,
    arms: Sequence[MovementArm],
    baseline: str,
    scores: Sequence[int | None],
    alpha: float,
) -> MovementChange:
    by_id = {arm.variant: arm for arm in arms}
    c, t = by_id[baseline], by_id[variant]
    known = [i for i, s in enumerate(scores) if s is not None]
    strata = [(control[i], treatment[i]) for i in range(len(scores))]
    ordered = [[[row[j] for j in known] for row in pair] for pair in strata]
    shift = tables.mean_shift(ordered, [float(scores[j] or 0) for j in known], alpha=alpha)
    size = shift.absolute
    anywhere = None
    if len(set(scores)) < len(scores):
        anywhere = _plain(tables.stratified(strata))
    interval = interval_of(size)
    return MovementChange(
        variant,
        _difference(t.up, t, c.up, c, alpha),
        _difference(t.same, t, c.same, c, alpha),
        _difference(t.down, t, c.down, c, alpha),
        shift.status,
        shift.reason,
        interval,
        shift.statistic,
        shift.p_value,
        anywhere,
    )


def _difference(
    t: int | None, treatment: MovementArm, c: int | None, control: MovementArm, alpha: float
) -> Interval | None:
    """Of two shares, by Mee's interval. Units of unknown height count in the whole."""
    if t is None or c is None:
        return None
    found = score(Counts(t, treatment.units), Counts(c, control.units), alpha=alpha).absolute
    return interval_of(found)


# Privacy


def hidden_cells(table: Table, more: Sequence[Sequence[Cell]], min_cell: int) -> frozenset[Cell]:
    """The cells not to show: those of 1 to `min_cell` - 1 units, and others without which these could be worked out.

    Sums over columns (the levels after, which have a table of their own), over the whole and over `more` sets of cells are
    known. No hidden cell of fewer than `min_cell` follows from all of them together; where a sum is of one cell alone,
    nothing can be done about it. Cells join from the smallest up, so that little is lost.

    >>> sorted(hidden_cells(((50, 20, 4), (30, 60, 25), (12, 40, 90)), [], 10))
    [(0, 2), (1, 2)]
    """
    size = range(len(table))
    lines = [[(i, j) for i in size] for j in size]
    lines += [[(i, j) for i in size for j in size], *map(list, more)]
    count = {(i, j): table[i][j] for i in size for j in size}
    hidden = {cell for cell, n in count.items() if 0 < n < min_cell}
    while True:
        joined = _joined(lines, count, hidden, min_cell)
        if joined is None:
            return frozenset(hidden)
        hidden.add(joined)


def _joined(
    lines: Sequence[Sequence[Cell]], count: Mapping[Cell, int], hidden: set[Cell], min_cell: int
) -> Cell | None:
    """The next cell to hide, or None when no small one can be worked out."""
    for cell in _told(lines, sorted(hidden)):
        own = [line for line in lines if cell in line]
        around = [[c for c in line if c != cell and count[c] > 0] for line in own]
        if count[cell] >= min_cell or not all(around):
            continue
        alone = [rest for rest in around if not hidden.intersection(rest)]
        # From the shortest line that tells it, because the longer ones hold cells that would not help there.
        for rest in sorted(alone or around, key=len):
            near = [c for c in rest if c not in hidden]
            if near:
                return min(near, key=lambda c: (count[c], c))
    return None


def _told(lines: Sequence[Sequence[Cell]], hidden: Sequence[Cell]) -> list[Cell]:
    """Hidden cells that the sums of all lines determine: those whose own axis lies in what the lines span."""
    if not hidden:
        return []
    sums = np.array([[float(cell in line) for cell in hidden] for line in map(set, lines)])
    _, singular, axes = np.linalg.svd(sums, full_matrices=False)
    basis = axes[singular > 1e-9]
    return [cell for k, cell in enumerate(hidden) if float((basis[:, k] ** 2).sum()) > 1.0 - 1e-9]
