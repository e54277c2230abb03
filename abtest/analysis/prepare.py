"""Files to engine tables for one experiment: units, narrow rows of each log, per-unit tables, and their ledgers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from abtest.analysis.dates import iso
from abtest.analysis.result import Ledger, LedgerStep, SourceInfo
from abtest.analysis.seen import events_seen, undeclared_variants
from abtest.language.canonical import events_of
from abtest.language.conditions import Where
from abtest.language.model import Column, Event, Experiment, Metric, Project, Source
from abtest.language.read_sources import ROW_NUMBER
from abtest.metrics.plan import atoms_in, event_parts
from abtest.problems import data_error, quoted
from abtest.sources.engine import Engine, name
from abtest.sources.events import Log, read_log
from abtest.sources.files import find_files
from abtest.sources.read import Raw, paths_of, read_raw
from abtest.sources.rows import where_props
from abtest.sources.tables import UnitTable, exclude, read_unit_table, unreadable_numbers
from abtest.sources.units import STATUS_NAMES, USED, Exposed, day_number, read_units

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """What stands in the engine, and what was found on the way."""

    exposed: Exposed
    logs: dict[str, Log]
    tables: dict[str, UnitTable]
    segments: dict[str, tuple[str, str]]
    outcomes: dict[Column, tuple[str, str]]
    sources: tuple[SourceInfo, ...]
    notices: tuple[str, ...]
    raws: dict[str, Raw]
    seen: dict[str, int]
    undeclared: tuple[int, tuple[str, ...]]


def metrics_of(project: Project, experiment: Experiment) -> tuple[Metric, ...]:
    return tuple(project.metrics[u.name] for u in experiment.metrics)


def prepare(
    engine: Engine,
    project: Project,
    experiment: Experiment,
    progress: Progress,
    metrics: tuple[Metric, ...] | None = None,
    detail: bool = False,
    strict: bool = True,
) -> Prepared:
    """Read everything that the experiment (or only `metrics`) needs, exposures first. `detail` keeps instants of rows;
    without `strict`, a variant without units or a log without exposed units is no problem.

    Raises UserError (exit 3) for unusable data.
    """
    wanted = metrics_of(project, experiment) if metrics is None else metrics
    return _Reader(engine, project, experiment, wanted, progress, detail, strict).run()


class _Reader:
    def __init__(
        self,
        engine: Engine,
        project: Project,
        experiment: Experiment,
        metrics: tuple[Metric, ...],
        progress: Progress,
        detail: bool,
        strict: bool,
    ) -> None:
        self.detail, self.strict = detail, strict
        self.engine, self.project, self.experiment, self.metrics, self.progress = (
            engine,
            project,
            experiment,
            metrics,
            progress,
        )
        self.raws: dict[str, Raw] = {}
        self.seen: dict[str, int] = {}
        self.notices: list[str] = []
        self.infos: dict[str, SourceInfo] = {}
        self.events = {n: project.events[n] for m in metrics for n in events_of(m)}
        self.columns = list(dict.fromkeys(c for m in metrics for c in _columns_of(m)))
        self.last_day = day_number(experiment.as_of) if experiment.as_of is not None else None

    def run(self) -> Prepared:
        experiment = self.experiment
        exposure = self.project.sources[experiment.exposure_source]
        raw = self._raw(exposure)
        self.progress(f"units of {exposure.name}")
        exposed = read_units(self.engine, exposure, raw, experiment, self.project.timezone, self.last_day, self.strict)
        self._info(exposure, raw, exposed.fingerprint, exposed.first, exposed.last)
        self._population()
        logs = {
            name_: self._log(self.project.sources[name_]) for name_ in sorted({e.source for e in self.events.values()})
        }
        tables, segments, outcomes = self._tables()
        broken = tuple(
            f"W501 {r.first_broken}"
            + (f"; {r.unparsable:,} such lines in all" if r.unparsable > 1 else "; the line is left out")
            for r in self.raws.values()
            if r.first_broken
        )
        exposed = self._with_exclusions(exposed)
        return Prepared(
            exposed,
            logs,
            tables,
            segments,
            outcomes,
            tuple(self.infos[k] for k in sorted(self.infos)),
            (*broken, *self.notices),
            self.raws,
            self.seen,
            undeclared_variants(self.engine),
        )

    def _raw(self, source: Source) -> Raw:
        if source.name not in self.raws:
            files = find_files(self.project, source)
            self.progress(f"reading {files.what}")
            wanted = self._props(source)
            paths = list(paths_of(source, self.experiment.unit, wanted))
            paths += sorted(self._raw_columns(source))
            self.raws[source.name] = read_raw(self.engine, source, files, tuple(dict.fromkeys(paths)))
        return self.raws[source.name]

    def _props(self, source: Source) -> set[str]:
        """Declared properties that anything in this run reads."""
        found: set[str] = set(source.dedupe)
        for event in self.events.values():
            if event.source == source.name:
                found |= where_props(event.where)
        for metric in self.metrics:
            for part in event_parts(metric):
                found |= {
                    a.prop for a in atoms_in(part) if a.prop is not None and self.events[a.event].source == source.name
                }
        found |= {c.name for c in self.columns if c.source == source.name}
        found |= {s.prop for s in self.experiment.segments if s.source == source.name}
        for where in (self.experiment.only, self.experiment.exclude):
            found |= where_props(where)
        return found

    def _raw_columns(self, source: Source) -> set[str]:
        """Undeclared paths: columns of metrics by their own name, and what `where` and `ignore` name directly."""
        found = {c.name for c in self.columns if c.source == source.name and source.property(c.name) is None}
        tests: list[Where | None] = [source.where, *(w for _, w in source.ignore)]
        if source.name == self.experiment.exposure_source:
            tests.append(self.experiment.exposure_where)
        for where in tests:
            for prop in where_props(where):
                declared = source.property(prop)
                found.add(declared.path if declared is not None else prop)
        if source.name == self.experiment.exposure_source and source.time is not None:
            found.add(source.time.path)
        for key in source.dedupe:
            path = source.unit_path(key)
            if path is not None and path != ROW_NUMBER:
                found.add(path)
        return found

    def _log(self, source: Source) -> Log:
        raw = self._raw(source)
        self.progress(f"events of {source.name}")
        events: dict[str, Event] = {n: e for n, e in self.events.items() if e.source == source.name}
        props = {
            a.prop
            for m in self.metrics
            for p in event_parts(m)
            for a in atoms_in(p)
            if a.prop is not None and a.event in events
        }
        log = read_log(
            self.engine,
            source,
            raw,
            self.experiment.unit,
            self.project.timezone,
            events,
            props,
            self.last_day,
            self.detail,
            self.strict,
        )
        self._info(source, raw, log.fingerprint, log.first, log.last)
        if self.strict:
            self.seen |= events_seen(self.engine, source, raw, log, events)
            self._last_date(source, log)
        return log

    def _last_date(self, source: Source, log: Log) -> None:
        """The last date of a log counts as unfinished; say so where that alone keeps an experiment running."""
        end = self.experiment.end
        if end is None or source.complete_through is not None or self.experiment.as_of is not None:
            return
        if log.last_complete < day_number(end) <= log.last:
            self.notices.append(
                f"W502 the last date of {source.name}, {iso(log.last)}, counts as unfinished, so {end} is not reached. "
                f"If the export is complete, add  complete_through: {iso(log.last)}  to the source."
            )

    def _population(self) -> None:
        """Leave out units by attributes; the tests of one key must live in one source."""
        for key, where in (("only", self.experiment.only), ("exclude", self.experiment.exclude)):
            if where is None:
                continue
            props = where_props(where)
            homes = [
                s
                for s in self.project.sources.values()
                if s.kind in ("attributes", "outcomes") and props <= {p.name for p in s.properties}
            ]
            if not homes:
                raise data_error(
                    "E210",
                    f"population {key}: no source of attributes declares {', '.join(quoted(p) for p in sorted(props))}",
                    place=self.experiment.place,
                )
            raw = self._raw(homes[0])
            exclude(
                self.engine,
                homes[0],
                raw,
                self.experiment.unit,
                where if key == "only" else None,
                where if key == "exclude" else None,
            )

    def _with_exclusions(self, exposed: Exposed) -> Exposed:
        from dataclasses import replace

        rows = self.engine.rows("SELECT status, variant, count(*) FROM units GROUP BY 1, 2 ORDER BY 1, 2")
        return replace(exposed, units=tuple((int(s), None if v is None else int(v), int(n)) for s, v, n in rows))

    def _tables(self) -> tuple[dict[str, UnitTable], dict[str, tuple[str, str]], dict[Column, tuple[str, str]]]:
        wanted: dict[str, dict[str, str]] = {}
        for segment in self.experiment.segments:
            wanted.setdefault(segment.source, {})[f"a_{segment.prop}"] = segment.prop
        for i, column in enumerate(self.columns):
            wanted.setdefault(column.source, {})[f"o_{i}"] = column.name
        tables: dict[str, UnitTable] = {}
        for source_name, props in sorted(wanted.items()):
            source = self.project.sources[source_name]
            if source.unit_path(self.experiment.unit) == ROW_NUMBER and source_name != self.experiment.exposure_source:
                raise data_error(
                    "E512",
                    f"source {source_name}: row numbers cannot be matched with another file",
                    "Map a column:  units: {user: user_id}",
                    source.place,
                )
            raw = self._raw(source)
            self._columns_exist(source, raw)
            table = read_unit_table(self.engine, source, raw, self.experiment.unit, props)
            tables[source_name] = table
            if source_name not in self.infos:
                self._info(source, raw, table.fingerprint, None, None)
        segments = {s.name: (tables[s.source].table, f"a_{s.prop}") for s in self.experiment.segments}
        outcomes = {c: (tables[c.source].table, f"o_{i}") for i, c in enumerate(self.columns)}
        return tables, segments, outcomes

    def _columns_exist(self, source: Source, raw: Raw) -> None:
        for column in self.columns:
            if column.source != source.name:
                continue
            bad = unreadable_numbers(self.engine, source, raw, column.name)
            if bad:
                raise data_error(
                    "E513",
                    f"source {source.name}: {bad:,} of {raw.rows:,} values of {quoted(column.name)} are not numbers",
                    "A metric needs numbers, or true and false.",
                    source.place,
                )

    def _info(self, source: Source, raw: Raw, fingerprint: str, first: int | None, last: int | None) -> None:
        self.infos[source.name] = SourceInfo(
            source.name, source.kind, raw.files.names, raw.rows, fingerprint, iso(first), iso(last)
        )


def _columns_of(metric: Metric) -> Iterable[Column]:
    if metric.column is not None:
        yield metric.column
    yield from (p for p in metric.parts or () if isinstance(p, Column))


LOG_STEPS = (
    "unparsable",
    "no_id",
    "bad_time",
    "ignored",
    "duplicate",
    "unassigned",
    "before_start",
    "after_enrolment",
    "mixed",
    "excluded",
    "before_exposure",
    "after_window",
    "immature",
    "no_event",
    "used",
)


def log_ledger(
    engine: Engine, log: Log, experiment: Experiment, last: int | None, through: int, immature_below: int | None
) -> Ledger:
    """Every row of a log by what became of it. `last`: last day that any window reads; rows of units exposed after
    `immature_below` cannot count for any metric yet."""
    late = f"WHEN day > {through} {f'OR d > {last}' if last is not None else ''} THEN 'after_window'"
    young = f"WHEN day - d > {immature_below} THEN 'immature'" if immature_below is not None else ""
    rows = engine.rows(
        f"SELECT CASE WHEN step IS NOT NULL THEN step {late} {young} ELSE 'used' END AS s, variant, count(*) FROM {name(log.table)} GROUP BY 1, 2"
    )
    totals: dict[str, int] = {"unparsable": log.unparsable}
    split: dict[str, dict[int, int]] = {}
    for step, variant, count in rows:
        totals[step] = totals.get(step, 0) + int(count)
        if variant is not None:
            split.setdefault(step, {})[int(variant)] = int(count)
    return Ledger(log.source, "rows", log.rows, _steps(LOG_STEPS, totals, split, experiment), log.notes)


def exposure_ledger(source: str, exposed: Exposed, experiment: Experiment) -> Ledger:
    totals = dict(exposed.row_steps)
    steps = tuple(
        LedgerStep(s, n, exposed.rows_by_variant if s == "used" else ())
        for s, n in exposed.row_steps
        if n or s == "used"
    )
    assert sum(totals.values()) == exposed.rows
    return Ledger(source, "rows", exposed.rows, steps, exposed.notes)


def unit_ledger(exposed: Exposed, experiment: Experiment) -> Ledger:
    """Every exposed unit: left out, and why, or used."""
    totals: dict[str, int] = {}
    split: dict[str, dict[int, int]] = {}
    for status, variant, count in exposed.units:
        step = "used" if status == USED else STATUS_NAMES[status]
        totals[step] = totals.get(step, 0) + count
        if variant is not None and step != "mixed":
            split.setdefault(step, {})[variant] = split.get(step, {}).get(variant, 0) + count
    order = ("before_start", "after_enrolment", "mixed", "excluded", "used")
    return Ledger(experiment.unit, "units", sum(totals.values()), _steps(order, totals, split, experiment))


def table_ledger(table: UnitTable) -> Ledger:
    totals = {
        "unparsable": table.unparsable,
        "no_id": table.without_id,
        "ignored": table.ignored,
        "unassigned": table.unassigned,
    }
    used = table.rows - sum(totals.values())
    steps = tuple(LedgerStep(s, n) for s, n in {**totals, "used": used}.items() if n or s == "used")
    return Ledger(table.source, "rows", table.rows, steps)


def _steps(
    order: tuple[str, ...], totals: dict[str, int], split: dict[str, dict[int, int]], experiment: Experiment
) -> tuple[LedgerStep, ...]:
    found = []
    for step in order:
        count = totals.get(step, 0)
        if not count and step != "used":
            continue
        by_variant: Any = ()
        if step in split:
            by_variant = tuple((v.id, split[step].get(i, 0)) for i, v in enumerate(experiment.variants))
        found.append(LedgerStep(step, count, by_variant))
    return tuple(found)
