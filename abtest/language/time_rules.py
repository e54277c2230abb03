"""The rules of time: which clock, blocks, starting point and looking back make a number with a meaning."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import ceil, floor

from abtest.language.conditions import Ago, Atom, Attribute, Compare, Condition, Measure, Not, Spread, atoms_of, walk
from abtest.language.fields import Fields
from abtest.language.model import FINER_UNITS, Column, Funnel, Metric, Written
from abtest.language.silence import OPERATORS, zero_truth
from abtest.problems import Problems

_NO_BACK = frozenset({"first", "last", "days_since", "answer"})
_ALWAYS_FULL_MONTH = 61
"""The shortest window that holds a whole calendar month wherever it starts (2 July to 31 August)."""


def check_timing(metric: Metric, fields: Fields, problems: Problems) -> None:
    """Window, clock and blocks together."""
    window, per = metric.window, metric.per
    if per is None:
        if metric.clock == "calendar":
            problems.error(
                "E310",
                f"{fields.what}: clock: calendar says where blocks start, and there is no `per`",
                fields.place("clock"),
                "Add  per: week  or  per: month,  or remove `clock`.",
            )
        return
    if window.first is None:
        problems.error(
            "E302",
            f"{fields.what}: a lifetime has no first day from which blocks of `per` could count",
            fields.place("per"),
            "Remove `per`, or set  over: first 28 days",
        )
    elif metric.per_unit == "session":
        _check_sessions(metric, fields, problems)
    elif metric.clock == "calendar":
        _check_calendar(metric, fields, problems)
    elif metric.per_unit == "month":
        problems.error(
            "E310",
            f"{fields.what}: months differ in length, so they only exist on the calendar",
            fields.place("per"),
            "Add  clock: calendar,  or write  per: 30 days",
        )
    elif metric.rolling:
        if window.days is not None and window.days < per:
            problems.error(
                "E308", f"{window} is shorter than {per} days", fields.place("over"), f"Use  over: first {4 * per} days"
            )
        elif window.end or window.before:
            problems.error("E308", f"rolling blocks do not go with  over: {window}", fields.place("per"))
    else:
        _check_whole(metric, per, fields, problems)


def _check_whole(metric: Metric, per: int, fields: Fields, problems: Problems) -> None:
    """A fixed window is a whole number of blocks."""
    window = metric.window
    if window.days is None or window.days % per == 0:
        return
    tick = f"{window.tick}s"
    counts = [n for n in (window.days // per, window.days // per + 1) if n]
    if window.first == 0 or window.end or window.before:
        word = "last" if window.end else "before" if window.before else "first"
        written = [f"{word} {n * per} {tick}" for n in counts]
    else:
        assert window.first is not None
        written = [f"days {window.first}-{window.first + n * per - 1}" for n in counts]
    blocks = blocks_name(per) if window.tick == "day" else f"blocks of {per} {tick}"
    problems.error(
        "E308",
        f"{window} is not a whole number of {blocks} ({window.days} / {per})",
        fields.place("over" if fields.has("over") else "per"),
        f"Use  over: {'  or  over: '.join(written)}",
    )


def _check_calendar(metric: Metric, fields: Fields, problems: Problems) -> None:
    window, per = metric.window, metric.per
    if metric.rolling or (metric.per_unit == "tick" and per not in (1, 7)):
        problems.error(
            "E310",
            f"{fields.what}: the calendar has days, weeks and months, not {_per_name(metric)}",
            fields.place("per"),
            "Use  clock: date",
        )
        return
    if window.tick != "day" or window.end or window.before:
        hint = f"Use  over: first {_ALWAYS_FULL_MONTH} days,  or  clock: date"
        problems.error("E310", f"{fields.what}: clock: calendar does not go with  over: {window}", fields.place("over"), hint)  # fmt: skip
        return
    month = metric.per_unit == "month"
    shortest, always = (28, _ALWAYS_FULL_MONTH) if month else ((7, 13) if per == 7 else (1, 1))
    name = "month" if month else "week"
    if window.days is not None and window.days < shortest:
        problems.error("E308", f"{window} never holds a whole {name}", fields.place("over"), f"Use  over: first {always} days")  # fmt: skip
    elif window.days is not None and window.days < always:
        problems.warn(
            "W308",
            f"{window} may hold no whole {name}; units for whom they hold none are left out",
            fields.place("over"),
            f"Use  over: first {always} days  or more",
        )


def _check_sessions(metric: Metric, fields: Fields, problems: Problems) -> None:
    window = metric.window
    if window.tick != "day" or window.end or window.before or metric.clock == "calendar":
        where = f"over: {window}" if metric.clock != "calendar" else "clock: calendar"
        problems.error(
            "E310", f"{fields.what}: sessions do not go with  {where}", fields.place("per"), "Use  over: first 14 days"
        )
    if metric.immature == "keep":
        hint = "Remove  immature: keep"
        problems.error("E310", f"{fields.what}: sessions need whole windows", fields.place("immature"), hint)


def check_kind(metric: Metric, fields: Fields, problems: Problems) -> None:
    """Rules of kinds, starting points and units."""
    window, what = metric.window, fields.what
    if metric.starting_at is not None:
        _check_anchor(metric, fields, problems)
    elif metric.within is not None:
        hint = "Add  starting_at: EVENT,  or use  over"
        problems.error("E316", f"{what}: `within` says how soon `starting_at` must come", fields.place("within"), hint)
    if metric.kind == "time_to":
        if not window.fixed or window.end or window.before or metric.immature == "keep":
            problems.error(
                "E305",
                f"{what}: a time needs an end at which waiting stops, the same for every unit",
                fields.place("over" if fields.has("over") else "immature" if fields.has("immature") else "time_to"),
                "Set  over: first 14 days",
            )
        if metric.condition is not None:
            _check_stays_true(metric.condition, metric, fields, problems)
    if metric.kind == "survey" and window.first is None:
        hint = "Set  over: first 28 days"
        problems.error("E310", f"{what}: answers before exposure are no outcomes", fields.place("over"), hint)
    if metric.kind == "funnel" and (window.end or window.before or window.first is None):
        problems.error("E310", f"{what}: a funnel starts at exposure", fields.place("over"), "Set  over: first 14 days")
    if window.end and metric.immature == "keep":
        problems.error("E310", f"{what}: {window} is over for every unit", fields.place("immature"), "Remove `immature`.")  # fmt: skip
    if metric.kind == "survey" and fields.has("missing"):
        message = f"missing of {what}: an answer that nobody gave stays missing"
        problems.error("E315", message, fields.place("missing"), "Remove `missing`.")
    if metric.missing is not None and metric.kind not in ("amount", "quantile", "survey"):
        problems.error("E315", f"missing of {what}: only amounts can be missing", fields.place("missing"), "Remove `missing`.")  # fmt: skip
    if metric.per_unit == "session" and metric.fold is not None and metric.fold.operator is not None:
        message = f"value: {metric.fold} of {what}: sessions of all units are pooled into one share"
        problems.error("E304", message, fields.place("value"), "Remove the threshold.")
    if metric.unit in FINER_UNITS:
        _check_finer(metric, fields, problems)
    if metric.rolling and window.tick != "day":
        hint = "Use  over: first 14 days"
        problems.error("E308", f"{what}: rolling blocks are of days, not of {window.tick}s", fields.place("over"), hint)
    if metric.show is not None and metric.kind != "amount":
        problems.error("E124", f"{what}: a histogram shows amounts", fields.place("show"), "Remove `show`.")


def _check_finer(metric: Metric, fields: Fields, problems: Problems) -> None:
    """What is measured per session or device is one number each, over one window after exposure."""
    window = metric.window
    wrong = next((k for k in ("per", "starting_at") if fields.has(k)), None)
    if metric.kind not in ("did", "amount"):
        wrong = metric.kind
    elif window.end or window.before or window.first is None:
        wrong = "over"
    if wrong is not None:
        shown = f"a {wrong}" if wrong == metric.kind else f"over: {window}" if wrong == "over" else f"`{wrong}`"
        problems.error(
            "E313",
            f"{fields.what}: what is measured per {metric.unit} does not go with  {shown}",
            fields.place("unit"),
            "A yes or no, or an amount, over one window is averaged over them.",
        )


def _check_anchor(metric: Metric, fields: Fields, problems: Problems) -> None:
    window, what = metric.window, fields.what
    if metric.kind in ("survey", "column", "quantile", "funnel") or metric.per_unit == "session":
        kind = "sessions" if metric.per_unit == "session" else f"a {metric.kind}"
        problems.error("E316", f"{what}: starting_at does not go with {kind}", fields.place("starting_at"))
    elif metric.clock == "calendar":
        message = f"{what}: starting_at does not go with  clock: calendar"
        problems.error("E316", message, fields.place("starting_at"), "Remove  clock: calendar")
    elif window.end or window.before or window.first is None:
        message = f"{what}: starting_at does not go with  over: {window}"
        problems.error("E316", message, fields.place("starting_at"), "Set  over: first 10 days")
    elif metric.within is None and not fields.has("within"):
        problems.error(
            "E316",
            f"{what}: starting_at needs `within`, so that it depends on exposure alone who is left out",
            fields.place("starting_at"),
            "Add  within: 7 days  (units that do not get there by then count as not done)",
        )


def _check_stays_true(condition: Condition, metric: Metric, fields: Fields, problems: Problems) -> None:
    """A time can only be told of what stays true once it is; each text is blamed once."""
    hint = "Counts that reach a number do:  like >= 5"
    inner = set(map(id, walk(condition)))
    before = len(problems.found)
    for piece in metric.written:
        if isinstance(piece.part, (Measure, Column, Funnel)) or id(piece.part) not in inner:
            continue
        for part in walk(piece.part):
            if isinstance(part, (Spread, Attribute)):
                what = "a spread" if isinstance(part, Spread) else "an attribute"
                problems.error("E317", f"time_to has no use for {what}", piece.span(part.at), hint)
                break
            if isinstance(part, Not) or (isinstance(part, Compare) and not _grows(part)):
                message = "time_to needs a condition that stays true once it is"
                problems.error("E317", message, piece.span(part.at), hint)
                break
    if len(problems.found) == before and any(isinstance(part, Not) for part in walk(condition)):
        message = "time_to needs a condition that stays true once it is"
        problems.error("E317", message, fields.place("time_to"), hint)


def _grows(compare: Compare) -> bool:
    """A sum of what only grows, above a constant."""
    up = compare.operator in (">", ">=") and not compare.right.atoms
    terms = [t for t in compare.left.terms if t.atom is not None]
    return up and all(
        t.coefficient >= 0 and t.atom is not None and t.atom.ago is None
        and t.atom.function in ("count", "sum", "max", "distinct", "days", "sessions")
        for t in terms
    )  # fmt: skip


def check_looks_back(condition: Condition, metric: Metric, piece: Written, problems: Problems) -> None:
    """`ago` in a condition, and trends that would mark those who were never there."""
    found = len(problems.found)
    for part in walk(condition):
        if isinstance(part, Spread) and any(a.ago for a in atoms_of(part.part)):
            hint = "Look back over whole blocks of `per`."
            problems.error("E117", "`ago` inside a spread", piece.span(part.at), hint)
            return
    check_back(atoms_of(condition), metric, piece, problems)
    trends = [c for c in walk(condition) if isinstance(c, Compare) and _is_trend(c)]
    if not trends or len(problems.found) > found:
        return
    # In the list form a floor is another item than the trend, and an attribute no floor.
    whole = metric.condition
    if whole is None or all(part != condition for part in walk(whole)):
        whole = condition
    if zero_truth(whole, metric.per or metric.window.days or 1, lambda _: True):
        earlier = next(a for m in (trends[0].left, trends[0].right) for a in m.atoms if a.ago)
        ago = piece.text.value[earlier.at[0] : earlier.at[1]]
        problems.error(
            "E314",
            "this trend also holds for units that did nothing then and nothing now",
            piece.span(trends[0].at),
            f"Ask for a floor:  {ago} and {piece.text.value[trends[0].at[0] : trends[0].at[1]]}",
        )


def _is_trend(compare: Compare) -> bool:
    atoms = (*compare.left.atoms, *compare.right.atoms)
    both = compare.left.atoms and compare.right.atoms
    return bool(both) and any(a.ago for a in atoms) and bool(OPERATORS[compare.operator](0, 0))


def check_back(atoms: Iterable[Atom], metric: Metric, piece: Written, problems: Problems) -> None:
    """Every `ago` goes with blocks of its own period."""
    for atom in atoms:
        if atom.function == "days_since" and "session" in (metric.per_unit, metric.unit):
            hint = "Measure it per user."
            problems.error("E302", "days_since( ) counts to the last day of a window, and a session has none", piece.span(atom.at), hint)  # fmt: skip
        if atom.ago is None:
            continue
        place = piece.span(atom.at)
        window, usual = metric.window, "Use  over: first 28 days"
        if metric.per is None:
            problems.error("E117", "`ago` counts blocks, but there is no `per`", place, "Add  per: week")
        elif metric.per_unit == "session" or metric.rolling:
            what = "sessions" if metric.per_unit == "session" else "rolling blocks"
            problems.error("E117", f"`ago` does not go with {what}", place, "Use  per: day  or  per: week")
        elif metric.starting_at is not None:
            problems.error("E117", "`ago` does not go with  starting_at", place, "Remove one of them.")
        elif window.end or window.before:
            problems.error("E117", f"`ago` does not go with  over: {window}", place, usual)
        elif atom.function in _NO_BACK:
            hint = "Counts, sums, means and days of earlier blocks are possible."
            problems.error("E117", f"{atom.function}( ) cannot be looked back at", place, hint)
        elif atom.ago.period not in ("period", _period_of(metric)):
            problems.error(
                "E117",
                f"{atom.ago.period}s ago, but `per` is {_per_name(metric)}: `ago` counts blocks of `per`",
                place,
                f"Write  {_in_blocks(atom.ago, metric)},  or change `per`.",
            )


_DAYS = {"hour": Fraction(1, 24), "day": Fraction(1), "week": Fraction(7)}
_TICKS = {"day": Fraction(1), "hour": Fraction(1, 24), "minute": Fraction(1, 1440)}


def _in_blocks(ago: Ago, metric: Metric) -> str:
    """The same stretch of time in blocks of `per`, as whole blocks: `1-7 days ago` is `1 week ago`."""
    first, last = ago.first, ago.last
    if ago.period in _DAYS and metric.per is not None and metric.per_unit == "tick":
        size = _DAYS[ago.period] / (metric.per * _TICKS[metric.window.tick])
        first, last = 1 + floor((first - 1) * size), ceil(last * size)
    unit = _period_of(metric)
    return f"{first}-{last} {unit}s ago" if first != last else f"{first} {unit}{'s' * (first > 1)} ago"


def _period_of(metric: Metric) -> str:
    if metric.per_unit == "month":
        return "month"
    if metric.window.tick == "hour":
        return "hour" if metric.per == 1 else "day" if metric.per == 24 else "period"
    if metric.window.tick == "minute":
        return {60: "hour", 1440: "day"}.get(metric.per or 0, "period")
    return {1: "day", 7: "week"}.get(metric.per or 0, "period")


def _per_name(metric: Metric) -> str:
    if metric.per_unit != "tick":
        return metric.per_unit
    if metric.rolling:
        return f"rolling {metric.per} days"
    name = _period_of(metric)
    return f"{metric.per} {metric.window.tick}s" if name == "period" else name


def blocks_name(days: int, count: float = 2) -> str:
    """`days`, `weeks`, or `blocks of 14 days`."""
    name = {1: "day", 7: "week"}.get(days)
    if name is None:
        return f"{'block' if count == 1 else 'blocks'} of {days} days"
    return name if count == 1 else f"{name}s"
