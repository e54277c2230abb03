"""Files of one source to a raw table of the columns that are needed, nothing judged yet.

CSV and NDJSON are read once into a table of text; Parquet stays where it is, as a view. Lines that cannot be parsed
are counted, with the place of the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abtest.language.model import Source
from abtest.language.read_sources import ROW_NUMBER
from abtest.language.suggest import did_you_mean
from abtest.problems import Place, data_error, quoted
from abtest.sources.engine import Engine, engine_problem, name, text
from abtest.sources.files import Files, Shape

MAX_BROKEN_SHARE = 0.05
MAX_BROKEN_LINES = 10
"""Above this share (and number) of unparsable lines a file is taken to be of another shape, not merely damaged."""


@dataclass(frozen=True)
class Raw:
    """A raw table: `columns` maps each path to a column of the table `table`, `types` to its SQL type."""

    table: str
    columns: dict[str, str]
    types: dict[str, str]
    rows: int
    unparsable: int
    first_broken: str | None
    files: Files

    def text(self, path: str) -> str:
        """SQL for the value at `path` as text; empty text is missing."""
        column = name(self.columns[path])
        if self.types[path] == "VARCHAR":
            # Only people and spreadsheets pad values; trimming the ids of a large Parquet would double the time.
            return f"nullif(trim({column}), '')" if self.files.format == "csv" else f"nullif({column}, '')"
        return f"CAST({column} AS VARCHAR)"

    def number(self, path: str) -> str:
        """SQL for the value as a finite number, NULL when it is none."""
        column = name(self.columns[path])
        value = (
            f"TRY_CAST({column} AS DOUBLE)"
            if self.types[path] != "BOOLEAN"
            else f"CAST(CAST({column} AS INTEGER) AS DOUBLE)"
        )
        if self.types[path] == "VARCHAR":
            flag = f"CASE lower(trim({column})) WHEN 'true' THEN 1.0 WHEN 'false' THEN 0.0 ELSE TRY_CAST({column} AS DOUBLE) END"
            value = flag
        return f"(CASE WHEN isfinite({value}) THEN {value} END)"


def paths_of(source: Source, unit: str, props: set[str]) -> tuple[str, ...]:
    """The paths that this run reads from a source: its mapped columns, the unit, and the named properties."""
    wanted: list[str] = []
    unit_path = source.unit_path(unit)
    if unit_path is not None and unit_path != ROW_NUMBER:
        wanted.append(unit_path)
    time = source.time.path if source.time is not None else None
    mapped = [source.event, source.id if "id" in source.dedupe else None, source.variant, source.flag, time]
    wanted += [p for p in mapped if p is not None]
    wanted += [p.path for p in source.properties if p.name in props]
    return tuple(dict.fromkeys(wanted))


def read_raw(engine: Engine, source: Source, files: Files, paths: tuple[str, ...]) -> Raw:
    """The raw table of one source. Raises UserError (exit 3) when a file cannot be read or lacks a column."""
    try:
        if files.format == "csv":
            return _read_csv(engine, source, files, paths)
        if files.format == "ndjson":
            return _read_ndjson(engine, source, files, paths)
        return _read_parquet(engine, source, files, paths)
    except Exception as e:
        if "duckdb" in type(e).__module__ and "Interrupt" not in type(e).__name__:
            raise engine_problem(e, files.what) from e
        raise


def _file_list(files: Files) -> str:
    return "[" + ", ".join(text(str(p.resolve())) for p in files.paths) + "]"


def _missing(source: Source, files: Files, path: str, known: tuple[str, ...]) -> Exception:
    hint = did_you_mean(path, known, "Columns")
    return data_error(
        "E503", f"source {source.name}: {files.names[0]} has no column {quoted(path)}", hint, source.place
    )


def _read_csv(engine: Engine, source: Source, files: Files, paths: tuple[str, ...]) -> Raw:
    table = f"raw_{source.name}"
    for path in paths:
        if path not in files.header:
            raise _missing(source, files, path, files.header)
    chosen = {path: f"c{i}" for i, path in enumerate(paths)}
    engine.sql(f"DROP TABLE IF EXISTS {name('rejects_' + source.name)}")
    engine.sql(f"DROP TABLE IF EXISTS {name('scans_' + source.name)}")
    for number, (shape, same) in enumerate(files.by_shape().items()):
        begin = f"CREATE OR REPLACE TEMP TABLE {name(table)} AS" if number == 0 else f"INSERT INTO {name(table)}"
        engine.sql(
            f"{begin} SELECT {_csv_columns(shape, chosen)}{_row_id(source)} FROM {_csv_reader(source, shape, same)}"
        )
    rejects = engine.rows(
        f"SELECT s.file_path, r.line, r.error_type FROM {name('rejects_' + source.name)} r JOIN {name('scans_' + source.name)} s "
        "USING (scan_id, file_id) ORDER BY s.file_path, r.line"
    )
    broken = sorted({(path, line) for path, line, _ in rejects})
    first = None
    if broken:
        kinds = sorted({(p, n, kind) for p, n, kind in rejects})
        by_path = {str(p.resolve()): n for p, n in zip(files.paths, files.names, strict=True)}
        path, line, kind = kinds[0]
        first = f"{by_path.get(path, files.what)}:{line}: {_reject_words(str(kind))}"
    count = engine.one(f"SELECT count(*) FROM {name(table)}")[0]
    bad_text = [r for r in rejects if "ENCODING" in str(r[2]) or "unicode" in str(r[2]).lower()]
    if bad_text and len(broken) > MAX_BROKEN_SHARE * (count + len(broken)):
        raise data_error(
            "E508", f"{first.split(': ')[0] if first else files.what}: not UTF-8 text", "Save or export it as UTF-8."
        )
    raw = Raw(table, chosen, dict.fromkeys(paths, "VARCHAR"), count + len(broken), len(broken), first, files)
    _not_too_broken(raw)
    return raw


def _header_names(shape: Shape) -> list[str]:
    """A file may hold columns without a name; they are named by position and cannot be asked for."""
    return [h if h else f"column {i}" for i, h in enumerate(shape.header)]


def _csv_columns(shape: Shape, chosen: dict[str, str]) -> str:
    names = _header_names(shape)
    return "".join(f"{name(names[shape.header.index(path)])} AS {name(alias)}, " for path, alias in chosen.items())


def _csv_reader(source: Source, shape: Shape, paths: tuple[Path, ...]) -> str:
    """All columns as text, nothing detected by the engine, lines that do not fit set aside with their number."""
    columns = "{" + ", ".join(f"{text(h)}: 'VARCHAR'" for h in _header_names(shape)) + "}"
    listed = "[" + ", ".join(text(str(p.resolve())) for p in paths) + "]"
    return (
        f"read_csv({listed}, columns = {columns}, delim = {text(shape.delimiter)}, quote = '\"', escape = '\"', header = true, "
        "auto_detect = false, null_padding = false, max_line_size = 16000000, rejects_limit = 0, store_rejects = true, "
        f"rejects_table = {text('rejects_' + source.name)}, rejects_scan = {text('scans_' + source.name)})"
    )


def _reject_words(kind: str) -> str:
    return {
        "TOO MANY COLUMNS": "more fields than column names",
        "MISSING COLUMNS": "fewer fields than column names",
        "UNQUOTED VALUE": "a quote that does not close",
        "INVALID ENCODING": "not UTF-8 text",
        "INVALID STATE": "a quote in the wrong place",
        "LINE SIZE OVER MAXIMUM": "a line that is far too long",
    }.get(kind, kind.lower().replace("_", " "))


def _not_too_broken(raw: Raw) -> None:
    # In a file of a few lines a single broken one is damage, too.
    many = raw.unparsable > MAX_BROKEN_SHARE * raw.rows and raw.unparsable > MAX_BROKEN_LINES
    if many or (raw.unparsable and 2 * raw.unparsable >= raw.rows):
        place, _, why = (raw.first_broken or "").rpartition(": ")
        raise data_error(
            "E509",
            f"{place}: {why}; so are {raw.unparsable:,} of {raw.rows:,} lines",
            "Check the delimiter and the quoting of the export.",
        )


def _row_id(source: Source) -> str:
    """A number per row where each row is a unit of its own."""
    wanted = any(path == ROW_NUMBER for _, path in source.units)
    return "CAST(row_number() OVER () AS VARCHAR) AS row_id" if wanted else "0 AS row_id"


def _json_path(path: str) -> str:
    return "$." + ".".join('"' + part.strip("'").replace('"', '\\"') + '"' for part in path.split("."))


def _read_ndjson(engine: Engine, source: Source, files: Files, paths: tuple[str, ...]) -> Raw:
    table = f"raw_{source.name}"
    chosen = {path: f"c{i}" for i, path in enumerate(paths)}
    fields = "".join(f"json_extract_string(json, {text(_json_path(p))}) AS {name(c)}, " for p, c in chosen.items())
    reader = f"read_ndjson_objects({_file_list(files)}, ignore_errors = true, maximum_object_size = 33554432)"
    engine.sql(
        f"CREATE OR REPLACE TEMP TABLE {name(table)} AS SELECT {fields}json IS NULL AS broken, {_row_id(source)} FROM {reader}"
    )
    rows, unparsable = engine.one(f"SELECT count(*), count(*) FILTER (broken) FROM {name(table)}")
    for path, column in chosen.items():
        if rows > unparsable and engine.one(f"SELECT count({name(column)}) FROM {name(table)}")[0] == 0:
            keys = engine.rows(
                f"SELECT DISTINCT unnest(json_keys(json)) FROM (SELECT json FROM {reader} WHERE json IS NOT NULL LIMIT 200)"
            )
            known = tuple(sorted(k for (k,) in keys))
            if path.split(".")[0] not in known:
                raise _missing(source, files, path, known)
    if unparsable:
        engine.sql(f"DELETE FROM {name(table)} WHERE broken")
    first = f"{files.what}: a line that is not a JSON object" if unparsable else None
    raw = Raw(table, chosen, dict.fromkeys(paths, "VARCHAR"), rows, unparsable, first, files)
    _not_too_broken(raw)
    return raw


def _read_parquet(engine: Engine, source: Source, files: Files, paths: tuple[str, ...]) -> Raw:
    table = f"raw_{source.name}"
    reader = f"read_parquet({_file_list(files)})"
    described = {
        r[0]: str(r[1]) for r in engine.rows(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {reader})")
    }
    chosen: dict[str, str] = {}
    select = []
    for i, path in enumerate(paths):
        expression = _parquet_column(path, described)
        if expression is None:
            raise _missing(source, files, path, tuple(described))
        chosen[path] = f"c{i}"
        select.append(f"{expression} AS c{i}")
    engine.sql(
        f"CREATE OR REPLACE TEMP VIEW {name(table)} AS SELECT {', '.join([*select, _row_id(source)])} FROM {reader}"
    )
    column_types = dict(engine.rows(f"SELECT column_name, column_type FROM (DESCRIBE {name(table)})"))
    types = {path: _base_type(str(column_types[column])) for path, column in chosen.items()}
    for path, kind in types.items():
        if kind in ("BLOB", "LIST", "STRUCT", "MAP"):
            raise data_error(
                "E503",
                f"source {source.name}: column {quoted(path)} of {files.what} is a {kind.lower()}, not a value",
                place=source.place,
            )
    rows = engine.one(f"SELECT count(*) FROM {reader}")[0]
    return Raw(table, chosen, types, rows, 0, None, files)


def _parquet_column(path: str, described: dict[str, str]) -> str | None:
    if path in described:
        return name(path)
    head, _, rest = path.partition(".")
    if head in described and described[head].startswith("STRUCT"):
        return name(head) + "".join(f"[{text(part)}]" for part in rest.split("."))
    if head in described and rest and described[head] in ("VARCHAR", "JSON"):
        return f"json_extract_string({name(head)}, {text(_json_path(rest))})"
    return None


def _base_type(sql_type: str) -> str:
    upper = sql_type.upper()
    if upper.endswith("[]"):
        return "LIST"
    head = upper.split("(")[0].strip()
    return {"JSON": "VARCHAR", "ENUM": "VARCHAR", "UUID": "UUID"}.get(head, head)


def type_is(raw: Raw, path: str, *kinds: str) -> bool:
    return any(raw.types[path].startswith(k) for k in kinds)


def describe(value: Any) -> str:
    return quoted(value)


def header_place(files: Files) -> Place:
    return Place(files.names[0], 1, 1)
