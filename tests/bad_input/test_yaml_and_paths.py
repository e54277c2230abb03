"""Definitions, paths and outputs that are wrong: the exact message, exit code 1 or 2, in time, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bad_input.small import Small

DEFINITIONS = {
    "event": (
        ("amount: like, over", "amount: lik, over"),
        'abtest.yml:26:19 E201 no event "lik"\n'
        "    likes: {amount: lik, over: first 7 days, better: higher, owner: us}\n"
        "                    ^^^\n"
        '  Did you mean "like" (abtest.yml:23)?  Known: like, purchase\n',
    ),
    "property": (
        ("sum(purchase.revenue)", "sum(purchase.revnue)"),
        'abtest.yml:27:25 E210 event purchase has no property "revnue"\n'
        "    revenue: {amount: sum(purchase.revnue), over: first 7 days, better: higher, margin: 40%, owner: us}\n"
        "                          ^^^^^^^^^^^^^^^\n"
        '  Did you mean "revenue" (abtest.yml:9)?  Properties: revenue\n',
    ),
    "metric": (
        ("goal: [likes]", "goal: [like]"),
        'experiments/test.yml:13:10 E204 no metric "like"\n'
        "    goal: [like]\n"
        "           ^^^^\n"
        '  Did you mean "likes" (abtest.yml:26)?  Metrics: likes, revenue\n',
    ),
    "baseline": (
        ("baseline: control", "baseline: contrl"),
        'experiments/test.yml:9:11 E411 baseline "contrl" is not a variant\n'
        "    baseline: contrl\n"
        "              ^^^^^^\n"
        '  Did you mean "control"?  Variants: control, new\n',
    ),
    "margin": (
        ("better: higher, margin: 40%, owner: us}", "better: higher, owner: us}"),
        'experiments/test.yml:14:15 E404 guardrail revenue has no margin, so "held" cannot be decided\n'
        "    guardrail: [revenue]\n"
        "                ^^^^^^^\n"
        "  Write  {revenue: {margin: 2%}}  with the loss that you would still accept\n",
    ),
}


@pytest.mark.parametrize("case", DEFINITIONS)
def test_misspelt_definitions(tmp_path: Path, case: str) -> None:
    change, message = DEFINITIONS[case]
    Small(tmp_path / "p").yaml(*change).fails(1, message)


def test_a_metric_of_a_unit_that_the_experiment_lacks(tmp_path: Path) -> None:
    """Devices are randomised and the log knows users only: one message per metric, with its place."""
    small = (
        Small(tmp_path / "p").yaml("unit: user\nexposure", "unit: device\nexposure").yaml("segments: [country]\n", "")
    )
    mapped = "variation, time: at}\n    units: {user: uid}"
    small.project = small.project.replace(mapped, mapped.replace("user:", "device:"))
    small.fails(
        1,
        'experiments/test.yml:12:10 E312 likes cannot be measured per device: source app has no unit "device"\n'
        "    goal: [likes]\n"
        "           ^^^^^\n"
        "  Units of app: user\n"
        'experiments/test.yml:13:15 E312 revenue cannot be measured per device: source app has no unit "device"\n'
        "    guardrail: [revenue]\n"
        "                ^^^^^^^\n"
        "  Units of app: user\n"
        "\n2 problems\n",
    )


@pytest.mark.parametrize("path", ["../app.csv", "/etc/passwd", "~/app.csv", "a/../../app.csv"])
def test_a_path_that_leaves_the_folder(tmp_path: Path, path: str) -> None:
    Small(tmp_path / "p").yaml("files: app.csv", f"files: {path}").fails(
        1,
        f'abtest.yml:5:12 E140 the path "{path}" leaves the data folder\n'
        f"    files: {path}\n"
        f"           {'^' * len(path)}\n"
        "  Write it relative to `project: data:`, without `..`.\n",
    )


def test_an_address_is_no_file(tmp_path: Path) -> None:
    Small(tmp_path / "p").yaml("files: app.csv", "files: https://example.org/app.csv").fails(
        1,
        'abtest.yml:5:12 E140 files are local; "https://example.org/app.csv" is an address\n'
        "    files: https://example.org/app.csv\n"
        "           ^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "  Download the export first.\n",
    )


def test_yaml_of_ten_megabytes(tmp_path: Path) -> None:
    small = Small(tmp_path / "p")
    small.project += "# " + "x" * 10_000_000 + "\n"
    small.fails(
        1, f"abtest.yml:1:1 E105 this file has {len(small.project):,} bytes; at most 1,000,000 are read\n  Split it.\n"
    )


def test_yaml_nested_ten_thousand_deep(tmp_path: Path) -> None:
    small = Small(tmp_path / "p")
    small.project += "x: " + "[" * 10_000 + "]" * 10_000 + "\n"
    small.fails(
        1,
        f"abtest.yml:28:43 E105 nested deeper than 40 levels\n    x: {'[' * 107}\n    {' ' * 42}^\n",
    )


def test_billion_laughs(tmp_path: Path) -> None:
    """The first alias ends the reading, so nothing can grow."""
    small = Small(tmp_path / "p")
    laughs = "\n".join(f"  l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 10))
    small.project += f"laughs:\n  l0: &l0 lol\n{laughs}\n"
    line = f"    l1: &l1 [{', '.join(['*l0'] * 9)}]\n"
    small.fails(
        1,
        "abtest.yml:29:7 E104 an anchor (&name) is not allowed\n"
        "    l0: &l0 lol\n"
        "        ^^^^^^^\n"
        "  Definitions are shared by name.\n"
        "abtest.yml:30:7 E104 an anchor (&name) is not allowed\n"
        f"{line}"
        "        ^^^^^\n"
        "  Definitions are shared by name.\n"
        "abtest.yml:30:12 E104 an alias (*name) is not allowed\n"
        f"{line}"
        "             ^^^\n"
        "  Write the value out; definitions are shared by name.\n"
        "\n3 problems\n",
    )


def test_an_output_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path below a file; nobody, not even the superuser, can make a folder there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("here")
    Small(tmp_path / "p").fails(
        2, 'E003 cannot write into "file/out"\n  Choose another folder:  --out DIR\n', "--out", "file/out"
    )
    assert (tmp_path / "file").read_text() == "here"


def test_what_was_there_survives_a_run_that_fails(tmp_path: Path) -> None:
    small = Small(tmp_path / "p")
    small.works()
    before = {p.name: p.read_bytes() for p in (small.folder / "out" / "test").iterdir()}
    (small.folder / "abtest.yml").write_text(small.project.replace("like_clicked", "like_clickd"), "utf-8")
    (small.data / "app.csv").write_text("name,at,event_id,uid,total\n", "utf-8")
    from tests.command import abtest

    assert abtest("run", "--project", str(small.folder)).code == 3
    assert {p.name: p.read_bytes() for p in (small.folder / "out" / "test").iterdir()} == before


def test_ctrl_c_in_the_middle(tmp_path: Path) -> None:
    """A log of two million rows, interrupted while it is read: 130, one sentence, no file, hidden or not."""
    small = Small(tmp_path / "p").write()
    with (small.data / "app.csv").open("w") as out:
        out.write("name,at,event_id,uid,total\n")
        block = "".join(f"like_clicked,2026-03-05T10:00:{i % 60:02d}Z,x{i},u{i % 40:02d},\n" for i in range(20_000))
        for _ in range(100):
            out.write(block)
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-m", "abtest", "run", "--project", str(small.folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    time.sleep(2.0)
    assert process.poll() is None, "the log is too small for this test"
    process.send_signal(signal.SIGINT)
    before = time.monotonic()
    out_text, err = process.communicate(timeout=30)
    assert time.monotonic() - before < 5
    assert (process.returncode, out_text) == (130, "")
    assert err == "\nstopped; the run in progress wrote nothing\n"
    assert small.left() == []
