"""The whole way from YAML to verdict on data in which nothing differs: every alarm is a false one.

Metrics of one experiment are correlated, and experiments on one log share its people, so the log is what is counted
independent: the error of a pooled rate comes from the rates of the logs. Three designs; in that with nine treatments,
5 % each against 55 %, the comparisons are nearly independent (correlation 0.08 of the differences).
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from abtest.analysis.result import Result
from abtest.analysis.run import Options, analyse
from tests.simulation.case import Promise
from tests.simulation.runner import Tally, generator
from tests.simulation.world import DESIGNS, assign, write_world

Counts = Mapping[tuple[str, str], Tally]

FULL = {"half": 5, "tenth": 2, "many": 3}
WORLDS = 20
FAST = {"half": 1, "many": 1}

SMALLEST = "by the smallest p-value, times the number of treatments"
METRICS: Mapping[str, str] = {
    "order_value": "in arms of 100 some ten people buy; nothing is noted, the metric is secondary",
    "revenue": "skewness about 10, arms of 1100 and 100; `skewness` is noted",
}
"""Remarks on single metrics."""
MEASURES: Mapping[str, tuple[str, float, Promise, str]] = {
    "p": (
        "false alarm of any metric, p < 0.05",
        0.05,
        "exactly",
        "adjusted by history where there is some; see the lines by metric",
    ),
    "raw": ("the same without adjustment by history, p < 0.05", 0.05, "exactly", ""),
    "goal": ("any goal better or worse", 0.05, "at most", "Holm over goals and treatments"),
    "worse": ("guardrail: interval on the worse side", 0.025, "exactly", ""),
    "ship": ("verdict: ship", 0.025, "at most", ""),
    "invalid": (
        "verdict: don't decide, a check failed",
        0.002,
        "at most",
        "two checks at 0.001 each",
    ),
    "srm": ("`srm`, note or worse", 0.01, "exactly", ""),
    "unit_loss": ("`unit_loss`, note or worse", 0.01, "exactly", SMALLEST),
    "denominator_shift": ("`denominator_shift`, note", 0.05, "exactly", SMALLEST),
}
"""What is counted: its words, the promised rate, and a remark."""


def world(number: int, purpose: str, experiments: Mapping[str, int]) -> dict[tuple[str, str], Tally]:
    """All experiments of one log: tallies by (design, measure), and by ("metric", its name) over all designs."""
    found: dict[tuple[str, str], Tally] = defaultdict(Tally)
    with tempfile.TemporaryDirectory(prefix="abtest-calibration-") as place:
        folder = Path(place) / "project"
        project = write_world(folder, generator("world", purpose, number))
        for design, times in experiments.items():
            for time in range(times):
                assign(folder, DESIGNS[design], generator("assignment", purpose, number, design, time))
                result = analyse(project, project.experiments[design], options=Options(threads=1))
                for measure, tally in judged(result).items():
                    key = ("metric", measure[7:]) if measure.startswith("metric ") else (design, measure)
                    found[key] += tally
    return dict(found)


def judged(result: Result) -> dict[str, Tally]:
    """The alarms of one experiment. The share of answers (a part of the survey metric) counts as a metric."""
    found: dict[str, Tally] = defaultdict(Tally)

    def add(measure: str, hit: bool) -> None:
        found[measure] += Tally(int(hit), 1, 1)

    for metric in result.metrics:
        for comparison in metric.comparisons:
            if comparison.p_value is None:
                found["p"] += Tally(0, 0, 1)
                continue
            add("p", comparison.p_value < 0.05)
            add(f"metric {metric.key}", comparison.p_value < 0.05)
            if comparison.adjustment is not None and comparison.adjustment.raw_p_value is not None:
                add("raw", comparison.adjustment.raw_p_value < 0.05)
            if comparison.margin is not None and comparison.margin.effect is not None:
                high = comparison.margin.effect.high
                add("worse", high is not None and high < 0)
    states = [c.state for m in result.goals for c in m.comparisons]
    add("goal", "better" in states or "worse" in states)
    add("ship", result.decision.verdict == "ship")
    add("invalid", result.decision.reason == "health_failed")
    levels: dict[str, list[str]] = defaultdict(list)
    for check in result.health:
        levels[check.key].append(check.level)
    for key in ("srm", "unit_loss", "denominator_shift"):
        add(key, "note" in levels[key] or "fail" in levels[key])
    return found
