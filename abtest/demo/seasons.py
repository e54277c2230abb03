"""The three tests of the composer: when each ran, on how many people, and what it truly did.

Each season has people of its own and a stretch of the app log of its own: four weeks before its test and five weeks of
it. What is planted in a season stands in `TRUTH` and nowhere in the logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np

WEEKS = 5
DAYS = 7 * WEEKS
HISTORY = 4
"""Weeks of log before a test, by which effects are adjusted."""
ENROLMENT = 7
"""People enter in the first week, so that each has a full window after it."""
WINDOW = 28
ZONE = ZoneInfo("Europe/Madrid")
OFF = "off"
MIN_USERS = 100


@dataclass(frozen=True)
class Season:
    """One test. `share` of the people of the last one take part; ids of people are drawn from `ids` (first, how many);
    numbers of rows begin at `rows`, so that no two seasons share the id of a person or of a row."""

    experiment: str
    start: date
    """A Monday."""
    flag: str
    on: str
    """The key of the new variant in the log; the old one is `off`."""
    share: float
    ids: tuple[int, int]
    rows: int
    broken: int
    """Lines that broke off, in all files of the season together."""
    salt: tuple[int, ...] = ()
    relations: bool = False
    """Whether other systems exported what they know of its people."""

    def users(self, last: int) -> int:
        """People who meet the flag, where `last` do in the last season.

        >>> [s.users(20_000) for s in SEASONS]
        [5000, 5000, 20000]
        """
        return round(self.share * last)

    def draws(self, seed: int) -> list[np.random.Generator]:
        """Streams of random numbers: people, days, events, evaluations, log, relations. Those of a season depend on the seed and
        on its own salt, so that no season disturbs another."""
        return [np.random.default_rng(s) for s in np.random.SeedSequence(seed, spawn_key=self.salt).spawn(6)]


SEASONS = (
    Season("composer_v1", date(2025, 9, 22), "composer-v1", "v1", 0.25, (100_000, 400_000), 1 << 36, 0, (101,)),
    Season("composer_v2", date(2025, 12, 1), "composer-v2", "v2", 0.25, (500_000, 400_000), 2 << 36, 0, (102,)),
    Season("composer_v3", date(2026, 3, 2), "composer-v3", "v3", 1.0, (1_000_000, 9_000_000), 0, 6, relations=True),
)
"""First to last."""

TRUTH: Mapping[str, Mapping[str, float]] = {
    "composer_v1": {"photo_post": 0.20, "like": 0.12, "purchase": -0.30},
    "composer_v2": {},
    "composer_v3": {"photo_post": 0.09, "like": 0.05},
}
"""What each composer does to the rate of an event, as a fraction: more of it, or less. Every other event: nothing."""
