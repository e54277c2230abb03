"""The plan of an experiment against the one that was stamped at its first run."""

from __future__ import annotations

from dataclasses import dataclass

from abtest.language.lock_model import Lock
from abtest.language.model import Experiment, Project
from abtest.language.plan_text import Change, added, altered, changes_since, plan_text


@dataclass(frozen=True)
class Drift:
    """What changed since the stamp. `first_look`: the last date of the data then; None: these data are the first."""

    changes: tuple[Change, ...]
    first_look: str | None

    def stamps(self, metric: str) -> tuple[str, ...]:
        """What must stand beside the numbers of a metric that was not planned so."""
        return tuple(
            stamp
            for stamp, names in (("added_later", added(self.changes)), ("changed_later", altered(self.changes)))
            if metric in names
        )


def new_stamp(project: Project, experiment: Experiment, first_look: str | None = None) -> Lock:
    """The plan as it stands, to be kept."""
    return Lock(experiment.id, first_look, plan_text(project, experiment))


def drift_of(project: Project, experiment: Experiment, stamp: Lock | None) -> Drift | None:
    """Against `stamp`, the stamp that this very run will leave behind, or else against the lock file; None without both.

    Both give the same value when nothing changed, so that the run that writes the file and the next one on the same data
    say the same.
    """
    lock = stamp if stamp is not None else project.locks.get(experiment.id)
    if lock is None:
        return None
    return Drift(changes_since(lock.stamped, plan_text(project, experiment)), lock.first_look)
