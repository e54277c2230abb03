"""What conditions, numbers, caps and retention are, on timelines worked by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from .test_oracle import codes, likes, reason, value


def test_a_mean_over_nothing_makes_every_comparison_false() -> None:
    nothing: list[tuple[str, str]] = [("2026-03-06 10:00", "buy")]  # a purchase without its amount
    for operator in ("<", "<=", ">", ">=", "=", "!="):
        for function in ("mean", "min", "max"):
            assert value(f"did: {function}(buy.amount) {operator} 5\nover: first 7 days", nothing) == 0
            assert value(f"did: like + {function}(buy.amount) {operator} 5\nover: first 7 days", nothing) == 0
    assert value("did: not mean(buy.amount) >= 5\nover: first 7 days", nothing) == 1
    assert value("did: sum(buy.amount) = 0\nover: first 7 days", nothing) == 1


def test_numbers_are_exact() -> None:
    #  0.1 + 0.2 = 0.3, and 1 of 3 weeks is less than 33.4 %
    paid = [("2026-03-06 10:00", "buy", "0.1"), ("2026-03-06 11:00", "buy", "0.2")]
    assert value("did: sum(buy.amount) = 0.3\nover: first 7 days", paid) == 1
    text = "did: like\nper: week\nover: first 21 days\nvalue: share {}%"
    assert value(text.format(">= 33.3"), likes(1)) == 1
    assert value(text.format(">= 33.4"), likes(1)) == 0
    assert value("did: like\nper: week\nover: first 28 days\nvalue: share >= 75%", likes(1, 8, 15)) == 1


def test_thresholds_give_yes_or_no() -> None:
    text = "did: like\nper: week\nover: first 28 days\nvalue: {}"
    happened = likes(1, 8, 22)
    assert value(text.format("count >= 3"), happened) == 1
    assert value(text.format("count != 3"), happened) == 0
    assert value(text.format("streak >= 3"), happened) == 0
    assert value(text.format("streak = 2"), happened) == 1


def test_several_names_any_row_lists_and_k_of_n() -> None:
    happened = [("2026-03-06 10:00", "like"), ("2026-03-06 10:00", "heart"), ("2026-03-07 10:00", "post")]
    assert value("amount: reaction\nover: first 7 days", happened) == 2
    assert value("amount: anything\nover: first 7 days", happened) == 3
    assert value("amount: days(anything)\nover: first 7 days", happened) == 2
    assert value("did: at least 2 of (like, post >= 2, days(reaction) = 1)\nover: first 7 days", happened) == 1
    assert (
        value("did:\n  at_least: 3\n  of:\n    - like\n    - post >= 2\n    - reaction\nover: first 7 days", happened)
        == 0
    )
    assert value("did:\n  none:\n    - buy\n    - post >= 2\nover: first 7 days", happened) == 1


def test_rows_that_are_equal_count_each() -> None:
    twice = [("2026-03-06 10:00", "like", "1"), ("2026-03-06 10:00", "like", "1")]
    assert value("amount: like\nover: first 7 days", twice) == 2


def test_a_cap_cuts_the_value_of_the_unit_after_the_fold() -> None:
    #  E LLLLL.|L......|    weeks of 5 and 1 likes: their mean 3 is cut to 2.5; cutting each week first would give 1.75
    happened = [*likes(1, each=5), *likes(8)]
    assert value("amount: like\nper: week\nover: first 14 days\ncap: 2.5", happened) == Fraction(5, 2)
    assert value("amount: like\nper: week\nover: first 14 days\ncap: 10", happened) == 3
    assert value("amount: 0 - like\nover: first 14 days\ncap: 2", likes(1, each=5)) == -5


def test_retention_is_did_over_its_window() -> None:
    #  day 7 = 12 March
    assert value("retention: open\nday: 7", [("2026-03-12 00:00", "open")]) == 1
    assert value("retention: open\nday: 7", [("2026-03-11 23:59", "open")]) == 0
    assert value("retention: open\ndays: 7-13", [("2026-03-18 23:59", "open")]) == 1
    assert value("retention: open\nfrom_day: 7", [("2026-05-01 10:00", "open")]) == 1
    assert reason("retention: open\nday: 7", [], "2026-03-11") == "immature"
    assert reason("retention: open\nfrom_day: 7", [], "2026-03-11") == "missing"
    assert value("retention: open\nday: 0", [("2026-03-05 23:59", "open")]) == 1


def test_what_has_no_meaning_is_refused() -> None:
    """A mean over nothing is no number: the language wants to know what it counts, the oracle refuses a column."""
    assert codes("amount: mean(buy.amount)") == ["E315"]
    with pytest.raises(NotImplementedError):
        value("column: shop.revenue", [])
