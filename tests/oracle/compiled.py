"""The compiled plan's own values per unit, read from the engine for comparison with the oracle (tests only)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from abtest.analysis.prepare import metrics_of, prepare
from abtest.language.model import Project
from abtest.sources.engine import name, open_engine


@dataclass(frozen=True)
class Seen:
    value: float | None
    denominator: float | None
    mature: bool


def compiled_values(project: Project, experiment: str, folder: Path, threads: int = 2) -> dict[str, dict[str, Seen]]:
    """Per metric, per unit id: what the engine computed. Units left out of the experiment are not in it."""
    chosen = project.experiments[experiment]
    engine = open_engine(folder, threads=threads)
    try:
        found = prepare(engine, project, chosen, lambda _: None, strict=False)
        values = found.values(engine, found.plan(project.timezone))
        result: dict[str, dict[str, Seen]] = {}
        before = (c.metric for own in found.covariates.values() for c in own if c.metric is not None)
        for metric in (*metrics_of(project, chosen), *before):
            columns = [name(values.value[metric.name])]
            columns.append(name(values.denominator[metric.name]) if metric.name in values.denominator else "NULL")
            columns.append(name(values.mature[metric.name]) if metric.name in values.mature else "true")
            where = f"WHERE v.{name(values.among[metric.name])}" if metric.name in values.among else ""
            rows = engine.rows(
                f"SELECT k.uid, {', '.join('v.' + c if c[0] == chr(34) else c for c in columns)} FROM {name(values.table)} v JOIN units k USING (u) {where}"
            )
            result[metric.name] = {str(uid): Seen(v, w, bool(m)) for uid, v, w, m in rows}
        return result
    finally:
        engine.close()
