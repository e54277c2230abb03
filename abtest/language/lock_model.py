"""The plan of an experiment as text, and the stamp that is kept of it, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass

Pairs = tuple[tuple[str, str], ...]
"""Keys with their texts, in a fixed order."""


@dataclass(frozen=True)
class PlannedMetric:
    """What the plan says of one metric. `fixed`: role, better, margin, ... and the hash of its definition, which are
    compared. `words`: that definition as it is written, so that a change can be told; not compared."""

    name: str
    fixed: Pairs
    words: Pairs = ()

    @property
    def role(self) -> str:
        return dict(self.fixed).get("role", "")


@dataclass(frozen=True)
class PlanText:
    """Everything of an experiment that should be settled before its data are seen."""

    plan: Pairs
    metrics: tuple[PlannedMetric, ...]

    @property
    def pairs(self) -> Pairs:
        """All that is compared, one after the other.

        >>> PlanText((("alpha", "5%"),), (PlannedMetric("crashes", (("margin", "1%"),)),)).pairs
        (('alpha', '5%'), ('margin of crashes', '1%'))
        """
        return (*self.plan, *((f"{key} of {m.name}", text) for m in self.metrics for key, text in m.fixed))


@dataclass(frozen=True)
class Lock:
    """The plan as it was stamped. `first_look`: the last date of the data then (ISO), None where data have no time."""

    experiment: str
    first_look: str | None
    stamped: PlanText
