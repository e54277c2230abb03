"""What the result does not tell, and the facts around it: both derived, so that no report can leave them out."""

from __future__ import annotations

from datetime import date

from abtest.reports.verdict import comparison_of, guardrail_labels, headline, low_end
from abtest.reports.wording import Wording

MOST_LIMITS = 4


def limits(w: Wording) -> list[str]:
    """Two to four points, the most pressing first; what lies beyond the observed time is always among them."""
    result, experiment = w.result, w.result.experiment
    if experiment.has_time and experiment.days_run:
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
            points.append(w.words("limits.guardrail_worse", guardrail=w.inside(metric), change=full))
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


def _goal_limits(w: Wording) -> list[str]:
    head = headline(w)
    if head is None:
        return []
    goal = w.inside(head.metric)
    if head.comparison is None or head.change is None:
        return [w.words("limits.untested", goal=goal)]
    if w.early:
        return [w.words("limits.early")]
    low, high = head.change.low, head.change.high
    state = w.state(head.comparison)
    if state == "better":
        end = low_end(w, head)
        return [w.words("limits.low_end", low=end)] if end else []
    if low is None or high is None:
        return []
    if state == "worse":
        return [w.words("limits.loss", low=low, high=high)]
    shown = w.shown(head.comparison)
    bounds = shown.bounds if shown else (None, 0.0, None)
    both_sides = (bounds[0] or 0) < 0 < (bounds[2] or 0)
    return [w.words("limits.unclear" if both_sides else "limits.unclear_one_side", goal=goal, low=low, high=high)]


def _missing(w: Wording) -> list[str]:
    head = headline(w)
    if head is None:
        return []
    exposed = sum(arm.exposed for arm in head.metric.arms)
    out = sum(arm.immature + arm.missing for arm in head.metric.arms)
    if out == 0 or exposed == 0:
        return []
    return [
        w.words.plural(
            "limits.missing",
            out,
            n=w.count(out),
            exposed=w.units(exposed),
            share=w.share(out / exposed),
            goal=w.inside(head.metric),
        )
    ]


def facts(w: Wording) -> list[tuple[str, str]]:
    """The strip of facts below the verdict; what is not known is not listed."""
    experiment, words = w.result.experiment, w.words
    found = [(w.unit_name, w.count(w.total_units))]
    run, planned = experiment.days_run, experiment.days_planned
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
        found.append((words("facts.split"), words("facts.split_value", shares=split, unit=w.name(experiment.unit, 24))))
    found.append((words("facts.confidence"), words(f"facts.confidence_{w.result.plan.method}", level=w.level)))
    if experiment.owner:
        found.append((words("facts.owner"), w.name(experiment.owner, 40)))
    return found


def _day(iso: str | None) -> date | str | None:
    try:
        return None if iso is None else date.fromisoformat(iso[:10])
    except ValueError:
        return iso
