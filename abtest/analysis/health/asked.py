"""What the checks ask the engine, one query per group of checks: small tables of counts and exact sums only."""

from __future__ import annotations

from collections.abc import Sequence

from abtest.analysis import thresholds as t
from abtest.analysis.health.logs import Log
from abtest.language.model import Experiment
from abtest.metrics.units import Values
from abtest.sources.clusters import CLUSTERS
from abtest.sources.engine import Engine, name, text
from abtest.sources.units import MIXED, TABLE, USED
from abtest.stats.clusters import FEW
from abtest.stats.moments import Sums, pair_from_sums

MOST_GROUPS = 50


def exposed_by_day(engine: Engine, variants: int) -> dict[int, list[int]]:
    """Units per variant by the local date of first exposure."""
    found: dict[int, list[int]] = {}
    rows = engine.rows(
        f"SELECT x_day, variant, count(*) FROM {TABLE} WHERE status = {USED} AND x_day IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2"
    )
    for day, variant, n in rows:
        found.setdefault(int(day), [0] * variants)[int(variant)] = int(n)
    return found


def mixed_by_first(engine: Engine, ids: Sequence[str]) -> dict[str, int]:
    """Mixed units by the variant that they saw first; those whose first moment names two are not counted."""
    rows = engine.rows(
        f"SELECT first, count(*) FROM (SELECT e.uid, min(e.variant) AS first FROM exposure_rows e JOIN {TABLE} k USING (uid) "
        f"WHERE k.status = {MIXED} AND e.step IS NULL AND e.variant IS NOT NULL AND e.day = k.x_day "
        f"AND e.instant IS NOT DISTINCT FROM k.x GROUP BY e.uid HAVING count(DISTINCT e.variant) = 1) GROUP BY 1 ORDER BY 1"
    )
    return {ids[int(v)]: int(n) for v, n in rows}


def split_by_group(
    engine: Engine, values: Values, experiment: Experiment
) -> dict[str, list[tuple[str, tuple[int, ...]]]]:
    """Per segment its largest groups, each with its units per variant."""
    if not experiment.segments:
        return {}
    parts = [
        f"SELECT {text(s.name)} AS dimension, CAST({name('s_' + s.name)} AS VARCHAR) AS label, variant, count(*) AS n "
        f"FROM {name(values.table)} GROUP BY 1, 2, 3"
        for s in experiment.segments
    ]
    counts: dict[str, dict[str, list[int]]] = {}
    for dimension, label, variant, n in engine.rows(f"{' UNION ALL '.join(parts)} ORDER BY 1, 2 NULLS FIRST, 3"):
        groups = counts.setdefault(str(dimension), {})
        shown = "" if label is None else str(label)
        groups.setdefault(shown, [0] * len(experiment.variants))[int(variant)] += int(n)
    return {
        d: [(g, tuple(n)) for g, n in sorted(groups.items(), key=lambda item: (-sum(item[1]), item[0]))[:MOST_GROUPS]]
        for d, groups in counts.items()
    }


def log_by_units(engine: Engine, table: str, ids: Sequence[str], clustered: bool = False) -> Log:
    """One pass over a log to a table of its units, and what the checks of logs need of it. Losses are those of whole
    clusters, if these were randomised."""
    engine.sql(
        "CREATE OR REPLACE TEMP TABLE log_units AS SELECT variant, u, count(*) AS n, "
        "count(*) FILTER (step IN ('bad_time', 'duplicate')) AS lost, "
        "max(day) FILTER (step IS DISTINCT FROM 'bad_time') AS last_day, min(day) FILTER (step IS DISTINCT FROM 'bad_time') AS first_day "
        f"FROM {name(table)} WHERE u IS NOT NULL AND variant IS NOT NULL GROUP BY variant, u"
    )
    a, b = "CAST(lost AS HUGEINT)", "CAST(n AS HUGEINT)"
    sums = f"count(*), sum({a}), sum({a} * {a}), sum({b}), sum({b} * {b}), sum({a} * {b})"
    heavy = f"count(*) FILTER (n > {t.HEAVY_PER_DAY} * (last_day - first_day + 1))"
    rows = engine.rows(f"SELECT variant, {sums}, {heavy} FROM log_units GROUP BY variant ORDER BY variant")
    lossy = [row[:7] for row in rows]
    if clustered:
        whole = f"SELECT variant, cluster, sum(n) AS n, sum(lost) AS lost FROM log_units JOIN (SELECT u, cluster FROM {CLUSTERS}) USING (u) GROUP BY 1, 2"
        lossy = engine.rows(f"SELECT variant, {sums} FROM ({whole}) GROUP BY variant ORDER BY variant")
    # Fewer than five clusters make no test; units are never so few that it matters.
    losses = {
        ids[int(v)]: pair_from_sums(int(k), Sums(0, int(s1), int(s2)), Sums(0, int(r1), int(r2)), int(both))
        for v, k, s1, s2, r1, r2, both in lossy
        if int(k) >= (FEW if clustered else 0)
    }
    seen = dict.fromkeys(ids, 0) | {ids[int(row[0])]: int(row[1]) for row in rows}
    last: dict[int, dict[str, int]] = {}
    ends = engine.rows(
        "SELECT last_day, variant, count(*) FROM log_units WHERE last_day IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2"
    )
    for day, variant, n in ends:
        last.setdefault(int(day), {})[ids[int(variant)]] = int(n)
    units = sum(seen.values())
    largest = max(1, -(-units // round(1 / t.HEAVY_TOP)))
    top = engine.one(f"SELECT coalesce(sum(n), 0) FROM (SELECT n FROM log_units ORDER BY n DESC LIMIT {largest})")[0]
    engine.drop("log_units")
    return Log(losses, seen, last, sum(int(r[4]) for r in rows), int(top), sum(int(r[7]) for r in rows))
