"""Movement between the levels of a group: sentences, the shares that rose and fell, and who went from where to where."""

from __future__ import annotations

from abtest.analysis.result import Interval, MetricResult, Movement, MovementArm, MovementChange
from abtest.reports.appendix import Plain
from abtest.reports.numbers import decimals_for
from abtest.reports.wording import Wording

UNKNOWN = "?"
WAYS = ("up", "same", "down")


def movement_leads(w: Wording, metric: MetricResult) -> list[str]:
    """One sentence per treatment; where nothing can be said yet or at all, one."""
    movement = metric.movement
    if movement is None:
        return []
    slots = {"metric": w.metric(metric), "days": w.words.plural("rule.runtime.days", movement.days)}
    if movement.status != "ok":
        return [w.words(w.words.known("movement.none", movement.reason or "other"), **slots)]
    if w.early:
        return [w.words("movement.open", **slots)]
    if w.every_look:
        return [w.words("movement.every_look", **slots)]
    return [_sentence(w, metric, movement, change) for change in movement.changes]


def _sentence(w: Wording, metric: MetricResult, movement: Movement, change: MovementChange) -> str:
    slots = {"metric": w.metric(metric), "variant": w.variant(change.variant), "control": w.control}
    shift, p = change.shift, change.p_value
    if change.status != "ok" or shift is None or shift.low is None or shift.high is None or p is None:
        why = w.words(w.words.known("no_test", change.reason or "other"), reason=w.name(change.reason or ""))
        return w.words("movement.untested", why=why, **slots)
    clear = p < w.result.plan.alpha
    way = "unclear" if not clear else "higher" if shift.estimate > 0.0 else "lower"
    decimals = decimals_for([shift.estimate, shift.low, shift.high], 2)
    size, low, high = (w.numbers.fixed(x, decimals, sign=True) for x in (shift.estimate, shift.low, shift.high))
    text = w.words(f"movement.{movement.form}.{way}", size=size, low=low, high=high, p=w.p(p), **slots)
    texts = [text, w.words("movement.letters")] if UNKNOWN in movement.states else [text]
    anywhere = change.anywhere
    if anywhere is not None and anywhere.p_value is not None:
        more = "differ" if anywhere.p_value < w.result.plan.alpha else "alike"
        texts.append(w.words(f"movement.anywhere.{more}", p=w.p(anywhere.p_value)))
    return w.words("list.space").join(texts)


def movement_tables(w: Wording, metric: MetricResult) -> list[Plain]:
    """Shares and matrices, where effects may be shown."""
    movement = metric.movement
    if movement is None or movement.status != "ok" or not w.result.decision.valid or w.early:
        return []
    return [_shares(w, metric, movement), *(_matrix(w, metric, movement, arm) for arm in movement.arms if arm.units)]


def _shares(w: Wording, metric: MetricResult, movement: Movement) -> Plain:
    """What share rose, stayed and fell, in each variant, with the difference."""
    words = w.words
    arms = {arm.variant: arm for arm in movement.arms}
    rows = []
    for way in WAYS:
        for change in movement.changes:
            name = words(f"movement.{movement.form}.{way}")
            if w.many:
                name = words("segments.row_of", segment=name, variant=w.variant(change.variant))
            both = (_share(w, arms[w.result.experiment.baseline], way), _share(w, arms[change.variant], way))
            rows.append((name, *both, _difference(w, getattr(change, way))))
    treatment = words("card.treatment") if w.many else w.variant(movement.changes[0].variant)
    columns = (words("movement.way"), w.control, treatment, words("curve.difference"))
    days = words.plural("rule.runtime.days", movement.days)
    units = sum(arm.units for arm in movement.arms)
    outside = sum(arm.without_history for arm in movement.arms)
    caption = words("movement.caption", metric=w.metric(metric), days=days, level=w.level, units=w.units(units))
    if outside:
        caption = words("list.space").join([caption, words("movement.outside", units=w.units(outside))])
    return Plain(caption, columns, tuple(rows), frozenset({1, 2, 3}))


def _share(w: Wording, arm: MovementArm, way: str) -> str:
    n = getattr(arm, way)
    return w.words("movement.hidden") if n is None else w.share(n / arm.units)


def _difference(w: Wording, found: Interval | None) -> str:
    if w.every_look:
        return w.words("beside.every_look")
    if found is None or found.low is None or found.high is None:
        return w.words("table.no_value")
    decimals = decimals_for([100 * x for x in (found.estimate, found.low, found.high)], 1)
    n, low, high = (w.numbers.fixed(100 * x, decimals, sign=True) for x in (found.estimate, found.low, found.high))
    return w.words("curve.points", n=n, low=low, high=high)


def _matrix(w: Wording, metric: MetricResult, movement: Movement, arm: MovementArm) -> Plain:
    """Units from each level (rows) to each (columns); levels that nobody left or reached are left out."""
    words, size = w.words, range(len(movement.states))
    rows_used = [i for i in size if any(n != 0 for n in arm.cells[i])]
    columns_used = [j for j in size if any(row[j] != 0 for row in arm.cells)]
    names = [w.name(s, 40) if s != UNKNOWN else words("movement.unknown") for s in movement.states]
    rows = [
        (names[i], *(words("movement.hidden") if (n := arm.cells[i][j]) is None else w.count(n) for j in columns_used))
        for i in rows_used
    ]
    slots = {"metric": w.metric(metric), "variant": w.variant(arm.variant)}
    texts = [words("movement.matrix", **slots)]
    if any(n is None for row in arm.cells for n in row):
        texts.append(words("movement.privacy", hidden=words("movement.hidden"), n=w.count(w.result.min_cell)))
    moved = arm.symmetry
    if moved.status == "ok" and moved.p_value is not None and not w.every_look:
        key = "one_way" if moved.p_value < w.result.plan.alpha else "balanced"
        texts.append(words(f"movement.symmetry.{key}", p=w.p(moved.p_value)))
        if moved.reason == "small_expected":
            texts.append(words("movement.symmetry.rough"))
    columns = (words("movement.from_to"), *(names[j] for j in columns_used))
    return Plain(words("list.space").join(texts), columns, tuple(rows), frozenset(range(1, len(columns))))
