"""The words file is complete, honest, and the only place where words stand."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

import abtest.reports
from abtest.analysis import result as model
from abtest.analysis.health.table import CHECKS, Reason
from abtest.analysis.result import Result
from abtest.reports.health import TIME_NOTES
from abtest.reports.html import render_html
from abtest.reports.labels import TONES
from abtest.reports.language import MissingWordError, UnknownLanguageError, Words, languages, load, outline
from abtest.reports.markdown import render_markdown
from abtest.reports.terminal import render_terminal
from abtest.shipped import shipped

from .page import Page
from .samples import build, nasty

REASONS = (
    "goal_better", "goal_worse", "guardrail_broken", "guardrail_not_shown", "no_clear_gain", "health_failed",
    "too_early", "no_test", "custom_rule", "engagement_trap",
)  # fmt: skip
NO_TEST = (
    "no_units", "one_unit", "zero_variance", "zero_denominator", "no_mature_units", "all_missing", "not_enough_units",
    "few_clusters", "clustered", "odd_denominator", "few_answers",
)  # fmt: skip
ROW_STEPS = (
    "unparsable", "no_id", "bad_time", "ignored", "duplicate", "no_event", "unassigned", "before_exposure",
    "after_window", "immature", "mixed", "before_start", "used",
    "unknown_variant", "other_flag", "after_end", "bad_number", "stray_future", "excluded", "after_enrolment",
    "no_cluster",
)  # fmt: skip
UNIT_STEPS = (
    "before_start",
    "after_enrolment",
    "mixed",
    "unknown_variant",
    "excluded",
    "no_cluster",
    "used",
    "immature",
)
NOTES = ("without_zone", "stray_future", "gap", "fold", "bad_number", "outside_scale", "other")
FORBIDDEN = re.compile(
    r"\b(significan\w*|proves|trending|winner|no effect|flat|95% probability|almost clear|"
    r"bewij(?:s|st|zen)|winnaar|geen effect|vlak|trend(?:matig)?|95% (?:kans|zeker\w*)|bijna duidelijk)\b",
    re.IGNORECASE,
)


def strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)


@pytest.fixture(params=languages())
def words(request: pytest.FixtureRequest) -> Words:
    return load(request.param)


def test_every_code_has_words(words: Words) -> None:
    keys = [f"sentence.{code}" for code in REASONS]
    keys += [f"no_test.{code}" for code in NO_TEST]
    keys += [f"no_relative.{code}" for code in ("control_not_positive", "lift_undefined")]
    keys += [
        f"test.{code}.{part}"
        for code in ("welch", "score", "delta", "quantile", "cluster", "cluster_cr2", "other")
        for part in ("name", "why")
    ]
    keys += [f"health.reason.{code}" for code in (*get_args(Reason), "other")]
    keys += [f"adjusted.why.{code}" for code in get_args(model.Unadjusted)]
    keys += [f"ledger.rows.{code}" for code in ROW_STEPS] + [f"ledger.units.{code}" for code in UNIT_STEPS]
    keys += [f"ledger.note.{code}" for code in NOTES] + [f"ledger.counted.{code}" for code in TIME_NOTES]
    keys += [f"state.{code}" for code in get_args(model.State)]
    keys += [f"guardrail.{code}" for code in get_args(model.GuardrailLabel)]
    keys += [f"level.{code}" for code in get_args(model.HealthLevel)]
    keys += [f"role.{code}" for code in get_args(model.Role)]
    keys += [f"verdict.{code}.{part}" for code in get_args(model.Verdict) for part in ("word", "mark", "ascii")]
    keys += [f"sections.{name}.nav" for _, names in outline("decision") for name in names]
    keys += [f"groups.{name}" for name, _ in outline("decision")]
    assert [key for key in keys if not words.has(key)] == []


def test_every_check_has_a_sentence_that_needs_no_value(words: Words) -> None:
    """One that does not run in this version needs no sentences about its outcome, one that never fails none about that."""
    for check in CHECKS:
        outcomes = ("pass", "note", "fail") if check.worst == "fail" else ("pass", "note")
        for part in ("name", "rule", "short", "cause", "remedy", *outcomes):
            assert words(f"checks.{check.key}.{part}"), (check.key, part)
    for part in ("name", "rule", "short", "cause", "remedy", "pass", "note", "fail"):
        assert words(f"checks.other.{part}", key="k"), part


def test_every_state_has_a_look() -> None:
    codes = {*get_args(model.State), *get_args(model.GuardrailLabel), *get_args(model.HealthLevel)}
    assert codes | set(get_args(model.Verdict)) | {"open"} == set(TONES)


def test_forbidden_words_are_not_in_the_words_file(words: Words) -> None:
    assert [text for text in strings(words._tree) if FORBIDDEN.search(text)] == []


def test_forbidden_words_are_in_no_output(sample: Result) -> None:
    if sample.experiment.title != "Photo composer v3":
        return
    for text in (Page(render_html(sample)).seen, render_markdown(sample), render_terminal(sample, colour=False)):
        assert FORBIDDEN.findall(text) == []


def test_templates_hold_no_words() -> None:
    for path in sorted((shipped("templates") / "report").rglob("*.j2")):
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", text, flags=re.S)
        for value in re.findall(r'(?:aria-label|title|alt|placeholder|data-\w+)="([^"]*)"', text):
            assert not re.search(r"[A-Za-z]", value), (path.name, value)
        text = re.sub(r"<[^>]*>", "", text)
        assert re.findall(r"[A-Za-z]+", text) == [], path.name


def pseudo(node: Any) -> Any:
    """The words file in a language nobody speaks: every letter outside a slot becomes another alphabet."""
    if isinstance(node, str):
        return "".join(
            part if part.startswith("{") else re.sub(r"[A-Za-z]", "ж", part) for part in re.split(r"(\{\w+\})", node)
        )
    if isinstance(node, dict):
        return {key: pseudo(value) for key, value in node.items()}
    return [pseudo(value) for value in node] if isinstance(node, list) else node


def test_every_word_that_is_shown_comes_from_the_words_file_or_the_result(
    sample: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    def latin(text: str) -> set[str]:
        return {word.lower() for word in re.findall(r"[A-Za-z]+", text)}

    foreign = Words("xx", pseudo(load("en")._tree))
    monkeypatch.setattr("abtest.reports.wording.load", lambda language: foreign)
    page = Page(render_html(sample))
    attributes = [text for name in ("aria-label", "data-tip", "data-label", "data-l") for text in page.attributes(name)]
    drawn = " ".join([page.seen, *page.drawn, *attributes])
    # Titles are cut and escaped on their way, so pieces of their words are the result's own, too.
    own = " ".join(latin(sample.to_json())) + " abtest "
    for text in (drawn, render_markdown(sample), render_terminal(sample, colour=False)):
        assert [word for word in latin(text) - {"sub", "amp"} if word not in own] == []


def test_code_holds_no_sentences() -> None:
    """Two words in a row in a string constant are a sentence, unless they explain an error or set the policy."""
    allowed = re.compile(r"default-src|img-src|script-src|style-src|^```yaml")
    for path in sorted(Path(abtest.reports.__file__).parent.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        skipped = {id(part) for node in ast.walk(tree) if isinstance(node, ast.Raise) for part in ast.walk(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                skipped.add(id(node.value))
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
                found = re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", node.value)
                assert not found or allowed.search(node.value), (path.name, node.value)


def test_an_unknown_language_is_named_with_those_that_exist() -> None:
    with pytest.raises(UnknownLanguageError, match=r"'xx'; there is .*en"):
        render_html(build("ship", "one_goal"), language="xx")


def test_a_missing_slot_is_an_error_and_not_a_hole() -> None:
    with pytest.raises(MissingWordError):
        load("en")("limits.loss", low="1")


def test_unknown_codes_still_render() -> None:
    base = build("dont_ship", "one_goal")
    strange = replace(
        base,
        decision=replace(
            base.decision,
            reason="brand_new",
            rules=(*base.decision.rules, model.RuleLine("brand_new", None)),
        ),
        health=(*base.health, model.HealthCheck("brand_new", "metric", "engaged_users", "fail", None, {"x": 0.5})),
        metrics=tuple(
            replace(m, comparisons=tuple(replace(c, method="brand-new {x}") for c in m.comparisons))
            if m.key == "photos"
            else replace(m, comparisons=tuple(replace(c, status="no_test", reason="odd.one") for c in m.comparisons))
            if m.key == "likes"
            else m
            for m in base.metrics
        ),
        ledgers=(model.Ledger("x", "rows", 1, (model.LedgerStep("odd_step", 1),), (("odd_note", 1),)),),
    )
    page = Page(render_html(strange))
    assert "“brand_new”" in page.seen
    assert "Other (odd step)" in page.seen
    assert "Also counted: other (odd note)" in page.seen
    assert "odd_" not in page.seen
    assert "reason “odd.one”" in page.seen
    render_markdown(strange)
    render_terminal(strange, colour=False)


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize(
    "make", [lambda: build("ship", "no_guardrail"), nasty, lambda: build("ship", "three_variants")]
)
def test_every_reason_makes_a_sentence_whatever_the_data(reason: str, make: Any) -> None:
    base = make()
    odd = replace(
        base,
        decision=replace(base.decision, verdict="dont_ship", reason=reason),
        experiment=replace(base.experiment, days_run=None, days_planned=None),
    )
    text = render_markdown(odd)
    assert text.split("\n")[2].endswith(".")


def test_sentences_of_the_verdict_have_at_most_thirty_words(words: Words) -> None:
    for text in strings(words.get("sentence")):
        assert len(re.sub(r"\{\w+\}", "", text).split()) <= 30
