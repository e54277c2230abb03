"""Every kind of metric from files to result: a row with a status each, numbers counted a second time, same bytes."""

from __future__ import annotations

import csv
import filecmp
import json
import re
from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest

import abtest
from abtest.analysis.result import MetricResult, Result
from abtest.language.project import load_project
from abtest.problems import UserError
from abtest.reports.write import render, write_outputs
from abtest.stats.quantiles import quantile_of
from tests.analysis.kinds import NAMES, PROJECT, write_project
from tests.command import abtest as command

DAYS = 14


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("kinds") / "project")


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    return abtest.run("kinds", folder)


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def exposed(folder: Path) -> dict[str, tuple[str, datetime]]:
    return {r["uid"]: (r["variant"], datetime.fromisoformat(r["at"])) for r in rows(folder, "flags.csv")}


def in_window(row: dict[str, str], start: datetime, days: int = DAYS) -> bool:
    at = datetime.fromisoformat(row["at"])
    return at >= start and (at.date() - start.date()).days < days


def value(metric: MetricResult, variant: str = "control") -> float | None:
    return next(a.value for a in metric.arms if a.variant == variant)


def test_every_metric_has_a_row_and_a_status(result: Result) -> None:
    assert [m.key for m in result.metrics if m.part_of is None] == ["weeks", "load_p90", *(n for n in NAMES if n not in ("weeks", "load_p90"))]  # fmt: skip
    for metric in result.metrics:
        assert metric.comparisons[0].status == "ok" or metric.comparisons[0].reason, metric.key
        assert all(a.exposed == a.used + a.immature + a.missing for a in metric.arms), metric.key
    tested = [m.key for m in result.metrics if m.comparisons[0].status == "ok"]
    assert len(tested) > 45


def test_parts_come_with_their_metric(result: Result) -> None:
    found: dict[str, list[str]] = {}
    for metric in result.with_role("part"):
        assert metric.part_of is not None
        found.setdefault(metric.part_of, []).append(metric.key.partition(".")[2])
    assert found["checkout"] == ["saw", "added"]
    assert found["rank"] == ["super", "regular", "explorer", "dormant", "moved_up", "moved_down"]
    assert found["cells"] == ["FAN", "FA_", "F_N", "_AN", "F__", "_A_", "__N", "___", "known"]
    assert found["nps"] == ["answered"]
    assert found["fans"] == ["known"]
    steps = [value(result.metric(f"checkout.{s}")) or 0 for s in ("saw", "added")] + [
        value(result.metric("checkout")) or 0
    ]
    assert steps[0] > steps[1] > steps[2] > 0
    rungs = [value(result.metric(f"rank.{r}")) or 0 for r in ("super", "regular", "explorer", "dormant")]
    assert sum(rungs) == pytest.approx(1)
    assert value(result.metric("rank")) == pytest.approx(3 * rungs[0] + 2 * rungs[1] + rungs[2])
    cells = [value(result.metric(f"cells.{c}")) or 0 for c in found["cells"] if c != "known"]
    assert sum(cells) == pytest.approx(1)


def test_surveys_are_counted_by_hand(result: Result, folder: Path) -> None:
    units = exposed(folder)
    scores, trust, answered = [], [], 0
    for row in rows(folder, "form.csv"):
        variant, start = units[row["uid"]]
        if variant == "a" and in_window(row, start):
            answered += 1
            code = int(row["q1"])
            scores.append(100 if code >= 9 else -100 if code <= 6 else 0)
            trust.append((int(row["q2"]) + int(row["q3"]) + 6 - int(row["q4"])) / 3)
    control = next(a for a in result.metric("nps").arms if a.variant == "control")
    assert (control.used, control.value) == (answered, pytest.approx(sum(scores) / len(scores)))
    assert value(result.metric("trust")) == pytest.approx(sum(trust) / len(trust))
    everybody = sum(v == "a" for v, _ in units.values())
    assert value(result.metric("nps.answered")) == pytest.approx(answered / everybody)


def test_quantiles_are_read_as_the_statistics_define_them(result: Result, folder: Path) -> None:
    units = exposed(folder)
    for variant, name in (("a", "control"), ("b", "new")):
        own = [u for u, (v, _) in units.items() if v == variant]
        seen: dict[str, list[float]] = {u: [] for u in own}
        spent = dict.fromkeys(own, 0.0)
        for row in rows(folder, "app.csv"):
            if row["uid"] in seen and in_window(row, units[row["uid"]][1]):
                if row["name"] == "view":
                    seen[row["uid"]].append(float(row["seconds"]))
                elif row["name"] == "order":
                    spent[row["uid"]] += float(row["revenue"])
        loads = quantile_of(0.9, [v for u in own for v in seen[u]], [len(seen[u]) for u in own])
        sums = quantile_of(0.9, [round(spent[u], 9) for u in own], [1] * len(own))
        assert value(result.metric("load_p90"), name) == pytest.approx(loads.value)
        assert value(result.metric("spend_p90"), name) == pytest.approx(sums.value)


def test_a_percentile_cap_is_pooled_and_shown(result: Result, folder: Path) -> None:
    units = exposed(folder)
    read: dict[str, set[tuple[str, date]]] = {u: set() for u in units}
    for row in rows(folder, "app.csv"):
        if row["name"] == "read" and in_window(row, units[row["uid"]][1]):
            read[row["uid"]].add((row["article"], datetime.fromisoformat(row["at"]).date()))
    counts = sorted(len(s) for s in read.values() if s)
    metric = result.metric("read")
    assert metric.cap == counts[-(-95 * len(counts) // 100) - 1]
    assert "capped" in metric.stamps
    assert sum(a.capped or 0 for a in metric.arms) == sum(c > metric.cap for c in counts)


def test_among_is_about_fewer_units(result: Result, folder: Path) -> None:
    free = {r["uid"] for r in rows(folder, "people.csv") if r["plan"] == "free"}
    units = exposed(folder)
    assert sum(a.exposed for a in result.metric("free").arms) == len(free)
    posters = {
        r["uid"]
        for r in rows(folder, "app.csv")
        if r["name"] == "photo" and 1 <= (units[r["uid"]][1].date() - datetime.fromisoformat(r["at"]).date()).days <= 28
    }
    assert sum(a.exposed for a in result.metric("posters").arms) == len(posters)


def test_a_histogram_holds_every_unit(result: Result) -> None:
    bins = result.metric("visits").histogram
    assert len(bins) > 3
    for arm in result.metric("visits").arms:
        assert sum(dict(b.units)[arm.variant] for b in bins) == arm.used
    assert all(n >= result.min_cell for b in bins for _, n in b.units)


def test_segments_by_what_came_before(result: Result) -> None:
    found = {s.dimension: {g.label for g in s.groups} for s in result.segments if s.metric == "weeks"}
    assert found["plan"] == {"free", "pro"}
    assert found["(like >= 1) before 14 days"] == {"yes", "no"}
    assert found["level_before"] <= {"super", "regular", "explorer", "dormant"}
    assert {"dormant", "explorer"} <= found["level_before"]


@pytest.mark.parametrize(("threads", "shuffled"), [(1, False), (8, True)])
def test_same_bytes(folder: Path, result: Result, tmp_path: Path, threads: int, shuffled: bool) -> None:
    other = abtest.run("kinds", write_project(tmp_path / "project", shuffled=shuffled), threads=threads)
    files = {"html": "report.html", "json": "result.json", "md": "summary.md"}
    for name, found in (("one", result), ("two", other)):
        write_outputs(tmp_path / name, {files[form]: render(found, form, "en") for form in files})
    same, different, missing = filecmp.cmpfiles(tmp_path / "one", tmp_path / "two", list(files.values()), shallow=False)
    assert (sorted(same), different, missing) == (sorted(files.values()), [], [])


def test_no_output_names_a_unit(result: Result, folder: Path) -> None:
    """Ids of people, devices and sessions stay in the engine."""
    text = result.to_json()
    assert not re.search(r'"d[12]"', text)
    assert Result.from_json(text) == result
    page = render(result, "html", "en")
    assert "Behind the metrics" in page
    assert "how the values are spread" in page


def test_one_scan_of_each_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty metrics of every kind read each file once."""
    from abtest.analysis import prepare

    read: Counter[str] = Counter()
    original = prepare.read_raw

    def counted(engine: object, source: object, files: object, paths: object) -> object:
        read[source.name] += 1  # type: ignore[attr-defined]
        return original(engine, source, files, paths)  # type: ignore[arg-type]

    monkeypatch.setattr(prepare, "read_raw", counted)
    abtest.run("kinds", folder)
    assert read == {"app": 1, "people": 1, "form": 1, "flags": 1}


# Versions ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(folder: Path, result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "result.json"
    path.write_text(result.to_json(), "utf-8")
    return path


def check(folder: Path, saved: Path, tmp_path: Path, old: str, new: str) -> tuple[int, str]:
    assert old in PROJECT
    other = tmp_path / "changed"
    (other / "experiments").mkdir(parents=True)
    (other / "abtest.yml").write_text(PROJECT.replace(old, new), "utf-8")
    (other / "experiments" / "kinds.yml").write_text((folder / "experiments" / "kinds.yml").read_text("utf-8"), "utf-8")
    done = command("check", str(other), "--against", str(saved))
    return done.code, done.out + done.err


def test_the_same_definitions_are_fine(folder: Path, saved: Path, tmp_path: Path) -> None:
    code, text = check(folder, saved, tmp_path, "better: higher", "better: higher")
    assert code == 0
    assert "changed" not in text


def test_a_changed_meaning_needs_a_version(folder: Path, saved: Path, tmp_path: Path) -> None:
    code, text = check(folder, saved, tmp_path, "hours: {did: like >= 1", "hours: {did: like >= 2")
    assert code == 1
    assert "E361 hours changed meaning: like >= 1 -> like >= 2" in text
    assert "Set  version: 2" in text


def test_a_raised_version_is_a_note(folder: Path, saved: Path, tmp_path: Path) -> None:
    code, text = check(folder, saved, tmp_path, "hours: {did: like >= 1", "hours: {version: 2, did: like >= 2")
    assert code == 0
    assert "note: hours changed meaning and is version 2 now: like >= 1 -> like >= 2" in text


def test_a_changed_event_changes_its_metrics(folder: Path, saved: Path, tmp_path: Path) -> None:
    code, text = check(
        folder, saved, tmp_path, "photo: {event: photo, source: app}", "photo: {event: [photo, video], source: app}"
    )
    assert code == 1
    assert "waiting changed meaning: event photo: photo of app -> photo or video of app" in text
    assert "hours changed" not in text


def test_another_title_is_no_other_meaning(folder: Path, saved: Path, tmp_path: Path) -> None:
    code, _ = check(folder, saved, tmp_path, "hours: {did: like >= 1", "hours: {title: Quick, did: like >= 1")
    assert code == 0


def test_against_something_else(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}", "utf-8")
    done = command("check", str(folder), "--against", str(tmp_path / "x.json"))
    assert done.code == 2
    assert "is no result of this version" in done.err
    assert command("check", str(folder), "--against", str(tmp_path / "none.json")).code == 2


def test_blocks_divided_by_events_are_pointed_at(folder: Path, saved: Path, tmp_path: Path) -> None:
    _, text = check(folder, saved, tmp_path, "to: app_open 1 week ago >= 1}", "to: app_open 1 week ago}")
    assert "W309 the ratio curr divides a number of blocks by a number of events" in text
    assert "To count blocks on both sides write  to: app_open 1 week ago >= 1" in text


def test_what_nothing_reads_is_named(folder: Path, saved: Path, tmp_path: Path) -> None:
    old = "signup: {event: signup, source: app}"
    code, text = check(folder, saved, tmp_path, old, f"{old}\n  tap: {{event: tap, source: app}}")
    assert code == 0
    assert "note: event tap is not used" in text


# What the data must deliver -----------------------------------------------------------------------------------------


def test_a_few_answers_outside_the_scale_are_a_note(folder: Path, tmp_path: Path) -> None:
    other = write_project(tmp_path / "project")
    text = (other / "form.csv").read_text("utf-8").splitlines()
    first = text[1].split(",")
    (other / "form.csv").write_text("\n".join([text[0], ",".join([*first[:2], "11", *first[3:]]), *text[2:]]) + "\n")
    found = abtest.run("kinds", other)
    check_ = next(c for c in found.health if c.key == "outside_scale")
    assert (check_.level, check_.subject, check_.values) == ("note", "form", {"count": 1})


def test_a_wrong_scale_is_refused(tmp_path: Path) -> None:
    other = write_project(tmp_path / "project")
    yaml = (other / "abtest.yml").read_text("utf-8").replace("scale: 0-10, score: nps", "scale: 0-5, score: mean")
    (other / "abtest.yml").write_text(yaml, "utf-8")
    with pytest.raises(UserError) as caught:
        abtest.run("kinds", other)
    assert caught.value.exit_code == 3
    assert re.search(r"E514 survey nps: \d+ of \d+ answers in form.csv are outside its scale 0-5", str(caught.value))


def test_dates_have_no_hours_and_no_sessions(tmp_path: Path) -> None:
    other = write_project(tmp_path / "project", people=60)
    lines = (other / "app.csv").read_text("utf-8").splitlines()
    cut = [re.sub(r"T[0-9:.]+", "", line) for line in lines]
    (other / "app.csv").write_text("\n".join(cut) + "\n", "utf-8")
    project = load_project(other)
    experiment = project.experiments["kinds"]
    for name, said in (
        ("hours", "E517 hours counts hours from exposure"),
        ("sessions", "E516 source app has dates only"),
    ):
        uses = tuple(replace(u, role="goal") for u in experiment.metrics if u.name == name)
        alone = replace(project, experiments={"kinds": replace(experiment, metrics=uses, segments=())})
        from abtest.analysis.run import analyse

        with pytest.raises(UserError, match=re.escape(said)):
            analyse(alone, alone.experiments["kinds"])


def test_explain_shows_one_unit_for_every_kind(folder: Path) -> None:
    for name in NAMES:
        done = command("explain", name, "--unit", "7", "--project", str(folder))
        assert done.code == 0, (name, done.err)
        assert "User 7 in kinds" in done.out, name
        assert "Value" in done.out, name
    text = command("explain", "sessions", "--unit", "7", "--project", str(folder)).out
    assert "session " in text


def test_the_result_is_json(result: Result) -> None:
    assert json.loads(result.to_json())["metrics"][0]["definition"][:3] == [
        ["did", "app_open and like"], ["per", "week"], ["over", "first 14 days"],
    ]  # fmt: skip


# Hostile names ------------------------------------------------------------------------------------------------------


def test_names_from_files_and_yaml_are_only_names(folder: Path, result: Result, tmp_path: Path) -> None:
    """Columns, labels and titles that look like SQL or HTML change nothing but themselves."""
    nasty = "dev\"ice'); DROP TABLE units; --"
    other = write_project(tmp_path / "project")
    log = (other / "app.csv").read_text("utf-8").splitlines()
    quoted = '"' + nasty.replace('"', '""') + '"'
    (other / "app.csv").write_text("\n".join([log[0].replace("device", quoted), *log[1:]]) + "\n", "utf-8")
    yaml = (other / "abtest.yml").read_text("utf-8")
    yaml = yaml.replace("device: device}", "device: 'dev\"ice''); DROP TABLE units; --'}")
    yaml = yaml.replace("names: {FAN: ambassador}", "names: {FAN: '<script>alert(1)</script>'}")
    yaml = yaml.replace("is: ambassador", "is: FAN")
    yaml = yaml.replace("signed: {did", "signed: {title: '</td><img src=x onerror=alert(2)>', did")
    (other / "abtest.yml").write_text(yaml, "utf-8")
    found = abtest.run("kinds", other)
    assert [a.value for a in found.metric("devices").arms] == [a.value for a in result.metric("devices").arms]
    page = render(found, "html", "en")
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page


def test_labels_of_a_scale_may_hold_anything(tmp_path: Path) -> None:
    other = write_project(tmp_path / "project")
    lines = (other / "form.csv").read_text("utf-8").splitlines()
    words = ['it\'s "fine"', "so, so", "'; SELECT 1; --"]
    told = [line.split(",") for line in lines[1:]]
    body = [",".join([*cells, '"' + words[i % 3].replace('"', '""') + '"']) for i, cells in enumerate(told)]
    (other / "form.csv").write_text("\n".join([lines[0] + ",feel", *body]) + "\n", "utf-8")
    yaml = (other / "abtest.yml").read_text("utf-8")
    scale = "feeling: {source: form, answer: feel, score: \"share of it's \\\"fine\\\"\", scale: [\"it's \\\"fine\\\"\", 'so, so', '''; SELECT 1; --']}"
    yaml = yaml.replace("surveys:\n", f"surveys:\n  {scale}\n").replace(
        "metrics:\n", "metrics:\n  fine: {survey: feeling, over: first 14 days}\n", 1
    )
    (other / "abtest.yml").write_text(yaml, "utf-8")
    experiment = (other / "experiments" / "kinds.yml").read_text("utf-8")
    (other / "experiments" / "kinds.yml").write_text(experiment.replace("explore: [", "explore: [fine, "), "utf-8")
    found = abtest.run("kinds", other).metric("fine")
    assert found.estimator == "proportion"
    assert 0.2 < (found.arms[0].value or 0) < 0.5
