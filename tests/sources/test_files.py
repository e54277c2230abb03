"""Finding files, and what their first bytes tell."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pytest

from abtest.language.model import Project, Source
from abtest.problems import UserError
from abtest.sources.files import file_list, find_files
from abtest.sources.json_lines import pointer, segments
from abtest.sources.shape import Shape, csv_shape
from abtest.sources.stray import STRAY, dense_end


def project(root: Path) -> Project:
    return Project(root, "p", "UTC", ".", {}, {}, {}, {})


def source(*files: str) -> Source:
    return Source("s", "events", files, (("user", "u"),))


def test_globs_are_sorted_and_read_once(tmp_path: Path) -> None:
    for name in ("b/2.csv", "b/1.csv", "a/3.csv", "a/x.txt.bak"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("u,t\n1,2\n")
    found = find_files(project(tmp_path), source("b/*.csv", "**/*.csv", "a/3.csv"))
    assert found.names == ("a/3.csv", "b/1.csv", "b/2.csv")
    assert found.what == "a/3.csv and 2 more"
    assert found.by_shape() == {Shape(",", ("u", "t")): found.paths}


@pytest.mark.parametrize("name", ["app[1].csv", "a*.csv", "a?.csv", "it's.csv", 'a"b.csv', "a\nb.csv", "{a,b}.csv"])
def test_a_file_name_is_no_pattern(tmp_path: Path, name: str) -> None:
    """The engine reads `*` in the name of a file as a pattern; only the file itself may be read."""
    for other in ("app1.csv", "ab.csv", "axx.csv", name):
        (tmp_path / other).write_text(f"u\n{'right' if other == name else 'wrong'}\n")
    found = find_files(project(tmp_path), source(name))
    assert found.paths == (tmp_path / name,)
    sql = f"SELECT * FROM read_csv({file_list(found.paths)}, header = true, columns = {{u: 'VARCHAR'}}, auto_detect = false)"
    assert duckdb.connect().execute(sql).fetchall() == [("right",)]


@pytest.mark.parametrize(
    ("raw", "shape"),
    [
        (b"a,b\n1,2\n", Shape(",", ("a", "b"))),
        (b"a;b,c;d\n", Shape(";", ("a", "b,c", "d"))),
        (b"\xef\xbb\xbfa\tb\r\n", Shape("\t", ("a", "b"))),
        (b'"a\nb","c""d"\n1,2\n', Shape(",", ("a\nb", 'c"d'))),
        (b"a|b\r1|2\r", Shape("|", ("a", "b"))),
        (b"alone\n1\n", Shape(",", ("alone",))),
        (b"a,,b\n", Shape(",", ("a", "", "b"))),
        (b"x" * 300_000 + b",y\n", Shape(",", ("x" * 300_000, "y"))),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_delimiter_and_columns(tmp_path: Path, raw: bytes, shape: Shape, packed: bool) -> None:
    path = tmp_path / ("a.csv.gz" if packed else "a.csv")
    path.write_bytes(gzip.compress(raw) if packed else raw)
    if len(shape.header[0]) > 131_072:
        with pytest.raises(UserError, match="E503 the column names of a cannot be read: field larger than field limit"):
            csv_shape(path, "a")
        return
    assert csv_shape(path, "a") == shape


def test_a_tsv_is_split_at_tabs_whatever_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a,b,c\td\n")
    assert csv_shape(tmp_path / "a.tsv", "a.tsv") == Shape("\t", ("a,b,c", "d"))


@pytest.mark.parametrize(
    ("path", "keys", "json"),
    [
        ("a", ("a",), "/a"),
        ("a.b.0", ("a", "b", "0"), "/a/b/0"),
        ("a.'b.c'.d", ("a", "b.c", "d"), "/a/b.c/d"),
        ("a/b.c~d", ("a/b", "c~d"), "/a~1b/c~0d"),
        ("$ab.it's", ("$ab", "it's"), "/$ab/it's"),
    ],
)
def test_paths_into_objects(path: str, keys: tuple[str, ...], json: str) -> None:
    assert segments(path) == keys
    assert pointer(path) == json


@pytest.mark.parametrize(
    ("per_day", "end"),
    [
        ([(1, 5)], 1),
        ([(1, 50), (2, 60), (9000, 1)], 2),
        ([(1, 50), (2, 60), (9000, 1), (9500, 1)], 2),
        ([(1, 500), (40, 5)], 1),  # 39 days later, and one percent
        ([(1, 500), (31, 5)], 31),  # no gap of more than 30 days
        ([(1, 500), (40, 6)], 40),  # more than a percent: people came back
        ([(1, 100), (400, 25)], 1),  # years later, and a fifth
        ([(1, 100), (400, 50)], 400),
        ([(1, 50), (60, 50)], 60),
        ([(1, 1), (9000, 1000)], 9000),  # stray rows in the past do not end the data
    ],
)
def test_where_the_data_end(per_day: list[tuple[int, int]], end: int) -> None:
    assert dense_end(per_day, STRAY) == end
