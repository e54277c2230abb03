"""The rules that one definition alone must obey: which window, period and fold make a number with a meaning."""

from __future__ import annotations

from abtest.language.conditions import Compare, Condition, Measure, Spread, children, walk
from abtest.language.fields import Fields, later
from abtest.language.model import Column, Fold, Metric, Written
from abtest.problems import Place, Problems

_FOLDS = {
    "did": ("share", "ever", "always", "last", "count", "streak"),
    "amount": ("mean", "sum", "min", "max", "last"),
}
_GROWS = {"did": ("ever", "always", "count", "streak"), "amount": ("sum", "min", "max")}


def check_metric(metric: Metric, fields: Fields, problems: Problems) -> None:
    """Report every broken rule of `metric`, whose YAML entries are `fields`."""
    before = len(problems.found)
    if any(isinstance(w.part, Column) for w in metric.written):
        _check_column(metric, fields, problems)
    elif metric.kind == "retention" and (metric.per is not None or fields.has("value")):
        problems.error(
            "E124",
            f"{fields.what}: a retention is one yes or no over its days",
            fields.place("per" if metric.per is not None else "value"),
            "Remove it, or use  did  with  over.",
        )
    else:
        _check_fold(metric, fields, problems)
        _check_blocks(metric, fields, problems)
    _check_cap(metric, fields, problems)
    for piece in metric.written:
        if isinstance(piece.part, Measure):
            _check_measure(metric, piece.part, piece, problems)
        elif not isinstance(piece.part, Column):
            for part in walk(piece.part):
                if isinstance(part, Compare) and not part.left.atoms and not part.right.atoms:
                    problems.error("E137", "a comparison of two numbers, with no event", piece.span(part.at))
            _check_spreads(piece.part, metric, piece, problems)
    timed = metric.kind in ("did", "amount", "retention") and metric.per is None
    if timed and not metric.window.fixed and len(problems.found) == before:
        days = metric.window.first + 27 if metric.window.first else 0
        problems.warn(
            "W306",
            f"{fields.what} has an open window: units exposed later had less time",
            fields.place("from_day") if fields.has("from_day") else fields.place(metric.kind),
            f"Set  days: {metric.window.first}-{days}" if metric.kind == "retention" else "Set  over: first 28 days",
        )


def _check_column(metric: Metric, fields: Fields, problems: Problems) -> None:
    for key in ("over", "per", "value"):
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
    """A value of a silent unit must be a number: a mean over nothing is none, and a policy for it comes later."""
    if not measure.atoms:
        key = "amount" if metric.kind == "amount" else "a part of the ratio"
        problems.error(
            "E137", f"{key} of metric {metric.name} names no event", piece.text.place, "Example:  sum(purchase.revenue)"
        )
    for atom in measure.atoms:
        if atom.function in ("min", "max", "mean"):
            later(
                problems,
                f"{atom.function}( ) as a value",
                piece.span(atom.at),
                f"It is missing for units without {atom.event}. In a condition it works:  did: {atom.function}({atom.event}.{atom.prop}) >= 3",
            )


def _check_fold(metric: Metric, fields: Fields, problems: Problems) -> None:
    fold, per = metric.fold, metric.per
    if fold is None:
        return
    if per is None:
        problems.error(
            "E303",
            f"value: {fold} of {fields.what} folds blocks, but there is no `per`",
            fields.place("value"),
            "Add  per: week" if metric.kind in _FOLDS else "Remove `value`.",
        )
        return
    allowed = _FOLDS.get(metric.kind, ())
    if fold.name not in allowed:
        hint = f"Possible here:  {', '.join(allowed)}" if allowed else "Remove `value`."
        problems.error("E304", f"value: {fold.name} does not fit {metric.kind}", fields.place("value"), hint)
        return
    if fold.name in _GROWS.get(metric.kind, ()) and not metric.window.fixed:
        steady = "share" if metric.kind == "did" else "mean"
        problems.error(
            "E305",
            f"value: {fold.name} over an open window grows with time in the test",
            fields.place("value"),
            f"Set  over: first 28 days,  or use  value: {steady}",
        )
        return
    if fold.operator is not None and fold.number is not None:
        _check_threshold(metric, fold, per, fields, problems)


def _check_threshold(metric: Metric, fold: Fold, per: int, fields: Fields, problems: Problems) -> None:
    """A threshold that every unit or no unit can meet is a slip of the pen."""
    number = fold.number or 0.0
    days = metric.window.days
    most = 1.0 if fold.name == "share" else days // per if days is not None else float("inf")
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


def _check_blocks(metric: Metric, fields: Fields, problems: Problems) -> None:
    """A fixed window is a whole number of blocks."""
    window, per = metric.window, metric.per
    if per is None or window.days is None or window.days % per == 0:
        return
    counts = [n for n in (window.days // per, window.days // per + 1) if n]
    written = [
        f"first {n * per} days" if window.first == 0 else f"days {window.first}-{window.first + n * per - 1}"
        for n in counts
    ]
    problems.error(
        "E308",
        f"{window} is not a whole number of {_blocks(per)} ({window.days} / {per})",
        fields.place("over" if fields.has("over") else "per"),
        f"Use  over: {'  or  over: '.join(written)}",
    )


def _check_cap(metric: Metric, fields: Fields, problems: Problems) -> None:
    if metric.cap is None:
        return
    place = fields.place("cap")
    if metric.kind in ("did", "retention"):
        problems.error(
            "E309", f"cap of {fields.what}: a condition is 0, 1 or a share and needs none", place, "Remove `cap`."
        )
    elif metric.kind == "ratio":
        later(problems, "a cap on a ratio", place)
    elif metric.cap <= 0:
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
    if metric.immature == "keep" and metric.per is None:
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
            problems.error("E302", f"{_length(whole)} has only {blocks} {unit}, so this can never hold", place)
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


def _blocks(days: int, count: float = 2) -> str:
    name = {1: "day", 7: "week"}.get(days)
    if name is None:
        return f"{'block' if count == 1 else 'blocks'} of {days} days"
    return name if count == 1 else f"{name}s"


def _length(days: int) -> str:
    return {1: "a day", 7: "a week"}.get(days, f"{days} days")
