"""What `abtest preview` and `abtest lab` share: options, the past they ask for, and what they write."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abtest.cli.show import progress, shown, write
from abtest.cli.speak import language_option

if TYPE_CHECKING:
    from abtest.analysis.past_model import LabResult, PreviewResult

_DAY = click.DateTime(["%Y-%m-%d"])


def past_options(what: str) -> Callable[[Any], Any]:
    """The options of both commands."""
    options = [
        click.argument("metric"),
        click.option("--before", "experiment", metavar="ID", help="Only the days before this experiment, and its population."),
        click.option("--from", "start", type=_DAY, metavar="DATE", help="First day on which units enter (default: the log's first)."),
        click.option("--to", "end", type=_DAY, metavar="DATE", help="Last day that is read (default: the log's last complete one)."),
        click.option("--unit", metavar="UNIT", help="Of what the metric is asked (default: the unit of its experiments)."),
        click.option("--out", metavar="DIR", help="Where the page is written (default: out/ in the project)."),
        click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON and write nothing."),
        language_option(what),
        click.option("--threads", type=click.IntRange(1, 1024), help="Threads of the engine (default: all)."),
        click.option("--memory", metavar="SIZE", help="Memory limit of the engine, such as 2GB."),
        click.option("--project", "folder", metavar="DIR", help="The project's folder (default: this one, or the nearest above)."),
    ]  # fmt: skip

    def decorated(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


def look(
    kind: str,
    metric: str,
    experiment: str | None,
    start: datetime | None,
    end: datetime | None,
    unit: str | None,
    out: str | None,
    as_json: bool,
    language: str | None,
    threads: int | None,
    memory: str | None,
    folder: str | None,
) -> None:
    """Compute, print and write: `kind` is `lab` or `preview`."""
    from abtest.analysis.lab import Asked, run_lab
    from abtest.analysis.preview import run_preview
    from abtest.analysis.sharing import engine_of
    from abtest.cli.locate import open_project
    from abtest.cli.pick import pick_metric
    from abtest.language.project import pick_experiment
    from abtest.problems import Problem, UserError
    from abtest.reports.past_pages import past_html, past_json, past_text
    from abtest.reports.write import write_outputs

    project = open_project(folder)
    found = pick_metric(project, metric)
    first, last = _day(start), _day(end)
    if first is not None and last is not None and last < first:
        raise UserError([Problem("E002", f"--to {last} lies before --from {first}")], exit_code=2)
    before = pick_experiment(project, experiment) if experiment is not None else None
    if unit is not None:
        _known_unit(project.sources.values(), unit)
    asked = Asked(unit, first, last, before)
    run: Callable[..., LabResult | PreviewResult] = run_lab if kind == "lab" else run_preview
    with engine_of(project, threads, memory) as engine, progress(found.title) as step:
        result = run(engine, project, found, asked, step)
    for line in engine.notices:
        write(line, sys.stderr)
    if as_json:
        write(past_json(result).rstrip("\n"))
        return
    spoken = language or project.language
    target = (Path(out) if out else project.root / "out") / kind
    page = f"{found.name}.html"
    written = write_outputs(target, {page: past_html(result, spoken)})
    write(past_text(result, spoken, _width()))
    write(f"\n{shown(written / page)}", sys.stdout)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _known_unit(sources: Any, unit: str) -> None:
    from abtest.language.suggest import did_you_mean
    from abtest.problems import Problem, UserError, quoted

    units = list(dict.fromkeys(u for s in sources for u, _ in s.units))
    if unit not in units:
        hint = did_you_mean(unit, units, "Units")
        raise UserError([Problem("E002", f"--unit {quoted(unit)} is no unit of this project", None, hint)], exit_code=2)


def _width() -> int:
    import shutil

    return min(120, max(60, shutil.get_terminal_size((100, 24)).columns))
