"""Definitions in words, to the letter: `explained.txt`. A reader must be able to compute the metric by hand."""

import re
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from abtest.language.explain import Explainer, _load
from abtest.language.expressions import parse_condition

from .definitions import EVENTS, metric
from .test_laws import _conditions

TEXT = Path(__file__).parent / "explained.txt"
MEANINGS = [
    tuple(part.strip() for part in block.split(">>>"))
    for block in re.split(r"^===$", TEXT.read_text("utf-8"), flags=re.MULTILINE)[1:]
]

CONDITIONS = {
    "like": "they did like at least once",
    "like >= 2.5": "they did like at least 2.5 times",
    "no like": "they did no like",
    "like = 1": "they did like exactly once",
    "like <= 1": "they did like at most once",
    "like > 1": "they did like more than once",
    "like < 3": "they did like fewer than 3 times",
    "like != 4": "they did like any number of times but 4",
    "like > 0": "they did like at least once",
    "like < 1": "they did no like",
    "not like >= 5": "it is not true that they did like at least 5 times",
    "photo_post and like >= 5 and no crash": "they did photo_post at least once and like at least 5 times and no crash",
    "photo_post or like >= 5": "they did photo_post at least once or like at least 5 times",
    "app_open and (photo_post or like >= 5)": "they did app_open at least once and (they did photo_post at least once or like at least 5 times)",
    "app_open and mean(p.size) > 3": "they did app_open at least once and the mean size of the p events was more than 3",
    "at least 2 of (like, share >= 3, days(app_open) >= 4)": (
        "(at least 2 of these 3 are true: they did like at least once; they did share at least 3 times; "
        "the number of days with app_open was at least 4)"
    ),
    "like on 1 days": "there was at least one day on which they did like at least once",
    "like on 2 days": "there were at least 2 days on which they did like at least once",
    "like >= 2 in 3 weeks": "there were at least 3 weeks in which they did like at least 2 times",
    "like on every day": "on every single day they did like at least once",
    "like on = 2 days": "there were exactly 2 days on which they did like at least once",
    "like on < 3 days": "there were fewer than 3 days on which they did like at least once",
    "like on != 3 days": "there was any number of days but 3 on which they did like at least once",
    "(like on 3 days) in 2 weeks": "there were at least 2 weeks in which there were at least 3 days on which they did like at least once",
    "(photo_post and like) on 2 days": "there were at least 2 days on which they did photo_post at least once and like at least once",
    "not (like on 2 days)": "it is not true that (there were at least 2 days on which they did like at least once)",
    "sum(p.revenue) >= 20 EUR": "the sum of revenue over all p events was at least 20 EUR",
    "sum(p.seconds) >= 30 min": "the sum of seconds over all p events was at least 1800 seconds",
    "mean(p.hd) >= 14.3%": "the mean hd of the p events was at least 14.3%",
    "min(p.size) < max(p.size)": "the smallest size of the p events was less than the largest size of the p events",
    "like <= 0.5 * app_open": "the number of like events was at most 0.5 times the number of app_open events",
    "like + 2 * share >= 10": "the number of like events plus 2 times the number of share events was at least 10",
    "like - share >= 3": "the number of like events minus the number of share events was at least 3",
    "like between 2 and 5": "they did like at least 2 times and like at most 5 times",
    "-like + 2 < 1": "minus the number of like events plus 2 was less than 1",
}


@pytest.mark.parametrize(("text", "words"), MEANINGS)
def test_meaning(text: str, words: str) -> None:
    assert Explainer().meaning(metric(text)) == words


@pytest.mark.parametrize(("text", "words"), CONDITIONS.items())
def test_condition(text: str, words: str) -> None:
    assert Explainer().condition(parse_condition(text)) == words


def rules(text: str, unit: str = "user") -> list[str]:
    return list(Explainer().rules(metric(text), "Europe/Madrid", unit))


def test_rules_of_blocks_in_a_fixed_window() -> None:
    assert rules("did: like\nper: week\nover: first 28 days\nbetter: higher") == [
        "Days are dates in Europe/Madrid; day 0 is the date of first exposure and holds only what follows it.",
        "Silence is zero: users without any of these events count too, with counts, sums and numbers of days of 0.",
        "Users for whom day 27 is not over at the end of the data are left out.",
        "Higher is better.",
    ]


def test_rules_of_an_open_window() -> None:
    assert rules("did: mean(purchase.revenue) >= 20\nper: week\nbetter: lower", "team")[1:] == [
        "Silence is zero: teams without any of these events count too, with counts, sums and numbers of days of 0.",
        "A mean, smallest or largest value of no events makes its comparison false.",
        "The end of the data is the last complete date; teams exposed later had less time.",
        "Blocks that are not over at the end of the data do not count; teams without a complete one are left out.",
        "Lower is better.",
    ]


def test_rules_of_kept_immature_units() -> None:
    assert rules("amount: like\nper: week\nover: first 28 days\nimmature: keep")[2:] == [
        "Users for whom day 27 is not over at the end of the data count as far as the data go.",
        "Blocks that are not over at the end of the data do not count; users without a complete one are left out.",
        "Neither direction is called better.",
    ]


def test_rules_of_money_time_and_caps() -> None:
    found = rules("amount: sum(purchase.revenue)\nover: first 7 days\ncap: 500\nbetter: higher")
    assert found[0] == "The value is in EUR."
    assert found[-2:] == ["Values above 500 count as 500.", "Higher is better."]
    assert rules("amount: sum(purchase.seconds)\nover: first 7 days")[0] == "The value is in seconds."


def test_rules_of_ratios_and_columns() -> None:
    ratio = (
        "This is one total divided by another, not a mean of quotients: users with more of what is below weigh more."
    )
    assert rules("ratio: {of: sum(purchase.revenue), to: purchase}\nover: first 7 days")[:2] == [
        "The value is in EUR.",
        ratio,
    ]
    assert rules("column: shop.kept\nbetter: higher") == ["Users without a value are left out.", "Higher is better."]
    assert rules("ratio: {of: shop.paid, to: shop.kept}")[1:3] == [ratio, "Users without a value are left out."]


def test_events_are_spelled_out() -> None:
    text = "amount: like + purchase + crash\nover: first 7 days"
    assert Explainer().events(metric(text), EVENTS) == (
        "like: rows of app named like",
        "purchase: rows of app named order or order_v2, where revenue > 0 and country in (ES, 'New York')",
        "crash: every row of app",
    )


@given(_conditions())
def test_every_condition_has_words_without_open_slots(condition: Any) -> None:
    words = Explainer().condition(condition)
    assert "{" not in words
    assert words.count("(") == words.count(")")
    assert not re.search(r"\s\s|\bNone\b", words)


def test_every_phrase_can_be_said() -> None:
    """Slots are names that the code fills; nothing in the file is left unused."""
    known = {
        "event", "n", "left", "right", "text", "of", "before", "unit", "Unit", "first", "last", "length", "blocks", "window",
        "number", "to", "column", "source", "zone", "cap", "names", "where", "prop",
    }  # fmt: skip

    def phrases(node: Any) -> list[str]:
        return [p for v in node.values() for p in phrases(v)] if isinstance(node, dict) else [str(node)]

    for phrase in phrases(_load("en")):
        assert {name for _, name, _, _ in string.Formatter().parse(phrase) if name} <= known
