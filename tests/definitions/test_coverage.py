"""48 published definitions of an engaged user as YAML: what the design wrote down, to the letter, and what is kept.

`coverage.txt` has the encodings of the design, `project/` the ones that are kept. Where a ruling refuses the encoding,
the message is asserted whole and the nearest valid one stands in the project. Rows 45 (levels, cells) and 46 (surveys)
refer to `groups:` and `surveys:`; rows 47 and 48 are for others to compute.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

from abtest.analysis.examples import problems_in_examples, run_examples
from abtest.language.canonical import metric_hash
from abtest.language.model import Project
from abtest.language.project import load_project, read_project
from abtest.problems import Problems

HERE = Path(__file__).parent
ROOT = (HERE / "project" / "abtest.yml").read_text("utf-8")
ENCODINGS = {
    int(number): encoding.strip()
    for number, _, encoding in (
        line.split(" | ", 2) for line in (HERE / "coverage.txt").read_text("utf-8").splitlines() if " | " in line
    )
}
WITHIN = """\
row.yml:5:18 E316 metric row: starting_at needs `within`, so that it depends on exposure alone who is left out
    starting_at: signup
                 ^^^^^^
  Add  within: 7 days  (units that do not get there by then count as not done)"""
REFUSED = {
    1: WITHIN,
    2: WITHIN,
    20: """\
row.yml:7:12 E305 value: ever needs as many blocks for every unit; on the calendar clock they differ
    value: ever
           ^^^^
  Use  value: share,  or  clock: date  with  per: 28 days""",
    40: """\
row.yml:3:10 E314 this trend also holds for units that did nothing then and nothing now
    did: app_open <= 0.5 * app_open 1 week ago
         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  Ask for a floor:  app_open 1 week ago and app_open <= 0.5 * app_open 1 week ago""",
}
OPEN = (3, 4, 7, 8, 11, 23, 44)
"""Rows with an open window, which is warned about: units exposed later had less time."""
NOBODY_ELSE = {
    "did: percentile(video_watch.seconds) >= 90%": """\
row.yml:3:10 E113 "percentile" is not a function of an event
    did: percentile(video_watch.seconds) >= 90%
         ^^^^^^^^^^
  """,
    "did: score(app_open) >= 0.5": """\
row.yml:3:10 E113 "score" is not a function of an event
    did: score(app_open) >= 0.5
         ^^^^^
  """,
}
EXPERIMENT = """\
experiment: trial
unit: {unit}
exposure: {{source: flags, flag: trial}}
variants: {{off: {{key: off, share: 50%}}, on: {{key: on, share: 50%}}}}
baseline: off
dates: {{start: 2026-03-02, enroll_until: 2026-03-15, end: 2026-04-12}}
metrics:
  goal: [{metric}]
"""


@lru_cache(maxsize=1)
def kept() -> Project:
    return load_project(HERE / "project")


def read(folder: Path, encoding: str) -> tuple[Project, Problems]:
    """The encoding as the only metric, called row."""
    lines = "\n".join(f"    {key.strip()}" for key in encoding.split(";"))
    (folder / "abtest.yml").write_text(ROOT, "utf-8")
    (folder / "row.yml").write_text(f"metrics:\n  row:\n{lines}\n", "utf-8")
    return read_project(folder)


def names(number: int) -> list[str]:
    return [name for name in kept().metrics if name.startswith(f"m{number:02d}_")]


def test_every_row_is_kept_in_some_form() -> None:
    assert [n for n in range(1, 49) if not names(n)] == []
    assert sorted(ENCODINGS) == list(range(1, 45))


@pytest.mark.parametrize("number", sorted(set(ENCODINGS) - set(REFUSED)))
def test_the_encoding_of_the_design_is_the_metric_that_is_kept(number: int, tmp_path: Path) -> None:
    project, problems = read(tmp_path, ENCODINGS[number])
    assert [str(p) for p in problems.errors] == []
    assert [p.code for p in problems.warnings] == ["W306"] * (number in OPEN)
    (name,) = names(number)
    mine = metric_hash(kept().metrics[name], kept().events)
    assert metric_hash(project.metrics["row"], project.events) == mine


@pytest.mark.parametrize("number", sorted(REFUSED))
def test_what_a_ruling_refuses_is_refused_by_name(number: int, tmp_path: Path) -> None:
    _, problems = read(tmp_path, ENCODINGS[number])
    assert [str(p) for p in problems.errors] == [REFUSED[number]]


@pytest.mark.parametrize("encoding", sorted(NOBODY_ELSE))
def test_what_needs_other_units_or_a_model_is_no_word_of_the_language(encoding: str, tmp_path: Path) -> None:
    _, problems = read(tmp_path, f"{encoding}; over: first 28 days")
    (error,) = problems.errors
    assert str(error).startswith(NOBODY_ELSE[encoding])


def trial(unit: str, metric: str, folder: Path) -> list[str]:
    (folder / "abtest.yml").write_text(ROOT, "utf-8")
    (folder / "metrics").mkdir()
    (folder / "experiments").mkdir()
    for file in (HERE / "project" / "metrics").iterdir():
        (folder / "metrics" / file.name).write_text(file.read_text("utf-8"), "utf-8")
    (folder / "experiments" / "trial.yml").write_text(EXPERIMENT.format(unit=unit, metric=metric), "utf-8")
    return [str(p) for p in read_project(folder)[1].errors]


@pytest.mark.parametrize("metric", ["m03_slack_messages", "m43_healthy_team"])
def test_metrics_of_teams_need_teams_to_be_randomised(metric: str, tmp_path: Path) -> None:
    assert trial("user", metric, tmp_path) == [
        f"experiments/trial.yml:8:10 E313 {metric} is measured per team but users are randomised: "
        f"one team can see both variants\n"
        f"    goal: [{metric}]\n"
        f"           {'^' * len(metric)}\n"
        "  Randomise by team or pick a user metric"
    ]


@pytest.mark.parametrize("metric", ["m03_slack_messages", "m43_healthy_team"])
def test_randomised_by_team_they_are_fine(metric: str, tmp_path: Path) -> None:
    assert trial("team", metric, tmp_path) == []


def test_every_definition_has_examples_that_were_computed_by_hand() -> None:
    """Yes, just missed and silent."""
    few = {name: len(m.examples) for name, m in kept().metrics.items() if len(m.examples) < 3}
    assert few == {}
    assert problems_in_examples(kept()) == []


def test_the_examples_hold() -> None:
    outcomes = run_examples(kept(), kept().metrics.values())
    assert [(o.metric, o.number, o.example.text, o.got) for o in outcomes if not o.passed] == []
