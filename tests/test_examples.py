"""The shipped examples on real data, against reference numbers from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

import abtest
from abtest.analysis.result import Comparison, MetricResult, Result

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def watch() -> Result:
    return abtest.run("player_v2", EXAMPLES / "watch-time")


@pytest.fixture(scope="module")
def landing() -> Result:
    return abtest.run("landing_page", EXAMPLES / "visitors")


@pytest.fixture(scope="module")
def loyalty() -> Result:
    return abtest.run("loyalty_offer", EXAMPLES / "visitors")


def only(metric: MetricResult) -> Comparison:
    (comparison,) = metric.comparisons
    return comparison


def digits(number: float | None, written: str) -> None:
    """`number` is `written` to all the digits that are written."""
    assert number is not None
    if "e" in written:
        assert f"{number:.{len(written.split('e')[0]) - 2}e}" == written
        return
    places = len(written.partition(".")[2])
    assert f"{number:.{places}f}" == written.replace("0.", "0.", 1)


def test_watch_time_the_main_job_on_real_input(watch: Result) -> None:
    """Daily watch minutes of 1,800 users (MobileTeleSystems/Ambrosia, Apache-2.0); Welch by scipy.stats."""
    metric = watch.metric("watch_time")
    comparison = only(metric)
    assert [(a.variant, a.used, a.immature, a.missing) for a in metric.arms] == [
        ("control", 900, 0, 0),
        ("new_player", 900, 0, 0),
    ]
    digits(metric.arms[0].value, "692.291")
    digits(metric.arms[1].value, "747.606")
    assert comparison.absolute is not None
    assert comparison.relative is not None
    digits(comparison.absolute.estimate, "55.31468")
    digits(comparison.statistic, "4.252429")
    digits(comparison.df, "1787.51")
    digits(comparison.p_value, "2.2239e-05")
    digits(comparison.absolute.low, "29.80262")
    digits(comparison.absolute.high, "80.82674")
    digits(100 * comparison.relative.estimate, "7.9901")
    assert (watch.decision.verdict, watch.decision.reason) == ("ship", "goal_better")


def test_every_row_of_the_log_is_used(watch: Result) -> None:
    rows = next(x for x in watch.ledgers if x.source == "watch" and x.kind == "rows")
    assert rows.read == 12_600
    assert [(s.step, s.count, s.by_variant) for s in rows.steps] == [
        ("used", 12_600, (("control", 6_300), ("new_player", 6_300)))
    ]


def test_visitors_pooled_z(landing: Result) -> None:
    """2,000 visitors (noBSstats, MIT): two-proportion z-test with pooled variance."""
    metric = landing.metric("bought")
    digits(metric.arms[0].value, "0.064825")
    digits(metric.arms[1].value, "0.037771")
    digits(only(metric).statistic, "-2.757737")
    digits(only(metric).p_value, "0.0058203")
    assert [a.used for a in metric.arms] == [941, 1059]
    assert landing.decision.verdict == "dont_ship"


def test_the_split_of_the_visitors_is_noted_but_not_failed(landing: Result) -> None:
    """941 : 1,059 on 50 : 50 has p = .0083: a note, above the .001 at which results may not be read."""
    srm = next(h for h in landing.health if h.key == "srm")
    assert srm.level == "note"


def test_loyalty_offer_mean_and_proportions(loyalty: Result) -> None:
    """One row per customer (MobileTeleSystems/Ambrosia, Apache-2.0)."""
    ltv = only(loyalty.metric("ltv"))
    assert ltv.absolute is not None
    digits(ltv.absolute.estimate, "-25.6877")
    digits(ltv.statistic, "-2.979468")
    digits(ltv.p_value, "0.0029228")
    assert [round(a.value or 0, 12) for a in loyalty.metric("retention").arms] == [0.303, 0.399]
    conversions = loyalty.metric("conversions")
    assert [round(a.value or 0, 12) for a in conversions.arms] == [0.62, 0.595]
    # The unpooled z of the reference gives .2521; ours is the pooled one, to which both intervals belong.
    z = 0.025 / (0.62 * 0.38 / 1000 + 0.595 * 0.405 / 1000) ** 0.5
    assert f"{_two_sided(z):.4f}" == "0.2521"
    assert only(conversions).p_value == pytest.approx(0.2523, abs=5e-5)


def _two_sided(z: float) -> float:
    from math import erfc, sqrt

    return erfc(z / sqrt(2))


@pytest.fixture(scope="module")
def default_option() -> Result:
    return abtest.run("default_option", EXAMPLES / "villages")


@pytest.fixture(scope="module")
def voucher() -> Result:
    return abtest.run("voucher", EXAMPLES / "villages")


def test_insurance_by_villages_has_cluster_robust_errors(default_option: Result) -> None:
    """1,410 households in 166 natural villages (causaldata, MIT); statsmodels' sandwich over villages, arm by arm."""
    import pandas
    import statsmodels.formula.api as smf

    rows = pandas.read_csv(EXAMPLES / "villages" / "social_insure.csv")
    assert (rows.groupby("address")["default"].nunique() == 1).all()  # whole villages have one default
    variance = 0.0
    for _, arm in rows.groupby("default"):
        groups = pandas.factorize(arm["address"])[0]
        fit = smf.ols("takeup_survey ~ 1", arm).fit(
            cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
        )
        clusters = arm["address"].nunique()
        variance += float(fit.bse["Intercept"]) ** 2 * clusters / (clusters - 1)
    effect = float(smf.ols("takeup_survey ~ default", rows).fit().params["default"])
    found = only(default_option.metric("took_up"))
    assert found.absolute is not None
    assert found.clustering is not None
    assert (found.method, found.clustering.control, found.clustering.treatment) == ("cluster", 85, 81)
    assert found.absolute.estimate == pytest.approx(effect, rel=1e-12)
    assert found.absolute.se == pytest.approx(variance**0.5, rel=1e-10)
    # The plain two-sample error would be a quarter too small.
    assert found.absolute.se > 1.25 * float(smf.ols("takeup_survey ~ default", rows).fit().bse["default"])
    assert default_option.decision.verdict == "ship"


def test_vouchers_were_drawn_inside_villages_and_are_adjusted(voucher: Result) -> None:
    """2,901 people (Thornton 2008; causaldata, MIT): most villages have both, so people and not villages were randomised.

    The effect is that of a regression on the voucher, its covariates and their interactions (Lin 2013), because one arm is
    more than 1.5 times the other; a missing covariate is a constant and an indicator.
    """
    import pandas
    import statsmodels.api as sm

    rows = pandas.read_csv(EXAMPLES / "villages" / "thornton_hiv.csv").dropna(subset=["any"])
    assert (rows.groupby("villnum")["any"].nunique() > 1).mean() > 0.85
    rows = rows.dropna(subset=["got"])
    covariates = []
    for name in ("distvct", "age"):
        missing = rows[name].isna()
        covariates.append(rows[name].fillna(rows[name].mean()))
        if missing.any():
            covariates.append(missing.astype(float))
    x = pandas.concat(covariates, axis=1)
    x = x - x.mean()
    t = rows["any"].astype(float)
    design = pandas.concat([t, x, x.mul(t, axis=0)], axis=1)
    fit = sm.OLS(rows["got"].to_numpy(), sm.add_constant(design.to_numpy())).fit(cov_type="HC2")
    found = only(voucher.metric("fetched"))
    assert found.absolute is not None
    assert found.adjustment is not None
    assert found.method == "lin"
    assert found.absolute.estimate == pytest.approx(float(fit.params[1]), rel=1e-9)
    assert found.absolute.se == pytest.approx(float(fit.bse[1]), rel=0.01)
    raw = rows[t == 1]["got"].mean() - rows[t == 0]["got"].mean()
    assert found.adjustment.raw_absolute is not None
    assert found.adjustment.raw_absolute.estimate == pytest.approx(raw, rel=1e-12)


@pytest.mark.parametrize("result", ["watch", "landing", "loyalty", "default_option", "voucher"])
def test_results_survive_json(result: str, request: pytest.FixtureRequest) -> None:
    found: Result = request.getfixturevalue(result)
    assert Result.from_json(found.to_json()) == found
    assert Result.from_json(found.to_json()).to_json() == found.to_json()


def test_a_frame_gives_the_same_numbers_as_the_files() -> None:
    import pandas

    frame = pandas.read_csv(EXAMPLES / "visitors" / "result_ltv_ret_conv.csv")
    found = abtest.compare(
        frame,
        variant="group",
        control="A",
        metrics={"ltv": "mean", "retention": "proportion", "worth": ("ltv", "conversions")},
    )
    assert [m.title for m in found.metrics] == ["ltv", "retention", "worth"]
    digits(only(found.metrics[0]).statistic, "-2.979468")
    assert only(found.metrics[1]).method == "score"
    assert only(found.metrics[2]).method == "delta"
    table = found.to_pandas()
    assert list(table["metric"]) == ["ltv", "retention", "worth"]
    assert "<table" in found._repr_html_()


def test_a_frame_without_the_column_says_which_it_has() -> None:
    import pandas

    frame = pandas.DataFrame({"group": ["A", "B"], "bought": [0, 1]})
    with pytest.raises(abtest.UserError) as found:
        abtest.compare(frame, variant="group", control="A", metrics={"bougt": "proportion"})
    assert str(found.value) == 'E503 the frame has no column "bougt"\n  Did you mean "bought"?  Columns: bought, group'


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metrics": {"bought": "median"}}, 'E122 the kind of "bought" is "median"'),
        ({"metrics": ["bought"]}, "E415 metrics is a dict of columns and kinds"),
        ({"better": "lowr"}, 'E122 better is "lowr"\n  Did you mean "lower"?'),
        ({"control": "C"}, 'E410 control "C" is not in column "group"\n  Values there: A, B'),
        ({"metrics": {"paid": "proportion"}}, 'E513 column "paid" is called a proportion'),
        ({"metrics": {"group": "mean"}}, 'E513 4 values of column "group" are not finite numbers'),
    ],
)
def test_a_wrong_call_of_compare_is_a_sentence(change: dict[str, object], said: str) -> None:
    import pandas

    frame = pandas.DataFrame({"group": ["A", "B", "A", "B"], "bought": [0, 1, 1, 0], "paid": [0.0, 3.5, 2.0, 1.0]})
    call: dict[str, object] = {"variant": "group", "control": "A", "metrics": {"bought": "proportion"}, **change}
    with pytest.raises(abtest.UserError) as found:
        abtest.compare(frame, **call)  # type: ignore[arg-type]
    assert str(found.value).startswith(said)


def test_a_control_that_is_a_number_is_found() -> None:
    import pandas

    frame = pandas.DataFrame({"arm": [0, 1] * 20, "paid": [1.0, 2.0, 3.0, 5.0] * 10})
    found = abtest.compare(frame, variant="arm", control=0, metrics={"paid": "mean"})
    assert [v.key for v in found.experiment.variants] == ["0", "1"]
    assert repr(found).startswith("<Result of comparison: ")


def test_a_folder_that_is_not_there_is_not_searched_for_above() -> None:
    with pytest.raises(abtest.UserError, match="E100 no folder"):
        abtest.run("player_v2", EXAMPLES / "watch-time" / "nowhere")
