"""The demo: reproducible to the byte, and its planted effects come out of the logs, not out of the generator.

`Records` hold what the generator did to each person in both worlds. From them each metric is computed here a second
time, in a few lines of numpy, and compared with what the pipeline reads from the files: equal per variant, and the
true effect (in these very people) inside the reported interval. All of it for each of the three tests: a trap, a null
and a win.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from abtest.analysis.decide import Clock, decide
from abtest.analysis.result import MetricResult, Result
from abtest.analysis.run import analyse
from abtest.analysis.sharing import engine_of
from abtest.demo import SEASONS, TRUTH, Demo, Records, write_demo
from abtest.language.model import Project
from abtest.language.project import read_project
from abtest.problems import UserError

EVERY = tuple(s.experiment for s in SEASONS)
Values = npt.NDArray[np.float64]
Days = Mapping[str, npt.NDArray[np.int64]]


def weekly(days: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(people, 28) to (people, 4)."""
    found: npt.NDArray[np.int64] = days.reshape(-1, 4, 7).sum(2)
    return found


def values(days: Days) -> dict[str, tuple[Values, Values]]:
    """Numerator and denominator per person of every metric of the demo, straight from its description."""
    engaged = (weekly(days["photo_post"]) >= 2) & (weekly(days["like"]) >= 5)
    reading = weekly((days["article_read"] >= 4).astype(np.int64)) >= 2
    points = days["like"] + 2 * days["comment"] + 5 * days["share"]
    spent = days["revenue"].sum(1) / 100
    one = np.ones(len(spent))
    return {
        "engaged_weeks": (engaged.mean(1), one),
        "steady_users": ((engaged.sum(1) >= 3).astype(float), one),
        "reading_weeks": (reading.mean(1), one),
        "active_days": ((days["app_open"] > 0).sum(1).astype(float), one),
        "photos_per_user": (days["photo_post"].sum(1).astype(float), one),
        "interactions": (weekly(points).mean(1), one),
        "retention_d7": ((days["app_open"][:, 7] > 0).astype(float), one),
        "revenue_per_user": (np.minimum(spent, 100.0), one),
        "order_value": (spent, days["purchase"].sum(1).astype(float)),
        "crash_free_days": ((days["crash"] == 0).mean(1), one),
    }


@dataclass(frozen=True)
class Run:
    demo: Demo
    project: Project
    results: Mapping[str, Result]

    @property
    def result(self) -> Result:
        return self.results["composer_v3"]

    def metric(self, key: str, experiment: str = "composer_v3") -> MetricResult:
        return next(m for m in self.results[experiment].metrics if m.key == key)

    def level(self, experiment: str, check: str) -> set[str]:
        return {h.level for h in self.results[experiment].health if h.key == check}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The demo as `abtest demo` writes it."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    demo = write_demo(folder)
    project, _ = read_project(folder)
    results: dict[str, Result] = {}
    with engine_of(project) as engine:
        for key in EVERY:
            results[key] = analyse(project, project.experiments[key], earlier=results, engine=engine)
    return Run(demo, project, results)


def digests(folder: Path) -> dict[str, str]:
    files = (f for f in sorted(folder.rglob("*")) if f.is_file())
    return {f.relative_to(folder).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write_demo(tmp_path / "a", users=150, seed=7)
    second = write_demo(tmp_path / "b", users=150, seed=7)
    write_demo(tmp_path / "c", users=150, seed=8)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert digests(tmp_path / "a") != digests(tmp_path / "c")
    assert set(first.files) == set(digests(tmp_path / "a"))
    assert first.rows == second.rows


def test_it_is_read_without_problems_and_every_metric_has_two_examples(full: Run) -> None:
    project, problems = read_project(full.demo.folder)
    assert problems.found == []
    assert project.warnings == ()
    for metric in project.metrics.values():
        assert len(metric.examples) == 2, metric.name
        assert metric.owner, metric.name
        assert metric.description, metric.name
        assert metric.better, metric.name
    used = {key: {u.name for u in e.metrics} for key, e in project.experiments.items()}
    assert tuple(used) == EVERY
    assert used["composer_v3"] == set(project.metrics)
    assert used["composer_v1"] == used["composer_v2"] < used["composer_v3"]


def test_the_two_criteria_stand_there_word_for_word(full: Run) -> None:
    text = (full.demo.folder / "metrics" / "engagement.yml").read_text("utf-8")
    assert "did: photo_post >= 2 and like >= 5\n" in text
    assert "did: article_read >= 4 on 2 days" in text


def test_the_verdict_is_ship(full: Run) -> None:
    result = full.result
    assert (result.decision.verdict, result.decision.reason) == ("ship", "goal_better")
    assert full.metric("engaged_weeks").comparisons[0].state == "better"
    for metric in result.metrics:
        if metric.role == "guardrail":
            margin = metric.comparisons[0].margin
            assert margin is not None
            assert margin.label == "held", metric.key
    assert [h for h in result.health if h.level not in ("pass", "not_run")] == []
    assert (result.experiment.days_run, result.experiment.days_planned) == (35, 35)


def test_the_first_is_the_engagement_trap(full: Run) -> None:
    decision = full.results["composer_v1"].decision
    assert (decision.verdict, decision.reason) == ("dont_ship", "engagement_trap")
    assert full.metric("engaged_weeks", "composer_v1").comparisons[0].state == "better"
    assert full.metric("photos_per_user", "composer_v1").comparisons[0].state == "better"
    assert full.metric("revenue_per_user", "composer_v1").comparisons[0].state == "worse"
    rule = next(line for line in decision.rules if line.code == "value")
    assert (rule.met, rule.metrics) == (False, ("revenue_per_user",))


def test_the_trap_is_found_without_the_margin(full: Run) -> None:
    """Had nobody set a margin that revenue breaks, the first composer would still not be shipped."""
    result = full.results["composer_v1"]
    metrics = tuple(
        replace(
            m, comparisons=tuple(replace(c, margin=c.margin and replace(c.margin, label="held")) for c in m.comparisons)
        )
        for m in result.metrics
    )
    clock = Clock(True, False)
    assert decide(["composer"], metrics, result.health, clock, (), ("revenue_per_user",)).reason == "engagement_trap"
    assert decide(["composer"], metrics, result.health, clock).verdict == "ship"  # nothing else is in its way


def test_the_second_is_a_null(full: Run) -> None:
    decision = full.results["composer_v2"].decision
    assert (decision.verdict, decision.reason) == ("dont_ship", "no_clear_gain")
    assert {c.state for m in full.results["composer_v2"].metrics for c in m.comparisons} == {"unclear"}
    assert not TRUTH["composer_v2"]
    for event, days in full.demo.records["composer_v2"].off.items():
        assert (days == full.demo.records["composer_v2"].on[event]).all()


def test_no_check_fails_and_the_notes_are_those_that_the_readme_explains(full: Run) -> None:
    noted = {
        k: {(h.key, h.subject) for h in r.health if h.level not in ("pass", "not_run")} for k, r in full.results.items()
    }
    skewed = {("skewness", "crash_free_days"), ("skewness", "revenue_per_user")}
    assert noted == {
        "composer_v1": skewed,
        "composer_v2": skewed | {("power", "engaged_weeks")},
        "composer_v3": set(),
    }
    assert not [h for r in full.results.values() for h in r.health if h.level == "fail"]


def test_effects_are_adjusted_by_the_weeks_before(full: Run) -> None:
    for key in EVERY:
        found = full.metric("engaged_weeks", key).comparisons[0].adjustment
        assert found is not None, key
        assert found.traffic is not None
        assert found.traffic > 1.3, key


def test_what_the_log_holds_after_a_test_does_not_count_as_its_time(full: Run) -> None:
    """The log of the first two goes on for months, with gaps between the seasons."""
    for key in EVERY:
        info = full.results[key].experiment
        assert (info.days_of_plan, info.days_planned, info.reached_end) == (35, 35, True), key
        assert full.level(key, "time_gaps") == {"pass"}, key


def test_the_last_tells_of_those_before_it(full: Run) -> None:
    found = full.result.iterations
    assert [(i.experiment, i.verdict, i.why, i.valid) for i in found] == [
        ("composer_v1", "dont_ship", "engagement_trap", True),
        ("composer_v2", "dont_ship", "no_clear_gain", True),
    ]
    for one in found:
        assert [(m.metric, m.compared) for m in one.metrics] == [
            ("engaged_weeks", "same"),
            ("crash_free_days", "same"),
            ("revenue_per_user", "same"),
        ]
        for metric in one.metrics:
            assert metric.absolute == full.metric(metric.metric, one.experiment).comparisons[0].absolute
    assert [i.experiment for i in full.results["composer_v2"].iterations] == ["composer_v1"]
    assert full.results["composer_v1"].iterations == ()


def test_no_two_seasons_share_a_person_or_a_row(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "demo", users=150, seed=5)
    exports = demo.folder / "exports"
    people = [line.split(";")[0] for line in (exports / "users.csv").read_text().splitlines()[1:]]
    assert len(people) == len(set(people)) == 159 + 2 * 40  # with 6 % who never meet the flag
    weeks: list[tuple[set[str], set[str]]] = []
    for file in sorted((exports / "app_log").glob("*.csv.gz")):
        rows = [r.split(",") for r in gzip.decompress(file.read_bytes()).decode().splitlines()[1:] if r.count(",") == 5]
        weeks.append(({r[0] for r in rows}, {r[2] for r in rows} - {""}))
    assert len(weeks) == 27
    seasons = [[set.union(*(w[i] for w in weeks[9 * k : 9 * k + 9])) for i in range(2)] for k in range(3)]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert not seasons[a][0] & seasons[b][0]
        assert not seasons[a][1] & seasons[b][1]


def test_a_shared_engine_changes_no_result(tmp_path: Path) -> None:
    write_demo(tmp_path / "demo", users=400, seed=3)
    project, _ = read_project(tmp_path / "demo")
    alone = analyse(project, project.experiments["composer_v3"])
    results: dict[str, Result] = {}
    with engine_of(project) as engine:
        for key in EVERY:
            results[key] = analyse(project, project.experiments[key], earlier=results, engine=engine)
        assert set(engine.kept) == {"app_log", "flags", "people"}
    assert results["composer_v3"] == alone
    assert results["composer_v1"] == analyse(project, project.experiments["composer_v1"])


@pytest.mark.parametrize("key", EVERY)
def test_values_per_variant_equal_the_records(key: str, full: Run) -> None:
    records = full.demo.records[key]
    worlds = (values(records.off), values(records.on))
    for metric in full.results[key].metrics:
        for number, arm in enumerate(metric.arms):
            seen = (records.variant == number) & ~records.mixed
            of, to = (part[seen] for part in worlds[number][metric.key])
            assert arm.used == seen.sum()
            assert arm.value == pytest.approx(of.sum() / to.sum(), rel=1e-9), (metric.key, arm.variant)


@pytest.mark.parametrize("key", EVERY)
def test_the_true_effect_lies_in_its_interval(key: str, full: Run) -> None:
    off, on = values(full.demo.records[key].off), values(full.demo.records[key].on)
    for metric in full.results[key].metrics:
        truth = on[metric.key][0].sum() / on[metric.key][1].sum() - off[metric.key][0].sum() / off[metric.key][1].sum()
        found = metric.comparisons[0].absolute
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        assert found.low <= truth <= found.high, (metric.key, truth, found)


@pytest.mark.parametrize("key", EVERY)
def test_the_planted_rates_are_what_the_people_got(key: str, full: Run) -> None:
    off, on = full.demo.records[key].off, full.demo.records[key].on
    for event, days in off.items():
        if event == "revenue":
            continue  # in cents; it follows the purchases
        grew = on[event].sum() / days.sum() - 1
        # Extra events are a sum of Poisson counts and lost ones of coins: to within four of their standard errors.
        effect = TRUTH[key].get(event, 0.0)
        assert grew == pytest.approx(effect, abs=4 * np.sqrt(abs(effect) / days.sum())), event
    lost = TRUTH[key].get("purchase", 0.0)
    assert on["revenue"].sum() / off["revenue"].sum() - 1 == pytest.approx(lost, abs=0.05 if lost else 0)


def test_the_ledgers_add_up_and_have_something_to_show(full: Run) -> None:
    ledgers = {ledger.source: ledger for ledger in full.result.ledgers}
    for ledger in ledgers.values():
        assert sum(step.count for step in ledger.steps) == ledger.read, ledger.source
    steps = {step.step: step.count for step in ledgers["app_log"].steps}
    assert ledgers["app_log"].read == full.demo.rows
    assert steps["unparsable"] == 6
    expected = {"no_id", "bad_time", "ignored", "duplicate", "unassigned", "mixed", "before_exposure", "after_window"}
    assert expected < set(steps)
    assert 0.004 < steps["duplicate"] / full.demo.rows < 0.006
    assert ledgers["user"].read == full.demo.users
    for records in full.demo.records.values():
        assert 0 < sum(records.mixed) < 0.001 * len(records.mixed)


def test_the_log_does_not_say_who_saw_what(full: Run) -> None:
    """The effect can only be found by joining the log with the evaluations."""
    lines = gzip.decompress((full.demo.folder / "exports/app_log/2026-W10.csv.gz").read_bytes()).decode().splitlines()
    assert lines[0] == "event_id,ts,user_id,event,platform,revenue"
    names = {line.split(",")[3] for line in lines[1:] if line.count(",") == 5}
    declared = {e for e in full.project.events.values() if e.source == "app_log"}
    assert names == {name for event in declared for name in event.names}


def test_the_readme_tells_the_numbers_of_this_demo(full: Run) -> None:
    """Each number that the README gives of the truth is computed from the records; its user id exists."""
    text = (full.demo.folder / "README.md").read_text("utf-8")

    def means(records: Records, metric: str, scale: float = 1) -> str:
        off, on = (scale * values(world)[metric][0].mean() for world in (records.off, records.on))
        return f"{off:.2f}{{}} | {on:.2f}{{}}"

    for key in ("composer_v1", "composer_v3"):
        records = full.demo.records[key]
        assert means(records, "engaged_weeks", 100).format(" %", " %") in text
        assert means(records, "photos_per_user").format("", "") in text
        assert means(records, "interactions").format("", "") in text
        for effect in TRUTH[key].values():
            assert f"{abs(effect):.0%}".replace("%", " %") in text
    first = full.demo.records["composer_v1"]
    assert means(first, "revenue_per_user").format(" EUR", " EUR") in text
    buyers = [100 * (world["purchase"].sum(1) > 0).mean() for world in (first.off, first.on)]
    assert f"{buyers[0]:.2f} % | {buyers[1]:.2f} %" in text
    assert f"{full.demo.rows / 1e6:.1f} million rows" in text
    assert sum(r.mixed.sum() for r in full.demo.records.values()) == 18
    assert "eighteen users who saw both variants" in text
    user = re.search(r"--unit (u\d+)", text)
    assert user is not None
    assert f"{user[1]};" in (full.demo.folder / "exports/users.csv").read_text("utf-8")
    assert f"--unit {user[1]} --experiment composer_v3" in text
    for name in re.findall(r"abtest (?:run|explain) (\w+)", text):
        assert name in {**full.project.experiments, **full.project.metrics}


def test_a_folder_with_other_work_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty") as refused:
        write_demo(tmp_path, users=100)
    assert refused.value.exit_code == 2
    assert [f.name for f in tmp_path.iterdir()] == ["notes.txt"]


def test_an_edited_demo_is_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    write_demo(folder, users=100)
    write_demo(folder, users=100)  # unchanged: written again
    (folder / "abtest.yml").write_text("project: {name: mine}\n")
    with pytest.raises(UserError, match="was edited"):
        write_demo(folder, users=100)
    assert (folder / "abtest.yml").read_text() == "project: {name: mine}\n"


@pytest.mark.parametrize("users", [0, 99])
def test_a_demo_of_nobody_is_refused(users: int, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"users": users}
    with pytest.raises(ValueError, match="at least 100"):
        write_demo(tmp_path / "demo", **arguments)


def test_a_small_demo_runs_too(tmp_path: Path) -> None:
    write_demo(tmp_path / "demo", users=400, seed=3)
    project, _ = read_project(tmp_path / "demo")
    result = analyse(project, project.experiments["composer_v3"])
    assert result.experiment.reached_end
    assert all(sum(s.count for s in ledger.steps) == ledger.read for ledger in result.ledgers)
