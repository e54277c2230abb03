"""Commands without a ledger say on standard error which rows of the files they could not use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analysis.test_methods import write
from tests.command import abtest


@pytest.mark.parametrize(
    ("asked", "logs"),
    [(("plan", "x", "--detect", "50%", "--to", "2026-04-02"), 1), (("preview", "likes"), 1), (("lab", "often"), 1), (("calibrate", "x", "--splits", "100"), 2)],
)  # fmt: skip
def test_rows_that_cannot_be_used_are_told(tmp_path: Path, asked: tuple[str, ...], logs: int) -> None:
    folder = write(tmp_path / "p", "{method: fixed}", "2026-04-02")
    told = (folder / "abtest.yml").read_text()
    (folder / "abtest.yml").write_text(told + '  often: {did: "like >= 3", over: first 2 days, better: higher}\n')
    clean = abtest(*asked, "--project", str(folder), "--out", str(tmp_path / "out"))
    assert (clean.code, clean.err) == (0, "")
    for file in ("log.csv", "flags.csv"):
        lines = (folder / file).read_text().splitlines()
        rows = len(lines) - 1
        for i in (3, 4, 5):
            lines[i] = "," + lines[i].split(",", 1)[1]
        lines[6] = lines[6].rsplit(",", 1)[0] + ",soon"
        (folder / file).write_text("\n".join(lines) + "\n")
        if file == "log.csv":
            said = f"W503 log: of {rows:,} rows 3 without an id and 1 with a time that cannot be read are left out\n"
    done = abtest(*asked, "--project", str(folder), "--out", str(tmp_path / "out"))
    assert done.code == 0
    assert said in done.err
    assert done.err.count("W503") == logs
    assert ("W503 flags: of 560 rows 3 without an id" in done.err) is (logs == 2)
