"""What examples may name: the events that a metric reads, and nothing that has no value per unit."""

from __future__ import annotations

from abtest.language.canonical import events_of
from abtest.language.model import Project
from abtest.language.suggest import did_you_mean
from abtest.problems import Problem


def problems_in_examples(project: Project) -> list[Problem]:
    """Examples that name what the metric does not read."""
    found = []
    for metric in project.metrics.values():
        read = {_shown(n) for n in events_of(metric)}
        known = {_shown(n) for n in project.events}
        for example in metric.examples:
            for event in example.events:
                if event.event not in known:
                    message = f'no event "{event.event}" (example of {metric.name})'
                    hint = did_you_mean(event.event, read or known)
                    found.append(Problem("E201", message, example.place, hint))
        if metric.examples and not read:
            message = f"metric {metric.name} reads a column and can have no examples"
            found.append(Problem("E138", message, metric.examples[0].place))
        if metric.examples and metric.quantile is not None and metric.quantile.across == "events":
            message = f"metric {metric.name} is one number over all units and can have no examples"
            found.append(Problem("E138", message, metric.examples[0].place))
    return found


def _shown(event: str) -> str:
    """How an example writes an event: answers go by the name of their survey."""
    return event.removesuffix(".answers")
