"""Files that are missing, empty, damaged, of another kind, or somewhere else."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.bad_input.small import Small, at, packed

NOT_GZIP = "E504 app.csv.gz is not gzip-compressed, though its name says so\n  Rename it, or export it again.\n"
TRUNCATED = "E504 {} is a truncated gzip file: the export or download stopped in the middle\n  Export it again.\n"
DAMAGED = "E504 app.csv.gz is damaged: it cannot be decompressed\n  Export or download it again.\n"
UTF8 = "  Save or export it as UTF-8.\n"


@pytest.mark.parametrize("table", ["app", "flags", "people"])
def test_only_a_line_with_column_names(small: Small, table: str) -> None:
    small.put(f"{table}.csv", ",".join(small.heads[table]) + "\n")
    small.fails(3, at(table, f"E501 source {table}: {table}.csv holds no rows", "Export it again."))


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_no_bytes_at_all(small: Small, content: str) -> None:
    small.put("app.csv", content)
    small.fails(3, "app.csv:1:1 E501 app.csv is empty: not even a line with column names\n  Export it again.\n")


def test_an_empty_first_line(small: Small) -> None:
    small.put("app.csv", "\n" + small.text("app"))
    small.fails(3, "app.csv:1:1 E503 the first line of app.csv is empty\n  It must name the columns.\n")


def test_an_empty_ndjson(small: Small) -> None:
    small.yaml("app.csv", "app.ndjson").put("app.ndjson", "")
    small.fails(3, at("app", "E501 source app: app.ndjson holds no rows", "Export it again."))


def test_one_of_several_files_is_empty(small: Small) -> None:
    small.yaml("app.csv", "log/*.csv").put("log/a.csv", small.text("app")).put("log/b.csv", "")
    small.fails(3, "log/b.csv:1:1 E501 log/b.csv is empty: not even a line with column names\n  Export it again.\n")


def _damage(at_byte: float, flip: int = 0xFF) -> Callable[[bytes], bytes]:
    def damaged(raw: bytes) -> bytes:
        out = bytearray(raw)
        place = int(at_byte * len(out)) if at_byte < 1 else len(out) - 6
        out[place] ^= flip
        return bytes(out)

    return damaged


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: raw[: len(raw) // 2], TRUNCATED.format("app.csv.gz")),
        (lambda raw: raw[:-4], TRUNCATED.format("app.csv.gz")),
        (_damage(0.6), DAMAGED),
    ],
    ids=["half", "end", "flipped"],
)
def test_damaged_gzip(small: Small, damage: Callable[[bytes], bytes], message: str, large: bool) -> None:
    more = "".join(
        f"like_clicked,2026-03-05T00:00:00Z,{(i * 2654435761) % 2**64:020d},u01,\n" for i in range(40_000 * large)
    )
    small.yaml("app.csv", "app.csv.gz").put("app.csv.gz", damage(packed(small.text("app") + more)))
    small.fails(3, message)


def test_a_wrong_checksum(small: Small) -> None:
    small.yaml("app.csv", "app.csv.gz").put("app.csv.gz", _damage(1)(packed(small.text("app"))))
    small.fails(3, DAMAGED)


def test_not_gzip_at_all(small: Small) -> None:
    small.yaml("app.csv", "app.csv.gz").put("app.csv.gz", small.text("app")).fails(3, NOT_GZIP)


def test_truncated_ndjson(small: Small) -> None:
    lines = "".join(f'{{"name": "like_clicked", "id": {i * 2654435761}}}\n' for i in range(999))
    small.yaml("app.csv", "app.ndjson.gz").put("app.ndjson.gz", packed(lines)[:2000])
    small.fails(3, TRUNCATED.format("app.ndjson.gz"))


@pytest.mark.parametrize(
    ("content", "what", "hint"),
    [
        (packed("a,b\n1,2\n"), "is gzip-compressed, but its name does not end in .gz", "Rename it to end in .gz."),
        (b"PAR1" + b"\x00" * 40, "is a Parquet file", "Rename it to end in .parquet."),
        (b"PK\x03\x04" + b"\x00" * 40, "is a zip archive or a spreadsheet, not text", "Unpack it, or save it as CSV."),
        (b"\x28\xb5\x2f\xfd" + b"\x00" * 40, "is compressed with zstd", "Decompress it, or compress it with gzip."),
    ],
)
def test_another_kind_of_file_under_the_name_of_a_csv(small: Small, content: bytes, what: str, hint: str) -> None:
    small.put("app.csv", content).fails(3, f"app.csv:1:1 E504 app.csv {what}\n  {hint}\n")


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        ("app.zip", "is compressed in a way that is not read", "Unpack it."),
        ("app.csv.zst", "is compressed in a way that is not read", "Unpack it."),
        ("app.xlsx", "is a spreadsheet", "Save the sheet as CSV (UTF-8)."),
        ("app.log", "has an unknown format", "Known: .csv .tsv .ndjson .jsonl .json, plain or with .gz, and .parquet"),
    ],
)
def test_unknown_formats(small: Small, name: str, what: str, hint: str) -> None:
    packed_ = io.BytesIO()
    with zipfile.ZipFile(packed_, "w") as archive:
        archive.writestr("app.csv", small.text("app"))
    small.yaml("app.csv", name).put(name, packed_.getvalue())
    small.fails(3, at("app", f'E502 source app: "{name}" {what}', hint))


def test_formats_do_not_mix(small: Small) -> None:
    small.yaml("app.csv", "log/*").put("log/a.csv", small.text("app")).put("log/b.ndjson", "{}")
    small.fails(3, at("app", "E502 source app mixes formats: csv, ndjson", "Make one source per format."))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16(small: Small, encoding: str) -> None:
    small.put("app.csv", small.text("app").encode(encoding))
    small.fails(3, f"app.csv:1:1 E508 app.csv is not UTF-8 text (it looks like UTF-16)\n{UTF8}")


def test_latin_1(small: Small) -> None:
    for row in small.people[2:]:
        row[1] = "México"
    small.put("people.csv", small.text("people").encode("latin-1"))
    small.fails(3, f"E508 people.csv:4: not UTF-8 text\n{UTF8}")


def test_latin_1_in_a_column_name(small: Small) -> None:
    small.heads["people"][1] = "país"
    small.put("people.csv", small.text("people").encode("latin-1")).yaml("country: country", "country: país")
    small.fails(3, f"people.csv:1:1 E508 people.csv is not UTF-8 text\n{UTF8}")


def test_latin_1_in_ndjson(small: Small) -> None:
    lines = '{"name": "me gustó"}\n' * 50
    small.yaml("app.csv", "app.ndjson").put("app.ndjson", lines.encode("latin-1"))
    small.fails(3, f"E508 app.ndjson:1: not UTF-8 text\n{UTF8}")


@pytest.mark.parametrize("content", [b"", b"name,at\n", b"PAR1" + b"x" * 500], ids=["empty", "text", "half"])
def test_not_parquet(small: Small, content: bytes) -> None:
    small.yaml("app.csv", "app.parquet").put("app.parquet", content)
    small.fails(3, "E504 app.parquet is not a Parquet file, or only a part of one\n  Export it again.\n")


def test_damaged_parquet(small: Small) -> None:
    columns = list(zip(*small.app, strict=True))
    pq.write_table(pa.table(dict(zip(small.heads["app"], map(list, columns), strict=True))), small.data / "app.parquet")
    raw = bytearray((small.data / "app.parquet").read_bytes())
    for i in range(100, 400):
        raw[i] ^= 0x5A
    small.yaml("app.csv", "app.parquet").put("app.parquet", bytes(raw))
    done = small.run()
    assert done.code == 3
    assert done.err.startswith("E504 app.parquet is damaged and cannot be read (")
    assert done.err.endswith(")\n  Export it again.\n")
    assert small.left() == []


LISTED = 'Did you mean "app.csv"?  Files there: app.csv, flags.csv, people.csv'


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("ap.csv", LISTED),
        ("logs/*.csv.gz", LISTED.partition("  ")[2]),
        ("a**b.csv", LISTED.partition("  ")[2]),
        ("folder.csv", LISTED.partition("  ")[2]),
    ],
)
def test_a_missing_file(small: Small, pattern: str, hint: str) -> None:
    (small.data / "folder.csv").mkdir()
    small.yaml("files: app.csv", f"files: {pattern!r}").put("app.csv", "")
    small.fails(3, at("app", f'E502 source app: no file matches "{pattern}" in "data"', hint))


def test_a_name_that_no_disk_can_hold(small: Small) -> None:
    small.yaml("files: app.csv", f"files: {'a' * 5000}.csv").put("app.csv", "")
    shown = "a" * 59 + "… (5,004 characters)"
    small.fails(3, at("app", f'E502 source app: no file matches "{shown}" in "data"', LISTED.partition("  ")[2]))


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        ("empty", 'no file matches "flags.csv" in "empty"', "There is no CSV, NDJSON or Parquet file in it."),
        (
            "nowhere",
            'the data folder "nowhere" does not exist',
            "project: {data: FOLDER}  says where the exports are, relative to the project.",
        ),
        (
            "abtest.yml",
            'the data folder "abtest.yml" is a file',
            "project: {data: FOLDER}  says where the exports are, relative to the project.",
        ),
    ],
)
def test_no_files_at_all(small: Small, data: str, message: str, hint: str) -> None:
    (small.folder / "empty").mkdir()
    small.yaml("data: data", f"data: {data}").fails(3, at("flags", f"E502 source flags: {message}", hint))


@pytest.mark.parametrize("path", ["../secret.csv", "/etc/passwd", "~/x.csv", "*/../../*.csv"])
def test_paths_stay_in_the_data_folder(small: Small, path: str) -> None:
    small.yaml("files: app.csv", f"files: {path!r}")
    small.fails(
        1,
        f"""\
abtest.yml:5:12 E140 the path "{path}" leaves the data folder
    files: {path!r}
           {"^" * (len(path) + 2)}
  Write it relative to `project: data:`, without `..`.
""",
    )


def test_an_address_is_no_path(small: Small) -> None:
    small.yaml("files: app.csv", "files: https://example.org/a.csv")
    small.fails(
        1,
        """\
abtest.yml:5:12 E140 files are local; "https://example.org/a.csv" is an address
    files: https://example.org/a.csv
           ^^^^^^^^^^^^^^^^^^^^^^^^^
  Download the export first.
""",
    )


@pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
def test_a_link_that_leaves_the_data_folder(small: Small, folder: bool) -> None:
    (small.folder / "other").mkdir()
    (small.folder / "other" / "a.csv").write_text(small.text("app"))
    os.symlink(small.folder / "other" / ("" if folder else "a.csv"), small.data / ("sub" if folder else "a.csv"))
    small.yaml("files: app.csv", "files: sub/*.csv" if folder else "files: a.csv")
    small.fails(
        3,
        at(
            "app",
            'E140 source app: "a.csv" is a link that leaves the data folder',
            "Copy the file into the data folder.",
        ),
    )


def test_a_link_inside_the_data_folder_and_one_to_itself(small: Small) -> None:
    os.symlink(small.data / "real.csv", small.data / "a.csv")
    small.put("real.csv", small.text("app")).yaml("files: app.csv", "files: a.csv").same()
    os.symlink(small.data / "b.csv", small.data / "b.csv")
    small.yaml("files: a.csv", "files: b.csv")
    assert 'E502 source app: no file matches "b.csv"' in small.run().err
