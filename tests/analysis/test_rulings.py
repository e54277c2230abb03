"""Rulings on verdicts, labels, health and results, each a named test on the smallest input that shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import abtest
from abtest.analysis import health
from abtest.analysis.arms import Arm
from abtest.analysis.compare import Setting, compare
from abtest.analysis.decide import Clock, decide_variant
from abtest.analysis.families import corrected
from abtest.analysis.result import Comparison, Correction, Result, Verdict
from abtest.cli.run import EXIT
from abtest.language.model import Experiment, Margin, Metric, MetricUse, Plan, Variant
from abtest.stats.moments import Counts, Moments, PairMoments, moments_of, pair_of
from tests.analysis.builders import check, comparison, goal, guardrail, metric
from tests.analysis.messy import write_messy

FIXED = Setting(Plan(), early=False, progress=1.0)
EARLY = Setting(Plan(), early=True, progress=0.3)
SEQUENTIAL = Setting(Plan(method="sequential"), early=False, progress=0.5)


def mean_arm(mean: float, sd: float = 1.0, n: int = 1000) -> Arm:
    return Arm(n, n, 0, 0, None, Moments(n, mean, sd**2 * (n - 1)))


def share_arm(successes: int, n: int) -> Arm:
    counts = Counts(successes, n)
    return Arm(n, n, 0, 0, None, counts.moments, None, counts)


def compared(
    treatment: Arm,
    control: Arm,
    setting: Setting = FIXED,
    better: str = "higher",
    margin: Margin | None = None,
    test: str | None = None,
) -> Comparison:
    metric = Metric("m", "amount", better=better, test=test)  # type: ignore[arg-type]
    role = "guardrail" if margin else "goal"
    return compare(metric, MetricUse("m", role, margin), "new", treatment, control, setting)  # type: ignore[arg-type]


def test_ruling_22_codes_of_verdicts_are_those_of_fail_on() -> None:
    assert set(EXIT) == set(Verdict.__args__) - {"ship"}  # type: ignore[attr-defined]


def test_ruling_22_holm_over_goals_and_treatments() -> None:
    """Two goals with p = .03 and .04: each alone is below .05, together neither is."""
    rows = [comparison("better"), comparison("better")]
    from dataclasses import replace

    pair = [metric("g1", "goal", replace(rows[0], p_value=0.03)), metric("g2", "goal", replace(rows[1], p_value=0.04))]

    def done(method: Correction) -> list[tuple[float | None, str]]:
        return [(c.p_adjusted, c.state) for m in corrected(pair, "control", method, 0.05) for c in m.comparisons]

    assert done("holm") == [(0.06, "unclear"), (0.06, "unclear")]
    assert done("none") == [(None, "better"), (None, "better")]
    assert done("hochberg") == [(0.04, "better"), (0.04, "better")]


def test_ruling_22_failed_health_hides_effects_in_every_human_form(tmp_path: Path) -> None:
    """A 90:10 split of a 50:50 plan: the page must not show what it found."""
    import pandas

    frame = pandas.DataFrame({"group": ["A"] * 900 + ["B"] * 100, "value": [1.25, 1.75] * 450 + [9.5, 9.75] * 50})
    result = abtest.compare(frame, variant="group", control="A", metrics={"value": "mean"})
    assert (result.decision.verdict, result.decision.reason, result.decision.valid) == (
        "dont_decide",
        "health_failed",
        False,
    )
    from abtest.reports.markdown import render_markdown
    from abtest.reports.terminal import render_terminal

    for text in (render_markdown(result), render_terminal(result, colour=False), result._repr_html_()):
        assert "9.6" not in text
        assert "541" not in text


def test_ruling_23_a_fixed_plan_before_its_end_keeps_running_with_the_band() -> None:
    found = compared(mean_arm(1.2), mean_arm(1.0), EARLY)
    assert found.always_valid is not None
    assert found.relative is not None
    assert found.always_valid.low is not None
    assert found.relative.low is not None
    assert found.always_valid.low < found.relative.low
    metrics = (goal("better"), guardrail("held"))
    assert decide_variant("new", metrics, (), Clock(False, False)).verdict == "keep_running"
    assert decide_variant("new", metrics, (), Clock(False, True)).verdict == "ship"


def test_ruling_23_early_states_are_judged_by_the_band() -> None:
    """t = 2.2 is clear at the planned end and not clear on an early look."""
    control, treatment = mean_arm(1.0), mean_arm(1.0 + 2.2 * (2 / 1000) ** 0.5)
    assert compared(treatment, control).state == "better"
    assert compared(treatment, control, EARLY).state == "unclear"
    assert compared(treatment, control, SEQUENTIAL).state == "unclear"


def test_ruling_23_a_sequential_plan_shows_its_band_as_the_interval() -> None:
    found = compared(mean_arm(1.3), mean_arm(1.0), SEQUENTIAL)
    assert found.relative == found.always_valid
    assert found.state == "better"
    assert found.p_value is not None
    assert found.p_value < 0.05


@pytest.mark.parametrize(
    ("difference", "label"),
    [(0.0, "held"), (-0.10, "held_but_worse"), (-0.15, "worse_not_shown"), (-0.5, "broken")],
)
def test_ruling_24_labels_follow_the_interval_in_units_of_the_margin(difference: float, label: str) -> None:
    """se = .0447 per 1,000 units of sd 1, margin .2: the 95 % interval is +-.088 around the difference."""
    found = compared(mean_arm(1.0 + difference), mean_arm(1.0), margin=Margin("absolute", 0.2))
    assert found.margin is not None
    assert found.margin.label == label


def test_ruling_24_not_shown_when_the_data_are_few() -> None:
    found = compared(mean_arm(1.0, n=30), mean_arm(1.0, n=30), margin=Margin("absolute", 0.2))
    assert found.margin is not None
    assert found.margin.label == "not_shown"


def experiment(shares: tuple[float, float] = (0.5, 0.5)) -> Experiment:
    variants = tuple(Variant(v, v, s, v) for v, s in zip(("control", "new"), shares, strict=True))
    return Experiment("x", "X", "user", "flags", None, variants, "control", ())


@pytest.mark.parametrize(
    ("units", "level"),
    [
        ((5000, 5000), "pass"),
        ((5000, 5200), "pass"),
        ((5000, 5300), "note"),
        ((5000, 5500), "fail"),
        ((5_000_000, 5_015_000), "note"),
    ],
)
def test_ruling_25_srm_fails_only_beyond_the_deviation_floor(units: tuple[int, int], level: str) -> None:
    """5,000 : 5,200 is p = .048 (no mismatch); 5,000,000 : 5,015,000 is p < 1e-5 and 0.07 points, too small to bias."""
    assert health.check_srm(experiment(), {"control": units[0], "new": units[1]}).level == level


def test_ruling_25_losses_are_compared_per_unit_not_by_rows() -> None:
    """One user of 500 loses all of 4,000 rows: by rows a huge difference, by units none."""
    quiet = pair_of([0.0] * 500, [10.0] * 500)
    loud = pair_of([0.0] * 499 + [4000.0], [10.0] * 499 + [4000.0])
    assert health.check_unit_loss("app", {"control": quiet, "new": loud}, "control").level == "pass"
    lossy = pair_of([1.0] * 500, [10.0] * 500)
    spread = pair_of([0.0, 2.0] * 250, [10.0] * 500)
    found: dict[str, PairMoments] = {"control": quiet, "new": spread}
    assert lossy.x.mean == 1.0
    assert health.check_unit_loss("app", found, "control").level == "fail"


def test_ruling_25_a_failed_check_of_a_metric_nobody_decides_on_does_not_invalidate() -> None:
    metrics = (goal("better"), guardrail("held"))
    assert decide_variant("new", metrics, (check("fail", "nps"),), Clock(True, False)).verdict == "ship"


def test_ruling_27_fractions_and_own_words_in_json(tmp_path: Path) -> None:
    result = abtest.run("messy", write_messy(tmp_path))
    raw = json.loads(result.to_json())
    engaged = next(m for m in raw["metrics"] if m["key"] == "engaged")
    assert engaged["better"] == "higher"
    assert all(0 <= a["value"] <= 1 for a in engaged["arms"])
    assert [m["key"] for m in raw["metrics"] if m["role"] == "goal"] == ["engaged"]
    assert Result.from_json(result.to_json()) == result


def test_ruling_29_proportions_cannot_disagree_with_themselves() -> None:
    """5 of 56 against 0 of 29: Newcombe's interval covers zero, unpooled z does not; ours is one test."""
    for test, method in (("score", "score"), (None, "exact")):
        found = compared(share_arm(5, 56), share_arm(0, 29), test=test)
        assert found.method == method
        assert found.absolute is not None
        assert found.absolute.low is not None
        assert found.p_value is not None
        assert (found.p_value < 0.05) == (found.absolute.low > 0)


def test_ruling_30_lower_is_better_is_not_the_negated_test() -> None:
    """Same distance from the baseline on both sides of a relative margin: the two directions differ."""
    control = mean_arm(1.0, sd=0.5)
    more = compared(mean_arm(1.03, sd=0.5), control, better="lower", margin=Margin("relative", 0.1))
    less = compared(mean_arm(0.97, sd=0.5), control, better="higher", margin=Margin("relative", 0.1))
    assert more.margin is not None
    assert less.margin is not None
    assert more.margin.p_value != less.margin.p_value
    assert more.margin.label == less.margin.label == "held"


def test_ruling_31_zero_variance_is_no_test_for_means_and_a_test_for_proportions() -> None:
    same = Arm(50, 50, 0, 0, None, moments_of([2.0] * 50))
    found = compared(same, same)
    assert (found.status, found.reason, found.state) == ("no_test", "zero_variance", "no_test")
    zero = compared(share_arm(0, 50), share_arm(0, 50))
    assert zero.status == "ok"
    assert zero.absolute is not None
    assert zero.absolute.high is not None
    assert zero.absolute.high > 0


def test_ruling_37_no_lift_but_a_state_from_the_absolute_interval() -> None:
    """A control mean that cannot be told from zero has no lift; the difference is clear all the same."""
    found = compared(mean_arm(1.0, sd=1.0), mean_arm(0.01, sd=1.0))
    assert found.relative is None
    assert found.relative_reason == "lift_undefined"
    assert found.state == "better"


@pytest.mark.parametrize(
    ("arm", "reason"),
    [(Arm(0, 0, 0, 0), "no_units"), (Arm(5, 0, 5, 0), "no_mature_units"), (Arm(5, 0, 2, 3), "all_missing")],
)
def test_every_metric_has_a_row_with_a_reason(arm: Arm, reason: str) -> None:
    found = compared(arm, mean_arm(1.0))
    assert (found.status, found.reason) == ("no_test", reason)
