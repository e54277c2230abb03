"""Files that `abtest run` keeps of experiments, one each in a folder of their own: locks of plans, and looks."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path

from abtest.language.yaml import Map, read_yaml
from abtest.problems import Place, Problems, quoted

MOST = 500


def kept_files(
    root: Path, folder: str, experiments: Collection[str], what: str, problems: Problems
) -> Iterator[tuple[str, str, Map]]:
    """(experiment, file name as shown, content) of each readable file; those of no experiment are warned of. `what` the
    file is, as in "this is the lock of".
    """
    for path in sorted((root / folder).glob("*.yml"))[:MOST]:
        name = f"{folder}/{path.name}"
        if path.name.startswith("."):
            continue
        if path.stem not in experiments:
            message = f"{what} {quoted(path.stem)}, which is no experiment of this project"
            problems.warn("W374", message, Place(name, 1, 1), "Rename it with its experiment, or delete it.")
            continue
        before = len(problems.errors)
        tree = read_yaml(path, name, problems)
        if tree is not None and len(problems.errors) == before:
            yield path.stem, name, tree


def is_date(text: str) -> bool:
    """Whether it is an ISO date as these files write it."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
