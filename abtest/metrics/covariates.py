"""What each metric of an experiment is adjusted by: metrics over the days before exposure, and attributes.

Without `adjust` it is the metric itself, over whole blocks of at least `default_adjust` days before exposure. Where
that has no meaning (a funnel, a waiting time, what looks back already) it is the unit's activity then: the days on
which it did each of the metric's events.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from abtest.language.canonical import events_of, metric_atoms
from abtest.language.conditions import Atom, Condition, Measure, Rank, Spread, Term, walk
from abtest.language.model import Column, Event, Fold, Metric, Project, Property, Window
from abtest.metrics.needs import for_unit

NotAdjusted = Literal["off", "kind", "explored", "no_history", "clustered"]
BEFORE = "before: "
"""How the names of hidden metrics begin."""
LONGEST = 366
"""Days before exposure; blocks that do not fit into fewer are not looked for."""


@dataclass(frozen=True)
class Covariate:
    """A hidden `metric` over days before exposure, or the attribute `prop` of `source`; `label` is what it is called."""

    label: str
    metric: Metric | None = None
    source: str = ""
    prop: str = ""
    text: bool = False


def covariates_of(metric: Metric, project: Project, unit: str) -> tuple[Covariate, ...] | NotAdjusted:
    """The covariates of a metric, or why it has none."""
    if metric.quantile is not None:
        return "kind"
    wanted = metric.adjust
    if wanted is not None:
        named = [_named(project.metrics[n], unit) for n in wanted.metrics]
        known = [_attribute(project.sources[s].property(p), s, p) for s, p in wanted.attributes]
        return (*named, *known) or "off"
    if not project.default_adjust:
        return "off"
    before = before_of(metric, project.events, project.default_adjust)
    return "kind" if before is None else (Covariate(metric.name, before),)


def _named(metric: Metric, unit: str) -> Covariate:
    return Covariate(metric.name, replace(for_unit(metric, unit), name=f"{BEFORE}{metric.name}", immature="drop"))


def _attribute(declared: Property | None, source: str, prop: str) -> Covariate:
    return Covariate(f"{source}.{prop}", None, source, prop, declared is None or declared.type == "text")


def before_of(metric: Metric, events: Mapping[str, Event], days: int) -> Metric | None:
    """The metric over at least `days` days before exposure; its activity where it cannot look there; None where it has
    none, such as a column or answers to a survey."""
    parts = (metric.condition, metric.measure, metric.rank, *(metric.parts or ()))
    if any(isinstance(p, Column) for p in parts) or metric.column is not None:
        return None
    length = _length(metric, days)
    if length is None or not _looks_back(metric, events):
        return _activity(metric, events, days)
    fold = metric.fold
    if metric.per is not None and fold is None and metric.kind != "ratio":
        fold = Fold("share")
    return replace(
        metric,
        name=f"{BEFORE}{metric.name}",
        window=Window(-length, -1),
        clock="date",
        among=None,
        starting_at=None,
        within=None,
        fold=fold,
        immature="drop",
        adjust=None,
        show=None,
        part_of=None,
        examples=(),
        margin=None,
    )


def _conditions(metric: Metric) -> tuple[Condition, ...]:
    parts = (metric.condition, *(metric.parts or ()), *(metric.rank.parts if metric.rank else ()))
    return tuple(c for p in parts if p is not None and not isinstance(p, (Measure, Column, Rank)) for c in walk(p))


def _looks_back(metric: Metric, events: Mapping[str, Event]) -> bool:
    """Whether the days before exposure can be asked the same question."""
    simple = metric.kind in ("did", "amount", "ratio", "group") and metric.unit is None and metric.known is None
    timed = metric.per_unit == "tick" and not metric.rolling and metric.window.tick == "day"
    own = metric_atoms(replace(metric, among=None))
    plain = all(a.ago is None and a.function not in ("days_since", "answer") for a in own)
    return simple and timed and plain and not any(events[a.event].survey is not None for a in own)


def _length(metric: Metric, days: int) -> int | None:
    """The fewest days, `days` or more, that blocks and spreads divide."""
    sizes = [s.days for s in _conditions(metric) if isinstance(s, Spread)]
    if metric.per is not None and metric.per_unit == "tick":
        sizes.append(metric.per)
    step = math.lcm(*sizes) if sizes else 1
    length = -(-days // step) * step
    if metric.per is None and length in sizes:
        length += step  # a window is longer than the blocks inside it
    return length if length <= max(LONGEST, days) else None


def _activity(metric: Metric, events: Mapping[str, Event], days: int) -> Metric | None:
    """On how many days the unit did each of the events, added up."""
    own = [e for e in events_of(replace(metric, among=None)) if events[e].survey is None]
    if not own:
        return None
    measure = Measure(tuple(Term(1.0, Atom("days", e)) for e in own))
    return Metric(f"{BEFORE}{metric.name}", "amount", measure=measure, window=Window(-days, -1))
