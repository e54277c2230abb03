"""`docs/catalogue.md` is made from the entries of the catalogue: it cannot drift from them.

`python -m tests.reports.test_catalogue_page` writes it anew.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from abtest.language.catalogue import SECTIONS, entries, vocabulary
from abtest.language.project import load_project
from abtest.reports.catalogue_page import catalogue_page
from tests.catalogue_projects import sources, uses

PAGE = Path(__file__).parents[2] / "docs" / "catalogue.md"


def page() -> str:
    with TemporaryDirectory() as folder:
        (Path(folder) / "abtest.yml").write_text(sources() + uses(), "utf-8")
        return catalogue_page(load_project(Path(folder)))


def test_the_page_of_the_docs_is_what_the_entries_say() -> None:
    assert PAGE.read_text("utf-8") == page()


@pytest.mark.parametrize("section", SECTIONS)
def test_the_page_has_every_entry_with_both_languages(section: str) -> None:
    text = PAGE.read_text("utf-8")
    for name, entry in entries(section).items():
        head = f"\n### {name}\n" if section == "metrics" else f"\n### {name} ({section.removesuffix('s')})\n"
        assert text.count(head) == 1, name
        own = text.partition(head)[2].partition("\n### ")[0]
        for key in ("title", "description", "cannot"):
            node = entry.get(key)
            for language in ("en", "nl"):
                words = node.get(language).value
                assert words in own, (name, key, language)


def test_the_page_explains_every_word() -> None:
    text = PAGE.read_text("utf-8")
    for word in (*vocabulary().events.values(), *vocabulary().sources.values()):
        assert word.meaning.en in text
        assert word.meaning.said("nl") in text


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
