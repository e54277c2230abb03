"""The embedded engine: one in-memory DuckDB, locked down, behind Ibis.

All state of a run lives in this connection. Text from YAML or data reaches SQL only through `name()` and `text()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abtest.problems import UserError, data_error


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
    """An open connection: `ibis` for expressions, `sql` for what the files need."""

    ibis: Any
    folder: Path

    def sql(self, statement: str) -> None:
        self.ibis.con.execute(statement)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.ibis.con.execute(statement).fetchall()
        return found

    def fetch(self, expression: Any) -> list[dict[str, Any]]:
        """The rows of an Ibis expression that ends in aggregates, without a detour over DataFrames."""
        cursor = self.ibis.con.execute(self.ibis.compile(expression))
        names = [d[0] for d in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def one(self, statement: str) -> tuple[Any, ...]:
        return self.rows(statement)[0]

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
        self.ibis.disconnect()


def open_engine(folder: Path, *, threads: int | None = None, memory: str | None = None) -> Engine:
    """An engine that can read files below `folder` and nothing else: no network, no extensions, no writing."""
    import ibis

    options: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    if threads is not None:
        options["threads"] = threads
    if memory is not None:
        options["memory_limit"] = memory
    try:
        backend = ibis.duckdb.connect(":memory:", **options)
    except Exception as e:
        raise data_error("E500", f"the engine cannot start: {_first_line(e)}") from e
    engine = Engine(backend, folder)
    engine.sql("SET TimeZone = 'UTC'")
    engine.sql("SET enable_progress_bar = false")
    # Nothing here depends on the order of rows, so the engine need not keep it.
    engine.sql("SET preserve_insertion_order = false")
    engine.sql(f"SET allowed_directories = [{text(str(folder.resolve()) + '/')}]")
    engine.sql("SET enable_external_access = false")
    return engine


def allow(engine: Engine, paths: Sequence[Path]) -> None:
    """Nothing to do: `paths` lie below the folder that the engine may read (checked when they were found)."""
    root = engine.folder.resolve()
    for path in paths:
        if not path.resolve().is_relative_to(root):
            raise data_error("E140", f"{path.name} lies outside the data folder")


def engine_problem(error: Exception, what: str) -> UserError:
    """What the engine said about a file, in one sentence."""
    message = str(error)
    lower = message.lower()
    if "gzip" in lower and ("unexpected end" in lower or "truncated" in lower):
        return data_error(
            "E504", f"{what} is a truncated gzip file: the export or download stopped in the middle", "Export it again."
        )
    if "gzip" in lower or ("zstd" in lower and "decompress" in lower):
        return data_error("E504", f"{what} is not valid compressed data", "Check the extension: .gz means gzip.")
    if "parquet" in lower and ("magic bytes" in lower or "too small" in lower or "no magic" in lower):
        return data_error(
            "E504", f"{what} is not a Parquet file", "Check the extension, and that the export was complete."
        )
    if "out of memory" in lower:
        return data_error(
            "E505",
            f"not enough memory for {what}",
            "Give more with  --memory 8GB,  or free disk space for temporary files.",
        )
    return data_error("E506", f"{what} cannot be read: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
