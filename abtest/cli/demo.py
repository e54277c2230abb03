"""`abtest demo`: a project to look at before writing one's own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abtest.cli.produce import FILES, produce
from abtest.cli.show import colour, progress, shown, unicode_ok, write
from abtest.cli.speak import language_option

if TYPE_CHECKING:
    from abtest.analysis.result import Result


@click.command("demo")
@click.argument("folder", default="demo")
@language_option("the report")
def command(folder: str, language: str | None) -> None:
    """Write a small photo-app project with exported logs into FOLDER, run its three tests of one feature, and say where
    the reports are.

    \b
    Examples:
      abtest demo
      abtest demo /tmp/photo_app
      abtest demo --language nl
    """
    from abtest.analysis.sharing import engine_of
    from abtest.demo import SEASONS, write_demo
    from abtest.language.project import load_project
    from abtest.problems import Problem, UserError, quoted
    from abtest.reports.language import load
    from abtest.reports.terminal import render_line, render_terminal

    target = Path(folder)
    if target.exists() and not (target / "abtest.yml").is_file() and any(target.iterdir()):
        raise UserError(
            [
                Problem(
                    "E003",
                    f"{quoted(folder)} exists and is not a demo project",
                    None,
                    "Choose another:  abtest demo DIR",
                )
            ],
            exit_code=2,
        )
    results: dict[str, Result] = {}
    pages: dict[str, str] = {}
    with progress("demo") as step:
        step("writing logs")
        write_demo(target)
        project = load_project(target)
        spoken = language or project.language
        with engine_of(project) as engine:
            for season in SEASONS:
                experiment = project.experiments[season.experiment]
                made = produce(project, experiment, engine, target / "out", language=spoken, earlier=results, step=step)
                results[experiment.id] = made.result
                pages[experiment.id] = shown(made.folder / FILES["html"])
    *earlier, last = results.values()
    plain = not unicode_ok(sys.stdout)
    page = pages[last.experiment.id]
    write(
        render_terminal(last, width=100, colour=colour(sys.stdout), ascii_only=plain, report_path=page, language=spoken)
    )
    words = load(spoken)
    write(words("terminal.before"))
    for one in earlier:
        line = render_line(one, colour=colour(sys.stdout), ascii_only=plain, language=spoken)
        write(f"  {line}  {pages[one.experiment.id]}")
    write("\n" + words("terminal.project", folder=folder))
