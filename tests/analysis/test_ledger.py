"""No row and no unit is lost silently: what was read is the sum of what became of it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import abtest
from abtest.analysis.result import Ledger, Result
from tests.analysis.messy import DEFECTS, write_messy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_messy(tmp_path_factory.mktemp("messy"))


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    return abtest.run("messy", folder)


def ledger(result: Result, source: str) -> Ledger:
    return next(x for x in result.ledgers if x.source == source)


def steps(found: Ledger) -> dict[str, int]:
    return {s.step: s.count for s in found.steps}


def test_sums_add_up_in_every_ledger(result: Result) -> None:
    for found in result.ledgers:
        assert sum(s.count for s in found.steps) == found.read, found.source
        for step in found.steps:
            assert sum(n for _, n in step.by_variant) <= step.count


def test_every_line_of_the_files_is_read(folder: Path, result: Result) -> None:
    for source, file in (("app", "app.csv"), ("flags", "flags.csv"), ("people", "people.csv")):
        lines = (folder / file).read_text().count("\n") - 1
        assert ledger(result, source).read == lines


def test_the_log_has_every_kind_of_loss(result: Result) -> None:
    assert set(DEFECTS) <= set(steps(ledger(result, "app")))


def test_rows_by_hand(folder: Path, result: Result) -> None:
    """Unreadable and doubled rows counted a second time, straight from the file."""
    with (folder / "app.csv").open() as handle:
        rows = list(csv.reader(handle))[1:]
    whole = [r for r in rows if len(r) == 6]
    found = steps(ledger(result, "app"))
    assert found["unparsable"] == len(rows) - len(whole)
    assert found["no_id"] == sum(r[3] == "" for r in whole)
    with_id = [r for r in whole if r[3]]
    assert found["bad_time"] == sum(r[1] == "yesterday" for r in with_id)
    timed = [r for r in with_id if r[1] != "yesterday"]
    assert found["ignored"] == sum(r[5] == "true" for r in timed)
    kept = [r for r in timed if r[5] != "true"]
    assert found["duplicate"] == len(kept) - len({r[2] for r in kept})


def test_units_add_up_and_are_those_of_the_metrics(result: Result) -> None:
    units = steps(ledger(result, "user"))
    assert units["mixed"] == 3
    assert units["before_start"] == units["after_enrolment"] == units["excluded"] == 10
    for metric in result.metrics:
        assert sum(a.exposed for a in metric.arms) == units["used"]
        for arm in metric.arms:
            assert arm.exposed == arm.used + arm.immature + arm.missing
    assert sum(v.units for v in result.experiment.variants) == units["used"]


def test_immature_units_are_left_out_until_the_data_cover_their_window(result: Result) -> None:
    """The log ends on 10 April, so 9 April is its last whole date: units exposed after 27 March miss days 0-13."""
    assert result.experiment.data_through == "2026-04-09"
    engaged = result.metric("engaged")
    assert sum(a.immature for a in engaged.arms) > 0
    assert engaged.mature_on == "2026-04-11"
    assert sum(a.immature for a in result.metric("revenue").arms) == 0
    assert (result.decision.verdict, result.decision.reason) == ("keep_running", "too_early")


def test_rows_of_units_that_no_metric_can_use_yet_are_immature(tmp_path: Path) -> None:
    """As of 1 April, users exposed after 26 March have not had the seven days of the shortest metric."""
    folder = write_messy(tmp_path)
    file = folder / "experiments" / "messy.yml"
    file.write_text(file.read_text() + "as_of: 2026-04-01\n")
    found = abtest.run("messy", folder)
    assert found.experiment.data_through == "2026-04-01"
    assert steps(ledger(found, "app"))["immature"] > 0
    assert sum(s.count for s in ledger(found, "app").steps) == ledger(found, "app").read


def test_the_broken_line_is_named(folder: Path) -> None:
    from abtest.analysis.run import analyse

    project = abtest.load(folder)
    said: list[str] = []
    analyse(project, project.experiments["messy"], notice=said.append)
    (line,) = said
    number = 1 + (folder / "app.csv").read_text().splitlines().index(
        "order,2026-03-20T10:00:00+01:00,x1,u0001,1,false,one,too,many"
    )
    assert line == f"W501 app.csv:{number}: more fields than column names; the line is left out"


def test_no_unit_id_leaves_the_engine(result: Result) -> None:
    from abtest.reports.html import render_html

    for text in (result.to_json(), render_html(result)):
        assert "u0001" not in text
        assert "u00" not in text


def test_small_segments_are_counted_not_shown(tmp_path: Path) -> None:
    found = abtest.run("messy", write_messy(tmp_path, users=120))
    for segment in found.segments:
        for group in segment.groups:
            assert all(a.used >= found.min_cell for a in group.arms)
    assert any(s.merged_groups for s in found.segments) or all(len(s.groups) == 3 for s in found.segments)
