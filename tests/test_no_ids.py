"""No id of a unit reaches an output: every form in every language is searched for the ids of the raw files."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest

import abtest
from abtest.analysis.result import Result
from abtest.demo import write_demo
from abtest.reports.language import languages
from abtest.reports.terminal import render_terminal
from tests.analysis.faults import write


def column(file: Path, name: str, mark: str = ",") -> set[str]:
    with file.open(newline="", encoding="utf-8") as handle:
        return {row[name] for row in csv.DictReader(handle, delimiter=mark) if row[name]}


def leaks(result: Result, ids: set[str]) -> set[str]:
    """Ids that stand in any output, whatever characters they are made of."""
    texts = [result.to_json(), str(result.to_pandas().to_csv()), repr(result)]
    for language in languages():
        texts += [abtest.report(result, form, language=language) for form in ("html", "md")]
        texts.append(render_terminal(result, colour=False, language=language))
    known = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(ids)))})(?!\w)")
    return {found for text in texts for found in known.findall(text)}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, set[str]]:
    folder = write(tmp_path_factory.mktemp("ids"))
    return abtest.run("x", folder), column(folder / "people.csv", "uid")


def test_everything_beside_the_comparison_included(sound: tuple[Result, set[str]]) -> None:
    result, ids = sound
    assert len(ids) == 400
    assert result.iterations
    assert result.segments
    assert leaks(result, ids) == set()


def test_the_demo(tmp_path: Path) -> None:
    write_demo(tmp_path / "demo", users=300)
    ids = column(tmp_path / "demo" / "exports" / "users.csv", "user_id", ";")
    assert len(ids) > 300
    assert leaks(abtest.run("composer_v3", tmp_path / "demo"), ids) == set()


@pytest.mark.parametrize("planted", ["u0007", "id-7f3a.2", "10.0.0.7"])
def test_the_search_finds_an_id_that_is_there(sound: tuple[Result, set[str]], planted: str) -> None:
    result, ids = sound
    told = replace(result, experiment=replace(result.experiment, title=f"For {planted} alone"))
    assert leaks(told, ids | {planted}) == {planted}
