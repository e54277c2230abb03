"""A folder of YAML files to one `Project`, with every problem of every file at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from abtest.language import values
from abtest.language.canonical import events_of
from abtest.language.conditions import Condition, Rank
from abtest.language.fields import Fields
from abtest.language.lock import read_locks
from abtest.language.looks import read_looks
from abtest.language.measures import RESERVED
from abtest.language.model import DEFAULT_ADJUST, Event, Experiment, Group, Ladder, Metric, Project, Source, Survey
from abtest.language.read_experiment import read_experiment
from abtest.language.read_groups import read_group
from abtest.language.read_metrics import Context, read_metric
from abtest.language.read_sources import read_event, read_source
from abtest.language.read_surveys import read_survey
from abtest.language.resolve_experiment import resolve_experiment
from abtest.language.resolve_metrics import resolve_events, resolve_metric
from abtest.language.suggest import did_you_mean, distance
from abtest.language.uses import Declared, use_catalogue
from abtest.language.yaml import MAX_BYTES, Map, Node, Text, read_yaml
from abtest.problems import Place, Problem, Problems, UserError, quoted
from abtest.shipped import languages

T = TypeVar("T")

SECTIONS = ("project", "sources", "events", "surveys", "groups", "metrics")
ROOT_FILES = ("abtest.yml", "project.yml")
FOLDERS = ("metrics", "experiments", "sources", "events")
MAX_FILES = 500
MAX_PROBLEMS = 500
_NAMES = frozenset({"E201", "E202", "E203", "E204", "E208", "E209", "E210", "E405", "E417", "W374", "W420"})
_TOP_KEY = re.compile(r"""^(?:['"]?)([A-Za-z_]\w*)(?:['"]?)\s*:""", re.MULTILINE)
MAX_METRICS = 500


def find_root(start: Path) -> Path:
    """The project folder of a file or folder: the nearest one upwards with abtest.yml or project.yml."""
    folder = start if start.is_dir() else start.parent
    folder = folder.resolve()
    for candidate in (folder, *folder.parents):
        if any((candidate / name).is_file() for name in ROOT_FILES):
            return candidate
    return folder.parent if folder.name in FOLDERS else folder


def yaml_files(root: Path) -> tuple[Path, ...]:
    """The project's own files: those of the root that hold one of our sections, and all of its four known folders.

    Other tools keep their YAML in the root too (compose files, CI, kustomize), with anchors, tags and lists that are
    mistakes only in a file of ours; so they are told apart by their top keys before they are read.
    """
    found = {f for pattern in ("*.yml", "*.yaml") for f in root.glob(pattern) if f.is_file() and _is_ours(f)}
    for name in FOLDERS:
        found |= {f for pattern in ("*.yml", "*.yaml") for f in (root / name).rglob(pattern) if f.is_file()}
    return tuple(sorted(f for f in found if not f.name.startswith(".")))


def _is_ours(path: Path) -> bool:
    if path.name in ROOT_FILES:
        return True
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return True
    keys = set(_TOP_KEY.findall(text))
    known = (*SECTIONS, "experiment")
    return any(distance(key.lower(), name, 2) <= 1 for key in keys if len(key) < 20 for name in known)


def load_project(root: Path) -> Project:
    """The project in `root`. Raises UserError with everything that is wrong (exit code 1)."""
    project, problems = read_project(root)
    problems.raise_errors()
    return project


def read_project(root: Path) -> tuple[Project, Problems]:
    """The project as far as it can be read, and its problems."""
    problems = _Bounded()
    reader = _Reader(root, problems)
    paths = yaml_files(root)
    if not paths:
        raise UserError([_no_files(root)], exit_code=2)
    if len(paths) > MAX_FILES:
        problems.error("E105", f"{len(paths)} YAML files; at most {MAX_FILES} are read", Place(root.name, 1, 1))
        paths = paths[:MAX_FILES]
    try:
        for path in paths:
            reader.file(path)
        project = reader.project()
    except _TooManyError:
        project = Project(root, root.name, "UTC", ".", {}, {}, {}, {}, files=tuple(reader.files))
    return project, problems


class _TooManyError(Exception):
    """So many problems that reading on helps nobody."""


@dataclass(slots=True)
class _Bounded(Problems):
    """Problems up to a number at which reading stops, so that a file of nothing but mistakes costs little."""

    seen: set[Problem] = field(default_factory=set)

    def _add(self, problem: Problem) -> None:
        if problem in self.seen:
            return
        self.seen.add(problem)
        self.found.append(problem)
        if len(self.found) > MAX_PROBLEMS:
            place = problem.place and Place(problem.place.file, problem.place.line, 1)
            self.found.append(Problem("E105", f"more than {MAX_PROBLEMS} problems; reading stops here", place))
            raise _TooManyError


def _no_files(root: Path) -> Problem:
    return Problem(
        "E100",
        f"no YAML files in {quoted(root)}",
        None,
        "abtest init  writes a first project here; abtest demo  a complete one.",
    )


class _Reader:
    """Gathers the sections of all files, then resolves them together."""

    def __init__(self, root: Path, problems: Problems) -> None:
        self.root = root
        self.problems = problems
        self.sections: dict[str, dict[str, tuple[Text, Node]]] = {s: {} for s in SECTIONS}
        self.experiments: dict[str, Experiment] = {}
        self.broken: dict[str, set[str]] = {s: set() for s in SECTIONS}
        self.uses: dict[tuple[str, str], str] = {}
        self.files: list[str] = []
        self.unreadable = False

    def file(self, path: Path) -> None:
        name = path.relative_to(self.root).as_posix()
        tree = read_yaml(path, name, self.problems)
        if tree is None:
            self.unreadable = True
            return
        keys = [k.value for k, _ in tree]
        if "experiment" in keys:
            self.files.append(name)
            experiment = read_experiment(tree, self.problems)
            if experiment is not None and experiment.id:
                if experiment.id in self.experiments:
                    first = self.experiments[experiment.id].place
                    self.problems.error(
                        "E107",
                        f"experiment {experiment.id} is defined twice",
                        experiment.place,
                        f"The first stands in {first}.",
                    )
                self.experiments.setdefault(experiment.id, experiment)
            return
        self.files.append(name)
        for key, node in tree:
            self._section(key, node)

    def _section(self, key: Text, node: Node) -> None:
        if key.value not in SECTIONS:
            self.unreadable = True
            self.problems.error(
                "E102",
                f"unknown section {quoted(key.value)}",
                key.place,
                did_you_mean(key.value, (*SECTIONS, "experiment"), "Sections"),
            )
            return
        if not isinstance(node, Map):
            if not (isinstance(node, Text) and node.value == ""):
                self.unreadable = True
                self.problems.error("E121", f"{key.value} is a map", node.place)
            return
        section = self.sections[key.value]
        for name, value in node:
            if key.value != "project" and not values.is_id(name.value):
                self.broken[key.value].add(name.value)
                self.problems.error(
                    "E130",
                    f"{quoted(name.value)} is not a name",
                    name.place,
                    "Lower case letters, digits and _, starting with a letter, at most 64",
                )
                continue
            if key.value == "events" and name.value in RESERVED:
                self.broken[key.value].add(name.value)
                self.problems.error("E130", f"{quoted(name.value)} is a word of the language", name.place)
                continue
            if name.value in section:
                self.problems.error(
                    "E107",
                    f"{quoted(name.value)} is defined twice under {key.value}",
                    name.place,
                    f"The first stands in {section[name.value][0].place}.",
                )
                continue
            section[name.value] = (name, value)

    def project(self) -> Project:
        """Everything read so far, with its names resolved."""
        name, timezone, data, min_cell, default_adjust, language, catalogue = self._settings()
        sources: dict[str, Source] = self._read("sources", read_source)
        raw_events: dict[str, Event] = self._read("events", read_event)
        self._count_metrics()
        raw_events |= self._catalogue(sources, raw_events, catalogue)
        surveys: dict[str, Survey] = self._read("surveys", read_survey)
        groups: dict[str, Group] = self._read("groups", read_group)
        context = Context(groups, surveys, frozenset(self.broken["groups"] | self.broken["surveys"]))
        raw_metrics: dict[str, Metric] = self._read("metrics", lambda n, v, p: read_metric(n, v, p, context))
        raw_metrics = {n: replace(m, uses=self.uses.get(("metrics", n))) for n, m in raw_metrics.items()}
        broken_sources = frozenset(self.broken["sources"])
        places = {
            (f"{name}{suffix}", key.value): inner.place
            for section, suffix in (("events", ""), ("surveys", ".answers"))
            for name, (_, node) in self.sections[section].items()
            if isinstance(node, Map)
            for key, inner in node
        }
        events = resolve_events(raw_events, sources, broken_sources, self.problems, surveys, places)
        broken_events = frozenset(self.broken["events"]) | (raw_events.keys() - events.keys())
        broken_events |= {f"{name}.answers" for name in (*self.broken["surveys"], *surveys)} - events.keys()
        # A group that no metric uses is checked for names too.
        alone = {
            name: Metric(
                f"of group {name}", "group", rank=Rank(_conditions(group)), written=group.written, place=group.place
            )
            for name, group in groups.items()
        }
        if broken_sources:
            # A source that cannot be read may have declared its one event by itself.
            read = {e for m in (*raw_metrics.values(), *alone.values()) for e in events_of(m)}
            broken_events |= read - events.keys() - raw_events.keys()
        bad_groups = {
            name
            for name, metric in alone.items()
            if resolve_metric(metric, events, sources, self.problems, broken_events, broken_sources) is None
        }
        metrics: dict[str, Metric] = {}
        for key, metric in raw_metrics.items():
            if metric.group is not None and metric.group.group in bad_groups:
                continue
            resolved = resolve_metric(
                metric, events, sources, self.problems, broken_events, broken_sources, raw_metrics,
                frozenset(self.broken["metrics"]),
            )  # fmt: skip
            if resolved is not None:
                metrics[key] = resolved
        broken = frozenset(self.broken["metrics"] | (self.sections["metrics"].keys() - metrics.keys()))
        experiments = {
            key: resolve_experiment(
                e,
                sources,
                events,
                metrics,
                broken,
                broken_sources,
                self.problems,
                groups,
                broken_events,
                frozenset(self.broken["groups"]),
            )
            for key, e in sorted(self.experiments.items())
        }
        self._chains(experiments)
        locks = read_locks(self.root, self.experiments, self.problems)
        looks = read_looks(self.root, self.experiments, self.problems)
        if self.unreadable:
            # Names that a broken file defines are not missing; say what is broken and nothing that follows from it.
            self.problems.found = [p for p in self.problems.found if p.code not in _NAMES]
        return Project(
            root=self.root, name=name, timezone=timezone, data=data, sources=sources, events=events, metrics=metrics,
            experiments=experiments, groups=groups, surveys=surveys, min_cell=min_cell, default_adjust=default_adjust, files=tuple(self.files),
            warnings=tuple(str(w) for w in self.problems.warnings), locks=locks, looks=looks, language=language,
        )  # fmt: skip

    def _catalogue(self, sources: dict[str, Source], events: dict[str, Event], node: Map | None) -> dict[str, Event]:
        """Put entries of the catalogue in the place of what uses them; the events that its map joins to one."""
        constants = (s.event_constant for s in sources.values() if s.event_constant is not None)
        known = {c: Event(c, "", (c,)) for c in constants} | events
        broken = frozenset(self.broken["events"] | self.broken["sources"])
        used = use_catalogue(self.sections, node, Declared(known, sources, broken), self.problems)
        self.sections = used.sections
        self.uses = used.names
        for section, names in used.broken.items():
            self.broken[section] |= names
        return used.events

    def _count_metrics(self) -> None:
        metrics = self.sections["metrics"]
        if len(metrics) > MAX_METRICS:
            first = next(iter(metrics.values()))[0]
            self.problems.error("E105", f"{len(metrics)} metrics; at most {MAX_METRICS} are read", first.place)
            self.sections["metrics"] = dict(list(metrics.items())[:MAX_METRICS])

    def _settings(self) -> tuple[str, str, str, int, int, str, Map | None]:
        entries = tuple(self.sections["project"].values())
        place = entries[0][0].place if entries else Place("", 1, 1)
        fields = Fields(Map(entries, place), "project", self.problems)
        name = fields.text("name") or self.root.name
        timezone = fields.read("timezone", values.timezone_name) or "UTC"
        data = fields.text("data") or "."
        if data.startswith(("/", "~")) or ".." in data.split("/") or "://" in data:
            self.problems.error("E140", f"project data {quoted(data)} leaves the project folder", fields.place("data"))
            data = "."
        privacy = fields.map("privacy")
        min_cell = 10
        if privacy is not None:
            inner = Fields(privacy, "privacy", self.problems)
            given = inner.read("min_cell", values.whole)
            min_cell = 10 if given is None else max(1, given)
            inner.done()
        language = fields.choice("language", languages()) or "en"
        catalogue = fields.map("catalogue")
        if fields.choice("week_starts", ("monday", "sunday")) == "sunday":
            message = "weeks start on Monday here (ISO 8601)"
            self.problems.error("E122", message, fields.place("week_starts"), "Write  week_starts: monday")
        given = fields.read("default_adjust", values.day_count_or_none)
        default_adjust = DEFAULT_ADJUST if given is None else given
        fields.done(("engine", "uses"))
        return name, timezone, data, min_cell, default_adjust, language, catalogue

    def _read(self, section: str, reader: Callable[[str, Node, Problems], T | None]) -> dict[str, T]:
        """Every definition of a section that can be read without a mistake that hides its meaning."""
        found: dict[str, T] = {}
        for name, (_, node) in self.sections[section].items():
            value = reader(name, node, self.problems)
            if value is not None:
                found[name] = value
            else:
                self.broken[section].add(name)
        return found

    def _chains(self, experiments: dict[str, Experiment]) -> None:
        """`iteration_of` must exist and must not run in a circle."""
        for experiment in experiments.values():
            seen: list[str] = [experiment.id]
            before = experiment.iteration_of
            if before is not None and before not in experiments:
                self.problems.warn(
                    "W420",
                    f"iteration_of {quoted(before)}: no such experiment in this project",
                    experiment.at("iteration_of"),
                    did_you_mean(before, {k: e for k, e in experiments.items() if e is not experiment}, "Experiments"),
                )
            while before is not None and before in experiments:
                if before in seen:
                    self.problems.error(
                        "E420",
                        f"iteration_of runs in a circle: {' -> '.join((*seen, before))}",
                        experiment.at("iteration_of"),
                    )
                    break
                seen.append(before)
                before = experiments[before].iteration_of


def _conditions(group: Group) -> tuple[Condition, ...]:
    """The conditions of all rungs or letters."""
    return tuple(c for _, c in (group.form.rungs if isinstance(group.form, Ladder) else group.form.letters))


def pick_experiment(project: Project, name: str) -> Experiment:
    """The experiment with this id; usage error with suggestions when there is none."""
    found = project.experiments.get(name)
    if found is None:
        hint = did_you_mean(name, project.experiments, "Experiments")
        raise UserError([Problem("E205", f"no experiment {quoted(name)}", None, hint)], exit_code=2)
    return found
