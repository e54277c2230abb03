"""Every entry of the catalogue says something about the demo: none holds for nearly nobody or nearly everybody.

A definition that fits fewer than 5 % or more than 95 % of the units cannot tell variants apart. What is counted depends
on what the entry says of one unit; all of it is read from the table of unit values, before any statistics:

- yes or no: the share of units that are a yes, among those it is about;
- a share of blocks (weeks, days) or of a ratio: the mean, between 5 % and 95 %, and the share of units that have it ever, at
  least 5 % (all may: a visit in some week is what exposed them);
- an amount (a count, a sum, a time, a rank): at least 5 % of units stand above its lowest value, and no one value
  holds for more than 95 % of them;
- a survey: the share of exposed units that answered, and of its answers no one is given by more than 95 %;
- a group: each of its levels or cells that have advice, as a yes or no or a share; and in a cross with answers, those
  whose cell is not known.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from abtest.analysis.prepare import prepare
from abtest.analysis.sharing import engine_of
from abtest.demo import write_demo
from abtest.language.catalogue import SECTIONS, entries
from abtest.language.model import Metric, Project
from abtest.language.project import read_project

LOW, HIGH = 0.05, 0.95
OVERRIDES = {"reading_time": ", events: {article_read: reading}"}
"""The app log has no seconds of reading; another log has them, a row for the reading of a day."""
USERS = 6_000
"""Of the 20,000 of the demo, for time; a share near 5 % is then known to 0.3 points."""
MAP = "catalogue: {events: {purchase: order, purchase.revenue: revenue}}"
"""What is bought in the app alone is a part; `order` is all."""
EXCEPTIONS = {
    "reading_habit": "4.8 % of weeks: the criterion stands word for word in the mission, and 10 % ever meet it",
}
OF_GROUPS = {"brand_promise", "brand_knowledge", "brand_trust", "need_belonging", "need_esteem", "need_growth"}
"""Surveys that no metric asks for by itself: the levels of their groups say whether they tell anything."""
START = """  start:
    kind: exposures
    files: start.csv
    columns: {flag: flag, variant: variation, time: evaluated_at}
    units: {user: user_id}
"""
EXPERIMENT = """
experiment: {name}
title: All entries
owner: tests
hypothesis: Each says something.
unit: user
exposure: {{source: {source}, flag: {flag}}}
variants:
  control: {{key: off, share: 50%}}
  composer: {{key: v3, share: 50%}}
baseline: control
dates: {{start: {start}, enroll_until: {until}, end: 2026-04-05}}
mixed_exposure: drop
metrics:
  goal: [{goal}]
  explore: [{metrics}]
"""


@dataclass(frozen=True)
class Seen:
    """Of one metric, over the exposed units: how many there are, for how many it is known, the overall value, shares of
    the known above zero and above the lowest value, and of the most common value; whether it is only ever 0 or 1."""

    units: int
    known: int
    mean: float
    positive: float
    above: float
    common: float
    binary: bool


def cells(project: Project) -> dict[str, tuple[str, str]]:
    """A metric for each advised level or cell of each group: name -> (group, cell)."""
    return {
        f"cell_{number}_{place}": (name, cell)
        for number, (name, group) in enumerate(project.groups.items())
        for place, cell in enumerate(c for c, _ in group.advice if c != "unknown")
    }


def of_cells(wanted: dict[str, tuple[str, str]], over: str) -> str:
    lines = [f"  {n}: {{group: {g}, is: {c}, over: {over}, better: higher}}" for n, (g, c) in wanted.items()]
    return "metrics:\n" + "\n".join(lines) + "\n"


def seen(project: Project, experiment: str) -> dict[str, Seen]:
    found = {}
    with engine_of(project) as engine:
        metrics = tuple(project.metrics[u.name] for u in project.experiments[experiment].metrics)
        ready = prepare(engine, project, project.experiments[experiment], lambda _: None, metrics)
        values = ready.values(engine, ready.plan(project.timezone))
        for metric in metrics:
            v = values.value[metric.name]
            w = values.denominator.get(metric.name, f"(CASE WHEN {v} IS NOT NULL THEN 1 END)")
            (row,) = engine.rows(
                f"SELECT count(*), count(v) FILTER (WHERE w > 0), sum(v) / sum(w), avg((v > 0)::INT) FILTER (WHERE w > 0), "
                f"avg((q > low)::INT), max(often), bool_and(v IN (0, 1)) FROM (SELECT *, min(q) OVER () AS low, "
                f"(count(*) OVER (PARTITION BY q)) / (count(q) OVER ()) * (q IS NOT NULL)::INT AS often FROM "
                f"(SELECT {v} AS v, {w} AS w, CASE WHEN {w} > 0 THEN {v} / {w} END AS q FROM {values.table}))"
            )
            found[metric.name] = Seen(*row)
    return found


def catalogue(folder: Path) -> Project:
    """The demo's logs, with every entry of the catalogue in place of the demo's own metrics.

    The groups' levels and cells come as metrics of their own. Recency, frequency and value are told over eight weeks,
    so they are judged from the first day of the log on, in an experiment in which nothing was done.
    """
    write_demo(folder, users=USERS)
    for name in ("metrics", "experiments"):
        shutil.rmtree(folder / name)
        (folder / name).mkdir()
    project = folder / "abtest.yml"
    text = project.read_text("utf-8").replace("project:\n", f"project:\n  {MAP}\n", 1)
    project.write_text(text.replace("sources:\n", f"sources:\n{START}", 1), "utf-8")
    lines = []
    for section in SECTIONS:
        own = OVERRIDES if section == "metrics" else {}
        lines += [f"{section}:", *(f"  {n}: {{uses: abtest/{n}{own.get(n, '')}}}" for n in entries(section))]
    (folder / "metrics" / "all.yml").write_text("\n".join([*lines, ""]), "utf-8")
    people = (line.split(";") for line in (folder / "exports/users.csv").read_text("utf-8").splitlines()[1:])
    began = [p[0] for p in people if p[-1] < "2026-02-02" and len(p[0]) == len("u1000000")]
    rows = (f"2026-02-02T00:00:00+01:00,start,{'off' if i % 2 else 'v3'},{user}\n" for i, user in enumerate(began))
    (folder / "exports" / "start.csv").write_text("evaluated_at,flag,variation,user_id\n" + "".join(rows), "utf-8")
    wanted = cells(read_project(folder)[0])
    early = {n: c for n, c in wanted.items() if c[0] == "rfm"}
    late = {n: c for n, c in wanted.items() if c[0] != "rfm"}
    (folder / "metrics" / "late.yml").write_text(of_cells(late, "first 28 days"), "utf-8")
    (folder / "metrics" / "early.yml").write_text(of_cells(early, "first 56 days"), "utf-8")
    for name, found, dates in (
        ("flags", [*entries(), *late], {"flag": "composer-v3", "start": "2026-03-02", "until": "2026-03-08"}),
        ("start", list(early), {"flag": "start", "start": "2026-02-02", "until": "2026-02-08"}),
    ):
        said = EXPERIMENT.format(name=name, source=name, goal=found[0], metrics=", ".join(found[1:]), **dates)
        (folder / "experiments" / f"{name}.yml").write_text(said, "utf-8")
    done, problems = read_project(folder)
    assert [p for p in problems.found if p.severity == "error"] == []
    return done


@dataclass(frozen=True)
class Measured:
    project: Project
    seen: dict[str, Seen]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    project = catalogue(tmp_path_factory.mktemp("prevalence") / "demo")
    return Measured(project, seen(project, "flags") | seen(project, "start"))


def complaint(metric: Metric, s: Seen) -> str:
    """What is wrong with the prevalence of one metric; empty if nothing is."""
    shares = {"known": s.known / s.units, "most common value": s.common}
    if s.binary:
        shares["yes"] = s.mean
    elif metric.unit_of_value == "share":
        shares |= {"mean": s.mean, "ever": s.positive}
    else:
        shares["above the lowest"] = s.above
    # Nearly all may be known, may do it at some time, or have more than the least; and no value need be common.
    only_low, only_high = {"ever", "above the lowest"}, {"most common value"}
    if metric.survey is None:
        only_low.add("known")
    wrong = [
        f"{what} {share:.3f}"
        for what, share in shares.items()
        if (share < LOW and what not in only_high) or (share > HIGH and what not in only_low)
    ]
    return ", ".join(wrong)


def test_every_entry_is_measured(measured: Measured) -> None:
    assert set(entries()) <= set(measured.seen)
    for name in entries("surveys"):
        assert any(m.survey == name for m in measured.project.metrics.values()) or name in OF_GROUPS, name
    assert {g for g, _ in cells(measured.project).values()} == set(entries("groups"))


def test_no_entry_holds_for_nearly_nobody_or_nearly_everybody(measured: Measured) -> None:
    found = {n: complaint(measured.project.metrics[n], s) for n, s in measured.seen.items() if n in entries()}
    assert {n: w for n, w in found.items() if w and n not in EXCEPTIONS} == {}
    assert {n for n in EXCEPTIONS if found[n]} == set(EXCEPTIONS)  # none is excused that needs no excuse


def test_each_level_and_cell_that_has_advice_is_somebody_s(measured: Measured) -> None:
    names = cells(measured.project)
    found = {names[n]: complaint(measured.project.metrics[n], s) for n, s in measured.seen.items() if n in names}
    assert {n: w for n, w in found.items() if w} == {}


def test_somebody_is_unknown_where_a_cell_needs_an_answer(measured: Measured) -> None:
    names = {cell: n for n, cell in cells(measured.project).items()}
    for group, cell in (("fan", "FAN"), ("say_do", "SD")):
        s = measured.seen[names[group, cell]]
        assert LOW < 1 - s.known / s.units < HIGH, group


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ((0.049, 0.049, 0.951, True), True),
        ((0.051, 0.051, 0.949, True), False),
        ((0.951, 0.951, 0.951, True), True),
        ((9.0, 1.0, 0.951, False), True),
    ],
)
def test_the_measure_finds_what_is_too_rare_or_too_common(
    values: tuple[float, float, float, bool], wrong: bool, measured: Measured
) -> None:
    mean, positive, common, binary = values
    metric = measured.project.metrics["buyers" if binary else "l28"]
    assert bool(complaint(metric, Seen(1000, 1000, mean, positive, positive, common, binary))) is wrong
