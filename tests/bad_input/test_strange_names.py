"""Names that would break a page, a terminal or a query if they were not escaped, in every place that has names."""

from __future__ import annotations

import html.parser
import json
import re
from typing import Any

import pytest

from tests.bad_input.small import LIKES, Small, csv_text, ledger, totals

NAMES = [
    "it's", 'a"b', "'; DROP TABLE units; --", '"; DROP TABLE units; --', "<script>alert(1)</script>", "<img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}", "{% raw %}", "a|b", "`code`", "[x](javascript:alert(1))", "&amp;", "🎉 party", "a\nb", "a\tb", "\u202eevil",
    "\x1b[31mred", "=1+1", "%s %d {0}", "x" * 10_000, "../../etc", "a[1]*?.csv",
]  # fmt: skip


def _named(small: Small, name: str) -> Small:
    """The name as title, variant, event, segment value, column and file."""
    text = json.dumps(name, ensure_ascii=False)
    file = re.sub(r"[/.]", "_", name)[:100] + ".csv"
    small.yaml("experiment: test\n", f"experiment: test\ntitle: {text}\n").yaml("It works.", text).yaml(
        "owner: us\nhyp", f"owner: {text}\nhyp"
    )
    small.yaml("likes: {amount", f"likes: {{title: {text}, description: {text}, amount").yaml(
        "like: like_clicked", f"like: {text}"
    )
    small.yaml("key: v1", f"title: {text}, key: {text}").yaml(
        "files: app.csv", f"files: {json.dumps(file, ensure_ascii=False)}"
    )
    mapped = "    units: {{user: {}}}\n    properties:\n      revenue"
    small.yaml(mapped.format("uid"), mapped.format(text))
    small.app = [[name if row[0] == "like_clicked" else row[0], *row[1:]] for row in small.app]
    small.flags = [[row[0], name if row[1] == "v1" else row[1], *row[2:]] for row in small.flags]
    small.people = [[row[0], name if row[1] == "ES" else row[1]] for row in small.people]
    small.heads["app"][3] = name
    small.put(file, csv_text(small.heads["app"], small.app))
    small.put("flags.csv", csv_text(small.heads["flags"], small.flags))
    return small.put("people.csv", csv_text(small.heads["people"], small.people))


class _Page(html.parser.HTMLParser):
    """Tags and attributes that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [
            k for k, v in attrs if k.startswith("on") or (v or "").lstrip().lower().startswith("javascript:")
        ]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_strange_names(small: Small, name: str) -> None:
    done = _named(small, name).run()
    assert (done.code, done.err) == (0, "")
    folder = small.folder / "out" / "test"
    result: dict[str, Any] = json.loads((folder / "result.json").read_text("utf-8"))
    assert totals(result, "likes") == LIKES
    assert ledger(result, "app")["used"] == 232
    assert [v["key"] for v in result["experiment"]["variants"]] == ["off", name]

    page = (folder / "report.html").read_text("utf-8")
    seen = _Page()
    seen.feed(page)
    assert seen.handlers == []
    assert "img" not in seen.tags
    assert page.count("<script") == page.count("</script>") == seen.tags.count("script") <= 3
    assert "alert(1)</script>" not in page
    assert "7 * 7" not in name or "7 * 7" in page

    summary = (folder / "summary.md").read_text("utf-8")
    for text in (done.out, summary):
        assert not re.search(
            r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text.replace("\u2068", "").replace("\u2069", "")
        )
        assert max(map(len, text.splitlines())) < 2_000
    assert not re.search(r"(?<!\\)<(img|script)|(?<!\\)\]\(javascript:", summary)


def test_strange_names_in_messages_stay_on_their_line(small: Small) -> None:
    for i, row in enumerate(small.flags):
        row[0] = ["a\nb", "\x1b[31m", "<b>", "x" * 500][i % 4]
    small.put("flags.csv", csv_text(small.heads["flags"], small.flags))
    seen = f"<b> 10, \\x1b[31m 10, a\\nb 10, {'x' * 60}… 10"
    done = small.run()
    assert done.code == 3
    assert sorted(done.err.partition("(seen: ")[2].partition(")")[0].split(", ")) == sorted(seen.split(", "))
    assert "\x1b" not in done.err


def test_strange_column_and_file_names_in_messages(small: Small) -> None:
    small.heads["app"][0] = "na\nme\x1b[31m"
    small.yaml("files: app.csv", 'files: "a\\nb.csv"').put("a\nb.csv", csv_text(small.heads["app"], small.app))
    done = small.run()
    assert done.code == 3
    assert done.err.startswith('abtest.yml:3:3 E503 source app: a\\nb.csv has no column "name"\n')
    assert done.err.endswith("Columns: at, event_id, na\\nme\\x1b[31m, total, uid\n")
