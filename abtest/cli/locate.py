"""From what was typed to a project and its experiments."""

from __future__ import annotations

from pathlib import Path

from abtest.language.model import Experiment, Project
from abtest.language.project import find_root, load_project, pick_experiment
from abtest.problems import Problem, UserError, quoted


def open_project(folder: str | None) -> Project:
    """The project of a folder (default: the current one, or the nearest above it)."""
    start = Path(folder) if folder else Path.cwd()
    if not start.exists():
        raise UserError([Problem("E100", f"no folder {quoted(folder)}")], exit_code=2)
    return load_project(find_root(start))


def experiments_of(names: tuple[str, ...], folder: str | None) -> tuple[Project, tuple[Experiment, ...]]:
    """Experiments by id or by file; without names, all of the project."""
    paths = [Path(n) for n in names if n.endswith((".yml", ".yaml")) or "/" in n]
    for path in paths:
        if not path.is_file():
            raise UserError([Problem("E100", f"no file {quoted(path)}")], exit_code=2)
    project = load_project(find_root(paths[0])) if paths and folder is None else open_project(folder)
    if not names:
        if not project.experiments:
            raise UserError(
                [
                    Problem(
                        "E205",
                        "this project has no experiment",
                        None,
                        "An experiment is a file of its own that starts with  experiment: NAME",
                    )
                ],
                exit_code=2,
            )
        return project, tuple(project.experiments.values())
    found = []
    for name in names:
        path = Path(name)
        if path in paths:
            relative = (
                path.resolve().relative_to(project.root.resolve()).as_posix()
                if path.resolve().is_relative_to(project.root.resolve())
                else str(path)
            )
            match = [e for e in project.experiments.values() if e.place.file == relative]
            if not match:
                raise UserError(
                    [
                        Problem(
                            "E205",
                            f"{quoted(relative)} holds no experiment",
                            None,
                            "It must start with  experiment: NAME",
                        )
                    ],
                    exit_code=2,
                )
            found.append(match[0])
        else:
            found.append(pick_experiment(project, name))
    return project, tuple(dict.fromkeys(found))
