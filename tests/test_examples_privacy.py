"""Every example and the demo, run with ids that cannot be mistaken: no output holds one, and none tells of a few units.

What cannot be searched for: units that are row numbers (the customers of `visitors`), since their file has no id to write a
token over. Shares of metrics, levels and cells of groups are aggregates like any rate, and ledgers count rows and units;
the privacy floor is no promise about them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import abtest
from abtest.analysis.result import Result
from abtest.demo import write_demo
from abtest.reports.language import languages
from abtest.reports.terminal import render_terminal
from tests.command import abtest as command
from tests.disguise import TOKEN, Disguised, disguised
from tests.small_cells import small_cells, told

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = (*sorted(p.parent.name for p in EXAMPLES.glob("*/abtest.yml")), "demo")
ROW_NUMBERS = {("visitors", "customers")}
DEMO_USERS = 1500
KINDS = {
    "customers": {"segment", "movement", "spread", "survival"},
    "demo": {"segment", "association"},
    "ecom": {"segment", "movement", "spread"},
    "job-training": {"segment"},
}
"""What cells the examples have to look at, so that none of these searches passes for lack of anything to find."""


@dataclass(frozen=True)
class Ran:
    """One project after `abtest run` of all its experiments. `texts`: everything that was said or written, by name."""

    name: str
    project: Disguised
    results: tuple[Result, ...]
    texts: dict[str, str]


def ran(name: str, folder: Path) -> Ran:
    origin = EXAMPLES / name
    if name == "demo":
        origin = folder / "made"
        write_demo(origin, users=DEMO_USERS)
    made = disguised(origin, folder / name)
    done = command("run", "--project", str(made.folder))
    assert done.code == 0, done.err
    texts = {"stdout": done.out, "stderr": done.err}
    for part in ("out", "locks"):
        texts |= {str(p.relative_to(made.folder)): p.read_text("utf-8") for p in _files(made.folder / part)}
    results = tuple(Result.from_json(t) for n, t in texts.items() if n.endswith("result.json"))
    for result in results:
        texts |= {f"{result.experiment.id} {how}": text for how, text in _more(result)}
    return Ran(name, made, results, texts)


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def _more(result: Result) -> Iterator[tuple[str, str]]:
    """What the command does not write by itself: other languages, the table, and what a notebook shows."""
    for language in languages():
        for form in ("html", "md"):
            yield f"{form} {language}", abtest.report(result, form, language=language)
        yield f"terminal {language}", render_terminal(result, colour=False, language=language)
    yield "pandas", str(result.to_pandas().to_csv())
    yield "notebook", result._repr_html_()
    yield "repr", repr(result)


@pytest.fixture(scope="module", params=NAMES)
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return ran(request.param, tmp_path_factory.mktemp("privacy"))


def test_no_output_holds_an_id(example: Ran) -> None:
    found = {
        name: re.findall(rf".{{0,60}}{TOKEN}.{{0,20}}", text, re.IGNORECASE) for name, text in example.texts.items()
    }
    assert {name: hits[:3] for name, hits in found.items() if hits} == {}
    assert {n.rpartition("/")[2] for n in example.texts} >= {"report.html", "result.json", "summary.md", "stdout"}


def test_there_were_ids_to_find(example: Ran) -> None:
    """Those who were compared have a token each; where they are row numbers, the list says so."""
    assert {(example.name, s) for s in example.project.unsearchable} <= ROW_NUMBERS
    assert len(example.results) == len(example.project.project.experiments)
    for result in example.results:
        exposure = example.project.project.experiments[result.experiment.id].exposure_source
        units = sum(v.units for v in result.experiment.variants)
        assert units > 100
        if exposure not in example.project.unsearchable:
            assert example.project.ids >= units


def test_nothing_that_is_told_is_of_a_few_units(example: Ran) -> None:
    assert {r.experiment.id: small_cells(r) for r in example.results if small_cells(r)} == {}


def test_the_searches_find_what_is_planted(example: Ran) -> None:
    """An id in the title, and a floor above every cell: both are seen, so neither search passes for lack of sight."""
    result = example.results[0]
    planted = replace(result, experiment=replace(result.experiment, title=f"For {TOKEN}0007 alone"))
    assert all(TOKEN in text for how, text in _more(planted) if how.partition(" ")[0] in ("html", "md", "terminal"))
    for one in example.results:
        assert bool(small_cells(replace(one, min_cell=10**9))) == bool(told(one))
    kinds = {kind for one in example.results for kind in told(one)}
    assert kinds >= KINDS.get(example.name, set()), kinds
