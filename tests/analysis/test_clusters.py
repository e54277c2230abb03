"""Experiments that randomise whole clusters, from files to the result: against pandas and statsmodels."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

import abtest
from abtest.analysis.result import Comparison, HealthCheck, Result
from abtest.analysis.run import Options, analyse
from abtest.language.project import load_project
from abtest.reports.html import render_html
from tests import command
from tests.analysis.clustered import Fit, bell_mccaffrey, correlation, frame, recounted, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("many"))


@pytest.fixture(scope="module")
def found(folder: Path) -> Result:
    return abtest.run("x", folder)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("few"), villages=18)


def comparison(result: Result, metric: str) -> Comparison:
    return result.metric(metric).comparisons[0]


def check(result: Result, key: str, subject: str | None = None) -> HealthCheck:
    return next(c for c in result.health if c.key == key and subject in (None, c.subject))


def agrees(shown: Comparison, fit: Fit) -> None:
    assert shown.absolute is not None
    assert shown.absolute.se is not None
    assert shown.absolute.estimate == pytest.approx(fit.effect, rel=1e-10)
    assert shown.absolute.se == pytest.approx(fit.variance**0.5, rel=1e-9)
    assert shown.df == pytest.approx(fit.df, rel=1e-8)
    assert shown.p_value == pytest.approx(2 * stats.t.sf(abs(fit.effect) / fit.variance**0.5, fit.df), rel=1e-7)


@pytest.mark.parametrize(
    ("metric", "x", "y"),
    [
        ("likes", "like", "one"),
        ("buyer", "buyer", "one"),
        ("spent", "spent", "one"),
        ("likes_per_open", "like", "open"),
        ("spent_per_open", "spent", "open"),
    ],
)
def test_effect_and_error_are_those_of_cluster_robust_least_squares(
    found: Result, folder: Path, metric: str, x: str, y: str
) -> None:
    shown = comparison(found, metric)
    assert shown.method == "cluster"
    agrees(shown, recounted(frame(folder), x, y))


def test_few_clusters_get_the_small_sample_correction(few: Path) -> None:
    found = abtest.run("x", few)
    for metric, x in (("likes", "like"), ("buyer", "buyer"), ("spent", "spent")):
        shown = comparison(found, metric)
        assert shown.method == "cluster_cr2"
        agrees(shown, bell_mccaffrey(frame(few), x))
    note = check(found, "cluster_counts", "likes")
    assert note.level == "note"
    assert note.values is not None
    assert note.values["clusters"] == 9


def test_clusters_correlation_and_design_effect_are_in_the_result(found: Result, folder: Path) -> None:
    users = frame(folder)
    shown = comparison(found, "likes").clustering
    assert shown is not None
    assert (shown.control, shown.treatment) == (70, 70)
    sizes = users.groupby(["t", "village"]).size()
    assert shown.control_worth == pytest.approx(sizes[0.0].sum() ** 2 / (sizes[0.0] ** 2).sum(), rel=1e-12)
    assert shown.mean_size == pytest.approx(sizes.mean(), rel=1e-12)
    rho = correlation(users, "like")
    assert 0.05 < rho < 0.95
    assert shown.icc == pytest.approx(rho, rel=1e-9)
    cv = sizes.std(ddof=0) / sizes.mean()
    assert shown.design_effect == pytest.approx(1 + ((1 + cv**2) * sizes.mean() - 1) * rho, rel=1e-9)


def test_the_correlation_of_a_ratio_is_that_of_its_linearised_values(found: Result, folder: Path) -> None:
    users = frame(folder)
    ratio = users.groupby("t")[["like", "open"]].sum()
    ratio["r"] = ratio["like"] / ratio["open"]
    users["rest"] = users["like"] - users.t.map(ratio.r) * users["open"]
    shown = comparison(found, "likes_per_open").clustering
    assert shown is not None
    assert shown.icc == pytest.approx(correlation(users, "rest"), rel=1e-8)


def test_a_test_that_counts_units_would_be_too_sure(found: Result, folder: Path) -> None:
    users = frame(folder)
    unit = stats.ttest_ind(users[users.t == 1]["like"], users[users.t == 0]["like"], equal_var=False)
    shown = comparison(found, "likes")
    assert shown.absolute is not None
    assert shown.absolute.se is not None
    assert shown.absolute.se > 1.5 * abs(shown.absolute.estimate / unit.statistic)


def test_the_guardrail_is_held_or_not_by_the_same_error(found: Result, folder: Path) -> None:
    """The margin of 20 %: the line m_t - 0.8 m_c is above zero, one-sided, with the degrees of freedom of the effect."""
    users = frame(folder)
    line = variance = 0.0
    for t, weight in ((1.0, 1.0), (0.0, -0.8)):
        arm = users[users.t == t]
        twice = recounted(pd.concat([arm.assign(t=1.0), arm.assign(t=0.0)]), "spent").variance
        line += weight * arm.spent.mean()
        variance += weight**2 * twice / 2
    df = recounted(users, "spent").df
    margin = comparison(found, "spent").margin
    assert margin is not None
    assert margin.p_value == pytest.approx(stats.t.sf(line / variance**0.5, df), rel=1e-6)
    assert margin.label == "held"


def test_a_sequential_plan_gets_a_band_over_clusters(tmp_path: Path) -> None:
    folder = write(tmp_path, changed={"dates: {start": "plan: {method: sequential}\ndates: {start"})
    shown = comparison(abtest.run("x", folder), "likes")
    fit = recounted(frame(folder), "like")
    from abtest.stats.sequential import critical, optimal_kappa

    c = critical(optimal_kappa(0.05), 0.05)
    assert shown.method == "cluster"
    assert shown.absolute is not None
    assert shown.absolute.low == pytest.approx(fit.effect - c * fit.variance**0.5, rel=1e-8)
    assert shown.absolute.high == pytest.approx(fit.effect + c * fit.variance**0.5, rel=1e-8)
    assert shown.always_valid is not None


@pytest.mark.parametrize("villages", [8, 9])
def test_fewer_than_five_clusters_in_a_variant_are_refused(tmp_path: Path, villages: int) -> None:
    found = abtest.run("x", write(tmp_path, villages=villages))
    shown = comparison(found, "likes")
    assert (shown.status, shown.reason, shown.p_value) == ("no_test", "few_clusters", None)
    assert shown.absolute is not None
    assert shown.absolute.low is None
    margin = comparison(found, "spent").margin
    assert margin is not None
    assert margin.label == "no_test"
    assert found.decision.reason != "goal_better"
    assert "fewer than 5 clusters" in render_html(found)


def test_five_clusters_in_each_variant_are_tested(tmp_path: Path) -> None:
    folder = write(tmp_path, villages=10)
    agrees(comparison(abtest.run("x", folder), "likes"), bell_mccaffrey(frame(folder), "like"))


def test_quantiles_have_no_test(found: Result) -> None:
    shown = comparison(found, "top")
    assert (shown.status, shown.reason) == ("no_test", "clustered")
    assert found.metric("top").arms[0].value is not None


def test_effects_are_not_adjusted_and_say_so(found: Result) -> None:
    assert comparison(found, "likes").adjustment is None
    assert comparison(found, "likes").unadjusted == "clustered"
    assert "Not adjusted, since whole clusters were randomised" in render_html(found)


def test_the_split_is_checked_over_clusters(found: Result) -> None:
    srm = check(found, "srm")
    assert srm.values is not None
    assert (srm.level, srm.values["observed"], srm.values["clusters"]) == ("pass", "70 : 70", 140)


def test_a_lost_cluster_sample_fails_the_split(tmp_path: Path) -> None:
    """Half of the treated villages never arrive: 70 against 30, p = .00006."""
    folder = write(tmp_path)
    flags = pd.read_csv(folder / "flags.csv")
    gone = {f"village {v}" for v in range(1, 80, 2)}
    people = pd.read_csv(folder / "people.csv")
    lost = set(people[people.village.isin(gone)].uid)
    flags[~flags.uid.isin(lost)].to_csv(folder / "flags.csv", index=False)
    srm = check(abtest.run("x", folder), "srm")
    assert srm.values is not None
    assert (srm.level, srm.values["observed"]) == ("fail", "70 : 30")
    assert srm.values["p_value"] == pytest.approx(stats.chisquare([70, 30]).pvalue, rel=1e-9)


def test_clusters_of_very_different_sizes_do_not_fail_the_split(tmp_path: Path) -> None:
    """One village of b has as many users as ten others; units are 40 : 60, clusters 70 : 70."""
    folder = write(tmp_path)
    for name in ("flags", "people"):
        rows = pd.read_csv(folder / f"{name}.csv")
        more = pd.DataFrame({"uid": [f"m{i}" for i in range(400)]})
        own = {"variant": "b", "day": "2026-03-02"} if name == "flags" else {"village": "village 1", "plan": "free"}
        pd.concat([rows, more.assign(**own)]).to_csv(folder / f"{name}.csv", index=False)
    found = abtest.run("x", folder)
    assert check(found, "srm").level == "pass"
    assert comparison(found, "likes").method == "cluster_cr2"  # one cluster holds most of the units


def test_units_without_a_cluster_are_counted_and_left_out(tmp_path: Path) -> None:
    folder = write(tmp_path)
    people = pd.read_csv(folder / "people.csv")
    people.loc[people.uid.str.endswith("3"), "village"] = None  # the value is missing
    people[~people.uid.str.endswith("7")].to_csv(folder / "people.csv", index=False)  # the row is missing
    lost = set(people[people.uid.str.endswith(("3", "7"))].uid)
    found = abtest.run("x", folder)
    users = frame(folder)
    agrees(comparison(found, "likes"), recounted(users, "like"))
    ledger = next(x for x in found.ledgers if x.kind == "units")
    steps = {s.step: s.count for s in ledger.steps}
    assert steps == {"no_cluster": len(lost), "used": len(users)}
    assert ledger.read == len(lost) + len(users)
    rows = next(x for x in found.ledgers if x.source == "app")
    assert sum(s.count for s in rows.steps) == rows.read
    events = pd.read_csv(folder / "app.csv")
    assert {s.step: s.count for s in rows.steps}["no_cluster"] == events.uid.isin(lost).sum()
    assert "Cluster not known" in render_html(found)


def test_a_stray_unit_is_noted_and_many_fail(tmp_path: Path) -> None:
    folder = write(tmp_path)
    flags = pd.read_csv(folder / "flags.csv")
    for count, level in ((0, "pass"), (5, "note"), (200, "fail")):
        moved = flags.copy()
        moved.loc[moved[moved.variant == "a"].index[:: max(1, 500 // max(1, count))][:count], "variant"] = "b"
        moved.to_csv(folder / "flags.csv", index=False)
        found = abtest.run("x", folder)
        split = check(found, "cluster_split")
        users = frame(folder)
        cells = users.groupby(["village", "t"]).size().unstack(fill_value=0)
        both = cells[(cells > 0).all(axis=1)]
        assert split.level == level
        assert split.values is not None
        assert split.values["count"] == both.to_numpy().sum()
        assert split.values["stray_share"] == pytest.approx(both.min(axis=1).sum() / len(users))
    assert found.decision.verdict == "dont_decide"


def test_segments_get_the_same_test_inside(tmp_path: Path) -> None:
    folder = write(tmp_path, changed={"metrics:\n  goal": "segments: [plan, region]\nmetrics:\n  goal"})
    found = abtest.run("x", folder)
    users = frame(folder)
    by = {(s.dimension, s.metric): s for s in found.segments}
    for dimension in ("plan", "region"):
        for group in by[dimension, "likes"].groups:
            own = users[users[dimension] == group.label]
            shown = group.comparisons[0]
            if shown.method == "cluster":
                agrees(shown, recounted(own, "like"))
            else:
                agrees(shown, bell_mccaffrey(own, "like"))
    assert by["plan", "likes"].interaction_p is None
    assert by["plan", "likes"].interaction_reason == "clustered"  # one village has users of both plans
    assert by["region", "likes"].interaction_p is not None  # every village lies in one region
    assert {g.comparisons[0].method for g in by["region", "likes"].groups} == {"cluster_cr2"}


@pytest.mark.parametrize("villages", [140, 18])
def test_the_same_bytes_whatever_the_order_of_rows_and_the_threads(tmp_path: Path, villages: int) -> None:
    folder = write(tmp_path, villages=villages, changed={"metrics:\n  goal": "segments: [plan]\nmetrics:\n  goal"})
    results = []
    for threads in (1, 8):
        project = load_project(folder)
        results.append(analyse(project, project.experiments["x"], options=Options(threads=threads)).to_json())
        for name in ("app", "flags", "people"):
            head, *rows = (folder / f"{name}.csv").read_text("utf-8").splitlines()
            random.Random(3).shuffle(rows)
            (folder / f"{name}.csv").write_text("\n".join([head, *rows]) + "\n", "utf-8")
    assert results[0] == results[1]


def test_ids_of_clusters_may_be_numbers(found: Result, tmp_path: Path) -> None:
    folder = write(tmp_path, changed={"cluster: people.village": "cluster: people.number"})
    shown = abtest.run("x", folder)
    assert comparison(shown, "likes") == comparison(found, "likes")


def test_the_result_survives_json_and_names_the_cluster(found: Result) -> None:
    assert Result.from_json(found.to_json()) == found
    assert found.experiment.cluster == "people.village"


def test_the_report_says_which_test_and_shows_the_clusters(found: Result, few: Path) -> None:
    page = render_html(found)
    for text in ("Clusters, delta method", "Design effect", "Correlation within", "70 against 70", "by people.village"):
        assert text in page
    assert "Clusters, CR2" in render_html(abtest.run("x", few))


def test_no_effect_is_shown_when_a_check_failed_but_clusters_are(found: Result) -> None:
    invalid = replace(
        found, decision=replace(found.decision, valid=False, verdict="dont_decide", reason="health_failed")
    )
    page = render_html(invalid)
    assert "70 against 70" in page
    lift = comparison(found, "likes").relative
    assert lift is not None
    assert f"{100 * lift.estimate:.1f}%" not in page.partition("<script")[0]


def test_explain_says_where_clusters_are_compared(folder: Path) -> None:
    for language, said in (
        ("en", "whole values of people.village are randomised"),
        ("nl", "hele waarden van people.village"),
    ):
        done = command.abtest("explain", "likes", "--project", str(folder), "--language", language)
        assert said in " ".join(done.out.split())


def test_explain_of_a_unit_without_a_cluster_says_why_it_is_left_out(tmp_path: Path) -> None:
    folder = write(tmp_path, villages=10)
    people = pd.read_csv(folder / "people.csv")
    people.loc[people.uid == "u00001", "village"] = None
    people.to_csv(folder / "people.csv", index=False)
    done = command.abtest("explain", "likes", "--project", str(folder), "--unit", "u00001")
    assert "left out: its cluster is not known" in done.out
