"""A copy of a project in which every id is a token that nothing else could be: TOKEN before what stood there.

The same id gets the same token in every file, and tokens sort as the ids did, so that results stay what they were.
"""

from __future__ import annotations

import csv
import gzip
import io
import shutil
from dataclasses import dataclass
from pathlib import Path

from abtest.language.model import Project, Source
from abtest.language.project import load_project

TOKEN = "zqx"
ROW_NUMBER = "row number"
OUTPUTS = ("out", "locks", "__pycache__")


@dataclass(frozen=True)
class Disguised:
    """`ids` are the different tokens that were written; `unsearchable` the sources that have no id but the row number."""

    folder: Path
    project: Project
    ids: int
    unsearchable: tuple[str, ...]


def disguised(origin: Path, folder: Path) -> Disguised:
    """Copy a project and write tokens over the ids of units, of clusters, of sessions and of rows."""
    shutil.copytree(origin, folder, ignore=shutil.ignore_patterns(*OUTPUTS))
    project = load_project(folder)
    by_file: dict[Path, set[str]] = {}
    for source in project.sources.values():
        for pattern in source.files:
            found = sorted((folder / (project.data or "")).glob(pattern))
            assert found, (origin.name, source.name, pattern)
            for path in found:
                by_file.setdefault(path, set()).update(_columns(project, source))
    ids: set[str] = set()
    for path, columns in by_file.items():
        ids |= _write_tokens(path, columns)
    alone = [s.name for s in project.sources.values() if {p for _, p in s.units} == {ROW_NUMBER}]
    return Disguised(folder, project, len(ids), tuple(alone))


def _columns(project: Project, source: Source) -> set[str]:
    """The columns that hold ids: of units, sessions and rows, and what says who belongs together."""
    found = {path for _, path in source.units if path != ROW_NUMBER} | {source.session, source.id}
    for experiment in project.experiments.values():
        if experiment.cluster is not None and experiment.cluster.source == source.name:
            prop = source.property(experiment.cluster.prop)
            found.add(experiment.cluster.prop if prop is None else prop.path)
    return {c for c in found if c is not None}


def _write_tokens(path: Path, columns: set[str]) -> set[str]:
    zipped = path.suffix == ".gz"
    assert path.name.removesuffix(".gz").endswith((".csv", ".tsv", ".txt")), f"say how to read {path.name}"
    text = gzip.decompress(path.read_bytes()).decode() if zipped else path.read_text("utf-8")
    mark = max(",;\t|", key=text.partition("\n")[0].count)
    rows = list(csv.reader(io.StringIO(text), delimiter=mark))
    places = [rows[0].index(c) for c in columns]
    ids: set[str] = set()
    for row in rows[1:]:
        for place in places:
            if place < len(row) and row[place]:
                row[place] = TOKEN + row[place]
                ids.add(row[place])
    out = io.StringIO()
    csv.writer(out, delimiter=mark, lineterminator="\n").writerows(rows)
    data = out.getvalue().encode()
    path.write_bytes(gzip.compress(data, 1) if zipped else data)
    return ids
