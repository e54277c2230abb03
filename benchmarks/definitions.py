"""M(k): k metrics mixed of weekly compound thresholds, counts, sums, conversions, ratios, retention and active days."""

from __future__ import annotations

from pathlib import Path

from benchmarks.workload import EVENTS

HEAD = """
project: {name: workload}
sources:
  log:
    kind: events
    files: events.parquet
    columns: {event: event, time: ts}
    units: {user: user_id}
    properties: {value: {from: value, type: number}}
  flags: {kind: exposures, files: exposures.parquet, columns: {variant: variant, time: ts}, units: {user: user_id}}
"""
EXPERIMENT = """
experiment: bench
owner: bench
hypothesis: None.
unit: user
exposure: {source: flags}
variants: {control: {key: 'off', share: 50%}, new: {key: 'on', share: 50%}}
baseline: control
dates: {start: 2026-03-02, end: 2026-03-29}
metrics:
"""


def one(i: int) -> str:
    """The i-th metric; the kinds take turns, thresholds and windows vary, so that few counters are shared by chance."""
    a, b = EVENTS[i % 10], EVENTS[(i * 3 + 1) % 10]
    n, days = 1 + i % 5, (7, 14)[i % 2]
    kinds = (
        f"{{did: {a} >= {n} and {b} >= {n + 1}, per: week, over: first 14 days, better: higher}}",
        f"{{amount: {a}, over: first {days} days, better: higher}}",
        f"{{amount: sum({a}.value), over: first {days} days, better: higher}}",
        f"{{did: {a} >= {n}, over: first {days} days, better: higher}}",
        f"{{ratio: {{of: sum({a}.value), to: {a}}}, over: first {days} days, better: higher}}",
        f"{{retention: {a}, day: {1 + i % 13}, better: higher}}",
        f"{{amount: days({a}), over: first {days} days, better: higher}}",
        f"{{did: {a} >= {1 + n % 2} on 2 days, per: week, over: first 14 days, better: higher}}",
    )
    return kinds[i % len(kinds)]


def write_project(folder: Path, metrics: int) -> None:
    """The YAML of a project with `metrics` metrics beside the workload's files."""
    events = "events:\n" + "".join(f"  {e}: {e}\n" for e in EVENTS)
    defined = "metrics:\n" + "".join(f"  m{i}: {one(i)}\n" for i in range(metrics))
    (folder / "abtest.yml").write_text(HEAD + events + defined, "utf-8")
    (folder / "experiments").mkdir(exist_ok=True)
    rest = ", ".join(f"m{i}" for i in range(1, metrics))
    (folder / "experiments" / "bench.yml").write_text(EXPERIMENT + f"  goal: [m0]\n  secondary: [{rest}]\n", "utf-8")
