"""Does an experiment of the size that `abtest plan` asks for find what it was planned to find?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache

from numpy.random import Generator

from abtest.analysis.compare import Setting
from abtest.analysis.decide import Clock
from abtest.analysis.plan_inflation import inflation_of
from abtest.language.model import Plan
from abtest.stats.inference import Inference
from abtest.stats.means import welch
from abtest.stats.moments import PairMoments
from abtest.stats.ordinal import brunner_munzel
from abtest.stats.power import Noise, per_arm, sample_size
from abtest.stats.power_families import ordinal_sample_size, quantile_noise, share_sample_size
from abtest.stats.proportions import score
from abtest.stats.quantiles import quantile_contrast
from abtest.stats.ratios import delta
from abtest.stats.sizing import Question, joint_size
from tests.simulation.case import HEAVY, Case, Measure, Sizes, happens
from tests.simulation.data import Clicks, normal, pairs, two_counts, two_means, two_ratios
from tests.simulation.families import GOALS, METRICS, Family, family, verdict
from tests.simulation.looks import Path, growing
from tests.simulation.ordinals import BETTER, USUAL, answers
from tests.simulation.plans import excludes, judged, plan_of, settings
from tests.simulation.quantiles import arms, once
from tests.simulation.runner import generator

POWER, SD, RISE = 0.8, 3.0, 0.3
PLAIN = Noise(SD * SD, SD * SD)


def _found(told: Inference) -> bool | None:
    """Called different, on the side of the rise."""
    if told.status == "no_test" or told.p_value is None:
        return None
    return told.p_value < 0.05 and (told.absolute is None or told.absolute.estimate > 0.0)


FINDS = Measure("finds the rise, p < 0.05", POWER, _found, errors=False)


def half(units: float) -> int:
    return per_arm(units, 0.5)[0]


def finds_at_any_look(text: str) -> Callable[[Path], bool]:
    return lambda path: any(excludes(judged(*look).absolute, 0.0) for look in settings(text, path))


def looked(text: str, looks: int, measure: Measure, comment: str = "", *, replications: int = 4_000) -> Case:
    """As many units as the plan's method needs, in equal parts."""

    def draw(random: Generator, runs: int) -> Iterator[tuple[Path]]:
        plan: Plan = plan_of(text)
        units = sample_size(PLAIN, RISE, power=POWER, inflation=inflation_of(plan, plan.alpha, POWER))
        step = math.ceil(half(units) / looks)
        return growing(normal(10 + RISE, SD), normal(10, SD), step, step, looks)(random, runs)

    return Case(
        "size of a plan", f"{text}, rise of 3 %", draw, finds_at_any_look(text), (measure,), comment,
        replications=replications, fast=200, batch=50,
    )  # fmt: skip


@cache
def clicks_noise() -> Noise:
    """n var(R) from many users: what a history would tell."""
    x, y = Clicks().draw(generator("history of clicks"), (1, 1_000_000))
    found: PairMoments = next(pairs(x, y))
    r, n = found.x.mean / found.y.mean, found.n
    variance = (found.x.m2 - 2.0 * r * found.cross + r * r * found.y.m2) / (n - 1) / found.y.mean**2
    return Noise(variance, variance)


def ratio_arms(random: Generator, runs: int) -> Iterator[tuple[PairMoments, PairMoments]]:
    n = half(sample_size(clicks_noise(), 0.1 * Clicks().ratio, power=POWER))
    return two_ratios(Clicks(1.1), Clicks(), n, n)(random, runs)


def joint(effect: float) -> Callable[[Generator, int], Iterator[tuple[Family]]]:
    """One of two goals rises, two guardrails stay where they are; their margins are 10 % of a mean of 10."""
    margin = Noise(SD * SD, SD * SD * 0.9**2)
    questions = [
        Question(u.name, "goal", PLAIN, effect) if k < GOALS else Question(u.name, "guardrail", margin, 1.0)
        for k, (_, u) in enumerate(METRICS)
    ]
    return family([effect, 0.0, 0.0, 0.0], half(joint_size(questions, power=POWER).units))


def ships(metrics: Family) -> bool:
    return verdict(metrics, Setting(Plan(), early=False, progress=1.0), Clock(True, False)) == "ship"


MEAN_N = half(sample_size(PLAIN, RISE, power=POWER))
SHARE_N = half(share_sample_size(0.12, 0.10, power=POWER))
MEDIAN = math.log(2.0)
MEDIAN_N = {slower: half(sample_size(quantile_noise(0.5, 0.5), slower * MEDIAN, power=POWER)) for slower in (0.05, 0.2)}
RANK_N = half(ordinal_sample_size(USUAL, 1.8, power=POWER))
AT_LEAST = happens("finds the rise at any look", POWER, "at least", errors=False)
MOST: Sizes = {"replications": 20_000, "fast": 300}
CASES = (
    Case(
        "size of a plan", "mean, rise of 3 %", two_means(normal(10 + RISE, SD), normal(10, SD), MEAN_N, MEAN_N), welch,
        (FINDS,), replications=10_000, fast=200, batch=200,
    ),
    Case("size of a plan", "share, 10 % to 12 %", two_counts(0.12, 0.10, SHARE_N, SHARE_N), score, (FINDS,), **MOST),
    Case(
        "size of a plan", "ratio of clicks to views, rise of 10 %", ratio_arms, delta, (FINDS,),
        "sized by the noise of the past: more clicks vary more", **HEAVY,
    ),
    *(
        Case(
            "size of a plan", f"median of exponential values, {100 * slower:.0f} % slower", arms(once, 0.5, n, 1.0 + slower),
            quantile_contrast, (FINDS,), "sized by the density of the past: slower values lie further apart", **HEAVY,
        )
        for slower, n in MEDIAN_N.items()
    ),
    Case(
        "size of a plan", "five answers by ranks, odds 1.8 times", answers(BETTER, USUAL, RANK_N, RANK_N), brunner_munzel,
        (Measure("finds the rise, p < 0.05", POWER, lambda f: f.p_value is not None and f.p_value < 0.05, errors=False),),
        "Whitehead's size, for proportional odds", **MOST,
    ),
    looked("{method: group_sequential, looks: 5}", 5, happens("finds the rise at any look", POWER, errors=False), replications=10_000),
    looked("{method: group_sequential, looks: 5, spending: pocock}", 5, happens("finds the rise at any look", POWER, errors=False), replications=10_000),
    looked("{method: sequential}", 50, AT_LEAST, "sized for the last look alone: those before it find some more"),
    looked("{method: hybrid, monitoring: 20%}", 50, AT_LEAST, "sized for the test at the end alone"),
    Case(
        "size of a plan", "two goals, two guardrails, one goal rises by 5 %: ships", joint(0.5), ships,
        (happens("ships", POWER, "at least", errors=False),), "what may be missed is shared out by a bound",
        replications=10_000, fast=100, batch=100,
    ),
    Case(
        "size of a plan", "two goals, two guardrails, one goal rises by 12 %: ships", joint(1.2), ships,
        (happens("ships", POWER, "at least", errors=False),), "the guardrails decide this size",
        replications=10_000, fast=100, batch=100,
    ),
)  # fmt: skip
