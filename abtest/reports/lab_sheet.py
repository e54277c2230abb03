"""What the threshold lab found, in sentences, tables and grids."""

from __future__ import annotations

from collections.abc import Callable

from abtest.analysis.past_model import Came, LabResult, Tried, Week
from abtest.reports.language import load
from abtest.reports.sheet import Heat, Part, Say, Sheet, Square, Table, shade


def lab_sheet(result: LabResult, language: str = "en") -> Sheet:
    """The page of a lab, in one language."""
    say = Say(load(language), result.about, result.history, result.min_cell)
    kicker = say("kicker.lab")
    title = say("lab.title", title=say.title(), n=str(len(result.cells)))
    h = result.history
    planned = {"power": say.percent(h.power, 0), "alpha": say.percent(h.alpha, 0)}
    parts = (
        Part("summary", title, (_lead(say, result),), _warnings(say, result)),
        _suggestions(say, result),
        _grid(say, result, "prevalence", say("lab.prevalence", what=what(say, result)), lambda c: c.prevalence),
        _grid(say, result, "mde", say("lab.mde", **planned), lambda c: c.mde_relative, turned=True),
        _stability(say, result),
        _retention(say, result),
        *weeks_part(say, result.weeks, True),
        Part("method", say("nav.method"), (say("method.scan"), *method(say))),
        say.definition(),
    )  # fmt: skip
    return Sheet(kicker, title, say("page", title=title, kicker=kicker), say.subs(), parts, say("footer"))


def what(say: Say, result: LabResult) -> str:
    """Of what a share is: of units, or of periods."""
    days = result.about.period_days
    if result.about.prevalence == "periods" and days is not None:
        return say("what.periods", n=str(days))
    return say("what.units")


def _lead(say: Say, result: LabResult) -> str:
    cell = result.written
    return say(
        "lab.lead",
        label=cell.label,
        share=_shown(say, cell, cell.prevalence),
        what=what(say, result),
        units=say.whole(result.history.used),
        mde=say.percent(cell.mde_relative),
    )


def _shown(say: Say, cell: Tried, value: float | None, decimals: int = 1) -> str:
    return say("hidden", n=str(say.min_cell)) if cell.fits == "hidden" else say.percent(value, decimals)


def _warnings(say: Say, result: LabResult) -> tuple[str, ...]:
    cell = result.written
    found = []
    if cell.fits != "fits":
        found.append(
            say(f"warn.{cell.fits}", label=cell.label, share=say.percent(cell.prevalence), n=str(result.min_cell))
            if cell.fits != "hidden"
            else say("warn.hidden", label=cell.label, n=str(result.min_cell))
        )
    rare = sum(c.fits in ("rare", "hidden") for c in result.cells)
    common = sum(c.fits == "common" for c in result.cells)
    if rare or common:
        found.append(say("warn.grid", n=str(len(result.cells)), rare=str(rare), common=str(common)))
    if result.still:
        found.append(say("warn.still", labels=", ".join(result.still)))
    return tuple(found)


def _suggestions(say: Say, result: LabResult) -> Part:
    title = say("nav.suggestions")
    if not result.suggestions:
        return Part("suggestions", title, (say("lab.none"),))
    rows = tuple(
        (
            say(f"lab.{s.rule}"),
            s.label if s.instead else f"{s.label} ({say('lab.written')})",
            "; ".join(s.lines) if s.instead and s.lines else say("none"),
        )
        for s in result.suggestions
    )
    table = Table((say("lab.rule"), say("lab.definition"), say("lab.paste")), rows, code=(2,))
    return Part("suggestions", title, (say("lab.suggestions"),), tables=(table,))


def _grid(
    say: Say,
    result: LabResult,
    name: str,
    caption: str,
    value: Callable[[Tried], float | None],
    turned: bool = False,
    write: Callable[[float | None], str] | None = None,
) -> Part:
    return Part(name, say(f"nav.{name}"), heats=_heats(say, result, caption, value, turned, write), notes=(say("lab.outlined"),))  # fmt: skip


def _heats(
    say: Say,
    result: LabResult,
    caption: str,
    value: Callable[[Tried], float | None],
    turned: bool = False,
    write: Callable[[float | None], str] | None = None,
) -> tuple[Heat, ...]:
    """One grid, or one per value of the third threshold. `turned`: small numbers are the dark ones."""
    show = write or say.percent
    cells = {c.place: c for c in result.cells}
    known = [v for c in result.cells if (v := value(c)) is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    axes = result.axes
    thirds: list[tuple[int, ...]] = [(k,) for k in range(len(axes[2].values))] if len(axes) > 2 else [()]
    corner, columns = _heads(axes[1].labels) if len(axes) > 1 else ("", (say("nav.values"),))
    found = []
    for third in thirds:
        rows = []
        for i, label in enumerate(axes[0].labels):
            squares = []
            for j in range(len(columns)):
                cell = cells[(i, *((j,) if len(axes) > 1 else ()), *third)]
                number = value(cell)
                text = say("hidden", n=str(say.min_cell)) if cell.fits == "hidden" else show(number)
                tone = "" if number is None else shade(low + high - number if turned else number, low, high)
                squares.append(Square(text, tone, f"{cell.label}: {text}", cell.written))
            rows.append((label, tuple(squares)))
        place = f"{caption}. {say('lab.third', label=axes[2].labels[third[0]])}" if third else caption
        found.append(Heat(place, corner, columns, tuple(rows)))
    return tuple(found)


def _heads(labels: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """What all labels begin with, to be said once, and the rest of each.

    >>> _heads(("like >= 5", "like >= 6")), _heads(("on 1 day", "on 2 days"))
    (('like >=', ('5', '6')), ('', ('on 1 day', 'on 2 days')))
    """
    parts = [label.rpartition(" ") for label in labels]
    shared = {head for head, _, _ in parts}
    return (shared.pop(), tuple(tail for _, _, tail in parts)) if len(shared) == 1 else ("", labels)


def _stability(say: Say, result: LabResult) -> Part:
    days = result.about.period_days or result.about.window_days or 0
    if result.stability != "ok" or result.stability_how is None:
        return Part("stability", say("nav.stability"), (say.missing(result.stability, days),))
    agreement = _heats(say, result, say("lab.agreement"), lambda c: c.stability.agreement if c.stability else None, write=say.plain)  # fmt: skip
    stays = _heats(say, result, say("lab.stays"), lambda c: c.stability.stays.estimate if c.stability and c.stability.stays else None)  # fmt: skip
    lead = say(f"stability.{result.stability_how}", days=str(days))
    return Part("stability", say("nav.stability"), (lead,), heats=(*agreement, *stays), notes=(say("lab.outlined"),))


def _retention(say: Say, result: LabResult) -> Part:
    title, days = say("nav.retention"), result.retention_days
    if result.retention != "ok":
        return Part("retention", title, (say.missing(result.retention, days),))
    heats = _heats(
        say, result, say("lab.difference"), lambda c: c.came.difference.estimate if c.came else None, write=say.points
    )
    table = came_table(say, result.written.came, result.written.label)
    return Part("retention", title, (say("retention.lead", days=str(days)),), tables=table, heats=heats, notes=(say("lab.outlined"),))  # fmt: skip


def method(say: Say) -> tuple[str, ...]:
    """How numbers are made, for both pages."""
    return say("method.mde"), say("method.shares"), say("method.cells", n=str(say.min_cell))


def came_table(say: Say, came: Came | None, caption: str) -> tuple[Table, ...]:
    """Who came back, of those in and of those out."""
    if came is None:
        return ()
    rows = [(say(f"retention.{k}"), say.percent(i.estimate), say.bounds(i)) for k, i in (("inside", came.inside), ("outside", came.outside))]  # fmt: skip
    gap = came.difference
    ends = say("to", low=say.points(gap.low), high=say.points(gap.high))
    rows.append((say("retention.difference"), say.points(gap.estimate), ends))
    return (Table(say.listed("retention.head"), tuple(rows), caption, (1, 2)),)


def weeks_part(say: Say, weeks: tuple[Week, ...], by_period: bool) -> tuple[Part, ...]:
    """Calendar weeks, one row each."""
    if not weeks:
        return ()
    few = say("hidden", n=str(say.min_cell))
    show = "percent" if by_period or say.about.unit_of_value == "share" else "amount"
    write = say.percent if show == "percent" else say.amount
    rows = tuple(
        (
            say.day(w.monday),
            few if w.number is None else say.whole(w.number),
            say("none") if w.value is None else write(w.value.estimate),
            say("none") if w.value is None else say.bounds(w.value, show),
        )
        for w in weeks
    )
    plots, axis = say.forest([w.value for w in weeks], show)
    table = Table(say.listed("weeks.head"), rows, "", (1, 2, 3), (), plots, axis)
    lead = say("weeks.period" if by_period else "weeks.entry")
    return (Part("weeks", say("nav.weeks"), (lead, say("weeks.note")), tables=(table,)),)
