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
