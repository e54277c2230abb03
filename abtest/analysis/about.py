"""What a result says of itself: the experiment, its plan, and where the numbers come from."""

from __future__ import annotations

from abtest.analysis.dates import iso
from abtest.analysis.decide import Clock
from abtest.analysis.prepared import Prepared
from abtest.analysis.result import Advice, ExperimentInfo, MetricResult, PlanInfo, Provenance, VariantInfo
from abtest.language.canonical import experiment_hash, plan_hash
from abtest.language.explain import Explainer
from abtest.language.model import Experiment, Metric, Plan, Project
from abtest.shipped import languages
from abtest.sources.units import USED
from abtest.stats.bayes import FLAT, Prior
from abtest.version import __version__

DEFAULTS_VERSION = 4
"""Raised whenever a default of the method changes, so that two reports can be compared."""


def data_through(found: Prepared) -> int | None:
    """The last complete day that all logs reach; without logs that of the last exposure; None without time."""
    last = found.exposed.last if found.exposed.has_time else None
    return min((log.last_complete for log in found.logs.values()), default=last)


def experiment_info(
    project: Project, e: Experiment, found: Prepared, clock: Clock, metrics: tuple[MetricResult, ...]
) -> ExperimentInfo:
    """Who was compared, when, and how far the data reach."""
    per_variant = {i: n for s, i, n in found.exposed.units if s == USED}
    mature = [m.mature_on for m in metrics if m.role in ("goal", "guardrail") and m.mature_on]
    return ExperimentInfo(
        id=e.id,
        title=e.title,
        owner=e.owner,
        hypothesis=e.hypothesis,
        unit=e.unit,
        baseline=e.baseline,
        variants=tuple(
            VariantInfo(v.id, v.title, v.key, v.share, per_variant.get(i, 0)) for i, v in enumerate(e.variants)
        ),
        has_time=found.exposed.has_time,
        timezone=project.timezone,
        start=e.start.isoformat() if e.start else None,
        enroll_until=e.enroll_until.isoformat() if e.enroll_until else None,
        end=e.end.isoformat() if e.end else None,
        data_through=iso(data_through(found)),
        days_run=clock.days_run,
        days_planned=clock.days_planned,
        reached_end=clock.reached,
        fully_mature_on=max(mature) if mature else None,
        iteration_of=e.iteration_of,
        changes=e.changes,
        cluster=None if e.cluster is None else f"{e.cluster.source}.{e.cluster.prop}",
    )


def meanings(project: Project, metric: Metric, unit: str) -> dict[str, str]:
    """The whole definition in plain words, in every language."""
    told = {}
    for language in languages():
        explainer = Explainer(language, project)
        told[language] = " ".join((explainer.meaning(metric, unit), *explainer.rules(metric, project.timezone, unit)))
    return told


def plan_info(p: Plan, prior: Prior = FLAT, prior_from: int | None = None) -> PlanInfo:
    """The plan as it was declared, defaults filled in. `prior` is that of the first goal, `prior_from` how many earlier
    experiments it comes from."""
    flat = prior == FLAT
    return PlanInfo(
        p.method,
        p.alpha,
        p.guardrail_alpha,
        p.power,
        p.detect,
        p.correct_goal,
        p.srm_alpha,
        p.correct_secondary,
        p.lift,
        p.correct_segments,
        p.looks,
        p.spending.name,
        p.spending.gamma,
        p.units,
        p.monitoring,
        p.prior.kind,
        None if flat else prior.mean,
        None if flat else prior.sd,
        prior_from,
    )


def provenance(project: Project, experiment: Experiment, found: Prepared, command: str) -> Provenance:
    """Versions, hashes, files and the command: what it takes to make the same result again."""
    import duckdb
    import ibis
    import numpy
    import scipy

    libraries = (
        ("duckdb", duckdb.__version__),
        ("ibis", ibis.__version__),
        ("numpy", numpy.__version__),
        ("scipy", scipy.__version__),
    )
    return Provenance(
        abtest_version=__version__,
        config_hash=experiment_hash(project, experiment),
        plan_hash=plan_hash(experiment),
        command=command or f"abtest run {experiment.id}",
        sources=found.sources,
        engine="duckdb",
        defaults_version=DEFAULTS_VERSION,
        libraries=libraries,
    )


def advice_of(project: Project, metric: Metric) -> tuple[Advice, ...]:
    """What the group of a metric says is to be done for each of its cells, where the metric shows them all."""
    if metric.group is None or metric.part_of is not None or not metric.group.whole:
        return ()
    group = project.groups.get(metric.group.group)
    return tuple(Advice(cell, text.en, text.others) for cell, text in (group.advice if group is not None else ()))
