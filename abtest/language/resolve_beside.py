"""What stands beside the comparison of an experiment, its names resolved: `trigger`, `value`, `drivers`, `mechanism`, `targets`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from abtest.language.beside_model import Trigger
from abtest.language.conditions import atoms_of
from abtest.language.metric_rules import check_condition
from abtest.language.model import Column, Event, Experiment, Metric, Source, Written
from abtest.language.resolve_metrics import Broken, resolve_metric
from abtest.language.suggest import did_you_mean
from abtest.problems import Place, Problems, quoted

TRIGGER = "the trigger"
"""The name of the metric by whose value 1 a unit is triggered. No metric of a project can have it."""
_TICKS_A_DAY = {"day": 1, "hour": 24, "minute": 1440}


def trigger_metric(trigger: Trigger) -> Metric:
    """The yes or no per unit that says who is triggered."""
    return Metric(TRIGGER, "did", condition=trigger.condition, window=trigger.window)


def reach(metric: Metric) -> int | None:
    """The last day after exposure (0 is its date) that a metric reads; None if that is open, -1 if it has no time.

    >>> from abtest.language.model import Window
    >>> reach(Metric("a", "did", window=Window(0, 13))), reach(Metric("b", "did", window=Window()))
    (13, None)
    """
    if metric.column is not None or any(isinstance(p, Column) for p in metric.parts or ()):
        return -1
    window = metric.window
    if window.last is None or window.end:
        return None
    per_day = _TICKS_A_DAY[window.tick]
    # On the elapsed clock the last tick may fall on one date more.
    elapsed = metric.clock == "elapsed" or per_day > 1
    last = -(-(window.last + 1) // per_day) if elapsed else window.last
    return last + (metric.within - (not elapsed) if metric.within is not None else 0)


def resolve_trigger(
    trigger: Trigger,
    events: Mapping[str, Event],
    sources: Mapping[str, Source],
    broken_events: Broken,
    broken_sources: Broken,
    problems: Problems,
) -> Metric | None:
    """The metric of the trigger, its names and units resolved."""
    assert trigger.node is not None
    piece = Written(trigger.condition, trigger.node)
    looked_back = next((a for a in atoms_of(trigger.condition) if a.ago is not None), None)
    if looked_back is not None:
        message = "`ago` counts blocks of `per`, and the days of a trigger are one"
        problems.error("E117", message, piece.span(looked_back.at), "Remove `ago`.")
        return None
    if not atoms_of(trigger.condition):
        message = "the trigger names no event: it is what the unit is, not what it does"
        problems.error("E137", message, trigger.place, "Split by it:  segments: [plan]")
        return None
    alone = replace(trigger_metric(trigger), written=(piece,), place=trigger.place)
    check_condition(trigger.condition, alone, piece, problems)
    return resolve_metric(alone, events, sources, problems, broken_events, broken_sources)


def check_trigger_window(experiment: Experiment, metrics: Mapping[str, Metric], problems: Problems) -> None:
    """The trigger looks as far as every goal does.

    Who is triggered later counts as not triggered, although the change may have moved their value; and without an end,
    who is triggered after the window of a goal counts, although nothing could move it any more.
    """
    trigger = experiment.trigger
    assert trigger is not None
    goals = [metrics[u.name] for u in experiment.metrics if u.role == "goal" and u.name in metrics]
    fixed = {g.name: last for g in goals if (last := reach(g)) is not None and last >= 0}
    open_ended = [g.name for g in goals if reach(g) is None]
    if not fixed:
        if open_ended and trigger.window.last is not None:
            problems.error(
                "E321",
                f"the trigger looks at  {trigger.window},  and goal {open_ended[0]} until the data end",
                trigger.place,
                "Leave  in …  out of the trigger.",
            )
        return
    name, last = max(fixed.items(), key=lambda item: item[1])
    days = f"in first {last + 1} day{'s' * (last > 0)}"
    condition = trigger.text.rpartition(")")[0] + ")"
    if trigger.window.last is None:
        problems.error(
            "E321",
            f"the trigger looks until the data end, and goal {name} only at its own days",
            trigger.place,
            f"Write  trigger: {condition} {days}",
        )
    elif trigger.window.last < last:
        problems.error(
            "E321",
            f"the trigger looks at  {trigger.window},  goal {name} at {last + 1} days: who is triggered later would "
            "count as not triggered",
            trigger.place,
            f"Write  trigger: {condition} {days}",
        )


def check_value(experiment: Experiment, metrics: Mapping[str, Metric], problems: Problems) -> None:
    """`value` is a metric of the experiment with a mean, other than its only goal."""
    name, place = experiment.value, experiment.at("value")
    assert name is not None
    if not _known(name, "value", place, experiment, problems) or name not in metrics:
        return
    if metrics[name].quantile is not None:
        problems.error("E418", f"value: {name} is a quantile; a joint effect needs a mean", place)
    if [u.name for u in experiment.metrics if u.role == "goal"] == [name]:
        hint = "Name a metric of money per user, such as a guardrail."
        problems.error("E418", f"value: {name} is the only goal, so there is nothing to set beside it", place, hint)


def check_drivers(experiment: Experiment, metrics: Mapping[str, Metric], problems: Problems) -> None:
    """Each driver is one number per unit, of a metric of the experiment."""
    drivers = experiment.drivers
    assert drivers is not None
    for name in (drivers.of, *drivers.by):
        place = drivers.at(name)
        if not _known(name, "drivers", place, experiment, problems) or name not in metrics:
            continue
        metric = metrics[name]
        if metric.quantile is not None or metric.pooled:
            kind = "quantile" if metric.quantile is not None else "ratio"
            hint = "Use what it is made of."
            problems.error("E418", f"drivers: {name} is a {kind}, so a unit has no value of it", place, hint)


def check_mechanism(experiment: Experiment, problems: Problems) -> None:
    """What the goals should move by is in the experiment, and no goal itself."""
    goals = {u.name for u in experiment.metrics if u.role == "goal"}
    for name in experiment.mechanism:
        place = experiment.at(f"mechanism.{name}")
        if _known(name, "mechanism", place, experiment, problems) and name in goals:
            hint = "Name a step between the change and the goal, such as a secondary metric."
            problems.error("E418", f"mechanism: {name} is a goal, which cannot be its own mechanism", place, hint)


def check_targets(experiment: Experiment, metrics: Mapping[str, Metric], problems: Problems) -> None:
    """A target adds a metric up over units, so units must have one number each that can be added."""
    for target in experiment.targets:
        if not _known(target.metric, "targets", target.place, experiment, problems) or target.metric not in metrics:
            continue
        metric = metrics[target.metric]
        if metric.among is not None:
            message = f"targets: {target.metric} is about some units only, and a target counts all"
            problems.error("E419", message, target.place, "Set it for a metric without  among.")
        elif metric.quantile is not None or metric.pooled or metric.survey is not None or metric.rank is not None:
            hint = "Set it for a metric of users or amounts, such as  did: …  or  amount: …"
            message = f"targets: {target.metric} cannot be added up over units"
            problems.error("E419", message, target.place, hint)
        if target.by is not None and experiment.end is not None and target.by <= experiment.end:
            message = f"targets: {target.by} lies before the end of the experiment, {experiment.end}"
            problems.error("E419", message, target.place, "A target is for the time after it is decided.")


def _known(name: str, key: str, place: Place, experiment: Experiment, problems: Problems) -> bool:
    names: Iterable[str] = [u.name for u in experiment.metrics]
    if name in names:
        return True
    message = f"{key}: {quoted(name)} is not among the metrics of this experiment"
    problems.error("E418", message, place, did_you_mean(name, names, "Metrics here"))
    return False
