"""Definitions for the workload.

M(k): k metrics mixed of weekly compound thresholds, counts, sums, conversions, ratios, retention and active days. With
`kinds`, every second one is of the rest of the language: looking back, rolling and calendar blocks, hours, distinct
values, first values, levels, funnels, times, quantiles, starting points and caps by percentile.
"""

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


def other(i: int) -> str:
    """The i-th metric of the rest of the language."""
    a, b, c = EVENTS[i % 10], EVENTS[(i * 3 + 1) % 10], EVENTS[(i * 7 + 2) % 10]
    n, days = 1 + i % 5, (7, 14)[i % 2]
    kinds = (
        f"{{did: {a} and {a} 1 week ago, per: week, over: first 14 days, better: higher}}",
        f"{{did: {a} >= {n}, per: rolling 7 days, over: first 14 days, better: higher}}",
        f"{{did: {a} >= {n}, per: week, clock: calendar, over: first 21 days, better: higher}}",
        f"{{did: {a} >= {n}, over: first {12 * (1 + n)} hours, better: higher}}",
        f"{{amount: distinct({a}.value), over: first {days} days, better: higher}}",
        f"{{amount: first({a}.value), missing: drop, over: first {days} days, better: higher}}",
        f"{{amount: sum({a}.value), over: first {days} days, cap: {90 + n}% of nonzero, better: higher}}",
        f"{{funnel: {{steps: [{{x: {a}}}, {{y: {b}}}, {{z: {c}}}], within: {n} days}}, over: first {days} days, better: higher}}",
        f"{{time_to: {a} >= {n}, over: first {days} days, better: lower}}",
        f"{{quantile: {{of: {a}.value, at: {90 + n}%, across: events}}, over: first {days} days, better: lower}}",
        f"{{did: {b} >= {n}, over: first 7 days, starting_at: {a}, within: 7 days, better: higher}}",
        "{group: level, as: rank, over: first 14 days, better: higher}",
    )
    return kinds[i % len(kinds)]


GROUPS = """
groups:
  level:
    per: week
    ladder: {super: like >= 5 and photo_post, regular: like >= 2, explorer: app_open}
    otherwise: dormant
"""


def write_project(folder: Path, metrics: int, kinds: bool = False) -> None:
    """The YAML of a project with `metrics` metrics beside the workload's files; `kinds`: of the whole language."""
    events = "events:\n" + "".join(f"  {e}: {e}\n" for e in EVENTS)
    texts = [other(i // 2) if kinds and i % 2 else one(i // 2 if kinds else i) for i in range(metrics)]
    defined = "metrics:\n" + "".join(f"  m{i}: {text}\n" for i, text in enumerate(texts))
    (folder / "abtest.yml").write_text(HEAD + events + (GROUPS if kinds else "") + defined, "utf-8")
    (folder / "experiments").mkdir(exist_ok=True)
    rest = ", ".join(f"m{i}" for i in range(1, metrics))
    (folder / "experiments" / "bench.yml").write_text(EXPERIMENT + f"  goal: [m0]\n  secondary: [{rest}]\n", "utf-8")
