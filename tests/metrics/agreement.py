"""Oracle against plan on one generated project: every unit, every metric."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from abtest.analysis.covariates import find_covariates
from abtest.analysis.prepare import metrics_of
from abtest.language.canonical import events_of
from abtest.language.model import Metric, Project
from abtest.metrics.covariates import BEFORE
from tests.oracle.compiled import Seen, compiled_values
from tests.oracle.generate import Case
from tests.oracle.oracle import UnitValue, evaluate

CLOSE = 1e-9
"""The oracle is exact; the plan ends in floats. Values are sums of at most a few hundred terms below 1e4."""


def same(wanted: UnitValue, got: Seen, before: bool = False) -> bool:
    if wanted.value is None or got.value is None:
        return (
            wanted.value is None and got.value is None and (before or (wanted.reason == "immature") == (not got.mature))
        )
    pairs = [(wanted.value, got.value)]
    if wanted.denominator is not None:
        if got.denominator is None:
            return False
        pairs.append((wanted.denominator, got.denominator))
    return all(abs(float(w) - g) <= CLOSE * max(1.0, abs(float(w))) for w, g in pairs)


Wanted = dict[str, dict[str, UnitValue]]


def oracle_values(case: Case) -> Wanted:
    """What every unit contributes to every metric of the experiment, by the oracle."""
    project = case.project()
    experiment = project.experiments[case.experiment]
    read = {project.events[e].source for m in metrics_of(project, experiment) for e in events_of(m)}
    # What nobody in the experiment reads does not date its answers.
    sources = {name: source for name, source in case.sources.items() if name in read}
    if not any(project.sources[name].kind == "events" for name in sources):
        return {}
    return {
        name: evaluate(metric, project.events, sources, case.rows, case.exposures, case.setting, case.attributes)
        for name, metric in case.metrics.items()
    }


def before_values(case: Case, project: Project) -> tuple[Wanted, dict[str, Metric]]:
    """The same for the metrics over the days before exposure by which those are adjusted."""
    experiment = project.experiments[case.experiment]
    covariates, _ = find_covariates(metrics_of(project, experiment), project, experiment)
    before = {c.metric.name: c.metric for own in covariates.values() for c in own if c.metric is not None}
    every = (*metrics_of(project, experiment), *before.values())
    read = {project.events[e].source for m in every for e in events_of(m)}
    sources = {name: source for name, source in case.sources.items() if name in read}
    found = {
        name: evaluate(metric, project.events, sources, case.rows, case.exposures, case.setting, case.attributes)
        for name, metric in before.items()
    }
    return found, before


def disagreements(case: Case, wanted: Wanted | None = None) -> list[str]:
    """One line per unit and metric on which oracle and plan differ; empty when they agree."""
    with tempfile.TemporaryDirectory() as folder:
        case.write(Path(folder))
        # Logs are short here, so the days before exposure are few; how many differs from case to case.
        project = replace(case.project(), root=Path(folder), default_adjust=1 + len(case.rows) % 9)
        compiled = compiled_values(project, case.experiment, Path(folder))
        found: list[str] = []
        every = dict(oracle_values(case) if wanted is None else wanted)
        definitions = dict(project.metrics)
        if every:
            before, hidden = before_values(case, project)
            # What no log reaches back for is left out of the plan.
            unseen = [
                n for n, own in before.items() if n not in compiled and all(v.value is None for v in own.values())
            ]
            every |= {n: own for n, own in before.items() if n not in unseen}
            definitions |= hidden
        for name, values in every.items():
            got = compiled[name]
            if set(values) != set(got):
                found.append(f"{name}: units {sorted(set(values) ^ set(got))}")
            found += [
                f"{name} {dict(definitions[name].text)}: {u}: oracle {w}, plan {got[u]}"
                for u, w in values.items()
                if u in got and not same(w, got[u], name.startswith(BEFORE))
            ]
        return found
