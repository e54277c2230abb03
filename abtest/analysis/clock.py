"""How far an experiment has come: what the data reach, against its dates and the windows of its metrics."""

from __future__ import annotations

from collections.abc import Mapping

from abtest.analysis.arms import Arm
from abtest.analysis.compare import Setting
from abtest.analysis.decide import Clock
from abtest.analysis.prepared import Prepared
from abtest.language.model import Experiment
from abtest.sources.engine import Engine
from abtest.sources.units import USED, day_number


def clock_of(
    engine: Engine, experiment: Experiment, found: Prepared, by_variant: Mapping[str, Mapping[str, Arm]]
) -> tuple[Clock, Setting, int | None]:
    """How far the experiment has come, how its tests are therefore read, and the last day of exposure."""
    units = sum(n for s, _, n in found.exposed.units if s == USED)
    last_exposure = engine.one(f"SELECT max(x_day) FROM units WHERE status = {USED}")[0]
    sequential = experiment.plan.method == "sequential"
    through = min((log.last_complete for log in found.logs.values()), default=None)
    if not found.exposed.has_time:
        return Clock(True, sequential, units=units), Setting(experiment.plan, False, 1.0), None
    if through is None:
        through = found.exposed.last
    immature = sum(
        a.immature for u in experiment.metrics if u.role in ("goal", "guardrail") for a in by_variant[u.name].values()
    )
    run = planned = None
    ended = True
    progress = 1.0
    if experiment.start is not None and experiment.end is not None and through is not None:
        start, end = day_number(experiment.start), day_number(experiment.end)
        run, planned = max(0, through - start + 1), end - start + 1
        ended = through >= end
        progress = min(1.0, run / planned)
    elif found.exposed.first is not None and through is not None:
        run = max(0, through - found.exposed.first + 1)
    reached = ended and immature == 0
    clock = Clock(reached, sequential, run, planned, experiment.end.isoformat() if experiment.end else None, units)
    return clock, Setting(experiment.plan, not reached and not sequential, progress), last_exposure
