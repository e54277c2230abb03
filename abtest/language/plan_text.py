"""The plan of an experiment as ordered pairs of key and text, and what differs between two such plans.

Only what should be settled before the data are seen: titles, owner, descriptions and hypothesis do not count, nor does
the order of what may stand in any order, nor how a number or a condition is spaced. The last date to read (`as_of`) is
a choice of the reader, not of the plan.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

from abtest.language.canonical import metric_hash, normal_where
from abtest.language.condition_text import spaced
from abtest.language.conditions import Rank, Where
from abtest.language.lock_model import Pairs, PlannedMetric, PlanText
from abtest.language.model import (
    Adjust,
    DecideRule,
    Experiment,
    Ladder,
    Margin,
    Metric,
    MetricUse,
    Plan,
    Project,
    Segment,
)
from abtest.language.plan_model import Prior, Spending
from abtest.language.resolve_beside import trigger_metric
from abtest.language.versions import changes, spelled
from abtest.language.where_text import where_text

FIXED = ("role", "definition", "better", "margin", "detect", "test", "adjust")
"""What is compared of a metric; its other texts tell its definition."""
COVARIATE = "covariate"
"""The role of a metric by which only others are adjusted."""
LONGEST = 120
"""Characters shown of one text of a change."""

_NAMES = {"correct_goal": "correct", "correct_secondary": "correct secondary", "correct_segments": "correct segments"}
_HASH = re.compile(r" \[[0-9a-f]{16}\]")
_FIRST = frozenset({"alpha", "guardrail_alpha", "correct", "method", "decide", "spending", "monitoring", "prior"})
_OF_ONE_METHOD = ("looks", "spending", "units", "monitoring", "prior")
_HARMLESS = frozenset({
    "power", "detect", "correct secondary", "correct segments", "segments", "mechanism", "enroll_until"
})  # fmt: skip
"""Keys of the plan that cannot turn the verdict."""


def plan_text(project: Project, experiment: Experiment) -> PlanText:
    """The plan of `experiment` as it stands in `project`."""
    e = experiment
    found: dict[str, str | None] = {
        "unit": e.unit,
        "exposure": _exposure(e),
        "variants": "; ".join(_variant(v.id, v.key, v.share) for v in sorted(e.variants, key=lambda v: v.id)),
        "baseline": e.baseline,
        "cluster": None if e.cluster is None else f"{e.cluster.source}.{e.cluster.prop}",
        "start": _text(e.start),
        "enroll_until": _text(e.enroll_until),
        "end": _text(e.end),
        "timezone": project.timezone,
        "only": _where(e.only),
        "exclude": _where(e.exclude),
        "mixed_exposure": e.mixed,
        "trigger": _trigger(project, e),
        "segments": ", ".join(sorted(_segment(project, s) for s in e.segments)) or None,
        "mechanism": ", ".join(sorted(e.mechanism)) or None,
        "value": e.value,
        "adjust": f"{project.default_adjust} days before" if project.default_adjust else "none",
        **_keys(e.plan),
        "decide": "; ".join(_rule(r) for r in e.decide) or None,
    }
    plan = tuple((key, " ".join(text.split())) for key, text in found.items() if text is not None)
    return PlanText(plan, tuple(sorted(_metrics(project, e), key=lambda m: m.name)))


def plan_digest(pairs: Pairs) -> str:
    """64 hexadecimal digits: the SHA-256 of the pairs.

    >>> plan_digest((("alpha", "5%"),)) == plan_digest((("alpha", "10%"),))
    False
    """
    text = json.dumps(pairs, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _keys(plan: Plan) -> dict[str, str | None]:
    """Every key of the plan, whatever keys there will be; those that belong to one method only where they are set, so
    that locks of before they existed still say the same."""
    usual = Plan()
    found = {f.name: getattr(plan, f.name) for f in fields(plan)}
    return {
        _NAMES.get(key, key): _text(value)
        for key, value in found.items()
        if key not in _OF_ONE_METHOD or value != getattr(usual, key)
    }


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return _percent(value)
    if isinstance(value, Spending):
        return f"{value.name} {value.gamma:g}" if value.name == "hwang_shih_decani" else value.name
    if isinstance(value, Prior):
        return f"mean {_percent(value.mean)}, sd {_percent(value.sd)}" if value.kind == "own" else value.kind
    if isinstance(value, (tuple, list)):
        return ", ".join(_text(v) or "none" for v in value)
    return str(value)


def _percent(share: float) -> str:
    return f"{100 * share:.12g}%"


def _variant(name: str, key: str, share: float | None) -> str:
    return f"{name} ({key}) {'' if share is None else _percent(share)}".rstrip()


def _exposure(e: Experiment) -> str:
    where = _where(e.exposure_where)
    return e.exposure_source + (f", flag {e.flag}" if e.flag is not None else "") + (f" where {where}" if where else "")


def _where(where: Where | None) -> str | None:
    return None if where is None else where_text(normal_where(where))


def _trigger(project: Project, e: Experiment) -> str | None:
    if e.trigger is None:
        return None
    return f"{spaced(e.trigger.text)} [{metric_hash(trigger_metric(e.trigger), project.events)}]"


def _segment(project: Project, s: Segment) -> str:
    if s.condition is not None:
        told = Metric(s.name, "did", condition=s.condition)
        return f"{s.name} before {s.days} days [{metric_hash(told, project.events)}]"
    if s.group is not None and s.group in project.groups:
        form = project.groups[s.group].form
        parts = form.rungs if isinstance(form, Ladder) else form.letters
        told = Metric(s.name, "group", rank=Rank(tuple(c for _, c in parts)))
        return f"{s.group} before {s.days} days [{metric_hash(told, project.events)}]"
    return f"{s.source}.{s.prop}" if s.test is None else s.name


def _rule(rule: DecideRule) -> str:
    tests = f" {rule.joiner} ".join(" ".join(part for part in test if part) for test in rule.tests)
    return f"{rule.outcome} = {rule.verdict} when {tests or 'otherwise'}"


def _metrics(project: Project, e: Experiment) -> Iterator[PlannedMetric]:
    used = {u.name for u in e.metrics}
    for use in e.metrics:
        metric = project.metrics[use.name]
        said: dict[str, str | None] = {
            "role": use.role,
            "definition": _definition(project, metric),
            "better": metric.better,
            "margin": _margin(use.margin or metric.margin, metric),
            "detect": _text(use.detect),
            "test": metric.test,
            "adjust": _adjust(metric.adjust),
        }
        yield PlannedMetric(use.name, _given(said), _words(project, metric))
    for name in sorted({n for u in e.metrics for n in _covariates(project, u)} - used):
        metric = project.metrics[name]
        hashed = (("role", COVARIATE), ("definition", _definition(project, metric)))
        yield PlannedMetric(name, hashed, _words(project, metric))


def _definition(project: Project, metric: Metric) -> str:
    """Its hash, but for `adjust`, which has a text of its own."""
    return metric_hash(replace(metric, adjust=None), project.events)


def _given(said: dict[str, str | None]) -> Pairs:
    return tuple((key, text) for key, text in said.items() if text is not None)


def _words(project: Project, metric: Metric) -> Pairs:
    """The definition as written, every text with one space where there should be one."""
    return tuple((key, " ".join(spaced(text).split())) for key, text in spelled(metric, project.events))


def _covariates(project: Project, use: MetricUse) -> tuple[str, ...]:
    adjust = project.metrics[use.name].adjust
    return () if adjust is None else tuple(n for n in adjust.metrics if n in project.metrics)


def _adjust(adjust: Adjust | None) -> str | None:
    if adjust is None:
        return None
    return ", ".join(sorted((*adjust.metrics, *(f"{s}.{p}" for s, p in adjust.attributes)))) or "none"


def _margin(margin: Margin | None, metric: Metric) -> str | None:
    """In the unit of the metric's value, in which margins are kept."""
    if margin is None:
        return None
    if margin.kind == "relative":
        return _percent(margin.size)
    if metric.unit_of_value == "share":
        return f"{100 * margin.size:.12g} points"
    unit = "" if metric.unit_of_value in ("number", "count", "ratio") else metric.unit_of_value.split()[-1]
    return f"{margin.size:.12g} {unit}".rstrip()


# What changed


@dataclass(frozen=True)
class Change:
    """One thing that differs from the stamped plan, in the words of the definitions. `rank`: 0 for goals, guardrails,
    their margins and the error rates; 1 for what else may turn the verdict; 2 for the rest. `metric`: whose it is;
    `added`: it was not in the stamped plan at all."""

    text: str
    rank: int
    metric: str | None = None
    added: bool = False


def changes_since(stamped: PlanText, now: PlanText) -> tuple[Change, ...]:
    """What differs, the most serious first.

    >>> one = PlanText((("alpha", "5%"),), (PlannedMetric("crashes", (("role", "guardrail"), ("margin", "1%"))),))
    >>> two = PlanText((("alpha", "5%"),), (PlannedMetric("crashes", (("role", "guardrail"), ("margin", "5%"))),))
    >>> [c.text for c in changes_since(one, two)]
    ['margin of crashes: 1% -> 5%']
    """
    usual = {key: text for key, text in _keys(Plan()).items() if text is not None}
    found = [_of_plan(key, a, b) for key, a, b in _differing(stamped.plan, now.plan, usual)]
    before, after = ({m.name: m for m in text.metrics} for text in (stamped, now))
    for name in sorted({*before, *after}):
        found += _of_metric(before.get(name), after.get(name))
    return tuple(sorted(found, key=lambda c: c.rank))


def _differing(
    before: Pairs, after: Pairs, usual: dict[str, str] | None = None
) -> Iterator[tuple[str, str | None, str | None]]:
    """Keys whose meaning differs. A key that a stamp does not know, since its version of the language had none, counts as
    what it is when nobody says anything (`usual`)."""
    old, new = dict(before), dict(after)
    for key in dict.fromkeys((*old, *new)):
        a, b = (said.get(key, (usual or {}).get(key)) for said in (old, new))
        if a != b and not (key == "trigger" and _hash(a) == _hash(b)):
            yield key, a, b


def _hash(text: str | None) -> str | None:
    """Of a condition with its hash in brackets: the hash, which tells its meaning; the words do not."""
    found = _HASH.search(text or "")
    return found[0] if found else text


def _of_plan(key: str, a: str | None, b: str | None) -> Change:
    return Change(f"{key}: {_side(a)} -> {_side(b)}", 0 if key in _FIRST else 2 if key in _HARMLESS else 1)


def _of_metric(old: PlannedMetric | None, new: PlannedMetric | None) -> list[Change]:
    if old is None or new is None:
        one = new or old
        assert one is not None
        if one.role == COVARIATE:  # what is adjusted by it says so
            return []
        what = "added" if old is None else "removed"
        return [Change(f"{one.role} {one.name}: {what}", _rank(one.role), one.name, old is None)]
    rank = min(_rank(old.role), _rank(new.role))
    found = []
    for key, a, b in _differing(old.fixed, new.fixed):
        told = f"{_side(a)} -> {_side(b)}" if key != "definition" else _redefined(old.words, new.words)
        found.append(Change(f"{key} of {new.name}: {told}", rank, new.name))
    return found


def _rank(role: str) -> int:
    return 0 if role in ("goal", "guardrail") else 1 if role == COVARIATE else 2


def _redefined(old: Pairs, new: Pairs) -> str:
    told = "; ".join(changes(old, new))
    return _short(told, 2 * LONGEST) if told else "something that its text does not show"


def _side(text: str | None) -> str:
    return "(none)" if text is None else _short(_HASH.sub("", text), LONGEST)


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def added(found: Sequence[Change]) -> frozenset[str]:
    """The metrics that the stamped plan did not have."""
    return frozenset(c.metric for c in found if c.added and c.metric is not None)


def altered(found: Sequence[Change]) -> frozenset[str]:
    """The metrics of which the stamped plan said something else."""
    return frozenset(c.metric for c in found if c.metric is not None) - added(found)
