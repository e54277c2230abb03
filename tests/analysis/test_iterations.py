"""The iterations before an experiment: computed anew, compared only where the definition is the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import abtest
from abtest.analysis.iterations import chain_of, changed_definition
from abtest.analysis.lineage import DefinitionChange
from abtest.analysis.result import Result
from abtest.analysis.run import analyse
from abtest.reports.html import render_html
from abtest.reports.iterations import iterations_section
from abtest.reports.wording import Wording
from tests.analysis.faults import write
from tests.reports.page import Page

OLDER = "metrics: {goal: [likes], guardrail: [spend]}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = write(tmp_path_factory.mktemp("chain"))
    change(made, "older.yml", "metrics: {goal: [likes]}", f"changes: [a bigger button]\n{OLDER}")
    return made


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    return abtest.run("x", folder)


def change(folder: Path, name: str, old: str, new: str) -> None:
    file = folder / name
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def test_an_earlier_iteration_is_what_its_own_run_says(folder: Path, result: Result) -> None:
    (before,) = result.iterations
    own = abtest.run("older", folder)
    assert (before.experiment, before.changes, before.units) == ("older", ("a bigger button",), 400)
    assert (before.verdict, before.why, before.valid) == (own.decision.verdict, own.decision.reason, True)
    effects = {m.metric: m for m in before.metrics}
    assert list(effects) == ["likes", "per_open", "spend", "score"]
    likes = own.metric("likes").comparisons[0]
    assert effects["likes"].absolute == likes.absolute
    assert effects["likes"].relative == likes.relative
    assert effects["likes"].control == own.metric("likes").arms[0].value
    assert effects["spend"].label == "held"
    assert effects["per_open"].compared == effects["score"].compared == "absent"
    assert own.iterations == ()


def test_it_round_trips_and_stands_on_the_page(result: Result) -> None:
    assert Result.from_json(result.to_json()) == result
    seen = Page(render_html(result)).seen
    assert "X is iteration 2 of this feature." in seen
    assert "Control → treatment" in seen  # the variants of each are its own
    assert "a bigger button" in seen
    assert "Not measured then." in seen
    without = Page(render_html(replace(result, iterations=()))).seen
    assert "iteration 2" not in without


def test_results_that_are_there_are_not_made_again(folder: Path) -> None:
    project = abtest.load(folder)
    known = replace(analyse(project, project.experiments["older"], iterations=False))
    marked = replace(known, experiment=replace(known.experiment, title="Taken as it is"))
    found = analyse(project, project.experiments["x"], earlier={"older": marked})
    assert [i.title for i in found.iterations] == ["Taken as it is"]


def test_another_definition_is_named_and_not_compared(tmp_path: Path) -> None:
    """The older experiment had its own metric under the same name: here, the words of a stored result are changed."""
    folder = write(tmp_path, users=80)
    project = abtest.load(folder)
    older = analyse(project, project.experiments["older"], iterations=False)
    likes = older.metrics[0]
    other = replace(likes, definition_hash="0" * 16, definition=(("amount", "like"), ("over", "first 14 days")))
    found = analyse(project, project.experiments["x"], earlier={"older": replace(older, metrics=(other,))})
    effect = found.iterations[0].metrics[0]
    assert effect.compared == "other_definition"
    assert effect.absolute is effect.relative is None
    assert DefinitionChange("over", "first 14 days", "first 7 days") in effect.changed
    seen = Page(render_html(found)).seen
    assert "over: first 14 days, now first 7 days" in seen.replace("\u2068", "").replace("\u2069", "")


def test_lost_data_of_an_iteration_do_not_stop_the_next(folder: Path) -> None:
    project = abtest.load(folder)
    older = project.experiments["older"]
    lost = replace(project, experiments={**project.experiments, "older": replace(older, flag="never-logged")})
    found = analyse(lost, project.experiments["x"])
    (before,) = found.iterations
    assert before.verdict is None
    assert before.reason == "E409"
    assert "Not computed (E409)" in Page(render_html(found)).seen.replace("\u2068", "").replace("\u2069", "")


def test_effects_of_an_invalid_iteration_are_not_shown(folder: Path, result: Result) -> None:
    project = abtest.load(folder)
    older = analyse(project, project.experiments["older"], iterations=False)
    broken = replace(
        older, decision=replace(older.decision, valid=False, verdict="dont_decide", reason="health_failed")
    )
    found = analyse(project, project.experiments["x"], earlier={"older": broken})
    page = Page(render_html(found)).seen
    assert "Not shown: a health check of that experiment failed." in page
    estimate = result.iterations[0].metrics[0].relative
    assert estimate is not None
    assert f"{100 * estimate.estimate:+.1f}%" not in page


def test_a_chain_ends_and_never_runs_in_a_circle(folder: Path) -> None:
    project = abtest.load(folder)
    x, older = project.experiments["x"], project.experiments["older"]
    assert [e.id for e in chain_of(project, x)] == ["older"]
    many = {f"e{i}": replace(older, id=f"e{i}", iteration_of=f"e{i - 1}" if i else None) for i in range(30)}
    long = replace(project, experiments=many)
    assert [e.id for e in chain_of(long, many["e29"])] == [f"e{i}" for i in range(28, 16, -1)]
    circle = {**many, "e0": replace(many["e0"], iteration_of="e3")}
    assert [e.id for e in chain_of(replace(project, experiments=circle), circle["e3"])] == ["e2", "e1", "e0"]


def test_changed_keys_in_the_order_of_the_present_definition(result: Result) -> None:
    now = replace(
        result.metric("likes"), definition=(("amount", "like"), ("over", "first 7 days"), ("event like", "like"))
    )
    then = replace(now, definition=(("amount", "open"), ("cap", "9"), ("over", "first 7 days")))
    assert changed_definition(then, now) == (
        DefinitionChange("amount", "open", "like"),
        DefinitionChange("event like", None, "like"),
        DefinitionChange("cap", "9", None),
    )
    assert changed_definition(now, now) == ()


def test_labels_of_iterations_that_are_over_say_nothing_of_so_far(result: Result) -> None:
    """Read early, this experiment's labels hold so far; those of one that ended hold."""
    early = replace(result, experiment=replace(result.experiment, reached_end=False))
    section = iterations_section(Wording(early))
    assert section is not None
    rows = [row for group in section.tables[0].groups for row in group.rows]
    words = {row.head: row.chip.word for row in rows if row.chip is not None and "Held" in row.chip.word}
    assert words["Older"] == "Held"
    assert "this one" in section.tables[0].columns["change"].replace("\u00a0", " ")


def test_a_guardrail_with_a_margin_in_its_own_unit_is_shown_in_that(result: Result) -> None:
    spend = result.metric("spend")
    margin = spend.comparisons[0].margin
    assert margin is not None
    own = replace(spend.comparisons[0], margin=replace(margin, kind="absolute"))
    metrics = tuple(replace(m, comparisons=(own,)) if m.key == "spend" else m for m in result.metrics)
    section = iterations_section(Wording(replace(result, metrics=metrics)))
    assert section is not None
    group = next(g for g in section.tables[0].groups if "Spend" in g.head)
    assert all("%" not in row.change and "€" in row.change for row in group.rows)


def test_an_iteration_that_the_project_does_not_hold_is_named(folder: Path) -> None:
    project = abtest.load(folder)
    x = replace(project.experiments["x"], iteration_of="oldre")
    found = analyse(project, x)
    assert [(i.experiment, i.reason, i.verdict) for i in found.iterations] == [("oldre", "missing", None)]
    assert "Not in this project." in Page(render_html(found)).seen
