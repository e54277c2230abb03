"""The file that keeps the looks at an experiment: `looks/EXPERIMENT.yml`, one entry per watermark of the data.

`abtest run` adds a look the first time that it sees data which reach further than before. The file is committed beside
the definitions and read with them, since the boundary of a look depends on those before it. A run on data that a look
knows already is that same look.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from abtest.language.kept import is_date, kept_files
from abtest.language.looks_model import Look
from abtest.language.values import is_id
from abtest.language.yaml import Map, Node, Seq, Text
from abtest.problems import Place, Problems, quoted

FOLDER = "looks"
MOST_LOOKS = 4000
_HEAD = """\
# When the data of {name} were looked at, by the last date that was complete. `abtest run` adds a look when the data
# reach further. Commit this file: boundaries of later looks, and the price of looking early, depend on it.
"""
_HINT = "Take it back from version control."


def looks_path(root: Path, experiment: str) -> Path:
    return root / FOLDER / f"{experiment}.yml"


def looks_text(experiment: str, looks: tuple[Look, ...]) -> str:
    """The looks as a file. Reading it again gives the same looks."""
    lines = [f"looks_of: {experiment}", "looks:"]
    for look in looks:
        lines += [f"  - through: {look.through}", f"    progress: {look.progress:.6f}"]
        lines += ["    final: yes"] if look.final else []
        lines += ["    units:", *(f"      {name}: {n}" for name, n in look.units)]
    return _HEAD.format(name=experiment) + "\n".join(lines) + "\n"


def read_looks(root: Path, experiments: Collection[str], problems: Problems) -> dict[str, tuple[Look, ...]]:
    """The looks of a project, by experiment. A file that cannot be believed is a problem."""
    found: dict[str, tuple[Look, ...]] = {}
    for experiment, name, tree in kept_files(root, FOLDER, experiments, "these are the looks at", problems):
        looks = _looks(tree, name, experiment, problems)
        if looks is not None:
            found[experiment] = looks
    return found


def _looks(tree: Map, name: str, experiment: str, problems: Problems) -> tuple[Look, ...] | None:
    top = Place(name, 1, 1)
    of = tree.get("looks_of")
    if not isinstance(of, Text) or of.value != experiment:
        whose = f"experiment {quoted(of.value)}" if isinstance(of, Text) else "no experiment"
        message = f"the looks at experiment {quoted(experiment)} are about {whose}"
        problems.error("E372", message, of.place if of else top, "The file has the name of its experiment.")
        return None
    node = tree.get("looks")
    if not isinstance(node, Seq) or len(node.items) > MOST_LOOKS:
        problems.error("E371", "looks is a list of looks", node.place if node else top, _HINT)
        return None
    found: list[Look] = []
    for item in node.items:
        look = _look(item)
        if look is None:
            problems.error("E371", "a look has through (a date), progress, and units per metric", item.place, _HINT)
            return None
        if found and look.through <= found[-1].through:
            message = f"looks out of order: {look.through} stands after {found[-1].through}"
            problems.error("E371", message, item.place, _HINT)
            return None
        if found and found[-1].final:
            message = f"a look after the last one: {found[-1].through} was the planned end"
            problems.error("E371", message, item.place, _HINT)
            return None
        found.append(look)
    return tuple(found)


def _look(node: Node) -> Look | None:
    if not isinstance(node, Map):
        return None
    texts = {key.value: value.value for key, value in node if isinstance(value, Text)}
    units = node.get("units")
    through, progress = texts.get("through", ""), texts.get("progress", "")
    counted = [(k.value, v.value) for k, v in units if isinstance(v, Text)] if isinstance(units, Map) else []
    if not is_date(through) or not re.fullmatch(r"[01]\.\d{1,6}", progress) or not 0 <= float(progress) <= 1:
        return None
    if any(not is_id(k) or not re.fullmatch(r"\d{1,12}", v) for k, v in counted):
        return None
    if isinstance(units, Map) and len(counted) != len(units.entries):
        return None
    if texts.get("final", "no") not in ("yes", "no", "true", "false"):
        return None
    final = texts.get("final", "no") in ("yes", "true")
    return Look(through, float(progress), tuple((k, int(v)) for k, v in counted), final)
