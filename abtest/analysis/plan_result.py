"""What a plan found: everything that its page, its terminal form and its JSON show. Aggregates only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from abtest.analysis.codec import encode
from abtest.stats.spending import Sides

SCHEMA = 1


@dataclass(frozen=True)
class MetricPlan:
    """One goal or guardrail. Values in the metric's unit, shares and relative effects as fractions.

    `reason` says why it cannot be planned; all that follows from the past is then None. `asked` is the effect to be
    found: `detect` times the base value, or the margin. `needed` are units of the whole experiment, not rounded, and
    `weeks` the whole weeks until they are complete, None where the past cannot show it. `detectable`: the smallest
    effect that is found after week 1, 2, ...; None before any window is over.
    """

    key: str
    title: str
    role: Literal["goal", "guardrail"]
    better: str | None
    unit_of_value: str
    window: str
    reason: str | None = None
    source: str | None = None
    base: float | None = None
    deviation: float | None = None
    units: int = 0
    counted: float | None = None
    kept: float | None = None
    unadjusted: str | None = None
    design_effect: float | None = None
    detect: float | None = None
    margin_kind: Literal["relative", "absolute"] | None = None
    margin: float | None = None
    asked: float | None = None
    alpha: float | None = None
    sides: Sides = 2
    power: float | None = None
    inflation: float = 1.0
    follow_up: int = 0
    needed: float | None = None
    weeks: int | None = None
    detectable: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Simulated:
    """How often splits of the past's own units found the planned effect of a metric, and an effect where there is none,
    at any look; each with its Monte-Carlo standard error. `level` is what the second may be, `expected` the power that the
    equation gives for that many units."""

    key: str
    level: float
    expected: float
    power: float
    power_error: float
    false: float
    false_error: float


@dataclass(frozen=True)
class Simulation:
    """`splits` of `units` of the past, effects scaled to the `planned` number of units. `ship`: how often the whole rule
    held, None where something was left out. `reason`: why there was none. `looks`: shares of the planned units at which a
    plan of several looks was tried."""

    splits: int
    units: int = 0
    planned: float = 0.0
    metrics: tuple[Simulated, ...] = ()
    ship: float | None = None
    ship_error: float | None = None
    reason: str | None = None
    looks: tuple[float, ...] = ()


@dataclass(frozen=True)
class Caution:
    """Something that the numbers rest on: a code, the metric that it is about, and a number."""

    code: str
    metric: str | None = None
    number: float | None = None


@dataclass(frozen=True)
class PlanResult:
    """`days` on which units could enter the past, `entered` the different units until the end of week 1, 2, ...; both of
    everyone, of whom the share `traffic` takes part. `shares`: (variant, its share). `rule`: whether any or every goal
    has to be better. `like`: the experiment whose exposures let units enter. `lead`: days of log before the first day on
    which units could enter, which only tell what they did before. `units`, `driver`: size of all together and the metric
    that decides it; `weeks`, `slowest`: the same of the duration. `shown`: weeks that the past can show. `at_weeks`: the
    duration that was asked about.
    """

    schema: int
    experiment: str
    title: str
    unit: str
    cluster: str | None
    source: str
    by: str | None
    start: str
    end: str
    days: int
    past_units: int
    entered: tuple[float, ...]
    traffic: float
    shares: tuple[tuple[str, str, float], ...]
    method: str
    alpha: float
    guardrail_alpha: float
    power: float
    rule: Literal["any", "every"]
    metrics: tuple[MetricPlan, ...]
    units: float | None
    driver: str | None
    weeks: int | None
    slowest: str | None
    shown: int
    at_weeks: int | None = None
    at_units: float | None = None
    clusters: float | None = None
    simulation: Simulation | None = None
    cautions: tuple[Caution, ...] = ()
    like: str | None = None
    lead: int = 0

    def metric(self, key: str) -> MetricPlan:
        return next(m for m in self.metrics if m.key == key)

    def to_json(self) -> str:
        """Canonical text: keys in the order of the fields, one newline at the end."""
        return json.dumps(encode(self), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
