"""`as: degrees`: a level from 0 to 100, which is the rank by another name in every fold."""

from __future__ import annotations

from pathlib import Path

import pytest

from abtest.analysis.examples import run_examples
from abtest.language.canonical import metric_hash
from abtest.language.explain import Explainer
from abtest.language.project import load_project

PROJECT = """\
sources:
  app: {kind: events, files: x.csv, columns: {event: e, time: t}, units: {user: u}}
events: {app_open: a, like: l, photo_post: p}
groups:
  level: {per: week, climb: every, ladder: {top: photo_post, middle: like, low: app_open}, otherwise: none}
metrics:
"""
LOG = "{day 0: app_open, day 8: [app_open, like], day 15: [app_open, like, photo_post], day 22: [like, photo_post]}"
FOLDS = {"mean": 1.5, "sum": 6, "min": 0, "max": 3, "last": 0}


@pytest.mark.parametrize("fold", FOLDS)
def test_degrees_are_the_rank_of_a_hundred(fold: str, tmp_path: Path) -> None:
    lines = []
    for how, each in (("rank", 1.0), ("degrees", 100 / 3)):
        value = f"{FOLDS[fold] * each:.6f}"
        shared = f"group: level, as: {how}, over: first 28 days, value: {fold}"
        examples = f"[{{when: {LOG}, expect: {value}}}, {{when: nothing, expect: 0}}]"
        lines.append(f"  {how}: {{{shared}, examples: {examples}}}\n")
    (tmp_path / "abtest.yml").write_text(PROJECT + "".join(lines), "utf-8")
    project = load_project(tmp_path)
    assert [(o.metric, o.got) for o in run_examples(project, project.metrics.values()) if not o.passed] == []


def test_degrees_without_blocks_and_in_words(tmp_path: Path) -> None:
    text = "  d: {group: level, as: degrees, per: 28 days, over: first 28 days, examples: [{when: {day 0: [app_open, like]}, expect: 66.6667}]}\n"
    rank = "  r: {group: level, as: rank, per: 28 days, over: first 28 days}\n"
    (tmp_path / "abtest.yml").write_text(PROJECT + text + rank, "utf-8")
    project = load_project(tmp_path)
    assert all(o.passed for o in run_examples(project, project.metrics.values()))
    d, r = project.metrics["d"], project.metrics["r"]
    assert metric_hash(d, project.events) != metric_hash(r, project.events)
    said = Explainer("en", project).meaning(d)
    assert "(none = 0, low = 33.33, middle = 66.67, top = 100)" in said
    assert "in degrees (how many of these 3 are true, 100 for all:" in Explainer().meaning(d)
