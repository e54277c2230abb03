"""The rules that one definition alone must obey: which window, period and fold make a number with a meaning."""

from __future__ import annotations

from abtest.language.conditions import (
    EMPTY_IS_NOTHING,
    Compare,
    Condition,
    Measure,
    Spread,
    atoms_of,
    children,
    walk,
)
from abtest.language.fields import Fields
from abtest.language.model import Column, Fold, Funnel, Metric, Window, Written
from abtest.language.statistical_tests import check_test
from abtest.language.time_rules import blocks_name as _blocks
from abtest.language.time_rules import check_back, check_kind, check_looks_back, check_timing
from abtest.problems import Place, Problems

_DID = ("share", "ever", "always", "last", "count", "streak")
_AMOUNT = ("mean", "sum", "min", "max", "last")
_STEADY = ("share", "last", "mean")
"""Folds that mean the same for any number of blocks."""


def folds_of(metric: Metric) -> tuple[str, ...]:
    """The folds that fit what a metric computes per block."""
    if metric.kind in ("ratio", "quantile", "funnel", "time_to", "retention", "churn", "survey", "column"):
        return ()
    as_amount = metric.kind == "amount" or (metric.group is not None and metric.group.ranked)
    if metric.per_unit == "session":
        return ("mean",) if as_amount else ("share",)
    if metric.group is not None and metric.group.how == "share":
        return ("share",)
    if metric.known is not None:
        return ("share", "ever", "always", "count")  # the last block, or a run of blocks, may be unknown
    return _AMOUNT if as_amount else _DID


def check_metric(metric: Metric, fields: Fields, problems: Problems) -> None:
    """Report every broken rule of `metric`, whose YAML entries are `fields`."""
    before = len(problems.found)
    if any(isinstance(w.part, Column) for w in metric.written):
        _check_column(metric, fields, problems)
    elif metric.kind in _ONE_ANSWER and (metric.per is not None or fields.has("value")):
        problems.error(
            "E124",
            f"{fields.what}: a {_NAMES.get(metric.kind, metric.kind)} is {_ONE_ANSWER[metric.kind]}",
            fields.place("per" if metric.per is not None else "value"),
            "Remove it, or use  did  with  over." if metric.kind in ("retention", "churn") else "Remove it.",
        )
    else:
        _check_fold(metric, fields, problems)
        check_timing(metric, fields, problems)
    _check_cap(metric, fields, problems)
    check_test(metric, fields, problems)
    check_kind(metric, fields, problems)
    for piece in metric.written:
        if isinstance(piece.part, Measure):
            _check_measure(metric, piece.part, piece, problems)
        elif metric.among is not None and piece.part is metric.among.condition:
            check_before(piece.part, metric.among.days, metric, piece, problems)
        elif not isinstance(piece.part, (Column, Funnel)):
            check_condition(piece.part, metric, piece, problems)
    if metric.parts is not None and metric.per is not None:
        _check_sides(metric, problems)
    timed = metric.kind in ("did", "amount", "retention", "funnel", "quantile", "group") and metric.per is None
    if timed and metric.window.last is None and len(problems.found) == before:
        days = metric.window.first + 27 if metric.window.first else 0
        problems.warn(
            "W306",
            f"{fields.what} has an open window: units exposed later had less time",
            fields.place("from_day") if fields.has("from_day") else fields.place(metric.kind),
            f"Set  days: {metric.window.first}-{days}" if metric.kind == "retention" else "Set  over: first 28 days",
        )


_NAMES = {"time_to": "time"}


def _check_sides(metric: Metric, problems: Problems) -> None:
    """Blocks divided by events are rarely meant: `app_open 1 week ago` counts, `app_open 1 week ago >= 1` holds or not."""
    assert metric.parts is not None
    of, to = metric.parts
    if isinstance(of, (Measure, Column)) or not isinstance(to, Measure):
        return
    if all(a.function == "count" for a in to.atoms):
        piece = metric.written[-1]
        problems.warn(
            "W309",
            f"the ratio {metric.name} divides a number of blocks by a number of events",
            piece.text.place,
            f"To count blocks on both sides write  to: {piece.text.value} >= 1",
        )


_ONE_ANSWER = {
    "retention": "one yes or no over its days",
    "churn": "one yes or no over its days",
    "time_to": "one length of time",
    "funnel": "one yes or no over its window",
    "quantile": "one number over its window",
    "survey": "one answer in its window",
}


def check_condition(condition: Condition, metric: Metric, piece: Written, problems: Problems) -> None:
    """The rules of one condition within its metric."""
    for part in walk(condition):
        if isinstance(part, Compare) and not part.left.atoms and not part.right.atoms:
            problems.error("E137", "a comparison of two numbers, with no event", piece.span(part.at))
    _check_spreads(condition, metric, piece, problems)
    check_looks_back(condition, metric, piece, problems)


def check_before(condition: Condition, days: int, metric: Metric, piece: Written, problems: Problems) -> None:
    """The rules of a condition over the days before exposure (`among`, `segments`): one window without blocks."""
    looked_back = next((a for a in atoms_of(condition) if a.ago is not None), None)
    if looked_back is not None:
        message = f"`ago` counts blocks of `per`, and the {days} days before exposure are one"
        problems.error("E117", message, piece.span(looked_back.at), "Remove `ago`.")
        return
    alone = Metric(metric.name, "did", condition=condition, window=Window(-days, -1))
    check_condition(condition, alone, piece, problems)


def _check_column(metric: Metric, fields: Fields, problems: Problems) -> None:
    for key in ("over", "per", "value", "clock", "starting_at", "within", "immature"):
        if fields.has(key):
            problems.error(
                "E306",
                f"{key} of {fields.what}: a column has no time of its own",
                fields.place(key),
                "Remove it, or measure events instead.",
            )
    strays = [w for w in metric.written if not isinstance(w.part, Column)]
    if strays:
        problems.error(
            "E307",
            f"{fields.what} mixes a column and events in one ratio",
            strays[0].text.place,
            "Take both from columns of one source, or both from events.",
        )


def _check_measure(metric: Metric, measure: Measure, piece: Written, problems: Problems) -> None:
    """A value of a silent unit must be a number, or the definition says what it is: a mean over nothing is none."""
    if not measure.atoms:
        key = "amount" if metric.kind == "amount" else "a part of the ratio"
        problems.error(
            "E137", f"{key} of metric {metric.name} names no event", piece.text.place, "Example:  sum(purchase.revenue)"
        )
    check_back(measure.atoms, metric, piece, problems)
    empty = [a for a in measure.atoms if a.function in EMPTY_IS_NOTHING]
    if metric.kind == "ratio":
        for atom in empty:
            hint = f"Divide sums instead:  {{of: sum({atom.event}.{atom.prop or '…'}), to: {atom.event}}}"
            message = (
                f"{atom.function}( ) has no value for units without {atom.event}, so it cannot be added up over units"
            )
            problems.error("E315", message, piece.span(atom.at), hint)
    elif empty and metric.missing is None and "missing" not in dict(metric.places):
        atom = empty[0]
        problems.error(
            "E315",
            f"{atom.function}( ) has no value for units without {atom.event}",
            piece.span(atom.at),
            "Say what they count as:  missing: drop  (only those with events),  missing: zero  or a number",
        )
    elif not empty and metric.missing is not None and metric.kind in ("amount", "quantile"):
        what = "counts, sums and days are 0 without events"
        message = f"missing of metric {metric.name} has no effect: {what}"
        problems.error("E315", message, metric.at("missing"), "Remove `missing`.")


def _check_fold(metric: Metric, fields: Fields, problems: Problems) -> None:
    fold, per = metric.fold, metric.per
    if fold is None:
        return
    if per is None:
        problems.error(
            "E303",
            f"value: {fold} of {fields.what} folds blocks, but there is no `per`",
            fields.place("value"),
            "Add  per: week" if folds_of(metric) else "Remove `value`.",
        )
        return
    allowed = folds_of(metric)
    if fold.name not in allowed:
        hint = f"Possible here:  {', '.join(allowed)}" if allowed else "Remove `value`."
        problems.error("E304", f"value: {fold.name} does not fit {metric.kind}", fields.place("value"), hint)
        return
    if fold.name not in _STEADY and not metric.window.fixed:
        steady = "mean" if "mean" in allowed else "share"
        problems.error(
            "E305",
            f"value: {fold.name} over an open window grows with time in the test",
            fields.place("value"),
            f"Set  over: first 28 days,  or use  value: {steady}",
        )
        return
    if fold.name not in _STEADY and metric.clock == "calendar":
        problems.error(
            "E305",
            f"value: {fold.name} needs as many blocks for every unit; on the calendar clock they differ",
            fields.place("value"),
            f"Use  value: {'mean' if 'mean' in allowed else 'share'},  or  clock: date  with  per: 28 days",
        )
        return
    if fold.operator is not None and fold.number is not None and metric.per_unit == "tick":
        _check_threshold(metric, fold, per, fields, problems)


def _check_threshold(metric: Metric, fold: Fold, per: int, fields: Fields, problems: Problems) -> None:
    """A threshold that every unit or no unit can meet is a slip of the pen."""
    number = fold.number or 0.0
    days = metric.window.days
    blocks_of = (days - per + 1 if metric.rolling else days // per) if days is not None else float("inf")
    most = 1.0 if fold.name == "share" else float("inf") if metric.clock == "calendar" else blocks_of
    above, below = fold.operator in (">", ">="), fold.operator in ("<", "<=")
    never = number > most or (number == most and fold.operator == ">") or (number == 0 and fold.operator == "<")
    blocks = (
        "a share lies between 0% and 100%"
        if fold.name == "share"
        else f"{metric.window} has {most:g} {_blocks(per, most)}"
    )
    if (never and not below) or (never and number == 0):
        problems.warn("W304", f"value: {fold} can never hold: {blocks}", fields.place("value"))
    elif (number == 0 and fold.operator == ">=") or (
        below and (number > most or (number == most and fold.operator == "<="))
    ):
        problems.warn("W304", f"value: {fold} always holds: {blocks}", fields.place("value"))
    elif fold.name != "share" and number != int(number) and not (above or below):
        problems.warn("W304", f"value: {fold} can never hold: a number of blocks is whole", fields.place("value"))


def _check_cap(metric: Metric, fields: Fields, problems: Problems) -> None:
    if metric.cap is None:
        return
    place = fields.place("cap")
    if metric.kind == "quantile":
        problems.error("E309", f"cap of {fields.what}: a quantile does not feel extremes", place, "Remove `cap`.")
    elif metric.pooled:
        why = "a ratio of sums has no value per unit to cap"
        problems.error("E309", f"cap of {fields.what}: {why}", place, "Remove `cap`.")
    elif metric.kind not in ("amount", "column") and metric.rank is None:
        problems.error(
            "E309", f"cap of {fields.what}: a condition is 0, 1 or a share and needs none", place, "Remove `cap`."
        )
    elif metric.cap.size <= 0:
        problems.error("E309", f"cap of {fields.what} must be above zero", place, "Example:  cap: 500")


def _check_spreads(
    condition: Condition, metric: Metric, piece: Written, problems: Problems, outer: int | None = None
) -> None:
    """Nested spreads get strictly finer and divide exactly; the outermost block is `per`, or the window."""
    if not isinstance(condition, Spread):
        for part in children(condition):
            _check_spreads(part, metric, piece, problems, outer)
        return
    place = piece.span(condition.at)
    whole = outer or metric.per or metric.window.days
    unit = _blocks(condition.days)
    if metric.window.tick != "day" or metric.per_unit != "tick" or (metric.rolling and condition.days != 1):
        rolling = "rolling blocks" if metric.rolling else "hours"
        where = {"month": "months", "session": "sessions"}.get(metric.per_unit, rolling)
        drop = f"Remove  `on … {unit}`"
        hint = f"{drop},  or count the days:  days(like) >= 2" if metric.per_unit == "month" else drop
        problems.error("E302", f'"on … {unit}" does not fit blocks of {where}', place, hint)
    elif metric.immature == "keep" and metric.per is None:
        problems.error(
            "E302",
            f'"on … {unit}" under immature: keep would take days that have not come for silent ones',
            place,
            "Add  per: week,  or remove  immature: keep",
        )
    elif whole is None:
        problems.error(
            "E302",
            f'"on … {unit}" over an open window grows with time in the test',
            place,
            "Set  per: week  or  over: first 28 days",
        )
    elif condition.days >= whole:
        _too_coarse(condition, metric, whole, outer, place, problems)
    elif whole % condition.days:
        problems.error("E302", f"{_length(whole)} is not a whole number of {unit}", place)
    else:
        blocks, count = whole // condition.days, condition.count
        if count is not None and (
            (condition.operator in (">=", "=") and count > blocks) or (condition.operator == ">" and count >= blocks)
        ):
            have = "has" if whole in (1, 7) else "have"
            held = _blocks(condition.days, blocks)
            problems.error("E302", f"{_length(whole)} {have} only {blocks} {held}, so this can never hold", place)
        _check_spreads(condition.part, metric, piece, problems, condition.days)


def _too_coarse(
    spread: Spread, metric: Metric, whole: int, outer: int | None, place: Place, problems: Problems
) -> None:
    one = _blocks(spread.days, 1)
    if outer is not None:
        there, hint = (
            f"it stands inside one over {_length(whole)}",
            "The inner part is the finer one:  (app_open on 3 days) in 2 weeks",
        )
    elif metric.per is not None:
        there, hint = f"per is {_length(whole)}", "Use  per: week" if spread.days == 1 else "Use  per: 28 days"
    else:
        there, hint = f"the window is {_length(whole)}", "Use  over: first 28 days"
    problems.error("E302", f'"on … {_blocks(spread.days)}" needs a period coarser than a {one}; {there}', place, hint)


def _length(days: int) -> str:
    return {1: "a day", 7: "a week"}.get(days, f"{days} days")
