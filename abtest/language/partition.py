"""Groups as conditions: rungs of a ladder, cells of a cross, and the parts that come with a metric by themselves.

A letter of a cross that asks for an answer is true, false or unknown (Kleene 1952, strong three-valued logic): it is
unknown where the answer is missing and could decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from abtest.language.conditions import (
    Ago,
    All,
    AnyOf,
    AtLeast,
    Atom,
    Attribute,
    Compare,
    Condition,
    Not,
    Rank,
    Spread,
    at_least_one,
    atoms_of,
    joined,
    mapped_atoms,
)
from abtest.language.model import Cross, Group, GroupUse, Ladder, Metric, Survey, Tick, Timing, Window


def levels(ladder: Ladder) -> tuple[str, ...]:
    """All rungs from the bottom (`otherwise`, level 0) up."""
    return (ladder.otherwise, *(name for name, _ in reversed(ladder.rungs)))


def at_least(ladder: Ladder, level: int) -> Condition:
    """The condition of standing on `level` (1 = the lowest rung) or higher."""
    upward = [condition for _, condition in reversed(ladder.rungs)]
    if ladder.climb:
        return joined(tuple(upward[:level]), All)
    return joined(tuple(upward[level - 1 :]), AnyOf)


def on_level(ladder: Ladder, level: int) -> Condition:
    """The condition of standing on exactly this level."""
    if level == 0:
        return Not(at_least(ladder, 1))
    if level == len(ladder.rungs):
        return at_least(ladder, level)
    return All((at_least(ladder, level), Not(at_least(ladder, level + 1))))


def rank(ladder: Ladder, degrees: bool = False) -> Rank:
    """The level as a number: how many levels are reached, or of 100 degrees."""
    return Rank(tuple(at_least(ladder, level) for level in range(1, len(ladder.rungs) + 1)), degrees)


def cells_of(letters: tuple[str, ...]) -> tuple[str, ...]:
    """All cells of a cross, those with most letters first.

    >>> cells_of(("F", "A"))
    ('FA', 'F_', '_A', '__')
    """
    found = [""]
    for letter in letters:
        found = [cell + part for cell in found for part in (letter, "_")]
    return tuple(sorted(found, key=lambda c: (c.count("_"), found.index(c))))


def in_cell(cross: Cross, cell: str) -> Condition:
    """The condition of a cell such as `F_N`: F and N are true, the letter between them is false."""
    parts = [certainly(condition, letter != "_") for letter, (_, condition) in zip(cell, cross.letters, strict=True)]
    return joined(tuple(parts), All)


def known(cross: Cross) -> Condition | None:
    """The condition that every letter is true or false; None when none of them can be unknown."""
    parts = [
        AnyOf((certainly(condition, True), certainly(condition, False)))
        for _, condition in cross.letters
        if surveys_in(condition)
    ]
    return joined(tuple(parts), All) if parts else None


def surveys_in(condition: Condition) -> tuple[str, ...]:
    """The surveys that a condition asks for answers."""
    return tuple(dict.fromkeys(a.event for a in atoms_of(condition) if a.function == "answer"))


def certainly(condition: Condition, truth: bool) -> Condition:
    """The two-valued condition that `condition` is certainly true (or certainly false)."""
    if not surveys_in(condition):
        return condition if truth else Not(condition)
    match condition:
        case Compare():
            if truth:
                return condition
            given = tuple(at_least_one(f"{name}.answers") for name in surveys_in(condition))
            return All((Not(condition), *given))
        case Not(part):
            return certainly(part, not truth)
        case All(parts):
            return joined(tuple(certainly(p, truth) for p in parts), All if truth else AnyOf)
        case AnyOf(parts):
            return joined(tuple(certainly(p, truth) for p in parts), AnyOf if truth else All)
        case AtLeast(count, parts):
            inner = tuple(certainly(p, truth) for p in parts)
            return AtLeast(count if truth else len(parts) - count + 1, inner)
        case Spread() | Attribute():
            return condition if truth else Not(condition)


def with_group(metric: Metric, group: Group) -> Metric:
    """The metric with what its group says: conditions, and the timing that it does not set itself.

    The cell or rung must exist (`cell_of`).
    """
    given = {key for key, _ in metric.places}
    timing = group.timing
    changes: dict[str, object] = {}
    window = metric.window if "over" in given or timing.window is None else timing.window
    per, tick = (metric.per, metric.window.tick) if "per" in given else (timing.per, _tick(timing))
    if "per" not in given:
        changes |= {"per_unit": timing.per_unit, "rolling": timing.rolling}
    if per is not None and window.tick != tick and changes.get("per_unit", metric.per_unit) == "tick":
        finer = min(window.tick, tick, key=lambda t: MINUTES[t])
        per = per * MINUTES[tick] // MINUTES[finer]
        window = _in_ticks(window, finer)
    changes |= {"window": window, "per": per}
    if "clock" not in given and timing.clock != "date":
        changes["clock"] = timing.clock
    if "starting_at" not in given and timing.starting_at is not None:
        changes |= {"starting_at": timing.starting_at, "within": timing.within}
    use = metric.group
    assert use is not None
    return replace(metric, **changes, **_meaning(use, group), written=(*metric.written, *group.written))  # type: ignore[arg-type]


MINUTES: dict[Tick, int] = {"day": 1440, "hour": 60, "minute": 1}


def _tick(timing: Timing) -> Tick:
    return timing.window.tick if timing.window is not None else "day"


def _in_ticks(window: Window, tick: Tick) -> Window:
    """The same stretch of time in finer ticks, where it is one from exposure."""
    times = MINUTES[window.tick] // MINUTES[tick]
    if times == 1 or window.end or window.first is None:
        return window
    return Window(times * window.first, None if window.last is None else times * (window.last + 1) - 1, tick)


def _meaning(use: GroupUse, group: Group) -> dict[str, object]:
    form = group.form
    if isinstance(form, Cross):
        letters = "".join(letter for letter, _ in form.letters)
        cell = cell_of(use, group) or letters
        return {"condition": in_cell(form, cell), "known": known(form), "group": replace(use, cell=cell)}
    names = levels(form)
    if use.ranked:
        return {"rank": rank(form, use.how == "degrees")}
    if use.how == "share":
        return {"condition": at_least(form, 1)}
    level = names.index(cell_of(use, group) or form.otherwise)
    return {"condition": at_least(form, level) if use.how == "at_least" and level else on_level(form, level)}


def cell_of(use: GroupUse, group: Group) -> str | None:
    """The rung or cell that a metric names, by its letters or its title; None when there is none of that name."""
    if use.cell is None:
        return None
    if isinstance(group.form, Ladder):
        return use.cell if use.cell in levels(group.form) else None
    if len(use.cell) == len(group.form.letters) and all(
        c in (letter, "_") for c, (letter, _) in zip(use.cell, group.form.letters, strict=True)
    ):
        return use.cell
    return next((cell for cell, title in group.form.names if title == use.cell), None)


def answer_atom(atom: Atom, take: str) -> Atom:
    """`answer(nps)` as a function of the events that answers are."""
    function = take if take in ("first", "last", "mean") else "last"
    return replace(atom, function=function, event=f"{atom.event}.answers", prop=f"{atom.event}.answer")  # type: ignore[arg-type]


def with_survey_events(condition: Condition, surveys: Mapping[str, Survey]) -> Condition:
    """`answer(nps)` as the property of an event."""

    def changed(atom: Atom) -> Atom:
        return answer_atom(atom, surveys[atom.event].take) if atom.function == "answer" else atom

    return mapped_atoms(condition, changed)


def looked_back(condition: Condition, blocks: int) -> Condition:
    """The condition as it was so many blocks ago."""

    def back(atom: Atom) -> Atom:
        return replace(atom, ago=Ago(blocks, blocks))

    return mapped_atoms(condition, back)
