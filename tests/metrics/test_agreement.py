"""The compiled plan against the oracle on random logs and definitions, and planted faults that this must catch."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from abtest.language.model import Metric
from abtest.metrics import blocks, calendar, caps, folds, plan, ticks
from abtest.metrics.plan import Chain, Extent, Task
from abtest.sources import event_rows
from tests.metrics.agreement import Wanted, disagreements, oracle_values
from tests.oracle.generate import Case, projects, seeded

SEEDS = int(os.environ.get("ABTEST_SEEDS", "60"))
"""Projects per run, up to 15 definitions each; ABTEST_SEEDS=2000 for a long search."""
HUNT = 250
"""Projects in which a planted fault must show."""

Patch = pytest.MonkeyPatch


@pytest.mark.parametrize("batch", range(6))
def test_plan_and_oracle_agree(batch: int) -> None:
    for seed in range(batch, SEEDS, 6):
        found = disagreements(seeded(seed))
        assert not found, f"seed {seed}\n" + "\n".join(found[:5])


def _longer_window(patch: Patch) -> None:
    """The window ends one tick too late."""
    original = plan.chain_of

    def wrong(metric: Metric, reach: Extent, zone: str) -> Chain:
        chain = original(metric, reach, zone)
        return replace(chain, last=None if chain.last is None or chain.per else chain.last + 1)

    patch.setattr(plan, "chain_of", wrong)


def _blocks_shifted(patch: Patch) -> None:
    """Blocks start one tick late."""
    original = blocks.block_table

    def wrong(found: Any, *rest: Any) -> Any:
        return original(replace(found, table=found.table.mutate(d=found.table.d - 1)), *rest)

    patch.setattr("abtest.metrics.units.block_table", wrong)


def _one_block_more(patch: Patch) -> None:
    """The block that is not over yet counts as complete."""
    original = folds.bounds

    def wrong(x: Any, chain: Chain) -> tuple[Any, Any]:
        low, high = original(x, chain)
        return low, high + 1

    patch.setattr(folds, "bounds", wrong)


def _silence_forgotten(patch: Patch) -> None:
    """Blocks without events have the value of no condition, not of the condition at zero."""
    patch.setattr(folds, "silent_value", lambda *_: 0)


def _spread_silence_forgotten(patch: Patch) -> None:
    patch.setattr("abtest.metrics.truth.zero_truth", lambda *_: False)


def _looks_back_too_far(patch: Patch) -> None:
    """`1 week ago` is two weeks ago."""
    original = blocks._forward
    patch.setattr(blocks, "_forward", lambda table, ago: original(table, replace(ago, last=ago.last + 1)))


def _weeks_from_sunday(patch: Patch) -> None:
    original = calendar.index
    patch.setattr(
        calendar, "index", lambda day, unit: original(day + 1, unit) if unit == "week" else original(day, unit)
    )


def _months_from_the_second(patch: Patch) -> None:
    original = calendar.index
    patch.setattr(
        calendar, "index", lambda day, unit: original(day - 1, unit) if unit == "month" else original(day, unit)
    )


def _sessions_of_29_minutes(patch: Patch) -> None:
    patch.setattr(event_rows, "GAP", 29 * 60 * 1_000_000)


def _any_start_counts(patch: Patch) -> None:
    """The starting point may come at any time."""
    original = ticks.keep_anchor

    def wrong(engine: Any, grid: Any, event: Any, log: Any) -> None:
        original(engine, replace(grid, within=10_000), event, log)
        late, table = ticks.anchor_table(replace(grid, within=10_000)), ticks.anchor_table(grid)
        engine.keep(table, engine.table(late))

    patch.setattr("abtest.metrics.units.keep_anchor", wrong)


def _cap_one_rank_low(patch: Patch) -> None:
    original = caps.rank_at
    patch.setattr(caps, "rank_at", lambda at, count: max(1, original(at, count) - 1))


def _again_and_again(patch: Patch) -> None:
    """`count_once` is not heard."""
    patch.setattr(event_rows.Rows, "once", property(lambda self: []))


def _rolling_one_day_short(patch: Patch) -> None:
    original = blocks._spread_out
    patch.setattr(blocks, "_spread_out", lambda table, length: original(table, max(1, length - 1)))


def _before_exposure_counts(patch: Patch) -> None:
    """Rows before exposure count in windows after it."""
    original = ticks.happened
    patch.setattr(ticks, "happened", lambda rows, counter: original(rows, replace(counter, every=True)))


def _first_row_is_last(patch: Patch) -> None:
    original = plan.counters_of

    def wrong(atom: Any, *rest: Any) -> Any:
        return original(replace(atom, function="last") if atom.function == "first" else atom, *rest)

    patch.setattr(plan, "counters_of", wrong)


def _history_forgotten(patch: Patch) -> None:
    """Rows before exposure do not count in windows before it."""
    patch.setattr(plan, "every", lambda atom, chain: atom.ago is not None or chain.first is None)


FAULTS: tuple[tuple[Callable[[Patch], None], str, int], ...] = (
    (_longer_window, "", 0),
    (_blocks_shifted, "", 0),
    (_one_block_more, "per: ", 0),
    (_silence_forgotten, "per: ", 1),
    (_spread_silence_forgotten, " days", 1),
    (_looks_back_too_far, " ago", 0),
    (_weeks_from_sunday, "clock: calendar", 12),
    (_months_from_the_second, "per: month", 83),
    (_sessions_of_29_minutes, "session", 0),
    (_any_start_counts, "starting_at: ", 9),
    (_cap_one_rank_low, "cap: ", 8),
    (_again_and_again, " per day", 64),
    (_rolling_one_day_short, "per: rolling", 15),
    (_before_exposure_counts, "", 6),
    (_first_row_is_last, "first(", 37),
    (_history_forgotten, "", 1),
)
"""Each fault with a text of definitions that it concerns, and a project that shows it, which is tried first: after a change
of what is drawn the others are hunted through."""


@lru_cache(maxsize=HUNT)
def drawn(seed: int) -> tuple[Case, str, Wanted]:
    """A project, its YAML, and the oracle's values."""
    case = seeded(seed)
    text = "".join(t for name, t in case.files().items() if name.endswith(".yml"))
    return case, text, oracle_values(case)


@pytest.mark.parametrize(("plant", "hint", "first"), FAULTS, ids=[f[0].__name__ for f in FAULTS])
def test_planted_fault_is_caught(plant: Callable[[Patch], None], hint: str, first: int, monkeypatch: Patch) -> None:
    """A plan that is off by one, or forgets silence, cannot pass the comparison above."""
    plant(monkeypatch)
    likely = (drawn(seed) for seed in (first, *range(HUNT)))
    assert any(disagreements(case, wanted) for case, text, wanted in likely if hint in text)


def test_a_task_is_one_metric_on_one_chain() -> None:
    """Adding a metric adds columns: metrics with one window share their chain, whatever they count."""
    case = seeded(3)
    project = case.project()
    metrics = tuple(m for m in project.metrics.values() if m.column is None)
    events = {name: replace(e) for name, e in project.events.items()}
    reach = {e.source: Extent(20_000, 20_100) for e in events.values()}
    made = plan.make_plan((*metrics, *metrics), events, reach)
    assert len(set(made.chains)) == len(made.chains) <= len({_key(t) for t in made.tasks})


def _key(task: Task) -> tuple[Any, ...]:
    return (task.chain,)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(projects())
def test_plan_and_oracle_agree_on_whatever_hypothesis_draws(case: Case) -> None:
    assert disagreements(case) == []
