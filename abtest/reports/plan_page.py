"""The page of a plan: one standalone HTML file that looks like the report, under the same strict policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from abtest.analysis.plan_result import MetricPlan, PlanResult
from abtest.reports.plan_words import PlanWording, weeks_shown
from abtest.reports.standalone import asset, environment, policy
from abtest.reports.svg import Scale, percent
from abtest.shipped import shipped

HIGHEST = 3.0
"""Multiples of what is asked at which the figure ends."""
SIZE = 1000
LINES = 6
"""Kinds of lines that the figure tells apart."""


@dataclass(frozen=True)
class Table:
    """A table of text: `right` are the columns of numbers; as the macro of reports wants it."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()
    code: tuple[int, ...] = ()


@dataclass(frozen=True)
class Figure:
    """Lines (path and name) in a square of `SIZE`, ticks in percent, and `one`, where what is asked is reached."""

    caption: str
    axis: str
    lines: tuple[tuple[str, str], ...]
    across: tuple[tuple[str, str], ...]
    up: tuple[tuple[str, str], ...]
    one: str


def render_plan(plan: PlanResult, *, language: str = "en") -> str:
    """The plan as one HTML file. The same plan gives the same bytes."""
    w = PlanWording(plan, language)
    own = (shipped("templates") / "plan" / "style.css").read_text(encoding="utf-8").strip()
    style, script = f"{asset('style.css')}\n{own}", asset("script.js")
    planned = [m for m in plan.metrics if m.reason is None]
    context: dict[str, Any] = {
        "t": w.words,
        "w": w,
        "p": plan,
        "lang": language,
        "heading": w.name(plan.title or plan.experiment),
        "metrics": _metrics(w),
        "cannot": [(w.title(m.key), w.cannot(m)) for m in plan.metrics if m.reason is not None],
        "curves": _curves(w, planned),
        "figure": _figure(w, planned),
        "simulation": _simulation(w),
        "ship": _ship(w),
        "looked": looks(w),
        "unsimulated": _unsimulated(w),
        "summary": summary(w),
        "style": Markup(style),
        "script": Markup(script),
        "policy": policy(style, script),
        "plan_json": Markup(plan.to_json().replace("<", "\\u003c").encode("utf-8", "backslashreplace").decode("utf-8")),
    }
    return environment().get_template("plan/page.html.j2").render(context)


def summary(w: PlanWording) -> str:
    """The answer as Markdown, for the button that copies it."""
    head = w.say("page_title", name=w.name(w.plan.title or w.plan.experiment))
    lines = [f"**{head}**", "", w.answer(), *w.because(), ""]
    lines += [f"- {name}: {text}" for name, text in w.facts()]
    return "\n".join(lines) + "\n"


def _metrics(w: PlanWording) -> Table:
    columns = ("metric", "base", "noise", "asked", "test", "needed", "weeks")
    names = tuple(w.say(f"metrics.columns.{c}", units=w.unit_name) for c in columns)
    rows = tuple(
        (
            w.title(m.key),
            w.role(m),
            w.base(m),
            w.noise(m),
            w.asked(m),
            w.test(m),
            w.needed(m),
            w.lasts(m),
        )
        for m in w.plan.metrics
        if m.reason is None
    )
    return Table(w.say("metrics.caption"), names, rows, (5, 6))


def _curves(w: PlanWording, planned: list[MetricPlan]) -> Table | None:
    weeks = weeks_shown(w.plan)
    if not weeks:
        return None
    columns = (w.say("curve.week"), w.say("curve.seen", units=w.unit_name), *(w.title(m.key) for m in planned))
    rows = tuple(
        (
            w.say("curve.at", n=str(week)),
            w.count(w.plan.entered[week - 1] * w.plan.traffic),
            *(w.found_at(m, week) for m in planned),
        )
        for week in weeks
    )
    return Table(w.say("curve.caption"), columns, rows, tuple(range(1, len(columns))))


def _figure(w: PlanWording, planned: list[MetricPlan]) -> Figure | None:
    """How far each metric is from what is asked, by week; nothing where nothing is asked, or for one week alone."""
    asked = [m for m in planned if m.asked][:LINES]
    weeks = [k for k in range(len(asked[0].detectable)) if any(m.detectable[k] for m in asked)] if asked else []
    if len(weeks) < 2:
        return None
    first, last = weeks[0], weeks[-1]
    across = Scale(float(first), float(last))
    lines = []
    for m in asked:
        path, drawn = "", False
        for k in range(first, last + 1):
            value = m.detectable[k]
            if value is None:
                continue
            ratio = abs(value) / abs(m.asked or 1.0)
            place = f"{SIZE * across.share(k):.1f} {SIZE * (1.0 - ratio / HIGHEST):.1f}"
            path += f"{'L' if drawn else 'M'}{place}"
            drawn = True
        lines.append((path, w.title(m.key)))
    step = max(1, -(-(last - first) // 8))
    return Figure(
        caption=w.say("curve.figure"),
        axis=w.say("curve.axis"),
        lines=tuple(lines),
        across=tuple((across.at(float(k)), str(k + 1)) for k in range(first, last + 1, step)),
        up=tuple((percent(1.0 - n / HIGHEST), w.say("curve.times", n=str(n))) for n in (1, 2, 3)),
        one=percent(1.0 - 1.0 / HIGHEST),
    )


def _simulation(w: PlanWording) -> Table | None:
    found = w.plan.simulation
    if found is None or found.reason is not None:
        return None
    columns = tuple(w.say(f"simulation.columns.{c}") for c in ("metric", "power", "expected", "wrong", "level"))
    rows = tuple(
        (
            w.title(s.key),
            rate(w, s.power, s.power_error),
            w.share(round(s.expected, 3)),
            rate(w, s.false, s.false_error),
            w.share(round(s.level, 5)),
        )
        for s in found.metrics
    )
    caption = w.say(
        "simulation.caption", splits=w.count(found.splits), units=w.units(found.units), planned=w.count(found.planned)
    )
    return Table(caption, columns, rows, (1, 2, 3, 4))


def rate(w: PlanWording, share: float, error: float) -> str:
    """A share of splits with its Monte-Carlo standard error, both in percent with one decimal."""
    digits = w.numbers.fixed(100 * share, 1)
    wide = w.words("units.percent", n=w.numbers.fixed(100 * error, 1))
    return w.say("simulation.rate", rate=w.words("units.percent", n=digits), error=wide)


def looks(w: PlanWording) -> str | None:
    """At which shares of the planned units the splits were looked at; None for one look."""
    found = w.plan.simulation
    if found is None or not found.looks:
        return None
    shares = w.join([w.share(round(at, 4)) for at in found.looks])
    return w.say("simulation.looks", n=w.count(len(found.looks)), shares=shares)


def _ship(w: PlanWording) -> str | None:
    found = w.plan.simulation
    if found is None or found.ship is None or found.ship_error is None:
        return None
    return w.say("simulation.ship", rate=rate(w, found.ship, found.ship_error), power=w.share(w.plan.power))


def _unsimulated(w: PlanWording) -> str | None:
    found = w.plan.simulation
    if found is None or found.reason is None:
        return None
    return w.say("simulation.none", why=w.coded("simulation.reasons", found.reason))
