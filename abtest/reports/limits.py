"""What the result does not tell, and the facts around it: both derived, so that no report can leave them out."""

from __future__ import annotations

import re
from datetime import date

from abtest.analysis.result import MetricResult
from abtest.reports.verdict import comparison_of, guardrail_labels, headline, low_end
from abtest.reports.wording import Wording

MOST_LIMITS = 4
# How the analysis writes a window with an end; "whole" and "from day 3" are open.
FIXED_WINDOW = re.compile(r"first \d+ days|day \d+|days \d+-\d+")


def limits(w: Wording) -> list[str]:
    """Two to four points, the most pressing first; what lies beyond the observed time is always among them."""
    result, experiment = w.result, w.result.experiment
    windows = followed(w)
    if experiment.has_time and experiment.days_run and windows and w.total_units:
        time = w.words("limits.window", units=w.units(w.total_units), window=windows)
    elif experiment.has_time and experiment.days_run:
        time = w.words.plural("limits.days", experiment.days_run)
    else:
        time = w.words("limits.no_days" if experiment.has_time else "limits.no_time")
    if not result.decision.valid:
        return [w.words("limits.hidden", name=w.subject), w.words("limits.cause"), time]
    points = [*_goal_limits(w)]
    variant = result.decision.variant
    for metric, label in guardrail_labels(result, variant):
        comparison = comparison_of(metric, variant)
        shown = w.guardrail_shown(comparison) if comparison else None
        if label == "held_but_worse" and shown:
            full = w.full(w.change(metric, shown))
            points.append(w.words("limits.guardrail_worse", guardrail=w.metric(metric), change=full))
            break
    if w.many:
        points.append(w.words("limits.treatments", control=w.control))
    points += _missing(w)
    if not result.guardrails:
        points.append(w.words("limits.no_guardrail"))
    if result.segments:
        explored = [segment.dimension for segment in result.segments if not segment.registered]
        dimensions = w.join([w.name(name, 40) for name in dict.fromkeys(explored)])
        key = "limits.segments_explore" if explored else "limits.segments"
        points.append(w.words(key, dimensions=dimensions))
    points = points[: MOST_LIMITS - 1]
    points.insert(1, time)
    if len(points) < 2:
        points.append(w.words("limits.population", units=w.units(w.total_units)))
    return points


def followed(w: Wording) -> str:
    """The windows of the goals, when all of them are fixed: then nobody is followed for all the days of the data."""
    windows = [goal.window or "" for goal in w.result.goals]
    if not windows or not all(FIXED_WINDOW.fullmatch(window) for window in windows):
        return ""
    return w.join([w.name(window, 60) for window in dict.fromkeys(windows)])


def _goal_limits(w: Wording) -> list[str]:
    head = headline(w)
    if head is None or _out(head.metric) == _exposed(head.metric) > 0:
        return []
    goal = w.metric(head.metric)
    if head.comparison is None or head.change is None:
        return [w.words("limits.untested", goal=goal)]
    if w.early:
        return [w.words("limits.early")]
    low, high = head.change.low, head.change.high
    state = w.state(head.comparison)
    if state == "better":
        end = low_end(w, head)
        if end:
            return [w.words("limits.low_end", low=end)]
    if low is None or high is None:
        return []
    if state in ("better", "worse"):
        return [w.words("limits.gain" if state == "better" else "limits.loss", low=low, high=high)]
    shown = w.shown(head.comparison)
    bounds = shown.bounds if shown else (None, 0.0, None)
    both_sides = (bounds[0] or 0) < 0 < (bounds[2] or 0)
    return [w.words("limits.unclear" if both_sides else "limits.unclear_one_side", goal=goal, low=low, high=high)]


def _exposed(metric: MetricResult) -> int:
    return sum(arm.exposed for arm in metric.arms)


def _out(metric: MetricResult) -> int:
    return sum(arm.immature + arm.missing for arm in metric.arms)


def _missing(w: Wording) -> list[str]:
    head = headline(w)
    if head is None:
        return []
    exposed, out = _exposed(head.metric), _out(head.metric)
    if out == 0 or exposed == 0:
        return []
    if out == exposed:
        immature = any(arm.immature for arm in head.metric.arms)
        key = "limits.none_complete" if immature else "limits.none_known"
        return [w.words(key, goal=w.metric(head.metric), exposed=w.units(exposed))]
    return [
        w.words.plural(
            "limits.missing",
            out,
            n=w.count(out),
            exposed=w.units(exposed),
            share=w.share(out / exposed),
            goal=w.metric(head.metric),
        )
    ]


def facts(w: Wording) -> list[tuple[str, str]]:
    """The strip of facts below the verdict; what is not known is not listed."""
    experiment, words = w.result.experiment, w.words
    found = [(w.unit_name, w.count(w.total_units))]
    run, planned = experiment.days_of_plan, experiment.days_planned
    if run is not None and planned is not None:
        found.append(
            (words("facts.duration"), words("facts.duration_value", run=w.count(run), planned=w.count(planned)))
        )
    elif run is not None:
        found.append((words("facts.duration"), words.plural("facts.duration_open", run)))
    if experiment.start and (experiment.end or experiment.data_through):
        found.append((words("facts.dates"), w.dates(experiment.start, experiment.end or experiment.data_through or "")))
    if experiment.data_through and _day(experiment.data_through) != _day(experiment.end):
        found.append((words("facts.data_through"), w.date(experiment.data_through)))
    shares = [variant.share for variant in experiment.variants]
    if shares and all(share is not None for share in shares):
        split = words("units.split").join(w.numbers.trimmed(100 * (share or 0), 1) for share in shares)
        found.append(
            (
                words("facts.split"),
                words("facts.split_value", shares=split, unit=w.name(experiment.cluster or experiment.unit, 24)),
            )
        )
    found.append((words("facts.confidence"), words(f"facts.confidence_{w.result.plan.method}", level=w.level)))
    if experiment.owner:
        found.append((words("facts.owner"), w.name(experiment.owner, 40)))
    return found


def _day(iso: str | None) -> date | str | None:
    try:
        return None if iso is None else date.fromisoformat(iso[:10])
    except ValueError:
        return iso
