"""`abtest explain`: a definition in plain words, and why one unit has the value it has."""

from __future__ import annotations

import click

from abtest.cli.show import progress, write
from abtest.cli.speak import language_option


@click.command("explain")
@click.argument("metric")
@click.option("--unit", "unit_id", metavar="ID", help="Show every event of this unit, counted or not, and its value.")
@click.option(
    "--experiment", metavar="ID", help="Take exposures from this experiment (default: the first that uses the metric)."
)
@language_option("the explanation")
@click.option(
    "--project", "folder", metavar="DIR", help="The project's folder (default: this one, or the nearest above)."
)
def command(metric: str, unit_id: str | None, experiment: str | None, language: str | None, folder: str | None) -> None:
    """Say in plain words what METRIC counts, completely enough to compute it by hand.

    \b
    Examples:
      abtest explain engaged_weeks
      abtest explain engaged_weeks --language nl
      abtest explain engaged_weeks --unit 4711
    """
    from abtest.cli.locate import open_project
    from abtest.cli.pick import pick_metric
    from abtest.language.canonical import metric_hash
    from abtest.language.explain import Explainer
    from abtest.language.project import pick_experiment
    from abtest.language.words import told

    project = open_project(folder)
    found = pick_metric(project, metric)
    using = [e for e in project.experiments.values() if found.name in {u.name for u in e.metrics}]
    everywhere = {e.unit for e in using or project.experiments.values()}
    everywhere = everywhere or {unit for source in project.sources.values() for unit, _ in source.units}
    unit = found.unit or (next(iter(everywhere)) if len(everywhere) == 1 else "unit")
    unit = using[0].unit if using else unit
    spoken = language or project.language
    explainer = Explainer(spoken, project)
    title, description, cannot = (
        told(getattr(found, key), found.translated, key, spoken) for key in ("title", "description", "cannot")
    )
    lines = [f"{title} ({found.name})", *([f"  {description}"] if description else [])]
    lines += [f"  {explainer.say('cannot', text=cannot)}"] if cannot else []
    lines += [
        "",
        f"  {explainer.meaning(found, unit)}",
        *(f"  {s}" for s in explainer.rules(found, project.timezone, unit)),
        *(f"  {s}" for s in explainer.clusters(using)),
    ]
    events = explainer.events(found, project.events)
    if events:
        lines += ["", "  Events", *(f"    {e}" for e in events)]
    lines += ["", *(f"  {s}" for s in explainer.stamp(found)), f"  Hash {metric_hash(found, project.events)}"]
    if unit_id is None:
        write("\n".join(lines))
        return
    from abtest.analysis.inspect import experiment_with, inspect_unit
    from abtest.cli.unit_view import unit_lines
    from abtest.problems import Problem, UserError
    from abtest.reports.language import load

    chosen = pick_experiment(project, experiment) if experiment else experiment_with(project, found)
    if chosen is None:
        raise UserError([Problem("E205", "this project has no experiment, so nobody was exposed")], exit_code=2)
    with progress(f"{found.name} of {unit_id}") as step:
        seen = inspect_unit(project, chosen, found, unit_id, step)
    write("\n".join([*lines, "", *unit_lines(load(spoken), seen, chosen.id, chosen.unit)]))
