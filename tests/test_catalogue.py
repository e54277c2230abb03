"""The shipped metrics: each loads on its own, explains itself, and its examples hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from abtest.analysis.examples import problems_in_examples, run_examples
from abtest.language.explain import Explainer
from abtest.language.format import format_yaml
from abtest.language.model import Project
from abtest.language.project import load_project
from abtest.problems import Problems
from abtest.shipped import shipped

FILES = sorted(p.name for p in shipped("metrics").glob("*.yml"))
EVENTS = ("app_open", "photo_post", "like", "comment", "share", "article_read", "purchase")
LOG = """
sources:
  app:
    kind: events
    files: app.csv
    columns: {event: name, time: at}
    units: {user: uid}
    properties: {revenue: {from: total, type: money EUR}}
events:
"""


@pytest.fixture(params=FILES)
def catalogue(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    (tmp_path / "abtest.yml").write_text(LOG + "".join(f"  {e}: {e}\n" for e in EVENTS), "utf-8")
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / request.param).write_bytes((shipped("metrics") / request.param).read_bytes())
    return load_project(tmp_path)


def test_every_entry_is_described_and_has_examples_that_hold(catalogue: Project) -> None:
    assert catalogue.metrics
    assert problems_in_examples(catalogue) == []
    for metric in catalogue.metrics.values():
        assert metric.description
        assert metric.better
        assert metric.examples
        assert Explainer().meaning(metric).endswith(".")
    failed = [(o.metric, o.number, o.got) for o in run_examples(catalogue, catalogue.metrics.values()) if not o.passed]
    assert failed == []


def test_the_mission_s_two_criteria_are_there_word_for_word() -> None:
    text = (shipped("metrics") / "engaged_users.yml").read_text("utf-8")
    assert "did: photo_post >= 2 and like >= 5\n    per: week" in text
    assert "did: article_read >= 4 on 2 days\n    per: week" in text


@pytest.mark.parametrize("folder", ["metrics", "templates"])
def test_what_is_shipped_is_written_as_fmt_writes(folder: str) -> None:
    for path in sorted(shipped(folder).glob("**/*.yml")):
        problems = Problems()
        text = path.read_text("utf-8")
        formatted = format_yaml(text, path.name, problems)
        assert formatted is not None, problems.found
        assert formatted.text == text, path
