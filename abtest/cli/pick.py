"""A metric by name, with suggestions."""

from __future__ import annotations

from abtest.language.model import Metric, Project
from abtest.language.suggest import did_you_mean
from abtest.problems import Problem, UserError, quoted


def pick_metric(project: Project, name: str) -> Metric:
    metric = project.metrics.get(name)
    if metric is None:
        raise UserError(
            [Problem("E204", f"no metric {quoted(name)}", None, did_you_mean(name, project.metrics, "Metrics"))],
            exit_code=2,
        )
    return metric
