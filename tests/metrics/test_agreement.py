"""The compiled plan against the oracle on random logs and definitions, and planted faults that this must catch."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from abtest.metrics import blocks, folds, plan
from abtest.metrics.plan import Chain, Task
from tests.metrics.agreement import any_disagreement, disagreements
from tests.oracle.generate import seeded

SEEDS = int(os.environ.get("ABTEST_SEEDS", "60"))
"""Projects per run, 5 to 15 definitions each; ABTEST_SEEDS=2000 for a long search."""


@pytest.mark.parametrize("batch", range(6))
def test_plan_and_oracle_agree(batch: int) -> None:
    for seed in range(batch, SEEDS, 6):
        found = disagreements(seeded(seed))
        assert not found, f"seed {seed}\n" + "\n".join(found[:5])


def _longer_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """The window ends one day too late."""
    original = plan.chain_of

    def wrong(metric: Any, through: int) -> Chain:
        chain = original(metric, through)
        return replace(chain, last=None if chain.last is None or chain.per else chain.last + 1)

    monkeypatch.setattr(plan, "chain_of", wrong)


def _blocks_shifted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks start one day late."""
    original = blocks.block_table

    def wrong(days: Any, chain: Chain, tasks: list[Task]) -> Any:
        shifted = blocks.Days(days.table.mutate(d=days.table.d - 1), days.aliases, days.scales)
        return original(shifted, chain, tasks)

    monkeypatch.setattr("abtest.metrics.units.block_table", wrong)


def _one_block_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The block that is not over yet counts as complete."""
    original = folds._blocks
    monkeypatch.setattr(folds, "_blocks", lambda x, chain: original(x - 1, chain))


def _silence_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks without events have the value of no condition, not of the condition at zero."""
    monkeypatch.setattr(folds, "_zero", lambda part, length: 0)


def _spread_silence_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("abtest.metrics.truth.zero_truth", lambda condition, length: False)


@pytest.mark.parametrize(
    "plant",
    [_longer_window, _blocks_shifted, _one_block_more, _silence_forgotten, _spread_silence_forgotten],
    ids=lambda f: f.__name__,
)
def test_planted_fault_is_caught(plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that is off by one, or forgets silence, cannot pass the comparison above."""
    plant(monkeypatch)
    assert any_disagreement([seeded(seed) for seed in range(20)])
