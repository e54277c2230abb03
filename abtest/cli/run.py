"""`abtest run`: the main job."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abtest.cli.produce import FILES, produce
from abtest.cli.show import colour, progress, shown, unicode_ok, write
from abtest.cli.speak import language_option
from abtest.problems import Problem, UserError, quoted

if TYPE_CHECKING:
    from abtest.analysis.result import Result

FORMATS = tuple(FILES)
EXIT = {"dont_ship": 10, "keep_running": 11, "dont_decide": 12}


def _choices(text: str, allowed: tuple[str, ...], option: str) -> tuple[str, ...]:
    from abtest.language.suggest import did_you_mean

    chosen = tuple(t.strip() for t in text.split(",") if t.strip())
    if not chosen:
        # An unset variable of a CI job must not switch off the gate.
        raise UserError([Problem("E002", f"{option} is empty", None, f"Possible: {', '.join(allowed)}")], exit_code=2)
    for item in chosen:
        if item not in allowed:
            raise UserError(
                [Problem("E002", f"{option} {quoted(item)}", None, did_you_mean(item, allowed, "Possible"))],
                exit_code=2,
            )
    return chosen


@click.command("run")
@click.argument("experiments", nargs=-1)
@click.option(
    "--project", "folder", metavar="DIR", help="The project's folder (default: this one, or the nearest above)."
)
@click.option("--out", metavar="DIR", help="Where to write (default: out/ in the project).")
@click.option("--format", "formats", default="html,json,md", metavar="LIST", show_default=True, help="What to write.")
@click.option(
    "--fail-on",
    default=None,
    metavar="LIST",
    help="Verdicts that give exit code 10 (dont_ship), 11 (keep_running), 12 (dont_decide).",
)
@language_option("the outputs")
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads of the engine (default: all).")
@click.option("--memory", metavar="SIZE", help="Memory limit of the engine, such as 2GB.")
@click.option("--no-lock", is_flag=True, help="Keep nothing in locks/ and looks/.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but problems.")
def command(
    experiments: tuple[str, ...],
    folder: str | None,
    out: str | None,
    formats: str,
    fail_on: str | None,
    language: str | None,
    threads: int | None,
    memory: str | None,
    no_lock: bool,
    quiet: bool,
) -> None:
    """Compute EXPERIMENTS (ids or files; default: all) and write report.html, result.json and summary.md of each.

    The first run of an experiment stamps its plan into locks/ID.yml, to be committed; what is changed in the plan later is
    told in the report. Each time that the data reach further, the look is kept in looks/ID.yml, to be committed as well.

    \b
    Examples:
      abtest run                                  everything in this project
      abtest run feed_ranker_v3                   one experiment
      abtest run feed_ranker_v3 --fail-on dont_ship,dont_decide
      abtest run feed_ranker_v3 --language nl     in Dutch
    """
    from abtest.cli.locate import experiments_of

    chosen = _choices(formats, FORMATS, "--format")
    failing = _choices(fail_on, tuple(EXIT), "--fail-on") if fail_on is not None else ()
    project, selected = experiments_of(experiments, folder)
    spoken = language or project.language
    target = Path(out) if out else project.root / "out"
    _writable(target)
    from abtest.analysis.sharing import engine_of
    from abtest.reports.terminal import render_terminal

    code = 0
    results: dict[str, Result] = {}
    with engine_of(project, threads, memory) as engine:
        for experiment in selected:
            notices: list[str] = []
            with progress(f"{experiment.title}") as step:
                made = produce(
                    project,
                    experiment,
                    engine,
                    target,
                    language=spoken,
                    earlier=results,
                    forms=chosen,
                    threads=threads,
                    memory=memory,
                    stamped=not no_lock,
                    step=step,
                    notice=notices.append,
                )
            result = results[experiment.id] = made.result
            code = max(code, EXIT.get(result.decision.verdict, 0) if result.decision.verdict in failing else 0)
            if not quiet:
                report = shown(made.folder / FILES["html"]) if "html" in chosen else None
                width = min(120, max(60, _width()))
                write(
                    render_terminal(
                        result,
                        width=width,
                        colour=colour(sys.stdout),
                        ascii_only=not unicode_ok(sys.stdout),
                        language=spoken,
                        report_path=report,
                    )
                )
            if made.said and not (quiet and made.kept):
                write(made.said, sys.stdout if made.kept else sys.stderr)
            for notice in notices:
                write(notice, sys.stderr)
    if code:
        raise click.exceptions.Exit(code)


def _width() -> int:
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


def _writable(target: Path) -> None:
    """Fail before the work, not after it."""
    import os

    existing = target
    try:
        while not existing.exists() and existing != existing.parent:
            existing = existing.parent
        possible = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    except (OSError, ValueError):  # a name that is too long
        possible = False
    if not possible:
        raise UserError(
            [Problem("E003", f"cannot write into {quoted(target)}", None, "Choose another folder:  --out DIR")],
            exit_code=2,
        )
