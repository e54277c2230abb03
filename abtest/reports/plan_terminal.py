"""The plan in a terminal: the answer, a line per metric, and what it rests on. Never wider than asked for."""

from __future__ import annotations

from abtest.analysis.plan_result import PlanResult
from abtest.reports.plan_page import looks, rate
from abtest.reports.plan_words import PlanWording, weeks_shown
from abtest.reports.terminal import _wrap, encoded, painted
from abtest.reports.text import columns, fit

MOST_WEEKS = 6


def render_plan_terminal(
    plan: PlanResult,
    *,
    width: int = 100,
    colour: bool,
    ascii_only: bool = False,
    language: str = "en",
    page: str | None = None,
) -> str:
    """The plan as text of at most `width` columns."""
    w = PlanWording(plan, language, isolating=False)
    out = [f"{w.say('kicker')}: {w.name(plan.title or plan.experiment)}", ""]
    out.append(painted(w.answer(), "good" if plan.weeks or plan.at_units else "warn", colour, bold=True))
    for text in w.because():
        out += _wrap(text, width)
    entry = w.say(
        "terminal.entry", history=w.say("facts.history"), span=w.span(), at=w.say("facts.source"), source=w.entry()
    )
    out += [*_wrap(entry, width), ""]
    for m in plan.metrics:
        head = f"{w.title(m.key)} ({w.role(m)})"
        out.append(painted(fit(head, width).rstrip(), "bold", colour))
        if m.reason is not None:
            out += [f"  {line}" for line in _wrap(w.cannot(m), width - 2)]
            continue
        lines = [
            f"{w.base(m)}; {w.noise(m)}",
            f"{w.asked(m)}; {w.test(m)}",
            f"{w.say('terminal.need')}: {w.needed(m)}; {w.say('terminal.weeks')}: {w.lasts(m)}",
        ]
        for text in lines:
            out += [f"  {line}" for line in _wrap(text, width - 2)]
    out += ["", *_weeks(w, width)]
    found = plan.simulation
    if found is not None:
        out += ["", w.say("simulation.title")]
        if found.reason is not None:
            out += _wrap(w.say("simulation.none", why=w.coded("simulation.reasons", found.reason)), width)
        for s in found.metrics:
            power, false = rate(w, s.power, s.power_error), rate(w, s.false, s.false_error)
            names = [w.say(f"simulation.columns.{key}").lower() for key in ("power", "wrong")]
            out += _wrap(f"  {w.title(s.key)}: {names[0]} {power}; {names[1]} {false}", width, "    ")
        told = looks(w)
        if told is not None:
            out += _wrap(told, width)
        if found.ship is not None and found.ship_error is not None:
            text = rate(w, found.ship, found.ship_error)
            out += _wrap(w.say("simulation.ship", rate=text, power=w.share(plan.power)), width)
    out += ["", w.say("cautions.title")]
    for text in w.cautions():
        out += [f"  {line}" for line in _wrap(f"- {text}", width - 2, "  ")]
    if page is not None:
        out += ["", f"{w.say('terminal.page')}  {page}"]
    return encoded("\n".join(line.rstrip() for line in out) + "\n", ascii_only).rstrip("\n")


def _weeks(w: PlanWording, width: int) -> list[str]:
    """The smallest change that each metric finds, for the weeks around the answer."""
    weeks = weeks_shown(w.plan)
    if not weeks:
        return _wrap(w.say("curve.none"), width)
    middle = w.plan.at_weeks or w.plan.weeks or weeks[-1]
    near = sorted(sorted(weeks, key=lambda k: (abs(k - middle), k))[:MOST_WEEKS])
    planned = [m for m in w.plan.metrics if m.reason is None]
    cells = [[w.found_at(m, k) for k in near] for m in planned]
    each = max(7, *(columns(text) + 2 for row in cells for text in row))
    near = near[: max(1, (width - 24) // each)]
    out = [w.say("curve.title"), fit(w.say("curve.week"), 24) + "".join(fit(str(k), each, right=True) for k in near)]
    for m, row in zip(planned, cells, strict=True):
        out.append(fit(w.title(m.key), 24) + "".join(fit(text, each, right=True) for text in row[: len(near)]))
    return out
