"""The numbers in a definition that could as well be others: `like >= 5`, `on 2 days`, `count >= 3`; and the grid of
definitions around them.

A grid is bounded: at most three thresholds move and at most 100 definitions are made, the written one always among
them. What stays as it is, is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from abtest.language.conditions import (
    All,
    AnyOf,
    AtLeast,
    Compare,
    Condition,
    Measure,
    Not,
    Spread,
    Term,
    children,
)
from abtest.language.expression_text import expression_text, is_bare, measure_text, period_word, term_text
from abtest.language.model import Metric

MOST_THRESHOLDS, MOST_CELLS = 3, 100
VALUES = {1: 20, 2: 10, 3: 4}
"""How many values each threshold takes, by how many thresholds move."""
_WHOLE = frozenset({"count", "days", "distinct", "sessions", "days_since"})
_FACTORS = (1.0, 1.5, 0.5, 2.0, 0.75, 1.25, 3.0, 0.25, 4.0, 2.5, 5.0, 0.1, 6.0, 8.0, 10.0, 1.75, 0.6, 0.9, 1.1, 0.4)
"""Of numbers that are no counts, the next best first."""
_TURNED: dict[str, Literal["<", "<=", ">", ">="]] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True)
class Threshold:
    """A number in a definition. `path` leads to it through the condition (None: it stands in `value:`); `what` is what
    is compared with it, `low` and `high` the first and last value that makes sense, `step` 0 for numbers that are no
    counts. `bare`: a threshold of 1 that nobody wrote (`like`)."""

    path: tuple[int, ...] | None
    kind: Literal["measure", "spread", "list", "fold"]
    what: str
    operator: str
    value: float
    low: float
    high: float | None = None
    step: float = 1.0
    unit: str | None = None
    bare: bool = False

    def label(self, value: float) -> str:
        """It reads aloud with another number: `like >= 6`."""
        if self.kind == "list":
            return f"at least {value:g} of {self.what}"
        if self.kind == "spread":
            sign = "" if self.operator == ">=" else f"{self.operator} "
            days = 7 if self.what.endswith("weeks") else 1
            return f"on {sign}{value:g} {period_word(days, value)}"
        shown = (
            f"{100 * value:g}%"
            if self.kind == "fold" and self.what == "share"
            else term_text(Term(value, None, self.unit))
        )
        return f"{self.what} {self.operator} {shown}"


@dataclass(frozen=True)
class Cell:
    """One definition of a grid: `place` in it (one index per threshold) and its `values`."""

    place: tuple[int, ...]
    values: tuple[float, ...]
    label: str
    metric: Metric


@dataclass(frozen=True)
class Lattice:
    """`axes` are the values of each of `thresholds`; `cells` in the order of their places; `still` are thresholds that
    stay as they are written."""

    thresholds: tuple[Threshold, ...]
    axes: tuple[tuple[float, ...], ...]
    cells: tuple[Cell, ...]
    still: tuple[Threshold, ...] = ()

    @property
    def written(self) -> Cell:
        """The cell of the definition as it stands."""
        asked = tuple(t.value for t in self.thresholds)
        return next(c for c in self.cells if c.values == asked)


def thresholds_of(metric: Metric) -> tuple[Threshold, ...]:
    """Every number of a metric that could be another, as they are read; those that nobody wrote (`like` is
    `like >= 1`) come last.

    >>> from abtest.language.expressions import parse_condition
    >>> m = Metric("m", "did", condition=parse_condition("photo_post >= 2 and like"), per=7)
    >>> [t.label(t.value + 1) for t in thresholds_of(m)]
    ['photo_post >= 3', 'like >= 2']
    """
    found = [] if metric.condition is None else list(_in_condition(metric.condition, (), _length(metric)))
    fold = metric.fold
    if fold is not None and fold.number is not None and fold.operator in _TURNED:
        blocks = _blocks(metric)
        if fold.name == "share":
            step = 0.1 if blocks is None or blocks > 20 else 1 / blocks
            found.append(Threshold(None, "fold", "share", fold.operator, fold.number, step, 1.0, step))
        elif fold.name in ("count", "streak"):
            limit = None if blocks is None else float(blocks)
            low = 1.0 if fold.operator in (">=", "<") else 0.0
            found.append(Threshold(None, "fold", fold.name, fold.operator, fold.number, low, limit))
    return tuple(sorted(found, key=lambda t: t.bare))


def with_values(metric: Metric, thresholds: tuple[Threshold, ...], values: tuple[float, ...]) -> Metric:
    """The metric with other numbers; its examples, which hold for the old ones only, are gone."""
    changed = replace(metric, examples=(), written=(), version=None)
    for threshold, value in zip(thresholds, values, strict=True):
        if threshold.path is None:
            assert changed.fold is not None
            changed = replace(changed, fold=replace(changed.fold, number=value))
        else:
            assert changed.condition is not None
            changed = replace(changed, condition=_at(changed.condition, threshold.path, value))
    return changed


def lattice(metric: Metric, most: int = MOST_CELLS) -> Lattice | None:
    """The grid of definitions around a metric; None where it holds no threshold.

    Thresholds that somebody wrote move first; with one of them there are 20 values, with two 10 each, with three 4.
    """
    every = thresholds_of(metric)
    if not every:
        return None
    written = [t for t in every if not t.bare] or list(every)
    chosen = tuple((written + [t for t in every if t.bare and t not in written])[:MOST_THRESHOLDS])
    axes = tuple(axis(t, VALUES[len(chosen)]) for t in chosen)
    return grid_of(metric, chosen, axes, tuple(t for t in every if t not in chosen), most)


def neighbours(metric: Metric, steps: int = 2) -> Lattice | None:
    """The definitions with one threshold up to `steps` steps up or down, all others as written; None without any."""
    every = tuple(t for t in thresholds_of(metric) if not t.bare) or thresholds_of(metric)
    if not every:
        return None
    chosen, still = every[:MOST_THRESHOLDS], every[MOST_THRESHOLDS:]
    axes = tuple(around(t, steps) for t in chosen)
    places = {tuple(a.index(t.value) for a, t in zip(axes, chosen, strict=True))}
    here = next(iter(places))
    for k, values in enumerate(axes):
        places |= {(*here[:k], i, *here[k + 1 :]) for i in range(len(values))}
    return Lattice(chosen, axes, tuple(_cell(metric, chosen, axes, p) for p in sorted(places)), still)


def grid_of(
    metric: Metric,
    thresholds: tuple[Threshold, ...],
    axes: tuple[tuple[float, ...], ...],
    still: tuple[Threshold, ...] = (),
    most: int = MOST_CELLS,
) -> Lattice:
    """All combinations of the values of `axes`. Raises ValueError for more than `most` of them."""
    places = list(product(*(range(len(a)) for a in axes)))
    if len(places) > most:
        raise ValueError(f"{len(places)} definitions; at most {most} are computed at once")
    return Lattice(thresholds, axes, tuple(_cell(metric, thresholds, axes, p) for p in places), still)


def axis(threshold: Threshold, size: int) -> tuple[float, ...]:
    """`size` values around the written one, which is among them, as far as they make sense, ascending.

    >>> axis(Threshold((), "measure", "like", ">=", 5, 1), 10)
    (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
    >>> axis(Threshold((), "measure", "like", ">=", 30, 1), 5)
    (15.0, 30.0, 45.0, 60.0, 75.0)
    """
    value = float(threshold.value)
    if not threshold.step:
        made = dict.fromkeys(_rounded(value * f) for f in _FACTORS)
        return tuple(sorted(list(made)[:size]))
    leap = max(1.0, value / threshold.step // max(1, size // 2)) * threshold.step
    below = [v for k in range(size, 0, -1) if _sensible(threshold, v := _rounded(value - k * leap))]
    above = [v for k in range(1, size) if _sensible(threshold, v := _rounded(value + k * leap))]
    below = below[-max(size // 2, size - 1 - len(above)) :]
    return (*below, value, *above[: size - 1 - len(below)])


def around(threshold: Threshold, steps: int) -> tuple[float, ...]:
    """The written value and up to `steps` on either side, ascending.

    >>> around(Threshold((), "measure", "photo_post", ">=", 2, 1), 2)
    (1.0, 2.0, 3.0, 4.0)
    """
    value = float(threshold.value)
    if not threshold.step:
        return tuple(sorted({_rounded(value * f) for f in (0.5, 0.75, 1.0, 1.25, 1.5)}))
    made = (_rounded(value + k * threshold.step) for k in range(-steps, steps + 1) if k)
    return tuple(sorted({value, *(v for v in made if _sensible(threshold, v))}))


def definition_lines(metric: Metric) -> tuple[str, ...]:
    """The lines of YAML that say what a definition of a grid says, to be pasted over those of the metric.

    >>> from abtest.language.expressions import parse_condition
    >>> definition_lines(Metric("m", "did", condition=parse_condition("photo_post >= 2 and like >= 6")))
    ('did: photo_post >= 2 and like >= 6',)
    """
    assert metric.condition is not None
    lines = [f"did: {expression_text(metric.condition)}"] if metric.kind == "did" else []
    if metric.fold is not None and metric.fold.number is not None:
        lines.append(f"value: {metric.fold}")
    return tuple(lines)


def _cell(
    metric: Metric, thresholds: tuple[Threshold, ...], axes: tuple[tuple[float, ...], ...], place: tuple[int, ...]
) -> Cell:
    values = tuple(a[i] for a, i in zip(axes, place, strict=True))
    label = ", ".join(t.label(v) for t, v in zip(thresholds, values, strict=True))
    return Cell(place, values, label, with_values(metric, thresholds, values))


def _in_condition(condition: Condition, path: tuple[int, ...], length: int | None) -> Iterator[Threshold]:
    if isinstance(condition, Spread) and condition.count is not None and condition.operator in _TURNED:
        blocks = None if length is None else float(length // condition.days)
        what = "weeks" if condition.days == 7 else "days"
        low = 1.0 if condition.operator in (">=", "<") else 0.0
        yield Threshold(path, "spread", what, condition.operator, condition.count, low, blocks)
    if isinstance(condition, AtLeast) and len(condition.parts) > 1:
        yield Threshold(
            path, "list", str(len(condition.parts)), ">=", condition.count, 1.0, float(len(condition.parts))
        )
    if isinstance(condition, Compare):
        yield from _in_comparison(condition, path, length)
    inside = condition.days if isinstance(condition, Spread) else length
    for i, part in enumerate(children(condition)):
        yield from _in_condition(part, (*path, i), inside)


def _in_comparison(compare: Compare, path: tuple[int, ...], length: int | None) -> Iterator[Threshold]:
    left, operator, right = compare.left, compare.operator, compare.right
    if operator not in _TURNED:
        return
    if right.atoms and not left.atoms:
        left, operator, right = right, _TURNED[operator], left
    if not left.atoms or right.atoms or len(right.terms) != 1 or left.constant:
        return
    constant = right.terms[0]
    value, unit = constant.coefficient, constant.unit
    whole = (
        unit is None
        and float(value).is_integer()
        and all(
            t.atom is not None and t.atom.function in _WHOLE and float(t.coefficient).is_integer() for t in left.terms
        )
    )
    if value < 0 or (not whole and value == 0):
        return
    only = left.atoms[0]
    days = len(left.terms) == 1 and only.function == "days" and left.terms[0].coefficient == 1
    low = 1.0 if operator in (">=", "<") else 0.0
    limit = float(length) if days and length is not None else None
    what = measure_text(left)
    yield Threshold(path, "measure", what, operator, value, low, limit, 1.0 if whole else 0.0, unit, is_bare(compare))


def _at(condition: Condition, path: tuple[int, ...], value: float) -> Condition:
    """The condition with another number at the end of a path."""
    if not path:
        match condition:
            case Spread() | AtLeast():
                return replace(condition, count=round(value))
            case Compare(left, _, right):
                if right.atoms:
                    return replace(condition, left=_constant(left, value))
                return replace(condition, right=_constant(right, value))
    match condition:
        case Not(part) | Spread(part):
            return replace(condition, part=_at(part, path[1:], value))
        case All(parts) | AnyOf(parts) | AtLeast(_, parts):
            changed = [_at(p, path[1:], value) if i == path[0] else p for i, p in enumerate(parts)]
            return replace(condition, parts=tuple(changed))
    raise ValueError(f"no number at {path}")


def _constant(measure: Measure, value: float) -> Measure:
    return replace(measure, terms=(replace(measure.terms[0], coefficient=float(value)),))


def _sensible(threshold: Threshold, value: float) -> bool:
    return value >= threshold.low - 1e-9 and (threshold.high is None or value <= threshold.high + 1e-9)


def _length(metric: Metric) -> int | None:
    """Of what the condition is judged on, in ticks."""
    if metric.per is not None:
        return metric.per if metric.per_unit == "tick" else None
    return metric.window.days


def _blocks(metric: Metric) -> int | None:
    days = metric.window.days
    if days is None or metric.per is None or metric.per_unit != "tick":
        return None
    return days - metric.per + 1 if metric.rolling else days // metric.per


def _rounded(value: float) -> float:
    """Without the last digits that arithmetic adds."""
    return float(f"{value:.6g}")
