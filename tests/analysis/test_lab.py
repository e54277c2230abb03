"""The lab and the preview counted again in plain Python, user by user, on a small random log."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from abtest.analysis.codec import decode, encode
from abtest.analysis.lab import Asked, run_lab
from abtest.analysis.past_model import LabResult, PreviewResult
from abtest.analysis.preview import run_preview
from abtest.analysis.sharing import engine_of
from abtest.analysis.states import Pairs
from abtest.language.project import load_project
from abtest.language.thresholds import lattice
from abtest.metrics.plan import Extent, make_plan
from abtest.problems import UserError
from abtest.reports.past_pages import past_html, past_text

START, DAYS = date(2026, 1, 5), 80
PROJECT = """
project: {name: lab, timezone: UTC, data: .}
sources:
  log:
    kind: events
    files: log.csv
    columns: {event: event, time: at}
    units: {user: user}
    complete_through: %s
events: {photo: photo, like: like, open: open}
metrics:
  engaged:
    did: photo >= 1 and like >= 2
    per: week
    over: first 14 days
    better: higher
  often: {did: "like >= 3", over: first 7 days, better: higher}
  steady: {did: "like >= 2", per: week, over: first 28 days, value: count >= 2, better: higher}
  likes: {amount: like, over: first 7 days, better: higher}
  long: {did: "like >= 2", over: first 200 days, better: higher}
  quiet: {did: no like, over: first 7 days, better: higher}
"""
Log = dict[str, list[tuple[date, str]]]


def make_log(seed: int = 7) -> Log:
    random.seed(seed)
    found: Log = {}
    for i in range(150):
        rate, first = random.random(), random.randrange(0, 50)
        rows = [(START + timedelta(days=first), "open")]
        for day in range(first, min(DAYS, first + random.choice((20, 35, 80)))):
            rows += [
                (START + timedelta(days=day), e)
                for e in ("photo", "like", "like", "open")
                if random.random() < rate / 2
            ]
        found[f"u{i}"] = rows
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    (folder / "abtest.yml").write_text(PROJECT % (START + timedelta(days=DAYS - 1)))
    lines = [f"{u},{e},{d} 10:00" for u, rows in make_log().items() for d, e in rows]
    random.Random(3).shuffle(lines)
    (folder / "log.csv").write_text("user,event,at\n" + "\n".join(lines) + "\n")
    return folder


def lab(root: Path, name: str, asked: Asked | None = None) -> LabResult:
    project = load_project(root)
    with engine_of(project, threads=1) as engine:
        return run_lab(engine, project, project.metrics[name], asked or Asked())


def preview(root: Path, name: str) -> PreviewResult:
    project = load_project(root)
    with engine_of(project, threads=1) as engine:
        return run_preview(engine, project, project.metrics[name])


def counted(rows: list[tuple[date, str]], first: int, last: int) -> Counter[str]:
    """Events of a user on days `first` to `last` after the first row."""
    entry = min(d for d, _ in rows)
    return Counter(e for d, e in rows if first <= (d - entry).days <= last)


def complete(rows: list[tuple[date, str]], last: int) -> bool:
    entry = min(d for d, _ in rows)
    return (entry - START).days + last <= DAYS - 1


def meets(n: Counter[str], photos: float, likes: float) -> bool:
    return n["photo"] >= photos and n["like"] >= likes


def test_every_cell_is_what_a_count_by_hand_gives(root: Path) -> None:
    found = lab(root, "engaged")
    assert found.stability == found.retention == "ok"
    assert len(found.cells) == 100
    log = [rows for rows in make_log().values() if complete(rows, 13)]
    assert found.history.used == len(log)
    followed = [rows for rows in log if complete(rows, 13 + 28)]
    for cell in found.cells:
        photos, likes = (a.values[i] for a, i in zip(found.axes, cell.place, strict=True))
        weeks = [(meets(counted(r, 0, 6), photos, likes), meets(counted(r, 7, 13), photos, likes)) for r in log]
        share = sum(a + b for a, b in weeks) / (2 * len(weeks))
        few = min(share, 1 - share) * len(log)
        if 0 < few < found.min_cell:
            assert cell.fits == "hidden"
            assert cell.prevalence is cell.mde is cell.stability is cell.came is None
            continue
        assert cell.prevalence == pytest.approx(share, abs=1e-12)
        assert cell.fits == ("rare" if share < 0.05 else "common" if share > 0.95 else "fits")
        inside = [b for a, b in weeks if a]
        if len(inside) >= found.min_cell:
            assert cell.stability is not None
            assert cell.stability.stays is not None
            assert cell.stability.stays.estimate == pytest.approx(sum(inside) / len(inside))
        back = [(meets(counted(r, 7, 13), photos, likes), bool(counted(r, 14, 41))) for r in followed]
        groups = {side: [b for a, b in back if a is side] for side in (True, False)}
        if min(map(len, groups.values())) >= found.min_cell:
            assert cell.came is not None
            assert cell.came.inside.estimate == pytest.approx(sum(groups[True]) / len(groups[True]))
            assert cell.came.outside.estimate == pytest.approx(sum(groups[False]) / len(groups[False]))
        else:
            assert cell.came is None


def test_the_change_that_would_be_found_is_the_textbook_one(root: Path) -> None:
    """(1.959964 + 0.841621) * sqrt(4 s^2 / n)."""
    cell = lab(root, "often").written
    log = [rows for rows in make_log().values() if complete(rows, 6)]
    p = sum(counted(r, 0, 6)["like"] >= 3 for r in log) / len(log)
    n = len(log)
    expected = 2.801585 * (4 * p * (1 - p) * n / (n - 1) / n) ** 0.5
    assert cell.mde == pytest.approx(expected, rel=1e-6)
    assert cell.mde_relative == pytest.approx(expected / p, rel=1e-6)


def test_a_single_yes_or_no_is_followed_into_the_next_window(root: Path) -> None:
    found = lab(root, "often")
    assert found.stability_how == "windows"
    log = [rows for rows in make_log().values() if complete(rows, 13)]
    pairs = [(counted(r, 0, 6)["like"] >= 3, counted(r, 7, 13)["like"] >= 3) for r in log]
    stays = found.written.stability and found.written.stability.stays
    assert stays is not None
    assert stays.estimate == pytest.approx(sum(b for a, b in pairs if a) / sum(a for a, _ in pairs))


def test_the_number_of_weeks_is_a_threshold_too(root: Path) -> None:
    found = lab(root, "steady")
    assert [a.what for a in found.axes] == ["like", "count"]
    log = [rows for rows in make_log().values() if complete(rows, 27)]
    share = sum(sum(counted(r, 7 * k, 7 * k + 6)["like"] >= 2 for k in range(4)) >= 2 for r in log) / len(log)
    assert found.written.prevalence == pytest.approx(share)


def test_suggestions_follow_their_rules(root: Path) -> None:
    found = lab(root, "engaged")
    fitting = [c for c in found.cells if c.fits == "fits"]
    best = next(s for s in found.suggestions if s.rule == "smallest_change")
    chosen = next(c for c in found.cells if c.place == best.place)
    least = min(c.mde_relative for c in fitting if c.mde_relative)
    assert chosen in fitting
    assert chosen.mde_relative is not None
    assert chosen.mde_relative <= least / 0.99
    photos, likes = (a.values[i] for a, i in zip(found.axes, best.place, strict=True))
    assert best.lines == (f"did: photo >= {photos:g} and like >= {likes:g}",)


def test_a_preview_is_what_a_count_by_hand_gives(root: Path) -> None:
    found = preview(root, "likes")
    log = [rows for rows in make_log().values() if complete(rows, 6)]
    values = [counted(r, 0, 6)["like"] for r in log]
    mean = sum(values) / len(values)
    assert found.mean is not None
    assert found.mean.estimate == pytest.approx(mean)
    assert found.sd == pytest.approx((sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5)
    assert found.mature_days == 7
    assert sum(s.share for s in found.spread) == pytest.approx(1.0)
    other = next(c for c in found.correlates if c.key == "often")
    yes = [float(v >= 3) for v in values]
    share = sum(yes) / len(yes)
    below = (sum((v - mean) ** 2 for v in values) * sum((y - share) ** 2 for y in yes)) ** 0.5
    above = sum((v - mean) * (y - share) for v, y in zip(values, yes, strict=True))
    assert other.r.estimate == pytest.approx(above / below)


def test_what_adjustment_takes_out_is_counted_by_hand(root: Path) -> None:
    """Of 80 days, 28 come before entry (adjustment looks back 28) and 52 are left: 7 for the window, 4 weeks and more."""
    found = preview(root, "likes")
    start = START + timedelta(days=28)
    pairs = []
    for rows in make_log().values():
        entry = min((d for d, _ in rows if d >= start), default=None)
        if entry is None or (START + timedelta(days=DAYS - 1) - entry).days < 6:
            continue
        after = sum(e == "like" and 0 <= (d - entry).days < 7 for d, e in rows)
        before = sum(e == "like" and 0 < (entry - d).days <= 28 for d, e in rows)
        pairs.append((after, before))
    y, x = np.array(pairs, dtype=float).T
    n = len(pairs)
    # One slope is taken from both of two arms that are alike, n units each.
    kept = (1.0 - np.corrcoef(x, y)[0, 1] ** 2) * (2 * n - 2) / (2 * n - 3)
    assert found.kept_from == start.isoformat()
    assert found.kept == pytest.approx(kept, rel=1e-9)
    assert kept < 0.95
    for m in found.mde:
        assert m.adjusted == pytest.approx(m.absolute * kept**0.5)
        assert m.adjusted_relative == pytest.approx((m.relative or 0.0) * kept**0.5)
    text = past_text(found)
    assert "Adjusted, of the mean" in text
    assert f"{100 * kept:.1f}% of the" in text.replace("\n ", "")


def test_without_adjustment_there_is_no_column_of_it(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "plain")
    told = (tmp_path / "plain" / "abtest.yml").read_text().replace("data: .}", "data: ., default_adjust: none}")
    (tmp_path / "plain" / "abtest.yml").write_text(told)
    found = preview(tmp_path / "plain", "likes")
    assert found == replace(
        preview(root, "likes"),
        kept=None,
        kept_from=None,
        mde=tuple(replace(m, adjusted=None, adjusted_relative=None) for m in preview(root, "likes").mde),
    )
    assert "Adjusted, of the mean" not in past_text(found)


def test_nobody_enters_on_a_day_of_which_the_log_tells_only_a_part(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "more")
    after = START + timedelta(days=DAYS)
    with (tmp_path / "more" / "log.csv").open("a") as log:
        log.write(f"late,like,{after} 10:00\n")
    assert preview(tmp_path / "more", "likes") == preview(root, "likes")


def test_the_weeks_of_a_preview_are_those_in_which_periods_began(root: Path) -> None:
    found = preview(root, "engaged")
    assert found.weeks_by == "period"
    expected: dict[str, list[bool]] = {}
    for rows in make_log().values():
        if not complete(rows, 13):
            continue
        entry = min(d for d, _ in rows)
        for k in (0, 7):
            begun = entry + timedelta(days=k)
            monday = (begun - timedelta(days=begun.weekday())).isoformat()
            expected.setdefault(monday, []).append(meets(counted(rows, k, k + 6), 1, 2))
    assert [w.monday for w in found.weeks] == sorted(expected)
    for week in found.weeks:
        held = expected[week.monday]
        if len(held) < found.min_cell:
            assert week.value is None
        else:
            assert week.value is not None
            assert (week.number, week.value.estimate) == (len(held), pytest.approx(sum(held) / len(held)))


def test_phi_is_the_correlation_of_two_answers() -> None:
    """Of ten users: both 4, first 1, second 2, neither 3: (12 - 2) / sqrt(5 * 5 * 6 * 4)."""
    assert Pairs(4, 1, 2, 3).agreement == pytest.approx(10 / 600**0.5)
    assert Pairs(4, 0, 2, 0).agreement is None


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [("likes", 2, "likes has no threshold to move"), ("quiet", 2, "quiet has no threshold"), ("long", 3, "is shorter than its window")],
)  # fmt: skip
def test_what_cannot_be_looked_at_is_said_in_a_sentence(root: Path, name: str, code: int, said: str) -> None:
    with pytest.raises(UserError) as caught:
        lab(root, name)
    assert caught.value.exit_code == code
    assert said in str(caught.value.problems[0])


def test_without_28_more_days_there_is_no_retention_and_it_is_told(root: Path) -> None:
    found = lab(root, "engaged", Asked(end=START + timedelta(days=30)))
    assert found.retention == "too_short"
    assert found.written.came is None
    assert "it needs 28 more days of log" in past_text(found)


def test_results_go_through_json_and_give_the_same_bytes_again(root: Path) -> None:
    for found, kind in ((lab(root, "engaged"), LabResult), (preview(root, "engaged"), PreviewResult)):
        assert decode(encode(found), kind) == found
    assert past_html(lab(root, "engaged")) == past_html(lab(root, "engaged"))


@pytest.mark.parametrize("language", ["en", "nl"])
@pytest.mark.parametrize("name", ["engaged", "often", "steady", "likes", "quiet"])
def test_pages_hold_no_ids_and_no_open_slots(root: Path, name: str, language: str) -> None:
    results = [preview(root, name), *([lab(root, name)] if name not in ("likes", "quiet") else [])]
    for found in results:
        page = past_html(found, language)
        assert not any(f">{u}<" in page or f'"{u}"' in page for u in make_log())
        text = past_text(found, language)
        assert "{" not in text
        assert "None" not in text


def test_a_hundred_definitions_need_the_counters_of_one(root: Path) -> None:
    """The log is read for likes and photos per user and day, however many definitions are made of them."""
    project = load_project(root)
    grid = lattice(project.metrics["engaged"])
    assert grid is not None
    metrics = [replace(c.metric, name=f"c{i}") for i, c in enumerate(grid.cells)]
    one, many = (make_plan(m, project.events, {"log": Extent(0, 80)}) for m in (metrics[:1], metrics))
    assert many.counters == one.counters
    assert many.chains == one.chains


def test_a_preview_of_fewer_than_may_be_shown_is_refused(tmp_path: Path) -> None:
    (tmp_path / "abtest.yml").write_text(PROJECT % (START + timedelta(days=DAYS - 1)))
    for users in (1, 9, 10):
        lines = [f"u{i},like,{START} 10:00" for i in range(users)]
        (tmp_path / "log.csv").write_text("user,event,at\n" + "\n".join(lines) + "\n")
        if users < 10:
            with pytest.raises(UserError, match="E524 likes cannot be previewed: fewer units"):
                preview(tmp_path, "likes")
    assert preview(tmp_path, "likes").history.used == 10


def test_an_empty_log_is_called_by_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "abtest.yml").write_text(PROJECT % (START + timedelta(days=DAYS - 1)))
    (tmp_path / "log.csv").write_text("user,event,at\n")
    with pytest.raises(UserError, match=r"E501 source log: log\.csv holds no rows"):
        preview(tmp_path, "likes")
