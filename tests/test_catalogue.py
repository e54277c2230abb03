"""The shipped catalogue: every entry loads, explains itself and says what it cannot tell; its examples hold, in its own
words and in those of a project that calls everything otherwise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from abtest.analysis.examples import problems_in_examples, run_examples
from abtest.language.canonical import metric_hash
from abtest.language.catalogue import SECTIONS, entries, vocabulary
from abtest.language.catalogue_names import needs_of_entry
from abtest.language.explain import Explainer
from abtest.language.format import format_yaml
from abtest.language.model import Project
from abtest.language.project import load_project
from abtest.language.words import told
from abtest.problems import Problems
from abtest.shipped import shipped
from tests.catalogue_projects import mapping, ours, plain, sources, uses
from tests.command import abtest

QUESTIONS = {"question_what", "question_how", "question_buying", "question_worth"}
DIMENSIONS = {"cognitive", "emotional", "behavioural"}
PHASES = {"acquisition", "engagement", "retention", "value"}


def project(folder: Path, *texts: str) -> Project:
    for number, text in enumerate(texts):
        (folder / ("abtest.yml" if not number else f"part_{number}.yml")).write_text(text, "utf-8")
        if number:
            (folder / "metrics").mkdir(exist_ok=True)
            (folder / f"part_{number}.yml").rename(folder / "metrics" / f"part_{number}.yml")
    return load_project(folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Every entry, in the words of the catalogue."""
    return project(tmp_path_factory.mktemp("plain"), sources(plain), uses())


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Every entry, in a project that has other names for all of it."""
    return project(tmp_path_factory.mktemp("ours"), mapping(), sources(ours), uses())


def failures(found: Project) -> list[tuple[str, int, str, float | None]]:
    assert [str(p) for p in problems_in_examples(found)] == []
    done = run_examples(found, found.metrics.values())
    return [(o.metric, o.number, o.example.text, o.got) for o in done if not o.passed]


def test_the_examples_hold(whole: Project) -> None:
    assert set(whole.metrics) == set(entries())
    assert failures(whole) == []


def test_the_examples_hold_in_other_names(mapped: Project) -> None:
    assert set(mapped.metrics) == set(entries())
    assert failures(mapped) == []
    named = {e.event for m in mapped.metrics.values() for x in m.examples for e in x.events}
    assert not named & set(vocabulary().events)


def test_names_change_nothing_of_the_meaning(whole: Project, mapped: Project) -> None:
    """Both read the same columns of the log, so the definitions are the same number."""
    assert {n: metric_hash(m, whole.events) for n, m in whole.metrics.items()} != {}
    assert Explainer().meaning(mapped.metrics["engaged_weeks"]).replace("our_", "") == Explainer().meaning(
        whole.metrics["engaged_weeks"]
    )


def test_the_catalogue_draws_no_warning(whole: Project) -> None:
    assert whole.warnings == ()


def test_every_entry_has_four_examples_and_one_of_a_silent_unit() -> None:
    for name, entry in entries().items():
        examples = getattr(entry.get("examples"), "items", ())
        assert len(examples) >= 4, name
        silent = [x for x in examples if getattr(x.get("when"), "value", None) == "nothing"]
        assert len(silent) >= 1, name


def test_examples_of_an_entry_differ_in_what_they_give(whole: Project) -> None:
    """One example that counts and one that does not: an entry that is always 0 would show."""
    for name, metric in whole.metrics.items():
        values = {"missing" if math.isnan(e.expect) else e.expect for e in metric.examples}
        assert len(values) >= 2, name


def test_every_metric_says_what_it_is_in_both_languages(whole: Project) -> None:
    for name, m in whole.metrics.items():
        assert m.origin, name
        assert m.better, name
        assert m.dimension in DIMENSIONS, name
        assert m.phase in PHASES, name
        assert QUESTIONS & set(m.tags), name
        assert Explainer().meaning(m).endswith("."), name
        assert Explainer("nl").meaning(m).endswith("."), name


@pytest.mark.parametrize("section", SECTIONS)
def test_every_entry_is_told_in_english_and_in_dutch(section: str, whole: Project) -> None:
    found: Mapping[str, object] = getattr(whole, section)
    for name in entries(section):
        entry = found[name]
        for key in ("title", "description", "cannot"):
            english, dutch = (told(getattr(entry, key), entry.translated, key, x) for x in ("en", "nl"))  # type: ignore[attr-defined]
            assert english, (name, key)
            assert dutch, (name, key)
            assert any(language == "nl" and k == key for language, k, _ in entry.translated), (name, key)  # type: ignore[attr-defined]


def test_a_proposed_guardrail_is_an_entry_with_a_direction_and_a_margin(whole: Project) -> None:
    for name, metric in whole.metrics.items():
        assert metric.guardrail is not None, name
        assert metric.guardrail != name
        pair = whole.metrics[metric.guardrail]
        assert pair.better, (name, pair.name)
        assert pair.margin is not None, (name, pair.name)


def test_groups_advise_on_every_cell_or_level_in_both_languages(whole: Project) -> None:
    for name in entries("groups"):
        group = whole.groups[name]
        assert group.advice, name
        for cell, advice in group.advice:
            assert advice.said("nl") != advice.en, (name, cell)
    fan = {cell for cell, _ in whole.groups["fan"].advice}
    assert fan == {"FAN", "FA_", "F_N", "_AN", "F__", "_A_", "__N", "___", "unknown"}


def test_items_are_worded_in_both_languages_and_scales_have_reversed_ones(whole: Project) -> None:
    for name in entries("surveys"):
        survey = whole.surveys[name]
        asked = dict(survey.questions)
        assert set(asked) == set(survey.columns), name
        assert all(w.said("nl") != w.en for w in asked.values()), name
        if len(survey.columns) >= 4:
            assert survey.reversed, name


def test_both_scales_are_there(whole: Project) -> None:
    scales = {(s.low, s.high) for n, s in whole.surveys.items() if n.startswith("attitude_")}
    assert scales == {(1, 5), (1, 7)}
    assert {(whole.surveys[n].low, whole.surveys[n].high) for n in ("nps", "nps_1_10")} == {(0, 10), (1, 10)}


def test_every_word_of_the_vocabulary_is_used_and_every_event_is_in_it(whole: Project) -> None:
    needs = [needs_of_entry(e) for s in SECTIONS for e in entries(s).values()]
    assert {e for n in needs for e in n.events} == set(vocabulary().events)
    used = {s for n in needs for s in n.sources}
    assert used == set(vocabulary().sources)
    for word in (*vocabulary().events.values(), *vocabulary().sources.values()):
        assert word.meaning.said("nl") != word.meaning.en


def test_the_mission_s_two_criteria_are_there_word_for_word() -> None:
    text = (shipped("metrics") / "engaged_users.yml").read_text("utf-8")
    assert "did: photo_post >= 2 and like >= 5\n    per: week" in text
    assert "did: article_read >= 4 on 2 days\n    per: week" in text


def test_the_four_questions_and_all_phases_have_entries(whole: Project) -> None:
    assert {t for m in whole.metrics.values() for t in m.tags} >= QUESTIONS
    assert {m.phase for m in whole.metrics.values()} == PHASES
    assert {m.dimension for m in whole.metrics.values()} == DIMENSIONS


def test_explain_speaks_the_words_of_both_languages(tmp_path: Path) -> None:
    (tmp_path / "abtest.yml").write_text(sources() + uses(), "utf-8")
    english = abtest("explain", "applause", "--project", str(tmp_path)).out.splitlines()
    dutch = abtest("explain", "applause", "--project", str(tmp_path), "--language", "nl").out.splitlines()
    assert english[0] == "Applause (a vanity metric) (applause)"
    assert dutch[0] == "Applaus (een ijdelheidscijfer) (applause)"
    assert "  What it cannot tell: Anything by itself: it costs a tap." in english
    assert "  Wat het niet zegt: Op zichzelf niets: het kost één tik." in dutch


@pytest.mark.parametrize("folder", ["metrics", "templates"])
def test_what_is_shipped_is_written_as_fmt_writes(folder: str) -> None:
    for path in sorted(shipped(folder).glob("**/*.yml")):
        problems = Problems()
        text = path.read_text("utf-8")
        formatted = format_yaml(text, path.name, problems)
        assert formatted is not None, problems.found
        assert formatted.text == text, path
