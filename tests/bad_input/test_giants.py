"""One row that is a billion times as large as all others, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

import abtest
from abtest.language.project import load_project
from abtest.problems import UserError
from tests.analysis.test_methods import write


@pytest.mark.parametrize(("value", "said"), [("1e13", "1e+13"), ("1e30", "1e+30")])
def test_a_giant_beside_which_all_others_are_rounded_away_is_refused(tmp_path: Path, value: str, said: str) -> None:
    folder = write(tmp_path / "p", "{method: fixed}", "2026-04-02")
    told = (folder / "abtest.yml").read_text()
    told = told.replace(
        "units: {user: user}\n    complete",
        "units: {user: user}\n    properties: {size: {from: size, type: number}}\n    complete",
    )
    (folder / "abtest.yml").write_text(told.replace("{amount: like, over", "{amount: sum(like.size), over"))
    lines = (folder / "log.csv").read_text().splitlines()
    rows = [f"{line},{2.5}" for line in lines[1:]]
    (folder / "log.csv").write_text("\n".join([f"{lines[0]},size", *rows]) + "\n")
    assert abtest.run("x", folder).metric("likes").arms[0].value
    rows[7] = rows[7].replace(",2.5", f",{value}")
    (folder / "log.csv").write_text("\n".join([f"{lines[0]},size", *rows]) + "\n")
    with pytest.raises(UserError, match="E519") as caught:
        abtest.run("x", folder)
    assert f"log.size: 1 row has a value beyond 1,000,000,000,000 (up to {said})" in str(caught.value)


def test_a_file_that_is_no_file_is_not_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", "{method: fixed}")
    (folder / "locks").mkdir()
    (folder / "locks" / "x.yml").symlink_to("/dev/zero")
    with pytest.raises(UserError, match="no ordinary file"):
        load_project(folder)
