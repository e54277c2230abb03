"""Where units stood before exposure and where they stand now: hidden metrics of a group, and how many units of each pair.

The level before is that of the last whole block of the metric's `per` before exposure, or of as many days before it as
the window has. The level after is that of the last complete block of the window, or of the whole window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from abtest.language.canonical import events_of
from abtest.language.conditions import Condition, Rank, atoms_of
from abtest.language.model import Cross, Fold, Group, Ladder, Metric, Survey, Window
from abtest.language.partition import cells_of, certainly, levels, rank, surveys_in, with_survey_events
from abtest.metrics.units import Values
from abtest.sources.engine import Engine, name, text

UNKNOWN = "?"
"""The state of a cross in which a letter is neither true nor false."""
NotMoved = Literal["timing", "looks_back"]
When = Literal["before", "after"]


@dataclass(frozen=True)
class Moves:
    """Units per (state before, state after), as places in `states_of`; `without_history` are those whose days before
    exposure no log holds."""

    cells: Mapping[tuple[int, int], int]
    without_history: int


def has_movement(metric: Metric) -> bool:
    """Metrics that speak of a whole group: the rank on a ladder, the shares of all rungs or cells."""
    return metric.group is not None and metric.part_of is None and metric.group.whole


def not_moved(metric: Metric, group: Group) -> NotMoved | None:
    """Why the same cannot be asked of the days before exposure; None where it can."""
    window = metric.window
    counted = window.fixed and window.tick == "day" and not window.end and not window.before
    if not counted or metric.clock == "calendar" or metric.per_unit != "tick" or metric.rolling or metric.starting_at:
        return "timing"
    atoms = [a for c in _conditions(group) for a in atoms_of(c)]
    if not atoms or any(a.ago is not None or a.function == "days_since" for a in atoms):
        return "looks_back"
    return None


def length_of(metric: Metric) -> int:
    """Days in which a level is read, before and after."""
    return metric.per or metric.window.days or 0


def states_of(group: Group) -> tuple[str, ...]:
    """Rungs from the bottom up; or cells, those with most letters first, and `UNKNOWN` where answers may be missing."""
    form = group.form
    if isinstance(form, Ladder):
        return levels(form)
    cells = cells_of(tuple(letter for letter, _ in form.letters))
    return (*cells, UNKNOWN) if any(surveys_in(c) for _, c in form.letters) else cells


def scores_of(group: Group) -> tuple[int | None, ...]:
    """How high each state is: the level on a ladder, the number of letters that hold in a cross; None for `UNKNOWN`."""
    states = states_of(group)
    if isinstance(group.form, Ladder):
        return tuple(range(len(states)))
    return tuple(None if s == UNKNOWN else len(s) - s.count("_") for s in states)


def movement_metrics(metric: Metric, group: Group, surveys: Mapping[str, Survey]) -> tuple[Metric, ...]:
    """The hidden metrics whose values say where a unit stood before exposure, and where it stands after."""
    if not has_movement(metric) or not_moved(metric, group) is not None:
        return ()
    made = tuple(
        replace(
            found,
            group=None, known=None, among=None, adjust=None, show=None, test=None, cap=None, missing=None, margin=None,
            immature="drop", examples=(), written=(), unit_of_value="number",
        )
        for when in ("before", "after")
        for found in _timed(metric, when, group.form, surveys)
    )  # fmt: skip
    return made if all(events_of(m) for m in made) else ()


def asked(values: Values, metric: Metric) -> bool:
    """Whether the values of the hidden metrics are there."""
    return any(key.startswith(f"movement of {metric.name} before") for key in values.value)


def _timed(
    metric: Metric, when: Literal["before", "after"], form: Ladder | Cross, surveys: Mapping[str, Survey]
) -> Iterator[Metric]:
    base = metric
    if when == "before":
        base = replace(metric, window=Window(-length_of(metric), -1), clock="date", per=None, within=None)
    base = replace(base, fold=None if base.per is None else Fold("last"))
    if isinstance(form, Ladder):
        parts = Rank(tuple(with_survey_events(p, surveys) for p in rank(form).parts))
        yield replace(base, name=_name(metric, when), kind="group", rank=parts, condition=None)
        return
    for letter, condition in form.letters:
        for truth in (True, False):
            sure = with_survey_events(certainly(condition, truth), surveys)
            yield replace(base, name=_name(metric, when, letter, truth), kind="did", condition=sure, rank=None)


def _name(metric: Metric, when: When, letter: str = "", truth: bool = True) -> str:
    return f"movement of {metric.name} {when}" + (f" {letter} {truth}" if letter else "")


def _conditions(group: Group) -> tuple[Condition, ...]:
    pairs = group.form.rungs if isinstance(group.form, Ladder) else group.form.letters
    return tuple(c for _, c in pairs)


def moves(engine: Engine, values: Values, metric: Metric, group: Group) -> dict[int, Moves]:
    """Per variant; of the units that the metric is about and whose window is complete."""
    before, after = (_state(values, metric, when, group.form) for when in ("before", "after"))
    among = values.among.get(metric.name)
    rows = engine.rows(
        f"SELECT variant, {before} AS b, {after} AS a, count(*) FROM {name(values.table)} "
        f"WHERE ({after}) IS NOT NULL {f'AND {name(among)}' if among is not None else ''} GROUP BY 1, 2, 3"
    )
    places = {state: i for i, state in enumerate(states_of(group))}
    if isinstance(group.form, Ladder):
        places = {str(i): i for i in places.values()}
    cells: dict[int, dict[tuple[int, int], int]] = {}
    outside: dict[int, int] = {}
    for variant, b, a, n in rows:
        if b is None:
            outside[int(variant)] = outside.get(int(variant), 0) + int(n)
        else:
            cells.setdefault(int(variant), {})[places[b], places[a]] = int(n)
    return {v: Moves(cells.get(v, {}), outside.get(v, 0)) for v in sorted({*cells, *outside})}


def _state(values: Values, metric: Metric, when: When, form: Ladder | Cross) -> str:
    """SQL of the state as text; NULL where the days are not in the log, or not complete."""
    if isinstance(form, Ladder):
        return f"CAST(CAST({name(values.value[_name(metric, when)])} AS INTEGER) AS VARCHAR)"
    letters, known, sure = [], [], []
    for letter, _ in form.letters:
        yes, no = (name(values.value[_name(metric, when, letter, truth)]) for truth in (True, False))
        letters.append(f"CASE WHEN {yes} = 1 THEN {text(letter)} ELSE '_' END")
        known.append(f"{yes} IS NOT NULL AND {no} IS NOT NULL")
        sure.append(f"({yes} = 1 OR {no} = 1)")
    cell = " || ".join(letters)
    covered, certain = " AND ".join(known), " AND ".join(sure)
    return f"CASE WHEN NOT ({covered}) THEN NULL WHEN NOT ({certain}) THEN {text(UNKNOWN)} ELSE {cell} END"
