"""`abtest demo`: a project to look at before writing one's own."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from abtest.cli.show import colour, progress, unicode_ok, write
from abtest.cli.speak import language_option


@click.command("demo")
@click.argument("folder", default="demo")
@language_option("the report")
def command(folder: str, language: str | None) -> None:
    """Write a small photo-app project with exported logs into FOLDER, run it, and say where the report is.

    \b
    Examples:
      abtest demo
      abtest demo /tmp/photo_app
      abtest demo --language nl
    """
    from abtest.analysis.run import Options, analyse
    from abtest.cli.run import FILES, _shown
    from abtest.cli.stamp import stamping
    from abtest.demo import write_demo
    from abtest.language.project import load_project
    from abtest.problems import Problem, UserError, quoted
    from abtest.reports.language import load
    from abtest.reports.terminal import render_terminal
    from abtest.reports.write import render, write_outputs

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
    with progress("demo") as step:
        step("writing logs")
        write_demo(target)
        project = load_project(target)
        spoken = language or project.language
        experiment = next(iter(project.experiments.values()))
        options = Options(command=f"abtest run {experiment.id}")
        with stamping(project, experiment, True) as stamp:
            result = analyse(project, experiment, options=options, progress=step, stamp=stamp.lock)
            stamp.keep(result.experiment.data_through)
        where = write_outputs(
            target / "out" / experiment.id, {name: render(result, form, spoken) for form, name in FILES.items()}
        )
    write(
        render_terminal(
            result,
            width=100,
            colour=colour(sys.stdout),
            ascii_only=not unicode_ok(sys.stdout),
            language=spoken,
            report_path=_shown(where / FILES["html"]),
        )
    )
    write(load(spoken)("terminal.project", folder=folder))
