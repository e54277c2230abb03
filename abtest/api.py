"""The Python face: run experiments of a project, or compare two columns of a DataFrame."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from abtest.analysis.result import Result
from abtest.language.model import Column, Experiment, Metric, MetricUse, Project, Property, Source, Variant
from abtest.language.read_sources import ROW_NUMBER
from abtest.language.values import is_id
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

    if not Path(folder).exists():
        raise UserError([Problem("E100", f"no folder {quoted(folder)}")], exit_code=2)
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


def report(result: Result, form: Literal["html", "md", "json"] = "html", *, language: str = "en") -> str:
    """A result as text: the page, the Markdown summary, or the JSON, which is the same in every language.

    `language`: "en" or "nl". Raises UserError for another form or language.

    >>> result = run("player_v2", "examples/watch-time")
    >>> report(result, "md", language="nl").split(":")[0]
    '## ✅ Uitrollen'
    """
    from abtest.language.suggest import did_you_mean
    from abtest.reports.write import render
    from abtest.shipped import languages

    for what, given, known in (("form", form, ("html", "md", "json")), ("language", language, languages())):
        if given not in known:
            raise UserError(
                [Problem("E002", f"{what} {quoted(given)}", None, did_you_mean(str(given), known, "Possible"))],
                exit_code=2,
            )
    return render(result, form, language)


def compare(
    frame: pd.DataFrame,
    *,
    variant: str,
    control: Any,
    metrics: Mapping[str, Kind | tuple[str, str]],
    better: Literal["higher", "lower"] = "higher",
    title: str = "Comparison",
) -> Result:
    """Compare the variants of a DataFrame with one row per unit; the same `Result` as from files.

    `variant` names the column of the variants, `control` its baseline value. `metrics` maps columns to "mean" or
    "proportion" (0/1), or a new name to a ratio (numerator column, denominator column). All metrics are goals with one
    direction `better`; p-values are Holm-adjusted. Shares of the variants are taken as equal. Rows without a variant are
    left out, rows without a value do not count for that metric; the ledger and `arms` of the result say how many.
    Names that are no identifiers (`My Column`) become `m0`, `v1`, ... and stay as titles. Raises UserError, with
    everything that is wrong, when the call or the frame cannot be used.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"group": ["A", "B"] * 50, "bought": [0, 1, 0, 0, 1, 1, 0, 1, 0, 1] * 10})
    >>> result = compare(frame, variant="group", control="A", metrics={"bought": "proportion"})
    >>> result.decision.verdict, round(result.metrics[0].comparisons[0].absolute.estimate, 6)
    ('ship', 0.6)
    """
    from abtest.analysis.run import Options, analyse

    columns = _columns(frame, variant, control, metrics, better)
    control = str(control)
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
    names = {m: m if is_id(m) else f"m{i}" for i, m in enumerate(metrics)}
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
    ids = {key: key if is_id(key) else f"v{i}" for i, key in enumerate(keys)}
    variants = tuple(Variant(ids[key], key, 1 / len(keys), key) for key in keys)
    uses = tuple(MetricUse(n, "goal") for n in defined)
    experiment = Experiment("comparison", title, "unit", "frame", None, variants, ids[keys[0]], uses)
    return Project(folder, "comparison", "UTC", ".", {"frame": source}, {}, defined, {"comparison": experiment})


def _columns(frame: pd.DataFrame, variant: str, control: Any, metrics: Mapping[str, Any], better: str) -> list[str]:
    """The columns that are read, after everything that can be wrong with the call has been said."""
    import pandas

    from abtest.language.suggest import did_you_mean

    problems: list[Problem] = []
    if not isinstance(frame, pandas.DataFrame):
        raise UserError([Problem("E002", f"compare takes a DataFrame, not {type(frame).__name__}")], exit_code=2)
    if not isinstance(metrics, Mapping) or not metrics:
        example = 'Example:  metrics={"bought": "proportion", "revenue": "mean"}'
        raise UserError([Problem("E415", "metrics is a dict of columns and kinds", None, example)], exit_code=2)
    if better not in ("higher", "lower"):
        problems.append(
            Problem(
                "E122", f"better is {quoted(better)}", None, did_you_mean(str(better), ("higher", "lower"), "Possible")
            )
        )
    wanted = [variant]
    for name, kind in metrics.items():
        if not (kind in ("mean", "proportion") or (isinstance(kind, tuple) and len(kind) == 2)):
            possible = "mean, proportion, or (numerator column, denominator column)"
            problems.append(
                Problem("E122", f"the kind of {quoted(name)} is {quoted(kind)}", None, f"Possible: {possible}")
            )
            continue
        wanted += list(kind) if isinstance(kind, tuple) else [name]
    known = [str(x) for x in frame.columns]
    missing = [c for c in dict.fromkeys(wanted) if c not in frame.columns]
    problems += [
        Problem("E503", f"the frame has no column {quoted(c)}", None, did_you_mean(c, known, "Columns"))
        for c in missing
    ]
    if not missing:
        problems += _values(frame, variant, control, metrics)
    if problems:
        raise UserError(problems, exit_code=2)
    return list(dict.fromkeys(wanted))


def _values(frame: pd.DataFrame, variant: str, control: Any, metrics: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the values: no such control, numbers that are none, shares that are not 0 and 1."""
    import numpy
    import pandas

    found = []
    keys = sorted({str(v) for v in frame[variant].dropna().unique()})
    if str(control) not in keys:
        listed = ", ".join(quoted(k)[1:-1] for k in keys[:8])
        found.append(
            Problem(
                "E410", f"control {quoted(control)} is not in column {quoted(variant)}", None, f"Values there: {listed}"
            )
        )
    for name, kind in metrics.items():
        for column in kind if isinstance(kind, tuple) else (name,):
            values: Any = frame[column]
            numbers = pandas.to_numeric(values, errors="coerce")
            bad = int((numbers.isna() & frame[column].notna()).sum()) + int(numpy.isinf(numbers.astype(float)).sum())
            if bad:
                found.append(Problem("E513", f"{bad:,} values of column {quoted(column)} are not finite numbers"))
            elif kind == "proportion" and not set(numbers.dropna().unique()) <= {0, 1}:
                found.append(
                    Problem(
                        "E513",
                        f"column {quoted(column)} is called a proportion and holds other values than 0 and 1",
                        None,
                        'Say "mean".',
                    )
                )
    return found
