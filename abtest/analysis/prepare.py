"""Files to engine tables for one experiment: units, narrow rows of each log, per-unit tables, and their ledgers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from abtest.analysis.covariates import attribute_columns, with_history
from abtest.analysis.dates import iso
from abtest.analysis.hidden import hidden_of
from abtest.analysis.prepared import Prepared as Prepared
from abtest.analysis.result import SourceInfo
from abtest.analysis.seen import events_seen, undeclared_variants
from abtest.language.canonical import events_of, metric_attributes
from abtest.language.conditions import Attribute, RowTest, Where
from abtest.language.model import Column, Experiment, Metric, Project, Source
from abtest.language.parts import parts_of
from abtest.language.read_sources import ROW_NUMBER
from abtest.metrics.covariates import BEFORE
from abtest.metrics.needs import bound_events, for_unit, needs_of
from abtest.problems import data_error, quoted
from abtest.sources.clusters import COLUMN as CLUSTER
from abtest.sources.clusters import Clustered, assign_clusters
from abtest.sources.engine import Engine
from abtest.sources.events import Log, read_log
from abtest.sources.files import find_files
from abtest.sources.read import Raw, paths_of, read_raw
from abtest.sources.rows import passes_when_missing, where_props
from abtest.sources.surveys import survey_paths
from abtest.sources.tables import UnitTable, exclude, read_unit_table, unreadable_numbers
from abtest.sources.units import Exposed, day_number, read_units

Progress = Callable[[str], None]


def metrics_of(project: Project, experiment: Experiment) -> tuple[Metric, ...]:
    """The metrics of an experiment, in its unit, each followed by the parts that come with it."""
    found = [for_unit(project.metrics[u.name], experiment.unit) for u in experiment.metrics]
    return tuple(m for metric in found for m in (metric, *parts_of(metric, project)))


def prepare(
    engine: Engine,
    project: Project,
    experiment: Experiment,
    progress: Progress,
    metrics: tuple[Metric, ...] | None = None,
    detail: bool = False,
    strict: bool = True,
    nearby: bool = False,
) -> Prepared:
    """Read everything that the experiment (or only `metrics`) needs, exposures first. `detail` keeps instants of rows;
    without `strict`, a variant without units or a log without exposed units is no problem. `nearby`: also what is close
    to the definitions of goals.

    Raises UserError (exit 3) for unusable data.
    """
    wanted = metrics_of(project, experiment) if metrics is None else metrics
    return _Reader(engine, project, experiment, wanted, progress, detail, strict, metrics is None, nearby).run()


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
        whole: bool,
        nearby: bool,
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
        came = hidden_of(project, experiment, metrics, whole, nearby)
        self.hidden, self.covariates, self.unadjusted = came.metrics, dict(came.covariates), dict(came.unadjusted)
        self.came = came
        every = (*metrics, *self.hidden)
        self.events, self.logs = bound_events(every, project.events, project.sources, experiment.unit)
        self.needs = {name_: needs_of(every, self.events, log, detail) for name_, log in self.logs.items()}
        self.tests = self._tests()
        self.columns = list(dict.fromkeys(c for m in every for c in _columns_of(m)))
        self.last_day = day_number(experiment.as_of) if experiment.as_of is not None else None

    def run(self) -> Prepared:
        experiment = self.experiment
        exposure = self.project.sources[experiment.exposure_source]
        raw = self._raw(exposure)
        self.progress(f"units of {exposure.name}")
        exposed = read_units(self.engine, exposure, raw, experiment, self.project.timezone, self.last_day, self.strict)
        self._info(exposure, raw, exposed.fingerprint, exposed.first, exposed.last)
        self._population()
        clusters = self._clusters()
        logs = {name_: self._log(log) for name_, log in sorted(self.logs.items())}
        self.hidden = self._with_history(exposed, logs)
        tables, segments, outcomes, attributes = self._tables()
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
            self.metrics,
            self.hidden,
            self.events,
            self._truths(tables),
            self._among(tables),
            tuple(s for s in self.experiment.segments if not s.source),
            self.project.groups,
            self.covariates,
            self.unadjusted,
            attributes,
            clusters,
            self.came.halves,
            self.came.returns,
            self.came.nearby,
        )

    def _with_history(self, exposed: Exposed, logs: Mapping[str, Log]) -> tuple[Metric, ...]:
        """The hidden metrics without those that no log reaches back for."""
        self.covariates, lost = with_history(self.covariates, self.events, logs, exposed)
        self.unadjusted |= lost
        used = {c.metric.name for found in self.covariates.values() for c in found if c.metric is not None}
        return tuple(h for h in self.hidden if not h.name.startswith(BEFORE) or h.name in used)

    def _raw(self, source: Source) -> Raw:
        """The file of a source, read once for all logs that are made of it."""
        base = self.project.sources[source.name.partition(" by ")[0]]
        if base.name not in self.raws:
            files = find_files(self.project, base)
            self.progress(f"reading {files.what}")
            wanted = self._props(base)
            paths = list(paths_of(base, self.experiment.unit, wanted))
            paths += sorted(self._raw_columns(base))
            asked = (base, files, tuple(dict.fromkeys(paths)))
            kept = self.engine.kept.pop(base.name, None)
            raw = kept[1] if kept is not None and kept[0] == asked else read_raw(self.engine, *asked)
            self.engine.kept[base.name] = (asked, raw)
            self.raws[base.name] = raw
        return self.raws[base.name]

    def _own_logs(self, source: Source) -> list[Source]:
        return [log for log in self.logs.values() if log.name.partition(" by ")[0] == source.name]

    def _tests(self) -> dict[tuple[str, Where], str]:
        """Every test of attributes by metrics, with the column that holds its truth."""
        tests: list[tuple[str, Where]] = [
            (a.source, a.test) for m in (*self.metrics, *self.hidden) for a in metric_attributes(m)
        ]
        tests += [
            (m.among.source, m.among.where) for m in self.metrics if m.among is not None and m.among.where is not None
        ]
        return {test: f"t_{i}" for i, test in enumerate(dict.fromkeys(tests))}

    def _truths(self, tables: dict[str, UnitTable]) -> dict[Attribute, tuple[str, str, bool]]:
        found = dict.fromkeys(a for m in (*self.metrics, *self.hidden) for a in metric_attributes(m))
        return {a: (tables[a.source].table, self.tests[(a.source, a.test)], passes_when_missing(a.test)) for a in found}

    def _among(self, tables: dict[str, UnitTable]) -> dict[str, tuple[str, str, bool]]:
        found = {}
        for metric in self.metrics:
            among = metric.among
            if among is not None and among.where is not None:
                column = self.tests[(among.source, among.where)]
                found[metric.name] = (tables[among.source].table, column, passes_when_missing(among.where))
        return found

    def _props(self, source: Source) -> set[str]:
        """Declared properties that anything in this run reads."""
        found: set[str] = set(source.dedupe)
        for log in self._own_logs(source):
            needs = self.needs[log.name]
            found |= needs.props
            for event in needs.events.values():
                found |= where_props(event.where)
        for home, tested in self.tests:
            found |= where_props(tested) if home == source.name else set()
        found |= {c.name for c in self.columns if c.source == source.name}
        found |= {s.prop for s in self.experiment.segments if s.source and s.source == source.name}
        found |= {m.prop for m in self.experiment.moderators if m.source == source.name}
        found |= {c.prop for own in self.covariates.values() for c in own if c.source == source.name}
        for where in (self.experiment.only, self.experiment.exclude):
            found |= where_props(where)
        cluster = self.experiment.cluster
        found |= {cluster.prop} if cluster is not None and cluster.source == source.name else set()
        return found

    def _raw_columns(self, source: Source) -> set[str]:
        """Undeclared paths: columns of metrics by their own name, and what `where` and `ignore` name directly."""
        found = {c.name for c in self.columns if c.source == source.name and source.property(c.name) is None}
        tests: list[Where | None] = [source.where, *(w for _, w in source.ignore)]
        entered = source.name == self.experiment.exposure_source.partition(" by ")[0]
        if entered:
            tests.append(self.experiment.exposure_where)
        for where in tests:
            for prop in where_props(where):
                declared = source.property(prop)
                found.add(declared.path if declared is not None else prop)
        if entered and source.time is not None:
            found.add(source.time.path)
        for log in self._own_logs(source):
            needs = self.needs[log.name]
            units = dict(log.units)
            found |= {units[u] for u in (*needs.subs, *needs.props) if u in units}
            own = units.get(self.experiment.unit)
            found |= {own} if own is not None and own != ROW_NUMBER else set()
            for event in needs.events.values():
                found |= set(survey_paths(event.survey, source)) if event.survey is not None else set()
            if needs.sessions or any(e.once and e.once.period == "session" for e in needs.events.values()):
                found |= {source.session} if source.session is not None else set()
        for key in source.dedupe:
            path = source.unit_path(key)
            if path is not None and path != ROW_NUMBER:
                found.add(path)
        return found

    def _log(self, source: Source) -> Log:
        raw = self._raw(source)
        self.progress(f"events of {source.name}")
        needs = self.needs[source.name]
        log = read_log(
            self.engine,
            source,
            raw,
            self.experiment.unit,
            self.project.timezone,
            needs,
            self.last_day,
            self.strict,
        )
        if log.date_only:
            self._needs_hours(source)
        self._info(source, raw, log.fingerprint, log.first, log.last)
        if self.strict:
            self.seen |= events_seen(self.engine, source, raw, log, needs.events)
            self._last_date(source, log)
        return log

    def _needs_hours(self, source: Source) -> None:
        """A source of dates has no hours to count."""
        for metric in self.metrics:
            if metric.clock == "elapsed" and any(
                n in self.events and self.events[n].source == source.name for n in events_of(metric)
            ):
                raise data_error(
                    "E517",
                    f"{metric.name} counts hours from exposure, and source {source.name} has dates only",
                    "Use  clock: date,  or map a column with times.",
                    source.place,
                )

    def _last_date(self, source: Source, log: Log) -> None:
        """The last date of a log counts as unfinished; say so where that alone keeps an experiment running."""
        end = self.experiment.end
        if (
            source.kind == "answers"
            or end is None
            or source.complete_through is not None
            or self.experiment.as_of is not None
        ):
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

    def _clusters(self) -> Clustered | None:
        """The cluster of every unit, before logs are read, so that rows of units without one are counted as such."""
        cluster = self.experiment.cluster
        if cluster is None:
            return None
        source = self.project.sources[cluster.source]
        self._matchable(source)
        unit, props = self.experiment.unit, {CLUSTER: cluster.prop}
        table = read_unit_table(self.engine, source, self._raw(source), unit, props, strict=self.strict)
        return assign_clusters(self.engine, cluster, table.table, unit)

    def _matchable(self, source: Source) -> None:
        if source.unit_path(self.experiment.unit) == ROW_NUMBER and source.name != self.experiment.exposure_source:
            raise data_error(
                "E512",
                f"source {source.name}: row numbers cannot be matched with another file",
                "Map a column:  units: {user: user_id}",
                source.place,
            )

    def _with_exclusions(self, exposed: Exposed) -> Exposed:
        from dataclasses import replace

        rows = self.engine.rows("SELECT status, variant, count(*) FROM units GROUP BY 1, 2 ORDER BY 1, 2")
        return replace(exposed, units=tuple((int(s), None if v is None else int(v), int(n)) for s, v, n in rows))

    def _tables(
        self,
    ) -> tuple[
        dict[str, UnitTable],
        dict[str, tuple[str, str]],
        dict[Column, tuple[str, str]],
        dict[tuple[str, str], tuple[str, str]],
    ]:
        wanted: dict[str, dict[str, str]] = {}
        splits = [s for s in self.experiment.segments if s.source]
        labels: dict[str, dict[str, str]] = {}
        tested: dict[str, dict[str, RowTest]] = {}
        alias = {s.name: f"a_{s.prop}" if s.test is None else f"q_{i}" for i, s in enumerate(splits)}
        for segment in splits:
            wanted.setdefault(segment.source, {})
            if segment.test is None:
                labels.setdefault(segment.source, {})[alias[segment.name]] = segment.prop
            else:
                tested.setdefault(segment.source, {})[alias[segment.name]] = segment.test
        for i, column in enumerate(self.columns):
            wanted.setdefault(column.source, {})[f"o_{i}"] = column.name
        attributes = attribute_columns(self.covariates, self.experiment.moderators)
        for (home, prop), column_name in attributes.items():
            wanted.setdefault(home, {})[column_name] = prop
        if self.experiment.cluster is not None:
            wanted.setdefault(self.experiment.cluster.source, {})[CLUSTER] = self.experiment.cluster.prop
        tables: dict[str, UnitTable] = {}
        for home, _ in self.tests:
            wanted.setdefault(home, {})
        for source_name, props in sorted(wanted.items()):
            source = self.project.sources[source_name]
            self._matchable(source)
            raw = self._raw(source)
            self._columns_exist(source, raw)
            tests = {column: where for (home, where), column in self.tests.items() if home == source_name}
            own = labels.get(source_name, {})
            asked = tested.get(source_name, {})
            table = read_unit_table(
                self.engine, source, raw, self.experiment.unit, props, tests, self.strict, own, asked
            )
            tables[source_name] = table
            if source_name not in self.infos:
                self._info(source, raw, table.fingerprint, None, None)
        segments = {s.name: (tables[s.source].table, alias[s.name]) for s in splits}
        outcomes = {c: (tables[c.source].table, f"o_{i}") for i, c in enumerate(self.columns)}
        known = {key: (tables[key[0]].table, column_name) for key, column_name in attributes.items()}
        return tables, segments, outcomes, known

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
