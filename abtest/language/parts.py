"""The parts that come with a metric by themselves: steps of a funnel, rungs of a ladder, cells, who answered."""

from __future__ import annotations

from dataclasses import replace

from abtest.language.conditions import All, AnyOf, Attribute, Condition, Not, Spread, at_least_one, atoms_of, walk
from abtest.language.model import Cross, Fold, GroupUse, Ladder, Metric, Project, Window
from abtest.language.partition import (
    at_least,
    cells_of,
    in_cell,
    levels,
    looked_back,
    on_level,
    with_survey_events,
)


def parts_of(metric: Metric, project: Project) -> tuple[Metric, ...]:
    """Metrics named `<metric>.<part>`, computed and tested beside it."""
    if metric.funnel is not None:
        return _steps(metric)
    if metric.survey is not None:
        answers = at_least_one(f"{metric.survey}.answers")
        answered = _part(metric, "answered", measure=None, kind="did", condition=answers, missing=None, survey=None)
        return (replace(answered, unit_of_value="share"),)
    if metric.group is None or metric.group.group not in project.groups:
        return ()
    form = project.groups[metric.group.group].form
    if isinstance(form, Ladder):
        return _rungs(metric, form, project) if metric.group.whole else ()
    return _cells(metric, form, project)


def _part(metric: Metric, name: str, **changes: object) -> Metric:
    title = changes.pop("title", name.replace("_", " "))
    plain = replace(
        metric,
        name=f"{metric.name}.{name}",
        title=str(title),
        part_of=metric.name,
        description=None,
        examples=(),
        margin=None,
        cap=None,
        show=None,
        unit_of_value="share",
        written=(),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def _steps(metric: Metric) -> tuple[Metric, ...]:
    """How many got as far as each step but the last, which is the metric itself."""
    funnel = metric.funnel
    assert funnel is not None
    return tuple(
        _part(metric, step.name, funnel=replace(funnel, steps=funnel.steps[: i + 1]))
        for i, step in enumerate(funnel.steps[:-1])
    )


def _rungs(metric: Metric, ladder: Ladder, project: Project) -> tuple[Metric, ...]:
    """The share on each rung, and who stands higher or lower than before exposure."""
    fold = Fold("share") if metric.per is not None else None
    found = []
    for level, name in reversed(list(enumerate(levels(ladder)))):
        condition = with_survey_events(on_level(ladder, level), project.surveys)
        use = GroupUse(metric.group.group if metric.group else "", "is", name)
        found.append(_part(metric, name, condition=condition, rank=None, group=use, fold=fold, better=None))
    return (*found, *_movement(metric, ladder, project))


def _movement(metric: Metric, ladder: Ladder, project: Project) -> tuple[Metric, ...]:
    """Up and down from the last complete block before exposure to the last of the window."""
    window = metric.window
    plain = metric.per_unit == "tick" and metric.clock != "calendar" and not metric.rolling
    if (
        not plain
        or not window.fixed
        or window.end
        or window.before
        or window.first != 0
        or metric.starting_at is not None
    ):
        return ()
    days = window.days
    assert days is not None
    per = metric.per or days
    back = days // per
    now = [with_survey_events(at_least(ladder, n), project.surveys) for n in range(1, len(ladder.rungs) + 1)]
    if any(not _can_look_back(c) for c in now):
        return ()
    then = [looked_back(c, back) for c in now]
    up: Condition = AnyOf(tuple(_and_not(a, b) for a, b in zip(now, then, strict=True)))
    down: Condition = AnyOf(tuple(_and_not(b, a) for a, b in zip(now, then, strict=True)))
    made = []
    for name, condition in (("moved_up", up), ("moved_down", down)):
        made.append(
            _part(
                metric, name, condition=condition, rank=None, per=per, fold=Fold("last"), window=Window(0, days - 1, window.tick),
                better=None,
            )
        )  # fmt: skip
    return tuple(made)


def _can_look_back(condition: Condition) -> bool:
    fine = all(
        a.ago is None and a.function not in ("first", "last", "days_since", "answer") for a in atoms_of(condition)
    )
    return fine and not any(isinstance(c, (Spread, Attribute)) for c in walk(condition))


def _and_not(one: Condition, other: Condition) -> Condition:
    return All((one, Not(other)))


def _cells(metric: Metric, cross: Cross, project: Project) -> tuple[Metric, ...]:
    """Each cell for `as: share`; and, where letters can be unknown, for how many units they are known."""
    assert metric.group is not None
    found = []
    if metric.group.how == "share":
        titles = dict(cross.names)
        for cell in cells_of(tuple(letter for letter, _ in cross.letters)):
            condition = with_survey_events(in_cell(cross, cell), project.surveys)
            use = GroupUse(metric.group.group, "is", cell)
            found.append(_part(metric, cell, condition=condition, group=use, title=titles.get(cell, cell), better=None))
    if metric.known is not None:
        found.append(_part(metric, "known", kind="did", condition=metric.known, known=None, group=None, better=None))
    return tuple(found)
