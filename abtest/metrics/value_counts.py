"""How many units have each value of a metric: what rank tests, curves and life tables are made from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from abtest.language.conditions import with_atoms
from abtest.language.model import Metric
from abtest.language.statistical_tests import OF_RANKS, OF_TIMES
from abtest.metrics.units import Values
from abtest.sources.engine import Engine

MOST_VALUES = 10_000
"""Different values; a metric with more of them is no matter of counting."""
Counted = tuple[tuple[float, int], ...]


def needs_counts(metric: Metric) -> bool:
    """Whether anything that is shown of a metric needs its values one by one."""
    if metric.quantile is not None or metric.pooled or metric.part_of is not None:
        return False
    ranked = metric.kind in ("time_to", "survey") or (metric.group is not None and metric.group.ranked)
    return ranked or metric.show is not None or metric.test in (*OF_RANKS, *OF_TIMES)


RAW = "raw: "
"""How the names of hidden metrics begin that hold an answer as it was given, where the score keeps less of it."""


def raw_answer(metric: Metric) -> Metric | None:
    """The answer itself of a survey whose score is not the answer: 0 to 10 instead of promoter or detractor."""
    measure = metric.measure
    if metric.survey is None or metric.part_of is not None or measure is None or metric.unit_of_value != "points":
        return None
    own = with_atoms(measure, lambda atom: replace(atom, prop=f"{metric.survey}.answer"))
    return replace(metric, name=f"{RAW}{metric.name}", measure=own, cap=None, adjust=None, show=None, margin=None)


NPS_CUTS = (6.0, 8.0)
"""The last answer of a detractor and of a passive, on scales from 0 and from 1 alike."""


def answer_classes(metric: Metric) -> tuple[float, ...]:
    """Where one class of answers ends and the next begins; none but of a net promoter score."""
    return NPS_CUTS if raw_answer(metric) is not None else ()


def value_counts(
    engine: Engine, values: Values, metric: Metric, by: str | None = None
) -> dict[tuple[Any, int], Counted]:
    """Per (segment value, variant): pairs (value, units), values ascending. Empty with too many different values."""
    table = engine.table(values.table)
    column = table[values.value[metric.name]]
    known = table.filter(column.notnull())
    distinct = engine.fetch(known.agg(n=known[values.value[metric.name]].nunique()))[0]["n"]
    if distinct > MOST_VALUES:
        return {}
    keys = ["variant"] if by is None else [by, "variant"]
    grouped = known.group_by([*keys, values.value[metric.name]]).agg(n=known.count())
    found: dict[tuple[Any, int], list[tuple[float, int]]] = {}
    for row in engine.fetch(grouped):
        key = (row[by] if by is not None else None, int(row["variant"]))
        found.setdefault(key, []).append((float(row[values.value[metric.name]]), int(row["n"])))
    return {key: tuple(sorted(pairs)) for key, pairs in found.items()}
