"""What a project defines and nothing reads: often a slip of the pen, sometimes a plan."""

from __future__ import annotations

from abtest.language.canonical import events_of
from abtest.language.conditions import Condition, Measure, atoms_of
from abtest.language.model import Column, Experiment, Funnel, Project
from abtest.language.partition import surveys_in


def unused(project: Project) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Pairs of a word and names: events, groups and surveys that no metric reads, metrics in no experiment.

    Metrics are only reported when there are experiments at all.
    """
    events = {n for m in project.metrics.values() for n in events_of(m)}
    events |= {a.event for e in project.experiments.values() for c in _conditions(e) for a in atoms_of(c)}
    groups = {m.group.group for m in project.metrics.values() if m.group is not None}
    groups |= {s.group for e in project.experiments.values() for s in e.segments if s.group is not None}
    surveys = {n.removesuffix(".answers") for n in events if n.endswith(".answers")}
    for group in project.groups.values():
        for piece in group.written:
            if not isinstance(piece.part, (Measure, Column, Funnel)):
                surveys |= set(surveys_in(piece.part))
    used = {u.name for e in project.experiments.values() for u in e.metrics}
    adjusting = {n for m in project.metrics.values() if m.adjust is not None for n in m.adjust.metrics}
    found = [
        (
            "event",
            [n for n, e in project.events.items() if n not in events and e.survey is None and n not in _own(project)],
        ),
        ("group", [n for n in project.groups if n not in groups]),
        ("survey", [n for n in project.surveys if n not in surveys]),
    ]
    if project.experiments:
        found.append(("metric", [n for n in project.metrics if n not in used | adjusting]))
    return tuple((what, tuple(names)) for what, names in found if names)


def _conditions(experiment: Experiment) -> list[Condition]:
    """By which units of an experiment are told apart."""
    found = [s.condition for s in experiment.segments if s.condition is not None]
    return [*found, experiment.trigger.condition] if experiment.trigger is not None else found


def _own(project: Project) -> set[str]:
    """Events that nobody wrote: a file of one event declares it by itself."""
    return {s.event_constant for s in project.sources.values() if s.event_constant is not None}
