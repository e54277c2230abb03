"""The house: floors, sizes, and what must never be in the code."""

from __future__ import annotations

import ast
import re
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "abtest"
FLOORS = ("language", "sources", "metrics", "stats", "analysis", "reports", "demo", "cli")
# stats knows neither engines nor YAML; metrics and what is above may use it.
FORBIDDEN_IN_STATS = {"ibis", "duckdb", "jinja2", "click", "yaml", "pandas"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(a.name for a in node.names)
    return found


def test_nothing_imports_a_higher_floor() -> None:
    wrong = []
    for path in modules():
        parts = path.relative_to(PACKAGE).parts
        if len(parts) < 2:
            continue
        here = FLOORS.index(parts[0])
        for name in imports(path):
            pieces = name.split(".")
            if (
                pieces[0] == "abtest"
                and len(pieces) > 1
                and pieces[1] in FLOORS
                and FLOORS.index(pieces[1]) > here
                and not (parts[0] == "metrics" and pieces[1] == "stats")
            ):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_stats_knows_only_numpy_and_scipy() -> None:
    for path in (PACKAGE / "stats").glob("*.py"):
        for name in imports(path):
            head = name.split(".")[0]
            assert head not in FORBIDDEN_IN_STATS, path
            assert not name.startswith("scipy.stats"), path
            assert head != "abtest" or name.startswith("abtest.stats"), path


def test_no_eval_no_exec_no_stub() -> None:
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "__import__"), path
            assert not (isinstance(node, ast.Raise) and "NotImplementedError" in ast.dump(node)), path


def test_a_file_is_one_idea() -> None:
    long = {p.name: n for p in modules() if (n := p.read_text("utf-8").count("\n")) > 450}
    assert long == {}


def test_no_machine_paths_in_the_project() -> None:
    for path in [*modules(), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "Makefile"]:
        assert not re.search(r"/work/|/root/", path.read_text("utf-8")), path


def test_the_wheel_holds_the_shipped_folders(tmp_path: Path) -> None:
    """Built by the same backend that pip calls; the folders land inside the package."""
    import subprocess
    import sys

    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "abtest/_shipped/reports/en.yml",
        "abtest/_shipped/templates/report/page.html.j2",
        "abtest/_shipped/templates/demo/abtest.yml",
        "abtest/_shipped/templates/demo/experiments/composer_v1.yml",
        "abtest/demo/write.py",
        "abtest/_shipped/templates/init/abtest.yml",
        "abtest/py.typed",
    ):
        assert wanted in names
    assert not [n for n in names if n.split("/")[0] not in ("abtest",) and ".dist-info" not in n.split("/")[0]]
