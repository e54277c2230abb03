"""Where randomness comes from: a stream of choices, fed by hypothesis or by a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """A stream of choices. 0 is the plainest."""

    def __init__(self, below: Callable[[int], int]) -> None:
        self.below = below

    def between(self, low: int, high: int) -> int:
        return low + self.below(high - low + 1)

    def of(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def maybe(self, percent: int) -> bool:
        return self.below(100) >= 100 - percent

    def weighted(self, **weights: int) -> str:
        rest = self.below(sum(weights.values()))
        for name, weight in weights.items():
            if rest < weight:
                return name
            rest -= weight
        raise AssertionError

    def shuffled(self, items: Iterable[T]) -> tuple[T, ...]:
        listed = list(items)
        seed = self.below(1000)
        if seed:
            random.Random(seed).shuffle(listed)
        return tuple(listed)
