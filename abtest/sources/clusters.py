"""Units to clusters: which units were randomised together, and what became of the clusters.

The table `unit_clusters` has `u` and `cluster`, a dense integer in the order of the attribute's values, for the units
that stay in the experiment. A unit whose cluster is not known is left out with a status of its own: nobody knows with
whom it was randomised, and one cluster made of all such units would be none.
"""

from __future__ import annotations

from dataclasses import dataclass

from abtest.language.model import Cluster
from abtest.problems import data_error, quoted
from abtest.sources.engine import Engine, name
from abtest.sources.units import NO_CLUSTER, TABLE, USED

CLUSTERS = "unit_clusters"
COLUMN = "k_cluster"
"""The column of the table of attributes that holds the cluster."""


@dataclass(frozen=True)
class Clustered:
    """What the clusters of an experiment look like: `split` units are in a cluster that spans several variants, `stray`
    ones among them are not in the variant of most of their cluster. `by_variant` counts clusters, each where most of its
    units are; `singles` clusters of one unit."""

    units: int
    clusters: int
    split: int
    stray: int
    singles: int
    by_variant: tuple[tuple[int, int], ...]


def assign_clusters(engine: Engine, cluster: Cluster, table: str, unit: str) -> Clustered:
    """Build `unit_clusters` from the attributes in `table`, and set units without a cluster aside.

    Raises UserError (exit 3) if no unit has a cluster.
    """
    # The value itself and not its text is what is equal: 0 and -0 are one village.
    known = f"SELECT uid, {COLUMN} AS value FROM {name(table)} WHERE {COLUMN} IS NOT NULL"
    engine.sql(
        f"CREATE OR REPLACE TEMP TABLE {CLUSTERS} AS "
        f"SELECT u, variant, CAST(dense_rank() OVER (ORDER BY value) AS BIGINT) AS cluster "
        f"FROM {TABLE} JOIN ({known}) USING (uid) WHERE status = {USED}"
    )
    before = int(engine.one(f"SELECT count(*) FROM {TABLE} WHERE status = {USED}")[0])
    left = int(engine.one(f"SELECT count(*) FROM {CLUSTERS}")[0])
    if before and not left:
        raise data_error(
            "E518",
            f"none of the {before:,} {unit}s has a value of {quoted(f'{cluster.source}.{cluster.prop}')}",
            "Check the column; what was randomised as a whole must be known of the units.",
            cluster.place,
        )
    engine.sql(
        f"UPDATE {TABLE} SET status = {NO_CLUSTER} WHERE status = {USED} AND u NOT IN (SELECT u FROM {CLUSTERS})"
    )
    return _summary(engine)


def _summary(engine: Engine) -> Clustered:
    cells = f"SELECT cluster, variant, count(*) AS n FROM {CLUSTERS} GROUP BY cluster, variant"
    # Of two variants with equally many units the first one counts, so that the order of rows does not.
    whole = (
        "SELECT cluster, sum(n) AS units, max(n) AS most, count(*) AS variants, "
        f"arg_max(variant, (n, -variant)) AS variant FROM ({cells}) GROUP BY cluster"
    )
    units, clusters, split, stray, singles = engine.one(
        "SELECT coalesce(sum(units), 0), count(*), coalesce(sum(units) FILTER (variants > 1), 0), "
        f"coalesce(sum(units - most), 0), count(*) FILTER (units = 1) FROM ({whole})"
    )
    counts = engine.rows(f"SELECT variant, count(*) FROM ({whole}) GROUP BY variant ORDER BY variant")
    return Clustered(
        int(units), int(clusters), int(split), int(stray), int(singles), tuple((int(v), int(n)) for v, n in counts)
    )
