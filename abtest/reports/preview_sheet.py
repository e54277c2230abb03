"""What a preview found, in sentences and tables."""

from __future__ import annotations

from abtest.analysis.past_model import PreviewResult
from abtest.reports.lab_sheet import came_table, method, weeks_part
from abtest.reports.language import load
from abtest.reports.sheet import Part, Say, Sheet, Table
from abtest.reports.text import clean


def preview_sheet(result: PreviewResult, language: str = "en") -> Sheet:
    """The page of a preview, in one language."""
    say = Say(load(language), result.about, result.history, result.min_cell)
    kicker, title = say("kicker.preview"), say.title()
    parts = (
        Part("summary", title, _leads(say, result), _warnings(say, result), _values(say, result)),
        *_mde(say, result),
        *weeks_part(say, result.weeks, result.weeks_by == "period"),
        _stability(say, result),
        _retention(say, result),
        *_correlates(say, result),
        Part("method", say("nav.method"), method(say)),
        say.definition(),
    )  # fmt: skip
    return Sheet(kicker, title, say("page", title=title, kicker=kicker), say.subs(), parts, say("footer"))


def _leads(say: Say, result: PreviewResult) -> tuple[str, ...]:
    found = []
    mean = result.mean
    if mean is not None and mean.low is not None and result.sd is not None:
        ends = {"low": say.amount(mean.low), "high": say.amount(mean.high)}
        found.append(say("preview.lead", mean=say.amount(mean.estimate), sd=say.amount(result.sd), single=say.single, **ends))  # fmt: skip
    elif mean is not None:
        found.append(say("preview.lead_plain", mean=say.amount(mean.estimate)))
    if result.zero is not None:
        found.append(say("preview.zero", share=say.percent(result.zero)))
    if result.mature_days is not None:
        found.append(say("preview.mature", days=str(result.mature_days)))
    if result.about.kind == "did":
        found.append(say("preview.lab", key=result.about.key))
    return (" ".join(found[:3]), *found[3:])


def _warnings(say: Say, result: PreviewResult) -> tuple[str, ...]:
    """A yes or no that hardly anybody, or nearly everybody, meets."""
    mean = result.mean
    if mean is None or result.about.unit_of_value != "share" or not 0.0 <= mean.estimate <= 1.0:
        return ()
    key = "rare" if mean.estimate < 0.05 else "common" if mean.estimate > 0.95 else None
    return () if key is None else (say(f"warn.{key}", label=say.title(), share=say.percent(mean.estimate)),)


def _values(say: Say, result: PreviewResult) -> tuple[Table, ...]:
    if not result.spread:
        return ()
    rows = tuple(
        (
            say.amount(s.low)
            if s.low == s.high
            else say("preview.range", low=say.amount(s.low), high=say.amount(s.high)),
            say.percent(s.share),
        )
        for s in result.spread
    )
    return (Table(say.listed("preview.values"), rows, "", (1,)),)


def _mde(say: Say, result: PreviewResult) -> tuple[Part, ...]:
    if not result.mde:
        return ()
    adjusted = result.kept is not None
    rows = tuple(
        (
            str(m.weeks),
            say.whole(m.units),
            say.change(m.absolute),
            say.percent(m.relative),
            *((say.change(m.adjusted or 0.0), say.percent(m.adjusted_relative)) if adjusted else ()),
        )
        for m in result.mde
    )
    head = say.listed("preview.mde_head") + (say.listed("preview.mde_adjusted_head") if adjusted else ())
    table = Table(head, rows, "", tuple(range(1, len(head))))
    leads = [say("preview.mde", power=say.percent(result.history.power, 0), alpha=say.percent(result.history.alpha, 0))]
    if result.kept is not None:
        leads.append(say("preview.kept", share=say.percent(result.kept), date=say.day(result.kept_from or "")))
    elif result.unadjusted is not None:
        leads.append(say("preview.unadjusted", why=say.why_unadjusted(result.unadjusted)))
    return (Part("mde", say("nav.mde"), tuple(leads), tables=(table,)),)


def _stability(say: Say, result: PreviewResult) -> Part:
    days = result.about.period_days or result.about.window_days or 0
    if result.stability != "ok" or result.stability_how is None:
        return Part("stability", say("nav.stability"), (say.missing(result.stability, days),))
    rows = []
    if result.correlation is not None:
        rows.append((say("stability.correlation"), say.plain(result.correlation.estimate), say.bounds(result.correlation, "plain")))  # fmt: skip
    for key in ("stays", "enters") if result.steady is not None else ():
        found = getattr(result.steady, key)
        if found is not None:
            rows.append((say(f"stability.{key}"), say.percent(found.estimate), say.bounds(found)))
    table = Table(say.listed("stability.head"), tuple(rows), "", (1, 2))
    return Part("stability", say("nav.stability"), (say(f"stability.{result.stability_how}", days=str(days)),), tables=(table,))  # fmt: skip


def _retention(say: Say, result: PreviewResult) -> Part:
    title, days = say("nav.retention"), result.retention_days
    if result.retention != "ok":
        return Part("retention", title, (say.missing(result.retention, days),))
    if result.came is None:
        return Part("retention", title, (say("unavailable.few", n=str(result.min_cell)),))
    return Part("retention", title, (say("retention.lead", days=str(days)),), tables=came_table(say, result.came, ""))


def _correlates(say: Say, result: PreviewResult) -> tuple[Part, ...]:
    if not result.correlates:
        return ()
    rows = tuple(
        (clean(c.title), say.plain(c.r.estimate), say.bounds(c.r, "plain"), say.whole(c.units))
        for c in result.correlates
    )
    plots, axis = say.forest([c.r for c in result.correlates], "plain")
    table = Table(say.listed("preview.correlates_head"), rows, "", (1, 2, 3), (), plots, axis)
    return (Part("correlates", say("nav.correlates"), (say("preview.correlates"),), tables=(table,)),)
