"""One look at the data of an experiment, as a frozen value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """`through`: the last complete date of the data (ISO). `progress`: the share of the planned days. `units`: how many
    each metric had by then. `final`: the planned end was reached."""

    through: str
    progress: float
    units: tuple[tuple[str, int], ...]
    final: bool = False
