"""The engine reads below one folder, writes nothing, and stops when it is told to."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import duckdb
import pytest

from abtest.problems import UserError
from abtest.sources.engine import Engine, engine_problem, name, open_engine, printable, reading, text


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("a\n1\n")
    (tmp_path / "secret.csv").write_text("a\n2\n")
    return open_engine(tmp_path / "data", threads=1)


def test_only_files_of_the_data_folder(engine: Engine) -> None:
    folder = engine.folder
    assert engine.rows(f"FROM read_csv({text(str(folder / 'a.csv'))})") == [(1,)]
    for other in (
        folder.parent / "secret.csv",
        folder / ".." / "secret.csv",
        Path("/etc/passwd"),
        "https://example.org/a.csv",
    ):
        with pytest.raises(duckdb.Error):
            engine.rows(f"FROM read_csv({text(str(other))})")
    for statement in ("COPY (SELECT 1) TO '{}'", "ATTACH '{}'", "INSTALL httpfs", "SET enable_external_access = true"):
        with pytest.raises(duckdb.Error):
            engine.sql(statement.format(folder.parent / "out.db"))
    engine.close()
    assert sorted(p.name for p in folder.parent.iterdir()) == ["data", "secret.csv"]


def test_the_folder_for_temporary_files_goes_away(engine: Engine) -> None:
    assert engine.spill is not None
    assert engine.spill.is_dir()
    engine.close()
    assert not engine.spill.exists()


def test_ctrl_c_stops_a_long_statement(engine: Engine) -> None:
    threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    before = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        engine.rows("SELECT count(*) FROM range(1000000000) a, range(1000) b WHERE a.range * b.range % 7 = 3")
    assert time.monotonic() - before < 3
    assert engine.one("SELECT 1") == (1,)
    engine.close()


@pytest.mark.parametrize("memory", ["banana", "-1GB", "10%", "1e9", ""])
def test_a_size_that_is_none(tmp_path: Path, memory: str) -> None:
    with pytest.raises(UserError, match=r'E002 --memory ".*" is no size\n  Example:  --memory 2GB') as caught:
        open_engine(tmp_path, memory=memory)
    assert caught.value.exit_code == 2


def test_too_little_memory_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="E505 not enough memory for these data"):
        open_engine(tmp_path, memory="1KB").sql("CREATE TEMP TABLE x AS SELECT hash(range) AS h FROM range(1000000)")


def test_mistakes_of_the_program_are_no_problems_of_the_user(engine: Engine) -> None:
    for statement in ("SELEC 1", "SELECT * FROM nowhere", "SELECT nothing"):
        with pytest.raises(duckdb.ProgrammingError), reading(engine, "a.csv"):
            engine.rows(statement)
    with pytest.raises(UserError, match=r"E506 a\.csv cannot be read: Conversion Error"), reading(engine, "a.csv"):
        engine.rows("SELECT CAST('x' AS INTEGER)")
    engine.close()


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (
            "Out of Memory Error: failed to allocate",
            "E505 not enough memory for f.csv\n  Give more with  --memory 8GB,  or use fewer threads:  --threads 1",
        ),
        (
            "IO Error: No space left on device",
            "E505 not enough disk space for the temporary files of f.csv\n  Free some, or give more memory with  --memory 8GB",
        ),
        ("Invalid Input Error: strange\nsecond line", "E506 f.csv cannot be read: Invalid Input Error: strange"),
        ("", "E506 f.csv cannot be read: Exception"),
    ],
)
def test_what_the_engine_says_in_one_sentence(said: str, problem: str) -> None:
    found = engine_problem(Exception(said), "f.csv")
    assert (str(found), found.exit_code) == (problem, 3)


def test_names_and_text_keep_their_quotes() -> None:
    connection = duckdb.connect()
    for word in ("it's", 'a"b', "a\\'b", "'; DROP TABLE x; --", "\n", "🎉", "", "$1", "?"):
        assert connection.execute(f"SELECT {text(word)}").fetchall() == [(word,)]
        if word:
            cursor = connection.execute(f"SELECT 1 AS {name(word)}")
            assert cursor.description is not None
            assert cursor.description[0][0] == word


def test_printable() -> None:
    assert printable("a\n\x1b[31mb\u202e") == "a\\n\\x1b[31mb\\u202e"
    assert printable("x" * 300, 10) == "x" * 10 + "…"
