"""What stands in the engine once everything has been read for one experiment: units, logs, tables, and what was found on
the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from abtest.analysis.result import SourceInfo
from abtest.language.canonical import events_of
from abtest.language.conditions import Attribute
from abtest.language.model import Column, Event, Group, Metric, Segment
from abtest.metrics.covariates import Covariate, NotAdjusted
from abtest.metrics.halves import Halves
from abtest.metrics.labels import label_segments
from abtest.metrics.nearby import Nearby
from abtest.metrics.plan import Extent, Plan, make_plan
from abtest.metrics.returns import Returns
from abtest.metrics.units import Inputs, Values, unit_values
from abtest.sources.clusters import Clustered
from abtest.sources.engine import Engine
from abtest.sources.events import Log
from abtest.sources.read import Raw
from abtest.sources.tables import UnitTable
from abtest.sources.units import Exposed


@dataclass(frozen=True)
class Prepared:
    """What stands in the engine, and what was found on the way."""

    exposed: Exposed
    logs: dict[str, Log]
    tables: dict[str, UnitTable]
    segments: dict[str, tuple[str, str]]
    outcomes: dict[Column, tuple[str, str]]
    sources: tuple[SourceInfo, ...]
    notices: tuple[str, ...]
    raws: dict[str, Raw]
    seen: dict[str, int]
    undeclared: tuple[int, tuple[str, ...]]
    metrics: tuple[Metric, ...]
    hidden: tuple[Metric, ...]
    events: dict[str, Event]
    attributes: dict[Attribute, tuple[str, str, bool]]
    among: dict[str, tuple[str, str, bool]]
    splits: tuple[Segment, ...]
    groups: Mapping[str, Group]
    covariates: Mapping[str, tuple[Covariate, ...]]
    unadjusted: Mapping[str, NotAdjusted]
    attribute_columns: Mapping[tuple[str, str], tuple[str, str]]
    clusters: Clustered | None = None
    halves: Mapping[str, Halves] = field(default_factory=dict)
    returns: tuple[Returns, ...] = ()
    nearby: tuple[Nearby, ...] = ()

    def plan(self, zone: str) -> Plan:
        extents = {n: Extent(log.first, log.last_complete) for n, log in self.logs.items()}
        dating = {self.events[e].source for m in self.metrics for e in events_of(m)}
        return make_plan((*self.metrics, *self.hidden), self.events, extents, zone, dating)

    def inputs(self) -> Inputs:
        """What the metrics are computed from."""
        hidden = {h.name for h in self.hidden}
        pre = {m.name: f"among of {m.name}" for m in self.metrics if f"among of {m.name}" in hidden}
        # The other days of a retention, and what is close to a goal, are about the units that it is about.
        like = {h.name: one.asked[0].name for one in self.returns for _, h in one.days}
        like |= {c.metric.name: one.goal.name for one in self.nearby for c in one.cells}
        pre |= {h: pre[name] for h, name in like.items() if name in pre}
        among = {**self.among, **{h: self.among[name] for h, name in like.items() if name in self.among}}
        return Inputs(
            self.logs,
            self.events,
            self.segments,
            self.outcomes,
            self.attributes,
            among,
            pre,
            self.attribute_columns,
        )

    def values(self, engine: Engine, plan: Plan) -> Values:
        """The table of unit values."""
        values = unit_values(engine, plan, (*self.metrics, *self.hidden), self.inputs())
        label_segments(engine, values, self.splits, self.groups)
        return values
