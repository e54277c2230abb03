"""One thing that is simulated: draw experiments whose truth is known, let the product judge each, count the errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from numpy.random import Generator

from abtest.stats.inference import Estimate, Inference
from abtest.stats.margins import Equivalence, MarginTest, guardrail_state
from abtest.stats.srm import SrmTest

Hit = Callable[[Any], bool | None]
Promise = Literal["exactly", "at most", "at least"]


@dataclass(frozen=True)
class Measure:
    """What is counted. `hit` says of one judgement whether it happened, None if there was no test (or no interval).

    `nominal` is the rate that is promised; `errors` whether a hit is the error (a false alarm) or its absence (the
    interval covers the truth). A promise of "at most" is a bound: any smaller rate keeps it.
    """

    name: str
    nominal: float
    hit: Hit
    errors: bool = True
    promise: Promise = "exactly"


class Sizes(TypedDict, total=False):
    """What a case may say of its size."""

    replications: int
    fast: int
    batch: int


HEAVY: Sizes = {"replications": 10_000, "fast": 80, "batch": 100}
"""For what takes half a millisecond or more per experiment; the others have the defaults of `Case`."""


@dataclass(frozen=True)
class Case:
    """A method in a scenario. `draw` yields experiments, `infer` is the product's own function, called for each.

    `replications` in the full set, `fast` in the tests (0: not there); `batch` at a time in memory. `comment` is ours, on what is
    seen and why; what the product itself says is measured (see `notes`).
    """

    method: str
    scenario: str
    draw: Callable[[Generator, int], Iterable[tuple[Any, ...]]]
    infer: Callable[..., Any]
    measures: tuple[Measure, ...]
    comment: str = ""
    replications: int = 20_000
    fast: int = 600
    batch: int = 500

    @property
    def name(self) -> str:
        return f"{self.method} | {self.scenario}"


def false_alarm(alpha: float = 0.05, promise: Promise = "exactly") -> Measure:
    """There is no difference, and the test says that there is one."""

    def hit(found: Inference | SrmTest) -> bool | None:
        return None if found.status == "no_test" or found.p_value is None else found.p_value < alpha

    return Measure(f"false alarm, p < {alpha:g}", alpha, hit, promise=promise)


def covers_difference(truth: float, promise: Promise = "exactly") -> Measure:
    """The 95 % interval of the difference holds the true one."""
    return Measure("covers the difference", 0.95, lambda found: _inside(found.absolute, truth), False, promise)


def covers_lift(truth: float) -> Measure:
    """The 95 % interval of the lift, where one is shown, holds the true one."""
    return Measure("covers the lift", 0.95, lambda found: _inside(found.relative, truth), errors=False)


def held_in_error(alpha: float = 0.025, promise: Promise = "exactly") -> Measure:
    """The treatment is worse by just the margin, and the one-sided test calls it held."""

    def hit(found: MarginTest | Equivalence) -> bool | None:
        return None if found.p_value is None else found.p_value < alpha

    return Measure(f"held in error, p < {alpha:g}", alpha, hit, promise=promise)


def broken_in_error(alpha: float = 0.025) -> Measure:
    """The treatment is worse by just the margin, not by more, and the label says Broken."""

    def hit(found: MarginTest) -> bool | None:
        return None if found.status == "no_test" else guardrail_state(found) == "broken"

    return Measure("broken in error", alpha, hit)


def happens(name: str, nominal: float, promise: Promise = "exactly", *, errors: bool = True) -> Measure:
    """For judgements that are themselves a yes or no (or None)."""
    return Measure(name, nominal, lambda found: found, errors, promise)


def _inside(interval: Estimate | None, truth: float) -> bool | None:
    if interval is None or (interval.low is None and interval.high is None):
        return None
    return (interval.low is None or interval.low <= truth) and (interval.high is None or truth <= interval.high)
