"""Which files a source means: globs below the data folder, and their format."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from abtest.language.model import Project, Source
from abtest.language.suggest import did_you_mean
from abtest.problems import UserError, data_error, quoted
from abtest.sources.engine import printable, text
from abtest.sources.shape import Shape, csv_shape, json_shape

Format = Literal["csv", "ndjson", "parquet"]
_FORMATS: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "ndjson", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
_KNOWN = "Known: .csv .tsv .ndjson .jsonl .json, plain or with .gz, and .parquet"
MAX_FILES = 20_000
_MAX_LISTED = 2_000


@dataclass(frozen=True)
class Files:
    """The files of one source: all of one format. `names` are relative to the data folder, sorted."""

    source: str
    format: Format
    paths: tuple[Path, ...]
    names: tuple[str, ...]
    shapes: tuple[Shape, ...] = ()

    @property
    def header(self) -> tuple[str, ...]:
        """The columns of the first file."""
        return self.shapes[0].header if self.shapes else ()

    def by_shape(self) -> dict[Shape, tuple[Path, ...]]:
        """CSV files that can be read in one go: same delimiter, same columns in the same order."""
        found: dict[Shape, list[Path]] = {}
        for path, shape in zip(self.paths, self.shapes, strict=True):
            found.setdefault(shape, []).append(path)
        return {shape: tuple(paths) for shape, paths in found.items()}

    @property
    def what(self) -> str:
        first = printable(self.names[0])
        return first if len(self.names) == 1 else f"{first} and {len(self.names) - 1:,} more"

    def name_of(self, path: str | Path) -> str:
        """The name for messages of one of the files."""
        for known, name in zip(self.paths, self.names, strict=True):
            if str(path) in (str(known), str(known.resolve())):
                return printable(name)
        return self.what


def file_list(paths: tuple[Path, ...]) -> str:
    """SQL: these files and no others, though the engine reads `*`, `?` and `[` in a name as patterns."""
    return "[" + ", ".join(text(_literally(str(p.resolve()))) for p in paths) + "]"


def _literally(path: str) -> str:
    """
    >>> _literally("/data/app[1].csv")
    '/data/app[[]1].csv'
    """
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)


def data_folder(project: Project) -> Path:
    return (project.root / project.data).resolve()


def find_files(project: Project, source: Source) -> Files:
    """The files that the patterns of a source match. Raises UserError (exit 3) when there are none or they are mixed."""
    root = data_folder(project)
    found: dict[str, Path] = {}
    for pattern in source.files:
        good = _matches(root, pattern)
        if not good:
            raise _no_match(project, source, root, pattern)
        for path in good:
            if not path.resolve().is_relative_to(root):
                raise data_error(
                    "E140",
                    f"source {source.name}: {quoted(path.name)} is a link that leaves the data folder",
                    "Copy the file into the data folder.",
                    source.place,
                )
            found[path.relative_to(root).as_posix()] = path
    if len(found) > MAX_FILES:
        raise data_error(
            "E502", f"source {source.name}: {len(found):,} files; at most {MAX_FILES:,} are read", place=source.place
        )
    names = tuple(sorted(found))
    paths = tuple(found[n] for n in names)
    format_ = _one_format(source, names, paths)
    if format_ == "csv":
        shapes = tuple(csv_shape(path, printable(name)) for path, name in zip(paths, names, strict=True))
        return Files(source.name, format_, paths, names, shapes)
    if format_ == "ndjson":
        shapes = tuple(json_shape(path, printable(name)) for path, name in zip(paths, names, strict=True))
        return Files(source.name, format_, paths, names, shapes)
    return Files(source.name, format_, paths, names)


def _matches(root: Path, pattern: str) -> list[Path]:
    """Files of one pattern; a file with exactly this name goes before the pattern that the name could be."""
    try:
        literal = root / pattern
        if literal.is_file():
            return [literal]
        return [m for m in sorted(root.glob(pattern)) if m.is_file()] if any(c in pattern for c in "*?[") else []
    except (OSError, ValueError, NotImplementedError):  # names that are too long, `a**b`
        return []


def _no_match(project: Project, source: Source, root: Path, pattern: str) -> UserError:
    where = quoted(project.data)
    place = source.place
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        hint = "project: {data: FOLDER}  says where the exports are, relative to the project."
        message = f"source {source.name}: the data folder {where} {what}"
        return data_error("E502", message, hint, place)
    listed = itertools.islice((p for p in root.rglob("*") if p.is_file() and _format(p)), _MAX_LISTED)
    near = [printable(p.relative_to(root).as_posix(), 80) for p in listed]
    hint = did_you_mean(pattern, near, "Files there") or "There is no CSV, NDJSON or Parquet file in it."
    return data_error("E502", f"source {source.name}: no file matches {quoted(pattern)} in {where}", hint, place)


def _one_format(source: Source, names: tuple[str, ...], paths: tuple[Path, ...]) -> Format:
    formats = {_format(p) for p in paths}
    if None in formats:
        bad = next(n for n, p in zip(names, paths, strict=True) if _format(p) is None)
        message, hint = f"source {source.name}: {quoted(bad)} has an unknown format", _KNOWN
        if bad.lower().endswith((".zip", ".zst", ".bz2", ".xz", ".7z")):
            message, hint = f"source {source.name}: {quoted(bad)} is compressed in a way that is not read", "Unpack it."
        elif bad.lower().endswith((".xls", ".xlsx", ".ods")):
            message, hint = f"source {source.name}: {quoted(bad)} is a spreadsheet", "Save the sheet as CSV (UTF-8)."
        raise data_error("E502", message, hint, source.place)
    if len(formats) > 1:
        raise data_error(
            "E502",
            f"source {source.name} mixes formats: {', '.join(sorted(str(f) for f in formats))}",
            "Make one source per format.",
            source.place,
        )
    format_ = formats.pop()
    assert format_ is not None
    return format_


def _format(path: Path) -> Format | None:
    suffixes = [s.lower() for s in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in (".gz", ".zst") else ""
    found = _FORMATS.get(suffixes[-1]) if suffixes else None
    # Some exports call a Parquet with compressed pages .parquet.zst; it is plain Parquet.
    wrong = ".gz" if found == "parquet" else ".zst"
    return None if packed == wrong else found
