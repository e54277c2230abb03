"""Lines that cannot be read: the run goes on, the ledger counts them, a warning names file and line."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.bad_input.small import APP, Row, Small, ledger, packed

ROW = ["like_clicked", "2026-03-05T00:00:00Z", "x1", "u01", ""]


def _one_lost(small: Small, warning: str) -> None:
    """Only the broken line, written as line 102, is lost."""
    found = ledger(small.same(f"W501 {warning}; the line is left out\n"), "app")
    assert found == {**APP, "read": 326, "unparsable": 1}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ([*ROW, "more", "and more"], "more fields than column names"),
        (ROW[:3], "fewer fields than column names"),
        (['"like_clicked', *ROW[1:]], "a quote that does not close"),
        ([*ROW[:4], '"'], "a quote that does not close"),
        (['"like" clicked', *ROW[1:]], "a quote in the wrong place"),
        (['"a \\"b\\" c"', *ROW[1:]], "a quote in the wrong place"),
    ],
)
def test_one_broken_line_in_the_middle_of_a_csv(small: Small, row: Row, why: str) -> None:
    small.app.insert(100, row)
    _one_lost(small, f"app.csv:102: {why}")


def test_one_broken_line_in_the_middle_of_a_gzipped_csv(small: Small) -> None:
    small.app.insert(100, ['"like_clicked', *ROW[1:]])
    small.yaml("app.csv", "app.csv.gz").put("app.csv.gz", packed(small.text("app")))
    _one_lost(small, "app.csv.gz:102: a quote that does not close")


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_a_quote_that_does_not_close_in_one_of_several_files(small: Small, ending: str) -> None:
    """Over five files or more the engine reports nothing, and would leave out the rest of that file."""
    small.app.insert(100, ['"like_clicked', *ROW[1:]])
    head, *lines = small.text("app").splitlines(keepends=True)
    small.yaml("app.csv", f"app-*{ending}")
    for number in range(8):
        part = (
            lines[:150] if number == 0 else lines[150 + 25 * (number - 1) : None if number == 7 else 150 + 25 * number]
        )
        text = "".join([head, *part])
        small.put(f"app-{number}{ending}", packed(text) if ending.endswith("gz") else text.encode())
    _one_lost(small, f"app-0{ending}:102: a quote that does not close")


def test_a_quote_that_does_not_close_takes_no_other_line_with_it(small: Small) -> None:
    """Three of them: the engine alone would join each with all lines up to the next quote."""
    for place in (300, 200, 100):
        small.app.insert(place, ['"like_clicked', *ROW[1:]])
    result = small.same("W501 app.csv:102: a quote that does not close; 3 such lines in all\n")
    assert ledger(result, "app") == {**APP, "read": 328, "unparsable": 3}


def test_fields_with_line_breaks_are_kept_when_another_line_is_broken(small: Small) -> None:
    small.heads["app"].append("note")
    small.app = [[*row, '"two\nlines, and a ""quote"""'] for row in small.app]
    small.app.insert(100, [*ROW, "x", "y"])
    assert ledger(small.same("W501 app.csv:202: more fields than column names; the line is left out\n"), "app") == {
        **APP,
        "read": 326,
        "unparsable": 1,
    }


def test_a_line_that_is_not_utf_8(small: Small) -> None:
    small.app.insert(100, ["café", *ROW[1:]])
    small.put("app.csv", small.text("app").encode("latin-1"))
    _one_lost(small, "app.csv:102: not UTF-8 text")


def test_the_first_broken_line_of_several_files_is_named(small: Small) -> None:
    half = len(small.app) // 2
    small.yaml("app.csv", "log/*.csv")
    for name, rows in (("a", small.app[:half]), ("b", [*small.app[half:], ["x"]]), ("c", [["x", "y"]])):
        small.put(f"log/{name}.csv", "\n".join(",".join(r) for r in (small.heads["app"], *rows)) + "\n")
    line = len(small.app) - half + 2
    result = small.same(f"W501 log/b.csv:{line}: fewer fields than column names; 2 such lines in all\n")
    assert ledger(result, "app") == {**APP, "read": 327, "unparsable": 2}


def test_a_csv_that_is_mostly_broken(small: Small) -> None:
    small.app = [row if i % 2 else [*row, "x"] for i, row in enumerate(small.app)]
    small.fails(
        3,
        "E509 app.csv:2: more fields than column names; so it is in 163 of 325 lines\n"
        "  Check the delimiter and the quoting of the export.\n",
    )


def _objects(small: Small) -> list[str]:
    return [json.dumps(dict(zip(small.heads["app"], row, strict=True))) for row in small.app]


def test_ndjson_with_lines_that_are_no_objects(small: Small) -> None:
    lines = _objects(small)
    for place, line in (
        (220, "null"),
        (210, '{"name": "x", '),
        (205, '"text"'),
        (200, "[1, 2]"),
        (150, ""),
        (100, "no"),
    ):
        lines.insert(place, line)
    small.yaml("app.csv", "app.ndjson").put("app.ndjson", "\n".join(lines) + "\n")
    result = small.same("W501 app.ndjson:101: a line that is not a JSON object; 5 such lines in all\n")
    assert ledger(result, "app") == {**APP, "read": 330, "unparsable": 5}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda lines: "\n".join(x if i % 2 else "x" + x for i, x in enumerate(lines)),
            "E509 app.json:1: a line that is not a JSON object; so it is in 163 of 325 lines\n  Every line must be one JSON object.\n",
        ),
        (
            lambda lines: "[" + ",\n".join(lines) + "]",
            "app.json:1:1 E509 app.json is one JSON array, not one object per line\n"
            "  Write one object per line:  jq -c '.[]' app.json > events.ndjson\n",
        ),
        (
            lambda lines: "\n".join(json.dumps(json.loads(x), indent=2) for x in lines),
            "app.json:1:1 E509 app.json spreads its objects over several lines\n"
            "  Write one object per line:  jq -c . app.json > events.ndjson\n",
        ),
    ],
    ids=["half", "array", "pretty"],
)
def test_ndjson_that_is_mostly_something_else(small: Small, change: Callable[[list[str]], str], message: str) -> None:
    small.yaml("app.csv", "app.json").put("app.json", change(_objects(small)))
    small.fails(3, message)
