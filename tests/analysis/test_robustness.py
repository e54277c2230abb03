"""Definitions close to a goal: counted by hand, the same as if each were the goal itself, and what is concluded."""

from __future__ import annotations

import csv
import json
import random
import re
from dataclasses import astuple, replace
from datetime import date, timedelta
from pathlib import Path

import pytest

import abtest
from abtest.analysis import run as analysis_run
from abtest.analysis.result import NearbyCell, Result, Robustness
from abtest.language.conditions import Compare
from abtest.language.expressions import parse_condition
from abtest.language.model import Metric, Window
from abtest.language.project import load_project
from abtest.metrics.nearby import nearby_of
from abtest.reports.html import render_html
from abtest.reports.robustness import _kind

START = date(2026, 3, 2)
PROJECT = """
project: {name: near, timezone: UTC, data: ., default_adjust: ADJUST, privacy: {min_cell: MIN}}
sources:
  log:
    kind: events
    files: log.csv
    columns: {event: event, time: at}
    units: {user: user}
    complete_through: 2026-04-30
  flags:
    kind: exposures
    files: flags.csv
    columns: {variant: variant, time: at}
    units: {user: user}
  people:
    kind: attributes
    files: people.csv
    units: {user: user}
    properties: {plan: plan}
events: {like: like, open: open}
metrics:
  fans: {DEFINITION, over: first 7 days, better: higher, owner: me, description: d}
  before: {amount: like, over: before 28 days}
  opens: {amount: open, over: first 7 days, better: higher, margin: 20%, owner: me, description: d}
"""
EXPERIMENT = """
experiment: x
unit: user
owner: me
hypothesis: h
exposure: {source: flags}
variants: VARIANTS
baseline: a
dates: {start: 2026-03-02, end: 2026-03-29}
AS_OF
metrics: {goal: [fans], guardrail: [opens]}
plan: {alpha: ALPHA, METHOD}
"""
LIKES = {"a": (3, 1, 1, 1, 1, 1, 2, 1), "b": (3, 1, 0, 1, 5, 1, 0, 0), "c": (2, 1, 1, 1, 1, 1, 2, 2)}
"""How often a user of each variant has 0, 1, 2, ... likes: b has as many with one or two, more with three or four, and fewer with
five."""


def project(
    folder: Path,
    *,
    people: int = 3000,
    variants: str = "ab",
    definition: str = "did: like >= 3",
    alpha: float = 0.05,
    method: str = "method: fixed",
    adjust: str = "none",
    min_cell: int = 1,
    as_of: str = "",
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    words = {"ADJUST": adjust, "MIN": str(min_cell), "DEFINITION": definition}
    (folder / "abtest.yml").write_text(re.sub("ADJUST|MIN|DEFINITION", lambda m: words[m[0]], PROJECT), "utf-8")
    shares = ", ".join(f"{v}: {{key: {v}}}" for v in variants)
    words = {"VARIANTS": f"{{{shares}}}", "ALPHA": f"{100 * alpha:.12g}%", "METHOD": method, "AS_OF": as_of}
    (folder / "experiments").mkdir(exist_ok=True)
    text = re.sub("VARIANTS|ALPHA|METHOD|AS_OF", lambda m: words[m[0]], EXPERIMENT)
    (folder / "experiments" / "x.yml").write_text(text, "utf-8")
    draw = random.Random(11)
    log, flags, about = [("user", "event", "at")], [("user", "variant", "at")], [("user", "plan")]
    for i in range(people):
        user, variant = f"u{i}", variants[i % len(variants)]
        entered = START + timedelta(days=draw.randrange(14))
        flags.append((user, variant, f"{entered}T09:00:00"))
        about.append((user, draw.choice(("free", "paid"))))
        likes = draw.choices(range(8), LIKES[variant])[0]
        days = [entered + timedelta(days=draw.randrange(7)) for _ in range(likes)]
        log += [(user, "like", f"{day}T10:00:00") for day in days]
        if draw.random() < likes / 8:
            log.append((user, "like", f"{entered - timedelta(days=1 + draw.randrange(20))}T10:00:00"))
        log.append((user, "open", f"{entered}T10:00:00"))
    log.append(("nobody", "open", "2026-01-01T00:00:00"))
    for name, rows in (("log", log), ("flags", flags), ("people", about)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
    return folder


def recount(folder: Path, least: int, plan: str | None = None) -> dict[str, tuple[int, int]]:
    """Units per variant, and those with at least so many likes in the seven days from exposure."""

    def rows(name: str) -> list[dict[str, str]]:
        with (folder / f"{name}.csv").open(encoding="utf-8") as file:
            return list(csv.DictReader(file))

    likes: dict[str, list[date]] = {}
    for row in rows("log"):
        if row["event"] == "like":
            likes.setdefault(row["user"], []).append(date.fromisoformat(row["at"][:10]))
    plans = {r["user"]: r["plan"] for r in rows("people")}
    found: dict[str, tuple[int, int]] = {}
    for row in rows("flags"):
        if plan is not None and plans[row["user"]] != plan:
            continue
        first = date.fromisoformat(row["at"][:10])
        count = sum(first <= d < first + timedelta(days=7) for d in likes.get(row["user"], []))
        n, yes = found.get(row["variant"], (0, 0))
        found[row["variant"]] = (n + 1, yes + (count >= least))
    return found


def only(result: Result) -> Robustness:
    (found,) = result.robustness
    return found


def cell(result: Result, label: str) -> NearbyCell:
    return next(c for c in only(result).cells if c.label == label)


def section(result: Result, language: str = "en") -> str:
    html = render_html(result, language=language)
    found = re.search(r'<section id="robustness".*?</section>', html, re.S)
    return "" if found is None else re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", found[0]))


@pytest.fixture(scope="module")
def flipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = project(tmp_path_factory.mktemp("near") / "p")
    return folder, abtest.run("x", folder)


def test_every_definition_is_a_count_of_the_file(flipped: tuple[Path, Result]) -> None:
    folder, result = flipped
    assert [c.label for c in only(result).cells] == ["like >= 1", "like >= 2", "like >= 4", "like >= 5"]
    for c in only(result).cells:
        counts = recount(folder, int(c.value))
        assert {a.variant: (a.used, a.value) for a in c.arms} == {
            v: (n, pytest.approx(yes / n, abs=1e-12)) for v, (n, yes) in counts.items()
        }


def test_the_conclusion_flips(flipped: tuple[Path, Result]) -> None:
    _, result = flipped
    assert result.metric("fans").comparisons[0].state == "better"
    assert {c.label: c.comparisons[0].state for c in only(result).cells} == {
        "like >= 1": "unclear",
        "like >= 2": "unclear",
        "like >= 4": "better",
        "like >= 5": "worse",
    }
    text = section(result)
    assert "Fans: the conclusion flips to worse if like &gt;= 5." in text
    assert "Fans: Better as written, and no longer clear if like &gt;= 1 or like &gt;= 2." in text
    assert "de conclusie slaat om naar slechter bij like &gt;= 5." in section(result, "nl")
    # Labels of what is looked at afterwards change no verdict.
    plain = replace(result, robustness=())
    assert plain.decision == result.decision
    assert 'id="robustness"' not in render_html(plain)


def test_without_it_everything_else_is_the_same(flipped: tuple[Path, Result]) -> None:
    folder, result = flipped
    loaded = load_project(folder)
    plain = analysis_run.analyse(loaded, loaded.experiments["x"], iterations=False)
    assert plain.robustness == ()
    assert replace(result, robustness=(), provenance=plain.provenance) == plain


VARIETIES = {
    "plain": ("did: like >= 3", "did: like >= 4", "like >= 4"),
    "two numbers": ("did: like >= 3 and open >= 1", "did: like >= 4 and open >= 1", "like >= 4"),
    "of some": ("did: like >= 3, among: plan = free", "did: like >= 4, among: plan = free", "like >= 4"),
    "of some before": (
        "did: like >= 3, among: (like >= 1) before 28 days",
        "did: like >= 4, among: (like >= 1) before 28 days",
        "like >= 4",
    ),
    "adjusted": ("did: like >= 3, adjust: [before]", "did: like >= 4, adjust: [before]", "like >= 4"),
    "stratified": ("did: like >= 3, adjust: [people.plan]", "did: like >= 4, adjust: [people.plan]", "like >= 4"),
    "days": ("did: like on 2 days", "did: like on 3 days", "on 3 days"),
    "weeks": ("did: like >= 2, per: day, value: count", "did: like >= 3, per: day, value: count", "like >= 3"),
    "a fold": (
        "did: like >= 1, per: day, value: count >= 2",
        "did: like >= 1, per: day, value: count >= 3",
        "count >= 3",
    ),
}


@pytest.mark.parametrize("name", VARIETIES)
def test_a_cell_is_what_the_goal_would_be(name: str, tmp_path: Path) -> None:
    """With the covariates that the goal has, in its population, at the level of the neighbourhood."""
    written, other, label = VARIETIES[name]
    first = abtest.run("x", project(tmp_path / "a", people=1200, definition=written, alpha=0.1))
    near = only(first)
    assert near.alpha == pytest.approx(0.1 / near.compared)
    assert near.compared == len(near.cells)
    second = abtest.run("x", project(tmp_path / "b", people=1200, definition=other, alpha=0.1 / near.compared))
    goal, found = second.metric("fans"), cell(first, label)
    assert found.arms == goal.arms
    mine, theirs = found.comparisons[0], goal.comparisons[0]
    assert (mine.method, mine.p_value) == (theirs.method, theirs.p_value)
    for own, other_own in ((mine.absolute, theirs.absolute), (mine.relative, theirs.relative)):
        assert own is not None
        assert other_own is not None
        # The level goes through the text of a file, which costs the last digits.
        assert astuple(own) == pytest.approx(astuple(other_own), rel=1e-9)


def test_several_treatments_share_one_level(tmp_path: Path) -> None:
    result = abtest.run("x", project(tmp_path, variants="abc"))
    near = only(result)
    assert near.compared == 8
    assert all([c.variant for c in one.comparisons] == ["b", "c"] for one in near.cells)
    text = section(result)
    assert "Fans (B): the conclusion flips to worse if like &gt;= 5." in text


@pytest.mark.parametrize(
    ("method", "as_of", "says"),
    [
        ("method: fixed", "as_of: 2026-03-20", "read before the planned end, so nothing is concluded"),
        ("method: group_sequential, looks: 3", "", "which are wider, so they have no labels"),
        ("method: group_sequential, looks: 3", "as_of: 2026-03-18", "which are wider, so they have no labels"),
        ("method: sequential", "", None),
        ("method: hybrid", "", None),
    ],
)
def test_what_is_concluded_by_each_method(method: str, as_of: str, says: str | None, tmp_path: Path) -> None:
    result = abtest.run("x", project(tmp_path, method=method, as_of=as_of))
    near, text = only(result), section(result)
    assert near.concluded is (says is None)
    if says is None:
        assert "the conclusion flips to worse if like &gt;= 5." in text
    else:
        assert says in text
        assert "flips" not in text
    if not near.concluded or method == "method: sequential":
        fixed = only(abtest.run("x", project(tmp_path / "f", as_of=as_of)))
        for mine, theirs in zip(near.cells, fixed.cells, strict=True):
            own = mine.comparisons[0].always_valid_absolute
            plain = theirs.comparisons[0].absolute
            assert own is not None
            assert plain is not None
            assert (own.low or 0.0) < (plain.low or 0.0)  # the band holds at every look, so it is wider


def test_a_plan_that_believes_shows_none(tmp_path: Path) -> None:
    result = abtest.run("x", project(tmp_path, people=600, method="method: bayesian"))
    assert result.robustness == ()
    assert section(result) == ""


def test_differences_of_few_units_are_hidden(tmp_path: Path) -> None:
    """b has next to nobody with exactly five likes, so those with at least six would tell who has five."""
    shown = abtest.run("x", project(tmp_path / "a", people=300, definition="did: like >= 5", min_cell=1))
    hidden = abtest.run("x", project(tmp_path / "b", people=300, definition="did: like >= 5", min_cell=20))
    assert all(c.status == "ok" for c in only(shown).cells)
    last = {v: yes for v, (_, yes) in recount(tmp_path / "a", 5).items()}
    for side in ((4, 3), (6, 7)):
        before = dict(last)
        for least in side:
            counts = recount(tmp_path / "a", least)
            few = any(
                0 < abs(yes - before[v]) < 20 or 0 < yes < 20 or 0 < n - yes < 20 for v, (n, yes) in counts.items()
            )
            one = cell(hidden, f"like >= {least}")
            assert (one.status, one.reason, one.arms) == (
                ("no_test", "small_cell", ()) if few else ("ok", None, one.arms)
            )
            before = before if few else {v: yes for v, (_, yes) in counts.items()}
    assert any(c.reason == "small_cell" for c in only(hidden).cells)
    assert "hidden: fewer than 20 units differ" in section(hidden)


def test_json(flipped: tuple[Path, Result]) -> None:
    _, result = flipped
    assert Result.from_json(result.to_json()) == result
    assert "robustness" not in json.loads(replace(result, robustness=()).to_json())


def test_a_number_that_nobody_wrote_moves_nothing() -> None:
    def goal(text: str) -> Metric:
        return Metric("m", "did", condition=parse_condition(text), window=Window(0, 6))

    assert nearby_of([goal("like")]) == ()
    assert nearby_of([goal("like and no open")]) == ()
    found = nearby_of([goal("like and open >= 2")])
    assert [c.label for c in found[0].cells] == ["open >= 1", "open >= 3", "open >= 4"]
    # The rest of the definition stays.
    for c in found[0].cells:
        assert isinstance(c.metric.condition, type(goal("like and open").condition))
        like, opened = c.metric.condition.parts  # type: ignore[union-attr]
        assert str(like) == str(parse_condition("like"))
        assert isinstance(opened, Compare)


@pytest.mark.parametrize(
    ("written", "state", "alone", "kind"),
    [
        ("better", "better", "better", "same"),
        ("better", "worse", "worse", "flips_worse"),
        ("worse", "better", "better", "flips_better"),
        ("better", "unclear", "unclear", "lost"),
        ("better", "unclear", "better", "several"),
        ("better", "unclear", "worse", "lost"),
        ("unclear", "unclear", "better", "same"),
        ("unclear", "better", "better", "becomes_better"),
        ("flat", "worse", "worse", "becomes_worse"),
        ("unclear", "unclear", "unclear", "same"),
    ],
)
def test_what_another_definition_does(written: str, state: str, alone: str, kind: str) -> None:
    assert _kind(written, state, alone) == kind
