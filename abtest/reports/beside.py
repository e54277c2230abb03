"""What stands beside the comparison: triggered units, engagement and value, drivers. None of it decides."""

from __future__ import annotations

import re

from abtest.analysis.beside import (
    Association,
    AssociationChange,
    DriverResult,
    Effect,
    Rate,
    Together,
    TriggerCheck,
    Triggered,
    ValueGoal,
)
from abtest.analysis.interval import Interval
from abtest.analysis.result import MetricResult
from abtest.reports.appendix import Plain
from abtest.reports.evidence import Evidence
from abtest.reports.numbers import by_size, decimals_for
from abtest.reports.text import clean, clip
from abtest.reports.verdict import comparison_of
from abtest.reports.wording import Shown, Wording

CONDITION_LIMIT = 160
_SIGN = re.compile("([+\u2212])(?=[^0-9])")
"""A sign before a currency; browsers break lines behind it."""


def _named(w: Wording, name: str, variant: str) -> str:
    return w.words("interval.named", metric=name, variant=w.variant(variant)) if w.many else name


def _why(w: Wording, reason: str | None) -> str:
    """Why there is no number."""
    if reason is None:
        return w.words("no_test.unknown")
    key = w.words.known("beside.why", reason)
    if w.words.has(key):
        return w.words(key, n=w.count(w.result.min_cell))
    return w.words(w.words.known("no_test", reason), reason=w.name(reason))


def _change(w: Wording, metric: MetricResult, interval: Interval | None, relative: bool, band: bool) -> str:
    if interval is None or (interval.low is None and interval.high is None):
        return w.words("interval.none")
    change = w.change(metric, Shown(interval, relative, band))
    return w.words("adjusted.effect", change=whole(change.estimate), interval=whole(change.interval))


def whole(text: str) -> str:
    """An interval stays whole, so that a narrow column breaks before it and not inside it."""
    return _SIGN.sub("\\1\u2060", text.replace(" ", "\u00a0"))


def _not_yet(w: Wording) -> str:
    """What is made for one look: before the planned end, or in a plan that may be read at any time."""
    return w.words("beside.open" if w.early else "beside.every_look")


def _effect(w: Wording, metric: MetricResult, effect: Effect) -> str:
    if effect.status != "ok":
        return _why(w, effect.reason)
    if w.early and not effect.band:
        return w.words("beside.open")
    return _change(w, metric, effect.relative or effect.absolute, effect.relative is not None, effect.band)


# Triggered


def triggered_section(w: Wording) -> Evidence | None:
    found = w.result.triggered
    if found is None:
        return None
    words = w.words
    lead = words("triggered.lead" if found.window else "triggered.lead_open", **_trigger_slots(w, found))
    checks = [_check(w, found, c) for c in found.checks]
    leads = [lead, words("list.space").join(checks)]
    if any(c.valid for c in found.checks):
        leads.append(words("triggered.decides"))
    alarms = [
        _named(w, w.metric(w.result.metric(m.metric)), c.variant)
        for m in found.metrics
        for c in m.comparisons
        if c.diluted.reason == "others_differ"
    ]
    if alarms:
        leads.append(words("triggered.alarm", list=w.join(alarms)))
    tables = [_triggered_table(w, found)] if any(c.valid for c in found.checks) else []
    return Evidence(words("sections.triggered.title"), tuple(leads), (), tuple(tables), read=(words("triggered.read"),))


def _trigger_slots(w: Wording, found: Triggered) -> dict[str, str]:
    shares = []
    for arm in found.arms:
        share = w.words("triggered.unknown_share")
        if arm.triggered is not None and arm.complete:
            share = w.share(arm.triggered / arm.complete)
        shares.append(w.words("triggered.share", variant=w.variant(arm.variant), share=share))
    slots = {"condition": clip(clean(found.condition), CONDITION_LIMIT), "shares": w.join(shares)}
    return {**slots, "window": w.window(found.window or "")}


def _check(w: Wording, found: Triggered, check: TriggerCheck) -> str:
    p = "" if check.p_value is None else w.p(check.p_value)
    reason = check.reason or "alike"
    key = w.words.known("triggered.check", reason)
    slots = {"variant": w.variant(check.variant), "control": w.control, "p": p, "n": w.count(w.result.min_cell)}
    return w.words(key, **slots)


def _triggered_table(w: Wording, found: Triggered) -> Plain:
    words = w.words
    valid = {c.variant for c in found.checks if c.valid}
    names = ["table.metric", "triggered.column", "triggered.diluted", "triggered.all", "triggered.others"]
    rows = []
    for one in found.metrics:
        metric = w.result.metric(one.metric)
        for comparison in one.comparisons:
            if comparison.variant not in valid:
                continue
            main = comparison_of(metric, comparison.variant)
            shown = None if main is None else w.shown(main)
            everybody = (
                w.no_test(main) if shown is None else _change(w, metric, shown.interval, shown.relative, shown.band)
            )
            rows.append(
                (
                    _named(w, w.metric(metric, 60), comparison.variant),
                    _effect(w, metric, comparison.triggered),
                    _effect(w, metric, comparison.diluted),
                    everybody,
                    _others(w, metric, comparison.others, comparison.others_p),
                )
            )
    caption = words("triggered.caption", control=w.control, label=w.interval_label())
    return Plain(caption, tuple(words(n) for n in names), tuple(rows), frozenset({1, 2, 3, 4}))


def _others(w: Wording, metric: MetricResult, effect: Effect, p: float | None) -> str:
    """The comparison of the others is a check, to be read at any time."""
    if effect.status != "ok" or effect.absolute is None:
        return _why(w, effect.reason)
    text = _change(w, metric, effect.relative or effect.absolute, effect.relative is not None, effect.band)
    return text if p is None else w.words("triggered.with_p", effect=text, p=w.words("p.adjusted", p=w.p(p)))


# Engagement and value


def value_section(w: Wording) -> Evidence | None:
    found = w.result.value
    if found is None:
        return None
    words, value = w.words, w.result.metric(found.metric)
    leads = [_quadrant(w, g, t, value) for g in found.goals for t in g.together]
    leads.append(words("value.honest"))
    plain = [_joint_table(w, found.goals, value)]
    for goal in found.goals:
        if all(a.reason in ("kind", "ratio") for a in goal.associations):
            continue
        plain.append(_association_table(w, goal, value))
        leads += [_association_change(w, goal, c, value) for c in goal.changes]
    read = (words("value.read", value=w.metric(value)),)
    return Evidence(words("sections.value.title"), tuple(leads), (), tuple(plain), read=read)


def _quadrant(w: Wording, goal: ValueGoal, of: Together, value: MetricResult) -> str:
    metric = w.result.metric(goal.metric)
    slots = {"goal": _named(w, w.metric(metric), of.variant), "value": w.metric(value)}
    if of.status != "ok":
        return w.words("value.untested", why=_why(w, of.reason), **slots)
    slots |= {
        "goal_change": _change(w, metric, of.goal, False, of.band),
        "value_change": _change(w, value, of.value, False, of.band),
    }
    return w.words(f"value.{'so_far.' if w.early else ''}{of.quadrant}", **slots)


def _joint_table(w: Wording, goals: tuple[ValueGoal, ...], value: MetricResult) -> Plain:
    words = w.words
    rows = []
    for goal in goals:
        metric = w.result.metric(goal.metric)
        for of in goal.together:
            name = _named(w, w.metric(metric, 60), of.variant)
            if of.status != "ok":
                rows.append((name, _why(w, of.reason), *[words("table.no_value")] * 4))
                continue
            p = _not_yet(w)
            if not of.band and of.region is not None:
                p = _why(w, of.region.reason) if of.region.status != "ok" else w.p_alone(of.region.p_value)
            correlation = (
                words("table.no_value") if of.correlation is None else w.numbers.fixed(of.correlation, 2, sign=True)
            )
            changes = (_change(w, m, i, False, of.band) for m, i in ((metric, of.goal), (value, of.value)))
            rows.append((name, *changes, correlation, p, _rate(w, metric, value, of)))
    names = (
        "table.metric",
        "value.goal_change",
        "value.value_change",
        "value.correlation",
        "value.joint_p",
        "value.rate",
    )
    columns = tuple(words(n, value=w.metric(value, 40)) for n in names)
    caption = words("value.caption", value=w.metric(value), label=w.interval_label())
    return Plain(caption, columns, tuple(rows), frozenset(range(1, 6)))


def _rate(w: Wording, goal: MetricResult, value: MetricResult, of: Together) -> str:
    """What one unit of the value must be worth in units of the goal; only where one went up and the other down."""
    if of.band:
        return _not_yet(w)
    rate = of.rate
    if rate is None or rate.status != "ok":
        return _why(w, None if rate is None else rate.reason)
    if (goal.better == "lower") != (value.better == "lower"):
        ends = (None if x is None else -x for x in (rate.estimate, rate.high, rate.low))
        rate = Rate(rate.status, rate.reason, rate.kind, *ends)
    if rate.kind == "everything":
        return w.words("value.rates.everything")
    if rate.estimate is None or rate.estimate <= 0:
        return w.words("value.rates.none")
    ends_known = [x for x in (rate.estimate, rate.low, rate.high) if x is not None]

    def write(number: float | None) -> str:
        if number is None:
            return w.words("value.rates.infinite")
        if goal.unit_of_value == "share":
            values = [100 * x for x in ends_known]
            decimals = decimals_for(values, by_size(max(map(abs, values))))
            return w.words("units.points", n=w.numbers.fixed(100 * number, decimals))
        decimals = decimals_for(ends_known, by_size(max(map(abs, ends_known))))
        return w.quantity(goal.unit_of_value, number, decimals)

    slots = {"rate": write(rate.estimate), "low": write(rate.low), "high": write(rate.high)}
    if rate.kind == "outside":
        key = "outside" if rate.low is not None and rate.high is not None else "below" if rate.low is None else "above"
        return w.words(f"value.rates.{key}", **slots)
    return w.words("value.rates.bounded", **slots)


def _association_table(w: Wording, goal: ValueGoal, value: MetricResult) -> Plain:
    words, metric = w.words, w.result.metric(goal.metric)
    names = (
        "goal.variant",
        "value.both",
        "value.only_goal",
        "value.only_value",
        "value.neither",
        "value.phi",
        "value.odds",
    )
    columns = tuple(words(n, goal=w.metric(metric, 30), value=w.metric(value, 30)) for n in names)
    rows = tuple(_association(w, a) for a in goal.associations)
    caption = words("value.association", goal=w.metric(metric), value=w.metric(value))
    return Plain(caption, columns, rows, frozenset(range(1, 7)))


def _association(w: Wording, of: Association) -> tuple[str, ...]:
    none = w.words("table.no_value")
    if of.cells is None:
        return (w.variant(of.variant), _why(w, of.reason), *[none] * 5)
    cells = tuple(w.count(n) for n in of.cells)
    if of.status != "ok":
        return (w.variant(of.variant), *cells, _why(w, of.reason), none)
    return (w.variant(of.variant), *cells, _between(w, of.phi, sign=True), _between(w, of.odds_ratio))


def _association_change(w: Wording, goal: ValueGoal, of: AssociationChange, value: MetricResult) -> str:
    slots = {"goal": w.metric(w.result.metric(goal.metric)), "value": w.metric(value)}
    slots |= {"variant": w.variant(of.variant), "control": w.control}
    if of.status != "ok" or of.ratio is None or of.p_value is None:
        return w.words("value.change.untested", why=_why(w, of.reason), **slots)
    if w.early or w.every_look:
        return w.words("value.change.open" if w.early else "value.change.every_look", **slots)
    key = "differs" if of.p_value < w.result.plan.alpha else "unclear"
    return w.words(f"value.change.{key}", ratio=_between(w, of.ratio), p=w.p(of.p_value), **slots)


def _between(w: Wording, interval: Interval | None, sign: bool = False) -> str:
    if interval is None:
        return w.words("table.no_value")
    estimate = w.numbers.fixed(interval.estimate, 2, sign=sign)
    if interval.low is None or interval.high is None:
        return estimate
    low, high = (w.numbers.fixed(x, 2, sign=sign) for x in (interval.low, interval.high))
    return w.words("adjusted.effect", change=estimate, interval=whole(w.words("interval.both", low=low, high=high)))


# Drivers


def drivers_section(w: Wording) -> Evidence | None:
    found = w.result.drivers
    if found is None:
        return None
    words = w.words
    slots = {"metric": w.metric(w.result.metric(found.metric)), "n": w.spelled(len(found.by))}
    if found.status != "ok" or found.explained is None:
        lead = words("drivers.untested", why=_why(w, found.reason), **slots)
        return Evidence(words("sections.drivers.title"), (lead, words("drivers.honest")), ())
    units = w.units(found.units)
    leads = [words("drivers.lead", explained=_part(w, found.explained), units=units, **slots), words("drivers.honest")]
    if found.interval_reason is not None:
        leads.append(words("drivers.no_interval", why=_why(w, found.interval_reason)))
    table = _drivers_table(w, found, slots["metric"])
    return Evidence(words("sections.drivers.title"), tuple(leads), (), (table,), read=(words("drivers.read"),))


def _drivers_table(w: Wording, found: DriverResult, metric: str) -> Plain:
    words = w.words
    rows = []
    for driver in sorted(found.drivers, key=lambda d: -d.share.estimate):
        name = w.metric(w.result.metric(driver.metric), 60)
        if driver.note is not None:
            name = words("drivers.noted", metric=name, note=words(f"drivers.note.{driver.note}"))
        share = _part(w, driver.share)
        rows.append((name, share, w.share(driver.alone), w.share(driver.unique)))
    names = ("table.metric", "drivers.share", "drivers.alone", "drivers.unique")
    caption = words("drivers.caption", metric=metric, level=w.level)
    return Plain(caption, tuple(words(n) for n in names), tuple(rows), frozenset({1, 2, 3}))


def _part(w: Wording, interval: Interval) -> str:
    """A part of the variance with its interval."""
    estimate = w.share(interval.estimate)
    if interval.low is None or interval.high is None:
        return estimate
    both = w.words("interval.both", low=w.share(interval.low), high=w.share(interval.high))
    return w.words("adjusted.effect", change=estimate, interval=whole(both))
