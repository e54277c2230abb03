"""`abtest plan` as a shell sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import abtest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_files_words_and_json(tmp_path: Path) -> None:
    asked = ("plan", "ecom_aa", "--project", str(EXAMPLES / "ecom"), "--detect", "50%", "--out", str(tmp_path))
    done = abtest(*asked, "--simulate", "200")
    assert (done.code, done.err) == (0, "")
    assert "decides the size" in done.out
    assert "+-" in done.out
    page = tmp_path / "ecom_aa" / "plan.html"
    assert "<title>Plan: A/A on the clickstream</title>" in page.read_text("utf-8")
    printed = abtest(*asked, "--json")
    found = json.loads(printed.out)
    assert found["experiment"] == "ecom_aa"
    assert found["driver"] in {m["key"] for m in found["metrics"]}
    assert found["units"] == max(m["needed"] for m in found["metrics"])
    assert json.loads((tmp_path / "ecom_aa" / "plan.json").read_text("utf-8")) == found


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--detect", "much"), 2, "'much' is no share; write a percentage such as 5%"),
        (("--by", "purchas"), 2, 'E201 no event "purchas"'),
        (("--like", "ecom_a"), 2, 'E205 no experiment "ecom_a"'),
        (("--like", "ecom_aa"), 2, '--like "ecom_aa" is the experiment that is planned; name one that was before it'),
        (("--from", "2024-03-01", "--to", "2024-02-01"), 2, "--to 2024-02-01 lies before --from 2024-03-01"),
        (("--from", "soon"), 2, "'soon' is no date; write it as 2026-03-01"),
        ((), 1, "E523 goal buyers names no change that is worth finding"),
        (("--detect", "5%", "--to", "2020-01-01"), 3, "E521 there is no history"),
        (("--detect", "5%", "--from", "2024-04-28"), 3, "E522 the history is shorter than a week: 3 days"),
    ],
)
def test_what_goes_wrong_is_said(tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = abtest("plan", "ecom_aa", "--project", str(EXAMPLES / "ecom"), "--out", str(tmp_path), *words)
    assert done.code == code
    assert said in done.err
    assert not (tmp_path / "ecom_aa").exists()
