"""The table of docs/statistics.md: built from the words of reports, and each of its lines run.

`python -m tests.test_statistics_docs` writes the table into the page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import abtest
from tests.analysis.covaried import write

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "statistics.md"
MARKED = re.compile(r"(?<=<!-- methods -->\n).*(?=<!-- /methods -->)", re.DOTALL)
WITHOUT_LINE = ("none", "other", "posterior")
CLUSTERED = ("cluster", "cluster_cr2")
"""Their runs stand with the tests of clusters."""


@dataclass(frozen=True)
class Method:
    """A code of a result, the metric that gets it, its page in docs/statistics; `where` says what else must hold."""

    code: str
    metric: str
    page: str
    where: str = ""


METHODS = (
    Method("welch", "{amount: like, adjust: none}", "means", "by itself; or `test: welch`"),
    Method("score", "{did: like >= 5, adjust: none}", "proportions", "by itself; or `test: score`"),
    Method("exact", "{did: like >= 5, test: exact}", "exact", "or by itself in small experiments"),
    Method("delta", "{ratio: {of: like, to: open}, adjust: none}", "ratios", "by itself; or `test: delta`"),
    Method("quantile", "{quantile: {of: like, at: 50%, across: units}}", "quantiles", "by itself; or `test: woodruff`"),
    Method("cuped", "{amount: like}", "adjust", "by itself where the logs reach back"),
    Method("lin", "{amount: like}", "adjust", "one arm more than 1.5 times the other"),
    Method("lin_hc2", "{amount: like}", "adjust", "an arm below 50 units"),
    Method("post_stratified", "{amount: like, adjust: people.plan}", "adjust", "one text attribute alone"),
    Method("fisher", "{did: like >= 5, test: fisher}", "exact"),
    Method("barnard", "{did: like >= 5, test: barnard}", "exact"),
    Method("boschloo", "{did: like >= 5, test: boschloo}", "exact"),
    Method("newcombe", "{did: like >= 5, test: newcombe}", "proportions"),
    Method("miettinen_nurminen", "{did: like >= 5, test: miettinen_nurminen}", "proportions"),
    Method("brunner_munzel", "{amount: like, test: brunner_munzel}", "ordinal"),
    Method("mann_whitney", "{amount: like, test: mann_whitney}", "ordinal"),
    Method("proportional_odds", "{amount: like, test: proportional_odds}", "ordinal"),
    Method("rmst", "{time_to: like, test: rmst}", "survival"),
    Method("log_rank", "{time_to: like, test: log_rank}", "survival"),
    Method("bootstrap", "{quantile: {of: like, at: 50%, across: units}, test: bootstrap}", "quantiles"),
    Method("cluster", "", "clusters", "whole clusters are randomised"),
    Method("cluster_cr2", "", "clusters", "whole clusters are randomised, few of them"),
)
SMALL, UNEQUAL = ("lin_hc2", "exact"), ("lin",)
"""Codes that need experiments of their own."""
USUAL = tuple(m.code for m in METHODS if m.code not in (*SMALL, *UNEQUAL, *CLUSTERED))
OTHER_WAYS = {
    "welch": "{did: like >= 5, test: welch}",
    "score": "{did: like >= 5, test: score}",
    "delta": "{ratio: {of: like, to: open}, test: delta}",
    "quantile": "{quantile: {of: like, at: 50%, across: units}, test: woodruff}",
    "exact": "{did: like >= 12}",
}
"""What `where` says besides."""


def words() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = yaml.safe_load((ROOT / "reports" / "en.yml").read_text("utf-8"))["test"]
    return found


def table() -> str:
    """The lines between the two marks of the page."""
    lines = ["| name | `method` | what selects it | why | page |", "|---|---|---|---|---|"]
    said = words()
    for m in METHODS:
        selects = ", ".join(part for part in (f"`{m.metric}`" if m.metric else "", m.where) if part)
        name, why = said[m.code]["name"], said[m.code]["why"]
        lines.append(f"| {name} | `{m.code}` | {selects} | {why} | [{m.page}](statistics/{m.page}.md) |")
    return "\n".join(lines) + "\n"


def methods_of(folder: Path, codes: tuple[str, ...], units: int, share: int = 50) -> dict[str, str]:
    """The method that each of these metrics gets; "m_" or "o_" and the code that it should be is its name."""
    made = {f"m_{m.code}": m.metric for m in METHODS if m.code in codes}
    made |= {f"o_{code}": metric for code, metric in OTHER_WAYS.items() if code in codes}
    metrics = [f"  {k}: {{{m.strip()[1:-1]}, over: first 14 days, better: higher}}\n" for k, m in made.items()]
    result = abtest.run("x", write(folder, "".join(metrics), units=units, share=share))
    return {m.key: m.comparisons[0].method for m in result.metrics if m.key in made}


def test_the_page_has_the_table_of_today() -> None:
    found = MARKED.search(PAGE.read_text("utf-8"))
    assert found is not None
    assert found[0] == table(), "run  python -m tests.test_statistics_docs"


def test_every_code_has_one_line() -> None:
    assert sorted(m.code for m in METHODS) == sorted(set(words()) - set(WITHOUT_LINE))
    assert {m.code for m in METHODS if not m.metric} == set(CLUSTERED)


def test_every_kernel_has_a_page_and_every_page_a_link() -> None:
    pages = {p.stem for p in (ROOT / "docs" / "statistics").glob("*.md")}
    assert {m.page for m in METHODS} <= pages
    text = PAGE.read_text("utf-8")
    for page in pages:
        assert f"(statistics/{page}.md)" in text, page
        own = (ROOT / "docs" / "statistics" / f"{page}.md").read_text("utf-8")
        assert own.startswith("# "), page
        assert "\n## " in own, page


@pytest.mark.parametrize(
    ("codes", "units", "share"),
    [
        (USUAL, 400, 50),
        (SMALL, 60, 50),
        (UNEQUAL, 400, 80),
    ],
    ids=["usual", "small", "unequal"],
)
def test_each_line_selects_what_it_says(codes: tuple[str, ...], units: int, share: int, tmp_path: Path) -> None:
    found = methods_of(tmp_path, codes, units, share)
    assert {name: name[2:] for name in found} == found
    assert {name[2:] for name in found} == set(codes)


if __name__ == "__main__":
    PAGE.write_text(MARKED.sub(lambda _: table(), PAGE.read_text("utf-8")), "utf-8")
