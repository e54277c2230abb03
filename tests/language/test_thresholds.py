"""Thresholds are found, moved and named; the text of every condition reads back as itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.language.conditions import Condition
from abtest.language.expression_text import expression_text
from abtest.language.expressions import parse_condition
from abtest.language.model import Fold, Metric, Window
from abtest.language.thresholds import (
    MOST_CELLS,
    Threshold,
    around,
    axis,
    definition_lines,
    grid_of,
    lattice,
    neighbours,
    thresholds_of,
    with_values,
)
from tests.oracle.choices import Choices
from tests.oracle.phrases import condition_text
from tests.oracle.vocabulary import Vocabulary, Word

from .definitions import metric

EVENTS = ("photo_post", "like", "purchase")
BASE = "per: week\nover: first 28 days\n"


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    """Of every form that the language has: comparisons, lists, spreads, looking back."""
    choices = Choices(lambda n: draw(st.integers(0, n - 1)))
    words = Vocabulary(tuple(Word(name, "app") for name in EVENTS), attributes=True, looks_back="week")
    return parse_condition(condition_text(choices, words, draw(st.sampled_from((None, 7, 28)))))


@given(conditions())
def test_the_text_of_a_condition_reads_back_as_itself(condition: Condition) -> None:
    assert parse_condition(expression_text(condition)) == condition


@pytest.mark.parametrize(
    "text",
    [
        "photo_post >= 2 and like >= 5",
        "like between 2 and 5",
        "no crash",
        "not (like or share)",
        "at least 2 of (like, share >= 3, no crash)",
        "(article_read >= 4 on 2 days) and like >= 1",
        "sum(purchase.revenue) >= 20 EUR",
        "sum(purchase.seconds) >= 1800 s",
        "like + 2 * share - app_open > 7",
        "app_open <= 0.5 * app_open 1 week ago and app_open 1-2 weeks ago >= 4",
        "people.plan = free and like >= 2",
        "like >= 2 on every day",
    ],
)
def test_text_in_its_usual_form_stays(text: str) -> None:
    assert expression_text(parse_condition(text)) == text


def labels(text: str) -> list[str]:
    return [t.label(t.value) for t in thresholds_of(metric(text))]


def test_every_kind_of_number_is_found() -> None:
    assert labels(f"did: (like >= 4 on 2 days) and days(app_open) > 3\n{BASE}") == [
        "on 2 days",
        "like >= 4",
        "days(app_open) > 3",
    ]
    assert labels(f"did: at least 2 of (like, share, crash >= 3)\n{BASE}") == [
        "at least 2 of 3",
        "crash >= 3",
        "like >= 1",
        "share >= 1",
    ]
    assert labels(f"did: 5 <= like\n{BASE}value: count >= 3\n") == ["like >= 5", "count >= 3"]
    assert labels(f"did: sum(purchase.revenue) >= 20\n{BASE}value: share >= 50%\n") == [
        "sum(purchase.revenue) >= 20 EUR",
        "share >= 50%",
    ]


def test_what_is_no_threshold() -> None:
    """Numbers that another number would not make a neighbouring definition of."""
    assert labels(f"did: no crash\n{BASE}") == []
    assert labels(f"did: like = 3\n{BASE}") == []
    assert labels(f"did: like 1 week ago >= 4 and like <= 0.5 * like 1 week ago\n{BASE}") == ["like 1 week ago >= 4"]
    assert lattice(metric("amount: like\nover: first 28 days\n")) is None


def test_the_grid_of_two_thresholds_is_ten_by_ten_with_the_written_one_inside() -> None:
    found = lattice(metric(f"did: photo_post >= 2 and like >= 5\n{BASE}"))
    assert found is not None
    assert found.axes == (tuple(map(float, range(1, 11))), tuple(map(float, range(1, 11))))
    assert len(found.cells) == MOST_CELLS
    assert found.written.label == "photo_post >= 2, like >= 5"
    assert found.written.metric.condition == metric(f"did: photo_post >= 2 and like >= 5\n{BASE}").condition
    last = found.cells[-1]
    assert last.metric.condition == parse_condition("photo_post >= 10 and like >= 10")
    assert definition_lines(last.metric) == ("did: photo_post >= 10 and like >= 10",)


def test_more_than_three_thresholds_stay_and_are_named() -> None:
    found = lattice(metric(f"did: photo_post >= 2 and like >= 5 and share >= 3 and app_open >= 4 and crash\n{BASE}"))
    assert found is not None
    assert [len(a) for a in found.axes] == [4, 4, 4]
    assert [t.what for t in found.still] == ["app_open", "crash"]


def test_values_stay_within_what_makes_sense() -> None:
    spread, count = thresholds_of(metric(f"did: like >= 4 on 2 days\n{BASE}"))
    assert axis(spread, 20) == (1, 2, 3, 4, 5, 6, 7)
    assert axis(count, 4) == (2, 4, 6, 8)
    (fold,) = (t for t in thresholds_of(metric(f"did: like >= 4\n{BASE}value: count >= 3\n")) if t.kind == "fold")
    assert axis(fold, 10) == (1, 2, 3, 4)


def test_neighbours_move_one_threshold_at_a_time() -> None:
    found = neighbours(metric(f"did: photo_post >= 2 and like >= 5\n{BASE}"))
    assert found is not None
    assert [c.values for c in found.cells] == [(1, 5), (2, 3), (2, 4), (2, 5), (2, 6), (2, 7), (3, 5), (4, 5)]


def test_a_grid_that_is_too_large_is_refused() -> None:
    one = metric(f"did: photo_post >= 2 and like >= 5\n{BASE}")
    with pytest.raises(ValueError, match="121 definitions"):
        grid_of(one, thresholds_of(one), (tuple(range(1, 12)), tuple(range(1, 12))))


@given(st.integers(1, 500), st.integers(1, 20))
def test_an_axis_ascends_and_holds_the_written_value(value: int, size: int) -> None:
    found = axis(Threshold((), "measure", "like", ">=", value, 1.0), size)
    assert float(value) in found
    assert list(found) == sorted(set(found))
    assert len(found) == size
    assert min(found) >= 1.0


@given(st.floats(0.01, 1e6))
def test_numbers_that_are_no_counts_move_by_factors(value: float) -> None:
    threshold = Threshold((), "measure", "sum(purchase.revenue)", ">=", float(f"{value:.6g}"), 0.0, None, 0.0)
    found = axis(threshold, 10)
    assert threshold.value in found
    assert len(found) == 10
    assert threshold.value in around(threshold, 2)


@given(conditions(), st.data())
def test_another_number_changes_that_threshold_and_nothing_else(condition: Condition, data: st.DataObject) -> None:
    one = Metric("m", "did", condition=condition, per=28, window=Window(0, 27), fold=Fold("share"))
    every = thresholds_of(one)
    if not every:
        return
    chosen = data.draw(st.sampled_from(every))
    value = data.draw(st.sampled_from(around(chosen, 2)))
    changed = with_values(one, (chosen,), (value,))
    now = {t.path: t.value for t in thresholds_of(changed)}
    assert now == {t.path: t.value for t in every} | {chosen.path: value}
