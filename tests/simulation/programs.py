"""Several experiments on one metric: versions that share a control, and what is left of each effect of a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.random import Generator

from abtest.analysis.arms import Arm
from abtest.analysis.compare import compare
from abtest.analysis.reading import Setting
from abtest.language.model import Metric, MetricUse, Plan
from abtest.stats.meta import Pooled, Trend, common_effect, fixed_effect, shared_control, trend
from abtest.stats.moments import Counts, PairMoments
from abtest.stats.novelty import EarlyLate, early_late
from abtest.stats.shrinkage import program
from tests.simulation.case import Case, Measure, Sizes, happens
from tests.simulation.data import pairs

Versions = tuple[list[float], list[float], float]
"""Effects, their standard errors, that of the control they share."""
CONTROL = 1.0
ARMS = (1.0, 1.2, 0.8)
EFFECT = 0.5


def versions(random: Generator, runs: int) -> Iterator[Versions]:
    """v1, v2 and v3 against one control, all with the same effect; noise of the means only, as if n were large."""
    control = random.normal(0.0, CONTROL, runs)
    ses = [float(np.hypot(CONTROL, own)) for own in ARMS]
    means = np.stack([random.normal(EFFECT, own, runs) for own in ARMS], axis=1)
    return ((row, ses, CONTROL) for row in (means - control[:, None]).tolist())


def together(effects: Sequence[float], ses: Sequence[float], control: float) -> Pooled:
    return common_effect(effects, shared_control(ses, control))


def apart(effects: Sequence[float], ses: Sequence[float], control: float) -> Pooled:
    return fixed_effect(effects, ses)


def rising(effects: Sequence[float], ses: Sequence[float], control: float) -> Trend:
    return trend(effects, shared_control(ses, control))


def _covers_common(found: Pooled) -> bool | None:
    effect = found.effect
    return None if effect is None or effect.low is None or effect.high is None else effect.low <= EFFECT <= effect.high


def effects_of(
    k: int, tau: float
) -> Callable[[Generator, int], Iterator[tuple[list[float], list[float], list[float]]]]:
    """k true effects around 0.3 that differ by `tau`, with estimates whose errors go from 0.5 to 1.5."""
    ses = np.linspace(0.5, 1.5, k)

    def draw(random: Generator, runs: int) -> Iterator[tuple[list[float], list[float], list[float]]]:
        true = random.normal(0.3, tau, (runs, k))
        seen = random.normal(true, ses)
        return ((x, ses.tolist(), t) for x, t in zip(seen.tolist(), true.tolist(), strict=True))

    return draw


def best_is_kept(effects: Sequence[float], ses: Sequence[float], true: Sequence[float]) -> bool | None:
    """Whether the shrunken interval of the experiment that looks best holds its true effect."""
    best = max(range(len(effects)), key=lambda i: effects[i] / ses[i])
    found = program(effects, ses)
    if not found.effects:
        return None
    shown = found.effects[best]
    assert shown.low is not None
    assert shown.high is not None
    return shown.low <= true[best] <= shown.high


def any_one(effects: Sequence[float], ses: Sequence[float], true: Sequence[float]) -> bool | None:
    """Whether the shrunken interval of one of them, the same every time, holds its true effect."""
    found = program(effects, ses)
    if not found.effects:
        return None
    shown = found.effects[len(effects) // 2]
    assert shown.low is not None
    assert shown.high is not None
    return shown.low <= true[len(effects) // 2] <= shown.high


def best_as_it_is(effects: Sequence[float], ses: Sequence[float], true: Sequence[float]) -> bool:
    best = max(range(len(effects)), key=lambda i: effects[i] / ses[i])
    return abs(effects[best] - true[best]) <= 1.959964 * ses[best]


def halves(late: float) -> Callable[[Generator, int], Iterator[tuple[tuple[PairMoments, PairMoments]]]]:
    """Values of the first and the last days of 300 units per arm, correlated within units; the effect is 1 in the first
    and `late` in the last."""

    def arm(random: Generator, runs: int, early: float, late: float) -> Iterator[PairMoments]:
        own = random.exponential(2.0, (runs, 300))
        x, y = (own + random.exponential(1.0, (runs, 300)) + shift for shift in (early, late))
        return pairs(x, y)

    def draw(random: Generator, runs: int) -> Iterator[tuple[tuple[PairMoments, PairMoments]]]:
        return ((both,) for both in zip(arm(random, runs, 1.0, late), arm(random, runs, 0.0, 0.0), strict=True))

    return draw


def _changed(found: EarlyLate | None) -> bool | None:
    return None if found is None or found.p_value is None else found.p_value < 0.05


THRESHOLDS = range(1, 9)
MANY = len(THRESHOLDS) - 1
"""Neighbours of the definition as it is written."""


def likers(random: Generator, runs: int) -> Iterator[tuple[list[tuple[Counts, Counts]]]]:
    """How many of 1,000 per arm gave at least 1, 2, ... 8 likes (Poisson with a rate of their own each)."""
    for _ in range(runs):
        rates = random.gamma(1.5, 2.5, (2, 1000))
        likes = random.poisson(rates)
        cells = [[Counts(int((arm >= k).sum()), 1000) for arm in likes] for k in THRESHOLDS]
        yield ([(t, c) for t, c in cells],)


def flips(cells: Sequence[tuple[Counts, Counts]]) -> bool:
    """Whether any neighbouring definition has a clear effect, at the level that the report gives to each."""
    setting = Setting(Plan(alpha=0.05 / MANY), early=False, progress=1.0)
    metric = Metric("m", "did", better="higher")
    for k, pair in enumerate(cells):
        if k == 4:
            continue
        t, c = (Arm(x.n, x.n, 0, 0, moments=x.moments, counts=x) for x in pair)
        if compare(metric, MetricUse("m", "explore"), "b", t, c, setting).state in ("better", "worse"):
            return True
    return False


SHRUNKEN = "shrunken; the best of many is chosen, and how far effects differ is itself an estimate"
SIZES: Sizes = {"replications": 20_000, "fast": 400, "batch": 500}
CASES = (
    Case(
        "versions with one control", "v1, v2, v3 with the same effect", versions, together,
        (Measure("covers the common effect", 0.95, _covers_common, errors=False),), **SIZES,
    ),
    Case(
        "versions with one control", "the same, as if each had a control of its own", versions, apart,
        (Measure("covers the common effect", 0.95, _covers_common, errors=False),),
        "why overlapping iterations are pooled with what they share", **SIZES,
    ),
    Case(
        "versions with one control", "the same, trend over versions", versions, rising,
        (Measure("false alarm, p < 0.05", 0.05, lambda f: f.p_value < 0.05),), **SIZES,
    ),
    *(
        Case(
            "effects of a program", f"{k} experiments, true effects differ by {tau:g}, errors 0.5 to 1.5", effects_of(k, tau),
            best_is_kept, (happens("covers the effect that looks best", 0.95, errors=False),),
            "shrunken; below ten experiments the report says that the spread is a guess" if k < 10 else SHRUNKEN, **SIZES,
        )
        for k, tau in ((5, 1.0), (10, 1.0), (30, 1.0), (30, 0.3))
    ),
    *(
        Case(
            "effects of a program", f"{k} experiments, true effects differ by {tau:g}, errors 0.5 to 1.5, whichever",
            effects_of(k, tau), any_one, (happens("covers the effect of one", 0.95, errors=False),),
            "shrunken; how far effects differ is itself an estimate", **SIZES,
        )
        for k, tau in ((10, 1.0), (30, 1.0), (30, 0.3))
    ),
    Case(
        "effects of a program", "30 experiments, true effects differ by 0.3, as they came out", effects_of(30, 0.3), best_as_it_is,
        (happens("covers the effect that looks best", 0.95, errors=False),), "winner's curse: why they are shrunken", **SIZES,
    ),
    Case(
        "early against late", "the effect stays, n = 300 per arm", halves(1.0), lambda both: early_late(*both),
        (Measure("false alarm, p < 0.05", 0.05, _changed),), fast=300, batch=200,
    ),
    Case(
        "neighbours of a definition", "at least 1 to 8 likes, nothing differs, n = 1000 per arm", likers, flips,
        (happens("any false call", 0.05, "at most"),), "a bound over neighbours that have most users in common",
        replications=5_000, fast=60, batch=100,
    ),
)  # fmt: skip
