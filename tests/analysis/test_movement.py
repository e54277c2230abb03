"""From which level to which: recounted from the CSV by plain Python, hidden where cells are small, said where not told."""

from __future__ import annotations

import csv
import re
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import SquareTable

import abtest
from abtest.analysis.movement import directions, hidden_cells
from abtest.analysis.result import Movement, Result
from abtest.reports.html import render_html
from tests.analysis.kinds import EXPERIMENT, write_project

LEVELS = ("dormant", "explorer", "regular", "super")
CELLS = ("FAN", "FA_", "F_N", "_AN", "F__", "_A_", "__N", "___", "?")
Rows = dict[str, list[tuple[datetime, str, float]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """900 people, and no cell hidden."""
    made = write_project(tmp_path_factory.mktemp("movement") / "project", people=900)
    text = (made / "abtest.yml").read_text("utf-8")
    keep = text.partition("metrics:\n")[0]
    metrics = """\
metrics:
  likes: {amount: like, over: first 14 days, better: higher}
  rank: {group: level, as: rank, over: first 14 days, title: Level}
  share: {group: level, as: share, over: first 14 days, per: 14 days, among: plan = free}
  cells: {group: fan, as: share}
  now: {group: level, as: rank, per: rolling 7 days, over: first 14 days}
"""
    keep = keep.replace("timezone: Europe/Madrid", "timezone: Europe/Madrid, privacy: {min_cell: 1}")
    (made / "abtest.yml").write_text(keep + metrics, "utf-8")
    experiment = re.sub(r"\n  goal: .*", "\n  goal: [likes]", EXPERIMENT)
    experiment = re.sub(r"\n  explore: .*", "\n  explore: [rank, share, cells, now]", experiment)
    experiment = re.sub(r"\nsegments: .*", "", experiment)
    (made / "experiments" / "kinds.yml").write_text(experiment, "utf-8")
    return made


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    return abtest.run("kinds", folder)


def table_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def actions(folder: Path) -> Rows:
    found: Rows = {}
    for row in table_of(folder, "app.csv"):
        revenue = float(row["revenue"] or 0)
        found.setdefault(row["uid"], []).append((datetime.fromisoformat(row["at"]), row["name"], revenue))
    return found


def level_of(rows: list[tuple[datetime, str, float]]) -> int:
    n = Counter(name for _, name, _ in rows)
    if n["photo"] >= 3 and n["like"] >= 3:
        return 3
    if n["photo"] and n["like"]:
        return 2
    return 1 if n["open"] else 0


def cell_of(rows: list[tuple[datetime, str, float]], answers: list[tuple[datetime, int]]) -> int:
    if not answers:
        return CELLS.index("?")
    revenue = sum(r for _, name, r in rows if name == "order")
    likes = sum(name == "like" for _, name, _ in rows)
    last = max(answers)[1]
    return CELLS.index(("F" if revenue >= 20 else "_") + ("A" if last >= 9 else "_") + ("N" if likes >= 3 else "_"))


def between(at: datetime, first: date, last: date) -> bool:
    return first <= at.date() <= last


def counted(folder: Path, metric: str) -> dict[str, Counter[tuple[int, int]]]:
    """Per variant, units by (state before, state after). The logs reach back for everybody."""
    rows = actions(folder)
    plans = {r["uid"]: r["plan"] for r in table_of(folder, "people.csv")}
    answers: dict[str, list[tuple[datetime, int]]] = {}
    for row in table_of(folder, "form.csv"):
        answers.setdefault(row["uid"], []).append((datetime.fromisoformat(row["at"]), int(row["q1"])))
    found: dict[str, Counter[tuple[int, int]]] = {"control": Counter(), "new": Counter()}
    length = 7 if metric == "rank" else 14
    for flag in table_of(folder, "flags.csv"):
        unit, exposed = flag["uid"], datetime.fromisoformat(flag["at"])
        day = exposed.date()
        if metric == "share" and plans[unit] != "free":
            continue
        own = rows.get(unit, [])
        past = [r for r in own if between(r[0], day - timedelta(days=length), day - timedelta(days=1))]
        last = day + timedelta(days=13)
        now = [r for r in own if r[0] >= exposed and between(r[0], last - timedelta(days=length - 1), last)]
        if metric != "cells":
            pair = level_of(past), level_of(now)
        else:
            said = answers.get(unit, [])
            before = [a for a in said if between(a[0], day - timedelta(days=14), day - timedelta(days=1))]
            after = [a for a in said if a[0] >= exposed and between(a[0], day, last)]
            pair = cell_of(past, before), cell_of(now, after)
        found["control" if flag["variant"] == "a" else "new"][pair] += 1
    return found


def movement(result: Result, key: str) -> Movement:
    found = result.metric(key).movement
    assert found is not None
    return found


@pytest.mark.parametrize("metric", ["rank", "share", "cells"])
def test_the_matrix_is_a_count_of_the_file(metric: str, folder: Path, result: Result) -> None:
    found = movement(result, metric)
    assert found.states == (CELLS if metric == "cells" else LEVELS)
    assert found.days == (7 if metric == "rank" else 14)
    for variant, cells in counted(folder, metric).items():
        arm = next(a for a in found.arms if a.variant == variant)
        expected = [[cells[i, j] for j in range(len(found.states))] for i in range(len(found.states))]
        assert [list(row) for row in arm.cells] == expected
        assert (arm.units, arm.without_history) == (sum(cells.values()), 0)
        assert sum(cells.values()) > 100
        if metric != "cells":
            assert (arm.up, arm.same, arm.down) == tuple(
                sum(n for (i, j), n in cells.items() if (j > i) - (j < i) == way) for way in (1, 0, -1)
            )
            assert sum(map(bool, cells.values())) > 9


def test_rises_and_falls_are_those_of_the_parts(result: Result) -> None:
    found = movement(result, "rank")
    for way, part in (("up", "rank.moved_up"), ("down", "rank.moved_down")):
        for arm in found.arms:
            value = next(a.value for a in result.metric(part).arms if a.variant == arm.variant)
            assert getattr(arm, way) / arm.units == pytest.approx(value, rel=1e-12)


def test_tests_against_statsmodels(folder: Path, result: Result) -> None:
    """Bowker by its table; the shift by least squares from rows, with an intercept per level before."""
    cells = counted(folder, "rank")
    found = movement(result, "rank")
    for arm in found.arms:
        table = np.array([[cells[arm.variant][i, j] for j in range(4)] for i in range(4)])
        reference = SquareTable(table, shift_zeros=False).symmetry(method="bowker")
        empty = sum(table[i, j] + table[j, i] == 0 for i in range(4) for j in range(i))
        assert arm.symmetry.statistic == pytest.approx(reference.statistic)
        # statsmodels counts pairs that nobody moved between.
        assert arm.symmetry.df == reference.df - empty
        assert arm.symmetry.p_value == pytest.approx(scipy.stats.chi2.sf(reference.statistic, reference.df - empty))
    rows = [(v == "new", i, j) for v, own in cells.items() for (i, j), n in own.items() for _ in range(n)]
    arm_, before, after = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    x = np.column_stack([arm_, *[before == k for k in range(4)]]).astype(float)
    fitted: Any = sm.OLS(after, x).fit()
    change = found.changes[0]
    assert change.shift is not None
    assert change.shift.estimate == pytest.approx(fitted.params[0], rel=1e-9)
    assert change.p_value == pytest.approx(fitted.pvalues[0], rel=0.05)
    assert change.anywhere is None
    assert movement(result, "cells").changes[0].anywhere is not None


def test_what_cannot_be_asked_before_is_said(result: Result) -> None:
    assert (movement(result, "now").status, movement(result, "now").reason) == ("no_test", "timing")
    assert "no movement from before is shown, because its time" in render_html(result)
    assert result.metric("likes").movement is None
    assert Result.from_json(result.to_json()) == result


def test_a_log_that_begins_with_the_experiment_is_said(folder: Path, tmp_path: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and "out" not in path.parts:
            target = tmp_path / path.relative_to(folder)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
    lines = (tmp_path / "app.csv").read_text("utf-8").splitlines()
    at = lines[0].split(",").index("at")
    kept = [lines[0], *(line for line in lines[1:] if line.split(",")[at] >= "2026-02-27")]
    (tmp_path / "app.csv").write_text("\n".join(kept) + "\n", "utf-8")
    short = abtest.run("kinds", tmp_path)
    # Those who came a week later have a past; nobody has one of two weeks.
    arms = movement(short, "rank").arms
    late = Counter(r["variant"] for r in table_of(folder, "flags.csv") if r["at"] < "2026-03-06")
    assert [a.without_history for a in arms] == [late["a"], late["b"]]
    assert movement(short, "share").reason == "no_history"
    assert "no log reaches back 14 days before exposure" in render_html(short)


def test_small_cells_are_hidden(folder: Path, tmp_path: Path, result: Result) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and "out" not in path.parts:
            target = tmp_path / path.relative_to(folder)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
    text = (tmp_path / "abtest.yml").read_text("utf-8").replace("min_cell: 1}", "min_cell: 10}")
    (tmp_path / "abtest.yml").write_text(text, "utf-8")
    private = abtest.run("kinds", tmp_path)
    for key in ("rank", "share", "cells"):
        for full, arm in zip(movement(result, key).arms, movement(private, key).arms, strict=True):
            shown = [n for row in arm.cells for n in row if n is not None]
            assert all(n == 0 or n >= 10 for n in shown)
            both = [(a, b) for x, y in zip(full.cells, arm.cells, strict=True) for a, b in zip(x, y, strict=True)]
            assert all(b is None or a == b for a, b in both)
            assert all(b is None for a, b in both if a is not None and 0 < a < 10)
    assert "hidden" in render_html(private)


@st.composite
def squares(draw: st.DrawFn) -> tuple[tuple[int, ...], ...]:
    size = draw(st.integers(2, 5))
    row = st.tuples(*[st.sampled_from([0, 1, 3, 9, 10, 15, 40, 300])] * size)
    return draw(st.tuples(*[row] * size))


@given(squares())
def test_no_small_cell_follows_from_the_sums(table: tuple[tuple[int, ...], ...]) -> None:
    """Another table with the same sums and the same shown cells has another number in every small hidden cell, unless
    a sum is of that cell alone."""
    size = range(len(table))
    more = list(directions(table, tuple(size)).values())
    hidden = sorted(hidden_cells(table, more, 10))
    assert {(i, j) for i in size for j in size if 0 < table[i][j] < 10} <= set(hidden)
    assert all(table[i][j] > 0 for i, j in hidden)
    lines = [[(i, j) for i in size] for j in size] + [[(i, j) for i in size for j in size], *more]
    sums = np.array([[float(cell in line) for cell in hidden] for line in lines])
    for k, (i, j) in enumerate(hidden):
        alone = any((i, j) in line and sum(table[a][b] > 0 for a, b in line) == 1 for line in lines)
        if table[i][j] >= 10 or alone:
            continue
        axis = np.zeros(len(hidden))
        axis[k] = 1.0
        with_axis = np.vstack([sums, axis])
        if np.linalg.matrix_rank(with_axis) == np.linalg.matrix_rank(sums):
            # Then nothing is left in its sums that could have been hidden as well.
            near = {c for line in lines if (i, j) in line for c in line if table[c[0]][c[1]] > 0}
            assert near <= set(hidden)
