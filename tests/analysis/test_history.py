"""The past of a project as one variant, counted again by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from abtest.analysis.history import read_past
from abtest.analysis.sharing import engine_of
from abtest.language.project import load_project
from abtest.problems import UserError

PROJECT = """
project: {name: past, timezone: UTC, data: .}
sources:
  log:
    kind: events
    files: log.csv
    columns: {event: event, time: at}
    units: {user: user}
    properties: {n: {from: n, type: number}}
    complete_through: 2026-01-28
  flags:
    kind: exposures
    files: flags.csv
    columns: {variant: variant, time: at}
    units: {user: user}
events:
  like: like
  big: {event: like, where: n > 5}
metrics:
  likes: {amount: like, over: first 7 days, better: higher, owner: me, description: d}
---
experiment: later
unit: user
exposure: {source: flags}
variants: {a: {key: a}, b: {key: b}}
baseline: a
dates: {start: 2026-01-15, end: 2026-02-15}
metrics: {goal: [likes]}
"""
LOG = """user,event,at,n
u1,like,2026-01-01 10:00,1
u1,like,2026-01-02 10:00,9
u1,like,2026-01-09 10:00,9
u2,like,2026-01-05 10:00,2
u2,other,2026-01-06 10:00,2
u3,like,2026-01-12 10:00,9
u4,like,2026-01-20 10:00,9
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    project, experiment = PROJECT.split("---\n")
    (tmp_path / "abtest.yml").write_text(project)
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "later.yml").write_text(experiment)
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "flags.csv").write_text("user,variant,at\n")
    return tmp_path


def test_everybody_enters_at_the_first_row_and_nothing_after_the_start_is_read(root: Path) -> None:
    project = load_project(root)
    with engine_of(project) as engine:
        past = read_past(engine, project, [project.metrics["likes"]], "user", of=project.experiments["later"])
    days = [(date(1970, 1, 1).toordinal() + day, n) for day, n in past.entered]
    assert [(date.fromordinal(d).isoformat(), n) for d, n in days] == [
        ("2026-01-01", 1), ("2026-01-05", 1), ("2026-01-12", 1),
    ]  # fmt: skip
    arm = past.arms["likes"]
    assert (arm.exposed, arm.used, arm.immature) == (3, 2, 1)  # u3's seven days end after the 14th
    assert arm.moments is not None
    assert arm.moments.mean == (2 + 1) / 2


def test_a_unit_can_enter_at_an_event_with_a_condition(root: Path) -> None:
    project = load_project(root)
    with engine_of(project) as engine:
        past = read_past(engine, project, [project.metrics["likes"]], "user", by="big")
    assert past.units == 3  # u2 has no like of more than 5
    assert [n for _, n in past.entered] == [1, 1, 1]
    arm = past.arms["likes"]
    assert arm.moments is not None
    assert arm.moments.mean == 1.0  # u1 from the second on: one; u3: one; u4: one (its seven days end on the 26th)


def test_own_dates(root: Path) -> None:
    project = load_project(root)
    with engine_of(project) as engine:
        past = read_past(engine, project, [], "user", start=date(2026, 1, 2), end=date(2026, 1, 10))
        assert past.units == 2
        assert past.days == 9
        with pytest.raises(UserError, match=r"E521 there is no history: source \"log\" shows no user in 2025"):
            read_past(engine, project, [], "user", start=date(2025, 1, 2), end=date(2025, 1, 10))
        with pytest.raises(UserError, match="E520 no log tells when a team was first seen"):
            read_past(engine, project, [], "team")
