"""`abtest calibrate`: do the tests of an experiment keep their error rate on its own units?"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from abtest.cli.show import colour, progress, shown, unicode_ok, write
from abtest.cli.speak import language_option

OFF = 13
"""Exit code where a metric's rate is off; 10 to 12 are verdicts (`abtest run --fail-on`)."""
PAGE, JSON = "calibration.html", "calibration.json"


@click.command("calibrate")
@click.argument("experiment")
@click.option("--splits", type=int, default=512, show_default=True, help="How many random splits.")
@click.option("--seed", type=click.IntRange(min=0), help="Of the splits (default: from the experiment's id).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table, and write no page.")
@click.option("--project", "folder", metavar="DIR", help="The project's folder (default: this one, or the nearest above).")  # fmt: skip
@click.option("--out", metavar="DIR", help="Where to write (default: out/ in the project).")
@language_option("the page")
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads of the engine (default: all).")
@click.option("--memory", metavar="SIZE", help="Memory limit of the engine, such as 2GB.")
def command(
    experiment: str,
    splits: int,
    seed: int | None,
    as_json: bool,
    folder: str | None,
    out: str | None,
    language: str | None,
    threads: int | None,
    memory: str | None,
) -> None:
    """Split the units of EXPERIMENT at random again and again, and count how often each metric's test is fooled.

    Exit code 0: every rate fits the plan; 13: a metric's rate is off.

    \b
    Examples:
      abtest calibrate feed_ranker_v3
      abtest calibrate feed_ranker_v3 --splits 4096
      abtest calibrate feed_ranker_v3 --json > calibration.json
    """
    from abtest.cli.locate import experiments_of

    project, (chosen,) = experiments_of((experiment,), folder)
    spoken = language or project.language
    from abtest.analysis.calibrate import calibrate
    from abtest.analysis.run import Options
    from abtest.reports.calibrate import render_page, render_table
    from abtest.reports.write import write_outputs

    notices: list[str] = []
    with progress(chosen.title) as step:
        options = Options(threads, memory)
        found = calibrate(
            project, chosen, splits=splits, seed=seed, options=options, progress=step, notice=notices.append
        )
    for line in notices:
        write(line, sys.stderr)
    if as_json:
        write(found.to_json().rstrip("\n"))
    else:
        target = (Path(out) if out else project.root / "out") / chosen.id
        outputs = {PAGE: render_page(found, language=spoken), JSON: found.to_json()}
        made = write_outputs(target, outputs) / PAGE
        width = min(120, max(60, shutil.get_terminal_size((100, 24)).columns))
        paint, ascii_only = colour(sys.stdout), not unicode_ok(sys.stdout)
        write(render_table(found, width=width, colour=paint, ascii_only=ascii_only, language=spoken, page=shown(made)))
    if found.off:
        raise click.exceptions.Exit(OFF)
