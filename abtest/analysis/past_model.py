"""What `abtest preview` and `abtest lab` find, as frozen values: aggregates of a past, never of single units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from abtest.analysis.interval import Interval

LAB_SCHEMA = "abtest.lab/1"
PREVIEW_SCHEMA = "abtest.preview/1"
Known = Literal["ok", "too_short", "no_window", "no_events"]
"""Whether a column is there, and if not, why."""
Prevalence = Literal["rare", "common", "fits", "hidden"]


@dataclass(frozen=True)
class About:
    """The metric that is looked at. `prevalence`: of what the share is told: units, or their periods."""

    key: str
    title: str
    meaning: str
    meanings: tuple[tuple[str, str], ...]
    unit: str
    kind: str
    unit_of_value: str
    better: str | None
    window: str
    window_days: int | None
    period_days: int | None
    prevalence: Literal["units", "periods"]


@dataclass(frozen=True)
class History:
    """Of which days: units entered from `start` to `end` (ISO), rows are known up to `through`. `before`: the experiment
    whose population and dates hold. `used` units have a complete window, `immature` ones not yet, `missing` no value."""

    source: str
    start: str
    end: str
    through: str
    before: str | None
    units: int
    used: int
    immature: int
    missing: int
    alpha: float
    power: float


@dataclass(frozen=True)
class Week:
    """A calendar week by its Monday (ISO); `value` is None where it has too few units."""

    monday: str
    number: int | None
    value: Interval | None


@dataclass(frozen=True)
class Came:
    """How many of a group came back: shares with Wilson's intervals, and their difference (in minus out)."""

    inside: Interval
    outside: Interval
    difference: Interval


@dataclass(frozen=True)
class Stability:
    """Two neighbouring periods of the same units: the correlation, the share of those in who stay in, and of those
    out who come in. None where there are too few units."""

    agreement: float | None
    stays: Interval | None
    enters: Interval | None
    units: int


@dataclass(frozen=True)
class Axis:
    """One threshold: what it is a number of, its values with how each reads aloud, and the written one."""

    what: str
    values: tuple[float, ...]
    labels: tuple[str, ...]
    written: float


@dataclass(frozen=True)
class Tried:
    """One definition. `prevalence`: the share of units (or their periods) for whom it holds; `mean` of the metric itself;
    `mde` the difference that as many units would find, `mde_relative` of the mean."""

    place: tuple[int, ...]
    label: str
    written: bool
    fits: Prevalence
    prevalence: float | None
    mean: float | None
    mde: float | None
    mde_relative: float | None
    stability: Stability | None
    came: Came | None


Rule = Literal["smallest_change", "comes_back", "steadiest"]


@dataclass(frozen=True)
class Suggestion:
    """The definition that wins by one rule, and the lines of YAML to paste. `instead`: of the written one."""

    rule: Rule
    place: tuple[int, ...]
    label: str
    lines: tuple[str, ...]
    instead: bool


@dataclass(frozen=True)
class LabResult:
    """The grid. `still`: thresholds that were left as they are. `period`: how long the periods of stability are."""

    schema: str
    about: About
    history: History
    axes: tuple[Axis, ...]
    still: tuple[str, ...]
    cells: tuple[Tried, ...]
    suggestions: tuple[Suggestion, ...]
    stability: Known
    stability_how: Literal["blocks", "windows"] | None
    retention: Known
    retention_days: int
    weeks: tuple[Week, ...]
    min_cell: int

    @property
    def written(self) -> Tried:
        return next(c for c in self.cells if c.written)


@dataclass(frozen=True)
class Correlate:
    """Another metric of the same log over the same units; `r` with Fisher's interval, over units with both values."""

    key: str
    title: str
    r: Interval
    units: int


@dataclass(frozen=True)
class Mde:
    """After `weeks` weeks of entering, with `units` of them in both variants: the smallest change to be found, in the
    metric's unit and of the mean; and the same with the metric adjusted, where it would be."""

    weeks: int
    units: int
    absolute: float
    relative: float | None
    adjusted: float | None = None
    adjusted_relative: float | None = None


@dataclass(frozen=True)
class Spread:
    """Units whose value lies between `low` and `high`, both included, as a share of all."""

    low: float
    high: float
    share: float


@dataclass(frozen=True)
class PreviewResult:
    """One metric on its past. `sd`: of one unit; `zero`: share of units with the value 0. `weeks_by`: a week is that in
    which a period began, or in which units entered. `correlation` of neighbouring periods, of numbers.
    `mature_days`: from the entry of a unit to its value. `kept`: the share of the variance that adjustment by the time
    before leaves, among units that enter from `kept_from` on (ISO); `unadjusted` says why it is not known."""

    schema: str
    about: About
    history: History
    mean: Interval | None
    sd: float | None
    zero: float | None
    skewness: float | None
    spread: tuple[Spread, ...]
    mature_days: int | None
    weeks: tuple[Week, ...]
    weeks_by: Literal["period", "entry"]
    stability: Known
    stability_how: Literal["blocks", "windows"] | None
    correlation: Interval | None
    steady: Stability | None
    retention: Known
    retention_days: int
    came: Came | None
    mde: tuple[Mde, ...]
    correlates: tuple[Correlate, ...]
    min_cell: int
    kept: float | None = None
    kept_from: str | None = None
    unadjusted: str | None = None
