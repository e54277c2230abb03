"""Error over all looks, by simulation from YAML plans: what a report judges at each look, not what a formula promises.

The Monte-Carlo error of a rate of 5 % over 2,000 experiments is 0.5 points; the bounds are exact (binomial, 99.9 %).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from abtest.analysis.arms import Arm
from abtest.analysis.plan_looks import Schedule
from abtest.analysis.procedures import raw_procedure
from abtest.analysis.reading import Setting, bound_of, read_now
from abtest.language.model import Plan
from abtest.language.project import load_project
from abtest.stats.moments import Moments
from abtest.stats.spending import Spending
from tests.analysis.test_methods import write

LOOKS = 100
EACH = 40
"""Units that each arm gains from look to look."""


def plan_of(folder: Path, plan: str) -> Plan:
    return load_project(write(folder, plan)).experiments["x"].plan


def arms(rng: np.random.Generator, looks: int, each: int, effect: float) -> list[tuple[Arm, Arm]]:
    """Cumulative moments of two arms of exponential values, at every look."""
    found = []
    values = [rng.exponential(1.0, (looks, each)) + shift for shift in (effect, 0.0)]
    sums = [(np.cumsum(v.sum(1)), np.cumsum((v**2).sum(1))) for v in values]
    for k in range(looks):
        n = each * (k + 1)
        pair = []
        for s1, s2 in sums:
            mean = float(s1[k] / n)
            pair.append(Arm(n, n, 0, 0, moments=Moments(n, mean, float(s2[k] - n * mean * mean))))
        found.append((pair[0], pair[1]))
    return found


def setting_at(plan: Plan, k: int, looks: int) -> Setting:
    last = k == looks - 1
    setting = Setting(plan, False, (k + 1) / looks, at_end=last)
    if plan.method == "group_sequential":
        times = tuple((i + 1) / (k + 1) for i in range(k + 1))
        fractions = tuple((i + 1) / looks for i in range(k + 1))
        setting = replace(setting, looks={"likes": Schedule(times, fractions, last)})
    return setting


def first_call(plan: Plan, path: list[tuple[Arm, Arm]], looks: int) -> int | None:
    """The first look at which the judged interval leaves zero."""
    for k, (t, c) in enumerate(path):
        setting = setting_at(plan, k, looks)
        procedure = raw_procedure(t, c)
        if plan.method == "group_sequential":  # the bound without its p-value, which takes a search
            judged = procedure.infer(
                0.05, min(38.0, bound_of(setting.looks["likes"], 0.05, Spending(plan.spending.name)))
            )
        else:
            judged = read_now(procedure, setting, 0.05, "likes").judged
        absolute = judged.absolute
        assert absolute is not None
        if absolute.low is not None and absolute.high is not None and not absolute.low <= 0.0 <= absolute.high:
            return k
    return None


@pytest.mark.parametrize(
    ("plan", "looks", "trials"),
    [
        ("{method: sequential}", LOOKS, 600),
        ("{method: hybrid, monitoring: 20%}", LOOKS, 600),
        ("{method: group_sequential, looks: 5}", 5, 2000),
        ("{method: group_sequential, looks: 5, spending: pocock}", 5, 2000),
        ("{method: group_sequential, looks: 10, spending: {hwang_shih_decani: -4}}", 10, 1500),
    ],
)
def test_all_looks_together_err_no_more_than_alpha(tmp_path: Path, plan: str, looks: int, trials: int) -> None:
    own, rng = plan_of(tmp_path / "p", plan), np.random.default_rng(20261128)
    each = EACH * LOOKS // looks
    called = sum(first_call(own, arms(rng, looks, each, 0.0), looks) is not None for _ in range(trials))
    upper = float(stats.beta.ppf(0.999, called + 1, trials - called))
    lower = float(stats.beta.ppf(0.001, called, trials - called + 1)) if called else 0.0
    assert lower <= 0.05, (called, trials)
    if own.method == "group_sequential":
        assert upper >= 0.05, (called, trials)  # it spends all of alpha, so it must not be far below either


@pytest.mark.parametrize(
    "method", ["{method: group_sequential, looks: 5}", "{method: group_sequential, looks: 5, spending: pocock}"]
)
def test_power_and_expected_size_are_those_that_the_plan_is_sized_for(tmp_path: Path, method: str) -> None:
    from abtest.stats.group_sequential import boundaries, drift_for, expected_information

    own, rng, trials = plan_of(tmp_path / "p", method), np.random.default_rng(7), 1500
    design = boundaries(own.looks, 0.05, Spending(own.spending.name))
    each = 400
    drift = drift_for(design, 0.8)
    effect = drift * (2.0 / (5 * each)) ** 0.5  # exponential values have a standard deviation of 1
    found = [first_call(own, arms(rng, 5, each, effect), 5) for _ in range(trials)]
    power = sum(k is not None for k in found) / trials
    assert abs(power - 0.8) < 4 * (0.8 * 0.2 / trials) ** 0.5
    sizes = np.array([(5 if k is None else k + 1) / 5 for k in found])
    assert abs(sizes.mean() - expected_information(design, drift)) < 4 * sizes.std() / trials**0.5


def test_watching_for_harm_over_many_looks_raises_few_false_alarms() -> None:
    """Per experiment one goal, no effect: at most alpha at any of 100 looks."""
    from abtest.stats.sequential import optimal_kappa, p_value_one_sided

    rng, trials, alarms = np.random.default_rng(3), 1000, 0
    kappa = optimal_kappa(0.1)
    for _ in range(trials):
        alarms += any(
            p_value_one_sided(-_z(t, c), kappa * (k + 1) / LOOKS) < 0.05
            for k, (t, c) in enumerate(arms(rng, LOOKS, EACH, 0.0))
        )
    assert float(stats.beta.ppf(0.001, alarms, trials - alarms + 1)) <= 0.05, alarms


def _z(t: Arm, c: Arm) -> float:
    found = raw_procedure(t, c).infer(0.05, None).absolute
    assert found is not None
    assert found.se
    return found.estimate / found.se
