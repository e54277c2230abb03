"""What a result says of the iterations before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from abtest.analysis.interval import Interval

Compared = Literal["same", "other_definition", "absent"]


@dataclass(frozen=True)
class DefinitionChange:
    """A key of a definition that was another then; None where it did not stand there."""

    key: str
    before: str | None
    now: str | None


@dataclass(frozen=True)
class IterationMetric:
    """A goal or guardrail of the present experiment in an earlier one. The effect is there where `compared` is "same" and
    there was a test; `changed` says what else the definition said then."""

    metric: str
    compared: Compared
    absolute: Interval | None = None
    relative: Interval | None = None
    state: str = "no_test"
    control: float | None = None
    treatment: float | None = None
    label: str | None = None
    changed: tuple[DefinitionChange, ...] = ()


@dataclass(frozen=True)
class Iteration:
    """One experiment of the chain. `reason` says why it could not be computed (a code such as E501, or `missing`: it is not in the project), else None; then
    `verdict` is None too. `valid`: no health check failed; else no effect may be shown."""

    experiment: str
    title: str
    changes: tuple[str, ...] = ()
    start: str | None = None
    end: str | None = None
    units: int = 0
    variant: str = ""
    variant_title: str = ""
    verdict: str | None = None
    why: str | None = None
    valid: bool = False
    metrics: tuple[IterationMetric, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class Pulled:
    """One iteration's effect as it was (`raw`) and pulled towards the mean of all (`shrunken`, empirical Bayes)."""

    experiment: str
    raw: Interval
    shrunken: Interval


@dataclass(frozen=True)
class Across:
    """A goal over the iterations that measured it by the same definition, in order; effects as shares (`relative`) or in
    its unit (`absolute`).

    `control`: `separate` dates, so effects are independent; `shared` where dates overlap, and the covariance of a
    common control is allowed for. `fixed` is one common effect, `random` the mean of effects that differ (Hartung-Knapp;
    None for a shared control), with `tau` their standard deviation; `q_p_value` and `i_squared` ask whether they
    differ. `slope` per iteration. `conditional`: this experiment's effect given that it was shipped for being clear.
    Status `no_test` with reason `overlapping`: dates overlap, and the error of the control is not known.
    """

    metric: str
    status: Literal["ok", "no_test"]
    reason: str | None
    scale: Literal["relative", "absolute"]
    experiments: tuple[str, ...]
    control: Literal["separate", "shared"]
    fixed: Interval | None = None
    fixed_p: float | None = None
    random: Interval | None = None
    random_p: float | None = None
    tau: float | None = None
    q_p_value: float | None = None
    i_squared: float | None = None
    slope: Interval | None = None
    slope_p: float | None = None
    pulled: tuple[Pulled, ...] = ()
    conditional: float | None = None
