"""`abtest preview` and `abtest lab` as people call them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.analysis.test_lab import root as root
from tests.command import abtest


@pytest.mark.parametrize("kind", ["lab", "preview"])
def test_a_page_is_written_and_its_place_said(root: Path, tmp_path: Path, kind: str) -> None:
    done = abtest(kind, "engaged", "--project", str(root), "--out", str(tmp_path))
    assert done.code == 0, done.err
    page = tmp_path / kind / "engaged.html"
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert done.out.rstrip().endswith("engaged.html")


@pytest.mark.parametrize("kind", ["lab", "preview"])
def test_json_is_printed_and_nothing_written(root: Path, kind: str) -> None:
    before = sorted(root.rglob("*"))
    done = abtest(kind, "engaged", "--project", str(root), "--json")
    assert json.loads(done.out)["schema"] == f"abtest.{kind}/1"
    assert sorted(root.rglob("*")) == before


def test_the_project_can_be_spoken_of_in_dutch(root: Path, tmp_path: Path) -> None:
    done = abtest("lab", "engaged", "--project", str(root), "--out", str(tmp_path), "--language", "nl")
    assert "Wie terugkomt" in done.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("lab", "engagd"), 2, 'Did you mean "engaged"'),
        (("lab", "likes"), 2, "abtest preview likes"),
        (("preview", "engaged", "--unit", "usr"), 2, 'Did you mean "user"'),
        (("preview", "engaged", "--before", "nothing"), 2, "nothing"),
        (("preview", "engaged", "--from", "2026-03-01", "--to", "2026-01-01"), 2, "lies before"),
        (("preview", "engaged", "--from", "2030-01-01"), 3, "there is no history"),
        (("preview", "long"), 3, "is shorter than its window"),
    ],
)
def test_mistakes_are_one_sentence_with_an_exit_code(root: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = abtest(*words, "--project", str(root))
    assert done.code == code, done.out + done.err
    assert said in done.err
    assert "Traceback" not in done.err
