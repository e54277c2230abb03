"""What became of the rows on their way, and whether it happened to all variants alike: counted per unit, since rows of
one unit are not independent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from abtest.analysis import thresholds as t
from abtest.analysis.dates import iso
from abtest.analysis.health.table import not_run
from abtest.analysis.result import HealthCheck, HealthLevel, Number
from abtest.stats.moments import PairMoments
from abtest.stats.ratios import effective_units, equal_ratios
from abtest.stats.tables import homogeneity

Facts = dict[str, Number | str | None]
_TIME_NOTES = ("without_zone", "stray_future", "gap", "fold")
NOTED = ("late_or_future", "bad_number", "outside_scale")
"""Checks that have an entry per source only where there is something to note."""


@dataclass(frozen=True)
class Log:
    """One log by units: `losses` are rows lost and rows read of each unit; `seen` units with any row, per variant;
    `last` the units per variant by the date of their last row (days since 1970); `rows` all their rows, `top` those of
    the largest 0.1 % of units, `heavy` the units with more rows a day than a person makes."""

    losses: Mapping[str, PairMoments]
    seen: Mapping[str, int]
    last: Mapping[int, Mapping[str, int]]
    rows: int = 0
    top: int = 0
    heavy: int = 0


def check_unit_loss(source: str, losses: Mapping[str, PairMoments], baseline: str) -> HealthCheck:
    """Share of rows lost (bad time, duplicates), compared per unit: rows of one unit are not independent."""
    control = losses.get(baseline)
    found: list[tuple[float, float, float]] = []
    for variant, pair in losses.items():
        p_value = equal_ratios(pair, control) if variant != baseline and control is not None else None
        if p_value is not None and control is not None:
            difference = pair.x.mean / pair.y.mean - control.x.mean / control.y.mean
            smaller = min(pair.n, control.n) / (pair.n + control.n)
            found.append((p_value, difference, smaller * effective_units(pair.x, control.x)))
    if not found:
        return HealthCheck("unit_loss", "experiment", source, "pass", None, {"p_value": None, "share": 0.0})
    p, difference, losing = min(found)
    p = min(1.0, p * len(found))
    level: HealthLevel = "pass"
    if p < t.LOSS_FAIL_P and abs(difference) >= t.LOSS_DIFFERENCE and losing >= t.LOSS_UNITS:
        level = "fail"
    elif p < t.LOSS_NOTE_P:
        level = "note"
    return HealthCheck("unit_loss", "experiment", source, level, None, {"p_value": p, "share": difference})


def check_row_loss(source: str, dropped: int, rows: int) -> HealthCheck:
    share = dropped / rows if rows else 0.0
    level: HealthLevel = "note" if share > t.ROW_LOSS_NOTE else "pass"
    return HealthCheck("row_loss", "experiment", source, level, None, {"dropped": dropped, "share": share})


def check_silent(source: str, seen: Mapping[str, int], units: Mapping[str, int]) -> HealthCheck:
    """Units without any row of the log, before or after exposure: ids that do not match, or people who never came."""
    table = [(seen.get(v, 0), n - seen.get(v, 0)) for v, n in units.items() if n]
    silent = sum(b for _, b in table)
    shares = [b / (a + b) for a, b in table]
    test = homogeneity(table)
    level: HealthLevel = "pass"
    spread = max(shares, default=0.0) - min(shares, default=0.0)
    if test.p_value is not None and test.p_value < t.SILENT_NOTE_P and spread >= t.SILENT_DIFFERENCE:
        level = "note"
    facts: Facts = {"p_value": test.p_value, "share": silent / max(1, sum(units.values())), "share_apart": spread}
    return HealthCheck("silent_units", "experiment", source, level, None, facts)


def check_heavy(source: str, log: Log) -> HealthCheck:
    """Rows that few units make: robots, test accounts, a client that sends everything twice a second."""
    if not log.rows:
        return not_run("heavy_hitters", "experiment", source, "no_data")
    share = log.top / log.rows
    level: HealthLevel = "note" if log.heavy or share > t.HEAVY_SHARE else "pass"
    facts: Facts = {"top_share": share, "heavy": log.heavy or None}
    return HealthCheck("heavy_hitters", "experiment", source, level, None, facts)


def check_freshness(source: str, last: int, newest: int) -> HealthCheck:
    """A log that ends days before what else is known."""
    days = newest - last
    level: HealthLevel = "note" if days > t.LAG_DAYS else "pass"
    return HealthCheck("freshness", "experiment", source, level, None, {"lag": max(0, days), "first": iso(last)})


def check_arms_lag(source: str, last: Mapping[int, Mapping[str, int]], seen: Mapping[str, int]) -> HealthCheck:
    """Whether the rows of one variant end on an earlier date: units of the others that have rows after it say how many
    of its own should. Nobody among many is the log that stopped, not people who left."""
    ends = {v: max((d for d, n in last.items() if n.get(v)), default=None) for v in seen}
    worst: tuple[float, str, int] | None = None
    for variant, end in ends.items():
        others = sum(n for v, n in seen.items() if v != variant)
        if end is None or not others:
            continue
        after = sum(n for d, by in last.items() if d > end for v, n in by.items() if v != variant)
        expected = seen[variant] * after / others
        if worst is None or expected > worst[0]:
            worst = (expected, variant, end)
    if worst is None:
        return not_run("arms_lag", "experiment", source, "no_data")
    expected, variant, end = worst
    level: HealthLevel = "pass"
    if expected >= t.ARMS_LAG_FAIL:
        level = "fail"
    elif expected >= t.ARMS_LAG_NOTE:
        level = "note"
    facts: Facts = {"variant": variant, "first": iso(end), "expected": round(expected)}
    return HealthCheck("arms_lag", "experiment", source, level, None, facts)


def check_notes(source: str, notes: Mapping[str, int]) -> list[HealthCheck]:
    """What reading a source had to repair: times (no zone, far in the future), and values that are no numbers."""
    found = []
    times: Facts = {k: notes[k] for k in _TIME_NOTES if notes.get(k)}
    if times:
        total = sum(notes[k] for k in times)
        found.append(HealthCheck("late_or_future", "experiment", source, "note", None, {"count": total, **times}))
    return found + [
        HealthCheck(key, "experiment", source, "note", None, {"count": notes[key]})
        for key in ("bad_number", "outside_scale")
        if notes.get(key)
    ]


def check_coverage(source: str, first: int, exposed_first: int | None, exposed_last: int | None) -> HealthCheck | None:
    """Whether a log begins early enough: before its first row silence is not a zero but a hole. Days since 1970."""
    if exposed_first is None or exposed_last is None:
        return None
    days = first - exposed_first
    level: HealthLevel = "fail" if first > exposed_last else "note" if days > 1 else "pass"
    values: Facts = {"days": max(0, days), "first": iso(first)}
    return HealthCheck("coverage", "experiment", source, level, None, values)


def check_event_seen(event: str, source: str, rows: int) -> HealthCheck | None:
    """An event that no row of the log is: its names exist, but its `where` never holds."""
    if rows:
        return None
    return HealthCheck("event_seen", "experiment", event, "note", None, {"count": 0, "source": source})
