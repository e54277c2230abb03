"""`abtest explain`: a definition in plain words, and why one unit has the value it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from abtest.cli.show import progress, write

if TYPE_CHECKING:
    from abtest.analysis.inspect import Inspection


@click.command("explain")
@click.argument("metric")
@click.option("--unit", "unit_id", metavar="ID", help="Show every event of this unit, counted or not, and its value.")
@click.option(
    "--experiment", metavar="ID", help="Take exposures from this experiment (default: the first that uses the metric)."
)
@click.option("--language", type=click.Choice(["en", "nl"]), default="en", show_default=True, help="English or Dutch.")
@click.option(
    "--project", "folder", metavar="DIR", help="The project's folder (default: this one, or the nearest above)."
)
def command(metric: str, unit_id: str | None, experiment: str | None, language: str, folder: str | None) -> None:
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
    explainer = Explainer(language, project)
    title, description, cannot = (
        told(getattr(found, key), found.translated, key, language) for key in ("title", "description", "cannot")
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
    from abtest.problems import Problem, UserError

    chosen = pick_experiment(project, experiment) if experiment else experiment_with(project, found)
    if chosen is None:
        raise UserError([Problem("E205", "this project has no experiment, so nobody was exposed")], exit_code=2)
    with progress(f"{found.name} of {unit_id}") as step:
        seen = inspect_unit(project, chosen, found, unit_id, step)
    write("\n".join([*lines, "", *_unit_lines(seen, chosen.id, chosen.unit)]))


REJECTED = {
    "before_exposure": "before the exposure",
    "before_window": "before the window",
    "after_window": "after the window",
    "after_data": "after the last complete date",
    "before_start": "before the starting point",
    "no_session": "in no session of the window",
    "duplicate": "a duplicate",
    "bad_time": "its time cannot be read",
    "ignored": "ignored by the source",
    "no_event": "no event of this metric",
}
REASONS = {
    "immature": "does not count yet: the window is not over at the end of the data",
    "missing": "does not count: there is no complete block, or no value",
    "left_out": "does not count: the unit is not in the experiment",
    "not_among": "does not count: the unit is not among those that the metric is about",
    "zero_denominator": "counts with a denominator of zero",
}
STATUS = {
    "before_start": "left out: first exposed before the start",
    "after_enrolment": "left out: exposed after enrolment",
    "mixed": "left out: saw several variants",
    "excluded": "left out: not in the population",
    "no_cluster": "left out: its cluster is not known",
}


def _unit_lines(seen: Inspection, experiment: str, unit: str) -> list[str]:
    lines = [f"  {unit.capitalize()} {seen.unit} in {experiment}"]
    lines.append(
        f"    Exposed  {seen.exposed or 'no time'} to {seen.variant or 'several variants'}"
        + (f" ({STATUS[seen.status]})" if seen.status in STATUS else "")
    )
    if seen.through:
        lines.append(f"    Window   {seen.window}; the data are complete through {seen.through}")
    value = REASONS.get(seen.reason or "", "") if seen.value is None else f"{seen.value:.6g}"
    lines.append(f"    Value    {value}")
    if seen.blocks:
        lines += ["", "    Blocks"]
        lines += [
            f"      {b.first} to {b.last}   {'no value' if b.value is None else f'{b.value:g}'}"
            + ("" if b.complete else "   not over yet")
            for b in seen.blocks
        ]
    if seen.events:
        lines += ["", "    Events"]
    for event in seen.events[:500]:
        properties = "".join(f"  {k} {v:g}" if isinstance(v, float) else f"  {k} {v}" for k, v in event.properties)
        why = f"   not counted: {REJECTED.get(event.rejected, event.rejected)}" if event.rejected else ""
        lines.append(f"      {event.when}   day {event.day:>3}   {', '.join(event.events)}{properties}{why}")
    if len(seen.events) > 500:
        lines.append(f"      and {len(seen.events) - 500:,} more")
    return lines
