"""`abtest check`: every problem of every file at once."""

from __future__ import annotations

from pathlib import Path

import click

from abtest.cli.show import show_problems, write


@click.command("check")
@click.argument("folder", required=False)
@click.option("--strict", is_flag=True, help="Warnings count as problems.")
def command(folder: str | None, strict: bool) -> None:
    """Find every mistake in the YAML of FOLDER (default: this project), with file:line:column and a hint.

    \b
    Examples:
      abtest check
      abtest check path/to/project --strict
    """
    from abtest.language.project import find_root, read_project
    from abtest.problems import Problem, UserError, quoted

    start = Path(folder) if folder else Path.cwd()
    if not start.exists():
        raise UserError([Problem("E100", f"no folder {quoted(folder)}")], exit_code=2)
    project, problems = read_project(find_root(start))
    if problems.found:
        show_problems(
            sorted(
                problems.found, key=lambda p: (p.place.file, p.place.line, p.place.column) if p.place else ("", 0, 0)
            )
        )
    if problems.errors or (strict and problems.warnings):
        raise click.exceptions.Exit(1)
    counts = [
        (len(project.sources), "source"),
        (len(project.events), "event"),
        (len(project.metrics), "metric"),
        (len(project.experiments), "experiment"),
    ]
    listed = ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in counts)
    write(f"no mistakes: {listed}")
