"""docs/engagement.md leads to every entry of the catalogue, and its project can be copied, checked and run as written."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import abtest
from abtest.analysis.result import Result
from abtest.language.catalogue import entries
from abtest.reports.language import load
from tests.command import abtest as command

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "engagement.md"
LINK = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ROW = re.compile(r"^\| (S\d+) ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
STARTS = {"composer_v1": date(2026, 1, 5), "composer_v2": date(2026, 3, 2)}
LAST = date(2026, 4, 12)


@pytest.fixture(scope="module")
def text() -> str:
    return GUIDE.read_text("utf-8")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them: what comes a second time is numbered."""
    seen: Counter[str] = Counter()
    found = set()
    fenced = False
    for line in page.read_text("utf-8").splitlines():
        fenced ^= line.startswith("```")
        if not fenced and re.match(r"#+ ", line):
            slug = re.sub(r"[^\w -]", "", line.lstrip("#").strip()).lower().replace(" ", "-")
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
    return found


def test_every_link_leads_to_a_heading_that_is_there(text: str) -> None:
    links = LINK.findall(text)
    assert len(links) > 150
    for target, anchor in links:
        page = GUIDE.parent / target if target else GUIDE
        assert page.exists(), target
        assert not anchor or anchor in anchors(page), (target, anchor)


def entry_anchors() -> set[str]:
    ends = {"metrics": "", "groups": "-group", "surveys": "-survey"}
    return {f"{name}{end}" for section, end in ends.items() for name in entries(section)}


def test_every_entry_of_the_catalogue_can_be_reached(text: str) -> None:
    linked = {anchor for target, anchor in LINK.findall(text) if target == "catalogue.md"}
    assert entry_anchors() - linked == set()


def rows(text: str) -> list[tuple[str, str, str, str, str]]:
    return ROW.findall(text)


def test_the_map_has_all_systems_in_order_each_in_a_line(text: str) -> None:
    assert [row[0] for row in rows(text)] == [f"S{n}" for n in range(1, 28)]
    for system, name, idea, shown, where in rows(text):
        assert len(idea) <= 70, system
        assert "](catalogue.md#" in shown or "`" in shown, (system, name)
        assert where.strip(), system


def test_the_map_sends_to_the_entries_of_the_system(text: str) -> None:
    """The files of the catalogue say in their first lines which systems they are about."""
    mapped = {system: set(LINK.findall(shown)) for system, _, _, shown, _ in rows(text)}
    for path in sorted((ROOT / "metrics").glob("*.yml")):
        head = "".join(line for line in path.read_text("utf-8").splitlines() if line.startswith("#"))
        for system in re.findall(r"\bS\d+\b", head):
            names = set(re.findall(r"^  (\w+):$", path.read_text("utf-8"), re.MULTILINE))
            linked = {anchor.partition("-")[0] for _, anchor in mapped[system]}
            assert linked & names, (path.name, system)


def sections() -> dict[str, str]:
    """Key by the name that the guide uses for a section of the report."""
    words = load("en")
    titles = {key: words(f"sections.{key}.title", goal="…") for key in SECTIONS}
    return {"Goal" if key == "goal" else title: key for key, title in titles.items()}


SECTIONS = (
    "verdict", "goal", "secondary", "guardrails", "health", "explore", "parts", "levels", "surveys", "segments", "value",
    "drivers", "profile", "questions", "targets", "iterations", "data",
)  # fmt: skip


def test_the_map_names_sections_that_a_report_has(text: str) -> None:
    for system, _, _, _, where in rows(text):
        assert set(where.strip().split(", ")) <= set(sections()), system


def test_it_is_linked_from_where_people_look() -> None:
    assert "](docs/engagement.md)" in (ROOT / "README.md").read_text("utf-8")
    assert "](../docs/engagement.md)" in (ROOT / "metrics" / "README.md").read_text("utf-8")


def write_csv(path: Path, head: str, lines: Iterable[Iterable[object]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(head.split())
        writer.writerows(lines)


def write_exports(folder: Path, users: int = 800) -> None:
    """The four files of the guide: two draws, everybody with a log of four weeks before theirs and four after."""
    rng = np.random.default_rng(5)
    log: list[tuple[object, ...]] = []
    draws, people, forms = [], [], []
    form = "recommend fan_close fan_proud fan_doubt trust_word trust_open trust_mine trust_catch"
    weekly = {
        "app_open": 4.0, "push_open": 0.8, "push_sent": 2.0, "photo_uploaded": 1.4, "heart": 3.0, "thumb": 1.5,
        "comment": 0.6, "share": 0.4, "article_read": 1.5, "invite": 0.1, "complaint": 0.05, "event_visit": 0.05,
        "service_contact": 0.1, "newsletter": 0.2, "order": 0.3,
    }  # fmt: skip
    for number, (flag, start) in enumerate(STARTS.items()):
        for i in range(users):
            user = f"m{number}{i:05d}"
            new = i % 2
            taste = rng.gamma(2.0, 0.5)
            day = start + timedelta(days=int(rng.integers(0, 14)))
            draws.append((user, flag, "new" if new else "old", datetime.combine(day, datetime.min.time())))
            flags = [str(bool(rng.random() < p)).lower() for p in (0.2, 0.4, 0.3)]
            people.append((user, "NL" if rng.random() < 0.6 else "BE", *flags))
            for action, rate in weekly.items():
                lift = 1.5 if new and action in ("photo_uploaded", "heart") else 1.0
                before = rng.uniform(-28, 0, rng.poisson(4 * rate * taste))
                for at in (*before, *rng.uniform(0, 28, rng.poisson(4 * rate * taste * lift))):
                    when = datetime.combine(day, datetime.min.time()) + timedelta(days=float(at))
                    total = round(float(rng.gamma(2.0, 8.0)), 2) if action == "order" else ""
                    log.append((user, action, when.isoformat(" ", "seconds"), total))
            if rng.random() < 0.5:
                answers = [int(rng.integers(4, 11)), *(int(a) for a in rng.integers(1, 6, 7))]
                forms.append((user, day + timedelta(days=10), *answers))
    log.append(("nobody", "app_open", f"{LAST + timedelta(days=1)} 12:00:00", ""))
    write_csv(folder / "app.csv", "user_id action at total", log)
    write_csv(folder / "draw.csv", "user_id test variant at", draws)
    write_csv(folder / "customers.csv", "user_id country contract subscription member", people)
    write_csv(folder / "form.csv", f"user_id at {form}", forms)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, text: str) -> Path:
    """All YAML blocks of the guide in one folder, with files as it describes them."""
    folder = tmp_path_factory.mktemp("guide")
    (folder / "experiments").mkdir()
    for number, block in enumerate(BLOCK.findall(text)):
        name = re.match(r"experiment: (\w+)", block)
        place = f"experiments/{name[1]}.yml" if name else "abtest.yml" if "sources:" in block else f"part_{number}.yml"
        (folder / place).write_text(block, "utf-8")
    write_exports(folder / "exports")
    return folder


@pytest.fixture(scope="module")
def results(project: Path) -> dict[str, Result]:
    return {name: abtest.run(name, project) for name in STARTS}


def test_the_blocks_together_are_a_project_without_a_warning(project: Path) -> None:
    done = command("check", str(project))
    assert done.code == 0, done.out + done.err
    assert "warning" not in (done.out + done.err).lower(), done.out + done.err
    assert command("test", "--project", str(project)).code == 0
    assert "in at least 2 of the 4 weeks" in command("explain", "engaged_here", "--project", str(project)).out


def test_what_the_map_says_is_in_the_report(results: dict[str, Result], text: str) -> None:
    assert results["composer_v1"].decision.valid
    pages = "".join(abtest.report(r, language="en") for r in results.values())
    there = set(re.findall(r'<section[^>]* id="(\w+)"', pages))
    named = {s for _, _, _, _, where in rows(text) for s in where.strip().split(", ")}
    assert {sections()[s] for s in named} - there == set()


def test_the_report_speaks_of_what_the_guide_promises(results: dict[str, Result]) -> None:
    first, second = results["composer_v1"], results["composer_v2"]
    assert first.value is not None
    assert first.value.metric == "revenue_per_user"
    assert first.drivers is not None
    assert first.drivers.status == "ok"
    assert {t.metric for t in first.targets} == {"engaged_three_of_four"}
    assert {s.dimension for s in first.segments} == {"country", "subscription", "engagement_level_before"}
    assert [i.experiment for i in second.iterations] == ["composer_v1"]
    for metric in ("levels", "fan_segments", "talk_and_buy", "journey"):
        assert any(m.part_of == metric for m in first.metrics), metric
