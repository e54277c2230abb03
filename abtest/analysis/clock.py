"""How far an experiment has come: what the data reach, against its dates and the windows of its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from abtest.analysis.arms import Arm
from abtest.analysis.dates import iso
from abtest.analysis.decide import Clock
from abtest.analysis.early import LookInfo, LooksInfo
from abtest.analysis.plan_looks import Looked, fraction_of, looked, schedules
from abtest.analysis.prepared import Prepared
from abtest.analysis.reading import Setting, boundary
from abtest.language.looks_model import Look
from abtest.language.model import Experiment
from abtest.sources.engine import Engine
from abtest.sources.units import USED, day_number
from abtest.stats.bayes import Prior

ANY_TIME = ("sequential", "hybrid")
"""Methods whose tests may decide at any look."""


@dataclass(frozen=True)
class Standing:
    """Where an experiment stands: its clock, how its tests are therefore read, the looks so far, the last day of entry."""

    clock: Clock
    setting: Setting
    looked: Looked | None
    last_exposure: int | None


def standing_of(
    engine: Engine,
    experiment: Experiment,
    found: Prepared,
    by_variant: Mapping[str, Mapping[str, Arm]],
    kept: tuple[Look, ...] = (),
    priors: Mapping[str, Prior] = MappingProxyType({}),
) -> Standing:
    """How far the experiment has come. `kept`: the looks before this run.

    Raises UserError (exit 3) for looks out of order.
    """
    units = sum(n for s, _, n in found.exposed.units if s == USED)
    last_exposure = engine.one(f"SELECT max(x_day) FROM units WHERE status = {USED}")[0]
    method = experiment.plan.method
    through = min((log.last_complete for log in found.logs.values()), default=None)
    if not found.exposed.has_time:
        setting = Setting(experiment.plan, False, 1.0, priors=priors)
        return Standing(Clock(True, method in ANY_TIME, units=units), setting, None, None)
    if through is None:
        through = found.exposed.last
    last_exposure = _last_entry(experiment, last_exposure, through)
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
    counted = {m: sum(a.used for a in arms.values()) for m, arms in by_variant.items()}
    roles = {u.name: u.role for u in experiment.metrics}
    deciding = {m: n for m, n in counted.items() if roles.get(m) in ("goal", "guardrail", "secondary")}
    look = looked(experiment, kept, None if through is None else iso(through), progress, deciding, reached)
    of_plan = method == "group_sequential" and look is not None and look.planned
    # A plan of looks is at its end when its last look is taken, be it by days or by units.
    if method == "group_sequential" and look is not None and look.taken and look.planned:
        reached = reached or look.taken[-1].final
    may_stop = method in ANY_TIME or of_plan
    until = experiment.end.isoformat() if experiment.end else None
    clock = Clock(reached, may_stop, run, planned, until, units, 0 if look is None else len(look.taken))
    setting = Setting(
        experiment.plan, not reached and not may_stop, progress, reached, schedules(experiment, look), priors
    )
    return Standing(clock, setting, look, last_exposure)


def _last_entry(experiment: Experiment, seen: int | None, through: int | None) -> int | None:
    """The last day on which units enter: while they may still come, that on which enrolment ends."""
    until = min((d for d in (experiment.enroll_until, experiment.end) if d is not None), default=None)
    if seen is None or until is None or through is None or through >= day_number(until):
        return seen
    return day_number(until)


def told_looks(experiment: Experiment, standing: Standing) -> LooksInfo | None:
    """The looks as the result tells them, with the boundaries of the first goal where the plan has some."""
    looked = standing.looked
    if looked is None:
        return None
    goal = next((u.name for u in experiment.metrics if u.role == "goal"), "")
    found = []
    for k, look in enumerate(looked.taken):
        bound = used = None
        if experiment.plan.method == "group_sequential":
            own = schedules(experiment, replace(looked, taken=looked.taken[: k + 1], planned=True))[goal]
            bound, used = boundary(own, experiment.plan)
        found.append(
            LookInfo(look.through, look.progress, fraction_of(experiment, look), look.units, look.final, bound, used)
        )
    return LooksInfo(tuple(found), looked.planned, looked.fraction, looked.next_at)
