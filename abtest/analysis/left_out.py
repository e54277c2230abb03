"""What of the files could not be used, in a sentence each, for commands that show no ledger.

A run has a ledger with every row; a plan, a preview, a lab and a calibration speak of the same files and say here what they
left out.
"""

from __future__ import annotations

from collections import Counter

from abtest.analysis.prepared import Prepared
from abtest.sources.engine import Engine, name

_LOST = {"no_id": "without an id", "bad_time": "with a time that cannot be read"}


def left_out(engine: Engine, found: Prepared, exposures: str) -> tuple[str, ...]:
    """A line for each file of which rows were left out. `exposures`: the source by which units enter."""
    lines = list(found.notices)
    counted: dict[str, tuple[int, Counter[str]]] = {}
    for log in found.logs.values():
        steps = engine.rows(
            f"SELECT step, count(*) FROM {name(log.table)} WHERE step IS NOT NULL GROUP BY 1 ORDER BY 1"
        )
        counted[log.source] = (log.rows, Counter({str(s): int(n) for s, n in steps if s in _LOST}))
    if exposures not in counted:
        steps = [(s, n) for s, n in found.exposed.row_steps if s in _LOST]
        counted[exposures] = (found.exposed.rows, Counter(dict(steps)))
    for source, (rows, lost) in sorted(counted.items()):
        parts = [f"{lost[step]:,} {_LOST[step]}" for step in _LOST if lost[step]]
        if parts:
            lines.append(f"W503 {source}: of {rows:,} rows {' and '.join(parts)} are left out")
    return tuple(lines)
