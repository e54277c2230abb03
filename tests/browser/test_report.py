"""The report in a real browser: nothing overflows, collides or complains, with and without scripts."""

from __future__ import annotations

from typing import Any

import pytest

from abtest.reports.html import render_html

from ..reports.samples import samples
from .chromium import measure

pytestmark = pytest.mark.browser

SAMPLES = samples()
WIDTHS = (1440, 820, 390)
# Dutch words are longer: one page of every kind, without the second theme and the run without scripts.
DUTCH = (
    "ship-one_goal", "dont_ship-three_goals", "dont_ship-three_variants", "keep_running-three_variants",
    "dont_decide-one_goal", "beside-ship-one_goal", "beside-keep_running-three_variants", "nasty", "zero",
)  # fmt: skip


@pytest.fixture(scope="module")
def looked() -> tuple[list[dict[str, Any]], list[str]]:
    pages = {name: render_html(result) for name, result in SAMPLES.items()}
    jobs: list[dict[str, Any]] = []
    for name in SAMPLES:
        for width in WIDTHS:
            job = {"page": name, "width": width, "scripts": True, "act": width == 1440}
            jobs += [{**job, "theme": theme} for theme in ("light", "dark")]
            jobs.append({"page": name, "width": width, "theme": None, "scripts": False, "act": False})
    for name in DUTCH:
        pages[f"nl-{name}"] = render_html(SAMPLES[name], language="nl")
        job = {"page": f"nl-{name}", "scripts": True, "theme": "light"}
        jobs += [{**job, "width": width, "act": width == 1440} for width in WIDTHS]
    found, complaints = measure(pages, jobs)
    assert len(found) == len(jobs)
    return found, complaints


def bad(found: list[dict[str, Any]], key: str) -> list[tuple[str, int, str | None, Any]]:
    return [(job["page"], job["width"], job["theme"], job[key]) for job in found if job[key]]


def test_nothing_scrolls_sideways(looked: tuple[list[dict[str, Any]], list[str]]) -> None:
    found, _ = looked
    assert bad(found, "overflow") == []
    assert bad(found, "outside") == []


def test_no_text_leaves_its_box(looked: tuple[list[dict[str, Any]], list[str]]) -> None:
    assert bad(looked[0], "clipped") == []


def test_no_axis_labels_collide(looked: tuple[list[dict[str, Any]], list[str]]) -> None:
    assert bad(looked[0], "cut") == []


def test_text_has_contrast_in_light_and_dark(looked: tuple[list[dict[str, Any]], list[str]]) -> None:
    assert bad(looked[0], "dim") == []


def test_targets_are_large_enough(looked: tuple[list[dict[str, Any]], list[str]]) -> None:
    assert bad(looked[0], "small") == []


def test_the_console_stays_silent(looked: tuple[list[dict[str, Any]], list[str]]) -> None:
    assert looked[1] == []


def test_light_and_dark_differ(looked: tuple[list[dict[str, Any]], list[str]]) -> None:
    for job in looked[0]:
        if job["theme"]:
            assert job["card"] == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 26, 33)"}[job["theme"]]


def test_complete_without_scripts(looked: tuple[list[dict[str, Any]], list[str]]) -> None:
    """The same sections and plots; only the buttons, which would do nothing, are gone."""
    with_scripts = {(j["page"], j["width"]): j for j in looked[0] if j["theme"] == "light"}
    for job in looked[0]:
        if job["scripts"]:
            assert job["buttons"] == 3
            continue
        twin = with_scripts[job["page"], job["width"]]
        assert job["buttons"] == 0
        assert job["stops"] == 0
        assert (job["sections"], job["plots"]) == (twin["sections"], twin["plots"])
        assert job["text"] > 500


def test_keys_say_what_the_pointer_shows(looked: tuple[list[dict[str, Any]], list[str]]) -> None:
    for job in looked[0]:
        if job["act"]:
            assert job["theme_after"] != job["theme"]
            if job["stops"]:
                assert "interval" in job["said"] or "band" in job["said"]
                assert (job["tip"], job["tip_after"]) == ("on", "")
