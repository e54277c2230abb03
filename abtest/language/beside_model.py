"""What an experiment may ask for beside the comparison of its metrics: the triggered units, and drivers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from abtest.language.conditions import Condition
from abtest.language.metric_model import Window
from abtest.language.source_model import nowhere
from abtest.language.yaml import Text
from abtest.problems import Place


@dataclass(frozen=True)
class Trigger:
    """Which units could notice the change, by what they did after exposure in *both* arms. `window` as in metrics."""

    condition: Condition
    window: Window
    text: str = field(default="", compare=False)
    place: Place = field(default_factory=nowhere, compare=False)
    node: Text | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Drivers:
    """Which metrics go along with the metric `of`, and how much of its variance is whose. Descriptive."""

    of: str
    by: tuple[str, ...]
    places: tuple[tuple[str, Place], ...] = field(default=(), compare=False)

    def at(self, name: str) -> Place:
        """Where the name of a metric stands."""
        return dict(self.places)[name]


@dataclass(frozen=True)
class Target:
    """What `metric`, added up over units, is to reach: `reach` by the date `by`, and `monthly` among those who are new in
    a month. `units`: how many there will be by then, where the experiment does not tell."""

    metric: str
    reach: float | None = None
    by: date | None = None
    monthly: float | None = None
    units: float | None = None
    place: Place = field(default_factory=nowhere, compare=False)
