"""Same input, same bytes: on a second run, with 1 or 8 threads, with shuffled rows. Compared file by file."""

from __future__ import annotations

import filecmp
from pathlib import Path

import pytest

import abtest
from abtest.reports.write import render, write_outputs
from tests.analysis.messy import write_messy

FILES = {"html": "report.html", "json": "result.json", "md": "summary.md"}


def outputs(project: Path, out: Path, threads: int) -> Path:
    result = abtest.run("messy", project, threads=threads)
    return write_outputs(out, {name: render(result, form, "en") for form, name in FILES.items()})


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    return outputs(write_messy(folder / "project", users=3000), folder / "out", threads=2)


@pytest.mark.parametrize(("threads", "shuffle"), [(2, None), (1, None), (8, None), (2, 1), (8, 2)])
def test_same_bytes(first: Path, tmp_path: Path, threads: int, shuffle: int | None) -> None:
    second = outputs(write_messy(tmp_path / "project", users=3000, shuffle=shuffle), tmp_path / "out", threads)
    same, different, missing = filecmp.cmpfiles(first, second, list(FILES.values()), shallow=False)
    assert (sorted(same), different, missing) == (sorted(FILES.values()), [], [])


def test_another_log_gives_other_bytes(first: Path, tmp_path: Path) -> None:
    """The comparison above can fail."""
    second = outputs(write_messy(tmp_path / "project", users=3000, seed=6), tmp_path / "out", 2)
    assert not filecmp.cmp(first / "result.json", second / "result.json", shallow=False)
