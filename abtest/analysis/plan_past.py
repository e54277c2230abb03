"""Which past a plan is made from: what was asked for, and how much log should come before the first entry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeGuard

from abtest.analysis.history import Past, read_past
from abtest.analysis.prepare import Progress
from abtest.language.model import Experiment, Metric, Project
from abtest.metrics.covariates import Covariate
from abtest.metrics.plan import Chain, last_day
from abtest.sources.engine import Engine
from abtest.stats.sizing import WEEK

_EPOCH = date(1970, 1, 1).toordinal()
SHORT_DAYS = 28
"""Of history; fewer may be weeks unlike others."""


@dataclass(frozen=True)
class Asked:
    """What was asked for beside the experiment's own plan. `weeks`: a fixed duration, whose smallest effects are wanted.
    `by`: the event that exposes a unit, or `like` an experiment whose exposures do; `traffic`: the share of those who come
    that takes part."""

    weeks: int | None = None
    detect: float | None = None
    power: float | None = None
    by: str | None = None
    traffic: float = 1.0
    start: date | None = None
    end: date | None = None
    like: Experiment | None = None


def past_of(
    engine: Engine,
    project: Project,
    experiment: Experiment,
    metrics: Sequence[Metric],
    asked: Asked,
    progress: Progress,
) -> tuple[Past, int]:
    """The past, and how many days of log before it only tell what units did before.

    A unit enters at its first row, so that on the first days of a log nobody has a past of their own, and adjustment
    would seem to be worth nothing. Where no dates are asked for and the log is long enough, entry starts later.
    """

    def read(start: date | None) -> Past:
        return read_past(
            engine, project, metrics, experiment.unit, start=start, end=asked.end, of=experiment, by=asked.by,
            like=asked.like, progress=progress,
        )  # fmt: skip

    past = read(asked.start)
    lead = 0 if asked.start is not None or asked.like is not None else _lead(past, experiment)
    if not lead:
        return past, 0
    return read(later(past, lead)), lead


def later(past: Past, days: int) -> date:
    """The date so many days after the first entry."""
    return date.fromordinal(_EPOCH + past.start + days)


def _lead(past: Past, experiment: Experiment) -> int:
    """For all goals and guardrails."""
    chains = {t.metric.name: t.chain for t in past.plan.all_tasks}
    follow_up = max((follow_up_of(chains.get(m.name)) for m in past.metrics), default=0)
    names = [u.name for u in experiment.metrics if u.role in ("goal", "guardrail")]
    found = [c for name in names for c in past.prepared.covariates.get(name, ())]
    return lead_of(past, looks_back(found), follow_up)


def looks_back(covariates: Iterable[Covariate]) -> int:
    """How many days before exposure they need at most."""
    firsts = [c.metric.window.first for c in covariates if c.metric is not None]
    return max((-first for first in firsts if first is not None), default=0)


def lead_of(past: Past, back: int, follow_up: int) -> int:
    """Whole weeks of log, in days, that should come before entry: as many as adjustment looks back, if entry then still
    has four weeks whose windows are complete; else as many as that leaves."""
    spare = past.days - follow_up - SHORT_DAYS
    return max(0, min(-(-back // WEEK) * WEEK, spare // WEEK * WEEK))


def follow_up_of(chain: Chain | None) -> int:
    """Days after exposure until a value is known; 0 for windows without a fixed end."""
    return last_day(chain) if fixed(chain) else 0


def fixed(chain: Chain | None) -> TypeGuard[Chain]:
    """Whether a window ends a fixed number of days after exposure."""
    return chain is not None and chain.last is not None and chain.origin is None


def earlier_of(project: Project, experiment: Experiment) -> str | None:
    """An experiment whose exposures would tell how units enter: the one that this goes back to, or the last that was over
    before it starts."""
    over = [
        e
        for e in project.experiments.values()
        if e.id != experiment.id
        and e.unit == experiment.unit
        and e.end is not None
        and experiment.start is not None
        and e.end < experiment.start
    ]
    own = [e.id for e in over if e.id == experiment.iteration_of]
    return own[0] if own else max(over, key=lambda e: (e.end or date.min, e.id)).id if over else None


def own_weeks(experiment: Experiment) -> int | None:
    """Whole weeks from the first day of an experiment to its last, by its own dates."""
    if experiment.start is None or experiment.end is None:
        return None
    return ((experiment.end - experiment.start).days + 1) // WEEK
