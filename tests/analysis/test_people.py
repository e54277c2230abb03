"""Levels, cells and surveys on the page: shares as counted from the result, advice and titles in both languages."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

import abtest
from abtest.analysis.result import Result
from abtest.reports.bars import Bars
from abtest.reports.html import render_html
from abtest.reports.people import levels_section, surveys_section
from abtest.reports.wording import Wording
from tests.analysis.kinds import write_project
from tests.reports.page import Page

ADVICE = "    advice: {FAN: {en: Thank them by name., nl: Bedank hen bij naam.}, unknown: Ask them.}\n"
TITLES = (
    "    title: {en: Loyalty, nl: Trouw}\n    cannot: {en: It cannot tell why., nl: Waarom zegt het niet.}\n"
    "    description: {en: Would they say so., nl: Zeggen zij het voort.}\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = write_project(tmp_path_factory.mktemp("people"))
    for file in made.rglob("*.yml"):
        text = file.read_text("utf-8")
        text = text.replace("    names: {FAN: ambassador}\n", f"    names: {{FAN: ambassador}}\n{ADVICE}")
        text = text.replace(
            "  nps: {survey: nps, over: first 14 days}\n", f"  nps:\n    survey: nps\n    over: first 14 days\n{TITLES}"
        )
        text = text.replace(
            "  regulars: {group", "  warm: {group: level, as: degrees, over: first 14 days}\n  regulars: {group"
        )
        text = text.replace("regulars, cells", "regulars, warm, cells")
        file.write_text(text, "utf-8")
    return made


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    return abtest.run("kinds", folder)


def seen(result: Result, language: str = "en") -> str:
    return Page(render_html(result, language=language)).seen.replace("\u2068", "").replace("\u2069", "")


def bars_of(bars: Bars | None) -> dict[str, list[float]]:
    assert bars is not None
    return {bar.name: [float(p.width.rstrip("%")) for p in bar.pieces] for bar in bars.bars}


def test_a_bar_is_everybody_of_a_variant_from_the_lowest_level_up(result: Result) -> None:
    found = levels_section(Wording(result))
    assert found is not None
    panel = next(p for p in found[1] if p.title == "Rank")
    assert panel.bars is not None
    assert [name for _, name in panel.bars.legend] == ["dormant", "explorer", "regular", "super"]
    for name, widths in bars_of(panel.bars).items():
        assert sum(widths) == pytest.approx(100, abs=0.05)
        variant = {"Control": "control", "New": "new"}[name]
        dormant = result.metric("rank.dormant")
        share = next(a.value for a in dormant.arms if a.variant == variant)
        assert share is not None
        assert widths[0] == pytest.approx(100 * share, abs=0.01)


def test_answers_are_those_of_the_file_small_cells_merged(folder: Path, result: Result) -> None:
    with (folder / "form.csv").open(newline="", encoding="utf-8") as handle:
        answers = Counter(row["q1"] for row in csv.DictReader(handle) if row["q1"])
    nps = result.metric("nps")
    assert nps.answers
    assert all(n >= result.min_cell for one in nps.answers for _, n in one.units)
    assert sum(n for one in nps.answers for _, n in one.units) == sum(a.used for a in nps.arms)
    assert {one.low for one in nps.answers} <= {float(a) for a in answers}
    found = surveys_section(Wording(result))
    assert found is not None
    assert [p.title for p in found[1]] == ["Loyalty", "Trust"]
    for panel in found[1]:
        for widths in bars_of(panel.bars).values():
            assert sum(widths) == pytest.approx(100, abs=0.05)


def test_advice_stands_beside_the_cells_in_the_language_of_the_page(result: Result) -> None:
    assert "Thank them by name." in seen(result)
    dutch = seen(result, "nl")
    assert "Bedank hen bij naam." in dutch
    assert "Thank them by name." not in dutch
    assert "Ask them." in dutch  # given in English only
    assert result.metric("fans").advice == ()


def test_titles_and_what_it_cannot_tell_in_both_languages(result: Result) -> None:
    english, dutch = seen(result), seen(result, "nl")
    assert "What it cannot tell: It cannot tell why." in english
    assert "Loyalty" in english
    assert "Wat het niet kan zeggen: Waarom zegt het niet." in dutch
    assert "Trouw" in dutch
    assert "Loyalty" not in dutch
    assert Result.from_json(result.to_json()) == result


def test_degrees_are_looked_at_as_ranks_are(result: Result) -> None:
    """They are the same ladder, on another scale: the same order of units, and the same moves."""
    rank, warm = result.metric("rank"), result.metric("warm")
    assert warm.movement is not None
    assert warm.movement == rank.movement
    assert [(b.method, b.p_value) for b in warm.beside] == [(b.method, b.p_value) for b in rank.beside]
    values = zip(rank.arms, warm.arms, strict=True)
    assert all(a.value is not None and b.value == pytest.approx(100 / 3 * a.value) for a, b in values)


def test_an_invalid_result_shows_no_people(result: Result) -> None:
    from dataclasses import replace

    broken = replace(result, decision=replace(result.decision, valid=False))
    assert "Levels and cells" not in seen(broken)
    assert "the answers of each variant" not in seen(broken)
