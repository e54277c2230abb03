"""`abtest check`: every problem of every file at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from abtest.cli.show import show_problems, write

if TYPE_CHECKING:
    from abtest.language.model import Project
    from abtest.problems import Problems


@click.command("check")
@click.argument("folder", required=False)
@click.option("--strict", is_flag=True, help="Warnings count as problems.")
@click.option(
    "--against",
    "results",
    multiple=True,
    metavar="RESULT",
    help="A result.json: report metrics whose meaning changed since, while their version did not.",
)
def command(folder: str | None, strict: bool, results: tuple[str, ...]) -> None:
    """Find every mistake in the YAML of FOLDER (default: this project), with file:line:column and a hint.

    \b
    Examples:
      abtest check
      abtest check path/to/project --strict
      abtest check --against out/feed_ranker/result.json
    """
    from abtest.language.project import find_root, read_project
    from abtest.problems import Problem, UserError, quoted

    start = Path(folder) if folder else Path.cwd()
    if not start.exists():
        raise UserError([Problem("E100", f"no folder {quoted(folder)}")], exit_code=2)
    project, problems = read_project(find_root(start))
    notes: list[str] = []
    if not problems.errors:
        from abtest.language.example_rules import problems_in_examples

        problems.found += problems_in_examples(project)
        notes = _against(project, results, problems)
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
        (len(project.groups), "group"),
        (len(project.surveys), "survey"),
        (len(project.metrics), "metric"),
        (len(project.experiments), "experiment"),
    ]
    optional = ("group", "survey")
    listed = ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in counts if n or word not in optional)
    for note in [*_unused(project), *notes]:
        write(f"note: {note}")
    write(f"no mistakes: {listed}")


def _unused(project: Project) -> list[str]:
    """What is defined and read by nothing; a project without experiments has not come to that yet."""
    from abtest.language.unused import unused

    return [
        f"{what}{'s' * (len(names) > 1)} {', '.join(names)} {'is' if len(names) == 1 else 'are'} not used"
        for what, names in unused(project)
    ]


def _against(project: Project, results: tuple[str, ...], problems: Problems) -> list[str]:
    """Meanings that changed since the results were made."""
    from abtest.analysis.codec import WrongSchema, from_json
    from abtest.language.versions import Known, check_versions
    from abtest.problems import Problem, UserError, quoted

    notes: list[str] = []
    for path in results:
        try:
            result = from_json(Path(path).read_text("utf-8"))
        except OSError as e:
            raise UserError([Problem("E100", f"cannot read {quoted(path)}: {e.strerror}")], exit_code=2) from e
        except (WrongSchema, ValueError, KeyError, TypeError) as e:
            hint = "It is the result.json that  abtest run  writes."
            raise UserError(
                [Problem("E100", f"{quoted(path)} is no result of this version", None, hint)], exit_code=2
            ) from e
        known = [Known(m.key, m.definition_hash, m.version, m.definition) for m in result.metrics if m.part_of is None]
        notes += check_versions(project, known, problems)
    return list(dict.fromkeys(notes))
