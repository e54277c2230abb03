"""The looks at an experiment: which this one is, whether the plan has one now, and what each metric had at them.

A look is a watermark of the data: running again on data of the same last date is the same look. Looks stand in
`looks/EXPERIMENT.yml` (`language/looks.py`); this run's own counts as taken, whether or not the file has it yet, so that
the run that writes it and the next one on the same data say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from abtest.language.looks_model import Look
from abtest.language.model import Experiment
from abtest.problems import data_error

CLOSE = 1e-9


@dataclass(frozen=True)
class Schedule:
    """One metric at its looks so far, this one last: `information` (units, as shares of now) and the `fractions` of the
    plan by which alpha is spent; empty where the metric had no units. `final`: this is the planned end."""

    information: tuple[float, ...]
    fractions: tuple[float, ...]
    final: bool


@dataclass(frozen=True)
class Looked:
    """`taken`: all looks, this one last (without it where the plan has none now: `planned` is false). `next_at`: the
    fraction of the plan at which the next look is due, None where none is left. `fraction`: how far the plan is now."""

    taken: tuple[Look, ...]
    planned: bool
    fraction: float
    next_at: float | None


def looked(
    experiment: Experiment,
    kept: tuple[Look, ...],
    through: str | None,
    progress: float,
    units: Mapping[str, int],
    reached: bool,
) -> Looked | None:
    """This look among those kept; None for data without time.

    Raises UserError (exit 3) where this look comes before one that is kept, and where it has fewer units than an earlier
    one: boundaries spend alpha in the order of the looks.
    """
    if through is None:
        return None
    now = Look(through, round(min(1.0, progress), 6), tuple(sorted(units.items())), reached)
    fraction = fraction_of(experiment, now)
    same = next((look for look in kept if look.through == through), None)
    if same is not None:
        # What the file lacks (a metric that came, or got its name, after the look) this run has counted on the same data.
        full = replace(same, units=tuple(sorted({**units, **dict(same.units)}.items())))
        before = (*(look for look in kept if look.through < through), full)
        return Looked(before, True, fraction_of(experiment, full), _next(experiment, before))
    if kept and kept[-1].final and through > kept[-1].through:
        return Looked(kept, True, 1.0, None)
    if experiment.plan.method != "group_sequential":
        before = tuple(look for look in kept if look.through < through)
        return Looked((*before, now), True, fraction, None)
    if kept and through < kept[-1].through:
        raise data_error(
            "E526",
            f"looks out of order: the data reach {through}, and {experiment.id} was looked at with data through "
            f"{kept[-1].through}",
            f"Use data that reach at least as far, or  as_of:  one of the looks in looks/{experiment.id}.yml.",
        )
    last = fraction_of(experiment, kept[-1]) if kept else 0.0
    # A look at which no goal has a value yet could find nothing, and alpha that is not spent is there for later ones.
    seen = any(units.get(u.name, 0) for u in experiment.metrics if u.role == "goal")
    due = reached or (seen and any(last + CLOSE < t <= fraction + CLOSE for t in experiment.plan.looks))
    if not due:
        return Looked(kept, False, fraction, _next(experiment, kept))
    _more_than_before(experiment, kept, now)
    final = reached or fraction >= 1.0
    taken = (*kept, Look(now.through, now.progress, now.units, final))
    return Looked(taken, True, fraction, None if final else _next(experiment, taken))


def fraction_of(experiment: Experiment, look: Look) -> float:
    """How far the plan is: the least advanced goal against the planned units, or the days."""
    if look.final:
        return 1.0
    if experiment.plan.units is None:
        return look.progress
    units = dict(look.units)
    goals = [units.get(u.name, 0) for u in experiment.metrics if u.role == "goal"]
    return min(1.0, min(goals, default=0) / experiment.plan.units)


def _next(experiment: Experiment, taken: tuple[Look, ...]) -> float | None:
    last = fraction_of(experiment, taken[-1]) if taken else 0.0
    return next((t for t in experiment.plan.looks if t > last + CLOSE), None)


def _more_than_before(experiment: Experiment, kept: tuple[Look, ...], now: Look) -> None:
    if not kept:
        return
    before, units = dict(kept[-1].units), dict(now.units)
    for use in experiment.metrics:
        if use.role in ("goal", "guardrail") and units.get(use.name, 0) < before.get(use.name, 0):
            raise data_error(
                "E526",
                f"looks out of order: {use.name} had {before[use.name]:,} units at the look of {kept[-1].through}, and "
                f"has {units.get(use.name, 0):,} now",
                "An export that lost rows cannot be a later look. Compare the two exports.",
            )


def schedules(experiment: Experiment, looked: Looked | None) -> dict[str, Schedule]:
    """Per metric, its information at the looks so far. A look that brought it nothing is left out. Metrics that decide
    nothing are not counted at looks; they have those of the first goal."""
    if looked is None or not looked.planned or experiment.plan.method != "group_sequential":
        return {}
    found = {}
    goal = next((u.name for u in experiment.metrics if u.role == "goal"), "")
    for use in experiment.metrics:
        counted = use.name if any(use.name in dict(look.units) for look in looked.taken) else goal
        found[use.name] = _schedule(experiment, counted, looked.taken)
    return found


def _schedule(experiment: Experiment, metric: str, taken: tuple[Look, ...]) -> Schedule:
    counted = [(dict(look.units).get(metric, 0), fraction_of(experiment, look)) for look in taken]
    now = counted[-1][0]
    information: list[float] = []
    fractions: list[float] = []
    for k, (units, fraction) in enumerate(counted):
        last = k == len(counted) - 1
        grown = units > 0 and (not information or units / now > information[-1] + CLOSE) if now else False
        if grown and (last or (units < now and fraction < 1.0)):
            information.append(units / now)
            # An edited file, or a plan whose dates were moved: what was spent is spent.
            fractions.append(max(fraction, 1e-6, *fractions[-1:]))
        elif last:
            return Schedule((), (), False)
    return Schedule(tuple(information), tuple(fractions), taken[-1].final)
