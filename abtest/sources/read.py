"""Files of one source to a raw table of the columns that are needed, nothing judged yet.

CSV and NDJSON are read once into a table of text; Parquet stays where it is, as a view. Lines that cannot be parsed
are counted, with the place of the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import duckdb

from abtest.language.model import Source
from abtest.language.read_sources import ROW_NUMBER
from abtest.language.suggest import did_you_mean, nearest
from abtest.problems import Place, UserError, data_error, quoted
from abtest.sources.delimited import read_csv
from abtest.sources.engine import Engine, name, printable, reading, text
from abtest.sources.files import Files, file_list
from abtest.sources.json_lines import keys_at, pointer, read_json, segments
from abtest.sources.shape import intact


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

    def unreadable(self, path: str) -> str:
        """SQL: there is a value at `path`, and it is no number."""
        return f"({self.text(path)} IS NOT NULL AND {self.number(path)} IS NULL)"


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
        with reading(engine, files.what):
            if files.format == "csv":
                return _read_csv(engine, source, files, paths)
            if files.format == "ndjson":
                return _read_ndjson(engine, source, files, paths)
            return _read_parquet(engine, source, files, paths)
    except UserError as e:
        if isinstance(e.__cause__, duckdb.Error):
            _intact(files)  # says more about a damaged file than the engine does
        raise


def _intact(files: Files) -> None:
    for path in files.paths:
        if path.suffix.lower() == ".gz":
            intact(path, files.name_of(path))


def _missing(source: Source, file: str, path: str, known: tuple[str, ...]) -> UserError:
    listed = [printable(k, 60) for k in known if k]
    hint = did_you_mean(path, listed, "Columns")
    if sum(_like_data(k) for k in known) > 1:
        hint += "\nThe first line looks like data; it must name the columns."
    return data_error("E503", f"source {source.name}: {file} has no column {quoted(path)}", hint, source.place)


def _like_data(word: str) -> bool:
    return not word or re.match(r"-?[0-9][-0-9.:TZ+ ]*$", word) is not None


def _required(source: Source) -> set[str]:
    """Paths without which nothing can be computed; a key that only a test names may be absent from every object."""
    time = {source.time.path} if source.time is not None else set()
    numeric = {p.path for p in source.properties if p.type in ("number", "money", "duration")}
    return {p for _, p in source.units} | {p for p in (source.event, source.variant, source.flag) if p} | time | numeric


def _row_id(source: Source) -> bool:
    """Whether each row is a unit of its own and needs a number."""
    return any(path == ROW_NUMBER for _, path in source.units)


def _column_of(path: str, header: tuple[str, ...]) -> str | None:
    """The column that a path names: as it stands, or without the quotes that a name with dots needs."""
    if path in header:
        return path
    bare = ".".join(segments(path))
    return bare if bare in header else None


def _read_csv(engine: Engine, source: Source, files: Files, paths: tuple[str, ...]) -> Raw:
    table = f"raw_{source.name}"
    columns: dict[str, str] = {}
    for i, path in enumerate(paths):
        found = _column_of(path, files.header)
        if found is None:
            raise _missing(source, files.name_of(files.paths[0]), path, files.header)
        columns.setdefault(found, f"c{i}")
        for file, shape in zip(files.paths, files.shapes, strict=True):
            if found not in shape.header:
                raise _lacks(source, files.name_of(file), path, files.name_of(files.paths[0]))
            if shape.header.count(found) > 1:
                shown = files.name_of(file)
                twice = f"{shown} has two columns called {quoted(found)}"
                raise data_error("E503", twice, "Rename one.", Place(shown, 1, 1))
    chosen = {path: columns[_column_of(path, files.header) or path] for path in paths}
    loaded = read_csv(engine, files, columns, table, _row_id(source))
    return Raw(
        table,
        chosen,
        dict.fromkeys(paths, "VARCHAR"),
        loaded.rows + loaded.unparsable,
        loaded.unparsable,
        loaded.first,
        files,
    )


def _lacks(source: Source, file: str, path: str, first: str) -> UserError:
    return data_error(
        "E503",
        f"source {source.name}: {file} has no column {quoted(path)}, but {first} has",
        "All files of one source have the columns that are used.",
        source.place,
    )


def _read_ndjson(engine: Engine, source: Source, files: Files, paths: tuple[str, ...]) -> Raw:
    table = f"raw_{source.name}"
    chosen = {path: f"c{i}" for i, path in enumerate(paths)}
    loaded = read_json(engine, files, chosen, table, _row_id(source))
    filled = ", ".join(f"count({name(c)})" for c in chosen.values())
    if chosen and loaded.rows:
        for path, count in zip(chosen, engine.one(f"SELECT {filled} FROM {name(table)}"), strict=True):
            known = keys_at(engine, files, path) if count == 0 else ()
            same = ".".join(segments(path)) in {".".join(segments(k)) for k in known}
            if count == 0 and not same and (path in _required(source) or nearest(path, known)):
                raise _missing(source, files.name_of(files.paths[0]), path, known)
    return Raw(
        table,
        chosen,
        dict.fromkeys(paths, "VARCHAR"),
        loaded.rows + loaded.unparsable,
        loaded.unparsable,
        loaded.first,
        files,
    )


def _read_parquet(engine: Engine, source: Source, files: Files, paths: tuple[str, ...]) -> Raw:
    table = f"raw_{source.name}"
    several = ", union_by_name = true" if len(files.paths) > 1 else ""
    reader = f"read_parquet({file_list(files.paths)}{several})"
    described = {
        r[0]: str(r[1]) for r in engine.rows(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {reader})")
    }
    chosen: dict[str, str] = {}
    select = []
    for i, path in enumerate(paths):
        expression = _parquet_column(engine, source, files, reader, path, described)
        chosen[path] = f"c{i}"
        select.append(f"{expression} AS c{i}")
    if several:
        _same_columns(engine, source, files, paths, tuple(described))
    row_id = "CAST(row_number() OVER () AS VARCHAR)" if _row_id(source) else "0"
    engine.sql(
        f"CREATE OR REPLACE TEMP VIEW {name(table)} AS SELECT {', '.join([*select, f'{row_id} AS row_id'])} FROM {reader}"
    )
    column_types = dict(engine.rows(f"SELECT column_name, column_type FROM (DESCRIBE {name(table)})"))
    types = {path: _base_type(str(column_types[column])) for path, column in chosen.items()}
    for path, kind in types.items():
        if kind in _NO_VALUE:
            what, hint = _NO_VALUE[kind]
            raise data_error(
                "E503",
                f"source {source.name}: column {quoted(path)} of {files.what} holds {what}",
                hint.format(path=path),
                source.place,
            )
    rows = engine.one(f"SELECT count(*) FROM {reader}")[0]
    return Raw(table, chosen, types, rows, 0, None, files)


_NO_VALUE = {
    "BLOB": ("bytes, not text or numbers", "Export it as text."),
    "LIST": ("lists, not single values", "Export one value per row."),
    "MAP": ("maps, not single values", "Export the value as a column of its own."),
    "STRUCT": ("records, not single values", "Name a field of it:  {path}.FIELD"),
}


def _same_columns(
    engine: Engine, source: Source, files: Files, paths: tuple[str, ...], described: tuple[str, ...]
) -> None:
    """Every file must have the columns that are used; otherwise rows would be missing values without a word."""
    found: dict[str, set[str]] = {}
    for file, column in engine.rows(f"SELECT file_name, name FROM parquet_schema({file_list(files.paths)})"):
        found.setdefault(str(file), set()).add(str(column))
    for path in paths:
        head = _column_of(path, described) or segments(path)[0]
        having = next((f for f, columns in found.items() if head in columns), None)
        for file in files.paths:
            if having is not None and head not in found.get(str(file.resolve()), {head}):
                raise _lacks(source, files.name_of(file), path, files.name_of(having))


def _parquet_column(
    engine: Engine, source: Source, files: Files, reader: str, path: str, described: dict[str, str]
) -> str:
    """SQL for a column, a field of a record, or a value in a column of JSON text."""
    first = files.name_of(files.paths[0])
    whole = _column_of(path, tuple(described))
    if whole is not None:
        return name(whole)
    head, *rest = segments(path)
    if head not in described or not rest:
        raise _missing(source, first, path, tuple(described))
    if described[head].startswith("STRUCT"):
        expression = name(head) + "".join(f"[{text(part)}]" for part in rest)
        try:
            engine.sql(f"DESCRIBE SELECT {expression} FROM {reader}")
        except duckdb.BinderException:
            fields = engine.rows(f"SELECT column_name FROM (DESCRIBE SELECT unnest({name(head)}) FROM {reader})")
            raise _missing(source, first, path, tuple(f"{head}.{f}" for (f,) in fields)) from None
        return expression
    if described[head] not in ("VARCHAR", "JSON"):
        raise _missing(source, first, path, tuple(described))
    expression = f"json_extract_string({name(head)}, {text(pointer(path.partition('.')[2]))})"
    seen = engine.rows(f"SELECT 1 FROM {reader} WHERE {expression} IS NOT NULL LIMIT 1")
    if path in _required(source) and not seen:
        keys = f"SELECT DISTINCT unnest(json_keys({name(head)})) FROM (SELECT {name(head)} FROM {reader} LIMIT 20000)"
        known = tuple(sorted(f"{head}.{k}" for (k,) in engine.rows(keys)))
        if known and path not in known:
            raise _missing(source, first, path, known)
    return expression


def _base_type(sql_type: str) -> str:
    upper = sql_type.upper()
    if upper.endswith("]"):
        return "LIST"
    head = upper.split("(")[0].strip()
    return {"JSON": "VARCHAR", "ENUM": "VARCHAR"}.get(head, head)


def type_is(raw: Raw, path: str, *kinds: str) -> bool:
    return any(raw.types[path].startswith(k) for k in kinds)
