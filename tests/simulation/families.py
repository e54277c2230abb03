"""Several metrics at once: Holm, Benjamini-Hochberg, and the decision that is made from all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.random import Generator

from abtest.analysis.arms import Arm
from abtest.analysis.compare import Setting, compare
from abtest.analysis.decide import Clock, decide_variant
from abtest.analysis.families import corrected
from abtest.analysis.result import Verdict
from abtest.language.model import Margin, Metric, MetricUse, Plan
from abtest.stats.dunnett import dunnett_lambdas, dunnett_p
from abtest.stats.means import welch
from abtest.stats.moments import Moments
from abtest.stats.multiplicity import benjamini_hochberg, holm
from tests.analysis import builders
from tests.simulation.case import Case, happens
from tests.simulation.data import moments

Family = tuple[tuple[Moments, Moments], ...]
Draw = Callable[[Generator, int], Iterator[tuple[Family]]]


def family(effects: Sequence[float], n: int, correlation: float = 0.5, looks: int = 1) -> Draw:
    """Metrics of one experiment, correlated within units: mean 10, sd 3, and `effects` of the treatment.

    With `looks`, every metric comes that many times, each time with `n` more units: look by look, then metric.
    """

    def arm(random: Generator, runs: int, shift: Sequence[float]) -> list[list[Moments]]:
        shape = (runs, len(effects), n * looks)
        shared = random.standard_normal((runs, 1, n * looks))
        noise = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * random.standard_normal(shape)
        sizes = n * np.arange(1, looks + 1)
        sums, squares = np.cumsum(noise, axis=2)[:, :, sizes - 1], np.cumsum(noise**2, axis=2)[:, :, sizes - 1]
        means, m2 = 3 * sums / sizes, 9 * (squares - sums**2 / sizes)
        return [
            [
                Moments(int(sizes[k]), 10 + shift[j] + float(means[i, j, k]), float(m2[i, j, k]), 0.0)
                for k in range(looks)
                for j in range(len(effects))
            ]
            for i in range(runs)
        ]

    def draw(random: Generator, runs: int) -> Iterator[tuple[Family]]:
        arms = arm(random, runs, effects), arm(random, runs, [0.0] * len(effects))
        return ((tuple(zip(t, c, strict=True)),) for t, c in zip(*arms, strict=True))

    return draw


def claims(
    correct: Callable[[Sequence[float | None]], tuple[float | None, ...]], real: int
) -> Callable[[Family], bool]:
    """Whether any of the metrics after the first `real` ones is called different."""

    def judge(metrics: Family) -> bool:
        adjusted = correct([welch(t, c).p_value for t, c in metrics])
        return any(p is not None and p < 0.05 for p in adjusted[real:])

    return judge


def treatments(arms: int, n: int, control: int) -> Callable[[Generator, int], Iterator[tuple[tuple[Moments, ...]]]]:
    """A control of `control` units, then `arms` treatments of `n` units each; nothing differs."""

    def draw(random: Generator, runs: int) -> Iterator[tuple[tuple[Moments, ...]]]:
        columns = [moments(random.normal(10, 3, (runs, size))) for size in (control, *(n,) * arms)]
        return ((found,) for found in zip(*columns, strict=True))

    return draw


def dunnett_claims(arms: tuple[Moments, ...]) -> bool:
    """Whether any treatment is called different, with the smallest of the Welch degrees of freedom."""
    control, *rest = arms
    found = [welch(t, control) for t in rest]
    lambdas = dunnett_lambdas([t.variance_of_mean for t in rest], control.variance_of_mean)
    df = min(f.df for f in found if f.df is not None)
    adjusted = dunnett_p([f.statistic for f in found], lambdas, df)
    return any(p is not None and p < 0.05 for p in adjusted)


GOALS = 2
METRICS = (
    *((Metric(name, "amount", better="higher"), MetricUse(name, "goal")) for name in ("g1", "g2")),
    *(
        (Metric(name, "amount", better="higher"), MetricUse(name, "guardrail", Margin("relative", 0.1)))
        for name in ("r1", "r2")
    ),
)


def verdict(metrics: Family, setting: Setting, clock: Clock) -> Verdict:
    """The product's verdict on two goals and two guardrails with a margin of 10 %."""
    arms = [(Arm(t.n, t.n, 0, 0, moments=t), Arm(c.n, c.n, 0, 0, moments=c)) for t, c in metrics]
    found = [compare(m, u, "new", t, c, setting) for (m, u), (t, c) in zip(METRICS, arms, strict=True)]
    results = [builders.metric(u.name, u.role, c) for (_, u), c in zip(METRICS, found, strict=True)]
    results[:GOALS] = corrected(results[:GOALS], "control", setting.plan.correct_goal, setting.plan.alpha)
    return decide_variant("new", results, (), clock).verdict


def ships(metrics: Family) -> bool:
    """At the planned end of a fixed plan."""
    return verdict(metrics, Setting(Plan(), early=False, progress=1.0), Clock(True, False)) == "ship"


LOOKS = 20


def ships_early(metrics: Family) -> bool:
    """At any look of a sequential plan."""
    plan = Plan(method="sequential")
    for look in range(LOOKS):
        setting = Setting(plan, early=False, progress=(look + 1) / LOOKS)
        part = metrics[4 * look : 4 * look + 4]
        if verdict(part, setting, Clock(look == LOOKS - 1, True)) == "ship":
            return True
    return False


ANY = happens("any false call", 0.05, "at most")
ONE_SIDE = "two-sided tests, and only the good side ships"
CASES = (
    Case("holm", "5 metrics, nothing differs", family([0.0] * 5, 100), claims(holm, 0), (ANY,), fast=250),
    Case("holm", "5 metrics, 2 really differ", family([2.0, 2.0, 0, 0, 0], 100), claims(holm, 2), (ANY,), fast=250),
    Case(
        "benjamini-hochberg",
        "5 metrics, nothing differs",
        family([0.0] * 5, 100),
        claims(benjamini_hochberg, 0),
        (ANY,),
        fast=250,
    ),
    Case(
        "dunnett",
        "4 treatments, n = 20 per arm",
        treatments(4, 20, 20),
        dunnett_claims,
        (happens("any false call", 0.05),),
        replications=4_000,
        fast=30,
    ),
    Case(
        "dunnett",
        "4 treatments of 100, control of 400",
        treatments(4, 100, 400),
        dunnett_claims,
        (happens("any false call", 0.05),),
        replications=4_000,
        fast=30,
    ),
    Case(
        "decision, fixed",
        "nothing differs: ships",
        family([0.0] * 4, 400),
        ships,
        (happens("ships", 0.025, "at most"),),
        ONE_SIDE,
        fast=200,
        batch=200,
    ),
    Case(
        "decision, fixed",
        "goals gain, one guardrail loses its margin: ships",
        family([1.5, 1.5, 0.0, -1.0], 400),
        ships,
        (happens("ships", 0.025),),
        "no correction over guardrails is needed",
        fast=200,
        batch=200,
    ),
    Case(
        "decision, fixed",
        "goals gain, both guardrails lose their margin: ships",
        family([1.5, 1.5, -1.0, -1.0], 400),
        ships,
        (happens("ships", 0.025, "at most"),),
        fast=200,
        batch=200,
    ),
    Case(
        "decision, sequential, 20 looks",
        "nothing differs: ships at any look",
        family([0.0] * 4, 50, looks=LOOKS),
        ships_early,
        (happens("ships", 0.025, "at most"),),
        ONE_SIDE,
        replications=5_000,
        fast=30,
        batch=50,
    ),
    Case(
        "decision, sequential, 20 looks",
        "goals gain, one guardrail loses its margin: ships at any look",
        family([1.5, 1.5, 0.0, -1.0], 50, looks=LOOKS),
        ships_early,
        (happens("ships", 0.025, "at most"),),
        replications=5_000,
        fast=30,
        batch=50,
    ),
)
