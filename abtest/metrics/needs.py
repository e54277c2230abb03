"""What a set of metrics reads: events bound to their logs, and what each log must deliver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from abtest.language.canonical import events_of, metric_atoms
from abtest.language.conditions import Rank
from abtest.language.model import Event, Fold, Group, Ladder, Metric, Segment, Source, Survey, Window
from abtest.language.partition import certainly, rank, with_survey_events
from abtest.sources.event_rows import Needs

INSTANT = frozenset({"first", "last"})


def bound_events(
    metrics: Iterable[Metric], events: Mapping[str, Event], sources: Mapping[str, Source], unit: str
) -> tuple[dict[str, Event], dict[str, Source]]:
    """The events of the metrics, each with its log as `source`, and the logs.

    A log is a source read for one unit: events whose unit stands in another column make a second log of their source.
    """
    found: dict[str, Event] = {}
    logs: dict[str, Source] = {}
    for metric in metrics:
        for name in events_of(metric):
            event = events[name]
            source = sources[event.source]
            path = dict(event.units).get(unit)
            key = source.name if path is None or path == source.unit_path(unit) else f"{source.name} by {path}"
            if key not in logs:
                others = tuple((u, p) for u, p in source.units if u != unit)
                units = source.units if key == source.name else ((unit, path or ""), *others)
                logs[key] = replace(source, name=key, units=units)
            found[name] = replace(event, source=key)
    return found, logs


def needs_of(metrics: Iterable[Metric], events: Mapping[str, Event], log: Source, detail: bool = False) -> Needs:
    """What the metrics read of one log."""
    own = {n: e for n, e in events.items() if e.source == log.name}
    props: set[str] = set()
    subs: set[str] = set()
    instant = sessions = False
    for metric in metrics:
        reads = [n for n in events_of(metric) if n in own]
        atoms = [a for a in metric_atoms(metric) if a.event in own]
        if not reads:
            continue
        props |= {a.prop for a in atoms if a.prop is not None}
        instant = instant or metric.clock == "elapsed" or metric.funnel is not None or metric.starting_at is not None
        instant = instant or any(a.function in INSTANT for a in atoms)
        sessions = sessions or metric.per_unit == "session" or metric.unit == "session"
        sessions = sessions or any(a.function == "sessions" for a in atoms)
        if metric.unit not in (None, "session"):
            subs.add(metric.unit or "")
        if metric.funnel is not None:
            props |= {p for p in (metric.funnel.same, metric.funnel.different) if p is not None}
    if any(event.once is not None or event.nth is not None for event in own.values()):
        # Which of several rows of one time is the first is decided by everything that is known of them.
        props |= {p.name for p in log.properties}
        instant = True
    declared = {p for p in props if "." not in p}
    return Needs(own, frozenset(declared), instant, sessions, tuple(sorted(subs)), detail)


def for_unit(metric: Metric, unit: str) -> Metric:
    """A metric that says its unit, which is the one of the experiment, need not say it."""
    return replace(metric, unit=None) if metric.unit == unit else metric


def among_metric(metric: Metric) -> Metric | None:
    """The hidden metric by whose value 1 a unit is among those of `metric`; None where attributes decide."""
    among = metric.among
    if among is None or among.condition is None:
        return None
    return Metric(f"among of {metric.name}", "did", condition=among.condition, window=Window(-among.days, -1))


def segment_metrics(segment: Segment, groups: Mapping[str, Group], surveys: Mapping[str, Survey]) -> tuple[Metric, ...]:
    """The hidden metrics whose values before exposure say in which segment a unit is.

    A condition gives one yes or no, a ladder its rank (in the last complete block of its `per`, or over all the days), a
    cross a certain yes and a certain no per letter. Attributes need none.
    """
    window = Window(-segment.days, -1)
    name = f"segment {segment.name}"
    if segment.condition is not None:
        return (Metric(name, "did", condition=segment.condition, window=window),)
    if segment.group is None:
        return ()
    group = groups[segment.group]
    if isinstance(group.form, Ladder):
        found = rank(group.form)
        parts = Rank(tuple(with_survey_events(p, surveys) for p in found.parts))
        per = group.timing.per if group.timing.per_unit == "tick" and not group.timing.rolling else None
        if per is not None and (group.timing.clock != "date" or segment.days % per or per > segment.days):
            per = None
        fold = None if per is None else Fold("last")
        return (Metric(name, "group", rank=parts, window=window, per=per, fold=fold),)
    made = []
    for letter, condition in group.form.letters:
        for truth in (True, False):
            sure = with_survey_events(certainly(condition, truth), surveys)
            made.append(Metric(f"{name} {letter} {truth}", "did", condition=sure, window=window))
    return tuple(made)
