"""Every language says everything, in its own words and marks, of one and the same result."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from string import Formatter
from typing import Any

import pytest

from abtest.analysis.result import HealthCheck, Result
from abtest.reports import coined
from abtest.reports.html import render_html
from abtest.reports.language import Words, languages, load
from abtest.reports.markdown import render_markdown
from abtest.reports.terminal import render_terminal
from abtest.reports.wording import Wording
from abtest.shipped import shipped

from .conftest import SAMPLES
from .page import Page
from .samples import build

OTHERS = tuple(language for language in languages() if language != "en")
SAME = {
    # Words that Dutch has taken over, and names.
    "nl": {
        "{n} account", "{n} accounts", "Accounts", "account", "guardrail", "guardrail, {label}", "Guardrails", "Guardrail",
        "Guardrails ({label})", "open", "Segment", "Variant", "Check", "experiment", "Experiment", "Clusters",
        "{unit} {id} in {experiment}", "Events", "events", "Clusters, CR2", "Interval", "Plan", "SRM", "Hash", "Software",
        "Engine", "p = {p}", "p < {p}", "p > {p}",
        "p", "{look}: {result} (p {p})",
    },
}  # fmt: skip
FUNCTION_WORDS = {
    "nl": {
        "the", "and", "are", "were", "with", "than", "which", "their", "this", "that", "these", "those", "not",
        "from", "its", "only", "no", "by", "at", "to", "an", "be", "been", "has", "have", "does", "did",
        "each", "other", "both", "all", "one", "after", "before", "until", "where", "when", "who", "what", "how",
        "why", "change", "changes", "units", "users",
    },
}  # fmt: skip


def leaves(node: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Every sentence with its dotted key; the places of a list are numbered."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, f"{at}.{key}" if at else str(key))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from leaves(value, f"{at}[{i}]")
    else:
        yield at, node


def sentences(language: str) -> dict[str, str]:
    return dict(leaves(load(language)._tree))


def slots(text: str) -> list[str]:
    return sorted({name for _, name, _, _ in Formatter().parse(text) if name})


def test_every_language_of_reports_has_words_for_explanations() -> None:
    explained = {path.name.split(".")[1] for path in shipped("reports").glob("explain.*.yml")}
    assert set(languages()) == explained


@pytest.mark.parametrize("language", OTHERS)
def test_the_same_keys_and_forms_in_every_language(language: str) -> None:
    """Plural forms and places of a list are keys, too."""
    english, other = sentences("en"), sentences(language)
    lacking = [f"  {key}: {text!r}" for key, text in english.items() if key not in other]
    beyond = [f"  {key}: {text!r}" for key, text in other.items() if key not in english]
    assert not lacking, "\n".join([f"reports/{language}.yml lacks, in English:", *lacking])
    assert not beyond, "\n".join([f"reports/{language}.yml has what en.yml does not:", *beyond])


@pytest.mark.parametrize("language", OTHERS)
def test_the_same_slots_in_every_sentence(language: str) -> None:
    english, other = sentences("en"), sentences(language)
    wrong = [
        f"  {key}: {slots(english[key])} became {slots(text)}"
        for key, text in other.items()
        if key in english and slots(english[key]) != slots(text)
    ]
    assert not wrong, "\n".join([f"slots differ in reports/{language}.yml:", *wrong])


@pytest.mark.parametrize("language", OTHERS)
def test_no_sentence_was_left_in_english(language: str) -> None:
    english, other = sentences("en"), sentences(language)

    def worded(text: str) -> bool:
        return bool(re.search(r"[A-Za-z]", re.sub(r"\{\w+\}", "", text)))

    left = [
        f"  {k}: {t!r}"
        for k, t in other.items()
        if english.get(k) == t and worded(t) and t.replace("\u00a0", " ") not in SAME[language]
    ]
    assert not left, "\n".join([f"as in English in reports/{language}.yml:", *left])
    assert english_words(language, " ".join(re.sub(r"`[^`]*`|\{\w+\}", "", t) for t in other.values())) == []


def english_words(language: str, text: str) -> list[str]:
    """Short English words that the language does not have."""
    found = set(re.findall(r"\w+", text.lower()))
    return sorted(found & set(FUNCTION_WORDS[language]))


def nameless(result: Result) -> Result:
    """The result with everything that people wrote in one made-up word, and definitions in Dutch."""
    metrics = tuple(
        replace(
            m, title=m.title if m.part_of else f"Zzz {i}", description=None, owner=None, meaning="The English definition.",
            meanings=(("nl", "De Nederlandse definitie."),),
        )
        for i, m in enumerate(result.metrics)
    )  # fmt: skip
    segments = tuple(
        replace(s, dimension="zzz", groups=tuple(replace(g, label=g.label and "zz") for g in s.groups))
        for s in result.segments
    )
    experiment = replace(
        result.experiment,
        title="Zzz",
        hypothesis=None,
        owner=None,
        changes=(),
        variants=tuple(replace(v, title=f"Zz {i}", key=f"z{i}") for i, v in enumerate(result.experiment.variants)),
    )
    triggered = result.triggered and replace(result.triggered, condition="zzz >= 1")
    return replace(
        result,
        metrics=metrics,
        segments=segments,
        experiment=experiment,
        triggered=triggered,
        warnings=(),
        provenance=replace(result.provenance, command="zzz"),
    )


def spoken(result: Result, language: str) -> Iterator[str]:
    """All that a reader sees or hears: the page, the summary, the terminal."""
    page = Page(render_html(result, language=language))
    heard = [text for name in ("aria-label", "data-tip", "data-label", "data-l") for text in page.attributes(name)]
    told = [text for name in ("data-done", "data-say", "data-dark", "data-light") for text in page.attributes(name)]
    yield " | ".join([page.seen, *page.drawn, *heard, *told])
    yield render_markdown(result, language=language)
    yield render_terminal(result, colour=False, language=language)


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "nasty"])
def test_no_english_is_left_in_any_output(name: str) -> None:
    for text in spoken(nameless(SAMPLES[name]), "nl"):
        assert english_words("nl", text) == []


def test_the_scan_for_english_finds_it() -> None:
    """The same scan over the English outputs must alarm, or the test above could not fail."""
    for text in spoken(nameless(build("ship", "one_goal")), "en"):
        assert len(english_words("nl", text)) >= 3


@pytest.mark.parametrize("language", languages())
def test_every_sample_in_every_language(sample: Result, language: str) -> None:
    """Same bytes from the result and from its JSON; the page says which language it is in."""
    again = Result.from_json(sample.to_json())
    html = render_html(sample, language=language)
    assert html == render_html(again, language=language)
    assert f'<html lang="{language}"' in html
    assert sample.to_json() == again.to_json()
    markdown = render_markdown(sample, language=language)
    assert markdown == render_markdown(again, language=language)
    assert len(markdown.encode()) < 3000
    for width in (60, 100, 120):
        for line in render_terminal(sample, width=width, colour=False, language=language, ascii_only=True).split("\n"):
            assert len(line) <= width
            assert line.isascii()


def test_the_embedded_result_is_the_same_in_every_language() -> None:
    result = build("ship", "one_goal")
    found = {Page(render_html(result, language=language)).raw["result"] for language in languages()}
    assert len(found) == 1


def test_definitions_are_in_the_language_and_english_where_it_has_none() -> None:
    result = nameless(build("ship", "one_goal"))
    seen = {language: Page(render_html(result, language=language)).seen for language in languages()}
    assert "De Nederlandse definitie." in seen["nl"]
    assert "The English definition." not in seen["nl"]
    assert "The English definition." in seen["en"]
    bare = replace(result, metrics=tuple(replace(m, meanings=()) for m in result.metrics))
    assert "The English definition." in Page(render_html(bare, language="nl")).seen


@pytest.mark.parametrize(
    ("said", "dutch"),
    [
        (lambda w: w.count(1234567), "1.234.567"),
        (lambda w: w.share(0.0413), "4,1%"),
        (lambda w: w.share(0.00031), "0,03%"),
        (lambda w: w.p(0.012), "p\u00a0=\u00a00,012"),
        (lambda w: w.p(1e-9), "p\u00a0<\u00a00,0001"),
        (lambda w: w.p_alone(0.4), "0,40"),
        (lambda w: w.quantity("money EUR", -1234.5, 2, sign=True), "−€\u00a01.234,50"),
        (lambda w: w.quantity("money SEK", 12.5, 2), "12,50\u00a0SEK"),
        (lambda w: w.quantity("share", 0.1234, 2, sign=True), "+12,34%"),
        (lambda w: w.numbers.trimmed(-2.5), "−2,5"),
        (lambda w: w.numbers.trimmed(1200.0), "1.200"),
        (lambda w: w.units(1), "1 gebruiker"),
        (lambda w: w.units(214306), "214.306 gebruikers"),
        (lambda w: w.date("2026-05-04"), "4 mei 2026"),
        (lambda w: w.dates("2026-03-02", "2026-04-05"), "2 maart – 5 april 2026"),
        (lambda w: w.join(["a", "b", "c"]), "a, b en c"),
        (lambda w: w.spelled(5), "vijf"),
    ],
)
def test_dutch_numbers_and_dates(said: Any, dutch: str) -> None:
    assert said(Wording(build("ship", "one_goal"), "nl")) == dutch


def test_the_verdict_in_dutch() -> None:
    text = render_markdown(build("ship", "one_goal"), language="nl")
    assert text.startswith(
        "## ✅ Uitrollen: Photo composer v3\n\nPhoto composer v3 verhoogde Engaged users met ongeveer 4% "
    )
    assert "(95%-interval +2,4% tot +5,9%)" in text
    assert "alle vijf guardrails hielden stand." in text


@pytest.mark.parametrize(
    ("window", "english", "dutch"),
    [
        ("first 28 days", "first 28 days", "eerste 28 dagen"),
        ("first 48 hours", "first 48 hours", "eerste 48 uur"),
        ("before 14 days", "before 14 days", "14 dagen ervoor"),
        ("last 7 days", "last 7 days", "laatste 7 dagen"),
        ("day 7", "day 7", "dag 7"),
        ("days 7-13", "days 7-13", "dag 7 tot en met 13"),
        ("from day 3", "from day 3", "vanaf dag 3"),
        ("whole", "whole", "alle gegevens"),
        ("something else", "something else", "something else"),
    ],
)
def test_windows(window: str, english: str, dutch: str) -> None:
    assert coined.window(load("en"), window) == english
    assert coined.window(load("nl"), window) == dutch


def test_parts_are_named_in_the_language_unless_somebody_named_them() -> None:
    def part(key: str, kind: str, title: str) -> str:
        metric = build("ship", "one_goal").metrics[0]
        return coined.title(load("nl"), replace(metric, key=f"m.{key}", kind=kind, title=title, part_of="m"))

    assert part("answered", "did", "answered") == "beantwoord"
    assert part("moved_up", "group", "moved up") == "gestegen"
    assert part("answered", "funnel", "answered") == "answered"  # a step of a funnel, written by its owner
    assert part("basic", "group", "basic") == "basic"


def test_counts_that_a_check_wrote_get_the_marks_of_the_language() -> None:
    base = build("ship", "one_goal")
    values = {"observed": "107,214 : 107,092", "expected": "33.3333% : 66.6667%", "p_value": 0.79}
    result = replace(base, health=(HealthCheck("srm", "experiment", None, "pass", None, values),))
    said = {language: Page(render_html(result, language=language)).seen for language in ("en", "nl")}
    assert "107,214 : 107,092, planned 33.3333% : 66.6667%" in said["en"]
    assert "107.214 : 107.092, gepland 33,3333% : 66,6667%" in said["nl"]


def test_what_is_not_known_is_said_in_the_language() -> None:
    base = build("ship", "one_goal")
    values = {"p_value": 0.0001, "covariate": "people.plan unknown"}
    lines = (
        HealthCheck("pre_period", "metric", "engaged_users", "note", None, values),
        HealthCheck("srm_by_segment", "experiment", "plan", "note", None, {"p_value": 0.0001, "group": "(unknown)"}),
    )
    segments = tuple(replace(s, groups=(replace(s.groups[0], label="(unknown)"),)) for s in base.segments)
    seen = Page(render_html(replace(base, health=lines, segments=segments), language="nl")).seen
    assert "De varianten verschillen in het bekend zijn van people.plan vóór de blootstelling" in seen
    assert "De verdeling klopt niet in de groep (onbekend)" in seen
    assert "unknown" not in seen


def test_accents_become_letters_where_a_terminal_has_ascii_only() -> None:
    result = build("keep_running", "one_goal")
    text = render_terminal(
        replace(result, experiment=replace(result.experiment, title="Één façade 日")), colour=False, ascii_only=True
    )
    assert "Een facade ?" in text


def test_a_language_without_a_key_says_which() -> None:
    with pytest.raises(KeyError, match=r"xx\.yml has no sentence 'limits\.loss'"):
        Words("xx", {})("limits.loss", low="1", high="2")
