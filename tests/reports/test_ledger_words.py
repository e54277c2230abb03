"""Ledger steps say what happened to the rows: the two that are easily confused, by name."""

from __future__ import annotations

import pytest

from abtest.reports.language import load


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("ignored", "Left out by the source's own tests"),
        ("no_event", "Events that no metric uses"),
        ("other_flag", "Of another flag"),
        ("unassigned", "Units outside the experiment"),
    ],
)
def test_what_a_step_is_called(step: str, said: str) -> None:
    assert load("en")(f"ledger.rows.{step}") == said
