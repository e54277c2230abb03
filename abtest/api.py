"""The Python face: run experiments of a project, or compare two columns of a DataFrame."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from abtest.analysis.result import Result
from abtest.language.model import Column, Experiment, Metric, MetricUse, Project, Property, Source, Variant
from abtest.language.read_sources import ROW_NUMBER
from abtest.problems import Problem, UserError, quoted

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["mean", "proportion"]


def load(folder: str | Path) -> Project:
    """The `Project` of a folder. Raises UserError with every problem at once.

    >>> sorted(load("examples/visitors").experiments)
    ['landing_page', 'loyalty_offer']
    """
    from abtest.language.project import find_root, load_project

    return load_project(find_root(Path(folder)))


def run(experiment: str, folder: str | Path = ".", *, threads: int | None = None, memory: str | None = None) -> Result:
    """Compute one experiment of the project in `folder`, by its id.

    Raises UserError: definitions (exit_code 1), no such experiment (2), unusable data (3).

    >>> run("player_v2", "examples/watch-time").decision.verdict
    'ship'
    """
    from abtest.analysis.run import Options, analyse
    from abtest.language.project import pick_experiment

    project = load(folder)
    chosen = pick_experiment(project, experiment)
    return analyse(project, chosen, options=Options(threads, memory, f"abtest run {chosen.id}"))


def compare(
    frame: pd.DataFrame,
    *,
    variant: str,
    control: str,
    metrics: Mapping[str, Kind | tuple[str, str]],
    better: Literal["higher", "lower"] = "higher",
    title: str = "Comparison",
) -> Result:
    """Compare the variants of a DataFrame with one row per unit; the same `Result` as from files.

    `variant` names the column of the variants, `control` its baseline value. `metrics` maps columns to "mean" or
    "proportion" (0/1), or a new name to a ratio (numerator column, denominator column). All metrics are goals with one
    direction `better`; p-values are Holm-adjusted. Shares of the variants are taken as equal. Raises UserError when the
    frame cannot be used.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"group": ["A", "B"] * 50, "bought": [0, 1, 0, 0, 1, 1, 0, 1, 0, 1] * 10})
    >>> result = compare(frame, variant="group", control="A", metrics={"bought": "proportion"})
    >>> result.decision.verdict, round(result.metrics[0].comparisons[0].absolute.estimate, 6)
    ('ship', 0.6)
    """
    from abtest.analysis.run import Options, analyse

    columns = _columns(frame, variant, control, metrics)
    alias = {c: f"c{i}" for i, c in enumerate(columns)}
    with tempfile.TemporaryDirectory(prefix="abtest-") as place:
        stored = frame[columns].rename(columns=alias)
        stored = stored.assign(**{alias[variant]: stored[alias[variant]].astype("string")})
        stored.to_parquet(Path(place) / "frame.parquet", index=False)
        keys = sorted({str(v) for v in frame[variant].dropna().unique()} - {control})
        project = _project(Path(place), alias, variant, (control, *keys), metrics, better, title)
        return analyse(project, project.experiments["comparison"], options=Options(command="abtest.compare"))


def _project(
    folder: Path,
    alias: Mapping[str, str],
    variant: str,
    keys: tuple[str, ...],
    metrics: Mapping[str, Any],
    better: Any,
    title: str,
) -> Project:
    """The project that a comparison stands for, as values; nothing of the frame becomes YAML or SQL text."""
    names = {m: f"m{i}" for i, m in enumerate(metrics)}
    flags = {alias[m] for m, kind in metrics.items() if kind == "proportion"}
    properties = tuple(Property(a, a, "flag" if a in flags else "number") for c, a in alias.items() if c != variant)
    source = Source(
        "frame", "outcomes", ("frame.parquet",), (("unit", ROW_NUMBER),), variant=alias[variant], properties=properties
    )
    defined: dict[str, Metric] = {}
    for name, kind in metrics.items():
        unit = "share" if kind == "proportion" else "number"
        if isinstance(kind, tuple):
            parts = (Column("frame", alias[kind[0]]), Column("frame", alias[kind[1]]))
            defined[names[name]] = Metric(names[name], "ratio", parts=parts, better=better, title=name)
        else:
            defined[names[name]] = Metric(
                names[name],
                "column",
                column=Column("frame", alias[name]),
                better=better,
                title=name,
                unit_of_value=unit,
            )
    variants = tuple(Variant(f"v{i}", key, 1 / len(keys), key) for i, key in enumerate(keys))
    uses = tuple(MetricUse(n, "goal") for n in defined)
    experiment = Experiment("comparison", title, "unit", "frame", None, variants, "v0", uses)
    return Project(folder, "comparison", "UTC", ".", {"frame": source}, {}, defined, {"comparison": experiment})


def _columns(frame: pd.DataFrame, variant: str, control: str, metrics: Mapping[str, Any]) -> list[str]:
    wanted = [variant]
    for name, kind in metrics.items():
        wanted += list(kind) if isinstance(kind, tuple) else [name]
    from abtest.language.suggest import did_you_mean

    missing = [c for c in dict.fromkeys(wanted) if c not in frame.columns]
    problems = [
        Problem(
            "E503",
            f"the frame has no column {quoted(c)}",
            None,
            did_you_mean(c, [str(x) for x in frame.columns], "Columns"),
        )
        for c in missing
    ]
    if not problems and control not in {str(v) for v in frame[variant].dropna().unique()}:
        problems.append(Problem("E410", f"control {quoted(control)} is not in column {quoted(variant)}"))
    if not metrics:
        problems.append(Problem("E415", "no metrics to compare"))
    if problems:
        raise UserError(problems, exit_code=2)
    return list(dict.fromkeys(wanted))
