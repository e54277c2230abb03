"""`abtest schema`: on the screen, in a file, in parts, and without anything heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from abtest.language.schema import schema_text
from tests.command import abtest

ROOT = Path(__file__).parents[2]


def test_it_is_printed() -> None:
    done = abtest("schema")
    assert (done.code, done.err) == (0, "")
    assert done.out == schema_text()
    assert json.loads(done.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(("part", "key"), [("project", "metrics"), ("experiment", "variants")])
def test_parts(part: str, key: str) -> None:
    found = json.loads(abtest("schema", "--part", part).out)
    assert key in found["properties"]
    assert found["additionalProperties"] is False


def test_a_file_has_the_printed_bytes_and_the_line_to_copy_is_said(tmp_path: Path) -> None:
    file = tmp_path / "abtest.schema.json"
    done = abtest("schema", "--out", str(file))
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"wrote {file}",
        "Begin YAML files beside it with:  # yaml-language-server: $schema=abtest.schema.json",
    ]
    assert file.read_bytes() == schema_text().encode()
    first = file.read_bytes()
    abtest("schema", "--out", str(file))
    assert file.read_bytes() == first


def test_mistakes(tmp_path: Path) -> None:
    done = abtest("schema", "--out", str(tmp_path / "nowhere" / "x.json"))
    assert done.code == 2
    assert done.err.startswith("E003 cannot write ")
    assert abtest("schema", "--part", "metrics").code == 2


def test_help_has_lines_to_copy() -> None:
    done = abtest("schema", "--help")
    assert "abtest schema --out abtest.schema.json" in done.out
    assert "# yaml-language-server: $schema=abtest.schema.json" in done.out


def test_the_same_bytes_in_every_process_and_nothing_heavy_loaded() -> None:
    code = (
        "import sys; sys.argv = ['abtest', 'schema']\n"
        "from abtest.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', [m for m in ('scipy', 'pandas', 'ibis', 'duckdb', 'jinja2', 'numpy', 'rich') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=True, env={"PYTHONHASHSEED": "7", "PATH": ""}
    )
    assert done.stdout.decode() == schema_text() + "LOADED []\n"
