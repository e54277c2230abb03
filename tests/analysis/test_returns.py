"""Returns by day: recounted from the CSV by plain Python, hidden where days are not over or cells are small."""

from __future__ import annotations

import csv
import json
import math
import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from scipy.optimize import minimize_scalar

import abtest
from abtest.analysis import hidden
from abtest.analysis.beside import Retention, ReturnDay
from abtest.analysis.result import Result
from abtest.metrics.returns import DAYS, returns_of
from abtest.reports.html import render_html
from tests.analysis.kinds import EXPERIMENT, write_project
from tests.reports.page import Page

Z = 1.959963984540054
METRICS = """\
metrics:
  likes: {amount: like, over: first 3 days, better: higher}
  d7: {retention: app_open, day: 7, better: higher}
  w2: {retention: app_open, days: 7-13, better: higher}
  later: {retention: app_open, from_day: 7}
  bold: {retention: like and view, day: 2, among: plan = free}
  regular: {retention: like >= 1, day: 1, among: (photo >= 1) before 28 days}
"""


def project(folder: Path, *, end: str = "2026-04-20", min_cell: int = 1, **more: str) -> Path:
    made = write_project(folder / "project", people=900)
    text = (made / "abtest.yml").read_text("utf-8").partition("metrics:\n")[0]
    text = text.replace("timezone: Europe/Madrid", f"timezone: Europe/Madrid, privacy: {{min_cell: {min_cell}}}")
    text = text.replace("complete_through: 2026-04-20", f"complete_through: {end}")
    (made / "abtest.yml").write_text(text + METRICS, "utf-8")
    experiment = re.sub(r"\n  goal: .*", "\n  goal: [likes]\n  secondary: [d7]", EXPERIMENT)
    experiment = re.sub(r"\n  explore: .*", "\n  explore: [w2, later, bold, regular]", experiment)
    experiment = re.sub(r"\nsegments: .*", "", experiment) + more.get("extra", "")
    (made / "experiments" / "kinds.yml").write_text(experiment, "utf-8")
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("returns"))


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    return abtest.run("kinds", folder)


def table_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def recount(folder: Path, metric: str, day: int) -> dict[str, tuple[int, int]]:
    """Per variant: units, and those that came back on the date `day` days after that of their exposure."""
    rows: dict[str, list[tuple[datetime, str]]] = {}
    for row in table_of(folder, "app.csv"):
        rows.setdefault(row["uid"], []).append((datetime.fromisoformat(row["at"]), row["name"]))
    free = {r["uid"] for r in table_of(folder, "people.csv") if r["plan"] == "free"}
    found = {"control": (0, 0), "new": (0, 0)}
    for flag in table_of(folder, "flags.csv"):
        unit, exposed = flag["uid"], datetime.fromisoformat(flag["at"])
        own = rows.get(unit, [])
        if not date(2026, 3, 2) <= exposed.date() <= date(2026, 3, 12) or (metric == "bold" and unit not in free):
            continue
        before = [n for at, n in own if 1 <= (exposed.date() - at.date()).days <= 28]
        if metric == "regular" and "photo" not in before:
            continue
        names = {n for at, n in own if at.date() == exposed.date() + timedelta(days=day) and at >= exposed}
        back = {"d7": "open" in names, "bold": {"like", "view"} <= names, "regular": "like" in names}[metric]
        variant = "control" if flag["variant"] == "a" else "new"
        units, returned = found[variant]
        found[variant] = (units + 1, returned + back)
    return found


def score_z(treatment: tuple[int, int], control: tuple[int, int], difference: float) -> float:
    """Mee (1984): the statistic at a difference, with the rates most likely under it found by search."""
    (x1, n1), (x0, n0) = treatment, control

    def unlikely(p: float) -> float:
        q = p + difference
        own = x1 * math.log(q) + (n1 - x1) * math.log(1 - q)
        return -own - x0 * math.log(p) - (n0 - x0) * math.log(1 - p)

    ends = (max(0.0, -difference) + 1e-9, min(1.0, 1.0 - difference) - 1e-9)
    p = float(minimize_scalar(unlikely, bounds=ends, method="bounded", options={"xatol": 1e-12}).x)
    q = p + difference
    return (x1 / n1 - x0 / n0 - difference) / math.sqrt(q * (1 - q) / n1 + p * (1 - p) / n0)


def of(result: Result, metric: str) -> Retention:
    return next(one for one in result.retention if any(name == metric for name, _, _ in one.metrics))


def shown(day: ReturnDay) -> dict[str, tuple[int, int | None]]:
    return {a.variant: (a.units, a.returned) for a in day.arms}


@pytest.mark.parametrize("metric", ["d7", "bold", "regular"])
def test_every_day_is_a_count_of_the_file(metric: str, folder: Path, result: Result) -> None:
    days = of(result, metric).days
    own = {"d7": 7, "bold": None, "regular": 1}[metric]
    assert [d.day for d in days] == [d for d in DAYS if d != own]
    for day in days:
        assert shown(day) == recount(folder, metric, day.day), day.day


def test_the_day_of_the_metric_itself_is_the_same_count(folder: Path, result: Result) -> None:
    counts = recount(folder, "d7", 7)
    for arm in result.metric("d7").arms:
        assert arm.used == counts[arm.variant][0]
        assert arm.value == pytest.approx(counts[arm.variant][1] / counts[arm.variant][0], abs=1e-12)


def test_the_difference_has_the_score_interval(folder: Path, result: Result) -> None:
    for day in of(result, "d7").days:
        counts = recount(folder, "d7", day.day)
        (variant, effect), absolute = day.effects[0], day.effects[0][1].absolute
        (n1, x1), (n0, x0) = counts[variant], counts["control"]
        assert absolute is not None
        assert absolute.estimate == pytest.approx(x1 / n1 - x0 / n0, abs=1e-12)
        assert score_z((x1, n1), (x0, n0), absolute.low) == pytest.approx(Z, abs=1e-6)
        assert score_z((x1, n1), (x0, n0), absolute.high) == pytest.approx(-Z, abs=1e-6)
        assert not effect.band


def test_metrics_that_differ_in_their_days_share_the_others(result: Result) -> None:
    assert of(result, "w2").metrics == (("d7", 7, 7), ("w2", 7, 13), ("later", 7, None))
    assert len(result.retention) == 3


def test_json_round_trip(result: Result) -> None:
    assert Result.from_json(result.to_json()) == result
    assert result.retention
    assert "retention" not in json.loads(replace(result, retention=()).to_json())


def test_a_day_that_is_not_over_for_everybody_is_hidden_with_its_date(tmp_path: Path) -> None:
    result = abtest.run("kinds", project(tmp_path, end="2026-03-31"))
    days = {d.day: d for d in of(result, "d7").days}
    late = days[28]
    assert (late.status, late.reason, late.arms, late.effects) == ("no_test", "immature", (), ())
    last = max(datetime.fromisoformat(r["at"]).date() for r in table_of(tmp_path / "project", "flags.csv"))
    assert late.mature_on == (last + timedelta(days=28)).isoformat()
    assert days[14].status == "ok"
    assert "not over for everybody yet; from" in Page(render_html(result)).seen


def test_small_cells_are_hidden(folder: Path, tmp_path: Path) -> None:
    counts = recount(folder, "bold", 14)
    least = min(x for _, x in counts.values())
    assert least > 0
    for floor, reason in ((least, None), (least + 1, "small_cell")):
        result = abtest.run("kinds", project(tmp_path / str(floor), min_cell=floor))
        day = next(d for d in of(result, "bold").days if d.day == 14)
        assert day.reason == reason
        assert bool(day.arms) == (reason is None)


def test_read_early_there_are_bands_only(tmp_path: Path) -> None:
    made = project(tmp_path, end="2026-03-20")
    path = made / "experiments" / "kinds.yml"
    path.write_text(
        path.read_text("utf-8").replace("end: 2026-03-12", "enroll_until: 2026-03-12, end: 2026-03-29"), "utf-8"
    )
    result = abtest.run("kinds", made)
    assert not result.experiment.reached_end
    effects = [e for one in result.retention for d in one.days for _, e in d.effects]
    assert effects
    assert all(e.band or e.status == "no_test" for e in effects)
    assert all(e.p_value is None for e in effects)
    assert "bands that hold at every look" in Page(render_html(result)).seen


def test_the_rows_of_logs_are_counted_as_without_the_other_days(folder: Path, result: Result) -> None:
    kept = hidden.returns_of
    try:
        hidden.returns_of = lambda metrics: ()  # type: ignore[assignment]
        plain = abtest.run("kinds", folder)
    finally:
        hidden.returns_of = kept
    assert replace(result, retention=()) == plain


def test_other_clocks_and_units_have_no_days(folder: Path) -> None:
    metrics = [m for m in abtest.load(folder).metrics.values() if m.kind == "retention"]
    assert len(returns_of(metrics)) == 3
    assert returns_of([replace(metrics[0], unit="device")]) == ()


def test_where_clusters_were_randomised_they_are_what_is_compared(folder: Path, result: Result, tmp_path: Path) -> None:
    """Ten teams, each in one variant: the counts are those of units, the test is that of clusters."""
    made = project(tmp_path)
    people = [{**r, "team": f"t{r['uid'][-1]}{'ab'[int(r['uid']) % 2]}"} for r in table_of(made, "people.csv")]
    flags = [{**r, "variant": "ab"[int(r["uid"]) % 2]} for r in table_of(made, "flags.csv")]
    for name, rows in (("people.csv", people), ("flags.csv", flags)):
        with (made / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    text = (made / "abtest.yml").read_text("utf-8")
    (made / "abtest.yml").write_text(text.replace("{plan: plan}", "{plan: plan, team: team}"), "utf-8")
    path = made / "experiments" / "kinds.yml"
    path.write_text(path.read_text("utf-8").replace("unit: user\n", "unit: user\ncluster: people.team\n"), "utf-8")
    day = next(d for d in of(abtest.run("kinds", made), "d7").days if d.day == 14)
    assert shown(day) == recount(made, "d7", 14)
    assert "cluster" in day.effects[0][1].method
