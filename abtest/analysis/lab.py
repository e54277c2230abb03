"""The threshold lab: all definitions around a metric on the same past, in one scan of its log.

Every definition of the grid is a metric of one plan. They share the counters of units and days, so that a hundred of
them read the log as often as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from abtest.analysis.history import Past, read_past
from abtest.analysis.looked_at import about_of, history_of, unit_of, weeks_of_periods
from abtest.analysis.past_model import (
    LAB_SCHEMA,
    Axis,
    Known,
    LabResult,
    Prevalence,
    Rule,
    Suggestion,
    Tried,
    Week,
)
from abtest.analysis.prepare import Progress
from abtest.analysis.shares import came_back, mean_of, smallest_change, stability
from abtest.analysis.states import (
    HIDDEN,
    RETENTION_DAYS,
    Overlap,
    Pairs,
    States,
    count_overlaps,
    count_pairs,
    retention_of,
    states_of,
)
from abtest.language.model import Experiment, Fold, Metric, Project
from abtest.language.thresholds import Cell, Lattice, definition_lines, lattice
from abtest.problems import Problem, UserError, data_error, quoted
from abtest.sources.engine import Engine

RARE, COMMON = 0.05, 0.95
"""A definition that holds for fewer, or for more, tells little: nearly everybody is the same."""
TIE = 0.01
"""Definitions whose smallest change differs by less than this share of it count as equal."""


@dataclass(frozen=True)
class Asked:
    """What of the past to look at. `before`: the days before this experiment, and its population."""

    unit: str | None = None
    start: date | None = None
    end: date | None = None
    before: Experiment | None = None


EVERYTHING = Asked()


def run_lab(
    engine: Engine, project: Project, metric: Metric, asked: Asked = EVERYTHING, progress: Progress = lambda _: None
) -> LabResult:
    """The grid of definitions around `metric`.

    Raises UserError: exit 2 for a metric without thresholds, 3 where there is no history of its unit.
    """
    grid = lattice(metric)
    if grid is None or metric.pooled:
        raise UserError([_no_thresholds(metric)], exit_code=2)
    unit = asked.unit or unit_of(project, metric)
    made = [_made(cell, k) for k, cell in enumerate(grid.cells)]
    retained = retention_of(metric, project, unit)
    past = read_past(
        engine,
        project,
        [*(m for one in made for m in one.metrics), *([retained] if retained is not None else [])],
        unit,
        start=asked.start,
        end=asked.end,
        of=asked.before,
        adjusted=False,
        progress=progress,
    )
    progress("definitions")
    return _result(engine, project, metric, grid, made, past, retained, asked)


@dataclass(frozen=True)
class _Made:
    """The hidden metrics of one cell: the definition, the share of its periods (None: the value itself is that share or
    a yes or no), and its states."""

    metric: Metric
    share: Metric | None
    states: States | None

    @property
    def metrics(self) -> tuple[Metric, ...]:
        more = () if self.states is None else self.states.metrics
        return (self.metric, *((self.share,) if self.share is not None else ()), *more)


def _made(cell: Cell, number: int) -> _Made:
    metric = replace(cell.metric, name=f"{HIDDEN}{number}", show=None, test=None, cap=None, part_of=None)
    fold = metric.fold
    share = None
    if metric.per is not None and not metric.yes_or_no and (fold is None or fold.name != "share"):
        share = replace(metric, name=f"{HIDDEN}{number} share", fold=Fold("share"))
    return _Made(metric, share, states_of(metric))


def _result(
    engine: Engine,
    project: Project,
    metric: Metric,
    grid: Lattice,
    made: Sequence[_Made],
    past: Past,
    retained: Metric | None,
    asked: Asked,
) -> LabResult:
    written = made[grid.cells.index(grid.written)]
    arm = past.arms[written.metric.name]
    if not arm.used:
        raise no_complete_window(metric, past)
    states = [m.states for m in made if m.states is not None]
    followed = len(states) == len(made)
    pairs = count_pairs(engine, past.values, states) if followed else []
    steady: Known = _known(followed, any(p.units for p in pairs))
    overlaps = count_overlaps(engine, past.values, states) if followed and retained is not None else []
    came: Known = _known(followed, any(o.inside + o.outside for o in overlaps))
    if followed and retained is None:
        came = "no_events"
    plan = None if asked.before is None else asked.before.plan
    cells = tuple(
        _tried(
            cell,
            one,
            past,
            cell is grid.written,
            pairs[i] if steady == "ok" else None,
            overlaps[i] if came == "ok" else None,
            (0.05, 0.8) if plan is None else (plan.alpha, plan.power),
            project.min_cell,
        )
        for i, (cell, one) in enumerate(zip(grid.cells, made, strict=True))
    )
    history = history_of(past, arm, asked.before)
    return LabResult(
        LAB_SCHEMA,
        about_of(project, metric, past.experiment.unit, written.states),
        history,
        tuple(
            Axis(t.what, values, tuple(t.label(v) for v in values), t.value)
            for t, values in zip(grid.thresholds, grid.axes, strict=True)
        ),
        tuple(t.label(t.value) for t in grid.still),
        cells,
        suggestions_of(grid, cells),
        steady,
        states[0].how if followed else None,
        came,
        RETENTION_DAYS,
        _weeks(engine, past, written, project.min_cell),
        project.min_cell,
    )


def _known(followed: bool, found: bool) -> Known:
    return "no_window" if not followed else "ok" if found else "too_short"


def _tried(
    cell: Cell,
    one: _Made,
    past: Past,
    written: bool,
    pairs: Pairs | None,
    overlap: Overlap | None,
    planned: tuple[float, float],
    min_cell: int,
) -> Tried:
    arm = past.arms[one.metric.name]
    told = arm if one.share is None else past.arms[one.share.name]
    prevalence, mean = mean_of(told), mean_of(arm)
    fits = _fits(prevalence, told.used, min_cell)
    if fits == "hidden":
        return Tried(cell.place, cell.label, written, fits, None, None, None, None, None, None)
    change = smallest_change(arm, arm.used, *planned)
    return Tried(
        cell.place,
        cell.label,
        written,
        fits,
        prevalence,
        mean,
        change,
        None if change is None or not mean else change / abs(mean),
        None if pairs is None else stability(pairs, min_cell),
        None if overlap is None else came_back(overlap, min_cell),
    )


def _fits(prevalence: float | None, units: int, min_cell: int) -> Prevalence:
    """Whether a share may be shown, and lies where a definition tells much.

    `units * share` bounds from below how many units it holds for, were each of them in all its periods.
    """
    if prevalence is None:
        return "hidden"
    few = min(prevalence, 1.0 - prevalence) * units
    if 0.0 < few < min_cell:
        return "hidden"
    return "rare" if prevalence < RARE else "common" if prevalence > COMMON else "fits"


def suggestions_of(grid: Lattice, cells: Sequence[Tried]) -> tuple[Suggestion, ...]:
    """The best definition by each rule, of those that hold for 5 % to 95 %: the one with the smallest relative change to
    be found; the one whose members came back most, compared with the others (the low end of the interval of that
    difference); the one whose neighbouring periods agree most. Ties go to the written one, then to the nearest to it."""
    metrics = {c.place: c.metric for c in grid.cells}
    here = grid.written.place
    fitting = [c for c in cells if c.fits == "fits"]
    found = []
    scores: dict[Rule, Mapping[tuple[int, ...], float]] = {
        "smallest_change": {c.place: 1 / c.mde_relative for c in fitting if c.mde_relative},
        "comes_back": {
            c.place: low
            for c in fitting
            if c.came is not None and (low := c.came.difference.low) is not None and low > 0
        },
        "steadiest": {
            c.place: a
            for c in fitting
            if c.stability is not None and (a := c.stability.agreement) is not None and a > 0
        },
    }
    labels = {c.place: c.label for c in cells}
    for rule, by_place in scores.items():
        if not by_place:
            continue
        best = max(by_place.values())
        close = [p for p, s in by_place.items() if s >= best * (1 - TIE)]
        place = min(close, key=lambda p: (sum(abs(a - b) for a, b in zip(p, here, strict=True)), p))
        found.append(Suggestion(rule, place, labels[place], definition_lines(metrics[place]), place != here))
    return tuple(found)


def _weeks(engine: Engine, past: Past, written: _Made, min_cell: int) -> tuple[Week, ...]:
    if written.states is None or written.states.how != "blocks" or written.metric.starting_at is not None:
        return ()
    return weeks_of_periods(engine, past, written.states, min_cell)


def no_complete_window(metric: Metric, past: Past) -> UserError:
    """Nobody's window is over: the history is too short for the metric."""
    days = past.through - past.entered[0][0] + 1
    return data_error(
        "E522",
        f"{metric.name}: the history of {days:,} days in source {past.source} is shorter than its window "
        f"({metric.window}), so no {past.experiment.unit} has a value",
        "Give more days of the log, or a metric with a shorter window.",
        metric.place,
    )


def _no_thresholds(metric: Metric) -> Problem:
    return Problem(
        "E362",
        f"{metric.name} has no threshold to move"
        + ("" if metric.condition is not None else f": a metric of kind {quoted(metric.kind)} asks for no condition"),
        metric.place,
        f"A threshold is the 5 of  did: like >= 5.  To look at the metric itself:  abtest preview {metric.name}",
    )
