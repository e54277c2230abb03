"""Plans as an analyst writes them, judged at every look by what reports are made with (`analysis/reading.py`).

The other modules try the formulas; here the method, its looks and its prior come from YAML, and what counts is the
interval that a report would judge by: the band before the end, the boundary at a planned look, the posterior.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path as Folder

import numpy as np
from numpy.random import Generator
from scipy.special import ndtr, ndtri

from abtest.analysis.arms import Arm
from abtest.analysis.compare import compare
from abtest.analysis.plan_looks import Schedule
from abtest.analysis.procedures import raw_procedure
from abtest.analysis.reading import NOT_TESTED, Read, Setting, bound_of, read_now
from abtest.analysis.result import Comparison
from abtest.analysis.worsening import worsening
from abtest.language.model import Metric, MetricUse, Plan
from abtest.language.project import load_project
from abtest.stats.bayes import Prior
from abtest.stats.inference import Estimate, Inference
from abtest.stats.spending import Spending
from tests.analysis import builders
from tests.simulation.case import Case, Measure, Sizes, happens
from tests.simulation.data import Spread, normal, skewed
from tests.simulation.families import METRICS, Family, family
from tests.simulation.looks import Path, growing

PROJECT = """
project: {name: looks, timezone: UTC, data: ., default_adjust: none}
sources:
  log:
    {kind: events, files: log.csv, columns: {event: event, time: at}, units: {user: user}}
  flags:
    {kind: exposures, files: flags.csv, columns: {variant: variant, time: at}, units: {user: user}}
events: {like: like}
metrics:
  likes: {amount: like, over: first 2 days, better: higher, owner: me, description: d}
"""
EXPERIMENT = """
experiment: x
unit: user
owner: me
hypothesis: h
exposure: {source: flags}
variants: {a: {key: a, share: 50%}, b: {key: b, share: 50%}}
baseline: a
dates: {start: 2026-03-02, end: 2026-03-29}
metrics: {goal: [likes]}
plan: PLAN
"""


@cache
def plan_of(text: str) -> Plan:
    """The plan that stands behind `plan:` in the experiment's file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Folder(name)
        (folder / "abtest.yml").write_text(PROJECT, "utf-8")
        (folder / "experiments").mkdir()
        (folder / "experiments" / "x.yml").write_text(EXPERIMENT.replace("PLAN", text), "utf-8")
        return load_project(folder).experiments["x"].plan


def settings(text: str, path: Path) -> Iterator[tuple[Setting, Arm, Arm]]:
    """How each look is read, the last one at the planned end. Information is units, as of a project's looks."""
    plan, units = plan_of(text), [t.n for t, _ in path]
    for k, (t, c) in enumerate(path):
        last = k == len(path) - 1
        early = plan.method in ("fixed", "bayesian") and not last
        setting = Setting(plan, early, units[k] / units[-1], at_end=last)
        if plan.method == "group_sequential":
            times = tuple(n / units[k] for n in units[: k + 1])
            setting = replace(setting, looks={"likes": Schedule(times, plan.looks[: k + 1], last)})
        yield setting, *(Arm(m.n, m.n, 0, 0, moments=m) for m in (t, c))


def judged(setting: Setting, treatment: Arm, control: Arm) -> Inference:
    """What the state of a goal is read from."""
    procedure = raw_procedure(treatment, control)
    if setting.plan.method != "group_sequential":
        return read_now(procedure, setting, setting.plan.alpha, "likes").judged
    # The same interval without the repeated p, whose search takes 10 ms (it has a line of its own).
    bound = bound_of(setting.looks["likes"], setting.plan.alpha, Spending(setting.plan.spending.name, setting.plan.spending.gamma))  # fmt: skip
    return procedure.infer(setting.plan.alpha, min(bound, NOT_TESTED))


def excludes(interval: Estimate | None, truth: float) -> bool:
    if interval is None or interval.low is None or interval.high is None:
        return False
    return not interval.low <= truth <= interval.high


def errs(text: str, truth: float = 0.0) -> Callable[[Path], bool]:
    """Whether the judged interval loses the true difference at any look."""
    return lambda path: any(excludes(judged(*look).absolute, truth) for look in settings(text, path))


def errs_before_the_end(text: str) -> Callable[[Path], bool]:
    return lambda path: any(excludes(judged(*look).absolute, 0.0) for look in list(settings(text, path))[:-1])


def repeated(text: str) -> Callable[[Path], bool]:
    """Whether the p of the report is below alpha at any look."""

    def read(setting: Setting, treatment: Arm, control: Arm) -> Read:
        return read_now(raw_procedure(treatment, control), setting, setting.plan.alpha, "likes")

    return lambda path: any((p := read(*look).p) is not None and p < 0.05 for look in settings(text, path))


def alarm(metrics: Family) -> bool:
    """Whether any of two goals and two guardrails is said to get worse, at any of 20 looks of a fixed plan."""
    for look in range(HARM_LOOKS):
        setting = Setting(plan_of("{method: fixed}"), True, (look + 1) / HARM_LOOKS, at_end=False)
        part = metrics[4 * look : 4 * look + 4]
        arms = [(Arm(t.n, t.n, 0, 0, moments=t), Arm(c.n, c.n, 0, 0, moments=c)) for t, c in part]
        found = [compare(m, u, "new", t, c, setting) for (m, u), (t, c) in zip(METRICS, arms, strict=True)]
        results = [builders.metric(u.name, u.role, c) for (_, u), c in zip(METRICS, found, strict=True)]
        if worsening(results, setting).get("new"):
            return True
    return False


HARM_LOOKS, SURE = 20, 0.9
GOAL = Metric("likes", "amount", better="higher")


def beliefs(text: str, path: Path) -> Iterator[Comparison]:
    """The posterior at every look, each read as if it were the planned end."""
    plan = plan_of(text)
    prior = Prior(plan.prior.mean, plan.prior.sd) if plan.prior.kind == "own" else Prior()
    for _, t, c in settings(text, path):
        setting = Setting(plan, False, 1.0, priors={"likes": prior})
        yield compare(GOAL, MetricUse("likes", "goal"), "b", t, c, setting)


def lifts(text: str, n: int) -> Callable[[Generator, int], Iterator[tuple[Comparison, float]]]:
    """Experiments whose true lift is drawn from the plan's own prior: mean 10 and sd 3 in the control."""

    def draw(random: Generator, runs: int) -> Iterator[tuple[Comparison, float]]:
        prior = plan_of(text).prior
        true = random.normal(prior.mean, prior.sd, runs)
        for lift in true.tolist():
            path = next(growing(normal(10 * (1 + lift), 3), normal(10, 3), n, 0, 1)(random, 1))[0]
            yield next(beliefs(text, path)), lift

    return draw


def _covers(found: tuple[Comparison, float]) -> bool | None:
    told, lift = found[0].believed, found[1]
    return None if told is None else told.low <= lift <= told.high


def _ships_a_loss(found: tuple[Comparison, float]) -> bool | None:
    told, lift = found[0].believed, found[1]
    return None if told is None or told.chance < SURE else lift < 0.0


def losses(n: int) -> float:
    """How often a lift that was drawn from the prior is a loss, though its chance to win is SURE or more: the mean of 1 -
    chance over posterior means N(0, kept sd^2), by a sum over a fine grid."""
    sd, se = 0.03, 3.0 / 10.0 * (2.0 / n) ** 0.5
    kept = sd**2 / (sd**2 + se**2)
    wide, narrow = kept**0.5 * sd, kept**0.5 * se
    means = np.linspace(narrow * ndtri(SURE), 8.0 * wide, 20_001)
    weights = np.exp(-0.5 * (means / wide) ** 2)
    return float((weights * ndtr(-means / narrow)).sum() / weights.sum())


def believes(text: str) -> Callable[[Path], bool]:
    """Whether the credible interval leaves zero at any look."""
    return lambda path: any(
        told is not None and not told.low <= 0.0 <= told.high for told in (c.believed for c in beliefs(text, path))
    )


SAME, SKEWED = normal(10, 3), skewed(10.0)
HUNDRED: Sizes = {"replications": 4_000, "fast": 200, "batch": 100}
FIVE: Sizes = {"replications": 20_000, "fast": 600, "batch": 500}
ANY = happens("false alarm at any look", 0.05, "at most")
EXACT = happens("false alarm at any look", 0.05)
LOST = happens("loses the difference at any look", 0.05, "at most")
OWN = "{method: bayesian, prior: {mean: 0%, sd: 3%}}"


def watched(text: str, scenario: str, spread: Spread, measure: Measure = ANY, lift: float = 0.0) -> Case:
    """A hundred looks, 100 units per arm at first and 10 more each time."""
    drawn = growing(spread.times(1.0 + lift), spread, 100, 10)
    return Case("plan, 100 looks", f"{text}, {scenario}", drawn, errs(text, lift * spread.mean), (measure,), **HUNDRED)


def looked(text: str, looks: int, *, lift: float = 0.0, sizes: Sizes = FIVE) -> Case:
    drawn = growing(SAME.times(1.0 + lift), SAME, 1000 // looks, 1000 // looks, looks)
    scenario = f"{text}, normal" + (f", lift {100 * lift:.0f} %" if lift else "")
    measure = LOST if lift else EXACT
    return Case("plan, planned looks", scenario, drawn, errs(text, lift * SAME.mean), (measure,), **sizes)


CASES = (
    watched("{method: sequential}", "normal", SAME),
    watched("{method: sequential}", "skewness 10", SKEWED),
    watched("{method: sequential}", "normal, lift 3 %", SAME, LOST, 0.03),
    watched("{method: hybrid, monitoring: 20%}", "normal", SAME),
    watched("{method: hybrid, monitoring: 50%}", "normal, lift 3 %", SAME, LOST, 0.03),
    Case(
        "plan, 100 looks", "{method: fixed}, normal, before its end", growing(SAME, SAME, 100, 10),
        errs_before_the_end("{method: fixed}"), (ANY,), "the band that a fixed plan shows until its end", **HUNDRED,
    ),
    looked("{method: group_sequential, looks: 5}", 5),
    looked("{method: group_sequential, looks: 5, spending: pocock}", 5),
    looked("{method: group_sequential, looks: 10, spending: {hwang_shih_decani: -4}}", 10),
    looked("{method: group_sequential, looks: 5, spending: pocock}", 5, lift=0.03),
    Case(
        "plan, planned looks", "{method: group_sequential, looks: 3}, normal, by the p of the report",
        growing(SAME, SAME, 300, 300, 3), repeated("{method: group_sequential, looks: 3}"), (EXACT,),
        replications=3_000, fast=100, batch=50,
    ),
    Case(
        "watching for harm, 20 looks", "two goals and two guardrails, nothing differs",
        family([0.0] * 4, 50, looks=HARM_LOOKS), alarm, (happens("any false alarm", 0.05, "at most"),),
        "one-sided, alpha shared by all four", replications=4_000, fast=30, batch=50,
    ),
    Case(
        "plan, bayesian", f"{OWN}, true lifts are drawn from it, n = 400 per arm", lifts(OWN, 400),
        lambda found, lift: (found, lift),
        (
            Measure("covers the lift", 0.95, _covers, errors=False),
            Measure(f"worse, though its chance to win was {100 * SURE:.0f} % or more", losses(400), _ships_a_loss),
        ),
        replications=10_000, fast=200,
    ),
    *(
        Case(
            "plan, bayesian", f"{text}, looked at 20 times, normal", growing(SAME, SAME, 100, 50, 20), believes(text),
            (ANY,), "nobody promises it: a posterior keeps no error rate over looks, so an early one is judged by the band",
            replications=4_000, fast=40, batch=100,
        )
        for text in ("{method: bayesian}", OWN)
    ),
)  # fmt: skip
