"""The 48 definitions in words, English and Dutch, to the letter: `explained.en.txt`, `explained.nl.txt`.

`python -m tests.definitions.test_explained` writes both anew; read them before they are kept.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import pytest

from abtest.language.explain import Explainer
from abtest.language.model import Metric, Project
from abtest.language.project import load_project

HERE = Path(__file__).parent
LANGUAGES = ("en", "nl")


@lru_cache(maxsize=1)
def project() -> Project:
    return load_project(HERE / "project")


def unit_of(metric: Metric) -> str:
    return metric.unit or "user"


def explained(metric: Metric, explainer: Explainer) -> str:
    """Everything that is said of a metric."""
    unit = unit_of(metric)
    lines = [f"{metric.name}", explainer.meaning(metric, unit), *explainer.rules(metric, project().timezone, unit)]
    return "\n".join([*lines, *(f"- {line}" for line in explainer.events(metric, project().events))])


def text(language: str) -> str:
    explainer = Explainer(language, project())
    metrics = sorted(project().metrics.values(), key=lambda m: m.name)
    return "\n\n".join(explained(m, explainer) for m in metrics) + "\n"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_definition_is_told_as_before(language: str) -> None:
    assert text(language) == (HERE / f"explained.{language}.txt").read_text("utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_is_left_open(language: str) -> None:
    told = text(language)
    assert not re.search(r"[{}]|\bNone\b|  |\.answers|\. \.", told)
    assert told.count("(") == told.count(")")


def test_a_metric_of_teams_is_about_teams_whoever_asks() -> None:
    metric = project().metrics["m03_slack_messages"]
    assert Explainer("nl").meaning(metric, "unit") == Explainer("nl").meaning(metric, "team")


def test_without_their_group_levels_and_cells_are_spelled_out() -> None:
    metrics = project().metrics
    assert Explainer().meaning(metrics["m45_super_engaged"]) == (
        "For each user: the share of the 4 weeks from day 0 to day 27 after first exposure (7 days each) in which their "
        "level in engagement_level was super_engaged or higher, that is, they did photo_post at least 5 times and like "
        "at least 20 times."
    )
    assert Explainer().rules(metrics["m45_full_fans"], "UTC")[0] == (
        "It can only be told if their last answer to nps was at least 9 or (it is not true that their last answer to nps "
        "was at least 9 and they answered nps); users without that are left out."
    )
    rank = Explainer("nl").meaning(metrics["m45_level_rank"])
    assert "(hoeveel van deze 3 dingen waar zijn: dat (app_open minstens" in rank


if __name__ == "__main__":
    for written in LANGUAGES:
        (HERE / f"explained.{written}.txt").write_text(text(written), "utf-8")
