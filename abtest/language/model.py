"""What a project means, as frozen values, all names resolved: experiments and the project itself, and re-exported what
they are made of: sources, events and surveys (`source_model.py`), metrics and groups (`metric_model.py`).

Times are calendar dates (`datetime.date`) and whole days; fractions are fractions (5 % is 0.05). Each definition
carries the place where it stands, which does not count for equality.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

from abtest.language.beside_model import Drivers, Moderator, Target, Trigger
from abtest.language.conditions import Condition, RowTest, Where
from abtest.language.lock_model import Lock
from abtest.language.looks_model import Look
from abtest.language.metric_model import (
    FINER_UNITS,
    Adjust,
    Among,
    Cap,
    Clock,
    Column,
    Cross,
    Example,
    ExampleEvent,
    Fold,
    FoldName,
    Funnel,
    Group,
    GroupUse,
    Ladder,
    Margin,
    Metric,
    MetricKind,
    Missing,
    Part,
    Quantile,
    RatioPart,
    Step,
    Tick,
    Timing,
    Window,
    Written,
)
from abtest.language.plan_model import EARLY_LITTLE, FLAT_PRIOR, Method, Prior, Spending
from abtest.language.source_model import (
    NOWHERE,
    Event,
    Once,
    Property,
    PropertyType,
    Source,
    SourceKind,
    Survey,
    TimeColumn,
    TimeFormat,
    nowhere,
)
from abtest.problems import Place

__all__ = [
    "FINER_UNITS",
    "NOWHERE",
    "Adjust",
    "Among",
    "Cap",
    "Clock",
    "Cluster",
    "Column",
    "Correction",
    "Cross",
    "DecideRule",
    "Drivers",
    "Event",
    "Example",
    "ExampleEvent",
    "Experiment",
    "Fold",
    "FoldName",
    "Funnel",
    "Group",
    "GroupUse",
    "Ladder",
    "Margin",
    "Metric",
    "MetricKind",
    "MetricUse",
    "Missing",
    "Moderator",
    "Once",
    "Part",
    "Plan",
    "Project",
    "Property",
    "PropertyType",
    "Quantile",
    "RatioPart",
    "Segment",
    "Source",
    "SourceKind",
    "Step",
    "Survey",
    "Target",
    "Tick",
    "TimeColumn",
    "TimeFormat",
    "Timing",
    "Trigger",
    "Variant",
    "Window",
    "Written",
]


DEFAULT_ADJUST = 28
"""Days before exposure: whole weeks, so that weekdays weigh alike."""


@dataclass(frozen=True)
class Variant:
    id: str
    key: str
    share: float | None
    title: str
    place: Place = field(default_factory=nowhere, compare=False)


@dataclass(frozen=True)
class MetricUse:
    """A metric in an experiment, with what the experiment overrides."""

    name: str
    role: Literal["goal", "guardrail", "secondary", "explore", "part"]
    margin: Margin | None = None
    detect: float | None = None
    place: Place = field(default_factory=nowhere, compare=False)
    margin_place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Segment:
    """A split by what is known before exposure: an attribute, or a `test` of it, a condition, or the rung or cell of a
    group (`metric`, over a window before exposure)."""

    name: str
    source: str
    prop: str
    condition: Condition | None = None
    group: str | None = None
    days: int = 0
    place: Place = field(default_factory=nowhere, compare=False)
    test: RowTest | None = None


Correction = Literal["holm", "hochberg", "bonferroni", "dunnett", "bh", "by", "none"]


@dataclass(frozen=True)
class Cluster:
    """The attribute whose values were randomised as wholes."""

    source: str
    prop: str
    place: Place = field(default_factory=nowhere, compare=False)


@dataclass(frozen=True)
class Plan:
    """How the experiment is read. `looks`: information fractions of the planned looks; `units`: how many units it waits
    for, None where looks go by days; `monitoring`: the part of alpha that a hybrid plan spends on looking early."""

    method: Method = "fixed"
    alpha: float = 0.05
    guardrail_alpha: float = 0.025
    power: float = 0.8
    detect: float | None = None
    correct_goal: Correction = "holm"
    correct_secondary: Correction = "none"
    srm_alpha: float = 0.001
    lift: Literal["fieller", "delta", "log"] = "fieller"
    correct_segments: Literal["bh", "none"] = "bh"
    looks: tuple[float, ...] = ()
    spending: Spending = EARLY_LITTLE
    units: int | None = None
    monitoring: float = 0.2
    prior: Prior = FLAT_PRIOR


@dataclass(frozen=True)
class DecideRule:
    """One named outcome: `tests` are (quantifier or metric, state) joined by `joiner`; empty tests = otherwise."""

    outcome: str
    verdict: Literal["ship", "dont_ship", "keep_running", "dont_decide"]
    joiner: Literal["and", "or"]
    tests: tuple[tuple[str, str, str], ...]
    text: str


@dataclass(frozen=True)
class Experiment:
    id: str
    title: str
    unit: str
    exposure_source: str
    flag: str | None
    variants: tuple[Variant, ...]
    baseline: str
    metrics: tuple[MetricUse, ...]
    exposure_where: Where | None = None
    flag_place: Place = field(default_factory=nowhere, compare=False)
    owner: str | None = None
    hypothesis: str | None = None
    start: date | None = None
    enroll_until: date | None = None
    end: date | None = None
    as_of: date | None = None
    only: Where | None = None
    exclude: Where | None = None
    mixed: Literal["drop", "first"] = "drop"
    cluster: Cluster | None = None
    segments: tuple[Segment, ...] = ()
    plan: Plan = Plan()
    decide: tuple[DecideRule, ...] = ()
    trigger: Trigger | None = None
    value: str | None = None
    drivers: Drivers | None = None
    mechanism: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    moderators: tuple[Moderator, ...] = ()
    iteration_of: str | None = None
    changes: tuple[str, ...] = ()
    place: Place = field(default_factory=nowhere, compare=False)
    places: tuple[tuple[str, Place], ...] = field(default=(), compare=False)

    def at(self, key: str) -> Place:
        """Where the value of a key stands, such as `unit`, `exposure.source` or `decide.ship`."""
        return dict(self.places).get(key, self.place)

    @property
    def treatments(self) -> tuple[Variant, ...]:
        return tuple(v for v in self.variants if v.id != self.baseline)


@dataclass(frozen=True)
class Project:
    """Everything that the files of one folder define. `default_adjust`: over how many days before exposure metrics are
    adjusted that do not say by what; 0 for not at all. `locks`: the stamped plans, by experiment; `looks`: when
    their data were looked at. `language`: that of
    reports, where none is asked for."""

    root: Path
    name: str
    timezone: str
    data: str
    sources: Mapping[str, Source]
    events: Mapping[str, Event]
    metrics: Mapping[str, Metric]
    experiments: Mapping[str, Experiment]
    groups: Mapping[str, Group] = field(default_factory=dict)
    surveys: Mapping[str, Survey] = field(default_factory=dict)
    min_cell: int = 10
    default_adjust: int = DEFAULT_ADJUST
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    locks: Mapping[str, Lock] = field(default_factory=dict)
    looks: Mapping[str, tuple[Look, ...]] = field(default_factory=dict)
    language: str = "en"
