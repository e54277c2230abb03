"""`abtest plan`: how many units and how many weeks an experiment needs, from what the project has already seen."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abtest.cli.show import colour, progress, shown, unicode_ok, write
from abtest.cli.speak import language_option
from abtest.problems import Problem, UserError, quoted

if TYPE_CHECKING:
    from abtest.language.model import Experiment, Project

FILES = ("plan.html", "plan.json")


def _percent(context: click.Context, option: click.Parameter, text: str | None) -> float | None:
    """`5%` or 0.05, as a fraction above 0."""
    if text is None:
        return None
    try:
        number = float(text.strip().removesuffix("%")) / (100.0 if text.strip().endswith("%") else 1.0)
    except ValueError:
        number = 0.0
    if not 1e-6 <= number <= 1.0:
        raise click.BadParameter(f"{text!r} is no share; write a percentage such as 5%")
    return number


def _day(context: click.Context, option: click.Parameter, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no date; write it as 2026-03-01") from None


def _like(project: Project, chosen: Experiment, like: str, by: str | None) -> Experiment:
    """The experiment whose exposures let units enter."""
    from abtest.language.project import pick_experiment

    found = pick_experiment(project, like)
    told = None
    if by is not None:
        told = "--by and --like both say how units enter; give one of them"
    elif found.id == chosen.id:
        told = f"--like {quoted(like)} is the experiment that is planned; name one that was before it"
    elif found.start is not None and chosen.start is not None and found.start >= chosen.start:
        told = f"--like {quoted(like)} did not begin before {chosen.start}, when {chosen.id} starts: it tells nothing of the time before"
    elif found.unit != chosen.unit:
        told = f"--like {quoted(like)} is about another unit: {found.unit}, not {chosen.unit}"
    if told is not None:
        raise UserError([Problem("E002", told)], exit_code=2)
    return found


@click.command("plan")
@click.argument("experiment")
@click.option("--weeks", type=click.IntRange(1, 520), metavar="N", help="A fixed duration: which effects does it find?")
@click.option(
    "--detect", callback=_percent, metavar="PERCENT", help="The smallest relative change of every goal to find."
)
@click.option(
    "--power", callback=_percent, metavar="PERCENT", help="The chance to ship a good change (default: the plan's)."
)
@click.option("--by", metavar="EVENT", help="The event that exposes a unit (default: any row of its log).")
@click.option("--like", metavar="EXPERIMENT", help="Units enter as they entered this earlier experiment, on its dates.")
@click.option(
    "--share",
    callback=_percent,
    default="100%",
    show_default=True,
    metavar="PERCENT",
    help="Of those who come, how many take part.",
)
@click.option(
    "--simulate", type=click.IntRange(100, 10_000), metavar="N", help="Try the plan on N random splits of the history."
)
@click.option("--from", "start", callback=_day, metavar="DATE", help="First day of the history (default: all of it).")
@click.option("--to", "end", callback=_day, metavar="DATE", help="Its last day (default: the day before the start).")
@click.option(
    "--project", "folder", metavar="DIR", help="The project's folder (default: this one, or the nearest above)."
)
@click.option("--out", metavar="DIR", help="Where to write (default: out/ in the project).")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON instead of words.")
@language_option("the plan")
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads of the engine (default: all).")
@click.option("--memory", metavar="SIZE", help="Memory limit of the engine, such as 2GB.")
def command(
    experiment: str,
    weeks: int | None,
    detect: float | None,
    power: float | None,
    by: str | None,
    like: str | None,
    share: float,
    simulate: int | None,
    start: date | None,
    end: date | None,
    folder: str | None,
    out: str | None,
    as_json: bool,
    language: str | None,
    threads: int | None,
    memory: str | None,
) -> None:
    """Size EXPERIMENT (an id or a file) from the project's own history, for all its goals and guardrails together, and
    write plan.html and plan.json.

    \b
    Examples:
      abtest plan composer_v3                     how many users, how many weeks
      abtest plan composer_v3 --weeks 4           which effects do four weeks find?
      abtest plan composer_v3 --detect 10% --share 50%
      abtest plan composer_v3 --by photo_post --simulate 1000
      abtest plan composer_v3 --like composer_v2  enter as they did there
    """
    from abtest.analysis.planning import Asked, plan_experiment
    from abtest.analysis.sharing import engine_of
    from abtest.cli.locate import experiments_of
    from abtest.language.suggest import did_you_mean
    from abtest.reports.plan_page import render_plan
    from abtest.reports.plan_terminal import render_plan_terminal
    from abtest.reports.write import write_outputs

    project, (chosen,) = experiments_of((experiment,), folder)
    if by is not None and by not in project.events:
        hint = did_you_mean(by, project.events, "Events")
        raise UserError([Problem("E201", f"no event {quoted(by)}", None, hint)], exit_code=2)
    if start is not None and end is not None and end < start:
        raise UserError([Problem("E002", f"--to {end} lies before --from {start}")], exit_code=2)
    spoken = language or project.language
    earlier = None if like is None else _like(project, chosen, like, by)
    asked = Asked(weeks, detect, power, by, share, start, end, earlier)
    with progress(f"{chosen.title}") as step, engine_of(project, threads, memory) as engine:
        plan, past, planned = plan_experiment(engine, project, chosen, asked, step)
        if simulate is not None:
            from abtest.analysis.plan_simulation import simulate as try_out

            step("simulation")
            plan = replace(plan, simulation=try_out(engine, chosen, plan, past, planned, simulate))
    for line in engine.notices:
        write(line, sys.stderr)
    step_folder = (Path(out) if out else project.root / "out") / chosen.id
    pages = (render_plan(plan, language=spoken), plan.to_json())
    written = write_outputs(step_folder, dict(zip(FILES, pages, strict=True)))
    if as_json:
        write(plan.to_json().rstrip("\n"))
        return
    page = shown(written / FILES[0])
    plain = not unicode_ok(sys.stdout)
    write(render_plan_terminal(plan, colour=colour(sys.stdout), ascii_only=plain, language=spoken, page=page))
