from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from itertools import pairwise

import pytest

from abtest.analysis.codec import decode, encode
from abtest.analysis.result import Result
from abtest.reports.html import render_html
from abtest.reports.wording import Wording

from .page import Page, scrambled
from .samples import NASTY, SHAPES, VERDICTS, build, nasty, samples

NUMBER = re.compile(r"[+−]?\d[\d,.]*\d%?|\d%?")


def test_same_result_same_bytes(sample: Result) -> None:
    assert render_html(sample) == render_html(sample)


def test_a_result_read_back_from_json_renders_the_same_bytes(sample: Result) -> None:
    assert render_html(Result.from_json(sample.to_json())) == render_html(sample)


def test_the_embedded_json_is_the_result(sample: Result) -> None:
    page = Page(render_html(sample))
    assert decode(json.loads(page.raw["result"]), Result) == decode(encode(sample), Result)
    assert "<" not in page.raw["result"]


def test_the_policy_allows_exactly_this_style_and_this_script(sample: Result) -> None:
    html = render_html(sample)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    style = re.search(r"<style>(.*?)</style>", html, re.S)
    script = re.search(r"<script>(.*?)</script>", html, re.S)
    assert style is not None
    assert script is not None
    for name, text in (("style-src", style[1]), ("script-src", script[1])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name} &#39;sha256-{digest}&#39;" in policy[1]
    assert policy[1].startswith("default-src &#39;none&#39;;")
    assert "unsafe" not in policy[1]


def test_no_inline_styles_handlers_or_foreign_addresses(sample: Result) -> None:
    page = Page(render_html(sample))
    for tag, attrs in page.tags:
        assert "style" not in attrs, tag
        assert not [name for name in attrs if name.startswith("on")], tag
        for name in ("src", "href", "action"):
            assert (attrs.get(name) or "#").startswith("#"), (tag, attrs)


def test_it_is_small(sample: Result) -> None:
    assert len(render_html(sample).encode()) < 400_000


def test_sixty_segments_and_forty_metrics_stay_below_the_limit() -> None:
    base = build("ship", "three_goals")
    extra = tuple(replace(base.metric("photos"), key=f"m{i}", title=f"Metric {i}") for i in range(40))
    wide = tuple(
        replace(s, dimension=f"{s.dimension} {i}", groups=s.groups * 5) for i in range(4) for s in base.segments
    )
    assert len(render_html(replace(base, metrics=base.metrics + extra, segments=wide)).encode()) < 400_000


def test_structure_for_screen_readers(sample: Result) -> None:
    page = Page(render_html(sample))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("h1") == 1
    assert tags.count("main") == 1
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(b <= a + 1 for a, b in pairwise(levels))
    assert tags.count("table") == tags.count("caption")
    assert all(attrs.get("scope") for tag, attrs in page.tags if tag == "th")
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in page.attributes("href")} <= set(ids)
    assert set(page.attributes("aria-labelledby")) <= set(ids)
    assert ("a", {"class": "skip", "href": "#verdict"}) in page.tags
    plots = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert all(attrs.get("aria-hidden") == "true" or "overflow" in attrs for attrs in plots)


def test_every_number_of_a_plot_is_also_text(sample: Result) -> None:
    page = Page(render_html(sample))
    for tip in page.attributes("data-tip"):
        numbers = NUMBER.findall(tip.rpartition(": ")[2])
        assert numbers, tip
        missing = [number for number in numbers if number not in page.seen]
        assert not missing, (tip, missing)


def test_the_title_starts_with_the_verdict(sample: Result) -> None:
    html = render_html(sample)
    word = Wording(sample).words(f"verdict.{sample.decision.verdict}.word")
    assert f"<title>{word}: " in html


@pytest.mark.parametrize("shape", SHAPES)
def test_an_invalid_result_shows_no_effect_at_all(shape: str) -> None:
    """Whatever the effects are, a person sees the same page: nothing of them leaks, not even a sign."""
    result = build("dont_decide", shape)
    html, other = render_html(result), render_html(scrambled(result))
    without = re.compile(r'<script type="application/json".*?</script>', re.S)
    assert without.sub("", html) == without.sub("", other)
    assert html != other
    page = Page(html)
    assert page.attributes("data-tip") == []
    assert json.loads(page.raw["result"])["decision"]["valid"] is False


def test_a_valid_result_does_change_with_its_effects() -> None:
    result = build("ship", "one_goal")
    assert Page(render_html(result)).seen != Page(render_html(scrambled(result))).seen


@pytest.mark.parametrize("verdict", VERDICTS)
def test_empty_sections_vanish(verdict: str) -> None:
    bare = replace(build(verdict, "no_segments"), segments=())
    bare = replace(bare, metrics=tuple(m for m in bare.metrics if m.role == "goal"))
    page = Page(render_html(bare))
    sections = [attrs["id"] for tag, attrs in page.tags if tag == "section"]
    goal = ["goal"] if verdict != "dont_decide" else []
    assert sections == ["verdict", *goal, "health", "method", "data"]


def test_sections_come_in_their_order() -> None:
    page = Page(render_html(build("ship", "one_goal")))
    sections = [attrs["id"] for tag, attrs in page.tags if tag == "section"]
    order = ["verdict", "goal", "secondary", "guardrails", "health", "explore", "segments", "method", "data"]
    assert sections == order


def test_nasty_names_stay_text() -> None:
    html = render_html(nasty())
    page = Page(html)
    assert "alert(1)" not in page.raw["script"]
    assert html.count("<script") == 2
    assert "\x1b" not in html
    assert "\x07" not in html
    assert "\u202e" not in html.replace("\\u202e", "") or "\u202e" in page.raw["result"]
    assert "\u202e" not in page.seen
    assert '<script>alert(1)</script> "q"' in page.seen
    assert "y" * 200 not in page.seen
    assert NASTY not in html


def test_read_early_the_band_is_shown_and_explained() -> None:
    result = build("keep_running", "one_goal")
    w = Wording(result)
    page = Page(render_html(result))
    band = result.goals[0].comparisons[0].always_valid
    assert band is not None
    assert "95% always-valid band −0.9% to +5.1%" in page.seen
    assert w.words("card.band_why") in page.seen
    assert "+0.2% to +4.0%" not in page.seen  # the ordinary interval, which would look clear of zero
    assert w.state(result.goals[0].comparisons[0]) == "unclear"


def test_an_untested_metric_has_a_row_with_its_reason() -> None:
    page = Page(render_html(samples()["zero"]))
    assert page.seen.count("no units in at least one variant") >= 13
    assert page.attributes("data-tip") == []


def test_pages_without_javascript_hide_the_dead_buttons() -> None:
    html = render_html(build("ship", "one_goal"))
    assert '<html lang="en" class="no-js">' in html
    assert ".no-js .act{display:none}" in html
