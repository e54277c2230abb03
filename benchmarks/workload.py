"""The workload W(n): n events of 28 days by n/50 users, heavy-tailed, as one time-sorted Parquet file with exposures."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np

EVENTS = (
    "app_open",
    "photo_post",
    "like",
    "comment",
    "share",
    "article_read",
    "purchase",
    "notification_open",
    "search",
    "settings",
)
WEIGHTS = (0.30, 0.06, 0.28, 0.06, 0.03, 0.12, 0.02, 0.08, 0.04, 0.01)
START = np.datetime64("2026-03-02T00:00:00", "us")
DAYS = 28


def write_workload(folder: Path, events: int, seed: int = 11) -> Path:
    """Write `events.parquet` and `exposures.parquet` into `folder` unless they are there. Same seed, same rows."""
    folder.mkdir(parents=True, exist_ok=True)
    log, exposures = folder / "events.parquet", folder / "exposures.parquet"
    if log.exists() and exposures.exists():
        return folder
    draw = np.random.default_rng(seed)
    users = max(20, events // 50)
    activity = draw.lognormal(0.0, 1.35, users)
    user = np.searchsorted(np.cumsum(activity) / activity.sum(), draw.random(events)).clip(0, users - 1)
    ts = START + np.sort(draw.integers(0, DAYS * 86_400_000_000, events)).astype("timedelta64[us]")
    name = draw.choice(len(EVENTS), events, p=WEIGHTS).astype(np.int8)
    value = np.round(draw.gamma(2.0, 8.0, events), 2)
    exposed = np.flatnonzero(draw.random(users) < 0.8)
    seen = START + (7 * 86_400_000_000 + draw.integers(0, 7 * 86_400_000_000, exposed.size)).astype("timedelta64[us]")
    variant = draw.integers(0, 2, exposed.size)
    con = duckdb.connect()
    con.execute("SET preserve_insertion_order = true")
    columns = {"user": user, "ts": ts, "name": name, "value": value}
    exposure_columns = {"user": exposed, "ts": seen, "variant": variant}
    con.register("columns", _arrow(columns))
    con.register("exposure_columns", _arrow(exposure_columns))
    uid = 'substr(md5(CAST("user" AS VARCHAR)), 1, 32)'
    names = "[" + ", ".join(f"'{e}'" for e in EVENTS) + "]"
    con.execute(
        f'COPY (SELECT {uid} AS user_id, "user" AS uid, ts, {names}[name + 1] AS event, value, row_number() OVER () AS event_id, '
        f"'{{\"screen\": \"s' || (row_number() OVER () % 40) || '\"}}' AS properties FROM columns) TO '{log}' (FORMAT parquet, COMPRESSION zstd)"
    )
    variants = (
        f"SELECT {uid} AS user_id, \"user\" AS uid, ts, ['off', 'on'][variant + 1] AS variant FROM exposure_columns"
    )
    con.execute(f"COPY ({variants} ORDER BY ts) TO '{exposures}' (FORMAT parquet)")
    con.close()
    return folder


def _arrow(columns: dict[str, np.ndarray]) -> object:
    import pyarrow as pa

    return pa.table(columns)
