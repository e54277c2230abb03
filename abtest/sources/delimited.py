"""CSV files to a table of text, with every line that does not fit counted.

A quote that is never closed would swallow all lines up to the next quote. Such files are read a second time line by
line, where a quote ends with its line at the latest, and the reading that keeps more rows is taken.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import IO, NamedTuple, cast

from abtest.problems import data_error
from abtest.sources.engine import Engine, name, printable, text
from abtest.sources.files import Files, file_list
from abtest.sources.shape import intact

MAX_BROKEN_SHARE = 0.05
"""Above this share of unparsable lines the file is taken to be of another shape, not merely damaged."""
OPEN_QUOTE = "a quote that does not close"
_MAX_LINE = 16_000_000
_COUNTED = 500_000_000
"""Bytes of a file in which lines are counted to name the first broken one."""
_NO_DELIMITER = "\x01"


class Loaded(NamedTuple):
    """Rows in the table, lines that are not, and file, line and reason of the first of those."""

    rows: int
    unparsable: int
    first: str | None


class _Rejected(NamedTuple):
    lines: int
    first: str | None
    swallowed: bool
    wrong_text: bool


def read_csv(engine: Engine, files: Files, chosen: dict[str, str], table: str, row_id: bool) -> Loaded:
    """Write the columns `chosen` (column -> alias) of all files to `table`, and `row_id`, a number when it is wanted.

    Raises UserError (exit 3) when too many lines are unparsable.
    """
    rejected = _records(engine, files, chosen, table, row_id)
    count = int(engine.one(f"SELECT count(*) FROM {name(table)}")[0])
    found = Loaded(count, rejected.lines, rejected.first)
    if rejected.lines:
        for path, shown in zip(files.paths, files.names, strict=True):
            if path.suffix.lower() == ".gz":
                intact(path, printable(shown))
    unseen = not rejected.swallowed and _swallowed_unseen(files, count + rejected.lines)
    if rejected.swallowed or unseen:
        by_line = _lines(engine, files, chosen, f"{table}_by_line", row_id)
        if by_line.rows > found.rows:
            engine.drop(table)
            engine.sql(f"ALTER TABLE {name(f'{table}_by_line')} RENAME TO {name(table)}")
            first = _open_quote(files) if unseen else None
            found = Loaded(by_line.rows, by_line.unparsable, first or rejected.first)
        else:
            engine.drop(f"{table}_by_line")
    if found.unparsable > MAX_BROKEN_SHARE * (found.rows + found.unparsable):
        raise _too_broken(found, rejected.wrong_text)
    return found


def _swallowed_unseen(files: Files, accounted: int) -> bool:
    """Whether several files have more lines than were read or set aside.

    Over several files at once, the engine says nothing of a quote that is never closed: the rest of that file would be
    gone without a line in any ledger. Records may well stretch over lines, so this only asks for a closer look.
    """
    if len(files.paths) < 2:
        return False
    lines = 0
    for path in files.paths:
        with _opened(path) as handle:
            while block := handle.read(1 << 20):
                lines += block.count(b"\n")
    return lines - len(files.paths) > accounted


def _open_quote(files: Files) -> str | None:
    """The first line with a quote that does not close, as file:line and words."""
    for path, shown in zip(files.paths, files.names, strict=True):
        with _opened(path) as handle:
            for number, line in enumerate(handle, 1):
                if line.count(b'"') % 2:
                    return f"{printable(shown)}:{number}: {OPEN_QUOTE}"
    return None


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix.lower() == ".gz" else path.open("rb")


def numbered(row_id: bool, group: int) -> str:
    """SQL: a number per row over all groups of files."""
    return f"'{group}:' || CAST(row_number() OVER () AS VARCHAR) AS row_id" if row_id else "0 AS row_id"


def _too_broken(found: Loaded, wrong_text: bool) -> Exception:
    place, _, why = (found.first or "").rpartition(": ")
    if wrong_text:
        return data_error("E508", f"{place}: not UTF-8 text", "Save or export it as UTF-8.")
    lines = found.rows + found.unparsable
    return data_error(
        "E509",
        f"{place}: {why}; so it is in {found.unparsable:,} of {lines:,} lines",
        "Check the delimiter and the quoting of the export.",
    )


def _records(engine: Engine, files: Files, chosen: dict[str, str], table: str, row_id: bool) -> _Rejected:
    import duckdb

    try:
        return _load(engine, files, chosen, table, row_id, strict=True)
    except duckdb.InvalidInputException as e:
        if "state machine" not in str(e):
            raise
        # Lines that end in different ways; the lenient parser takes them as they come.
        return _load(engine, files, chosen, table, row_id, strict=False)


def _load(engine: Engine, files: Files, chosen: dict[str, str], table: str, row_id: bool, *, strict: bool) -> _Rejected:
    _forget(engine, table)
    for number, (shape, same) in enumerate(files.by_shape().items()):
        begin = f"CREATE OR REPLACE TEMP TABLE {name(table)} AS" if number == 0 else f"INSERT INTO {name(table)}"
        columns = "".join(f"h{shape.index(path)} AS {name(alias)}, " for path, alias in chosen.items())
        names = [f"h{i}" for i in range(len(shape.header))]
        reader = _reader(table, same, names, shape.delimiter, '"', strict)
        engine.sql(f"{begin} SELECT {columns}{numbered(row_id, number)} FROM {reader}")
    return _rejected(engine, files, table)


def _reader(table: str, paths: tuple[Path, ...], columns: list[str], delimiter: str, quote: str, strict: bool) -> str:
    """All columns as text and by position, nothing detected by the engine, lines that do not fit set aside."""
    types = "{" + ", ".join(f"{c}: 'VARCHAR'" for c in columns) + "}"
    return (
        f"read_csv({file_list(paths)}, columns = {types}, delim = {text(delimiter)}, quote = {text(quote)}, escape = {text(quote)}, "
        f"header = true, auto_detect = false, null_padding = false, strict_mode = {strict}, max_line_size = {_MAX_LINE}, "
        f"rejects_limit = 0, store_rejects = true, rejects_table = {text(f'rejects_of_{table}')}, rejects_scan = {text(f'scans_of_{table}')})"
    )


def _forget(engine: Engine, table: str) -> None:
    engine.drop(f"rejects_of_{table}")
    engine.drop(f"scans_of_{table}")


def _rejected(engine: Engine, files: Files, table: str) -> _Rejected:
    """The lines that were set aside."""
    source = f"(SELECT s.file_path AS path, r.line, r.line_byte_position AS position, r.error_type AS kind, r.csv_line FROM {name(f'rejects_of_{table}')} r JOIN {name(f'scans_of_{table}')} s USING (scan_id, file_id))"
    lines, swallowed, wrong_text = engine.one(
        "SELECT count(DISTINCT (path, line)), coalesce(bool_or(kind <> 'INVALID ENCODING' AND contains(rtrim(csv_line, chr(10) || chr(13)), chr(10))), false), "
        f"coalesce(count(DISTINCT (path, line)) FILTER (kind = 'INVALID ENCODING') > count(DISTINCT (path, line)) / 2, false) FROM {source}"
    )
    first = None
    if lines:
        path, line, position, kind, content = engine.one(
            f"SELECT path, line, position, kind, left(csv_line, 10000) FROM {source} ORDER BY path, line, kind LIMIT 1"
        )
        number = _line_number(Path(str(path)), position) or line
        first = f"{files.name_of(path)}:{number}: {_words(str(kind), str(content))}"
    _forget(engine, table)
    return _Rejected(int(lines), first, bool(swallowed), bool(wrong_text))


def _line_number(path: Path, position: int | None) -> int | None:
    """The line as an editor counts; the engine counts rows, which may stretch over several lines."""
    if position is None or position > _COUNTED:
        return None
    lines, left = 1, position
    with _opened(path) as handle:
        while left > 0:
            block = handle.read(min(left, 1 << 20))
            if not block:
                return None
            lines += block.count(b"\n")
            left -= len(block)
    return lines if lines > 1 else None  # carriage returns alone are counted by the engine


def _words(kind: str, line: str) -> str:
    if kind == "UNQUOTED VALUE":
        open_ = "\n" in line.rstrip("\r\n") or line.count('"') % 2
        return OPEN_QUOTE if open_ else "a quote in the wrong place"
    return {
        "TOO MANY COLUMNS": "more fields than column names",
        "MISSING COLUMNS": "fewer fields than column names",
        "INVALID ENCODING": "not UTF-8 text",
        "LINE SIZE OVER MAXIMUM": "a line that is far too long",
    }.get(kind, kind.lower().replace("_", " "))


def _lines(engine: Engine, files: Files, chosen: dict[str, str], table: str, row_id: bool) -> Loaded:
    """The same files with every line for itself. `first` is not known here."""
    _forget(engine, table)
    for number, (shape, same) in enumerate(files.by_shape().items()):
        begin = f"CREATE OR REPLACE TEMP TABLE {name(table)} AS" if number == 0 else f"INSERT INTO {name(table)}"
        source = f"(SELECT line FROM {_reader(table, same, ['line'], _NO_DELIMITER, '', False)} WHERE line IS NOT NULL)"
        field = _field(shape.delimiter)
        delimiter = _escaped(shape.delimiter)
        fields = f"regexp_extract_all({text(shape.delimiter)} || line, {text(f'{delimiter}({field})')}, 1)"
        whole = f"regexp_full_match(line, {text(f'(?:{field})(?:{delimiter}(?:{field}))*')})"
        split = f"SELECT CASE WHEN {whole} THEN {fields} END AS f FROM {source}"
        columns = "".join(f"{_unquoted(f'f[{shape.index(p) + 1}]')} AS {name(alias)}, " for p, alias in chosen.items())
        fits = f"coalesce(len(f) = {len(shape.header)}, false)"
        engine.sql(f"{begin} SELECT {columns}{fits} AS fits, {numbered(row_id, number)} FROM ({split})")
    lines, rows = engine.one(f"SELECT count(*), count(*) FILTER (fits) FROM {name(table)}")
    engine.sql(f"DELETE FROM {name(table)} WHERE NOT fits")
    rejected = _rejected(engine, files, table).lines
    return Loaded(int(rows), int(lines - rows) + rejected, None)


def _escaped(delimiter: str) -> str:
    return "\\" + delimiter if delimiter == "|" else delimiter


def _field(delimiter: str) -> str:
    """A regular expression for one field: quoted, or without a quote at its beginning, or empty."""
    return f'"(?:[^"]|"")*"|[^"{delimiter}][^{delimiter}]*|'


def _unquoted(value: str) -> str:
    inner = f"replace(substr({value}, 2, length({value}) - 2), '\"\"', '\"')"
    return f"CASE WHEN starts_with({value}, '\"') THEN {inner} ELSE nullif({value}, '') END"
