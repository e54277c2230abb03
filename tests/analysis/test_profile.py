"""Dimensions, phases and the four questions: from tags in YAML to the page, recounted from the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import abtest
from abtest.analysis.result import Result
from abtest.reports.html import render_html
from abtest.reports.profile import control_spread, vanity
from abtest.reports.wording import Wording
from tests.analysis.besides import World, users, write
from tests.reports.page import Page

METRICS = """\
metrics:
  likes: {amount: like, over: first 14 days, better: higher, phase: engagement, dimension: behavioural, tags: [question_how]}
  liker: {did: like >= 4, over: first 14 days, better: higher, dimension: behavioural}
  spent: {amount: sum(buy.total), over: first 14 days, better: higher, margin: 90%, phase: value}
  posts: {amount: post, over: first 14 days, better: higher, dimension: made_up}
  per_post: {ratio: like / post, over: first 14 days, better: higher, dimension: behavioural}
"""
ROLES = "goal: [likes], guardrail: [spent], secondary: [posts, liker, per_post]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World(units=1500, everybody=True, lift=1.5)
    beside = "value: spent\ndrivers: {of: spent, by: [likes, posts]}\n"
    return write(tmp_path_factory.mktemp("profile"), beside, world, metrics=METRICS, roles=ROLES)


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    return abtest.run("x", folder)


def seen(result: Result) -> str:
    return Page(render_html(result)).seen.replace("\u2068", "").replace("\u2069", "")


def test_tags_stand_in_the_result_and_round_trip(result: Result) -> None:
    likes = result.metric("likes")
    assert (likes.phase, likes.dimension, likes.tags) == ("engagement", "behavioural", ("question_how",))
    assert Result.from_json(result.to_json()) == result
    assert result.metric("spent").dimension is None


def test_the_scale_is_the_standard_deviation_of_the_control(folder: Path, result: Result) -> None:
    found = users(folder)
    control = found[found.t == 0]
    assert control_spread("va", result.metric("likes")) == pytest.approx(control.likes.std(), rel=1e-9)
    assert control_spread("va", result.metric("liker")) == pytest.approx(control.liker.std(), rel=1e-9)
    assert control_spread("va", result.metric("per_post")) is None
    effect = result.metric("likes").comparisons[0].absolute
    assert effect is not None
    text = seen(result)
    assert f"{effect.estimate / control.likes.std():+.2f}" in text
    assert "no standard deviation" in text
    assert "Behavioural: what people do" in text
    assert "made_up" in text


def test_more_likes_and_no_more_value_is_called_vanity(result: Result) -> None:
    w = Wording(result)
    found, measured = vanity(w)
    assert result.metric("likes").comparisons[0].state == "better"
    assert result.metric("spent").comparisons[0].state != "better"
    assert ([m.key for m in found], measured) == (["likes"], True)
    assert "until it is, this is vanity" in seen(result)


def test_more_value_beside_it_is_no_vanity(result: Result) -> None:
    spent = result.metric("spent")
    rich = replace(spent, comparisons=(replace(spent.comparisons[0], state="better", margin=None),))
    metrics = tuple(rich if m.key == "spent" else m for m in result.metrics)
    assert vanity(Wording(replace(result, metrics=metrics))) == ((), True)


def test_without_anything_of_value_it_is_left_open(result: Result) -> None:
    metrics = tuple(replace(m, phase=None) if m.key == "spent" else m for m in result.metrics)
    alone = replace(result, metrics=metrics, value=None)
    found, measured = vanity(Wording(alone))
    assert ([m.key for m in found], measured) == (["likes"], False)
    text = seen(alone)
    assert "whether it is more than vanity is open" in text
    assert "Not measured here: retention and value." in text


def test_before_the_end_nothing_is_called_vanity(result: Result) -> None:
    early = replace(result, experiment=replace(result.experiment, reached_end=False))
    assert vanity(Wording(early)) == ((), True)
    assert "Open until the planned end." in seen(early)


def test_the_four_questions_are_answered_or_left_open(result: Result) -> None:
    text = seen(result)
    assert "Likes: " in text
    assert "Better: Likes, Liker" in text
    assert "Of the user: the change in Spent is" in text
    assert "): no clear change." in text
    assert "Of the people around: open." in text
    assert "goes along with the largest part" in text
    bare = replace(result, value=None, drivers=None)
    open_text = seen(bare)
    assert "Of the user: open. Name a metric of money" in open_text
    assert "Open. Name with drivers which metrics" in open_text.replace("`", "")
    untagged = replace(bare, metrics=tuple(replace(m, tags=(), dimension=None, phase=None) for m in bare.metrics))
    assert "The four questions" not in seen(untagged)
    assert "Profile: dimensions" not in seen(untagged)


def test_what_is_only_explored_gets_no_label(result: Result) -> None:
    metrics = tuple(replace(m, role="explore", phase="engagement") if m.key == "liker" else m for m in result.metrics)
    explored = replace(result, metrics=metrics)
    assert result.metric("liker").comparisons[0].state == "better"
    assert [m.key for m in vanity(Wording(explored))[0]] == ["likes"]
    assert "Only explored, without a label: Liker." in seen(explored)
