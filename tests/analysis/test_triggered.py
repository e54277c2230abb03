"""The triggered units: from YAML to report, recounted from the rows with pandas, statsmodels and scipy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

import abtest
from abtest.analysis.beside import Triggered, TriggeredComparison
from abtest.analysis.result import Result
from abtest.language.canonical import experiment_hash
from abtest.language.unused import unused
from abtest.reports.write import render
from abtest.stats.sequential import critical, optimal_kappa
from tests.analysis.besides import END, METRICS, START, World, users, write

TRIGGER = "trigger: (saw >= 1) in first 14 days\n"
ROLES = "goal: [likes, liker, per_post], guardrail: [spent], secondary: [posts, later, typical]"


def triggered(result: Result) -> Triggered:
    assert result.triggered is not None
    return result.triggered


def one(result: Result, metric: str = "likes", variant: str = "vb") -> TriggeredComparison:
    found = next(m for m in triggered(result).metrics if m.metric == metric)
    return next(c for c in found.comparisons if c.variant == variant)


def welch(found: pd.DataFrame, metric: str) -> CompareMeans:
    return CompareMeans(DescrStatsW(found[found.t == 1][metric]), DescrStatsW(found[found.t == 0][metric]))


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, pd.DataFrame]:
    folder = write(tmp_path_factory.mktemp("triggered"), TRIGGER, World(seed=5), roles=ROLES)
    return abtest.run("x", folder), users(folder)


def test_shares_and_their_test(everything: tuple[Result, pd.DataFrame]) -> None:
    result, found = everything
    table = pd.crosstab(found.t, found.triggered).to_numpy()
    (check,) = triggered(result).checks
    assert (check.valid, check.reason) == (True, None)
    assert check.p_value == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue, rel=1e-9)
    assert [(a.complete, a.triggered) for a in triggered(result).arms] == [
        (int(row.sum()), int(row[1])) for row in table
    ]
    assert (triggered(result).condition, triggered(result).window) == ("(saw >= 1)", "first 14 days")


def test_the_effect_among_triggered_units_is_welch_on_them(everything: tuple[Result, pd.DataFrame]) -> None:
    result, found = everything
    only = found[found.triggered]
    comparison = one(result)
    test = welch(only, "likes")
    effect = comparison.triggered.absolute
    assert effect is not None
    low, high = test.tconfint_diff(usevar="unequal")
    assert effect.estimate == pytest.approx(test.d1.mean - test.d2.mean, rel=1e-9)
    assert (effect.low, effect.high) == (pytest.approx(low, rel=1e-6), pytest.approx(high, rel=1e-6))
    assert comparison.triggered.p_value == pytest.approx(test.ttest_ind(usevar="unequal")[1], rel=1e-6)
    assert (comparison.control, comparison.treatment) == (pytest.approx(test.d2.mean), pytest.approx(test.d1.mean))
    assert comparison.units == len(only)
    assert not comparison.triggered.band
    share = one(result, "liker").triggered
    assert share.method == "score"
    counts = only.groupby("t").liker.agg(["sum", "count"])
    pooled = counts["sum"].sum() / counts["count"].sum()
    z = (counts["sum"][1] / counts["count"][1] - counts["sum"][0] / counts["count"][0]) / np.sqrt(
        pooled * (1 - pooled) * (1 / counts["count"]).sum()
    )
    assert share.p_value == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-9)


def test_carried_over_to_everybody(everything: tuple[Result, pd.DataFrame]) -> None:
    """Absolute: times the rate. Relative: over what all of the control did, not times the rate."""
    result, found = everything
    rate = found.triggered.mean()
    for metric in ("likes", "liker"):
        comparison = one(result, metric)
        inside, diluted = comparison.triggered.absolute, comparison.diluted
        assert inside is not None
        assert diluted.absolute is not None
        assert diluted.relative is not None
        for end in ("estimate", "low", "high", "se"):
            assert getattr(diluted.absolute, end) == pytest.approx(rate * getattr(inside, end), rel=1e-9)
        control = found[found.t == 0]
        base = (
            rate * control[control.triggered][metric].mean() + (1 - rate) * control[~control.triggered][metric].mean()
        )
        assert diluted.relative.estimate == pytest.approx(rate * inside.estimate / base, rel=1e-9)
    lift = one(result).triggered.relative
    assert lift is not None
    assert one(result).diluted.relative.estimate != pytest.approx(rate * lift.estimate, rel=0.02)  # type: ignore[union-attr]


def test_the_triggered_effect_has_less_noise_than_that_of_everybody(everything: tuple[Result, pd.DataFrame]) -> None:
    result, found = everything
    diluted = one(result).diluted.absolute
    assert diluted is not None
    assert diluted.se is not None
    t, c = found[found.t == 1].likes, found[found.t == 0].likes
    assert diluted.se < 0.95 * np.sqrt(t.var() / len(t) + c.var() / len(c))


def test_the_others_are_an_aa_test(everything: tuple[Result, pd.DataFrame]) -> None:
    result, found = everything
    rest = found[~found.triggered]
    names = ["likes", "liker", "posts"]
    p_values = [welch(rest, m).ttest_ind(usevar="unequal")[1] for m in names]
    for metric, p in zip(names, p_values, strict=True):
        assert one(result, metric).others.p_value == pytest.approx(p, rel=1e-6)
    ratio = one(result, "per_post").others.p_value
    assert ratio is not None
    adjusted = multipletests([*p_values, ratio], method="holm")[1]
    assert [one(result, m).others_p for m in (*names, "per_post")] == [pytest.approx(p, rel=1e-6) for p in adjusted]


def test_what_cannot_be_said_has_a_reason(everything: tuple[Result, pd.DataFrame]) -> None:
    result, _ = everything
    assert one(result, "per_post").triggered.status == "ok"
    assert one(result, "per_post").triggered.method == "delta"
    assert one(result, "per_post").diluted.reason == "ratio"
    assert one(result, "typical").triggered.reason == "kind"
    assert one(result, "later").triggered.reason == "beyond_trigger"
    assert {m.metric for m in triggered(result).metrics} == {"likes", "liker", "per_post", "posts", "later", "typical"}


def test_the_verdict_and_the_main_comparison_read_everybody(tmp_path: Path) -> None:
    with_trigger = abtest.run("x", write(tmp_path / "a", TRIGGER))
    without = abtest.run("x", write(tmp_path / "b", ""))
    assert without.triggered is None
    assert with_trigger.metrics == without.metrics
    # One check more is run, of how many meet the trigger; but for its count the decision is the same, rule by rule.
    first, second = (
        replace(r.decision, by_variant=(), rules=tuple(x for x in r.decision.rules if x.code != "health"))
        for r in (with_trigger, without)
    )
    assert first == second
    differ = {a.key for a, b in zip(with_trigger.health, without.health, strict=True) if a != b}
    assert differ == {"dilution"}
    assert with_trigger.provenance.config_hash != without.provenance.config_hash
    assert with_trigger.provenance.plan_hash != without.provenance.plan_hash


def test_a_treatment_that_decides_who_is_triggered_gets_no_effect(tmp_path: Path) -> None:
    result = abtest.run("x", write(tmp_path, TRIGGER, World(leaky=0.4)))
    (check,) = triggered(result).checks
    assert (check.valid, check.reason) == (False, "rates_differ")
    assert check.p_value is not None
    assert check.p_value < 1e-3
    for metric in triggered(result).metrics:
        (comparison,) = metric.comparisons
        for effect in (comparison.triggered, comparison.diluted, comparison.others):
            assert (effect.status, effect.reason) == ("no_test", "rates_differ")
            assert (effect.absolute, effect.relative, effect.p_value) == (None, None, None)
        assert (comparison.control, comparison.treatment) == (None, None)
    page = render(result, "html", "en")
    assert "the change itself decides who is triggered" in page
    assert "Among the triggered</th>" not in page


def test_a_trigger_that_misses_units_is_not_carried_over(tmp_path: Path) -> None:
    """All users of the treatment like more, the trigger sees only some of them."""
    result = abtest.run("x", write(tmp_path, TRIGGER, World(everybody=True, lift=1.8)))
    comparison = one(result)
    assert triggered(result).checks[0].valid
    assert comparison.triggered.status == "ok"
    assert comparison.others_p is not None
    assert comparison.others_p < 0.05
    assert (comparison.diluted.status, comparison.diluted.reason) == ("no_test", "others_differ")
    assert comparison.diluted.absolute is None
    assert "The trigger then misses some" in render(result, "html", "en")


def test_groups_below_the_privacy_floor_are_not_shown(tmp_path: Path) -> None:
    folder = write(tmp_path, TRIGGER.replace("saw >= 1", "saw >= 1 and like >= 12"), World(units=300))
    found = users(folder)
    cells = found[(found.saw >= 1) & (found.likes >= 12)].groupby("t").size()
    text = (folder / "abtest.yml").read_text("utf-8")
    (folder / "abtest.yml").write_text(
        text.replace("timezone: UTC", f"timezone: UTC, privacy: {{min_cell: {cells.min() + 1}}}", 1), encoding="utf-8"
    )
    result = abtest.run("x", folder)
    (check,) = triggered(result).checks
    assert (check.valid, check.reason, check.p_value) == (False, "too_small", None)
    assert None in [a.triggered for a in triggered(result).arms]
    assert one(result).triggered.reason == "too_small"


@pytest.mark.parametrize(("condition", "everybody"), [("saw >= 0", True), ("saw >= 1000", False)])
def test_everybody_or_nobody(tmp_path: Path, condition: str, everybody: bool) -> None:
    result = abtest.run("x", write(tmp_path, TRIGGER.replace("saw >= 1", condition), World(units=200)))
    (check,) = triggered(result).checks
    assert (check.valid, check.reason) == (True, "all_or_none")
    comparison = one(result)
    if everybody:
        inside, diluted = comparison.triggered, comparison.diluted
        assert diluted.absolute == inside.absolute
        assert diluted.relative is not None
        assert inside.relative is not None
        assert diluted.relative.estimate == pytest.approx(inside.relative.estimate, rel=1e-12)
        assert comparison.others.reason == "no_others"
    else:
        assert (comparison.triggered.reason, comparison.diluted.reason) == ("no_units", "no_units")


def test_before_the_planned_end_only_bands(tmp_path: Path) -> None:
    result = abtest.run("x", write(tmp_path, TRIGGER, end=END.replace(month=4, day=30)))
    assert result.decision.reason == "too_early"
    comparison = one(result)
    inside = comparison.triggered.absolute
    assert comparison.triggered.band
    assert comparison.diluted.band
    assert inside is not None
    assert inside.se is not None
    assert inside.high is not None
    days = (END - START).days + 1
    kappa = optimal_kappa(0.05) * days / ((END.replace(month=4, day=30) - START).days + 1)
    assert (inside.high - inside.estimate) / inside.se == pytest.approx(critical(kappa, 0.05), rel=1e-9)
    page = render(result, "html", "en").replace("\u00a0", " ")
    assert "95% always-valid band" in page


def test_an_open_trigger_beside_an_open_goal(tmp_path: Path) -> None:
    metrics = METRICS.replace("over: first 14 days", "over: whole", 1)
    folder = write(tmp_path, "trigger: (saw)\n", metrics=metrics)
    result = abtest.run("x", folder)
    events = pd.read_csv(folder / "app.csv", parse_dates=["day"])
    flags = pd.read_csv(folder / "flags.csv", parse_dates=["day"]).rename(columns={"day": "exposed"})
    after = events.merge(flags, on="uid")
    after = after[after.day >= after.exposed]
    seen = set(after[after["name"] == "saw_composer"].uid)
    assert sum(a.triggered or 0 for a in triggered(result).arms) == len(seen)
    assert triggered(result).window is None
    likes = after[after["name"] == "like"].groupby("uid").size().reindex(flags.uid).fillna(0)
    arm = flags.set_index("uid").variant
    inside = [likes[(arm == key) & likes.index.isin(seen)].mean() for key in "ba"]
    assert one(result).triggered.absolute is not None
    assert one(result).triggered.absolute.estimate == pytest.approx(inside[0] - inside[1], rel=1e-9)  # type: ignore[union-attr]


def test_one_of_two_treatments_may_be_valid(tmp_path: Path) -> None:
    """Each is judged against the baseline alone; both like more, so the family of the others has four tests."""
    result = abtest.run(
        "x", write(tmp_path, TRIGGER, World(arms=3, units=1500), roles="goal: [likes], secondary: [posts]")
    )
    assert [c.variant for c in triggered(result).checks] == ["vb", "vc"]
    assert all(c.valid for c in triggered(result).checks)
    p_values = [c.others.p_value for m in triggered(result).metrics for c in m.comparisons]
    adjusted = [c.others_p for m in triggered(result).metrics for c in m.comparisons]
    assert adjusted == [pytest.approx(p) for p in multipletests(p_values, method="holm")[1]]


def test_round_trip_and_same_bytes(tmp_path: Path) -> None:
    first = abtest.run("x", write(tmp_path / "a", TRIGGER, World(units=400), roles=ROLES), threads=1)
    second = abtest.run("x", write(tmp_path / "b", TRIGGER, World(units=400), roles=ROLES, shuffle=3), threads=8)
    assert first.to_json() == second.to_json()
    assert render(first, "html", "en") == render(second, "html", "en")
    assert Result.from_json(first.to_json()) == first


def test_the_event_of_a_trigger_is_used(tmp_path: Path) -> None:
    small = World(units=4)
    assert "saw" in dict(unused(abtest.load(write(tmp_path / "a", "", small))))["event"]
    assert "event" not in dict(unused(abtest.load(write(tmp_path / "b", TRIGGER, small))))


def test_a_changed_event_of_the_trigger_changes_the_hash(tmp_path: Path) -> None:
    """Its definition is spelled out there, as those of the metrics are."""
    hashes = []
    for name, event in (("a", "saw_composer"), ("b", "post")):
        folder = write(tmp_path / name, TRIGGER, World(units=4))
        text = (folder / "abtest.yml").read_text("utf-8").replace("saw: saw_composer", f"saw: {event}")
        (folder / "abtest.yml").write_text(text, encoding="utf-8")
        project = abtest.load(folder)
        hashes.append(experiment_hash(project, project.experiments["x"]))
    assert hashes[0] != hashes[1]
