"""Which files a source means: globs below the data folder, their format, and the columns they have."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from abtest.language.model import Project, Source
from abtest.language.suggest import did_you_mean
from abtest.problems import Place, data_error, quoted

Format = Literal["csv", "ndjson", "parquet"]
_FORMATS: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "ndjson", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
_DELIMITERS = ",;\t|"
MAX_FILES = 20_000


@dataclass(frozen=True)
class Shape:
    """Delimiter and column names of one CSV file."""

    delimiter: str
    header: tuple[str, ...]


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
        return self.names[0] if len(self.names) == 1 else f"{self.names[0]} and {len(self.names) - 1} more"


def data_folder(project: Project) -> Path:
    return (project.root / project.data).resolve()


def find_files(project: Project, source: Source) -> Files:
    """The files that the patterns of a source match. Raises UserError (exit 3) when there are none or they are mixed."""
    root = data_folder(project)
    found: dict[str, Path] = {}
    for pattern in source.files:
        matches = sorted(root.glob(pattern)) if any(c in pattern for c in "*?[") else [root / pattern]
        good = [m for m in matches if m.is_file()]
        if not good:
            near = [
                p.relative_to(root).as_posix() for p in sorted(root.rglob("*"))[:2000] if p.is_file() and _format(p)
            ]
            raise data_error(
                "E502",
                f"source {source.name}: no file matches {quoted(pattern)} in {quoted(project.data)}",
                did_you_mean(pattern, near, "Files there"),
                source.place,
            )
        for path in good:
            if not path.resolve().is_relative_to(root):
                raise data_error(
                    "E140",
                    f"source {source.name}: {quoted(path.name)} is a link that leaves the data folder",
                    place=source.place,
                )
            found[path.relative_to(root).as_posix()] = path
    if len(found) > MAX_FILES:
        raise data_error(
            "E502", f"source {source.name}: {len(found):,} files; at most {MAX_FILES:,} are read", place=source.place
        )
    names = tuple(sorted(found))
    paths = tuple(found[n] for n in names)
    formats = {_format(p) for p in paths}
    if None in formats:
        bad = next(n for n, p in zip(names, paths, strict=True) if _format(p) is None)
        raise data_error(
            "E502",
            f"source {source.name}: {quoted(bad)} has an unknown format",
            "Known: .csv .tsv .ndjson .jsonl .json .parquet, plain or .gz",
            source.place,
        )
    if len(formats) > 1:
        raise data_error(
            "E502",
            f"source {source.name} mixes formats: {', '.join(sorted(str(f) for f in formats))}",
            "Make one source per format.",
            source.place,
        )
    format_ = formats.pop()
    assert format_ is not None
    if format_ != "csv":
        return Files(source.name, format_, paths, names)
    shapes = tuple(_csv_shape(path, name) for path, name in zip(paths, names, strict=True))
    header = shapes[0].header
    for shape, name in zip(shapes, names, strict=True):
        missing = [c for c in header if c in _used_paths(source) and c not in shape.header]
        if missing:
            raise data_error(
                "E503",
                f"{name} has no column {quoted(missing[0])}, but {names[0]} has",
                "Exports of one source share their columns.",
                Place(name, 1, 1),
            )
    return Files(source.name, format_, paths, names, shapes)


def _used_paths(source: Source) -> set[str]:
    time = {source.time.path} if source.time else set()
    return (
        {p for p in (source.event, source.id, source.variant, source.flag) if p}
        | {p for _, p in source.units}
        | {p.path for p in source.properties}
        | time
    )


def _format(path: Path) -> Format | None:
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".zst"):
        suffixes.pop()
    return _FORMATS.get(suffixes[-1]) if suffixes else None


def _csv_shape(path: Path, name: str) -> Shape:
    """Delimiter and column names from the first line."""
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as handle:
            raw = handle.read(262_144)
    except EOFError:
        raise data_error(
            "E504", f"{name} is a truncated gzip file: the export or download stopped in the middle", "Export it again."
        ) from None
    except OSError as e:
        raise data_error(
            "E504", f"{name} cannot be opened: {e.strerror or e}", "Check the extension: .gz means gzip."
        ) from e
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in raw[:1000]:
        raise data_error(
            "E508", f"{name} is not UTF-8 text (it looks like UTF-16)", "Save or export it as UTF-8.", Place(name, 1, 1)
        )
    line = raw.split(b"\n", 1)[0].rstrip(b"\r") if b'"' not in raw.split(b"\n", 1)[0] else raw
    try:
        first = raw.decode("utf-8-sig", errors="ignore") if line is raw else line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise data_error(
            "E508", f"{name} is not UTF-8 text", "Save or export it as UTF-8.", Place(name, 1, 1)
        ) from None
    if not first.strip():
        raise data_error(
            "E501", f"{name} is empty: not even a line with column names", "Export it again.", Place(name, 1, 1)
        )
    head = first.split("\n", 1)[0]
    delimiter = (
        "\t"
        if path.name.lower().endswith((".tsv", ".tsv.gz"))
        else max(_DELIMITERS, key=lambda d: (head.count(d), -_DELIMITERS.index(d)))
    )
    header = tuple(next(csv.reader(io.StringIO(first), delimiter=delimiter), []))
    double = next((c for c in header if c and header.count(c) > 1), None)
    if double is not None:
        raise data_error("E503", f"{name} has two columns called {quoted(double)}", "Rename one.", Place(name, 1, 1))
    return Shape(delimiter, header)
