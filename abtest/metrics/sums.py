"""Unit values to exact sums per variant and segment: the same whole numbers for any order of rows and any threads.

Floating sums differ with the order of addition. Here every value becomes a whole number first, (value - shift) *
scale with a power-of-two scale that spends 44 bits on the range of the metric; whole numbers add up exactly in any
order, and rational arithmetic makes moments of them. The rounding is 2^-45 of the range, less than a float sum loses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from abtest.language.model import Metric
from abtest.metrics.units import Values
from abtest.problems import Problem, UserError
from abtest.sources.engine import Engine

_BITS = 44
_CUBE_BITS = 22
LARGEST = 1e90
_SMALLER = "Is a column mapped by mistake? Cap it, or export it in a larger unit."


@dataclass(frozen=True)
class Column:
    """Sums of q = (value - shift) * scale over the units that have a value.

    `coarse` holds the sums of q, q^2 and q^3 on a coarser scale: third powers of 44 bits would not fit 128.
    """

    shift: float
    scale: int | Fraction
    s1: int
    s2: int
    coarse_scale: int | Fraction = 1
    coarse: tuple[int, int, int] | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ArmSums:
    """One metric in one variant (of one segment): exposed = used + immature + missing.

    `denominator` and `cross` (sum of q_x * q_y) for ratios. `binary`: every value is 0 or 1 and means yes or no.
    """

    exposed: int
    used: int
    immature: int
    missing: int
    capped: int | None
    value: Column | None
    denominator: Column | None
    cross: int | None
    binary: bool


@dataclass(frozen=True)
class Grid:
    """How the values of one column become whole numbers."""

    shift: float
    scale: float
    coarse: float

    @staticmethod
    def of(low: float | None, high: float | None) -> Grid:
        if low is None or high is None or high == low:
            return Grid(low or 0.0, 1.0, 1.0)
        # A power of two: whole numbers stay whole up to a range of 2^44.
        exponent = min(900, _BITS - math.ceil(math.log2(high - low)))
        return Grid(low, 2.0**exponent, 2.0 ** (exponent - (_BITS - _CUBE_BITS)))

    @property
    def exact(self) -> int | Fraction:
        return exact(self.scale)


def exact(scale: float) -> int | Fraction:
    """A power of two without rounding."""
    return int(scale) if scale >= 1.0 else Fraction(scale)


def grids(engine: Engine, values: Values) -> dict[str, Grid]:
    """The grid of each value column, from its range over all variants."""
    table = engine.table(values.table)
    attributes = [c for c in values.attributes.values() if table[c].type().is_numeric()]
    columns = [*values.value.values(), *values.denominator.values(), *attributes]
    if not columns:
        return {}
    ends = {f"{c}_{end}": getattr(table[c], end)() for c in columns for end in ("min", "max")}
    row = engine.fetch(table.agg(**ends))[0]
    _not_too_large(values, row)
    return {c: Grid.of(row[f"{c}_min"], row[f"{c}_max"]) for c in columns}


def _not_too_large(values: Values, row: Mapping[str, Any]) -> None:
    """Values whose cubes leave the range of numbers stop a run, all of them at once."""
    named = [(m, c) for part in (values.value, values.denominator) for m, c in part.items()]
    named += [(f"{source}.{prop}", c) for (source, prop), c in values.attributes.items() if f"{c}_min" in row]
    found: dict[str, float] = {}
    for name, column in named:
        ends = [abs(float(row[f"{column}_{end}"])) for end in ("min", "max") if row[f"{column}_{end}"] is not None]
        if ends and not max(ends) <= LARGEST:
            found.setdefault(name, max(ends))
    if found:
        problems = [
            Problem("E519", f"{name}: values up to {size:.3g} are too large to compute with", None, _SMALLER)
            for name, size in sorted(found.items())
        ]
        raise UserError(problems, exit_code=3)


def binary_metrics(engine: Engine, values: Values, metrics: tuple[Metric, ...]) -> frozenset[str]:
    """Metrics that are a yes or no per unit: by definition, or columns that only hold 0 and 1."""
    found = {m.name for m in metrics if m.yes_or_no and not m.pooled}
    asked = [
        m
        for m in metrics
        if (m.kind == "column" and m.unit_of_value in ("number", "share")) or (m.survey and m.unit_of_value == "share")
    ]
    if asked:
        table = engine.table(values.table)
        others = {m.name: table[values.value[m.name]].notin([0.0, 1.0]).sum() for m in asked}
        row = engine.fetch(table.agg(**others))[0]
        found |= {m.name for m in asked if not row[m.name]}
    return frozenset(found)


def arm_sums(
    engine: Engine,
    values: Values,
    metrics: tuple[Metric, ...],
    by: str | tuple[str, ...] | None,
    grid: Mapping[str, Grid],
    binary: frozenset[str],
) -> dict[tuple[Any, int], dict[str, ArmSums]]:
    """All metrics per (segment value, variant); the segment value is None without `by`, a tuple where `by` is one. One
    query."""
    table = engine.table(values.table)
    columns: dict[str, Any] = {"n": table.count()}
    for metric in metrics:
        columns |= _sums(table, values, metric, grid)
    keys = () if by is None else (by,) if isinstance(by, str) else by
    rows = engine.fetch(table.group_by([*keys, "variant"]).agg(**columns))

    def segment(row: Mapping[str, Any]) -> Any:
        return tuple(row[k] for k in by) if isinstance(by, tuple) else row[by] if by is not None else None

    return {
        (segment(row), int(row["variant"])): {m.name: _arm(row, values, m, grid, m.name in binary) for m in metrics}
        for row in rows
    }


def _sums(table: Any, values: Values, metric: Metric, grid: Mapping[str, Grid]) -> dict[str, Any]:
    v = values.value[metric.name]
    number = table[v]
    g = grid[v]
    whole = as_whole(number, g.shift, g.scale)
    rough = as_whole(number, g.shift, g.coarse)
    found = {
        f"{v}_n": number.count(),
        f"{v}_1": whole.sum(),
        f"{v}_2": (whole * whole).sum(),
        f"{v}_min": number.min(),
        f"{v}_max": number.max(),
    }
    if metric.name in values.denominator:
        w = values.denominator[metric.name]
        other = as_whole(table[w], grid[w].shift, grid[w].scale)
        found |= {f"{w}_1": other.sum(), f"{w}_2": (other * other).sum(), f"{v}_{w}": (whole * other).sum()}
    else:
        found |= {f"{v}_r1": rough.sum(), f"{v}_r2": (rough * rough).sum(), f"{v}_r3": (rough * rough * rough).sum()}
    among = table[values.among[metric.name]] if metric.name in values.among else None
    if among is not None:
        found[f"{v}_among"] = among.sum()
    if metric.name in values.mature:
        mature = table[values.mature[metric.name]]
        found[f"{v}_mature"] = (mature if among is None else mature & among).sum()
    if metric.name in values.capped:
        found[f"{v}_capped"] = table[values.capped[metric.name]].sum()
    return found


def as_whole(number: Any, shift: float, scale: float) -> Any:
    """(number - shift) * scale as a whole number of 128 bits."""
    return ((number - shift) * scale).round().cast("decimal(18, 0)").cast("decimal(38, 0)")


def _arm(row: Mapping[str, Any], values: Values, metric: Metric, grid: Mapping[str, Grid], binary: bool) -> ArmSums:
    v = values.value[metric.name]
    g = grid[v]
    exposed = int(row[f"{v}_among"] or 0) if f"{v}_among" in row else int(row["n"])
    used = int(row[f"{v}_n"])
    mature = int(row[f"{v}_mature"] or 0) if f"{v}_mature" in row else exposed
    capped = int(row[f"{v}_capped"] or 0) if f"{v}_capped" in row else None
    if not used:
        return ArmSums(exposed, 0, exposed - mature, mature, capped, None, None, None, binary)
    first, second = int(row[f"{v}_1"]), int(row[f"{v}_2"])
    below = cross = None
    if metric.name in values.denominator:
        w = values.denominator[metric.name]
        below = Column(grid[w].shift, grid[w].exact, int(row[f"{w}_1"]), int(row[f"{w}_2"]))
        cross = int(row[f"{v}_{w}"])
        above = Column(g.shift, g.exact, first, second)
    else:
        coarse = (int(row[f"{v}_r1"]), int(row[f"{v}_r2"]), int(row[f"{v}_r3"]))
        ends = (float(row[f"{v}_min"]), float(row[f"{v}_max"]))
        above = Column(g.shift, g.exact, first, second, exact(g.coarse), coarse, *ends)
    return ArmSums(exposed, used, exposed - mature, mature - used, capped, above, below, cross, binary)
