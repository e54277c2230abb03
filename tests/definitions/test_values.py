"""Values of the 48 definitions on small logs, computed by hand from the page of decisions, and run through the plan."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

from abtest.analysis.examples import Outcome, problems_in_examples, run_examples
from abtest.language.model import Project
from abtest.language.project import load_project

ROOT = Path(__file__).parent / "project"


@lru_cache(maxsize=1)
def project() -> Project:
    return load_project(ROOT)


@lru_cache(maxsize=1)
def outcomes() -> tuple[Outcome, ...]:
    return run_examples(project(), project().metrics.values())


def test_examples_name_what_exists() -> None:
    assert problems_in_examples(project()) == []


@pytest.mark.parametrize("name", sorted(project().metrics))
def test_a_definition_gives_the_values_computed_by_hand(name: str) -> None:
    own = [o for o in outcomes() if o.metric == name]
    if not own:
        assert project().metrics[name].examples == ()
        return
    wrong = [f"example {o.number}: expected {o.example.text}, got {o.got}" for o in own if not o.passed]
    assert wrong == []


def test_nearly_all_have_a_yes_and_a_no() -> None:
    """A definition whose examples all give one value would not notice a plan that always gives it."""
    values = {n: {o.example.expect for o in outcomes() if o.metric == n} for n in project().metrics}
    assert len(outcomes()) >= 180
    assert sum(len(v) >= 2 for v in values.values()) >= 50
