"""NDJSON files to a table of text, with every line that is no object counted."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

from abtest.problems import data_error
from abtest.sources.delimited import MAX_BROKEN_SHARE, Loaded, numbered
from abtest.sources.engine import Engine, name, printable, text
from abtest.sources.files import Files, file_list
from abtest.sources.shape import intact

_MAX_OBJECT = 33_554_432
_SEARCHED = 50_000_000
"""Bytes of a file that are searched for its first broken line."""
_SAMPLE = 20_000


def segments(path: str) -> tuple[str, ...]:
    """The keys of a dotted path; a key in quotes may hold dots.

    >>> segments("context.'utm.source'.0")
    ('context', 'utm.source', '0')
    """
    return tuple(
        part[1:-1] if len(part) > 1 and part[0] == part[-1] == "'" else part
        for part in re.findall(r"'[^']*'|[^.]+", path)
    )


def pointer(path: str) -> str:
    """The same as a JSON pointer (RFC 6901).

    >>> pointer("a.'b/c'")
    '/a/b~1c'
    """
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in segments(path))


def read_json(engine: Engine, files: Files, chosen: dict[str, str], table: str, row_id: bool) -> Loaded:
    """Write the values at `chosen` (path -> alias) of all files to `table`, and `row_id`, a number when it is wanted.

    Raises UserError (exit 3) when too many lines are unparsable.
    """
    fields = "".join(f"json_extract_string(json, {text(pointer(p))}) AS {name(alias)}, " for p, alias in chosen.items())
    engine.sql(
        f"CREATE OR REPLACE TEMP TABLE {name(table)} AS SELECT {fields}{_is_object('json')} IS NOT TRUE AS broken, {numbered(row_id, 0)} FROM {_reader(files)}"
    )
    lines, broken = engine.one(f"SELECT count(*), count(*) FILTER (broken) FROM {name(table)}")
    if not broken:
        return Loaded(lines, 0, None)
    engine.sql(f"DELETE FROM {name(table)} WHERE broken")
    place, why = _first_broken(files)
    if broken > MAX_BROKEN_SHARE * lines:
        if "UTF-8" in why:
            raise data_error("E508", f"{place}: {why}", "Save or export it as UTF-8.")
        message = f"{place}: {why}; so it is in {broken:,} of {lines:,} lines"
        raise data_error("E509", message, "Every line must be one JSON object.")
    return Loaded(lines - broken, broken, f"{place}: {why}")


def keys_at(engine: Engine, files: Files, path: str) -> tuple[str, ...]:
    """Keys beside the last one of `path`, as paths, in the first lines of the files."""
    head = segments(path)[:-1]
    inside = f", {text(pointer('.'.join(_quoted(h) for h in head)))}" if head else ""
    rows = engine.rows(
        f"SELECT DISTINCT unnest(json_keys(json{inside})) FROM (SELECT json FROM {_reader(files)} WHERE {_is_object('json')} LIMIT {_SAMPLE})"
    )
    before = "".join(_quoted(h) + "." for h in head)
    return tuple(sorted(before + _quoted(str(k)) for (k,) in rows))


def _quoted(key: str) -> str:
    return f"'{key}'" if "." in key else key


def _is_object(value: str) -> str:
    return f"starts_with(ltrim(CAST({value} AS VARCHAR), ' ' || chr(9) || chr(13)), '{{')"


def _reader(files: Files) -> str:
    listed = file_list(files.paths)
    if any(s.mark for s in files.shapes):
        # The reader of JSON stumbles over a byte order mark; the one of lines takes it off.
        lines = f"read_csv({listed}, columns = {{line: 'VARCHAR'}}, delim = chr(1), quote = '', escape = '', header = false, auto_detect = false, strict_mode = false, max_line_size = {_MAX_OBJECT})"
        return f"(SELECT TRY_CAST(line AS JSON) AS json FROM {lines} WHERE line IS NOT NULL)"
    return f"read_ndjson_objects({listed}, ignore_errors = true, maximum_object_size = {_MAX_OBJECT})"


def _first_broken(files: Files) -> tuple[str, str]:
    """Where the first line that is no object stands. Raises UserError when a gzip file is damaged."""
    for path, shown in zip(files.paths, files.names, strict=True):
        if path.suffix.lower() == ".gz":
            intact(path, printable(shown))
    for path in files.paths:
        found = _broken_line(path)
        if found is not None:
            return f"{files.name_of(path)}:{found[0]}", found[1]
    return files.what, "a line that is not a JSON object"


def _broken_line(path: Path) -> tuple[int, str] | None:
    read = 0
    with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            read += len(line)
            if read > _SEARCHED:
                return None
            if not line.strip():
                continue
            try:
                if not isinstance(json.loads(line.decode("utf-8-sig")), dict):
                    return number, "a line that is not a JSON object"
            except UnicodeDecodeError:
                return number, "not UTF-8 text"
            except (ValueError, RecursionError):
                return number, "a line that is not a JSON object"
    return None
