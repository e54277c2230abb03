"""Which words of the language random definitions use, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from abtest.language.canonical import events_of, metric_atoms, metric_attributes
from abtest.language.conditions import Condition, Spread, children
from abtest.language.model import Cross, Event, Metric, Project

from .oracle import Source

LISTED = (
    *(f"kind {k}" for k in (
        "did", "amount", "ratio", "retention", "churn", "quantile", "funnel", "time_to", "group", "survey",
    )),
    *(f"clock {k}" for k in ("date", "elapsed", "calendar")),
    *(f"tick {k}" for k in ("day", "hour", "minute")),
    *(f"per {p}" for p in ("none", "day", "week", "days", "hour", "month", "session", "rolling")),
    *(f"window {w}" for w in ("whole", "first", "days", "day", "from", "last", "lifetime", "before")),
    *(f"did {f}" for f in ("share", "ever", "always", "last", "count", "streak")),
    *(f"did {f} threshold" for f in ("share", "count", "streak")),
    *(f"amount {f}" for f in ("mean", "sum", "min", "max", "last")),
    *(f"spread {s}" for s in ("none", "one", "nested")),
    *(f"function {f}" for f in (
        "count", "sum", "mean", "min", "max", "first", "last", "distinct", "days", "sessions", "days_since", "answer",
    )),
    *(f"event {e}" for e in ("where", "several names", "nth", "once per", "once", "of others")),
    "ago", "ago range", "starting_at", "immature keep", "two sources", "dates alone", "attributes in conditions",
    "among attributes", "among before", "missing drop", "missing value", "cap value", "cap all", "cap nonzero",
    "ratio of conditions", "ratio of measures", "device", "group ladder", "group cross", "quantile events",
    "quantile units",
)  # fmt: skip
"""None of these may be rarer than 2 %; traits overlap."""

DETAILS = (
    *(f"funnel {f}" for f in ("same", "different", "within", "exposure", "long", "dates")),
    *(f"group {g}" for g in ("is", "at_least", "rank", "degrees", "share", "unknown cells")),
    *(f"survey {s}" for s in ("nps", "mean", "top", "share", "first", "last", "mean of all", "items")),
    *(f"once per {p}" for p in ("hour", "day", "week", "month", "session")),
    "anchored time_to",
    "anchored elapsed",
    "anchor before exposure",
    "elapsed ago",
    "calendar ago",
    "adjust",
)
"""Parts of what is rare itself: none may be rarer than 0.4 %."""


def coverage(projects: Iterable[tuple[Project, Mapping[str, Source]]]) -> dict[str, float]:
    """Shares of the definitions that show each trait."""
    counts: Counter[str] = Counter()
    total = 0
    for project, sources in projects:
        for metric in project.metrics.values():
            total += 1
            counts.update(traits(metric, project, sources))
    return {trait: counts[trait] / total for trait in (*LISTED, *DETAILS)}


def traits(metric: Metric, project: Project, sources: Mapping[str, Source]) -> set[str]:
    events = [project.events[name] for name in events_of(metric)]
    found = {f"kind {metric.kind}", f"clock {metric.clock}", f"tick {metric.window.tick}", f"per {_per(metric)}"}
    found.add(f"window {str(metric.window).split()[0]}")
    parts = [p for p in (metric.condition, *(metric.parts or ())) if isinstance(p, Condition)]
    if metric.fold is not None:
        like = "did" if metric.condition is not None else "amount"
        found.add(f"{like} {metric.fold.name}{' threshold' if metric.fold.operator else ''}")
    depth = max((_depth(p) for p in parts), default=0)
    found.add(f"spread {('none', 'one', 'nested')[min(depth, 2)]}")
    if metric.parts:
        found.add(f"ratio of {'conditions' if len(parts) == 2 else 'measures' if not parts else 'both'}")
    found |= {f"function {a.function}" for a in metric_atoms(metric)}
    if _asks_for_answers(metric):
        found.add("function answer")
    found |= {mark for mark, shown in _marks(metric, events, sources).items() if shown}
    return found | _details(metric, project, events, sources)


def _asks_for_answers(metric: Metric) -> bool:
    return metric.survey is None and any((a.prop or "").endswith(".answer") for a in metric_atoms(metric))


def _marks(metric: Metric, events: list[Event], sources: Mapping[str, Source]) -> dict[str, bool]:
    back = [a.ago for a in metric_atoms(metric) if a.ago is not None]
    read = {e.source for e in events if e.survey is None}
    return {
        "event where": any(e.where for e in events),
        "event several names": any(len(e.names) > 1 for e in events),
        "event nth": any(e.nth for e in events),
        "event once per": any(e.once and e.once.period for e in events),
        "event once": any(e.once and not e.once.period for e in events),
        "event of others": any(e.units for e in events),
        "ago": bool(back),
        "ago range": any(a.last > a.first for a in back),
        "starting_at": metric.starting_at is not None,
        "immature keep": metric.immature == "keep",
        "two sources": len(read) > 1,
        "dates alone": any(sources[s].date_only for s in read),
        "attributes in conditions": bool(metric_attributes(metric)),
        "among attributes": metric.among is not None and metric.among.where is not None,
        "among before": metric.among is not None and metric.among.condition is not None,
        "missing drop": metric.kind != "survey" and metric.missing is not None and metric.missing.value is None,
        "missing value": metric.missing is not None and metric.missing.value is not None,
        **{f"cap {of}": metric.cap is not None and metric.cap.of == of for of in ("value", "all", "nonzero")},
        "device": metric.unit == "device",
        **{f"quantile {q}": metric.quantile is not None and metric.quantile.across == q for q in ("events", "units")},
    }


def _details(metric: Metric, project: Project, events: list[Event], sources: Mapping[str, Source]) -> set[str]:
    found = {f"once per {e.once.period}" for e in events if e.once and e.once.period}
    funnel, group, survey = metric.funnel, metric.group, project.surveys.get(metric.survey or "")
    back = any(a.ago for a in metric_atoms(metric))
    marks = {
        "anchored time_to": metric.kind == "time_to" and metric.starting_at is not None,
        "anchored elapsed": metric.clock == "elapsed" and metric.starting_at is not None,
        "anchor before exposure": metric.starting_at is not None and project.events[metric.starting_at].before_exposure,
        "elapsed ago": back and metric.clock == "elapsed",
        "calendar ago": back and metric.clock == "calendar",
        "adjust": metric.adjust is not None,
    }
    if funnel is not None:
        marks |= {
            "funnel same": funnel.same is not None,
            "funnel different": funnel.different is not None,
            "funnel within": funnel.within is not None,
            "funnel exposure": funnel.from_exposure,
            "funnel long": len(funnel.steps) > 2,
            "funnel dates": all(sources[e.source].date_only for e in events),
        }
    if group is not None:
        cross = isinstance(project.groups[group.group].form, Cross)
        marks |= {
            f"group {group.how}": True,
            "group ladder": not cross,
            "group cross": cross,
            "group unknown cells": metric.known is not None,
        }
    if survey is not None:
        take = "mean of all" if survey.take == "mean" else survey.take
        marks |= {f"survey {survey.score}": True, f"survey {take}": True, "survey items": survey.items}
    return found | {mark for mark, shown in marks.items() if shown}


def _per(metric: Metric) -> str:
    if metric.per is None:
        return "none"
    if metric.per_unit != "tick":
        return metric.per_unit
    if metric.rolling:
        return "rolling"
    tick = metric.window.tick
    if tick == "day":
        return {1: "day", 7: "week"}.get(metric.per, "days")
    return "hour" if metric.per == (1 if tick == "hour" else 60) else "days"


def _depth(condition: Condition) -> int:
    """How many spreads stand inside each other."""
    inner = max((_depth(p) for p in children(condition)), default=0)
    return inner + isinstance(condition, Spread)


def report(seeds: int) -> str:
    """The shares of definitions with each trait, over so many random projects, as a table."""
    from .generate import definitions, seeded

    cases = [seeded(seed) for seed in range(seeds)]
    shares = coverage((case.project(), case.sources) for case in cases)
    lines = [f"{definitions(cases):,} definitions in {seeds} projects"]
    return "\n".join([*lines, *(f"{100 * share:6.1f} %  {trait}" for trait, share in shares.items())])


if __name__ == "__main__":
    import sys

    print(report(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
