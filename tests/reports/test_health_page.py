"""`docs/health.md` is made from the table of checks, the words and the measured rates: it cannot drift from them.

`python -m tests.reports.test_health_page` writes it anew.
"""

from __future__ import annotations

from pathlib import Path

from abtest.analysis.health.table import CHECKS
from abtest.reports.health_page import health_page
from abtest.reports.language import load
from tests.analysis.health_rates import read

PAGE = Path(__file__).parents[2] / "docs" / "health.md"


def page() -> str:
    return health_page(load("en"), {way: (m["n"], m["checks"]) for way, m in read().items()})


def test_the_page_of_the_docs_is_the_table() -> None:
    assert PAGE.read_text("utf-8") == page()


def test_the_page_says_everything_of_every_check() -> None:
    words, text = load("en"), PAGE.read_text("utf-8")
    for check in CHECKS:
        for part in ("name", "rule", "cause", "remedy"):
            assert words(f"checks.{check.key}.{part}") in text, (check.key, part)
        for name, _ in check.thresholds:
            assert f"`{name} = " in text


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
