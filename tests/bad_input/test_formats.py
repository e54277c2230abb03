"""The same rows, exported in every way that is read: always the same values."""

from __future__ import annotations

import csv
import itertools
import json
import random
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.bad_input.small import APP, Small, at, csv_text, ledger, moment, packed


def test_the_healthy_project(small: Small) -> None:
    assert ledger(small.same(), "app") == APP


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators(small: Small, separator: str) -> None:
    small.put("app.csv", small.text("app", separator)).same()


def test_tsv_with_commas(small: Small) -> None:
    small.heads["app"].append("a,b,c,d,e,f,g")
    small.app = [[*row, "x"] for row in small.app]
    small.yaml("app.csv", "app.tsv").put("app.tsv", small.text("app", "\t")).same()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("\n", "\r\n", 100),
        lambda text: text.replace("\n", "\n\n", 50),
        lambda text: text.rstrip("\n"),
        lambda text: "\ufeff" + text.replace(",", ";").replace("\n", "\r\n").rstrip(),
        lambda text: text.replace(",", ", "),
    ],
    ids=["mark", "crlf", "cr", "mixed line ends", "empty lines", "no last line end", "excel", "padded"],
)
def test_marks_and_line_ends(small: Small, change: Any) -> None:
    text = small.text("app")
    head, _, rest = text.partition("\n")
    text = change(text) if ", " not in change("a,b") else f"{head}\n{change(rest)}"
    assert ledger(small.put("app.csv", text).same(), "app") == APP


def test_everything_in_quotes(small: Small) -> None:
    small.put("app.csv", csv_text(small.heads["app"], small.app, quoting=csv.QUOTE_ALL)).same()


@pytest.mark.parametrize("members", [1, 3])
def test_gzipped_csv(small: Small, members: int) -> None:
    text = small.text("app")
    cuts = [round(i * len(text) / members) for i in range(members + 1)]
    parts = [packed(text[a:b]) for a, b in itertools.pairwise(cuts)]
    small.yaml("app.csv", "app.csv.gz").put("app.csv.gz", b"".join(parts)).same()


def test_several_files_whose_columns_differ_in_order_delimiter_and_compression(small: Small) -> None:
    head, rows = small.heads["app"], small.app
    order = [4, 2, 0, 3, 1]
    small.yaml("app.csv", "log/*")
    small.put("log/a.csv", csv_text(head, rows[:100]))
    small.put(
        "log/b.csv",
        csv_text([*[head[i] for i in order], "extra"], [[*[r[i] for i in order], "x"] for r in rows[100:200]]),
    )
    small.put("log/c.csv.gz", packed(csv_text(head, rows[200:300], delimiter=";")))
    small.put("log/d.csv", csv_text(head, []))
    small.put("log/e.tsv", csv_text(head, rows[300:], delimiter="\t"))
    assert ledger(small.same(), "app") == APP


def test_a_later_file_lacks_a_column(small: Small) -> None:
    small.yaml("app.csv", "log/*").put("log/a.csv", small.text("app"))
    small.put("log/b.csv", csv_text(small.heads["app"][:4], [r[:4] for r in small.app]))
    small.fails(
        3,
        at(
            "app",
            'E503 source app: log/b.csv has no column "total", but log/a.csv has',
            "All files of one source have the columns that are used.",
        ),
    )


def test_a_file_that_two_patterns_match_is_read_once(small: Small) -> None:
    small.yaml("files: app.csv", "files: [app.csv, 'a*.csv', '*pp.csv']").same()


def _objects(small: Small) -> list[dict[str, Any]]:
    return [
        {
            "e": {"name": n},
            "at": t,
            "event_id": i,
            "who": {"u.id": u},
            "p": {"a/b": [{"total": float(x) if x else None}]},
        }
        for n, t, i, u, x in small.app
    ]


NESTED = (
    ("event: name", "event: e.name"),
    ("from: total", "from: p.a/b.0.total"),
    (
        "units: {user: uid}\n    properties:\n      revenue",
        "units: {user: \"who.'u.id'\"}\n    properties:\n      revenue",
    ),
)


@pytest.mark.parametrize("name", ["app.ndjson", "app.jsonl", "app.json", "app.ndjson.gz"])
def test_ndjson_with_nested_paths(small: Small, name: str) -> None:
    for change in (("app.csv", name), *NESTED):
        small.yaml(*change)
    text = "".join(json.dumps(o) + "\n" for o in _objects(small))
    assert ledger(small.put(name, packed(text) if name.endswith(".gz") else text).same(), "app") == APP


def test_ndjson_with_a_byte_order_mark(small: Small) -> None:
    for change in (("app.csv", "app.ndjson"), *NESTED):
        small.yaml(*change)
    small.put("app.ndjson", "\ufeff" + "\r\n".join(json.dumps(o) for o in _objects(small))).same()


@pytest.mark.parametrize(
    ("old", "new", "path", "hint"),
    [
        ("event: name", "event: nam", "nam", 'Did you mean "name"?  Columns: at, event_id, name, p, total, uid'),
        ("from: total", "from: p.deep.totl", "p.deep.totl", 'Did you mean "p.deep.total"?  Columns: p.deep.total'),
        ("from: total", "from: p.price", "p.price", "Columns: p.deep"),
    ],
)
def test_a_path_that_no_object_has(small: Small, old: str, new: str, path: str, hint: str) -> None:
    objects = [{**dict(zip(small.heads["app"], r, strict=True)), "p": {"deep": {"total": 1}}} for r in small.app]
    small.yaml("app.csv", "app.ndjson").yaml(old, new).put("app.ndjson", "\n".join(json.dumps(o) for o in objects))
    small.fails(3, at("app", f'E503 source app: app.ndjson has no column "{path}"', hint))


def _columns(small: Small) -> dict[str, Any]:
    return {h: [row[i] or None for row in small.app] for i, h in enumerate(small.heads["app"])}


def _parquet(small: Small, file: str, columns: dict[str, Any]) -> Small:
    pq.write_table(
        pa.table({k: v if isinstance(v, pa.Array) else pa.array(v) for k, v in columns.items()}), small.data / file
    )
    return small


def _typed(small: Small, kind: str) -> dict[str, Any]:
    columns = _columns(small)
    times = [moment(t) for t in columns["at"]]
    columns["at"] = {
        "text": columns["at"],
        "zoned": pa.array(times),
        "naive": pa.array([t.replace(tzinfo=None) for t in times]),
        "nanoseconds": pa.array([t.replace(tzinfo=None) for t in times], type=pa.timestamp("ns")),
        "epoch": [int(t.timestamp()) * 1000 for t in times],
        "double": [t.timestamp() for t in times],
    }[kind]
    columns["total"] = [None if x is None else float(x) if kind != "naive" else Decimal(x) for x in columns["total"]]
    columns["name"] = pa.array(columns["name"]).dictionary_encode()
    return columns


@pytest.mark.parametrize("kind", ["text", "zoned", "naive", "nanoseconds", "epoch", "double"])
def test_parquet(small: Small, kind: str) -> None:
    assert (
        ledger(_parquet(small, "app.parquet", _typed(small, kind)).yaml("app.csv", "app.parquet").same(), "app") == APP
    )


def test_parquet_with_records_and_with_json_text(small: Small) -> None:
    columns = _columns(small)
    columns["total"] = [{"v": x, "w": 1} for x in columns["total"]]
    columns["more"] = [json.dumps({"who": {"id": u}}) for u in columns.pop("uid")]
    small.yaml("from: total", "from: total.v").yaml(
        "    units: {user: uid}\n    properties:\n      rev",
        "    units: {user: more.who.id}\n    properties:\n      rev",
    )
    assert ledger(_parquet(small, "app.parquet", columns).yaml("app.csv", "app.parquet").same(), "app") == APP
    small.yaml("total.v", "total.x")
    hint = 'Did you mean "total.v"?  Columns: total.v, total.w'
    (small.folder / "out" / "test" / "result.json").unlink()
    small.fails(3, at("app", 'E503 source app: app.parquet has no column "total.x"', hint))
    small.yaml("total.x", "total.v").yaml("more.who.id", "more.whom.id")
    small.fails(
        3,
        at(
            "app",
            'E503 source app: app.parquet has no column "more.whom.id"',
            'Did you mean "more.who"?  Columns: more.who',
        ),
    )


def test_parquet_files_of_one_source_may_differ_in_types_and_order(small: Small) -> None:
    columns, half = _columns(small), 150
    first = {k: v[:half] for k, v in columns.items()}
    second = dict(reversed({k: v[half:] for k, v in columns.items()}.items()))
    second["total"] = [None if x is None else float(x) for x in second["total"]]
    small.yaml("app.csv", "app-*.parquet")
    _parquet(small, "app-1.parquet", first)
    assert ledger(_parquet(small, "app-2.parquet", second).same(), "app") == APP
    del second["total"]
    _parquet(small, "app-2.parquet", second)
    (small.folder / "out" / "test" / "result.json").unlink()
    small.fails(
        3,
        at(
            "app",
            'E503 source app: app-2.parquet has no column "total", but app-1.parquet has',
            "All files of one source have the columns that are used.",
        ),
    )


@pytest.mark.parametrize(
    ("value", "what", "hint"),
    [
        (lambda x: (x or "").encode(), "bytes, not text or numbers", "Export it as text."),
        (lambda x: [x], "lists, not single values", "Export one value per row."),
        (lambda x: {"v": x}, "records, not single values", "Name a field of it:  total.FIELD"),
    ],
    ids=["bytes", "list", "record"],
)
def test_a_parquet_column_that_holds_no_values(small: Small, value: Any, what: str, hint: str) -> None:
    columns = _columns(small)
    columns["total"] = [value(x) for x in columns["total"]]
    _parquet(small, "app.parquet", columns).yaml("app.csv", "app.parquet")
    small.fails(3, at("app", f'E503 source app: column "total" of app.parquet holds {what}', hint))


def test_a_parquet_without_rows(small: Small) -> None:
    _parquet(small, "app.parquet", {h: pa.array([], type=pa.string()) for h in small.heads["app"]})
    small.yaml("app.csv", "app.parquet")
    small.fails(3, at("app", "E501 source app: app.parquet holds no rows", "Export it again."))


def test_keep_first_does_not_depend_on_the_order_of_rows(small: Small) -> None:
    """The same id twice, once later and with another price: the earlier row counts, wherever it stands."""
    again = [
        [r[0], r[1].replace("2026-03-0", "2026-03-1"), r[2], r[3], "999"] for r in small.app if "2026-03-0" in r[1]
    ]
    rows = small.app + again
    for seed in range(3):
        random.Random(seed).shuffle(rows)
        small.put("app.csv", csv_text(small.heads["app"], rows))
        assert ledger(small.same(), "app") == {**APP, "read": len(rows), "duplicate": len(again)}


def test_rows_without_an_id_are_no_duplicates_of_each_other(small: Small) -> None:
    for row in small.app:
        row[2] = ""
    assert ledger(small.same(), "app") == APP
