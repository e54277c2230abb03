"""Every check that runs: a planted fault that it must see, a true effect at which it must be silent, and the rules that
hold for all of them."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

import abtest
from abtest.analysis.health.days import check_exposure_step, empty_days
from abtest.analysis.health.logs import check_unit_loss
from abtest.analysis.health.others import runs_beside
from abtest.analysis.health.table import CHECKS, completed
from abtest.analysis.health.values import without_largest
from abtest.analysis.result import HealthCheck, Result
from abtest.stats.moments import PairMoments, moments_of, pair_of
from abtest.stats.peeking import naive_error
from tests.analysis import health_rates
from tests.analysis.faults import FAULTS, logs, write

OF_CLUSTERS = ("cluster_split", "cluster_alone", "cluster_counts")
"""They need an experiment that randomises clusters: `test_clusters.py` plants their faults."""
RUN = [c for c in CHECKS if c.key not in OF_CLUSTERS]
NOT_IN_A_SOUND_LOG = {"mixed_first", "dilution"}
"""The first needs mixed units, which a sound log has not; it is silent where they are mixed both ways. The second needs
a trigger."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return abtest.run("x", write(tmp_path_factory.mktemp("sound")))


def levels(result: Result) -> dict[tuple[str, str | None], str]:
    return {(c.key, c.subject): c.level for c in result.health}


@pytest.mark.parametrize("names", logs(), ids=lambda names: names[0])
def test_planted_faults_are_seen(names: tuple[str, ...], tmp_path: Path) -> None:
    """At the level that is expected, and by the right check; only a fault that may fail makes the result invalid."""
    faults = [FAULTS[name] for name in names]
    result = abtest.run("x", write(tmp_path, faults))
    found = levels(result)
    expected = [e for fault in faults for e in fault.expected]
    for key, subject, level in expected:
        assert found.get((key, subject)) == level, [c for c in result.health if c.key == key]
    failed = any(level == "fail" for _, _, level in expected)
    assert result.decision.valid is not failed, [c for c in result.health if c.level == "fail"]
    table = {c.key: c for c in CHECKS}
    for check in result.health:
        assert check.scope == table[check.key].scope
        assert check.level != "fail" or table[check.key].worst == "fail"


def test_every_check_that_runs_has_a_planted_fault() -> None:
    planted = {(key, level) for fault in FAULTS.values() for key, _, level in fault.expected}
    assert [c.key for c in RUN if c.key != "largest_unit" and (c.key, c.worst) not in planted] == []


def test_a_true_effect_alarms_no_check(sound: Result) -> None:
    assert [c for c in sound.health if c.level in ("note", "fail")] == []
    assert sound.metric("likes").comparisons[0].state == "better"


def test_silence_is_not_for_want_of_looking(sound: Result) -> None:
    ran = {c.key for c in sound.health if c.level == "pass"}
    assert {c.key for c in RUN} - ran == NOT_IN_A_SOUND_LOG


def test_every_check_stands_in_every_result_with_its_reason(sound: Result) -> None:
    assert {c.key for c in sound.health} == {c.key for c in CHECKS}
    order = [c.key for c in CHECKS]
    assert [order.index(c.key) for c in sound.health] == sorted(order.index(c.key) for c in sound.health)
    for check in sound.health:
        assert (check.level == "not_run") == (check.reason is not None), check


def test_data_without_time_have_all_checks_too() -> None:
    import pandas

    frame = pandas.DataFrame({"group": ["A", "B"] * 200, "value": [1.0, 2.0, 2.0, 1.0] * 100})
    result = abtest.compare(frame, variant="group", control="A", metrics={"value": "mean"})
    assert {c.key for c in result.health} == {c.key for c in CHECKS}
    reasons = {c.key: c.reason for c in result.health}
    assert reasons["srm_by_day"] == reasons["exposure_timing"] == reasons["runtime"] == "no_time"
    assert reasons["freshness"] == "no_log"


# False alarms


def test_false_alarms_are_as_rare_as_the_page_says() -> None:
    """Fewer draws than the page is made from, with other seeds: not more alarms than its rates allow (99.99 %)."""
    n = 1500
    known = health_rates.read()["from_counts"]["checks"]
    for key, rate in health_rates.from_counts(n, seed=2).items():
        assert rate["ran"] == n, key
        for level in ("note", "fail"):
            share = max(known[key][level] / known[key]["ran"], 1 / known[key]["ran"])
            assert rate[level] <= binom.ppf(0.9999, n, share), (key, level, rate)


def test_no_check_fails_in_more_than_one_of_500_experiments() -> None:
    """Of the draws, the rate itself; of whole experiments, as many as such a rate can give (99 %)."""
    measured = health_rates.read()
    for rate in measured["from_counts"]["checks"].values():
        assert rate["fail"] / rate["ran"] <= 0.002
    for key, rate in measured["through_files"]["checks"].items():
        assert rate["fail"] <= binom.ppf(0.99, rate["ran"], 0.002), key


def test_false_alarms_are_measured_for_all_checks_that_may_fail() -> None:
    measured = health_rates.read()
    ran = {key for way in measured.values() for key, rate in way["checks"].items() if rate["ran"]}
    # How many meet a trigger has no p-value that could alarm falsely.
    assert {c.key for c in RUN} - ran == {"dilution"}


def test_nine_small_treatments_do_not_make_losses_fail() -> None:
    """Half of the units lose no row, so an arm of a hundred says little. Delta's own spread per arm failed in 7 % here."""
    draw = np.random.default_rng(3)

    def arm(units: int) -> PairMoments:
        rows = 1 + draw.negative_binomial(1.0, 0.1, units)
        share = np.where(draw.random(units) < 0.5, draw.beta(0.5, 9.5, units), 0.0)
        return pair_of(draw.binomial(rows, share).astype(float), rows.astype(float))

    n = 300
    found = [
        check_unit_loss("app", {"a": arm(1100), **{f"b{i}": arm(100) for i in range(9)}}, "a").level for _ in range(n)
    ]
    assert found.count("fail") <= binom.ppf(0.9999, n, 0.002)
    assert found.count("note") <= binom.ppf(0.9999, n, 0.03)


# The table


def test_the_table_has_all_numbers_of_the_design() -> None:
    assert {c.number for c in CHECKS} == set(range(1, 28))
    assert len({c.key for c in CHECKS}) == len(CHECKS)


def test_ruling_25_only_what_is_fixed_before_treatment_or_pipeline_may_fail() -> None:
    assert {c.nature for c in CHECKS if c.worst == "fail"} == {"before", "pipeline"}


def test_what_is_not_found_is_not_run_with_a_reason() -> None:
    own = HealthCheck("srm", "experiment", None, "pass")
    found = completed([own], {"response": "no_survey"})
    assert found[0] == own
    assert next(c for c in found if c.key == "response").reason == "no_survey"
    assert next(c for c in found if c.key == "novelty").reason == "not_applicable"
    assert next(c for c in found if c.key == "carry_over").reason == "not_applicable"


# Parts


def test_the_moments_without_the_largest_unit() -> None:
    values = [1.5, 2.0, 2.25, 8.0, 100.0]
    rest, expected = without_largest(moments_of(values)), moments_of(values[:-1])
    assert rest.n == 4
    assert rest.mean == pytest.approx(expected.mean, rel=1e-12)
    assert rest.m2 == pytest.approx(expected.m2, rel=1e-10)


def test_a_clear_change_that_hangs_on_one_unit() -> None:
    """Both variants are alike but for one unit, whose size makes the difference clear all the same (many units)."""
    from abtest.analysis.arms import Arm
    from abtest.analysis.health.values import _largest
    from tests.analysis.builders import goal

    def arm(values: list[float]) -> Arm:
        return Arm(len(values), len(values), 0, 0, None, moments_of(values))

    alike, odd, shifted = [1.0, 2.0] * 200, [1.0, 2.0] * 199 + [1.0, 400.0], [1.5, 2.5] * 200
    metric = goal("better")
    note = _largest(metric, {"control": arm(alike), "new": arm(odd)}, "control")
    quiet = _largest(metric, {"control": arm(alike), "new": arm(shifted)}, "control")
    assert note is not None
    assert quiet is not None
    assert (note.level, quiet.level) == ("note", "pass")
    unclear = replace(metric, comparisons=(replace(metric.comparisons[0], state="unclear"),))
    assert _largest(unclear, {"control": arm(alike), "new": arm(odd)}, "control") is None


@pytest.mark.parametrize(
    ("looks", "published"),
    [(1, 0.050), (2, 0.083), (3, 0.107), (4, 0.126), (5, 0.142), (10, 0.193), (20, 0.248), (50, 0.320)],
)
def test_the_price_of_looks_is_that_of_armitage_mcpherson_and_rowe(looks: int, published: float) -> None:
    """Armitage, McPherson & Rowe 1969 (JRSS A 132), table 2: repeated tests of a normal mean at the 5 % level."""
    assert naive_error(looks) == pytest.approx(published, abs=6e-4)


def test_looks_out_of_range() -> None:
    for looks in (0, 201):
        with pytest.raises(ValueError, match=r"1\.\.200"):
            naive_error(looks)
    assert naive_error(200) < 1
    assert not math.isnan(naive_error(200))


def test_empty_days() -> None:
    busy = dict.fromkeys(range(100, 130), 40)
    assert empty_days(busy, 100, 129) == []
    assert empty_days({d: n for d, n in busy.items() if d not in (110, 111)}, 100, 129) == [110, 111]
    assert empty_days({d: n for d, n in busy.items() if d < 125}, 100, 129) == [125, 126, 127, 128, 129]
    few = dict.fromkeys(range(100, 130, 2), 4)
    assert empty_days(few, 100, 129) == []
    weekdays = {d: n for d, n in busy.items() if d % 7 not in (2, 3)}
    assert empty_days(weekdays, 100, 129) == []
    assert empty_days({}, 100, 129) == []


def test_steps_are_weeks_that_double() -> None:
    falling = {100 + i: 400 - 10 * i for i in range(30)}
    assert check_exposure_step(falling).level == "pass"
    jump = {100 + i: 20 if i < 14 else 60 for i in range(28)}
    assert check_exposure_step(jump).level == "note"
    assert check_exposure_step({100: 5, 105: 5}).reason == "two_weeks"


def test_which_experiments_run_beside_this_one() -> None:
    own = replace(health_rates.EXPERIMENT, flag="f1", start=date(2026, 3, 2), end=date(2026, 3, 29))
    other = replace(own, id="other", flag="f2")
    assert runs_beside(own, other)
    assert runs_beside(own, replace(other, start=None, end=None))
    assert runs_beside(own, replace(other, start=date(2026, 3, 29), end=date(2026, 4, 9)))
    assert not runs_beside(own, replace(other, start=date(2026, 3, 30), end=date(2026, 4, 9)))
    assert not runs_beside(own, replace(other, start=date(2026, 1, 1), end=date(2026, 3, 1)))
    assert not runs_beside(own, replace(other, flag="f1"))
    assert not runs_beside(own, own)


def test_without_its_log_the_previous_experiment_is_named_as_unread(tmp_path: Path) -> None:
    folder = write(tmp_path, users=60)
    for old, new, reason in (
        ("iteration_of: older", "iteration_of: another", "no_previous"),
        ("iteration_of: another", "iteration_of: beside", None),
    ):
        file = folder / "x.yml"
        file.write_text(file.read_text("utf-8").replace(old, new), "utf-8")
        found = next(c for c in abtest.run("x", folder).health if c.key == "carry_over")
        assert found.reason == reason
