from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abtest.analysis.result import Result
from abtest.reports.terminal import WIDEST, render_line, render_terminal
from abtest.reports.text import columns

from .page import scrambled
from .samples import SHAPES, build, nasty

COLOUR = re.compile(r"\x1b\[[\d;]*m")


@pytest.mark.parametrize("width", [60, 80, 100, 120, 300])
def test_never_wider_than_asked(sample: Result, width: int) -> None:
    for colour in (False, True):
        for ascii_only in (False, True):
            text = render_terminal(sample, width=width, colour=colour, ascii_only=ascii_only)
            assert text == render_terminal(sample, width=width, colour=colour, ascii_only=ascii_only)
            for line in COLOUR.sub("", text).split("\n"):
                assert columns(line) <= min(width, 120), line


def test_plain_text_without_colour(sample: Result) -> None:
    text = render_terminal(sample, colour=False)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


def test_ascii_only_is_ascii(sample: Result) -> None:
    assert render_terminal(sample, colour=False, ascii_only=True).isascii()


def test_colour_is_only_colour() -> None:
    result = build("ship", "one_goal")
    assert COLOUR.sub("", render_terminal(result, colour=True)) == render_terminal(result, colour=False)


def test_the_verdict_in_one_line(sample: Result) -> None:
    line = render_line(sample, colour=False)
    assert "\n" not in line
    assert columns(line) <= WIDEST
    assert COLOUR.sub("", render_line(sample, colour=True)) == line
    assert render_line(sample, colour=False, ascii_only=True).isascii()
    head = render_terminal(sample, colour=False).split("  ")[0]
    assert line.startswith(f"{head}  ")


def test_the_line_says_why() -> None:
    line = render_line(build("ship", "one_goal"), colour=False)
    assert line == "SHIP  Photo composer v3 (a clear gain, guardrails held)"


def test_one_line_per_metric_with_its_interval() -> None:
    text = render_terminal(build("ship", "one_goal"), width=110, colour=False, report_path="out/report.html")
    assert text.startswith("SHIP  Photo composer v3\n")
    assert re.search(r"Engaged users +\+4\.1%  \+2\.4% to \+5\.9% .*│ +─+●─+ +Better\n", text)
    assert re.search(r"Upload latency, p95 .*Held, but worse \(margin \+5%\)\n", text)
    assert re.search(r"Exports +–  all values are equal, so nothing varies +No test\n", text)
    assert text.endswith("Report  out/report.html\n")


def test_an_interval_clear_of_zero_never_touches_it() -> None:
    text = render_terminal(build("ship", "one_goal"), width=100, colour=False)
    line = next(line for line in text.split("\n") if "Retention" in line)
    assert "+0.3% to +2.1%" in line
    assert "┼" not in line
    assert "│" in line


@pytest.mark.parametrize("shape", SHAPES)
def test_an_invalid_result_shows_no_effect(shape: str) -> None:
    result = build("dont_decide", shape)
    assert render_terminal(result, colour=True) == render_terminal(scrambled(result), colour=True)


def test_control_characters_cannot_reach_the_screen() -> None:
    text = render_terminal(nasty(), colour=False, report_path="a\x1b[2Jb")
    assert "\x1b" not in text
    assert "\u202e" not in text


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60), st.integers(40, 120))
def test_any_title_fits(name: str, width: int) -> None:
    base = build("keep_running", "no_guardrail")
    metrics = tuple(replace(m, title=name) for m in base.metrics)
    result = replace(base, metrics=metrics, experiment=replace(base.experiment, title=name))
    for line in render_terminal(result, width=width, colour=False).split("\n"):
        assert columns(line) <= width
