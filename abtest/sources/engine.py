"""The embedded engine: one in-memory DuckDB, locked down, behind Ibis.

All state of a run lives in this connection. Text from YAML or data reaches SQL only through `name()` and `text()`.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from abtest.problems import Problem, UserError, data_error, quoted

T = TypeVar("T")


def name(identifier: str) -> str:
    """A quoted SQL identifier.

    >>> print(name('a"b'))
    "a""b"
    """
    return '"' + identifier.replace('"', '""').replace("\x00", "") + '"'


def text(value: str) -> str:
    """A quoted SQL text literal.

    >>> print(text("it's"))
    'it''s'
    """
    return "'" + value.replace("'", "''").replace("\x00", "") + "'"


@dataclass(frozen=True)
class Engine:
    """An open connection: `ibis` for expressions, `sql` for what the files need.

    Statements run in a thread of their own, because Python sees Ctrl-C only while it is not inside the engine.
    """

    ibis: Any
    folder: Path
    spill: Path | None = None
    worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "engine"), compare=False)
    kept: dict[str, Any] = field(default_factory=dict, compare=False)
    notices: dict[str, None] = field(default_factory=dict, compare=False)
    """What a person at the files should know of what was read, each once."""
    """By source, what its raw table in here was read from and what was found, so that the next experiment of the same
    files need not read them again."""

    def _run(self, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Names and rows of a statement."""

        def work() -> tuple[list[str], list[tuple[Any, ...]]]:
            cursor = self.ibis.con.execute(statement)
            return [d[0] for d in cursor.description or ()], cursor.fetchall()

        return self._waiting(work)

    def _waiting(self, work: Callable[[], T]) -> T:
        """The result of work in the engine. KeyboardInterrupt stops it within milliseconds."""
        import duckdb

        running: Future[T] = self.worker.submit(work)
        try:
            return running.result()
        except KeyboardInterrupt:
            self.interrupt()
            wait([running])
            raise
        except duckdb.OutOfMemoryException as e:
            raise engine_problem(e, "these data") from e

    def sql(self, statement: str) -> None:
        self._run(statement)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return self._run(statement)[1]

    def fetch(self, expression: Any) -> list[dict[str, Any]]:
        """The rows of an Ibis expression that ends in aggregates, without a detour over DataFrames."""
        names, rows = self._run(self.ibis.compile(expression))
        return [dict(zip(names, row, strict=True)) for row in rows]

    def one(self, statement: str) -> tuple[Any, ...]:
        return self.rows(statement)[0]

    def numbers(self, statement: str) -> list[Any]:
        """The columns of a statement as arrays of floats, NaN for NULL; for what needs every unit."""
        import numpy

        found = self._waiting(lambda: self.ibis.con.execute(statement).fetchnumpy())
        return [numpy.ma.filled(numpy.ma.asarray(c, dtype=float), numpy.nan) for c in found.values()]

    def table(self, table: str) -> Any:
        return self.ibis.table(table)

    def keep(self, table: str, expression: Any) -> Any:
        """Materialise an Ibis expression as a temporary table."""
        self.sql(f"CREATE OR REPLACE TEMP TABLE {name(table)} AS {self.ibis.compile(expression)}")
        return self.ibis.table(table)

    def columns(self, table: str) -> tuple[str, ...]:
        return tuple(r[0] for r in self.rows(f"SELECT column_name FROM (DESCRIBE {name(table)})"))

    def drop(self, table: str) -> None:
        self.sql(f"DROP TABLE IF EXISTS {name(table)}")

    def interrupt(self) -> None:
        self.ibis.con.interrupt()

    def close(self) -> None:
        self.worker.shutdown()
        self.ibis.disconnect()
        if self.spill is not None:
            shutil.rmtree(self.spill, ignore_errors=True)


def open_engine(folder: Path, *, threads: int | None = None, memory: str | None = None) -> Engine:
    """An engine that can read files below `folder` and nothing else: no network, no extensions, no writing.

    What does not fit into `memory` goes to a folder for temporary files, which `close` removes.
    """
    import ibis

    if memory is not None and not re.fullmatch(r"\d{1,6}(\.\d+)?\s*[KMGT]i?B", memory):
        problem = Problem("E002", f"--memory {quoted(memory)} is no size", None, "Example:  --memory 2GB")
        raise UserError([problem], exit_code=2)
    options: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    if threads is not None:
        options["threads"] = threads
    if memory is not None:
        options["memory_limit"] = memory
    try:
        backend = ibis.duckdb.connect(":memory:", **options)
    except Exception as e:
        raise data_error("E500", f"the engine cannot start: {_first_line(e)}") from e
    engine = Engine(backend, folder, Path(tempfile.mkdtemp(prefix="abtest-")))
    try:
        engine.sql(f"SET temp_directory = {text(str(engine.spill))}")
        engine.sql("SET TimeZone = 'UTC'")
        engine.sql("SET enable_progress_bar = false")
        # Nothing here depends on the order of rows, so the engine need not keep it.
        engine.sql("SET preserve_insertion_order = false")
        engine.sql(f"SET allowed_directories = [{text(str(folder.resolve()) + '/')}]")
        engine.sql("SET enable_external_access = false")
    except BaseException:
        engine.close()
        raise
    return engine


@contextmanager
def reading(engine: Engine, what: str) -> Iterator[None]:
    """Whatever the engine says about the content of files in here becomes one sentence about `what`."""
    import duckdb

    try:
        yield
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.SyntaxException):
        raise
    except (duckdb.InternalError, duckdb.InterruptException):
        raise
    except duckdb.Error as e:
        raise engine_problem(e, _named(engine, e) or what) from e


def _named(engine: Engine, error: Exception) -> str | None:
    """The file that the engine complains about, relative to the data folder."""
    found = re.search(r'"([^"\n]*)"', str(error))
    root = str(engine.folder.resolve()) + "/"
    return printable(found[1].removeprefix(root)) if found and found[1].startswith(root) else None


def engine_problem(error: Exception, what: str) -> UserError:
    """What the engine said about a file, in one sentence."""
    lower = str(error).lower()
    if "out of memory" in lower or "could not allocate" in lower:
        hint = "Give more with  --memory 8GB,  or use fewer threads:  --threads 1"
        return data_error("E505", f"not enough memory for {what}", hint)
    if "no space left" in lower or "max_temp_directory_size" in lower:
        hint = "Free some, or give more memory with  --memory 8GB"
        return data_error("E505", f"not enough disk space for the temporary files of {what}", hint)
    if "gzip" in lower and ("unexpected end" in lower or "truncated" in lower):
        return truncated(what)
    if "gzip" in lower:
        return data_error(
            "E504", f"{what} is not gzip-compressed, though its name says so", "Rename it, or export it again."
        )
    if "magic bytes" in lower or "too small to be a parquet" in lower:
        return data_error("E504", f"{what} is not a Parquet file, or only a part of one", "Export it again.")
    if ".parquet" in what or ".pq" in what:
        return data_error("E504", f"{what} is damaged and cannot be read ({_first_line(error)})", "Export it again.")
    return data_error("E506", f"{what} cannot be read: {_first_line(error)}")


def truncated(what: str) -> UserError:
    message = f"{what} is a truncated gzip file: the export or download stopped in the middle"
    return data_error("E504", message, "Export it again.")


def printable(value: str, limit: int = 200) -> str:
    """A file name or a word of the engine on one line of a terminal."""
    clean = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value[:limit])
    return clean if len(value) <= limit else clean + "…"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return printable(lines[0].rstrip(": ")) if lines else type(error).__name__
