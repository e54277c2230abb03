"""Keeping the looks at an experiment: `looks/ID.yml` gets an entry when the data reach further than before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.language.model import Experiment, Project
from abtest.problems import UserError

if TYPE_CHECKING:
    from abtest.analysis.result import Result


def keep_looks(project: Project, experiment: Experiment, result: Result) -> str:
    """Write the looks that the result counts, if this one is new; what to tell of it."""
    from abtest.language.looks import looks_path, looks_text
    from abtest.language.looks_model import Look
    from abtest.reports.write import write_outputs

    if result.looks is None or not result.looks.planned:
        return ""
    now = tuple(Look(k.through, k.progress, k.units, k.final) for k in result.looks.taken)
    kept = project.looks.get(experiment.id, ())
    if len(now) <= len(kept) or now[: len(kept)] != kept:
        return ""
    target = looks_path(project.root, experiment.id)
    shown = f"{target.parent.name}/{target.name}"
    try:
        write_outputs(target.parent, {target.name: looks_text(experiment.id, now)})
    except UserError as e:
        return f"W376 {e.problems[0].message}; this look is not kept (--no-lock says so on purpose)"
    if experiment.plan.method != "group_sequential":
        return ""
    return f"This look is kept in {shown}: commit this file, since the boundaries of later looks depend on it."
