"""`--language` and the project's own language: who wins, what changes, and what does not."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import abtest
from abtest.analysis.result import Result
from abtest.language.canonical import experiment_hash
from abtest.language.project import load_project
from tests.command import abtest as command

EXAMPLE = Path(__file__).parents[2] / "examples" / "watch-time"
FILES = ("report.html", "result.json", "summary.md")


def outputs(folder: Path) -> dict[str, bytes]:
    return {name: (folder / "player_v2" / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def dutch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of an example whose project speaks Dutch."""
    folder = tmp_path_factory.mktemp("dutch") / "project"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("out"))
    file = folder / "abtest.yml"
    text = file.read_text("utf-8")
    assert "{name: watch_time}" in text
    file.write_text(text.replace("{name: watch_time}", "{name: watch_time, language: nl}"), "utf-8")
    return folder


def test_the_option_wins_over_the_project_and_changes_no_number(dutch: Path, tmp_path: Path) -> None:
    asked = command("run", "--project", str(EXAMPLE), "--out", str(tmp_path / "asked"), "--language", "nl")
    own = command("run", "--project", str(dutch), "--out", str(tmp_path / "own"))
    other = command("run", "--project", str(dutch), "--out", str(tmp_path / "other"), "--language", "en")
    assert (asked.code, own.code, other.code) == (0, 0, 0)
    assert asked.out.startswith("UITROLLEN  New player")
    assert own.out.startswith("UITROLLEN  New player")
    assert other.out.startswith("SHIP  New player")
    found = {name: outputs(tmp_path / name) for name in ("asked", "own", "other")}
    assert found["asked"] == found["own"]
    assert found["own"]["result.json"] == found["other"]["result.json"]
    assert b'<html lang="nl"' in found["own"]["report.html"]
    assert b'<html lang="en"' in found["other"]["report.html"]
    assert "## ✅ Uitrollen: New player" in found["own"]["summary.md"].decode()
    result = Result.from_json(found["own"]["result.json"].decode())
    assert all(dict(m.meanings)["nl"].startswith("Voor elk") for m in result.metrics)
    assert Result.from_json(result.to_json()) == result


def test_the_language_is_no_part_of_the_definition(dutch: Path) -> None:
    english, other = load_project(EXAMPLE), load_project(dutch)
    assert (english.language, other.language) == ("en", "nl")
    experiment = english.experiments["player_v2"]
    hashes = {experiment_hash(p, p.experiments["player_v2"]) for p in (english, replace(english, language="nl"), other)}
    assert len(hashes) == 1
    assert experiment.id == "player_v2"


@pytest.mark.parametrize("words", [("run", "--project", str(EXAMPLE)), ("demo", "x"), ("explain", "watch_time")])
def test_an_unknown_language_is_a_usage_mistake_that_names_the_others(words: tuple[str, ...], tmp_path: Path) -> None:
    done = command(*words, "--language", "fr")
    assert (done.code, done.out) == (2, "")
    assert done.err == 'E002 --language "fr"\n  Possible: en, nl\n'


def test_explain_speaks_the_language_of_the_project(dutch: Path) -> None:
    for language, start in (((), "Voor elk"), (("--language", "en"), "For each")):
        done = command("explain", "watch_time", "--project", str(dutch), *language)
        assert done.code == 0
        assert f"  {start}" in done.out


def test_one_unit_is_told_in_the_language_of_the_project(dutch: Path) -> None:
    said = {
        language: command(
            "explain", "watch_time", "--unit", "1708", "--project", str(dutch), "--language", language
        ).out
        for language in ("en", "nl")
    }
    assert "\n    Exposed  2" not in said["nl"]
    for english, other in (
        ("  User 1708 in player_v2", "  Gebruiker 1708 in player_v2"),
        ("\n    Value    ", "\n    Waarde        "),
    ):
        assert english in said["en"]
        assert other in said["nl"]
    digits = {k: re.findall(r"\d+", text.partition("player_v2")[2]) for k, text in said.items()}
    assert digits["en"] == digits["nl"] != []


def test_the_api_writes_a_result_in_any_language(tmp_path: Path) -> None:
    result = abtest.run("player_v2", EXAMPLE)
    assert '<html lang="nl"' in abtest.report(result, language="nl")
    assert abtest.report(result).startswith('<!doctype html>\n<html lang="en"')
    assert abtest.report(result, "md", language="nl").startswith("## ✅ Uitrollen")
    assert abtest.report(result, "json", language="nl") == abtest.report(result, "json") == result.to_json()
    for call, said in (
        ({"language": "fr"}, 'language "fr"\n  Possible: en, nl'),
        ({"form": "pdf"}, 'form "pdf"\n  Possible: html, json, md'),
    ):
        with pytest.raises(abtest.UserError) as caught:
            abtest.report(result, **call)  # type: ignore[arg-type]
        assert said in str(caught.value)
        assert caught.value.exit_code == 2
