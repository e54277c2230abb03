"""`uses: abtest/NAME`: an entry of the shipped catalogue, overridden key by key."""

from pathlib import Path

import pytest

from abtest.language.canonical import metric_hash
from abtest.language.model import Fold, Project, Window

from .projects import FILES, read, said

OVERRIDES = {
    "same": "{uses: abtest/engaged_weeks}",
    "titled": "{uses: abtest/engaged_weeks, title: Ours, owner: us, better: lower, margin: 2%, tags: [core], phase: growth}",
    "longer": "{uses: abtest/engaged_weeks, over: first 56 days}",
    "always": "{uses: abtest/engaged_weeks, value: always}",
    "stricter": "{uses: abtest/engaged_weeks, did: like >= 9}",
    "counted": "{uses: abtest/engaged_weeks, amount: like}",
    "back": "{uses: abtest/retention_d7}",
    "day_14": "{uses: abtest/retention_d7, day: 14}",
    "second_week": "{uses: abtest/retention_d7, days: 7-13}",
    "liked": "{uses: abtest/retention_d7, retention: like, day: 7}",
    "opened": "{uses: abtest/retention_d7, did: app_open, over: day 7}",
    "exampled": "{uses: abtest/retention_d7, day: 3, examples: [{when: {day 3: app_open}, expect: 1}]}",
    "streak": "{uses: abtest/seven_day_streak, amount: like}",
    "versioned": "{uses: abtest/retention_d7, day: 3, version: 4}",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    text = "metrics:\n" + "".join(f"  {name}: {definition}\n" for name, definition in OVERRIDES.items())
    found, problems = read(tmp_path_factory.mktemp("uses"), {**FILES, "metrics/uses.yml": text})
    assert said(problems) == ""
    return found


def test_an_entry_is_a_metric_of_the_project(project: Project) -> None:
    metric = project.metrics["same"]
    assert metric.name == "same"
    assert metric.uses == "abtest/engaged_weeks"
    assert metric.examples
    assert (metric.place.file, metric.place.line) == ("metrics/uses.yml", 2)


def test_words_about_it_leave_the_definition_and_its_examples_alone(project: Project) -> None:
    same, titled = project.metrics["same"], project.metrics["titled"]
    assert metric_hash(same, project.events) == metric_hash(titled, project.events)
    assert (titled.title, titled.owner, titled.better, titled.phase) == ("Ours", "us", "lower", "growth")
    assert [e.expect for e in titled.examples] == [e.expect for e in same.examples]


@pytest.mark.parametrize(
    "name", ["longer", "always", "stricter", "counted", "day_14", "second_week", "liked", "versioned"]
)
def test_a_changed_definition_leaves_version_and_examples_behind(project: Project, name: str) -> None:
    assert project.metrics[name].examples == ()
    assert project.metrics[name].version == (4 if name == "versioned" else None)


def test_what_is_not_written_stays_as_it_was(project: Project) -> None:
    same, longer, always = (project.metrics[n] for n in ("same", "longer", "always"))
    assert (longer.condition, longer.per, longer.window) == (same.condition, same.per, Window(0, 55))
    assert (always.condition, always.per, always.window) == (same.condition, same.per, same.window)
    assert always.fold == Fold("always")


def test_another_kind_replaces_the_kind(project: Project) -> None:
    counted = project.metrics["counted"]
    assert (counted.kind, counted.condition, counted.window) == ("amount", None, Window(0, 27))
    assert project.metrics["streak"].fold == Fold("mean")  # the streak of the entry belongs to its condition


def test_the_days_of_a_retention_replace_each_other(project: Project) -> None:
    def hashed(name: str) -> str:
        return metric_hash(project.metrics[name], project.events)

    assert [project.metrics[n].window for n in ("day_14", "second_week", "liked")] == [
        Window(14, 14),
        Window(7, 13),
        Window(7, 7),
    ]
    assert hashed("opened") == hashed("back")
    assert len({hashed(n) for n in ("back", "day_14", "second_week", "liked")}) == 4


def test_own_examples_are_kept(project: Project) -> None:
    assert [e.text for e in project.metrics["exampled"].examples] == ["1"]


def test_what_is_wrong_with_an_override_stands_where_it_is_written(tmp_path: Path) -> None:
    text = "metrics:\n  x:\n    uses: abtest/engaged_weeks\n    over: first 30 days\n    beter: higher\n"
    _, problems = read(tmp_path, {**FILES, "metrics/x.yml": text})
    assert [(str(p.place), p.code) for p in problems.errors] == [
        ("metrics/x.yml:4:11", "E308"),
        ("metrics/x.yml:5:5", "E102"),
    ]


def test_words_of_any_kind_leave_the_definition_alone(tmp_path: Path) -> None:
    """Neither words about a metric nor those of its survey count as its meaning."""
    survey = "surveys:\n  nps: {source: form, answer: q1, scale: 0-10, score: nps%s}\nmetrics:\n  s: {survey: nps%s}\n"
    log = (
        FILES["abtest.yml"] + "  form: {kind: answers, files: f.csv, units: {user: id}, columns: {time: at, q1: q1}}\n"
    )
    told = (
        ", title: {en: A, nl: B}, cannot: C, questions: {q1: Q}",
        ", cannot: {en: A, nl: B}, origin: me, guardrail: s",
    )
    hashes = set()
    for number, words in enumerate((("", ""), told)):
        files = {**FILES, "abtest.yml": log, "metrics/s.yml": survey % words}
        found, problems = read(tmp_path / str(number), files)
        assert said(problems) == ""
        hashes.add(metric_hash(found.metrics["s"], found.events))
    assert len(hashes) == 1
    assert found.metrics["s"].translated == (("nl", "cannot", "B"),)
    assert [(q, w.en) for q, w in found.surveys["nps"].questions] == [("q1", "Q")]
