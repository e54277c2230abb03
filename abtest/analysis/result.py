"""The result of one experiment: one frozen, versioned value from which every output is rendered.

A `Result` holds aggregates only. It round-trips through JSON without loss: floats keep full precision, fractions
stay fractions (0.0413, never "4.13 %"), and absent numbers are null beside a reason code. Words are not made here:
states, labels and reasons are codes that `reports/*.yml` turns into sentences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from abtest.analysis.beside import DriverResult, ModeratorResult, Retention, Triggered, Value
from abtest.analysis.comparison import ArmValue as ArmValue
from abtest.analysis.comparison import Comparison as Comparison
from abtest.analysis.comparison import GuardrailLabel as GuardrailLabel
from abtest.analysis.comparison import MarginResult as MarginResult
from abtest.analysis.comparison import State as State
from abtest.analysis.early import Believed as Believed
from abtest.analysis.early import LookInfo as LookInfo
from abtest.analysis.early import LooksInfo as LooksInfo
from abtest.analysis.early import PlanInfo as PlanInfo
from abtest.analysis.effects import Adjustment as Adjustment
from abtest.analysis.effects import Beside as Beside
from abtest.analysis.effects import Clustering as Clustering
from abtest.analysis.effects import Curve as Curve
from abtest.analysis.effects import CurvePoint as CurvePoint
from abtest.analysis.effects import Equivalence as Equivalence
from abtest.analysis.effects import Movement as Movement
from abtest.analysis.effects import MovementArm as MovementArm
from abtest.analysis.effects import MovementChange as MovementChange
from abtest.analysis.effects import Scale as Scale
from abtest.analysis.effects import TableTest as TableTest
from abtest.analysis.effects import Unadjusted as Unadjusted
from abtest.analysis.interval import Interval as Interval
from abtest.analysis.lineage import Across, Iteration
from abtest.analysis.projections import TargetResult
from abtest.analysis.robustness import NearbyCell as NearbyCell
from abtest.analysis.robustness import Robustness as Robustness
from abtest.analysis.trajectory import DayPoint as DayPoint
from abtest.analysis.trajectory import NoTrajectory as NoTrajectory
from abtest.analysis.trajectory import Trajectory as Trajectory
from abtest.analysis.trajectory import WeekPoint as WeekPoint

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = "abtest.result/1"

Correction = Literal["holm", "hochberg", "bonferroni", "dunnett", "bh", "by", "none"]
Verdict = Literal["ship", "dont_ship", "keep_running", "dont_decide"]
Role = Literal["goal", "guardrail", "secondary", "explore", "part"]
Better = Literal["higher", "lower"]
HealthLevel = Literal["pass", "note", "fail", "not_run"]
Number = int | float


@dataclass(frozen=True)
class Bin:
    """Units with a value in [low, high], per variant; a bin holds at least `min_cell` units of each, or none."""

    low: float
    high: float
    units: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Advice:
    """What to do for the units of one cell or level: `text` in English, `others` as (language, text)."""

    cell: str
    text: str
    others: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class MetricResult:
    """One requested metric. It always exists; when nothing could be computed every comparison says why.

    `unit_of_value`: "share" (0..1), "count", "ratio", "points", or a declared unit such as "money EUR", "duration s".
    `meaning` is the plain definition in English from `abtest explain`, `meanings` the same per other language, so that
    one result serves all languages; `window` e.g. "first 28 days" or None.
    `mature_on` is the first data date (ISO) with which all units are mature, None when they are. `part_of`: the metric
    of which this is a part (role "part"). `cap`: the number at which values were cut. `definition` is what
    `definition_hash` is the hash of, key by key as it is written. `histogram`: how the values are spread, where the
    definition asks to show it; `answers`: how those to a survey are, as they were given. `beside` and `curves` are other
    looks at it; `movement` is from which level of a group to which, before and after. `dimension`, `phase` and `tags` are
    the analyst's own words for it, `cannot` what it does not tell; `told` are (language, key, text) of title,
    description and `cannot` in other languages. `advice`: what to do for the units of a cell or level. `trajectory`: how the
    effect on a goal came about, one per treatment.
    """

    key: str
    title: str
    description: str | None
    role: Role
    kind: str
    unit_of_value: str
    better: Better | None
    estimator: Literal["mean", "proportion", "ratio", "quantile"]
    window: str | None
    meaning: str
    definition_hash: str
    version: int | None
    owner: str | None
    arms: tuple[ArmValue, ...]
    comparisons: tuple[Comparison, ...]
    detect: float | None = None
    stamps: tuple[str, ...] = ()
    mature_on: str | None = None
    part_of: str | None = None
    cap: float | None = None
    definition: tuple[tuple[str, str], ...] = ()
    histogram: tuple[Bin, ...] = ()
    answers: tuple[Bin, ...] = ()
    beside: tuple[Beside, ...] = ()
    curves: tuple[Curve, ...] = ()
    dimension: str | None = None
    phase: str | None = None
    tags: tuple[str, ...] = ()
    cannot: str | None = None
    told: tuple[tuple[str, str, str], ...] = ()
    advice: tuple[Advice, ...] = ()
    meanings: tuple[tuple[str, str], ...] = ()
    movement: Movement | None = None
    trajectory: tuple[Trajectory, ...] = ()


@dataclass(frozen=True)
class Shrunken:
    """The effect in one group, pulled towards that in all groups by as much as its error makes it stand out."""

    variant: str
    absolute: Interval


@dataclass(frozen=True)
class SegmentGroup:
    """One value of a segment dimension. Cells below the privacy floor are merged into `hidden` (label None).

    `shrunken`: the absolute effects to read many groups by, since the largest of many raw ones is too large.
    """

    label: str | None
    arms: tuple[ArmValue, ...]
    comparisons: tuple[Comparison, ...]
    shrunken: tuple[Shrunken, ...] = ()


@dataclass(frozen=True)
class SegmentResult:
    """One goal metric split by one attribute known before exposure. `interaction_p` tests whether effects differ;
    `interaction_p_adjusted` takes all splits and goals into account, by the method of the plan."""

    dimension: str
    metric: str
    groups: tuple[SegmentGroup, ...]
    merged_groups: int
    interaction_p: float | None
    interaction_reason: str | None = None
    registered: bool = True
    interaction_p_adjusted: float | None = None


@dataclass(frozen=True)
class RuleLine:
    """One line of the decision rule as checked: `code` selects the words, `met` is None when not judged."""

    code: str
    met: bool | None
    metrics: tuple[str, ...] = ()
    values: Mapping[str, Number | str | None] | None = None


@dataclass(frozen=True)
class VariantDecision:
    variant: str
    verdict: Verdict
    reason: str
    rules: tuple[RuleLine, ...]
    outcome: str | None = None


@dataclass(frozen=True)
class Decision:
    """The verdict of the experiment and, when there are several treatments, of each.

    `variant` is the treatment that the headline speaks of. `valid` is False when a health check failed: then no
    human-readable output shows an effect.
    """

    verdict: Verdict
    reason: str
    variant: str
    valid: bool
    rules: tuple[RuleLine, ...]
    by_variant: tuple[VariantDecision, ...]
    outcome: str | None = None
    custom_rule: tuple[str, ...] = ()


@dataclass(frozen=True)
class HealthCheck:
    """One trust check. `scope` is "experiment" or "metric"; `subject` then names the metric or dimension."""

    key: str
    scope: Literal["experiment", "metric"]
    subject: str | None
    level: HealthLevel
    reason: str | None = None
    values: Mapping[str, Number | str | None] | None = None


@dataclass(frozen=True)
class LedgerStep:
    """Rows (or units) that left at this step. `by_variant` only where the variant of a row is known."""

    step: str
    count: int
    by_variant: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Ledger:
    """Where every row of one source, or every unit, went. read = sum of all later steps, `used` last."""

    source: str
    kind: Literal["rows", "units"]
    read: int
    steps: tuple[LedgerStep, ...]
    notes: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class VariantInfo:
    id: str
    title: str
    key: str
    share: float | None
    units: int


@dataclass(frozen=True)
class ExperimentInfo:
    """`days_run` counts whole dates from `start` to the end of the data, which may lie beyond `end`; `days_planned` those
    to `end`; both None when the data carry no time. `cluster`: the attribute whose values were randomised as wholes."""

    id: str
    title: str
    owner: str | None
    hypothesis: str | None
    unit: str
    baseline: str
    variants: tuple[VariantInfo, ...]
    has_time: bool
    timezone: str
    start: str | None = None
    enroll_until: str | None = None
    end: str | None = None
    data_through: str | None = None
    days_run: int | None = None
    days_planned: int | None = None
    reached_end: bool = True
    fully_mature_on: str | None = None
    iteration_of: str | None = None
    changes: tuple[str, ...] = ()
    cluster: str | None = None

    @property
    def days_of_plan(self) -> int | None:
        """Of the dates that were planned, those that the data hold: what lies beyond the end is no part of the run."""
        if self.days_run is None or self.days_planned is None:
            return self.days_run
        return min(self.days_run, self.days_planned)


@dataclass(frozen=True)
class SourceInfo:
    """A source as read: file names relative to the data folder, rows, and a fingerprint that ignores row order."""

    name: str
    kind: str
    files: tuple[str, ...]
    rows: int
    fingerprint: str
    first: str | None = None
    last: str | None = None


@dataclass(frozen=True)
class Provenance:
    abtest_version: str
    config_hash: str
    plan_hash: str
    command: str
    sources: tuple[SourceInfo, ...]
    engine: str
    defaults_version: int
    libraries: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, repr=False)
class Result:
    schema: str
    experiment: ExperimentInfo
    plan: PlanInfo
    decision: Decision
    metrics: tuple[MetricResult, ...]
    segments: tuple[SegmentResult, ...]
    health: tuple[HealthCheck, ...]
    ledgers: tuple[Ledger, ...]
    provenance: Provenance
    min_cell: int = 10
    warnings: tuple[str, ...] = ()
    triggered: Triggered | None = None
    value: Value | None = None
    drivers: DriverResult | None = None
    iterations: tuple[Iteration, ...] = ()
    targets: tuple[TargetResult, ...] = ()
    moderators: tuple[ModeratorResult, ...] = ()
    looks: LooksInfo | None = None
    retention: tuple[Retention, ...] = ()
    across: tuple[Across, ...] = ()
    robustness: tuple[Robustness, ...] = ()

    def with_role(self, role: Role) -> tuple[MetricResult, ...]:
        return tuple(m for m in self.metrics if m.role == role)

    @property
    def early(self) -> bool:
        """A plan that decides at its end, or at its looks, read before: then only the always-valid band may be read."""
        if self.experiment.reached_end or self.plan.method in ("sequential", "hybrid"):
            return False
        return self.plan.method != "group_sequential" or self.looks is None or not self.looks.planned

    @property
    def every_look(self) -> bool:
        """What is shown holds at every look: what has no such band stays open."""
        if self.plan.method in ("hybrid", "group_sequential"):
            return not self.experiment.reached_end and not self.early
        return self.plan.method == "sequential"

    def __repr__(self) -> str:
        metrics = ", ".join(m.key for m in self.metrics)
        return f"<Result of {self.experiment.id}: {self.decision.verdict} ({self.decision.reason}); metrics {metrics}>"

    @property
    def goals(self) -> tuple[MetricResult, ...]:
        return self.with_role("goal")

    @property
    def guardrails(self) -> tuple[MetricResult, ...]:
        return self.with_role("guardrail")

    def metric(self, key: str) -> MetricResult:
        """The metric named `key`; KeyError names what exists."""
        for metric in self.metrics:
            if metric.key == key:
                return metric
        raise KeyError(f"no metric {key!r} in this result; it has {', '.join(m.key for m in self.metrics)}")

    def to_json(self) -> str:
        from abtest.analysis.codec import to_json

        return to_json(self)

    @staticmethod
    def from_json(text: str) -> Result:
        from abtest.analysis.codec import from_json

        return from_json(text)

    def to_pandas(self) -> pd.DataFrame:
        """One row per metric and treatment: values, effect with interval, p-values, state, margin label."""
        from abtest.analysis.frame import to_pandas

        return to_pandas(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: the verdict and the table of metrics. No effects when a health check failed."""
        from abtest.analysis.frame import notebook

        return notebook(self)
